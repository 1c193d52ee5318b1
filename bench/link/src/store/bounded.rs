//! One direction's frames: a chain of chunks, of which those in the middle may be on disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use farlink_record::LossCause;
use farlink_record::counters::Tally;
use farlink_units::Instant;

use super::budget::StoreBudget;
use super::chunk::{Chunk, Claim, Span};
use super::frame;
use super::memory::Buffer;
use crate::channel::Arrival;

/// In the order in which frames are taken: those that were given back, the head, the chunks, the tail.
#[derive(Debug)]
pub(super) struct Bounded {
    budget: Arc<StoreBudget>,
    /// The last is the next.
    returned: Vec<Arrival>,
    head: Option<Head>,
    chunks: VecDeque<Arc<Chunk>>,
    /// How many of the first chunks are in memory to stay, or are being read, and their bytes.
    ahead: usize,
    ahead_bytes: usize,
    /// Frames are taken from it only if there is no head and no chunk.
    tail: Option<Tail>,
    tally: Tally,
    waits: bool,
    /// Whether it has been counted that the first chunk is late.
    late: bool,
}

/// The chunk that frames are taken from.
#[derive(Debug)]
enum Head {
    Here {
        bytes: Bytes,
        /// Where the next frame starts.
        next: usize,
        /// What is left.
        span: Span,
    },
    /// It could not be read.
    Lost(Span),
}

/// The chunk that frames are put in.
#[derive(Debug)]
struct Tail {
    buffer: Buffer,
    next: usize,
    span: Span,
}

impl Bounded {
    pub fn new(budget: Arc<StoreBudget>) -> Self {
        budget.memory.join();
        Bounded {
            budget,
            returned: Vec::new(),
            head: None,
            chunks: VecDeque::new(),
            ahead: 0,
            ahead_bytes: 0,
            tail: None,
            tally: Tally::default(),
            waits: false,
            late: false,
        }
    }

    pub fn room(&self, bytes: usize) -> Result<(), LossCause> {
        let free = self.tail.as_ref().map_or(0, |tail| tail.buffer.free());
        let more = bytes.saturating_add(frame::length(0)).saturating_sub(free);
        if more == 0 {
            return Ok(());
        }
        let memory = &self.budget.memory;
        let chunks = more.div_ceil(memory.chunk);
        let needed = chunks.saturating_mul(memory.chunk).saturating_add(self.budget.reserve());
        if memory.used().saturating_add(needed) <= memory.limit {
            return Ok(());
        }
        let slow = self.budget.spill.as_ref().is_some_and(|spill| {
            let disk = &spill.disk;
            !disk.full.load(Ordering::Relaxed) && disk.counts.backlog.load(Ordering::Relaxed) > 0
        });
        Err(if slow { LossCause::StoreSlow } else { LossCause::StoreFull })
    }

    pub fn push_back(&mut self, arrival: &Arrival) {
        let length = frame::length(arrival.content.len());
        self.tally += Tally::frame(arrival.bytes);
        if self.tail.as_ref().is_some_and(|tail| tail.buffer.free() < length) {
            self.seal();
        }
        match &mut self.tail {
            Some(tail) => tail.push(arrival),
            None => {
                let buffer = self.budget.memory.buffer(length);
                let tail = self.tail.insert(Tail { buffer, next: 0, span: Span::of(arrival) });
                tail.write(arrival);
            }
        }
    }

    pub fn push_front(&mut self, arrival: Arrival) {
        self.tally += Tally::frame(arrival.bytes);
        self.returned.push(arrival);
    }

    pub fn first_due(&self) -> Option<Instant> {
        if let Some(arrival) = self.returned.last() {
            return Some(arrival.at);
        }
        match &self.head {
            // If it is no frame, that shows when it is taken.
            Some(Head::Here { bytes, next, span }) => Some(frame::due(bytes, *next).unwrap_or(span.first_due)),
            Some(Head::Lost(span)) => Some(span.first_due),
            None => match (self.chunks.front(), &self.tail) {
                (Some(chunk), _) => Some(chunk.span.first_due),
                (None, Some(tail)) => frame::due(tail.buffer.as_ref(), tail.next),
                (None, None) => None,
            },
        }
    }

    pub fn last_due(&self) -> Option<Instant> {
        let tail = self.tail.as_ref().filter(|tail| tail.span.tally.frames > 0).map(|tail| tail.span.last_due);
        tail.or_else(|| self.chunks.back().map(|chunk| chunk.span.last_due))
            .or_else(|| self.head.as_ref().map(|head| head.span().last_due))
            .or_else(|| self.returned.first().map(|arrival| arrival.at))
    }

