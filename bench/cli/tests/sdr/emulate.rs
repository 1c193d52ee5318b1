use farlink_emulated_link::{End, OpenEnd, Pace};
use num_complex::{Complex32, Complex64};
use serde_json::Value;

use crate::bench::{Bench, PATIENCE, exists, ramp, read, tone};
use crate::common::process::{Running, wait_for};
use crate::common::{farlink, finish, fixture};

/// `farlink sdr emulate`, once its links are there.
fn emulate(bench: &Bench, arguments: &[&str], links: &[&str]) -> Running {
    let served = Running::start(&mut bench.sdr(&[&["emulate"], arguments].concat()));
    for link in links {
        wait_for(link, || exists(&bench.links().join(format!("{link}.link"))).then_some(()));
    }
    served
}

fn ended(served: Running, code: i32) -> (String, String) {
    served.signal("INT");
    let ended = served.wait();
    assert_eq!(ended.code, Some(code), "{ended:?}");
    (ended.stdout, ended.stderr)
}

fn open(bench: &Bench, link: &str, end: End) -> OpenEnd {
    OpenEnd::open(&bench.links().join(format!("{link}.link")), end).unwrap()
}

#[test]
fn what_one_command_plays_another_records_over_a_served_link() {
    let bench = Bench::new();
    let mut served = emulate(&bench, &["moon", "--delay", "300ms,100ms", "--rate", "200kHz"], &["moon"]);
    served.wait_for_line("the devices", |line| {
        line.starts_with("driver=farlink,link=moon,end=a and driver=farlink,link=moon,end=b: 200 kHz").then_some(())
    });
    let samples = ramp(50_000);
    bench.recording("beacon", &samples);
    let record = Running::start(&mut bench.sdr(&["record", "driver=farlink,link=moon,end=b", "heard", "--for", "2s"]));
    wait_for("the record", || bench.path("heard.sigmf-data").metadata().ok().filter(|data| data.len() > 0));
    bench.met(&["play", "beacon", "driver=farlink,link=moon,end=a", "--rate", "200kHz"]);
    assert_eq!(record.wait().code, Some(0));
    served.wait_for_line("a status", |line| line.contains("moon: at ").then_some(()));
    // The delay is a whole number of samples, which the interpolator gives but for rounding.
    let got = bench.recorded("heard").1;
    let first = got.iter().position(|sample| sample.norm() > 1e-5).unwrap();
    let worst = got[first..].iter().zip(&samples).map(|(got, sent)| (got - sent).norm()).fold(0.0, f32::max);
    assert!(worst < 1e-6, "{worst}");
    assert!(got[first + samples.len()..].iter().all(|sample| sample.norm() < 1e-6));
    let (stdout, stderr) = ended(served, 0);
    let last = stdout.lines().last().unwrap();
    assert!(
        last.starts_with("moon: ended at") && last.ends_with("a: free, nothing lost; b: free, nothing lost"),
        "{last}"
    );
    assert_eq!(stderr, "");
    assert!(!exists(&bench.links().join("moon.link")), "the socket is gone");
}

#[test]
fn range_rate_is_heard_as_doppler_and_delays_are_those_of_each_direction() {
    let bench = Bench::new();
    // 437 MHz · 6.5 km/s / c = 9.475 kHz, and what approaches is heard higher.
    let flags = [
        "--pace",
        "samples",
        "--delay",
        "5ms,8ms",
        "--range-rate=-6.5,0",
        "--range-rate-for",
        "600ms",
        "--frequency",
        "437MHz",
    ];
    let served = emulate(&bench, &[&["pass"], &flags[..]].concat(), &["pass"]);
    let (a, b) = (open(&bench, "pass", End::A), open(&bench, "pass", End::B));
    for end in [&a, &b] {
        end.start_transmitter().unwrap();
        end.start_receiver(None, None).unwrap();
    }
    let sent = tone(30_000, 10e3, 0.5);
    a.transmit(&sent, Some(0), true, PATIENCE).unwrap();
    b.transmit(&sent, Some(0), true, PATIENCE).unwrap();
    let (at_b, at_a) = std::thread::scope(|scope| {
        let at_a = scope.spawn(|| read(&a, 50_000));
        (read(&b, 50_000), at_a.join().unwrap())
    });
    let first = |samples: &[Complex32]| samples.iter().position(|sample| sample.norm() > 0.25).unwrap();
    assert!((4_990..5_002).contains(&first(&at_b)) && (7_998..8_002).contains(&first(&at_a)));
    let mean_hz = |samples: &[Complex32]| {
        // From phase to phase of neighbours, which is exact for a tone.
        let sum: Complex64 = (samples.windows(2))
            .map(|pair| {
                let turn = pair[1] * pair[0].conj();
                Complex64::new(turn.re.into(), turn.im.into())
            })
            .sum();
        sum.arg() / std::f64::consts::TAU * 1e6
    };
    let beta = 6.5 / 299_792.458;
    let doppler_hz = (437e6 + 10e3) * beta / (1.0 - beta);
    let (there, back) = (mean_hz(&at_b[10_000..30_000]), mean_hz(&at_a[10_000..30_000]));
    assert!((there - 10e3 - doppler_hz).abs() < 0.05, "{there} {doppler_hz}");
    assert!((back - 10e3).abs() < 0.05, "{back}");
    drop((a, b));
    ended(served, 0);
}

