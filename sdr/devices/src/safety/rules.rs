//! Why, where, how strongly and how often may be transmitted.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::device::Settings;

/// Why it may be transmitted at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Permit {
    /// Nothing is radiated: a cable leads to the receiver.
    Conducted {
        /// What the cable and its attenuators take, in dB: above 0, and at most 200. It protects the receiver; a cable alone
        /// takes next to nothing.
        attenuation_db: f64,
    },
    /// It is radiated under a licence.
    Licence {
        /// Which one: the call sign, or who gave it under which number.
        name: String,
        /// The lowest and the highest frequency that it gives, in Hz.
        band_hz: [f64; 2],
    },
}

/// Bounds on what is transmitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The lowest and the highest frequency, in Hz; a licence's band holds besides.
    pub frequency_hz: Option<[f64; 2]>,
    /// The highest gain, in dB, on the device's own scale.
    pub gain_db: f64,
    /// The occupied bandwidth of the signal, in Hz (Radio Regulations, 1.153). All of it must lie within the band. Without it
    /// the signal is taken to be as wide as its sample rate.
    pub occupied_hz: Option<f64>,
    /// How much of the time.
    pub duty: Duty,
}

/// A share of the time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    /// The greatest share, above 0 and at most 1.
    pub share: f64,
    /// Within any window of this length, in seconds: 1 ms to 1 day.
    pub window_s: f64,
}

impl Duty {
    /// All the time.
    pub const ALWAYS: Duty = Duty { share: 1.0, window_s: 1.0 };
}

/// Under which transmission is permitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Why.
    pub permit: Permit,
    /// Bounds.
    pub limits: Limits,
    /// The device is silenced when nobody has said for so long that control is there, in seconds: 10 ms to 60 s.
    pub dead_man_s: f64,
}

/// A rule that makes no sense.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{field}: {why}")]
pub struct RulesError {
    /// Which field.
    pub field: &'static str,
    /// What is wrong, and what is meant.
    pub why: String,
}

