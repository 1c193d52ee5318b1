//! What happens next: one pending instant for each thing that can happen.

use std::collections::BTreeSet;

use farlink_units::Instant;

/// Pending instants by item number. At equal instants the lower number comes first, so that the order never depends on
/// how they got here.
#[derive(Debug)]
pub(crate) struct Agenda {
    due: Vec<Option<Instant>>,
    order: BTreeSet<(Instant, usize)>,
}

impl Agenda {
    pub(crate) fn new(items: usize) -> Self {
        Agenda { due: vec![None; items], order: BTreeSet::new() }
    }

    /// Replaces the pending instant of an item.
    pub(crate) fn set(&mut self, item: usize, at: Option<Instant>) {
        let before = std::mem::replace(&mut self.due[item], at);
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, item));
        }
        if let Some(at) = at {
            self.order.insert((at, item));
        }
    }

    /// The next instant and its item.
    pub(crate) fn first(&self) -> Option<(Instant, usize)> {
        self.order.first().copied()
    }

    /// Takes the next item off.
    pub(crate) fn pop(&mut self) -> Option<(Instant, usize)> {
        let first = self.order.pop_first()?;
        self.due[first.1] = None;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_of_time_then_number() {
        let mut agenda = Agenda::new(3);
        agenda.set(2, Some(Instant::from_nanos(5)));
        agenda.set(1, Some(Instant::from_nanos(5)));
        agenda.set(0, Some(Instant::from_nanos(9)));
        agenda.set(0, Some(Instant::from_nanos(7)));
        let mut order = Vec::new();
        while let Some((at, item)) = agenda.pop() {
            order.push((at.as_nanos(), item));
        }
        assert_eq!(order, [(5, 1), (5, 2), (7, 0)]);
    }
}
