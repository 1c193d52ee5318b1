//! Sessions of this engine as receiver of a block (RFC 5326 §6.8–§6.11, §6.14, §6.21).

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use farlink_wire::ltp::{CancelReason, Checkpoint, Claim, Colour, Data, Party, Report, SessionId};

use super::timer::{Answer, Awaited};
use super::{Cause, Control, Engine, Notice, first_serial, split_report};
use crate::ranges::RangeSet;

#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) peer: u64,
    client_service: u64,
    /// Red data by offset; the pieces do not overlap.
    red: BTreeMap<u64, Bytes>,
    received: RangeSet,
    /// Length of the red part, once its end has arrived.
    red_length: Option<u64>,
    red_part_ends_block: bool,
    delivered: bool,
    lowest_green: Option<u64>,
    end_of_block: Option<u64>,
    next_report: u64,
    /// Reports by serial number.
    reports: BTreeMap<u64, SentReport>,
    /// The reports that answered each checkpoint.
    answers: BTreeMap<u64, Vec<u64>>,
    last_primary_upper: u64,
}

#[derive(Debug)]
struct SentReport {
    report: Report,
    acknowledged: bool,
    times_queued: u32,
}

impl Receiving {
    fn new(peer: u64, client_service: u64, first_report: u64) -> Self {
        Receiving {
            peer,
            client_service,
            red: BTreeMap::new(),
            received: RangeSet::new(),
            red_length: None,
            red_part_ends_block: false,
            delivered: false,
            lowest_green: None,
            end_of_block: None,
            next_report: first_report,
            reports: BTreeMap::new(),
            answers: BTreeMap::new(),
            last_primary_upper: 0,
        }
    }

    pub(super) fn report(&self, serial: u64) -> Option<&Report> {
        self.reports.get(&serial).filter(|r| !r.acknowledged).map(|r| &r.report)
    }

    fn held_bytes(&self) -> u64 {
        if self.delivered { 0 } else { self.received.len() }
    }

    fn red_part_is_whole(&self) -> bool {
        self.red_length.is_some_and(|length| self.received.covers(&(0..length)))
    }

    /// Whether the red part has been signified, or the block has ended without one, and no report waits to be acknowledged.
    fn is_over(&self) -> bool {
        let all_green = self.received.is_empty() && self.red_length.is_none() && self.end_of_block.is_some();
        (self.delivered || all_green) && self.reports.values().all(|r| r.acknowledged)
    }

    /// What contradicts earlier segments: data past the end of the red part, or a second end elsewhere.
    fn contradicts(&self, data: &Data<'_>, end: u64) -> bool {
        self.client_service != data.client_service
            || match self.red_length {
                Some(length) => end > length || (data.kind.is_end_of_red_part() && end != length),
                None => data.kind.is_end_of_red_part() && end < self.received.end(),
            }
    }

    /// The scope of the report that a checkpoint calls for (§6.11).
    fn scope(&mut self, checkpoint: Checkpoint, upper: u64) -> Range<u64> {
        if checkpoint.report_serial != 0 {
            if let Some(answered) = self.reports.get(&checkpoint.report_serial) {
                return answered.report.lower_bound..upper;
            }
            // It answers a report that this session has not issued; nothing is lost by telling all.
            return 0..upper;
        }
        let lower = self.last_primary_upper;
        self.last_primary_upper = lower.max(upper);
        lower..upper
    }

    fn claims(&self, scope: &Range<u64>) -> Vec<Claim> {
        self.received
            .within(scope.clone())
            .map(|r| Claim { offset: r.start - scope.start, length: r.end - r.start })
            .collect()
    }

    fn take_red_part(&mut self) -> Bytes {
        let pieces = std::mem::take(&mut self.red);
        if pieces.len() == 1 {
            return pieces.into_values().next().unwrap_or_default();
        }
        let mut whole = Vec::with_capacity(pieces.values().map(Bytes::len).sum());
        for piece in pieces.values() {
            whole.extend_from_slice(piece);
        }
        whole.into()
    }
}

