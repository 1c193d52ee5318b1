//! The thread that carries.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TrySendError};

use farlink_host::watch::{Disturbed, Readings, Watch};
use farlink_ports::port::Interest;
use farlink_ports::{Notice, Port, Received, Timebase};
use farlink_record::control::{Control, ControlledBy};
use farlink_record::counters::channel_of;
use farlink_record::instrument::{DisturbanceState, PortState, Snapshot};
use farlink_record::{ChannelId, DurationNanos, Event, PortNotice, Stamped};
use farlink_units::{Duration, Instant};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::direction::{Direction, Slept};
use super::{Coupling, Events, Options, Order, Scheduled};

/// Longest wait without a look at the stop flag.
const PATIENCE: Duration = Duration::from_millis(50);

/// How often the clocks of the machine are looked at: often enough for [`Watch`]'s heartbeat.
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug)]
struct Slot {
    port: Box<dyn Port>,
    state: PortState,
    /// The direction that begins here.
    feeds: Option<usize>,
    ready: bool,
}

/// Ports and the channels between them, with all that one thread knows of them.
pub(super) struct Driver {
    clock: BenchClock,
    slots: Vec<Slot>,
    directions: Vec<Direction>,
    told: Told,
    inbox: Receiver<Order>,
    wake: Arc<OwnedFd>,
    slept: Slept,
    spin: Duration,
    received: Vec<Received>,
    /// What is to be done at its instant, the last first.
    script: Vec<Scheduled>,
    refused: Vec<String>,
    watch: Watch,
    next_look: Instant,
    disturbances: Vec<DisturbanceState>,
}

/// Bench time: real time less pauses.
#[derive(Debug)]
struct BenchClock {
    base: Timebase,
    paused_for: Duration,
    paused_at: Option<Instant>,
    last_pause: Option<Pause>,
}

impl BenchClock {
    fn now(&self) -> Instant {
        self.paused_at.unwrap_or_else(|| self.base.now() - self.paused_for)
    }

    /// The bench time of a real instant, which may lie before or in the last pause.
    fn at(&self, real: Instant) -> Instant {
        let Some(Pause { from, until, at }) = self.last_pause else { return real - self.paused_for };
        match until {
            Some(until) if real >= until => real - self.paused_for,
            // What came in the pause came at the moment that it held.
            _ if real >= from => at,
            _ => at - (from - real),
        }
    }

    fn pause(&mut self) {
        if self.paused_at.is_none() {
            let (from, at) = (self.base.now(), self.now());
            self.paused_at = Some(at);
            self.last_pause = Some(Pause { from, until: None, at });
        }
    }

    fn resume(&mut self) {
        if let Some(at) = self.paused_at.take() {
            let until = self.base.now();
            self.paused_for = until - at;
            if let Some(pause) = &mut self.last_pause {
                pause.until = Some(until);
            }
        }
    }
}

/// A time in which bench time stood still: real time from when until when, and the bench time that it held.
#[derive(Clone, Copy, Debug)]
struct Pause {
    from: Instant,
    until: Option<Instant>,
    at: Instant,
}

/// Where events go.
struct Told {
    events: Option<Events>,
    /// Whether this driver tells what concerns all of them, which one does.
    of_all: bool,
    last: Instant,
    unrecorded: u64,
}

impl Told {
    fn tell(&mut self, at: Instant, event: Event) {
        let Some(events) = &self.events else { return };
        let of_frame = channel_of(&event).is_some()
            && !matches!(
                event,
                Event::ContactOpened { .. }
                    | Event::ContactClosed { .. }
                    | Event::LightTime { .. }
                    | Event::Controlled { .. }
            );
        if of_frame && !events.frames {
            return;
        }
        self.last = self.last.max(at);
        match events.to.try_send(Stamped { at: self.last, event }) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => self.unrecorded += 1,
        }
    }
}

