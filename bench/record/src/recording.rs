//! Recordings: a header line, then one JSON line for each event.
//!
//! The bytes depend on the events alone, so two runs of the same input are equal exactly if the SHA-256 of their recordings
//! are.

use std::io::{self, BufRead, BufWriter, Read, Write};

use farlink_units::Instant;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{BundleNotice, ChannelId, Event, Header, NodeId, Stamped, TrafficId};

/// What a finished recording comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingDigest {
    /// SHA-256 of every byte of the recording, in hex.
    pub sha256: String,
    /// How many events it holds.
    pub events: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Writes a recording.
///
/// Lines are collected and written together; what is still held back when the writer is dropped is written then, but only
/// [`RecordingWriter::finish`] tells whether that worked.
#[derive(Debug)]
pub struct RecordingWriter<W: Write> {
    out: BufWriter<Hashed<W>>,
    events: u64,
    last: Instant,
}

impl<W: Write> RecordingWriter<W> {
    /// Begins a recording with its header.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn new(inner: W, header: &Header) -> io::Result<Self> {
        let hashed = Hashed { inner, hash: Sha256::new(), bytes: 0 };
        let mut writer = RecordingWriter {
            out: BufWriter::with_capacity(1 << 16, hashed),
            events: 0,
            last: Instant::from_nanos(i64::MIN),
        };
        writer.line(header)?;
        Ok(writer)
    }

    /// Appends an event. Events come in the order of their times.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn event(&mut self, stamped: &Stamped) -> io::Result<()> {
        debug_assert!(stamped.at >= self.last, "time ran backwards, from {} to {}: {stamped:?}", self.last, stamped.at);
        self.last = stamped.at;
        self.line(stamped)?;
        self.events += 1;
        Ok(())
    }

    /// Writes what is held back, so that a reader of the growing recording sees every event so far.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes what is held back and tells what the recording comes to.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn finish(mut self) -> io::Result<RecordingDigest> {
        self.out.flush()?;
        let hashed = self.out.get_ref();
        Ok(RecordingDigest {
            sha256: hex(hashed.hash.clone().finalize().as_slice()),
            events: self.events,
            bytes: hashed.bytes,
        })
    }

    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }
}

