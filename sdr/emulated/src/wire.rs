//! What goes over the socket of a served link.
//!
//! A frame is the length of its head and the length of its samples, each a `u32` in bytes, little-endian; the head, one JSON object; the samples,
//! `cf32` in the byte order of the machine, which both sides share. A request is answered before the next is read.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use num_complex::Complex32;
use serde::{Deserialize, Serialize};

use crate::end::{End, EndSettings, Half, Losses};
use crate::link::Pace;

/// The version of the protocol that this crate speaks.
pub const VERSION: u32 = 1;

/// Longest head, in bytes.
const MAX_HEAD: usize = 4096;

/// Most samples in a frame.
pub const MAX_SAMPLES: usize = 1 << 16;

/// What is asked of a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum Ask {
    Describe {
        version: u32,
    },
    /// The connection owns the end: it is closed with it.
    Open {
        version: u32,
        end: End,
    },
    /// Another connection of the program that opened the end.
    Join {
        version: u32,
        ticket: u64,
    },
    /// Of the connection that opened the end.
    Close,
    Settings,
    SetRate {
        hz: f64,
    },
    SetFrequency {
        half: Half,
        hz: f64,
    },
    SetGain {
        half: Half,
        db: f64,
    },
    Start {
        half: Half,
        at_ns: Option<i64>,
        count: Option<u64>,
    },
    Stop {
        half: Half,
    },
    /// With samples.
    Transmit {
        at_ns: Option<i64>,
        ends: bool,
        timeout_us: u64,
    },
    Receive {
        count: usize,
        timeout_us: u64,
    },
    Event {
        timeout_us: u64,
    },
    Time,
    Losses,
}

/// What a link answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum Answer {
    Done,
    Refused {
        why: String,
    },
    Description(Description),
    Opened {
        ticket: u64,
    },
    Settings(EndSettings),
    Taken {
        count: usize,
    },
    /// With samples.
    Samples {
        at_ns: i64,
        last: bool,
    },
    Overflow,
    Late,
    NotRunning,
    Nothing,
    Underflow {
        at_ns: i64,
    },
    LateBurst {
        at_ns: i64,
    },
    Time {
        ns: i64,
    },
    Losses(Losses),
}

/// What a served link tells of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Description {
    /// The version of the protocol that its server speaks.
    pub version: u32,
    /// Its name.
    pub name: String,
    /// What moves its time.
    pub pace: Pace,
    /// Lowest and highest sample rate, in samples a second.
    pub rate_range_hz: [f64; 2],
    /// How many samples an end keeps.
    pub buffer_samples: usize,
    /// Which of its ends are in use, in the order of [`End::BOTH`].
    pub in_use: [bool; 2],
}

/// A connection, and what came over it last.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: UnixStream,
    head: Vec<u8>,
    pub(crate) samples: Vec<Complex32>,
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

impl Wire {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Wire { stream, head: Vec::new(), samples: Vec::new() }
    }

    /// Takes the next frame, whose first byte may be a long time in coming (`None`: any) and whose rest may not. `false` at the end.
    pub(crate) fn take(&mut self, first: Option<Duration>, rest: Duration) -> io::Result<bool> {
        let mut lengths = [0; 8];
        self.stream.set_read_timeout(first)?;
        let begun = loop {
            match self.stream.read(&mut lengths) {
                Ok(0) => return Ok(false),
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        let deadline = Instant::now() + rest;
        fill(&mut self.stream, &mut lengths[begun..], deadline)?;
        let [head, samples] = [0, 4].map(|at| {
            let bytes: [u8; 4] = std::array::from_fn(|n| lengths[at + n]);
            u32::from_le_bytes(bytes) as usize
        });
        if head > MAX_HEAD || samples % size_of::<Complex32>() != 0 || samples / size_of::<Complex32>() > MAX_SAMPLES {
            return Err(invalid(format!("no frame has a head of {head} bytes and samples of {samples}")));
        }
        self.head.resize(head, 0);
        fill(&mut self.stream, &mut self.head, deadline)?;
        self.samples.resize(samples / size_of::<Complex32>(), Complex32::ZERO);
        fill(&mut self.stream, bytemuck::cast_slice_mut(&mut self.samples), deadline)?;
        Ok(true)
    }

    /// The head of the frame that was taken last.
    pub(crate) fn head<'a, T: Deserialize<'a>>(&'a self) -> io::Result<T> {
        serde_json::from_slice(&self.head).map_err(|error| invalid(error.to_string()))
    }

    pub(crate) fn send(&mut self, head: &impl Serialize, samples: &[Complex32], patience: Duration) -> io::Result<()> {
        let head = serde_json::to_vec(head)?;
        let samples: &[u8] = bytemuck::cast_slice(samples);
        let mut frame = Vec::with_capacity(8 + head.len() + samples.len());
        for length in [head.len(), samples.len()] {
            let length =
                u32::try_from(length).map_err(|_| invalid(format!("a frame of {length} bytes is too long")))?;
            frame.extend_from_slice(&length.to_le_bytes());
        }
        frame.extend_from_slice(&head);
        frame.extend_from_slice(samples);
        let deadline = Instant::now() + patience;
        let mut rest = &frame[..];
        while !rest.is_empty() {
            self.stream.set_write_timeout(Some(left(deadline)?))?;
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn fill(stream: &mut UnixStream, mut buffer: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !buffer.is_empty() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => buffer = &mut buffer[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
