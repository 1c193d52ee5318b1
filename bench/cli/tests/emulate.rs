//! `farlink emulate` between real programs. Nothing is judged by how quick this machine is: only what must not be too early is.
//! Needs root, `ip`, `ping`, `iperf3`, `socat` and `tshark`.
#![allow(missing_docs)]

mod common;
mod ends;

use std::fs;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::process::{PATIENCE, Running, wait_for};
use common::*;
use ends::{assert_sound, frame, run, slip, socat, unique};
use farlink_record::instrument::{PortState, Snapshot};
use farlink_record::results::Results;
use farlink_record::{Event, LossCause, Stamped};

/// Two sockets with the emulator between them.
struct Datagrams {
    ends: [UdpSocket; 2],
    into: [String; 2],
}

impl Datagrams {
    fn new() -> Self {
        let sockets = || [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port is free"));
        let ends = sockets();
        let into = sockets().map(|socket| socket.local_addr().expect("it is bound").to_string());
        ends.iter().for_each(|end| end.set_read_timeout(Some(PATIENCE)).expect("it can be set"));
        Datagrams { ends, into }
    }

    fn port(&self, side: usize) -> String {
        format!("udp:{},to={}", self.into[side], self.ends[side].local_addr().expect("it is bound"))
    }

    fn send(&self, side: usize, content: &[u8]) {
        self.ends[side].send_to(content, &self.into[side]).expect("it can be sent");
    }

    fn receive(&self, side: usize) -> Vec<u8> {
        let mut buffer = [0; 2000];
        let length = self.ends[side].recv(&mut buffer).expect("a frame comes");
        buffer[..length].to_vec()
    }

    /// Starts the emulator between them, with a control socket if `control` is one.
    fn emulate(&self, more: &[&str]) -> Running {
        let mut emulator =
            Running::start(farlink().args(["emulate", &self.port(0), &self.port(1), "--for", "120s"]).args(more));
        emulator.wait_for_text("return: ");
        emulator
    }
}

/// Ends an emulator that keeps its results in a folder; they must be sound.
fn end(emulator: Running, out: &Path) -> (Results, Snapshot, String) {
    emulator.signal("INT");
    let ended = emulator.wait();
    let said = ended.stdout + &ended.stderr;
    let results = results(out);
    assert_sound(&results);
    assert_eq!(ended.code, Some(i32::from(results.exit_code())), "{said}");
    let snapshot = results.emulator.clone().expect("the emulator's state is in the results");
    (results, snapshot, said)
}

fn ctl(socket: &Path, words: &[&str]) -> (i32, String, String) {
    finish(farlink().arg("ctl").arg("--socket").arg(socket).args(words))
}

fn done(socket: &Path, words: &[&str]) -> String {
    let (code, stdout, stderr) = ctl(socket, words);
    assert_eq!(code, 0, "{words:?}: {stdout}{stderr}");
    stdout
}

fn snapshot(socket: &Path) -> serde_json::Value {
    serde_json::from_str(&done(socket, &["--format", "json", "snapshot"])).expect("a snapshot is JSON")
}

fn controls(events: &[Stamped]) -> Vec<(Option<u16>, String)> {
    let told = events.iter().filter_map(|stamped| match &stamped.event {
        Event::Controlled { channel, control, .. } => Some((channel.map(|channel| channel.0), control.to_string())),
        _ => None,
    });
    told.collect()
}

#[test]
fn what_is_told_to_it_acts_is_shown_and_can_be_told_again_by_the_recording() {
    let temp = tempfile::tempdir().unwrap();
    let (socket, out) = (temp.path().join("control"), temp.path().join("out"));
    let link = Datagrams::new();
    let (socket_text, out_text) = (socket.to_str().unwrap(), out.to_str().unwrap());
    let emulator = link.emulate(&["--delay", "10ms", "--control", socket_text, "--out", out_text]);
    link.send(0, b"as planned");
    assert_eq!(link.receive(1), b"as planned");

    done(&socket, &["--direction", "forward", "drop", "1"]);
    link.send(0, b"dropped");
    link.send(0, b"next");
    assert_eq!(link.receive(1), b"next");

    done(&socket, &["--direction", "forward", "delay", "300ms"]);
    let sent = std::time::Instant::now();
    link.send(0, b"slow");
    assert_eq!(link.receive(1), b"slow");
    assert!(sent.elapsed() >= Duration::from_millis(299), "{:?}", sent.elapsed());

    done(&socket, &["contact", "closed"]);
    link.send(1, b"shut out");
    wait_for("the loss", || {
        (snapshot(&socket)["channels"][1]["counters"]["lost"]["no-contact"]["frames"] == 1).then_some(())
    });
    done(&socket, &["--direction", "return", "contact", "open"]);
    done(&socket, &["--direction", "return", "rate", "64kbit/s"]);
    done(&socket, &["--direction", "return", "ber", "1e-9"]);
    let now = snapshot(&socket);
    assert_eq!((&now["channels"][0]["open"], &now["channels"][1]["open"]), (&false.into(), &true.into()));
    assert_eq!(now["channels"][1]["rate_bps"], 64_000);
    assert_eq!(now["channels"][0]["light_time_ns"], 300_000_000);
    let table = done(&socket, &["snapshot"]);
    assert!(table.contains("forward") && table.contains("64 kbit/s"), "{table}");

    done(&socket, &["pause"]);
    assert_eq!(snapshot(&socket)["paused"], true);
    link.send(1, b"held");
    wait_for("it to be taken", || (snapshot(&socket)["channels"][1]["counters"]["sent"]["frames"] == 2).then_some(()));
    done(&socket, &["resume"]);
    assert_eq!(link.receive(0), b"held");
    done(&socket, &["restore", "all"]);
    link.send(0, b"as planned again");
    assert_eq!(link.receive(1), b"as planned again");
    let (code, _, stderr) = ctl(&socket, &["--direction", "sideways", "pause"]);
    assert_eq!(code, 1, "{stderr}");
    let (results, state, _) = end(emulator, &out);
    assert!(!socket.exists(), "the socket goes with the emulator");
    assert_eq!(results.channels[0].lost[&LossCause::Fault].frames, 1);
    assert!(state.channels.iter().all(|channel| channel.by_hand.is_empty()));

    let (_, events) = recording(&out);
    let told = controls(&events);
    assert_eq!(told.len(), 9, "{told:?}");
    // A pause ends only by hand, so the script is told without it.
    let kept = |line: &&str| !line.contains("\"pause\"") && !line.contains("\"resume\"");
    let text = fs::read_to_string(out.join("recording.jsonl")).unwrap();
    let script = temp.path().join("script.jsonl");
    fs::write(&script, text.lines().filter(kept).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let again = temp.path().join("again");
    let link = Datagrams::new();
    let emulator = link.emulate(&["--script", script.to_str().unwrap(), "--out", again.to_str().unwrap()]);
    wait_for("the last control", || {
        fs::read_to_string(again.join("recording.jsonl")).is_ok_and(|text| text.contains("\"restore\"")).then_some(())
    });
    end(emulator, &again);
    let (_, replayed) = recording(&again);
    let wanted: Vec<_> = told.into_iter().filter(|(_, what)| what != "pause" && what != "resume").collect();
    assert_eq!(controls(&replayed), wanted);
}

#[test]
fn a_folder_holds_a_recording_a_capture_and_the_results() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let link = Datagrams::new();
    let emulator = link.emulate(&["--delay", "5ms", "--out", out.to_str().unwrap(), "--tolerance", "1h"]);
    for number in 0..20 {
        link.send(0, &frame(b'A', number));
        link.send(1, &frame(b'B', number));
    }
    for number in 0..20 {
        assert_eq!(link.receive(1), frame(b'A', number));
        assert_eq!(link.receive(0), frame(b'B', number));
    }
    let (results, state, said) = end(emulator, &out);
    assert!(said.contains("20 frames in = 20 delivered"), "{said}");
    assert_eq!(state.channels[0].lateness.samples, 20);
    let (header, events) = recording(&out);
    assert_eq!((header.clock.as_str(), header.channels.len()), ("wall", 2));
    let delivered = events.iter().filter(|s| matches!(s.event, Event::FrameDelivered { .. })).count();
    assert_eq!((delivered, results.recording_events), (40, events.len() as u64));
    let lines = tap::tshark(&out.join("capture.pcapng"), &["-T", "fields", "-e", "frame.number"]);
    assert!(lines.len() >= 40, "{} packets", lines.len());
    let junit = fs::read_to_string(out.join("junit.xml")).unwrap();
    assert!(junit.contains("<testsuite") && junit.contains("forward"), "{junit}");
    let json: Results = serde_json::from_str(&fs::read_to_string(out.join("results.json")).unwrap()).unwrap();
    assert!(json.timing.is_some_and(|timing| timing.samples == 20));
}

/// Sends 24 MB into an emulator with 4 MiB of memory and two seconds of light time.
fn floods(more: &[&str]) -> (Results, Snapshot, String) {
    // Six megabytes under way, at a rate at which a disk may stop for a second.
    const FRAMES: u32 = 8_000;
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let link = Datagrams::new();
    let mut arguments =
        vec!["--delay", "2s", "--memory", "4MiB", "--record", "control", "--out", out.to_str().unwrap()];
    arguments.extend(more);
    let socket = temp.path().join("control");
    arguments.extend(["--control", socket.to_str().unwrap()]);
    let emulator = link.emulate(&arguments);
    let reader = link.ends[1].try_clone().unwrap();
    thread::spawn(move || while reader.recv(&mut [0; 2000]).is_ok() {});
    let taken = || snapshot(&socket)["channels"][0]["counters"]["sent"]["frames"].as_u64().unwrap();
    let content = [0x55; 1200];
    // No faster than it takes them, so that none is lost before the emulator.
    for batch in 0..FRAMES / 100 {
        (0..100).for_each(|_| link.send(0, &content));
        thread::sleep(Duration::from_millis(40));
        if batch % 20 == 19 {
            wait_for("what was sent to be taken", || (taken() >= u64::from((batch + 1) * 100)).then_some(()));
        }
    }
    wait_for("the last frame to arrive", || {
        (snapshot(&socket)["channels"][0]["in_flight"]["frames"] == 0).then_some(())
    });
    let ended = end(emulator, &out);
    assert_eq!(ended.0.channels[0].sent.frames, u64::from(FRAMES));
    ended
}

#[test]
fn what_memory_does_not_hold_goes_to_the_disk_and_nothing_is_lost() {
    let temp = tempfile::tempdir().unwrap();
    let spill = temp.path().join("spill");
    fs::create_dir(&spill).unwrap();
    let (results, state, _) = floods(&["--spill", spill.to_str().unwrap()]);
    assert_eq!(results.channels[0].delivered.frames, 8_000, "{:?}", results.channels[0].lost);
    let store = state.store.expect("the store is told");
    let disk = store.spill.clone().expect("the disk is told");
    assert!(disk.written_bytes > 0 && disk.read_bytes > 0 && disk.lost.frames == 0, "{disk:?}");
    assert!(store.memory_peak_bytes <= store.memory_limit_bytes, "{store:?}");
    assert_eq!(fs::read_dir(&spill).unwrap().count(), 0, "what was spilled is cleaned up");
}

#[test]
fn without_a_disk_what_memory_does_not_hold_is_lost_counted_and_shown() {
    let (results, state, said) = floods(&[]);
    let lost = results.channels[0].lost[&LossCause::StoreFull].frames;
    assert!(lost > 0 && lost + results.channels[0].delivered.frames == 8_000, "{lost}");
    assert!(said.contains(&format!("{lost} delay store full")), "{said}");
    let store = state.store.expect("the store is told");
    assert!(store.memory_peak_bytes <= store.memory_limit_bytes, "{store:?}");
}

#[test]
fn a_link_of_a_scenario_is_carried_at_the_instant_that_is_asked_for() {
    let temp = tempfile::tempdir().unwrap();
    let link = Datagrams::new();
    let scenario = fixture("scenarios/mars-relay.yaml");
    let carry = |from: &str| {
        let (out, socket) = (temp.path().join(format!("out-{from}")), temp.path().join("control"));
        let text = format!("proximity = {} <> {}", link.port(0), link.port(1));
        let mut emulator = Running::start(
            farlink()
                .arg("emulate")
                .arg("--scenario")
                .arg(&scenario)
                .args(["--link", &text, "--from", from, "--out"])
                .arg(&out)
                .arg("--control")
                .arg(&socket),
        );
        emulator.wait_for_text("control: ");
        let state = snapshot(&socket);
        link.send(0, b"an image");
        wait_for("it to be taken", || {
            let now = snapshot(&socket);
            let counters = &now["channels"][0]["counters"];
            (counters["delivered"]["frames"] == 1 || counters["lost"]["no-contact"]["frames"] == 1).then_some(())
        });
        let (results, _, said) = end(emulator, &out);
        assert_eq!(results.scenario, "mars-relay");
        assert!(said.contains("lander→orbiter") && said.contains("orbiter→lander"), "{said}");
        (state, results)
    };
    // The orbiter rises for the first time at about 00:17.
    let (closed, results) = carry("1min");
    assert_eq!(closed["channels"][0]["open"], false);
    assert_eq!(results.channels[0].lost[&LossCause::NoContact].frames, 1);
    let (open, results) = carry("22min");
    assert_eq!((&open["channels"][0]["open"], &open["channels"][0]["rate_bps"]), (&true.into(), &2_000_000.into()));
    assert!(open["at_ns"].as_i64().unwrap() >= 22 * 60 * 1_000_000_000);
    assert_eq!(results.channels[0].delivered.frames, 1);
    assert_eq!(link.receive(1), b"an image");
}

#[test]
fn datagrams_go_through_the_samples_of_a_radio() {
    let temp = tempfile::tempdir().unwrap();
    let link = Datagrams::new();
    let scenario = temp.path().join("radio.yaml");
    let channel = "rate: 256 kbit/s, errors: { coding: { code: concatenated, eb_n0: 4 dB } }, radio: { frequency: 8.4 GHz, \
                   eirp: 40 dBW, gain_over_temperature: 30 dB/K, waveform: { modulation: qpsk } }";
    let text = format!(
        "scenario: radio\nepoch: 2026-12-15T00:00:00Z\nduration: 1 h\nnodes:\n  a: {{ eid: \"ipn:1.0\" }}\n  \
         b: {{ eid: \"ipn:2.0\" }}\nlinks:\n  space:\n    forward: {{ from: a, to: b, {channel} }}\n    \
         return: {{ from: b, to: a, rate: 64 kbit/s }}\n    light_time: 50 ms\n"
    );
    fs::write(&scenario, text).unwrap();
    let (out, socket) = (temp.path().join("out"), temp.path().join("control"));
    let ports = format!("space = {} <> {}", link.port(0), link.port(1));
    let mut emulator = Running::start(
        farlink()
            .args(["emulate", "--link", &ports, "--from", "30min", "--scenario"])
            .arg(&scenario)
            .arg("--out")
            .arg(&out)
            .arg("--control")
            .arg(&socket),
    );
    emulator.wait_for_text("control: ");
    let sent: Vec<Vec<u8>> = (0..20u8).map(|n| vec![n; 100 + 50 * usize::from(n)]).collect();
    for datagram in &sent {
        link.send(0, datagram);
    }
    for datagram in &sent {
        assert_eq!(link.receive(1), *datagram);
    }
    let (results, _, said) = end(emulator, &out);
    let channel = &results.channels[0];
    assert_eq!(channel.delivered.frames, 20, "{said}");
    // 50 ms of light, and at least a transfer frame of 1105 octets, which is 34.5 ms.
    let propagation = channel.delays.as_ref().expect("delays are told").propagation.mean_ns;
    assert!(propagation > 84_500_000, "{propagation}");
}

#[test]
fn what_cannot_be_carried_is_told_before_anything_runs() {
    let temp = tempfile::tempdir().unwrap();
    let scenario = fixture("scenarios/mars-relay.yaml");
    let scenario = scenario.to_str().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = format!("udp:{}", taken.local_addr().unwrap());
    let missing = temp.path().join("missing").display().to_string();
    let fails = |arguments: &[&str], says: &[&str]| {
        let (code, stdout, stderr) = finish(farlink().arg("emulate").args(arguments).args(["--for", "1s"]));
        assert!(code == 2 && says.iter().all(|says| stderr.contains(says)), "{arguments:?}: {code} {stdout}{stderr}");
        assert_eq!(stdout, "", "{arguments:?}");
    };
    let (a, b) = ("udp:127.0.0.1:0", "udp:127.0.0.1:0,to=127.0.0.1:9");
    let named = |name: &str| format!("{name} = {a} <> {b}");
    fails(&[], &["nothing to couple"]);
    fails(&[a], &["there is only the port", "name another"]);
    fails(&["--link", a], &["write its two ports with `<>` between"]);
    fails(&["usb:1", a], &["no kind of port"]);
    fails(&["--link", &named("proximity")], &["`proximity` has a name", "--scenario"]);
    fails(&["--scenario", scenario, "--link", &named("moon")], &["no link `moon`", "proximity", "deep-space"]);
    fails(&["--scenario", scenario, "--link", &format!("{a} <> {b}")], &["does not say which link", "proximity"]);
    let proximity = named("proximity");
    fails(&["--scenario", scenario, "--link", &proximity, "--link", &proximity], &["`proximity` is given ports twice"]);
    fails(&["--scenario", scenario, "--link", &proximity, "--delay", "1s"], &["--delay"]);
    fails(&[a, b, "--from", "1s"], &["--scenario"]);
    fails(&[&taken, b], &["is in use by another program", "ss -ulpn"]);
    fails(&[a, b, "--spill", &missing], &["there is no such directory", "make it"]);
    fails(&[a, b, "--memory", "1KiB"], &["too few for the delay store", "at least"]);
    fails(&[a, b, "--script", &missing], &["cannot read the script"]);
    fails(&[a, b, "--out", "/proc/nowhere"], &["/proc/nowhere"]);
    fails(&["eth:nosuch0", b], &["nosuch0"]);
    fails(&[a, "serial:/dev/nosuch,baud=9600"], &["framing"]);
}

#[test]
fn what_real_time_was_got_is_said() {
    let link = Datagrams::new();
    let emulator = link.emulate(&["--realtime", "--delay", "1ms"]);
    link.send(0, b"in time");
    assert_eq!(link.receive(1), b"in time");
    emulator.signal("INT");
    let ended = emulator.wait();
    for thing in ["thread 1: scheduling: ", "memory: ", "cores: ", "timer slack: "] {
        assert!(ended.stdout.contains(thing), "{}{}", ended.stdout, ended.stderr);
    }
    // It is asked for, so whatever was not got comes with a reason.
    assert!(!ended.stdout.contains("not asked for"), "{}", ended.stdout);
}

fn port<'a>(state: &'a Snapshot, kind: &str) -> &'a PortState {
    state.ports.iter().find(|port| port.name.starts_with(kind)).unwrap_or_else(|| panic!("no {kind}: {state:?}"))
}

