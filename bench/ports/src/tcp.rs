//! TCP: streams, as many as there are peers, in one poll.
//!
//! # Order of calls
//! One thread owns a [`StreamPorts`] and calls [`StreamPorts::poll`] in a loop; nothing else ever blocks.
//! - [`StreamPorts::listen`] brings [`StreamEvent::Accepted`]; [`StreamPorts::connect`] brings [`StreamEvent::Connected`] or
//!   [`StreamEvent::ConnectFailed`].
//! - [`StreamEvent::Data`]: at most one for a connection in each poll. [`StreamPorts::set_reading`] stops them, and with them
//!   the peer, through TCP's own flow control.
//! - [`StreamPorts::write`] takes as many octets as [`StreamPorts::room`] tells and no more. If it did not take all,
//!   [`StreamEvent::Writable`] tells when to go on. Written octets leave with the next `poll`, together.
//! - [`StreamPorts::start_tls`] on an open connection; then [`StreamEvent::Secured`], or [`StreamEvent::Closed`] with the reason.
//!   Octets written before go out in the clear, octets after it in TLS.
//! - [`StreamEvent::Closed`]: the peer has closed its side, or the connection is lost. What is written now may still be read;
//!   the owner calls [`StreamPorts::close`].
//! - [`StreamPorts::close`]: what was written still goes out, TLS ends with its closure alert, then comes FIN. No event of the
//!   connection follows. [`StreamPorts::abort`] drops it at once.
//! - [`StreamPorts::register_udp`] and [`StreamPorts::waker`] let datagram sockets and other threads end the same `poll`.
//!
//! A TCPCL session (`farlink_engine::tcpcl`) is driven like this: give it `Data`; if it did not consume all after `StartTls`,
//! pass the rest to `start_tls`; after each call write `poll_transmit(now, ports.room(id))` until it gives nothing; on its last
//! event call `close`.
//!
//! # Limits
//! [`MAX_CONNECTIONS`] connections; [`WRITE_BUFFER`] octets wait for one; connecting and closing have their deadlines.

mod address;
mod connection;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::net::{TcpListener, TcpStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

pub use address::{ConnectError, ListenError, TcpAddress, TcpAddressError};
use connection::{Connection, READ_BUFFER, State, Turn};

use crate::tls::{PeerCertificate, Tls, TlsRole, TlsSettings};

/// Most octets that wait to be written to one connection. TLS and its handshake may add some.
pub const WRITE_BUFFER: usize = 1 << 18;

/// Most connections at once. Who connects beyond that is closed at once.
pub const MAX_CONNECTIONS: usize = 4096;

/// How long to wait for a connection to come up.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(20);

/// How long a connection that is being closed may take to write out what waits, and then to hear the end of the peer.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(3);

/// How long to leave a listener alone after the system could not give it a connection, for want of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Room that must be there again before [`StreamEvent::Writable`] is told.
const ROOM_AGAIN: usize = WRITE_BUFFER / 2;

/// Connections accepted from one listener in one poll.
const ACCEPT_TURN: usize = 64;

/// A port that is listened to, by its number among those of the same owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub usize);

/// A connection, by its number among those of the same owner. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub usize);

/// Why a connection is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The peer closed its side in order.
    #[error("the peer closed the connection")]
    Peer,
    /// It was reset, or the network failed.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The handshake failed, or what came is no TLS.
    #[error("TLS failed: {0}")]
    Tls(String),
}

/// What [`StreamPorts::poll`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// A peer has connected.
    Accepted {
        /// Where.
        listener: ListenerId,
        /// The new connection.
        connection: ConnectionId,
        /// The peer's address.
        peer: SocketAddr,
    },
    /// A connection is up.
    Connected(ConnectionId),
    /// A connection did not come up; its number is void.
    ConnectFailed {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: ConnectError,
    },
    /// The TLS handshake is done.
    Secured {
        /// Of which connection.
        connection: ConnectionId,
        /// What the peer's certificate says; empty if it showed none.
        peer: PeerCertificate,
    },
    /// Octets have arrived.
    Data {
        /// On which connection.
        connection: ConnectionId,
        /// The octets.
        octets: Bytes,
    },
    /// There is room again on a connection whose buffer was full.
    Writable(ConnectionId),
    /// No more data will come.
    Closed {
        /// From which connection.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// A registered datagram socket has something. Read from it until it would block, or it will not be told again.
    Readable {
        /// As given to [`StreamPorts::register_udp`].
        socket: u64,
    },
    /// A [`Waker`] was used.
    Woken,
}

/// Ends a [`StreamPorts::poll`] from another thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<mio::Waker>);

