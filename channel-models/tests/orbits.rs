//! Orbits and light time against formulas that can be worked by hand.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use farlink_channel_models::{Body, Geometry, LightTime, Orbit, Place, SPEED_OF_LIGHT_KM_S, Site, Visibility};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

fn geometry() -> Geometry {
    Geometry::new(Epoch::from_gregorian_utc_at_noon(2028, 5, 17))
}

fn circular(body: Body, radius_km: f64, inclination_deg: f64) -> Orbit {
    Orbit {
        body,
        semi_major_axis_km: radius_km,
        eccentricity: 0.0,
        inclination_deg,
        ascending_node_deg: 30.0,
        argument_of_periapsis_deg: 0.0,
        mean_anomaly_deg: 200.0,
    }
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn length(a: [f64; 3]) -> f64 {
    (a[0] * a[0] + a[1] * a[1] + a[2] * a[2]).sqrt()
}

/// Where an orbiter is against the centre of its body.
fn relative(geometry: &Geometry, orbit: &Orbit, at: Instant) -> [f64; 3] {
    let place = Place::Orbit(orbit.clone());
    minus(geometry.position_km(&place, at).unwrap(), geometry.position_km(&Place::Center(orbit.body), at).unwrap())
}

/// The instants at which an Earth orbiter rises through the equator.
fn ascending_nodes(geometry: &Geometry, orbit: &Orbit, count: usize) -> Vec<Instant> {
    let height = |at| relative(geometry, orbit, at)[2];
    let step = Duration::from_secs(60);
    let (mut at, mut found) = (Instant::ZERO, Vec::new());
    while found.len() < count {
        if height(at) < 0.0 && height(at + step) >= 0.0 {
            let (mut low, mut high) = (at.as_nanos(), (at + step).as_nanos());
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if height(Instant::from_nanos(middle)) < 0.0 { low = middle } else { high = middle }
            }
            found.push(Instant::from_nanos(high));
        }
        at += step;
    }
    found
}

#[test]
fn a_circular_orbit_closes_after_its_nodal_period() {
    // Vallado, 4th edition, section 9.6: n (1 + 3/4 J2 (R/a)² (8 cos² i − 2)) is the rate of the argument of latitude.
    let (a, i) = (7178.137_f64, 98.6_f64);
    let kepler = TAU * (a * a * a / 398_600.435_5).sqrt();
    let j2 = 1.0 + 0.75 * 1.082_627e-3 * (6378.1363 / a).powi(2) * (8.0 * i.to_radians().cos().powi(2) - 2.0);
    let geometry = geometry();
    let nodes = ascending_nodes(&geometry, &circular(Body::Earth, a, i), 16);
    let period = (nodes[15] - nodes[0]).as_secs_f64() / 15.0;
    println!("Kepler {kepler:.3} s, nodal {:.3} s, measured {period:.3} s", kepler / j2);
    assert!((period - kepler / j2).abs() < 0.01, "{period}");
    assert!((period - kepler).abs() > 5.0, "J2 must show");
}

#[test]
fn a_sun_synchronous_orbit_follows_the_sun() {
    // 800 km up at 98.603° the node must move with the mean Sun, 360° in 365.2422 days (Vallado, section 11.4.1).
    let geometry = geometry();
    let orbit = circular(Body::Earth, 7178.137, 98.603);
    let nodes = ascending_nodes(&geometry, &orbit, 60);
    let longitude = |at| {
        let r = relative(&geometry, &orbit, at);
        r[1].atan2(r[0]).to_degrees()
    };
    let (first, last) = (nodes[0], nodes[59]);
    let per_day = (longitude(last) - longitude(first)) / (last - first).as_secs_f64() * 86_400.0;
    println!("{per_day} degrees a day");
    assert!((per_day - 360.0 / 365.2422).abs() < 0.003, "{per_day}");

    // Mars Reconnaissance Orbiter, 255 × 320 km at 92.65°, follows the Sun of Mars: 360° in 686.98 days (Zurek & Smrekar 2007).
    let mro = Orbit { eccentricity: 0.0089, ..circular(Body::Mars, 3396.0 + 287.5, 92.65) };
    let per_day = mro.secular_rates().ascending_node.to_degrees() * 86_400.0;
    assert!((per_day / (360.0 / 686.98) - 1.0).abs() < 0.02, "{per_day}");
}

#[test]
fn the_frozen_ellipse_keeps_its_periapsis() {
    // At the critical inclination, cos² i = 1/5, the periapsis stands still (Molniya).
    let molniya = Orbit { eccentricity: 0.74, ..circular(Body::Earth, 26_600.0, 63.434_948_8) };
    assert!(molniya.secular_rates().argument_of_periapsis.abs() < 1e-15);
    // And its least and greatest distances are a (1 ∓ e).
    let geometry = geometry();
    let radii: Vec<_> =
        (0..720).map(|m| length(relative(&geometry, &molniya, Instant::ZERO + Duration::from_secs(60 * m)))).collect();
    let (low, high) = radii.iter().fold((f64::MAX, 0.0_f64), |(l, h), r| (l.min(*r), h.max(*r)));
    assert!(
        (low / (26_600.0 * 0.26) - 1.0).abs() < 0.005 && (high / (26_600.0 * 1.74) - 1.0).abs() < 1e-4,
        "{low} {high}"
    );
}

