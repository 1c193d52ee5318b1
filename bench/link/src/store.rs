//! What is under way on a channel, until it is due.

use std::collections::VecDeque;

use farlink_record::LossCause;
use farlink_record::counters::Tally;
use farlink_units::Instant;

use crate::channel::Arrival;

/// Keeps frames in the order in which they arrive.
#[derive(Debug, Default)]
pub struct DelayStore {
    frames: VecDeque<Arrival>,
}

impl DelayStore {
    /// A store in memory, without limit: for simulations, which are bounded by what their nodes send.
    pub fn unbounded() -> Self {
        DelayStore::default()
    }

    /// Whether there is room for one more frame of so many bytes.
    ///
    /// # Errors
    /// Why not.
    pub fn room(&self, _bytes: usize) -> Result<(), LossCause> {
        Ok(())
    }

    /// Appends a frame; it is due no earlier than those before it.
    pub fn push_back(&mut self, arrival: Arrival) {
        self.frames.push_back(arrival);
    }

    /// Gives back the frame that was taken last.
    pub fn push_front(&mut self, arrival: Arrival) {
        self.frames.push_front(arrival);
    }

    /// When the first frame is due.
    pub fn first_due(&self) -> Option<Instant> {
        self.frames.front().map(|frame| frame.at)
    }

    /// When the last frame is due.
    pub fn last_due(&self) -> Option<Instant> {
        self.frames.back().map(|frame| frame.at)
    }

    /// Takes the first frame if it is due by `now`. `None` also if it has not come back from the disk yet.
    pub fn take_due(&mut self, now: Instant) -> Option<Arrival> {
        if self.first_due()? > now {
            return None;
        }
        self.frames.pop_front()
    }

    /// Whether the first frame is still to come back from the disk.
    pub fn waits_for_disk(&self) -> bool {
        false
    }

    /// How many bytes are kept in memory, and how many on disk.
    pub fn kept_bytes(&self) -> (u64, u64) {
        (self.frames.iter().map(|frame| frame.content.len() as u64).sum(), 0)
    }

    /// How much there is, by the bytes that nodes sent.
    pub fn tally(&self) -> Tally {
        self.frames.iter().map(|frame| Tally::frame(frame.bytes)).sum()
    }
}
