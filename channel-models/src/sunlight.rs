//! Light of the Sun: how much of it a place has, and when it has none.

use std::f64::consts::{FRAC_PI_2, PI};

use farlink_units::{Duration, Instant};

use crate::body::Body;
use crate::contacts::{DRIFT_OF_MERCURY_KM_S2, Interval, Intervals, Look, between, search};
use crate::geometry::{Geometry, SPEED_OF_LIGHT_KM_S};
use crate::guard::{Guard, window};
use crate::path::{Located, Path};
use crate::place::{NoPosition, Place};
use crate::vector::Vector;

/// When a place is in the shadow of bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Eclipses {
    /// When some of the Sun's disc is covered: penumbra and umbra.
    pub penumbra: Vec<Interval>,
    /// When all of it is.
    pub umbra: Vec<Interval>,
}

/// A body and the Sun's disc as a place sees them, in radians.
#[derive(Clone, Copy, Debug)]
struct Discs {
    sun: f64,
    body: f64,
    apart: f64,
}

impl Discs {
    /// How much of the Sun's disc the body covers, 0 … 1: two circles as on a plane, which on the sphere is right to the
    /// square of the Sun's radius (1e-4 near the Sun's limb at Mercury).
    fn covered(&self) -> f64 {
        let Discs { sun: r, body: big, apart: d } = *self;
        if d >= r + big {
            return 0.0;
        }
        if d <= (big - r).abs() {
            return if big >= r { 1.0 } else { (big / r).powi(2) };
        }
        let part = |radius: f64, other: f64| {
            let cos = ((d * d + radius * radius - other * other) / (2.0 * d * radius)).clamp(-1.0, 1.0);
            let angle = cos.acos();
            radius * radius * (angle - angle.sin() * cos)
        };
        ((part(r, big) + part(big, r)) / (PI * r * r)).clamp(0.0, 1.0)
    }
}

impl Geometry {
    /// Which part of the Sun's disc `place` sees at `at`, 0 … 1: what is left of it by the body of `bodies` that covers most.
    ///
    /// Bodies are ellipsoids of revolution; a site on one of them has its geodetic horizon, without refraction. The Sun is a
    /// disc of even brightness. Atmospheres are left out.
    ///
    /// # Errors
    /// An ephemeris that does not reach `at`.
    pub fn sunlit(&self, place: &Place, bodies: &[Body], at: Instant) -> Result<f64, NoPosition> {
        let path = Path::new(place);
        let here = self.locate(&path, at).ok_or_else(|| self.no_position(&path, at))?;
        Ok(self.sunlit_at(&path, &here, bodies, at))
    }

    pub(crate) fn sunlit_at(&self, path: &Path, here: &Located, bodies: &[Body], at: Instant) -> f64 {
        bodies
            .iter()
            .filter_map(|body| self.discs(path, here, *body, at))
            .map(|d| 1.0 - d.covered())
            .fold(1.0, f64::min)
    }

    /// The eclipses of the Sun by `bodies` at `place` within `start` … `end`: the spans of penumbra and umbra, to the
    /// microsecond, in order. Where `place` has no position there is neither.
    pub fn eclipses(&self, place: &Place, bodies: &[Body], start: Instant, end: Instant) -> Eclipses {
        let path = Path::new(place);
        let mut found = Eclipses::default();
        for known in self.spans(&path, Interval { start, end }, |at| at) {
            for (list, sign) in [(&mut found.penumbra, 1.0), (&mut found.umbra, -1.0)] {
                let mut lit = Intervals::default();
                for stretch in self.cut(&path, known) {
                    search(stretch, &mut lit, |at| self.look_at_sun(&path, bodies, sign, at));
                }
                list.extend(between(&lit.0, known));
            }
        }
        found
    }

