//! A disk that is full, or a limit on file sizes, in the middle of a run.
#![allow(missing_docs)]

mod common;

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::process::Command;

use common::disk::{expect_mounted, with_disk};
use common::process::Running;
use common::*;
use farlink_record::recording::{RecordingError, RecordingReader};
use farlink_record::results::{Results, Verdict};
use quick_junit::Report;

/// The results must be valid, of an interrupted run, and promise nothing that was not seen.
fn valid_results(out: &Path) -> Results {
    let results = results(out);
    assert!(results.interrupted);
    assert_eq!(results.exit_code(), 2);
    let xml = fs::read(out.join("junit.xml")).unwrap();
    let report = Report::deserialize(&xml[..]).unwrap_or_else(|e| panic!("{e:?}\n{}", String::from_utf8_lossy(&xml)));
    assert!(report.failures + report.errors > 0, "a build server would call this run green");
    for entry in fs::read_dir(out).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(!name.to_string_lossy().ends_with(".part"), "half a file was left: {name:?}");
    }
    results
}

/// How many events of the recording can be read, up to its cut if it has one.
fn readable_events(out: &Path) -> usize {
    let file = File::open(out.join("recording.jsonl")).unwrap();
    let (_, events) = RecordingReader::open(BufReader::new(file)).expect("the recording has a header");
    let mut count = 0;
    for event in events {
        match event {
            Ok(_) => count += 1,
            Err(RecordingError::CutShort { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
    count
}

/// Runs a scenario onto a disk of that size, and brings what it wrote out of the namespace.
fn run_onto(size: &str, before: &str, temp: &Path, more: &[&str]) -> (i32, String, String) {
    let script = format!(
        "{before}\n\"$2\" run \"$3\" --headless --out \"$1/run\" {}\ncode=$?\ncp -r \"$1/run\" \"$4\"; exit $code",
        more.join(" ")
    );
    let mut command = with_disk(&temp.join("disk"), size, &script);
    command.arg(FARLINK).arg(fixture("scenarios/mars-relay.yaml")).arg(temp.join("run"));
    let (code, stdout, stderr) = finish(&mut command);
    expect_mounted(code, &stderr);
    (code, stdout, stderr)
}

#[test]
fn a_disk_that_fills_up_ends_the_run_and_keeps_what_fitted() {
    let temp = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run_onto("300k", "", temp.path(), &[]);
    assert_eq!(code, 2, "{stdout}{stderr}");
    // Of recording and capture, whichever comes to the end of the disk first.
    let file = temp.path().join("disk/run/").display().to_string();
    for word in ["no room left on the disk for", &file, "free some", "--out", "is kept"] {
        assert!(stderr.contains(word), "expected `{word}` in:\n{stderr}");
    }
    let out = temp.path().join("run");
    let results = valid_results(&out);
    for case in results.cases.iter().filter(|case| case.suite == "traffic") {
        assert_eq!(case.verdict, Verdict::Inconclusive, "{case:?}");
    }
    assert!(readable_events(&out) > 0);
}

#[test]
fn a_full_disk_is_told_to_programs_too() {
    let temp = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run_onto("300k", "", temp.path(), &["--format", "json"]);
    assert_eq!(code, 2, "{stdout}{stderr}");
    let printed: Results = serde_json::from_str(&stdout).expect("nothing but JSON on standard output");
    assert!(printed.interrupted && printed.exit_code() == 2);
    assert!(stderr.contains("no room left on the disk"), "{stderr}");
}

#[test]
fn a_disk_without_any_room_is_told_before_the_run_begins() {
    let temp = tempfile::tempdir().unwrap();
    let fill = "head -c 1M /dev/zero > \"$1/full\" 2> \"$4.head\"\nmkdir \"$1/run\"";
    let (code, stdout, stderr) = run_onto("64k", fill, temp.path(), &[]);
    assert_eq!(code, 2, "{stdout}{stderr}");
    let file = temp.path().join("disk/run/results.json").display().to_string();
    for word in ["no room left on the disk for", &file, "--out"] {
        assert!(stderr.contains(word), "expected `{word}` in:\n{stderr}");
    }
    assert!(!stdout.contains("end of the scenario"), "the run was driven although nothing could be kept:\n{stdout}");
}

#[test]
fn a_picture_that_does_not_fit_is_told_when_it_arrives() {
    // Room for the recording and the capture of the first link, but not for what is delivered: 2 MB.
    let temp = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run_onto("6M", "", temp.path(), &[]);
    assert_eq!(code, 2, "{stdout}{stderr}");
    let file = temp.path().join("disk/run/delivered/image-husband-hill.png").display().to_string();
    assert!(stderr.contains("no room left on the disk for") && stderr.contains(&file), "{stderr}");
    let out = temp.path().join("run");
    // What half of the picture had taken is free again, so there is room for results that say how far it came.
    assert!(valid_results(&out).ended_at_ns > 0);
    let delivered = out.join("delivered");
    let whole = fs::read(fixture("payload/husband-hill.png")).unwrap();
    for entry in fs::read_dir(&delivered).into_iter().flatten() {
        let path = entry.unwrap().path();
        let is_picture = path.extension().is_some_and(|e| e == "png");
        assert!(!is_picture || fs::read(&path).unwrap() == whole, "half a picture was left at {}", path.display());
        assert!(path.extension().is_none_or(|e| e != "part"), "half a file was left at {}", path.display());
    }
}

/// Runs a scenario under `ulimit -f`, which counts in blocks of 512 bytes (or of 1024, as the shell has it).
fn run_limited(before: &str) {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    let script = format!("{before}\nulimit -f 400 || exit 98\nexec \"$1\" run \"$2\" --headless --out \"$3\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", FARLINK]).arg(fixture("scenarios/mars-relay.yaml")).arg(&out);
    let (code, stdout, stderr) = finish(&mut command);
    assert_eq!(code, 2, "{stdout}{stderr}");
    for word in
        ["no room left in", &out.display().to_string(), "limit on file sizes", "`ulimit -f`", "--out", "is kept"]
    {
        assert!(stderr.contains(word), "expected `{word}` in:\n{stderr}");
    }
    // The limit is on each file, so there is room for results that say how far it came.
    let results = valid_results(&out);
    assert!(results.ended_at_ns > 0 && results.channels.iter().any(|channel| channel.sent.frames > 0));
    assert_ne!(verdict(&results, "image.arrives"), Verdict::Pass);
    assert!(readable_events(&out) > 0);
}

#[test]
fn a_limit_on_file_sizes_ends_the_run_with_a_message() {
    run_limited("");
}

#[test]
fn a_limit_on_file_sizes_whose_signal_is_ignored_ends_the_run_with_a_message() {
    run_limited("trap '' XFSZ");
}

#[test]
fn a_node_without_room_for_what_arrives_says_so_and_leaves_no_half_of_it() {
    let temp = tempfile::tempdir().unwrap();
    let script = "mkdir \"$1/inbox\"\n\
        \"$2\" node --eid ipn:30.0 --ltp udp:0 --peer ipn:10.0=udp:9 --receive \"$1/inbox\" --count 1 --for 5s\n\
        code=$?; cp -r \"$1/inbox\" \"$3\"; exit $code";
    let mut command = with_disk(&temp.path().join("disk"), "100k", script);
    let mut receiver = Running::start(command.arg(FARLINK).arg(temp.path().join("inbox")));
    let port = receiver.wait_for_line("the receiver to listen", |line| {
        line.split_once("listens on ")?.1.split(' ').next().map(str::to_owned)
    });
    let sender = Running::start(
        farlink()
            .args(["node", "--eid", "ipn:10.0", "--ltp", "udp:0", "--to", "ipn:30.1", "--for", "60s"])
            .arg("--peer")
            .arg(format!("ipn:30.0={port},rate=100Mbit/s"))
            .arg("--send")
            .arg(fixture("payload/husband-hill.png")),
    );
    let ended = receiver.wait();
    drop(sender);
    expect_mounted(ended.code.unwrap_or(-1), &ended.stderr);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for words in ["no room left on the disk", "could not be delivered and waits", "time is up before all was done"] {
        assert!(ended.stderr.contains(words), "expected `{words}`: {ended:?}");
    }
    assert_eq!(fs::read_dir(temp.path().join("inbox")).unwrap().count(), 0, "half of what was sent was left");
}
