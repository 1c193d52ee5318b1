//! Fading of the whole band: Rice, Rayleigh, and the scintillation of a signal that passes near the Sun.

use num_complex::{Complex32, Complex64};

use crate::error::{ConfigError, within};
pub use crate::process::Spectrum;
use crate::process::{Lines, Process};
use crate::random::Purpose;

/// Fading by scattered waves beside a steady one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FadingConfig {
    /// Power of the steady part over that of the scattered part, in dB, from −100 to 100. None is Rayleigh's fading, without a steady part.
    pub k_factor_db: Option<f64>,
    /// Doppler spread of the scattered part in Hz; see [`Spectrum`]. From 1e-6 to a 64th of the sample rate.
    pub doppler_spread_hz: f64,
    /// Its spectrum.
    pub spectrum: Spectrum,
    /// Doppler of the steady part in Hz, against the middle of the scattered part's; to a 64th of the sample rate either way.
    pub line_of_sight_hz: f64,
}

/// Fading of mean power 1.
#[derive(Clone, Debug)]
pub struct Fading {
    steady: f64,
    scattered: f64,
    line_of_sight_hz: f64,
    process: Process,
    lines: Lines,
    rate_hz: f64,
}

impl Fading {
    /// Fading at a sample rate.
    ///
    /// # Errors
    /// A number outside its range.
    pub fn new(config: &FadingConfig, rate_hz: f64, seed: u64) -> Result<Self, ConfigError> {
        let rate_hz = within("rate_hz", rate_hz, 1.0..=1e11, "from 1 to 1e11, in samples a second")?;
        let most = rate_hz / 64.0;
        let words = format!("from 1e-6 to {most}, a 64th of the sample rate, in Hz");
        let spread = within("fading.doppler_spread_hz", config.doppler_spread_hz, 1e-6..=most, &words)?;
        let words = format!("from -{most} to {most}, a 64th of the sample rate, in Hz");
        let line = within("fading.line_of_sight_hz", config.line_of_sight_hz, -most..=most, &words)?;
        let k = match config.k_factor_db {
            None => 0.0,
            Some(db) => 10f64.powf(within("fading.k_factor_db", db, -100.0..=100.0, "from -100 to 100, in dB")? / 10.0),
        };
        Ok(Fading {
            steady: (k / (k + 1.0)).sqrt(),
            scattered: (1.0 / (k + 1.0)).sqrt(),
            line_of_sight_hz: line,
            process: Process::new(config.spectrum, spread, seed, Purpose::Fading, 0),
            lines: Lines::new(spread_to(config.spectrum, spread).max(line.abs()), rate_hz),
            rate_hz,
        })
    }

    /// Fades the samples that arrive next.
    pub fn apply(&mut self, samples: &mut [Complex32]) {
        let Fading { steady, scattered, line_of_sight_hz, process, lines, rate_hz } = self;
        lines.apply(samples, |number| {
            let seconds = number as f64 / *rate_hz;
            let turns = *line_of_sight_hz * seconds;
            Complex64::cis((turns - turns.floor()) * std::f64::consts::TAU) * *steady + process.at(seconds) * *scattered
        });
    }
}

/// The fastest wave that counts.
fn spread_to(spectrum: Spectrum, spread_hz: f64) -> f64 {
    match spectrum {
        Spectrum::Clarke => spread_hz,
        Spectrum::Gauss => 2.5 * spread_hz,
    }
}

/// How the power of a scintillating signal is distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerLaw {
    /// A steady part and a scattered part: from no fading at m = 0 to Rayleigh's at m = 1.
    Rice,
    /// The logarithm of the power is normal; for weak scintillation.
    LogNormal,
}

/// Scintillation near the Sun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScintillationConfig {
    /// Standard deviation of the power over its mean, from 0 to 1:
    /// [`scintillation_index`](farlink_channel_models::errors::scintillation_index) has it for a band and an angle from the Sun.
    pub index: f64,
    /// The law of the power.
    pub law: PowerLaw,
    /// The time over which the correlation of the fluctuation falls to 1/e, in s: about 0.2 at X band, 0.1 at Ka band. From ten
    /// samples on, up to 1e6.
    pub coherence_s: f64,
}

/// Scintillation of mean power 1.
#[derive(Clone, Debug)]
pub struct Scintillation {
    law: PowerLaw,
    index: f64,
    process: Process,
    lines: Lines,
    rate_hz: f64,
}

impl Scintillation {
    /// Scintillation at a sample rate.
    ///
    /// # Errors
    /// A number outside its range.
    pub fn new(config: &ScintillationConfig, rate_hz: f64, seed: u64) -> Result<Self, ConfigError> {
        let rate_hz = within("rate_hz", rate_hz, 1.0..=1e11, "from 1 to 1e11, in samples a second")?;
        let index = within("scintillation.index", config.index, 0.0..=1.0, "from 0 to 1")?;
        let least = 64.0 / rate_hz;
        let words = format!("from {least}, 64 samples, to 1e6, in seconds");
        let coherence = within("scintillation.coherence_s", config.coherence_s, least..=1e6, &words)?;
        // e^(−2(π · spread · τ)²) is 1/e.
        let spread = 1.0 / (std::f64::consts::PI * std::f64::consts::SQRT_2 * coherence);
        Ok(Scintillation {
            law: config.law,
            index,
            process: Process::new(Spectrum::Gauss, spread, seed, Purpose::Scintillation, 0),
            lines: Lines::new(spread_to(Spectrum::Gauss, spread), rate_hz),
            rate_hz,
        })
    }

    /// Fades the samples that arrive next.
    pub fn apply(&mut self, samples: &mut [Complex32]) {
        let Scintillation { law, index, process, lines, rate_hz } = self;
        let m = *index;
        lines.apply(samples, |number| {
            let normal = process.at(number as f64 / *rate_hz);
            match law {
                PowerLaw::Rice => {
                    // The square of the steady part's power is 1 − m², since the variance of the whole is 1 less that.
                    let steady = (1.0 - m * m).sqrt();
                    steady.sqrt() + normal * (1.0 - steady).sqrt()
                }
                PowerLaw::LogNormal => {
                    let variance = (m * m).ln_1p();
                    // The real axis has a variance of a half.
                    let logarithm = normal.re * (2.0 * variance).sqrt() - variance / 2.0;
                    Complex64::new((logarithm / 2.0).exp(), 0.0)
                }
            }
        });
    }
}
