//! When who can see whom.
//!
//! Every condition of the rules knows how long its sign is kept ([`crate::guard`]). The search steps from one such span to the
//! next: while all conditions hold, by the shortest span of all; while some fail, by the longest of those. Nothing that lies
//! inside a span can be a contact or a gap, so none is passed over. Near an edge the spans shrink; below [`FINEST`] the search
//! steps by that, and where the two sides differ the edge is found between them.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use farlink_units::{Duration, Instant};

use crate::body::Body;
use crate::geometry::Geometry;
use crate::guard::Guard;
use crate::path::Path;
use crate::place::Place;
use crate::ray::{Accelerations, Ray, Way};
use crate::visibility::Visibility;

/// A span of time: `start` is inside, `end` is the first instant outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// The first instant inside.
    pub start: Instant,
    /// The first instant after.
    pub end: Instant,
}

impl Interval {
    /// Whether `at` is inside.
    pub fn contains(&self, at: Instant) -> bool {
        self.start <= at && at < self.end
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        self.end.saturating_since(self.start)
    }

    fn and(&self, other: &Interval) -> Option<Interval> {
        let both = Interval { start: self.start.max(other.start), end: self.end.min(other.end) };
        (both.start < both.end).then_some(both)
    }
}

/// One channel of a contact table.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// Where the light leaves.
    pub from: &'a Place,
    /// Where it arrives.
    pub to: &'a Place,
    /// What it must meet.
    pub rules: &'a Visibility,
}

/// When one channel carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelContacts {
    /// As [`Geometry::contacts`].
    pub contacts: Vec<Interval>,
    /// As [`Geometry::degraded`].
    pub degraded: Vec<Interval>,
}

/// The step of the search where nothing longer is proved to be safe. A contact or gap shorter than this may be missed.
const FINEST: Duration = Duration::from_nanos(500_000);
/// How exactly an edge is found.
const EDGE: Duration = Duration::from_nanos(100);
/// How long SGP4 stays without an orbit once it finds none.
const LOST: f64 = 1.0;

/// What the search sees at one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Negative where something hides; continuous, in km.
    pub(crate) value: f64,
    /// For how many seconds the sign is kept.
    pub(crate) safe_s: f64,
}

impl Look {
    /// Where there is no position.
    pub(crate) const NOTHING: Look = Look { value: f64::NEG_INFINITY, safe_s: LOST };

    /// What all of several conditions make together, before the first of them.
    pub(crate) const FREE: Look = Look { value: f64::INFINITY, safe_s: f64::INFINITY };

    fn clear(&self) -> bool {
        self.value >= 0.0
    }

    /// With one more condition that must hold.
    pub(crate) fn and(self, guard: Guard) -> Look {
        let safe_s = match (self.clear(), guard.clear()) {
            (true, true) => self.safe_s.min(guard.safe_s),
            (false, false) => self.safe_s.max(guard.safe_s),
            (true, false) => guard.safe_s,
            (false, true) => self.safe_s,
        };
        Look { value: if guard.value < self.value { guard.value } else { self.value }, safe_s }
    }
}

impl Accelerations {
    /// Where nothing is looked ahead.
    pub(crate) const NONE: Accelerations = Accelerations { from: 0.0, to: 0.0, line: 0.0 };
}

/// More than the acceleration of any body but Mercury against another, and of Mercury (the Sun's pull at its perihelion).
const DRIFT_KM_S2: f64 = 1.3e-5;
pub(crate) const DRIFT_OF_MERCURY_KM_S2: f64 = 7.7e-5;

impl Geometry {
    /// The intervals of emission time at `from`, within `start` … `end`, in which light reaches `to` under `rules`.
    ///
    /// They are in order, apart from each other, and cut at `start` and `end`, and where an ephemeris ends. Edges are right to
    /// a microsecond or so (where rounding of the positions sets in). No contact or gap of a millisecond or more is missed: see
    /// the crate's documentation. A place has no contact with itself.
    pub fn contacts(
        &self,
        from: &Place,
        to: &Place,
        rules: &Visibility,
        start: Instant,
        end: Instant,
    ) -> Vec<Interval> {
        self.search_rays(from, to, rules, Interval { start, end }, |ray, way, bounds| {
            let mut look = Look::FREE;
            ray.guards(way, bounds, &mut |_, guard| look = look.and(guard));
            look
        })
    }

