//! The nodes that are judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use farlink_conformance::builtin::Builtin;
use farlink_conformance::described::{Description, DoorAddresses, DoorName, LtpDescription, Real};
use farlink_conformance::results::NodeResults;
use farlink_conformance::run::{self, CaseRun, Options, Target};
use farlink_conformance::{Case, Outcome};
use farlink_ports::udp::UdpAddress;
use farlink_units::Duration;
use sha2::{Digest, Sha256};

use super::keep::{Folder, hex};

/// An LTP engine that runs already, told on the command line.
#[derive(Debug, Args)]
pub struct Attached {
    /// Judge the LTP engine that listens here: `udp:127.0.0.1:1113`.
    #[arg(long, value_name = "ADDRESS", requires = "listen", requires = "peer_engine", conflicts_with = "node")]
    target: Option<UdpAddress>,
    /// Where it sends to: the tester's address.
    #[arg(long, value_name = "ADDRESS", requires = "target")]
    listen: Option<UdpAddress>,
    /// Its engine ID.
    #[arg(long, value_name = "ID", requires = "target")]
    peer_engine: Option<u64>,
    /// The engine ID under which it knows the tester.
    #[arg(long, value_name = "ID", default_value_t = 1, requires = "target")]
    engine: u64,
    /// Its timers: after how long it repeats a checkpoint, report or cancellation.
    #[arg(long, value_name = "TIME", default_value = "5 s", requires = "target")]
    timer: Duration,
    /// How often it repeats them.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "target")]
    retransmissions: u32,
    /// What it may take to answer.
    #[arg(long, value_name = "TIME", default_value = "2 s", requires = "target")]
    response: Duration,
    /// From the tester to it and back.
    #[arg(long, value_name = "TIME", default_value = "0 s", requires = "target")]
    round_trip: Duration,
}

/// A node that is to be judged.
#[derive(Debug)]
pub enum Node {
    /// Ours, under a virtual clock.
    Builtin,
    /// One that is described: in which file, with which hash, or on the command line.
    Described(Box<Description>, Option<(PathBuf, String)>),
}

impl Node {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Node::Builtin => "builtin",
            Node::Described(description, _) => &description.name,
        }
    }
}

/// The nodes that the command line names; the built-in one if it names none.
pub fn nodes(files: &[PathBuf], attached: &Attached) -> Result<Vec<Node>, String> {
    if let Some(description) = attached.description() {
        return Ok(vec![Node::Described(Box::new(description), None)]);
    }
    if files.is_empty() {
        return Ok(vec![Node::Builtin]);
    }
    let mut nodes: Vec<Node> = Vec::new();
    for path in files {
        let description = Description::load(path).map_err(|error| error.to_string())?;
        if nodes.iter().any(|node| node.name() == description.name) {
            return Err(format!(
                "{}: another node is called {:?}, too; give it another name",
                path.display(),
                description.name
            ));
        }
        let content = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let hash = hex(&Sha256::digest(content));
        nodes.push(Node::Described(Box::new(description), Some((path.clone(), hash))));
    }
    Ok(nodes)
}

impl Attached {
    fn description(&self) -> Option<Description> {
        let (target, listen) = (self.target?, self.listen?);
        let addresses = DoorAddresses { node: Some(target.0), tester: Some(listen.0) };
        Some(Description {
            name: target.to_string(),
            about: String::new(),
            start: None,
            version: None,
            doors: BTreeMap::from([(DoorName::Ltp, addresses)]),
            response: self.response,
            round_trip: self.round_trip,
            offers: Default::default(),
            originate: Default::default(),
            commands: Default::default(),
            deliveries: None,
            ltp: Some(LtpDescription {
                engine: self.peer_engine?,
                tester: self.engine,
                checkpoint_timer: self.timer,
                retransmission_limit: self.retransmissions,
                ..LtpDescription::default()
            }),
            bundles: None,
            tcpcl: None,
            endpoints: BTreeMap::new(),
            contacts: Vec::new(),
        })
    }
}

