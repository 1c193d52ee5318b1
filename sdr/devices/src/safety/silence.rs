//! Silence, and whether the device obeys.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::device::{Device, DeviceError, Direction};

/// How often silence is asked for before the device counts as disobedient.
const ATTEMPTS: u32 = 3;
/// How far above its lowest a gain may read back, in dB: the steps of a gain that is spread over several stages.
const TOLERANCE_DB: f64 = 1.0;

/// A transmitter that is silent, as read back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// The gain as the device tells it, in dB.
    pub gain_db: f64,
    /// The lowest gain of the device, in dB.
    pub lowest_db: f64,
}

/// A transmitter that will not be silent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{device} does not obey: {what}; take its power or its antenna away")]
pub struct Disobedience {
    /// Which device.
    pub device: String,
    /// What it was asked, and what it does.
    pub what: String,
}

/// Brings the gain down to the lowest, stops the stream, and reads both back. Each is tried though the other fails, and a panic
/// of the driver is an error as any other.
///
/// Whether a stream runs is what the driver says: no radio tells it from the air.
///
/// # Errors
/// After three attempts the gain is more than 1 dB above the lowest, or the stream runs, or the device does not tell.
pub fn silence(device: &mut dyn Device) -> Result<Silence, Disobedience> {
    let mut faults = Vec::new();
    for _ in 0..ATTEMPTS {
        match attempt(device) {
            Ok(silence) => return Ok(silence),
            Err(found) => faults = found,
        }
    }
    let name = catch_unwind(AssertUnwindSafe(|| device.name())).unwrap_or_else(|_| "the device".to_owned());
    Err(Disobedience { device: name, what: faults.join("; ") })
}

fn attempt(device: &mut dyn Device) -> Result<Silence, Vec<String>> {
    let tx = Direction::Transmit;
    let mut faults = Vec::new();
    let mut said =
        |what: &str, result: Result<f64, String>| result.map_err(|why| faults.push(format!("{what}: {why}"))).ok();

    let lowest_db =
        said("its lowest gain is not known", guarded(|| device.gain_range_db(tx).map(|range| *range.start())));
    // Without a range, down to what no device is below.
    said("the gain cannot be brought down", guarded(|| device.set_gain_db(tx, lowest_db.unwrap_or(0.0))));
    said("the stream cannot be stopped", guarded(|| device.run(tx, false).map(|()| 0.0)));
    let gain_db =
        said("the gain cannot be read back", guarded(|| device.settings(tx).map(|settings| settings.gain_db)));
    let runs =
        said("whether the stream runs cannot be read back", guarded(|| Ok(f64::from(u8::from(device.runs(tx))))));

    if let (Some(gain_db), Some(lowest_db)) = (gain_db, lowest_db) {
        // What is not a number is not low enough.
        let low_enough = gain_db <= lowest_db + TOLERANCE_DB;
        if !low_enough {
            faults.push(format!("its gain reads back as {gain_db} dB after it was brought down to {lowest_db} dB"));
        } else if runs == Some(0.0) {
            // What was refused but is so nevertheless is silence, too.
            return Ok(Silence { gain_db, lowest_db });
        }
    }
    if runs == Some(1.0) {
        faults.push("its stream runs after it was stopped".to_owned());
    }
    Err(faults)
}

fn guarded(act: impl FnOnce() -> Result<f64, DeviceError>) -> Result<f64, String> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the driver panicked".to_owned()),
    }
}
