//! Sessions of this engine as receiver of a block (RFC 5326 §6.9, §6.10, §6.14, §6.20, §6.21, §8.2).

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::ltp::{CancelReason, Claim, Colour, Data, Party, Report, SessionId};

use super::red_part::RedPart;
use super::timer::{Answer, Awaited};
use super::{Engine, Notice, first_serial};
use crate::ranges::RangeSet;

/// What a separate piece of data costs beyond its bytes, when bytes held are counted.
pub(super) const PIECE_COST: u64 = 64;

#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) peer: u64,
    client_service: u64,
    red: RedPart,
    received: RangeSet,
    /// Bytes held for the data and for the reports.
    held_data: u64,
    pub(super) held_reports: u64,
    /// Length of the red part, once its end has arrived.
    pub(super) red_length: Option<u64>,
    red_part_ends_block: bool,
    pub(super) delivered: bool,
    highest_red: Option<u64>,
    lowest_green: Option<u64>,
    end_of_block: Option<u64>,
    pub(super) next_report: u64,
    /// Reports by serial number.
    pub(super) reports: BTreeMap<u64, SentReport>,
    /// How many of them wait to be acknowledged.
    pub(super) unacknowledged: usize,
    /// The reports that answered each checkpoint.
    pub(super) answers: BTreeMap<u64, Range<u64>>,
    pub(super) last_primary_upper: u64,
    /// Whether the owner knows that there are claims on a part of the red part.
    partial_claim_told: bool,
    /// When the last segment came, or the peer began to transmit again.
    pub(super) last_heard: Instant,
}

#[derive(Debug)]
pub(super) struct SentReport {
    pub(super) report: Report,
    pub(super) acknowledged: bool,
    /// Whether it waits to be sent, so that asking for it again changes nothing.
    pub(super) queued: bool,
    pub(super) times_sent: u32,
    /// How many rounds of report and retransmission have led to this report.
    pub(super) round: u32,
}

impl Receiving {
    fn new(now: Instant, peer: u64, client_service: u64, first_report: u64) -> Self {
        Receiving {
            peer,
            client_service,
            red: RedPart::default(),
            received: RangeSet::new(),
            held_data: 0,
            held_reports: 0,
            red_length: None,
            red_part_ends_block: false,
            delivered: false,
            highest_red: None,
            lowest_green: None,
            end_of_block: None,
            next_report: first_report,
            reports: BTreeMap::new(),
            unacknowledged: 0,
            answers: BTreeMap::new(),
            last_primary_upper: 0,
            partial_claim_told: false,
            last_heard: now,
        }
    }

    pub(super) fn report(&self, serial: u64) -> Option<&Report> {
        self.reports.get(&serial).filter(|r| !r.acknowledged).map(|r| &r.report)
    }

    pub(super) fn report_sent(&mut self, serial: u64) {
        if let Some(sent) = self.reports.get_mut(&serial) {
            sent.queued = false;
            sent.times_sent += 1;
        }
    }

    fn red_part_is_whole(&self) -> bool {
        self.red_length.is_some_and(|length| self.received.covers(&(0..length)))
    }

    /// The highest upper bound among the red segments.
    pub(super) fn red_upper(&self) -> u64 {
        self.received.end()
    }

    pub(super) fn has_within(&self, scope: &Range<u64>) -> bool {
        self.received.within(scope.clone()).next().is_some()
    }

    pub(super) fn claims(&self, scope: &Range<u64>) -> Vec<Claim> {
        self.received
            .within(scope.clone())
            .map(|r| Claim { offset: r.start - scope.start, length: r.end - r.start })
            .collect()
    }

    /// Whether only green data has come, up to the end of the block (§8.2). If it does not begin at zero a red part may have
    /// been lost whole.
    fn is_all_green(&self) -> bool {
        self.received.is_empty() && self.red_length.is_none() && self.end_of_block.is_some()
    }

    /// Whether every part of the block has been signified and no report waits to be acknowledged.
    fn is_over(&self) -> bool {
        let whole = self.delivered && (self.red_part_ends_block || self.end_of_block.is_some());
        (whole || self.is_all_green()) && self.unacknowledged == 0
    }

    /// What contradicts earlier segments: data past the end of the red part, or a second end elsewhere.
    fn contradicts(&self, data: &Data<'_>, end: u64) -> bool {
        match self.red_length {
            Some(length) => end > length || (data.kind.is_end_of_red_part() && end != length),
            None => data.kind.is_end_of_red_part() && end < self.received.end(),
        }
    }

    /// Claims on a part of the red part that the owner has not been told of.
    fn claims_anew(&mut self) -> bool {
        let claims = self.unacknowledged > 0 && !self.delivered && !self.partial_claim_told;
        self.partial_claim_told |= claims;
        claims
    }
}

impl Engine {
    pub(super) fn remove_receiving(&mut self, session: SessionId) -> Option<Receiving> {
        let receiving = self.receiving.remove(&session)?;
        self.timers.stop_session(session);
        if let Some(peer) = self.peers.get_mut(&receiving.peer) {
            self.budget.give_back(peer, receiving.held_data + receiving.held_reports);
            peer.receiving_sessions -= 1;
        }
        Some(receiving)
    }

