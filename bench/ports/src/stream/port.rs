use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::connection::{CLOSE_PATIENCE, Connection, read_size};
use super::{StreamConfig, StreamFraming, StreamRole};
use crate::Timebase;
use crate::port::{Interest, Notice, Port, Received, Sent, Stopped};
use crate::tcp::{ConnectError, ListenError, TcpAddress};

/// How long to wait for an answer when connecting.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait before the next attempt to connect: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A connection that lasted so long was a success, and the next attempt waits no longer than the first did.
const SUCCESS: Duration = Duration::from_secs(5);
/// How long to leave the listener alone after the system could not give it a connection, for want of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait to be accepted, and that are taken from there in one turn.
const BACKLOG: i32 = 16;

#[derive(Debug)]
enum Link {
    /// Nobody has connected.
    Idle,
    /// The next attempt to connect is made then.
    Waiting {
        until: Instant,
    },
    /// An answer is awaited until then.
    Connecting {
        stream: TcpStream,
        until: Instant,
    },
    Open(Box<Connection>),
}

/// A TCP port; see the [module](super).
#[derive(Debug)]
pub struct StreamPort {
    config: StreamConfig,
    base: Timebase,
    listener: Option<TcpListener>,
    /// Not to be asked for a connection before.
    accept_pause: Option<Instant>,
    link: Link,
    notices: VecDeque<Notice>,
    /// Connections that are gone and whose end the far side has not answered yet.
    unanswered: u64,
    /// The wait before the next attempt to connect; `None` if none has failed.
    pause: Option<Duration>,
    /// The last reason that was told why connecting fails, so that it is not told with each attempt.
    told: String,
    buffer: Vec<u8>,
}

impl StreamPort {
    /// Opens a port: listens, or begins to connect. That nobody answers is no error: it goes on trying.
    ///
    /// # Errors
    /// The port to listen to is in use, not permitted, not of this machine, or the system refuses it otherwise.
    pub fn open(config: StreamConfig, base: &Timebase) -> Result<Self, ListenError> {
        let mut port = StreamPort {
            config,
            base: *base,
            listener: None,
            accept_pause: None,
            link: Link::Idle,
            notices: VecDeque::new(),
            unanswered: 0,
            pause: None,
            told: String::new(),
            buffer: vec![0; read_size(config.framing)],
        };
        match config.role {
            StreamRole::Connect => port.connect(base.now()),
            StreamRole::Listen => {
                let listen = || -> io::Result<(TcpListener, SocketAddr)> {
                    let socket = Socket::new(Domain::for_address(config.address), Type::STREAM, Some(Protocol::TCP))?;
                    // Connections of an earlier run that are not quite forgotten are no reason to refuse the port.
                    socket.set_reuse_address(true)?;
                    socket.bind(&SockAddr::from(config.address))?;
                    socket.listen(BACKLOG)?;
                    socket.set_nonblocking(true)?;
                    let listener = TcpListener::from(socket);
                    let address = listener.local_addr()?;
                    Ok((listener, address))
                };
                let opened = listen().map_err(|error| ListenError::new(TcpAddress(config.address), error))?;
                port.listener = Some(opened.0);
                port.config.address = opened.1;
            }
        }
        Ok(port)
    }

    /// The address that is listened to, with the port that the system chose if 0 was asked for; or that is connected to.
    pub fn address(&self) -> SocketAddr {
        self.config.address
    }

    fn is_raw(&self) -> bool {
        matches!(self.config.framing, StreamFraming::Raw { .. })
    }

    fn down(&mut self, detail: String, lost_frames: u64) {
        self.notices.push_back(Notice::Down { detail, lost_frames });
    }

    /// Begins an attempt to connect.
    fn connect(&mut self, now: Instant) {
        let address = self.config.address;
        let begin = || -> io::Result<Socket> {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_nonblocking(true)?;
            match socket.connect(&SockAddr::from(address)) {
                Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Err(error),
                _ => Ok(socket),
            }
        };
        match begin() {
            Ok(socket) => {
                self.link = Link::Connecting { stream: socket.into(), until: now + CONNECT_PATIENCE };
                self.finish_connecting(now);
            }
            Err(error) => self.connecting_failed(&error, now),
        }
    }

