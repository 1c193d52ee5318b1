//! The emulator's end of the socket.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use farlink_record::ChannelId;
use farlink_record::control::Control;
use rustix::event::{PollFd, PollFlags, poll};
use thiserror::Error;

use crate::place::{own_uid, peer_uid, prepare_folder};
use crate::protocol::{Answer, AnswerLine, Ask, MAX_LINE, RequestLine, VERSION, VersionOnly, channel_named};

/// Requests that may wait for the emulator.
const WAITING: usize = 64;

/// How long another starting emulator may take to look at what is in the folder.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// What clients may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many may be connected at once.
    pub clients: usize,
    /// How long one may be silent, or take for a line, until it is sent away.
    pub silence: Duration,
    /// How long the emulator may take for an answer.
    pub answer: Duration,
}

impl Default for Limits {
    /// Eight clients, a minute of silence, five seconds for an answer.
    fn default() -> Self {
        Limits { clients: 8, silence: Duration::from_secs(60), answer: Duration::from_secs(5) }
    }
}

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum SocketError {
    /// The path ends in no name.
    #[error("{}: not the name of a file: give the path of a socket, as in `--control emulator.sock`", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// Its folder is not there, or cannot be looked at.
    #[error("cannot use the folder {}: {source}; make it, or choose another path", folder.display())]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may write there.
    #[error(
        "others may write in {} (mode {mode:o}) and could put a socket of theirs in the place of this one: `chmod go-w` it, or \
         choose another path",
        folder.display()
    )]
    OpenFolder {
        /// Which folder.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The folder is somebody else's.
    #[error("{} belongs to user {uid}, who could put another socket in the place of this one: choose another path", folder.display())]
    ForeignFolder {
        /// Which folder.
        folder: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// A process listens there.
    #[error("{}: an emulator listens there already: stop it, or choose another path", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// There is something that is no socket.
    #[error("{}: there is something that is no socket, and it is not replaced: move it away, or choose another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system does not let it be.
    #[error("{}: cannot make the socket: {source}", path.display())]
    System {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Something that a client asks, and waits for.
#[derive(Debug)]
pub struct Request {
    channel: Option<ChannelId>,
    ask: Ask,
    reply: SyncSender<Answer>,
}

impl Request {
    /// To which channel; `None` is all of them. There is such a channel.
    pub fn channel(&self) -> Option<ChannelId> {
        self.channel
    }

    /// What is asked.
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// Gives the client its answer. A client that has gone meanwhile is no error.
    pub fn answer(self, answer: Answer) {
        let _ = self.reply.try_send(answer);
    }

    /// Tells the client that it is done, or why not.
    pub fn answer_done<E: std::fmt::Display>(self, done: Result<(), E>) {
        self.answer(match done {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Refused { why: error.to_string() },
        });
    }
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    channels: Vec<String>,
    stop: AtomicBool,
    connected: AtomicUsize,
    /// A hand on each client's connection, to end it when the server ends.
    streams: Mutex<Vec<(usize, UnixStream)>>,
}

/// A control socket. It is there until this is dropped.
///
/// Its owner takes requests when it sees fit, with [`Server::poll`] or [`Server::wait`], and answers each.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    /// Device and inode of the socket, so that no other is removed in its place.
    identity: (u64, u64),
    requests: Receiver<Request>,
    shared: Arc<Shared>,
    wake: UnixStream,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `path` for the owner of this process, and for nobody else. `channels` are the names by which clients call the
    /// channels, in the order of their numbers.
    ///
    /// A socket that a process left behind when it died is replaced.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub fn start(path: &Path, channels: Vec<String>) -> Result<Self, SocketError> {
        Self::with_limits(path, channels, Limits::default())
    }

    /// The same, with other limits.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn with_limits(path: &Path, channels: Vec<String>, limits: Limits) -> Result<Self, SocketError> {
        let failed = |source| SocketError::System { path: path.to_owned(), source };
        let folder = prepare_folder(path)?;
        let lock = lock(&folder).map_err(failed)?;
        clear(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        let prepared = fs::set_permissions(path, Permissions::from_mode(0o600)).and_then(|()| {
            let metadata = fs::symlink_metadata(path)?;
            listener.set_nonblocking(true)?;
            Ok(((metadata.dev(), metadata.ino()), UnixStream::pair()?))
        });
        let started = prepared.and_then(|(identity, (wake, woken))| {
            let shared = Arc::new(Shared {
                limits,
                channels,
                stop: AtomicBool::new(false),
                connected: AtomicUsize::new(0),
                streams: Mutex::new(Vec::new()),
            });
            let (sender, requests) = mpsc::sync_channel(WAITING);
            let of_thread = shared.clone();
            let listening = thread::Builder::new()
                .name("control".into())
                .spawn(move || listen(&listener, &woken, &of_thread, &sender))?;
            let listening = Some(listening);
            Ok(Server { path: path.to_owned(), identity, requests, shared, wake, listening })
        });
        drop(lock);
        started.map_err(|source| {
            let _ = fs::remove_file(path);
            failed(source)
        })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next request, if one waits. Never blocks.
    pub fn poll(&self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// The next request, for which it waits at most so long.
    pub fn wait(&self, patience: Duration) -> Option<Request> {
        match self.requests.recv_timeout(patience) {
            Ok(request) => Some(request),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(patience);
                None
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = self.wake.write_all(&[0]);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
        for (_, stream) in lock_streams(&self.shared).iter() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        if fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Keeps other emulators from looking at what is in the folder, and from replacing it, until the file is dropped.
fn lock(folder: &Path) -> io::Result<File> {
    let file = File::open(folder)?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::Error(error)) => return Err(error),
            Err(fs::TryLockError::WouldBlock) if Instant::now() >= deadline => {
                let why = format!("another process holds a lock on the folder {}", folder.display());
                return Err(io::Error::new(io::ErrorKind::WouldBlock, why));
            }
            Err(fs::TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Removes the socket of a process that is no more.
fn clear(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::System { path: path.to_owned(), source };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(source)),
    };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::NotASocket { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        // Whether it listens or cannot be asked, it is not ours to remove.
        _ => Err(SocketError::InUse { path: path.to_owned() }),
    }
}

fn lock_streams(shared: &Shared) -> std::sync::MutexGuard<'_, Vec<(usize, UnixStream)>> {
    shared.streams.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(listener: &UnixListener, woken: &UnixStream, shared: &Arc<Shared>, sender: &SyncSender<Request>) {
    let mut next = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let mut fds = [
            PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(woken.as_fd(), PollFlags::IN),
        ];
        if poll(&mut fds, None).is_err() {
            continue;
        }
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => {
                // Out of descriptors, say: others must go first.
                thread::sleep(Duration::from_millis(20));
                continue;
            }
        };
        next += 1;
        receive(next, stream, shared, sender);
    }
}

/// Lets a client in, or tells it why not.
fn receive(number: usize, mut stream: UnixStream, shared: &Arc<Shared>, sender: &SyncSender<Request>) {
    let ready = stream.set_nonblocking(false).and_then(|()| stream.set_write_timeout(Some(Duration::from_secs(1))));
    if ready.is_err() {
        return;
    }
    if !peer_uid(&stream).is_ok_and(|uid| uid == own_uid()) {
        let why = format!("only user {}, who started this emulator, may tell it what to do", own_uid());
        return turn_away(&mut stream, &why);
    }
    if shared.connected.load(Ordering::Relaxed) >= shared.limits.clients {
        let why = format!("{} clients are connected, which is all that may be: end one of them", shared.limits.clients);
        return turn_away(&mut stream, &why);
    }
    let Ok(hand) = stream.try_clone() else { return };
    lock_streams(shared).push((number, hand));
    shared.connected.fetch_add(1, Ordering::Relaxed);
    let (of_thread, sender) = (shared.clone(), sender.clone());
    let leave = move |shared: &Shared| {
        lock_streams(shared).retain(|(other, _)| *other != number);
        shared.connected.fetch_sub(1, Ordering::Relaxed);
    };
    let spawned = thread::Builder::new().name("control-client".into()).spawn(move || {
        serve(stream, &of_thread, &sender);
        leave(&of_thread);
    });
    if spawned.is_err() {
        leave(shared);
    }
}

/// Says why, so that it can be read: a connection that ends with something unread in it is reset, and what was said is lost.
fn turn_away(stream: &mut UnixStream, why: &str) {
    let _ = say(stream, Answer::Refused { why: why.to_owned() });
    let _ = stream.shutdown(std::net::Shutdown::Read);
    let mut unread = [0; 4096];
    // No more can come, so this ends.
    while stream.read(&mut unread).is_ok_and(|taken| taken > 0) {}
}

fn say(stream: &mut UnixStream, answer: Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(&AnswerLine { version: VERSION, answer })?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Answers one line after the other, until the client goes, is silent for too long or says what is no request.
fn serve(mut stream: UnixStream, shared: &Shared, sender: &SyncSender<Request>) {
    let mut lines = Lines { buffer: Vec::new(), limit: MAX_LINE };
    loop {
        let line = match lines.next(&mut stream, shared.limits.silence) {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&error.kind()) => {
                let why = format!("no line came for {} s: connect again", shared.limits.silence.as_secs_f64());
                return turn_away(&mut stream, &why);
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return turn_away(&mut stream, &format!("a line has at most {MAX_LINE} bytes"));
            }
            Err(_) => return,
        };
        let answer = ask(&line, shared, sender).unwrap_or_else(|why| Answer::Refused { why });
        if shared.stop.load(Ordering::Relaxed) || say(&mut stream, answer).is_err() {
            return;
        }
    }
}

/// Puts a line before the emulator and waits for its answer.
fn ask(line: &[u8], shared: &Shared, sender: &SyncSender<Request>) -> Result<Answer, String> {
    let RequestLine { channel, ask, .. } = read(line)?;
    let channel = match channel {
        None => None,
        Some(name) => {
            let known = || shared.channels.join("`, `");
            Some(
                channel_named(&shared.channels, &name)
                    .ok_or_else(|| format!("there is no channel `{name}`: write one of `{}`", known()))?,
            )
        }
    };
    if let (Ask::Control { control: control @ (Control::Pause | Control::Resume) }, Some(_)) = (&ask, channel) {
        return Err(format!("`{control}` is for the clock of all channels: leave out the channel"));
    }
    let (reply, answer) = mpsc::sync_channel(1);
    let busy = || "the emulator has not taken what it was asked before: try again".to_owned();
    sender.try_send(Request { channel, ask, reply }).map_err(|_| busy())?;
    answer.recv_timeout(shared.limits.answer).map_err(|error| match error {
        RecvTimeoutError::Timeout => {
            let answer = shared.limits.answer.as_secs_f64();
            format!("the emulator did not answer within {answer} s; it may still do it: look at a snapshot")
        }
        RecvTimeoutError::Disconnected => "the emulator ends".to_owned(),
    })
}

fn read(line: &[u8]) -> Result<RequestLine, String> {
    let malformed = |error: serde_json::Error| {
        format!("not a request ({error}): write as in {{\"version\":{VERSION},\"ask\":\"snapshot\"}}")
    };
    let VersionOnly { version } = serde_json::from_slice(line).map_err(malformed)?;
    if version != VERSION {
        return Err(format!(
            "version {version} of the protocol is not spoken here, but {VERSION}: use the farlink of this emulator"
        ));
    }
    serde_json::from_slice(line).map_err(malformed)
}

/// Reads lines.
#[derive(Debug)]
pub(crate) struct Lines {
    /// What came after the last of them.
    pub(crate) buffer: Vec<u8>,
    /// Longest line, in bytes.
    pub(crate) limit: usize,
}

impl Lines {
    /// The next line without its end, which must be whole within `patience`; `None` at the end of the stream.
    pub(crate) fn next(&mut self, stream: &mut UnixStream, patience: Duration) -> io::Result<Option<Vec<u8>>> {
        let deadline = Instant::now() + patience;
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(searched + end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                return Ok(Some(line));
            }
            searched = self.buffer.len();
            if searched > self.limit {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(taken) => self.buffer.extend_from_slice(&chunk[..taken]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
