//! What an end has received and its reader has not taken.

use std::collections::VecDeque;

use num_complex::Complex32;

/// What a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Samples, from the start of the buffer.
    Samples {
        /// Number of the first of them.
        at: u64,
        /// How many, at least one.
        count: usize,
        /// Whether they are the last of those that the stream was started for. It then runs no more.
        last: bool,
    },
    /// Samples are missing here, since they were not taken in time.
    Overflow,
    /// The stream was to start at a sample that had passed. It does not run.
    Late,
    /// There is nothing yet.
    Nothing,
}

#[derive(Debug)]
enum Item {
    Samples { start: u64, samples: VecDeque<Complex32> },
    Overflow,
    Late,
    End,
}

/// The receiver of an end.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) active: bool,
    /// First sample that is wanted.
    start: u64,
    /// The one after the last that is wanted.
    end: Option<u64>,
    items: VecDeque<Item>,
    waiting: usize,
    capacity: usize,
    overflowing: bool,
    /// How far the reader has asked for samples.
    pub(crate) wanted_until: u64,
    pub(crate) overflows: u64,
}

impl Receiver {
    pub(crate) fn new(capacity: usize) -> Self {
        Receiver {
            active: false,
            start: 0,
            end: None,
            items: VecDeque::new(),
            waiting: 0,
            capacity,
            overflowing: false,
            wanted_until: 0,
            overflows: 0,
        }
    }

    /// Starts at a sample, for so many.
    pub(crate) fn start(&mut self, now: u64, at: Option<i64>, count: Option<u64>) {
        self.halt();
        match at.map_or(Some(now), |at| u64::try_from(at).ok()) {
            Some(start) if start >= now => self.start = start,
            _ => {
                self.items.push_back(Item::Late);
                return;
            }
        }
        self.active = true;
        self.end = count.map(|count| self.start.saturating_add(count));
        self.wanted_until = self.start;
    }

    /// Stops, and forgets what was not taken.
    pub(crate) fn halt(&mut self) {
        self.active = false;
        self.items.clear();
        self.waiting = 0;
        self.overflowing = false;
    }

    /// Keeps what arrives from the sample `now` on.
    pub(crate) fn take(&mut self, now: u64, block: &[Complex32]) {
        let block_end = now + block.len() as u64;
        if !self.active || block_end <= self.start {
            return;
        }
        let skipped = self.start.saturating_sub(now) as usize;
        let until = self.end.map_or(block_end, |end| end.min(block_end)).max(now);
        let samples = &block[skipped.min((until - now) as usize)..(until - now) as usize];
        if !samples.is_empty() {
            self.store(now + skipped as u64, samples);
        }
        if self.end.is_some_and(|end| end <= block_end) {
            self.items.push_back(Item::End);
            self.active = false;
        }
    }

    fn store(&mut self, start: u64, samples: &[Complex32]) {
        // Half of the store has to be free before it is filled again, or one slow reader would make a gap of every block.
        if self.overflowing && self.waiting > self.capacity / 2 {
            return;
        }
        let kept = samples.len().min(self.capacity - self.waiting);
        if kept > 0 {
            self.overflowing = false;
            self.waiting += kept;
            match self.items.back_mut() {
                Some(Item::Samples { samples: stored, .. }) => stored.extend(&samples[..kept]),
                _ => {
                    let samples = samples[..kept].iter().copied().collect();
                    self.items.push_back(Item::Samples { start, samples });
                }
            }
        }
        if kept < samples.len() {
            self.overflowing = true;
            self.overflows += 1;
            self.items.push_back(Item::Overflow);
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [Complex32]) -> Received {
        match self.items.front_mut() {
            None => Received::Nothing,
            Some(Item::Samples { start, samples }) => {
                let count = samples.len().min(buffer.len());
                if count == 0 {
                    return Received::Nothing;
                }
                for (to, from) in buffer.iter_mut().zip(samples.drain(..count)) {
                    *to = from;
                }
                let at = *start;
                *start += count as u64;
                self.waiting -= count;
                if samples.is_empty() {
                    self.items.pop_front();
                }
                let last = matches!(self.items.front(), Some(Item::End));
                if last {
                    self.items.pop_front();
                }
                Received::Samples { at, count, last }
            }
            Some(Item::Overflow) => {
                self.items.pop_front();
                Received::Overflow
            }
            Some(Item::Late) => {
                self.items.pop_front();
                Received::Late
            }
            // The samples before it were lost.
            Some(Item::End) => {
                self.items.pop_front();
                Received::Nothing
            }
        }
    }

    /// Up to where there is room, in samples from `now`.
    pub(crate) fn room_until(&self, now: u64) -> u64 {
        now.max(self.start) + (self.capacity - self.waiting) as u64
    }

    /// Notes that a reader waits for so many samples.
    pub(crate) fn want(&mut self, now: u64, count: usize) {
        let missing = count.saturating_sub(self.waiting) as u64;
        self.wanted_until = self.wanted_until.max(now.max(self.start) + missing);
    }
}
