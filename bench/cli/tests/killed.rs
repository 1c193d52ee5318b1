//! Nodes with a store on disk that are killed with SIGKILL, again and again, while bundles go through them.
//!
//! An application hands bundles to node 10, which sends them to node 20, which relays them to node 30, which writes them into
//! its inbox. Whatever node 10 has answered to be sent must be in the inbox in the end, once and as it was.
//!
//! The gate kills a hundred and ten times. For a thousand and more, in a few minutes:
//! `cargo test -p farlink --test killed -- --ignored --nocapture`
#![allow(missing_docs)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::farlink;
use common::nodes::{Application, Layer, Node, Random, address, file_of, files, ltp, sha256};
use common::process::Running;

const SENDER: usize = 0;
const RELAY: usize = 1;
const RECEIVER: usize = 2;

/// Most bundles that are on their way, so that little is left to do after the last kill.
const UNDER_WAY: usize = 60;

/// How long what is under way may take after the last kill. A bundle that was refused often rests for a minute.
const PATIENCE: Duration = Duration::from_secs(150);

/// Three nodes in a row, and what is between them.
struct Row {
    nodes: [Node; 3],
    _between: Vec<Running>,
}

const SENDS: &str = "storage: { folder: store }\nendpoints: { ipn:10.1: { deliver: { socket: s } } }\n\
                     routes: [\"* via ipn:20.0\"]\n";
const RELAYS: &str = "storage: { folder: store }\n";
const RECEIVES: &str = "storage: { folder: store }\nendpoints: { ipn:30.1: { deliver: { directory: inbox } } }\n";

fn over_ltp(temp: &Path, bit_error_rate: &str) -> Row {
    let here = address();
    let between = |first: u16, second: u16, ports: [u16; 2]| {
        let mut emulator = Running::start(
            farlink()
                .args(["emulate", "--delay", "1 ms", "--rate", "200 Mbit/s", "--ber", bit_error_rate])
                .args(["--forward", &format!("udp:{here}:{}={here}:{second}", ports[0])])
                .args(["--return", &format!("udp:{here}:{}={here}:{first}", ports[1])]),
        );
        emulator.wait_for_line("the emulator to listen", |line| line.starts_with("return").then_some(()));
        emulator
    };
    let neighbour = |node: u32, port: u32| format!("  ipn:{node}.0: {}\n", ltp(here, port));
    let describe = |roles: &str, port: u16, neighbours: String| {
        format!("{roles}listen: [{{ ltp: \"udp:{here}:{port}\" }}]\nneighbours:\n{neighbours}")
    };
    let emulators = vec![between(1110, 1120, [2001, 2002]), between(1120, 1130, [2003, 2004])];
    Row {
        nodes: [
            Node::new(temp, 10, &describe(SENDS, 1110, neighbour(20, 2001))),
            Node::new(temp, 20, &describe(RELAYS, 1120, neighbour(10, 2002) + &neighbour(30, 2003))),
            Node::new(temp, 30, &describe(RECEIVES, 1130, neighbour(20, 2004))),
        ],
        _between: emulators,
    }
}

fn over_tcpcl(temp: &Path) -> Row {
    let here = address();
    let describe =
        |roles: &str, node, neighbours: &[u32]| format!("{roles}{}", Layer::Tcpcl.between(here, node, neighbours));
    Row {
        nodes: [
            Node::new(temp, 10, &describe(SENDS, 10, &[20])),
            Node::new(temp, 20, &describe(RELAYS, 20, &[10, 30])),
            Node::new(temp, 30, &describe(RECEIVES, 30, &[20])),
        ],
        _between: Vec::new(),
    }
}

/// What the application has asked for.
#[derive(Default)]
struct Asked {
    /// SHA-256 by file name: node 10 has answered that this is sent.
    sent: BTreeMap<String, String>,
    /// SHA-256 of what node 10 was asked to send when it was killed: nobody knows whether it did.
    unanswered: BTreeSet<String>,
}

