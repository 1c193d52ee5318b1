//! Who can see whom: the rules.

use std::fmt;

use thiserror::Error;

use crate::body::Body;

/// One of the two ends of a ray of light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Where the light leaves.
    Transmitter,
    /// Where it arrives.
    Receiver,
}

/// What a ray of light must meet to count as a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visibility {
    /// The least elevation in degrees, −90 … 90, at whichever end is a [`Place::Site`](crate::Place::Site): at a transmitter
    /// of where it aims at emission ([`Geometry::aim_elevation_deg`](crate::Geometry::aim_elevation_deg)), at a receiver of
    /// where it sees the source at reception ([`Geometry::elevation_deg`](crate::Geometry::elevation_deg)).
    pub elevation_mask_deg: f64,
    /// The bodies that hide, as ellipsoids of revolution, each taken where it is when the light passes it.
    ///
    /// The body of a site never hides that site (the mask does that), nor does a body hide its own centre.
    pub occulters: Vec<Body>,
    /// What holds at the end that transmits.
    pub transmitter: Antenna,
    /// What holds at the end that receives.
    pub receiver: Antenna,
    /// The greatest distance in km that the light may go; none is no limit.
    pub max_range_km: Option<f64>,
}

/// What holds at one end of a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Antenna {
    /// At a site: the height of the land about it. The light must clear this and [`Visibility::elevation_mask_deg`].
    pub horizon: Option<HorizonTable>,
    /// Bodies that the antenna must not point at.
    pub keep_out: Vec<KeepOut>,
    /// How near the Sun the antenna may point. For a link to Earth set it at the Earth's end, where it is the limit of the
    /// Sun–Earth–probe angle.
    pub sun: Option<SunLimit>,
}

/// An antenna must not point nearer to the centre of a body than an angle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeepOut {
    /// The body.
    pub body: Body,
    /// The angle in degrees, above 0, below 180.
    pub angle_deg: f64,
}

/// Limits of the angle, at one end of a link, between the other end and the centre of the Sun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SunLimit {
    /// Below this angle in degrees the link works worse; see [`Geometry::degraded`](crate::Geometry::degraded).
    pub degraded_below_deg: f64,
    /// Below this angle in degrees, at most the other, there is no link.
    pub outage_below_deg: f64,
}

/// The height of the land about a site: points of azimuth and elevation with straight lines between them, all the way round.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonTable {
    /// Azimuth from north through east, 0 … 360, rising, and elevation, both in degrees.
    points: Vec<(f64, f64)>,
}

/// What keeps a ray of light from being a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Obstacle {
    /// The elevation mask or the horizon of the site at an end.
    Horizon(End),
    /// A body in the way.
    Body(Body),
    /// The Sun is too near to the direction in which the antenna at an end points.
    Sun(End),
    /// A body is too near to the direction in which the antenna at an end points.
    KeepOut(End, Body),
    /// The distance.
    Range,
    /// An end has no position: its ephemeris does not reach that far.
    NoEphemeris(End),
}

/// Why rules cannot be.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("`{field}` is {value}: it must be {range}")]
pub struct RuleError {
    /// The field.
    pub field: &'static str,
    /// Its value.
    pub value: f64,
    /// What it can be, in words.
    pub range: &'static str,
}

impl Visibility {
    /// The rules of the way back, where the ends have changed their parts.
    #[must_use]
    pub fn reversed(&self) -> Visibility {
        Visibility { transmitter: self.receiver.clone(), receiver: self.transmitter.clone(), ..self.clone() }
    }

    /// Says what is wrong with the rules. Those that this refuses give contacts without meaning (but no panic).
    ///
    /// # Errors
    /// A number out of range.
    pub fn check(&self) -> Result<(), RuleError> {
        let within = |field, value: f64, ok: bool, range| {
            if ok && value.is_finite() { Ok(()) } else { Err(RuleError { field, value, range }) }
        };
        let mask = self.elevation_mask_deg;
        within("elevation_mask_deg", mask, mask.abs() <= 90.0, "from -90 to 90")?;
        if let Some(range) = self.max_range_km {
            within("max_range_km", range, range > 0.0, "above 0")?;
        }
        for antenna in [&self.transmitter, &self.receiver] {
            for keep_out in &antenna.keep_out {
                let angle = keep_out.angle_deg;
                within("angle_deg", angle, 0.0 < angle && angle < 180.0, "above 0 and below 180")?;
            }
            if let Some(sun) = antenna.sun {
                let (worse, out) = (sun.degraded_below_deg, sun.outage_below_deg);
                within("degraded_below_deg", worse, (0.0..180.0).contains(&worse), "from 0 to below 180")?;
                within("outage_below_deg", out, (0.0..=worse).contains(&out), "from 0 to degraded_below_deg")?;
            }
        }
        Ok(())
    }
}

impl HorizonTable {
    /// The highest land that a table can have, in degrees.
    pub const HIGHEST_DEG: f64 = 85.0;

