//! Real-time scheduling for a thread of the emulator, as far as the host permits.
//!
//! [`take`] asks for what a [`Wish`] names and tells in [`Got`], for each thing, what it got, or why not and how to get it.
//! Nothing it is refused is an error: the thread runs on as it did.
//!
//! - **Scheduling**: `SCHED_FIFO` (sched(7)) at [`PRIORITY`]. A thread that such a thread starts inherits it, and its cores:
//!   let every helper (a writer to disk, a socket for control, a child process) begin with [`ordinary`].
//! - **Memory**: mlockall(2), so that no page of the process has to come back from disk in the middle of a frame. It is for
//!   the whole process; see [`Memory`] for what it does to a large delay store.
//! - **Cores**: sched_setaffinity(2), given or chosen by [`best_cores`].
//! - **Timer slack**: 1 ns instead of 50 µs (prctl(2), `PR_SET_TIMERSLACK`), which everybody may have. Without it each sleep is
//!   allowed to last 50 µs longer than asked.

mod cores;

use std::fmt;
use std::io;
use std::num::NonZeroU64;
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getpriority_process, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};
use serde::Serialize;
use thread_priority::{
    NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use crate::Tree;
use crate::permits::{Capability, Permits};

pub use cores::best_cores;

/// The priority of the data path, of 1 to 99.
///
/// It is below that of the kernel's threads for interrupts, 50, which bring the frames, and far below those that keep the
/// machine going at 99 (migration, watchdog); above other real-time programs of no stated need, which begin at 1.
pub const PRIORITY: u8 = 40;

/// The usual timer slack (prctl(2)).
const USUAL_SLACK: u64 = 50_000;

/// Grants what real-time scheduling and locked memory need to the program that is on the `PATH`.
pub(crate) const SETCAP_REALTIME: &str = "sudo setcap cap_sys_nice,cap_ipc_lock+ep \"$(command -v farlink)\"";

/// What a thread asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `SCHED_FIFO` at [`PRIORITY`].
    pub fifo: bool,
    /// Whether the thread at times waits by looking at the clock again and again instead of sleeping. Then `SCHED_FIFO` can
    /// starve the machine, and is refused where the kernel sets no bounds to it (`kernel.sched_rt_runtime_us`).
    pub spins: bool,
    /// Locked memory.
    pub memory: Memory,
    /// Where the thread is to run.
    pub cores: Cores,
}

/// Which memory of the process is locked. Pages are locked as they are touched (`MCL_ONFAULT`), never brought in beforehand:
/// what is mapped but not used costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// None.
    #[default]
    Unlocked,
    /// What is mapped now. Delay stores made later are not locked.
    Present,
    /// What is mapped now and later.
    ///
    /// A delay store is locked with it: all that it ever holds in memory stays there, and a file that is mapped into memory
    /// stays there whole, as if it were not on disk. `holds` is how many bytes delay stores may come to; it is refused where
    /// that is more than half of the memory that the host has to give. It is refused, too, to a process with a limit of locked
    /// memory and without `CAP_IPC_LOCK`: beyond the limit every later allocation would fail.
    Growing {
        /// The bytes of all delay stores together, at most.
        holds: u64,
    },
}

/// Where a thread is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cores {
    /// Wherever there is room.
    #[default]
    Any,
    /// On these only, counted from 0.
    These(Vec<usize>),
    /// On one of its own: the first thread on the first of [`best_cores`], and so on, and round again.
    Own {
        /// Which thread, counted from 0.
        thread: usize,
    },
}

/// What came of one thing that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was not asked for.
    NotAsked,
    /// It was got.
    Taken {
        /// What, in words.
        what: String,
    },
    /// It was not.
    Refused {
        /// Why, in words.
        why: String,
        /// What to do, where something can be done.
        #[serde(skip_serializing_if = "Option::is_none")]
        remedy: Option<String>,
    },
}

impl Outcome {
    fn taken(what: impl Into<String>) -> Self {
        Outcome::Taken { what: what.into() }
    }

    fn refused(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Outcome::Refused { why: why.into(), remedy: Some(remedy.into()) }
    }

    fn hopeless(why: impl Into<String>) -> Self {
        Outcome::Refused { why: why.into(), remedy: None }
    }

