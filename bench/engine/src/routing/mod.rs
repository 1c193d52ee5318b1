//! Which node is next.
//!
//! [`StaticRoutes`] is a table by endpoint. [`ContactPlan`] finds the way through the contacts ahead, as Schedule-Aware Bundle
//! Routing (CCSDS 734.3-B) does: the earliest arrival, on contacts that still have room. Which of the two a node asks, and when it
//! asks again, is its own affair.
//!
//! ```
//! use farlink_engine::routing::{Contact, ContactPlan, Request};
//! use farlink_engine::schedule::Window;
//! use farlink_units::{Duration, Instant};
//! use farlink_wire::bpv7::Eid;
//!
//! let at = |secs| Instant::ZERO + Duration::from_secs(secs);
//! let contact = |from, to, start, end, light_secs| {
//!     let light_time = vec![(at(start), Duration::from_secs(light_secs))];
//!     Contact::new(Eid::ipn(from, 0), Eid::ipn(to, 0), Window { start: at(start), end: at(end), rate_bps: 8000, light_time })
//! };
//! // A station on Earth (1), an orbiter (2) and a lander (3).
//! let mut plan = ContactPlan::of(vec![contact(1, 2, 0, 600, 500), contact(2, 3, 2000, 2100, 0)]).unwrap();
//! let request = Request::new(Eid::ipn(3, 1), 10_000);
//! let route = plan.route(at(60), &Eid::ipn(1, 0), &request).unwrap();
//! assert_eq!((route.next_hop.clone(), route.departs, route.arrives), (Eid::ipn(2, 0), at(60), at(2010)));
//! let booking = plan.book(&route, request.class, route.bytes).unwrap();
//! // … the bundle goes …
//! plan.sent(booking);
//! ```
//!
//! # How it differs from CCSDS 734.3-B
//! - The standard computes some routes ahead, as if bundles had no length, and then asks which fit. Here each bundle is searched for
//!   by itself, with its own length, class and the volume booked by then. So the route found is the best there is in the plan, and
//!   no route is kept: what is booked for one bundle changes the answer for the next.
//! - Light time changes within a contact; the standard has one range at a time.
//! - On later hops too a bundle is taken to wait for what this node has booked there. What other nodes send is unknown.
//! - There is no margin on light time, and no set of routes for critical bundles.
//!
//! # Later, but sooner there
//! A contact that begins later can arrive sooner, by a shorter light time or a higher rate, and the search takes it. Within one
//! contact what leaves later never arrives earlier; a light time that falls faster than time passes is refused
//! ([`ContactError::Overtaking`]). Instants saturate at [`Instant::MAX`](farlink_units::Instant::MAX); what would arrive there counts
//! as never arriving.

mod booking;
mod contact;
mod pattern;
mod plan;
mod route;
mod search;
mod table;
#[cfg(test)]
mod tests;

use farlink_wire::bpv7::Eid;

pub use booking::{BookError, Booking, MAX_BOOKINGS};
pub use contact::{Contact, ContactError, ContactId, MAX_LIGHT_TIMES};
pub use pattern::{EidPattern, PatternError};
pub use plan::{ContactPlan, ContactPlanError, MAX_CONTACTS};
pub use route::{Hop, NoRoute, Request, Route};
pub use search::MAX_HOPS;
pub use table::{MAX_STATIC_ROUTES, StaticRoute, StaticRouteError, StaticRoutes, StaticRoutesError};

/// The node ID of the node that an endpoint is on (RFC 9171 §4.2.5.2): `ipn:10.7` is on `ipn:10.0`, `dtn://node/app` on
/// `dtn://node/`. None for the null endpoint. A dtn endpoint that is a group is not told apart: its name is taken for a node.
pub fn node_id(eid: &Eid) -> Option<Eid> {
    match eid {
        Eid::None => None,
        Eid::Ipn { node, .. } => Some(Eid::ipn(*node, 0)),
        Eid::Dtn(ssp) => Some(Eid::Dtn(format!("//{}/", pattern::node_name(ssp)))),
    }
}
