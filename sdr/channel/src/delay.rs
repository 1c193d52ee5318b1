//! A delay that changes, with the Doppler that comes of it.
//!
//! What arrives at time t is what was sent d(t) before: output(t) = input(t − d(t)) · e^(−j 2π f d(t)), at the complex baseband of a
//! carrier of f Hz. Ends that approach make d fall, so the carrier is shifted up by −f · d′(t), and the symbols come faster by
//! the same ratio.

use num_complex::Complex32;

use crate::error::{ConfigError, within};
use crate::interpolator::{HALF, Interpolator, PHASES, TAPS};
use crate::law::{DelayLaw, Motion, Piece, Pieces, product};
use crate::ring::{Ring, RingConfig, RingCounts, RingError};
use crate::vector::{Instructions, sin_cos};

/// Samples for which delay and phase are worked out together: the delay as a straight line, the phase as a parabola.
pub(crate) const BLOCK: usize = 32;

/// Samples that are worked on at a time.
const BATCH: usize = 2048;

/// The shortest delay in samples: the interpolator needs those that come after.
pub const LEAST_DELAY_SAMPLES: usize = HALF + 1;

/// What a [`Delay`] does.
#[derive(Clone, Debug, PartialEq)]
pub struct DelayConfig {
    /// The delay against time.
    pub law: DelayLaw,
    /// The carrier in Hz, from 0 to 1e12: 0 delays the samples and leaves their phase alone.
    pub carrier_hz: f64,
    /// By how many parts in a million the receiver's sample clock is fast, from −10,000 to 10,000. A fast clock makes more samples of
    /// the same signal.
    pub clock_ppm: f64,
    /// Where samples wait.
    pub ring: RingConfig,
}

/// A delay along a [`DelayLaw`].
///
/// After N samples of input it has given N · (1 + `clock_ppm`/10⁶) of output, rounded down: sample n of the output is at time n/rate by the
/// receiver's clock. Before anything has arrived, the output is zero.
#[derive(Debug)]
pub struct Delay {
    pieces: Pieces,
    /// One for each piece.
    bases: Vec<Base>,
    rate_hz: f64,
    carrier_hz: f64,
    /// How much a sample of the receiver is shorter than one of the transmitter, in parts of it.
    shorter: f64,
    /// The number of the first sample it gives: a later part is late by so many.
    advance: u64,
    ring: Ring,
    interpolator: Interpolator,
    taken: u64,
    /// The number of the sample that it gives next.
    made: u64,
    /// The piece that held last.
    piece: usize,
    window: Vec<Complex32>,
    instructions: Instructions,
}

/// What is the same throughout a piece of the law.
#[derive(Clone, Copy, Debug)]
struct Base {
    /// The delay in samples, as a whole number and a fraction.
    samples: (i64, f64),
    /// The phase of the carrier in turns.
    turns: f64,
    /// The first output sample not before its start, and the time from there to it.
    first: u64,
    late_s: f64,
}

/// Where one output sample lies in the input, and how its phase is turned.
#[derive(Clone, Copy, Debug)]
struct Place {
    whole: i64,
    fraction: f64,
    turns: f64,
    motion: Motion,
}

/// A block whose samples have one whole part: coefficients run straight from those of the first sample to those of the last.
#[derive(Clone, Copy, Debug)]
struct Smooth {
    whole: i64,
    first: f64,
    last: f64,
    phase: Phase,
}

/// A phase that is a parabola of the number of the sample, in units of 2⁻³² turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub turns: u32,
    pub step: u32,
    pub bend: u32,
}

impl Phase {
    #[inline(always)]
    pub fn at(self, lane: u32) -> u32 {
        self.turns.wrapping_add(self.step.wrapping_mul(lane)).wrapping_add(self.bend.wrapping_mul(lane * lane))
    }
}

impl Delay {
    /// A delay at a sample rate.
    ///
    /// # Errors
    /// A number outside its range, a delay shorter than [`LEAST_DELAY_SAMPLES`], a ring that does not hold what is under way.
    pub fn new(config: &DelayConfig, rate_hz: f64) -> Result<Self, ConfigError> {
        Self::early(config, rate_hz, 0)
    }

