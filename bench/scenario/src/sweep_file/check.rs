//! From the shape of a sweep file to a [`Sweep`]: checks values, and notes every problem on the way.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::str::FromStr;

use farlink_units::{BitRate, Duration, Ratio, Size};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::entries::{HopsEntry, LtpEntry, ProcessEntry, SweepFile, TcpEntry};
use super::model::{HopsSweep, Link, LtpSweep, ProcessSweep, Sweep, SweepKind, TcpSweep, Workload};
use crate::located::{At, Text, Wrong};
use crate::model::SourceText;
use crate::notes::Notes;
use crate::problem::{FileError, Position, START};
use crate::values::{Count, Number};

const DEFAULT_REPEAT: Count = Count(10);
const REPEATS: RangeInclusive<u64> = 1..=10_000;
/// From the room for a header to what a UDP datagram carries over IPv4.
const SEGMENTS: RangeInclusive<u64> = 128..=65_507;
const DEFAULT_SEGMENT: u64 = 1360;
const BUNDLES: RangeInclusive<u64> = 1..=1 << 30;
const DEFAULT_BUNDLE: u64 = 64 << 10;
const AMOUNTS: RangeInclusive<u64> = 1..=1 << 32;
const ASYMMETRIES: RangeInclusive<f64> = 0.001..=1e6;
const LOADS: RangeInclusive<f64> = 0.001..=10.0;
const HOPS: RangeInclusive<u64> = 1..=30;
const FRAME_LOSSES: RangeInclusive<f64> = 0.0..=0.5;
const MESSAGES: RangeInclusive<u64> = 1..=1_000_000;
/// What Internet hosts use unless told otherwise (RFC 9438).
const DEFAULT_CONGESTION_CONTROL: &str = "cubic";
const DEFAULT_TOLERANCE: Duration = Duration::from_millis(5);
/// Half of all bits wrong is noise; far below that nothing arrives.
const ERRORS: RangeInclusive<f64> = 0.0..=0.01;
const MAX_POINTS: usize = 10_000;
/// Light takes less than a day to the farthest spacecraft; ten are a mistake.
const MAX_DELAY: Duration = Duration::from_secs(10 * 86_400);

/// A value, or the word `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrNone<T>(pub Option<T>);

impl<T: FromStr> FromStr for OrNone<T>
where
    T::Err: Into<Wrong>,
{
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        if text == "none" { Ok(OrNone(None)) } else { text.parse().map(|v| OrNone(Some(v))).map_err(Into::into) }
    }
}

impl<T: JsonSchema> JsonSchema for OrNone<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrNone", T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [T::json_schema(generator), { "const": "none" }] })
    }
}

/// A congestion control, by the name that Linux has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Algorithm(pub String);

impl FromStr for Algorithm {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        // Linux has at most 15 octets for a name (TCP_CA_NAME_MAX).
        let sound = (1..=15).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        sound.then(|| Algorithm(text.to_owned())).ok_or_else(|| {
            Wrong::new(
                format!("`{text}` is no name of a congestion control"),
                "write it as Linux does, as in `cubic` or `bbr`",
            )
        })
    }
}

impl JsonSchema for Algorithm {
    fn schema_name() -> Cow<'static, str> {
        "Algorithm".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9_-]{0,14}$" })
    }
}

/// Makes a sweep of `file`.
pub(super) fn check(file: &SweepFile, source: &SourceText) -> Result<Sweep, FileError> {
    let mut notes = Notes::default();
    match sweep(file, &mut notes) {
        Some(sweep) if notes.errors.is_empty() => Ok(sweep),
        _ => Err(FileError::new(source, notes.errors)),
    }
}

