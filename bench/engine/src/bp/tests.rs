//! Agents that hand bundles to one another by hand.

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleAge, BundleFlags, CanonicalBlock, CreationTimestamp, CrcType, Eid, HopCount, PreviousNode,
    PrimaryBlock, ReasonCode, block_type,
};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
const ZERO_MS: u64 = 820_000_000_000;

fn at(secs: i64) -> Instant {
    Instant::ZERO + Duration::from_secs(secs)
}

fn agent(node: u64, route: Option<u64>) -> Agent {
    let mut agent = Agent::new(Config {
        node,
        dtn_time_at_zero_ms: ZERO_MS,
        storage_limit: 1 << 20,
        hop_limit: 8,
        status_reports: true,
    });
    agent.register(1);
    if let Some(next_hop) = route {
        agent.set_default_route(next_hop);
    }
    agent
}

fn to(node: u64, payload: &[u8]) -> Transmission {
    Transmission {
        destination: Eid::ipn(node, 1),
        service: 1,
        report_to: Eid::ipn(10, 0),
        flags: BundleFlags(0),
        lifetime: DAY,
        payload: Bytes::copy_from_slice(payload),
        max_payload: None,
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
    let (from_node, to_node) = (from.config.node, to.config.node);
    let mut carried = Vec::new();
    while let Some(outgoing) = from.poll_forward(now, to_node) {
        let bytes = bytes_of(&outgoing.block);
        to.receive(now, from_node, &bytes);
        from.forwarded(now, outgoing.handle);
        carried.push(bytes);
    }
    carried
}

fn delivered(notices: &[Notice]) -> Vec<Vec<u8>> {
    notices
        .iter()
        .filter_map(|n| match n {
            Notice::Delivered { payload, .. } => Some(payload.concat()),
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
    assert!(!b.has_queued(10));
}

#[test]
fn long_data_crosses_in_fragments_and_arrives_whole_in_any_order() {
    let payload: Vec<u8> = (0..100_000u32).map(|i| (i % 253) as u8).collect();
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(10)));
    let flags = BundleFlags::REPORT_DELIVERY;
    a.transmit(at(0), Transmission { max_payload: Some(30_000), flags, ..to(20, &payload) }).unwrap();
    let mut bundles = Vec::new();
    while let Some(outgoing) = a.poll_forward(at(1), 20) {
        bundles.push(bytes_of(&outgoing.block));
        a.forwarded(at(1), outgoing.handle);
    }
    assert_eq!(bundles.len(), 4);
    for bundle in bundles.iter().rev() {
        b.receive(at(2), 10, bundle);
        b.receive(at(2), 10, bundle);
    }
    let told = notices(&mut b);
    assert_eq!(delivered(&told), [payload]);
    assert_eq!(told.iter().filter(|n| matches!(n, Notice::Duplicate { .. })).count(), 4);
    assert_eq!(b.stored_bytes(), report_bytes(&b), "only the delivery report is left");
    let reports = carry(at(3), &mut b, &mut a);
    assert_eq!(reports.len(), 1, "one report for the whole");
}

fn report_bytes(agent: &Agent) -> u64 {
    agent.store.values().map(|s| s.payload.len() as u64).sum()
}

#[test]
fn fragments_that_contradict_each_other_are_refused() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(10)));
    a.transmit(at(0), Transmission { max_payload: Some(10), ..to(20, &[7; 20]) }).unwrap();
    let mut bundle = Bundle::parse(&bytes_of(&a.poll_forward(at(0), 20).unwrap().block)).unwrap().into_owned();
    b.receive(at(1), 10, &bundle.emit().into());
    for (offset, total_length) in [(10, 21), (15, 20), (u64::MAX - 3, u64::MAX)] {
        bundle.primary.fragment = Some(Fragment { offset, total_length });
        b.receive(at(1), 10, &bundle.emit().into());
    }
    let told = notices(&mut b);
    assert!(delivered(&told).is_empty());
    assert!(!deleted(&told).is_empty());
}

