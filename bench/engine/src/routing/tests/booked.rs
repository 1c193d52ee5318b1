//! Room on the contacts, and who gets it.

use super::*;

fn book(plan: &mut ContactPlan, now: i64, request: &Request) -> (Booking, Route) {
    let route = ask(plan, now, request).unwrap_or_else(|e| panic!("{e}"));
    (plan.book(&route, request.class, route.bytes).unwrap(), route)
}

fn of_class(class: Class, request: Request) -> Request {
    Request { class, ..request }
}

/// Two contacts to node 2 of 100 bytes each, and one to node 3.
fn two_contacts() -> ContactPlan {
    plan([contact(1, 2, 0..100, 10), contact(1, 2, 1000..1100, 10), contact(1, 3, 0..100, 10)])
}

#[test]
fn bundles_queue_behind_each_other_and_then_wait_for_the_next_contact() {
    let mut plan = two_contacts();
    // bundle      leaves      arrives
    // 1..3      30, 60, 90   40, 70, 100
    // 4 (30)    no room: 1030, 1040
    // 5 (10)    fits: 100, 110
    let mut arrivals = Vec::new();
    for bytes in [30, 30, 30, 30, 10, 1] {
        let (_, route) = book(&mut plan, 0, &to(2, bytes));
        arrivals.push((route.departs, route.arrives));
    }
    let expected = [(0, 40), (30, 70), (60, 100), (1000, 1040), (90, 110), (1030, 1041)];
    assert_eq!(arrivals, expected.map(|(departs, arrives)| (at(departs), at(arrives))));
    assert_eq!(way_of(&plan, 0, &to(3, 30)).1, 40.0, "the queue to another neighbour is another one");
}

#[test]
fn when_all_is_booked_the_volume_is_exhausted_until_something_is_released() {
    let mut plan = two_contacts();
    let (first, _) = book(&mut plan, 0, &to(2, 100));
    book(&mut plan, 0, &to(2, 100));
    let refused = ask(&plan, 0, &to(2, 1)).unwrap_err();
    assert_eq!(refused, NoRoute::VolumeExhausted { destination: Eid::ipn(2, 1), bytes: 1 });
    assert_eq!(refused.reason().map(|reason| reason.code()), Some(7));
    assert_eq!(refused.to_string(), "the contacts that lead to ipn:2.1 in time have no room left for 1 bytes");
    let refused = ask(&plan, 0, &to(2, 101)).unwrap_err();
    assert_eq!(refused.to_string(), "no contacts ahead that lead to ipn:2.1 are long enough for 101 bytes");
    assert!(plan.release(first));
    assert!(!plan.release(first), "once");
    assert_eq!(way_of(&plan, 0, &to(2, 100)).1, 110.0);
}

#[test]
fn a_class_sees_only_what_its_own_and_those_above_have_booked() {
    let mut plan = two_contacts();
    let id = ask(&plan, 0, &to(2, 1)).unwrap().first_contact;
    let (bulk, _) = book(&mut plan, 0, &of_class(Class::Bulk, to(2, 60)));
    let (normal, route) = book(&mut plan, 0, &of_class(Class::Normal, to(2, 50)));
    assert_eq!((route.departs, route.arrives), (at(0), at(60)), "bulk is not in its way");
    let (expedited, route) = book(&mut plan, 0, &of_class(Class::Expedited, to(2, 20)));
    assert_eq!(route.departs, at(0));
    assert_eq!(Class::ALL.map(|class| plan.residual(id, class)), [0, 30, 80].map(Some));
    assert_eq!(way_of(&plan, 0, &of_class(Class::Bulk, to(2, 1))).1, 1011.0, "bulk finds 130 bytes booked");
    assert_eq!(way_of(&plan, 0, &of_class(Class::Normal, to(2, 1))).1, 81.0);
    assert_eq!(plan.displaced(expedited), [bulk]);
    assert_eq!(plan.displaced(normal), [bulk]);
    plan.release(bulk);
    assert_eq!(plan.displaced(expedited), []);
}

#[test]
fn as_few_as_make_room_are_displaced_the_least_urgent_and_youngest_first() {
    let mut plan = plan([contact(1, 2, 0..100, 0)]);
    let bulk: Vec<_> = (0..3).map(|_| book(&mut plan, 0, &of_class(Class::Bulk, to(2, 20))).0).collect();
    let (normal, _) = book(&mut plan, 0, &to(2, 40));
    let (urgent, _) = book(&mut plan, 0, &of_class(Class::Expedited, to(2, 30)));
    assert_eq!(plan.displaced(urgent), [bulk[1], bulk[2]]);
    let (more, _) = book(&mut plan, 0, &of_class(Class::Expedited, to(2, 70)));
    assert_eq!(plan.displaced(more), [bulk.as_slice(), &[normal]].concat());
}

