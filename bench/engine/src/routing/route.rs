//! The question and its answer.

use farlink_units::Instant;
use farlink_wire::bpv7::{Eid, ReasonCode};

use super::contact::{ContactId, arrival, volume};
use super::node_id;
use super::plan::ContactPlan;
use super::search::{Bounds, MAX_HOPS, Path, Query, search};
use crate::class::Class;

/// A fragment that is offered is at least this part of the bundle, and found to within as much.
const FRAGMENT_PARTS: u64 = 128;

/// What is to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where to: the node of this endpoint.
    pub destination: Eid,
    /// Bytes that the bundle takes on a link, with what the layers below are expected to add.
    pub bytes: u64,
    /// Its class of service.
    pub class: Class,
    /// When its lifetime ends. It may arrive then, not later.
    pub expiry: Instant,
    /// Neighbours that cannot be the next hop, such as the one that it came from or that refused it.
    pub excluded_neighbours: Vec<Eid>,
    /// Whether a part of it may go first, where there is no way for the whole in time.
    pub may_fragment: bool,
}

impl Request {
    /// A bundle of normal class that may go by any neighbour, whole and at any time.
    pub fn new(destination: Eid, bytes: u64) -> Self {
        let (class, expiry) = (Class::Normal, Instant::MAX);
        Request { destination, bytes, class, expiry, excluded_neighbours: Vec::new(), may_fragment: false }
    }
}

/// One contact of a route, with the times that are projected for the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The contact.
    pub contact: ContactId,
    /// Node ID of where it leads.
    pub to: Eid,
    /// When the first bit leaves.
    pub departs: Instant,
    /// When the last bit has left.
    pub leaves: Instant,
    /// When the last bit arrives, one light time after it has left.
    pub arrives: Instant,
}

/// The way of a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Node ID of the neighbour that gets the bundle.
    pub next_hop: Eid,
    /// The contact that it goes over.
    pub first_contact: ContactId,
    /// When the first bit leaves (CCSDS 734.3-B: earliest transmission opportunity).
    pub departs: Instant,
    /// When the last bit is at the destination (CCSDS 734.3-B: projected bundle arrival time).
    pub arrives: Instant,
    /// The contacts from here to the destination.
    pub hops: Vec<Hop>,
    /// When the first of these contacts ends (CCSDS 734.3-B: route termination time).
    pub valid_until: Instant,
    /// Bytes that the route takes: those of the bundle, or of the fragment of it that has room.
    pub bytes: u64,
    /// Bytes that the route could take at the times of these hops (CCSDS 734.3-B: effective volume limit).
    pub volume_limit: u64,
    /// How likely all its contacts are to happen. It does not sway the choice.
    pub confidence: f64,
}

/// Why there is no route. None of these is for ever: a plan that changes may bring one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoRoute {
    /// The destination is the node that asks.
    #[error("{destination} is this node itself")]
    Local {
        /// The destination.
        destination: Eid,
    },
    /// The contacts ahead do not lead there, whatever is sent.
    #[error("no contacts ahead lead to {destination}")]
    NoPath {
        /// The destination.
        destination: Eid,
    },
    /// They do, but through excluded neighbours only.
    #[error("every route to {destination} begins with an excluded neighbour")]
    Excluded {
        /// The destination.
        destination: Eid,
    },
    /// The bundle would arrive after its lifetime has ended.
    #[error("the earliest arrival at {destination} is at {earliest}, after the bundle expires at {expiry}")]
    TooLate {
        /// The destination.
        destination: Eid,
        /// The earliest arrival.
        earliest: Instant,
        /// When the bundle expires.
        expiry: Instant,
    },
    /// The contacts would carry the bundle in time if nothing were booked on them.
    #[error("the contacts that lead to {destination} in time have no room left for {bytes} bytes")]
    VolumeExhausted {
        /// The destination.
        destination: Eid,
        /// Bytes of the bundle.
        bytes: u64,
    },
    /// Even empty, no contacts that lead there carry as much.
    #[error("no contacts ahead that lead to {destination} are long enough for {bytes} bytes")]
    TooLarge {
        /// The destination.
        destination: Eid,
        /// Bytes of the bundle.
        bytes: u64,
    },
}

