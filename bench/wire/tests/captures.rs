//! The traffic of real stacks: every octet that they sent is understood, and written again to the same octets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use farlink_wire::bpv7::{Bundle, BundleAge, CrcType, Eid, Extension, HopCount, Lapse, PreviousNode};
use farlink_wire::ltp::{Content, LtpError, Segment, SessionId, segments};
use farlink_wire::tcpcl::{ContactFlags, ContactHeader, Message, MessageType, Prefix, SegmentFlags};
use pcap_file::pcapng::{Block, PcapNgReader};

const ETHERNET_HEADER: usize = 14;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What one IPv4 packet brought to a port.
struct Arrival {
    port: u16,
    /// The octets of UDP or TCP.
    datagram: Vec<u8>,
    payload: Vec<u8>,
}

fn arrivals(capture: &str, protocol: u8) -> Vec<Arrival> {
    let path = format!("{}/../../fixtures/captures/{capture}.pcapng", env!("CARGO_MANIFEST_DIR"));
    let file = File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut reader = PcapNgReader::new(file).unwrap();
    let mut arrivals = Vec::new();
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(packet) = block.unwrap() else { continue };
        let ip = &packet.data[ETHERNET_HEADER..];
        assert_eq!(ip[0] >> 4, 4, "an IPv4 packet");
        if ip[9] != protocol {
            continue;
        }
        let header = usize::from(ip[0] & 0x0F) * 4;
        let datagram = &ip[header..usize::from(u16::from_be_bytes([ip[2], ip[3]]))];
        let payload_at = if protocol == UDP { 8 } else { usize::from(datagram[12] >> 4) * 4 };
        arrivals.push(Arrival {
            port: u16::from_be_bytes([datagram[2], datagram[3]]),
            datagram: datagram.to_vec(),
            payload: datagram[payload_at..].to_vec(),
        });
    }
    arrivals
}

#[derive(Default)]
struct Seen {
    /// Segments by type code.
    types: BTreeMap<u8, usize>,
    /// Datagrams that are no segments, with their errors.
    strays: Vec<(Vec<u8>, LtpError)>,
    /// Red data by session, put together by offset.
    blocks: BTreeMap<SessionId, LtpBlock>,
}

#[derive(Default)]
struct LtpBlock {
    octets: Vec<u8>,
    have: Vec<bool>,
    size: Option<u64>,
}

impl LtpBlock {
    fn is_whole(&self) -> bool {
        self.size == Some(self.octets.len() as u64) && self.have.iter().all(|&have| have)
    }
}

fn read_ltp(capture: &str, port: u16) -> Seen {
    let mut seen = Seen::default();
    for arrival in arrivals(capture, UDP).into_iter().filter(|arrival| arrival.port == port) {
        let mut again = Vec::new();
        let mut error = None;
        for segment in segments(&arrival.payload) {
            match segment {
                Ok(segment) => {
                    segment.emit(&mut again);
                    note(&mut seen, &segment);
                }
                Err(cause) => error = Some(cause),
            }
        }
        match error {
            Some(error) => seen.strays.push((arrival.payload, error)),
            None => assert_eq!(again, arrival.payload, "written again"),
        }
    }
    seen
}

fn note(seen: &mut Seen, segment: &Segment<'_>) {
    *seen.types.entry(segment.type_code()).or_default() += 1;
    let Content::Data(data) = &segment.content else { return };
    let block = seen.blocks.entry(segment.session).or_default();
    let (start, end) = (data.offset as usize, data.end() as usize);
    if block.octets.len() < end {
        block.octets.resize(end, 0);
        block.have.resize(end, false);
    }
    block.octets[start..end].copy_from_slice(data.data);
    block.have[start..end].fill(true);
    if data.kind.is_end_of_block() {
        block.size = Some(data.end());
    }
}

fn counts(types: &[(u8, usize)]) -> BTreeMap<u8, usize> {
    types.iter().copied().collect()
}

#[test]
fn every_segment_of_ion() {
    let seen = read_ltp("ion-ltp-lossy", 1113);
    // Counted with Wireshark, which does not see the cancel-acknowledgment: it wants more than four octets.
    let expected = counts(&[(0, 243), (1, 3), (3, 6), (8, 8), (9, 6), (12, 1), (13, 1)]);
    assert_eq!(seen.types, expected);
    // ION wakes its own receiver with a datagram of one octet: once at either node.
    let error = LtpError::Number {
        at: 1,
        field: "session originator",
        source: farlink_wire::sdnv::SdnvError::Truncated { octets: 0 },
    };
    assert_eq!(seen.strays, vec![(vec![0], error); 2]);
}

