//! A real stack on this host: a process that is started, asked whether it runs, and stopped.
//!
//! A process gets a folder of its own and a process group of its own, so that nothing it started stays behind. What it prints goes to
//! the file `console` in that folder.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use thiserror::Error;

/// How often readiness is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long a process has to end after SIGTERM, before SIGKILL.
const GRACE: Duration = Duration::from_secs(3);
/// How much of what a process printed stands in messages, in octets.
const TAIL: u64 = 2048;

/// What is started, and how one sees that it is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Programs that must be on the PATH.
    pub requires: Vec<String>,
    /// Files that are written into the folder first, by name.
    pub files: BTreeMap<String, String>,
    /// Added to the environment.
    pub environment: BTreeMap<String, String>,
    /// Commands that run to their end before the process, one after the other.
    pub before: Vec<Vec<String>>,
    /// The process itself; `None` if the commands before it leave one behind.
    pub command: Option<Vec<String>>,
    /// When the node is ready.
    pub ready: Ready,
    /// Commands that run to their end once it is ready.
    pub after: Vec<Vec<String>>,
    /// Commands that end it.
    pub stop: Vec<Vec<String>>,
    /// How long each command before and after it, and the wait for readiness, may take.
    pub patience: Duration,
}

/// When a node is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    /// At once.
    #[default]
    AtOnce,
    /// When a connection to this address is taken.
    Tcp(SocketAddr),
    /// When nobody else can bind this UDP address.
    Udp(SocketAddr),
    /// When it has printed this.
    Line(String),
    /// After a fixed time.
    After(Duration),
}

/// Why a process does not run.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// A program is not there.
    #[error("`{0}` is not on the PATH")]
    Missing(String),
    /// The system refuses.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// A command has failed.
    #[error("`{command}` failed ({status}){}", printed(.console))]
    Failed {
        /// Which.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it printed.
        console: String,
    },
    /// It does not become ready.
    #[error("not ready after {} s: {waited_for}{}", patience.as_secs_f32(), printed(.console))]
    NotReady {
        /// What was waited for.
        waited_for: String,
        /// For how long.
        patience: Duration,
        /// The end of what it printed.
        console: String,
    },
}

fn printed(console: &str) -> String {
    match console.trim() {
        "" => "; it printed nothing".to_owned(),
        text => format!("; it printed last:\n{text}"),
    }
}

/// A node that runs as a process.
#[derive(Debug)]
pub struct NodeProcess {
    plan: Plan,
    folder: PathBuf,
    child: Option<Child>,
    ended: Option<ExitStatus>,
}

