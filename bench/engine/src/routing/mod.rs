//! Which node is next.

mod pattern;
mod table;

use farlink_wire::bpv7::Eid;

pub use pattern::{EidPattern, PatternError};
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
