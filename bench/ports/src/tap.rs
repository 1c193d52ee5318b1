//! TAP and TUN: an interface that this machine, or a virtual machine on it, sends over, whose frames a port carries.
//!
//! The system takes the port for the cable of the interface: what is sent over the interface comes in here, and what is sent
//! here the system receives from it. With TAP these are Ethernet frames, with TUN IP packets. The system cuts long segments
//! and makes checksums before it hands frames over, so they are frames of the wire.
//!
//! There are no kernel time stamps: a frame's instant is that at which it was read. Frames that nobody took in time are
//! counted by the interface; the port looks once a second while frames come.
//!
//! The interface may be moved to another network namespace (`ip link set NAME netns …`) while the port has it.

mod config;
mod drops;

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use nix::errno::Errno;
use thiserror::Error;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

pub(crate) use config::{TAP_FORM, TUN_FORM};
pub use config::{TapConfig, TapKind};
use drops::Drops;

use crate::interfaces::{self, Changes, State};
use crate::port::{Interest, Notice, Port, Received, Sent, Stopped};
use crate::timebase::Timebase;

/// How many frames an interface that the port makes keeps until they are taken; the system's own choice is 500 or 1000.
const QUEUE_FRAMES: u32 = 10_000;
/// How many frames are taken in one call, so that a flood of them does not keep the owner from the other direction.
const BATCH: usize = 128;
/// Room for the longest packet with an Ethernet header and two VLAN tags.
const BUFFER: usize = 65_535 + 14 + 8;
/// After how long an interface that does not carry is looked at again.
const RECHECK: Duration = Duration::from_secs(1);
/// How long after a frame it is asked whether some were dropped.
const COUNT_DROPS: Duration = Duration::from_secs(1);

/// Why a TAP or TUN port could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// This user may not make interfaces.
    #[error(
        "no permission to make the interface `{name}`: run as root, give the program the right \
         (`setcap cap_net_admin+ep PROGRAM`), or let root make it (`ip tuntap add {name} mode {mode} user $USER`)"
    )]
    Permission {
        /// Which.
        name: String,
        /// `tap` or `tun`.
        mode: &'static str,
    },
    /// Another program has it.
    #[error("`{name}` is held by another program: choose another name, or stop that one")]
    InUse {
        /// Which.
        name: String,
    },
    /// There is an interface of the name, and it is of another kind.
    #[error(
        "`{name}` is an interface already, and not one of mode {mode}: choose another name (`ip -d link show {name}`)"
    )]
    OtherKind {
        /// Which.
        name: String,
        /// `tap` or `tun`.
        mode: &'static str,
    },
    /// The kernel cannot do it.
    #[error("this system has no /dev/net/tun: load the kernel module (`modprobe tun`)")]
    Unsupported,
    /// Anything else.
    #[error("could not make or set up the interface `{name}`: {source}")]
    Other {
        /// Which.
        name: String,
        /// What the system says.
        source: io::Error,
    },
}

/// An open TAP or TUN interface.
pub struct TapPort {
    config: TapConfig,
    base: Timebase,
    changes: Changes,
    /// None while there is no interface.
    device: Option<SyncDevice>,
    /// It was there before, so it is somebody else's to make it.
    is_foreign: bool,
    /// It was moved to another network namespace, where the port cannot see whether it is up until it sends.
    is_away: bool,
    carries: bool,
    wants_room: bool,
    recheck_at: Option<Instant>,
    drops: Drops,
    count_drops_at: Option<Instant>,
    buffer: Box<[u8]>,
    notices: VecDeque<Notice>,
}

impl std::fmt::Debug for TapPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapPort").field("config", &self.config).field("carries", &self.carries).finish_non_exhaustive()
    }
}

impl TapPort {
    /// Makes the interface, or takes the one that there is, and sets it up.
    ///
    /// # Errors
    /// This user may not, another program has the interface, it is of another kind, or the kernel has no such interfaces.
    pub fn open(config: TapConfig, base: &Timebase) -> Result<Self, OpenError> {
        let name = config.name.clone();
        let failed = |source: io::Error| OpenError::Other { name: name.clone(), source };
        let changes = Changes::watch().map_err(failed)?;
        let is_foreign = !matches!(interfaces::state(&name), State::Absent);
        let device = make(&config, !is_foreign)?;
        let mut port = TapPort {
            drops: Drops::of(&name).map_err(failed)?,
            config,
            base: *base,
            changes,
            device: Some(device),
            is_foreign,
            is_away: false,
            carries: false,
            wants_room: false,
            recheck_at: None,
            count_drops_at: None,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            notices: VecDeque::new(),
        };
        port.check();
        Ok(port)
    }

    fn set_down(&mut self, why: &str) {
        if self.carries {
            self.notices.push_back(Notice::Down { detail: format!("{} {why}", self.config.name), lost_frames: 0 });
        }
        self.carries = false;
        self.wants_room = false;
        self.recheck_at = Some(self.base.now() + RECHECK);
    }

    /// Looks at the interface anew. One that the port had made itself is made again when it is gone, after a while.
    fn check(&mut self) {
        let is_due = self.recheck_at.take().is_some_and(|at| at <= self.base.now());
        // As the system has it now: an interface can be renamed, and it can be gone.
        let name = self.device.as_ref().and_then(|device| device.name().ok());
        let state = name.as_deref().map(interfaces::state);
        let was_away = std::mem::replace(&mut self.is_away, matches!(state, Some(State::Absent)));
        match state {
            None => {
                self.device = None;
                self.set_down("is gone");
                let is_there = !matches!(interfaces::state(&self.config.name), State::Absent);
                if is_there || (is_due && !self.is_foreign) {
                    self.make_again(!is_there);
                }
            }
            Some(State::Carries(_)) => self.set_up(),
            Some(State::Idle(_, why)) => self.set_down(why),
            Some(State::Absent) if !was_away => self.set_up(),
            Some(State::Absent) => {}
        }
    }

