//! Agents that hand bundles to one another by hand.

mod blocks;
mod bookings;
mod classes;
mod crash;
mod fragments;
mod hostile;
mod journal;
mod lifetime;
mod registrations;
mod reports;
mod routes;
mod store;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{
    AdministrativeRecord, BlockFlags, Bundle, BundleAge, BundleFlags, CanonicalBlock, CrcType, CreationTimestamp, Eid,
    HopCount, PreviousNode, PrimaryBlock, ReasonCode, block_type,
};

use super::*;

const ZERO_MS: u64 = 820_000_000_000;
/// What a bundle of this node takes up in its store besides the payload.
const OVERHEAD: u64 = 256 + 64 + 3;

fn at(secs: i64) -> Instant {
    Instant::ZERO + Duration::from_secs(secs)
}

/// The first instant at which what lives until `secs` has expired.
fn just_after(secs: i64) -> Instant {
    at(secs) + Duration::from_nanos(1)
}

fn agent(node: u64, route: Option<u64>) -> Agent {
    let mut agent = Agent::new(Config {
        dtn_time_at_zero_ms: ZERO_MS,
        storage_limit: 1 << 20,
        hop_limit: 8,
        status_reports: true,
        ..Config::new(Eid::ipn(node, 0))
    });
    assert!(agent.register(Eid::ipn(node, 1), Registration::ACTIVE));
    if let Some(next_hop) = route {
        agent.add_route(format!("* via ipn:{next_hop}.0").parse().unwrap()).unwrap();
    }
    agent
}

/// Agents that are spoken of by node number, and applications that take what they get at once.
trait ByNumber {
    fn hear(&mut self, now: Instant, from: u64, bytes: &Bytes);
    fn next_for(&mut self, now: Instant, node: u64) -> Option<Outgoing>;
    fn has_for(&mut self, node: u64) -> bool;
}

impl ByNumber for Agent {
    fn hear(&mut self, now: Instant, from: u64, bytes: &Bytes) {
        assert_eq!(self.receive(now, &Eid::ipn(from, 0), bytes, Refusal::Impossible), Ok(()));
        let handles: Vec<Handle> = self
            .notices
            .iter()
            .filter_map(|n| match n {
                Notice::Delivery { handle, .. } => Some(*handle),
                _ => None,
            })
            .collect();
        handles.into_iter().for_each(|handle| self.delivered(now, handle));
    }

    fn next_for(&mut self, now: Instant, node: u64) -> Option<Outgoing> {
        self.poll_forward(now, &Eid::ipn(node, 0))
    }

    fn has_for(&mut self, node: u64) -> bool {
        self.has_queued(&Eid::ipn(node, 0))
    }
}

fn to(node: u64, payload: &[u8]) -> Transmission {
    Transmission {
        report_to: Eid::ipn(10, 0),
        ..Transmission::new(Eid::ipn(10, 1), Eid::ipn(node, 1), Bytes::copy_from_slice(payload))
    }
}

fn bytes_of(block: &crate::ltp::Block) -> Bytes {
    block.slice(0, block.len() as usize)
}

fn notices(agent: &mut Agent) -> Vec<Notice> {
    std::iter::from_fn(|| agent.poll_notice()).collect()
}

/// Carries everything that `from` has queued for `to`; returns the bundles.
fn carry(now: Instant, from: &mut Agent, to: &mut Agent) -> Vec<Bytes> {
    let node = |agent: &Agent| agent.node_id().node().unwrap();
    let (from_node, to_node) = (node(from), node(to));
    let mut carried = Vec::new();
    while let Some(outgoing) = from.next_for(now, to_node) {
        let bytes = bytes_of(&outgoing.block);
        to.hear(now, from_node, &bytes);
        from.forwarded(now, outgoing.handle);
        carried.push(bytes);
    }
    carried
}

fn delivered(notices: &[Notice]) -> Vec<Vec<u8>> {
    notices
        .iter()
        .filter_map(|n| match n {
            Notice::Delivery { payload, .. } => Some(payload.concat()),
            _ => None,
        })
        .collect()
}

