//! The little algebra that the geometry needs.

use std::ops::{Add, Mul, Sub};

use crate::place::Motion;

/// What a number of turns is beyond whole ones, 0 … 1. A remainder would cost the more the larger the number is.
pub(crate) fn fraction(turns: f64) -> f64 {
    turns - turns.floor()
}

/// A vector in km, or a direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Vector(pub(crate) [f64; 3]);

impl Vector {
    pub(crate) fn dot(self, o: Vector) -> f64 {
        self.0[0] * o.0[0] + self.0[1] * o.0[1] + self.0[2] * o.0[2]
    }

    pub(crate) fn length(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// The angle to another vector in radians, 0 … π, well conditioned at both ends.
    pub(crate) fn angle_to(self, o: Vector) -> f64 {
        let (a, b) = (self * o.length(), o * self.length());
        2.0 * (a - b).length().atan2((a + b).length())
    }

    /// The direction in which light goes for one who moves at `velocity` (in units of c), where `self` is its direction for
    /// those at rest; both of length 1.
    ///
    /// This is the aberration of light, by the Lorentz transformation and so exact. It serves both ends of a link: the light
    /// falls back against the velocity, so a receiver, who looks against the light, sees the source displaced forwards, and a
    /// transmitter must aim backwards.
    pub(crate) fn seen_at(self, velocity: Vector) -> Vector {
        let along = self.dot(velocity);
        let slowed = (1.0 - velocity.dot(velocity)).sqrt();
        (self * slowed - velocity * (1.0 - along / (1.0 + slowed))) * (1.0 / (1.0 - along))
    }
}

impl Add for Vector {
    type Output = Vector;
    fn add(self, o: Vector) -> Vector {
        Vector([self.0[0] + o.0[0], self.0[1] + o.0[1], self.0[2] + o.0[2]])
    }
}

impl Sub for Vector {
    type Output = Vector;
    fn sub(self, o: Vector) -> Vector {
        Vector([self.0[0] - o.0[0], self.0[1] - o.0[1], self.0[2] - o.0[2]])
    }
}

impl Mul<f64> for Vector {
    type Output = Vector;
    fn mul(self, k: f64) -> Vector {
        Vector([self.0[0] * k, self.0[1] * k, self.0[2] * k])
    }
}

/// Three axes of one frame, written in another: `x`, `y`, `z` as seen there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axes {
    pub(crate) x: Vector,
    pub(crate) y: Vector,
    pub(crate) z: Vector,
}

impl Axes {
    /// Axes along those of the outer frame.
    pub(crate) const SAME: Axes =
        Axes { x: Vector([1.0, 0.0, 0.0]), y: Vector([0.0, 1.0, 0.0]), z: Vector([0.0, 0.0, 1.0]) };

    /// A vector of the inner frame, in the outer one.
    pub(crate) fn outward(&self, v: [f64; 3]) -> Vector {
        self.x * v[0] + self.y * v[1] + self.z * v[2]
    }

    /// A motion in the inner frame, which does not turn, in the outer one.
    pub(crate) fn carry(&self, motion: Motion) -> Motion {
        Motion { position: self.outward(motion.position.0), velocity: self.outward(motion.velocity.0) }
    }

    /// These axes turned by `angle` radians about their own z.
    pub(crate) fn turned_about_z(&self, angle: f64) -> Axes {
        let (s, c) = angle.sin_cos();
        Axes { x: self.x * c + self.y * s, y: self.y * c - self.x * s, z: self.z }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_is_seen_where_the_lorentz_transformation_puts_it() {
        let u = 0.6;
        let velocity = Vector([u, 0.0, 0.0]);
        for degrees in [0.0_f64, 20.0, 90.0, 130.0, 180.0] {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let seen = Vector([cos, sin, 0.0]).seen_at(velocity);
            // The textbook's cos θ′ = (cos θ − β) / (1 − β cos θ).
            let wanted = (cos - u) / (1.0 - u * cos);
            assert!((seen.0[0] - wanted).abs() < 1e-15 && (seen.length() - 1.0).abs() < 1e-15, "{degrees}: {seen:?}");
        }
    }
}
