//! A node file as the node takes it.

use std::net::SocketAddr;
use std::path::PathBuf;

use farlink_engine::bp::Registration;
use farlink_engine::routing::StaticRoute;
use farlink_units::{BitRate, Duration, Ratio, Size};
use farlink_wire::bpv7::Eid;
use hifitime::Epoch;

use crate::model::SourceText;
use crate::problem::{FileWarnings, Problem};

/// A checked node file. Lists stand in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSettings {
    /// The node ID (RFC 9171 section 4.2.5.2), of the ipn or dtn scheme.
    pub node: Eid,
    /// The ID of its LTP engine: what the file says, else the node number. Present whenever the node speaks LTP.
    pub engine: Option<u64>,
    /// Whether it has an accurate clock. Without one its bundles have creation time 0 and a Bundle Age block (RFC 9171
    /// sections 4.2.7 and 4.4.2).
    pub clock: bool,
    /// Where bundles are kept.
    pub storage: Storage,
    /// Whether it sends the status reports that bundles ask for (RFC 9171 section 5.1).
    pub status_reports: bool,
    /// The limit in the Hop Count block of its own bundles, 1 … 255 (RFC 9171 section 4.4.3); `None` for no such block.
    pub hop_limit: Option<u8>,
    /// What its randomness is derived from; `None` leaves it to the process.
    pub seed: Option<u64>,
    /// The endpoints that exist here. All are of this node, none is its administrative endpoint.
    pub endpoints: Vec<Endpoint>,
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// The nodes it can reach, or that may connect to it.
    pub neighbours: Vec<Neighbour>,
    /// The static routes, without two for the same pattern and next hop.
    pub routes: Vec<StaticRoute>,
    /// The contact plan. Unless it is empty, the node routes by it.
    pub contacts: Vec<PlannedContact>,
    /// Whether nodes that are no neighbours may connect by TCPCL, and bundles be exchanged with them.
    pub opportunistic: bool,
    /// The file this was read from.
    pub source: SourceText,
    pub(crate) warnings: Vec<Problem>,
}

impl NodeSettings {
    /// A node that listens nowhere and knows nobody, with the values that a file has where it says nothing: a clock, 1 GiB of
    /// store in memory, no status reports. For those who describe a node without a file.
    pub fn new(node: Eid) -> Self {
        NodeSettings {
            engine: node.node(),
            node,
            clock: true,
            storage: Storage { limit: Size::from_bytes(1 << 30), folder: None },
            status_reports: false,
            hop_limit: None,
            seed: None,
            endpoints: Vec::new(),
            listeners: Vec::new(),
            neighbours: Vec::new(),
            routes: Vec::new(),
            contacts: Vec::new(),
            opportunistic: true,
            source: SourceText { path: PathBuf::new(), text: "".into() },
            warnings: Vec::new(),
        }
    }

    /// What is allowed but probably not meant, ready to be shown; `None` if there is nothing to say.
    pub fn warnings(&self) -> Option<FileWarnings> {
        (!self.warnings.is_empty()).then(|| FileWarnings::new(&self.source, self.warnings.clone()))
    }

    /// The neighbour with this node ID.
    pub fn neighbour(&self, node: &Eid) -> Option<&Neighbour> {
        self.neighbours.iter().find(|neighbour| neighbour.node == *node)
    }
}

/// Where bundles are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// How much bundle data, at least 1 KiB.
    pub limit: Size,
    /// The folder on disk, which need not exist yet; `None` keeps bundles in memory only.
    pub folder: Option<PathBuf>,
}

/// An endpoint of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its ID.
    pub eid: Eid,
    /// Whether data is delivered as it comes, and what becomes of it otherwise. Active only with something to deliver to.
    pub registration: Registration,
    /// What its data goes to; `None` if it waits until it is asked for.
    pub deliver: Option<Deliver>,
}

/// What application data goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deliver {
    /// A directory, in which each piece becomes a file. It need not exist yet.
    Directory(PathBuf),
    /// A file, which always holds the latest piece.
    File(PathBuf),
    /// A program and its arguments, started for each piece. A program with a `/` in it is a path, else it is looked up.
    Program {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// The path of a local (Unix) socket, at most 107 bytes long, to which applications connect.
    Socket(PathBuf),
}

/// Where the node listens, and for what. Port 0 leaves the choice of the port to the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// LTP over UDP (RFC 7122).
    Ltp(SocketAddr),
    /// TCPCL version 4 (RFC 9174).
    Tcpcl {
        /// The TCP address.
        address: SocketAddr,
        /// How sessions are secured; `None` for not at all. [`TlsFiles::identity`] is present.
        tls: Option<TlsFiles>,
    },
    /// STCP, over TCP.
    Stcp(SocketAddr),
    /// MTCP, over TCP.
    Mtcp(SocketAddr),
    /// Bundles in UDP datagrams (RFC 7122).
    Udp(SocketAddr),
}

impl Listener {
    /// The address of TCP or UDP.
    pub fn address(&self) -> SocketAddr {
        match self {
            Listener::Ltp(address) | Listener::Stcp(address) | Listener::Mtcp(address) | Listener::Udp(address) => {
                *address
            }
            Listener::Tcpcl { address, .. } => *address,
        }
    }
}

/// Another node, and how to reach it.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbour {
    /// Its node ID.
    pub node: Eid,
    /// The convergence layer to it.
    pub layer: Layer,
}

