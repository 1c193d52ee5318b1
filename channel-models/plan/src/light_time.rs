//! One-way light time as a function of time.

use farlink_units::{Duration, Instant};

/// A span of emission time over which light time is linear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// The first instant of the span.
    pub start: Instant,
    /// The first instant after it.
    pub end: Instant,
    /// Light time of what leaves at `start`.
    pub first: Duration,
    /// Light time of what leaves just before `end`.
    pub last: Duration,
}

impl Piece {
    /// A span over which light time stays the same.
    pub const fn constant(start: Instant, end: Instant, light_time: Duration) -> Self {
        Piece { start, end, first: light_time, last: light_time }
    }

    /// Light time of what leaves at `at`, to the nearest nanosecond; outside the span, that of its nearer end.
    pub fn at(&self, at: Instant) -> Duration {
        if at <= self.start || self.end <= self.start {
            return self.first;
        }
        if at >= self.end {
            return self.last;
        }
        let nanos = |t: Instant| i128::from(t.as_nanos());
        let (span, passed) = (nanos(self.end) - nanos(self.start), nanos(at) - nanos(self.start));
        let change = i128::from(self.last.as_nanos()) - i128::from(self.first.as_nanos());
        // Twice the share, so that halves round up.
        let moved = (2 * change * passed + span).div_euclid(2 * span);
        let light_time = i128::from(self.first.as_nanos()) + moved;
        Duration::from_nanos(light_time as i64)
    }

    /// The part of the span within `start` … `end`.
    pub fn within(&self, start: Instant, end: Instant) -> Option<Piece> {
        let (from, to) = (self.start.max(start), self.end.min(end));
        (from < to).then(|| Piece { start: from, end: to, first: self.at(from), last: self.at(to) })
    }

    fn continues(&self, next: &Piece) -> bool {
        let flat = |p: &Piece| p.first == p.last;
        self.end == next.start && self.last == next.first && flat(self) && flat(next)
    }
}

/// One-way light time by instant of emission: spans that are linear each, in order of time. Where there is none, it is not known.
///
/// ```
/// use farlink_contact_plan::LightTime;
/// use farlink_units::{Duration, Instant};
///
/// let s = |secs| Instant::ZERO + Duration::from_secs(secs);
/// let receding = LightTime::sampled(&[(s(0), Duration::from_secs(240)), (s(3600), Duration::from_secs(243))]);
/// assert_eq!(receding.at(s(1200)), Some(Duration::from_secs(241)));
/// assert_eq!(receding.at(s(3600)), None);
/// assert_eq!(receding.max(), Some(Duration::from_secs(243)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LightTime {
    pieces: Vec<Piece>,
}

impl LightTime {
    /// Not known at any time.
    pub const UNKNOWN: LightTime = LightTime { pieces: Vec::new() };

    /// These spans; they are put in order. Pieces that overlap are found by [`ContactPlan::validate`](crate::ContactPlan::validate).
    pub fn new(mut pieces: Vec<Piece>) -> Self {
        pieces.sort_by_key(|p| (p.start, p.end));
        LightTime { pieces }
    }

    /// The same from `start` to `end`.
    pub fn constant(start: Instant, end: Instant, light_time: Duration) -> Self {
        LightTime { pieces: vec![Piece::constant(start, end, light_time)] }
    }

    /// Linear between samples, which are in order of time; not known outside of them.
    pub fn sampled(samples: &[(Instant, Duration)]) -> Self {
        let piece = |pair: &[(Instant, Duration)]| Piece {
            start: pair[0].0,
            end: pair[1].0,
            first: pair[0].1,
            last: pair[1].1,
        };
        LightTime { pieces: samples.windows(2).map(piece).collect() }
    }

    /// Each value holds until the next one, the last until `end`.
    pub fn stepped(steps: &[(Instant, Duration)], end: Instant) -> Self {
        let ends = steps.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let piece =
            |((start, light_time), end): (&(Instant, Duration), Instant)| Piece::constant(*start, end, *light_time);
        LightTime { pieces: steps.iter().zip(ends).map(piece).collect() }
    }

    /// Linear pieces that stand for `of` from `start` to `end`. Each piece is halved until it is within `tolerance` of the function
    /// in its middle and quarters, or a microsecond long. `of` must be smooth on the scale of an hour, since pieces are never
    /// longer than that.
    pub fn fit(start: Instant, end: Instant, tolerance: Duration, of: impl Fn(Instant) -> Duration) -> Self {
        const LONGEST: i64 = 3_600_000_000_000;
        const SHORTEST: i64 = 1000;
        let mut pieces = Vec::new();
        // The last piece to be looked at stands first.
        let mut open =
            if start < end { vec![Piece { start, end, first: of(start), last: of(end) }] } else { Vec::new() };
        while let Some(piece) = open.pop() {
            let span = (piece.end - piece.start).as_nanos();
            let at = |quarter: i64| piece.start + Duration::from_nanos(span / 4 * quarter);
            let off = |quarter| {
                let difference = of(at(quarter)) - piece.at(at(quarter));
                // An eighth is left for what lies between the instants that are looked at.
                difference.max(Duration::ZERO - difference).saturating_mul(8) > tolerance.saturating_mul(7)
            };
            if span > SHORTEST && (span > LONGEST || [1, 2, 3].into_iter().any(off)) {
                let (middle, light_time) = (at(2), of(at(2)));
                open.push(Piece { start: middle, first: light_time, ..piece });
                open.push(Piece { end: middle, last: light_time, ..piece });
            } else {
                pieces.push(piece);
            }
        }
        LightTime { pieces }
    }

