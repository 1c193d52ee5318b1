//! Contacts that the file lists.

use farlink_units::Instant;

use crate::check::{Notes, Run};
use crate::file::{ContactEntry, ContactsEntry};
use crate::located::At;

/// Start and end of each contact, in order of time.
pub(super) fn check(entry: &At<ContactsEntry>, run: Run, notes: &mut Notes) -> Option<Vec<(Instant, Instant)>> {
    let entries = match &entry.value {
        ContactsEntry::Always => return Some(vec![(Instant::ZERO, Instant::MAX)]),
        ContactsEntry::Word(word) => {
            let help = "write `always`, or a list as in `[{ start: 0 s, end: 600 s }]`";
            notes.error(entry.position, format!("`{word}` is no list of contacts"), help);
            return None;
        }
        ContactsEntry::List(entries) => entries,
    };
    if entries.is_empty() {
        notes.error(
            entry.position,
            "a link without contacts carries nothing",
            "write `always`, or at least one contact",
        );
    }
    let mut contacts = Some(Vec::new());
    let mut last: Option<(Instant, Instant)> = None;
    for entry in entries {
        let contact = contact(entry, last, run, notes);
        last = contact.or(last);
        match (contact, &mut contacts) {
            (Some(contact), Some(all)) => all.push(contact),
            _ => contacts = None,
        }
    }
    contacts
}

fn contact(
    At { value: entry, position }: &At<ContactEntry>,
    last: Option<(Instant, Instant)>,
    run: Run,
    notes: &mut Notes,
) -> Option<(Instant, Instant)> {
    let start = notes.need_read(&entry.start, *position, "start: 0 s");
    let end = notes.need_read(&entry.end, *position, "end: 600 s");
    let (start, end) = (start?.instant(run.epoch?), end?.instant(run.epoch?));
    let start_at = entry.start.as_ref().map_or(*position, |text| text.position);
    if start < Instant::ZERO {
        notes.error(
            start_at,
            "this contact starts before the epoch",
            "the run starts at the epoch: begin the contact there",
        );
    }
    if end <= start {
        let end_at = entry.end.as_ref().map_or(*position, |text| text.position);
        let message = format!("this contact ends at {end}, but starts at {start}");
        notes.error(end_at, message, "a contact ends after it starts");
        return None;
    }
    if let Some((last_start, last_end)) = last {
        if start < last_start {
            notes.error(
                start_at,
                "this contact starts before the one above it",
                "list the contacts in the order of time",
            );
        } else if start < last_end {
            let message = format!("this contact starts at {start}, but the one above it lasts until {last_end}");
            notes.error(start_at, message, "make them one contact, or start this one later");
        }
    }
    if let Some(duration) = run.duration {
        let over = Instant::ZERO + duration;
        if start >= over {
            notes.warning(
                start_at,
                format!("the run ends at {over}, before this contact"),
                "make the run longer, or remove it",
            );
        } else if end > over {
            let end_at = entry.end.as_ref().map_or(*position, |text| text.position);
            notes.warning(end_at, format!("the run ends at {over}, within this contact"), "the rest of it is not used");
        }
    }
    Some((start, end))
}
