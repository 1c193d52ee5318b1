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
    /// Its English name.
    pub const fn name(self) -> &'static str {
        match self {
            Body::Sun => "Sun",
            Body::Mercury => "Mercury",
            Body::Venus => "Venus",
            Body::Earth => "Earth",
            Body::Mars => "Mars",
            Body::Jupiter => "Jupiter",
            Body::Saturn => "Saturn",
            Body::Uranus => "Uranus",
            Body::Neptune => "Neptune",
        }
    }

    /// Equatorial radius in km (IAU WGCCRE 2015, tables 4 and 5; the Sun's nominal radius).
    pub const fn equatorial_radius_km(self) -> f64 {
        match self {
            Body::Sun => 695_700.0,
            Body::Mercury => 2440.53,
            Body::Venus => 6051.8,
            Body::Earth => 6378.1366,
            Body::Mars => 3396.19,
            Body::Jupiter => 71_492.0,
            Body::Saturn => 60_268.0,
            Body::Uranus => 25_559.0,
            Body::Neptune => 24_764.0,
        }
    }
}
