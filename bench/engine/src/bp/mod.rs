//! The bundle agent: RFC 9171, sections 5 and 6.
//!
//! # Order of calls
//! - [`Agent::transmit`] for an application, [`Agent::receive`] for what a convergence layer has brought,
//!   [`Agent::handle_timeout`] when [`Agent::poll_timeout`] is due.
//! - [`Agent::poll_forward`] whenever the convergence layer to a neighbour can take a bundle; the layer then says how that
//!   ended with [`Agent::forwarded`] or [`Agent::forwarding_failed`].
//! - [`Agent::poll_notice`] after each, until it is empty. A [`Notice::Delivery`] is answered with [`Agent::delivered`] or
//!   [`Agent::delivery_failed`].
//! - An owner that keeps the store on disk takes [`Agent::poll_change`] until it is empty and makes that durable *before*
//!   it lets a convergence layer acknowledge what came, answers an application, or gives it data; after a restart it calls
//!   [`Agent::restore`].
//!
//! # What this agent does with a long application data unit
//! A transmission may name the longest payload of a bundle. Longer data becomes fragments at the source (§5.8), and the
//! destination puts them together (§5.9): each bundle then fits a contact and an LTP block, and the store can let go of what
//! has gone on. A bundle too long for the convergence layer to its next hop ([`Agent::set_longest_bundle`]) is fragmented
//! when it leaves.
//!
//! # Limits
//! | what | limit | beyond it |
//! |---|---|---|
//! | bytes in the store, with 256 for each bundle, 64 for each extension block, and the length of endpoint IDs of the dtn scheme | [`Config::storage_limit`] | refused, or deleted with "depleted storage" |
//! | bundles remembered so that they are known when they come again; one whose source is a long name counts as one more for each 64 octets of it | [`Config::memory_limit`] | the one to be forgotten first is forgotten |
//! | bookings in the contact plan, of bundles here and of those that have gone on | [`MAX_BOOKINGS`](crate::routing::MAX_BOOKINGS); what is past is forgotten | "no timely contact" |
//! | status reports | the store, as other bundles | deleted with "depleted storage" |
//! | how long anything stays | 365 days | deleted with "traffic pared" |

mod api;
mod delivery;
mod forwarding;
mod journal;
mod process;
mod queue;
mod reassembly;
mod report;
mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{
    BlockFlags, BundleFlags, CrcType, CreationTimestamp, Eid, Fragment, PrimaryBlock, ReasonCode,
};

use crate::class::Class;
use api::instant_of_dtn;
pub use api::{
    BundleId, Change, Config, Failure, FailureAction, Handle, NoRoom, Notice, Outgoing, Record, Refusal, Registration,
    Snapshot, Transmission, TransmitError,
};
use delivery::{Endpoint, Unit};
use forwarding::{Routes, Unroutable};
use queue::ClassQueue;
use reassembly::Reassembly;
use store::{Expiry, Place, Stored, first_extensions, footprint, names_footprint};

/// A bundle agent. See the [module](self) for the order of calls.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    routes: Routes,
    endpoints: BTreeMap<Eid, Endpoint>,
    store: HashMap<Handle, Stored>,
    stored_bytes: u64,
    next_handle: u64,
    queues: BTreeMap<Eid, ClassQueue>,
    /// Longest encoded bundle that the convergence layer to a neighbour takes.
    longest: BTreeMap<Eid, usize>,
    reassemblies: HashMap<BundleId, Reassembly>,
    /// Application data for endpoints here.
    units: HashMap<Handle, Unit>,
    /// Bundles that have been here, and until when they are remembered.
    seen: HashMap<BundleId, Instant>,
    /// What they count against the limit.
    seen_places: usize,
    /// Those bundles in the order in which they are forgotten.
    forgetting: BTreeSet<(Instant, BundleId)>,
    agenda: BTreeSet<(Instant, Due)>,
    last_creation: CreationTimestamp,
    notices: VecDeque<Notice>,
    changes: VecDeque<Change>,
}

/// What is due at an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A bundle expires.
    Expiry(Handle),
    /// The parts of application data expire.
    Reassembly(BundleId),
    /// Application data that nobody has fetched expires.
    Unit(Handle),
    /// A bundle that had to wait is tried again.
    Retry(Handle),
    /// The contact that a bundle waits for has ended without it.
    Reroute(Handle),
}

impl Agent {
    /// An agent without routes and registrations. Its administrative endpoint, which is its node ID, always exists.
    pub fn new(config: Config) -> Self {
        Agent {
            config,
            routes: Routes::default(),
            endpoints: BTreeMap::new(),
            store: HashMap::new(),
            stored_bytes: 0,
            next_handle: 0,
            queues: BTreeMap::new(),
            longest: BTreeMap::new(),
            reassemblies: HashMap::new(),
            units: HashMap::new(),
            seen: HashMap::new(),
            seen_places: 0,
            forgetting: BTreeSet::new(),
            agenda: BTreeSet::new(),
            last_creation: CreationTimestamp { time_ms: 0, sequence: 0 },
            notices: VecDeque::new(),
            changes: VecDeque::new(),
        }
    }

