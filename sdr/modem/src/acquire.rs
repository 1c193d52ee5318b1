//! From cold: is there a signal in a window of samples, at which frequency, phase and timing?
//!
//! - Signals with amplitudes on one axis (BPSK, and OQPSK and GMSK whose axes take turns): the square of the signal has lines, at twice the
//!   offset for BPSK, half a symbol rate either side of that for the others; their phases tell the timing and the carrier's phase.
//! - QPSK and 8PSK: the offset to a few per cent by matching the spectrum with the pulse's, timing by the square law (Oerder and Meyr, IEEE Trans.
//!   Comm. 36, 1988), then the rest of the offset by a transform of the M-th power at the strobes (Viterbi and Viterbi, IEEE Trans. IT 29, 1983).
//! - Residual carrier: the carrier is a line; timing is where the subcarrier's matched filter finds most energy.
//!
//! A window is cut in segments whose spectra are added as powers, along lines of constant rate of frequency. The transform is
//! rustfft's portable one, so that every processor finds the same bits.

use crate::bank::{Bank, low_pass};
use crate::pulse::Pulse;
use num_complex::Complex;
use rustfft::{Fft, FftPlannerScalar};
use std::f64::consts::{PI, TAU};
use std::sync::Arc;

/// Probability that a window of noise is taken for a signal.
const FALSE_ALARM: f64 = 1e-7;

/// Bins either side of a line that it is held against.
const NEIGHBOURS: i64 = 100;

/// How the signal shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trace {
    /// One line in the square.
    Square,
    /// Two lines in the square, a symbol rate apart.
    StaggeredSquare,
    /// The M-th power of the strobes.
    Power(i32),
    /// The carrier itself.
    Carrier,
}

impl Trace {
    /// How many times faster than the carrier the line moves.
    fn multiple(self) -> f64 {
        match self {
            Self::Square | Self::StaggeredSquare => 2.0,
            Self::Power(m) => f64::from(m),
            Self::Carrier => 1.0,
        }
    }
}

/// What a search has to know, in samples and strobes.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) trace: Trace,
    pub(crate) pulse: Pulse,
    /// Samples a strobe.
    pub(crate) sps: f64,
    /// Widest offset, cycles a strobe.
    pub(crate) max_offset: f64,
    /// Fastest change of it, cycles a strobe in a strobe.
    pub(crate) max_rate: f64,
    /// Half the signal's bandwidth, cycles a strobe.
    pub(crate) half_band: f64,
    /// Steps of the timing search in a strobe (residual carrier).
    pub(crate) timing_steps: usize,
}

/// What a search came to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Search {
    /// Noise.
    Nothing,
    /// A signal that began within the window: look again from this sample of the window on.
    From(usize),
    /// A signal.
    Found(Found),
}

/// A signal that was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Offset, cycles a sample, at `instant`.
    pub(crate) offset: f64,
    /// The middle of the first strobe to take, in samples from the window's beginning.
    pub(crate) instant: f64,
    /// Carrier phase there, turns.
    pub(crate) phase: f64,
    /// How the offset grows, cycles a sample in a sample.
    pub(crate) rate: f64,
}

pub(crate) struct Acquisition {
    plan: Plan,
    fft: Arc<dyn Fft<f32>>,
    /// Points of a segment's transform, and how many segments.
    points: usize,
    segments: usize,
    /// Symbol periods of a segment, and points of one.
    periods: usize,
    density: usize,
    /// Samples a point.
    pitch: f64,
    /// Strobes of a segment.
    dwell: f64,
    lead: f64,
    resampler: Bank,
    matched: Bank,
}

impl std::fmt::Debug for Acquisition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acquisition").field("plan", &self.plan).field("points", &self.points).finish_non_exhaustive()
    }
}

