//! What the tests of errors share.
#![allow(dead_code, reason = "not every test needs all of it")]

use farlink_channel_models::Errors;
use farlink_channel_models::errors::{Airtime, Passage};
use farlink_units::Instant;

/// Half the width of the 99.9 % interval of a normal law, in standard deviations.
pub const Z_999: f64 = 3.2905;

/// Frames whose instants do not matter.
pub trait Flips {
    /// Writes to `out` which of the next `bits` bits flip.
    fn flips(&mut self, bits: u64, out: &mut Vec<u64>);
}

impl Flips for Errors {
    fn flips(&mut self, bits: u64, out: &mut Vec<u64>) {
        let frame = Airtime { start: Instant::ZERO, end: Instant::ZERO, bits };
        assert_eq!(self.strike(&frame, out), Passage::Carried);
    }
}
