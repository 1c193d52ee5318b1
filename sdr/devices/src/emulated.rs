//! The ends of emulated links that other processes serve, as devices. They need no SoapySDR, and radiate nothing.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use farlink_emulated_link::{
    ClientError, End, Found, GAIN_RANGE_DB, Half, OpenEnd, Pace, Reading, Trouble, default_folder, find,
};
use num_complex::Complex32;
use thiserror::Error;

use crate::device::{Burst, Device, DeviceError, Direction, Losses, Received, Settings};
use crate::soapy::Arguments;

/// What the driver of emulated ends is called in a device's arguments, also by SoapySDR.
pub const DRIVER: &str = "farlink";

/// The longest wait within one call of the link, so that a loss is seen beside samples that come.
const SLICE: Duration = Duration::from_millis(50);

/// Why an end of an emulated link cannot be opened.
#[derive(Debug, Error)]
pub enum EmulatedError {
    /// There is no such end.
    #[error(
        "no end of an emulated link in {} fits `{wanted}`; there is {}: serve a link with `farlink sdr emulate`, or name its folder in \
         FARLINK_LINKS",
        folder.display(),
        if there.is_empty() { "none".to_owned() } else { there.join(", ") }
    )]
    NoMatch {
        /// Where was looked.
        folder: PathBuf,
        /// For what.
        wanted: String,
        /// What is there.
        there: Vec<String>,
    },
    /// There is more than one.
    #[error("{} ends of emulated links fit `{wanted}`; say which:\n  {}", found.len(), found.join("\n  "))]
    Several {
        /// What was asked for.
        wanted: String,
        /// Which.
        found: Vec<String>,
    },
    /// The link says no, or is gone.
    #[error("{0}")]
    Link(#[from] ClientError),
}

impl From<EmulatedError> for DeviceError {
    fn from(error: EmulatedError) -> DeviceError {
        let (device, what) = ("driver=farlink".to_owned(), "be opened".to_owned());
        DeviceError::Refused { device, what, why: error.to_string() }
    }
}

/// An end of a link that is served.
#[derive(Clone, Debug)]
pub struct ServedEnd {
    /// The link.
    pub link: Found,
    /// Which of its ends.
    pub end: End,
}

impl ServedEnd {
    /// The arguments that name it, here and to SoapySDR.
    pub fn arguments(&self) -> String {
        format!("driver={DRIVER},link={},end={}", self.link.description.name, self.end)
    }

    /// Whether a program has it open.
    pub fn in_use(&self) -> bool {
        self.link.description.in_use[self.end as usize]
    }

    /// A key that it does not know says nothing about it.
    fn fits(&self, wanted: &Arguments) -> bool {
        let name = &self.link.description.name;
        let same = |key: &str, value: &str| wanted.get(key).is_none_or(|wanted| wanted == value);
        same("driver", DRIVER)
            && same("link", name)
            && same("end", &self.end.to_string())
            && same("serial", &format!("{name}-{}", self.end))
    }
}

/// The ends of the links that are served in a folder, in use or not.
pub fn served(folder: &Path) -> Vec<ServedEnd> {
    let ends = |link: Found| End::BOTH.map(|end| ServedEnd { link: link.clone(), end });
    find(folder).into_iter().flat_map(ends).collect()
}

/// What moves the time of the link whose end these arguments name, if there is exactly one: at the pace of samples it stands
/// as long as a burst is open and not written further.
pub fn pace_of(wanted: &Arguments) -> Option<Pace> {
    let mut fitting = served(&default_folder()).into_iter().filter(|end| end.fits(wanted));
    let pace = fitting.next()?.link.description.pace;
    fitting.next().is_none().then_some(pace)
}

/// An end of an emulated link. Full scale is 1.
pub struct EmulatedDevice {
    end: OpenEnd,
    name: String,
    running: [bool; 2],
    losses: Losses,
}

impl fmt::Debug for EmulatedDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatedDevice")
            .field("name", &self.name)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl EmulatedDevice {
    /// Opens the one end that arguments name, such as `driver=farlink,link=moon,end=a`, of the links that are served in
    /// [`default_folder`].
    ///
    /// # Errors
    /// No end fits, or more than one; it is in use, or its link does not answer.
    pub fn open(wanted: &Arguments) -> Result<EmulatedDevice, EmulatedError> {
        Self::open_in(&default_folder(), wanted)
    }

    /// The same for the links in a folder.
    ///
    /// # Errors
    /// As [`EmulatedDevice::open`].
    pub fn open_in(folder: &Path, wanted: &Arguments) -> Result<EmulatedDevice, EmulatedError> {
        let (mut fitting, others): (Vec<_>, Vec<_>) = served(folder).into_iter().partition(|end| end.fits(wanted));
        let named = |ends: &[ServedEnd]| ends.iter().map(ServedEnd::arguments).collect();
        let wanted = wanted.to_string();
        match (fitting.pop(), fitting.is_empty()) {
            (None, _) => Err(EmulatedError::NoMatch { folder: folder.to_owned(), wanted, there: named(&others) }),
            (Some(served), true) => {
                let end = OpenEnd::open(&served.link.path, served.end)?;
                Ok(EmulatedDevice { end, name: served.arguments(), running: [false; 2], losses: Losses::default() })
            }
            (Some(last), false) => {
                fitting.push(last);
                Err(EmulatedError::Several { wanted, found: named(&fitting) })
            }
        }
    }

    fn failed(&self, what: &str, error: &ClientError) -> DeviceError {
        let (device, why) = (self.name.clone(), error.to_string());
        match error {
            ClientError::Refused { .. } => DeviceError::Refused { device, what: what.to_owned(), why },
            _ => DeviceError::Lost { device, why },
        }
    }

    /// Counts what the transmitter reports, for a time at most.
    fn take_reports(&mut self) -> Result<(), DeviceError> {
        loop {
            match self.end.trouble(Duration::ZERO).map_err(|error| self.failed("report how it transmits", &error))? {
                Some(Trouble::Underflow { .. }) => self.losses.underflows += 1,
                Some(Trouble::Late { .. }) => self.losses.late += 1,
                None => return Ok(()),
            }
        }
    }
}

