//! The process that holds the device.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use num_complex::Complex32;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::KeeperError;
use super::wire::{Answer, LOOK, Reply, Request, SAMPLES, send, take};
use crate::clock::Monotonic;
use crate::device::{Device, DeviceError, Direction, Losses};
use crate::safety::{Guarded, State};

/// How long the first request may take to come.
const GREETING: Duration = Duration::from_secs(10);
/// How long the last reply may take to go.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long a driver may take to open the device, and then for it to be silenced: less than the program waits for an answer.
const OPENING: Duration = Duration::from_secs(12);
const SILENCING: Duration = Duration::from_secs(3);
/// The status of a keeper that ends because its driver hangs.
const STUCK: i32 = 3;

/// How the keeping of a device ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// Why it ended.
    pub why: String,
    /// What became of the device: [`State::Silent`], unless it does not obey.
    pub state: State,
    /// Whether the program asked for it.
    pub ordered: bool,
}

/// Holds a device for the program that has started this process with [`Kept::start`](super::Kept::start), until it is told to
/// close, or the program is gone, or control is lost. Then the device has been silenced, as far as it obeys, and what became of
/// it stands on the standard error, too.
///
/// This is all that such a process does: it takes the standard input, and SIGTERM, SIGINT and SIGHUP. If the driver hangs, it
/// ends the process with status 3: also if that is while the device is opened, or silenced for the first time.
///
/// # Errors
/// The process was not started by a program that wants a device kept, or the device cannot be opened or guarded, which the
/// program is told.
pub fn hold(open: impl FnOnce() -> Result<Box<dyn Device>, DeviceError>) -> Result<Ending, KeeperError> {
    let system = |what| move |source| KeeperError::System { what, source };
    let input = io::stdin().as_fd().try_clone_to_owned().map_err(system("take the standard input"))?;
    let mut stream = UnixStream::from(input);
    if stream.local_addr().is_err() {
        return Err(KeeperError::ByHand);
    }
    stream.set_read_timeout(Some(LOOK)).map_err(system("set up the socket"))?;
    stream.set_write_timeout(Some(LOOK)).map_err(system("set up the socket"))?;
    let signalled = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&signalled)).map_err(system("mind signals"))?;
    }

    let (mut samples, until) = (Vec::new(), Instant::now() + GREETING);
    let first = take(&mut stream, &mut samples, &mut || Instant::now() < until)?;
    let Request::Hold { rules } = first else {
        return Err(KeeperError::Malformed(format!("{first:?} before it is said what to hold")));
    };
    // Before the device is guarded there is no watch on it, and it may have been left at full gain.
    let opened = in_time("it is opened", OPENING, open)?.map_err(|error| error.to_string()).and_then(|device| {
        let guard = || Guarded::new(device, rules, Arc::new(Monotonic::default()));
        in_time("it is silenced", SILENCING, guard)
            .and_then(|guarded| guarded.map_err(|e| KeeperError::Device(e.to_string())))
            .map_err(|error| error.to_string())
    });
    let device = match opened {
        Ok(device) => device,
        Err(why) => {
            let refused =
                DeviceError::Refused { device: "the radio".to_owned(), what: "be held".to_owned(), why: why.clone() };
            farewell(&mut stream, Err(refused));
            return Err(KeeperError::Device(why));
        }
    };
    mind_the_driver(&device)?;
    Ok(keep(stream, device, samples, &signalled))
}

/// Calls the driver, and ends the process if that does not come back in time.
fn in_time<T>(what: &'static str, limit: Duration, call: impl FnOnce() -> T) -> Result<T, KeeperError> {
    let (done, back) = mpsc::channel::<()>();
    let mind = move || {
        // An end of the channel without a word is the call that came back, or panicked.
        if back.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            let_go(format!(
                "the driver does not come back while {what}, in {limit:?}: this process ends, and lets go of the device"
            ));
        }
    };
    let started = thread::Builder::new().name("driver".to_owned()).spawn(mind);
    started.map_err(|source| KeeperError::System { what: "mind the driver", source })?;
    let result = call();
    drop(done);
    Ok(result)
}

/// Says why, and ends the process without the handlers of a usual exit, which may wait for the driver.
fn let_go(words: String) -> ! {
    // Nobody may be reading what is said.
    let said = thread::Builder::new().spawn(move || say(&words));
    let until = Instant::now() + FAREWELL;
    while said.as_ref().is_ok_and(|said| !said.is_finished()) && Instant::now() < until {
        thread::sleep(Duration::from_millis(1));
    }
    signal_hook::low_level::exit(STUCK)
}

/// Ends the process when the driver does not come back: the system then takes the device from it.
fn mind_the_driver(device: &Guarded) -> Result<(), KeeperError> {
    let watch = device.watch();
    let mind = move || {
        loop {
            match watch.wait(Duration::from_secs(3600)) {
                State::Guarded => {}
                State::Stuck { why } => {
                    let_go(format!("{why}, and its driver does not come back: this process ends, and lets go of it"));
                }
                State::Silent { .. } | State::Disobeys { .. } => return,
            }
        }
    };
    let started = thread::Builder::new().name("driver".to_owned()).spawn(mind);
    started.map(drop).map_err(|source| KeeperError::System { what: "mind the driver", source })
}

