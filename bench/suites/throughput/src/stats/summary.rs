//! Mean, spread and quantiles.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// What a sample comes to. All in the unit of the sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with `count - 1` in the denominator; 0 for a single value.
    pub standard_deviation: f64,
    /// The least.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// 99 of 100 are at most this.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
    /// Half of the 95 % confidence interval of the mean, by Student's t with `count - 1` degrees of freedom; `None` for a
    /// single value, which has no spread.
    pub half_interval: Option<f64>,
}

impl Summary {
    /// Of these values; `None` if there are none, or if one is no number.
    pub fn of(values: &[f64]) -> Option<Summary> {
        if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let count = values.len();
        let mean = mean(values);
        let standard_deviation = variance(values).sqrt();
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let half_interval = (count > 1)
            .then(|| StudentsT::new(0.0, 1.0, (count - 1) as f64).ok())
            .flatten()
            .map(|t| t.inverse_cdf(0.975) * standard_deviation / (count as f64).sqrt());
        Some(Summary {
            count,
            mean,
            standard_deviation,
            min: sorted[0],
            p50: quantile(&sorted, 0.5),
            p99: quantile(&sorted, 0.99),
            max: sorted[count - 1],
            half_interval,
        })
    }

    /// Standard error of the mean.
    pub fn standard_error(&self) -> f64 {
        self.standard_deviation / (self.count as f64).sqrt()
    }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    // Counted from the first value, so that equal values have exactly their value as mean, and no spread.
    let first = values[0];
    first + values.iter().map(|v| v - first).sum::<f64>() / values.len() as f64
}

/// Unbiased; 0 for a single value.
pub(super) fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (values.len() - 1) as f64
}

/// The quantile `share` (0 to 1) of values in rising order, drawn straight between neighbours (type 7 of Hyndman and Fan 1996).
///
/// # Panics
/// If there are no values.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_summed_up() {
        // The squares of the differences from 3.44 add up to 9.412.
        let summary = Summary::of(&[2.1, 3.4, 1.9, 5.6, 4.2]).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        near(summary.mean, 3.44);
        near(summary.standard_deviation, (9.412f64 / 4.0).sqrt());
        near(summary.p50, 3.4);
        near(summary.p99, 5.544);
        // qt(.975, 4) is 2.776445105 in every table.
        near(summary.half_interval.unwrap(), 2.776_445_105_197_8 * summary.standard_deviation / 5f64.sqrt());
    }

    #[test]
    fn equal_values_have_no_spread_and_a_single_one_no_interval() {
        let equal = Summary::of(&[0.1; 7]).unwrap();
        assert_eq!((equal.mean, equal.standard_deviation, equal.half_interval), (0.1, 0.0, Some(0.0)));
        assert_eq!(Summary::of(&[5.0]).unwrap().half_interval, None);
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[1.0, f64::NAN]), None);
    }
}
