//! Processes that a test starts, watches, signals and always ends.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a condition may take to come true. Far beyond what any takes, so that a busy machine fails no test.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until there is something to return.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// How a process ended, and what it printed.
#[derive(Debug)]
pub struct Ended {
    /// The exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

type Printed = Arc<Mutex<Vec<u8>>>;

/// A process that runs; it is killed when the test is over.
pub struct Running {
    child: Child,
    stdout: Printed,
    stderr: Printed,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let (stdout, stderr) = (Printed::default(), Printed::default());
        let readers = vec![
            collect(child.stdout.take().expect("it is piped"), stdout.clone()),
            collect(child.stderr.take().expect("it is piped"), stderr.clone()),
        ];
        Running { child, stdout, stderr, readers }
    }

    /// What it has printed on standard output up to now.
    pub fn printed(&self) -> String {
        text(&self.stdout)
    }

    /// What it has printed on standard error up to now.
    pub fn complained(&self) -> String {
        text(&self.stderr)
    }

    /// Waits until it has said something on either output.
    pub fn wait_for_text(&mut self, wanted: &str) {
        wait_for(wanted, || {
            let said = self.printed() + &self.complained();
            let found = said.contains(wanted).then_some(());
            if found.is_none() {
                self.assert_running(wanted);
            }
            found
        });
    }

    /// Waits until it has printed a line on standard output that `wanted` accepts.
    pub fn wait_for_line<T>(&mut self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        wait_for(what, || {
            let printed = self.printed();
            let whole_lines = printed.rfind('\n').map_or("", |end| &printed[..end]);
            let found = whole_lines.lines().find_map(&wanted);
            if found.is_none() {
                self.assert_running(what);
            }
            found
        })
    }

    /// Fails, with what it said, if it has ended.
    pub fn assert_running(&mut self, what: &str) {
        if let Some(status) = self.child.try_wait().expect("it can be asked") {
            panic!("ended with {status} before {what}:\n{}{}", self.printed(), text(&self.stderr));
        }
    }

    /// Sends `INT`, `TERM`, `KILL` …
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Kills it at once; returns what it had printed.
    pub fn kill(mut self) -> Ended {
        self.child.kill().expect("it can be killed");
        self.wait()
    }

    /// Waits until it ends.
    pub fn wait(mut self) -> Ended {
        let status = wait_for("the end of the process", || self.child.try_wait().expect("it can be asked"));
        for reader in self.readers.drain(..) {
            reader.join().expect("the reader does not panic");
        }
        Ended { code: status.code(), signal: status.signal(), stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn signal(process: u32, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status().expect("kill starts");
    assert!(status.success(), "no signal could be sent");
}

fn collect(mut from: impl Read + Send + 'static, into: Printed) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            into.lock().expect("no reader panics").extend_from_slice(&buffer[..length]);
        }
    })
}

fn text(printed: &Printed) -> String {
    String::from_utf8_lossy(&printed.lock().expect("no reader panics")).into_owned()
}
