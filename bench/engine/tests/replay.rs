//! What real stacks sent over a lossy link, replayed into the LTP engine at the times of the capture: the engine hands up
//! the blocks that the stacks exchanged, and reports the same gaps as the stack that stood in its place.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::fs::File;

use bytes::Bytes;
use farlink_engine::ltp::{Config, Engine, Notice, PathInfo, PeerConfig};
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Bundle;
use farlink_wire::ltp::{CancelReason, Content, Report, SessionId, segments};
use pcap_file::pcapng::{Block, PcapNgReader};
use sha2::{Digest, Sha256};

const ETHERNET_HEADER: usize = 14;
const UDP_HEADER: usize = 8;

/// A datagram of the capture.
struct Datagram {
    at: Instant,
    /// Last octet of the IPv4 address it came to.
    host: u8,
    port: u16,
    payload: Bytes,
}

fn fixture(name: &str) -> String {
    format!("{}/../../fixtures/captures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn datagrams(capture: &str) -> Vec<Datagram> {
    let path = fixture(&format!("{capture}.pcapng"));
    let file = File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut reader = PcapNgReader::new(file).unwrap();
    let mut first = None;
    let mut datagrams = Vec::new();
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(packet) = block.unwrap() else { continue };
        let ip = &packet.data[ETHERNET_HEADER..];
        let udp = &ip[usize::from(ip[0] & 0x0F) * 4..usize::from(u16::from_be_bytes([ip[2], ip[3]]))];
        let since = packet.timestamp - *first.get_or_insert(packet.timestamp);
        datagrams.push(Datagram {
            at: Instant::ZERO + Duration::from_nanos(since.as_nanos() as i64),
            host: ip[19],
            port: u16::from_be_bytes([udp[2], udp[3]]),
            payload: Bytes::copy_from_slice(&udp[UDP_HEADER..]),
        });
    }
    datagrams
}

