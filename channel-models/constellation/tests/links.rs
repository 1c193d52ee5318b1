//! The closed forms against positions and contacts of `farlink-channel-models`.

mod support;

use farlink_channel_models::{Body, Geometry, Interval, Place, Visibility};
use farlink_constellation::{Link, LinkError, LinkRules, Mesh, Motion, Pattern, Pointing, Relation, Shell, Side};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;
use support::{delta, shell, slot, star};

const EARTH_KM: f64 = 6378.1366;

fn day() -> Instant {
    Instant::ZERO + Duration::from_secs(86_400)
}

fn geometry() -> Geometry {
    Geometry::new(Epoch::from_gregorian_utc_at_midnight(2026, 12, 15))
}

fn open() -> LinkRules {
    LinkRules {
        max_range_km: f64::INFINITY,
        grazing_altitude_km: 0.0,
        max_latitude_deg: 90.0,
        pointing: Pointing::AllRound,
    }
}

/// A few links of each kind.
fn sample(shell: &Shell) -> Vec<Link> {
    let seam = shell.seam_links();
    shell.links(Mesh::AllAdjacent).into_iter().step_by(131).chain(seam.into_iter().step_by(17)).collect()
}

type Vector = [f64; 3];

fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn length(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// Both ends of a link about the Earth's centre, as channel-models places them.
struct Ends<'a> {
    geometry: &'a Geometry,
    places: [Place; 2],
}

impl<'a> Ends<'a> {
    fn new(geometry: &'a Geometry, shell: &Shell, link: &Link) -> Self {
        Ends { geometry, places: [link.from, link.to].map(|slot| Place::Orbit(shell.orbit(slot).unwrap())) }
    }

    fn at(&self, at: Instant) -> [Vector; 2] {
        let earth = self.geometry.position_km(&Place::Center(Body::Earth), at).unwrap();
        [0, 1].map(|i| minus(self.geometry.position_km(&self.places[i], at).unwrap(), earth))
    }

    /// How far the line between them passes from the Earth's centre.
    fn clearance_km(&self, at: Instant) -> f64 {
        let [one, other] = self.at(at);
        let line = minus(other, one);
        let along = (-dot(one, line) / dot(line, line)).clamp(0.0, 1.0);
        length([0, 1, 2].map(|i| one[i] + along * line[i]))
    }

    /// The side on which the end `from` has the other: above or below the plane of its orbit.
    fn side(&self, from: usize, at: Instant) -> Side {
        let Place::Orbit(orbit) = &self.places[from] else { panic!("an orbit") };
        let node = orbit.ascending_node_deg.to_radians() + orbit.secular_rates().ascending_node * at.as_secs_f64();
        let inclination = orbit.inclination_deg.to_radians();
        let normal = [inclination.sin() * node.sin(), -inclination.sin() * node.cos(), inclination.cos()];
        if dot(normal, self.at(at)[1 - from]) > 0.0 { Side::Left } else { Side::Right }
    }
}

#[test]
fn ranges_rates_latitudes_and_sides_are_those_of_the_positions() {
    let geometry = geometry();
    for shell in [delta(), star(), shell(Pattern::Delta, 1200.0, 120.0, [8, 5, 3])] {
        for link in sample(&shell) {
            let motion: Motion = shell.motion(link.from, link.to).unwrap();
            let ends = Ends::new(&geometry, &shell, &link);
            let (least, most) = motion.range_bounds_km();
            for minute in (0..1440).step_by(11) {
                let at = Instant::ZERO + Duration::from_secs(60 * minute + 7);
                let [one, other] = ends.at(at);
                let range = length(minus(other, one));
                assert!((motion.range_km(at) - range).abs() < 1e-6, "{link:?} {at}");
                assert!(least - 1e-6 <= range && range <= most + 1e-6);
                let apart = Duration::from_millis(50);
                let [a, b] = [at - apart, at + apart].map(|t| {
                    let [one, other] = ends.at(t);
                    length(minus(other, one))
                });
                assert!((motion.range_rate_km_s(at) - (b - a) / 0.1).abs() < 1e-4, "{link:?} {at}");
                for (i, latitude) in motion.latitudes_deg(at).into_iter().enumerate() {
                    let position = [one, other][i];
                    assert!((latitude - (position[2] / length(position)).asin().to_degrees()).abs() < 1e-9);
                }
                if link.relation != Relation::SamePlane {
                    assert_eq!(motion.side_of_second(at), Some(ends.side(0, at)), "{link:?} {at}");
                    assert_eq!(motion.side_of_first(at), Some(ends.side(1, at)), "{link:?} {at}");
                }
            }
        }
    }
}

