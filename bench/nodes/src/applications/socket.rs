//! Delivery over a local socket, and requests to send from there.
//!
//! One thread waits for the socket, the one application and the loop at once; nothing in it blocks.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use farlink_engine::bp::Handle;
use farlink_wire::bpv7::Eid;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, SockAddr, Socket, Type};

use super::error::system;
use super::protocol::{self, Found, Input};
use super::worker::{self, Item, Job, Queue, Reporter, Thread, Told};
use super::{OpenError, unit_name};

/// Longest path of a socket, in octets: what the system's address holds, less its end.
pub const LONGEST_SOCKET_PATH: usize = 107;

/// How long connections are left waiting if the system cannot give them a descriptor, in milliseconds.
const ACCEPT_PAUSE_MS: u16 = 1000;

/// Starts to listen.
pub(super) fn start(path: &Path, endpoint: Eid, reporter: Reporter, longest_unit: u64) -> Result<Thread, OpenError> {
    let listening = Listening::open(path)?;
    let bells = || -> io::Result<(UnixStream, UnixStream)> {
        let (ring, bell) = UnixStream::pair()?;
        ring.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        Ok((ring, bell))
    };
    let (ring, bell) = bells().map_err(system("make a socket pair for", path))?;
    worker::spawn(Queue::with_bell(ring), move |queue| {
        let mut server =
            Server { listening, bell, endpoint, reporter, longest_unit, epoch: 0, connections: 0, connection: None };
        server.serve(queue);
    })
}

/// A socket on which is listened, removed in the end.
struct Listening {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the socket's file: one of the same name may be another's by the time that this one goes.
    file: (u64, u64),
}

