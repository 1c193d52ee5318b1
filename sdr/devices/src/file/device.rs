//! Files as a device.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use num_complex::Complex32;

use super::{RecordingError, Sink, Source, nanoseconds};
use crate::device::{Burst, Device, DeviceError, Direction, Losses, Received, Settings};

/// A device that receives what one file holds, and transmits into another.
///
/// It is as fast as it is asked: its time is that of its samples. Its gain is 0 dB, always. What it plays has the rate and the
/// frequency of the file, whatever is wanted: read back what [`Device::set`] gives. Once a file has been played,
/// [`DeviceError::Ended`] says so.
pub struct FileDevice {
    source: Option<Box<dyn Source>>,
    sink: Option<Box<dyn Sink>>,
    transmits: Option<Settings>,
    running: [bool; 2],
    /// Time and number of samples of the transmitter: when it last jumped, and how many were sent since.
    jumped_ns: i64,
    sent: u64,
    received_ns: i64,
    losses: Losses,
}

impl fmt::Debug for FileDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileDevice").field("name", &self.name()).field("running", &self.running).finish_non_exhaustive()
    }
}

impl FileDevice {
    /// A device with a receiver that plays, a transmitter that records, or both.
    pub fn new(source: Option<Box<dyn Source>>, sink: Option<Box<dyn Sink>>) -> FileDevice {
        FileDevice {
            source,
            sink,
            transmits: None,
            running: [false; 2],
            jumped_ns: 0,
            sent: 0,
            received_ns: 0,
            losses: Losses::default(),
        }
    }

    /// Writes out what was recorded. Dropping the device does so, too, but cannot say that it failed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<(), RecordingError> {
        self.sink.take().map_or(Ok(()), |mut sink| sink.finish())
    }

    fn no(&self, direction: Direction) -> DeviceError {
        DeviceError::NoDirection { device: self.name(), direction }
    }

    fn refused(&self, what: &str, error: &RecordingError) -> DeviceError {
        DeviceError::Refused { device: self.name(), what: what.to_owned(), why: error.to_string() }
    }

    fn started(&self, direction: Direction) -> Result<(), DeviceError> {
        match self.running[direction as usize] {
            true => Ok(()),
            false if self.has(direction) => Err(DeviceError::NotRunning { device: self.name() }),
            false => Err(self.no(direction)),
        }
    }

    /// The transmitter's time.
    fn sent_ns(&self) -> i64 {
        let since = self.transmits.map_or(0, |settings| nanoseconds(self.sent, settings.sample_rate_hz));
        self.jumped_ns.saturating_add(since)
    }
}

impl Drop for FileDevice {
    fn drop(&mut self) {
        if let Some(sink) = &mut self.sink {
            // Who wants to know calls `finish`.
            let _ = sink.finish();
        }
    }
}

impl Device for FileDevice {
    fn name(&self) -> String {
        let played = self.source.as_ref().map(|source| format!("plays {}", source.path().display()));
        let recorded = self.sink.as_ref().map(|sink| format!("records {}", sink.path().display()));
        let both: Vec<String> = played.into_iter().chain(recorded).collect();
        format!("file device that {}", if both.is_empty() { "is closed".to_owned() } else { both.join(" and ") })
    }

    fn has(&self, direction: Direction) -> bool {
        match direction {
            Direction::Receive => self.source.is_some(),
            Direction::Transmit => self.sink.is_some(),
        }
    }

    fn set(&mut self, direction: Direction, wanted: &Settings) -> Result<Settings, DeviceError> {
        if direction == Direction::Transmit && self.has(direction) {
            if let Some(why) = wanted.fault() {
                return Err(DeviceError::Refused { device: self.name(), what: "be set".to_owned(), why });
            }
            let set = Settings { gain_db: 0.0, bandwidth_hz: None, ..*wanted };
            if let Some(Err(error)) = self.sink.as_mut().map(|sink| sink.tune(&set)) {
                return Err(self.refused("be set", &error));
            }
            if self.transmits.is_none_or(|had| had.sample_rate_hz != set.sample_rate_hz) {
                (self.jumped_ns, self.sent) = (self.sent_ns(), 0);
            }
            self.transmits = Some(set);
        }
        self.settings(direction)
    }

    fn settings(&mut self, direction: Direction) -> Result<Settings, DeviceError> {
        match (direction, &self.source) {
            (Direction::Receive, Some(source)) => Ok(Settings {
                sample_rate_hz: source.sample_rate_hz(),
                frequency_hz: source.frequency_hz().unwrap_or(0.0),
                gain_db: 0.0,
                bandwidth_hz: None,
            }),
            (Direction::Receive, None) => Err(self.no(direction)),
            (Direction::Transmit, _) if self.sink.is_none() => Err(self.no(direction)),
            (Direction::Transmit, _) => self.transmits.ok_or_else(|| DeviceError::Refused {
                device: self.name(),
                what: "tell its settings".to_owned(),
                why: "it has none yet; set it first".to_owned(),
            }),
        }
    }

    fn gain_range_db(&mut self, direction: Direction) -> Result<RangeInclusive<f64>, DeviceError> {
        if self.has(direction) { Ok(0.0..=0.0) } else { Err(self.no(direction)) }
    }

    fn set_gain_db(&mut self, direction: Direction, _gain_db: f64) -> Result<f64, DeviceError> {
        if self.has(direction) { Ok(0.0) } else { Err(self.no(direction)) }
    }

    fn run(&mut self, direction: Direction, runs: bool) -> Result<(), DeviceError> {
        if !self.has(direction) {
            return Err(self.no(direction));
        }
        if runs && direction == Direction::Transmit {
            // A file without a rate could not be played again.
            self.settings(direction)?;
        }
        self.running[direction as usize] = runs;
        Ok(())
    }

    fn runs(&self, direction: Direction) -> bool {
        self.running[direction as usize]
    }

    fn receive(&mut self, samples: &mut [Complex32], _timeout: Duration) -> Result<Received, DeviceError> {
        self.started(Direction::Receive)?;
        let Some(source) = &mut self.source else { return Err(self.no(Direction::Receive)) };
        let rate = source.sample_rate_hz();
        match source.read(samples) {
            Ok(received) if received.count == 0 && !samples.is_empty() => {
                Err(DeviceError::Ended { device: self.name() })
            }
            Ok(received) => {
                let first = received.at_ns.unwrap_or(self.received_ns);
                self.received_ns = first.saturating_add(nanoseconds(received.count as u64, rate));
                Ok(received)
            }
            Err(error) => Err(self.refused("receive", &error)),
        }
    }

    fn transmit(&mut self, samples: &[Complex32], burst: Burst, _timeout: Duration) -> Result<usize, DeviceError> {
        self.started(Direction::Transmit)?;
        let now = self.sent_ns();
        // Time that has passed is not recorded again: a late burst follows on.
        let at = burst.at_ns.filter(|at| *at > now);
        self.losses.late += u64::from(burst.at_ns.is_some_and(|at| at < now));
        let Some(sink) = &mut self.sink else { return Err(self.no(Direction::Transmit)) };
        if let Err(error) = sink.write(samples, Some(at.unwrap_or(now))) {
            return Err(self.refused("transmit", &error));
        }
        if let Some(at) = at {
            (self.jumped_ns, self.sent) = (at, 0);
        }
        self.sent += samples.len() as u64;
        Ok(samples.len())
    }

    fn time_ns(&mut self) -> Option<i64> {
        Some(if self.sink.is_some() { self.sent_ns() } else { self.received_ns })
    }

    fn losses(&self) -> Losses {
        self.losses
    }
}
