//! Pseudo-terminals: `pty:/tmp/modem,framing=slip`.
//!
//! The port makes a pseudo-terminal and a symbolic link to it, which a program opens as if it were a serial line. It is
//! there while somebody has it open: then the port is up, otherwise down. It has no rate of its own: octets pass as fast
//! as they are read.
//!
//! What the other side writes is stamped when a thread of the port has read it, as with [`crate::serial`].

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr};
use thiserror::Error;
use tokio::io::unix::AsyncFd;

use crate::framing::{self, Framing};
use crate::octets::{Line, OctetPort, Opener, StartError};
use crate::port::{Interest, Notice, Port, Received, Sent};
use crate::serial::device_path;
use crate::text::{Form, Parts, PortTextError};
use crate::timebase::Timebase;

/// Where the system keeps the far sides of pseudo-terminals.
const DEVPTS: &str = "/dev/pts/";

/// How long at most until it is seen that somebody has opened the pseudo-terminal, if the system does not say so.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A pseudo-terminal to make, and how frames lie on it: `pty:/tmp/modem,framing=slip`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PtyConfig {
    /// Where the symbolic link to it is made.
    pub path: PathBuf,
    /// How frames lie on it.
    pub framing: Framing,
}

pub(crate) const FORM: Form = Form {
    kind: "pty",
    place: Some("the path of the link to make, such as /tmp/modem"),
    keys: &framing::KEYS,
    example: "pty:/tmp/modem,framing=slip",
};

impl FromStr for PtyConfig {
    type Err = PortTextError;
    fn from_str(text: &str) -> Result<Self, PortTextError> {
        let parts = Parts::read(text, &FORM)?;
        let path = parts.place(device_path)?.into();
        Ok(PtyConfig { path, framing: Framing::read(&parts)? })
    }
}

impl fmt::Display for PtyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pty:{},framing={}", self.path.display(), self.framing)
    }
}

/// Why a pseudo-terminal could not be made.
#[derive(Debug, Error)]
pub enum PtyError {
    /// Something is there that is not a link left over from a pseudo-terminal that is gone.
    #[error("{} is there already, and is not a link that a pseudo-terminal left behind: choose another path or remove it", path.display())]
    Occupied {
        /// Where.
        path: PathBuf,
    },
    /// The link cannot be made.
    #[error("could not make the link {}: {source}; its folder must exist and be writable", path.display())]
    Link {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no pseudo-terminal to be had.
    #[error(
        "could not make a pseudo-terminal: {source}; /dev/ptmx and /dev/pts must be there, and fewer in use than kernel.pty.max"
    )]
    System {
        /// What the system says.
        source: io::Error,
    },
}

/// The link to a pseudo-terminal; removed when dropped, if it is still the same.
#[derive(Debug)]
struct LinkToPty {
    path: PathBuf,
    target: PathBuf,
}

impl LinkToPty {
    fn make(path: &Path, target: PathBuf) -> Result<Self, PtyError> {
        let failed = |source| PtyError::Link { path: path.to_owned(), source };
        // A link that points at a pseudo-terminal which is not there, or at the very one that has just been made, is left
        // over from one that ended without removing it. Anything else is somebody's.
        let is_stale = |left: &Path| left.starts_with(DEVPTS) && (left == target || !left.exists());
        match symlink(&target, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !fs::read_link(path).is_ok_and(|left| is_stale(&left)) {
                    return Err(PtyError::Occupied { path: path.to_owned() });
                }
                fs::remove_file(path).and_then(|()| symlink(&target, path)).map_err(failed)?;
            }
            made => made.map_err(failed)?,
        }
        Ok(LinkToPty { path: path.to_owned(), target })
    }
}

impl Drop for LinkToPty {
    fn drop(&mut self) {
        if fs::read_link(&self.path).is_ok_and(|target| target == self.target) {
            // Nothing can be done about a link that cannot be removed; the next one to want the place sees that it is stale.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Waits for somebody to open the far side.
struct PtyOpener {
    path: PathBuf,
    master: Arc<OwnedFd>,
    /// Tells when the far side is opened.
    watch: Arc<OwnedFd>,
}

/// Has the runtime poll a descriptor.
#[expect(
    deprecated,
    reason = "deprecated for types whose descriptor may be closed behind its back, which an `OwnedFd` is not; what stands in for \
              it is unsafe, which is forbidden here"
)]
fn polled(fd: &Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::new(fd.clone())
}

impl PtyOpener {
    /// Makes a pseudo-terminal that nobody has open; also where its far side is.
    fn make(path: &Path) -> io::Result<(Self, PathBuf)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let name = ptsname(&master, Vec::new())?;
        let target = PathBuf::from(name.to_str().map_err(|_| io::ErrorKind::InvalidData)?);
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&watch, &target, inotify::WatchFlags::OPEN)?;
        let opener = PtyOpener { path: path.to_owned(), master: Arc::new(master), watch: Arc::new(watch) };
        opener.renew()?;
        Ok((opener, target))
    }

    /// Makes the pseudo-terminal as new for whoever opens it next: it passes octets unchanged, and holds none from before.
    fn renew(&self) -> io::Result<()> {
        // Opened and closed again, since the system tells only of one that has been open that nobody has it open now.
        let far = ioctl_tiocgptpeer(&self.master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        let mut settings = tcgetattr(&far)?;
        settings.make_raw();
        tcsetattr(&far, OptionalActions::Now, &settings)?;
        tcflush(&far, QueueSelector::IFlush)?;
        Ok(())
    }
}

