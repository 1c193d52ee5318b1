//! Ellipses that turn by the oblateness of their body.

use farlink_units::Instant;

use crate::body::Body;
use crate::place::{Limits, Motion};
use crate::rotation::orbit_axes;
use crate::vector::fraction;

/// An ellipse about a body that turns by the secular rates of the body's oblateness J2.
///
/// The elements hold at [`Instant::ZERO`]. Angles refer to the body's equatorial frame of J2000: z is the north pole of the
/// IAU's report, x the ascending node of the body's equator on the ICRF equator. For the Earth they refer to the ICRF axes.
/// Periodic perturbations, drag and third bodies are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Orbit {
    /// The body in the focus.
    pub body: Body,
    /// Semi-major axis in km, above 0.
    pub semi_major_axis_km: f64,
    /// Eccentricity, from 0 to below 1.
    pub eccentricity: f64,
    /// Inclination to the body's equator in degrees, 0 … 180.
    pub inclination_deg: f64,
    /// Right ascension (longitude) of the ascending node in degrees.
    pub ascending_node_deg: f64,
    /// Argument of the periapsis in degrees.
    pub argument_of_periapsis_deg: f64,
    /// Mean anomaly in degrees.
    pub mean_anomaly_deg: f64,
}

/// How fast an orbit moves and turns, in radians per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SecularRates {
    /// Of the mean anomaly: the mean motion √(GM/a³) with the part that J2 adds.
    pub mean_anomaly: f64,
    /// Of the ascending node.
    pub ascending_node: f64,
    /// Of the argument of the periapsis.
    pub argument_of_periapsis: f64,
}

impl Orbit {
    /// The rates at which the orbit moves and turns, to first order in J2 (Vallado, *Fundamentals of Astrodynamics and
    /// Applications*, 4th edition, section 9.6.1, equations 9-37, 9-39 and 9-41).
    pub fn secular_rates(&self) -> SecularRates {
        let (a, e) = (self.semi_major_axis_km, self.eccentricity);
        let (j2, radius) = self.body.j2();
        let motion = (self.body.gm_km3_s2() / (a * a * a)).sqrt();
        let cos_i = self.inclination_deg.to_radians().cos();
        let flat = 1.0 - e * e;
        let k = 0.75 * motion * j2 * (radius / (a * flat)).powi(2);
        SecularRates {
            mean_anomaly: motion + k * flat.sqrt() * (3.0 * cos_i * cos_i - 1.0),
            ascending_node: -2.0 * k * cos_i,
            argument_of_periapsis: k * (5.0 * cos_i * cos_i - 1.0),
        }
    }
}

/// An orbit with all that does not depend on time worked out once.
#[derive(Clone, Debug)]
pub(crate) struct MovingOrbit {
    pub(crate) body: Body,
    semi_major_axis_km: f64,
    eccentricity: f64,
    /// Mean anomaly, node and periapsis at the start, in radians, and how fast they run.
    start: [f64; 3],
    rates: SecularRates,
    inclination: (f64, f64),
}

impl MovingOrbit {
    pub(crate) fn new(orbit: &Orbit) -> Self {
        MovingOrbit {
            body: orbit.body,
            semi_major_axis_km: orbit.semi_major_axis_km,
            eccentricity: orbit.eccentricity,
            start: [orbit.mean_anomaly_deg, orbit.ascending_node_deg, orbit.argument_of_periapsis_deg]
                .map(f64::to_radians),
            rates: orbit.secular_rates(),
            inclination: orbit.inclination_deg.to_radians().sin_cos(),
        }
    }

    /// Position and velocity against the centre of the body, on ICRF axes.
    #[inline]
    pub(crate) fn motion(&self, at: Instant) -> Motion {
        let seconds = at.as_secs_f64();
        let (a, e, rates) = (self.semi_major_axis_km, self.eccentricity, &self.rates);
        let [mean_anomaly, node, periapsis] = self.start;
        let (sin_e, cos_e) = eccentric_anomaly(mean_anomaly + rates.mean_anomaly * seconds, e).sin_cos();
        let b = a * (1.0 - e * e).sqrt();
        let pace = rates.mean_anomaly / (1.0 - e * cos_e);
        let (sin_w, cos_w) = (periapsis + rates.argument_of_periapsis * seconds).sin_cos();
        let (sin_i, cos_i) = self.inclination;
        let (sin_o, cos_o) = (node + rates.ascending_node * seconds).sin_cos();

        let (x, y) = (a * (cos_e - e), b * sin_e);
        let (u, v) = (x * cos_w - y * sin_w, x * sin_w + y * cos_w);
        // In the plane the ellipse turns with its periapsis, and the plane turns with its node.
        let (dx, dy) = (-a * sin_e * pace, b * cos_e * pace);
        let turn = rates.argument_of_periapsis;
        let (du, dv) = (dx * cos_w - dy * sin_w - v * turn, dx * sin_w + dy * cos_w + u * turn);
        let tilt = |u: f64, v: f64| [u * cos_o - v * cos_i * sin_o, u * sin_o + v * cos_i * cos_o, v * sin_i];
        let (r, d) = (tilt(u, v), tilt(du, dv));
        let swing = rates.ascending_node;
        let axes = orbit_axes(self.body);
        Motion { position: axes.outward(r), velocity: axes.outward([d[0] - r[1] * swing, d[1] + r[0] * swing, d[2]]) }
    }

