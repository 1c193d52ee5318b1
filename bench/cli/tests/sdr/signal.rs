//! `farlink sdr ber` and `farlink sdr loopback`.

use serde_json::Value;

use crate::common::{farlink, finish};

/// The exit code, what was printed, and what was complained of.
fn sdr(words: &[&str]) -> (i32, String, String) {
    finish(farlink().arg("sdr").args(words))
}

fn refused(words: &[&str], parts: &[&str]) {
    let (code, out, said) = sdr(words);
    assert_eq!(code, 2, "{words:?}: {out}{said}");
    assert!(parts.iter().all(|part| said.contains(part)), "{words:?}: {said}");
}

const UNCODED: [&str; 8] = ["ber", "--code", "uncoded", "--from", "4", "--to", "6", "--bits=400000"];

#[test]
fn a_curve_stands_beside_theory_and_is_the_same_on_any_number_of_threads() {
    let curve = |threads: &str| {
        let (code, out, said) = sdr(&[&UNCODED[..], &["--threads", threads, "--format", "json"]].concat());
        assert_eq!(code, 0, "{said}");
        out
    };
    let one = curve("1");
    assert_eq!(one, curve("3"));
    let told: Value = serde_json::from_str(&one).unwrap();
    let points = told["points"].as_array().unwrap();
    assert_eq!(
        points.iter().map(|point| point["eb_n0_db"].as_f64().unwrap()).collect::<Vec<_>>(),
        [4.0, 4.5, 5.0, 5.5, 6.0]
    );
    for point in points {
        let number =
            |path: &str| point.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {point}"));
        let (low, high) = (number("/bit_limits/low"), number("/bit_limits/high"));
        let theory = number("/theory/bit_error_ratio");
        // Limits of 95 % of five points, and a receiver that costs a tenth of a decibel.
        assert!(low / 1.25 < theory && theory < high * 1.25, "{low} {theory} {high}: {point}");
    }
    assert_eq!((&told["seed"], &told["waveform"]["modulation"]), (&1.into(), &"bpsk".into()));
}

#[test]
fn the_table_has_a_plot_and_the_page_the_figures_of_the_table() {
    let temp = tempfile::tempdir().unwrap();
    let page = temp.path().join("ber.html");
    let words = ["--html", page.to_str().unwrap(), "--level", "symbols"];
    let (code, out, said) = sdr(&[&UNCODED[..], &words].concat());
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("bpsk, uncoded, frames of 1115 octets") && out.contains("o measured"), "{out}");
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.contains("<svg") && html.contains("Frame error ratio"), "{html}");
    let (_, csv, _) = sdr(&[&UNCODED[..], &["--level", "symbols", "--format", "csv"]].concat());
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |name: &str| names.iter().position(|known| *known == name).unwrap();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        for name in ["frames", "wrong", "fer", "ber", "ber_theory"] {
            assert!(html.contains(&format!(">{}<", cells[at(name)])), "{name} {} is not in the page", cells[at(name)]);
        }
    }
}

#[test]
fn a_loss_beyond_what_is_allowed_fails() {
    let words = ["ber", "--level", "symbols", "--from", "1.9", "--to", "1.9", "--bits", "1000000", "--max-loss"];
    let with = |loss: &str| sdr(&[&words[..], &[loss]].concat());
    let (code, _, said) = with("1");
    assert_eq!(code, 0, "{said}");
    let (code, _, said) = with("-1");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("surely above the -1 dB of --max-loss"), "{said}");
    // Where no frame is wrong there is nothing to judge by, and that is no pass.
    let good = ["ber", "--from", "5", "--to", "5", "--bits", "300000", "--max-loss", "1", "--roll-off"];
    let (code, _, said) = sdr(&[&good[..], &["0.5"]].concat());
    assert_eq!(code, 2, "there is nothing to judge by: {said}");
    refused(&["ber", "--from", "2", "--to", "2", "--max-loss", "nan"], &["--max-loss NaN is no limit"]);
}

