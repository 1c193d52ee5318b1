//! Shells and constellations by index.

mod support;

use farlink_channel_models::Place;
use farlink_constellation::{
    Constellation, ConstellationError, NoSuchSatellite, NoSuchSlot, Pattern, Relation, SatelliteIndex, Shell,
};
use support::{delta, shell, slot, star, walker};

fn close(a: f64, b: f64) -> bool {
    ((a - b + 180.0).rem_euclid(360.0) - 180.0).abs() < 1e-9
}

#[test]
fn a_delta_spreads_its_planes_over_the_whole_equator() {
    // 56°: 24/3/1, as Galileo was laid out: planes 120° apart, satellites 45°, from plane to plane 15°.
    let shell = shell(Pattern::Delta, 23_222.0, 56.0, [3, 8, 1]);
    for at in shell.slots() {
        let orbit = shell.orbit(at).unwrap();
        let (plane, satellite) = (f64::from(at.plane), f64::from(at.satellite));
        assert!(close(orbit.ascending_node_deg, 12.0 + 120.0 * plane), "{at:?}: {orbit:?}");
        assert!(close(orbit.mean_anomaly_deg, 34.0 + 45.0 * satellite + 15.0 * plane), "{at:?}: {orbit:?}");
        assert_eq!((orbit.eccentricity, orbit.argument_of_periapsis_deg), (0.0, 0.0));
        assert_eq!(orbit.semi_major_axis_km, 6378.1366 + 23_222.0);
        assert_eq!(Place::Orbit(orbit).check(), Ok(()));
    }
    assert_eq!(shell.slots().count(), 24);
}

#[test]
fn a_star_spreads_its_planes_over_half_of_it() {
    let shell = star();
    for plane in 0..6_u8 {
        let orbit = shell.orbit(slot(plane, 10)).unwrap();
        assert!(close(orbit.ascending_node_deg, 12.0 + 30.0 * f64::from(plane)));
        let phase = 34.0 + 360.0 * 10.0 / 11.0 + 360.0 * 2.0 / 66.0 * f64::from(plane);
        assert!(close(orbit.mean_anomaly_deg, phase));
    }
}

#[test]
fn eight_bits_of_planes_and_satellites_are_the_most() {
    let shell = shell(Pattern::Delta, 550.0, 53.0, [256, 256, 255]);
    assert_eq!(shell.slots().last(), Some(slot(255, 255)));
    assert!(shell.orbit(slot(255, 255)).is_ok());
}

#[test]
fn a_shell_that_cannot_be_is_refused_by_field() {
    let sound = walker(Pattern::Delta, 550.0, 53.0, [72, 22, 17]);
    type Change = fn(&mut farlink_constellation::Walker);
    let cases: [(&str, Change); 9] = [
        ("altitude_km", |w| w.altitude_km = 0.0),
        ("altitude_km", |w| w.altitude_km = f64::INFINITY),
        ("inclination_deg", |w| w.inclination_deg = 180.1),
        ("inclination_deg", |w| w.inclination_deg = f64::NAN),
        ("planes", |w| w.planes = 0),
        ("satellites_per_plane", |w| w.satellites_per_plane = 257),
        ("phasing", |w| w.phasing = 72),
        ("first_node_deg", |w| w.first_node_deg = f64::NAN),
        ("first_argument_deg", |w| w.first_argument_deg = f64::NEG_INFINITY),
    ];
    for (field, change) in cases {
        let mut walker = sound.clone();
        change(&mut walker);
        assert_eq!(Shell::new(walker).unwrap_err().field, field);
    }
    let none = Shell::new(walker(Pattern::Star, 550.0, 53.0, [0, 22, 0])).unwrap_err();
    assert_eq!(none.to_string(), "`planes` of the shell is 0: it must be from 1 to 256");
}

#[test]
fn slots_beyond_the_last_are_refused_by_name() {
    let shell = delta();
    let missing = NoSuchSlot { field: "plane", index: 72, count: 72 };
    assert_eq!(shell.orbit(slot(72, 0)), Err(missing));
    assert_eq!(missing.to_string(), "there is no plane 72: the shell has 72, counted from 0");
    let missing = NoSuchSlot { field: "satellite", index: 22, count: 22 };
    assert_eq!(shell.neighbours(slot(0, 22)), Err(missing));
    assert_eq!(shell.motion(slot(0, 0), slot(0, 22)), Err(missing));
    assert_eq!(shell.relation(slot(0, 22), slot(0, 0)), Err(missing));
}

#[test]
fn a_constellation_counts_its_shells_from_the_lowest() {
    let (low, high) = (delta(), star());
    let both = Constellation::new(vec![low.clone(), high.clone()]).unwrap();
    assert_eq!(both.satellites().count(), 1584 + 66);
    let index = |shell, plane, satellite| SatelliteIndex { shell, slot: slot(plane, satellite) };
    assert_eq!(both.orbit(index(1, 5, 10)).unwrap(), high.orbit(slot(5, 10)).unwrap());
    assert_eq!(both.orbit(index(0, 71, 21)).unwrap(), low.orbit(slot(71, 21)).unwrap());
    assert_eq!(both.orbit(index(2, 0, 0)), Err(NoSuchSatellite::Shell { index: 2, count: 2 }));
    assert!(matches!(both.orbit(index(1, 6, 0)), Err(NoSuchSatellite::Slot(NoSuchSlot { field: "plane", .. }))));

    assert_eq!(both.relation(index(0, 0, 0), index(1, 0, 0)), Ok(Relation::OtherShell));
    assert_eq!(both.relation(index(1, 0, 0), index(1, 5, 0)), Ok(Relation::AcrossSeam));
    assert!(both.relation(index(0, 0, 0), index(1, 6, 0)).is_err());

    assert_eq!(Constellation::new(vec![high.clone(), low]), Err(ConstellationError::Order { index: 1 }));
    assert_eq!(Constellation::new(vec![]), Err(ConstellationError::Count(0)));
    let mars = farlink_constellation::Walker { body: farlink_channel_models::Body::Mars, ..high.walker().clone() };
    let mixed = Constellation::new(vec![high, Shell::new(mars).unwrap()]);
    assert_eq!(mixed, Err(ConstellationError::Body { index: 1 }));
}
