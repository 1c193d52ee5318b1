//! When the links of a shell carry.

use std::f64::consts::{PI, TAU};

use farlink_channel_models::Interval;
use farlink_units::{Duration, Instant};
use thiserror::Error;

use crate::motion::Motion;
use crate::neighbours::Link;
use crate::shell::{NoSuchSlot, Shell};

/// How terminals point to the sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointing {
    /// All around: the link lives through the change of sides where planes cross.
    AllRound,
    /// A terminal to each side: links between planes are from the right of one satellite to the left of another. Where the
    /// planes cross the link flips: it breaks, and the other two terminals take this long to find each other.
    OneTerminalPerSide {
        /// The time from when both ends see each other on new sides until the link carries again.
        acquisition: Duration,
    },
}

/// What a link between satellites needs to carry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkRules {
    /// The greatest distance in km; infinite for none.
    pub max_range_km: f64,
    /// How high above the body's equatorial radius the line of sight must stay, in km: the atmosphere, about 80 km for light.
    /// The body counts as a sphere of that radius, which hides a little more than the real one.
    pub grazing_altitude_km: f64,
    /// Links between planes are off where one end is at a higher latitude than this, in degrees; 90 for none.
    pub max_latitude_deg: f64,
    /// How terminals point.
    pub pointing: Pointing,
}

/// Why rules cannot be applied.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LinkError {
    /// A rule that has no meaning.
    #[error("`{field}` of the link rules is {value}: it must be {range}")]
    Rule {
        /// The field of [`LinkRules`].
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it can be, in words.
        range: &'static str,
    },
    /// An end that the shell does not have.
    #[error(transparent)]
    Slot(#[from] NoSuchSlot),
}

impl LinkRules {
    fn check(&self) -> Result<(), LinkError> {
        let within = |field, value: f64, ok: bool, range| {
            if ok { Ok(()) } else { Err(LinkError::Rule { field, value, range }) }
        };
        within("max_range_km", self.max_range_km, self.max_range_km > 0.0, "above 0")?;
        let finite = self.grazing_altitude_km.is_finite();
        within("grazing_altitude_km", self.grazing_altitude_km, finite, "finite")?;
        let latitude = (0.0..=90.0).contains(&self.max_latitude_deg);
        within("max_latitude_deg", self.max_latitude_deg, latitude, "from 0 to 90")?;
        if let Pointing::OneTerminalPerSide { acquisition } = self.pointing {
            within("acquisition", acquisition.as_secs_f64(), !acquisition.is_negative(), "0 or more seconds")?;
        }
        Ok(())
    }
}

impl Shell {
    /// When `link` carries within `start` … `end`: in order, apart from each other, cut at both.
    ///
    /// The shape of the shell repeats with each revolution, so edges are computed and not searched for: right to the nanosecond
    /// within days of [`Instant::ZERO`], and none is missed however short a contact is. Positions are taken at one instant; light
    /// that is under way for some milliseconds would see an edge that much earlier or later.
    ///
    /// # Errors
    /// A rule without meaning, an end that the shell does not have.
    pub fn contacts(
        &self,
        link: &Link,
        rules: &LinkRules,
        start: Instant,
        end: Instant,
    ) -> Result<Vec<Interval>, LinkError> {
        rules.check()?;
        let motion = self.motion(link.from, link.to)?;
        let body_km = self.walker().body.equatorial_radius_km();
        Ok(Conditions::new(&motion, rules, body_km, link.from.plane != link.to.plane).contacts(start, end))
    }
}

/// Rules applied to one pair.
struct Conditions<'a> {
    motion: &'a Motion,
    /// The least cosine of the angle between the two.
    least_cos_angle: f64,
    /// The greatest sine of an argument of latitude, for pairs of different planes.
    max_sine: Option<f64>,
    /// For pairs of different planes with a terminal per side.
    acquisition: Option<Duration>,
}

impl<'a> Conditions<'a> {
    fn new(motion: &'a Motion, rules: &LinkRules, body_km: f64, between_planes: bool) -> Self {
        let a = motion.radius_km;
        let in_range = 1.0 - (rules.max_range_km / a).powi(2) / 2.0;
        // The middle of the line is nearest to the centre, a cos(θ/2) away.
        let grazing = ((body_km + rules.grazing_altitude_km) / a).max(0.0);
        let above_limb = if grazing > 1.0 { f64::INFINITY } else { 2.0 * grazing * grazing - 1.0 };
        let sine = rules.max_latitude_deg.to_radians().sin() / motion.inclination.0;
        Conditions {
            motion,
            least_cos_angle: in_range.max(above_limb),
            max_sine: (between_planes && sine < 1.0).then_some(sine),
            acquisition: match rules.pointing {
                Pointing::OneTerminalPerSide { acquisition } if between_planes => Some(acquisition),
                _ => None,
            },
        }
    }

