//! Writing graphs.

use std::collections::BTreeMap;
use std::fmt::Write;

use farlink_units::{Instant, Ratio};

use super::super::cut::{Flat, flat, light_time_loss};
use super::super::json::string;
use super::super::{Export, Loss, NEVER_S, WriteError, WriteOptions, lost_chances, lost_epoch};
use crate::calendar::{at_seconds, seconds};
use crate::{Contact, ContactPlan, NodeId, Rate};

/// What stands for no limit: more than any link carries.
const UNLIMITED_BPS: u64 = 1_000_000_000_000;

/// Writes contacts that happen if their errors are known and they are certain, and predicted ones otherwise.
pub(in super::super) fn write(plan: &ContactPlan, options: &WriteOptions) -> Result<Export, WriteError> {
    let mut losses = Vec::new();
    lost_epoch(plan, &mut losses);
    let certain = plan.contacts.iter().all(|c| c.confidence.get() == 1.0);
    let factual = certain && plan.contacts.iter().any(|c| c.bit_error_rate.is_some());

    let mut neighbours: BTreeMap<&NodeId, Vec<&NodeId>> = plan.nodes.iter().map(|n| (n, Vec::new())).collect();
    for (from, to) in plan.directions() {
        neighbours.entry(from).or_default().push(to);
    }
    let mut text = String::from("{\n  \"vertices\": {");
    for (index, (node, to)) in neighbours.iter().enumerate() {
        let to: Vec<String> = to.iter().map(|n| string(n.as_str())).collect();
        let _ = write!(text, "{}\n    {}: [{}]", comma(index), string(node.as_str()), to.join(", "));
    }
    text.push_str("\n  },\n  \"edges\": [");
    let mut edges: BTreeMap<(&NodeId, &NodeId), Vec<&Contact>> = BTreeMap::new();
    for contact in &plan.contacts {
        edges.entry((&contact.from, &contact.to)).or_default().push(contact);
    }
    for (index, ((from, to), contacts)) in edges.iter().enumerate() {
        let nodes = format!("{}, {}", string(from.as_str()), string(to.as_str()));
        let _ = write!(text, "{}\n    {{ \"vertices\": [{nodes}], \"contacts\": [", comma(index));
        for (index, contact) in contacts.iter().enumerate() {
            let _ =
                write!(text, "{}\n      [{nodes}, {}]", comma(index), parts(contact, factual, options, &mut losses)?);
        }
        text.push_str("\n    ] }");
    }
    let kind = if factual { "Contact_v2" } else { "PredictedContact_v2" };
    let _ = writeln!(text, "\n  ],\n  \"contact_type\": \"{kind}\"\n}}");
    Ok(Export { text, losses })
}

fn comma(index: usize) -> &'static str {
    if index == 0 { "" } else { "," }
}

/// Start, end and characteristics of a contact.
fn parts(
    contact: &Contact,
    factual: bool,
    options: &WriteOptions,
    losses: &mut Vec<Loss>,
) -> Result<String, WriteError> {
    if contact.start < Instant::ZERO {
        let (field, time, limit) = ("start", contact.start.to_string(), "dtn-tvg-util has no times before 0");
        return Err(WriteError::Time { contact: contact.to_string(), field, time, limit });
    }
    lost_chances(contact, false, !factual, losses);
    let stretches = flat(contact, options.tolerance, factual);
    lost_in_numbers(contact, &stretches, factual, losses);
    let all: Vec<String> = stretches.iter().map(|flat| characteristics(flat, factual)).collect();
    let all = all.join(", ");
    let end = if contact.end == Instant::MAX { NEVER_S.to_string() } else { seconds(contact.end.as_nanos()) };
    let start = seconds(contact.start.as_nanos());
    Ok(match factual {
        true => format!("{start}, {end}, [{all}]"),
        false => format!("{start}, {end}, [[0, {}, [{all}]]]", contact.confidence.get()),
    })
}

fn characteristics(flat: &Flat, factual: bool) -> String {
    let from = seconds(flat.start.as_nanos());
    let bps = flat.rate.bps().unwrap_or(UNLIMITED_BPS);
    let delay = seconds(flat.light_time.unwrap_or_default().as_nanos());
    match factual {
        true => format!("[{from}, {bps}, {}, {delay}]", flat.bit_error_rate.map_or(0.0, Ratio::get)),
        false => format!("[{from}, {bps}, {delay}]"),
    }
}

/// What doubles do not hold, and what has no number at all.
fn lost_in_numbers(contact: &Contact, stretches: &[Flat], factual: bool, losses: &mut Vec<Loss>) {
    let mut time = |field, at: Instant| {
        let text = seconds(at.as_nanos());
        let read = text.parse().ok().and_then(at_seconds);
        if read != Some(at) && at < Instant::MAX {
            let read = read.map_or_else(
                || "nothing".to_owned(),
                |at| format!("{} s, as a double holds it", seconds(at.as_nanos())),
            );
            losses.push(Loss::of(contact, field, format_args!("{text} s"), read));
        }
    };
    time("start", contact.start);
    time("end", contact.end);
    stretches.iter().skip(1).for_each(|flat| time("change", flat.start));
    let mut rates: Vec<Rate> = contact.rate.values().copied().collect();
    rates.sort_unstable();
    rates.dedup();
    for rate in rates {
        match rate.bps() {
            None => losses.push(Loss::of(contact, "rate", rate, format_args!("{UNLIMITED_BPS} bit/s"))),
            Some(bps) if bps as f64 as u64 != bps || bps >= 1_000_000_000_000_000_000 => {
                losses.push(Loss::of(
                    contact,
                    "rate",
                    format_args!("{bps} bit/s"),
                    format_args!("{} bit/s", bps as f64),
                ));
            }
            Some(_) => {}
        }
    }
    if factual && contact.bit_error_rate.is_none() {
        losses.push(Loss::of(contact, "bit error rate", "unknown", 0));
    }
    // A delay is read back through a double too.
    let double = |d: farlink_units::Duration| at_seconds(d.as_secs_f64()).map_or(d, |at| at - Instant::ZERO);
    let told: Vec<_> =
        stretches.iter().map(|f| (f.start, f.end, Some(double(f.light_time.unwrap_or_default())))).collect();
    losses.extend(light_time_loss(contact, &told));
}
