//! Clocks: what counts the time, and who keeps it right.

use std::io;

use rtime_clock::adjtime::{Timex, adjtimex};

use super::{Check, State};
use crate::Tree;

const TOPIC: &str = "time";
const SOURCE: &str = "sys/devices/system/clocksource/clocksource0";

/// `STA_UNSYNC` of adjtimex(2).
const UNSYNCHRONISED: i32 = 0x40;
/// `TIME_ERROR` of adjtimex(2).
const TIME_ERROR: i32 = 5;

/// What the kernel says of its wall clock (adjtimex(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelClock {
    /// Whether a program keeps it right.
    pub synchronised: bool,
    /// What that program thinks its error is, in microseconds.
    pub estimated_us: i64,
    /// What it is at most, in microseconds.
    pub maximum_us: i64,
    /// By how many thousandths of a ppm its rate is corrected.
    pub correction_ppb: i64,
}

impl KernelClock {
    /// Asks, and changes nothing.
    pub fn read() -> io::Result<Self> {
        let mut timex = Timex::new();
        let state = adjtimex(&mut timex)?;
        let timex = timex.0;
        Ok(KernelClock {
            synchronised: state != TIME_ERROR && timex.status & UNSYNCHRONISED == 0,
            estimated_us: timex.esterror,
            maximum_us: timex.maxerror,
            // In units of 2^-16 ppm.
            correction_ppb: timex.freq.saturating_mul(1000) >> 16,
        })
    }
}

pub fn checks(tree: &Tree, kernel: io::Result<KernelClock>) -> Vec<Check> {
    vec![source(tree), synchronisation(tree, kernel), hardware(tree)]
}

fn source(tree: &Tree) -> Check {
    const NAME: &str = "clock-source";
    let current = match tree.read(format!("{SOURCE}/current_clocksource")) {
        Ok(current) => current,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    let available = tree.read(format!("{SOURCE}/available_clocksource")).unwrap_or_default();
    let (state, why) = match current.as_str() {
        "tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page" | "arch_sys_counter" => {
            (State::Good, "read in nanoseconds")
        }
        "hpet" | "acpi_pm" | "jiffies" | "refined-jiffies" | "pit" => (State::Poor, "a microsecond or more to read"),
        "xen" => (State::Fair, "read through the hypervisor"),
        _ => (State::Fair, "how quickly it is read is not known here"),
    };
    let check = Check::new(TOPIC, NAME, state, format!("{current}: {why} (there are {available})"));
    match ["tsc", "kvm-clock"].into_iter().find(|better| available.split_whitespace().any(|one| one == *better)) {
        Some(better) => check.command(format!("echo {better} | sudo tee /{SOURCE}/current_clocksource")),
        None => check.command("dmesg | grep -i -e clocksource -e tsc"),
    }
}

/// Programs that keep the clock right, as `/proc/PID/comm` has them, cut to 15 bytes.
const KEEPERS: [&str; 8] =
    ["chronyd", "ntpd", "systemd-timesyn", "ptp4l", "phc2sys", "timemaster", "ntp-daemon", "openntpd"];

fn keepers(tree: &Tree) -> io::Result<Vec<String>> {
    let is_process = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
    // One that has ended since the list was made has no name any more.
    let names = tree.list("proc")?.into_iter().filter(is_process);
    let mut found: Vec<String> = names
        .filter_map(|process| tree.read(format!("proc/{process}/comm")).ok())
        .filter(|name| KEEPERS.contains(&name.as_str()))
        .map(|name| if name == "systemd-timesyn" { "systemd-timesyncd".to_owned() } else { name })
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn synchronisation(tree: &Tree, kernel: io::Result<KernelClock>) -> Check {
    const NAME: &str = "clock-synchronisation";
    let kernel = match kernel {
        Ok(kernel) => kernel,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    let by = match keepers(tree) {
        Ok(keepers) if keepers.is_empty() => "no program here that does it".to_owned(),
        Ok(keepers) => format!("{} runs", keepers.join(", ")),
        Err(error) => format!("who does it cannot be read: {error}"),
    };
    if kernel.synchronised {
        let found = format!(
            "synchronised: error {} us by estimate, {} us at most, rate corrected by {:.3} ppm; {by}",
            kernel.estimated_us,
            kernel.maximum_us,
            kernel.correction_ppb as f64 / 1000.0
        );
        let state = if kernel.maximum_us <= 1_000_000 { State::Good } else { State::Fair };
        return Check::new(TOPIC, NAME, state, found).command("chronyc tracking");
    }
    // 100 ppm is what PC crystals stay within.
    let found = format!(
        "not synchronised; {by}. The clock runs as its crystal does, so that each second of delay may be wrong by up to 100 us"
    );
    Check::new(TOPIC, NAME, State::Poor, found).command("sudo apt-get install chrony && chronyc waitsync")
}

fn hardware(tree: &Tree) -> Check {
    const NAME: &str = "ptp-clocks";
    let clocks = match tree.list_if_there("sys/class/ptp") {
        Ok(clocks) => clocks,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    if clocks.is_empty() {
        return Check::new(TOPIC, NAME, State::Absent, "no hardware clock to be synchronised by PTP (/dev/ptp*)");
    }
    let named: Vec<String> = clocks
        .iter()
        .map(|clock| match tree.read(format!("sys/class/ptp/{clock}/clock_name")) {
            Ok(name) => format!("/dev/{clock} ({name})"),
            Err(_) => format!("/dev/{clock}"),
        })
        .collect();
    Check::new(TOPIC, NAME, State::Good, named.join(", "))
}
