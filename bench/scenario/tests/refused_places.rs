//! What is refused in places that are centres, satellites, trajectories or sites with land about them, in ranges and in what
//! holds at an antenna.

mod support;

use std::path::{Path, PathBuf};

use support::{Refusal as No, edited, read, refuse, warn};

const SKY: &str = "orbit: { body: mars, semi_major_axis: 3796 km, eccentricity: 0.005, inclination: 75 deg }";
const SITE: &str = "altitude: 1 km } }";
const TLE: &str = "../../fixtures/golden/geometry/satellites.tle";
const OEM: &str = "../../fixtures/golden/geometry/iss_teme.oem";
const VISIBILITY: &str = "visibility: { elevation_mask: 10 deg, occulted_by: [mars] }";
const LIGHT_TIME: &str = "light_time: 5 ms";

/// A folder with files that are damaged.
struct Damaged(tempfile::TempDir);

impl Damaged {
    fn new() -> Self {
        Damaged(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

fn fixture(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).unwrap()
}

fn no(old: &str, new: &str, words: &[&str]) {
    refuse(&[No(old, new, words)]);
}

#[test]
fn a_centre_is_a_body_that_is_known() {
    refuse(&[
        No(SKY, "body: ^phobos", &["there is no body `phobos`"]),
        No(SKY, "body: ^[mars]", &["a single value must stand here"]),
    ]);
    no(SKY, "body: mars, satellite: ^{ tle: a.tle }", &["both `body` and `satellite`", "keep one of the two"]);
    no(SKY, "satellite: { tle: a.tle }, trajectory: ^{ oem: a.oem }", &["both `satellite` and `trajectory`"]);
}

#[test]
fn satellites() {
    refuse(&[
        No(SKY, "satellite: ^{}", &["nothing says what moves this satellite", "tle: satellites.tle"]),
        No(SKY, "satellite: ^5", &["keys with values must stand here"]),
        No(SKY, "satellite: { ^norad: 25544 }", &["unknown key `norad`", "`tle`, `omm` or `object`"]),
        No(SKY, "satellite: { tle: a.tle, omm: ^a.omm }", &["`omm` and `tle` exclude each other"]),
        No(SKY, "satellite: { tle: ^none.tle }", &["none.tle does not exist", "relative to the folder of this file"]),
        No(SKY, "satellite: { omm: ^none.omm }", &["none.omm does not exist"]),
        No(SKY, "satellite: { tle: ^tests }", &["tests is a directory"]),
        No(SKY, "satellite: { tle: ^Cargo.toml }", &["Cargo.toml: line 1: expected a name", "mend that file"]),
    ]);
    let several = format!("satellite: ^{{ tle: {TLE} }}");
    no(SKY, &several, &["the file holds 4 objects", "`object`", "`ISS (ZARYA)`, `CBERS 2`, `MOLNIYA 2-14` or `XM-3`"]);
    let unknown = format!("satellite: {{ tle: {TLE}, object: ^Hubble }}");
    no(SKY, &unknown, &["the file holds no `Hubble`", "it holds `ISS (ZARYA)`"]);
    let other_number = format!("satellite: {{ tle: {TLE}, object: ^25545 }}");
    no(SKY, &other_number, &["the file holds no `25545`"]);
}

#[test]
fn damaged_elements_are_refused_with_their_line() {
    let folder = Damaged::new();
    let sound = fixture(TLE);
    let damaged = [
        ("digit.tle", sound.replacen("51.6461", "51.6471", 1), &["digit.tle: line 3: the checksum is 8, but"][..]),
        ("short.tle", sound.replacen("  9992", " 9992", 1), &["short.tle: line 2: a line of a TLE has 69"]),
        (
            "alone.tle",
            sound.lines().take(2).collect::<Vec<_>>().join("\n"),
            &["alone.tle: line 3: expected line 2 of a TLE"],
        ),
        ("empty.tle", String::new(), &["empty.tle is empty"]),
    ];
    for (name, text, words) in damaged {
        no(SKY, &format!("satellite: {{ tle: ^{} }}", folder.file(name, text)), words);
    }
    let blank = folder.file("blank.tle", "\n\n");
    no(SKY, &format!("satellite: ^{{ tle: {blank} }}"), &["the file holds no object at all"]);
    let none = folder.file("none.json", "[]");
    no(SKY, &format!("satellite: ^{{ omm: {none}, object: ISS }}"), &["the file holds no object at all"]);
    let binary = folder.file("binary.tle", [b'1', 0xff, 0xfe, b'\n']);
    no(SKY, &format!("satellite: {{ tle: ^{binary} }}"), &["line 1 is not UTF-8"]);
    for (name, text, words) in [
        ("kvn.omm", "CCSDS_OMM_VERS = 2.0\nOBJECT_NAME ISS\n", "kvn.omm: line 2: `OBJECT_NAME ISS` is not"),
        ("list.json", "[\n{ \"OBJECT_NAME\": ]", "list.json: line 2: "),
    ] {
        no(SKY, &format!("satellite: {{ omm: ^{} }}", folder.file(name, text)), &[words]);
    }
}

#[test]
fn trajectories() {
    refuse(&[
        No(SKY, "trajectory: ^{}", &["nothing says where this trajectory leads", "write `oem: probe.oem`"]),
        No(SKY, "trajectory: { oem: a.oem, spk: ^a.bsp }", &["`spk` and `oem` exclude each other"]),
        No(SKY, "trajectory: { spk: ^a.bsp }", &["no SPICE kernels", "--features spice"]),
        No(SKY, "trajectory: { oem: ^none.oem }", &["none.oem does not exist"]),
        No(SKY, "trajectory: { ^csv: a.csv }", &["unknown key `csv`", "`oem`, `spk` or `object`"]),
        No(SKY, "trajectory: { oem: ^Cargo.toml }", &["Cargo.toml: line 1: expected"]),
    ]);
    let unknown = format!("trajectory: {{ oem: {OEM}, object: ^probe }}");
    no(SKY, &unknown, &["the file holds no `probe`", "it holds `ISS (ZARYA)`"]);

    let folder = Damaged::new();
    let sound = fixture(OEM);
    let line = sound.lines().position(|line| line.starts_with("2020-07-12T22:03")).unwrap() + 1;
    let swapped = sound.replacen("2020-07-12T22:03:00", "2020-07-12T22:01:30", 1);
    let no_number = sound.replacen("4441.283056894", "4441.28x", 1);
    for (name, text, words) in [
        ("order.oem", swapped, format!("order.oem: line {line}: the time")),
        ("number.oem", no_number, format!("number.oem: line {line}: column 2 is `4441.28x`")),
        (
            "frame.oem",
            sound.replacen("= TEME", "= MY_FRAME", 1),
            "frame.oem: line 9: REF_FRAME is `MY_FRAME`".to_owned(),
        ),
        ("time.oem", sound.replacen("= UTC", "= GMT", 1), "time.oem: line 10: TIME_SYSTEM is `GMT`".to_owned()),
        ("cut.oem", sound.lines().take(10).collect::<Vec<_>>().join("\n"), "cut.oem: line 10: ".to_owned()),
        ("nan.oem", sound.replacen("4441.283056894", "NaN", 1), format!("nan.oem: line {line}: column 2 is `NaN`")),
    ] {
        no(SKY, &format!("trajectory: {{ oem: ^{} }}", folder.file(name, text)), &[&words]);
    }
}

#[test]
fn what_does_not_cover_the_run_is_warned_of() {
    let far = format!("satellite: ^{{ tle: {TLE}, object: 25544 }}");
    warn(&[No(
        SKY,
        &far,
        &[
            "the elements of `ISS (ZARYA)` are not useable for the whole run",
            "from 2020-06-12T21:16:01",
            "to 2020-08-11T21:16:01",
            "nearer to the run",
        ],
    )]);
    let outside = format!("trajectory: ^{{ oem: {OEM} }}");
    let words = [
        "the trajectory of `ISS (ZARYA)` does not cover the whole run",
        "2020-07-12T22:00:00.000000Z to 2020-07-13T00:00:00.000000Z",
        "it is nowhere",
    ];
    warn(&[No(SKY, &outside, &words)]);

    // The same trajectory for the two hours that it covers, a nanosecond longer, and a second too early.
    let covers = |epoch: &str, duration: &str| {
        let text = edited(SKY, &format!("trajectory: {{ oem: {OEM} }}"));
        let contacts = "    contacts: [{ start: 600 s, end: 1200 s }, { start: 2 h, end: 3 h }]\n";
        let text = text.replacen("2026-12-15T00:00:00Z", epoch, 1).replacen("duration: 24 h", duration, 1);
        let text = text.replacen(contacts, "", 1).replacen("at: 1 h, ", "", 1).replacen("arrives_by: 20 h", "", 1);
        read(&text).unwrap_or_else(|error| panic!("{error}")).warnings().is_none()
    };
    assert!(covers("2020-07-12T22:00:00Z", "duration: 2 h"));
    assert!(!covers("2020-07-12T22:00:00Z", "duration: 7200.000000001 s"));
    assert!(!covers("2020-07-12T21:59:59Z", "duration: 1 h"));
}

#[test]
fn horizons() {
    let with = |horizon: &str, words: &[&str]| no(SITE, &format!("altitude: 1 km, horizon: {horizon} }} }}"), words);
    with("^5 deg", &["a list must stand here"]);
    with("[^90 deg]", &["keys with values must stand here"]);
    with("[^{ azimuth: 90 deg }]", &["`elevation` is missing"]);
    with("[^{ elevation: 5 deg }]", &["`azimuth` is missing"]);
    with("[{ azimuth: ^90, elevation: 5 deg }]", &["`90` has no unit"]);
    with("[{ azimuth: 90 deg, elevation: ^high }]", &["`high`"]);
    with("[{ azimuth: 90 deg, elevation: 5 deg, ^range: 5 km }]", &["unknown key `range`"]);
    with(
        "[^{ azimuth: 90 deg, elevation: 5 deg }, { azimuth: 80 deg, elevation: 5 deg }]",
        &["no horizon", "`azimuth_deg` is 80", "in the order of azimuth"],
    );
    with("[^{ azimuth: 90 deg, elevation: 5 deg }, { azimuth: 90 deg, elevation: 6 deg }]", &["`azimuth_deg` is 90"]);
    with("[{ azimuth: ^361 deg, elevation: 5 deg }]", &["out of range"]);
    with("[^{ azimuth: -1 deg, elevation: 5 deg }]", &["`azimuth_deg` is -1"]);
    with("[^{ azimuth: 0 deg, elevation: 86 deg }]", &["`elevation_deg` is 86", "-90 to 85"]);
    with(
        "[^{ azimuth: 0 deg, elevation: 1 deg }, { azimuth: 360 deg, elevation: 2 deg }]",
        &["at azimuth 360 what it is at 0"],
    );
}

#[test]
fn ranges() {
    refuse(&[
        No(VISIBILITY, "visibility: { occulted_by: [mars], max_range: ^0 km }", &["reaches nowhere", "above 0 km"]),
        No(VISIBILITY, "visibility: { occulted_by: [mars], max_range: ^5 }", &["`5` has no unit"]),
        No(VISIBILITY, "visibility: { occulted_by: [mars], max_range: ^-5 km }", &["above 0 km"]),
        No(LIGHT_TIME, "range_table: ^none.csv", &["none.csv does not exist"]),
        No(LIGHT_TIME, "light_time: 5 ms\n    range_table: ^a.csv", &["`range_table` and `light_time` exclude"]),
        No(
            VISIBILITY,
            "visibility: { occulted_by: [mars] }\n    range_table: ^a.csv",
            &["`range_table` and `visibility` exclude each other"],
        ),
    ]);
    let folder = Damaged::new();
    for (name, text, words) in [
        ("word.csv", "0,384400\n600,far\n", "word.csv: line 2: `600,far` is not `time_s,range_km`"),
        ("order.csv", "0,384400\n600,384401\n300,384402\n", "order.csv: line 3: "),
        ("negative.csv", "0,-1\n", "negative.csv: line 1: "),
        ("nan.csv", "0,384400\n5,NaN\n", "nan.csv: line 2: "),
        ("blank.csv", "\n", "blank.csv: the table has no entries"),
        ("empty.csv", "", "empty.csv is empty"),
    ] {
        no(LIGHT_TIME, &format!("range_table: ^{}", folder.file(name, text)), &[words]);
    }
}

#[test]
fn a_table_that_ends_too_early_is_warned_of() {
    let folder = Damaged::new();
    // The contacts last until 3 h.
    let short = format!("range_table: ^{}", folder.file("short.csv", "0,300000\n10799,300001\n"));
    let late = format!("range_table: ^{}", folder.file("late.csv", "601,300000\n10800,300001\n"));
    let words =
        ["not all of the time that the link carries", "outside of it the link is closed", "add lines to the table"];
    warn(&[
        No(LIGHT_TIME, &short, &[&words[..], &["from 00:00:00.000 to 02:59:59.000"]].concat()),
        No(LIGHT_TIME, &late, &[&words[..], &["from 00:10:01.000 to 03:00:00.000"]].concat()),
    ]);
    let just = format!("range_table: {}", folder.file("just.csv", "600,300000\n10800,300001\n"));
    assert!(read(&edited(LIGHT_TIME, &just)).unwrap().warnings().is_none());
}

#[test]
fn antennas() {
    let with = |antennas: &str, words: &[&str]| {
        no(VISIBILITY, &format!("visibility: {{ occulted_by: [mars], antennas: {antennas} }}"), words);
    };
    with("{ ^statoin: {} }", &["no node `statoin`", "did you mean `station`?"]);
    with("{ ^lander: {} }", &["`lander` is at neither end of this link", "write `orbiter` or `station`"]);
    with("{ station: { ^keepout: [] } }", &["unknown key `keepout`", "did you mean `keep_out`?"]);
    with("{ station: { keep_out: ^sun } }", &["a list must stand here"]);
    with("{ station: { keep_out: [^{ body: sun }] } }", &["`angle` is missing", "add `angle: 3 deg`"]);
    with("{ station: { keep_out: [^{ angle: 3 deg }] } }", &["`body` is missing", "add `body: sun`"]);
    with("{ station: { keep_out: [{ body: ^sol, angle: 3 deg }] } }", &["there is no body `sol`"]);
    with("{ station: { keep_out: [{ body: sun, angle: ^3 }] } }", &["`3` has no unit"]);
    with("{ station: { keep_out: [{ body: sun, angle: ^0 deg }] } }", &["keeps 0 deg away", "above 0 deg"]);
    with("{ station: { keep_out: [{ body: sun, angle: ^180 deg }] } }", &["keeps 180 deg away"]);
    with("{ station: { conjunction: ^{} } }", &["nothing says what happens near the Sun", "outage_below: 2 deg"]);
    with("{ station: { conjunction: { outage_below: ^2 } } }", &["`2` has no unit"]);
    with(
        "{ station: { conjunction: ^{ outage_below: 5 deg, degraded_below: 2 deg } } }",
        &["out below 5 deg cannot be degraded below 2 deg", "degraded before it is out"],
    );
    with("{ station: { conjunction: ^{ outage_below: -1 deg } } }", &["0 ≤ outage"]);
    with("{ station: { conjunction: ^{ degraded_below: 180 deg } } }", &["< 180 deg"]);
    let near = "{ station: { conjunction: { degraded_below: 5 deg, degraded_ber: ^RATIO } } }";
    for (ratio, words) in [
        ("0", &["a bit error ratio of 0 is not degraded", "above 0 and at most 0.5"][..]),
        ("0.6", &["a bit error ratio of 0.6"]),
        ("much", &["not a ratio"]),
    ] {
        with(&near.replace("RATIO", ratio), words);
    }
    with(
        "{ station: { conjunction: { outage_below: 2 deg, degraded_ber: ^1e-4 } } }",
        &["nothing says when `degraded_ber` holds", "add `degraded_below: 5 deg`"],
    );
}
