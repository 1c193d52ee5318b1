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
    let first = a.poll_forward(at(0), 20).unwrap();
    assert!(a.poll_forward(at(0), 20).is_none());
    a.forwarding_failed(at(1), first.handle);
    assert_eq!(a.poll_forward(at(0), 20).unwrap().handle, first.handle);
}

#[test]
fn a_bundle_that_fails_five_times_is_deleted_and_reported_on() {
    let mut a = agent(10, Some(20));
    let flags = BundleFlags::REPORT_DELETION;
    let report_to = Eid::ipn(20, 0);
    a.transmit(at(0), Transmission { flags, report_to, ..to(30, b"never") }).unwrap();
    for attempt in 1..=5 {
        assert!(deleted(&notices(&mut a)).is_empty(), "before attempt {attempt}");
        let outgoing = a.poll_forward(at(attempt), 20).unwrap();
        a.forwarding_failed(at(attempt), outgoing.handle);
        a.forwarding_failed(at(attempt), outgoing.handle);
    }
    assert_eq!(deleted(&notices(&mut a)), [ReasonCode::TransmissionCanceled]);
    let report = bytes_of(&a.poll_forward(at(6), 20).unwrap().block);
    assert!(Bundle::parse(&report).unwrap().primary.flags.contains(BundleFlags::IS_ADMIN_RECORD));
    assert!(a.poll_forward(at(6), 20).is_none());
}

#[test]
fn bundles_without_payload_and_reports_fill_the_store_too() {
    let mut b = agent(20, Some(10));
    b.config.storage_limit = 2_000;
    for sequence in 0..100 {
        let creation = CreationTimestamp { time_ms: ZERO_MS, sequence };
        let primary = PrimaryBlock { flags: BundleFlags::REPORT_DELIVERY, creation, ..from_10_to(20) };
        b.receive(at(0), 10, &bundle_of(primary, vec![], b""));
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
        relay.receive(at(0), 10, &bundle_of(primary, vec![block(200, 2, BlockFlags(0), vec![0; 200])], b""));
    }
    assert_eq!(relay.store.len(), 3, "extension blocks count");
}
