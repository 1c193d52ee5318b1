//! Raw Ethernet: one half of a transparent layer-2 bridge.
//!
//! An [`EthernetPort`] takes in every frame that comes in at an interface, whoever it is for and whatever it carries (ARP,
//! IPv6, VLAN-tagged, spanning tree), and sends every frame that it is given as it is. Two of them joined are a cable. What
//! this machine itself sends out of the interface does not come in, so that they are no loop.
//!
//! The machine still sees the frames, too: give the interface no address (`ip address flush dev eth0`), or the machine takes
//! part in what is said over it.
//!
//! A frame is a frame of the wire. Where the kernel joins several (TCP segmentation offload of a veth's other end, receive
//! offload of a network card), they are cut again, and checksums that a sender left to the interface are made; the interface's
//! own settings are left as they are. Frames out of one joined one have its time stamp. VLAN tags that the kernel took out are
//! put back. Not carried, and told as [`Notice::Unreadable`]: joined frames other than TCP's and UDP's, as tunnels (VXLAN, GRE)
//! make; there the offload must be switched off where they are made (`ethtool -K … tx-udp_tnl-segmentation off`).
//!
//! The system sends frames of up to the interface's MTU, with room for one 802.1Q tag; where boxes stack tags, or use those of
//! 802.1ad, raise the MTU by 4 bytes for each.
//!
//! `pnet` finds interfaces, binds and reads headers; what it does not do, and what is done instead, is said in `socket`.

mod config;
mod layers;
mod offload;
mod socket;

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use nix::errno::Errno;
use pnet_datalink::NetworkInterface;
use thiserror::Error;

pub use config::EthernetConfig;
pub(crate) use config::FORM;
use offload::Offload;
use socket::{PacketSocket, Raw};

use crate::interfaces::{self, Changes, State};
use crate::port::{Interest, Notice, Port, Received, Sent, Stopped};
use crate::timebase::Timebase;

/// The shortest frame that can be sent: the header alone. Network cards lengthen short frames themselves.
const SHORTEST: usize = 14;

/// After how long an interface is looked at again that does not carry, should word of a change have been lost.
const RECHECK: Duration = Duration::from_secs(1);
/// After how long sending is tried again when the interface's own queue is full, which the system does not tell the end of.
const RETRY: Duration = Duration::from_nanos(50_000);
/// How many batches are taken in one call, so that a flood of frames does not keep the owner from the other direction.
const BATCHES: usize = 4;
/// How many notices are kept; of what comes beyond, the bytes are added to the last.
const NOTICES: usize = 1024;

/// Why an Ethernet port could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There is no interface of this name.
    #[error("there is no interface `{interface}`; there are: {there}")]
    NoSuchInterface {
        /// Which.
        interface: String,
        /// The names of those that there are.
        there: String,
    },
    /// What the interface carries is no Ethernet.
    #[error(
        "`{interface}` is not an Ethernet interface (it has no MAC address); for one that carries IP packets, use `tun:`"
    )]
    NotEthernet {
        /// Which.
        interface: String,
    },
    /// This user may not have it.
    #[error(
        "no permission to read frames of `{interface}`: run as root, or give the program the right: \
         `setcap cap_net_raw,cap_net_admin+ep PROGRAM`"
    )]
    Permission {
        /// Which.
        interface: String,
    },
    /// Anything else.
    #[error("could not open `{interface}`: {source}")]
    Other {
        /// Which.
        interface: String,
        /// What the system says.
        source: io::Error,
    },
}

/// An open Ethernet interface.
#[derive(Debug)]
pub struct EthernetPort {
    config: EthernetConfig,
    base: Timebase,
    changes: Changes,
    /// None while there is no interface of the name.
    socket: Option<PacketSocket>,
    carries: bool,
    wants_room: bool,
    retry_at: Option<Instant>,
    recheck_at: Option<Instant>,
    left_out: u64,
    notices: VecDeque<Notice>,
}

