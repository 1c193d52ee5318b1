//! What is between the transmitter of one end and the receiver of the other.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use num_complex::Complex32;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

/// Why a medium cannot be made, or carries no more.
#[derive(Debug, Error)]
#[error("the medium: {0}")]
pub struct MediumError(
    /// What is wrong, and how to mend it.
    pub String,
);

/// One direction of the link, driven by the count of samples alone.
pub trait Medium: Send {
    /// Replaces consecutive samples of the transmitter by those that reach the receiver at the same sample numbers.
    ///
    /// Blocks may be of any length, and what comes out does not depend on where they are cut.
    ///
    /// # Errors
    /// The medium fails, for example since its store is full. The link then carries nothing more.
    fn carry(&mut self, samples: &mut [Complex32]) -> Result<(), MediumError>;

    /// How many samples ago what is received now was sent, to the nearest sample.
    fn delay_samples(&self) -> u64;
}

/// A whole number of samples of delay, and white Gaussian noise.
///
/// What is under way is kept in memory, 8 bytes a sample.
#[derive(Debug)]
pub struct DelayAndNoise {
    under_way: VecDeque<Complex32>,
    /// Standard deviation of the noise on each axis.
    sigma: f32,
    random: ChaCha8Rng,
}

/// Longest delay of [`DelayAndNoise`], in samples: 1 GiB of them.
pub const LONGEST_DELAY_SAMPLES: u64 = 1 << 27;

impl DelayAndNoise {
    /// Delays by `delay_samples`, at most [`LONGEST_DELAY_SAMPLES`], and adds noise of the power `noise_power` (the variance of the complex
    /// sample, half of it on each axis; full scale is 1), drawn from `seed`. A power of 0 leaves the samples as they are, bit for bit.
    ///
    /// # Errors
    /// The delay is too long, or the power is negative or no number.
    pub fn new(delay_samples: u64, noise_power: f64, seed: u64) -> Result<Self, MediumError> {
        if delay_samples > LONGEST_DELAY_SAMPLES {
            return Err(MediumError(format!(
                "a delay of {delay_samples} samples is kept in memory, where {LONGEST_DELAY_SAMPLES} at most are: lower the delay or the rate"
            )));
        }
        if !(noise_power.is_finite() && noise_power >= 0.0) {
            return Err(MediumError(format!("a noise power of {noise_power} cannot be: give a number from 0 on")));
        }
        let under_way = std::iter::repeat_n(Complex32::ZERO, delay_samples as usize).collect();
        Ok(DelayAndNoise {
            under_way,
            sigma: (noise_power / 2.0).sqrt() as f32,
            random: ChaCha8Rng::seed_from_u64(seed),
        })
    }

    /// A complex sample of variance 2: Box and Muller, Ann. Math. Stat. 29 (1958), 610.
    fn normal(&mut self) -> Complex32 {
        // In (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.random.random::<f64>()).ln()).sqrt();
        let angle = TAU * self.random.random::<f64>();
        Complex32::new((radius * angle.cos()) as f32, (radius * angle.sin()) as f32)
    }
}

impl Medium for DelayAndNoise {
    fn carry(&mut self, samples: &mut [Complex32]) -> Result<(), MediumError> {
        if !self.under_way.is_empty() {
            for sample in samples.iter_mut() {
                self.under_way.push_back(*sample);
                *sample = self.under_way.pop_front().unwrap_or_default();
            }
        }
        if self.sigma > 0.0 {
            for sample in samples {
                let noise = self.normal();
                *sample += noise * self.sigma;
            }
        }
        Ok(())
    }

    fn delay_samples(&self) -> u64 {
        self.under_way.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_after_the_delay_however_they_are_cut() {
        let sent: Vec<Complex32> = (1..=1000).map(|n| Complex32::new(n as f32, -(n as f32))).collect();
        for (delay, block) in [(0, 7), (1, 1), (37, 10), (37, 1000), (999, 64)] {
            let mut medium = DelayAndNoise::new(delay, 0.0, 0).unwrap();
            let mut got = sent.clone();
            got.chunks_mut(block).for_each(|part| medium.carry(part).unwrap());
            assert_eq!(medium.delay_samples(), delay);
            assert!(got[..delay as usize].iter().all(|s| *s == Complex32::ZERO));
            assert_eq!(got[delay as usize..], sent[..1000 - delay as usize], "{delay} {block}");
        }
    }

    #[test]
    fn noise_has_the_power_that_was_asked_for_on_both_axes() {
        let mut medium = DelayAndNoise::new(0, 0.5, 9).unwrap();
        let mut samples = vec![Complex32::ZERO; 200_000];
        medium.carry(&mut samples).unwrap();
        let power =
            |axis: fn(&Complex32) -> f32| samples.iter().map(|s| f64::from(axis(s)).powi(2)).sum::<f64>() / 200_000.0;
        // The variance of the estimate is 2 σ⁴ / n, so 5 of its standard deviations are 0.004.
        for axis in [power(|s| s.re), power(|s| s.im)] {
            assert!((axis - 0.25).abs() < 0.004, "{axis}");
        }
        let mut again = vec![Complex32::ZERO; 200_000];
        DelayAndNoise::new(0, 0.5, 9).unwrap().carry(&mut again).unwrap();
        assert_eq!(samples, again, "the same seed");
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_remedy() {
        let error = DelayAndNoise::new(LONGEST_DELAY_SAMPLES + 1, 0.0, 0).unwrap_err();
        assert!(error.to_string().contains("lower the delay or the rate"), "{error}");
        for power in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(DelayAndNoise::new(0, power, 0).is_err(), "{power}");
        }
    }
}
