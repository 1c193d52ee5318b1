//! Following a signal that was found: carrier, symbol clock, amplitude and noise, strobe by strobe.
//!
//! Samples are first turned back by an oscillator that is set anew only when the offset has moved by a thousandth of the strobe rate; what is
//! left is followed at the strobes by a loop of third order (Kaplan and Hegarty, *Understanding GPS*, table 5.6), so that a constant Doppler rate leaves no
//! error. Detectors weigh with tanh, the maximum likelihood for unknown symbols (Mengali and D'Andrea, *Synchronization Techniques*, 5.7 and 8.3).

mod design;
mod judge;
mod loops;
mod strobes;

use crate::acquire::Found;
pub(crate) use design::{Design, Detector};
use loops::{Carrier, second_order};
use num_complex::Complex;
use pulp::Simd;
use std::f64::consts::TAU;
use strobes::Strobes;

/// Samples that are turned back at a time.
const BLOCK: usize = 512;
/// Most strobes between two moves of the symbol clock.
const TICK: usize = 32;
/// Strobes after which amplitude, noise and lock are looked at.
const WINDOW: u32 = 256;
/// Windows in which a loop is wide, after it began.
const WIDE_WINDOWS: u32 = 4;
/// How many times as wide the symbol clock's loop begins, since acquisition does not know the clock's offset.
const WIDER_TIMING: f64 = 4.0;

/// What a call of [`Tracker::run`] has noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The carrier's phase may have jumped to another of its stable points.
    Slip,
    /// The signal is gone.
    Lost,
}

/// Sums over a window of strobes.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    strobes: u32,
    /// Amplitude along the symbol that is believed, all power, the power across BPSK's axis, and what tells lock.
    along: f64,
    power: f64,
    across: f64,
    aligned: f64,
    weight: f64,
    /// Power of the beliefs, and the slope of the phase detector as it is measured.
    gain: f64,
    slope: f64,
}

#[derive(Debug)]
pub(crate) struct Tracker {
    /// Interleaved samples, turned back; the first float belongs to sample `base`.
    mixed: Vec<f32>,
    base: u64,
    mixer_step: f64,
    mixer_phase: f64,
    mixer: Vec<Complex<f32>>,
    /// The sample from which the mixer turns faster, and by how many cycles a sample.
    retune: Option<(u64, f64)>,
    /// The next strobe, in samples after `base`.
    instant: f64,
    /// The symbol clock's period is longer by this share.
    drift: f64,
    odd: bool,
    /// The strobe before the next, where axes take turns: what was on the other axis, its belief, and the belief before that.
    before: [f32; 3],
    carrier: Carrier,
    /// Mean of the carrier's `turn_rate` over some sixty windows, to be told.
    mean_rate: f64,
    gain: f32,
    /// Energy of a strobe over N0.
    energy: f64,
    /// Mean slope of the timing detector's weight, and of the phase detector.
    timing_gain: f64,
    detector_gain: f64,
    carrier_amplitude: f64,
    sums: Sums,
    /// Of `along`, `power` and `across`, at the gain there is.
    mean: Sums,
    windows: u32,
    lock: f64,
    slip_sums: (f64, f64, u32),
    slipping: bool,
    notices: [Option<Notice>; 2],
    strobes: Strobes,
}

impl Tracker {
    /// Follows what was found in the window that began with sample `from`.
    pub(crate) fn new(found: &Found, from: u64, sps: f64) -> Self {
        let (s, c) = (TAU * (found.offset * found.instant - found.phase)).sin_cos();
        let mut new = Self {
            mixed: Vec::new(),
            base: from,
            mixer_step: found.offset,
            mixer_phase: 0.0,
            mixer: vec![Complex::new(1.0, 0.0); BLOCK],
            retune: None,
            instant: found.instant,
            drift: found.drift,
            odd: false,
            before: [0.0; 3],
            carrier: Carrier {
                phasor: Complex::new(c as f32, s as f32),
                turn: 0.0,
                turn_rate: TAU * found.rate * sps * sps,
            },
            mean_rate: 0.0,
            gain: 0.0,
            // Where nothing is known, as if there were as much noise as signal.
            energy: found.energy.unwrap_or(1.0),
            timing_gain: 0.5,
            detector_gain: 0.5,
            carrier_amplitude: 1.0,
            sums: Sums::default(),
            mean: Sums::default(),
            windows: 0,
            lock: 0.0,
            slip_sums: (0.0, 0.0, 0),
            slipping: false,
            notices: [None; 2],
            strobes: Strobes::NONE,
        };
        new.fill_mixer();
        new
    }

    /// The first sample that is still wanted of those that are to be given to [`Tracker::run`].
    pub(crate) fn next_sample(&self) -> u64 {
        self.base + (self.mixed.len() / 2) as u64
    }

    /// Offset of the carrier, cycles a sample.
    pub(crate) fn offset(&self, design: &Design) -> f64 {
        self.mixer_step + self.carrier.turn / TAU / design.sps
    }

    /// How the offset grows, cycles a sample in a sample.
    pub(crate) fn offset_rate(&self, design: &Design) -> f64 {
        self.mean_rate / TAU / design.sps / design.sps
    }

    /// By which share strobes come faster than they should.
    pub(crate) fn clock_offset(&self) -> f64 {
        -self.drift
    }

    /// Energy of a strobe over N0.
    pub(crate) fn strobe_es_n0(&self) -> f64 {
        self.energy
    }

    /// Whether the loops have had their time to settle.
    pub(crate) fn settled(&self) -> bool {
        self.windows >= WIDE_WINDOWS
    }

