//! The way of a spacecraft in SPK files.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::constants::naif_id;
use super::coverage::Spans;
use super::{KernelError, Kernels, LONGEST_CHAIN};
use crate::body::Body;
use crate::place::{Limits, Motion};
use crate::vector::Vector;

/// A body or spacecraft that kernels place, by its NAIF ID (spacecraft have negative ones).
///
/// As a place its position is taken from one body: that from which all its segments count, else the Sun. The kernels say where it
/// is against that body, the [`Geometry`](crate::Geometry) where the body is. So an orbiter is right against its planet whatever
/// the ephemeris of the planets; one that flies from planet to planet is right against each of them only in a geometry that has
/// the planets from the same kernels.
#[derive(Clone, Debug)]
pub struct KernelPath {
    kernels: Arc<Kernels>,
    target: i32,
    way: Arc<Way>,
}

/// What is worked out once about a way.
#[derive(Debug)]
struct Way {
    body: Body,
    /// The ID under which the kernels have the body.
    center: i32,
    /// When both are placed: TDB nanoseconds after J2000, in order and apart, cut where a segment begins or ends.
    pieces: Vec<(i64, i64)>,
}

/// Differences over a second each way give the velocity; in a low orbit they are right to 1e-8 km/s.
const HALF_NS: i64 = 1_000_000_000;
/// TDB and TT are never farther apart; so much of each end of a span is not used.
const TDB_ROOM_NS: i64 = 2_000_000;
const MINUTE_NS: i64 = 60_000_000_000;
const HOUR_NS: i64 = 60 * MINUTE_NS;

impl KernelPath {
    /// The way of `target` in `kernels`.
    ///
    /// # Errors
    /// The kernels do not place it from the barycentre of the solar system at any time (for two seconds or more), or do not
    /// place the body from which its position is taken.
    pub fn new(kernels: Arc<Kernels>, target: i32) -> Result<Self, KernelError> {
        if kernels.spans(target).is_empty() {
            return Err(kernels.not_covered(target, 0.0));
        }
        let body = kernels.anchor(target);
        let center = kernels.id_of(body).ok_or_else(|| KernelError::NotCovered {
            target,
            why: format!("its position counts from elsewhere than {}, which the kernels do not place", body.name()),
        })?;
        let pieces = kernels.pieces(target, center);
        if pieces.is_empty() {
            let why = format!("at no time do the kernels place both it and {} for two seconds", body.name());
            return Err(KernelError::NotCovered { target, why });
        }
        Ok(KernelPath { kernels, target, way: Arc::new(Way { body, center, pieces }) })
    }

    /// Its NAIF ID.
    pub fn target(&self) -> i32 {
        self.target
    }

    /// The body from which its position is taken.
    pub fn body(&self) -> Body {
        self.way.body
    }

    /// When it is placed: the first and last instant of each span, in TDB seconds after J2000.
    pub fn spans(&self) -> &[[f64; 2]] {
        self.kernels.spans(self.target)
    }

    /// Where it is `tdb_s` seconds after J2000 TDB: km from the barycentre of the solar system, on ICRF axes.
    ///
    /// # Errors
    /// The kernels do not place it at that time.
    pub fn position_km(&self, tdb_s: f64) -> Result<[f64; 3], KernelError> {
        self.kernels.position_km(self.target, tdb_s)
    }
}

/// How it is a place.
impl KernelPath {
    /// Whether it is the centre of the body itself.
    pub(crate) fn is_body(&self) -> bool {
        self.target == self.way.center
    }

    /// When it is placed, TT nanoseconds since J2000.
    pub(crate) fn spans_tt_ns(&self) -> Vec<(i64, i64)> {
        let mut spans: Vec<(i64, i64)> = Vec::new();
        for piece in &self.way.pieces {
            match spans.last_mut() {
                Some(last) if last.1 == piece.0 => last.1 = piece.1,
                _ => spans.push(*piece),
            }
        }
        spans.into_iter().map(|(start, end)| (start + TDB_ROOM_NS, end - TDB_ROOM_NS)).collect()
    }

    /// The nearest instant at which it is placed.
    pub(crate) fn nearest(&self, tt_ns: i64) -> i64 {
        let pieces = &self.way.pieces;
        let inside = |t: i64| {
            let next = pieces.partition_point(|piece| piece.0 <= t);
            pieces[..next].last().is_some_and(|piece| t <= piece.1)
        };
        if inside(tt_ns.saturating_sub(TDB_ROOM_NS)) && inside(tt_ns.saturating_add(TDB_ROOM_NS)) {
            return tt_ns;
        }
        let spans = self.spans_tt_ns();
        spans.into_iter().map(|(start, end)| tt_ns.clamp(start, end)).min_by_key(|t| t.abs_diff(tt_ns)).unwrap_or(tt_ns)
    }

    /// Where it is against its body, in km on ICRF axes.
    pub(crate) fn relative(&self, tdb_ns: i64) -> Option<Vector> {
        self.kernels.relative_km(self.target, self.way.center, tdb_ns as f64 / 1e9).ok()
    }

    /// Position and velocity against its body. The velocity is that of the positions, which some kernels' own is not.
    pub(crate) fn motion(&self, tdb_ns: i64) -> Option<Motion> {
        Some(Motion { position: self.relative(tdb_ns)?, velocity: self.rates(tdb_ns, HALF_NS)?.0 })
    }

