//! Reading graphs.

use std::fmt;

use farlink_units::{Duration, Instant, Ratio};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::error::quote;
use super::super::json::{self, once};
use super::super::{Doubt, Import, MAX_CONTACTS, NEVER_S, Place, ReadError, ReadOptions, ReadProblem, Warning};
use crate::calendar::at_seconds;
use crate::{Contact, ContactPlan, LightTime, NodeId, Rate, Steps};

pub(in super::super) fn read(text: &str, options: &ReadOptions) -> Result<Import, ReadError> {
    let graph: Graph = json::parse(text)?;
    let mut plan = ContactPlan { epoch: options.epoch, ..ContactPlan::default() };
    plan.nodes = graph.vertices.into_iter().collect();
    let mut warnings = Vec::new();
    for (index, entry) in graph.entries.into_iter().enumerate() {
        let mut warn = |doubt| warnings.push(Warning { place: Place::Entry(index), doubt });
        entry.doubts.into_iter().for_each(&mut warn);
        if entry.contact.from == entry.contact.to {
            plan.nodes.insert(entry.contact.from.clone());
            warn(Doubt::Loop { node: entry.contact.from.to_string() });
        } else {
            plan.contacts.push(entry.contact);
        }
    }
    Ok(Import { plan, warnings })
}

struct Graph {
    vertices: Vec<NodeId>,
    entries: Vec<Entry>,
}

/// The kinds of contacts, by the shape of their lists.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Contact,
    ContactV1,
    Predicted,
    PredictedV1,
}

const KINDS: [(&str, Kind); 4] = [
    ("Contact_v2", Kind::Contact),
    ("Contact", Kind::ContactV1),
    ("PredictedContact_v2", Kind::Predicted),
    ("PredictedContact", Kind::PredictedV1),
];

