//! Channels between real ports, in real time.
//!
//! A [`Coupling`] joins two ports with a channel in each direction. A thread, the driver, owns some couplings whole: it polls
//! their ports, offers what comes in to the channels with the instant at which the kernel had it, takes out what is due and
//! gives it to the far port. It waits with `ppoll`, which the kernel's high-resolution timers end, and for the last microseconds
//! by asking again and again. Nothing is shared between drivers but the budget of the delay stores, so what one link carries
//! delays no other more than the processor does.
//!
//! The channel is the one that simulations use. What only real time has is here: lateness and its causes, ports that go away,
//! a machine whose time is disturbed.
//!
//! # Time
//! Bench time runs from [`Emulator::start`] on the machine's monotonic clock and stands still while the emulator is paused.

mod direction;
mod driver;
mod lateness;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration as StdDuration;

use farlink_ports::{Port, Timebase};
use farlink_record::control::{Control, ControlledBy};
use farlink_record::instrument::Snapshot;
use farlink_record::{ChannelId, Stamped};
use farlink_units::{Duration, Instant};
use rustix::event::{EventfdFlags, eventfd};

use crate::channel::Channel;
use driver::Driver;

pub use lateness::LatenessMeter;

/// How long a driver may take to answer: it never waits longer than its patience, but may not get the processor.
const ANSWER_WITHIN: StdDuration = StdDuration::from_secs(10);

/// A channel and what it is called.
#[derive(Debug)]
pub struct NamedChannel {
    /// Its name, unique in the emulator.
    pub name: String,
    /// The channel. Its id is its place among all channels of the emulator.
    pub channel: Channel,
}

/// Two ports and the channels between them.
#[derive(Debug)]
pub struct Coupling {
    /// The port of one end.
    pub a: Box<dyn Port>,
    /// The port of the other.
    pub b: Box<dyn Port>,
    /// From a to b; without it, what comes in at a is left out.
    pub forward: Option<NamedChannel>,
    /// From b to a.
    pub return_: Option<NamedChannel>,
}

/// A control with the instant at which it is to be obeyed.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// When, in bench time. A pause in a script ends only by hand.
    pub at: Instant,
    /// To which channel; `None` is all of them.
    pub channel: Option<ChannelId>,
    /// What.
    pub control: Control,
}

/// What a driver thread does first, told which it is: to take what real-time privileges it can, say.
pub type Prepare = Arc<dyn Fn(usize) + Send + Sync>;

/// How an emulator works.
pub struct Options {
    /// How many threads share the couplings; at least one.
    pub drivers: usize,
    /// Where events go. What finds no room is counted as unrecorded.
    pub events: Option<Events>,
    /// For how long before something is due a driver asks again and again instead of sleeping. A sleeping thread takes some
    /// 50 µs to get going, and on a virtual machine whose core has halted sometimes milliseconds.
    pub spin: Duration,
    /// What is done at which instant, in the order of time.
    pub script: Vec<Scheduled>,
    /// What the driver threads do when they start.
    pub prepare_thread: Option<Prepare>,
}

impl Options {
    /// What [`Options::spin`] is unless said otherwise: 60 µs.
    pub const SPIN: Duration = Duration::from_nanos(60_000);
}

impl Default for Options {
    fn default() -> Self {
        Options { drivers: 1, events: None, spin: Options::SPIN, script: Vec::new(), prepare_thread: None }
    }
}

/// Where events go.
#[derive(Clone, Debug)]
pub struct Events {
    /// The receiver of all of them. Those of one driver come in the order of time; those of several may be interleaved a little out
    /// of it.
    pub to: SyncSender<Stamped>,
    /// Whether events of single frames are among them.
    pub frames: bool,
}

/// A running emulator. Dropping it stops it.
#[derive(Debug)]
pub struct Emulator {
    base: Timebase,
    stop: Arc<AtomicBool>,
    drivers: Vec<Handle>,
}

#[derive(Debug)]
struct Handle {
    thread: Option<JoinHandle<Snapshot>>,
    orders: Mutex<Sender<Order>>,
    wake: Arc<OwnedFd>,
    /// The places of its channels among all.
    channels: Vec<usize>,
}

/// What a driver is asked to do.
pub(crate) enum Order {
    Snapshot(Sender<Snapshot>),
    Control { channel: Option<ChannelId>, control: Control, by: ControlledBy, answer: Sender<Result<(), String>> },
}

/// Why an order was not obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// There is no such channel.
    #[error("there is no channel {0}")]
    NoChannel(u16),
    /// The channel refuses.
    #[error("{0}")]
    Refused(String),
    /// The driver has ended or does not get the processor.
    #[error("the emulator does not answer")]
    NoAnswer,
}

