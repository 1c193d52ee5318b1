//! Sets of bytes, kept as merged half-open ranges.

use std::ops::Range;

/// A set of `u64` positions, stored as sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    ranges: Vec<Range<u64>>,
}

impl RangeSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a range; an empty one changes nothing.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // Data mostly arrives in order, so the last range is the likely neighbour.
        if let Some(last) = self.ranges.last_mut()
            && (last.start..=last.end).contains(&range.start)
        {
            last.end = last.end.max(range.end);
            return;
        }
        let first = self.ranges.partition_point(|r| r.end < range.start);
        let past = self.ranges.partition_point(|r| r.start <= range.end);
        if first == past {
            self.ranges.insert(first, range);
        } else {
            let merged = self.ranges[first].start.min(range.start)..self.ranges[past - 1].end.max(range.end);
            self.ranges.drain(first + 1..past);
            self.ranges[first] = merged;
        }
    }

    /// Takes a range out; what of it is not in the set changes nothing.
    pub fn remove(&mut self, range: Range<u64>) {
        let first = self.ranges.partition_point(|r| r.end <= range.start);
        let past = self.ranges.partition_point(|r| r.start < range.end);
        if range.is_empty() || first >= past {
            return;
        }
        let before = self.ranges[first].start..range.start;
        let after = range.end..self.ranges[past - 1].end;
        self.ranges.splice(first..past, [before, after].into_iter().filter(|r| !r.is_empty()));
    }

    /// How many separate ranges the set has.
    pub fn pieces(&self) -> usize {
        self.ranges.len()
    }

    /// Whether every position of `range` is in the set.
    pub fn covers(&self, range: &Range<u64>) -> bool {
        if range.is_empty() {
            return true;
        }
        let at = self.ranges.partition_point(|r| r.end <= range.start);
        self.ranges.get(at).is_some_and(|r| r.start <= range.start && range.end <= r.end)
    }

    /// The parts of the set that lie within `scope`, in order.
    pub fn within(&self, scope: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let at = self.ranges.partition_point(|r| r.end <= scope.start);
        self.ranges[at..]
            .iter()
            .take_while({
                let end = scope.end;
                move |r| r.start < end
            })
            .map(move |r| r.start.max(scope.start)..r.end.min(scope.end))
    }

    /// The parts of `scope` that the set lacks, in order.
    pub fn gaps(&self, scope: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = scope.start;
        for held in self.within(scope.clone()) {
            if held.start > at {
                gaps.push(at..held.start);
            }
            at = held.end;
        }
        if at < scope.end {
            gaps.push(at..scope.end);
        }
        gaps
    }

    /// One past the highest position in the set; 0 if it is empty.
    pub fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |r| r.end)
    }

    /// How many positions are in the set.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn touching_ranges_merge() {
        let mut set = RangeSet::new();
        for range in [10..20, 30..40, 20..30, 5..6, 0..5] {
            set.insert(range);
        }
        assert_eq!(set.within(0..100).collect::<Vec<_>>(), [0..6, 10..40]);
        assert_eq!(set.gaps(0..50), [6..10, 40..50]);
        assert!(set.covers(&(12..40)) && !set.covers(&(5..11)));
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_of_positions(
            ranges in prop::collection::vec((0u64..64, 0u64..16, prop::bool::weighted(0.7)), 0..24),
            scope in (0u64..64, 0u64..32),
        ) {
            let mut set = RangeSet::new();
            let mut model = [false; 128];
            for (start, len, add) in ranges {
                if add {
                    set.insert(start..start + len);
                } else {
                    set.remove(start..start + len);
                }
                model[start as usize..(start + len) as usize].fill(add);
                prop_assert!(set.ranges.windows(2).all(|w| w[0].end < w[1].start));
            }
            let scope = scope.0..scope.0 + scope.1;
            let mut seen = [None; 128];
            for range in set.within(scope.clone()) {
                for p in range { seen[p as usize] = Some(true); }
            }
            for range in set.gaps(scope.clone()) {
                for p in range { prop_assert!(seen[p as usize].is_none()); seen[p as usize] = Some(false); }
            }
            for p in scope.clone() {
                prop_assert_eq!(seen[p as usize], Some(model[p as usize]));
            }
            prop_assert_eq!(set.len(), model.iter().filter(|m| **m).count() as u64);
            prop_assert_eq!(set.covers(&scope), scope.clone().all(|p| model[p as usize]));
        }
    }
}
