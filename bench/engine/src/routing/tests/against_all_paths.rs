//! The search against every path there is, counted out by other arithmetic.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A contact as the counting sees it: seconds, bytes a second (0: no limit), light times at both ends.
#[derive(Clone, Copy, Debug)]
struct Plain {
    from: u64,
    to: u64,
    start: i64,
    end: i64,
    rate: u64,
    light: (i64, i64),
}

/// Bytes booked on a contact by class, and of those the ones that wait for it.
type Ledger = BTreeMap<usize, [(u64, u64); 3]>;

const NANOS: i128 = 1_000_000_000;

impl Plain {
    fn contact(&self) -> Contact {
        let light_time = vec![(at(self.start), secs(self.light.0)), (at(self.end), secs(self.light.1))];
        let window = Window { start: at(self.start), end: at(self.end), rate_bps: self.rate * 8, light_time };
        Contact::new(node(self.from), node(self.to), window)
    }

    /// When a bundle that is here at `now` (ns) is at the other end, if it is to get there.
    fn carry(&self, now: i128, bytes: u64, booked: u64, waiting: u64) -> Option<i128> {
        let (start, end) = (i128::from(self.start) * NANOS, i128::from(self.end) * NANOS);
        let from = now.max(start);
        let leaves = if self.rate == 0 {
            from
        } else {
            let spend = |bytes: u64| (i128::from(bytes) * NANOS + i128::from(self.rate) - 1) / i128::from(self.rate);
            if i128::from(booked + bytes) > i128::from(self.rate) * i128::from(self.end - self.start) {
                return None;
            }
            (from + spend(waiting + bytes)).max(start + spend(booked + bytes))
        };
        if from >= end || leaves > end {
            return None;
        }
        let (near, far) = (i128::from(self.light.0), i128::from(self.light.1));
        let light = near * NANOS + ((far - near) * NANOS * (leaves - start)).div_euclid(end - start);
        Some(leaves + light)
    }
}

/// What is preferred: the smallest of these.
type Rank = (i128, usize, Reverse<i64>, u64);

fn all_paths(contacts: &[Plain], ledger: &Ledger, now: i128, bytes: u64, class: Class, without: u64) -> Option<Rank> {
    fn follow(
        contacts: &[Plain],
        carry: &dyn Fn(usize, i128, bool) -> Option<i128>,
        at: i128,
        path: &mut Vec<usize>,
        best: &mut Option<Rank>,
    ) {
        let here = path.last().map_or(1, |last| contacts[*last].to);
        if here == 2 {
            let end = path.iter().map(|index| contacts[*index].end).min().unwrap();
            let rank = (at, path.len(), Reverse(end), contacts[path[0]].to);
            *best = Some(best.map_or(rank, |known| known.min(rank)));
            return;
        }
        for index in 0..contacts.len() {
            let next = contacts[index];
            let met = next.to == 1 || path.iter().any(|known| contacts[*known].to == next.to);
            if next.from == here
                && !met
                && let Some(arrives) = carry(index, at, path.is_empty())
            {
                path.push(index);
                follow(contacts, carry, arrives, path, best);
                path.pop();
            }
        }
    }
    let carry = |index: usize, now: i128, first: bool| {
        let seen = ledger.get(&index).map_or(&[][..], |booked| &booked[class as usize..]);
        let (booked, waiting) = seen.iter().fold((0, 0), |sum, bytes| (sum.0 + bytes.0, sum.1 + bytes.1));
        let excluded = first && contacts[index].to == without;
        if excluded { None } else { contacts[index].carry(now, bytes, booked, if first { waiting } else { 0 }) }
    };
    let mut best = None;
    follow(contacts, &carry, now, &mut Vec::new(), &mut best);
    best
}

fn plain() -> impl Strategy<Value = Plain> {
    let ends = (0..20_i64, 5..30_i64);
    (1..=5_u64, 1..=5_u64, ends, 0..4_u64, 0..20_i64, 0..20_i64).prop_filter_map(
        "leads somewhere, and not backwards in time",
        |(from, to, (start, length), rate, near, far)| {
            let contact = Plain { from, to, start, end: start + length, rate, light: (near, far) };
            (from != to && near - far <= length).then_some(contact)
        },
    )
}

fn contacts() -> impl Strategy<Value = Vec<Plain>> {
    prop::collection::vec(plain(), 1..26).prop_map(|drawn| {
        let mut kept: Vec<Plain> = Vec::new();
        for contact in drawn {
            let overlaps = |other: &Plain| {
                (other.from, other.to) == (contact.from, contact.to)
                    && other.start < contact.end
                    && contact.start < other.end
            };
            if !kept.iter().any(overlaps) {
                kept.push(contact);
            }
        }
        kept
    })
}

fn class() -> impl Strategy<Value = Class> {
    (0..3_usize).prop_map(|index| Class::ALL[index])
}

