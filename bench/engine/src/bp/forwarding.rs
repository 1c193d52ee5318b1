//! Which way a bundle goes, and what becomes of it on its way to the next hop (RFC 9171 §5.4).

use std::collections::{BTreeMap, VecDeque};

use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{BundleFlags, Eid, PrimaryBlock, ReasonCode};

use super::report::Event;
use super::store::{BUNDLE_OVERHEAD, Place, Stored};
use super::{Agent, Due, Failure, Handle, Notice, Outgoing};
use crate::class::Class;
use crate::routing::{
    Booking, ContactError, ContactId, ContactPlan, NoRoute, Request, Route, StaticRoute, StaticRouteError, StaticRoutes,
};

/// How often a neighbour may reject a bundle.
const REJECTIONS: u32 = 5;
/// The first pause before a bundle is tried again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How often the pause doubles.
const DOUBLINGS: u32 = 6;
/// The least payload of a fragment that is made because a contact has no room for more.
const LEAST_FRAGMENT: u64 = 512;

/// With fewer bookings than this, what is past is not looked for.
const FEW_BOOKINGS: usize = 1_024;

/// What the agent knows of the ways to other nodes.
#[derive(Debug, Default)]
pub(super) struct Routes {
    table: StaticRoutes,
    plan: Option<ContactPlan>,
    /// Whose the bookings of the plan are.
    booked: BTreeMap<Booking, Handle>,
    /// How many bookings there may be before those that are past are forgotten.
    sweep_at: usize,
    /// Bundles that are about to be forwarded, one after the other: one may displace others, and their deletion may be
    /// reported by bundles that displace still others.
    to_forward: VecDeque<Handle>,
    /// Whether that is going on.
    forwarding: bool,
}

/// The way that a bundle goes.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    hop: Eid,
    /// Its place in the queue of the next hop.
    queue_place: u64,
    /// What it takes up of the contacts of the plan, and when the first of these ends.
    booked: Option<(Booking, Instant)>,
}

/// Why a bundle has no way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unroutable {
    NoRoute,
    NotInTime(String),
}

/// What the plan says for a bundle.
enum Planned {
    Way(Chosen),
    /// Only so many bytes of it have a way in time.
    Part(u64),
}

impl Agent {
    /// Adds a static route. It is followed where the contact plan, if there is one, knows no way. What is held for want of a
    /// way is tried again at the next [`Agent::handle_timeout`], which is due at once.
    ///
    /// # Errors
    /// A next hop that is no node, a full table.
    pub fn add_route(&mut self, route: StaticRoute) -> Result<(), StaticRouteError> {
        self.routes.table.add(route)?;
        for (handle, stored) in self.store.iter_mut().filter(|(_, s)| matches!(s.place, Place::Held)) {
            stored.place = Place::Paused;
            self.agenda.insert((Instant::from_nanos(i64::MIN), Due::Retry(*handle)));
        }
        Ok(())
    }

    /// Routes by a plan of contacts between any nodes from now on. What waits is routed anew.
    pub fn set_contact_plan(&mut self, now: Instant, plan: ContactPlan) {
        self.routes.plan = Some(plan);
        self.routes.booked.clear();
        self.routes.sweep_at = 0;
        // The new plan gives out the names of the old one's bookings again.
        for (handle, stored) in &mut self.store {
            if let Place::Queued(chosen) | Place::InTransit(chosen) = &mut stored.place
                && let Some((_, ends)) = chosen.booked.take()
            {
                self.agenda.remove(&(ends, Due::Reroute(*handle)));
            }
        }
        self.route_anew(now);
    }

