//! Signals of others in the band.

use num_complex::Complex32;

use crate::delay::turns_u32;
use crate::error::{ConfigError, within};
use crate::random::{Key, Purpose};
use crate::vector::sin_cos;

/// One interferer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InterferenceConfig {
    /// A tone.
    Tone {
        /// Its frequency in Hz against the middle of the band, within half the sample rate.
        frequency_hz: f64,
        /// Its power, in the units of the square of a sample.
        power: f64,
    },
    /// A tone that runs from one frequency to another, and begins again.
    Sweep {
        /// Where it begins, in Hz, within half the sample rate.
        from_hz: f64,
        /// Where it ends, likewise.
        to_hz: f64,
        /// How long it takes, in s: at least two samples, at most 1e6 s.
        period_s: f64,
        /// Its power.
        power: f64,
    },
    /// White noise that comes and goes.
    Burst {
        /// Its mean power while it is there.
        power: f64,
        /// From the beginning of a burst to that of the next, in s: at least two samples, at most 1e6 s.
        period_s: f64,
        /// The part of that during which it is there, from 0 to 1.
        duty: f64,
    },
}

/// An interferer.
#[derive(Clone, Debug)]
pub struct Interference {
    config: InterferenceConfig,
    rate_hz: f64,
    /// Samples of a period.
    period: f64,
    key: Key,
    next: u64,
}

/// Samples whose phase is worked out together.
const BLOCK: u64 = 32;

impl Interference {
    /// An interferer at a sample rate, the `which`th of a channel.
    ///
    /// # Errors
    /// A number outside its range; the field begins with `interference[which]`.
    pub fn new(config: InterferenceConfig, rate_hz: f64, seed: u64, which: u32) -> Result<Self, ConfigError> {
        let rate_hz = within("rate_hz", rate_hz, 1.0..=1e11, "from 1 to 1e11, in samples a second")?;
        let check = |field: &str, value: f64, range: std::ops::RangeInclusive<f64>, words: &str| {
            within(&format!("interference[{which}].{field}"), value, range, words)
        };
        let half = rate_hz / 2.0;
        let words = format!("from -{half} to {half}, half the sample rate, in Hz");
        let frequency = |field: &str, value: f64| check(field, value, -half..=half, &words);
        let period = |value: f64| {
            check(
                "period_s",
                value,
                2.0 / rate_hz..=1e6,
                &format!("from {}, two samples, to 1e6, in seconds", 2.0 / rate_hz),
            )
        };
        let period = match config {
            InterferenceConfig::Tone { frequency_hz, power } => {
                frequency("frequency_hz", frequency_hz)?;
                check("power", power, 0.0..=1e30, "from 0 to 1e30")?;
                1.0
            }
            InterferenceConfig::Sweep { from_hz, to_hz, period_s, power } => {
                frequency("from_hz", from_hz)?;
                frequency("to_hz", to_hz)?;
                check("power", power, 0.0..=1e30, "from 0 to 1e30")?;
                period(period_s)? * rate_hz
            }
            InterferenceConfig::Burst { power, period_s, duty } => {
                check("power", power, 0.0..=1e30, "from 0 to 1e30")?;
                check("duty", duty, 0.0..=1.0, "from 0 to 1")?;
                period(period_s)? * rate_hz
            }
        };
        Ok(Interference { config, rate_hz, period, key: Key::new(seed, Purpose::Burst, which), next: 0 })
    }

    /// Adds it to the samples that arrive next.
    pub fn add(&mut self, samples: &mut [Complex32]) {
        let mut rest = samples;
        while !rest.is_empty() {
            let within = self.next % BLOCK;
            let (now, later) = rest.split_at_mut(rest.len().min((BLOCK - within) as usize));
            self.block(self.next - within, within, now);
            self.next += now.len() as u64;
            rest = later;
        }
    }

    /// Adds to samples of the block that begins at `start`.
    fn block(&self, start: u64, within: u64, samples: &mut [Complex32]) {
        match self.config {
            InterferenceConfig::Tone { frequency_hz, power } => {
                let (_, turns) = crate::law::product(frequency_hz / self.rate_hz, start as f64);
                let step = turns_u32(frequency_hz / self.rate_hz);
                let amplitude = power.sqrt() as f32;
                for (sample, lane) in samples.iter_mut().zip(within as u32..) {
                    *sample += tone(turns_u32(turns).wrapping_add(step.wrapping_mul(lane)), amplitude);
                }
            }
            InterferenceConfig::Sweep { from_hz, to_hz, power, .. } => {
                let amplitude = power.sqrt() as f32;
                for (sample, lane) in samples.iter_mut().zip(within..) {
                    let since = (start + lane) as f64 % self.period;
                    let mean_hz = from_hz + (to_hz - from_hz) * since / (2.0 * self.period);
                    *sample += tone(turns_u32(mean_hz * since / self.rate_hz), amplitude);
                }
            }
            InterferenceConfig::Burst { power, duty, .. } => {
                let deviation = (power / 2.0).sqrt() as f32;
                for (sample, lane) in samples.iter_mut().zip(within..) {
                    let number = start + lane;
                    if (number as f64 % self.period) < duty * self.period {
                        let [x, y, ..] = self.key.normals(number);
                        *sample += Complex32::new(x * deviation, y * deviation);
                    }
                }
            }
        }
    }
}

fn tone(turns: u32, amplitude: f32) -> Complex32 {
    let (sine, cosine) = sin_cos(turns);
    Complex32::new(cosine * amplitude, sine * amplitude)
}
