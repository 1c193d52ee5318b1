//! Where the Moon is, from the Earth: the lunar theory ELP/MPP02 (Chapront & Francou 2003), its largest terms.
//!
//! The theory gives longitude, latitude and distance on the mean ecliptic of date. From there the way leads to the inertial mean
//! ecliptic and equinox of J2000 by Laskar's P and Q, as the theory has them, and on to ICRF by the two angles that Chapront,
//! Chapront-Touzé & Francou (2002, Astronomy & Astrophysics 387, 700) found for the axes of DE405, to which the theory is fitted.
//!
//! Against DE421 from 2000 to 2050 the whole theory is within 21 m, and what is kept of it here within 0.28 km.

#[path = "moon_terms.rs"]
mod terms;

use crate::earth::polynomial;
use terms::{MainTerm, Perturbation};

const ARCSEC: f64 = std::f64::consts::PI / 648_000.0;

/// Degrees, minutes and seconds of arc, in seconds.
const fn arc(degrees: f64, minutes: f64, seconds: f64) -> f64 {
    degrees * 3600.0 + minutes * 60.0 + seconds
}

/// Arc seconds and powers of Julian centuries: the mean longitude of the Moon (W1), of its perigee (W2) and of its node (W3), the
/// mean longitude of the Earth's heliocentric way (T) and of its perihelion (ϖ′), with the corrections of the fit to DE405/DE406.
const W1: [f64; 5] =
    [arc(218.0, 18.0, 59.955_71) - 0.070_08, 1_732_559_343.736_04 - 0.351_06, -6.845_83, 0.006_415_35, -0.000_041_93];
const W2: [f64; 5] = [
    arc(83.0, 21.0, 11.674_75) + 0.207_94,
    14_643_420.317_1 + 0.080_17 + W2_DERIVED,
    -38.258_393_98,
    -0.045_299_13,
    0.000_213_01,
];
const W3: [f64; 5] = [
    arc(125.0, 2.0, 40.398_16) - 0.072_15,
    -6_967_919.538_3 - 0.043_17 + W3_DERIVED,
    6.356_389_3,
    0.007_517_88,
    -0.000_035_86,
];
const T: [f64; 5] = [arc(100.0, 27.0, 59.138_85) - 0.000_33, 129_597_742.293 + 0.007_32, -0.0202, 9.0e-6, 1.5e-7];
const PERIHELION: [f64; 5] = [arc(102.0, 56.0, 14.457_66) - 0.007_49, 1_161.243_42, 0.529_265, -1.1814e-4, 1.1379e-5];
/// What the other corrections of the fit do to the motions of perigee and node (ELP/MPP02's explanatory note, section 3.2).
const W2_DERIVED: f64 = -0.004098;
const W3_DERIVED: f64 = 0.000001;

/// The mean longitudes of Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus and Neptune: arc seconds, and per Julian century.
const PLANETS: [[f64; 2]; 8] = [
    [arc(252.0, 15.0, 3.216_919), 538_101_628.668_88],
    [arc(181.0, 58.0, 44.758_419), 210_664_136.457_77],
    [arc(100.0, 27.0, 59.138_85), 129_597_742.293],
    [arc(355.0, 26.0, 3.642_778), 68_905_077.659_36],
    [arc(34.0, 21.0, 5.379_392), 10_925_660.573_35],
    [arc(50.0, 4.0, 38.902_495), 4_399_609.336_32],
    [arc(314.0, 3.0, 4.354_234), 1_542_482.578_45],
    [arc(304.0, 20.0, 56.808_371), 786_547.897],
];

/// The precession that takes W1 to ζ, in arc seconds per Julian century.
const PRECESSION: f64 = 5_028.796_95;

/// Laskar's P and Q of the mean ecliptic of date, in powers of Julian centuries.
const P: [f64; 6] = [0.0, 0.101_803_91e-4, 0.470_204_39e-6, -0.541_736_7e-9, -0.250_794_8e-11, 0.463_486e-14];
const Q: [f64; 6] = [0.0, -0.113_469_002e-3, 0.123_726_74e-6, 0.126_541_7e-8, -0.137_180_8e-11, -0.320_334e-14];

/// The obliquity of the inertial mean ecliptic of J2000 on the equator of ICRF, and how far along that equator the ecliptic's
/// origin lies from ICRF's.
const OBLIQUITY: f64 = 84_381.409_60 * ARCSEC;
const EQUINOX: f64 = -0.050_28 * ARCSEC;

/// From the Earth's centre to the Moon's: km on ICRF axes, `tdb_days` after J2000. Slow.
pub(super) fn from_earth_km(tdb_days: f64) -> [f64; 3] {
    let t = tdb_days / 36_525.0;
    let arguments = arguments(t);
    let longitude = polynomial(t, &W1) % 1_296_000.0
        + sines(&terms::MAIN_LONGITUDE, &arguments)
        + perturbations(&terms::LONGITUDE_0, &arguments)
        + perturbations(&terms::LONGITUDE_1, &arguments) * t;
    let latitude = sines(&terms::MAIN_LATITUDE, &arguments)
        + perturbations(&terms::LATITUDE_0, &arguments)
        + perturbations(&terms::LATITUDE_1, &arguments) * t;
    let distance = cosines(&terms::MAIN_DISTANCE, &arguments)
        + perturbations(&terms::DISTANCE_0, &arguments)
        + perturbations(&terms::DISTANCE_1, &arguments) * t;

    let (sin_v, cos_v) = (longitude * ARCSEC).sin_cos();
    let (sin_u, cos_u) = (latitude * ARCSEC).sin_cos();
    to_icrf(to_j2000([cos_v * cos_u, sin_v * cos_u, sin_u].map(|x| x * distance), t))
}

