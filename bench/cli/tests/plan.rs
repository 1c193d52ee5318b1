//! `farlink plan`: the plan of a scenario, other programs' plans, and timers.
#![allow(missing_docs)]

mod common;

use std::path::Path;

use common::*;
use serde_json::Value;

const MARS: &str = "scenarios/mars-relay.yaml";

fn plan(arguments: &[&str]) -> (i32, String, String) {
    finish(farlink().arg("plan").args(arguments))
}

fn mars() -> String {
    fixture(MARS).display().to_string()
}

fn refused(arguments: &[&str], words: &[&str]) {
    let (code, stdout, stderr) = plan(arguments);
    assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{arguments:?}: `{word}` is not in: {stderr}");
    }
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn the_plan_of_a_scenario_is_a_table_and_a_time_line() {
    let (code, stdout, stderr) = plan(&[&mars()]);
    assert_eq!(code, 0, "{stderr}");
    let rows: Vec<&str> = stdout.lines().filter(|line| line.starts_with("ipn:") && line.contains("bit/s")).collect();
    assert_eq!(rows.len(), 22, "{stdout}");
    assert!(rows[0].starts_with("ipn:10.0  ipn:20.0  2026-12-15T00:17:27Z  2026-12-15T00:33:33Z"), "{}", rows[0]);
    assert!(rows.iter().any(|row| row.contains("ipn:30.0  ipn:20.0") && row.contains("525.4 s")), "{stdout}");
    for direction in ["ipn:10.0 → ipn:20.0", "ipn:20.0 → ipn:30.0", "ipn:30.0 → ipn:20.0"] {
        assert!(stdout.lines().any(|line| line.starts_with(direction) && line.contains('█')), "{direction}");
    }
}

/// What a run of the scenario opens is what the plan says.
#[test]
fn the_plan_is_what_a_run_does() {
    let temp = tempfile::tempdir().unwrap();
    let (code, ..) = run_scenario(&fixture(MARS), temp.path(), &[]);
    assert_eq!(code, 0);
    let (header, _) = recording(temp.path());
    let (code, stdout, _) = plan(&[&mars(), "--format", "json"]);
    assert_eq!(code, 0);
    let native: Value = serde_json::from_str(&stdout).unwrap();
    let planned = native["contacts"].as_array().unwrap().len();
    assert_eq!(planned, header.channels.iter().map(|channel| channel.contacts.len()).sum::<usize>());
}

#[test]
fn a_plan_goes_to_each_format_and_back() {
    let temp = tempfile::tempdir().unwrap();
    for (format, local) in
        [("ion", None), ("hdtn", None), ("tvg-util", None), ("farlink", None), ("hardy", Some("ipn:20.0"))]
    {
        let path = temp.path().join(format).display().to_string();
        let mut arguments =
            vec!["convert".to_owned(), mars(), "--to".into(), format.into(), "--output".into(), path.clone()];
        let mut back = vec![path, "--from".into(), format.into()];
        if let Some(local) = local {
            arguments.extend(["--local".into(), local.into()]);
            back.extend(["--of".into(), local.into()]);
        }
        let (code, stdout, stderr) = finish(farlink().arg("plan").args(&arguments));
        assert_eq!((code, stdout.as_str()), (0, ""), "{format}: {stderr}");
        // ION and HDTN know whole light-seconds, so something must be said to be lost; our own format loses nothing.
        assert_eq!(stderr.contains("lost: "), format != "farlink", "{format}: {stderr}");
        let (code, stdout, stderr) = finish(farlink().arg("plan").args(&back));
        assert_eq!(code, 0, "{format}: {stderr}");
        let contacts = stdout.lines().filter(|line| line.contains("bit/s")).count();
        // A plan of hardy tells one node's contacts; light time that varies is cut into several contacts or ranges.
        assert!(contacts >= if local.is_some() { 13 } else { 22 }, "{format}: {stdout}");
    }
}

