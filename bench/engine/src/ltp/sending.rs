//! Sessions of this engine as sender of a block (RFC 5326 §4.1, §6.7, §6.12, §6.13, §8.1).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::ltp::{CancelReason, Checkpoint, Content, Data, DataKind, Report, SessionId};
use farlink_wire::sdnv;

use super::peer::{Again, Control, Echo};
use super::timer::{Answer, Awaited};
use super::{Block, Cause, Engine, Notice, first_serial};
use super::{Misbehaviour, SendError, SessionNumbers};
use crate::ranges::RangeSet;

/// Most different reports that one session takes in. A peer that sends more than a large block over a bad link calls for is
/// flooding, and the session is cancelled.
const MAX_REPORTS_SEEN: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Sending {
    pub(super) peer: u64,
    client_service: u64,
    block: Block,
    red_length: u64,
    /// Where initial transmission goes on.
    next_offset: u64,
    next_checkpoint: u64,
    /// A discretionary checkpoint has been asked for (§4.1).
    checkpoint_wanted: bool,
    /// Where the last checkpoint of the initial transmission ended.
    last_checkpoint_end: u64,
    /// Checkpoints that no report has answered yet, by serial number.
    checkpoints: BTreeMap<u64, SentCheckpoint>,
    /// The rounds of those that have been answered: one checkpoint may be answered by several reports.
    answered: BTreeMap<u64, u32>,
    claimed: RangeSet,
    /// What waits to be sent again because a report left it out.
    pending: RangeSet,
    /// Entries of this session in the peer's queue of what is sent again.
    queued_again: usize,
    reports_seen: BTreeSet<u64>,
    /// Retransmission cycles (§6.22).
    cycles: u32,
}

#[derive(Debug)]
struct SentCheckpoint {
    range: Range<u64>,
    report_serial: u64,
    times_sent: u32,
    /// How many rounds of report and retransmission have led to this checkpoint.
    round: u32,
}

/// How much of a range a segment takes.
struct Fit {
    len: u64,
    /// It is the last of the range.
    last: bool,
    /// It ends nothing and yet is a checkpoint.
    discretionary: bool,
}

impl Sending {
    pub(super) fn has_begun(&self) -> bool {
        self.next_offset > 0
    }

