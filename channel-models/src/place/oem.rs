//! Orbit ephemeris messages (CCSDS 502.0-B, section 5) in keyword = value notation.

use std::collections::{BTreeMap, HashMap};

use hifitime::TimeScale;
use thiserror::Error;

use crate::body::Body;
use crate::place::calendar::{self, CalendarError};
use crate::place::table::{EphemerisTable, Interpolation, MOST_POINTS, Segment, TableFrame};
use crate::place::text::{TextError, lines, number, shown};

/// Positions farther from their centre, in km, or faster, in km/s, are a mistake: 700 au, and a tenth of the speed of light.
const FARTHEST_KM: f64 = 1e11;
const FASTEST_KM_S: f64 = 3e4;

/// Why a file is no OEM, or one that cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum OemError {
    /// It is not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Something else belongs here.
    #[error("line {line}: expected {expected}, found `{found}`")]
    Unexpected {
        /// The line, from 1.
        line: usize,
        /// What belongs here.
        expected: &'static str,
        /// What stands here.
        found: String,
    },
    /// The file ends too early.
    #[error("line {line}: the file ends here, where {expected} is missing")]
    Ended {
        /// The last line, from 1.
        line: usize,
        /// What is missing.
        expected: &'static str,
    },
    /// A keyword that every segment must have.
    #[error("line {line}: {keyword} is missing from the metadata that ends here")]
    Missing {
        /// The line of META_STOP, from 1.
        line: usize,
        /// The keyword.
        keyword: &'static str,
    },
    /// A value that is not supported.
    #[error("line {line}: {keyword} is `{value}`: it must be {allowed}")]
    Unsupported {
        /// The line, from 1.
        line: usize,
        /// The keyword.
        keyword: &'static str,
        /// Its value.
        value: String,
        /// What can be read.
        allowed: &'static str,
    },
    /// A time that is none.
    #[error("line {line}: {error}")]
    Time {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        error: CalendarError,
    },
    /// Times that do not rise.
    #[error(
        "line {line}: the time {time} is not after that of the line before: the lines of a segment must rise in time"
    )]
    NotRising {
        /// The line, from 1.
        line: usize,
        /// What is written.
        time: String,
    },
    /// A number of a state that is none, or out of all range.
    #[error("line {line}: column {column} is `{value}`: it must be {range}")]
    Number {
        /// The line, from 1.
        line: usize,
        /// The column, from 1; the first is the time.
        column: usize,
        /// What is written.
        value: String,
        /// What it can be, in words.
        range: &'static str,
    },
    /// Too few lines to interpolate between.
    #[error("line {line}: the segment that ends here has {count} lines of positions: at least two are needed")]
    TooFew {
        /// The last line of the segment, from 1.
        line: usize,
        /// How many it has.
        count: usize,
    },
    /// A useable span without length, or outside the lines of its segment.
    #[error("line {line}: the useable span of the segment that ends here holds no time that its lines cover")]
    NotUseable {
        /// The last line of the segment, from 1.
        line: usize,
    },
    /// Two segments of one object that are useable at the same time.
    #[error("line {line}: the segment that ends here is useable before the one before it ends")]
    Overlap {
        /// The last line of the segment, from 1.
        line: usize,
    },
    /// Not one object, where one is wanted.
    #[error("the file has {count} objects: name one of them, or give a file with one")]
    NotOne {
        /// How many there are.
        count: usize,
    },
}

pub(crate) fn read_one(file: &[u8]) -> Result<EphemerisTable, OemError> {
    let mut all = read(file)?;
    match (all.pop(), all.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(OemError::NotOne { count: 0 }),
        (Some(_), rest) => Err(OemError::NotOne { count: rest + 1 }),
    }
}

