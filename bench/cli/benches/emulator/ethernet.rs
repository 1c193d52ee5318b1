//! TCP through a bridge between two pairs of interfaces, each end in a network namespace of its own.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Options;
use crate::measure::median;
use crate::process::{Process, call};
use crate::programs::NO_LIMIT;

const NEAR: &str = "10.83.7.1";
const FAR: &str = "10.83.7.2";
const SPAN: Duration = Duration::from_secs(4);
const RUNS: usize = 3;
const GOAL_BPS: f64 = 1e9;

/// Two hosts and what stands between them. Everything is gone with this value.
struct Hosts {
    near: String,
    between: String,
    far: String,
}

impl Hosts {
    fn new() -> Result<Self, String> {
        let name = |part: &str| format!("flbench-{part}-{}", std::process::id());
        let hosts = Hosts { near: name("a"), between: name("e"), far: name("b") };
        for space in [&hosts.near, &hosts.between, &hosts.far] {
            call("ip", &["netns", "add", space])
                .map_err(|error| format!("network namespaces are needed, and root to make them: {error}"))?;
            inside(space, &["ip", "link", "set", "lo", "up"])?;
        }
        for (space, own, theirs, at) in [(&hosts.near, "node", "left", NEAR), (&hosts.far, "node", "right", FAR)] {
            let pair =
                ["link", "add", own, "netns", space, "type", "veth", "peer", "name", theirs, "netns", &hosts.between];
            call("ip", &pair)?;
            inside(space, &["ip", "address", "add", &format!("{at}/24"), "dev", own])?;
            inside(space, &["ip", "link", "set", own, "up"])?;
            inside(&hosts.between, &["ip", "link", "set", theirs, "up"])?;
        }
        Ok(hosts)
    }

    /// Whether the nodes give frames longer than the network takes to their interfaces, to be cut there, as most do; without,
    /// every frame is one that could be on a wire.
    fn offload(&self, on: bool) -> Result<(), String> {
        let state = if on { "on" } else { "off" };
        for (space, interface) in
            [(&self.near, "node"), (&self.far, "node"), (&self.between, "left"), (&self.between, "right")]
        {
            let switches = ["tso", "gso", "gro", "tx", "rx"].into_iter().flat_map(|feature| [feature, state]);
            let command: Vec<&str> = ["ethtool", "-K", interface].into_iter().chain(switches).collect();
            inside(space, &command)?;
        }
        Ok(())
    }

    /// The system's own bridge in the middle; to compare with.
    fn bridge(&self) -> Result<(), String> {
        inside(&self.between, &["ip", "link", "add", "bridge", "type", "bridge"])?;
        for interface in ["left", "right"] {
            inside(&self.between, &["ip", "link", "set", interface, "master", "bridge"])?;
        }
        inside(&self.between, &["ip", "link", "set", "bridge", "up"])?;
        Ok(())
    }

    fn remove_bridge(&self) -> Result<(), String> {
        inside(&self.between, &["ip", "link", "delete", "bridge"]).map(|_| ())
    }

    fn command(&self, space: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", space, program]);
        command
    }

    fn reachable(&self) -> bool {
        inside(&self.near, &["ping", "-c", "1", "-W", "1", FAR]).is_ok()
    }

    /// Bit/s of one TCP connection from the near host to the far one, and its retransmissions.
    fn tcp(&self) -> Result<(f64, u64), String> {
        let mut server = self.command(&self.far, "iperf3");
        server.args(["--server", "--one-off"]);
        let listens =
            || inside(&self.far, &["cat", "/proc/net/tcp", "/proc/net/tcp6"]).is_ok_and(|t| t.contains(":1451 "));
        let _server = Process::start("iperf3", server, listens)?;
        let seconds = SPAN.as_secs().to_string();
        let told = inside(&self.near, &["timeout", "30", "iperf3", "--client", FAR, "--time", &seconds, "--json"])?;
        let told: Value = serde_json::from_str(&told).map_err(|error| format!("iperf3 told no JSON: {error}"))?;
        let rate = told["end"]["sum_received"]["bits_per_second"].as_f64();
        let again = told["end"]["sum_sent"]["retransmits"].as_u64().unwrap_or_default();
        rate.map(|rate| (rate, again)).ok_or_else(|| format!("iperf3 told no rate: {}", told["error"]))
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for space in [&self.near, &self.between, &self.far] {
            let _ = call("ip", &["netns", "delete", space]);
        }
    }
}

fn inside(space: &str, command: &[&str]) -> Result<String, String> {
    let arguments: Vec<&str> = ["netns", "exec", space].into_iter().chain(command.iter().copied()).collect();
    call("ip", &arguments)
}

pub fn measure(options: &Options) -> Result<Value, String> {
    println!(
        "One TCP connection of iperf3 between two network namespaces, {} s, medians of {RUNS} runs; the emulator at zero delay.\n",
        SPAN.as_secs()
    );
    let hosts = Hosts::new()?;
    println!("| interfaces | between | Gbit/s: min | median | max | retransmissions | its cores |");
    println!("|---|---|---|---|---|---|---|");
    let mut all = serde_json::Map::new();
    let mut verdicts = Vec::new();
    for (offload, interfaces) in [(true, "as they are"), (false, "without offloads")] {
        hosts.offload(offload)?;
        hosts.bridge()?;
        let bridge = row(interfaces, "the system's bridge", None, &hosts)?;
        hosts.remove_bridge()?;
        let mut command = hosts.command(&hosts.between, &options.emulator.display().to_string());
        command.args(["emulate", "eth:left", "eth:right", "--delay", "0s", "--rate", NO_LIMIT, "--format", "json"]);
        let mut process = Process::start("emulate", command, || hosts.reachable())?;
        let (own, value) = row(interfaces, "farlink emulate", Some(&process), &hosts)?;
        process.check()?;
        process.stop()?;
        let met = if own >= GOAL_BPS { "met" } else { "missed" };
        verdicts.push(format!("farlink emulate, interfaces {interfaces}: {:.2} Gbit/s (goal: 1: {met})", own / 1e9));
        all.insert(interfaces.into(), json!({ "the system's bridge": bridge.1, "farlink emulate": value }));
    }
    println!();
    verdicts.iter().for_each(|line| println!("{line}"));
    all.insert("goal_bps".into(), json!(GOAL_BPS));
    Ok(all.into())
}

fn row(interfaces: &str, between: &str, process: Option<&Process>, hosts: &Hosts) -> Result<(f64, Value), String> {
    let cpu = process.map_or(0.0, Process::cpu_seconds);
    let runs = (0..RUNS).map(|_| hosts.tcp()).collect::<Result<Vec<_>, _>>()?;
    let cores = process.map(|p| (p.cpu_seconds() - cpu) / (SPAN.as_secs_f64() * RUNS as f64));
    let rates: Vec<f64> = runs.iter().map(|run| run.0).collect();
    let again: u64 = runs.iter().map(|run| run.1).sum();
    let middle = median(rates.clone());
    println!(
        "| {interfaces} | {between} | {:.2} | {:.2} | {:.2} | {again} | {} |",
        rates.iter().copied().fold(f64::INFINITY, f64::min) / 1e9,
        middle / 1e9,
        rates.iter().copied().fold(0.0, f64::max) / 1e9,
        cores.map_or_else(String::new, |cores| format!("{cores:.2}"))
    );
    Ok((middle, json!({ "bps": rates, "retransmissions": again, "cores": cores })))
}
