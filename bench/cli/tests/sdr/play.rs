use std::thread;
use std::time::Duration;

use farlink_emulated_link::{End, EndStatus, LinkConfig, Pace, Server};
use farlink_sdr_devices::file::Sink;
use num_complex::Complex32;
use serde_json::json;

use crate::bench::{Bench, heard, ramp, read};
use crate::common::process::{Running, wait_for};

const END_A: &str = "driver=farlink,link=moon,end=a";
/// The lowest gain of an emulated end, in dB.
const LOWEST_DB: f64 = -120.0;

fn end_a(server: &Server) -> EndStatus {
    server.status().ends[0]
}

#[test]
fn what_is_played_arrives_at_the_other_end() {
    for pace in [Pace::Samples, Pace::Wall] {
        let bench = Bench::new();
        let server = bench.serve("moon", pace);
        let samples = ramp(40_000);
        bench.recording("beacon", &samples);
        let b = bench.open(&server, End::B);
        b.set_rate(200e3).unwrap();
        b.start_receiver(None, None).unwrap();
        let play = Running::start(
            &mut bench.sdr(&["play", "beacon", END_A, "--rate", "200kHz", "--repeat", "2", "--format", "json"]),
        );
        let mut got = Vec::new();
        let twice = [&samples[..], &samples].concat();
        // A zero is heard again when all has passed.
        while got.iter().rposition(|s| *s != Complex32::ZERO).is_none_or(|last| got.len() < last + 1000) {
            got.extend(read(&b, 1000));
        }
        // At the pace of samples the reader moves the time.
        let ended = play.wait();
        assert_eq!(ended.code, Some(0), "{pace:?}: {ended:?}");
        assert_eq!(heard(&got), twice, "{pace:?}");
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["samples"], 80_000);
        assert_eq!(report["losses"], json!({"overflows": 0, "underflows": 0, "late": 0}));
        assert_eq!(report["settings"]["frequency_hz"], 2.2e9);
        assert!(report["rules"].is_null() && report["silent_at_db"].is_null(), "it radiates nothing");
    }
}

#[test]
fn a_gap_between_captures_is_kept() {
    for pace in [Pace::Samples, Pace::Wall] {
        let bench = Bench::new();
        let server = bench.serve("moon", pace);
        let samples = ramp(2000);
        let mut writer = bench.writer("gap");
        writer.write(&samples[..1000], Some(0)).unwrap();
        writer.write(&samples[1000..], Some(51_000_000)).unwrap();
        writer.finish().unwrap();
        let b = bench.open(&server, End::B);
        b.set_rate(200e3).unwrap();
        b.start_receiver(None, None).unwrap();
        let play = Running::start(&mut bench.sdr(&["play", "gap", END_A, "--rate", "200kHz"]));
        let mut got = Vec::new();
        while !got.ends_with(&[Complex32::ZERO; 1000]) || !got.contains(&samples[1999]) {
            got.extend(read(&b, 1000));
        }
        assert_eq!(play.wait().code, Some(0), "{pace:?}");
        let heard = heard(&got);
        assert_eq!(heard.len(), 52_000, "{pace:?}");
        assert_eq!((&heard[..1000], &heard[51_000..]), (&samples[..1000], &samples[1000..]));
    }
}

