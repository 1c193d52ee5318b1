//! The words of a description that are replaced when its node is started.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Description, DoorName, ReadyWhen};
use crate::medium::SocketDoor;

/// What stands for each word.
#[derive(Clone, Debug, Default)]
pub(super) struct Words(BTreeMap<String, String>);

/// Every text of a description in which words are replaced.
fn texts(description: &Description) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    let commands = &description.commands;
    let hooks = [
        &commands.originate,
        &commands.cancel_sending,
        &commands.cancel_receiving,
        &commands.cancel_bundle,
        &commands.restart,
        &commands.terminate,
        &commands.close_route,
        &commands.open_route,
        &commands.poll,
        &description.version,
    ];
    all.extend(hooks.into_iter().flatten().flatten().map(String::as_str));
    all.extend(description.deliveries.as_deref());
    if let Some(start) = &description.start {
        all.extend(start.files.values().chain(start.environment.values()).map(String::as_str));
        let lines = start.before.iter().chain(&start.after).chain(&start.stop).chain(&start.command);
        all.extend(lines.flatten().map(String::as_str));
        match &start.ready {
            ReadyWhen::Tcp(text) | ReadyWhen::Udp(text) | ReadyWhen::Line(text) => all.push(text),
            ReadyWhen::AtOnce | ReadyWhen::After(_) => {}
        }
    }
    all
}

/// The words in a text: what stands between braces and looks like one of ours. Other braces, as those of JSON, are left alone.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| {
        let (word, _) = rest.split_once('}')?;
        let ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
        (!word.is_empty() && word.chars().all(ours)).then_some(word)
    })
}

/// Words that stand for something while one command runs.
const OF_COMMANDS: [&str; 4] = ["payload", "door", "lifetime_ms", "flags"];

/// Whether every word of a description stands for something.
pub(super) fn check(description: &Description) -> Result<(), String> {
    for text in texts(description) {
        for word in words(text) {
            let known = match word.split('.').collect::<Vec<_>>()[..] {
                ["folder" | "farlink"] => true,
                ["port", _] => true,
                [door, "node", ..] => has(description, door, |a| a.node.is_some()),
                [door, "tester", ..] => has(description, door, |a| a.tester.is_some()),
                [word] => OF_COMMANDS.contains(&word),
                _ => false,
            };
            if !known {
                return Err(format!(
                    "`{{{word}}}` stands for nothing: use {{<door>.node}}, {{<door>.tester}}, these with .port, {{port.<name>}}, \
                     {{folder}} or {{farlink}}, with a door of this node"
                ));
            }
        }
    }
    Ok(())
}

fn has(description: &Description, door: &str, address: impl Fn(&super::DoorAddresses) -> bool) -> bool {
    description.doors.iter().any(|(name, addresses)| name.door().as_str() == door && address(addresses))
}

impl Words {
    /// Words for a start of the node, with ports that are free now, and where its doors are then.
    pub(super) fn new(
        description: &Description,
        folder: &Path,
        farlink: &Path,
    ) -> Result<(Self, Vec<SocketDoor>), String> {
        let mut this = Words::default();
        this.set("folder", folder.display());
        this.set("farlink", farlink.display());
        let mut held = Held::default();
        let mut doors = Vec::new();
        for (name, addresses) in &description.doors {
            let door = name.door();
            let mut place =
                |address: Option<SocketAddr>| address.map(|a| held.port(a, door.is_datagrams())).transpose();
            let at = SocketDoor { door, node: place(addresses.node)?, tester: place(addresses.tester)? };
            for (end, address) in [("node", at.node), ("tester", at.tester)] {
                let Some(address) = address else { continue };
                this.set(&format!("{}.{end}", door.as_str()), address);
                this.set(&format!("{}.{end}.port", door.as_str()), address.port());
            }
            doors.push(at);
        }
        for word in texts(description).into_iter().flat_map(words).filter(|word| word.starts_with("port.")) {
            if !this.0.contains_key(word) {
                let port = held.port(SocketAddr::from(([127, 0, 0, 1], 0)), false)?.port();
                this.set(word, port);
            }
        }
        Ok((this, doors))
    }

    /// Gives a word a meaning.
    pub(super) fn set(&mut self, word: &str, meaning: impl ToString) {
        self.0.insert(word.to_owned(), meaning.to_string());
    }

    /// A text with its words replaced.
    pub(super) fn replace(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (word, meaning)| text.replace(&format!("{{{word}}}"), meaning))
    }

    /// A command with its words replaced.
    pub(super) fn replace_all(&self, command: &[String]) -> Vec<String> {
        command.iter().map(|text| self.replace(text)).collect()
    }
}

/// Sockets that hold free ports until all have been chosen, so that none is chosen twice.
#[derive(Debug, Default)]
struct Held {
    datagrams: Vec<UdpSocket>,
    streams: Vec<TcpListener>,
}

/// Where ports are chosen from. Linux gives those from 32768 on to whoever asks for none, and so to the connections of every other program:
/// one that was free a moment ago may have an owner when the node is there to take it, and a stranger then answers for the node.
const PORTS: Range<u16> = 10_000..32_000;
/// How many of them one process uses, so that two that judge side by side choose from different ones.
const WINDOW: u16 = 200;
/// How many ports this process has looked at.
static LOOKED_AT: AtomicU32 = AtomicU32::new(0);

/// The ports to try, in turn: those of this process first, then all.
fn candidates() -> impl Iterator<Item = u16> {
    let windows = u32::from((PORTS.end - PORTS.start) / WINDOW);
    // Processes that are started one after the other have numbers that follow each other.
    let window = std::process::id().wrapping_mul(61) % windows;
    let first = PORTS.start + window as u16 * WINDOW;
    let own = (0..WINDOW).map(move |_| first + (LOOKED_AT.fetch_add(1, Ordering::Relaxed) % u32::from(WINDOW)) as u16);
    own.chain(PORTS)
}

impl Held {
    fn port(&mut self, address: SocketAddr, datagrams: bool) -> Result<SocketAddr, String> {
        if address.port() != 0 {
            return Ok(address);
        }
        let mut refused = None;
        for port in candidates() {
            let address = SocketAddr::new(address.ip(), port);
            let bound = match datagrams {
                true => UdpSocket::bind(address).map(|socket| self.datagrams.push(socket)),
                false => TcpListener::bind(address).map(|socket| self.streams.push(socket)),
            };
            match bound {
                Ok(()) => return Ok(address),
                Err(error) if error.kind() == ErrorKind::AddrInUse => refused = Some(error),
                Err(error) => return Err(format!("no free port at {}: {error}", address.ip())),
            }
        }
        let why = refused.map_or_else(String::new, |error| format!(": {error}"));
        Err(format!("no port from {} to {} is free at {}{why}", PORTS.start, PORTS.end - 1, address.ip()))
    }
}

impl DoorName {
    /// Every door.
    pub const ALL: [DoorName; 6] =
        [DoorName::Ltp, DoorName::SecondLtp, DoorName::Udp, DoorName::Tcpcl, DoorName::Stcp, DoorName::Mtcp];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_out_of_reach_of_connections_and_each_is_chosen_once() {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut held = Held::default();
        let mut chosen: Vec<u16> = (0..300).map(|_| held.port(any, false).unwrap().port()).collect();
        assert!(chosen.iter().all(|port| PORTS.contains(port)));
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 300, "more than a window holds, and none twice");
        assert_eq!(held.port("127.0.0.1:4556".parse().unwrap(), true).unwrap().port(), 4556, "one that is told stays");
    }
}