impl Engine {
    pub(super) fn remove_receiving(&mut self, session: SessionId) -> Option<Receiving> {
        let receiving = self.receiving.remove(&session)?;
        self.timers.stop_session(session);
        self.received_bytes -= receiving.held_bytes();
        if let Some(peer) = self.peers.get_mut(&receiving.peer) {
            peer.receiving_sessions -= 1;
        }
        self.closed.remember(session);
        Some(receiving)
    }

    pub(super) fn handle_data(&mut self, peer: u64, session: SessionId, data: &Data<'_>, frame: &Bytes) {
        if self.cancelling.contains_key(&session) || self.closed.contains(&session) {
            self.discarded.unknown_session += 1;
            return;
        }
        if !self.config.client_services.contains(&data.client_service) {
            self.remove_receiving(session);
            self.start_cancel(session, peer, Party::Receiver, CancelReason::Unreachable);
            return;
        }
        if !self.receiving.contains_key(&session) {
            let limit = self.config.max_receiving_sessions;
            let Some(state) = self.peers.get_mut(&peer) else { return };
            if state.receiving_sessions >= limit {
                self.discarded.over_limit += 1;
                return;
            }
            state.receiving_sessions += 1;
            let first_report = first_serial(&mut self.rng);
            self.receiving.insert(session, Receiving::new(peer, data.client_service, first_report));
        }
        match data.kind.colour() {
            Colour::Red => self.handle_red(session, data, frame),
            Colour::Green => self.handle_green(session, data, frame),
        }
    }

    fn handle_green(&mut self, session: SessionId, data: &Data<'_>, frame: &Bytes) {
        let Some(receiving) = self.receiving.get_mut(&session) else { return };
        if data.offset < receiving.received.end() {
            self.cancel_locally(session, CancelReason::Miscoloured);
            return;
        }
        let end = data.offset + data.data.len() as u64;
        receiving.lowest_green = Some(receiving.lowest_green.map_or(data.offset, |lowest| lowest.min(data.offset)));
        if data.kind.is_end_of_block() {
            receiving.end_of_block = Some(end);
        }
        self.notices.push_back(Notice::GreenSegment {
            session,
            peer: receiving.peer,
            client_service: data.client_service,
            offset: data.offset,
            data: frame.slice_ref(data.data),
            is_end_of_block: data.kind.is_end_of_block(),
        });
        self.close_if_over(session);
    }

    fn handle_red(&mut self, session: SessionId, data: &Data<'_>, frame: &Bytes) {
        let Some(receiving) = self.receiving.get_mut(&session) else { return };
        if receiving.lowest_green.is_some_and(|green| data.offset > green) {
            self.cancel_locally(session, CancelReason::Miscoloured);
            return;
        }
        let end = data.offset + data.data.len() as u64;
        if receiving.contradicts(data, end) {
            self.discarded.contradictory += 1;
            return;
        }
        if !receiving.delivered {
            let missing = receiving.received.gaps(data.offset..end);
            let new_bytes: u64 = missing.iter().map(|gap| gap.end - gap.start).sum();
            if self.received_bytes + new_bytes > self.config.receive_limit {
                self.discarded.over_limit += 1;
                return;
            }
            if new_bytes == 0 {
                self.discarded.duplicate_data += 1;
            }
            let content = frame.slice_ref(data.data);
            for gap in missing {
                let piece = content.slice((gap.start - data.offset) as usize..(gap.end - data.offset) as usize);
                receiving.red.insert(gap.start, piece);
                receiving.received.insert(gap);
            }
            self.received_bytes += new_bytes;
        } else {
            self.discarded.duplicate_data += 1;
        }
        if data.kind.is_end_of_red_part() {
            receiving.red_length = Some(end);
            receiving.red_part_ends_block |= data.kind.is_end_of_block();
        }
        if let Some(checkpoint) = data.kind.checkpoint() {
            self.answer_checkpoint(session, checkpoint, end);
        }
        self.deliver_if_whole(session);
        self.close_if_over(session);
    }