    /// Whether all holds at a phase, but for what acquisition takes.
    fn hold(&self, phase: f64) -> bool {
        let motion = self.motion;
        let low = |sine: f64| phase.sin().abs() <= sine && (phase + motion.ahead).sin().abs() <= sine;
        motion.cos_angle(phase) >= self.least_cos_angle
            && self.max_sine.is_none_or(low)
            && (self.acquisition.is_none() || self.on_opposite_sides(phase))
    }

    /// Whether each has a terminal towards the other that looks back: the right one of the one, the left one of the other.
    fn on_opposite_sides(&self, phase: f64) -> bool {
        match (self.motion.second_beside(phase), self.motion.first_beside(phase)) {
            (Some(one), Some(other)) => one != other,
            _ => true,
        }
    }

    /// The phases, 0 … 2π, at which any condition can change, in order.
    fn edges(&self) -> Vec<f64> {
        let mut edges = self.motion.phases_with_cos_angle(self.least_cos_angle);
        if let Some(sine) = self.max_sine {
            let u = sine.asin();
            let own = [u, -u, PI + u, PI - u];
            edges.extend(own.iter().chain(&own.map(|u| u - self.motion.ahead)).map(|u| u.rem_euclid(TAU)));
        }
        if self.acquisition.is_some() {
            edges.extend(self.motion.crossings().into_iter().flatten());
        }
        edges.retain(|edge| edge.is_finite());
        edges.sort_by(f64::total_cmp);
        edges
    }

    /// The parts of a turn in which the link carries, as phases from where they begin to where they end, which may be beyond
    /// 2π. `None` stands for all the time.
    fn arcs(&self) -> Option<Vec<(f64, f64)>> {
        let edges = self.edges();
        let Some(&first) = edges.first() else {
            return if self.hold(0.0) { None } else { Some(Vec::new()) };
        };
        let ends = edges.iter().skip(1).copied().chain([first + TAU]);
        let mut arcs: Vec<(f64, f64)> = Vec::new();
        // Between two edges nothing changes, so the middle speaks for all. Edges that coincide leave nothing between.
        for (start, end) in edges.iter().copied().zip(ends).filter(|(start, end)| start < end) {
            if self.hold((start + end) / 2.0) {
                match arcs.last_mut().filter(|last| last.1 == start && !self.flips_at(start)) {
                    Some(last) => last.1 = end,
                    None => arcs.push((start, end)),
                }
            }
        }
        if arcs == [(first, first + TAU)] && !self.flips_at(first) {
            return None;
        }
        if let [head, .., tail] = arcs[..]
            && (head.0, tail.1) == (first, first + TAU)
            && !self.flips_at(first)
        {
            arcs.remove(0);
            arcs.pop();
            arcs.push((tail.0, head.1 + TAU));
        }
        Some(arcs.into_iter().map(|(start, end)| (self.acquired(start), end)).filter(|arc| arc.0 < arc.1).collect())
    }

    /// Whether an end comes to see the other on its other side at this very phase.
    fn flips_at(&self, phase: f64) -> bool {
        self.acquisition.is_some() && self.motion.crossings().iter().flatten().any(|crossing| *crossing == phase)
    }

    /// The phase at which an arc that begins at `phase` carries: not before the time for acquisition is over since the last flip.
    fn acquired(&self, phase: f64) -> f64 {
        let Some(acquisition) = self.acquisition else { return phase };
        let needed = acquisition.as_secs_f64() * self.motion.rate;
        let since = |crossing: &f64| (phase - crossing).rem_euclid(TAU);
        let since_last = self.motion.crossings().iter().flatten().map(since).fold(f64::INFINITY, f64::min);
        phase + (needed - since_last).max(0.0)
    }

    fn contacts(&self, start: Instant, end: Instant) -> Vec<Interval> {
        if start >= end {
            return Vec::new();
        }
        let Some(arcs) = self.arcs() else { return vec![Interval { start, end }] };
        let motion = self.motion;
        let turn = |at| (motion.phase(at) / TAU).floor() as i64;
        let mut found = Vec::new();
        // An arc begins less than two turns before the phase at which it ends.
        for turn in turn(start) - 2..=turn(end) {
            let at = |phase: f64| Instant::from_secs_f64((phase - motion.start + turn as f64 * TAU) / motion.rate);
            let cut = |&(from, to): &(f64, f64)| Interval { start: at(from).max(start), end: at(to).min(end) };
            found.extend(arcs.iter().map(cut).filter(|part| part.start < part.end));
        }
        found
    }
}
