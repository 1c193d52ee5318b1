//! Links about the Moon: sites, orbiters, what the Moon hides.

use farlink_channel_models::{Body, Geometry, Interval, Orbit, Place, Site, Visibility};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

const MONTH: Duration = Duration::from_secs(28 * 86_400);

fn geometry() -> Geometry {
    Geometry::new(Epoch::from_gregorian_utc_at_midnight(2027, 8, 3))
}

fn site(latitude_deg: f64, longitude_deg: f64) -> Place {
    Place::Site(Site { body: Body::Moon, latitude_deg, longitude_deg, altitude_km: 0.0 })
}

fn share(contacts: &[Interval], of: Duration) -> f64 {
    contacts.iter().map(|c| c.duration().as_secs_f64()).sum::<f64>() / of.as_secs_f64()
}

#[test]
fn the_near_side_sees_the_earth_and_the_far_side_never() {
    let geometry = geometry();
    let earth = Place::Center(Body::Earth);
    let above = |degrees| Visibility { elevation_mask_deg: degrees, occulters: Vec::new(), ..Visibility::default() };
    // Librations move the Earth by 8 degrees in longitude and 7 in latitude, so by 10.5 at most.
    let all = |place: &Place, degrees| {
        geometry.contacts(place, &earth, &above(degrees), Instant::ZERO, Instant::ZERO + MONTH)
    };
    assert!(share(&all(&site(0.0, 0.0), 79.0), MONTH) == 1.0);
    assert!(all(&site(0.0, 0.0), 89.9).iter().all(|c| c.duration() < Duration::from_secs(86_400)));
    assert_eq!(all(&site(0.0, 180.0), -79.0), []);
    // On the rim it rises and sets.
    let rim = all(&site(0.0, 90.0), 0.0);
    assert!(!rim.is_empty() && share(&rim, MONTH) < 1.0, "{rim:?}");
}

#[test]
fn the_moon_hides_its_orbiters() {
    let geometry = geometry();
    let orbiter = Orbit {
        body: Body::Moon,
        semi_major_axis_km: 1837.4,
        eccentricity: 0.0,
        inclination_deg: 90.0,
        ascending_node_deg: 0.0,
        argument_of_periapsis_deg: 0.0,
        mean_anomaly_deg: 0.0,
    };
    // 117.9 minutes at 100 km, as for Lunar Reconnaissance Orbiter's early orbits.
    let minutes = std::f64::consts::TAU / orbiter.secular_rates().mean_anomaly / 60.0;
    assert!((minutes - 117.8).abs() < 0.2, "{minutes}");

    let orbiter = Place::Orbit(orbiter);
    assert_eq!(orbiter.check(), Ok(()));
    let rules = Visibility { elevation_mask_deg: 0.0, occulters: vec![Body::Moon], ..Visibility::default() };
    let contacts =
        geometry.contacts(&orbiter, &Place::Center(Body::Earth), &rules, Instant::ZERO, Instant::ZERO + MONTH);
    // Edge on, the Moon covers asin(R / a) / π of the orbit, 0.394; face on, nothing.
    let hidden = 1.0 - share(&contacts, MONTH);
    assert!((0.15..0.394).contains(&hidden), "{hidden}");
    let longest = contacts.iter().map(|c| c.duration()).max().unwrap();
    assert!(longest > Duration::from_secs(86_400), "face on, the orbiter is in sight for days: {longest:?}");
    let gap = contacts.windows(2).map(|w| (w[1].start - w[0].end).as_secs_f64()).fold(0.0, f64::max);
    assert!((gap / 60.0 / minutes - 0.394).abs() < 0.003, "{gap} s");
}

#[test]
fn the_moon_passes_before_the_sun() {
    // The total eclipse of 2027-08-02 is greatest at 10:06:36 UT, at 25.5° N, 33.2° E (NASA, F. Espenak).
    let geometry = Geometry::new(Epoch::from_gregorian_utc_at_midnight(2027, 8, 2));
    let luxor = Place::Site(Site { body: Body::Earth, latitude_deg: 25.5, longitude_deg: 33.2, altitude_km: 0.0 });
    let rules = Visibility { elevation_mask_deg: 0.0, occulters: vec![Body::Moon], ..Visibility::default() };
    let sun = Place::Center(Body::Sun);
    let greatest = Instant::ZERO + Duration::from_secs(10 * 3600 + 6 * 60 + 36) - Duration::from_secs(499);
    assert!(!geometry.visible(&sun, &luxor, &rules, greatest));
    // The middle of it is within a minute of that.
    let hour = Duration::from_secs(7200);
    let contacts = geometry.contacts(&sun, &luxor, &rules, greatest - hour, greatest + hour);
    assert_eq!(contacts.len(), 2);
    let (before, after) = ((greatest - contacts[0].end).as_secs_f64(), (contacts[1].start - greatest).as_secs_f64());
    assert!((before - after).abs() < 120.0, "{before} s before, {after} s after");
}
