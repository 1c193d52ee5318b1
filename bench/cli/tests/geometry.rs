//! `farlink geometry`: what two places are for each other.
#![allow(missing_docs)]

mod common;

use common::*;
use serde_json::Value;

const MARS: &str = "scenarios/mars-relay.yaml";

fn geometry(arguments: &[&str]) -> (i32, String, String) {
    finish(farlink().arg("geometry").args(arguments))
}

fn refused(arguments: &[&str], words: &[&str]) {
    let (code, stdout, stderr) = geometry(arguments);
    assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{arguments:?}: `{word}` is not in: {stderr}");
    }
}

/// The lines of a CSV file by the names of its columns.
fn csv(text: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a line of names").split(',').collect();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), names.len(), "{line}");
        names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect()
    };
    lines.map(row).collect()
}

fn number(row: &std::collections::BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|error| panic!("{column} of {row:?}: {error}"))
}

#[test]
fn bodies_need_no_scenario() {
    let (code, stdout, stderr) = geometry(&["mars", "earth", "--at", "2031-04-12T06:00:00Z", "--format", "json"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let lines: Value = serde_json::from_str(&stdout).unwrap();
    let [line] = &lines.as_array().unwrap()[..] else { panic!("one instant: {lines}") };
    // Skyfield with DE421 gives 318.117 s for light that leaves Mars then.
    assert!((line["light_time_s"].as_f64().unwrap() - 318.117).abs() < 0.001, "{line}");
    let (range, lt) = (line["range_km"].as_f64().unwrap(), line["light_time_s"].as_f64().unwrap());
    assert!((range / 299_792.458 - lt).abs() < 1e-6, "{line}");
    assert_eq!(line["visible"], "yes");
    assert!(line["to_elevation_deg"].is_null(), "the centre of the Earth has no horizon");
}

#[test]
fn a_pass_is_told_with_the_rules_of_its_link() {
    let scenario = fixture(MARS);
    let scenario = scenario.to_str().unwrap();
    let over = ["--at", "2026-12-15T06:00:00Z", "--for", "2h", "--every", "15min", "--format", "csv"];
    let (code, stdout, stderr) =
        geometry(&[&["relay-orbit", "goldstone", "--scenario", scenario][..], &over[..]].concat());
    assert_eq!((code, stderr.as_str()), (0, ""));
    let rows = csv(&stdout);
    assert_eq!(rows.len(), 9);
    // The mask of that link is 10 degrees, and Mars hides the orbiter in each revolution.
    assert_eq!(rows[3]["visible"], "no: below the horizon of to");
    assert!((7.0..10.0).contains(&number(&rows[3], "to_elevation_deg")), "{:?}", rows[3]);
    assert_eq!(rows[4]["visible"], "yes");
    assert_eq!(rows[8]["visible"], "no: hidden by mars");
    // It is night in California, whatever the rules of the link say about the Earth.
    assert_eq!(number(&rows[0], "to_sunlit"), 0.0);
    // Range rate and Doppler go together, and the range follows its rate.
    for pair in rows.windows(2) {
        let rate = number(&pair[0], "range_rate_km_s");
        let doppler = number(&pair[0], "doppler_hz");
        // Both ends move at 1e-4 of the speed of light, which is seen in the second order.
        assert!((doppler / 8.42e9 * 299_792.458 + rate).abs() < 0.01, "{rate} {doppler}");
        let moved = (number(&pair[1], "range_km") - number(&pair[0], "range_km")) / 900.0;
        let mean = (rate + number(&pair[1], "range_rate_km_s")) / 2.0;
        assert!((moved - mean).abs() < 0.5, "{moved} {mean}");
    }
    // The way back has the same rules, with the parts of the ends changed.
    let (_, back, _) = geometry(&[&["station", "orbiter", "--scenario", scenario][..], &over[..]].concat());
    assert_eq!(csv(&back)[0]["visible"], "no: below the horizon of from");
    // A flag comes before the rules of the link.
    let lower = ["--elevation-mask", "5deg", "--occulted-by", "none"];
    let (_, stdout, _) =
        geometry(&[&["relay-orbit", "goldstone", "--scenario", scenario][..], &over[..], &lower[..]].concat());
    let rows = csv(&stdout);
    assert_eq!((rows[3]["visible"].as_str(), rows[8]["visible"].as_str()), ("yes", "yes"));
}

#[test]
fn a_table_leaves_out_what_an_end_cannot_have() {
    let (code, stdout, _) = geometry(&["moon", "earth", "--at", "2031-04-12T06:00:00Z"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("light_time_s") && !stdout.contains("elevation"), "{stdout}");
}

#[test]
fn a_mistake_is_told_with_what_would_be_right() {
    let at = ["--at", "2031-04-12T06:00:00Z"];
    let with = |more: &[&'static str]| [&["mars", "earth"][..], &at[..], more].concat();
    refused(&["mars", "earth"], &["no instant is given", "--at 2031-04-12T06:00:00Z"]);
    refused(&["mars", "mars", "--at", "2031-04-12T06:00:00Z"], &["the same place"]);
    refused(&["mars", "pluto", "--at", "2031-04-12T06:00:00Z"], &["no place `pluto`", "neptune", "--scenario FILE"]);
    refused(&["mars", "earth", "--at", "yesterday"], &["not a UTC time", "2026-12-15T00:00:00Z"]);
    refused(&["mars", "earth", "--at", "2031-02-30T06:00:00Z"], &["the calendar has no such time"]);
    refused(&["mars", "earth", "--at", "9999-01-01T00:00:00Z"], &["not between 1900 and 2100"]);
    refused(&with(&["--for", "1d"]), &["--every"]);
    refused(&with(&["--for", "1d", "--every", "0s"]), &["`--every` is 0 s", "10min"]);
    refused(&with(&["--for", "1d", "--every", "10"]), &["has no unit"]);
    refused(&with(&["--frequency", "8420"]), &["has no unit", "GHz"]);
    refused(&with(&["--occulted-by", "vulcan"]), &["no body `vulcan`", "mercury"]);
    refused(&with(&["--elevation-mask", "91deg"]), &["elevation_mask_deg", "from -90 to 90"]);
    let scenario = fixture(MARS);
    let scenario = scenario.to_str().unwrap();
    refused(&["lander", "nowhere", "--scenario", scenario], &["no place `nowhere`", "husband-hill", "lander"]);
    refused(&["lander", "station", "--scenario", "/not/there.yaml"], &["/not/there.yaml"]);
}

#[test]
fn a_reader_who_has_seen_enough_ends_it() {
    let command = format!(
        "{FARLINK} geometry mars earth --at 2031-04-12T06:00:00Z --for 3650d --every 1s --format csv | head -n 3 | wc -l"
    );
    let (code, stdout, stderr) = finish(std::process::Command::new("sh").args(["-c", &command]));
    assert_eq!((code, stdout.trim(), stderr.as_str()), (0, "3", ""));
}
