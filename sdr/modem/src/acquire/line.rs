//! A line in spectra of noise: found, and then measured better than the spectra's bins are wide.

use num_complex::Complex;
use std::f64::consts::TAU;

/// Probability that a window of noise is taken for a signal.
const FALSE_ALARM: f64 = 1e-7;
/// Bins either side of a line that it is held against.
const NEIGHBOURS: i64 = 100;
/// Sums that a segment is shortened to, to measure a line in it.
const PARTS: usize = 16;

/// Where lines are looked for: consecutive segments of one series, whose spectra are added as powers.
pub(super) struct Lines {
    /// Bins of a segment's spectrum: of 1/points cycles a point.
    pub(super) points: usize,
    /// Points of a segment; zeros fill it up to `points`.
    pub(super) data: usize,
    pub(super) segments: usize,
    /// Most bins that a line moves from one segment to the next.
    pub(super) fastest: f64,
}

/// A line to within a bin, and a step of its rate.
pub(super) struct Rough {
    /// Where it is in the middle of the window.
    bin: i64,
    /// Bins a segment.
    rate: f64,
    /// The segment that the signal begins in.
    start: usize,
}

/// A line that may move from segment to segment.
pub(super) struct Line {
    /// Bins that it moves in a segment.
    pub(super) rate: f64,
    /// The segment that the signal begins in.
    pub(super) start: usize,
    /// Where it is in the middle of that.
    bin: f64,
    /// Turns in a segment that a bin stands for.
    turns: f64,
    /// What is at the line, or aside of it, in the middle of each segment from `start` on.
    pub(super) values: Vec<[Complex<f64>; 3]>,
}

impl Line {
    /// Bins at the beginning of segment `start`.
    pub(super) fn at_begin(&self) -> f64 {
        self.bin - self.rate / 2.0
    }

    /// Bins in the middle of what there is of the signal.
    pub(super) fn at_middle(&self) -> f64 {
        self.bin + self.rate * (self.values.len() as f64 - 1.0) / 2.0
    }

    /// Phase of one of the values at the beginning of segment `start`, turns.
    pub(super) fn phase(&self, which: usize) -> f64 {
        self.values[0][which].arg() / TAU - self.turns * (self.bin / 2.0 - self.rate / 8.0)
    }
}

impl Lines {
    fn middle(&self) -> f64 {
        (self.segments as f64 - 1.0) / 2.0
    }

    /// Slopes so close that a line strays by half a bin at most.
    fn slope_step(&self) -> f64 {
        (2.0 / self.segments as f64).min(0.5)
    }

    /// The strongest line in the added spectra, up to `widest` bins from zero, of which `power_at` adds `terms` powers; `None` if noise may be as strong.
    pub(super) fn find(
        &self,
        spectra: &[Complex<f32>],
        widest: f64,
        power_at: impl Fn(&[Complex<f32>], i64) -> f32,
        terms: usize,
    ) -> Option<Rough> {
        let reach = (widest.ceil() as i64).clamp(1, self.points as i64 / 2 - 1);
        let slope_step = self.slope_step();
        let steps = ((self.fastest / slope_step).ceil() as i64).clamp(0, 64);
        // Bins beyond the search tell how strong the noise is.
        let pad = ((self.fastest * self.segments as f64).ceil() as i64 + 2).max(NEIGHBOURS);
        let width = 2 * (reach + pad) + 1;
        let powers: Vec<Vec<f32>> = spectra
            .chunks_exact(self.points)
            .map(|s| (0..width).map(|i| power_at(s, i - reach - pad)).collect())
            .collect();
        let (mut best, mut at, mut rate) = (0.0f32, 0i64, 0.0);
        let middle = self.middle();
        let added = |bin: i64, rate: f64| -> f32 {
            powers
                .iter()
                .enumerate()
                .map(|(k, p)| {
                    let moved = bin + (rate * (k as f64 - middle)).round() as i64 + reach + pad;
                    p.get(moved as usize).copied().unwrap_or(0.0)
                })
                .sum()
        };
        for r in -steps..=steps {
            let slope = r as f64 * slope_step;
            for bin in -reach..=reach {
                let sum = added(bin, slope);
                if sum > best {
                    (best, at, rate) = (sum, bin, slope);
                }
            }
        }
        // Noise is judged near the line, since filters shape it; the line itself is left out.
        let beside = |d: i64| f64::from(added(at + d, rate) + added(at - d, rate));
        let mean = (3..NEIGHBOURS).map(beside).sum::<f64>() / (2 * (NEIGHBOURS - 3)) as f64;
        let cells = (2 * reach + 1) as f64 * (2 * steps + 1) as f64;
        let shape = self.segments * terms;
        if f64::from(best) < mean / shape as f64 * threshold(shape, FALSE_ALARM / cells) {
            return None;
        }
        let first = powers
            .iter()
            .enumerate()
            .map(|(k, p)| {
                let bin = at + (rate * (k as f64 - middle)).round() as i64 + reach + pad;
                (-1..=1).map(|d| p.get((bin + d) as usize).copied().unwrap_or(0.0)).sum::<f32>()
            })
            .collect::<Vec<_>>();
        let most = first.iter().copied().fold(0.0, f32::max);
        // A window that only ends in the signal must not be followed from its noise; with many segments each line is faint and uneven.
        let share = if self.segments <= 8 { 4.0 } else { 10.0 };
        let start = first.iter().position(|p| *p >= most / share).unwrap_or(0);
        Some(Rough { bin: at, rate, start })
    }

