//! What a link is at one instant, held to what light times and positions say by themselves; and the shadow of bodies.

use farlink_channel_models::{
    Body, Eclipses, End, Geometry, KeepOut, Obstacle, Orbit, Place, SPEED_OF_LIGHT_KM_S, Sight, Site, Visibility,
};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

fn geometry() -> Geometry {
    Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 3, 1))
}

fn at(seconds: f64) -> Instant {
    Instant::from_secs_f64(seconds)
}

fn circular(body: Body, height_km: f64, inclination_deg: f64) -> Place {
    Place::Orbit(Orbit {
        body,
        semi_major_axis_km: body.equatorial_radius_km() + height_km,
        eccentricity: 0.0,
        inclination_deg,
        ascending_node_deg: 30.0,
        argument_of_periapsis_deg: 0.0,
        mean_anomaly_deg: 200.0,
    })
}

fn site(body: Body, latitude_deg: f64, longitude_deg: f64) -> Place {
    Place::Site(Site { body, latitude_deg, longitude_deg, altitude_km: 0.5 })
}

fn length(v: [f64; 3]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Range, its rate and the Doppler shift of two crests of a wave: how far apart they arrive tells all three.
#[test]
fn range_rate_and_doppler_are_those_of_two_crests() {
    let geometry = geometry();
    let pairs = [
        (circular(Body::Earth, 500.0, 97.0), site(Body::Earth, 35.0, -117.0)),
        (circular(Body::Mars, 400.0, 93.0), site(Body::Earth, -35.4, 149.0)),
        (circular(Body::Mars, 400.0, 93.0), site(Body::Mars, 18.0, 77.0)),
        (Place::Center(Body::Mercury), circular(Body::Venus, 300.0, 10.0)),
        (circular(Body::Earth, 500.0, 97.0), circular(Body::Earth, 800.0, 20.0)),
    ];
    let mut worst = [0.0_f64; 3];
    for (a, b) in &pairs {
        for (from, to) in [(a, b), (b, a)] {
            for k in 0..20 {
                let now = at(f64::from(k) * 3_571.0);
                let see = |at| -> Sight { geometry.sight(from, to, &Visibility::default(), at).unwrap() };
                let sight = see(now);
                assert_eq!(sight.light_time, geometry.light_time(from, to, now).unwrap());
                assert_eq!(sight.received, now + sight.light_time);
                let light_s = sight.range_km / SPEED_OF_LIGHT_KM_S;
                worst[0] = worst[0].max((light_s - sight.light_time.as_secs_f64()).abs());

                let half = Duration::from_millis(500);
                let (before, after) = (see(now - half), see(now + half));
                let rate = after.range_km - before.range_km;
                worst[1] = worst[1].max((rate - sight.range_rate_km_s).abs());

                // A second at the transmitter, by its own clock and by one at rest, against a second at the receiver.
                let speed = |place, at| length(geometry.velocity_km_s(place, at).unwrap()) / SPEED_OF_LIGHT_KM_S;
                let slowed = |v: f64| (1.0 - v * v).sqrt();
                let arrive = 1.0 + (after.range_km - before.range_km) / SPEED_OF_LIGHT_KM_S;
                let ratio = slowed(speed(from, now)) / (arrive * slowed(speed(to, sight.received)));
                worst[2] = worst[2].max((ratio - sight.frequency_ratio).abs());
                assert!((sight.doppler_hz(8.4e9) - 8.4e9 * (sight.frequency_ratio - 1.0)).abs() < 1e-3);
            }
        }
    }
    println!("light time {:e} s, range rate {:e} km/s, Doppler {:e}", worst[0], worst[1], worst[2]);
    // A second's curve: third derivatives of 1e-5 km/s³.
    assert!(worst[0] < 1e-9 && worst[1] < 2e-5 && worst[2] < 1e-10, "{worst:?}");
}

/// On and about every body, turning forwards or backwards.
#[test]
fn velocities_are_how_positions_change() {
    let geometry = geometry();
    for body in Body::ALL {
        let height = 0.1 * body.equatorial_radius_km();
        for place in [Place::Center(body), site(body, 40.0, 100.0), circular(body, height, 120.0)] {
            for k in 0..10 {
                let now = at(f64::from(k) * 9_999.0);
                let half = Duration::from_millis(500);
                let [before, after] = [now - half, now + half].map(|t| geometry.position_km(&place, t).unwrap());
                let velocity = geometry.velocity_km_s(&place, now).unwrap();
                let off = (0..3).map(|k| (after[k] - before[k] - velocity[k]).powi(2)).sum::<f64>().sqrt();
                // Half a second's curve (5e-6 km at the Sun), rounding at 30 au, and what a year does to a turn.
                assert!(off < 6e-6, "{place:?}: {off}");
            }
        }
    }
}

#[test]
fn what_hides_is_told() {
    let geometry = geometry();
    let (mars, earth) = (Place::Center(Body::Mars), Place::Center(Body::Earth));
    let (orbiter, station) = (circular(Body::Mars, 400.0, 93.0), site(Body::Earth, 35.0, -117.0));
    let rules = Visibility { occulters: vec![Body::Mars], ..Visibility::default() };
    let told = |from: &Place, to: &Place, rules: &Visibility| {
        let all: Vec<_> = (0..144).map(|k| geometry.hidden_by(from, to, rules, at(f64::from(k) * 600.0))).collect();
        for (k, hidden) in all.iter().enumerate() {
            let sight = geometry.sight(from, to, rules, at(k as f64 * 600.0)).unwrap();
            assert_eq!(sight.hidden_by, *hidden);
        }
        let mut kinds: Vec<_> = all.into_iter().flatten().collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    assert_eq!(told(&orbiter, &earth, &rules), [Obstacle::Body(Body::Mars)]);
    let below = Obstacle::Horizon(End::Receiver);
    assert_eq!(told(&orbiter, &station, &rules), [below, Obstacle::Body(Body::Mars)]);
    assert_eq!(told(&station, &mars, &rules), [Obstacle::Horizon(End::Transmitter)]);
    let short = Visibility { max_range_km: Some(1e6), ..Visibility::default() };
    assert_eq!(told(&mars, &earth, &short), [Obstacle::Range]);
    let mut shy = Visibility::default();
    shy.receiver.keep_out = vec![KeepOut { body: Body::Mars, angle_deg: 1.0 }];
    assert_eq!(told(&mars, &earth, &shy), [Obstacle::KeepOut(End::Receiver, Body::Mars)]);
    assert_eq!(Obstacle::Body(Body::Mars).to_string(), "Mars");
}

/// A satellite due south of a site on the equator's north, straight above the same meridian: azimuth 180°. And the Sun's angle
/// is that of the three positions.
#[test]
fn azimuth_and_the_angle_to_the_sun_are_those_of_the_positions() {
    let geometry = geometry();
    let station = site(Body::Earth, 40.0, 10.0);
    let Place::Site(Site { body, longitude_deg, .. }) = station.clone() else { unreachable!() };
    for (latitude_deg, east, azimuth) in
        [(35.0, 0.0, 180.0), (45.0, 0.0, 0.0), (39.97, 3.0, 90.0), (39.97, -3.0, 270.0)]
    {
        let above = Place::Site(Site { body, latitude_deg, longitude_deg: longitude_deg + east, altitude_km: 2000.0 });
        for (from, to) in [(&above, &station), (&station, &above)] {
            let sight = geometry.sight(from, to, &Visibility::default(), at(0.0)).unwrap();
            let end = if from == &station { sight.transmitter } else { sight.receiver };
            let off = (end.azimuth_deg.unwrap() - azimuth + 180.0).rem_euclid(360.0) - 180.0;
            assert!(off.abs() < 1.0, "{latitude_deg} {east}: {end:?}");
            assert!(end.elevation_deg.unwrap() > 60.0);
        }
    }

    let (mars, earth, sun) = (Place::Center(Body::Mars), Place::Center(Body::Earth), Place::Center(Body::Sun));
    let sight = geometry.sight(&mars, &earth, &Visibility::default(), at(0.0)).unwrap();
    let here = geometry.position_km(&earth, sight.received).unwrap();
    let line = |p: [f64; 3]| [p[0] - here[0], p[1] - here[1], p[2] - here[2]];
    let a = line(geometry.position_km(&mars, sight.emitted).unwrap());
    let b = line(geometry.position_km(&sun, sight.received).unwrap());
    let cos = (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / (length(a) * length(b));
    assert!((sight.receiver.sun_angle_deg.unwrap() - cos.acos().to_degrees()).abs() < 1e-6);
    let to_sun = geometry.sight(&earth, &sun, &Visibility::default(), at(0.0)).unwrap();
    assert_eq!(to_sun.receiver.sun_angle_deg, None);
    assert!(to_sun.transmitter.sun_angle_deg.unwrap() < 0.01);
}

fn total(list: &[farlink_channel_models::Interval]) -> f64 {
    list.iter().map(|i| i.duration().as_secs_f64()).sum()
}

/// At the equinox a stationary satellite is in the Earth's shadow once a day. The umbra is a cylinder of the Earth's width
/// that narrows by the Sun's: half the shadow's angle is asin(R/r) less the Sun's radius, 0.267°.
#[test]
fn a_stationary_satellite_is_eclipsed_at_the_equinox() {
    let geometry = Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 3, 20));
    let satellite = circular(Body::Earth, 42_164.0 - 6378.14, 0.0);
    let Eclipses { penumbra, umbra } = geometry.eclipses(&satellite, &[Body::Earth], at(0.0), at(86_400.0));
    assert_eq!((penumbra.len(), umbra.len()), (1, 1), "{penumbra:?} {umbra:?}");
    // The satellite turns by 360° a sidereal day, the Sun by 360° a year.
    let pace = 360.0 / 86_164.1 - 360.0 / (365.25 * 86_400.0);
    let half = (6378.14_f64 / 42_164.0).asin().to_degrees();
    let (outer, inner) = (2.0 * (half + 0.2665) / pace, 2.0 * (half - 0.2665) / pace);
    println!("penumbra {:.1} s, umbra {:.1} s; {outer:.1} and {inner:.1} by hand", total(&penumbra), total(&umbra));
    // The Sun is within half a degree of the equator's plane, which shortens both by at most a thousandth.
    assert!((total(&penumbra) / outer - 1.0).abs() < 3e-3 && (total(&umbra) / inner - 1.0).abs() < 3e-3);
    assert!(penumbra[0].start < umbra[0].start && umbra[0].end < penumbra[0].end);
    let lit = |t| geometry.sunlit(&satellite, &[Body::Earth], t).unwrap();
    let nudge = Duration::from_millis(1);
    assert!(lit(penumbra[0].start - nudge) == 1.0 && lit(umbra[0].start + nudge) == 0.0);
    let middle = penumbra[0].start + Duration::from_nanos((umbra[0].start - penumbra[0].start).as_nanos() / 2);
    assert!((lit(middle) - 0.5).abs() < 0.01, "{}", lit(middle));
    // In June it never is.
    let geometry = Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 6, 20));
    let none = geometry.eclipses(&satellite, &[Body::Earth], at(0.0), at(86_400.0));
    assert_eq!(none, Eclipses::default());
}