impl Driver {
    pub(super) fn new(
        couplings: Vec<Coupling>,
        base: Timebase,
        options: &Options,
        of_all: bool,
        inbox: Receiver<Order>,
        wake: Arc<OwnedFd>,
    ) -> Self {
        let (events, spin) = (options.events.clone(), options.spin);
        let script = options.script.iter().rev().cloned().collect();
        let mut slots: Vec<Slot> = Vec::new();
        let mut directions = Vec::new();
        for Coupling { a, b, forward, return_ } in couplings {
            let at = slots.len();
            slots.extend([a, b].map(Slot::new));
            for (named, input, output) in [(forward, at, at + 1), (return_, at + 1, at)] {
                if let Some(named) = named {
                    slots[input].feeds = Some(directions.len());
                    directions.push(Direction::new(named.name, named.channel, input, output));
                }
            }
        }
        Driver {
            clock: BenchClock { base, paused_for: Duration::ZERO, paused_at: None, last_pause: None },
            slots,
            directions,
            told: Told { events, of_all, last: Instant::from_nanos(i64::MIN), unrecorded: 0 },
            inbox,
            wake,
            spin,
            slept: Slept { from: Instant::ZERO, until: Instant::ZERO },
            received: Vec::new(),
            script,
            refused: Vec::new(),
            watch: Watch::new(Readings::now()),
            next_look: Instant::ZERO,
            disturbances: Vec::new(),
        }
    }

    /// The places of its channels among all of the emulator.
    pub(super) fn channels(&self) -> Vec<usize> {
        self.directions.iter().map(|direction| usize::from(direction.channel.id().0)).collect()
    }

    /// Carries until `stop` is set.
    pub(super) fn run(mut self, stop: &AtomicBool) -> Snapshot {
        // The thread may have waited to begin, and its privileges may have taken a moment.
        self.watch = Watch::new(Readings::now());
        for index in 0..self.slots.len() {
            self.hear(index);
        }
        while !stop.load(Ordering::Relaxed) {
            self.follow_script();
            let more = self.depart();
            self.arrive();
            self.obey();
            self.look();
            self.wait(more);
        }
        self.snapshot()
    }

    /// Sends what is due; true if there is more.
    fn depart(&mut self) -> bool {
        if self.clock.paused_at.is_some() {
            return false;
        }
        let mut more = false;
        for direction in &mut self.directions {
            let now = self.clock.now();
            if direction.next_instant().is_none_or(|next| next > now) {
                continue;
            }
            let told = &mut self.told;
            direction.pass_edges(now, &mut |event| told.tell(now, event));
            let slot = &mut self.slots[direction.output];
            let (port, usable) = (&mut slot.port, slot.state.failure.is_none());
            let departed = direction.depart(
                now,
                self.slept,
                |frames| usable.then(|| port.send(frames)),
                || self.clock.now(),
                &mut |event| told.tell(now, event),
            );
            more |= departed.more;
            if let Some(detail) = departed.refused {
                slot.state.refused += 1;
                slot.tell(PortNotice::Refused { detail }, |event| told.tell(now, event));
            }
            if direction.takes_hang_up(now) {
                slot.port.hang_up();
            }
        }
        more
    }

