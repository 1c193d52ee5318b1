//! Application data for endpoints of this node: reassembly, registrations, delivery (RFC 9171 §5.7, §5.9).

use std::collections::VecDeque;

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::bpv7::{AdministrativeRecord, BundleFlags, Eid, PrimaryBlock, ReasonCode};

use super::reassembly::Reassembly;
use super::report::Event;
use super::store::{Expiry, Place};
use super::{Agent, BundleId, Due, FailureAction, Handle, Notice, Registration};

/// An endpoint at which an application is registered.
#[derive(Debug)]
pub(super) struct Endpoint {
    registration: Registration,
    /// Data that waits, least recently received first.
    deferred: VecDeque<Handle>,
}

/// An application data unit that is whole.
#[derive(Debug)]
pub(super) struct Unit {
    /// The primary block of the bundle, or of the bundle that the fragments make up.
    primary: PrimaryBlock,
    pieces: Vec<Bytes>,
    /// The bundles in the store that it is made of.
    parts: Vec<Handle>,
    /// Whether it came in fragments.
    reassembled: bool,
    expiry: Expiry,
}

impl Unit {
    fn length(&self) -> u64 {
        self.pieces.iter().map(|p| p.len() as u64).sum()
    }
}

impl Agent {
    /// Registers an application at an endpoint of this node, or changes its registration. What waits there is delivered if
    /// the registration is active now. Returns `false`, and does nothing, if the endpoint is not of this node or is its
    /// administrative one.
    #[must_use]
    pub fn register(&mut self, endpoint: Eid, registration: Registration) -> bool {
        if !self.is_here(&endpoint) || endpoint == self.config.node_id {
            return false;
        }
        let at = self.endpoints.entry(endpoint.clone()).or_insert(Endpoint { registration, deferred: VecDeque::new() });
        at.registration = registration;
        if registration.active {
            while self.poll_endpoint(&endpoint) {}
        }
        true
    }

    /// Ends a registration. What waits there is deleted: "destination endpoint ID unavailable".
    pub fn deregister(&mut self, now: Instant, endpoint: &Eid) {
        let Some(ended) = self.endpoints.remove(endpoint) else { return };
        for handle in ended.deferred {
            self.give_up(now, handle, ReasonCode::DestinationUnavailable);
        }
    }

    /// Polls a registration (§5.7): the least recently received data that waits there is delivered, if there is any.
    pub fn poll_endpoint(&mut self, endpoint: &Eid) -> bool {
        let Some(at) = self.endpoints.get_mut(endpoint) else { return false };
        while let Some(handle) = at.deferred.pop_front() {
            // Data that has expired leaves its name behind.
            let Some(unit) = self.units.get(&handle) else { continue };
            self.agenda.remove(&(unit.expiry.at, Due::Unit(handle)));
            self.notices.push_back(Notice::Delivery {
                handle,
                id: BundleId::of(&unit.primary, unit.length()),
                destination: unit.primary.destination.clone(),
                payload: unit.pieces.clone(),
            });
            return true;
        }
        false
    }

    /// The application has the data of a [`Notice::Delivery`]: the store lets it go.
    pub fn delivered(&mut self, now: Instant, handle: Handle) {
        let Some(unit) = self.units.get(&handle) else { return };
        let bytes = unit.length();
        let id = BundleId::of(&unit.primary, bytes);
        if unit.reassembled {
            // Before its parts leave the journal: other fragments of it may still come.
            self.remember(id.clone(), unit.expiry.at);
        }
        let Some(unit) = self.remove_unit(handle) else { return };
        self.notices.push_back(Notice::Delivered { id, bytes });
        if unit.primary.flags.contains(BundleFlags::REPORT_DELIVERY) {
            self.report(now, &unit.primary, bytes, Event::Delivered, ReasonCode::NoAdditionalInformation);
        }
    }

    /// The application could not take the data of a [`Notice::Delivery`]. The delivery failure action of its registration
    /// follows; data that is deferred waits until the endpoint is polled or registered as active anew.
    pub fn delivery_failed(&mut self, now: Instant, handle: Handle) {
        let Some(unit) = self.units.get(&handle) else { return };
        let (endpoint, expiry) = (unit.primary.destination.clone(), unit.expiry);
        match self.endpoints.get_mut(&endpoint) {
            Some(at) if at.registration.on_failure == FailureAction::Defer => {
                at.deferred.push_front(handle);
                self.agenda.insert((expiry.at, Due::Unit(handle)));
            }
            _ => self.give_up(now, handle, ReasonCode::DestinationUnavailable),
        }
    }

