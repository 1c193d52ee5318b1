//! A process whose time on the processor and memory are followed.

use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::EVERY;

/// A process that ends with its owner.
pub(crate) struct Watched {
    child: Child,
    /// Most memory in RAM so far, in bytes.
    pub(crate) memory_max_bytes: u64,
    /// Time on a processor so far, in seconds. The last [`EVERY`] before its end may be missing.
    pub(crate) processor_s: f64,
    ticks_per_second: f64,
}

impl Watched {
    pub(crate) fn start(command: &mut Command, what: &str) -> Result<Self, String> {
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| {
            format!("{what} cannot be started: {}: {error}", command.get_program().to_string_lossy())
        })?;
        let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
        Ok(Watched { child, memory_max_bytes: 0, processor_s: 0.0, ticks_per_second })
    }

    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Looks at `/proc`. A process that has ended keeps what was last seen.
    pub(crate) fn look(&mut self) {
        let folder = format!("/proc/{}", self.child.id());
        if let Ok(stat) = std::fs::read_to_string(format!("{folder}/stat"))
            // The name in brackets may hold blanks. utime and stime are fields 14 and 15 of proc(5).
            && let Some((_, fields)) = stat.rsplit_once(')')
        {
            let ticks = |place: usize| fields.split_whitespace().nth(place).and_then(|field| field.parse::<f64>().ok());
            if let (Some(user), Some(system)) = (ticks(11), ticks(12)) {
                self.processor_s = self.processor_s.max((user + system) / self.ticks_per_second);
            }
        }
        if let Ok(status) = std::fs::read_to_string(format!("{folder}/status"))
            && let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))
            && let Some(kib) = line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok())
        {
            self.memory_max_bytes = self.memory_max_bytes.max(kib * 1024);
        }
    }

    /// Its exit code, once it has ended; -1 if a signal ended it.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.look();
        self.child.try_wait().ok().flatten().map(|status| status.code().unwrap_or(-1))
    }

    pub(crate) fn ends_within(&mut self, patience: Duration, stop: &AtomicBool) -> bool {
        let begun = Instant::now();
        while self.ended().is_none() {
            if begun.elapsed() > patience || stop.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::sleep(EVERY);
        }
        true
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends it at once, and says how it had ended if it had.
    pub(crate) fn end(&mut self) -> String {
        let how =
            self.ended().map_or("it does not say that it is ready".to_owned(), |code| format!("it ended with {code}"));
        let _ = self.child.kill();
        let _ = self.child.wait();
        how
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