    /// Takes what has come in at the ports that are ready.
    fn arrive(&mut self) {
        let real = self.clock.base.now();
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            let due = slot.port.wake_at().is_some_and(|at| at <= real);
            if !(slot.ready || due) || slot.state.failure.is_some() {
                continue;
            }
            slot.ready = false;
            if due {
                // A port that was full may ask to be tried at this moment.
                self.directions.iter_mut().filter(|direction| direction.output == index).for_each(Direction::unblock);
            }
            let received = slot.port.receive(&self.clock.base, &mut self.received);
            if let Err(error) = received {
                slot.state.failure = Some(error.to_string());
                slot.state.up = false;
                let now = self.clock.now();
                let told = &mut self.told;
                slot.tell(PortNotice::Down { detail: error.to_string(), lost_frames: 0 }, |event| {
                    told.tell(now, event)
                });
            }
            match slot.feeds {
                Some(direction) => {
                    let now = self.clock.now();
                    let told = &mut self.told;
                    for Received { at, content } in self.received.drain(..) {
                        let at = self.clock.at(at);
                        self.directions[direction].offer(at, content, &mut |event| told.tell(now, event));
                    }
                }
                None => self.received.clear(),
            }
            self.hear(index);
        }
    }

    /// Hears what a port has to tell of itself.
    fn hear(&mut self, index: usize) {
        let now = self.clock.now();
        let mut ends = 0;
        let slot = &mut self.slots[index];
        while let Some(notice) = slot.port.poll_notice() {
            let notice = match notice {
                Notice::Up { detail } => PortNotice::Up { detail },
                Notice::Down { detail, lost_frames } => PortNotice::Down { detail, lost_frames },
                Notice::Ended { detail } => {
                    ends += 1;
                    PortNotice::Ended { detail }
                }
                Notice::Remark { detail } => PortNotice::Remark { detail },
                Notice::Unreadable { detail, bytes } => PortNotice::Unreadable { detail, bytes },
                Notice::Overrun { frames } => PortNotice::Overrun { frames },
            };
            match &notice {
                PortNotice::Up { .. } => slot.state.up = true,
                PortNotice::Down { lost_frames, .. } => {
                    slot.state.up = false;
                    slot.state.lost_frames += lost_frames;
                    slot.state.downs += 1;
                }
                PortNotice::Unreadable { .. } => slot.state.unreadable += 1,
                PortNotice::Overrun { frames } => slot.state.overrun_frames += frames,
                PortNotice::Ended { .. } | PortNotice::Remark { .. } | PortNotice::Refused { .. } => {}
            }
            let told = &mut self.told;
            slot.tell(notice, |event| told.tell(now, event));
        }
        for _ in 0..ends {
            self.pass_end_on(index, now);
        }
    }

    /// Lets the end of a connection travel to the far side, or answers it at once where there is nothing to end there.
    fn pass_end_on(&mut self, index: usize, now: Instant) {
        // The two ports of a coupling lie side by side.
        let far = index ^ 1;
        if !self.slots[far].port.hangs_up() {
            self.slots[index].port.hang_up();
            return;
        }
        match self.slots[index].feeds {
            Some(direction) => self.directions[direction].hang_up(now),
            None => self.slots[far].port.hang_up(),
        }
    }

    fn obey(&mut self) {
        while let Ok(order) = self.inbox.try_recv() {
            // Whoever asked may have given up.
            match order {
                Order::Snapshot(answer) => drop(answer.send(self.snapshot())),
                Order::Control { channel, control, by, answer } => {
                    let now = self.clock.now();
                    drop(answer.send(self.control(now, channel, &control, by)));
                }
            }
        }
    }

    /// Does what the script says by now. What is under way is sent first up to the instant that it says.
    fn follow_script(&mut self) {
        while let Some(next) = self.script.last()
            && next.at <= self.clock.now()
            && let Some(Scheduled { at, channel, control }) = self.script.pop()
        {
            if let Err(why) = self.control(at, channel, &control, ControlledBy::Script) {
                self.refused.push(format!("{control} at {at}: {why}"));
            }
        }
    }

    /// Looks whether the time of the machine is as it should be.
    fn look(&mut self) {
        let real = self.clock.base.now();
        if real < self.next_look {
            return;
        }
        self.next_look = real + LOOK_EVERY;
        let now = self.clock.now();
        for Disturbed { what, by } in self.watch.look(Readings::now()) {
            self.told.tell(now, Event::Disturbed { what, by: by.into() });
            let size = |by: DurationNanos| by.0.unsigned_abs();
            match self.disturbances.iter_mut().find(|known| known.what == what) {
                Some(known) => {
                    known.times += 1;
                    if size(by.into()) > size(known.worst) {
                        known.worst = by.into();
                    }
                }
                None => self.disturbances.push(DisturbanceState { what, times: 1, worst: by.into() }),
            }
        }
    }

    fn control(
        &mut self,
        now: Instant,
        channel: Option<ChannelId>,
        control: &Control,
        by: ControlledBy,
    ) -> Result<(), String> {
        match control {
            Control::Pause => self.clock.pause(),
            Control::Resume => self.clock.resume(),
            _ => {
                let concerned = |direction: &Direction| channel.is_none_or(|wanted| direction.channel.id() == wanted);
                if !self.directions.iter().any(concerned) {
                    // Another driver has it.
                    return Ok(());
                }
                for direction in self.directions.iter().filter(|direction| concerned(direction)) {
                    direction.channel.check(control).map_err(|error| error.to_string())?;
                }
                if channel.is_some() || self.told.of_all {
                    self.told.tell(now, Event::Controlled { channel, control: control.clone(), by });
                }
                let told = &mut self.told;
                for direction in self.directions.iter_mut().filter(|direction| concerned(direction)) {
                    let obeyed = direction.control(now, control, &mut |event| told.tell(now, event));
                    obeyed.map_err(|error| error.to_string())?;
                }
                return Ok(());
            }
        }
        if self.told.of_all {
            self.told.tell(now, Event::Controlled { channel: None, control: control.clone(), by });
        }
        Ok(())
    }

    /// Waits until something can be read, can be written where that is wanted, or is due.
    fn wait(&mut self, more: bool) {
        let now = self.clock.now();
        let real = self.clock.base.now();
        let mut left = PATIENCE;
        if more {
            left = Duration::ZERO;
        } else {
            if self.clock.paused_at.is_none() {
                let scripted = self.script.last().map(|next| next.at);
                let next = self.directions.iter().filter_map(Direction::next_instant).chain(scripted).min();
                left = next.map_or(left, |next| left.min(next - now));
            }
            let wake = self.slots.iter().filter_map(|slot| slot.port.wake_at()).min();
            left = wake.map_or(left, |wake| left.min(wake - real));
            left = (left - self.spin).max(Duration::ZERO);
        }
        let mut watched = vec![PollFd::new(&*self.wake, PollFlags::IN)];
        let mut owners = vec![usize::MAX];
        for (index, slot) in self.slots.iter().enumerate() {
            if slot.state.failure.is_some() {
                continue;
            }
            slot.port.interest(&mut |Interest { fd, readable, writable }| {
                let mut flags = PollFlags::empty();
                flags.set(PollFlags::IN, readable);
                flags.set(PollFlags::OUT, writable);
                watched.push(PollFd::from_borrowed_fd(fd, flags));
                owners.push(index);
            });
        }
        let timeout = Timespec { tv_sec: left.as_nanos() / 1_000_000_000, tv_nsec: left.as_nanos() % 1_000_000_000 };
        self.slept.from = if left > Duration::ZERO { now } else { self.slept.from };
        // An interrupted wait is like one that ended early.
        let ready = poll(&mut watched, Some(&timeout)).unwrap_or(0);
        let mut woken = Vec::new();
        if ready > 0 {
            for (polled, owner) in watched.iter().zip(&owners) {
                let flags = polled.revents();
                if !flags.is_empty() {
                    woken.push((*owner, flags));
                }
            }
        }
        if left > Duration::ZERO {
            self.slept.until = self.clock.now();
        }
        for (owner, flags) in woken {
            match self.slots.get_mut(owner) {
                Some(slot) => {
                    slot.ready = true;
                    if flags.contains(PollFlags::OUT) {
                        let directions = self.directions.iter_mut().filter(|direction| direction.output == owner);
                        directions.for_each(Direction::unblock);
                    }
                }
                None => {
                    let mut count = [0; 8];
                    // Whatever it says, it has done its work.
                    let _ = rustix::io::read(&*self.wake, &mut count);
                }
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let name = |index: usize| self.slots[index].state.name.as_str();
        Snapshot {
            at: now,
            paused: self.clock.paused_at.is_some(),
            channels: self.directions.iter().map(|d| d.state(now, name(d.input), name(d.output))).collect(),
            ports: self.slots.iter().map(|slot| slot.state.clone()).collect(),
            disturbances: self.disturbances.clone(),
            store: None,
            refused: self.refused.clone(),
            unrecorded: self.told.unrecorded,
        }
    }
}

impl Slot {
    fn new(port: Box<dyn Port>) -> Self {
        let state = PortState { name: port.name(), up: true, ..PortState::default() };
        // Something may have come in before the first poll.
        Slot { port, state, feeds: None, ready: true }
    }

    fn tell(&mut self, what: PortNotice, emit: impl FnOnce(Event)) {
        self.state.last = Some(what.clone());
        emit(Event::Port { port: self.state.name.clone(), what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_before_in_or_after_a_pause_has_its_bench_time_however_late_it_is_read() {
        let second = Instant::from_nanos;
        let base = Timebase::start();
        // A pause from 10 to 15 at bench time 8, since an earlier one took 2.
        let pause = Pause { from: second(10), until: None, at: second(8) };
        let mut clock = BenchClock {
            base,
            paused_for: Duration::from_nanos(2),
            paused_at: Some(second(8)),
            last_pause: Some(pause),
        };
        assert_eq!([9, 10, 12].map(|real| clock.at(second(real)).as_nanos()), [7, 8, 8]);
        clock.paused_at = None;
        clock.paused_for = Duration::from_nanos(7);
        clock.last_pause = Some(Pause { until: Some(second(15)), ..pause });
        assert_eq!([9, 10, 14, 15, 20].map(|real| clock.at(second(real)).as_nanos()), [7, 8, 8, 8, 13]);
    }
}
