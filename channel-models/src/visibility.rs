//! Who can see whom.
//!
//! An elevation is a direction, and the direction of light depends on how fast one moves who measures it: at a site it is taken
//! as the site sees it, with aberration. What lies on a ray does not: light either meets a body or it does not, and all
//! observers agree, whatever directions they find. So occultation compares positions in the barycentric frame, each at the
//! instant at which the light is there; to put aberration in as well would count the motion twice.

use farlink_units::{Duration, Instant};

use crate::body::Body;
use crate::geometry::{Geometry, Located};
use crate::place::Place;
use crate::vector::Vector;

/// What a ray of light must meet to count as a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visibility {
    /// The least elevation in degrees, −90 … 90, at whichever end is a [`Place::Site`]: at a transmitter of where it aims at
    /// emission ([`Geometry::aim_elevation_deg`]), at a receiver of where it sees the source at reception
    /// ([`Geometry::elevation_deg`]).
    pub elevation_mask_deg: f64,
    /// The bodies that hide, as ellipsoids of revolution, each taken where it is when the light passes it.
    ///
    /// The body of a site never hides that site (the mask does that), nor does a body hide its own centre.
    pub occulters: Vec<Body>,
}

/// A [`Visibility`] applied to one pair of places.
pub(crate) struct Ray<'a> {
    geometry: &'a Geometry,
    from: &'a Place,
    to: &'a Place,
    sin_mask: f64,
    occulters: Vec<Body>,
}

impl<'a> Ray<'a> {
    pub(crate) fn new(geometry: &'a Geometry, from: &'a Place, to: &'a Place, rules: &Visibility) -> Self {
        let exempt = |place: &Place| match place {
            Place::Center(body) => Some(*body),
            Place::Site(site) => Some(site.body),
            Place::Orbit(_) => None,
        };
        let exempt = [exempt(from), exempt(to)];
        Ray {
            geometry,
            from,
            to,
            sin_mask: rules.elevation_mask_deg.to_radians().sin(),
            occulters: rules.occulters.iter().copied().filter(|body| !exempt.contains(&Some(*body))).collect(),
        }
    }

    /// How clear the way is for light that leaves at `emitted`: a continuous number, negative when something hides.
    ///
    /// It is the least of the sines of the elevations above the mask's, and of the distances from the occulters' limbs in radii.
    pub(crate) fn margin(&self, emitted: Instant) -> f64 {
        let start = self.geometry.locate(self.from, emitted);
        let (seconds, end) = self.geometry.travel(start.position, self.to, emitted, 1e-6);
        let line = end.position - start.position;
        let received = emitted + Duration::from_secs_f64(seconds);

        // The sine of the light's climb at an end, if that has a horizon.
        let climb = |place: &Place, there: &Located, at: Instant| match (place, there.up) {
            (Place::Site(site), Some(up)) => Some(self.geometry.climb(site, there.position, up, line, at)),
            _ => None,
        };
        let aim = climb(self.from, &start, emitted);
        let sight = climb(self.to, &end, received).map(|sine| -sine);
        let mut margin =
            [aim, sight].into_iter().flatten().map(|sine| sine - self.sin_mask).fold(f64::INFINITY, f64::min);
        for &body in &self.occulters {
            margin = margin.min(self.clearance(body, start.position, line, emitted, seconds));
        }
        margin
    }

    /// The distance of the light's way from the limb of `body`, in equatorial radii.
    fn clearance(&self, body: Body, start: Vector, line: Vector, emitted: Instant, seconds: f64) -> f64 {
        let (a, b) = (body.equatorial_radius_km(), body.polar_radius_km());
        // Stretched along its axis the ellipsoid is a sphere, and the ray is still straight.
        let pole = if a == b { None } else { Some(self.geometry.pole(body, emitted)) };
        let stretch = |v: Vector| pole.map_or(v, |pole| v + pole * (pole.dot(v) * (a / b - 1.0)));
        let line = stretch(line);
        let squared = line.dot(line).max(f64::MIN_POSITIVE);

        // Where on the way the light is nearest, and where the body is by then. Each round takes the error times v/c.
        // For the body the light comes along another direction and the nearest point is another, but the distance there is
        // the same to (v/c)², 1e-8 of it.
        let mut along = 0.0;
        let mut from_body = Vector([0.0; 3]);
        for _ in 0..3 {
            let at = emitted + Duration::from_secs_f64(seconds * along);
            from_body = stretch(start - self.geometry.center(body, at));
            along = (-from_body.dot(line) / squared).clamp(0.0, 1.0);
        }
        (from_body + line * along).length() / a - 1.0
    }
}

impl Geometry {
    /// Whether light that leaves `from` at `emitted` reaches `to` under `rules`.
    pub fn visible(&self, from: &Place, to: &Place, rules: &Visibility, emitted: Instant) -> bool {
        Ray::new(self, from, to, rules).margin(emitted) >= 0.0
    }
}