fn sweep(file: &SweepFile, notes: &mut Notes) -> Option<Sweep> {
    let name = notes.need(&file.sweep, START, "sweep: NAME");
    if let Some(name) = name {
        notes.name(name);
    }
    let seed = notes.read_or(&file.seed, Count(1));
    let repeat = notes.read_or(&file.repeat, DEFAULT_REPEAT);
    if let (Some(repeat), Some(text)) = (repeat, &file.repeat)
        && !REPEATS.contains(&repeat.0)
    {
        notes.error(text.position, format!("{} repetitions are out of range", repeat.0), "from 1 to 10000");
    }
    let given = [
        file.ltp.as_ref().map(|e| e.position),
        file.hops.as_ref().map(|e| e.position),
        file.tcp.as_ref().map(|e| e.position),
        file.processes.as_ref().map(|e| e.position),
    ];
    let mut given = given.into_iter().flatten();
    let first = given.next();
    if first.is_none() {
        notes.error(START, "nothing is measured", "add one of `ltp:`, `hops:`, `tcp:` and `processes:`");
    }
    if let Some(second) = given.next() {
        notes.error(
            second,
            "a sweep measures one thing",
            "split the file: one of `ltp`, `hops`, `tcp`, `processes` in each",
        );
    }
    let kind = if let Some(entry) = &file.ltp {
        ltp(entry, notes).map(SweepKind::Ltp)
    } else if let Some(entry) = &file.hops {
        hops(entry, notes).map(SweepKind::Hops)
    } else if let Some(entry) = &file.tcp {
        tcp(entry, notes).map(SweepKind::Tcp)
    } else if let Some(entry) = &file.processes {
        processes(entry, notes).map(SweepKind::Processes)
    } else {
        None
    };
    let name = &name?.value;
    Some(Sweep {
        name: name.clone(),
        title: file.title.as_ref().map_or(name.clone(), |title| title.value.clone()),
        seed: seed?.0,
        repeat: u32::try_from(repeat?.0).ok()?,
        kind: kind?,
    })
}

/// The values of an axis. One without a value, and one with a value twice, is a mistake.
fn axis<T: Clone, V: Clone + PartialEq>(
    field: &Option<At<Vec<Text<T>>>>,
    default: &[V],
    notes: &mut Notes,
    mut take: impl FnMut(T) -> Result<V, (String, &'static str)>,
) -> Option<Vec<V>> {
    let Some(At { value: texts, position }) = field else { return Some(default.to_vec()) };
    if texts.is_empty() {
        notes.error(*position, "the list is empty", "write at least one value");
        return None;
    }
    let mut values: Vec<V> = Vec::new();
    let mut sound = true;
    for text in texts {
        let Some(value) = notes.read(text) else {
            sound = false;
            continue;
        };
        match take(value) {
            Ok(value) if values.contains(&value) => {
                notes.error(text.position, "the value stands twice", "remove one of the two: a point is measured once");
                sound = false;
            }
            Ok(value) => values.push(value),
            Err((message, help)) => {
                notes.error(text.position, message, help);
                sound = false;
            }
        }
    }
    sound.then_some(values)
}

fn number(
    what: &'static str,
    range: RangeInclusive<f64>,
    help: &'static str,
) -> impl FnMut(f64) -> Result<f64, (String, &'static str)> {
    move |value| {
        if range.contains(&value) { Ok(value) } else { Err((format!("{what} of {value} is out of range"), help)) }
    }
}

fn size(
    what: &'static str,
    range: RangeInclusive<u64>,
    help: &'static str,
) -> impl FnMut(Size) -> Result<Size, (String, &'static str)> {
    move |value| {
        if range.contains(&value.bytes()) {
            Ok(value)
        } else {
            Err((format!("{what} of {value} is out of range"), help))
        }
    }
}

fn light_times(field: &Option<At<Vec<Text<Duration>>>>, owner: Position, notes: &mut Notes) -> Option<Vec<Duration>> {
    notes.need(field, owner, "light_time: [1 s]")?;
    axis(field, &[], notes, |value| {
        if value <= MAX_DELAY {
            Ok(value)
        } else {
            Err((format!("a light time of {value} is out of range"), "at most 10 d"))
        }
    })
}

struct LinkFields<'a> {
    light_time: &'a Option<At<Vec<Text<Duration>>>>,
    ber: &'a Option<At<Vec<Text<Ratio>>>>,
    rate: &'a Option<Text<BitRate>>,
    asymmetry: &'a Option<At<Vec<Text<Number>>>>,
}

