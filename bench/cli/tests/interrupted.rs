//! Ctrl-C, a request to terminate and a kill, in the middle of a run in real time: what came about until then is kept, is
//! sound, and is never called a pass.
#![allow(missing_docs)]

mod common;

use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use common::process::{Running, signal, wait_for};
use common::*;
use farlink_record::recording::{RecordingError, RecordingReader};
use farlink_record::results::{Results, Verdict};
use farlink_record::{Event, Stamped};
use quick_junit::Report;

const SIGKILL: i32 = 9;

/// A run that takes minutes: 2 MB at 128 kbit/s, of which some is on its way at any moment and some has arrived.
fn slow_scenario(into: &Path) -> PathBuf {
    changed("scenarios/long-haul.yaml", into, |text| {
        assert!(text.contains("rate: 1 Mbit/s") && text.contains("light_time: 10 min"));
        let text =
            text.replace("rate: 1 Mbit/s", "rate: 128 kbit/s").replace("light_time: 10 min", "light_time: 500 ms");
        text.replace("contacts: always", "contacts: [{ start: 0 s, end: 2 h }]")
    })
}

fn start(scenario: &Path, out: &Path) -> Running {
    Running::start(
        Command::new(FARLINK).arg("run").arg(scenario).args(["--headless", "--clock", "wall", "--out"]).arg(out),
    )
}

/// Reads a recording as far as it is sound.
fn readable(out: &Path) -> (Vec<Stamped>, Option<RecordingError>) {
    let Ok(file) = File::open(out.join("recording.jsonl")) else { return (Vec::new(), None) };
    let mut events = Vec::new();
    match RecordingReader::open(BufReader::new(file)) {
        Err(error) => return (events, Some(error)),
        Ok((_, reader)) => {
            for event in reader {
                match event {
                    Ok(event) => events.push(event),
                    Err(error) => return (events, Some(error)),
                }
            }
        }
    }
    (events, None)
}

/// Starts a run and waits until its recording, on the disk, tells that the contact has opened and frames have arrived.
fn under_way(scenario: &Path, out: &Path) -> Running {
    let mut run = start(scenario, out);
    wait_for("frames delivered in the recording", || {
        run.assert_running("frames were delivered");
        let (events, _) = readable(out);
        let opened = events.iter().any(|s| matches!(s.event, Event::ContactOpened { .. }));
        let delivered = events.iter().filter(|s| matches!(s.event, Event::FrameDelivered { .. })).count();
        (opened && delivered > 10).then_some(())
    });
    run
}

/// The results must be valid JSON and JUnit that promise nothing.
fn inconclusive(out: &Path) -> Results {
    let results = results(out);
    assert!(results.interrupted);
    assert_ne!(results.exit_code(), 0);
    let traffic: Vec<_> = results.cases.iter().filter(|case| case.suite != "accounting").collect();
    assert!(!traffic.is_empty());
    for case in traffic {
        assert_eq!(case.verdict, Verdict::Inconclusive, "{case:?}");
    }
    let xml = fs::read(out.join("junit.xml")).unwrap();
    let report = Report::deserialize(&xml[..]).unwrap_or_else(|e| panic!("{e:?}\n{}", String::from_utf8_lossy(&xml)));
    assert!(report.failures + report.errors > 0, "a build server would call this run green");
    results
}

