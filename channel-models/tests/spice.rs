//! SPICE kernels: what they say, and what becomes of damaged ones. `fixtures/golden/geometry` has the files and the scripts that made
//! them.
#![cfg(feature = "spice")]

use std::sync::Arc;

use farlink_channel_models::{Body, Geometry, KernelError, KernelPath, Kernels, Place};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

fn file(name: &str) -> Vec<u8> {
    let path = format!("{}/../fixtures/golden/geometry/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn kernels(names: &[&str]) -> Arc<Kernels> {
    Arc::new(Kernels::new(names.iter().map(|name| (*name, file(name)))).unwrap_or_else(|e| panic!("{e}")))
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn spacecraft_are_where_their_ellipses_are() {
    let kernels = kernels(&["de421.bsp", "orbiters.bsp"]);
    let golden = String::from_utf8(file("orbiters.csv")).unwrap();
    let types = [(-901, 13), (-902, 3), (-903, 8), (-904, 9), (-905, 12)];
    let mut worst = [0.0_f64; 5];
    for line in golden.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let kind = types.iter().position(|(target, _)| f64::from(*target) == cells[0]).unwrap();
        let path = KernelPath::new(kernels.clone(), types[kind].0).unwrap();
        let error = distance(path.position_km(cells[1]).unwrap(), [cells[2], cells[3], cells[4]]);
        worst[kind] = worst[kind].max(error);
    }
    for ((_, kind), worst) in types.iter().zip(worst) {
        println!("worst of type {kind}: {worst:.3e} km");
        assert!(worst > 0.0 && worst < 1e-4, "type {kind}: {worst} km");
    }
}

#[test]
fn bodies_from_kernels_are_near_the_built_in_ones() {
    let epoch = Epoch::from_gregorian_utc_at_midnight(2027, 3, 1);
    let built_in = Geometry::new(epoch);
    let bodies = [Body::Sun, Body::Venus, Body::Earth, Body::Moon, Body::Mars];
    let given = Geometry::with_kernels(epoch, kernels(&["de421.bsp"]), &bodies, Duration::from_secs(86_400)).unwrap();
    // From the Earth, because VSOP87 and DE421 do not agree on the barycentre: Pluto and other masses move it by 1,200 km.
    let from_earth = |geometry: &Geometry, body| {
        let [a, b] = [body, Body::Earth].map(|body| geometry.position_km(&Place::Center(body), Instant::ZERO).unwrap());
        std::array::from_fn(|k| a[k] - b[k])
    };
    for (body, bound_km) in [(Body::Sun, 100.0), (Body::Venus, 100.0), (Body::Moon, 0.3), (Body::Mars, 300.0)] {
        let apart = distance(from_earth(&built_in, body), from_earth(&given, body));
        assert!(apart > 0.0 && apart < bound_km, "{body:?}: {apart} km");
    }
    // Neptune is not in the file: the series have it.
    let neptune = Place::Center(Body::Neptune);
    assert_eq!(
        built_in.position_km(&neptune, Instant::ZERO).unwrap(),
        given.position_km(&neptune, Instant::ZERO).unwrap()
    );
}

#[test]
fn the_later_segment_takes_precedence() {
    // The fifth segment, two hours about the Moon, is said to be of the orbiter of Mars, which the second has for the day.
    let (bytes, both) = (with(1048 + 4 * 40 + 16, &(-902_i32).to_le_bytes()), kernels(&["de421.bsp", "orbiters.bsp"]));
    let changed = Kernels::new([("de421.bsp", file("de421.bsp")), ("x.bsp", bytes)]).unwrap();
    let start = both.spans(-901)[0][0];
    for (seconds, target) in [(100.0, -905), (7100.0, -905), (7300.0, -902), (80_000.0, -902)] {
        assert_eq!(changed.position_km(-902, start + seconds), both.position_km(target, start + seconds), "{seconds}");
    }
    // And the later file.
    let day = both.spans(-901)[0][0] + 50_000.0;
    let mut octets = with(1048 + 16, &(-902_i32).to_le_bytes());
    octets[1048 + 40 + 16..][..4].copy_from_slice(&(-901_i32).to_le_bytes());
    let files = [("de421.bsp", file("de421.bsp")), ("orbiters.bsp", file("orbiters.bsp")), ("x.bsp", octets)];
    assert_eq!(Kernels::new(files.clone()).unwrap().position_km(-902, day), both.position_km(-901, day));
    let files = [files[0].clone(), files[2].clone(), files[1].clone()];
    assert_eq!(Kernels::new(files).unwrap().position_km(-902, day), both.position_km(-902, day));
}

#[test]
fn what_is_not_covered_is_said() {
    let kernels = kernels(&["de421.bsp", "orbiters.bsp"]);
    let spans = kernels.spans(-901);
    assert_eq!((spans.len(), spans[0][1] - spans[0][0]), (1, 86_400.0));
    let error = kernels.position_km(-901, spans[0][0] - 1.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the kernels do not say where -901 is: not at 2027-08-01T23:59:59 TDB, but from 2027-08-02T00:00:00 TDB to 2027-08-03T00:00:00 TDB"
    );
    let error = KernelPath::new(kernels.clone(), -7).unwrap_err();
    assert!(error.to_string().starts_with("the kernels do not say where -7 is: no segments lead"), "{error}");
    // An orbiter without its planet leads nowhere.
    let alone = Arc::new(Kernels::new([("orbiters.bsp", file("orbiters.bsp"))]).unwrap());
    assert!(matches!(KernelPath::new(alone, -901), Err(KernelError::NotCovered { target: -901, .. })));
    // A run that begins in the file and ends behind it.
    let epoch = Epoch::from_gregorian_utc_at_midnight(2028, 12, 1);
    let day = Duration::from_secs(86_400);
    assert!(Geometry::with_kernels(epoch, kernels.clone(), &[Body::Mars], day).is_ok());
    let long = Duration::from_secs(86_400 * 60);
    assert!(matches!(
        Geometry::with_kernels(epoch, kernels.clone(), &[Body::Earth], long),
        Err(KernelError::NotCovered { target: 399, .. })
    ));
    assert!(matches!(
        Geometry::with_kernels(epoch, kernels, &[Body::Neptune], day),
        Err(KernelError::NotCovered { target: 899, .. })
    ));
}

/// A text PCK with the IAU's Mars, but turned by a quarter.
const MARS_PCK: &str = "KPL/PCK
\\begindata
BODY4_NUT_PREC_ANGLES = ( 10.0 0.0 )
BODY499_POLE_RA = ( 317.0, -1.0D-1 )
BODY499_POLE_DEC = ( 54.0
                     -0.05 )
BODY499_PM = ( 266.0 350.891982 0. )
BODY499_NUT_PREC_RA = ( 0.5 )
\\begintext
BODY499_PM = ( not data )
";

#[test]
fn a_text_pck_turns_bodies() {
    use farlink_channel_models::Site;
    let epoch = Epoch::from_tdb_seconds(0.0);
    let pck = Arc::new(Kernels::new([("mars.tpc", MARS_PCK.as_bytes().to_vec())]).unwrap());
    let geometry = Geometry::with_kernels(epoch, pck, &[], Duration::ZERO).unwrap();
    let pole = Place::Site(Site { body: Body::Mars, latitude_deg: 90.0, longitude_deg: 0.0, altitude_km: 0.0 });
    let direction = |place: &Place| {
        let [a, b] = [
            geometry.position_km(place, Instant::ZERO).unwrap(),
            geometry.position_km(&Place::Center(Body::Mars), Instant::ZERO).unwrap(),
        ];
        let v: [f64; 3] = std::array::from_fn(|k| a[k] - b[k]);
        let length = distance(v, [0.0; 3]);
        v.map(|x| x / length)
    };
    let (ra, dec) = ((317.0 + 0.5 * 10.0_f64.to_radians().sin()).to_radians(), 54.0_f64.to_radians());
    let wanted = [dec.cos() * ra.cos(), dec.cos() * ra.sin(), dec.sin()];
    assert!(distance(direction(&pole), wanted) < 1e-9);
    // Longitude 0 at W = 266 degrees from the node of the equator, which lies 90 degrees on from the pole's right ascension.
    let zero = Place::Site(Site { body: Body::Mars, latitude_deg: 0.0, longitude_deg: 0.0, altitude_km: 0.0 });
    let (sin_w, cos_w) = 266.0_f64.to_radians().sin_cos();
    let node = [-ra.sin(), ra.cos(), 0.0];
    let across = [-dec.sin() * ra.cos(), -dec.sin() * ra.sin(), dec.cos()];
    let wanted: [f64; 3] = std::array::from_fn(|k| node[k] * cos_w + across[k] * sin_w);
    assert!(distance(direction(&zero), wanted) < 1e-6, "{:?} {wanted:?}", direction(&zero));
}

#[test]
fn an_lsk_moves_utc_epochs() {
    let lsk = |last: &str| {
        let text = format!("KPL/LSK\n\\begindata\nDELTET/DELTA_AT = ( 10, @1972-JAN-1\n 37, @2017-JAN-1 {last} )\n");
        Arc::new(Kernels::new([("leap.tls", text.into_bytes())]).unwrap())
    };
    let epoch = Epoch::from_gregorian_utc_at_midnight(2029, 6, 1);
    let earth = Place::Center(Body::Earth);
    let built_in = Geometry::new(epoch).position_km(&earth, Instant::ZERO).unwrap();
    let at = |kernels| {
        Geometry::with_kernels(epoch, kernels, &[], Duration::ZERO).unwrap().position_km(&earth, Instant::ZERO).unwrap()
    };
    assert_eq!(at(lsk("")), built_in);
    // One more leap second: the same UTC is a second later, 30 km on.
    let moved = distance(at(lsk(", 38, @2028-JAN-1")), built_in);
    assert!((29.0..31.0).contains(&moved), "{moved} km");
}

fn refusal(name: &str, bytes: Vec<u8>) -> String {
    Kernels::new([(name, bytes)]).expect_err("a damaged kernel").to_string()
}

#[test]
fn text_kernels_are_refused_by_line() {
    let text = |data: &str| refusal("x.tpc", format!("KPL/PCK\n\\begindata\n{data}\n").into_bytes());
    assert_eq!(text("BODY499_PM ( 1 )"), "x.tpc, line 3: `BODY499_PM ( 1 )` assigns nothing");
    assert_eq!(text("BODY499_PM = ( 1"), "x.tpc, line 3: the list of `BODY499_PM` has no end");
    assert_eq!(text("A = ( 1 two )"), "x.tpc, line 3: `two` is neither a number nor a text in quotation marks");
    assert_eq!(text("A = ( 1E999 )"), "x.tpc, line 3: `1E999` is neither a number nor a text in quotation marks");
    assert_eq!(text("A = ( NaN )"), "x.tpc, line 3: `NaN` is neither a number nor a text in quotation marks");
    assert_eq!(text("A = ( 'x )"), "x.tpc, line 3: a quotation mark is missing");
    assert_eq!(text("A = 1 )"), "x.tpc, line 3: `)` follows the values");
    let pole = "BODY499_POLE_RA = ( 1 )\nBODY499_POLE_DEC = ( 1 )\n";
    assert_eq!(
        text(&format!("{pole}BODY499_PM = ( 'x' )")),
        "x.tpc, line 5: `BODY499_PM`: `x` stands where a number belongs"
    );
    assert_eq!(
        text(&format!("{pole}BODY499_PM = ( 1 )\nBODY499_NUT_PREC_PM = ( 1 )")),
        "x.tpc, line 6: `BODY499_NUT_PREC_PM`: 1 terms for 0 angles"
    );
    assert_eq!(
        text("DELTET/DELTA_AT = ( 10, @1972-FOO-1 )"),
        "x.tpc, line 3: `DELTET/DELTA_AT`: `1972-FOO-1` is no date like 2017-JAN-1"
    );
    assert!(refusal("x.tpc", b"KPL/PCK\n\\begindata\nA = '\xff'\n".to_vec()).starts_with("x.tpc, line 3: "));
    assert_eq!(
        refusal("x", b"\x7fELF and more".to_vec()),
        "x is not a SPICE kernel: it begins with `\\x7fELF and`, not with `DAF/SPK`, `DAF/PCK` or `KPL/`"
    );
    assert!(refusal("x", Vec::new()).contains("begins with ``"));
}

/// The octets of the fixture with those at `at` replaced.
fn with(at: usize, octets: &[u8]) -> Vec<u8> {
    let mut bytes = file("orbiters.bsp");
    bytes[at..at + octets.len()].copy_from_slice(octets);
    bytes
}

#[test]
fn damaged_binary_kernels_are_refused() {
    // The first summary begins at octet 1048: two times, then target, centre, frame, type, first and last word.
    let summary = 1048;
    let cases: [(Vec<u8>, &str); 14] = [
        (file("orbiters.bsp")[..1500].to_vec(), "it has 1500 octets"),
        (file("orbiters.bsp")[..60_000].to_vec(), "it is said to lie in words"),
        (with(88, b"BIG-IEEE"), "big-endian"),
        (with(88, b"VAX-GFLT"), "not `LTL-IEEE`"),
        (with(12, &5_i32.to_le_bytes()), "2 doubles and 5 integers"),
        (with(76, &9_999_i32.to_le_bytes()), "record 9999 of"),
        (with(76, &(-1_i32).to_le_bytes()), "record -1 of"),
        (with(1024, &2.0_f64.to_le_bytes()), "its segments overlap"),
        (with(1040, &26.0_f64.to_le_bytes()), "26 summaries"),
        (with(summary, &f64::NAN.to_le_bytes()), "runs from NaN"),
        (with(summary + 24, &17_i32.to_le_bytes()), "its frame is 17"),
        (with(summary + 28, &21_i32.to_le_bytes()), "its type is 21"),
        (with(summary + 8, &1e12_f64.to_le_bytes()), "but its data run from"),
        (with(3 * 1024 + 80, &f64::INFINITY.to_le_bytes()), "is inf"),
    ];
    for (bytes, part) in cases {
        let error = refusal("x.bsp", bytes);
        assert!(error.contains(part) && error.contains("x.bsp"), "{error} should contain {part}");
    }
}

#[test]
fn no_octets_bring_it_down() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let originals = [file("orbiters.bsp"), file("de421.bsp")[..].to_vec()];
    let (mut read, mut refused) = (0, 0);
    for round in 0..600 {
        let mut bytes = originals[round % 2].clone();
        for _ in 0..1 + random.next_u32() % 4 {
            // Most of the damage where the structure is: the records before the data, and the ends of segments.
            let region = match random.next_u32() % 4 {
                0 => bytes.len() as u32,
                1 => 96,
                _ => 2048,
            };
            let at = (random.next_u32() % region) as usize;
            bytes[at] = random.next_u32() as u8;
        }
        if round % 5 == 0 {
            let length = random.next_u32() as usize % bytes.len();
            bytes.truncate(length);
        }
        match Kernels::new([("de421.bsp", originals[1].clone()), ("x.bsp", bytes)]) {
            Err(_) => refused += 1,
            Ok(kernels) => {
                read += 1;
                let targets: Vec<i32> = kernels.targets().collect();
                for target in targets {
                    for [start, end] in kernels.spans(target).to_vec() {
                        for part in [0.0, 0.3, 0.999_999, 1.0] {
                            let _ = kernels.position_km(target, start + part * (end - start));
                        }
                        let _ = (kernels.position_km(target, f64::NAN), kernels.position_km(target, f64::INFINITY));
                    }
                }
            }
        }
    }
    println!("{read} could be read, {refused} were refused");
    assert!(read > 50 && refused > 50, "{read} read, {refused} refused");
    // And octets at random behind a right beginning.
    for _ in 0..100 {
        let mut bytes = vec![0; 4096];
        random.fill_bytes(&mut bytes);
        bytes[..8].copy_from_slice(b"DAF/SPK ");
        bytes[88..96].copy_from_slice(b"LTL-IEEE");
        assert!(Kernels::new([("x.bsp", bytes)]).is_err());
    }
}

