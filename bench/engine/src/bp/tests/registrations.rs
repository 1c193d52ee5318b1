use super::*;

const ENDPOINT: Eid = Eid::ipn(20, 5);

fn with(registration: Registration) -> Agent {
    let mut b = agent(20, Some(10));
    assert!(b.register(ENDPOINT, registration));
    b
}

fn send(b: &mut Agent, sequence: u64, payload: &[u8]) {
    let creation = CreationTimestamp { time_ms: ZERO_MS, sequence };
    let primary =
        PrimaryBlock { destination: ENDPOINT, creation, flags: BundleFlags::REPORT_DELIVERY, ..from_10_to(20) };
    b.receive(at(0), &Eid::ipn(10, 0), &bundle_of(primary, vec![], payload), Refusal::Impossible).unwrap();
}

fn deliveries(b: &mut Agent) -> Vec<(Handle, Vec<u8>)> {
    let told = notices(b).into_iter().filter_map(|n| match n {
        Notice::Delivery { handle, payload, .. } => Some((handle, payload.concat())),
        _ => None,
    });
    told.collect()
}

#[test]
fn an_active_registration_is_given_what_comes_and_the_store_keeps_it_until_the_application_has_it() {
    let mut b = with(Registration::ACTIVE);
    send(&mut b, 1, b"one");
    let given = deliveries(&mut b);
    assert_eq!(given[0].1, b"one");
    assert!(b.stored_bytes() > 0 && !b.has_for(10), "no report before the delivery");
    b.delivered(at(1), given[0].0);
    assert!(matches!(notices(&mut b)[..], [Notice::Delivered { bytes: 3, .. }, Notice::Created { .. }]));
    assert_eq!(reports_to_10(&mut b), [ReasonCode::NoAdditionalInformation]);
}

#[test]
fn a_passive_registration_is_given_the_oldest_when_it_polls_and_all_when_it_becomes_active() {
    let mut b = with(Registration::PASSIVE);
    for (sequence, payload) in [b"one", b"two", b"six"].iter().enumerate() {
        send(&mut b, sequence as u64, *payload);
    }
    assert!(deliveries(&mut b).is_empty());
    assert!(b.poll_endpoint(&ENDPOINT));
    assert_eq!(deliveries(&mut b).len(), 1);
    assert!(b.register(ENDPOINT, Registration::ACTIVE));
    let rest: Vec<_> = deliveries(&mut b).into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(rest, [b"two", b"six"]);
    assert!(!b.poll_endpoint(&ENDPOINT));
}

#[test]
fn what_nobody_fetches_expires_and_what_is_not_wanted_is_deleted_with_a_reason() {
    let mut b = with(Registration::PASSIVE);
    send(&mut b, 1, b"one");
    b.handle_timeout(just_after(1_000));
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::LifetimeExpired]);
    assert!(!b.poll_endpoint(&ENDPOINT));

    let mut b = with(Registration { active: false, on_failure: FailureAction::Abandon });
    send(&mut b, 1, b"one");
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::DestinationUnavailable]);

    let mut b = with(Registration::PASSIVE);
    send(&mut b, 1, b"one");
    b.deregister(at(1), &ENDPOINT);
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::DestinationUnavailable]);
    assert_eq!(b.stored_bytes(), 0);
}

#[test]
fn a_failed_delivery_waits_for_the_next_poll_or_is_given_up_as_registered() {
    let mut b = with(Registration::ACTIVE);
    send(&mut b, 1, b"one");
    let first = deliveries(&mut b)[0].0;
    b.delivery_failed(at(1), first);
    assert!(deliveries(&mut b).is_empty());
    send(&mut b, 2, b"two");
    let next: Vec<_> = deliveries(&mut b).into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(next, [b"one", b"two"], "the least recently received goes first, and none is left behind");

    let mut b = with(Registration { active: true, on_failure: FailureAction::Abandon });
    send(&mut b, 1, b"one");
    let first = deliveries(&mut b)[0].0;
    b.delivery_failed(at(1), first);
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::DestinationUnavailable]);
}

#[test]
fn endpoints_of_other_nodes_and_the_administrative_one_are_not_registered() {
    let mut b = agent(20, None);
    assert!(!b.register(Eid::ipn(21, 1), Registration::ACTIVE));
    assert!(!b.register(Eid::ipn(20, 0), Registration::ACTIVE));
    assert!(!b.register(Eid::None, Registration::ACTIVE));
}

#[test]
fn a_node_of_the_dtn_scheme_delivers_by_demux_and_answers_with_reports() {
    let eid = |text: &str| text.parse::<Eid>().unwrap();
    let mut b =
        Agent::new(Config { dtn_time_at_zero_ms: ZERO_MS, status_reports: true, ..Config::new(eid("dtn://lander/")) });
    assert!(b.register(eid("dtn://lander/camera/1"), Registration::ACTIVE));
    b.add_route("* via dtn://orbiter/".parse().unwrap()).unwrap();
    let to = |uri: &str, sequence| PrimaryBlock {
        destination: eid(uri),
        flags: BundleFlags::ALL_REPORTS,
        creation: CreationTimestamp { time_ms: ZERO_MS, sequence },
        ..from_10_to(0)
    };
    b.hear(at(0), 10, &bundle_of(to("dtn://lander/camera/1", 1), vec![], b"shoot"));
    b.hear(at(0), 10, &bundle_of(to("dtn://lander/nobody", 2), vec![], b"lost"));
    let told = notices(&mut b);
    assert_eq!(delivered(&told), [b"shoot"]);
    assert_eq!(deleted(&told), [ReasonCode::DestinationUnavailable]);
    let report = b.poll_forward(at(1), &eid("dtn://orbiter/")).unwrap();
    assert_eq!(Bundle::parse(&bytes_of(&report.block)).unwrap().primary.source, eid("dtn://lander/"));
}

#[test]
fn an_anonymous_bundle_is_sent_whole_or_not_at_all_and_asks_for_nothing() {
    let mut a = agent(10, Some(20));
    let anonymous = |flags, max_payload| Transmission { source: Eid::None, flags, max_payload, ..to(30, b"who") };
    a.transmit(at(0), anonymous(BundleFlags(0), None)).unwrap();
    let sent = bytes_of(&a.next_for(at(0), 20).unwrap().block);
    let primary = Bundle::parse(&sent).unwrap().primary;
    assert_eq!((primary.source, primary.flags), (Eid::None, BundleFlags::MUST_NOT_FRAGMENT));
    assert_eq!(a.transmit(at(0), anonymous(BundleFlags::REPORT_DELIVERY, None)), Err(TransmitError::Anonymous));
    assert_eq!(a.transmit(at(0), anonymous(BundleFlags(0), Some(1))), Err(TransmitError::Anonymous));
    let foreign = Transmission { source: Eid::ipn(11, 1), ..to(30, b"who") };
    assert_eq!(a.transmit(at(0), foreign), Err(TransmitError::ForeignSource(Eid::ipn(11, 1))));
}
