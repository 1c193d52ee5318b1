//! Where the Sun and the planets are.
//!
//! VSOP87E (Bretagnon & Francou 1988): full series, rectangular, barycentric. Its Earth is the Earth itself, not the barycentre
//! of Earth and Moon. The giant planets stand for their systems' barycentres.

use crate::body::Body;
use crate::pieces::Pieces;
use crate::vector::Vector;

/// The astronomical unit in km (IAU 2012 resolution B2).
const AU_KM: f64 = 149_597_870.7;

/// The Julian date of J2000.
const J2000: f64 = 2_451_545.0;

/// From the dynamical ecliptic and equinox of VSOP87 to the equator of FK5 J2000 (VSOP87 documentation, `vsop87.doc`, "Reference
/// system"). FK5 is within 0.08 arc seconds of ICRF.
const FROM_VSOP: [[f64; 3]; 3] = [
    [1.000_000_000_000, 0.000_000_440_360, -0.000_000_190_919],
    [-0.000_000_479_966, 0.917_482_137_087, -0.397_776_982_902],
    [0.000_000_000_000, 0.397_776_982_902, 0.917_482_137_087],
];

/// The series itself: barycentric km on ICRF axes, `tdb_days` after J2000. Slow.
pub(crate) fn series_km(body: Body, tdb_days: f64) -> [f64; 3] {
    use vsop87::vsop87e as v;
    let series = match body {
        Body::Sun => v::sun,
        Body::Mercury => v::mercury,
        Body::Venus => v::venus,
        Body::Earth => v::earth,
        Body::Mars => v::mars,
        Body::Jupiter => v::jupiter,
        Body::Saturn => v::saturn,
        Body::Uranus => v::uranus,
        Body::Neptune => v::neptune,
    };
    let p = series(J2000 + tdb_days);
    FROM_VSOP.map(|row| (row[0] * p.x + row[1] * p.y + row[2] * p.z) * AU_KM)
}

/// The positions of all bodies, through pieces. Twelve coefficients keep
/// them within 4 cm of the series (400 instants of each from 2000 to 2050; Mercury is the worst).
pub(crate) struct Ephemeris([Pieces<3, 12>; 9]);

impl Ephemeris {
    pub(crate) fn new() -> Self {
        Ephemeris(std::array::from_fn(|_| Pieces::new()))
    }

    /// Barycentric km on ICRF axes, `tdb_ns` nanoseconds after J2000.
    pub(crate) fn position_km(&self, body: Body, tdb_ns: i64) -> Vector {
        Vector(self.0[body as usize].at(tdb_ns, |days| series_km(body, days)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pieces::DAY_NS;

    #[test]
    fn pieces_are_within_a_metre_of_the_series() {
        let ephemeris = Ephemeris::new();
        let mut worst = [0.0_f64; 9];
        for body in Body::ALL {
            for i in 0..12_i64 {
                // Ticks of 1/128 day, which a Julian date holds exactly, spread over 2000 … 2050 and through the pieces.
                let ticks = i * 143_213 + i * i * 17;
                let exact = series_km(body, ticks as f64 / 128.0);
                let pieced = ephemeris.position_km(body, ticks * (DAY_NS / 128));
                worst[body as usize] = worst[body as usize].max((pieced - Vector(exact)).length());
            }
        }
        println!("worst difference in km: {worst:?}");
        assert!(worst.iter().all(|w| *w < 1e-3), "{worst:?}");
    }
}
