//! The statistics of bit errors, and that frames do not matter.

mod support;

use farlink_channel_models::Errors;
use support::Flips;

/// How many of `bits` bits flip, taken in frames of `frame` bits.
fn count(ber: f64, seed: u64, bits: u64, frame: u64) -> u64 {
    let (mut errors, mut out, mut sum) = (Errors::independent(ber, seed), Vec::new(), 0);
    for _ in 0..bits / frame {
        errors.flips(frame, &mut out);
        sum += out.len() as u64;
    }
    sum
}

#[test]
fn the_ratio_is_met_over_a_billion_bits() {
    const BITS: u64 = 1_000_000_000;
    for (seed, ber) in [1e-6, 1e-5, 1e-4, 1e-3, 1e-2].into_iter().enumerate() {
        let got = count(ber, seed as u64, BITS, 100_000_000) as f64;
        let mean = ber * BITS as f64;
        // The 99.9 % interval of the binomial law, which at these means is the normal one: 3.2905 standard deviations.
        let half = 3.2905 * (mean * (1.0 - ber)).sqrt();
        println!("ber {ber}: {got} flips, expected {mean} ± {half:.0}");
        assert!((got - mean).abs() < half, "ber {ber}: {got} not within {mean} ± {half}");
    }
    // One flip in 1e9 bits is a Poisson count of mean 1: 0 to 6 with 99.94 %.
    assert!((0..20).filter(|seed| count(1e-9, *seed, BITS, BITS) > 6).count() == 0);
    // And of 200 such counts the sum has mean 200.
    let sum: u64 = (0..200).map(|seed| count(1e-9, 1000 + seed, BITS, BITS)).sum();
    assert!((sum as f64 - 200.0).abs() < 3.2905 * 200.0_f64.sqrt(), "{sum}");
}

#[test]
fn frames_do_not_matter() {
    for ber in [1e-7, 1e-4, 0.03, 0.5, 1.0] {
        let bits = if ber < 0.01 { 50_000_000 } else { 100_000 };
        let whole = {
            let mut out = Vec::new();
            Errors::independent(ber, 7).flips(bits, &mut out);
            out
        };
        let (mut errors, mut out, mut pieced) = (Errors::independent(ber, 7), Vec::new(), Vec::new());
        let (mut at, mut frame) = (0, 1);
        while at < bits {
            let take = frame.min(bits - at);
            errors.flips(take, &mut out);
            pieced.extend(out.iter().map(|p| p + at));
            at += take;
            // Frames of all lengths, with an empty one now and then.
            frame = if frame == 0 { 1 } else { frame * 7 % 11_933 };
        }
        assert_eq!(whole, pieced, "ber {ber}");
        assert!(whole.windows(2).all(|w| w[0] < w[1]) && whole.last().is_none_or(|last| *last < bits));
    }
}

#[test]
fn never_and_always() {
    let mut out = vec![1, 2, 3];
    let mut never = Errors::independent(0.0, 1);
    for _ in 0..1000 {
        never.flips(u64::MAX, &mut out);
        assert!(out.is_empty());
    }
    let mut always = Errors::independent(1.0, 1);
    for _ in 0..3 {
        always.flips(1000, &mut out);
        assert_eq!(out, (0..1000).collect::<Vec<_>>());
    }
    // Rarer than any number of bits that one call can name.
    let mut rare = Errors::independent(f64::from_bits(1), 1);
    for _ in 0..1000 {
        rare.flips(u64::MAX, &mut out);
        assert!(out.is_empty());
    }
}

#[test]
fn a_flip_does_not_know_of_the_one_before() {
    let (ber, bits) = (0.3, 3_000_000);
    let mut out = Vec::new();
    Errors::independent(ber, 11).flips(bits, &mut out);
    let flips = out.len() as f64;
    // How often the next flip is one, two, three bits on: p, p q, p q².
    for (distance, expected) in [(1, 0.3), (2, 0.21), (3, 0.147)] {
        let got = out.windows(2).filter(|w| w[1] - w[0] == distance).count() as f64 / flips;
        let half = 3.2905 * (expected * (1.0_f64 - expected) / flips).sqrt();
        assert!((got - expected).abs() < half, "distance {distance}: {got}");
    }
}

#[test]
fn rare_errors_are_as_rare_as_they_should_be() {
    for (ber, calls, each) in [(1e-15, 20, 100_000_000_000_000_000), (1e-18, 200, 10_000_000_000_000_000_000)] {
        let (mut errors, mut out, mut all) = (Errors::independent(ber, 3), Vec::new(), Vec::new());
        for _ in 0..calls {
            errors.flips(each, &mut out);
            all.extend_from_slice(&out);
        }
        let mean = ber * each as f64 * f64::from(calls);
        assert!((all.len() as f64 - mean).abs() < 3.2905 * mean.sqrt(), "ber {ber}: {}", all.len());
    }
    // The smallest distances are not rounded to a grid: at 1e-17 one flip in eleven is less than 2⁵³ bits from the last, and
    // there odd distances are as common as even ones.
    let (mut errors, mut out) = (Errors::independent(1e-17, 5), Vec::new());
    let mut distances = Vec::new();
    for _ in 0..40 {
        errors.flips(u64::MAX, &mut out);
        distances.extend(out.windows(2).map(|w| w[1] - w[0]));
    }
    let near: Vec<_> = distances.iter().filter(|d| **d < 1 << 53).collect();
    let odd = near.iter().filter(|d| **d % 2 == 1).count() as f64;
    let half = near.len() as f64 / 2.0;
    assert!(near.len() > 200 && (odd - half).abs() < 3.2905 * (half / 2.0).sqrt(), "{odd} of {}", near.len());
}

#[test]
#[should_panic(expected = "a bit error ratio is 1.5: it is from 0 to 1")]
fn no_ratio_above_one() {
    Errors::independent(1.5, 0);
}
