//! UDP ports that cannot be had, far sides that do not listen, and frames of every length.
#![allow(missing_docs)]

mod common;

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use common::process::{Ended, Running, wait_for};
use common::*;

/// The most that UDP over IPv4 carries.
const LONGEST: usize = 65_507;

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> Option<Vec<u8>> {
    let mut buffer = vec![0; LONGEST + 1];
    socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
}

// Ports that cannot be had.

fn node(ltp: &str) -> Command {
    let mut command = farlink();
    command.args(["node", "--eid", "ipn:10.0", "--peer", "ipn:30.0=udp:9", "--for", "30s", "--ltp", ltp]);
    command
}

fn emulate(flags: &[&str]) -> Command {
    let mut command = farlink();
    command.args(["emulate", "--delay", "1ms", "--rate", "1Gbit/s", "--for", "30s"]).args(flags);
    command
}

/// Expects the command to end at once with all these words.
fn no_port(mut command: Command, words: &[&str]) {
    let ended = Running::start(&mut command).wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "expected `{word}` in:\n{}", ended.stderr);
    }
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let held = socket();
    let port = format!("udp:{}", held.local_addr().unwrap());
    let words = [port.as_str(), "in use by another program", "choose another"];
    let with = |flag| [&words[..], &[flag]].concat();
    no_port(node(&port), &words);
    let held_route = format!("{port}=127.0.0.1:9");
    no_port(emulate(&["--forward", &held_route]), &with("--forward"));
    no_port(emulate(&["--forward", "udp:0=127.0.0.1:9", "--return", &held_route]), &with("--return"));
}

#[test]
fn a_port_is_free_again_once_its_holder_has_ended() {
    let mut first = Running::start(&mut node("udp:0"));
    let port = listening(&mut first);
    no_port(node(&format!("udp:{port}")), &["in use"]);
    first.signal("INT");
    assert_eq!(first.wait().code, Some(0));
    let mut second = Running::start(&mut node(&format!("udp:{port}")));
    assert_eq!(listening(&mut second), port);
}

#[test]
fn an_address_of_another_machine_is_named_with_what_to_do() {
    // From the block that no machine has (RFC 5737).
    let words = ["udp:192.0.2.1:0", "no address of this machine", "`ip address`"];
    no_port(node("udp:192.0.2.1:0"), &words);
    no_port(emulate(&["--forward", "udp:192.0.2.1:0=127.0.0.1:9"]), &words);
}

#[test]
fn a_port_that_needs_a_privilege_is_named_with_what_to_do() {
    // In a network of its own, where the limit is the usual one, and with the privilege taken away even from root.
    let unprivileged = |command: Command| {
        let mut without = Command::new("unshare");
        without.args(["-rn", "setpriv", "--bounding-set", "-net_bind_service", "--inh-caps", "-net_bind_service"]);
        without.arg(command.get_program()).args(command.get_args());
        without
    };
    let probe = unprivileged(Command::new("true")).output().expect("unshare starts");
    assert!(
        probe.status.success(),
        "this system gives nobody a network of their own; allow user namespaces, or run as root:\n{}",
        String::from_utf8_lossy(&probe.stderr)
    );
    let words = ["no permission", "udp:0.0.0.0:80", "below 1024", "choose a higher one"];
    no_port(unprivileged(node("udp:0.0.0.0:80")), &words);
    no_port(unprivileged(emulate(&["--forward", "udp:0.0.0.0:80=127.0.0.1:9"])), &words);
}

// An emulator that runs.

fn listening(node: &mut Running) -> SocketAddr {
    node.wait_for_line("the node to listen", |line| {
        line.split_once("listens on udp:")?.1.split(' ').next()?.parse().ok()
    })
}

struct Emulator {
    process: Running,
    /// Where frames go in, by direction.
    ports: Vec<SocketAddr>,
}

fn emulator(routes_to: &[SocketAddr], flags: &[&str]) -> Emulator {
    let mut command = farlink();
    command.arg("emulate").args(flags);
    let names = ["forward", "return"];
    for (name, to) in names.iter().zip(routes_to) {
        command.arg(format!("--{name}")).arg(format!("udp:0={to}"));
    }
    let mut process = Running::start(&mut command);
    let mut ports = Vec::new();
    for (name, _) in names.iter().zip(routes_to) {
        let begin = format!("{name}: udp:");
        ports.push(process.wait_for_line("the emulator to listen", |line| {
            line.strip_prefix(&begin)?.split_once([' ', ','])?.0.parse().ok()
        }));
    }
    Emulator { process, ports }
}

