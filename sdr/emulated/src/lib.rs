//! An emulated radio link: two ends that transmit and receive samples, joined by a medium for each direction.
//!
//! Time is the number of the sample. What an end transmits for sample n is what the other receives one delay later; an end that transmits
//! nothing sends zeros.
//!
//! - [`Link`]: the two ends, in one process. It has no clock: its [`Pace`] is that of a wall clock that it is told, or of the programs at
//!   its ends. An end has a sample rate, and a frequency and a gain of its transmitter and of its receiver.
//! - [`Medium`]: what is between them. [`DelayAndNoise`] is a simple one, [`ChannelMedium`] all that `sdr/channel` can do.
//! - [`Server`] offers a link to other processes of the same user over a Unix socket, [`find`] finds those that are offered, and
//!   [`OpenEnd`] is an end of one. `sdr/soapy-module` shows each as a device.
//!
//! # What is emulated
//! - The two ends have one clock, so one sample rate: streams at different rates are refused.
//! - A receiver hears what lies within half the rate around its frequency. What was sent at another frequency comes shifted by the difference, and
//!   what is then beyond the band is filtered out. The transmitter's frequency is that at which the sample was sent, the receiver's that
//!   at which it arrives. The medium's own noise goes the way of the signal: with a difference of frequencies it is missing where the two
//!   bands do not overlap.
//! - Gains are relative: with 0 dB at both ends and a medium that only delays, a sample arrives bit for bit.
//! - A burst with a time leaves at that sample, or not at all if it comes late. A burst that runs out of samples is filled up with
//!   zeros; what comes after that follows them. Both are counted and told.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//! use farlink_emulated_link::{DelayAndNoise, End, Link, LinkConfig, Pace, Received};
//! use num_complex::Complex32;
//!
//! # fn main() -> Result<(), farlink_emulated_link::LinkError> {
//! let medium = Arc::new(|_from, _rate_hz| Ok(Box::new(DelayAndNoise::new(100, 0.0, 1)?) as _));
//! let mut link = Link::new(LinkConfig { pace: Pace::Samples, ..LinkConfig::new(medium) })?;
//! link.open(End::A)?;
//! link.open(End::B)?;
//! link.start_transmitter(End::A)?;
//! link.start_receiver(End::B, None, None)?;
//! link.transmit(End::A, &[Complex32::ONE; 3], Some(50_000), true)?;
//! let mut buffer = [Complex32::ZERO; 200];
//! assert_eq!(link.receive(End::B, &mut buffer)?, Received::Samples { at: 0, count: 200, last: false });
//! // 50 µs are 50 samples.
//! assert_eq!(buffer.iter().position(|sample| *sample == Complex32::ONE), Some(150));
//! # Ok(())
//! # }
//! ```

mod channel;
mod client;
mod end;
mod error;
mod folder;
mod link;
mod medium;
mod receive;
mod server;
mod session;
mod transmit;
mod tuner;
mod wire;

pub use channel::ChannelMedium;
pub use client::{ClientError, Found, OpenEnd, Reading, Trouble, find};
pub use end::{End, EndSettings, Half, Losses};
pub use error::LinkError;
pub use folder::{default_folder, path_of};
pub use link::{GAIN_RANGE_DB, HIGHEST_FREQUENCY_HZ, Link, LinkConfig, MakeMedium, Pace, RATE_LIMITS_HZ};
pub use medium::{DelayAndNoise, LONGEST_DELAY_SAMPLES, Medium, MediumError};
pub use receive::Received;
pub use server::{EndStatus, ServeError, Server, Status, serve};
pub use transmit::TransmitEvent;
pub use wire::{Description, MAX_SAMPLES, VERSION};