    /// Bytes of red data that have been sent and that no report has claimed.
    fn unclaimed(&self) -> u64 {
        self.next_offset.min(self.red_length) - self.claimed.len()
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

    /// How much of `range` the next segment of at most `limit` bytes takes. If the last one carries a checkpoint, its two
    /// serial numbers need room; so they do where `due` makes a segment with so many bytes a discretionary checkpoint.
    fn fit(
        &self,
        session: SessionId,
        range: &Range<u64>,
        limit: usize,
        checkpoint: Option<Checkpoint>,
        due: Option<u64>,
    ) -> Fit {
        let left = range.end - range.start;
        let header = 2
            + sdnv::encoded_len(session.originator)
            + sdnv::encoded_len(session.number)
            + sdnv::encoded_len(self.client_service)
            + sdnv::encoded_len(range.start)
            + sdnv::encoded_len(left.min(limit as u64));
        let serials = checkpoint.map_or(0, |c| sdnv::encoded_len(c.serial) + sdnv::encoded_len(c.report_serial)) as u64;
        let room = (limit - header) as u64;
        if left + serials <= room {
            return Fit { len: left, last: true, discretionary: false };
        }
        // One byte stays behind for the checkpoint if all the data would fit without its serial numbers.
        let len = room.min(left - 1);
        if due.is_some_and(|due| len >= due) {
            return Fit { len: (room - serials).min(left - 1), last: false, discretionary: true };
        }
        Fit { len, last: false, discretionary: false }
    }
}

impl Engine {
    /// A transmission request (§4.1): sends `block`, the first `red_length` bytes of it reliably. What it returns is the
    /// session start notice of §7.1.
    ///
    /// # Errors
    /// An unknown peer, an empty block, a red part longer than the block, as much on its way to the peer as its
    /// configuration allows.
    pub fn send(
        &mut self,
        peer: u64,
        client_service: u64,
        block: Block,
        red_length: u64,
    ) -> Result<SessionId, SendError> {
        let state = self.peers.get_mut(&peer).ok_or(SendError::UnknownPeer(peer))?;
        if block.is_empty() {
            return Err(SendError::EmptyBlock);
        }
        if red_length > block.len() {
            return Err(SendError::RedPartTooLong { red: red_length, block: block.len() });
        }
        let (block_limit, byte_limit) = (state.config.max_blocks, state.config.max_block_bytes);
        let too_long = state.blocks > 0 && state.block_bytes.saturating_add(block.len()) > byte_limit;
        if state.blocks >= block_limit || too_long {
            let (blocks, bytes) = (state.blocks, state.block_bytes);
            return Err(SendError::Full { peer, blocks, block_limit, bytes, byte_limit });
        }
        let session = loop {
            let number = match self.config.session_numbers {
                _ if self.config.misbehaviour == Some(Misbehaviour::CountedSessions) => {
                    self.counted += 1;
                    self.counted
                }
                SessionNumbers::Bits32 => u64::from(rand::Rng::next_u32(&mut self.rng)),
                SessionNumbers::Bits64 => rand::Rng::next_u64(&mut self.rng),
            };
            let session = SessionId { originator: self.config.engine_id, number };
            let known = self.sending.contains_key(&session)
                || self.cancelling.contains_key(&session)
                || state.closed.contains(&session);
            if number != 0 && !known {
                break session;
            }
        };
        state.blocks += 1;
        state.block_bytes += block.len();
        state.fresh.push_back(session);
        let sending = Sending {
            peer,
            client_service,
            block,
            red_length,
            next_offset: 0,
            next_checkpoint: first_serial(&mut self.rng),
            checkpoint_wanted: false,
            last_checkpoint_end: 0,
            checkpoints: BTreeMap::new(),
            answered: BTreeMap::new(),
            claimed: RangeSet::new(),
            pending: RangeSet::new(),
            queued_again: 0,
            reports_seen: BTreeSet::new(),
            cycles: 0,
        };
        self.sending.insert(session, sending);
        self.put_in_cookie(peer, session);
        Ok(session)
    }

    /// Makes the next red segment of a session a discretionary checkpoint (§4.1), which asks for a report before the end of
    /// the red part. Whether there is such a segment: without one, a checkpoint has asked already or there is no red part.
    pub fn request_checkpoint(&mut self, session: SessionId) -> bool {
        match self.sending.get_mut(&session) {
            Some(sending) if sending.next_offset < sending.red_length => {
                sending.checkpoint_wanted = true;
                true
            }
            _ => false,
        }
    }

    pub(super) fn remove_sending(&mut self, now: Instant, session: SessionId) -> Option<Sending> {
        let sending = self.sending.remove(&session)?;
        self.timers.stop_session(session);
        if let Some(peer) = self.peers.get_mut(&sending.peer) {
            peer.blocks -= 1;
            peer.block_bytes -= sending.block.len();
            peer.unclaimed -= sending.unclaimed();
            if sending.next_offset < sending.block.len() {
                peer.fresh.retain(|s| *s != session);
            }
            if sending.queued_again > 0 {
                peer.again.retain(|a| a.session != session);
            }
        }
        self.remember_closed(now, sending.peer, session);
        Some(sending)
    }

