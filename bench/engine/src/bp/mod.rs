//! The bundle agent: RFC 9171, sections 5 and 6.
//!
//! # Order of calls
//! - [`Agent::transmit`] for an application, [`Agent::receive`] for what a convergence layer has brought,
//!   [`Agent::handle_timeout`] when [`Agent::poll_timeout`] is due.
//! - [`Agent::poll_forward`] whenever the convergence layer to a neighbour can take a bundle; the layer then says how that
//!   ended with [`Agent::forwarded`] or [`Agent::forwarding_failed`].
//! - [`Agent::poll_notice`] after each, until it is empty.
//!
//! # What this agent does with a long application data unit
//! A transmission may name the longest payload of a bundle. Longer data becomes fragments at the source (§5.8), and the
//! destination puts them together (§5.9): each bundle then fits a contact and an LTP block, and the store can let go of what
//! has gone on.

mod process;
mod reassembly;
mod report;
mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{
    BlockFlags, BundleFlags, CrcType, CreationTimestamp, Eid, Fragment, PrimaryBlock, ReasonCode, StatusReport,
};
use thiserror::Error;

use crate::ltp::Block;
use reassembly::Reassembly;
use store::{Stored, first_hop_count, footprint};

/// How often a bundle may fail to reach its next hop. After the last time it is deleted, so that one that the neighbour
/// never takes does not hold up the others and the store.
const FORWARDING_ATTEMPTS: u32 = 5;

/// What an agent is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node number of its node ID `ipn:<node>.0`.
    pub node: u64,
    /// DTN time (RFC 9171 §4.2.6), in milliseconds since 2000-01-01T00:00:00Z, of `Instant::ZERO`.
    pub dtn_time_at_zero_ms: u64,
    /// Most bytes that the store holds: payload, extension blocks, and an overhead of a few hundred bytes for each bundle.
    pub storage_limit: u64,
    /// Hop limit of the bundles that start here (§4.4.3).
    pub hop_limit: u64,
    /// Whether status reports are generated where bundles ask for them. §5.1 wants this off unless the traffic is known to
    /// bear it.
    pub status_reports: bool,
}

/// What tells one bundle from every other: source, creation timestamp and, for a fragment, its extent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    /// Source node ID.
    pub source: Eid,
    /// Creation timestamp.
    pub creation: CreationTimestamp,
    /// Offset and payload length, if it is a fragment.
    pub extent: Option<(u64, u64)>,
}

impl BundleId {
    /// The bundle that this one is a fragment of, or itself.
    pub fn whole(&self) -> BundleId {
        BundleId { extent: None, ..self.clone() }
    }
}

/// `<source> <creation time in ms>-<sequence>`, and `+<offset>` for a fragment.
impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-{}", self.source, self.creation.time_ms, self.creation.sequence)?;
        self.extent.map_or(Ok(()), |(offset, _)| write!(f, "+{offset}"))
    }
}

/// What an application asks to be sent (§5.2).
#[derive(Clone, Debug)]
pub struct Transmission {
    /// Where to.
    pub destination: Eid,
    /// Service number of the source endpoint on this node.
    pub service: u64,
    /// Where status reports go.
    pub report_to: Eid,
    /// Requests for status reports and the like. What kind of bundle it is, a fragment or an administrative record, is the
    /// agent's to say: such flags are ignored.
    pub flags: BundleFlags,
    /// How long the bundle is of use.
    pub lifetime: Duration,
    /// The application data unit.
    pub payload: Bytes,
    /// Longest payload of one bundle; longer data is fragmented.
    pub max_payload: Option<usize>,
}

/// Why a transmission was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransmitError {
    /// No route leads to the destination.
    #[error("no known route to {0} from this node")]
    NoRoute(Eid),
    /// The store has no room.
    #[error("the store is full: {needed} bytes needed, {free} bytes free")]
    DepletedStorage {
        /// Bytes that the bundle takes up, or its fragments together, overhead included.
        needed: u64,
        /// Bytes that the store still takes.
        free: u64,
    },
    /// The data is longer than one bundle may be, and the flags forbid to fragment it (§4.2.3).
    #[error("{0} bytes do not fit one bundle, and the bundle must not be fragmented")]
    MustNotFragment(u64),
}

