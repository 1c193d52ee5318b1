//! What the tester knows of the node under test: names, timers, limits, and what it offers.

use std::collections::BTreeSet;
use std::fmt;

use farlink_units::Duration;
use farlink_wire::bpv7::Eid;

use crate::medium::Door;

/// What the tester knows of the node.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The node's name, for people.
    pub name: String,
    /// From the tester to the node and back.
    pub round_trip: Duration,
    /// What the node may take to answer, beyond the round trip.
    pub response: Duration,
    /// What the node offers, by the names that the catalogue gives to needs.
    pub offers: BTreeSet<String>,
    /// How it is made to send bundles.
    pub originate: Originate,
    /// LTP, if it speaks it.
    pub ltp: Option<LtpProfile>,
    /// The Bundle Protocol, if it speaks it.
    pub bundles: Option<BundleProfile>,
    /// TCPCL, if it speaks it.
    pub tcpcl: Option<TcpclProfile>,
    /// The endpoint that the tester has behind each door, for bundles that the node sends there.
    pub endpoints: Vec<(Door, Eid)>,
    /// When the link to it is open, counted from the start of the node, if it follows a schedule.
    pub contacts: Vec<ContactProfile>,
}

/// How a node is made to send bundles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Originate {
    /// By [`Order::Originate`](crate::Order::Originate).
    Ordered,
    /// The tester sends it a bundle whose way leads back to the tester.
    #[default]
    Relayed,
    /// Not at all: only what it sends by itself is judged.
    Passive,
}

/// The node's LTP engine.
#[derive(Clone, Debug, PartialEq)]
pub struct LtpProfile {
    /// Its engine ID (`E_D`).
    pub engine: u64,
    /// The engine ID under which it knows the tester (`E_T`).
    pub tester: u64,
    /// A second engine ID under which it knows the tester, at [`Door::SecondLtp`].
    pub second_tester: Option<u64>,
    /// The client service that it serves (`SVC`).
    pub service: u64,
    /// One that it does not.
    pub unused_service: u64,
    /// By how much it declares to delay reports or retransmissions (`T_defer`).
    pub defer: Duration,
    /// Interval of its checkpoint timer (`T_cp`).
    pub checkpoint_timer: Duration,
    /// Interval of its report timer (`T_rs`).
    pub report_timer: Duration,
    /// Interval of its cancel timer (`T_cx`).
    pub cancel_timer: Duration,
    /// How often it repeats a checkpoint (`N_cp`).
    pub checkpoint_limit: u32,
    /// How often it repeats a report (`N_rs`).
    pub report_limit: u32,
    /// How often it repeats a cancel segment (`N_cx`).
    pub cancel_limit: u32,
    /// Its problem limit, if it declares one: rounds of report and retransmission.
    pub problem_limit: Option<u32>,
    /// Its limit of retransmission cycles, if it declares one.
    pub cycle_limit: Option<u32>,
    /// The longest segment that it sends, in octets.
    pub segment_size: usize,
    /// An endpoint at the tester that the node reaches over LTP, where it is made to send by relaying.
    pub relay: Option<Eid>,
    /// Authentication that it demands, if it is configured so (RFC 5327).
    pub authentication: Option<LtpKey>,
}

/// A shared key of LTP authentication (RFC 5327 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LtpKey {
    /// The ciphersuite: 0 for HMAC-SHA1-80.
    pub suite: u8,
    /// The key ID, as its octets go over the wire.
    pub id: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