impl EthernetPort {
    /// Opens an interface. One that is down, or has no carrier, is no error: the port carries once it is up.
    ///
    /// # Errors
    /// There is no such interface, it is none of Ethernet, or this user may not.
    pub fn open(config: EthernetConfig, base: &Timebase) -> Result<Self, OpenError> {
        let interface = config.interface.clone();
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::PermissionDenied => OpenError::Permission { interface: interface.clone() },
            _ => OpenError::Other { interface: interface.clone(), source },
        };
        // Watched first, so that no change is missed between the look at the interface and the watch.
        let changes = Changes::watch().map_err(failed)?;
        let (found, idle) = match interfaces::state(&interface) {
            State::Absent => return Err(OpenError::NoSuchInterface { interface, there: interfaces::names() }),
            State::Idle(found, why) => (found, Some(why)),
            State::Carries(found) => (found, None),
        };
        if found.mac.is_none() {
            return Err(OpenError::NotEthernet { interface });
        }
        let socket = PacketSocket::open(&found).map_err(failed)?;
        let mut port = EthernetPort {
            config,
            base: *base,
            changes,
            socket: Some(socket),
            carries: true,
            wants_room: false,
            retry_at: None,
            recheck_at: None,
            left_out: 0,
            notices: VecDeque::new(),
        };
        match idle {
            None => port.notices.push_back(Notice::Up { detail: describe(&found) }),
            Some(why) => port.set_down(why),
        }
        Ok(port)
    }

    /// How many frames came in so far that the port's filter left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    fn tell(&mut self, notice: Notice) {
        tell(&mut self.notices, notice);
    }

    fn set_down(&mut self, why: &str) {
        if self.carries {
            self.tell(Notice::Down { detail: format!("{} {why}", self.config.interface), lost_frames: 0 });
        }
        self.carries = false;
        self.retry_at = None;
        self.wants_room = false;
        self.recheck_at = Some(self.base.now() + RECHECK);
    }

    /// Looks at the interface anew.
    fn check(&mut self) {
        self.recheck_at = None;
        let (found, idle) = match interfaces::state(&self.config.interface) {
            State::Absent => {
                self.socket = None;
                return self.set_down("is gone");
            }
            State::Idle(found, why) => (found, Some(why)),
            State::Carries(found) => (found, None),
        };
        if self.socket.as_ref().is_none_or(|socket| socket.index() != found.index) {
            self.socket = None;
            match PacketSocket::open(&found) {
                Ok(socket) => self.socket = Some(socket),
                Err(error) => return self.set_down(&format!("could not be opened again: {error}")),
            }
        }
        match idle {
            Some(why) => self.set_down(why),
            None if !self.carries => {
                self.carries = true;
                self.tell(Notice::Up { detail: describe(&found) });
            }
            None => {}
        }
    }

    /// Takes in at most one batch. Whether there may be more.
    fn receive_batch(&mut self, frames: &mut Vec<Received>) -> Result<bool, Errno> {
        let Some(socket) = &mut self.socket else { return Ok(false) };
        let (base, config, left_out, notices) = (self.base, &self.config, &mut self.left_out, &mut self.notices);
        // Made when the first of them is there: a clock that was read before would stand before their stamps.
        let mut stamps = None;
        let (more, dropped) = socket.receive(&mut |raw: Raw<'_>| {
            let stamps = stamps.get_or_insert_with(|| base.stamps());
            let at = raw.stamp.map_or(stamps.now(), |stamp| stamps.instant(stamp));
            let unreadable = |detail: String| Notice::Unreadable { detail, bytes: raw.frame.len() as u64 };
            if raw.is_cut_off {
                let detail = format!(
                    "a joined frame of more than {} bytes: set gso_max_size of the sender's interface to 65536",
                    raw.frame.len()
                );
                return tell(notices, unreadable(detail));
            }
            let mut give = |content: Bytes| match config.carries(&content) {
                true => frames.push(Received { at, content }),
                false => *left_out += 1,
            };
            if let Err(error) = Offload::read(&raw.offload).wire(raw.frame, raw.tag, &mut give) {
                tell(notices, unreadable(error.to_string()));
            }
        })?;
        if dropped > 0 {
            self.tell(Notice::Overrun { frames: dropped });
        }
        Ok(more)
    }

    /// How many of the frames from the first on can be sent, and why the next one cannot.
    fn fit(&self, frames: &[Bytes]) -> (usize, Option<String>) {
        for (number, frame) in frames.iter().enumerate() {
            if frame.len() < SHORTEST {
                let why = format!("{} bytes are no Ethernet frame, whose header alone has {SHORTEST}", frame.len());
                return (number, Some(why));
            }
            if !self.config.carries(frame) {
                return (number, Some(format!("the filter of {} does not let it through", self.config)));
            }
        }
        (frames.len(), None)
    }
}

