//! The events of several drivers in one order of time.

use std::collections::BTreeMap;

use farlink_record::Stamped;
use farlink_units::{Duration, Instant};

/// Holds events back for a while: of two threads that tell what happened at about the same time, either may be heard first.
#[derive(Debug)]
pub(super) struct Order {
    window: Duration,
    /// By time; those of one time as they came.
    held: BTreeMap<(Instant, u64), Stamped>,
    taken: u64,
    newest: Instant,
}

impl Order {
    /// An event that is older by less than `window` than one that was taken before it still comes out before that.
    pub(super) fn new(window: Duration) -> Self {
        Order { window, held: BTreeMap::new(), taken: 0, newest: Instant::ZERO }
    }

    pub(super) fn take(&mut self, stamped: Stamped) {
        self.newest = self.newest.max(stamped.at);
        self.held.insert((stamped.at, self.taken), stamped);
        self.taken += 1;
    }

    /// The next event that nothing within the window can come before.
    pub(super) fn due(&mut self) -> Option<Stamped> {
        let oldest = self.held.first_entry()?;
        (oldest.key().0 + self.window <= self.newest).then(|| oldest.remove())
    }

    /// The next event of those that are held.
    pub(super) fn any(&mut self) -> Option<Stamped> {
        self.held.pop_first().map(|(_, stamped)| stamped)
    }
}

#[cfg(test)]
mod tests {
    use farlink_record::Event;

    use super::*;

    fn at(millis: i64) -> Stamped {
        Stamped {
            at: Instant::ZERO + Duration::from_millis(millis),
            event: Event::Ended { interrupted: millis % 2 == 0 },
        }
    }

    #[test]
    fn what_comes_a_little_late_comes_out_in_order_and_nothing_is_lost() {
        let mut order = Order::new(Duration::from_millis(10));
        let mut out = Vec::new();
        for millis in [5, 1, 3, 9, 8, 20, 16, 13, 31, 30, 22] {
            order.take(at(millis));
            out.extend(std::iter::from_fn(|| order.due()));
        }
        assert_eq!(out, [1, 3, 5, 8, 9, 13, 16, 20].map(at), "22, 30 and 31 may still have one before them");
        out.extend(std::iter::from_fn(|| order.any()));
        assert_eq!(out[8..], [22, 30, 31].map(at));
        assert!(order.any().is_none() && order.due().is_none());
    }

    #[test]
    fn what_happened_at_one_time_stays_as_it_came() {
        let mut order = Order::new(Duration::from_millis(10));
        let both = [at(4), Stamped { event: Event::Ended { interrupted: false }, ..at(4) }];
        for stamped in &both {
            order.take(stamped.clone());
        }
        assert_eq!(std::iter::from_fn(|| order.any()).collect::<Vec<_>>(), both);
    }
}
