//! Sessions of this engine as sender of a block (RFC 5326 §4.1, §6.7, §6.12, §6.13).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::ltp::{CancelReason, Checkpoint, DataKind, Report, SessionId};
use farlink_wire::sdnv;

use super::timer::{Answer, Awaited};
use super::{Again, Block, Cause, Control, Engine, Notice, Resent, data_segment};
use crate::ranges::RangeSet;

#[derive(Debug)]
pub(super) struct Sending {
    pub(super) peer: u64,
    client_service: u64,
    block: Block,
    red_length: u64,
    /// Where initial transmission goes on.
    next_offset: u64,
    next_checkpoint: u64,
    /// Checkpoints that no report has answered yet, by serial number.
    checkpoints: BTreeMap<u64, SentCheckpoint>,
    claimed: RangeSet,
    reports_seen: BTreeSet<u64>,
}

#[derive(Debug)]
struct SentCheckpoint {
    range: Range<u64>,
    report_serial: u64,
    times_sent: u32,
    /// How many rounds of report and retransmission have led to this checkpoint.
    round: u32,
}

impl Sending {
    pub(super) fn new(peer: u64, client_service: u64, block: Block, red_length: u64, first_checkpoint: u64) -> Self {
        Sending {
            peer,
            client_service,
            block,
            red_length,
            next_offset: 0,
            next_checkpoint: first_checkpoint,
            checkpoints: BTreeMap::new(),
            claimed: RangeSet::new(),
            reports_seen: BTreeSet::new(),
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.next_offset > 0
    }

    fn is_complete(&self) -> bool {
        self.next_offset == self.block.len() && self.claimed.covers(&(0..self.red_length))
    }

    fn allocate_checkpoint(&mut self, range: Range<u64>, report_serial: u64, round: u32) -> u64 {
        let serial = self.next_checkpoint;
        self.next_checkpoint += 1;
        self.checkpoints.insert(serial, SentCheckpoint { range, report_serial, times_sent: 0, round });
        serial
    }

    /// The kind of a red segment that ends at `end` and carries this checkpoint, if any.
    fn red_kind(&self, end: u64, checkpoint: Option<Checkpoint>) -> DataKind {
        match checkpoint {
            None => DataKind::Red,
            Some(checkpoint) if end < self.red_length => DataKind::RedCheckpoint(checkpoint),
            Some(checkpoint) if end < self.block.len() => DataKind::RedEndOfRedPart(checkpoint),
            Some(checkpoint) => DataKind::RedEndOfBlock(checkpoint),
        }
    }

    /// How much of `range` the next segment of at most `limit` bytes takes, and whether that is the last of the range. If
    /// the last one carries a checkpoint, its two serial numbers need room.
    fn fit(&self, session: SessionId, range: &Range<u64>, limit: usize, checkpoint: Option<Checkpoint>) -> (u64, bool) {
        let left = range.end - range.start;
        let header = 2
            + sdnv::encoded_len(session.originator)
            + sdnv::encoded_len(session.number)
            + sdnv::encoded_len(self.client_service)
            + sdnv::encoded_len(range.start)
            + sdnv::encoded_len(left.min(limit as u64));
        let serials = checkpoint.map_or(0, |c| sdnv::encoded_len(c.serial) + sdnv::encoded_len(c.report_serial));
        let room = (limit - header) as u64;
        if left + serials as u64 <= room {
            (left, true)
        } else {
            // One byte stays behind for the checkpoint if all the data would fit without its serial numbers.
            (room.min(left - 1), false)
        }
    }

    fn segment(&self, session: SessionId, kind: DataKind, offset: u64, len: u64) -> Bytes {
        data_segment(session, kind, self.client_service, offset, &self.block.slice(offset, len as usize))
    }
}

impl Engine {
    pub(super) fn remove_sending(&mut self, now: Instant, session: SessionId) -> Option<Sending> {
        let sending = self.sending.remove(&session)?;
        self.timers.stop_session(session);
        if let Some(peer) = self.peers.get_mut(&sending.peer) {
            peer.fresh.retain(|s| *s != session);
            peer.again.retain(|a| a.session != session);
        }
        self.remember_closed(now, sending.peer, session);
        Some(sending)
    }

