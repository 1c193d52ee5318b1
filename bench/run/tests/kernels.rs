//! Runs whose bodies and spacecraft are where SPICE kernels say.
#![cfg(feature = "spice")]

use std::path::Path;

use farlink_channel_models::{Body, Place};
use farlink_contact_plan::NodeId;
use farlink_run::{GeometryError, contact_plan, geometry};
use farlink_scenario::{Scenario, parse};
use farlink_units::Instant;

/// An orbiter of Mars, from the fixtures, and a station on Earth; for a day that the orbiter's kernel covers.
const TEXT: &str = r#"scenario: kernels
epoch: 2027-08-02T00:10:00Z
duration: 20 h
kernels: [de421.bsp]
places:
  ground: { site: { body: earth, latitude: 35 deg, longitude: -117 deg } }
  sky: { trajectory: { spk: orbiters.bsp, object: "-902" } }
nodes:
  orbiter: { eid: "ipn:20.0", at: sky }
  station: { eid: "ipn:30.0", at: ground }
links:
  far:
    forward: { from: orbiter, to: station, rate: 256 kbit/s }
    return: { from: station, to: orbiter, rate: 2 kbit/s }
    visibility: { elevation_mask: 10 deg, occulted_by: [mars] }
"#;

fn scenario(text: &str) -> Scenario {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/golden/geometry");
    parse(&folder.join("kernels.yaml"), text).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn the_geometry_is_that_of_the_kernels() {
    let given = scenario(TEXT);
    let kernels = given.kernels.clone().unwrap();
    let geometry = geometry(&given).unwrap();
    // 37 leap seconds and 32.184 s, by which TDB is ahead of UTC within 2 ms: 3 km of way for Mars.
    let tdb_s = 10_074.5 * 86_400.0 + 600.0 + 69.184;
    let sky = &given.places[1].place;
    for (place, id) in [(&Place::Center(Body::Mars), 4), (sky, -902)] {
        let [got, wanted] =
            [geometry.position_km(place, Instant::ZERO).unwrap(), kernels.position_km(id, tdb_s).unwrap()];
        let apart = (0..3).map(|k| (got[k] - wanted[k]).powi(2)).sum::<f64>().sqrt();
        assert!(apart < 0.1, "{id}: {apart} km");
    }
}

#[test]
fn a_contact_plan_follows_the_orbiter() {
    let plan = contact_plan(&scenario(TEXT)).unwrap();
    let down: Vec<_> = plan.contacts.iter().filter(|c| c.from == NodeId::ipn(20)).collect();
    let seconds: f64 = down.iter().map(|c| (c.end - c.start).as_secs_f64()).sum();
    // A station sees Mars for some ten hours a day, and an orbiter so low for more than half of that time.
    assert!(down.len() >= 3 && (3.0 * 3600.0..12.0 * 3600.0).contains(&seconds), "{} in {seconds} s", down.len());
}

#[test]
fn kernels_that_end_within_the_run_are_refused() {
    // They end in the last days of 2028 or the first of 2029.
    let long = TEXT.replace("20 h", "800 d");
    let Err(GeometryError::Kernels { why }) = geometry(&scenario(&long)) else { panic!("they end before") };
    assert!(why.contains("the kernels do not say where"), "{why}");
    // Neptune, which they do not have, is 1,200 km off in the series.
    let far = TEXT.replace("sky: {", "deep: { body: neptune }\n  sky: {").replace("at: ground", "at: deep");
    let far = far.replace("elevation_mask: 10 deg, ", "");
    let error = geometry(&scenario(&far)).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("899") && error.contains("cover the bodies of all places"), "{error}");
    // Without them the series do all.
    let none = TEXT
        .replace("kernels: [de421.bsp]\n", "")
        .replace("trajectory: { spk: orbiters.bsp, object: \"-902\" }", "body: mars");
    assert_eq!(scenario(&none).kernels, None);
    assert!(geometry(&scenario(&none)).is_ok());
}
