//! What an engine keeps of one peer.

use std::collections::VecDeque;
use std::ops::Range;

use farlink_units::{Duration, Instant};
use farlink_wire::ltp::{Party, SessionId};

use super::closed::Closed;
use super::timer::Path;
use super::{PathInfo, PeerConfig};

/// Most control segments that wait for one peer. A peer that asks for more while nothing can be sent to it asks again later.
pub(super) const MAX_CONTROL: usize = 1 << 16;

/// How many control segments leave one after the other while data waits: a peer that floods this engine with what must be
/// acknowledged does not stop the data to it (§9.1).
pub(super) const CONTROL_BURST: u32 = 64;

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) config: PeerConfig,
    pub(super) path: PathInfo,
    pub(super) transmits: bool,
    /// Internal operations traffic (§6.11, §6.13, §6.17): goes before data.
    pub(super) control: VecDeque<Control>,
    /// Control segments that have left since the last data.
    pub(super) control_streak: u32,
    /// Data to be sent again.
    pub(super) again: VecDeque<Again>,
    /// Sessions whose initial transmission is not complete.
    pub(super) fresh: VecDeque<SessionId>,
    /// Blocks on their way to it, and their bytes.
    pub(super) blocks: usize,
    pub(super) block_bytes: u64,
    /// Bytes of red data that have been sent and that no report has claimed.
    pub(super) unclaimed: u64,
    pub(super) receiving_sessions: usize,
    pub(super) cancelling_receptions: usize,
    /// Green parts that are waited for.
    pub(super) greens: usize,
    /// Bytes held for reception from it.
    pub(super) held: u64,
    pub(super) closed: Closed,
}

impl Peer {
    pub(super) fn new(config: PeerConfig) -> Self {
        Peer {
            config,
            path: PathInfo::default(),
            transmits: true,
            control: VecDeque::new(),
            control_streak: 0,
            again: VecDeque::new(),
            fresh: VecDeque::new(),
            blocks: 0,
            block_bytes: 0,
            unclaimed: 0,
            receiving_sessions: 0,
            cancelling_receptions: 0,
            greens: 0,
            held: 0,
            closed: Closed::default(),
        }
    }

    /// Bits take their time both ways: the timers count from the last bit, and the answer may find the peer in the middle
    /// of a frame.
    pub(super) fn path(&self) -> Path {
        let frame_bits = self.config.segment_size as u64 * 8 + self.path.overhead_bits;
        let frame_back = match self.path.rate_back_bps {
            0 => Duration::ZERO,
            rate => Duration::of_bits(frame_bits, rate),
        };
        Path {
            light_time_out: self.path.light_time_out,
            light_time_back: self.path.light_time_back,
            margin: self.config.response_margin + frame_back,
        }
    }

    /// When the last bit of a segment leaves whose first bit leaves now.
    pub(super) fn last_bit(&self, now: Instant, length: usize) -> Instant {
        match self.path.rate_out_bps {
            0 => now,
            rate => now + Duration::of_bits(length as u64 * 8 + self.path.overhead_bits, rate),
        }
    }

    /// How long an answer takes to what leaves now.
    pub(super) fn round_trip(&self) -> Duration {
        let path = self.path();
        path.light_time_out + path.light_time_back + path.margin + path.margin
    }

    /// How long the peer can go on trying to get something through: every retransmission, each after its timer.
    pub(super) fn patience(&self) -> Duration {
        self.round_trip().saturating_mul(i64::from(self.config.retransmission_limit) + 2)
    }

    pub(super) fn queue_control(&mut self, control: Control) -> bool {
        let room = self.control.len() < MAX_CONTROL && !self.config.receive_only;
        if room {
            self.control.push_back(control);
        }
        room
    }

    /// Whether what has not been sent once waits until something is claimed.
    pub(super) fn waits_for_claims(&self) -> bool {
        self.unclaimed > 0 && self.until_waiting() == Some(0)
    }

    /// A segment with this many bytes is the last before data waits for claims, since no segment would fit after it.
    pub(super) fn until_waiting(&self) -> Option<u64> {
        let limit = self.config.unclaimed_limit?;
        Some(limit.saturating_add(1).saturating_sub(self.unclaimed.saturating_add(self.config.segment_size as u64)))
    }

    pub(super) fn has_data(&self) -> bool {
        !self.again.is_empty() || !self.fresh.is_empty()
    }
}

/// A segment of internal operations traffic. It is encoded when it leaves, so that it tells what holds then.
#[derive(Clone, Debug)]
pub(super) enum Control {
    Report { session: SessionId, report_serial: u64 },
    ReportAck { session: SessionId, report_serial: u64, echo: Echo },
    Cancel { session: SessionId },
    CancelAck { session: SessionId, by: Party, echo: Echo },
}

/// The cookies of the segment that is acknowledged, should the session have no state here: its peer goes on demanding them.
pub(super) type Echo = Vec<Vec<u8>>;

/// A range of a block to be sent again; `checkpoint` is the serial number that its last segment carries.
#[derive(Clone, Debug)]
pub(super) struct Again {
    pub(super) session: SessionId,
    pub(super) range: Range<u64>,
    pub(super) checkpoint: Option<u64>,
    /// A checkpoint that repeats itself is the same segment as before (§3.2.1), so it may not be cut to fit.
    pub(super) uncut: bool,
}

/// The bytes held for reception from all peers.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) held: u64,
    pub(super) limit: u64,
}

impl Budget {
    /// Takes room for `bytes` from this peer, if there is.
    pub(super) fn take(&mut self, peer: &mut Peer, bytes: u64) -> bool {
        let room = self.held.saturating_add(bytes) <= self.limit
            && peer.held.saturating_add(bytes) <= peer.config.receive_limit;
        if room {
            self.held += bytes;
            peer.held += bytes;
        }
        room
    }

    pub(super) fn give_back(&mut self, peer: &mut Peer, bytes: u64) {
        self.held -= bytes;
        peer.held -= bytes;
    }
}
