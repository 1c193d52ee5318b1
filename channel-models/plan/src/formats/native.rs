//! Farlink's own format: JSON that loses nothing.
//!
//! Every quantity is text with its unit, as in scenarios and node descriptions; times count from the epoch:
//!
//! ```json
//! {
//!   "format": "farlink-contact-plan", "version": 1,
//!   "epoch": "2026-12-15T00:00:00Z",
//!   "nodes": ["ipn:10.0", "ipn:20.0"],
//!   "contacts": [
//!     { "from": "ipn:10.0", "to": "ipn:20.0", "start": "0 s", "end": "600 s", "confidence": 0.8,
//!       "rate": [["0 s", "256000 bit/s"], ["300 s", "unlimited"]],
//!       "light_time": [["0 s", "600 s", "4 s", "4.5 s"]],
//!       "bit_error_rate": [["0 s", 1e-6]] }
//!   ]
//! }
//! ```
//!
//! A rate, a light time or a bit error rate that does not change may stand alone. Of a piece of light time the first two values are
//! its start and end, the last two the light times there.

use std::fmt::{self, Write};

use farlink_units::{BitRate, Duration, Instant, Ratio};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::json::{self, Many, string};
use super::{Export, Import, ReadError};
use crate::calendar::{read_rfc3339, rfc3339, seconds, time};
use crate::{Contact, ContactPlan, LightTime, NodeId, Piece, Rate, Steps};

const FORMAT: &str = "farlink-contact-plan";

pub(super) fn read(text: &str) -> Result<Import, ReadError> {
    let file: File = json::parse(text)?;
    let plan = ContactPlan {
        epoch: file.epoch.map(|epoch| epoch.0),
        nodes: file.nodes.into_iter().collect(),
        contacts: file.contacts.0.into_iter().map(Contact::from).collect(),
    };
    Ok(Import { plan, warnings: Vec::new() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "format")]
    _format: Name,
    #[serde(rename = "version")]
    _version: Version,
    epoch: Option<Calendar>,
    #[serde(default)]
    nodes: Vec<NodeId>,
    contacts: Many<Entry>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name;

impl TryFrom<String> for Name {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        if name == FORMAT { Ok(Name) } else { Err(format!("the format is not `{FORMAT}`")) }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "u64")]
struct Version;