    /// Whether it was asked for and not got.
    pub fn is_refused(&self) -> bool {
        matches!(self, Outcome::Refused { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::NotAsked => f.write_str("not asked for"),
            Outcome::Taken { what } => f.write_str(what),
            Outcome::Refused { why, remedy: None } => write!(f, "no: {why}"),
            Outcome::Refused { why, remedy: Some(remedy) } => write!(f, "no: {why}; try: {remedy}"),
        }
    }
}

/// What a thread got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Got {
    /// `SCHED_FIFO`.
    pub scheduling: Outcome,
    /// Locked memory.
    pub memory: Outcome,
    /// Pinned cores.
    pub cores: Outcome,
    /// Timer slack.
    pub timer_slack: Outcome,
    /// What to beware of with what was got.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Got {
    /// Whether all that was asked for was got.
    pub fn is_all(&self) -> bool {
        ![&self.scheduling, &self.memory, &self.cores, &self.timer_slack].into_iter().any(Outcome::is_refused)
    }
}

/// A line for each thing, and for each warning.
impl fmt::Display for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "scheduling: {}", self.scheduling)?;
        writeln!(f, "memory: {}", self.memory)?;
        writeln!(f, "cores: {}", self.cores)?;
        write!(f, "timer slack: {}", self.timer_slack)?;
        self.warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

/// The cores that the process had before any thread was pinned.
static ALL_CORES: OnceLock<CpuSet> = OnceLock::new();

/// Takes for the calling thread what it asks for, as far as that is permitted. Locked memory is for the whole process.
pub fn take(wish: &Wish) -> Got {
    let tree = Tree::of_this_system();
    let mut warnings = Vec::new();
    let cores = take_cores(&tree, &wish.cores);
    // Before the scheduling: the kernel leaves the slack of a real-time thread, which has none, alone.
    let timer_slack = match set_current_timer_slack(NonZeroU64::new(1)) {
        Ok(()) => Outcome::taken("1 ns"),
        Err(error) => Outcome::hopeless(format!("the system says: {error}")),
    };
    let (scheduling, memory) = match Permits::read(&tree) {
        Ok(permits) => (take_fifo(&tree, wish, &permits, &mut warnings), take_memory(&tree, wish.memory, &permits)),
        Err(error) => {
            let unread = |asked: bool| match asked {
                true => Outcome::hopeless(format!("what this process may do cannot be read: {error}")),
                false => Outcome::NotAsked,
            };
            (unread(wish.fifo), unread(wish.memory != Memory::Unlocked))
        }
    };
    Got { scheduling, memory, cores, timer_slack, warnings }
}

/// Makes the calling thread an ordinary one again, with the usual timer slack and its niceness, on all cores that the process
/// had when the first thread took one.
///
/// # Errors
/// The system refuses it.
pub fn ordinary() -> io::Result<()> {
    // Setting the policy sets the niceness as well there, in a scale of its own; it is to stay as it is.
    let niceness = getpriority_process(None)?;
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
    let same = (0..=99)
        .filter_map(|value: u8| Some(ThreadPriority::Crossplatform(value.try_into().ok()?)))
        .find(|priority| priority.to_posix(policy).is_ok_and(|value| value == niceness))
        .ok_or_else(|| io::Error::other(format!("no priority stands for niceness {niceness}")))?;
    set_thread_priority_and_policy(thread_native_id(), same, policy).map_err(io::Error::other)?;
    set_current_timer_slack(NonZeroU64::new(USUAL_SLACK))?;
    if let Some(all) = ALL_CORES.get() {
        sched_setaffinity(None, all)?;
    }
    Ok(())
}

