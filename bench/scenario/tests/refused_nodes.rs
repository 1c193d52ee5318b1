//! What is refused at the top of the file, in places and in nodes.

mod support;

use farlink_scenario::{Overrides, load};
use farlink_units::Duration;
use support::{Refusal as No, SOUND, edited, read, refuse, warn};

#[test]
fn the_base_of_the_tables_is_sound() {
    let scenario = read(SOUND).unwrap();
    assert!(scenario.warnings().is_none());
    assert_eq!((scenario.name.as_str(), scenario.seed, scenario.duration), ("demo", 7, Duration::from_secs(86_400)));
    assert_eq!(scenario.epoch.to_gregorian_utc(), (2026, 12, 15, 0, 0, 0, 0));
}

#[test]
fn the_head() {
    refuse(&[
        No("scenario: demo", "scenario: ^Demo", &["name `Demo` contains 'D'", "a-z, 0-9 and `-`"]),
        No("scenario: demo", "scenario: ^a/b", &["contains '/'"]),
        No("scenario: demo", "scenario: ^-demo", &["begins with `-`"]),
        No("scenario: demo", "scenario^:", &["no value stands here", "or remove the key"]),
        No("scenario: demo", "scenario: ^''", &["name is empty"]),
        No("scenario: demo\n", "^", &["key `scenario` is missing", "add `scenario: my-scenario`"]),
        No("seed: 7", "seed: ^-7", &["`-7` is not a whole number", "without a unit"]),
        No("seed: 7", "seed: ^7.5", &["not a whole number"]),
        No("seed: 7", "seed: ^99999999999999999999", &["not a whole number"]),
        No("seed: 7", "^sed: 7", &["unknown key `sed`", "did you mean `seed`?"]),
        No("seed: 7", "^weather: 7", &["unknown key `weather`", "the keys here are `scenario`, `description`, `seed`"]),
        No("seed: 7", "seed: 7\n^seed: 8", &["key `seed` stands twice", "remove one"]),
    ]);
}

#[test]
fn the_epoch() {
    let epoch = "epoch: 2026-12-15T00:00:00Z";
    refuse(&[
        No(
            "scenario: demo\nseed: 7\nepoch: 2026-12-15T00:00:00Z",
            "^scenario: demo",
            &["`epoch` is missing", "2026-12-15T"],
        ),
        No(epoch, "epoch: ^2026-12-15T00:00:00", &["does not end in `Z`", "as in `2026-12-15T00:00:00Z`"]),
        No(epoch, "epoch: ^2026-12-15T00:00:00+01:00", &["does not end in `Z`"]),
        No(epoch, "epoch: ^2026-12-15", &["does not end in `Z`"]),
        No(epoch, "epoch: ^2026-12-15Z", &["does not read year-month-day"]),
        No(epoch, "epoch: ^2026-12-15 00:00:00Z", &["does not read year-month-day"]),
        No(epoch, "epoch: ^2026-12-15T00:00:00.Z", &["does not read year-month-day"]),
        No(epoch, "epoch: ^soonZ", &["does not read year-month-day"]),
        No(epoch, "epoch: ^2026-02-29T00:00:00Z", &["the calendar has no such time"]),
        No(epoch, "epoch: ^2026-12-15T25:00:00Z", &["the calendar has no such time"]),
        No(epoch, "epoch: ^1899-12-31T23:59:59Z", &["not between 1900 and 2100"]),
        No(epoch, "epoch: ^2101-01-01T00:00:00Z", &["not between 1900 and 2100"]),
    ]);
}

#[test]
fn the_duration() {
    refuse(&[
        No("duration: 24 h", "duration: ^24", &["`24` has no unit", "write a duration as in `4 s`", "min, h, d"]),
        No("duration: 24 h", "duration: ^24 hours", &["`hours` is not a unit of a duration"]),
        No("duration: 24 h", "duration: ^long", &["not a duration"]),
        No("duration: 24 h", "duration: ^-24 h", &["out of range"]),
        No("duration: 24 h", "duration: ^[24 h]", &["a single value must stand here"]),
        No("duration: 24 h", "duration: ^4000 d", &["out of range", "at most 10 years"]),
    ]);
    // A run without length has no room for the rest, so there is more to say.
    let error = read(&edited("duration: 24 h", "duration: 0 s")).unwrap_err();
    assert!(error.problems()[0].message.contains("the duration 0 ns is out of range"), "{error}");
}