impl Acquisition {
    pub(crate) fn new(plan: Plan) -> Self {
        let period = if plan.trace == Trace::StaggeredSquare { 2.0 } else { 1.0 };
        let (most, all) = match plan.trace {
            Trace::Square => (1024, 4096),
            Trace::StaggeredSquare => (4096, 16384),
            Trace::Power(4) => (2048, 8192),
            Trace::Power(_) => (4096, 16384),
            Trace::Carrier => (256, 2048),
        };
        // A segment over which the offset changes by more than a line's width would lose the line.
        let least = 128;
        let steady = (2.0 / plan.trace.multiple() / plan.max_rate.max(1e-12)).sqrt() / period;
        let mut periods = most;
        while periods > least && periods as f64 > steady {
            periods /= 2;
        }
        let segments = all / periods;
        let mut density = 4;
        let wide = if plan.trace == Trace::Carrier {
            2.0 * plan.max_offset * period
        } else {
            2.0 * (2.0 * plan.max_offset * period + 1.2)
        };
        while (density as f64) < wide {
            density *= 2;
        }
        let points = periods * density;
        let pitch = plan.sps * period / density as f64;
        // Cycles a sample.
        let pass = (plan.half_band + plan.max_offset) / plan.sps;
        let (pass, stop) = if plan.trace == Trace::Carrier {
            let pass = plan.max_offset / plan.sps;
            (pass, (1.0 / pitch - pass).max(pass * 1.2))
        } else {
            (pass, pass + 0.2 * plan.half_band / plan.sps)
        };
        let (half, shape) = low_pass(pass.min(0.45), stop.clamp(0.005, 0.55));
        let dwell = periods as f64 * period;
        let pulse = plan.pulse.receive();
        let sps = plan.sps;
        let matched = Bank::new(pulse.half_span() * sps + 1.0, |x| pulse.tap(x / sps, 1.0 / sps) / sps);
        let resampler = Bank::new(half, shape);
        let lead = resampler.margin().max(matched.margin()) as f64 + 1.0;
        let fft = FftPlannerScalar::new().plan_fft_forward(points);
        Self { plan, fft, points, segments, periods, density, pitch, dwell, lead, resampler, matched }
    }

    /// Samples that one search looks at.
    pub(crate) fn window(&self) -> usize {
        // A strobe more, since timing may put the last one further.
        (2.0 * self.lead + self.pitch * (self.points * self.segments) as f64 + 4.0 * self.plan.sps) as usize
    }

    /// Samples after which the next search begins if this one found nothing.
    pub(crate) fn hop(&self) -> usize {
        (self.pitch * (self.points * self.segments) as f64) as usize
    }

    /// Looks through `window` interleaved samples.
    #[inline(always)]
    pub(crate) fn search(&self, window: &[f32]) -> Search {
        match self.look(window) {
            None => Search::Nothing,
            Some((0, found)) => Search::Found(found),
            Some((segment, _)) => Search::From((segment as f64 * self.dwell * self.plan.sps) as usize),
        }
    }

    /// The segment in which a signal begins, and what is known of it from there.
    #[inline(always)]
    fn look(&self, window: &[f32]) -> Option<(usize, Found)> {
        let power = window.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>() / (window.len() / 2) as f64;
        if power.is_nan() || power <= 1e-36 {
            return None;
        }
        let scale = (1.0 / power.sqrt()) as f32;
        let points: Vec<Complex<f32>> = (0..self.points * self.segments)
            .map(|i| self.resampler.at(window, self.lead + i as f64 * self.pitch) * scale)
            .collect();
        match self.plan.trace {
            Trace::Square | Trace::StaggeredSquare => self.squared(points),
            Trace::Power(m) => self.powered(window, &points, m, scale),
            Trace::Carrier => self.carrier(window, points),
        }
    }

    fn transform(&self, points: &mut [Complex<f32>]) {
        self.fft.process(points);
    }

