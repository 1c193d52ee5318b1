//! What the emulator pays per frame, and a plan per day.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use farlink_channel_models::{Body, Geometry, Orbit, Place, Site, Visibility};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

fn geometry() -> Geometry {
    Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 3, 1))
}

fn goldstone() -> Place {
    Place::Site(Site { body: Body::Earth, latitude_deg: 35.4259, longitude_deg: -116.8895, altitude_km: 1.0014 })
}

fn lander() -> Place {
    Place::Site(Site { body: Body::Mars, latitude_deg: 18.44, longitude_deg: 77.45, altitude_km: -2.5 })
}

fn orbiter() -> Place {
    around(Body::Mars, 3780.0)
}

fn around(body: Body, semi_major_axis_km: f64) -> Place {
    Place::Orbit(Orbit {
        body,
        semi_major_axis_km,
        eccentricity: 0.01,
        inclination_deg: 93.0,
        ascending_node_deg: 40.0,
        argument_of_periapsis_deg: 270.0,
        mean_anomaly_deg: 10.0,
    })
}

/// A million instants a second is the goal: a microsecond each.
fn light_time(c: &mut Criterion) {
    let geometry = geometry();
    let [earth, moon, mars] = [Body::Earth, Body::Moon, Body::Mars].map(Place::Center);
    for (name, from, to) in [
        ("centre of Mars to centre of Earth", &mars, &earth),
        ("centre of Moon to centre of Earth", &moon, &earth),
        ("Mars orbiter to Earth station", &orbiter(), &goldstone()),
        ("Earth station to Mars orbiter", &goldstone(), &orbiter()),
        ("Mars orbiter to lander", &orbiter(), &lander()),
        ("Moon orbiter to Earth station", &around(Body::Moon, 1837.4), &goldstone()),
        ("Earth orbiter to Earth orbiter", &around(Body::Earth, 7000.0), &around(Body::Earth, 7500.0)),
    ] {
        measure(c, &format!("light time, {name}"), &geometry, from, to);
    }
}

fn measure(c: &mut Criterion, name: &str, geometry: &Geometry, from: &Place, to: &Place) {
    let mut at = Instant::ZERO;
    c.bench_function(name, |b| {
        b.iter(|| {
            at += Duration::from_millis(1);
            black_box(geometry.light_time(from, to, at).unwrap())
        })
    });
}

/// With bodies from an SPK file, and a spacecraft's position in one.
#[cfg(feature = "spice")]
fn kernels(c: &mut Criterion) {
    use std::sync::Arc;

    use farlink_channel_models::Kernels;

    let read = |name| {
        let path = format!("{}/../fixtures/golden/geometry/{name}", env!("CARGO_MANIFEST_DIR"));
        (name, std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}")))
    };
    let kernels = Arc::new(Kernels::new(["de421.bsp", "orbiters.bsp"].map(read)).expect("the fixtures are kernels"));
    let (epoch, run) = (Epoch::from_gregorian_utc_at_midnight(2027, 3, 1), Duration::from_secs(86_400));
    let geometry = Geometry::with_kernels(epoch, kernels.clone(), &[Body::Earth, Body::Mars], run).expect("covered");
    let [mars, earth] = [Body::Mars, Body::Earth].map(Place::Center);
    measure(c, "light time, centre of Mars to centre of Earth, SPK", &geometry, &mars, &earth);
    let start = kernels.spans(-901)[0][0];
    let mut seconds = 0.0;
    c.bench_function("position of a spacecraft, SPK type 13", |b| {
        b.iter(|| {
            seconds = (seconds + 0.1) % 86_000.0;
            black_box(kernels.position_km(-901, start + seconds))
        })
    });
}

#[cfg(not(feature = "spice"))]
fn kernels(_: &mut Criterion) {}

fn contacts(c: &mut Criterion) {
    let rules =
        Visibility { elevation_mask_deg: 10.0, occulters: vec![Body::Mars, Body::Sun], ..Visibility::default() };
    let day = Instant::ZERO + Duration::from_secs(86_400);
    let mut group = c.benchmark_group("24 h of contacts");
    group.sample_size(20);
    for (name, to) in [("lander", lander()), ("Earth station", goldstone())] {
        let warm = geometry();
        group.bench_function(format!("orbiter to {name}"), |b| {
            b.iter(|| warm.contacts(&orbiter(), &to, &rules, Instant::ZERO, day))
        });
        group.bench_function(format!("orbiter to {name}, new geometry"), |b| {
            b.iter(|| geometry().contacts(&orbiter(), &to, &rules, Instant::ZERO, day))
        });
    }
}

criterion_group!(benches, light_time, kernels, contacts);
criterion_main!(benches);
