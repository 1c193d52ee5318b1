//! Writing ionrc.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use farlink_units::{Duration, Instant};

use super::super::cut::{Seconds, by_seconds, light_time_loss, whole_seconds};
use super::super::{Export, Loss, NEVER_S, WriteError, WriteOptions, lost_chances, lost_epoch, lost_nodes, numbers};
use super::{LAST, MAX_BYTES_PER_S};
use crate::calendar::{at_s, ceil_s, floor_s, is_whole_s, time, to_unix};
use crate::{Contact, ContactPlan, Rate};

/// A line of `a contact`.
struct Line {
    start_s: i64,
    end_s: i64,
    from: u64,
    to: u64,
    bytes_per_s: u64,
    confidence: f64,
}

/// Whole light-seconds of each direction during its contacts, by whole seconds.
type Ranges = BTreeMap<(u64, u64), Vec<Seconds>>;

pub(in super::super) fn write(plan: &ContactPlan, options: &WriteOptions) -> Result<Export, WriteError> {
    let mut losses = Vec::new();
    let times = Times::new(plan, options, &mut losses)?;
    let numbers = numbers(plan, &mut losses)?;
    lost_nodes(plan, plan.contacts.iter(), &mut losses);
    let mut lines = Vec::new();
    let mut ranges = Ranges::new();
    for contact in &plan.contacts {
        let nodes = (numbers[&contact.from], numbers[&contact.to]);
        times.check(contact)?;
        contact_lines(contact, nodes, &mut lines, &mut losses);
        lost_chances(contact, false, true, &mut losses);
        contact_ranges(contact, nodes, options, &mut ranges, &mut losses);
    }
    let ranges = range_lines(&ranges, &mut losses);

    let mut text = times.head();
    for line in &keep_apart(lines, &mut losses) {
        let Line { from, to, bytes_per_s, confidence, .. } = line;
        let (start, end) = (times.text(line.start_s), times.text(line.end_s));
        let _ = write!(text, "a contact {start} {end} {from} {to} {bytes_per_s}");
        let _ = if *confidence < 1.0 { writeln!(text, " {confidence}") } else { writeln!(text) };
    }
    for (start, end, from, to, owlt) in ranges {
        let _ = writeln!(text, "a range {} {} {from} {to} {owlt}", times.text(start), times.text(end));
    }
    Ok(Export { text, losses })
}

/// How times are written.
struct Times {
    zero: Option<hifitime::Epoch>,
    /// Whether times are written by the calendar.
    calendar: bool,
    /// The reference time, if the epoch is told.
    reference: Option<String>,
}

impl Times {
    fn new(plan: &ContactPlan, options: &WriteOptions, losses: &mut Vec<Loss>) -> Result<Self, WriteError> {
        if options.calendar && plan.epoch.is_none() {
            return Err(WriteError::NoEpoch);
        }
        let fields = plan.epoch.and_then(|zero| time(Instant::ZERO, zero));
        // ION's clock has no fractions of a second, so that an epoch with one cannot be its reference.
        let reference = fields.filter(|f| f.6 == 0 && *f < LAST && f.0 >= 1970);
        if plan.epoch.is_some() && reference.is_none() {
            if options.calendar {
                return Err(WriteError::NoEpoch);
            }
            lost_epoch(plan, losses);
        }
        let zero = plan.epoch.filter(|_| reference.is_some());
        Ok(Times { zero, calendar: options.calendar, reference: reference.map(ion_time) })
    }

    fn head(&self) -> String {
        // The reference stands there for calendar times too: it is the epoch of the plan.
        self.reference.as_ref().map_or_else(String::new, |reference| format!("@ {reference}\n"))
    }

    fn check(&self, contact: &Contact) -> Result<(), WriteError> {
        let refuse = |field, at: Instant, limit| {
            Err(WriteError::Time { contact: contact.to_string(), field, time: at.to_string(), limit })
        };
        if contact.start < Instant::ZERO {
            return refuse("start", contact.start, "ION counts from the reference time on");
        }
        let Some(zero) = self.zero else { return Ok(()) };
        for (field, at) in [("start", contact.start), ("end", contact.end)] {
            let never = field == "end" && at == Instant::MAX;
            if !never && time(at, zero).is_none_or(|fields| fields >= LAST) {
                return refuse(field, at, "ION's clock ends on 2038-01-18");
            }
        }
        Ok(())
    }