    /// The strongest line in the added spectra: bin (fractional), bins a segment that it moves, and the segment it begins in.
    fn line(
        &self,
        spectra: &[Complex<f32>],
        widest: f64,
        power_at: impl Fn(&[Complex<f32>], i64) -> f32,
        terms: usize,
    ) -> Option<Line> {
        let n = self.points as i64;
        let reach = (widest.ceil() as i64).clamp(1, n / 2 - 1);
        // Bins that the line moves from one segment to the next at the fastest rate.
        let bins = self.points as f64 * self.pitch / self.plan.sps;
        let fastest = self.plan.trace.multiple() * self.plan.max_rate * self.dwell * bins;
        // Slopes so close that a line strays by half a bin at most.
        let slope_step = (2.0 / self.segments as f64).min(0.5);
        let steps = ((fastest / slope_step).ceil() as i64).clamp(0, 64);
        // Bins beyond the search tell how strong the noise is.
        let pad = ((fastest * self.segments as f64).ceil() as i64 + 2).max(NEIGHBOURS);
        let width = (2 * (reach + pad) + 1) as usize;
        let powers: Vec<Vec<f32>> = spectra
            .chunks_exact(self.points)
            .map(|s| (0..width as i64).map(|i| power_at(s, i - reach - pad)).collect())
            .collect();
        let (mut best, mut at, mut rate) = (0.0f32, 0i64, 0.0);
        let middle = (self.segments as f64 - 1.0) / 2.0;
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
        // The line between bins, by the ratio of amplitudes of the two highest (Rife and Vincent).
        let (left, right) = (added(at - 1, rate).sqrt(), added(at + 1, rate).sqrt());
        let top = best.sqrt();
        let fraction = if right > left { right / (right + top) } else { -left / (left + top) };
        // The rate anew, from how far apart the line is in the first and in the second half.
        let lobe = (self.points as f64 / self.pitch.recip() / self.plan.sps / self.dwell).round().max(1.0) as i64;
        let half = self.segments / 2;
        let place = |segments: std::ops::Range<usize>| {
            let power = |d: i64| -> f64 {
                segments
                    .clone()
                    .map(|k| {
                        let moved = at + d + (rate * (k as f64 - middle)).round() as i64 + reach + pad;
                        f64::from(powers[k].get(moved as usize).copied().unwrap_or(0.0))
                    })
                    .sum()
            };
            if lobe > 1 {
                // Padded with zeros, the line is some bins wide, and its top round.
                let (left, top, right) = (power(-lobe / 2), power(0), power(lobe / 2));
                let bend = left - 2.0 * top + right;
                if bend < 0.0 { (0.5 * (left - right) / bend).clamp(-1.0, 1.0) * (lobe / 2) as f64 } else { 0.0 }
            } else {
                let (left, top, right) = (power(-1).sqrt(), power(0).sqrt(), power(1).sqrt());
                if right > left { right / (right + top) } else { -left / (left + top) }
            }
        };
        let fraction = if lobe > 1 { place(0..self.segments) as f32 } else { fraction };
        let fine_rate = rate + (place(half..self.segments) - place(0..half)) / half as f64;
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
        Some(Line { bin: at as f64 + f64::from(fraction), rate: fine_rate, start, middle })
    }

    fn squared(&self, mut points: Vec<Complex<f32>>) -> Option<(usize, Found)> {
        let staggered = self.plan.trace == Trace::StaggeredSquare;
        let n = self.points as i64;
        let aside = self.periods as i64;
        points.iter_mut().for_each(|p| *p = *p * *p);
        for segment in points.chunks_exact_mut(self.points) {
            self.transform(segment);
        }
        let at = |s: &[Complex<f32>], bin: i64| s[bin.rem_euclid(n) as usize];
        // Bins are of 1/(points · pitch) cycles a sample.
        let bins_per_offset = self.points as f64 * self.pitch / self.plan.sps;
        let widest = 2.0 * self.plan.max_offset * bins_per_offset;
        let line = if staggered {
            self.line(&points, widest, |s, b| at(s, b - aside).norm_sqr() + at(s, b + aside).norm_sqr(), 2)?
        } else {
            self.line(&points, widest, |s, b| at(s, b).norm_sqr(), 1)?
        };
        let mut turn = Complex::new(0.0f32, 0.0);
        for (k, segment) in points.chunks_exact(self.points).enumerate().skip(line.start) {
            let bin = line.nearest(k);
            let (low, high) = (at(segment, bin - aside), at(segment, bin + aside));
            turn += if staggered {
                low * high.conj()
            } else {
                let middle = at(segment, bin);
                middle * high.conj() + low * middle.conj()
            };
        }
        // Symbols' middles are where the square's envelope is largest.
        let share = f64::from(turn.arg()) / TAU;
        let tau = if staggered { share / 2.0 } else { share }.rem_euclid(1.0);
        let segment = &points[line.start * self.points..][..self.points];
        let bin = line.nearest(line.start);
        let between = line.at(line.start) - bin as f64;
        let doubled = if staggered {
            f64::from(at(segment, bin + aside).arg()) / TAU + tau
        } else {
            f64::from(at(segment, bin).arg()) / TAU
        } - between / 2.0;
        let offset = line.at(line.start) / 2.0 / (self.points as f64 * self.pitch);
        let period = self.pitch * self.density as f64;
        let begin = self.lead + (line.start * self.points) as f64 * self.pitch;
        let rate = line.rate / 2.0 / (self.points as f64 * self.pitch) / (self.dwell * self.plan.sps);
        let instant = begin + tau * period;
        Some((line.start, Found { offset, instant, phase: doubled / 2.0 + offset * (instant - begin), rate }))
    }

