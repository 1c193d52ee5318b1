//! What this process may do.

use std::io;

use rustix::fs::{Access, access};

use super::{Check, State};
use crate::Tree;
use crate::permits::{Capability, Permits};
use crate::realtime::{PRIORITY, SETCAP_REALTIME, bytes};

const TOPIC: &str = "permissions";

/// Grants what Ethernet, TAP and large socket buffers need to the program that is on the `PATH`.
pub const SETCAP_NETWORK: &str = "sudo setcap cap_net_raw,cap_net_admin+ep \"$(command -v farlink)\"";

pub fn checks(tree: &Tree, permits: &io::Result<Permits>) -> Vec<Check> {
    let names = ["realtime-scheduling", "locked-memory", "raw-ethernet", "open-files", "tap-and-tun"];
    match permits {
        Ok(permits) => {
            vec![scheduling(permits), memory(permits), ethernet(permits), files(permits), tap(tree, permits)]
        }
        Err(error) => names.into_iter().map(|name| Check::unknown(TOPIC, name, error)).collect(),
    }
}

fn scheduling(permits: &Permits) -> Check {
    let limit = permits.realtime_priority.hard.map_or("no limit".to_owned(), |limit| limit.to_string());
    let privileged = permits.has(Capability::SysNice);
    let may = privileged || permits.realtime_priority.allows(u64::from(PRIORITY));
    let found = format!("{}; ulimit -r: {limit}; {PRIORITY} is wanted", having(privileged, Capability::SysNice));
    Check::new(TOPIC, "realtime-scheduling", if may { State::Good } else { State::Absent }, found)
        .command(SETCAP_REALTIME)
}

fn memory(permits: &Permits) -> Check {
    let privileged = permits.has(Capability::IpcLock);
    let limit = permits.locked_memory.hard;
    let found = format!(
        "{}; ulimit -l: {}",
        having(privileged, Capability::IpcLock),
        limit.map_or("no limit".to_owned(), bytes)
    );
    let state = if privileged || limit.is_none() { State::Good } else { State::Absent };
    Check::new(TOPIC, "locked-memory", state, found).command(SETCAP_REALTIME)
}

fn ethernet(permits: &Permits) -> Check {
    let may = permits.has(Capability::NetRaw);
    let found = format!("{}: `eth:` ports need it", having(may, Capability::NetRaw));
    Check::new(TOPIC, "raw-ethernet", if may { State::Good } else { State::Absent }, found).command(SETCAP_NETWORK)
}

fn files(permits: &Permits) -> Check {
    let limit = permits.open_files.hard;
    let found = match limit {
        Some(limit) => format!("up to {limit} may be open (ulimit -Hn)"),
        None => "as many may be open as there are".to_owned(),
    };
    let state = limit.map_or(State::Good, |limit| State::from(limit, 1024, 256));
    Check::new(TOPIC, "open-files", state, found)
        .command("echo '* hard nofile 65536' | sudo tee /etc/security/limits.d/farlink.conf")
}

fn tap(tree: &Tree, permits: &Permits) -> Check {
    const NAME: &str = "tap-and-tun";
    let device = tree.path("dev/net/tun");
    if let Err(error) = std::fs::symlink_metadata(&device) {
        return match error.kind() {
            io::ErrorKind::NotFound => {
                Check::new(TOPIC, NAME, State::Absent, "no /dev/net/tun").command("sudo modprobe tun")
            }
            _ => Check::unknown(TOPIC, NAME, error),
        };
    }
    let may_open = access(&device, Access::READ_OK | Access::WRITE_OK).is_ok();
    let privileged = permits.has(Capability::NetAdmin);
    let found = format!(
        "/dev/net/tun {}; {}",
        if may_open { "may be opened" } else { "may not be opened" },
        having(privileged, Capability::NetAdmin)
    );
    let state = if may_open && privileged { State::Good } else { State::Absent };
    let check = Check::new(TOPIC, NAME, state, found);
    if may_open { check.command(SETCAP_NETWORK) } else { check.command("sudo chmod a+rw /dev/net/tun") }
}

pub fn having(it: bool, capability: Capability) -> String {
    format!("{} {}", if it { "has" } else { "has no" }, capability.as_str())
}
