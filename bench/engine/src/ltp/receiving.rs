//! Sessions of this engine as receiver of a block (RFC 5326 §6.8–§6.11, §6.14, §6.21).

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::ltp::{CancelReason, Checkpoint, Claim, Colour, Data, Party, Report, SessionId};

use super::timer::{Answer, Awaited};
use super::{Cause, Control, Engine, Notice, first_serial};
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
    highest_red: Option<u64>,
    lowest_green: Option<u64>,
    end_of_block: Option<u64>,
    next_report: u64,
    /// Reports by serial number.
    reports: BTreeMap<u64, SentReport>,
    /// The reports that answered each checkpoint.
    answers: BTreeMap<u64, Vec<u64>>,
    last_primary_upper: u64,
    /// When the last segment came, or the peer began to transmit again.
    pub(super) last_heard: Instant,
}

#[derive(Debug)]
struct SentReport {
    report: Report,
    acknowledged: bool,
    /// Whether it waits to be sent, so that asking for it again changes nothing.
    queued: bool,
    times_sent: u32,
    /// How many rounds of report and retransmission have led to this report.
    round: u32,
}

/// Most reports of one session. Rounds are limited by the configuration; this bounds what a hostile peer can make of one.
const MAX_REPORTS: usize = 1 << 14;

impl Receiving {
    fn new(now: Instant, peer: u64, client_service: u64, first_report: u64) -> Self {
        Receiving {
            peer,
            client_service,
            red: BTreeMap::new(),
            received: RangeSet::new(),
            red_length: None,
            red_part_ends_block: false,
            delivered: false,
            highest_red: None,
            lowest_green: None,
            end_of_block: None,
            next_report: first_report,
            reports: BTreeMap::new(),
            answers: BTreeMap::new(),
            last_primary_upper: 0,
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

    fn held_bytes(&self) -> u64 {
        if self.delivered { 0 } else { self.received.len() }
    }

    fn red_part_is_whole(&self) -> bool {
        self.red_length.is_some_and(|length| self.received.covers(&(0..length)))
    }

    /// Whether only green data has come, up to the end of the block (§8.2). If it does not begin at zero a red part may have
    /// been lost whole.
    fn is_all_green(&self) -> bool {
        self.received.is_empty() && self.red_length.is_none() && self.end_of_block.is_some()
    }

    /// Whether every part of the block has been signified and no report waits to be acknowledged.
    fn is_over(&self) -> bool {
        let whole = self.delivered && (self.red_part_ends_block || self.end_of_block.is_some());
        (whole || self.is_all_green()) && self.reports.values().all(|r| r.acknowledged)
    }

    /// What contradicts earlier segments: data past the end of the red part, or a second end elsewhere.
    fn contradicts(&self, data: &Data<'_>, end: u64) -> bool {
        self.client_service != data.client_service
            || match self.red_length {
                Some(length) => end > length || (data.kind.is_end_of_red_part() && end != length),
                None => data.kind.is_end_of_red_part() && end < self.received.end(),
            }
    }

    /// The scope of the report that a checkpoint calls for (§6.11), and the round that it belongs to.
    fn scope(&self, checkpoint: Checkpoint, upper: u64) -> (Range<u64>, u32) {
        let answered = self.reports.get(&checkpoint.report_serial);
        let (lower, round) = match (checkpoint.report_serial, answered) {
            (0, _) => (self.last_primary_upper, 0),
            (_, Some(answered)) => (answered.report.lower_bound, answered.round + 1),
            // It answers a report that this session has not issued; nothing is lost by telling all.
            (_, None) => (0, 1),
        };
        let empty = lower >= upper || self.received.within(lower..upper).next().is_none();
        (if empty { 0 } else { lower }..upper, round)
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
        Some(receiving)
    }

    pub(super) fn handle_data(&mut self, now: Instant, peer: u64, session: SessionId, data: &Data<'_>, frame: &Bytes) {
        if self.cancelling.contains_key(&session) || self.closed.contains(&session) {
            self.discarded.unknown_session += 1;
            return;
        }
        if !self.config.client_services.contains(&data.client_service) {
            if self.receiving.contains_key(&session) {
                self.cancel_locally(now, session, CancelReason::Unreachable);
            } else {
                self.start_cancel(session, peer, Party::Receiver, CancelReason::Unreachable);
            }
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
            self.receiving.insert(session, Receiving::new(now, peer, data.client_service, first_report));
            self.watch(now, peer, session);
        } else if let Some(receiving) = self.receiving.get_mut(&session) {
            receiving.last_heard = now;
        }
        match data.kind.colour() {
            Colour::Red => self.handle_red(now, session, data, frame),
            Colour::Green => self.handle_green(now, session, data, frame),
        }
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
        self.close_if_over(now, session);
    }

    fn handle_red(&mut self, now: Instant, session: SessionId, data: &Data<'_>, frame: &Bytes) {
        let Some(receiving) = self.receiving.get_mut(&session) else { return };
        if receiving.lowest_green.is_some_and(|green| data.offset > green) {
            self.cancel_locally(now, session, CancelReason::Miscoloured);
            return;
        }
        let end = data.offset + data.data.len() as u64;
        if receiving.contradicts(data, end) {
            self.discarded.contradictory += 1;
            return;
        }
        receiving.highest_red = receiving.highest_red.max(Some(data.offset));
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
            // A short piece must not keep a long frame in memory.
            let content = if data.data.len() * 2 < frame.len() {
                Bytes::copy_from_slice(data.data)
            } else {
                frame.slice_ref(data.data)
            };
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
            self.answer_checkpoint(now, session, checkpoint, end);
        }
        self.deliver_if_whole(session);
        self.close_if_over(now, session);
    }

    /// Send Reception Report (§6.11), or Retransmit RS (§6.8) for a checkpoint that has been answered before.
    fn answer_checkpoint(&mut self, now: Instant, session: SessionId, checkpoint: Checkpoint, upper: u64) {
        let Some(receiving) = self.receiving.get_mut(&session) else { return };
        let peer = receiving.peer;
        if let Some(serials) = receiving.answers.get(&checkpoint.serial) {
            // An acknowledged report has reached the sender, whose repeated checkpoint was on its way by then.
            let unacknowledged: Vec<u64> = serials.iter().copied().filter(|s| receiving.report(*s).is_some()).collect();
            for serial in unacknowledged {
                self.retransmit_report(now, peer, session, serial, Cause::RepeatedCheckpoint);
            }
            return;
        }
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let (scope, round) = receiving.scope(checkpoint, upper);
        if round > state.config.problem_limit || receiving.reports.len() >= MAX_REPORTS {
            self.cancel_locally(now, session, CancelReason::RetransmissionLimit);
            return;
        }
        let claims = receiving.claims(&scope);
        // A report has at least one claim (§3.2.2). The checkpoint is not remembered, so it is answered when it comes again.
        if claims.is_empty() {
            return;
        }
        if checkpoint.report_serial == 0 {
            receiving.last_primary_upper = receiving.last_primary_upper.max(upper);
        }
        let report = Report {
            report_serial: 0,
            checkpoint_serial: checkpoint.serial,
            upper_bound: scope.end,
            lower_bound: scope.start,
            claims,
        };
        let mut next = receiving.next_report;
        let reports = split_report(report, state.config.segment_size, &mut next);
        receiving.next_report = next;
        receiving.answers.insert(checkpoint.serial, reports.iter().map(|r| r.report_serial).collect());
        for report in reports {
            let report_serial = report.report_serial;
            let queued = state.queue_control(Control::Report { session, report_serial });
            let sent = SentReport { report, acknowledged: false, queued, times_sent: 0, round };
            receiving.reports.insert(report_serial, sent);
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
    pub(super) fn report_timeout(&mut self, now: Instant, peer: u64, session: SessionId, serial: u64) {
        if self.receiving.get(&session).is_some_and(|r| r.report(serial).is_some()) {
            self.retransmit_report(now, peer, session, serial, Cause::ReportTimer);
        }
    }

    fn retransmit_report(&mut self, now: Instant, peer: u64, session: SessionId, serial: u64, cause: Cause) {
        let limit = self.retransmission_limit(peer);
        let Some(sent) = self.receiving.get_mut(&session).and_then(|r| r.reports.get_mut(&serial)) else { return };
        if sent.queued {
            return;
        }
        if sent.times_sent > limit {
            self.cancel_locally(now, session, CancelReason::RetransmissionLimit);
            return;
        }
        let Some(state) = self.peers.get_mut(&peer) else { return };
        sent.queued = state.queue_control(Control::Report { session, report_serial: serial });
        self.timers.stop(&Awaited { session, answer: Answer::ReportAck { report_serial: serial } });
        self.notices.push_back(Notice::Retransmitted { session, peer, bytes: 0, cause });
    }

    /// Stop RS Timer (§6.14).
    pub(super) fn handle_report_ack(&mut self, now: Instant, session: SessionId, serial: u64) {
        self.timers.stop(&Awaited { session, answer: Answer::ReportAck { report_serial: serial } });
        match self.receiving.get_mut(&session).and_then(|r| r.reports.get_mut(&serial)) {
            Some(sent) => {
                sent.acknowledged = true;
                sent.report.claims = Vec::new();
                self.close_if_over(now, session);
            }
            None => self.discarded.unknown_session += 1,
        }
    }

    fn close_if_over(&mut self, now: Instant, session: SessionId) {
        if self.receiving.get(&session).is_some_and(Receiving::is_over) {
            self.close_receiving(now, session);
        }
    }

    /// Close Session (§6.20). One that may have lost its red part whole is forgotten at once, so that its repeated checkpoint
    /// opens it anew.
    fn close_receiving(&mut self, now: Instant, session: SessionId) {
        if let Some(receiving) = self.remove_receiving(session) {
            let red_may_follow = receiving.received.is_empty() && receiving.lowest_green != Some(0);
            if !red_may_follow {
                self.remember_closed(now, receiving.peer, session);
            }
        }
    }
}

/// A report, split so that each segment fits `segment_size` (§6.11).
fn split_report(report: Report, segment_size: usize, next_serial: &mut u64) -> Vec<Report> {
    // 70 bytes hold the longest header and the fixed fields; two SDNVs of at most ten bytes make a claim, and nearly always
    // far shorter ones.
    let per_segment = ((segment_size.saturating_sub(70)) / 20).max(1);
    let mut serial = || {
        let serial = *next_serial;
        *next_serial += 1;
        serial
    };
    if report.claims.len() <= per_segment {
        return vec![Report { report_serial: serial(), ..report }];
    }
    let mut reports = Vec::new();
    let mut lower = report.lower_bound;
    let parts: Vec<_> = report.claims.chunks(per_segment).collect();
    for (index, claims) in parts.iter().enumerate() {
        // A scope ends where the next part's first claim begins, so that the gap before that claim is told here.
        let upper = match parts.get(index + 1) {
            Some(next) => report.lower_bound + next[0].offset,
            None => report.upper_bound,
        };
        let shift = lower - report.lower_bound;
        reports.push(Report {
            report_serial: serial(),
            checkpoint_serial: report.checkpoint_serial,
            lower_bound: lower,
            upper_bound: upper,
            claims: claims.iter().map(|c| Claim { offset: c.offset - shift, length: c.length }).collect(),
        });
        lower = upper;
    }
    reports
}