    /// The node ID of this agent.
    pub fn node_id(&self) -> &Eid {
        &self.config.node_id
    }

    /// Whether an endpoint is at this node.
    fn is_here(&self, endpoint: &Eid) -> bool {
        endpoint.node_id().as_ref() == Some(&self.config.node_id)
    }

    /// Bundle Transmission (§5.2). Returns the bundle, or the bundle that its fragments make up.
    ///
    /// # Errors
    /// No route, no contact in time, no room in the store, a source that is not of this node, or data that may not be
    /// fragmented and is too long.
    pub fn transmit(&mut self, now: Instant, transmission: Transmission) -> Result<BundleId, TransmitError> {
        let Transmission { destination, source, report_to, flags, lifetime, class, payload, max_payload } =
            transmission;
        let mut flags = BundleFlags(flags.0 & !(BundleFlags::IS_FRAGMENT | BundleFlags::IS_ADMIN_RECORD).0);
        if source == Eid::None {
            if flags.intersects(BundleFlags::ALL_REPORTS) {
                return Err(TransmitError::Anonymous);
            }
            flags |= BundleFlags::MUST_NOT_FRAGMENT;
        } else if !self.is_here(&source) {
            return Err(TransmitError::ForeignSource(source));
        }
        let total = payload.len();
        let piece = max_payload.unwrap_or(usize::MAX).max(1);
        if total > piece && flags.contains(BundleFlags::MUST_NOT_FRAGMENT) {
            return Err(match source {
                Eid::None => TransmitError::Anonymous,
                _ => TransmitError::MustNotFragment(total as u64),
            });
        }
        let extensions = first_extensions(self.config.hop_limit, self.config.has_clock, class);
        let bundles = total.div_ceil(piece).max(1) as u64;
        let needed =
            total as u64 + bundles * (footprint(0, &extensions) + names_footprint([&source, &destination, &report_to]));
        let free = self.free_bytes();
        if needed > free {
            return Err(TransmitError::DepletedStorage { needed, free });
        }
        let primary = PrimaryBlock {
            flags,
            crc: CrcType::Crc32c,
            destination,
            source,
            report_to,
            creation: CreationTimestamp { time_ms: 0, sequence: 0 },
            lifetime_ms: u64::try_from(lifetime.as_millis()).unwrap_or(0),
            fragment: None,
        };
        if !self.is_here(&primary.destination) {
            let longest = total.min(piece) as u64;
            self.can_route(now, &primary, class, longest).map_err(|unroutable| match unroutable {
                Unroutable::NoRoute => TransmitError::NoRoute(primary.destination.clone()),
                Unroutable::NotInTime(reason) => {
                    TransmitError::NoTimelyContact { destination: primary.destination.clone(), reason }
                }
            })?;
        }
        let primary = PrimaryBlock { creation: self.creation_timestamp(now), ..primary };
        let id = BundleId::of(&primary, total as u64);
        if total <= piece {
            self.originate(now, primary, class, payload);
            return Ok(id);
        }
        for offset in (0..total).step_by(piece) {
            let fragment = PrimaryBlock {
                flags: flags | BundleFlags::IS_FRAGMENT,
                fragment: Some(Fragment { offset: offset as u64, total_length: total as u64 }),
                ..primary.clone()
            };
            self.originate(now, fragment, class, payload.slice(offset..total.min(offset + piece)));
        }
        Ok(id)
    }

    /// Cancels a transmission (§5.12): what of it is still in the store is deleted, but for data that an application is being
    /// given. Returns how many bundles that were.
    pub fn cancel(&mut self, now: Instant, id: &BundleId) -> usize {
        let whole = id.whole();
        let here = self.cancel_here(now, &whole);
        let leaves = |s: &Stored| !matches!(s.place, Place::Part) && s.id().whole() == whole;
        let mut handles: Vec<Handle> =
            self.store.iter().filter(|(_, s)| leaves(s)).map(|(handle, _)| *handle).collect();
        handles.sort_unstable();
        for handle in &handles {
            self.delete_stored(now, *handle, ReasonCode::TransmissionCanceled);
        }
        here + handles.len()
    }

    /// Sends a bundle that starts here off. Each has a hop count, fragments too (§5.8 does not forbid it): without one a
    /// bundle could circle for ever.
    fn originate(&mut self, now: Instant, primary: PrimaryBlock, class: Class, payload: Bytes) {
        let expiry = self.expiry(now, &primary, Some(0));
        let stored = Stored {
            primary,
            extensions: first_extensions(self.config.hop_limit, self.config.has_clock, class),
            payload,
            payload_flags: BlockFlags(0),
            payload_crc: CrcType::Crc32c,
            arrived: now,
            expiry,
            class,
            place: Place::Paused,
            rejections: 0,
            rejected_by: Vec::new(),
            pauses: 0,
        };
        let bytes = stored.payload_length();
        self.notices.push_back(Notice::Created { id: stored.id(), bytes });
        if stored.footprint() > self.free_bytes() {
            self.delete(now, &stored.primary, bytes, ReasonCode::DepletedStorage);
            return;
        }
        let handle = self.admit(stored);
        self.dispatch(now, handle);
    }

