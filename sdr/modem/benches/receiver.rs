//! Symbols a second of one core, in release: the receiver from cold to soft symbols, and the modulator.
//!
//! Two and four samples a symbol, roll-off 0.35; each iteration is a new receiver that searches, finds and demodulates a million symbols, BPSK at
//! Es/N0 -1 dB (Eb/N0 2 dB behind a code of rate 1/2), 20 kHz off at 10 Msymbol/s. Time is the processor's, so that what else runs disturbs less.

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use farlink_modem::{Modulation, Modulator, Output, Receiver, ReceiverConfig, Signal};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use num_complex::Complex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;
use std::hint::black_box;
use std::time::Duration;

const SYMBOLS: usize = 1_000_000;

/// Time that this process has spent on a processor.
struct ProcessorTime;

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Self::Intermediate {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system's own count");
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(micros.unsigned_abs())
    }

    fn end(&self, start: Self::Intermediate) -> Self::Value {
        self.start() - start
    }

    fn add(&self, a: &Self::Value, b: &Self::Value) -> Self::Value {
        *a + *b
    }

    fn zero(&self) -> Self::Value {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Self::Value) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn heard(signal: &Signal, es_n0_db: f64) -> Vec<Complex<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let bits: Vec<u8> =
        (0..SYMBOLS * signal.modulation.bits_per_symbol() as usize).map(|_| u8::from(rng.random::<bool>())).collect();
    let mut samples = Vec::new();
    let mut modulator = Modulator::new(signal).unwrap();
    modulator.modulate(&bits, &mut samples);
    modulator.finish(&mut samples);
    let sigma = (signal.samples_per_symbol() / 10f64.powf(es_n0_db / 10.0) / 2.0).sqrt();
    for (i, s) in samples.iter_mut().enumerate() {
        let (sin, cos) = (TAU * (20e3 / signal.sample_rate_hz * i as f64).fract()).sin_cos();
        let r = sigma * (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (v, u) = (TAU * rng.random::<f64>()).sin_cos();
        *s = *s * Complex::new(cos as f32, sin as f32) + Complex::new((r * u) as f32, (r * v) as f32);
    }
    samples
}

fn modem(c: &mut Criterion<ProcessorTime>) {
    let mut group = c.benchmark_group("modem");
    group.sample_size(10).throughput(Throughput::Elements(SYMBOLS as u64));
    let cases = [
        ("BPSK", Modulation::Bpsk, -1.0, 2.0),
        ("BPSK", Modulation::Bpsk, -1.0, 4.0),
        ("QPSK", Modulation::Qpsk, 4.0, 2.0),
        ("OQPSK", Modulation::Oqpsk, 4.0, 2.0),
        ("8PSK", Modulation::Psk8, 12.0, 2.0),
        ("GMSK", Modulation::Gmsk { bandwidth_time: 0.5 }, 4.0, 2.0),
    ];
    for (name, modulation, es_n0_db, sps) in cases {
        let signal = Signal { modulation, roll_off: 0.35, symbol_rate_hz: 10e6, sample_rate_hz: 10e6 * sps };
        let name = format!("{name} at {sps} samples a symbol");
        let samples = heard(&signal, es_n0_db);
        let config = ReceiverConfig::new(signal);
        let mut receive = |name: String, new: fn(&ReceiverConfig) -> Result<Receiver, farlink_modem::ConfigError>| {
            group.bench_function(name, |b| {
                b.iter(|| {
                    let mut receiver = new(&config).unwrap();
                    let mut output = Output::default();
                    for block in samples.chunks(8192) {
                        receiver.process(block, &mut output);
                    }
                    receiver.finish(&mut output);
                    let wanted = SYMBOLS * 95 / 100 * modulation.bits_per_symbol() as usize;
                    assert!(receiver.status().locked && output.soft.len() > wanted);
                    black_box(output)
                });
            });
        };
        receive(format!("receive {name}"), Receiver::new);
        if modulation == Modulation::Bpsk {
            receive(format!("receive {name}, portable"), Receiver::portable);
        }
    }
    let signal = Signal { modulation: Modulation::Bpsk, roll_off: 0.35, symbol_rate_hz: 10e6, sample_rate_hz: 20e6 };
    let bits = vec![0u8; SYMBOLS];
    group.bench_function("modulate BPSK", |b| {
        b.iter(|| {
            let mut samples = Vec::new();
            Modulator::new(&signal).unwrap().modulate(&bits, &mut samples);
            black_box(samples)
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = modem
}
criterion_main!(benches);