    /// The next segment of a block that has not been sent whole, or `None` if it has.
    pub(super) fn fresh_segment(&mut self, now: Instant, peer: u64, session: SessionId, limit: usize) -> Option<Bytes> {
        let sending = self.sending.get_mut(&session)?;
        let (start, block_end) = (sending.next_offset, sending.block.len());
        if start == block_end {
            return None;
        }
        let red = start < sending.red_length;
        let range = start..if red { sending.red_length } else { block_end };
        let checkpoint = red.then_some(Checkpoint { serial: sending.next_checkpoint, report_serial: 0 });
        let (len, last) = sending.fit(session, &range, limit, checkpoint);
        let end = start + len;
        let kind = match (red, last) {
            (true, true) => {
                let serial = sending.allocate_checkpoint(start..end, 0, 0);
                sending.red_kind(end, Some(Checkpoint { serial, report_serial: 0 }))
            }
            (true, false) => DataKind::Red,
            (false, true) => DataKind::GreenEndOfBlock,
            (false, false) => DataKind::Green,
        };
        sending.next_offset = end;
        let segment = sending.segment(session, kind, start, len);
        self.checkpoint_sent(now, peer, session, kind, segment.len());
        if end == block_end {
            if let Some(state) = self.peers.get_mut(&peer) {
                state.fresh.pop_front();
            }
            self.notices.push_back(Notice::InitialTransmissionCompleted { session, peer });
            self.complete_if_done(now, session);
        }
        Some(segment)
    }

    /// The next segment of data that is sent again; `None` if there is none.
    pub(super) fn retransmit_segment(&mut self, now: Instant, peer: u64, limit: usize) -> Option<Resent> {
        let Again { session, range, checkpoint, uncut } = self.peers.get(&peer)?.again.front()?.clone();
        let void = |engine: &mut Engine| {
            engine.peers.get_mut(&peer)?.again.pop_front();
            Some(Resent::Void)
        };
        let Some(sending) = self.sending.get(&session) else { return void(self) };
        let checkpoint = match checkpoint {
            Some(serial) => match sending.checkpoints.get(&serial) {
                Some(sent) => Some(Checkpoint { serial, report_serial: sent.report_serial }),
                // A report has answered this checkpoint meanwhile.
                None => return void(self),
            },
            // Another report has claimed this meanwhile.
            None if sending.claimed.covers(&range) => return void(self),
            None => None,
        };
        let (len, last) = sending.fit(session, &range, limit, checkpoint);
        if uncut && !last {
            return Some(Resent::NoRoom);
        }
        let kind = sending.red_kind(range.start + len, if last { checkpoint } else { None });
        let segment = sending.segment(session, kind, range.start, len);
        let again = &mut self.peers.get_mut(&peer)?.again;
        if last {
            again.pop_front();
        } else if let Some(front) = again.front_mut() {
            front.range.start += len;
        }
        if let (true, Some(checkpoint)) = (last, checkpoint) {
            // The checkpoint is the last segment alone; only that is sent again should its report stay away.
            let start = range.start;
            if let Some(sent) = self.sending.get_mut(&session).and_then(|s| s.checkpoints.get_mut(&checkpoint.serial)) {
                sent.range = start..start + len;
            }
        }
        self.checkpoint_sent(now, peer, session, kind, segment.len());
        Some(Resent::Segment(segment))
    }

    fn checkpoint_sent(&mut self, now: Instant, peer: u64, session: SessionId, kind: DataKind, length: usize) {
        let Some(checkpoint) = kind.checkpoint() else { return };
        if let Some(sent) = self.sending.get_mut(&session).and_then(|s| s.checkpoints.get_mut(&checkpoint.serial)) {
            sent.times_sent += 1;
        }
        self.start_timer(now, peer, awaiting_report(session, checkpoint.serial), length);
    }

