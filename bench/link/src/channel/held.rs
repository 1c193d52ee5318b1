//! Frames that arrive other than they were sent: damaged, cut, copied, held back.

use std::collections::{BTreeSet, VecDeque};

use farlink_record::counters::Tally;
use farlink_units::{Duration, Instant};

use super::faults::Mark;
use super::{Arrival, Channel};

/// Most frames that a channel holds back at once, so that others arrive before them.
pub const MAX_HELD: usize = 256;

/// How long a frame is held back when too few others come.
const PATIENCE: Duration = Duration::from_secs(1);

/// A frame that others shall overtake.
#[derive(Debug)]
struct Held {
    arrival: Arrival,
    copies: u32,
    /// Frames that have yet to overtake it.
    left: u32,
    /// When it arrives at the latest.
    until: Instant,
}

/// The frames that are held back, in the order in which they left.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    frames: VecDeque<Held>,
    /// Frames that wait for the transmitter and will be held back.
    pub(super) promised: usize,
}

impl HeldBack {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.frames.len() + self.promised < MAX_HELD
    }

    pub(super) fn tally(&self) -> Tally {
        self.frames.iter().map(|held| all_of(held.arrival.bytes, held.copies)).sum()
    }

    /// When the first of them arrives at the latest. What left later also may be held back for longer.
    #[inline]
    pub(super) fn first_until(&self) -> Option<Instant> {
        self.frames.front().map(|held| held.until)
    }

    /// When the last of them arrives at the latest.
    pub(super) fn last_until(&self) -> Option<Instant> {
        self.frames.iter().map(|held| held.until).max()
    }

    /// When the last of them was due before it was held back.
    pub(super) fn last_due(&self) -> Option<Instant> {
        self.frames.back().map(|held| held.arrival.at)
    }
}

/// A frame of so many bytes and its copies.
pub(super) fn all_of(bytes: u32, copies: u32) -> Tally {
    let frames = 1 + u64::from(copies);
    Tally { frames, bits: frames * u64::from(bytes) * 8 }
}

/// How many bits are wrong where the channel flips some and faults flip others: what both flip is right again.
pub(super) fn wrong_bits(flips: &[u64], damaged: &[u64]) -> u32 {
    let flips: BTreeSet<_> = flips.iter().collect();
    flips.symmetric_difference(&damaged.iter().collect()).count() as u32
}

impl Channel {
    /// Sends on what has left, besides frames that are held back or as one of them.
    pub(super) fn pass_on(&mut self, arrival: Arrival, mark: Option<&Mark>) {
        self.release_before(arrival.at);
        let (copies, after) = mark.map_or((0, 0), |mark| (mark.copies, mark.after));
        if after > 0 {
            self.held.promised -= 1;
            if arrival.delivered() {
                let until = arrival.at + PATIENCE;
                self.held.frames.push_back(Held { arrival, copies, left: after, until });
                return;
            }
        }
        let (at, delivered) = (arrival.at, arrival.delivered());
        self.store_all(arrival, copies);
        if delivered {
            self.held.frames.iter_mut().for_each(|held| held.left -= 1);
            self.release(|held| (held.left == 0).then_some(at));
        }
    }

    /// Lets go what has been held back for long enough before `at`.
    fn release_before(&mut self, at: Instant) {
        self.release(|held| (held.until < at).then_some(held.until));
    }

    /// Lets go what has been held back for long enough by `now`.
    pub(super) fn release_due(&mut self, now: Instant) {
        self.release(|held| (held.until <= now).then_some(held.until));
    }

    /// Lets go those of the frames that are held back for which `when` tells an instant, to arrive then.
    fn release(&mut self, when: impl Fn(&Held) -> Option<Instant>) {
        if self.held.is_empty() {
            return;
        }
        for mut held in std::mem::take(&mut self.held.frames) {
            let Some(at) = when(&held) else {
                self.held.frames.push_back(held);
                continue;
            };
            let propagation = Duration::from(held.arrival.delays.propagation) + (at - held.arrival.at);
            held.arrival.delays.propagation = propagation.into();
            held.arrival.at = at;
            self.store_all(held.arrival, held.copies);
        }
    }

    fn store_all(&mut self, arrival: Arrival, copies: u32) {
        for _ in 0..copies {
            self.store.push_back(arrival.clone());
        }
        self.store.push_back(arrival);
    }
}
