//! A link that other processes use.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use thiserror::Error;

use crate::end::{End, EndSettings, Losses};
use crate::error::LinkError;
use crate::folder;
use crate::link::{Link, LinkConfig, Pace};
use crate::session;

/// Connections that are served at once; a program that has an end open uses four.
const MOST_CONNECTIONS: usize = 64;

/// How often a link at the wall's pace is told the time.
const TICK: Duration = Duration::from_millis(1);

/// How often a server that waits to be stopped looks whether it is.
const LOOK: Duration = Duration::from_millis(20);

/// Why a link is not served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// It cannot be called so.
    #[error(
        "a link cannot be called `{name}`: take 1 to {longest} letters, digits, `_`, `-` and `.`, not beginning with `.`"
    )]
    Name {
        /// The name.
        name: String,
        /// How long one may be.
        longest: usize,
    },
    /// Its folder cannot be used.
    #[error("cannot use the folder {}: {source}; name another one in FARLINK_LINKS", folder.display())]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may look into it.
    #[error("others may look into {} (mode {mode:o}): `chmod 700` it, or name another one in FARLINK_LINKS", folder.display())]
    OpenFolder {
        /// Which folder.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is somebody else's.
    #[error("{} belongs to user {uid}: name another one in FARLINK_LINKS", folder.display())]
    ForeignFolder {
        /// Which folder.
        folder: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// A link of the name is served there.
    #[error("{}: a link is served there already: stop it, or choose another name", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// There is something that is no socket.
    #[error("{}: there is something that is no socket, and it is not replaced: move it away, or choose another name", path.display())]
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
    /// The link cannot be.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// How an end of a served link is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndStatus {
    /// Whether a program has it open.
    pub open: bool,
    /// What it is set to, or was when it was open last.
    pub settings: EndSettings,
    /// What it has lost since it was opened last.
    pub losses: Losses,
    /// What it has lost in all, with whatever programs had it open before.
    pub lost_in_all: Losses,
}

/// How a served link is.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Its time, in nanoseconds. At the wall's pace it stands while neither end is open.
    pub now_ns: i64,
    /// By how much its time has been behind its clock at most, in nanoseconds: with much more than a millisecond the machine was too slow for
    /// the rate, or busy with something else. 0 at the pace of samples.
    pub most_behind_ns: i64,
    /// Its ends, in the order of [`End::BOTH`].
    pub ends: [EndStatus; 2],
    /// Why it carries nothing any more, if so.
    pub failed: Option<String>,
}

/// The link with what its server knows of it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) link: Link,
    /// Of the programs that have the ends open.
    pub(crate) tickets: [Option<u64>; 2],
    /// The wall's pace: the link's time when it stood last, and since when it does not.
    stood_at: Duration,
    running_since: Option<Instant>,
    most_behind_ns: i64,
}

impl Served {
    /// The clock stands while neither end is open, so that nothing has to be carried that nobody hears.
    pub(crate) fn set_clock(&mut self) {
        let runs = self.tickets.iter().any(Option::is_some);
        match (runs, self.running_since) {
            (true, None) => self.running_since = Some(Instant::now()),
            (false, Some(_)) => {
                self.stood_at = self.elapsed();
                self.running_since = None;
            }
            _ => {}
        }
    }

    fn elapsed(&self) -> Duration {
        self.stood_at + self.running_since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// What the threads of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: String,
    served: Mutex<Served>,
    /// Something has happened to the link.
    pub(crate) moved: Condvar,
    pub(crate) stop: AtomicBool,
    connected: AtomicUsize,
    /// A hand on each connection, to end it when the server ends.
    streams: Mutex<Vec<(usize, UnixStream)>>,
}

impl Shared {
    pub(crate) fn served(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, Vec<(usize, UnixStream)>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A link that is offered to other processes of this user. It is there until this is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    /// Device and inode of the socket, so that no other is removed in its place.
    identity: (u64, u64),
    shared: Arc<Shared>,
    wake: UnixStream,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Offers a link under a name in a folder, which is made if there is none; [`crate::default_folder`] is where others look for it. A socket
    /// that a process left behind when it died is replaced.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn start(folder: &Path, name: &str, config: LinkConfig) -> Result<Self, ServeError> {
        let link = Link::new(config)?;
        let path = folder::path_of(folder, name)?;
        folder::prepare(folder)?;
        let failed = |source| ServeError::System { path: path.clone(), source };
        // Two servers that start at once must not both find a socket left behind.
        let lock = File::open(folder).map_err(failed)?;
        lock.lock().map_err(failed)?;
        clear(&path)?;
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let shared = Arc::new(Shared {
            name: name.into(),
            served: Mutex::new(Served {
                link,
                tickets: [None; 2],
                stood_at: Duration::ZERO,
                running_since: None,
                most_behind_ns: 0,
            }),
            moved: Condvar::new(),
            stop: AtomicBool::new(false),
            connected: AtomicUsize::new(0),
            streams: Mutex::new(Vec::new()),
        });
        Self::run(&path, listener, shared).map_err(|source| {
            let _ = fs::remove_file(&path);
            failed(source)
        })
    }