#[test]
fn noise_has_the_power_that_was_asked_for_and_eb_n0_follows_from_rate_and_bit_rate() {
    let bench = Bench::new();
    let noisy = emulate(&bench, &["noisy", "--pace", "samples", "--noise=-10dB,-20dB", "--seed", "5"], &["noisy"]);
    // Es/N0 of a sample: 3 dB + 10 log10(250/1000).
    let flags = ["--pace", "samples", "--eb-n0", "3dB", "--bit-rate", "250kbit/s"];
    let coded = emulate(&bench, &[&["coded"], &flags[..]].concat(), &["coded"]);
    for (link, end, expected_db) in [
        ("noisy", End::B, -10.0),
        ("noisy", End::A, -20.0),
        ("coded", End::B, -3.0 + 6.0206),
        ("coded", End::A, 3.0206),
    ] {
        let end = open(&bench, link, end);
        end.start_receiver(None, None).unwrap();
        let got = read(&end, 200_000);
        let power = got.iter().map(|sample| f64::from(sample.norm_sqr())).sum::<f64>() / got.len() as f64;
        // The estimate's standard deviation is 0.01 dB.
        assert!((10.0 * power.log10() - expected_db).abs() < 0.05, "{link}: {} dB", 10.0 * power.log10());
    }
    ended(noisy, 0);
    ended(coded, 0);
}

#[test]
fn losses_at_an_end_make_it_inconclusive_also_when_the_end_was_opened_again() {
    let bench = Bench::new();
    let mut served = emulate(&bench, &["moon", "--format", "json", "--every", "50ms"], &["moon"]);
    let a = open(&bench, "moon", End::A);
    a.start_transmitter().unwrap();
    // A burst that has no end runs out of samples.
    a.transmit(&ramp(100), None, false, PATIENCE).unwrap();
    wait_for("the loss", || Some(()).filter(|()| a.losses().unwrap().underflows == 1));
    drop(a);
    drop(open(&bench, "moon", End::A));
    served.wait_for_line("a status", |line| line.contains("\"kind\":\"status\"").then_some(()));
    let (stdout, stderr) = ended(served, 1);
    assert!(stderr.contains("inconclusive: samples were lost at an end"), "{stderr}");
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["kind"], "serving");
    assert_eq!(
        lines[0]["devices"],
        serde_json::json!(["driver=farlink,link=moon,end=a", "driver=farlink,link=moon,end=b"])
    );
    assert!(lines.iter().any(|line| line["kind"] == "status" && line["time_ns"].is_i64()));
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["kind"], &last["a"]["underflows"], &last["b"]["underflows"]),
        (&"end".into(), &1.into(), &0.into())
    );
}

#[test]
fn links_of_a_file_are_served_together() {
    let bench = Bench::new();
    let file = fixture("links/moon.yaml");
    let served = emulate(&bench, &["--links", file.to_str().unwrap()], &["moon", "bench"]);
    let found = farlink_emulated_link::find(&bench.links());
    let paces: Vec<_> = found.iter().map(|link| (link.description.name.as_str(), link.description.pace)).collect();
    assert_eq!(paces, [("bench", Pace::Samples), ("moon", Pace::Wall)]);
    // The echo comes 20 µs, 5 samples, after the direct way; fading of 2 Hz stands still meanwhile.
    let (a, b) = (open(&bench, "bench", End::A), open(&bench, "bench", End::B));
    a.start_transmitter().unwrap();
    b.start_receiver(None, None).unwrap();
    a.transmit(&[Complex32::ONE], Some(400_000), true, PATIENCE).unwrap();
    let got = read(&b, 1000);
    let level = |at: usize| f64::from(got[at].norm());
    let echo_db = 20.0 * (level(355) / level(350)).log10();
    assert!((echo_db + 12.0).abs() < 0.1, "{echo_db}: {:?}", &got[345..360]);
    drop((a, b));
    ended(served, 0);

    let (code, stdout, _) = finish(farlink().args(["schema", "links"]));
    let schema: Value = serde_json::from_str(&stdout).unwrap();
    assert!(
        code == 0 && schema["properties"]["links"].is_object() && stdout.contains("\"range-rate-km-s\""),
        "{stdout}"
    );
}