/// Compares contacts with the rules taken one by one from positions, each 17 s and about each edge.
fn compare_with_positions(shell: &Shell, rules: &LinkRules) -> usize {
    let geometry = geometry();
    let mut edges = 0;
    for link in sample(shell) {
        let ends = Ends::new(&geometry, shell, &link);
        let between_planes = link.relation != Relation::SamePlane;
        let carries = |at: Instant| {
            let [one, other] = ends.at(at);
            let low = |v: Vector| (v[2] / length(v)).asin().to_degrees().abs() <= rules.max_latitude_deg;
            length(minus(other, one)) <= rules.max_range_km
                && ends.clearance_km(at) >= EARTH_KM + rules.grazing_altitude_km
                && (!between_planes || low(one) && low(other))
                && (!between_planes || rules.pointing == Pointing::AllRound || ends.side(0, at) != ends.side(1, at))
        };
        let contacts = shell.contacts(&link, rules, Instant::ZERO, day()).unwrap();
        let near_edge = |at: Instant| {
            let near = |edge: Instant| (at - edge).as_secs_f64().abs() < 0.002;
            contacts.iter().any(|c| near(c.start) || near(c.end))
        };
        for i in 0..86_400 / 17 {
            let at = Instant::ZERO + Duration::from_secs(17 * i);
            let inside = contacts.iter().any(|c| c.contains(at));
            assert!(inside == carries(at) || near_edge(at), "{link:?} {at}: {inside}");
        }
        assert!(contacts.windows(2).all(|pair| pair[0].end <= pair[1].start));
        let side = Duration::from_millis(2);
        for contact in &contacts {
            assert!(contact.start < contact.end);
            if contact.start > Instant::ZERO {
                assert!(!carries(contact.start - side) && carries(contact.start + side), "{link:?} {contact:?}");
                edges += 1;
            }
            if contact.end < day() {
                assert!(carries(contact.end - side) && !carries(contact.end + side), "{link:?} {contact:?}");
                edges += 1;
            }
        }
    }
    edges
}

#[test]
fn contacts_are_those_that_the_rules_give_from_positions() {
    let sides = Pointing::OneTerminalPerSide { acquisition: Duration::ZERO };
    let count = |shell: &Shell, rules: LinkRules| compare_with_positions(shell, &rules);
    // Each rule alone, then all of them; each leaves many edges to be checked.
    assert_eq!(count(&delta(), open()), 0);
    assert!(count(&star(), LinkRules { grazing_altitude_km: 80.0, ..open() }) > 100);
    assert!(count(&star(), LinkRules { max_range_km: 3000.0, ..open() }) > 100);
    assert!(count(&delta(), LinkRules { max_latitude_deg: 45.0, ..open() }) > 100);
    assert!(count(&delta(), LinkRules { pointing: sides, ..open() }) > 100);
    let all = LinkRules { max_range_km: 1200.0, grazing_altitude_km: 80.0, max_latitude_deg: 52.0, pointing: sides };
    assert!(count(&delta(), all) > 100);
    let all = LinkRules { max_range_km: 5000.0, max_latitude_deg: 80.0, ..all };
    assert!(count(&star(), all) > 100);
}

