//! When who can see whom.
//!
//! The margin of [`Ray::margin`] is sampled, a few dozen times per orbit or turn. Where its sign changes, the edge is found by
//! halving down to the nanosecond. A contact (or gap) shorter than the step shows only as a peak (or dip) that stays on the
//! wrong side of zero in the samples: every such peak is climbed by golden section before it is given up.

use std::f64::consts::TAU;

use farlink_units::{Duration, Instant};

use crate::geometry::Geometry;
use crate::place::Place;
use crate::rotation::rotation_period_s;
use crate::visibility::{Ray, Visibility};

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
}

/// Samples per orbit (at the pace of the periapsis) and per turn of a body.
const PER_ORBIT: f64 = 64.0;
const PER_TURN: f64 = 96.0;
/// Longest and shortest step in seconds; planets alone move slowly.
const STEP_S: (f64, f64) = (1.0, 7200.0);
/// How finely a peak is climbed; a contact or gap that is shorter may be missed.
const PEAK: Duration = Duration::from_millis(1);

fn step(ends: [&Place; 2]) -> Duration {
    let seconds = ends.map(|place| match place {
        Place::Center(_) => STEP_S.1,
        Place::Site(site) => rotation_period_s(site.body) / PER_TURN,
        Place::Orbit(orbit) => TAU / orbit.fastest_turn() / PER_ORBIT,
    });
    // `max` and `min` drop a NaN, so that an impossible orbit cannot stop the search.
    Duration::from_secs_f64(seconds[0].min(seconds[1]).min(STEP_S.1).max(STEP_S.0))
}

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    margin: f64,
}

impl Sample {
    fn clear(self) -> bool {
        self.margin >= 0.0
    }
}

impl Geometry {
    /// The intervals of emission time at `from`, within `start` … `end`, in which light reaches `to` under `rules`.
    ///
    /// They are in order, apart from each other, and cut at `start` and `end`. Edges are right to a microsecond or so (where
    /// rounding of the positions sets in); a contact or gap below a millisecond may be missed.
    pub fn contacts(
        &self,
        from: &Place,
        to: &Place,
        rules: &Visibility,
        start: Instant,
        end: Instant,
    ) -> Vec<Interval> {
        if start >= end {
            return Vec::new();
        }
        let ray = Ray::new(self, from, to, rules);
        let sample = |at| Sample { at, margin: ray.margin(at) };
        let step = step([from, to]);

        let mut edges = Edges { ray: &ray, last: sample(start), open: None, found: Vec::new() };
        edges.open = edges.last.clear().then_some(start);
        // The first and the last sample stand beside themselves, so that a peak at the very edge is climbed too.
        let mut middle = edges.last;
        let mut left = middle;
        while middle.at < end {
            let right = sample((middle.at + step).min(end));
            edges.pass(left, middle, right);
            (left, middle) = (middle, right);
        }
        edges.pass(left, middle, middle);
        edges.finish(end)
    }
}

/// Collects intervals from samples that come in order.
struct Edges<'a> {
    ray: &'a Ray<'a>,
    last: Sample,
    open: Option<Instant>,
    found: Vec<Interval>,
}

impl Edges<'_> {
    /// Takes `middle` in, after the peak about it if that crosses zero unseen.
    fn pass(&mut self, left: Sample, middle: Sample, right: Sample) {
        let side = middle.clear();
        let sign = if side { -1.0 } else { 1.0 };
        let peak = side == left.clear()
            && side == right.clear()
            && middle.margin.is_finite()
            && middle.margin * sign >= left.margin * sign
            && middle.margin * sign >= right.margin * sign;
        match peak.then(|| self.climb(left.at, right.at, sign)).flatten() {
            Some(hidden) if hidden.at < middle.at => {
                self.take(hidden);
                self.take(middle);
            }
            Some(hidden) => {
                self.take(middle);
                self.take(hidden);
            }
            None => self.take(middle),
        }
    }

    /// Looks between `left` and `right` for a sample on the other side of zero: above it with `sign` 1, below it with −1.
    fn climb(&self, left: Instant, right: Instant, sign: f64) -> Option<Sample> {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let at = |from: Instant, span: Duration, part: f64| {
            let at = from + Duration::from_nanos((span.as_nanos() as f64 * part) as i64);
            Sample { at, margin: self.ray.margin(at) }
        };
        let crossed = |s: &Sample| s.clear() == (sign > 0.0);
        let (mut left, mut span) = (left, right - left);
        let (mut a, mut b) = (at(left, span, 1.0 - GOLDEN), at(left, span, GOLDEN));
        loop {
            if let Some(found) = [a, b].into_iter().find(crossed) {
                return Some(found);
            }
            if span < PEAK {
                return None;
            }
            if a.margin * sign >= b.margin * sign {
                span = b.at - left;
                b = a;
                a = at(left, span, 1.0 - GOLDEN);
            } else {
                span = left + span - a.at;
                left = a.at;
                a = b;
                b = at(left, span, GOLDEN);
            }
        }
    }

    /// Takes the next sample in; halves down to the edge if it is on the other side.
    fn take(&mut self, sample: Sample) {
        if sample.clear() != self.last.clear() {
            let (mut before, mut after) = (self.last.at.as_nanos(), sample.at.as_nanos());
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                if (self.ray.margin(Instant::from_nanos(middle)) >= 0.0) == sample.clear() {
                    after = middle;
                } else {
                    before = middle;
                }
            }
            let edge = Instant::from_nanos(after);
            match self.open.take() {
                None => self.open = Some(edge),
                Some(start) => self.found.push(Interval { start, end: edge }),
            }
        }
        self.last = sample;
    }

    fn finish(mut self, end: Instant) -> Vec<Interval> {
        if let Some(start) = self.open.filter(|start| *start < end) {
            self.found.push(Interval { start, end });
        }
        self.found
    }
}