impl NodeProcess {
    /// Starts a node in a folder, which must exist, and waits until it is ready.
    ///
    /// # Errors
    /// A program is missing, a command fails, or it does not become ready. Nothing runs then.
    pub fn start(plan: Plan, folder: &Path) -> Result<Self, ProcessError> {
        if let Some(missing) = plan.requires.iter().find(|program| find(program).is_none()) {
            return Err(ProcessError::Missing(missing.clone()));
        }
        for (name, content) in &plan.files {
            let path = folder.join(name);
            let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, content));
            written.map_err(|source| ProcessError::System { what: format!("write {}", path.display()), source })?;
        }
        let mut this = NodeProcess { plan, folder: folder.to_owned(), child: None, ended: None };
        for command in this.plan.before.clone() {
            this.run(&command)?;
        }
        if let Some(command) = this.plan.command.clone() {
            let mut process = this.command(&command)?;
            let child = process.spawn().map_err(|source| system(&command, source))?;
            this.child = Some(child);
        }
        this.wait_until_ready()?;
        for command in this.plan.after.clone() {
            this.run(&command)?;
        }
        Ok(this)
    }

    /// Whether it still runs; how it ended, if not. A node without a process of its own counts as running.
    pub fn ended(&mut self) -> Option<String> {
        if self.ended.is_none() {
            self.ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        }
        self.ended.map(in_words)
    }

    /// Runs a command to its end, in the folder and the environment of the node, and gives what it printed on standard output.
    ///
    /// # Errors
    /// It cannot be started, fails, or takes too long.
    pub fn run(&mut self, command: &[String]) -> Result<String, ProcessError> {
        let out = tempfile::tempfile().map_err(|source| system(command, source))?;
        let keep = out.try_clone().map_err(|source| system(command, source))?;
        let mut process = self.command(command)?;
        let mut child = process.stdout(Stdio::from(out)).spawn().map_err(|source| system(command, source))?;
        let start = Instant::now();
        let status = loop {
            match child.try_wait().map_err(|source| system(command, source))? {
                Some(status) => break status,
                None if start.elapsed() > self.plan.patience => {
                    end_group(&mut child);
                    let status = format!("no end after {} s", self.plan.patience.as_secs_f32());
                    return Err(self.failed(command, status));
                }
                None => thread::sleep(LOOK_AGAIN.min(Duration::from_millis(5))),
            }
        };
        if !status.success() {
            return Err(self.failed(command, in_words(status)));
        }
        let mut text = Vec::new();
        let mut keep = keep;
        let read = keep.seek(SeekFrom::Start(0)).and_then(|_| keep.read_to_end(&mut text));
        read.map_err(|source| system(command, source))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The end of what it printed.
    pub fn console(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(self.folder.join("console"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        read().unwrap_or_default()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends it and everything that it started.
    pub fn stop(&mut self) {
        for command in self.plan.stop.clone() {
            // It may have ended by itself; what is left is killed below.
            let _ = self.run(&command);
        }
        if let Some(mut child) = self.child.take() {
            self.ended = end_group(&mut child).or(self.ended);
        }
    }

    fn command(&self, command: &[String]) -> Result<Command, ProcessError> {
        let (program, arguments) = command.split_first().ok_or_else(|| ProcessError::Missing(String::new()))?;
        let path = find(program).ok_or_else(|| ProcessError::Missing(program.clone()))?;
        let console = File::options().create(true).append(true).open(self.folder.join("console"));
        let console = console.map_err(|source| ProcessError::System {
            what: format!("write {}", self.folder.join("console").display()),
            source,
        })?;
        let error = console.try_clone().map_err(|source| system(command, source))?;
        let mut process = Command::new(path);
        process.args(arguments).current_dir(&self.folder).envs(&self.plan.environment);
        process.stdin(Stdio::null()).stdout(console).stderr(error).process_group(0);
        Ok(process)
    }

    fn failed(&self, command: &[String], status: String) -> ProcessError {
        ProcessError::Failed { command: command.join(" "), status, console: self.console() }
    }

    fn wait_until_ready(&mut self) -> Result<(), ProcessError> {
        let start = Instant::now();
        loop {
            let (ready, waited_for) = match &self.plan.ready {
                Ready::AtOnce => (true, String::new()),
                Ready::Tcp(address) => {
                    (TcpStream::connect(address).is_ok(), format!("nothing listens at tcp:{address}"))
                }
                Ready::Udp(address) => (UdpSocket::bind(address).is_err(), format!("nothing listens at udp:{address}")),
                Ready::Line(line) => (self.console().contains(line.as_str()), format!("it has not printed {line:?}")),
                Ready::After(time) => (start.elapsed() >= *time, format!("{} s are not over", time.as_secs_f32())),
            };
            if let Some(status) = self.ended() {
                let command = self.plan.command.clone().unwrap_or_default();
                return Err(self.failed(&command, status));
            }
            if ready {
                return Ok(());
            }
            if start.elapsed() > self.plan.patience {
                let patience = self.plan.patience;
                return Err(ProcessError::NotReady { waited_for, patience, console: self.console() });
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

fn system(command: &[String], source: io::Error) -> ProcessError {
    ProcessError::System { what: format!("run `{}`", command.join(" ")), source }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => {
            let name = Signal::try_from(signal).map_or("signal", Signal::as_str);
            format!("killed by {name} ({signal})")
        }
        (None, None) => "ended".to_owned(),
    }
}

/// Asks a group of processes to end, then makes it.
fn end_group(child: &mut Child) -> Option<ExitStatus> {
    let group = i32::try_from(child.id()).map(Pid::from_raw).ok()?;
    let _ = killpg(group, Signal::SIGTERM);
    let start = Instant::now();
    while start.elapsed() < GRACE {
        if let Ok(Some(status)) = child.try_wait() {
            let _ = killpg(group, Signal::SIGKILL);
            return Some(status);
        }
        thread::sleep(LOOK_AGAIN);
    }
    let _ = killpg(group, Signal::SIGKILL);
    child.wait().ok()
}

/// A program by its path, from the PATH, or from where cargo installs.
pub fn find(program: impl AsRef<OsStr>) -> Option<PathBuf> {
    let program = Path::new(program.as_ref());
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let cargo =
        std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(cargo.map(|home| home.join("bin")));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
