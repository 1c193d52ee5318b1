//! The radio as one thing: transfer frames to samples, through a channel, and back; and how many survive.
//!
//! No I/O but the ring of a channel, no clock, no chance but from a seed. The same frames and seed give the same answers.
//!
//! | module | what |
//! |---|---|
//! | [`waveform`] | what both ends agree on, and what follows from it: lengths, rates, Es/N0 |
//! | [`transmitter`], [`receiver`] | frames to samples, samples to frames from cold, whatever the phase |
//! | [`chain`] | one direction: transmitter, channel, receiver, and what became of each frame |
//! | [`stream`] | PDUs in packets in frames over a chain |
//! | [`ber`], [`theory`], [`limits`] | error ratios over Eb/N0, what they should be, and how sure they are |
//! | [`codec`] | the codes alone: frames to channel bits, and what a received frame is |
//!
//! ```
//! use farlink_coding::convolutional::Rate;
//! use farlink_radio::chain::{Chain, ChainConfig, Outcome};
//! use farlink_radio::waveform::{Coding, Waveform};
//!
//! let mut waveform = Waveform::new(Coding::Concatenated { corrects: 16, depth: 1, rate: Rate::Half }, 1e6);
//! waveform.frame_error_control = false;
//! let mut chain = Chain::new(&ChainConfig::new(waveform, 4.0, 1))?;
//! let index = chain.push(&[7; 223])?;
//! chain.flush()?;
//! assert_eq!(chain.outcome(index), Some(Outcome::Delivered));
//! # Ok::<(), farlink_radio::chain::ChainError>(())
//! ```

pub mod ber;
pub mod chain;
pub mod codec;
mod deframe;
mod idle;
pub mod limits;
pub mod receiver;
pub mod stream;
pub mod theory;
pub mod transmitter;
mod turn;
pub mod waveform;
