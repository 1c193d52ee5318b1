//! Service data aggregation: several service data units in one block.
//!
//! A session costs a report and its acknowledgment however short its block is, so short bundles go together: their units are
//! put one after the other into the block, for client service 1. That is what ION and its peers do with bundles, which tell
//! their own length. A unit that does not must not be aggregated.
//!
//! The other convention, client service 2 (CCSDS 734.1-B, service data aggregation, each unit behind the number of its client
//! service as an SDNV), adds nothing for bundles and is not spoken here.

use farlink_units::{Duration, Instant};

use super::Block;

/// Collects the service data units for one peer until there are enough of them, or the first has waited long enough.
///
/// Told the time. After each call [`Aggregator::poll`] says what is ready; [`Aggregator::handle_timeout`] is due at
/// [`Aggregator::poll_timeout`].
#[derive(Debug)]
pub struct Aggregator {
    size_limit: u64,
    time_limit: Duration,
    collecting: Vec<(Block, u64)>,
    collected_bytes: u64,
    /// When the first unit of what is being collected came.
    since: Option<Instant>,
    ready: std::collections::VecDeque<Vec<(Block, u64)>>,
}

/// A block of several service data units, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aggregate {
    /// The units, one after the other.
    pub block: Block,
    /// What names each unit to the caller.
    pub tags: Vec<u64>,
}

impl Aggregator {
    /// Most units in one block.
    pub const MAX_UNITS: usize = 1 << 16;

    /// Gives a block when it has `size_limit` bytes, or when the first of its units has waited for `time_limit`. A unit with
    /// which the block would be longer than that begins the next one, so only a unit that is itself longer makes a longer
    /// block, and that goes alone.
    pub fn new(size_limit: u64, time_limit: Duration) -> Self {
        Aggregator {
            size_limit,
            time_limit,
            collecting: Vec::new(),
            collected_bytes: 0,
            since: None,
            ready: std::collections::VecDeque::new(),
        }
    }

    /// Adds a unit. An empty one is a mistake of the caller's and is refused: the receiver could not tell that it was there.
    pub fn push(&mut self, now: Instant, unit: Block, tag: u64) -> bool {
        if unit.is_empty() {
            return false;
        }
        if self.collected_bytes.saturating_add(unit.len()) > self.size_limit {
            self.flush();
        }
        self.since.get_or_insert(now);
        self.collected_bytes += unit.len();
        self.collecting.push((unit, tag));
        if self.collected_bytes >= self.size_limit || self.collecting.len() >= Self::MAX_UNITS {
            self.flush();
        }
        self.handle_timeout(now);
        true
    }

    /// The next block that is ready.
    pub fn poll(&mut self) -> Option<Aggregate> {
        let units = self.ready.pop_front()?;
        let mut aggregate = Aggregate::default();
        for (unit, tag) in units {
            aggregate.block.append(unit);
            aggregate.tags.push(tag);
        }
        Some(aggregate)
    }

    /// Takes a unit out again that has not been polled, because it is of no more use. Tells whether it was there.
    pub fn remove(&mut self, tag: u64) -> bool {
        let mut found = false;
        let mut keep = |of: &mut Vec<(Block, u64)>| {
            let before = of.len();
            of.retain(|(_, other)| *other != tag);
            found |= of.len() < before;
        };
        self.ready.iter_mut().for_each(&mut keep);
        keep(&mut self.collecting);
        self.ready.retain(|units| !units.is_empty());
        self.collected_bytes = self.collecting.iter().map(|(unit, _)| unit.len()).sum();
        if self.collecting.is_empty() {
            self.since = None;
        }
        found
    }

    /// Takes every unit out again that has not been polled, and names them in the order in which they came.
    pub fn clear(&mut self) -> Vec<u64> {
        self.flush();
        self.ready.drain(..).flatten().map(|(_, tag)| tag).collect()
    }