fn take_cores(tree: &Tree, wish: &Cores) -> Outcome {
    if *wish == Cores::Any {
        return Outcome::NotAsked;
    }
    let all = match ALL_CORES.get() {
        Some(all) => *all,
        None => match sched_getaffinity(None) {
            Ok(set) => *ALL_CORES.get_or_init(|| set),
            Err(error) => return Outcome::hopeless(format!("the system does not say which cores there are: {error}")),
        },
    };
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
    let chosen = match wish {
        Cores::Any => return Outcome::NotAsked,
        Cores::These(cores) => cores.clone(),
        Cores::Own { .. } if allowed.len() < 2 => {
            return Outcome::hopeless("this process has one core; a thread that is pinned to it gains nothing");
        }
        Cores::Own { thread } => {
            let best = best_cores(tree, &allowed);
            vec![best[thread % best.len()]]
        }
    };
    let named = chosen.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let allowed_named = allowed.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let mut set = CpuSet::new();
    for core in &chosen {
        if !allowed.contains(core) {
            let why = format!("core {core} is none that this process may use ({allowed_named})");
            return Outcome::refused(why, format!("name some of {allowed_named}"));
        }
        set.set(*core);
    }
    match sched_setaffinity(None, &set) {
        Ok(()) => Outcome::taken(if chosen.len() == 1 { format!("core {named}") } else { format!("cores {named}") }),
        Err(error) => Outcome::hopeless(format!("the system does not let it run on {named}: {error}")),
    }
}

/// How much of each period real-time threads may run, in microseconds (`kernel.sched_rt_runtime_us`); -1 is all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Throttle {
    runtime: i64,
    period: i64,
}

impl Throttle {
    fn read(tree: &Tree) -> io::Result<Self> {
        Ok(Throttle {
            runtime: tree.number("proc/sys/kernel/sched_rt_runtime_us")?,
            period: tree.number("proc/sys/kernel/sched_rt_period_us")?,
        })
    }
}

/// Whether a thread that spins may be a real-time one, and with what warning.
fn spinning(throttle: io::Result<Throttle>) -> Result<Option<String>, Outcome> {
    match throttle {
        Ok(Throttle { runtime: -1, .. }) => Err(Outcome::refused(
            "a thread that spins could starve this machine, which sets no bounds to real-time threads",
            "sudo sysctl -w kernel.sched_rt_runtime_us=950000",
        )),
        Ok(Throttle { runtime, period }) if runtime < period => Ok(Some(format!(
            "a real-time thread that spins can be held up for {} of every {} us (kernel.sched_rt_runtime_us): let it sleep, \
             and spin for a small part of the time at most",
            period - runtime,
            period
        ))),
        Ok(_) => Err(Outcome::refused(
            "a thread that spins could starve this machine, which lets real-time threads run all the time",
            "sudo sysctl -w kernel.sched_rt_runtime_us=950000",
        )),
        Err(error) => Err(Outcome::hopeless(format!(
            "a thread that spins could starve this machine, and what bounds it sets to real-time threads cannot be read: {error}"
        ))),
    }
}

/// Raises a soft limit to what is wanted, where the hard one allows it; if not, what needs it will say so.
fn raise(resource: Resource, wanted: u64) {
    let Rlimit { current, maximum } = getrlimit(resource);
    if current.is_some_and(|current| current < wanted) && maximum.is_none_or(|maximum| maximum >= wanted) {
        let _ = setrlimit(resource, Rlimit { current: Some(wanted), maximum });
    }
}

fn take_fifo(tree: &Tree, wish: &Wish, permits: &Permits, warnings: &mut Vec<String>) -> Outcome {
    if !wish.fifo {
        return Outcome::NotAsked;
    }
    let warning = match wish.spins.then(|| spinning(Throttle::read(tree))).transpose() {
        Ok(warning) => warning.flatten(),
        Err(refused) => return refused,
    };
    let privileged = permits.has(Capability::SysNice);
    if !privileged {
        raise(Resource::Rtprio, u64::from(PRIORITY));
    }
    let set =
        PRIORITY.try_into().map_err(|_| thread_priority::Error::OS(Errno::INVAL.raw_os_error())).and_then(|priority| {
            let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
            set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(priority), policy)
        });
    let permission = Errno::PERM.raw_os_error();
    match set {
        Ok(()) => {
            warnings.extend(warning);
            Outcome::taken(format!("SCHED_FIFO at priority {PRIORITY}"))
        }
        Err(thread_priority::Error::OS(error)) if error == permission && privileged => Outcome::hopeless(
            "CAP_SYS_NICE is there, but the control group of this process is granted no real-time (cpu.rt_runtime_us), or a \
             sandbox forbids it",
        ),
        Err(thread_priority::Error::OS(error)) if error == permission => Outcome::refused(
            format!(
                "this process has neither CAP_SYS_NICE nor a limit of real-time priority (ulimit -r) of {PRIORITY}"
            ),
            realtime_remedy(),
        ),
        Err(thread_priority::Error::OS(error)) => {
            Outcome::hopeless(format!("the system says: {}", io::Error::from_raw_os_error(error)))
        }
        Err(error) => Outcome::hopeless(error.to_string()),
    }
}

