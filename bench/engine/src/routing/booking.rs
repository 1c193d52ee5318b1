//! What is booked on the contacts ahead.

use std::collections::BTreeSet;

use farlink_units::Instant;

use super::contact::{ContactId, time_for};
use super::plan::{ContactPlan, Entry};
use super::route::Route;
use crate::class::Class;

/// How many bookings a plan keeps at most.
pub const MAX_BOOKINGS: usize = 1 << 20;

/// Names what was booked for one bundle. The plan gives it out and never gives it out again; they count up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Booking(u64);

/// What is booked for one bundle.
#[derive(Clone, Debug)]
pub(super) struct Booked {
    pub class: Class,
    pub bytes: u64,
    /// The bundle has left this node, so its first hop is used up and no longer among the hops.
    pub sent: bool,
    pub hops: Vec<BookedHop>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct BookedHop {
    pub slot: u32,
    /// When the last bit was projected to leave.
    pub leaves: Instant,
}

/// Why a route cannot be booked. Ask for another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BookError {
    /// The contact has gone since the route was found, or ends too early now.
    #[error("{0} is no longer as it was when the route was found")]
    Changed(ContactId),
    /// Something else has been booked since the route was found.
    #[error("{0} has no room left for the bundle")]
    Volume(ContactId),
    /// The table of bookings is full.
    #[error("a plan keeps no more than {MAX_BOOKINGS} bookings")]
    Full,
}

impl Entry {
    /// Bytes booked by bundles of this class or above: those that go before one of the class.
    pub(super) fn booked_before(&self, class: Class) -> u64 {
        self.booked[class as usize..].iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// The same of bundles that wait here.
    pub(super) fn waiting_before(&self, class: Class) -> u64 {
        self.waiting[class as usize..].iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }
}

impl ContactPlan {
    /// Takes the room for a bundle, on every contact of its route.
    ///
    /// A bundle sees only what its own class and those above have booked, so it may take room that less urgent ones had booked:
    /// [`displaced`](ContactPlan::displaced) tells whose.
    ///
    /// # Errors
    /// The plan has changed since the route was found, or it keeps too many bookings. Nothing is booked then.
    pub fn book(&mut self, route: &Route, class: Class, bytes: u64) -> Result<Booking, BookError> {
        if self.bookings.len() >= MAX_BOOKINGS {
            return Err(BookError::Full);
        }
        let mut hops = Vec::with_capacity(route.hops.len());
        for hop in &route.hops {
            let slot = self.slot(hop.contact).map_err(|_| BookError::Changed(hop.contact))?;
            let entry = self.entry(slot);
            let window = &entry.contact.window;
            if hop.leaves > window.end {
                return Err(BookError::Changed(hop.contact));
            }
            let booked = entry.booked_before(class).saturating_add(bytes);
            if window.rate_bps > 0 && (booked > entry.contact.capacity() || booked == u64::MAX) {
                return Err(BookError::Volume(hop.contact));
            }
            hops.push(BookedHop { slot, leaves: hop.leaves });
        }
        let booking = Booking(self.next_booking);
        self.next_booking += 1;
        for (index, hop) in hops.iter().enumerate() {
            let entry = self.entry_mut(hop.slot);
            entry.booked[class as usize] = entry.booked[class as usize].saturating_add(bytes);
            if index == 0 {
                entry.waiting[class as usize] = entry.waiting[class as usize].saturating_add(bytes);
            }
            entry.bookings.insert(booking);
        }
        self.bookings.insert(booking, Booked { class, bytes, sent: false, hops });
        Ok(booking)
    }

    /// The bundle takes another way, or is deleted. What it had booked is free again, though not the contact that has carried it
    /// already. Tells whether there was such a booking.
    pub fn release(&mut self, booking: Booking) -> bool {
        let Some(booked) = self.bookings.remove(&booking) else { return false };
        for (index, hop) in booked.hops.iter().enumerate() {
            let entry = self.entry_mut(hop.slot);
            entry.booked[booked.class as usize] = entry.booked[booked.class as usize].saturating_sub(booked.bytes);
            if index == 0 && !booked.sent {
                entry.waiting[booked.class as usize] =
                    entry.waiting[booked.class as usize].saturating_sub(booked.bytes);
            }
            entry.bookings.remove(&booking);
        }
        true
    }

    /// The bundle has left over its first contact, whose room is used up. What it booked on the later ones stays until they are
    /// over. Tells whether there was such a booking that had not been sent.
    pub fn sent(&mut self, booking: Booking) -> bool {
        let Some(booked) = self.bookings.get_mut(&booking).filter(|booked| !booked.sent) else { return false };
        booked.sent = true;
        let (first, class, bytes) = (booked.hops.remove(0), booked.class as usize, booked.bytes);
        if booked.hops.is_empty() {
            self.bookings.remove(&booking);
        }
        let entry = self.entry_mut(first.slot);
        entry.waiting[class] = entry.waiting[class].saturating_sub(bytes);
        entry.bookings.remove(&booking);
        true
    }

