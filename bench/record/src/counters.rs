//! What each channel took in, delivered and lost.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Sub};

use serde::{Deserialize, Serialize};

use crate::{ChannelId, Delays, DurationNanos, Event, Header, LossCause};

/// A count of frames, and of the bits in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many frames.
    pub frames: u64,
    /// How many bits they held.
    pub bits: u64,
}

impl Tally {
    /// The tally of one frame of `bytes` bytes.
    pub fn frame(bytes: u32) -> Self {
        Tally { frames: 1, bits: u64::from(bytes) * 8 }
    }

    /// The difference, or `None` if `other` holds more frames or more bits.
    pub fn checked_sub(self, other: Tally) -> Option<Tally> {
        Some(Tally { frames: self.frames.checked_sub(other.frames)?, bits: self.bits.checked_sub(other.bits)? })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.frames += other.frames;
        self.bits += other.bits;
    }
}

/// Stops at zero; [`Tally::checked_sub`] tells whether it did.
impl Sub for Tally {
    type Output = Tally;
    fn sub(self, other: Tally) -> Tally {
        Tally { frames: self.frames.saturating_sub(other.frames), bits: self.bits.saturating_sub(other.bits) }
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Tally {
        let mut sum = Tally::default();
        tallies.for_each(|tally| sum += tally);
        sum
    }
}

/// What one part of the delay of delivered frames comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelaySum {
    /// Over all frames, in nanoseconds.
    pub total_ns: i128,
    /// The longest, in nanoseconds.
    pub max_ns: i64,
}

impl DelaySum {
    fn add(&mut self, delay: DurationNanos) {
        self.total_ns += i128::from(delay.0);
        self.max_ns = self.max_ns.max(delay.0);
    }
}

/// The delays of delivered frames, by what they are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayCounters {
    /// How many frames told their delays.
    pub frames: u64,
    /// Waiting for the transmitter.
    pub queueing: DelaySum,
    /// Length over data rate.
    pub serialisation: DelaySum,
    /// Light time.
    pub propagation: DelaySum,
}

impl DelayCounters {
    fn add(&mut self, delays: Delays) {
        self.frames += 1;
        self.queueing.add(delays.queueing);
        self.serialisation.add(delays.serialisation);
        self.propagation.add(delays.propagation);
    }
}

/// The counts of one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelCounters {
    /// What the node gave the channel, whatever became of it.
    pub sent: Tally,
    /// What faults added: copies of frames that no node sent.
    #[serde(default)]
    pub copied: Tally,
    /// What reached the other node, damaged or not.
    pub delivered: Tally,
    /// The part of `delivered` in which the channel had flipped bits.
    pub delivered_damaged: Tally,
    /// What did not reach the other node; a cause that never struck has no entry.
    pub lost: BTreeMap<LossCause, Tally>,
    /// Bits flipped in what was delivered.
    pub flipped_bits: u64,
    /// Where the time of what was delivered went.
    pub delays: DelayCounters,
}

impl ChannelCounters {
    /// Counts an event of this channel. Events that are not about frames change nothing; which channel the event names is
    /// not looked at: see [`RunCounters`] for a whole run.
    pub fn apply(&mut self, event: &Event) {
        match *event {
            Event::FrameSent { bytes, .. } => self.sent += Tally::frame(bytes),
            Event::FrameDelivered { bytes, damaged_bits, delays, .. } => {
                self.delivered += Tally::frame(bytes);
                if let Some(delays) = delays {
                    self.delays.add(delays);
                }
                if damaged_bits > 0 {
                    self.delivered_damaged += Tally::frame(bytes);
                    self.flipped_bits += u64::from(damaged_bits);
                }
            }
            Event::FrameCopied { bytes, .. } => self.copied += Tally::frame(bytes),
            Event::FrameLost { bytes, cause, .. } => *self.lost.entry(cause).or_default() += Tally::frame(bytes),
            _ => {}
        }
    }

    /// Everything lost, whatever the cause.
    pub fn lost_in_all(&self) -> Tally {
        self.lost.values().copied().sum()
    }

    /// What went in: sent, or made by a fault.
    pub fn went_in(&self) -> Tally {
        [self.sent, self.copied].into_iter().sum()
    }