/// When, how many bytes, of which class, without which first neighbour, and what becomes of the booking.
fn bundles() -> impl Strategy<Value = Vec<(i64, u64, Class, u64, u8)>> {
    prop::collection::vec((0..30_i64, 0..25_u64, class(), 2..9_u64, 0..3_u8), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_route_is_the_preferred_one_of_all_paths_whatever_is_booked(contacts in contacts(), bundles in bundles()) {
        let mut plan = plan(contacts.iter().map(Plain::contact));
        let mut ledger = Ledger::new();
        for (now, bytes, class, without, fate) in bundles {
            let request = Request { class, excluded_neighbours: vec![node(without)], ..to(2, bytes) };
            let expected = all_paths(&contacts, &ledger, i128::from(now) * NANOS, bytes, class, without);
            let found = ask(&plan, now, &request);
            let rank = found.as_ref().ok().map(|route| {
                let end = route.valid_until.as_nanos() / NANOS as i64;
                (i128::from(route.arrives.as_nanos()), route.hops.len(), Reverse(end), route.next_hop.node().unwrap())
            });
            prop_assert_eq!(rank, expected, "{:?}", found);
            let Ok(route) = found else { continue };

            // The hops hang together, from the node that asks to the destination, and meet no node twice.
            let mut here = node(1);
            let mut met = vec![here.clone()];
            let mut time = at(now);
            for hop in &route.hops {
                let contact = plan.contact(hop.contact).unwrap();
                prop_assert_eq!(&contact.from, &here);
                prop_assert!(contact.window.start <= hop.departs && hop.departs <= hop.leaves && hop.leaves <= contact.window.end);
                prop_assert!(time <= hop.departs && hop.leaves <= hop.arrives);
                (here, time) = (hop.to.clone(), hop.arrives);
                prop_assert!(!met.contains(&here));
                met.push(here.clone());
            }
            prop_assert_eq!(here, node(2));
            prop_assert!(route.volume_limit >= bytes);

            let booking = plan.book(&route, class, bytes).unwrap();
            if fate == 0 {
                plan.release(booking);
                continue;
            }
            for (index, hop) in route.hops.iter().enumerate() {
                let slot = plan.contacts().position(|(id, _)| id == hop.contact).unwrap();
                let booked = &mut ledger.entry(slot).or_default()[class as usize];
                booked.0 += bytes;
                booked.1 += if index == 0 && fate == 2 { bytes } else { 0 };
            }
            if fate == 1 {
                plan.sent(booking);
            }
        }
    }

    #[test]
    fn no_more_is_booked_than_a_contact_carries_and_all_of_it_comes_back(contacts in contacts(), bundles in bundles()) {
        let mut plan = plan(contacts.iter().map(Plain::contact));
        let empty = plan.clone();
        let mut bookings = Vec::new();
        for (now, bytes, class, ..) in bundles {
            if let Ok(route) = ask(&plan, now, &Request { class, ..to(2, bytes) }) {
                let booking = plan.book(&route, class, bytes).unwrap();
                for displaced in plan.displaced(booking) {
                    prop_assert!(plan.release(displaced));
                    bookings.retain(|known| *known != displaced);
                }
                bookings.push(booking);
            }
            for (id, contact) in plan.contacts().filter(|(_, contact)| contact.window.rate_bps > 0) {
                let booked: u64 = plan.entry(plan.slot(id).unwrap()).booked.iter().sum();
                prop_assert!(booked <= contact.capacity());
                prop_assert_eq!(plan.residual(id, Class::Bulk), Some(contact.capacity() - booked));
            }
        }
        for booking in bookings {
            prop_assert!(plan.release(booking));
        }
        for (id, _) in empty.contacts() {
            prop_assert_eq!(plan.residual(id, Class::Bulk), empty.residual(id, Class::Bulk));
        }
        prop_assert_eq!(plan.bookings(), 0);
    }

    #[test]
    fn a_fragment_is_offered_only_where_the_whole_has_no_route(contacts in contacts(), bytes in 1..200_u64, expiry in 0..80_i64) {
        let plan = plan(contacts.iter().map(Plain::contact));
        let whole = Request { expiry: at(expiry), ..to(2, bytes) };
        let route = ask(&plan, 0, &Request { may_fragment: true, ..whole.clone() });
        match (ask(&plan, 0, &whole), route) {
            (Ok(whole), pieces) => prop_assert_eq!(Ok(whole), pieces),
            (Err(_), Ok(fragment)) => {
                prop_assert!(fragment.bytes < bytes && fragment.bytes > 0 && fragment.arrives <= at(expiry));
                // The whole is less than 128 steps long, so one step more is a fragment of its own or the whole.
                let larger = Request { bytes: fragment.bytes + bytes.div_ceil(128), ..whole };
                prop_assert!(ask(&plan, 0, &larger).is_err());
            }
            (Err(why), Err(fragment)) => prop_assert_eq!(why, fragment),
        }
    }
}
