//! The end of a link that another process serves.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use num_complex::Complex32;
use thiserror::Error;

use crate::end::{End, EndSettings, Half, Losses};
use crate::folder;
use crate::session::LONGEST_WAIT;
use crate::wire::{Answer, Ask, Description, MAX_SAMPLES, VERSION, Wire};

/// How long an answer is waited for, beyond what the server may wait itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a link may take to tell what it is when links are looked for.
const GLANCE: Duration = Duration::from_secs(1);

/// Why a link cannot be used.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nothing is served there.
    #[error("{}: no link is served there ({source}): serve one with `farlink sdr emulate`", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another user serves it.
    #[error("{}: another user serves this link: it is not used", path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
    },
    /// The connection broke, or what came over it is no answer.
    #[error("{}: the link is gone: {source}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The link says no.
    #[error("{why}")]
    Refused {
        /// Why, and how to mend it.
        why: String,
    },
    /// The link says something that does not fit.
    #[error("{}: the link answers something else than was asked: is it of the same version?", path.display())]
    Odd {
        /// The socket.
        path: PathBuf,
    },
}

/// A link that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its socket.
    pub path: PathBuf,
    /// What it tells of itself.
    pub description: Description,
}

/// The links that run in a folder, by name. What does not answer as a link does is left out.
pub fn find(folder: &Path) -> Vec<Found> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let sockets = entries.filter(|path| path.extension().is_some_and(|suffix| suffix == folder::SUFFIX));
    let mut found: Vec<Found> = sockets
        .filter_map(|path| {
            let mut connection = Connection::to(&path).ok()?;
            match connection.ask(&Ask::Describe { version: VERSION }, &[], GLANCE).ok()? {
                Answer::Description(description) => Some(Found { path, description }),
                _ => None,
            }
        })
        .collect();
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

#[derive(Debug)]
struct Connection {
    path: PathBuf,
    wire: Wire,
}

impl Connection {
    fn to(path: &Path) -> Result<Self, ClientError> {
        let path = path.to_owned();
        match UnixStream::connect(&path) {
            Ok(stream) if folder::is_ours(&stream) => Ok(Connection { path, wire: Wire::new(stream) }),
            Ok(_) => Err(ClientError::Foreign { path }),
            Err(source) => Err(ClientError::Connect { path, source }),
        }
    }

    fn ask(&mut self, ask: &Ask, samples: &[Complex32], patience: Duration) -> Result<Answer, ClientError> {
        let sent = self.wire.send(ask, samples, patience);
        // Whoever is turned away has been told why, though nobody takes what it says.
        let taken = self.wire.take(Some(patience), patience);
        let answer = match (taken, sent) {
            (Ok(true), _) => self.wire.head(),
            (_, Err(error)) | (Err(error), _) => Err(error),
            (Ok(false), Ok(())) => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        match answer {
            Ok(Answer::Refused { why }) => Err(ClientError::Refused { why }),
            Ok(answer) => Ok(answer),
            Err(source) => Err(ClientError::Broken { path: self.path.clone(), source }),
        }
    }
}

/// What a reader of a served link gets. Times are the link's, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Samples, from the start of the buffer.
    Samples {
        /// The time of the first of them.
        at_ns: i64,
        /// How many, at least one.
        count: usize,
        /// Whether they are the last of those that the stream was started for. It then runs no more.
        last: bool,
    },
    /// Samples are missing here, since they were not taken in time.
    Overflow,
    /// The stream was to start at a time that had passed. It does not run.
    Late,
    /// The receiver does not run, and has nothing left.
    NotRunning,
    /// Nothing came in time.
    Nothing,
}

/// Something that went wrong with what was to be transmitted. Times are the link's, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The samples of a burst ran out before its end.
    Underflow {
        /// When the first of those that were missing was due.
        at_ns: i64,
    },
    /// A burst came after its time.
    Late {
        /// When it was to start.
        at_ns: i64,
    },
}

/// An end of a link, opened. It is closed when this is dropped, or the process dies.
///
/// Settings, receiving, transmitting and events have a connection each, so that threads that wait for one do not hold up the others.
#[derive(Debug)]
pub struct OpenEnd {
    end: End,
    description: Description,
    control: Mutex<Connection>,
    receiving: Mutex<Connection>,
    transmitting: Mutex<Connection>,
    events: Mutex<Connection>,
}

