//! Captures, read back by pcap-file and by tshark.

mod common;

use std::process::Command;

use common::{at, delivered, header};
use farlink_record::capture::{CaptureWriter, LONGEST_FRAME};
use farlink_record::{ChannelId, Event, Stamped};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::{Block, PcapNgReader};

/// 2027-03-01 12:00 UTC.
const EPOCH: i64 = 1_803_902_400_000_000_000;

fn capture(events: &[Stamped]) -> (Vec<u8>, u64) {
    let mut bytes = Vec::new();
    let mut writer = CaptureWriter::new(&mut bytes, &header(), EPOCH).unwrap();
    events.iter().for_each(|event| writer.event(event).unwrap());
    let packets = writer.finish().unwrap();
    (bytes, packets)
}

#[derive(Debug)]
struct Packet {
    interface: u32,
    unix_nanos: u128,
    original_length: u32,
    data: Vec<u8>,
    comments: Vec<String>,
}

/// What pcap-file finds.
#[derive(Debug, Default)]
struct Found {
    interfaces: Vec<String>,
    packets: Vec<Packet>,
}

fn read(bytes: &[u8]) -> Found {
    let mut reader = PcapNgReader::new(bytes).unwrap();
    let mut found = Found::default();
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(interface) => {
                assert!(interface.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
                found.interfaces.extend(interface.options.iter().find_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                }));
            }
            Block::EnhancedPacket(packet) => {
                let comment = |option: &EnhancedPacketOption| match option {
                    EnhancedPacketOption::Comment(text) => Some(text.to_string()),
                    _ => None,
                };
                found.packets.push(Packet {
                    interface: packet.interface_id,
                    unix_nanos: packet.timestamp.as_nanos(),
                    original_length: packet.original_len,
                    data: packet.data.to_vec(),
                    comments: packet.options.iter().filter_map(comment).collect(),
                });
            }
            _ => {}
        }
    }
    found
}

