//! Contacts: edges, short ones, and agreement with looking at every instant.

use std::sync::Arc;
use std::thread;

use farlink_channel_models::{Body, Geometry, Interval, Orbit, Place, Site, Visibility};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

fn geometry() -> Geometry {
    Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 3, 1))
}

fn at(seconds: f64) -> Instant {
    Instant::from_secs_f64(seconds)
}

fn site(body: Body, latitude_deg: f64, longitude_deg: f64) -> Site {
    Site { body, latitude_deg, longitude_deg, altitude_km: 0.0 }
}

fn goldstone() -> Place {
    Place::Site(Site { altitude_km: 1.0014, ..site(Body::Earth, 35.4259, -116.8895) })
}

fn lander() -> Place {
    Place::Site(site(Body::Mars, 18.44, 77.45))
}

fn orbiter() -> Place {
    Place::Orbit(Orbit {
        body: Body::Mars,
        semi_major_axis_km: 3780.0,
        eccentricity: 0.01,
        inclination_deg: 93.0,
        ascending_node_deg: 40.0,
        argument_of_periapsis_deg: 270.0,
        mean_anomaly_deg: 10.0,
    })
}

fn rules(elevation_mask_deg: f64) -> Visibility {
    Visibility { elevation_mask_deg, occulters: vec![Body::Mars, Body::Earth, Body::Sun], ..Visibility::default() }
}

#[test]
fn edges_are_where_visibility_changes() {
    let geometry = geometry();
    let nudge = Duration::from_nanos(1000);
    for (from, to) in [(orbiter(), lander()), (lander(), orbiter()), (orbiter(), goldstone()), (goldstone(), orbiter())]
    {
        let found = geometry.contacts(&from, &to, &rules(10.0), at(0.0), at(86_400.0));
        assert!(!found.is_empty());
        let seen = |t| geometry.visible(&from, &to, &rules(10.0), t);
        for Interval { start, end } in found {
            assert!(seen(start + nudge) && (start == at(0.0) || !seen(start - nudge)), "start {start}");
            assert!(seen(end - nudge) && (end == at(86_400.0) || !seen(end + nudge)), "end {end}");
        }
    }
}

/// Lander and orbiter see each other at the same moment, so light up must leave one light time before light down does. That
/// Mars carries both along at 24 km/s must not show: without aberration it would put half a second between the two, or two.
#[test]
fn both_directions_of_a_close_pair_open_and_close_together() {
    let geometry = geometry();
    let (from, to) = (lander(), orbiter());
    for mask in [0.0, 10.0, 30.0] {
        let [up, down] = [(&from, &to), (&to, &from)]
            .map(|(from, to)| geometry.contacts(from, to, &rules(mask), at(0.0), at(10.0 * 86_400.0)));
        assert!(up.len() > 10 && up.len() == down.len(), "{} and {}", up.len(), down.len());
        let (mut apart, mut off) = (0.0_f64, 0.0_f64);
        for (up, down) in up.iter().zip(&down) {
            for (leaves_below, leaves_above) in [(up.start, down.start), (up.end, down.end)] {
                let lt = geometry.light_time(&to, &from, leaves_above).unwrap().as_secs_f64();
                let ahead = (leaves_above - leaves_below).as_secs_f64();
                apart = apart.max(ahead.abs());
                // While light is under way the horizon turns with Mars. In a pass that only just rises over it that is as
                // good as some light times more.
                if up.duration() > Duration::from_secs(120) {
                    off = off.max((ahead / lt - 1.0).abs());
                }
            }
        }
        println!(
            "mask {mask}: {:.1} ms apart at worst, {off:.2} light times off in passes that are not low",
            apart * 1e3
        );
        assert!(apart < 0.03 && off < 1.0, "mask {mask}: {apart} s, {off} light times");
    }
}

