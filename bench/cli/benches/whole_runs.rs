//! Whole runs of the command, each as a process: how long, and how much memory.
//!
//! `cargo bench -p farlink --bench whole_runs` prints a table; `bench/BENCHMARKS.md` keeps the figures. The goals stand
//! beside them, but nothing here fails: a machine under load would make it a coin toss.
#![allow(missing_docs)]

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

const RUNS: usize = 7;

struct Case<'a> {
    name: &'a str,
    goal: &'a str,
    arguments: Vec<String>,
}

fn fixture(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(path).display().to_string()
}

/// 100 MB that do not compress and are the same every time. Written piece by piece: a process that is large itself would pass
/// its size on to what it starts, as the system counts it.
fn write_payload(path: &Path) -> io::Result<()> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut out = BufWriter::new(fs::File::create(path)?);
    for _ in 0..12_500_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.write_all(&state.to_le_bytes())?;
    }
    out.flush()
}

fn run(arguments: &[String], out: &PathBuf) -> Duration {
    let _ = fs::remove_dir_all(out);
    let begun = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_farlink"))
        .arg("run")
        .args(arguments)
        .args(["--headless", "--out"])
        .arg(out)
        .stdout(Stdio::null())
        .status()
        .expect("the command starts");
    let took = begun.elapsed();
    assert!(status.success(), "{arguments:?} does not pass, so its time means nothing");
    took
}

/// The largest of all processes so far, in MB. So the cases stand in order of their size.
fn peak_mb() -> f64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(f64::NAN, |usage| usage.max_rss() as f64 * 1024.0 / 1e6)
}

fn main() {
    // `cargo test --benches` asks for a look, not for figures.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let scratch = std::env::temp_dir().join(format!("farlink-whole-runs-{}", std::process::id()));
    fs::create_dir_all(&scratch).expect("a scratch folder can be made");
    let payload = scratch.join("payload.bin");
    write_payload(&payload).expect("the payload can be written");
    let cases = [
        Case { name: "mars-relay: 24 hours, 2 MB", goal: "5 s", arguments: vec![fixture("scenarios/mars-relay.yaml")] },
        Case {
            name: "long-haul: 100 MB, 1 Mbit/s, BER 1e-6, 10 min",
            goal: "20 s, 512 MB",
            arguments: vec![fixture("scenarios/long-haul.yaml"), "--payload".into(), payload.display().to_string()],
        },
    ];
    println!("| run (virtual clock, {RUNS} processes) | min | median | max | peak memory | goal: under |");
    println!("|---|---|---|---|---|---|");
    for case in &cases {
        let out = scratch.join("run");
        run(&case.arguments, &out);
        let mut times: Vec<Duration> = (0..RUNS).map(|_| run(&case.arguments, &out)).collect();
        times.sort();
        let secs = |d: Duration| format!("{:.2} s", d.as_secs_f64());
        println!(
            "| {} | {} | {} | {} | {:.0} MB | {} |",
            case.name,
            secs(times[0]),
            secs(times[RUNS / 2]),
            secs(times[RUNS - 1]),
            peak_mb(),
            case.goal
        );
    }
    let _ = fs::remove_dir_all(&scratch);
}
