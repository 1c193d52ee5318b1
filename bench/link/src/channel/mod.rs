//! One direction of a link.

mod contacts;
mod content;
mod control;
mod faults;
mod held;
mod radio;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use farlink_channel_models::errors::{Airtime, Passage};
use farlink_channel_models::{Errors, LightTime, Rate, Sending};
use farlink_record::counters::{ChannelCounters, Tally};
use farlink_record::instrument::ChannelState;
use farlink_record::results::Timing;
use farlink_record::{ChannelId, Delays, Event, LossCause};
use farlink_units::{BitRate, Duration, Instant};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::store::DelayStore;
pub use contacts::Contacts;
pub use content::EidPattern;
use control::Planned;
pub use control::{ControlError, MAX_LIGHT_TIME, check};
use faults::{Faults, Mark};
pub use faults::{MAX_COPIES, MAX_FAULTS, MAX_SESSIONS};
pub use held::MAX_HELD;
use held::{HeldBack, all_of, wrong_bits};
use radio::OnAir;
pub use radio::Radio;

/// Longest frame that a channel carries, in bytes.
pub const MAX_FRAME_BYTES: usize = 65_535;

/// What the link does with a frame that has flipped bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// Its check finds the damage and drops the frame.
    Drop,
    /// It has no check: the frame arrives with its flipped bits.
    Deliver,
}

/// What makes a channel.
#[derive(Debug)]
pub struct ChannelConfig {
    /// Its place in the recording's header.
    pub id: ChannelId,
    /// Data rate.
    pub rate: Rate,
    /// Bits that the link layer adds to each frame: they take time and can be damaged, but no node sees them.
    pub overhead_bits: u64,
    /// When it carries.
    pub contacts: Contacts,
    /// One-way light time.
    pub light_time: LightTime,
    /// Bits that flip and frames that vanish.
    pub errors: Errors,
    /// What becomes of damaged frames.
    pub damaged: Damaged,
    /// What frames go through, where they go through samples. The channel has then one rate, which cannot be changed.
    pub radio: Option<Box<dyn Radio>>,
    /// Most bits, overhead included, that may wait for the transmitter besides the frame that it is sending.
    pub queue_bits: u64,
    /// What is drawn for controls comes from this: errors set by hand, the places that faults damage.
    pub seed: u64,
}

/// A frame that the transmitter has not sent to its last bit.
#[derive(Debug)]
struct Queued {
    frame: u64,
    content: Bytes,
    offered: Instant,
    /// When its first bit leaves, and when its last has left, as the rate is known.
    start: Instant,
    end: Instant,
    due: Instant,
    /// It occupies the transmitter, but has been told to be lost.
    lost: Option<LossCause>,
    /// What faults do to it.
    mark: Option<Box<Mark>>,
}

impl Queued {
    fn bytes(&self) -> u32 {
        self.content.len() as u32
    }

    fn copies(&self) -> u32 {
        self.mark.as_ref().map_or(0, |mark| mark.copies)
    }
}

/// A frame that has come to the end of its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The instant at which its last bit arrives.
    pub at: Instant,
    /// Its number in the channel.
    pub frame: u64,
    /// Its length in bytes, as the node sent it.
    pub bytes: u32,
    /// What arrives; less than was sent where a fault cut the frame.
    pub content: Bytes,
    /// Bits that were flipped on the way, also by faults.
    pub flipped_bits: u32,
    /// Why the other node does not get it; `None` if it does.
    pub lost: Option<LossCause>,
    /// Where its time went. The three parts add up to the time from the offer to the arrival.
    pub delays: Delays,
}

impl Arrival {
    /// Whether the other node gets it.
    pub fn delivered(&self) -> bool {
        self.lost.is_none()
    }