fn link(fields: &LinkFields<'_>, owner: Position, notes: &mut Notes) -> Option<Link> {
    let light_time = light_times(fields.light_time, owner, notes);
    let mut errors = number("a bit error ratio", ERRORS, "from 0 to 0.01");
    let ber = axis(fields.ber, &[0.0], notes, |ratio: Ratio| errors(ratio.get()));
    let rate = notes.need_read(fields.rate, owner, "rate: 1 Mbit/s");
    let mut asymmetries = number("an asymmetry", ASYMMETRIES, "rate out over rate back, from 0.001 to 1000000");
    let asymmetry = axis(fields.asymmetry, &[1.0], notes, |ratio: Number| asymmetries(ratio.0));
    if let (Some(rate), Some(ratios), Some(At { position, .. })) = (rate, &asymmetry, fields.asymmetry)
        && ratios.iter().any(|ratio| (rate.bps() as f64 / ratio) < 1.0)
    {
        notes.error(
            *position,
            "less than 1 bit/s is left for the way back",
            "choose a smaller ratio, or a higher `rate`",
        );
    }
    Some(Link { light_time: light_time?, ber: ber?, rate: rate?, asymmetry: asymmetry? })
}

fn segments(field: &Option<At<Vec<Text<Size>>>>, notes: &mut Notes) -> Option<Vec<Size>> {
    axis(field, &[Size::from_bytes(DEFAULT_SEGMENT)], notes, size("a segment", SEGMENTS, "from 128 B to 65507 B"))
}

fn amount(text: &Text<Size>, notes: &mut Notes) -> Option<Size> {
    let amount = notes.read(text)?;
    if AMOUNTS.contains(&amount.bytes()) {
        return Some(amount);
    }
    notes.error(text.position, format!("an amount of {amount} is out of range"), "from 1 B to 4 GiB");
    None
}

fn ltp(At { value: entry, position }: &At<LtpEntry>, notes: &mut Notes) -> Option<LtpSweep> {
    let LtpEntry { light_time, ber, rate, asymmetry, .. } = entry;
    let link = link(&LinkFields { light_time, ber, rate, asymmetry }, *position, notes);
    let segment = segments(&entry.segment, notes);
    let mut bundles = size("a bundle", BUNDLES, "from 1 B to 1 GiB");
    let bundle = axis(&entry.bundle, &[Size::from_bytes(DEFAULT_BUNDLE)], notes, &mut bundles);
    let mut blocks = size("a block", BUNDLES, "from 1 B to 1 GiB, or `none`");
    let block = axis(&entry.block, &[None], notes, |OrNone(size)| size.map(&mut blocks).transpose());
    let sessions = axis(&entry.sessions, &[None], notes, |OrNone(count)| match count {
        Some(Count(0)) => Err(("no session at all carries nothing".to_owned(), "1 at least, or `none` for no limit")),
        count => Ok(count.map(|count| count.0)),
    });
    let workload = match (&entry.amount, &entry.load) {
        (Some(text), None) => {
            if let Some(span) = &entry.span {
                notes.error(
                    span.position,
                    "an `amount` is sent at once",
                    "remove `span`, or write `load` for `amount`",
                );
            }
            amount(text, notes).map(Workload::Amount)
        }
        (None, Some(_)) => {
            let mut loads = number("a load", LOADS, "a share of what the link can carry, from 0.001 to 10");
            let shares = axis(&entry.load, &[], notes, |share: Number| loads(share.0));
            let span = notes.need_read(&entry.span, *position, "span: 10 min");
            Some(Workload::Load { shares: shares?, span: span? })
        }
        (Some(_), Some(At { position, .. })) => {
            notes.error(*position, "both `amount` and `load` say what is sent", "remove one of them");
            None
        }
        (None, None) => {
            notes.error(
                *position,
                "nothing says what is sent",
                "add `amount: 1 MB`, or `load: [0.5]` with `span: 10 min`",
            );
            None
        }
    };
    let sweep = LtpSweep {
        link: link?,
        segment: segment?,
        bundle: bundle?,
        block: block?,
        sessions: sessions?,
        workload: workload?,
    };
    let loads = match &sweep.workload {
        Workload::Amount(_) => 1,
        Workload::Load { shares, .. } => shares.len(),
    };
    let axes = [
        sweep.link.light_time.len(),
        sweep.link.ber.len(),
        sweep.link.asymmetry.len(),
        sweep.segment.len(),
        sweep.bundle.len(),
        sweep.block.len(),
        sweep.sessions.len(),
        loads,
    ];
    let points: usize = axes.iter().product();
    if points > MAX_POINTS {
        notes.error(
            *position,
            format!("{points} points are too many"),
            format!("at most {MAX_POINTS}: shorten a list"),
        );
    }
    Some(sweep)
}

