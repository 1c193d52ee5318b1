//! `farlink doctor` on this host, and what its exit code says.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeSet;
use std::process::Command;
use std::{fs, path::Path};

use common::process::{Ended, Running};
use common::*;
use serde_json::Value;

fn doctor(flags: &[&str]) -> Ended {
    Running::start(farlink().args(["doctor", "--quick"]).args(flags)).wait()
}

fn checks(ended: &Ended) -> Vec<Value> {
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    report["checks"].as_array().expect("a list of checks").clone()
}

fn named<'a>(checks: &'a [Value], name: &str) -> &'a Value {
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {checks:#?}"))
}

fn code_for(checks: &[Value]) -> i32 {
    let any = |state: &str| checks.iter().any(|check| check["state"] == state);
    match (any("poor"), any("unknown")) {
        (true, _) => 1,
        (false, true) => 2,
        (false, false) => 0,
    }
}

#[test]
fn json_names_every_check_and_the_exit_code_follows_their_states() {
    let ended = doctor(&["--format", "json"]);
    let checks = checks(&ended);
    let names: BTreeSet<&str> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    let expected = "backlog clock-source clock-synchronisation cores cpu-frequency dtn7 hardy hdtn idle-states interfaces ion \
                    iperf3 load locked-memory memory open-files ptp-clocks raw-ethernet realtime-scheduling receive-buffers \
                    sdr sdr-build sdr-farlink sdr-remote send-buffers serial-ports socat spill tap-and-tun timer-no-slack timer-realtime timer-usual tshark \
                    ud3tn virtual-machine";
    assert_eq!(names, expected.split_whitespace().collect());
    for check in &checks {
        let state = check["state"].as_str().unwrap();
        assert!(["good", "fair", "poor", "absent", "unknown"].contains(&state), "{check:#}");
        assert!(!check["found"].as_str().unwrap().is_empty(), "{check:#}");
        assert!(state != "good" || check.get("remedy").is_none(), "{check:#}");
        let remedy = |kind: &str| check["remedy"][kind].is_string();
        assert!(state != "poor" || remedy("command") || remedy("advice"), "{check:#}");
    }
    assert_eq!(ended.code, Some(code_for(&checks)), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["fit"], ended.code == Some(0));
    let counted: u64 = report["counts"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(counted, checks.len() as u64);
}

#[test]
fn text_fits_eighty_columns_and_names_remedies() {
    let ended = doctor(&[]);
    assert!(ended.stderr.is_empty(), "{}", ended.stderr);
    for line in ended.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for words in ["TIME", "clock-source", "PERMISSIONS", "NETWORK", "STORAGE", "DEVICES", "STACKS", "TOOLS"] {
        assert!(ended.stdout.lines().any(|line| line.contains(words)), "no {words}: {}", ended.stdout);
    }
}

#[test]
fn a_spill_folder_that_is_not_there_is_unknown_with_a_remedy() {
    let place = tempfile::tempdir().unwrap();
    let missing = place.path().join("missing");
    let ended = doctor(&["--format", "json", "--spill", missing.to_str().unwrap()]);
    let checks = checks(&ended);
    let spill = named(&checks, "spill");
    assert_eq!(spill["state"], "unknown");
    assert!(spill["found"].as_str().unwrap().contains(missing.to_str().unwrap()), "{spill:#}");
    assert!(spill["remedy"]["advice"].as_str().unwrap().contains("--spill"), "{spill:#}");
    assert!([1, 2].contains(&code_for(&checks)));
    assert_eq!(ended.code, Some(code_for(&checks)));
}

/// The command that this process may not do more than anybody with.
fn unprivileged(flags: &[&str]) -> Ended {
    let plain = farlink();
    let all = "-all";
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", all, "--inh-caps", all, "prlimit", "--rtprio=0", "--memlock=65536"]);
    command.arg(plain.get_program()).args(["doctor", "--quick"]).args(flags);
    Running::start(&mut command).wait()
}

#[test]
fn who_has_no_privileges_is_told_of_each_and_how_to_get_it() {
    let ended = unprivileged(&["--format", "json"]);
    assert!(!ended.stdout.is_empty(), "run as root, who may give privileges away: {ended:?}");
    let checks = checks(&ended);
    for (name, lacks, remedy) in [
        ("timer-realtime", "CAP_SYS_NICE", "setcap cap_sys_nice"),
        ("realtime-scheduling", "CAP_SYS_NICE", "setcap cap_sys_nice"),
        ("locked-memory", "64 KiB", "cap_ipc_lock"),
        ("raw-ethernet", "CAP_NET_RAW", "setcap cap_net_raw"),
    ] {
        let check = named(&checks, name);
        assert_eq!(check["state"], "absent", "{check:#}");
        assert!(check["found"].as_str().unwrap().contains(lacks), "{check:#}");
        assert!(check["remedy"]["command"].as_str().unwrap().contains(remedy), "{check:#}");
    }
    assert_eq!(ended.code, Some(code_for(&checks)), "{ended:?}");
}

#[test]
fn a_program_on_the_path_that_hangs_does_not_hold_it_up() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        let path = place.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("hdtn-one-process", "/bin/sleep 300");
    script("dtnd", "echo dtn7 0.21.0");
    let mut command = farlink();
    command.args(["doctor", "--quick", "--format", "json"]).env("PATH", place.path());
    let ended = Running::start(&mut command).wait();
    let checks = checks(&ended);
    assert!(named(&checks, "hdtn")["found"].as_str().unwrap().contains("no answer in 5 s"), "{checks:#?}");
    let dtnd = named(&checks, "dtn7");
    assert_eq!(dtnd["state"], "good", "{dtnd:#}");
    let found = format!("0.21.0, {}", Path::new(place.path()).join("dtnd").display());
    assert_eq!(dtnd["found"], found);
    assert_eq!(named(&checks, "tshark")["state"], "absent");
}

#[test]
fn buffers_are_compared_with_what_the_ports_ask_for() {
    let asked = farlink_ports::udp::batch::BatchOptions::default().receive_buffer;
    assert_eq!(farlink_host::checks::RECEIVE_BUFFER, asked as u64);
}

#[test]
fn help_shows_an_example_and_the_exit_codes() {
    let ended = Running::start(farlink().args(["doctor", "--help"])).wait();
    assert_eq!(ended.code, Some(0));
    for words in ["farlink doctor --spill", "Exit codes:", "--quick", "--format"] {
        assert!(ended.stdout.contains(words), "no {words}: {}", ended.stdout);
    }
}
