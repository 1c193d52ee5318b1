//! The rules applied to one pair of places.
//!
//! An elevation is a direction, and the direction of light depends on how fast one moves who measures it: at a site it is taken
//! as the site sees it, with aberration. What lies on a ray does not: light either meets a body or it does not, and all
//! observers agree, whatever directions they find. So occultation compares positions in the barycentric frame, each at the
//! instant at which the light is there; to put aberration in as well would count the motion twice.

use farlink_units::{Duration, Instant};

use crate::body::Body;
use crate::geometry::{Geometry, SPEED_OF_LIGHT_KM_S, seen_direction};
use crate::guard::{self, Cone, Guard, Segment};
use crate::path::{Horizon, Located, Path};
use crate::place::{NoPosition, Place};
use crate::vector::Vector;
use crate::visibility::{Antenna, End, Obstacle, Visibility};

/// A [`Visibility`] applied to one pair of places.
pub(crate) struct Ray<'a> {
    geometry: &'a Geometry,
    from: Path<'a>,
    to: Path<'a>,
    rules: &'a Visibility,
    occulters: Vec<Body>,
}

/// The way of light that leaves at one instant.
pub(crate) struct Way {
    pub(crate) emitted: Instant,
    pub(crate) received: Instant,
    pub(crate) seconds: f64,
    pub(crate) start: Located,
    pub(crate) end: Located,
    /// Against the barycentre, in km/s, at emission and at reception.
    pub(crate) start_velocity: Vector,
    pub(crate) end_velocity: Vector,
    /// From the transmitter at emission to the receiver at reception, in km.
    pub(crate) line: Vector,
}

impl Way {
    /// What the ends and their antennas are: position, velocity, horizon, and the line to the other end.
    pub(crate) fn end(&self, end: End) -> EndOfWay<'_> {
        match end {
            End::Transmitter => EndOfWay {
                at: self.emitted,
                here: &self.start,
                velocity: self.start_velocity,
                sense: 1.0,
                line: self.line,
                line_rate: self.end_velocity - self.start_velocity,
            },
            End::Receiver => EndOfWay {
                at: self.received,
                here: &self.end,
                velocity: self.end_velocity,
                sense: -1.0,
                line: self.line * -1.0,
                line_rate: self.start_velocity - self.end_velocity,
            },
        }
    }
}

/// A way as one end sees it: `line` goes from this end to the other.
pub(crate) struct EndOfWay<'a> {
    pub(crate) at: Instant,
    pub(crate) here: &'a Located,
    velocity: Vector,
    /// 1 where light goes along `line`, −1 where it comes in against it.
    sense: f64,
    pub(crate) line: Vector,
    line_rate: Vector,
}

impl EndOfWay<'_> {
    /// Where the antenna points.
    pub(crate) fn pointing(&self) -> Vector {
        seen_direction(self.line * self.sense, self.velocity) * self.sense
    }
}

/// The accelerations that bounds are made of, in km/s²: of each end against its centre, and of the line between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accelerations {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) line: f64,
}

impl<'a> Ray<'a> {
    pub(crate) fn new(geometry: &'a Geometry, from: &'a Place, to: &'a Place, rules: &'a Visibility) -> Self {
        let (from, to) = (Path::new(from), Path::new(to));
        let exempt = [from.exempt(), to.exempt()];
        let occulters = rules.occulters.iter().copied().filter(|body| !exempt.contains(&Some(*body))).collect();
        Ray { geometry, from, to, rules, occulters }
    }

