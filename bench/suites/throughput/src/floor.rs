//! What the losses of one run allowed: the least time in which anybody could have brought the same data through the same losses.
//!
//! The bounds in [`crate::bound`] are expectations, from which a run strays by luck. This floor follows the run itself, so no run can be
//! faster: one that seems to be has been measured wrongly.
//!
//! - **Airtime.** A frame counts if it brought new octets, or was lost while octets of it were still missing. All such frames have left one
//!   after the other, and the last one took a light time: `T ≥ d + Σ bits/R`.
//! - **Rounds.** Octets that were lost and sent again a round trip later or more have taken as many round trips: `T ≥ d + K·2d` for the
//!   longest such chain.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use farlink_engine::ranges::RangeSet;
use farlink_units::{Duration, Instant};
use farlink_wire::ltp::SessionId;

/// A data segment that has left.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When its first bit left.
    pub at: Instant,
    /// Its session.
    pub session: SessionId,
    /// The octets of the block that it carries.
    pub range: Range<u64>,
    /// Bits of the frame, with what the link layer adds.
    pub bits: u64,
}

/// Follows one run, in the order in which frames come to the end of the channel.
#[derive(Debug)]
pub struct Floor {
    light_time: Duration,
    rate_bps: u64,
    arrived: HashMap<SessionId, RangeSet>,
    needed_bits: u64,
    /// For octets that were lost: when the last sending of the chain left, and how many round trips the chain has taken.
    chains: BTreeMap<(SessionId, u64), (Instant, u64)>,
    longest: u64,
}

impl Floor {
    /// For a channel of this light time and rate.
    pub fn new(light_time: Duration, rate_bps: u64) -> Self {
        Floor { light_time, rate_bps, arrived: HashMap::new(), needed_bits: 0, chains: BTreeMap::new(), longest: 0 }
    }

    /// A frame has arrived. Whether it brought anything new.
    pub fn delivered(&mut self, sent: &Sent) -> bool {
        let arrived = self.arrived.entry(sent.session).or_default();
        let new = !arrived.covers(&sent.range);
        if new {
            arrived.insert(sent.range.clone());
            self.needed_bits += sent.bits;
            self.sent_again(sent);
        }
        new
    }

    /// A frame has been lost.
    pub fn lost(&mut self, sent: &Sent) {
        let arrived = self.arrived.entry(sent.session).or_default();
        if arrived.covers(&sent.range) {
            return;
        }
        self.needed_bits += sent.bits;
        match self.chains.entry((sent.session, sent.range.start)) {
            Entry::Occupied(_) => self.sent_again(sent),
            Entry::Vacant(chain) => drop(chain.insert((sent.at, 0))),
        }
    }

    fn sent_again(&mut self, sent: &Sent) {
        if let Some((last, trips)) = self.chains.get_mut(&(sent.session, sent.range.start))
            && sent.at - *last >= self.light_time + self.light_time
        {
            *last = sent.at;
            *trips += 1;
            self.longest = self.longest.max(*trips);
        }
    }

    /// The least seconds from the first bit until all of what has arrived so far had arrived.
    pub fn seconds(&self) -> f64 {
        let light = self.light_time.as_secs_f64();
        let airtime = self.needed_bits as f64 / self.rate_bps as f64;
        light + airtime.max(self.longest as f64 * 2.0 * light)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(at_ms: i64, range: Range<u64>) -> Sent {
        Sent {
            at: Instant::from_nanos(at_ms * 1_000_000),
            session: SessionId { originator: 1, number: 7 },
            range,
            bits: 1000,
        }
    }

    #[test]
    fn only_what_was_needed_counts() {
        let mut floor = Floor::new(Duration::from_secs(1), 1000);
        assert!(floor.delivered(&sent(0, 0..100)));
        assert!(!floor.delivered(&sent(1000, 0..100)), "it was there already");
        floor.lost(&sent(2000, 0..50));
        assert_eq!(floor.seconds(), 2.0);
        floor.lost(&sent(3000, 100..200));
        assert!(floor.delivered(&sent(8000, 100..200)));
        assert_eq!(floor.seconds(), 4.0, "a light time, and three frames of a second");
    }

    #[test]
    fn rounds_count_where_a_report_can_have_asked_for_them() {
        let mut floor = Floor::new(Duration::from_secs(10), 1_000_000);
        floor.lost(&sent(0, 0..100));
        floor.lost(&sent(5_000, 0..100));
        assert!((floor.seconds() - 10.002).abs() < 1e-9, "twice at once is no round");
        floor.lost(&sent(20_000, 0..100));
        assert!(floor.delivered(&sent(41_000, 0..100)));
        assert_eq!(floor.seconds(), 50.0);
    }
}
