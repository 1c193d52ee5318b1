//! Plans that change while they are in use.

use super::*;

/// The first contact of node 1 to node 2, a later one, and a detour by node 3.
fn detour() -> ContactPlan {
    plan([contact(1, 2, 0..100, 0), contact(1, 2, 5000..5100, 0), contact(1, 3, 0..100, 0), contact(3, 2, 500..600, 0)])
}

fn book(plan: &mut ContactPlan, now: i64, bytes: u64) -> (Booking, ContactId) {
    let route = ask(plan, now, &to(2, bytes)).unwrap();
    (plan.book(&route, Class::Normal, bytes).unwrap(), route.first_contact)
}

#[test]
fn a_contact_that_does_not_happen_is_not_used_and_its_bundles_ask_again() {
    let mut plan = detour();
    let (lost, id) = book(&mut plan, 0, 10);
    let (sent, _) = book(&mut plan, 0, 10);
    plan.sent(sent);
    let generation = plan.generation();
    assert_eq!(plan.fail_contact(id, at(0)), Ok(vec![lost]), "what has left is not affected");
    assert!(plan.generation() > generation);
    assert!(!plan.release(lost), "released already");
    assert_eq!(way_of(&plan, 0, &to(2, 10)), (vec![3, 2], 510.0));
    assert_eq!(plan.fail_contact(id, at(0)), Err(ContactError::Unknown(id)));
}

#[test]
fn a_contact_that_breaks_off_can_come_back() {
    let mut plan = detour();
    let (lost, id) = book(&mut plan, 10, 10);
    assert_eq!(plan.fail_contact(id, at(15)), Ok(vec![lost]));
    assert_eq!(way_of(&plan, 15, &to(2, 10)), (vec![3, 2], 510.0));
    plan.extend(id, at(100)).unwrap();
    assert_eq!(way_of(&plan, 20, &to(2, 10)), (vec![2], 30.0));
}

#[test]
fn a_relay_that_loses_its_contact_is_no_longer_on_the_way() {
    let mut plan = detour();
    let first = plan.contacts().next().unwrap().0;
    plan.remove(first).unwrap();
    let route = ask(&plan, 0, &to(2, 10)).unwrap();
    let booking = plan.book(&route, Class::Normal, 10).unwrap();
    assert_eq!(plan.fail_contact(route.hops[1].contact, at(50)), Ok(vec![booking]));
    assert_eq!(plan.residual(route.first_contact, Class::Normal), Some(100), "its room on the first hop is free");
    assert_eq!(way_of(&plan, 50, &to(2, 10)), (vec![2], 5010.0));
}

#[test]
fn a_contact_cut_short_keeps_what_still_fits() {
    let mut plan = detour();
    let bookings: Vec<_> = (0..4).map(|_| book(&mut plan, 0, 25)).collect();
    let id = bookings[0].1;
    assert_eq!(plan.truncate(id, at(60)), Ok(vec![bookings[2].0, bookings[3].0]));
    assert_eq!(way_of(&plan, 0, &to(2, 10)), (vec![2], 60.0));
    assert_eq!(way_of(&plan, 0, &to(2, 11)), (vec![3, 2], 511.0));
    assert_eq!(plan.truncate(id, at(90)), Ok(vec![]), "it ends earlier already");
    assert_eq!(plan.truncate(id, at(0)), Ok(vec![bookings[0].0, bookings[1].0]));
    assert_eq!(plan.contact(id), None, "nothing of it is left");
}

#[test]
fn a_contact_is_extended_up_to_the_next_one() {
    let mut plan = detour();
    let id = plan.contacts().next().unwrap().0;
    assert_eq!(way_of(&plan, 100, &to(2, 10)).1, 5010.0);
    plan.extend(id, at(5000)).unwrap();
    assert_eq!(way_of(&plan, 100, &to(2, 10)).1, 110.0);
    let refused = plan.extend(id, at(5001)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the contact from ipn:1.0 to ipn:2.0 that begins at 00:00:00.000 overlaps contact 1 of the same nodes"
    );
}

#[test]
fn an_opportunistic_contact_is_open_until_it_is_told_to_have_ended() {
    let mut plan = detour();
    assert_eq!(way_of(&plan, 200, &to(2, 10)).1, 5010.0);
    let (id, affected) = plan.opportunistic(node(1), node(2), 8, secs(1), at(150)).unwrap();
    assert_eq!(affected, []);
    let route = ask(&plan, 200, &to(2, 10)).unwrap();
    assert_eq!((route.first_contact, route.arrives, route.valid_until), (id, at(211), Instant::MAX));
    let booking = plan.book(&route, Class::Normal, 10).unwrap();
    assert_eq!(plan.extend(id, at(900)), Err(ContactError::Opportunistic(id)));
    // A planned one may lie beside it, and wins where it is sooner.
    plan.add(paced(1, 2, 200..300, 0, 8000)).unwrap();
    assert_eq!(way_of(&plan, 200, &to(2, 10)).1, 200.01);
    assert_eq!(plan.opportunistic_ended(&node(1), &node(2)), [booking]);
    assert_eq!(plan.opportunistic_ended(&node(1), &node(2)), []);
    assert_eq!(way_of(&plan, 300, &to(2, 10)).1, 5010.0);
}