    /// The event that tells of it.
    pub fn event(&self, channel: ChannelId) -> Event {
        let (frame, bytes) = (self.frame, self.bytes);
        match self.lost {
            None => Event::FrameDelivered {
                channel,
                frame,
                bytes,
                damaged_bits: self.flipped_bits,
                delays: Some(self.delays),
                content: self.content.clone(),
            },
            Some(cause) => Event::FrameLost { channel, frame, bytes, cause },
        }
    }
}

/// One direction between two nodes. It is told the time and opens nothing.
///
/// What physics says, in order: a frame occupies the transmitter for as long as the integral of the rate needs for its bits; it
/// is lost unless the channel has a rate and is open for the whole of that; its last bit arrives one light time after it has
/// left, also if the contact is over by then. Which of its bits flip is settled when its last bit has left.
///
/// # Delays
/// Three parts, told apart with every arrival: **queueing** until the first bit leaves, **serialisation** until the last has
/// left, **propagation** until that arrives.
///
/// # Changes while it runs
/// [`Channel::set_rate`] and [`Channel::set_errors`] hold from the instant that they are told: a frame that straddles a change of
/// rate takes the integral, frames that wait are moved, what has left is not touched. A frame that straddles a change of errors
/// has the errors of when its last bit leaves. Instants that are told never run backwards. [`Channel::control`] does what people
/// and scripts say, by the same rules.
///
/// # Faults
/// A fault looks at frames as they are offered, after the channel has found that the transmitter takes them, and that no
/// closed contact and no silence takes them anyway: those are neither struck nor counted. What it has ordered happens when the
/// last bit has left, on top of what the link does to the frame. What the link loses then is not delivered by a fault, and its
/// copies are lost as well.
///
/// # Radio
/// With a [`Radio`] frames go through samples: one arrives when the receiver has decoded the block that it ends in, which counts as
/// propagation, and is lost as [`LossCause::NotDecoded`] if the receiver does not get it. The other errors come on top.
///
/// # Silence
/// A channel without a rate takes no time for a frame: what is offered then is lost at once, as [`LossCause::NoRate`]. So is a
/// frame whose rate ends before its last bit has left; it occupies the transmitter until then.
#[derive(Debug)]
pub struct Channel {
    config: ChannelConfig,
    next_frame: u64,
    busy_until: Instant,
    /// Frames that the transmitter has, in order; the first may be half sent.
    queue: VecDeque<Queued>,
    /// Bits in the queue, overhead included.
    queue_bits: u64,
    /// Frames under way, in order of arrival.
    store: DelayStore,
    last_due: Instant,
    flips: Vec<u64>,
    planned: Planned,
    faults: Faults,
    held: HeldBack,
    draws: ChaCha8Rng,
    on_air: Option<Box<OnAir>>,
}

impl Channel {
    /// An idle channel that keeps in memory what is under way.
    pub fn new(config: ChannelConfig) -> Self {
        Self::with_store(config, DelayStore::unbounded())
    }

    /// An idle channel that keeps in `store` what is under way.
    pub fn with_store(mut config: ChannelConfig, store: DelayStore) -> Self {
        Channel {
            on_air: config.radio.take().map(|radio| Box::new(OnAir::new(radio))),
            draws: ChaCha8Rng::seed_from_u64(config.seed),
            config,
            next_frame: 0,
            busy_until: Instant::from_nanos(i64::MIN),
            queue: VecDeque::new(),
            queue_bits: 0,
            store,
            last_due: Instant::from_nanos(i64::MIN),
            flips: Vec::new(),
            planned: Planned::default(),
            faults: Faults::default(),
            held: HeldBack::default(),
        }
    }

    /// Its place in the recording's header.
    pub fn id(&self) -> ChannelId {
        self.config.id
    }

    /// When it carries, as far as is known: past contacts are forgotten where somebody has forced one.
    pub fn contacts(&self) -> &Contacts {
        &self.config.contacts
    }

    /// Its data rate.
    pub fn rate(&self) -> &Rate {
        &self.config.rate
    }