#[test]
fn the_earth_hides_a_little_sooner_than_the_ellipsoid_of_channel_models() {
    let geometry = geometry();
    let rules = Visibility { elevation_mask_deg: 0.0, occulters: vec![Body::Earth], ..Visibility::default() };
    let shell = star();
    let mut compared = 0;
    let mut worst = 0.0_f64;
    for link in shell.seam_links().into_iter().step_by(13) {
        let ends = Ends::new(&geometry, &shell, &link);
        let theirs = geometry.contacts(&ends.places[0], &ends.places[1], &rules, Instant::ZERO, day());
        let ours = shell.contacts(&link, &open(), Instant::ZERO, day()).unwrap();
        assert_eq!(ours.len(), theirs.len(), "{link:?}");
        for (own, their) in ours.iter().zip(&theirs) {
            // The sphere touches the ellipsoid at the equator, and light takes up to 20 ms from end to end.
            let slack = Duration::from_millis(30);
            assert!(their.start <= own.start + slack && own.end <= their.end + slack, "{link:?} {own:?} {their:?}");
            let late = (own.start - their.start).as_secs_f64().max((their.end - own.end).as_secs_f64());
            worst = worst.max(late);
            compared += 1;
        }
    }
    println!("{compared} contacts, the sphere hides up to {worst:.2} s longer");
    assert!(compared > 100 && worst < 10.0, "{worst}");
}

#[test]
fn a_flip_costs_the_time_for_acquisition() {
    let shell = delta();
    let link = shell.links(Mesh::PlusGrid).into_iter().find(|l| l.relation == Relation::AdjacentPlane).unwrap();
    let contacts = |acquisition| {
        let rules = LinkRules { pointing: Pointing::OneTerminalPerSide { acquisition }, ..open() };
        shell.contacts(&link, &rules, Instant::ZERO, day()).unwrap()
    };
    let (at_once, slow) = (contacts(Duration::ZERO), contacts(Duration::from_secs(30)));
    assert_eq!(at_once.len(), slow.len());
    for (a, b) in at_once.iter().zip(&slow).skip(1) {
        assert!(((b.start - a.start).as_secs_f64() - 30.0).abs() < 1e-6, "{a:?} {b:?}");
        assert_eq!(a.end, b.end);
    }
    // Longer than half a revolution: the sides change before anything is found.
    assert!(contacts(Duration::from_secs(6000)).is_empty());
}

#[test]
fn contacts_are_cut_at_both_ends_and_the_same_from_any_start() {
    let shell = star();
    let rules = LinkRules { max_range_km: 3500.0, ..open() };
    let mut cuts = 0;
    for link in shell.seam_links().into_iter().step_by(29) {
        let contacts = |start: i64, end: i64| {
            let at = |s| Instant::ZERO + Duration::from_secs(s);
            shell.contacts(&link, &rules, at(start), at(end)).unwrap()
        };
        let all = contacts(-86_400, 86_400);
        cuts += all.len();
        let cut: Vec<_> = all
            .iter()
            .map(|c| Interval {
                start: c.start.max(Instant::ZERO + Duration::from_secs(1000)),
                end: c.end.min(Instant::ZERO + Duration::from_secs(50_000)),
            })
            .filter(|c| c.start < c.end)
            .collect();
        assert_eq!(contacts(1000, 50_000), cut);
        assert!(contacts(1000, 1000).is_empty() && contacts(1000, 0).is_empty());
    }
    assert!(cuts > 100, "{cuts}");
}

#[test]
fn rules_without_meaning_are_refused_by_name() {
    let shell = delta();
    let link = shell.links(Mesh::PlusGrid)[0];
    let late = Pointing::OneTerminalPerSide { acquisition: Duration::from_secs(-1) };
    for (name, rules) in [
        ("max_range_km", LinkRules { max_range_km: f64::NAN, ..open() }),
        ("max_range_km", LinkRules { max_range_km: 0.0, ..open() }),
        ("grazing_altitude_km", LinkRules { grazing_altitude_km: f64::INFINITY, ..open() }),
        ("max_latitude_deg", LinkRules { max_latitude_deg: 91.0, ..open() }),
        ("acquisition", LinkRules { pointing: late, ..open() }),
    ] {
        let refused = shell.contacts(&link, &rules, Instant::ZERO, day());
        assert!(matches!(refused, Err(LinkError::Rule { field, .. }) if field == name), "{name}: {refused:?}");
    }
    let nowhere = Link { to: slot(72, 0), ..link };
    assert!(matches!(shell.contacts(&nowhere, &open(), Instant::ZERO, day()), Err(LinkError::Slot(_))));
    let error = shell.contacts(&link, &LinkRules { max_latitude_deg: 91.0, ..open() }, Instant::ZERO, day());
    assert_eq!(error.unwrap_err().to_string(), "`max_latitude_deg` of the link rules is 91: it must be from 0 to 90");
}
