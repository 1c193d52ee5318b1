//! Whether, where, how strongly and how often may be transmitted.

use std::str::FromStr;

use clap::Args;
use farlink_sdr_devices::safety::{Duty, Limits, Permit, Rules};
use farlink_units::{Decibels, Duration, Frequency, Ratio};

/// The window of the duty and the time of the dead-man timer where nothing is said.
const USUAL: Duration = Duration::from_secs(1);

/// The rules of a transmission. Without `--conducted` or `--licence` nothing is transmitted by a radio.
#[derive(Debug, Args)]
#[command(next_help_heading = "Permission to transmit")]
pub struct Permission {
    /// A cable leads to the receiver, with attenuators of so many dB: nothing is radiated.
    #[arg(long, value_name = "ATTENUATION", conflicts_with = "licence")]
    conducted: Option<Decibels>,
    /// It is radiated under this licence: the call sign, or who gave it under which number.
    #[arg(long, value_name = "NAME", requires = "band")]
    licence: Option<String>,
    /// The band of the licence: `435 MHz..438 MHz`.
    #[arg(long, value_name = "LOW..HIGH", requires = "licence")]
    band: Option<Band>,
    /// Frequencies beyond which nothing is transmitted, within the band.
    #[arg(long, value_name = "LOW..HIGH")]
    limit_frequency: Option<Band>,
    /// The highest gain. Without it, the gain that is asked for.
    #[arg(long, value_name = "GAIN", allow_hyphen_values = true)]
    limit_gain: Option<Decibels>,
    /// The occupied bandwidth of the signal, all of which must lie in the band. Without it, the sample rate.
    #[arg(long, value_name = "FREQUENCY")]
    occupied: Option<Frequency>,
    /// The greatest share of the time that may be transmitted.
    /// Counted within this command alone. Default 1.
    #[arg(long, value_name = "RATIO")]
    duty: Option<Ratio>,
    /// The window within which that share holds.
    /// Default 1 s.
    #[arg(long, value_name = "DURATION")]
    duty_window: Option<Duration>,
    /// The radio is silenced when this command has not said for so long that it is in control.
    /// Default 1 s.
    #[arg(long, value_name = "DURATION")]
    dead_man: Option<Duration>,
}

/// Two frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band(pub [f64; 2]);

impl FromStr for Band {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((low, high)) = text.split_once("..") else {
            return Err(format!("`{text}` is no band: write its edges with `..` between, as in `435 MHz..438 MHz`"));
        };
        let edge = |edge: &str| edge.parse::<Frequency>().map(Frequency::hz).map_err(|error| error.to_string());
        Ok(Band([edge(low)?, edge(high)?]))
    }
}

impl Permission {
    /// The rules for a transmission at a gain, or that none are given.
    pub fn rules(&self, gain_db: f64) -> Result<Option<Rules>, String> {
        let permit = match (&self.conducted, &self.licence, self.band) {
            (Some(attenuation), _, _) => Permit::Conducted { attenuation_db: attenuation.db() },
            (None, Some(name), Some(Band(band_hz))) => Permit::Licence { name: name.clone(), band_hz },
            _ if self.limit_frequency.is_some()
                || self.limit_gain.is_some()
                || self.occupied.is_some()
                || self.duty.is_some()
                || self.duty_window.is_some()
                || self.dead_man.is_some() =>
            {
                return Err("a limit is no permission: give --conducted or --licence beside it".to_owned());
            }
            _ => return Ok(None),
        };
        let rules = Rules {
            permit,
            limits: Limits {
                frequency_hz: self.limit_frequency.map(|Band(edges)| edges),
                gain_db: self.limit_gain.map_or(gain_db, Decibels::db),
                occupied_hz: self.occupied.map(Frequency::hz),
                duty: Duty {
                    share: self.duty.map_or(1.0, Ratio::get),
                    window_s: self.duty_window.unwrap_or(USUAL).as_secs_f64(),
                },
            },
            dead_man_s: self.dead_man.unwrap_or(USUAL).as_secs_f64(),
        };
        rules.check().map_err(|error| error.to_string())?;
        Ok(Some(rules))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_is_two_frequencies() {
        assert_eq!("435 MHz..438MHz".parse(), Ok(Band([435e6, 438e6])));
        assert!("435 MHz".parse::<Band>().unwrap_err().contains(".."));
        assert!("435..438 MHz".parse::<Band>().unwrap_err().contains("no unit"));
    }
}