    /// One-way light time of a bit that leaves at `at`.
    pub fn light_time(&self, at: Instant) -> Duration {
        self.config.light_time.at(at)
    }

    /// When the transmitter has sent all that it was given.
    pub fn busy_until(&self) -> Instant {
        self.busy_until
    }

    /// What is under way, counted in the store itself.
    pub fn in_flight(&self) -> Tally {
        let queued = self.queue.iter().filter(|f| f.lost.is_none()).map(|f| all_of(f.bytes(), f.copies()));
        let on_air = self.on_air.as_ref().map_or_else(Tally::default, |on_air| on_air.tally());
        queued.chain([on_air, self.store.tally(), self.held.tally()]).sum()
    }

    /// Whether the channel carries a bit that leaves at `now`.
    pub fn is_open(&self, now: Instant) -> bool {
        self.config.contacts.open_at(now).is_some()
    }

    /// When the last frame that is under way arrives, as the rate is known; `None` if nothing is.
    pub fn last_due(&self) -> Option<Instant> {
        let queued = self.queue.iter().rev().find(|frame| frame.lost.is_none()).map(|frame| frame.due);
        let in_order = queued.or_else(|| self.last_due_on_air()).or_else(|| self.store.last_due());
        in_order.into_iter().chain(self.held.last_until()).max()
    }

    /// How things are in it at `now`, between two ports or nodes that are called so. Lateness is for its owner to add.
    pub fn state(&self, name: &str, [from, to]: [&str; 2], now: Instant, counters: &ChannelCounters) -> ChannelState {
        let in_flight = self.in_flight();
        ChannelState {
            name: name.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            open: self.is_open(now),
            rate_bps: self.rate().at(now).map(BitRate::bps),
            light_time: self.light_time(now).into(),
            counters: counters.clone(),
            in_flight,
            balanced: counters.balanced() && counters.in_flight() == in_flight,
            by_hand: self.overridden(),
            faults: self.faults().cloned().collect(),
            lateness: Timing::default(),
            late_because: Vec::new(),
        }
    }

    /// Takes a frame from the transmitting node at `now`. The events tell that it was sent and, if it is lost on the spot,
    /// why. When it starts is told as the rate is known at `now`.
    pub fn offer(&mut self, now: Instant, content: Bytes, mut emit: impl FnMut(Event)) {
        self.settle(now);
        let channel = self.config.id;
        let frame = self.next_frame;
        self.next_frame += 1;
        let bytes = content.len() as u32;
        let start = now.max(self.busy_until);
        let bits = self.bits(&content);
        let lost = |cause, emit: &mut dyn FnMut(Event)| emit(Event::FrameLost { channel, frame, bytes, cause });

        if content.is_empty() || content.len() > MAX_FRAME_BYTES {
            emit(Event::FrameSent { channel, frame, bytes, start: now });
            return lost(LossCause::BadLength, &mut emit);
        }
        if start > now && !self.has_room(now, bits) {
            emit(Event::FrameSent { channel, frame, bytes, start: now });
            return lost(LossCause::QueueFull, &mut emit);
        }
        // What waits for the transmitter will want room before it.
        if let Err(cause) = self.store.room(self.waiting_bytes().saturating_add(content.len())) {
            emit(Event::FrameSent { channel, frame, bytes, start: now });
            return lost(cause, &mut emit);
        }
        emit(Event::FrameSent { channel, frame, bytes, start });
        let mut queued = Queued { frame, content, offered: now, start, end: start, due: start, lost: None, mark: None };
        self.schedule(&mut queued, bits);
        if let Some(cause) = queued.lost {
            lost(cause, &mut emit);
        } else if !self.faults.is_empty() {
            self.strike(&mut queued, &mut emit);
        }
        // The transmitter radiates whether or not anybody can hear it.
        self.busy_until = queued.end;
        self.queue_bits += bits;
        self.queue.push_back(queued);
    }

