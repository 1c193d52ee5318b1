//! Following a signal that was found: carrier, symbol clock, amplitude and noise, strobe by strobe.
//!
//! Samples are first turned back by an oscillator that is set anew only when the offset has moved by a thousandth of the strobe rate; what is
//! left is followed at the strobes by a loop of third order (Kaplan and Hegarty, *Understanding GPS*, table 5.6), so that a constant Doppler rate leaves no
//! error. Detectors weigh with tanh, the maximum likelihood for unknown symbols (Mengali and D'Andrea, *Synchronization Techniques*, 5.7 and 8.3).

use crate::acquire::Found;
use crate::bank::Bank;
use crate::modulator::PSK8;
use crate::pulse::Pulse;
use num_complex::Complex;
use std::f64::consts::TAU;

/// Samples that are turned back at a time.
const BLOCK: usize = 512;
/// Most strobes between two moves of the symbol clock.
const TICK: usize = 32;
/// Strobes after which amplitude, noise and lock are looked at.
const WINDOW: u32 = 256;
/// Windows in which a loop is wide, after it began.
const WIDE_WINDOWS: u32 = 4;

/// What a strobe is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detector {
    /// One amplitude, on I.
    Bpsk,
    /// One amplitude, on I and Q in turn.
    Staggered,
    /// One amplitude, in quadrature with a carrier that stays.
    Carrier,
    /// An amplitude on each axis.
    Qpsk,
    /// A phase.
    Psk8,
}

/// What never changes while a receiver lives.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    pub(crate) detector: Detector,
    pub(crate) sps: f64,
    /// Matched filter, its slope, and for residual carriers the filter that sees the carrier.
    pub(crate) matched: Bank,
    pub(crate) slope: Bank,
    pub(crate) carrier: Option<Bank>,
    /// How the slope grows with the timing error, a strobe.
    pub(crate) curvature: f64,
    /// Loop bandwidths, one-sided, a strobe.
    pub(crate) carrier_bandwidth: f64,
    pub(crate) timing_bandwidth: f64,
    /// How many times as wide the carrier loop begins: less where noise makes phases slip.
    pub(crate) widening: f64,
    /// Where axes take turns: what the strobes before and after leave on the other axis, of the strobe's own amplitude, and the power of what
    /// is left when these two are taken out.
    pub(crate) crosstalk: f32,
    pub(crate) leftover: f64,
    /// Samples before and after an instant that all filters need.
    pub(crate) margin: usize,
}