impl OpenEnd {
    /// Opens an end of the link that is served at `path`.
    ///
    /// # Errors
    /// No link is served there, or the end is in use.
    pub fn open(path: &Path, end: End) -> Result<Self, ClientError> {
        let odd = || ClientError::Odd { path: path.to_owned() };
        let mut control = Connection::to(path)?;
        let Answer::Description(description) = control.ask(&Ask::Describe { version: VERSION }, &[], PATIENCE)? else {
            return Err(odd());
        };
        let Answer::Opened { ticket } = control.ask(&Ask::Open { version: VERSION, end }, &[], PATIENCE)? else {
            return Err(odd());
        };
        let join = || {
            let mut connection = Connection::to(path)?;
            match connection.ask(&Ask::Join { version: VERSION, ticket }, &[], PATIENCE)? {
                Answer::Done => Ok(Mutex::new(connection)),
                _ => Err(odd()),
            }
        };
        let (receiving, transmitting, events) = (join()?, join()?, join()?);
        Ok(OpenEnd { end, description, control: Mutex::new(control), receiving, transmitting, events })
    }

    /// Which end.
    pub fn end(&self) -> End {
        self.end
    }

    /// What the link told of itself when the end was opened.
    pub fn description(&self) -> &Description {
        &self.description
    }

    fn odd(&self) -> ClientError {
        ClientError::Odd { path: lock(&self.control).path.clone() }
    }

    fn do_it(&self, ask: &Ask) -> Result<(), ClientError> {
        match lock(&self.control).ask(ask, &[], PATIENCE)? {
            Answer::Done => Ok(()),
            _ => Err(self.odd()),
        }
    }

    /// What the end is set to.
    ///
    /// # Errors
    /// The link is gone.
    pub fn settings(&self) -> Result<EndSettings, ClientError> {
        let answer = lock(&self.control).ask(&Ask::Settings, &[], PATIENCE)?;
        if let Answer::Settings(settings) = answer { Ok(settings) } else { Err(self.odd()) }
    }

    /// Sets the sample rate, in samples a second.
    ///
    /// # Errors
    /// As [`crate::Link::set_rate`], or the link is gone.
    pub fn set_rate(&self, hz: f64) -> Result<(), ClientError> {
        self.do_it(&Ask::SetRate { hz })
    }

    /// Tunes the receiver or transmitter, in Hz.
    ///
    /// # Errors
    /// As [`crate::Link::set_frequency`], or the link is gone.
    pub fn set_frequency(&self, half: Half, hz: f64) -> Result<(), ClientError> {
        self.do_it(&Ask::SetFrequency { half, hz })
    }

    /// Sets a gain, in dB.
    ///
    /// # Errors
    /// As [`crate::Link::set_gain`], or the link is gone.
    pub fn set_gain(&self, half: Half, db: f64) -> Result<(), ClientError> {
        self.do_it(&Ask::SetGain { half, db })
    }

    /// Starts the receiver, now or at a time in nanoseconds, for so many samples or until it is stopped.
    ///
    /// # Errors
    /// As [`crate::Link::start_receiver`], or the link is gone.
    pub fn start_receiver(&self, at_ns: Option<i64>, count: Option<u64>) -> Result<(), ClientError> {
        self.do_it(&Ask::Start { half: Half::Receiver, at_ns, count })
    }

    /// Starts the transmitter.
    ///
    /// # Errors
    /// As [`crate::Link::start_transmitter`], or the link is gone.
    pub fn start_transmitter(&self) -> Result<(), ClientError> {
        self.do_it(&Ask::Start { half: Half::Transmitter, at_ns: None, count: None })
    }

    /// Stops one of them. What was not read or has not left is gone.
    ///
    /// # Errors
    /// The link is gone.
    pub fn stop(&self, half: Half) -> Result<(), ClientError> {
        self.do_it(&Ask::Stop { half })
    }

    /// The link's time now, in nanoseconds.
    ///
    /// # Errors
    /// The link is gone.
    pub fn now_ns(&self) -> Result<i64, ClientError> {
        let answer = lock(&self.control).ask(&Ask::Time, &[], PATIENCE)?;
        if let Answer::Time { ns } = answer { Ok(ns) } else { Err(self.odd()) }
    }