#[test]
fn a_new_opportunistic_contact_replaces_the_one_that_is_open() {
    let mut plan = ContactPlan::new();
    plan.opportunistic(node(1), node(2), 8, secs(1), at(0)).unwrap();
    let (booking, _) = book(&mut plan, 0, 10);
    let (_, affected) = plan.opportunistic(node(1), node(2), 80, secs(1), at(5)).unwrap();
    assert_eq!(affected, [booking]);
    assert_eq!((plan.len(), way_of(&plan, 5, &to(2, 10)).1), (1, 7.0));
}

#[test]
fn what_is_past_is_forgotten_and_what_was_not_sent_is_told() {
    let mut plan = detour();
    let (missed, _) = book(&mut plan, 0, 100);
    let route = ask(&plan, 0, &to(2, 10)).unwrap();
    assert_eq!(way(&route), (vec![3, 2], 510.0));
    let relayed = plan.book(&route, Class::Normal, 10).unwrap();
    plan.sent(relayed);
    assert_eq!(plan.expire(at(99)), []);
    assert_eq!(plan.expire(at(100)), [missed]);
    assert_eq!((plan.len(), plan.bookings()), (2, 1));
    assert_eq!(plan.expire(at(510)), []);
    assert_eq!(plan.bookings(), 0, "it has left its last contact");
    assert_eq!(plan.expire(at(6000)), []);
    assert!(plan.is_empty());
    assert_eq!(ask(&plan, 0, &to(2, 1)), Err(NoRoute::NoPath { destination: Eid::ipn(2, 1) }));
    plan.add(contact(7, 8, 7000..7100, 0)).unwrap();
    assert_eq!(plan.route(at(6000), &node(7), &to(8, 1)).unwrap().arrives, at(7001));
}

#[test]
fn a_contact_that_cannot_be_is_refused_and_the_message_says_why() {
    let mut plan = detour();
    let window = |start: i64, end: i64, light_time: &[(i64, i64)]| {
        let light_time = light_time.iter().map(|(t, d)| (at(*t), secs(*d))).collect();
        Window { start: at(start), end: at(end), rate_bps: 8, light_time }
    };
    let between = |window| Contact::new(node(1), node(2), window);
    let of = |light_time: &[(i64, i64)]| between(window(200, 300, light_time));
    let sure = |confidence| Contact { confidence, ..of(&[(0, 1)]) };
    let refused = [
        (
            Contact::new(Eid::None, node(2), window(0, 1, &[(0, 0)])),
            "dtn:none is no node, so no contact begins or ends there",
        ),
        (Contact::new(node(2), Eid::ipn(2, 7), window(0, 1, &[(0, 0)])), "the contact leads from ipn:2.0 to itself"),
        (
            between(window(300, 200, &[(0, 1)])),
            "the contact ends at 00:03:20.000, which is not after its start at 00:05:00.000",
        ),
        (
            between(window(300, 300, &[(0, 1)])),
            "the contact ends at 00:05:00.000, which is not after its start at 00:05:00.000",
        ),
        (
            between(window(99, 150, &[(0, 1)])),
            "the contact from ipn:1.0 to ipn:2.0 that begins at 00:01:39.000 overlaps contact 0 of the same nodes",
        ),
        (
            between(window(10, 20, &[(0, 1)])),
            "the contact from ipn:1.0 to ipn:2.0 that begins at 00:00:10.000 overlaps contact 0 of the same nodes",
        ),
        (
            between(window(150, 9000, &[(0, 1)])),
            "the contact from ipn:1.0 to ipn:2.0 that begins at 00:02:30.000 overlaps contact 1 of the same nodes",
        ),
        (of(&[]), "the contact tells 0 light times; it needs one, and 65536 are the most"),
        (of(&[(0, -1)]), "the light time at 00:00:00.000 is -1 s; it cannot be negative"),
        (
            of(&[(5, 1), (5, 1)]),
            "the light time at 00:00:05.000 is not after the one before it; put them in order of time, one for each instant",
        ),
        (
            of(&[(0, 20), (10, 9)]),
            "the light time falls faster than time passes from 00:00:00.000 to 00:00:10.000, so what leaves later would arrive earlier",
        ),
        (sure(0.0), "the confidence is 0; it must be above 0 and at most 1"),
        (sure(1.5), "the confidence is 1.5; it must be above 0 and at most 1"),
        (sure(f64::NAN), "the confidence is NaN; it must be above 0 and at most 1"),
    ];
    for (contact, message) in refused {
        assert_eq!(plan.add(contact).unwrap_err().to_string(), message);
    }
    assert_eq!(plan.len(), 4);
    plan.add(between(window(100, 5000, &[(0, 10), (10, 0)]))).unwrap();
    let all = ContactPlan::of(vec![contact(1, 2, 50..60, 0), contact(1, 2, 0..51, 0)]).unwrap_err();
    assert!(all.to_string().starts_with("contact 0: the contact from ipn:1.0 to ipn:2.0"), "{all}");
}
