use farlink_emulated_link::{End, Pace};

use crate::bench::Bench;
use crate::common::finish;

#[test]
fn the_ends_of_links_are_listed_with_what_names_them() {
    let bench = Bench::new();
    assert!(bench.met(&["devices"]).contains("none; serve a link with `farlink sdr emulate`"));
    let moon = bench.serve("moon", Pace::Wall);
    let _mars = bench.serve("mars", Pace::Samples);
    let _taken = bench.open(&moon, End::A);
    let text = bench.met(&["devices"]);
    let line = |device: &str| {
        let found = text.lines().find(|line| line.starts_with(device));
        found.unwrap_or_else(|| panic!("no {device}: {text}")).to_owned()
    };
    assert!(line("driver=farlink,link=moon,end=a").contains("in use  pace wall, 1 kHz to 64 MHz"), "{text}");
    assert!(line("driver=farlink,link=moon,end=b").contains("free    pace wall"), "{text}");
    assert!(line("driver=farlink,link=mars,end=b").contains("pace samples"), "{text}");

    let json = bench.met_as_json(&["devices"]);
    let ends = json["emulated"].as_array().unwrap();
    let devices: Vec<&str> = ends.iter().map(|end| end["device"].as_str().unwrap()).collect();
    let all = ["mars,end=a", "mars,end=b", "moon,end=a", "moon,end=b"].map(|end| format!("driver=farlink,link={end}"));
    assert_eq!(devices, all);
    assert_eq!(ends.iter().map(|end| end["in_use"] == true).collect::<Vec<_>>(), [false, false, true, false]);
    assert_eq!(ends[0]["pace"], "samples");
    assert_eq!(ends[0]["rate_range_hz"], serde_json::json!([1e3, 64e6]));
}

#[cfg(not(feature = "soapy"))]
#[test]
fn a_build_without_soapysdr_says_how_to_get_one() {
    let bench = Bench::new();
    let text = bench.met(&["devices"]);
    for words in ["built without SoapySDR", "apt-get install libsoapysdr-dev", "--features soapy"] {
        assert!(text.contains(words), "no {words}: {text}");
    }
    let json = bench.met_as_json(&["devices"]);
    assert!(json["missing"].as_str().unwrap().contains("--features soapy") && json["radios"].is_null(), "{json:#}");
    bench.failed(&["record", "driver=rtlsdr", "x"], &["driver=rtlsdr: cannot be opened", "--features soapy"]);
}

#[cfg(feature = "soapy")]
#[test]
fn a_build_with_soapysdr_lists_radios_and_says_that_one_is_not_there() {
    let bench = Bench::new();
    let json = bench.met_as_json(&["devices"]);
    assert!(json["missing"].is_null() && json["radios"].is_array() && json["never_picked"].is_array(), "{json:#}");
    bench.failed(&["record", "driver=nobody-has-this", "x"], &["no device matches `driver=nobody-has-this`"]);
}

#[test]
fn arguments_that_pin_no_device_are_refused_with_a_remedy() {
    let bench = Bench::new();
    let _moon = bench.serve("moon", Pace::Samples);
    for (device, words) in [
        ("serial=1", "name no driver; begin with `driver=`"),
        ("driver=audio", "is a sound card, which is never taken for a radio"),
        ("driver=farlink,link=moon,end", "is not `key=value`"),
        ("driver=farlink,link=moon,link=mars", "more than once"),
        ("driver=farlink,link=mars", "no end of an emulated link in"),
        ("driver=farlink,link=moon", "2 ends of emulated links fit `driver=farlink,link=moon`; say which:"),
    ] {
        bench.failed(&["record", device, "x"], &[words]);
    }
    bench.failed(
        &["record", "driver=farlink,serial=mars-b", "x"],
        &["driver=farlink,link=moon,end=a", "farlink sdr emulate"],
    );
}

#[test]
fn every_subcommand_shows_an_example_and_the_keeper_is_not_for_people() {
    let bench = Bench::new();
    for command in ["devices", "record", "play", "spectrum", "emulate"] {
        let help = bench.met(&[command, "--help"]);
        assert!(help.contains("Example") && help.contains(&format!("farlink sdr {command}")), "{help}");
    }
    let help = bench.met(&["--help"]);
    assert!(help.contains("spectrum") && !help.contains("keep"), "{help}");
    bench.failed(&["keep", "driver=farlink"], &["started by the program that it holds a radio for"]);
    let (code, _, stderr) = finish(&mut bench.sdr(&[]));
    assert!(code == 2 && stderr.contains("Usage: farlink sdr"), "{stderr}");
}
