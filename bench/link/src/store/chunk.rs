//! Frames that go to disk and come back together.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use farlink_record::counters::Tally;
use farlink_record::{Delays, LossCause};
use farlink_units::Instant;

use super::disk::{Backlog, Extent};
use super::memory::{Buffer, Memory};
use crate::channel::Arrival;

/// What is known of frames without reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub tally: Tally,
    pub first_due: Instant,
    pub last_due: Instant,
    first_frame: u64,
    last_frame: u64,
}

impl Span {
    /// Of one frame.
    pub fn of(arrival: &Arrival) -> Self {
        Span {
            tally: Tally::frame(arrival.bytes),
            first_due: arrival.at,
            last_due: arrival.at,
            first_frame: arrival.frame,
            last_frame: arrival.frame,
        }
    }

    /// One frame more at the end.
    pub fn push(&mut self, arrival: &Arrival) {
        self.tally += Tally::frame(arrival.bytes);
        self.last_due = arrival.at;
        self.last_frame = arrival.frame;
    }

    /// One frame less at the start.
    pub fn pop(&mut self, arrival: &Arrival) {
        self.tally = self.tally - Tally::frame(arrival.bytes);
        self.first_due = arrival.at;
        self.first_frame = arrival.frame.saturating_add(1).min(self.last_frame.max(arrival.frame));
    }

    /// The next of frames that cannot be read, as lost; `None` when there are no more.
    ///
    /// How many there are and how many bits they have in all is exact. Their numbers are if no number was left out, their
    /// lengths if all are equal; else both are spread evenly.
    pub fn lose_next(&mut self) -> Option<Arrival> {
        let left = self.tally.frames;
        if left == 0 {
            return None;
        }
        let bytes = (self.tally.bits / 8 / left) as u32;
        let arrival = Arrival {
            at: self.first_due,
            frame: self.first_frame,
            bytes,
            content: Bytes::new(),
            flipped_bits: 0,
            lost: Some(LossCause::StoreFailed),
            delays: Delays::default(),
        };
        self.tally = self.tally - Tally::frame(bytes);
        let step = |first: i64, last: i64| {
            let steps = i128::from(left - 1).max(1);
            (i128::from(first) + (i128::from(last) - i128::from(first)) / steps) as i64
        };
        self.first_due = Instant::from_nanos(step(self.first_due.as_nanos(), self.last_due.as_nanos()));
        self.first_frame = step(self.first_frame as i64, self.last_frame as i64) as u64;
        Some(arrival)
    }
}

/// A chunk that is full, wherever it is.
#[derive(Debug)]
pub(super) struct Chunk {
    pub span: Span,
    /// Length in bytes.
    pub length: usize,
    place: Mutex<Place>,
}

#[derive(Debug)]
enum Place {
    /// To stay here until it is due.
    Memory(Bytes),
    /// For the writer.
    Queued(Bytes, Backlog),
    /// With the writer. If `keep`, it stays in memory all the same.
    Writing { bytes: Bytes, backlog: Backlog, keep: bool },
    /// On disk.
    Disk(Extent),
    /// For the reader, with memory to read it to; or with the reader, which then has both.
    Reading(Option<(Extent, Buffer)>),
    /// It could not be read.
    Failed,
    /// Nobody wants it any more.
    Gone,
}

/// What [`Chunk::claim`] comes to.
#[derive(Debug)]
pub(super) enum Claim {
    /// Here it is.
    Here(Bytes),
    /// It is not in memory.
    Away,
    /// It could not be read.
    Failed,
}

impl Chunk {
    /// One that stays in memory.
    pub fn in_memory(span: Span, bytes: Bytes) -> Self {
        Chunk { span, length: bytes.len(), place: Mutex::new(Place::Memory(bytes)) }
    }

    /// One that is to be written.
    pub fn queued(span: Span, bytes: Bytes, backlog: Backlog) -> Self {
        Chunk { span, length: bytes.len(), place: Mutex::new(Place::Queued(bytes, backlog)) }
    }

    /// The lock is held for no longer than it takes to move a few words.
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the place; what was there is dropped when the lock is free again.
    fn put(&self, place: Place) {
        let before = mem::replace(&mut *self.place(), place);
        drop(before);
    }

    /// Takes it out for good, if it is in memory.
    pub fn claim(&self) -> Claim {
        let mut place = self.place();
        match mem::replace(&mut *place, Place::Gone) {
            Place::Memory(bytes) | Place::Queued(bytes, _) | Place::Writing { bytes, .. } => Claim::Here(bytes),
            Place::Failed => Claim::Failed,
            other => {
                *place = other;
                Claim::Away
            }
        }
    }

