use std::net::{Ipv4Addr, Ipv6Addr};

use pnet_packet::Packet;
use pnet_packet::tcp;
use pnet_packet::udp;
use proptest::prelude::*;

use super::*;

const FROM_4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const TO_4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const FROM_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1);
const TO_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 2);
const TCP: u8 = 6;
const UDP: u8 = 17;

fn header(flags: u8, kind: u8, size: u16, start: u16, offset: u16) -> [u8; HEADER] {
    let mut header = [flags, kind, 0, 0, 0, 0, 0, 0, 0, 0];
    header[4..6].copy_from_slice(&size.to_ne_bytes());
    header[6..8].copy_from_slice(&start.to_ne_bytes());
    header[8..10].copy_from_slice(&offset.to_ne_bytes());
    header
}

/// What a frame stands for.
fn wire(header: [u8; HEADER], frame: &[u8], tag: Option<[u8; TAG]>) -> Result<Vec<Bytes>, Unwired> {
    let mut frames = Vec::new();
    Offload::read(&header).wire(frame, tag, &mut |frame| frames.push(frame)).map(|()| frames)
}

/// What the sender sums of the pseudo-header, and leaves in place of the checksum.
fn pseudo(v6: bool, protocol: u8, length: usize) -> [u8; 2] {
    let addresses =
        if v6 { [FROM_6.octets(), TO_6.octets()].concat() } else { [FROM_4.octets(), TO_4.octets()].concat() };
    let mut sum: u32 = addresses.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    sum += u32::from(protocol) + length as u32;
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    (sum as u16).to_be_bytes()
}

/// The frame of an IP packet, with an IPv4 identification of 0xFFFE, and how far its transport header is from the start.
fn frame(v6: bool, protocol: u8, transport: &[u8]) -> (Vec<u8>, u16) {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    if v6 {
        frame.extend([0x86, 0xDD, 0x60, 0, 0, 0]);
        frame.extend((transport.len() as u16).to_be_bytes());
        frame.extend([protocol, 64]);
        frame.extend([FROM_6.octets(), TO_6.octets()].concat());
    } else {
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend((transport.len() as u16 + 20).to_be_bytes());
        frame.extend([0xFF, 0xFE, 0x40, 0, 64, protocol, 0, 0]);
        frame.extend([FROM_4.octets(), TO_4.octets()].concat());
    }
    let start = frame.len() as u16;
    frame.extend_from_slice(transport);
    (frame, start)
}

/// TCP with a time stamp option, FIN, PSH, ACK and CWR, whose sequence number is about to wrap.
fn tcp_run(v6: bool, content: &[u8]) -> (Vec<u8>, u16) {
    let mut transport = vec![0x10, 0, 0x20, 0, 0xFF, 0xFF, 0xFF, 0x00, 0, 0, 0, 9, 0x80, 0x99, 1, 0, 0, 0, 0, 0];
    transport.extend([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
    transport.extend_from_slice(content);
    let sum = pseudo(v6, TCP, transport.len());
    transport[16..18].copy_from_slice(&sum);
    frame(v6, TCP, &transport)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 7 + place / 256) as u8).collect()
}

/// Checks an IP packet's own numbers, and gives what it carries.
fn internet(packet: &[u8], number: usize) -> Vec<u8> {
    if packet[0] >> 4 == 6 {
        let ipv6 = Ipv6Packet::new(packet).unwrap();
        assert_eq!(usize::from(ipv6.get_payload_length()), packet.len() - 40);
        return ipv6.payload().to_vec();
    }
    let ipv4 = Ipv4Packet::new(packet).unwrap();
    assert_eq!(usize::from(ipv4.get_total_length()), packet.len());
    assert_eq!(ipv4.get_identification(), 0xFFFEu16.wrapping_add(number as u16));
    assert_eq!(ipv4.get_checksum(), ipv4::checksum(&ipv4));
    ipv4.payload().to_vec()
}