impl NoRoute {
    /// What a status report says when the bundle is given up for this reason (RFC 9171 §9.5): 6 "no known route to destination
    /// from here" where no path is known, 7 "no timely contact with next node on route" where one is and cannot be used. None for
    /// a bundle that is to be delivered here.
    pub fn reason(&self) -> Option<ReasonCode> {
        match self {
            NoRoute::Local { .. } => None,
            NoRoute::NoPath { .. } => Some(ReasonCode::NoKnownRoute),
            NoRoute::Excluded { .. }
            | NoRoute::TooLate { .. }
            | NoRoute::VolumeExhausted { .. }
            | NoRoute::TooLarge { .. } => Some(ReasonCode::NoTimelyContact),
        }
    }
}

impl ContactPlan {
    /// The route by which a bundle that is at `from` at `now` arrives earliest, if that is before it expires.
    ///
    /// Of routes with the same arrival it is the one with the fewest hops, of those the one whose first contact to end ends
    /// latest, of those the one whose next hop has the smallest node ID: the order of preference of CCSDS 734.3-B. Arrival is that
    /// of this very bundle, last bit, at each contact's rate, after what has been booked by its class and those above.
    ///
    /// Where the whole bundle has no route in time and may be fragmented, the route is for the largest part of it that has one, to
    /// within 1/128 of the bundle; [`Route::bytes`] says how large.
    ///
    /// # Errors
    /// There is no such route, and why.
    pub fn route(&self, now: Instant, from: &Eid, request: &Request) -> Result<Route, NoRoute> {
        let destination = || request.destination.clone();
        let no_path = || NoRoute::NoPath { destination: destination() };
        let (Some(from), Some(to)) = (node_id(from), node_id(&request.destination)) else { return Err(no_path()) };
        if from == to {
            return Err(NoRoute::Local { destination: destination() });
        }
        let (Some(from), Some(to)) = (self.node_of.get(&from), self.node_of.get(&to)) else { return Err(no_path()) };
        let whole = Query { from: *from, to: *to, now, bytes: request.bytes, before: Some(request.class) };
        let neighbours = self.neighbours(*from, &request.excluded_neighbours);
        let find = |query: &Query| search(self, query, &unbounded(&neighbours));
        let in_time = |path: &Path| path.arrives <= request.expiry;
        let too_late = |path: Path| NoRoute::TooLate {
            destination: destination(),
            earliest: path.arrives,
            expiry: request.expiry,
        };

        let found = find(&whole);
        if let Some(path) = found.as_ref().filter(|path| in_time(path)) {
            return Ok(self.describe(&whole, &self.preferred(&whole, path.clone(), &neighbours)));
        }
        if request.may_fragment
            && let Some((query, path)) = largest_fragment(&whole, |query| find(query).filter(in_time))
        {
            return Ok(self.describe(&query, &self.preferred(&query, path, &neighbours)));
        }
        if let Some(path) = found {
            return Err(too_late(path));
        }
        let (unbooked, empty) = (Query { before: None, ..whole }, Query { before: None, bytes: 0, ..whole });
        match find(&empty) {
            Some(path) if !in_time(&path) => return Err(too_late(path)),
            Some(_) => {}
            None => {
                let open = search(self, &empty, &unbounded(&self.neighbours(*from, &[])));
                return Err(if open.is_some() { NoRoute::Excluded { destination: destination() } } else { no_path() });
            }
        }
        Err(match find(&unbooked) {
            Some(path) if !in_time(&path) => too_late(path),
            Some(_) => NoRoute::VolumeExhausted { destination: destination(), bytes: request.bytes },
            None => NoRoute::TooLarge { destination: destination(), bytes: request.bytes },
        })
    }

    /// Where contacts from a node lead, in the order of node IDs.
    fn neighbours(&self, from: u32, excluded: &[Eid]) -> Vec<u32> {
        let excluded: Vec<_> = excluded.iter().filter_map(node_id).collect();
        let eid = |node: &u32| &self.nodes[*node as usize].eid;
        let mut found: Vec<_> =
            self.nodes[from as usize].out.keys().copied().filter(|node| !excluded.contains(eid(node))).collect();
        found.sort_by_key(|node| eid(node).clone());
        found
    }