#[test]
fn an_ion_file_in_the_wrong_unit_is_warned_of() {
    let temp = tempfile::tempdir().unwrap();
    // Bits per second where ION counts bytes, and a fraction of a light-second that ION would cut off.
    let path = written(temp.path(), "plan.ionrc", "a contact +0 +3600 2 3 256000\na range +0 +3600 2 3 7\n");
    let (code, _, stderr) = plan(&["convert", &path, "--to", "hdtn"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("plan.ionrc: line 1") && stderr.contains("ION reads bytes per second"), "{stderr}");
    let fraction = written(temp.path(), "fraction.ionrc", "a contact +0 +3600 2 3 125000\na range +0 +3600 2 3 1.25\n");
    let (_, _, stderr) = plan(&["convert", &fraction, "--to", "hdtn"]);
    assert!(stderr.contains("line 2") && stderr.contains("`1.25` has a fraction"), "{stderr}");
}

#[test]
fn a_satellite_becomes_a_plan_with_a_site() {
    let temp = tempfile::tempdir().unwrap();
    let tle = "ISS (ZARYA)\n\
        1 25544U 98067A   08264.51782528 -.00002182  00000-0 -11606-4 0  2927\n\
        2 25544  51.6416 247.4627 0006703 130.5360 325.0288 15.72125391563537\n";
    let path = written(temp.path(), "iss.tle", tle);
    let common = [
        "--to",
        "ion",
        "--epoch",
        "2008-09-21T00:00:00Z",
        "--for",
        "1d",
        "--rate",
        "2Mbit/s",
        "--return-rate",
        "64kbit/s",
    ];
    let site = ["--site", "ipn:30.0=40.43,-4.25,0.8km", "--name", "ISS (ZARYA)=ipn:20.0", "--elevation-mask", "10deg"];
    let (code, stdout, stderr) = plan(&[&["convert", path.as_str()][..], &common[..], &site[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    let down = stdout.lines().filter(|line| line.starts_with("a contact") && line.contains(" 20 30 250000")).count();
    let up = stdout.lines().filter(|line| line.starts_with("a contact") && line.contains(" 30 20 8000")).count();
    assert!((3..=7).contains(&down) && down == up, "{down} {up}: {stdout}");
    refused(&[&["convert", path.as_str()][..], &common[..]].concat(), &["nobody sees", "--site"]);
    let bare = ["convert", path.as_str(), "--to", "ion", "--site", "ipn:30.0=40.43,-4.25"];
    refused(&bare, &["--epoch", "--for", "--rate"]);
    refused(&[&["convert", path.as_str()][..], &common[..], &["--site", "x=95,0"]].concat(), &["`95` is no angle"]);
    refused(
        &[&["convert", path.as_str()][..], &common[..], &site[..2], &["--name", "MIR=ipn:1.0"]].concat(),
        &["holds no `MIR`", "ISS"],
    );
    refused(&[path.as_str()], &["a trajectory alone is no plan"]);
    let damaged = written(temp.path(), "damaged.tle", &tle.replace("2927", "2928"));
    refused(
        &[&["convert", damaged.as_str()][..], &common[..], &site[..]].concat(),
        &["damaged.tle", "line 2", "checksum"],
    );
}

#[test]
fn timers_are_derived_for_each_stack() {
    for (stack, words) in [
        ("ion", &["a span 30 980", "queuing_latency", "1066.25"][..]),
        ("hdtn", &["oneWayLightTimeMs", "525455"][..]),
        ("builtin", &["light-time", "response-margin"][..]),
    ] {
        let (code, stdout, stderr) =
            plan(&["timers", &mars(), "--local", "ipn:20.0", "--peer", "ipn:30.0", "--stack", stack]);
        assert_eq!(code, 0, "{stderr}");
        for word in words {
            let spelled = stdout.contains(word) || stdout.contains(&word.replace('-', "_"));
            assert!(spelled, "{stack}: `{word}` is not in {stdout}");
        }
    }
    let (code, stdout, _) =
        plan(&["timers", &mars(), "--local", "ipn:20.0", "--peer", "ipn:30.0", "--stack", "hdtn", "--format", "json"]);
    assert_eq!(code, 0);
    let settings: Value = serde_json::from_str(&stdout).unwrap();
    assert!(settings["settings"].as_array().unwrap().iter().all(|s| s["from"].as_str().is_some_and(|f| !f.is_empty())));
    refused(
        &["timers", &mars(), "--local", "ipn:20.0", "--peer", "ipn:99.0", "--stack", "ion"],
        &["no contact leads from ipn:20.0 to ipn:99.0"],
    );
}

#[test]
fn a_link_budget_is_shown_term_by_term_along_each_pass() {
    let scenario = fixture("scenarios/leo-pass.yaml").display().to_string();
    let channel = ["--from", "space-station", "--to", "ground"];
    let with = |more: &[&'static str]| plan(&[&["budget", scenario.as_str()][..], &channel[..], more].concat());
    let (code, stdout, stderr) = with(&["--every", "1min", "--format", "json"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let budgets: Value = serde_json::from_str(&stdout).unwrap();
    let budgets = budgets.as_array().unwrap();
    // Two passes of four and nine minutes.
    assert!((14..=20).contains(&budgets.len()), "{}", budgets.len());
    for budget in budgets {
        let value = |name: &str| budget[name].as_f64().unwrap_or_else(|| panic!("{name} in {budget}"));
        // Free space from range and frequency, and the sums from their terms.
        let free = -20.0 * (4.0 * std::f64::consts::PI * value("range [km]") * 1e3 * 2.25e9 / 299_792_458.0).log10();
        assert!((value("free space [dB]") - free).abs() < 0.001, "{budget}");
        assert!((value("EIRP [dBW]") - (-3.0103 - 1.5)).abs() < 0.001, "{budget}");
        let margin = value("Eb/N0 at the decoder [dB]") + value("required Eb/N0 [dB]");
        assert!((value("margin [dB]") - margin).abs() < 0.001 && margin > 2.99, "the rate keeps 3 dB: {budget}");
    }
    let (_, text, _) = with(&[]);
    for line in ["+ free space", "+ atmosphere", "= C/N0", "= margin"] {
        assert_eq!(text.matches(line).count(), 10, "two passes, five instants each: {line} in {text}");
    }
    let (_, csv, _) = with(&["--format", "csv"]);
    assert!(csv.starts_with("utc,") && csv.lines().count() == 1 + 10, "{csv}");
    refused(&["budget", &scenario, "--from", "ground", "--to", "space-station"], &["has no radio", "radio:"]);
    refused(&["budget", &scenario, "--from", "ground", "--to", "moon"], &["no node `moon`", "space-station"]);
    refused(&["budget", &mars(), "--from", "lander", "--to", "station"], &["no link leads from `lander` to `station`"]);
    refused(&[&["budget", scenario.as_str()][..], &channel[..], &["--every", "0s"]].concat(), &["`--every` is 0 s"]);
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let temp = tempfile::tempdir().unwrap();
    let ion = |name: &str, text: &str| written(temp.path(), name, text);
    refused(&["/not/there.ionrc"], &["cannot read /not/there.ionrc"]);
    refused(&[&ion("what", "hello\n")], &["neither name nor content tells", "--from"]);
    refused(&[&ion("end.ionrc", "a contact +3600 +0 2 3 125000\n")], &["end.ionrc", "line 1"]);
    refused(&[&ion("nan.ionrc", "a contact +0 +3600 2 3 125000\na contact +0 +NaN 2 3 1\n")], &["line 2"]);
    refused(&[&ion("year.ionrc", "a contact 9999/13/40-00:00:00 +3600 2 3 1\n")], &["line 1"]);
    refused(&[&ion("broken.json", "{\"contacts\":[\n{\"contact\":")], &["broken.json", "line 2"]);
    #[cfg(not(feature = "spice"))]
    refused(
        &["convert", &fixture("golden/geometry/orbiters.bsp").display().to_string(), "--to", "ion", "--site", "a=0,0"],
        &["orbiters.bsp", "--features spice"],
    );
    refused(&["convert", &mars(), "--to", "cbor"], &["no format of contact plans", "hardy"]);
    refused(&["convert", &mars(), "--to", "hardy"], &["the format tells contacts of one node"]);
    refused(&["convert", &mars(), "--to", "ion", "--output", "/not/there/plan"], &["cannot write /not/there/plan"]);
    refused(&[], &["SCENARIO"]);
}

#[cfg(feature = "spice")]
#[test]
fn a_spacecraft_in_a_kernel_becomes_a_plan_with_a_site() {
    let kernel = fixture("golden/geometry/orbiters.bsp").display().to_string();
    let planets = fixture("golden/geometry/de421.bsp").display().to_string();
    refused(
        &["convert", &kernel, "--to", "ion", "--site", "a=0,0"],
        &["orbiters.bsp", "no spacecraft has a place in it", "--kernel"],
    );
    let (code, stdout, stderr) = plan(&[
        "convert",
        &kernel,
        "--kernel",
        &planets,
        "--to",
        "farlink",
        "--epoch",
        "2027-08-02T01:00:00Z",
        "--for",
        "20h",
        "--rate",
        "2Mbit/s",
        "--site",
        "ipn:30.0=35.4,-116.9,1km",
        "--elevation-mask",
        "10deg",
    ]);
    assert_eq!(code, 0, "{stderr}");
    let native: Value = serde_json::from_str(&stdout).unwrap();
    let of = |name: &str| native["contacts"].as_array().unwrap().iter().filter(|c| c["from"] == name).count();
    // One circles the Moon and one Mars; both are behind their bodies once in a while, and below the horizon half a day.
    assert!(of("-901") >= 3 && of("-902") >= 1, "{stdout}");
}

/// A scenario that sends nothing can be planned, and says so when it is to be run.
#[test]
fn a_scenario_without_traffic_is_planned_but_not_run() {
    let temp = tempfile::tempdir().unwrap();
    let silent = changed(MARS, temp.path(), |text| text[..text.find("traffic:").unwrap()].to_owned());
    let (code, stdout, stderr) = plan(&[&silent.display().to_string()]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("ipn:30.0"), "{stdout}");
    let (code, _, stderr) = run_scenario(&silent, &temp.path().join("run"), &[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("sends nothing") && stderr.contains("traffic:"), "{stderr}");
}
