//! Plans that nobody in their right mind would write.

use super::*;

const SOME: usize = 100_000;

fn instants(start: i64, end: i64, light: &[(i64, i64)], rate_bps: u64) -> Window {
    let light_time = light.iter().map(|(t, d)| (Instant::from_nanos(*t), Duration::from_nanos(*d))).collect();
    Window { start: Instant::from_nanos(start), end: Instant::from_nanos(end), rate_bps, light_time }
}

#[test]
fn instants_and_rates_at_the_ends_of_their_ranges_are_only_numbers() {
    let extremes = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    let mut taken = 0;
    for start in extremes {
        for end in extremes {
            for rate in [0, 1, u64::MAX] {
                let light = [(i64::MIN, 0), (0, i64::MAX), (i64::MAX, 0)];
                for light in [&light[..1], &light[1..2], &light[..]] {
                    let mut plan = ContactPlan::new();
                    let there = Contact::new(node(1), node(2), instants(start, end, light, rate));
                    let back = Contact::new(node(2), node(1), instants(start, end, light, rate));
                    if plan.add(there).is_err() || plan.add(back).is_err() {
                        continue;
                    }
                    taken += 1;
                    for now in extremes {
                        for bytes in [0, 1, u64::MAX] {
                            let request = Request { may_fragment: true, ..to(2, bytes) };
                            let Ok(route) = plan.route(Instant::from_nanos(now), &node(1), &request) else { continue };
                            assert!(route.arrives < Instant::MAX && route.arrives >= route.departs);
                            if let Ok(booking) = plan.book(&route, Class::Bulk, route.bytes) {
                                plan.truncate(route.first_contact, Instant::from_nanos(now)).unwrap();
                                plan.release(booking);
                            }
                        }
                    }
                    plan.expire(Instant::MAX);
                    assert!(plan.is_empty());
                }
            }
        }
    }
    assert!(taken > 100, "{taken} plans were tried");
}

#[test]
fn what_would_arrive_at_the_end_of_time_never_arrives() {
    let light = [(0, i64::MAX)];
    let plan = plan([Contact::new(node(1), node(2), instants(5, 10, &light, 0))]);
    assert!(matches!(ask(&plan, 0, &to(2, 1)), Err(NoRoute::NoPath { .. })));
}

#[test]
fn a_hundred_thousand_contacts_of_one_pair_come_and_go() {
    let number = SOME as i64;
    let mut plan = plan((0..number).map(|n| contact(1, 2, 10 * n..10 * n + 9, 10 * number)));
    assert_eq!(plan.len(), SOME);
    assert_eq!(way_of(&plan, 0, &to(2, 9)).1, (10 * number + 9) as f64);
    assert!(matches!(ask(&plan, 0, &to(2, 10)), Err(NoRoute::TooLarge { .. })));
    assert_eq!(plan.expire(Instant::MAX), []);
    assert!(plan.is_empty() && plan.node_of.is_empty());
}

#[test]
fn cycles_and_hubs_of_a_hundred_thousand_contacts_are_searched_once() {
    let ring = SOME as u64 / 2;
    let cycle = plan((1..=ring).flat_map(|n| [contact(n, n % ring + 1, 0..9, 0), contact(n % ring + 1, n, 0..9, 0)]));
    assert_eq!(way_of(&cycle, 0, &to(4, 1)), (vec![2, 3, 4], 3.0));
    assert!(matches!(ask(&cycle, 0, &to(ring / 2, 1)), Err(NoRoute::NoPath { .. })));
    let hub = plan((2..=SOME as u64).map(|n| contact(1, n, 0..9, 0)));
    assert_eq!(way_of(&hub, 0, &to(500, 1)), (vec![500], 1.0));
    assert!(matches!(ask(&hub, 0, &Request { may_fragment: true, ..to(500, 10) }), Ok(Route { bytes: 9, .. })));
}

#[test]
fn ways_that_trade_hops_for_time_at_every_turn_come_to_an_end() {
    // Each step has a way of one hop that takes 3 ns and one of two hops that takes 2: as many preferences at a node as steps.
    let steps = SOME as u64 / 3;
    let hop = |from, to, light| {
        let window = instants(0, i64::MAX, &[(0, light)], 0);
        Contact::new(node(from), node(to), window)
    };
    let ladder = plan((1..=steps).flat_map(|n| {
        let (here, aside, next) = (2 * n - 1, 2 * n, 2 * n + 1);
        [hop(here, next, 3), hop(here, aside, 1), hop(aside, next, 1)]
    }));
    let step = |n: u64| Eid::ipn(2 * n + 1, 0);
    let route = ask(&ladder, 0, &Request::new(step(127), 1)).unwrap();
    assert_eq!((route.hops.len(), route.arrives), (254, Instant::from_nanos(254)));
    // Beyond, hops are scarce: 200 steps are done with 55 detours.
    let route = ask(&ladder, 0, &Request::new(step(200), 1)).unwrap();
    assert_eq!((route.hops.len(), route.arrives), (255, Instant::from_nanos(3 * 200 - 55)));
    assert!(ask(&ladder, 0, &Request::new(step(256), 1)).is_err());
}

#[test]
fn a_plan_has_an_end() {
    let full = |n: usize| contact(1, 2, n as i64..n as i64 + 1, 0);
    let mut plan = plan((0..MAX_CONTACTS).map(full));
    assert_eq!(plan.add(full(MAX_CONTACTS)), Err(ContactError::Full));
    assert_eq!(ContactError::Full.to_string(), "a plan holds no more than 1048576 contacts");
    let first = plan.contacts().next().unwrap().0;
    plan.remove(first).unwrap();
    assert!(plan.add(full(MAX_CONTACTS)).is_ok());
}
