//! What an engine tells.

use bytes::Bytes;
use farlink_wire::ltp::{CancelReason, SessionId};

/// What the engine tells its client service (§7) and its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The first segment of a session has arrived (§7.1). Its counterpart at the sender is what
    /// [`Engine::send`](super::Engine::send) returns.
    ReceptionStarted {
        /// The session.
        session: SessionId,
        /// Who sends it.
        peer: u64,
        /// For which client service.
        client_service: u64,
    },
    /// A report will claim data of a red part that is not whole yet. Claims are binding (§6.22): an owner that may lose this
    /// engine's memory keeps the session's name until the red part is told or the session is over, and after a restart calls
    /// [`Engine::abandon_reception`](super::Engine::abandon_reception) for it. Told once in a session, before the report can
    /// be polled for transmission.
    PartialClaim {
        /// The session.
        session: SessionId,
        /// Who sends it.
        peer: u64,
    },
    /// A session as receiver is over, with success: its red part, if it has one, has been told and all its reports are
    /// acknowledged (§6.14, §6.20).
    ReceptionClosed {
        /// The session.
        session: SessionId,
        /// Who sent it.
        peer: u64,
    },
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
    /// A green part has arrived whole. Its segments were told before.
    GreenBlock {
        /// Its session.
        session: SessionId,
        /// Who sent it.
        peer: u64,
        /// For which client service.
        client_service: u64,
        /// Where it begins in the block: zero, or the length of the red part.
        offset: u64,
        /// The green part.
        data: Bytes,
    },
    /// A green part has not arrived whole in its time, or was too long to be put together. Its segments were told.
    GreenIncomplete {
        /// Its session.
        session: SessionId,
        /// Who sent it.
        peer: u64,
        /// For which client service.
        client_service: u64,
        /// Bytes that have arrived.
        received: u64,
        /// Bytes that are missing up to the end of the block, if that and the beginning of the green part are known.
        missing: Option<u64>,
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

/// What came in and was not used, by reason. Nothing is dropped without being counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discarded {
    /// Segments that do not conform to §3.
    pub malformed: u64,
    /// Segments of engines that are no peers.
    pub unknown_peer: u64,
    /// Segments that came from another peer than the one whose session they are about.
    pub wrong_peer: u64,
    /// Segments of sessions that are closed or were never open here.
    pub unknown_session: u64,
    /// Data that was here before.
    pub duplicate_data: u64,
    /// Segments for which a limit left no room, and answers that could not be queued.
    pub over_limit: u64,
    /// Data and reports that contradict earlier segments of their session.
    pub contradictory: u64,
    /// Segments without an AuthVal where one is demanded (RFC 5327 section 2.1).
    pub unauthenticated: u64,
    /// Segments that name a ciphersuite or key ID which is not configured.
    pub unknown_key: u64,
    /// Segments none of whose AuthVals is right.
    pub wrong_authentication: u64,
    /// Segments without the cookie of their session (RFC 5327 section 2.2).
    pub missing_cookie: u64,
    /// Segments with a cookie that is not good.
    pub wrong_cookie: u64,
}
