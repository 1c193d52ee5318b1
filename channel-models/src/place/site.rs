//! Points that turn with a body.

use std::f64::consts::TAU;

use crate::body::Body;
use crate::path::Horizon;
use crate::place::{Limits, Motion};
use crate::rotation::rotation_period_s;
use crate::vector::{Axes, Vector};

/// A point that turns with a body, given on its reference ellipsoid: WGS 84 for the Earth, the IAU's for the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// The body.
    pub body: Body,
    /// Geodetic (planetographic) latitude in degrees, −90 … 90, north positive.
    pub latitude_deg: f64,
    /// Longitude in degrees, east positive, −360 … 360.
    pub longitude_deg: f64,
    /// Height above the ellipsoid in km.
    pub altitude_km: f64,
}

/// A site on the axes that turn with its body: what needs the sines of its coordinates, worked out once.
#[derive(Clone, Debug)]
pub(crate) struct FixedSite {
    pub(crate) body: Body,
    position: [f64; 3],
    /// East, north and up.
    horizon: [[f64; 3]; 3],
    /// How fast the body turns, in radians per second; negative for Venus and Uranus.
    turn: f64,
}

impl FixedSite {
    pub(crate) fn new(site: &Site) -> Self {
        // WGS 84 (NGA.STND.0036): a and b in km.
        let (a, b) = match site.body {
            Body::Earth => (6378.137, 6_356.752_314_245),
            other => (other.equatorial_radius_km(), other.polar_radius_km()),
        };
        let (sin_lat, cos_lat) = site.latitude_deg.to_radians().sin_cos();
        let (sin_lon, cos_lon) = site.longitude_deg.to_radians().sin_cos();
        let normal = a * a / (a * a * cos_lat * cos_lat + b * b * sin_lat * sin_lat).sqrt();
        let across = (normal + site.altitude_km) * cos_lat;
        let along = (normal * (b * b) / (a * a) + site.altitude_km) * sin_lat;
        FixedSite {
            body: site.body,
            position: [across * cos_lon, across * sin_lon, along],
            horizon: [
                [-sin_lon, cos_lon, 0.0],
                [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
                [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
            ],
            turn: turn_rad_s(site.body),
        }
    }

    /// Position against the centre of the body whose body-fixed axes are `axes`.
    pub(crate) fn position(&self, axes: &Axes) -> Vector {
        axes.outward(self.position)
    }

    /// Position and velocity against the centre of the body whose body-fixed axes are `axes`.
    pub(crate) fn motion(&self, axes: &Axes) -> Motion {
        Motion { position: self.position(axes), velocity: turned(axes, self.position) * self.turn }
    }

    /// Which way is up, and how that turns.
    pub(crate) fn horizon(&self, axes: &Axes) -> Horizon {
        let [east, north, up] = self.horizon.map(|v| axes.outward(v));
        let up_rate = turned(axes, self.horizon[2]) * self.turn;
        Horizon { axes: Axes { x: east, y: north, z: up }, up_rate, turn: self.turn.abs() }
    }

    /// Bounds on the motion about the body.
    pub(crate) fn limits(&self) -> Limits {
        let [x, y, _] = self.position;
        let (arm, turn) = (x.hypot(y), self.turn.abs());
        Limits { speed: turn * arm, acceleration: turn * turn * arm }
    }
}

/// A motion on the axes that turn with `body`, on the ICRF axes.
pub(crate) fn carry(body: Body, axes: &Axes, motion: Motion) -> Motion {
    let (position, velocity) = (motion.position.0, motion.velocity.0);
    Motion {
        position: axes.outward(position),
        velocity: axes.outward(velocity) + turned(axes, position) * turn_rad_s(body),
    }
}

/// The cross product of the axis z with a vector of the body-fixed frame: its velocity at one radian per second.
fn turned(axes: &Axes, [x, y, _]: [f64; 3]) -> Vector {
    axes.y * x - axes.x * y
}

/// How fast a body turns about its north pole, in radians per second.
fn turn_rad_s(body: Body) -> f64 {
    // The IAU's north pole is the one above the ecliptic, about which these two turn backwards.
    let sign = if matches!(body, Body::Venus | Body::Uranus) { -1.0 } else { 1.0 };
    sign * TAU / rotation_period_s(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_lies_on_the_ellipsoid() {
        let site = |latitude_deg| {
            FixedSite::new(&Site { body: Body::Earth, latitude_deg, longitude_deg: 0.0, altitude_km: 0.0 })
        };
        assert!((site(0.0).position[0] - 6378.137).abs() < 1e-9);
        assert!((site(90.0).position[2] - 6_356.752_314_245).abs() < 1e-9);
        let [x, _, z] = site(45.0).position;
        // The geocentric latitude there is the geodetic one less 0.19242 degrees.
        assert!((z.atan2(x).to_degrees() - (45.0 - 0.192_424)).abs() < 1e-5);
    }
}
