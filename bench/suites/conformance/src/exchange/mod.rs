//! What went to and fro in one case.

mod capture;
mod ladder;
mod tcpcl;

use std::collections::BTreeSet;

use farlink_units::{Duration, Instant};

use crate::medium::{Arrival, Door, Happening, Stream};

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The tester.
    Tester,
    /// The node under test.
    Node,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A datagram over a door.
    Datagram(Door, Vec<u8>),
    /// A connection was opened.
    Opened(Stream),
    /// Octets on a connection.
    Octets(Stream, Vec<u8>),
    /// A connection was closed in order.
    Finished(Stream),
    /// A connection was reset or refused.
    Reset(Stream),
    /// The node handed data to its application.
    Delivered(Vec<u8>),
    /// The node was told something over another way than the wire, or it ended.
    Note(String),
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it left the tester or came to it.
    pub at: Instant,
    /// Who did it.
    pub by: By,
    /// What was done.
    pub deed: Deed,
}

/// Everything that went to and fro in one case, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// The steps.
    pub steps: Vec<Step>,
    /// The bundles of the node that the tester has taken, whatever carried them, with their instants.
    pub bundles: Vec<(Instant, Vec<u8>)>,
    /// Octets in the steps.
    kept: usize,
}

/// Most octets of one exchange that are kept. A node that sends without end would fill the memory.
const MOST_KEPT: usize = 64 << 20;

impl Exchange {
    pub(crate) fn push(&mut self, at: Instant, by: By, deed: Deed) {
        let octets = match &deed {
            Deed::Datagram(_, octets) | Deed::Octets(_, octets) | Deed::Delivered(octets) => octets.len(),
            _ => 0,
        };
        let before = self.kept;
        self.kept = before.saturating_add(octets);
        let deed = match (self.kept > MOST_KEPT, before > MOST_KEPT) {
            (false, _) => deed,
            (true, false) => Deed::Note(format!("more than {MOST_KEPT} octets: what follows is not kept")),
            (true, true) if octets > 0 => return,
            (true, true) => deed,
        };
        self.steps.push(Step { at, by, deed });
    }

    /// The steps from a place on, as an exchange of their own.
    #[must_use]
    pub fn since(&self, step: usize) -> Exchange {
        let mut part = Exchange::default();
        for step in self.steps.iter().skip(step) {
            part.push(step.at, step.by, step.deed.clone());
        }
        part
    }

    /// Leaves out what the node tried to open and was refused, except at these doors.
    pub(crate) fn forget_refused(&mut self, except: &BTreeSet<Door>) {
        let opened: BTreeSet<Stream> = self
            .steps
            .iter()
            .filter_map(|step| match &step.deed {
                Deed::Opened(stream) => Some(*stream),
                _ => None,
            })
            .collect();
        self.steps.retain(|step| match &step.deed {
            Deed::Reset(stream) => step.by == By::Tester || opened.contains(stream) || except.contains(&stream.door),
            _ => true,
        });
    }

    /// Whether everything that went to and fro is in the steps.
    pub fn is_whole(&self) -> bool {
        self.kept <= MOST_KEPT
    }

    pub(crate) fn arrived(&mut self, arrival: &Arrival) {
        let deed = match &arrival.what {
            Happening::Datagram { door, octets } => Deed::Datagram(*door, octets.clone()),
            Happening::Opened { stream } => Deed::Opened(*stream),
            Happening::Octets { stream, octets } => Deed::Octets(*stream, octets.clone()),
            Happening::Finished { stream } => Deed::Finished(*stream),
            Happening::Reset { stream } => Deed::Reset(*stream),
            Happening::Delivered { payload, .. } => Deed::Delivered(payload.clone()),
            Happening::Ended { how } => Deed::Note(format!("the node has ended: {how}")),
        };
        self.push(arrival.at, By::Node, deed);
    }

    /// Datagrams of the node over a door, with their instants.
    pub fn datagrams(&self, door: Door) -> impl Iterator<Item = (Instant, &[u8])> {
        self.steps.iter().filter_map(move |step| match &step.deed {
            Deed::Datagram(over, octets) if step.by == By::Node && *over == door => Some((step.at, octets.as_slice())),
            _ => None,
        })
    }

    /// Every octet of the node on each connection, in the order in which they were opened.
    pub fn streams(&self) -> Vec<(Stream, Vec<u8>)> {
        let mut all: Vec<(Stream, Vec<u8>)> = Vec::new();
        for step in self.steps.iter().filter(|step| step.by == By::Node) {
            let Deed::Octets(stream, octets) = &step.deed else { continue };
            match all.iter_mut().find(|(other, _)| other == stream) {
                Some((_, whole)) => whole.extend_from_slice(octets),
                None => all.push((*stream, octets.clone())),
            }
        }
        all
    }

    /// From the first step to the last.
    pub fn duration(&self) -> Duration {
        match (self.steps.first(), self.steps.last()) {
            (Some(first), Some(last)) => last.at - first.at,
            _ => Duration::ZERO,
        }
    }
}
