//! The search for contacts steps past nothing: against peaks that are sought one by one, and against looking every second.

use std::num::NonZeroUsize;

use farlink_channel_models::{
    Antenna, Body, Geometry, HorizonTable, Interval, KeepOut, Orbit, Pair, Place, Site, SunLimit, Visibility,
};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

const DAY_S: f64 = 86_400.0;

fn geometry() -> Geometry {
    Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 3, 1))
}

fn at(seconds: f64) -> Instant {
    Instant::from_secs_f64(seconds)
}

/// Numbers that look random and are always the same (Knuth's MMIX generator).
struct Draw(u64);

impl Draw {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * ((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }

    fn orbit(&mut self, body: Body, heights_km: (f64, f64), eccentricities: (f64, f64)) -> Place {
        let eccentricity = self.between(eccentricities.0, eccentricities.1);
        let periapsis = body.equatorial_radius_km() + self.between(heights_km.0, heights_km.1);
        Place::Orbit(Orbit {
            body,
            semi_major_axis_km: periapsis / (1.0 - eccentricity),
            eccentricity,
            inclination_deg: self.between(0.0, 180.0),
            ascending_node_deg: self.between(0.0, 360.0),
            argument_of_periapsis_deg: self.between(0.0, 360.0),
            mean_anomaly_deg: self.between(0.0, 360.0),
        })
    }

    fn site(&mut self, body: Body) -> Place {
        Place::Site(Site {
            body,
            latitude_deg: self.between(-80.0, 80.0),
            longitude_deg: self.between(-180.0, 180.0),
            altitude_km: self.between(0.0, 3.0),
        })
    }
}

/// Where `value` is greatest between two times.
fn peak(value: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> (f64, f64) {
    while high - low > 1e-5 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if value(a) < value(b) { low = a } else { high = b }
    }
    (low, value(low))
}

/// A mask a hair below the top of a pass leaves a contact of fractions of a second, whose length the curve of the elevation
/// tells: 2 √(2 × hair / |second derivative|). Every one must be found in a search over the whole day, and no other.
#[test]
fn no_grazing_pass_is_missed() {
    let geometry = geometry();
    let mut draw = Draw(7);
    let mut lengths = [(0, f64::MAX, 0.0_f64); 4];
    for case in 0..30 {
        let (body, heights, eccentricities) = match case % 3 {
            0 => (Body::Earth, (350.0, 1500.0), (0.0, 0.02)),
            1 => (Body::Earth, (500.0, 2000.0), (0.1, 0.7)),
            _ => (Body::Mars, (300.0, 900.0), (0.0, 0.1)),
        };
        let (from, to) = (draw.orbit(body, heights, eccentricities), draw.site(body));
        let elevation = |t: f64| {
            let sight = geometry.sight(&from, &to, &Visibility::default(), at(t)).unwrap();
            sight.receiver.elevation_deg.unwrap()
        };
        let contacts = |mask| {
            let rules = Visibility { elevation_mask_deg: mask, ..Visibility::default() };
            geometry.contacts(&from, &to, &rules, at(0.0), at(DAY_S))
        };
        // Passes that lie wholly inside the day, each with its top; long ones may have several.
        let tops: Vec<(f64, f64)> = contacts(1.0)
            .iter()
            .filter(|c| c.start > at(0.0) && c.end < at(DAY_S) && c.duration() < Duration::from_secs(1500))
            .map(|c| peak(elevation, c.start.as_secs_f64(), c.end.as_secs_f64()))
            .collect();
        for &(top, height) in tops.iter().take(4) {
            for (hair, lengths) in [1e-3, 1e-5, 1e-7, 1e-8].into_iter().zip(&mut lengths) {
                let found = contacts(height - hair);
                let h = 1.0;
                let bend = (elevation(top + h) - 2.0 * height + elevation(top - h)) / (h * h);
                let length = 2.0 * (2.0 * hair / bend.abs()).sqrt();
                let contact = found.iter().find(|c| c.contains(at(top)));
                let contact = contact.unwrap_or_else(|| panic!("case {case}: {height}° at {top} s, {length} s long"));
                let off = contact.duration().as_secs_f64() / length - 1.0;
                // Of a hair of 1e-8° the rounding of positions, 2e-9°, is a good part.
                assert!(
                    off.abs() < if hair < 1e-7 { 0.4 } else { 0.1 },
                    "case {case}: {length} s and {:?}",
                    contact.duration()
                );
                *lengths = (lengths.0 + 1, lengths.1.min(length), lengths.2.max(length));
            }
        }
    }
    println!("passes, shortest and longest in s: {lengths:?}");
    assert!(lengths.iter().all(|l| l.0 > 60) && lengths[3].1 < 0.005, "{lengths:?}");
}

/// The same for the distance: a limit just above the least leaves a short contact, one just below the greatest a short gap.
#[test]
fn no_short_approach_and_no_short_gap_is_missed() {
    let geometry = geometry();
    let mut draw = Draw(11);
    let (mut approaches, mut gaps) = (0, 0);
    for case in 0..12 {
        let eccentricities = if case % 2 == 0 { (0.0, 0.01) } else { (0.0, 0.3) };
        let pair = [0; 2].map(|_| draw.orbit(Body::Earth, (400.0, 1500.0), eccentricities));
        let [from, to] = &pair;
        let range = |t: f64| geometry.light_time(from, to, at(t)).unwrap().as_secs_f64() * 299_792.458;
        let rules = |most| Visibility { max_range_km: Some(most), ..Visibility::default() };
        let contacts = |most| geometry.contacts(from, to, &rules(most), at(0.0), at(DAY_S));
        let samples: Vec<f64> = (0..2880).map(|k| range(f64::from(k) * 30.0)).collect();
        for (k, three) in samples.windows(3).enumerate().step_by(7) {
            let (low, high) = (k as f64 * 30.0, (k + 2) as f64 * 30.0);
            if three[1] < three[0] && three[1] < three[2] {
                let (when, least) = peak(|t| -range(t), low, high);
                let found = contacts(1e-5 - least);
                assert!(found.iter().any(|c| c.contains(at(when))), "case {case}: {} km at {when} s", -least);
                approaches += 1;
            } else if three[1] > three[0] && three[1] > three[2] {
                let (when, most) = peak(range, low, high);
                let found = contacts(most - 1e-5);
                assert!(!found.iter().any(|c| c.contains(at(when))), "case {case}: {most} km at {when} s");
                gaps += 1;
            }
        }
    }
    println!("{approaches} approaches and {gaps} gaps");
    assert!(approaches > 20 && gaps > 20);
}

/// Looks at every `step` and compares; tells how often it saw something and nothing.
fn scan(
    geometry: &Geometry,
    from: &Place,
    to: &Place,
    rules: &Visibility,
    hours: f64,
    step: Duration,
    name: &str,
) -> [usize; 2] {
    let (begin, end) = (at(0.0), at(hours * 3600.0));
    let found = geometry.contacts(from, to, rules, begin, end);
    assert!(found.windows(2).all(|w| w[0].end < w[1].start) && found.iter().all(|c| c.start < c.end), "{name}");
    let mut both = [0; 2];
    let mut now = begin;
    let mut next = found.iter().peekable();
    while now < end {
        while next.next_if(|c| c.end <= now).is_some() {}
        let seen = geometry.visible(from, to, rules, now);
        assert_eq!(seen, next.peek().is_some_and(|c| c.contains(now)), "{name}: {now}, {found:?}");
        both[usize::from(seen)] += 1;
        now += step;
    }
    both
}

#[test]
fn a_scan_every_few_seconds_agrees_for_rules_of_every_kind() {
    let geometry = geometry();
    let mut draw = Draw(3);
    let land = HorizonTable::new(vec![(0.0, 2.0), (80.0, 35.0), (95.0, 8.0), (200.0, 50.0), (300.0, -1.0)]).unwrap();
    let keep_out = |body, angle_deg| Antenna { keep_out: vec![KeepOut { body, angle_deg }], ..Antenna::default() };
    let sun = |outage_below_deg| Antenna {
        sun: Some(SunLimit { degraded_below_deg: 60.0, outage_below_deg }),
        ..Antenna::default()
    };
    let earth = |rules: Visibility| Visibility { occulters: vec![Body::Earth], ..rules };
    let free = Visibility::default;
    let kinds: Vec<(&str, Visibility, [u8; 2])> = vec![
        ("mask", Visibility { elevation_mask_deg: 7.0, ..free() }, [0, 1]),
        (
            "land",
            Visibility { receiver: Antenna { horizon: Some(land.clone()), ..Antenna::default() }, ..free() },
            [0, 1],
        ),
        (
            "land at the transmitter",
            Visibility {
                transmitter: Antenna { horizon: Some(land), ..Antenna::default() },
                elevation_mask_deg: 5.0,
                ..free()
            },
            [1, 0],
        ),
        ("two orbiters", earth(free()), [0, 0]),
        ("a far and a near orbiter", earth(free()), [2, 0]),
        ("a near and a far orbiter, range", earth(Visibility { max_range_km: Some(30_000.0), ..free() }), [0, 2]),
        ("keep-out of the Earth", Visibility { transmitter: keep_out(Body::Earth, 80.0), ..free() }, [0, 2]),
        ("keep-out of the Sun", earth(Visibility { receiver: keep_out(Body::Sun, 50.0), ..free() }), [0, 0]),
        ("the Sun at a site", Visibility { receiver: sun(40.0), ..free() }, [2, 1]),
        ("Mars", Visibility { elevation_mask_deg: 10.0, occulters: vec![Body::Mars, Body::Sun], ..free() }, [3, 1]),
        (
            "the Moon",
            Visibility { elevation_mask_deg: 5.0, occulters: vec![Body::Moon, Body::Earth], ..free() },
            [4, 1],
        ),
        ("the Moon and the Earth", Visibility { occulters: vec![Body::Moon, Body::Earth], ..free() }, [4, 0]),
        ("Mars's own", Visibility { occulters: vec![Body::Mars], ..free() }, [3, 3]),
    ];
    for (name, rules, ends) in &kinds {
        let mut both = [0; 2];
        for case in 0..3 {
            let mut end = |kind: u8| match kind {
                0 => draw.orbit(Body::Earth, (350.0, 1500.0), (0.0, 0.05)),
                1 => draw.site(Body::Earth),
                2 => draw.orbit(Body::Earth, (500.0, 30_000.0), (0.0, 0.7)),
                3 => draw.orbit(Body::Mars, (250.0, 3000.0), (0.0, 0.4)),
                _ => draw.orbit(Body::Moon, (50.0, 2000.0), (0.0, 0.3)),
            };
            let (from, to) = (end(ends[0]), end(ends[1]));
            let name = format!("{name} {case}");
            let some = scan(&geometry, &from, &to, rules, 12.0, Duration::from_millis(4_711), &name);
            both = [both[0] + some[0], both[1] + some[1]];
        }
        println!("{name}: {both:?}");
        assert!(both.iter().all(|n| *n > 100), "{name}: {both:?}");
    }
}

#[test]
fn the_sun_degrades_before_it_cuts() {
    // Mars's conjunction of 2023-11-18, as the Earth sees it.
    let geometry = Geometry::new(Epoch::from_gregorian_utc_at_midnight(2023, 11, 1));
    let (mars, earth) = (Place::Center(Body::Mars), Place::Center(Body::Earth));
    let limits = SunLimit { degraded_below_deg: 3.0, outage_below_deg: 1.0 };
    let rules = Visibility { receiver: Antenna { sun: Some(limits), ..Antenna::default() }, ..Visibility::default() };
    let contacts = geometry.contacts(&mars, &earth, &rules, at(0.0), at(35.0 * DAY_S));
    let degraded = geometry.degraded(&mars, &earth, &rules, &contacts);
    assert_eq!((contacts.len(), degraded.len()), (2, 2), "{contacts:?} {degraded:?}");
    // Worse up to the outage, and from it on.
    assert_eq!((degraded[0].end, degraded[1].start), (contacts[0].end, contacts[1].start));
    let angle = |at| geometry.sight(&mars, &earth, &rules, at).unwrap().receiver.sun_angle_deg.unwrap();
    for (edge, limit) in
        [(degraded[0].start, 3.0), (contacts[0].end, 1.0), (contacts[1].start, 1.0), (degraded[1].end, 3.0)]
    {
        assert!((angle(edge) - limit).abs() < 1e-6, "{edge}: {}", angle(edge));
    }
    let middle = geometry.sight(&mars, &earth, &rules, contacts[0].end + Duration::from_secs(60)).unwrap();
    assert_eq!(middle.hidden_by.unwrap().to_string(), "Sun too near at the receiver");
    assert!(middle.degraded);
    // At the other end of the way back the rule is the same.
    let back = geometry.contacts(&earth, &mars, &rules.reversed(), at(0.0), at(35.0 * DAY_S));
    let (out, home) = (contacts[0].end, back[0].end);
    let light_time = geometry.light_time(&mars, &earth, out).unwrap();
    // What arrives at the limit and what leaves at the limit: Mars is seen where it was and met where it will be.
    assert!((home - (out + light_time)).as_secs_f64().abs() < 3600.0, "{home} {out}");
}

#[test]
fn a_table_is_the_same_with_any_number_of_threads() {
    let geometry = geometry();
    let mut draw = Draw(5);
    let orbiters: Vec<Place> = (0..6).map(|_| draw.orbit(Body::Earth, (400.0, 900.0), (0.0, 0.01))).collect();
    let sites: Vec<Place> = (0..3).map(|_| draw.site(Body::Earth)).collect();
    let rules = Visibility {
        elevation_mask_deg: 10.0,
        receiver: Antenna {
            sun: Some(SunLimit { degraded_below_deg: 20.0, outage_below_deg: 2.0 }),
            ..Antenna::default()
        },
        ..Visibility::default()
    };
    let pairs: Vec<Pair> =
        orbiters.iter().flat_map(|from| sites.iter().map(|to| Pair { from, to, rules: &rules })).collect();
    let of = |threads: usize| geometry.contact_table(&pairs, at(0.0), at(DAY_S), NonZeroUsize::new(threads).unwrap());
    let one = of(1);
    assert_eq!(one.len(), 18);
    for (row, pair) in one.iter().zip(&pairs) {
        assert_eq!(row.contacts, geometry.contacts(pair.from, pair.to, &rules, at(0.0), at(DAY_S)));
        assert_eq!(row.degraded, geometry.degraded(pair.from, pair.to, &rules, &row.contacts));
    }
    assert!(one.iter().any(|row| !row.degraded.is_empty()));
    for threads in [2, 5, 64] {
        assert_eq!(of(threads), one, "{threads}");
    }
    assert!(geometry.contact_table(&[], at(0.0), at(DAY_S), NonZeroUsize::new(3).unwrap()).is_empty());
}

#[test]
fn places_that_coincide_do_not_stop_the_search() {
    let geometry = geometry();
    let site = Draw(1).site(Body::Earth);
    let rules = Visibility { occulters: vec![Body::Earth], ..Visibility::default() };
    assert!(geometry.contacts(&site, &site, &rules, at(0.0), at(DAY_S)).is_empty());
    let earth = Place::Center(Body::Earth);
    // A site and the centre under it: straight down, below the horizon all day.
    assert!(geometry.contacts(&site, &earth, &rules, at(0.0), at(DAY_S)).is_empty());
    // An orbit that cannot be: no contact, and an end.
    let odd = Place::Orbit(Orbit {
        body: Body::Earth,
        semi_major_axis_km: 10.0,
        eccentricity: 0.999,
        inclination_deg: f64::NAN,
        ascending_node_deg: 0.0,
        argument_of_periapsis_deg: 0.0,
        mean_anomaly_deg: 0.0,
    });
    let mask = Visibility { elevation_mask_deg: 10.0, ..Visibility::default() };
    let found: Vec<Interval> = geometry.contacts(&odd, &site, &mask, at(0.0), at(10.0));
    assert!(found.is_empty(), "{found:?}");
}