#[test]
fn what_comes_out_of_a_loop_is_told() {
    let (code, out, said) = sdr(&["loopback", "--eb-n0", "5", "--offset=-9kHz", "--frames", "60", "--format", "json"]);
    assert_eq!(code, 0, "{said}");
    let told: Value = serde_json::from_str(&out).unwrap();
    let count = |name: &str| told[name].as_u64().unwrap();
    assert_eq!(count("before_first") + count("delivered"), 60, "{told}");
    assert!(count("before_first") < 3 && told["locked"] == true, "{told}");
    let close = |name: &str, to: f64, by: f64| (told[name].as_f64().unwrap() - to).abs() < by;
    assert!(close("measured_offset_hz", -9e3, 300.0), "{told}");
    assert!(close("measured_es_n0_db", told["expected_es_n0_db"].as_f64().unwrap(), 0.5), "{told}");
    // A pass overhead: the carrier is 55 kHz high and the symbols are 25 ppm fast.
    let words = ["loopback", "--range-rate", "-7.5", "--eb-n0", "6", "--rate", "2 Mbit/s", "--samples-per-symbol", "4"];
    let (code, out, said) = sdr(&[&words[..], &["--frames", "60"]].concat());
    assert_eq!(code, 0, "{out}{said}");
    assert!(out.contains("receiver locked"), "{out}");
}

#[test]
fn a_signal_below_the_noise_fails() {
    let (code, out, _) = sdr(&["loopback", "--eb-n0=-9", "--frames", "20"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("0 delivered") && out.contains("not locked"), "{out}");
}

#[test]
fn what_cannot_be_measured_is_told_with_what_would_do() {
    let points = |more: &[&'static str]| [&["ber", "--from", "1", "--to", "2"], more].concat();
    refused(&["ber", "--from", "3", "--to", "2"], &["no points from 3 to 2 dB", "--to is not below --from"]);
    refused(&["ber", "--from", "1", "--to", "2", "--step", "0"], &["--step above 0"]);
    refused(&["ber", "--from", "1", "--to", "200", "--step", "0.1"], &["1991 points are too many"]);
    refused(&["ber", "--from", "100", "--to", "100"], &["`eb_n0_db` is 100", "from -30 to 60"]);
    refused(&points(&["--code", "ldpc", "--information", "1000"]), &["no LDPC word has 1000 bits", "4096"]);
    refused(&points(&["--code", "ldpc", "--code-rate", "7/8"]), &["no rate `7/8`", "4/5"]);
    refused(&points(&["--code-rate", "9/10"]), &["no rate `9/10`", "7/8"]);
    refused(&points(&["--interleaving", "6"]), &["`coding.depth` is 6", "as --interleaving"]);
    refused(&points(&["--corrects", "4"]), &["`coding.corrects` is 4", "as --corrects"]);
    refused(&points(&["--code", "uncoded", "--frame", "2 B"]), &["`coding.frame_octets` is 2", "as --frame"]);
    refused(&points(&["--roll-off", "3"]), &["`roll_off`"]);
    refused(&points(&["--confidence", "2"]), &["`confidence` is 2"]);
    refused(&points(&["--errors", "0"]), &["`frame_errors` is 0"]);
    refused(&points(&["--threads", "0"]), &["`threads` is 0"]);
    refused(&points(&["--modulation", "gmsk", "--level", "symbols"]), &["`level` is symbols", "BPSK"]);
    let clean = ["ber", "--level", "symbols", "--from", "9", "--to", "9", "--bits", "9000", "--max-loss", "0.3"];
    refused(&clean, &["no point has a wrong frame", "lower Eb/N0"]);
    let nowhere = ["--bits", "9000", "--level", "symbols", "--html", "/nowhere/page.html"];
    refused(&points(&nowhere), &["cannot write /nowhere/page.html"]);
    refused(&["loopback", "--frames", "0"], &["0 frames cannot be sent", "--frames"]);
    refused(&["loopback", "--offset", "3MHz"], &["can be searched", "--samples-per-symbol"]);
    refused(&["loopback", "--offset", "far"], &["`far` is not a frequency"]);
    refused(&["loopback", "--converter", "99"], &["bits"]);
}
