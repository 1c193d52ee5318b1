//! The bodies that places stand on and that hide one another.

use schemars::JsonSchema;
use serde::Deserialize;

/// A body of the solar system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// The Sun.
    Sun,
    /// Mercury.
    Mercury,
    /// Venus.
    Venus,
    /// Earth.
    Earth,
    /// The Earth's moon.
    Moon,
    /// Mars.
    Mars,
    /// Jupiter.
    Jupiter,
    /// Saturn.
    Saturn,
    /// Uranus.
    Uranus,
    /// Neptune.
    Neptune,
}

impl Body {
    /// How many there are.
    pub(crate) const COUNT: usize = 10;

    /// Every body, from the Sun outwards.
    pub const ALL: [Body; Body::COUNT] = [
        Body::Sun,
        Body::Mercury,
        Body::Venus,
        Body::Earth,
        Body::Moon,
        Body::Mars,
        Body::Jupiter,
        Body::Saturn,
        Body::Uranus,
        Body::Neptune,
    ];

    /// Its English name.
    pub const fn name(self) -> &'static str {
        match self {
            Body::Sun => "Sun",
            Body::Mercury => "Mercury",
            Body::Venus => "Venus",
            Body::Earth => "Earth",
            Body::Moon => "Moon",
            Body::Mars => "Mars",
            Body::Jupiter => "Jupiter",
            Body::Saturn => "Saturn",
            Body::Uranus => "Uranus",
            Body::Neptune => "Neptune",
        }
    }

    /// Equatorial radius in km (IAU WGCCRE 2015, tables 4, 5 and 6; the Sun's nominal radius).
    pub const fn equatorial_radius_km(self) -> f64 {
        match self {
            Body::Sun => 695_700.0,
            Body::Mercury => 2440.53,
            Body::Venus => 6051.8,
            Body::Earth => 6378.1366,
            Body::Moon => 1737.4,
            Body::Mars => 3396.19,
            Body::Jupiter => 71_492.0,
            Body::Saturn => 60_268.0,
            Body::Uranus => 25_559.0,
            Body::Neptune => 24_764.0,
        }
    }

    /// Polar radius in km (IAU WGCCRE 2015, tables 4, 5 and 6; for Mars the mean of its two poles).
    pub const fn polar_radius_km(self) -> f64 {
        match self {
            Body::Sun => 695_700.0,
            Body::Mercury => 2438.26,
            Body::Venus => 6051.8,
            Body::Earth => 6356.7519,
            Body::Moon => 1737.4,
            Body::Mars => 3376.20,
            Body::Jupiter => 66_854.0,
            Body::Saturn => 54_364.0,
            Body::Uranus => 24_973.0,
            Body::Neptune => 24_341.0,
        }
    }

    /// Gravitational parameter GM of the body without its moons, in km³/s² (JPL DE440, NAIF `gm_de440.tpc`).
    pub const fn gm_km3_s2(self) -> f64 {
        match self {
            Body::Sun => 132_712_440_041.279_42,
            Body::Mercury => 22_031.868_551_4,
            Body::Venus => 324_858.592,
            Body::Earth => 398_600.435_507_02,
            Body::Moon => 4_902.800_118_457_549,
            Body::Mars => 42_828.373_620_699_09,
            Body::Jupiter => 126_686_531.900_370_4,
            Body::Saturn => 37_931_206.234_361_67,
            Body::Uranus => 5_793_951.256_527_211,
            Body::Neptune => 6_835_103.145_462_294,
        }
    }

    /// The oblateness J2 (no unit) and the reference radius in km that it belongs to.
    ///
    /// Sources: Mercury HgM005 and Venus MGNP180U (Konopliv et al.), Earth EGM96, Moon GRAIL (Konopliv et al. 2013), Mars GMM-3
    /// (Genova et al. 2016), Jupiter Juno (Iess et al. 2018), Saturn Cassini (Iess et al. 2019), Uranus and Neptune (Jacobson
    /// 2014, 2009), the Sun helioseismology (2.2e-7).
    pub const fn j2(self) -> (f64, f64) {
        match self {
            Body::Sun => (2.2e-7, 695_700.0),
            Body::Mercury => (5.03e-5, 2440.0),
            Body::Venus => (4.404e-6, 6051.0),
            Body::Earth => (1.082_626_68e-3, 6378.1363),
            Body::Moon => (2.032_1e-4, 1738.0),
            Body::Mars => (1.956_609e-3, 3396.0),
            Body::Jupiter => (1.469_657_3e-2, 71_492.0),
            Body::Saturn => (1.629_057_3e-2, 60_330.0),
            Body::Uranus => (3.510_7e-3, 25_559.0),
            Body::Neptune => (3.408_43e-3, 25_225.0),
        }
    }
}