    fn run(path: &Path, listener: UnixListener, shared: Arc<Shared>) -> io::Result<Self> {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let metadata = fs::symlink_metadata(path)?;
        listener.set_nonblocking(true)?;
        let (wake, woken) = UnixStream::pair()?;
        let identity = (metadata.dev(), metadata.ino());
        let mut server = Server { path: path.to_owned(), identity, shared: shared.clone(), wake, threads: Vec::new() };
        let wall = shared.served().link.config().pace == Pace::Wall;
        let of_listener = shared.clone();
        let name = |what: &str| thread::Builder::new().name(format!("link-{what}"));
        server.threads.push(name("listen").spawn(move || listen(&listener, &woken, &of_listener))?);
        if wall {
            server.threads.push(name("clock").spawn(move || tell_the_time(&shared))?);
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the link is.
    pub fn status(&self) -> Status {
        let served = self.shared.served();
        let link = &served.link;
        let end = |end| EndStatus {
            open: link.is_open(end),
            settings: link.settings(end),
            losses: link.losses(end),
            lost_in_all: link.lost_in_all(end),
        };
        let most_behind_ns = served.most_behind_ns;
        Status {
            now_ns: link.now_ns(),
            most_behind_ns,
            ends: End::BOTH.map(end),
            failed: link.failed().map(Into::into),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.moved.notify_all();
        let _ = self.wake.write_all(&[0]);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        for (_, stream) in self.shared.streams().iter() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        if fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Serves a link until `stop` is set, and tells how it was then.
///
/// # Errors
/// As [`Server::start`].
pub fn serve(folder: &Path, name: &str, config: LinkConfig, stop: &AtomicBool) -> Result<Status, ServeError> {
    let server = Server::start(folder, name, config)?;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(LOOK);
    }
    Ok(server.status())
}

/// Removes the socket of a process that is no more.
fn clear(path: &Path) -> Result<(), ServeError> {
    let failed = |source| ServeError::System { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(ServeError::NotASocket { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(source)),
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        // Whether it listens or cannot be asked, it is not ours to remove.
        _ => Err(ServeError::InUse { path: path.to_owned() }),
    }
}

fn tell_the_time(shared: &Shared) {
    while !shared.stop.load(Ordering::Relaxed) {
        let mut served = shared.served();
        if served.running_since.is_none() {
            // Woken when an end is opened; the limit is for a server that ends.
            let _ = shared.moved.wait_timeout(served, LOOK);
            continue;
        }
        let now_ns = i64::try_from(served.elapsed().as_nanos()).unwrap_or(i64::MAX);
        served.most_behind_ns = served.most_behind_ns.max(now_ns.saturating_sub(served.link.now_ns()));
        let more = served.link.advance(now_ns);
        drop(served);
        shared.moved.notify_all();
        if more {
            thread::yield_now();
        } else {
            thread::sleep(TICK);
        }
    }
}

fn listen(listener: &UnixListener, woken: &UnixStream, shared: &Arc<Shared>) {
    let mut number = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let mut ready = [listener.as_fd(), woken.as_fd()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let _ = poll(&mut ready, None);
        match listener.accept() {
            Ok((stream, _)) => {
                number += 1;
                connect(number, stream, shared);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Out of file descriptors, for example: others may be given back.
            Err(_) => thread::sleep(LOOK),
        }
    }
}

fn connect(number: usize, stream: UnixStream, shared: &Arc<Shared>) {
    if !folder::is_ours(&stream) || stream.set_nonblocking(false).is_err() {
        return;
    }
    if shared.connected.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
        shared.connected.fetch_sub(1, Ordering::Relaxed);
        return session::turn_away(stream);
    }
    let of_session = shared.clone();
    let spawned = stream.try_clone().and_then(|hand| {
        shared.streams().push((number, hand));
        thread::Builder::new().name("link-session".into()).spawn(move || {
            session::run(stream, &of_session);
            of_session.streams().retain(|(of, _)| *of != number);
            of_session.connected.fetch_sub(1, Ordering::Relaxed);
        })
    });
    if spawned.is_err() {
        shared.streams().retain(|(of, _)| *of != number);
        shared.connected.fetch_sub(1, Ordering::Relaxed);
    }
}