pub(crate) fn read(file: &[u8]) -> Result<Vec<EphemerisTable>, OemError> {
    let mut reader = Reader { lines: lines(file), held: None, last: 0 };
    let mut objects: Vec<(String, Vec<Segment>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    reader.header()?;
    while let Some(meta) = reader.metadata()? {
        let (segment, last) = reader.segment(&meta)?;
        let index = *known.entry(meta.name).or_insert_with_key(|name| {
            objects.push((name.clone(), Vec::new()));
            objects.len() - 1
        });
        let segments = &mut objects[index].1;
        if segments.last().is_some_and(|before| segment.useable.0 < before.useable.1) {
            return Err(OemError::Overlap { line: last });
        }
        segments.push(segment);
    }
    Ok(objects.into_iter().map(|(name, segments)| EphemerisTable::new(name, segments)).collect())
}

/// What the metadata of a segment say.
struct Meta {
    name: String,
    center: Body,
    frame: TableFrame,
    scale: TimeScale,
    interpolation: Interpolation,
    /// TT nanoseconds since J2000.
    useable: (i64, i64),
}

struct Reader<'a, I: Iterator<Item = Result<(usize, &'a str), TextError>>> {
    lines: I,
    /// A line that was looked at and belongs to what comes next.
    held: Option<(usize, &'a str)>,
    last: usize,
}

impl<'a, I: Iterator<Item = Result<(usize, &'a str), TextError>>> Reader<'a, I> {
    /// The next line that is no comment.
    fn next(&mut self) -> Result<Option<(usize, &'a str)>, OemError> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        for line in self.lines.by_ref() {
            let (line, text) = line?;
            self.last = line;
            if !text.starts_with("COMMENT") {
                return Ok(Some((line, text)));
            }
        }
        Ok(None)
    }

    fn needed(&mut self, expected: &'static str) -> Result<(usize, &'a str), OemError> {
        let last = self.last;
        self.next()?.ok_or(OemError::Ended { line: last, expected })
    }

    fn header(&mut self) -> Result<(), OemError> {
        let expected = "CCSDS_OEM_VERS = 1.0, 2.0 or 3.0";
        let (line, text) = self.needed(expected)?;
        match key_value(text) {
            Some(("CCSDS_OEM_VERS", "1.0" | "2.0" | "3.0")) => Ok(()),
            _ => Err(OemError::Unexpected { line, expected, found: shown(text) }),
        }
    }

    /// The metadata of the next segment; None at the end of the file. Passes over the rest of the header and covariances.
    fn metadata(&mut self) -> Result<Option<Meta>, OemError> {
        loop {
            let Some((line, text)) = self.next()? else { return Ok(None) };
            match text {
                "META_START" => break,
                "COVARIANCE_START" => while self.needed("COVARIANCE_STOP")?.1 != "COVARIANCE_STOP" {},
                _ if matches!(
                    key_value(text),
                    Some(("CREATION_DATE" | "ORIGINATOR" | "MESSAGE_ID" | "CLASSIFICATION", _))
                ) => {}
                _ => return Err(OemError::Unexpected { line, expected: "META_START", found: shown(text) }),
            }
        }
        let mut values = BTreeMap::new();
        loop {
            let (line, text) = self.needed("META_STOP")?;
            if text == "META_STOP" {
                return Meta::new(&Values { values, line }).map(Some);
            }
            let expected = "KEYWORD = value or META_STOP";
            let Some((key, value)) = key_value(text) else {
                return Err(OemError::Unexpected { line, expected, found: shown(text) });
            };
            if values.insert(key, (line, value)).is_some() {
                return Err(OemError::Unexpected { line, expected: "a keyword only once", found: shown(text) });
            }
        }
    }

    /// The lines of one segment, and the number of the last.
    fn segment(&mut self, meta: &Meta) -> Result<(Segment, usize), OemError> {
        let (mut times, mut states): (Vec<i64>, Vec<[f64; 6]>) = (Vec::new(), Vec::new());
        let mut last = self.last;
        while let Some((line, text)) = self.next()? {
            if text == "META_START" || text == "COVARIANCE_START" {
                self.held = Some((line, text));
                break;
            }
            last = line;
            let (time, state) = state(line, text, meta.scale)?;
            if times.last().is_some_and(|before| time <= *before) {
                let time = shown(text.split_whitespace().next().unwrap_or_default());
                return Err(OemError::NotRising { line, time });
            }
            times.push(time);
            states.push(state);
        }
        if times.len() < 2 {
            return Err(OemError::TooFew { line: last, count: times.len() });
        }
        let useable = (meta.useable.0.max(times[0]), meta.useable.1.min(times[times.len() - 1]));
        if useable.0 >= useable.1 {
            return Err(OemError::NotUseable { line: last });
        }
        let Meta { center, frame, interpolation, .. } = *meta;
        Ok((Segment { center, frame, interpolation, useable, times, states }, last))
    }
}

/// The keywords of one block of metadata, and the line at which it ends.
struct Values<'a> {
    values: BTreeMap<&'a str, (usize, &'a str)>,
    line: usize,
}

impl<'a> Values<'a> {
    fn needed(&self, keyword: &'static str) -> Result<(usize, &'a str), OemError> {
        self.values.get(keyword).copied().ok_or(OemError::Missing { line: self.line, keyword })
    }

    fn time(&self, keyword: &'static str, scale: TimeScale) -> Result<i64, OemError> {
        let (line, text) = self.needed(keyword)?;
        tt_ns(line, text, scale)
    }
}

impl Meta {
    fn new(values: &Values) -> Result<Meta, OemError> {
        let (line, system) = values.needed("TIME_SYSTEM")?;
        let scale = match system {
            "UTC" => TimeScale::UTC,
            "TAI" => TimeScale::TAI,
            "TT" => TimeScale::TT,
            "TDB" => TimeScale::TDB,
            "GPS" => TimeScale::GPST,
            _ => return Err(unsupported(line, "TIME_SYSTEM", system, "UTC, TAI, TT, TDB or GPS")),
        };
        let (line, name) = values.needed("CENTER_NAME")?;
        let center = center(line, name)?;
        let (line, name) = values.needed("REF_FRAME")?;
        let frame = frame(line, name, center)?;
        let (start, stop) = (values.time("START_TIME", scale)?, values.time("STOP_TIME", scale)?);
        let or = |keyword, else_| match values.time(keyword, scale) {
            Err(OemError::Missing { .. }) => Ok(else_),
            other => other,
        };
        Ok(Meta {
            name: values.needed("OBJECT_NAME")?.1.to_owned(),
            center,
            frame,
            scale,
            interpolation: interpolation(values)?,
            useable: (or("USEABLE_START_TIME", start)?, or("USEABLE_STOP_TIME", stop)?),
        })
    }
}

