//! Runs in real time: the emulator as a process of its own, and what it couples.

pub(crate) mod processes;
pub(crate) mod tcp;
mod watched;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use farlink_record::results::{Results, Verdict};
use rustix::process::Signal;

pub(crate) use watched::Watched;

/// How long a process may take to say that it is ready, and to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often processes are looked at.
const EVERY: Duration = Duration::from_millis(5);

/// A folder for the files of one run, which goes with it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(seed: u64) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("farlink-throughput-{}-{seed:016x}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An emulator that carries.
pub(crate) struct Emulator {
    process: Watched,
    out: PathBuf,
}

impl Emulator {
    /// Starts one and waits until it carries. `words` are its ports and its link; its results go to a folder in `scratch`.
    pub(crate) fn start(farlink: &Path, words: &[String], scratch: &Path) -> Result<Self, String> {
        let out = scratch.join("emulator");
        let mut command = Command::new(farlink);
        command.arg("emulate").args(words).args(["--headless", "--record", "control", "--out"]).arg(&out);
        let mut process = Watched::start(command.stdout(Stdio::piped()), "the emulator")?;
        let stdout = process.take_stdout().ok_or("the emulator has no output")?;
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let begun = Instant::now();
        loop {
            match lines.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
                Ok(line) if line.contains("return: ") => break,
                Ok(_) => {}
                Err(_) => return Err(format!("the emulator does not start: {}", process.end())),
            }
        }
        Ok(Emulator { process, out })
    }

    /// Ends it, and says what it came to; an error tells why nothing that ran over it counts.
    pub(crate) fn finish(mut self) -> Result<Results, (Verdict, String)> {
        let broken = |why: String| (Verdict::BenchError, why);
        self.process.signal(Signal::INT);
        if !self.process.ends_within(PATIENCE, &AtomicBool::new(false)) {
            return Err(broken("the emulator does not end when it is told to".to_owned()));
        }
        let path = self.out.join("results.json");
        let text = std::fs::read_to_string(&path).map_err(|e| broken(format!("the emulator left no results: {e}")))?;
        let results: Results =
            serde_json::from_str(&text).map_err(|e| broken(format!("the emulator's results cannot be read: {e}")))?;
        match results.cases.iter().find(|case| !case.verdict.is_met()) {
            None => Ok(results),
            Some(case) => Err((case.verdict, format!("emulator, {}/{}: {}", case.suite, case.id, case.message))),
        }
    }
}

/// Waits until something holds, a process has ended early, or it takes too long.
pub(crate) fn wait_until(what: &str, stop: &AtomicBool, mut holds: impl FnMut() -> bool) -> Result<(), String> {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > PATIENCE || stop.load(Ordering::Relaxed) {
            return Err(format!("{what} did not come about within {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(EVERY);
    }
    Ok(())
}
