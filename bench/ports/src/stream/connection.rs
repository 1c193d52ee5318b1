//! One connection: what comes, what waits to go out, and how it ends.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration as StdDuration;

use bytes::{Buf, Bytes, BytesMut};
use farlink_units::{Duration, Instant};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{SockRef, TcpKeepalive};

use super::framing::{self, Deframer};
use super::{MAX_FRAME, StreamFraming};
use crate::Timebase;
use crate::port::{Notice, Received, Sent, Stopped};

/// Most octets that wait here for a slow peer; the kernel holds some as well.
pub(super) const OUTPUT: usize = 1 << 18;

/// Most octets that are read in one turn, so that a flood does not keep the owner from its other work.
pub(super) const READ_TURN: usize = 1 << 16;

/// How long a connection that is being closed may stand still before it is given up.
pub(super) const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) since: Instant,
    framing: StreamFraming,
    deframer: Deframer,
    out: BytesMut,
    /// How many octets have been written, and behind how many each frame that has not been written whole ends.
    written: u64,
    ends: VecDeque<u64>,
    /// The peer sends no more.
    pub(super) ended: bool,
    /// The far side has hung up.
    pub(super) hung_up: bool,
    /// Set once our side is to be closed behind what waits: when to give that up.
    pub(super) closing: Option<Instant>,
    /// Our side is closed.
    shut: bool,
    /// Writing has failed. What had come before may still be read.
    broken: Option<String>,
    /// The connection is gone, and why.
    pub(super) lost: Option<String>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, framing: StreamFraming, now: Instant) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // What is due now leaves now, and is not held back to be sent together with more.
        stream.set_nodelay(true)?;
        // A peer that was unplugged says nothing: ask for it.
        let probes = TcpKeepalive::new()
            .with_time(StdDuration::from_secs(10))
            .with_interval(StdDuration::from_secs(5))
            .with_retries(3);
        SockRef::from(&stream).set_tcp_keepalive(&probes)?;
        Ok(Connection {
            stream,
            peer,
            since: now,
            framing,
            deframer: Deframer::new(framing),
            out: BytesMut::new(),
            written: 0,
            ends: VecDeque::new(),
            ended: false,
            hung_up: false,
            closing: None,
            shut: false,
            broken: None,
            lost: None,
        })
    }

    /// Reads once, and tells what that brought. Afterwards see `ended` and `lost`.
    pub(super) fn read(
        &mut self,
        base: &Timebase,
        buffer: &mut [u8],
        frames: &mut Vec<Received>,
        notices: &mut VecDeque<Notice>,
    ) {
        // Once the peer has ended, the only news left is that the connection was reset.
        if self.ended {
            if let Ok(Some(error)) = self.stream.take_error() {
                self.lose(lost(&error));
            }
            if let Some(broken) = self.broken.take() {
                self.lose(broken);
            }
            return;
        }
        match self.stream.read(buffer) {
            Ok(0) => {
                notices.extend(self.end());
                match self.broken.take() {
                    Some(broken) => self.lose(broken),
                    None => self.ended = true,
                }
            }
            Ok(read) => {
                let now = base.now();
                self.moved(now);
                if let Err(detail) = self.deframer.read(now, &buffer[..read], frames, notices) {
                    self.lose(format!("what comes from {} cannot be read on: {detail}", self.peer));
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if let Some(broken) = self.broken.take() {
                    self.lose(broken);
                }
            }
            Err(error) => {
                notices.extend(self.end());
                self.lose(lost(&error));
            }
        }
    }

    fn lose(&mut self, why: String) {
        self.lost.get_or_insert(why);
    }

    /// A connection that is being closed has not stood still.
    fn moved(&mut self, now: Instant) {
        if self.closing.is_some() {
            self.closing = Some(now + CLOSE_PATIENCE);
        }
    }

    /// Takes frames, as many as there is room for, and writes what the kernel takes at once.
    pub(super) fn send(&mut self, frames: &[Bytes], now: Instant) -> Sent {
        let mut sent = Sent::all(frames.len());
        for (taken, frame) in frames.iter().enumerate() {
            let stopped = match framing::length_in_stream(self.framing, frame.len()) {
                Err(why) => Stopped::Refused(why),
                Ok(length) => {
                    if self.out.len() + length > OUTPUT {
                        self.flush(now);
                    }
                    if self.out.len() + length <= OUTPUT && self.broken.is_none() && self.lost.is_none() {
                        framing::emit(self.framing, frame, &mut self.out);
                        self.ends.push_back(self.written + self.out.len() as u64);
                        continue;
                    }
                    Stopped::Busy
                }
            };
            sent = Sent { taken, stopped: Some(stopped) };
            break;
        }
        self.flush(now);
        sent
    }

    /// Writes what waits, as far as the kernel takes it; behind the last of it closes our side, if that is to be.
    pub(super) fn flush(&mut self, now: Instant) {
        while !self.out.is_empty() && self.broken.is_none() {
            match self.stream.write(&self.out) {
                Ok(written) => {
                    self.out.advance(written);
                    self.written += written as u64;
                    while self.ends.front().is_some_and(|end| *end <= self.written) {
                        self.ends.pop_front();
                    }
                    self.moved(now);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => self.broken = Some(format!("{}{}", lost(&error), self.left())),
            }
        }
        if self.out.is_empty() && self.closing.is_some() && !self.shut && self.broken.is_none() {
            self.shut = true;
            if let Err(error) = self.stream.shutdown(Shutdown::Write) {
                self.broken = Some(lost(&error));
            }
        }
    }

    /// In words, what waits and will not go out if the connection ends now.
    pub(super) fn left(&self) -> String {
        match self.out.len() {
            0 => String::new(),
            octets => format!("; {octets} octets that waited to go out are lost"),
        }
    }

    /// How many frames have been taken and not written whole.
    pub(super) fn frames_left(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Closes our side behind what waits.
    pub(super) fn close(&mut self, now: Instant) {
        self.closing.get_or_insert(now + CLOSE_PATIENCE);
        self.flush(now);
    }

    /// Both sides have closed.
    pub(super) fn is_over(&self) -> bool {
        self.shut && self.ended
    }

    /// What to poll for: readable, writable.
    pub(super) fn interest(&self) -> (bool, bool) {
        (!self.ended, !self.out.is_empty() && self.broken.is_none())
    }

    /// Whether something is to be done that polling does not tell.
    pub(super) fn has_news(&self) -> bool {
        self.lost.is_some() || self.broken.is_some() || self.is_over()
    }

    /// Whether the peer has closed its side, perhaps behind octets that are still to be read.
    pub(super) fn peer_is_gone(&self) -> bool {
        let mut asked = [PollFd::new(&self.stream, PollFlags::RDHUP)];
        // An error here would be a descriptor that is none; then there is no peer either.
        poll(&mut asked, Some(&Timespec::default())).map_or(true, |_| !asked[0].revents().is_empty())
    }

    /// The stream is over: what it leaves behind.
    pub(super) fn end(&mut self) -> Option<Notice> {
        self.deframer.end()
    }
}

fn lost(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "the peer has reset the connection".to_owned(),
        ErrorKind::TimedOut => "the peer does not answer any more".to_owned(),
        _ => format!("the connection was lost: {error}"),
    }
}

/// How many octets to read at a time, so that no read of a raw stream ends in a short frame needlessly.
pub(super) fn read_size(framing: StreamFraming) -> usize {
    match framing {
        StreamFraming::Raw { chunk } => READ_TURN / chunk.min(MAX_FRAME) * chunk.min(MAX_FRAME),
        StreamFraming::Stcp | StreamFraming::Mtcp => READ_TURN,
    }
}
