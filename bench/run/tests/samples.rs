//! Links whose frames go through samples: the same nodes, over modem, code and the samples of a channel.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use farlink_record::LossCause;
use farlink_record::results::{ChannelResult, Results};
use farlink_run::{ClockKind, RunFolder, Steering, prepare};
use farlink_scenario::{Overrides, load};

const SENDS: &str = "frequency: 8.4 GHz, eirp: 40 dBW, gain_over_temperature: 30 dB/K";

/// A scenario of two nodes whose forward channel is told; what it needs besides stands in `more`.
fn pair(forward: &str, more: &str) -> String {
    format!(
        "scenario: pair\nepoch: 2026-12-15T00:00:00Z\nduration: 1 h\nseed: 7\n\
         nodes:\n  probe: {{ eid: \"ipn:10.0\" }}\n  ground: {{ eid: \"ipn:20.0\" }}\n\
         links:\n  radio:\n    forward: {{ from: probe, to: ground, {forward} }}\n    \
         return: {{ from: ground, to: probe, rate: 64 kbit/s }}\n    light_time: 100 ms\n{more}\
         traffic:\n  image: {{ from: probe, to: ground, file: image }}\n"
    )
}

fn run(text: &str, bytes: usize) -> Results {
    run_with(text, bytes, "")
}

/// The same with a table of ranges in `ranges.csv`.
fn run_with(text: &str, bytes: usize, ranges: &str) -> Results {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ranges.csv"), ranges).unwrap();
    let image: Vec<u8> = (0..bytes).map(|n| (n * n / 7) as u8).collect();
    std::fs::write(folder.path().join("image"), image).unwrap();
    let path = folder.path().join("scenario.yaml");
    std::fs::write(&path, text).unwrap();
    let scenario = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error:?}"));
    drive(&scenario, folder.path())
}

fn drive(scenario: &farlink_scenario::Scenario, folder: &Path) -> Results {
    let out = RunFolder::create(&folder.join("run")).unwrap();
    let prepared = prepare(scenario, ClockKind::Virtual).unwrap();
    let finished = prepared.run(&out, &AtomicBool::new(false), Steering::none(), &mut |_| ()).unwrap();
    assert!(finished.error.is_none());
    finished.results
}

fn forward(results: &Results) -> &ChannelResult {
    &results.channels[0]
}

/// A channel at 256 kbit/s in this code at this Eb/N0.
fn coded(waveform: &str, code: &str, eb_n0_db: f64) -> String {
    format!(
        "rate: 256 kbit/s, radio: {{ {SENDS}, waveform: {{ {waveform} }}, required_eb_n0: 2 dB }}, \
         errors: {{ coding: {{ code: {code}, eb_n0: {eb_n0_db} dB }} }}"
    )
}

/// Frames sent, and those that were not decoded.
fn losses(results: &Results) -> (f64, f64) {
    assert!(results.traffic[0].intact, "{:#?}", results.traffic[0]);
    assert_eq!(results.exit_code(), 0, "{:#?}", results.cases);
    let channel = forward(results);
    let undecoded = channel.lost.get(&LossCause::NotDecoded).map_or(0, |tally| tally.frames);
    (channel.sent.frames as f64, undecoded as f64)
}

/// How many standard deviations two shares are apart. Up to three frames of the channel are lost with one transfer frame, which widens
/// the binomial law by as much.
fn apart(one: (f64, f64), other: (f64, f64)) -> f64 {
    let variance = |(sent, lost): (f64, f64)| 3.0 * (lost / sent) * (1.0 - lost / sent) / sent;
    (one.1 / one.0 - other.1 / other.0) / (variance(one) + variance(other)).sqrt()
}

/// The two levels of one scenario: what is known of how often a code fails, and samples. The receiver costs what it costs
/// (`farlink-radio` measures it), which at these losses is less than the confidence interval is wide.
#[test]
fn samples_agree_with_the_model_of_the_same_scenario() {
    let cases = [
        ("modulation: bpsk", "concatenated", 2.1),
        ("modulation: qpsk", "concatenated", 2.1),
        ("modulation: bpsk, frame: 256 B", "convolutional", 3.5),
        ("modulation: bpsk", "reed-solomon", 5.8),
        ("modulation: oqpsk, frame: 256 B", "uncoded", 9.4),
        ("modulation: qpsk", "ldpc-1024", 1.4),
        ("modulation: bpsk", "ldpc-4096", 0.9),
    ];
    for (waveform, code, db) in cases {
        let by = |through: &str, db: f64| {
            losses(&run(&pair(&coded(&format!("through: {through}, {waveform}"), code, db), ""), 400_000))
        };
        let (samples, model, better) = (by("samples", db), by("model", db), by("model", db + 1.0));
        println!(
            "{waveform}, {code} at {db} dB: {samples:?} through samples, {model:?} by the model, {better:?} 1 dB up"
        );
        assert!(apart(samples, model).abs() < 3.3, "{waveform}, {code} at {db} dB: {samples:?} {model:?}");
        assert!(model.1 > 20.0 && samples.1 > 20.0, "there is something to compare: {samples:?} {model:?}");
        // What is compared can differ.
        assert!(apart(samples, better) > 3.3, "{waveform}, {code}: a decibel does not show, {samples:?} {better:?}");
    }
}

#[test]
fn a_run_through_samples_is_the_same_again_and_another_with_another_seed() {
    let text = pair(&coded("modulation: qpsk, samples_per_symbol: 3", "convolutional", 4.0), "");
    let once = run(&text, 100_000);
    assert_eq!(once, run(&text, 100_000));
    // Two seeds may lose as many frames by chance, four hardly.
    let others = ["8", "9", "10"].map(|seed| losses(&run(&text.replace("seed: 7", &format!("seed: {seed}")), 100_000)));
    assert!(others.iter().any(|other| *other != losses(&once)), "{others:?}");
}