    /// A neighbour can be reached, planned or not, until [`Agent::neighbour_lost`]: bundles for it, and for those that a plan
    /// leads to through it, may go there at once.
    ///
    /// # Errors
    /// The neighbour is no node, or the plan is full.
    pub fn neighbour_found(&mut self, now: Instant, neighbour: &Eid, rate_bps: u64) -> Result<(), ContactError> {
        let plan = self.routes.plan.get_or_insert_default();
        let here = self.config.node_id.clone();
        plan.opportunistic(here, neighbour.clone(), rate_bps, Duration::ZERO, now)?;
        self.route_anew(now);
        Ok(())
    }

    /// A neighbour that was found can no longer be reached. What waits for it takes another way.
    pub fn neighbour_lost(&mut self, now: Instant, neighbour: &Eid) {
        let here = self.config.node_id.clone();
        let lost = self.routes.plan.as_mut().map(|plan| plan.opportunistic_ended(&here, neighbour));
        self.reroute(now, lost.unwrap_or_default());
    }

    /// The contact with a neighbour that is open now by the plan does not happen, or has broken off. What waits for it takes
    /// another way. `false` if the plan has no such contact.
    pub fn contact_failed(&mut self, now: Instant, neighbour: &Eid) -> bool {
        let Some(plan) = &mut self.routes.plan else { return false };
        let Some(neighbour) = neighbour.node_id() else { return false };
        let here = &self.config.node_id;
        let open: Vec<ContactId> = plan
            .contacts()
            .filter(|(_, c)| c.from == *here && c.to == neighbour && c.window.start <= now && now < c.window.end)
            .map(|(id, _)| id)
            .collect();
        let lost: Vec<Booking> = open.iter().filter_map(|id| plan.fail_contact(*id, now).ok()).flatten().collect();
        self.reroute(now, lost);
        !open.is_empty()
    }

    /// Tells how long an encoded bundle may be that the convergence layer to a neighbour takes, in octets. Longer ones are
    /// fragmented, or deleted where they may not be: "transmission canceled".
    pub fn set_longest_bundle(&mut self, neighbour: &Eid, octets: usize) {
        self.longest.insert(neighbour.clone(), octets);
    }

    /// Bundles that lost their booking, which the plan has released already.
    fn reroute(&mut self, now: Instant, lost: Vec<Booking>) {
        let mut handles: Vec<Handle> = lost.iter().filter_map(|b| self.routes.booked.remove(b)).collect();
        handles.sort_unstable();
        for handle in handles {
            if self.store.get(&handle).is_some_and(|s| matches!(s.place, Place::Queued(_))) {
                self.forward(now, handle);
            }
        }
    }

    /// Everything that waits, in the order in which it came.
    fn route_anew(&mut self, now: Instant) {
        let waits = |place: &Place| matches!(place, Place::Queued(_) | Place::Held);
        let mut handles: Vec<Handle> =
            self.store.iter().filter(|(_, s)| waits(&s.place)).map(|(handle, _)| *handle).collect();
        handles.sort_unstable();
        for handle in handles {
            self.forward(now, handle);
        }
    }

    /// Whether a bundle that does not exist yet would have a way.
    pub(super) fn can_route(
        &self,
        now: Instant,
        primary: &PrimaryBlock,
        class: Class,
        payload: u64,
    ) -> Result<(), Unroutable> {
        let destination = primary.destination.clone();
        let by_table = self.routes.table.next_hop(&destination, &[]).is_some();
        if by_table || self.config.hold_for_opportunity {
            return Ok(());
        }
        let Some(plan) = &self.routes.plan else { return Err(Unroutable::NoRoute) };
        let request = Request {
            bytes: on_the_link(payload + BUNDLE_OVERHEAD),
            class,
            expiry: self.expiry(now, primary, Some(0)).at,
            may_fragment: !primary.flags.contains(BundleFlags::MUST_NOT_FRAGMENT),
            ..Request::new(destination, 0)
        };
        plan.route(now, &self.config.node_id, &request).map(drop).map_err(unroutable)
    }