/// A bundle in the store, as the convergence layer names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u64);

/// A bundle on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its name in the store.
    pub handle: Handle,
    /// The encoded bundle.
    pub block: Block,
}

/// What the agent tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A bundle started here.
    Created {
        /// Which.
        id: BundleId,
        /// Bytes of payload.
        bytes: u64,
    },
    /// A bundle came from a neighbour and is in the store, or in a reassembly.
    Received {
        /// Which.
        id: BundleId,
        /// Bytes of payload.
        bytes: u64,
        /// Node number of the neighbour.
        from: u64,
    },
    /// A bundle that had come before was dropped.
    Duplicate {
        /// Which.
        id: BundleId,
        /// Bytes of payload.
        bytes: u64,
    },
    /// A neighbour has the bundle.
    Forwarded {
        /// Which.
        id: BundleId,
        /// Bytes of payload.
        bytes: u64,
        /// Node number of the neighbour.
        to: u64,
    },
    /// Application data for an endpoint of this node.
    Delivered {
        /// The bundle, or the bundle that the fragments make up.
        id: BundleId,
        /// The destination endpoint.
        destination: Eid,
        /// The application data unit, in pieces.
        payload: Vec<Bytes>,
    },
    /// A bundle that the convergence layer has not concluded leaves the store. The layer may still be sending it, and shall
    /// cancel; the `Deleted` that follows says why.
    Abandoned {
        /// The bundle, as [`Agent::poll_forward`] named it.
        handle: Handle,
    },
    /// A bundle was deleted (§5.10).
    Deleted {
        /// Which.
        id: BundleId,
        /// Bytes of payload.
        bytes: u64,
        /// Why.
        reason: ReasonCode,
    },
    /// What a neighbour sent is no bundle (§5.6 step 3; there is nothing to report on).
    Unintelligible {
        /// Node number of the neighbour.
        from: u64,
        /// Length of what came.
        bytes: u64,
        /// Why, in words.
        reason: String,
    },
    /// A status report about a bundle has arrived.
    Reported {
        /// Who reports.
        by: Eid,
        /// The report.
        report: StatusReport,
    },
}

fn bundle_id(primary: &PrimaryBlock, payload: u64) -> BundleId {
    BundleId {
        source: primary.source.clone(),
        creation: primary.creation,
        extent: primary.fragment.map(|f| (f.offset, payload)),
    }
}

/// A bundle agent. See the [module](self) for the order of calls.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    routes: BTreeMap<u64, u64>,
    default_route: Option<u64>,
    services: BTreeSet<u64>,
    store: HashMap<Handle, Stored>,
    stored_bytes: u64,
    next_handle: u64,
    queues: BTreeMap<u64, VecDeque<Handle>>,
    reassemblies: HashMap<BundleId, Reassembly>,
    /// Bundles that have been here, until they expire.
    seen: HashSet<BundleId>,
    expiries: BTreeSet<(Instant, Expiring)>,
    last_creation: CreationTimestamp,
    notices: VecDeque<Notice>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Expiring {
    Stored(Handle),
    Reassembly(BundleId),
    Seen(BundleId),
}

impl Agent {
    /// An agent without routes. Its administrative endpoint `ipn:<node>.0` always exists.
    pub fn new(config: Config) -> Self {
        Agent {
            config,
            routes: BTreeMap::new(),
            default_route: None,
            services: BTreeSet::new(),
            store: HashMap::new(),
            stored_bytes: 0,
            next_handle: 0,
            queues: BTreeMap::new(),
            reassemblies: HashMap::new(),
            seen: HashSet::new(),
            expiries: BTreeSet::new(),
            last_creation: CreationTimestamp { time_ms: 0, sequence: 0 },
            notices: VecDeque::new(),
        }
    }

    /// Sends bundles for node `destination` by way of neighbour `next_hop`.
    pub fn add_route(&mut self, destination: u64, next_hop: u64) {
        self.routes.insert(destination, next_hop);
    }

    /// Sends bundles for every other node by way of neighbour `next_hop`.
    pub fn set_default_route(&mut self, next_hop: u64) {
        self.default_route = Some(next_hop);
    }

