//! The quantities of a radio link.

use std::fmt;

use crate::quantity::{Decimal, Quantity, read_with_unit};

/// A frequency in hertz, above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Frequency(f64);

impl Frequency {
    /// A frequency of `hz` hertz; `None` unless it is finite and above zero.
    pub fn from_hz(hz: f64) -> Option<Self> {
        (hz.is_finite() && hz > 0.0).then_some(Frequency(hz))
    }

    /// Hertz.
    pub const fn hz(self) -> f64 {
        self.0
    }
}

/// A power, above zero. It is written in watts or against a watt or milliwatt, and kept in dBW, as link budgets add it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Power(f64);

impl Power {
    /// Decibels above a watt.
    pub const fn dbw(self) -> f64 {
        self.0
    }
}

/// A gain (above 0), a loss or a margin in decibels; of an antenna, against an isotropic one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Decibels(f64);

impl Decibels {
    /// Decibels.
    pub const fn db(self) -> f64 {
        self.0
    }
}

/// The figure of merit G/T of a receiver, in dB/K.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct GainOverTemperature(f64);

impl GainOverTemperature {
    /// Decibels per kelvin.
    pub const fn db_per_k(self) -> f64 {
        self.0
    }
}

/// A noise temperature in kelvins, above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Temperature(f64);

impl Temperature {
    /// Kelvins.
    pub const fn kelvin(self) -> f64 {
        self.0
    }
}

fn above_zero(value: Decimal) -> Option<f64> {
    Some(value.to_f64()).filter(|v| v.is_finite() && *v > 0.0)
}

/// No gain or loss of a radio link is larger.
const MOST_DB: f64 = 1000.0;

fn decibels(value: Decimal) -> Option<f64> {
    Some(value.to_f64()).filter(|v| v.abs() <= MOST_DB)
}

impl Quantity for Frequency {
    const KIND: &'static str = "frequency";
    const EXAMPLE: &'static str = "8.42 GHz";
    const RANGE: &'static str = "above 0";
    const UNITS: &'static [(&'static str, u64, i32)] = &[("Hz", 1, 0), ("kHz", 1, 3), ("MHz", 1, 6), ("GHz", 1, 9)];
    fn from_base(value: Decimal) -> Option<Self> {
        above_zero(value).map(Frequency)
    }
}

impl Quantity for Power {
    const KIND: &'static str = "power";
    const EXAMPLE: &'static str = "20 W";
    const RANGE: &'static str = "above 0 W, or from -1000 dBW to 1000 dBW";
    const UNITS: &'static [(&'static str, u64, i32)] =
        &[("mW", 1, -3), ("W", 1, 0), ("kW", 1, 3), ("dBW", 1, 0), ("dBm", 1, 0)];
    fn from_base(value: Decimal) -> Option<Self> {
        above_zero(value).map(|watts| Power(10.0 * watts.log10()))
    }
    fn from_unit(value: Decimal, unit: &str) -> Option<Option<Self>> {
        // These two are no multiples of a watt.
        match unit {
            "dBW" => Some(decibels(value).map(Power)),
            "dBm" => Some(decibels(value).map(|dbm| Power(dbm - 30.0))),
            _ => None,
        }
    }
}

impl Quantity for Decibels {
    const KIND: &'static str = "gain or loss";
    const EXAMPLE: &'static str = "3 dB";
    const RANGE: &'static str = "from -1000 dB to 1000 dB";
    const UNITS: &'static [(&'static str, u64, i32)] = &[("dB", 1, 0), ("dBi", 1, 0)];
    fn from_base(value: Decimal) -> Option<Self> {
        decibels(value).map(Decibels)
    }
}

impl Quantity for GainOverTemperature {
    const KIND: &'static str = "figure of merit G/T";
    const EXAMPLE: &'static str = "53.4 dB/K";
    const RANGE: &'static str = "from -1000 dB/K to 1000 dB/K";
    const UNITS: &'static [(&'static str, u64, i32)] = &[("dB/K", 1, 0)];
    fn from_base(value: Decimal) -> Option<Self> {
        decibels(value).map(GainOverTemperature)
    }
}

impl Quantity for Temperature {
    const KIND: &'static str = "noise temperature";
    const EXAMPLE: &'static str = "24 K";
    const RANGE: &'static str = "above 0 K";
    const UNITS: &'static [(&'static str, u64, i32)] = &[("K", 1, 0)];
    fn from_base(value: Decimal) -> Option<Self> {
        above_zero(value).map(Temperature)
    }
}

read_with_unit!(Frequency, Power, Decibels, GainOverTemperature, Temperature);

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (divisor, unit) = match self.0 {
            1e9.. => (1e9, "GHz"),
            1e6.. => (1e6, "MHz"),
            1e3.. => (1e3, "kHz"),
            _ => (1.0, "Hz"),
        };
        write!(f, "{} {unit}", self.0 / divisor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QuantityError;

    #[test]
    fn power_is_read_in_watts_and_against_them() {
        for (text, dbw) in [("20 W", 13.010_299_956_6), ("100 mW", -10.0), ("-3 dBW", -3.0), ("30 dBm", 0.0)] {
            assert!((text.parse::<Power>().unwrap().dbw() - dbw).abs() < 1e-9, "{text}");
        }
        for text in ["0 W", "-1 W", "1e9 dBW", "20", "20 dB"] {
            assert!(text.parse::<Power>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_other_quantities_name_their_units() {
        assert_eq!("8.42 GHz".parse::<Frequency>().unwrap().hz(), 8.42e9);
        assert_eq!("8.42 GHz".parse::<Frequency>().unwrap().to_string(), "8.42 GHz");
        assert_eq!("-2.5 dB".parse::<Decibels>().unwrap().db(), -2.5);
        assert_eq!("53.4 dB/K".parse::<GainOverTemperature>().unwrap().db_per_k(), 53.4);
        assert_eq!("24 K".parse::<Temperature>().unwrap().kelvin(), 24.0);
        let error = "8420".parse::<Frequency>().unwrap_err();
        assert!(
            matches!(error, QuantityError::MissingUnit { ref units, .. } if units == "Hz, kHz, MHz, GHz"),
            "{error}"
        );
        for text in ["0 Hz", "-1 GHz", "1e999 Hz"] {
            assert!(matches!(text.parse::<Frequency>(), Err(QuantityError::OutOfRange { .. })), "{text}");
        }
    }
}
