//! What the store refuses, keeps for another attempt, and lets go.

use super::*;

#[test]
fn what_cannot_be_sent_is_refused_with_the_reason() {
    let mut lone = agent(10, None);
    assert_eq!(lone.transmit(at(0), to(30, b"x")), Err(TransmitError::NoRoute(Eid::ipn(30, 1))));
    let mut a = agent(10, Some(20));
    a.config.storage_limit = 100 + 2 * OVERHEAD;
    a.transmit(at(0), to(30, &[0; 60])).unwrap();
    let refused = TransmitError::DepletedStorage { needed: 60 + OVERHEAD, free: 40 + OVERHEAD };
    assert_eq!(a.transmit(at(0), to(30, &[0; 60])), Err(refused));
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
fn a_failed_forwarding_is_tried_again() {
    let mut a = agent(10, Some(20));
    a.transmit(at(0), to(30, b"again")).unwrap();
    let first = a.next_for(at(0), 20).unwrap();
    assert!(a.next_for(at(0), 20).is_none());
    a.forwarding_failed(at(1), first.handle, Failure::Link);
    assert_eq!(a.next_for(at(1), 20).unwrap().handle, first.handle, "a broken link is no reason to wait");
}

#[test]
fn a_neighbour_without_room_is_asked_again_after_pauses_that_double_for_as_long_as_the_bundle_lives() {
    let mut a = agent(10, Some(20));
    a.transmit(at(0), to(30, b"patient")).unwrap();
    let mut now = at(0);
    let mut pauses = Vec::new();
    while let Some(outgoing) = a.next_for(now, 20) {
        a.forwarding_failed(now, outgoing.handle, Failure::NoResources);
        assert!(a.next_for(now, 20).is_none());
        let next = a.poll_timeout().unwrap();
        pauses.push((next - now).as_nanos() / 1_000_000_000);
        now = next;
        a.handle_timeout(now);
    }
    assert_eq!(pauses[..9], [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    assert_eq!(deleted(&notices(&mut a)), [ReasonCode::LifetimeExpired]);
    assert!(now > at(86_400) && now <= just_after(86_400));
}

#[test]
fn a_bundle_that_fails_five_times_is_deleted_and_reported_on() {
    let mut a = agent(10, Some(20));
    let flags = BundleFlags::REPORT_DELETION;
    let report_to = Eid::ipn(20, 0);
    a.transmit(at(0), Transmission { flags, report_to, ..to(30, b"never") }).unwrap();
    for attempt in 1..=5 {
        assert!(deleted(&notices(&mut a)).is_empty(), "before attempt {attempt}");
        let now = at(100 * attempt);
        let outgoing = a.next_for(now, 20).unwrap();
        a.forwarding_failed(now, outgoing.handle, Failure::Rejected);
        a.forwarding_failed(now, outgoing.handle, Failure::Rejected);
    }
    assert_eq!(deleted(&notices(&mut a)), [ReasonCode::TransmissionCanceled]);
    let report = bytes_of(&a.next_for(at(600), 20).unwrap().block);
    assert!(Bundle::parse(&report).unwrap().primary.flags.contains(BundleFlags::IS_ADMIN_RECORD));
    assert!(a.next_for(at(600), 20).is_none());
}

#[test]
fn a_full_store_refuses_what_the_neighbour_can_keep_and_knows_nothing_of_it_afterwards() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(10)));
    b.config.storage_limit = 2 * OVERHEAD;
    let flags = BundleFlags::ALL_REPORTS;
    for payload in [&[1; 100][..], &[2; 200], &[3; 250]] {
        a.transmit(at(0), Transmission { flags, ..to(30, payload) }).unwrap();
    }
    b.add_route("ipn:30.* via ipn:30.0".parse().unwrap()).unwrap();
    let mut block = Vec::new();
    while let Some(outgoing) = a.next_for(at(0), 20) {
        block.extend_from_slice(&bytes_of(&outgoing.block));
    }
    let block = Bytes::from(block);
    let from = Eid::ipn(10, 0);
    assert!(b.receive(at(1), &from, &block, Refusal::Possible).is_err());
    let told = notices(&mut b);
    assert_eq!(told.iter().filter(|n| matches!(n, Notice::Received { .. })).count(), 1);
    assert_eq!(told.iter().filter(|n| matches!(n, Notice::Refused { .. })).count(), 2);
    assert!(deleted(&told).iter().all(|r| *r == ReasonCode::DepletedStorage), "only reports had no room: {told:?}");

    b.config.storage_limit = 1 << 20;
    assert_eq!(b.receive(at(2), &from, &block, Refusal::Possible), Ok(()));
    let told = notices(&mut b);
    assert_eq!(told.iter().filter(|n| matches!(n, Notice::Duplicate { .. })).count(), 1);
    assert_eq!(told.iter().filter(|n| matches!(n, Notice::Received { .. })).count(), 2);
}

