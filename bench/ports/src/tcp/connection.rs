//! One connection: what is read, what waits to be written, TLS in between.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use mio::net::TcpStream;

use super::{CloseReason, WRITE_BUFFER};
use crate::tls::{PeerCertificate, Tls};

/// Octets that are read in one turn, so that a fast peer does not starve the others.
const READ_TURN: usize = 1 << 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    Open,
    /// Nothing is read for the owner any more; what waits is written out, then our side is closed.
    Flushing,
    /// Our side is closed. What still comes is read and dropped: closing with octets unread would reset the connection and
    /// could take from the peer what it has not read yet.
    Draining,
    Gone,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) state: State,
    pub(super) tls: Option<Box<Tls>>,
    out: BytesMut,
    /// Whether the owner would read.
    pub(super) reading: bool,
    /// Whether the socket may have more to read.
    pub(super) readable: bool,
    /// Whether the owner found no room and is to be told when there is.
    pub(super) wants_room: bool,
    /// Whether the peer has closed its side.
    ended: bool,
    /// When patience with connecting, flushing or draining ends.
    pub(super) deadline: Option<Instant>,
}

/// What one turn of reading brought.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) data: Option<Bytes>,
    pub(super) secured: Option<PeerCertificate>,
    pub(super) closed: Option<CloseReason>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, state: State) -> Self {
        Connection {
            stream,
            peer,
            state,
            tls: None,
            out: BytesMut::new(),
            reading: true,
            readable: false,
            wants_room: false,
            ended: false,
            deadline: None,
        }
    }

    fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Octets that [`Connection::write`] would take now.
    pub(super) fn room(&self) -> usize {
        if self.state != State::Open || self.is_handshaking() {
            return 0;
        }
        WRITE_BUFFER.saturating_sub(self.out.len())
    }

    pub(super) fn has_output(&self) -> bool {
        !self.out.is_empty()
    }

    /// Takes what there is room for.
    pub(super) fn write(&mut self, octets: &[u8]) -> usize {
        let taken = octets.len().min(self.room());
        match &mut self.tls {
            Some(tls) => tls.write(&octets[..taken], &mut self.out),
            None => self.out.extend_from_slice(&octets[..taken]),
        }
        taken
    }

    /// Whether a turn of reading may bring something.
    pub(super) fn may_read(&self) -> bool {
        self.readable
            && match self.state {
                State::Open => self.reading || self.is_handshaking(),
                State::Flushing | State::Draining => true,
                State::Connecting | State::Gone => false,
            }
    }

    /// Reads once. `buffer` is scratch space.
    pub(super) fn read(&mut self, buffer: &mut [u8; READ_BUFFER]) -> Turn {
        let read = match self.stream.read(buffer) {
            Ok(0) => {
                self.readable = false;
                return self.turn_closed(CloseReason::Peer);
            }
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                return Turn::default();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Turn::default(),
            Err(error) => {
                // The owner of a connection that is being closed has turned away.
                let told = self.state == State::Open;
                self.state = State::Gone;
                let closed = told.then(|| CloseReason::Lost(error.to_string()));
                return Turn { closed, ..Turn::default() };
            }
        };
        // Nothing counts after the end of TLS (RFC 9174 section 4.4).
        if self.state != State::Open || self.ended {
            return Turn::default();
        }
        match &self.tls {
            None => Turn { data: Some(Bytes::copy_from_slice(read)), ..Turn::default() },
            Some(_) => self.decrypt(read),
        }
    }

    /// Gives octets to TLS.
    pub(super) fn decrypt(&mut self, octets: &[u8]) -> Turn {
        let Some(tls) = &mut self.tls else { return Turn::default() };
        let handshaking = tls.is_handshaking();
        let read = tls.read(octets, &mut self.out);
        let mut turn = Turn::default();
        if handshaking && !tls.is_handshaking() {
            turn.secured = Some(tls.peer_certificate());
        }
        match read {
            Ok((data, ended)) => {
                turn.data = (!data.is_empty()).then(|| data.into());
                if ended {
                    turn.closed = self.turn_closed(CloseReason::Peer).closed;
                }
            }
            Err(reason) => {
                // An alert is waiting to be sent; there is nobody to talk to after it.
                turn.closed = Some(CloseReason::Tls(reason));
                self.state = State::Flushing;
            }
        }
        turn
    }

    /// The peer has ended its side, which is told once.
    fn turn_closed(&mut self, reason: CloseReason) -> Turn {
        let again = std::mem::replace(&mut self.ended, true);
        match self.state {
            State::Open if again => Turn::default(),
            State::Open if self.is_handshaking() => {
                let reason = CloseReason::Tls("the peer closed the connection during the handshake".to_owned());
                self.state = State::Flushing;
                Turn { closed: Some(reason), ..Turn::default() }
            }
            State::Open => Turn { closed: Some(reason), ..Turn::default() },
            State::Draining => {
                self.state = State::Gone;
                Turn::default()
            }
            _ => Turn::default(),
        }
    }

    /// Writes what waits, as far as the system takes it.
    pub(super) fn flush(&mut self) -> Result<(), CloseReason> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(written) => self.out.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.state = State::Gone;
                    return Err(CloseReason::Lost(error.to_string()));
                }
            }
        }
        if self.state == State::Flushing {
            let closed = self.stream.shutdown(Shutdown::Write);
            self.state = if self.ended || closed.is_err() { State::Gone } else { State::Draining };
        }
        Ok(())
    }

    /// Begins to close: what waits is written out first.
    pub(super) fn close(&mut self) {
        if self.state == State::Open {
            if let Some(tls) = &mut self.tls {
                tls.close(&mut self.out);
            }
            self.state = State::Flushing;
        }
    }

    /// The outcome of connecting, once the socket says that there is one.
    pub(super) fn connected(&mut self) -> Option<io::Result<()>> {
        match (self.stream.take_error(), self.stream.peer_addr()) {
            (Ok(Some(error)) | Err(error), _) => Some(Err(error)),
            (Ok(None), Ok(_)) => {
                self.state = State::Open;
                Some(Ok(()))
            }
            // Not yet: a first wake-up can come before there is an outcome.
            (Ok(None), Err(_)) => None,
        }
    }
}

/// Scratch space for one read.
pub(super) const READ_BUFFER: usize = READ_TURN;
