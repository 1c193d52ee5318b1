//! The texts inside a scenario that are neither quantities nor words from a list: node IDs, points of time, whole numbers.

use std::borrow::Cow;
use std::str::FromStr;

use farlink_units::quantity::Decimal;
use farlink_units::{BitRate, Duration, Frequency, Instant, QuantityError};
use hifitime::Epoch;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::located::Wrong;

/// A node ID of the `ipn` scheme; the number of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(pub u64);

/// 2^32 - 1 stands for "this node" wherever it is read (RFC 9758, section 3.4.2), so no node has it.
const MAX_NODE_NUMBER: u64 = (1 << 32) - 2;

impl FromStr for NodeId {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let refuse =
            |why: &str| Err(Wrong::new(format!("`{text}` is not a node ID: {why}"), "write it as in `ipn:10.0`"));
        let Some(rest) = text.strip_prefix("ipn:") else {
            return refuse("only the `ipn` scheme is supported");
        };
        let Some((node, service)) = rest.split_once('.') else {
            return refuse("it has no service number");
        };
        if !service.bytes().all(|b| b.is_ascii_digit()) || service.is_empty() {
            return refuse("its service number is no number");
        }
        if service != "0" {
            return refuse("the service number of a node is 0");
        }
        if node.is_empty() || !node.bytes().all(|b| b.is_ascii_digit()) || (node.starts_with('0') && node != "0") {
            return refuse("its node number is no number");
        }
        match node.parse() {
            Ok(number) if (1..=MAX_NODE_NUMBER).contains(&number) => Ok(NodeId(number)),
            _ => refuse("node numbers go from 1 to 4294967294"),
        }
    }
}

impl JsonSchema for NodeId {
    fn schema_name() -> Cow<'static, str> {
        "NodeId".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^ipn:[1-9][0-9]{0,9}\\.0$", "examples": ["ipn:10.0"]})
    }
}

/// A calendar time in UTC, written with a `Z`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Utc(pub Epoch);

/// Reads a calendar time in UTC as the files write it, `2026-12-15T00:00:00Z`.
///
/// # Errors
/// What is wrong with it, and how it is written.
pub fn parse_utc(text: &str) -> Result<Epoch, String> {
    text.parse::<Utc>().map(|utc| utc.0).map_err(|wrong| match wrong.help {
        Some(help) => format!("{}; {help}", wrong.message),
        None => wrong.message,
    })
}

const UTC_EXAMPLE: &str = "2026-12-15T00:00:00Z";

impl FromStr for Utc {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let refuse = |why: &str| {
            Err(Wrong::new(format!("`{text}` is not a UTC time: {why}"), format!("write it as in `{UTC_EXAMPLE}`")))
        };
        let Some(rest) = text.strip_suffix('Z') else {
            return refuse("it does not end in `Z`");
        };
        let Some((year, month, day, hour, minute, second, nanos)) = calendar_fields(rest) else {
            return refuse("it does not read year-month-dayThour:minute:second");
        };
        match Epoch::maybe_from_gregorian_utc(year, month, day, hour, minute, second, nanos) {
            Ok(epoch) if (1900..=2100).contains(&year) => Ok(Utc(epoch)),
            Ok(_) => refuse("the year is not between 1900 and 2100"),
            Err(_) => refuse("the calendar has no such time"),
        }
    }
}

/// Splits `YYYY-MM-DDThh:mm:ss[.fraction]`, with exactly so many digits.
fn calendar_fields(text: &str) -> Option<(i32, u8, u8, u8, u8, u8, u32)> {
    let (date, time) = text.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let digits = |part: Option<&str>, count: usize| {
        part.filter(|p| p.len() == count && p.bytes().all(|b| b.is_ascii_digit()))?.parse::<u16>().ok()
    };
    let (mut date, mut time) = (date.split('-'), time.split(':'));
    let year = i32::from(digits(date.next(), 4)?);
    let (month, day) = (digits(date.next(), 2)? as u8, digits(date.next(), 2)? as u8);
    let (hour, minute, second) =
        (digits(time.next(), 2)? as u8, digits(time.next(), 2)? as u8, digits(time.next(), 2)? as u8);
    if date.next().is_some() || time.next().is_some() {
        return None;
    }
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some((year, month, day, hour, minute, second, nanos))
}

impl JsonSchema for Utc {
    fn schema_name() -> Cow<'static, str> {
        "Utc".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": UTC_PATTERN, "examples": [UTC_EXAMPLE]})
    }
}

const UTC_PATTERN: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$";

/// A point of time: since the epoch, or by the calendar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum When {
    Since(Duration),
    Calendar(Epoch),
}

impl When {
    /// The same on the bench's clock, whose zero is `epoch`.
    pub(crate) fn instant(self, epoch: Epoch) -> Instant {
        match self {
            When::Since(duration) => Instant::ZERO + duration,
            When::Calendar(time) => {
                let nanos = (time - epoch).total_nanoseconds();
                Instant::from_nanos(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
            }
        }
    }
}

impl FromStr for When {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let bytes = text.as_bytes();
        let looks_like_a_date = bytes.len() > 4 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-';
        if looks_like_a_date {
            text.parse::<Utc>().map(|utc| When::Calendar(utc.0))
        } else {
            text.parse().map(When::Since).map_err(|error: QuantityError| error.into())
        }
    }
}

impl JsonSchema for When {
    fn schema_name() -> Cow<'static, str> {
        "When".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [Duration::json_schema(generator), Utc::json_schema(generator)],
            "examples": ["600 s", UTC_EXAMPLE],
        })
    }
}

/// A data rate, or the word `none` for silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateOrNone(pub Option<BitRate>);

impl FromStr for RateOrNone {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        if text == "none" {
            return Ok(RateOrNone(None));
        }
        text.parse().map(|rate| RateOrNone(Some(rate))).map_err(|error: QuantityError| error.into())
    }
}

impl JsonSchema for RateOrNone {
    fn schema_name() -> Cow<'static, str> {
        "RateOrNone".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [BitRate::json_schema(generator), { "const": "none" }] })
    }
}

/// A number without a unit, finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number(pub f64);

impl FromStr for Number {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let number = Decimal::parse(text).map(Decimal::to_f64).filter(|number| number.is_finite());
        number.map(Number).ok_or_else(|| {
            Wrong::new(format!("`{text}` is not a number"), "write it without a unit, as in `400` or `1e6`")
        })
    }
}

impl JsonSchema for Number {
    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number"})
    }
}

/// How far a frequency is from another, in hertz; either sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FrequencyOffset(pub f64);

impl FromStr for FrequencyOffset {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        if text == "0 Hz" {
            return Ok(FrequencyOffset(0.0));
        }
        let (sign, size) = text.strip_prefix('-').map_or((1.0, text), |size| (-1.0, size));
        let frequency: Frequency = size.parse().map_err(|error: QuantityError| Wrong::from(error))?;
        Ok(FrequencyOffset(sign * frequency.hz()))
    }
}

impl JsonSchema for FrequencyOffset {
    fn schema_name() -> Cow<'static, str> {
        "FrequencyOffset".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["500 Hz", "-20 kHz"]})
    }
}

/// A whole number without a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub u64);

impl FromStr for Count {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number
            .map(Count)
            .ok_or_else(|| Wrong::new(format!("`{text}` is not a whole number"), "write it without a unit, as in `20`"))
    }
}

impl JsonSchema for Count {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 0})
    }
}