impl Rules {
    /// Whether they make sense.
    ///
    /// # Errors
    /// The first field that does not.
    pub fn check(&self) -> Result<(), RulesError> {
        let within = |field, value: f64, low: f64, high: f64, unit: &str| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(RulesError { field, why: format!("{value} {unit} is not within {low} to {high} {unit}") })
        };
        let band = |field, [low, high]: [f64; 2]| {
            if low.is_finite() && high.is_finite() && 0.0 <= low && low < high {
                return Ok(());
            }
            Err(RulesError { field, why: format!("{low} Hz to {high} Hz is no band; give its lower edge first") })
        };
        let above_zero = |field, value: f64, unit: &str| {
            if value > 0.0 && value.is_finite() {
                return Ok(());
            }
            Err(RulesError { field, why: format!("{value} {unit}; give a number above 0") })
        };
        match &self.permit {
            Permit::Conducted { attenuation_db } => {
                above_zero("permit.conducted.attenuation_db", *attenuation_db, "dB")?;
                within("permit.conducted.attenuation_db", *attenuation_db, 0.0, 200.0, "dB")?;
            }
            Permit::Licence { name, band_hz } => {
                if name.trim().is_empty() {
                    let why = "name the licence: the call sign, or who gave it under which number".to_owned();
                    return Err(RulesError { field: "permit.licence.name", why });
                }
                band("permit.licence.band_hz", *band_hz)?;
            }
        }
        if let Some(edges) = self.limits.frequency_hz {
            band("limits.frequency_hz", edges)?;
        }
        if let Some(width) = self.limits.occupied_hz {
            above_zero("limits.occupied_hz", width, "Hz")?;
        }
        if !self.limits.gain_db.is_finite() {
            let why = format!("{} dB; give a finite number", self.limits.gain_db);
            return Err(RulesError { field: "limits.gain_db", why });
        }
        above_zero("limits.duty.share", self.limits.duty.share, "of the time")?;
        within("limits.duty.share", self.limits.duty.share, 0.0, 1.0, "of the time")?;
        within("limits.duty.window_s", self.limits.duty.window_s, 0.001, 86_400.0, "s")?;
        within("dead_man_s", self.dead_man_s, 0.01, 60.0, "s")
    }

    /// Whether the transmitter may be set so, but for its gain.
    pub(super) fn check_frequency(&self, settings: &Settings) -> Result<(), String> {
        let half_hz = self.limits.occupied_hz.unwrap_or(settings.sample_rate_hz) / 2.0;
        let (low, high) = (settings.frequency_hz - half_hz, settings.frequency_hz + half_hz);
        let licence = match &self.permit {
            Permit::Licence { name, band_hz } => Some((format!("licence {name}"), *band_hz)),
            Permit::Conducted { .. } => None,
        };
        let limit = self.limits.frequency_hz.map(|edges| ("the limit on frequency".to_owned(), edges));
        for (rule, [from, to]) in licence.into_iter().chain(limit) {
            // Negated, so that what is not a number is outside.
            if !(from <= low && high <= to) {
                return Err(format!(
                    "{low} to {high} Hz are not within {from} to {to} Hz, {rule}; tune into it, or state the signal's occupied \
                     bandwidth"
                ));
            }
        }
        Ok(())
    }

    /// Whether the transmitter may have this gain, in dB.
    pub(super) fn check_gain(&self, gain_db: f64) -> Result<(), String> {
        match gain_db <= self.limits.gain_db {
            true => Ok(()),
            false => Err(format!("a gain of {gain_db} dB is above the limit of {} dB", self.limits.gain_db)),
        }
    }

    /// Whether the transmitter may be set so.
    pub(super) fn check_settings(&self, settings: &Settings) -> Result<(), String> {
        self.check_frequency(settings)?;
        self.check_gain(settings.gain_db)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            permit: Permit::Licence { name: "DL0XYZ".to_owned(), band_hz: [435e6, 438e6] },
            limits: Limits { frequency_hz: None, gain_db: 20.0, occupied_hz: None, duty: Duty::ALWAYS },
            dead_man_s: 1.0,
        }
    }

    fn said(change: impl FnOnce(&mut Rules)) -> String {
        let mut rules = rules();
        change(&mut rules);
        rules.check().unwrap_err().to_string()
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        assert_eq!(rules().check(), Ok(()));
        let conducted = |attenuation_db| move |rules: &mut Rules| rules.permit = Permit::Conducted { attenuation_db };
        assert_eq!(said(conducted(0.0)), "permit.conducted.attenuation_db: 0 dB; give a number above 0");
        assert_eq!(said(conducted(f64::NAN)), "permit.conducted.attenuation_db: NaN dB; give a number above 0");
        assert_eq!(said(conducted(201.0)), "permit.conducted.attenuation_db: 201 dB is not within 0 to 200 dB");
        let licence = |name: &str, band_hz| Permit::Licence { name: name.to_owned(), band_hz };
        assert_eq!(
            said(|rules| rules.permit = licence(" ", [1.0, 2.0])),
            "permit.licence.name: name the licence: the call sign, or who gave it under which number"
        );
        assert_eq!(
            said(|rules| rules.permit = licence("x", [2.0, 1.0])),
            "permit.licence.band_hz: 2 Hz to 1 Hz is no band; give its lower edge first"
        );
        assert!(
            said(|rules| rules.limits.frequency_hz = Some([0.0, f64::INFINITY])).starts_with("limits.frequency_hz: ")
        );
        assert!(said(|rules| rules.limits.gain_db = f64::NAN).starts_with("limits.gain_db: "));
        assert!(said(|rules| rules.limits.occupied_hz = Some(0.0)).starts_with("limits.occupied_hz: "));
        assert!(said(|rules| rules.limits.duty.share = 1.01).starts_with("limits.duty.share: "));
        assert!(said(|rules| rules.limits.duty.share = 0.0).starts_with("limits.duty.share: "));
        assert!(said(|rules| rules.limits.duty.window_s = 0.0).starts_with("limits.duty.window_s: "));
        assert_eq!(said(|rules| rules.dead_man_s = 61.0), "dead_man_s: 61 s is not within 0.01 to 60 s");
    }

    #[test]
    fn the_whole_signal_must_lie_within_the_band() {
        let settings = Settings { sample_rate_hz: 1e6, frequency_hz: 435.5e6, gain_db: 20.0, bandwidth_hz: Some(1e3) };
        let at = |frequency_hz| Settings { frequency_hz, ..settings };
        assert_eq!(rules().check_settings(&settings), Ok(()));
        assert_eq!(rules().check_settings(&at(437.5e6)), Ok(()));
        let below = rules().check_settings(&at(435.5e6 - 1.0)).unwrap_err();
        assert_eq!(
            below,
            "434999999 to 435999999 Hz are not within 435000000 to 438000000 Hz, licence DL0XYZ; tune into it, or state the \
             signal's occupied bandwidth"
        );
        assert!(rules().check_settings(&at(437.5e6 + 1.0)).is_err());
        assert!(rules().check_settings(&at(f64::NAN)).is_err());
        assert_eq!(
            rules().check_settings(&Settings { gain_db: 20.1, ..settings }).unwrap_err(),
            "a gain of 20.1 dB is above the limit of 20 dB"
        );
        assert!(rules().check_settings(&Settings { gain_db: f64::NAN, ..settings }).is_err());
        let mut narrow = rules();
        narrow.limits.occupied_hz = Some(20e3);
        assert_eq!(narrow.check_settings(&at(435.01e6)), Ok(()));
        narrow.limits.frequency_hz = Some([436e6, 500e6]);
        assert!(narrow.check_settings(&at(435.01e6)).unwrap_err().contains("the limit on frequency"));
        // On a cable any frequency will do, unless there is a limit.
        narrow.permit = Permit::Conducted { attenuation_db: 60.0 };
        assert_eq!(narrow.check_settings(&at(490e6)), Ok(()));
        narrow.limits.frequency_hz = None;
        assert_eq!(narrow.check_settings(&at(1e9)), Ok(()));
    }
}
