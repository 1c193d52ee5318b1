//! Values that change at certain instants.

use farlink_units::Instant;

/// A value over a contact: it holds from the contact's start, and from each change on the new one does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Steps<T> {
    /// The value at the start of the contact.
    pub first: T,
    /// When the value changes, and to what, in order of time.
    pub changes: Vec<(Instant, T)>,
}

impl<T> Steps<T> {
    /// A value that does not change.
    pub const fn constant(value: T) -> Self {
        Steps { first: value, changes: Vec::new() }
    }

    /// The value at an instant. Of several changes at one instant, the last counts.
    pub fn at(&self, at: Instant) -> &T {
        match self.changes.partition_point(|(t, _)| *t <= at).checked_sub(1) {
            Some(last) => &self.changes[last].1,
            None => &self.first,
        }
    }

    /// All values, without the instants.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(self.changes.iter().map(|(_, value)| value))
    }

    /// The value by spans of time within `start` … `end`, in order.
    pub fn spans(&self, start: Instant, end: Instant) -> Vec<(Instant, Instant, &T)> {
        let mut spans = Vec::with_capacity(self.changes.len() + 1);
        let mut open = (start, &self.first);
        for (at, value) in self.changes.iter().filter(|(at, _)| *at < end) {
            if *at > open.0 {
                spans.push((open.0, *at, open.1));
                open.0 = *at;
            }
            open.1 = value;
        }
        if open.0 < end {
            spans.push((open.0, end, open.1));
        }
        spans
    }
}

impl<T: PartialEq> Steps<T> {
    /// Takes out changes that change nothing, within a contact that starts at `start`.
    pub(crate) fn tidy(&mut self, start: Instant) {
        self.changes.sort_by_key(|(at, _)| *at);
        let mut kept: Vec<(Instant, T)> = Vec::with_capacity(self.changes.len());
        for (at, value) in self.changes.drain(..) {
            if at <= start {
                self.first = value;
                continue;
            }
            // The last of several changes at one instant counts.
            if kept.last().is_some_and(|(t, _)| *t == at) {
                kept.pop();
            }
            if *kept.last().map_or(&self.first, |(_, v)| v) != value {
                kept.push((at, value));
            }
        }
        self.changes = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(secs: i64) -> Instant {
        Instant::from_nanos(secs * 1_000_000_000)
    }

    #[test]
    fn a_change_holds_from_its_instant_on() {
        let steps = Steps { first: 1, changes: vec![(s(10), 2), (s(20), 3)] };
        assert_eq!([s(0), s(9), s(10), s(19), s(20), s(99)].map(|t| *steps.at(t)), [1, 1, 2, 2, 3, 3]);
        assert_eq!(steps.spans(s(5), s(15)), [(s(5), s(10), &1), (s(10), s(15), &2)]);
        assert_eq!(steps.spans(s(10), s(20)), [(s(10), s(20), &2)]);
        assert!(steps.spans(s(5), s(5)).is_empty());
    }

    #[test]
    fn changes_that_change_nothing_go() {
        let mut steps = Steps { first: 0, changes: vec![(s(20), 3), (s(10), 2), (s(5), 1), (s(20), 2), (s(30), 4)] };
        steps.tidy(s(5));
        assert_eq!(steps, Steps { first: 1, changes: vec![(s(10), 2), (s(30), 4)] });
    }
}
