//! Against Skyfield with DE421, which shares neither code nor data with this crate. The golden files are in
//! `fixtures/golden/geometry`, with the script that made them and the definition of every column.

use std::str::FromStr;

use farlink_channel_models::{Body, Geometry, Place, Site, Visibility};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

const EARTH: Place = Place::Center(Body::Earth);
const MARS: Place = Place::Center(Body::Mars);

/// The rows of a golden file, without its header.
fn golden(name: &str) -> Vec<Vec<String>> {
    let path = format!("{}/../fixtures/golden/geometry/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn epoch(utc: &str) -> Epoch {
    Epoch::from_str(&format!("{utc} UTC")).unwrap_or_else(|e| panic!("{utc}: {e}"))
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// When light must leave `from` to be at `to` at `received`.
fn emission(geometry: &Geometry, from: &Place, to: &Place, received: Instant) -> Instant {
    let mut emitted = received;
    for _ in 0..5 {
        emitted = received - geometry.light_time(from, to, emitted).unwrap();
    }
    emitted
}

/// How high at `site` the light of Mars is seen that arrives at `received`.
fn sight_of_mars(geometry: &Geometry, site: &Site, received: Instant) -> f64 {
    let emitted = emission(geometry, &MARS, &Place::Site(site.clone()), received);
    geometry.elevation_deg(site, geometry.position_km(&MARS, emitted).unwrap(), received)
}

/// How high `site` must point at `emitted` to reach Mars.
fn aim_at_mars(geometry: &Geometry, site: &Site, emitted: Instant) -> f64 {
    let lt = geometry.light_time(&Place::Site(site.clone()), &MARS, emitted).unwrap();
    geometry.aim_elevation_deg(site, geometry.position_km(&MARS, emitted + lt).unwrap(), emitted)
}

#[test]
fn light_time_between_earth_and_mars_is_within_a_tenth_of_a_millisecond() {
    let rows = golden("light_time.csv");
    assert_eq!(rows.len(), 40);
    let mut worst = [0.0_f64; 2];
    for row in &rows {
        let geometry = Geometry::new(epoch(&row[0]));
        let left = emission(&geometry, &MARS, &EARTH, Instant::ZERO);
        let down = geometry.light_time(&MARS, &EARTH, left).unwrap().as_secs_f64() - number(&row[1]);
        let up = geometry.light_time(&EARTH, &MARS, Instant::ZERO).unwrap().as_secs_f64() - number(&row[2]);
        worst = [worst[0].max(down.abs()), worst[1].max(up.abs())];
        println!("{} down {:+.1} us, up {:+.1} us", row[0], down * 1e6, up * 1e6);
    }
    println!("worst: down {:.1} us, up {:.1} us", worst[0] * 1e6, worst[1] * 1e6);
    assert!(worst.iter().all(|w| *w < 1e-4), "{worst:?}");
}

#[test]
fn elevation_of_mars_is_within_an_arc_second_both_ways() {
    let rows = golden("elevation.csv");
    assert_eq!(rows.len(), 40);
    let mut worst = [0.0_f64; 2];
    for row in &rows {
        let geometry = Geometry::new(epoch(&row[0]));
        let site = Site {
            body: Body::Earth,
            latitude_deg: number(&row[2]),
            longitude_deg: number(&row[3]),
            altitude_km: number(&row[4]),
        };
        let sight = (sight_of_mars(&geometry, &site, Instant::ZERO) - number(&row[5])) * 3600.0;
        let aim = (aim_at_mars(&geometry, &site, Instant::ZERO) - number(&row[6])) * 3600.0;
        worst = [worst[0].max(sight.abs()), worst[1].max(aim.abs())];
        println!("{} {} seen {sight:+.2}, aimed {aim:+.2} arc seconds", row[0], row[1]);
    }
    println!("worst: seen {:.2}, aimed {:.2} arc seconds", worst[0], worst[1]);
    // Aberration is up to 20.
    assert!(worst.iter().all(|w| *w < 1.0), "{worst:?}");
}

#[test]
fn mars_rises_and_sets_at_goldstone_within_a_twentieth_of_a_second() {
    let goldstone =
        Place::Site(Site { body: Body::Earth, latitude_deg: 35.4259, longitude_deg: -116.8895, altitude_km: 1.0014 });
    let rules = Visibility { elevation_mask_deg: 10.0, occulters: Vec::new(), ..Visibility::default() };
    let rows = golden("rise_set.csv");
    assert_eq!(rows.len(), 8);
    let mut worst = 0.0_f64;
    for row in &rows {
        let start = epoch(&row[0]);
        let geometry = Geometry::new(start);
        // The station receives: contacts are in time of emission at Mars, the oracle's in time of reception.
        let day = Duration::from_secs(86_400);
        let first = emission(&geometry, &MARS, &goldstone, Instant::ZERO);
        let contacts = geometry.contacts(&MARS, &goldstone, &rules, first, first + day);
        // In TAI: a difference of UTC epochs would leave out the leap second.
        let wanted = (epoch(&row[2]).to_tai_duration() - start.to_tai_duration()).total_nanoseconds();
        let wanted = Instant::from_nanos(wanted as i64);
        let error = contacts
            .iter()
            .map(|c| if row[1] == "rise" { c.start } else { c.end })
            .map(|edge| ((edge + geometry.light_time(&MARS, &goldstone, edge).unwrap()) - wanted).as_secs_f64())
            .min_by(|a, b| a.abs().total_cmp(&b.abs()))
            .expect("a pass in each window");
        println!("{} of {}: {:+.3} s", row[1], row[2], error);
        worst = worst.max(error.abs());
    }
    println!("worst: {worst:.3} s");
    assert!(worst < 0.05, "{worst}");
}