    fn choose(&mut self, now: Instant, handle: Handle, stored: &Stored) -> Result<Planned, Unroutable> {
        let planned = match self.routes.plan {
            Some(_) => self.plan_for(now, handle, stored),
            None => Err(Unroutable::NoRoute),
        };
        planned.or_else(|unroutable| {
            let destination = &stored.primary.destination;
            // A neighbour that has rejected the bundle may take it later; one of the others may take it now. Where it came
            // from, it would be dropped as a duplicate, and nobody told.
            let previous: Vec<Eid> = stored.previous_node().into_iter().collect();
            let others: Vec<Eid> = stored.rejected_by.iter().chain(&previous).cloned().collect();
            let hop = self.routes.table.next_hop(destination, &others);
            let hop = hop.or_else(|| self.routes.table.next_hop(destination, &previous));
            hop.map(|hop| Planned::Way(Chosen { hop: hop.clone(), queue_place: 0, booked: None })).ok_or(unroutable)
        })
    }

    fn plan_for(&mut self, now: Instant, handle: Handle, stored: &Stored) -> Result<Planned, Unroutable> {
        let Some(plan) = &mut self.routes.plan else { return Err(Unroutable::NoRoute) };
        let bytes = on_the_link(stored.payload_length() + BUNDLE_OVERHEAD);
        let mut request = Request {
            bytes,
            class: stored.class,
            expiry: stored.expiry.at,
            may_fragment: !stored.must_not_fragment(),
            excluded_neighbours: stored.rejected_by.iter().cloned().chain(stored.previous_node()).collect(),
            ..Request::new(stored.primary.destination.clone(), 0)
        };
        let here = &self.config.node_id;
        let mut found = plan.route(now, here, &request);
        if let Err(NoRoute::Excluded { .. }) = found {
            // Who has rejected it may take it later. Where it came from, it would be dropped as a duplicate, and nobody told.
            request.excluded_neighbours = stored.previous_node().into_iter().collect();
            found = plan.route(now, here, &request);
        }
        let route: Route = found.map_err(unroutable)?;
        if route.bytes < bytes {
            return Ok(Planned::Part(route.bytes));
        }
        let ends = plan.contact(route.first_contact).map_or(Instant::MAX, |c| c.window.end);
        let booking = match plan.book(&route, stored.class, bytes) {
            Ok(booking) => booking,
            Err(error) => return Err(Unroutable::NotInTime(error.to_string())),
        };
        self.routes.booked.insert(booking, handle);
        Ok(Planned::Way(Chosen { hop: route.next_hop, queue_place: 0, booked: Some((booking, ends)) }))
    }

    /// Bundle Forwarding (§5.4) up to the queue of the next hop. A bundle that no contact takes to its destination in time is
    /// deleted, which is reported, and not held, unless the node is told to wait for opportunities.
    pub(super) fn forward(&mut self, now: Instant, handle: Handle) {
        self.routes.to_forward.push_back(handle);
        if self.routes.forwarding {
            return;
        }
        self.routes.forwarding = true;
        while let Some(handle) = self.routes.to_forward.pop_front() {
            self.forward_next(now, handle);
        }
        self.routes.forwarding = false;
    }