    /// Send Reception Report (§6.11), or Retransmit RS (§6.8) for a checkpoint that has been answered before.
    fn answer_checkpoint(&mut self, session: SessionId, checkpoint: Checkpoint, upper: u64) {
        let Some(receiving) = self.receiving.get_mut(&session) else { return };
        let peer = receiving.peer;
        if let Some(serials) = receiving.answers.get(&checkpoint.serial) {
            // An acknowledged report has reached the sender, whose repeated checkpoint was on its way by then.
            let unacknowledged: Vec<u64> =
                serials.iter().copied().filter(|s| receiving.report(*s).is_some()).collect();
            for serial in unacknowledged {
                self.retransmit_report(peer, session, serial);
            }
            return;
        }
        let (limit, segment_size) = match self.peers.get(&peer) {
            Some(state) => (state.config.problem_limit as usize, state.config.segment_size),
            None => return,
        };
        if receiving.reports.len() >= limit {
            self.cancel_locally(session, CancelReason::RetransmissionLimit);
            return;
        }
        let scope = receiving.scope(checkpoint, upper);
        let claims = receiving.claims(&scope);
        // An empty scope must not be reported on, and a report has at least one claim (§3.2.2).
        if scope.is_empty() || claims.is_empty() {
            return;
        }
        let report = Report {
            report_serial: 0,
            checkpoint_serial: checkpoint.serial,
            upper_bound: scope.end,
            lower_bound: scope.start,
            claims,
        };
        let mut next = receiving.next_report;
        let reports = split_report(report, segment_size, &mut next);
        receiving.next_report = next;
        receiving.answers.insert(checkpoint.serial, reports.iter().map(|r| r.report_serial).collect());
        for report in reports {
            let report_serial = report.report_serial;
            receiving.reports.insert(report_serial, SentReport { report, acknowledged: false, times_queued: 1 });
            if let Some(state) = self.peers.get_mut(&peer) {
                state.control.push_back(Control::Report { session, report_serial });
            }
        }
    }

    /// Signify Red-Part Reception (§6.9).
    fn deliver_if_whole(&mut self, session: SessionId) {
        let Some(receiving) = self.receiving.get_mut(&session) else { return };
        if receiving.delivered || !receiving.red_part_is_whole() {
            return;
        }
        self.received_bytes -= receiving.held_bytes();
        receiving.delivered = true;
        self.notices.push_back(Notice::RedPart {
            session,
            peer: receiving.peer,
            client_service: receiving.client_service,
            data: receiving.take_red_part(),
            is_end_of_block: receiving.red_part_ends_block,
        });
    }

    /// Retransmit RS (§6.8) because its timer has run out.
    pub(super) fn report_timeout(&mut self, peer: u64, session: SessionId, serial: u64) {
        if self.receiving.get(&session).is_some_and(|r| r.report(serial).is_some()) {
            self.retransmit_report(peer, session, serial);
        }
    }

    fn retransmit_report(&mut self, peer: u64, session: SessionId, serial: u64) {
        let limit = self.retransmission_limit(peer);
        let Some(sent) = self.receiving.get_mut(&session).and_then(|r| r.reports.get_mut(&serial)) else { return };
        if sent.times_queued > limit {
            self.cancel_locally(session, CancelReason::RetransmissionLimit);
            return;
        }
        sent.times_queued += 1;
        self.timers.stop(&Awaited { session, answer: Answer::ReportAck { report_serial: serial } });
        self.queue_control(peer, Control::Report { session, report_serial: serial });
        self.notices.push_back(Notice::Retransmitted { session, peer, bytes: 0, cause: Cause::ReportTimer });
    }

    /// Stop RS Timer (§6.14).
    pub(super) fn handle_report_ack(&mut self, session: SessionId, serial: u64) {
        self.timers.stop(&Awaited { session, answer: Answer::ReportAck { report_serial: serial } });
        match self.receiving.get_mut(&session).and_then(|r| r.reports.get_mut(&serial)) {
            Some(sent) => {
                sent.acknowledged = true;
                sent.report.claims = Vec::new();
                self.close_if_over(session);
            }
            None => self.discarded.unknown_session += 1,
        }
    }

    fn close_if_over(&mut self, session: SessionId) {
        if self.receiving.get(&session).is_some_and(Receiving::is_over) {
            self.remove_receiving(session);
        }
    }
}
