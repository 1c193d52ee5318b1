//! White Gaussian noise.

use num_complex::Complex32;

use crate::error::{ConfigError, within};
use crate::random::{Key, Purpose, normal_pair};
use crate::vector::Instructions;

/// Samples that one turn of the loop makes.
const GROUP: usize = 64;

/// Adds complex white Gaussian noise. What is added to a sample follows from the seed and the number of the sample alone.
#[derive(Clone, Debug)]
pub struct Noise {
    key: Key,
    /// Standard deviation of one axis.
    deviation: f32,
    next: u64,
    instructions: Instructions,
}

impl Noise {
    /// Noise of variance `n0` a complex sample, half of it on each axis: density N0 at one sample a second.
    ///
    /// # Errors
    /// `n0` is below 0, above 1e30 or no number.
    pub fn new(n0: f64, seed: u64) -> Result<Self, ConfigError> {
        let n0 = within("n0", n0, 0.0..=1e30, "from 0 to 1e30, the variance of a complex sample")?;
        Ok(Noise {
            key: Key::new(seed, Purpose::Noise, 0),
            deviation: (n0 / 2.0).sqrt() as f32,
            next: 0,
            instructions: Instructions::fastest(),
        })
    }

    /// The same noise by other instructions.
    #[must_use]
    pub fn with(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions;
        self
    }

    /// Adds noise to the samples that come next.
    pub fn add(&mut self, samples: &mut [Complex32]) {
        let (key, deviation, first) = (self.key, self.deviation, self.next);
        self.next += samples.len() as u64;
        let (head, rest) =
            samples.split_at_mut(samples.len().min((first.next_multiple_of(GROUP as u64) - first) as usize));
        self.instructions.run(
            #[inline(always)]
            || {
                let mut noise = [Complex32::ZERO; GROUP];
                let group = first / GROUP as u64;
                if !head.is_empty() {
                    fill(key, group, deviation, &mut noise);
                    let skip = (first % GROUP as u64) as usize;
                    add(head, &noise[skip..]);
                }
                let group = first.div_ceil(GROUP as u64);
                for (number, block) in (group..).zip(rest.chunks_mut(GROUP)) {
                    fill(key, number, deviation, &mut noise);
                    add(block, &noise);
                }
            },
        );
    }
}

#[inline(always)]
fn add(samples: &mut [Complex32], noise: &[Complex32]) {
    for (sample, noise) in samples.iter_mut().zip(noise) {
        sample.re += noise.re;
        sample.im += noise.im;
    }
}

/// Makes the samples of one group.
#[inline(always)]
fn fill(key: Key, group: u64, deviation: f32, noise: &mut [Complex32; GROUP]) {
    const HALF: usize = GROUP / 2;
    let (first, second) = noise.split_at_mut(HALF);
    // A group begins at a multiple of 32, so that adding the lane carries into no other word.
    let place = group * HALF as u64;
    for lane in 0..HALF {
        let [a, b, c, d] = key.words(place + lane as u64);
        let (x, y) = normal_pair(a, b);
        first[lane] = Complex32::new(x * deviation, y * deviation);
        let (x, y) = normal_pair(c, d);
        second[lane] = Complex32::new(x * deviation, y * deviation);
    }
}

/// N0 for a mean power of the signal, in the same units as the square of a sample.
///
/// `samples_per_bit` is the sample rate over the rate of information bits: the energy of a bit is the mean power times it.
///
/// # Errors
/// A number that is not finite, a power below 0, fewer than 1e-3 samples a bit.
pub fn n0_from_eb_n0(eb_n0_db: f64, mean_power: f64, samples_per_bit: f64) -> Result<f64, ConfigError> {
    let ratio = within("eb_n0_db", eb_n0_db, -200.0..=200.0, "of dB from -200 to 200")?;
    let power = within("mean_power", mean_power, 0.0..=1e9, "from 0 to 1e9")?;
    let samples = within("samples_per_bit", samples_per_bit, 1e-3..=1e9, "from 0.001 to 1e9")?;
    Ok(power * samples / 10f64.powf(ratio / 10.0))
}
