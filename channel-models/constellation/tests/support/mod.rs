//! Shells that several tests use.
#![allow(dead_code)]

use farlink_channel_models::Body;
use farlink_constellation::{Pattern, Shell, Slot, Walker};

/// 53°: 1584/72/17, a delta of 550 km.
pub fn delta() -> Shell {
    shell(Pattern::Delta, 550.0, 53.0, [72, 22, 17])
}

/// 86.4°: 66/6/2, a star of 780 km.
pub fn star() -> Shell {
    shell(Pattern::Star, 780.0, 86.4, [6, 11, 2])
}

pub fn shell(
    pattern: Pattern,
    altitude_km: f64,
    inclination_deg: f64,
    [planes, satellites_per_plane, phasing]: [u16; 3],
) -> Shell {
    Shell::new(walker(pattern, altitude_km, inclination_deg, [planes, satellites_per_plane, phasing])).unwrap()
}

pub fn walker(
    pattern: Pattern,
    altitude_km: f64,
    inclination_deg: f64,
    [planes, satellites_per_plane, phasing]: [u16; 3],
) -> Walker {
    Walker {
        body: Body::Earth,
        altitude_km,
        inclination_deg,
        planes,
        satellites_per_plane,
        phasing,
        pattern,
        first_node_deg: 12.0,
        first_argument_deg: 34.0,
    }
}

pub fn slot(plane: u8, satellite: u8) -> Slot {
    Slot { plane, satellite }
}