fn hops(At { value: entry, position }: &At<HopsEntry>, notes: &mut Notes) -> Option<HopsSweep> {
    notes.need(&entry.hops, *position, "hops: [4, 10, 20]");
    notes.need(&entry.frame_loss, *position, "frame_loss: [0.3]");
    let hops = axis(&entry.hops, &[], notes, |Count(hops)| {
        if HOPS.contains(&hops) { Ok(hops) } else { Err((format!("{hops} hops are out of range"), "from 1 to 30")) }
    });
    let mut losses = number("a frame loss", FRAME_LOSSES, "from 0 to 0.5");
    let frame_loss = axis(&entry.frame_loss, &[], notes, |ratio: Ratio| losses(ratio.get()));
    let messages = notes.need_read(&entry.messages, *position, "messages: 100");
    if let (Some(Count(messages)), Some(text)) = (messages, &entry.messages)
        && !MESSAGES.contains(&messages)
    {
        notes.error(text.position, format!("{messages} messages are out of range"), "from 1 to 1000000");
    }
    Some(HopsSweep { hops: hops?, frame_loss: frame_loss?, messages: messages?.0 })
}

/// How late frames may leave the emulator.
fn tolerance(field: &Option<Text<Duration>>, notes: &mut Notes) -> Option<Duration> {
    let tolerance = notes.read_or(field, DEFAULT_TOLERANCE);
    if let (Some(Duration::ZERO), Some(text)) = (tolerance, field) {
        notes.error(text.position, "nothing is late by 0 s at most", "give a tolerance above 0 s, as in `5 ms`");
    }
    tolerance
}

fn tcp(At { value: entry, position }: &At<TcpEntry>, notes: &mut Notes) -> Option<TcpSweep> {
    let TcpEntry { light_time, ber, rate, .. } = entry;
    let link = link(&LinkFields { light_time, ber, rate, asymmetry: &None }, *position, notes);
    let span = notes.need_read(&entry.span, *position, "span: 30 s");
    if let (Some(span), Some(text)) = (span, &entry.span)
        && !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&span)
    {
        notes.error(text.position, format!("a span of {span} is out of range"), "from 1 s to 1 h");
    }
    let default = [DEFAULT_CONGESTION_CONTROL.to_owned()];
    let congestion_control = axis(&entry.congestion_control, &default, notes, |Algorithm(name)| Ok(name));
    let tolerance = tolerance(&entry.tolerance, notes);
    Some(TcpSweep { link: link?, span: span?, congestion_control: congestion_control?, tolerance: tolerance? })
}

fn processes(At { value: entry, position }: &At<ProcessEntry>, notes: &mut Notes) -> Option<ProcessSweep> {
    let ProcessEntry { light_time, ber, rate, asymmetry, .. } = entry;
    let link = link(&LinkFields { light_time, ber, rate, asymmetry }, *position, notes);
    let segment = segments(&entry.segment, notes);
    let amount = notes.need(&entry.amount, *position, "amount: 1 MB").and_then(|text| amount(text, notes));
    let mut command = |field: &Option<At<Vec<At<String>>>>, example: &str| {
        let At { value, position } = notes.need(field, *position, example)?;
        if value.is_empty() {
            notes.error(
                *position,
                "the command is empty",
                format!("write the program and its arguments, as in `{example}`"),
            );
            return None;
        }
        Some(value.iter().map(|word| word.value.clone()).collect())
    };
    let sender = command(&entry.sender, "sender: [\"{farlink}\", node, …]");
    let receiver = command(&entry.receiver, "receiver: [\"{farlink}\", node, …]");
    let tolerance = tolerance(&entry.tolerance, notes);
    let deadline = notes.read_or(&entry.deadline, Duration::from_secs(60));
    Some(ProcessSweep {
        link: link?,
        segment: segment?,
        amount: amount?,
        sender: sender?,
        receiver: receiver?,
        tolerance: tolerance?,
        deadline: deadline?,
    })
}
