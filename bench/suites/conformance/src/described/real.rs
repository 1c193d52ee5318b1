//! A described node as a target: started when a case needs it, started anew when it has ended.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use farlink_nodes::process::{self, NodeProcess, Plan, Ready};

use super::words::Words;
use super::{Description, ReadyWhen, Start};
use crate::medium::{Hooks, Medium, NoHooks, Order, Sockets, Unable};
use crate::profile::Profile;
use crate::run::Target;

/// DTN time begins at 2000-01-01T00:00:00Z (RFC 9171 section 4.2.6).
const DTN_EPOCH_UNIX_MS: u128 = 946_684_800_000;

/// How often a start is tried again whose ports were taken meanwhile.
const TRIES: u32 = 5;

/// How long a host may take to say that nothing listens at a UDP port.
const REFUSAL: std::time::Duration = std::time::Duration::from_millis(300);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A described node.
pub struct Real {
    description: Description,
    profiles: Vec<Profile>,
    /// Where the folders of its starts are.
    folder: PathBuf,
    farlink: PathBuf,
    starts: u32,
    running: Option<Sockets>,
}

impl Real {
    /// A target in a folder, in which each start of the node gets a folder of its own. `farlink` is the program that
    /// `{farlink}` stands for.
    ///
    /// # Errors
    /// The description makes no sense.
    pub fn new(description: Description, folder: &Path, farlink: &Path) -> Result<Self, String> {
        let profiles = vec![description.profile(0)?];
        let (folder, farlink) = (folder.to_owned(), farlink.to_owned());
        Ok(Real { description, profiles, folder, farlink, starts: 0, running: None })
    }

    /// The description.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// A program that the node needs and that is not there.
    pub fn missing(&self) -> Option<&str> {
        let start = self.description.start.as_ref()?;
        start.requires.iter().find(|program| process::find(program).is_none()).map(String::as_str)
    }

    /// The first address of a node that runs already at which the host says that nothing listens.
    pub fn absent(&self) -> Option<String> {
        if self.description.start.is_some() {
            return None;
        }
        self.description.doors.iter().find_map(|(door, addresses)| {
            let node = addresses.node?;
            match door.door().is_datagrams() {
                true => refuses_datagrams(node).then(|| format!("udp:{node}")),
                false => match TcpStream::connect_timeout(&node, self.description.response.to_std()) {
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => Some(format!("tcp:{node}")),
                    _ => None,
                },
            }
        })
    }

    /// What the node says of its version.
    pub fn version(&self) -> Option<String> {
        let words = Words::new(&self.description, &self.folder, &self.farlink).ok()?.0;
        let command = words.replace_all(self.description.version.as_ref()?);
        let (program, arguments) = command.split_first()?;
        let output = std::process::Command::new(process::find(program)?).args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }

    fn launch(&mut self) -> Result<Sockets, String> {
        // Between being found free and being taken, a port must not be found by a start beside this one.
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tries = 0;
        loop {
            match self.launch_once() {
                // Or by any other program of the host.
                Err(why) if tries < TRIES && why.contains("in use") && self.chooses_ports() => tries += 1,
                outcome => return outcome,
            }
        }
    }

    /// Whether every port of the tester and of the node is one that was free.
    fn chooses_ports(&self) -> bool {
        let free = |address: Option<SocketAddr>| address.is_none_or(|address| address.port() == 0);
        self.description.doors.values().all(|door| free(door.node) && free(door.tester))
    }

    fn launch_once(&mut self) -> Result<Sockets, String> {
        self.starts += 1;
        let folder = self.folder.join(format!("start-{}", self.starts));
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let (words, doors) = Words::new(&self.description, &folder, &self.farlink)?;
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let dtn_ms = unix.as_millis().saturating_sub(DTN_EPOCH_UNIX_MS);
        // The tester's ports first: a node that sends at once must find them open.
        let described = Described::default();
        let patience = self.description.response;
        let hooks: Box<dyn Hooks> = match &self.description.start {
            Some(_) => Box::new(described.clone()),
            None => Box::new(NoHooks),
        };
        let sockets = Sockets::open(&doors, patience, hooks)?;
        self.profiles = vec![self.description.profile(u64::try_from(dtn_ms).unwrap_or(0))?];
        if let Some(start) = &self.description.start {
            let plan = plan(start, &words)?;
            let process = NodeProcess::start(plan, &folder).map_err(|error| {
                let hint = if start.hint.is_empty() { String::new() } else { format!("; {}", start.hint) };
                format!("{} cannot be started: {error}{hint}", self.description.name)
            })?;
            let inbox = self.description.deliveries.as_ref().map(|text| folder.join(words.replace(text)));
            let inner =
                Inner { process, words, commands: self.description.commands.clone(), inbox, seen: BTreeSet::new() };
            *described.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(inner);
        }
        Ok(sockets)
    }
}

