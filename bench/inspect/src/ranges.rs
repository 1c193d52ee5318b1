//! Sets of octets as merged half-open ranges.

use std::collections::BTreeMap;
use std::ops::Range;

/// Ranges that neither touch nor overlap: where each begins, and where it ends. A tree, so that hostile orders of arrival
/// cost no more than others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds a range and returns the parts of it that are new.
    pub fn insert(&mut self, range: Range<u64>) -> Vec<Range<u64>> {
        if range.is_empty() {
            return Vec::new();
        }
        let (mut start, mut end) = (range.start, range.end);
        let mut new = Vec::new();
        let mut at = range.end;
        // From the last that touches backwards; each but the first and the last of them lies within the new range.
        while let Some((&held_start, &held_end)) = self.0.range(..=range.end).next_back() {
            if held_end < range.start {
                break;
            }
            self.0.remove(&held_start);
            if held_end < at {
                new.push(held_end.max(range.start)..at);
            }
            at = at.min(held_start.max(range.start));
            (start, end) = (start.min(held_start), end.max(held_end));
        }
        if range.start < at {
            new.push(range.start..at);
        }
        new.reverse();
        self.0.insert(start, end);
        new
    }

    /// The parts of `scope` that are missing.
    pub fn missing(&self, scope: Range<u64>) -> Vec<Range<u64>> {
        let mut at = scope.start;
        let mut gaps = Vec::new();
        let before = self.0.range(..=scope.start).next_back();
        for (&start, &end) in before.into_iter().chain(self.0.range(scope.start..scope.end)) {
            if start > at {
                gaps.push(at..start);
            }
            at = at.max(end);
        }
        if at < scope.end {
            gaps.push(at..scope.end);
        }
        gaps
    }

    /// Where the first run of octets from zero on ends.
    pub fn prefix(&self) -> u64 {
        self.0.first_key_value().filter(|(start, _)| **start == 0).map_or(0, |(_, end)| *end)
    }

    /// Octets in the set.
    pub fn octets(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_set_of_octets(inserts in proptest::collection::vec((0u64..60, 0u64..20), 0..20)) {
            let (mut ranges, mut model) = (Ranges::default(), [false; 80]);
            for (start, length) in inserts {
                let new: u64 = ranges.insert(start..start + length).iter().map(|r| r.end - r.start).sum();
                let fresh = (start..start + length).filter(|&n| !model[n as usize]).count() as u64;
                prop_assert_eq!(new, fresh);
                (start..start + length).for_each(|n| model[n as usize] = true);
                prop_assert_eq!(ranges.octets(), model.iter().filter(|&&have| have).count() as u64);
                prop_assert_eq!(ranges.prefix(), model.iter().take_while(|&&have| have).count() as u64);
                let missing: u64 = ranges.missing(5..70).iter().map(|r| r.end - r.start).sum();
                prop_assert_eq!(missing, model[5..70].iter().filter(|&&have| !have).count() as u64);
            }
        }
    }
}
