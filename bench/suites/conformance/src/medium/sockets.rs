//! A real node behind real sockets, in real time.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use farlink_units::{Duration, Instant};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;

use super::{Arrival, Door, Happening, Medium, Order, Stream, Unable};

/// Longest datagram.
const LONGEST_DATAGRAM: usize = 65_535;
/// Octets that are read from a connection at once.
const READ_SIZE: usize = 1 << 16;
/// How long the node may be silent before it is asked whether it still runs.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How often the host is asked how late it is.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_millis(20);

/// Where a door of the node is, and where the tester is for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketDoor {
    /// The door.
    pub door: Door,
    /// Where the node listens; `None` if it only connects.
    pub node: Option<SocketAddr>,
    /// Where the tester listens, which is also where its datagrams come from; `None` if nothing comes to it by itself.
    pub tester: Option<SocketAddr>,
}

/// Hooks of a real node: what it can be made to do, and what it has delivered.
pub trait Hooks {
    /// Makes it do something.
    ///
    /// # Errors
    /// The description gives no way, or the way fails.
    fn order(&mut self, order: &Order) -> Result<(), Unable>;

    /// What it has delivered since it was last asked.
    fn delivered(&mut self) -> Vec<Vec<u8>>;

    /// How it ended, if it has.
    fn ended(&mut self) -> Option<String>;
}

/// No way to reach the node but the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn order(&mut self, _order: &Order) -> Result<(), Unable> {
        Err(Unable::Unsupported("the node's description gives no command for it".to_owned()))
    }

    fn delivered(&mut self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn ended(&mut self) -> Option<String> {
        None
    }
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    socket: TcpStream,
    reads: bool,
    open: bool,
    to_write: VecDeque<u8>,
    finishes: bool,
}

/// A real node behind real sockets.
pub struct Sockets {
    origin: std::time::Instant,
    datagrams: Vec<(Door, UdpSocket, Option<SocketAddr>)>,
    listeners: Vec<(Door, TcpListener, bool)>,
    nodes: Vec<(Door, SocketAddr)>,
    connections: Vec<Connection>,
    next_stream: u32,
    waiting: VecDeque<Arrival>,
    hooks: Box<dyn Hooks>,
    asked: Instant,
    ended: bool,
    patience: std::time::Duration,
    heartbeat: Heartbeat,
    late: Duration,
}

