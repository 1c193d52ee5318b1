//! What the view knows: the last snapshot, rates, the log of notices.

use std::collections::VecDeque;
use std::mem::discriminant;
use std::time::Duration as Span;

use farlink_record::counters::Tally;
use farlink_record::instrument::{ChannelState, Snapshot};
use farlink_record::{ChannelId, Event, Stamped};
use farlink_units::{Duration, Instant};

/// Over how much time rates are taken, at least, once there is as much.
const OVER: Span = Span::from_secs(1);
/// How many lines of the log are kept; more than the tallest screen shows.
const LINES: usize = 128;
/// How many lines back one of its kind is looked for.
const LOOKBACK: usize = 16;
/// What happens again after this long is told anew.
const ANEW: Duration = Duration::from_secs(60);

/// What is known of a running emulator.
#[derive(Clone, Debug, Default)]
pub struct Model {
    snapshot: Snapshot,
    /// What had gone in and come out of every channel at moments of the last second or so, oldest first.
    past: VecDeque<(Span, Vec<Passed>)>,
    notices: VecDeque<Notice>,
    missed: u64,
    silent: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Passed {
    sent: Tally,
    delivered: Tally,
}

/// What passes in a second of the machine's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// Frames that come in.
    pub frames_in: f64,
    /// Bits that come in.
    pub bits_in: f64,
    /// Frames that go out at the far end.
    pub frames_out: f64,
    /// Bits that go out at the far end.
    pub bits_out: f64,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// When it happened; the first time, if it happened again.
    pub at: Instant,
    /// When it happened last.
    pub last: Instant,
    /// What happened; the last time, if it happened again.
    pub event: Event,
    /// How often.
    pub times: u64,
}

impl Model {
    /// Takes in a snapshot that was taken `now`, by any clock that runs evenly.
    pub fn feed(&mut self, snapshot: Snapshot, now: Span) {
        let passed =
            |channel: &ChannelState| Passed { sent: channel.counters.sent, delivered: channel.counters.delivered };
        self.past.push_back((now, snapshot.channels.iter().map(passed).collect()));
        // The oldest that is kept is the youngest that is old enough.
        while self.past.get(1).is_some_and(|(then, _)| now.saturating_sub(*then) >= OVER) {
            self.past.pop_front();
        }
        self.snapshot = snapshot;
        self.silent = None;
    }

    /// Takes note that there was no snapshot to be had.
    pub fn miss(&mut self, why: String) {
        self.silent = Some(why);
    }

    /// Writes a notice into the log, or counts it into a recent line of its kind.
    pub fn note(&mut self, stamped: Stamped) {
        let Stamped { at, event } = stamped;
        let mut recent = self.notices.iter_mut().rev().take(LOOKBACK);
        if let Some(line) = recent.find(|line| at - line.last <= ANEW && is_like(&line.event, &event)) {
            line.last = at;
            line.times += 1;
            line.event = event;
            return;
        }
        if self.notices.len() == LINES {
            self.notices.pop_front();
        }
        self.notices.push_back(Notice { at, last: at, event, times: 1 });
    }

    /// Takes note of how many notices in all found no room on their way here.
    pub fn set_missed(&mut self, missed: u64) {
        self.missed = missed;
    }

    /// The last snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Why there is none that is newer, if the emulator does not answer.
    pub fn silent(&self) -> Option<&str> {
        self.silent.as_deref()
    }

    /// What passes the channel at a place; `None` until there are two snapshots, or if its counters went backwards.
    pub fn flow(&self, place: usize) -> Option<Flow> {
        let ((then, before), (now, after)) = (self.past.front()?, self.past.back()?);
        let seconds = now.checked_sub(*then)?.as_secs_f64();
        if seconds <= 0.0 {
            return None;
        }
        let (before, after) = (before.get(place)?, after.get(place)?);
        let into = after.sent.checked_sub(before.sent)?;
        let out = after.delivered.checked_sub(before.delivered)?;
        let rate = |n: u64| n as f64 / seconds;
        Some(Flow {
            frames_in: rate(into.frames),
            bits_in: rate(into.bits),
            frames_out: rate(out.frames),
            bits_out: rate(out.bits),
        })
    }

    /// The log, oldest first.
    pub fn notices(&self) -> impl DoubleEndedIterator<Item = &Notice> + ExactSizeIterator {
        self.notices.iter()
    }

    /// How many notices are not in the log, since they came faster than the view looked.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The name of a channel.
    pub fn channel_name(&self, ChannelId(place): ChannelId) -> &str {
        self.snapshot.channels.get(usize::from(place)).map_or("?", |channel| &channel.name)
    }
}

/// Whether two notices share a line: a port that does the same again and again, time that is disturbed again and again.
fn is_like(one: &Event, other: &Event) -> bool {
    match (one, other) {
        (Event::Port { port, what }, Event::Port { port: p, what: w }) => {
            port == p && discriminant(what) == discriminant(w)
        }
        (Event::Disturbed { what, .. }, Event::Disturbed { what: w, .. }) => what == w,
        _ => false,
    }
}
