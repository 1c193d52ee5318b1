//! What the links of a shell are from positions alone, without any of the closed forms.

use farlink_channel_models::{Body, Geometry, Place};
use farlink_constellation::{Link, LinkRules, Pointing, Shell, Side};
use farlink_units::Instant;

const EARTH_KM: f64 = 6378.1366;

pub type Vector = [f64; 3];

pub fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn length(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// Both ends of a link about the Earth's centre, as channel-models places them.
pub struct Ends<'a> {
    geometry: &'a Geometry,
    pub places: [Place; 2],
}

impl<'a> Ends<'a> {
    pub fn new(geometry: &'a Geometry, shell: &Shell, link: &Link) -> Self {
        Ends { geometry, places: [link.from, link.to].map(|slot| Place::Orbit(shell.orbit(slot).unwrap())) }
    }

    pub fn at(&self, at: Instant) -> [Vector; 2] {
        let earth = self.geometry.position_km(&Place::Center(Body::Earth), at).unwrap();
        [0, 1].map(|i| minus(self.geometry.position_km(&self.places[i], at).unwrap(), earth))
    }

    /// How far the line between them passes from the Earth's centre.
    pub fn clearance_km(&self, at: Instant) -> f64 {
        let [one, other] = self.at(at);
        let line = minus(other, one);
        let along = (-dot(one, line) / dot(line, line).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        length([0, 1, 2].map(|i| one[i] + along * line[i]))
    }

    /// The side on which the end `from` has the other: above or below the plane of its orbit.
    pub fn side(&self, from: usize, at: Instant) -> Side {
        if dot(self.normal(from, at), self.at(at)[1 - from]) > 0.0 { Side::Left } else { Side::Right }
    }

    /// Perpendicular to the plane of an end's orbit.
    fn normal(&self, end: usize, at: Instant) -> Vector {
        let Place::Orbit(orbit) = &self.places[end] else { panic!("an orbit") };
        let node = orbit.ascending_node_deg.to_radians() + orbit.secular_rates().ascending_node * at.as_secs_f64();
        let inclination = orbit.inclination_deg.to_radians();
        [inclination.sin() * node.sin(), -inclination.sin() * node.cos(), inclination.cos()]
    }

    /// Whether a link between them carries, rule by rule.
    pub fn carry(&self, rules: &LinkRules, at: Instant) -> bool {
        let [one, other] = self.at(at);
        let aligned = dot(self.normal(0, at), self.normal(1, at));
        let one_plane = aligned > 1.0 - 1e-9;
        // Planes that are turned over are one plane, too, and have no sides.
        let sides_count = rules.pointing != Pointing::AllRound && aligned.abs() < 1.0 - 1e-9;
        let low = |v: Vector| (v[2] / length(v)).asin().to_degrees().abs() <= rules.max_latitude_deg;
        length(minus(other, one)) <= rules.max_range_km
            && self.clearance_km(at) >= EARTH_KM + rules.grazing_altitude_km
            && (one_plane || low(one) && low(other))
            && (!sides_count || (self.side(0, at) == self.side(1, at)) == (aligned < -1e-9))
    }
}
