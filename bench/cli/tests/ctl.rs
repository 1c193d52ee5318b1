//! Runs that are told what to do while they go: by script, and live over the control socket.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::*;
use farlink_control::{Answer, Ask, Client};
use farlink_record::control::{Control, ControlledBy};
use farlink_record::{Event, LossCause, Stamped};

const THERE: &str = "probe->station";

/// An hour of the long haul: six times its light time.
fn short_haul(folder: &Path) -> (PathBuf, PathBuf) {
    let payload = folder.join("payload.bin");
    fs::write(&payload, vec![0x42; 100_000]).unwrap();
    let scenario = changed("scenarios/long-haul.yaml", folder, |text| {
        let text = text.replace("duration: 4 h", "duration: 1 h");
        assert!(text.contains("duration: 1 h"));
        text
    });
    (scenario, payload)
}

fn controls(events: &[Stamped]) -> Vec<String> {
    let told = events.iter().filter_map(|stamped| match &stamped.event {
        Event::Controlled { channel, control, .. } => Some(format!("{:?} {control}", channel.map(|c| c.0))),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_run_whose_script_is_a_recording_is_the_run_of_that_recording() {
    let temp = tempfile::tempdir().unwrap();
    let (scenario, payload) = short_haul(temp.path());
    let script = temp.path().join("script.yaml");
    fs::write(
        &script,
        "- { at: 0s, channel: probe->station, do: drop 1 red --each-session }\n\
         - { at: 0s, channel: station->probe, do: drop 1 report --skip 1 --each-session }\n\
         - { at: 100ms, channel: probe→station, do: damage 2 --bits 5 }\n\
         - { at: 200ms, channel: probe->station, do: rate 300 kbit/s }\n\
         - { at: 20 min, do: ber 2e-4 }\n\
         - { at: 25 min, do: contact closed }\n\
         - { at: 30 min, do: restore all }\n\
         - { at: 1 h, do: pause }\n",
    )
    .unwrap();
    let run = |name: &str, script: Option<&Path>| {
        let out = temp.path().join(name);
        let mut with = vec!["--payload", payload.to_str().unwrap()];
        with.extend(script.iter().flat_map(|script| ["--script", script.to_str().unwrap()]));
        let (code, stdout, stderr) = run_scenario(&scenario, &out, &with);
        // Whether the file still arrives is not what is asked here.
        assert!(code < 2, "{stdout}{stderr}");
        (out.join("recording.jsonl"), stdout)
    };
    let (first, stdout) = run("first", Some(&script));
    assert!(stdout.contains("probe→station: rate 300 kbit/s (by script)"), "{stdout}");
    let (_, events) = recording(first.parent().unwrap());
    assert_eq!(controls(&events).len(), 8, "{:?}", controls(&events));
    let struck = events.iter().filter(|stamped| matches!(stamped.event, Event::FrameStruck { .. })).count();
    let lost = |cause| {
        let lost = events.iter().filter(|s| matches!(s.event, Event::FrameLost { cause: c, .. } if c == cause));
        lost.count()
    };
    assert!(struck >= 4 && lost(LossCause::Fault) >= 2, "{struck} struck, {} dropped", lost(LossCause::Fault));
    assert!(events.iter().any(|stamped| matches!(stamped.event, Event::ContactClosed { .. })));

    let (again, _) = run("again", Some(&first));
    assert!(fs::read(&first).unwrap() == fs::read(&again).unwrap(), "the same was said, and not the same came of it");
    let (without, _) = run("without", None);
    assert!(fs::read(&first).unwrap() != fs::read(&without).unwrap());
}

/// A run that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !reached() {
        assert!(Instant::now() < deadline, "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_is_said_live_is_recorded_and_can_be_said_again() {
    let temp = tempfile::tempdir().unwrap();
    let (scenario, payload) = short_haul(temp.path());
    let (socket, out) = (temp.path().join("emulator.sock"), temp.path().join("live"));
    let mut run = farlink();
    run.arg("run").arg(&scenario).args(["--headless", "--clock", "wall:600", "--payload"]).arg(&payload);
    run.arg("--out").arg(&out).arg("--control").arg(&socket).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Running(run.spawn().unwrap());
    wait_for("the socket", || socket.exists());
    let ctl = |words: &[&str]| finish(farlink().arg("ctl").arg("--socket").arg(&socket).args(words));
    let done = |words: &[&str]| {
        let (code, stdout, stderr) = ctl(words);
        assert_eq!(code, 0, "{words:?}: {stdout}{stderr}");
        stdout
    };
    // Time stands still for what follows, so that all of it falls into the run, however slow this machine is.
    let pause = Ask::Control { control: Control::Pause };
    assert_eq!(Client::connect(&socket).unwrap().ask(None, pause).unwrap(), Answer::Done);
    done(&["pause"]);
    let snapshot = || -> serde_json::Value { serde_json::from_str(&done(&["--format", "json", "snapshot"])).unwrap() };
    let before = snapshot();
    assert_eq!(before["paused"], true);
    assert_eq!(done(&["--direction", THERE, "rate", "250", "kbit/s"]), format!("{THERE}: rate 250 kbit/s\n"));
    done(&["--channel", THERE, "drop", "3", "data"]);
    done(&["duplicate", "2", "--copies", "2"]);
    let (code, stdout, stderr) = ctl(&["--direction", "station->moon", "rate", "none"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains("there is no channel `station->moon`: write one of `probe→station`, `station→probe`"),
        "{stderr}"
    );
    let (code, _, stderr) = ctl(&["--direction", THERE, "pause"]);
    assert!(code == 1 && stderr.contains("leave out the channel"), "{stderr}");
    let (code, _, stderr) = ctl(&["rate", "fast"]);
    assert!(code == 2 && stderr.contains("`rate none` for silence"), "{stderr}");
    let after = snapshot();
    assert_eq!(before["at"], after["at"], "time went on");
    assert_eq!(after["channels"][0]["rate_bps"], 250_000);
    assert_eq!(after["channels"][1]["rate_bps"], 1_000_000);
    let table = done(&["snapshot"]);
    assert!(table.contains("paused") && table.contains("250 kbit/s") && table.contains("rate, faults"), "{table}");
    done(&["resume"]);
    wait_for("the end", || running.0.try_wait().unwrap().is_some());
    assert!(!socket.exists(), "the socket goes with the run");
    let (code, _, stderr) = ctl(&["snapshot"]);
    assert!(code == 2 && stderr.contains("no emulator listens there"), "{stderr}");

    let (_, live) = recording(&out);
    assert_eq!(
        controls(&live),
        [
            "None pause",
            "None pause",
            "Some(0) rate 250 kbit/s",
            "Some(0) drop the next 3 data segments",
            "None make 2 copies of the next 2 frames",
            "None resume"
        ]
    );
    // Under the other clock, with the recording as its script.
    let replayed = temp.path().join("replayed");
    let recorded = out.join("recording.jsonl");
    let with = ["--payload", payload.to_str().unwrap(), "--script", recorded.to_str().unwrap()];
    let (code, stdout, stderr) = run_scenario(&scenario, &replayed, &with);
    assert!(code < 2, "{stdout}{stderr}");
    let by_script = |events: Vec<Stamped>| -> Vec<Stamped> {
        let tell = |mut stamped: Stamped| {
            if let Event::Controlled { by, .. } = &mut stamped.event {
                *by = ControlledBy::Script;
            }
            stamped
        };
        events.into_iter().map(tell).collect()
    };
    let (_, again) = recording(&replayed);
    assert!(by_script(live) == again, "the same was said, and not the same came of it");
}

#[test]
fn what_cannot_be_said_is_told_before_anything_runs() {
    let temp = tempfile::tempdir().unwrap();
    let (scenario, _) = short_haul(temp.path());
    let out = temp.path().join("out");
    let fails = |with: &[&str], says: &str| {
        let (code, stdout, stderr) = run_scenario(&scenario, &out, with);
        assert!(code == 2 && stderr.contains(says), "{with:?}: {stdout}{stderr}");
        assert!(!out.exists(), "{with:?}");
    };
    fails(&["--control"], "add `--clock wall`, or use --script");
    fails(&["--script", "/nowhere/script.yaml"], "/nowhere/script.yaml: cannot read the script");
    let script = temp.path().join("script.yaml");
    fs::write(&script, "- { at: 1s, do: rate none }\n- { at: 2s, channel: probe->moon, do: rate none }\n").unwrap();
    fails(
        &["--script", script.to_str().unwrap()],
        "script.yaml:2: there is no channel `probe->moon` here: write one of",
    );
    let taken = temp.path().join("taken");
    fs::write(&taken, "").unwrap();
    fails(
        &["--clock", "wall", "--control", taken.to_str().unwrap()],
        "something that is no socket, and it is not replaced",
    );
    let (code, _, stderr) = finish(farlink().args(["ctl", "snapshot"]).env("XDG_RUNTIME_DIR", temp.path()));
    assert!(
        code == 2 && stderr.contains("start one with `--control`, or name its socket with `--socket PATH`"),
        "{stderr}"
    );
    // What only a channel in use finds out ends the run, and is told with its instant.
    let too_many: String =
        (0..=64).map(|_| "- { at: 3s, channel: probe->station, do: drop 1 --skip 1000000 }\n").collect();
    fs::write(&script, too_many).unwrap();
    let (code, _, stderr) = run_scenario(&scenario, &out, &["--script", script.to_str().unwrap()]);
    assert!(
        code == 2 && stderr.contains("the script says `drop the next 1 frames, after sparing 1000000` at"),
        "{stderr}"
    );
    assert!(stderr.contains("64 faults already"), "{stderr}");
    let (_, events) = recording(&out);
    let accepted = events.iter().filter(|s| matches!(s.event, Event::Controlled { control: Control::Fault(_), .. }));
    assert_eq!(accepted.count(), 64);
}