    fn text(&self, second: i64) -> String {
        if second >= NEVER_S {
            return ion_time(LAST);
        }
        let fields = |second| self.zero.and_then(|zero| time(at_s(second).unwrap_or(Instant::MAX), zero));
        match (fields(second), fields(0)) {
            (Some(fields), _) if self.calendar => ion_time(fields),
            // ION's seconds are those of POSIX, which leave leap seconds out.
            (Some(fields), Some(zero)) => format!("+{}", to_unix(fields) - to_unix(zero)),
            _ => format!("+{second}"),
        }
    }
}

fn ion_time((year, month, day, hour, minute, second, _): crate::calendar::Fields) -> String {
    format!("{year:04}/{month:02}/{day:02}-{hour:02}:{minute:02}:{second:02}")
}

fn contact_lines(contact: &Contact, (from, to): (u64, u64), lines: &mut Vec<Line>, losses: &mut Vec<Loss>) {
    let (start_s, end_s) = whole_seconds(contact);
    if end_s <= start_s {
        losses.push(Loss::of(contact, "contact", "of less than a whole second", "nothing"));
        return;
    }
    let mut rounded = |field, at: Instant, second: i64| {
        if !is_whole_s(at.as_nanos()) {
            losses.push(Loss::of(contact, field, at, format_args!("{second} s, within the contact")));
        }
    };
    rounded("start", contact.start, start_s);
    if contact.end < Instant::MAX {
        rounded("end", contact.end, end_s);
    }
    if !contact.rate.changes.is_empty() {
        let rates: Vec<String> = contact.rate.values().map(Rate::to_string).collect();
        let written = format_args!("a contact each, within whole seconds");
        losses.push(Loss::of(contact, "rate", super::super::error::some_of(&rates), written));
    }
    for (start, end, rate) in contact.rate.spans(contact.start, contact.end) {
        let (start_s, end_s) = (ceil_s(start).max(start_s), if end == contact.end { end_s } else { floor_s(end) });
        if start_s >= end_s {
            losses.push(Loss::of(contact, "rate", rate, "nothing: it lasts less than a whole second"));
            continue;
        }
        if let Some(bytes_per_s) = bytes_per_s(contact, *rate, losses) {
            lines.push(Line { start_s, end_s, from, to, bytes_per_s, confidence: contact.confidence.get() });
        }
    }
    if contact.confidence.get() == 0.0 {
        losses.push(Loss::of(contact, "confidence", 0, "0, with which ION never uses it"));
    }
}

/// The rate in ION's unit; none if it is too low to be told.
fn bytes_per_s(contact: &Contact, rate: Rate, losses: &mut Vec<Loss>) -> Option<u64> {
    let exact = rate.bps().unwrap_or(u64::MAX);
    let bytes = (exact / 8).min(MAX_BYTES_PER_S);
    if bytes == 0 {
        losses.push(Loss::of(contact, "rate", rate, "nothing: ION has no rate below a byte per second"));
        return None;
    }
    if rate.bps() != Some(bytes * 8) {
        losses.push(Loss::of(contact, "rate", rate, format_args!("{bytes} bytes/s")));
    }
    Some(bytes)
}

/// ION takes contacts that touch for overlapping ones and ignores the second: the first ends a second earlier.
fn keep_apart(mut lines: Vec<Line>, losses: &mut Vec<Loss>) -> Vec<Line> {
    lines.sort_by_key(|line| (line.from, line.to, line.start_s));
    for next in 1..lines.len() {
        let (Line { from, to, start_s, .. }, line) = (&lines[next], &lines[next - 1]);
        if (line.from, line.to, line.end_s) == (*from, *to, *start_s) {
            losses.push(Loss {
                contact: Some(format!("ipn:{from}.0 → ipn:{to}.0 from {} s", line.start_s)),
                field: "end",
                was: format!("{start_s} s, when the next contact starts"),
                written: format!("{} s: ION ignores a contact that touches another", start_s - 1),
            });
            lines[next - 1].end_s -= 1;
        }
    }
    lines.retain(|line| line.start_s < line.end_s);
    lines.sort_by_key(|line| (line.start_s, line.end_s, line.from, line.to));
    lines
}