#[test]
fn it_ends_after_a_time() {
    let bench = Bench::new();
    let stdout = bench.met(&["emulate", "moon", "--for", "100ms", "--format", "json"]);
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
}

#[test]
fn what_cannot_be_served_is_refused_with_a_remedy() {
    let bench = Bench::new();
    let _moon = bench.serve("moon", Pace::Samples);
    for (arguments, words) in [
        (&["moon"][..], "a link is served there already: stop it, or choose another name"),
        (&["../moon"], "a link cannot be called `../moon`"),
        (&[], "<NAME"),
        (&["x", "--links", "y"], "cannot be used with"),
        (&["x", "--delay", "4us"], "delay.law is 0.000004: give a number of at least"),
        (&["x", "--delay", "1s", "--range-rate=300000"], "nothing is faster than light"),
        // Falls below nothing within the hour.
        (&["x", "--delay", "1ms", "--range-rate=-7"], "delay.law"),
        (&["x", "--range-rate=-7"], "--delay"),
        (&["x", "--noise=-3dB", "--eb-n0", "3dB", "--bit-rate", "1kbit/s"], "cannot be used with"),
        (&["x", "--eb-n0", "3dB"], "--bit-rate"),
        (&["x", "--rate", "1GHz"], "the sample rate is 1000000000: give a number from 1000 to 64000000"),
        (&["x", "--rate-range", "1MHz"], "is no band"),
        (&["x", "--buffer", "0"], "the number of samples that an end keeps is 0"),
        (&["x", "--lead", "1min"], "the time that a burst waits is 60"),
        (&["x", "--delay", "100s", "--memory", "16MiB"], "ring"),
        (&["x", "--every", "1us"], "--every 1 us is too often"),
        (&["x", "--pace", "mine"], "--pace"),
    ] {
        bench.failed(&[&["emulate"], arguments].concat(), &[words]);
    }
    for (text, words) in [
        ("links: {}", "it has no links"),
        ("link: {}", "unknown field `link`"),
        ("links: { x: { delay: 1 s } }", "unknown field `delay`"),
        ("links: { x: { both: { delay: 1 } } }", "unit"),
        ("links: { x: { both: {}, forward: {} } }", "`both` stands beside `forward` or `return`"),
        ("links: { x: { both: { range-rate-km-s: 1 } } }", "a range rate needs a delay"),
        ("links: { x: { both: { delay: 1 s, range-rate-for: 1 s } } }", "give the range rate"),
        ("links: { x: { both: { noise: 1 dB, eb-n0: 1 dB } } }", "noise is told twice"),
        ("links: { x: { both: { eb-n0: 1 dB } } }", "Eb/N0 and the bit rate go together"),
        ("links: { x: { both: { front-end: { bits: 99 } } } }", "front_end"),
        ("links: { 'a b': {} }", "a link cannot be called `a b`"),
        ("links: [", "links.yaml"),
    ] {
        std::fs::write(bench.path("links.yaml"), text).unwrap();
        bench.failed(&["emulate", "--links", "links.yaml"], &[words]);
    }
    bench.failed(&["emulate", "--links", "nothing.yaml"], &["nothing.yaml: cannot read it"]);
    std::fs::write(bench.path("links.yaml"), vec![b'#'; 2 << 20]).unwrap();
    bench.failed(&["emulate", "--links", "links.yaml"], &["it is longer than"]);
    let open = bench.path("open");
    std::fs::create_dir(&open).unwrap();
    let (code, _, stderr) = finish(bench.sdr(&["emulate", "x", "--folder"]).arg(&open));
    assert!(code == 2 && stderr.contains("others may look into"), "{stderr}");
}