#[test]
fn a_cancelled_transmission_leaves_the_store_whole() {
    let mut a = agent(10, Some(20));
    let kept = a.transmit(at(0), to(30, b"kept")).unwrap();
    let id = a.transmit(at(0), Transmission { max_payload: Some(3), ..to(30, b"cancelled") }).unwrap();
    a.next_for(at(0), 20).unwrap();
    let first_fragment = a.next_for(at(0), 20).unwrap();
    assert_eq!(a.cancel(at(1), &id), 3);
    let told = notices(&mut a);
    assert_eq!(deleted(&told), [ReasonCode::TransmissionCanceled; 3]);
    assert!(told.contains(&Notice::Abandoned { handle: first_fragment.handle }));
    assert_eq!((a.stored_bundles(), a.cancel(at(1), &id), a.cancel(at(1), &kept)), (1, 0, 1));
}

#[test]
fn the_memory_of_bundles_is_limited() {
    let mut b = agent(20, None);
    b.config.memory_limit = 3;
    let bundle = |sequence| {
        let creation = CreationTimestamp { time_ms: ZERO_MS, sequence };
        bundle_of(PrimaryBlock { creation, ..from_10_to(20) }, vec![], b"x")
    };
    for sequence in 0..100 {
        b.hear(at(0), 10, &bundle(sequence));
    }
    assert_eq!((b.seen.len(), b.forgetting.len()), (3, 3));
    notices(&mut b);
    b.hear(at(0), 10, &bundle(99));
    assert!(matches!(notices(&mut b)[..], [Notice::Duplicate { .. }]));
}

#[test]
fn bundles_without_payload_and_reports_fill_the_store_too() {
    let mut b = agent(20, Some(10));
    b.config.storage_limit = 2_000;
    for sequence in 0..100 {
        let creation = CreationTimestamp { time_ms: ZERO_MS, sequence };
        let primary = PrimaryBlock { flags: BundleFlags::REPORT_DELIVERY, creation, ..from_10_to(20) };
        b.hear(at(0), 10, &bundle_of(primary, vec![], b""));
    }
    assert!(b.stored_bytes() <= 2_000 && b.store.len() > 1, "{}", b.stored_bytes());
    let told = notices(&mut b);
    assert!(deleted(&told).contains(&ReasonCode::DepletedStorage));
    let created = told.iter().filter(|n| matches!(n, Notice::Created { .. })).count();
    let dropped =
        told.iter().filter(|n| matches!(n, Notice::Deleted { id, .. } if id.source == Eid::ipn(20, 0))).count();
    assert_eq!(created, b.store.len() + dropped, "every report is in the store or was told to be dropped");

    let mut relay = agent(20, Some(30));
    relay.config.storage_limit = 2_000;
    for sequence in 0..100 {
        let primary = PrimaryBlock { creation: CreationTimestamp { time_ms: ZERO_MS, sequence }, ..from_10_to(30) };
        relay.hear(at(0), 10, &bundle_of(primary, vec![block(200, 2, BlockFlags(0), vec![0; 200])], b""));
    }
    assert_eq!(relay.store.len(), 3, "extension blocks count");
}

#[test]
fn a_cancelled_transmission_to_an_endpoint_here_is_not_delivered_afterwards() {
    let mut a = agent(10, None);
    let endpoint = Eid::ipn(10, 7);
    assert!(a.register(endpoint.clone(), Registration::PASSIVE));
    let here = Transmission { destination: endpoint.clone(), ..to(10, b"deferred") };
    let id = a.transmit(at(0), here.clone()).unwrap();
    let parts = a.transmit(at(0), Transmission { max_payload: Some(3), ..here.clone() }).unwrap();
    assert_eq!((a.cancel(at(1), &id), a.cancel(at(1), &parts)), (1, 1));
    assert_eq!(deleted(&notices(&mut a)), [ReasonCode::TransmissionCanceled; 2]);
    assert!(!a.poll_endpoint(&endpoint));
    assert_eq!((a.units.len(), a.stored_bytes()), (0, 0));

    // What an application is being given is past cancelling.
    let given = a.transmit(at(2), here).unwrap();
    assert!(a.poll_endpoint(&endpoint));
    assert_eq!(a.cancel(at(2), &given), 0);
    assert!(a.stored_bytes() > 0);
}
