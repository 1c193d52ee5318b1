//! The thread of an endpoint, and how it talks to the loop.

use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use farlink_engine::bp::{Handle, Transmission};

use super::{Limits, OpenError};
use crate::builtin::Delivery;

/// A unit to be delivered.
#[derive(Debug)]
pub(super) struct Job {
    pub handle: Handle,
    pub delivery: Delivery,
    /// How often the endpoint had stopped taking data when the loop handed this over. If it has stopped again since, the
    /// loop has taken the unit back.
    pub epoch: u64,
}

/// What the loop sends to a thread.
#[derive(Debug)]
pub(super) enum Item {
    Job(Job),
    /// The answer to a request of an application, for the connection that it came over.
    Reply {
        connection: u64,
        line: Vec<u8>,
    },
}

/// What a thread sends to the loop.
#[derive(Debug)]
pub(super) enum Told {
    /// Data is taken.
    Up,
    /// No more: what the endpoint holds goes back.
    Down { reason: String, retry_after: Option<Duration> },
    /// A unit has been delivered.
    Done { handle: Handle, told: String },
    /// The application wants something sent.
    Send { connection: u64, transmission: Box<Transmission> },
}

#[derive(Debug)]
pub(super) struct Report {
    pub endpoint: usize,
    pub told: Told,
}

/// A thread's line to the loop.
pub(super) struct Reporter {
    pub endpoint: usize,
    pub sender: Sender<Report>,
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

impl Reporter {
    pub fn tell(&self, told: Told) {
        // Nobody listens any more only when all is being shut down.
        if self.sender.send(Report { endpoint: self.endpoint, told }).is_ok() {
            (self.wake)();
        }
    }
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    stopping: bool,
    /// The program that runs has ended.
    exited: bool,
}

/// The loop's line to a thread.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Rung for a thread that waits for sockets.
    bell: Option<UnixStream>,
}

/// How the wait for a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Exited,
    OutOfTime,
    Stopping,
}

impl Queue {
    /// A queue that rings a bell.
    pub fn with_bell(bell: UnixStream) -> Self {
        Queue { bell: Some(bell), ..Queue::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
        if let Some(mut bell) = self.bell.as_ref() {
            // A bell that is full has been rung already.
            let _ = bell.write(&[1]);
        }
    }

    pub fn push(&self, item: Item) {
        self.change(|state| state.items.push_back(item));
    }

    /// Asks the thread to end.
    pub fn stop(&self) {
        self.change(|state| state.stopping = true);
    }

    pub fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Forgets all that waits.
    pub fn clear(&self) {
        let old = std::mem::take(&mut self.lock().items);
        drop(old);
    }

    /// All that waits.
    pub fn take(&self) -> VecDeque<Item> {
        std::mem::take(&mut self.lock().items)
    }

    /// Waits for the next item. `None`: the thread shall end.
    fn next(&self) -> Option<Item> {
        let waits = |state: &mut State| state.items.is_empty() && !state.stopping;
        let mut state = self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        if state.stopping { None } else { state.items.pop_front() }
    }

    /// Waits for some time. `false`: the thread shall end.
    fn pause(&self, time: Duration) -> bool {
        self.wait(time, |state| !state.stopping);
        !self.is_stopping()
    }

    pub fn program_starts(&self) {
        self.lock().exited = false;
    }

    pub fn program_exited(&self) {
        self.change(|state| state.exited = true);
    }

    pub fn wait_for_program(&self, limit: Duration) -> Ended {
        self.wait(limit, |state| !state.stopping && !state.exited);
        let state = self.lock();
        match (state.exited, state.stopping) {
            (true, _) => Ended::Exited,
            (_, true) => Ended::Stopping,
            (false, false) => Ended::OutOfTime,
        }
    }

    fn wait(&self, time: Duration, while_: impl Fn(&State) -> bool) {
        // A time that the clock cannot count is as good as none.
        let until = Instant::now().checked_add(time);
        let mut state = self.lock();
        while while_(&state) {
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Why a unit was not taken.
pub(super) enum NotTaken {
    /// For people.
    Because(String),
    /// The thread shall end.
    Stopping,
}

/// What takes units one after the other.
pub(super) trait Sink: Send + 'static {
    /// Takes one; returns what was done, for people.
    fn take(&mut self, delivery: &Delivery, queue: &Queue) -> Result<String, NotTaken>;
}

/// Starts a thread.
pub(super) fn spawn(queue: Queue, work: impl FnOnce(&Queue) + Send + 'static) -> Result<Thread, OpenError> {
    let queue = Arc::new(queue);
    let for_thread = queue.clone();
    let thread = std::thread::Builder::new().name("application".to_owned());
    let thread = thread.spawn(move || work(&for_thread)).map_err(OpenError::Thread)?;
    Ok((queue, thread))
}

/// A thread and the line to it.
pub(super) type Thread = (Arc<Queue>, JoinHandle<()>);

/// Starts the thread of a target that takes one unit after the other.
pub(super) fn start(sink: impl Sink, reporter: Reporter, limits: Limits) -> Result<Thread, OpenError> {
    spawn(Queue::default(), move |queue| serve(sink, queue, &reporter, limits))
}

fn serve(mut sink: impl Sink, queue: &Queue, reporter: &Reporter, limits: Limits) {
    let (mut epoch, mut pause) = (0, limits.first_pause);
    reporter.tell(Told::Up);
    while let Some(item) = queue.next() {
        let Item::Job(job) = item else { continue };
        if job.epoch != epoch {
            continue;
        }
        match sink.take(&job.delivery, queue) {
            Ok(told) => {
                pause = limits.first_pause;
                reporter.tell(Told::Done { handle: job.handle, told });
            }
            Err(NotTaken::Stopping) => return,
            Err(NotTaken::Because(reason)) => {
                // The pause shall not keep data in memory that expires meanwhile.
                drop(job);
                queue.clear();
                epoch += 1;
                reporter.tell(Told::Down { reason, retry_after: Some(pause) });
                if !queue.pause(pause) {
                    return;
                }
                pause = pause.saturating_mul(2).min(limits.longest_pause);
                reporter.tell(Told::Up);
            }
        }
    }
}
