//! Tables of positions: what a file says is where the object is, and what no file may say.

use farlink_channel_models::{
    Body, EphemerisTable, Geometry, LightTime, OemError, Orbit, Place, RangeTable, Satellite, Site, Visibility,
};
use farlink_units::{Duration, Instant};
use hifitime::{Epoch, TimeScale};

fn geometry() -> Geometry {
    Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 3, 1))
}

fn at(seconds: f64) -> Instant {
    Instant::from_secs_f64(seconds)
}

fn orbit(body: Body, semi_major_axis_km: f64, eccentricity: f64) -> Place {
    Place::Orbit(Orbit {
        body,
        semi_major_axis_km,
        eccentricity,
        inclination_deg: 63.0,
        ascending_node_deg: 40.0,
        argument_of_periapsis_deg: 270.0,
        mean_anomaly_deg: 10.0,
    })
}

/// One segment of a file: a line every `step` seconds of the path of `place` about `center`.
fn segment(place: &Place, center: Body, extra: &str, system: TimeScale, first: i64, last: i64, step: i64) -> String {
    let geometry = geometry();
    let time = |s: i64| {
        let epoch = (geometry.epoch() + hifitime::Unit::Second * s).to_time_scale(system);
        let (y, mo, d, h, mi, s, ns) = epoch.to_gregorian(system);
        format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}.{ns:09}")
    };
    let name = match system {
        TimeScale::GPST => "GPS".to_owned(),
        other => format!("{other:?}"),
    };
    let mut text = format!(
        "META_START\nOBJECT_NAME = RELAY\nOBJECT_ID = 2031-001A\nCENTER_NAME = {}\nREF_FRAME = ICRF\nTIME_SYSTEM = {name}\n\
         START_TIME = {}\nSTOP_TIME = {}\n{extra}META_STOP\nCOMMENT made for a test\n",
        center.name().to_uppercase(),
        time(first),
        time(last),
    );
    for s in (first..=last).step_by(step as usize) {
        let now = at(s as f64);
        let centre = Place::Center(center);
        let [p, c] = [place, &centre].map(|p| geometry.position_km(p, now).unwrap());
        let [v, u] = [place, &centre].map(|p| geometry.velocity_km_s(p, now).unwrap());
        text += &time(s);
        for k in 0..3 {
            text += &format!(" {:.9}", p[k] - c[k]);
        }
        for k in 0..3 {
            text += &format!(" {:.12}", v[k] - u[k]);
        }
        text.push('\n');
    }
    text
}

const HEADER: &str = "CCSDS_OEM_VERS = 2.0\nCREATION_DATE = 2031-01-01T00:00:00\nORIGINATOR = TEST\n";

fn file(segments: &[String]) -> String {
    [&[HEADER.to_owned()], segments].concat().concat()
}

