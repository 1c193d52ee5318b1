//! The program's side of a device that a keeper holds.

use std::fmt;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use num_complex::Complex32;

use super::KeeperError;
use super::wire::{Answer, LOOK, Reply, Request, SAMPLES, send, take};
use crate::device::{Burst, Device, DeviceError, Direction, Losses, Received, Settings};
use crate::safety::{Rules, State};

/// How long an answer may take, beyond what was asked to be waited for.
const ANSWER: Duration = Duration::from_secs(20);
/// How long a keeper may take to end.
const END: Duration = Duration::from_secs(5);
/// The longest wait within one question, so that control can be told of between two.
const SLICE: Duration = Duration::from_millis(50);

/// A device that another process holds. See [`keeper`](super).
///
/// With rules, [`Kept::control`] must be told within their dead-man time that control is there, from the start on.
pub struct Kept {
    line: Arc<Mutex<Line>>,
    child: Option<Child>,
    name: String,
    has: [bool; 2],
}

/// Tells the keeper that control is there.
#[derive(Clone, Debug)]
pub struct KeptControl(Arc<Mutex<Line>>);

impl KeptControl {
    /// Whoever controls the transmission says so now. As
    /// [`Control::is_there`](crate::safety::Control::is_there).
    ///
    /// # Errors
    /// The keeper has ended, as it does when this comes too late, and the device is silent.
    pub fn is_there(&self) -> Result<(), DeviceError> {
        lock(&self.0).ask(&Request::Control, &[], Duration::ZERO).map(drop)
    }

    /// What the device has lost, as the keeper said last: after [`Kept::close`] all of it.
    pub fn losses(&self) -> Losses {
        lock(&self.0).losses
    }

    /// Whether a direction tells of what it loses, as the keeper said last.
    pub fn tells_losses(&self, direction: Direction) -> bool {
        lock(&self.0).tells_losses[direction as usize]
    }
}

struct Line {
    stream: UnixStream,
    name: String,
    samples: Vec<Complex32>,
    losses: Losses,
    tells_losses: [bool; 2],
    runs: [bool; 2],
    ended: Option<(State, String)>,
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("name", &self.name).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("name", &self.name).field("child", &self.child).finish_non_exhaustive()
    }
}

impl Line {
    /// Asks and waits for the answer.
    fn ask(&mut self, request: &Request, samples: &[Complex32], timeout: Duration) -> Result<Answer, DeviceError> {
        if let Some((_, why)) = &self.ended {
            return Err(DeviceError::Lost { device: self.name.clone(), why: why.clone() });
        }
        let until = Instant::now() + ANSWER + timeout;
        let mut goes_on = || Instant::now() < until;
        // Who cannot be asked may have said why before.
        let asked = send(&mut self.stream, request, samples, &mut goes_on);
        let reply = take::<Reply>(&mut self.stream, &mut self.samples, &mut goes_on);
        let why = match (asked, reply) {
            (_, Ok(Reply { answer: Ok(Answer::Ended(state)), losses, tells_losses, .. })) => {
                (self.losses, self.tells_losses, self.runs) = (losses, tells_losses, [false; 2]);
                let why = match &state {
                    State::Silent { why, .. } => format!("its keeper has silenced it and ended: {why}"),
                    State::Disobeys { why, what } => {
                        format!("its keeper has ended ({why}), and it does not obey: {what}")
                    }
                    State::Stuck { why } => format!("its keeper has ended, as its driver hangs: {why}"),
                    State::Guarded => "its keeper has ended".to_owned(),
                };
                self.ended = Some((state.clone(), why.clone()));
                if matches!(request, Request::Close) {
                    return Ok(Answer::Ended(state));
                }
                why
            }
            (Ok(()), Ok(reply)) => {
                (self.losses, self.tells_losses, self.runs) = (reply.losses, reply.tells_losses, reply.runs);
                return reply.answer;
            }
            (Err(error), _) | (_, Err(error)) => format!("its keeper does not answer: {error}"),
        };
        self.ended.get_or_insert((State::Guarded, why.clone()));
        Err(DeviceError::Lost { device: self.name.clone(), why })
    }
}

impl Kept {
    /// Starts a keeper and lets it hold a device under rules; without any, it may receive only. The command must end up in
    /// [`hold`](super::hold): most often it is this program again, with a command of its own that says which device to open.
    /// Its standard input is taken.
    ///
    /// # Errors
    /// The command cannot be started or is no keeper; the device cannot be opened or guarded.
    pub fn start(mut command: Command, rules: Option<&Rules>) -> Result<Kept, KeeperError> {
        if let Some(rules) = rules {
            rules.check().map_err(|error| KeeperError::Device(error.to_string()))?;
        }
        let system = |what| move |source| KeeperError::System { what, source };
        let (stream, theirs) = UnixStream::pair().map_err(system("make a pair of sockets"))?;
        stream.set_read_timeout(Some(LOOK)).map_err(system("set up the socket"))?;
        stream.set_write_timeout(Some(LOOK)).map_err(system("set up the socket"))?;
        let words = format!("{command:?}");
        command.stdin(Stdio::from(OwnedFd::from(theirs))).process_group(0);
        let child = command.spawn().map_err(|source| KeeperError::Start { command: words.clone(), source })?;
        // It has the keeper's end of the socket, and an end that stays open here would hide that the keeper is gone.
        drop(command);
        let line = Line {
            stream,
            name: words,
            samples: Vec::new(),
            losses: Losses::default(),
            tells_losses: [false; 2],
            runs: [false; 2],
            ended: None,
        };
        let line = Arc::new(Mutex::new(line));
        let mut kept = Kept { line, child: Some(child), name: String::new(), has: [false; 2] };
        match kept.ask(&Request::Hold { rules: rules.cloned() })? {
            Answer::Held { name, has } => {
                lock(&kept.line).name.clone_from(&name);
                (kept.name, kept.has) = (name, has);
                Ok(kept)
            }
            other => Err(KeeperError::Malformed(format!("{other:?}"))),
        }
    }

