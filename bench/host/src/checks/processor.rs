//! Cores: how many, how fast they wake, and who else uses them.

use std::io;

use super::{Check, State};
use crate::Tree;
use crate::tree::cores;

const TOPIC: &str = "time";
const CPU: &str = "sys/devices/system/cpu";

/// Time of all cores since boot, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    total: u64,
    /// What the host of a virtual machine gave to others.
    stolen: u64,
}

/// Reads `/proc/stat` (proc_stat(5)).
pub fn times(tree: &Tree) -> io::Result<Times> {
    let text = tree.read("proc/stat")?;
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "/proc/stat has no line of all cores");
    let line = text.lines().find_map(|line| line.strip_prefix("cpu ")).ok_or_else(wrong)?;
    let columns: Vec<u64> = line.split_whitespace().filter_map(|column| column.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; what guests use is in user already.
    let total = columns.iter().take(8).sum();
    Ok(Times { total, stolen: *columns.get(7).ok_or_else(wrong)? })
}

/// How much of the cores' time the host of a virtual machine gave to others while the checks ran, or, if that was too short to
/// tell, since boot.
pub fn steal(tree: &Tree, before: io::Result<Times>) -> Check {
    const NAME: &str = "virtual-machine";
    let (before, after) = match (before, times(tree)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(error), _) | (_, Err(error)) => return Check::unknown(TOPIC, NAME, error),
    };
    let share = |stolen: u64, total: u64| 100.0 * stolen as f64 / total.max(1) as f64;
    let ticks = after.total.saturating_sub(before.total);
    let ever = share(after.stolen, after.total);
    let (percent, when) = match ticks {
        100.. => (share(after.stolen.saturating_sub(before.stolen), ticks), "now"),
        _ => (ever, "since boot"),
    };
    let mut kind = ["sys_vendor", "product_name"]
        .iter()
        .filter_map(|file| tree.read(format!("sys/class/dmi/id/{file}")).ok())
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let flagged = tree.read("proc/cpuinfo").is_ok_and(|text| {
        text.lines().any(|line| line.starts_with("flags") && line.split_whitespace().any(|flag| flag == "hypervisor"))
    });
    let named =
        ["sys/hypervisor/type", "proc/device-tree/hypervisor/compatible"].iter().find_map(|f| tree.read(f).ok());
    if !flagged && named.is_none() && after.stolen == 0 {
        return Check::new(TOPIC, NAME, State::Good, "none: the cores are this machine's own");
    }
    if let Some(named) = named {
        kind = named;
    }
    let kind = if kind.is_empty() { String::new() } else { format!(" ({})", kind.trim_end_matches('\0')) };
    let state = match percent {
        _ if percent > 1.0 => State::Poor,
        _ => State::Fair,
    };
    let found = format!(
        "a virtual machine{kind}: its host gives {percent:.2} % of its time to others {when} ({ever:.2} % ever)"
    );
    Check::new(TOPIC, NAME, state, found)
        .advice("measure on a machine of its own, or pin the virtual cores to real ones")
}

pub fn checks(tree: &Tree) -> Vec<Check> {
    vec![count(tree), load(tree), governor(tree), idle(tree)]
}

/// The cores that the process may use (`Cpus_allowed_list`, proc_pid_status(5)), of those that run.
fn usable(tree: &Tree) -> io::Result<(usize, usize)> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("no cores in {what}"));
    let online = cores(&tree.read(format!("{CPU}/online"))?).ok_or_else(|| wrong("/sys/devices/system/cpu/online"))?;
    let status = tree.read("proc/self/status")?;
    let allowed = status.lines().find_map(|line| cores(line.strip_prefix("Cpus_allowed_list:")?));
    let allowed = allowed.ok_or_else(|| wrong("Cpus_allowed_list of /proc/self/status"))?;
    Ok((allowed.iter().filter(|core| online.contains(core)).count(), online.len()))
}

