use super::*;
use crate::routing::{Contact, ContactPlan};
use crate::schedule::Window;

const NEVER: i64 = 86_400;

/// A contact at 8 kbit/s, so a thousand bytes a second, without light time.
fn contact(from: u64, to: u64, start: i64, end: i64) -> Contact {
    let window =
        Window { start: at(start), end: at(end), rate_bps: 8_000, light_time: vec![(at(start), Duration::ZERO)] };
    Contact::new(Eid::ipn(from, 0), Eid::ipn(to, 0), window)
}

fn by_plan(contacts: Vec<Contact>) -> Agent {
    let mut agent = agent(10, None);
    agent.set_contact_plan(at(0), ContactPlan::of(contacts).unwrap());
    agent
}

fn hops(agent: &mut Agent, now: Instant) -> Vec<u64> {
    [20, 21, 22, 30].into_iter().filter(|node| agent.next_for(now, *node).is_some()).collect()
}

#[test]
fn a_bundle_goes_by_the_earliest_arrival_and_not_by_the_first_contact() {
    let contacts = vec![
        contact(10, 20, 0, 100),
        contact(20, 30, 5_000, 5_100),
        contact(10, 21, 500, 600),
        contact(21, 30, 700, 800),
    ];
    let mut a = by_plan(contacts);
    a.transmit(at(0), to(30, b"x")).unwrap();
    assert_eq!(hops(&mut a, at(1)), [21]);
}

#[test]
fn what_no_contact_brings_there_in_time_is_refused_with_the_reason() {
    let mut a = by_plan(vec![contact(10, 20, 0, 100), contact(20, 30, 5_000, 5_100)]);
    assert_eq!(a.transmit(at(0), to(40, b"x")), Err(TransmitError::NoRoute(Eid::ipn(40, 1))));
    let short = Transmission { lifetime: Duration::from_secs(60), ..to(30, b"x") };
    let refused = a.transmit(at(0), short).unwrap_err();
    assert!(matches!(refused, TransmitError::NoTimelyContact { .. }), "{refused}");
    assert!(refused.to_string().contains("no contact ahead brings a bundle to ipn:30.1 in time"), "{refused}");
    assert_eq!(a.stored_bytes(), 0);
}

#[test]
fn a_relay_reports_what_it_cannot_bring_on_in_time_and_does_not_hold_it() {
    let mut b = agent(20, None);
    b.set_contact_plan(at(0), ContactPlan::of(vec![contact(20, 30, 5_000, 5_100), contact(20, 10, 0, NEVER)]).unwrap());
    let flags = BundleFlags::REPORT_DELETION;
    b.hear(at(0), 10, &bundle(PrimaryBlock { flags, ..from_10_to(30) }, vec![]));
    let creation = CreationTimestamp { time_ms: ZERO_MS, sequence: 6 };
    b.hear(at(0), 10, &bundle(PrimaryBlock { flags, creation, ..from_10_to(77) }, vec![]));
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::NoTimelyContact, ReasonCode::NoKnownRoute]);
    assert_eq!(reports_to_10(&mut b), [ReasonCode::NoTimelyContact, ReasonCode::NoKnownRoute]);
}

#[test]
fn a_contact_that_does_not_happen_is_routed_around_and_so_is_one_that_ends_too_early() {
    let contacts = || {
        vec![contact(10, 20, 0, 100), contact(20, 30, 0, NEVER), contact(10, 21, 200, 300), contact(21, 30, 0, NEVER)]
    };
    let mut a = by_plan(contacts());
    a.transmit(at(0), to(30, b"x")).unwrap();
    assert!(a.has_for(20) && !a.has_for(21));
    assert!(a.contact_failed(at(10), &Eid::ipn(20, 0)));
    assert!(!a.has_for(20) && a.has_for(21));
    assert!(!a.contact_failed(at(10), &Eid::ipn(20, 0)), "it is over");

    let mut a = by_plan(contacts());
    a.transmit(at(0), to(30, b"x")).unwrap();
    assert_eq!(a.poll_timeout(), Some(at(100)));
    a.handle_timeout(at(100));
    assert_eq!(hops(&mut a, at(200)), [21]);

    let mut a = by_plan(contacts()[..2].to_vec());
    a.transmit(at(0), to(30, b"x")).unwrap();
    a.handle_timeout(at(100));
    assert_eq!(deleted(&notices(&mut a)), [ReasonCode::NoKnownRoute], "nothing lies ahead");
}

#[test]
fn a_full_contact_sends_the_rest_to_the_next_and_urgent_bundles_push_others_out() {
    // Room for some 10,000 bytes in the first.
    let mut a = by_plan(vec![
        contact(10, 20, 0, 10),
        contact(10, 21, 50, 1_000),
        contact(20, 30, 0, NEVER),
        contact(21, 30, 0, NEVER),
    ]);
    for _ in 0..2 {
        a.transmit(at(0), Transmission { flags: BundleFlags::MUST_NOT_FRAGMENT, ..to(30, &[0; 6_000]) }).unwrap();
    }
    assert!(a.has_for(20) && a.has_for(21));
    let urgent = Transmission { class: Class::Expedited, flags: BundleFlags::MUST_NOT_FRAGMENT, ..to(30, &[1; 6_000]) };
    a.transmit(at(0), urgent).unwrap();
    let first = a.next_for(at(0), 20).unwrap();
    assert_eq!(first.class, Class::Expedited);
    assert!(a.next_for(at(0), 20).is_none(), "the normal one has made way");
    assert_eq!(std::iter::from_fn(|| a.next_for(at(50), 21)).count(), 2);
}