impl Sockets {
    /// Opens the tester's side of every door. `patience` is how long a connection may take.
    ///
    /// # Errors
    /// A port is in use or cannot be had: which, and what the system says.
    pub fn open(doors: &[SocketDoor], patience: Duration, hooks: Box<dyn Hooks>) -> Result<Self, String> {
        let mut this = Sockets {
            origin: std::time::Instant::now(),
            datagrams: Vec::new(),
            listeners: Vec::new(),
            nodes: Vec::new(),
            connections: Vec::new(),
            next_stream: 0,
            waiting: VecDeque::new(),
            hooks,
            asked: Instant::ZERO,
            ended: false,
            patience: patience.to_std(),
            heartbeat: Heartbeat::start(),
            late: Duration::ZERO,
        };
        for told in doors {
            let (door, text) = (told.door, told.door.as_str());
            this.nodes.extend(told.node.map(|node| (door, node)));
            if door.is_datagrams() {
                let any = match told.node {
                    Some(SocketAddr::V6(_)) => SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0)),
                    _ => SocketAddr::from((std::net::Ipv4Addr::UNSPECIFIED, 0)),
                };
                let at = told.tester.unwrap_or(any);
                let socket = UdpSocket::bind(at).map_err(|e| in_use(text, &format!("udp:{at}"), &e))?;
                socket.set_nonblocking(true).map_err(|e| in_use(text, &format!("udp:{at}"), &e))?;
                // A burst of an eager node must not be lost here. Less is granted than asked for, if the host says so.
                let _ = sockopt::set_socket_recv_buffer_size(&socket, 4 << 20);
                this.datagrams.push((door, socket, told.node));
            } else if let Some(at) = told.tester {
                let listener = TcpListener::bind(at).map_err(|e| in_use(text, &format!("tcp:{at}"), &e))?;
                listener.set_nonblocking(true).map_err(|e| in_use(text, &format!("tcp:{at}"), &e))?;
                this.listeners.push((door, listener, true));
            }
        }
        Ok(this)
    }

    /// Where the tester listens for a door.
    pub fn address(&self, door: Door) -> Option<SocketAddr> {
        let datagrams = self.datagrams.iter().find(|(d, ..)| *d == door).and_then(|(_, s, _)| s.local_addr().ok());
        datagrams.or_else(|| self.listeners.iter().find(|(d, ..)| *d == door).and_then(|(_, l, _)| l.local_addr().ok()))
    }

    fn stream(&mut self, door: Door) -> Stream {
        let number = self.next_stream;
        self.next_stream += 1;
        Stream { door, number }
    }

    fn take_up(&mut self, stream: Stream, socket: TcpStream) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        self.connections.push(Connection {
            stream,
            socket,
            reads: true,
            open: true,
            to_write: VecDeque::new(),
            finishes: false,
        });
        Ok(())
    }

    fn connection(&mut self, stream: Stream) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|c| c.stream == stream)
    }

    /// Waits for something on any socket, at most until `until`, and takes all that is there.
    fn wait(&mut self, until: Instant) {
        let asks = self.asked + ASK_AGAIN;
        let limit = until.min(asks);
        let wait = (limit - self.now()).max(Duration::ZERO);
        let timeout = Timespec { tv_sec: wait.as_nanos() / 1_000_000_000, tv_nsec: wait.as_nanos() % 1_000_000_000 };
        let mut polled: Vec<PollFd<'_>> = Vec::new();
        for (_, socket, _) in &self.datagrams {
            polled.push(PollFd::new(socket, PollFlags::IN));
        }
        for (_, listener, _) in &self.listeners {
            polled.push(PollFd::new(listener, PollFlags::IN));
        }
        for connection in &self.connections {
            let reads = if connection.reads && connection.open { PollFlags::IN } else { PollFlags::empty() };
            let writes = if connection.to_write.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            if !(reads | writes).is_empty() {
                polled.push(PollFd::from_borrowed_fd(connection.socket.as_fd(), reads | writes));
            }
        }
        // Interrupted or not: what there is, is taken below.
        let _ = poll(&mut polled, Some(&timeout));
        drop(polled);
        self.take_datagrams();
        self.take_connections();
        self.take_octets();
        self.ask_hooks();
    }

    fn take_datagrams(&mut self) {
        let mut buffer = [0; LONGEST_DATAGRAM];
        let at = self.now();
        for (door, socket, node) in &self.datagrams {
            loop {
                match socket.recv_from(&mut buffer) {
                    // Another than the node is none of the exchange's business; a node may send from any port of its host.
                    Ok((_, from)) if node.is_some_and(|node| node.ip() != from.ip()) => {}
                    Ok((length, _)) => {
                        let octets = buffer[..length].to_vec();
                        self.waiting.push_back(Arrival { at, what: Happening::Datagram { door: *door, octets } });
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // The node's port was closed when an earlier datagram came: told by its silence.
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                    Err(_) => break,
                }
            }
        }
    }

    fn take_connections(&mut self) {
        let mut taken = Vec::new();
        for (door, listener, listens) in &self.listeners {
            while let Ok((socket, _)) = listener.accept() {
                taken.push((*door, socket, *listens));
            }
        }
        for (door, socket, listens) in taken {
            let stream = self.stream(door);
            let what = if !listens {
                abandon(&socket);
                Happening::Reset { stream }
            } else if self.take_up(stream, socket).is_ok() {
                Happening::Opened { stream }
            } else {
                continue;
            };
            self.waiting.push_back(Arrival { at: self.now(), what });
        }
    }

    fn take_octets(&mut self) {
        let mut buffer = vec![0; READ_SIZE];
        let at = Instant::ZERO + self.origin.elapsed().into();
        for connection in &mut self.connections {
            flush(connection);
            let stream = connection.stream;
            while connection.reads && connection.open {
                let what = match connection.socket.read(&mut buffer) {
                    Ok(0) => Happening::Finished { stream },
                    Ok(length) => Happening::Octets { stream, octets: buffer[..length].to_vec() },
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => Happening::Reset { stream },
                };
                connection.open = matches!(what, Happening::Octets { .. });
                self.waiting.push_back(Arrival { at, what });
            }
        }
    }

    fn ask_hooks(&mut self) {
        let now = self.now();
        if now < self.asked + ASK_AGAIN {
            return;
        }
        self.asked = now;
        for payload in self.hooks.delivered() {
            self.waiting.push_back(Arrival { at: now, what: Happening::Delivered { destination: None, payload } });
        }
        if !self.ended
            && let Some(how) = self.hooks.ended()
        {
            self.ended = true;
            self.waiting.push_back(Arrival { at: now, what: Happening::Ended { how } });
        }
    }
}

fn in_use(door: &str, at: &str, error: &io::Error) -> String {
    format!("the tester cannot open {at} for {door}: {error}; end what uses it, or give the tester another address")
}

/// Has a connection be reset when it is dropped.
fn abandon(socket: &TcpStream) {
    let _ = sockopt::set_socket_linger(socket, Some(std::time::Duration::ZERO));
}

