//! A tiny channel and the counting of errors, for the tests of the modem alone.
#![allow(dead_code, reason = "each test file uses its part")]

use farlink_modem::{Modulator, Signal};
use num_complex::Complex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub fn random_bits(seed: u64, count: usize) -> Vec<u8> {
    let mut rng = rng(seed);
    (0..count).map(|_| u8::from(rng.random::<bool>())).collect()
}

pub fn modulated(signal: &Signal, bits: &[u8]) -> Vec<Complex<f32>> {
    let mut samples = Vec::new();
    let mut modulator = Modulator::new(signal).unwrap();
    modulator.modulate(bits, &mut samples);
    modulator.finish(&mut samples);
    samples
}

/// Adds noise for this Es/N0, where the mean power is 1 (Box and Muller).
pub fn add_noise(samples: &mut [Complex<f32>], samples_per_symbol: f64, es_n0_db: f64, seed: u64) {
    let sigma = (samples_per_symbol / 10f64.powf(es_n0_db / 10.0) / 2.0).sqrt();
    let mut rng = rng(seed);
    for s in samples {
        let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        let r = sigma * (-2.0 * u.ln()).sqrt();
        *s += Complex::new((r * cos) as f32, (r * sin) as f32);
    }
}

/// Turns the carrier: phase in turns, offset in Hz, its rate in Hz/s.
pub fn shift(samples: &mut [Complex<f32>], sample_rate_hz: f64, phase: f64, offset_hz: f64, rate_hz_s: f64) {
    for (i, s) in samples.iter_mut().enumerate() {
        let t = i as f64 / sample_rate_hz;
        let turns = phase + t * (offset_hz + rate_hz_s * t / 2.0);
        let (sin, cos) = (std::f64::consts::TAU * turns.fract()).sin_cos();
        *s *= Complex::new(cos as f32, sin as f32);
    }
}

/// Most bits that an acquisition may have let pass.
const REACH: i64 = 40_000;

/// The soft symbols' errors against the bits, for the delay and the inversions of each `period`th bit (up to 4) that fit best:
/// errors, compared, delay.
pub fn errors(bits: &[u8], soft: &[i8], period: usize) -> (usize, usize, i64) {
    errors_within(bits, soft, period, -200..REACH)
}

/// The same, where the delay is known to be one of `delays`.
pub fn errors_within(bits: &[u8], soft: &[i8], period: usize, delays: std::ops::Range<i64>) -> (usize, usize, i64) {
    let wrong = |delay: i64, from: usize, count: usize| {
        let mut turned = [[0usize; 2]; 4];
        for (i, s) in soft.iter().enumerate().skip(from).take(count) {
            let Some(bit) = usize::try_from(i as i64 + delay).ok().and_then(|k| bits.get(k)) else { continue };
            turned[i % period][usize::from(u8::from(*s < 0) != *bit)] += 1;
        }
        let errors: usize = turned.iter().map(|t| t[0].min(t[1])).sum();
        (errors, turned.iter().flatten().sum::<usize>())
    };
    let from = soft.len() / 2;
    // A delay at which there is nothing to compare with would have no errors.
    let fits = |delay: i64, count: usize, most: f64| {
        let (errors, all) = wrong(delay, from, count);
        (all >= count.min(soft.len() - from) / 2 && (errors as f64) < most * all as f64)
            .then_some(errors as f64 / all as f64)
    };
    let delay = delays
        .filter(|d| fits(*d, 64, 0.375).is_some())
        .filter_map(|d| fits(d, 2000, 1.0).map(|share| (d, share)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0, |(d, _)| d);
    let (errors, all) = wrong(delay, 0, soft.len());
    (errors, all, delay)
}

/// Turns hard-decided QPSK or 8PSK back by `steps` of the constellation: soft symbols of ±1.
fn turned(soft: &[i8], bits: usize, steps: usize) -> Vec<i8> {
    // Bits, first highest, of each point of the circle.
    let circle: &[usize] = if bits == 2 { &[0b00, 0b10, 0b11, 0b01] } else { &[0, 1, 3, 2, 6, 7, 5, 4] };
    soft.chunks_exact(bits)
        .flat_map(|s| {
            let value = s.iter().fold(0, |v, x| v << 1 | usize::from(*x < 0));
            let place = circle.iter().position(|p| *p == value).unwrap();
            let turned = circle[(place + steps) % circle.len()];
            (0..bits).rev().map(move |b| if turned >> b & 1 == 1 { -1 } else { 1 })
        })
        .collect()
}

/// As [`errors`], over all the ways in which this modulation's phase may come out.
pub fn least_errors(
    modulation: &farlink_modem::Modulation,
    bits: &[u8],
    soft: &[i8],
    delays: std::ops::Range<i64>,
) -> (usize, usize, i64) {
    let errors = |bits: &[u8], soft: &[i8], period: usize| errors_within(bits, soft, period, delays.clone());
    use farlink_modem::Modulation::{Gmsk, Oqpsk, Psk8, Qpsk};
    let share = |found: &(usize, usize, i64)| found.0 as f64 / found.1.max(1) as f64;
    let least = |turns: usize, bits_per_symbol: usize| {
        let all = (0..turns).map(|k| errors(bits, &turned(soft, bits_per_symbol, k), 1));
        all.filter(|found| found.1 > 0).min_by(|a, b| share(a).total_cmp(&share(b))).unwrap_or_default()
    };
    match modulation {
        Qpsk => least(4, 2),
        Psk8 => least(8, 3),
        Oqpsk | Gmsk { .. } => errors(bits, soft, 2),
        _ => errors(bits, soft, 1),
    }
}
