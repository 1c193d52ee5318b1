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

/// Whether a measured mean lies in the 99.9 % interval around what was asked: `deviation` is the standard deviation that a
/// process as asked gives to such a mean. Says what it compared.
pub fn agrees(what: &str, measured: f64, asked: f64, deviation: f64) -> bool {
    let half = Z_999 * deviation;
    let fits = (measured - asked).abs() < half;
    println!("{what}: {measured:.6e}, asked {asked:.6e} ± {half:.1e}{}", if fits { "" } else { ": NOT within" });
    fits
}

/// Takes `bits` bits in one frame of no length.
pub fn stream(errors: &mut Errors, bits: u64) -> Vec<u64> {
    let mut out = Vec::new();
    errors.flips(bits, &mut out);
    assert!(out.windows(2).all(|w| w[0] < w[1]) && out.last().is_none_or(|last| *last < bits));
    out
}

/// Sends `bits` bits from `start` at `rate_bps`, cut into frames whose lengths `cut` tells; positions in the whole stream.
pub fn send(errors: &mut Errors, start: Instant, rate_bps: u64, bits: u64, mut cut: impl FnMut() -> u64) -> Vec<u64> {
    let nanos = |bits: u64| {
        Instant::from_nanos(start.as_nanos() + (u128::from(bits) * 1_000_000_000 / u128::from(rate_bps)) as i64)
    };
    let (mut out, mut all, mut at) = (Vec::new(), Vec::new(), 0);
    while at < bits {
        let next = (at + cut()).min(bits);
        let frame = Airtime { start: nanos(at), end: nanos(next), bits: next - at };
        assert_eq!(errors.strike(&frame, &mut out), Passage::Carried);
        all.extend(out.iter().map(|position| position + at));
        at = next;
    }
    all
}