    pub(super) fn handle_data(&mut self, now: Instant, peer: u64, session: SessionId, data: &Data<'_>, frame: &Bytes) {
        let Some(receiving) = self.receiving.get_mut(&session) else {
            if self.open_receiving(now, peer, session, data) {
                self.handle_data(now, peer, session, data, frame);
            }
            return;
        };
        receiving.last_heard = now;
        if receiving.client_service != data.client_service {
            if self.config.client_services.contains(&data.client_service) {
                self.discarded.contradictory += 1;
            } else {
                self.cancel_locally(now, session, CancelReason::Unreachable);
            }
            return;
        }
        match data.kind.colour() {
            Colour::Red => self.handle_red(now, session, data),
            Colour::Green => self.handle_green(now, session, data, frame),
        }
    }

    /// The first segment of a session, or one of a session that is over. Whether the session is open now.
    fn open_receiving(&mut self, now: Instant, peer: u64, session: SessionId, data: &Data<'_>) -> bool {
        let Some(state) = self.peers.get_mut(&peer) else { return false };
        if self.cancelling.contains_key(&session) || state.closed.contains(&session) {
            if data.kind.colour() == Colour::Green && self.green.contains_key(&session) {
                self.gather_green(now, peer, session, data, None);
            } else {
                self.discarded.unknown_session += 1;
            }
            return false;
        }
        if !self.config.client_services.contains(&data.client_service) {
            self.start_cancel(now, session, peer, Party::Receiver, CancelReason::Unreachable);
            return false;
        }
        if state.receiving_sessions >= self.config.max_receiving_sessions {
            self.discarded.over_limit += 1;
            return false;
        }
        state.receiving_sessions += 1;
        let first_report = first_serial(&mut self.rng);
        self.receiving.insert(session, Receiving::new(now, peer, data.client_service, first_report));
        self.watch(now, peer, session);
        let client_service = data.client_service;
        self.notices.push_back(Notice::ReceptionStarted { session, peer, client_service });
        true
    }

    /// Sees to it that a session in which nothing happens any more does not stay open for ever.
    fn watch(&mut self, now: Instant, peer: u64, session: SessionId) {
        if let Some(state) = self.peers.get(&peer) {
            let awaited = Awaited { session, answer: Answer::Activity };
            self.timers.start_span(now, peer, awaited, state.patience(), state.transmits);
        }
    }

    /// Nothing has come for as long as the peer can go on trying: it has given up, and its word of that is lost.
    pub(super) fn activity_timeout(&mut self, now: Instant, peer: u64, session: SessionId) {
        let Some(receiving) = self.receiving.get(&session) else { return };
        let Some(patience) = self.peers.get(&peer).map(super::Peer::patience) else { return };
        if now < receiving.last_heard + patience {
            // Heard of since the timer was started: wait on from there.
            self.watch(receiving.last_heard, peer, session);
        } else if receiving.delivered || receiving.received.is_empty() {
            self.close_receiving(now, session);
        } else {
            self.cancel_locally(now, session, CancelReason::SystemError);
        }
    }

    fn handle_green(&mut self, now: Instant, session: SessionId, data: &Data<'_>, frame: &Bytes) {
        let Some(receiving) = self.receiving.get_mut(&session) else { return };
        if receiving.highest_red.is_some_and(|red| data.offset < red) {
            self.cancel_locally(now, session, CancelReason::Miscoloured);
            return;
        }
        receiving.lowest_green = Some(receiving.lowest_green.map_or(data.offset, |lowest| lowest.min(data.offset)));
        if data.kind.is_end_of_block() {
            receiving.end_of_block = Some(data.end());
        }
        let (peer, start) = (receiving.peer, receiving.red_length);
        self.notices.push_back(Notice::GreenSegment {
            session,
            peer,
            client_service: data.client_service,
            offset: data.offset,
            data: kept(data.data, frame),
            is_end_of_block: data.kind.is_end_of_block(),
        });
        self.gather_green(now, peer, session, data, start);
        self.close_if_over(now, session);
    }

