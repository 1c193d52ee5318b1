//! What a session is told and what it tells.

use bytes::Bytes;
use farlink_units::Duration;
use farlink_wire::bpv7::Eid;
use farlink_wire::tcpcl::{ItemError, MessageType, MsgReject, RefuseReason, TcpclError, TermReason};
use thiserror::Error;

/// Who opened the TCP connection (RFC 9174 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This side did.
    Active,
    /// The peer did.
    Passive,
}

/// Whether the session may, must or must not be secured by TLS (section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// CAN_TLS is not set, so that the session is in the clear.
    Forbid,
    /// CAN_TLS is set; the peer decides.
    Allow,
    /// CAN_TLS is set, and a peer that does not set it gets SESS_TERM with Contact Failure.
    Require,
}

/// What a certificate must say of the peer's node ID (section 4.4.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeIdPolicy {
    /// A certificate with NODE-IDs of which none matches ends the session; one without any, or no TLS, does not.
    Opportunistic,
    /// Only a certificate with a matching NODE-ID lets a session begin.
    RequireNodeId,
}

/// The result of comparing an identity with the claims of a certificate (section 4.4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// The certificate claims nothing of this kind, or there is no certificate.
    #[default]
    Absent,
    /// A claim matches.
    Success,
    /// There are claims and none matches.
    Failure,
}

/// What the TLS handshake has shown of the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsPeer {
    /// The values of all BundleEID names in the subjectAltName of the peer's certificate (section 4.4.2.1). Those that are
    /// no node IDs are ignored.
    pub bundle_eids: Vec<String>,
    /// The result for the DNS name or the address of the connection (section 4.4.4.2). `Failure` ends the session.
    pub network: Authentication,
}

/// What a session is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node's ID; `None` does not tell it to the peer.
    pub node_id: Option<Eid>,
    /// The only node ID that the peer may have, or `None` for any.
    pub expected_peer: Option<Eid>,
    /// Whether a peer without a node ID is acceptable (section 4.6).
    pub anonymous_peer: bool,
    /// Whether to use TLS.
    pub tls: TlsPolicy,
    /// What is asked of the peer's certificate as to its node ID.
    pub node_id_policy: NodeIdPolicy,
    /// Whether a session needs a peer whose DNS name or address is authenticated.
    pub require_network_id: bool,
    /// Proposed keepalive interval in seconds; 0 for none (section 4.7).
    pub keepalive_s: u16,
    /// After how long without any octet from the peer the session ends (section 5.1.1). `None` for twice the negotiated
    /// interval. Without keepalives it does not apply.
    pub idle_timeout: Option<Duration>,
    /// After how long without any message but KEEPALIVE, either way, the session ends (section 6.2). `None` for never.
    pub idle_shutdown: Option<Duration>,
    /// Most octets of data that the peer may put in one segment.
    pub segment_mru: u64,
    /// Most octets that the peer may put in one transfer. At most `receive_limit` is announced.
    pub transfer_mru: u64,
    /// Most octets that wait here: those of the transfer that arrives, and of transfers that wait for
    /// [`Session::accept`](super::Session::accept). A transfer counts for at least 1 KiB.
    pub receive_limit: u64,
    /// Most octets of data in a segment that is sent, however much the peer would take. Acknowledgments and refusals wait
    /// for the end of a segment.
    pub max_segment: u64,
    /// Most transfers that wait to be sent or acknowledged.
    pub send_queue: usize,
    /// How long to wait for the contact header; at most a minute is recommended (section 4.1).
    pub contact_timeout: Duration,
    /// How long the TLS handshake may take.
    pub tls_timeout: Duration,
    /// How long to wait for SESS_INIT.
    pub init_timeout: Duration,
    /// How long a transfer that has begun may go without any octet sent or acknowledged.
    pub ack_timeout: Duration,
    /// How long a session that is ending may go without an octet of a transfer.
    pub close_timeout: Duration,
    /// Most octets in a list of extension items that the peer sends.
    pub max_extension_octets: u64,
}

