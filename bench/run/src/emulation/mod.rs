//! `farlink emulate` without its command: links between real ports, kept in a folder, judged.

mod judge;
mod keep;
mod order;
mod physics;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

use farlink_control::{Answer, Ask, Request, Timed};
use farlink_host::realtime::{Cores, Got, Memory, Wish, take};
use farlink_link::realtime::{Coupling, Emulator, Events, NamedChannel, Options, OrderError, Scheduled};
use farlink_link::store::{SpillConfig, StoreBudget, StoreError};
use farlink_link::{Channel, ChannelConfig, DelayStore};
use farlink_ports::{Port, Timebase};
use farlink_record::control::{Control, ControlledBy};
use farlink_record::instrument::Snapshot;
use farlink_record::{ChannelId, Stamped};
use farlink_units::{Duration, Instant, Size};
use thiserror::Error;

pub use judge::{Judged, judge};
pub use keep::{Keeper, KeeperError};
pub use physics::{LinkPhysics, Physics, PhysicsError, physics};

/// How many events may wait for whoever takes them. At 200,000 frames a second that is a third of a second.
const EVENTS: usize = 1 << 17;

/// A link to carry: two open ports and what lies between them.
#[derive(Debug)]
pub struct LinkPlan {
    /// The port of one end.
    pub a: Box<dyn Port>,
    /// The port of the other.
    pub b: Box<dyn Port>,
    /// From a to b, and what it is called.
    pub forward: Option<(String, ChannelConfig)>,
    /// From b to a, and what it is called.
    pub return_: Option<(String, ChannelConfig)>,
}

/// How links are carried.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Memory for what is under way, of all links together.
    pub memory: Size,
    /// Where the rest goes; without it there is no rest: frames are lost when memory is spent.
    pub spill: Option<PathBuf>,
    /// How many threads share the links.
    pub drivers: usize,
    /// Whether events are asked for, and those of single frames with them.
    pub events: Option<FrameEvents>,
    /// What is said to the channels at which instant, in the order of time.
    pub script: Vec<Timed>,
    /// For how long before something is due a thread looks at the clock instead of sleeping.
    pub spin: Duration,
    /// Whether real-time scheduling, locked memory and a core for each thread are taken where they are permitted.
    pub realtime: bool,
}

/// Whether events of single frames are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameEvents {
    /// They are.
    Wanted,
    /// They are not: controls, contacts, ports and disturbances only.
    Unwanted,
}

/// Why the emulator did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The system refuses a thread or a file descriptor.
    #[error("cannot start to carry: {0}; `ulimit -n` and `ulimit -u` tell the limits")]
    System(#[from] io::Error),
    /// There is no such delay store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Links that are carried.
#[derive(Debug)]
pub struct Emulation {
    emulator: Emulator,
    names: Vec<String>,
    got: Vec<Got>,
    store: Arc<StoreBudget>,
}

impl Emulation {
    /// Starts to carry. `base` is the one that the ports were opened with; time zero is its origin.
    ///
    /// # Errors
    /// The system or the delay store refuses.
    pub fn start(
        links: Vec<LinkPlan>,
        base: Timebase,
        setup: &Setup,
    ) -> Result<(Self, Option<Receiver<Stamped>>), StartError> {
        let spill = setup.spill.as_ref().map(SpillConfig::new);
        // Before any thread is given real-time priority: those of the store have the priority of this one.
        let store = StoreBudget::new(setup.memory.bytes(), spill.as_ref())?;
        let mut names = Vec::new();
        let mut couplings = Vec::new();
        for LinkPlan { a, b, forward, return_ } in links {
            let mut named = |planned: Option<(String, ChannelConfig)>| {
                planned.map(|(name, config)| {
                    names.push(name.clone());
                    let config = ChannelConfig { id: ChannelId(names.len() as u16 - 1), ..config };
                    NamedChannel { name, channel: Channel::with_store(config, DelayStore::bounded(&store)) }
                })
            };
            let (forward, return_) = (named(forward), named(return_));
            couplings.push(Coupling { a, b, forward, return_ });
        }
        let (events, receiver) = match setup.events {
            Some(wanted) => {
                let (to, receiver) = sync_channel(EVENTS);
                (Some(Events { to, frames: wanted == FrameEvents::Wanted }), Some(receiver))
            }
            None => (None, None),
        };
        let (tell, told) = mpsc::channel();
        let holds = setup.memory.bytes();
        let realtime = setup.realtime;
        // A sender that threads share is behind a lock.
        let tell = Mutex::new(tell);
        let prepare = move |thread: usize| {
            let got = take(&if realtime {
                let memory = Memory::Growing { holds };
                Wish { fifo: true, spins: true, memory, cores: Cores::Own { thread } }
            } else {
                Wish::default()
            });
            // Nobody waits for more than there are threads.
            let _ = tell.lock().unwrap_or_else(PoisonError::into_inner).send((thread, got));
        };
        let drivers = setup.drivers.clamp(1, couplings.len().max(1));
        let script = setup.script.iter().map(|Timed { at, channel, control }| Scheduled {
            at: *at,
            channel: *channel,
            control: control.clone(),
        });
        let options = Options {
            drivers,
            events,
            spin: setup.spin,
            script: script.collect(),
            prepare_thread: Some(Arc::new(prepare)),
        };
        let emulator = Emulator::start(couplings, base, &options)?;
        drop(options);
        let mut got: Vec<(usize, Got)> = told.iter().take(drivers).collect();
        got.sort_by_key(|(thread, _)| *thread);
        let got = got.into_iter().map(|(_, got)| got).collect();
        Ok((Emulation { emulator, names, got, store }, receiver))
    }

    /// What each thread that carries got of what real time needs.
    pub fn got(&self) -> &[Got] {
        &self.got
    }

    /// The names of the channels, in their order.
    pub fn channel_names(&self) -> &[String] {
        &self.names
    }

    /// The state now.
    ///
    /// # Errors
    /// A thread that carries does not answer.
    pub fn snapshot(&self) -> Result<Snapshot, OrderError> {
        let snapshot = self.emulator.snapshot()?;
        Ok(Snapshot { store: Some(self.store.state()), ..snapshot })
    }

    /// Tells a channel, or all, to do something.
    ///
    /// # Errors
    /// There is no such channel, it refuses, or a thread that carries does not answer.
    pub fn control(&self, channel: Option<ChannelId>, control: &Control, by: ControlledBy) -> Result<(), OrderError> {
        self.emulator.control(channel, control, by)
    }

    /// Does what a client of the control socket asks, and answers it.
    pub fn answer(&self, request: Request) {
        match request.ask().clone() {
            Ask::Snapshot => match self.snapshot() {
                Ok(snapshot) => request.answer(Answer::Snapshot(Box::new(snapshot))),
                Err(error) => request.answer_done(Err(error)),
            },
            Ask::Control { control } => {
                let done = self.control(request.channel(), &control, ControlledBy::Socket);
                request.answer_done(done);
            }
        }
    }

    /// Bench time now, pauses included.
    pub fn now(&self) -> Instant {
        self.emulator.elapsed()
    }

    /// Whether it has ended by itself, which only a defect can do.
    pub fn has_ended(&self) -> bool {
        self.emulator.has_ended()
    }

    /// Stops, and tells what it came to; `None` if a thread that carries has failed.
    pub fn finish(self) -> Option<Snapshot> {
        let store = Some(self.store.state());
        Some(Snapshot { store, ..self.emulator.finish()? })
    }
}