/// A way in the two fixtures, and its positions: the instant after the day's first TDB second, and km from the barycentre.
fn orbiter(kernels: &Arc<Kernels>, target: i32) -> (Place, Vec<(f64, [f64; 3])>) {
    let golden = String::from_utf8(file("orbiters.csv")).unwrap();
    let lines = golden.lines().skip(1).map(|line| line.split(',').map(|c| c.parse().unwrap()).collect::<Vec<f64>>());
    let rows = lines.filter(|cells| cells[0] == f64::from(target));
    let positions = rows.map(|c| (c[1] - FIRST_TDB_S, [c[2], c[3], c[4]])).collect();
    (Place::Kernel(KernelPath::new(kernels.clone(), target).unwrap()), positions)
}

/// Where the day of the orbiters begins.
const FIRST_TDB_S: f64 = 10_074.5 * 86_400.0;

fn both_geometries(kernels: &Arc<Kernels>) -> [Geometry; 2] {
    let epoch = Epoch::from_tdb_seconds(FIRST_TDB_S);
    let day = Duration::from_secs(86_400);
    [
        Geometry::with_kernels(epoch, kernels.clone(), &[Body::Earth, Body::Moon, Body::Mars], day).unwrap(),
        Geometry::new(epoch),
    ]
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|k| a[k] - b[k])
}