    /// What waits for the transmitter or the receiver's decoder, and will want room in the store.
    fn waiting_bytes(&self) -> usize {
        let on_air = self.on_air.as_ref().map_or(0, |on_air| on_air.bytes());
        usize::try_from(self.queue_bits / 8).unwrap_or(usize::MAX).saturating_add(on_air)
    }

    fn last_due_on_air(&self) -> Option<Instant> {
        self.on_air.as_ref().and_then(|on_air| on_air.last_due())
    }

    /// Lets faults strike a frame that would arrive as far as is known.
    #[cold]
    fn strike(&mut self, queued: &mut Queued, emit: &mut dyn FnMut(Event)) {
        let (channel, frame, bytes) = (self.config.id, queued.frame, queued.bytes());
        let can_hold = self.held.has_room();
        let struck = |action| emit(Event::FrameStruck { channel, frame, action });
        let Some(mut mark) = self.faults.strike(&queued.content, can_hold, struck) else { return };
        if mark.drop {
            queued.lost = Some(LossCause::Fault);
            return emit(Event::FrameLost { channel, frame, bytes, cause: LossCause::Fault });
        }
        for _ in 0..mark.copies {
            emit(Event::FrameCopied { channel, frame, bytes });
        }
        if mark.copies > 0
            && let Err(cause) =
                self.store.room(self.waiting_bytes().saturating_add(queued.content.len() * (1 + mark.copies as usize)))
        {
            for _ in 0..std::mem::take(&mut mark.copies) {
                emit(Event::FrameLost { channel, frame, bytes, cause });
            }
        }
        self.held.promised += usize::from(mark.after > 0);
        queued.mark = Some(mark);
    }

    /// Gives the channel another rate from `now` on. The events tell which of the frames that wait are lost by that.
    pub fn set_rate(&mut self, now: Instant, rate: &Rate, mut emit: impl FnMut(Event)) {
        self.settle(now);
        self.planned.rate = None;
        self.change_rate(now, rate, &mut emit);
    }

    /// Gives the channel other errors from `now` on.
    pub fn set_errors(&mut self, now: Instant, errors: Errors) {
        self.settle(now);
        self.planned.errors = None;
        self.config.errors = errors;
    }

    fn change_rate(&mut self, now: Instant, rate: &Rate, emit: &mut dyn FnMut(Event)) {
        let since = self.since(now);
        self.config.rate.replace_from(since, now, rate);
        self.reschedule(now, emit);
    }

    /// From when on rate and contacts must be known: frames that are still being sent began then.
    fn since(&self, now: Instant) -> Instant {
        self.queue.front().map_or(now, |first| first.start.min(now))
    }

    /// Works out anew when the frames leave and arrive whose last bit has not left by `now`, and tells which are lost by that.
    fn reschedule(&mut self, now: Instant, emit: &mut dyn FnMut(Event)) {
        let mut free = self.queue.front().map_or(now, |first| first.start);
        let mut queue = std::mem::take(&mut self.queue);
        let past = Instant::from_nanos(i64::MIN);
        self.last_due = self.store.last_due().max(self.held.last_due()).max(self.last_due_on_air()).unwrap_or(past);
        for queued in &mut queue {
            let told = queued.lost;
            if told == Some(LossCause::NoRate) && queued.start > now {
                // It never was sent, and takes no time.
                (queued.start, queued.end) = (free, free);
                continue;
            }
            queued.start = queued.offered.max(free);
            let bits = self.bits(&queued.content);
            self.schedule(queued, bits);
            if let (None, Some(cause)) = (told, queued.lost) {
                let (channel, frame, bytes) = (self.config.id, queued.frame, queued.bytes());
                for _ in 0..=queued.copies() {
                    emit(Event::FrameLost { channel, frame, bytes, cause });
                }
                if queued.mark.take().is_some_and(|mark| mark.after > 0) {
                    self.held.promised -= 1;
                }
            }
            free = queued.end;
        }
        if !queue.is_empty() {
            self.busy_until = free;
        }
        self.queue = queue;
    }

