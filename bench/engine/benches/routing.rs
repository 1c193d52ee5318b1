//! How fast routes are found: plans of a relay network, constellations, and what changes cost.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use farlink_engine::class::Class;
use farlink_engine::routing::{Contact, ContactPlan, Request};
use farlink_engine::schedule::Window;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;

const DAY: i64 = 86_400;

fn at(secs: i64) -> Instant {
    Instant::ZERO + Duration::from_secs(secs)
}

fn contact(from: u64, to: u64, start: i64, length: i64, rate_bps: u64, light: Duration) -> Contact {
    let light_time = vec![(at(start), light), (at(start + length), light + Duration::from_millis(1))];
    let window = Window { start: at(start), end: at(start + length), rate_bps, light_time };
    Contact::new(Eid::ipn(from, 0), Eid::ipn(to, 0), window)
}

/// Stations (1 to 3) on Earth, orbiters (10 to 14) and landers (20 to 29) at Mars, for so many days.
fn mars(days: i64) -> Vec<Contact> {
    let mut contacts = Vec::new();
    let minutes = |m: i64| m * 60;
    for orbiter in 0..5 {
        for day in 0..days {
            for station in 0..3 {
                let start = day * DAY + minutes(480) * station + minutes(7) * orbiter;
                let (station, orbiter) = (1 + station as u64, 10 + orbiter as u64);
                let light = Duration::from_secs(600);
                contacts.push(contact(station, orbiter, start, minutes(400), 2_000, light));
                contacts.push(contact(orbiter, station, start, minutes(400), 256_000, light));
            }
            for lander in 0..10 {
                for pass in 0..2 {
                    let start = day * DAY + minutes(700) * pass + minutes(13) * lander + minutes(70) * orbiter;
                    let (orbiter, lander) = (10 + orbiter as u64, 20 + lander as u64);
                    let light = Duration::from_millis(3);
                    contacts.push(contact(orbiter, lander, start, minutes(10), 128_000, light));
                    contacts.push(contact(lander, orbiter, start, minutes(10), 2_000_000, light));
                }
            }
        }
    }
    contacts
}

/// A grid of so many by so many satellites, each in contact with its four neighbours for half of every two hours, for a day.
fn constellation(side: i64) -> Vec<Contact> {
    let mut contacts = Vec::new();
    let name = |row: i64, column: i64| (1 + row * side + column) as u64;
    for row in 0..side {
        for column in 0..side {
            let here = name(row, column);
            for there in [name((row + 1) % side, column), name(row, (column + 1) % side)] {
                for turn in 0..12 {
                    let start = turn * 7200 + (here as i64 * 97 + there as i64 * 31) % 3600;
                    let light = Duration::from_millis(10);
                    contacts.push(contact(here, there, start, 3600, 10_000_000, light));
                    contacts.push(contact(there, here, start, 3600, 10_000_000, light));
                }
            }
        }
    }
    contacts
}

fn ask(criterion: &mut Criterion, name: &str, plan: &ContactPlan, from: u64, destinations: &[u64]) {
    let from = Eid::ipn(from, 0);
    let requests: Vec<_> = destinations.iter().map(|to| Request::new(Eid::ipn(*to, 1), 10_000)).collect();
    let mut turn = 0;
    criterion.bench_function(&format!("route: {name}, {} contacts", plan.len()), |bencher| {
        bencher.iter(|| {
            // Another minute of the first hour and another destination each time.
            turn += 1;
            let request = &requests[turn % requests.len()];
            black_box(plan.route(at(turn as i64 * 60 % 3600), &from, request).unwrap())
        });
    });
}

fn routes(criterion: &mut Criterion) {
    let landers: Vec<u64> = (20..30).collect();
    for days in [1, 7, 28] {
        ask(criterion, "Mars", &ContactPlan::of(mars(days)).unwrap(), 1, &landers);
    }
    for side in [5, 10, 20] {
        let plan = ContactPlan::of(constellation(side)).unwrap();
        let all: Vec<u64> = (2..=(side * side) as u64).collect();
        ask(criterion, "constellation", &plan, 1, &all);
    }
}

fn bookings(criterion: &mut Criterion) {
    let plan = ContactPlan::of(mars(7)).unwrap();
    let (from, request) = (Eid::ipn(20, 0), Request::new(Eid::ipn(1, 1), 10_000));
    criterion.bench_function("10 000 bundles routed, booked and sent: Mars, 7 days", |bencher| {
        bencher.iter_batched(
            || plan.clone(),
            |mut plan| {
                for turn in 0..10_000 {
                    let route = plan.route(at(turn), &from, &request).unwrap();
                    let booking = plan.book(&route, Class::Normal, request.bytes).unwrap();
                    if turn % 2 == 0 {
                        plan.sent(booking);
                    }
                }
                plan
            },
            BatchSize::LargeInput,
        );
    });
}

fn changes(criterion: &mut Criterion) {
    let contacts = mars(28);
    criterion.bench_function(&format!("plan read: {} contacts", contacts.len()), |bencher| {
        bencher.iter_batched(|| contacts.clone(), |contacts| ContactPlan::of(contacts).unwrap(), BatchSize::LargeInput);
    });
}

criterion_group!(benches, routes, bookings, changes);
criterion_main!(benches);
