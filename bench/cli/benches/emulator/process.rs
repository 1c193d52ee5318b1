//! The programs under test: started, watched from outside, stopped.

use std::fs::{self, File};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};
use serde_json::{Value, json};

/// How long a program may take until it listens, and to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(10);

/// A folder for what the programs write, gone with this value.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("farlink-bench-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// UDP ports of loopback that nobody has at the moment.
pub fn free_ports(count: usize) -> Result<Vec<u16>, String> {
    let sockets: Result<Vec<_>, _> = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0")).collect();
    let sockets = sockets.map_err(|error| format!("no free UDP port: {error}"))?;
    sockets.iter().map(|s| s.local_addr().map(|a| a.port()).map_err(|error| error.to_string())).collect()
}

/// How many datagrams the system has dropped because the sockets at this port were full. `None`: no socket is there.
pub fn socket_drops(port: u16) -> Option<u64> {
    let mut drops = None;
    for table in ["/proc/net/udp", "/proc/net/udp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let at = fields.get(1).and_then(|local| local.rsplit_once(':')).map(|(_, port)| port);
            if at.and_then(|port| u16::from_str_radix(port, 16).ok()) == Some(port) {
                let dropped = fields.last().and_then(|d| d.parse::<u64>().ok()).unwrap_or(0);
                *drops.get_or_insert(0) += dropped;
            }
        }
    }
    drops
}

/// Resident memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub resident: u64,
    /// The most that was ever resident.
    pub peak: u64,
    /// Of `resident`, what is no file's.
    pub anonymous: u64,
}

impl Memory {
    pub fn json(&self) -> Value {
        json!({ "resident_bytes": self.resident, "peak_bytes": self.peak, "anonymous_bytes": self.anonymous })
    }
}

/// A program that runs, and is ended when this value goes.
pub struct Process {
    child: Child,
    /// The process to look at, where the child is only its launcher.
    pid: i32,
    name: String,
    scratch: Scratch,
}

impl Process {
    /// Starts a program and waits until `ready`.
    pub fn start(name: &str, mut command: Command, ready: impl Fn() -> bool) -> Result<Self, String> {
        let scratch = Scratch::new(&format!("{name}-{}", crate::measure::now_ns()))?;
        let file = |leaf: &str| File::create(scratch.path().join(leaf)).map_err(|error| error.to_string());
        command.stdin(Stdio::null()).stdout(file("out")?).stderr(file("err")?);
        let child = command.spawn().map_err(|error| format!("{name} cannot be started: {error}"))?;
        let pid = child.id() as i32;
        let mut process = Process { child, pid, name: name.into(), scratch };
        let until = Instant::now() + PATIENCE;
        while !ready() {
            if let Ok(Some(status)) = process.child.try_wait() {
                return Err(format!("{name} ended at once ({status}): {}", process.written().trim()));
            }
            if Instant::now() > until {
                return Err(format!("{name} is not ready after {PATIENCE:?}: {}", process.written().trim()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(process)
    }

    /// As [`Process::start`], ready when something is bound to each of the UDP ports.
    pub fn on_udp(name: &str, command: Command, ports: &[u16]) -> Result<Self, String> {
        Process::start(name, command, || ports.iter().all(|port| socket_drops(*port).is_some()))
    }

    fn read(&self, leaf: &str) -> String {
        fs::read_to_string(self.scratch.path().join(leaf)).unwrap_or_default()
    }

    /// What it has written so far, its complaints last.
    pub fn written(&self) -> String {
        format!("{}{}", self.read("out"), self.read("err"))
    }

    /// An error if it has ended although nobody told it to.
    pub fn check(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(format!("{} has ended: {}", self.name, self.written().trim())),
        }
    }

    /// Processor time that it has used, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        // The name in brackets may hold blanks; what follows it does not. User and system time are fields 14 and 15 of all.
        let after: Vec<&str> = stat.rsplit_once(')').map_or(vec![], |(_, rest)| rest.split_whitespace().collect());
        let ticks = |at: usize| after.get(at).and_then(|t| t.parse::<f64>().ok()).unwrap_or(f64::NAN);
        let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64;
        (ticks(11) + ticks(12)) / per_second
    }

    pub fn memory(&self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
        };
        Memory { resident: bytes("VmRSS"), peak: bytes("VmHWM"), anonymous: bytes("RssAnon") }
    }

    /// Ends it as Ctrl-C does, and returns what it wrote to its output. Its exit code is its own verdict on what happened, which
    /// is the bench's to judge; but it has to have written something.
    pub fn stop(mut self) -> Result<String, String> {
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGINT);
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                let output = self.read("out");
                if status.code().is_none() || output.trim().is_empty() {
                    return Err(format!("{} ended with {status}: {}", self.name, self.written().trim()));
                }
                return Ok(output);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{} does not end within {PATIENCE:?} of Ctrl-C", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a short program to its end and returns what it wrote; an error if it failed.
pub fn call(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {} {}", arguments.join(" "), output.status, complaint.trim()))
}
