//! TCP over the emulator, between two network namespaces, and LTP over the same channel.
//!
//! Two hosts of the system's own TCP are joined by TAP interfaces and the emulator; `iperf3` measures how much arrives. LTP is measured
//! under the virtual clock over a channel of the same rate, light time and error ratio, in the same span, with bundles offered without end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use farlink_channel_models::{CongestionAvoidance, tcp_throughput_bound_bps};
use farlink_record::results::Verdict;
use farlink_units::{Duration, Ratio, Size};

use super::{Emulator, Scratch, Watched, wait_until};
use crate::outcome::Headline;
use crate::pair::{Given, Pair};
use crate::plan::{TcpPoint, capacity_bps};
use crate::run::Repetition;
use crate::stats::Summary;

/// What an Ethernet frame of 1514 octets holds of TCP with time stamps: without headers of Ethernet, IPv4 and TCP.
const FRAME_BYTES: f64 = 1514.0;
const SEGMENT_BYTES: u64 = 1448;
/// Frames on the way out that are lost, which TCP makes out of bit errors.
fn frame_loss(point: &TcpPoint) -> f64 {
    -(FRAME_BYTES * 8.0 * (-point.ber).ln_1p()).exp_m1()
}

/// The most that TCP can bring: what the link carries of it, and with losses what Mathis and others (1997) give for Reno, which is told
/// beside it. CUBIC and its successors may do better than that where the round trip is long, so only the link bounds.
pub(crate) fn headline(point: &TcpPoint, figures: &BTreeMap<String, Summary>) -> Option<Headline> {
    let share = SEGMENT_BYTES as f64 / FRAME_BYTES;
    let bound = point.rate.bps() as f64 * share * (1.0 - frame_loss(point));
    let tcp = figures.get("tcp_goodput_bps")?;
    // A run of few frames may lose fewer of them than it should: they are independent, so their number is binomial. And iperf3 counts in
    // its own time, to some milliseconds.
    let (loss, seconds) = (frame_loss(point), point.span.as_secs_f64());
    let frames = point.rate.bps() as f64 * seconds / (FRAME_BYTES * 8.0);
    let by_luck = (frames * loss * (1.0 - loss)).sqrt() * SEGMENT_BYTES as f64 * 8.0 / seconds;
    let deviation = by_luck.hypot(bound * 0.005);
    Some(Headline::of_yield("tcp_goodput_bps", tcp, bound, deviation, "link rate less overhead and repetition"))
}

/// What is needed and missing.
fn missing(congestion_control: &str) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("TCP is measured between network namespaces, which takes root".to_owned());
    }
    let there = |program: &str, words: &[&str]| {
        Command::new(program).args(words).stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
    };
    if !there("iperf3", &["--version"]) {
        return Some("iperf3 is not installed (Debian: iperf3)".to_owned());
    }
    if !there("ip", &["-V"]) {
        return Some("ip is not installed (Debian: iproute2)".to_owned());
    }
    let offered = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap_or_default();
    if !offered.split_whitespace().any(|name| name == congestion_control) {
        let offered = offered.trim();
        return Some(format!(
            "this kernel does not offer `{congestion_control}` but {offered}: `modprobe tcp_{congestion_control}`, or name another"
        ));
    }
    None
}

pub(crate) fn run(point: &TcpPoint, seed: u64, farlink: &Path, stop: &AtomicBool) -> Repetition {
    if let Some(why) = missing(&point.congestion_control) {
        return Repetition::refused(Verdict::Skipped, why);
    }
    match attempt(point, seed, farlink, stop) {
        Ok(repetition) => repetition,
        Err((verdict, why)) => Repetition::refused(verdict, why),
    }
}

/// A network namespace, which goes with its owner.
struct Namespace(String);