/// An interface, in words.
fn describe(interface: &NetworkInterface) -> String {
    match interface.mac {
        Some(mac) => format!("{}, {mac}", interface.name),
        None => interface.name.clone(),
    }
}

/// Adds a notice. Of a kind that may come with every frame, no more are kept than memory bears.
fn tell(notices: &mut VecDeque<Notice>, notice: Notice) {
    let is_full = notices.len() >= NOTICES;
    match (notices.back_mut(), notice) {
        (Some(Notice::Overrun { frames }), Notice::Overrun { frames: more }) => *frames += more,
        (Some(Notice::Unreadable { bytes, .. }), Notice::Unreadable { bytes: more, .. }) if is_full => *bytes += more,
        (_, notice) => notices.push_back(notice),
    }
}

impl Port for EthernetPort {
    fn name(&self) -> String {
        self.config.to_string()
    }

    fn interest<'a>(&'a self, watch: &mut dyn FnMut(Interest<'a>)) {
        watch(Interest { fd: self.changes.as_fd(), readable: true, writable: false });
        if let Some(socket) = &self.socket {
            watch(Interest { fd: socket.as_fd(), readable: true, writable: self.wants_room });
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.retry_at.into_iter().chain(self.recheck_at).min()
    }

    fn receive(&mut self, base: &Timebase, frames: &mut Vec<Received>) -> io::Result<()> {
        self.base = *base;
        let now = base.now();
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
        }
        if self.changes.take() || self.recheck_at.is_some_and(|at| at <= now) {
            self.check();
        }
        for _ in 0..BATCHES {
            match self.receive_batch(frames) {
                Ok(true) => {}
                Ok(false) | Err(Errno::EAGAIN | Errno::ENOMEM | Errno::ENOBUFS) => break,
                Err(Errno::EINTR) => {}
                Err(Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV) => self.check(),
                // The kernel has no words in its header for how this one is to be cut.
                Err(Errno::EINVAL) => {
                    let detail =
                        "a joined frame that cannot be cut, as tunnels make: switch the offload off at the sender";
                    self.tell(Notice::Unreadable { detail: detail.to_owned(), bytes: 0 });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn send(&mut self, frames: &[Bytes]) -> Sent {
        self.wants_room = false;
        let (fit, why) = self.fit(frames);
        let (mut taken, mut tries) = (0, 0);
        let stopped = loop {
            let Some(socket) = self.socket.as_ref().filter(|_| self.carries) else { break Some(Stopped::Down) };
            if taken == fit {
                break why.map(Stopped::Refused);
            }
            tries += 1;
            match socket.send(&frames[taken..fit]) {
                Ok(count) => (taken, tries) = (taken + count, 0),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    self.wants_room = true;
                    break Some(Stopped::Busy);
                }
                Err(Errno::ENOBUFS | Errno::ENOMEM) => {
                    self.retry_at = Some(self.base.now() + RETRY);
                    break Some(Stopped::Busy);
                }
                // May be what happened to an earlier call, or while receiving.
                Err(Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV) if tries < 3 => self.check(),
                Err(Errno::EINVAL) if tries < 3 => {}
                Err(Errno::EMSGSIZE) => {
                    break Some(Stopped::Refused(format!(
                        "a frame of {} bytes is longer than {} takes: raise its MTU",
                        frames[taken].len(),
                        self.config.interface
                    )));
                }
                Err(error) => {
                    break Some(Stopped::Refused(format!("{} does not take it: {error}", self.config.interface)));
                }
            }
        };
        Sent { taken, stopped }
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }
}
