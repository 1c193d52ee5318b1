//! What errors cost: by the frame, and by the second of a link of 1 Gbit/s.
//!
//! `cargo bench -p farlink-channel-models --bench errors`. The cost must follow the errors, not the bits: a second of 1 Gbit/s at
//! a bit error ratio of 1e-9 holds one error, and shall cost nothing to speak of.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use farlink_channel_models::errors::{
    Airtime, Band, Bursts, Code, ErrorModel, Fading, Scintillation, scintillation_index,
};
use farlink_channel_models::{Errors, Series};
use farlink_units::{Duration, Instant};

const RATE_BPS: i64 = 1_000_000_000;

/// Strikes frame after frame, each of `bits` at 1 Gbit/s.
fn run(c: &mut Criterion, name: &str, model: ErrorModel, bits: i64) {
    let mut errors = Errors::new(&[model], 1).expect("a model");
    let (mut start, mut out) = (Instant::ZERO, Vec::new());
    c.bench_function(name, |b| {
        b.iter(|| {
            let end = start + Duration::from_nanos(bits * 1_000_000_000 / RATE_BPS);
            let passage = errors.strike(&Airtime { start, end, bits: bits as u64 }, &mut out);
            start = end;
            black_box(passage)
        })
    });
}

fn errors(c: &mut Criterion) {
    let second = RATE_BPS;
    let independent = |ber| ErrorModel::Independent { ber };
    run(c, "1e-9, a second in one frame", independent(1e-9), second);
    run(c, "1e-6, a second in one frame", independent(1e-6), second);
    run(c, "1e-9, frame of 8192 bits", independent(1e-9), 8192);
    run(c, "1e-6, frame of 8192 bits", independent(1e-6), 8192);
    let bursts = Bursts { mean_burst_bits: 100.0, mean_gap_bits: 1e8, ber_in_burst: 0.1, ber_in_gap: 0.0 };
    run(c, "ten bursts a second, frame of 8192 bits", ErrorModel::Bursts(bursts), 8192);
    let hour = Instant::ZERO + Duration::from_secs(3600);
    let varying = Series::new(vec![(Instant::ZERO, -9.0), (hour, -6.0)]).expect("a series");
    run(c, "1e-9 to 1e-6 in an hour, frame of 8192 bits", ErrorModel::Varying { log10_ber: varying }, 8192);
    let coded =
        |code, eb_n0_db, scintillation| ErrorModel::Coded { code, eb_n0_db: Series::constant(eb_n0_db), scintillation };
    let reed_solomon = Code::ReedSolomon { interleaving: 5 };
    run(c, "Reed-Solomon at 7 dB, frame of 8192 bits", coded(reed_solomon, 7.0, None), 8192);
    run(c, "convolutional at 6 dB, frame of 8192 bits", coded(Code::Convolutional, 6.0, None), 8192);
    let near_the_sun = Scintillation {
        index: Series::constant(scintillation_index(Band::X, 2.0).expect("an angle")),
        fading: Fading::Rician,
        correlation_time: Duration::from_millis(200),
    };
    run(
        c,
        "Reed-Solomon at 9 dB, 2° from the Sun, frame of 8192 bits",
        coded(reed_solomon, 9.0, Some(near_the_sun)),
        8192,
    );
}

criterion_group!(benches, errors);
criterion_main!(benches);
