//! Reception reports (RFC 5326 §6.8, §6.11, §6.14).

use std::ops::Range;

use farlink_units::Instant;
use farlink_wire::ltp::{CancelReason, Checkpoint, Claim, Report, SessionId};
use farlink_wire::sdnv;

use super::cookies::MAX_COOKIE;
use super::peer::Control;
use super::receiving::SentReport;
use super::timer::{Answer, Awaited};
use super::{Cause, Engine, Misbehaviour, Notice, PeerConfig, ReportError, ReportScope};

/// Most reports of one session. Rounds are limited by the configuration; this bounds what a hostile peer can make of one.
pub(super) const MAX_REPORTS: usize = 1 << 14;

/// What a report costs beyond its claims, and what a claim costs, when bytes held are counted.
const REPORT_COST: u64 = 160;
const CLAIM_COST: u64 = 16;

/// Why no report was issued.
enum NotIssued {
    /// The scope is empty, or nothing in it can be claimed.
    NothingToTell,
    NoRoom,
}

impl Engine {
    /// Send Reception Report (§6.11), or Retransmit RS (§6.8) for a checkpoint that has been answered before.
    pub(super) fn answer_checkpoint(&mut self, now: Instant, session: SessionId, checkpoint: Checkpoint, upper: u64) {
        let Some(receiving) = self.receiving.get(&session) else { return };
        let peer = receiving.peer;
        let Some(config) = self.peers.get(&peer).map(|p| &p.config).filter(|c| !c.receive_only) else { return };
        if let Some(serials) = receiving.answers.get(&checkpoint.serial) {
            // An acknowledged report has reached the sender, whose repeated checkpoint was on its way by then.
            let unacknowledged: Vec<u64> = serials.clone().filter(|s| receiving.report(*s).is_some()).collect();
            for serial in unacknowledged {
                self.retransmit_report(now, peer, session, serial, Cause::RepeatedCheckpoint);
            }
            return;
        }
        let answered = receiving.reports.get(&checkpoint.report_serial);
        let (lower, round) = match (checkpoint.report_serial, answered) {
            (0, _) => (receiving.last_primary_upper, 0),
            (_, Some(answered)) => (answered.report.lower_bound, answered.round + 1),
            // It answers a report that this session has not issued; nothing is lost by telling all.
            (_, None) => (0, 1),
        };
        if round > config.problem_limit || receiving.reports.len() >= MAX_REPORTS {
            self.cancel_locally(now, session, CancelReason::RetransmissionLimit);
            return;
        }
        let scope = if config.report_scope == ReportScope::Widened
            && (lower >= upper || !receiving.has_within(&(lower..upper)))
        {
            0..upper
        } else {
            lower..upper
        };
        // A checkpoint that gets no report is not remembered, so it is looked at anew when it comes again.
        match self.issue_report(session, scope, checkpoint.serial, round) {
            Ok(()) if checkpoint.report_serial == 0 => {
                if let Some(receiving) = self.receiving.get_mut(&session) {
                    receiving.last_primary_upper = receiving.last_primary_upper.max(upper);
                }
            }
            Ok(()) | Err(NotIssued::NothingToTell) => {}
            Err(NotIssued::NoRoom) => self.discarded.over_limit += 1,
        }
    }

    /// Issues an asynchronous report of what has arrived since the last report that no checkpoint in answer to a report
    /// called for (§6.11 b). It carries checkpoint serial number 0 (§3.2.2).
    ///
    /// # Errors
    /// See [`ReportError`]; §6.11 names the sessions in which it may be issued.
    pub fn report_now(&mut self, now: Instant, session: SessionId) -> Result<(), ReportError> {
        let receiving = self.receiving.get(&session).ok_or(ReportError::UnknownSession)?;
        if receiving.red_length.is_some() {
            return Err(ReportError::EndOfRedPart);
        }
        let scope = receiving.last_primary_upper..receiving.red_upper();
        if scope.is_empty() {
            return Err(ReportError::NothingNew(scope.start));
        }
        let receive_only = self.peers.get(&receiving.peer).is_none_or(|p| p.config.receive_only);
        if receive_only || receiving.reports.len() >= MAX_REPORTS {
            return Err(ReportError::NoRoom);
        }
        let upper = scope.end;
        match self.issue_report(session, scope.clone(), 0, 0) {
            Ok(()) => {
                if let Some(receiving) = self.receiving.get_mut(&session) {
                    receiving.last_primary_upper = upper;
                    receiving.last_heard = receiving.last_heard.max(now);
                }
                self.tell_partial_claim(session);
                Ok(())
            }
            Err(NotIssued::NothingToTell) => Err(ReportError::NothingNew(scope.start)),
            Err(NotIssued::NoRoom) => Err(ReportError::NoRoom),
        }
    }

