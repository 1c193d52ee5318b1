//! Against Skyfield with DE421, which shares neither code nor data with this crate. The golden files are in
//! `fixtures/golden/geometry`, with the scripts that made them and the definition of every column. With the environment variable
//! `FARLINK_GOLDEN_GEOMETRY` the files of another folder are used, drawn with another seed.

use std::collections::BTreeMap;
use std::str::FromStr;

use farlink_channel_models::{Body, Geometry, Interval, Orbit, Place, Site, Visibility};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

const EARTH: Place = Place::Center(Body::Earth);
const MARS: Place = Place::Center(Body::Mars);
const MOON: Place = Place::Center(Body::Moon);

/// The greatest difference seen, of each kind, with where it was.
#[derive(Default)]
struct Worst(BTreeMap<String, (f64, String)>);

impl Worst {
    fn take(&mut self, kind: &str, difference: f64, at: impl FnOnce() -> String) {
        assert!(difference.is_finite(), "{kind} at {}: {difference}", at());
        if self.0.get(kind).is_none_or(|(most, _)| difference.abs() > *most) {
            self.0.insert(kind.to_owned(), (difference.abs(), at()));
        }
    }

    /// Prints all and holds each to its bound.
    fn within(&self, unit: &str, bounds: &[(&str, f64)]) {
        for (kind, (most, at)) in &self.0 {
            println!("worst {kind}: {most:.6} {unit} at {at}");
        }
        assert_eq!(self.0.len(), bounds.len(), "what was measured and what has a bound");
        for (kind, bound) in bounds {
            let (most, at) = &self.0[*kind];
            assert!(most <= bound, "{kind} is off by {most} {unit} at {at}; the bound is {bound} {unit}");
        }
    }
}

/// A row of a golden file: what stands under each heading.
type Row = BTreeMap<String, String>;

fn golden_path(name: &str) -> String {
    let folder = std::env::var("FARLINK_GOLDEN_GEOMETRY")
        .unwrap_or_else(|_| format!("{}/../fixtures/golden/geometry", env!("CARGO_MANIFEST_DIR")));
    format!("{folder}/{name}")
}

/// The rows of a golden file, of which there must be `least`.
fn golden(name: &str, least: usize) -> Vec<Row> {
    let path = golden_path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let header: Vec<String> = lines.next().unwrap_or_else(|| panic!("{path} is empty")).collect();
    let rows: Vec<Row> = lines.map(|cells| header.iter().cloned().zip(cells).collect()).collect();
    assert!(rows.len() >= least, "{path} has {} rows, not {least}", rows.len());
    rows
}

fn epoch(utc: &str) -> Epoch {
    Epoch::from_str(&format!("{utc} UTC")).unwrap_or_else(|e| panic!("{utc}: {e}"))
}

fn number(row: &Row, key: &str) -> f64 {
    row[key].parse().unwrap_or_else(|e| panic!("{key} in {row:?}: {e}"))
}

fn site(row: &Row, body: Body) -> Site {
    Site {
        body,
        latitude_deg: number(row, "latitude_deg"),
        longitude_deg: number(row, "longitude_deg"),
        altitude_km: number(row, "altitude_km"),
    }
}

/// The solar system under test, and the time that it stands for.
struct Sky(Geometry, [Epoch; 2]);

impl Sky {
    /// The rows of a golden file that are within the time of this sky.
    fn rows(&self, name: &str, least: usize) -> Vec<Row> {
        let within = |row: &Row| (self.1[0]..=self.1[1]).contains(&epoch(&row["utc"]));
        let rows: Vec<Row> = golden(name, least).into_iter().filter(within).collect();
        println!("{} rows of {name}", rows.len());
        assert!(!rows.is_empty(), "no row of {name} is within {:?}", self.1);
        rows
    }

    fn instant(&self, utc: &str) -> Instant {
        // In TAI: a difference of UTC epochs would leave out leap seconds.
        let since = epoch(utc).to_tai_duration() - self.0.epoch().to_tai_duration();
        Instant::from_nanos(i64::try_from(since.total_nanoseconds()).expect("within 292 years"))
    }

    /// When light must leave `from` to be at `to` at `received`.
    fn emission(&self, from: &Place, to: &Place, received: Instant) -> Instant {
        let mut emitted = received;
        for _ in 0..5 {
            emitted = received - self.0.light_time(from, to, emitted).unwrap();
        }
        emitted
    }

    /// How high at `site` the light of `source` is seen that arrives at `received`.
    fn sight_deg(&self, site: &Site, source: &Place, received: Instant) -> f64 {
        let emitted = self.emission(source, &Place::Site(site.clone()), received);
        self.0.elevation_deg(site, self.0.position_km(source, emitted).unwrap(), received)
    }

    /// How high `site` must point at `emitted` to reach `target`.
    fn aim_deg(&self, site: &Site, target: &Place, emitted: Instant) -> f64 {
        let lt = self.0.light_time(&Place::Site(site.clone()), target, emitted).unwrap();
        self.0.aim_elevation_deg(site, self.0.position_km(target, emitted + lt).unwrap(), emitted)
    }

