//! The way through the contacts, when nothing is booked.

use super::*;

/// Site 1, orbiters 2 and 3, lander 4.
fn mars() -> ContactPlan {
    plan([
        contact(1, 2, 0..600, 500),
        contact(2, 4, 2000..2100, 0),
        contact(2, 4, 9000..9100, 0),
        contact(1, 3, 100..700, 500),
        contact(3, 4, 1500..1520, 0),
    ])
}

#[test]
fn a_relay_carries_from_site_to_lander() {
    // site ──0..600, 500 s──▶ orbiter 2 ──2000..2100──▶ lander
    //   └───100..700, 500 s─▶ orbiter 3 ──1500..1520──▶
    let route = ask(&mars(), 50, &to(4, 10)).unwrap();
    assert_eq!(way(&route), (vec![3, 4], 1510.0));
    assert_eq!((route.next_hop, route.departs), (node(3), at(100)));
    let times: Vec<_> = route.hops.iter().map(|hop| (hop.departs, hop.leaves, hop.arrives)).collect();
    assert_eq!(times, [(at(100), at(110), at(610)), (at(1500), at(1510), at(1510))]);
    assert_eq!(route.valid_until, at(700), "the first contact to end");
    assert_eq!((route.bytes, route.volume_limit), (10, 20), "orbiter 3 has 20 s for the lander");
    // 30 bytes take longer than orbiter 3 has.
    assert_eq!(way_of(&mars(), 50, &to(4, 30)), (vec![2, 4], 2030.0));
    // What reaches the orbiter after its pass waits for the next one.
    assert_eq!(
        way_of(
            &plan([contact(1, 2, 0..3000, 500), contact(2, 4, 2000..2100, 0), contact(2, 4, 9000..9100, 0)]),
            1600,
            &to(4, 10)
        ),
        (vec![2, 4], 9010.0)
    );
}

#[test]
fn a_node_is_meant_by_any_of_its_endpoints() {
    let light_time = vec![(at(0), secs(1))];
    let window = Window { start: at(0), end: at(9), rate_bps: 0, light_time };
    let eid = |text: &str| text.parse::<Eid>().unwrap();
    let plan = plan([Contact::new(eid("ipn:1.7"), eid("dtn://rover/app"), window)]);
    let route = plan.route(at(0), &eid("ipn:1.3"), &Request::new(eid("dtn://rover/camera"), 1)).unwrap();
    assert_eq!((route.next_hop, route.arrives), (eid("dtn://rover/"), at(1)));
}

#[test]
fn earliest_arrival_beats_fewest_hops() {
    let plan = plan([
        contact(1, 4, 1000..1100, 0),
        contact(1, 2, 0..100, 1),
        contact(2, 3, 0..100, 1),
        contact(3, 4, 0..200, 1),
    ]);
    assert_eq!(way_of(&plan, 0, &to(4, 10)), (vec![2, 3, 4], 33.0));
}

#[test]
fn a_later_contact_with_a_shorter_light_time_arrives_first() {
    let plan = plan([contact(1, 2, 0..50, 500), contact(1, 2, 100..200, 20), contact(1, 2, 300..400, 1)]);
    let route = ask(&plan, 0, &to(2, 10)).unwrap();
    assert_eq!((route.departs, route.arrives), (at(100), at(130)));
}

#[test]
fn a_later_contact_at_a_higher_rate_arrives_first() {
    let plan = plan([contact(1, 2, 0..1000, 0), paced(1, 2, 1000..1100, 0, 8000)]);
    assert_eq!(way_of(&plan, 900, &to(2, 100)).1, 1000.0, "it just fits the first");
    assert_eq!(way_of(&plan, 901, &to(2, 100)).1, 1000.1);
}

#[test]
fn light_time_is_that_of_the_last_bit_as_it_leaves() {
    let light_time = vec![(at(0), secs(100)), (at(100), secs(200))];
    let window = Window { start: at(0), end: at(100), rate_bps: 8, light_time };
    let plan = plan([Contact::new(node(1), node(2), window)]);
    let route = ask(&plan, 10, &to(2, 20)).unwrap();
    assert_eq!((route.departs, route.hops[0].leaves, route.arrives), (at(10), at(30), at(160)));
}

#[test]
fn the_last_bit_leaves_by_the_end_of_the_contact() {
    let plan = plan([contact(1, 2, 0..100, 5)]);
    assert_eq!(way_of(&plan, 90, &to(2, 10)).1, 105.0);
    assert_eq!(ask(&plan, 91, &to(2, 10)), Err(NoRoute::TooLarge { destination: Eid::ipn(2, 1), bytes: 10 }));
    assert_eq!(ask(&plan, 100, &to(2, 0)), Err(NoRoute::NoPath { destination: Eid::ipn(2, 1) }));
}

#[test]
fn a_rate_of_zero_does_not_limit() {
    let plan = plan([paced(1, 2, 10..20, 5, 0)]);
    let route = ask(&plan, 0, &to(2, u64::MAX)).unwrap();
    assert_eq!((route.departs, route.arrives, route.volume_limit), (at(10), at(15), u64::MAX));
}

