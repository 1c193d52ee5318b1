//! Channels between real ports, in real time.
//!
//! Each direction has two threads: one stamps what comes in and offers it to the [`Channel`], the other sleeps until the
//! next frame is due and sends it. The channel itself is the same as in a simulation.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use farlink_channel_models::{Errors, Rate};
use farlink_ports::udp::{MAX_DATAGRAM, UdpPort};
use farlink_record::counters::{ChannelCounters, Tally};
use farlink_units::Instant;

use crate::channel::Channel;
use crate::clock::{Lateness, LatenessMeter};

/// How long a thread waits before it looks at the stop flag.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(50);

/// What one direction has come to.
#[derive(Clone, Debug)]
pub struct DirectionReport {
    /// Frames and bits, in and out.
    pub counters: ChannelCounters,
    /// What the channel's own store holds.
    pub in_flight: Tally,
    /// How late frames left, against the instant at which they were due.
    pub lateness: Lateness,
    /// Why the direction has stopped, if it has.
    pub failure: Option<String>,
}

#[derive(Debug)]
struct State {
    channel: Channel,
    counters: ChannelCounters,
    lateness: LatenessMeter,
    failure: Option<String>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    port: UdpPort,
    to: SocketAddr,
    origin: std::time::Instant,
}

impl Shared {
    fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed().into()
    }

    /// A thread that panicked has left the counters whole: each is changed in one step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One direction of a link between two real ports.
#[derive(Debug)]
pub struct Direction {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Direction {
    /// Starts to carry what comes in at `port` to `to`, until `stop` is set. `origin` is `Instant::ZERO`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(
        channel: Channel,
        port: UdpPort,
        to: SocketAddr,
        origin: std::time::Instant,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let state =
            State { channel, counters: ChannelCounters::default(), lateness: LatenessMeter::default(), failure: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), arrived: Condvar::new(), port, to, origin });
        let spawn = |name: &str, work: fn(&Shared) -> io::Result<()>| {
            let (shared, stop) = (shared.clone(), stop.clone());
            thread::Builder::new().name(name.to_string()).spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if let Err(error) = work(&shared) {
                        shared.lock().failure.get_or_insert_with(|| error.to_string());
                        return;
                    }
                }
            })
        };
        let threads = vec![spawn("arrivals", take_in)?, spawn("departures", send_due)?];
        Ok(Direction { shared, threads })
    }

    /// Gives the channel another rate from now on; see [`Channel::set_rate`].
    pub fn set_rate(&self, rate: &Rate) {
        let State { channel, counters, .. } = &mut *self.shared.lock();
        channel.set_rate(self.shared.now(), rate, |event| counters.apply(&event));
        self.shared.arrived.notify_one();
    }

    /// Gives the channel other errors from now on; see [`Channel::set_errors`].
    pub fn set_errors(&self, errors: Errors) {
        self.shared.lock().channel.set_errors(self.shared.now(), errors);
    }

    /// What the direction has come to up to now.
    pub fn report(&self) -> DirectionReport {
        let state = self.shared.lock();
        DirectionReport {
            counters: state.counters.clone(),
            in_flight: state.channel.in_flight(),
            lateness: state.lateness.read(),
            failure: state.failure.clone(),
        }
    }

    /// Waits until both threads have seen the stop flag, and reports.
    pub fn finish(mut self) -> DirectionReport {
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                self.shared.lock().failure.get_or_insert_with(|| "a thread of the emulator panicked".to_string());
            }
        }
        self.report()
    }
}

/// Waits for one frame and offers it to the channel.
fn take_in(shared: &Shared) -> io::Result<()> {
    thread_local! {
        static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; MAX_DATAGRAM]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let Some(length) = shared.port.receive(buffer, PATIENCE)? else { return Ok(()) };
        let now = shared.now();
        let State { channel, counters, .. } = &mut *shared.lock();
        channel.offer(now, Bytes::copy_from_slice(&buffer[..length]), |event| counters.apply(&event));
        shared.arrived.notify_one();
        Ok(())
    })
}

/// Waits until the next frame is due and sends it.
fn send_due(shared: &Shared) -> io::Result<()> {
    let mut state = shared.lock();
    let wait = match state.channel.next_due() {
        Some(due) => due.saturating_since(shared.now()).to_std(),
        None => PATIENCE,
    };
    if !wait.is_zero() {
        let waited = shared.arrived.wait_timeout(state, wait.min(PATIENCE));
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    let now = shared.now();
    let Some(arrival) = state.channel.take_due(now) else { return Ok(()) };
    let event = arrival.event(state.channel.id());
    if !arrival.delivered() {
        state.counters.apply(&event);
        return Ok(());
    }
    drop(state);
    // Whether anybody listens there is the far side's affair; that the frame left is ours.
    if let Err(error) = shared.port.send(&arrival.content, shared.to) {
        shared.lock().channel.put_back(arrival);
        return Err(error);
    }
    let late = shared.now().saturating_since(arrival.at);
    let mut state = shared.lock();
    state.counters.apply(&event);
    state.lateness.record(late);
    Ok(())
}