    /// Bounds on the motion about the body.
    pub(crate) fn limits(&self) -> Limits {
        let (a, e, rates) = (self.semi_major_axis_km, self.eccentricity, &self.rates);
        let turn = rates.argument_of_periapsis.abs() + rates.ascending_node.abs();
        let (low, high) = (a * (1.0 - e), a * (1.0 + e));
        let n = rates.mean_anomaly;
        let speed = n * a * ((1.0 + e) / (1.0 - e)).sqrt();
        let pull = n * n * a.powi(3) / (low * low);
        Limits { speed: speed + turn * high, acceleration: pull + 2.0 * turn * speed + turn * turn * high }
    }
}

/// Solves Kepler's equation E − e sin E = M to the last bits.
fn eccentric_anomaly(mean_anomaly: f64, e: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    let m = TAU * fraction(mean_anomaly / TAU + 0.5) - PI;
    let mut anomaly = m + 0.85 * e * m.signum();
    for _ in 0..60 {
        let (sin, cos) = anomaly.sin_cos();
        let step = (anomaly - e * sin - m) / (1.0 - e * cos);
        // Near e = 1 a full step can leave the turn that holds the root.
        anomaly -= step.clamp(-1.0, 1.0);
        // Newton squares the error: what is left after such a step is below the last bit.
        if step.abs() < 1e-11 || !step.is_finite() {
            break;
        }
    }
    anomaly
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlink_units::Duration;

    #[test]
    fn keplers_equation_is_solved_for_every_ellipse() {
        for e in [0.0, 0.01, 0.2, 0.7, 0.97, 0.999] {
            for i in -400..400 {
                let m = f64::from(i) * 0.05 + 0.001;
                let anomaly = eccentric_anomaly(m, e);
                let rest = (anomaly - e * anomaly.sin() - m + std::f64::consts::PI).rem_euclid(std::f64::consts::TAU)
                    - std::f64::consts::PI;
                assert!(rest.abs() < 1e-13, "e {e}, M {m}: {rest}");
            }
        }
    }

    /// About every body: the velocity is the derivative of the position, and both stay within the limits that the search for
    /// contacts relies on.
    #[test]
    fn motion_is_consistent_and_within_its_limits_about_every_body() {
        for body in Body::ALL {
            for (eccentricity, inclination_deg) in [(0.0, 0.0), (0.01, 93.0), (0.6, 63.0), (0.3, 170.0)] {
                let orbit = MovingOrbit::new(&Orbit {
                    body,
                    semi_major_axis_km: body.equatorial_radius_km() * 1.1 / (1.0 - eccentricity),
                    eccentricity,
                    inclination_deg,
                    ascending_node_deg: 70.0,
                    argument_of_periapsis_deg: 20.0,
                    mean_anomaly_deg: 5.0,
                });
                let limits = orbit.limits();
                // A thousandth of a radian at the periapsis.
                let h = Duration::from_secs_f64(1e-3 * body.equatorial_radius_km() / limits.speed);
                for k in 0..200_i64 {
                    let at = Instant::ZERO + h.saturating_mul(k * 97);
                    let [before, here, after] = [at - h, at, at + h].map(|t| orbit.motion(t));
                    let step = h.as_secs_f64();
                    let velocity = (after.position - before.position) * (0.5 / step);
                    let error = (velocity - here.velocity).length() / here.velocity.length();
                    assert!(error < 2e-5, "{body:?}, e {eccentricity}: {error}");
                    let acceleration = ((after.velocity - before.velocity) * (0.5 / step)).length();
                    assert!(here.velocity.length() <= limits.speed * (1.0 + 1e-9), "{body:?}");
                    assert!(acceleration <= limits.acceleration * (1.0 + 1e-9), "{body:?}");
                }
            }
        }
    }
}