impl Config {
    /// A session of the node `node_id`: TLS allowed, keepalive 30 s, segments of 1 MiB and transfers of 1 GiB taken,
    /// segments of 64 KiB sent.
    pub fn new(node_id: Eid) -> Self {
        Config {
            node_id: Some(node_id),
            expected_peer: None,
            anonymous_peer: true,
            tls: TlsPolicy::Forbid,
            node_id_policy: NodeIdPolicy::Opportunistic,
            require_network_id: false,
            keepalive_s: 30,
            idle_timeout: None,
            idle_shutdown: None,
            segment_mru: 1 << 20,
            transfer_mru: 1 << 30,
            receive_limit: 1 << 30,
            max_segment: 1 << 16,
            send_queue: 1024,
            contact_timeout: Duration::from_secs(30),
            tls_timeout: Duration::from_secs(30),
            init_timeout: Duration::from_secs(30),
            ack_timeout: Duration::from_secs(300),
            close_timeout: Duration::from_secs(5),
            max_extension_octets: 1 << 16,
        }
    }
}

/// The parameters of an established session (section 4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    /// The peer's node ID, if it tells one.
    pub peer: Option<Eid>,
    /// Whether a certificate vouches for that node ID. One that is not authenticated should not be used for routing
    /// (section 4.6).
    pub authenticated: bool,
    /// Whether the session is secured by TLS.
    pub tls: bool,
    /// The session keepalive interval in seconds; 0 for none.
    pub keepalive_s: u16,
    /// Most octets of data in one segment to the peer.
    pub segment_mtu: u64,
    /// Most octets in one transfer to the peer.
    pub transfer_mtu: u64,
}

/// What a session tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Write out what [`poll_transmit`](super::Session::poll_transmit) has, then begin the TLS handshake on the connection, as
    /// client if the role is active, and tell the outcome by [`tls_established`](super::Session::tls_established) or
    /// [`handle_closed`](super::Session::handle_closed).
    StartTls,
    /// Transfers can begin.
    Established(Established),
    /// A whole transfer has arrived. Its last acknowledgment waits for [`accept`](super::Session::accept), to be called once
    /// the bundle is stored, or [`refuse`](super::Session::refuse).
    Received {
        /// The peer's number for it.
        transfer: u64,
        /// The bundle.
        data: Bytes,
    },
    /// A transfer from the peer broke off.
    ReceptionFailed {
        /// The peer's number for it.
        transfer: u64,
        /// Octets that had arrived.
        received: u64,
    },
    /// The peer has all of it.
    Acknowledged {
        /// As given to [`send`](super::Session::send).
        tag: u64,
    },
    /// The peer does not want it, or not now. `Completed` means that it has the bundle already.
    Refused {
        /// As given to [`send`](super::Session::send).
        tag: u64,
        /// Why.
        reason: RefuseReason,
        /// Octets from the start of the bundle that the peer had acknowledged.
        acknowledged: u64,
    },
    /// The session ended before the peer had acknowledged or refused it.
    Failed {
        /// As given to [`send`](super::Session::send).
        tag: u64,
        /// Octets from the start of the bundle that the peer had acknowledged.
        acknowledged: u64,
    },
    /// The peer rejects a message of ours.
    Rejected(MsgReject),
    /// The session is ending: transfers that have begun may be completed, no other can begin (section 6.1).
    Ending {
        /// The reason in the first SESS_TERM.
        reason: TermReason,
        /// What led to it.
        cause: Cause,
    },
    /// The last event. Write out what [`poll_transmit`](super::Session::poll_transmit) has, then close the connection.
    Ended(End),
}

