//! Which way a bundle goes, and what becomes of it on its way to the next hop (RFC 9171 §5.4).

use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{BundleFlags, Eid, PrimaryBlock, ReasonCode};

use super::report::Event;
use super::store::{Place, Stored};
use super::{Agent, Due, Failure, Handle, Notice, Outgoing};
use crate::class::Class;
use crate::routing::{StaticRoute, StaticRouteError, StaticRoutes};

/// How often a neighbour may reject a bundle.
const REJECTIONS: u32 = 5;
/// The first pause before a bundle is tried again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How often the pause doubles.
const DOUBLINGS: u32 = 6;

/// What the agent knows of the ways to other nodes.
#[derive(Debug, Default)]
pub(super) struct Routes {
    table: StaticRoutes,
}

/// The way that a bundle goes.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    hop: Eid,
    /// When the contact ends that it is meant for.
    until: Option<Instant>,
}

/// Why a bundle has no way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unroutable {
    NoRoute,
    NotInTime(String),
}

impl Agent {
    /// Adds a static route.
    ///
    /// # Errors
    /// A next hop that is no node, a full table.
    pub fn add_route(&mut self, route: StaticRoute) -> Result<(), StaticRouteError> {
        self.routes.table.add(route).map(drop)
    }

    /// Tells how long an encoded bundle may be that the convergence layer to a neighbour takes, in octets. Longer ones are
    /// fragmented, or deleted where they may not be: "transmission canceled".
    pub fn set_longest_bundle(&mut self, neighbour: &Eid, octets: usize) {
        self.longest.insert(neighbour.clone(), octets);
    }

    /// Whether a bundle that does not exist yet would have a way.
    pub(super) fn can_route(
        &self,
        _now: Instant,
        primary: &PrimaryBlock,
        _class: Class,
        _payload: u64,
    ) -> Result<(), Unroutable> {
        self.routes.table.next_hop(&primary.destination, &[]).map(drop).ok_or(Unroutable::NoRoute)
    }

    fn choose(&self, _now: Instant, stored: &Stored) -> Result<Chosen, Unroutable> {
        let hop = self.routes.table.next_hop(&stored.primary.destination, &[]).ok_or(Unroutable::NoRoute)?;
        Ok(Chosen { hop: hop.clone(), until: None })
    }

    /// Bundle Forwarding (§5.4) up to the queue of the next hop. A bundle that no contact takes to its destination in time is
    /// deleted, which is reported, and not held.
    pub(super) fn forward(&mut self, now: Instant, handle: Handle) {
        let Some(mut stored) = self.store.remove(&handle) else { return };
        self.leave_place(handle, &mut stored);
        let chosen = self.choose(now, &stored);
        let class = stored.class;
        match chosen {
            Ok(chosen) => {
                if let Some(until) = chosen.until {
                    self.agenda.insert((until, Due::Reroute(handle)));
                }
                self.queues.entry(chosen.hop.clone()).or_default().push_back(class, handle);
                stored.place = Place::Queued(chosen);
                self.store.insert(handle, stored);
            }
            Err(unroutable) => {
                self.store.insert(handle, stored);
                self.delete_stored(now, handle, unroutable.reason());
            }
        }
    }

    /// Takes back what being where it is has tied up for a bundle.
    pub(super) fn leave_place(&mut self, handle: Handle, stored: &mut Stored) {
        if let Place::Queued(chosen) | Place::InTransit(chosen) = std::mem::replace(&mut stored.place, Place::Paused)
            && let Some(until) = chosen.until
        {
            self.agenda.remove(&(until, Due::Reroute(handle)));
        }
    }