    fn forward_next(&mut self, now: Instant, handle: Handle) {
        self.forget_past_bookings(now);
        let Some(mut stored) = self.store.remove(&handle) else { return };
        self.leave_place(handle, &mut stored);
        let chosen = self.choose(now, handle, &stored);
        let class = stored.class;
        match chosen {
            Ok(Planned::Way(mut chosen)) => {
                let booked = chosen.booked;
                if let Some((_, ends)) = booked {
                    self.agenda.insert((ends, Due::Reroute(handle)));
                }
                chosen.queue_place = self.queues.entry(chosen.hop.clone()).or_default().push_back(class, handle);
                stored.place = Place::Queued(chosen);
                self.store.insert(handle, stored);
                if let Some((booking, _)) = booked {
                    self.make_way(now, booking);
                }
            }
            Ok(Planned::Part(bytes)) => {
                let piece = payload_of(bytes);
                let enough = piece >= LEAST_FRAGMENT && piece < stored.payload_length();
                let hold = !enough && self.config.hold_for_opportunity;
                if hold {
                    stored.place = Place::Held;
                }
                self.store.insert(handle, stored);
                if enough {
                    self.divide(now, handle, usize::try_from(piece).unwrap_or(usize::MAX));
                } else if !hold {
                    self.delete_stored(now, handle, ReasonCode::NoTimelyContact);
                }
            }
            Err(_) if self.config.hold_for_opportunity => {
                stored.place = Place::Held;
                self.store.insert(handle, stored);
            }
            Err(unroutable) => {
                self.store.insert(handle, stored);
                self.delete_stored(now, handle, unroutable.reason());
            }
        }
    }

    /// What a bundle that has gone on has booked on later contacts stays in the plan until it is past.
    fn forget_past_bookings(&mut self, now: Instant) {
        let Some(plan) = &mut self.routes.plan else { return };
        if plan.bookings() < self.routes.sweep_at.max(FEW_BOOKINGS) {
            return;
        }
        let over = plan.expire(now);
        self.routes.sweep_at = 2 * plan.bookings();
        self.reroute(now, over);
    }

    /// A booking may take the room of less urgent bundles, which then take another way.
    fn make_way(&mut self, now: Instant, booking: Booking) {
        let Some(plan) = &mut self.routes.plan else { return };
        let displaced = plan.displaced(booking);
        for less_urgent in &displaced {
            plan.release(*less_urgent);
        }
        self.reroute(now, displaced);
    }

    /// Takes back what being where it is has tied up for a bundle.
    pub(super) fn leave_place(&mut self, handle: Handle, stored: &mut Stored) {
        let chosen = match std::mem::replace(&mut stored.place, Place::Paused) {
            Place::Queued(chosen) => {
                if let Some(queue) = self.queues.get_mut(&chosen.hop) {
                    queue.remove(stored.class, chosen.queue_place);
                }
                chosen
            }
            Place::InTransit(chosen) => chosen,
            Place::Paused | Place::Held | Place::Part => return,
        };
        if let Some((booking, ends)) = chosen.booked {
            self.agenda.remove(&(ends, Due::Reroute(handle)));
            if self.routes.booked.remove(&booking).is_some()
                && let Some(plan) = &mut self.routes.plan
            {
                plan.release(booking);
            }
        }
    }

    /// The end of the contact that a bundle waited for.
    pub(super) fn contact_over(&mut self, now: Instant, handle: Handle) {
        let over = self.routes.plan.as_mut().map(|plan| plan.expire(now)).unwrap_or_default();
        if self.store.get(&handle).is_some_and(|s| matches!(s.place, Place::Queued(_))) {
            self.forward(now, handle);
        }
        self.reroute(now, over);
    }

