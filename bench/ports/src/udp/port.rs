//! UDP as a port of the emulator: one datagram is one frame, stamped by the kernel.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

use super::batch::{BatchOptions, BatchPort, Frame};
use super::{MAX_DATAGRAM, OpenError, UdpAddress, UdpPort};
use crate::port::{Interest, Notice, Port, Received, Sent, Stopped};
use crate::timebase::Timebase;

/// How many calls of the system one [`Port::receive`] makes at most, so that what is due does not wait for a flood.
const BATCHES: usize = 4;

/// How often the kernel is asked how many datagrams it had to drop.
const OVERRUN_CHECK: Duration = Duration::from_millis(200);

/// How a UDP port of the emulator is set up: `udp:5001,to=127.0.0.1:5002`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpLinkConfig {
    /// Where frames come in. They leave from there as well.
    pub listen: UdpAddress,
    /// Where they leave for; without it, for whoever sent a frame last. Nodes that receive at another port than they send
    /// from need it.
    pub to: Option<SocketAddr>,
}

impl fmt::Display for UdpLinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "{},to={to}", self.listen),
            None => self.listen.fmt(f),
        }
    }
}

/// A UDP port of the emulator.
#[derive(Debug)]
pub struct UdpLinkPort {
    config: UdpLinkConfig,
    port: BatchPort,
    frames: Vec<Frame>,
    notices: Vec<Notice>,
    dropped: u32,
    next_check: Instant,
    /// The socket was full: writability is of interest.
    full: bool,
    last_sender: Option<SocketAddr>,
}

impl UdpLinkPort {
    /// Opens a port. [`UdpLinkPort::config`] has the number that the system chose, if 0 was asked for.
    ///
    /// # Errors
    /// The port is in use, not permitted, not of this machine, or the system refuses it otherwise.
    pub fn open(mut config: UdpLinkConfig) -> Result<Self, OpenError> {
        let address = config.listen;
        let other = |source| OpenError::Other { address, source };
        let port = UdpPort::open(address)?;
        config.listen = port.local_address().map_err(other)?;
        // Frames that the kernel joins would share one time stamp.
        let options = BatchOptions { receive_offload: false, ..BatchOptions::default() };
        let port = BatchPort::new(port, options).map_err(other)?;
        setsockopt(port.socket(), sockopt::RxqOvfl, &1).map_err(|errno| other(errno.into()))?;
        let next_check = Instant::from_nanos(i64::MIN);
        let nobody = "no node has sent a frame yet, so there is nowhere to send to; `to=` would say where";
        let notices = match config.to {
            Some(_) => Vec::new(),
            None => vec![Notice::Down { detail: nobody.to_owned() }],
        };
        let frames = Vec::new();
        Ok(UdpLinkPort { config, port, frames, notices, dropped: 0, next_check, full: false, last_sender: None })
    }

    /// How it is set up.
    pub fn config(&self) -> &UdpLinkConfig {
        &self.config
    }

    /// Takes one frame by the call that tells the kernel's count of dropped datagrams with it.
    fn receive_counted(&mut self, base: &Timebase, frames: &mut Vec<Received>) -> io::Result<()> {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec, u32, [u8; 64]);
        let mut slices = [io::IoSliceMut::new(&mut buffer)];
        let fd = self.port.socket().as_raw_fd();
        let message = match recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut control), MsgFlags::MSG_DONTWAIT) {
            Ok(message) => message,
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR | nix::errno::Errno::ECONNREFUSED) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        let stamps = base.stamps();
        let (mut at, mut dropped) = (stamps.now(), None);
        for item in message.cmsgs()? {
            match item {
                ControlMessageOwned::ScmTimestampns(stamp) => {
                    at = stamps.instant(stamp.tv_sec() * 1_000_000_000 + stamp.tv_nsec());
                }
                ControlMessageOwned::RxqOvfl(count) => dropped = Some(count),
                _ => {}
            }
        }
        let from = message.address.and_then(|address| match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => Some(SocketAddr::from((v4.ip(), v4.port()))),
            (_, Some(v6)) => Some(SocketAddr::from((v6.ip(), v6.port()))),
            _ => None,
        });
        let length = message.bytes;
        frames.push(Received { at, content: Bytes::copy_from_slice(&buffer[..length]) });
        if let Some(from) = from {
            self.heard_from(from);
        }
        // The kernel's count wraps around.
        let new = dropped.map_or(0, |count| count.wrapping_sub(self.dropped));
        if new > 0 {
            self.dropped = self.dropped.wrapping_add(new);
            self.notices.push(Notice::Overrun { frames: u64::from(new) });
        }
        Ok(())
    }

    fn heard_from(&mut self, from: SocketAddr) {
        if self.last_sender.replace(from).is_none() && self.config.to.is_none() {
            self.notices.push(Notice::Up { detail: format!("the node is at {from}") });
        }
    }
}

impl Port for UdpLinkPort {
    fn name(&self) -> String {
        self.config.to_string()
    }

    fn interest<'a>(&'a self, watch: &mut dyn FnMut(Interest<'a>)) {
        watch(Interest { fd: self.port.as_fd(), readable: true, writable: self.full });
    }

    fn receive(&mut self, base: &Timebase, frames: &mut Vec<Received>) -> io::Result<()> {
        let now = base.now();
        if now >= self.next_check {
            self.next_check = now + OVERRUN_CHECK;
            self.receive_counted(base, frames)?;
        }
        let mut incoming = std::mem::take(&mut self.frames);
        for _ in 0..BATCHES {
            if self.port.receive_batch(&mut incoming)? == 0 {
                break;
            }
        }
        if let Some(last) = incoming.last() {
            let from = last.from;
            self.heard_from(from);
            let stamps = base.stamps();
            frames.extend(incoming.drain(..).map(|frame| Received {
                at: frame.stamp.map_or(stamps.now(), |stamp| stamps.instant(stamp)),
                content: frame.content,
            }));
        }
        self.frames = incoming;
        Ok(())
    }

    fn send(&mut self, frames: &[Bytes]) -> Sent {
        self.full = false;
        let Some(to) = self.config.to.or(self.last_sender) else {
            return Sent { taken: 0, stopped: Some(Stopped::Down) };
        };
        match self.port.send_batch(to, frames) {
            Ok(taken) if taken == frames.len() => Sent::all(taken),
            Ok(taken) => {
                self.full = true;
                Sent { taken, stopped: Some(Stopped::Busy) }
            }
            Err(error) => Sent { taken: 0, stopped: Some(Stopped::Refused(error.to_string())) },
        }
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        (!self.notices.is_empty()).then(|| self.notices.remove(0))
    }
}