fn deleted(notices: &[Notice]) -> Vec<ReasonCode> {
    notices
        .iter()
        .filter_map(|n| match n {
            Notice::Deleted { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect()
}

#[test]
fn a_bundle_crosses_a_relay_and_the_stores_are_empty_afterwards() {
    let (mut a, mut b, mut c) = (agent(10, Some(20)), agent(20, Some(30)), agent(30, Some(20)));
    let id = a.transmit(at(5), to(30, b"hello")).unwrap();
    assert_eq!(id.to_string(), "ipn:10.1 820000005000-0");
    let first = carry(at(6), &mut a, &mut b);
    let second = carry(at(7), &mut b, &mut c);
    assert_eq!(delivered(&notices(&mut c)), [b"hello"]);
    assert_eq!((a.stored_bytes(), b.stored_bytes(), c.stored_bytes()), (0, 0, 0));

    let first = Bundle::parse(&first[0]).unwrap();
    assert!(first.extension(block_type::PREVIOUS_NODE).is_none(), "§4.4.1: not at the source");
    let hops = |b: &Bundle<'_>| HopCount::parse(&b.extension(block_type::HOP_COUNT).unwrap().data).unwrap().count;
    assert_eq!(hops(&first), 1);
    let second = Bundle::parse(&second[0]).unwrap();
    let previous = second.extension(block_type::PREVIOUS_NODE).unwrap();
    assert_eq!(PreviousNode::parse(&previous.data).unwrap().0, Eid::ipn(20, 0));
    assert_eq!(hops(&second), 2);
    assert_eq!(second.primary, first.primary);
}

#[test]
fn a_delivery_report_comes_back_with_the_time_that_was_asked_for() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(10)));
    let flags = BundleFlags::REPORT_DELIVERY | BundleFlags::STATUS_TIME_REQUESTED;
    let id = a.transmit(at(0), Transmission { flags, ..to(20, b"command") }).unwrap();
    carry(at(100), &mut a, &mut b);
    carry(at(200), &mut b, &mut a);
    let told = notices(&mut a);
    let Some(Notice::Reported { by, report }) = told.iter().find(|n| matches!(n, Notice::Reported { .. })) else {
        panic!("no report among {told:?}");
    };
    assert_eq!(*by, Eid::ipn(20, 0));
    assert!(report.delivered.asserted && !report.received.asserted && !report.forwarded.asserted);
    assert_eq!(report.delivered.time_ms, Some(ZERO_MS + 100_000));
    assert_eq!((report.source.clone(), report.creation), (id.source, id.creation));
    assert!(notices(&mut b).iter().all(|n| !matches!(n, Notice::Reported { .. })), "no report on a report");
}

#[test]
fn reports_are_off_unless_they_are_turned_on() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(10)));
    b.config.status_reports = false;
    a.transmit(at(0), Transmission { flags: BundleFlags::REPORT_DELIVERY, ..to(20, b"x") }).unwrap();
    carry(at(1), &mut a, &mut b);
    assert!(!b.has_for(10));
}

fn foreign(extra: Vec<CanonicalBlock<'static>>, time_ms: u64, lifetime_ms: u64) -> Bytes {
    bundle(PrimaryBlock { creation: CreationTimestamp { time_ms, sequence: 5 }, lifetime_ms, ..from_10_to(30) }, extra)
}

/// The primary block of a bundle from `ipn:10.1` which was made at second 0 and lives for 1000 s.
fn from_10_to(node: u64) -> PrimaryBlock {
    PrimaryBlock {
        flags: BundleFlags(0),
        crc: CrcType::Crc16,
        destination: Eid::ipn(node, 1),
        source: Eid::ipn(10, 1),
        report_to: Eid::ipn(10, 0),
        creation: CreationTimestamp { time_ms: ZERO_MS, sequence: 5 },
        lifetime_ms: 1_000_000,
        fragment: None,
    }
}

fn bundle(primary: PrimaryBlock, extra: Vec<CanonicalBlock<'static>>) -> Bytes {
    bundle_of(primary, extra, b"foreign")
}

fn bundle_of(primary: PrimaryBlock, extra: Vec<CanonicalBlock<'static>>, payload: &[u8]) -> Bytes {
    let payload = block(block_type::PAYLOAD, 1, BlockFlags(0), payload.to_vec());
    Bundle { primary, blocks: extra.into_iter().chain([payload]).collect() }.emit().into()
}

fn block(block_type: u64, number: u64, flags: BlockFlags, data: Vec<u8>) -> CanonicalBlock<'static> {
    CanonicalBlock { block_type, number, flags, crc: CrcType::None, data: data.into() }
}