/// Interrupts a run that is under way, and checks all that is left of it.
fn interrupted_by(name: &str) {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    let run = under_way(&slow_scenario(temp.path()), &out);
    run.signal(name);
    let ended = run.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let kept = format!("kept in {}", out.display());
    assert!(ended.stderr.contains("interrupted at ") && ended.stderr.contains(&kept), "{}", ended.stderr);
    assert!(ended.stdout.contains("interrupted"), "{}", ended.stdout);

    let results = inconclusive(&out);
    // To the end, and every line sound.
    let (_, events) = recording(&out);
    let last = events.last().expect("there are events");
    assert_eq!(last.event, Event::Ended { interrupted: true });
    assert_eq!(results.recording_events, events.len() as u64);
    assert_eq!(results.ended_at_ns, last.at.as_nanos());
    for case in results.cases.iter().filter(|case| case.suite == "accounting") {
        assert_eq!(case.verdict, Verdict::Pass, "{case:?}");
    }
    let channel = &results.channels[0];
    let lost: u64 = channel.lost.values().map(|tally| tally.frames).sum();
    assert!(channel.delivered.frames > 0 && channel.in_flight.frames > 0, "{channel:?}");
    assert_eq!(channel.sent.frames, channel.delivered.frames + lost + channel.in_flight.frames);
    assert!(!out.join("delivered").exists(), "nothing had arrived whole");
    let left: Vec<_> = fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn ctrl_c_ends_a_run_and_keeps_what_came_about() {
    interrupted_by("INT");
}

#[test]
fn a_request_to_terminate_ends_a_run_and_keeps_what_came_about() {
    interrupted_by("TERM");
}

#[test]
fn a_closed_terminal_ends_a_run_and_keeps_what_came_about() {
    interrupted_by("HUP");
}

#[test]
fn a_run_that_is_killed_leaves_inconclusive_results_and_a_readable_recording() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    let run = under_way(&slow_scenario(temp.path()), &out);
    let (seen, _) = readable(&out);
    run.signal("KILL");
    let ended = run.wait();
    assert_eq!(ended.signal, Some(SIGKILL), "{ended:?}");

    let results = inconclusive(&out);
    assert_eq!(results.recording_sha256, "", "a recording without an end has no hash");
    let (events, cut) = readable(&out);
    assert!(events.starts_with(&seen), "what could be read of the recording before can be read no more");
    assert!(matches!(cut, None | Some(RecordingError::CutShort { .. })), "{cut:?}");
    assert!(!events.iter().any(|s| matches!(s.event, Event::Ended { .. })), "the recording claims to be whole");
}

#[test]
fn a_long_wait_for_light_is_interrupted_at_once_and_at_the_right_time() {
    // All has been sent within the first second; for ten minutes nothing happens at all.
    let temp = tempfile::tempdir().unwrap();
    let scenario = changed("scenarios/long-haul.yaml", temp.path(), |text| {
        let line = text.lines().find(|line| line.trim_start().starts_with("file: ")).unwrap().to_owned();
        text.replace(&line, "    text: Hello.")
    });
    let out = temp.path().join("run");
    let mut run = start(&scenario, &out);
    let sent = wait_for("the frame that is sent", || {
        run.assert_running("a frame was sent");
        let (events, _) = readable(&out);
        events.iter().find(|s| matches!(s.event, Event::FrameSent { .. })).map(|s| s.at)
    });
    let seen = Instant::now();
    wait_for("a second of silence", || (seen.elapsed().as_secs_f64() > 1.0).then_some(()));
    run.signal("INT");
    let ended = run.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let results = inconclusive(&out);
    let silent_s = (results.ended_at_ns - sent.as_nanos()) as f64 / 1e9;
    assert!((1.0..600.0).contains(&silent_s), "interrupted {silent_s} s after the last event");
    let (_, events) = recording(&out);
    assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[test]
fn a_second_ctrl_c_ends_a_command_that_is_stuck() {
    // Nobody reads its output, and nothing more fits into the pipe: the first Ctrl-C cannot get through.
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    let (mut full, _unread) = UnixStream::pair().unwrap();
    full.set_nonblocking(true).unwrap();
    while full.write(&[b'.'; 4096]).is_ok() {}
    while full.write(b".").is_ok() {}
    full.set_nonblocking(false).unwrap();
    let mut child = Command::new(FARLINK)
        .arg("run")
        .arg(slow_scenario(temp.path()))
        .args(["--headless", "--clock", "wall", "--out"])
        .arg(&out)
        .stdout(Stdio::from(OwnedFd::from(full)))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = child.id();
    wait_for("the run folder", || out.exists().then_some(()));
    let status_line = |name: &str| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        status.lines().find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_owned())).unwrap()
    };
    wait_for("the run to be stuck", || status_line("State:").starts_with('S').then_some(()));
    signal(process, "INT");
    wait_for("the first Ctrl-C to be taken", || {
        (status_line("ShdPnd:").bytes().all(|b| b == b'0') && status_line("State:").starts_with('S')).then_some(())
    });
    assert!(child.try_wait().unwrap().is_none(), "the first Ctrl-C was enough: nothing was stuck");
    signal(process, "INT");
    let status = wait_for("the end of the run", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(2));
}