#[test]
fn places() {
    refuse(&[
        No("body: earth", "body: ^erth", &["there is no body `erth`", "did you mean `earth`?"]),
        No("body: earth", "body: ^pluto", &["there is no body `pluto`", "`sun`, `mercury`", "or `neptune`"]),
        No("latitude: 35 deg", "latitude: ^35", &["`35` has no unit", "deg, rad"]),
        No("latitude: 35 deg", "latitude: ^90.1 deg", &["no latitude is 90.1 deg", "from -90 deg to 90 deg"]),
        No("latitude: 35 deg", "latitude: ^-2 rad", &["no latitude is -114.5"]),
        No("longitude: -117 deg", "longitude: ^361 deg", &["out of range", "-360 deg to 360 deg"]),
        No("altitude: 1 km", "altitude: ^1000 km", &["no site is 1000 km high", "give an `orbit`"]),
        No("altitude: 1 km", "altitude: ^1 kg", &["`kg` is not a unit of a length"]),
        No("altitude: 1 km", "^height: 1 km", &["unknown key `height`"]),
        No("semi_major_axis: 3796 km", "semi_major_axis: ^0 km", &["0 km is no orbit", "above 0 km"]),
        No("semi_major_axis: 3796 km", "semi_major_axis: ^-3796 km", &["is no orbit"]),
        No(
            "semi_major_axis: 3796 km",
            "semi_major_axis: ^400 km",
            &["whose radius is 3396.19 km", "above ground is 3796.19 km"],
        ),
        No("semi_major_axis: 3796 km", "^semi_major: 3796 km", &["unknown key `semi_major`"]),
        No("eccentricity: 0.005", "eccentricity: ^1", &["eccentricity 1 this is no orbit", "below 1"]),
        No("eccentricity: 0.005", "eccentricity: ^1.5", &["out of range"]),
        No("eccentricity: 0.005", "eccentricity: ^-0.1", &["out of range"]),
        No("inclination: 75 deg", "inclination: ^-1 deg", &["no inclination is -1 deg", "from 0 deg to 180 deg"]),
        No("inclination: 75 deg", "inclination: ^181 deg", &["no inclination is 181 deg"]),
        No(
            "semi_major_axis: 3796 km, eccentricity: 0.005",
            "semi_major_axis: ^3796 km, eccentricity: 0.2",
            &["down to 3036.8 km", "smaller eccentricity"],
        ),
    ]);
    let site = "ground: { site: { body: earth, latitude: 35 deg, longitude: -117 deg, altitude: 1 km } }";
    let orbit = "sky: { orbit: { body: mars, semi_major_axis: 3796 km, eccentricity: 0.005, inclination: 75 deg } }";
    refuse(&[
        No(
            site,
            "ground: { site: ^{ latitude: 35 deg, longitude: -117 deg } }",
            &["`body` is missing", "add `body: mars`"],
        ),
        No(site, "ground: { site: ^{ body: earth, longitude: -117 deg } }", &["`latitude` is missing"]),
        No(site, "ground: { site: ^{ body: earth, latitude: -17 deg } }", &["`longitude` is missing"]),
        No(site, "^ground: {}", &["nothing says where `ground` is", "write `body`, `site` or `orbit`"]),
        No(site, "ground: ^5", &["keys with values must stand here"]),
        No(orbit, "sky: { orbit: ^{ semi_major_axis: 3796 km, inclination: 75 deg } }", &["`body` is missing"]),
        No(orbit, "sky: { orbit: ^{ body: mars, inclination: 75 deg } }", &["`semi_major_axis` is missing"]),
        No(orbit, "sky: { orbit: ^{ body: mars, semi_major_axis: 3796 km } }", &["`inclination` is missing"]),
        No(
            orbit,
            "sky: { site: { body: mars, latitude: 0 deg, longitude: 0 deg }, orbit: ^{ body: mars, semi_major_axis: 3796 km, inclination: 75 deg } }",
            &["both `site` and `orbit`", "keep one"],
        ),
        No(
            "  sky:",
            "  ^-sky: { site: { body: mars, latitude: 0 deg, longitude: 0 deg } }\n  sky:",
            &["begins with `-`"],
        ),
    ]);
    warn(&[No(
        "  sky:",
        "  ^moon: { site: { body: mars, latitude: 0 deg, longitude: 0 deg } }\n  sky:",
        &["no node is at `moon`"],
    )]);
}

