//! Application data from and to applications on this machine: a directory, a file, a program, a local socket.
//!
//! A node is one event loop, and it must not wait for an application. [`Applications`] therefore gives each endpoint a thread
//! of its own and talks to the loop in events, with a call that wakes it. The loop
//!
//! 1. registers every endpoint as passive, and then follows the events of [`Applications::poll`] in their order:
//! 2. [`AppEvent::Connected`]: the registration becomes active, [`AppEvent::Disconnected`]: passive;
//! 3. every `Notice::Delivery` of the agent goes to [`Applications::deliver`];
//! 4. [`AppEvent::Delivered`] goes to `Agent::delivered`, [`AppEvent::Failed`] to `Agent::delivery_failed`;
//! 5. [`AppEvent::Send`] is transmitted, made durable, and then answered.
//!
//! What cannot be delivered goes back to the agent, where its lifetime counts, and the endpoint rests: `Disconnected`, then
//! `Failed` for everything that the endpoint held, the latest first, since the agent puts each in front of what waits. When the
//! pause is over or the application is there again, `Connected` follows and all is delivered anew, in the order in which it
//! came. The pause begins with [`Limits::first_pause`], doubles each time and stays at [`Limits::longest_pause`]; a delivery
//! that succeeds ends it. One unit that is never taken thus holds up those behind it until its lifetime is over.
//!
//! # What holds when the node is killed
//! The bundle leaves the store after the delivery, so a unit whose delivery the store has not noted is delivered again after a
//! restart. What that means depends on what takes it:
//!
//! | target | delivered twice? |
//! |---|---|
//! | [`Target::Directory`] | no: the finished file is found, compared and counted. Only one who takes files *out* of the folder may see a unit again, if the node was killed in the instant between; the name is the same |
//! | [`Target::File`] | without effect: the file is replaced by the same content |
//! | [`Target::Program`] | possible. A program without a memory cannot know; one that keeps the names of what it has done can: `FARLINK_BUNDLE` is the same each time. One that still runs when the node is killed is not ended, and may meet its successor |
//! | [`Target::Socket`] | possible, until the confirmation is on the disk. An application that keeps the names of what it has taken confirms a known one and drops it |
//!
//! The name of a unit is its source with everything but letters, digits and dots made `-`, then the creation time in
//! milliseconds of DTN time and the sequence number: `ipn-10.1-820000000000-7`. A source that could be mistaken for another then,
//! or is long, has 32 hexadecimal digits of its SHA-256 after a `_`. No peer chooses a path.

mod directory;
mod error;
mod file;
mod name;
mod program;
mod protocol;
mod socket;
mod whole;
mod worker;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;

use farlink_engine::bp::{BundleId, Handle, Transmission};
use farlink_wire::bpv7::Eid;

use crate::builtin::Delivery;

pub use error::OpenError;
pub use name::unit_name;
pub use socket::LONGEST_SOCKET_PATH;

use worker::{Item, Job, Queue, Report, Reporter, Told};

/// What takes the data of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A folder, made if there is none: one file for each unit, with the unit's name. It appears there whole and is on the disk
    /// before the unit counts as delivered. Several endpoints of one node may share a folder, two nodes may not.
    Directory(PathBuf),
    /// A file that each unit replaces as a whole; the last one stays. It belongs to one endpoint of one node.
    File(PathBuf),
    /// A program and its arguments, started for each unit, one at a time and in order, with the data on its standard input.
    /// See [`Limits::program_time`].
    ///
    /// Its environment is the node's, and `FARLINK_SOURCE`, `FARLINK_DESTINATION` (endpoint IDs), `FARLINK_CREATION` (`<ms>-<seq>`,
    /// DTN time), `FARLINK_BYTES` (length of the data), `FARLINK_BUNDLE` (the unit's name). Standard input is an unnamed file
    /// in the folder for temporary files (`TMPDIR`), so a program need not read it. Standard output and error both go to the
    /// standard error of the node. Exit status 0 means delivered, anything else that the unit is to be tried again. What it
    /// leaves running in its process group is killed; a process that shall stay starts a session of its own (`setsid`).
    Program(Vec<OsString>),
    /// A Unix stream socket on which the node listens, for one application at a time. The socket is the owner's alone (mode
    /// 0600).
    ///
    /// Each message is a line of JSON in UTF-8 of at most 64 KiB, followed by as many octets as its `length` says.
    ///
    /// | from | line | octets | meaning |
    /// |---|---|---|---|
    /// | node | `{"deliver": "<unit>", "source": "ipn:10.1", "destination": "ipn:30.1", "creation": "<ms>-<seq>", "length": 5}` | 5 | a unit. Several may come before the first is confirmed |
    /// | application | `{"delivered": "<unit>"}` | 0 | it has the unit, which the node need not keep |
    /// | application | `{"send": {"to": "ipn:20.1", "length": 5, "lifetime": "1 h", "class": "normal", "report_to": "ipn:30.0", "flags": ["report-delivery"]}}` | 5 | a request to send data. All but `to` and `length` may be missing: a day, normal, none (the node, if a report is asked for), none |
    /// | node | `{"sent": "<bundle>"}` | 0 | the answer: the bundle is in the store, on the disk |
    /// | node | `{"error": "<why>"}` | 0 | the answer: nothing is sent. Or, if the node closes after it, what was wrong with the line before, or that another application is connected |
    ///
    /// Flags are `report-reception`, `report-forwarding`, `report-delivery`, `report-deletion`, `status-time`,
    /// `must-not-fragment` and `acknowledgment`. Requests are answered in their order, and the next is read after that. An
    /// unreadable line, a length above [`Limits::longest_unit`] and a confirmation of what was not delivered close the
    /// connection. The end of either direction ends the connection; what was not confirmed comes again over the next, the first
    /// first.
    Socket(PathBuf),
}

