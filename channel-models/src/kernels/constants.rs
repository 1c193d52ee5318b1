//! What text kernels say: orientations (PCK) and leap seconds (LSK).

use super::KernelError;
use super::text::{Value, Variables};
use crate::body::Body;
use crate::earth::polynomial;

/// The orientation of a body as a text PCK gives it (NAIF, "PCK Required Reading", "Models for the Sun, Planets, and some Minor
/// Bodies"): polynomials in degrees, and periodic terms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Orientation {
    /// In powers of Julian centuries.
    ra: Vec<f64>,
    dec: Vec<f64>,
    /// In powers of days.
    meridian: Vec<f64>,
    /// Sines are added to the right ascension and the meridian, cosines to the declination, of these angles in degrees (in powers
    /// of Julian centuries).
    angles: Vec<Vec<f64>>,
    ra_terms: Vec<f64>,
    dec_terms: Vec<f64>,
    meridian_terms: Vec<f64>,
}

impl Orientation {
    /// Right ascension and declination of the pole, and what the meridian is beyond its rate, in radians, `days` after J2000.
    pub(crate) fn angles(&self, days: f64) -> [f64; 3] {
        let t = days / 36_525.0;
        let sum = |terms: &[f64], f: fn(f64) -> f64| -> f64 {
            terms
                .iter()
                .zip(&self.angles)
                .map(|(term, angle)| term * f((polynomial(t, angle) % 360.0).to_radians()))
                .sum()
        };
        [
            polynomial(t, &self.ra) + sum(&self.ra_terms, f64::sin),
            polynomial(t, &self.dec) + sum(&self.dec_terms, f64::cos),
            polynomial(days, &self.meridian) - self.rate() * days + sum(&self.meridian_terms, f64::sin),
        ]
        .map(f64::to_radians)
    }

    /// The rate of the meridian in degrees per day.
    pub(crate) fn rate(&self) -> f64 {
        self.meridian.get(1).copied().unwrap_or(0.0)
    }
}

/// The orientation that the variables give a body, if they do.
pub(super) fn orientation(variables: &Variables, body: Body) -> Result<Option<Orientation>, KernelError> {
    let id = naif_id(body);
    // The periodic angles belong to the system: 3 for the Earth and the Moon.
    let system = if id == 10 { 10 } else { id / 100 };
    let of_body = |what: &str| format!("BODY{id}_{what}");
    let get = |name: &str| variables.numbers(name);
    let (Some(ra), Some(dec), Some(meridian)) =
        (get(&of_body("POLE_RA"))?, get(&of_body("POLE_DEC"))?, get(&of_body("PM"))?)
    else {
        return Ok(None);
    };
    for (name, numbers) in [("POLE_RA", &ra), ("POLE_DEC", &dec), ("PM", &meridian)] {
        if !(1..=8).contains(&numbers.len()) {
            return Err(variables.wrong(&of_body(name), format!("{} coefficients", numbers.len())));
        }
    }
    for owner in [id, system] {
        for other in ["CONSTANTS_JED_EPOCH", "CONSTANTS_REF_FRAME"] {
            let name = format!("BODY{owner}_{other}");
            if variables.values(&name).is_some() {
                return Err(
                    variables.wrong(&name, "constants of another epoch or frame than J2000 cannot be read".to_owned())
                );
            }
        }
    }
    let angles = periodic_angles(variables, system)?;
    let terms = |what: &str| -> Result<Vec<f64>, KernelError> {
        let name = of_body(what);
        let terms = get(&name)?.unwrap_or_default();
        if terms.len() > angles.len() {
            return Err(variables.wrong(&name, format!("{} terms for {} angles", terms.len(), angles.len())));
        }
        Ok(terms)
    };
    let (ra_terms, dec_terms, meridian_terms) = (terms("NUT_PREC_RA")?, terms("NUT_PREC_DEC")?, terms("NUT_PREC_PM")?);
    Ok(Some(Orientation { ra, dec, meridian, angles, ra_terms, dec_terms, meridian_terms }))
}

fn periodic_angles(variables: &Variables, system: i32) -> Result<Vec<Vec<f64>>, KernelError> {
    let name = format!("BODY{system}_NUT_PREC_ANGLES");
    let Some(numbers) = variables.numbers(&name)? else { return Ok(Vec::new()) };
    let degree_name = format!("BODY{system}_MAX_PHASE_DEGREE");
    let degree = match variables.numbers(&degree_name)?.as_deref() {
        None => 1,
        Some([degree]) if (1.0..=8.0).contains(degree) && degree.fract() == 0.0 => *degree as usize,
        Some(other) => return Err(variables.wrong(&degree_name, format!("{other:?} is no degree from 1 to 8"))),
    };
    if !numbers.len().is_multiple_of(degree + 1) {
        return Err(variables.wrong(&name, format!("{} numbers are not angles of {} each", numbers.len(), degree + 1)));
    }
    Ok(numbers.chunks(degree + 1).map(<[f64]>::to_vec).collect())
}

/// The NAIF ID of a body.
pub(super) const fn naif_id(body: Body) -> i32 {
    match body {
        Body::Sun => 10,
        Body::Mercury => 199,
        Body::Venus => 299,
        Body::Earth => 399,
        Body::Moon => 301,
        Body::Mars => 499,
        Body::Jupiter => 599,
        Body::Saturn => 699,
        Body::Uranus => 799,
        Body::Neptune => 899,
    }
}

/// TAI − UTC in seconds from each day on (days after J2000 noon, UTC), from `DELTET/DELTA_AT`.
pub(super) fn leap_seconds(variables: &Variables) -> Result<Option<Vec<(f64, f64)>>, KernelError> {
    const NAME: &str = "DELTET/DELTA_AT";
    let Some(values) = variables.values(NAME) else { return Ok(None) };
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for pair in values.chunks(2) {
        let [Value::Number(seconds), Value::Text(date)] = pair else {
            return Err(variables.wrong(NAME, "seconds and dates must take turns".to_owned()));
        };
        let day = day(date).ok_or_else(|| variables.wrong(NAME, format!("`{date}` is no date like 2017-JAN-1")))?;
        if steps.last().is_some_and(|(last, _)| *last >= day) {
            return Err(variables.wrong(NAME, format!("{date} does not come after the date before")));
        }
        steps.push((day, *seconds));
    }
    Ok(Some(steps))
}

/// Days from J2000 (noon) to 0 h of a date like 2017-JAN-1.
fn day(date: &str) -> Option<f64> {
    const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?.to_uppercase(), parts.next()?);
    let (year, day): (i32, u8) = (year.parse().ok()?, day.parse().ok()?);
    let month = u8::try_from(MONTHS.iter().position(|m| *m == month)? + 1).ok()?;
    if parts.next().is_some() || !(1900..=2200).contains(&year) {
        return None;
    }
    let at = hifitime::Epoch::maybe_from_gregorian(year, month, day, 0, 0, 0, 0, hifitime::TimeScale::TAI).ok()?;
    Some(at.to_jde_tai_days() - 2_451_545.0)
}
