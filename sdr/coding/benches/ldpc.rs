//! LDPC decoding, beside another implementation. `cargo bench -p farlink-coding --bench ldpc`.
#![allow(missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use farlink_coding::ldpc::{Code, Decoder, Encoder, Length, Rate};
use labrador_ldpc::LDPCCode;
use std::hint::black_box;
use support::Random;

const ITERATIONS: u32 = 10;

fn decode(c: &mut Criterion) {
    let codes = [
        ("(2048, 1024)", Code::Ar4ja(Rate::Half, Length::K1024), Some(LDPCCode::TM2048)),
        ("(1280, 1024)", Code::Ar4ja(Rate::FourFifths, Length::K1024), Some(LDPCCode::TM1280)),
        ("(32768, 16384)", Code::Ar4ja(Rate::Half, Length::K16384), None),
        ("(128, 64)", Code::Tc128, Some(LDPCCode::TC128)),
        ("(512, 256)", Code::Tc512, Some(LDPCCode::TC512)),
    ];
    for (name, code, other) in codes {
        let mut group = c.benchmark_group(format!("LDPC {name}"));
        // Elements are information bits.
        group.throughput(Throughput::Elements(code.information_bits() as u64));
        let mut random = Random(1);
        let encoder = Encoder::new(code);
        let information = random.octets(code.information_octets());
        let codeword = encoder.encode(&information).unwrap();
        // So noisy that no decoder is done before its last iteration.
        let soft = random.soft(&codeword, -6.0, 24.0);
        let mut out = vec![0; information.len()];
        let mut fast = Decoder::new(code, ITERATIONS).without_early_stop();
        group.bench_function("decode, 10 iterations", |b| b.iter(|| fast.decode(black_box(&soft), &mut out)));
        let mut stopping = Decoder::new(code, ITERATIONS);
        group.bench_function("decode, 10 iterations, looking for an early stop", |b| {
            b.iter(|| stopping.decode(black_box(&soft), &mut out))
        });
        let mut portable = Decoder::new(code, ITERATIONS).without_early_stop().portable();
        group.bench_function("decode, 10 iterations, portable", |b| {
            b.iter(|| portable.decode(black_box(&soft), &mut out))
        });
        group.bench_function("encode", |b| b.iter(|| encoder.encode(black_box(&information))));
        if let Some(other) = other {
            let quarter: Vec<i8> = soft.iter().map(|s| s / 4).collect();
            let mut out = vec![0; other.output_len()];
            let (mut working, mut octets) =
                (vec![0i8; other.decode_ms_working_len()], vec![0; other.decode_ms_working_u8_len()]);
            group.bench_function("labrador-ldpc: decode, 10 iterations", |b| {
                b.iter(|| {
                    other.decode_ms(black_box(&quarter), &mut out, &mut working, &mut octets, ITERATIONS as usize)
                })
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = decode
}
criterion_main!(benches);