/// The Internet checksum over bytes that hold their own checksum is zero if that is right (RFC 1071).
fn checksum(parts: &[&[u8]]) -> u16 {
    let bytes: Vec<u8> = parts.concat();
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[test]
fn a_frame_is_a_datagram_with_its_instant_to_the_nanosecond() {
    let sent = Event::FrameSent { channel: ChannelId(0), frame: 0, bytes: 3, start: at(0) };
    let (bytes, packets) = capture(&[
        Stamped { at: at(0), event: sent },
        delivered(1_234_567_891, 0, 65_537, 0, b"abc"),
        delivered(1_234_567_892, 1, 2, 17, b"defg"),
    ]);
    let found = read(&bytes);
    assert_eq!(packets, 2);
    assert_eq!(found.interfaces, ["lander→station", "station→lander"]);
    let [there, back] = &found.packets[..] else { panic!("{found:?}") };
    assert_eq!((there.interface, there.unix_nanos, there.original_length), (0, EPOCH as u128 + 1_234_567_891, 31));
    assert_eq!(there.comments, [""; 0]);
    assert_eq!((back.interface, back.unix_nanos, back.original_length), (1, EPOCH as u128 + 1_234_567_892, 32));
    assert_eq!(back.comments, ["the channel flipped 17 bits of this frame"]);

    for (packet, from, to, id, payload) in
        [(&there.data, 1, 2, 1_u16, b"abc".as_slice()), (&back.data, 2, 1, 2, b"defg".as_slice())]
    {
        let (ip, udp) = packet.split_at(20);
        assert_eq!(ip[0], 0x45);
        assert_eq!(ip[2..4], (packet.len() as u16).to_be_bytes());
        assert_eq!(ip[4..6], id.to_be_bytes(), "the number of the frame");
        assert_eq!(ip[12..20], [198, 18, 0, from, 198, 18, 0, to]);
        assert_eq!(checksum(&[ip]), 0);
        assert_eq!(udp[..4], [4, 89, 4, 89], "1113 on both ends");
        assert_eq!(udp[4..6], (udp.len() as u16).to_be_bytes());
        assert_eq!(&udp[8..], payload);
        assert_eq!(checksum(&[&ip[12..20], &[0, 17], &udp[4..6], udp]), 0);
    }
}

#[test]
fn a_checksum_of_zero_is_written_as_ones() {
    // Two bytes of payload can bring the sum to anything: look for the pair that brings it to zero.
    let zero = |payload: [u8; 2]| {
        let (bytes, _) = capture(&[delivered(0, 0, 0, 0, &payload)]);
        read(&bytes).packets[0].data[26..28].to_vec()
    };
    let first = u16::from_be_bytes(zero([0, 0]).try_into().unwrap());
    // A checksum is the complement of the sum, so a payload of the same value makes the sum all ones.
    assert_eq!(zero(first.to_be_bytes()), [0xff, 0xff]);
}

#[test]
fn a_frame_longer_than_a_datagram_is_cut_and_says_so() {
    let long = vec![7; LONGEST_FRAME + 1];
    let mut bytes = Vec::new();
    let mut writer = CaptureWriter::new(&mut bytes, &header(), EPOCH).unwrap();
    writer.event(&delivered(0, 0, 0, 0, &long[1..])).unwrap();
    assert_eq!(writer.cut(), 0);
    writer.event(&delivered(0, 0, 1, 0, &long)).unwrap();
    assert_eq!(writer.cut(), 1);
    assert_eq!(writer.finish().unwrap(), 2);
    let found = read(&bytes);
    assert_eq!((found.packets[0].original_length, found.packets[0].data.len()), (65_535, 65_535));
    assert_eq!((found.packets[1].original_length, found.packets[1].data.len()), (65_536, 65_535));
    assert_eq!(found.packets[1].comments, ["a frame of 65508 bytes, of which this capture holds 65507"]);
}

#[test]
fn what_a_capture_cannot_tell_is_refused() {
    assert!(CaptureWriter::new(Vec::new(), &header(), -1).is_err());
    let mut writer = CaptureWriter::new(Vec::new(), &header(), 5).unwrap();
    assert!(writer.event(&delivered(-6, 0, 0, 0, b"")).is_err());
    assert!(writer.event(&delivered(0, 2, 0, 0, b"")).is_err());
    assert!(writer.event(&delivered(-5, 0, 0, 0, b"")).is_ok());
}

/// CRC-16/X-25, as RFC 9171 §4.2.2 asks for.
fn crc16(bytes: &[u8]) -> u16 {
    let bit = |crc: u16, _| if crc & 1 == 1 { crc >> 1 ^ 0x8408 } else { crc >> 1 };
    !bytes.iter().fold(0xffff, |crc, byte| (0..8).fold(crc ^ u16::from(*byte), bit))
}

/// A block of a bundle, which is taken into the CRC with a CRC of zero.
fn with_crc(mut block: Vec<u8>) -> Vec<u8> {
    block.extend([0x42, 0, 0]);
    let crc = crc16(&block).to_be_bytes();
    let crc_at = block.len() - 2;
    block[crc_at..].copy_from_slice(&crc);
    block
}

/// A bundle of RFC 9171 from ipn:10.1 to ipn:30.1 that says "hello".
fn bundle() -> Vec<u8> {
    let ipn = |node: u8, service: u8| vec![0x82, 2, 0x82, 0x18, node, service];
    let primary = [
        vec![0x89, 7, 0, 1],
        ipn(30, 1),
        ipn(10, 1),
        ipn(10, 0),
        // Created at 857,217,600,000 ms of DTN time, the first then; it lives for an hour in milliseconds.
        [&[0x82, 0x1b][..], &857_217_600_000_u64.to_be_bytes(), &[0]].concat(),
        [&[0x1a][..], &3_600_000_u32.to_be_bytes()].concat(),
    ]
    .concat();
    let payload = [&[0x86, 1, 1, 0, 1, 0x45][..], b"hello"].concat();
    [vec![0x9f], with_crc(primary), with_crc(payload), vec![0xff]].concat()
}

/// A data segment of RFC 5326 with the whole of a red block: a checkpoint that ends both red part and block (type 3).
fn ltp_segment(block: &[u8]) -> Vec<u8> {
    let client_service_bundle = 1;
    let (session, checkpoint, no_report) = (5, 77, 0);
    let length = u8::try_from(block.len()).ok().filter(|length| *length < 128).expect("an SDNV of one byte");
    let head = [3, 10, session, 0, client_service_bundle, 0, length, checkpoint, no_report];
    [&head[..], block].concat()
}

#[test]
fn tshark_reads_ltp_and_the_bundle_in_it() {
    let file = tempfile::Builder::new().suffix(".pcapng").tempfile().unwrap();
    let segment = ltp_segment(&bundle());
    let long = vec![0; LONGEST_FRAME + 1000];
    let (bytes, _) = capture(&[
        delivered(1_234_567_891, 0, 0, 0, &segment),
        delivered(2_000_000_001, 1, 9, 5, &segment),
        delivered(2_000_000_002, 1, 10, 0, &long),
    ]);
    std::fs::write(file.path(), bytes).unwrap();
    let tshark = |arguments: &[&str]| {
        let output = Command::new("tshark").arg("-r").arg(file.path()).args(arguments).output();
        let output = output.expect("this test needs tshark: install tshark (bench/check does)");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    let fields = "-Tfields -e frame.number -e frame.interface_name -e frame.time_epoch -e frame.comment \
        -e ip.src -e ip.dst -e ip.checksum.status -e udp.port -e udp.checksum.status -e frame.protocols";
    let checks = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"];
    let arguments: Vec<&str> = fields.split_whitespace().chain(checks).collect();
    let rows = tshark(&arguments);
    let rows: Vec<Vec<&str>> = rows.lines().map(|line| line.split('\t').collect()).collect();
    let good = "1";
    let [there, back, cut] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(there[..4], ["1", "lander→station", "1803902401.234567891", ""]);
    assert_eq!(there[4..9], ["198.18.0.1", "198.18.0.2", good, "1113,1113", good]);
    assert!(there[9].starts_with("raw:ip:udp:ltp") && there[9].contains("bp"), "{}", there[9]);
    assert_eq!(back[..4], ["2", "station→lander", "1803902402.000000001", "the channel flipped 5 bits of this frame"]);
    assert_eq!(cut[6..9], [good, "1113,1113", good]);

    let malformed = "_ws.malformed || _ws.expert.severity == error";
    assert_eq!(tshark(&["-Y", &format!("frame.number < 3 && ({malformed})")]), "");
    let details = tshark(&["-Y", "frame.number == 1", "-V"]);
    for expected in ["Licklider", "ipn:30.1", "ipn:10.1"] {
        assert!(details.contains(expected), "no `{expected}` in {details}");
    }
}
