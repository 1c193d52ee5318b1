//! Quantities and losses as these commands print them.

use farlink_sdr_devices::{Losses, Settings};
use farlink_units::Frequency;
use serde_json::{Value, json};

/// A frequency or a sample rate.
pub fn hertz(hz: f64) -> String {
    Frequency::from_hz(hz).map_or_else(|| format!("{hz} Hz"), |frequency| frequency.to_string())
}

/// What a device says it is set to.
pub fn settings(settings: &Settings) -> String {
    let bandwidth = settings.bandwidth_hz.map(|hz| format!(", bandwidth {}", hertz(hz))).unwrap_or_default();
    format!(
        "{} sample rate, tuned to {}, gain {} dB{bandwidth}",
        hertz(settings.sample_rate_hz),
        hertz(settings.frequency_hz),
        settings.gain_db
    )
}

/// Losses for programs: the counts, and why nothing can be concluded, if so.
pub fn losses(losses: &Losses) -> Value {
    json!({"overflows": losses.overflows, "underflows": losses.underflows, "late": losses.late})
}