impl TryFrom<u64> for Version {
    type Error = String;
    fn try_from(version: u64) -> Result<Self, String> {
        if version == 1 { Ok(Version) } else { Err(format!("version {version} is not known here, only 1")) }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Calendar(hifitime::Epoch);

impl TryFrom<String> for Calendar {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{}` is no time: write it as in `2026-12-15T00:00:00Z`", super::error::quote(&text));
        read_rfc3339(&text).map(|(epoch, _)| Calendar(epoch)).ok_or_else(wrong)
    }
}

/// A time since the epoch, perhaps before it.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct At(Instant);

impl TryFrom<String> for At {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text == "never" {
            return Ok(At(Instant::MAX));
        }
        let (before, text) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
        let since: Duration = text.parse().map_err(|error: farlink_units::QuantityError| error.to_string())?;
        Ok(At(if before { Instant::ZERO - since } else { Instant::ZERO + since }))
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Speed(Rate);

impl TryFrom<String> for Speed {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "unlimited" => Ok(Speed(Rate::Unlimited)),
            "0 bit/s" => Ok(Speed(Rate::Limited(0))),
            // Beyond what a quantity holds, a plain number of bit/s is exact.
            text => match text.strip_suffix(" bit/s").and_then(|n| n.parse().ok()) {
                Some(bps) => Ok(Speed(Rate::Limited(bps))),
                None => text.parse().map(|rate: BitRate| Speed(Rate::Limited(rate.bps()))).map_err(|e| e.to_string()),
            },
        }
    }
}

/// One value, or a list of when which value begins.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
struct Changing<T>(#[serde(deserialize_with = "changing")] Vec<(Option<At>, T)>);

fn changing<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Option<At>, T)>, D::Error> {
    struct Either<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
        type Value = Vec<(Option<At>, T)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value with its unit, or a list of instants and values")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![(None, T::deserialize(de::value::StrDeserializer::new(text))?)])
        }
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
            Ok(vec![(None, T::deserialize(de::value::F64Deserializer::new(number))?)])
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            self.visit_f64(number as f64)
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            self.visit_f64(number as f64)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut steps = Vec::new();
            while let Some((at, value)) = list.next_element::<(At, T)>()? {
                steps.push((Some(at), value));
            }
            if steps.is_empty() { Err(de::Error::invalid_length(0, &"at least one value")) } else { Ok(steps) }
        }
    }
    deserializer.deserialize_any(Either(std::marker::PhantomData))
}

impl<T> Changing<T> {
    fn steps<U>(self, of: impl Fn(T) -> U) -> Option<Steps<U>> {
        let mut values = self.0.into_iter();
        let (_, first) = values.next()?;
        let changes = values.map(|(at, value)| (at.map_or(Instant::ZERO, |at| at.0), of(value)));
        Some(Steps { changes: changes.collect(), first: of(first) })
    }
}

/// A constant light time, or pieces.
struct Light(Vec<Piece>, Option<Duration>);

impl<'de> Deserialize<'de> for Light {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Light;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a light time as in `4 s`, or a list of start, end, light time at the start and at the end")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Light, E> {
                text.parse().map(|d| Light(Vec::new(), Some(d))).map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Light, A::Error> {
                let mut pieces = Vec::new();
                while let Some((start, end, first, last)) = list.next_element::<(At, At, Duration, Duration)>()? {
                    pieces.push(Piece { start: start.0, end: end.0, first, last });
                }
                Ok(Light(pieces, None))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    from: NodeId,
    to: NodeId,
    start: At,
    end: At,
    rate: Option<Changing<Speed>>,
    light_time: Option<Light>,
    bit_error_rate: Option<Changing<Ratio>>,
    confidence: Option<Ratio>,
}

impl From<Entry> for Contact {
    fn from(entry: Entry) -> Contact {
        let mut contact = Contact::new(entry.from, entry.to, entry.start.0, entry.end.0);
        if let Some(rate) = entry.rate.and_then(|rate| rate.steps(|speed| speed.0)) {
            contact.rate = rate;
        }
        contact.bit_error_rate = entry.bit_error_rate.and_then(|rate| rate.steps(|ratio| ratio));
        contact.light_time = match entry.light_time {
            Some(Light(_, Some(constant))) => LightTime::constant(contact.start, contact.end, constant),
            Some(Light(pieces, None)) => LightTime::new(pieces),
            None => LightTime::UNKNOWN,
        };
        contact.confidence = entry.confidence.unwrap_or(contact.confidence);
        contact
    }
}

pub(super) fn write(plan: &ContactPlan) -> Export {
    let mut text = format!("{{\n  \"format\": \"{FORMAT}\",\n  \"version\": 1,\n");
    let mut losses = Vec::new();
    if let Some(epoch) = plan.epoch {
        match time(Instant::ZERO, epoch) {
            Some(fields) => drop(writeln!(text, "  \"epoch\": \"{}\",", rfc3339(fields))),
            None => super::lost_epoch(plan, &mut losses),
        }
    }
    let nodes: Vec<String> = plan.nodes.iter().map(|node| string(node.as_str())).collect();
    let _ = write!(text, "  \"nodes\": [{}],\n  \"contacts\": [", nodes.join(", "));
    for (index, contact) in plan.contacts.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\n    {{ {} }}", fields(contact));
    }
    text.push_str("\n  ]\n}\n");
    Export { text, losses }
}

fn fields(contact: &Contact) -> String {
    let (from, to) = (string(contact.from.as_str()), string(contact.to.as_str()));
    let mut text =
        format!("\"from\": {from}, \"to\": {to}, \"start\": {}, \"end\": {}", at(contact.start), at(contact.end));
    let _ = write!(
        text,
        ", \"rate\": {}",
        steps(&contact.rate, contact.start, |rate| match rate {
            Rate::Unlimited => "\"unlimited\"".to_owned(),
            Rate::Limited(bps) => format!("\"{bps} bit/s\""),
        })
    );
    let light = &contact.light_time;
    let duration = |d: Duration| format!("\"{} s\"", seconds(d.as_nanos()));
    match light.pieces() {
        [] => {}
        [piece] if *piece == Piece::constant(contact.start, contact.end, piece.first) => {
            let _ = write!(text, ", \"light_time\": {}", duration(piece.first));
        }
        pieces => {
            let piece =
                |p: &Piece| format!("[{}, {}, {}, {}]", at(p.start), at(p.end), duration(p.first), duration(p.last));
            let _ = write!(text, ", \"light_time\": [{}]", pieces.iter().map(piece).collect::<Vec<_>>().join(", "));
        }
    }
    if let Some(rates) = &contact.bit_error_rate {
        let _ = write!(text, ", \"bit_error_rate\": {}", steps(rates, contact.start, |ratio| ratio.get().to_string()));
    }
    if contact.confidence.get() < 1.0 {
        let _ = write!(text, ", \"confidence\": {}", contact.confidence.get());
    }
    text
}

fn at(instant: Instant) -> String {
    if instant == Instant::MAX { "\"never\"".to_owned() } else { format!("\"{} s\"", seconds(instant.as_nanos())) }
}

fn steps<T>(steps: &Steps<T>, start: Instant, value: impl Fn(&T) -> String) -> String {
    if steps.changes.is_empty() {
        return value(&steps.first);
    }
    let all = std::iter::once((&start, &steps.first)).chain(steps.changes.iter().map(|(at, value)| (at, value)));
    let all: Vec<String> = all.map(|(instant, of)| format!("[{}, {}]", at(*instant), value(of))).collect();
    format!("[{}]", all.join(", "))
}
