//! What an engine is told and what it tells.

use std::collections::BTreeSet;

use bytes::Bytes;
use farlink_units::Duration;
use farlink_wire::ltp::{CancelReason, SessionId};
use thiserror::Error;

/// What an engine is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// This engine's ID.
    pub engine_id: u64,
    /// The client services that exist here; data for any other is cancelled with UNREACH (§6).
    pub client_services: BTreeSet<u64>,
    /// How many bytes of red data may wait for the rest of their blocks. Data beyond that is not accepted and so not
    /// claimed; the sender sends it again later.
    pub receive_limit: u64,
    /// How many sessions of one peer may be open at this receiver at once; data of further ones is not accepted.
    pub max_receiving_sessions: usize,
    /// Seed for session numbers and for first checkpoint and report serial numbers.
    pub seed: u64,
}

impl Config {
    /// An engine with the Bundle Protocol as its only client service and 1 GiB for blocks that arrive.
    pub fn new(engine_id: u64, seed: u64) -> Self {
        Config {
            engine_id,
            client_services: BTreeSet::from([BUNDLE_PROTOCOL]),
            receive_limit: 1 << 30,
            max_receiving_sessions: 100_000,
            seed,
        }
    }
}

/// Client service number of the Bundle Protocol (IANA, LTP Client Service Identifiers).
pub const BUNDLE_PROTOCOL: u64 = 1;

/// What an engine is told of one peer.
#[derive(Clone, Copy, Debug)]
pub struct PeerConfig {
    /// Longest LTP segment, header included, in bytes. At least [`PeerConfig::MIN_SEGMENT_SIZE`].
    pub segment_size: usize,
    /// "Additional anticipated latency" of §6.5: what the peer needs to answer beyond light time.
    pub response_margin: Duration,
    /// How often one checkpoint, one report or one cancellation is sent again before the session is given up (§6.7, §6.8,
    /// §6.16).
    pub retransmission_limit: u32,
    /// How many rounds of report and retransmission one part of a block may need before the session is given up (§6.11,
    /// §6.13).
    pub problem_limit: u32,
}

impl PeerConfig {
    /// Room for the longest header and some data.
    pub const MIN_SEGMENT_SIZE: usize = 128;
}

impl Default for PeerConfig {
    fn default() -> Self {
        PeerConfig {
            segment_size: 1360,
            response_margin: Duration::from_secs(2),
            retransmission_limit: 20,
            problem_limit: 200,
        }
    }
}

/// The path to a peer and back, as the environment knows it now (§5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathInfo {
    /// One-way light time to the peer.
    pub light_time_out: Duration,
    /// One-way light time from the peer.
    pub light_time_back: Duration,
    /// Data rate to the peer in bits per second; 0 if it need not be counted.
    pub rate_out_bps: u64,
    /// Data rate from the peer in bits per second; 0 if it need not be counted.
    pub rate_back_bps: u64,
    /// Bits that the link layer adds to each frame.
    pub overhead_bits: u64,
}

/// A link state cue about a peer's transmission to this engine (§6.5, §6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cue {
    /// The peer begins to transmit towards this engine.
    PeerStarts,
    /// The peer ceases to transmit towards this engine.
    PeerStops,
}

/// What the engine tells its client service (§7) and its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The whole red part of a block has arrived (§7.3).
    RedPart {
        /// Its session.
        session: SessionId,
        /// Who sent it.
        peer: u64,
        /// For which client service.
        client_service: u64,
        /// The red part.
        data: Bytes,
        /// Whether its end is the end of the block.
        is_end_of_block: bool,
    },
    /// A segment of a green part has arrived (§7.2).
    GreenSegment {
        /// Its session.
        session: SessionId,
        /// Who sent it.
        peer: u64,
        /// For which client service.
        client_service: u64,
        /// Its place in the block.
        offset: u64,
        /// Its data.
        data: Bytes,
        /// Whether its end is the end of the block.
        is_end_of_block: bool,
    },
    /// The block has been sent once (§7.7).
    InitialTransmissionCompleted {
        /// Its session.
        session: SessionId,
        /// To whom.
        peer: u64,
    },
    /// The block has been sent and its red part has been received (§7.4).
    TransmissionCompleted {
        /// Its session.
        session: SessionId,
        /// By whom.
        peer: u64,
    },
    /// A session as sender ended without success (§7.5).
    TransmissionCancelled {
        /// Which.
        session: SessionId,
        /// To whom.
        peer: u64,
        /// Why.
        reason: CancelReason,
        /// Whether this engine cancelled it.
        locally: bool,
    },
    /// A session as receiver ended without success (§7.6).
    ReceptionCancelled {
        /// Which.
        session: SessionId,
        /// From whom.
        peer: u64,
        /// Why.
        reason: CancelReason,
        /// Whether this engine cancelled it.
        locally: bool,
    },
    /// Something is sent again.
    Retransmitted {
        /// Its session.
        session: SessionId,
        /// To whom.
        peer: u64,
        /// Bytes of client data queued again.
        bytes: u64,
        /// Why.
        cause: Cause,
    },
}

/// Why something is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A report left it out.
    Gap,
    /// No report came for a checkpoint.
    CheckpointTimer,
    /// No acknowledgment came for a report.
    ReportTimer,
    /// A checkpoint that had been reported on came again.
    RepeatedCheckpoint,
    /// No acknowledgment came for a cancellation.
    CancelTimer,
}

/// Why a transmission request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// No such peer has been added.
    #[error("engine {0} is not a peer of this engine: add it first")]
    UnknownPeer(u64),
    /// §4.1: the red part is at most the whole block.
    #[error("the red part of {red} bytes is longer than the block of {block} bytes")]
    RedPartTooLong {
        /// Length of the red part.
        red: u64,
        /// Length of the block.
        block: u64,
    },
    /// A block needs at least one byte, since some receivers refuse empty data segments.
    #[error("the block is empty")]
    EmptyBlock,
}

/// What came in and was not used, by reason. Nothing is dropped without being counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discarded {
    /// Segments that do not conform to §3.
    pub malformed: u64,
    /// Segments of engines that are no peers.
    pub unknown_peer: u64,
    /// Segments of sessions that are closed or were never open here.
    pub unknown_session: u64,
    /// Data that was here before.
    pub duplicate_data: u64,
    /// Data for which a limit left no room.
    pub over_limit: u64,
    /// Data that contradicts earlier segments of its session.
    pub contradictory: u64,
}