/// How near light that leaves `from` at `emitted` comes to Mars, both moving, found by trying: below 1 it meets the ellipsoid
/// (x² + y²) / 3396.19² + z² / 3376.20² = 1.
fn nearness_to_mars(geometry: &Geometry, from: &Place, to: &Place, emitted: Instant) -> f64 {
    // The IAU's pole in 2031, in degrees.
    let (ra, dec) = (317.647_f64.to_radians(), 52.868_f64.to_radians());
    let pole = [dec.cos() * ra.cos(), dec.cos() * ra.sin(), dec.sin()];
    let lt = geometry.light_time(from, to, emitted).unwrap();
    let (a, b) = (geometry.position_km(from, emitted).unwrap(), geometry.position_km(to, emitted + lt).unwrap());
    let level = |part: f64| {
        let then = emitted + Duration::from_secs_f64(lt.as_secs_f64() * part);
        let c = geometry.position_km(&Place::Center(Body::Mars), then).unwrap();
        let v: Vec<f64> = (0..3).map(|k| a[k] + (b[k] - a[k]) * part - c[k]).collect();
        let z: f64 = (0..3).map(|k| v[k] * pole[k]).sum();
        let square: f64 = v.iter().map(|x| x * x).sum();
        ((square - z * z) / 3396.19_f64.powi(2) + z * z / 3376.20_f64.powi(2)).sqrt()
    };
    let (mut low, mut high) = (0.0, 1.0);
    while high - low > 1e-12 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if level(a) < level(b) { high = b } else { low = a }
    }
    level(low)
}

#[test]
fn the_limb_is_met_where_the_body_is_when_the_light_passes() {
    // Mars moves 24 km a second: taken eight minutes early or late it would be 11 000 km away, three of its radii.
    let geometry = geometry();
    let earth = Place::Center(Body::Earth);
    for (from, to) in [(orbiter(), earth.clone()), (earth, orbiter())] {
        let found = geometry.contacts(&from, &to, &rules(0.0), at(0.0), at(86_400.0));
        assert!(found.len() > 10);
        for edge in found[1..].iter().map(|c| c.start) {
            let level = nearness_to_mars(&geometry, &from, &to, edge);
            // A flattening left out would show as up to 6e-3.
            assert!((level - 1.0).abs() < 1e-5, "{edge}: {level}");
        }
    }
}

#[test]
fn a_scan_of_every_tenth_of_a_second_agrees() {
    let geometry = geometry();
    for (from, to, start) in [(orbiter(), lander(), 30_000), (orbiter(), goldstone(), 60_000)] {
        let (begin, end) = (at(f64::from(start)), at(f64::from(start) + 3.0 * 3600.0));
        let found = geometry.contacts(&from, &to, &rules(5.0), begin, end);
        let mut both = [0; 2];
        let mut now = begin;
        while now < end {
            let seen = geometry.visible(&from, &to, &rules(5.0), now);
            assert_eq!(seen, found.iter().any(|c| c.contains(now)), "{now}");
            both[usize::from(seen)] += 1;
            now += Duration::from_millis(100);
        }
        assert!(both[0] > 1000 && both[1] > 1000, "{both:?}: the scan must see contacts and gaps");
    }
}

/// The elevation at `to` of light that leaves `from`, and the instant, where that is `most` (or least) between the two.
fn extreme(geometry: &Geometry, from: &Place, to: &Place, mut low: f64, mut high: f64, most: bool) -> (f64, f64) {
    let Place::Site(station) = to else { panic!("a site") };
    let elevation = |t: f64| {
        let lt = geometry.light_time(from, to, at(t)).unwrap();
        geometry.elevation_deg(station, geometry.position_km(from, at(t)).unwrap(), at(t) + lt)
    };
    while high - low > 1e-4 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if (elevation(a) > elevation(b)) == most { high = b } else { low = a }
    }
    (elevation(low), low)
}

#[test]
fn a_pass_of_a_second_is_found() {
    let geometry = geometry();
    let (from, to) = (orbiter(), lander());
    let passes = geometry.contacts(&from, &to, &rules(3.0), at(0.0), at(10.0 * 86_400.0));
    assert!(passes.len() > 20);
    // The highest pass, and a mask that only its very top clears.
    let (peak, top) = passes
        .iter()
        .map(|c| extreme(&geometry, &from, &to, c.start.as_secs_f64(), c.end.as_secs_f64(), true))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap();
    for below in [1e-1, 1e-3, 1e-5] {
        let found = geometry.contacts(&from, &to, &rules(peak - below), at(0.0), at(10.0 * 86_400.0));
        println!("{below} degrees below the top: {:?}", found[0].duration());
        assert_eq!(found.len(), 1);
        assert!(found[0].contains(at(top)) && found[0].duration() < Duration::from_secs(30));
    }
    assert!(geometry.contacts(&from, &to, &rules(peak + 1e-4), at(0.0), at(10.0 * 86_400.0)).is_empty());
}