    /// The same from sample number `advance` on: everything is so many samples early.
    pub(crate) fn early(config: &DelayConfig, rate_hz: f64, advance: usize) -> Result<Self, ConfigError> {
        within("rate_hz", rate_hz, 1.0..=1e11, "from 1 to 1e11, in samples a second")?;
        let carrier_hz = within("delay.carrier_hz", config.carrier_hz, 0.0..=1e12, "from 0 to 1e12, in Hz")?;
        let words = "from -10000 to 10000, in parts in a million";
        let ppm = within("delay.clock_ppm", config.clock_ppm, -1e4..=1e4, words)?;
        let pieces = Pieces::new(&config.law)?;
        let least = LEAST_DELAY_SAMPLES + advance;
        if pieces.least_s * rate_hz < least as f64 {
            let range = format!(
                "of at least {} s, which are {least} samples: what arrives is made of samples before and after it",
                least as f64 / rate_hz
            );
            return Err(ConfigError::Number { field: "delay.law".into(), value: pieces.least_s, range });
        }
        let ring = Ring::new(&config.ring)?;
        ring.require((pieces.most_s * rate_hz) as u64 + 2 * BATCH as u64)?;
        let shorter = ppm * 1e-6 / (1.0 + ppm * 1e-6);
        let bases = pieces.pieces.iter().map(|piece| base(piece, rate_hz, carrier_hz, shorter)).collect();
        Ok(Delay {
            pieces,
            bases,
            rate_hz,
            carrier_hz,
            shorter,
            advance: advance as u64,
            ring,
            interpolator: Interpolator::new(),
            taken: 0,
            made: advance as u64,
            piece: 0,
            window: Vec::new(),
            instructions: Instructions::fastest(),
        })
    }

    /// The same delay by other instructions.
    #[must_use]
    pub fn with(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions;
        self
    }

    /// What its ring has done so far.
    pub fn ring_counts(&self) -> RingCounts {
        self.ring.counts()
    }

    /// How many samples before it was sent what arrives next, to the nearest sample.
    pub fn delay_samples(&self) -> u64 {
        let place = self.place(self.made, self.piece_at(self.made));
        let behind = self.made as f64 - place.whole as f64 - place.fraction;
        behind.round().max(0.0) as u64
    }

    /// How many samples it has given so far.
    pub fn made(&self) -> u64 {
        self.made - self.advance
    }

    /// Takes the samples that were sent next, and appends those that have arrived meanwhile.
    ///
    /// # Errors
    /// The ring's file fails. What is appended until then is right.
    pub fn process(&mut self, input: &[Complex32], output: &mut Vec<Complex32>) -> Result<(), RingError> {
        for part in input.chunks(BATCH) {
            self.ring.push(part)?;
            self.taken += part.len() as u64;
            let end = self.due();
            while self.made < end {
                self.make(end.min(self.made + BATCH as u64), output)?;
            }
        }
        Ok(())
    }

    /// The number of the first sample of output that the input so far does not make.
    fn due(&self) -> u64 {
        if self.shorter == 0.0 {
            return self.taken + self.advance;
        }
        // N / (1 − shorter), with the small part apart so that it keeps its digits.
        let more = self.taken as f64 * (self.shorter / (1.0 - self.shorter));
        self.taken.saturating_add_signed(more.floor() as i64) + self.advance
    }

    /// The piece that holds at a sample of output; most often the one that held last.
    fn piece_at(&self, number: u64) -> usize {
        let holds = |piece: usize| {
            self.bases[piece].first <= number && self.bases.get(piece + 1).is_none_or(|next| number < next.first)
        };
        if holds(self.piece) {
            return self.piece;
        }
        self.bases.partition_point(|base| base.first <= number).saturating_sub(1)
    }

    /// Where a sample of output lies.
    fn place(&self, number: u64, piece: usize) -> Place {
        let base = &self.bases[piece];
        let seconds = (number - base.first) as f64 * (1.0 - self.shorter) / self.rate_hz + base.late_s;
        let motion = self.pieces.pieces[piece].motion(seconds);
        let behind = base.samples.1 + motion.delay_s * self.rate_hz + number as f64 * self.shorter;
        let ahead = (-behind).floor();
        let whole = number as i64 - base.samples.0 + ahead as i64;
        Place { whole, fraction: -behind - ahead, turns: -base.turns - self.carrier_hz * motion.delay_s, motion }
    }

    /// How a block is made, if not each sample by itself. It depends on the number of its first sample alone, so that it is the same
    /// however samples come.
    fn plan(&self, start: u64) -> Option<Smooth> {
        let piece = self.piece_at(start);
        if self.bases.get(piece + 1).is_some_and(|next| next.first < start + BLOCK as u64) {
            return None;
        }
        let place = self.place(start, piece);
        let step_s = (1.0 - self.shorter) / self.rate_hz;
        let drift = place.motion.rate * (1.0 - self.shorter) + self.shorter;
        let last = place.fraction - drift * (BLOCK - 1) as f64;
        if !(0.0..1.0).contains(&last) || (last - place.fraction).abs() > 1.0 / PHASES as f64 {
            return None;
        }
        let turn = -self.carrier_hz * step_s;
        let phase = Phase {
            turns: turns_u32(place.turns),
            step: turns_u32(turn * place.motion.rate),
            bend: turns_u32(turn * step_s * place.motion.acceleration / 2.0),
        };
        Some(Smooth { whole: place.whole, first: place.fraction, last, phase })
    }