/// What one direction of the emulator says it has done.
#[derive(Debug)]
struct Counts {
    sent: u64,
    delivered: u64,
    bad_length: u64,
    others: u64,
}

/// Reads the counts of a direction and sees whether they add up.
fn counts(ended: &Ended, name: &str) -> Counts {
    let begin = format!("{name}: ");
    let line = ended.stdout.lines().find_map(|line| line.strip_prefix(&begin).filter(|l| l.contains("frames in =")));
    let line = line.unwrap_or_else(|| panic!("no counts of {name} in:\n{}", ended.stdout));
    let (sent, parts) = line.split_once(" frames in = ").unwrap();
    let parts: Vec<(u64, &str)> = parts
        .split(" + ")
        .map(|part| part.split_once(' ').map(|(number, what)| (number.parse().unwrap(), what)).unwrap())
        .collect();
    let sent: u64 = sent.parse().unwrap();
    assert_eq!(sent, parts.iter().map(|(number, _)| number).sum::<u64>(), "the counts do not add up: {line}");
    let of = |wanted: &str| parts.iter().find(|(_, what)| *what == wanted).map(|(number, _)| *number).unwrap();
    let (delivered, bad_length) = (of("delivered"), of("of bad length"));
    Counts { sent, delivered, bad_length, others: sent - delivered - bad_length }
}

#[test]
fn an_emulator_is_ended_by_ctrl_c_and_tells_balanced_counts() {
    let (a, b) = (socket(), socket());
    let to = [b.local_addr().unwrap(), a.local_addr().unwrap()];
    let Emulator { process, ports } = emulator(&to, &["--delay", "1ms,1h", "--rate", "10Mbit/s"]);
    for number in 0..20u8 {
        a.send_to(&[number; 100], ports[0]).unwrap();
        b.send_to(&[number; 100], ports[1]).unwrap();
    }
    let mut arrived = Vec::new();
    wait_for("all frames of the forward direction", || {
        arrived.extend(receive(&b));
        (arrived.len() == 20).then_some(())
    });
    assert!(
        arrived.iter().enumerate().all(|(number, frame)| *frame == [number as u8; 100]),
        "changed, or out of order"
    );
    process.signal("INT");
    let ended = process.wait();
    // 1 where the machine did not let it run in time, which it then says.
    let undisturbed = !ended.stdout.contains("the emulator did not get to run");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(i32::from(!undisturbed)), ""), "{ended:?}");
    let (forward, back) = (counts(&ended, "forward"), counts(&ended, "return"));
    assert_eq!((forward.sent, forward.delivered), (20, 20), "{forward:?}");
    // An hour away: still on their way.
    assert_eq!((back.sent, back.delivered, back.others), (20, 0, 20), "{back:?}");
}

#[test]
fn an_emulator_tells_programs_its_counts_as_json() {
    let far = socket();
    let to = format!("udp:0={}", far.local_addr().unwrap());
    let flags = ["--forward", &to, "--delay", "1ms", "--rate", "1Mbit/s", "--for", "100ms", "--format", "json"];
    let (code, stdout, stderr) = finish(farlink().arg("emulate").args(flags));
    assert_eq!(stderr, "");
    let printed: serde_json::Value = serde_json::from_str(&stdout).expect("nothing but JSON on standard output");
    let disturbed = !printed["emulator"]["disturbances"].as_array().expect("a list").is_empty();
    assert_eq!(code, i32::from(disturbed));
    let forward = &printed["channels"][0];
    assert_eq!((&forward["name"], &forward["balanced"]), (&"forward".into(), &true.into()));
    assert_eq!(forward["sent"]["frames"], 0);
}