    /// The Sun's disc and a body's as the place sees them; None for what cannot cover the Sun there.
    fn discs(&self, path: &Path, here: &Located, body: Body, at: Instant) -> Option<Discs> {
        let to_sun = self.center(Body::Sun, at) - here.position;
        let distance = to_sun.length();
        if body == Body::Sun || path.body() == Body::Sun && distance < 1.0 {
            return None;
        }
        if path.exempt() == Some(body) {
            // The ground of a site covers the half of the sky below the horizon.
            let up = here.horizon?.axes.z;
            let sun = (Body::Sun.equatorial_radius_km() / distance).asin();
            return Some(Discs { sun, body: FRAC_PI_2, apart: (up * -1.0).angle_to(to_sun) });
        }
        let (a, b) = (body.equatorial_radius_km(), body.polar_radius_km());
        // The light passes the body, where that is nearest to its way, a little before it arrives here. In the hundredth of a
        // second that this is for a low orbiter the Earth goes a quarter of a kilometre.
        let ahead = (self.center(body, at) - here.position).dot(to_sun) / distance;
        let passing = at - Duration::from_secs_f64(ahead.max(0.0) / SPEED_OF_LIGHT_KM_S);
        let to_body = self.center(body, passing) - here.position;
        // Stretched along its axis the body is a sphere and the Sun a little less so.
        let pole = self.pole(body, passing);
        let stretch = |v: Vector| v + pole * (pole.dot(v) * (a / b - 1.0));
        let (to_body, to_sun) = (stretch(to_body), stretch(to_sun));
        let toward = to_sun * (1.0 / to_sun.length());
        let across = to_body - toward * toward.dot(to_body);
        let tilt = pole.dot(across) / across.length().max(f64::MIN_POSITIVE);
        let wide = (1.0 + ((a / b).powi(2) - 1.0) * tilt * tilt).sqrt();
        Some(Discs {
            sun: (Body::Sun.equatorial_radius_km() * wide / to_sun.length()).min(1.0).asin(),
            body: (a / to_body.length()).min(1.0).asin(),
            apart: to_body.angle_to(to_sun),
        })
    }

    /// Clear where no body touches the Sun's disc (`sign` 1), or none covers it all (−1). In radians.
    fn look_at_sun(&self, path: &Path, bodies: &[Body], sign: f64, at: Instant) -> Look {
        let Some(here) = self.locate(path, at) else { return Look::NOTHING };
        let (start, end) = (self.tt_ns(at), self.tt_ns(at + Duration::from_secs_f64(LOOK_AHEAD_S)));
        let acceleration = path.limits(start, end).acceleration + DRIFT_OF_MERCURY_KM_S2;
        let velocity = self.velocity(&here, at);
        let mut look = Look::FREE;
        for &body in bodies {
            let Some(discs) = self.discs(path, &here, body, at) else { continue };
            let value = discs.apart - discs.body - sign * discs.sun;
            let distance = (self.center(body, at) - here.position).length();
            let (speed, low) = if path.exempt() == Some(body) {
                // It is the horizon that turns.
                (here.horizon.map_or(0.0, |h| h.turn) * distance, distance)
            } else {
                ((velocity - self.center_velocity(body, at)).length(), body.equatorial_radius_km())
            };
            look = look.and(shadow_guard(value, distance, low, speed, acceleration));
        }
        look
    }
}

/// How far ahead bounds on the motion are asked for, in seconds.
const LOOK_AHEAD_S: f64 = 3600.0;

/// A condition on the angles at `distance` from a body of `radius`, both in km, in radians.
fn shadow_guard(value: f64, distance: f64, radius: f64, speed: f64, acceleration: f64) -> Guard {
    // The Sun moves across the sky by less than 3e-6 rad/s even for one at rest near Mercury, with its size by less than that.
    const SUN_RAD_S: f64 = 6e-6;
    // Flattening: angles at the stretched body run faster by a ninth at most (Saturn).
    const FLAT: f64 = 1.3;
    if distance <= radius {
        // On a body's horizon (all of it is the turn of the ground), or inside it.
        let rate = speed / distance + SUN_RAD_S;
        return Guard::known(value, (value.abs() / rate).min(LOOK_AHEAD_S));
    }
    let within = window(0.5 * (distance - radius), speed, acceleration).min(LOOK_AHEAD_S);
    let (near, fast) = (0.5 * (distance + radius), speed + acceleration * within);
    let limb = radius / (near * near - radius * radius).sqrt();
    let rate = FLAT * fast / near * (1.0 + limb) + SUN_RAD_S;
    Guard::known(value, (value.abs() / rate).min(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discs_cover_each_other_as_circles_do() {
        let covered = |sun, body, apart| Discs { sun, body, apart }.covered();
        assert_eq!(covered(0.005, 0.3, 0.306), 0.0);
        assert_eq!(covered(0.005, 0.3, 0.2), 1.0);
        // A straight limb through the centre of the Sun covers half of it, and a small body in front its own area.
        assert!((covered(0.005, 1.0, 1.0) - 0.5).abs() < 2e-3);
        assert!((covered(0.01, 0.005, 0.001) - 0.25).abs() < 1e-12);
        // Equal circles a radius apart: 2/3 − √3/2π.
        assert!((covered(0.01, 0.01, 0.01) - (2.0 / 3.0 - 3_f64.sqrt() / (2.0 * PI))).abs() < 1e-12);
    }
}