/// What led to a SESS_TERM.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Cause {
    /// The peer sent it.
    #[error("the peer ends the session")]
    Peer,
    /// [`terminate`](super::Session::terminate) was called.
    #[error("the session was to end")]
    Owner,
    /// Section 4.3.
    #[error("TLS is required here, but the peer's contact header has no CAN_TLS (RFC 9174 section 4.3)")]
    TlsRequired,
    /// Section 4.4.4.2.
    #[error("the peer's certificate does not vouch for its name or address (RFC 9174 section 4.4.4.2)")]
    NetworkId,
    /// Section 4.4.4.3.
    #[error("the peer calls itself {claimed}, which its certificate does not vouch for (RFC 9174 section 4.4.4.3)")]
    NodeIdNotAuthenticated {
        /// The node ID in its SESS_INIT, or "nothing".
        claimed: String,
    },
    /// Section 4.6.
    #[error("the peer calls itself \"{text}\", which is no node ID (RFC 9174 section 4.6)")]
    NodeIdSyntax {
        /// What it sent, with replacements for what is not UTF-8.
        text: String,
    },
    /// Section 4.6: the session is meant for another node.
    #[error("the peer is {found}, but the session is meant for {expected}")]
    OtherPeer {
        /// Who it is.
        found: String,
        /// Who it should be.
        expected: String,
    },
    /// Section 4.6: the peer tells no node ID.
    #[error("the peer tells no node ID, which is required here")]
    Anonymous,
    /// Section 4.7.
    #[error("the peer takes segments of 0 octets at most, so nothing can be sent to it (RFC 9174 section 4.7)")]
    SegmentMru,
    /// Section 4.8.
    #[error("the peer demands session extension {item_type:#06x}, which is unknown here (RFC 9174 section 4.8)")]
    CriticalExtension {
        /// The type of the item.
        item_type: u16,
    },
    /// Section 4.6.
    #[error("the session extension items of the peer are malformed: {0} (RFC 9174 section 4.6)")]
    ExtensionItems(ItemError),
    /// No SESS_INIT in time.
    #[error("no SESS_INIT within {0}")]
    InitTimeout(Duration),
    /// Section 5.1.1.
    #[error("nothing from the peer for {0} (RFC 9174 section 5.1.1)")]
    Silence(Duration),
    /// Section 6.2.
    #[error("no transfer for {0} (RFC 9174 section 6.2)")]
    Idle(Duration),
    /// A transfer stands still.
    #[error("a transfer has not advanced for {0}")]
    Stalled(Duration),
    /// Section 5.2.1.
    #[error("all transfer IDs of the session are used up (RFC 9174 section 5.2.1)")]
    TransferIds,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum End {
    /// Both sides have sent SESS_TERM and all transfers that had begun are settled.
    #[error("the session ended in order: {0}")]
    Clean(TermReason),
    /// [`abort`](super::Session::abort), or [`terminate`](super::Session::terminate) before the contact was made.
    #[error("the session was broken off here")]
    Aborted,
    /// The connection was closed or lost.
    #[error("the connection was closed by the peer or lost")]
    Closed,
    /// Section 4.3: no contact header.
    #[error("the peer does not speak TCPCL: {0}")]
    NoContactHeader(TcpclError),
    /// Section 4.1.
    #[error("no contact header within {0} (RFC 9174 section 4.1)")]
    ContactTimeout(Duration),
    /// Section 4.3.
    #[error("the peer speaks TCPCL version {theirs}, here it is 4 (RFC 9174 section 4.3)")]
    Version {
        /// The version in its contact header.
        theirs: u8,
    },
    /// Section 4.4.3.
    #[error("the TLS handshake was not done within {0}")]
    TlsTimeout(Duration),
    /// The peer did not answer SESS_TERM, or transfers stood still while the session ended.
    #[error("the session was ending, and nothing came for {0}")]
    CloseTimeout(Duration),
    /// Section 5.1.2.
    #[error("the peer sent a message of unknown type {:#04x} (RFC 9174 section 5.1.2)", .0.0)]
    UnknownMessage(MessageType),
    /// A list of extension items is beyond the limit.
    #[error("the peer sent extension items of more than {limit} octets")]
    ExtensionLimit {
        /// The limit.
        limit: u64,
    },
    /// The peer causes answers that it does not read.
    #[error("the peer does not read its acknowledgments: {waiting} octets wait")]
    OutputLimit {
        /// Octets that wait to be sent.
        waiting: usize,
    },
}

/// Why a bundle cannot be sent in this session now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// Wait for [`Event::Established`].
    #[error("the session is not established yet")]
    NotEstablished,
    /// Section 6.1: no new transfer can begin.
    #[error("the session is ending or over")]
    Ending,
    /// Section 4.6: send fragments instead.
    #[error("the bundle of {length} octets is longer than the {transfer_mtu} that the peer takes")]
    TooLong {
        /// Of the bundle.
        length: u64,
        /// The peer's transfer MRU.
        transfer_mtu: u64,
    },
    /// No bundle is empty.
    #[error("the bundle is empty")]
    Empty,
    /// [`Config::send_queue`] transfers wait already.
    #[error("{limit} transfers wait already")]
    QueueFull {
        /// The limit.
        limit: usize,
    },
}

/// No transfer of this number waits for a decision: it was decided, or the session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("transfer {transfer} does not wait for a decision")]
pub struct NotWaiting {
    /// The peer's number for it.
    pub transfer: u64,
}