#[test]
fn a_bundle_expires_at_the_source_at_a_relay_and_half_reassembled() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(30)));
    let lifetime = Duration::from_secs(100);
    a.transmit(at(0), Transmission { lifetime, ..to(30, b"stuck") }).unwrap();
    a.transmit(at(0), Transmission { lifetime, max_payload: Some(3), ..to(20, b"halves") }).unwrap();
    let relayed = a.poll_forward(at(1), 20).unwrap();
    b.receive(at(1), 10, &bytes_of(&relayed.block));
    let half = a.poll_forward(at(1), 20).unwrap();
    b.receive(at(1), 10, &bytes_of(&half.block));
    assert_eq!(b.poll_timeout(), Some(at(100)));
    for agent in [&mut a, &mut b] {
        agent.handle_timeout(at(99));
        assert!(deleted(&notices(agent)).is_empty());
        agent.handle_timeout(at(100));
        assert!(deleted(&notices(agent)).iter().all(|r| *r == ReasonCode::LifetimeExpired));
        assert_eq!(agent.stored_bytes(), 0);
        assert_eq!(agent.poll_timeout(), None, "nothing is remembered past its time");
    }
    assert!(b.poll_forward(at(101), 30).is_none());
}

#[test]
fn a_bundle_that_is_already_too_old_is_deleted_on_arrival() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(10)));
    a.transmit(at(0), Transmission { lifetime: Duration::from_secs(10), ..to(20, b"late") }).unwrap();
    carry(at(11), &mut a, &mut b);
    let told = notices(&mut b);
    assert_eq!((delivered(&told).len(), deleted(&told)), (0, vec![ReasonCode::LifetimeExpired]));
}

fn foreign(extra: Vec<CanonicalBlock<'static>>, time_ms: u64, lifetime_ms: u64) -> Bytes {
    let primary = PrimaryBlock {
        flags: BundleFlags(0),
        crc: CrcType::Crc16,
        destination: Eid::ipn(30, 1),
        source: Eid::ipn(10, 1),
        report_to: Eid::None,
        creation: CreationTimestamp { time_ms, sequence: 5 },
        lifetime_ms,
        fragment: None,
    };
    let payload = block(block_type::PAYLOAD, 1, BlockFlags(0), b"foreign".to_vec());
    let blocks = extra.into_iter().chain([payload]).collect();
    Bundle { primary, blocks }.emit().into()
}

fn block(block_type: u64, number: u64, flags: BlockFlags, data: Vec<u8>) -> CanonicalBlock<'static> {
    CanonicalBlock { block_type, number, flags, crc: CrcType::None, data: data.into() }
}

#[test]
fn a_source_without_a_clock_is_judged_by_the_age_block_and_the_age_grows() {
    let mut b = agent(20, Some(30));
    let age = block(block_type::BUNDLE_AGE, 4, BlockFlags(0), BundleAge(60_000).emit());
    b.receive(at(0), 10, &foreign(vec![age], 0, 100_000));
    assert_eq!(b.poll_timeout(), Some(at(40)));
    let sent = bytes_of(&b.poll_forward(at(30), 30).unwrap().block);
    let sent = Bundle::parse(&sent).unwrap();
    assert_eq!(BundleAge::parse(&sent.extension(block_type::BUNDLE_AGE).unwrap().data).unwrap().0, 90_000);
}

#[test]
fn unknown_blocks_are_treated_as_their_flags_say() {
    let cases = [
        (BlockFlags(0), true, true),
        (BlockFlags::DISCARD_IF_UNPROCESSABLE, true, false),
        (BlockFlags::DELETE_BUNDLE_IF_UNPROCESSABLE, false, false),
    ];
    for (flags, forwarded, block_kept) in cases {
        let mut b = agent(20, Some(30));
        b.receive(at(0), 10, &foreign(vec![block(200, 9, flags, vec![1])], ZERO_MS, 1_000_000));
        let sent = b.poll_forward(at(0), 30).map(|o| bytes_of(&o.block));
        assert_eq!(sent.is_some(), forwarded, "{flags:?}");
        if let Some(sent) = sent {
            let kept = Bundle::parse(&sent).unwrap().extension(200).is_some();
            assert_eq!(kept, block_kept, "{flags:?}");
        }
        assert_eq!(deleted(&notices(&mut b)) == [ReasonCode::BlockUnsupported], !forwarded);
    }
}