#[test]
fn of_equal_arrivals_fewer_hops_win_then_a_later_end_then_the_smaller_neighbour() {
    // All wait for the last contact, which begins at 1000.
    let last = |from| contact(from, 9, 1000..1500, 0);
    let two_ways = plan([contact(1, 2, 0..100, 0), contact(2, 3, 0..100, 0), contact(1, 3, 200..300, 0), last(3)]);
    assert_eq!(way_of(&two_ways, 0, &to(9, 1)), (vec![3, 9], 1001.0));
    let ends =
        plan([contact(1, 2, 0..100, 0), last(2), contact(1, 3, 0..300, 0), last(3), contact(1, 4, 0..200, 0), last(4)]);
    assert_eq!(way_of(&ends, 0, &to(9, 1)), (vec![3, 9], 1001.0));
    assert_eq!(ask(&ends, 0, &to(9, 1)).unwrap().valid_until, at(300));
    let many_ends = plan((2..9).flat_map(|via| [contact(1, via, 0..via as i64 * 100, 0), last(via)]));
    assert_eq!(way_of(&many_ends, 0, &to(9, 1)), (vec![8, 9], 1001.0));
    let neighbours = plan([4, 2, 3].into_iter().flat_map(|via| [contact(1, via, 0..100, 0), last(via)]));
    assert_eq!(way_of(&neighbours, 0, &to(9, 1)), (vec![2, 9], 1001.0));
}

#[test]
fn confidence_is_the_product_and_does_not_sway() {
    let unsure = |contact: Contact, confidence| Contact { confidence, ..contact };
    let plan = plan([
        unsure(contact(1, 2, 0..100, 0), 0.5),
        unsure(contact(2, 4, 0..100, 0), 0.5),
        contact(1, 4, 500..600, 0),
    ]);
    let route = ask(&plan, 0, &to(4, 1)).unwrap();
    assert_eq!((way(&route), route.confidence), ((vec![2, 4], 2.0), 0.25));
}

#[test]
fn a_bundle_that_expires_on_the_way_has_no_route() {
    let until = |expiry| Request { expiry: at(expiry), ..to(4, 10) };
    assert!(ask(&mars(), 0, &until(1510)).is_ok());
    let refused = ask(&mars(), 0, &until(1509)).unwrap_err();
    assert_eq!(refused, NoRoute::TooLate { destination: Eid::ipn(4, 1), earliest: at(1510), expiry: at(1509) });
    assert_eq!(refused.reason().map(|reason| reason.code()), Some(7));
    assert_eq!(
        refused.to_string(),
        "the earliest arrival at ipn:4.1 is at 00:25:10.000, after the bundle expires at 00:25:09.000"
    );
}

#[test]
fn an_excluded_neighbour_is_not_the_next_hop() {
    let without = |excluded: &[u64]| Request {
        excluded_neighbours: excluded.iter().map(|number| Eid::ipn(*number, 5)).collect(),
        ..to(4, 10)
    };
    assert_eq!(way_of(&mars(), 0, &without(&[3])), (vec![2, 4], 2010.0));
    let refused = ask(&mars(), 0, &without(&[3, 2])).unwrap_err();
    assert_eq!(refused, NoRoute::Excluded { destination: Eid::ipn(4, 1) });
    assert_eq!(refused.reason().map(|reason| reason.code()), Some(7));
    // It may still be met further on.
    let beyond = plan([contact(1, 2, 500..600, 0), contact(1, 3, 0..100, 0), contact(3, 2, 0..100, 0)]);
    let request = Request { excluded_neighbours: vec![node(2)], ..to(2, 1) };
    assert_eq!(way_of(&beyond, 0, &request), (vec![3, 2], 2.0));
}

#[test]
fn where_no_contacts_lead_there_is_no_known_route() {
    let no_path = |destination| NoRoute::NoPath { destination };
    assert_eq!(ask(&mars(), 0, &to(5, 10)), Err(no_path(Eid::ipn(5, 1))), "not in the plan");
    assert_eq!(mars().route(at(0), &node(4), &to(1, 10)), Err(no_path(Eid::ipn(1, 1))), "nothing leads back");
    assert_eq!(ask(&mars(), 10_000, &to(4, 10)), Err(no_path(Eid::ipn(4, 1))), "all is over");
    assert_eq!(ask(&mars(), 0, &Request::new(Eid::None, 1)), Err(no_path(Eid::None)));
    assert_eq!(no_path(node(5)).reason().map(|reason| reason.code()), Some(6));
    assert_eq!(no_path(node(5)).to_string(), "no contacts ahead lead to ipn:5.0");
    let local = ask(&mars(), 0, &to(1, 10)).unwrap_err();
    assert_eq!((local.reason(), local.to_string().as_str()), (None, "ipn:1.1 is this node itself"));
}

#[test]
fn a_chain_is_followed_as_far_as_hops_can_be_counted() {
    let chain = |length: u64| plan((1..=length).map(|n| contact(n, n + 1, 0..10_000, 0)));
    assert_eq!(way_of(&chain(255), 0, &to(256, 1)).1, 255.0);
    assert_eq!(ask(&chain(256), 0, &to(257, 1)), Err(NoRoute::NoPath { destination: Eid::ipn(257, 1) }));
}
