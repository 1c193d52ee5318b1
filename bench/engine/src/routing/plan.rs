//! The contacts ahead.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;

use super::booking::{Booked, Booking};
use super::contact::{Contact, ContactError, ContactId};
use crate::schedule::Window;

/// How many contacts a plan holds at most.
pub const MAX_CONTACTS: usize = 1 << 20;

/// A contact in the plan, with what is booked on it by [class](crate::class::Class).
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub id: ContactId,
    pub contact: Contact,
    pub from: u32,
    pub to: u32,
    /// Bytes of bundles that are to cross it or have crossed it.
    pub booked: [u64; 3],
    /// Those of them that wait here for it to carry them first.
    pub waiting: [u64; 3],
    pub bookings: BTreeSet<Booking>,
}

/// A planned contact as far as the search must know it to pass it over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub start: Instant,
    pub end: Instant,
    pub slot: u32,
}

/// The contacts from one node to another.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair {
    /// In order of time; none overlaps another.
    pub planned: VecDeque<Span>,
    pub opportunistic: Option<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub eid: Eid,
    pub out: BTreeMap<u32, Pair>,
    /// Contacts that begin or end here; a node without is forgotten.
    uses: usize,
}

/// The contacts that a node knows to lie ahead, between any nodes, and what it has booked on them.
///
/// [`route`](ContactPlan::route) asks for the way of a bundle, [`book`](ContactPlan::book) takes the room for it. A plan is changed
/// while it is in use; what takes contacts away returns the bookings that lost theirs. Those are released already: ask for a new
/// route. [`expire`](ContactPlan::expire) forgets what is past.
#[derive(Clone, Debug, Default)]
pub struct ContactPlan {
    pub(super) entries: Vec<Option<Entry>>,
    free_entries: Vec<u32>,
    pub(super) by_id: BTreeMap<ContactId, u32>,
    pub(super) nodes: Vec<Node>,
    free_nodes: Vec<u32>,
    pub(super) node_of: BTreeMap<Eid, u32>,
    next_id: u64,
    generation: u64,
    pub(super) bookings: BTreeMap<Booking, Booked>,
    pub(super) next_booking: u64,
}

/// Which of many contacts cannot stand in a plan.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("contact {index}: {error}")]
pub struct ContactPlanError {
    /// Its place, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub error: ContactError,
}

impl ContactPlan {
    /// A plan without contacts.
    pub fn new() -> Self {
        Self::default()
    }

    /// A plan of these contacts, in any order. Their names count up in the order given, from 0.
    ///
    /// # Errors
    /// The first one, in order of time, that cannot stand beside those before it.
    pub fn of(contacts: Vec<Contact>) -> Result<Self, ContactPlanError> {
        let mut plan = ContactPlan::new();
        plan.next_id = contacts.len() as u64;
        let mut contacts: Vec<_> = contacts.into_iter().enumerate().collect();
        // Each pair's contacts are then appended, not inserted.
        contacts.sort_by_key(|(index, contact)| (contact.window.start, *index));
        for (index, contact) in contacts {
            plan.add_as(ContactId(index as u64), contact, false).map_err(|error| ContactPlanError { index, error })?;
        }
        Ok(plan)
    }

    /// Adds a contact.
    ///
    /// # Errors
    /// It cannot be, it overlaps another one of the same two nodes, or the plan is full.
    pub fn add(&mut self, contact: Contact) -> Result<ContactId, ContactError> {
        let id = ContactId(self.next_id);
        self.add_as(id, contact, false)?;
        self.next_id += 1;
        Ok(id)
    }

    /// Adds a contact that was not planned, open since `since` and until it is told to have ended. It may lie beside planned
    /// contacts of the same two nodes. One that is already open between them is replaced, and what was booked on it returned.
    ///
    /// # Errors
    /// It cannot be, or the plan is full.
    pub fn opportunistic(
        &mut self,
        from: Eid,
        to: Eid,
        rate_bps: u64,
        light_time: Duration,
        since: Instant,
    ) -> Result<(ContactId, Vec<Booking>), ContactError> {
        let light_time = vec![(since, light_time)];
        let contact =
            Contact::new(from, to, Window { start: since, end: Instant::MAX, rate_bps, light_time }).checked()?;
        let open = self.pair(&contact.from, &contact.to).and_then(|pair| pair.opportunistic);
        let affected = open.map(|slot| self.take_out(slot)).unwrap_or_default();
        let id = ContactId(self.next_id);
        self.add_as(id, contact, true)?;
        self.next_id += 1;
        Ok((id, affected))
    }

