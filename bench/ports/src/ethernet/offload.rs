//! Frames as they would be on the wire, from what the kernel hands over instead of them.
//!
//! A sender on the same machine leaves work to the interface that the packets leave through: it gives a run of TCP segments
//! as one, up to 64 KiB long, and checksums that are only begun. A veth pair passes such on as it is, and a network card's
//! driver joins what came in to the same form. What the interface would still have to do is said in a header before the
//! frame (`struct virtio_net_hdr`; Virtual I/O Device 1.2, section 5.1.6), and is done here: the frames of a link emulator
//! are delayed, damaged and lost one by one, and a checksum made after a bit has been turned would vouch for it.

use bytes::{BufMut, Bytes, BytesMut};
use crc::{CRC_32_ISCSI, Crc};
use pnet_packet::ethernet::EtherTypes;
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv4::{self, Ipv4Packet, MutableIpv4Packet};
use pnet_packet::ipv6::{Ipv6Packet, MutableIpv6Packet};
use pnet_packet::tcp::{MutableTcpPacket, TcpFlags, TcpPacket};
use pnet_packet::udp::{MutableUdpPacket, UdpPacket};
use thiserror::Error;

use super::layers::{ADDRESSES, Layers, TAG};

/// The length of the header before the frame, in bytes.
pub(super) const HEADER: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const SEGMENTS_NONE: u8 = 0;
const SEGMENTS_TCP_IPV4: u8 = 1;
const SEGMENTS_TCP_IPV6: u8 = 4;
const SEGMENTS_UDP: u8 = 5;
/// In the type of segments: congestion was told by the sender (RFC 3168), which only the first segment may say.
const SEGMENTS_TELL_CONGESTION: u8 = 0x80;

/// The checksum of SCTP (RFC 9260, appendix A).
const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
/// Where it stands in the header of SCTP, in bytes; no other protocol with checksum offload has its own there.
const SCTP_CHECKSUM: usize = 8;

/// Why a frame could not be brought into the form that it would have on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Unwired {
    #[error(
        "a joined frame of kind {kind} came, and only TCP and UDP can be cut: switch the offload off at the sender"
    )]
    Kind { kind: u8 },
    #[error("a frame to be cut or summed ends at byte {length}, before the header that it names")]
    Short { length: usize },
    #[error("a joined frame came that does not say where to cut it")]
    NoSize,
    #[error("a joined frame came without IP where its header says that there is IP")]
    NoInternet,
}

/// What is left to do for a frame. Places are in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offload {
    needs_checksum: bool,
    kind: u8,
    size: usize,
    checksum_start: usize,
    checksum_offset: usize,
}

impl Offload {
    /// Reads the header that the kernel puts before a frame, whose numbers are in the machine's byte order.
    pub(super) fn read(header: &[u8; HEADER]) -> Self {
        let number = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
        Offload {
            needs_checksum: header[0] & NEEDS_CHECKSUM != 0,
            kind: header[1],
            size: number(4),
            checksum_start: number(6),
            checksum_offset: number(8),
        }
    }

    /// Hands out the frame, or the frames that it stands for, in their order. `tag` is the VLAN tag that the kernel has
    /// taken out.
    pub(super) fn wire(
        mut self,
        frame: &[u8],
        tag: Option<[u8; TAG]>,
        give: &mut dyn FnMut(Bytes),
    ) -> Result<(), Unwired> {
        let mut whole = BytesMut::with_capacity(frame.len() + TAG);
        match tag {
            Some(tag) if frame.len() >= ADDRESSES => {
                whole.put_slice(&frame[..ADDRESSES]);
                whole.put_slice(&tag);
                whole.put_slice(&frame[ADDRESSES..]);
                self.checksum_start += TAG;
            }
            _ => whole.put_slice(frame),
        }
        if self.kind & !SEGMENTS_TELL_CONGESTION != SEGMENTS_NONE {
            return self.cut(&whole, give);
        }
        if self.needs_checksum {
            self.sum(&mut whole)?;
        }
        give(whole.freeze());
        Ok(())
    }

    /// Completes the checksum that the sender has begun, with what it summed of the pseudo-header in its place.
    fn sum(&self, frame: &mut [u8]) -> Result<(), Unwired> {
        let short = Unwired::Short { length: frame.len() };
        let at = self.checksum_start + self.checksum_offset;
        if self.checksum_offset == SCTP_CHECKSUM && is_sctp(frame) {
            frame.get_mut(at..at + 4).ok_or(short)?.fill(0);
            let check = CRC32C.checksum(&frame[self.checksum_start..]).to_le_bytes();
            frame[at..at + 4].copy_from_slice(&check);
        } else {
            if frame.len() < at + 2 {
                return Err(short);
            }
            let check = checksum(sum(&frame[self.checksum_start..]));
            frame[at..at + 2].copy_from_slice(&check);
        }
        Ok(())
    }