impl Listening {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let octets = path.as_os_str().as_bytes().len();
        if octets > LONGEST_SOCKET_PATH {
            return Err(OpenError::SocketPathTooLong { path: path.to_owned(), octets, most: LONGEST_SOCKET_PATH });
        }
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(OpenError::NotASocket { path: path.to_owned() });
            }
            Ok(_) if is_live(path) => return Err(OpenError::SocketInUse { path: path.to_owned() }),
            Ok(_) => fs::remove_file(path).map_err(system("replace the socket", path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(system("open the socket", path)(error)),
        }
        let open = || -> io::Result<Listening> {
            let listener = UnixListener::bind(path)?;
            listener.set_nonblocking(true)?;
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
            // Whoever came before the permissions were set has not been asked for them.
            while listener.accept().is_ok() {}
            let file = fs::symlink_metadata(path)?;
            Ok(Listening { listener, path: path.to_owned(), file: (file.dev(), file.ino()) })
        };
        open().map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => OpenError::SocketInUse { path: path.to_owned() },
            _ => system("listen on the socket", path)(error),
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether somebody listens there. What says neither yes nor no is left alone.
fn is_live(path: &Path) -> bool {
    let connect = || -> io::Result<()> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // A program with a full backlog would make this wait.
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    !matches!(connect(), Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

/// How often is read, 64 KiB each time, before the loop is listened to again.
const READS_IN_A_TURN: usize = 16;

/// A message on its way to the application.
struct Outgoing {
    pieces: VecDeque<Bytes>,
    begun: bool,
    /// Whether it answers a request.
    answers: bool,
}

struct Connection {
    number: u64,
    stream: UnixStream,
    input: Input,
    output: VecDeque<Outgoing>,
    /// Units that were given to it, or wait to be.
    unconfirmed: VecDeque<Unconfirmed>,
    /// A request is with the loop.
    asked: bool,
    /// The answer to a request waits to be read. Nothing more is read before, so that an application cannot make the node
    /// keep answers without end.
    answering: bool,
    /// It has gone, and is forgotten when its request has been answered.
    hung_up: bool,
    /// Nothing can be written any more, though something may still be read.
    deaf: bool,
}

struct Unconfirmed {
    name: String,
    handle: Handle,
    bytes: u64,
    source: Eid,
}

struct Server {
    listening: Listening,
    bell: UnixStream,
    endpoint: Eid,
    reporter: Reporter,
    longest_unit: u64,
    epoch: u64,
    connections: u64,
    connection: Option<Connection>,
}

/// What the wait has found.
#[derive(Default)]
struct Ready {
    caller: bool,
    application: bool,
}

impl Server {
    fn serve(&mut self, queue: &Queue) {
        let mut accepting = true;
        while !queue.is_stopping() {
            let Ok(ready) = self.wait(accepting) else { continue };
            while matches!((&self.bell).read(&mut [0; 64]), Ok(1..)) {}
            for item in queue.take() {
                self.take(item);
            }
            if let Some(connection) = &mut self.connection {
                let gone = connection.turn(&self.endpoint, &self.reporter, ready.application);
                if let Err(why) = gone {
                    self.disconnect(queue, &why);
                }
            }
            accepting = !accepting || !ready.caller || self.accept();
        }
    }

    /// Waits until there is something to do.
    fn wait(&self, accepting: bool) -> Result<Ready, nix::Error> {
        let mut waits = vec![PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
        let listener = accepting.then(|| {
            waits.push(PollFd::new(self.listening.listener.as_fd(), PollFlags::POLLIN));
            waits.len() - 1
        });
        let application = self.connection.as_ref().and_then(|connection| {
            let flags = connection.awaited()?;
            waits.push(PollFd::new(connection.stream.as_fd(), flags));
            Some(waits.len() - 1)
        });
        let time = if accepting { PollTimeout::NONE } else { PollTimeout::from(ACCEPT_PAUSE_MS) };
        poll(&mut waits, time)?;
        let is_ready = |place: Option<usize>| place.is_some_and(|place| waits[place].any().unwrap_or(true));
        Ok(Ready { caller: is_ready(listener), application: is_ready(application) })
    }

    fn take(&mut self, item: Item) {
        let Some(connection) = &mut self.connection else { return };
        match item {
            Item::Job(Job { handle, delivery, epoch }) if epoch == self.epoch => {
                let name = unit_name(&delivery.id);
                let mut pieces = VecDeque::from([Bytes::from(protocol::deliver(&name, &delivery))]);
                let bytes = delivery.payload.iter().map(|piece| piece.len() as u64).sum();
                pieces.extend(delivery.payload);
                connection.unconfirmed.push_back(Unconfirmed { name, handle, bytes, source: delivery.id.source });
                connection.output.push_back(Outgoing { pieces, begun: false, answers: false });
            }
            Item::Reply { connection: number, line } if number == connection.number => {
                connection.answer(line);
            }
            Item::Job(_) | Item::Reply { .. } => {}
        }
    }

    /// Takes those who call. `false`: the system cannot now.
    fn accept(&mut self) -> bool {
        loop {
            let stream = match self.listening.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            };
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            if self.connection.is_some() {
                let line = protocol::error("in use: another application is connected, and one at a time is served");
                // A new connection has room for a line.
                let _ = (&stream).write_all(&line);
                continue;
            }
            self.connections += 1;
            self.connection = Some(Connection {
                number: self.connections,
                stream,
                input: Input::new(self.longest_unit),
                output: VecDeque::new(),
                unconfirmed: VecDeque::new(),
                asked: false,
                answering: false,
                hung_up: false,
                deaf: false,
            });
            self.reporter.tell(Told::Up);
        }
    }

    fn disconnect(&mut self, queue: &Queue, why: &str) {
        self.connection = None;
        self.epoch += 1;
        queue.clear();
        let path = self.listening.path.display();
        let reason = format!("the application at {path} {why} before it confirmed: it gets the data when it connects");
        self.reporter.tell(Told::Down { reason, retry_after: None });
    }
}

impl Connection {
    /// What it waits for; `None` for nothing, not even for its end.
    fn awaited(&self) -> Option<PollFlags> {
        let mut flags = PollFlags::empty();
        if !self.asked && !self.answering {
            flags |= PollFlags::POLLIN;
        }
        if !self.output.is_empty() {
            flags |= PollFlags::POLLOUT;
        }
        (!self.hung_up).then_some(flags)
    }

    /// Answers, before the units that wait.
    fn answer(&mut self, line: Vec<u8>) {
        self.asked = false;
        self.answering = true;
        let place = self.output.iter().take_while(|message| message.begun).count();
        let pieces = VecDeque::from([line.into()]);
        self.output.insert(place, Outgoing { pieces, begun: false, answers: true });
    }

    /// Reads and writes what can be. An error says how it ended.
    fn turn(&mut self, endpoint: &Eid, reporter: &Reporter, ready: bool) -> Result<(), String> {
        loop {
            if let Err(why) = self.read(endpoint, reporter, ready) {
                self.last_words(&why);
                return Err(format!("sent what cannot be read ({why}) and was disconnected"));
            }
            let answering = self.answering;
            self.write();
            if self.answering || !answering {
                break;
            }
            // What has come after the request can be read now that it is answered.
        }
        if self.hung_up && !self.asked {
            return Err("has closed the connection".to_owned());
        }
        Ok(())
    }

    fn read(&mut self, endpoint: &Eid, reporter: &Reporter, ready: bool) -> Result<(), String> {
        let mut part = vec![0; 64 << 10];
        let mut reads = 0;
        loop {
            while !self.asked
                && !self.answering
                && let Some(found) = self.input.next(endpoint)?
            {
                self.found(found, reporter)?;
                // An answer that there is room for is on its way at once.
                self.write();
            }
            if self.asked || self.answering {
                // What follows the request waits in the socket. If the application has gone, so it has when the answer is
                // there; until then its end would wake this thread over and over.
                self.hung_up |= ready && is_hung_up(&self.stream);
                return Ok(());
            }
            if (!ready && !self.hung_up) || reads == READS_IN_A_TURN {
                return Ok(());
            }
            reads += 1;
            match self.stream.read(&mut part) {
                Ok(0) => {
                    self.hung_up = true;
                    return Ok(());
                }
                Ok(length) => self.input.add(&part[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => {
                    self.hung_up = true;
                    return Ok(());
                }
            }
        }
    }

    fn found(&mut self, found: Found, reporter: &Reporter) -> Result<(), String> {
        match found {
            Found::Delivered(name) => {
                let place = self.unconfirmed.iter().position(|unit| unit.name == name);
                let Some(unit) = place.and_then(|place| self.unconfirmed.remove(place)) else {
                    return Err(format!("no unit `{}` waits for a confirmation", name.escape_debug()));
                };
                let Unconfirmed { handle, bytes, source, .. } = unit;
                let told = format!("gave {bytes} bytes from {source} to the application as {name}");
                reporter.tell(Told::Done { handle, told });
            }
            Found::Send(transmission) => {
                self.asked = true;
                reporter.tell(Told::Send { connection: self.number, transmission });
            }
            Found::Refused(why) => self.answer(protocol::error(&why)),
        }
        Ok(())
    }

    /// Writes what the application has room for.
    fn write(&mut self) {
        while !self.deaf
            && let Some(message) = self.output.front_mut()
        {
            let Some(piece) = message.pieces.front_mut() else {
                self.answering &= !message.answers;
                self.output.pop_front();
                continue;
            };
            if piece.is_empty() {
                message.pieces.pop_front();
                continue;
            }
            match self.stream.write(piece) {
                Ok(length) => {
                    message.begun = true;
                    piece.advance(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // It may have confirmed before it went: its end shows when all has been read.
                Err(_) => self.deaf = true,
            }
        }
        if self.deaf {
            self.output.clear();
            self.answering = false;
        }
    }

    /// Says why the connection is closed, unless a message is half written, in which it would drown.
    fn last_words(&mut self, why: &str) {
        if self.output.front().is_none_or(|message| !message.begun) {
            self.output.clear();
            self.answer(protocol::error(why));
            self.write();
        }
    }
}

fn is_hung_up(stream: &UnixStream) -> bool {
    let mut wait = [PollFd::new(stream.as_fd(), PollFlags::empty())];
    poll(&mut wait, PollTimeout::ZERO).is_ok_and(|_| wait[0].any().unwrap_or(true))
}