    /// How many seconds the nearest edge of a contact is after `wanted`, the golden instant of reception.
    ///
    /// The golden times are of reception; contacts are in time of emission.
    fn edge_error_s(
        &self,
        from: &Place,
        to: &Place,
        rules: &Visibility,
        wanted: Instant,
        edge: fn(&Interval) -> Instant,
    ) -> f64 {
        let about = self.emission(from, to, wanted);
        let around = Duration::from_secs(1200);
        let contacts = self.0.contacts(from, to, rules, about - around, about + around);
        let errors =
            contacts.iter().map(edge).map(|at| (at + self.0.light_time(from, to, at).unwrap() - wanted).as_secs_f64());
        errors.min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::INFINITY)
    }
}

/// The built-in ephemeris, from the epoch on which [`Instant::ZERO`] stands.
fn built_in(utc: &str) -> Sky {
    Sky(Geometry::new(epoch(utc)), [epoch(Y2000), epoch("2050-01-01T00:00:00")])
}

const Y2000: &str = "2000-01-01T00:00:00";

fn light_times(sky: &Sky) -> Worst {
    let mut worst = Worst::default();
    for row in &sky.rows("light_time.csv", 1000) {
        let at = sky.instant(&row["utc"]);
        for (name, place) in [("mars", &MARS), ("moon", &MOON)] {
            let left = sky.emission(place, &EARTH, at);
            let down =
                sky.0.light_time(place, &EARTH, left).unwrap().as_secs_f64() - number(row, &format!("{name}_down_s"));
            let up = sky.0.light_time(&EARTH, place, at).unwrap().as_secs_f64() - number(row, &format!("{name}_up_s"));
            worst.take(&format!("{name} to earth"), down * 1e3, || row["utc"].clone());
            worst.take(&format!("earth to {name}"), up * 1e3, || row["utc"].clone());
        }
    }
    worst
}

fn elevations(sky: &Sky) -> Worst {
    let mut worst = Worst::default();
    for row in &sky.rows("elevation.csv", 1000) {
        let (site, at) = (site(row, Body::Earth), sky.instant(&row["utc"]));
        for (name, place) in [("mars", &MARS), ("moon", &MOON)] {
            let seen = sky.sight_deg(&site, place, at) - number(row, &format!("{name}_apparent_deg"));
            let aimed = sky.aim_deg(&site, place, at) - number(row, &format!("{name}_aim_deg"));
            worst.take(&format!("{name} seen"), seen, || row["utc"].clone());
            worst.take(&format!("{name} aimed at"), aimed, || row["utc"].clone());
        }
    }
    worst
}

fn lunar_elevations(sky: &Sky) -> Worst {
    let mut worst = Worst::default();
    for row in &sky.rows("lunar_elevation.csv", 200) {
        let (site, at) = (site(row, Body::Moon), sky.instant(&row["utc"]));
        let seen = sky.sight_deg(&site, &EARTH, at) - number(row, "apparent_deg");
        let aimed = sky.aim_deg(&site, &EARTH, at) - number(row, "aim_deg");
        worst.take("seen", seen, || row["utc"].clone());
        worst.take("aimed at", aimed, || row["utc"].clone());
    }
    worst
}

fn rises_and_sets(sky: &Sky) -> Worst {
    let rules = Visibility { elevation_mask_deg: 10.0, occulters: Vec::new(), ..Visibility::default() };
    let mut worst = Worst::default();
    for row in &sky.rows("rise_set.csv", 100) {
        let (target, edge): (_, fn(&Interval) -> Instant) = (
            if row["target"] == "mars" { MARS } else { MOON },
            if row["event"] == "rise" { |c| c.start } else { |c| c.end },
        );
        let station = Place::Site(site(row, Body::Earth));
        let error = sky.edge_error_s(&target, &station, &rules, sky.instant(&row["utc"]), edge);
        worst.take(&row["target"], error, || row["utc"].clone());
    }
    worst
}

fn body(name: &str) -> Body {
    *Body::ALL.iter().find(|b| b.name().to_lowercase() == name).unwrap_or_else(|| panic!("no body {name}"))
}

fn hidden_by_the_moon(sky: &Sky) -> Worst {
    let rules = Visibility { elevation_mask_deg: -90.0, occulters: vec![Body::Moon], ..Visibility::default() };
    let mut worst = Worst::default();
    for row in &sky.rows("moon_hides.csv", 80) {
        let edge: fn(&Interval) -> Instant = if row["event"] == "begin" { |c| c.start } else { |c| c.end };
        let (target, station) = (Place::Center(body(&row["target"])), Place::Site(site(row, Body::Earth)));
        let error = sky.edge_error_s(&target, &station, &rules, sky.instant(&row["utc"]), edge);
        worst.take(&row["target"], error, || row["utc"].clone());
    }
    worst
}