#[test]
fn a_frame_that_is_as_on_the_wire_stays_as_it_is() {
    for frame in [&[][..], &[1; 5], &[7; 60], &[9; 65_535]] {
        assert_eq!(wire([0; HEADER], frame, None).unwrap(), [frame]);
    }
    // A card's driver may say that it has seen the checksum to be right.
    assert_eq!(wire(header(2, 0, 0, 0, 0), &[7; 60], None).unwrap(), [&[7; 60][..]]);
}

#[test]
fn a_tag_goes_behind_the_addresses() {
    let frame: Vec<u8> = (0..60).collect();
    let tag = [0x81, 0, 0x60, 10];
    let whole = [&frame[..12], &tag, &frame[12..]].concat();
    assert_eq!(wire([0; HEADER], &frame, Some(tag)).unwrap(), [whole]);
    assert_eq!(wire([0; HEADER], &frame[..11], Some(tag)).unwrap(), [&frame[..11]], "not even the addresses are there");
}

#[test]
fn tcp_is_cut_into_what_would_be_on_the_wire() {
    for (v6, kind) in [(false, SEGMENTS_TCP_IPV4), (true, SEGMENTS_TCP_IPV6)] {
        for tag in [None, Some([0x88, 0xA8, 0, 10])] {
            for (length, size) in [(64_000, 1448u16), (2896, 1448), (1449, 1448), (100, 1448), (7, 1)] {
                let content = content(length);
                let (run, start) = tcp_run(v6, &content);
                let told = header(NEEDS_CHECKSUM, kind | SEGMENTS_TELL_CONGESTION, size, start, 16);
                let frames = wire(told, &run, tag).unwrap();
                assert_eq!(frames.len(), length.div_ceil(size.into()));
                let mut carried = Vec::new();
                for (number, frame) in frames.iter().enumerate() {
                    let (is_first, is_last) = (number == 0, number + 1 == frames.len());
                    assert_eq!(frame[..12], run[..12]);
                    let rest = match tag {
                        Some(tag) => frame[12..].strip_prefix(&tag).unwrap(),
                        None => &frame[12..],
                    };
                    assert_eq!(rest[..2], run[12..14]);
                    let segment = internet(&rest[2..], number);
                    let tcp = TcpPacket::new(&segment).unwrap();
                    assert_eq!(tcp.get_sequence(), 0xFFFF_FF00u32.wrapping_add(carried.len() as u32));
                    assert_eq!((tcp.get_acknowledgement(), tcp.get_data_offset()), (9, 8));
                    assert_eq!(tcp.get_options_raw(), [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
                    let flag = |flag| tcp.get_flags() & flag != 0;
                    assert_eq!(flag(TcpFlags::FIN) && flag(TcpFlags::PSH), is_last);
                    assert_eq!(flag(TcpFlags::FIN) || flag(TcpFlags::PSH), is_last);
                    assert_eq!((flag(TcpFlags::CWR), flag(TcpFlags::ACK)), (is_first, true));
                    let sum = match v6 {
                        true => tcp::ipv6_checksum(&tcp, &FROM_6, &TO_6),
                        false => tcp::ipv4_checksum(&tcp, &FROM_4, &TO_4),
                    };
                    assert_eq!(tcp.get_checksum(), sum, "segment {number} of {}", frames.len());
                    carried.extend_from_slice(tcp.payload());
                }
                assert!(carried == content);
            }
        }
    }
}

#[test]
fn udp_is_cut_into_datagrams() {
    for v6 in [false, true] {
        let content = content(5000);
        let mut datagram = [&[0x10, 0, 0x20, 0, 0, 0, 0, 0][..], &content].concat();
        let length = (datagram.len() as u16).to_be_bytes();
        datagram[4..6].copy_from_slice(&length);
        let sum = pseudo(v6, UDP, datagram.len());
        datagram[6..8].copy_from_slice(&sum);
        let (run, start) = frame(v6, UDP, &datagram);
        let frames = wire(header(NEEDS_CHECKSUM, SEGMENTS_UDP, 1200, start, 6), &run, None).unwrap();
        let mut carried = Vec::new();
        for (number, frame) in frames.iter().enumerate() {
            let datagram = internet(&frame[14..], number);
            let udp = UdpPacket::new(&datagram).unwrap();
            assert_eq!(usize::from(udp.get_length()), datagram.len());
            let sum = match v6 {
                true => udp::ipv6_checksum(&udp, &FROM_6, &TO_6),
                false => udp::ipv4_checksum(&udp, &FROM_4, &TO_4),
            };
            assert_eq!(udp.get_checksum(), sum);
            carried.extend_from_slice(udp.payload());
        }
        assert_eq!((frames.len(), carried == content), (5, true));
    }
}

#[test]
fn a_checksum_that_was_begun_is_completed() {
    for (v6, length) in [(false, 0), (false, 1), (false, 999), (true, 1000)] {
        let (run, start) = tcp_run(v6, &content(length));
        let frames = wire(header(NEEDS_CHECKSUM, 0, 0, start, 16), &run, Some([0x81, 0, 0, 1])).unwrap();
        let segment = &frames[0][usize::from(start) + TAG..];
        let tcp = TcpPacket::new(segment).unwrap();
        let sum = match v6 {
            true => tcp::ipv6_checksum(&tcp, &FROM_6, &TO_6),
            false => tcp::ipv4_checksum(&tcp, &FROM_4, &TO_4),
        };
        assert_eq!((frames.len(), tcp.get_checksum()), (1, sum));
        assert_eq!(segment[..16], run[usize::from(start)..][..16], "nothing else changed");
    }
    // A sum whose checksum would be zero is sent as the other zero.
    assert_eq!(checksum(0xFFFF), [0xFF, 0xFF]);
}

/// The check value of CRC-32C is published as 0xE3069283 for the nine digits; SCTP sends its lowest byte first.
#[test]
fn the_checksum_of_sctp_is_its_own() {
    let crc = |transport: &[u8]| {
        let (run, start) = frame(false, 132, transport);
        let frames = wire(header(NEEDS_CHECKSUM, 0, 0, start, 8), &run, None).unwrap();
        <[u8; 4]>::try_from(&frames[0][usize::from(start) + 8..][..4]).unwrap()
    };
    assert_eq!(CRC32C.checksum(b"123456789"), 0xE306_9283);
    let transport = [&[1; 8][..], &[0; 4], &[2; 20]].concat();
    let begun = [&[1; 8][..], &[9; 4], &[2; 20]].concat();
    assert_eq!(crc(&begun), CRC32C.checksum(&transport).to_le_bytes(), "summed with zeros in its place");
}

#[test]
fn what_cannot_be_cut_is_named() {
    let (run, start) = tcp_run(false, &content(3000));
    let refused =
        |kind, size, start, run: &[u8]| wire(header(NEEDS_CHECKSUM, kind, size, start, 16), run, None).unwrap_err();
    for (error, says) in [
        (refused(3, 1448, start, &run), "kind 3"),
        (refused(SEGMENTS_TCP_IPV4, 0, start, &run), "where to cut"),
        (refused(SEGMENTS_TCP_IPV4, 1448, 60_000, &run), "ends at byte 3066"),
        (refused(SEGMENTS_TCP_IPV4, 1448, start, &run[..66]), "ends at byte 66"),
        (refused(SEGMENTS_TCP_IPV4, 1448, 20, &run), "without IP"),
        (refused(SEGMENTS_NONE, 0, 3066, &run), "ends at byte 3066"),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_nothing_breaks(
        told in any::<[u8; HEADER]>(), small in any::<bool>(), v6 in any::<bool>(), tag in any::<Option<[u8; TAG]>>(),
        bytes in prop::collection::vec(any::<u8>(), 0..300), keep in 0usize..400,
    ) {
        let mut told = told;
        if small {
            // Places within the frame, and a kind that there is.
            let (start, offset) = (u16::from(told[6] % 80), u16::from(told[8] % 20));
            told = header(told[0], [0, 1, 4, 5][usize::from(told[1] % 4)] | (told[1] & 0x80), 1 + u16::from(told[4]), start, offset);
        }
        let (run, _) = tcp_run(v6, &bytes);
        for frame in [&bytes[..], &run[..keep.min(run.len())]] {
            let mut count = 0;
            Offload::read(&told).wire(frame, tag, &mut |_| count += 1).ok();
            prop_assert!(count <= frame.len().max(1));
        }
    }
}