impl Emulator {
    /// Starts to carry.
    ///
    /// # Errors
    /// The system has no thread or no file descriptor left.
    pub fn start(couplings: Vec<Coupling>, base: Timebase, options: &Options) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let count = options.drivers.clamp(1, couplings.len().max(1));
        let mut shares: Vec<Vec<Coupling>> = (0..count).map(|_| Vec::new()).collect();
        for (index, coupling) in couplings.into_iter().enumerate() {
            shares[index % count].push(coupling);
        }
        let mut emulator = Emulator { base, stop, drivers: Vec::new() };
        for (index, share) in shares.into_iter().enumerate() {
            let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
            let (orders, inbox) = mpsc::channel();
            let driver = Driver::new(share, base, options, index == 0, inbox, Arc::clone(&wake));
            let channels = driver.channels();
            let (stop, prepare) = (Arc::clone(&emulator.stop), options.prepare_thread.clone());
            let work = move || {
                if let Some(prepare) = prepare {
                    prepare(index);
                }
                driver.run(&stop)
            };
            let thread = thread::Builder::new().name(format!("driver-{index}")).spawn(work)?;
            emulator.drivers.push(Handle { thread: Some(thread), orders: Mutex::new(orders), wake, channels });
        }
        Ok(emulator)
    }

    /// Bench time without pauses: time since the start.
    pub fn elapsed(&self) -> Instant {
        self.base.now()
    }

    /// The state now.
    ///
    /// # Errors
    /// A driver does not answer.
    pub fn snapshot(&self) -> Result<Snapshot, OrderError> {
        let parts: Vec<Snapshot> = self
            .drivers
            .iter()
            .map(|driver| {
                let (answer, snapshot) = mpsc::channel();
                driver.order(Order::Snapshot(answer))?;
                snapshot.recv_timeout(ANSWER_WITHIN).map_err(|_| OrderError::NoAnswer)
            })
            .collect::<Result<_, _>>()?;
        Ok(self.join(parts))
    }

    /// Tells one channel, or all, to do something. [`Control::Pause`] and [`Control::Resume`] are always for all.
    ///
    /// # Errors
    /// There is no such channel, it refuses, or a driver does not answer.
    pub fn control(&self, channel: Option<ChannelId>, control: &Control, by: ControlledBy) -> Result<(), OrderError> {
        let all = matches!(control, Control::Pause | Control::Resume);
        let channel = channel.filter(|_| !all);
        let mut asked: Vec<Receiver<Result<(), String>>> = Vec::new();
        for driver in &self.drivers {
            if channel.is_none_or(|ChannelId(wanted)| driver.channels.contains(&usize::from(wanted))) {
                let (answer, answered) = mpsc::channel();
                driver.order(Order::Control { channel, control: control.clone(), by, answer })?;
                asked.push(answered);
            }
        }
        match channel {
            Some(ChannelId(number)) if asked.is_empty() => return Err(OrderError::NoChannel(number)),
            _ => {}
        }
        for answered in asked {
            match answered.recv_timeout(ANSWER_WITHIN) {
                Ok(Ok(())) => {}
                Ok(Err(refusal)) => return Err(OrderError::Refused(refusal)),
                Err(_) => return Err(OrderError::NoAnswer),
            }
        }
        Ok(())
    }

    /// Whether a driver has ended by itself, which only a defect can do.
    pub fn has_ended(&self) -> bool {
        self.drivers.iter().any(|driver| driver.thread.as_ref().is_none_or(JoinHandle::is_finished))
    }

    /// Stops, and tells what it came to; `None` if a driver panicked.
    pub fn finish(mut self) -> Option<Snapshot> {
        self.stop_drivers();
        let parts = self.drivers.iter_mut().map(|driver| driver.thread.take().and_then(|thread| thread.join().ok()));
        let parts = parts.collect::<Option<Vec<_>>>()?;
        Some(self.join(parts))
    }

    fn stop_drivers(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.drivers.iter().for_each(Handle::wake);
    }

    /// One snapshot of all drivers', with the channels in their order.
    fn join(&self, parts: Vec<Snapshot>) -> Snapshot {
        let at = parts.iter().map(|part| part.at).max().unwrap_or_default();
        let mut all = Snapshot { at, ..Snapshot::default() };
        let mut channels = Vec::new();
        for (driver, part) in self.drivers.iter().zip(parts) {
            channels.extend(driver.channels.iter().copied().zip(part.channels));
            all.ports.extend(part.ports);
            all.paused |= part.paused;
            all.unrecorded += part.unrecorded;
            all.refused.extend(part.refused);
            for new in part.disturbances {
                match all.disturbances.iter_mut().find(|known| known.what == new.what) {
                    Some(known) => {
                        known.times = known.times.max(new.times);
                        known.worst = known.worst.max(new.worst);
                    }
                    None => all.disturbances.push(new),
                }
            }
        }
        channels.sort_by_key(|(place, _)| *place);
        all.channels = channels.into_iter().map(|(_, channel)| channel).collect();
        all
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop_drivers();
        for thread in self.drivers.iter_mut().filter_map(|driver| driver.thread.take()) {
            // What it came to is of no interest any more.
            let _ = thread.join();
        }
    }
}

impl Handle {
    fn order(&self, order: Order) -> Result<(), OrderError> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.send(order).map_err(|_| OrderError::NoAnswer)?;
        drop(orders);
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        // A counter that is full wakes as well.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }
}