/// Hashes what goes through, after it has been taken: a short write is never hashed twice.
#[derive(Debug)]
struct Hashed<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(buffer)?;
        self.hash.update(&buffer[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why a recording could not be read on. Lines count from 1, the header being line 1.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The file itself could not be read.
    #[error("line {line}: cannot read: {source}")]
    Io {
        /// The line that was being read.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The file is empty.
    #[error("line 1: the file is empty; a recording begins with a header")]
    Empty,
    /// The first line is not the header of a recording.
    #[error("line 1: not a Farlink recording: {reason}")]
    NotARecording {
        /// What is wrong with it.
        reason: String,
    },
    /// The recording uses another vocabulary than this program.
    #[error(
        "line 1: the recording has version {found}, this program reads versions {} to {}",
        Header::OLDEST,
        Header::VERSION
    )]
    Version {
        /// The version that the header tells.
        found: u32,
    },
    /// A line is not an event.
    #[error("line {line}: not an event: {reason}")]
    NotAnEvent {
        /// Which line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The last line stops in the middle: whatever wrote it was ended before it was done.
    #[error("line {line}: the last line is cut short after {bytes} bytes; the run that wrote it did not end by itself")]
    CutShort {
        /// Which line.
        line: u64,
        /// How much of it is there.
        bytes: usize,
    },
    /// A line is longer than any that Farlink writes.
    #[error("line {line}: longer than {limit} bytes, which no recording has")]
    TooLong {
        /// Which line.
        line: u64,
        /// The longest that is read.
        limit: usize,
    },
    /// Something is named that the header does not have.
    #[error("line {line}: names {what} {index}, but the header has {known}")]
    Unknown {
        /// Which line.
        line: u64,
        /// `node`, `channel` or `traffic item`.
        what: &'static str,
        /// The place it names, from 0.
        index: u16,
        /// How many the header has.
        known: usize,
    },
    /// An event is earlier than the one before it.
    #[error("line {line}: time runs backwards, from {before} to {after}")]
    Backwards {
        /// Which line.
        line: u64,
        /// Time of the event before.
        before: Instant,
        /// Time of this event.
        after: Instant,
    },
    /// Something follows the event that ends every recording.
    #[error("line {line}: follows the end of the run")]
    AfterEnd {
        /// Which line.
        line: u64,
    },
}

/// Reads a recording event by event. After an error it yields nothing more.
#[derive(Debug)]
pub struct RecordingReader<R> {
    input: R,
    buffer: Vec<u8>,
    line: u64,
    last: Option<Instant>,
    known: Known,
    ended: bool,
    failed: bool,
}

/// How many of each the header has.
#[derive(Clone, Copy, Debug)]
struct Known {
    nodes: usize,
    channels: usize,
    traffic: usize,
}

/// The longest header that is read; a large constellation has megabytes of contacts.
const HEADER_LIMIT: usize = 1 << 28;
/// The longest event that is read.
const EVENT_LIMIT: usize = 1 << 20;

impl<R: BufRead> RecordingReader<R> {
    /// Reads the header and stands before the first event.
    ///
    /// # Errors
    /// The input cannot be read, or does not begin with the header of a recording of a version that is read.
    pub fn open(input: R) -> Result<(Header, Self), RecordingError> {
        let none = Known { nodes: 0, channels: 0, traffic: 0 };
        let mut reader = RecordingReader {
            input,
            buffer: Vec::new(),
            line: 0,
            last: None,
            known: none,
            ended: false,
            failed: false,
        };
        if !reader.read_line(HEADER_LIMIT)? {
            return Err(RecordingError::Empty);
        }
        let header = reader.parse_header()?;
        reader.known =
            Known { nodes: header.nodes.len(), channels: header.channels.len(), traffic: header.traffic.len() };
        for channel in &header.channels {
            reader.known.node(channel.from, 1)?;
            reader.known.node(channel.to, 1)?;
        }
        for traffic in &header.traffic {
            reader.known.node(traffic.from, 1)?;
            reader.known.node(traffic.to, 1)?;
        }
        Ok((header, reader))
    }

    /// Whether the event that ends every complete recording has been read.
    pub fn is_complete(&self) -> bool {
        self.ended
    }

    /// The line that was read last, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    fn parse_header(&self) -> Result<Header, RecordingError> {
        /// Read first, so that a recording of another version is not told to be garbage.
        #[derive(serde::Deserialize)]
        struct Kind {
            format: String,
            version: u32,
        }
        let not_a_recording = |reason: String| RecordingError::NotARecording { reason };
        let kind: Kind = self.parse().map_err(|error| match error {
            Broken::CutShort => RecordingError::CutShort { line: 1, bytes: self.buffer.len() },
            Broken::Invalid(reason) => not_a_recording(reason),
        })?;
        if kind.format != Header::FORMAT {
            return Err(not_a_recording(format!("its format is `{}`, not `{}`", kind.format, Header::FORMAT)));
        }
        if !(Header::OLDEST..=Header::VERSION).contains(&kind.version) {
            return Err(RecordingError::Version { found: kind.version });
        }
        self.parse().map_err(|error| match error {
            Broken::CutShort => RecordingError::CutShort { line: 1, bytes: self.buffer.len() },
            Broken::Invalid(reason) => not_a_recording(reason),
        })
    }

    /// Puts the next line into the buffer, without its end; false at the end of the input.
    fn read_line(&mut self, limit: usize) -> Result<bool, RecordingError> {
        self.buffer.clear();
        self.line += 1;
        // One byte more than the limit, so that a line of exactly the limit still passes; another for the line feed.
        let mut input = self.input.by_ref().take(limit as u64 + 2);
        let read = input.read_until(b'\n', &mut self.buffer);
        read.map_err(|source| RecordingError::Io { line: self.line, source })?;
        if self.buffer.len() > limit + usize::from(self.buffer.ends_with(b"\n")) {
            return Err(RecordingError::TooLong { line: self.line, limit });
        }
        Ok(!self.buffer.is_empty())
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, Broken> {
        let whole = self.buffer.strip_suffix(b"\n");
        serde_json::from_slice(whole.unwrap_or(&self.buffer)).map_err(|error| {
            // A line without a line feed in which all is well up to its very end was cut; others were written so. A number
            // that ends too early counts as wrong syntax, not as an early end.
            let at_end = error.is_eof() || error.is_syntax() && error.column() >= self.buffer.len();
            if whole.is_none() && at_end { Broken::CutShort } else { Broken::Invalid(plain(&error)) }
        })
    }

    fn read_event(&mut self) -> Result<Option<Stamped>, RecordingError> {
        if !self.read_line(EVENT_LIMIT)? {
            return Ok(None);
        }
        let line = self.line;
        if self.ended {
            return Err(RecordingError::AfterEnd { line });
        }
        let stamped: Stamped = self.parse().map_err(|error| match error {
            Broken::CutShort => RecordingError::CutShort { line, bytes: self.buffer.len() },
            Broken::Invalid(reason) => RecordingError::NotAnEvent { line, reason },
        })?;
        if let Some(before) = self.last.filter(|before| *before > stamped.at) {
            return Err(RecordingError::Backwards { line, before, after: stamped.at });
        }
        self.known.check(&stamped.event, line)?;
        self.last = Some(stamped.at);
        self.ended = matches!(stamped.event, Event::Ended { .. });
        Ok(Some(stamped))
    }
}

enum Broken {
    CutShort,
    Invalid(String),
}

/// The message with the place in the line; serde_json counts lines within the text it is given, which is always one.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(reason) if error.column() > 0 => format!("{reason} (column {})", error.column()),
        Some(reason) => reason.to_owned(),
        None => text,
    }
}

impl Known {
    fn node(&self, id: NodeId, line: u64) -> Result<(), RecordingError> {
        within("node", id.0, self.nodes, line)
    }

    fn channel(&self, id: ChannelId, line: u64) -> Result<(), RecordingError> {
        within("channel", id.0, self.channels, line)
    }

    fn traffic(&self, id: TrafficId, line: u64) -> Result<(), RecordingError> {
        within("traffic item", id.0, self.traffic, line)
    }

    fn check(&self, event: &Event, line: u64) -> Result<(), RecordingError> {
        if let Some(channel) = crate::counters::channel_of(event) {
            return self.channel(channel, line);
        }
        match event {
            Event::Ltp { node, peer, .. } => {
                self.node(*node, line)?;
                self.node(*peer, line)
            }
            Event::Bundle { node, traffic, notice, .. } => {
                self.node(*node, line)?;
                if let Some(traffic) = traffic {
                    self.traffic(*traffic, line)?;
                }
                match notice {
                    BundleNotice::Received { from: other } | BundleNotice::Forwarded { to: other } => {
                        self.node(*other, line)
                    }
                    _ => Ok(()),
                }
            }
            Event::Arrived { traffic, .. } => self.traffic(*traffic, line),
            _ => Ok(()),
        }
    }
}

fn within(what: &'static str, index: u16, known: usize, line: u64) -> Result<(), RecordingError> {
    if usize::from(index) < known { Ok(()) } else { Err(RecordingError::Unknown { line, what, index, known }) }
}

impl<R: BufRead> Iterator for RecordingReader<R> {
    type Item = Result<Stamped, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.read_event().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}