    pub(crate) fn from(&self) -> &Path<'a> {
        &self.from
    }

    pub(crate) fn to(&self) -> &Path<'a> {
        &self.to
    }

    pub(crate) fn way(&self, emitted: Instant) -> Result<Way, NoPosition> {
        let geometry = self.geometry;
        let start = geometry.locate(&self.from, emitted).ok_or_else(|| geometry.no_position(&self.from, emitted))?;
        let (seconds, end) = geometry.travel(start.position, &self.to, emitted, 1e-7)?;
        let received = emitted + Duration::from_secs_f64(seconds);
        let start_velocity = geometry.velocity(&start, emitted);
        // Over the tenth of a second that light takes about one body, its centre's own velocity stands still to 1e-6 km/s.
        let end_velocity = if end.center == start.center && seconds < 0.1 {
            start_velocity - start.relative_velocity + end.relative_velocity
        } else {
            geometry.velocity(&end, received)
        };
        let line = end.position - start.position;
        Ok(Way { emitted, received, seconds, start, end, start_velocity, end_velocity, line })
    }

    /// When light must leave to arrive at `received`; where an end has no position, from the centres of the bodies.
    pub(crate) fn emission(&self, received: Instant) -> Instant {
        let geometry = self.geometry;
        let place = |path: &Path, at| {
            geometry.locate(path, at).map_or_else(|| geometry.center(path.body(), at), |located| located.position)
        };
        let end = place(&self.to, received);
        let mut emitted = received;
        // Every round takes the error times v/c.
        for _ in 0..8 {
            let way = (end - place(&self.from, emitted)).length();
            emitted = received - Duration::from_secs_f64(way / SPEED_OF_LIGHT_KM_S);
        }
        emitted
    }

    /// When light arrives that leaves at `emitted`; where an end has no position, from the centres of the bodies.
    pub(crate) fn arrival(&self, emitted: Instant) -> Instant {
        let centers = || {
            let line = self.geometry.center(self.to.body(), emitted) - self.geometry.center(self.from.body(), emitted);
            emitted + Duration::from_secs_f64(line.length() / SPEED_OF_LIGHT_KM_S)
        };
        self.way(emitted).map_or_else(|_| centers(), |way| way.received)
    }

    /// Which end has no position, where [`Ray::way`] finds no way.
    pub(crate) fn without_ephemeris(&self, emitted: Instant) -> End {
        match self.geometry.locate(&self.from, emitted) {
            Some(_) => End::Receiver,
            None => End::Transmitter,
        }
    }

    /// What hides the light first.
    pub(crate) fn obstacle(&self, way: &Way) -> Option<Obstacle> {
        let mut first = None;
        self.guards(way, &Accelerations::NONE, &mut |obstacle, guard| {
            if first.is_none() && !guard.clear() {
                first = Some(obstacle);
            }
        });
        first
    }

    /// Whether the Sun is within the greater limit at either end.
    pub(crate) fn degraded(&self, way: &Way) -> bool {
        let mut worse = false;
        self.degradations(way, &Accelerations::NONE, &mut |guard| worse |= !guard.clear());
        worse
    }

    /// Every condition of the rules on this way, in the order in which obstacles are named.
    pub(crate) fn guards(&self, way: &Way, bounds: &Accelerations, take: &mut impl FnMut(Obstacle, Guard)) {
        let ends = [(End::Transmitter, &self.rules.transmitter), (End::Receiver, &self.rules.receiver)];
        for (end, antenna) in ends {
            let seen = way.end(end);
            if let Some(horizon) = seen.here.horizon {
                take(Obstacle::Horizon(end), self.above_horizon(&seen, &horizon, antenna, bounds));
            }
        }
        for &body in &self.occulters {
            take(Obstacle::Body(body), self.past(body, way, bounds));
        }
        for (end, antenna) in ends {
            if let Some(sun) = antenna.sun {
                let guard = self.outside_cone(&way.end(end), Body::Sun, sun.outage_below_deg, bounds);
                take(Obstacle::Sun(end), guard);
            }
        }
        for (end, antenna) in ends {
            for keep_out in &antenna.keep_out {
                let guard = self.outside_cone(&way.end(end), keep_out.body, keep_out.angle_deg, bounds);
                take(Obstacle::KeepOut(end, keep_out.body), guard);
            }
        }
        if let Some(most) = self.rules.max_range_km {
            let rate = way.end_velocity - way.start_velocity;
            take(Obstacle::Range, guard::within_range(most, way.line, rate, bounds.line));
        }
    }

    /// The conditions that the Sun does not make the link worse.
    pub(crate) fn degradations(&self, way: &Way, bounds: &Accelerations, take: &mut impl FnMut(Guard)) {
        for (end, antenna) in [(End::Transmitter, &self.rules.transmitter), (End::Receiver, &self.rules.receiver)] {
            if let Some(sun) = antenna.sun {
                take(self.outside_cone(&way.end(end), Body::Sun, sun.degraded_below_deg, bounds));
            }
        }
    }

    fn above_horizon(&self, seen: &EndOfWay, horizon: &Horizon, antenna: &Antenna, bounds: &Accelerations) -> Guard {
        let pointing = seen.pointing();
        let sine = horizon.axes.z.dot(pointing);
        let range = seen.line.length();
        let mask = |elevation: f64| {
            Cone {
                value: range * (sine - elevation.sin()),
                axis: horizon.axes.z,
                axis_rate: horizon.up_rate,
                turn: horizon.turn,
                bend: horizon.turn * horizon.turn,
                weight: elevation.sin(),
            }
            .inside(seen.line, seen.line_rate, bounds.line)
        };
        let least = self.rules.elevation_mask_deg.to_radians();
        let Some(table) = &antenna.horizon else { return mask(least) };
        let (low, high) = table.range_rad();
        let lowest = mask(least.max(low));
        if !lowest.clear() || high <= least {
            return lowest;
        }
        let highest = mask(high);
        if highest.clear() {
            return highest;
        }
        // Between the two the land's shape counts, and its steepest slope bounds how fast that can change.
        let azimuth = horizon.axes.x.dot(pointing).atan2(horizon.axes.y.dot(pointing)).to_degrees();
        let land = table.elevation_deg(azimuth).to_radians().max(least);
        let value = range * (sine - land.sin());
        let guard =
            guard::along_land(value, table.steepest(), high, horizon.turn, seen.line, seen.line_rate, bounds.line);
        guard.until(if guard.clear() { &highest } else { &lowest })
    }

    fn outside_cone(&self, seen: &EndOfWay, body: Body, angle_deg: f64, bounds: &Accelerations) -> Guard {
        let to_body = self.geometry.center(body, seen.at) - seen.here.position;
        let rate = self.geometry.center_velocity(body, seen.at) - seen.velocity;
        let weight = angle_deg.to_radians().cos();
        guard::outside_cone(to_body, rate, bounds.line, weight, seen.line, seen.line_rate, bounds.line)
    }

    /// The condition that the light passes clear of a body.
    fn past(&self, body: Body, way: &Way, bounds: &Accelerations) -> Guard {
        let geometry = self.geometry;
        let (a, b) = (body.equatorial_radius_km(), body.polar_radius_km());
        // Stretched along its axis the ellipsoid is a sphere, and the ray is still straight.
        let pole = if a == b { None } else { Some(geometry.pole(body, way.emitted)) };
        let stretch = |v: Vector| pole.map_or(v, |pole| v + pole * (pole.dot(v) * (a / b - 1.0)));
        let line = stretch(way.line);
        let squared = line.dot(line).max(f64::MIN_POSITIVE);

        // Where on the way the light is nearest, and where the body is by then. Each round takes the error times v/c.
        // For the body the light comes along another direction and the nearest point is another, but the distance there is
        // the same to (v/c)², 1e-8 of it.
        let mut along = 0.0;
        let mut from_body = Vector([0.0; 3]);
        let mut at = way.emitted;
        for _ in 0..3 {
            at = way.emitted + Duration::from_secs_f64(way.seconds * along);
            from_body = stretch(way.start.position - geometry.center(body, at));
            along = (-from_body.dot(line) / squared).clamp(0.0, 1.0);
        }
        let velocity = if way.start.center == body {
            way.start_velocity - way.start.relative_velocity
        } else {
            geometry.center_velocity(body, at)
        };
        Segment {
            start: from_body,
            line,
            along,
            start_rate: stretch(way.start_velocity - velocity),
            end_rate: stretch(way.end_velocity - velocity),
            start_bend: bounds.from * a / b,
            end_bend: bounds.to * a / b,
        }
        .clear_of(a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contacts::Interval;
    use crate::place::{Orbit, Site};
    use crate::visibility::{HorizonTable, KeepOut, SunLimit};
    use hifitime::Epoch;

    fn orbit(body: Body, height_km: f64, eccentricity: f64, turn_deg: f64) -> Place {
        Place::Orbit(Orbit {
            body,
            semi_major_axis_km: (body.equatorial_radius_km() + height_km) / (1.0 - eccentricity),
            eccentricity,
            inclination_deg: 20.0 + turn_deg / 3.0,
            ascending_node_deg: turn_deg,
            argument_of_periapsis_deg: 2.0 * turn_deg,
            mean_anomaly_deg: 5.0 * turn_deg,
        })
    }

    /// What the search for contacts rests on: during the span that a condition calls safe it keeps its sign. With limits all
    /// over, so that the values are now far from zero and now near.
    #[test]
    fn conditions_keep_their_sign_for_as_long_as_they_say() {
        let geometry = Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 3, 1));
        let site = |body, latitude_deg| Place::Site(Site { body, latitude_deg, longitude_deg: 50.0, altitude_km: 1.0 });
        let land = HorizonTable::new(vec![(0.0, 5.0), (90.0, 60.0), (120.0, 20.0), (250.0, 80.0)]).unwrap();
        let pairs = [
            (orbit(Body::Earth, 500.0, 0.0, 10.0), site(Body::Earth, 30.0)),
            (orbit(Body::Earth, 600.0, 0.7, 200.0), site(Body::Earth, -70.0)),
            (orbit(Body::Earth, 500.0, 0.01, 40.0), orbit(Body::Earth, 550.0, 0.01, 45.0)),
            (orbit(Body::Earth, 400.0, 0.0, 70.0), orbit(Body::Earth, 20_000.0, 0.3, 300.0)),
            (orbit(Body::Mars, 300.0, 0.4, 100.0), site(Body::Earth, 10.0)),
            (site(Body::Mars, -40.0), orbit(Body::Mars, 400.0, 0.0, 150.0)),
            (orbit(Body::Moon, 100.0, 0.1, 120.0), site(Body::Earth, 60.0)),
            (orbit(Body::Moon, 100.0, 0.0, 220.0), orbit(Body::Earth, 700.0, 0.0, 20.0)),
            (orbit(Body::Mercury, 200.0, 0.1, 80.0), orbit(Body::Venus, 300.0, 0.1, 30.0)),
        ];
        let (mut held, mut least, mut most) = (0, f64::MAX, 0.0_f64);
        for (from, to) in &pairs {
            for limit in 0..12 {
                let angle_deg = 5.0 + 13.0 * f64::from(limit);
                let keep_out =
                    vec![KeepOut { body: from.body(), angle_deg }, KeepOut { body: Body::Mercury, angle_deg }];
                let sun = Some(SunLimit { degraded_below_deg: angle_deg, outage_below_deg: angle_deg });
                let antenna = Antenna { horizon: (limit % 2 == 0).then(|| land.clone()), keep_out, sun };
                let ray_km = geometry.light_time(from, to, Instant::ZERO).unwrap().as_secs_f64() * 3e5;
                let rules = Visibility {
                    elevation_mask_deg: -30.0 + 9.0 * f64::from(limit),
                    occulters: vec![Body::Earth, Body::Mars, Body::Venus, Body::Sun],
                    transmitter: antenna.clone(),
                    receiver: antenna,
                    max_range_km: Some(ray_km * (0.5 + 0.1 * f64::from(limit))),
                };
                let ray = Ray::new(&geometry, from, to, &rules);
                for step in 0..25 {
                    let start = Instant::from_secs_f64(1_234.0 * f64::from(step));
                    let within = Interval { start, end: start + Duration::from_secs(86_400 * 10) };
                    let bounds = geometry.accelerations(&ray, &rules, within);
                    let conditions = |at| {
                        let mut all = Vec::new();
                        ray.guards(&ray.way(at).unwrap(), &bounds, &mut |obstacle, guard| all.push((obstacle, guard)));
                        all
                    };
                    for (index, (obstacle, guard)) in conditions(start).into_iter().enumerate() {
                        least = least.min(guard.safe_s);
                        most = most.max(guard.safe_s);
                        for part in [0.2, 0.5, 0.8, 0.95, 0.999] {
                            let later = start + Duration::from_secs_f64(guard.safe_s * part);
                            let (_, then) = conditions(later)[index];
                            assert_eq!(
                                then.clear(),
                                guard.clear(),
                                "{from:?} to {to:?} at {start}: {obstacle:?} is {} and {} after {} s of {} s",
                                guard.value,
                                then.value,
                                guard.safe_s * part,
                                guard.safe_s
                            );
                            held += 1;
                        }
                    }
                }
            }
        }
        println!("{held} held, over {least:.3} to {most:.0} s");
        assert!(held > 50_000 && least < 5.0 && most > 1e4);
    }
}
