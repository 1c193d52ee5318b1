//! What expires, and when (§5.5).

use super::*;

#[test]
fn a_bundle_expires_at_the_source_at_a_relay_and_half_reassembled() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(30)));
    let lifetime = Duration::from_secs(100);
    a.transmit(at(0), Transmission { lifetime, ..to(30, b"stuck") }).unwrap();
    a.transmit(at(0), Transmission { lifetime, max_payload: Some(3), ..to(20, b"halves") }).unwrap();
    let relayed = a.next_for(at(1), 20).unwrap();
    b.hear(at(1), 10, &bytes_of(&relayed.block));
    let half = a.next_for(at(1), 20).unwrap();
    b.hear(at(1), 10, &bytes_of(&half.block));
    let end = just_after(100);
    assert_eq!(b.poll_timeout(), Some(end), "§5.5: when the age exceeds the lifetime");
    for agent in [&mut a, &mut b] {
        agent.handle_timeout(at(100));
        assert!(deleted(&notices(agent)).is_empty());
        agent.handle_timeout(end);
        let reasons = deleted(&notices(agent));
        assert!(!reasons.is_empty() && reasons.iter().all(|r| *r == ReasonCode::LifetimeExpired));
        assert_eq!(agent.stored_bytes(), 0);
        assert_eq!(agent.poll_timeout(), None, "nothing is remembered past its time");
    }
    assert!(b.next_for(at(101), 30).is_none());
}

#[test]
fn a_bundle_that_is_already_too_old_is_deleted_on_arrival() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(10)));
    a.transmit(at(0), Transmission { lifetime: Duration::from_secs(10), ..to(20, b"late") }).unwrap();
    let sent = a.next_for(at(9), 20).unwrap();
    b.hear(at(11), 10, &bytes_of(&sent.block));
    let told = notices(&mut b);
    assert_eq!((delivered(&told).len(), deleted(&told)), (0, vec![ReasonCode::LifetimeExpired]));
}

#[test]
fn a_source_without_a_clock_is_judged_by_the_age_block_and_the_age_grows() {
    let mut b = agent(20, Some(30));
    let age = block(block_type::BUNDLE_AGE, 4, BlockFlags(0), BundleAge(60_000).emit());
    b.hear(at(0), 10, &foreign(vec![age], 0, 100_000));
    assert_eq!(b.poll_timeout(), Some(just_after(40)));
    let sent = bytes_of(&b.next_for(at(30), 30).unwrap().block);
    let sent = Bundle::parse(&sent).unwrap();
    assert_eq!(BundleAge::parse(&sent.extension(block_type::BUNDLE_AGE).unwrap().data).unwrap().0, 90_000);
}

#[test]
fn a_bundle_that_expires_on_its_way_out_is_abandoned_first() {
    let mut a = agent(10, Some(20));
    let lifetime = Duration::from_secs(10);
    for payload in [b"sent", b"held", b"back"] {
        a.transmit(at(0), Transmission { lifetime, ..to(30, payload) }).unwrap();
    }
    let sent = a.next_for(at(1), 20).unwrap().handle;
    let held = a.next_for(at(1), 20).unwrap().handle;
    a.forwarded(at(2), sent);
    notices(&mut a);
    a.handle_timeout(just_after(10));
    let told = notices(&mut a);
    assert!(
        matches!(told[..], [Notice::Abandoned { handle }, Notice::Deleted { .. }, Notice::Deleted { .. }] if handle == held),
        "{told:#?}"
    );
    // The convergence layer's word on it comes too late, and changes nothing.
    a.forwarding_failed(at(11), held, Failure::Rejected);
    assert!(a.next_for(at(11), 20).is_none() && notices(&mut a).is_empty());
}

#[test]
fn what_has_expired_in_its_queue_is_not_forwarded() {
    let mut a = agent(10, Some(20));
    a.transmit(at(0), Transmission { lifetime: Duration::from_secs(10), ..to(30, b"late") }).unwrap();
    assert!(a.next_for(at(20), 20).is_none());
    assert_eq!(deleted(&notices(&mut a)), [ReasonCode::LifetimeExpired]);
}

