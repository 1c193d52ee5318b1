//! The search for the earliest arrival.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use farlink_units::Instant;

use super::contact::arrival;
use super::plan::{ContactPlan, Pair};
use crate::class::Class;

/// The longest route that is sought, in hops: what the hop count block can count (RFC 9171 §4.4.3).
pub const MAX_HOPS: u32 = 255;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    pub from: u32,
    pub to: u32,
    pub now: Instant,
    pub bytes: u64,
    /// Only what this class and those above have booked is in the way; nothing at all where none is given.
    pub before: Option<Class>,
}

/// What a path must not exceed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds<'a> {
    pub arrival: Instant,
    pub hops: u32,
    /// Every contact ends then or later.
    pub end: Instant,
    /// Where the first hop may lead.
    pub neighbours: &'a [u32],
}

/// A way to the destination.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub arrives: Instant,
    /// The contacts.
    pub slots: Vec<u32>,
}

/// A way to a node that was the best one so far; the heap takes the earliest, then the one with fewer hops. The rest of the order
/// only makes it total, so that equal ways are always met in the same order.
type Tentative = Reverse<(Instant, u32, u32, u32, u32)>;

#[derive(Clone, Copy, Debug)]
struct Label {
    parent: u32,
    slot: u32,
}

/// Of all paths within the bounds one that arrives earliest, and of those one with the fewest hops.
///
/// Dijkstra's algorithm on nodes, with labels of arrival and hops: whoever is at a node earlier can do all that one who is there
/// later can, since bundles may wait and light times fall no faster than time passes. A node is settled again only by a path with
/// fewer hops, so at most [`MAX_HOPS`] times, and no path meets a node twice.
pub(super) fn search(plan: &ContactPlan, query: &Query, bounds: &Bounds<'_>) -> Option<Path> {
    let nodes = plan.nodes.len();
    let mut settled_hops = vec![u32::MAX; nodes];
    let mut best = vec![(Instant::MAX, u32::MAX); nodes];
    let mut labels: Vec<Label> = Vec::new();
    let mut heap: BinaryHeap<Tentative> = BinaryHeap::new();
    heap.push(Reverse((query.now, 0, query.from, 0, 0)));
    while let Some(Reverse((at, hops, node, parent, slot))) = heap.pop() {
        if hops >= settled_hops[node as usize] {
            continue;
        }
        settled_hops[node as usize] = hops;
        if node == query.to {
            let mut slots = vec![slot];
            let mut label = labels[parent as usize];
            for _ in 1..hops {
                slots.push(label.slot);
                label = labels[label.parent as usize];
            }
            slots.reverse();
            return Some(Path { arrives: at, slots });
        }
        if hops == bounds.hops.min(MAX_HOPS) {
            continue;
        }
        let own = labels.len() as u32;
        labels.push(Label { parent, slot });
        let first = node == query.from;
        let hops = hops + 1;
        let mut reach = |to: u32, pair: &Pair| {
            let ceiling = bounds.arrival.min(best[query.to as usize].0);
            if settled_hops[to as usize] <= hops {
                return;
            }
            let Some((arrives, slot)) = crossing(plan, query, bounds.end, ceiling, pair, at, first) else { return };
            let known = &mut best[to as usize];
            if known.0 <= arrives && known.1 <= hops {
                return;
            }
            if (arrives, hops) < *known {
                *known = (arrives, hops);
            }
            heap.push(Reverse((arrives, hops, to, own, slot)));
        };
        let out = &plan.nodes[node as usize].out;
        if first {
            for to in bounds.neighbours {
                if let Some(pair) = out.get(to) {
                    reach(*to, pair);
                }
            }
        } else {
            out.iter().for_each(|(to, pair)| reach(*to, pair));
        }
    }
    None
}

/// The earliest arrival, no later than `ceiling`, over one of the contacts from one node to another, and that contact.
fn crossing(
    plan: &ContactPlan,
    query: &Query,
    end: Instant,
    ceiling: Instant,
    pair: &Pair,
    at: Instant,
    first: bool,
) -> Option<(Instant, u32)> {
    let mut found: Option<(Instant, u32)> = None;
    let consider = |slot: u32, found: &mut Option<(Instant, u32)>| {
        let entry = plan.entry(slot);
        let Some(passage) = entry.passage(at, query.bytes, query.before, first) else { return };
        let arrives = arrival(&entry.contact.window.light_time, passage.leaves);
        // The last instant is not a time at which anything arrives: it is where the arithmetic stops.
        if arrives < Instant::MAX && arrives <= ceiling && found.is_none_or(|(earliest, _)| arrives < earliest) {
            *found = Some((arrives, slot));
        }
    };
    let next = pair.planned.partition_point(|span| span.end <= at);
    for span in pair.planned.range(next..) {
        // A later contact can still win over one with a longer light time or a lower rate, until it begins too late.
        if span.start > ceiling || found.is_some_and(|(earliest, _)| earliest <= span.start) {
            break;
        }
        if span.end >= end {
            consider(span.slot, &mut found);
        }
    }
    if let Some(slot) = pair.opportunistic.filter(|slot| plan.entry(*slot).contact.window.end >= end) {
        consider(slot, &mut found);
    }
    found
}