fn after(seconds: f64) -> Instant {
    Instant::from_nanos((seconds * 1e9) as i64)
}

#[test]
fn a_way_is_a_place_in_either_geometry() {
    let kernels = kernels(&["de421.bsp", "orbiters.bsp"]);
    for (target, body, id) in [(-901, Body::Moon, 301), (-902, Body::Mars, 4)] {
        let (place, golden) = orbiter(&kernels, target);
        assert_eq!(place.body(), body);
        for (geometry, bound_km) in both_geometries(&kernels).iter().zip([1e-3, 1e-3]) {
            let (mut worst, mut slow) = (0.0_f64, 0.0_f64);
            for (seconds, position) in &golden {
                let at = after(*seconds);
                let center = geometry.position_km(&Place::Center(body), at).unwrap();
                let wanted = minus(*position, kernels.position_km(id, FIRST_TDB_S + seconds).unwrap());
                let got = minus(geometry.position_km(&place, at).unwrap(), center);
                worst = worst.max(distance(got, wanted));
                // Against a difference over two minutes either way, and its third derivative: n² v h²/6, below 2e-2 km/s.
                let [a, b] = [-10.0, 10.0].map(|s| geometry.position_km(&place, after(seconds + s)));
                let (Ok(a), Ok(b)) = (a, b) else { continue };
                let mean: [f64; 3] = minus(b, a).map(|x| x / 20.0);
                slow = slow.max(distance(geometry.velocity_km_s(&place, at).unwrap(), mean));
            }
            println!("{target}: {worst:.3e} km, {slow:.3e} km/s");
            assert!(worst > 0.0 && worst < bound_km, "{target}: {worst} km");
            assert!(slow < 1e-4, "{target}: {slow} km/s");
        }
        // With the kernels' own bodies it is where the fixture has it, from the barycentre.
        let [given, _] = both_geometries(&kernels);
        for (seconds, position) in &golden {
            let apart = distance(given.position_km(&place, after(*seconds)).unwrap(), *position);
            assert!(apart < 2e-3, "{target}: {apart} km");
        }
    }
}