    /// When the first unit of what is being collected will have waited long enough.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.since.map(|since| since + self.time_limit)
    }

    /// Makes ready what has waited long enough by now.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.flush();
        }
    }

    /// Makes ready what there is, as before the end of a contact.
    pub fn flush(&mut self) {
        if self.since.take().is_some() {
            self.ready.push_back(std::mem::take(&mut self.collecting));
            self.collected_bytes = 0;
        }
    }

    /// Bytes that are collected and not ready.
    pub fn collected_bytes(&self) -> u64 {
        self.collected_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn unit(byte: u8, len: usize) -> Block {
        Bytes::from(vec![byte; len]).into()
    }

    fn taken(aggregator: &mut Aggregator) -> Vec<(u64, Vec<u64>)> {
        std::iter::from_fn(|| aggregator.poll()).map(|a| (a.block.len(), a.tags)).collect()
    }

    #[test]
    fn units_go_together_up_to_the_size_limit() {
        let mut aggregator = Aggregator::new(100, Duration::from_secs(1));
        for tag in 0..5 {
            assert!(aggregator.push(at(0), unit(tag as u8, 40), tag));
        }
        assert_eq!(taken(&mut aggregator), [(80, vec![0, 1]), (80, vec![2, 3])]);
        assert_eq!(aggregator.collected_bytes(), 40);
        assert!(aggregator.push(at(1), unit(9, 60), 5));
        assert_eq!(taken(&mut aggregator), [(100, vec![4, 5])], "full to the last byte");
        assert_eq!(aggregator.poll_timeout(), None);
    }

    #[test]
    fn the_first_unit_waits_no_longer_than_the_time_limit() {
        let mut aggregator = Aggregator::new(100, Duration::from_millis(50));
        assert_eq!(aggregator.poll_timeout(), None);
        aggregator.push(at(10), unit(1, 10), 1);
        aggregator.push(at(40), unit(2, 10), 2);
        assert_eq!(aggregator.poll_timeout(), Some(at(60)));
        aggregator.handle_timeout(at(59));
        assert_eq!(taken(&mut aggregator), []);
        aggregator.handle_timeout(at(60));
        assert_eq!(taken(&mut aggregator), [(20, vec![1, 2])]);
    }

    #[test]
    fn a_unit_longer_than_the_limit_goes_alone_and_keeps_its_place() {
        let mut aggregator = Aggregator::new(100, Duration::from_secs(1));
        aggregator.push(at(0), unit(1, 10), 1);
        aggregator.push(at(0), unit(2, 500), 2);
        aggregator.push(at(0), unit(3, 10), 3);
        aggregator.flush();
        aggregator.flush();
        assert_eq!(taken(&mut aggregator), [(10, vec![1]), (500, vec![2]), (10, vec![3])]);
    }

    #[test]
    fn the_block_is_the_units_one_after_the_other() {
        let mut aggregator = Aggregator::new(100, Duration::from_secs(1));
        aggregator.push(at(0), Block::new([Bytes::from_static(b"he"), Bytes::from_static(b"llo ")]), 1);
        aggregator.push(at(0), Bytes::from_static(b"Mars").into(), 2);
        aggregator.flush();
        let block = aggregator.poll().unwrap().block;
        assert_eq!(block.slice(0, block.len() as usize), "hello Mars");
    }

    #[test]
    fn a_unit_that_is_of_no_more_use_is_taken_out_again() {
        let mut aggregator = Aggregator::new(100, Duration::from_secs(1));
        for tag in 0..6 {
            aggregator.push(at(0), unit(tag as u8, 40), tag);
        }
        assert!(aggregator.remove(1) && aggregator.remove(4) && !aggregator.remove(4));
        assert_eq!(aggregator.collected_bytes(), 40);
        assert_eq!(aggregator.poll().map(|a| (a.block.len(), a.tags)), Some((40, vec![0])));
        assert!(aggregator.remove(5));
        assert_eq!((aggregator.poll_timeout(), aggregator.collected_bytes()), (None, 0));
        aggregator.push(at(1), unit(7, 40), 7);
        assert_eq!(aggregator.clear(), [2, 3, 7]);
        assert_eq!((taken(&mut aggregator), aggregator.poll_timeout()), (vec![], None));
    }

    #[test]
    fn an_empty_unit_is_refused_and_no_time_limit_means_no_waiting() {
        let mut aggregator = Aggregator::new(100, Duration::ZERO);
        assert!(!aggregator.push(at(0), Block::default(), 1));
        aggregator.push(at(0), unit(1, 1), 2);
        assert_eq!(taken(&mut aggregator), [(1, vec![2])]);
    }
}
