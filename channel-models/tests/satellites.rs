//! Satellites against Skyfield, whose SGP4 is Vallado's own code, and the files they are read from. The golden files are in
//! `fixtures/golden/geometry`, with the script that made them and the definition of every column.

use std::collections::BTreeMap;
use std::str::FromStr;

use farlink_channel_models::{Body, Geometry, NoPosition, OmmError, Place, Satellite, Site, TleError, Visibility};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

const EARTH: Place = Place::Center(Body::Earth);

const ISS: &str = "\
ISS (ZARYA)
1 25544U 98067A   20194.88612269 -.00002218  00000-0 -31515-4 0  9992
2 25544  51.6461 221.2784 0001413  89.1723 280.4612 15.49507896236008
";

fn text(name: &str) -> String {
    let path = format!("{}/../fixtures/golden/geometry/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The rows of a golden file, without its header.
fn golden(name: &str) -> Vec<Vec<String>> {
    text(name).lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn epoch(utc: &str) -> Epoch {
    Epoch::from_str(&format!("{utc} UTC")).unwrap_or_else(|e| panic!("{utc}: {e}"))
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn satellites() -> BTreeMap<String, Place> {
    let all = Satellite::all_from_tle(text("satellites.tle")).unwrap();
    all.into_iter().map(|s| (s.name().to_owned(), Place::Satellite(s))).collect()
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

#[test]
fn positions_and_velocities_are_those_of_skyfield() {
    let satellites = satellites();
    let rows = golden("satellites.csv");
    assert_eq!(rows.len(), 240);
    let mut worst: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for row in &rows {
        let geometry = Geometry::new(epoch(&row[1]));
        let place = &satellites[&row[0]];
        let minus = |a: [f64; 3], b: [f64; 3]| [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
        let here = |place| (geometry.position_km(place, Instant::ZERO), geometry.velocity_km_s(place, Instant::ZERO));
        let ((position, velocity), (center, drift)) = (here(place), here(&EARTH));
        let position = minus(position.unwrap(), center.unwrap());
        let velocity = minus(velocity.unwrap(), drift.unwrap());
        let want: Vec<f64> = row[2..].iter().map(|x| number(x)).collect();
        let entry = worst.entry(&row[0]).or_default();
        entry.0 = entry.0.max(apart(&position, &want[..3]) * 1e3);
        entry.1 = entry.1.max(apart(&velocity, &want[3..]) * 1e6);
    }
    println!("worst, in m and mm/s: {worst:?}");
    assert!(worst.values().all(|(m, mm_s)| *m < 1.0 && *mm_s < 1.0), "{worst:?}");
}

#[test]
fn passes_are_those_of_skyfield() {
    let satellites = satellites();
    let rows = golden("passes.csv");
    assert_eq!(rows.len(), 429);
    let (mut worst, mut worst_deg) = (0.0_f64, 0.0_f64);
    for row in &rows {
        let start = epoch(&row[6]);
        let geometry = Geometry::new(start);
        let raised = |km: f64| {
            Place::Site(Site {
                body: Body::Earth,
                latitude_deg: number(&row[2]),
                longitude_deg: number(&row[3]),
                altitude_km: number(&row[4]) + km,
            })
        };
        let site = raised(0.0);
        let rules = Visibility { elevation_mask_deg: number(&row[5]), ..Visibility::default() };
        let wanted = (epoch(&row[8]).to_tai_duration() - start.to_tai_duration()).total_nanoseconds() as i64;
        let wanted = Instant::from_nanos(wanted);
        let (before, after) = (wanted - Duration::from_secs(120), wanted + Duration::from_secs(120));
        let contacts = geometry.contacts(&satellites[&row[0]], &site, &rules, before, after);
        let error = contacts
            .iter()
            .map(|c| if row[7] == "rise" { c.start } else { c.end })
            .filter(|edge| before < *edge && *edge < after)
            .map(|edge| (edge - wanted).as_secs_f64())
            .min_by(|a, b| a.abs().total_cmp(&b.abs()))
            .unwrap_or_else(|| panic!("no {row:?}"));
        if error.abs() > worst.abs() {
            println!("{} at {}, {}°: {} is {error:+.3} s off", row[0], row[1], row[5], row[7]);
        }
        worst = worst.max(error.abs());

        // What the oracle does, both ends at the same instant and no aberration: then the elevation is the mask's.
        let [here, above, there] =
            [&site, &raised(1.0), &satellites[&row[0]]].map(|place| geometry.position_km(place, wanted).unwrap());
        let way = [0, 1, 2].map(|k| there[k] - here[k]);
        let up: f64 = (0..3).map(|k| way[k] * (above[k] - here[k])).sum();
        let elevation = (up / apart(&way, &[0.0; 3])).asin().to_degrees();
        worst_deg = worst_deg.max((elevation - number(&row[5])).abs());
    }
    println!("worst: {worst:.3} s; without light time and aberration {worst_deg:.1e}°");
    // UT1 is within 0.09 s of the oracle's, which turns the Earth by 4e-4°.
    assert!(worst < 1.0 && worst_deg < 5e-4, "{worst} {worst_deg}");
}

#[test]
fn shadows_are_where_the_oracle_has_them() {
    let satellites = satellites();
    let rows = golden("shadows.csv");
    assert!(rows.len() > 40, "{}", rows.len());
    let mut worst = 0.0_f64;
    for row in &rows {
        let geometry = Geometry::new(epoch(&row[1]));
        let place = &satellites[&row[0]];
        let wanted = Instant::from_secs_f64(number(&row[3]));
        // The oracle covers the Sun's centre: half of its disc.
        let lit = |at| geometry.sunlit(place, &[Body::Earth], at).unwrap() > 0.5;
        let minute = Duration::from_secs(60);
        let (mut low, mut high) = (wanted - minute, wanted + minute);
        assert!(lit(low) != lit(high) && lit(low) == (row[2] == "in"), "{row:?}");
        while high - low > Duration::from_millis(1) {
            let middle = low + Duration::from_nanos((high - low).as_nanos() / 2);
            if lit(middle) == lit(low) { low = middle } else { high = middle }
        }
        worst = worst.max((high - wanted).as_secs_f64().abs());
        // And the penumbra is about it.
        let found = geometry.eclipses(place, &[Body::Earth], wanted - minute, wanted + minute);
        assert!(found.penumbra.len() == 1 && found.penumbra[0].contains(wanted), "{row:?} {found:?}");
    }
    println!("worst: {worst:.3} s");
    assert!(worst < 0.1, "{worst}");
}

#[test]
fn beyond_its_span_a_satellite_has_no_position() {
    let satellite = Satellite::from_tle(ISS).unwrap();
    let geometry = Geometry::new(satellite.epoch());
    let day = |days: i64| Instant::ZERO + Duration::from_secs(86_400 * days);
    let place = Place::Satellite(satellite.clone());
    assert!(geometry.position_km(&place, day(29)).is_ok() && geometry.position_km(&place, day(-29)).is_ok());
    let error = geometry.light_time(&place, &EARTH, day(31)).unwrap_err();
    assert!(matches!(&error, NoPosition::OutsideSpan { name, .. } if name == "ISS (ZARYA)"), "{error}");
    assert!(error.to_string().contains("ISS (ZARYA) has no position at 2020-08-1"), "{error}");
    assert!(geometry.light_time(&EARTH, &place, day(31)).is_err());
    let wider = Place::Satellite(satellite.useable_for(Duration::from_secs(40 * 86_400)));
    assert!(geometry.position_km(&wider, day(31)).is_ok() && wider != place);

    // A contact ends with the ephemeris, to the nanosecond on the transmitting side.
    let rules = Visibility::default();
    let contacts = geometry.contacts(&place, &EARTH, &rules, day(29), day(32));
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    assert_eq!(contacts[0].end, day(30) + Duration::from_nanos(1));
    // Light from the Earth must leave a little earlier to arrive in time.
    let contacts = geometry.contacts(&EARTH, &place, &rules, day(29), day(32));
    let early = (day(30) - contacts[0].end).as_secs_f64();
    assert!(contacts.len() == 1 && (0.022..0.024).contains(&early), "{contacts:?}");
}

#[test]
fn a_satellite_that_has_come_down_has_no_position() {
    // Much drag: it comes down within days.
    let low = "1 25544U 98067A   20194.88612269  .00002218  00000-0  31515-0 0  9994\n\
               2 25544  51.6461 221.2784 0001413  89.1723 280.4612 16.29507896236007";
    let satellite = Satellite::from_tle(with_checksums(low)).unwrap();
    let geometry = Geometry::new(satellite.epoch());
    let place = Place::Satellite(satellite);
    assert!(geometry.position_km(&place, Instant::ZERO).is_ok());
    let later = Instant::ZERO + Duration::from_secs(20 * 86_400);
    let error = geometry.position_km(&place, later).unwrap_err();
    assert!(matches!(&error, NoPosition::NoOrbit { .. }), "{error}");
    // The search for contacts ends there, and finds no contact with what is gone.
    let contacts = geometry.contacts(&place, &EARTH, &Visibility::default(), Instant::ZERO, later);
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    assert!(contacts[0].start == Instant::ZERO && contacts[0].end < later);
}

#[test]
fn an_omm_says_the_same_as_its_tle() {
    let tle = Satellite::from_tle(ISS).unwrap();
    let kvn = "\
CCSDS_OMM_VERS = 2.0
COMMENT made by hand
CREATION_DATE = 2020-07-13T00:00:00
ORIGINATOR = TEST
OBJECT_NAME = ISS (ZARYA)
OBJECT_ID = 1998-067A
CENTER_NAME = EARTH
REF_FRAME = TEME
TIME_SYSTEM = UTC
MEAN_ELEMENT_THEORY = SGP/SGP4
EPOCH = 2020-07-12T21:16:01.000416
MEAN_MOTION = 15.49507896 [rev/day]
ECCENTRICITY = 0.0001413
INCLINATION = 51.6461
RA_OF_ASC_NODE = 221.2784
ARG_OF_PERICENTER = 89.1723
MEAN_ANOMALY = 280.4612
EPHEMERIS_TYPE = 0
NORAD_CAT_ID = 25544
BSTAR = -0.31515E-04
";
    let json = "[{\"OBJECT_NAME\":\"ISS (ZARYA)\",\"EPOCH\":\"2020-07-12T21:16:01.000416\",\"MEAN_MOTION\":15.49507896,\
        \"ECCENTRICITY\":0.0001413,\"INCLINATION\":\"51.6461\",\"RA_OF_ASC_NODE\":221.2784,\"ARG_OF_PERICENTER\":89.1723,\
        \"MEAN_ANOMALY\":280.4612,\"EPHEMERIS_TYPE\":0,\"CLASSIFICATION_TYPE\":\"U\",\"NORAD_CAT_ID\":25544,\
        \"BSTAR\":-3.1515e-5}]";
    let geometry = Geometry::new(tle.epoch());
    let later = Instant::ZERO + Duration::from_secs(100_000);
    let at = |satellite: Satellite| geometry.position_km(&Place::Satellite(satellite), later).unwrap();
    let wanted = at(tle);
    for other in [Satellite::from_omm_kvn(kvn).unwrap(), Satellite::all_from_omm_json(json).unwrap().remove(0)] {
        assert_eq!((other.name(), other.catalogue_number()), ("ISS (ZARYA)", Some(25544)));
        // The epochs are rounded to a microsecond and to 10⁻⁸ days: 7 m of way at most.
        assert!(apart(&at(other), &wanted) < 0.008);
    }

    let refused = |from: &str, to: &str| Satellite::from_omm_kvn(kvn.replace(from, to)).unwrap_err().to_string();
    assert!(refused("REF_FRAME = TEME", "REF_FRAME = GCRF").starts_with("line 8: REF_FRAME is `GCRF`"));
    assert!(refused("= 0.0001413", "= NaN").starts_with("line 13: ECCENTRICITY is `NaN`, not a number"));
    assert!(refused("= 0.0001413", "= 1.5").contains("the eccentricity is 1.5"));
    assert!(refused("2020-07-12T", "9999-07-12T").starts_with("line 11: EPOCH: `9999-"));
    assert!(refused("BSTAR = -0.31515E-04\n", "").starts_with("line 19: BSTAR is missing"));
    assert!(refused("BSTAR", "EPOCH").starts_with("line 20: EPOCH again"));
    assert!(refused("EPHEMERIS_TYPE = 0", "EPHEMERIS_TYPE = 4").starts_with("line 18: EPHEMERIS_TYPE is `4`"));
    assert!(refused("COMMENT", "nothing").starts_with("line 2: `nothing made by hand` is not `KEYWORD = value`"));
    let error = Satellite::all_from_omm_json("[{}, 3]").unwrap_err();
    assert!(matches!(error, OmmError::Missing { line: 1, keyword: "EPOCH" }), "{error}");
    assert!(Satellite::all_from_omm_json("[\n{\"A\":}]").unwrap_err().to_string().starts_with("line 2: "));
    let deep = "[".repeat(100_000);
    assert!(Satellite::all_from_omm_json(deep).is_err());
}

#[test]
fn a_bad_tle_is_refused_with_its_line() {
    let refused = |text: &str| Satellite::from_tle(text).unwrap_err();
    let lines: Vec<&str> = ISS.lines().collect();
    let wrong = ISS.replace("51.6461", "51.6471");
    assert_eq!(refused(&wrong), TleError::Checksum { line: 3, written: '8', computed: '9' });
    assert!(refused(&wrong).to_string().contains("a digit is wrong"));
    assert!(matches!(refused(&lines[..2].join("\n")), TleError::Unpaired { line: 3, .. }));
    assert!(matches!(refused(lines[2]), TleError::Unpaired { line: 1, .. }));
    assert!(matches!(refused(lines[0]), TleError::Unpaired { line: 1, .. }));
    assert!(matches!(refused(&[lines[1], lines[1]].join("\n")), TleError::Unpaired { line: 2, .. }));
    assert!(matches!(refused(&ISS.replace("  9992", "  999")), TleError::Length { line: 2, length: 68 }));
    assert!(matches!(refused(&ISS.replace("98067A", "98067Ä")), TleError::Length { line: 2, .. }));
    assert_eq!(refused(""), TleError::NotOne { count: 0 });
    assert_eq!(refused(&[ISS, ISS].concat()), TleError::NotOne { count: 2 });
    assert_eq!(Satellite::all_from_tle([ISS, ISS].concat()).unwrap().len(), 2);
    assert!(Satellite::from_tle(b"1 25544U \xff\xfe").unwrap_err().to_string().starts_with("line 1 is not UTF-8"));
    // Another satellite's line 2, with a right checksum.
    let other = "2 28057  98.4283 247.6961 0000884  88.1964 271.9322 14.35478080140550";
    let error = refused(&[lines[1], other].join("\n"));
    assert!(matches!(&error, TleError::Field { line: 1, why } if why.contains("mismatch")), "{error}");
    // Letters, NaN and infinity where numbers belong; nothing of it may panic.
    for (from, to) in [
        (" 51.6461", "     nan"),
        (" 51.6461", "     inf"),
        ("15.49507896", "00.00000000"),
        (" 51.6461", " 951.646"),
        ("20194.88612269", "20994.88612269"),
        ("20194.88612269", "20194.8861226x"),
        ("-31515-4", "-31515+9"),
        ("0001413", "00014x3"),
        ("89.1723", "-----.-"),
        ("20194.88612269", "20-01.88612269"),
    ] {
        let text = with_checksums(&ISS.replace(from, to));
        let error = refused(&text);
        assert!(matches!(error, TleError::Field { .. } | TleError::Element { .. }), "{to}: {error}");
    }
}

/// The text with the last column of both lines made right.
fn with_checksums(text: &str) -> String {
    let sum = |line: &str| {
        let digits = line[..68]
            .bytes()
            .map(|b| if b == b'-' { 1 } else { u32::from(char::from(b).to_digit(10).unwrap_or(0) as u8) });
        digits.sum::<u32>() % 10
    };
    let fix = |line: &str| if line.len() == 69 { format!("{}{}", &line[..68], sum(line)) } else { line.to_owned() };
    text.lines().map(fix).collect::<Vec<_>>().join("\n")
}
