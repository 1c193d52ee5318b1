//! Modulators and receivers: channel symbols to complex baseband samples and soft symbols back.
//!
//! No I/O, no clock: time is the number of the sample. Samples are `Complex<f32>` at a rate that both ends know; a modulator's mean power is 1.
//! Soft symbols are `i8` as in `farlink-coding`: positive for 0, zero for no knowledge.
//!
//! | question | answer |
//! |---|---|
//! | what is on the air | [`Signal`]: a [`Modulation`], its roll-off and rates |
//! | bits to samples | [`Modulator`] |
//! | samples to soft symbols, from cold | [`Receiver`] |
//! | how strong a signal is | [`estimate`] |
//! | how many bits a perfect receiver gets wrong | [`theory`] |
//!
//! ```
//! use farlink_modem::{Modulation, Modulator, Output, Receiver, ReceiverConfig, Signal};
//!
//! let signal =
//!     Signal { modulation: Modulation::Bpsk, roll_off: 0.35, symbol_rate_hz: 1e6, sample_rate_hz: 2e6 };
//! let bits: Vec<u8> = (0..20_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 31) as u8).collect();
//! let mut samples = Vec::new();
//! let mut modulator = Modulator::new(&signal)?;
//! modulator.modulate(&bits, &mut samples);
//! modulator.finish(&mut samples);
//!
//! let mut receiver = Receiver::new(&ReceiverConfig::new(signal))?;
//! let mut output = Output::default();
//! receiver.process(&samples, &mut output);
//! receiver.finish(&mut output);
//! assert!(receiver.status().locked);
//! assert!(output.soft.len() > 19_900);
//! # Ok::<(), farlink_modem::ConfigError>(())
//! ```

mod acquire;
mod bank;
mod config;
pub mod estimate;
mod lanes;
mod modulator;
mod pulse;
mod receiver;
pub mod theory;
mod tracker;

pub use config::{ConfigError, Modulation, Signal, Subcarrier, SubcarrierShape};
pub use modulator::Modulator;
pub use receiver::{Event, EventKind, Output, Receiver, ReceiverConfig, Status};