#[test]
fn a_bundle_that_circles_runs_into_its_hop_limit() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(10)));
    a.transmit(at(0), to(30, b"nowhere")).unwrap();
    for _ in 0..20 {
        // A node that has seen the bundle drops it as a duplicate; forget, to let it circle.
        a.seen.clear();
        b.seen.clear();
        carry(at(1), &mut a, &mut b);
        carry(at(1), &mut b, &mut a);
    }
    let all: Vec<_> = notices(&mut a).into_iter().chain(notices(&mut b)).collect();
    assert_eq!(deleted(&all), [ReasonCode::HopLimitExceeded]);
}

#[test]
fn what_cannot_be_sent_is_refused_with_the_reason() {
    let mut lone = agent(10, None);
    assert_eq!(lone.transmit(at(0), to(30, b"x")), Err(TransmitError::NoRoute(Eid::ipn(30, 1))));
    let mut a = agent(10, Some(20));
    a.config.storage_limit = 100;
    a.transmit(at(0), to(30, &[0; 60])).unwrap();
    assert_eq!(a.transmit(at(0), to(30, &[0; 60])), Err(TransmitError::DepletedStorage { needed: 60, free: 40 }));
    let flags = BundleFlags::MUST_NOT_FRAGMENT;
    let whole = Transmission { flags, max_payload: Some(10), ..to(30, &[0; 20]) };
    assert_eq!(a.transmit(at(0), whole), Err(TransmitError::MustNotFragment(20)));
}

#[test]
fn what_arrives_for_nobody_or_for_a_full_store_is_deleted_with_a_reason() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, None));
    a.transmit(at(0), Transmission { destination: Eid::ipn(20, 99), ..to(20, b"x") }).unwrap();
    a.transmit(at(0), to(77, b"y")).unwrap();
    carry(at(0), &mut a, &mut b);
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::DestinationUnavailable, ReasonCode::NoKnownRoute]);
    b.config.storage_limit = 3;
    a.transmit(at(0), to(20, b"four")).unwrap();
    carry(at(0), &mut a, &mut b);
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::DepletedStorage]);
}

#[test]
fn several_bundles_in_one_block_are_all_taken_up_to_what_is_none() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, None));
    let mut block = Vec::new();
    for payload in [b"one", b"two"] {
        a.transmit(at(0), to(20, payload)).unwrap();
        block.extend_from_slice(&bytes_of(&a.poll_forward(at(0), 20).unwrap().block));
    }
    block.extend_from_slice(b"tail");
    b.receive(at(0), 10, &block.into());
    let told = notices(&mut b);
    assert_eq!(delivered(&told), [b"one", b"two"]);
    assert!(told.iter().any(|n| matches!(n, Notice::Unintelligible { bytes: 4, .. })));
}

#[test]
fn garbage_is_told_and_nothing_else_happens() {
    let mut b = agent(20, Some(30));
    b.receive(at(0), 10, &Bytes::from_static(b"\x9f\x00not a bundle"));
    assert!(matches!(notices(&mut b)[..], [Notice::Unintelligible { from: 10, bytes: 14, .. }]));
    assert_eq!(b.stored_bytes(), 0);
}

#[test]
fn a_failed_forwarding_is_tried_again() {
    let mut a = agent(10, Some(20));
    a.transmit(at(0), to(30, b"again")).unwrap();
    let first = a.poll_forward(at(0), 20).unwrap();
    assert!(a.poll_forward(at(0), 20).is_none());
    a.forwarding_failed(first.handle);
    assert_eq!(a.poll_forward(at(0), 20).unwrap().handle, first.handle);
}

#[test]
fn two_bundles_of_one_millisecond_differ() {
    let mut a = agent(10, Some(20));
    let ids: Vec<_> = (0..3).map(|_| a.transmit(at(0), to(30, b"x")).unwrap()).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}