    fn cut(&self, frame: &[u8], give: &mut dyn FnMut(Bytes)) -> Result<(), Unwired> {
        let short = Unwired::Short { length: frame.len() };
        let layers = Layers::of(frame).ok_or(short)?;
        let (internet, transport) = (layers.content, self.checksum_start);
        let kind = self.kind & !SEGMENTS_TELL_CONGESTION;
        let above = frame.get(transport..).ok_or(short)?;
        let header = transport
            + match kind {
                SEGMENTS_TCP_IPV4 | SEGMENTS_TCP_IPV6 => {
                    let tcp = TcpPacket::new(above).ok_or(short)?;
                    (usize::from(tcp.get_data_offset()) * 4).max(TcpPacket::minimum_packet_size())
                }
                SEGMENTS_UDP => UdpPacket::minimum_packet_size(),
                kind => return Err(Unwired::Kind { kind }),
            };
        if frame.len() <= header {
            return Err(short);
        }
        if self.size == 0 {
            return Err(Unwired::NoSize);
        }
        let is_ipv4 = layers.ethertype == EtherTypes::Ipv4.0;
        let fixed = if is_ipv4 { Ipv4Packet::minimum_packet_size() } else { Ipv6Packet::minimum_packet_size() };
        if !(is_ipv4 || layers.ethertype == EtherTypes::Ipv6.0) || transport < internet + fixed {
            return Err(Unwired::NoInternet);
        }

        let (headers, content) = frame.split_at(header);
        let pieces = content.len().div_ceil(self.size);
        let mut cut = BytesMut::with_capacity(frame.len() + (pieces - 1) * header);
        for (number, piece) in content.chunks(self.size).enumerate() {
            cut.put_slice(headers);
            cut.put_slice(piece);
            let (lower, upper) = cut.split_at_mut(transport);
            let length = (upper.len() + transport - internet) as u16;
            if is_ipv4 {
                set_ipv4(&mut lower[internet..], length, number);
            } else if let Some(mut ipv6) = MutableIpv6Packet::new(&mut lower[internet..]) {
                ipv6.set_payload_length(length - Ipv6Packet::minimum_packet_size() as u16);
            }
            // What the sender summed of the pseudo-header had the length of the whole in it.
            let pseudo = u64::from(!(above.len() as u16)) + upper.len() as u64;
            if kind == SEGMENTS_UDP {
                set_udp(upper, pseudo);
            } else {
                self.set_tcp(upper, pseudo, number, number + 1 == pieces);
            }
            give(cut.split().freeze());
        }
        Ok(())
    }

    fn set_tcp(&self, segment: &mut [u8], pseudo: u64, number: usize, is_last: bool) {
        let Some(mut tcp) = MutableTcpPacket::new(segment) else { return };
        tcp.set_sequence(tcp.get_sequence().wrapping_add((number * self.size) as u32));
        let mut flags = tcp.get_flags();
        if !is_last {
            flags &= !(TcpFlags::FIN | TcpFlags::PSH);
        }
        if number > 0 && self.kind & SEGMENTS_TELL_CONGESTION != 0 {
            flags &= !TcpFlags::CWR;
        }
        tcp.set_flags(flags);
        let check = checksum(sum(segment) + pseudo);
        segment[16..18].copy_from_slice(&check);
    }
}

fn set_ipv4(header: &mut [u8], length: u16, number: usize) {
    let Some(mut packet) = MutableIpv4Packet::new(header) else { return };
    packet.set_total_length(length);
    packet.set_identification(packet.get_identification().wrapping_add(number as u16));
    let check = ipv4::checksum(&packet.to_immutable());
    packet.set_checksum(check);
}

fn set_udp(datagram: &mut [u8], pseudo: u64) {
    let length = datagram.len() as u16;
    if let Some(mut udp) = MutableUdpPacket::new(datagram) {
        udp.set_length(length);
    }
    let check = checksum(sum(datagram) + pseudo);
    datagram[6..8].copy_from_slice(&check);
}

/// Whether SCTP follows right after the IP header.
fn is_sctp(frame: &[u8]) -> bool {
    let Some(layers) = Layers::of(frame) else { return false };
    let content = &frame[layers.content..];
    let next = match layers.ethertype {
        ethertype if ethertype == EtherTypes::Ipv4.0 => Ipv4Packet::new(content).map(|p| p.get_next_level_protocol()),
        ethertype if ethertype == EtherTypes::Ipv6.0 => Ipv6Packet::new(content).map(|p| p.get_next_header()),
        _ => None,
    };
    next == Some(IpNextHeaderProtocols::Sctp)
}

/// The sum of the 16-bit words of some bytes (RFC 1071), not folded yet. Wide words are summed, which comes to the same.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let sum: u64 = words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    sum + u64::from(u32::from_be_bytes(last))
}

/// The checksum of a sum. It is never zero, which in UDP would say that there is none (RFC 768); ones' complement has two
/// zeros.
fn checksum(mut sum: u64) -> [u8; 2] {
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    match !(sum as u16) {
        0 => [0xFF; 2],
        check => check.to_be_bytes(),
    }
}

#[cfg(test)]
#[path = "offload_tests.rs"]
mod tests;
