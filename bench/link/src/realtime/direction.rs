//! One direction of a coupling: its channel and what is counted of it.

use std::collections::VecDeque;

use bytes::Bytes;
use farlink_ports::{Sent, Stopped};
use farlink_record::control::Control;
use farlink_record::counters::ChannelCounters;
use farlink_record::instrument::{ChannelState, LateCause, Lateness};
use farlink_record::{Event, LossCause};
use farlink_units::{Duration, Instant};

use super::lateness::{Causes, LatenessMeter};
use crate::channel::{Arrival, Channel, ControlError};
use crate::contacts::Edges;

/// Most frames that leave by one call of the port.
const BATCH: usize = 64;

/// After this long a port that was full is tried again, whether or not it says that it has room.
const TRY_AGAIN: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Direction {
    pub(super) name: String,
    pub(super) channel: Channel,
    /// The ports at which frames come in and leave, as places in the driver.
    pub(super) input: usize,
    pub(super) output: usize,
    counters: ChannelCounters,
    lateness: LatenessMeter,
    causes: Causes,
    edges: Edges,
    last_offer: Instant,
    /// The port had no room: when to try again.
    blocked: Option<Instant>,
    /// It had none at the last departure; what was due by the next one is late because of that.
    held_up: bool,
    full_until: Instant,
    /// Hang-ups of the input that are under way, by when they are due at the output.
    hang_ups: VecDeque<Instant>,
    due: Vec<Arrival>,
    contents: Vec<Bytes>,
}

/// What the driver knows of its own time when frames leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slept {
    /// When it last began to wait, and when it was woken.
    pub(super) from: Instant,
    pub(super) until: Instant,
}

impl Direction {
    pub(super) fn new(name: String, channel: Channel, input: usize, output: usize) -> Self {
        Direction {
            edges: Edges::new(&channel),
            name,
            channel,
            input,
            output,
            counters: ChannelCounters::default(),
            lateness: LatenessMeter::default(),
            causes: Causes::default(),
            last_offer: Instant::from_nanos(i64::MIN),
            blocked: None,
            held_up: false,
            full_until: Instant::from_nanos(i64::MIN),
            hang_ups: VecDeque::new(),
            due: Vec::with_capacity(BATCH),
            contents: Vec::with_capacity(BATCH),
        }
    }

    /// When there is something to do.
    pub(super) fn next_instant(&self) -> Option<Instant> {
        let due = self.channel.next_due();
        let frame = match (self.blocked, due) {
            (Some(again), Some(due)) => Some(due.max(again)),
            (_, due) => due,
        };
        // A hang-up waits for the frames before it, and with them for a port that is full.
        let behind = |end: &Instant| due.is_none_or(|due| due > *end);
        let hang_up = self.hang_ups.front().copied().filter(behind);
        frame.into_iter().chain(self.edges.next()).chain(hang_up).min()
    }

    /// Takes a frame that had arrived at `at`.
    pub(super) fn offer(&mut self, at: Instant, content: Bytes, emit: &mut dyn FnMut(Event)) {
        // The stamps of two batches may overlap by what the clocks differ.
        self.last_offer = self.last_offer.max(at);
        let counters = &mut self.counters;
        self.channel.offer(self.last_offer, content, |event| {
            counters.apply(&event);
            emit(event);
        });
    }

    /// Does what it is told.
    pub(super) fn control(
        &mut self,
        now: Instant,
        control: &Control,
        emit: &mut dyn FnMut(Event),
    ) -> Result<(), ControlError> {
        let counters = &mut self.counters;
        self.channel.control(now, control, |event| {
            counters.apply(&event);
            emit(event);
        })?;
        self.edges.follow(now, control, &self.channel, emit);
        Ok(())
    }

    /// The input has hung up: what it sent still arrives, then so does that.
    pub(super) fn hang_up(&mut self, now: Instant) {
        let under_way = self.channel.last_due().unwrap_or(now);
        self.hang_ups.push_back((now + self.channel.light_time(now)).max(under_way));
    }

    /// Whether a hang-up has arrived and no frame is before it.
    pub(super) fn takes_hang_up(&mut self, now: Instant) -> bool {
        let Some(due) = self.hang_ups.front().copied().filter(|due| *due <= now) else { return false };
        if self.channel.next_due().is_some_and(|frame| frame <= due) {
            return false;
        }
        self.hang_ups.pop_front();
        true
    }

