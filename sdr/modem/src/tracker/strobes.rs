//! Strobes to soft symbols, and to what the loops and the judgement of lock want to know of them: eight strobes side by side.

use super::loops::CarrierGains;
use super::{Design, Detector, TICK, Tracker};
use crate::lanes::{Complexes, LANES, Lanes};
use crate::modulator::PSK8;
use num_complex::Complex;
use pulp::Simd;

/// What the filters see at the strobes of a tick, re and im apart: the matched filter, its slope, and the carrier.
#[derive(Debug)]
pub(super) struct Strobes {
    pub(super) matched: [[f32; ROOM]; 2],
    pub(super) slope: [[f32; ROOM]; 2],
    pub(super) carrier: [[f32; ROOM]; 2],
}

/// Strobes of a tick, and zeros behind them, so that there are always as many as are taken side by side.
const ROOM: usize = TICK + LANES;

impl Strobes {
    pub(super) const NONE: Self =
        Self { matched: [[0.0; ROOM]; 2], slope: [[0.0; ROOM]; 2], carrier: [[0.0; ROOM]; 2] };

    /// Zeros behind the first `count`.
    #[inline(always)]
    pub(super) fn end(&mut self, count: usize) {
        for axes in [&mut self.matched, &mut self.slope, &mut self.carrier] {
            for axis in axes {
                axis[count..].fill(0.0);
            }
        }
    }
}

#[inline(always)]
fn eight<S: Simd>(simd: S, axes: &[[f32; ROOM]; 2], from: usize) -> Complexes<S> {
    let lanes = |axis: &[f32; ROOM]| axis[from..].first_chunk().copied().unwrap_or([0.0; LANES]);
    Complexes::of(simd, lanes(&axes[0]), lanes(&axes[1]))
}

/// Ones for the first of the lanes.
const FIRST: [[f32; LANES]; LANES + 1] = {
    let mut masks = [[0.0; LANES]; LANES + 1];
    let mut count = 0;
    while count <= LANES {
        let mut lane = 0;
        while lane < count {
            masks[count][lane] = 1.0;
            lane += 1;
        }
        count += 1;
    }
    masks
};
const NUMBERS: [f32; LANES] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
const EVEN: [f32; LANES] = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
const ODD: [f32; LANES] = [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0];

/// Samples beyond this many amplitudes are cut to it, a detector's error beyond this many radians or so.
const LARGEST: f32 = 1e4;
const LARGEST_ERROR: f32 = 4.0;

/// A soft symbol's steps a neper: a log-likelihood ratio of 15.9 and more saturates at ±127.
const SOFT_PER_NEPER: f32 = 8.0;

impl Tracker {
    /// The carrier's loop and the soft symbols of `count` strobes. Returns the sum of the timing detector.
    #[inline(always)]
    pub(super) fn decide<S: Simd>(&mut self, simd: S, design: &Design, count: usize, soft: &mut Vec<i8>) -> f32 {
        match design.detector {
            Detector::Bpsk => self.one_axis::<S, 0>(simd, design, count, soft),
            Detector::Staggered => self.one_axis::<S, 1>(simd, design, count, soft),
            Detector::Carrier => self.one_axis::<S, 2>(simd, design, count, soft),
            Detector::Qpsk => self.phases::<S, 4>(simd, design, count, soft),
            Detector::Psk8 => self.phases::<S, 8>(simd, design, count, soft),
        }
    }

    #[inline(always)]
    fn gains(&self, design: &Design) -> CarrierGains {
        let slope =
            if design.detector == Detector::Carrier { self.carrier_amplitude.max(1e-3) } else { self.detector_gain };
        CarrierGains::new(self.bandwidth(design.carrier_bandwidth, design.first_bandwidth), slope)
    }

    /// What turns the next eight strobes upright, at an amplitude of 1.
    #[inline(always)]
    fn rotors<S: Simd>(&self, simd: S) -> Complexes<S> {
        let x = Lanes::of(simd, NUMBERS).times(self.carrier.turn as f32);
        let square = x * x;
        let one = Lanes::all(simd, 1.0);
        let turns = Complexes {
            re: one - square.times(0.5) * (one - square.times(1.0 / 12.0)),
            im: x * (square.times(1.0 / 6.0) * (one - square.times(1.0 / 20.0)) - one),
        };
        let first = self.carrier.phasor * self.gain;
        turns * Complexes { re: Lanes::all(simd, first.re), im: Lanes::all(simd, first.im) }
    }

