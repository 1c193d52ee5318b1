//! What waits for one next hop, by class.

use std::collections::VecDeque;

use super::Handle;
use crate::class::Class;

/// How many expedited bundles may leave in a row while a normal one waits.
const EXPEDITED_IN_A_ROW: u32 = 4;

/// The bundles that wait for one next hop.
///
/// The order is that of the DTN architecture draft of 2002, section 4.3: no bulk bundle leaves while one of another class
/// waits; expedited ones go first, but after four in a row one normal bundle has its turn, so that normal traffic goes on
/// under any load of expedited traffic. Within a class, first in first out.
#[derive(Debug, Default)]
pub(super) struct ClassQueue {
    bulk: VecDeque<Handle>,
    normal: VecDeque<Handle>,
    expedited: VecDeque<Handle>,
    expedited_in_a_row: u32,
}

impl ClassQueue {
    pub(super) fn push_back(&mut self, class: Class, handle: Handle) {
        self.of(class).push_back(handle);
    }

    /// The next bundle, of those that `is_there` says are still waiting; the others are forgotten.
    pub(super) fn pop(&mut self, is_there: impl Fn(&Handle) -> bool) -> Option<Handle> {
        self.drop_leading(is_there);
        let normal_is_due = self.expedited_in_a_row >= EXPEDITED_IN_A_ROW && !self.normal.is_empty();
        if !normal_is_due && let Some(handle) = self.expedited.pop_front() {
            self.expedited_in_a_row = if self.normal.is_empty() { 0 } else { self.expedited_in_a_row + 1 };
            return Some(handle);
        }
        self.expedited_in_a_row = 0;
        self.normal.pop_front().or_else(|| self.bulk.pop_front())
    }

    /// Whether any bundle waits.
    pub(super) fn is_empty(&mut self, is_there: impl Fn(&Handle) -> bool) -> bool {
        self.drop_leading(is_there);
        self.bulk.is_empty() && self.normal.is_empty() && self.expedited.is_empty()
    }

    fn drop_leading(&mut self, is_there: impl Fn(&Handle) -> bool) {
        for queue in [&mut self.bulk, &mut self.normal, &mut self.expedited] {
            while queue.front().is_some_and(|handle| !is_there(handle)) {
                queue.pop_front();
            }
        }
    }

    fn of(&mut self, class: Class) -> &mut VecDeque<Handle> {
        match class {
            Class::Bulk => &mut self.bulk,
            Class::Normal => &mut self.normal,
            Class::Expedited => &mut self.expedited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue_of(classes: &[Class]) -> ClassQueue {
        let mut queue = ClassQueue::default();
        for (number, class) in classes.iter().enumerate() {
            queue.push_back(*class, Handle(number as u64));
        }
        queue
    }

    fn order(mut queue: ClassQueue) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop(|_| true)).map(|h| h.0).collect()
    }

    #[test]
    fn expedited_goes_first_and_bulk_last() {
        use Class::{Bulk, Expedited, Normal};
        assert_eq!(order(queue_of(&[Bulk, Normal, Expedited, Bulk, Normal, Expedited])), [2, 5, 1, 4, 0, 3]);
    }

    #[test]
    fn normal_is_not_starved_by_expedited_but_bulk_is_by_both() {
        use Class::{Bulk, Expedited, Normal};
        let mut classes = vec![Bulk, Normal, Normal];
        classes.extend([Expedited; 9]);
        assert_eq!(order(queue_of(&classes)), [3, 4, 5, 6, 1, 7, 8, 9, 10, 2, 11, 0]);
    }

    #[test]
    fn expedited_bundles_that_met_no_normal_one_do_not_count_against_the_next() {
        let mut queue = queue_of(&[Class::Expedited; 10]);
        for _ in 0..8 {
            queue.pop(|_| true);
        }
        queue.push_back(Class::Normal, Handle(99));
        assert_eq!(order(queue), [8, 9, 99]);
    }

    #[test]
    fn bundles_that_have_gone_are_passed_over() {
        let mut queue = queue_of(&[Class::Expedited, Class::Normal, Class::Expedited]);
        assert_eq!(queue.pop(|h| h.0 != 0), Some(Handle(2)));
        assert!(queue.is_empty(|_| false));
        assert_eq!(queue.pop(|_| true), None);
    }
}