/// The body in the centre. The barycentre of the solar system is none: that of the built-in ephemeris is up to 1,200 km from that
/// of others, by the masses that it leaves out.
fn center(line: usize, name: &str) -> Result<Body, OemError> {
    let allowed = "a body such as EARTH, SUN or MARS, or the barycentre of a planet other than Earth";
    // The moons of Mars move it by 20 cm about the barycentre of the two kinds, and the giant planets stand for theirs.
    let upper = name.to_ascii_uppercase();
    let body = upper.strip_suffix(" BARYCENTER").filter(|body| *body != "EARTH").unwrap_or(&upper);
    let found = Body::ALL.into_iter().find(|known| body.eq_ignore_ascii_case(known.name()));
    found.ok_or_else(|| unsupported(line, "CENTER_NAME", name, allowed))
}

fn frame(line: usize, name: &str, center: Body) -> Result<TableFrame, OemError> {
    let refuse = |allowed| Err(unsupported(line, "REF_FRAME", name, allowed));
    match name {
        "ICRF" | "GCRF" | "EME2000" | "J2000" => Ok(TableFrame::Inertial),
        "TEME" if center == Body::Earth => Ok(TableFrame::Teme),
        _ if name.starts_with("ITRF") && center == Body::Earth => Ok(TableFrame::EarthFixed),
        "TEME" => refuse("used with CENTER_NAME = EARTH"),
        _ if name.starts_with("ITRF") => refuse("used with CENTER_NAME = EARTH"),
        _ => refuse("ICRF, GCRF, EME2000, TEME or ITRF"),
    }
}

fn interpolation(values: &Values) -> Result<Interpolation, OemError> {
    let Ok((line, method)) = values.needed("INTERPOLATION") else { return Ok(Interpolation::DEFAULT) };
    const HIGHEST: u8 = MOST_POINTS as u8 - 1;
    let degree = || {
        let (line, text) = values.needed("INTERPOLATION_DEGREE")?;
        let degree = text.parse().ok().filter(|degree| (1..=HIGHEST).contains(degree));
        degree.ok_or_else(|| unsupported(line, "INTERPOLATION_DEGREE", text, "a whole number from 1 to 15"))
    };
    match method.to_ascii_uppercase().as_str() {
        "LAGRANGE" => Ok(Interpolation::Lagrange { degree: degree()? }),
        "LINEAR" => Ok(Interpolation::Lagrange { degree: 1 }),
        // Each line gives two conditions, so an even degree is raised by one, and two lines make a cubic.
        "HERMITE" => Ok(Interpolation::Hermite { degree: (degree()? | 1).max(3) }),
        _ => Err(unsupported(line, "INTERPOLATION", method, "HERMITE, LAGRANGE or LINEAR")),
    }
}

fn unsupported(line: usize, keyword: &'static str, value: &str, allowed: &'static str) -> OemError {
    OemError::Unsupported { line, keyword, value: shown(value), allowed }
}

fn key_value(text: &str) -> Option<(&str, &str)> {
    text.split_once('=').map(|(key, value)| (key.trim(), value.trim()))
}

/// TT nanoseconds since J2000.
fn tt_ns(line: usize, text: &str, scale: TimeScale) -> Result<i64, OemError> {
    let epoch = calendar::parse(text, scale).map_err(|error| OemError::Time { line, error })?;
    // The years that are read fit.
    Ok(epoch.to_tt_since_j2k().total_nanoseconds() as i64)
}

/// A line of time, position and velocity; accelerations may follow and are not used.
fn state(line: usize, text: &str, scale: TimeScale) -> Result<(i64, [f64; 6]), OemError> {
    let mut columns = text.split_whitespace();
    let expected = "a time, three positions in km and three velocities in km/s";
    let unexpected = || OemError::Unexpected { line, expected, found: shown(text) };
    let time = tt_ns(line, columns.next().ok_or_else(unexpected)?, scale)?;
    let mut state = [0.0; 6];
    for (index, value) in state.iter_mut().enumerate() {
        let written = columns.next().ok_or_else(unexpected)?;
        let (most, range) = if index < 3 {
            (FARTHEST_KM, "a number of km, within 1e11")
        } else {
            (FASTEST_KM_S, "a number of km/s, within 30000")
        };
        *value = number(written).filter(|value| value.abs() <= most).ok_or_else(|| OemError::Number {
            line,
            column: index + 2,
            value: shown(written),
            range,
        })?;
    }
    match columns.count() {
        0 | 3 => Ok((time, state)),
        _ => Err(unexpected()),
    }
}