#[test]
fn an_emulator_goes_on_when_the_far_side_does_not_listen_yet() {
    let near = socket();
    // A port that somebody had a moment ago and nobody has now.
    let far_address = socket().local_addr().unwrap();
    let Emulator { mut process, ports } = emulator(&[far_address], &["--delay", "1ms", "--rate", "10Mbit/s"]);
    // Each of these is refused by the far side's system.
    for number in 0..50u8 {
        near.send_to(&[number], ports[0]).unwrap();
    }
    // The far side appears, once the port is to be had, and hears what is sent from then on.
    let far = wait_for("the far port to be free", || UdpSocket::bind(far_address).ok());
    far.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut sent = 50;
    let heard = wait_for("a frame at the far side", || {
        process.assert_running("the far side appeared");
        near.send_to(b"are you there?", ports[0]).unwrap();
        sent += 1;
        std::iter::from_fn(|| receive(&far)).find(|frame| frame == b"are you there?")
    });
    assert_eq!(heard, b"are you there?");
    // And when it goes away again.
    drop(far);
    for number in 0..50u8 {
        near.send_to(&[number], ports[0]).unwrap();
    }
    sent += 50;
    let far = wait_for("the far port to be free", || UdpSocket::bind(far_address).ok());
    far.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    wait_for("a frame at the far side", || {
        process.assert_running("the far side came back");
        near.send_to(b"still there?", ports[0]).unwrap();
        sent += 1;
        std::iter::from_fn(|| receive(&far)).find(|frame| frame == b"still there?")
    });
    process.signal("INT");
    let ended = process.wait();
    let disturbed = ended.stdout.contains("the emulator did not get to run");
    assert_eq!(ended.code, Some(i32::from(disturbed)), "{ended:?}");
    let counts = counts(&ended, "forward");
    assert!(counts.sent <= sent && counts.delivered > 0 && counts.bad_length == 0, "{counts:?}, {sent} sent");
}

#[test]
fn a_node_goes_on_when_its_neighbour_does_not_listen_yet() {
    let neighbour = socket().local_addr().unwrap();
    let mut sender = Running::start(
        farlink()
            .args(["node", "--eid", "ipn:10.0", "--ltp", "udp:0", "--to", "ipn:30.1", "--for", "60s"])
            .args(["--peer", &format!("ipn:30.0=udp:{neighbour},margin=200ms"), "--send"])
            .arg(fixture("scenarios/long-haul.yaml")),
    );
    let port = listening(&mut sender);
    sender.wait_for_line("the file to be sent", |line| line.starts_with("sending ").then_some(()));
    let temp = tempfile::tempdir().unwrap();
    let receiver = Running::start(
        farlink()
            .args(["node", "--eid", "ipn:30.0", "--count", "1", "--for", "60s", "--ltp", &format!("udp:{neighbour}")])
            .args(["--peer", &format!("ipn:10.0=udp:{port},margin=200ms"), "--receive"])
            .arg(temp.path()),
    );
    let (received, sent) = (receiver.wait(), sender.wait());
    assert_eq!((received.code, sent.code), (Some(0), Some(0)), "{received:?}\n{sent:?}");
    let inbox: Vec<_> =
        std::fs::read_dir(temp.path()).unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap()).collect();
    assert!(inbox == [std::fs::read(fixture("scenarios/long-haul.yaml")).unwrap()]);
}

#[test]
fn a_node_ended_by_ctrl_c_says_whether_all_was_done() {
    let mut idle = Running::start(&mut node("udp:0"));
    listening(&mut idle);
    idle.signal("INT");
    assert_eq!(idle.wait().code, Some(0), "it had nothing to do");

    let temp = tempfile::tempdir().unwrap();
    let mut waiting = Running::start(node("udp:0").args(["--count", "1", "--receive"]).arg(temp.path()));
    listening(&mut waiting);
    waiting.signal("TERM");
    let ended = waiting.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("interrupted before all was done"), "{ended:?}");
}

#[test]
fn frames_of_every_length_arrive_or_are_counted() {
    let (near, far) = (socket(), socket());
    let to = [far.local_addr().unwrap()];
    let Emulator { process, ports } = emulator(&to, &["--delay", "1us", "--rate", "1Gbit/s"]);
    let lengths = [0, 1, 1472, 1473, 9000, 65_506, LONGEST];
    let frame = |length: usize| (0..length).map(|i| (i * 31 % 251) as u8).collect::<Vec<u8>>();
    for length in lengths {
        assert_eq!(near.send_to(&frame(length), ports[0]).unwrap(), length);
        // One at a time, so that nothing but the emulator decides what becomes of it.
        if length > 0 {
            let arrived = wait_for("the frame", || receive(&far));
            assert_eq!(arrived.len(), length);
            assert!(arrived == frame(length), "a frame of {length} bytes was changed");
        }
    }
    process.signal("INT");
    let ended = process.wait();
    let disturbed = ended.stdout.contains("the emulator did not get to run");
    assert_eq!(ended.code, Some(i32::from(disturbed)), "{ended:?}");
    let counts = counts(&ended, "forward");
    assert_eq!((counts.sent, counts.delivered, counts.bad_length, counts.others), (7, 6, 1, 0), "{counts:?}");
}