    /// Velocity and acceleration by differences over `half` nanoseconds each way, or what the piece leaves of them.
    fn rates(&self, tdb_ns: i64, half: i64) -> Option<(Vector, Vector)> {
        let pieces = &self.way.pieces;
        let next = pieces.partition_point(|piece| piece.0 <= tdb_ns).max(1);
        let (start, end) = pieces[next - 1];
        let half = half.min((end - start) / 2);
        let middle = tdb_ns.clamp(start + half, end - half);
        let [before, here, after] = [middle - half, middle, middle + half].map(|t| self.relative(t));
        let (before, here, after) = (before?, here?, after?);
        let seconds = half as f64 / 1e9;
        let acceleration = ((after - here) - (here - before)) * (1.0 / (seconds * seconds));
        let velocity = (after - before) * (0.5 / seconds);
        Some((velocity + acceleration * ((tdb_ns - middle) as f64 / 1e9), acceleration))
    }

    /// The ends of pieces, and every hour, at which bounds on the motion are taken anew.
    pub(crate) fn seams(&self, start: i64, end: i64) -> Vec<i64> {
        let first = self.way.pieces.first().map_or(start, |piece| piece.0).max(start);
        let last = self.way.pieces.last().map_or(end, |piece| piece.1).min(end);
        let hours = (first.div_euclid(HOUR_NS) + 1..=last.div_euclid(HOUR_NS)).map(|hour| hour * HOUR_NS);
        // TT and TDB being so little apart, the end lies between the two.
        let ends = self
            .way
            .pieces
            .iter()
            .flat_map(|(a, b)| [a - TDB_ROOM_NS, a + TDB_ROOM_NS, b - TDB_ROOM_NS, b + TDB_ROOM_NS]);
        let mut seams: Vec<i64> = hours.chain(ends).filter(|t| start < *t && *t < end).collect();
        seams.sort_unstable();
        seams.dedup();
        seams
    }

    /// Bounds on the motion: twice the most that differences every half minute show.
    ///
    /// That holds for what flies freely or burns for minutes; what swings within seconds, no SPK file of a spacecraft is made for.
    pub(crate) fn limits(&self, start: i64, end: i64) -> Limits {
        let step = (end.saturating_sub(start) / 60).clamp(HALF_NS, MINUTE_NS / 2);
        let mut limits = Limits { speed: 0.0, acceleration: 0.0 };
        let mut at = start;
        loop {
            if let Some((velocity, acceleration)) = self.rates(at, step) {
                limits.speed = limits.speed.max(2.0 * velocity.length());
                limits.acceleration = limits.acceleration.max(2.0 * acceleration.length());
            }
            if at >= end {
                return limits;
            }
            at = at.saturating_add(step).min(end);
        }
    }
}

impl Kernels {
    /// The body from which the position of `target` is best taken: itself, or that from which all its segments count.
    fn anchor(&self, target: i32) -> Body {
        if let Some(body) = self.bodies().find(|body| self.id_of(*body) == Some(target)) {
            return body;
        }
        let mut centers = self.positions.iter().filter(|s| s.target == target).map(|s| body_at(s.center));
        match centers.next() {
            Some(Some(body)) if centers.all(|other| other == Some(body)) && self.id_of(body).is_some() => body,
            _ => Body::Sun,
        }
    }

    /// When both are placed, cut where a segment that leads from them to the barycentre begins or ends; in nanoseconds. Pieces
    /// of less than two seconds are left out, or joined to the one before.
    fn pieces(&self, target: i32, center: i32) -> Vec<(i64, i64)> {
        // Within 146 years about J2000, so that every difference fits.
        let ns = |seconds: f64| ((seconds * 1e9) as i64).clamp(-i64::MAX / 2, i64::MAX / 2);
        let mut cuts: Vec<i64> = self.links(target, center).iter().flat_map(|s| [ns(s[0]), ns(s[1])]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut pieces = Vec::new();
        for [a, b] in self.spans(target) {
            for [c, d] in self.spans(center) {
                let (mut start, end) = (ns(a.max(*c)), ns(b.min(*d)));
                if end - start < 2 * HALF_NS {
                    continue;
                }
                let from = cuts.partition_point(|cut| *cut <= start);
                for cut in cuts[from..].iter().take_while(|cut| **cut < end) {
                    if cut - start >= 2 * HALF_NS && end - cut >= 2 * HALF_NS {
                        pieces.push((start, *cut));
                        start = *cut;
                    }
                }
                pieces.push((start, end));
            }
        }
        pieces.sort_unstable();
        pieces
    }

    /// The spans of all segments on the ways from `target` and `center`.
    fn links(&self, target: i32, center: i32) -> Spans {
        let mut on_the_way = BTreeSet::from([target, center]);
        for _ in 0..LONGEST_CHAIN {
            let next: Vec<i32> =
                self.positions.iter().filter(|s| on_the_way.contains(&s.target)).map(|s| s.center).collect();
            on_the_way.extend(next);
        }
        let segments = self.positions.iter().filter(|s| on_the_way.contains(&s.target));
        segments.map(|s| [s.start, s.end]).collect()
    }
}

/// The body whose centre, or whose system's barycentre, has that ID.
fn body_at(id: i32) -> Option<Body> {
    match id {
        0 => Some(Body::Sun),
        3 => Some(Body::Earth),
        _ => Body::ALL.into_iter().find(|body| {
            let own = naif_id(*body);
            id == own || (own >= 199 && own % 100 == 99 && id == own / 100)
        }),
    }
}

impl PartialEq for KernelPath {
    /// The same target in the same kernels, not in others with the same content.
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target && self.kernels == other.kernels
    }
}