#[test]
fn every_datagram_of_the_captures_is_on_a_port_that_is_read() {
    // What the nodes received is judged in detail by the other tests. The same traffic on its way into the emulator holds
    // segments that were lost behind it; all are read, and no port is left out.
    let ports = |capture| arrivals(capture, UDP).iter().map(|arrival| arrival.port).collect::<BTreeSet<_>>();
    assert_eq!(ports("ion-ltp-lossy"), BTreeSet::from([1113, 5001, 5003]));
    assert_eq!(ports("hdtn-ltp-lossy"), BTreeSet::from([1113, 1114, 1115, 1116]));
    assert_eq!(ports("dtn7-tcpcl-mtcp"), BTreeSet::new());
    let sent = |capture, port, types: &[(u8, usize)]| {
        let seen = read_ltp(capture, port);
        assert_eq!(seen.types, counts(types), "{capture} port {port}");
        assert_eq!(seen.strays, [], "{capture} port {port}");
        assert!(seen.blocks.values().all(LtpBlock::is_whole), "{capture} port {port}: all of each block was sent");
        seen.blocks.len()
    };
    assert_eq!(sent("ion-ltp-lossy", 5001, &[(0, 263), (1, 6), (3, 6), (9, 6), (12, 1)]), 4);
    assert_eq!(sent("ion-ltp-lossy", 5003, &[(8, 13), (13, 1)]), 0);
    assert_eq!(sent("hdtn-ltp-lossy", 1114, &[(0, 349), (1, 19), (3, 2), (9, 9)]), 1);
    assert_eq!(sent("hdtn-ltp-lossy", 1116, &[(8, 9)]), 0);
}

#[test]
fn the_bundles_of_ion() {
    let seen = read_ltp("ion-ltp-lossy", 1113);
    let mut payloads = Vec::new();
    // ION puts several bundles in a block. Session 2:2 was cancelled by its sender after its data had arrived; the
    // bundles were under way again in 2:4 when the capture ended.
    for (session, block) in &seen.blocks {
        assert_eq!(block.is_whole(), session.number != 4, "{session}");
        let mut rest = if block.is_whole() { &block.octets[..] } else { &[] };
        while !rest.is_empty() {
            let (bundle, len) = Bundle::parse_prefix(rest).unwrap_or_else(|error| panic!("{session}: {error}"));
            assert_eq!(bundle.emit(), &rest[..len], "{session}: written again");
            assert_eq!(bundle.lapses(), [], "{session}");
            assert_eq!(bundle.primary.crc, CrcType::Crc16);
            assert_eq!((&bundle.primary.source, &bundle.primary.destination), (&Eid::ipn(2, 1), &Eid::ipn(3, 1)));
            assert_eq!(bundle.primary.creation.sequence, payloads.len() as u64);
            let extensions: Vec<_> = bundle.blocks.iter().map(Extension::of).collect();
            assert_eq!(
                extensions[..2],
                [Ok(Extension::PreviousNode(PreviousNode(Eid::ipn(2, 0)))), Ok(Extension::Unknown(193))]
            );
            assert!(matches!(extensions[2..], [Ok(Extension::BundleAge(BundleAge(0..=1))), Ok(Extension::Unknown(1))]));
            payloads.push(bundle.payload().len());
            rest = &rest[len..];
        }
    }
    assert_eq!(payloads.len(), 13);
    assert_eq!(payloads[1..], [20_000; 12], "after a short one to begin with ({} octets)", payloads[0]);
}

#[test]
fn every_segment_of_hdtn() {
    let received = read_ltp("hdtn-ltp-lossy", 1113);
    assert_eq!(received.types, counts(&[(0, 213), (1, 12), (3, 1), (9, 8)]));
    assert_eq!(received.strays, []);
    let whole: Vec<_> = received.blocks.values().map(|block| (block.octets.len(), block.is_whole())).collect();
    assert_eq!(whole, [(300_000, true)]);
    assert!(received.blocks.keys().all(|session| session.originator == 10 && session.number > u64::from(u32::MAX)));

    let reports = read_ltp("hdtn-ltp-lossy", 1115);
    assert_eq!(reports.types, counts(&[(8, 9)]));
    assert_eq!(reports.strays, []);
}