fn count(tree: &Tree) -> Check {
    const NAME: &str = "cores";
    let (usable, online) = match usable(tree) {
        Ok(counted) => counted,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    let isolated = tree.read(format!("{CPU}/isolated")).unwrap_or_default();
    let isolated = if isolated.is_empty() { "none".to_owned() } else { isolated };
    let kernel = match tree.read("sys/kernel/realtime").as_deref() {
        Ok("1") => "a PREEMPT_RT kernel",
        _ => match tree.read("proc/version") {
            Ok(version) if version.contains("PREEMPT") => "a preemptible kernel",
            Ok(_) => "a kernel that does not preempt itself",
            Err(_) => "a kernel that does not tell its kind",
        },
    };
    let found = format!("{usable} to use of {online} that run; kept free of others: {isolated}; {kernel}");
    let check = Check::new(TOPIC, NAME, if usable >= 2 { State::Good } else { State::Poor }, found);
    match online {
        2.. => check.command(format!("taskset -c 0-{} farlink doctor", online - 1)),
        _ => check.advice("a link needs two cores for its full rate: give the machine another"),
    }
}

fn load(tree: &Tree) -> Check {
    const NAME: &str = "load";
    let average = tree.read("proc/loadavg").and_then(|text| {
        let first = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
        first.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/loadavg holds no number"))
    });
    let (average, (usable, _)) = match (average, usable(tree)) {
        (Ok(average), Ok(usable)) => (average, usable),
        (Err(error), _) | (_, Err(error)) => return Check::unknown(TOPIC, NAME, error),
    };
    let each = average / usable.max(1) as f64;
    let state = match each {
        _ if each <= 0.5 => State::Good,
        _ if each <= 1.0 => State::Fair,
        _ => State::Poor,
    };
    let found = format!("{average:.2} threads wanted to run in the last minute, on {usable} cores");
    Check::new(TOPIC, NAME, state, found).command("top -o %CPU")
}

fn governor(tree: &Tree) -> Check {
    const NAME: &str = "cpu-frequency";
    let cpus = match tree.list(CPU) {
        Ok(cpus) => cpus,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    let mut governors: Vec<String> =
        cpus.iter().filter_map(|cpu| tree.read(format!("{CPU}/{cpu}/cpufreq/scaling_governor")).ok()).collect();
    governors.sort_unstable();
    governors.dedup();
    match governors.as_slice() {
        [] => Check::new(TOPIC, NAME, State::Good, "the system does not scale it"),
        [one] if one == "performance" => Check::new(TOPIC, NAME, State::Good, "governor performance"),
        several => {
            let found = format!("governor {}: a core that was idle is slow at first", several.join(", "));
            Check::new(TOPIC, NAME, State::Fair, found).command("sudo cpupower frequency-set -g performance")
        }
    }
}

fn idle(tree: &Tree) -> Check {
    const NAME: &str = "idle-states";
    let folder = format!("{CPU}/cpu0/cpuidle");
    let states = match tree.list_if_there(&folder) {
        Ok(states) => states,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    let enabled = states.iter().filter(|state| tree.number(format!("{folder}/{state}/disable")).unwrap_or(0) == 0);
    let latencies = enabled.filter_map(|state| {
        let latency = u64::try_from(tree.number(format!("{folder}/{state}/latency")).ok()?).ok()?;
        Some((latency, tree.read(format!("{folder}/{state}/name")).unwrap_or_else(|_| state.clone())))
    });
    match latencies.max() {
        None => Check::new(TOPIC, NAME, State::Good, "none that this system chooses"),
        Some((latency, name)) => {
            let state = if latency <= 50 { State::Good } else { State::Fair };
            Check::new(TOPIC, NAME, state, format!("a core in the deepest, {name}, takes {latency} us to wake"))
                .command("sudo cpupower idle-set -D 50")
        }
    }
}