    fn finish_connecting(&mut self, now: Instant) {
        let Link::Connecting { stream, until } = &self.link else { return };
        let error = match (stream.take_error(), stream.peer_addr()) {
            (Ok(Some(error)) | Err(error), _) => error,
            // Where nobody listens, the system may have chosen that very port for our end, and so connected it to itself.
            (Ok(None), Ok(peer)) if stream.local_addr().is_ok_and(|local| local == peer) => {
                ErrorKind::ConnectionRefused.into()
            }
            (Ok(None), Ok(_)) => {
                if let Link::Connecting { stream, .. } = std::mem::replace(&mut self.link, Link::Idle) {
                    self.open_link(stream, self.config.address, now);
                }
                return;
            }
            (Ok(None), Err(_)) if now < *until => return,
            (Ok(None), Err(_)) => ErrorKind::TimedOut.into(),
        };
        self.connecting_failed(&error, now);
    }

    fn connecting_failed(&mut self, error: &io::Error, now: Instant) {
        let seconds = CONNECT_PATIENCE.as_millis() as u64 / 1000;
        let reason = ConnectError::new(self.config.address, error, seconds).to_string();
        if reason != self.told {
            self.down(format!("{reason} (it is tried again)"), 0);
            self.told = reason;
        }
        self.retry(now);
    }

    /// Lets the next attempt wait, longer each time.
    fn retry(&mut self, now: Instant) {
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| pause.saturating_mul(2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        self.link = Link::Waiting { until: now + pause };
    }

    fn open_link(&mut self, stream: TcpStream, peer: SocketAddr, now: Instant) {
        match Connection::new(stream, peer, self.config.framing, now) {
            Ok(connection) => {
                self.told.clear();
                self.link = Link::Open(Box::new(connection));
                let detail = match self.config.role {
                    StreamRole::Listen => format!("connected by {peer}"),
                    StreamRole::Connect => format!("connected to {peer}"),
                };
                self.notices.push_back(Notice::Up { detail });
            }
            Err(error) if self.config.role == StreamRole::Connect => self.connecting_failed(&error, now),
            // It was gone before it could be set up.
            Err(_) => self.link = Link::Idle,
        }
    }

    /// Takes in who waits at the listener.
    fn accept(&mut self, now: Instant) {
        if self.accept_pause.is_some_and(|until| now >= until) {
            self.accept_pause = None;
        }
        for _ in 0..BACKLOG {
            // Who has closed and connects again at once is not refused: the end of the old connection has to be read first.
            let ending = matches!(&self.link, Link::Open(open) if !open.ended && open.peer_is_gone());
            if ending || !self.wants_to_accept() {
                return;
            }
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Ok((stream, peer)) => self.accepted(stream, peer, now),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    if error.kind() != ErrorKind::WouldBlock {
                        self.accept_pause = Some(now + ACCEPT_PAUSE);
                        let reason = format!("a connection cannot be accepted: {error}");
                        if reason != self.told {
                            self.notices.push_back(Notice::Remark { detail: reason.clone() });
                            self.told = reason;
                        }
                    }
                    return;
                }
            }
        }
    }

    /// Whoever connects while we close our side behind the far side's end is not to be refused, but to wait until it is closed.
    fn wants_to_accept(&self) -> bool {
        let closing = matches!(&self.link, Link::Open(open) if open.closing.is_some() && !open.ended);
        self.listener.is_some() && self.accept_pause.is_none() && !closing
    }

    fn accepted(&mut self, stream: TcpStream, peer: SocketAddr, now: Instant) {
        match &self.link {
            Link::Open(open) if !open.ended => {
                let detail = format!("a second connection, from {peer}, is refused: {} has the port", open.peer);
                self.notices.push_back(Notice::Remark { detail });
            }
            Link::Open(open) => {
                let detail =
                    format!("the connection of {}, ended by it, gives way to a new one{}", open.peer, open.left());
                self.gone(detail, now);
                self.open_link(stream, peer, now);
            }
            _ => self.open_link(stream, peer, now),
        }
    }

    /// The connection is no more.
    fn gone(&mut self, detail: String, now: Instant) {
        let Link::Open(mut connection) = std::mem::replace(&mut self.link, Link::Idle) else { return };
        self.notices.extend(connection.end());
        if self.is_raw() {
            if !connection.ended {
                self.notices.push_back(Notice::Ended { detail: detail.clone() });
            }
            if !connection.hung_up {
                self.unanswered += 1;
            }
        }
        self.down(detail, connection.frames_left());
        if self.config.role == StreamRole::Connect {
            let answered = connection.hung_up;
            // The peer's own sockets must be closed before it is called again.
            let lasted = now.saturating_since(connection.since);
            drop(connection);
            if answered || lasted >= SUCCESS {
                self.pause = None;
            }
            if answered {
                self.connect(now);
            } else {
                self.retry(now);
            }
        }
    }

    /// Reads and writes what can be, and draws the consequences.
    fn turn(&mut self, base: &Timebase, frames: &mut Vec<Received>) {
        let raw = self.is_raw();
        let Link::Open(open) = &mut self.link else { return };
        let had_ended = open.ended;
        open.read(base, &mut self.buffer, frames, &mut self.notices);
        let now = base.now();
        open.flush(now);
        if open.ended && !had_ended {
            let detail = format!("{} has closed its side", open.peer);
            if raw {
                self.notices.push_back(Notice::Ended { detail });
            } else {
                open.close(now);
            }
        }
        let detail = if let Some(why) = open.lost.take() {
            why
        } else if open.is_over() {
            format!("the connection with {} is closed", open.peer)
        } else if open.closing.is_some_and(|until| now >= until) {
            let patience = CLOSE_PATIENCE.as_millis() / 1000;
            format!("{} did not let the connection be closed within {patience} s{}", open.peer, open.left())
        } else {
            return;
        };
        self.gone(detail, now);
        // Who has waited for that is taken in at once, so that what is sent meanwhile finds a connection.
        self.accept(now);
    }
}