    /// Measures a line in the series that the spectra were made of, and what is `asides` bins beside it: frequency and rate are those with most
    /// power, added over the segments in which there is a signal, of the first `scored` asides.
    pub(super) fn refine(&self, rough: Rough, series: &[Complex<f32>], asides: [i64; 3], scored: usize) -> Line {
        let middle = self.middle();
        let turns = self.data as f64 / self.points as f64;
        // Turned back by the rough line, a segment is slow enough to be summed in parts.
        let parts: Vec<[[Complex<f64>; PARTS]; 3]> = series
            .chunks_exact(self.points)
            .enumerate()
            .skip(rough.start)
            .map(|(k, segment)| {
                let bin = rough.bin as f64 + rough.rate * (k as f64 - middle);
                asides.map(|aside| self.parts(&segment[..self.data], bin + aside as f64, rough.rate))
            })
            .collect();
        let rotated = |k: usize, aside: usize, bin: f64, rate: f64| {
            let left = bin + rate * ((k + rough.start) as f64 - middle);
            let step = Complex::from_polar(1.0, -TAU * left * turns / PARTS as f64);
            let first = Complex::from_polar(1.0, TAU * left * turns * (0.5 - 0.5 / PARTS as f64));
            let (sum, _) = parts[k][aside]
                .iter()
                .fold((Complex::new(0.0, 0.0), first), |(sum, phasor), part| (sum + part * phasor, phasor * step));
            sum
        };
        let score = |bin: f64, rate: f64| -> f64 {
            (0..parts.len()).map(|k| (0..scored).map(|a| rotated(k, a, bin, rate).norm_sqr()).sum::<f64>()).sum()
        };
        // All that the rough search may have missed by, then ever closer about the best.
        let (mut best, mut bin, mut rate) = (f64::MIN, 0.0, 0.0);
        let mut steps = (0.25 / turns, self.slope_step() / 3.0);
        // One segment alone says nothing of the rate.
        let mut reach = (4i32, if parts.len() > 1 { 4i32 } else { 0 });
        // Each round halves the steps or moves by one; a line that is moved further than the first round reaches was none.
        for _ in 0..40 {
            if steps.0 < 1e-3 / turns {
                break;
            }
            let from = (bin, rate);
            for i in -reach.0..=reach.0 {
                for j in -reach.1..=reach.1 {
                    let (b, r) = (from.0 + f64::from(i) * steps.0, from.1 + f64::from(j) * steps.1);
                    if (rough.rate + r).abs() > self.fastest + self.slope_step() {
                        continue;
                    }
                    let sum = score(b, r);
                    if sum > best {
                        (best, bin, rate) = (sum, b, r);
                    }
                }
            }
            if (bin, rate) == from || reach.0 > 1 {
                steps = (steps.0 / 2.0, steps.1 / 2.0);
            }
            reach = (1, reach.1.min(1));
        }
        let values = (0..parts.len()).map(|k| [0, 1, 2].map(|aside| rotated(k, aside, bin, rate))).collect();
        let total = rough.rate + rate;
        let bin = rough.bin as f64 + bin + total * (rough.start as f64 - middle);
        Line { rate: total, start: rough.start, bin, turns, values }
    }

    /// Sums of the parts of a segment, turned back about its middle by a line that is `bin` bins high there and moves by `rate` bins in it.
    fn parts(&self, segment: &[Complex<f32>], bin: f64, rate: f64) -> [Complex<f64>; PARTS] {
        let mut sums = [Complex::new(0.0, 0.0); PARTS];
        let part = self.data / PARTS;
        let (per_point, bend) = (bin / self.points as f64, rate / (self.points * self.data) as f64);
        let twice = Complex::from_polar(1.0, -TAU * bend);
        for (p, (sum, points)) in sums.iter_mut().zip(segment.chunks_exact(part)).enumerate() {
            // Anew for each part, so that rounding does not add up.
            let from = (p * part) as f64 - self.data as f64 / 2.0;
            let mut phasor = Complex::from_polar(1.0, -TAU * (from * (per_point + 0.5 * bend * from)).fract());
            let mut step = Complex::from_polar(1.0, -TAU * (per_point + bend * (from + 0.5)));
            for point in points {
                *sum += Complex::new(f64::from(point.re), f64::from(point.im)) * phasor;
                phasor *= step;
                step *= twice;
            }
        }
        sums
    }
}

/// What a sum of `shape` exponential variables of mean 1 exceeds with probability `p`.
fn threshold(shape: usize, p: f64) -> f64 {
    let tail = |x: f64| {
        let (mut term, mut sum) = ((-x).exp(), 0.0);
        for k in 0..shape {
            sum += term;
            term *= x / (k + 1) as f64;
        }
        sum
    };
    let (mut low, mut high) = (shape as f64, shape as f64 + 200.0);
    while high - low > 0.01 {
        let middle = (low + high) / 2.0;
        if tail(middle) > p { low = middle } else { high = middle }
    }
    high
}
