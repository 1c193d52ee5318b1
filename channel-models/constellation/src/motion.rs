//! How two satellites of a shell move against one another.
//!
//! Both are on circles of one radius a and one inclination i, at arguments of latitude u₁ and u₂ = u₁ + δ, with their nodes D
//! apart; u₁ grows at a constant rate, δ and D stay. So for the angle θ between them, seen from the centre of the body,
//!
//! `cos θ = K + M cos(u₁ + u₂)`, `M = −½ sin² i (1 − cos D)`,
//! `K = ½ cos δ (cos D (1 + cos² i) + sin² i) − cos i sin D sin δ`,
//!
//! which is the scalar product of the two directions with the products of sines and cosines taken apart. Satellite 2 is above
//! the plane of satellite 1, which is to the left of its flight, where `cos i (1 − cos D) sin u₂ − sin D cos u₂` is positive.

use std::f64::consts::{PI, TAU};

use farlink_units::Instant;

use crate::shell::{NoSuchSlot, Shell, Slot};

/// On which side of its orbital plane a satellite sees another, looking ahead with up away from the body. (Its velocity leans
/// out of that plane by the drift of the node, less than 0.1°.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// To the left: westwards for one that rises on a prograde orbit.
    Left,
    /// To the right.
    Right,
}

/// How two satellites of one shell move against one another, in closed form.
///
/// Positions are taken at one instant, without light time: that moves a range by less than 1 m in each 10 km.
#[derive(Clone, Debug, PartialEq)]
pub struct Motion {
    pub(crate) radius_km: f64,
    /// Sine and cosine of the inclination.
    pub(crate) inclination: (f64, f64),
    /// The first satellite's argument of latitude at [`Instant::ZERO`], in radians.
    pub(crate) start: f64,
    /// How fast it grows, in radians per second.
    pub(crate) rate: f64,
    /// How far the second satellite is ahead of the first, δ, in radians.
    pub(crate) ahead: f64,
    /// How far the second node is east of the first, D, in radians.
    pub(crate) apart: f64,
    constant: f64,
    swing: f64,
}

impl Shell {
    /// How the satellite in `second` moves against the one in `first`.
    ///
    /// # Errors
    /// A slot that the shell does not have.
    pub fn motion(&self, first: Slot, second: Slot) -> Result<Motion, NoSuchSlot> {
        self.check(first)?;
        self.check(second)?;
        let (sin_i, cos_i) = self.walker().inclination_deg.to_radians().sin_cos();
        let start = self.argument(first);
        let (ahead, apart) = (self.argument(second) - start, self.node(second) - self.node(first));
        let ((sin_a, cos_a), (sin_d, cos_d)) = (ahead.sin_cos(), apart.sin_cos());
        Ok(Motion {
            radius_km: self.radius_km(),
            inclination: (sin_i, cos_i),
            start,
            rate: self.turn_rate(),
            ahead,
            apart,
            constant: 0.5 * cos_a * (cos_d * (1.0 + cos_i * cos_i) + sin_i * sin_i) - cos_i * sin_d * sin_a,
            swing: -0.5 * sin_i * sin_i * (1.0 - cos_d),
        })
    }
}

impl Motion {
    /// The distance between the two, in km.
    pub fn range_km(&self, at: Instant) -> f64 {
        self.range_at(self.phase(at))
    }

    /// How fast the distance grows, in km/s.
    pub fn range_rate_km_s(&self, at: Instant) -> f64 {
        let phase = self.phase(at);
        let slope = 2.0 * self.rate * self.swing * (2.0 * phase + self.ahead).sin();
        let range = self.range_at(phase);
        // Two that meet are at rest against one another in this one direction.
        if range == 0.0 { 0.0 } else { self.radius_km * self.radius_km * slope / range }
    }

    /// The least and the greatest distance that ever come about, in km.
    pub fn range_bounds_km(&self) -> (f64, f64) {
        let range = |cos_sum: f64| self.range_of(self.constant + self.swing * cos_sum);
        (range(-1.0), range(1.0))
    }

