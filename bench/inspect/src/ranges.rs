//! Sets of octets as merged half-open ranges.

use std::ops::Range;

/// Sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Adds a range and returns the parts of it that are new.
    pub fn insert(&mut self, range: Range<u64>) -> Vec<Range<u64>> {
        if range.is_empty() {
            return Vec::new();
        }
        if let Some(last) = self.0.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
            return vec![range];
        }
        let first = self.0.partition_point(|r| r.end < range.start);
        let past = self.0.partition_point(|r| r.start <= range.end);
        let new = gaps(&self.0[first..past], &range);
        if first == past {
            self.0.insert(first, range);
        } else {
            let merged = self.0[first].start.min(range.start)..self.0[past - 1].end.max(range.end);
            self.0.drain(first + 1..past);
            self.0[first] = merged;
        }
        new
    }

    /// The parts of `scope` that are missing.
    pub fn missing(&self, scope: Range<u64>) -> Vec<Range<u64>> {
        let first = self.0.partition_point(|r| r.end <= scope.start);
        let past = self.0.partition_point(|r| r.start < scope.end);
        gaps(&self.0[first..past.max(first)], &scope)
    }

    /// Where the first run of octets from zero on ends.
    pub fn prefix(&self) -> u64 {
        self.0.first().filter(|r| r.start == 0).map_or(0, |r| r.end)
    }

    /// Octets in the set.
    pub fn octets(&self) -> u64 {
        self.0.iter().map(|r| r.end - r.start).sum()
    }

    /// How many runs the set has.
    pub fn runs(&self) -> usize {
        self.0.len()
    }
}

fn gaps(held: &[Range<u64>], scope: &Range<u64>) -> Vec<Range<u64>> {
    let mut at = scope.start;
    let mut gaps = Vec::new();
    for range in held {
        if range.start > at {
            gaps.push(at..range.start.min(scope.end));
        }
        at = at.max(range.end);
    }
    if at < scope.end {
        gaps.push(at..scope.end);
    }
    gaps
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