struct Entry {
    kind: Kind,
    contact: Contact,
    doubts: Vec<Doubt>,
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Graph;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with `vertices`, `edges` and `contact_type`")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Graph, A::Error> {
                graph(map)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

fn graph<'de, A: MapAccess<'de>>(mut map: A) -> Result<Graph, A::Error> {
    let (mut vertices, mut edges, mut kind) = (None, None, None);
    while let Some(key) = map.next_key::<String>()? {
        match key.as_str() {
            "vertices" => once(&mut vertices, &key, map.next_value::<Vertices>()?.0)?,
            "edges" => once(&mut edges, &key, map.next_value::<Edges>()?.0)?,
            "contact_type" => once(&mut kind, &key, map.next_value::<String>()?)?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
    }
    let name = kind.ok_or_else(|| de::Error::missing_field("contact_type"))?;
    let unknown = || {
        de::Error::custom(format_args!(
            "`{}` is no contact type: there are Contact_v2 and PredictedContact_v2",
            quote(&name)
        ))
    };
    let kind = KINDS.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?.1;
    let entries = edges.ok_or_else(|| de::Error::missing_field("edges"))?;
    if let Some((index, _)) = entries.iter().enumerate().find(|(_, entry)| entry.kind != kind) {
        return Err(de::Error::custom(format_args!("contact {index} does not have the parts of a {name}")));
    }
    Ok(Graph { vertices: vertices.unwrap_or_default(), entries })
}

struct Vertices(Vec<NodeId>);

impl<'de> Deserialize<'de> for Vertices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Vertices;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a list of neighbours for each vertex")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vertices, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    names.push(NodeId::new(name));
                }
                Ok(Vertices(names))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// So many changes of rate and delay are held in all, a contact's first ones included.
const MAX_CHANGES: usize = 4 * MAX_CONTACTS;
/// So many numbers or lists stand in one list of a contact.
const MAX_ITEMS: usize = 65_536;

struct Edges(Vec<Entry>);

impl<'de> Deserialize<'de> for Edges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Edges;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of edges")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Edges, A::Error> {
                let mut entries: Vec<Entry> = Vec::new();
                let mut changes = 0;
                while let Some(Edge(mut contacts)) = list.next_element()? {
                    changes += contacts.iter().map(|entry| entry.contact.light_time.pieces().len()).sum::<usize>();
                    entries.append(&mut contacts);
                    if entries.len() > MAX_CONTACTS || changes > MAX_CHANGES {
                        return Err(de::Error::custom(ReadProblem::TooMany));
                    }
                }
                Ok(Edges(entries))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

struct Edge(Vec<Entry>);

impl<'de> Deserialize<'de> for Edge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Edge;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an edge with `vertices` and `contacts`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Edge, A::Error> {
                let mut contacts = None;
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        // The nodes stand in each contact again.
                        "contacts" => once(&mut contacts, &key, map.next_value()?)?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                contacts.map(Edge).ok_or_else(|| de::Error::missing_field("contacts"))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = Entry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a contact, as in [\"a\", \"b\", 0, 600, [[0, 1e6, 1e-6, 1.3]]]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entry, A::Error> {
                let missing =
                    |count| de::Error::invalid_length(count, &"at least transmitter, receiver, start and end");
                let Name(from) = list.next_element()?.ok_or_else(|| missing(0))?;
                let Name(to) = list.next_element()?.ok_or_else(|| missing(1))?;
                let start: f64 = list.next_element()?.ok_or_else(|| missing(2))?;
                let end: f64 = list.next_element()?.ok_or_else(|| missing(3))?;
                let mut parts: Vec<Item> = Vec::new();
                while let Some(part) = list.next_element()? {
                    if parts.len() == 3 {
                        return Err(de::Error::invalid_length(8, &"no more than seven parts"));
                    }
                    parts.push(part);
                }
                Building { doubts: Vec::new() }.entry(from, to, start, end, &parts).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_seq(Parts)
    }
}

/// The name of a node; some tools use numbers.
struct Name(NodeId);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a node")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
                Ok(Name(NodeId::new(name)))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Name, E> {
                Ok(Name(NodeId::new(number.to_string())))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// A number, or a list of them.
#[derive(Debug)]
enum Item {
    Number(f64),
    List(Vec<Item>),
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Item;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a list of numbers")
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Item, E> {
                Ok(Item::Number(number))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Item, E> {
                Ok(Item::Number(number as f64))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Item, E> {
                Ok(Item::Number(number as f64))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Item, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() == MAX_ITEMS {
                        return Err(de::Error::invalid_length(MAX_ITEMS + 1, &"no more than 65536 values in a list"));
                    }
                    items.push(item);
                }
                Ok(Item::List(items))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// From an instant on: bit/s, bit error ratio if it is told, delay in seconds.
struct Characteristics {
    from: f64,
    bps: f64,
    bit_error_rate: Option<f64>,
    delay: f64,
}

struct Building {
    doubts: Vec<Doubt>,
}

impl Building {
    fn entry(mut self, from: NodeId, to: NodeId, start: f64, end: f64, parts: &[Item]) -> Result<Entry, String> {
        let times = (instant(start)?, if end >= NEVER_S as f64 { Instant::MAX } else { instant(end)? });
        if times.1 <= times.0 {
            return Err(format!("it ends at {end}, not after its start {start}"));
        }
        let (kind, probability, characteristics) = self.shape(start, end, parts)?;
        let confidence =
            Ratio::new(probability).ok_or_else(|| format!("the probability {probability} is not from 0 to 1"))?;
        let mut contact = Contact::new(from, to, times.0, times.1);
        contact.confidence = confidence;
        self.fill(&mut contact, &characteristics)?;
        // What says the same again is not kept.
        contact.tidy();
        if end < NEVER_S as f64 && end > 315_576_000.0 {
            self.doubts.push(Doubt::FarTime { seconds: end, years: (end / 31_557_600.0).round() });
        }
        Ok(Entry { kind, contact, doubts: self.doubts })
    }

    /// What kind of contact it is, its probability, and what holds from when.
    fn shape(&mut self, start: f64, end: f64, parts: &[Item]) -> Result<(Kind, f64, Vec<Characteristics>), String> {
        let simple = |bps, bit_error_rate, delay| vec![Characteristics { from: start, bps, bit_error_rate, delay }];
        let wrong = || "its parts are those of no contact type".to_owned();
        match parts {
            [] => Ok((Kind::ContactV1, 1.0, simple(0.0, Some(0.0), 0.0))),
            [Item::Number(_), ..] => {
                let value = |index: usize| match parts.get(index) {
                    Some(Item::Number(value)) => Ok(*value),
                    None => Ok(0.0),
                    Some(Item::List(_)) => Err(wrong()),
                };
                Ok((Kind::ContactV1, 1.0, simple(value(0)?, Some(value(1)?), value(2)?)))
            }
            [Item::List(volumes), Item::Number(probability), Item::Number(delay)] => {
                let Some([_, volume]) = volumes.last().and_then(|last| last.numbers()) else { return Err(wrong()) };
                self.generations(volumes.len());
                Ok((Kind::PredictedV1, *probability, simple(volume / (end - start), None, *delay)))
            }
            [Item::List(items)] => match items.last() {
                Some(Item::List(last)) if matches!(last[..], [_, _, Item::List(_)]) => {
                    self.generations(items.len());
                    let [_, Item::Number(probability), Item::List(items)] = &last[..] else { return Err(wrong()) };
                    let all = items.iter().map(|item| {
                        let [from, bps, delay] = item.numbers().ok_or_else(wrong)?;
                        Ok(Characteristics { from, bps, bit_error_rate: None, delay })
                    });
                    Ok((Kind::Predicted, *probability, all.collect::<Result<_, String>>()?))
                }
                _ => {
                    let all = items.iter().map(|item| {
                        let [from, bps, ratio, delay] = item.numbers().ok_or_else(wrong)?;
                        Ok(Characteristics { from, bps, bit_error_rate: Some(ratio), delay })
                    });
                    Ok((Kind::Contact, 1.0, all.collect::<Result<_, String>>()?))
                }
            },
            _ => Err(wrong()),
        }
    }

    fn generations(&mut self, count: usize) {
        if count > 1 {
            self.doubts.push(Doubt::Generations { count });
        }
    }

    fn fill(&mut self, contact: &mut Contact, all: &[Characteristics]) -> Result<(), String> {
        let Some(first) = all.first() else { return Err("it has no rate and no delay".to_owned()) };
        if at_seconds(first.from).is_none_or(|from| from > contact.start) {
            return Err(format!("its first rate and delay hold from {} only, after its start", first.from));
        }
        let mut rates = Steps::constant(self.rate(first.bps)?);
        let mut ratios = first.bit_error_rate.map(ratio).transpose()?.map(Steps::constant);
        let mut delays = vec![(contact.start, self.delay(first.delay)?)];
        let mut before = first.from;
        for next in &all[1..] {
            if next.from < before {
                return Err(format!("the values from {} on stand after those from {before} on", next.from));
            }
            before = next.from;
            let at = instant(next.from)?;
            if at >= contact.end {
                continue;
            }
            let (rate, delay) = (self.rate(next.bps)?, self.delay(next.delay)?);
            if at <= contact.start {
                rates.first = rate;
                delays[0].1 = delay;
            } else {
                rates.changes.push((at, rate));
                match delays.last_mut().filter(|last| last.0 == at) {
                    Some(last) => last.1 = delay,
                    None => delays.push((at, delay)),
                }
            }
            if let (Some(ratios), Some(value)) = (&mut ratios, next.bit_error_rate) {
                ratios.changes.push((at, ratio(value)?));
            }
        }
        contact.rate = rates;
        contact.bit_error_rate = ratios;
        contact.light_time = LightTime::stepped(&delays, contact.end);
        Ok(())
    }

    fn rate(&mut self, bps: f64) -> Result<Rate, String> {
        if !(0.0..1e18).contains(&bps) {
            return Err(format!("the bit rate {bps} is not from 0 to 10^18 bit/s"));
        }
        let whole = bps.floor() as u64;
        if bps.fract() != 0.0 {
            let (text, read) = (bps.to_string(), whole.to_string());
            self.doubts.push(Doubt::Fraction { field: "bit rate", text, program: "a plan", read });
        }
        if (1..8).contains(&whole) {
            self.doubts.push(Doubt::LowRate { rate: whole, unit: "bit/s", other: "Mbit/s" });
        }
        Ok(Rate::Limited(whole))
    }

    fn delay(&mut self, seconds: f64) -> Result<Duration, String> {
        let delay = at_seconds(seconds)
            .filter(|_| seconds >= 0.0)
            .ok_or_else(|| format!("the delay {seconds} is no delay in seconds"))?;
        if seconds > 3600.0 {
            self.doubts.push(Doubt::LongLightTime { seconds, hours: (seconds / 360.0).round() / 10.0 });
        }
        Ok(delay - Instant::ZERO)
    }
}

fn ratio(value: f64) -> Result<Ratio, String> {
    Ratio::new(value).ok_or_else(|| format!("the bit error rate {value} is not from 0 to 1"))
}

fn instant(seconds: f64) -> Result<Instant, String> {
    at_seconds(seconds).filter(|_| seconds >= 0.0).ok_or_else(|| {
        format!("the time {seconds} s is out of reach: a plan begins at 0 and lasts 292 years; was it meant in milliseconds?")
    })
}

impl Item {
    /// A list of so many numbers.
    fn numbers<const N: usize>(&self) -> Option<[f64; N]> {
        let Item::List(items) = self else { return None };
        let items: &[Item; N] = items[..].try_into().ok()?;
        let mut numbers = [0.0; N];
        for (number, item) in numbers.iter_mut().zip(items) {
            let Item::Number(value) = item else { return None };
            *number = *value;
        }
        Some(numbers)
    }
}
