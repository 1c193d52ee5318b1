//! The distribution of the noise, to five standard deviations and in its independence.

use farlink_iq_channel::Instructions;
use farlink_iq_channel::noise::{Noise, n0_from_eb_n0};
use num_complex::Complex32;
use statrs::function::erf::erfc;

/// Lags whose correlation is looked at; the loop that makes noise makes 64 samples at a time, from two halves.
const LAGS: [usize; 10] = [1, 2, 3, 4, 8, 16, 31, 32, 33, 64];

/// Draws so many samples of N0 = 2, and tells what is not as it must be of independent normal numbers of variance 1. `change` spoils them.
///
/// Each figure may be off by 4.5 of its own standard deviations, and there are about fifty: a good source fails once in 3,000 seeds.
fn faults(samples: u64, seed: u64, change: impl Fn(Complex32) -> Complex32) -> Vec<String> {
    const LIMIT: f64 = 4.5;
    const BLOCK: usize = 1 << 15;
    let mut noise = Noise::new(2.0, seed).unwrap();
    let mut beyond = [[0u64; 5]; 4];
    let (mut sums, mut both, mut both_squares) = ([[0f64; 4]; 2], 0f64, 0f64);
    let mut lagged = [[0f64; 2]; LAGS.len()];
    let mut pairs = 0u64;
    let mut block = vec![Complex32::ZERO; BLOCK];
    for _ in 0..samples / BLOCK as u64 {
        block.fill(Complex32::ZERO);
        noise.add(&mut block);
        block.iter_mut().for_each(|z| *z = change(*z));
        for z in &block {
            for (axis, x) in [f64::from(z.re), f64::from(z.im)].into_iter().enumerate() {
                for (sum, power) in sums[axis].iter_mut().zip([x, x * x, x * x * x, x * x * x * x]) {
                    *sum += power;
                }
                let tail = 2 * axis + usize::from(x < 0.0);
                for (k, count) in beyond[tail].iter_mut().enumerate() {
                    *count += u64::from(x.abs() > (k + 1) as f64);
                }
            }
            both += f64::from(z.re * z.im);
            both_squares += (f64::from(z.re).powi(2) - 1.0) * (f64::from(z.im).powi(2) - 1.0);
        }
        pairs += (BLOCK - 64) as u64;
        for (sums, lag) in lagged.iter_mut().zip(LAGS) {
            for n in 0..BLOCK - 64 {
                sums[0] += f64::from(block[n].re * block[n + lag].re);
                sums[1] += f64::from(block[n].re * block[n + lag].im);
            }
        }
    }
    let n = (samples / BLOCK as u64 * BLOCK as u64) as f64;
    let mut faults = Vec::new();
    let mut judge = |what: String, got: f64, expected: f64, deviation: f64| {
        if got.is_nan() || (got - expected).abs() > LIMIT * deviation {
            faults.push(format!("{what}: {got:e}, expected {expected:e} ± {deviation:e}"));
        }
    };
    for (axis, sums) in sums.iter().enumerate() {
        // Moments of a normal number, and the variances of their means.
        let moments =
            [("mean", 0.0, 1.0), ("variance", 1.0, 2.0), ("third moment", 0.0, 15.0), ("fourth moment", 3.0, 96.0)];
        for ((what, expected, variance), sum) in moments.into_iter().zip(sums) {
            judge(format!("{what} of axis {axis}"), sum / n, expected, (variance / n).sqrt());
        }
    }
    for (tail, counts) in beyond.iter().enumerate() {
        for (k, count) in counts.iter().enumerate() {
            let p = erfc((k + 1) as f64 / 2f64.sqrt()) / 2.0;
            let deviation = (n * p * (1.0 - p)).sqrt().max(1.0);
            judge(format!("beyond {} σ in tail {tail}", k + 1), *count as f64, n * p, deviation);
        }
    }
    judge("I times Q".into(), both / n, 0.0, (1.0 / n).sqrt());
    judge("I² times Q²".into(), both_squares / n, 0.0, (4.0 / n).sqrt());
    for (sums, lag) in lagged.iter().zip(LAGS) {
        let deviation = (1.0 / pairs as f64).sqrt();
        judge(format!("I with I {lag} later"), sums[0] / pairs as f64, 0.0, deviation);
        judge(format!("I with Q {lag} later"), sums[1] / pairs as f64, 0.0, deviation);
    }
    faults
}