    /// Registers an application at `ipn:<node>.<service>`.
    pub fn register(&mut self, service: u64) {
        self.services.insert(service);
    }

    /// The node ID of this agent.
    pub fn node_id(&self) -> Eid {
        Eid::ipn(self.config.node, 0)
    }

    /// Bundle Transmission (§5.2). Returns the bundle, or the bundle that its fragments make up.
    ///
    /// # Errors
    /// No route, no room in the store, or data that may not be fragmented and is too long.
    pub fn transmit(&mut self, now: Instant, transmission: Transmission) -> Result<BundleId, TransmitError> {
        let Transmission { destination, service, report_to, flags, lifetime, payload, max_payload } = transmission;
        if destination.node() != Some(self.config.node) && self.next_hop(&destination).is_none() {
            return Err(TransmitError::NoRoute(destination));
        }
        let flags = BundleFlags(flags.0 & !(BundleFlags::IS_FRAGMENT | BundleFlags::IS_ADMIN_RECORD).0);
        let total = payload.len();
        let piece = max_payload.unwrap_or(usize::MAX).max(1);
        if total > piece && flags.contains(BundleFlags::MUST_NOT_FRAGMENT) {
            return Err(TransmitError::MustNotFragment(total as u64));
        }
        let bundles = total.div_ceil(piece).max(1) as u64;
        let needed = total as u64 + bundles * footprint(0, &[first_hop_count(self.config.hop_limit)]);
        let free = self.free_bytes();
        if needed > free {
            return Err(TransmitError::DepletedStorage { needed, free });
        }
        let primary = PrimaryBlock {
            flags,
            crc: CrcType::Crc32c,
            destination,
            source: Eid::ipn(self.config.node, service),
            report_to,
            creation: self.creation_timestamp(now),
            lifetime_ms: u64::try_from(lifetime.as_millis()).unwrap_or(0),
            fragment: None,
        };
        let id = bundle_id(&primary, total as u64);
        if total <= piece {
            self.originate(now, primary, payload);
            return Ok(id);
        }
        for offset in (0..total).step_by(piece) {
            let fragment = PrimaryBlock {
                flags: flags | BundleFlags::IS_FRAGMENT,
                fragment: Some(Fragment { offset: offset as u64, total_length: total as u64 }),
                ..primary.clone()
            };
            self.originate(now, fragment, payload.slice(offset..total.min(offset + piece)));
        }
        Ok(id)
    }

    /// Sends a bundle that starts here off. Each has a hop count, fragments too (§5.8 does not forbid it): without one a
    /// bundle could circle for ever.
    fn originate(&mut self, now: Instant, primary: PrimaryBlock, payload: Bytes) {
        let expiry = self.expiry(now, &primary, 0);
        let stored = Stored {
            primary,
            extensions: vec![first_hop_count(self.config.hop_limit)],
            payload,
            payload_flags: BlockFlags(0),
            payload_crc: CrcType::Crc32c,
            arrived: now,
            expiry,
            next_hop: 0,
            in_transit: false,
            failed_attempts: 0,
        };
        let bytes = stored.payload_length();
        self.notices.push_back(Notice::Created { id: stored.id(), bytes });
        if stored.footprint() > self.free_bytes() {
            self.delete(now, &stored.primary, bytes, ReasonCode::DepletedStorage);
            return;
        }
        self.dispatch(now, stored);
    }

    /// Takes the next bundle for a neighbour off its queue. It stays in the store until the convergence layer has told how
    /// the transmission ended. What has expired by now is deleted instead.
    pub fn poll_forward(&mut self, now: Instant, neighbour: u64) -> Option<Outgoing> {
        self.handle_timeout(now);
        let here = self.node_id();
        let queue = self.queues.get_mut(&neighbour)?;
        loop {
            let handle = queue.pop_front()?;
            // Bundles that were deleted leave their handles in the queue.
            if let Some(stored) = self.store.get_mut(&handle) {
                stored.in_transit = true;
                return Some(Outgoing { handle, block: stored.encode(now, here) });
            }
        }
    }

    /// Whether a bundle waits for this neighbour.
    pub fn has_queued(&self, neighbour: u64) -> bool {
        self.queues.get(&neighbour).is_some_and(|q| !q.is_empty())
    }

