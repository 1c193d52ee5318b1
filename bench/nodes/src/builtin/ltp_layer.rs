//! Bundles over LTP (RFC 7122's way of carrying them in blocks).

use bytes::Bytes;
use farlink_engine::bp::{Failure, Handle, Refusal};
use farlink_engine::ltp::{self, Aggregate, Aggregator, Block, PeerConfig};
use farlink_record::{BundleNotice, Event, LtpNotice, RetransmitReason, Session};
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;
use farlink_wire::ltp::{CancelReason, SessionId};

use super::{BuiltinNode, Peer};
use crate::store::ReceptionChange;

/// How long a session that was refused stays in the notes for a restart. The peer has heard of the refusal long before.
const STRIKE_OFF_AFTER: Duration = Duration::from_secs(86_400);

impl BuiltinNode {
    /// The next segment for a peer that fits what is left of the contact.
    pub(super) fn next_segment(&mut self, now: Instant, place: usize) -> Option<Bytes> {
        let neighbour = &self.peers[place].neighbour;
        let engine = neighbour.engine;
        let window = neighbour.transmit.open_at(now)?;
        // What leaves must have left when the contact ends.
        let bits = match window.rate_bps {
            0 => u128::MAX,
            rate => (window.end - now).as_nanos() as u128 * u128::from(rate) / 1_000_000_000,
        };
        let room = usize::try_from(bits.saturating_sub(u128::from(neighbour.overhead_bits)) / 8).unwrap_or(usize::MAX);
        // A bundle stays with the agent until it can begin to leave: what expires meanwhile is not sent.
        let can_begin = !self.engine.has_unsent_blocks(engine) && self.engine.takes_blocks(engine);
        if room >= PeerConfig::MIN_SEGMENT_SIZE && can_begin {
            self.next_block(now, place);
        }
        self.engine.poll_transmit(now, engine, room)
    }

    fn next_block(&mut self, now: Instant, place: usize) {
        let peer = &mut self.peers[place];
        let node = &peer.neighbour.node;
        let block = match &mut peer.aggregator {
            None => self.agent.poll_forward(now, node).map(|o| (o.block, vec![o.handle])),
            Some(aggregator) => {
                let mut ready = aggregator.poll();
                while ready.is_none() {
                    let Some(outgoing) = self.agent.poll_forward(now, node) else { break };
                    aggregator.push(now, outgoing.block, outgoing.handle.0);
                    ready = aggregator.poll();
                }
                ready.map(of_aggregate)
            }
        };
        if let Some((block, handles)) = block {
            self.send_block(now, place, block, handles);
        }
    }

    fn send_block(&mut self, now: Instant, place: usize, block: Block, handles: Vec<Handle>) {
        let Peer { neighbour, red_length, .. } = &self.peers[place];
        let (engine, length) = (neighbour.engine, block.len());
        let red = if neighbour.reliable { red_length.unwrap_or(length).min(length) } else { 0 };
        match self.engine.send(engine, ltp::BUNDLE_PROTOCOL, block, red) {
            Ok(session) => {
                for handle in &handles {
                    self.sessions.insert(*handle, session);
                }
                self.sending.insert(session, handles);
                self.ltp_event(session, engine, LtpNotice::BlockStarted { bytes: length });
            }
            Err(_) => {
                for handle in handles {
                    self.agent.forwarding_failed(now, handle, Failure::NoResources);
                }
            }
        }
    }

    /// A bundle leaves the store before it has arrived. A block that holds others too goes on.
    pub(super) fn abandon(&mut self, now: Instant, handle: Handle) {
        let Some(session) = self.sessions.remove(&handle) else {
            // It has not begun to leave if it waits for others to go with.
            for aggregator in self.peers.iter_mut().filter_map(|p| p.aggregator.as_mut()) {
                aggregator.remove(handle.0);
            }
            return;
        };
        let Some(handles) = self.sending.get_mut(&session) else { return };
        handles.retain(|other| *other != handle);
        if handles.is_empty() {
            self.sending.remove(&session);
            self.engine.cancel(now, session);
        }
    }

    /// What waits to go to a neighbour together with others, and could go another way.
    pub(super) fn release_collected(&mut self, now: Instant, node: &Eid) {
        let peer = self.peers.iter_mut().find(|p| p.neighbour.node == *node);
        for tag in peer.and_then(|p| p.aggregator.as_mut()).map(Aggregator::clear).unwrap_or_default() {
            self.agent.forwarding_failed(now, Handle(tag), Failure::Link);
        }
    }

    /// The bundles that a session was sending, now that the session is over.
    fn conclude(&mut self, session: SessionId) -> Vec<Handle> {
        let handles = self.sending.remove(&session).unwrap_or_default();
        for handle in &handles {
            self.sessions.remove(handle);
        }
        handles
    }