    /// The opportunistic contact from one node to another is over. Returns the bookings that lost it.
    pub fn opportunistic_ended(&mut self, from: &Eid, to: &Eid) -> Vec<Booking> {
        let (Some(from), Some(to)) = (super::node_id(from), super::node_id(to)) else { return Vec::new() };
        let open = self.pair(&from, &to).and_then(|pair| pair.opportunistic);
        open.map(|slot| self.take_out(slot)).unwrap_or_default()
    }

    /// Removes a contact. Returns the bookings that lost it.
    ///
    /// # Errors
    /// The plan does not have it.
    pub fn remove(&mut self, id: ContactId) -> Result<Vec<Booking>, ContactError> {
        let slot = self.slot(id)?;
        Ok(self.take_out(slot))
    }

    /// The contact does not happen, or broke off at `now`. Returns the bookings that lost it. One that had begun stays in the
    /// plan as one that ended at `now`, so it can be [extended](ContactPlan::extend) if it comes back.
    ///
    /// # Errors
    /// The plan does not have it.
    pub fn fail_contact(&mut self, id: ContactId, now: Instant) -> Result<Vec<Booking>, ContactError> {
        let slot = self.slot(id)?;
        let Window { start, end, .. } = self.entry(slot).contact.window;
        if now <= start {
            return Ok(self.take_out(slot));
        }
        self.set_end(slot, end.min(now));
        let lost = self.entry(slot).bookings.clone();
        Ok(self.lose(lost))
    }

    /// The contact ends at `at` if it would end later; one that would begin no earlier is removed. Returns the bookings that lost
    /// it: those that were to leave later, and of the others those that no longer fit, the least urgent and youngest first.
    ///
    /// # Errors
    /// The plan does not have it.
    pub fn truncate(&mut self, id: ContactId, at: Instant) -> Result<Vec<Booking>, ContactError> {
        let slot = self.slot(id)?;
        let Window { start, end, .. } = self.entry(slot).contact.window;
        if at <= start {
            return Ok(self.take_out(slot));
        }
        if at >= end {
            return Ok(Vec::new());
        }
        self.set_end(slot, at);
        let leaves_later =
            |booking: &Booking| self.bookings[booking].hops.iter().any(|hop| hop.slot == slot && hop.leaves > at);
        let late = self.entry(slot).bookings.iter().copied().filter(leaves_later).collect();
        let mut affected = self.lose(late);
        affected.extend(self.lose(self.without_room(slot, None).into_iter().collect()));
        affected.sort_unstable();
        Ok(affected)
    }

    /// The contact ends at `end` if it would end earlier.
    ///
    /// # Errors
    /// The plan does not have it, it is opportunistic, or it would then overlap the next one of the same two nodes.
    pub fn extend(&mut self, id: ContactId, end: Instant) -> Result<(), ContactError> {
        let slot = self.slot(id)?;
        let entry = self.entry(slot);
        let (contact, pair) = (&entry.contact, &self.nodes[entry.from as usize].out[&entry.to]);
        if pair.opportunistic == Some(slot) {
            return Err(ContactError::Opportunistic(id));
        }
        let next = pair.planned.iter().find(|span| span.start > contact.window.start);
        if let Some(next) = next.filter(|next| next.start < end) {
            let (from, to, start) = (contact.from.clone(), contact.to.clone(), contact.window.start);
            return Err(ContactError::Overlap { from, to, start, other: self.entry(next.slot).id });
        }
        if contact.window.end < end {
            self.set_end(slot, end);
        }
        Ok(())
    }

    /// Forgets the contacts that are over at `now`. Returns the bookings that were not sent in time.
    pub fn expire(&mut self, now: Instant) -> Vec<Booking> {
        let over = |entry: &Entry| entry.contact.window.end <= now;
        let over: Vec<u32> = self
            .by_id
            .values()
            .copied()
            .filter(|slot| self.entries[*slot as usize].as_ref().is_some_and(over))
            .collect();
        let mut affected: Vec<_> = over.into_iter().flat_map(|slot| self.take_out(slot)).collect();
        self.forget_arrived(now);
        affected.sort_unstable();
        affected
    }

    /// A number that grows whenever contacts come, go or change, though not when something is booked: a route that was found
    /// under another generation may no longer be the best one.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// A contact.
    pub fn contact(&self, id: ContactId) -> Option<&Contact> {
        self.slot(id).ok().map(|slot| &self.entry(slot).contact)
    }