    /// A horizon of points of azimuth (from north through east, 0 … 360) and elevation (−90 … 85), in degrees, with rising
    /// azimuths. The last point is joined to the first; one point is the same height all round.
    ///
    /// # Errors
    /// No points, a number out of range, or azimuths that do not rise.
    pub fn new(points: Vec<(f64, f64)>) -> Result<HorizonTable, RuleError> {
        let refuse = |field, value, range| Err(RuleError { field, value, range });
        if points.is_empty() {
            return refuse("horizon", 0.0, "at least one point");
        }
        let mut last = -1.0;
        for &(azimuth, elevation) in &points {
            if !(0.0..=360.0).contains(&azimuth) || azimuth <= last {
                return refuse("azimuth_deg", azimuth, "from 0 to 360, and above that of the point before");
            }
            if !(-90.0..=Self::HIGHEST_DEG).contains(&elevation) {
                return refuse("elevation_deg", elevation, "from -90 to 85");
            }
            last = azimuth;
        }
        if points[0].0 == 0.0 && last == 360.0 && points[0].1 != points[points.len() - 1].1 {
            return refuse("elevation_deg", points[points.len() - 1].1, "at azimuth 360 what it is at 0");
        }
        Ok(HorizonTable { points })
    }

    /// The height of the land in degrees in the direction `azimuth_deg`.
    pub fn elevation_deg(&self, azimuth_deg: f64) -> f64 {
        let azimuth = azimuth_deg.rem_euclid(360.0);
        let after = self.points.partition_point(|p| p.0 <= azimuth);
        let ((a, low), (b, high)) = self.stretch(after);
        let azimuth = if azimuth < a { azimuth + 360.0 } else { azimuth };
        if b > a { low + (high - low) * (azimuth - a) / (b - a) } else { low }
    }

    /// The stretch that ends with the point `index`, one round later if it wraps.
    fn stretch(&self, index: usize) -> ((f64, f64), (f64, f64)) {
        let count = self.points.len();
        let (from, to) = (self.points[(index + count - 1) % count], self.points[index % count]);
        // After the last point and before the first it is the stretch across north.
        if index.is_multiple_of(count) { (from, (to.0 + 360.0, to.1)) } else { (from, to) }
    }

    /// The lowest and the highest elevation, in radians.
    pub(crate) fn range_rad(&self) -> (f64, f64) {
        let (low, high) = self.points.iter().fold((f64::MAX, f64::MIN), |(low, high), p| (low.min(p.1), high.max(p.1)));
        (low.to_radians(), high.to_radians())
    }

    /// The steepest slope: elevation over azimuth.
    pub(crate) fn steepest(&self) -> f64 {
        (0..self.points.len())
            .map(|index| self.stretch(index))
            .map(|((a, low), (b, high))| if b > a { ((high - low) / (b - a)).abs() } else { 0.0 })
            .fold(0.0, f64::max)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Transmitter => "transmitter",
            End::Receiver => "receiver",
        })
    }
}

/// In a few words, as for a table: `Mars`, `horizon at the receiver`.
impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Horizon(end) => write!(f, "horizon at the {end}"),
            Obstacle::Body(body) => f.write_str(body.name()),
            Obstacle::Sun(end) => write!(f, "Sun too near at the {end}"),
            Obstacle::KeepOut(end, body) => write!(f, "{} in the keep-out of the {end}", body.name()),
            Obstacle::Range => f.write_str("out of range"),
            Obstacle::NoEphemeris(end) => write!(f, "no ephemeris at the {end}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_is_joined_across_north() {
        let horizon = HorizonTable::new(vec![(10.0, 5.0), (90.0, 25.0), (350.0, 15.0)]).unwrap();
        for (azimuth, elevation) in [
            (10.0, 5.0),
            (50.0, 15.0),
            (90.0, 25.0),
            (220.0, 20.0),
            (350.0, 15.0),
            (0.0, 10.0),
            (360.0, 10.0),
            (-5.0, 12.5),
        ] {
            assert!((horizon.elevation_deg(azimuth) - elevation).abs() < 1e-12, "{azimuth}");
        }
        assert!((horizon.steepest() - 0.5).abs() < 1e-12);
        let level = HorizonTable::new(vec![(123.0, 7.0)]).unwrap();
        assert!([0.0, 123.0, 300.0].iter().all(|a| level.elevation_deg(*a) == 7.0) && level.steepest() == 0.0);
        let closed = HorizonTable::new(vec![(0.0, 3.0), (180.0, 9.0), (360.0, 3.0)]).unwrap();
        assert!((closed.elevation_deg(270.0) - 6.0).abs() < 1e-12 && closed.elevation_deg(0.0) == 3.0);
    }

    #[test]
    fn rules_that_cannot_be_are_refused_by_name() {
        for points in [
            vec![],
            vec![(20.0, 1.0), (10.0, 1.0)],
            vec![(0.0, 90.0)],
            vec![(f64::NAN, 1.0)],
            vec![(0.0, 1.0), (360.0, 2.0)],
        ] {
            assert!(HorizonTable::new(points.clone()).is_err(), "{points:?}");
        }
        let rules = |change: fn(&mut Visibility)| {
            let mut rules = Visibility::default();
            change(&mut rules);
            rules.check().map_err(|e| e.field)
        };
        assert_eq!(rules(|_| ()), Ok(()));
        assert_eq!(rules(|r| r.elevation_mask_deg = f64::NAN), Err("elevation_mask_deg"));
        assert_eq!(rules(|r| r.max_range_km = Some(0.0)), Err("max_range_km"));
        let keep_out = |r: &mut Visibility| r.receiver.keep_out = vec![KeepOut { body: Body::Sun, angle_deg: 180.0 }];
        assert_eq!(rules(keep_out), Err("angle_deg"));
        let sun =
            |r: &mut Visibility| r.transmitter.sun = Some(SunLimit { degraded_below_deg: 1.0, outage_below_deg: 2.0 });
        assert_eq!(rules(sun), Err("outage_below_deg"));
    }
}
