//! Echoes: the same signal by longer ways.

use num_complex::Complex32;

use crate::delay::{BLOCK, Phase, lanes, turns_u32};
use crate::error::{ConfigError, within};
use crate::interpolator::{HALF, Interpolator, TAPS};
use crate::law::product;
use crate::vector::Instructions;

/// By how many samples everything is late that goes through a [`Multipath`]: echoes between samples are made of those around them.
/// A channel takes them off its delay.
pub const LATENCY_SAMPLES: usize = HALF;

/// Most echoes.
pub const MOST_ECHOES: usize = 64;

/// Longest echo in samples.
pub const LONGEST_ECHO_SAMPLES: f64 = 1e6;

/// One way beside the direct one, whose gain is 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Echo {
    /// By how much it is later than the direct way, in s; from 0 to a million samples.
    pub delay_s: f64,
    /// Its gain against the direct way in dB, from −200 to 60.
    pub gain_db: f64,
    /// Its phase against the direct way at the first sample, in degrees.
    pub phase_deg: f64,
    /// Its Doppler against the direct way in Hz, within half the sample rate.
    pub doppler_hz: f64,
}

/// The direct way and its echoes.
#[derive(Clone, Debug)]
pub struct Multipath {
    ways: Vec<Way>,
    /// The samples before those that come next.
    history: Vec<Complex32>,
    /// How many of them are kept.
    reach: usize,
    next: u64,
    made: Vec<Complex32>,
    instructions: Instructions,
}

#[derive(Clone, Debug)]
struct Way {
    /// The whole part of its delay, before which its first tap lies.
    back: usize,
    taps: [f32; TAPS],
    start: f64,
    turns_per_sample: f64,
}

impl Multipath {
    /// Echoes at a sample rate.
    ///
    /// # Errors
    /// A number outside its range, or more than [`MOST_ECHOES`].
    pub fn new(echoes: &[Echo], rate_hz: f64) -> Result<Self, ConfigError> {
        let rate_hz = within("rate_hz", rate_hz, 1.0..=1e11, "from 1 to 1e11, in samples a second")?;
        if echoes.len() > MOST_ECHOES {
            let wrong = format!("{} echoes: give at most {MOST_ECHOES}", echoes.len());
            return Err(ConfigError::List { field: "multipath".into(), wrong });
        }
        let interpolator = Interpolator::new();
        let direct = Echo { delay_s: 0.0, gain_db: 0.0, phase_deg: 0.0, doppler_hz: 0.0 };
        let mut ways = Vec::with_capacity(echoes.len() + 1);
        for (index, echo) in std::iter::once(&direct).chain(echoes).enumerate() {
            let field = |name: &str| format!("multipath[{}].{name}", index.saturating_sub(1));
            let longest = LONGEST_ECHO_SAMPLES / rate_hz;
            let words = format!("from 0 to {longest}, a million samples, in seconds");
            within(&field("delay_s"), echo.delay_s, 0.0..=longest, &words)?;
            within(&field("gain_db"), echo.gain_db, -200.0..=60.0, "from -200 to 60, in dB")?;
            within(&field("phase_deg"), echo.phase_deg, -1e6..=1e6, "from -1e6 to 1e6, in degrees")?;
            let half = rate_hz / 2.0;
            let words = format!("from -{half} to {half}, half the sample rate, in Hz");
            within(&field("doppler_hz"), echo.doppler_hz, -half..=half, &words)?;
            let samples = echo.delay_s * rate_hz;
            let gain = 10f64.powf(echo.gain_db / 20.0) as f32;
            // The place is before the sample, so it lies a fraction after the one yet before.
            let back = samples.ceil();
            ways.push(Way {
                back: back as usize,
                taps: interpolator.at(back - samples).map(|tap| tap * gain),
                start: echo.phase_deg / 360.0,
                turns_per_sample: echo.doppler_hz / rate_hz,
            });
        }
        let reach = ways.iter().map(|way| way.back).max().unwrap_or(0) + TAPS - 1;
        let history = vec![Complex32::ZERO; reach];
        Ok(Multipath { ways, history, reach, next: 0, made: Vec::new(), instructions: Instructions::fastest() })
    }

    /// The same echoes by other instructions.
    #[must_use]
    pub fn with(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions;
        self
    }

    /// Puts the sum of all ways in the place of the samples that come next, [`LATENCY_SAMPLES`] late.
    pub fn apply(&mut self, samples: &mut [Complex32]) {
        self.history.extend_from_slice(samples);
        samples.fill(Complex32::ZERO);
        let Multipath { ways, history, reach, next, made, instructions } = self;
        made.resize(samples.len(), Complex32::ZERO);
        for way in ways.iter() {
            let first = *reach - way.back - (TAPS - 1);
            let window: &[f32] = pulp::bytemuck::cast_slice(&history[first..]);
            instructions.run(
                #[inline(always)]
                || {
                    way.render(*next, window, made);
                    for (sum, part) in samples.iter_mut().zip(made.iter()) {
                        sum.re += part.re;
                        sum.im += part.im;
                    }
                },
            );
        }
        *next += samples.len() as u64;
        let spent = history.len() - *reach;
        history.drain(..spent);
    }
}

impl Way {
    #[inline(always)]
    fn render(&self, next: u64, window: &[f32], out: &mut [Complex32]) {
        const SIDE: usize = BLOCK / 2;
        let mut done = 0;
        while done < out.len() {
            let number = next + done as u64;
            let lane = (number % BLOCK as u64) as usize;
            let length = (out.len() - done).min(BLOCK - lane);
            let turns = self.start + product(self.turns_per_sample, (number - lane as u64) as f64).1;
            let phase = Phase { turns: turns_u32(turns), step: turns_u32(self.turns_per_sample), bend: 0 };
            let (window, out) = (&window[2 * done..], &mut out[done..done + length]);
            let level = [0.0; TAPS];
            if length == BLOCK {
                for (side, out) in out.chunks_exact_mut(SIDE).enumerate() {
                    lanes::<SIDE, BLOCK>(&self.taps, &level, phase, side * SIDE, &window[2 * side * SIDE..], out);
                }
            } else {
                for (n, out) in out.chunks_exact_mut(1).enumerate() {
                    lanes::<1, 2>(&self.taps, &level, phase, lane + n, &window[2 * n..], out);
                }
            }
            done += length;
        }
    }
}
