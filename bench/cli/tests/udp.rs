//! Two node processes with the emulator between them, over UDP on loopback, in real time.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;

/// A process that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(command: &mut Command) -> Self {
        Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts"))
    }

    /// Waits for a line that begins so; what came before is dropped.
    fn wait_for_line(&mut self, start: &str) -> String {
        let stdout = self.0.stdout.as_mut().expect("standard output is a pipe");
        let mut lines = BufReader::with_capacity(1, stdout).lines();
        lines.find_map(|line| line.ok().filter(|l| l.starts_with(start))).unwrap_or_else(|| panic!("no line {start:?}"))
    }

    fn interrupt(&self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    }

    /// Waits for the end; returns the exit code and what was printed.
    fn finish(mut self, patience: Duration) -> (i32, String, String) {
        let deadline = Instant::now() + patience;
        while self.0.try_wait().expect("the process can be waited for").is_none() {
            assert!(Instant::now() < deadline, "the process does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let read = |pipe: Option<&mut dyn std::io::Read>| {
            let mut text = String::new();
            if let Some(pipe) = pipe {
                pipe.read_to_string(&mut text).expect("output is text");
            }
            text
        };
        let stdout = read(self.0.stdout.as_mut().map(|p| p as _));
        let stderr = read(self.0.stderr.as_mut().map(|p| p as _));
        let status = self.0.wait().expect("the process has ended");
        (status.code().unwrap_or(-1), stdout, stderr)
    }
}

/// Ports that nobody has right now. They are held together, so they differ.
fn free_ports<const N: usize>() -> [u16; N] {
    let sockets = [(); N].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port is free"));
    sockets.map(|s| s.local_addr().expect("a bound socket has an address").port())
}

fn write_payload(path: &Path, bytes: usize) {
    let data: Vec<u8> = (0..bytes as u64).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    fs::write(path, data).expect("the payload can be written");
}

#[test]
fn a_file_crosses_two_light_seconds_with_errors_and_arrives_as_it_was() {
    let temp = tempfile::tempdir().unwrap();
    let payload = temp.path().join("payload.bin");
    write_payload(&payload, 400_000);
    let inbox = temp.path().join("inbox");
    let [sender, receiver, forward, back] = free_ports();

    let mut emulator = Running::start(
        farlink()
            .args(["emulate", "--delay", "2s", "--rate", "2Mbit/s", "--ber", "1e-5", "--for", "150 s"])
            .args(["--format", "json"])
            .args(["--forward", &format!("udp:{forward}=127.0.0.1:{receiver}")])
            .args(["--return", &format!("udp:{back}=127.0.0.1:{sender}")]),
    );
    let mut station = Running::start(
        farlink()
            .args(["node", "--eid", "ipn:30.0", "--ltp", &format!("udp:{receiver}"), "--status-reports"])
            .args(["--peer", &format!("ipn:10.0=udp:{back},light-time=2s,rate=2Mbit/s")])
            .args(["--receive"])
            .arg(&inbox)
            .args(["--count", "1", "--for", "120 s"]),
    );
    station.wait_for_line("ipn:30.0 listens");
    let begun = Instant::now();
    let lander = Running::start(
        farlink()
            .args(["node", "--eid", "ipn:10.0", "--ltp", &format!("udp:{sender}"), "--to", "ipn:30.1", "--report"])
            .args(["--peer", &format!("ipn:30.0=udp:{forward},light-time=2s,rate=1.5Mbit/s")])
            .args(["--for", "120 s", "--send"])
            .arg(&payload),
    );
    let said = station.wait_for_line("received");
    // Two seconds of light and 400 kB at 1.5 Mbit/s.
    assert!(begun.elapsed() > Duration::from_millis(4100), "faster than light: {:?}", begun.elapsed());
    let (code, stdout, stderr) = lander.finish(Duration::from_secs(120));
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("the neighbour has all 400000 bytes"), "{stdout}");
    assert!(stdout.contains("reports on") && stdout.contains("delivered"), "{stdout}");
    let (code, _, stderr) = station.finish(Duration::from_secs(60));
    assert_eq!(code, 0, "{stderr}");

    let files: Vec<_> = fs::read_dir(&inbox).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(fs::read(&files[0]).unwrap() == fs::read(&payload).unwrap(), "{said}");

    emulator.interrupt();
    let stdout = emulator.0.stdout.take().unwrap();
    let report: serde_json::Value = serde_json::from_reader(stdout).expect("JSON and nothing else");
    // 1 where the machine did not let it run in time, which it then says.
    assert!(matches!(emulator.0.wait().unwrap().code(), Some(0 | 1)), "{report:#}");
    let forward = &report["channels"][0];
    assert_eq!((&forward["name"], &report["channels"][1]["name"]), (&"forward".into(), &"return".into()));
    assert_eq!(forward["balanced"], true, "{report:#}");
    // 400 kB are 3.2 Mbit: some thirty flips, and as many frames lost.
    let lost = forward["lost"]["bit-errors"]["frames"].as_u64().expect("frames are lost to bit errors");
    assert!((5..150).contains(&lost), "{report:#}");
}

