//! Radios: what transmits and receives samples, guarded, recorded and looked at.
//!
//! A [`Device`] is one radio with a transmitter, a receiver or both. What is wanted of it is read back from it, and what it loses is counted:
//! a run in which samples were lost gives no verdict.

use std::time::Duration;

use num_complex::Complex32;
use thiserror::Error;

/// Which way samples go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the device.
    Receive,
    /// To the device.
    Transmit,
}

/// What one direction of a device is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Samples a second.
    pub sample_rate_hz: f64,
    /// Centre frequency, in Hz.
    pub frequency_hz: f64,
    /// Overall gain, in dB, on the device's own scale.
    pub gain_db: f64,
    /// Width of the analogue filter, in Hz; `None` leaves it to the device.
    pub bandwidth_hz: Option<f64>,
}

/// What a device has lost since its stream was started. Any of them spoils a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Times that received samples came faster than they were taken.
    pub overflows: u64,
    /// Times that the transmitter ran out of samples within a burst.
    pub underflows: u64,
    /// Bursts whose time had passed when they came.
    pub late: u64,
}

/// Samples that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many were written, from the start of the buffer; 0 after the timeout.
    pub count: usize,
    /// The device's time at the first of them, in nanoseconds, if it tells.
    pub at_ns: Option<i64>,
}

/// A burst, or a part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Burst {
    /// The device's time at which the first sample is to leave, in nanoseconds; `None` follows on, or leaves at once.
    pub at_ns: Option<i64>,
    /// Whether the burst ends with the last sample.
    pub ends: bool,
}

/// A radio.
pub trait Device: Send {
    /// Which one it is: driver, hardware and serial number, as words that name it again.
    fn name(&self) -> String;

    /// Sets one direction and tells what the device says it is set to.
    ///
    /// # Errors
    /// The device refuses, or lacks the direction.
    fn set(&mut self, direction: Direction, wanted: &Settings) -> Result<Settings, DeviceError>;

    /// What the device says one direction is set to.
    ///
    /// # Errors
    /// The device does not answer, or lacks the direction.
    fn settings(&mut self, direction: Direction) -> Result<Settings, DeviceError>;

    /// Starts or stops a stream; what runs already, or not, stays so.
    ///
    /// # Errors
    /// The device refuses.
    fn run(&mut self, direction: Direction, runs: bool) -> Result<(), DeviceError>;

    /// Whether the stream of a direction runs, as the device has it.
    fn runs(&self, direction: Direction) -> bool;

    /// Waits for samples, for `timeout` at most.
    ///
    /// # Errors
    /// The stream does not run, or has failed.
    fn receive(&mut self, samples: &mut [Complex32], timeout: Duration) -> Result<Received, DeviceError>;

    /// Gives samples to be sent and tells how many were taken, within `timeout`. Full scale is 1.
    ///
    /// # Errors
    /// The stream does not run, or has failed.
    fn transmit(&mut self, samples: &[Complex32], burst: Burst, timeout: Duration) -> Result<usize, DeviceError>;

    /// The device's time now, in nanoseconds; `None` if it has no clock that can be asked.
    fn time_ns(&mut self) -> Option<i64>;

    /// What was lost so far.
    fn losses(&self) -> Losses;
}

/// Why a device does not do what it is asked.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// It has no such direction.
    #[error("{device} cannot {}", match .direction { Direction::Receive => "receive", Direction::Transmit => "transmit" })]
    NoDirection {
        /// Which device.
        device: String,
        /// What it cannot do.
        direction: Direction,
    },
    /// The stream does not run.
    #[error("{device}: the stream does not run; start it first")]
    NotRunning {
        /// Which device.
        device: String,
    },
    /// The device or its driver says no.
    #[error("{device}: cannot {what}: {why}")]
    Refused {
        /// Which device.
        device: String,
        /// What was asked.
        what: String,
        /// What it says.
        why: String,
    },
}
