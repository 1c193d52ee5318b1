//! What is under way on a channel, until it is due.
//!
//! [`DelayStore::unbounded`] is a queue in memory, for simulations. [`DelayStore::bounded`] is for real time: all directions of a
//! process share one [`StoreBudget`], and what does not fit goes to disk if there is one ([`SpillConfig`]).
//!
//! # How a bounded store works
//! Frames are written one after the other, with all that is known of them, into chunks of up to 1 MiB. A chunk that is full stays
//! in memory while that is plentiful; else one thread of the process writes it to a file and another reads it back before its first
//! frame is due. Memory holds no more than some hundred bytes for a chunk on disk, however many frames are in it.
//! The thread that offers and takes frames never touches the file and never waits for it.
//!
//! # What can go wrong, and where it shows
//! - Memory is spent, and there is no disk or it is full: [`DelayStore::room`] says [`LossCause::StoreFull`].
//! - Memory is spent on what waits to be written: it says [`LossCause::StoreSlow`].
//! - A chunk has not been read back when it is due: [`DelayStore::waits_for_disk`] says so, the frames come late, and
//!   [`SpillState::late_reads`](farlink_record::instrument::SpillState::late_reads) counts.
//! - A chunk cannot be read back, or not as it was written: each of its frames comes out as lost, with
//!   [`LossCause::StoreFailed`], and [`SpillState::lost`](farlink_record::instrument::SpillState::lost) counts them.
//!
//! What a store has accepted it does not lose in any other way.

mod bounded;
mod budget;
mod chunk;
mod disk;
mod frame;
mod memory;
mod spill;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use farlink_record::LossCause;
use farlink_record::counters::Tally;
use farlink_units::Instant;

pub use budget::StoreBudget;
pub use spill::{SpillConfig, StoreError};

use crate::channel::Arrival;
use bounded::Bounded;

/// Keeps frames in the order in which they arrive.
#[derive(Debug)]
pub struct DelayStore {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Unbounded(VecDeque<Arrival>),
    Bounded(Box<Bounded>),
}

impl Default for DelayStore {
    fn default() -> Self {
        DelayStore::unbounded()
    }
}

impl DelayStore {
    /// A store in memory, without limit: for simulations, which are bounded by what their nodes send.
    pub fn unbounded() -> Self {
        DelayStore { kind: Kind::Unbounded(VecDeque::new()) }
    }

    /// A store that takes its memory, and disk if there is one, from a budget that others share.
    pub fn bounded(budget: &Arc<StoreBudget>) -> Self {
        DelayStore { kind: Kind::Bounded(Box::new(Bounded::new(budget.clone()))) }
    }

    /// Whether there is room for so many bytes more: of one frame, or of one and those that will come before it.
    ///
    /// Room is not kept for who asked. [`DelayStore::push_back`] takes what comes, and goes over the budget by what others have
    /// put in since.
    ///
    /// # Errors
    /// Why not: [`LossCause::StoreFull`] or [`LossCause::StoreSlow`].
    pub fn room(&self, bytes: usize) -> Result<(), LossCause> {
        match &self.kind {
            Kind::Unbounded(_) => Ok(()),
            Kind::Bounded(store) => store.room(bytes),
        }
    }

    /// Appends a frame; it is due no earlier than those before it.
    pub fn push_back(&mut self, arrival: Arrival) {
        match &mut self.kind {
            Kind::Unbounded(frames) => frames.push_back(arrival),
            Kind::Bounded(store) => store.push_back(&arrival),
        }
    }

    /// Gives back the frame that was taken last. Several are given back in the reverse order of their taking.
    pub fn push_front(&mut self, arrival: Arrival) {
        match &mut self.kind {
            Kind::Unbounded(frames) => frames.push_front(arrival),
            Kind::Bounded(store) => store.push_front(arrival),
        }
    }

    /// When the first frame is due.
    pub fn first_due(&self) -> Option<Instant> {
        match &self.kind {
            Kind::Unbounded(frames) => frames.front().map(|frame| frame.at),
            Kind::Bounded(store) => store.first_due(),
        }
    }

    /// When the last frame is due.
    pub fn last_due(&self) -> Option<Instant> {
        match &self.kind {
            Kind::Unbounded(frames) => frames.back().map(|frame| frame.at),
            Kind::Bounded(store) => store.last_due(),
        }
    }

    /// Takes the first frame if it is due by `now`. `None` also if it has not come back from the disk yet, which
    /// [`DelayStore::waits_for_disk`] then says.
    ///
    /// The content of a frame out of a chunk shares the chunk's memory, which counts as used until the last of its frames is
    /// dropped.
    pub fn take_due(&mut self, now: Instant) -> Option<Arrival> {
        match &mut self.kind {
            Kind::Unbounded(frames) => {
                if frames.front()?.at > now {
                    return None;
                }
                frames.pop_front()
            }
            Kind::Bounded(store) => store.take_due(now),
        }
    }

    /// Whether [`DelayStore::take_due`] gave nothing the last time although a frame was due, since the disk has not given it back.
    pub fn waits_for_disk(&self) -> bool {
        match &self.kind {
            Kind::Unbounded(_) => false,
            Kind::Bounded(store) => store.waits_for_disk(),
        }
    }

    /// How much there is, by the bytes that nodes sent.
    pub fn tally(&self) -> Tally {
        match &self.kind {
            Kind::Unbounded(frames) => frames.iter().map(|frame| Tally::frame(frame.bytes)).sum(),
            Kind::Bounded(store) => store.tally(),
        }
    }
}