    /// When [`Agent::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let forgetting = self.forgetting.first().map(|(at, _)| *at);
        self.agenda.first().map(|(at, _)| *at).into_iter().chain(forgetting).min()
    }

    /// Deletes what has expired by now (§5.5), and moves on what has waited for this time.
    pub fn handle_timeout(&mut self, now: Instant) {
        while self.forgetting.first().is_some_and(|(at, _)| *at <= now) {
            self.forget_first();
        }
        while self.agenda.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, due)) = self.agenda.pop_first() else { return };
            match due {
                Due::Expiry(handle) => {
                    if let Some(reason) = self.store.get(&handle).map(|s| s.expiry.reason) {
                        self.delete_stored(now, handle, reason);
                    }
                }
                Due::Reassembly(id) => self.reassembly_expired(now, &id),
                Due::Unit(handle) => self.unit_expired(now, handle),
                Due::Retry(handle) => {
                    if self.store.get(&handle).is_some_and(|s| matches!(s.place, Place::Paused)) {
                        self.forward(now, handle);
                    }
                }
                Due::Reroute(handle) => self.contact_over(now, handle),
            }
        }
    }

    /// The next notice, in the order in which things happened.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// What counts against [`Config::storage_limit`]: the bundles in the store, with their overhead. 0 if and only if there
    /// are none.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Bundles in the store.
    pub fn stored_bundles(&self) -> usize {
        self.store.len()
    }

    fn free_bytes(&self) -> u64 {
        self.config.storage_limit.saturating_sub(self.stored_bytes)
    }

    fn dtn_time_ms(&self, now: Instant) -> u64 {
        self.config.dtn_time_at_zero_ms.saturating_add_signed(now.as_nanos().div_euclid(1_000_000))
    }

    /// A creation timestamp that no bundle of this node has had (§4.2.7).
    fn creation_timestamp(&mut self, now: Instant) -> CreationTimestamp {
        let time_ms = if self.config.has_clock { self.dtn_time_ms(now) } else { 0 };
        let last = self.last_creation;
        let creation = if time_ms > last.time_ms {
            CreationTimestamp { time_ms, sequence: 0 }
        } else {
            CreationTimestamp { time_ms: last.time_ms, sequence: last.sequence + 1 }
        };
        self.last_creation = creation;
        self.change(|| Change::Created { creation });
        creation
    }

    /// When a bundle expires (§5.5): by its creation time, or by its age where the source had no clock or this node has
    /// none.
    fn expiry(&self, now: Instant, primary: &PrimaryBlock, age_ms: Option<u64>) -> Expiry {
        let millis = |ms: u64| Duration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        let lifetime = millis(primary.lifetime_ms);
        let end_of_life = if primary.creation.time_ms == 0 || !self.config.has_clock {
            // An age beyond the lifetime ends before now.
            now - millis(age_ms.unwrap_or(0)) + lifetime
        } else {
            instant_of_dtn(self.config.dtn_time_at_zero_ms, primary.creation.time_ms) + lifetime
        };
        Expiry::new(now, end_of_life)
    }

    /// Puts a bundle that there is room for in the store.
    fn admit(&mut self, stored: Stored) -> Handle {
        let handle = Handle(self.next_handle);
        self.next_handle += 1;
        if self.config.journal {
            let record = Record { arrived_ms: self.dtn_time_ms(stored.arrived), bundle: stored.record() };
            self.changes.push_back(Change::Put { handle, record });
        }
        self.keep(handle, stored);
        handle
    }

    fn keep(&mut self, handle: Handle, stored: Stored) {
        self.stored_bytes += stored.footprint();
        self.agenda.insert((stored.expiry.at, Due::Expiry(handle)));
        self.store.insert(handle, stored);
    }

    fn remove(&mut self, handle: Handle) -> Option<Stored> {
        let mut stored = self.store.remove(&handle)?;
        self.stored_bytes -= stored.footprint();
        self.agenda.remove(&(stored.expiry.at, Due::Expiry(handle)));
        self.leave_place(handle, &mut stored);
        self.change(|| Change::Remove { handle });
        Some(stored)
    }

    fn delete_stored(&mut self, now: Instant, handle: Handle, reason: ReasonCode) {
        let in_transit = self.store.get(&handle).is_some_and(|s| matches!(s.place, Place::InTransit(_)));
        let Some(stored) = self.remove(handle) else { return };
        if in_transit {
            self.notices.push_back(Notice::Abandoned { handle });
        }
        self.delete(now, &stored.primary, stored.payload_length(), reason);
    }

    /// Bundle Deletion (§5.10) of a bundle that is no longer in the store.
    fn delete(&mut self, now: Instant, primary: &PrimaryBlock, length: u64, reason: ReasonCode) {
        let id = BundleId::of(primary, length);
        self.notices.push_back(Notice::Deleted { id, bytes: length, reason });
        if primary.flags.contains(BundleFlags::REPORT_DELETION) {
            self.report(now, primary, length, report::Event::Deleted, reason);
        }
    }
}
