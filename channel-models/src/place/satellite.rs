//! Satellites of the Earth that general perturbations elements describe, moved by SGP4 and SDP4.

use std::sync::Arc;

use farlink_units::Duration;
use hifitime::Epoch;

use crate::place::table::epoch_at;
use crate::place::{Limits, OmmError, TleError, omm, tle};
use crate::vector::Vector;

/// How far from their epoch elements are used unless it is asked for otherwise.
const USEABLE: Duration = Duration::from_secs(30 * 86_400);
/// How far they are used at most: SDP4 integrates resonances from the epoch on, which takes the longer the farther it is.
const MOST_USEABLE: Duration = Duration::from_secs(366 * 86_400);

/// A satellite of the Earth given by mean elements of SGP4, from a TLE or an OMM.
///
/// Positions are those of SGP4 (SDP4 beyond a period of 225 min) with the constants of WGS 72, for which the elements are
/// made, turned from the true equator and mean equinox of date (TEME) to the ICRF. SGP4 itself is good to a kilometre or so at
/// the epoch and loses one to three a day in low orbits, and its velocities differ by some cm/s from how its positions change.
/// Elements are useable for 30 days about their epoch unless
/// [`Satellite::useable_for`] says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Satellite {
    model: Arc<Model>,
    useable: Duration,
}

#[derive(Debug, PartialEq)]
struct Model {
    elements: MeanElements,
    epoch_tt_ns: i64,
    constants: sgp4::Constants,
}

/// What TLE and OMM say alike. Angles in degrees.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MeanElements {
    pub(crate) name: String,
    pub(crate) catalogue_number: Option<u64>,
    pub(crate) epoch: Epoch,
    /// Revolutions a day (Kozai).
    pub(crate) mean_motion: f64,
    pub(crate) eccentricity: f64,
    pub(crate) inclination: f64,
    pub(crate) ascending_node: f64,
    pub(crate) argument_of_perigee: f64,
    pub(crate) mean_anomaly: f64,
    /// In inverse Earth radii.
    pub(crate) bstar: f64,
}

/// Why elements describe no orbit: the name of the one and what it must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BadElement {
    pub(crate) field: &'static str,
    pub(crate) value: f64,
    pub(crate) range: &'static str,
}

impl Satellite {
    /// Reads the one satellite of a TLE file: two lines, or three with its name first.
    ///
    /// # Errors
    /// With the number of the line: anything that is not a TLE, and more or fewer satellites than one.
    pub fn from_tle(file: impl AsRef<[u8]>) -> Result<Satellite, TleError> {
        tle::read_one(file.as_ref())
    }

    /// Reads all satellites of a TLE file, in the order of the file.
    ///
    /// # Errors
    /// With the number of the line: anything that is not a TLE.
    pub fn all_from_tle(file: impl AsRef<[u8]>) -> Result<Vec<Satellite>, TleError> {
        tle::read(file.as_ref())
    }

