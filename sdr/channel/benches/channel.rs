//! How many samples a second go through the channel, on one core.
//!
//! `cargo bench -p farlink-iq-channel --bench channel`. Goals: noise alone 150 Msample/s; noise, Doppler and fractional delay together 60
//! Msample/s. The bench `beside_gnuradio` has GNU Radio's `channel_model` beside them.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use farlink_iq_channel::Instructions;
use farlink_iq_channel::channel::{Channel, ChannelConfig};
use farlink_iq_channel::delay::DelayConfig;
use farlink_iq_channel::law::DelayLaw;
use farlink_iq_channel::noise::Noise;
use num_complex::Complex32;

const BLOCK: usize = 8192;

fn low_orbit() -> DelayConfig {
    let law = DelayLaw::Polynomial { coefficients: vec![0.004, -2.3e-5, 1e-10], duration_s: 100.0 };
    DelayConfig { law, carrier_hz: 8.4e9, clock_ppm: 0.0, ring: Default::default() }
}

fn run(group: &mut BenchmarkGroup<WallTime>, name: &str, config: &ChannelConfig, instructions: Instructions) {
    let mut channel = Channel::with(config, instructions).expect("a channel");
    let input = vec![Complex32::new(1.0, 0.0); BLOCK];
    let mut out = Vec::with_capacity(2 * BLOCK);
    group.bench_function(name, |b| {
        b.iter(|| {
            out.clear();
            channel.process(black_box(&input), &mut out).expect("samples");
            black_box(out.last().copied())
        });
    });
}

fn channel(c: &mut Criterion) {
    let mut group = c.benchmark_group("one core");
    group.throughput(Throughput::Elements(BLOCK as u64));
    for (name, instructions) in [("", Instructions::fastest()), (", portable", Instructions::portable())] {
        let mut noise = Noise::new(1e-3, 1).expect("noise").with(instructions);
        let mut samples = vec![Complex32::new(1.0, 0.0); BLOCK];
        group.bench_function(format!("noise{name}"), |b| {
            b.iter(|| {
                noise.add(black_box(&mut samples));
            });
        });
        let mut config = ChannelConfig::new(10e6, 1);
        config.delay = Some(low_orbit());
        run(&mut group, &format!("Doppler and delay{name}"), &config, instructions);
        config.n0 = Some(1e-3);
        run(&mut group, &format!("noise, Doppler and delay{name}"), &config, instructions);
    }
    group.finish();
}

criterion_group!(benches, channel);
criterion_main!(benches);
