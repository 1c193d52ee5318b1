//! A device whose samples are recorded as they pass.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use num_complex::Complex32;

use super::{RecordingError, Sink};
use crate::device::{Burst, Device, DeviceError, Direction, Losses, Received, Settings};

/// A device, with what it receives or what it transmits recorded.
///
/// A gap in the time of the samples, and what the device lost, stand in the recording where they happened, if its format can
/// hold them.
pub struct Recorded<D> {
    device: D,
    sinks: [Option<Box<dyn Sink>>; 2],
    losses: Losses,
}

impl<D: Device> fmt::Debug for Recorded<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("device", &self.device.name()).finish_non_exhaustive()
    }
}

impl<D: Device> Recorded<D> {
    /// Records what is received, what is transmitted, or both.
    pub fn new(device: D, received: Option<Box<dyn Sink>>, transmitted: Option<Box<dyn Sink>>) -> Recorded<D> {
        let losses = device.losses();
        Recorded { device, sinks: [received, transmitted], losses }
    }

    /// Writes out the recordings and gives back the device.
    ///
    /// # Errors
    /// A recording cannot be written.
    pub fn finish(mut self) -> Result<D, RecordingError> {
        for sink in self.sinks.iter_mut().flatten() {
            sink.finish()?;
        }
        Ok(self.device)
    }

    fn tune(&mut self, direction: Direction, settings: &Settings) -> Result<(), DeviceError> {
        self.with(direction, |sink| sink.tune(settings))
    }

    fn with(
        &mut self,
        direction: Direction,
        act: impl FnOnce(&mut dyn Sink) -> Result<(), RecordingError>,
    ) -> Result<(), DeviceError> {
        let Some(sink) = &mut self.sinks[direction as usize] else { return Ok(()) };
        act(sink.as_mut()).map_err(|error| DeviceError::Refused {
            device: self.device.name(),
            what: format!("record what it {direction}s"),
            why: error.to_string(),
        })
    }

    /// Notes in the recording what was lost since the last look.
    fn note_losses(&mut self, direction: Direction) -> Result<(), DeviceError> {
        let (now, before) = (self.device.losses(), self.losses);
        self.losses = now;
        let labels = match direction {
            Direction::Receive => vec![("overflow", now.overflows > before.overflows)],
            Direction::Transmit => {
                vec![("underflow", now.underflows > before.underflows), ("late", now.late > before.late)]
            }
        };
        labels.into_iter().filter(|(_, lost)| *lost).try_for_each(|(label, _)| self.with(direction, |s| s.note(label)))
    }
}

impl<D: Device> Device for Recorded<D> {
    fn name(&self) -> String {
        self.device.name()
    }

    fn has(&self, direction: Direction) -> bool {
        self.device.has(direction)
    }

    fn set(&mut self, direction: Direction, wanted: &Settings) -> Result<Settings, DeviceError> {
        let set = self.device.set(direction, wanted)?;
        self.tune(direction, &set)?;
        Ok(set)
    }

    fn settings(&mut self, direction: Direction) -> Result<Settings, DeviceError> {
        self.device.settings(direction)
    }

    fn gain_range_db(&mut self, direction: Direction) -> Result<RangeInclusive<f64>, DeviceError> {
        self.device.gain_range_db(direction)
    }

    fn set_gain_db(&mut self, direction: Direction, gain_db: f64) -> Result<f64, DeviceError> {
        self.device.set_gain_db(direction, gain_db)
    }

    fn run(&mut self, direction: Direction, runs: bool) -> Result<(), DeviceError> {
        if runs && self.sinks[direction as usize].is_some() {
            // Settings may have been made before the recording began.
            let settings = self.device.settings(direction)?;
            self.tune(direction, &settings)?;
        }
        self.device.run(direction, runs)
    }

    fn runs(&self, direction: Direction) -> bool {
        self.device.runs(direction)
    }

    fn receive(&mut self, samples: &mut [Complex32], timeout: Duration) -> Result<Received, DeviceError> {
        let received = self.device.receive(samples, timeout)?;
        self.note_losses(Direction::Receive)?;
        if received.count > 0 {
            self.with(Direction::Receive, |sink| sink.write(&samples[..received.count], received.at_ns))?;
        }
        Ok(received)
    }

    fn transmit(&mut self, samples: &[Complex32], burst: Burst, timeout: Duration) -> Result<usize, DeviceError> {
        let taken = self.device.transmit(samples, burst, timeout)?;
        self.note_losses(Direction::Transmit)?;
        if taken > 0 {
            self.with(Direction::Transmit, |sink| sink.write(&samples[..taken], burst.at_ns))?;
        }
        Ok(taken)
    }

    fn time_ns(&mut self) -> Option<i64> {
        self.device.time_ns()
    }

    fn losses(&self) -> Losses {
        self.device.losses()
    }

    fn tells_losses(&self, direction: Direction) -> bool {
        self.device.tells_losses(direction)
    }
}