/// The worst distance from `place` at odd instants, in metres.
fn worst_m(table: &EphemerisTable, place: &Place, span: std::ops::Range<i64>) -> f64 {
    let geometry = geometry();
    let table = Place::Table(table.clone());
    span.step_by(37)
        .map(|s| {
            let [a, b] = [&table, place].map(|p| geometry.position_km(p, at(s as f64 + 0.3)).unwrap());
            (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt() * 1e3
        })
        .fold(0.0, f64::max)
}

#[test]
fn a_table_is_where_its_orbiter_is() {
    let relay = orbit(Body::Mars, 4500.0, 0.1);
    let cases = [
        ("", 60, 0.01),
        ("INTERPOLATION = HERMITE\nINTERPOLATION_DEGREE = 7\n", 120, 0.3),
        ("INTERPOLATION = HERMITE\nINTERPOLATION_DEGREE = 3\n", 60, 5.0),
        ("INTERPOLATION = Lagrange\nINTERPOLATION_DEGREE = 8\n", 60, 0.5),
        ("INTERPOLATION = LINEAR\nINTERPOLATION_DEGREE = 1\n", 1, 0.5),
    ];
    for (extra, step, most) in cases {
        let text = file(&[segment(&relay, Body::Mars, extra, TimeScale::UTC, 0, 7200, step)]);
        let table = EphemerisTable::from_oem(text).unwrap();
        let worst = worst_m(&table, &relay, 0..7199);
        println!("a line every {step} s, {extra:?}: {worst:.6} m");
        assert!(worst < most, "{extra}: {worst}");
    }
}

#[test]
fn every_time_system_means_the_same_instants() {
    let relay = orbit(Body::Earth, 7000.0, 0.001);
    for system in [TimeScale::UTC, TimeScale::TAI, TimeScale::TT, TimeScale::TDB, TimeScale::GPST] {
        let table = EphemerisTable::from_oem(file(&[segment(&relay, Body::Earth, "", system, 0, 1200, 60)])).unwrap();
        let worst = worst_m(&table, &relay, 1..1199);
        println!("{system:?}: {worst:.4} m");
        // The two formulas for TDB differ by microseconds.
        assert!(worst < 0.5, "{system:?}: {worst}");
    }
}

#[test]
fn outside_its_segments_a_table_has_no_position() {
    let relay = orbit(Body::Earth, 7000.0, 0.001);
    let part = |first, last, extra| segment(&relay, Body::Earth, extra, TimeScale::TAI, first, last, 60);
    // Two that touch, one far off, and one of which less may be used than it has.
    let text = file(&[part(0, 1200, ""), part(1200, 2400, ""), part(6000, 7200, "")]);
    let table = EphemerisTable::from_oem(&text).unwrap();
    assert_eq!(table.spans().len(), 2);
    let place = Place::Table(table);
    let geometry = geometry();
    let known = |s: f64| geometry.position_km(&place, at(s)).is_ok();
    assert!(known(0.0) && known(1200.0) && known(2400.0) && known(6000.0) && known(7200.0));
    assert!(!known(-1e-9) && !known(2400.1) && !known(5999.999) && !known(7200.1));

    let earth = Place::Center(Body::Earth);
    let contacts = geometry.contacts(&place, &earth, &Visibility::default(), at(-100.0), at(1e4));
    let spans: Vec<_> = contacts.iter().map(|c| (c.start, c.end)).collect();
    let nano = Duration::from_nanos(1);
    assert_eq!(spans, [(at(0.0), at(2400.0) + nano), (at(6000.0), at(7200.0) + nano)]);
    // Towards the table, light must arrive while it lasts.
    let contacts = geometry.contacts(&earth, &place, &Visibility::default(), at(-100.0), at(1e4));
    assert_eq!(contacts.len(), 2);
    for (contact, (start, end)) in contacts.iter().zip([(0.0, 2400.0), (6000.0, 7200.0)]) {
        let arrives = |at| (at + geometry.light_time(&earth, &place, at).unwrap()).as_secs_f64();
        assert!((arrives(contact.start + nano + nano) - start).abs() < 1e-8, "{contact:?}");
        assert!((arrives(contact.end - nano - nano) - end).abs() < 1e-8, "{contact:?}");
    }

    let useable = "USEABLE_START_TIME = 2031-03-01T00:01:37\nUSEABLE_STOP_TIME = 2031-03-01T00:10:37\n";
    let table = EphemerisTable::from_oem(file(&[part(0, 1200, useable)])).unwrap();
    let place = Place::Table(table);
    let known = |s: f64| geometry.position_km(&place, at(s)).is_ok();
    // TAI − UTC is 37 s.
    assert!(!known(59.9) && known(60.0) && known(600.0) && !known(600.1));
}

/// With straight lines between the entries the velocity steps at each; the search must not be led past anything.
#[test]
fn contacts_of_a_coarse_table_are_what_looking_finds() {
    let relay = orbit(Body::Mars, 4500.0, 0.3);
    let lander = Place::Site(Site { body: Body::Mars, latitude_deg: 18.0, longitude_deg: 77.0, altitude_km: 0.0 });
    let rules = Visibility { elevation_mask_deg: 10.0, occulters: vec![Body::Mars], ..Visibility::default() };
    let geometry = geometry();
    for extra in [
        "INTERPOLATION = LINEAR\n",
        "INTERPOLATION = LAGRANGE\nINTERPOLATION_DEGREE = 2\n",
        "INTERPOLATION = HERMITE\nINTERPOLATION_DEGREE = 1\n",
    ] {
        let text = file(&[segment(&relay, Body::Mars, extra, TimeScale::UTC, -300, 43_500, 300)]);
        let table = Place::Table(EphemerisTable::from_oem(text).unwrap());
        for (from, to) in [(&table, &lander), (&lander, &table), (&table, &Place::Center(Body::Earth))] {
            let found = geometry.contacts(from, to, &rules, at(0.0), at(43_000.0));
            assert!(found.len() > 1, "{extra}");
            for s in (0..43_000).step_by(3) {
                let now = at(f64::from(s));
                let seen = geometry.visible(from, to, &rules, now);
                assert_eq!(seen, found.iter().any(|c| c.contains(now)), "{extra}: {now}");
            }
        }
    }
}

#[test]
fn contacts_of_a_table_are_those_of_its_orbiter() {
    let relay = orbit(Body::Mars, 4500.0, 0.3);
    let lander = Place::Site(Site { body: Body::Mars, latitude_deg: 18.0, longitude_deg: 77.0, altitude_km: 0.0 });
    let rules = Visibility { elevation_mask_deg: 10.0, occulters: vec![Body::Mars], ..Visibility::default() };
    let text = file(&[segment(&relay, Body::Mars, "", TimeScale::UTC, -60, 86_520, 60)]);
    let table = Place::Table(EphemerisTable::from_oem(text).unwrap());
    let geometry = geometry();
    for to in [&lander, &Place::Center(Body::Earth)] {
        let of = |from| geometry.contacts(from, to, &rules, at(0.0), at(86_400.0));
        let (tabled, moved) = (of(&table), of(&relay));
        assert!(tabled.len() == moved.len() && tabled.len() > 3, "{} {}", tabled.len(), moved.len());
        for (a, b) in tabled.iter().zip(&moved) {
            let off = [a.start - b.start, a.end - b.end].map(|d| d.as_secs_f64().abs());
            assert!(off.iter().all(|d| *d < 1e-3), "{a:?} {b:?}");
        }
    }
}

/// A table in TEME, written from Skyfield's SGP4, is where the satellite is.
#[test]
fn a_table_in_teme_is_where_its_satellite_is() {
    let text = |name: &str| {
        std::fs::read(format!("{}/../fixtures/golden/geometry/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    // SGP4's velocities are not quite the derivatives of its positions, so it is these alone that the table must follow.
    let lagrange = "INTERPOLATION = LAGRANGE\nINTERPOLATION_DEGREE = 9\nMETA_STOP";
    let file = String::from_utf8(text("iss_teme.oem")).unwrap().replace("META_STOP", lagrange);
    let table = EphemerisTable::from_oem(file).unwrap();
    let satellite = Satellite::all_from_tle(text("satellites.tle")).unwrap().remove(0);
    assert_eq!(table.name(), satellite.name());
    let (start, _) = table.spans()[0];
    let geometry = Geometry::new(start);
    let (table, satellite) = (Place::Table(table), Place::Satellite(satellite));
    let mut worst = [0.0_f64; 2];
    for k in 0..720 {
        let now = at(f64::from(k) * 10.0 + 1.0);
        let apart = |a: [f64; 3], b: [f64; 3]| (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt();
        let [a, b] = [&table, &satellite].map(|p| geometry.position_km(p, now).unwrap());
        let [u, v] = [&table, &satellite].map(|p| geometry.velocity_km_s(p, now).unwrap());
        worst = [worst[0].max(apart(a, b) * 1e3), worst[1].max(apart(u, v) * 1e6)];
    }
    println!("worst: {:.4} m, {:.4} mm/s", worst[0], worst[1]);
    assert!(worst[0] < 0.1 && worst[1] < 100.0, "{worst:?}");
}

/// What stands still on the Earth's own axes is a site.
#[test]
fn a_table_that_turns_with_the_earth_is_a_site() {
    let mut text = HEADER.to_owned()
        + "META_START\nOBJECT_NAME = MAST\nCENTER_NAME = EARTH\nREF_FRAME = ITRF2000\nTIME_SYSTEM = UTC\n\
           START_TIME = 2031-03-01T00:00:00\nSTOP_TIME = 2031-03-01T05:00:00\nMETA_STOP\n";
    for hour in 0..6 {
        text += &format!("2031-03-01T0{hour}:00:00 0 6378.137 0 0 0 0\n");
    }
    let table = Place::Table(EphemerisTable::from_oem(text).unwrap());
    let site = Place::Site(Site { body: Body::Earth, latitude_deg: 0.0, longitude_deg: 90.0, altitude_km: 0.0 });
    let geometry = geometry();
    for k in 0..100 {
        let now = at(f64::from(k) * 179.0);
        let [a, b] = [&table, &site].map(|p| geometry.position_km(p, now).unwrap());
        let [u, v] = [&table, &site].map(|p| geometry.velocity_km_s(p, now).unwrap());
        assert!((0..3).all(|k| (a[k] - b[k]).abs() < 1e-6 && (u[k] - v[k]).abs() < 1e-9), "{now}: {a:?} {b:?}");
    }
}

/// The example of the standard (CCSDS 502.0-B, figure 5-1): its metadata and the lines that it prints.
#[test]
fn the_example_of_the_standard_is_read() {
    let text = "\
CCSDS_OEM_VERS = 2.0
CREATION_DATE = 1996-11-04T17:22:31
ORIGINATOR = NASA/JPL

META_START
OBJECT_NAME          = MARS GLOBAL SURVEYOR
OBJECT_ID            = 1996-062A
CENTER_NAME          = MARS BARYCENTER
REF_FRAME            = EME2000
TIME_SYSTEM          = UTC
START_TIME           = 1996-12-18T12:00:00.331
USEABLE_START_TIME   = 1996-12-18T12:10:00.331
USEABLE_STOP_TIME    = 1996-12-28T21:23:00.331
STOP_TIME            = 1996-12-28T21:28:00.331
INTERPOLATION        = HERMITE
INTERPOLATION_DEGREE = 7
META_STOP

COMMENT to be used for scheduling purposes only

1996-12-18T12:00:00.331  2789.619 -280.045 -1746.755  4.73372 -2.49586 -1.04195
1996-12-18T12:01:00.331  2783.419 -308.143 -1877.071  5.18604 -2.42124 -1.99608
1996-12-18T12:02:00.331  2776.033 -336.859 -2008.682  5.63678 -2.33951 -1.94687
1996-12-28T21:28:00.331 -3881.024  563.959  -682.773 -3.28827 -3.66735  1.63861
";
    let table = EphemerisTable::from_oem(text).unwrap();
    assert_eq!(table.name(), "MARS GLOBAL SURVEYOR");
    let utc = |text: &str| text.parse::<Epoch>().unwrap();
    let [(start, end)] = table.spans()[..] else { panic!("one span") };
    assert!((start - utc("1996-12-18T12:10:00.331 UTC")).abs() < hifitime::Unit::Nanosecond * 2);
    assert!((end - utc("1996-12-28T21:23:00.331 UTC")).abs() < hifitime::Unit::Nanosecond * 2);
    assert!(EphemerisTable::from_oem(text.replace("MARS BARYCENTER", "EARTH BARYCENTER")).is_err());
}

#[test]
fn a_bad_file_is_refused_with_its_line() {
    let relay = orbit(Body::Earth, 7000.0, 0.001);
    let good = file(&[segment(&relay, Body::Earth, "", TimeScale::UTC, 0, 240, 60)]);
    assert!(EphemerisTable::from_oem(&good).is_ok());
    let refused = |from: &str, to: &str| EphemerisTable::from_oem(good.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(refused("CCSDS_OEM_VERS = 2.0", "CCSDS_OEM_VERS = 9.0").starts_with("line 1: expected CCSDS_OEM_VERS"));
    assert!(refused("EARTH", "PLUTO").starts_with("line 7: CENTER_NAME is `PLUTO`"));
    assert!(refused("EARTH", "SOLAR SYSTEM BARYCENTER").starts_with("line 7: CENTER_NAME is `SOLAR"));
    assert!(refused("= ICRF", "= TOD").starts_with("line 8: REF_FRAME is `TOD`"));
    assert!(refused("= UTC", "= UT1").starts_with("line 9: TIME_SYSTEM is `UT1`"));
    assert!(refused("CENTER_NAME = EARTH\n", "").starts_with("line 11: CENTER_NAME is missing"));
    assert!(
        refused("META_STOP", "INTERPOLATION = SPLINE\nMETA_STOP").starts_with("line 12: INTERPOLATION is `SPLINE`")
    );
    assert!(
        refused("META_STOP", "INTERPOLATION = HERMITE\nMETA_STOP")
            .starts_with("line 13: INTERPOLATION_DEGREE is missing")
    );
    assert!(
        refused("META_STOP", "INTERPOLATION = LAGRANGE\nINTERPOLATION_DEGREE = 99\nMETA_STOP")
            .starts_with("line 13: INTERPOLATION_DEGREE is `99`")
    );
    assert!(refused("\n2031-03-01T00:02", "\n2031-03-01T00:01").starts_with("line 16: the time 2031-03-01T00:01:00"));
    assert!(refused("\n2031-03-01T00:02", "\n9999-03-01T00:02").starts_with("line 16: `9999-03-01T00:02"));
    assert!(refused("\n2031-03-01T00:02", "\n2031-02-30T00:02").starts_with("line 16: `2031-02-30T00:02"));
    assert!(refused("\n2031-03-01T00:02", "\nx2031-03-01T00:02").starts_with("line 16: `x2031"));
    let line = good.lines().nth(15).unwrap();
    let with = |column: usize, value: &str| {
        let mut columns: Vec<&str> = line.split(' ').collect();
        columns[column] = value;
        refused(line, &columns.join(" "))
    };
    for value in ["NaN", "inf", "1e300", "-", "abc", "0x10"] {
        assert!(
            with(1, value).starts_with(&format!("line 16: column 2 is `{value}`: it must be a number of km")),
            "{value}"
        );
        assert!(with(6, value).starts_with(&format!("line 16: column 7 is `{value}`")), "{value}");
    }
    assert!(refused(line, &format!("{line} 1")).starts_with("line 16: expected a time, three positions"));
    let shorter = line.rsplit_once(' ').unwrap().0;
    assert!(refused(line, shorter).starts_with("line 16: expected a time, three positions"));
    // With accelerations it is right.
    assert!(EphemerisTable::from_oem(good.replacen(line, &format!("{line} 0 0 0"), 1)).is_ok());

    let of = |text: String| EphemerisTable::from_oem(text).unwrap_err();
    assert_eq!(of(String::new()), OemError::Ended { line: 0, expected: "CCSDS_OEM_VERS = 1.0, 2.0 or 3.0" });
    assert_eq!(of(HEADER.to_owned()), OemError::NotOne { count: 0 });
    let cut = good.find("META_STOP").unwrap();
    assert_eq!(of(good[..cut].to_owned()), OemError::Ended { line: 11, expected: "META_STOP" });
    let head = good.find("COMMENT made").unwrap();
    assert_eq!(of(good[..head].to_owned()), OemError::TooFew { line: 12, count: 0 });
    let twice = file(&[0, 100].map(|s| segment(&relay, Body::Earth, "", TimeScale::UTC, s, s + 240, 60)));
    assert!(matches!(of(twice), OemError::Overlap { line: 33 }));
    let other = file(&[0, 300].map(|s| segment(&relay, Body::Earth, "", TimeScale::UTC, s, s + 240, 60)))
        .replacen("RELAY", "OTHER", 1);
    assert_eq!(of(other.clone()), OemError::NotOne { count: 2 });
    assert_eq!(EphemerisTable::all_from_oem(other).unwrap().len(), 2);
    let early = good.replacen("META_STOP", "USEABLE_STOP_TIME = 2030-01-01T00:00:00\nMETA_STOP", 1);
    assert!(matches!(of(early), OemError::NotUseable { .. }));
    assert!(
        EphemerisTable::from_oem(b"CCSDS_OEM_VERS = 2.0\n\xff\n").unwrap_err().to_string().starts_with("line 2 is not")
    );
    let long = [HEADER, &"x".repeat(100_000)].concat();
    assert!(of(long).to_string().starts_with("line 4 has 100000 bytes"));
}

#[test]
fn covariances_are_passed_over() {
    let relay = orbit(Body::Earth, 7000.0, 0.001);
    let part = |first| segment(&relay, Body::Earth, "", TimeScale::UTC, first, first + 240, 60);
    let covariance = "COVARIANCE_START\nEPOCH = 2031-03-01T00:01:00\n1e-4\n1e-5 1e-4\nCOVARIANCE_STOP\n";
    let table = EphemerisTable::from_oem(file(&[part(0), covariance.to_owned(), part(240)])).unwrap();
    assert_eq!(table.spans().len(), 1);
    let open = file(&[part(0), "COVARIANCE_START\n1e-4\n".to_owned()]);
    assert!(matches!(EphemerisTable::from_oem(open), Err(OemError::Ended { expected: "COVARIANCE_STOP", .. })));
}

#[test]
fn a_range_table_keeps_to_its_entries() {
    let table = RangeTable::from_csv(
        "time_s,range_km\n# a comment\n0, 400000\n\n60,400600\n180,400900\n240,400900\n300,400100\n",
    )
    .unwrap();
    assert_eq!(table.span(), (at(0.0), at(300.0)));
    for (s, km) in [(0.0, 400_000.0), (60.0, 400_600.0), (180.0, 400_900.0), (240.0, 400_900.0), (300.0, 400_100.0)] {
        assert_eq!(table.range_km(at(s)), Some(km));
    }
    let mut last = f64::MIN;
    for ms in 0..240_000 {
        let now = at(f64::from(ms) / 1e3);
        let range = table.range_km(now).unwrap();
        assert!(range >= last && range <= 400_900.0, "{now}: {range}");
        last = range;
        // The rate is the slope.
        let h = 1e-3;
        let slope = (table.range_km(now + Duration::from_millis(1)).unwrap() - range) / h;
        assert!((slope - table.range_rate_km_s(now).unwrap()).abs() < 1e-3, "{now}");
    }
    let light_time = LightTime::Table(table);
    assert_eq!(light_time.known_at(at(-1.0)), None);
    assert_eq!(light_time.at(at(-1.0)), light_time.at(at(0.0)));
    assert_eq!(light_time.known_at(at(60.0)), Some(Duration::from_secs_f64(400_600.0 / 299_792.458)));
}

/// A flyby: a smooth curve sampled every ten seconds comes back, through the nearest point and all.
#[test]
fn a_range_table_follows_a_smooth_range() {
    let range = |s: f64| (500.0_f64.powi(2) + (7.0 * (s - 1000.0)).powi(2)).sqrt();
    let entries: Vec<_> = (0..=200).map(|k| (at(f64::from(k) * 10.0), range(f64::from(k) * 10.0))).collect();
    let table = RangeTable::new(&entries).unwrap();
    let worst = (0..2000)
        .map(|s| f64::from(s) + 0.5)
        .map(|s| (table.range_km(at(s)).unwrap() - range(s)).abs())
        .fold(0.0, f64::max);
    println!("worst: {:.1} m", worst * 1e3);
    // Monotone pieces are flat at the entry that is nearest: a microsecond and a bit of light time.
    assert!(worst < 0.4, "{worst}");
}

#[test]
fn a_bad_range_table_is_refused_with_its_line() {
    let refused = |text: &str| RangeTable::from_csv(text).unwrap_err().to_string();
    assert!(refused("").starts_with("the table has no entries"));
    assert!(refused("0,1\n1,x").starts_with("line 2: `1,x` is not"));
    assert!(refused("0,1\n1;2").starts_with("line 2: `1;2` is not"));
    assert!(refused("0,1\n0,1").starts_with("line 2: time_s is 0: it must be above the time before"));
    assert!(refused("0,1\n1,-1").starts_with("line 2: range_km is -1"));
    assert!(refused("0,1\n1,NaN").starts_with("line 2: `1,NaN`"));
    assert!(refused("0,1\n1e30,1").starts_with("line 2: time_s is 1"));
    assert!(refused("0,1\n1,400000").starts_with("line 2: range_km is 400000: it must be one that changes less"));
    assert!(RangeTable::from_csv(b"0,1\n\xff").unwrap_err().to_string().starts_with("line 2 is not UTF-8"));
    assert_eq!(RangeTable::from_csv("5,300").unwrap().range_rate_km_s(at(5.0)), Some(0.0));
}
