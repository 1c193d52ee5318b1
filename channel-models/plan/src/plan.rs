//! The plan: nodes and the contacts between them.

use std::collections::BTreeSet;

use farlink_units::Instant;
use hifitime::Epoch;

use crate::{Contact, NodeId};

/// Who can send to whom, when, how fast and over what distance.
///
/// Instants count SI seconds from [`epoch`](ContactPlan::epoch); a plan without one is relative to whatever its reader starts with.
/// A leap second lies between two instants like any other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactPlan {
    /// What [`Instant::ZERO`] is in the calendar.
    pub epoch: Option<Epoch>,
    /// The nodes, also those that no contact reaches.
    pub nodes: BTreeSet<NodeId>,
    /// The contacts, each in one direction.
    pub contacts: Vec<Contact>,
}

impl ContactPlan {
    /// A plan of these contacts between their nodes, [tidy](ContactPlan::tidy).
    pub fn new(epoch: Option<Epoch>, contacts: Vec<Contact>) -> Self {
        let mut plan = ContactPlan { epoch, nodes: BTreeSet::new(), contacts };
        plan.tidy();
        plan
    }

    /// Brings the plan into the one form in which equal plans are equal: contacts in order of start, end and nodes; every node of a
    /// contact among the nodes; no changes that change nothing. What every reader returns is tidy.
    pub fn tidy(&mut self) {
        for contact in &mut self.contacts {
            contact.tidy();
            for node in [&contact.from, &contact.to] {
                if !self.nodes.contains(node) {
                    self.nodes.insert(node.clone());
                }
            }
        }
        self.contacts.sort_by(|a, b| (a.start, a.end, &a.from, &a.to).cmp(&(b.start, b.end, &b.from, &b.to)));
    }

    /// Gives each node the name that `name` tells, if it tells one. Two nodes that get one name become one.
    pub fn rename(&mut self, name: impl Fn(&NodeId) -> Option<NodeId>) {
        let renamed = |node: &NodeId| name(node).unwrap_or_else(|| node.clone());
        self.nodes = self.nodes.iter().map(renamed).collect();
        for contact in &mut self.contacts {
            (contact.from, contact.to) = (renamed(&contact.from), renamed(&contact.to));
        }
        self.tidy();
    }

    /// The contacts from one node to another.
    pub fn between<'a>(&'a self, from: &'a NodeId, to: &'a NodeId) -> impl Iterator<Item = &'a Contact> {
        self.contacts.iter().filter(move |c| c.from == *from && c.to == *to)
    }

    /// The directions that have contacts, in order.
    pub fn directions(&self) -> BTreeSet<(&NodeId, &NodeId)> {
        self.contacts.iter().map(|c| (&c.from, &c.to)).collect()
    }

    /// From the first start to the last end of a contact that ends; `None` of a plan without contacts.
    pub fn span(&self) -> Option<(Instant, Instant)> {
        let start = self.contacts.iter().map(|c| c.start).min()?;
        let ends = self.contacts.iter().map(|c| c.end).filter(|end| *end < Instant::MAX);
        // A plan of nothing but endless contacts lasts no longer than until its last start.
        let end = ends.chain(self.contacts.iter().map(|c| c.start)).max()?;
        Some((start, end))
    }
}
