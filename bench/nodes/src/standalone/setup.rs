//! What a standalone node is told once.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use farlink_engine::schedule::Schedule;
use farlink_ports::tcp::{ListenError, TcpAddress};
use farlink_ports::tls::TlsSettings;
use farlink_ports::udp::{OpenError, UdpAddress};
use farlink_record::{ChannelId, NodeId};
use farlink_units::BitRate;
use farlink_wire::bpv7::Eid;
use thiserror::Error;

use crate::applications::{self, Target};
use crate::builtin;
use crate::store::StoreError;

/// What a node is told once.
#[derive(Debug)]
pub struct Setup {
    /// The node itself, with its neighbours by LTP. Journal, time of the zero and confirmation of deliveries are set by the
    /// standalone node. With a store the seed of the LTP engine is mixed with the time of the start.
    pub node: builtin::Config,
    /// LTP over UDP, if the node speaks it.
    pub ltp: Option<LtpSetup>,
    /// Where other layers listen.
    pub listeners: Vec<Listener>,
    /// Neighbours by other layers.
    pub links: Vec<Link>,
    /// Whether nodes that are no neighbours may connect by TCPCL, and bundles be exchanged with them.
    pub opportunistic: bool,
    /// The folder of the store; `None` keeps bundles in memory only.
    pub store: Option<PathBuf>,
    /// What takes the data of endpoints.
    pub applications: Vec<(Eid, Target)>,
}

/// LTP over UDP (RFC 7122).
#[derive(Debug)]
pub struct LtpSetup {
    /// Where to listen.
    pub listen: UdpAddress,
    /// How frames reach each neighbour.
    pub routes: Vec<LtpRoute>,
}

/// How LTP frames reach one neighbour.
#[derive(Clone, Copy, Debug)]
pub struct LtpRoute {
    /// The channel that stands for it in the node.
    pub channel: ChannelId,
    /// Where its port is, or that of the emulator in between.
    pub to: SocketAddr,
    /// How fast frames may leave, IP and UDP headers included: LTP has no congestion control (RFC 7122 §3.3). `None` for as
    /// fast as they go.
    pub rate: Option<BitRate>,
}

/// Where a layer listens.
#[derive(Debug)]
pub enum Listener {
    /// TCPCL version 4 (RFC 9174).
    Tcpcl {
        /// The address.
        address: TcpAddress,
        /// How sessions are secured; `None` for not at all.
        tls: Option<Secured>,
    },
    /// STCP.
    Stcp(TcpAddress),
    /// MTCP.
    Mtcp(TcpAddress),
    /// Bundles in UDP datagrams.
    Udp(UdpAddress),
}

/// TLS for TCPCL.
#[derive(Clone, Debug)]
pub struct Secured {
    /// Certificates and keys.
    pub settings: TlsSettings,
    /// Whether a session without TLS is refused.
    pub require: bool,
    /// The DNS name that a neighbour's certificate must bear. `None` asks for its node ID instead (RFC 9174 §4.4.5).
    pub name: Option<String>,
}

/// A neighbour by another layer than LTP.
#[derive(Debug)]
pub struct Link {
    /// Its node ID.
    pub node: Eid,
    /// The layer.
    pub layer: LinkLayer,
    /// When bundles may be sent to it.
    pub open: Schedule,
    /// Whether that schedule is of the contact plan, so that a contact without a connection is one that does not happen.
    pub planned: bool,
}

/// A layer to a neighbour.
#[derive(Debug)]
pub enum LinkLayer {
    /// TCPCL version 4.
    Tcpcl {
        /// Where to connect; `None` if the neighbour does.
        to: Option<TcpAddress>,
        /// Proposed keepalive interval in seconds; 0 for none.
        keepalive_s: u16,
        /// Most octets of data in a segment that is sent.
        segment: u64,
        /// How the session is secured; `None` for not at all.
        tls: Option<Secured>,
    },
    /// STCP.
    Stcp(TcpAddress),
    /// MTCP.
    Mtcp(TcpAddress),
    /// Bundles in UDP datagrams.
    Udp {
        /// Where to send.
        to: SocketAddr,
        /// The most that is sent, since nothing else holds datagrams back; `None` for no limit.
        rate: Option<BitRate>,
    },
}

/// The node ID place of whoever is no configured neighbour.
pub const STRANGER: NodeId = NodeId(u16::MAX);

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A UDP port.
    #[error(transparent)]
    Udp(#[from] OpenError),
    /// A TCP port.
    #[error(transparent)]
    Tcp(#[from] ListenError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An application.
    #[error(transparent)]
    Application(#[from] applications::OpenError),
    /// The system has no means left.
    #[error("the system refuses what every node needs: {0}")]
    System(#[from] io::Error),
}

/// Why a node cannot go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// What was to be made durable could not be. Nothing that depends on it has left the node.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A port has failed.
    #[error("{port} failed: {source}")]
    Port {
        /// Which.
        port: String,
        /// What the system says.
        source: io::Error,
    },
}
