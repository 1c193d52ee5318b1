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

mod line;

use crate::bank::{Bank, low_pass};
use crate::estimate::m2m4;
use crate::pulse::Pulse;
use line::Lines;
use num_complex::Complex;
use pulp::Simd;
use rustfft::{Fft, FftPlannerScalar};
use std::f64::consts::{PI, TAU};
use std::sync::Arc;

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
    /// Most that the symbol clock's period is off by, as a share of it.
    pub(crate) max_drift: f64,
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
    /// The symbol clock's period is longer by this share.
    pub(crate) drift: f64,
    /// Energy of a strobe over N0, if it was estimated.
    pub(crate) energy: Option<f64>,
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
            // GMSK's lines are strong whatever its bandwidth, those of OQPSK faint where the roll-off is small.
            Trace::StaggeredSquare if matches!(plan.pulse, Pulse::Table { .. }) => (2048, 8192),
            Trace::StaggeredSquare => (2048, 16384),
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
    pub(crate) fn search<S: Simd>(&self, simd: S, window: &[f32]) -> Search {
        match self.look(simd, window) {
            None => Search::Nothing,
            Some((0, found)) => Search::Found(found),
            Some((segment, _)) => Search::From((segment as f64 * self.dwell * self.plan.sps) as usize),
        }
    }

    /// The segment in which a signal begins, and what is known of it from there.
    #[inline(always)]
    fn look<S: Simd>(&self, simd: S, window: &[f32]) -> Option<(usize, Found)> {
        let power = window.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>() / (window.len() / 2) as f64;
        if power.is_nan() || power <= 1e-36 {
            return None;
        }
        let scale = (1.0 / power.sqrt()) as f32;
        let mut points = vec![Complex::new(0.0, 0.0); self.points * self.segments];
        for (i, point) in points.iter_mut().enumerate() {
            let [re, im] = self.resampler.at(simd, window, self.lead + i as f64 * self.pitch);
            *point = Complex::new(re * scale, im * scale);
        }
        match self.plan.trace {
            Trace::Square | Trace::StaggeredSquare => self.squared(points),
            Trace::Power(m) => self.powered(simd, window, &points, m, scale),
            Trace::Carrier => self.carrier(simd, window, &points),
        }
    }

    fn transform(&self, points: &mut [Complex<f32>]) {
        self.fft.process(points);
    }

    /// Where lines are looked for in spectra of `points` bins that hold `data` points each, `pitch` samples apart.
    fn lines(&self, points: usize, data: usize, pitch: f64) -> Lines {
        // Bins that a line moves from one segment to the next at the fastest rate.
        let bins = points as f64 * pitch / self.plan.sps;
        let fastest = self.plan.trace.multiple() * self.plan.max_rate * self.dwell * bins;
        Lines { points, data, segments: self.segments, fastest }
    }

    fn squared(&self, mut points: Vec<Complex<f32>>) -> Option<(usize, Found)> {
        let staggered = self.plan.trace == Trace::StaggeredSquare;
        let n = self.points as i64;
        let aside = self.periods as i64;
        points.iter_mut().for_each(|p| *p = *p * *p);
        let mut spectra = points.clone();
        for segment in spectra.chunks_exact_mut(self.points) {
            self.transform(segment);
        }
        let power = |s: &[Complex<f32>], bin: i64| s[bin.rem_euclid(n) as usize].norm_sqr();
        // Bins are of 1/(points · pitch) cycles a sample.
        let bins_per_offset = self.points as f64 * self.pitch / self.plan.sps;
        let widest = 2.0 * self.plan.max_offset * bins_per_offset;
        let lines = self.lines(self.points, self.points, self.pitch);
        let rough = if staggered {
            lines.find(&spectra, widest, |s, b| power(s, b - aside) + power(s, b + aside), 2)?
        } else {
            lines.find(&spectra, widest, power, 1)?
        };
        let line = if staggered {
            lines.refine(rough, &points, [-aside, aside, aside], 2)
        } else {
            lines.refine(rough, &points, [0, -aside, aside], 1)
        };
        let turns: Vec<Complex<f64>> = line
            .values
            .iter()
            .map(|v| if staggered { v[0] * v[1].conj() } else { v[0] * v[2].conj() + v[1] * v[0].conj() })
            .collect();
        // Symbols' middles are where the square's envelope is largest: twice a period where axes take turns. In BPSK's short window noise moves
        // them more than a clock that is off.
        let (tau, slope) = if staggered {
            let (share, slope) = course(&turns, 2.0 * self.plan.max_drift * self.periods as f64);
            (share / 2.0, slope / 2.0)
        } else {
            course(&turns, 0.0)
        };
        let tau = tau.rem_euclid(1.0);
        let doubled = if staggered { line.phase(1) + tau } else { line.phase(0) };
        let per_sample = 1.0 / (self.points as f64 * self.pitch);
        let offset = line.at_begin() * per_sample / 2.0;
        let period = self.pitch * self.density as f64;
        let begin = self.lead + (line.start * self.points) as f64 * self.pitch;
        let rate = line.rate * per_sample / 2.0 / (self.dwell * self.plan.sps);
        let instant = begin + tau * period;
        Some((
            line.start,
            Found {
                offset,
                instant,
                phase: doubled / 2.0 + offset * (instant - begin),
                rate,
                drift: slope / self.periods as f64,
                energy: None,
            },
        ))
    }

    #[inline(always)]
    fn powered<S: Simd>(
        &self,
        simd: S,
        window: &[f32],
        points: &[Complex<f32>],
        m: i32,
        scale: f32,
    ) -> Option<(usize, Found)> {
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
        let turns: Vec<Complex<f64>> = (0..self.segments)
            .map(|segment| {
                let begin = self.lead + (segment * self.periods) as f64 * sps;
                let quarters = (0..4).map(|q| f64::from(q) / 4.0);
                let energy = |quarter| self.energy(simd, &turned, begin + quarter * sps, self.periods);
                quarters.map(|q| Complex::from_polar(energy(q), TAU * q)).sum()
            })
            .collect();
        let (tau, slope) = course(&turns, self.plan.max_drift * self.periods as f64);
        let (tau, drift) = (tau.rem_euclid(1.0), slope / self.periods as f64);
        let place = |symbol: usize| self.lead + (symbol as f64 * (1.0 + drift) + tau) * sps;
        // The M-th power, its amplitude tamed so that noise does not grow with it.
        let points = self.points;
        let mut strobes: Vec<Complex<f32>> = vec![Complex::new(0.0, 0.0); points * self.segments];
        let mut heard = Vec::with_capacity(count);
        for (k, segment) in strobes.chunks_exact_mut(points).enumerate() {
            // Zeros fill a segment up, so that its lines are looked at closer.
            for (i, s) in segment.iter_mut().take(self.periods).enumerate() {
                let [re, im] = self.matched.at(simd, &turned, place(k * self.periods + i));
                let y = Complex::new(re, im) * scale;
                heard.push(y);
                let size = y.norm_sqr();
                if size > 1e-12 {
                    *s = (y / size.sqrt()).powi(m) * size;
                }
            }
        }
        let mut spectra = strobes.clone();
        spectra.chunks_exact_mut(points).for_each(|s| self.transform(s));
        // Bins now are of 1/(points) cycles a strobe.
        let rest = 0.03 + self.plan.max_offset.min(0.03);
        let widest = (f64::from(m) * rest).min(0.49) * points as f64;
        let lines = self.lines(points, self.periods, sps);
        let rough = lines.find(&spectra, widest, |s, b| s[b.rem_euclid(points as i64) as usize].norm_sqr(), 1)?;
        let found = lines.refine(rough, &strobes, [0; 3], 1);
        let start = found.start;
        // Beginning with too little, decisions would be so soft that the loop hardly holds, and would take thousands of symbols to harden.
        let energy = m2m4(&heard[start * self.periods..]).map(|e| e.clamp(0.5, 1e4));
        let turns = found.phase(0);
        let fine = found.at_begin() / points as f64 / f64::from(m) / sps;
        let instant = place(start * self.periods);
        // QPSK's symbols lie at 45°, whose fourth power is -1.
        let angle = if m == 4 { turns - 0.5 } else { turns };
        let rate = found.rate / points as f64 / f64::from(m) / sps / (self.dwell * sps);
        let phase = angle / f64::from(m) + coarse * instant;
        Some((start, Found { offset: coarse + fine, instant, phase, rate, drift, energy }))
    }

    /// Of the matched filter at `count` strobes, the first at `instant`.
    #[inline(always)]
    fn energy<S: Simd>(&self, simd: S, samples: &[f32], instant: f64, count: usize) -> f64 {
        let mut sum = 0.0;
        for i in 0..count {
            let [re, im] = self.matched.at(simd, samples, instant + i as f64 * self.plan.sps);
            sum += f64::from(re * re + im * im);
        }
        sum
    }

    #[inline(always)]
    fn carrier<S: Simd>(&self, simd: S, window: &[f32], points: &[Complex<f32>]) -> Option<(usize, Found)> {
        let n = self.points as i64;
        let mut spectra = points.to_vec();
        spectra.chunks_exact_mut(self.points).for_each(|s| self.transform(s));
        let bins = self.points as f64 * self.pitch / self.plan.sps;
        let lines = self.lines(self.points, self.points, self.pitch);
        let widest = self.plan.max_offset * bins;
        let rough = lines.find(&spectra, widest, |s, b| s[b.rem_euclid(n) as usize].norm_sqr(), 1)?;
        let line = lines.refine(rough, points, [0; 3], 1);
        let per_sample = |bin: f64| bin / (self.points as f64 * self.pitch);
        let begin = self.lead + (line.start * self.points) as f64 * self.pitch;
        // Turned back by the middle's offset; what is left turns little within a symbol.
        let turned = turn_back(window, per_sample(line.at_middle()));
        let sps = self.plan.sps;
        let steps = self.plan.timing_steps;
        // Each segment's energy at each timing, and then along timings that drift over the segments by whole steps in all.
        let segments = self.segments - line.start;
        let energies: Vec<Vec<f64>> = (0..segments)
            .map(|k| {
                let begin = begin + (k * self.periods) as f64 * sps;
                let at = |step: usize| begin + step as f64 / steps as f64 * sps;
                (0..steps).map(|step| self.energy(simd, &turned, at(step), self.periods)).collect()
            })
            .collect();
        let along = |top: usize, drift: i64| -> f64 {
            let place = |k: usize| top as i64 + (drift as f64 * (k as f64 + 0.5) / segments as f64).round() as i64;
            energies.iter().enumerate().map(|(k, e)| e[place(k).rem_euclid(steps as i64) as usize]).sum()
        };
        let most = (self.plan.max_drift * (segments * self.periods * steps) as f64) as i64;
        let (top, drift) = (-most..=most)
            .flat_map(|drift| (0..steps).map(move |top| (top, drift)))
            .max_by(|a, b| along(a.0, a.1).total_cmp(&along(b.0, b.1)))?;
        let (left, right) = (along((top + steps - 1) % steps, drift), along((top + 1) % steps, drift));
        let bend = left - 2.0 * along(top, drift) + right;
        let between = if bend < 0.0 { 0.5 * (left - right) / bend } else { 0.0 };
        let tau = (top as f64 + between.clamp(-0.5, 0.5)) / steps as f64;
        let drift = drift as f64 / (segments * self.periods * steps) as f64;
        let at_begin = line.phase(0);
        let offset = per_sample(line.at_begin());
        let instant = begin + tau.rem_euclid(1.0) * sps;
        let rate = per_sample(line.rate) / (self.dwell * sps);
        Some((
            line.start,
            Found { offset, instant, phase: at_begin + offset * (instant - begin), rate, drift, energy: None },
        ))
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

/// A timing that may drift, of phasors that stand for one segment each and whose phase is the timing in the segment's middle: where it is at the first
/// one's beginning and what it moves by in a segment, up to `most`, in turns.
fn course(turns: &[Complex<f64>], most: f64) -> (f64, f64) {
    let straight = |slope: f64| -> Complex<f64> {
        turns.iter().enumerate().map(|(k, t)| t * Complex::from_polar(1.0, -TAU * slope * k as f64)).sum()
    };
    let step = 1.0 / (16.0 * turns.len() as f64);
    let steps = (most / step) as i32;
    let slope = (-steps..=steps)
        .map(|i| f64::from(i) * step)
        .max_by(|a, b| straight(*a).norm_sqr().total_cmp(&straight(*b).norm_sqr()))
        .unwrap_or(0.0);
    (straight(slope).arg() / TAU - slope / 2.0, slope)
}
