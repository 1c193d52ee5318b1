//! The guard around a device, and its dead-man timer.

use std::fmt;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use num_complex::Complex32;
use serde::{Deserialize, Serialize};

use super::duty::DutyMeter;
use super::{Disobedience, Rules, SafetyError, Silence, silence};
use crate::clock::Clock;
use crate::device::{Burst, Device, DeviceError, Direction, Losses, Received, Settings};

/// The longest that a call holds the device, so that the timer can have it.
const SLICE: Duration = Duration::from_millis(50);
/// How long the timer waits for a device that is within a call.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a device may transmit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It may, under its rules; or it may not, without any.
    Guarded,
    /// It has been silenced, and reads back as silent.
    Silent {
        /// What for.
        why: String,
        /// What was read back; `None` if it has no transmitter.
        silence: Option<Silence>,
    },
    /// It was to be silenced and does not obey.
    Disobeys {
        /// What for.
        why: String,
        /// What it does instead.
        what: String,
    },
    /// It was to be silenced, but its driver does not come back from a call.
    Stuck {
        /// What for.
        why: String,
    },
}

/// Looks at the state of a device, and outlives its guard.
#[derive(Clone, Debug)]
pub struct Watch(Arc<(Mutex<State>, Condvar)>);

impl Watch {
    fn new() -> Watch {
        Watch(Arc::new((Mutex::new(State::Guarded), Condvar::new())))
    }

    /// The state now.
    pub fn state(&self) -> State {
        lock(&self.0.0).clone()
    }

    /// Waits until it is no longer guarded, or for a time, and tells the state then.
    pub fn wait(&self, timeout: Duration) -> State {
        let guarded = |state: &mut State| *state == State::Guarded;
        let waited = self.0.1.wait_timeout_while(lock(&self.0.0), timeout, guarded);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    fn set(&self, state: State) {
        *lock(&self.0.0) = state;
        self.0.1.notify_all();
    }
}

/// Says that control is there.
#[derive(Clone, Debug)]
pub struct Control {
    said_ns: Arc<AtomicI64>,
    clock: Arc<dyn Clock>,
}

impl Control {
    /// Whoever controls the transmission says so now. Call it from what a person or a program steers by, not from a loop that
    /// would go on without them.
    pub fn is_there(&self) {
        self.said_ns.fetch_max(self.clock.now_ns(), Ordering::SeqCst);
    }