    fn set_up(&mut self) {
        self.recheck_at = None;
        if !self.carries {
            self.carries = true;
            let place = if self.is_away { ", in another namespace" } else { "" };
            self.notices.push_back(Notice::Up { detail: format!("{}{place}", self.config.name) });
        }
    }

    fn make_again(&mut self, is_new: bool) {
        // What cannot be made now is tried again at the next look; that it is down has been told.
        if let Ok(device) = make(&self.config, is_new) {
            self.device = Some(device);
            self.check();
        }
    }

    fn count_drops(&mut self) {
        self.count_drops_at = None;
        if let Ok(frames @ 1..) = self.drops.take() {
            self.notices.push_back(Notice::Overrun { frames });
        }
    }
}

/// The mode of `ip tuntap`.
fn mode(kind: TapKind) -> &'static str {
    match kind {
        TapKind::Ethernet => "tap",
        TapKind::Internet => "tun",
    }
}

fn make(config: &TapConfig, is_new: bool) -> Result<SyncDevice, OpenError> {
    let (name, mode) = (config.name.clone(), mode(config.kind));
    let layer = match config.kind {
        TapKind::Ethernet => Layer::L2,
        TapKind::Internet => Layer::L3,
    };
    let mut builder = DeviceBuilder::new().name(&name).layer(layer);
    if let Some(mtu) = config.mtu {
        builder = builder.mtu(mtu);
    }
    if is_new {
        builder = builder.tx_queue_len(QUEUE_FRAMES);
    }
    builder = match config.address {
        Some((IpAddr::V4(address), prefix)) => builder.ipv4(address, prefix, None),
        Some((IpAddr::V6(address), prefix)) => builder.ipv6(address, prefix),
        None => builder,
    };
    let made = builder.build_sync().and_then(|device| device.set_nonblocking(true).map(|()| device));
    made.map_err(|source| match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => OpenError::Permission { name, mode },
        Some(Errno::EBUSY) => OpenError::InUse { name },
        Some(Errno::EINVAL) if !is_new => OpenError::OtherKind { name, mode },
        Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => OpenError::Unsupported,
        _ => OpenError::Other { name, source },
    })
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}

impl Port for TapPort {
    fn name(&self) -> String {
        self.config.to_string()
    }

    fn interest<'a>(&'a self, watch: &mut dyn FnMut(Interest<'a>)) {
        watch(Interest { fd: self.changes.as_fd(), readable: true, writable: false });
        if let Some(device) = &self.device {
            watch(Interest { fd: device.as_fd(), readable: true, writable: self.wants_room });
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.recheck_at.into_iter().chain(self.count_drops_at).min()
    }

    fn receive(&mut self, base: &Timebase, frames: &mut Vec<Received>) -> io::Result<()> {
        self.base = *base;
        let now = base.now();
        if self.changes.take() || self.recheck_at.is_some_and(|at| at <= now) {
            self.check();
        }
        if self.count_drops_at.is_some_and(|at| at <= now) {
            self.count_drops();
        }
        for _ in 0..BATCH {
            let Some(device) = &self.device else { break };
            match device.recv(&mut self.buffer) {
                Ok(length) => {
                    let content = Bytes::copy_from_slice(&self.buffer[..length]);
                    frames.push(Received { at: base.now(), content });
                    self.count_drops_at.get_or_insert(now + COUNT_DROPS);
                }
                Err(error) => match errno(&error) {
                    Errno::EAGAIN => break,
                    Errno::EINTR => {}
                    // The interface is not there any more.
                    Errno::EBADFD | Errno::EFAULT | Errno::EIO | Errno::ENODEV | Errno::ENXIO => {
                        self.device = None;
                        self.check();
                        break;
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    fn send(&mut self, frames: &[Bytes]) -> Sent {
        self.wants_room = false;
        for (number, frame) in frames.iter().enumerate() {
            let Some(device) = self.device.as_ref().filter(|_| self.carries || self.is_away) else {
                return Sent { taken: number, stopped: Some(Stopped::Down) };
            };
            let error = loop {
                match device.send(frame) {
                    Ok(_) => break None,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => break Some(error),
                }
            };
            let Some(error) = error else {
                if !self.carries {
                    self.set_up();
                }
                continue;
            };
            let stopped = match errno(&error) {
                Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM => {
                    self.wants_room = true;
                    Stopped::Busy
                }
                // Set down, or gone.
                Errno::EIO | Errno::EBADFD | Errno::ENODEV => {
                    self.set_down("is set down or gone");
                    Stopped::Down
                }
                Errno::EMSGSIZE => Stopped::Refused(format!(
                    "a frame of {} bytes is longer than {} takes",
                    frame.len(),
                    self.config.name
                )),
                Errno::EINVAL => Stopped::Refused(match self.config.kind {
                    TapKind::Ethernet => format!("{} bytes are no Ethernet frame", frame.len()),
                    TapKind::Internet => format!("{} bytes are no IP packet", frame.len()),
                }),
                _ => Stopped::Refused(format!("{} does not take it: {error}", self.config.name)),
            };
            return Sent { taken: number, stopped: Some(stopped) };
        }
        Sent::all(frames.len())
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }
}