    fn powered(&self, window: &[f32], points: &[Complex<f32>], m: i32, scale: f32) -> Option<(usize, Found)> {
        let n = self.points as i64;
        // The spectrum, and where the pulse's lies best on it.
        let mut spectrum = vec![0.0f64; self.points];
        for segment in points.chunks_exact(self.points) {
            let mut segment = segment.to_vec();
            self.transform(&mut segment);
            spectrum.iter_mut().zip(&segment).for_each(|(s, z)| *s += f64::from(z.norm_sqr()));
        }
        let Pulse::Rrc { roll_off, .. } = self.plan.pulse else { return None };
        let bins = self.points as f64 * self.pitch / self.plan.sps;
        let half = ((1.0 + roll_off) / 2.0 * bins) as i64;
        let shape: Vec<f64> = (-half..=half)
            .map(|b| {
                let f = (b as f64 / bins).abs();
                let x = (f - (1.0 - roll_off) / 2.0) / roll_off;
                if x <= 0.0 { 1.0 } else { 0.5 + 0.5 * (PI * x).cos() }
            })
            .collect();
        // A step of 1/128 of the symbol rate is fine enough for the matched filter.
        let step = (bins / 128.0).ceil().max(1.0) as i64;
        let widest = (self.plan.max_offset * bins) as i64 / step;
        let (mut coarse, mut best) = (0i64, f64::MIN);
        for b in (-widest..=widest).map(|b| b * step) {
            let sum: f64 =
                shape.iter().enumerate().map(|(i, w)| w * spectrum[(b + i as i64 - half).rem_euclid(n) as usize]).sum();
            if sum > best {
                (best, coarse) = (sum, b);
            }
        }
        let coarse = coarse as f64 / bins / self.plan.sps;
        let turned = turn_back(window, coarse);
        // Timing: the envelope of the matched filter has a line at the symbol rate.
        let sps = self.plan.sps;
        let count = self.periods * self.segments;
        let mut line = Complex::new(0.0f64, 0.0);
        for quarter in 0..4 {
            let energy: f64 = (0..count)
                .map(|i| {
                    f64::from(
                        self.matched.at(&turned, self.lead + (i as f64 + f64::from(quarter) / 4.0) * sps).norm_sqr(),
                    )
                })
                .sum();
            line += Complex::from_polar(energy, -TAU * f64::from(quarter) / 4.0);
        }
        let tau = (-line.arg() / TAU).rem_euclid(1.0);
        // The M-th power, its amplitude tamed so that noise does not grow with it.
        let points = self.points;
        let mut strobes: Vec<Complex<f32>> = vec![Complex::new(0.0, 0.0); points * self.segments];
        let ratio = points / self.periods;
        for (k, segment) in strobes.chunks_exact_mut(points).enumerate() {
            // Zeros fill a segment up, so that its lines are looked at closer.
            for (i, s) in segment.iter_mut().take(self.periods).enumerate() {
                let y = self.matched.at(&turned, self.lead + ((k * self.periods + i) as f64 + tau) * sps) * scale;
                let size = y.norm_sqr();
                if size > 1e-12 {
                    *s = (y / size.sqrt()).powi(m) * size;
                }
            }
            self.transform(segment);
        }
        // Bins now are of 1/(points) cycles a strobe.
        let rest = 0.03 + self.plan.max_offset.min(0.03);
        let widest = (f64::from(m) * rest).min(0.49) * points as f64;
        let search = Self { pitch: sps, ..self.shallow() };
        let found = search.line(&strobes, widest, |s, b| s[b.rem_euclid(points as i64) as usize].norm_sqr(), 1)?;
        let start = found.start;
        let bin = found.nearest(start);
        let turns = f64::from(strobes[start * points..][bin.rem_euclid(points as i64) as usize].arg()) / TAU
            - (found.at(start) - bin as f64) / 2.0 / ratio as f64;
        let fine = found.at(start) / points as f64 / f64::from(m) / sps;
        let instant = self.lead + ((start * self.periods) as f64 + tau) * sps;
        // QPSK's symbols lie at 45°, whose fourth power is -1.
        let angle = if m == 4 { turns - 0.5 } else { turns };
        let rate = found.rate / points as f64 / f64::from(m) / sps / (self.dwell * sps);
        let phase = angle / f64::from(m) + coarse * instant;
        Some((start, Found { offset: coarse + fine, instant, phase, rate }))
    }

