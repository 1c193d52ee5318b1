//! What can go wrong in reading and writing, and what gets lost.

use std::fmt;

use thiserror::Error;

use super::{MAX_BYTES, MAX_CONTACTS};
use crate::{Contact, Finding, NodeId};

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Error)]
pub struct ReadError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong.
    pub problem: ReadProblem,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl ReadError {
    pub(crate) fn at(line: usize, problem: ReadProblem) -> Self {
        ReadError { line, column: None, problem }
    }
}

/// What can be wrong with a file.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ReadProblem {
    /// More than [`MAX_BYTES`].
    #[error("the file has {bytes} bytes, more than the {MAX_BYTES} that are read: split it")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// More than [`MAX_CONTACTS`].
    #[error("more than {MAX_CONTACTS} contacts: split the plan, or shorten the horizon of recurring contacts")]
    TooMany,
    /// Not text.
    #[error("this is not UTF-8 text")]
    NotUtf8,
    /// Not what JSON or the format's structure allows.
    #[error("{0}")]
    Json(String),
    /// A command or line that does not have the right parts.
    #[error("`{text}` is not right here: write it as in `{usage}`")]
    Usage {
        /// What was written.
        text: String,
        /// A right one.
        usage: &'static str,
    },
    /// No number, or one that does not fit.
    #[error("the {field} `{text}` is not {wanted}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What was written.
        text: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// A time further than instants reach.
    #[error(
        "the time `{text}` is out of reach: a plan holds 292 years before and after its epoch, and years from 1900 to 2199"
    )]
    TimeOutOfReach {
        /// What was written.
        text: String,
    },
    /// An end at or before the start.
    #[error("it ends at `{end}`, not after its start `{start}`")]
    Empty {
        /// The start as written.
        start: String,
        /// The end as written.
        end: String,
    },
    /// Relative and calendar times in one file.
    #[error(
        "`{text}` counts from when the program starts, other times in the file are of the calendar: tell the epoch, or set the reference time with `@`"
    )]
    MixedTimes {
        /// The relative time.
        text: String,
    },
    /// Several regions.
    #[error("contacts of region {second} follow those of region {first}: tell which region to read")]
    SeveralRegions {
        /// The first one.
        first: u64,
        /// The second one.
        second: u64,
    },
    /// A format of one node's contacts needs to know which node.
    #[error("the file tells contacts of the node that reads it, but not which one that is: tell the local node")]
    NoLocalNode,
    /// Recurring contacts never end.
    #[error("the contact recurs for ever: tell a horizon up to which to write it out")]
    NoHorizon,
    /// Recurring contacts need a calendar.
    #[error("the contact recurs by the calendar: tell the epoch of the plan")]
    NoEpoch,
}

/// Where in a file something was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A line, from 1.
    Line(usize),
    /// An entry of the file's list of contacts, from 0.
    Entry(usize),
    /// The whole file.
    File,
}

/// Something that may be other than it was meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub doubt: Doubt,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Line(line) => write!(f, "line {line}: ")?,
            Place::Entry(entry) => write!(f, "contact {entry}: ")?,
            Place::File => {}
        }
        self.doubt.fmt(f)
    }
}