    /// Contacts that open or close by `now`.
    pub(super) fn pass_edges(&mut self, now: Instant, emit: &mut dyn FnMut(Event)) {
        while self.edges.next().is_some_and(|edge| edge <= now) {
            emit(self.edges.pass(&self.channel));
        }
    }

    /// The port may have room again.
    pub(super) fn unblock(&mut self) {
        self.blocked = None;
    }

    /// Sends what is due by `now`; true if there may be more. `send` is told the frames, and `clock` tells the time after.
    pub(super) fn depart(
        &mut self,
        now: Instant,
        slept: Slept,
        send: impl FnOnce(&[Bytes]) -> Option<Sent>,
        clock: impl FnOnce() -> Instant,
        emit: &mut dyn FnMut(Event),
    ) -> Departed {
        if self.blocked.is_some_and(|again| again > now) {
            return Departed::default();
        }
        self.due.clear();
        self.contents.clear();
        let id = self.channel.id();
        while self.due.len() < BATCH {
            let Some(arrival) = self.channel.take_due(now) else { break };
            if arrival.delivered() {
                self.contents.push(arrival.content.clone());
                self.due.push(arrival);
            } else {
                let event = arrival.event(id);
                self.counters.apply(&event);
                emit(event);
            }
        }
        if self.due.is_empty() {
            return Departed::default();
        }
        if std::mem::take(&mut self.held_up) {
            self.full_until = now;
        }
        let more = self.due.len() == BATCH;
        let sent = send(&self.contents);
        self.contents.clear();
        let after = clock();
        let (taken, stopped) = match sent {
            Some(Sent { taken, stopped }) => (taken, stopped),
            None => (0, Some(Stopped::Down)),
        };
        let mut due = std::mem::take(&mut self.due);
        for arrival in due.drain(..taken) {
            let late = after.saturating_since(arrival.at);
            self.lateness.record(late);
            if late.as_nanos() > LateCause::NOTED_NS as i64 {
                self.causes.note(self.cause(&arrival, late, slept), late);
            }
            let event = arrival.event(id);
            self.counters.apply(&event);
            emit(event);
        }
        self.blocked = None;
        let mut refused = None;
        match stopped {
            None => {}
            Some(Stopped::Busy) => {
                self.blocked = Some(after + TRY_AGAIN);
                self.held_up = true;
                due.drain(..).rev().for_each(|arrival| self.channel.put_back(arrival));
            }
            Some(Stopped::Refused(reason)) => {
                let mut rest = due.drain(..);
                if let Some(arrival) = rest.next() {
                    lose(&mut self.counters, id, &arrival, LossCause::PortRefused, emit);
                }
                rest.rev().for_each(|arrival| self.channel.put_back(arrival));
                refused = Some(reason);
            }
            Some(Stopped::Down) => {
                for arrival in due.drain(..) {
                    lose(&mut self.counters, id, &arrival, LossCause::PortDown, emit);
                }
            }
        }
        self.due = due;
        Departed { more: more || refused.is_some(), refused }
    }

    /// Why a frame was late.
    fn cause(&self, arrival: &Arrival, late: Duration, slept: Slept) -> Lateness {
        let delays = arrival.delays;
        if arrival.at <= self.full_until {
            Lateness::Port
        } else if self.channel.waits_for_disk() {
            Lateness::Disk
        } else if delays.queueing.0 + delays.serialisation.0 + delays.propagation.0 < late.as_nanos() {
            Lateness::Arrival
        } else if slept.from <= arrival.at && arrival.at <= slept.until {
            Lateness::Wakeup
        } else {
            Lateness::Load
        }
    }

    /// What it has come to, with the names of its ports.
    pub(super) fn state(&self, now: Instant, from: &str, to: &str) -> ChannelState {
        ChannelState {
            lateness: self.lateness.read(),
            late_because: self.causes.read(),
            ..self.channel.state(&self.name, [from, to], now, &self.counters)
        }
    }
}

/// How a departure came out.
#[derive(Debug, Default)]
pub(super) struct Departed {
    /// There may be more that is due.
    pub(super) more: bool,
    /// Why the port did not carry a frame.
    pub(super) refused: Option<String>,
}

fn lose(
    counters: &mut ChannelCounters,
    channel: farlink_record::ChannelId,
    arrival: &Arrival,
    cause: LossCause,
    emit: &mut dyn FnMut(Event),
) {
    let event = Event::FrameLost { channel, frame: arrival.frame, bytes: arrival.bytes, cause };
    counters.apply(&event);
    emit(event);
}