    fn carrier(&self, window: &[f32], mut points: Vec<Complex<f32>>) -> Option<(usize, Found)> {
        let n = self.points as i64;
        for segment in points.chunks_exact_mut(self.points) {
            self.transform(segment);
        }
        let bins = self.points as f64 * self.pitch / self.plan.sps;
        let line = self.line(&points, self.plan.max_offset * bins, |s, b| s[b.rem_euclid(n) as usize].norm_sqr(), 1)?;
        let per_sample = |bin: f64| bin / (self.points as f64 * self.pitch);
        let begin = self.lead + (line.start * self.points) as f64 * self.pitch;
        // Turned back by the middle's offset; what is left turns little within a symbol.
        let turned = turn_back(window, per_sample(line.bin));
        let sps = self.plan.sps;
        let steps = self.plan.timing_steps;
        let count = self.periods * (self.segments - line.start);
        let energy: Vec<f64> = (0..steps)
            .map(|step| {
                let tau = step as f64 / steps as f64;
                (0..count.saturating_sub(1))
                    .map(|i| f64::from(self.matched.at(&turned, begin + (i as f64 + tau) * sps).norm_sqr()))
                    .sum()
            })
            .collect();
        let top = (0..steps).max_by(|a, b| energy[*a].total_cmp(&energy[*b]))?;
        let (left, right) = (energy[(top + steps - 1) % steps], energy[(top + 1) % steps]);
        let bend = left - 2.0 * energy[top] + right;
        let between = if bend < 0.0 { 0.5 * (left - right) / bend } else { 0.0 };
        let tau = (top as f64 + between.clamp(-0.5, 0.5)) / steps as f64;
        let bin = line.nearest(line.start);
        let at_begin = f64::from(points[line.start * self.points..][bin.rem_euclid(n) as usize].arg()) / TAU
            - (line.at(line.start) - bin as f64) / 2.0;
        let offset = per_sample(line.at(line.start));
        let instant = begin + tau.rem_euclid(1.0) * sps;
        let rate = per_sample(line.rate) / (self.dwell * sps);
        Some((line.start, Found { offset, instant, phase: at_begin + offset * (instant - begin), rate }))
    }

    fn shallow(&self) -> Self {
        Self {
            plan: self.plan.clone(),
            fft: self.fft.clone(),
            resampler: self.resampler.clone(),
            matched: self.matched.clone(),
            ..*self
        }
    }
}

/// A line that may move from segment to segment.
struct Line {
    /// Where it is in the middle of the window.
    bin: f64,
    rate: f64,
    start: usize,
    middle: f64,
}

impl Line {
    fn at(&self, segment: usize) -> f64 {
        self.bin + self.rate * (segment as f64 - self.middle)
    }

    fn nearest(&self, segment: usize) -> i64 {
        self.at(segment).round() as i64
    }
}

/// The interleaved samples, turned back by `offset` cycles a sample.
fn turn_back(samples: &[f32], offset: f64) -> Vec<f32> {
    let mut out = Vec::with_capacity(samples.len());
    let step = Complex::from_polar(1.0, -TAU * offset);
    let mut phasor = Complex::new(1.0f64, 0.0);
    for (i, s) in samples.as_chunks::<2>().0.iter().enumerate() {
        if i % 256 == 0 {
            phasor = Complex::from_polar(1.0, -TAU * (offset * i as f64).fract());
        }
        let z = Complex::new(s[0], s[1]) * Complex::new(phasor.re as f32, phasor.im as f32);
        out.extend([z.re, z.im]);
        phasor *= step;
    }
    out
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