/// A convergence layer to a neighbour. No destination has port 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// LTP over UDP (RFC 7122).
    Ltp(LtpNeighbour),
    /// TCPCL version 4 (RFC 9174).
    Tcpcl(TcpclNeighbour),
    /// STCP, over TCP.
    Stcp {
        /// Its TCP address.
        to: SocketAddr,
    },
    /// MTCP, over TCP.
    Mtcp {
        /// Its TCP address.
        to: SocketAddr,
    },
    /// Bundles in UDP datagrams (RFC 7122).
    Udp {
        /// Its UDP address.
        to: SocketAddr,
        /// The most that is sent to it, since nothing else holds datagrams back; `None` for no limit.
        rate: Option<BitRate>,
    },
}

/// A neighbour that is reached by LTP.
#[derive(Clone, Debug, PartialEq)]
pub struct LtpNeighbour {
    /// Its UDP address.
    pub to: SocketAddr,
    /// Its LTP engine ID: what the file says, else its node number. No two neighbours have the same, nor that of this node.
    pub engine: u64,
    /// The one-way light time to it and back, 0 s … 10 d.
    pub light_time: Duration,
    /// The rate at which segments are sent; `None` for as fast as they go.
    pub rate: Option<BitRate>,
    /// What is added to twice the light time before a segment counts as unanswered ("additional anticipated latency", RFC
    /// 5326 section 6.5), 0 s … 10 d.
    pub response_margin: Duration,
    /// The most bytes in one segment, LTP header and extensions included, 128 … 65507.
    pub segment_size: Size,
    /// How bundles are put together into blocks; `None` for one bundle a block.
    pub aggregate: Option<Aggregation>,
    /// The width of session numbers.
    pub session_numbers: SessionNumberWidth,
    /// A discretionary checkpoint is sent whenever so much has gone since the last one (RFC 5326 section 4.1), at least 1 KiB;
    /// `None` for none.
    pub checkpoint_every: Option<Size>,
    /// How often a checkpoint or report is retransmitted before the session is cancelled, 1 … 1000.
    pub retransmission_limit: u32,
    /// How segments are authenticated, both ways (RFC 5327 section 2.1); `None` for not at all.
    pub authentication: Option<LtpAuthentication>,
}

/// When bundles that wait become one LTP block: as soon as either limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// The bytes of the block, 1 B … 1 GiB.
    pub size: Size,
    /// How long the first of them has waited, above 0 s, at most 1 h.
    pub time: Duration,
}

/// The width of LTP session numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionNumberWidth {
    /// 32 bits: some implementations refuse longer ones.
    #[default]
    Bits32,
    /// 64 bits.
    Bits64,
}

/// LTP authentication (RFC 5327 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LtpAuthentication {
    /// The ciphersuite.
    pub suite: LtpCiphersuite,
    /// What tells the receiver which key it is.
    pub key_id: Option<u64>,
    /// The file of the key, which could be opened and was not empty when the node file was read. `None` only with
    /// [`LtpCiphersuite::Null`], whose key is in the RFC.
    pub key_file: Option<PathBuf>,
}

/// A ciphersuite of LTP authentication (RFC 5327 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LtpCiphersuite {
    /// 0: the leftmost 80 bits of an HMAC with SHA-1.
    HmacSha1_80,
    /// 1: a signature by RSA with SHA-256.
    RsaSha256,
    /// 255: a strong checksum, with a key that everybody knows.
    Null,
}

/// A neighbour that is reached by TCPCL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpclNeighbour {
    /// Its TCP address; `None` if it connects to us, which only happens where there is a TCPCL listener.
    pub to: Option<SocketAddr>,
    /// The keepalive interval that we propose, in whole seconds, 0 … 65535 (RFC 9174 section 4.7); 0 for none.
    pub keepalive_s: u16,
    /// The most bytes of data in a segment that we send, 1 KiB … 1 GiB.
    pub segment_size: Size,
    /// How the session is secured; `None` for not at all.
    pub tls: Option<TlsFiles>,
}

/// How a TCPCL session is secured by TLS (RFC 9174 section 4.4). Each file could be opened and was not empty when the node file
/// was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificates in PEM of those whose word on the peer is trusted.
    pub trust: PathBuf,
    /// Our own certificate and its key in PEM, in this order; `None` only for a neighbour.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The DNS name that the certificate of a neighbour must bear. `None` asks for its node ID instead (section 4.4.5).
    pub name: Option<String>,
    /// Whether a session without TLS is refused.
    pub require: bool,
}

/// A contact of the plan: an interval in which one node can send to another. Contacts from and to the same nodes do not overlap
/// as far as that can be told before the node starts.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedContact {
    /// The node that sends.
    pub from: Eid,
    /// The node that it is sent to, another one.
    pub to: Eid,
    /// When it starts.
    pub start: Moment,
    /// When it ends; `None` for never. Told in the same way as the start, and after it.
    pub end: Option<Moment>,
    /// The data rate; `None` for no limit.
    pub rate: Option<BitRate>,
    /// The one-way light time, 0 s … 10 d.
    pub light_time: Duration,
    /// The probability that it takes place, above 0, at most 1.
    pub confidence: Ratio,
}

/// A point of time in a contact plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    /// Since the node has started; not negative.
    Since(Duration),
    /// By the calendar; only for a node with a clock.
    Calendar(Epoch),
}
