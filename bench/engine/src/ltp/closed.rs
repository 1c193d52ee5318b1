//! Sessions that are over.

use std::collections::{HashSet, VecDeque};

use farlink_units::Instant;
use farlink_wire::ltp::SessionId;

/// Sessions that are over, so that late segments do not open them anew. Each is forgotten in time, and the oldest where
/// there are too many.
#[derive(Debug, Default)]
pub(super) struct Closed {
    order: VecDeque<(Instant, SessionId)>,
    known: HashSet<SessionId>,
}

impl Closed {
    const CAPACITY: usize = 1 << 16;

    pub(super) fn remember(&mut self, session: SessionId, until: Instant) {
        if self.known.insert(session) {
            self.order.push_back((until, session));
            if self.order.len() > Self::CAPACITY {
                self.forget_first();
            }
        }
    }

    /// Sessions are forgotten in the order in which they closed; one that may go earlier than one before it waits for that.
    pub(super) fn forget_until(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, session)) = self.order.pop_front() {
            self.known.remove(&session);
        }
    }

    pub(super) fn contains(&self, session: &SessionId) -> bool {
        self.known.contains(session)
    }
}