    /// The next segment of a block that has not been sent whole, or `None` if it has.
    pub(super) fn fresh_segment(&mut self, now: Instant, peer: u64, session: SessionId, limit: usize) -> Option<Bytes> {
        let state = self.peers.get_mut(&peer)?;
        let sending = self.sending.get_mut(&session)?;
        let (start, block_end) = (sending.next_offset, sending.block.len());
        if start == block_end {
            return None;
        }
        let red = start < sending.red_length;
        let range = start..if red { sending.red_length } else { block_end };
        let checkpoint = red.then_some(Checkpoint { serial: sending.next_checkpoint, report_serial: 0 });
        let due = if !red {
            None
        } else if sending.checkpoint_wanted {
            Some(0)
        } else {
            let every = state.config.checkpoint_every;
            let due = every.map(|every| sending.last_checkpoint_end.saturating_add(every).saturating_sub(start));
            due.into_iter().chain(state.until_waiting()).min()
        };
        let Fit { len, last, discretionary } = sending.fit(session, &range, limit, checkpoint, due);
        let end = start + len;
        let kind = match (red, last) {
            (true, _) if last || discretionary => {
                let serial = sending.allocate_checkpoint(start..end, 0, 0);
                sending.checkpoint_wanted = false;
                sending.last_checkpoint_end = end;
                sending.red_kind(end, Some(Checkpoint { serial, report_serial: 0 }))
            }
            (true, _) => DataKind::Red,
            (false, true) => DataKind::GreenEndOfBlock,
            (false, false) => DataKind::Green,
        };
        sending.next_offset = end;
        state.unclaimed += if red { len } else { 0 };
        let segment = self.data_segment(now, peer, session, kind, start..end)?;
        if end == block_end {
            if let Some(state) = self.peers.get_mut(&peer) {
                state.fresh.pop_front();
            }
            self.notices.push_back(Notice::InitialTransmissionCompleted { session, peer });
            self.complete_if_done(now, session);
        }
        Some(segment)
    }

    /// Encodes a data segment that leaves now, and starts its timer if it is a checkpoint.
    fn data_segment(
        &mut self,
        now: Instant,
        peer: u64,
        session: SessionId,
        kind: DataKind,
        range: Range<u64>,
    ) -> Option<Bytes> {
        let sending = self.sending.get(&session)?;
        let bytes = sending.block.read(range.start, (range.end - range.start) as usize);
        let data = Data { kind, client_service: sending.client_service, offset: range.start, data: &bytes };
        let (jars, state) = (&mut self.jars, self.peers.get(&peer));
        let segment = self.output.encode(now, jars, state, session, Content::Data(data), &Echo::new());
        if let Some(checkpoint) = kind.checkpoint() {
            let sent = self.sending.get_mut(&session).and_then(|s| s.checkpoints.get_mut(&checkpoint.serial));
            if let Some(sent) = sent {
                sent.times_sent += 1;
            }
            self.start_timer(now, peer, awaiting_report(session, checkpoint.serial), segment.len());
        }
        Some(segment)
    }

    /// The next segment of data that is sent again, or `None` if there is none, or none for which there is room. `roomy` says
    /// that there will never be more room.
    pub(super) fn retransmit_segment(&mut self, now: Instant, peer: u64, limit: usize, roomy: bool) -> Option<Bytes> {
        loop {
            let Again { session, range, checkpoint, uncut } = self.peers.get(&peer)?.again.front()?.clone();
            let Some(sending) = self.sending.get_mut(&session) else {
                self.peers.get_mut(&peer)?.again.pop_front();
                continue;
            };
            let found = match checkpoint {
                Some(serial) => sending
                    .checkpoints
                    .get(&serial)
                    .map(|sent| Some(Checkpoint { serial, report_serial: sent.report_serial })),
                None if sending.claimed.covers(&range) => None,
                None => Some(None),
            };
            // A report has answered the checkpoint, or claimed the data, meanwhile.
            let Some(checkpoint) = found else {
                if !uncut {
                    sending.pending.remove(range);
                }
                sending.queued_again -= 1;
                self.peers.get_mut(&peer)?.again.pop_front();
                continue;
            };
            let Fit { len, last, .. } = sending.fit(session, &range, limit, checkpoint, None);
            // A repeated checkpoint waits for room rather than being cut. It may have outgrown its size by a longer cookie.
            if uncut && !last && !roomy {
                return None;
            }
            let end = range.start + len;
            let kind = sending.red_kind(end, checkpoint.filter(|_| last));
            if !uncut {
                sending.pending.remove(range.start..end);
            }
            if let (true, Some(checkpoint)) = (last, checkpoint)
                && let Some(sent) = sending.checkpoints.get_mut(&checkpoint.serial)
            {
                // The checkpoint is the last segment alone; only that is sent again should its report stay away.
                sent.range = range.start..end;
            }
            if last {
                sending.queued_again -= 1;
            }
            let again = &mut self.peers.get_mut(&peer)?.again;
            if last {
                again.pop_front();
            } else if let Some(front) = again.front_mut() {
                front.range.start = end;
            }
            return self.data_segment(now, peer, session, kind, range.start..end);
        }
    }