    fn silent_for_ns(&self) -> i64 {
        self.clock.now_ns().saturating_sub(self.said_ns.load(Ordering::SeqCst))
    }
}

/// A device that transmits only as [`Rules`] permit, and is silenced otherwise.
///
/// What a rule forbids is refused before the device hears of it, and changes nothing. Silence is for good: to transmit again,
/// guard the device anew.
pub struct Guarded {
    shared: Arc<Shared>,
    name: String,
    timer: Option<JoinHandle<()>>,
}

struct Shared {
    inner: Mutex<Inner>,
    watch: Watch,
    control: Control,
    ends: AtomicBool,
}

struct Inner {
    device: Box<dyn Device>,
    name: String,
    rules: Option<Rules>,
    meter: DutyMeter,
    /// Rate of the transmitter, as last read back; `None` if it is not known to be set as permitted.
    sample_rate_hz: Option<f64>,
    silenced: bool,
    watch: Watch,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic within a call of the device is what a guard is for.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("name", &self.name).field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Guarded {
    /// Silences a device and guards it. Without rules it may receive, and nothing else. The dead-man timer runs from here on.
    ///
    /// # Errors
    /// The rules make no sense, or are for a device that cannot transmit; the device does not obey.
    pub fn new(
        mut device: Box<dyn Device>,
        rules: Option<Rules>,
        clock: Arc<dyn Clock>,
    ) -> Result<Guarded, SafetyError> {
        if let Some(rules) = &rules {
            rules.check()?;
            if !device.has(Direction::Transmit) {
                return Err(DeviceError::NoDirection { device: device.name(), direction: Direction::Transmit }.into());
            }
        }
        if device.has(Direction::Transmit) {
            silence(device.as_mut())?;
        }
        let (name, watch) = (device.name(), Watch::new());
        let control = Control { said_ns: Arc::new(AtomicI64::new(clock.now_ns())), clock };
        let dead_man = rules.as_ref().map(|rules| Duration::from_secs_f64(rules.dead_man_s));
        let inner = Inner {
            device,
            name: name.clone(),
            rules,
            meter: DutyMeter::default(),
            sample_rate_hz: None,
            silenced: false,
            watch: watch.clone(),
        };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), watch, control, ends: AtomicBool::new(false) });
        let mut guarded = Guarded { shared: Arc::clone(&shared), name, timer: None };
        if let Some(dead_man) = dead_man {
            let timer = thread::Builder::new().name("dead-man".to_owned()).spawn(move || shared.watch_over(dead_man));
            guarded.timer = Some(timer.map_err(SafetyError::Thread)?);
        }
        Ok(guarded)
    }

    /// What says that control is there, for another thread.
    pub fn control(&self) -> Control {
        self.shared.control.clone()
    }

    /// What looks at the state, for another thread, and after the guard is gone.
    pub fn watch(&self) -> Watch {
        self.shared.watch.clone()
    }

    /// Whether the device may transmit.
    pub fn state(&self) -> State {
        self.shared.watch.state()
    }

    /// Silences the device for good.
    ///
    /// # Errors
    /// The device does not obey.
    pub fn silence(&mut self, why: &str) -> Result<(), Disobedience> {
        lock(&self.shared.inner).silence(why)
    }

    /// Silences the device and lets go of it.
    ///
    /// # Errors
    /// The device does not obey.
    pub fn close(mut self) -> Result<(), Disobedience> {
        self.silence("it was closed")
    }

    /// The device, if it may transmit, and the rules.
    fn permitted(&self, what: &str) -> Result<(MutexGuard<'_, Inner>, Rules), DeviceError> {
        let mut inner = lock(&self.shared.inner);
        let Some(rules) = inner.rules.clone() else {
            let why = "no permit is given; say that the path is conducted and its attenuation, or name a licence and its band";
            return Err(inner.forbidden(what, why.to_owned()));
        };
        self.shared.mind_control(&mut inner);
        if let State::Silent { why, .. } | State::Disobeys { why, .. } | State::Stuck { why } = inner.watch.state() {
            return Err(inner.forbidden(what, format!("it was silenced: {why}")));
        }
        Ok((inner, rules))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let why = if thread::panicking() { "the program panicked" } else { "its guard was dropped" };
        if let Err(disobedience) = self.silence(why) {
            // Nobody may be left to look at the state, and a radio that will not be silent is no secret.
            let _ = writeln!(io::stderr(), "{disobedience}");
        }
        self.shared.ends.store(true, Ordering::SeqCst);
        if let Some(timer) = self.timer.take() {
            timer.thread().unpark();
            let _ = timer.join();
        }
    }
}

impl Shared {
    /// The thread of the dead-man timer.
    fn watch_over(self: &Arc<Self>, dead_man: Duration) {
        let pause = (dead_man / 16).clamp(Duration::from_millis(1), Duration::from_millis(50));
        while !self.ends.load(Ordering::SeqCst) {
            thread::park_timeout(pause);
            if let Some(why) = self.lost_control(dead_man) {
                return self.silence_in_time(why);
            }
        }
    }

    /// Lost is lost, whatever is said meanwhile. The driver may hang before the device is free, or in being silenced: that is told.
    fn silence_in_time(self: &Arc<Self>, why: String) {
        let (shared, reason) = (Arc::clone(self), why.clone());
        // What comes of it stands in the state.
        let silence = move || drop(lock(&shared.inner).silence(&reason));
        let Ok(silencer) = thread::Builder::new().name("silencer".to_owned()).spawn(silence) else {
            let _ = lock(&self.inner).silence(&why);
            return;
        };
        let until = Instant::now() + PATIENCE;
        while !silencer.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        if self.watch.state() == State::Guarded {
            self.watch.set(State::Stuck { why });
        }
        let _ = silencer.join();
    }

    fn lost_control(&self, dead_man: Duration) -> Option<String> {
        let lost = u128::try_from(self.control.silent_for_ns()).is_ok_and(|silent| silent >= dead_man.as_nanos());
        lost.then(|| format!("nobody has said for {dead_man:?} that control is there"))
    }

    /// Silences the device if control is lost.
    fn mind_control(&self, inner: &mut Inner) {
        let dead_man = inner.rules.as_ref().map(|rules| Duration::from_secs_f64(rules.dead_man_s));
        if let Some(why) = dead_man.and_then(|dead_man| self.lost_control(dead_man)) {
            // What comes of it stands in the state.
            let _ = inner.silence(&why);
        }
    }
}