#[test]
fn light_takes_as_long_as_the_fixture_says() {
    let kernels = kernels(&["de421.bsp", "orbiters.bsp"]);
    let [given, built_in] = both_geometries(&kernels);
    let earth = Place::Center(Body::Earth);
    // For DE421 against VSOP87 and ELP: 0.3 km of the Moon, 300 km of Mars.
    for (target, exact_ns, rough_ns) in [(-901, 20, 2_000), (-902, 20, 1_000_000)] {
        let (place, golden) = orbiter(&kernels, target);
        for (seconds, position) in golden {
            // Light that leaves the orbiter is at the Earth when the way from the golden point to the Earth then takes so long.
            let mut wanted = 0.0;
            for _ in 0..20 {
                let there = kernels.position_km(399, FIRST_TDB_S + seconds + wanted).unwrap();
                wanted = distance(there, position) / 299_792.458;
            }
            // And light that left the Earth so long before it is at the orbiter: backwards in time.
            let mut before = 0.0;
            for _ in 0..20 {
                let there = kernels.position_km(399, FIRST_TDB_S + seconds - before).unwrap();
                before = distance(there, position) / 299_792.458;
            }
            if before < seconds {
                let got = given.light_time(&earth, &place, after(seconds - before)).unwrap();
                let apart = (got.as_nanos() - Duration::from_secs_f64(before).as_nanos()).abs();
                assert!(apart <= exact_ns, "to {target}: {apart} ns");
            }
            let wanted = Duration::from_secs_f64(wanted);
            for (geometry, bound) in [(&given, exact_ns), (&built_in, rough_ns)] {
                let got = geometry.light_time(&place, &earth, after(seconds)).unwrap();
                let apart = (got.as_nanos() - wanted.as_nanos()).abs();
                assert!(apart <= bound, "{target}: {apart} ns");
            }
        }
    }
}