#[test]
fn a_stationary_orbiter_stands_over_its_site() {
    // An orbit with the period of the body's turn, about Mars's own equator: GM, pole and rotation must fit together.
    let geometry = geometry();
    let mut orbit = circular(Body::Mars, 20_428.0, 0.0);
    let turn = 350.891_982_443_297_f64.to_radians() / 86_400.0;
    for _ in 0..20 {
        let rates = orbit.secular_rates();
        let rate = rates.mean_anomaly + rates.ascending_node + rates.argument_of_periapsis;
        orbit.semi_major_axis_km *= (rate / turn).powf(2.0 / 3.0);
    }
    // The textbook radius is 20 428 km.
    assert!((orbit.semi_major_axis_km - 20_428.0).abs() < 4.0, "{}", orbit.semi_major_axis_km);
    let site = Place::Site(Site { body: Body::Mars, latitude_deg: 0.0, longitude_deg: 137.0, altitude_km: 0.0 });
    let orbiter = Place::Orbit(orbit);
    let distance = |hours: i64| {
        let at = Instant::ZERO + Duration::from_secs(3600 * hours);
        length(minus(geometry.position_km(&orbiter, at).unwrap(), geometry.position_km(&site, at).unwrap()))
    };
    let spread = (0..100).map(|h| (distance(h) - distance(0)).abs()).fold(0.0, f64::max);
    println!("the distance from the site varies by {spread:.3} km in 100 h");
    assert!(spread < 0.5, "{spread}");
}

#[test]
fn light_time_is_consistent_with_the_positions() {
    let geometry = geometry();
    let site =
        |body, latitude_deg, longitude_deg| Place::Site(Site { body, latitude_deg, longitude_deg, altitude_km: 0.5 });
    let places = [
        Place::Center(Body::Sun),
        Place::Center(Body::Neptune),
        site(Body::Earth, -35.4, 149.0),
        site(Body::Mars, 18.4, 77.5),
        Place::Orbit(circular(Body::Mars, 3780.0, 93.0)),
        Place::Orbit(Orbit { eccentricity: 0.7, ..circular(Body::Earth, 24_000.0, 20.0) }),
    ];
    let mut worst = 0.0_f64;
    for from in &places {
        for to in &places {
            for hour in [0_i64, 7, 1000] {
                let emitted = Instant::ZERO + Duration::from_secs(3600 * hour);
                let lt = geometry.light_time(from, to, emitted).unwrap();
                let way = minus(
                    geometry.position_km(to, emitted + lt).unwrap(),
                    geometry.position_km(from, emitted).unwrap(),
                );
                worst = worst.max((length(way) / SPEED_OF_LIGHT_KM_S - lt.as_secs_f64()).abs());
            }
        }
    }
    println!("worst: {:.2} ns", worst * 1e9);
    // Half a nanosecond of rounding, and the rounding of positions at 30 au (1e-9 km, 4e-15 s) and of 15 000 s.
    assert!(worst < 0.55e-9, "{worst}");
}

#[test]
fn the_light_time_of_a_channel_is_that_of_its_places() {
    let geometry = Arc::new(geometry());
    let (from, to) = (Place::Center(Body::Earth), Place::Center(Body::Mars));
    let moving = LightTime::Geometric { geometry: geometry.clone(), from: from.clone(), to: to.clone() };
    let at = Instant::from_secs_f64(1234.5);
    assert_eq!(moving.at(at), geometry.light_time(&from, &to, at).unwrap());
    assert_eq!(LightTime::Constant(Duration::from_millis(7)).at(at), Duration::from_millis(7));
}

#[test]
fn mars_hides_a_low_orbiter_for_the_fraction_that_geometry_says() {
    // An orbit in the equator of Mars, seen from far off at the declination b of Earth. Stretched along the pole Mars is a
    // sphere of its equatorial radius; the orbit stays as it is, the declination becomes b'. The orbiter is hidden while
    // its angle from the point opposite Earth is below acos(√(r² − R²) / (r cos b')).
    let geometry = geometry();
    let radius = 3796.19;
    let orbiter = Place::Orbit(circular(Body::Mars, radius, 0.0));
    let (mars, earth) = (Place::Center(Body::Mars), Place::Center(Body::Earth));
    let rules = Visibility { elevation_mask_deg: 0.0, occulters: vec![Body::Mars], ..Visibility::default() };
    let end = Instant::ZERO + Duration::from_secs(86_400);
    let contacts = geometry.contacts(&orbiter, &earth, &rules, Instant::ZERO, end);
    assert!(contacts.len() > 10);
    // From the second contact's start to the last one's: whole turns.
    let whole = &contacts[1..];
    let (first, last) = (whole[0].start, whole[whole.len() - 1].start);
    let seen: f64 = whole[..whole.len() - 1].iter().map(|c| c.duration().as_secs_f64()).sum();
    let hidden = 1.0 - seen / (last - first).as_secs_f64();

    let middle = first + Duration::from_nanos((last - first).as_nanos() / 2);
    let lt = geometry.light_time(&mars, &earth, middle).unwrap();
    let way = minus(geometry.position_km(&earth, middle + lt).unwrap(), geometry.position_km(&mars, middle).unwrap());
    // The pole of Mars at J2000 with the IAU's periodic terms, in degrees.
    let (ra, dec) = (317.681_1_f64.to_radians(), 52.886_4_f64.to_radians());
    let pole = [dec.cos() * ra.cos(), dec.cos() * ra.sin(), dec.sin()];
    let along = (way[0] * pole[0] + way[1] * pole[1] + way[2] * pole[2]) / length(way);
    let declination = (along / (1.0 - along * along).sqrt() * 3396.19 / 3376.20).atan();
    let half = ((radius * radius - 3396.19_f64.powi(2)).sqrt() / (radius * declination.cos())).acos();
    println!("hidden {hidden:.5}, geometry says {:.5}", half / PI);
    // Left: Earth is not quite far off (1e-4 of an angle), and moves 0.4° in the day.
    assert!((hidden - half / PI).abs() < 1e-4, "{hidden} {}", half / PI);
}
