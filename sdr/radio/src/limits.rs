//! How sure a ratio is that was counted.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::beta::beta_reg;

/// An interval that has the true ratio in it with a probability that is stated elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// Lower.
    pub low: f64,
    /// Upper.
    pub high: f64,
}

/// From so many hits and as many misses on, Wilson's interval, which is then the same to a hundredth of its width.
const MANY: f64 = 1000.0;

/// Clopper and Pearson's interval (Biometrika 26, 1934) of a ratio that came out as `hits` of `trials`: it holds with at least `confidence`, such as 0.95.
/// With more than a thousand hits and misses it is Wilson's.
///
/// Counts need not be whole: of trials that depend on each other, so many count as would be worth as much if they did not. Without trials nothing is
/// known, and the interval is from 0 to 1.
pub fn clopper_pearson(hits: f64, trials: f64, confidence: f64) -> Limits {
    let outside = (1.0 - confidence) / 2.0;
    let misses = trials - hits;
    if hits.min(misses) > MANY {
        return wilson(hits, trials, Normal::standard().inverse_cdf(1.0 - outside));
    }
    let low = if hits > 0.0 { quantile(hits, misses + 1.0, outside) } else { 0.0 };
    let high = if misses > 0.0 { quantile(hits + 1.0, misses, 1.0 - outside) } else { 1.0 };
    Limits { low, high }
}

/// Wilson's interval (Journal of the American Statistical Association 22, 1927), so many standard deviations wide to each side.
fn wilson(hits: f64, trials: f64, deviations: f64) -> Limits {
    let (ratio, square) = (hits / trials, deviations * deviations);
    let centre = (ratio + square / (2.0 * trials)) / (1.0 + square / trials);
    let spread = (ratio * (1.0 - ratio) / trials + square / (4.0 * trials * trials)).sqrt();
    let half = deviations * spread / (1.0 + square / trials);
    Limits { low: centre - half, high: centre + half }
}

/// Where the beta distribution has this probability below it. One of its parameters is small here, so that its integral is quick and good; the
/// point is sought over its logarithm, since it may be very small.
fn quantile(a: f64, b: f64, probability: f64) -> f64 {
    if a > b {
        return 1.0 - quantile(b, a, 1.0 - probability);
    }
    let (mut low, mut high) = (1e-300f64.ln(), 0.0f64);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if beta_reg(a, b, middle.exp()) < probability { low = middle } else { high = middle }
    }
    high.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_intervals() {
        // Without a hit in n trials: 1 - 0.025^(1/n). One half of ten, from tables: 0.1871 and 0.8129.
        let none = clopper_pearson(0.0, 100.0, 0.95);
        assert_eq!(none.low, 0.0);
        assert!((none.high - (1.0 - 0.025f64.powf(0.01))).abs() < 1e-6, "{none:?}");
        let half = clopper_pearson(5.0, 10.0, 0.95);
        assert!((half.low - 0.1871).abs() < 1e-4 && (half.high - 0.8129).abs() < 1e-4, "{half:?}");
        let all = clopper_pearson(7.0, 7.0, 0.95);
        assert!(all.high == 1.0 && (all.low - 0.025f64.powf(1.0 / 7.0)).abs() < 1e-6, "{all:?}");
        assert_eq!(clopper_pearson(0.0, 0.0, 0.95), Limits { low: 0.0, high: 1.0 });
        // Many bits, few of them wrong: nearly Poisson, whose limits for 10 are 4.795 and 18.39.
        let rare = clopper_pearson(10.0, 1e9, 0.95);
        assert!((rare.low * 1e9 - 4.795).abs() < 0.01 && (rare.high * 1e9 - 18.39).abs() < 0.01, "{rare:?}");
    }

    #[test]
    fn both_ways_of_reckoning_meet() {
        for (few, many, trials) in [(999.0, 1001.0, 1e5), (999.0, 1001.0, 1e9), (1e5 - 999.0, 1e5 - 1001.0, 1e5)] {
            let (exact, near) = (clopper_pearson(few, trials, 0.95), clopper_pearson(many, trials, 0.95));
            let width = exact.high - exact.low;
            let step = (many - few) / trials;
            assert!((near.low - exact.low - step).abs() < 0.02 * width, "{exact:?} {near:?}");
            assert!((near.high - exact.high - step).abs() < 0.02 * width, "{exact:?} {near:?}");
        }
    }
}