    /// The preferred one of the paths that arrive as early as this one with as few hops.
    ///
    /// Each preference is the largest (or smallest) bound under which there still is a path. Mostly the path is the preferred one
    /// already, and a search that fails shows it; otherwise the bound is halved in on.
    fn preferred(&self, query: &Query, mut path: Path, neighbours: &[u32]) -> Path {
        let mut bounds = Bounds { arrival: path.arrives, hops: path.slots.len() as u32, ..unbounded(neighbours) };
        let ends_from = |end: Instant, bounds: Bounds<'_>| search(self, query, &Bounds { end, ..bounds });
        bounds.end = self.termination(&path);
        let later = Instant::from_nanos(bounds.end.as_nanos().saturating_add(1));
        if let Some(better) = ends_from(later, bounds).filter(|_| later > bounds.end) {
            let mut ends: Vec<Instant> = self.by_id.values().map(|slot| self.entry(*slot).contact.window.end).collect();
            ends.sort_unstable();
            ends.dedup();
            path = better;
            let index = |end: Instant| ends.partition_point(|known| *known < end);
            // There is a path that ends from `low` on, and none from `high` on.
            let (mut low, mut high) = (index(self.termination(&path)), ends.len());
            while high - low > 1 {
                let middle = low.midpoint(high);
                match ends_from(ends[middle], bounds) {
                    Some(better) => {
                        path = better;
                        low = index(self.termination(&path));
                    }
                    None => high = middle,
                }
            }
            bounds.end = ends[low];
        }
        let place = |path: &Path| neighbours.iter().position(|node| *node == self.entry(path.slots[0]).to).unwrap_or(0);
        let mut high = place(&path);
        let mut low = 0;
        let mut middle = high;
        // There is a path by the first `high + 1` neighbours, and none by the first `low`.
        while low < high {
            match search(self, query, &Bounds { neighbours: &neighbours[..middle], ..bounds }) {
                Some(better) => {
                    path = better;
                    high = place(&path);
                }
                None => low = middle,
            }
            middle = low.midpoint(high).max(low + 1);
        }
        path
    }

    fn termination(&self, path: &Path) -> Instant {
        path.slots.iter().map(|slot| self.entry(*slot).contact.window.end).min().unwrap_or(Instant::MAX)
    }

    fn describe(&self, query: &Query, path: &Path) -> Route {
        let (mut at, mut volume_limit, mut confidence) = (query.now, u64::MAX, 1.0);
        let mut hops = Vec::with_capacity(path.slots.len());
        for (index, slot) in path.slots.iter().enumerate() {
            let entry = self.entry(*slot);
            let window = &entry.contact.window;
            let passage = entry.passage(at, query.bytes, query.before, index == 0).expect("the search went this way");
            if window.rate_bps > 0 {
                let class = query.before.unwrap_or(Class::Bulk);
                let waiting = if index == 0 { entry.waiting_before(class) } else { 0 };
                let in_time = volume(at.max(window.start), window.end, window.rate_bps).saturating_sub(waiting);
                let free = entry.contact.capacity().saturating_sub(entry.booked_before(class));
                volume_limit = volume_limit.min(in_time).min(free);
            }
            confidence *= entry.contact.confidence;
            at = arrival(&window.light_time, passage.leaves);
            hops.push(Hop {
                contact: entry.id,
                to: entry.contact.to.clone(),
                departs: passage.departs,
                leaves: passage.leaves,
                arrives: at,
            });
        }
        Route {
            next_hop: hops[0].to.clone(),
            first_contact: hops[0].contact,
            departs: hops[0].departs,
            arrives: path.arrives,
            valid_until: self.termination(path),
            bytes: query.bytes,
            volume_limit,
            confidence,
            hops,
        }
    }
}

fn unbounded(neighbours: &[u32]) -> Bounds<'_> {
    Bounds { arrival: Instant::MAX, hops: MAX_HOPS, end: Instant::from_nanos(i64::MIN), neighbours }
}

/// Whatever carries a number of bytes in time carries fewer too, so the largest number is found by halving.
fn largest_fragment(whole: &Query, find: impl Fn(&Query) -> Option<Path>) -> Option<(Query, Path)> {
    let part = whole.bytes.div_ceil(FRAGMENT_PARTS);
    let try_parts = |parts: u64| {
        let query = Query { bytes: parts.saturating_mul(part), ..*whole };
        Some(query).filter(|query| query.bytes < whole.bytes).and_then(|query| Some((query, find(&query)?)))
    };
    let mut best = try_parts(1)?;
    let (mut low, mut high) = (1, FRAGMENT_PARTS);
    while high - low > 1 {
        let middle = low.midpoint(high);
        match try_parts(middle) {
            Some(found) => (best, low) = (found, middle),
            None => high = middle,
        }
    }
    Some(best)
}
