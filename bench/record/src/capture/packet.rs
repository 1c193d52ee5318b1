//! IPv4 packets with made-up headers.

use std::net::SocketAddrV4;

pub(super) const IP_HEADER: usize = 20;
pub(super) const UDP_HEADER: usize = 8;
pub(super) const TCP_HEADER: usize = 20;

const UDP: u8 = 17;
const TCP: u8 = 6;

fn ip_header(packet: &mut Vec<u8>, ends: [SocketAddrV4; 2], identification: u16, protocol: u8, length: usize) {
    const DONT_FRAGMENT: [u8; 2] = [0x40, 0];
    const TIME_TO_LIVE: u8 = 64;
    let ip_length = (length + IP_HEADER) as u16;
    packet.extend([0x45, 0]);
    packet.extend(ip_length.to_be_bytes());
    packet.extend(identification.to_be_bytes());
    packet.extend(DONT_FRAGMENT);
    packet.extend([TIME_TO_LIVE, protocol, 0, 0]);
    packet.extend(ends[0].ip().octets());
    packet.extend(ends[1].ip().octets());
    let checksum = !sum(0, packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(ends[0].port().to_be_bytes());
    packet.extend(ends[1].port().to_be_bytes());
}

/// The checksum of what follows the IP header, with the pseudo-header of RFC 768 and RFC 9293: addresses, protocol and length.
fn checksum(packet: &[u8], protocol: u8) -> u16 {
    let length = (packet.len() - IP_HEADER) as u16;
    let pseudo = sum(sum(length, &[0, protocol]), &packet[12..IP_HEADER]);
    !sum(pseudo, &packet[IP_HEADER..])
}

/// Appends an IPv4 packet with a UDP datagram to an empty buffer; `payload` is at most 65,507 octets long.
pub(super) fn datagram(
    packet: &mut Vec<u8>,
    from: SocketAddrV4,
    to: SocketAddrV4,
    identification: u16,
    payload: &[u8],
) {
    let udp_length = UDP_HEADER + payload.len();
    ip_header(packet, [from, to], identification, UDP, udp_length);
    packet.extend((udp_length as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    let checksum = match checksum(packet, UDP) {
        // Zero would mean that no checksum was taken.
        0 => 0xffff,
        checksum => checksum,
    };
    packet[IP_HEADER + 6..IP_HEADER + 8].copy_from_slice(&checksum.to_be_bytes());
}

/// What a TCP header says beyond its ports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tcp {
    pub(super) sequence: u32,
    pub(super) acknowledged: u32,
    pub(super) flags: u8,
}

/// Appends an IPv4 packet with a TCP segment to an empty buffer; `payload` is at most 65,495 octets long.
pub(super) fn segment(packet: &mut Vec<u8>, from: SocketAddrV4, to: SocketAddrV4, tcp: Tcp, payload: &[u8]) {
    const DATA_OFFSET: u8 = (TCP_HEADER as u8 / 4) << 4;
    const WINDOW: u16 = 0xffff;
    ip_header(packet, [from, to], 0, TCP, TCP_HEADER + payload.len());
    packet.extend(tcp.sequence.to_be_bytes());
    packet.extend(tcp.acknowledged.to_be_bytes());
    packet.extend([DATA_OFFSET, tcp.flags]);
    packet.extend(WINDOW.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(payload);
    let checksum = checksum(packet, TCP);
    packet[IP_HEADER + 16..IP_HEADER + 18].copy_from_slice(&checksum.to_be_bytes());
}

/// Adds 16-bit words in ones' complement (RFC 1071).
fn sum(start: u16, bytes: &[u8]) -> u16 {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut sum = u64::from(start) + pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum::<u64>();
    if let [last] = rest {
        sum += u64::from(*last) << 8;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