#[test]
fn a_radio_does_not_transmit_without_a_permission() {
    let bench = Bench::new();
    bench.recording("beacon", &ramp(100));
    let radio = "driver=nobody-has-this";
    for (more, words) in [
        (&["--gain", "20dB"][..], &["transmission is off", "--conducted 60dB", "--licence NAME --band LOW..HIGH"][..]),
        (&[], &["say how strongly to transmit: give --gain"]),
        (&["--gain", "20dB", "--limit-gain", "30dB"], &["a limit is no permission"]),
        (&["--gain", "20dB", "--limit-frequency", "1GHz..3GHz"], &["a limit is no permission"]),
        (&["--gain", "20dB", "--occupied", "1kHz"], &["a limit is no permission"]),
        (&["--gain", "20dB", "--licence", "DL0XYZ"], &["--band"]),
        (
            &["--gain", "20dB", "--conducted", "60dB", "--licence", "x", "--band", "1GHz..3GHz"],
            &["cannot be used with"],
        ),
        (&["--gain", "20dB", "--conducted", "0dB"], &["permit.conducted.attenuation_db: 0 dB; give a number above 0"]),
        (&["--gain", "20dB", "--licence", " ", "--band", "1GHz..3GHz"], &["permit.licence.name: name the licence"]),
        (&["--gain", "20dB", "--licence", "x", "--band", "3GHz..1GHz"], &["is no band; give its lower edge first"]),
        (&["--gain", "20dB", "--licence", "x", "--band", "3GHz"], &["is no band: write its edges with `..`"]),
        (&["--gain", "20dB", "--conducted", "60dB", "--dead-man", "2min"], &["dead_man_s: 120 s is not within"]),
        (&["--gain", "20dB", "--conducted", "60dB", "--duty", "0"], &["limits.duty.share"]),
        // With one, the device is looked for.
        (&["--gain", "20dB", "--conducted", "60dB"], &["the radio: cannot be held: "]),
    ] {
        bench.failed(&[&["play", "beacon", radio], more].concat(), words);
    }
}

#[test]
fn rules_hold_at_an_emulated_end_as_at_a_radio() {
    let bench = Bench::new();
    let server = bench.serve("moon", Pace::Wall);
    bench.recording("beacon", &ramp(1000));
    for (more, words) in [
        (
            &["--conducted", "60dB", "--gain", "3dB", "--limit-gain", "2dB"][..],
            "a gain of 3 dB is above the limit of 2 dB",
        ),
        (
            &["--licence", "DL0XYZ", "--band", "435MHz..438MHz"],
            "2200500000 Hz are not within 435000000 to 438000000 Hz",
        ),
        (&["--conducted", "60dB", "--limit-frequency", "2.19GHz..2.2GHz"], "the limit on frequency"),
        (&["--conducted", "60dB", "--duty", "0.5", "--duty-window", "1ms"], "the limit on duty is 50.000 %"),
    ] {
        bench.failed(&[&["play", "beacon", END_A], more].concat(), &["must not", words]);
        assert_eq!(end_a(&server).settings.transmit_gain_db, LOWEST_DB, "{more:?}");
    }
    let licence = ["--licence", "DL0XYZ", "--band", "2.19GHz..2.21GHz", "--gain=-3dB", "--dead-man", "10s"];
    let report = bench.met_as_json(&[&["play", "beacon", END_A], &licence[..]].concat());
    assert_eq!(report["rules"]["permit"]["licence"]["name"], "DL0XYZ");
    assert_eq!(report["rules"]["limits"]["gain_db"], -3.0, "what was asked for");
    assert_eq!(report["settings"]["gain_db"], -3.0);
    assert_eq!(report["silent_at_db"], LOWEST_DB);
    assert_eq!(end_a(&server).settings.transmit_gain_db, LOWEST_DB);
}

/// A command on the air for a minute, under rules or not.
fn on_air(bench: &Bench, server: &Server, rules: &[&str]) -> Running {
    bench.recording("long", &ramp(600_000));
    let mut command = bench.sdr(&["play", "long", END_A, "--rate", "10kHz", "--gain=-3dB"]);
    let play = Running::start(command.args(rules));
    wait_for("the gain", || Some(()).filter(|()| end_a(server).settings.transmit_gain_db == -3.0));
    let b = bench.open(server, End::B);
    b.set_rate(10e3).unwrap();
    // On the air is what the other end hears.
    wait_for("the transmitter", || b.start_receiver(None, None).ok());
    while read(&b, 100).iter().all(|sample| *sample == Complex32::ZERO) {}
    play
}

fn serve_slow(bench: &Bench) -> Server {
    bench.serve_with("moon", |config| LinkConfig { rate_hz: 10e3, ..config })
}