/// Sends over UDP, which loses what comes while the far port is down, until one of it arrives.
fn until_it_comes(link: &Datagrams, content: &[u8], came: impl Fn() -> bool) {
    wait_for("a frame to come", || {
        link.send(0, content);
        thread::sleep(Duration::from_millis(20));
        came().then_some(())
    });
}

#[test]
fn a_serial_line_that_is_pulled_and_plugged_in_again_carries_again() {
    let temp = tempfile::tempdir().unwrap();
    let (theirs, ours, out) = (temp.path().join("theirs"), temp.path().join("ours"), temp.path().join("out"));
    let socket = temp.path().join("control");
    let link = Datagrams::new();
    let mut line = socat(&theirs, &ours);
    let text = format!("serial:{},baud=115200,framing=slip", theirs.display());
    let mut emulator = Running::start(
        farlink().args(["emulate", &link.port(0), &text, "--out"]).arg(&out).arg("--control").arg(&socket),
    );
    emulator.wait_for_text("control: ");
    let carries = |ours: &Path, content: &[u8]| {
        let mut terminal = OpenOptions::new().read(true).write(true).open(ours).unwrap();
        let mut reader = terminal.try_clone().unwrap();
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let written = seen.clone();
        thread::spawn(move || {
            let mut buffer = [0; 500];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                written.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        until_it_comes(&link, content, || seen.lock().unwrap().windows(content.len()).any(|window| window == content));
        terminal.write_all(&slip(&[content, b" back"].concat())).unwrap();
        assert_eq!(link.receive(0), [content, b" back"].concat());
    };
    carries(&ours, b"first");
    line.kill().unwrap();
    line.wait().unwrap();
    for link in [&theirs, &ours] {
        let _ = fs::remove_file(link);
    }
    wait_for("it to be down", || (snapshot(&socket)["ports"][1]["up"] == false).then_some(()));
    link.send(0, b"into the void");
    wait_for("the loss", || {
        (snapshot(&socket)["channels"][0]["counters"]["lost"]["port-down"]["frames"] == 1).then_some(())
    });
    let mut line = socat(&theirs, &ours);
    wait_for("it to be up", || (snapshot(&socket)["ports"][1]["up"] == true).then_some(()));
    carries(&ours, b"second");
    let (_, state, said) = end(emulator, &out);
    assert_eq!((port(&state, "serial").downs, port(&state, "udp").downs), (1, 0));
    assert!(said.contains("1 times down"), "{said}");
    line.kill().unwrap();
    line.wait().unwrap();
}

#[test]
fn a_connection_that_is_closed_and_opened_again_carries_again() {
    let temp = tempfile::tempdir().unwrap();
    let (out, socket) = (temp.path().join("out"), temp.path().join("control"));
    let link = Datagrams::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!("tcp:{},connect,framing=stcp", listener.local_addr().unwrap());
    let mut emulator = Running::start(
        farlink().args(["emulate", &link.port(0), &text, "--out"]).arg(&out).arg("--control").arg(&socket),
    );
    emulator.wait_for_text("control: ");
    for round in 0..2u8 {
        let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        wait_for("it to be up", || (snapshot(&socket)["ports"][1]["up"] == true).then_some(()));
        link.send(0, &[round; 50]);
        let mut bundle = [0; 54];
        stream.read_exact(&mut bundle).unwrap();
        assert_eq!((&bundle[..4], &bundle[4..]), (&[0, 0, 0, 50][..], &[round; 50][..]));
        stream.write_all(&[0, 0, 0, 2, round, 7]).unwrap();
        assert_eq!(link.receive(0), [round, 7]);
    }
    let down = wait_for("the second close to be told", || {
        let downs = snapshot(&socket)["ports"][1]["downs"].as_u64().unwrap();
        (downs >= 2).then_some(downs)
    });
    let (_, state, _) = end(emulator, &out);
    assert!(port(&state, "tcp").downs >= down && port(&state, "udp").downs == 0);
}

/// A network namespace with one end of a veth pair in it; the other is in that of the test.
struct Host {
    namespace: String,
    outside: String,
}

impl Host {
    fn empty() -> Self {
        let namespace = unique("fn");
        run(&["ip", "netns", "add", &namespace]);
        let inside = Host { outside: unique("fv"), namespace };
        inside.run(&["ip", "link", "set", "lo", "up"]);
        inside
    }

    fn with_veth(host: u8) -> Self {
        let inside = Host::empty();
        let Host { namespace, outside } = &inside;
        run(&["ip", "link", "add", outside, "type", "veth", "peer", "name", "box0", "netns", namespace]);
        run(&["ip", "link", "set", outside, "addrgenmode", "none"]);
        run(&["ip", "link", "set", outside, "up"]);
        inside.address(host);
        inside
    }

    fn address(&self, host: u8) {
        self.run(&["ip", "link", "set", "box0", "addrgenmode", "none"]);
        self.run(&["ip", "address", "add", &format!("10.78.0.{host}/24"), "dev", "box0"]);
        self.run(&["ip", "link", "set", "box0", "up"]);
    }

    fn run(&self, command: &[&str]) -> String {
        run(&[&["ip", "netns", "exec", &self.namespace], command].concat())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }

    /// Pings until there is an answer.
    fn reaches(&self, address: &str) {
        wait_for("an answer", || {
            finish(self.command("ping").args(["-n", "-c", "1", "-W", "2", address])).0.eq(&0).then_some(())
        });
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = finish(Command::new("ip").args(["link", "del", &self.outside]));
        let _ = finish(Command::new("ip").args(["netns", "del", &self.namespace]));
    }
}

/// The shortest round trip of some pings, in milliseconds.
fn ping(from: &Host, to: &str) -> f64 {
    let text = from.run(&["ping", "-n", "-c", "5", "-i", "0.2", "-W", "20", to]);
    assert!(text.contains("5 received"), "{text}");
    let times = text.lines().find_map(|line| line.strip_prefix("rtt min/avg/max/mdev = "));
    times.and_then(|times| times.split('/').next()?.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

/// `ping`, a file over TCP and `iperf3` between two boxes whose light time is 50 ms.
fn programs_run(a: &Host, b: &Host, folder: &Path) {
    a.reaches("10.78.0.2");
    let rtt = ping(a, "10.78.0.2");
    assert!(rtt >= 99.9, "faster than light: {rtt} ms");
    let (file, copy) = (folder.join("file"), folder.join("copy"));
    let content: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(&file, &content).unwrap();
    let receiver = Running::start(b.command("socat").args(["-u", "TCP-LISTEN:7000"]).arg(create(&copy)));
    wait_for("the receiver to listen", || b.run(&["ss", "-Hltn"]).contains(":7000").then_some(()));
    a.run(&["socat", "-u", &format!("OPEN:{}", file.display()), "TCP:10.78.0.2:7000"]);
    assert_eq!(receiver.wait().code, Some(0));
    assert!(fs::read(&copy).unwrap() == content, "the copy is another");
    let _server = Running::start(b.command("iperf3").args(["-s", "-1"]));
    wait_for("iperf3 to listen", || b.run(&["ss", "-Hltn"]).contains(":5201").then_some(()));
    let report: serde_json::Value =
        serde_json::from_str(&a.run(&["iperf3", "-c", "10.78.0.2", "-n", "1M", "-J"])).unwrap();
    // The receiver's figure is of when the sender had sent all, half a round trip before it had all.
    let bytes = |of: &str| report["end"][of]["bytes"].as_u64().unwrap_or(0);
    assert!(bytes("sum_sent") >= 1 << 20 && bytes("sum_received") > 0, "{report:#}");
}

fn create(path: &Path) -> String {
    format!("CREATE:{}", path.display())
}

#[test]
fn unmodified_programs_run_between_two_ethernet_interfaces_one_of_which_goes_down_and_up() {
    let temp = tempfile::tempdir().unwrap();
    let (out, socket) = (temp.path().join("out"), temp.path().join("control"));
    let (a, b) = (Host::with_veth(1), Host::with_veth(2));
    let (port_a, port_b) = (format!("eth:{}", a.outside), format!("eth:{}", b.outside));
    let mut emulator = Running::start(
        farlink()
            .args(["emulate", &port_a, &port_b, "--delay", "50ms", "--record", "control", "--out"])
            .arg(&out)
            .arg("--control")
            .arg(&socket),
    );
    emulator.wait_for_text("control: ");
    programs_run(&a, &b, temp.path());
    run(&["ip", "link", "set", &b.outside, "down"]);
    wait_for("it to be down", || (snapshot(&socket)["ports"][1]["up"] == false).then_some(()));
    assert_eq!(snapshot(&socket)["ports"][0]["up"], true);
    run(&["ip", "link", "set", &b.outside, "up"]);
    wait_for("it to be up", || (snapshot(&socket)["ports"][1]["up"] == true).then_some(()));
    a.reaches("10.78.0.2");
    let (_, state, _) = end(emulator, &out);
    assert_eq!((state.ports[0].downs, state.ports[1].downs), (0, 1), "{:?}", state.ports);
}

/// Two hosts with an interface each, and a serial line between them: an emulator at either end of it.
#[test]
fn unmodified_programs_run_over_tap_interfaces_and_a_serial_line() {
    let temp = tempfile::tempdir().unwrap();
    let (a, b) = (Host::empty(), Host::empty());
    let line: PathBuf = temp.path().join("line");
    let start = |inside: &Host, port: String, host: u8| {
        let mut command = inside.command(FARLINK);
        let mut emulator = Running::start(command.args(["emulate", "tap:box0", &port, "--delay", "25ms"]));
        emulator.wait_for_text("return: ");
        inside.address(host);
        emulator
    };
    let at_a = start(&a, format!("pty:{},framing=hdlc", line.display()), 1);
    let at_b = start(&b, format!("serial:{},baud=3000000,framing=hdlc", line.display()), 2);
    programs_run(&a, &b, temp.path());
    for emulator in [at_b, at_a] {
        emulator.signal("INT");
        let ended = emulator.wait();
        assert!(ended.stdout.contains(" delivered"), "{}{}", ended.stdout, ended.stderr);
        assert!(!ended.stdout.contains("unreadable"), "{}", ended.stdout);
    }
}
