//! Spectrum and waterfall of samples as they come, as data for any screen.
//!
//! A [`Spectrum`] takes samples and gives [`Row`]s: power over frequency, averaged by Welch's method (P. D. Welch, IEEE
//! Transactions on Audio and Electroacoustics 15, 1967), in dBFS or dBm/Hz. A [`Waterfall`] keeps the last of them, a
//! [`MaxHold`] the highest. All have a memory that is bounded by their configuration.
//!
//! - dBFS: the power in a bin of the transform against that of a complex tone of amplitude 1, which stands at 0 dBFS in the bin
//!   of its frequency. Noise stands higher the wider the bins are: a bin takes in [`Config::noise_bandwidth_hz`] of it.
//! - dBm/Hz: power density, given what full scale is in dBm. Noise stands at the same height whatever the bins are, and a tone
//!   does not.

mod peaks;
mod row;
mod welch;
mod window;

use thiserror::Error;

pub use peaks::Peak;
pub use row::{MaxHold, Row, Waterfall};
pub use welch::Spectrum;
pub use window::Window;

/// What power is measured against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// A complex tone of amplitude 1: dBFS.
    Dbfs,
    /// A milliwatt, and by the hertz: dBm/Hz.
    DbmPerHz {
        /// The power of a complex tone of amplitude 1, in dBm, at the antenna or wherever it was measured.
        full_scale_dbm: f64,
    },
}

impl Scale {
    /// The unit of levels.
    pub fn unit(self) -> &'static str {
        match self {
            Scale::Dbfs => "dBFS",
            Scale::DbmPerHz { .. } => "dBm/Hz",
        }
    }

    /// The unit of the power of a tone.
    pub fn tone_unit(self) -> &'static str {
        match self {
            Scale::Dbfs => "dBFS",
            Scale::DbmPerHz { .. } => "dBm",
        }
    }
}

/// How a spectrum is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Length of the transform, and bins of a row: 16 to 1,048,576.
    pub size: usize,
    /// By what each segment is weighted.
    pub window: Window,
    /// How much of a segment the next one takes again: 0 to below 1. With these windows, 0.5 to 0.75 uses all samples alike.
    pub overlap: f64,
    /// How many segments make a row: 1 to 1,000,000.
    pub average: usize,
    /// Samples a second.
    pub sample_rate_hz: f64,
    /// What stands in the middle, in Hz.
    pub center_hz: f64,
    /// What levels are.
    pub scale: Scale,
}

/// A spectrum that cannot be made.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{field} is {value}; it must be {meant}")]
pub struct ConfigError {
    /// Which field.
    pub field: &'static str,
    /// What it is.
    pub value: String,
    /// What it may be.
    pub meant: &'static str,
}

impl Config {
    /// Whether a spectrum can be made so.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let error = |field, value: String, meant| Err(ConfigError { field, value, meant });
        if !(16..=1 << 20).contains(&self.size) {
            return error("size", self.size.to_string(), "16 to 1048576");
        }
        if !(0.0..1.0).contains(&self.overlap) {
            return error("overlap", self.overlap.to_string(), "0 to below 1");
        }
        if !(1..=1_000_000).contains(&self.average) {
            return error("average", self.average.to_string(), "1 to 1000000");
        }
        if !(self.sample_rate_hz.is_finite() && self.sample_rate_hz > 0.0) {
            return error("sample_rate_hz", self.sample_rate_hz.to_string(), "positive");
        }
        if !self.center_hz.is_finite() {
            return error("center_hz", self.center_hz.to_string(), "finite");
        }
        if let Scale::DbmPerHz { full_scale_dbm } = self.scale
            && !full_scale_dbm.is_finite()
        {
            return error("full_scale_dbm", full_scale_dbm.to_string(), "finite");
        }
        Ok(())
    }

    /// Samples from the start of a segment to that of the next: at least 1.
    pub fn step(&self) -> usize {
        ((self.size as f64 * (1.0 - self.overlap)).round() as usize).clamp(1, self.size)
    }

    /// The width of a bin, in Hz.
    pub fn bin_hz(&self) -> f64 {
        self.sample_rate_hz / self.size as f64
    }

    /// The frequency of a bin, in Hz: bin 0 is the lowest, and the middle of the band is bin `size / 2`.
    pub fn frequency_hz(&self, bin: usize) -> f64 {
        self.center_hz + (bin as f64 - (self.size / 2) as f64) * self.bin_hz()
    }

    /// The equivalent noise bandwidth of a bin, in Hz: how much of white noise is in it.
    pub fn noise_bandwidth_hz(&self) -> f64 {
        self.window.noise_bandwidth() * self.bin_hz()
    }
}
