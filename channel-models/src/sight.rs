//! All that a link is at one instant.

use farlink_units::{Duration, Instant};

use crate::body::Body;
use crate::geometry::{Geometry, SPEED_OF_LIGHT_KM_S};
use crate::path::Path;
use crate::place::{NoPosition, Place};
use crate::ray::{EndOfWay, Ray};
use crate::vector::Vector;
use crate::visibility::{End, Obstacle, Visibility};

/// The way of light from one place to another: what it is for light that leaves at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// When the light leaves.
    pub emitted: Instant,
    /// When it arrives: `emitted` + `light_time`.
    pub received: Instant,
    /// How long it is under way.
    pub light_time: Duration,
    /// How far it goes, in km: from the transmitter as it leaves to the receiver as it arrives.
    pub range_km: f64,
    /// By how much `range_km` grows for light that leaves a second later, in km/s; positive where the ends recede.
    pub range_rate_km_s: f64,
    /// The frequency that arrives over the one that leaves, each by a clock at its own end.
    ///
    /// (1 − n·v_r/c) / (1 − n·v_t/c) × √(1 − v_t²/c²) / √(1 − v_r²/c²), with n from transmitter to receiver and the velocities
    /// v_t at emission and v_r at reception against the barycentre: exact in flat space. Left out is what gravity does to clocks
    /// (up to 1e-8 between Earth and the inner planets, 7e-10 between the ground and far from Earth) and to the way of the
    /// light, and the media on the way.
    pub frequency_ratio: f64,
    /// What the transmitter sees as the light leaves.
    pub transmitter: EndSight,
    /// What the receiver sees as it arrives.
    pub receiver: EndSight,
    /// What keeps the light from being a link, the first of: horizon, bodies in the order of the rules, Sun, keep-out, range.
    pub hidden_by: Option<Obstacle>,
    /// Whether the Sun is so near to the direction of the other end that the link works worse
    /// ([`SunLimit::degraded_below_deg`](crate::SunLimit)).
    pub degraded: bool,
}

/// What one end of a link sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndSight {
    /// At a site: how high above its geodetic horizon the antenna points, in degrees, aberration taken in, refraction not.
    pub elevation_deg: Option<f64>,
    /// At a site: where the antenna points, in degrees from north through east, 0 … 360.
    pub azimuth_deg: Option<f64>,
    /// The angle between the other end and the centre of the Sun in degrees, geometric; at a receiver on Earth the
    /// Sun–Earth–probe angle. None where this end is the centre of the Sun.
    pub sun_angle_deg: Option<f64>,
    /// Which part of the Sun's disc is not covered by the bodies of the rules, 0 … 1; see [`Geometry::sunlit`].
    pub sunlit: f64,
}

impl Sight {
    /// How far the carrier is shifted as it arrives, in Hz: `carrier_hz` as it leaves, one way. Positive where the ends approach.
    pub fn doppler_hz(&self, carrier_hz: f64) -> f64 {
        carrier_hz * (self.frequency_ratio - 1.0)
    }
}

impl Geometry {
    /// What the way of light from `from` to `to` is for light that leaves at `emitted`, and what hides it under `rules`.
    ///
    /// # Errors
    /// An ephemeris that does not reach the instant of emission, or that of arrival.
    pub fn sight(&self, from: &Place, to: &Place, rules: &Visibility, emitted: Instant) -> Result<Sight, NoPosition> {
        let ray = Ray::new(self, from, to, rules);
        let way = ray.way(emitted)?;
        let (ratio, rate) = doppler(way.line, way.start_velocity, way.end_velocity);
        let light_time = Duration::from_secs_f64(way.seconds);
        Ok(Sight {
            emitted,
            received: emitted + light_time,
            light_time,
            range_km: way.line.length(),
            range_rate_km_s: rate,
            frequency_ratio: ratio,
            transmitter: self.end_sight(ray.from(), &way.end(End::Transmitter), rules),
            receiver: self.end_sight(ray.to(), &way.end(End::Receiver), rules),
            hidden_by: ray.obstacle(&way),
            degraded: ray.degraded(&way),
        })
    }

    /// Whether light that leaves `from` at `emitted` reaches `to` under `rules`. Without a position it does not.
    pub fn visible(&self, from: &Place, to: &Place, rules: &Visibility, emitted: Instant) -> bool {
        self.hidden_by(from, to, rules, emitted).is_none()
    }

    /// What keeps light that leaves `from` at `emitted` from reaching `to` under `rules`, if anything does.
    pub fn hidden_by(&self, from: &Place, to: &Place, rules: &Visibility, emitted: Instant) -> Option<Obstacle> {
        let ray = Ray::new(self, from, to, rules);
        match ray.way(emitted) {
            Ok(way) => ray.obstacle(&way),
            Err(_) => Some(Obstacle::NoEphemeris(ray.without_ephemeris(emitted))),
        }
    }

    fn end_sight(&self, path: &Path, end: &EndOfWay, rules: &Visibility) -> EndSight {
        let pointing = end.pointing();
        let horizon = end.here.horizon.map(|horizon| horizon.axes);
        let sun = self.center(Body::Sun, end.at) - end.here.position;
        EndSight {
            elevation_deg: horizon.map(|h| h.z.dot(pointing).clamp(-1.0, 1.0).asin().to_degrees()),
            azimuth_deg: horizon.map(|h| h.x.dot(pointing).atan2(h.y.dot(pointing)).to_degrees().rem_euclid(360.0)),
            sun_angle_deg: (sun.length() > 1.0).then(|| end.line.angle_to(sun).to_degrees()),
            sunlit: self.sunlit_at(path, end.here, &rules.occulters, end.at),
        }
    }
}

/// The ratio of the frequencies and the rate of the range in km/s per second of emission.
fn doppler(line: Vector, transmitter: Vector, receiver: Vector) -> (f64, f64) {
    const C: f64 = SPEED_OF_LIGHT_KM_S;
    let n = line * (1.0 / line.length());
    let (leaves, arrives) = (1.0 - n.dot(transmitter) / C, 1.0 - n.dot(receiver) / C);
    let slowed = |v: Vector| (1.0 - v.dot(v) / (C * C)).sqrt();
    let ratio = arrives / leaves * slowed(transmitter) / slowed(receiver);
    (ratio, n.dot(receiver - transmitter) / arrives)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Head on, the textbook's √((1 + β) / (1 − β)); across the line of sight, the slowing of the clock alone.
    #[test]
    fn doppler_is_that_of_special_relativity() {
        let line = Vector([1000.0, 0.0, 0.0]);
        let speed = 0.3 * SPEED_OF_LIGHT_KM_S;
        let still = Vector([0.0; 3]);
        let (ratio, rate) = doppler(line, Vector([speed, 0.0, 0.0]), still);
        assert!((ratio - (1.3_f64 / 0.7).sqrt()).abs() < 1e-15 && (rate + speed).abs() < 1e-9);
        let (ratio, _) = doppler(line, still, Vector([-speed, 0.0, 0.0]));
        assert!((ratio - (1.3_f64 / 0.7).sqrt()).abs() < 1e-15);
        let (ratio, rate) = doppler(line, Vector([0.0, speed, 0.0]), still);
        assert!((ratio - (1.0_f64 - 0.09).sqrt()).abs() < 1e-15 && rate == 0.0);
    }
}