#[test]
fn no_contact_with_an_orbiter_is_missed() {
    use farlink_channel_models::{Site, Visibility};
    let kernels = kernels(&["de421.bsp", "orbiters.bsp"]);
    let station = Place::Site(Site { body: Body::Earth, latitude_deg: 35.0, longitude_deg: -117.0, altitude_km: 1.0 });
    let rules = Visibility { occulters: vec![Body::Moon, Body::Mars, Body::Earth], ..Visibility::default() };
    for geometry in both_geometries(&kernels) {
        for target in [-901, -902] {
            let (place, _) = orbiter(&kernels, target);
            for (from, to) in [(&place, &station), (&station, &place)] {
                let contacts = geometry.contacts(from, to, &rules, Instant::ZERO, after(86_400.0));
                // Looks every five seconds, apart from the edges, at whether the light gets through.
                let mut looks = 0;
                for step in 0..17_280 {
                    let at = after(f64::from(step) * 5.0);
                    let seen = geometry.visible(from, to, &rules, at);
                    looks += usize::from(seen);
                    assert_eq!(contacts.iter().any(|c| c.contains(at)), seen, "{target} at {at:?}");
                }
                println!("{target}: {} contacts", contacts.len());
                assert!(looks > 1_000 && contacts.len() > 3, "{target}: {looks} looks, {contacts:?}");
            }
        }
    }
}

