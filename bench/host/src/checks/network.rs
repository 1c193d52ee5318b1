//! What the kernel keeps of frames that wait, and which interfaces there are.

use std::io;

use super::permissions::having;
use super::{Check, State};
use crate::Tree;
use crate::permits::{Capability, Permits};
use crate::realtime::bytes;

const TOPIC: &str = "network";

/// How many bytes a port asks the kernel to keep of what has arrived and was not taken yet.
pub const RECEIVE_BUFFER: u64 = 16 << 20;

/// How many bytes a port asks the kernel to keep of what is to leave.
pub const SEND_BUFFER: u64 = 8 << 20;

pub fn checks(tree: &Tree, permits: &io::Result<Permits>) -> Vec<Check> {
    vec![receive(tree, permits), send(tree), backlog(tree), interfaces(tree)]
}

fn setting(tree: &Tree, name: &str) -> io::Result<u64> {
    let value = tree.number(format!("proc/sys/net/core/{name}"))?;
    u64::try_from(value).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{value} is negative")))
}

fn receive(tree: &Tree, permits: &io::Result<Permits>) -> Check {
    const NAME: &str = "receive-buffers";
    let most = match setting(tree, "rmem_max") {
        Ok(most) => most,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    let privileged = permits.as_ref().is_ok_and(|permits| permits.has(Capability::NetAdmin));
    let state = if privileged { State::Good } else { State::from(most, RECEIVE_BUFFER, 4 << 20) };
    let found = format!(
        "{} are asked for, net.core.rmem_max is {}; {}",
        bytes(RECEIVE_BUFFER),
        bytes(most),
        match privileged {
            true => "CAP_NET_ADMIN lifts the limit".to_owned(),
            false => having(false, Capability::NetAdmin),
        }
    );
    Check::new(TOPIC, NAME, state, found).command(format!("sudo sysctl -w net.core.rmem_max={RECEIVE_BUFFER}"))
}

fn send(tree: &Tree) -> Check {
    const NAME: &str = "send-buffers";
    let most = match setting(tree, "wmem_max") {
        Ok(most) => most,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    // A port whose buffer is full is told so and waits; nothing is lost.
    let state = if most >= SEND_BUFFER { State::Good } else { State::Fair };
    let found = format!("{} are asked for, net.core.wmem_max is {}", bytes(SEND_BUFFER), bytes(most));
    Check::new(TOPIC, NAME, state, found).command(format!("sudo sysctl -w net.core.wmem_max={SEND_BUFFER}"))
}

fn backlog(tree: &Tree) -> Check {
    const NAME: &str = "backlog";
    match setting(tree, "netdev_max_backlog") {
        Ok(frames) => {
            let found = format!("{frames} frames of an interface may wait for a core (net.core.netdev_max_backlog)");
            Check::new(TOPIC, NAME, State::from(frames, 10_000, 1000), found)
                .command("sudo sysctl -w net.core.netdev_max_backlog=10000")
        }
        Err(error) => Check::unknown(TOPIC, NAME, error),
    }
}

fn interfaces(tree: &Tree) -> Check {
    const NAME: &str = "interfaces";
    let names = match tree.list_if_there("sys/class/net") {
        Ok(names) => names,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    let mut described = Vec::new();
    for name in names {
        let read = |file: &str| tree.read(format!("sys/class/net/{name}/{file}"));
        // ARPHRD_ETHER; what else there is (loopback, tunnels, bonding_masters) carries no Ethernet frames.
        if !read("type").is_ok_and(|kind| kind == "1") {
            continue;
        }
        let state = read("operstate").unwrap_or_else(|_| "state unknown".to_owned());
        // Virtual ones and those without a carrier have no speed, or -1.
        let speed = read("speed").ok().and_then(|speed| speed.parse::<u32>().ok());
        let speed = speed.map_or(String::new(), |speed| format!(", {speed} Mbit/s"));
        described.push(format!("{name} ({state}{speed})"));
    }
    if described.is_empty() {
        let found = "no Ethernet interface: `eth:` ports have nothing to bridge";
        return Check::new(TOPIC, NAME, State::Absent, found)
            .command("sudo ip link add vetha type veth peer name vethb");
    }
    Check::new(TOPIC, NAME, State::Good, described.join(", "))
}
