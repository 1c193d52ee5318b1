//! Tables of positions, interpolated.

use std::sync::Arc;

use hifitime::{Epoch, TimeScale};

use crate::body::Body;
use crate::place::{Limits, Motion, OemError, oem};
use crate::vector::Vector;

/// How positions between the lines of a table are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The polynomial through the nearest positions, of this degree.
    Lagrange {
        /// 1 … 15; uses one position more.
        degree: u8,
    },
    /// The polynomial through the nearest positions with the velocities there, of this degree.
    Hermite {
        /// 3 … 15, odd; uses half as many positions, rounded up.
        degree: u8,
    },
}

impl Interpolation {
    /// What is used where a file says nothing: through four positions and velocities.
    pub const DEFAULT: Interpolation = Interpolation::Hermite { degree: 7 };

    /// Whether the velocity has no step at the lines, or one far below a thousandth of it.
    fn is_smooth(self) -> bool {
        !matches!(self, Interpolation::Lagrange { degree: ..=4 })
    }

    /// How many lines of the table one position takes.
    pub(crate) fn nodes(self) -> usize {
        match self {
            Interpolation::Lagrange { degree } => usize::from(degree) + 1,
            Interpolation::Hermite { degree } => usize::from(degree).div_ceil(2),
        }
    }
}

/// The axes in which a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableFrame {
    /// ICRF, GCRF, EME2000.
    Inertial,
    /// True equator and mean equinox of date.
    Teme,
    /// Those that turn with the Earth (ITRF).
    EarthFixed,
}

/// The path of one object as a table of positions and velocities, read from an orbit ephemeris message (CCSDS 502.0-B,
/// section 5) and interpolated as that says.
///
/// Outside the useable spans of its segments the object has no position.
#[derive(Clone, Debug, PartialEq)]
pub struct EphemerisTable(Arc<Table>);

#[derive(Debug, PartialEq)]
struct Table {
    name: String,
    segments: Vec<Segment>,
}

/// One run of lines with one centre, frame and interpolation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) center: Body,
    pub(crate) frame: TableFrame,
    pub(crate) interpolation: Interpolation,
    /// The first and last nanosecond at which it may be used, TT since J2000.
    pub(crate) useable: (i64, i64),
    /// Rising, TT nanoseconds since J2000; at least two.
    pub(crate) times: Vec<i64>,
    /// Position in km, then velocity in km/s.
    pub(crate) states: Vec<[f64; 6]>,
}

impl EphemerisTable {
    /// Reads an OEM file in keyword = value notation that holds one object; its segments follow one another.
    ///
    /// Frames: `ICRF`, `GCRF`, `EME2000` (taken as the ICRF, from which it differs by 0.02″), `TEME`, `ITRF…`. Centres: the
    /// bodies by name, and the barycentres of the planets but the Earth's. Time systems: UTC, TAI, TT, TDB, GPS. Accelerations and covariances are
    /// passed over.
    ///
    /// # Errors
    /// With the number of the line: anything that is no OEM, or asks for what is not supported.
    pub fn from_oem(file: impl AsRef<[u8]>) -> Result<EphemerisTable, OemError> {
        oem::read_one(file.as_ref())
    }

    /// Reads an OEM file with any number of objects, in the order in which they first appear.
    ///
    /// # Errors
    /// As [`EphemerisTable::from_oem`].
    pub fn all_from_oem(file: impl AsRef<[u8]>) -> Result<Vec<EphemerisTable>, OemError> {
        oem::read(file.as_ref())
    }

