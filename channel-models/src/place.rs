//! Where a node can be.

use farlink_units::Instant;
use thiserror::Error;

use crate::body::Body;
use crate::rotation::orbit_axes;
use crate::vector::{Vector, fraction};

/// Where an end of a link is.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// The centre of a body.
    Center(Body),
    /// A point that turns with a body.
    Site(Site),
    /// An orbit about a body.
    Orbit(Orbit),
}

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

/// Why a place cannot be.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PlaceError {
    /// A number is outside what it can be.
    #[error("`{field}` is {value}: it must be {range}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it can be, in words.
        range: &'static str,
    },
    /// The orbit runs through its body.
    #[error("the orbit comes as near as {periapsis_km} km to the centre of {body:?}, whose radius is {radius_km} km")]
    InsideTheBody {
        /// The body.
        body: Body,
        /// The least distance from its centre, in km.
        periapsis_km: f64,
        /// The body's equatorial radius, in km.
        radius_km: f64,
    },
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

impl Place {
    /// The body that the place belongs to.
    pub fn body(&self) -> Body {
        match self {
            Place::Center(body) => *body,
            Place::Site(site) => site.body,
            Place::Orbit(orbit) => orbit.body,
        }
    }

    /// Says what is wrong with the place. Places that this refuses give positions without meaning (but no panic).
    ///
    /// # Errors
    /// A number out of range, or an orbit through its body.
    pub fn check(&self) -> Result<(), PlaceError> {
        let within = |field, value: f64, ok: bool, range| {
            if ok && value.is_finite() { Ok(()) } else { Err(PlaceError::OutOfRange { field, value, range }) }
        };
        match self {
            Place::Center(_) => Ok(()),
            Place::Site(s) => {
                within("latitude_deg", s.latitude_deg, s.latitude_deg.abs() <= 90.0, "from -90 to 90")?;
                within("longitude_deg", s.longitude_deg, s.longitude_deg.abs() <= 360.0, "from -360 to 360")?;
                let lowest = -s.body.polar_radius_km() / 2.0;
                within("altitude_km", s.altitude_km, s.altitude_km > lowest, "a height above the ellipsoid")
            }
            Place::Orbit(o) => {
                within("semi_major_axis_km", o.semi_major_axis_km, o.semi_major_axis_km > 0.0, "above 0")?;
                within("eccentricity", o.eccentricity, (0.0..1.0).contains(&o.eccentricity), "from 0 to below 1")?;
                within(
                    "inclination_deg",
                    o.inclination_deg,
                    (0.0..=180.0).contains(&o.inclination_deg),
                    "from 0 to 180",
                )?;
                within("ascending_node_deg", o.ascending_node_deg, true, "finite")?;
                within("argument_of_periapsis_deg", o.argument_of_periapsis_deg, true, "finite")?;
                within("mean_anomaly_deg", o.mean_anomaly_deg, true, "finite")?;
                let periapsis_km = o.semi_major_axis_km * (1.0 - o.eccentricity);
                let radius_km = o.body.equatorial_radius_km();
                if periapsis_km < radius_km {
                    return Err(PlaceError::InsideTheBody { body: o.body, periapsis_km, radius_km });
                }
                Ok(())
            }
        }
    }
}

impl Site {
    /// Position in km and upward direction, both on the body-fixed axes.
    pub(crate) fn body_fixed(&self) -> ([f64; 3], [f64; 3]) {
        // WGS 84 (NGA.STND.0036): a and b in km.
        let (a, b) = match self.body {
            Body::Earth => (6378.137, 6_356.752_314_245),
            other => (other.equatorial_radius_km(), other.polar_radius_km()),
        };
        let (sin_lat, cos_lat) = self.latitude_deg.to_radians().sin_cos();
        let (sin_lon, cos_lon) = self.longitude_deg.to_radians().sin_cos();
        let normal = a * a / (a * a * cos_lat * cos_lat + b * b * sin_lat * sin_lat).sqrt();
        let across = (normal + self.altitude_km) * cos_lat;
        let along = (normal * (b * b) / (a * a) + self.altitude_km) * sin_lat;
        ([across * cos_lon, across * sin_lon, along], [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat])
    }
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

    /// The angular speed about the body where it is greatest, in radians per second.
    pub(crate) fn fastest_turn(&self) -> f64 {
        let e = self.eccentricity;
        self.secular_rates().mean_anomaly * (1.0 + e).sqrt() / (1.0 - e).powf(1.5)
    }

    /// Position relative to the body, in km on ICRF axes.
    pub(crate) fn relative_km(&self, at: Instant) -> Vector {
        let seconds = at.as_secs_f64();
        let rates = self.secular_rates();
        let e = self.eccentricity;
        let anomaly = eccentric_anomaly(self.mean_anomaly_deg.to_radians() + rates.mean_anomaly * seconds, e);
        let (sin_e, cos_e) = anomaly.sin_cos();
        let x = self.semi_major_axis_km * (cos_e - e);
        let y = self.semi_major_axis_km * (1.0 - e * e).sqrt() * sin_e;

        let node = self.ascending_node_deg.to_radians() + rates.ascending_node * seconds;
        let periapsis = self.argument_of_periapsis_deg.to_radians() + rates.argument_of_periapsis * seconds;
        let (sin_w, cos_w) = periapsis.sin_cos();
        let (sin_i, cos_i) = self.inclination_deg.to_radians().sin_cos();
        let (sin_o, cos_o) = node.sin_cos();
        let (u, v) = (x * cos_w - y * sin_w, x * sin_w + y * cos_w);
        orbit_axes(self.body).outward([u * cos_o - v * cos_i * sin_o, u * sin_o + v * cos_i * cos_o, v * sin_i])
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

    #[test]
    fn a_site_lies_on_the_ellipsoid() {
        let site = |latitude_deg| Site { body: Body::Earth, latitude_deg, longitude_deg: 0.0, altitude_km: 0.0 };
        assert!((site(0.0).body_fixed().0[0] - 6378.137).abs() < 1e-9);
        assert!((site(90.0).body_fixed().0[2] - 6_356.752_314_245).abs() < 1e-9);
        let ([x, _, z], _) = site(45.0).body_fixed();
        // The geocentric latitude there is the geodetic one less 0.19242 degrees.
        assert!((z.atan2(x).to_degrees() - (45.0 - 0.192_424)).abs() < 1e-5);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let orbit = Orbit {
            body: Body::Mars,
            semi_major_axis_km: 3800.0,
            eccentricity: 0.0,
            inclination_deg: 93.0,
            ascending_node_deg: 0.0,
            argument_of_periapsis_deg: 0.0,
            mean_anomaly_deg: 0.0,
        };
        assert_eq!(Place::Orbit(orbit.clone()).check(), Ok(()));
        let low = Place::Orbit(Orbit { eccentricity: 0.3, ..orbit.clone() });
        assert!(matches!(low.check(), Err(PlaceError::InsideTheBody { body: Body::Mars, .. })));
        let open = Place::Orbit(Orbit { eccentricity: 1.0, ..orbit });
        assert!(matches!(open.check(), Err(PlaceError::OutOfRange { field: "eccentricity", .. })));
        let nowhere = Site { body: Body::Earth, latitude_deg: f64::NAN, longitude_deg: 0.0, altitude_km: 0.0 };
        assert!(matches!(Place::Site(nowhere).check(), Err(PlaceError::OutOfRange { field: "latitude_deg", .. })));
    }
}