/// D, F, l, l′, the planets' mean longitudes and ζ, in radians.
fn arguments(t: f64) -> [f64; 13] {
    let w1 = polynomial(t, &W1);
    let earth = polynomial(t, &T);
    let mut arguments = [0.0; 13];
    arguments[..4].copy_from_slice(&[
        w1 - earth + 648_000.0,
        w1 - polynomial(t, &W3),
        w1 - polynomial(t, &W2),
        earth - polynomial(t, &PERIHELION),
    ]);
    for (argument, planet) in arguments[4..].iter_mut().zip(&PLANETS) {
        *argument = polynomial(t, planet);
    }
    arguments[12] = w1 + PRECESSION * t;
    arguments.map(|arcsec| arcsec % 1_296_000.0 * ARCSEC)
}

fn phase(multiples: &[i8], arguments: &[f64; 13]) -> f64 {
    multiples.iter().zip(arguments).map(|(&m, a)| f64::from(m) * a).sum()
}

fn sines(terms: &[MainTerm], arguments: &[f64; 13]) -> f64 {
    terms.iter().map(|(multiples, amplitude)| amplitude * phase(multiples, arguments).sin()).sum()
}

fn cosines(terms: &[MainTerm], arguments: &[f64; 13]) -> f64 {
    terms.iter().map(|(multiples, amplitude)| amplitude * phase(multiples, arguments).cos()).sum()
}

fn perturbations(terms: &[Perturbation], arguments: &[f64; 13]) -> f64 {
    terms
        .iter()
        .map(|(multiples, amplitude, at)| amplitude * (phase(multiples, arguments) + at.to_radians()).sin())
        .sum()
}

/// From the mean ecliptic of date to the inertial mean ecliptic and equinox of J2000 (Chapront & Francou 2003, section 5).
fn to_j2000([x, y, z]: [f64; 3], t: f64) -> [f64; 3] {
    let (p, q) = (polynomial(t, &P), polynomial(t, &Q));
    let root = 2.0 * (1.0 - p * p - q * q).sqrt();
    let pq = 2.0 * p * q;
    [
        (1.0 - 2.0 * p * p) * x + pq * y + p * root * z,
        pq * x + (1.0 - 2.0 * q * q) * y - q * root * z,
        -p * root * x + q * root * y + (1.0 - 2.0 * p * p - 2.0 * q * q) * z,
    ]
}

fn to_icrf([x, y, z]: [f64; 3]) -> [f64; 3] {
    let (sin_e, cos_e) = OBLIQUITY.sin_cos();
    let (y, z) = (cos_e * y - sin_e * z, sin_e * y + cos_e * z);
    let (sin_o, cos_o) = EQUINOX.sin_cos();
    [cos_o * x - sin_o * y, sin_o * x + cos_o * y, z]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::Vector;

    /// Days after J2000 and the Moon from the Earth in km, from JPL's DE421.
    const DE421: [(f64, [f64; 3]); 18] = [
        (0.0, [-291608.385, -266716.833, -76102.487]),
        (826.75, [291297.789, -241327.570, -136891.592]),
        (890.5, [151930.608, 332716.392, 136927.157]),
        (985.0, [-165670.736, -308203.314, -128028.064]),
        (4282.75, [-199723.580, 300859.915, 105158.585]),
        (5219.25, [-272899.082, -246160.921, -96235.800]),
        (7001.0, [250050.947, -290300.872, -134326.438]),
        (7459.5, [-237951.414, -261484.641, -90050.281]),
        (7943.0, [-154865.635, 323371.489, 169756.447]),
        (9411.0, [340975.151, 100182.255, 61927.347]),
        (11913.5, [-263377.569, -266670.544, -106083.945]),
        (14701.0, [-178559.482, -299594.032, -127881.669]),
        (14754.5, [-266757.818, -237562.892, -90478.644]),
        (15417.25, [261114.735, -219922.031, -129527.226]),
        (16393.5, [-255672.966, -261430.708, -149084.801]),
        (17790.5, [18958.641, -341312.575, -141443.302]),
        (18247.0, [-384824.293, 118262.271, 12441.329]),
        (18262.0, [368448.490, 56766.054, 52008.917]),
    ];

    #[test]
    fn the_moon_is_within_half_a_kilometre_of_de421() {
        let mut worst = [0.0_f64; 2];
        for (days, wanted) in DE421 {
            let (got, wanted) = (Vector(from_earth_km(days)), Vector(wanted));
            worst[0] = worst[0].max((got - wanted).length());
            worst[1] = worst[1].max((got.length() - wanted.length()).abs());
        }
        println!("worst difference: {:.3} km, in distance {:.3} km", worst[0], worst[1]);
        assert!(worst[0] < 0.5 && worst[1] < 0.3, "{worst:?}");
    }
}