#[test]
fn a_command_that_is_killed_leaves_a_silent_device() {
    let bench = Bench::new();
    let server = serve_slow(&bench);
    let play = on_air(&bench, &server, &["--conducted", "60dB", "--dead-man", "30s"]);
    play.signal("KILL");
    // The standard error is that of both, and ends when both have.
    let ended = play.wait();
    assert_eq!(ended.signal, Some(9));
    let words = format!("{END_A} is silent, at -120 dB and its stream stopped: the program that used it is gone");
    assert!(ended.stderr.contains(&words), "{}", ended.stderr);
    let status = end_a(&server);
    assert!(!status.open && status.settings.transmit_gain_db == LOWEST_DB, "{status:?}");
}

/// Nothing is radiated by an emulated end, so nothing holds it without rules: which shows that the test above can fail.
#[test]
fn without_rules_nobody_brings_the_gain_down() {
    let bench = Bench::new();
    let server = serve_slow(&bench);
    let play = on_air(&bench, &server, &[]);
    play.kill();
    wait_for("the end to be closed", || Some(()).filter(|()| !end_a(&server).open));
    assert_eq!(end_a(&server).settings.transmit_gain_db, -3.0);
}

#[test]
fn a_command_that_is_stopped_loses_control_and_leaves_a_silent_device() {
    let bench = Bench::new();
    let server = serve_slow(&bench);
    let play = on_air(&bench, &server, &["--conducted", "60dB", "--dead-man", "2s"]);
    play.signal("STOP");
    wait_for("silence", || Some(()).filter(|()| end_a(&server).settings.transmit_gain_db == LOWEST_DB));
    wait_for("the end to be closed", || Some(()).filter(|()| !end_a(&server).open));
    play.signal("CONT");
    let ended = play.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("nobody has said for 2s that control is there"), "{}", ended.stderr);
}

#[test]
fn ctrl_c_silences_and_says_how_far_it_came() {
    let bench = Bench::new();
    let server = serve_slow(&bench);
    let play = on_air(&bench, &server, &["--conducted", "60dB", "--dead-man", "30s"]);
    play.signal("INT");
    let ended = play.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("interrupted after"), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("silent again: gain -120 dB and the stream stopped, as read back"),
        "{}",
        ended.stdout
    );
    assert_eq!(end_a(&server).settings.transmit_gain_db, LOWEST_DB);
}

#[test]
fn samples_that_come_too_late_make_it_inconclusive() {
    let bench = Bench::new();
    // Room for a tenth of a second.
    let server = bench.serve_with("moon", |config| LinkConfig { rate_hz: 10e3, buffer_samples: 1000, ..config });
    bench.recording("long", &ramp(20_000));
    let mut command = bench.sdr(&["play", "long", END_A, "--rate", "10kHz"]);
    let play = Running::start(&mut command);
    wait_for("the end to be open", || Some(()).filter(|()| end_a(&server).open));
    thread::sleep(Duration::from_millis(300));
    play.signal("STOP");
    wait_for("the samples to run out", || Some(()).filter(|()| end_a(&server).losses.underflows > 0));
    play.signal("CONT");
    let ended = play.wait();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("inconclusive: the device lost samples: ") && ended.stderr.contains("of the transmitter"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_cannot_be_played_is_refused() {
    let bench = Bench::new();
    let server = bench.serve("moon", Pace::Wall);
    bench.recording("beacon", &ramp(100));
    std::fs::write(bench.path("one.cf32"), [0; 80]).unwrap();
    for (from, more, words) in [
        ("nothing", &[][..], "there is neither this file nor a SigMF recording of this name"),
        ("one.cf32", &[], "does not tell its rate: give --rate"),
        ("one.cf32", &["--rate", "1MHz"], "it does not say at which frequency: give --frequency"),
        ("beacon", &["--rate", "100GHz"], "the sample rate is 100000000000"),
        ("beacon", &["--repeat", "0"], "--repeat"),
        ("beacon", &["--gain", "200dB"], "the gain is 200"),
    ] {
        bench.failed(&[&["play", from, END_A], more].concat(), &[words]);
    }
    let _taken = bench.open(&server, End::A);
    bench.failed(&["play", "beacon", END_A], &["end a is in use by another program"]);
    bench.failed(&["play", "beacon", END_A, "--conducted", "60dB"], &["end a is in use by another program"]);
    bench.failed(&["play", "beacon", "heard"], &["is not `key=value`"]);
}
