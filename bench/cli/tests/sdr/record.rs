use std::thread;
use std::time::Duration;

use farlink_emulated_link::{End, LinkConfig, Pace};
use farlink_sdr_devices::file::SampleFormat;
use num_complex::Complex32;
use serde_json::json;

use crate::bench::{Bench, PATIENCE, exists, heard, ramp};
use crate::common::process::{Running, wait_for};

const END_B: &str = "driver=farlink,link=moon,end=b";

#[test]
fn what_an_end_receives_is_recorded_sample_for_sample() {
    let bench = Bench::new();
    // A fifth of a second, so that the burst is under way when its receiver starts.
    let server = bench.serve_delayed("moon", 200_000, |config| LinkConfig { pace: Pace::Samples, ..config });
    let a = bench.open(&server, End::A);
    a.start_transmitter().unwrap();
    a.set_frequency(farlink_emulated_link::Half::Transmitter, 8.4e9).unwrap();
    let sent = ramp(50_000);
    assert_eq!(a.transmit(&sent, Some(1_000_000), true, PATIENCE).unwrap(), sent.len());
    let tuning = ["--frequency", "8.4GHz", "--gain=6dB", "--description", "a ramp", "--author", "nobody"];
    let report = bench.met_as_json(&[&["record", END_B, "heard", "--for", "250ms"], &tuning[..]].concat());
    assert_eq!(report["samples"], 250_000);
    assert_eq!(report["seconds"], 0.25);
    assert_eq!(report["device"], END_B);
    let settings = json!({"sample_rate_hz": 1e6, "frequency_hz": 8.4e9, "gain_db": 6.0, "bandwidth_hz": null});
    assert_eq!(report["settings"], settings, "as read back");
    assert_eq!(report["losses"], json!({"overflows": 0, "underflows": 0, "late": 0}));
    assert!(report["inconclusive"].is_null());

    let (reader, samples) = bench.recorded("heard");
    let gain = 10f64.powf(6.0 / 20.0) as f32;
    let amplified: Vec<Complex32> = sent.iter().map(|sample| sample * gain).collect();
    assert_eq!(samples.len(), 250_000);
    // Nobody has received before, and so the time went to the end of the burst.
    assert_eq!(samples[150_000..200_000], amplified);
    assert_eq!(heard(&samples), amplified);
    let meta = reader.meta();
    assert_eq!(meta.global.description.as_deref(), Some("a ramp"));
    assert_eq!(meta.global.author.as_deref(), Some("nobody"));
    assert_eq!(meta.global.hw.as_deref(), Some(END_B));
    assert_eq!(meta.captures[0].frequency_hz, Some(8.4e9));
    assert!(meta.captures[0].datetime.is_some() && meta.annotations.is_empty());
    assert_eq!(server.status().ends[1].settings.receive_gain_db, 6.0);
}

#[test]
fn a_recording_is_copied_into_other_formats_and_clipping_is_told() {
    let bench = Bench::new();
    let samples = ramp(20_000);
    bench.recording("one", &samples);
    bench.met(&["record", "one", "two.cf32"]);
    assert_eq!(bench.raw("two.cf32", SampleFormat::Cf32Le), samples);
    // 8192 divides full scale.
    bench.met(&["record", "one.sigmf-meta", "three", "--samples", "ci16", "--count", "5000"]);
    let (reader, got) = bench.recorded("three");
    assert_eq!(reader.meta().global.datatype, "ci16_le");
    assert_eq!(got, samples[..5000]);
    bench.met(&["record", "two.cf32", "four", "--rate", "2MHz", "--frequency", "437MHz"]);
    let (reader, got) = bench.recorded("four");
    assert_eq!((reader.meta().global.sample_rate_hz, reader.meta().captures[0].frequency_hz), (Some(2e6), Some(437e6)));
    assert_eq!(got, samples);
    let loud: Vec<Complex32> = samples.iter().map(|sample| sample * 2.0).collect();
    bench.recording("loud", &loud);
    let ended = Running::start(&mut bench.sdr(&["record", "loud", "quiet.ci16"])).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let clipped = loud.iter().filter(|sample| sample.re.abs() > 1.0).count();
    assert!(ended.stderr.contains(&format!("{clipped} samples were beyond full scale")), "{}", ended.stderr);
}