#[test]
fn a_gap_of_seconds_is_found() {
    // Far in the north Mars, when it stands north of the equator, never sets; a mask just above its lowest point cuts a gap.
    let geometry = Geometry::new(Epoch::from_gregorian_utc_at_midnight(2025, 1, 10));
    let (from, to) = (Place::Center(Body::Mars), Place::Site(site(Body::Earth, 80.0, 20.0)));
    let open = geometry.contacts(&from, &to, &rules(0.0), at(0.0), at(86_400.0));
    assert_eq!(open, [Interval { start: at(0.0), end: at(86_400.0) }]);
    let low = (0..24)
        .map(|h| extreme(&geometry, &from, &to, 3600.0 * f64::from(h), 3600.0 * f64::from(h + 1), false))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap();
    let found = geometry.contacts(&from, &to, &rules(low.0 + 1e-7), at(0.0), at(86_400.0));
    assert_eq!(found.len(), 2, "{found:?}");
    let gap = found[1].start - found[0].end;
    println!("a gap of {gap}");
    assert!(found[0].end < at(low.1) && at(low.1) < found[1].start && gap < Duration::from_secs(10), "{gap}");
}

#[test]
fn the_sun_hides_mars_at_conjunction() {
    // 2023-11-18: Mars passed 0.1° from the Sun's centre, behind it. The disc is 0.27° in radius, and Mars crosses the
    // sky behind it at some 0.3° a day: two days or less.
    let geometry = Geometry::new(Epoch::from_gregorian_utc_at_midnight(2023, 11, 1));
    let (earth, mars) = (Place::Center(Body::Earth), Place::Center(Body::Mars));
    let sun = Visibility { elevation_mask_deg: 0.0, occulters: vec![Body::Sun], ..Visibility::default() };
    let month = 30.0 * 86_400.0;
    let found = geometry.contacts(&mars, &earth, &sun, at(0.0), at(month));
    assert_eq!(found.len(), 2, "{found:?}");
    let (gone, back) = (found[0].end.as_secs_f64() / 86_400.0, found[1].start.as_secs_f64() / 86_400.0);
    println!("hidden from day {gone:.2} to day {back:.2} of the month");
    assert!(gone > 15.0 && back < 20.0 && back - gone > 1.0, "{gone} {back}");
    // What is in front is not hidden: Earth sees Mars at opposition whatever the Sun does.
    let geometry = Geometry::new(Epoch::from_gregorian_utc_at_midnight(2025, 1, 1));
    assert_eq!(geometry.contacts(&mars, &earth, &sun, at(0.0), at(month)).len(), 1);
}

#[test]
fn nothing_to_search_gives_nothing() {
    let geometry = geometry();
    assert!(geometry.contacts(&orbiter(), &lander(), &rules(0.0), at(5.0), at(5.0)).is_empty());
    assert!(geometry.contacts(&orbiter(), &lander(), &rules(0.0), at(5.0), at(4.0)).is_empty());
    // Without rules everything is one contact, cut at both ends.
    let free = geometry.contacts(
        &orbiter(),
        &goldstone(),
        &Visibility { elevation_mask_deg: -90.0, occulters: vec![], ..Visibility::default() },
        at(1.0),
        at(9.0),
    );
    assert_eq!(free, [Interval { start: at(1.0), end: at(9.0) }]);
}

#[test]
fn threads_and_order_make_no_difference() {
    let shared = Arc::new(geometry());
    let times: Vec<Instant> = (0..400).map(|i| at(f64::from(i) * 7919.0)).collect();
    let alone: Vec<_> =
        times.iter().map(|t| geometry().light_time(&orbiter(), &goldstone(), *t).unwrap()).take(3).collect();
    let lists: Vec<Vec<_>> = (0..4)
        .map(|k| {
            let (geometry, times) = (shared.clone(), times.clone());
            thread::spawn(move || {
                let mut list: Vec<_> = (0..times.len())
                    .map(|i| (i * 37 + k * 101) % times.len())
                    .map(|i| (i, geometry.light_time(&orbiter(), &goldstone(), times[i]).unwrap()))
                    .collect();
                list.sort();
                list
            })
        })
        .map(|handle| handle.join().unwrap())
        .collect();
    assert!(lists.iter().all(|list| *list == lists[0]));
    assert!(alone.iter().zip(&lists[0]).all(|(a, b)| *a == b.1));
}