/// What there is to do at a pseudo-terminal: [`PollFlags::HUP`] says that nobody has the far side open.
fn look(master: &OwnedFd) -> io::Result<PollFlags> {
    let mut look = [PollFd::new(master, PollFlags::IN)];
    poll(&mut look, Some(&rustix::time::Timespec::default()))?;
    Ok(look[0].revents())
}

impl Opener for PtyOpener {
    type Line = AsyncFd<Arc<OwnedFd>>;
    type Error = String;

    fn open(&mut self) -> Result<(Self::Line, String), String> {
        let seen = look(&self.master).map_err(|error| error.to_string())?;
        // What a program wrote that has gone again already, as `cat frames >/tmp/modem` does, is still to be read.
        if seen.contains(PollFlags::HUP) && !seen.contains(PollFlags::IN) {
            return Err(format!("nobody has {} open", self.path.display()));
        }
        let line = polled(&self.master).map_err(|error| error.to_string())?;
        Ok((line, format!("{} has been opened", self.path.display())))
    }

    fn is_absence(_: &String) -> bool {
        true
    }

    async fn wait(&mut self, _failures: u32) {
        let opened = async {
            let Ok(watch) = polled(&self.watch) else { return std::future::pending().await };
            if let Ok(mut guard) = watch.readable().await {
                let mut events = [0; 1024];
                while rustix::io::read(&self.watch, &mut events).is_ok_and(|octets| octets > 0) {}
                guard.clear_ready();
            }
        };
        let _ = tokio::time::timeout(LOOK_AGAIN, opened).await;
    }

    fn close(&mut self, line: Self::Line, _unwritten: bool) {
        drop(line);
        // If somebody has opened it meanwhile, it is as they have set it. If renewing fails, the next finds it as the
        // last left it.
        if look(&self.master).is_ok_and(|seen| seen.contains(PollFlags::HUP)) {
            let _ = self.renew();
        }
    }
}

impl Line for AsyncFd<Arc<OwnedFd>> {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.poll_read_ready(context))?;
            match guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut *buffer)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(octets) => return Poll::Ready(octets),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.poll_write_ready(context))?;
            match guard.try_io(|fd| fd.get_ref().write_some(octets)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(octets) => return Poll::Ready(octets),
                Err(_would_block) => {}
            }
        }
    }

    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.get_ref().write_some(octets)
    }
}

trait WriteSome {
    fn write_some(&self, octets: &[u8]) -> io::Result<usize>;
}

impl WriteSome for Arc<OwnedFd> {
    fn write_some(&self, octets: &[u8]) -> io::Result<usize> {
        // A pseudo-terminal that nobody has open takes what is written and keeps it for whoever comes.
        if look(self)?.contains(PollFlags::HUP) {
            return Err(Errno::IO.into());
        }
        Ok(rustix::io::write(self, octets)?)
    }
}

/// A pseudo-terminal as a port.
///
/// While nobody has its far side open it is down, and nothing is kept for whoever opens it next. The link is removed when
/// the port is dropped.
#[derive(Debug)]
pub struct PtyPort {
    octets: OctetPort,
    link: LinkToPty,
    framing: Framing,
}

impl PtyPort {
    /// Makes a pseudo-terminal and the link to it. Arrivals are stamped on `base`.
    ///
    /// # Errors
    /// The system gives no pseudo-terminal, something else is where the link is to be, or it cannot be made there.
    pub fn open(config: PtyConfig, base: &Timebase) -> Result<Self, PtyError> {
        let (opener, target) = PtyOpener::make(&config.path).map_err(|source| PtyError::System { source })?;
        let link = LinkToPty::make(&config.path, target)?;
        match OctetPort::start(opener, config.framing, base, false) {
            Ok(octets) => Ok(PtyPort { octets, link, framing: config.framing }),
            Err(StartError::Open(reason)) => Err(PtyError::System { source: io::Error::other(reason) }),
            Err(StartError::System(source)) => Err(PtyError::System { source }),
        }
    }

    /// The device that the link leads to, such as `/dev/pts/7`.
    pub fn device(&self) -> &Path {
        &self.link.target
    }
}

impl Port for PtyPort {
    fn name(&self) -> String {
        PtyConfig { path: self.link.path.clone(), framing: self.framing }.to_string()
    }

    fn interest<'a>(&'a self, watch: &mut dyn FnMut(Interest<'a>)) {
        self.octets.interest(watch);
    }

    fn receive(&mut self, _base: &Timebase, frames: &mut Vec<Received>) -> io::Result<()> {
        self.octets.receive(frames)
    }

    fn send(&mut self, frames: &[Bytes]) -> Sent {
        self.octets.send(frames)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.octets.poll_notice()
    }
}
