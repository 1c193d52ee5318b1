//! A port that does what a test says, and an emulator with all that it has told.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration as StdDuration, Instant as StdInstant};

use bytes::Bytes;
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_link::realtime::{Coupling, Emulator, Events, NamedChannel, Options};
use farlink_link::{Channel, ChannelConfig, Contacts, Damaged};
use farlink_ports::port::Interest;
use farlink_ports::{Notice, Port, Received, Sent, Stopped, Timebase};
use farlink_record::counters::channel_of;
use farlink_record::instrument::Snapshot;
use farlink_record::{ChannelId, Event, Stamped};
use farlink_units::{BitRate, Duration, Instant};
use rustix::event::{EventfdFlags, eventfd};

/// Longest that a test waits for something on this machine.
pub const PATIENCE: StdDuration = StdDuration::from_secs(60);

/// Looks again and again until there is something to return.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = StdInstant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(StdInstant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        thread::sleep(StdDuration::from_millis(2));
    }
}

/// How a port takes frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// All of them.
    Takes,
    /// So many by each call, then it is full.
    TakesFew(usize),
    /// None for now.
    Busy,
    /// None: it does not carry.
    Down,
    /// All but those that begin so.
    Refuses(u8),
}

#[derive(Debug)]
struct State {
    incoming: VecDeque<Received>,
    notices: VecDeque<Notice>,
    sent: Vec<(Instant, Bytes)>,
    hang_ups: Vec<(Instant, usize)>,
    mood: Mood,
    /// How often it had no room.
    full: usize,
    /// How long the next call takes.
    holds_up: Option<StdDuration>,
    held_up: Option<[Instant; 2]>,
    fails: Option<&'static str>,
}

/// What the test has of a port.
#[derive(Clone, Debug)]
pub struct Far {
    base: Timebase,
    state: Arc<Mutex<State>>,
    wake: Arc<OwnedFd>,
}

/// What the emulator has of it.
#[derive(Debug)]
pub struct ScriptedPort {
    name: &'static str,
    hangs_up: bool,
    far: Far,
}

/// A port that takes everything, to be told otherwise.
pub fn port(name: &'static str, base: &Timebase) -> (ScriptedPort, Far) {
    let state = State {
        incoming: VecDeque::new(),
        notices: VecDeque::new(),
        sent: Vec::new(),
        hang_ups: Vec::new(),
        mood: Mood::Takes,
        full: 0,
        holds_up: None,
        held_up: None,
        fails: None,
    };
    let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap();
    let far = Far { base: *base, state: Arc::new(Mutex::new(state)), wake: Arc::new(wake) };
    (ScriptedPort { name, hangs_up: false, far: far.clone() }, far)
}

impl ScriptedPort {
    /// Its connections end.
    pub fn that_hangs_up(self) -> Self {
        ScriptedPort { hangs_up: true, ..self }
    }
}

impl Far {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        rustix::io::write(&*self.wake, &1u64.to_ne_bytes()).unwrap();
    }

    /// A frame comes in now; returns when.
    pub fn gives(&self, content: impl Into<Bytes>) -> Instant {
        let at = self.base.now();
        self.gives_at(at, content);
        at
    }

    /// A frame has come in at that instant.
    pub fn gives_at(&self, at: Instant, content: impl Into<Bytes>) {
        let content = content.into();
        self.change(|state| state.incoming.push_back(Received { at, content }));
    }

    /// It has something to tell, after the frames that it has given.
    pub fn tells(&self, notice: Notice) {
        self.change(|state| state.notices.push_back(notice));
    }

    pub fn is(&self, mood: Mood) {
        self.change(|state| state.mood = mood);
    }

    /// The next call to receive, or to send if there is something to send, takes so long.
    pub fn holds_up(&self, time: StdDuration) {
        self.change(|state| state.holds_up = Some(time));
    }

    /// From when until when it held its owner up.
    pub fn held_up(&self) -> Option<[Instant; 2]> {
        self.state().held_up
    }

    /// It is of no use any more.
    pub fn fails(&self, why: &'static str) {
        self.change(|state| state.fails = Some(why));
    }

    /// What has left by it, and when.
    pub fn sent(&self) -> Vec<(Instant, Bytes)> {
        self.state().sent.clone()
    }

    /// Waits until it had no room for something.
    pub fn was_full(&self) {
        wait_for("a port that is full", || (self.state().full > 0).then_some(()));
    }

    /// When it was hung up, and how many frames had left before.
    pub fn hang_ups(&self) -> Vec<(Instant, usize)> {
        self.state().hang_ups.clone()
    }

    /// Waits until so many frames have left by it.
    pub fn takes(&self, frames: usize) -> Vec<(Instant, Bytes)> {
        wait_for(&format!("{frames} frames"), || Some(self.sent()).filter(|sent| sent.len() >= frames))
    }

    fn hold_up(&self) {
        let held = self.state().holds_up.take();
        if let Some(time) = held {
            let from = self.base.now();
            thread::sleep(time);
            self.state().held_up = Some([from, self.base.now()]);
        }
    }
}

impl Port for ScriptedPort {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn interest<'a>(&'a self, watch: &mut dyn FnMut(Interest<'a>)) {
        watch(Interest { fd: self.far.wake.as_fd(), readable: true, writable: false });
    }

    fn receive(&mut self, _: &Timebase, frames: &mut Vec<Received>) -> io::Result<()> {
        // Nothing was written if it cannot be read.
        let _ = rustix::io::read(&*self.far.wake, &mut [0; 8]);
        self.far.hold_up();
        let mut state = self.far.state();
        frames.extend(state.incoming.drain(..));
        state.fails.map_or(Ok(()), |why| Err(io::Error::other(why)))
    }