    /// Takes the next bundle for a neighbour off its queue, by class. It stays in the store until the convergence layer has
    /// told how the transmission ended. What has expired by now is deleted instead.
    pub fn poll_forward(&mut self, now: Instant, neighbour: &Eid) -> Option<Outgoing> {
        self.handle_timeout(now);
        loop {
            let handle = self.queues.get_mut(neighbour)?.pop()?;
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
        // Offset, total length and a longer payload head come on top: at most 9 octets each.
        let piece = longest.saturating_sub(overhead + 27);
        if piece == 0 || self.store.get(&handle).is_some_and(Stored::must_not_fragment) {
            self.delete_stored(now, handle, ReasonCode::TransmissionCanceled);
        } else {
            self.divide(now, handle, piece);
        }
    }

    /// Replaces a bundle by fragments with payloads of at most `piece` bytes (§5.8), each of which finds its own way.
    fn divide(&mut self, now: Instant, handle: Handle, piece: usize) {
        let Some(stored) = self.store.get(&handle) else { return };
        // Counted before they are made: each may repeat long extension blocks.
        if stored.footprint_of_fragments(piece) > self.free_bytes() + stored.footprint() {
            self.delete_stored(now, handle, ReasonCode::DepletedStorage);
            return;
        }
        // The journal has the fragments before the bundle leaves it.
        let fragments: Vec<Handle> = stored.fragments(piece).into_iter().map(|fragment| self.admit(fragment)).collect();
        self.remove(handle);
        for fragment in fragments {
            self.forward(now, fragment);
        }
    }

    /// Whether a bundle waits for this neighbour.
    pub fn has_queued(&self, neighbour: &Eid) -> bool {
        self.queues.get(neighbour).is_some_and(|queue| queue.len() > 0)
    }

    /// The neighbour has the bundle (§5.4 step 6): the store lets it go.
    pub fn forwarded(&mut self, now: Instant, handle: Handle) {
        let Some(to) = self.in_transit_to(handle) else { return };
        if let Some(Place::InTransit(Chosen { booked: Some((booking, _)), .. })) =
            self.store.get(&handle).map(|s| &s.place)
            && let Some(plan) = &mut self.routes.plan
        {
            plan.sent(*booking);
            self.routes.booked.remove(booking);
        }
        let Some(stored) = self.remove(handle) else { return };
        let (id, bytes) = (stored.id(), stored.payload_length());
        self.notices.push_back(Notice::Forwarded { id, bytes, to });
        if stored.primary.flags.contains(BundleFlags::REPORT_FORWARDING) {
            self.report(now, &stored.primary, bytes, Event::Forwarded, ReasonCode::NoAdditionalInformation);
        }
    }

    /// The convergence layer could not bring the bundle to the neighbour.
    pub fn forwarding_failed(&mut self, now: Instant, handle: Handle, failure: Failure) {
        let Some(neighbour) = self.in_transit_to(handle) else { return };
        let Some(stored) = self.store.get_mut(&handle) else { return };
        match failure {
            Failure::Link => {
                stored.pauses = 0;
                self.forward(now, handle);
                return;
            }
            Failure::NoResources => {}
            Failure::Rejected => {
                stored.rejections += 1;
                if !stored.rejected_by.contains(&neighbour) {
                    stored.rejected_by.push(neighbour);
                }
            }
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

    /// Bundles that have booked something, and bookings in the plan.
    #[cfg(test)]
    pub(super) fn bookings(&self) -> (usize, usize) {
        (self.routes.booked.len(), self.routes.plan.as_ref().map_or(0, ContactPlan::bookings))
    }

    fn in_transit_to(&self, handle: Handle) -> Option<Eid> {
        match &self.store.get(&handle)?.place {
            Place::InTransit(chosen) => Some(chosen.hop.clone()),
            _ => None,
        }
    }
}

/// Bytes that a bundle takes up on a link: the layers below add headers and repeat what is lost. An estimate, a part in 32,
/// that errs on the side of a contact that is not quite used up.
fn on_the_link(bundle: u64) -> u64 {
    bundle.saturating_add(bundle / 32)
}

/// The payload of a fragment that takes up so many bytes on a link.
fn payload_of(on_the_link: u64) -> u64 {
    (on_the_link - on_the_link / 32).saturating_sub(BUNDLE_OVERHEAD)
}

fn unroutable(no_route: NoRoute) -> Unroutable {
    match no_route.reason() {
        Some(ReasonCode::NoTimelyContact) => Unroutable::NotInTime(no_route.to_string()),
        _ => Unroutable::NoRoute,
    }
}

impl Unroutable {
    fn reason(&self) -> ReasonCode {
        match self {
            Unroutable::NoRoute => ReasonCode::NoKnownRoute,
            Unroutable::NotInTime(_) => ReasonCode::NoTimelyContact,
        }
    }
}