fn keep(mut stream: UnixStream, mut device: Guarded, mut samples: Vec<Complex32>, signalled: &AtomicBool) -> Ending {
    let (name, watch, control) = (device.name(), device.watch(), device.control());
    let has = [Direction::Receive, Direction::Transmit].map(|direction| device.has(direction));
    let mut goes_on = || !signalled.load(Ordering::SeqCst) && watch.state() == State::Guarded;

    let mut answer = Ok(Answer::Held { name: name.clone(), has });
    let mut received = Vec::new();
    let (why, ordered) = loop {
        let runs = [Direction::Receive, Direction::Transmit].map(|direction| device.runs(direction));
        let (losses, tells_losses) = (device.losses(), tells_losses(&device));
        let reply = Reply { answer, losses, tells_losses, runs };
        let exchanged = send(&mut stream, &reply, &received, &mut goes_on)
            .and_then(|()| take(&mut stream, &mut samples, &mut goes_on));
        received.clear();
        // Also when it was silenced in a call: nothing is left to hold.
        if let State::Silent { why, .. } | State::Disobeys { why, .. } | State::Stuck { why } = watch.state() {
            break (why, false);
        }
        // A program that asks without a pause must not keep the signal from being seen.
        if signalled.load(Ordering::SeqCst) {
            break ("its keeper got a signal to end".to_owned(), false);
        }
        answer = match exchanged {
            Ok(Request::Close) => break ("it was closed".to_owned(), true),
            Ok(Request::Control) => {
                control.is_there();
                Ok(Answer::Done)
            }
            Ok(request) => answer_to(request, &mut device, &samples, &mut received),
            Err(KeeperError::Gone) => break ("the program that used it is gone".to_owned(), false),
            Err(error) => break (error.to_string(), false),
        };
    };

    // First the silence, then the words.
    let silenced = in_time("it is silenced", SILENCING, || device.silence(&why).map(drop));
    let ending = Ending { why, state: watch.state(), ordered };
    // What the driver had to report of its last samples came with the end of its stream.
    let (losses, tells) = (device.losses(), tells_losses(&device));
    tell_last(&mut stream, Ok(Answer::Ended(ending.state.clone())), losses, tells);
    let closed = in_time("it is closed", SILENCING, || drop(device));
    for unminded in [silenced.map(drop), closed] {
        if let Err(error) = unminded {
            say(&format!("{name}: {error}"));
        }
    }
    match &ending.state {
        State::Silent { .. } if ordered => {}
        State::Silent { silence: Some(silence), .. } => {
            say(&format!("{name} is silent, at {} dB and its stream stopped: {}", silence.gain_db, ending.why));
        }
        State::Disobeys { what, .. } => {
            say(&format!("{name} DOES NOT OBEY: {what}; take its power or its antenna away ({})", ending.why));
        }
        _ => say(&format!("{name}: {}", ending.why)),
    }
    ending
}

fn tells_losses(device: &Guarded) -> [bool; 2] {
    [Direction::Receive, Direction::Transmit].map(|direction| device.tells_losses(direction))
}

fn answer_to(
    request: Request,
    device: &mut Guarded,
    samples: &[Complex32],
    received: &mut Vec<Complex32>,
) -> Result<Answer, DeviceError> {
    match request {
        Request::Set { direction, wanted } => device.set(direction, &wanted).map(Answer::Settings),
        Request::Settings { direction } => device.settings(direction).map(Answer::Settings),
        Request::GainRange { direction } => {
            device.gain_range_db(direction).map(|range| Answer::Range([*range.start(), *range.end()]))
        }
        Request::SetGain { direction, gain_db } => device.set_gain_db(direction, gain_db).map(Answer::Gain),
        Request::Run { direction, runs } => device.run(direction, runs).map(|()| Answer::Done),
        Request::Receive { most, timeout } => {
            received.resize(most.min(SAMPLES), Complex32::default());
            let got = device.receive(received, timeout.min(LOOK * 5));
            received.truncate(got.as_ref().map_or(0, |got| got.count));
            got.map(Answer::Received)
        }
        Request::Transmit { burst, timeout } => {
            device.transmit(samples, burst, timeout.min(LOOK * 5)).map(Answer::Taken)
        }
        Request::Time => Ok(Answer::Time(device.time_ns())),
        Request::Hold { .. } | Request::Control | Request::Close => Ok(Answer::Done),
    }
}

/// Says a last word, to whom may be gone or stopped.
fn farewell(stream: &mut UnixStream, answer: Result<Answer, DeviceError>) {
    tell_last(stream, answer, Losses::default(), [false; 2]);
}

/// The same, of a device that has lost so much.
fn tell_last(stream: &mut UnixStream, answer: Result<Answer, DeviceError>, losses: Losses, tells_losses: [bool; 2]) {
    let reply = Reply { answer, losses, tells_losses, runs: [false; 2] };
    let until = Instant::now() + FAREWELL;
    let _ = send(stream, &reply, &[], &mut || Instant::now() < until);
}

/// Says a word to whoever reads it; the terminal may be gone with the program.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