    /// Retransmit Checkpoint (§6.7).
    pub(super) fn checkpoint_timeout(&mut self, now: Instant, peer: u64, session: SessionId, serial: u64) {
        let limit = self.retransmission_limit(peer);
        let Some(sending) = self.sending.get_mut(&session) else { return };
        let Some(sent) = sending.checkpoints.get(&serial) else { return };
        if sent.times_sent > limit {
            self.cancel_locally(now, session, CancelReason::RetransmissionLimit);
            return;
        }
        let range = sent.range.clone();
        let bytes = range.end - range.start;
        if let Some(state) = self.peers.get_mut(&peer) {
            sending.queued_again += 1;
            state.again.push_back(Again { session, range, checkpoint: Some(serial), uncut: true });
        }
        self.notices.push_back(Notice::Retransmitted { session, peer, bytes, cause: Cause::CheckpointTimer });
    }

    /// Retransmit Data (§6.13).
    pub(super) fn handle_report(&mut self, now: Instant, peer: u64, session: SessionId, report: &Report, echo: Echo) {
        self.queue_control(peer, Control::ReportAck { session, report_serial: report.report_serial, echo });
        let Some(config) = self.peers.get(&peer).map(|p| &p.config) else { return };
        let (problem_limit, cycle_limit) = (config.problem_limit, config.cycle_limit);
        let Some(sending) = self.sending.get_mut(&session) else {
            self.discarded.unknown_session += 1;
            return;
        };
        if report.upper_bound > sending.red_length.min(sending.next_offset) {
            // The peer tells of what no red part of this session holds, or of what has not been sent.
            self.discarded.contradictory += 1;
            return;
        }
        if sending.reports_seen.len() >= MAX_REPORTS_SEEN {
            self.cancel_locally(now, session, CancelReason::RetransmissionLimit);
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
        if let Some(answered) = &answered {
            sending.answered.insert(serial, answered.round);
            self.timers.stop(&awaiting_report(session, serial));
        }
        let unclaimed = sending.unclaimed();
        for claim in &report.claims {
            let start = report.lower_bound + claim.offset;
            sending.claimed.insert(start..start + claim.length);
        }
        if let Some(state) = self.peers.get_mut(&peer) {
            state.unclaimed -= unclaimed - sending.unclaimed();
        }
        if sending.is_complete() {
            self.complete_if_done(now, session);
            return;
        }
        let gaps = sending.claimed.gaps(report.lower_bound..report.upper_bound);
        if gaps.is_empty() {
            // Nothing to send again, yet not all is claimed: the rest of the report is still to come, or will never come.
            // Somebody must go on asking.
            let all_sent = sending.next_offset >= sending.red_length;
            if let Some(answered) = answered.filter(|_| sending.checkpoints.is_empty() && all_sent) {
                sending.checkpoints.insert(serial, answered);
                self.start_timer(now, peer, awaiting_report(session, serial), 0);
            }
            return;
        }
        let round = sending.answered.get(&serial).map_or(0, |round| *round) + 1;
        if answered.is_some() && sending.checkpoints.is_empty() {
            sending.cycles += 1;
        }
        let reason = if round > problem_limit {
            Some(CancelReason::RetransmissionLimit)
        } else {
            (sending.cycles > cycle_limit).then_some(CancelReason::RetransmissionCycles)
        };
        if let Some(reason) = reason {
            self.cancel_locally(now, session, reason);
            return;
        }
        // What waits to be sent again already goes once, and a checkpoint follows it.
        let gaps: Vec<_> = gaps.into_iter().flat_map(|gap| sending.pending.gaps(gap)).collect();
        let Some(last) = gaps.last().cloned() else { return };
        let serial = sending.allocate_checkpoint(last, report.report_serial, round);
        let bytes = gaps.iter().map(|g| g.end - g.start).sum();
        let count = gaps.len();
        sending.queued_again += count;
        for gap in &gaps {
            sending.pending.insert(gap.clone());
        }
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
