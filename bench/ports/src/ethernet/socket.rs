//! The packet socket of an Ethernet port: packet(7).
//!
//! `pnet_datalink` finds the interface, binds the socket to it and sets it promiscuous. It would also read and write, but its
//! channel waits, hides its file descriptor, moves one frame a call, and knows neither of time stamps nor of the tags and the
//! joined frames that the kernel tells of beside a frame; so frames are moved here.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd};

use bytes::Bytes;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, ReceiveTimestampns, RxqOvfl, SndBuf, SndBufForce};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, recvmmsg, sendmmsg, setsockopt,
};
use nix::sys::time::TimeSpec;
use nix::{setsockopt_impl, sockopt_impl};
use pnet_datalink::{Config, NetworkInterface};
use socket2::{Domain, Socket, Type};

use super::layers::TAG;
use super::offload::HEADER;

/// How many frames one call of the system moves at most.
const BATCH: usize = 32;

/// The longest frame that is taken: the longest IP packet with its Ethernet header and two tags, and what comes before it.
const BUFFER: usize = HEADER + 65_535 + 14 + 2 * TAG;

/// How much the kernel is asked to keep of what has come in, in bytes. A joined frame of 64 KiB takes about as much of it.
const RECEIVE_BUFFER: usize = 32 << 20;
/// How much the kernel is asked to keep of what is to leave, in bytes: not much, since what waits there is late already.
const SEND_BUFFER: usize = 1 << 20;

// From linux/if_packet.h.
const PACKET_AUXDATA: libc::c_int = 8;
const PACKET_VNET_HDR: libc::c_int = 15;
const PACKET_QDISC_BYPASS: libc::c_int = 20;
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
const TP_STATUS_VLAN_VALID: u32 = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
/// The length of `struct tpacket_auxdata`.
const AUXDATA: usize = 20;

sockopt_impl!(
    /// The kernel tells of each frame, beside it, the VLAN tag that it took out.
    AuxiliaryData, SetOnly, libc::SOL_PACKET, PACKET_AUXDATA, bool
);
sockopt_impl!(
    /// Before each frame stands what is left to do for it.
    OffloadHeader, SetOnly, libc::SOL_PACKET, PACKET_VNET_HDR, bool
);
sockopt_impl!(
    /// Frames leave in their order and at once, past the queues of traffic control, which would drop some untold.
    BypassQueue, SetOnly, libc::SOL_PACKET, PACKET_QDISC_BYPASS, bool
);
sockopt_impl!(
    /// What this machine sends out of the interface, this port included, does not come in.
    IgnoreOutgoing, SetOnly, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, bool
);

/// A frame as the kernel hands it over.
pub(super) struct Raw<'a> {
    /// When it came, in nanoseconds of Unix time.
    pub(super) stamp: Option<i64>,
    /// The VLAN tag that was taken out of it.
    pub(super) tag: Option<[u8; TAG]>,
    /// What is left to do for it.
    pub(super) offload: [u8; HEADER],
    /// The frame.
    pub(super) frame: &'a [u8],
    /// It was longer, and the rest is lost.
    pub(super) is_cut_off: bool,
}

/// A socket that is bound to one interface.
#[derive(Debug)]
pub(super) struct PacketSocket {
    socket: Socket,
    /// Of the interface: another one of the same name has another.
    index: u32,
    buffers: Vec<Box<[u8]>>,
    /// How many frames the kernel has dropped so far, modulo 2³².
    dropped: u32,
}

