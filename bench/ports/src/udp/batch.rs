//! Many frames in one call of the system.
//!
//! A run of frames of one length goes to the kernel as one buffer (UDP segmentation offload, GSO) and may come back as one
//! (receive offload, GRO); several such buffers are received in one call (`recvmmsg`). On the wire, and for a receiver
//! without any of this, nothing differs: one frame is one datagram. Where the kernel or the path has no such offload, each
//! frame goes by itself.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::{MAX_DATAGRAM, UdpPort};

/// Room for the longest datagram, and for the longest run of frames that the kernel joins into one buffer.
const BUFFER: usize = 1 << 16;

/// Most buffers of one receive call. More would no longer stay in a core's own cache.
const BUFFERS: usize = 8;

/// What the system answers to a run of frames where it cannot cut it.
const NO_OFFLOAD_KERNEL: i32 = Errno::EINVAL as i32;
const NO_OFFLOAD_DEVICE: i32 = Errno::EIO as i32;

/// How a batched port is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// Hand the kernel runs of frames as one (GSO), where it can do that.
    pub segmentation_offload: bool,
    /// Take runs of frames from the kernel as one (GRO), where it can do that.
    pub receive_offload: bool,
    /// How many bytes the kernel is asked to keep of what has arrived and has not been taken. It counts its own overhead
    /// with them. A process without the privilege to ask for more (`CAP_NET_ADMIN`) gets at most what the system allows
    /// everybody (`net.core.rmem_max`); [`BatchPort::receive_buffer`] tells what was granted.
    pub receive_buffer: usize,
}

impl Default for BatchOptions {
    fn default() -> Self {
        BatchOptions { segmentation_offload: true, receive_offload: true, receive_buffer: 16 << 20 }
    }
}

/// A frame that has come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Who sent it.
    pub from: SocketAddr,
    /// When it had arrived, as the kernel stamped it on the wall clock: nanoseconds of Unix time. `None` if it did not.
    pub stamp: Option<i64>,
    /// What it holds: a part of a buffer that it shares with the frames beside it. Whoever keeps a single frame of many for
    /// long should copy it, since it keeps all of the buffer, 64 KiB.
    pub content: Bytes,
}

/// A UDP port that takes and gives frames by the batch, and never waits except in [`BatchPort::wait`].
#[derive(Debug)]
pub struct BatchPort {
    socket: UdpSocket,
    state: UdpSocketState,
    segmentation_offload: bool,
    /// Longer frames than this are not sent in runs, since the path does not take them in one piece.
    longest_in_run: usize,
    buffers: [BytesMut; BUFFERS],
    /// Buffers that are used again once nobody holds a frame in them.
    lent: VecDeque<Bytes>,
}