fn contact_ranges(
    contact: &Contact,
    nodes: (u64, u64),
    options: &WriteOptions,
    ranges: &mut Ranges,
    losses: &mut Vec<Loss>,
) {
    let (start_s, end_s) = whole_seconds(contact);
    let spans = by_seconds(&contact.light_time, start_s, end_s, options.rounding);
    let at = |second| if second >= NEVER_S { Instant::MAX } else { at_s(second).unwrap_or(Instant::MAX) };
    let told: Vec<_> =
        spans.iter().map(|(from, to, s)| (at(*from), at(*to), s.map(|s| Duration::from_secs(s as i64)))).collect();
    losses.extend(light_time_loss(contact, &told));
    ranges.entry(nodes).or_default().extend(spans);
}

/// Start, end, one node, the other node, light-seconds.
type RangeLine = (i64, i64, u64, u64, u64);

/// The commands that give each direction its light time. The two directions of a pair are cut at the same instants, since a range of
/// the other direction overrides the implied one only if it begins with it.
fn range_lines(ranges: &Ranges, losses: &mut Vec<Loss>) -> Vec<RangeLine> {
    let pairs: BTreeSet<(u64, u64)> = ranges.keys().map(|(a, b)| (*a.min(b), *a.max(b))).collect();
    let mut lines: Vec<RangeLine> = Vec::new();
    for (low, high) in pairs {
        let none = Vec::new();
        let [there, back] = [(low, high), (high, low)].map(|nodes| ranges.get(&nodes).unwrap_or(&none));
        // What the next stretch may prolong: the same light times with nothing between.
        let mut before: Option<(i64, [Option<u64>; 2], usize)> = None;
        for (start, end, values) in stretches(there, back) {
            // Where only the way back is used, the symmetric form says the same and reads easier.
            let [there, back] = match values {
                [None, Some(back)] => [back, back],
                [there, back] => [there.flatten(), back.flatten()],
            };
            if let ([Some(Some(_)), Some(None)], Some(owlt)) = (values, there) {
                losses.push(Loss {
                    contact: Some(format!("ipn:{high}.0 → ipn:{low}.0 from {start} s")),
                    field: "light time",
                    was: "unknown".to_owned(),
                    written: format!("{owlt} s, as the other direction implies"),
                });
            }
            if let Some((until, same, count)) = &mut before
                && (*until, *same) == (start, [there, back])
            {
                *until = end;
                let last = lines.len();
                lines[last - *count..].iter_mut().for_each(|line| line.1 = end);
                continue;
            }
            let count = lines.len();
            lines.extend(there.map(|owlt| (start, end, low, high, owlt)));
            lines.extend(back.filter(|_| back != there).map(|owlt| (start, end, high, low, owlt)));
            before = Some((end, [there, back], lines.len() - count));
        }
    }
    lines.sort_by_key(|line| line.0);
    lines
}

/// Start, end, and what either direction has there.
type Stretch = (i64, i64, [Option<Option<u64>>; 2]);

/// Both directions cut at the instants of either. A direction is `None` outside of its contacts, and `Some(None)` where it has one
/// whose light time is not known.
fn stretches(there: &[Seconds], back: &[Seconds]) -> Vec<Stretch> {
    let cuts: BTreeSet<i64> = there.iter().chain(back).flat_map(|span| [span.0, span.1]).collect();
    let cuts: Vec<i64> = cuts.into_iter().collect();
    let mut sides = [there.iter().peekable(), back.iter().peekable()];
    let mut stretches = Vec::with_capacity(cuts.len());
    for cut in cuts.windows(2) {
        let (start, end) = (cut[0], cut[1]);
        let values = sides.each_mut().map(|side| {
            while side.next_if(|span| span.1 <= start).is_some() {}
            side.peek().filter(|span| span.0 <= start).map(|span| span.2)
        });
        if values != [None, None] {
            stretches.push((start, end, values));
        }
    }
    stretches
}