impl PacketSocket {
    pub(super) fn open(interface: &NetworkInterface) -> io::Result<Self> {
        // Of no protocol: nothing comes in before it is bound, and set as it is to be.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        setsockopt(&socket, OffloadHeader, &true)?;
        setsockopt(&socket, AuxiliaryData, &true)?;
        setsockopt(&socket, IgnoreOutgoing, &true)?;
        setsockopt(&socket, BypassQueue, &true)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        // Beyond the limit that the system sets for all takes a privilege; what is granted otherwise is less, and no error.
        if setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER)?;
        }
        if setsockopt(&socket, SndBufForce, &SEND_BUFFER).is_err() {
            setsockopt(&socket, SndBuf, &SEND_BUFFER)?;
        }
        // The channel owns, and closes, a second descriptor of the same socket; what it sets stays with the socket.
        let second = socket.try_clone()?.into_raw_fd();
        let config = Config { socket_fd: Some(second), promiscuous: true, ..Config::default() };
        drop(pnet_datalink::channel(interface, config)?);
        let buffers = vec![vec![0; BUFFER].into_boxed_slice(); BATCH];
        Ok(PacketSocket { socket, index: interface.index, buffers, dropped: 0 })
    }

    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Hands out frames that have come in, and returns how many, and how many the kernel has dropped since it was last
    /// asked. There may be more if it is as many as one call moves.
    pub(super) fn receive(&mut self, give: &mut dyn FnMut(Raw<'_>)) -> Result<(bool, u64), Errno> {
        let space = nix::cmsg_space!(TimeSpec, u32, [u8; AUXDATA]);
        // Made anew for each call, since the kernel's answer shortens the room for the next one.
        let mut headers = MultiHeaders::<()>::preallocate(BATCH, Some(space));
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let results = recvmmsg(self.socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        let (mut count, mut dropped) = (0, self.dropped);
        for message in results {
            count += 1;
            let Some((offload, frame)) = message.iovs().next().and_then(|bytes| bytes.split_first_chunk()) else {
                continue;
            };
            let is_cut_off = message.flags.contains(MsgFlags::MSG_TRUNC);
            let mut raw = Raw { stamp: None, tag: None, offload: *offload, frame, is_cut_off };
            read_beside(&message, &mut raw, &mut dropped);
            give(raw);
        }
        let new = dropped.wrapping_sub(self.dropped);
        self.dropped = dropped;
        Ok((count == BATCH, u64::from(new)))
    }

    /// Sends frames in order, and returns how many.
    pub(super) fn send(&self, frames: &[Bytes]) -> Result<usize, Errno> {
        // Nothing is left to do for any of them.
        let header = [0; HEADER];
        let frames = &frames[..frames.len().min(BATCH)];
        let slices: Vec<[IoSlice<'_>; 2]> =
            frames.iter().map(|frame| [IoSlice::new(&header), IoSlice::new(frame)]).collect();
        let mut headers = MultiHeaders::<()>::preallocate(slices.len(), None);
        let nobody = [None; BATCH];
        let none: [ControlMessage<'_>; 0] = [];
        let sent = sendmmsg(
            self.socket.as_raw_fd(),
            &mut headers,
            slices.iter(),
            &nobody[..slices.len()],
            none,
            MsgFlags::MSG_DONTWAIT,
        )?;
        Ok(sent.count())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Reads what the kernel tells beside a frame.
fn read_beside(message: &RecvMsg<'_, '_, ()>, raw: &mut Raw<'_>, dropped: &mut u32) {
    let Ok(told) = message.cmsgs() else { return };
    for told in told {
        match told {
            ControlMessageOwned::ScmTimestampns(time) => {
                raw.stamp = Some(time.tv_sec() * 1_000_000_000 + time.tv_nsec());
            }
            ControlMessageOwned::RxqOvfl(count) => *dropped = count,
            ControlMessageOwned::Unknown(told)
                if (told.cmsg_header.cmsg_level, told.cmsg_header.cmsg_type) == (libc::SOL_PACKET, PACKET_AUXDATA) =>
            {
                raw.tag = tag(&told.data_bytes);
            }
            _ => {}
        }
    }
}

/// The VLAN tag in a `struct tpacket_auxdata`, as it stood in the frame.
fn tag(auxdata: &[u8]) -> Option<[u8; TAG]> {
    let auxdata: &[u8; AUXDATA] = auxdata.first_chunk()?;
    let half = |at: usize| u16::from_ne_bytes([auxdata[at], auxdata[at + 1]]);
    let status = u32::from_ne_bytes([auxdata[0], auxdata[1], auxdata[2], auxdata[3]]);
    if status & TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let protocol = if status & TP_STATUS_VLAN_TPID_VALID == 0 { 0x8100 } else { half(18) };
    let [first, second] = protocol.to_be_bytes();
    let [third, fourth] = half(16).to_be_bytes();
    Some([first, second, third, fourth])
}
