//! What a radio is to the rest.

use std::fmt;
use std::ops::{AddAssign, RangeInclusive};
use std::time::Duration;

use num_complex::Complex32;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which way samples go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the device.
    Receive,
    /// To the device.
    Transmit,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Receive => "receive",
            Direction::Transmit => "transmit",
        })
    }
}

/// What one direction of a device is set to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

impl Settings {
    /// What no device can be set to, in words, or `None`: a rate or bandwidth that is not positive, or a value that is not
    /// finite.
    pub fn fault(&self) -> Option<String> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if !positive(self.sample_rate_hz) {
            return Some(format!("a sample rate of {} Hz; give a positive one", self.sample_rate_hz));
        }
        if !self.frequency_hz.is_finite() {
            return Some(format!("a frequency of {} Hz; give a finite one", self.frequency_hz));
        }
        if !self.gain_db.is_finite() {
            return Some(format!("a gain of {} dB; give a finite one", self.gain_db));
        }
        let bandwidth = self.bandwidth_hz.filter(|bandwidth| !positive(*bandwidth))?;
        Some(format!("a bandwidth of {bandwidth} Hz; give a positive one, or none"))
    }
}

/// What a device has lost since its stream was started. Any of them spoils a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    /// Times that received samples came faster than they were taken.
    pub overflows: u64,
    /// Times that the transmitter ran out of samples within a burst.
    pub underflows: u64,
    /// Bursts whose time had passed when they came.
    pub late: u64,
}

impl Losses {
    /// Why nothing can be concluded from a run with these losses; `None` if nothing was lost.
    ///
    /// What was measured may then be the computer and not the link: a lost sample looks like a bit error, a late burst like an
    /// outage.
    pub fn inconclusive(&self) -> Option<String> {
        let count = |count: u64, one: &str, more: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            many => Some(format!("{many} {more}")),
        };
        let lost: Vec<String> = [
            count(self.overflows, "overflow of the receiver", "overflows of the receiver"),
            count(self.underflows, "underflow of the transmitter", "underflows of the transmitter"),
            count(self.late, "late burst", "late bursts"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if lost.is_empty() {
            return None;
        }
        Some(format!(
            "the device lost samples: {}; lower the sample rate, or give it a processor of its own",
            lost.join(", ")
        ))
    }
}

impl AddAssign for Losses {
    fn add_assign(&mut self, other: Losses) {
        self.overflows = self.overflows.saturating_add(other.overflows);
        self.underflows = self.underflows.saturating_add(other.underflows);
        self.late = self.late.saturating_add(other.late);
    }
}

/// Samples that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// How many were written, from the start of the buffer; 0 after the timeout.
    pub count: usize,
    /// The device's time at the first of them, in nanoseconds, if it tells.
    pub at_ns: Option<i64>,
}

/// A burst, or a part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Whether it has this direction at all.
    fn has(&self, direction: Direction) -> bool;

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

    /// The lowest and the highest overall gain, in dB.
    ///
    /// # Errors
    /// The device does not answer, or lacks the direction.
    fn gain_range_db(&mut self, direction: Direction) -> Result<RangeInclusive<f64>, DeviceError>;

    /// Sets the gain and nothing else, in dB, and tells what the device says it is. To be silent must not depend on a frequency
    /// or a rate that the device may refuse.
    ///
    /// # Errors
    /// The device refuses, or lacks the direction.
    fn set_gain_db(&mut self, direction: Direction, gain_db: f64) -> Result<f64, DeviceError>;

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

    /// Whether [`Device::losses`] can be trusted for this direction: some drivers never tell of an underflow.
    fn tells_losses(&self, _direction: Direction) -> bool {
        true
    }
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn has(&self, direction: Direction) -> bool {
        (**self).has(direction)
    }

    fn set(&mut self, direction: Direction, wanted: &Settings) -> Result<Settings, DeviceError> {
        (**self).set(direction, wanted)
    }

    fn settings(&mut self, direction: Direction) -> Result<Settings, DeviceError> {
        (**self).settings(direction)
    }

    fn gain_range_db(&mut self, direction: Direction) -> Result<RangeInclusive<f64>, DeviceError> {
        (**self).gain_range_db(direction)
    }

    fn set_gain_db(&mut self, direction: Direction, gain_db: f64) -> Result<f64, DeviceError> {
        (**self).set_gain_db(direction, gain_db)
    }

    fn run(&mut self, direction: Direction, runs: bool) -> Result<(), DeviceError> {
        (**self).run(direction, runs)
    }

    fn runs(&self, direction: Direction) -> bool {
        (**self).runs(direction)
    }

    fn receive(&mut self, samples: &mut [Complex32], timeout: Duration) -> Result<Received, DeviceError> {
        (**self).receive(samples, timeout)
    }

    fn transmit(&mut self, samples: &[Complex32], burst: Burst, timeout: Duration) -> Result<usize, DeviceError> {
        (**self).transmit(samples, burst, timeout)
    }

    fn time_ns(&mut self) -> Option<i64> {
        (**self).time_ns()
    }

    fn losses(&self) -> Losses {
        (**self).losses()
    }

    fn tells_losses(&self, direction: Direction) -> bool {
        (**self).tells_losses(direction)
    }
}

/// Why a device does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceError {
    /// It has no such direction.
    #[error("{device} cannot {direction}")]
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
    /// A rule for transmission says no, and the device was not asked.
    #[error("{device}: must not {what}: {why}")]
    Forbidden {
        /// Which device.
        device: String,
        /// What was asked.
        what: String,
        /// Which rule, and how to keep it.
        why: String,
    },
    /// Nothing more will come.
    #[error("{device}: the recording has ended")]
    Ended {
        /// Which device.
        device: String,
    },
    /// The device, or the process that holds it, no longer answers.
    #[error("{device}: lost: {why}")]
    Lost {
        /// Which device.
        device: String,
        /// How that was seen.
        why: String,
    },
}