impl Design {
    pub(crate) fn new(
        detector: Detector,
        pulse: &Pulse,
        sps: f64,
        carrier_bandwidth: f64,
        timing_bandwidth: f64,
    ) -> Self {
        let receive = pulse.receive();
        // Where a pulse has corners, its slope is taken over a part of their distance.
        let step = match pulse {
            Pulse::Subcarrier { cycles, .. } => 1.0 / (8.0 * cycles),
            _ => 0.05,
        };
        let slope = |u: f64| (receive.at(u - step) - receive.at(u + step)) / (2.0 * step);
        let slope_tap = |u: f64| (receive.tap(u - step, 1.0 / sps) - receive.tap(u + step, 1.0 / sps)) / (2.0 * step);
        let half = (receive.half_span() + step) * sps + 1.0;
        let matched = Bank::new(half, |x| receive.tap(x / sps, 1.0 / sps) / sps);
        let slope_bank = Bank::new(half, |x| slope_tap(x / sps) / sps);
        let carrier = (detector == Detector::Carrier)
            .then(|| Bank::new(half, |x| if (-0.5..0.5).contains(&(x / sps)) { 1.0 / sps } else { 0.0 }));
        let grid = 1.0 / 512.0;
        let span = receive.half_span() + 1.0;
        let answer = |lag: f64| {
            (0..(2.0 * span / grid) as usize)
                .map(|i| (i as f64 + 0.5) * grid - span)
                .map(|u| pulse.at(u) * slope(u - lag))
                .sum::<f64>()
                * grid
        };
        let curvature = -(answer(step) - answer(-step)) / (2.0 * step);
        let other_axis = |lag: f64| {
            (0..(2.0 * span / grid) as usize)
                .map(|i| (i as f64 + 0.5) * grid - span)
                .map(|u| pulse.at(u + lag) * receive.at(u))
                .sum::<f64>()
                * grid
        };
        let (crosstalk, leftover) = if detector == Detector::Staggered {
            let own = other_axis(0.0);
            (
                (other_axis(1.0) / own) as f32,
                (1..16).map(|k| 2.0 * (other_axis(f64::from(2 * k + 1)) / own).powi(2)).sum(),
            )
        } else {
            (0.0, 0.0)
        };
        let widening = if matches!(detector, Detector::Bpsk | Detector::Carrier) { 4.0 } else { 2.0 };
        let margin = matched.margin();
        let (matched, slope) = (matched, slope_bank);
        Self {
            detector,
            sps,
            matched,
            slope,
            carrier,
            curvature,
            carrier_bandwidth,
            timing_bandwidth,
            widening,
            crosstalk,
            leftover,
            margin,
        }
    }
}

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
    phasor: Complex<f32>,
    /// Radians a strobe, and what that grows by a strobe.
    turn: f64,
    turn_rate: f64,
    /// Mean of `turn_rate` over some sixty windows, to be told.
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
    strobes: [[Complex<f32>; TICK]; 3],
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
            drift: 0.0,
            odd: false,
            before: [0.0; 3],
            phasor: Complex::new(c as f32, s as f32),
            turn: 0.0,
            turn_rate: TAU * found.rate * sps * sps,
            mean_rate: 0.0,
            gain: 0.0,
            energy: 1.0,
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
            strobes: [[Complex::new(0.0, 0.0); TICK]; 3],
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
        self.mixer_step + self.turn / TAU / design.sps
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
        self.mixed.extend(samples.as_chunks::<2>().0.iter().zip(&self.mixer).flat_map(|(z, m)| {
            let (re, im) = (m.re * c - m.im * s, m.re * s + m.im * c);
            [z[0] * re - z[1] * im, z[0] * im + z[1] * re]
        }));
        self.mixer_phase = (self.mixer_phase + self.mixer_step * (samples.len() / 2) as f64).fract();
    }

    /// Takes interleaved samples, of which the first is [`Tracker::next_sample`], in whole blocks only (or what is left at the end), and appends soft
    /// symbols. Returns the number of floats taken. It stops early where it has a notice.
    #[inline(always)]
    pub(crate) fn run(&mut self, design: &Design, samples: &[f32], last: bool, soft: &mut Vec<i8>) -> usize {
        let mut taken = 0;
        loop {
            let ahead = self.mixed.len() / 2;
            let ready = (ahead.saturating_sub(design.margin) as f64 - self.instant) / (design.sps * 1.01) - 1.0;
            if ready >= TICK as f64 || (last && ready >= 1.0 && taken == samples.len()) {
                self.tick(design, TICK.min(ready as usize), soft);
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
    fn tick(&mut self, design: &Design, most: usize, soft: &mut Vec<i8>) {
        let period = design.sps * (1.0 + self.drift);
        let mut count = most;
        if let Some((at, step)) = self.retune {
            let before = at as f64 - self.base as f64 - self.instant;
            if before <= 0.0 {
                let turned = step * -before;
                let (s, c) = (TAU * turned).sin_cos();
                self.phasor *= Complex::new(c as f32, s as f32);
                self.turn -= TAU * step * design.sps;
                self.retune = None;
            } else {
                count = count.min((before / period).ceil() as usize).max(1);
            }
        }
        let [y, d, c] = &mut self.strobes;
        for i in 0..count {
            let at = self.instant + period * i as f64;
            (y[i], d[i]) = design.matched.both(&design.slope, &self.mixed, at);
            if let Some(carrier) = &design.carrier {
                c[i] = carrier.at(&self.mixed, at);
            }
        }
        if self.gain == 0.0 {
            self.first_gain(count);
        }
        let late = match design.detector {
            Detector::Bpsk => self.one_axis::<0>(design, count, soft),
            Detector::Staggered => self.one_axis::<1>(design, count, soft),
            Detector::Carrier => self.one_axis::<2>(design, count, soft),
            Detector::Qpsk => self.phases::<4>(design, count, soft),
            Detector::Psk8 => self.phases::<8>(design, count, soft),
        };
        let bandwidth = self.bandwidth(design.timing_bandwidth, 8.0);
        let (fast, slow) = second_order(bandwidth);
        let error = f64::from(late) / (self.timing_gain * design.curvature);
        self.drift = (self.drift + slow * error).clamp(-1e-3, 1e-3);
        self.instant += period * count as f64 + design.sps * (fast * error).clamp(-0.1, 0.1);
        self.sums.strobes += count as u32;
        if self.sums.strobes >= WINDOW {
            self.look(design);
        }
    }

    /// A loop is wide until it has settled, then narrows.
    #[inline(always)]
    fn bandwidth(&self, narrow: f64, times: f64) -> f64 {
        match self.windows {
            w if w < WIDE_WINDOWS => narrow * times,
            w if w < 3 * WIDE_WINDOWS => narrow * times.sqrt(),
            _ => narrow,
        }
    }

    fn first_gain(&mut self, count: usize) {
        let power = self.strobes[0][..count].iter().map(|y| f64::from(y.norm_sqr())).sum::<f64>() / count as f64;
        // As if there were as much noise as signal.
        self.gain = (1.0 / (power / 2.0).max(1e-30).sqrt()) as f32;
        let carrier = self.strobes[2][..count].iter().map(|c| f64::from(c.norm_sqr())).sum::<f64>() / count as f64;
        self.carrier_amplitude = (carrier / 2.0).max(1e-30).sqrt() * f64::from(self.gain);
    }

    /// Strobes of one amplitude. Returns the sum of the timing detector.
    #[inline(always)]
    fn one_axis<const KIND: u8>(&mut self, design: &Design, count: usize, soft: &mut Vec<i8>) -> f32 {
        let (k1, k2, k3) = third_order(self.bandwidth(design.carrier_bandwidth, design.widening));
        let norm = 1.0 / if KIND == 2 { self.carrier_amplitude.max(1e-3) } else { self.detector_gain };
        let (k1, k2, k3) = (k1 * norm, k2 * norm, k3 * norm);
        let weight = (2.0 * self.energy) as f32;
        let scale = SOFT_PER_NEPER * 2.0 * weight;
        let gain = self.gain;
        let (mut phasor, mut turn, mut turn_rate, mut odd) = (self.phasor, self.turn, self.turn_rate, self.odd);
        let (mut late, mut along, mut power, mut across) = (0f32, 0f32, 0f32, 0f32);
        let (mut aligned, mut all, mut slope) = (0f32, 0f32, 0f32);
        let [ys, ds, cs] = &self.strobes;
        let mut out = [0i8; TICK];
        let crosstalk = design.crosstalk;
        let [mut other, mut believed, mut earlier] = self.before;
        for i in 0..count {
            let rotor = phasor * gain;
            let (y, d) = (turned(ys[i], rotor), turned(ds[i], rotor));
            let (re, im, d) = match KIND {
                1 if odd => (y.im, -y.re, d.im),
                2 => (y.im, -y.re, d.im),
                _ => (y.re, y.im, d.re),
            };
            odd = !odd;
            let (re, im) = (re.clamp(-1e4, 1e4), im.clamp(-1e4, 1e4));
            let belief = tanh(weight * re);
            late += belief * d.clamp(-1e4, 1e4);
            along += belief * re;
            power += re * re;
            slope += belief * belief;
            // For the judgement of lock, what neighbours leave on the other axis is taken out with what they are believed to be.
            across += if KIND == 1 {
                let sum = crosstalk * (belief + earlier);
                // `odd` is this strobe's successor's by now: the one before this is as odd.
                let clean = if odd { other + sum } else { other - sum };
                (other, earlier, believed) = (im, believed, belief);
                clean * clean
            } else {
                im * im
            };
            let error = if KIND == 2 {
                let c = turned(cs[i], rotor);
                aligned += c.re.clamp(-1e4, 1e4);
                all += (c.re * c.re + c.im * c.im).min(1e8);
                c.im.clamp(-4.0, 4.0)
            } else {
                (belief * im).clamp(-4.0, 4.0)
            };
            let error = f64::from(error);
            let step = turn + k1 * error;
            turn = (turn + turn_rate + k2 * error).clamp(-0.5, 0.5);
            turn_rate += k3 * error;
            phasor = advanced(phasor, step);
            out[i] = quantised(scale * re);
        }
        self.before = [other, believed, earlier];
        soft.extend_from_slice(&out[..count]);
        (self.phasor, self.turn, self.turn_rate, self.odd) = (unit(phasor), turn, turn_rate, odd);
        self.turn_rate = self.turn_rate.clamp(-1e-2, 1e-2);
        self.sums.along += f64::from(along);
        self.sums.power += f64::from(power);
        self.sums.across += f64::from(across);
        self.sums.gain += f64::from(slope);
        self.sums.aligned += f64::from(aligned);
        self.sums.weight += f64::from(all);
        late
    }

    /// Strobes of 4 or 8 phases. Returns the sum of the timing detector.
    #[inline(always)]
    fn phases<const M: usize>(&mut self, design: &Design, count: usize, soft: &mut Vec<i8>) -> f32 {
        let (k1, k2, k3) = third_order(self.bandwidth(design.carrier_bandwidth, design.widening));
        let norm = 1.0 / self.detector_gain;
        let (k1, k2, k3) = (k1 * norm, k2 * norm, k3 * norm);
        let energy = self.energy as f32;
        let half = std::f32::consts::FRAC_1_SQRT_2;
        let (mut phasor, mut turn, mut turn_rate) = (self.phasor, self.turn, self.turn_rate);
        let (mut late, mut along, mut power, mut turning) = (0f32, 0f32, 0f32, 0f32);
        let (mut aligned, mut all, mut slope) = (0f32, 0f32, 0f32);
        let [ys, ds, _] = &self.strobes;
        for i in 0..count {
            let rotor = phasor * self.gain;
            let (y, d) = (turned(ys[i], rotor), turned(ds[i], rotor));
            let y = Complex::new(y.re.clamp(-1e4, 1e4), y.im.clamp(-1e4, 1e4));
            let d = Complex::new(d.re.clamp(-1e4, 1e4), d.im.clamp(-1e4, 1e4));
            let belief = if M == 4 {
                let weight = 2.0 * energy * half;
                let scale = SOFT_PER_NEPER * 2.0 * weight;
                soft.extend([quantised(scale * y.re), quantised(scale * y.im)]);
                let (re, im) = (tanh(weight * y.re), tanh(weight * y.im));
                turning -= half * weight * (y.im * y.im * (1.0 - re * re) + y.re * y.re * (1.0 - im * im));
                Complex::new(re * half, im * half)
            } else {
                let (llr, belief, turned) = psk8(y, energy);
                soft.extend(llr.map(|l| quantised(SOFT_PER_NEPER * l)));
                turning += y.im * turned.re - y.re * turned.im;
                belief
            };
            late += belief.re * d.re + belief.im * d.im;
            along += belief.re * y.re + belief.im * y.im;
            let size = y.norm_sqr();
            power += size;
            slope += belief.norm_sqr();
            // The M-th power of the phase, weighed with the power: along the real axis if in lock.
            let square = y * y;
            let fourth = square * square;
            let raised = if M == 4 {
                -fourth.re / (size * size).max(1e-20)
            } else {
                (fourth * fourth).re / (size * size * size * size).max(1e-30)
            };
            aligned += raised * size;
            all += size;
            let error = f64::from((y.im * belief.re - y.re * belief.im).clamp(-4.0, 4.0));
            let step = turn + k1 * error;
            turn = (turn + turn_rate + k2 * error).clamp(-0.5, 0.5);
            turn_rate += k3 * error;
            phasor = advanced(phasor, step);
        }
        (self.phasor, self.turn, self.turn_rate) = (unit(phasor), turn, turn_rate.clamp(-1e-2, 1e-2));
        self.sums.slope += f64::from(along + turning);
        self.sums.along += f64::from(along);
        self.sums.power += f64::from(power);
        self.sums.gain += f64::from(slope);
        self.sums.aligned += f64::from(aligned);
        self.sums.weight += f64::from(all);
        late
    }

    /// At the end of a window: amplitude and noise (one step of expectation maximisation), lock, slips, and whether to set the mixer anew.
    fn look(&mut self, design: &Design) {
        let mut sums = std::mem::take(&mut self.sums);
        let n = f64::from(sums.strobes);
        // The first windows count in full, so that a first guess is soon forgotten.
        let share = 1.0 / f64::from((self.windows + 1).min(16));
        let mean = &mut self.mean;
        mean.along += (sums.along / n - mean.along) * share;
        mean.power += (sums.power / n - mean.power) * share;
        mean.across += (sums.across / n - mean.across) * share;
        // Signal and noise: BPSK's other axis has noise alone; elsewhere the amplitude that is believed is one step of expectation maximisation.
        let (signal, noise) = match design.detector {
            Detector::Bpsk | Detector::Carrier => (mean.power - mean.across, 2.0 * mean.across),
            Detector::Staggered => (mean.along * mean.along, 2.0 * (mean.power - mean.along * mean.along)),
            Detector::Qpsk | Detector::Psk8 => (mean.along * mean.along, mean.power - mean.along * mean.along),
        };
        let signal = signal.max(1e-3 * mean.power).max(1e-12);
        self.energy = signal / noise.max(1e-4 * signal);
        let factor = (1.0 / signal.sqrt()).clamp(0.1, 10.0);
        let gain = (f64::from(self.gain) * factor).clamp(1e-12, 1e20);
        let factor = gain / f64::from(self.gain);
        self.gain = gain as f32;
        mean.along *= factor;
        mean.power *= factor * factor;
        mean.across *= factor * factor;
        self.carrier_amplitude *= factor;
        let sure = (sums.gain / n).clamp(0.02, 1.0);
        self.timing_gain += (sure - self.timing_gain) * share;
        // A belief turns with the phase, too, which flattens the detector where there is noise: d/dφ of Im(y b*) over all symbols.
        let flat = match design.detector {
            Detector::Bpsk | Detector::Carrier => sure,
            Detector::Staggered => {
                let neighbours = design.leftover + 2.0 * f64::from(design.crosstalk).powi(2);
                sure - 2.0 * self.energy * neighbours * (1.0 - sure)
            }
            Detector::Qpsk | Detector::Psk8 => sums.slope / n,
        };
        self.detector_gain += (flat.clamp(0.1, 1.0) - self.detector_gain) * share;
        if matches!(design.detector, Detector::Bpsk | Detector::Staggered) {
            (sums.aligned, sums.weight) = (sums.power - sums.across, sums.power + sums.across);
        }
        let lock = if design.detector == Detector::Carrier {
            let carrier = sums.aligned / n * factor;
            self.carrier_amplitude += (carrier.max(1e-3) - self.carrier_amplitude) * share;
            carrier / factor / (sums.weight / n).max(1e-12).sqrt()
        } else {
            sums.aligned / sums.weight.max(1e-12)
        };
        let slow = if design.detector == Detector::Staggered { 32 } else { 8 };
        self.lock += (lock - self.lock) / f64::from((self.windows + 1).min(slow));
        self.windows = self.windows.saturating_add(1);
        let settled = self.windows.saturating_sub(3 * WIDE_WINDOWS).clamp(1, 64);
        self.mean_rate += (self.turn_rate - self.mean_rate) / f64::from(settled);
        self.judge(design, lock, n);
        if self.retune.is_none() && self.turn.abs() > TAU * 1e-3 {
            let step = self.turn / TAU / design.sps;
            self.retune = Some((self.next_sample(), step));
        }
    }

    /// Least lock that is still one, and in how many strobes a slip shows.
    fn judge(&mut self, design: &Design, lock: f64, n: f64) {
        let e = self.energy;
        let (least, slip_strobes) = match design.detector {
            Detector::Bpsk => (0.12, 256.0),
            Detector::Carrier => (0.12, 256.0),
            Detector::Qpsk => (0.08, 512.0),
            Detector::Psk8 => (0.06, 1024.0),
            // What there should be at this energy, and a third of it.
            Detector::Staggered => {
                (((1.0 - design.leftover) * e / ((1.0 + design.leftover) * e + 1.0) / 3.0).max(0.05), 1024.0)
            }
        };
        self.slip_sums.0 += lock * n;
        self.slip_sums.1 += n;
        if self.windows > 2 * WIDE_WINDOWS && self.slip_sums.1 >= slip_strobes {
            let mean = self.slip_sums.0 / self.slip_sums.1;
            if mean < 0.0 && !self.slipping {
                self.slipping = true;
                self.note(Notice::Slip);
            } else if mean > self.lock / 2.0 {
                self.slipping = false;
            }
            self.slip_sums = (0.0, 0.0, 0);
        }
        let patience = if design.detector == Detector::Staggered { 32 } else { 8 };
        // Noise of a matched filter, looked at twice a symbol, is like itself enough to seem in lock; but it has no amplitude.
        let faint = design.detector == Detector::Staggered && e < 0.3;
        if self.windows >= patience && (self.lock < least || faint) {
            self.note(Notice::Lost);
        }
    }
}

/// A soft symbol's steps a neper: a log-likelihood ratio of 15.9 and more saturates at ±127.
pub(crate) const SOFT_PER_NEPER: f32 = 8.0;

#[inline(always)]
fn quantised(x: f32) -> i8 {
    // Adding and taking away 1.5 · 2^23 rounds to even, without a library call and alike everywhere.
    ((x.clamp(-127.0, 127.0) + 12_582_912.0) - 12_582_912.0) as i8
}

#[inline(always)]
fn turned(z: Complex<f32>, rotor: Complex<f32>) -> Complex<f32> {
    Complex::new(z.re * rotor.re - z.im * rotor.im, z.re * rotor.im + z.im * rotor.re)
}

/// Turns a phasor back by a small angle.
#[inline(always)]
fn advanced(phasor: Complex<f32>, step: f64) -> Complex<f32> {
    let x = step.clamp(-0.7, 0.7) as f32;
    let square = x * x;
    turned(
        phasor,
        Complex::new(1.0 - 0.5 * square * (1.0 - square / 12.0), -x * (1.0 - square / 6.0 * (1.0 - square / 20.0))),
    )
}

/// Takes out what rounding has done to a phasor's length.
#[inline(always)]
fn unit(phasor: Complex<f32>) -> Complex<f32> {
    let size = phasor.norm_sqr();
    if size.is_finite() && size > 0.5 { phasor / size.sqrt() } else { Complex::new(1.0, 0.0) }
}

/// tanh to 2e-3 (a continued fraction).
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let x = x.clamp(-3.6, 3.6);
    let square = x * x;
    x * (945.0 + square * (105.0 + square)) / (945.0 + square * (420.0 + square * 15.0))
}

/// Gains of a loop of second order, damped by 1/√2, with this one-sided bandwidth a step (Mengali and D'Andrea, 5.2).
#[inline(always)]
fn second_order(bandwidth: f64) -> (f64, f64) {
    let natural = bandwidth * 1.886;
    (1.414 * natural, natural * natural)
}

/// Gains of a loop of third order (Kaplan and Hegarty, table 5.6).
#[inline(always)]
fn third_order(bandwidth: f64) -> (f64, f64, f64) {
    let natural = bandwidth / 0.7845;
    (2.4 * natural, 1.1 * natural * natural, natural * natural * natural)
}

/// Log-likelihood ratios of three bits, the mean of the symbols that it may have been, and how that grows as `y` is turned.
fn psk8(y: Complex<f32>, energy: f32) -> ([f32; 3], Complex<f32>, Complex<f32>) {
    let mut metrics = [0f32; 8];
    for (metric, s) in metrics.iter_mut().zip(PSK8) {
        *metric = 2.0 * energy * (y.re * s.re + y.im * s.im);
    }
    let top = metrics.iter().copied().fold(f32::MIN, f32::max);
    let weights = metrics.map(|m| (m - top).exp());
    let mut belief = Complex::new(0.0, 0.0);
    let mut total = 0.0;
    let mut turned = Complex::new(0.0, 0.0);
    for (w, s) in weights.into_iter().zip(PSK8) {
        belief += s * w;
        turned += s * (w * 2.0 * energy * (s.im * y.re - s.re * y.im));
        total += w;
    }
    (belief, turned) = (belief / total, turned / total);
    turned -= belief * (2.0 * energy * (belief.im * y.re - belief.re * y.im));
    let ratio = |mask: usize| {
        let (mut zero, mut one) = (0f32, 0f32);
        for (bits, w) in weights.iter().enumerate() {
            if bits & mask == 0 { zero += w } else { one += w }
        }
        (zero.max(1e-30) / one.max(1e-30)).ln()
    };
    ([ratio(4), ratio(2), ratio(1)], belief, turned)
}
