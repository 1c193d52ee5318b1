//! Frames over a stream of octets that comes and goes: what serial lines and pseudo-terminals have in common.
//!
//! A thread of its own, with a small tokio runtime, has the line: so what comes in is read and stamped as soon as it is
//! there, however busy the port's owner is, and a UART does not overrun. It hands frames over through [`queue`], and
//! takes those to send from there.

mod line;
mod queue;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;

use crate::framing::Framing;
use crate::port::{Interest, Notice, Received, Sent};
use crate::timebase::Timebase;

pub(crate) use line::Line;
use line::{Carried, Carrier};
use queue::Shared;

/// Opens a line, again and again.
pub(crate) trait Opener: Send + 'static {
    /// What it opens.
    type Line: Line;
    /// Why it could not.
    type Error: fmt::Display + Send + 'static;

    /// Tries to open the line, and says what it is then.
    fn open(&mut self) -> Result<(Self::Line, String), Self::Error>;

    /// Whether an error says no more than that the line is not there, which has been told when it went.
    fn is_absence(error: &Self::Error) -> bool;

    /// Waits until it is worth the while to try again, after so many failures in a row; 0 when the line has just gone.
    fn wait(&mut self, failures: u32) -> impl Future<Output = ()>;

    /// Takes back a line that carries no more. `unwritten` if it has not taken all that it was given.
    fn close(&mut self, line: Self::Line, unwritten: bool);
}

/// Why a port of octets could not start.
#[derive(Debug)]
pub(crate) enum StartError<E> {
    /// Its line cannot be opened.
    Open(E),
    /// The system gives no thread, no event descriptor or no poll.
    System(io::Error),
}

/// The half of a port that its owner has.
#[derive(Debug)]
pub(crate) struct OctetPort {
    shared: Arc<Shared>,
    framing: Framing,
    thread: Option<JoinHandle<()>>,
}

impl OctetPort {
    /// Starts the thread. With `at_once` the line must open now; otherwise it may come later.
    pub(crate) fn start<O: Opener>(
        mut opener: O,
        framing: Framing,
        base: &Timebase,
        at_once: bool,
    ) -> Result<Self, StartError<O::Error>> {
        let shared = Arc::new(Shared::new().map_err(StartError::System)?);
        let carrier = Carrier::new(shared.clone(), framing, *base);
        let (tell, told) = mpsc::channel();
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(StartError::System(error)))),
            };
            // If this thread ends other than by being asked to, the owner must learn of it.
            let carrier = Alive(carrier);
            runtime.block_on(async {
                let first = match opener.open() {
                    Err(error) if at_once => return drop(tell.send(Err(StartError::Open(error)))),
                    first => first,
                };
                if tell.send(Ok(())).is_ok() {
                    serve(&mut opener, first, &carrier.0).await;
                }
            });
        };
        let thread = thread::Builder::new().name("octets".to_owned()).spawn(run).map_err(StartError::System)?;
        let port = OctetPort { shared, framing, thread: Some(thread) };
        let died = || StartError::System(io::Error::other("the thread of the port died"));
        told.recv().map_err(|_| died())??;
        Ok(port)
    }

    pub(crate) fn interest<'a>(&'a self, watch: &mut dyn FnMut(Interest<'a>)) {
        watch(Interest { fd: self.shared.ready_fd(), readable: true, writable: false });
    }

    pub(crate) fn receive(&self, frames: &mut Vec<Received>) -> io::Result<()> {
        self.shared.take_received(frames)
    }

    pub(crate) fn send(&self, frames: &[Bytes]) -> Sent {
        self.shared.give_outgoing(&self.framing, frames)
    }

    pub(crate) fn poll_notice(&self) -> Option<Notice> {
        self.shared.take_notice()
    }
}

impl Drop for OctetPort {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Alive(Carrier);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.shared().ended();
    }
}

/// Opens, carries, and opens again, until the owner stops it.
async fn serve<O: Opener>(opener: &mut O, first: Result<(O::Line, String), O::Error>, carrier: &Carrier) {
    let shared = carrier.shared();
    let mut opened = first;
    let mut failures = 0;
    // What was told last of a line that cannot be opened, so that it is not told twice.
    let mut told = String::new();
    let mut was_up = false;
    loop {
        match opened {
            Ok((mut line, detail)) => {
                (was_up, failures) = (true, 0);
                told.clear();
                shared.up(detail);
                match carrier.carry(&mut line).await {
                    Carried::Stopped { unwritten } => return opener.close(line, unwritten),
                    Carried::Lost { detail, cut } => {
                        opener.close(line, true);
                        shared.down(detail, cut);
                    }
                }
            }
            Err(error) => {
                failures += 1;
                let detail = error.to_string();
                if detail != told && !(was_up && O::is_absence(&error)) {
                    told.clone_from(&detail);
                    shared.down(detail, 0);
                }
            }
        }
        if shared.stopped_before(opener.wait(failures)).await {
            return;
        }
        opened = opener.open();
    }
}