#[test]
fn outside_of_its_span_a_way_has_no_position() {
    use farlink_channel_models::{NoPosition, Visibility};
    let kernels = kernels(&["de421.bsp", "orbiters.bsp"]);
    let (place, _) = orbiter(&kernels, -901);
    let earth = Place::Center(Body::Earth);
    for geometry in both_geometries(&kernels) {
        for (seconds, inside) in [(-1.0, false), (0.01, true), (86_399.99, true), (86_400.1, false)] {
            let got = geometry.position_km(&place, after(seconds));
            assert_eq!(got.is_ok(), inside, "{seconds}");
            if let Err(error) = got {
                assert!(matches!(&error, NoPosition::OutsideSpan { name, .. } if name == "NAIF ID -901"), "{error}");
            }
        }
        assert!(geometry.light_time(&earth, &place, after(86_399.9)).is_err());
        let hours = Duration::from_secs(3600);
        let contacts = geometry.contacts(&place, &earth, &Visibility::default(), after(0.0) - hours, after(90_000.0));
        let ends = [contacts[0].start, contacts.last().unwrap().end];
        assert!(ends[0] >= after(0.0) && ends[1] <= after(86_400.0), "{ends:?}");
    }
}

#[test]
fn a_way_of_a_body_is_that_body() {
    let kernels = kernels(&["de421.bsp"]);
    let moon = Place::Kernel(KernelPath::new(kernels.clone(), 301).unwrap());
    for geometry in both_geometries(&kernels) {
        let [a, b] = [&moon, &Place::Center(Body::Moon)].map(|p| geometry.position_km(p, after(5.0)).unwrap());
        assert_eq!(a, b);
    }
}
