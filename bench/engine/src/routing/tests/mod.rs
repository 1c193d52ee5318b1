mod against_all_paths;
mod booked;
mod changes;
mod hostile;
mod relay;

use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;

use super::*;
use crate::class::Class;
use crate::schedule::Window;

fn at(secs: i64) -> Instant {
    Instant::ZERO + Duration::from_secs(secs)
}

fn secs(secs: i64) -> Duration {
    Duration::from_secs(secs)
}

fn node(number: u64) -> Eid {
    Eid::ipn(number, 0)
}

/// A contact at one byte a second.
fn contact(from: u64, to: u64, span: std::ops::Range<i64>, light: i64) -> Contact {
    paced(from, to, span, light, 8)
}

fn paced(from: u64, to: u64, span: std::ops::Range<i64>, light: i64, rate_bps: u64) -> Contact {
    let light_time = vec![(at(span.start), secs(light))];
    Contact::new(node(from), node(to), Window { start: at(span.start), end: at(span.end), rate_bps, light_time })
}

fn plan(contacts: impl IntoIterator<Item = Contact>) -> ContactPlan {
    ContactPlan::of(contacts.into_iter().collect()).unwrap_or_else(|e| panic!("{e}"))
}

fn to(destination: u64, bytes: u64) -> Request {
    Request::new(Eid::ipn(destination, 1), bytes)
}

fn ask(plan: &ContactPlan, now: i64, request: &Request) -> Result<Route, NoRoute> {
    plan.route(at(now), &node(1), request)
}

/// The nodes of a route after the first, and the arrival in seconds.
fn way(route: &Route) -> (Vec<u64>, f64) {
    let nodes = route.hops.iter().filter_map(|hop| hop.to.node()).collect();
    (nodes, route.arrives.as_secs_f64())
}

fn way_of(plan: &ContactPlan, now: i64, request: &Request) -> (Vec<u64>, f64) {
    way(&ask(plan, now, request).unwrap_or_else(|e| panic!("{e}")))
}