    fn issue_report(
        &mut self,
        session: SessionId,
        scope: Range<u64>,
        checkpoint_serial: u64,
        round: u32,
    ) -> Result<(), NotIssued> {
        let receiving = self.receiving.get_mut(&session).ok_or(NotIssued::NoRoom)?;
        let state = self.peers.get_mut(&receiving.peer).ok_or(NotIssued::NoRoom)?;
        // §6.11: a report whose scope is empty must not be issued; §3.2.2: a report has at least one claim.
        if scope.is_empty() {
            return Err(NotIssued::NothingToTell);
        }
        let claims = receiving.claims(&scope);
        if claims.is_empty() {
            return Err(NotIssued::NothingToTell);
        }
        let cost = REPORT_COST + CLAIM_COST * claims.len() as u64;
        if !self.budget.take(state, cost) {
            return Err(NotIssued::NoRoom);
        }
        receiving.held_reports += cost;
        let report =
            Report { report_serial: 0, checkpoint_serial, upper_bound: scope.end, lower_bound: scope.start, claims };
        let first = receiving.next_report;
        let reports = split_report(report, &state.config, &mut receiving.next_report);
        if checkpoint_serial != 0 {
            receiving.answers.insert(checkpoint_serial, first..receiving.next_report);
        }
        receiving.unacknowledged += reports.len();
        for report in reports {
            let report_serial = report.report_serial;
            let queued = state.queue_control(Control::Report { session, report_serial });
            let sent = SentReport { report, acknowledged: false, queued, times_sent: 0, round };
            receiving.reports.insert(report_serial, sent);
            if !queued {
                // It waits for the checkpoint to come again, or for the session to end.
                self.discarded.over_limit += 1;
            }
        }
        Ok(())
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
        self.timers.stop(&awaiting_ack(session, serial));
        if sent.queued {
            self.notices.push_back(Notice::Retransmitted { session, peer, bytes: 0, cause });
        } else {
            self.discarded.over_limit += 1;
            // Nobody else would bring it up again.
            self.start_timer(now, peer, awaiting_ack(session, serial), 0);
        }
    }

    /// Stop RS Timer (§6.14).
    pub(super) fn handle_report_ack(&mut self, now: Instant, session: SessionId, serial: u64) {
        if self.config.misbehaviour == Some(Misbehaviour::AnyReportAck)
            && let Some(receiving) = self.receiving.get(&session)
        {
            let other = receiving.reports.keys().copied().find(|s| *s != serial && receiving.report(*s).is_some());
            if let Some(other) = other.filter(|_| !receiving.reports.contains_key(&serial)) {
                return self.handle_report_ack(now, session, other);
            }
        }
        self.timers.stop(&awaiting_ack(session, serial));
        let Some(receiving) = self.receiving.get_mut(&session) else {
            self.discarded.unknown_session += 1;
            return;
        };
        match receiving.reports.get_mut(&serial) {
            Some(sent) if !sent.acknowledged => {
                sent.acknowledged = true;
                receiving.unacknowledged -= 1;
                let claims = std::mem::take(&mut sent.report.claims);
                let freed = CLAIM_COST * claims.len() as u64;
                receiving.held_reports -= freed;
                if let Some(state) = self.peers.get_mut(&receiving.peer) {
                    self.budget.give_back(state, freed);
                }
                self.close_if_over(now, session);
            }
            Some(_) => {}
            None => self.discarded.contradictory += 1,
        }
    }
}

fn awaiting_ack(session: SessionId, report_serial: u64) -> Awaited {
    Awaited { session, answer: Answer::ReportAck { report_serial } }
}

/// A report, split so that each segment fits the segment size (§6.11).
fn split_report(report: Report, config: &PeerConfig, next_serial: &mut u64) -> Vec<Report> {
    // The control byte, the extensions count, and the longest session ID, bounds, serial numbers and claim count.
    let mut fixed = 2 + 7 * sdnv::MAX_LEN + config.security.as_ref().map_or(0, |s| s.sign.overhead());
    // A cookie that comes later must find room too. With the least segment size it may not.
    let cookies = 2 * (2 + MAX_COOKIE);
    if fixed + cookies + 2 * sdnv::MAX_LEN <= config.segment_size {
        fixed += cookies;
    }
    let room = config.segment_size.saturating_sub(fixed);
    // Offsets from the report's lower bound are no shorter than those from a part's own.
    let length = |claim: &Claim| sdnv::encoded_len(claim.offset) + sdnv::encoded_len(claim.length);
    let mut parts: Vec<&[Claim]> = Vec::new();
    let mut rest = report.claims.as_slice();
    while !rest.is_empty() {
        let mut used = 0;
        let fitting = rest.iter().take(config.max_claims).take_while(|claim| {
            used += length(claim);
            used <= room
        });
        let (part, further) = rest.split_at(fitting.count().max(1));
        parts.push(part);
        rest = further;
    }
    let mut lower = report.lower_bound;
    let mut reports = Vec::with_capacity(parts.len());
    for (index, claims) in parts.iter().enumerate() {
        // A scope ends where the next part's first claim begins, so that the gap before that claim is told here.
        let upper = match parts.get(index + 1) {
            Some(next) => report.lower_bound + next[0].offset,
            None => report.upper_bound,
        };
        let shift = lower - report.lower_bound;
        reports.push(Report {
            report_serial: *next_serial,
            checkpoint_serial: report.checkpoint_serial,
            lower_bound: lower,
            upper_bound: upper,
            claims: claims.iter().map(|c| Claim { offset: c.offset - shift, length: c.length }).collect(),
        });
        *next_serial += 1;
        lower = upper;
    }
    reports
}