impl Inner {
    fn forbidden(&self, what: &str, why: String) -> DeviceError {
        DeviceError::Forbidden { device: self.name.clone(), what: what.to_owned(), why }
    }

    /// Silences the device, once; what it was silenced for first stands.
    fn silence(&mut self, why: &str) -> Result<(), Disobedience> {
        if self.silenced {
            return Ok(());
        }
        let why = why.to_owned();
        if !self.device.has(Direction::Transmit) {
            self.silenced = true;
            self.watch.set(State::Silent { why, silence: None });
            return Ok(());
        }
        match silence(self.device.as_mut()) {
            Ok(silence) => {
                self.silenced = true;
                self.watch.set(State::Silent { why, silence: Some(silence) });
                Ok(())
            }
            Err(disobedience) => {
                self.watch.set(State::Disobeys { why, what: disobedience.what.clone() });
                Err(disobedience)
            }
        }
    }

    /// Silences a device that has failed on the air, or is gone.
    fn failed(&mut self, error: DeviceError) -> DeviceError {
        self.sample_rate_hz = None;
        let gone = matches!(error, DeviceError::Lost { .. });
        if gone || (matches!(error, DeviceError::Refused { .. }) && self.device.runs(Direction::Transmit)) {
            let _ = self.silence(&error.to_string());
        }
        error
    }

    /// Makes a device silent that failed while it was set, since some of the settings may have been made. It may be set otherwise.
    fn half_set(&mut self, error: DeviceError) -> DeviceError {
        let error = self.failed(error);
        if !self.silenced
            && let Err(Disobedience { what, .. }) = silence(self.device.as_mut())
        {
            self.watch.set(State::Disobeys { why: error.to_string(), what });
        }
        error
    }

    /// Looks whether a transmitter on the air is still set as permitted after the receiver was set: many radios have one oscillator and one
    /// clock for both.
    fn mind_transmitter(&mut self) -> Result<(), DeviceError> {
        let Some(rules) = self.rules.clone().filter(|_| self.device.runs(Direction::Transmit)) else { return Ok(()) };
        let settings = self.device.settings(Direction::Transmit).map_err(|error| self.failed(error))?;
        rules.check_settings(&settings).map_err(|why| self.astray(why))?;
        self.sample_rate_hz = Some(settings.sample_rate_hz);
        Ok(())
    }

    /// Silences a device that is set otherwise than permitted.
    fn astray(&mut self, why: String) -> DeviceError {
        self.sample_rate_hz = None;
        let why = format!("it reads back otherwise than was asked: {why}");
        let _ = self.silence(&why);
        self.forbidden("transmit", why)
    }
}

impl Device for Guarded {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn has(&self, direction: Direction) -> bool {
        lock(&self.shared.inner).device.has(direction)
    }

    fn set(&mut self, direction: Direction, wanted: &Settings) -> Result<Settings, DeviceError> {
        if direction == Direction::Receive {
            let mut inner = lock(&self.shared.inner);
            let set = inner.device.set(direction, wanted);
            inner.mind_transmitter()?;
            return set;
        }
        let (mut inner, rules) = self.permitted("set the transmitter")?;
        if let Some(why) = wanted.fault() {
            return Err(inner.forbidden("set the transmitter", why));
        }
        rules.check_settings(wanted).map_err(|why| inner.forbidden("set the transmitter", why))?;
        // Until it has been read back, it is not known to be as permitted.
        inner.sample_rate_hz = None;
        let set = inner.device.set(direction, wanted).map_err(|error| inner.half_set(error))?;
        rules.check_settings(&set).map_err(|why| inner.astray(why))?;
        inner.sample_rate_hz = Some(set.sample_rate_hz);
        Ok(set)
    }

    fn settings(&mut self, direction: Direction) -> Result<Settings, DeviceError> {
        lock(&self.shared.inner).device.settings(direction)
    }

    fn gain_range_db(&mut self, direction: Direction) -> Result<RangeInclusive<f64>, DeviceError> {
        lock(&self.shared.inner).device.gain_range_db(direction)
    }