#[test]
fn a_bundle_that_circles_runs_into_its_hop_limit() {
    let mut ring = [agent(10, Some(20)), agent(20, Some(40)), agent(40, Some(10))];
    ring[0].transmit(at(0), to(30, b"nowhere")).unwrap();
    for hop in 0..20 {
        // A node that has seen the bundle drops it as a duplicate; forget, to let it circle.
        for agent in &mut ring {
            agent.seen.clear();
            agent.forgetting.clear();
        }
        let [from, to] = ring.get_disjoint_mut([hop % 3, (hop + 1) % 3]).unwrap();
        carry(at(1), from, to);
    }
    let all: Vec<_> = ring.iter_mut().flat_map(notices).collect();
    assert_eq!(deleted(&all), [ReasonCode::HopLimitExceeded]);
}

#[test]
fn several_bundles_in_one_block_are_all_taken_up_to_what_is_none() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, None));
    let mut block = Vec::new();
    for payload in [b"one", b"two"] {
        a.transmit(at(0), to(20, payload)).unwrap();
        block.extend_from_slice(&bytes_of(&a.next_for(at(0), 20).unwrap().block));
    }
    block.extend_from_slice(b"tail");
    b.hear(at(0), 10, &block.into());
    let told = notices(&mut b);
    assert_eq!(delivered(&told), [b"one", b"two"]);
    assert!(told.iter().any(|n| matches!(n, Notice::Unintelligible { bytes: 4, .. })));
}

#[test]
fn garbage_is_told_and_nothing_else_happens() {
    let mut b = agent(20, Some(30));
    b.hear(at(0), 10, &Bytes::from_static(b"\x9f\x00not a bundle"));
    assert!(matches!(notices(&mut b)[..], [Notice::Unintelligible { from: Eid::Ipn { node: 10, .. }, bytes: 14, .. }]));
    assert_eq!(b.stored_bytes(), 0);
}

#[test]
fn two_bundles_of_one_millisecond_differ() {
    let mut a = agent(10, Some(20));
    let ids: Vec<_> = (0..3).map(|_| a.transmit(at(0), to(30, b"x")).unwrap()).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}

#[test]
fn applications_cannot_pass_their_data_off_as_fragments_or_records() {
    let mut a = agent(10, Some(20));
    let flags = BundleFlags::IS_FRAGMENT | BundleFlags::IS_ADMIN_RECORD | BundleFlags::ACK_REQUESTED;
    a.transmit(at(0), Transmission { flags, ..to(30, b"x") }).unwrap();
    let sent = bytes_of(&a.next_for(at(0), 20).unwrap().block);
    assert_eq!(Bundle::parse(&sent).unwrap().primary.flags, BundleFlags::ACK_REQUESTED);
}

#[test]
fn anonymous_bundles_are_no_duplicates_of_each_other_and_nobody_reports_on_them() {
    let mut b = agent(20, Some(10));
    let flags = BundleFlags::ALL_REPORTS | BundleFlags::MUST_NOT_FRAGMENT;
    let primary = PrimaryBlock { source: Eid::None, flags, ..from_10_to(20) };
    for payload in [b"one", b"two"] {
        b.hear(at(0), 10, &bundle_of(primary.clone(), vec![], payload));
    }
    assert_eq!(delivered(&notices(&mut b)), [b"one", b"two"]);

    let fragment = Some(Fragment { offset: 0, total_length: 50 });
    let flags = BundleFlags::ALL_REPORTS | BundleFlags::IS_FRAGMENT;
    b.hear(at(0), 10, &bundle(PrimaryBlock { fragment, flags, ..primary }, vec![]));
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::BlockUnintelligible], "no reassembly without a source");
    assert!(!b.has_for(10));
    assert_eq!(b.stored_bytes(), 0);
}

/// The reasons in the status reports that wait for node 10, which must be all that does.
fn reports_to_10(agent: &mut Agent) -> Vec<ReasonCode> {
    let sent = std::iter::from_fn(|| agent.next_for(at(0), 10)).map(|o| bytes_of(&o.block));
    sent.map(|bytes| match AdministrativeRecord::parse(Bundle::parse(&bytes).unwrap().payload()).unwrap() {
        AdministrativeRecord::StatusReport(report) => report.reason,
        other => panic!("{other:?}"),
    })
    .collect()
}
