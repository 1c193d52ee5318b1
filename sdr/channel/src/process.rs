//! Slow random gains: normal processes with a spectrum, as functions of time alone.

use num_complex::{Complex32, Complex64};

use crate::random::{Key, Purpose};

/// Waves that a process is the sum of. The kurtosis of an axis is 3 − 1.5/WAVES, and no power above WAVES times the mean occurs.
pub(crate) const WAVES: u64 = 64;

/// How fast a process changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spectrum {
    /// Waves from all around, which move past at one speed (Clarke): the spectrum ends at the Doppler spread and is highest there.
    Clarke,
    /// A bell; the Doppler spread is its standard deviation, and the correlation over a time τ is e^(−2(π · spread · τ)²).
    Gauss,
}

/// A complex process of mean 0 and mean power 1, half of it on each axis, which are independent.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Turns a second and turns at the start.
    waves: Vec<(f64, f64)>,
}

impl Process {
    /// A process of a seed, one of several of the same purpose.
    pub fn new(spectrum: Spectrum, spread_hz: f64, seed: u64, purpose: Purpose, which: u32) -> Self {
        let key = Key::new(seed, purpose, which);
        let waves = (0..WAVES).map(|wave| {
            // Frequencies in equal parts of their distribution, so that the spectrum is right for every seed.
            let quantile = (wave as f64 + key.uniform(2 * wave)) / WAVES as f64;
            let frequency = match spectrum {
                Spectrum::Clarke => spread_hz * (std::f64::consts::PI * quantile).cos(),
                Spectrum::Gauss => spread_hz * normal_quantile(quantile),
            };
            (frequency, key.uniform(2 * wave + 1))
        });
        Process { waves: waves.collect() }
    }

    pub fn at(&self, seconds: f64) -> Complex64 {
        let sum: Complex64 = (self.waves.iter())
            .map(|(frequency, phase)| {
                let turns = frequency * seconds + phase;
                Complex64::cis((turns - turns.floor()) * std::f64::consts::TAU)
            })
            .sum();
        sum / (WAVES as f64).sqrt()
    }
}

/// The inverse of the normal distribution, by halving: it is asked for 64 times.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-9.0f64, 9.0f64);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if normal_distribution(middle) < p { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The normal distribution, by its series about 0 (or 1 and 0 far from it).
fn normal_distribution(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return f64::from(u8::from(x > 0.0));
    }
    let (mut sum, mut term) = (x, x);
    for k in 1..200 {
        term *= x * x / f64::from(2 * k + 1);
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

/// A gain that is worked out now and then, on straight lines between.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// Samples from one knot to the next: a power of two.
    hop: u64,
    /// The line in use: its number and its ends.
    line: Option<(u64, Complex32, Complex32)>,
    next: u64,
}

/// Knots for one turn of the fastest wave: the straight line between leaves (2π/64)²/8, −58 dB.
const KNOTS_PER_TURN: f64 = 64.0;

impl Lines {
    /// Lines that follow a gain which changes at up to so many turns a second.
    pub fn new(fastest_hz: f64, rate_hz: f64) -> Self {
        let most = (rate_hz / (KNOTS_PER_TURN * fastest_hz)).clamp(1.0, 4096.0);
        Lines { hop: 1 << most.log2().floor() as u32, line: None, next: 0 }
    }

    /// Multiplies the samples that come next by the gain; `gain` tells what it is at a sample.
    pub fn apply(&mut self, samples: &mut [Complex32], gain: impl Fn(u64) -> Complex64) {
        let narrow = |z: Complex64| Complex32::new(z.re as f32, z.im as f32);
        let mut rest = samples;
        while !rest.is_empty() {
            let number = self.next / self.hop;
            let within = self.next % self.hop;
            let (a, b) = match self.line {
                Some((at, a, b)) if at == number => (a, b),
                Some((at, _, b)) if at + 1 == number => (b, narrow(gain((number + 1) * self.hop))),
                _ => (narrow(gain(number * self.hop)), narrow(gain((number + 1) * self.hop))),
            };
            self.line = Some((number, a, b));
            let length = (self.hop - within).min(rest.len() as u64);
            let (now, later) = rest.split_at_mut(length as usize);
            let slope = (b - a) / self.hop as f32;
            for (n, sample) in now.iter_mut().enumerate() {
                *sample *= a + slope * (within as usize + n) as f32;
            }
            self.next += length;
            rest = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_normal_distribution() {
        for (p, x) in [(0.5, 0.0), (0.841_344_746, 1.0), (0.022_750_132, -2.0), (0.998_650_102, 3.0)] {
            assert!((normal_quantile(p) - x).abs() < 1e-6, "{p}");
        }
    }

    #[test]
    fn a_process_has_the_correlation_of_its_spectrum() {
        // Over a time in which each pair of waves turns against each other often.
        for (spectrum, expected) in [
            // J0(2π · 0.2) and e^(−2(π · 0.2)²).
            (Spectrum::Clarke, 0.6425),
            (Spectrum::Gauss, (-2.0 * (std::f64::consts::PI * 0.2f64).powi(2)).exp()),
        ] {
            let count = 20_000;
            let (mut power, mut product) = (0.0, Complex64::ZERO);
            for seed in 0..8 {
                let process = Process::new(spectrum, 1.0, seed, Purpose::Fading, 0);
                for n in 0..count {
                    let at = f64::from(n) * 1.737;
                    let (now, later) = (process.at(at), process.at(at + 0.2));
                    power += now.norm_sqr();
                    product += now.conj() * later;
                }
            }
            let n = f64::from(8 * count);
            assert!((power / n - 1.0).abs() < 0.02, "{spectrum:?}: power {}", power / n);
            assert!((product / n - expected).norm() < 0.03, "{spectrum:?}: {} not {expected}", product / n);
        }
    }
}