fn half(direction: Direction) -> Half {
    match direction {
        Direction::Receive => Half::Receiver,
        Direction::Transmit => Half::Transmitter,
    }
}

impl Device for EmulatedDevice {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn has(&self, _direction: Direction) -> bool {
        true
    }

    /// The rate is that of both directions; the bandwidth is always that of the rate.
    fn set(&mut self, direction: Direction, wanted: &Settings) -> Result<Settings, DeviceError> {
        if let Some(why) = wanted.fault() {
            return Err(DeviceError::Refused { device: self.name(), what: "be set".to_owned(), why });
        }
        let half = half(direction);
        let had = self.end.settings().map_err(|error| self.failed("tell its settings", &error))?;
        if had.rate_hz != wanted.sample_rate_hz {
            let what = format!("set its sample rate to {} Hz", wanted.sample_rate_hz);
            self.end.set_rate(wanted.sample_rate_hz).map_err(|error| self.failed(&what, &error))?;
        }
        let what = format!("set its frequency to {} Hz", wanted.frequency_hz);
        self.end.set_frequency(half, wanted.frequency_hz).map_err(|error| self.failed(&what, &error))?;
        self.set_gain_db(direction, wanted.gain_db)?;
        self.settings(direction)
    }

    fn settings(&mut self, direction: Direction) -> Result<Settings, DeviceError> {
        let set = self.end.settings().map_err(|error| self.failed("tell its settings", &error))?;
        let (frequency_hz, gain_db) = match direction {
            Direction::Receive => (set.receive_hz, set.receive_gain_db),
            Direction::Transmit => (set.transmit_hz, set.transmit_gain_db),
        };
        Ok(Settings { sample_rate_hz: set.rate_hz, frequency_hz, gain_db, bandwidth_hz: None })
    }

    fn gain_range_db(&mut self, _direction: Direction) -> Result<RangeInclusive<f64>, DeviceError> {
        Ok(GAIN_RANGE_DB[0]..=GAIN_RANGE_DB[1])
    }

    fn set_gain_db(&mut self, direction: Direction, gain_db: f64) -> Result<f64, DeviceError> {
        let what = format!("set its gain to {gain_db} dB");
        self.end.set_gain(half(direction), gain_db).map_err(|error| self.failed(&what, &error))?;
        Ok(self.settings(direction)?.gain_db)
    }

    fn run(&mut self, direction: Direction, runs: bool) -> Result<(), DeviceError> {
        if self.running[direction as usize] == runs {
            return Ok(());
        }
        let done = match (direction, runs) {
            (Direction::Receive, true) => self.end.start_receiver(None, None),
            (Direction::Transmit, true) => self.end.start_transmitter(),
            (_, false) => self.end.stop(half(direction)),
        };
        let what = if runs { "start the stream" } else { "stop the stream" };
        done.map_err(|error| self.failed(what, &error))?;
        self.running[direction as usize] = runs;
        Ok(())
    }

    fn runs(&self, direction: Direction) -> bool {
        self.running[direction as usize]
    }

    fn receive(&mut self, samples: &mut [Complex32], timeout: Duration) -> Result<Received, DeviceError> {
        if samples.is_empty() {
            return Ok(Received::default());
        }
        let until = Instant::now() + timeout;
        loop {
            if !self.running[Direction::Receive as usize] {
                return Err(DeviceError::NotRunning { device: self.name() });
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.end.receive(samples, left.min(SLICE)).map_err(|error| self.failed("receive", &error))? {
                Reading::Samples { at_ns, count, .. } => return Ok(Received { count, at_ns: Some(at_ns) }),
                Reading::Overflow => self.losses.overflows += 1,
                Reading::NotRunning | Reading::Late => self.running[Direction::Receive as usize] = false,
                Reading::Nothing => {}
            }
            if left.is_zero() {
                return Ok(Received::default());
            }
        }
    }

    fn transmit(&mut self, samples: &[Complex32], burst: Burst, timeout: Duration) -> Result<usize, DeviceError> {
        if !self.running[Direction::Transmit as usize] {
            return Err(DeviceError::NotRunning { device: self.name() });
        }
        let taken = self.end.transmit(samples, burst.at_ns, burst.ends, timeout);
        let taken = taken.map_err(|error| self.failed("transmit", &error))?;
        self.take_reports()?;
        Ok(taken)
    }

    fn time_ns(&mut self) -> Option<i64> {
        let now = self.end.now_ns().ok();
        // Who waits for the end of a burst asks for the time, and what went wrong meanwhile is to be told.
        let _ = self.take_reports();
        now
    }

    fn losses(&self) -> Losses {
        self.losses
    }
}
