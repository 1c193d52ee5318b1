//! What an end has been given to transmit.

use std::collections::VecDeque;

use num_complex::Complex32;

/// Something that went wrong with what was to be transmitted, at a sample number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitEvent {
    /// The samples of a burst ran out before its end. Zeros are sent until more come.
    Underflow {
        /// First sample that was missing.
        at: u64,
    },
    /// A burst came after its time, or was to start before the end of the one before. It is not sent.
    Late {
        /// When it was to start; below 0 if that was before samples were counted.
        at: i64,
    },
}

/// Events that are kept for an end that does not ask for them. Later ones are counted only.
const KEPT_EVENTS: usize = 256;

/// Consecutive samples.
#[derive(Debug)]
struct Run {
    start: u64,
    samples: VecDeque<Complex32>,
    /// Whether more of the same burst may follow.
    open: bool,
}

impl Run {
    fn end(&self) -> u64 {
        self.start + self.samples.len() as u64
    }
}

/// The transmitter of an end: bursts that wait for their time.
#[derive(Debug)]
pub(crate) struct Transmitter {
    pub(crate) active: bool,
    runs: VecDeque<Run>,
    waiting: usize,
    capacity: usize,
    /// Within a burst that was late: what belongs to it is dropped.
    dropping: bool,
    events: VecDeque<TransmitEvent>,
    pub(crate) underflows: u64,
    pub(crate) late: u64,
}

impl Transmitter {
    pub(crate) fn new(capacity: usize) -> Self {
        Transmitter {
            active: false,
            runs: VecDeque::new(),
            waiting: 0,
            capacity,
            dropping: false,
            events: VecDeque::new(),
            underflows: 0,
            late: 0,
        }
    }

    /// Halts: what has not left by now does not leave.
    pub(crate) fn halt(&mut self) {
        self.active = false;
        self.runs.clear();
        self.waiting = 0;
        self.dropping = false;
    }

    /// Takes samples, as many as there is room for, and tells how many. `now` is the next sample that is sent; samples without a time follow
    /// on those before, or leave at `soonest`. `ends` takes effect when all have been taken.
    pub(crate) fn write(
        &mut self,
        now: u64,
        soonest: u64,
        at: Option<i64>,
        samples: &[Complex32],
        ends: bool,
    ) -> usize {
        if let (Some(at), false) = (at, samples.is_empty()) {
            self.begin(now, at);
        }
        if self.dropping {
            self.dropping = !ends;
            return samples.len();
        }
        let taken = samples.len().min(self.capacity - self.waiting);
        if taken > 0 {
            let follows = self.runs.back().is_some_and(|run| run.open);
            if !follows {
                let after = self.runs.back().map_or(soonest, |run| run.end().max(soonest));
                let start = at.and_then(|at| u64::try_from(at).ok()).unwrap_or(after);
                self.runs.push_back(Run { start, samples: VecDeque::new(), open: true });
            }
            if let Some(run) = self.runs.back_mut() {
                run.samples.extend(&samples[..taken]);
            }
            self.waiting += taken;
        }
        if ends && taken == samples.len() {
            self.end_burst();
        }
        taken
    }

    /// A burst with a time: whatever was open ends, and one whose time has passed is dropped to its end.
    fn begin(&mut self, now: u64, at: i64) {
        // The rest of a burst that was taken in part comes with the time of its own first sample.
        let at_sample = u64::try_from(at).ok();
        if self.runs.back().is_some_and(|run| run.open && Some(run.end()) == at_sample) {
            return;
        }
        self.end_burst();
        let free_from = self.runs.back().map_or(now, Run::end);
        if at_sample.is_none_or(|at| at < free_from) {
            self.late += 1;
            self.event(TransmitEvent::Late { at });
            self.dropping = true;
        }
    }

    fn end_burst(&mut self) {
        self.dropping = false;
        if let Some(run) = self.runs.back_mut() {
            run.open = false;
        }
    }

    fn event(&mut self, event: TransmitEvent) {
        if self.events.len() < KEPT_EVENTS {
            self.events.push_back(event);
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<TransmitEvent> {
        self.events.pop_front()
    }

    /// Writes what leaves from `now` on over `block`, which is zeros.
    pub(crate) fn send(&mut self, now: u64, block: &mut [Complex32]) {
        let end = now + block.len() as u64;
        while let Some(run) = self.runs.front_mut() {
            if run.start >= end {
                break;
            }
            let count = run.samples.len().min((end - run.start) as usize);
            let place = (run.start - now) as usize;
            for (to, from) in block[place..].iter_mut().zip(run.samples.drain(..count)) {
                *to = from;
            }
            run.start += count as u64;
            self.waiting -= count;
            if !run.samples.is_empty() {
                break;
            }
            if run.open {
                // It lacks samples only if the block goes on beyond its end.
                if run.start == end {
                    break;
                }
                let at = run.start;
                self.underflows += 1;
                self.event(TransmitEvent::Underflow { at });
            }
            self.runs.pop_front();
        }
    }

    /// Up to where it is known what is sent, if a burst is open.
    pub(crate) fn known_until(&self) -> Option<u64> {
        self.runs.back().filter(|run| run.open).map(Run::end)
    }

    /// The end of what waits.
    pub(crate) fn waits_until(&self) -> Option<u64> {
        self.runs.back().map(Run::end)
    }
}