#[test]
fn nodes() {
    let lander = r#"lander: { eid: "ipn:10.0" }"#;
    refuse(&[
        No(lander, "^lander: {}", &["`eid` is missing", "add `eid: \"ipn:10.0\"`"]),
        No(lander, r#"lander: { eid: ^"ipn:10.1" }"#, &["the service number of a node is 0", "as in `ipn:10.0`"]),
        No(lander, r#"lander: { eid: ^"ipn:10" }"#, &["no service number"]),
        No(lander, r#"lander: { eid: ^10 }"#, &["only the `ipn` scheme"]),
        No(lander, r#"lander: { eid: ^"dtn://lander/" }"#, &["only the `ipn` scheme"]),
        No(lander, r#"lander: { eid: ^"ipn:0.0" }"#, &["node numbers go from 1 to 4294967294"]),
        No(lander, r#"lander: { eid: ^"ipn:4294967295.0" }"#, &["node numbers go from 1"]),
        No(lander, r#"lander: { eid: ^"ipn:99999999999999999999.0" }"#, &["node numbers go from 1"]),
        No(lander, r#"lander: { eid: ^"ipn:010.0" }"#, &["its node number is no number"]),
        No(lander, r#"lander: { eid: ^"ipn:x.0" }"#, &["its node number is no number"]),
        No(lander, r#"lander: { eid: ^"ipn:977000.10.0" }"#, &["is no number"]),
        No(
            lander,
            r#"lander: { eid: "ipn:10.0", kind: ^process }"#,
            &["`process` is not available yet", "write `builtin`"],
        ),
        No(lander, r#"lander: { eid: "ipn:10.0", kind: ^board }"#, &["`board` is not available yet"]),
        No(
            lander,
            r#"lander: { eid: "ipn:10.0", kind: ^buildin }"#,
            &["no kind of node `buildin`", "did you mean `builtin`?"],
        ),
        No(lander, r#"lander: { eid: "ipn:10.0", storage: ^512 }"#, &["`512` has no unit", "as in `64 KiB`"]),
        No(lander, r#"lander: { eid: "ipn:10.0", storage: ^0 B }"#, &["0 B of storage holds no bundle"]),
        No(
            lander,
            r#"lander: { eid: "ipn:10.0", at: ^grund }"#,
            &["there is no place `grund`", "did you mean `ground`?"],
        ),
        No(
            lander,
            r#"lander: { eid: "ipn:10.0", ^place: ground }"#,
            &["unknown key `place`", "`eid`, `at`, `kind` or `storage`"],
        ),
        No(lander, r#"lander: ^"ipn:10.0""#, &["keys with values must stand here"]),
        No("  orbiter: {", "  ^lander: {", &["key `lander` stands twice"]),
        No("  lander: {", "  ^Probe: { eid: \"ipn:40.0\" }\n  lander: {", &["contains 'P'"]),
    ]);
    refuse(&[No(
        r#""ipn:20.0""#,
        r#"^"ipn:10.0""#,
        &["`ipn:10.0` is already the node ID of `lander`", "its own number"],
    )]);
    let start = "nodes:\n  lander: { eid: \"ipn:10.0\" }\n  orbiter: { eid: \"ipn:20.0\", at: sky }\n  station: { eid: \"ipn:30.0\", at: ground }\n";
    let first = |text: String| read(&text).unwrap_err().problems()[0].clone();
    assert!(first(edited(start, "nodes: {}\n")).message.contains("`nodes` is empty"));
    assert!(first(edited(start, "")).message.contains("`nodes` is missing"));
}

#[test]
fn every_problem_is_told_at_once_and_in_order() {
    let text = SOUND
        .replace("duration: 24 h", "duration: 24")
        .replace("\"ipn:20.0\"", "\"ipn:10.0\"")
        .replace("to: orbiter, rate: 2 Mbit/s", "to: orbitr, rate: 2 Mbps")
        .replace("occulted_by: [mars]", "occulted_by: [mras, venus, xx]")
        .replace("bundle_size: 64 KiB", "bundle_size: 64")
        .replace("arrives_by: 20 h", "arrives_by: 20");
    let error = read(&text).unwrap_err();
    let lines: Vec<usize> = error.problems().iter().map(|problem| problem.position.unwrap().line).collect();
    assert_eq!(lines, [4, 10, 14, 14, 22, 22, 24, 26], "{error}");
    assert_eq!(error.to_string().lines().count(), 8);
}

#[test]
fn the_command_line_can_replace_seed_and_duration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.yaml");
    std::fs::write(&path, SOUND).unwrap();
    let overrides = |seed, duration| Overrides { seed, duration, ..Overrides::default() };
    let scenario = load(&path, &overrides(Some(99), Some(Duration::from_secs(25 * 3600)))).unwrap();
    assert_eq!((scenario.seed, scenario.duration), (99, Duration::from_secs(90_000)));

    let error = load(&path, &overrides(None, Some(Duration::from_secs(3600)))).unwrap_err().to_string();
    assert!(error.contains(":24:62: this is after the end of the run, which lasts 1 h"), "{error}");
    let error = load(&path, &overrides(None, Some(Duration::ZERO))).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: the duration 0 ns is out of range", path.display())), "{error}");
}
