//! Where the Sun, the planets and the Moon are.
//!
//! VSOP87E (Bretagnon & Francou 1988): full series, rectangular, barycentric. Its Earth is the Earth itself, not the barycentre
//! of Earth and Moon. The giant planets stand for their systems' barycentres. The Moon is placed from the Earth by ELP/MPP02.

mod moon;

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

/// The series itself: km on ICRF axes, `tdb_days` after J2000, from the barycentre of the solar system, but for the Moon from the
/// Earth. Slow.
pub(crate) fn series_km(body: Body, tdb_days: f64) -> [f64; 3] {
    use vsop87::vsop87e as v;
    let series = match body {
        Body::Sun => v::sun,
        Body::Mercury => v::mercury,
        Body::Venus => v::venus,
        Body::Earth => v::earth,
        Body::Moon => return moon::from_earth_km(tdb_days),
        Body::Mars => v::mars,
        Body::Jupiter => v::jupiter,
        Body::Saturn => v::saturn,
        Body::Uranus => v::uranus,
        Body::Neptune => v::neptune,
    };
    let p = series(J2000 + tdb_days);
    FROM_VSOP.map(|row| (row[0] * p.x + row[1] * p.y + row[2] * p.z) * AU_KM)
}

/// The positions of all bodies, through pieces.
///
/// Eight days and twelve coefficients keep the planets within 4 cm of the series (400 instants of each from 2000 to 2050; Mercury
/// is the worst). The Moon turns faster: four days and fourteen coefficients keep it within a millimetre of its own.
pub(crate) struct Ephemeris {
    /// From the barycentre; the Moon's stays empty.
    planets: [Pieces<8, 3, 12>; Body::COUNT],
    /// From the Earth.
    moon: Pieces<4, 3, 14>,
    /// Where there are kernels, they go before the series.
    #[cfg(feature = "spice")]
    kernels: Option<crate::kernels::KernelBodies>,
}

impl Ephemeris {
    pub(crate) fn new() -> Self {
        Ephemeris {
            planets: std::array::from_fn(|_| Pieces::new()),
            moon: Pieces::new(),
            #[cfg(feature = "spice")]
            kernels: None,
        }
    }

    /// Positions from kernels, and from the series where they do not reach.
    #[cfg(feature = "spice")]
    pub(crate) fn with_kernels(kernels: crate::kernels::KernelBodies) -> Self {
        Ephemeris { kernels: Some(kernels), ..Ephemeris::new() }
    }

    /// Barycentric km on ICRF axes, `tdb_ns` nanoseconds after J2000.
    pub(crate) fn position_km(&self, body: Body, tdb_ns: i64) -> Vector {
        #[cfg(feature = "spice")]
        if let Some(position) = self.kernels.as_ref().and_then(|kernels| kernels.position_km(body, tdb_ns)) {
            return position;
        }
        match body {
            Body::Moon => self.position_km(Body::Earth, tdb_ns) + self.moon_from_earth_km(tdb_ns),
            _ => Vector(self.planets[body as usize].at(tdb_ns, |days| series_km(body, days))),
        }
    }

    fn moon_from_earth_km(&self, tdb_ns: i64) -> Vector {
        Vector(self.moon.at(tdb_ns, |days| series_km(Body::Moon, days)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pieces::DAY_NS;

    #[test]
    fn pieces_are_within_a_metre_of_the_series() {
        let ephemeris = Ephemeris::new();
        let mut worst = [0.0_f64; Body::COUNT];
        for body in Body::ALL {
            for i in 0..12_i64 {
                // Ticks of 1/128 day, which a Julian date holds exactly, spread over 2000 … 2050 and through the pieces.
                let ticks = i * 143_213 + i * i * 17;
                let exact = series_km(body, ticks as f64 / 128.0);
                let at = ticks * (DAY_NS / 128);
                let pieced = match body {
                    Body::Moon => ephemeris.moon_from_earth_km(at),
                    _ => ephemeris.position_km(body, at),
                };
                worst[body as usize] = worst[body as usize].max((pieced - Vector(exact)).length());
            }
        }
        println!("worst difference in km: {worst:?}");
        assert!(worst.iter().all(|w| *w < 1e-3), "{worst:?}");
    }
}
