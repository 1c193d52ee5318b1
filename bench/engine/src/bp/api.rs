//! What an agent is told and what it tells.

use std::fmt;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{BundleFlags, CreationTimestamp, Eid, PrimaryBlock, ReasonCode, StatusReport};
use thiserror::Error;

use crate::class::Class;
use crate::ltp::Block;

/// What an agent is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its node ID: `ipn:<number>.0` or `dtn://<name>/`.
    pub node_id: Eid,
    /// DTN time (RFC 9171 §4.2.6), in milliseconds since 2000-01-01T00:00:00Z, of `Instant::ZERO`.
    pub dtn_time_at_zero_ms: u64,
    /// Whether the node knows the time of day. One that does not gives its bundles a creation time of zero and a Bundle Age
    /// block (§4.2.7), and judges the age of all bundles by that block.
    pub has_clock: bool,
    /// Most bytes that the store holds: payload, extension blocks, and an overhead of a few hundred bytes for each bundle.
    pub storage_limit: u64,
    /// Hop limit of the bundles that start here (§4.4.3).
    pub hop_limit: u64,
    /// Whether status reports are generated where bundles ask for them. §5.1 wants this off unless the traffic is known to
    /// bear it.
    pub status_reports: bool,
    /// Most bundles that are remembered after they have gone, so that they are known when they come again. The one that
    /// would be forgotten first goes first.
    pub memory_limit: usize,
    /// Whether a bundle without a way waits for one until its lifetime ends, as it must where neighbours come and go
    /// unplanned. Otherwise it is refused, or deleted and reported, at once.
    pub hold_for_opportunity: bool,
    /// Whether what must outlive the process is told by [`Agent::poll_change`](super::Agent::poll_change).
    pub journal: bool,
}

impl Config {
    /// A node with a clock, 1 GiB of store in memory, 32 hops, no status reports, and a memory of 262,144 bundles.
    pub fn new(node_id: Eid) -> Self {
        Config {
            node_id,
            dtn_time_at_zero_ms: 0,
            has_clock: true,
            storage_limit: 1 << 30,
            hop_limit: 32,
            status_reports: false,
            memory_limit: 1 << 18,
            hold_for_opportunity: false,
            journal: false,
        }
    }
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
    /// The name of the bundle with this primary block and a payload of this length.
    pub fn of(primary: &PrimaryBlock, payload: u64) -> BundleId {
        BundleId {
            source: primary.source.clone(),
            creation: primary.creation,
            extent: primary.fragment.map(|f| (f.offset, payload)),
        }
    }

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
    /// The source: an endpoint of this node, or `dtn:none` for an anonymous bundle (§4.2.3).
    pub source: Eid,
    /// Where status reports go.
    pub report_to: Eid,
    /// Requests for status reports and the like. What kind of bundle it is, a fragment or an administrative record, is the
    /// agent's to say: such flags are ignored.
    pub flags: BundleFlags,
    /// How long the bundle is of use.
    pub lifetime: Duration,
    /// The class that it is forwarded in. Any but the normal one is told to later nodes in a quality-of-service block.
    pub class: Class,
    /// The application data unit.
    pub payload: Bytes,
    /// Longest payload of one bundle; longer data is fragmented.
    pub max_payload: Option<usize>,
}

impl Transmission {
    /// A bundle of class normal that asks for no reports, of use for a day.
    pub fn new(source: Eid, destination: Eid, payload: Bytes) -> Self {
        Transmission {
            destination,
            source,
            report_to: Eid::None,
            flags: BundleFlags(0),
            lifetime: Duration::from_secs(86_400),
            class: Class::Normal,
            payload,
            max_payload: None,
        }
    }
}

/// Why a transmission was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransmitError {
    /// No route leads to the destination.
    #[error("no known route to {0} from this node")]
    NoRoute(Eid),
    /// The contacts ahead do not bring the bundle to the destination within its lifetime.
    #[error("no contact ahead brings a bundle to {destination} in time: {reason}")]
    NoTimelyContact {
        /// Where to.
        destination: Eid,
        /// What stands in the way.
        reason: String,
    },
    /// The source is an endpoint of another node.
    #[error("{0} is no endpoint of this node: a source is, or it is dtn:none")]
    ForeignSource(Eid),
    /// §4.2.3: nobody could tell which anonymous bundle a report or a fragment is about.
    #[error("an anonymous bundle asks for no status reports and is not fragmented")]
    Anonymous,
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

/// A bundle in the store, or application data that waits to be delivered. Restored after a restart, it keeps its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u64);

/// A bundle on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its name in the store.
    pub handle: Handle,
    /// Its class.
    pub class: Class,
    /// The encoded bundle.
    pub block: Block,
}

/// Whether a convergence layer can still tell the neighbour that a bundle was not taken, so that the neighbour keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It can: LTP cancels the session, TCPCL refuses the transfer. What finds no room leaves no trace here.
    Possible,
    /// It cannot: the neighbour has let go of the bundle. What finds no room is deleted, which is reported.
    Impossible,
}