    /// What tells the keeper that control is there, for another thread.
    pub fn control(&self) -> KeptControl {
        KeptControl(Arc::clone(&self.line))
    }

    /// The process that holds the device.
    pub fn keeper_id(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Has the device silenced, and tells what became of it.
    ///
    /// # Errors
    /// The keeper does not answer.
    pub fn close(mut self) -> Result<State, KeeperError> {
        let answer = self.ask(&Request::Close);
        self.end();
        let ended = lock(&self.line).ended.take();
        match (ended, answer) {
            (Some((state, _)), _) if state != State::Guarded => Ok(state),
            (_, Ok(other)) => Err(KeeperError::Malformed(format!("{other:?}"))),
            (_, Err(error)) => Err(error.into()),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Answer, DeviceError> {
        lock(&self.line).ask(request, &[], Duration::ZERO)
    }

    fn malformed<T>(&self, answer: &Answer) -> Result<T, DeviceError> {
        let why = format!("its keeper says what makes no sense: {answer:?}");
        Err(DeviceError::Lost { device: self.name.clone(), why })
    }

    /// Waits for the keeper, which has silence to make and is not killed for being slow.
    fn end(&mut self) {
        let _ = lock(&self.line).stream.shutdown(std::net::Shutdown::Both);
        let Some(mut child) = self.child.take() else { return };
        let until = Instant::now() + END;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.end();
    }
}

impl Device for Kept {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn has(&self, direction: Direction) -> bool {
        self.has[direction as usize]
    }

    fn set(&mut self, direction: Direction, wanted: &Settings) -> Result<Settings, DeviceError> {
        // JSON has no word for what is not a number.
        if let Some(why) = wanted.fault() {
            return Err(DeviceError::Refused { device: self.name(), what: format!("be set to {direction}"), why });
        }
        match self.ask(&Request::Set { direction, wanted: *wanted })? {
            Answer::Settings(settings) => Ok(settings),
            other => self.malformed(&other),
        }
    }

    fn settings(&mut self, direction: Direction) -> Result<Settings, DeviceError> {
        match self.ask(&Request::Settings { direction })? {
            Answer::Settings(settings) => Ok(settings),
            other => self.malformed(&other),
        }
    }

    fn gain_range_db(&mut self, direction: Direction) -> Result<RangeInclusive<f64>, DeviceError> {
        match self.ask(&Request::GainRange { direction })? {
            Answer::Range([low, high]) => Ok(low..=high),
            other => self.malformed(&other),
        }
    }

    fn set_gain_db(&mut self, direction: Direction, gain_db: f64) -> Result<f64, DeviceError> {
        if !gain_db.is_finite() {
            let why = format!("a gain of {gain_db} dB; give a finite one");
            return Err(DeviceError::Refused { device: self.name(), what: "set the gain".to_owned(), why });
        }
        match self.ask(&Request::SetGain { direction, gain_db })? {
            Answer::Gain(gain_db) => Ok(gain_db),
            other => self.malformed(&other),
        }
    }

    fn run(&mut self, direction: Direction, runs: bool) -> Result<(), DeviceError> {
        match self.ask(&Request::Run { direction, runs })? {
            Answer::Done => Ok(()),
            other => self.malformed(&other),
        }
    }

    fn runs(&self, direction: Direction) -> bool {
        lock(&self.line).runs[direction as usize]
    }

    fn receive(&mut self, samples: &mut [Complex32], timeout: Duration) -> Result<Received, DeviceError> {
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let request = Request::Receive { most: samples.len().min(SAMPLES), timeout: left.min(SLICE) };
            let mut line = lock(&self.line);
            match line.ask(&request, &[], SLICE)? {
                Answer::Received(got) if got.count == line.samples.len() && got.count <= samples.len() => {
                    samples[..got.count].copy_from_slice(&line.samples);
                    if got.count > 0 || left <= SLICE {
                        return Ok(got);
                    }
                }
                other => {
                    drop(line);
                    return self.malformed(&other);
                }
            }
        }
    }

    fn transmit(&mut self, samples: &[Complex32], burst: Burst, timeout: Duration) -> Result<usize, DeviceError> {
        let until = Instant::now() + timeout;
        let mut taken = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let part = &samples[taken..samples.len().min(taken + SAMPLES)];
            let burst = Burst {
                at_ns: burst.at_ns.filter(|_| taken == 0),
                ends: burst.ends && taken + part.len() == samples.len(),
            };
            let request = Request::Transmit { burst, timeout: left.min(SLICE) };
            let answer = lock(&self.line).ask(&request, part, SLICE)?;
            let Answer::Taken(count) = answer else { return self.malformed(&answer) };
            taken += count.min(part.len());
            if taken == samples.len() || left.is_zero() {
                return Ok(taken);
            }
        }
    }

    fn time_ns(&mut self) -> Option<i64> {
        match self.ask(&Request::Time) {
            Ok(Answer::Time(time)) => time,
            _ => None,
        }
    }

    fn losses(&self) -> Losses {
        lock(&self.line).losses
    }

    fn tells_losses(&self, direction: Direction) -> bool {
        lock(&self.line).tells_losses[direction as usize]
    }
}