/// What applications are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest data, in octets, that an application may ask to be sent. The storage limit of the node is a good choice.
    pub longest_unit: u64,
    /// How long a program may run for one unit, before it is killed with its process group.
    pub program_time: Duration,
    /// The pause after a first failure.
    pub first_pause: Duration,
    /// The pause after many.
    pub longest_pause: Duration,
}

impl Default for Limits {
    /// 1 GiB; a minute; pauses from one second to five minutes.
    fn default() -> Self {
        Limits {
            longest_unit: 1 << 30,
            program_time: Duration::from_secs(60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
        }
    }
}

/// What the loop is told. Events are to be followed in their order.
#[derive(Debug)]
pub enum AppEvent {
    /// The endpoint takes data: its registration becomes active.
    Connected {
        /// Which.
        endpoint: Eid,
    },
    /// It takes none for now: its registration becomes passive.
    Disconnected {
        /// Which.
        endpoint: Eid,
    },
    /// A unit has been delivered, durably as far as the target can be.
    Delivered {
        /// As it came with [`Applications::deliver`].
        handle: Handle,
        /// What was done, for people.
        told: String,
    },
    /// A unit has not been delivered and is to wait in the agent.
    Failed {
        /// As it came with [`Applications::deliver`].
        handle: Handle,
        /// Why, and what can be done about it.
        reason: String,
        /// When the endpoint connects by itself. `None`: when the application comes.
        retry_after: Option<Duration>,
    },
    /// An application asks for data to be sent.
    Send {
        /// What, and where the answer goes.
        request: SendRequest,
    },
}

/// A request to send that waits for its answer. Dropped, it is answered with an error.
pub struct SendRequest {
    /// The endpoint of the application.
    pub endpoint: Eid,
    /// What to send, from that endpoint. The longest payload of a bundle is left to the loop.
    pub transmission: Transmission,
    reply: Reply,
}

struct Reply {
    queue: Arc<Queue>,
    connection: u64,
    answered: bool,
}

impl SendRequest {
    /// Answers. To be called with a bundle's name once the bundle is on the disk, or with why nothing is sent.
    pub fn reply(mut self, answer: Result<&BundleId, &str>) {
        let line = match answer {
            Ok(id) => protocol::sent(&id.to_string()),
            Err(why) => protocol::error(why),
        };
        self.reply.answer(line);
    }
}

impl Reply {
    fn answer(&mut self, line: Vec<u8>) {
        self.answered = true;
        self.queue.push(Item::Reply { connection: self.connection, line });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered {
            self.answer(protocol::error("the node has not taken the data: send it again"));
        }
    }
}

impl fmt::Debug for SendRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendRequest").field("endpoint", &self.endpoint).field("to", &self.transmission).finish()
    }
}

struct Endpoint {
    eid: Eid,
    /// Whether it takes data, as the loop was last told.
    connected: bool,
    /// How often it has stopped taking data; the same count as its thread has, so that the thread knows what is stale.
    epoch: u64,
    /// What it has been given, in that order.
    held: VecDeque<Handle>,
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    /// What the next failure says to what comes while the endpoint rests.
    resting: (String, Option<Duration>),
}