impl Port for StreamPort {
    fn name(&self) -> String {
        self.config.to_string()
    }

    fn interest<'a>(&'a self, watch: &mut dyn FnMut(Interest<'a>)) {
        if let Some(listener) = self.listener.as_ref().filter(|_| self.wants_to_accept()) {
            watch(Interest { fd: listener.as_fd(), readable: true, writable: false });
        }
        match &self.link {
            Link::Idle | Link::Waiting { .. } => {}
            Link::Connecting { stream, .. } => watch(Interest { fd: stream.as_fd(), readable: false, writable: true }),
            Link::Open(open) => {
                // Also if neither is of interest: that the connection is reset is told by itself.
                let (readable, writable) = open.interest();
                watch(Interest { fd: open.stream.as_fd(), readable, writable });
            }
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        let link = match &self.link {
            Link::Idle => None,
            Link::Waiting { until } | Link::Connecting { until, .. } => Some(*until),
            Link::Open(open) if open.has_news() => Some(self.base.now()),
            Link::Open(open) => open.closing,
        };
        [link, self.accept_pause].into_iter().flatten().min()
    }

    fn receive(&mut self, base: &Timebase, frames: &mut Vec<Received>) -> io::Result<()> {
        let now = base.now();
        self.accept(now);
        match self.link {
            Link::Waiting { until } if now >= until => self.connect(now),
            Link::Connecting { .. } => self.finish_connecting(now),
            _ => {}
        }
        self.turn(base, frames);
        Ok(())
    }

    fn send(&mut self, frames: &[Bytes]) -> Sent {
        if frames.is_empty() {
            return Sent::all(0);
        }
        let stopped = match &mut self.link {
            Link::Open(open) if open.closing.is_none() => return open.send(frames, self.base.now()),
            Link::Open(_) => Stopped::Busy,
            Link::Connecting { .. } if self.pause.is_none() => Stopped::Busy,
            _ => Stopped::Down,
        };
        Sent { taken: 0, stopped: Some(stopped) }
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    fn hangs_up(&self) -> bool {
        self.is_raw()
    }

    fn hang_up(&mut self) {
        if !self.is_raw() {
            return;
        }
        if self.unanswered > 0 {
            self.unanswered -= 1;
            return;
        }
        match &mut self.link {
            Link::Open(open) => {
                open.hung_up = true;
                open.close(self.base.now());
            }
            _ => {
                let detail = "the far side has hung up, and there is no connection here".to_owned();
                self.notices.push_back(Notice::Ended { detail });
            }
        }
    }
}