impl BatchPort {
    /// Makes a port one that works by the batch. Its socket is non-blocking from now on.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new(port: UdpPort, options: BatchOptions) -> io::Result<Self> {
        let socket = port.socket;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        allow_fragments(&socket)?;
        if !options.receive_offload && state.gro_segments() > 1 {
            nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::UdpGroSegment, &false)?;
        }
        // Granted or not is no error: the kernel keeps what it keeps, and tells.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, options.receive_buffer).is_err() {
            state.set_recv_buffer_size(UdpSockRef::from(&socket), options.receive_buffer)?;
        }
        Ok(BatchPort {
            socket,
            state,
            segmentation_offload: options.segmentation_offload,
            longest_in_run: MAX_DATAGRAM,
            buffers: std::array::from_fn(|_| BytesMut::zeroed(BUFFER)),
            lent: VecDeque::with_capacity(2 * BUFFERS),
        })
    }

    /// The socket itself, for an event loop that waits on it. It is non-blocking.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// How many bytes the kernel keeps of what has arrived and has not been taken, its own overhead included.
    ///
    /// # Errors
    /// The system does not say.
    pub fn receive_buffer(&self) -> io::Result<usize> {
        self.state.recv_buffer_size(UdpSockRef::from(&self.socket))
    }

    /// Waits at most `patience` until a frame can be taken. `false` if none came.
    ///
    /// # Errors
    /// The system refuses.
    pub fn wait(&self, patience: Duration) -> io::Result<bool> {
        let mut watched = [PollFd::new(&self.socket, PollFlags::IN)];
        let patience = Timespec::try_from(patience).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        match rustix::event::poll(&mut watched, Some(&patience)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends frames in order, and returns how many of them the system has taken: fewer than all if it has no room for more
    /// now. Whether anybody listens there is the far side's affair.
    ///
    /// # Errors
    /// The system refuses the first of the frames, for instance because it is longer than [`MAX_DATAGRAM`]. A refusal of a
    /// later one ends the batch before it.
    pub fn send_batch(&mut self, to: SocketAddr, frames: &[Bytes]) -> io::Result<usize> {
        let mut sent = 0;
        while sent < frames.len() {
            let run = self.run(&frames[sent..]);
            match self.send_run(to, &frames[sent..sent + run]) {
                Ok(()) => sent += run,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The path takes such frames in fragments alone, and the kernel does not cut runs into those.
                Err(error) if run > 1 && quinn_udp::is_msg_size_err(&error) => {
                    self.longest_in_run = frames[sent].len() - 1;
                }
                // The kernel or the device has no such offload; there is no other way to find out.
                Err(error)
                    if run > 1 && matches!(error.raw_os_error(), Some(NO_OFFLOAD_KERNEL | NO_OFFLOAD_DEVICE)) =>
                {
                    self.segmentation_offload = false;
                }
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    /// How many of the frames, at least one, go as one: those of the first one's length, and a shorter one after them.
    fn run(&self, frames: &[Bytes]) -> usize {
        let length = frames[0].len();
        let most = if self.segmentation_offload { self.state.max_gso_segments() } else { 1 };
        if length == 0 || length > self.longest_in_run {
            return 1;
        }
        let most = most.min(MAX_DATAGRAM / length);
        let mut run = frames.iter().take(most).take_while(|f| f.len() == length).count().max(1);
        if let Some(next) = frames.get(run).filter(|_| run < most) {
            run += usize::from(!next.is_empty() && next.len() < length);
        }
        run
    }

    fn send_run(&self, to: SocketAddr, run: &[Bytes]) -> io::Result<()> {
        let send = || match run {
            [frame] => self.socket.send_to(frame, to),
            _ => {
                // The kernel gathers the frames itself, which spares a copy of them.
                let gathered: Vec<IoSlice<'_>> = run.iter().map(|frame| IoSlice::new(frame)).collect();
                let length = run[0].len() as u16;
                let cut = [ControlMessage::UdpGsoSegments(&length)];
                let to = SockaddrStorage::from(to);
                Ok(sendmsg(self.socket.as_raw_fd(), &gathered, &cut, MsgFlags::empty(), Some(&to))?)
            }
        };
        let mut refused = false;
        loop {
            match send() {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The refusal of an earlier datagram is reported by the next call, which has sent nothing: try once more.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused && !refused => refused = true,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes frames that have come in, in their order, appends them to `frames`, and returns how many; 0 if none has come.
    /// One call takes at most eight buffers of the kernel's; more may wait.
    ///
    /// # Errors
    /// The system refuses. A refusal by the *other* side (an ICMP "port unreachable" for something sent earlier) is no
    /// error of this port.
    pub fn receive_batch(&mut self, frames: &mut Vec<Frame>) -> io::Result<usize> {
        let before = frames.len();
        let mut metas = [RecvMeta::default(); BUFFERS];
        let mut slices = self.buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
        let count = match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas) {
            Ok(count) => count,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionRefused => return Ok(0),
                _ => return Err(error),
            },
        };
        for (index, meta) in metas.iter().enumerate().take(count) {
            let stamp = meta.timestamp.and_then(|at| i64::try_from(at.as_nanos()).ok());
            let content = self.take(index, meta.len);
            if content.is_empty() {
                frames.push(Frame { from: meta.addr, stamp, content });
                continue;
            }
            let stride = meta.stride.clamp(1, content.len());
            let starts = (0..content.len()).step_by(stride);
            frames.extend(starts.map(|start| {
                let content = content.slice(start..content.len().min(start + stride));
                Frame { from: meta.addr, stamp, content }
            }));
        }
        Ok(frames.len() - before)
    }

    /// The first `length` bytes of a buffer. One that is nearly full is handed out as it is, and another put in its place;
    /// of others the content is copied, so that few bytes do not keep a long buffer in memory.
    fn take(&mut self, index: usize, length: usize) -> Bytes {
        if length < BUFFER / 8 * 7 {
            return Bytes::copy_from_slice(&self.buffers[index][..length]);
        }
        let fresh = match self.lent.pop_front().map(Bytes::try_into_mut) {
            Some(Ok(buffer)) => buffer,
            // Its frames are still held. It is looked at again later, or freed with the last of them.
            Some(Err(held)) => {
                self.lent.push_back(held);
                BytesMut::zeroed(BUFFER)
            }
            None => BytesMut::zeroed(BUFFER),
        };
        let whole = std::mem::replace(&mut self.buffers[index], fresh).freeze();
        let content = whole.slice(..length);
        if self.lent.len() >= 2 * BUFFERS {
            self.lent.pop_front();
        }
        self.lent.push_back(whole);
        content
    }
}

impl AsFd for BatchPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Lets the system cut datagrams that are longer than the path takes, as it does for any UDP socket. Without that a bench
/// that carries long frames over Ethernet would lose them here.
fn allow_fragments(socket: &UdpSocket) -> io::Result<()> {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };
    set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::WANT)?;
    if socket.local_addr()?.is_ipv6() {
        set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::WANT)?;
        nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::Ipv6DontFrag, &false)?;
    }
    Ok(())
}