#[test]
fn what_is_sent_has_used_up_its_room_and_is_out_of_the_way() {
    let mut plan = two_contacts();
    let (first, _) = book(&mut plan, 50, &to(2, 20));
    assert_eq!(way_of(&plan, 50, &to(2, 20)).1, 100.0, "it waits before");
    assert!(plan.sent(first));
    assert!(!plan.sent(first), "once");
    assert!(!plan.release(first), "what has left cannot be taken back");
    assert_eq!(way_of(&plan, 50, &to(2, 20)).1, 80.0);
    assert_eq!(plan.bookings(), 0);
    let id = ask(&plan, 50, &to(2, 20)).unwrap().first_contact;
    assert_eq!(plan.residual(id, Class::Normal), Some(80));
}

#[test]
fn a_late_start_leaves_less_than_the_booked_volume_says() {
    let mut plan = two_contacts();
    book(&mut plan, 0, &to(2, 40));
    // Nothing was sent until 30: 40 bytes go first, so 31 no longer fit.
    assert_eq!(way_of(&plan, 30, &to(2, 30)).1, 110.0);
    assert_eq!(way_of(&plan, 30, &to(2, 31)).1, 1041.0);
    assert_eq!(ask(&plan, 30, &to(2, 30)).unwrap().volume_limit, 30);
}

#[test]
fn volume_is_booked_on_every_hop() {
    let mut plan = plan([contact(1, 2, 0..1000, 0), contact(2, 3, 0..100, 0), contact(2, 3, 2000..2100, 0)]);
    let (booking, route) = book(&mut plan, 0, &to(3, 45));
    assert_eq!(way(&route), (vec![2, 3], 90.0));
    assert_eq!(route.volume_limit, 55, "from 45 on, when it gets there");
    // The second bundle gets to node 2 at 90, and has no time left.
    assert_eq!(way_of(&plan, 0, &to(3, 45)).1, 2045.0);
    plan.sent(booking);
    let relay = route.hops[1].contact;
    assert_eq!(plan.residual(relay, Class::Normal), Some(55), "its room further on is still needed");
    assert!(plan.release(booking), "it came to nothing on the way");
    assert_eq!(plan.residual(relay, Class::Normal), Some(100));
}

#[test]
fn a_contact_is_filled_to_the_last_byte_at_a_rate_that_does_not_divide_time() {
    let mut plan = plan([paced(1, 2, 0..7, 0, 24)]);
    for _ in 0..21 {
        book(&mut plan, 0, &to(2, 1));
    }
    assert!(matches!(ask(&plan, 0, &to(2, 1)), Err(NoRoute::VolumeExhausted { .. })));
}

#[test]
fn a_fragment_goes_where_the_whole_does_not_fit_in_time() {
    let mut plan = two_contacts();
    book(&mut plan, 0, &to(2, 36));
    let whole = to(2, 128);
    assert!(matches!(ask(&plan, 0, &whole), Err(NoRoute::TooLarge { .. })));
    let pieces = Request { may_fragment: true, ..whole };
    let route = ask(&plan, 0, &pieces).unwrap();
    assert_eq!((route.bytes, route.arrives), (100, at(1110)), "the largest part that has a route");
    let soon = Request { expiry: at(500), ..pieces };
    let route = ask(&plan, 0, &soon).unwrap();
    assert_eq!((route.bytes, route.volume_limit, route.arrives), (64, 64, at(110)));
    let fits = Request { bytes: 40, may_fragment: true, ..soon };
    assert_eq!(ask(&plan, 0, &fits).unwrap().bytes, 40, "what fits goes whole");
    plan.book(&route, Class::Normal, route.bytes).unwrap();
    assert!(matches!(ask(&plan, 0, &Request { bytes: 64, may_fragment: true, ..fits }), Err(NoRoute::TooLate { .. })));
}

#[test]
fn a_route_that_is_out_of_date_cannot_be_booked() {
    let mut plan = two_contacts();
    let route = ask(&plan, 0, &to(2, 60)).unwrap();
    let first = route.first_contact;
    plan.book(&route, Class::Normal, 60).unwrap();
    assert_eq!(plan.book(&route, Class::Normal, 60), Err(BookError::Volume(first)));
    assert_eq!(plan.residual(first, Class::Normal), Some(40), "nothing was booked");
    plan.truncate(first, at(50)).unwrap();
    assert_eq!(plan.book(&route, Class::Expedited, 1), Err(BookError::Changed(first)));
    plan.remove(first).unwrap();
    let refused = plan.book(&route, Class::Expedited, 1).unwrap_err();
    assert_eq!(refused.to_string(), format!("{first} is no longer as it was when the route was found"));
}