impl Namespace {
    fn new(name: String) -> Result<Self, String> {
        ip(&["netns", "add", &name])?;
        let namespace = Namespace(name);
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    fn ip(&self, words: &[&str]) -> Result<(), String> {
        ip(&[&["-n", &self.0], words].concat())
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]).args(words);
        command
    }

    fn run(&self, program: &str, words: &[&str]) -> Result<Output, String> {
        let output = self.command(program, words).stdin(Stdio::null()).output();
        output.map_err(|error| format!("{program}: {error}"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", &self.0]);
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let output =
        Command::new("ip").args(words).stdin(Stdio::null()).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`ip {}`: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

fn attempt(point: &TcpPoint, seed: u64, farlink: &Path, stop: &AtomicBool) -> Result<Repetition, (Verdict, String)> {
    let broken = |why: String| (Verdict::BenchError, why);
    let scratch = Scratch::new(seed).map_err(|error| broken(format!("no folder for the run: {error}")))?;
    let number = format!("{}n{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let taps = ["a", "b"].map(|end| format!("ft{end}{number}"));
    let words = [
        format!("tap:{}", taps[0]),
        format!("tap:{}", taps[1]),
        format!("--delay={}s", point.light_time.as_secs_f64()),
        format!("--rate={}bit/s", point.rate.bps()),
        format!("--ber={}", point.ber),
        format!("--seed={}", seed >> 1),
        format!("--tolerance={}s", point.tolerance.as_secs_f64()),
        // A bandwidth-delay product and more: what TCP loses it loses to errors.
        format!("--queue={}B", (point.rate.bps() as f64 / 4.0 * point.light_time.as_secs_f64()).max(1e6) as u64),
    ];
    let emulator = Emulator::start(farlink, &words, scratch.path()).map_err(broken)?;
    let hosts = ["a", "b"].map(|end| Namespace::new(format!("farlink-{end}{number}")));
    let [a, b] = hosts;
    let (a, b) = (a.map_err(broken)?, b.map_err(broken)?);
    for (host, tap, address) in [(&a, &taps[0], "10.79.0.1/24"), (&b, &taps[1], "10.79.0.2/24")] {
        let moved = ip(&["link", "set", tap, "netns", &host.0])
            .and_then(|()| host.ip(&["link", "set", tap, "addrgenmode", "none"]))
            .and_then(|()| host.ip(&["address", "add", address, "dev", tap]))
            .and_then(|()| host.ip(&["link", "set", tap, "up"]));
        moved.map_err(broken)?;
    }
    let mut server = b.command("iperf3", &["-s", "-1"]);
    let mut server = Watched::start(server.stdout(Stdio::null()), "iperf3").map_err(broken)?;
    wait_until("a listening iperf3", stop, || {
        b.run("ss", &["-Hltn"]).is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(":5201"))
    })
    .map_err(broken)?;
    let seconds = point.span.as_secs_f64().round().max(1.0).to_string();
    let connect_ms = (point.light_time.as_secs_f64() * 8e3 + 10e3).round().to_string();
    let algorithm = &point.congestion_control;
    let arguments = ["-c", "10.79.0.2", "-t", &seconds, "-J", "--connect-timeout", &connect_ms, "-C", algorithm];
    let client = a.run("iperf3", &arguments).map_err(broken)?;
    let report: serde_json::Value =
        serde_json::from_slice(&client.stdout).map_err(|error| broken(format!("iperf3 printed no JSON: {error}")))?;
    let _ = server.end();
    emulator.finish()?;
    if let Some(error) = report["error"].as_str() {
        // A connection that never comes about carries nothing: that is what TCP does here.
        return Err((Verdict::Fail, format!("iperf3: {error}")));
    }
    let sum = &report["end"]["sum_received"];
    let (Some(bytes), Some(seconds)) = (sum["bytes"].as_f64(), sum["seconds"].as_f64().filter(|s| *s > 0.0)) else {
        return Err(broken("iperf3 tells nothing of what was received".to_owned()));
    };
    let again = report["end"]["sum_sent"]["retransmits"].as_f64().unwrap_or(0.0);
    let ltp = ltp(point, seed).ok_or_else(|| broken("LTP brought nothing".to_owned()))?;
    let reno = reno_bound_bps(point);
    let mut figures =
        vec![("tcp_goodput_bps", bytes * 8.0 / seconds), ("tcp_retransmissions", again), ("ltp_goodput_bps", ltp)];
    figures.extend(reno.map(|bps| ("tcp_reno_bound_bps", bps)));
    Ok(Repetition { figures, ..Repetition::default() })
}

/// What congestion avoidance with independent losses and delayed acknowledgments sustains; `None` without losses.
fn reno_bound_bps(point: &TcpPoint) -> Option<f64> {
    let loss = Ratio::new(frame_loss(point)).filter(|loss| loss.get() > 0.0)?;
    let round_trip = point.light_time + point.light_time;
    let bound =
        tcp_throughput_bound_bps(Size::from_bytes(SEGMENT_BYTES), round_trip, loss, CongestionAvoidance::RandomDelayed);
    Some(bound).filter(|bps| bps.is_finite())
}

/// What LTP brings over the same channel in the same span, in bit/s: what was delivered within it over the span.
fn ltp(point: &TcpPoint, seed: u64) -> Option<f64> {
    let mut pair = Pair {
        light_time: point.light_time,
        ber: point.ber,
        rate: point.rate,
        rate_back: point.rate,
        segment_bytes: 1360,
        bundle_bytes: 16 << 10,
        block_bytes: None,
        sessions: None,
        given: Given::Amount(0),
    };
    // More than can be sent in the span, so that the link never waits.
    let amount = capacity_bps(&Pair { ber: 0.0, ..pair.clone() }) * point.span.as_secs_f64() / 8.0;
    pair.given = Given::Amount((amount as u64).max(1));
    let (measured, _) = pair.run(seed, false, None).ok()?;
    let span: Duration = point.span;
    let within = measured.delays_s.iter().filter(|delay| **delay <= span.as_secs_f64()).count() as f64;
    Some(within * pair.bundle_bytes as f64 * 8.0 / span.as_secs_f64())
}