/// What may be other than it was meant.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Doubt {
    /// A fraction where the program reads whole numbers.
    #[error("the {field} `{text}` has a fraction, which {program} cuts off: it reads {read}")]
    Fraction {
        /// Which field.
        field: &'static str,
        /// What was written.
        text: String,
        /// Who reads it.
        program: &'static str,
        /// What it reads.
        read: String,
    },
    /// A rate in bytes per second that looks like bits per second.
    #[error("a rate of {bytes_per_s} bytes/s is {mbit_s} Mbit/s: was it meant in bit/s? ION reads bytes per second")]
    BytesOrBits {
        /// The rate as written.
        bytes_per_s: u64,
        /// The same in Mbit/s.
        mbit_s: f64,
    },
    /// A rate so low that it looks like another unit.
    #[error("a rate of {rate} {unit} is hardly a rate: was it meant in {other}?")]
    LowRate {
        /// The rate as written.
        rate: u64,
        /// The unit that is read.
        unit: &'static str,
        /// The unit that was perhaps meant.
        other: &'static str,
    },
    /// A light time that looks like milliseconds.
    #[error("a light time of {seconds} s is {hours} hours: was it meant in milliseconds?")]
    LongLightTime {
        /// The light time.
        seconds: f64,
        /// The same in hours.
        hours: f64,
    },
    /// A time that looks like milliseconds.
    #[error("a time of {seconds} s is {years} years from the start: was it meant in milliseconds?")]
    FarTime {
        /// The time as written.
        seconds: f64,
        /// The same in years.
        years: f64,
    },
    /// Times that are seconds since 1970.
    #[error("the times look like seconds since 1970: they are read as such")]
    UnixTimes,
    /// The old field of HDTN.
    #[error("`rate` is in Mbit/s: {mbit_s} is read as {mbit_s} Mbit/s; write `rateBitsPerSec`")]
    OldRate {
        /// The rate.
        mbit_s: u64,
    },
    /// Both fields of HDTN.
    #[error("`rate` counts for nothing beside `rateBitsPerSec`")]
    TwoRates,
    /// A field that is missing, and what the program takes instead.
    #[error("there is no `{field}`: {program} takes {taken}")]
    Missing {
        /// Which field.
        field: &'static str,
        /// Who reads it.
        program: &'static str,
        /// What it takes.
        taken: &'static str,
    },
    /// A field that the format does not have.
    #[error("`{name}` is no field that is known here, and is left out")]
    UnknownField {
        /// Its name.
        name: String,
    },
    /// A contact that the program ignores.
    #[error("it overlaps the contact from {start} to {end} of the same nodes, and is left out{as_in}")]
    Overlap {
        /// When that begins.
        start: String,
        /// When it ends.
        end: String,
        /// Whether the program does likewise.
        as_in: &'static str,
    },
    /// A contact of which only a part is free.
    #[error("it overlaps the contact before it, and is taken to begin at {start}")]
    Shortened {
        /// When that ends.
        start: String,
    },
    /// Contacts that touch.
    #[error(
        "it begins the second in which another contact of the same nodes ends: ION takes that for an overlap and ignores it"
    )]
    Touching,
    /// A contact that says nothing about when.
    #[error("a {kind} contact tells no time, and is left out")]
    NoTime {
        /// Registration or hypothetical.
        kind: &'static str,
    },
    /// A contact of a node with itself.
    #[error("it leads from node {node} to itself, and is left out")]
    Loop {
        /// The node.
        node: String,
    },
    /// A range without a contact.
    #[error("the range from {from} to {to} belongs to no contact, and is left out")]
    LoneRange {
        /// From which node.
        from: u64,
        /// To which node.
        to: u64,
    },
    /// A range of the other direction that ION refuses.
    #[error(
        "the range overlaps one of the other direction that implies it and does not begin at the same time: ION refuses it"
    )]
    RefusedRange,
    /// A command that deletes or changes what is not there.
    #[error("no such {what} was added before: nothing happens")]
    NothingThere {
        /// Contact or range.
        what: &'static str,
    },
    /// Routes are not contacts.
    #[error("patterns and priorities are routes: of them the plan keeps the next hop only")]
    Routes,
    /// A line that drops bundles.
    #[error("`drop` is a route and no contact, and is left out")]
    Drop,
    /// A time with an offset.
    #[error("`{text}` is not in UTC: it is read with its offset")]
    Offset {
        /// What was written.
        text: String,
    },
    /// Older predictions.
    #[error("of {count} predictions the last one is kept")]
    Generations {
        /// How many there are.
        count: usize,
    },
}

/// Something that a format could not carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The contact in words; `None` where it is about the whole plan.
    pub contact: Option<String>,
    /// What it is about: `rate`, `light time`, `start` …
    pub field: &'static str,
    /// What the plan holds.
    pub was: String,
    /// What the file says instead.
    pub written: String,
}

impl Loss {
    pub(crate) fn of(
        contact: &Contact,
        field: &'static str,
        was: impl fmt::Display,
        written: impl fmt::Display,
    ) -> Self {
        Loss { contact: Some(contact.to_string()), field, was: was.to_string(), written: written.to_string() }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(contact) = &self.contact {
            write!(f, "{contact}: ")?;
        }
        write!(f, "{} {} became {}", self.field, self.was, self.written)
    }
}

/// Why a plan could not be written.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WriteError {
    /// Something in the plan cannot be.
    #[error("the plan cannot be: {0}")]
    Unsound(Finding),
    /// A node without a number.
    #[error("the format knows node numbers only, and `{node}` has none: give the node an EID as in `ipn:20.0`")]
    NoNumber {
        /// The node.
        node: NodeId,
    },
    /// Two names for one number.
    #[error("`{node}` and `{other}` have the same number {number}: give one of them another EID")]
    SameNumber {
        /// One node.
        node: NodeId,
        /// The other one.
        other: NodeId,
        /// Their number.
        number: u64,
    },
    /// A node that is no EID.
    #[error("the format knows EIDs only, and `{node}` is none: give the node one as in `ipn:20.0`")]
    NoEid {
        /// The node.
        node: NodeId,
    },
    /// A format with calendar times needs an epoch.
    #[error("calendar times are to be written, and the plan has no epoch: tell one")]
    NoEpoch,
    /// A format of one node's contacts needs to know which node.
    #[error("the format tells contacts of one node: tell which")]
    NoLocalNode,
    /// Light times that vary so much that the file would not end.
    #[error(
        "up to {contact}, the light times vary so much that they make more than {MAX_CONTACTS} lines: take a larger tolerance or fewer contacts"
    )]
    TooMany {
        /// The contact with which it is too much, in words.
        contact: String,
    },
    /// A time that the format cannot write.
    #[error("{contact}: the format cannot write its {field}, {time}: {limit}")]
    Time {
        /// The contact in words.
        contact: String,
        /// Start or end.
        field: &'static str,
        /// The time.
        time: String,
        /// What the format can write.
        limit: &'static str,
    },
}

/// Checks what holds for every file, and takes a byte order mark off.
pub(super) fn text(bytes: &[u8]) -> Result<&str, ReadError> {
    if bytes.len() > MAX_BYTES {
        return Err(ReadError::at(1, ReadProblem::TooLarge { bytes: bytes.len() }));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        ReadError::at(line, ReadProblem::NotUtf8)
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// What a message quotes of a file: not more than fits on a line.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut short: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// A few values of a list.
pub(super) fn some_of(values: &[String]) -> String {
    match values {
        [first, .., last] if values.len() > 4 => format!("{first} … {last} ({} values)", values.len()),
        _ => values.join(", "),
    }
}