    /// The bookings of less urgent bundles that no longer fit beside this one: as few as make room, the least urgent and youngest
    /// first. Release each and ask for a new route.
    pub fn displaced(&self, booking: Booking) -> Vec<Booking> {
        let Some(booked) = self.bookings.get(&booking) else { return Vec::new() };
        let found: BTreeSet<_> =
            booked.hops.iter().flat_map(|hop| self.without_room(hop.slot, Some(booked.class))).collect();
        found.into_iter().collect()
    }

    /// How many bookings there are.
    pub fn bookings(&self) -> usize {
        self.bookings.len()
    }

    /// Bytes that a bundle of this class finds free on a contact, as if it were all ahead; [`u64::MAX`] where no rate limits it.
    pub fn residual(&self, id: ContactId, class: Class) -> Option<u64> {
        let entry = self.entry(self.slot(id).ok()?);
        let free = entry.contact.capacity().saturating_sub(entry.booked_before(class));
        Some(if entry.contact.window.rate_bps == 0 { u64::MAX } else { free })
    }

    /// The bookings not yet sent that must go for the rest to fit the contact, of classes below `below`.
    pub(super) fn without_room(&self, slot: u32, below: Option<Class>) -> BTreeSet<Booking> {
        let entry = self.entry(slot);
        let mut over = entry.booked_before(Class::Bulk).saturating_sub(entry.contact.capacity());
        let mut found = BTreeSet::new();
        for class in Class::ALL.into_iter().filter(|class| below.is_none_or(|below| *class < below)) {
            for booking in entry.bookings.iter().rev() {
                let booked = &self.bookings[booking];
                if over > 0 && booked.class == class && !booked.sent {
                    over = over.saturating_sub(booked.bytes);
                    found.insert(*booking);
                }
            }
        }
        found
    }

    /// Releases the bookings that are not sent yet, and returns them. The others are the next node's.
    pub(super) fn lose(&mut self, bookings: BTreeSet<Booking>) -> Vec<Booking> {
        let unsent: Vec<_> = bookings.into_iter().filter(|booking| !self.bookings[booking].sent).collect();
        for booking in &unsent {
            self.release(*booking);
        }
        unsent
    }

    /// Ends the bookings of a contact that goes.
    pub(super) fn forget_hops(&mut self, slot: u32) -> Vec<Booking> {
        let lost = self.lose(self.entry(slot).bookings.clone());
        for booking in self.entry(slot).bookings.clone() {
            let Some(booked) = self.bookings.get_mut(&booking) else { continue };
            booked.hops.retain(|hop| hop.slot != slot);
            if booked.hops.is_empty() {
                self.bookings.remove(&booking);
            }
        }
        lost
    }

    /// Forgets bundles that have left the last contact of their route, as far as the route was right. The room stays used up.
    pub(super) fn forget_arrived(&mut self, now: Instant) {
        let past = |booked: &Booked| booked.sent && booked.hops.iter().all(|hop| hop.leaves <= now);
        let past: Vec<_> =
            self.bookings.iter().filter(|(_, booked)| past(booked)).map(|(booking, _)| *booking).collect();
        for booking in past {
            for hop in self.bookings.remove(&booking).map(|booked| booked.hops).unwrap_or_default() {
                self.entry_mut(hop.slot).bookings.remove(&booking);
            }
        }
    }
}

/// When a bundle leaves over a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    pub departs: Instant,
    /// When the last bit has left.
    pub leaves: Instant,
}

impl Entry {
    /// The earliest passage of a bundle that is here at `at`, if the contact has time and room for it. What is booked has priority:
    /// it is taken to fill the contact from its start, and where this is the first hop, what still waits goes from now on.
    pub(super) fn passage(&self, at: Instant, bytes: u64, before: Option<Class>, first: bool) -> Option<Passage> {
        let window = &self.contact.window;
        let ready = at.max(window.start);
        if ready >= window.end {
            return None;
        }
        let booked = before.map_or(0, |class| self.booked_before(class));
        let waiting = before.filter(|_| first).map_or(0, |class| self.waiting_before(class));
        let after = |start: Instant, bytes: u64| start + time_for(bytes, window.rate_bps);
        let departs = after(ready, waiting).max(after(window.start, booked));
        // One rounding for all that goes before and the bundle together, so that a contact can be filled to the last byte.
        let leaves = after(ready, waiting.saturating_add(bytes)).max(after(window.start, booked.saturating_add(bytes)));
        (leaves <= window.end).then_some(Passage { departs, leaves })
    }
}
