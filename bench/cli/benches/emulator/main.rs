//! The emulator as a black box, with its peers beside it.
//!
//! `cargo bench -p farlink --bench emulator -- [CASES…]` starts the release command as a process, sends through it with real
//! sockets, and prints a table per case with the goal beside it; `bench/BENCHMARKS.md` keeps the figures. Nothing fails for
//! being slow: a machine under load would make that a coin toss. What cannot be measured is told, and then the exit code is 1.
//!
//! | case | what | about |
//! |---|---|---|
//! | `loss` | rising rates, one way: the highest without loss | 100 s |
//! | `error-1k`, `error-50k` | delay error above bare loopback at 1,000 and 50,000 datagrams a second | 50 s each |
//! | `eight` | eight links both ways at 5,000 datagrams a second each | 20 s |
//! | `serial` | 3 Mbaud both ways between two pseudo-terminals | 15 s |
//! | `ethernet` | TCP through a bridge between two pairs of interfaces, in network namespaces (`iperf3`, `ethtool`; root) | 60 s |
//! | `spill` | 400 Mbit/s over 60 s of delay, 256 MiB in memory and the rest on disk (3 GB) | 140 s |
//! | `soak [MINUTES]` | steady load; memory and delay over time; 20 minutes unless told otherwise | 20 min |
//!
//! Without a case: all but `soak`. Options:
//!
//! - `--json FILE`: the figures, with the machine
//! - `--emulator PATH`: another build of the command
//! - `--gso`: the sender hands the system runs of datagrams as one (segmentation offload) rather than each by itself. It can then
//!   send more, and the emulator can receive such runs as one, too
//!
//! Peers are taken from the search path or from the environment: `UDP_DELAY_SIM` (HDTN), `OWLTSIM` (ION).
#![allow(missing_docs)]

mod delay;
mod ethernet;
mod ledger;
mod links;
mod load;
mod loss;
mod measure;
mod process;
mod programs;
mod serial;
mod soak;
mod spill;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use load::Sending;
use programs::Program;
use serde_json::{Value, json};

const CASES: [&str; 8] = ["loss", "error-1k", "error-50k", "eight", "serial", "ethernet", "spill", "soak"];

/// What the arguments ask for.
pub struct Options {
    emulator: PathBuf,
    json: Option<PathBuf>,
    cases: Vec<String>,
    soak_minutes: u64,
    sending: Sending,
}

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Options {
            emulator: env!("CARGO_BIN_EXE_farlink").into(),
            json: None,
            cases: Vec::new(),
            soak_minutes: 20,
            sending: Sending::default(),
        };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // What cargo itself adds.
                "--bench" => {}
                "--gso" => options.sending = Sending::Offloaded,
                "--json" => options.json = Some(value()?.into()),
                "--emulator" => options.emulator = value()?.into(),
                case if CASES.contains(&case) => {
                    options.cases.push(case.into());
                    if let Some(minutes) = arguments.peek().filter(|_| case == "soak").and_then(|m| m.parse().ok()) {
                        options.soak_minutes = minutes;
                        arguments.next();
                    }
                }
                other => return Err(format!("`{other}` is no case and no option; the cases are {}", CASES.join(", "))),
            }
        }
        if options.cases.is_empty() {
            options.cases = CASES.iter().filter(|c| **c != "soak").map(|c| (*c).to_string()).collect();
        }
        Ok(options)
    }

    /// The emulator under test.
    pub fn emulator(&self) -> Program {
        Program::Farlink(self.emulator.clone(), vec![])
    }
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn machine() -> Value {
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (cpu, memory) = (file("/proc/cpuinfo"), file("/proc/meminfo"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.trim().strip_prefix(':'));
        line.map(|l| l.trim().to_string()).unwrap_or_default()
    };
    json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "cpu": field(&cpu, "model name"),
        "kernel": file("/proc/sys/kernel/osrelease").trim(),
        "memory": field(&memory, "MemTotal"),
        "load_average_before": load_average(),
    })
}

fn case(name: &str, options: &Options) -> Result<Value, String> {
    match name {
        "loss" => loss::measure(options),
        "error-1k" => delay::measure(options, &delay::Goal { rate: 1000, p50: Some(30_000), p99: 100_000 }),
        "error-50k" => delay::measure(options, &delay::Goal { rate: 50_000, p50: None, p99: 200_000 }),
        "eight" => links::measure_eight(options),
        "serial" => serial::measure(options),
        "ethernet" => ethernet::measure(options),
        "spill" => spill::measure(options),
        "soak" => soak::measure(options),
        other => Err(format!("`{other}` is no case")),
    }
}

fn main() -> ExitCode {
    // `cargo test --benches` asks for a look, not for figures.
    if std::env::args().any(|a| a == "--test") {
        return ExitCode::SUCCESS;
    }
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let machine = machine();
    let told = |name: &str| machine[name].to_string().trim_matches('"').to_string();
    println!("{} cores, {}, Linux {}, {}", told("cores"), told("cpu"), told("kernel"), told("memory"));
    let mut results = serde_json::Map::new();
    let mut failed = false;
    for name in &options.cases {
        println!("\n## {name} (load average {})\n", load_average());
        let value = case(name, &options).unwrap_or_else(|error| {
            failed = true;
            println!("\nNot measured: {error}");
            json!({ "not_measured": error })
        });
        results.insert(name.clone(), value);
    }
    if let Some(path) = &options.json {
        let text = format!(
            "{:#}\n",
            json!({ "machine": machine, "gso": options.sending == Sending::Offloaded, "cases": results })
        );
        if let Err(error) = fs::write(path, text) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
