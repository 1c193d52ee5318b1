//! Clocks, and what many samples come to.

use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

fn nanos(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("the system has this clock");
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

/// Nanoseconds of the monotonic clock, in which everything here is told.
pub fn now_ns() -> i64 {
    nanos(ClockId::CLOCK_MONOTONIC)
}

/// What to take off a kernel stamp, which is wall-clock time, to have it on the monotonic clock. It is asked anew for each
/// batch, so that a wall clock which is slewed meanwhile spoils nothing.
pub fn wall_ahead_ns() -> i64 {
    let before = now_ns();
    let wall = nanos(ClockId::CLOCK_REALTIME);
    let after = now_ns();
    wall - (before + (after - before) / 2)
}

/// How samples are spread, in the unit of the samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    pub count: usize,
    pub mean: f64,
    pub min: i64,
    pub p50: i64,
    pub p99: i64,
    pub p999: i64,
    pub max: i64,
}

impl Spread {
    /// Of all the samples, none binned. They are in order afterwards.
    pub fn of(samples: &mut [i64]) -> Self {
        if samples.is_empty() {
            return Spread::default();
        }
        samples.sort_unstable();
        let last = samples.len() - 1;
        // The smallest sample that so many of all do not exceed.
        let at = |share: f64| samples[((samples.len() as f64 * share).ceil() as usize).clamp(1, last + 1) - 1];
        Spread {
            count: samples.len(),
            mean: samples.iter().map(|&s| s as f64).sum::<f64>() / samples.len() as f64,
            min: samples[0],
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: samples[last],
        }
    }

    /// Of several runs: the median of each figure.
    pub fn median(runs: &[Spread]) -> Self {
        let of = |f: fn(&Spread) -> i64| {
            let mut values: Vec<i64> = runs.iter().map(f).collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        Spread {
            count: runs.iter().map(|r| r.count).sum(),
            mean: median(runs.iter().map(|r| r.mean).collect()),
            min: of(|r| r.min),
            p50: of(|r| r.p50),
            p99: of(|r| r.p99),
            p999: of(|r| r.p999),
            max: of(|r| r.max),
        }
    }

    pub fn json_ns(&self) -> Value {
        json!({
            "samples": self.count, "mean_ns": self.mean, "min_ns": self.min,
            "p50_ns": self.p50, "p99_ns": self.p99, "p999_ns": self.p999, "max_ns": self.max,
        })
    }
}

/// The middle one; of an even number the upper of the two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The slope of the line through `(x, y)` whose squared distances in y are least. 0 for fewer than two different x.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len().max(1) as f64;
    let (x, y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let (mut xy, mut xx) = (0.0, 0.0);
    for point in points {
        xy += (point.0 - x) * (point.1 - y);
        xx += (point.0 - x) * (point.0 - x);
    }
    if xx == 0.0 { 0.0 } else { xy / xx }
}

/// Nanoseconds as microseconds, for people.
pub fn us(ns: i64) -> String {
    format!("{:.1} µs", ns as f64 / 1e3)
}

/// `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