#[test]
fn noise_is_normal_to_five_sigma_white_and_independent() {
    let faults = faults(20_000_000, 1, |z| z);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn spoilt_noise_is_found_out() {
    let n = 4_000_000;
    let spoilt = [
        ("variance", faults(n, 2, |z| z * 1.003)),
        ("beyond 4 σ", faults(n, 2, |z| Complex32::new(z.re.clamp(-3.9, 3.9), z.im))),
        ("mean", faults(n, 2, |z| z + 0.005)),
        ("I times Q", faults(n, 2, |z| Complex32::new(z.re, 0.999_98 * z.im + 0.005 * z.re))),
        ("I² times Q²", faults(n, 2, |z| if z.norm() > 3.0 { z * 0.98 } else { z })),
    ];
    for (what, faults) in spoilt {
        assert!(faults.iter().any(|fault| fault.contains(what)), "{what}: {faults:?}");
    }
}

/// `cargo test --release -p farlink-iq-channel --test noise -- --ignored --nocapture`: half a minute on a quiet core.
#[test]
#[ignore = "a thousand million samples take half a minute, and minutes without optimisation"]
fn noise_is_normal_over_a_thousand_million_samples() {
    let faults = faults(1_000_000_000, 3, |z| z);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_noise_of_a_sample_follows_from_its_number_and_the_seed() {
    let draw = |seed: u64, blocks: &[usize], instructions: Instructions| {
        let mut noise = Noise::new(0.3, seed).unwrap().with(instructions);
        let mut out = vec![Complex32::new(0.5, -0.25); blocks.iter().sum()];
        let mut rest = &mut out[..];
        for length in blocks {
            let (now, later) = rest.split_at_mut(*length);
            noise.add(now);
            rest = later;
        }
        out
    };
    let whole = draw(5, &[1000], Instructions::fastest());
    for blocks in [&[1; 1000][..], &[63, 1, 64, 65, 807], &[0, 500, 0, 500]] {
        assert_eq!(draw(5, blocks, Instructions::fastest()), whole);
    }
    assert_eq!(draw(5, &[1000], Instructions::portable()), whole);
    assert_ne!(draw(6, &[1000], Instructions::fastest()), whole);
}

#[test]
fn the_signal_stands_over_the_noise_as_asked() {
    // QPSK at rate ½ and eight samples a symbol: eight samples to a bit of information, of power 0.7.
    for eb_n0_db in [-2.0, 3.0, 9.6] {
        let power = 0.7;
        let n0 = n0_from_eb_n0(eb_n0_db, power, 8.0).unwrap();
        let mut samples = vec![Complex32::ZERO; 1 << 20];
        Noise::new(n0, 11).unwrap().add(&mut samples);
        let noise = samples.iter().map(|z| f64::from(z.norm_sqr())).sum::<f64>() / samples.len() as f64;
        let measured_db = 10.0 * (power * 8.0 / noise).log10();
        // A million samples tell the variance to 0.1 %, 0.004 dB.
        assert!((measured_db - eb_n0_db).abs() < 0.02, "{measured_db} dB, asked {eb_n0_db}");
    }
}

#[test]
fn noise_that_cannot_be_is_refused() {
    for n0 in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(Noise::new(n0, 1).unwrap_err().to_string().contains("n0 is"));
    }
    assert!(n0_from_eb_n0(f64::NAN, 1.0, 1.0).unwrap_err().to_string().contains("eb_n0_db"));
    assert!(n0_from_eb_n0(0.0, -1.0, 1.0).unwrap_err().to_string().contains("mean_power"));
    assert!(n0_from_eb_n0(0.0, 1.0, 0.0).unwrap_err().to_string().contains("samples_per_bit"));
}