#[test]
fn samples_that_were_lost_are_annotated_and_make_it_inconclusive() {
    let bench = Bench::new();
    let _server = bench.serve_with("moon", |config| LinkConfig { buffer_samples: 1 << 16, ..config });
    let mut record =
        Running::start(&mut bench.sdr(&["record", END_B, "heard", "--rate", "200kHz", "--count", "300000"]));
    wait_for("samples", || bench.path("heard.sigmf-data").metadata().ok().filter(|data| data.len() > 100_000));
    // Longer than what an end keeps.
    record.signal("STOP");
    thread::sleep(Duration::from_millis(500));
    record.signal("CONT");
    record.assert_running("the rest is recorded");
    let ended = record.wait();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("inconclusive: the device lost samples: ") && ended.stderr.contains("of the receiver"),
        "{}",
        ended.stderr
    );
    let (reader, samples) = bench.recorded("heard");
    assert_eq!(samples.len(), 300_000);
    let labels: Vec<_> = reader.meta().annotations.iter().filter_map(|note| note.label.as_deref()).collect();
    // A machine that is busy may lose more than it was made to.
    assert!(!labels.is_empty() && labels.iter().all(|label| *label == "overflow"), "{labels:?}");
    let captures = &reader.meta().captures;
    assert_eq!(captures.len(), 1 + labels.len());
    assert!(captures[1].global_index.unwrap() > captures[1].sample_start + 10_000, "{captures:?}");
}

#[test]
fn ctrl_c_ends_a_recording_in_order() {
    let bench = Bench::new();
    let _server = bench.serve("moon", Pace::Wall);
    for (limit, code) in [(None, 0), (Some("100s"), 2)] {
        let out = format!("heard{code}");
        let mut command = bench.sdr(&["record", END_B, &out, "--rate", "100kHz"]);
        let record = Running::start(command.args(limit.map(|limit| ["--for", limit]).into_iter().flatten()));
        let data = bench.path(&format!("{out}.sigmf-data"));
        wait_for("samples", || data.metadata().ok().filter(|data| data.len() > 10_000));
        record.signal("INT");
        let ended = record.wait();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(code == 0 || ended.stderr.contains("interrupted after"), "{}", ended.stderr);
        let (reader, samples) = bench.recorded(&out);
        assert!(reader.meta().global.sha512.is_some() && samples.len() > 1000, "it is whole");
    }
}

#[test]
fn a_link_that_goes_away_is_an_error_and_what_was_recorded_stays() {
    let bench = Bench::new();
    let server = bench.serve("moon", Pace::Wall);
    let record = Running::start(&mut bench.sdr(&["record", END_B, "heard", "--rate", "100kHz"]));
    wait_for("samples", || bench.path("heard.sigmf-data").metadata().ok().filter(|data| data.len() > 10_000));
    drop(server);
    let ended = record.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("driver=farlink,link=moon,end=b: lost: "), "{}", ended.stderr);
    assert!(bench.recorded("heard").1.len() > 1000);
}

#[test]
fn what_cannot_be_recorded_is_refused_and_leaves_no_file() {
    let bench = Bench::new();
    let _server = bench.serve("moon", Pace::Samples);
    bench.recording("one", &ramp(100));
    std::fs::write(bench.path("bytes"), [0; 80]).unwrap();
    std::fs::write(bench.path("odd.cf32"), [0; 81]).unwrap();
    std::fs::write(bench.path("broken.sigmf-meta"), "{").unwrap();
    for (from, more, words) in [
        ("nothing", &[][..], "there is neither this file nor a SigMF recording of this name"),
        ("bytes", &[], "say which with --raw cf32 or --raw ci16, and --rate"),
        ("bytes", &["--raw", "ci16"], "does not tell its rate: give --rate"),
        ("odd.cf32", &["--rate", "1MHz"], "81 octets are no whole number of samples"),
        ("broken", &[], "not the metadata of a recording"),
        ("one", &["--rate", "2MHz"], "a recording has its own sample rate"),
        ("one", &["--gain", "3dB"], "a file has neither gain nor filter"),
        ("one", &["--count", "200"], "it ended after 100 of 200 samples"),
        ("one", &["--for", "1ns"], "is not a sample at 1 MHz"),
        (END_B, &["--raw", "cf32"], "--raw is for files"),
        (END_B, &["--rate", "100GHz"], "the sample rate is 100000000000: give a number from 1000 to 64000000"),
        (END_B, &["--gain", "200dB"], "the gain is 200: give a number from -120 to 120"),
    ] {
        bench.failed(&[&["record", from, "out"], more].concat(), &[words]);
        if words.contains("ended after") {
            std::fs::remove_file(bench.path("out.sigmf-meta")).unwrap();
            std::fs::remove_file(bench.path("out.sigmf-data")).unwrap();
        }
        assert!(!exists(&bench.path("out.sigmf-meta")) && !exists(&bench.path("out.sigmf-data")), "{words}");
    }
    bench.failed(
        &["record", "one", "x.ci16", "--samples", "cf32"],
        &["its name says ci16_le, and --samples another format"],
    );
    bench.failed(&["record", "one", "one"], &["one.sigmf-meta: cannot make it: File exists"]);
    bench.failed(&["record", "one", "nowhere/two"], &["nowhere/two.sigmf-meta: cannot make it"]);
    bench.failed(&["record", "one", "two", "--count", "0"], &["--count"]);
    assert_eq!(bench.recorded("one").1.len(), 100);
}