#[test]
fn a_bundle_too_long_for_any_contact_goes_in_fragments_over_several() {
    let mut contacts: Vec<Contact> = (0..4).map(|i| contact(10, 20, 100 * i, 100 * i + 10)).collect();
    contacts.push(contact(20, 30, 0, NEVER));
    let mut a = by_plan(contacts);
    let payload: Vec<u8> = (0..25_000u32).map(|i| (i % 241) as u8).collect();
    a.transmit(at(0), to(30, &payload)).unwrap();
    let mut c = agent(30, None);
    let mut sent = Vec::new();
    for contact in 0..4 {
        let mut bytes = 0;
        while let Some(outgoing) = a.next_for(at(100 * contact), 20) {
            let bundle = bytes_of(&outgoing.block);
            bytes += bundle.len();
            c.hear(at(100 * contact), 20, &bundle);
            a.forwarded(at(100 * contact), outgoing.handle);
            if bytes + 1_000 > 10_000 {
                break;
            }
        }
        sent.push(bytes);
        a.handle_timeout(at(100 * contact + 10));
    }
    assert!(sent.iter().all(|bytes| *bytes <= 10_000), "{sent:?}");
    assert_eq!(delivered(&notices(&mut c)), [payload]);

    let mut a = by_plan(vec![contact(10, 20, 0, 10), contact(20, 30, 0, NEVER)]);
    let whole = Transmission { flags: BundleFlags::MUST_NOT_FRAGMENT, ..to(30, &[0; 25_000]) };
    assert!(matches!(a.transmit(at(0), whole), Err(TransmitError::NoTimelyContact { .. })));
}

#[test]
fn a_neighbour_that_appears_is_used_until_it_is_gone() {
    let mut a = by_plan(vec![contact(10, 20, 1_000, 2_000), contact(20, 30, 0, NEVER)]);
    a.transmit(at(0), to(30, b"x")).unwrap();
    assert!(a.has_for(20));
    a.neighbour_found(at(10), &Eid::ipn(30, 0), 0).unwrap();
    assert!(a.has_for(30) && !a.has_for(20));
    a.neighbour_lost(at(20), &Eid::ipn(30, 0));
    assert!(a.has_for(20) && !a.has_for(30));
}

#[test]
fn a_node_that_is_told_to_waits_for_an_opportunity() {
    let mut a = agent(10, None);
    a.config.hold_for_opportunity = true;
    a.transmit(at(0), to(30, b"x")).unwrap();
    a.transmit(at(0), Transmission { lifetime: Duration::from_secs(5), ..to(30, b"y") }).unwrap();
    a.handle_timeout(at(10));
    assert_eq!(deleted(&notices(&mut a)), [ReasonCode::LifetimeExpired]);
    a.neighbour_found(at(10), &Eid::ipn(30, 0), 0).unwrap();
    assert!(a.next_for(at(10), 30).is_some());
}

#[test]
fn a_static_route_is_followed_where_the_plan_knows_no_way() {
    let mut a = by_plan(vec![contact(10, 20, 0, 100)]);
    a.add_route("ipn:40.* via ipn:22.0".parse().unwrap()).unwrap();
    a.transmit(at(0), to(40, b"x")).unwrap();
    assert_eq!(hops(&mut a, at(1)), [22]);
}

#[test]
fn a_rejected_bundle_is_offered_to_another_neighbour_first() {
    let mut a = agent(10, None);
    a.add_route("* via ipn:20.0".parse().unwrap()).unwrap();
    a.add_route("* via ipn:21.0 metric 5".parse().unwrap()).unwrap();
    a.transmit(at(0), to(30, b"x")).unwrap();
    let outgoing = a.next_for(at(0), 20).unwrap();
    a.forwarding_failed(at(0), outgoing.handle, Failure::Rejected);
    assert_eq!(hops(&mut a, at(1)), [21]);
}

#[test]
fn a_bundle_does_not_go_back_where_it_came_from_and_is_reported_where_there_is_no_other_way() {
    let previous = block(block_type::PREVIOUS_NODE, 2, BlockFlags(0), PreviousNode(Eid::ipn(21, 0)).emit());
    let back_is_faster = vec![
        contact(10, 21, 0, NEVER),
        contact(21, 30, 0, NEVER),
        contact(10, 22, 100, NEVER),
        contact(22, 30, 0, NEVER),
    ];
    let mut a = by_plan(back_is_faster.clone());
    let foreign = PrimaryBlock { source: Eid::ipn(9, 1), ..from_10_to(30) };
    a.hear(at(0), 21, &bundle(foreign.clone(), vec![previous.clone()]));
    assert_eq!(hops(&mut a, at(100)), [22]);
    let mut a = by_plan(back_is_faster[..2].to_vec());
    a.hear(at(0), 21, &bundle(foreign.clone(), vec![previous.clone()]));
    assert_eq!(deleted(&notices(&mut a)), [ReasonCode::NoTimelyContact]);
    let mut a = agent(10, Some(21));
    a.hear(at(0), 21, &bundle(foreign, vec![previous]));
    assert_eq!(deleted(&notices(&mut a)), [ReasonCode::NoKnownRoute]);
}
