//! Two-line element sets.

use hifitime::Epoch;
use thiserror::Error;

use crate::place::satellite::{BadElement, MeanElements, Satellite};
use crate::place::text::{TextError, lines, shown};

/// What a line of elements has, the checksum with it.
const LINE_LENGTH: usize = 69;

/// Why a file is no TLE.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TleError {
    /// It is not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A line 1 without its line 2, or the other way round.
    #[error("line {line}: expected {expected} of a TLE, found `{found}`")]
    Unpaired {
        /// The line, from 1.
        line: usize,
        /// What belongs here.
        expected: &'static str,
        /// What stands here.
        found: String,
    },
    /// A line of elements of another length, or with other than ASCII in it.
    #[error("line {line}: a line of a TLE has {LINE_LENGTH} ASCII characters, the checksum last; this has {length}")]
    Length {
        /// The line, from 1.
        line: usize,
        /// How many characters it has.
        length: usize,
    },
    /// The checksum does not fit: a digit is wrong.
    #[error(
        "line {line}: the checksum is {written}, but the digits of the line add up to {computed}: a digit is wrong"
    )]
    Checksum {
        /// The line, from 1.
        line: usize,
        /// What the last column says.
        written: char,
        /// What the columns before it add up to.
        computed: char,
    },
    /// A field cannot be read, or the two lines speak of different satellites.
    #[error("line {line}: {why}")]
    Field {
        /// The line, from 1.
        line: usize,
        /// What is wrong, and in which columns.
        why: String,
    },
    /// A number that no orbit has.
    #[error("lines {line} and {}: the {field} is {value}: it must be {range}", line + 1)]
    Element {
        /// The first of the two lines, from 1.
        line: usize,
        /// Which element.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it can be, in words.
        range: &'static str,
    },
    /// Not one satellite, where one is wanted.
    #[error("the file has {count} satellites: name one of them, or give a file with one")]
    NotOne {
        /// How many there are.
        count: usize,
    },
}

pub(crate) fn read_one(file: &[u8]) -> Result<Satellite, TleError> {
    let mut all = read(file)?;
    match (all.pop(), all.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(TleError::NotOne { count: 0 }),
        (Some(_), rest) => Err(TleError::NotOne { count: rest + 1 }),
    }
}

pub(crate) fn read(file: &[u8]) -> Result<Vec<Satellite>, TleError> {
    let mut found = Vec::new();
    let mut name: Option<(usize, &str)> = None;
    let mut lines = lines(file);
    while let Some(line) = lines.next() {
        let (number, text) = line?;
        if text.starts_with('#') {
            continue;
        }
        if text.starts_with("1 ") && text.len() > 24 {
            let second = lines.next().transpose()?;
            let Some((_, second)) = second.filter(|(next, _)| *next == number + 1) else {
                return Err(TleError::Unpaired { line: number + 1, expected: "line 2", found: String::new() });
            };
            found.push(pair(name.take().map(|(_, name)| name), number, text, second)?);
        } else if text.starts_with("2 ") && text.len() > 24 {
            return Err(TleError::Unpaired { line: number, expected: "line 1", found: shown(text) });
        } else if let Some((earlier, text)) = name.replace((number, text)) {
            // Two names in a row: the first has no elements.
            return Err(TleError::Unpaired { line: earlier, expected: "a name and then line 1", found: shown(text) });
        }
    }
    match name {
        Some((line, text)) => Err(TleError::Unpaired { line, expected: "line 1", found: shown(text) }),
        None => Ok(found),
    }
}

/// Length and checksum, which what reads the fields relies on.
fn check(line: usize, text: &str) -> Result<(), TleError> {
    if text.len() != LINE_LENGTH || !text.is_ascii() {
        return Err(TleError::Length { line, length: text.chars().count() });
    }
    let (body, last) = text.as_bytes().split_at(LINE_LENGTH - 1);
    let sum: u32 = body
        .iter()
        .map(|b| match b {
            b'-' => 1,
            b'0'..=b'9' => u32::from(b - b'0'),
            _ => 0,
        })
        .sum();
    let computed = char::from(b'0' + (sum % 10) as u8);
    let written = char::from(last[0]);
    if written != computed {
        return Err(TleError::Checksum { line, written, computed });
    }
    Ok(())
}

fn pair(name: Option<&str>, line: usize, first: &str, second: &str) -> Result<Satellite, TleError> {
    if !second.starts_with("2 ") {
        return Err(TleError::Unpaired { line: line + 1, expected: "line 2", found: shown(second) });
    }
    check(line, first)?;
    check(line + 1, second)?;
    let elements = sgp4::Elements::from_tle(None, first.as_bytes(), second.as_bytes()).map_err(|error| {
        let why = error.to_string();
        TleError::Field { line: if why.contains("line 2") { line + 1 } else { line }, why }
    })?;
    let time = elements.datetime.and_utc();
    let nanos = i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos());
    let epoch = Epoch::from_unix_duration(hifitime::Duration::from_total_nanoseconds(nanos));
    // Some files write the name as line 0.
    let name = name.map(|name| name.strip_prefix("0 ").unwrap_or(name).trim());
    Satellite::new(MeanElements {
        name: name.map_or_else(|| elements.norad_id.to_string(), str::to_owned),
        catalogue_number: Some(elements.norad_id),
        epoch,
        mean_motion: elements.mean_motion,
        eccentricity: elements.eccentricity,
        inclination: elements.inclination,
        ascending_node: elements.right_ascension,
        argument_of_perigee: elements.argument_of_perigee,
        mean_anomaly: elements.mean_anomaly,
        bstar: elements.drag_term,
    })
    .map_err(|BadElement { field, value, range }| TleError::Element { line, field, value, range })
}
