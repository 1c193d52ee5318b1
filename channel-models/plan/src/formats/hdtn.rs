//! HDTN's contact plan.
//!
//! After the plans in HDTN's repository and what its router and routing library read of them: whole seconds from the start,
//! `rateBitsPerSec` (0 for no limit; in its place an older `rate` in Mbit/s), `owlt` in whole seconds. Values of another kind are
//! taken as 0 without a word there, so they are refused here.

use std::fmt::{self, Write};

use farlink_units::{Duration, Instant};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::cut::{by_seconds, light_time_loss, whole_seconds};
use super::error::{quote, some_of};
use super::json::{self, Many, Whole, once};
use super::{
    Doubt, Export, Import, Loss, NEVER_S, Place, ReadError, ReadOptions, Warning, WriteError, WriteOptions,
    lost_chances, lost_epoch, lost_nodes, numbers,
};
use crate::calendar::{at_s, ceil_s, floor_s, from_unix, instant, is_whole_s};
use crate::{Contact, ContactPlan, LightTime, NodeId, Rate, Steps};

/// Times from here on, 2000-01-01, are seconds since 1970.
const UNIX_FROM_S: i64 = 946_684_800;
const TEN_YEARS_S: i64 = 315_576_000;

pub(super) fn read(text: &str, options: &ReadOptions) -> Result<Import, ReadError> {
    let file: File = json::parse(text)?;
    let unix = !file.contacts.is_empty() && file.contacts.iter().all(|c| c.start_s >= UNIX_FROM_S);
    let mut warnings = Vec::new();
    let mut epoch = options.epoch;
    if unix {
        warnings.push(Warning { place: Place::File, doubt: Doubt::UnixTimes });
        epoch = epoch.or(file.contacts.iter().map(|c| c.start_s).min().and_then(from_unix));
    }
    warnings.extend(file.unknown.map(|name| Warning { place: Place::File, doubt: Doubt::UnknownField { name } }));
    let at = |second: i64| match epoch.filter(|_| unix) {
        Some(zero) => from_unix(second).and_then(|time| instant(time, zero)),
        None => at_s(second),
    };
    let mut plan = ContactPlan { epoch, ..ContactPlan::default() };
    for (index, entry) in file.contacts.into_iter().enumerate() {
        let mut warn = |doubt| warnings.push(Warning { place: Place::Entry(index), doubt });
        entry.doubts(unix, &mut warn);
        if entry.source == entry.dest {
            warn(Doubt::Loop { node: entry.source.to_string() });
            continue;
        }
        // What is out of reach of a calendar is so far away that it never comes.
        let start = at(entry.start_s).unwrap_or(Instant::MAX);
        let end = if entry.end_s >= NEVER_S { Instant::MAX } else { at(entry.end_s).unwrap_or(Instant::MAX) };
        let mut contact = Contact::new(NodeId::ipn(entry.source), NodeId::ipn(entry.dest), start, end);
        contact.rate = Steps::constant(entry.rate());
        if let Some(owlt_s) = entry.owlt_s {
            contact.light_time = LightTime::constant(start, end, Duration::from_secs(owlt_s));
        }
        plan.contacts.push(contact);
    }
    Ok(Import { plan, warnings })
}

struct File {
    contacts: Vec<Entry>,
    unknown: Option<String>,
}

struct Entry {
    source: u64,
    dest: u64,
    start_s: i64,
    end_s: i64,
    rate_bps: Option<u64>,
    rate_mbps: Option<u64>,
    owlt_s: Option<i64>,
    unknown: Option<String>,
}

impl Entry {
    fn rate(&self) -> Rate {
        match self.rate_bps.or(self.rate_mbps.map(|mbps| mbps * 1_000_000)) {
            None | Some(0) => Rate::Unlimited,
            Some(bps) => Rate::Limited(bps),
        }
    }