    /// The parts of `contacts` in which the Sun is so near to the direction of the other end that the link works worse: below
    /// [`SunLimit::degraded_below_deg`](crate::SunLimit) at either end.
    pub fn degraded(&self, from: &Place, to: &Place, rules: &Visibility, contacts: &[Interval]) -> Vec<Interval> {
        if rules.transmitter.sun.is_none() && rules.receiver.sun.is_none() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for contact in contacts {
            let good = self.search_rays(from, to, rules, *contact, |ray, way, bounds| {
                let mut look = Look::FREE;
                ray.degradations(way, bounds, &mut |guard| look = look.and(guard));
                look
            });
            found.extend(between(&good, *contact));
        }
        found
    }

    /// The contacts of many channels, in their order, worked out by `threads` threads. The result does not depend on their
    /// number.
    pub fn contact_table(
        &self,
        pairs: &[Pair],
        start: Instant,
        end: Instant,
        threads: NonZeroUsize,
    ) -> Vec<ChannelContacts> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(&Pair { from, to, rules }) = pairs.get(index) else { return done };
                let contacts = self.contacts(from, to, rules, start, end);
                let degraded = self.degraded(from, to, rules, &contacts);
                done.push((index, ChannelContacts { contacts, degraded }));
            }
        };
        let mut all = vec![ChannelContacts::default(); pairs.len()];
        let parts = thread::scope(|scope| {
            let running: Vec<_> = (1..threads.get().min(pairs.len().max(1))).map(|_| scope.spawn(work)).collect();
            let mut parts = vec![work()];
            parts
                .extend(running.into_iter().map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
            parts
        });
        for (index, contacts) in parts.into_iter().flatten() {
            all[index] = contacts;
        }
        all
    }

    /// The intervals in which a look at the ray is clear.
    fn search_rays(
        &self,
        from: &Place,
        to: &Place,
        rules: &Visibility,
        within: Interval,
        look: impl Fn(&Ray, &Way, &Accelerations) -> Look,
    ) -> Vec<Interval> {
        if from == to {
            return Vec::new();
        }
        let ray = Ray::new(self, from, to, rules);
        let mut found = Intervals::default();
        for stretch in self.stretches(&ray, within) {
            let bounds = self.accelerations(&ray, rules, stretch);
            search(stretch, &mut found, |at| match ray.way(at) {
                Ok(way) => look(&ray, &way, &bounds),
                Err(_) => Look::NOTHING,
            });
        }
        found.0
    }

    /// The parts of `within` in which both ends have positions, cut where bounds on the motion change.
    fn stretches(&self, ray: &Ray, within: Interval) -> Vec<Interval> {
        let leaving = self.spans(ray.from(), within, |at| at);
        // In time of emission.
        let arriving = self.spans(ray.to(), within, |at| ray.emission(at));
        let mut stretches = Vec::new();
        for a in &leaving {
            for b in &arriving {
                let Some(both) = a.and(b) else { continue };
                let mut cuts = self.seams(ray.from(), both, |at| at);
                cuts.extend(self.seams(ray.to(), both, |at| ray.emission(at)));
                stretches.extend(cut(both, cuts));
            }
        }
        stretches
    }

    /// The parts of `within` in which `path` has positions, its instants shifted.
    pub(crate) fn spans(&self, path: &Path, within: Interval, shift: impl Fn(Instant) -> Instant) -> Vec<Interval> {
        let Some(spans) = path.spans() else { return vec![within] };
        let interval = |(start, end): (i64, i64)| Interval {
            start: shift(self.instant_at(start)),
            // The last instant is inside.
            end: shift(self.instant_at(end)) + Duration::from_nanos(1),
        };
        spans.into_iter().filter_map(|span| interval(span).and(&within)).collect()
    }

    /// `known` in parts between which bounds on the motion along `path` change.
    pub(crate) fn cut(&self, path: &Path, known: Interval) -> Vec<Interval> {
        cut(known, self.seams(path, known, |at| at))
    }

    fn seams(&self, path: &Path, within: Interval, shift: impl Fn(Instant) -> Instant) -> Vec<Instant> {
        let (start, end) = (self.tt_ns(within.start), self.tt_ns(within.end));
        path.seams(start, end.saturating_add(LONGEST_WAY.as_nanos()))
            .into_iter()
            .map(|at| shift(self.instant_at(at)))
            .collect()
    }

    /// Bounds for the emission times of one stretch.
    pub(crate) fn accelerations(&self, ray: &Ray, rules: &Visibility, within: Interval) -> Accelerations {
        let keep_out = rules.transmitter.keep_out.iter().chain(&rules.receiver.keep_out).map(|k| k.body);
        let bodies = [ray.from().body(), ray.to().body()];
        let mercury =
            bodies.into_iter().chain(rules.occulters.iter().copied()).chain(keep_out).any(|b| b == Body::Mercury);
        let drift = if mercury { DRIFT_OF_MERCURY_KM_S2 } else { DRIFT_KM_S2 };
        let (start, end) = (self.tt_ns(within.start), self.tt_ns(within.end));
        let [leaves, arrives] = [within.start, within.end].map(|at| self.tt_ns(ray.arrival(at)));
        let from = ray.from().limits(start, end).acceleration + drift;
        let to = ray.to().limits(leaves, arrives).acceleration + drift;
        Accelerations { from, to, line: from + to }
    }
}

