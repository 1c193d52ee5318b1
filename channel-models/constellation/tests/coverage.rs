//! Tables 1 and 2 of draft-lhan-satellite-semantic-addressing-01, section 5.2, in every cell.

use farlink_constellation::{Coverage, CoverageError};

const ALTITUDES_KM: [f64; 7] = [160.0, 300.0, 600.0, 900.0, 1200.0, 1500.0, 2000.0];

/// The rows Rc (km), Ns and No.
type Rows = [[u32; 7]; 3];

fn table(elevation_deg: f64) -> Rows {
    let column = ALTITUDES_KM.map(|altitude_km| {
        let c = Coverage::new(altitude_km, elevation_deg).unwrap();
        // The document rounds radii to the nearest kilometre and counts up to the next satellite or plane.
        [c.radius_km.round() as u32, c.satellites_per_plane, c.planes]
    });
    [0, 1, 2].map(|row| column.map(|cells| cells[row]))
}

#[test]
fn table_1_elevation_25_degrees() {
    let expected: Rows =
        [[318, 562, 1009, 1382, 1702, 1981, 2379], [73, 42, 23, 17, 14, 12, 10], [85, 48, 27, 20, 16, 14, 12]];
    assert_eq!(table(25.0), expected);
}

#[test]
fn table_2_elevation_35_degrees() {
    let expected: Rows =
        [[218, 392, 726, 1015, 1271, 1498, 1828], [107, 59, 32, 23, 19, 16, 13], [123, 69, 37, 27, 22, 18, 15]];
    assert_eq!(table(35.0), expected);
}

#[test]
fn the_counts_do_cover_the_equator_and_a_plane() {
    // Circles as far apart as the counts put them reach over the middle between them, as a hexagonal cover needs it.
    for elevation_deg in [0.0, 5.0, 25.0, 35.0, 60.0, 89.0] {
        for altitude_km in [160.0, 550.0, 2000.0, 35_786.0] {
            let c = Coverage::new(altitude_km, elevation_deg).unwrap();
            let around_km = std::f64::consts::TAU * 6378.1366;
            let (along, across) = (around_km / f64::from(c.satellites_per_plane), around_km / f64::from(c.planes));
            // The corner where three circles meet: half a spacing along, and what is left of the spacing across.
            let covered = (c.radius_km.powi(2) - (along / 2.0).powi(2)).sqrt();
            assert!(c.radius_km + covered >= across * (1.0 - 1e-12), "{altitude_km} km, {elevation_deg} deg");
        }
    }
}

#[test]
fn what_covers_nothing_is_refused() {
    for altitude in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(Coverage::new(altitude, 25.0), Err(CoverageError::Altitude(_))));
    }
    for elevation in [-0.1, 90.0, f64::NAN] {
        assert!(matches!(Coverage::new(550.0, elevation), Err(CoverageError::Elevation(_))));
    }
    let message = Coverage::new(550.0, 95.0).unwrap_err().to_string();
    assert_eq!(message, "elevation_deg is 95: it must be from 0 to below 90");
}