/// The node's bundle agent. Names as in the conventions of `bpv7.yaml`.
#[derive(Clone, Debug, PartialEq)]
pub struct BundleProfile {
    /// The door that carries the bundles of the suite.
    pub carrier: Door,
    /// Its node ID (`N_D`).
    pub node: Eid,
    /// The tester's node ID (`N_T`).
    pub tester: Eid,
    /// An endpoint whose next hop is the tester (`D_FWD`).
    pub forward: Eid,
    /// An endpoint that is registered at the node (`D_LOC`).
    pub local: Eid,
    /// An endpoint at the node whose registration is passive.
    pub passive: Option<Eid>,
    /// An endpoint without a route (`D_NONE`).
    pub unroutable: Eid,
    /// Where status reports come to the tester (`R_T`).
    pub report_to: Eid,
    /// Another endpoint that leads to the tester.
    pub other_report_to: Eid,
    /// A `dtn` endpoint that leads to the tester, if the node knows the scheme.
    pub dtn_forward: Option<Eid>,
    /// DTN time in milliseconds at the instant zero of the tester.
    pub dtn_time_at_zero_ms: u64,
    /// Longest time from reception to forwarding (`T_fwd`).
    pub forwarding: Duration,
    /// Longest time until a status report arrives (`T_sr`).
    pub reporting: Duration,
    /// How exactly it handles expiry (`T_exp`).
    pub expiry: Duration,
    /// How far its clock may be off (`T_skew`).
    pub skew: Duration,
    /// Block types that it does not know.
    pub unknown_blocks: [u64; 3],
    /// Most octets of a bundle that it sends over the carrier, where it fragments longer ones.
    pub longest_bundle: Option<usize>,
    /// Longest IP packet between it and the tester, in octets.
    pub path_mtu: usize,
    /// Longest bundle that it takes, in octets, as far as the carrier has no lower bound.
    pub longest_taken: usize,
    /// Whether it is configured to put a Previous Node block in every bundle that it forwards (RFC 9171 section 5.4).
    pub names_itself: bool,
}

/// The node's TCP convergence layer.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpclProfile {
    /// The node ID under which the tester opens sessions, and which the node expects where it connects.
    pub tester: Eid,
    /// TLS, if the node speaks it.
    pub tls: Option<TlsProfile>,
    /// Whether it takes connections of the tester.
    pub listens: bool,
    /// Whether it connects to the tester.
    pub connects: bool,
    /// Whether it connects only when it has something to send, so that it is given a bundle first.
    pub on_demand: bool,
    /// The keepalive interval that it proposes, in seconds.
    pub keepalive_s: Option<u16>,
    /// How long it waits for a contact header (`T_contact`).
    pub contact_timeout: Duration,
    /// How long it waits for SESS_INIT (`T_init`).
    pub init_timeout: Duration,
    /// After how long without an octet it ends a session, if not after twice the keepalive interval (`T_idle`).
    pub idle_timeout: Option<Duration>,
    /// How long it may take to close after the last message (`T_close`).
    pub close_timeout: Duration,
    /// How long after the end of a session it may still give it bundles that belong to the next. So long the tester waits
    /// before it connects.
    pub pause: Duration,
}

/// How sessions with the node are secured.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsProfile {
    /// Whether the node refuses sessions without TLS.
    pub require: bool,
    /// A certificate chain of the tester that the node accepts, as PEM, its end entity first. It names the tester's node ID.
    pub certificate: String,
    /// Its key, as PEM.
    pub key: String,
    /// Certificate and key, as PEM, of the authority that the node trusts (need `test-ca`).
    pub authority: Option<(String, String)>,
    /// The host name under which the node connects to the tester (need `dns`).
    pub name: Option<String>,
}

impl fmt::Debug for TlsProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys stay out of logs.
        f.debug_struct("TlsProfile").field("require", &self.require).field("name", &self.name).finish_non_exhaustive()
    }
}

/// A time in which the node may send to the tester and the tester to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactProfile {
    /// Its start, counted from the start of the node.
    pub start: Duration,
    /// Its end.
    pub end: Duration,
}

impl Profile {
    /// The bound for any immediate answer, and the window in which nothing must come where nothing may (`T_ack`).
    pub fn answer_time(&self) -> Duration {
        self.round_trip + self.response + self.ltp.as_ref().map_or(Duration::ZERO, |ltp| ltp.defer)
    }

    /// The endpoint that the tester has behind a door.
    pub fn endpoint(&self, door: Door) -> Option<&Eid> {
        self.endpoints.iter().find(|(other, _)| *other == door).map(|(_, endpoint)| endpoint)
    }

    /// Whether the node offers something.
    pub fn offers(&self, need: &str) -> bool {
        self.offers.contains(need)
    }
}
