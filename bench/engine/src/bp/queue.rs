//! What waits for one next hop, by class.

use std::collections::BTreeMap;

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
    /// By class, and by place in the queue. A bundle that takes another way leaves no trace here.
    waiting: [BTreeMap<u64, Handle>; 3],
    next_place: u64,
    expedited_in_a_row: u32,
}

impl ClassQueue {
    /// Returns the place, which is given to no other bundle.
    pub(super) fn push_back(&mut self, class: Class, handle: Handle) -> u64 {
        let place = self.next_place;
        self.next_place += 1;
        self.waiting[class as usize].insert(place, handle);
        place
    }

    /// The bundle at this place, if it is still there, takes another way.
    pub(super) fn remove(&mut self, class: Class, place: u64) {
        self.waiting[class as usize].remove(&place);
    }

    /// The next bundle.
    pub(super) fn pop(&mut self) -> Option<Handle> {
        let [bulk, normal, expedited] = &mut self.waiting;
        let first = |of: &mut BTreeMap<u64, Handle>| of.pop_first().map(|(_, handle)| handle);
        let normal_is_due = self.expedited_in_a_row >= EXPEDITED_IN_A_ROW && !normal.is_empty();
        if !normal_is_due && let Some(handle) = first(expedited) {
            self.expedited_in_a_row = if normal.is_empty() { 0 } else { self.expedited_in_a_row + 1 };
            return Some(handle);
        }
        self.expedited_in_a_row = 0;
        first(normal).or_else(|| first(bulk))
    }

    /// Bundles that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.iter().map(BTreeMap::len).sum()
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
        std::iter::from_fn(|| queue.pop()).map(|h| h.0).collect()
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
            queue.pop();
        }
        queue.push_back(Class::Normal, Handle(99));
        assert_eq!(order(queue), [8, 9, 99]);
    }

    #[test]
    fn bundles_that_have_gone_another_way_are_no_longer_there() {
        let mut queue = ClassQueue::default();
        let places = [Class::Expedited, Class::Normal, Class::Expedited].map(|class| queue.push_back(class, Handle(7)));
        queue.push_back(Class::Normal, Handle(8));
        queue.remove(Class::Expedited, places[0]);
        queue.remove(Class::Normal, places[1]);
        queue.remove(Class::Normal, places[1]);
        assert_eq!(queue.len(), 2);
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(Handle(7)), Some(Handle(8)), None));
    }
}