#[test]
fn a_bundle_whose_age_equals_its_lifetime_is_still_in_time() {
    let mut b = agent(20, Some(30));
    let age = |ms| vec![block(block_type::BUNDLE_AGE, 4, BlockFlags(0), BundleAge(ms).emit())];
    b.hear(at(0), 10, &foreign(age(100_000), 0, 100_000));
    assert!(deleted(&notices(&mut b)).is_empty());
    b.hear(at(0), 10, &foreign(age(100_001), 0, 100_000));
    b.hear(at(1), 10, &bundle_of(PrimaryBlock { lifetime_ms: 1_000, ..from_10_to(20) }, vec![], b"on time"));
    assert_eq!(delivered(&notices(&mut b)), [b"on time"]);
}

#[test]
fn nothing_stays_longer_than_a_year() {
    let mut b = agent(20, Some(30));
    b.hear(at(0), 10, &foreign(vec![], ZERO_MS, u64::MAX));
    b.hear(at(0), 10, &bundle(PrimaryBlock { lifetime_ms: u64::MAX, ..from_10_to(20) }, vec![]));
    b.handle_timeout(at(365 * 86_400));
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::TrafficPared], "§5.5: the reason of an override");
    assert_eq!((b.poll_timeout(), b.seen.len(), b.stored_bytes()), (None, 0, 0));
}

#[test]
fn a_node_without_a_clock_sends_bundles_that_carry_their_age() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(30)));
    a.config.has_clock = false;
    let lifetime = Duration::from_secs(100);
    let ids: Vec<_> = (0..2).map(|_| a.transmit(at(50), Transmission { lifetime, ..to(30, b"x") }).unwrap()).collect();
    assert!(ids.iter().all(|id| id.creation.time_ms == 0));
    assert_ne!(ids[0], ids[1]);
    let sent = carry(at(60), &mut a, &mut b);
    let age = |bytes: &Bytes| {
        BundleAge::parse(&Bundle::parse(bytes).unwrap().extension(block_type::BUNDLE_AGE).unwrap().data).unwrap().0
    };
    assert_eq!(age(&sent[0]), 10_000);
    let held = b.next_for(at(100), 30).unwrap();
    assert_eq!(age(&bytes_of(&held.block)), 50_000);
    b.handle_timeout(at(150));
    assert!(deleted(&notices(&mut b)).is_empty());
    b.handle_timeout(just_after(150));
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::LifetimeExpired; 2]);
}

#[test]
fn a_node_without_a_clock_judges_foreign_bundles_by_their_age_too() {
    let mut b = agent(20, Some(30));
    b.config.has_clock = false;
    let age = block(block_type::BUNDLE_AGE, 2, BlockFlags(0), BundleAge(90_000).emit());
    // Made long before this node's zero, of use for 100 s, 90 of which have gone.
    b.hear(at(0), 10, &foreign(vec![age], 1_000_000, 100_000));
    b.handle_timeout(just_after(10));
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::LifetimeExpired]);
}

#[test]
fn a_bundle_that_tells_neither_when_it_was_made_nor_how_old_it_is_is_deleted() {
    let mut b = agent(20, Some(30));
    b.hear(at(0), 10, &foreign(vec![], 0, 100_000));
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::BlockUnintelligible], "§4.4.2: it must have an age block");
}

#[test]
fn a_hop_limit_is_one_that_a_block_can_tell() {
    for (configured, told) in [(0, 1), (1_000, 255), (9, 9)] {
        let mut a = agent(10, Some(20));
        a.config.hop_limit = configured;
        a.transmit(at(0), to(20, b"x")).unwrap();
        let sent = bytes_of(&a.next_for(at(0), 20).unwrap().block);
        let block = Bundle::parse(&sent).unwrap().extension(block_type::HOP_COUNT).unwrap().clone().into_owned();
        assert_eq!(HopCount::parse(&block.data).unwrap().limit, told, "§4.4.3: 1 to 255");
    }
}