    pub(super) fn ltp_notice(&mut self, now: Instant, notice: ltp::Notice) {
        let (session, peer, told) = match notice {
            ltp::Notice::RedPart { session, peer, data, .. } => {
                self.ltp_event(session, peer, LtpNotice::RedPartReceived { bytes: data.len() as u64 });
                self.red_part(now, session, peer, &data);
                return;
            }
            ltp::Notice::TransmissionCompleted { session, peer } => {
                for handle in self.conclude(session) {
                    self.agent.forwarded(now, handle);
                }
                (session, peer, LtpNotice::BlockAcknowledged)
            }
            ltp::Notice::TransmissionCancelled { session, peer, reason, locally } => {
                let failure = failure(reason, locally);
                if failure == Failure::Link {
                    // The plan's contact is not what it should be: other ways are tried first.
                    let node = self.node_of(peer);
                    self.agent.contact_failed(now, &node);
                    self.release_collected(now, &node);
                }
                for handle in self.conclude(session) {
                    self.agent.forwarding_failed(now, handle, failure);
                }
                (session, peer, LtpNotice::Cancelled { reason: reason.mnemonic().to_string(), locally })
            }
            ltp::Notice::ReceptionCancelled { session, peer, reason, locally } => {
                if !locally {
                    self.strike_off(session);
                }
                (session, peer, LtpNotice::Cancelled { reason: reason.mnemonic().to_string(), locally })
            }
            ltp::Notice::Retransmitted { session, peer, bytes, cause } => {
                let reason = match cause {
                    ltp::Cause::Gap => RetransmitReason::Gap,
                    ltp::Cause::CheckpointTimer => RetransmitReason::CheckpointTimer,
                    ltp::Cause::ReportTimer => RetransmitReason::ReportTimer,
                    ltp::Cause::RepeatedCheckpoint => RetransmitReason::RepeatedCheckpoint,
                    ltp::Cause::CancelTimer => RetransmitReason::CancelTimer,
                };
                (session, peer, LtpNotice::Retransmitted { bytes, reason })
            }
            ltp::Notice::GreenBlock { peer, offset: 0, data, .. } => {
                let _ = self.agent.receive(now, &self.node_of(peer), &data, Refusal::Impossible);
                return;
            }
            ltp::Notice::GreenBlock { session, offset, data, .. } => {
                self.refused(
                    data.len() as u64,
                    format!("green data from byte {offset} on in session {session}: no bundle"),
                );
                return;
            }
            ltp::Notice::GreenIncomplete { session, received, .. } => {
                self.refused(received, format!("green data of session {session} is incomplete"));
                return;
            }
            ltp::Notice::PartialClaim { session, peer } => {
                if self.journal && self.claimed.insert(session) {
                    self.reception_changes.push_back(ReceptionChange::Claimed { session, peer });
                }
                return;
            }
            ltp::Notice::ReceptionClosed { session, .. } => {
                self.strike_off(session);
                return;
            }
            ltp::Notice::InitialTransmissionCompleted { .. }
            | ltp::Notice::ReceptionStarted { .. }
            | ltp::Notice::GreenSegment { .. } => return,
        };
        self.ltp_event(session, peer, told);
    }

    fn red_part(&mut self, now: Instant, session: SessionId, peer: u64, data: &Bytes) {
        let node = self.node_of(peer);
        if self.agent.receive(now, &node, data, Refusal::Possible).is_ok() {
            self.strike_off(session);
            return;
        }
        // The report that acknowledges the block has not left yet, so the sender keeps its bundles. If a part has been
        // claimed before, a restart must not forget that the session failed.
        if self.claimed.contains(&session) {
            self.strike_off_later(now, session);
        }
        self.engine.cancel_because(now, session, CancelReason::SystemError);
    }

    fn strike_off(&mut self, session: SessionId) {
        if !self.striking_off.iter().any(|(_, s)| *s == session) && self.claimed.remove(&session) {
            self.reception_changes.push_back(ReceptionChange::Ended { session });
        }
    }

    pub(super) fn strike_off_later(&mut self, now: Instant, session: SessionId) {
        while let Some((_, over)) = self.striking_off.pop_front_if(|(at, _)| *at <= now) {
            self.strike_off(over);
        }
        self.striking_off.push_back((now + STRIKE_OFF_AFTER, session));
    }

    pub(super) fn ltp_event(&mut self, session: SessionId, peer: u64, notice: LtpNotice) {
        let session = Session { originator: session.originator, number: session.number };
        let known = self.peers.iter().find(|p| p.neighbour.engine == peer).map(|p| p.neighbour.id);
        if let Some(peer) = known {
            self.events.push_back(Event::Ltp { node: self.id, peer, session, notice });
        }
    }

    pub(super) fn refused(&mut self, bytes: u64, reason: String) {
        let notice = BundleNotice::Refused { reason };
        self.events.push_back(Event::Bundle { node: self.id, bundle: String::new(), traffic: None, bytes, notice });
    }

    /// The node whose engine this is.
    fn node_of(&self, engine: u64) -> Eid {
        let peer = self.peers.iter().find(|p| p.neighbour.engine == engine);
        peer.map_or(Eid::ipn(engine, 0), |p| p.neighbour.node.clone())
    }
}

fn of_aggregate(aggregate: Aggregate) -> (Block, Vec<Handle>) {
    (aggregate.block, aggregate.tags.into_iter().map(Handle).collect())
}

/// What the end of a session that sent bundles says about the neighbour.
fn failure(reason: CancelReason, locally: bool) -> Failure {
    match reason {
        CancelReason::SystemError if !locally => Failure::NoResources,
        CancelReason::RetransmissionLimit | CancelReason::RetransmissionCycles => Failure::Link,
        _ => Failure::Rejected,
    }
}