    /// Strobes of one amplitude: BPSK (0), on both axes in turn (1), beside a carrier (2).
    #[inline(always)]
    fn one_axis<S: Simd, const KIND: u8>(&mut self, simd: S, design: &Design, count: usize, soft: &mut Vec<i8>) -> f32 {
        let gains = self.gains(design);
        let weight = (2.0 * self.energy) as f32;
        let zero = Lanes::all(simd, 0.0);
        let (mut late, mut along, mut power, mut slope) = (zero, zero, zero, zero);
        let (mut across, mut aligned, mut all) = (zero, zero, zero);
        let mut amplitudes = [0f32; ROOM];
        // Where axes take turns: beliefs from two strobes before the first on, and the other axis from one before.
        let [other, believed, earlier] = self.before;
        let (mut beliefs, mut others) = ([0f32; ROOM + 2], [0f32; ROOM + 1]);
        ([beliefs[0], beliefs[1]], others[0]) = ([earlier, believed], other);
        let odd_first = self.odd;
        let mut from = 0;
        while from < count {
            let strobes = gains.patience(&self.carrier).min(count - from);
            let live = Lanes::of(simd, FIRST[strobes]);
            let rotors = self.rotors(simd);
            let rotors = Complexes { re: rotors.re * live, im: rotors.im * live };
            let y = eight(simd, &self.strobes.matched, from) * rotors;
            let d = eight(simd, &self.strobes.slope, from) * rotors;
            let (re, im, d) = match KIND {
                1 => {
                    let turns = if self.odd { [ODD, EVEN] } else { [EVEN, ODD] };
                    let [on_i, on_q] = turns.map(|t| Lanes::of(simd, t));
                    (y.re * on_i + y.im * on_q, y.im * on_i - y.re * on_q, d.re * on_i + d.im * on_q)
                }
                2 => (y.im, zero - y.re, d.im),
                _ => (y.re, y.im, d.re),
            };
            let (re, im, d) = (re.within(LARGEST), im.within(LARGEST), d.within(LARGEST));
            let belief = tanh(re.times(weight));
            let error = if KIND == 2 {
                let c = eight(simd, &self.strobes.carrier, from) * rotors;
                aligned = aligned + c.re.within(LARGEST);
                let c = c.within(LARGEST);
                all = all + c.power();
                c.im.within(LARGEST_ERROR)
            } else {
                (belief * im).within(LARGEST_ERROR)
            };
            self.carrier.advance(&gains, strobes, error.sum());
            late = late + belief * d;
            along = along + belief * re;
            power = power + re * re;
            slope = slope + belief * belief;
            across = across + im * im;
            amplitudes[from..from + LANES].copy_from_slice(&re.array());
            if KIND == 1 {
                beliefs[from + 2..from + 2 + LANES].copy_from_slice(&belief.array());
                others[from + 1..from + 1 + LANES].copy_from_slice(&im.array());
                self.odd ^= strobes % 2 == 1;
            }
            from += strobes;
        }
        let mut across = f64::from(across.sum());
        if KIND == 1 {
            // For the judgement of lock, what neighbours leave on the other axis is taken out with what they are believed to be: of strobe i − 1,
            // with strobes i and i − 2.
            let mut sums = [0f32; 2];
            for i in 0..count {
                let neighbours = design.crosstalk * (beliefs[i + 2] + beliefs[i]);
                let is_odd = odd_first ^ (i % 2 == 1);
                let clean = if is_odd { others[i] - neighbours } else { others[i] + neighbours };
                sums[i % 2] += clean * clean;
            }
            across = f64::from(sums[0] + sums[1]);
            self.before = [others[count], beliefs[count + 1], beliefs[count]];
        }
        let scale = SOFT_PER_NEPER * 2.0 * weight;
        let mut out = [0i8; ROOM];
        for (o, a) in out.iter_mut().zip(&amplitudes) {
            *o = quantised(scale * a);
        }
        soft.extend_from_slice(&out[..count]);
        self.carrier.settle();
        self.sums.along += f64::from(along.sum());
        self.sums.power += f64::from(power.sum());
        self.sums.across += across;
        self.sums.gain += f64::from(slope.sum());
        self.sums.aligned += f64::from(aligned.sum());
        self.sums.weight += f64::from(all.sum());
        late.sum()
    }

