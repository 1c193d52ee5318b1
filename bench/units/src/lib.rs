//! Time and quantities.
//!
//! Every room of the bench counts time in whole nanoseconds: [`Instant`] from the start of the scenario (or of the process,
//! for a node that runs alone) and [`Duration`] between two of them. Neither can be read off a clock here, so protocol code
//! that is written with them can only be *told* the time.
//!
//! What a person writes carries a unit: `256 kbit/s`, `4 s`, `64 KiB`, `10 deg`. The types of [`quantity`] read such text and
//! refuse a bare number with a message that names the units which fit.

pub mod quantity;
mod radio;
mod time;

pub use quantity::{Angle, BitRate, Length, Quantity, QuantityError, Ratio, Size};
pub use radio::{Decibels, Frequency, GainOverTemperature, Power, Temperature};
pub use time::{Duration, Instant};
