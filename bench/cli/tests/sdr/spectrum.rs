use farlink_emulated_link::{End, LinkConfig, Pace};
use serde_json::Value;

use crate::bench::{Bench, PATIENCE, ramp, tone};
use crate::common::finish;
use crate::common::process::Running;

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn a_tone_in_a_recording_is_a_peak_of_its_frequency_and_power() {
    let bench = Bench::new();
    bench.recording("tone", &tone(200_000, 123_456.0, 0.1));
    let stdout =
        bench.met(&["spectrum", "tone", "--rows", "3", "--every", "20ms", "--format", "json", "--columns", "0"]);
    let lines = lines(&stdout);
    assert_eq!(
        lines.iter().map(|line| line["kind"].as_str().unwrap()).collect::<Vec<_>>(),
        ["row", "row", "row", "max-hold"]
    );
    for line in &lines {
        // Without noise, side lobes of the window stand out, too.
        let peaks = line["peaks"].as_array().unwrap();
        assert!((peaks[0]["frequency_hz"].as_f64().unwrap() - 2_200_123_456.0).abs() < 20.0, "{line}");
        assert!((peaks[0]["power_db"].as_f64().unwrap() + 20.0).abs() < 0.05, "{line}");
        let levels = line["levels_db"].as_array().unwrap();
        let highest =
            (0..levels.len()).max_by(|a, b| levels[*a].as_f64().unwrap().total_cmp(&levels[*b].as_f64().unwrap()));
        // 512 + 123456 / (1 MHz / 1024), to the nearest bin.
        assert_eq!((levels.len(), highest), (1024, Some(638)));
        assert_eq!(
            (line["unit"].as_str(), line["low_hz"].as_f64(), line["high_hz"].as_f64()),
            (Some("dBFS"), Some(2.1995e9), Some(2.2005e9))
        );
    }
    // 38 segments of 1024, each of which begins in the middle of the one before, fit into 20 ms.
    assert_eq!((lines[0]["segments"].as_u64(), lines[1]["time_s"].as_f64()), (Some(38), Some(0.019456)));

    let text = bench.met(&["spectrum", "tone", "--rows", "2", "--columns", "40"]);
    assert_eq!(
        text.lines().filter(|line| line.contains("GHz -20.0 dBFS") && line.contains("peak 2.2001234")).count(),
        2,
        "{text}"
    );
    assert!(text.contains("highest of 2 rows") && text.contains("GHz at -20.0 dBFS"), "{text}");
    let row = text.lines().find(|line| line.contains("noise")).unwrap();
    let columns = row.split('|').nth(1).unwrap();
    assert_eq!(columns.len(), 40);
    // 0.623 of the band from its lower edge.
    assert_eq!(columns.find('#'), Some(24), "{row}");

    let text = bench.met(&["spectrum", "tone", "--rows", "1", "--full-scale=-30"]);
    assert!(text.contains("GHz at -50.0 dBm"), "{text}");
}

#[test]
fn what_an_end_receives_is_shown_as_it_comes() {
    let bench = Bench::new();
    let server = bench.serve_delayed("moon", 500_000, |config| LinkConfig { pace: Pace::Samples, ..config });
    let a = bench.open(&server, End::A);
    a.start_transmitter().unwrap();
    let sent = tone(200_000, -250e3, 0.5);
    a.transmit(&sent, None, true, PATIENCE).unwrap();
    // The burst has left and is under way, from 0.3 s on.
    let stdout = bench.met(&["spectrum", "driver=farlink,link=moon,end=b", "--for", "600ms", "--format", "json"]);
    let lines = lines(&stdout);
    let with_peak: Vec<f64> = (lines.iter().filter(|line| line["kind"] == "row"))
        .filter(|line| {
            line["peaks"]
                .as_array()
                .unwrap()
                .iter()
                .any(|peak| (peak["frequency_hz"].as_f64().unwrap() - 2_199_750_000.0).abs() < 100.0)
        })
        .map(|line| line["time_s"].as_f64().unwrap())
        .collect();
    assert!(with_peak.len() >= 2 && with_peak.iter().all(|time| (0.19..0.51).contains(time)), "{with_peak:?}");
    assert_eq!(lines.last().unwrap()["kind"], "max-hold");
    let highest = &lines.last().unwrap()["peaks"][0];
    assert!((highest["frequency_hz"].as_f64().unwrap() - 2_199_750_000.0).abs() < 100.0, "{highest}");
    assert!((highest["power_db"].as_f64().unwrap() + 6.02).abs() < 0.1, "{highest}");
    assert!(lines[0]["at_ns"].as_i64().unwrap() >= 200_000_000, "the link's time");
}

#[test]
fn ctrl_c_ends_it_with_the_highest_levels() {
    let bench = Bench::new();
    let _server = bench.serve("moon", Pace::Wall);
    let mut command = bench.sdr(&["spectrum", "driver=farlink,link=moon,end=b", "--rate", "100kHz", "--every", "20ms"]);
    let mut shown = Running::start(&mut command);
    shown.wait_for_text("noise");
    shown.signal("INT");
    let ended = shown.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("highest of"), "{}", ended.stdout);
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let bench = Bench::new();
    bench.recording("short", &ramp(1000));
    for (more, words) in [
        (&[][..], "too few samples for a row"),
        (&["--size", "8"], "size is 8; it must be 16 to 1048576"),
        (&["--size", "64", "--overlap", "1"], "overlap is 1; it must be 0 to below 1"),
        (&["--average", "0"], "average is 0"),
        (&["--full-scale", "NaN"], "full_scale_dbm is NaN"),
        (&["--rows", "0"], "--rows"),
        (&["--overlap", "1.5"], "--overlap"),
        (&["--raw", "cf32"], "does not tell its rate"),
    ] {
        bench.failed(&[&["spectrum", "short"], more].concat(), &[words]);
    }
    let (code, _, stderr) = finish(&mut bench.sdr(&["spectrum", "short", "--size", "64", "--every", "1us"]));
    assert_eq!(code, 0, "a row of one segment at least: {stderr}");
    std::fs::write(bench.path("nan.cf32"), f32::NAN.to_le_bytes().repeat(256)).unwrap();
    let (code, _, stderr) =
        finish(&mut bench.sdr(&["spectrum", "nan.cf32", "--rate", "1MHz", "--size", "64", "--average", "1"]));
    assert!(code == 0 && stderr.contains("128 samples were not finite numbers"), "{code}: {stderr}");
}
