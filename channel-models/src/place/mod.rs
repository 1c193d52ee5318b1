//! Where a node can be.

mod calendar;
mod oem;
mod omm;
mod orbit;
mod satellite;
mod site;
mod table;
mod text;
mod tle;

use hifitime::Epoch;
use thiserror::Error;

use crate::body::Body;
#[cfg(feature = "spice")]
use crate::kernels::KernelPath;
use crate::vector::Vector;

pub use calendar::CalendarError;
pub use oem::OemError;
pub use omm::OmmError;
pub(crate) use orbit::MovingOrbit;
pub use orbit::{Orbit, SecularRates};
pub use satellite::Satellite;
pub use site::Site;
pub(crate) use site::{FixedSite, carry};
pub use table::EphemerisTable;
pub(crate) use table::{TableFrame, epoch_at};
pub use text::TextError;
pub(crate) use text::{lines, number, shown};
pub use tle::TleError;

/// Where an end of a link is. Clones share what is large.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Place {
    /// The centre of a body.
    Center(Body),
    /// A point that turns with a body.
    Site(Site),
    /// An orbit about a body.
    Orbit(Orbit),
    /// A satellite of the Earth given by general perturbations elements (TLE, OMM), moved by SGP4.
    Satellite(Satellite),
    /// What a table of positions says (CCSDS OEM).
    Table(EphemerisTable),
    /// A spacecraft that SPICE kernels place. A lander is better a site: at the surface of a body it counts as hidden by that.
    #[cfg(feature = "spice")]
    Kernel(KernelPath),
}

/// Position in km and velocity in km/s, against the centre of a body or the barycentre, on ICRF axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Motion {
    pub(crate) position: Vector,
    pub(crate) velocity: Vector,
}

impl Motion {
    pub(crate) const REST: Motion = Motion { position: Vector([0.0; 3]), velocity: Vector([0.0; 3]) };
}

/// What a motion never exceeds: speed in km/s and acceleration in km/s².
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    pub(crate) speed: f64,
    pub(crate) acceleration: f64,
}

/// A place has no position at an instant. Nothing is ever extrapolated.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NoPosition {
    /// The ephemeris does not reach that far.
    #[error(
        "{name} has no position at {at}: its ephemeris is useable from {start} to {end}; give one that covers the time asked for"
    )]
    OutsideSpan {
        /// What the ephemeris calls its object.
        name: String,
        /// The instant that was asked for.
        at: Epoch,
        /// The start of the useable span, the first one if there are several.
        start: Epoch,
        /// The end of the useable span, the last one if there are several.
        end: Epoch,
    },
    /// SGP4 finds no orbit: the satellite has come down, or the elements are too far from their epoch.
    #[error("{name} has no position at {at}: SGP4 finds no orbit ({why}); give elements of a later epoch")]
    NoOrbit {
        /// What the elements call the satellite.
        name: String,
        /// The instant that was asked for.
        at: Epoch,
        /// What SGP4 says.
        why: String,
    },
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

impl Place {
    /// The body that the place belongs to; for a table the centre of its first segment, and for a way
    /// in SPICE kernels the body from which its position is taken.
    pub fn body(&self) -> Body {
        match self {
            Place::Center(body) => *body,
            Place::Site(site) => site.body,
            Place::Orbit(orbit) => orbit.body,
            Place::Satellite(_) => Body::Earth,
            Place::Table(table) => table.body(),
            #[cfg(feature = "spice")]
            Place::Kernel(path) => path.body(),
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
            // What these hold was checked when it was read.
            Place::Center(_) | Place::Satellite(_) | Place::Table(_) => Ok(()),
            #[cfg(feature = "spice")]
            Place::Kernel(_) => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;

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
