//! Samples to decoded frames, from cold. `cargo bench -p farlink-radio`.
#![allow(missing_docs)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use farlink_coding::convolutional::Rate;
use farlink_coding::ldpc;
use farlink_iq_channel::noise::Noise;
use farlink_modem::Modulation;
use farlink_radio::receiver::{Receiver, ReceiverSettings};
use farlink_radio::transmitter::Transmitter;
use farlink_radio::waveform::{Coding, Waveform};
use std::hint::black_box;

/// Symbols that are sent, at least.
const SYMBOLS: f64 = 1e6;

fn radio(c: &mut Criterion) {
    let concatenated = Coding::Concatenated { corrects: 16, depth: 5, rate: Rate::Half };
    let half = Coding::Ldpc { rate: ldpc::Rate::Half, length: ldpc::Length::K1024 };
    let mut group = c.benchmark_group("radio");
    for (name, modulation, coding, eb_n0_db) in [
        ("BPSK, concatenated", Modulation::Bpsk, concatenated, 3.0),
        ("BPSK, uncoded", Modulation::Bpsk, Coding::Uncoded { frame_octets: 1115 }, 10.0),
        ("BPSK, LDPC 1/2 of 1024", Modulation::Bpsk, half, 3.0),
        ("QPSK, concatenated", Modulation::Qpsk, concatenated, 3.0),
    ] {
        let waveform = Waveform { modulation, ..Waveform::new(coding, 10e6) };
        let frames = (SYMBOLS / waveform.symbols_per_frame()).ceil() as u32;
        let (mut samples, mut transmitter) = (Vec::new(), Transmitter::new(&waveform).unwrap());
        let frame = |number: u32| -> Vec<u8> {
            (0..waveform.frame_octets() as u32)
                .map(|at| ((at ^ number << 12).wrapping_mul(2_654_435_761) >> 13) as u8)
                .collect()
        };
        (0..frames).for_each(|number| transmitter.send(&frame(number), &mut samples).unwrap());
        transmitter.finish(&mut samples);
        Noise::new(waveform.n0(eb_n0_db), 1).unwrap().add(&mut samples);
        let received = |mut receiver: Receiver| {
            samples.chunks(16_384).for_each(|block| receiver.process(black_box(block)));
            receiver.finish();
            std::iter::from_fn(|| receiver.poll()).count()
        };
        let cold = || Receiver::new(&waveform, &ReceiverSettings::default()).unwrap();
        assert!(received(cold()) as u32 >= frames - 1, "{name}: frames were lost, so nothing would be measured");
        // Elements are symbols.
        group.throughput(Throughput::Elements((f64::from(frames) * waveform.symbols_per_frame()) as u64));
        group.bench_function(format!("receiver from cold: {name}"), |b| {
            b.iter_batched(cold, received, BatchSize::PerIteration)
        });
        let few = frames.min(10);
        group.throughput(Throughput::Elements((f64::from(few) * waveform.symbols_per_frame()) as u64));
        group.bench_function(format!("transmitter: {name}"), |b| {
            b.iter(|| {
                let (mut samples, mut transmitter) = (Vec::new(), Transmitter::new(&waveform).unwrap());
                (0..few).for_each(|number| transmitter.send(&frame(number), &mut samples).unwrap());
                samples
            })
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(2));
    targets = radio
}
criterion_main!(benches);
