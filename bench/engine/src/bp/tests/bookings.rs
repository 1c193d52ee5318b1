//! What bundles book on the contacts of the plan, and let go of.

use super::*;
use crate::routing::{Contact, ContactPlan};
use crate::schedule::Window;

fn contact(from: u64, to: u64, start: i64, end: i64) -> Contact {
    let window =
        Window { start: at(start), end: at(end), rate_bps: 8_000, light_time: vec![(at(start), Duration::ZERO)] };
    Contact::new(Eid::ipn(from, 0), Eid::ipn(to, 0), window)
}

fn plan() -> ContactPlan {
    ContactPlan::of(vec![contact(10, 20, 0, 600), contact(20, 30, 0, 600)]).unwrap()
}

#[test]
fn a_bundle_in_transit_under_an_old_plan_does_not_touch_the_bookings_of_the_new_one() {
    let mut a = agent(10, None);
    a.set_contact_plan(at(0), plan());
    a.transmit(at(0), to(30, b"sent")).unwrap();
    a.transmit(at(0), to(30, b"fails")).unwrap();
    let (sent, fails) = (a.next_for(at(0), 20).unwrap().handle, a.next_for(at(0), 20).unwrap().handle);
    a.set_contact_plan(at(1), plan());
    for payload in [b"1", b"2"] {
        a.transmit(at(1), to(30, payload)).unwrap();
    }
    assert_eq!(a.bookings(), (2, 2));
    a.forwarded(at(2), sent);
    assert_eq!(a.bookings(), (2, 2));
    a.forwarding_failed(at(2), fails, Failure::NoResources);
    assert_eq!(a.bookings(), (2, 2));
}

#[test]
fn nothing_stays_booked_by_bundles_that_have_left_the_store() {
    let mut a = agent(10, None);
    a.set_contact_plan(at(0), ContactPlan::of(vec![contact(10, 30, 0, 600)]).unwrap());
    let ids: Vec<_> = (0..6).map(|n| a.transmit(at(0), to(30, &[n])).unwrap()).collect();
    let handles: Vec<_> = (0..4).map(|_| a.next_for(at(0), 30).unwrap().handle).collect();
    a.forwarded(at(1), handles[0]);
    a.forwarding_failed(at(1), handles[1], Failure::Link);
    a.forwarding_failed(at(1), handles[2], Failure::NoResources);
    a.forwarding_failed(at(1), handles[3], Failure::Rejected);
    a.set_contact_plan(at(1), ContactPlan::of(vec![contact(10, 30, 0, 600)]).unwrap());
    for id in &ids {
        a.cancel(at(2), id);
    }
    assert_eq!((a.bookings(), a.stored_bytes(), a.store.len()), ((0, 0), 0, 0));
    a.handle_timeout(at(601));
    assert!(a.agenda.is_empty(), "{:?}", a.agenda);
}

#[test]
fn what_was_booked_by_bundles_that_went_on_long_ago_is_forgotten() {
    let mut a = agent(10, None);
    let fast = |from, to| {
        let window = Window { rate_bps: 8_000_000, ..contact(from, to, 0, 86_000).window };
        Contact::new(Eid::ipn(from, 0), Eid::ipn(to, 0), window)
    };
    a.set_contact_plan(at(0), ContactPlan::of(vec![fast(10, 20), fast(20, 30)]).unwrap());
    for second in 0..4_000 {
        a.transmit(at(second), to(30, b"x")).unwrap();
        let outgoing = a.next_for(at(second), 20).unwrap();
        a.forwarded(at(second), outgoing.handle);
    }
    let (_, in_the_plan) = a.bookings();
    assert!(in_the_plan <= 1_100, "{in_the_plan} bookings for a store that is empty");
}

// Each bundle that is pushed out is reported on, each report pushes out another bundle. Were these calls within calls, the
// stack would not do.
#[test]
fn reports_that_push_out_bundles_that_are_reported_on_come_to_an_end() {
    let mut a = agent(10, None);
    a.set_contact_plan(at(0), plan());
    let bulk = Transmission {
        class: Class::Bulk,
        flags: BundleFlags::REPORT_DELETION | BundleFlags::MUST_NOT_FRAGMENT,
        report_to: Eid::ipn(20, 0),
        ..to(30, b"")
    };
    let mut queued = 0;
    while a.transmit(at(0), bulk.clone()).is_ok() {
        queued += 1;
    }
    assert!(queued > 1_000);
    a.transmit(at(0), Transmission { class: Class::Expedited, ..to(30, &[0; 5_000]) }).unwrap();
    let told = notices(&mut a);
    assert!(deleted(&told).iter().all(|r| *r == ReasonCode::NoTimelyContact));
    assert!(deleted(&told).len() > 500);
    assert_eq!(a.bookings().0, a.store.len());
    assert_eq!(a.stored_bytes(), a.store.values().map(Stored::footprint).sum::<u64>());
}

#[test]
fn a_bundle_that_waits_for_an_opportunity_takes_a_static_route_that_is_added() {
    let mut a = agent(10, None);
    a.config.hold_for_opportunity = true;
    a.transmit(at(0), to(30, b"x")).unwrap();
    a.add_route("* via ipn:20.0".parse().unwrap()).unwrap();
    assert!(a.next_for(at(1), 20).is_some());
}

#[test]
fn a_bundle_for_which_a_contact_is_too_short_waits_for_an_opportunity_where_the_node_is_told_to() {
    let mut a = agent(10, None);
    a.config.hold_for_opportunity = true;
    a.set_contact_plan(at(0), ContactPlan::of(vec![contact(10, 30, 0, 1)]).unwrap());
    a.transmit(at(0), to(30, &[0; 650])).unwrap();
    a.transmit(at(0), to(30, &[0; 900])).unwrap();
    assert_eq!((deleted(&notices(&mut a)), a.store.len()), (vec![], 2));
    a.neighbour_found(at(2), &Eid::ipn(30, 0), 0).unwrap();
    assert!(a.next_for(at(2), 30).is_some() && a.next_for(at(2), 30).is_some());
}