    /// Retransmit Checkpoint (§6.7).
    pub(super) fn checkpoint_timeout(&mut self, now: Instant, peer: u64, session: SessionId, serial: u64) {
        let limit = self.retransmission_limit(peer);
        let Some(sent) = self.sending.get(&session).and_then(|s| s.checkpoints.get(&serial)) else { return };
        if sent.times_sent > limit {
            self.cancel_locally(now, session, CancelReason::RetransmissionLimit);
            return;
        }
        let range = sent.range.clone();
        let bytes = range.end - range.start;
        if let Some(state) = self.peers.get_mut(&peer) {
            state.again.push_back(Again { session, range, checkpoint: Some(serial), uncut: true });
        }
        self.notices.push_back(Notice::Retransmitted { session, peer, bytes, cause: Cause::CheckpointTimer });
    }

    /// Retransmit Data (§6.13).
    pub(super) fn handle_report(&mut self, now: Instant, from: u64, session: SessionId, report: &Report) {
        let peer = self.sending.get(&session).map_or(from, |s| s.peer);
        self.queue_control(peer, Control::ReportAck { session, report_serial: report.report_serial });
        let problem_limit = self.problem_limit(peer);
        let Some(sending) = self.sending.get_mut(&session) else {
            self.discarded.unknown_session += 1;
            return;
        };
        if report.upper_bound > sending.red_length.min(sending.next_offset) {
            // The peer tells of what no red part of this session holds, or of what has not been sent.
            self.discarded.contradictory += 1;
            return;
        }
        if !sending.reports_seen.insert(report.report_serial) {
            return;
        }
        let serial = report.checkpoint_serial;
        // A checkpoint that has not left cannot have been answered, whatever a peer says.
        let answered = match sending.checkpoints.get(&serial) {
            Some(sent) if sent.times_sent > 0 => sending.checkpoints.remove(&serial),
            _ => None,
        };
        if answered.is_some() {
            self.timers.stop(&awaiting_report(session, serial));
        }
        for claim in &report.claims {
            let start = report.lower_bound + claim.offset;
            sending.claimed.insert(start..start + claim.length);
        }
        if sending.is_complete() {
            self.complete_if_done(now, session);
            return;
        }
        let gaps = sending.claimed.gaps(report.lower_bound..report.upper_bound);
        let Some(last) = gaps.last().cloned() else {
            // Nothing to send again, yet not all is claimed: the rest of the report is still to come, or will never come.
            // Somebody must go on asking.
            if let Some(answered) = answered.filter(|_| sending.checkpoints.is_empty()) {
                sending.checkpoints.insert(serial, answered);
                self.start_timer(now, peer, awaiting_report(session, serial), 0);
            }
            return;
        };
        let round = answered.map_or(0, |a| a.round) + 1;
        if round > problem_limit {
            self.cancel_locally(now, session, CancelReason::RetransmissionLimit);
            return;
        }
        let serial = sending.allocate_checkpoint(last, report.report_serial, round);
        let bytes = gaps.iter().map(|g| g.end - g.start).sum();
        let count = gaps.len();
        if let Some(state) = self.peers.get_mut(&peer) {
            state.again.extend(gaps.into_iter().enumerate().map(|(index, range)| Again {
                session,
                range,
                checkpoint: (index + 1 == count).then_some(serial),
                uncut: false,
            }));
        }
        self.notices.push_back(Notice::Retransmitted { session, peer, bytes, cause: Cause::Gap });
    }

    /// Signify Transmission Completion (§6.12), if its two conditions hold.
    fn complete_if_done(&mut self, now: Instant, session: SessionId) {
        if self.sending.get(&session).is_some_and(Sending::is_complete)
            && let Some(sending) = self.remove_sending(now, session)
        {
            self.notices.push_back(Notice::TransmissionCompleted { session, peer: sending.peer });
        }
    }
}

fn awaiting_report(session: SessionId, checkpoint_serial: u64) -> Awaited {
    Awaited { session, answer: Answer::Report { checkpoint_serial } }
}