#[test]
fn a_receiver_acquires_in_each_contact_and_what_is_cut_off_comes_again() {
    let contacts = "    contacts: [{ start: 1 s, end: 8 s }, { start: 20 s, end: 30 s }]\n";
    let results = run(&pair(&coded("modulation: bpsk", "concatenated", 6.0), contacts), 400_000);
    // 400 kB take 12.5 s.
    let arrived = results.traffic[0].arrived_ns.unwrap();
    assert!(arrived > 20_000_000_000, "{arrived}");
    let (sent, lost) = losses(&results);
    // At 6 dB the code does not fail: what is lost had not left with its transfer frame when the contact closed.
    assert!(lost < 5.0, "{lost} of {sent}");
}

#[test]
fn hours_of_idle_are_no_samples() {
    let text = pair(&coded("modulation: bpsk", "concatenated", 6.0), "").replace("duration: 1 h", "duration: 100 h");
    let text = format!("{text}  later: {{ from: probe, to: ground, text: again, at: 90 h }}\n");
    let results = run(&text, 50_000);
    // 90 h at this rate would be 160 gigasymbols.
    assert_eq!(losses(&results).1, 0.0);
    assert!(results.traffic[1].intact && results.traffic[1].arrived_ns.unwrap() < (90 * 3600 + 2) * 1_000_000_000);
}

#[test]
fn ends_that_move_apart_are_heard_as_long_as_they_are_there() {
    let waveform = "modulation: bpsk, frame: 32 B, samples_per_symbol: 4";
    let text = pair(&coded(waveform, "uncoded", 14.0), "").replace("light_time: 100 ms", "range_table: ranges.csv");
    // 25 km/s: 700 kHz of Doppler, and 5 ms of light in a minute, which are four transfer frames.
    let text = text.replace("rate: 256 kbit/s", "rate: 512 kbit/s");
    let results = run_with(&text.replace("duration: 1 h", "duration: 2 min"), 1_500_000, "0,30000\n120,33000\n");
    let (sent, lost) = losses(&results);
    assert!(sent > 1000.0 && lost < 3.0, "{lost} of {sent}");
}

#[test]
fn what_no_receiver_follows_and_no_memory_holds_is_refused() {
    let refused = |text: &str, ranges: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ranges.csv"), ranges).unwrap();
        std::fs::write(folder.path().join("image"), "image").unwrap();
        let path = folder.path().join("scenario.yaml");
        std::fs::write(&path, text.replace("light_time: 100 ms", "range_table: ranges.csv")).unwrap();
        let scenario = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error:?}"));
        match prepare(&scenario, ClockKind::Virtual) {
            Ok(_) => panic!("it is taken"),
            Err(error) => error.to_string(),
        }
    };
    let text = pair(&coded("modulation: bpsk", "concatenated", 6.0), "");
    let said = refused(&text, "0,300000\n3600,444000\n");
    assert!(said.contains("40.0 km/s") && said.contains("through: model"), "{said}");
    let fast = text.replace("rate: 256 kbit/s", "rate: 20 Mbit/s").replace("duration: 1 h", "duration: 12 h");
    let said = refused(&fast, "0,300000\n43200,1164000\n");
    assert!(said.contains("changes by 2.") && said.contains("where 1024 are the most"), "{said}");
    let narrow = text.replace("rate: 256 kbit/s", "rate: 16 kbit/s");
    let said = refused(&narrow, "0,30000\n3600,39000\n");
    assert!(said.contains("`max_offset_hz`") && said.contains("can be searched"), "{said}");
}

#[test]
fn the_link_budget_decides_and_a_signal_too_weak_brings_nothing() {
    let channel = |eirp: &str| {
        format!(
            "rate: 256 kbit/s, radio: {{ frequency: 8.4 GHz, eirp: {eirp}, gain_over_temperature: 0 dB/K, \
             waveform: {{ modulation: bpsk }} }}, errors: {{ coding: {{ code: concatenated }} }}"
        )
    };
    // 100 ms are 200.5 dB of free space, 228.6 dB Boltzmann's constant, and the rate takes 54.1 dB: 8 dB of Eb/N0, and -5.
    let short = |text: String| text.replace("duration: 1 h", "duration: 20 s");
    assert_eq!(losses(&run(&short(pair(&channel("34 dBW"), "")), 50_000)).1, 0.0);
    let weak = run(&short(pair(&channel("21 dBW"), "")), 50_000);
    assert!(!weak.traffic[0].intact && weak.exit_code() == 1, "{:#?}", weak.cases);
    let channel = forward(&weak);
    assert_eq!(channel.lost[&LossCause::NotDecoded].frames, channel.sent.frames - channel.in_flight.frames);
}

#[test]
fn a_pass_with_doppler_goes_through_samples() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let text = std::fs::read_to_string(fixtures.join("scenarios/radio-pass.yaml")).unwrap();
    let elements = fixtures.join("orbits/iss.tle");
    let text = text
        .replace("../orbits/iss.tle", elements.to_str().unwrap())
        .replace("../payload/husband-hill.png", "image")
        // From before the culmination, where the shift changes by some 100 Hz each second, to after it.
        .replace("T05:04:00Z", "T05:09:00Z")
        .replace("duration: 13 min", "duration: 2 min")
        .replace("arrives_by: 12 min", "arrives_by: 2 min");
    let (sent, lost) = losses(&run(&text, 700_000));
    assert!(sent > 500.0 && lost < 5.0, "{lost} of {sent}: near the station the code does not fail");
}
