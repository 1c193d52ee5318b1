//! From the instants of a run to the time scales of astronomy.
//!
//! | scale | here |
//! |---|---|
//! | TT | the epoch converted once (with its leap seconds), then SI seconds; a leap second inside a run cannot disturb it |
//! | TDB | TT + seven periodic terms (Kaplan 2005, USNO Circular 179, equation 2.6), within 10 µs from 1600 to 2200 |
//! | UT1 | TT − ΔT, with the measured ΔT of each new year; where the Earth really points |

use std::f64::consts::TAU;

use farlink_units::Instant;
use hifitime::Epoch;

use crate::pieces::{DAY_NS, Pieces};
use crate::vector::fraction;

/// ΔT = TT − UT1 in seconds at 0 h on 1 January of 1972, 1973, …, from IERS `finals2000A.all` (predicted for the last).
///
/// Straight lines between them stay within 0.09 s of the measured values (the season and the tides are left out), which turns
/// the Earth by 1.3 arc seconds at most. Outside the table ΔT stands still, as it does for UT1 = UTC while no leap second comes;
/// after a new leap second the table must be continued.
const DELTA_T: [f64; 56] = [
    42.14, 43.37, 44.48, 45.48, 46.46, 47.52, 48.53, 49.59, 50.54, 51.38, 52.17, 52.96, 53.79, 54.34, 54.87, 55.32,
    55.82, 56.30, 56.86, 57.57, 58.31, 59.12, 59.98, 60.79, 61.63, 62.30, 62.97, 63.47, 63.83, 64.09, 64.30, 64.47,
    64.57, 64.69, 64.85, 65.15, 65.46, 65.78, 66.07, 66.32, 66.60, 66.91, 67.28, 67.64, 68.10, 68.59, 68.97, 69.22,
    69.36, 69.36, 69.29, 69.20, 69.18, 69.14, 69.11, 69.10,
];
const DELTA_T_START: f64 = 1972.0;

/// TT − UT1 in seconds, `tt_days` after J2000.
pub(crate) fn delta_t(tt_days: f64) -> f64 {
    let at = (2000.0 + tt_days / 365.25 - DELTA_T_START).clamp(0.0, (DELTA_T.len() - 1) as f64);
    let left = (at as usize).min(DELTA_T.len() - 2);
    DELTA_T[left] + (at - left as f64) * (DELTA_T[left + 1] - DELTA_T[left])
}

/// TDB − TT in seconds, `days` after J2000 in either scale.
fn tdb_minus_tt(days: f64) -> f64 {
    let t = days / 36_525.0;
    0.001_657 * (628.3076 * t + 6.2401).sin()
        + 0.000_022 * (575.3385 * t + 4.2970).sin()
        + 0.000_014 * (1256.6152 * t + 6.1969).sin()
        + 0.000_005 * (606.9777 * t + 4.0212).sin()
        + 0.000_005 * (52.9691 * t + 0.4444).sin()
        + 0.000_002 * (21.3299 * t + 5.5431).sin()
        + 0.000_010 * t * (628.3076 * t + 4.2490).sin()
}

/// What an instant of the run is on the scales of astronomy.
pub(crate) struct Clock {
    /// TT at [`Instant::ZERO`], in nanoseconds since J2000 (2000-01-01 12:00 TT).
    zero: i64,
    /// TDB − TT in nanoseconds. Its shortest period is half a year: the sixth coefficient is below a picosecond.
    tdb: Pieces<8, 1, 5>,
}

impl Clock {
    pub(crate) fn new(epoch: Epoch) -> Self {
        let zero = epoch.to_tt_since_j2k().total_nanoseconds();
        Clock { zero: zero.clamp(i64::MIN.into(), i64::MAX.into()) as i64, tdb: Pieces::new() }
    }

    /// A clock whose epoch is `seconds` later than its leap seconds say.
    #[cfg(feature = "spice")]
    pub(crate) fn later(self, seconds: f64) -> Self {
        Clock { zero: self.zero.saturating_add((seconds * 1e9) as i64), ..self }
    }

    /// TT in nanoseconds since J2000.
    pub(crate) fn tt_ns(&self, at: Instant) -> i64 {
        self.zero.saturating_add(at.as_nanos())
    }

    /// TDB in nanoseconds since J2000 TDB.
    pub(crate) fn tdb_ns(&self, at: Instant) -> i64 {
        let tt = self.tt_ns(at);
        let [ahead] = self.tdb.at(tt, |days| [tdb_minus_tt(days) * 1e9]);
        tt.saturating_add(ahead.round() as i64)
    }

    /// The Earth rotation angle in radians, 0 … 2π (IERS Conventions 2010, equation 5.15).
    pub(crate) fn earth_rotation_angle(&self, at: Instant) -> f64 {
        let tt = self.tt_ns(at);
        let ahead = (delta_t(tt as f64 / DAY_NS as f64) * 1e9).round() as i64;
        let ut1 = tt.saturating_sub(ahead);
        // Whole turns are taken off in integers: a day count of 1e4 would cost the angle twelve bits.
        let of_day = ut1.rem_euclid(DAY_NS) as f64 / DAY_NS as f64;
        let days = ut1.div_euclid(DAY_NS) as f64 + of_day;
        TAU * fraction(0.779_057_273_264_0 + 0.002_737_811_911_354_48 * days + of_day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn clock(epoch: &str) -> Clock {
        Clock::new(Epoch::from_str(epoch).unwrap())
    }

    #[test]
    fn the_epoch_is_converted_with_its_leap_seconds() {
        // TAI − UTC was 32 s at the start of 2000 and is 37 s since 2017; TT − TAI is 32.184 s.
        assert_eq!(clock("2000-01-01T12:00:00 UTC").tt_ns(Instant::ZERO), 64_184_000_000);
        assert_eq!(clock("2017-01-01T00:00:00 UTC").tt_ns(Instant::ZERO), 6209 * DAY_NS + DAY_NS / 2 + 69_184_000_000);
    }

    #[test]
    fn a_leap_second_inside_a_run_is_a_second_like_any_other() {
        // 2016-12-31 ended with 23:59:60, so this UTC minute has 61 seconds.
        let (before, after) = (clock("2016-12-31T23:59:30 UTC"), clock("2017-01-01T00:00:30 UTC"));
        let later = Instant::from_nanos(61_000_000_000);
        assert_eq!(before.tt_ns(later), after.tt_ns(Instant::ZERO));
        assert_eq!(before.tdb_ns(later), after.tdb_ns(Instant::ZERO));
        // And the Earth turns through it evenly: 61 s of rotation, no step.
        let turned = (before.earth_rotation_angle(later) - before.earth_rotation_angle(Instant::ZERO)).rem_euclid(TAU);
        assert!((turned - TAU * 61.0 / 86_164.098_9).abs() < 1e-9, "{turned}");
    }

    #[test]
    fn ut1_is_within_a_second_of_utc() {
        for (epoch, tai_minus_utc) in
            [("1999-06-01", 32.0), ("2008-12-01", 33.0), ("2017-01-02", 37.0), ("2026-06-01", 37.0)]
        {
            let tt = clock(&format!("{epoch}T00:00:00 UTC")).tt_ns(Instant::ZERO) as f64 / DAY_NS as f64;
            assert!((delta_t(tt) - 32.184 - tai_minus_utc).abs() < 0.9, "{epoch}");
        }
    }
}
