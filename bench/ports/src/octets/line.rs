//! Carries frames over a line that is open.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::framing::{Decoded, Decoder, Framing};
use crate::timebase::Timebase;

use super::queue::Shared;

/// How much is read at once, in octets. The kernel's line discipline keeps 4096.
const READ_OCTETS: usize = 1 << 14;

/// How long a line that takes nothing is left alone before it is tried again unasked: the kernel's word that a
/// pseudo-terminal has room can come before it has.
const RETRY: Duration = Duration::from_millis(20);

/// How long a port that is closed goes on writing what it has taken.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A stream of octets that is open.
pub(crate) trait Line {
    /// Reads some. 0 says that the line is gone.
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;
    /// Writes some, once there is room.
    fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>>;
    /// Writes some if there is room, whatever is known of that.
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize>;
}

/// How carrying came to its end.
pub(super) enum Carried {
    /// The owner wants no more.
    Stopped {
        /// Not all was written.
        unwritten: bool,
    },
    /// The line is gone.
    Lost {
        /// Why, in words.
        detail: String,
        /// How many frames were being written.
        cut: usize,
    },
}

/// Carries between the queue and whatever line is open.
pub(super) struct Carrier {
    shared: Arc<Shared>,
    framing: Framing,
    base: Timebase,
}

/// What is being written.
#[derive(Default)]
struct Outgoing {
    stream: Vec<u8>,
    written: usize,
    /// Where each frame ends in the stream, and how long it was.
    ends: VecDeque<(usize, usize)>,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.written == self.stream.len()
    }

    fn rest(&self) -> &[u8] {
        &self.stream[self.written..]
    }

    /// So many octets more are written; returns how long the frames were that end there.
    fn advance(&mut self, octets: usize) -> usize {
        self.written += octets;
        let mut content = 0;
        while let Some((_, length)) = self.ends.front().copied().filter(|(end, _)| *end <= self.written) {
            content += length;
            self.ends.pop_front();
        }
        if self.is_empty() {
            self.stream.clear();
            self.written = 0;
        }
        content
    }
}

impl Carrier {
    pub(super) fn new(shared: Arc<Shared>, framing: Framing, base: Timebase) -> Self {
        Carrier { shared, framing, base }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Carries both ways until the line is gone or the owner wants no more.
    pub(super) async fn carry(&self, line: &mut impl Line) -> Carried {
        let shared = &*self.shared;
        let mut decoder = Decoder::new(self.framing);
        let mut buffer = vec![0; READ_OCTETS];
        let mut found = Vec::new();
        let mut outgoing = Outgoing { stream: self.framing.opening().to_vec(), ..Outgoing::default() };
        let mut woken = pin!(shared.woken());
        let mut retry = pin!(tokio::time::sleep(RETRY));
        let mut last_words = pin!(tokio::time::sleep(LAST_WORDS));
        let mut stopping = false;

        let end = poll_fn(|context| {
            loop {
                while woken.as_mut().poll(context).is_ready() {
                    woken.set(shared.woken());
                }
                if outgoing.is_empty() {
                    self.fill(&mut outgoing);
                }
                if shared.is_stopped() {
                    if !stopping {
                        stopping = true;
                        last_words.set(tokio::time::sleep(LAST_WORDS));
                    }
                    let unwritten = !outgoing.is_empty();
                    if !unwritten || last_words.as_mut().poll(context).is_ready() {
                        return Poll::Ready(Carried::Stopped { unwritten });
                    }
                }
                // Both ways in turn, so that neither a flood in one nor a jam in the other stops it.
                let read = self.read(line, context, &mut decoder, &mut buffer, &mut found);
                let write = self.write(line, context, &mut outgoing, retry.as_mut());
                match (read, write) {
                    (Poll::Ready(Err(error)), _) | (_, Poll::Ready(Err(error))) => {
                        return Poll::Ready(Carried::Lost { detail: lost(&error), cut: 0 });
                    }
                    (Poll::Pending, Poll::Pending) => return Poll::Pending,
                    _ => {}
                }
            }
        })
        .await;

        decoder.end(&mut |decoded| found.push(decoded));
        shared.deliver(self.base.now(), &mut found);
        match end {
            Carried::Lost { detail, .. } if !outgoing.ends.is_empty() => {
                let cut = outgoing.ends.len();
                Carried::Lost { detail: format!("{detail}; {cut} frames that were being written are lost"), cut }
            }
            end => end,
        }
    }

    fn fill(&self, outgoing: &mut Outgoing) {
        for frame in self.shared.take_outgoing() {
            // It was checked when it was taken.
            if self.framing.encode(&frame, &mut outgoing.stream).is_ok() {
                outgoing.ends.push_back((outgoing.stream.len(), frame.len()));
            }
        }
    }

    fn read(
        &self,
        line: &mut impl Line,
        context: &mut Context<'_>,
        decoder: &mut Decoder,
        buffer: &mut [u8],
        found: &mut Vec<Decoded>,
    ) -> Poll<io::Result<()>> {
        if !self.shared.has_room() {
            // The owner wakes this thread when it has taken what is there.
            return Poll::Pending;
        }
        let octets = ready!(line.poll_read(context, buffer))?;
        // The last bit of each frame that ends in this piece had come by now.
        let at = self.base.now();
        if octets == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        decoder.decode(&buffer[..octets], &mut |decoded| found.push(decoded));
        self.shared.deliver(at, found);
        Poll::Ready(Ok(()))
    }

    fn write(
        &self,
        line: &mut impl Line,
        context: &mut Context<'_>,
        outgoing: &mut Outgoing,
        mut retry: std::pin::Pin<&mut tokio::time::Sleep>,
    ) -> Poll<io::Result<()>> {
        if outgoing.is_empty() {
            return Poll::Pending;
        }
        let octets = match line.poll_write(context, outgoing.rest()) {
            Poll::Ready(octets) => octets?,
            Poll::Pending => {
                ready!(retry.as_mut().poll(context));
                match line.try_write(outgoing.rest()) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                    octets => octets?,
                }
            }
        };
        retry.set(tokio::time::sleep(RETRY));
        let content = outgoing.advance(octets);
        if content > 0 {
            self.shared.written(content);
        }
        Poll::Ready(Ok(()))
    }
}

/// What a read or write that failed says of the line.
fn lost(error: &io::Error) -> String {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        // A line that has hung up reads as ended and refuses what is written.
        Some(Errno::IO) => "it has hung up".to_owned(),
        Some(Errno::NODEV | Errno::NXIO) => "it is unplugged".to_owned(),
        _ if error.kind() == io::ErrorKind::UnexpectedEof => "it has hung up".to_owned(),
        _ => error.to_string(),
    }
}