    fn doubts(&self, unix: bool, warn: &mut impl FnMut(Doubt)) {
        match (self.rate_bps, self.rate_mbps) {
            (None, None) => warn(Doubt::Missing { field: "rateBitsPerSec", program: "HDTN", taken: "no limit" }),
            (Some(_), Some(_)) => warn(Doubt::TwoRates),
            (None, Some(mbit_s)) => warn(Doubt::OldRate { mbit_s }),
            _ => {}
        }
        if let Some(rate @ 1..1000) = self.rate_bps {
            warn(Doubt::LowRate { rate, unit: "bit/s", other: "Mbit/s" });
        }
        match self.owlt_s {
            None => warn(Doubt::Missing { field: "owlt", program: "HDTN", taken: "0" }),
            Some(owlt_s) if owlt_s > 3600 => {
                let hours = (owlt_s as f64 / 360.0).round() / 10.0;
                warn(Doubt::LongLightTime { seconds: owlt_s as f64, hours });
            }
            _ => {}
        }
        if !unix && (TEN_YEARS_S..NEVER_S).contains(&self.end_s) {
            let years = (self.end_s as f64 / 31_557_600.0).round();
            warn(Doubt::FarTime { seconds: self.end_s as f64, years });
        }
        if let Some(name) = &self.unknown {
            warn(Doubt::UnknownField { name: name.clone() });
        }
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = File;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a list `contacts`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
                let (mut contacts, mut unknown) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    if key == "contacts" {
                        once(&mut contacts, &key, map.next_value::<Many<Entry>>()?.0)?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        unknown.get_or_insert(quote(&key));
                    }
                }
                let contacts = contacts.ok_or_else(|| de::Error::missing_field("contacts"))?;
                Ok(File { contacts, unknown })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Entry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a contact, as in {\"contact\": 0, \"source\": 10, \"dest\": 20, \"startTime\": 0, \"endTime\": 2000, ")?;
                f.write_str("\"rateBitsPerSec\": 1000000, \"owlt\": 1}")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
                entry(map)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

const NAMES: [&str; 7] = ["source", "dest", "startTime", "endTime", "rateBitsPerSec", "rate", "owlt"];

fn entry<'de, A: MapAccess<'de>>(mut map: A) -> Result<Entry, A::Error> {
    let mut values: [Option<i64>; 7] = [None; 7];
    let (mut id, mut unknown) = (None, None);
    while let Some(key) = map.next_key::<String>()? {
        if let Some(index) = NAMES.iter().position(|name| *name == key) {
            let Whole(value) = map.next_value()?;
            // Only a time may lie before the start.
            if value < 0 && !(2..4).contains(&index) {
                return Err(de::Error::custom(format_args!("`{key}` is {value}, which is negative")));
            }
            once(&mut values[index], &key, value)?;
        } else if key == "contact" {
            once(&mut id, &key, map.next_value::<IgnoredAny>()?)?;
        } else {
            map.next_value::<IgnoredAny>()?;
            unknown.get_or_insert(quote(&key));
        }
    }
    let [source, dest, start, end, rate_bps, rate_mbps, owlt_s] = values;
    let need = |value: Option<i64>, name| value.ok_or_else(|| de::Error::missing_field(name));
    let node = |value: Option<i64>, name| match need(value, name)? {
        0 => Err(de::Error::custom(format_args!("`{name}` is 0, which is no node"))),
        node => Ok(node as u64),
    };
    let (start_s, end_s) = (need(start, "startTime")?, need(end, "endTime")?);
    if let Some(far) = [start_s, end_s].into_iter().find(|s| s.saturating_abs() > NEVER_S) {
        return Err(de::Error::custom(format_args!(
            "the time {far} is out of reach: it would be {} years away; was it meant in milliseconds?",
            far / 31_557_600
        )));
    }
    if end_s <= start_s {
        return Err(de::Error::custom(format_args!("it ends at {end_s}, not after its start {start_s}")));
    }
    let too_fast = |mbps: i64| de::Error::custom(format_args!("`rate` is {mbps} Mbit/s, which is too large"));
    let rate_mbps =
        rate_mbps.map(|r| if r <= 1_000_000_000_000 { Ok(r as u64) } else { Err(too_fast(r)) }).transpose()?;
    if let Some(far) = owlt_s.filter(|owlt| *owlt > NEVER_S) {
        return Err(de::Error::custom(format_args!("`owlt` is {far} s, which is out of reach")));
    }
    let (source, dest) = (node(source, "source")?, node(dest, "dest")?);
    Ok(Entry { source, dest, start_s, end_s, rate_bps: rate_bps.map(|r| r as u64), rate_mbps, owlt_s, unknown })
}

pub(super) fn write(plan: &ContactPlan, options: &WriteOptions) -> Result<Export, WriteError> {
    let mut losses = Vec::new();
    lost_epoch(plan, &mut losses);
    let numbers = numbers(plan, &mut losses)?;
    lost_nodes(plan, plan.contacts.iter(), &mut losses);
    let mut text = String::from("{\n  \"contacts\": [");
    let mut id = 0;
    for contact in &plan.contacts {
        if contact.start < Instant::ZERO {
            let (field, time, limit) =
                ("start", contact.start.to_string(), "HDTN counts from the start of the plan on");
            return Err(WriteError::Time { contact: contact.to_string(), field, time, limit });
        }
        lost_chances(contact, true, true, &mut losses);
        for (start, end, bps, owlt_s) in stretches(contact, options, &mut losses) {
            let (source, dest) = (numbers[&contact.from], numbers[&contact.to]);
            let comma = if id == 0 { "" } else { "," };
            let _ = write!(
                text,
                "{comma}\n    {{ \"contact\": {id}, \"source\": {source}, \"dest\": {dest}, \"startTime\": {start}, \
                 \"endTime\": {end}, \"rateBitsPerSec\": {bps}"
            );
            let _ = match owlt_s {
                Some(owlt_s) => write!(text, ", \"owlt\": {owlt_s} }}"),
                None => write!(text, " }}"),
            };
            id += 1;
        }
    }
    text.push_str("\n  ]\n}\n");
    Ok(Export { text, losses })
}

/// The contacts that a contact becomes: start, end, bit/s (0 without limit), light-seconds.
fn stretches(contact: &Contact, options: &WriteOptions, losses: &mut Vec<Loss>) -> Vec<(i64, i64, u64, Option<u64>)> {
    let (start_s, end_s) = whole_seconds(contact);
    if end_s <= start_s {
        losses.push(Loss::of(contact, "contact", "of less than a whole second", "nothing"));
        return Vec::new();
    }
    for (field, at, second) in [("start", contact.start, start_s), ("end", contact.end, end_s)] {
        if !is_whole_s(at.as_nanos()) && at < Instant::MAX {
            losses.push(Loss::of(contact, field, at, format_args!("{second} s, within the contact")));
        }
    }
    let light = by_seconds(&contact.light_time, start_s, end_s, options.rounding);
    let told: Vec<_> = light
        .iter()
        .map(|(from, to, s)| {
            let end = if *to >= NEVER_S { Instant::MAX } else { at_s(*to).unwrap_or(Instant::MAX) };
            (at_s(*from).unwrap_or(Instant::MAX), end, s.map(|s| Duration::from_secs(s as i64)))
        })
        .collect();
    losses.extend(light_time_loss(contact, &told));
    let mut stretches = Vec::new();
    for (start, end, rate) in contact.rate.spans(contact.start, contact.end) {
        let (from, to) = (ceil_s(start).max(start_s), if end == contact.end { end_s } else { floor_s(end) });
        let bps = match rate {
            Rate::Limited(0) => {
                losses.push(Loss::of(contact, "rate", rate, "nothing: in HDTN 0 means no limit"));
                continue;
            }
            Rate::Limited(bps) if *bps > i64::MAX as u64 => {
                losses.push(Loss::of(contact, "rate", rate, "no limit"));
                0
            }
            rate => rate.bps().unwrap_or(0),
        };
        if from >= to {
            losses.push(Loss::of(contact, "rate", rate, "nothing: it lasts less than a whole second"));
        }
        let first = light.partition_point(|span| span.1 <= from);
        let within = light[first..].iter().take_while(|span| span.0 < to);
        stretches.extend(within.map(|span| (span.0.max(from), span.1.min(to), bps, span.2)).filter(|s| s.0 < s.1));
    }
    if !contact.rate.changes.is_empty() {
        let rates: Vec<String> = contact.rate.values().map(Rate::to_string).collect();
        losses.push(Loss::of(contact, "rate", some_of(&rates), "a contact each, within whole seconds"));
    }
    if stretches.len() > 1 {
        losses.push(Loss::of(contact, "contact", "one", format_args!("{} that follow each other", stretches.len())));
    }
    stretches
}
