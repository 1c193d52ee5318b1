//! Oscillators that are off, drift and waver.

use num_complex::Complex32;

use crate::delay::{BLOCK, Phase, turns_u32};
use crate::error::{ConfigError, within};
use crate::law::product;
use crate::phase_mask::{PhaseMask, Sections};
use crate::random::{Key, Purpose};
use crate::vector::{Instructions, sin_cos};

/// How far the oscillators of both ends are off, taken together. That of the sample clock is
/// [`clock_ppm`](crate::delay::DelayConfig::clock_ppm) of the delay, which is what resamples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OscillatorConfig {
    /// By how many Hz the signal comes out too high, at the first sample; to half the sample rate either way.
    pub offset_hz: f64,
    /// By how many Hz a second that grows, from −1e9 to 1e9.
    pub drift_hz_per_s: f64,
    /// The width of the line in Hz between the points of half power, of a phase that walks at random (Wiener): the variance of the phase grows by
    /// 2π times this a second. From 0 to a hundredth of the sample rate.
    pub linewidth_hz: f64,
    /// Phase noise by a mask, beside that.
    pub mask: Option<PhaseMask>,
}

/// Turns samples by the phase of an oscillator.
#[derive(Clone, Debug)]
pub struct Oscillator {
    turns_per_sample: f64,
    turns_per_sample2: f64,
    /// Standard deviation of a step of the walk, in units of 2⁻⁶⁴ turns.
    walk_step: f64,
    walk: u64,
    walk_key: Key,
    steps: [f32; 4],
    sections: Option<Sections>,
    next: u64,
    instructions: Instructions,
}

impl Oscillator {
    /// An oscillator at a sample rate.
    ///
    /// # Errors
    /// A number outside its range, or a mask that no noise follows.
    pub fn new(config: &OscillatorConfig, rate_hz: f64, seed: u64) -> Result<Self, ConfigError> {
        let rate_hz = within("rate_hz", rate_hz, 1.0..=1e11, "from 1 to 1e11, in samples a second")?;
        let half = rate_hz / 2.0;
        let words = format!("from -{half} to {half}, half the sample rate, in Hz");
        let offset = within("oscillator.offset_hz", config.offset_hz, -half..=half, &words)?;
        let words = "from -1e9 to 1e9, in Hz a second";
        let drift = within("oscillator.drift_hz_per_s", config.drift_hz_per_s, -1e9..=1e9, words)?;
        let words = format!("from 0 to {}, a hundredth of the sample rate, in Hz", rate_hz / 100.0);
        let width = within("oscillator.linewidth_hz", config.linewidth_hz, 0.0..=rate_hz / 100.0, &words)?;
        let sections = config.mask.as_ref().map(|mask| Sections::new(mask, rate_hz, seed)).transpose()?;
        Ok(Oscillator {
            turns_per_sample: offset / rate_hz,
            turns_per_sample2: drift / (rate_hz * rate_hz),
            walk_step: (std::f64::consts::TAU * width / rate_hz).sqrt() / std::f64::consts::TAU * 2f64.powi(64),
            walk: 0,
            walk_key: Key::new(seed, Purpose::PhaseWalk, 0),
            steps: [0.0; 4],
            sections,
            next: 0,
            instructions: Instructions::fastest(),
        })
    }

    /// The same oscillator by other instructions.
    #[must_use]
    pub fn with(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions;
        self
    }

    /// Turns the samples that come next.
    pub fn apply(&mut self, samples: &mut [Complex32]) {
        let mut rest = samples;
        while !rest.is_empty() {
            let lane = (self.next % BLOCK as u64) as usize;
            let (now, later) = rest.split_at_mut(rest.len().min(BLOCK - lane));
            let start = (self.next - lane as u64) as f64;
            let turns =
                product(self.turns_per_sample, start).1 + product(self.turns_per_sample2 / 2.0 * start, start).1;
            let phase = Phase {
                turns: turns_u32(turns),
                step: turns_u32(self.turns_per_sample + self.turns_per_sample2 * start),
                bend: turns_u32(self.turns_per_sample2 / 2.0),
            };
            let noise = self.noise(now.len());
            self.instructions.run(
                #[inline(always)]
                || {
                    for (n, sample) in now.iter_mut().enumerate() {
                        let (sine, cosine) = sin_cos(phase.at((lane + n) as u32).wrapping_add(noise[n]));
                        let (re, im) = (sample.re, sample.im);
                        *sample = Complex32::new(re * cosine - im * sine, re * sine + im * cosine);
                    }
                },
            );
            self.next += now.len() as u64;
            rest = later;
        }
    }

    /// The phase noise of the samples that come next.
    fn noise(&mut self, length: usize) -> [u32; BLOCK] {
        let mut noise = [0; BLOCK];
        if self.walk_step > 0.0 {
            for (number, noise) in (self.next..).zip(&mut noise[..length]) {
                let of_four = (number % 4) as usize;
                if of_four == 0 {
                    self.steps = self.walk_key.normals(number / 4);
                }
                self.walk = self.walk.wrapping_add_signed((f64::from(self.steps[of_four]) * self.walk_step) as i64);
                *noise = (self.walk >> 32) as u32;
            }
        }
        if let Some(sections) = &mut self.sections {
            for noise in &mut noise[..length] {
                *noise = noise.wrapping_add(turns_u32(sections.next_turns()));
            }
        }
        noise
    }
}