fn sha256(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Our engine in the place of the block receiver.
struct Receiver {
    engine: Engine,
    peer: u64,
    /// Red parts by session.
    blocks: BTreeMap<SessionId, Bytes>,
    /// Sessions that the peer cancelled.
    cancelled: Vec<(SessionId, CancelReason)>,
    /// What it reported, in order.
    reports: Vec<(SessionId, Report)>,
}

impl Receiver {
    fn new(engine_id: u64, peer: u64, light_time: Duration) -> Self {
        let mut engine = Engine::new(Config::new(engine_id, 1));
        engine.add_peer(peer, PeerConfig::default());
        let path = PathInfo { light_time_out: light_time, light_time_back: light_time, ..PathInfo::default() };
        engine.set_path(peer, path);
        Receiver { engine, peer, blocks: BTreeMap::new(), cancelled: Vec::new(), reports: Vec::new() }
    }

    /// Everything that is due until the datagram arrives, then the datagram.
    fn take(&mut self, datagram: &Datagram) {
        while let Some(due) = self.engine.poll_timeout().filter(|&due| due <= datagram.at) {
            self.engine.handle_timeout(due);
            self.follow(due);
        }
        self.engine.handle_frame(datagram.at, self.peer, &datagram.payload);
        self.follow(datagram.at);
    }

    fn follow(&mut self, now: Instant) {
        while let Some(frame) = self.engine.poll_transmit(now, self.peer, 64_000) {
            for segment in segments(&frame).map(Result::unwrap) {
                if let Content::Report(report) = segment.content {
                    self.reports.push((segment.session, report));
                }
            }
        }
        while let Some(notice) = self.engine.poll_notice() {
            match notice {
                Notice::RedPart { session, peer, client_service, data, is_end_of_block } => {
                    assert_eq!((peer, client_service, is_end_of_block), (self.peer, 1, true), "{session}");
                    assert_eq!(self.blocks.insert(session, data), None, "{session}: handed up twice");
                }
                Notice::ReceptionCancelled { session, reason, locally: false, .. } => {
                    self.cancelled.push((session, reason));
                }
                Notice::ReceptionStarted { .. }
                | Notice::PartialClaim { .. }
                | Notice::ReceptionClosed { .. }
                | Notice::Retransmitted { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[derive(PartialEq, Debug)]
struct WholeBlock {
    session: String,
    length: usize,
    sha256: String,
    /// Creation time, sequence number, and length and SHA-256 of the payload.
    bundles: Vec<(u64, u64, usize, String)>,
}

/// What `blocks.py` found in the capture.
#[derive(Default)]
struct Expected {
    blocks: Vec<WholeBlock>,
    incomplete: Vec<String>,
}

fn expected(capture: &str) -> Expected {
    let text = std::fs::read_to_string(fixture("blocks.txt")).unwrap();
    let mut expected = Expected::default();
    let mut ours = false;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split(' ').collect();
        if words[0] != "bundle" {
            ours = words[1] == capture;
        }
        match words[..] {
            _ if !ours => {}
            ["block", _, session, length, hash] => {
                let length = length.parse().unwrap();
                let block = WholeBlock { session: session.into(), length, sha256: hash.into(), bundles: Vec::new() };
                expected.blocks.push(block);
            }
            ["bundle", time, sequence, length, hash] => {
                let bundle = (time.parse().unwrap(), sequence.parse().unwrap(), length.parse().unwrap(), hash.into());
                expected.blocks.last_mut().unwrap().bundles.push(bundle);
            }
            ["incomplete", _, session] => expected.incomplete.push(session.into()),
            _ => panic!("{line}"),
        }
    }
    expected
}

fn compare(receiver: &Receiver, expected: &Expected, has_bundles: bool) {
    let found: Vec<_> = receiver
        .blocks
        .iter()
        .map(|(session, block)| {
            let mut bundles = Vec::new();
            let mut rest = &block[..];
            while has_bundles && !rest.is_empty() {
                let (bundle, len) = Bundle::parse_prefix(rest).unwrap();
                let creation = bundle.primary.creation;
                let payload = bundle.payload();
                bundles.push((creation.time_ms, creation.sequence, payload.len(), sha256(payload)));
                rest = &rest[len..];
            }
            WholeBlock { session: session.to_string(), length: block.len(), sha256: sha256(block), bundles }
        })
        .collect();
    assert_eq!(found, expected.blocks);
    for session in &expected.incomplete {
        assert!(!receiver.blocks.keys().any(|found| found.to_string() == *session), "{session}");
    }
}

/// The ranges that a report leaves unclaimed in a part of its scope.
fn gaps(report: &Report, from: u64, to: u64) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    let mut end = report.lower_bound;
    for claim in &report.claims {
        let start = report.lower_bound + claim.offset;
        if start > end {
            gaps.push((end, start));
        }
        end = start + claim.length;
    }
    if end < report.upper_bound {
        gaps.push((end, report.upper_bound));
    }
    gaps.into_iter().map(|(start, end)| (start.max(from), end.min(to))).filter(|(start, end)| start < end).collect()
}

/// The first answer to each checkpoint.
fn answers<'a>(reports: impl Iterator<Item = &'a (SessionId, Report)>) -> BTreeMap<(SessionId, u64), &'a Report> {
    let mut answers = BTreeMap::new();
    for (session, report) in reports {
        answers.entry((*session, report.checkpoint_serial)).or_insert(report);
    }
    answers
}

/// To each checkpoint that the real stack answered, the engine answered too, and both left the same gaps. Where the scope
/// begins is each receiver's choice (RFC 5326 section 6.11), so what both scopes cover is compared.
fn compare_gaps(ours: &[(SessionId, Report)], theirs: &[(SessionId, Report)], checkpoints: usize) {
    let (ours, theirs) = (answers(ours.iter()), answers(theirs.iter()));
    assert_eq!(theirs.len(), checkpoints);
    for (checkpoint, their) in theirs {
        let our = ours.get(&checkpoint).unwrap_or_else(|| panic!("{checkpoint:?} is not answered"));
        let (from, to) = (our.lower_bound.max(their.lower_bound), our.upper_bound.min(their.upper_bound));
        assert!(from < to, "{checkpoint:?}: {our:?}, {their:?}");
        assert_eq!(gaps(our, from, to), gaps(their, from, to), "{checkpoint:?}: {our:?}, {their:?}");
    }
}

/// Reports that the real receiver sent, as they went into the emulator on a port.
fn reports_sent(datagrams: &[Datagram], port: u16) -> Vec<(SessionId, Report)> {
    let mut reports = Vec::new();
    for datagram in datagrams.iter().filter(|datagram| datagram.port == port) {
        for segment in segments(&datagram.payload).map(Result::unwrap) {
            if let Content::Report(report) = segment.content {
                reports.push((segment.session, report));
            }
        }
    }
    reports
}

#[test]
fn ion_sends_its_bundles_to_our_engine() {
    let datagrams = datagrams("ion-ltp-lossy");
    let mut receiver = Receiver::new(3, 2, Duration::from_secs(1));
    for datagram in datagrams.iter().filter(|datagram| datagram.host == 3) {
        receiver.take(datagram);
    }
    let expected = expected("ion-ltp-lossy");
    let bundles: Vec<_> = expected.blocks.iter().map(|block| block.bundles.len()).collect();
    assert_eq!(bundles, [6, 5, 2], "several bundles in a block");
    compare(&receiver, &expected, true);

    // ION gave session 2:2 up although its data had arrived. The block was ours by then; the cancellation comes on top.
    let cancelled = SessionId { originator: 2, number: 2 };
    assert_eq!(receiver.cancelled, [(cancelled, CancelReason::RetransmissionLimit)]);
    assert!(receiver.blocks.contains_key(&cancelled));
    // ION wakes its own receiver with a datagram of one octet, twice at this node or the other.
    let discarded = receiver.engine.discarded();
    assert_eq!((discarded.malformed, discarded.unknown_peer), (1, 0), "{discarded:?}");

    compare_gaps(&receiver.reports, &reports_sent(&datagrams, 5003), 7);
}

#[test]
fn hdtn_sends_its_file_to_our_engine() {
    let datagrams = datagrams("hdtn-ltp-lossy");
    let mut receiver = Receiver::new(20, 10, Duration::from_millis(500));
    for datagram in datagrams.iter().filter(|datagram| datagram.port == 1113) {
        receiver.take(datagram);
    }
    compare(&receiver, &expected("hdtn-ltp-lossy"), false);
    assert_eq!(receiver.cancelled, []);
    assert_eq!(receiver.engine.discarded().malformed, 0);
    // HDTN does not answer two checkpoints that came after their data had been reported on.
    compare_gaps(&receiver.reports, &reports_sent(&datagrams, 1116), 8);
}