    /// Makes samples up to `end`.
    fn make(&mut self, end: u64, output: &mut Vec<Complex32>) -> Result<(), RingError> {
        let begin = self.made;
        let whole = |number| self.place(number, self.piece_at(number)).whole;
        // The place in the input never runs backwards, since the delay never outruns time; one sample more on either side is for rounding.
        let first = whole(begin) - HALF as i64;
        let last = whole(end - 1) + HALF as i64 + 1;
        let done = whole(end) - HALF as i64 - 1;
        self.read(first, (last + 1 - first) as usize)?;
        let at = output.len();
        output.resize(at + (end - begin) as usize, Complex32::ZERO);
        let (this, out) = (&*self, &mut output[at..]);
        this.instructions.run(
            #[inline(always)]
            || this.render(begin, first, out),
        );
        self.piece = self.piece_at(end);
        self.made = end;
        self.ring.release(done.max(0) as u64);
        Ok(())
    }

    /// Copies what was sent from number `first` on; before the first sample and after the last is silence.
    fn read(&mut self, first: i64, length: usize) -> Result<(), RingError> {
        self.window.clear();
        self.window.resize(length, Complex32::ZERO);
        let end = (first + length as i64).min(self.taken as i64);
        let from = first.max(0);
        if from < end {
            let skip = (from - first) as usize;
            self.ring.read(from as u64, &mut self.window[skip..skip + (end - from) as usize])?;
        }
        Ok(())
    }

    /// Makes the samples from number `begin` on out of the window, which begins at number `first` of the input.
    #[inline(always)]
    fn render(&self, begin: u64, first: i64, mut out: &mut [Complex32]) {
        let window: &[f32] = pulp::bytemuck::cast_slice(&self.window);
        let mut number = begin;
        while !out.is_empty() {
            let lane = (number % BLOCK as u64) as usize;
            let (now, later) = out.split_at_mut(out.len().min(BLOCK - lane));
            match self.plan(number - lane as u64) {
                Some(block) => {
                    let from = (block.whole - (HALF as i64 - 1) - first + lane as i64) as usize;
                    self.smooth(&block, lane, &window[2 * from..], now);
                }
                None => self.single(number, first, window, now),
            }
            number += now.len() as u64;
            out = later;
        }
    }

    /// Makes some samples of a block, from number `lane` of it on.
    #[inline(always)]
    fn smooth(&self, block: &Smooth, lane: usize, window: &[f32], out: &mut [Complex32]) {
        const SIDE: usize = BLOCK / 2;
        let start = self.interpolator.at(block.first);
        let end = self.interpolator.at(block.last);
        let mut slope = [0.0; TAPS];
        for k in 0..TAPS {
            slope[k] = (end[k] - start[k]) * (1.0 / (BLOCK - 1) as f32);
        }
        if out.len() == BLOCK {
            for (side, out) in out.chunks_exact_mut(SIDE).enumerate() {
                lanes::<SIDE, { 2 * SIDE }>(&start, &slope, block.phase, side * SIDE, &window[2 * side * SIDE..], out);
            }
        } else {
            for (n, out) in out.chunks_exact_mut(1).enumerate() {
                lanes::<1, 2>(&start, &slope, block.phase, lane + n, &window[2 * n..], out);
            }
        }
    }

    /// Makes samples one by one, from `number` on.
    #[inline(always)]
    fn single(&self, number: u64, first: i64, window: &[f32], out: &mut [Complex32]) {
        for (n, out) in out.iter_mut().enumerate() {
            let number = number + n as u64;
            let place = self.place(number, self.piece_at(number));
            let from = 2 * (place.whole - (HALF as i64 - 1) - first) as usize;
            let taps = self.interpolator.at(place.fraction);
            let phase = Phase { turns: turns_u32(place.turns), step: 0, bend: 0 };
            lanes::<1, 2>(&taps, &[0.0; TAPS], phase, 0, &window[from..], std::slice::from_mut(out));
        }
    }
}