    /// What went in and has neither arrived nor been lost yet; zero if more came out than went in.
    pub fn in_flight(&self) -> Tally {
        self.went_in() - self.delivered - self.lost_in_all()
    }

    /// Whether no more came out than went in, in frames and in bits.
    pub fn balanced(&self) -> bool {
        self.went_in().checked_sub(self.delivered).and_then(|rest| rest.checked_sub(self.lost_in_all())).is_some()
    }
}

/// The channel that an event is about, if it is about one.
pub fn channel_of(event: &Event) -> Option<ChannelId> {
    match *event {
        Event::ContactOpened { channel, .. }
        | Event::ContactClosed { channel }
        | Event::LightTime { channel, .. }
        | Event::FrameSent { channel, .. }
        | Event::FrameDelivered { channel, .. }
        | Event::FrameLost { channel, .. }
        | Event::FrameStruck { channel, .. }
        | Event::FrameCopied { channel, .. } => Some(channel),
        Event::Controlled { channel, .. } => channel,
        Event::Port { .. }
        | Event::Disturbed { .. }
        | Event::Ltp { .. }
        | Event::Bundle { .. }
        | Event::Arrived { .. }
        | Event::Ended { .. } => None,
    }
}

/// The counts of every channel of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunCounters {
    /// In the order of [`Header::channels`].
    pub channels: Vec<ChannelCounters>,
}

impl RunCounters {
    /// Nothing counted yet.
    pub fn new(header: &Header) -> Self {
        RunCounters { channels: vec![ChannelCounters::default(); header.channels.len()] }
    }

    /// Counts an event where it belongs. A channel that the header does not name is not counted.
    pub fn apply(&mut self, event: &Event) {
        if let Some(ChannelId(index)) = channel_of(event)
            && let Some(counters) = self.channels.get_mut(usize::from(index))
        {
            counters.apply(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use farlink_units::Instant;

    use super::*;

    const CHANNEL: ChannelId = ChannelId(0);

    fn sent(frame: u64, bytes: u32) -> Event {
        Event::FrameSent { channel: CHANNEL, frame, bytes, start: Instant::ZERO }
    }

    fn delivered(frame: u64, bytes: u32, damaged_bits: u32) -> Event {
        Event::FrameDelivered { channel: CHANNEL, frame, bytes, damaged_bits, delays: None, content: Bytes::new() }
    }

    #[test]
    fn every_frame_is_somewhere() {
        let mut counters = ChannelCounters::default();
        for (frame, bytes) in [100, 200, 300, 400, 500].into_iter().enumerate() {
            counters.apply(&sent(frame as u64, bytes));
        }
        counters.apply(&delivered(0, 100, 0));
        counters.apply(&delivered(1, 200, 7));
        counters.apply(&Event::FrameLost { channel: CHANNEL, frame: 2, bytes: 300, cause: LossCause::NoContact });
        counters.apply(&Event::FrameLost { channel: CHANNEL, frame: 3, bytes: 400, cause: LossCause::BitErrors });
        counters.apply(&Event::ContactClosed { channel: CHANNEL });

        assert_eq!(counters.sent, Tally { frames: 5, bits: 12_000 });
        assert_eq!(counters.delivered, Tally { frames: 2, bits: 2400 });
        assert_eq!(counters.delivered_damaged, Tally { frames: 1, bits: 1600 });
        assert_eq!(counters.flipped_bits, 7);
        assert_eq!(counters.lost[&LossCause::NoContact], Tally { frames: 1, bits: 2400 });
        assert_eq!(counters.lost_in_all(), Tally { frames: 2, bits: 5600 });
        assert_eq!(counters.in_flight(), Tally { frames: 1, bits: 4000 });
        assert!(counters.balanced());
    }

    #[test]
    fn a_frame_from_nowhere_upsets_the_balance() {
        let mut counters = ChannelCounters::default();
        counters.apply(&sent(0, 10));
        counters.apply(&delivered(0, 11, 0));
        assert_eq!(counters.in_flight(), Tally::default());
        assert!(!counters.balanced(), "one frame in, one out, but eight bits too many");

        let mut counters = ChannelCounters::default();
        counters.apply(&Event::FrameLost { channel: CHANNEL, frame: 0, bytes: 0, cause: LossCause::BadLength });
        assert!(!counters.balanced(), "an empty frame that was never sent");
    }
}
