//! The log: what happened, with what happened again and again in one line.

use std::collections::VecDeque;

use farlink_record::{ChannelId, Event, LossCause, LtpNotice};
use farlink_units::{Duration, Instant};

/// How many lines of the log are kept; more than the tallest screen shows.
const LINES: usize = 128;
/// How many lines back one of its kind is looked for: a bundle that crosses two links makes a dozen kinds of line, and those
/// after it make them all again.
const LOOKBACK: usize = 16;
/// What happens again after this long is told anew.
const ANEW: Duration = Duration::from_secs(60);

/// The last lines of the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(VecDeque<LogLine>);

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// When it happened; the first time, if it happened again.
    pub at: Instant,
    /// When it happened last.
    pub last: Instant,
    /// What happened.
    pub what: LogItem,
}

/// What a line of the log tells.
#[derive(Clone, Debug, PartialEq)]
pub enum LogItem {
    /// An event, or several that differ in nothing but their sizes and the numbers of their sessions or bundles.
    Events {
        /// The first of them.
        event: Event,
        /// How many.
        times: u64,
        /// Their sizes together, in bytes, if they have any.
        bytes: u64,
    },
    /// Frames that a channel lost for one cause, counted together.
    Losses {
        /// Which channel.
        channel: ChannelId,
        /// Why.
        cause: LossCause,
        /// How many.
        frames: u64,
    },
}

impl Log {
    /// Tells an event, or counts it into a recent line of its kind. That line stays where it is, or two kinds of event that
    /// take turns would make the whole log jump.
    pub fn tell(&mut self, at: Instant, event: &Event) {
        let recent = self.0.iter_mut().rev().take(LOOKBACK);
        if let Some(line) = recent.into_iter().find(|line| at - line.last <= ANEW && line.what.is_like(event)) {
            line.last = at;
            match &mut line.what {
                LogItem::Losses { frames, .. } => *frames += 1,
                LogItem::Events { times, bytes, .. } => {
                    *times += 1;
                    *bytes += size(event);
                }
            }
            return;
        }
        let what = match *event {
            Event::FrameLost { channel, cause, .. } => LogItem::Losses { channel, cause, frames: 1 },
            _ => LogItem::Events { event: event.clone(), times: 1, bytes: size(event) },
        };
        if self.0.len() == LINES {
            self.0.pop_front();
        }
        self.0.push_back(LogLine { at, last: at, what });
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &LogLine> + ExactSizeIterator {
        self.0.iter()
    }
}

impl LogItem {
    /// Whether this line can count the event in.
    fn is_like(&self, other: &Event) -> bool {
        match (self, other) {
            (LogItem::Losses { channel, cause, .. }, Event::FrameLost { channel: c, cause: k, .. }) => {
                (channel, cause) == (c, k)
            }
            (LogItem::Events { event, .. }, other) => match (event, other) {
                (
                    Event::Ltp { node, peer, session, notice },
                    Event::Ltp { node: n, peer: p, session: s, notice: what },
                ) => (node, peer, session.originator) == (n, p, s.originator) && is_same_notice(notice, what),
                (
                    Event::Bundle { node, traffic, notice, .. },
                    Event::Bundle { node: n, traffic: t, notice: what, .. },
                ) => (node, traffic, notice) == (n, t, what),
                _ => false,
            },
            _ => false,
        }
    }
}

fn is_same_notice(one: &LtpNotice, other: &LtpNotice) -> bool {
    use LtpNotice::{BlockAcknowledged, BlockStarted, Cancelled, RedPartReceived, Retransmitted};
    match (one, other) {
        (BlockStarted { .. }, BlockStarted { .. })
        | (BlockAcknowledged, BlockAcknowledged)
        | (RedPartReceived { .. }, RedPartReceived { .. }) => true,
        (Retransmitted { reason, .. }, Retransmitted { reason: other, .. }) => reason == other,
        (Cancelled { .. }, Cancelled { .. }) => one == other,
        _ => false,
    }
}

fn size(event: &Event) -> u64 {
    match event {
        Event::Bundle { bytes, .. } => *bytes,
        Event::Ltp { notice, .. } => match notice {
            LtpNotice::BlockStarted { bytes }
            | LtpNotice::RedPartReceived { bytes }
            | LtpNotice::Retransmitted { bytes, .. } => *bytes,
            LtpNotice::BlockAcknowledged | LtpNotice::Cancelled { .. } => 0,
        },
        _ => 0,
    }
}