    /// The spans, in order of their starts.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Light time of what leaves at `at`, if it is known.
    pub fn at(&self, at: Instant) -> Option<Duration> {
        let last = self.pieces.partition_point(|p| p.start <= at).checked_sub(1)?;
        Some(&self.pieces[last]).filter(|p| at < p.end).map(|p| p.at(at))
    }

    /// The shortest that it gets.
    pub fn min(&self) -> Option<Duration> {
        self.pieces.iter().map(|p| p.first.min(p.last)).min()
    }

    /// The longest that it gets.
    pub fn max(&self) -> Option<Duration> {
        self.pieces.iter().map(|p| p.first.max(p.last)).max()
    }

    /// What of it lies within `start` … `end`.
    pub fn within(&self, start: Instant, end: Instant) -> LightTime {
        LightTime { pieces: self.pieces.iter().filter_map(|p| p.within(start, end)).collect() }
    }

    /// Where it is not known within `start` … `end`.
    pub fn gaps(&self, start: Instant, end: Instant) -> Vec<(Instant, Instant)> {
        let mut gaps = Vec::new();
        let mut known = start;
        for piece in &self.pieces {
            if piece.start > known && known < end {
                gaps.push((known, piece.start.min(end)));
            }
            known = known.max(piece.end);
        }
        if known < end {
            gaps.push((known, end));
        }
        gaps
    }

    /// Whether it is one value throughout.
    pub fn is_constant(&self) -> bool {
        self.min() == self.max()
    }

    /// Joins pieces that are one, and takes out empty ones.
    pub(crate) fn tidy(&mut self) {
        self.pieces.sort_by_key(|p| (p.start, p.end));
        let mut kept: Vec<Piece> = Vec::with_capacity(self.pieces.len());
        for piece in self.pieces.drain(..) {
            match kept.last_mut() {
                Some(before) if before.continues(&piece) => before.end = piece.end,
                _ => kept.push(piece),
            }
        }
        self.pieces = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(secs: i64) -> Instant {
        Instant::from_nanos(secs * 1_000_000_000)
    }

    fn d(secs: i64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_step_holds_until_the_next() {
        let light = LightTime::stepped(&[(s(0), d(4)), (s(10), d(5))], s(20));
        assert_eq!([0, 9, 10, 19].map(|t| light.at(s(t))), [d(4), d(4), d(5), d(5)].map(Some));
        assert_eq!((light.at(s(-1)), light.at(s(20))), (None, None));
        assert_eq!(light.gaps(s(-5), s(25)), [(s(-5), s(0)), (s(20), s(25))]);
        assert!(light.gaps(s(0), s(20)).is_empty());
        assert_eq!(light.within(s(5), s(15)).pieces().len(), 2);
    }

    #[test]
    fn interpolation_is_exact_over_the_whole_range_of_time() {
        let piece = Piece {
            start: Instant::from_nanos(i64::MIN),
            end: Instant::MAX,
            first: Duration::ZERO,
            last: Duration::MAX,
        };
        assert_eq!(piece.at(Instant::ZERO), Duration::from_nanos(1 << 62));
        let odd = Piece { start: s(0), end: s(3), first: d(0), last: Duration::from_nanos(2) };
        assert_eq!([0, 1, 2].map(|t| odd.at(s(t)).as_nanos()), [0, 1, 1]);
    }

    #[test]
    fn a_fit_stays_within_its_tolerance() {
        let of = |t: Instant| Duration::from_secs_f64(10.0 + 0.02 * (t.as_secs_f64() / 1100.0).sin());
        let tolerance = Duration::from_nanos(1000);
        let light = LightTime::fit(s(0), s(86_400), tolerance, of);
        let worst = (0..86_400).map(|t| (light.at(s(t)).unwrap() - of(s(t))).as_nanos().abs()).max().unwrap();
        assert!(worst <= 1000, "{worst} ns");
        assert!(light.pieces().len() < 5000, "{}", light.pieces().len());
        assert_eq!(LightTime::fit(s(5), s(5), tolerance, of), LightTime::UNKNOWN);
    }

    #[test]
    fn equal_neighbours_become_one() {
        let mut light = LightTime::stepped(&[(s(0), d(4)), (s(10), d(4)), (s(20), d(5))], s(30));
        light.tidy();
        assert_eq!(light, LightTime::stepped(&[(s(0), d(4)), (s(20), d(5))], s(30)));
    }
}