    /// The contacts in the order of their names.
    pub fn contacts(&self) -> impl Iterator<Item = (ContactId, &Contact)> {
        self.by_id.iter().map(|(id, slot)| (*id, &self.entry(*slot).contact))
    }

    /// How many contacts there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no contact.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn slot(&self, id: ContactId) -> Result<u32, ContactError> {
        self.by_id.get(&id).copied().ok_or(ContactError::Unknown(id))
    }

    pub(super) fn entry(&self, slot: u32) -> &Entry {
        self.entries[slot as usize].as_ref().expect("a slot in use")
    }

    pub(super) fn entry_mut(&mut self, slot: u32) -> &mut Entry {
        self.entries[slot as usize].as_mut().expect("a slot in use")
    }

    fn pair(&self, from: &Eid, to: &Eid) -> Option<&Pair> {
        let (from, to) = (self.node_of.get(from)?, self.node_of.get(to)?);
        self.nodes[*from as usize].out.get(to)
    }

    fn add_as(&mut self, id: ContactId, contact: Contact, opportunistic: bool) -> Result<(), ContactError> {
        let contact = contact.checked()?;
        if self.by_id.len() >= MAX_CONTACTS {
            return Err(ContactError::Full);
        }
        let Window { start, end, .. } = contact.window;
        if let Some(pair) = self.pair(&contact.from, &contact.to).filter(|_| !opportunistic) {
            let next = pair.planned.partition_point(|span| span.end <= start);
            if let Some(other) = pair.planned.get(next).filter(|other| other.start < end) {
                let other = self.entry(other.slot).id;
                return Err(ContactError::Overlap { from: contact.from, to: contact.to, start, other });
            }
        }
        let (from, to) = (self.use_node(&contact.from), self.use_node(&contact.to));
        let entry = Entry { id, contact, from, to, booked: [0; 3], waiting: [0; 3], bookings: BTreeSet::new() };
        let slot = match self.free_entries.pop() {
            Some(slot) => {
                self.entries[slot as usize] = Some(entry);
                slot
            }
            None => {
                self.entries.push(Some(entry));
                self.entries.len() as u32 - 1
            }
        };
        self.by_id.insert(id, slot);
        let pair = self.nodes[from as usize].out.entry(to).or_default();
        if opportunistic {
            pair.opportunistic = Some(slot);
        } else {
            let at = pair.planned.partition_point(|span| span.start < start);
            pair.planned.insert(at, Span { start, end, slot });
        }
        self.generation += 1;
        Ok(())
    }

    fn take_out(&mut self, slot: u32) -> Vec<Booking> {
        let affected = self.forget_hops(slot);
        let Some(entry) = self.entries[slot as usize].take() else { return affected };
        self.by_id.remove(&entry.id);
        self.free_entries.push(slot);
        let out = &mut self.nodes[entry.from as usize].out;
        let pair = out.get_mut(&entry.to).expect("the pair of a contact");
        if pair.opportunistic == Some(slot) {
            pair.opportunistic = None;
        } else {
            let start = entry.contact.window.start;
            pair.planned.remove(pair.planned.partition_point(|span| span.start < start));
        }
        if pair.planned.is_empty() && pair.opportunistic.is_none() {
            out.remove(&entry.to);
        }
        for node in [entry.from, entry.to] {
            let known = &mut self.nodes[node as usize];
            known.uses -= 1;
            if known.uses == 0 {
                self.node_of.remove(&known.eid);
                self.free_nodes.push(node);
            }
        }
        self.generation += 1;
        affected
    }

    fn set_end(&mut self, slot: u32, end: Instant) {
        let entry = self.entry_mut(slot);
        entry.contact.window.end = end;
        let (from, to) = (entry.from, entry.to);
        let pair = self.nodes[from as usize].out.get_mut(&to).expect("the pair of a contact");
        if let Some(span) = pair.planned.iter_mut().find(|span| span.slot == slot) {
            span.end = end;
        }
        self.generation += 1;
    }

    fn use_node(&mut self, eid: &Eid) -> u32 {
        let index = match self.node_of.get(eid) {
            Some(index) => *index,
            None => {
                let node = Node { eid: eid.clone(), out: BTreeMap::new(), uses: 0 };
                let index = match self.free_nodes.pop() {
                    Some(index) => {
                        self.nodes[index as usize] = node;
                        index
                    }
                    None => {
                        self.nodes.push(node);
                        self.nodes.len() as u32 - 1
                    }
                };
                self.node_of.insert(eid.clone(), index);
                index
            }
        };
        self.nodes[index as usize].uses += 1;
        index
    }
}
