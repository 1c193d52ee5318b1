//! Green parts put together (RFC 5326 §7.2 tells their segments one by one).
//!
//! Green data is sent once, so a green part is whole or never will be. It is waited for as long as
//! [`Config::green_patience`](super::Config) says, also when the session has been closed by the end of the block (§8.2), since
//! segments may come out of order. While the end of the red part is missing, so that nobody knows where the green part begins,
//! it is waited for as long as the session is open.

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::ltp::{Data, SessionId};

use super::hash::Sessions;
use super::receiving::{PIECE_COST, Pieces};
use super::timer::{Answer, Awaited};
use super::{Engine, Notice};
use crate::ranges::RangeSet;

#[derive(Debug)]
pub(super) struct Green {
    peer: u64,
    client_service: u64,
    pieces: Pieces,
    received: RangeSet,
    /// Where the green part begins, once that is known.
    start: Option<u64>,
    end: Option<u64>,
    held: u64,
    /// Told, whole or not; what still comes changes nothing.
    over: bool,
}

impl Green {
    fn is_whole(&self) -> bool {
        matches!((self.start, self.end), (Some(start), Some(end)) if start <= end && self.received.covers(&(start..end)))
    }

    fn missing(&self) -> Option<u64> {
        let (start, end) = self.start.zip(self.end)?;
        let received: u64 = self.received.within(start..end).map(|r| r.end - r.start).sum();
        Some(end.saturating_sub(start) - received)
    }
}

pub(super) type Greens = Sessions<Green>;

impl Engine {
    /// Takes a green segment. `start` is where the green part begins, if that is known.
    pub(super) fn gather_green(
        &mut self,
        now: Instant,
        peer: u64,
        session: SessionId,
        data: &Data<'_>,
        start: Option<u64>,
    ) {
        if self.config.green_patience.is_negative() || self.config.green_patience == Default::default() {
            return;
        }
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if !self.green.contains_key(&session) {
            if state.greens >= self.config.max_receiving_sessions {
                self.discarded.over_limit += 1;
                return;
            }
            state.greens += 1;
            self.watch_green(now, peer, session);
        }
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let green = self.green.entry(session).or_insert_with(|| Green {
            peer,
            client_service: data.client_service,
            pieces: Pieces::default(),
            received: RangeSet::new(),
            start: None,
            end: None,
            held: 0,
            over: false,
        });
        if green.over {
            return;
        }
        let end = data.end();
        if data.kind.is_end_of_block() {
            green.end = Some(end);
        }
        green.start = start.or(green.start).or((data.offset == 0).then_some(0));
        let gaps = green.received.gaps(data.offset..end);
        let bytes: u64 = gaps.iter().map(|g| g.end - g.start).sum();
        let cost = bytes + PIECE_COST * gaps.len() as u64;
        let fits = green.received.len() + bytes <= self.config.max_green_part
            && green.received.pieces() < state.config.max_ranges
            && self.budget.take(state, cost);
        if !fits {
            self.discarded.over_limit += 1;
            self.give_up_green(session);
            return;
        }
        green.held += cost;
        for gap in gaps {
            // A copy, since the frame may be a small part of a long buffer that would stay in memory with it.
            let new = (gap.start - data.offset) as usize..(gap.end - data.offset) as usize;
            green.pieces.push(gap.start, Bytes::copy_from_slice(&data.data[new]));
            green.received.insert(gap);
        }
        self.tell_green_if_whole(session);
    }

    /// Tells where the green part begins, now that the red part's end has arrived.
    pub(super) fn green_begins(&mut self, session: SessionId, start: u64) {
        if let Some(green) = self.green.get_mut(&session) {
            green.start = Some(start);
            self.tell_green_if_whole(session);
        }
    }

    fn tell_green_if_whole(&mut self, session: SessionId) {
        let Some(green) = self.green.get_mut(&session).filter(|g| !g.over && g.is_whole()) else { return };
        let (start, end) = (green.start.unwrap_or(0), green.end.unwrap_or(0));
        let notice = Notice::GreenBlock {
            session,
            peer: green.peer,
            client_service: green.client_service,
            offset: start,
            data: std::mem::take(&mut green.pieces).join(start..end),
        };
        self.notices.push_back(notice);
        self.green_over(session);
    }

    fn give_up_green(&mut self, session: SessionId) {
        let Some(green) = self.green.get(&session).filter(|g| !g.over) else { return };
        self.notices.push_back(Notice::GreenIncomplete {
            session,
            peer: green.peer,
            client_service: green.client_service,
            received: green.received.len(),
            missing: green.missing(),
        });
        self.green_over(session);
    }

    /// Gives the memory back. The entry stays as long as the session does, so that late segments do not begin anew.
    fn green_over(&mut self, session: SessionId) {
        let Some(green) = self.green.get_mut(&session) else { return };
        green.over = true;
        green.pieces = Pieces::default();
        green.received = RangeSet::new();
        if let Some(state) = self.peers.get_mut(&green.peer) {
            self.budget.give_back(state, std::mem::take(&mut green.held));
        }
        if !self.receiving.contains_key(&session) {
            self.drop_green(session);
        }
    }

    pub(super) fn green_timeout(&mut self, now: Instant, peer: u64, session: SessionId) {
        let Some(green) = self.green.get(&session) else { return };
        // Where the green part begins is told by red data, which is sent until it arrives or the session ends.
        if green.start.is_none() && !green.over && self.receiving.contains_key(&session) {
            self.watch_green(now, peer, session);
        } else {
            self.give_up_green(session);
        }
    }

    fn watch_green(&mut self, now: Instant, peer: u64, session: SessionId) {
        let Some(state) = self.peers.get(&peer) else { return };
        let awaited = Awaited { session, answer: Answer::Green };
        self.timers.start_span(now, peer, awaited, self.config.green_patience, state.transmits);
    }

    /// The session has been closed. What is not whole is waited for beyond that.
    pub(super) fn green_session_closed(&mut self, session: SessionId) {
        if self.green.get(&session).is_some_and(|g| g.over) {
            self.drop_green(session);
        }
    }

    /// Also when the session is cancelled: "no subsequent delivery notices will be issued" (§7.6).
    pub(super) fn drop_green(&mut self, session: SessionId) {
        let Some(green) = self.green.remove(&session) else { return };
        self.timers.stop(&Awaited { session, answer: Answer::Green });
        if let Some(state) = self.peers.get_mut(&green.peer) {
            state.greens -= 1;
            self.budget.give_back(state, green.held);
        }
    }
}