    /// Takes the next bundle for a neighbour off its queue, by class. It stays in the store until the convergence layer has
    /// told how the transmission ended. What has expired by now is deleted instead.
    pub fn poll_forward(&mut self, now: Instant, neighbour: &Eid) -> Option<Outgoing> {
        self.handle_timeout(now);
        loop {
            let (store, queue) = (&self.store, self.queues.get_mut(neighbour)?);
            let handle = queue.pop(|handle| waits_for(store.get(handle), neighbour))?;
            let stored = self.store.get_mut(&handle)?;
            let block = stored.encode(now, &self.config.node_id);
            let longest = self.longest.get(neighbour).copied().unwrap_or(usize::MAX);
            if block.len() > longest as u64 {
                let overhead = usize::try_from(block.len() - stored.payload_length()).unwrap_or(usize::MAX);
                self.split(now, handle, overhead, longest);
                continue;
            }
            let class = stored.class;
            if let Place::Queued(chosen) = std::mem::replace(&mut stored.place, Place::Paused) {
                stored.place = Place::InTransit(chosen);
            }
            return Some(Outgoing { handle, class, block });
        }
    }

    /// Replaces a bundle that is too long for the convergence layer to its next hop by fragments that fit.
    fn split(&mut self, now: Instant, handle: Handle, overhead: usize, longest: usize) {
        let Some(stored) = self.store.get(&handle) else { return };
        // Offset, total length and a longer payload head come on top: at most 9 octets each.
        let piece = longest.saturating_sub(overhead + 27);
        if stored.must_not_fragment() || piece == 0 {
            self.delete_stored(now, handle, ReasonCode::TransmissionCanceled);
            return;
        }
        let fragments = stored.fragments(piece);
        let needed: u64 = fragments.iter().map(Stored::footprint).sum();
        if needed > self.free_bytes() + stored.footprint() {
            self.delete_stored(now, handle, ReasonCode::DepletedStorage);
            return;
        }
        self.remove(handle);
        for fragment in fragments {
            let handle = self.admit(fragment);
            self.forward(now, handle);
        }
    }

    /// Whether a bundle waits for this neighbour.
    pub fn has_queued(&mut self, neighbour: &Eid) -> bool {
        let store = &self.store;
        self.queues.get_mut(neighbour).is_some_and(|q| !q.is_empty(|handle| waits_for(store.get(handle), neighbour)))
    }

    /// The neighbour has the bundle (§5.4 step 6): the store lets it go.
    pub fn forwarded(&mut self, now: Instant, handle: Handle) {
        let Some(to) = self.in_transit_to(handle) else { return };
        let Some(stored) = self.remove(handle) else { return };
        let (id, bytes) = (stored.id(), stored.payload_length());
        self.notices.push_back(Notice::Forwarded { id, bytes, to });
        if stored.primary.flags.contains(BundleFlags::REPORT_FORWARDING) {
            self.report(now, &stored.primary, bytes, Event::Forwarded, ReasonCode::NoAdditionalInformation);
        }
    }

    /// The convergence layer could not bring the bundle to the neighbour.
    pub fn forwarding_failed(&mut self, now: Instant, handle: Handle, failure: Failure) {
        if self.in_transit_to(handle).is_none() {
            return;
        }
        let Some(stored) = self.store.get_mut(&handle) else { return };
        match failure {
            Failure::Link => {
                stored.pauses = 0;
                self.forward(now, handle);
                return;
            }
            Failure::NoResources => {}
            Failure::Rejected => stored.rejections += 1,
        }
        if stored.rejections >= REJECTIONS {
            self.delete_stored(now, handle, ReasonCode::TransmissionCanceled);
            return;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << stored.pauses.min(DOUBLINGS));
        stored.pauses += 1;
        if let Some(mut stored) = self.store.remove(&handle) {
            self.leave_place(handle, &mut stored);
            self.store.insert(handle, stored);
            self.agenda.insert((now + pause, Due::Retry(handle)));
        }
    }

    fn in_transit_to(&self, handle: Handle) -> Option<Eid> {
        match &self.store.get(&handle)?.place {
            Place::InTransit(chosen) => Some(chosen.hop.clone()),
            _ => None,
        }
    }
}

fn waits_for(stored: Option<&Stored>, neighbour: &Eid) -> bool {
    stored.is_some_and(|s| matches!(&s.place, Place::Queued(chosen) if chosen.hop == *neighbour))
}

impl Unroutable {
    fn reason(&self) -> ReasonCode {
        match self {
            Unroutable::NoRoute => ReasonCode::NoKnownRoute,
            Unroutable::NotInTime(_) => ReasonCode::NoTimelyContact,
        }
    }
}