/// A bundle that found no room, and that the neighbour shall keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the store is full: {needed} bytes needed, {free} bytes free")]
pub struct NoRoom {
    /// Bytes that the bundle would take up, overhead included.
    pub needed: u64,
    /// Bytes that the store still takes.
    pub free: u64,
}

/// How a transmission to a neighbour failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The link gave up: too many retransmissions, a closed connection. The bundle is routed anew at once.
    Link,
    /// The neighbour has no room now. The bundle is tried again after a pause that doubles each time.
    NoResources,
    /// The neighbour does not want it. Tried again after a pause; after the fifth time the bundle is deleted (§5.4 step 5
    /// leaves the number to the agent), so that one that is never taken does not hold up the store.
    Rejected,
}

/// What happens to application data that cannot be delivered at once (§5.7 step 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailureAction {
    /// It waits until the registration is active, or polled.
    #[default]
    Defer,
    /// It is given up, which counts as a deletion: "destination endpoint ID unavailable".
    Abandon,
}

/// A registration of an application at an endpoint (§3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// In the Active state data is delivered as it comes, in the Passive state when it is asked for.
    pub active: bool,
    /// The delivery failure action.
    pub on_failure: FailureAction,
}

impl Registration {
    /// Active; what cannot be delivered waits.
    pub const ACTIVE: Registration = Registration { active: true, on_failure: FailureAction::Defer };
    /// Passive; what comes waits.
    pub const PASSIVE: Registration = Registration { active: false, on_failure: FailureAction::Defer };
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
    /// A bundle came from a neighbour and is in the store.
    Received {
        /// Which.
        id: BundleId,
        /// Bytes of payload.
        bytes: u64,
        /// Node ID of the neighbour.
        from: Eid,
    },
    /// A bundle that had come before was dropped.
    Duplicate {
        /// Which.
        id: BundleId,
        /// Bytes of payload.
        bytes: u64,
    },
    /// A bundle found no room, and the neighbour keeps it.
    Refused {
        /// Which.
        id: BundleId,
        /// Bytes of payload.
        bytes: u64,
        /// Node ID of the neighbour.
        from: Eid,
        /// What was missing.
        cause: NoRoom,
    },
    /// A neighbour has the bundle.
    Forwarded {
        /// Which.
        id: BundleId,
        /// Bytes of payload.
        bytes: u64,
        /// Node ID of the neighbour.
        to: Eid,
    },
    /// Application data for an endpoint of this node. It stays in the store until the owner says with
    /// [`Agent::delivered`](super::Agent::delivered) or [`Agent::delivery_failed`](super::Agent::delivery_failed) how the
    /// delivery ended.
    Delivery {
        /// Its name.
        handle: Handle,
        /// The bundle, or the bundle that the fragments make up.
        id: BundleId,
        /// The destination endpoint.
        destination: Eid,
        /// The application data unit, in pieces.
        payload: Vec<Bytes>,
    },
    /// The application has the data.
    Delivered {
        /// The bundle, or the bundle that the fragments make up.
        id: BundleId,
        /// Bytes of payload.
        bytes: u64,
    },
    /// A bundle that the convergence layer has not concluded leaves the store. The layer may still be sending it, and shall
    /// cancel; the `Deleted` that follows says why.
    Abandoned {
        /// The bundle, as [`Agent::poll_forward`](super::Agent::poll_forward) named it.
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
        /// Node ID of the neighbour.
        from: Eid,
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

/// What must outlive the process, in the order in which it came about. A store that has applied some of these, up to any
/// point in the order, can start the agent again from there.
#[derive(Clone, Debug)]
pub enum Change {
    /// A bundle is in the store.
    Put {
        /// Its name.
        handle: Handle,
        /// The bundle.
        record: Record,
    },
    /// A bundle has left the store.
    Remove {
        /// Its name.
        handle: Handle,
    },
    /// A bundle has been here and shall be known when it comes again.
    Remember {
        /// Which.
        id: BundleId,
        /// DTN time in milliseconds from which on it may be forgotten.
        until_ms: u64,
    },
    /// A bundle need no longer be known.
    Forget {
        /// Which.
        id: BundleId,
    },
    /// The latest creation timestamp that this node has given.
    Created {
        /// The timestamp.
        creation: CreationTimestamp,
    },
}

/// A bundle as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// DTN time in milliseconds at which it arrived or was created.
    pub arrived_ms: u64,
    /// The bundle as it came, encoded.
    pub bundle: Block,
}

/// What a store gives back after a restart.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Bundles, in the order of their names.
    pub bundles: Vec<(Handle, Record)>,
    /// Bundles to be known, and until when, in milliseconds of DTN time.
    pub remembered: Vec<(BundleId, u64)>,
    /// The latest creation timestamp, if any.
    pub created: Option<CreationTimestamp>,
}

/// The instant of a DTN time.
pub(super) fn instant_of_dtn(zero_ms: u64, dtn_ms: u64) -> Instant {
    let since = i64::try_from(i128::from(dtn_ms) - i128::from(zero_ms)).unwrap_or(i64::MAX);
    Instant::ZERO + Duration::from_millis(since)
}
