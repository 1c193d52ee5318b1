//! Why a link cannot be, or does not do what it is asked.

use thiserror::Error;

use crate::end::{End, Half};
use crate::medium::MediumError;

/// What an end was refused, or why the link cannot be.
#[derive(Debug, Error)]
pub enum LinkError {
    /// A number outside its range.
    #[error("{what} is {value}: give a number from {lowest} to {highest}")]
    Range {
        /// What was set.
        what: &'static str,
        /// To what.
        value: f64,
        /// The lowest that may be.
        lowest: f64,
        /// The highest that may be.
        highest: f64,
    },
    /// The rate of a running end.
    #[error("end {end} is streaming: stop its streams before its sample rate is set")]
    Streaming {
        /// Which.
        end: End,
    },
    /// Two rates.
    #[error(
        "end {end} is set to {rate_hz} samples a second and end {} runs at {other_hz}: both have one rate, so set the same at both before the \
         streams are started",
        end.other()
    )]
    Rates {
        /// Whose stream does not start.
        end: End,
        /// Its rate.
        rate_hz: f64,
        /// The rate of the other end.
        other_hz: f64,
    },
    /// A stream that does not run.
    #[error("the {} of end {end} does not run: start its stream first", match .half { Half::Receiver => "receiver", Half::Transmitter => "transmitter" })]
    NotRunning {
        /// Which end.
        end: End,
        /// Which half.
        half: Half,
    },
    /// Open already.
    #[error("end {end} is in use by another program: close it there, or open the other end")]
    InUse {
        /// Which.
        end: End,
    },
    /// The medium fails.
    #[error(transparent)]
    Medium(#[from] MediumError),
    /// The medium has failed before.
    #[error("the link carries nothing since its medium has failed: {why}")]
    Failed {
        /// What the medium said.
        why: String,
    },
}