    /// What the end has lost since it was opened.
    ///
    /// # Errors
    /// The link is gone.
    pub fn losses(&self) -> Result<Losses, ClientError> {
        let answer = lock(&self.control).ask(&Ask::Losses, &[], PATIENCE)?;
        if let Answer::Losses(losses) = answer { Ok(losses) } else { Err(self.odd()) }
    }

    /// Gives samples to be transmitted, now or at a time in nanoseconds, and tells how many were taken within `timeout`. With `ends` the last
    /// of them ends the burst, if all were taken.
    ///
    /// # Errors
    /// The transmitter does not run, or the link is gone.
    pub fn transmit(
        &self,
        samples: &[Complex32],
        at_ns: Option<i64>,
        ends: bool,
        timeout: Duration,
    ) -> Result<usize, ClientError> {
        let mut connection = lock(&self.transmitting);
        let deadline = Instant::now().checked_add(timeout);
        let mut taken = 0;
        loop {
            let part = &samples[taken..samples.len().min(taken + MAX_SAMPLES)];
            let ask = Ask::Transmit {
                at_ns: at_ns.filter(|_| taken == 0),
                ends: ends && taken + part.len() == samples.len(),
                timeout_us: micros(remaining(deadline)),
            };
            let Answer::Taken { count } = connection.ask(&ask, part, LONGEST_WAIT + PATIENCE)? else {
                return Err(ClientError::Odd { path: connection.path.clone() });
            };
            taken += count.min(part.len());
            // What was not taken has waited as long as a server lets it.
            if taken == samples.len() || (count < part.len() && remaining(deadline).is_zero()) {
                return Ok(taken);
            }
        }
    }

    /// Waits for samples, for `timeout` at most.
    ///
    /// # Errors
    /// The link is gone, or its medium has failed.
    pub fn receive(&self, buffer: &mut [Complex32], timeout: Duration) -> Result<Reading, ClientError> {
        let mut connection = lock(&self.receiving);
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = remaining(deadline);
            let ask = Ask::Receive { count: buffer.len().min(MAX_SAMPLES), timeout_us: micros(left) };
            let answer = connection.ask(&ask, &[], LONGEST_WAIT + PATIENCE)?;
            let samples = &connection.wire.samples;
            return match answer {
                Answer::Samples { at_ns, last } if (1..=buffer.len()).contains(&samples.len()) => {
                    buffer[..samples.len()].copy_from_slice(samples);
                    Ok(Reading::Samples { at_ns, count: samples.len(), last })
                }
                Answer::Overflow => Ok(Reading::Overflow),
                Answer::Late => Ok(Reading::Late),
                Answer::NotRunning => Ok(Reading::NotRunning),
                Answer::Nothing if left > LONGEST_WAIT => continue,
                Answer::Nothing => Ok(Reading::Nothing),
                _ => Err(ClientError::Odd { path: connection.path.clone() }),
            };
        }
    }

    /// Waits for something to go wrong with what is transmitted, for `timeout` at most.
    ///
    /// # Errors
    /// The link is gone.
    pub fn trouble(&self, timeout: Duration) -> Result<Option<Trouble>, ClientError> {
        let mut connection = lock(&self.events);
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = remaining(deadline);
            let answer = connection.ask(&Ask::Event { timeout_us: micros(left) }, &[], LONGEST_WAIT + PATIENCE)?;
            return match answer {
                Answer::Underflow { at_ns } => Ok(Some(Trouble::Underflow { at_ns })),
                Answer::LateBurst { at_ns } => Ok(Some(Trouble::Late { at_ns })),
                Answer::Nothing if left > LONGEST_WAIT => continue,
                Answer::Nothing => Ok(None),
                _ => Err(ClientError::Odd { path: connection.path.clone() }),
            };
        }
    }
}

impl Drop for OpenEnd {
    /// Waits until the end is closed, so that it can be opened again at once. If the link is gone, there is nothing to close.
    fn drop(&mut self) {
        let _ = lock(&self.control).ask(&Ask::Close, &[], PATIENCE);
    }
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `None` is a time so far that no clock reaches it.
fn remaining(deadline: Option<Instant>) -> Duration {
    deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