#[test]
fn what_comes_in_leaves_one_delay_later_and_not_before() {
    let [into, out] = free_ports();
    let sink = UdpSocket::bind(("127.0.0.1", out)).unwrap();
    sink.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut emulator = Running::start(
        farlink()
            .args(["emulate", "--delay", "500 ms", "--rate", "80 kbit/s", "--for", "60 s"])
            .args(["--forward", &format!("udp:{into}=127.0.0.1:{out}")]),
    );
    emulator.wait_for_line("forward:");
    let source = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent = Instant::now();
    // 1000 bytes at 80 kbit/s take 100 ms each, one after the other.
    for number in 0..3u8 {
        source.send_to(&[number; 1000], ("127.0.0.1", into)).unwrap();
    }
    let mut buffer = [0; 2000];
    for number in 0..3u8 {
        assert_eq!(sink.recv(&mut buffer).unwrap(), 1000);
        assert_eq!(buffer[..1000], [number; 1000], "order is kept");
        let earliest = Duration::from_millis(500 + 100 * (u64::from(number) + 1));
        assert!(sent.elapsed() >= earliest, "frame {number} is early: {:?}", sent.elapsed());
    }
    emulator.interrupt();
    let (code, stdout, stderr) = emulator.finish(Duration::from_secs(20));
    // 1 where the machine did not let it run in time, which it then says.
    assert!(code == 0 || stdout.contains("the emulator did not get to run"), "{stdout}{stderr}");
    assert!(stdout.contains("3 frames in = 3 delivered"), "{stdout}");
}

#[test]
fn a_chain_of_three_nodes_forwards_what_is_not_its_own() {
    let temp = tempfile::tempdir().unwrap();
    let payload = temp.path().join("payload.bin");
    write_payload(&payload, 100_000);
    let inbox = temp.path().join("inbox");
    let [a, b, c] = free_ports();
    let mut relay = Running::start(
        farlink().args(["node", "--eid", "ipn:20.0", "--ltp", &format!("udp:{b}"), "--for", "90 s"]).args([
            "--peer",
            &format!("ipn:10.0=udp:{a}"),
            "--peer",
            &format!("ipn:30.0=udp:{c}"),
        ]),
    );
    relay.wait_for_line("ipn:20.0 listens");
    let mut station = Running::start(
        farlink()
            .args(["node", "--eid", "ipn:30.0", "--ltp", &format!("udp:{c}"), "--count", "1", "--for", "60 s"])
            .args(["--peer", &format!("ipn:20.0=udp:{b}"), "--receive"])
            .arg(&inbox),
    );
    station.wait_for_line("ipn:30.0 listens");
    let lander = Running::start(
        farlink()
            .args(["node", "--eid", "ipn:10.0", "--ltp", &format!("udp:{a}"), "--to", "ipn:30.1", "--for", "60 s"])
            .args(["--peer", &format!("ipn:20.0=udp:{b}"), "--send"])
            .arg(&payload),
    );
    station.wait_for_line("received 100000 bytes from ipn:10.1");
    let (code, stdout, stderr) = lander.finish(Duration::from_secs(60));
    assert_eq!(code, 0, "{stdout}{stderr}");
    let file = fs::read_dir(&inbox).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read(file).unwrap() == fs::read(&payload).unwrap());
}

#[test]
fn a_sender_whom_nobody_hears_says_that_it_is_not_done() {
    let temp = tempfile::tempdir().unwrap();
    let payload = temp.path().join("payload.bin");
    write_payload(&payload, 1000);
    let [me, nobody] = free_ports();
    let (code, _, stderr) = finish(
        farlink()
            .args(["node", "--eid", "ipn:10.0", "--ltp", &format!("udp:{me}"), "--to", "ipn:30.1", "--for", "1 s"])
            .args(["--peer", &format!("ipn:30.0=udp:{nobody}"), "--send"])
            .arg(&payload),
    );
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("time is up before all was done"), "{stderr}");
}
