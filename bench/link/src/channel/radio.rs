//! Frames that go through a radio: what arrives is known only once its receiver has decoded it.

use std::collections::VecDeque;
use std::fmt::Debug;

use bytes::Bytes;
use farlink_channel_models::Interval;
use farlink_channel_models::errors::Airtime;
use farlink_record::counters::Tally;
use farlink_units::Instant;

use super::held::all_of;
use super::{Channel, Queued, Struck};

/// The two radios of a channel and what is between them, for frames that go through samples.
///
/// The channel says when a frame occupies the transmitter and how long light takes; the radio says what the receiver makes of it. Frames are
/// told in the order in which they leave, and asked for in the same order.
pub trait Radio: Debug + Send {
    /// Bits that the radio puts around a frame of so many bytes, and that take airtime with it.
    fn overhead_bits(&self, bytes: usize) -> u64;

    /// When the receiver knows what it makes of bits that have left by `end`, as if light took no time: not before `end`, and not earlier
    /// for what leaves later.
    fn known_at(&self, contact: Interval, end: Instant) -> Instant;

    /// A frame leaves, of which no bit left before that instant. All frames are told that begin in the contact by an instant before
    /// the outcome of any is asked that is known at it.
    fn transmit(&mut self, contact: Interval, frame: u64, airtime: Airtime, content: &Bytes);

    /// What the receiver made of a frame that was told; `None` if it did not get it. Each frame is asked for at most once; one
    /// that was told before it and not asked for never will be. `contact` is the one that it left in as it turned out, if that is known still.
    fn receive(&mut self, contact: Option<Interval>, frame: u64) -> Option<Bytes>;
}

/// A radio, and the frames that have left and are not known yet.
#[derive(Debug)]
pub(super) struct OnAir {
    radio: Box<dyn Radio>,
    /// Frames with a lower number have been told, or need not be.
    told: u64,
    undecided: VecDeque<Undecided>,
}

/// A frame that has left.
#[derive(Debug)]
struct Undecided {
    known: Instant,
    queued: Queued,
    /// What else happened to it when it left.
    struck: Struck,
}

impl OnAir {
    pub(super) fn new(radio: Box<dyn Radio>) -> Self {
        OnAir { radio, told: 0, undecided: VecDeque::new() }
    }

    pub(super) fn overhead_bits(&self, bytes: usize) -> u64 {
        self.radio.overhead_bits(bytes)
    }

    pub(super) fn known_at(&self, contact: Interval, end: Instant) -> Instant {
        self.radio.known_at(contact, end)
    }

    pub(super) fn tally(&self) -> Tally {
        self.undecided.iter().map(|frame| all_of(frame.queued.bytes(), frame.queued.copies())).sum()
    }

    pub(super) fn first_due(&self) -> Option<Instant> {
        self.undecided.front().map(|frame| frame.queued.due)
    }

    pub(super) fn last_due(&self) -> Option<Instant> {
        self.undecided.back().map(|frame| frame.queued.due)
    }

    /// What is on its way, by the bytes that nodes sent.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |frame: &Undecided| frame.queued.content.len() * (1 + frame.queued.copies() as usize);
        self.undecided.iter().map(bytes).sum()
    }
}

impl Channel {
    /// Whether frames go through a radio.
    pub fn has_radio(&self) -> bool {
        self.on_air.is_some()
    }

    /// Tells the radio which frames have begun to leave by `now`.
    pub(super) fn tell_radio(&mut self, now: Instant) {
        let Some(on_air) = &mut self.on_air else { return };
        for queued in self.queue.iter().take_while(|queued| queued.start <= now) {
            if queued.frame < on_air.told {
                continue;
            }
            on_air.told = queued.frame + 1;
            let Some(contact) = self.config.contacts.open_at(queued.start) else { continue };
            if queued.lost.is_none() {
                let bits = queued.content.len() as u64 * 8
                    + self.config.overhead_bits
                    + on_air.radio.overhead_bits(queued.content.len());
                let airtime = Airtime { start: queued.start, end: queued.end, bits };
                on_air.radio.transmit(contact, queued.frame, airtime, &queued.content);
            }
        }
    }

    /// Takes a frame whose last bit has left, until it is known what came of it.
    pub(super) fn await_radio(&mut self, queued: Queued) {
        let contact = self.config.contacts.open_at(queued.start);
        let struck = self.struck(&queued);
        let Some(on_air) = &mut self.on_air else { return };
        let known = contact.map_or(queued.end, |contact| on_air.known_at(contact, queued.end));
        on_air.undecided.push_back(Undecided { known, queued, struck });
    }

    /// Settles what is known by `now` of frames that went through the radio.
    pub(super) fn settle_radio(&mut self, now: Instant) {
        loop {
            let Some(on_air) = &mut self.on_air else { return };
            if on_air.undecided.front().is_none_or(|frame| frame.known > now) {
                return;
            }
            let Some(Undecided { queued, struck, .. }) = on_air.undecided.pop_front() else { return };
            let contact = self.config.contacts.open_at(queued.start);
            let received = on_air.radio.receive(contact, queued.frame);
            self.arrive(queued, struck, Some(received));
        }
    }
}
