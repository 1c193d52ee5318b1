//! A process that is stopped finds out that it was.
#![allow(missing_docs)]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use farlink_host::watch::{Readings, Watch};
use farlink_record::Disturbance;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Set for the test that starts itself again, as the process that watches.
const CHILD: &str = "FARLINK_TEST_WATCHED";
const PATIENCE: Duration = Duration::from_secs(60);
const STOPPED: Duration = Duration::from_millis(300);

/// Looks every 10 ms and prints each disturbance, until it is killed, or has outlived any test.
fn watched() -> ! {
    let mut watch = Watch::new(Readings::now());
    let mut out = std::io::stdout();
    writeln!(out, "watching").unwrap();
    let begun = Instant::now();
    while begun.elapsed() < 2 * PATIENCE {
        thread::sleep(Duration::from_millis(10));
        for found in watch.look(Readings::now()) {
            if writeln!(out, "{:?} {}", found.what, found.by.as_nanos()).is_err() {
                std::process::exit(1);
            }
        }
    }
    std::process::exit(1);
}

struct Watched(Child);

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_that_is_stopped_reports_a_stall() {
    if env::var_os(CHILD).is_some() {
        watched();
    }
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_process_that_is_stopped_reports_a_stall", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Watched(child);
    let out = child.0.stdout.take().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let next = || told.recv_timeout(PATIENCE).expect("the process says something in time");
    // The harness prints lines of its own.
    while !next().ends_with("watching") {}
    let pid = Pid::from_raw(i32::try_from(child.0.id()).unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    thread::sleep(STOPPED);
    kill(pid, Signal::SIGCONT).unwrap();
    // A busy machine may hold it up at other times as well; the one stall that we made is at least as long as its stop, less
    // the heartbeat that it may wait anyway.
    let least = (STOPPED - Duration::from_millis(50)).as_nanos();
    loop {
        let line = next();
        let Some((what, by)) = line.rsplit_once(' ') else { continue };
        assert_eq!(what, format!("{:?}", Disturbance::Stalled), "{line}");
        if by.parse::<u128>().unwrap() >= least {
            break;
        }
    }
}