    fn set_gain_db(&mut self, direction: Direction, gain_db: f64) -> Result<f64, DeviceError> {
        if direction == Direction::Receive {
            return lock(&self.shared.inner).device.set_gain_db(direction, gain_db);
        }
        let (mut inner, rules) = self.permitted("set the gain")?;
        rules.check_gain(gain_db).map_err(|why| inner.forbidden("set the gain", why))?;
        let set = inner.device.set_gain_db(direction, gain_db).map_err(|error| inner.failed(error))?;
        rules.check_gain(set).map_err(|why| inner.astray(why))?;
        Ok(set)
    }

    fn run(&mut self, direction: Direction, runs: bool) -> Result<(), DeviceError> {
        if direction == Direction::Receive || !runs {
            let mut inner = lock(&self.shared.inner);
            return inner.device.run(direction, runs).map_err(|error| match direction {
                Direction::Receive => error,
                Direction::Transmit => inner.failed(error),
            });
        }
        let (mut inner, rules) = self.permitted("start the transmitter")?;
        if inner.sample_rate_hz.is_none() {
            return Err(
                inner.forbidden("start the transmitter", "its frequency and gain are not set; set it first".into())
            );
        }
        // As the device has it now, and not as it was told once.
        let settings = inner.device.settings(direction).map_err(|error| inner.failed(error))?;
        rules.check_settings(&settings).map_err(|why| inner.astray(why))?;
        inner.sample_rate_hz = Some(settings.sample_rate_hz);
        inner.device.run(direction, true).map_err(|error| {
            // It may have got half-way; what comes of it stands in the state.
            let _ = inner.silence(&error.to_string());
            inner.failed(error)
        })
    }

    fn runs(&self, direction: Direction) -> bool {
        lock(&self.shared.inner).device.runs(direction)
    }

    fn receive(&mut self, samples: &mut [Complex32], timeout: Duration) -> Result<Received, DeviceError> {
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut inner = lock(&self.shared.inner);
            // A loop that only receives must not keep the timer from the device.
            self.shared.mind_control(&mut inner);
            let received = inner.device.receive(samples, left.min(SLICE)).map_err(|error| match error {
                // A radio that is gone may still be on the air.
                DeviceError::Lost { .. } => inner.failed(error),
                error => error,
            })?;
            drop(inner);
            if received.count > 0 || left <= SLICE {
                return Ok(received);
            }
        }
    }

    /// Gives samples to be sent, all of them within the limit on duty or none.
    fn transmit(&mut self, samples: &[Complex32], burst: Burst, timeout: Duration) -> Result<usize, DeviceError> {
        let until = Instant::now() + timeout;
        let mut taken = 0;
        loop {
            let (mut inner, rules) = self.permitted("transmit")?;
            let Some(rate) = inner.sample_rate_hz else {
                return Err(inner.forbidden("transmit", "its frequency and gain are not set; set it first".into()));
            };
            if taken == 0
                && let Some(number) = samples.iter().position(|sample| !sample.is_finite())
            {
                return Err(inner.forbidden("transmit", format!("sample {number} is not a finite number")));
            }
            let rest = &samples[taken..];
            // Only the first of them leaves at the time of the burst.
            let burst = Burst { at_ns: burst.at_ns.filter(|_| taken == 0), ..burst };
            let now = self.shared.control.clock.now_ns();
            let start = match (burst.at_ns, inner.device.time_ns()) {
                (Some(at), Some(device_now)) => now.saturating_add(at.saturating_sub(device_now).max(0)),
                _ => now,
            };
            let length = |count: usize| (count as f64 / rate * 1e9).ceil() as i64;
            let checked = inner.meter.check(&rules.limits.duty, start, length(rest.len()));
            checked.map_err(|why| inner.forbidden("transmit", why))?;
            let left = until.saturating_duration_since(Instant::now());
            let count = inner.device.transmit(rest, burst, left.min(SLICE)).map_err(|error| inner.failed(error))?;
            // More than was given would be a driver's fault.
            let count = count.min(rest.len());
            if count > 0 {
                inner.meter.sent(&rules.limits.duty, now, start, length(count));
            }
            taken += count;
            if taken == samples.len() || left <= SLICE {
                return Ok(taken);
            }
        }
    }

    fn time_ns(&mut self) -> Option<i64> {
        lock(&self.shared.inner).device.time_ns()
    }

    fn losses(&self) -> Losses {
        lock(&self.shared.inner).device.losses()
    }

    fn tells_losses(&self, direction: Direction) -> bool {
        lock(&self.shared.inner).device.tells_losses(direction)
    }
}