/// Hands data to node 10 until it is told to stop.
fn send_on_and_on(
    socket: &Path,
    seed: u64,
    stop: &AtomicBool,
    sent: &AtomicUsize,
    received: impl Fn() -> usize,
) -> Asked {
    let mut random = Random(seed);
    let mut asked = Asked::default();
    let mut application = None;
    while !stop.load(Ordering::Relaxed) {
        if sent.load(Ordering::Relaxed) >= received() + UNDER_WAY {
            thread::sleep(Duration::from_millis(2));
            continue;
        }
        let Some(connected) = &mut application else {
            application = Application::connect(socket);
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        let longest = if random.below(4) == 0 { 60_000 } else { 6_000 };
        let length = 1 + random.below(longest);
        let data = random.octets(length as usize);
        match connected.send("ipn:30.1", &data) {
            Some(answer) => {
                let bundle = answer["sent"].as_str().unwrap_or_else(|| panic!("refused: {answer}"));
                let before = asked.sent.insert(file_of(bundle), sha256(&data));
                assert_eq!(before, None, "{bundle} names two");
                sent.fetch_add(1, Ordering::Relaxed);
            }
            None => {
                asked.unanswered.insert(sha256(&data));
                application = None;
            }
        }
    }
    asked
}

impl Row {
    fn assert_running(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.running().assert_running("the end of the test"));
    }

    fn wait_until(&mut self, what: &str, is_so: impl Fn(&Row) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            self.assert_running();
            assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills one after the other, at instants that have nothing to do with what goes on, or a moment after something got
    /// through, so that the kills hit work however slow this machine is.
    fn kill(&mut self, kills: u32, random: &mut Random, sent: &AtomicUsize) {
        for _ in 0..kills {
            let victim = [RELAY, RELAY, RELAY, RELAY, RELAY, RELAY, RECEIVER, RECEIVER, RECEIVER, SENDER];
            let victim = victim[random.below(10) as usize];
            if random.below(2) == 0 {
                thread::sleep(Duration::from_micros(random.below(60_000)));
            } else if victim == SENDER {
                let wanted = sent.load(Ordering::Relaxed) + 1;
                self.wait_until("an answer", |_| sent.load(Ordering::Relaxed) >= wanted);
            } else {
                let wanted = self.nodes[RECEIVER].received_count() + 1 + random.below(3) as usize;
                self.wait_until("a bundle to get through", |row| row.nodes[RECEIVER].received_count() >= wanted);
                thread::sleep(Duration::from_micros(random.below(10_000)));
            }
            self.nodes[victim].kill();
            if random.below(8) == 0 {
                thread::sleep(Duration::from_millis(random.below(100)));
            }
            self.nodes[victim].start();
        }
    }

    fn expect_empty_stores(&mut self) {
        for attempt in 0.. {
            self.nodes.iter_mut().for_each(Node::stop);
            let left: Vec<usize> = self.nodes.iter().map(|node| node.kept().snapshot.bundles.len()).collect();
            if left == [0; 3] {
                return;
            }
            // The last acknowledgment may have been on its way.
            assert!(attempt < 40, "bundles stay in the stores: {left:?}");
            self.nodes.iter_mut().for_each(Node::start);
            thread::sleep(Duration::from_millis(500));
        }
    }
}

fn no_bundle_is_lost_or_delivered_twice(mut row: Row, kills: u32, seed: u64) {
    let begun = Instant::now();
    row.nodes.iter_mut().for_each(Node::start);
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (socket, inbox) = (row.nodes[SENDER].folder.join("s"), row.nodes[RECEIVER].inbox());
    let asked = thread::scope(|scope| {
        let application = scope.spawn(|| send_on_and_on(&socket, !seed, &stop, &sent, || files(&inbox)));
        // A failure here must not leave the other thread going.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            row.kill(kills, &mut Random(seed), &sent);
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
        application.join().expect("the application does not panic")
    });
    let killed_for = begun.elapsed();
    let missing = || asked.sent.keys().find(|name| !inbox.join(name).exists());
    let first = missing().cloned().unwrap_or_default();
    row.wait_until(&format!("all bundles to arrive ({first} and others)"), |_| missing().is_none());
    row.expect_empty_stores();

    let received = row.nodes[RECEIVER].received();
    for (name, hash) in &asked.sent {
        assert_eq!(received.get(name), Some(hash), "{name} is not what was sent");
    }
    let mut others = BTreeSet::new();
    for (name, hash) in received.iter().filter(|(name, _)| !asked.sent.contains_key(*name)) {
        assert!(asked.unanswered.contains(hash), "{name} was never sent");
        assert!(others.insert(hash), "{name} was delivered before, under another name");
    }
    // What the receiver has told of is on its disk, so it may not tell of it again.
    let mut told = BTreeSet::new();
    for line in row.nodes[RECEIVER].printed.lines().filter(|line| line.starts_with("received ")) {
        let path = line.split_once(" as ").and_then(|(_, rest)| rest.split_once(',')).map(|(path, _)| path);
        assert!(told.insert(path.unwrap_or_else(|| panic!("{line}"))), "delivered twice: {line}");
    }
    println!(
        "{kills} kills in {killed_for:.1?}, all there after {:.1?}: {} bundles answered, {} of {} others arrived, {} told",
        begun.elapsed(),
        asked.sent.len(),
        others.len(),
        asked.unanswered.len(),
        told.len(),
    );
}

#[test]
fn nothing_is_lost_or_delivered_twice_over_lossy_ltp() {
    let temp = tempfile::tempdir().unwrap();
    no_bundle_is_lost_or_delivered_twice(over_ltp(temp.path(), "5e-6"), 55, 1);
}

#[test]
fn nothing_is_lost_or_delivered_twice_over_tcpcl() {
    let temp = tempfile::tempdir().unwrap();
    no_bundle_is_lost_or_delivered_twice(over_tcpcl(temp.path()), 55, 2);
}

#[test]
#[ignore = "takes minutes"]
fn nothing_is_lost_or_delivered_twice_in_a_thousand_kills() {
    let temp = tempfile::tempdir().unwrap();
    no_bundle_is_lost_or_delivered_twice(over_ltp(&temp.path().join("lossy"), "1e-5"), 400, 3);
    no_bundle_is_lost_or_delivered_twice(over_ltp(&temp.path().join("clean"), "0"), 300, 4);
    no_bundle_is_lost_or_delivered_twice(over_tcpcl(&temp.path().join("tcpcl")), 400, 5);
}