#[test]
fn eclipses_are_where_the_sunlit_part_changes() {
    let geometry = geometry();
    let cases = [
        circular(Body::Earth, 420.0, 51.6),
        circular(Body::Earth, 900.0, 99.0),
        circular(Body::Mars, 400.0, 93.0),
        circular(Body::Saturn, 20_000.0, 10.0),
        site(Body::Earth, 40.0, 10.0),
        site(Body::Mars, -4.6, 137.4),
    ];
    let bodies = [Body::Earth, Body::Mars, Body::Saturn];
    for place in &cases {
        let (start, end) = (at(0.0), at(90_000.0));
        let Eclipses { penumbra, umbra } = geometry.eclipses(place, &bodies, start, end);
        let mut seen = [0; 3];
        for k in 0..9000 {
            let now = at(f64::from(k) * 10.0 + 0.3);
            let lit = geometry.sunlit(place, &bodies, now).unwrap();
            let within = |list: &[farlink_channel_models::Interval]| list.iter().any(|i| i.contains(now));
            assert_eq!((lit < 1.0, lit == 0.0), (within(&penumbra), within(&umbra)), "{place:?} {now}: {lit}");
            seen[if lit == 1.0 {
                0
            } else if lit == 0.0 {
                1
            } else {
                2
            }] += 1;
        }
        println!("{seen:?} {place:?}");
        assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    }
}

#[test]
fn nothing_but_the_bodies_named_covers_the_sun() {
    let geometry = geometry();
    let satellite = circular(Body::Earth, 420.0, 51.6);
    assert_eq!(geometry.eclipses(&satellite, &[Body::Venus, Body::Sun], at(0.0), at(86_400.0)), Eclipses::default());
    let earth = Place::Center(Body::Earth);
    assert_eq!(geometry.sunlit(&earth, &Body::ALL, at(0.0)), Ok(1.0));
}
