//! Real radios, through SoapySDR and its modules. `SoapyDevice` is there only with the feature `soapy`, which needs the C
//! library (Debian's `libsoapysdr-dev`); [`Arguments`], which pin a device, are there without.
//!
//! A device is pinned by its arguments, so that a run does not take another radio because one was unplugged: they name the
//! driver at least, and exactly one device may match. A sound card is never taken, though SoapySDR has a driver for it.

#[cfg(feature = "soapy")]
mod device;
mod pin;

use thiserror::Error;

#[cfg(feature = "soapy")]
pub use device::{SoapyDevice, found, sound_cards};
pub use pin::Arguments;

use crate::device::DeviceError;

/// Why a radio cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SoapyError {
    /// The arguments are no list of pairs.
    #[error(
        "`{part}` in the device's arguments `{arguments}` is not `key=value`; write for instance `driver=uhd,serial=30F1234`"
    )]
    NoPair {
        /// All of them.
        arguments: String,
        /// What is wrong.
        part: String,
    },
    /// A key stands there twice.
    #[error("`{key}` stands in the device's arguments `{arguments}` more than once")]
    Twice {
        /// All of them.
        arguments: String,
        /// Which.
        key: String,
    },
    /// No driver is named.
    #[error(
        "the device's arguments `{arguments}` name no driver; begin with `driver=`, as `SoapySDRUtil --find` shows it"
    )]
    NoDriver {
        /// All of them.
        arguments: String,
    },
    /// What is for people alone.
    #[error(
        "`label` in the device's arguments `{arguments}` is for people and pins no device; pin it by its `serial`, as \
         `SoapySDRUtil --find` shows it"
    )]
    Label {
        /// All of them.
        arguments: String,
    },
    /// A sound card.
    #[error("`{arguments}` is a sound card, which is never taken for a radio; name another driver")]
    SoundCard {
        /// What names it.
        arguments: String,
    },
    /// There is no such device.
    #[error(
        "no device matches `{arguments}`{}; is it plugged in and free, and is the SoapySDR module of its driver installed? \
         `SoapySDRUtil --find` lists what is there",
        listed(" (found: ", others, ")")
    )]
    NoMatch {
        /// What was asked for.
        arguments: String,
        /// What the driver found instead.
        others: Vec<String>,
    },
    /// There is more than one such device.
    #[error("{} devices match `{arguments}`; add what tells them apart:{}", found.len(), listed("\n  ", found, ""))]
    Several {
        /// What was asked for.
        arguments: String,
        /// Which.
        found: Vec<String>,
    },
    /// SoapySDR says no.
    #[error("cannot {what} `{arguments}`: {why}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// With which device.
        arguments: String,
        /// What it says.
        why: String,
    },
}

impl From<SoapyError> for DeviceError {
    fn from(error: SoapyError) -> DeviceError {
        DeviceError::Refused { device: "SoapySDR".to_owned(), what: "open a radio".to_owned(), why: error.to_string() }
    }
}

fn listed(before: &str, devices: &[String], after: &str) -> String {
    if devices.is_empty() { String::new() } else { format!("{before}{}{after}", devices.join("\n  ")) }
}
