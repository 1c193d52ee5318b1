//! The events of a run as the playback keeps them: small, since a run has millions.

use farlink_record::{ChannelId, Event, LossCause, Stamped};
use farlink_units::Instant;

/// Events in the order in which they came, without the content of frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tape {
    events: Vec<Kept>,
}

/// An event in 32 bytes. Frames, of which there are most, lie in place; the rest is boxed.
#[derive(Clone, Debug)]
struct Kept {
    at: Instant,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// A frame whose first bit left at the instant of the event.
    Sent {
        channel: ChannelId,
        bytes: u32,
        frame: u64,
    },
    /// A frame that arrived undamaged.
    Delivered {
        channel: ChannelId,
        bytes: u32,
        frame: u64,
    },
    Lost {
        channel: ChannelId,
        cause: LossCause,
        bytes: u32,
        frame: u64,
    },
    Other(Box<Event>),
}

impl Tape {
    pub fn push(&mut self, stamped: Stamped) {
        let Stamped { at, event } = stamped;
        let what = match event {
            Event::FrameSent { channel, frame, bytes, start } if start == at => What::Sent { channel, bytes, frame },
            Event::FrameDelivered { channel, frame, bytes, damaged_bits: 0, .. } => {
                What::Delivered { channel, bytes, frame }
            }
            Event::FrameLost { channel, frame, bytes, cause } => What::Lost { channel, cause, bytes, frame },
            Event::FrameDelivered { channel, frame, bytes, damaged_bits, .. } => {
                let content = Default::default();
                let delays = None;
                What::Other(Box::new(Event::FrameDelivered { channel, frame, bytes, damaged_bits, delays, content }))
            }
            other => What::Other(Box::new(other)),
        };
        self.events.push(Kept { at, what });
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// When the event at this place happened.
    pub fn time(&self, index: usize) -> Option<Instant> {
        self.events.get(index).map(|kept| kept.at)
    }

    /// The event at this place, whole but for the content of frames and their delays.
    pub fn get(&self, index: usize) -> Option<Stamped> {
        let kept = self.events.get(index)?;
        let event = match kept.what {
            What::Sent { channel, bytes, frame } => Event::FrameSent { channel, frame, bytes, start: kept.at },
            What::Delivered { channel, bytes, frame } => {
                let (damaged_bits, delays, content) = (0, None, Default::default());
                Event::FrameDelivered { channel, frame, bytes, damaged_bits, delays, content }
            }
            What::Lost { channel, cause, bytes, frame } => Event::FrameLost { channel, frame, bytes, cause },
            What::Other(ref event) => Event::clone(event),
        };
        Some(Stamped { at: kept.at, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_frame_event_comes_back_whole() {
        let (channel, frame, bytes) = (ChannelId(3), 1 << 40, 65_000);
        let content = Default::default();
        let early = Instant::from_nanos(5);
        let events = [
            Event::FrameSent { channel, frame, bytes, start: early },
            Event::FrameSent { channel, frame, bytes, start: Instant::from_nanos(9) },
            Event::FrameDelivered { channel, frame, bytes, damaged_bits: 0, delays: None, content },
            Event::FrameDelivered { channel, frame, bytes, damaged_bits: 4, delays: None, content: Default::default() },
            Event::FrameLost { channel, frame, bytes, cause: LossCause::QueueFull },
            Event::ContactClosed { channel },
        ];
        let mut tape = Tape::default();
        for event in &events {
            tape.push(Stamped { at: early, event: event.clone() });
        }
        for (index, event) in events.into_iter().enumerate() {
            assert_eq!(tape.get(index), Some(Stamped { at: early, event }));
        }
    }

    #[test]
    fn an_event_is_kept_small() {
        assert!(size_of::<Kept>() <= 32, "{} bytes", size_of::<Kept>());
    }
}