    /// Takes back the frame that [`Channel::take_due`] gave last, if it could not be handed on.
    pub fn put_back(&mut self, arrival: Arrival) {
        self.store.push_front(arrival);
    }

    /// When [`Channel::take_due`] has something, as the rate is known. Where a fault holds a frame back it may turn out then
    /// that there is nothing yet.
    pub fn next_due(&self) -> Option<Instant> {
        let first = self.store.first_due();
        let on_air = || self.on_air.as_ref().and_then(|on_air| on_air.first_due());
        let next = first.or_else(on_air).or_else(|| self.queue.iter().find(|f| f.lost.is_none()).map(|f| f.due));
        match self.held.first_until() {
            None => next,
            Some(until) => Some(next.map_or(until, |next| next.min(until))),
        }
    }

    /// The next frame whose last bit has arrived by `now`.
    pub fn take_due(&mut self, now: Instant) -> Option<Arrival> {
        self.settle(now);
        if !self.held.is_empty() {
            self.release_due(now);
        }
        self.store.take_due(now)
    }

    /// Whether [`Channel::take_due`] gave nothing the last time although a frame was due, since the store's disk has not given it
    /// back yet.
    pub fn waits_for_disk(&self) -> bool {
        self.store.waits_for_disk()
    }

    fn bits(&self, content: &Bytes) -> u64 {
        let radio = self.on_air.as_ref().map_or(0, |on_air| on_air.overhead_bits(content.len()));
        content.len() as u64 * 8 + self.config.overhead_bits + radio
    }

    /// Whether a frame of `bits` may wait besides what the transmitter has still to send.
    fn has_room(&self, now: Instant, bits: u64) -> bool {
        let sent = self.queue.front().map_or(0, |first| {
            let (passed, whole) = (now.saturating_since(first.start), first.end - first.start);
            let share = u128::from(passed.as_nanos().unsigned_abs()) * u128::from(self.bits(&first.content));
            // Rounded down: half a bit sent is a bit to send.
            share.checked_div(u128::from(whole.as_nanos().unsigned_abs())).unwrap_or(0) as u64
        });
        self.queue_bits.saturating_sub(sent).saturating_add(bits) <= self.config.queue_bits
    }

    /// Works out when a frame that starts at its `start` leaves and arrives, and whether it is lost. One that is lost stays so.
    fn schedule(&mut self, queued: &mut Queued, bits: u64) {
        queued.end = match self.config.rate.send(queued.start, bits) {
            Sending::Done(end) => end,
            Sending::Silent(at) => {
                queued.lost.get_or_insert(LossCause::NoRate);
                at
            }
        };
        if queued.lost.is_none() && !self.config.contacts.hold(queued.start, queued.end) {
            queued.lost = Some(LossCause::NoContact);
        }
        if queued.lost.is_none() {
            // Frames keep their order: radio waves do not overtake each other.
            let received = queued.end + self.config.light_time.at(queued.end);
            let decoded = self.on_air.as_ref().and_then(|on_air| {
                let contact = self.config.contacts.open_at(queued.start)?;
                Some(received + (on_air.known_at(contact, queued.end) - queued.end))
            });
            queued.due = decoded.unwrap_or(received).max(self.last_due);
            self.last_due = queued.due;
        }
    }

    /// Lets the frames whose last bit has left by `now` fly, and settles what happens to them.
    #[inline]
    fn settle(&mut self, now: Instant) {
        if self.on_air.is_some() {
            self.tell_radio(now);
        }
        while self.queue.front().is_some_and(|first| first.end <= now) {
            let Some(queued) = self.queue.pop_front() else { return };
            self.queue_bits -= self.bits(&queued.content);
            if queued.lost.is_none() {
                match self.on_air {
                    None => {
                        let struck = self.struck(&queued);
                        self.arrive(queued, struck, None);
                    }
                    Some(_) => self.await_radio(queued),
                }
            }
        }
        if self.on_air.is_some() {
            self.settle_radio(now);
        }
    }