/// Filters and turns `N` samples, of which the first is number `lane` of its block. `M` is twice `N`.
#[inline(always)]
pub(crate) fn lanes<const N: usize, const M: usize>(
    start: &[f32; TAPS],
    slope: &[f32; TAPS],
    phase: Phase,
    lane: usize,
    window: &[f32],
    out: &mut [Complex32],
) {
    let window = &window[..M + 2 * (TAPS - 1)];
    let (mut level, mut growth) = ([0f32; M], [0f32; M]);
    for k in 0..TAPS {
        let samples = &window[2 * k..2 * k + M];
        for i in 0..M {
            level[i] += start[k] * samples[i];
            growth[i] += slope[k] * samples[i];
        }
    }
    for i in 0..M {
        level[i] += growth[i] * (lane + i / 2) as i32 as f32;
    }
    for (n, out) in out.iter_mut().enumerate().take(N) {
        let (sine, cosine) = sin_cos(phase.at((lane + n) as u32));
        let (re, im) = (level[2 * n], level[2 * n + 1]);
        *out = Complex32::new(re * cosine - im * sine, re * sine + im * cosine);
    }
}

fn base(piece: &Piece, rate_hz: f64, carrier_hz: f64, shorter: f64) -> Base {
    let clock = rate_hz / (1.0 - shorter);
    let samples = product(piece.base_s, rate_hz);
    let turns = product(piece.base_s, carrier_hz).1;
    // A piece that begins before the first sample, or has no beginning, holds from there.
    let first = (piece.start_s * clock).ceil().max(0.0);
    let late_s = if piece.start_s.is_finite() { first / clock - piece.start_s } else { 0.0 };
    Base { samples, turns, first: first as u64, late_s }
}

/// An angle in turns, whole ones left out, in units of 2⁻³².
pub(crate) fn turns_u32(turns: f64) -> u32 {
    ((turns - turns.floor()) * 4_294_967_296.0) as u64 as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thousand million samples on, against whole numbers: the delay is a whole number of 2⁻⁶⁰ s.
    #[test]
    fn the_phase_of_a_high_carrier_is_right_hours_on() {
        const CARRIER_HZ: u64 = 8_420_000_123;
        let rate_hz = f64::from(1 << 20);
        let (start, rate) = (1200.0 + 1.0 / 1024.0, -(1.0 / 65_536.0 + 1.0 / 33_554_432.0));
        let law = DelayLaw::Polynomial { coefficients: vec![start, rate], duration_s: 1e5 };
        let ring = RingConfig { memory_bytes: 1 << 40, spill: None };
        let config = DelayConfig { law, carrier_hz: CARRIER_HZ as f64, clock_ppm: 0.0, ring };
        let delay = Delay::new(&config, rate_hz).unwrap();
        let units = |x: f64| (x * 2f64.powi(40)) as i128;
        for number in [0, 32, 1_000_000_000, 1_000_000_032, 40_000_000_000u64] {
            let exact_s = units(start) * (1 << 20) + units(rate) * i128::from(number);
            let turns = -(exact_s * i128::from(CARRIER_HZ)).rem_euclid(1 << 60) as f64 / 2f64.powi(60);
            let place = delay.place(number, delay.piece_at(number));
            let off = (place.turns - turns + 0.5).rem_euclid(1.0) - 0.5;
            assert!(off.abs() < 1e-6, "sample {number}: {off:e} turns");
            let position = i128::from(number) * (1 << 40) - exact_s;
            let off = place.whole as f64 + place.fraction - position as f64 / 2f64.powi(40);
            assert!(off.abs() < 1e-5, "sample {number}: {off:e} samples");
        }
    }

    #[test]
    fn blocks_follow_the_phase_of_each_sample() {
        let law = DelayLaw::Polynomial { coefficients: vec![0.003, -2.4e-5, 2e-7, 1e-10], duration_s: 60.0 };
        let config = DelayConfig { law, carrier_hz: 8.4e9, clock_ppm: 0.0, ring: RingConfig::default() };
        let delay = Delay::new(&config, 2e5).unwrap();
        let (mut smooth, mut worst) = (0, 0f64);
        for start in (0..10_000_000).step_by(10_016) {
            let Some(block) = delay.plan(start) else { continue };
            smooth += 1;
            for lane in 0..BLOCK as u32 {
                let exact = delay.place(start + u64::from(lane), delay.piece_at(start)).turns;
                let off = f64::from(block.phase.at(lane).wrapping_sub(turns_u32(exact)) as i32) / 2f64.powi(32);
                worst = worst.max(off.abs());
            }
        }
        assert!(smooth > 900 && worst < 1e-6, "{smooth} blocks, {worst:e} turns");
    }
}