impl Waker {
    /// Lets the poll that runs, or the next one, return with [`StreamEvent::Woken`].
    ///
    /// # Errors
    /// The system refuses.
    pub fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}

#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    /// Whether somebody may be waiting.
    ready: bool,
    /// Not to be asked before.
    pause: Option<Instant>,
}

const WAKER: Token = Token(0);

/// Streams, datagram sockets and wake-ups, in one poll.
#[derive(Debug)]
pub struct StreamPorts {
    poll: Poll,
    system: Events,
    waker: Waker,
    next: usize,
    // Ordered, so that events come in an order that can be told.
    listeners: BTreeMap<usize, Listener>,
    connections: BTreeMap<usize, Connection>,
    sockets: BTreeMap<usize, u64>,
    /// Events that arose outside a poll.
    early: Vec<StreamEvent>,
    buffer: Box<[u8; READ_BUFFER]>,
}

impl StreamPorts {
    /// Ports without any connection.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker(Arc::new(mio::Waker::new(poll.registry(), WAKER)?));
        Ok(StreamPorts {
            poll,
            system: Events::with_capacity(1024),
            waker,
            next: WAKER.0 + 1,
            listeners: BTreeMap::new(),
            connections: BTreeMap::new(),
            sockets: BTreeMap::new(),
            early: Vec::new(),
            buffer: Box::new([0; READ_BUFFER]),
        })
    }

    fn token(&mut self) -> usize {
        let token = self.next;
        self.next += 1;
        token
    }

    /// A handle by which other threads end a poll.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Listens for peers.
    ///
    /// # Errors
    /// The port is in use, not permitted, not of this machine, or the system refuses it otherwise.
    pub fn listen(&mut self, address: TcpAddress) -> Result<ListenerId, ListenError> {
        let token = self.token();
        let open = || {
            let mut socket = TcpListener::bind(address.0)?;
            self.poll.registry().register(&mut socket, Token(token), Interest::READABLE)?;
            Ok(socket)
        };
        let socket = open().map_err(|error| ListenError::new(address, error))?;
        self.listeners.insert(token, Listener { socket, ready: true, pause: None });
        Ok(ListenerId(token))
    }

    /// The address that is listened to, with the port that the system chose if 0 was asked for.
    pub fn listening_address(&self, listener: ListenerId) -> Option<TcpAddress> {
        self.listeners.get(&listener.0)?.socket.local_addr().ok().map(TcpAddress)
    }

    /// Listens no more. Connections stay.
    pub fn stop_listening(&mut self, listener: ListenerId) {
        self.listeners.remove(&listener.0);
    }

    /// Begins to connect. The outcome is told by [`StreamEvent::Connected`] or [`StreamEvent::ConnectFailed`].
    pub fn connect(&mut self, to: TcpAddress) -> ConnectionId {
        let token = self.token();
        let connection = ConnectionId(token);
        if self.connections.len() >= MAX_CONNECTIONS {
            let reason = ConnectError::TooMany { address: to, limit: MAX_CONNECTIONS };
            self.early.push(StreamEvent::ConnectFailed { connection, reason });
            return connection;
        }
        match TcpStream::connect(to.0).and_then(|stream| self.add(token, stream, to.0, State::Connecting)) {
            Ok(()) => {}
            Err(error) => {
                let reason = ConnectError::new(to.0, &error, CONNECT_PATIENCE.as_secs());
                self.early.push(StreamEvent::ConnectFailed { connection, reason });
            }
        }
        connection
    }

    fn add(&mut self, token: usize, mut stream: TcpStream, peer: SocketAddr, state: State) -> io::Result<()> {
        self.poll.registry().register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
        // Messages are put together here, so waiting for more would only delay acknowledgments.
        let _ = stream.set_nodelay(true);
        let mut connection = Connection::new(stream, peer, state);
        if state == State::Connecting {
            connection.deadline = Some(Instant::now() + CONNECT_PATIENCE);
        }
        self.connections.insert(token, connection);
        Ok(())
    }

    /// The peer's address.
    pub fn peer_address(&self, connection: ConnectionId) -> Option<SocketAddr> {
        self.connections.get(&connection.0).map(|connection| connection.peer)
    }

    /// Connections that exist, those being opened or closed too.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Begins a TLS handshake. `early` are octets of the peer that came with the last data and belong to TLS.
    /// No event of the connection may be left over from a poll when this is called.
    ///
    /// # Errors
    /// The settings cannot be used, in words. Unknown or closed connections are no error: their end is told by its event.
    pub fn start_tls(
        &mut self,
        connection: ConnectionId,
        role: TlsRole,
        settings: &TlsSettings,
        early: &[u8],
    ) -> Result<(), String> {
        let Some(open) = self.connections.get_mut(&connection.0).filter(|open| open.state == State::Open) else {
            return Ok(());
        };
        open.tls = Some(Box::new(Tls::new(role, settings, open.peer.ip())?));
        // Reading nothing brings the first message of a client.
        let turn = open.decrypt(early);
        let mut events = std::mem::take(&mut self.early);
        self.tell(connection.0, turn, &mut events);
        self.early = events;
        Ok(())
    }

    /// Octets that [`StreamPorts::write`] would take now; 0 during a handshake, and for a connection that is not open.
    pub fn room(&self, connection: ConnectionId) -> usize {
        self.connections.get(&connection.0).map_or(0, Connection::room)
    }

    /// Takes as many of these octets as there is room for and tells how many. The rest is to be offered again after
    /// [`StreamEvent::Writable`].
    pub fn write(&mut self, connection: ConnectionId, octets: &[u8]) -> usize {
        let Some(open) = self.connections.get_mut(&connection.0) else { return 0 };
        let taken = open.write(octets);
        open.wants_room |= taken < octets.len() || open.room() == 0;
        taken
    }

    /// Whether to read from a connection. What has been read is not taken back.
    pub fn set_reading(&mut self, connection: ConnectionId, reading: bool) {
        if let Some(open) = self.connections.get_mut(&connection.0) {
            open.reading = reading;
        }
    }

    /// Closes a connection after what was written has gone out, with FIN. No event of it follows.
    pub fn close(&mut self, connection: ConnectionId) {
        if let Some(open) = self.connections.get_mut(&connection.0) {
            if open.state == State::Connecting {
                self.connections.remove(&connection.0);
                return;
            }
            open.close();
            open.deadline = Some(Instant::now() + CLOSE_PATIENCE);
        }
    }

    /// Drops a connection at once, with what waits to be written. No event of it follows.
    pub fn abort(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection.0);
    }

    /// Lets a datagram socket, which becomes non-blocking, end a poll. `socket` comes back in [`StreamEvent::Readable`].
    ///
    /// # Errors
    /// The system refuses; the socket is registered already.
    pub fn register_udp(&mut self, udp: &UdpSocket, socket: u64) -> io::Result<()> {
        udp.set_nonblocking(true)?;
        let token = self.token();
        self.poll.registry().register(&mut SourceFd(&udp.as_raw_fd()), Token(token), Interest::READABLE)?;
        self.sockets.insert(token, socket);
        Ok(())
    }

    /// Forgets a datagram socket. It is to be called before the socket is closed.
    ///
    /// # Errors
    /// The system refuses; the socket is not registered.
    pub fn deregister_udp(&mut self, udp: &UdpSocket, socket: u64) -> io::Result<()> {
        self.sockets.retain(|_, known| *known != socket);
        self.poll.registry().deregister(&mut SourceFd(&udp.as_raw_fd()))
    }

    /// Writes what waits, then waits at most `timeout` (`None`: for ever) for something to happen, and appends it to `events`.
    ///
    /// # Errors
    /// The system refuses to wait. What concerns one connection is told as its event.
    pub fn poll(&mut self, timeout: Option<Duration>, events: &mut Vec<StreamEvent>) -> io::Result<()> {
        let before = events.len();
        events.append(&mut self.early);
        self.flush(events);
        let timeout =
            if events.len() > before || self.has_work() { Some(Duration::ZERO) } else { self.patience(timeout) };
        match self.poll.poll(&mut self.system, timeout) {
            // A signal is no reason to fail; the owner polls again.
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Err(_) => return Ok(()),
            Ok(()) => {}
        }
        self.note_readiness(events);
        self.accept(events);
        self.finish_connecting(events);
        self.read(events);
        self.flush(events);
        self.expire(events);
        self.connections.retain(|_, connection| connection.state != State::Gone);
        Ok(())
    }

    /// Whether something is known to be there already, which the system will not tell again.
    fn has_work(&self) -> bool {
        self.connections.values().any(Connection::may_read)
            || self.listeners.values().any(|listener| listener.ready && listener.pause.is_none())
    }

    /// The time to wait, cut at the next deadline.
    fn patience(&self, timeout: Option<Duration>) -> Option<Duration> {
        let deadlines = self.connections.values().filter_map(|connection| connection.deadline);
        let next = deadlines.chain(self.listeners.values().filter_map(|listener| listener.pause)).min();
        let until = next.map(|at| at.saturating_duration_since(Instant::now()));
        // Rounded up to what the system counts in, so that the deadline has passed then.
        let until = until.map(|left| left + Duration::from_millis(1));
        match (timeout, until) {
            (Some(timeout), Some(until)) => Some(timeout.min(until)),
            (timeout, until) => timeout.or(until),
        }
    }

    fn note_readiness(&mut self, events: &mut Vec<StreamEvent>) {
        for event in &self.system {
            let Token(token) = event.token();
            if event.token() == WAKER {
                events.push(StreamEvent::Woken);
            } else if let Some(connection) = self.connections.get_mut(&token) {
                connection.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
            } else if let Some(listener) = self.listeners.get_mut(&token) {
                listener.ready = true;
            } else if let Some(&socket) = self.sockets.get(&token) {
                events.push(StreamEvent::Readable { socket });
            }
        }
    }

    fn accept(&mut self, events: &mut Vec<StreamEvent>) {
        let now = Instant::now();
        let mut accepted = Vec::new();
        for (&token, listener) in &mut self.listeners {
            if listener.pause.is_some_and(|until| now >= until) {
                listener.pause = None;
            }
            for _ in 0..ACCEPT_TURN {
                if !listener.ready || listener.pause.is_some() {
                    break;
                }
                match listener.socket.accept() {
                    Ok((stream, peer)) => accepted.push((ListenerId(token), stream, peer)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => listener.ready = false,
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                    Err(_) => listener.pause = Some(now + ACCEPT_PAUSE),
                }
            }
        }
        for (listener, stream, peer) in accepted {
            if self.connections.len() >= MAX_CONNECTIONS {
                continue;
            }
            let token = self.token();
            if self.add(token, stream, peer, State::Open).is_ok() {
                events.push(StreamEvent::Accepted { listener, connection: ConnectionId(token), peer });
            }
        }
    }

    fn finish_connecting(&mut self, events: &mut Vec<StreamEvent>) {
        for (&token, connection) in &mut self.connections {
            if connection.state != State::Connecting {
                continue;
            }
            match connection.connected() {
                Some(Ok(())) => {
                    connection.deadline = None;
                    events.push(StreamEvent::Connected(ConnectionId(token)));
                }
                Some(Err(error)) => {
                    connection.state = State::Gone;
                    let reason = ConnectError::new(connection.peer, &error, CONNECT_PATIENCE.as_secs());
                    events.push(StreamEvent::ConnectFailed { connection: ConnectionId(token), reason });
                }
                None => {}
            }
        }
    }

    fn read(&mut self, events: &mut Vec<StreamEvent>) {
        let ready: Vec<usize> =
            self.connections.iter().filter(|(_, connection)| connection.may_read()).map(|(&token, _)| token).collect();
        for token in ready {
            let Some(connection) = self.connections.get_mut(&token) else { continue };
            let turn = connection.read(&mut self.buffer);
            self.tell(token, turn, events);
        }
    }

    fn tell(&mut self, token: usize, turn: Turn, events: &mut Vec<StreamEvent>) {
        let connection = ConnectionId(token);
        if let Some(peer) = turn.secured {
            events.push(StreamEvent::Secured { connection, peer });
        }
        if let Some(octets) = turn.data {
            events.push(StreamEvent::Data { connection, octets });
        }
        if let Some(reason) = turn.closed {
            if let Some(open) = self.connections.get_mut(&token).filter(|open| open.state == State::Flushing) {
                open.deadline = Some(Instant::now() + CLOSE_PATIENCE);
            }
            events.push(StreamEvent::Closed { connection, reason });
        }
    }

    fn flush(&mut self, events: &mut Vec<StreamEvent>) {
        for (&token, connection) in &mut self.connections {
            if !connection.has_output() && connection.state != State::Flushing && !connection.wants_room {
                continue;
            }
            if matches!(connection.state, State::Connecting | State::Gone) {
                continue;
            }
            let told = connection.state == State::Open;
            if let Err(reason) = connection.flush()
                && told
            {
                events.push(StreamEvent::Closed { connection: ConnectionId(token), reason });
            }
            if connection.wants_room && connection.room() >= ROOM_AGAIN {
                connection.wants_room = false;
                events.push(StreamEvent::Writable(ConnectionId(token)));
            }
        }
    }

    fn expire(&mut self, events: &mut Vec<StreamEvent>) {
        let now = Instant::now();
        for (&token, connection) in &mut self.connections {
            if connection.deadline.is_none_or(|deadline| now < deadline) {
                continue;
            }
            if connection.state == State::Connecting {
                let (address, seconds) = (TcpAddress(connection.peer), CONNECT_PATIENCE.as_secs());
                let reason = ConnectError::NoAnswer { address, seconds };
                events.push(StreamEvent::ConnectFailed { connection: ConnectionId(token), reason });
            }
            connection.state = State::Gone;
        }
    }
}