    fn send(&mut self, frames: &[Bytes]) -> Sent {
        self.far.hold_up();
        let mut state = self.far.state();
        let stopped = |taken: usize| match state.mood {
            Mood::Takes => None,
            Mood::TakesFew(few) => (taken >= few).then_some(Stopped::Busy),
            Mood::Busy => Some(Stopped::Busy),
            Mood::Down => Some(Stopped::Down),
            Mood::Refuses(first) => {
                (frames[taken].first() == Some(&first)).then(|| Stopped::Refused("it begins so".to_owned()))
            }
        };
        let taken = (0..frames.len()).find_map(|taken| stopped(taken).map(|why| (taken, why)));
        let sent = taken.map_or(Sent::all(frames.len()), |(taken, why)| Sent { taken, stopped: Some(why) });
        state.full += usize::from(sent.stopped == Some(Stopped::Busy));
        let now = self.far.base.now();
        state.sent.extend(frames[..sent.taken].iter().map(|frame| (now, frame.clone())));
        sent
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        let mut state = self.far.state();
        // What was given before it was told is taken first.
        if state.incoming.is_empty() { state.notices.pop_front() } else { None }
    }

    fn hangs_up(&self) -> bool {
        self.hangs_up
    }

    fn hang_up(&mut self) {
        let now = self.far.base.now();
        let mut state = self.far.state();
        let before = state.sent.len();
        state.hang_ups.push((now, before));
    }
}

/// A channel without a rate limit.
pub fn channel(id: u16, light_time: Duration) -> ChannelConfig {
    ChannelConfig {
        id: ChannelId(id),
        rate: Rate::constant(BitRate::UNLIMITED),
        overhead_bits: 0,
        contacts: Contacts::Always,
        light_time: LightTime::Constant(light_time),
        errors: Errors::none(),
        damaged: Damaged::Drop,
        radio: None,
        queue_bits: 1 << 30,
        seed: 1,
    }
}

/// Two ports with a channel each way, numbered from `first`.
pub fn coupling(a: impl Port + 'static, b: impl Port + 'static, first: u16, light_time: Duration) -> Coupling {
    coupling_of(a, b, channel(first, light_time), channel(first + 1, light_time))
}

/// Two ports with these channels.
pub fn coupling_of(
    a: impl Port + 'static,
    b: impl Port + 'static,
    forward: ChannelConfig,
    return_: ChannelConfig,
) -> Coupling {
    let named = |config: ChannelConfig| {
        Some(NamedChannel { name: format!("channel {}", config.id.0), channel: Channel::new(config) })
    };
    Coupling { a: Box::new(a), b: Box::new(b), forward: named(forward), return_: named(return_) }
}

/// An emulator with its events.
pub struct Running {
    pub emulator: Emulator,
    events: Receiver<Stamped>,
    heard: Vec<Stamped>,
    drivers: usize,
}

impl Running {
    pub fn start(couplings: Vec<Coupling>, base: Timebase, options: Options) -> Self {
        let (to, events) = sync_channel(1 << 17);
        let options = Options { events: Some(Events { to, frames: true }), ..options };
        let emulator = Emulator::start(couplings, base, &options).unwrap();
        Running { emulator, events, heard: Vec::new(), drivers: options.drivers }
    }

    pub fn snapshot(&self) -> Snapshot {
        let snapshot = self.emulator.snapshot().unwrap();
        assert_balanced(&snapshot);
        snapshot
    }

    /// Waits for an event that `wanted` accepts; what was told before is kept.
    pub fn hears<T>(&mut self, what: &str, mut wanted: impl FnMut(&Stamped) -> Option<T>) -> T {
        wait_for(what, || {
            self.heard.extend(self.events.try_iter());
            self.heard.iter().find_map(&mut wanted)
        })
    }

    /// Ends it; returns what it came to and all that it told.
    pub fn finish(mut self) -> (Snapshot, Vec<Stamped>) {
        let snapshot = self.emulator.finish().expect("no driver panics");
        assert_balanced(&snapshot);
        self.heard.extend(self.events.try_iter());
        match self.drivers {
            1 => assert!(self.heard.is_sorted_by_key(|stamped| stamped.at), "events are told in the order of time"),
            // Each driver tells in the order of time; which of two threads is heard first is the system's to say.
            _ => {
                let channels: BTreeSet<_> =
                    self.heard.iter().filter_map(|stamped| channel_of(&stamped.event)).collect();
                for channel in channels {
                    let of_it = self.heard.iter().filter(|stamped| channel_of(&stamped.event) == Some(channel));
                    assert!(
                        of_it.is_sorted_by_key(|stamped| stamped.at),
                        "{channel:?}: events are told in the order of time"
                    );
                }
                self.heard.sort_by_key(|stamped| stamped.at);
            }
        }
        (snapshot, self.heard)
    }
}

fn assert_balanced(snapshot: &Snapshot) {
    assert!(snapshot.channels.iter().all(|channel| channel.balanced), "{snapshot:#?}");
}

/// What was told to the channels, and by whom.
pub fn controls(events: &[Stamped]) -> Vec<(Option<u16>, String, &'static str)> {
    let told = events.iter().filter_map(|stamped| match &stamped.event {
        Event::Controlled { channel, control, by } => {
            Some((channel.map(|channel| channel.0), control.to_string(), by.as_str()))
        }
        _ => None,
    });
    told.collect()
}
