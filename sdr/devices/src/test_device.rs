//! A device that radiates nothing and writes down all that it is told: what tests of safety look at.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use num_complex::Complex32;
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Monotonic};
use crate::device::{Burst, Device, DeviceError, Direction, Losses, Received, Settings};

/// What a [`TestDevice`] was asked to do. Asking for what it is set to is no request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// [`Device::set`].
    Set {
        /// Of which direction.
        direction: Direction,
        /// To what.
        wanted: Settings,
    },
    /// [`Device::set_gain_db`].
    SetGain {
        /// Of which direction.
        direction: Direction,
        /// To what, in dB.
        gain_db: f64,
    },
    /// [`Device::run`].
    Run {
        /// Which direction.
        direction: Direction,
        /// Start or stop.
        runs: bool,
    },
    /// [`Device::transmit`].
    Transmit {
        /// How many samples were given.
        count: usize,
        /// Their burst.
        burst: Burst,
    },
    /// The device was dropped, as a driver's handle is when a process ends in order.
    Closed,
}

/// A request, when it came and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The place in the order of all requests, from 0.
    pub number: u64,
    /// The device's time, in nanoseconds.
    pub at_ns: i64,
    /// What was asked.
    pub request: Request,
    /// Whether it was done.
    pub done: bool,
}

/// The requests of a [`TestDevice`], which outlive it.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Vec<Told>>>);

impl Journal {
    /// All so far, in order.
    pub fn told(&self) -> Vec<Told> {
        lock(&self.0).clone()
    }

    /// Only what was asked, in order.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.0).iter().map(|told| told.request.clone()).collect()
    }

    /// Reads the file that [`TestDevice::writing_to`] wrote. The last line may be cut off, as that of a process that was killed.
    ///
    /// # Errors
    /// The file cannot be read, or a whole line of it is not a [`Told`].
    pub fn read(path: &Path) -> io::Result<Vec<Told>> {
        let mut reader = BufReader::new(File::open(path)?);
        let mut told = Vec::new();
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 && line.ends_with('\n') {
            told.push(serde_json::from_str(&line)?);
            line.clear();
        }
        Ok(told)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a [`TestDevice`] disobeys.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The gain stays what it is, though setting it seems to succeed.
    pub gain_stuck: bool,
    /// The gain comes out this much higher than asked, in dB.
    pub gain_excess_db: f64,
    /// Both directions have one oscillator, so that setting the frequency of one sets that of the other.
    pub one_oscillator: bool,
    /// A stream that is stopped runs on, though stopping it seems to succeed.
    pub runs_on: bool,
    /// Setting fails after rate, frequency and gain were set, as of a bandwidth that the driver does not know.
    pub fails_half_set: bool,
    /// Starting the transmitter fails, with its stream running.
    pub fails_half_started: bool,
    /// Stopping a stream is refused this many times.
    pub refuses_to_stop: u32,
    /// Transmission fails after so many samples, and so does all that is asked then but silence.
    pub fails_after: Option<u64>,
    /// Transmission panics after so many samples.
    pub panics_after: Option<u64>,
    /// Transmission does not come back while this is true.
    pub hangs: Arc<AtomicBool>,
    /// Setting the gain does not come back while this is true.
    pub hangs_at_gain: Arc<AtomicBool>,
    /// What is lost with each call that moves samples.
    pub losses: Losses,
}

/// A device with both directions, that radiates nothing. Its gains are 0 to 60 dB.
///
/// The receiver gives what was [fed](TestDevice::feed) to it; its transmitter takes everything at once. A burst for a time that
/// has passed counts as late.
#[derive(Debug)]
pub struct TestDevice {
    name: String,
    settings: [Settings; 2],
    running: [bool; 2],
    journal: Journal,
    file: Option<File>,
    clock: Arc<dyn Clock>,
    faults: Faults,
    taken: u64,
    fed: VecDeque<Complex32>,
    losses: Losses,
}

impl Default for TestDevice {
    fn default() -> TestDevice {
        TestDevice::new()
    }
}

impl TestDevice {
    /// A device at full gain, as one may find it, on the system's clock.
    pub fn new() -> TestDevice {
        let settings = Settings { sample_rate_hz: 1e6, frequency_hz: 100e6, gain_db: 60.0, bandwidth_hz: None };
        TestDevice {
            name: "test device".to_owned(),
            settings: [settings; 2],
            running: [false; 2],
            journal: Journal::default(),
            file: None,
            clock: Arc::new(Monotonic::default()),
            faults: Faults::default(),
            taken: 0,
            fed: VecDeque::new(),
            losses: Losses::default(),
        }
    }

    /// With another clock.
    #[must_use]
    pub fn clocked(mut self, clock: Arc<dyn Clock>) -> TestDevice {
        self.clock = clock;
        self
    }

