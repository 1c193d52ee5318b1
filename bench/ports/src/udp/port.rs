//! UDP as a port of the emulator: one datagram is one frame, stamped by the kernel.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::str::FromStr;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

use super::batch::{BatchOptions, BatchPort, Frame};
use super::{MAX_DATAGRAM, OpenError, UdpAddress, UdpPort, socket_address};
use crate::port::{Interest, Notice, Port, Received, Sent, Stopped};
use crate::text::{Form, Key, Parts, PortTextError};
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

/// How it is written.
pub const FORM: Form = Form {
    kind: "udp",
    place: Some("a port number or an address with one, where frames come in"),
    keys: &[Key::value("to", "the address and port that frames leave for")],
    example: "udp:5001,to=127.0.0.1:5002",
};

impl FromStr for UdpLinkConfig {
    type Err = PortTextError;
    fn from_str(text: &str) -> Result<Self, PortTextError> {
        let parts = Parts::read(text, &FORM)?;
        let listen = parts.place(socket_address).map(UdpAddress)?;
        // Port 0 lets the system choose where to listen; nothing can be sent to it.
        let to = parts.value("to", |text| socket_address(text).filter(|to| to.port() > 0))?;
        if to.is_some_and(|to| to.is_ipv4() != listen.0.is_ipv4()) {
            return Err(parts.refuse("the two addresses are of different families"));
        }
        Ok(UdpLinkConfig { listen, to })
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
    /// When the last frame came.
    latest: Instant,
}

impl UdpLinkPort {
    /// Opens a port. [`UdpLinkPort::config`] has the number that the system chose, if 0 was asked for.
    ///
    /// # Errors
    /// The port is in use, not permitted, not of this machine, or the system refuses it otherwise.
    pub fn open(mut config: UdpLinkConfig, _base: &Timebase) -> Result<Self, OpenError> {
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
            None => vec![Notice::Down { detail: nobody.to_owned(), lost_frames: 0 }],
        };
        let frames = Vec::new();
        Ok(UdpLinkPort {
            config,
            port,
            frames,
            notices,
            dropped: 0,
            next_check,
            full: false,
            last_sender: None,
            latest: Instant::ZERO,
        })
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
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR | nix::errno::Errno::ECONNREFUSED) => {
                return Ok(());
            }
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
        let (now, before) = (base.now(), frames.len());
        if now >= self.next_check {
            self.receive_counted(base, frames)?;
            if frames.len() > before {
                self.next_check = now + OVERRUN_CHECK;
            }
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
            let latest = &mut self.latest;
            frames.extend(incoming.drain(..).map(|frame| {
                // They come in order; only the comparison of the two clocks may say otherwise.
                *latest = frame.stamp.map_or(stamps.now(), |stamp| stamps.instant(stamp)).max(*latest);
                Received { at: *latest, content: frame.content }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(port: &mut UdpLinkPort, base: &Timebase, wanted: usize) -> Vec<Received> {
        let mut frames = Vec::new();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while frames.len() < wanted && std::time::Instant::now() < deadline {
            port.receive(base, &mut frames).unwrap();
        }
        assert_eq!(frames.len(), wanted);
        frames
    }

    #[test]
    fn a_port_is_written_with_or_without_where_to() {
        let config: UdpLinkConfig = "udp:5001,to=127.0.0.1:5002".parse().unwrap();
        assert_eq!(config.to_string(), "udp:127.0.0.1:5001,to=127.0.0.1:5002");
        let config: UdpLinkConfig = "udp:[::1]:5001".parse().unwrap();
        assert_eq!((config.to_string().as_str(), config.to), ("udp:[::1]:5001", None));
        for wrong in ["udp:", "udp:here", "udp:1,to=2:3:4", "udp:1,to=127.0.0.1:0", "udp:1,to=[::1]:5", "tcp:1"] {
            let error = wrong.parse::<UdpLinkConfig>().unwrap_err().to_string();
            assert!(error.contains("udp:5001,to=127.0.0.1:5002"), "{error}");
        }
    }

    #[test]
    fn frames_are_stamped_in_order_and_before_they_are_read() {
        for host in ["127.0.0.1", "[::1]"] {
            let base = Timebase::start();
            let mut b = UdpLinkPort::open(format!("udp:{host}:0").parse().unwrap(), &base).unwrap();
            let to = b.config().listen.0;
            let mut a = UdpLinkPort::open(format!("udp:{host}:0,to={to}").parse().unwrap(), &base).unwrap();
            assert!(matches!(b.poll_notice(), Some(Notice::Down { .. })), "it knows of no node");
            assert_eq!(b.send(&[Bytes::from_static(b"x")]).stopped, Some(Stopped::Down));

            let before = base.now();
            let sent: Vec<Bytes> = (0..100u8).map(|n| Bytes::from(vec![n; 1 + usize::from(n)])).collect();
            assert_eq!(a.send(&sent), Sent::all(100));
            let after_send = base.now();
            std::thread::sleep(std::time::Duration::from_millis(400));
            let frames = receive(&mut b, &base, 100);
            assert!(frames.iter().map(|frame| &frame.content).eq(&sent));
            // The kernel had them all before `send` returned, however late they are read. The wall clock, in which it stamps, may be
            // slewed, and whoever compares the clocks be interrupted.
            let slack = Duration::from_millis(100);
            assert!(frames.is_sorted_by_key(|frame| frame.at));
            assert!(frames.iter().all(|frame| before <= frame.at + slack && frame.at <= after_send + slack));

            assert!(matches!(b.poll_notice(), Some(Notice::Up { .. })), "now it knows");
            assert_eq!(b.send(&sent[..3]), Sent::all(3));
            assert_eq!(receive(&mut a, &base, 3).len(), 3);
        }
    }

    #[test]
    fn a_datagram_too_long_is_refused_and_an_empty_one_passes() {
        let base = Timebase::start();
        let mut b = UdpLinkPort::open("udp:0".parse().unwrap(), &base).unwrap();
        let to = b.config().listen.0;
        let mut a = UdpLinkPort::open(format!("udp:0,to={to}").parse().unwrap(), &base).unwrap();
        let sent = a.send(&[Bytes::from(vec![0; MAX_DATAGRAM + 1])]);
        assert!(matches!(sent, Sent { taken: 0, stopped: Some(Stopped::Refused(_)) }), "{sent:?}");
        assert_eq!(a.send(&[Bytes::new(), Bytes::from(vec![0; MAX_DATAGRAM])]), Sent::all(2));
        let frames = receive(&mut b, &base, 2);
        assert_eq!([frames[0].content.len(), frames[1].content.len()], [0, MAX_DATAGRAM]);
    }

    #[test]
    fn what_the_kernel_had_to_drop_is_told() {
        let base = Timebase::start();
        let mut b = UdpLinkPort::open("udp:0".parse().unwrap(), &base).unwrap();
        nix::sys::socket::setsockopt(b.port.socket(), sockopt::RcvBuf, &65_536).unwrap();
        let to = b.config().listen.0;
        let mut a = UdpLinkPort::open(format!("udp:0,to={to}").parse().unwrap(), &base).unwrap();
        for _ in 0..200 {
            a.send(&vec![Bytes::from(vec![1; 8192]); 10]);
        }
        let mut frames = Vec::new();
        let mut dropped = 0;
        for round in 0..200 {
            b.receive(&base, &mut frames).unwrap();
            if round > 0 && round % 50 == 0 {
                // The count comes with a datagram that arrives after the loss.
                a.send(&[Bytes::from_static(b"after")]);
            }
            while let Some(notice) = b.poll_notice() {
                if let Notice::Overrun { frames } = notice {
                    dropped += frames;
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let received = frames.iter().filter(|frame| frame.content.len() == 8192).count() as u64;
        assert!(received < 2000);
        assert_eq!(received + dropped, 2000);
    }
}