    /// Local Bundle Delivery (§5.7) of a bundle in the store, with reassembly (§5.9).
    pub(super) fn deliver_locally(&mut self, now: Instant, handle: Handle) {
        let Some(stored) = self.store.get_mut(&handle) else { return };
        stored.place = Place::Part;
        let (primary, payload, expiry) = (stored.primary.clone(), stored.payload.clone(), stored.expiry);
        // What it is a part of expires as a whole.
        self.agenda.remove(&(expiry.at, Due::Expiry(handle)));
        let bytes = payload.len() as u64;
        let id = BundleId::of(&primary, bytes);
        let whole = id.whole();
        let Some(fragment) = primary.fragment else {
            // Fragments of it that have come on another way are of no more use.
            if let Some(reassembly) = self.end_reassembly(&whole) {
                self.drop_parts(&reassembly.parts);
            }
            self.offer(now, Unit { primary, pieces: vec![payload], parts: vec![handle], reassembled: false, expiry });
            return;
        };
        if self.seen.contains_key(&whole) {
            // The whole is here or has been delivered; this fragment overlaps what made it up.
            self.remove(handle);
            self.notices.push_back(Notice::Duplicate { id, bytes });
            return;
        }
        let reassembly = self.reassemblies.entry(whole.clone()).or_insert_with(|| {
            self.agenda.insert((expiry.at, Due::Reassembly(whole.clone())));
            Reassembly::new(&primary, fragment, expiry)
        });
        if !reassembly.agrees_with(fragment) {
            self.remove(handle);
            self.delete(now, &primary, bytes, ReasonCode::BlockUnintelligible);
            return;
        }
        if !reassembly.add(handle, fragment, &payload) {
            if reassembly.parts.is_empty() {
                // It has no payload. Nothing in the store accounts for what such fragments begin.
                self.end_reassembly(&whole);
            }
            self.remove(handle);
            self.notices.push_back(Notice::Duplicate { id, bytes });
            return;
        }
        if reassembly.is_whole()
            && let Some(reassembly) = self.end_reassembly(&whole)
        {
            let (primary, pieces, parts, expiry) = reassembly.finish();
            // Not for after a restart: until the data is delivered, its parts bring it back.
            self.remember_quietly(whole, expiry.at);
            self.offer(now, Unit { primary, pieces, parts, reassembled: true, expiry });
        }
    }

    /// Step 2 of §5.7, for data that is whole.
    fn offer(&mut self, now: Instant, unit: Unit) {
        let handle = Handle(self.next_handle);
        self.next_handle += 1;
        let endpoint = unit.primary.destination.clone();
        let expiry = unit.expiry;
        if unit.primary.flags.contains(BundleFlags::IS_ADMIN_RECORD) && endpoint == self.config.node_id {
            self.drop_parts(&unit.parts);
            self.handle_record(now, &unit.primary, &unit.pieces.concat());
            return;
        }
        self.units.insert(handle, unit);
        let Some(at) = self.endpoints.get_mut(&endpoint) else {
            self.give_up(now, handle, ReasonCode::DestinationUnavailable);
            return;
        };
        let registration = at.registration;
        if !registration.active && registration.on_failure == FailureAction::Abandon {
            self.give_up(now, handle, ReasonCode::DestinationUnavailable);
            return;
        }
        at.deferred.push_back(handle);
        self.agenda.insert((expiry.at, Due::Unit(handle)));
        if registration.active {
            // Data that could not be delivered before goes first.
            while self.poll_endpoint(&endpoint) {}
        }
    }

    /// Cancels what waits here of a transmission to an endpoint of this node. What an application is being given stays.
    pub(super) fn cancel_here(&mut self, now: Instant, whole: &BundleId) -> usize {
        let waits = |(handle, unit): &(&Handle, &Unit)| {
            BundleId::of(&unit.primary, 0) == *whole && self.agenda.contains(&(unit.expiry.at, Due::Unit(**handle)))
        };
        let mut units: Vec<Handle> = self.units.iter().filter(waits).map(|(handle, _)| *handle).collect();
        units.sort_unstable();
        for unit in &units {
            self.give_up(now, *unit, ReasonCode::TransmissionCanceled);
        }
        let reassembly = self.end_reassembly(whole);
        if let Some(reassembly) = &reassembly {
            self.drop_parts(&reassembly.parts);
            self.delete(now, reassembly.primary(), reassembly.held_bytes(), ReasonCode::TransmissionCanceled);
        }
        units.len() + usize::from(reassembly.is_some())
    }

    fn handle_record(&mut self, now: Instant, primary: &PrimaryBlock, payload: &[u8]) {
        match AdministrativeRecord::parse(payload) {
            Ok(AdministrativeRecord::StatusReport(report)) => {
                self.notices.push_back(Notice::Reported { by: primary.source.clone(), report });
            }
            Ok(AdministrativeRecord::Unknown { .. }) | Err(_) => {
                self.delete(now, primary, payload.len() as u64, ReasonCode::BlockUnintelligible);
            }
        }
    }

    pub(super) fn unit_expired(&mut self, now: Instant, handle: Handle) {
        if let Some(reason) = self.units.get(&handle).map(|u| u.expiry.reason) {
            self.give_up(now, handle, reason);
        }
    }

    pub(super) fn reassembly_expired(&mut self, now: Instant, id: &BundleId) {
        if let Some(reassembly) = self.end_reassembly(id) {
            self.drop_parts(&reassembly.parts);
            let reason = reassembly.expiry().reason;
            self.delete(now, reassembly.primary(), reassembly.held_bytes(), reason);
        }
    }

    fn give_up(&mut self, now: Instant, handle: Handle, reason: ReasonCode) {
        if let Some(unit) = self.remove_unit(handle) {
            self.delete(now, &unit.primary, unit.length(), reason);
        }
    }

    fn remove_unit(&mut self, handle: Handle) -> Option<Unit> {
        let unit = self.units.remove(&handle)?;
        self.agenda.remove(&(unit.expiry.at, Due::Unit(handle)));
        self.drop_parts(&unit.parts);
        Some(unit)
    }

    fn drop_parts(&mut self, parts: &[Handle]) {
        for part in parts {
            self.remove(*part);
        }
    }

    fn end_reassembly(&mut self, id: &BundleId) -> Option<Reassembly> {
        let reassembly = self.reassemblies.remove(id)?;
        self.agenda.remove(&(reassembly.expiry().at, Due::Reassembly(id.clone())));
        Some(reassembly)
    }
}
