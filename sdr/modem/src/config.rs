//! What a signal looks like, and what is refused.

/// How bits are put on the carrier.
///
/// Bits are numbered in the order they are sent; a 0 is a positive amplitude, as BPSK maps it in CCSDS 401.0-B (2.4.10 for QPSK).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Modulation {
    /// 0 at 0°, 1 at 180°.
    Bpsk,
    /// Two bits a symbol, the first on I, the second on Q: 00 at 45°, 10 at 135°, 11 at 225°, 01 at 315°.
    Qpsk,
    /// As QPSK, with Q half a symbol later than I.
    Oqpsk,
    /// Three bits a symbol, Gray: 000, 001, 011, 010, 110, 111, 101, 100 at 0°, 45°, … 315°.
    Psk8,
    /// Gaussian minimum shift keying, one bit a symbol, precoded so that bits alternate between I and Q as in OQPSK (CCSDS 401.0-B, 2.4.17A).
    Gmsk {
        /// Bandwidth of the Gaussian filter times the duration of a bit: 0.25 or 0.5 in the Blue Book; here 0.2 to 1.
        /// The receiver takes 0.4 to 1: below, neighbours disturb its phase detector more than it can bear.
        bandwidth_time: f64,
    },
    /// PCM/PSK/PM: a subcarrier, keyed with BPSK, modulates the carrier's phase and leaves a part of it in place (CCSDS 401.0-B, 2.3).
    ResidualCarrier {
        /// Peak phase deviation in radians, 0.1 to 1.5.
        index_rad: f64,
        /// What carries the bits.
        subcarrier: Subcarrier,
    },
}

impl Modulation {
    /// Bits that one symbol carries.
    pub fn bits_per_symbol(&self) -> u32 {
        match self {
            Self::Qpsk | Self::Oqpsk => 2,
            Self::Psk8 => 3,
            Self::Bpsk | Self::Gmsk { .. } | Self::ResidualCarrier { .. } => 1,
        }
    }

    /// Whether I and Q take turns, so that there are two strobes a symbol of OQPSK and one a bit of GMSK, each of one bit.
    pub(crate) fn staggered(&self) -> bool {
        matches!(self, Self::Oqpsk | Self::Gmsk { .. })
    }

    /// Instants at which the receiver looks at the matched filter, a symbol.
    pub(crate) fn strobes_per_symbol(&self) -> f64 {
        if matches!(self, Self::Oqpsk) { 2.0 } else { 1.0 }
    }

    fn shaped(&self) -> bool {
        matches!(self, Self::Bpsk | Self::Qpsk | Self::Oqpsk | Self::Psk8)
    }
}

/// The subcarrier of a residual-carrier signal. It is coherent with the symbols: each begins with a rising zero crossing, or its opposite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subcarrier {
    /// Its wave form.
    pub shape: SubcarrierShape,
    /// Its frequency as a multiple of the symbol rate, 1 to 32.
    pub cycles_per_symbol: u32,
}

/// The wave form of a subcarrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubcarrierShape {
    /// Telecommand, and telemetry near the Earth.
    Sine,
    /// Telemetry from deep space.
    Square,
}

/// A signal as both ends have to know it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// How bits become symbols.
    pub modulation: Modulation,
    /// Roll-off of the root-raised-cosine pulse, 0.1 to 1. Not used by GMSK and by residual carriers.
    pub roll_off: f64,
    /// Symbols a second.
    pub symbol_rate_hz: f64,
    /// Samples a second: at least twice the symbol rate, 8 times the subcarrier; any real ratio up to 4096.
    pub sample_rate_hz: f64,
}

impl Signal {
    /// Samples of one symbol.
    pub fn samples_per_symbol(&self) -> f64 {
        self.sample_rate_hz / self.symbol_rate_hz
    }

    /// Says which field is wrong, if one is.
    ///
    /// # Errors
    /// Whatever [`ConfigError`] lists about a signal.
    pub fn validate(&self) -> Result<(), ConfigError> {
        positive("symbol_rate_hz", self.symbol_rate_hz)?;
        positive("sample_rate_hz", self.sample_rate_hz)?;
        if self.modulation.shaped() {
            between("roll_off", self.roll_off, 0.1, 1.0)?;
        }
        let mut least = 2.0;
        match self.modulation {
            Modulation::Gmsk { bandwidth_time } => between("modulation.bandwidth_time", bandwidth_time, 0.2, 1.0)?,
            Modulation::ResidualCarrier { index_rad, subcarrier } => {
                between("modulation.index_rad", index_rad, 0.1, 1.5)?;
                let cycles = f64::from(subcarrier.cycles_per_symbol);
                between("modulation.subcarrier.cycles_per_symbol", cycles, 1.0, 32.0)?;
                least = 8.0 * cycles;
            }
            _ => {}
        }
        let (sps, most) = (self.samples_per_symbol(), 4096.0);
        // A ratio of two decimal fractions may miss a whole number by a rounding.
        if sps < least - 1e-9 {
            return Err(ConfigError::TooFewSamples { sps, least });
        }
        if sps > most {
            return Err(ConfigError::TooManySamples { sps, most });
        }
        Ok(())
    }
}

/// A field that cannot be used, with what would do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// Not a positive, finite number.
    #[error("`{field}` is {value}: give a positive number")]
    NotPositive {
        /// Its name.
        field: &'static str,
        /// What it was.
        value: f64,
    },
    /// Outside its range.
    #[error("`{field}` is {value}: give a number from {least} to {most}")]
    OutOfRange {
        /// Its name.
        field: &'static str,
        /// What it was.
        value: f64,
        /// Smallest allowed.
        least: f64,
        /// Largest allowed.
        most: f64,
    },
    /// The sample rate cannot hold the signal.
    #[error(
        "`sample_rate_hz` gives {sps} samples a symbol, and this modulation needs {least}: raise it or lower `symbol_rate_hz`"
    )]
    TooFewSamples {
        /// What there would be.
        sps: f64,
        /// What is needed.
        least: f64,
    },
    /// More samples a symbol than there is memory for.
    #[error("`sample_rate_hz` gives {sps} samples a symbol, more than {most}: lower it or raise `symbol_rate_hz`")]
    TooManySamples {
        /// What there would be.
        sps: f64,
        /// What is allowed.
        most: f64,
    },
    /// The signal, shifted as far as it may be, does not fit in the sample rate or the search.
    #[error(
        "`max_offset_hz` is {value}, and at this `sample_rate_hz` and `symbol_rate_hz` at most {most} can be searched: lower it or raise `sample_rate_hz`"
    )]
    OffsetTooWide {
        /// What it was.
        value: f64,
        /// What would do.
        most: f64,
    },
}

pub(crate) fn positive(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value > 0.0 { Ok(()) } else { Err(ConfigError::NotPositive { field, value }) }
}

pub(crate) fn between(field: &'static str, value: f64, least: f64, most: f64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { field, value, least, most }) }
}
