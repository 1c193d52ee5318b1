//! Contact plans of a day: a network of orbiters and stations, and a whole shell of satellites with its neighbour links.

use std::num::NonZeroUsize;

use criterion::{Criterion, criterion_group, criterion_main};
use farlink_channel_models::{Body, Geometry, Orbit, Pair, Place, Site, Visibility};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

const DAY: Instant = Instant::from_nanos(86_400_000_000_000);
const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn geometry() -> Geometry {
    Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 3, 1))
}

fn circular(altitude_km: f64, inclination_deg: f64, node_deg: f64, anomaly_deg: f64) -> Place {
    Place::Orbit(Orbit {
        body: Body::Earth,
        semi_major_axis_km: Body::Earth.equatorial_radius_km() + altitude_km,
        eccentricity: 0.0,
        inclination_deg,
        ascending_node_deg: node_deg,
        argument_of_periapsis_deg: 0.0,
        mean_anomaly_deg: anomaly_deg,
    })
}

/// A hundred low orbits of many heights and inclinations; angles by the golden section, so that none repeat.
fn orbiters() -> Vec<Place> {
    let golden = |k: usize, turn: f64| (k as f64 * 0.618_033_988_75 * turn) % turn;
    (0..100)
        .map(|k| {
            circular(400.0 + golden(k, 1000.0), 30.0 + golden(3 * k, 70.0), golden(7 * k, 360.0), golden(5 * k, 360.0))
        })
        .collect()
}

/// Twenty stations from pole to pole.
fn stations() -> Vec<Place> {
    (0..20)
        .map(|k| {
            let latitude_deg = -76.0 + 8.0 * f64::from(k);
            let longitude_deg = (137.5 * f64::from(k)) % 360.0 - 180.0;
            Place::Site(Site { body: Body::Earth, latitude_deg, longitude_deg, altitude_km: 0.2 })
        })
        .collect()
}

fn network(c: &mut Criterion) {
    let (orbiters, stations) = (orbiters(), stations());
    let rules = Visibility { elevation_mask_deg: 10.0, occulters: vec![Body::Earth], ..Visibility::default() };
    let pairs: Vec<Pair> = orbiters
        .iter()
        .flat_map(|o| stations.iter().map(move |s| (o, s)))
        .flat_map(|(o, s)| [(o, s), (s, o)])
        .map(|(from, to)| Pair { from, to, rules: &rules })
        .collect();
    let geometry = geometry();
    let mut group = c.benchmark_group("24 h of contacts, two threads");
    group.sample_size(10);
    group.bench_function("100 orbiters and 20 stations, 4,000 channels", |b| {
        b.iter(|| {
            let table = geometry.contact_table(&pairs, Instant::ZERO, DAY, THREADS);
            table.iter().map(|row| row.contacts.len()).sum::<usize>()
        })
    });
}

/// A Walker shell of 72 planes with 22 satellites each, 550 km high at 53°, as pairs of next neighbours: the one ahead in the
/// plane and the one beside in the next plane, so four links a satellite and 3,168 in all.
fn shell(c: &mut Criterion) {
    const PLANES: usize = 72;
    const EACH: usize = 22;
    const PHASING: f64 = 17.0;
    let satellites: Vec<Place> = (0..PLANES * EACH)
        .map(|k| {
            let (plane, slot) = ((k / EACH) as f64, (k % EACH) as f64);
            let anomaly = 360.0 * (slot / EACH as f64 + PHASING * plane / (PLANES * EACH) as f64);
            circular(550.0, 53.0, 360.0 * plane / PLANES as f64, anomaly)
        })
        .collect();
    let at = |plane: usize, slot: usize| &satellites[plane % PLANES * EACH + slot % EACH];
    let rules = Visibility { occulters: vec![Body::Earth], max_range_km: Some(2000.0), ..Visibility::default() };
    let pairs: Vec<Pair> = (0..PLANES)
        .flat_map(|plane| (0..EACH).map(move |slot| (plane, slot)))
        .flat_map(|(plane, slot)| [(at(plane, slot), at(plane, slot + 1)), (at(plane, slot), at(plane + 1, slot))])
        .flat_map(|(a, b)| [(a, b), (b, a)])
        .map(|(from, to)| Pair { from, to, rules: &rules })
        .collect();
    assert_eq!(pairs.len(), 2 * 3168);
    let geometry = geometry();
    let mut group = c.benchmark_group("24 h of contacts, two threads");
    group.sample_size(10).measurement_time(Duration::from_secs(60).to_std());
    group.bench_function("a shell of 1,584 satellites, 6,336 channels", |b| {
        b.iter(|| {
            let table = geometry.contact_table(&pairs, Instant::ZERO, DAY, THREADS);
            table.iter().map(|row| row.contacts.len()).sum::<usize>()
        })
    });
}

criterion_group!(benches, network, shell);
criterion_main!(benches);
