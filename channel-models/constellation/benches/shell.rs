//! A day of a whole shell.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use farlink_channel_models::Body;
use farlink_constellation::{LinkRules, Mesh, Pattern, Pointing, Shell, Walker};
use farlink_units::{Duration, Instant};

fn day_of_links(c: &mut Criterion) {
    let shell = Shell::new(Walker {
        body: Body::Earth,
        altitude_km: 550.0,
        inclination_deg: 53.0,
        planes: 72,
        satellites_per_plane: 22,
        phasing: 17,
        pattern: Pattern::Delta,
        first_node_deg: 0.0,
        first_argument_deg: 0.0,
    })
    .expect("the shell is sound");
    let rules = LinkRules {
        // Within what the nearer neighbours reach at the equator, so that range, flips and latitude all count.
        max_range_km: 1000.0,
        grazing_altitude_km: 80.0,
        max_latitude_deg: 50.0,
        pointing: Pointing::OneTerminalPerSide { acquisition: Duration::from_secs(10) },
    };
    let day = Instant::ZERO + Duration::from_secs(86_400);
    let mut group = c.benchmark_group("24 h of 1,584 satellites");
    group.sample_size(10);
    for (name, mesh) in [("four links each", Mesh::PlusGrid), ("six links each", Mesh::AllAdjacent)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let contacts =
                    |link| shell.contacts(link, &rules, Instant::ZERO, day).expect("the link is sound").len();
                black_box(shell.links(mesh).iter().map(contacts).sum::<usize>())
            })
        });
    }
}

criterion_group!(benches, day_of_links);
criterion_main!(benches);