    /// Lets the errors of the channel strike a frame whose last bit has left. What flips then stands in `flips` until the next.
    #[inline]
    fn struck(&mut self, queued: &Queued) -> Struck {
        let airtime = Airtime { start: queued.start, end: queued.end, bits: self.bits(&queued.content) };
        let erased = self.config.errors.strike(&airtime, &mut self.flips) == Passage::Erased;
        // Without a radio the frame arrives at once, and nothing is copied.
        let flips = if self.on_air.is_some() { std::mem::take(&mut self.flips) } else { Vec::new() };
        Struck { erased, flips }
    }

    /// Puts a frame among those under way, with what happens to it on top of what the receiver of a radio made of it.
    fn arrive(&mut self, queued: Queued, struck: Struck, received: Option<Option<Bytes>>) {
        let Queued { frame, content, offered, start, end, due, mark, .. } = queued;
        let erased = struck.erased;
        if received.is_some() {
            self.flips = struck.flips;
        }
        let undecoded = received == Some(None);
        if let Some(Some(received)) = &received {
            add_flips(&mut self.flips, &content, received);
        }
        let damaged = mark.as_ref().map_or(Vec::new(), |mark| mark.damaged_bits(content.len()));
        let flipped_bits = if damaged.is_empty() { self.flips.len() as u32 } else { wrong_bits(&self.flips, &damaged) };
        let lost = match self.config.damaged {
            _ if undecoded => Some(LossCause::NotDecoded),
            _ if erased => Some(LossCause::Erased),
            Damaged::Drop if !self.flips.is_empty() && damaged.is_empty() => Some(LossCause::BitErrors),
            _ => None,
        };
        let bytes = content.len() as u32;
        let mut content = if lost.is_none() && flipped_bits > 0 {
            self.flips.extend(damaged);
            flip(&content, &self.flips)
        } else {
            content
        };
        if let Some(keep) = mark.as_ref().and_then(|mark| mark.keep) {
            content.truncate(keep);
        }
        let delays = Delays {
            queueing: (start - offered).into(),
            serialisation: (end - start).into(),
            propagation: (due - end).into(),
        };
        let arrival = Arrival { at: due, frame, bytes, content, flipped_bits, lost, delays };
        if mark.is_none() && self.held.is_empty() {
            self.store.push_back(arrival);
        } else {
            self.pass_on(arrival, mark.as_deref());
        }
    }
}

/// What the errors of a channel do to a frame.
#[derive(Debug)]
struct Struck {
    erased: bool,
    /// Which bits flip, where the frame does not arrive at once.
    flips: Vec<u64>,
}

/// Adds the bits in which two frames of one length differ to those that flip; what flips twice is right again.
fn add_flips(flips: &mut Vec<u64>, sent: &[u8], received: &[u8]) {
    let differs = |place: usize| sent[place / 8] ^ received[place / 8];
    let places = (0..sent.len().min(received.len()) * 8).filter(|place| differs(*place) & (0x80 >> (place % 8)) != 0);
    let also: BTreeSet<u64> = places.map(|place| place as u64).collect();
    if !also.is_empty() {
        *flips = also.symmetric_difference(&flips.iter().copied().collect()).copied().collect();
    }
}

/// Flips bits by position; those past the end of the frame lie in the link layer's own fields.
fn flip(content: &Bytes, positions: &[u64]) -> Bytes {
    let mut bytes = content.to_vec();
    for position in positions {
        if let Some(byte) = bytes.get_mut((position / 8) as usize) {
            *byte ^= 0x80 >> (position % 8);
        }
    }
    bytes.into()
}
