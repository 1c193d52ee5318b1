//! Sessions that are over.

use std::collections::{HashSet, VecDeque};

use farlink_units::Instant;
use farlink_wire::ltp::SessionId;

/// Sessions with one peer that are over, so that late segments do not open them anew. Each is forgotten in time, and the
/// oldest where there are too many.
#[derive(Debug, Default)]
pub(super) struct Closed {
    order: VecDeque<(Instant, SessionId)>,
    known: HashSet<SessionId>,
}

impl Closed {
    pub(super) const CAPACITY: usize = 1 << 16;

    /// Returns the session that had to be forgotten for this one.
    pub(super) fn remember(&mut self, session: SessionId, until: Instant) -> Option<SessionId> {
        if !self.known.insert(session) {
            return None;
        }
        self.order.push_back((until, session));
        if self.order.len() > Self::CAPACITY { self.forget_first() } else { None }
    }

    /// The next session that is forgotten by now. They go in the order in which they closed; one that may go earlier than one
    /// before it waits for that.
    pub(super) fn forget_next(&mut self, now: Instant) -> Option<SessionId> {
        if self.order.front()?.0 <= now { self.forget_first() } else { None }
    }

    fn forget_first(&mut self) -> Option<SessionId> {
        let (_, session) = self.order.pop_front()?;
        self.known.remove(&session);
        Some(session)
    }

    pub(super) fn contains(&self, session: &SessionId) -> bool {
        self.known.contains(session)
    }
}