/// Whether the host of a UDP port says that nothing listens there. An empty datagram is of no protocol.
fn refuses_datagrams(node: SocketAddr) -> bool {
    let any = match node {
        SocketAddr::V4(_) => SocketAddr::from((std::net::Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0)),
    };
    let asked = || -> std::io::Result<usize> {
        let socket = UdpSocket::bind(any)?;
        socket.connect(node)?;
        socket.set_read_timeout(Some(REFUSAL))?;
        socket.send(&[])?;
        socket.recv(&mut [0; 1])
    };
    asked().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn plan(start: &Start, words: &Words) -> Result<Plan, String> {
    let address = |text: &str| -> Result<SocketAddr, String> {
        let text = words.replace(text);
        text.parse().map_err(|_| format!("start.ready: {text:?} is no address and port"))
    };
    let all = |commands: &[Vec<String>]| commands.iter().map(|c| words.replace_all(c)).collect();
    let texts = |map: &std::collections::BTreeMap<String, String>| {
        map.iter().map(|(name, text)| (name.clone(), words.replace(text))).collect()
    };
    Ok(Plan {
        requires: start.requires.clone(),
        files: texts(&start.files),
        environment: texts(&start.environment),
        before: all(&start.before),
        command: start.command.as_ref().map(|c| words.replace_all(c)),
        ready: match &start.ready {
            ReadyWhen::AtOnce => Ready::AtOnce,
            ReadyWhen::Tcp(text) => Ready::Tcp(address(text)?),
            ReadyWhen::Udp(text) => Ready::Udp(address(text)?),
            ReadyWhen::Line(line) => Ready::Line(words.replace(line)),
            ReadyWhen::After(time) => Ready::After(time.to_std()),
        },
        after: all(&start.after),
        stop: all(&start.stop),
        patience: start.patience.to_std(),
    })
}

impl Target for Real {
    fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    fn start(&mut self, _configuration: usize, _seed: u64) -> Result<(), String> {
        if self.is_fresh() {
            self.stop();
        }
        if self.running.is_none() {
            let started = self.launch()?;
            self.running = Some(started);
        }
        Ok(())
    }

    fn medium(&mut self) -> Option<&mut dyn Medium> {
        self.running.as_mut().map(|running| running as &mut dyn Medium)
    }

    fn is_fresh(&self) -> bool {
        self.description.start.as_ref().is_some_and(|start| start.each_case)
    }

    fn can_restart(&self) -> bool {
        self.description.start.is_some()
    }

    fn stop(&mut self) {
        self.running = None;
    }
}

/// The hooks of a described node. The sockets are opened before the node is there.
#[derive(Clone, Default)]
struct Described(Arc<Mutex<Option<Inner>>>);

struct Inner {
    process: NodeProcess,
    words: Words,
    commands: super::Commands,
    inbox: Option<PathBuf>,
    seen: BTreeSet<PathBuf>,
}

impl Hooks for Described {
    fn order(&mut self, order: &Order) -> Result<(), Unable> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(inner) = inner.as_mut() else { return Err(Unable::Failed("the node does not run".to_owned())) };
        inner.order(order)
    }

    fn delivered(&mut self) -> Vec<Vec<u8>> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.as_mut().map(Inner::delivered).unwrap_or_default()
    }

    fn ended(&mut self) -> Option<String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = inner.as_mut()?;
        let how = inner.process.ended()?;
        match inner.process.console().trim() {
            "" => Some(how),
            console => Some(format!("{how}; it printed last: {}", console.lines().last().unwrap_or_default())),
        }
    }
}

impl Inner {
    fn order(&mut self, order: &Order) -> Result<(), Unable> {
        let commands = &self.commands;
        let (command, name) = match order {
            Order::Originate { anonymous: true, .. } => (&None, "an anonymous bundle"),
            Order::Originate { .. } => (&commands.originate, "originate"),
            Order::CancelSending => (&commands.cancel_sending, "cancel_sending"),
            Order::CancelReceiving => (&commands.cancel_receiving, "cancel_receiving"),
            Order::CancelBundle => (&commands.cancel_bundle, "cancel_bundle"),
            Order::Restart => (&commands.restart, "restart"),
            Order::Terminate => (&commands.terminate, "terminate"),
            Order::Route { open: false, .. } => (&commands.close_route, "close_route"),
            Order::Route { open: true, .. } => (&commands.open_route, "open_route"),
            Order::Poll => (&commands.poll, "poll"),
        };
        let Some(command) = command else {
            return Err(Unable::Unsupported(format!("the node's description has no command for {name}")));
        };
        let mut words = self.words.clone();
        match order {
            Order::Originate { door, payload, lifetime, flags, .. } => {
                let file = self.process.folder().join("payload");
                fs::write(&file, payload)
                    .map_err(|error| Unable::Failed(format!("cannot write {}: {error}", file.display())))?;
                words.set("payload", file.display());
                words.set("door", door.as_str());
                words.set("lifetime_ms", lifetime.as_nanos() / 1_000_000);
                words.set("flags", flags);
            }
            Order::Route { door, .. } => words.set("door", door.as_str()),
            _ => {}
        }
        let command = words.replace_all(command);
        self.process.run(&command).map(drop).map_err(|error| Unable::Failed(error.to_string()))
    }

    fn delivered(&mut self) -> Vec<Vec<u8>> {
        let Some(inbox) = &self.inbox else { return Vec::new() };
        let Ok(entries) = fs::read_dir(inbox) else { return Vec::new() };
        let mut fresh: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_file() && !self.seen.contains(path) && !is_partial(path))
            .collect();
        fresh.sort();
        let mut all = Vec::new();
        for path in fresh {
            if let Ok(data) = fs::read(&path) {
                all.push(data);
                self.seen.insert(path);
            }
        }
        all
    }
}

/// Files that are still being written have a name that begins with a dot or ends in `.part` or `.tmp`.
fn is_partial(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.ends_with(".part") || name.ends_with(".tmp")
}