    /// Lets it stay in memory if it is there. Returns whether the reader must be asked for it, with memory that counts as used
    /// from now on.
    #[must_use]
    pub fn hold(&self, memory: &Arc<Memory>) -> bool {
        let mut place = self.place();
        let (next, ask) = match mem::replace(&mut *place, Place::Gone) {
            Place::Queued(bytes, _) => (Place::Memory(bytes), false),
            Place::Writing { bytes, backlog, .. } => (Place::Writing { bytes, backlog, keep: true }, false),
            Place::Disk(extent) => (Place::Reading(Some((extent, memory.buffer(self.length)))), true),
            other => (other, false),
        };
        *place = next;
        ask
    }

    /// Nobody will claim it.
    pub fn abandon(&self) {
        self.put(Place::Gone);
    }

    /// What to write, if it is still to be written.
    pub fn start_writing(&self) -> Option<Bytes> {
        let mut place = self.place();
        match mem::replace(&mut *place, Place::Gone) {
            Place::Queued(bytes, backlog) => {
                *place = Place::Writing { bytes: bytes.clone(), backlog, keep: false };
                Some(bytes)
            }
            other => {
                *place = other;
                None
            }
        }
    }

    /// It has been written.
    pub fn written(&self, extent: Extent) {
        let mut place = self.place();
        let before = mem::replace(&mut *place, Place::Gone);
        let (next, drops) = match before {
            Place::Writing { bytes, keep: true, .. } => (Place::Memory(bytes), (None, Some(extent))),
            Place::Writing { bytes, .. } => (Place::Disk(extent), (Some(bytes), None)),
            other => (other, (None, Some(extent))),
        };
        *place = next;
        drop(place);
        drop(drops);
    }

    /// It could not be written, and waits again.
    pub fn not_written(&self) {
        let mut place = self.place();
        *place = match mem::replace(&mut *place, Place::Gone) {
            Place::Writing { bytes, keep: true, .. } => Place::Memory(bytes),
            Place::Writing { bytes, backlog, .. } => Place::Queued(bytes, backlog),
            other => other,
        };
    }

    /// Where to read it from, and where to, if it is still to be read.
    pub fn start_reading(&self) -> Option<(Extent, Buffer)> {
        match &mut *self.place() {
            Place::Reading(asked) => asked.take(),
            _ => None,
        }
    }

    /// It has been read, or could not be.
    pub fn read(&self, bytes: Option<Bytes>) {
        let mut place = self.place();
        if matches!(*place, Place::Reading(_)) {
            *place = bytes.map_or(Place::Failed, Place::Memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(at: i64, frame: u64, bytes: u32) -> Arrival {
        Arrival {
            at: Instant::from_nanos(at),
            frame,
            bytes,
            content: Bytes::from(vec![0; bytes as usize]),
            flipped_bits: 0,
            lost: None,
            delays: Delays::default(),
        }
    }

    fn span(arrivals: &[Arrival]) -> Span {
        let mut span = Span::of(&arrivals[0]);
        arrivals[1..].iter().for_each(|arrival| span.push(arrival));
        span
    }

    fn lost(mut span: Span) -> Vec<Arrival> {
        std::iter::from_fn(|| span.lose_next()).collect()
    }

    #[test]
    fn frames_of_equal_length_without_gaps_are_lost_as_they_were() {
        let arrivals: Vec<_> = (0..1000).map(|i| arrival(5_000 + i * 7, 40 + i as u64, 1024)).collect();
        let found = lost(span(&arrivals));
        assert_eq!(found.len(), 1000);
        for (found, sent) in found.iter().zip(&arrivals) {
            assert_eq!((found.at, found.frame, found.bytes), (sent.at, sent.frame, sent.bytes));
            assert_eq!(found.lost, Some(LossCause::StoreFailed));
        }
    }

    #[test]
    fn frames_of_all_sorts_are_lost_in_their_number_and_bits() {
        let arrivals: Vec<_> =
            (0..77_u32).map(|i| arrival(i64::from(i * i), u64::from(i * 3 + i % 2), i * 31 % 700)).collect();
        let mut span = span(&arrivals);
        for taken in &arrivals[..5] {
            span.pop(taken);
        }
        let found = lost(span);
        let sum = |arrivals: &[Arrival]| arrivals.iter().map(|a| Tally::frame(a.bytes)).sum::<Tally>();
        assert_eq!(sum(&found), sum(&arrivals[5..]));
        assert!(found.is_sorted_by_key(|a| a.at) && found.is_sorted_by_key(|a| a.frame));
        assert!(found[0].frame > arrivals[4].frame && found[0].at >= arrivals[4].at);
        assert_eq!(found.last().map(|a| (a.at, a.frame)), arrivals.last().map(|a| (a.at, a.frame)));
    }
}
