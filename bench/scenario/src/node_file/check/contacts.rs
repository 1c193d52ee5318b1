//! The contact plan.

use farlink_units::{Duration, Ratio};
use farlink_wire::bpv7::Eid;
use hifitime::Epoch;

use super::delay;
use crate::located::{At, Text};
use crate::node_file::entries::ContactEntry;
use crate::node_file::model::{Moment, PlannedContact};
use crate::notes::Notes;
use crate::problem::Position;
use crate::values::When;

/// `known` are the neighbours, if all of them could be read.
pub(super) fn check(
    entries: Option<&At<Vec<At<ContactEntry>>>>,
    node: Option<&Eid>,
    known: Option<&[&Eid]>,
    clock: Option<bool>,
    notes: &mut Notes,
) -> Option<Vec<PlannedContact>> {
    let Some(At { value: entries, position }) = entries else { return Some(Vec::new()) };
    if entries.is_empty() {
        let help = "list a contact, or remove the key";
        notes.warning(*position, "this contact plan has no contact, so the node does not route by it", help);
    }
    let contacts: Vec<_> = entries.iter().map(|entry| contact(entry, node, known, clock, notes)).collect();
    overlaps(entries, &contacts, notes);
    contacts.into_iter().collect()
}

fn contact(
    At { value: entry, position }: &At<ContactEntry>,
    node: Option<&Eid>,
    known: Option<&[&Eid]>,
    clock: Option<bool>,
    notes: &mut Notes,
) -> Option<PlannedContact> {
    let from = notes.need_read(&entry.from, *position, "from: ipn:10.0").map(|id| id.0);
    let to = notes.need_read(&entry.to, *position, "to: ipn:20.0").map(|id| id.0);
    if let (Some(from), Some(to), Some(text)) = (&from, &to, &entry.to) {
        if from == to {
            notes.error(text.position, format!("a contact from `{from}` to itself"), "name another node");
        } else if let (true, Some(known)) = (Some(from) == node, known)
            && !known.contains(&to)
        {
            let message = format!("this node has a contact to `{to}`, which is no neighbour");
            notes.warning(text.position, message, "add it to `neighbours`, or it can only be reached once it connects");
        }
    }
    let times = times(entry, *position, clock, notes);
    let rate = notes.read_opt(&entry.rate);
    let light_time = delay(&entry.light_time, Duration::ZERO, "light time", notes);
    let confidence = match &entry.confidence {
        Some(text) => notes.read(text),
        None => Ratio::new(1.0),
    };
    if let (Some(confidence), Some(text)) = (confidence, &entry.confidence)
        && confidence.get() <= 0.0
    {
        notes.error(
            text.position,
            "a contact with confidence 0 never takes place",
            "above 0 and at most 1, or remove it",
        );
    }
    let (start, end) = times?;
    Some(PlannedContact {
        from: from?,
        to: to?,
        start,
        end,
        rate: rate?,
        light_time: light_time?,
        confidence: confidence?,
    })
}

fn times(
    entry: &ContactEntry,
    position: Position,
    clock: Option<bool>,
    notes: &mut Notes,
) -> Option<(Moment, Option<Moment>)> {
    let start = notes.need(&entry.start, position, "start: 0 s").and_then(|text| moment(text, clock, notes));
    let end = entry.end.as_ref().map(|text| moment(text, clock, notes));
    let start = start?;
    let (Some(end), Some(text)) = (end, &entry.end) else { return Some((start, None)) };
    let end = end?;
    let (before, message) = match (start, end) {
        (Moment::Since(start), Moment::Since(end)) => {
            (start < end, format!("this contact ends at {end}, but starts at {start}"))
        }
        (Moment::Calendar(start), Moment::Calendar(end)) => {
            (start < end, format!("this contact ends at {end}, but starts at {start}"))
        }
        _ => {
            let message = "only one of start and end is a calendar time, so nobody can tell which is first";
            notes.error(text.position, message, "tell both since the start of the node, or both in UTC");
            return None;
        }
    };
    if !before {
        notes.error(text.position, message, "a contact ends after it starts");
        return None;
    }
    Some((start, Some(end)))
}

fn moment(text: &Text<When>, clock: Option<bool>, notes: &mut Notes) -> Option<Moment> {
    match notes.read(text)? {
        When::Since(since) => Some(Moment::Since(since)),
        When::Calendar(time) => {
            if clock == Some(false) {
                let message = "without a clock this node cannot tell when this is";
                notes.error(text.position, message, "tell it since the start of the node, as in `600 s`");
            }
            Some(Moment::Calendar(time))
        }
    }
}

/// Notes contacts that begin while another from and to the same nodes lasts. Times since the start of the node and calendar times
/// cannot be compared before it has started.
fn overlaps(entries: &[At<ContactEntry>], contacts: &[Option<PlannedContact>], notes: &mut Notes) {
    let mut order: Vec<(&PlannedContact, Position)> = contacts
        .iter()
        .zip(entries)
        .filter_map(|(contact, entry)| Some((contact.as_ref()?, at_start(entry))))
        .collect();
    let key = |contact: &PlannedContact| (contact.from.clone(), contact.to.clone(), comparable(contact.start));
    order.sort_by_cached_key(|(contact, position)| (key(contact), *position));
    let mut last: Option<(&PlannedContact, Option<i128>, Position)> = None;
    for (contact, position) in order {
        let (calendar, start) = comparable(contact.start);
        let end = contact.end.map(|end| comparable(end).1);
        if let Some((before, until, other)) = &last
            && (&before.from, &before.to, comparable(before.start).0) == (&contact.from, &contact.to, calendar)
        {
            if until.is_none_or(|until| start < until) {
                let (first, second) = if *other < position { (*other, position) } else { (position, *other) };
                let message = format!(
                    "this contact from `{}` to `{}` overlaps with the one in line {}",
                    contact.from, contact.to, first.line
                );
                notes.error(second, message, "make them one contact, or separate them");
            }
            // What lasts longest is what the next one may overlap with.
            if until.is_none() || end.is_some_and(|end| until.is_some_and(|until| end <= until)) {
                continue;
            }
        }
        last = Some((contact, end, position));
    }
}

fn at_start(entry: &At<ContactEntry>) -> Position {
    entry.value.start.as_ref().map_or(entry.position, |text| text.position)
}

/// Whether it is a calendar time, and nanoseconds on the scale of its kind.
fn comparable(moment: Moment) -> (bool, i128) {
    match moment {
        Moment::Since(since) => (false, since.as_nanos().into()),
        Moment::Calendar(time) => (true, (time - Epoch::from_unix_seconds(0.0)).total_nanoseconds()),
    }
}
