//! What carries the datagrams from the sender to the receiver: the emulator, a peer, or nothing.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::ledger::{Account, Ledger};
use crate::load::{self, Flow, Load, Sending, Sent};
use crate::measure::Spread;
use crate::process::{Memory, Process, free_ports, socket_drops};

/// How quick the emulated link is where its rate is of no interest: a datagram of 1024 bytes takes 0.08 µs.
pub const NO_LIMIT: &str = "100Gbit/s";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Nothing: the sender sends to the receiver.
    Bare,
    /// This emulator, or another build of it, with more arguments.
    Farlink(PathBuf, Vec<String>),
    /// `udp-delay-sim` of HDTN.
    UdpDelaySim,
    /// `owltsim` of ION.
    Owltsim,
}

impl Program {
    pub fn name(&self) -> &'static str {
        match self {
            Program::Bare => "bare loopback",
            Program::Farlink(..) => "farlink emulate",
            Program::UdpDelaySim => "udp-delay-sim",
            Program::Owltsim => "owltsim",
        }
    }

    /// Where the program is, if it is installed: what an environment variable says, or the first in the search path.
    fn installed(&self) -> Option<OsString> {
        let variable = match self {
            Program::Bare => return None,
            Program::Farlink(path, _) => return Some(path.clone().into()),
            Program::UdpDelaySim => "UDP_DELAY_SIM",
            Program::Owltsim => "OWLTSIM",
        };
        let named = env::var_os(variable).map(PathBuf::from);
        let found = || {
            let folders = env::var_os("PATH")?;
            env::split_paths(&folders).map(|folder| folder.join(self.name())).find(|path| path.is_file())
        };
        named.or_else(found).filter(|path| path.is_file()).map(Into::into)
    }

    pub fn is_missing(&self) -> bool {
        *self != Program::Bare && self.installed().is_none()
    }

    /// Starts it so that it carries what comes in at a port, which is returned, to the port `to` after the delay.
    fn start(&self, to: u16, rate: u64, delay: Duration) -> Result<Option<(Process, u16)>, String> {
        let Some(path) = self.installed() else { return Ok(None) };
        let port = free_ports(1)?[0];
        let mut command = Command::new(path);
        match self {
            Program::Bare => return Ok(None),
            Program::Farlink(_, more) => {
                command.args(["emulate", "--forward", &format!("udp:127.0.0.1:{port}=127.0.0.1:{to}")]);
                command.args(["--delay", &format!("{}ms", delay.as_millis()), "--rate", NO_LIMIT, "--format", "json"]);
                command.args(more);
            }
            Program::UdpDelaySim => {
                // Room for all that is under way, twice.
                let room = (2.0 * rate as f64 * delay.as_secs_f64()) as u64 + 1000;
                command.args(["--remote-udp-hostname=127.0.0.1", &format!("--remote-udp-port={to}")]);
                command
                    .args([format!("--my-bound-udp-port={port}"), format!("--num-rx-udp-packets-buffer-size={room}")]);
                command.arg(format!("--send-delay-ms={}", delay.as_millis()));
            }
            Program::Owltsim => {
                // To, from, its port, where to, whole seconds, lose one in so many.
                let line = format!("2 1 {port} 127.0.0.1 {to} {} 0\n", delay.as_secs());
                let file = env::temp_dir().join(format!("farlink-bench-owltsim-{}-{port}", std::process::id()));
                std::fs::write(&file, line).map_err(|error| format!("{}: {error}", file.display()))?;
                command.arg(&file);
                let started = Process::on_udp(self.name(), command, &[port]);
                // It has read it: it listens.
                let _ = std::fs::remove_file(&file);
                return started.map(|process| Some((process, port)));
            }
        }
        Process::on_udp(self.name(), command, &[port]).map(|process| Some((process, port)))
    }
}

/// What one direction came to.
#[derive(Clone, Debug, Default)]
pub struct OneWay {
    pub sent: Sent,
    pub account: Account,
    /// Dropped by the system since the program's socket was full.
    pub dropped_before: u64,
    /// Dropped by the system since the receiver's socket was full: the bench's own fault.
    pub dropped_after: u64,
    /// Cores that the program used while the load ran.
    pub cores: f64,
    /// Of the program, when the last datagram had come.
    pub memory: Memory,
    /// What the emulator says of its own lateness (99 % and worst, in nanoseconds).
    pub own_word: Option<(i64, i64)>,
    /// Delay error by the kernel's stamp of the arrival, in nanoseconds.
    pub stamped: Spread,
    /// Delay error by the time at which the receiver had read it, in nanoseconds.
    pub read: Spread,
}

/// The emulator's own measure of how late it was, from what it prints as JSON at its end.
pub fn own_word(results: &str) -> Option<(i64, i64)> {
    let results: Value = serde_json::from_str(results).ok()?;
    let timing = results.get("timing")?;
    Some((timing["p99_ns"].as_i64()?, timing["max_ns"].as_i64()?))
}

/// One direction to measure.
#[derive(Clone, Copy, Debug)]
pub struct Direction {
    /// Datagrams a second, and the bytes of each.
    pub rate: u64,
    pub size: usize,
    pub span: Duration,
    pub delay: Duration,
    pub sending: Sending,
    /// See [`Load::rest`].
    pub rest: Duration,
}

/// Sends datagrams through a program, one way.
pub fn one_way(program: &Program, direction: Direction) -> Result<OneWay, String> {
    let Direction { rate, size, span, delay, sending, rest } = direction;
    let receiver = load::socket(0)?;
    let to = load::address(&receiver);
    let delay = if *program == Program::Bare { Duration::ZERO } else { delay };
    let mut started = program.start(to.port(), rate, delay)?;
    let port = started.as_ref().map_or(to.port(), |(_, port)| *port);
    let from = load::socket(0)?;
    from.set_nonblocking(false).map_err(|error| error.to_string())?;
    let flow = Flow { from, to: SocketAddrV4::new(*to.ip(), port), rate };
    let load = Load { flows: vec![flow], size, span, delay, sending, rest };
    let mut ledger = Ledger::new(delay);
    let cpu = started.as_ref().map_or(0.0, |(process, _)| process.cpu_seconds());
    let sent = load::run(&load, std::slice::from_ref(&receiver), |arrival| {
        ledger.take(arrival);
    })?;
    let mut outcome = OneWay { account: ledger.account(&sent), ..OneWay::default() };
    if let Some((process, port)) = &mut started {
        process.check()?;
        outcome.cores = (process.cpu_seconds() - cpu) / (sent.seconds + delay.as_secs_f64());
        outcome.memory = process.memory();
        outcome.dropped_before = socket_drops(*port).unwrap_or_default();
    }
    outcome.dropped_after = socket_drops(to.port()).unwrap_or_default();
    (outcome.stamped, outcome.read) = ledger.errors();
    outcome.sent = sent;
    if let (Some((process, _)), Program::Farlink(..)) = (started, program) {
        outcome.own_word = own_word(&process.stop()?);
    }
    Ok(outcome)
}