/// The applications of a node.
pub struct Applications {
    endpoints: Vec<Endpoint>,
    places: BTreeMap<Eid, usize>,
    reports: Receiver<Report>,
    events: VecDeque<AppEvent>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Applications {
    /// Prepares every target and starts to serve. `wake` is called, from any thread, when [`Applications::poll`] has something
    /// to tell.
    ///
    /// # Errors
    /// A target cannot be used. Nothing is left running then.
    pub fn open(
        endpoints: Vec<(Eid, Target)>,
        limits: Limits,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Self, OpenError> {
        let (sender, reports) = mpsc::channel();
        let mut this = Applications {
            endpoints: Vec::new(),
            places: BTreeMap::new(),
            reports,
            events: VecDeque::new(),
            wake: wake.clone(),
        };
        let mut folders = directory::Folders::default();
        let mut files = BTreeSet::new();
        for (place, (eid, target)) in endpoints.into_iter().enumerate() {
            if this.places.insert(eid.clone(), place).is_some() {
                return Err(OpenError::Twice { endpoint: eid });
            }
            let reporter = Reporter { endpoint: place, sender: sender.clone(), wake: wake.clone() };
            let (queue, thread) = match target {
                Target::Directory(path) => {
                    let sink = directory::Directory::open(&path, place, &mut folders)?;
                    worker::start(sink, reporter, limits)
                }
                Target::File(path) => worker::start(file::File::open(&path, &mut files)?, reporter, limits),
                Target::Program(argv) => {
                    worker::start(program::Program::new(&eid, argv, limits.program_time)?, reporter, limits)
                }
                Target::Socket(path) => socket::start(&path, eid.clone(), reporter, limits.longest_unit),
            }?;
            this.endpoints.push(Endpoint {
                eid,
                connected: false,
                epoch: 0,
                held: VecDeque::new(),
                queue,
                thread: Some(thread),
                resting: ("no application is connected".to_owned(), None),
            });
        }
        Ok(this)
    }

    /// Hands over a unit for one of the endpoints. How that ended is told by [`Applications::poll`].
    pub fn deliver(&mut self, handle: Handle, delivery: Delivery) {
        let at = self.places.get(&delivery.destination).and_then(|place| self.endpoints.get_mut(*place));
        let (reason, retry_after) = match at {
            Some(at) if at.connected => {
                at.held.push_back(handle);
                at.queue.push(Item::Job(Job { handle, delivery, epoch: at.epoch }));
                return;
            }
            Some(at) => at.resting.clone(),
            None => (format!("no application takes what is for {}", delivery.destination), None),
        };
        self.events.push_back(AppEvent::Failed { handle, reason, retry_after });
        (self.wake)();
    }

    /// What has happened next, if anything has.
    pub fn poll(&mut self) -> Option<AppEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let report = self.reports.try_recv().ok()?;
            self.take(report);
        }
    }

    fn take(&mut self, report: Report) {
        let Some(at) = self.endpoints.get_mut(report.endpoint) else { return };
        let endpoint = at.eid.clone();
        match report.told {
            Told::Up => {
                at.connected = true;
                self.events.push_back(AppEvent::Connected { endpoint });
            }
            Told::Down { reason, retry_after } => {
                at.connected = false;
                at.epoch += 1;
                self.events.push_back(AppEvent::Disconnected { endpoint });
                for handle in at.held.drain(..).rev() {
                    self.events.push_back(AppEvent::Failed { handle, reason: reason.clone(), retry_after });
                }
                at.resting = (reason, retry_after);
            }
            Told::Done { handle, told } => {
                at.held.retain(|held| *held != handle);
                self.events.push_back(AppEvent::Delivered { handle, told });
            }
            Told::Send { connection, transmission } => {
                let reply = Reply { queue: at.queue.clone(), connection, answered: false };
                let request = SendRequest { endpoint, transmission: *transmission, reply };
                self.events.push_back(AppEvent::Send { request });
            }
        }
    }
}

impl fmt::Debug for Applications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applications").field("endpoints", &self.places.keys()).finish_non_exhaustive()
    }
}

/// Ends every thread, kills the program that runs, closes and removes the sockets. What was handed over and not told as
/// delivered may or may not have been.
impl Drop for Applications {
    fn drop(&mut self) {
        for endpoint in &self.endpoints {
            endpoint.queue.stop();
        }
        for endpoint in &mut self.endpoints {
            if let Some(thread) = endpoint.thread.take() {
                // A thread that has panicked has said so on standard error.
                let _ = thread.join();
            }
        }
    }
}
