//! Who can see whom.

use farlink_units::{Duration, Instant};

use crate::body::Body;
use crate::geometry::{Geometry, Located};
use crate::place::Place;
use crate::vector::Vector;

/// What a ray of light must meet to count as a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visibility {
    /// The least elevation in degrees, −90 … 90, at whichever end is a [`Place::Site`]: of the ray that leaves at a
    /// transmitter at emission, of the ray that comes in at a receiver at reception.
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
        let direction = line * (1.0 / line.length());

        let above =
            |end: &Located, direction: Vector| end.up.map_or(f64::INFINITY, |up| up.dot(direction) - self.sin_mask);
        let mut margin = above(&start, direction).min(above(&end, direction * -1.0));
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