    pub fn waits_for_disk(&self) -> bool {
        self.waits
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    pub fn take_due(&mut self, now: Instant) -> Option<Arrival> {
        self.waits = false;
        if self.first_due()? > now {
            return None;
        }
        let arrival = match self.returned.pop() {
            Some(arrival) => arrival,
            None => self.take_first()?,
        };
        self.tally = self.tally - Tally::frame(arrival.bytes);
        Some(arrival)
    }

    /// The first frame of what was not given back. There is one.
    fn take_first(&mut self) -> Option<Arrival> {
        if self.head.is_none() {
            self.open_next();
        }
        let Some(head) = &mut self.head else {
            if self.chunks.is_empty() {
                return self.tail.as_mut()?.take();
            }
            self.waits = true;
            if let Some(spill) = &self.budget.spill
                && !self.late
            {
                self.late = true;
                spill.disk.counts.late_reads.fetch_add(1, Ordering::Relaxed);
            }
            return None;
        };
        let arrival = head.take(&self.budget)?;
        if head.span().tally.frames == 0 {
            self.head = None;
            // At once, so that reading ahead goes on.
            self.open_next();
        }
        Some(arrival)
    }

    /// Makes the first chunk the head, if it is in memory.
    fn open_next(&mut self) {
        self.read_ahead();
        let Some(chunk) = self.chunks.front() else { return };
        let head = match chunk.claim() {
            Claim::Here(bytes) => Head::Here { bytes, next: 0, span: chunk.span },
            Claim::Failed => Head::Lost(chunk.span),
            Claim::Away => return,
        };
        self.ahead -= 1;
        self.ahead_bytes -= chunk.length;
        self.chunks.pop_front();
        self.head = Some(head);
        self.late = false;
        self.read_ahead();
    }

    /// Sees to it that the next chunks are in memory when they are wanted: two at least, and more as the budget allows.
    fn read_ahead(&mut self) {
        let memory = &self.budget.memory;
        while let Some(chunk) = self.chunks.get(self.ahead) {
            let fits = self.ahead_bytes + chunk.length <= self.budget.window()
                && memory.used() + chunk.length.max(memory.chunk) <= memory.limit;
            if self.ahead >= 2 && !fits {
                return;
            }
            if chunk.hold(memory)
                && let Some(spill) = &self.budget.spill
            {
                spill.read(chunk.clone());
            }
            self.ahead += 1;
            self.ahead_bytes += chunk.length;
        }
    }

    /// Makes a chunk of the tail.
    fn seal(&mut self) {
        let Some(Tail { buffer, next, span }) = self.tail.take() else { return };
        if span.tally.frames == 0 {
            return;
        }
        let bytes = buffer.freeze();
        if self.head.is_none() && self.chunks.is_empty() {
            self.head = Some(Head::Here { bytes, next, span });
            return;
        }
        let length = bytes.len();
        let budget = &self.budget;
        let near = self.ahead == self.chunks.len()
            && (self.ahead < 2
                || self.ahead_bytes + length <= budget.window()
                || budget.memory.used() <= budget.keep());
        match &budget.spill {
            Some(spill) if !near => {
                let chunk = Arc::new(Chunk::queued(span, bytes, spill.disk.backlog(length)));
                self.chunks.push_back(chunk.clone());
                spill.write(chunk);
            }
            _ => {
                self.chunks.push_back(Arc::new(Chunk::in_memory(span, bytes)));
                if self.ahead + 1 == self.chunks.len() {
                    self.ahead += 1;
                    self.ahead_bytes += length;
                }
            }
        }
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        for chunk in &self.chunks {
            chunk.abandon();
        }
        self.budget.memory.leave();
    }
}

impl Head {
    fn span(&self) -> &Span {
        match self {
            Head::Here { span, .. } | Head::Lost(span) => span,
        }
    }

    fn take(&mut self, budget: &StoreBudget) -> Option<Arrival> {
        if let Head::Here { bytes, next, span } = self {
            if let Some((arrival, end)) = frame::read(bytes, *next, |range| bytes.slice(range)) {
                *next = end;
                span.pop(&arrival);
                return Some(arrival);
            }
            // What was read is what was written, so this cannot be; if it is, it is not passed over in silence.
            if let Some(spill) = &budget.spill {
                spill.disk.counts.read_failures.fetch_add(1, Ordering::Relaxed);
                spill.disk.count_lost(span.tally);
            }
            *self = Head::Lost(*span);
        }
        match self {
            Head::Lost(span) => span.lose_next(),
            Head::Here { .. } => None,
        }
    }
}

impl Tail {
    fn push(&mut self, arrival: &Arrival) {
        if self.span.tally.frames == 0 {
            self.span = Span::of(arrival);
        } else {
            self.span.push(arrival);
        }
        self.write(arrival);
    }

    fn write(&mut self, arrival: &Arrival) {
        let Buffer { bytes, length, .. } = &mut self.buffer;
        *length += frame::write(arrival, &mut bytes[*length..]);
    }

    /// Takes a frame out. It is copied, since the chunk is still being written.
    fn take(&mut self) -> Option<Arrival> {
        let chunk = self.buffer.as_ref();
        let (arrival, end) = frame::read(chunk, self.next, |range| Bytes::copy_from_slice(&chunk[range]))?;
        self.next = end;
        self.span.pop(&arrival);
        if self.next == self.buffer.length {
            // Empty: from the start again.
            (self.next, self.buffer.length) = (0, 0);
        }
        Some(arrival)
    }
}