    /// Reads orbit mean-elements messages in JSON or in keyword = value notation, whichever they are: JSON begins with a bracket, and
    /// no keyword does.
    ///
    /// # Errors
    /// As [`Satellite::all_from_omm_json`] or [`Satellite::from_omm_kvn`].
    pub fn all_from_omm(file: impl AsRef<[u8]>) -> Result<Vec<Satellite>, OmmError> {
        let file = file.as_ref();
        match file.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'[' | b'{') => Satellite::all_from_omm_json(file),
            _ => Satellite::from_omm_kvn(file).map(|satellite| vec![satellite]),
        }
    }

    /// Reads an orbit mean-elements message (CCSDS 502.0-B, section 4) in keyword = value notation: one satellite.
    ///
    /// # Errors
    /// With the number of the line: anything that is not an OMM for SGP4.
    pub fn from_omm_kvn(file: impl AsRef<[u8]>) -> Result<Satellite, OmmError> {
        omm::read_kvn(file.as_ref())
    }

    /// Reads orbit mean-elements messages in JSON as CelesTrak and Space-Track give them: an object or a list of them.
    ///
    /// # Errors
    /// With the number of the line, or of the object: anything that is not an OMM for SGP4.
    pub fn all_from_omm_json(file: impl AsRef<[u8]>) -> Result<Vec<Satellite>, OmmError> {
        omm::read_json(file.as_ref())
    }

    pub(crate) fn new(elements: MeanElements) -> Result<Satellite, BadElement> {
        let e = &elements;
        let check = |field, value: f64, ok: bool, range| {
            if ok && value.is_finite() { Ok(()) } else { Err(BadElement { field, value, range }) }
        };
        check("mean motion", e.mean_motion, e.mean_motion > 0.0 && e.mean_motion < 20.0, "above 0, below 20 a day")?;
        check("eccentricity", e.eccentricity, (0.0..1.0).contains(&e.eccentricity), "from 0 to below 1")?;
        check("inclination", e.inclination, (0.0..=180.0).contains(&e.inclination), "from 0 to 180")?;
        check("ascending node", e.ascending_node, e.ascending_node.abs() <= 360.0, "from 0 to 360")?;
        check("argument of perigee", e.argument_of_perigee, e.argument_of_perigee.abs() <= 360.0, "from 0 to 360")?;
        check("mean anomaly", e.mean_anomaly, e.mean_anomaly.abs() <= 360.0, "from 0 to 360")?;
        check("drag term BSTAR", e.bstar, e.bstar.abs() < 1e3, "within 1000")?;
        let no_orbit = |_| BadElement {
            field: "mean motion",
            value: e.mean_motion,
            range: "one that SGP4 finds an orbit for, with this eccentricity",
        };
        let orbit = sgp4::Orbit::from_kozai_elements(
            &sgp4::WGS72,
            e.inclination.to_radians(),
            e.ascending_node.to_radians(),
            e.eccentricity,
            e.argument_of_perigee.to_radians(),
            e.mean_anomaly.to_radians(),
            e.mean_motion * std::f64::consts::PI / 720.0,
        )
        .map_err(no_orbit)?;
        let years = (e.epoch.to_jde_utc_days() - 2_451_545.0) / 365.25;
        let constants = sgp4::Constants::new(sgp4::WGS72, sgp4::iau_epoch_to_sidereal_time, years, e.bstar, orbit)
            .map_err(|bad| BadElement { field: "eccentricity", value: bad.0, range: "from 0 to below 1" })?;
        let epoch_tt_ns = elements.epoch.to_tt_since_j2k().total_nanoseconds() as i64;
        Ok(Satellite { model: Arc::new(Model { elements, epoch_tt_ns, constants }), useable: USEABLE })
    }

    /// Its name; where the file has none, its catalogue number.
    pub fn name(&self) -> &str {
        &self.model.elements.name
    }

    /// Its number in the catalogue of the US Space Force.
    pub fn catalogue_number(&self) -> Option<u64> {
        self.model.elements.catalogue_number
    }

    /// The epoch of the elements.
    pub fn epoch(&self) -> Epoch {
        self.model.elements.epoch
    }

    /// From when to when it has a position.
    pub fn span(&self) -> (Epoch, Epoch) {
        let (first, last) = self.span_tt_ns();
        (epoch_at(first), epoch_at(last))
    }

    /// The same satellite with elements that are used up to `span` before and after their epoch, 366 days at most. Farther off
    /// it has no position.
    #[must_use]
    pub fn useable_for(mut self, span: Duration) -> Satellite {
        self.useable = span.max(Duration::ZERO).min(MOST_USEABLE);
        self
    }

    /// The first and the last nanosecond at which it has a position, TT since J2000.
    pub(crate) fn span_tt_ns(&self) -> (i64, i64) {
        let (epoch, useable) = (self.model.epoch_tt_ns, self.useable.as_nanos());
        (epoch.saturating_sub(useable), epoch.saturating_add(useable))
    }

    /// Position in km and velocity in km/s on the axes of TEME, `tt_ns` nanoseconds after J2000.
    pub(crate) fn teme(&self, tt_ns: i64) -> Result<([f64; 3], [f64; 3]), String> {
        let minutes = tt_ns.saturating_sub(self.model.epoch_tt_ns) as f64 / 60e9;
        let found =
            self.model.constants.propagate(sgp4::MinutesSinceEpoch(minutes)).map_err(|error| error.to_string())?;
        let radius_km = Vector(found.position).length();
        if radius_km.is_nan() || radius_km < sgp4::WGS72.ae {
            return Err(format!("it would be {radius_km:.0} km from the centre of the Earth"));
        }
        Ok((found.position, found.velocity))
    }

    /// Bounds on the motion about the Earth: those of the ellipse of the mean elements, with room for what SGP4 adds.
    pub(crate) fn limits(&self) -> Limits {
        const GM: f64 = 398_600.8;
        let e = &self.model.elements;
        let a = (GM / (e.mean_motion * std::f64::consts::TAU / 86_400.0).powi(2)).cbrt();
        // Short periods move the perigee by some 20 km, the Moon and the Sun that of a long ellipse by a hundredth of its
        // axis in a month. Drag may take a low one down to the ground, and below that there is no position.
        let perigee = a * (1.0 - e.eccentricity) * 0.99 - 0.01 * a - 50.0;
        let ground = sgp4::WGS72.ae;
        let perigee = if perigee < ground + 700.0 { ground } else { perigee };
        let energy = (2.0 / perigee - 1.0 / (a * 1.02)).max(1.0 / perigee);
        Limits { speed: (GM * energy).sqrt() * 1.02, acceleration: GM / (perigee * perigee) * 1.02 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The search for contacts relies on the limits, also far from the epoch.
    #[test]
    fn satellites_stay_within_their_limits() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/golden/geometry/satellites.tle");
        let all = Satellite::all_from_tle(std::fs::read(path).unwrap()).unwrap();
        assert_eq!(all.len(), 4);
        for satellite in all {
            let limits = satellite.limits();
            let (start, end) = satellite.span_tt_ns();
            let (mut speed, mut acceleration) = (0.0_f64, 0.0_f64);
            for k in 0..20_000 {
                let at = start + (end - start) / 20_001 * k;
                let [(_, before), (_, after)] = [at, at + 1_000_000_000].map(|t| satellite.teme(t).unwrap());
                speed = speed.max(Vector(before).length());
                acceleration = acceleration.max((Vector(after) - Vector(before)).length());
            }
            println!(
                "{}: {:.3} of the speed, {:.3} of the pull",
                satellite.name(),
                speed / limits.speed,
                acceleration / limits.acceleration
            );
            assert!(speed < limits.speed && acceleration < limits.acceleration, "{limits:?}");
        }
    }
}