/// `whole` cut at those of `seams` that are inside.
fn cut(whole: Interval, mut seams: Vec<Instant>) -> Vec<Interval> {
    seams.retain(|seam| whole.start < *seam && *seam < whole.end);
    seams.sort();
    seams.dedup();
    let starts = std::iter::once(whole.start).chain(seams.iter().copied());
    let ends = seams.iter().copied().chain(std::iter::once(whole.end));
    starts.zip(ends).map(|(start, end)| Interval { start, end }).collect()
}

/// Longer than light takes to anywhere in the solar system.
const LONGEST_WAY: Duration = Duration::from_secs(2 * 86_400);

/// Intervals in order, of which two that touch are one.
#[derive(Debug, Default)]
pub(crate) struct Intervals(pub(crate) Vec<Interval>);

impl Intervals {
    fn push(&mut self, next: Interval) {
        match self.0.last_mut() {
            Some(last) if last.end == next.start => last.end = next.end,
            _ => self.0.push(next),
        }
    }
}

/// The parts of `within` outside `intervals`, which are in order.
pub(crate) fn between(intervals: &[Interval], within: Interval) -> Vec<Interval> {
    let starts = std::iter::once(within.start).chain(intervals.iter().map(|i| i.end));
    let ends = intervals.iter().map(|i| i.start).chain(std::iter::once(within.end));
    starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| Interval { start, end }).collect()
}

/// Adds the intervals of `within` in which looks are clear.
pub(crate) fn search(within: Interval, found: &mut Intervals, look: impl Fn(Instant) -> Look) {
    if within.start >= within.end {
        return;
    }
    let (mut at, mut here) = (within.start, look(within.start));
    let mut open = here.clear().then_some(at);
    while at < within.end {
        let span = Duration::from_nanos((here.safe_s.min(1e9) * 1e9) as i64);
        let next = (at + span.max(FINEST)).min(within.end);
        let there = look(next);
        if there.clear() != here.clear() {
            let edge = edge((at, here), (next, there), &look);
            match open.take() {
                None => open = Some(edge),
                Some(start) => found.push(Interval { start, end: edge }),
            }
        }
        (at, here) = (next, there);
    }
    if let Some(start) = open.filter(|start| *start < within.end) {
        found.push(Interval { start, end: within.end });
    }
}

/// The first instant that is as `after`: false position, which halves where one side stays.
fn edge(before: (Instant, Look), after: (Instant, Look), look: impl Fn(Instant) -> Look) -> Instant {
    let (mut low, mut high) = ((before.0, before.1.value), (after.0, after.1.value));
    let mut halve = false;
    while high.0 - low.0 > EDGE {
        let span = (high.0 - low.0).as_nanos();
        let part = low.1 / (low.1 - high.1);
        // Values without end, as beside a missing position, give no part.
        let part = if halve || !part.is_finite() { 0.5 } else { part.clamp(0.01, 0.99) };
        let step = ((span as f64 * part) as i64).clamp(1, span - 1);
        let middle = (low.0 + Duration::from_nanos(step), look(low.0 + Duration::from_nanos(step)));
        let same = (middle.1.value >= 0.0) == (high.1 >= 0.0);
        let side = (middle.0, middle.1.value);
        if same {
            high = side
        } else {
            low = side
        }
        // A step that does not even halve the span is followed by one that does.
        halve = !halve && (high.0 - low.0).as_nanos() > span / 2;
    }
    high.0
}
