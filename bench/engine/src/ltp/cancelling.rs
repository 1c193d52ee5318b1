//! Cancellation (RFC 5326 §4.2, §6.15–§6.19, §6.21, §6.22).

use farlink_units::Instant;
use farlink_wire::ltp::{CancelReason, Party, SessionId};

use super::peer::{Control, Echo};
use super::timer::{Answer, Awaited};
use super::{Cause, Engine, Notice};

#[derive(Debug)]
pub(super) struct Cancelling {
    pub(super) peer: u64,
    pub(super) by: Party,
    pub(super) reason: CancelReason,
    pub(super) times_sent: u32,
}

impl Engine {
    /// A cancellation request of the client service (§4.2), as sender or as receiver, with USR_CNCLD.
    pub fn cancel(&mut self, now: Instant, session: SessionId) {
        self.cancel_locally(now, session, CancelReason::UserCancelled);
    }

    /// As [`Engine::cancel`], with another reason: SYS_CNCLD for an irrecoverable error of the system (§6.22).
    pub fn cancel_because(&mut self, now: Instant, session: SessionId, reason: CancelReason) {
        self.cancel_locally(now, session, reason);
    }

    /// Cancels a session as its receiver although this engine knows nothing of it: after a restart, where claims had been made
    /// on data that is lost. "Reneging is NOT permitted on previously made reception claims" (§6.22), so the sender must hear
    /// that the session has failed; SYS_CNCLD is the reason for that. Later segments of the session are answered as those of
    /// a closed one, and its data is not taken.
    ///
    /// A session that is open here is cancelled as by [`Engine::cancel_because`]; one that is over or in cancellation stays
    /// so. The client service is not told of a session that was not open.
    pub fn abandon_reception(&mut self, now: Instant, peer: u64, session: SessionId, reason: CancelReason) {
        let Some(state) = self.peers.get(&peer) else { return };
        if self.receiving.contains_key(&session) {
            self.cancel_locally(now, session, reason);
        } else if session.originator != self.config.engine_id
            && !self.cancelling.contains_key(&session)
            && !state.closed.contains(&session)
        {
            self.start_cancel(now, session, peer, Party::Receiver, reason);
        }
    }

    /// Ends a session from this side: Cancel Session (§6.19), a Cx segment, a notice to the client.
    pub(super) fn cancel_locally(&mut self, now: Instant, session: SessionId, reason: CancelReason) {
        if let Some(sending) = self.remove_sending(now, session) {
            let peer = sending.peer;
            self.notices.push_back(Notice::TransmissionCancelled { session, peer, reason, locally: true });
            // §4.2: if no segment has left, the peer cannot know of the session.
            if sending.has_begun() {
                self.start_cancel(now, session, peer, Party::Sender, reason);
            }
        } else if let Some(receiving) = self.remove_receiving(session) {
            self.drop_green(session);
            let peer = receiving.peer;
            self.notices.push_back(Notice::ReceptionCancelled { session, peer, reason, locally: true });
            self.start_cancel(now, session, peer, Party::Receiver, reason);
        }
    }

    pub(super) fn start_cancel(
        &mut self,
        now: Instant,
        session: SessionId,
        peer: u64,
        by: Party,
        reason: CancelReason,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if state.config.receive_only {
            self.remember_closed(now, peer, session);
            return;
        }
        // What this engine originates is limited by what it sends; what it receives is the peer's choice.
        if by == Party::Receiver {
            if state.cancelling_receptions >= self.config.max_receiving_sessions {
                self.discarded.over_limit += 1;
                self.remember_closed(now, peer, session);
                return;
            }
            state.cancelling_receptions += 1;
        }
        self.cancelling.insert(session, Cancelling { peer, by, reason, times_sent: 1 });
        self.queue_cancel(now, peer, session);
    }

    /// Without room in the queue, the timer brings it up again.
    fn queue_cancel(&mut self, now: Instant, peer: u64, session: SessionId) {
        if !self.queue_control(peer, Control::Cancel { session }) {
            self.start_timer(now, peer, Awaited { session, answer: Answer::CancelAck }, 0);
        }
    }

    fn remove_cancelling(&mut self, now: Instant, session: SessionId) -> Option<Cancelling> {
        let cancelling = self.cancelling.remove(&session)?;
        self.timers.stop_session(session);
        if cancelling.by == Party::Receiver
            && let Some(state) = self.peers.get_mut(&cancelling.peer)
        {
            state.cancelling_receptions -= 1;
        }
        self.remember_closed(now, cancelling.peer, session);
        Some(cancelling)
    }

    /// Acknowledge Cancellation (§6.17).
    pub(super) fn handle_cancel(
        &mut self,
        now: Instant,
        peer: u64,
        session: SessionId,
        by: Party,
        reason: CancelReason,
        echo: Echo,
    ) {
        self.queue_control(peer, Control::CancelAck { session, by, echo });
        let locally = false;
        if by == Party::Sender && self.remove_receiving(session).is_some() {
            self.drop_green(session);
            self.notices.push_back(Notice::ReceptionCancelled { session, peer, reason, locally });
        } else if by == Party::Receiver && self.remove_sending(now, session).is_some() {
            self.notices.push_back(Notice::TransmissionCancelled { session, peer, reason, locally });
        } else if self.remove_cancelling(now, session).is_none() {
            // With both sides giving up at once there is nobody left to acknowledge ours: §8.1 and §8.2 go to CLOSED from any
            // state. Otherwise there is no session.
            self.discarded.unknown_session += 1;
        }
        if by == Party::Sender {
            self.remember_closed(now, peer, session);
        }
    }

    /// Stop Cancel Timer (§6.18).
    pub(super) fn handle_cancel_ack(&mut self, now: Instant, session: SessionId, by: Party) {
        if self.cancelling.get(&session).is_none_or(|c| c.by != by) {
            self.discarded.unknown_session += 1;
            return;
        }
        self.remove_cancelling(now, session);
    }

    /// Retransmit Cancellation Segment (§6.16).
    pub(super) fn cancel_timeout(&mut self, now: Instant, peer: u64, session: SessionId) {
        let limit = self.retransmission_limit(peer);
        let Some(cancelling) = self.cancelling.get_mut(&session) else { return };
        if cancelling.times_sent > limit {
            self.remove_cancelling(now, session);
            return;
        }
        cancelling.times_sent += 1;
        self.queue_cancel(now, peer, session);
        self.notices.push_back(Notice::Retransmitted { session, peer, bytes: 0, cause: Cause::CancelTimer });
    }
}
