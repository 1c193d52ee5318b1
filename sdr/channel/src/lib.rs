//! What space and two radios do to a signal: the channel at the level of complex baseband samples.
//!
//! No I/O but the ring that holds what is under way, no clock: time is the number of the sample, and what is random follows from a seed.
//! The same samples in give the same samples out, bit by bit, whatever blocks they come in and whatever instructions the processor has.
//! Samples are `Complex<f32>`.
//!
//! | module | what it does |
//! |---|---|
//! | [`channel`] | all of it, in the order in which a signal meets it |
//! | [`gate`] | contacts and occultations |
//! | [`delay`], [`law`] | a delay that changes, from light time, with the Doppler of carrier and symbols that follows |
//! | [`ring`] | minutes of samples under way, in memory and on disk |
//! | [`multipath`], [`fading`] | echoes; Rice's and Rayleigh's fading, scintillation near the Sun |
//! | [`interference`] | tones, sweeps, bursts of noise |
//! | [`noise`] | white Gaussian noise at a stated density |
//! | [`oscillator`], [`phase_mask`] | offset, drift, phase noise |
//! | [`front_end`] | unequal axes, offset, converter |
//!
//! ```
//! use farlink_iq_channel::channel::{Channel, ChannelConfig};
//! use farlink_iq_channel::delay::DelayConfig;
//! use farlink_iq_channel::law::DelayLaw;
//! use farlink_iq_channel::noise::n0_from_eb_n0;
//! use num_complex::Complex32;
//!
//! let mut config = ChannelConfig::new(1e6, 7);
//! // Approaches at 3 km/s: the carrier of 8.4 GHz arrives 84 kHz too high.
//! let law = DelayLaw::Polynomial { coefficients: vec![0.002, -1e-5], duration_s: 100.0 };
//! config.delay = Some(DelayConfig { law, carrier_hz: 8.4e9, clock_ppm: 0.0, ring: Default::default() });
//! config.n0 = Some(n0_from_eb_n0(3.0, 1.0, 4.0)?);
//!
//! let (mut channel, mut received) = (Channel::new(&config)?, Vec::new());
//! channel.process(&[Complex32::new(1.0, 0.0); 5000], &mut received)?;
//! assert_eq!(received.len(), 5000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod channel;
pub mod delay;
mod error;
pub mod fading;
pub mod front_end;
pub mod gate;
pub mod interference;
pub mod interpolator;
pub mod law;
pub mod multipath;
pub mod noise;
pub mod oscillator;
pub mod phase_mask;
mod process;
mod random;
pub mod ring;
mod vector;

pub use error::ConfigError;
pub use vector::Instructions;
