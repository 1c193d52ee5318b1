//! Several links at once, both ways.

use std::net::{SocketAddrV4, UdpSocket};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Options;
use crate::ledger::Ledger;
use crate::load::{self, Flow, Load};
use crate::measure::{Spread, grouped, us};
use crate::process::{Process, free_ports, socket_drops};
use crate::programs::NO_LIMIT;

const SIZE: usize = 1024;
const DELAY: Duration = Duration::from_secs(1);
const SPAN: Duration = Duration::from_secs(10);
const LINKS: usize = 8;
const RATE: u64 = 5000;
const GOAL_P99_NS: i64 = 500_000;

/// Links with a node of the bench at both ends: end 2n of all is the near one of link n, 2n + 1 the far one.
pub struct Links {
    pub ends: Vec<UdpSocket>,
    /// The emulator's port before each end; empty when the ends send to each other.
    pub ports: Vec<u16>,
}

impl Links {
    pub fn new(links: usize, emulated: bool) -> Result<Self, String> {
        let ends = (0..2 * links).map(|_| load::socket(0)).collect::<Result<Vec<_>, _>>()?;
        let ports = if emulated { free_ports(2 * links)? } else { vec![] };
        Ok(Links { ends, ports })
    }

    /// Each end sends at a rate to its port, or to the other end.
    pub fn flows(&self, rate: u64) -> Result<Vec<Flow>, String> {
        let flow = |(index, end): (usize, &UdpSocket)| {
            let port = self.ports.get(index).copied().unwrap_or_else(|| load::address(&self.ends[index ^ 1]).port());
            let from = end.try_clone().map_err(|error| error.to_string())?;
            Ok(Flow { from, to: SocketAddrV4::new(*load::address(end).ip(), port), rate })
        };
        self.ends.iter().enumerate().map(flow).collect()
    }

    /// Starts the emulator with all the links.
    pub fn emulate(&self, options: &Options, more: &[&str]) -> Result<Process, String> {
        let mut command = Command::new(&options.emulator);
        command.arg("emulate");
        let text =
            |index: usize| format!("udp:127.0.0.1:{},to={}", self.ports[index], load::address(&self.ends[index]));
        for link in 0..self.ends.len() / 2 {
            command.args(["--link", &format!("{} <> {}", text(2 * link), text(2 * link + 1))]);
        }
        command.args(["--delay", "1s", "--rate", NO_LIMIT, "--format", "json"]).args(more);
        Process::on_udp("emulate", command, &self.ports)
    }

    /// What the system dropped at the emulator's sockets, and at those of the bench.
    pub fn drops(&self) -> (u64, u64) {
        let before = self.ports.iter().filter_map(|port| socket_drops(*port)).sum();
        let after = self.ends.iter().filter_map(|end| socket_drops(load::address(end).port())).sum();
        (before, after)
    }
}

pub fn measure_eight(options: &Options) -> Result<Value, String> {
    println!(
        "{LINKS} links, both ways, datagrams of {SIZE} bytes, {} a second in each direction ({} in all), 1 s delay, {} s.\n",
        grouped(RATE),
        grouped(RATE * 2 * LINKS as u64),
        SPAN.as_secs()
    );
    println!(
        "| | sent | lost | of it: in its sockets | in the bench's | arrival | p50 | p99 | p99.9 | max | its cores | sender late: p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut all = serde_json::Map::new();
    let mut verdict = String::new();
    for emulated in [false, true] {
        let name = if emulated { "farlink emulate" } else { "bare loopback" };
        let links = Links::new(LINKS, emulated)?;
        let mut process = if emulated { Some(links.emulate(options, &[])?) } else { None };
        let delay = if emulated { DELAY } else { Duration::ZERO };
        let load = Load {
            flows: links.flows(RATE)?,
            size: SIZE,
            span: SPAN,
            delay,
            sending: options.sending,
            rest: Duration::ZERO,
        };
        let mut ledger = Ledger::new(delay);
        let cpu = process.as_ref().map_or(0.0, Process::cpu_seconds);
        let sent = load::run(&load, &links.ends, |arrival| {
            ledger.take(arrival);
        })?;
        let cores = process.as_ref().map_or(0.0, |p| (p.cpu_seconds() - cpu) / (sent.seconds + delay.as_secs_f64()));
        if let Some(process) = &mut process {
            process.check()?;
        }
        let (account, (before, after)) = (ledger.account(&sent), links.drops());
        let (stamped, read) = ledger.errors();
        for (way, spread) in [("kernel's stamp", stamped), ("as read", read)] {
            println!(
                "| {name} | {} | {} | {before} | {after} | {way} | {} | {} | {} | {} | {cores:.2} | {} |",
                grouped(account.sent),
                grouped(account.lost()),
                us(spread.p50),
                us(spread.p99),
                us(spread.p999),
                us(spread.max),
                us(sent.lateness.p99),
            );
        }
        if let Some(process) = process {
            process.stop()?;
            let met = |met: bool| if met { "met" } else { "missed" };
            verdict = format!(
                "farlink emulate: {} lost (goal: none: {}), p99 {} (goal: at most {}: {})",
                account.lost(),
                met(account.lost() == 0 && account.sent > 0),
                us(stamped.p99),
                us(GOAL_P99_NS),
                met(stamped.p99 <= GOAL_P99_NS)
            );
        }
        let value = outcome_json(&account, (before, after), &stamped, &read, cores, &sent);
        all.insert(name.into(), value);
    }
    println!("\n{verdict}");
    all.insert("goal".into(), json!({ "lost": 0, "p99_ns": GOAL_P99_NS }));
    Ok(all.into())
}

fn outcome_json(
    account: &crate::ledger::Account,
    drops: (u64, u64),
    stamped: &Spread,
    read: &Spread,
    cores: f64,
    sent: &load::Sent,
) -> Value {
    json!({
        "sent": account.sent,
        "sent_per_s": sent.rate(),
        "lost": account.lost(),
        "duplicates": account.duplicates,
        "out_of_order": account.out_of_order,
        "dropped_in_its_sockets": drops.0,
        "dropped_in_receivers_sockets": drops.1,
        "kernel's stamp": stamped.json_ns(),
        "as read": read.json_ns(),
        "cores": cores,
        "sender_lateness": sent.lateness.json_ns(),
        "sender_left_out_s": sent.left_out_s,
    })
}
