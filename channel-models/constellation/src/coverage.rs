//! How few satellites can cover the Earth.

use std::f64::consts::{FRAC_PI_2, TAU};

use farlink_channel_models::Body;
use thiserror::Error;

/// What one satellite covers, and how many of them cover the Earth.
///
/// Source: *Satellite Semantic Addressing for Satellite Constellation*, draft-lhan-satellite-semantic-addressing-01 (2022),
/// section 5.2, whose tables this gives in every cell. The draft leaves the formulas to another; they are those of the densest
/// cover of a plane by circles, laid around a sphere with the Earth's equatorial radius R. With circles of radius Rc, satellites
/// stand √3·Rc apart in a plane and planes 1.5·Rc apart at the equator, and 2πR of each must be filled, to the next whole number.
///
/// The planes are spread over the whole equator and only their ascending halves are counted. What descends covers the Earth a
/// second time, so planes that are spread over 180° (a star) need about half as many. The count is an estimate, not the least
/// that is possible.
///
/// ```
/// use farlink_constellation::Coverage;
///
/// let low = Coverage::new(300.0, 25.0).unwrap();
/// assert_eq!((low.radius_km.round(), low.satellites_per_plane, low.planes), (562.0, 42, 48));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    /// The radius Rc of the covered circle in km, along the ground from its middle.
    pub radius_km: f64,
    /// How many satellites a plane needs, Ns.
    pub satellites_per_plane: u32,
    /// How many planes there must be, No.
    pub planes: u32,
}

/// Why there is no coverage to speak of.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum CoverageError {
    /// The altitude is not a height above the ground.
    #[error("altitude_km is {0}: it must be above 0 and finite")]
    Altitude(f64),
    /// The elevation is not one at which something can be covered.
    #[error("elevation_deg is {0}: it must be from 0 to below 90")]
    Elevation(f64),
}

impl Coverage {
    /// The coverage of satellites at `altitude_km` that must stand at least `elevation_deg` above the horizon.
    ///
    /// # Errors
    /// An altitude or an elevation at which nothing is covered.
    pub fn new(altitude_km: f64, elevation_deg: f64) -> Result<Self, CoverageError> {
        if !(altitude_km > 0.0 && altitude_km.is_finite()) {
            return Err(CoverageError::Altitude(altitude_km));
        }
        if !(0.0..90.0).contains(&elevation_deg) {
            return Err(CoverageError::Elevation(elevation_deg));
        }
        let earth_km = Body::Earth.equatorial_radius_km();
        let elevation = elevation_deg.to_radians();
        // Of the triangle Earth's centre, ground, satellite: the angle at the satellite by the law of sines, that at the centre
        // is what is left.
        let nadir = (earth_km * elevation.cos() / (earth_km + altitude_km)).asin();
        let angle = FRAC_PI_2 - elevation - nadir;
        let whole = |spacing: f64| (TAU / spacing).ceil() as u32;
        Ok(Coverage {
            radius_km: earth_km * angle,
            satellites_per_plane: whole(3.0_f64.sqrt() * angle),
            planes: whole(1.5 * angle),
        })
    }
}