    /// Strobes of 4 or 8 phases.
    #[inline(always)]
    fn phases<S: Simd, const M: usize>(&mut self, simd: S, design: &Design, count: usize, soft: &mut Vec<i8>) -> f32 {
        let gains = self.gains(design);
        let energy = self.energy as f32;
        let half = std::f32::consts::FRAC_1_SQRT_2;
        let weight = 2.0 * energy * half;
        let zero = Lanes::all(simd, 0.0);
        let (mut late, mut along, mut power, mut turning) = (zero, zero, zero, zero);
        let (mut aligned, mut slope) = (zero, zero);
        let mut out = [[0i8; 3]; ROOM];
        let mut from = 0;
        while from < count {
            let strobes = gains.patience(&self.carrier).min(count - from);
            let live = Lanes::of(simd, FIRST[strobes]);
            let rotors = self.rotors(simd);
            let rotors = Complexes { re: rotors.re * live, im: rotors.im * live };
            let y = (eight(simd, &self.strobes.matched, from) * rotors).within(LARGEST);
            let d = (eight(simd, &self.strobes.slope, from) * rotors).within(LARGEST);
            let belief = if M == 4 {
                let (re, im) = (tanh(y.re.times(weight)), tanh(y.im.times(weight)));
                let one = Lanes::all(simd, 1.0);
                let flat = y.im * y.im * (one - re * re) + y.re * y.re * (one - im * im);
                turning = turning - flat.times(half * weight);
                let scale = SOFT_PER_NEPER * 2.0 * weight;
                let (soft_re, soft_im) = (y.re.times(scale).array(), y.im.times(scale).array());
                for lane in 0..LANES {
                    out[from + lane] = [quantised(soft_re[lane]), quantised(soft_im[lane]), 0];
                }
                Complexes { re: re.times(half), im: im.times(half) }
            } else {
                let (re, im) = (y.re.array(), y.im.array());
                let (mut beliefs, mut bent) = ([[0f32; LANES]; 2], [0f32; LANES]);
                for lane in 0..strobes {
                    let y = Complex::new(re[lane], im[lane]);
                    let (llr, belief, turned) = psk8(y, energy);
                    out[from + lane] = llr.map(|l| quantised(SOFT_PER_NEPER * l));
                    bent[lane] = y.im * turned.re - y.re * turned.im;
                    (beliefs[0][lane], beliefs[1][lane]) = (belief.re, belief.im);
                }
                turning = turning + Lanes::of(simd, bent);
                Complexes::of(simd, beliefs[0], beliefs[1])
            };
            let error = (y.im * belief.re - y.re * belief.im).within(LARGEST_ERROR);
            self.carrier.advance(&gains, strobes, error.sum());
            late = late + belief.re * d.re + belief.im * d.im;
            along = along + belief.re * y.re + belief.im * y.im;
            let size = y.power();
            power = power + size;
            slope = slope + belief.power();
            // The M-th power of the phase, weighed with the power: along the real axis if in lock.
            let fourth = y * y * (y * y);
            let size_2 = size * size;
            aligned = aligned
                + if M == 4 {
                    (zero - fourth.re) / size_2.at_least(1e-20) * size
                } else {
                    let eighth = fourth.re * fourth.re - fourth.im * fourth.im;
                    eighth / (size_2 * size_2).at_least(1e-30) * size
                };
            from += strobes;
        }
        for symbol in &out[..count] {
            soft.extend_from_slice(if M == 4 { &symbol[..2] } else { symbol });
        }
        self.carrier.settle();
        self.sums.slope += f64::from((along + turning).sum());
        self.sums.along += f64::from(along.sum());
        self.sums.power += f64::from(power.sum());
        self.sums.gain += f64::from(slope.sum());
        self.sums.aligned += f64::from(aligned.sum());
        self.sums.weight += f64::from(power.sum());
        late.sum()
    }
}

#[inline(always)]
fn quantised(x: f32) -> i8 {
    // Adding 1.5 · 2^23 rounds to even and leaves the integer in the lowest bits, without a library call and alike everywhere.
    (x.clamp(-127.0, 127.0) + 12_582_912.0).to_bits() as i8
}

/// tanh to 2e-3 (a continued fraction).
#[inline(always)]
fn tanh<S: Simd>(x: Lanes<S>) -> Lanes<S> {
    let x = x.within(3.6);
    let square = x * x;
    x * (square * square.plus(105.0)).plus(945.0) / (square * square.times(15.0).plus(420.0)).plus(945.0)
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