    fn handle_red(&mut self, now: Instant, session: SessionId, data: &Data<'_>) {
        let Some(receiving) = self.receiving.get_mut(&session) else { return };
        if receiving.lowest_green.is_some_and(|green| data.offset > green) {
            self.cancel_locally(now, session, CancelReason::Miscoloured);
            return;
        }
        let end = data.end();
        if receiving.contradicts(data, end) {
            self.discarded.contradictory += 1;
            return;
        }
        if receiving.delivered {
            self.discarded.duplicate_data += 1;
        } else {
            let Some(peer) = self.peers.get_mut(&receiving.peer) else { return };
            let range = data.offset..end;
            if receiving.received.end() <= range.start && !range.is_empty() {
                // The next of what comes in order, and what comes after a gap.
                let further =
                    receiving.received.pieces() >= peer.config.max_ranges && receiving.received.end() < range.start;
                let cost = data.data.len() as u64 + PIECE_COST;
                if further || !self.budget.take(peer, cost) {
                    self.discarded.over_limit += 1;
                    return;
                }
                receiving.held_data += cost;
                receiving.red.insert(range.start, data.data);
                receiving.received.insert(range);
            } else {
                let missing = receiving.received.gaps(range);
                let new_bytes: u64 = missing.iter().map(|gap| gap.end - gap.start).sum();
                let cost = new_bytes + PIECE_COST * missing.len() as u64;
                let further = receiving.received.pieces() + missing.len() > peer.config.max_ranges + 1;
                if further || !self.budget.take(peer, cost) {
                    self.discarded.over_limit += 1;
                    return;
                }
                receiving.held_data += cost;
                if new_bytes == 0 && !data.data.is_empty() {
                    self.discarded.duplicate_data += 1;
                }
                for gap in missing {
                    let new = (gap.start - data.offset) as usize..(gap.end - data.offset) as usize;
                    receiving.red.insert(gap.start, &data.data[new]);
                    receiving.received.insert(gap);
                }
            }
            // What did not come to stand by itself costs less than room was taken for.
            let cost = receiving.red.cost();
            self.budget.give_back(peer, receiving.held_data - cost);
            receiving.held_data = cost;
        }
        receiving.highest_red = receiving.highest_red.max(Some(data.offset));
        if data.kind.is_end_of_red_part() {
            receiving.red_length = Some(end);
            receiving.red_part_ends_block |= data.kind.is_end_of_block();
        }
        let whole = !receiving.delivered && receiving.red_part_is_whole();
        let checkpoint = data.kind.checkpoint();
        if checkpoint.is_none() && !whole {
            return;
        }
        if let Some(checkpoint) = checkpoint {
            self.answer_checkpoint(now, session, checkpoint, end);
        }
        if whole {
            self.deliver(session);
        }
        self.tell_partial_claim(session);
        if data.kind.is_end_of_red_part() {
            self.green_begins(session, end);
        }
        self.close_if_over(now, session);
    }

    /// Signify Red-Part Reception (§6.9).
    fn deliver(&mut self, session: SessionId) {
        let Some(receiving) = self.receiving.get_mut(&session) else { return };
        if let Some(peer) = self.peers.get_mut(&receiving.peer) {
            self.budget.give_back(peer, std::mem::take(&mut receiving.held_data));
        }
        receiving.delivered = true;
        self.notices.push_back(Notice::RedPart {
            session,
            peer: receiving.peer,
            client_service: receiving.client_service,
            data: receiving.red.take(),
            is_end_of_block: receiving.red_part_ends_block,
        });
    }

    pub(super) fn tell_partial_claim(&mut self, session: SessionId) {
        let Some(receiving) = self.receiving.get_mut(&session) else { return };
        if receiving.claims_anew() {
            let peer = receiving.peer;
            self.notices.push_back(Notice::PartialClaim { session, peer });
        }
    }

    pub(super) fn close_if_over(&mut self, now: Instant, session: SessionId) {
        if self.receiving.get(&session).is_some_and(Receiving::is_over) {
            self.close_receiving(now, session);
        }
    }

    /// Close Session (§6.20). One that may have lost its red part whole is forgotten at once, so that its repeated checkpoint
    /// opens it anew.
    fn close_receiving(&mut self, now: Instant, session: SessionId) {
        let Some(receiving) = self.remove_receiving(session) else { return };
        let peer = receiving.peer;
        let red_may_follow = receiving.received.is_empty() && receiving.lowest_green != Some(0);
        if red_may_follow {
            self.jars.remove(&session);
        } else {
            self.remember_closed(now, peer, session);
        }
        self.green_session_closed(session);
        self.notices.push_back(Notice::ReceptionClosed { session, peer });
    }
}

/// Data by its place in the block. What comes in order, which is nearly all, is kept without a search.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: Vec<(u64, Bytes)>,
    disordered: bool,
}

impl Pieces {
    pub(super) fn push(&mut self, offset: u64, piece: Bytes) {
        self.disordered |= self.pieces.last().is_some_and(|(last, _)| *last > offset);
        self.pieces.push((offset, piece));
    }

    /// The bytes of `range`, all of which are here.
    pub(super) fn join(mut self, range: Range<u64>) -> Bytes {
        if self.disordered {
            self.pieces.sort_unstable_by_key(|(offset, _)| *offset);
        }
        let within = |(offset, piece): (u64, Bytes)| {
            let start = range.start.max(offset);
            let end = range.end.min(offset + piece.len() as u64);
            (start < end).then(|| piece.slice((start - offset) as usize..(end - offset) as usize))
        };
        if self.pieces.len() == 1 {
            return self.pieces.pop().and_then(within).unwrap_or_default();
        }
        let mut whole = Vec::with_capacity((range.end - range.start) as usize);
        for piece in self.pieces.into_iter().filter_map(within) {
            whole.extend_from_slice(&piece);
        }
        whole.into()
    }
}

/// Data of a frame to be kept. A short piece must not keep a long frame in memory.
pub(super) fn kept(data: &[u8], frame: &Bytes) -> Bytes {
    if data.len() * 2 < frame.len() { Bytes::copy_from_slice(data) } else { frame.slice_ref(data) }
}