fn realtime_remedy() -> String {
    format!(
        "{SETCAP_REALTIME} (or `@realtime - rtprio {PRIORITY}` in /etc/security/limits.conf, or LimitRTPRIO={PRIORITY} in a \
         systemd unit)"
    )
}

/// How locking memory is called, or why it is not.
fn locking(wish: Memory, permits: &Permits, available: io::Result<u64>) -> Result<Option<MlockAllFlags>, Outcome> {
    match wish {
        Memory::Unlocked => Ok(None),
        Memory::Present => Ok(Some(MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT)),
        Memory::Growing { holds } => {
            if let (false, Some(hard)) = (permits.has(Capability::IpcLock), permits.locked_memory.hard) {
                let why = format!(
                    "this process has no CAP_IPC_LOCK and may lock {} (ulimit -l); beyond it every allocation would fail",
                    bytes(hard)
                );
                return Err(Outcome::refused(why, memory_remedy()));
            }
            match available {
                Ok(available) if holds > available / 2 => Err(Outcome::refused(
                    format!(
                        "delay stores may hold {}, locked, of {} that the host has to give",
                        bytes(holds),
                        bytes(available)
                    ),
                    format!("a smaller --memory, at most {}", bytes(available / 2)),
                )),
                Ok(_) => Ok(Some(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)),
                Err(error) => {
                    Err(Outcome::hopeless(format!("how much memory the host has to give cannot be read: {error}")))
                }
            }
        }
    }
}

fn take_memory(tree: &Tree, wish: Memory, permits: &Permits) -> Outcome {
    let flags = match locking(wish, permits, available_memory(tree)) {
        Ok(None) => return Outcome::NotAsked,
        Ok(Some(flags)) => flags,
        Err(refused) => return refused,
    };
    if let (false, Some(hard)) = (permits.has(Capability::IpcLock), permits.locked_memory.hard) {
        raise(Resource::Memlock, hard);
    }
    match mlockall(flags) {
        Ok(()) if flags.contains(MlockAllFlags::FUTURE) => {
            Outcome::taken("all of the process, now and later, as it is touched")
        }
        Ok(()) => Outcome::taken("what the process has mapped by now, as it is touched"),
        // What counts is all that is mapped, touched or not.
        Err(Errno::NOMEM | Errno::PERM | Errno::AGAIN) if !permits.has(Capability::IpcLock) => {
            let limit = permits.locked_memory.hard.map_or("no limit".to_owned(), bytes);
            Outcome::refused(
                format!("this process has no CAP_IPC_LOCK and more mapped than it may lock ({limit}, ulimit -l)"),
                memory_remedy(),
            )
        }
        Err(error) => Outcome::hopeless(format!("the system says: {error}")),
    }
}

fn memory_remedy() -> String {
    format!(
        "{SETCAP_REALTIME} (or `@realtime - memlock unlimited` in /etc/security/limits.conf, or LimitMEMLOCK=infinity in a \
         systemd unit)"
    )
}

/// Bytes of memory that can be given to programs (`MemAvailable`, proc_meminfo(5)).
pub(crate) fn available_memory(tree: &Tree) -> io::Result<u64> {
    memory_line(&tree.read("proc/meminfo")?, "MemAvailable:")
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/meminfo has no MemAvailable"))
}

/// Bytes that a line of `/proc/meminfo` tells.
pub(crate) fn memory_line(meminfo: &str, name: &str) -> Option<u64> {
    let kib: u64 = meminfo.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// Bytes in words: `8 MiB`, `15.3 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.iter().find(|(shift, _)| count >> shift > 0) {
        Some((shift, unit)) => {
            let text = format!("{:.1}", count as f64 / (1u64 << shift) as f64);
            format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
        }
        None => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests;