    /// That disobeys.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> TestDevice {
        self.faults = faults;
        self
    }

    /// Writes each request as a line of JSON to a new file, at once, so that it is there whatever becomes of this process.
    ///
    /// # Errors
    /// The file exists or cannot be made.
    pub fn writing_to(mut self, path: &Path) -> io::Result<TestDevice> {
        self.file = Some(OpenOptions::new().append(true).create_new(true).open(path)?);
        Ok(self)
    }

    /// Samples that the receiver is to give.
    pub fn feed(&mut self, samples: &[Complex32]) {
        self.fed.extend(samples);
    }

    /// Where the requests are written down.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    fn note(&mut self, request: Request, done: bool) {
        let mut told = lock(&self.journal.0);
        let entry = Told { number: told.len() as u64, at_ns: self.clock.now_ns(), request, done };
        if let Some(file) = &mut self.file {
            // One write for each line: a process that is killed leaves whole lines.
            let written = serde_json::to_string(&entry).map_err(io::Error::from);
            if let Err(error) = written.and_then(|line| file.write_all(format!("{line}\n").as_bytes())) {
                panic!("the test device cannot write down what it is told: {error}");
            }
        }
        told.push(entry);
    }

    fn refused(&self, what: &str, why: &str) -> DeviceError {
        DeviceError::Refused { device: self.name.clone(), what: what.to_owned(), why: why.to_owned() }
    }

    fn broken(&self) -> bool {
        self.faults.fails_after.is_some_and(|after| self.taken >= after)
    }
}

impl Device for TestDevice {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn has(&self, _direction: Direction) -> bool {
        true
    }

    fn set(&mut self, direction: Direction, wanted: &Settings) -> Result<Settings, DeviceError> {
        let request = Request::Set { direction, wanted: *wanted };
        if let Some(fault) = wanted.fault() {
            self.note(request, false);
            return Err(self.refused("set it", &fault));
        }
        if self.broken() {
            self.note(request, false);
            return Err(self.refused("set it", "it is broken"));
        }
        let slot = &mut self.settings[direction as usize];
        let gain_db = if self.faults.gain_stuck { slot.gain_db } else { wanted.gain_db + self.faults.gain_excess_db };
        *slot = Settings { gain_db: gain_db.clamp(0.0, 60.0), ..*wanted };
        let set = *slot;
        if self.faults.one_oscillator {
            self.settings.iter_mut().for_each(|settings| settings.frequency_hz = set.frequency_hz);
        }
        self.note(request, !self.faults.fails_half_set);
        if self.faults.fails_half_set {
            return Err(self.refused("set its bandwidth", "it has no filter"));
        }
        Ok(set)
    }

    fn settings(&mut self, direction: Direction) -> Result<Settings, DeviceError> {
        Ok(self.settings[direction as usize])
    }

    fn gain_range_db(&mut self, _direction: Direction) -> Result<RangeInclusive<f64>, DeviceError> {
        Ok(0.0..=60.0)
    }

    fn set_gain_db(&mut self, direction: Direction, gain_db: f64) -> Result<f64, DeviceError> {
        while self.faults.hangs_at_gain.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        if !self.faults.gain_stuck {
            self.settings[direction as usize].gain_db = (gain_db + self.faults.gain_excess_db).clamp(0.0, 60.0);
        }
        self.note(Request::SetGain { direction, gain_db }, true);
        Ok(self.settings[direction as usize].gain_db)
    }

    fn run(&mut self, direction: Direction, runs: bool) -> Result<(), DeviceError> {
        let refuses = !runs && self.faults.refuses_to_stop > 0;
        if refuses {
            self.faults.refuses_to_stop -= 1;
            self.note(Request::Run { direction, runs }, false);
            return Err(self.refused("stop the stream", "it does not want to"));
        }
        self.running[direction as usize] = runs || (self.faults.runs_on && self.running[direction as usize]);
        let half_started = self.faults.fails_half_started && runs && direction == Direction::Transmit;
        self.note(Request::Run { direction, runs }, !half_started);
        if half_started {
            return Err(self.refused("start the stream", "its clock is not locked"));
        }
        Ok(())
    }

    fn runs(&self, direction: Direction) -> bool {
        self.running[direction as usize]
    }

    fn receive(&mut self, samples: &mut [Complex32], timeout: Duration) -> Result<Received, DeviceError> {
        if !self.running[Direction::Receive as usize] {
            return Err(DeviceError::NotRunning { device: self.name.clone() });
        }
        if self.fed.is_empty() {
            thread::sleep(timeout);
            return Ok(Received::default());
        }
        self.losses += Losses { overflows: self.faults.losses.overflows, ..Losses::default() };
        let count = samples.len().min(self.fed.len());
        samples.iter_mut().zip(self.fed.drain(..count)).for_each(|(to, from)| *to = from);
        Ok(Received { count, at_ns: Some(self.clock.now_ns()) })
    }

    fn transmit(&mut self, samples: &[Complex32], burst: Burst, _timeout: Duration) -> Result<usize, DeviceError> {
        let request = Request::Transmit { count: samples.len(), burst };
        if !self.running[Direction::Transmit as usize] {
            self.note(request, false);
            return Err(DeviceError::NotRunning { device: self.name.clone() });
        }
        if self.broken() {
            self.note(request, false);
            return Err(self.refused("transmit", "it is broken"));
        }
        self.taken += samples.len() as u64;
        if self.faults.panics_after.is_some_and(|after| self.taken > after) {
            self.note(request, false);
            panic!("the driver has panicked, as the test asked");
        }
        let late = burst.at_ns.is_some_and(|at| at < self.clock.now_ns());
        self.losses += Losses { late: u64::from(late), ..Losses::default() };
        self.losses += Losses { overflows: 0, ..self.faults.losses };
        self.note(request, true);
        while self.faults.hangs.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(samples.len())
    }

    fn time_ns(&mut self) -> Option<i64> {
        Some(self.clock.now_ns())
    }

    fn losses(&self) -> Losses {
        self.losses
    }
}

impl Drop for TestDevice {
    fn drop(&mut self) {
        self.note(Request::Closed, true);
    }
}