fn check_dtn7_bundle(octets: &[u8], node: u64) {
    let bundle = Bundle::parse(octets).unwrap();
    assert_eq!(bundle.emit(), octets);
    // dtn7-rs protects the primary block in neither of the two ways that section 4.3.1 leaves.
    assert_eq!(bundle.lapses(), [Lapse::PrimaryUnprotected]);
    assert_eq!(bundle.primary.destination, Eid::ipn(2, 42));
    assert_eq!(bundle.primary.source, Eid::ipn(node, 0));
    let extensions: Vec<_> = bundle.blocks.iter().map(|block| Extension::of(block).unwrap()).collect();
    let expected = [
        Extension::PreviousNode(PreviousNode(Eid::ipn(node, 0))),
        Extension::HopCount(HopCount { limit: 32, count: 1 }),
        Extension::Unknown(1),
    ];
    assert_eq!(extensions, expected);
    assert_eq!(bundle.payload().len(), 20_000);
}

/// The octets of a TCP connection that came to a port, put together by sequence number.
fn stream_to(port: u16) -> Vec<u8> {
    let packets: Vec<_> = arrivals("dtn7-tcpcl-mtcp", TCP).into_iter().filter(|arrival| arrival.port == port).collect();
    let number = |arrival: &Arrival| u32::from_be_bytes(arrival.datagram[4..8].try_into().unwrap());
    // The SYN takes one number before the first octet.
    let first = number(&packets[0]).wrapping_add(1);
    let mut stream = Vec::new();
    for packet in packets.iter().filter(|packet| !packet.payload.is_empty()) {
        let at = number(packet).wrapping_sub(first) as usize;
        assert!(at <= stream.len(), "port {port}: a hole in the capture at {at}");
        stream.truncate(at);
        stream.extend(&packet.payload);
    }
    stream
}

#[test]
fn every_octet_of_tcp_is_on_a_port_that_is_read() {
    let ports: BTreeSet<_> = arrivals("dtn7-tcpcl-mtcp", TCP).iter().map(|arrival| arrival.port).collect();
    // The passive sides' ports, and those of their peers.
    assert_eq!(ports, BTreeSet::from([2342, 4224, 34626, 39024]));
    assert_eq!(stream_to(34626), [], "MTCP goes one way");
    // A contact header of 6 octets, a SESS_INIT of 32; then the acknowledgment, or the bundle.
    assert_eq!(stream_to(4224).len() + stream_to(39024).len(), 2 * (6 + 32) + 18 + 20_093);
}

#[test]
fn the_bundle_of_dtn7_over_mtcp() {
    let stream = stream_to(2342);
    // MTCP: each bundle in a CBOR byte string, here with a length of two octets.
    assert_eq!(stream[0], 0x59);
    let len = usize::from(u16::from_be_bytes([stream[1], stream[2]]));
    assert_eq!(stream.len(), 3 + len);
    check_dtn7_bundle(&stream[3..], 3);
}

#[test]
fn the_messages_of_dtn7_over_tcpcl() {
    let mut bundles = 0;
    for port in [4224, 39024] {
        let stream = stream_to(port);
        let Ok(Prefix::Whole { unit: contact, length }) = ContactHeader::parse(&stream) else { panic!("port {port}") };
        assert_eq!(contact, ContactHeader { version: 4, flags: ContactFlags::NONE });
        let mut again = contact.octets().to_vec();
        let mut at = length;
        let mut types = Vec::new();
        while at < stream.len() {
            let parsed =
                Message::parse(&stream[at..]).unwrap_or_else(|error| panic!("port {port}, octet {at}: {error}"));
            let Prefix::Whole { unit, length } = parsed else { panic!("port {port}: cut off at octet {at}") };
            unit.emit(&mut again);
            types.push(unit.message_type());
            match unit {
                Message::SessInit(init) => assert!(init.node_id.starts_with(b"ipn:"), "{init:?}"),
                Message::Segment(segment) => {
                    assert_eq!(segment.flags, SegmentFlags(SegmentFlags::START.0 | SegmentFlags::END.0));
                    check_dtn7_bundle(segment.data, 1);
                    bundles += 1;
                }
                Message::Ack(ack) => assert_eq!((ack.transfer_id, ack.acknowledged_length), (1, 20_071)),
                other => panic!("port {port}: {other:?}"),
            }
            at += length;
        }
        assert_eq!(again, stream, "port {port}: written again");
        assert_eq!((types.len(), types[0]), (2, MessageType::SESS_INIT));
    }
    assert_eq!(bundles, 1);
}