    /// The neighbour has the bundle (§5.4 step 6): the store lets it go.
    pub fn forwarded(&mut self, now: Instant, handle: Handle) {
        let Some(stored) = self.remove(handle) else { return };
        let (id, bytes, to) = (stored.id(), stored.payload_length(), stored.next_hop);
        self.notices.push_back(Notice::Forwarded { id, bytes, to });
        if stored.primary.flags.contains(BundleFlags::REPORT_FORWARDING) {
            self.report(now, &stored.primary, bytes, report::Event::Forwarded, ReasonCode::NoAdditionalInformation);
        }
    }

    /// The convergence layer gave the bundle up. It goes to the end of its queue and is tried again; after the fifth failure
    /// it is deleted (§5.4 step 5 leaves the number to the agent).
    pub fn forwarding_failed(&mut self, now: Instant, handle: Handle) {
        let Some(stored) = self.store.get_mut(&handle).filter(|s| s.in_transit) else { return };
        stored.in_transit = false;
        stored.failed_attempts += 1;
        if stored.failed_attempts < FORWARDING_ATTEMPTS {
            self.queues.entry(stored.next_hop).or_default().push_back(handle);
        } else {
            self.delete_stored(now, handle, ReasonCode::TransmissionCanceled);
        }
    }

    /// When [`Agent::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Deletes what has expired by now (§5.5).
    pub fn handle_timeout(&mut self, now: Instant) {
        while self.expiries.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, expiring)) = self.expiries.pop_first() else { return };
            match expiring {
                Expiring::Stored(handle) => {
                    if let Some(reason) = self.store.get(&handle).map(|s| s.expiry.reason) {
                        self.delete_stored(now, handle, reason);
                    }
                }
                Expiring::Reassembly(id) => {
                    if let Some(reassembly) = self.end_reassembly(&id) {
                        let (bytes, reason) = (reassembly.held_bytes(), reassembly.expiry().reason);
                        self.delete(now, reassembly.primary(), bytes, reason);
                    }
                }
                Expiring::Seen(id) => {
                    self.seen.remove(&id);
                }
            }
        }
    }

    /// The next notice, in the order in which things happened.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// What counts against [`Config::storage_limit`]: the bundles in the store and the parts of unfinished reassemblies,
    /// with their overhead. 0 if and only if there are none.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    fn free_bytes(&self) -> u64 {
        self.config.storage_limit.saturating_sub(self.stored_bytes)
    }

    fn dtn_time_ms(&self, now: Instant) -> u64 {
        self.config.dtn_time_at_zero_ms.saturating_add_signed(now.as_nanos().div_euclid(1_000_000))
    }

    /// A creation timestamp that no bundle of this node has had (§4.2.7).
    fn creation_timestamp(&mut self, now: Instant) -> CreationTimestamp {
        let time_ms = self.dtn_time_ms(now);
        let last = self.last_creation;
        let next = if time_ms > last.time_ms {
            CreationTimestamp { time_ms, sequence: 0 }
        } else {
            CreationTimestamp { time_ms: last.time_ms, sequence: last.sequence + 1 }
        };
        self.last_creation = next;
        next
    }

    fn next_hop(&self, destination: &Eid) -> Option<u64> {
        let node = destination.node()?;
        self.routes.get(&node).copied().or(self.default_route)
    }

    fn remove(&mut self, handle: Handle) -> Option<Stored> {
        let stored = self.store.remove(&handle)?;
        self.stored_bytes -= stored.footprint();
        self.expiries.remove(&(stored.expiry.at, Expiring::Stored(handle)));
        Some(stored)
    }

    fn delete_stored(&mut self, now: Instant, handle: Handle, reason: ReasonCode) {
        let Some(stored) = self.remove(handle) else { return };
        if stored.in_transit {
            self.notices.push_back(Notice::Abandoned { handle });
        }
        self.delete(now, &stored.primary, stored.payload_length(), reason);
    }

    fn end_reassembly(&mut self, id: &BundleId) -> Option<Reassembly> {
        let reassembly = self.reassemblies.remove(id)?;
        self.stored_bytes -= reassembly.footprint();
        self.expiries.remove(&(reassembly.expiry().at, Expiring::Reassembly(id.clone())));
        Some(reassembly)
    }
}
