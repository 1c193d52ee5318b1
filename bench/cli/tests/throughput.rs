//! `farlink throughput`: its figures, its page in a browser, its baselines, its runs in real time.
//!
//! Needs Chromium; TCP between network namespaces needs root, `ip`, `ss` and `iperf3`.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use common::browser::chromium;
use common::{farlink, finish};
use serde_json::Value;

const SWEEP: &str = "sweep: small
title: A small sweep <of its own> & more
repeat: 3
ltp:
  light_time: [100 ms, 10 s]
  ber: [0, 1e-6, 1e-5]
  rate: 1 Mbit/s
  bundle: [8 KiB]
  amount: 100 kB
";

fn write(folder: &Path, text: &str) -> String {
    let path = folder.join("sweep.yaml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn throughput(arguments: &[&str]) -> (i32, String, String) {
    finish(farlink().arg("throughput").args(arguments))
}

/// The number behind the cell of a row and a column, as the browser has it.
fn cell(dom: &str, row: &str, column: &str) -> f64 {
    let row = dom.split_once(&format!("<tr data-row=\"{row}\">")).unwrap_or_else(|| panic!("no row {row}")).1;
    let row = row.split_once("</tr>").unwrap().0;
    let cell = row
        .split_once(&format!("data-column=\"{column}\" data-value=\""))
        .unwrap_or_else(|| panic!("{column}: {row}"))
        .1;
    cell.split_once('"').unwrap().0.parse().unwrap()
}

#[test]
fn the_page_renders_in_a_browser_and_shows_the_figures_of_the_results() {
    let temp = tempfile::tempdir().unwrap();
    let (sweep, out) = (write(temp.path(), SWEEP), temp.path().join("out"));
    let (code, stdout, stderr) = throughput(&[&sweep, "--out", out.to_str().unwrap()]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let results: Value = serde_json::from_str(&fs::read_to_string(out.join("results.json")).unwrap()).unwrap();
    let page = out.join("report.html");

    let (dom, log) = chromium(&temp.path().join("profile"), &["--dump-dom"], &page);
    assert!(!log.contains("CONSOLE"), "{log}");
    assert!(dom.contains("A small sweep &lt;of its own&gt; &amp; more"));
    let points = results["points"].as_array().unwrap();
    assert_eq!(points.len(), 6);
    for point in points {
        let id = point["id"].as_str().unwrap();
        assert_eq!(cell(&dom, id, "measured/bound"), point["headline"]["share"].as_f64().unwrap(), "{id}");
        assert_eq!(cell(&dom, id, "bound"), point["headline"]["bound"].as_f64().unwrap(), "{id}");
        for (column, figure) in [
            ("goodput", "goodput_bps"),
            ("completion", "completion_s"),
            ("delay p99", "delay_p99_s"),
            ("bits per bit", "bits_per_bit"),
        ] {
            assert_eq!(cell(&dom, id, column), point["figures"][figure]["mean"].as_f64().unwrap(), "{id} {column}");
        }
        let capture = out.join(point["capture"].as_str().unwrap());
        assert!(dom.contains(point["capture"].as_str().unwrap()) && fs::metadata(&capture).unwrap().len() > 100_000);
    }
    for heading in ["Figures", "Measured and bound", "Delay of bundles", "One run from inside", "Provenance"] {
        assert!(dom.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
    assert!(
        dom.matches("<svg viewBox").count() >= 6 && !dom.contains("NaN") && !dom.contains("inf "),
        "a plot is missing or broken"
    );

    let mut pictures = Vec::new();
    for (name, scheme) in [("light", 1), ("dark", 0)] {
        let picture = temp.path().join(format!("{name}.png"));
        let (shot, scheme) =
            (format!("--screenshot={}", picture.display()), format!("--blink-settings=preferredColorScheme={scheme}"));
        let (_, log) =
            chromium(&temp.path().join(name), &[&shot, &scheme, "--window-size=1280,2000", "--hide-scrollbars"], &page);
        assert!(!log.contains("CONSOLE"), "{log}");
        pictures.push(fs::read(picture).unwrap());
    }
    assert!(pictures.iter().all(|picture| picture.starts_with(b"\x89PNG") && picture.len() > 50_000));
    assert_ne!(pictures[0], pictures[1], "dark looks like light");
    let paper = temp.path().join("paper.pdf");
    let print = format!("--print-to-pdf={}", paper.display());
    chromium(&temp.path().join("print"), &[&print, "--no-pdf-header-footer"], &page);
    assert!(fs::read(paper).unwrap().starts_with(b"%PDF-"));
}

#[test]
fn the_links_of_a_page_elsewhere_lead_to_the_captures() {
    let temp = tempfile::tempdir().unwrap();
    let sweep = write(temp.path(), SWEEP);
    let (out, pages) = (temp.path().join("runs/50 % of #1"), temp.path().join("pages"));
    fs::create_dir_all(out.parent().unwrap()).unwrap();
    fs::create_dir(&pages).unwrap();
    let page = pages.join("page.html");
    let words = ["throughput", &sweep, "--only", "ber=0", "--html"];
    let (code, stdout, stderr) = finish(farlink().args(words).arg(&page).arg("--out").arg(&out));
    assert_eq!(code, 0, "{stdout}{stderr}");
    let html = fs::read_to_string(&page).unwrap();
    let targets = html.split("<a href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0);
    let links: Vec<&str> = targets.filter(|target| !target.starts_with('#')).collect();
    assert_eq!(links.len(), 2, "{links:?}");
    for link in links {
        assert!(link.starts_with("../runs/50%20%25%20of%20%231/captures/"), "{link}");
        let path = link.replace("%20", " ").replace("%23", "#").replace("%25", "%");
        assert!(pages.join(&path).is_file(), "{path}");
    }
    // Where a page lies among the results, nothing leads out of them.
    let html = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(html.contains("<a href=\"captures/") && !html.contains("../"));

    let nowhere = temp.path().join("nowhere/page.html");
    let other = temp.path().join("other");
    let (code, _, stderr) = finish(farlink().args(words).arg(&nowhere).arg("--out").arg(&other));
    assert_eq!(code, 2);
    assert!(stderr.contains("nowhere") && stderr.contains("No such file"), "{stderr}");
}

#[test]
fn a_regression_fails_and_says_how_much() {
    let temp = tempfile::tempdir().unwrap();
    let baseline = temp.path().join("baseline.json");
    let baseline = baseline.to_str().unwrap();
    let sweep = write(temp.path(), &SWEEP.replace("repeat: 3", "repeat: 6"));
    let (code, stdout, stderr) = throughput(&[&sweep, "--save-baseline", baseline]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (code, stdout, stderr) = throughput(&[&sweep, "--seed", "9", "--compare", baseline]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let slower = write(temp.path(), &SWEEP.replace("repeat: 3", "repeat: 6").replace("1 Mbit/s", "800 kbit/s"));
    let (code, stdout, stderr) = throughput(&[&slower, "--compare", baseline]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.contains("worse") && stdout.contains("goodput_bps of light_time=100ms ber=0"), "{stdout}");
}

#[test]
fn what_is_asked_for_wrongly_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let sweep = write(temp.path(), SWEEP);
    let (code, stdout, _) = throughput(&["--list"]);
    assert!(code == 0 && ["ltp ", "hops ", "tcp ", "nodes "].iter().all(|name| stdout.contains(name)), "{stdout}");
    let (code, stdout, _) = throughput(&[&sweep, "--list", "--only", "ber=0"]);
    assert_eq!((code, stdout.as_str()), (0, "light_time=100ms ber=0\nlight_time=10s ber=0\n"));
    for (arguments, told) in [
        (vec!["nothing"], "there is no sweep `nothing`, and no such file; the sweeps are ltp, "),
        (vec!["nowhere/sweep.yaml"], "the file does not exist"),
        (vec![&sweep, "--only", "ber=2"], "no point is called ber=2: `--list` tells their names"),
        (vec![&sweep, "--compare", "nowhere.json"], "nowhere.json: No such file or directory"),
        (vec![&sweep, "--out", temp.path().to_str().unwrap()], "exists already"),
    ] {
        let (code, stdout, stderr) = throughput(&arguments);
        assert!(code == 2 && stderr.contains(told), "{arguments:?}: {code} {stdout}{stderr}");
    }
    let wrong = write(temp.path(), &SWEEP.replace("10 s", "10"));
    let (code, _, stderr) = throughput(&[&wrong]);
    assert!(code == 2 && stderr.contains("sweep.yaml") && stderr.contains("5"), "{stderr}");
}

fn json(arguments: &[&str]) -> (i32, Value, String) {
    let (code, stdout, stderr) = throughput(&[arguments, &["--format", "json"]].concat());
    (code, serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{code}: {stdout}{stderr}")), stderr)
}

/// The first outcome of its only point that the machine did not spoil. One that is spoilt must say so and give no figure; a machine that
/// spoils every one fails the test.
fn unspoilt(sweep: &str) -> Value {
    let mut told = String::new();
    for _ in 0..6 {
        let (_, outcome, _) = json(&[sweep]);
        let point = outcome["points"][0].clone();
        if point["verdict"] != "inconclusive" {
            return point;
        }
        told = point["message"].as_str().unwrap().to_owned();
        assert!(told.contains("emulator, timing/"), "{told}");
        assert!(point["headline"].is_null() && point["figures"].as_object().unwrap().is_empty(), "{point:#}");
    }
    panic!("the machine spoils every run: {told}");
}

#[test]
fn two_processes_are_measured_with_their_time_and_memory() {
    let temp = tempfile::tempdir().unwrap();
    let nodes = include_str!("../../../fixtures/throughput/nodes.yaml");
    let sweep = write(
        temp.path(),
        &nodes
            .replace("[10 ms, 250 ms]", "[100 ms]")
            .replace("[0, 1e-6, 1e-5]", "[1e-6]")
            .replace("amount: 500 kB", "amount: 200 kB\n  tolerance: 50 ms")
            .replace("repeat: 5", "repeat: 1"),
    );
    let point = unspoilt(&sweep);
    assert_eq!(point["verdict"], "pass", "{point:#}");
    let figure = |name: &str| point["figures"][name]["mean"].as_f64().unwrap_or_else(|| panic!("{name}: {point:#}"));
    assert!(figure("completion_s") > 0.1 + 0.4 && point["headline"]["share"].as_f64().unwrap() <= 1.0, "{point:#}");
    assert!(figure("sender_memory_max_bytes") > 1e6 && figure("receiver_memory_max_bytes") > 1e6);
    assert!((1.0..3.0).contains(&figure("bits_per_bit")), "{point:#}");
}

#[test]
fn a_process_that_gives_up_or_never_ends_has_no_figure() {
    let temp = tempfile::tempdir().unwrap();
    let sweep = |receiver: &str| {
        format!(
            "sweep: s\nrepeat: 1\nprocesses:\n  light_time: [1 ms]\n  rate: 1 Mbit/s\n  amount: 1 kB\n  deadline: 1 s\n  sender: [sleep, \"9\"]\n  receiver: {receiver}\n"
        )
    };
    let bound = |then: &str| {
        format!(
            "[python3, -c, \"import socket,time,sys; s=socket.socket(2,2); s.bind(('127.0.0.1',int(sys.argv[1]))); {then}\", \"{{port}}\"]"
        )
    };
    for (receiver, verdict, why) in [
        (bound("time.sleep(0.3); sys.exit(3)"), "fail", "the receiver ended with 3"),
        (bound("time.sleep(9)"), "timeout", "the receiver had not ended after 1 s"),
        (bound("time.sleep(0.3)"), "fail", "what was sent is not among what the receiver has"),
        ("[\"/nowhere/at/all\"]".to_owned(), "bench-error", "the receiver cannot be started"),
    ] {
        let point = unspoilt(&write(temp.path(), &sweep(&receiver)));
        assert_eq!(point["verdict"], verdict, "{point:#}");
        assert!(point["message"].as_str().unwrap().contains(why) && point["headline"].is_null(), "{point:#}");
    }
}

/// The emulator may be late by more than the light time: what is shown here is what losses do, on whatever machine.
#[test]
fn tcp_is_measured_beside_ltp_over_the_same_channel() {
    let temp = tempfile::tempdir().unwrap();
    let sweep = write(
        temp.path(),
        "sweep: s\nrepeat: 1\ntcp: { light_time: [20 ms], ber: [1e-5], rate: 2 Mbit/s, span: 3 s, tolerance: 50 ms }\n",
    );
    let point = unspoilt(&sweep);
    assert_eq!(point["parameters"]["congestion_control"]["text"], "cubic", "{point:#}");
    assert_eq!(point["verdict"], "pass", "{point:#}");
    let figure = |name: &str| point["figures"][name]["mean"].as_f64().unwrap_or_else(|| panic!("{name}: {point:#}"));
    assert!(figure("tcp_goodput_bps") < figure("ltp_goodput_bps"), "{point:#}");
    // One frame in nine is lost, and CUBIC takes each for congestion.
    assert!(figure("ltp_goodput_bps") < 2e6 && point["headline"]["share"].as_f64().unwrap() < 0.8, "{point:#}");
}

#[test]
fn a_congestion_control_that_the_kernel_lacks_is_skipped_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let sweep =
        "sweep: s\nrepeat: 1\ntcp: { light_time: [1 ms], rate: 2 Mbit/s, span: 1 s, congestion_control: [no-such] }\n";
    let (code, outcome, _) = json(&[&write(temp.path(), sweep)]);
    let point = &outcome["points"][0];
    assert!(code == 1 && point["verdict"] == "skipped", "{code}: {point:#}");
    assert!(point["message"].as_str().unwrap().contains("does not offer `no-such`"), "{point:#}");
}
