//! Writing contacts as routes.

use std::fmt::Write;

use farlink_units::{Duration, Instant};

use super::super::cut::{Flat, flat, light_time_loss};
use super::super::{Export, Loss, WriteError, WriteOptions, lost_chances, lost_nodes, number};
use super::MAX_DELAY_US;
use super::read::own_pattern;
use crate::calendar::{rfc3339, time};
use crate::{Contact, ContactPlan, NodeId, Rate};

pub(in super::super) fn write(plan: &ContactPlan, options: &WriteOptions) -> Result<Export, WriteError> {
    let local = options.local.as_ref().ok_or(WriteError::NoLocalNode)?;
    let mut losses = Vec::new();
    let mut text = String::new();
    let mut first = None;
    for contact in &plan.contacts {
        if contact.from != *local {
            losses.push(Loss::of(contact, "contact", "of another node", "nothing: the file is of one node"));
            continue;
        }
        let (pattern, eid) = eid(&contact.to, &mut losses)?;
        lost_chances(contact, true, true, &mut losses);
        for stretch in stretches(contact, options, &mut losses) {
            first.get_or_insert(stretch.start);
            let _ = write!(text, "{pattern} via {eid}");
            window(&mut text, plan, contact, &stretch)?;
            if let Some(bps) = stretch.rate.bps() {
                let _ = write!(text, " bandwidth {bps}");
            }
            if let Some(delay) = stretch.light_time {
                let _ = write!(text, " delay {}us", delay.as_nanos() / 1000);
            }
            text.push('\n');
        }
    }
    lost_nodes(plan, plan.contacts.iter().filter(|contact| contact.from == *local), &mut losses);
    if plan.epoch.is_some() && first != Some(Instant::ZERO) {
        let written = "nothing: a reader begins with the first time".to_owned();
        let was = plan.epoch.map(|epoch| epoch.to_string()).unwrap_or_default();
        losses.push(Loss { contact: None, field: "epoch", was, written });
    }
    Ok(Export { text, losses })
}

/// The pattern of all endpoints of a node, and its EID as hardy writes one.
fn eid(node: &NodeId, losses: &mut Vec<Loss>) -> Result<(String, String), WriteError> {
    let no_eid = || WriteError::NoEid { node: node.clone() };
    let pattern = own_pattern(node).filter(|_| !node.as_str().contains(char::is_whitespace)).ok_or_else(no_eid)?;
    if node.as_str().starts_with("dtn://") {
        return Ok((pattern, node.to_string()));
    }
    let number = number(node, losses)?;
    Ok((pattern, format!("ipn:{}.{}.0", number >> 32, number & 0xffff_ffff)))
}

fn window(text: &mut String, plan: &ContactPlan, contact: &Contact, stretch: &Flat) -> Result<(), WriteError> {
    let Some(zero) = plan.epoch else {
        let always = stretch.start == Instant::ZERO && stretch.end == Instant::MAX;
        return if always { Ok(()) } else { Err(WriteError::NoEpoch) };
    };
    let told = |field, at: Instant| {
        let limit = "years from 1900 to 2199";
        time(at, zero).map(rfc3339).ok_or_else(|| WriteError::Time {
            contact: contact.to_string(),
            field,
            time: at.to_string(),
            limit,
        })
    };
    let _ = write!(text, " start {}", told("start", stretch.start)?);
    if stretch.end < Instant::MAX {
        let _ = write!(text, " end {}", told("end", stretch.end)?);
    }
    Ok(())
}

/// The lines that a contact becomes, with delays in whole microseconds.
fn stretches(contact: &Contact, options: &WriteOptions, losses: &mut Vec<Loss>) -> Vec<Flat> {
    let mut stretches = flat(contact, options.tolerance, false);
    for stretch in &mut stretches {
        let micros = stretch.light_time.map(|d| d.as_nanos().saturating_add(500) / 1000);
        // A delay that is too short is worse than none.
        stretch.light_time = micros.filter(|us| *us <= MAX_DELAY_US).map(|us| Duration::from_nanos(us * 1000));
    }
    let told: Vec<_> = stretches.iter().map(|f| (f.start, f.end, f.light_time)).collect();
    losses.extend(light_time_loss(contact, &told));
    if stretches.len() > 1 {
        losses.push(Loss::of(contact, "contact", "one", format_args!("{} that follow each other", stretches.len())));
    }
    if stretches.iter().any(|f| f.rate == Rate::Limited(0)) {
        losses.push(Loss::of(contact, "rate", Rate::Limited(0), "nothing: no route"));
        stretches.retain(|f| f.rate != Rate::Limited(0));
    }
    stretches
}