fn flush(connection: &mut Connection) {
    while !connection.to_write.is_empty() {
        let (first, _) = connection.to_write.as_slices();
        match connection.socket.write(first) {
            Ok(written) => drop(connection.to_write.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The node has closed; reading tells so.
            Err(_) => connection.to_write.clear(),
        }
    }
    if connection.finishes {
        connection.finishes = false;
        let _ = connection.socket.shutdown(std::net::Shutdown::Write);
    }
}

impl Medium for Sockets {
    fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed().into()
    }

    fn send(&mut self, door: Door, octets: &[u8]) -> Result<(), Unable> {
        let unsupported = || Unable::Unsupported(format!("the node has no {} port", door.as_str()));
        let found = self.datagrams.iter().find(|(d, ..)| *d == door).ok_or_else(unsupported)?;
        let to = found.2.ok_or_else(unsupported)?;
        match found.1.send_to(octets, to) {
            Ok(_) => Ok(()),
            // The node is not there: its silence, or its end, will tell.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(Unable::Failed(format!("cannot send {} octets to udp:{to}: {error}", octets.len()))),
        }
    }

    fn connect(&mut self, door: Door) -> Result<Stream, Unable> {
        let Some(&(_, node)) = self.nodes.iter().find(|(d, _)| *d == door) else {
            return Err(Unable::Unsupported(format!("the node does not listen for {}", door.as_str())));
        };
        let stream = self.stream(door);
        let socket = TcpStream::connect_timeout(&node, self.patience);
        let what = match socket.and_then(|socket| self.take_up(stream, socket)) {
            Ok(()) => Happening::Opened { stream },
            Err(_) => Happening::Reset { stream },
        };
        self.waiting.push_back(Arrival { at: self.now(), what });
        Ok(stream)
    }

    fn write(&mut self, stream: Stream, octets: &[u8]) -> Result<(), Unable> {
        if let Some(connection) = self.connection(stream) {
            connection.to_write.extend(octets);
            flush(connection);
        }
        Ok(())
    }

    fn finish(&mut self, stream: Stream) {
        if let Some(connection) = self.connection(stream) {
            connection.finishes = true;
            flush(connection);
        }
    }

    fn reset(&mut self, stream: Stream) {
        if let Some(place) = self.connections.iter().position(|c| c.stream == stream) {
            abandon(&self.connections.swap_remove(place).socket);
        }
    }

    fn release(&mut self) -> Vec<Stream> {
        // What was opened meanwhile and nobody has asked for is left behind, too.
        self.take_connections();
        let connections = std::mem::take(&mut self.connections);
        for connection in &connections {
            abandon(&connection.socket);
        }
        self.waiting.retain(|arrival| {
            matches!(arrival.what, Happening::Datagram { .. } | Happening::Delivered { .. } | Happening::Ended { .. })
        });
        self.listeners.iter_mut().for_each(|(_, _, listens)| *listens = true);
        connections.into_iter().map(|connection| connection.stream).collect()
    }

    fn set_reading(&mut self, stream: Stream, reading: bool) {
        if let Some(connection) = self.connection(stream) {
            connection.reads = reading;
        }
    }

    fn set_listening(&mut self, door: Door, listening: bool) {
        for listener in self.listeners.iter_mut().filter(|(d, ..)| *d == door) {
            listener.2 = listening;
        }
    }

    fn next(&mut self, until: Instant) -> Option<Arrival> {
        loop {
            if let Some(arrival) = self.waiting.front() {
                // A node that sends without end must not keep a case from coming to its own.
                return if arrival.at > until { None } else { self.waiting.pop_front() };
            }
            let before = self.now();
            if before >= until {
                return None;
            }
            self.wait(until);
            let limit = until.min(before + ASK_AGAIN);
            self.late = self.late.max(self.now() - limit);
        }
    }

    fn order(&mut self, order: &Order) -> Result<(), Unable> {
        self.hooks.order(order)
    }

    fn timing_error(&mut self) -> Duration {
        let late = std::mem::replace(&mut self.late, Duration::ZERO);
        late.max(self.heartbeat.take())
    }
}

/// A thread that sleeps and sees how late it wakes up: what holds it up holds up the tester too.
struct Heartbeat {
    worst_ns: Arc<AtomicI64>,
    over: Arc<AtomicBool>,
}

impl Heartbeat {
    fn start() -> Self {
        let this = Heartbeat { worst_ns: Arc::default(), over: Arc::default() };
        let (worst, over) = (Arc::clone(&this.worst_ns), Arc::clone(&this.over));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let start = std::time::Instant::now();
                thread::sleep(HEARTBEAT);
                let late = start.elapsed().saturating_sub(HEARTBEAT);
                worst.fetch_max(i64::try_from(late.as_nanos()).unwrap_or(i64::MAX), Ordering::Relaxed);
            }
        });
        this
    }

    fn take(&self) -> Duration {
        Duration::from_nanos(self.worst_ns.swap(0, Ordering::Relaxed))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
