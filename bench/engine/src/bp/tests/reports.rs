//! Status reports (§6.1.1): what they say, and how long they live.

use super::*;

fn report_in(bytes: &Bytes) -> (PrimaryBlock, farlink_wire::bpv7::StatusReport) {
    let bundle = Bundle::parse(bytes).unwrap();
    match AdministrativeRecord::parse(bundle.payload()).unwrap() {
        AdministrativeRecord::StatusReport(report) => (bundle.primary.clone(), report),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_report_lives_long_enough_to_arrive_whatever_the_bundle_did() {
    let mut b = agent(20, Some(10));
    let primary = PrimaryBlock { lifetime_ms: 0, flags: BundleFlags::REPORT_DELETION, ..from_10_to(30) };
    b.hear(at(1), 10, &bundle(primary, vec![]));
    let (primary, report) = report_in(&bytes_of(&b.next_for(at(1), 10).unwrap().block));
    assert!(report.deleted.asserted && report.reason == ReasonCode::LifetimeExpired);
    assert_eq!(primary.lifetime_ms, 86_400_000, "no less than a day: light alone takes hours");

    let lifetime_ms = 10 * 86_400_000;
    let primary = PrimaryBlock { lifetime_ms, flags: BundleFlags::REPORT_RECEPTION, ..from_10_to(20) };
    b.hear(at(2), 10, &bundle(primary, vec![]));
    let (primary, _) = report_in(&bytes_of(&b.next_for(at(2), 10).unwrap().block));
    assert_eq!(primary.lifetime_ms, lifetime_ms);
}

// §4.2.6: a DTN time of zero says that the time is unknown.
#[test]
fn a_node_without_a_clock_reports_no_time() {
    let mut b = agent(20, Some(10));
    b.config.has_clock = false;
    let flags = BundleFlags::REPORT_RECEPTION | BundleFlags::STATUS_TIME_REQUESTED;
    b.hear(at(1), 10, &bundle(PrimaryBlock { flags, ..from_10_to(20) }, vec![]));
    let (_, report) = report_in(&bytes_of(&b.next_for(at(1), 10).unwrap().block));
    assert_eq!(report.received.time_ms, Some(0));
}

#[test]
fn reports_on_a_fragment_name_its_extent_and_not_its_total() {
    let mut b = agent(20, Some(10));
    let fragment = Some(Fragment { offset: 500, total_length: 2_000 });
    let flags = BundleFlags::IS_FRAGMENT | BundleFlags::REPORT_RECEPTION | BundleFlags::REPORT_FORWARDING;
    b.add_route("ipn:30.* via ipn:30.0".parse().unwrap()).unwrap();
    b.hear(at(1), 10, &bundle_of(PrimaryBlock { flags, fragment, ..from_10_to(30) }, vec![], &[1; 100]));
    let outgoing = b.next_for(at(1), 30).unwrap();
    b.forwarded(at(2), outgoing.handle);
    for (received, forwarded) in [(true, false), (false, true)] {
        let (_, report) = report_in(&bytes_of(&b.next_for(at(2), 10).unwrap().block));
        assert_eq!((report.received.asserted, report.forwarded.asserted), (received, forwarded));
        assert_eq!(report.fragment.map(|f| (f.offset, f.length)), Some((500, 100)));
        assert_eq!(report.reason, ReasonCode::NoAdditionalInformation);
    }
}

#[test]
fn nothing_is_reported_to_nobody() {
    let mut b = agent(20, Some(10));
    let primary = PrimaryBlock { report_to: Eid::None, flags: BundleFlags::ALL_REPORTS, ..from_10_to(20) };
    b.hear(at(1), 10, &bundle(primary, vec![block(200, 2, BlockFlags::REPORT_IF_UNPROCESSABLE, vec![])]));
    assert_eq!((b.has_for(10), b.stored_bytes()), (false, 0));
}

// §5.6 step 3 comes after step 2: what is deleted as unintelligible is reported too, as long as the primary block is sound.
#[test]
fn a_bundle_with_a_damaged_block_is_reported_as_received_and_deleted() {
    let mut b = agent(20, Some(10));
    let flags = BundleFlags::REPORT_RECEPTION | BundleFlags::REPORT_DELETION;
    let damaged = |primary: PrimaryBlock| {
        let mut bytes = bundle(primary, vec![]).to_vec();
        // Without the break it is no well-formed CBOR.
        bytes.pop();
        Bytes::from(bytes)
    };
    let primary = PrimaryBlock { flags, crc: CrcType::Crc32c, ..from_10_to(30) };
    b.hear(at(1), 10, &damaged(primary.clone()));
    for (received, reason) in [(true, ReasonCode::NoAdditionalInformation), (false, ReasonCode::BlockUnintelligible)] {
        let (_, report) = report_in(&bytes_of(&b.next_for(at(1), 10).unwrap().block));
        assert_eq!((report.received.asserted, report.deleted.asserted), (received, !received));
        assert_eq!((report.reason, report.source, report.creation), (reason, primary.source.clone(), primary.creation));
    }
    assert!(!b.has_for(10));

    // What cannot be trusted, or named, is not reported on.
    b.hear(at(2), 10, &damaged(PrimaryBlock { crc: CrcType::None, ..primary.clone() }));
    let fragment = Some(Fragment { offset: 500, total_length: 2_000 });
    b.hear(at(2), 10, &damaged(PrimaryBlock { fragment, flags: flags | BundleFlags::IS_FRAGMENT, ..primary }));
    assert!(!b.has_for(10));
}