    /// The next strobe's place among the samples.
    pub(crate) fn next_strobe(&self) -> f64 {
        self.base as f64 + self.instant
    }

    /// The first thing noticed and not yet told.
    pub(crate) fn notice(&mut self) -> Option<Notice> {
        let first = self.notices[0].take();
        self.notices.swap(0, 1);
        first
    }

    fn note(&mut self, notice: Notice) {
        let free = if self.notices[0].is_none() { 0 } else { 1 };
        self.notices[free] = Some(notice);
    }

    fn fill_mixer(&mut self) {
        for (i, m) in self.mixer.iter_mut().enumerate() {
            let (s, c) = (-TAU * (self.mixer_step * i as f64).fract()).sin_cos();
            *m = Complex::new(c as f32, s as f32);
        }
    }

    /// Turns back one block.
    #[inline(always)]
    fn mix(&mut self, samples: &[f32]) {
        if let Some((at, step)) = self.retune
            && at == self.next_sample()
        {
            self.mixer_step += step;
            self.fill_mixer();
        }
        let (s, c) = (-TAU * self.mixer_phase).sin_cos();
        let (s, c) = (s as f32, c as f32);
        let from = self.mixed.len();
        self.mixed.resize(from + samples.len(), 0.0);
        let out = self.mixed[from..].as_chunks_mut::<2>().0;
        for ((o, z), m) in out.iter_mut().zip(samples.as_chunks::<2>().0).zip(&self.mixer) {
            let (re, im) = (m.re * c - m.im * s, m.re * s + m.im * c);
            *o = [z[0] * re - z[1] * im, z[0] * im + z[1] * re];
        }
        self.mixer_phase = (self.mixer_phase + self.mixer_step * (samples.len() / 2) as f64).fract();
    }

    /// Takes interleaved samples, of which the first is [`Tracker::next_sample`], in whole blocks only (or what is left at the end), and appends soft
    /// symbols. Returns the number of floats taken. It stops early where it has a notice.
    #[inline(always)]
    pub(crate) fn run<S: Simd>(
        &mut self,
        simd: S,
        design: &Design,
        samples: &[f32],
        last: bool,
        soft: &mut Vec<i8>,
    ) -> usize {
        let mut taken = 0;
        loop {
            let ahead = self.mixed.len() / 2;
            let ready = (ahead.saturating_sub(design.margin) as f64 - self.instant) / (design.sps * 1.01) - 1.0;
            if ready >= TICK as f64 || (last && ready >= 1.0 && taken == samples.len()) {
                self.tick(simd, design, TICK.min(ready as usize), soft);
                if self.notices[0].is_some() {
                    return taken;
                }
                continue;
            }
            let block = &samples[taken..];
            let block = if block.len() >= 2 * BLOCK {
                &block[..2 * BLOCK]
            } else if last && !block.is_empty() {
                block
            } else {
                return taken;
            };
            self.forget(design);
            self.mix(block);
            taken += block.len();
        }
    }

    /// Drops samples that no filter wants any more.
    fn forget(&mut self, design: &Design) {
        let keep = (self.instant as usize).saturating_sub(design.margin + 1).min(self.mixed.len() / 2);
        if keep > 4 * BLOCK + design.margin {
            self.mixed.drain(..2 * keep);
            self.base += keep as u64;
            self.instant -= keep as f64;
        }
    }

    #[inline(always)]
    fn tick<S: Simd>(&mut self, simd: S, design: &Design, most: usize, soft: &mut Vec<i8>) {
        let period = design.sps * (1.0 + self.drift);
        let mut count = most;
        if let Some((at, step)) = self.retune {
            let before = at as f64 - self.base as f64 - self.instant;
            if before <= 0.0 {
                let turned = step * -before;
                let (s, c) = (TAU * turned).sin_cos();
                self.carrier.phasor *= Complex::new(c as f32, s as f32);
                self.carrier.turn -= TAU * step * design.sps;
                self.retune = None;
            } else {
                count = count.min((before / period).ceil() as usize).max(1);
            }
        }
        self.strobes.end(count);
        for i in 0..count {
            let at = self.instant + period * i as f64;
            let ([y_re, y_im], [d_re, d_im]) = design.matched.both(simd, &design.slope, &self.mixed, at);
            (self.strobes.matched[0][i], self.strobes.matched[1][i]) = (y_re, y_im);
            (self.strobes.slope[0][i], self.strobes.slope[1][i]) = (d_re, d_im);
            if let Some(carrier) = &design.carrier {
                let [re, im] = carrier.at(simd, &self.mixed, at);
                (self.strobes.carrier[0][i], self.strobes.carrier[1][i]) = (re, im);
            }
        }
        if self.gain == 0.0 {
            self.first_gain(count);
        }
        let late = self.decide(simd, design, count, soft);
        let bandwidth = self.bandwidth(design.timing_bandwidth, design.timing_bandwidth * WIDER_TIMING);
        let (fast, slow) = second_order(bandwidth);
        let error = f64::from(late) / (self.timing_gain * design.curvature);
        self.drift = (self.drift + slow * error).clamp(-design.max_drift, design.max_drift);
        self.instant += period * count as f64 + design.sps * (fast * error).clamp(-0.1, 0.1);
        self.sums.strobes += count as u32;
        if self.sums.strobes >= WINDOW {
            self.look(design);
        }
    }

    /// A loop is wide until it has settled, then narrows.
    #[inline(always)]
    fn bandwidth(&self, narrow: f64, wide: f64) -> f64 {
        match self.windows {
            w if w < WIDE_WINDOWS => wide,
            w if w < 3 * WIDE_WINDOWS => (narrow * wide).sqrt(),
            _ => narrow,
        }
    }
}
