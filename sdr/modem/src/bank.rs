//! A filter that can be asked for its output at any instant: one set of taps for each of many places between two samples.
//!
//! Each lane adds in the same order with every instruction set, and multiplication and addition are never fused, so all give the same answers.

use crate::lanes::{LANES, Lanes};
use pulp::Simd;

/// Places between two samples. A place is missed by at most half of one: at two samples a symbol by 1/512 symbol.
const PLACES: usize = 128;

/// Floats that are taken at a time: two sums side by side, so that one addition need not wait for the one before.
const STEP: usize = 2 * LANES;

#[derive(Debug, Clone)]
pub(crate) struct Bank {
    /// Taps before and after the sample at the instant asked for.
    reach: usize,
    /// Floats of one row: each tap twice, for re and im, and zeros to fill whole lanes.
    row: usize,
    taps: Vec<f32>,
}

impl Bank {
    /// Takes the impulse response `at`, in samples from its middle, zero past `half_span` samples.
    pub(crate) fn new(half_span: f64, at: impl Fn(f64) -> f64) -> Self {
        let reach = half_span.ceil() as usize;
        let row = (2 * (2 * reach + 2)).next_multiple_of(STEP);
        let mut taps = vec![0.0; row * PLACES];
        for place in 0..PLACES {
            let frac = place as f64 / PLACES as f64;
            for k in 0..2 * reach + 2 {
                let tap = at(k as f64 - reach as f64 - frac) as f32;
                taps[place * row + 2 * k] = tap;
                taps[place * row + 2 * k + 1] = tap;
            }
        }
        Self { reach, row, taps }
    }

    /// Samples that have to be there before and after an instant.
    pub(crate) fn margin(&self) -> usize {
        self.reach + STEP
    }

    /// Output (re, im) at `instant`, in samples from the beginning of the interleaved `samples`; zero where they do not reach.
    #[inline(always)]
    pub(crate) fn at<S: Simd>(&self, simd: S, samples: &[f32], instant: f64) -> [f32; 2] {
        let (from, row) = self.place(instant);
        let (Some(samples), Some(taps)) =
            (samples.get(from..from.wrapping_add(self.row)), self.taps.get(row..row + self.row))
        else {
            return [0.0; 2];
        };
        let mut sums = [Lanes::all(simd, 0.0); 2];
        let (samples, taps) = (samples.as_chunks::<STEP>().0, taps.as_chunks::<STEP>().0);
        for (s, t) in samples.iter().zip(taps) {
            let (s, t) = (halves(simd, s), halves(simd, t));
            sums = [sums[0] + s[0] * t[0], sums[1] + s[1] * t[1]];
        }
        (sums[0] + sums[1]).pairs()
    }

    /// Outputs of this bank and of another of the same reach.
    #[inline(always)]
    pub(crate) fn both<S: Simd>(&self, simd: S, other: &Self, samples: &[f32], instant: f64) -> ([f32; 2], [f32; 2]) {
        let (from, row) = self.place(instant);
        let (Some(samples), Some(taps), Some(others)) = (
            samples.get(from..from.wrapping_add(self.row)),
            self.taps.get(row..row + self.row),
            other.taps.get(row..row + self.row),
        ) else {
            return ([0.0; 2], [0.0; 2]);
        };
        let (mut sums, mut other_sums) = ([Lanes::all(simd, 0.0); 2], [Lanes::all(simd, 0.0); 2]);
        let (samples, taps) = (samples.as_chunks::<STEP>().0, taps.as_chunks::<STEP>().0);
        for ((s, t), o) in samples.iter().zip(taps).zip(others.as_chunks::<STEP>().0) {
            let (s, t, o) = (halves(simd, s), halves(simd, t), halves(simd, o));
            sums = [sums[0] + s[0] * t[0], sums[1] + s[1] * t[1]];
            other_sums = [other_sums[0] + s[0] * o[0], other_sums[1] + s[1] * o[1]];
        }
        ((sums[0] + sums[1]).pairs(), (other_sums[0] + other_sums[1]).pairs())
    }

    /// The first float that the taps lie on, and where their row begins.
    #[inline(always)]
    fn place(&self, instant: f64) -> (usize, usize) {
        // An instant before the first sample is none, as one that is far behind the last.
        let fine = (instant * PLACES as f64 + 0.5) as i64 as usize;
        ((2 * (fine / PLACES)).wrapping_sub(2 * self.reach), fine % PLACES * self.row)
    }
}

#[inline(always)]
fn halves<S: Simd>(simd: S, floats: &[f32; STEP]) -> [Lanes<S>; 2] {
    let lanes = |half: &[f32]| Lanes::of(simd, half.first_chunk().copied().unwrap_or([0.0; LANES]));
    [lanes(&floats[..LANES]), lanes(&floats[LANES..])]
}

/// A low pass by the windowed sinc (Kaiser, β 7, some 70 dB), in samples: flat to `pass`, gone from `stop` on, both in cycles a sample.
pub(crate) fn low_pass(pass: f64, stop: f64) -> (f64, impl Fn(f64) -> f64) {
    let width = (stop - pass).max(1e-4);
    let half = (4.4 / (2.0 * width)).clamp(4.0, 4096.0);
    let cut = (pass + stop) / 2.0;
    let shape = move |x: f64| {
        if x.abs() > half {
            return 0.0;
        }
        let arg = std::f64::consts::PI * 2.0 * cut * x;
        let sinc = if arg.abs() < 1e-9 { 1.0 } else { arg.sin() / arg };
        2.0 * cut * sinc * bessel_i0(7.0 * (1.0 - (x / half).powi(2)).max(0.0).sqrt()) / bessel_i0(7.0)
    };
    (half, shape)
}

fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}