/// Runs the cases against a node.
pub fn judge(
    node: Node,
    cases: &[Case],
    options: Options,
    jobs: Option<u16>,
    quiet: bool,
    folder: &Folder,
    stop: &AtomicBool,
) -> Result<NodeResults, String> {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let clock = std::time::Instant::now();
    let epoch = i64::try_from(started.as_nanos()).unwrap_or(0);
    let name = node.name().to_owned();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let (mut runs, profiles, clock_name, version, description) = match node {
        Node::Builtin => {
            let jobs = jobs.map_or(processors, usize::from);
            let make = |_: usize| Ok(Builtin::new(options.seed));
            // It takes a second, and the results follow.
            let runs = side_by_side(cases, options, jobs, stop, |_, _| {}, make)?;
            let profiles = Builtin::new(options.seed).profiles().to_vec();
            (runs, profiles, "virtual", Some(env!("CARGO_PKG_VERSION").to_owned()), None)
        }
        Node::Described(description, file) => {
            let file_text = file.as_ref().map(|(path, hash)| (path.display().to_string(), hash.clone()));
            let farlink = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("farlink"));
            let place = |job: usize| folder.path().join("nodes").join(format!("{name}-{job}"));
            let make = |job: usize| Real::new((*description).clone(), &absolute(&place(job)), &farlink);
            let first = make(0)?;
            if let Some(program) = first.missing() {
                let hint = description.start.as_ref().map(|start| start.hint.clone()).filter(|hint| !hint.is_empty());
                let why =
                    format!("`{program}` is not on the PATH{}", hint.map_or(String::new(), |hint| format!(": {hint}")));
                return Ok(NodeResults::skipped(name, file_text, why));
            }
            if let Some(address) = first.absent() {
                return Err(format!(
                    "nothing listens at {address}, so {name} was not judged; start the node first, or give the address where it listens"
                ));
            }
            let jobs = usize::from(jobs.unwrap_or(1));
            if jobs > 1 && !can_run_side_by_side(&description) {
                return Err(format!(
                    "--jobs: {name} can run only once, since its ports are fixed; give them as 127.0.0.1:0 in its description, \
                     with a `start`"
                ));
            }
            let (version, profiles) = (first.version(), first.profiles().to_vec());
            let all = cases.len() * options.repeat as usize;
            let told = |run: &CaseRun, ended: usize| {
                if !quiet {
                    let (id, outcome, time) = (run.case.id, run.outcome.as_str(), run.exchange.duration());
                    complain!("{name}: {ended} of {all}: {id} {outcome} after {time}");
                }
            };
            let runs = side_by_side(cases, options, jobs, stop, told, make)?;
            (runs, profiles, "wall", version, file_text)
        }
    };
    run::watch(&mut runs, &profiles);
    let rerun = |run: &CaseRun| {
        let node = description.as_ref().map_or(String::new(), |(path, _)| format!(" --node {path}"));
        format!("farlink conform {}{node} --seed {}", run.case.id, options.seed)
    };
    let kept: Result<Vec<_>, String> = runs.iter().map(|run| folder.keep(&name, run, rerun(run), epoch)).collect();
    Ok(NodeResults {
        name,
        version,
        description,
        clock: clock_name.to_owned(),
        skipped: None,
        duration_ns: i64::try_from(clock.elapsed().as_nanos()).unwrap_or(i64::MAX),
        timing_error_ns: runs.iter().map(|run| run.timing_error.as_nanos()).max().unwrap_or(0),
        cases: kept?,
    })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn can_run_side_by_side(description: &Description) -> bool {
    let free = |address: Option<std::net::SocketAddr>| address.is_none_or(|address| address.port() == 0);
    description.start.is_some() && description.doors.values().all(|door| free(door.node) && free(door.tester))
}

/// Runs cases on several nodes of one kind at once. What comes out does not depend on how many: each case draws its own numbers.
/// `told` hears of each that has ended, and how many that makes.
fn side_by_side<T: Target>(
    cases: &[Case],
    options: Options,
    jobs: usize,
    stop: &AtomicBool,
    told: impl Fn(&CaseRun, usize) + Sync,
    make: impl Fn(usize) -> Result<T, String> + Sync,
) -> Result<Vec<CaseRun>, String> {
    let all: Vec<(u32, Case)> =
        (0..options.repeat).flat_map(|repetition| cases.iter().map(move |case| (repetition, *case))).collect();
    // What waits for timers takes longest: begun first, it is done when the rest is.
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|place| !all[*place].1.tags.contains(&"timers"));
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, CaseRun)>> = Mutex::new(Vec::new());
    let work = |job: usize| -> Result<(), String> {
        let mut target = make(job)?;
        let mut gone: Option<String> = None;
        let mut health = run::Health::default();
        loop {
            let Some(&place) = order.get(next.fetch_add(1, Ordering::Relaxed)) else { return Ok(()) };
            let (repetition, case) = &all[place];
            let run = if stop.load(Ordering::Relaxed) {
                run::not_tried(*case, *repetition, Outcome::Inconclusive, "the run was interrupted")
            } else if let Some(why) = &gone {
                run::not_tried(*case, *repetition, Outcome::Inconclusive, why)
            } else {
                run::judge(*case, &mut target, options, *repetition, &mut health)
            };
            if matches!(run.outcome, Outcome::Crash | Outcome::Hang) {
                target.stop();
                if !target.can_restart() {
                    gone = Some(format!("the node did not survive {}, and nothing says how to start it", case.id));
                }
            }
            let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            told(&run, done.len() + 1);
            done.push((place, run));
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.clamp(1, all.len().max(1))).map(|job| scope.spawn(move || work(job))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err("a case ended the bench".to_owned())))
    })?;
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, run)| run).collect())
}