    /// Whether they fly the same way: their velocities are less than 90° apart.
    pub fn same_direction(&self, at: Instant) -> bool {
        let phase = self.phase(at);
        // Velocities are a quarter of a turn ahead of positions, which turns the sign of cos(u₁ + u₂).
        self.constant - self.swing * (2.0 * phase + self.ahead).cos() > 0.0
    }

    /// On which side the first sees the second; `None` in one plane, where it is neither.
    pub fn side_of_second(&self, at: Instant) -> Option<Side> {
        self.second_beside(self.phase(at))
    }

    /// On which side the second sees the first; `None` in one plane.
    pub fn side_of_first(&self, at: Instant) -> Option<Side> {
        self.first_beside(self.phase(at))
    }

    /// The latitudes of both, in degrees, north positive: angles from the plane of the equator that inclinations refer to.
    pub fn latitudes_deg(&self, at: Instant) -> [f64; 2] {
        let phase = self.phase(at);
        [phase, phase + self.ahead].map(|u| (self.inclination.0 * u.sin()).asin().to_degrees())
    }

    /// The first satellite's argument of latitude, in radians.
    pub(crate) fn phase(&self, at: Instant) -> f64 {
        self.start + self.rate * at.as_secs_f64()
    }

    pub(crate) fn cos_angle(&self, phase: f64) -> f64 {
        self.constant + self.swing * (2.0 * phase + self.ahead).cos()
    }

    /// The phases, 0 … 2π, at which the angle between the two has this cosine.
    pub(crate) fn phases_with_cos_angle(&self, cosine: f64) -> Vec<f64> {
        let cos_sum = (cosine - self.constant) / self.swing;
        if !(-1.0..=1.0).contains(&cos_sum) {
            return Vec::new();
        }
        let sum = cos_sum.acos();
        [sum, -sum].into_iter().flat_map(|s| halves((s - self.ahead) / 2.0)).collect()
    }

    /// The phases, 0 … 2π, at which the second crosses the plane of the first, and those at which the first crosses that of
    /// the second.
    pub(crate) fn crossings(&self) -> [Vec<f64>; 2] {
        if !self.has_sides() {
            return [Vec::new(), Vec::new()];
        }
        let (sin_d, cos_d) = self.apart.sin_cos();
        let crossing = sin_d.atan2(self.inclination.1 * (1.0 - cos_d));
        [halves(crossing - self.ahead).to_vec(), halves(-crossing).to_vec()]
    }

    pub(crate) fn second_beside(&self, phase: f64) -> Option<Side> {
        self.beside(self.apart, phase + self.ahead)
    }

    pub(crate) fn first_beside(&self, phase: f64) -> Option<Side> {
        self.beside(-self.apart, phase)
    }

    /// The side of one at argument `u` whose node is `apart` east of the plane's.
    fn beside(&self, apart: f64, u: f64) -> Option<Side> {
        let (sin_d, cos_d) = apart.sin_cos();
        let above = self.inclination.1 * (1.0 - cos_d) * u.sin() - sin_d * u.cos();
        self.has_sides().then_some(if above > 0.0 { Side::Left } else { Side::Right })
    }

    /// Whether the two planes are different ones.
    fn has_sides(&self) -> bool {
        const SAME: f64 = 1e-12;
        self.inclination.0.abs() > SAME && (1.0 - self.apart.cos()) > SAME
    }

    fn range_at(&self, phase: f64) -> f64 {
        self.range_of(self.cos_angle(phase))
    }

    fn range_of(&self, cos_angle: f64) -> f64 {
        self.radius_km * (2.0 * (1.0 - cos_angle)).max(0.0).sqrt()
    }
}

/// A phase and the one half a turn on, both brought to 0 … 2π.
fn halves(phase: f64) -> [f64; 2] {
    [phase.rem_euclid(TAU), (phase + PI).rem_euclid(TAU)]
}
