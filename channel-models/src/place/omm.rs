//! Orbit mean-elements messages (CCSDS 502.0-B, section 4), for SGP4.

use std::collections::BTreeMap;

use hifitime::{Epoch, TimeScale};
use thiserror::Error;

use crate::place::calendar::{self, CalendarError};
use crate::place::satellite::{BadElement, MeanElements, Satellite};
use crate::place::text::{TextError, lines, number, shown};

/// Why a file is no OMM for SGP4.
///
/// In JSON, where lines mean nothing, `line` is the number of the object, from 1.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum OmmError {
    /// It is not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It is not JSON, or not an object or a list of objects.
    #[error("line {line}: {why}: an OMM in JSON is an object or a list of objects")]
    NotJson {
        /// The line of the file, from 1.
        line: usize,
        /// What the reader says.
        why: String,
    },
    /// A line that is no `KEYWORD = value`.
    #[error("line {line}: `{found}` is not `KEYWORD = value`")]
    NotKeyValue {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// A keyword that is there twice: the file holds more than one message.
    #[error("line {line}: {keyword} again: the file holds more than one message, or an element twice")]
    Again {
        /// The line, from 1.
        line: usize,
        /// The keyword.
        keyword: String,
    },
    /// A keyword that SGP4 needs is not there.
    #[error("line {line}: {keyword} is missing from the message that ends here")]
    Missing {
        /// The last line of the message, or the number of the object, from 1.
        line: usize,
        /// The keyword.
        keyword: &'static str,
    },
    /// A value that is not a number.
    #[error("line {line}: {keyword} is `{value}`, not a number")]
    NotANumber {
        /// The line, or the number of the object, from 1.
        line: usize,
        /// The keyword.
        keyword: &'static str,
        /// Its value.
        value: String,
    },
    /// A value that SGP4 cannot be used with.
    #[error("line {line}: {keyword} is `{value}`: it must be {allowed}")]
    Unsupported {
        /// The line, or the number of the object, from 1.
        line: usize,
        /// The keyword.
        keyword: &'static str,
        /// Its value.
        value: String,
        /// What can be read.
        allowed: &'static str,
    },
    /// The epoch is no time.
    #[error("line {line}: EPOCH: {error}")]
    Epoch {
        /// The line, or the number of the object, from 1.
        line: usize,
        /// What is wrong with it.
        error: CalendarError,
    },
    /// A number that no orbit has.
    #[error("line {line}: the {field} is {value}: it must be {range}")]
    Element {
        /// The last line of the message, or the number of the object, from 1.
        line: usize,
        /// Which element.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it can be, in words.
        range: &'static str,
    },
}

/// One message: keywords with the line and text of their values.
#[derive(Default)]
struct Message {
    values: BTreeMap<String, (usize, String)>,
    last: usize,
}

pub(crate) fn read_kvn(file: &[u8]) -> Result<Satellite, OmmError> {
    let mut message = Message::default();
    for line in lines(file) {
        let (line, text) = line?;
        message.last = line;
        if text.starts_with("COMMENT") {
            continue;
        }
        let Some((keyword, value)) = text.split_once('=') else {
            return Err(OmmError::NotKeyValue { line, found: shown(text) });
        };
        // A unit may follow in brackets.
        let value = value.split('[').next().unwrap_or_default().trim();
        let keyword = keyword.trim().to_owned();
        if message.values.insert(keyword.clone(), (line, value.to_owned())).is_some() {
            return Err(OmmError::Again { line, keyword: shown(&keyword) });
        }
    }
    message.satellite()
}

pub(crate) fn read_json(file: &[u8]) -> Result<Vec<Satellite>, OmmError> {
    use serde_json::Value;
    let not_json = |line, why: String| OmmError::NotJson { line, why };
    let file: Value = serde_json::from_slice(file).map_err(|e| not_json(e.line(), e.to_string()))?;
    let objects = match file {
        Value::Array(list) => list,
        other => vec![other],
    };
    let read = |(number, object): (usize, Value)| {
        let Value::Object(fields) = object else {
            return Err(not_json(number, format!("entry {number} is not an object")));
        };
        let text = |value: Value| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let values = fields.into_iter().filter_map(|(key, value)| Some((key, (number, text(value)?)))).collect();
        Message { values, last: number }.satellite()
    };
    (1..).zip(objects).map(read).collect()
}

impl Message {
    fn get(&self, keyword: &'static str) -> Result<(usize, &str), OmmError> {
        let found = self.values.get(keyword).filter(|(_, value)| !value.is_empty());
        found.map(|(line, value)| (*line, value.as_str())).ok_or(OmmError::Missing { line: self.last, keyword })
    }

    fn number(&self, keyword: &'static str) -> Result<f64, OmmError> {
        let (line, value) = self.get(keyword)?;
        number(value).ok_or_else(|| OmmError::NotANumber { line, keyword, value: shown(value) })
    }

    /// A keyword that may be left out must be one of these if it is there.
    fn one_of(&self, keyword: &'static str, values: &[&str], allowed: &'static str) -> Result<(), OmmError> {
        match self.get(keyword) {
            Ok((line, value)) if !values.contains(&value.to_ascii_uppercase().as_str()) => {
                Err(OmmError::Unsupported { line, keyword, value: shown(value), allowed })
            }
            _ => Ok(()),
        }
    }

    fn satellite(&self) -> Result<Satellite, OmmError> {
        self.one_of("CENTER_NAME", &["EARTH"], "EARTH")?;
        self.one_of("REF_FRAME", &["TEME"], "TEME, the frame of SGP4")?;
        self.one_of("TIME_SYSTEM", &["UTC"], "UTC")?;
        self.one_of("MEAN_ELEMENT_THEORY", &["SGP4", "SGP/SGP4"], "SGP4")?;
        // Type 4 is SGP4-XP, whose elements are others.
        self.one_of("EPHEMERIS_TYPE", &["0", "2"], "0 or 2, elements for SGP4")?;
        let (line, epoch) = self.get("EPOCH")?;
        let epoch: Epoch = calendar::parse(epoch, TimeScale::UTC).map_err(|error| OmmError::Epoch { line, error })?;
        let catalogue_number = self.get("NORAD_CAT_ID").ok().and_then(|(_, id)| id.parse().ok());
        let name = self.get("OBJECT_NAME").or_else(|_| self.get("NORAD_CAT_ID")).or_else(|_| self.get("OBJECT_ID"));
        let elements = MeanElements {
            name: name?.1.to_owned(),
            catalogue_number,
            epoch,
            mean_motion: self.number("MEAN_MOTION")?,
            eccentricity: self.number("ECCENTRICITY")?,
            inclination: self.number("INCLINATION")?,
            ascending_node: self.number("RA_OF_ASC_NODE")?,
            argument_of_perigee: self.number("ARG_OF_PERICENTER")?,
            mean_anomaly: self.number("MEAN_ANOMALY")?,
            bstar: self.number("BSTAR")?,
        };
        Satellite::new(elements).map_err(|BadElement { field, value, range }| OmmError::Element {
            line: self.last,
            field,
            value,
            range,
        })
    }
}
