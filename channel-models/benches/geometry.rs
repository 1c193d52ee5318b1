//! What light times and a plan per day cost.

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
    Place::Orbit(Orbit {
        body: Body::Mars,
        semi_major_axis_km: 3780.0,
        eccentricity: 0.01,
        inclination_deg: 93.0,
        ascending_node_deg: 40.0,
        argument_of_periapsis_deg: 270.0,
        mean_anomaly_deg: 10.0,
    })
}

fn light_time(c: &mut Criterion) {
    let geometry = geometry();
    let centers = (Place::Center(Body::Mars), Place::Center(Body::Earth));
    for (name, from, to) in [
        ("centre to centre", centers.0, centers.1),
        ("orbiter to Earth station", orbiter(), goldstone()),
        ("orbiter to lander", orbiter(), lander()),
    ] {
        let mut at = Instant::ZERO;
        c.bench_function(&format!("light time, {name}"), |b| {
            b.iter(|| {
                at += Duration::from_millis(1);
                black_box(geometry.light_time(&from, &to, at).unwrap())
            })
        });
    }
}

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

criterion_group!(benches, light_time, contacts);
criterion_main!(benches);