    /// `segments` must be in order of time, not overlap, and not be empty.
    pub(crate) fn new(name: String, segments: Vec<Segment>) -> EphemerisTable {
        EphemerisTable(Arc::new(Table { name, segments }))
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The spans in which it has a position, in order: from the first to the last instant of each.
    pub fn spans(&self) -> Vec<(Epoch, Epoch)> {
        self.spans_tt_ns().into_iter().map(|(start, end)| (epoch_at(start), epoch_at(end))).collect()
    }

    /// The spans in TT nanoseconds since J2000; segments that touch are one.
    pub(crate) fn spans_tt_ns(&self) -> Vec<(i64, i64)> {
        let mut spans: Vec<(i64, i64)> = Vec::new();
        for segment in &self.0.segments {
            match spans.last_mut() {
                Some(last) if last.1 == segment.useable.0 => last.1 = segment.useable.1,
                _ => spans.push(segment.useable),
            }
        }
        spans
    }

    pub(crate) fn body(&self) -> Body {
        self.0.segments[0].center
    }

    /// The segment to use at an instant. Where two touch it is the later one.
    pub(crate) fn segment(&self, tt_ns: i64) -> Option<&Segment> {
        let next = self.0.segments.partition_point(|s| s.useable.0 <= tt_ns);
        self.0.segments[..next].last().filter(|s| tt_ns <= s.useable.1)
    }

    /// The nearest instant that is useable.
    pub(crate) fn nearest(&self, tt_ns: i64) -> i64 {
        if self.segment(tt_ns).is_some() {
            return tt_ns;
        }
        let next = self.0.segments.partition_point(|s| s.useable.0 <= tt_ns);
        let before = self.0.segments[..next].last().map(|s| s.useable.1);
        let after = self.0.segments.get(next).map(|s| s.useable.0);
        [before, after].into_iter().flatten().min_by_key(|t| t.abs_diff(tt_ns)).unwrap_or(tt_ns)
    }

    /// The segments whose useable spans meet `start` … `end`.
    fn segments_within(&self, start: i64, end: i64) -> impl Iterator<Item = &Segment> {
        self.0.segments.iter().filter(move |s| s.useable.0 <= end && start <= s.useable.1)
    }

    /// Instants at which bounds on the motion change: the ends of segments and every so many lines; and every line where the
    /// velocity steps there.
    pub(crate) fn seams(&self, start: i64, end: i64) -> Vec<i64> {
        const LINES: usize = 64;
        self.segments_within(start, end)
            .flat_map(|s| {
                let lines = if s.interpolation.is_smooth() { LINES } else { 1 };
                s.times.iter().copied().step_by(lines).chain([s.useable.0, s.useable.1])
            })
            .filter(|t| start < *t && *t < end)
            .collect()
    }

    /// Bounds on the motion between two seams.
    pub(crate) fn limits(&self, start: i64, end: i64) -> Limits {
        self.segments_within(start, end).map(|s| s.limits(start, end)).fold(
            Limits { speed: 0.0, acceleration: 0.0 },
            |a, b| Limits { speed: a.speed.max(b.speed), acceleration: a.acceleration.max(b.acceleration) },
        )
    }
}

/// The epoch `tt_ns` nanoseconds of TT after J2000.
pub(crate) fn epoch_at(tt_ns: i64) -> Epoch {
    // J2000 is noon, and hifitime counts from a midnight or a noon according to the scale: from a calendar date it is certain.
    Epoch::from_gregorian(2000, 1, 1, 12, 0, 0, 0, TimeScale::TT)
        + hifitime::Duration::from_total_nanoseconds(i128::from(tt_ns))
}

impl Segment {
    /// Position and velocity in the segment's own frame, against its centre.
    pub(crate) fn motion(&self, tt_ns: i64) -> Motion {
        let wanted = self.interpolation.nodes().min(self.times.len());
        // The nodes about the interval that holds the instant, as even as the ends allow.
        let after = self.times.partition_point(|t| *t <= tt_ns).clamp(1, self.times.len() - 1);
        let first = after.saturating_sub(wanted.div_ceil(2)).min(self.times.len() - wanted);
        let nodes = first..first + wanted;
        // In units of the span of the nodes, so that high powers neither overflow nor vanish.
        let origin = self.times[first];
        let span = self.times[first + wanted - 1].abs_diff(origin) as f64;
        let unit_s = span / 1e9;
        let at = tt_ns.abs_diff(origin) as f64 / span;
        let place = |k: usize| self.times[k].abs_diff(origin) as f64 / span;
        let hermite = matches!(self.interpolation, Interpolation::Hermite { .. });

        // Newton's divided differences, in which a node that counts twice brings its derivative.
        let mut x = [0.0; MOST_POINTS];
        let mut table = [[0.0; 3]; MOST_POINTS];
        let mut slopes = [[0.0; 3]; MOST_POINTS];
        let mut count = 0;
        for k in nodes {
            let [px, py, pz, vx, vy, vz] = self.states[k];
            for _ in 0..if hermite { 2 } else { 1 } {
                x[count] = place(k);
                table[count] = [px, py, pz];
                slopes[count] = [vx * unit_s, vy * unit_s, vz * unit_s];
                count += 1;
            }
        }
        for order in 1..count {
            for k in (order..count).rev() {
                let gap = x[k] - x[k - order];
                for d in 0..3 {
                    table[k][d] = if gap == 0.0 { slopes[k][d] } else { (table[k][d] - table[k - 1][d]) / gap };
                }
            }
        }
        let (mut value, mut slope) = (table[count - 1], [0.0; 3]);
        for k in (0..count - 1).rev() {
            for d in 0..3 {
                slope[d] = slope[d] * (at - x[k]) + value[d];
                value[d] = value[d] * (at - x[k]) + table[k][d];
            }
        }
        Motion { position: Vector(value), velocity: Vector(slope) * (1.0 / unit_s) }
    }

    /// Bounds on the motion between `start` and `end`, with half as much again as what cubic pieces through the lines show.
    pub(crate) fn limits(&self, start: i64, end: i64) -> Limits {
        let first = self.times.partition_point(|t| *t <= start).saturating_sub(1);
        let last = (self.times.partition_point(|t| *t < end) + 1).min(self.times.len());
        let mut limits = Limits { speed: 0.0, acceleration: 0.0 };
        for k in first..last.saturating_sub(1) {
            let h = self.times[k + 1].abs_diff(self.times[k]) as f64 / 1e9;
            let part = |state: &[f64; 6], at: usize| Vector([state[at], state[at + 1], state[at + 2]]);
            let (a, b) = (&self.states[k], &self.states[k + 1]);
            let mean = (part(b, 0) - part(a, 0)) * (1.0 / h);
            let (u, v) = (part(a, 3), part(b, 3));
            let bend = [mean * 6.0 - u * 4.0 - v * 2.0, v * 4.0 + u * 2.0 - mean * 6.0]
                .map(|a| (a * (1.0 / h)).length())
                .into_iter()
                .fold(0.0, f64::max);
            limits.acceleration = limits.acceleration.max(bend);
            limits.speed = limits.speed.max(mean.length() + bend * h);
        }
        Limits { speed: limits.speed * 1.5, acceleration: limits.acceleration * 1.5 }
    }
}

/// Sixteen positions, or eight with their velocities.
pub(crate) const MOST_POINTS: usize = 16;