fn orbiters_hidden(sky_at: impl Fn(&str) -> Sky) -> Worst {
    let mut worst = Worst::default();
    for row in &golden("body_hides.csv", 100) {
        // The elements hold at the start of the window.
        let sky = sky_at(&row["window_start_utc"]);
        let body = body(&row["body"]);
        let orbiter = Place::Orbit(Orbit {
            body,
            semi_major_axis_km: number(row, "a_km"),
            eccentricity: number(row, "e"),
            inclination_deg: number(row, "i_deg"),
            ascending_node_deg: number(row, "node_deg"),
            argument_of_periapsis_deg: number(row, "periapsis_deg"),
            mean_anomaly_deg: number(row, "mean_anomaly_deg"),
        });
        let rules = Visibility { elevation_mask_deg: -90.0, occulters: vec![body], ..Visibility::default() };
        let edge: fn(&Interval) -> Instant = if row["event"] == "begin" { |c| c.start } else { |c| c.end };
        let error = sky.edge_error_s(&orbiter, &EARTH, &rules, sky.instant(&row["utc"]), edge);
        worst.take(&row["body"], error, || row["utc"].clone());
    }
    worst
}

#[test]
fn light_times_of_mars_and_moon() {
    light_times(&built_in(Y2000)).within(
        "ms",
        &[("mars to earth", 0.1), ("earth to mars", 0.1), ("moon to earth", 0.001), ("earth to moon", 0.001)],
    );
}

#[test]
fn elevations_of_mars_and_moon() {
    elevations(&built_in(Y2000)).within(
        "deg",
        &[("mars seen", 0.001), ("mars aimed at", 0.001), ("moon seen", 0.001), ("moon aimed at", 0.001)],
    );
}

#[test]
fn elevations_of_the_earth_on_the_moon() {
    lunar_elevations(&built_in(Y2000)).within("deg", &[("seen", 0.01), ("aimed at", 0.01)]);
}

#[test]
fn mars_and_moon_rise_and_set() {
    rises_and_sets(&built_in(Y2000)).within("s", &[("mars", 0.5), ("moon", 0.5)]);
}

#[test]
fn the_moon_hides_sun_and_planets() {
    let bounds = ["sun", "mercury", "venus", "mars", "jupiter", "saturn"].map(|name| (name, 1.0));
    hidden_by_the_moon(&built_in(Y2000)).within("s", &bounds);
}

#[test]
fn mars_and_moon_hide_their_orbiters() {
    orbiters_hidden(built_in).within("s", &[("mars", 1.0), ("moon", 1.0)]);
}

/// The same with DE421 as an SPK file: what is left is rounding, UT1, and what is left out of apparent places.
#[cfg(feature = "spice")]
mod kernels {
    use std::sync::Arc;

    use farlink_channel_models::Kernels;

    use super::*;

    /// DE421 and its librations, from when the file in the golden folder begins to when it ends.
    fn de421() -> Sky {
        let read = |name| {
            let path = golden_path(name);
            (name, std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}")))
        };
        let kernels = Kernels::new(["de421.bsp", "moon_pa_de421.bpc"].map(read)).unwrap_or_else(|e| panic!("{e}"));
        let [begin, end] = kernels.spans(301)[0].map(Epoch::from_tdb_seconds);
        // A day for the light that comes and goes.
        let (begin, end) = (begin + hifitime::Unit::Day, end - hifitime::Unit::Day);
        let run = Duration::from_secs_f64((end - begin).to_seconds());
        let bodies =
            [Body::Sun, Body::Mercury, Body::Venus, Body::Earth, Body::Moon, Body::Mars, Body::Jupiter, Body::Saturn];
        let geometry = Geometry::with_kernels(begin, Arc::new(kernels), &bodies, run).unwrap_or_else(|e| panic!("{e}"));
        Sky(geometry, [begin, end])
    }

    #[test]
    fn light_times_of_mars_and_moon() {
        let bounds = ["mars to earth", "earth to mars", "moon to earth", "earth to moon"].map(|kind| (kind, 1e-4));
        light_times(&de421()).within("ms", &bounds);
    }

    #[test]
    fn elevations_of_mars_and_moon() {
        let bounds = ["mars seen", "mars aimed at", "moon seen", "moon aimed at"].map(|kind| (kind, 0.001));
        elevations(&de421()).within("deg", &bounds);
    }

    #[test]
    fn elevations_of_the_earth_on_the_moon() {
        lunar_elevations(&de421()).within("deg", &[("seen", 1e-5), ("aimed at", 1e-5)]);
    }

    #[test]
    fn mars_and_moon_rise_and_set() {
        rises_and_sets(&de421()).within("s", &[("mars", 0.2), ("moon", 0.2)]);
    }

    #[test]
    fn the_moon_hides_sun_and_planets() {
        let worst = hidden_by_the_moon(&de421());
        // A short file has not every planet.
        let bounds: Vec<(&str, f64)> = worst.0.keys().map(|kind| (kind.as_str(), 0.2)).collect();
        worst.within("s", &bounds);
    }
}
