//! What is refused in rates and errors of a channel.

mod support;

use support::{Refusal as No, edited, read, refuse, warn};

/// In a link with a constant light time.
const RATE: &str = "rate: 2 Mbit/s, ber: 1e-6";
/// In a link that follows geometry.
const FAR: &str = "rate: 256 kbit/s";

fn rate(rate: &str, words: &[&str]) {
    refuse(&[No(RATE, &format!("rate: {rate}"), words)]);
}

fn errors(errors: &str, words: &[&str]) {
    refuse(&[No(RATE, &format!("rate: 2 Mbit/s, errors: {errors}"), words)]);
}

#[test]
fn rates_that_step() {
    rate("^[]", &["a rate of no steps", "at least one step"]);
    rate("[^5 bit/s]", &["keys with values must stand here"]);
    rate("[^{ rate: 5 bit/s }]", &["`at` is missing", "add `at: 0 s`"]);
    rate("[^{ at: 0 s }]", &["`rate` is missing"]);
    rate("[{ at: ^0, rate: 5 bit/s }]", &["`0` has no unit"]);
    rate("[{ at: 0 s, rate: ^5 }]", &["`5` has no unit"]);
    rate("[{ at: 0 s, rate: ^nil }]", &["`nil`"]);
    rate("[{ at: 0 s, rate: ^0 bit/s }]", &["out of range", "above 0"]);
    rate("[{ at: 0 s, rate: 5 bit/s, ^until: 5 s }]", &["unknown key `until`", "`at` or `rate`"]);
    rate(
        "[{ at: 9 s, rate: 5 bit/s }, ^{ at: 9 s, rate: 6 bit/s }]",
        &["this step is at 00:00:09.000, not after the 00:00:09.000", "in the order of time"],
    );
    rate("[{ at: 9 s, rate: 5 bit/s }, { at: 10 s, rate: none }, ^{ at: 1 s, rate: 6 bit/s }]", &["the 00:00:10.000"]);
    rate("[{ at: ^2026-13-15T00:00:00Z, rate: 5 bit/s }]", &["the calendar has no such time"]);
    rate("^non", &["`non`"]);
    rate(
        "[^{ at: 1 ns, rate: 5 bit/s }, { at: 9 s, rate: 6 bit/s }]",
        &["nothing says what the rate is before this step", "begin the list with `{ at: 0 s, rate: none }`"],
    );
    // What holds at the epoch may have begun before.
    read(&edited(RATE, "rate: [{ at: 2026-12-14T00:00:00Z, rate: 5 bit/s }]"))
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn rates_that_follow_a_link_budget() {
    let radio = "radio: { frequency: 8.4 GHz, eirp: 40 dBW, gain_over_temperature: 40 dB/K, required_eb_n0: 3 dB }";
    let with = |rate: &str, words: &[&str]| refuse(&[No(FAR, &format!("rate: {rate}, {radio}"), words)]);
    with("^{}", &["`highest_of` is missing", "add `highest_of: [256 kbit/s, 1 Mbit/s]`"]);
    with("^{ highest_of: [] }", &["`highest_of` is missing"]);
    with("{ highest_of: ^5 bit/s }", &["a list must stand here"]);
    with("{ highest_of: [5 bit/s, ^6] }", &["`6` has no unit"]);
    with("{ highest_of: [5 bit/s, ^none] }", &["`none`"]);
    with("{ highest_of: [5 bit/s], margin: ^3 }", &["`3` has no unit"]);
    with("{ highest_of: [5 bit/s], margin: ^3 dB/K }", &["`dB/K` is not a unit"]);
    with("{ highest_of: [5 bit/s], ^reserve: 3 dB }", &["unknown key `reserve`", "`highest_of` or `margin`"]);
    rate(
        "^{ highest_of: [5 bit/s] }",
        &["cannot follow a link budget that is not there", "add `radio:", "gain_over_temperature"],
    );
}

#[test]
fn silence_is_warned_of() {
    let back = "return: { from: orbiter, to: lander, rate: 128 kbit/s, ber: 1e-7 }";
    let near = "  near:\n    forward: { from: lander, to: orbiter, rate: 2 Mbit/s, ber: 1e-6 }\n    ";
    let silent = "  ^near:\n    forward: { from: lander, to: orbiter, rate: none }\n    ";
    let words = ["`near` carries nothing: neither of its channels has a rate", "give one of them a rate"];
    let both = |forward: &str, back_rate: &str| {
        let new = format!("{forward}return: {{ from: orbiter, to: lander, rate: {back_rate} }}");
        (format!("{near}{back}"), new)
    };
    let (old, new) = both(silent, "none");
    warn(&[No(&old, &new, &words)]);
    // A rate that only comes after the end of the run is none.
    let (old, new) = both(silent, "[{ at: 0 s, rate: none }, { at: 24 h, rate: 1 bit/s }]");
    warn(&[No(&old, &new, &words)]);
    let (_, new) = both(&silent.replace('^', ""), "[{ at: 0 s, rate: none }, { at: 23 h, rate: 1 bit/s }]");
    assert!(read(&edited(&old, &new)).unwrap().warnings().is_none());
    warn(&[No(
        "rate: 128 kbit/s, ber: 1e-7",
        "rate: ^[{ at: 0 s, rate: none }, { at: 9 s, rate: none }]",
        &["this rate is `none` from beginning to end", "write `rate: none`"],
    )]);
    // A link that only sends is what deep space is like at times.
    assert!(read(&edited("rate: 128 kbit/s, ber: 1e-7", "rate: none")).unwrap().warnings().is_none());
}

#[test]
fn error_processes() {
    errors("^{}", &["no error is named here", "`bursts`, `erasures`, `coding` or `trace`"]);
    errors("^5", &["keys with values must stand here"]);
    errors("{ ^burst: {} }", &["unknown key `burst`", "did you mean `bursts`?"]);
}

#[test]
fn bursts() {
    let bursts = |bursts: &str, words: &[&str]| errors(&format!("{{ bursts: {bursts} }}"), words);
    bursts("^{ mean_gap_bits: 5 }", &["`mean_burst_bits` is missing"]);
    bursts("^{ mean_burst_bits: 5 }", &["`mean_gap_bits` is missing"]);
    bursts("{ mean_burst_bits: ^0.5, mean_gap_bits: 5 }", &["no mean length is 0.5", "from 1 to 1e18"]);
    bursts("{ mean_burst_bits: 5, mean_gap_bits: ^1e19 }", &["no mean length is 1"]);
    bursts("{ mean_burst_bits: 5, mean_gap_bits: ^-5 }", &["no mean length is -5"]);
    bursts("{ mean_burst_bits: ^5 bit, mean_gap_bits: 5 }", &["`5 bit` is not a number", "without a unit"]);
    bursts("{ mean_burst_bits: ^.inf, mean_gap_bits: 5 }", &["is not a number"]);
    bursts("{ mean_burst_bits: ^.nan, mean_gap_bits: 5 }", &["is not a number"]);
    bursts("{ mean_burst_bits: 5, mean_gap_bits: 5, ber_in_burst: ^1.1 }", &["out of range"]);
    bursts("{ mean_burst_bits: 5, mean_gap_bits: 5, ber_in_gap: ^bad }", &["not a ratio"]);
    bursts("{ mean_burst_bits: 5, mean_gap_bits: 5, ^ber: 0.5 }", &["unknown key `ber`"]);
}

#[test]
fn erasures() {
    let erasures = |erasures: &str, words: &[&str]| errors(&format!("{{ erasures: {erasures} }}"), words);
    erasures("{ probability: ^2 }", &["out of range"]);
    erasures("{ probability: ^0.1, mean_burst_frames: 4, mean_gap_frames: 9 }", &["exclude each other", "keep one"]);
    erasures("{ probability: ^0.1, mean_gap_frames: 9 }", &["exclude each other"]);
    erasures("^{ mean_burst_frames: 4 }", &["`mean_gap_frames` is missing"]);
    erasures("^{ mean_gap_frames: 4 }", &["`mean_burst_frames` is missing"]);
    erasures("{ mean_burst_frames: ^0, mean_gap_frames: 4 }", &["no mean length is 0"]);
    erasures("^{}", &["nothing says how frames are lost", "`probability: 0.01`", "`mean_gap_frames: 1000`"]);
}

#[test]
fn coding() {
    let coding = |coding: &str, words: &[&str]| errors(&format!("{{ coding: {coding} }}"), words);
    coding("^{ eb_n0: 3 dB }", &["`code` is missing", "add `code: concatenated`"]);
    coding("{ code: ^viterbi, eb_n0: 3 dB }", &["there is no code `viterbi`", "`convolutional`"]);
    coding("{ code: ^ldpc-1025, eb_n0: 3 dB }", &["did you mean `ldpc-1024`?"]);
    coding("^{ code: convolutional }", &["nothing says how well the signal arrives", "write `eb_n0: 3 dB`"]);
    coding("{ code: convolutional, eb_n0: ^3 }", &["`3` has no unit"]);
    coding("{ code: convolutional, eb_n0: ^2000 dB }", &["out of range"]);
    coding("{ code: concatenated, eb_n0: 3 dB, interleaving: ^0 }", &["0 words cannot be interleaved", "from 1 to 8"]);
    coding("{ code: concatenated, eb_n0: 3 dB, interleaving: ^9 }", &["9 words cannot be interleaved"]);
    coding("{ code: concatenated, eb_n0: 3 dB, interleaving: ^1.5 }", &["not a whole number"]);
    coding("{ code: turbo-1784, eb_n0: 3 dB, interleaving: ^5 }", &["this code interleaves nothing"]);
    coding("{ code: uncoded, eb_n0: 3 dB, ^rate: 0.5 }", &["unknown key `rate`"]);
}

#[test]
fn scintillation() {
    let scintillation = |keys: &str, words: &[&str]| {
        let errors = format!("errors: {{ coding: {{ code: uncoded, eb_n0: 9 dB, scintillation: {keys} }} }}");
        refuse(&[No(FAR, &format!("{FAR}, {errors}"), words)]);
    };
    scintillation("^{}", &["nothing says how deep the signal fades", "write `band: x`"]);
    scintillation("{ band: x, index: ^0.3 }", &["`index` and `band` exclude each other"]);
    scintillation("{ band: ^s }", &["there is no band `s`", "did you mean `x`?"]);
    scintillation("{ index: ^1.5 }", &["out of range"]);
    scintillation("{ index: 0.5, fading: ^rayleigh }", &["no law of fading `rayleigh`", "`rician` or `log-normal`"]);
    scintillation("{ index: 0.5, correlation_time: ^2 }", &["`2` has no unit"]);
    scintillation("{ index: 0.5, correlation_time: ^0 s }", &["out of range", "1 ms to 1 h"]);
    scintillation("{ index: 0.5, correlation_time: ^2 h }", &["out of range"]);
    scintillation("{ index: 0.5, ^depth: 1 }", &["unknown key `depth`"]);
}

#[test]
fn the_angle_of_the_sun_needs_places() {
    let band = "{ coding: { code: uncoded, eb_n0: 9 dB, scintillation: { band: ^x } } }";
    errors(band, &["nobody knows where the Sun stands", "give the link `visibility`", "`index: 0.3`"]);
    // The constant depth stays, and so does the band on a link that follows geometry.
    for (old, new) in [
        (RATE, format!("rate: 2 Mbit/s, errors: {}", band.replace("band: ^x", "index: 0.3"))),
        (FAR, format!("{FAR}, errors: {}", band.replace('^', ""))),
    ] {
        read(&edited(old, &new)).unwrap_or_else(|error| panic!("{new}: {error}"));
    }
}

#[test]
fn traces() {
    errors("{ trace: ^none.txt }", &["none.txt does not exist", "relative to the folder of this file"]);
    errors("{ trace: ^tests }", &["tests is a directory"]);
    let folder = tempfile::tempdir().unwrap();
    for (name, text, words) in [
        ("empty", "", "is empty"),
        ("header", "12\n", "line 1: a trace begins with `# bits`"),
        ("word", "# bits\n12\n1x\n", "line 3: `1x` is not a whole number"),
        ("order", "# frames\n12\n\n12\n", "line 4: "),
        ("beyond", "# bits repeat 10\n3\n10\n", "line 3: 10 is not within the 10"),
        ("repeat", "# bits repeat 0\n3\n", "line 1: "),
        ("half", "# losses\n1 2\n3\n", "line 3: `3` is not an interval"),
        ("overlap", "# losses\n1 5\n3 6\n", "line 3: "),
        ("nan", "# losses\nNaN 5\n", "line 2: "),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        errors(&format!("{{ trace: ^{} }}", path.display()), &[words]);
    }
}
