//! Nodes that have no room for bundles: a disk that is full, a store that has reached its limit.
#![allow(missing_docs)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::Duration;

use common::FARLINK;
use common::disk::{expect_mounted, with_disk};
use common::nodes::{Application, Layer, Node, Random, address, file_of, kept, sha256};
use common::process::{Running, wait_for};

const SENDS: &str = "endpoints: { ipn:10.1: { deliver: { socket: s } } }\nroutes: [\"* via ipn:20.0\"]\n";

/// Has a node send bundles to an endpoint; returns the files that they become.
fn send(application: &mut Application, to: &str, count: usize, octets: usize) -> BTreeMap<String, String> {
    let mut random = Random(count as u64);
    let mut sent = || {
        let data = random.octets(octets);
        let answer = application.send(to, &data).expect("the node answers");
        (file_of(answer["sent"].as_str().unwrap_or_else(|| panic!("{answer}"))), sha256(&data))
    };
    (0..count).map(|_| sent()).collect()
}

fn wait_for_files(node: &Node, wanted: &BTreeMap<String, String>) {
    // On a machine that is busy with other things LTP repeats much. As long as files come, all is well.
    let mut there = 0;
    while there < wanted.len() {
        let before = there;
        there = wait_for(&format!("file {} of {}", before + 1, wanted.len()), || {
            Some(node.received_count()).filter(|count| *count > before)
        });
    }
    assert_eq!(node.received(), *wanted);
}

/// The disk of node 20 fills up while bundles come in.
fn a_full_disk(layer: Layer) {
    let temp = tempfile::tempdir().unwrap();
    let temp = temp.path();
    let here = address();
    let describe = |more: &str, node, neighbour| {
        format!("storage: {{ folder: store }}\n{more}{}", layer.between(here, node, &[neighbour]))
    };
    let mut sender = Node::new(temp, 10, &describe(SENDS, 10, 20));
    let (disk, seen) = (temp.join("disk"), temp.join("seen"));
    fs::create_dir(&seen).unwrap();
    // The same store, first with nobody who takes the data, then with an inbox.
    let taker = Node::new(temp, 20, "");
    let settings = |endpoint: &str| {
        let store = disk.join("store");
        format!(
            "node: ipn:20.0\nstorage: {{ folder: {} }}\nendpoints: {{ ipn:20.1: {endpoint} }}\n{}",
            store.display(),
            layer.between(here, 20, &[10])
        )
    };
    let (first, second) = (taker.folder.join("first.yaml"), taker.folder.join("second.yaml"));
    fs::write(&first, settings("{ state: passive }")).unwrap();
    fs::write(&second, settings("{ deliver: { directory: inbox } }")).unwrap();
    let script = "\"$2\" node --config \"$3\" 2> \"$5/stderr\"; code=$?\n\
        cp -r \"$1/store\" \"$5\" && echo $code > \"$5/part\" && mv \"$5/part\" \"$5/code\"\n\
        until [ -e \"$5/go\" ]; do sleep 0.05; done\n\
        mount -o remount,size=64M \"$1\" || exit 98\n\
        exec \"$2\" node --config \"$4\"";
    let mut command = with_disk(&disk, "6M", script);
    let mut taking = Running::start(command.arg(FARLINK).arg(&first).arg(&second).arg(&seen));
    sender.start();
    let mut application = Application::wait_for(&sender.folder.join("s"));
    let sent = send(&mut application, "ipn:20.1", 200, 40_000);

    let code = wait_for("the node to end", || {
        if let Some(code) = fs::read_to_string(seen.join("code")).ok().filter(|code| code.ends_with('\n')) {
            return Some(code);
        }
        expect_mounted(0, &taking.complained());
        taking.assert_running("the disk was full");
        None
    });
    let complaint = fs::read_to_string(seen.join("stderr")).unwrap();
    assert_eq!(code.trim(), "2", "{complaint}");
    let folder = disk.join("store").display().to_string();
    for part in ["no room left on the disk for the store in", &folder, "free some"] {
        assert!(complaint.contains(part), "expected `{part}` in:\n{complaint}");
    }
    // An acknowledgment that left the node would be here by now.
    thread::sleep(Duration::from_millis(500));
    let acknowledged = sender.forwarded();
    let known: BTreeSet<String> =
        kept(&seen.join("store")).snapshot.remembered.iter().map(|(id, _)| id.to_string()).collect();
    assert!(!acknowledged.is_empty() && acknowledged.len() < sent.len(), "{} were acknowledged", acknowledged.len());
    for bundle in &acknowledged {
        assert!(known.contains(bundle), "{bundle} was acknowledged, and the store that failed does not have it");
    }

    fs::write(seen.join("go"), "").unwrap();
    wait_for_files(&taker, &sent);
    taking.signal("INT");
    assert_eq!(taking.wait().code, Some(0));
}

#[test]
fn a_node_whose_disk_is_full_acknowledges_nothing_more_and_goes_on_when_there_is_room_by_ltp() {
    a_full_disk(Layer::Ltp);
}

#[test]
fn a_node_whose_disk_is_full_acknowledges_nothing_more_and_goes_on_when_there_is_room_by_tcpcl() {
    a_full_disk(Layer::Tcpcl);
}

/// Node 20 has room for a few bundles, and its neighbour onward is away.
fn a_full_store(layer: Layer, told_to_the_sender: &str) {
    const OCTETS: usize = 40_000;
    const ROOM: usize = 5;
    let temp = tempfile::tempdir().unwrap();
    let temp = temp.path();
    let here = address();
    let mut sender = Node::new(
        temp,
        10,
        &format!("storage: {{ limit: 1 MB, folder: store }}\n{SENDS}{}", layer.between(here, 10, &[20])),
    );
    let mut relay = Node::new(
        temp,
        20,
        &format!("storage: {{ limit: 210 kB, folder: store }}\n{}", layer.between(here, 20, &[10, 30])),
    );
    let inbox = "endpoints: { ipn:30.1: { deliver: { directory: inbox } } }\n";
    let mut receiver =
        Node::new(temp, 30, &format!("storage: {{ folder: store }}\n{inbox}{}", layer.between(here, 30, &[20])));
    relay.start();
    relay.wait_until_it_listens();
    sender.start();
    let mut application = Application::wait_for(&sender.folder.join("s"));
    let sent = send(&mut application, "ipn:30.1", 20, OCTETS);

    relay.wait_for_complaint("the store is full: ");
    sender.wait_for_complaint(told_to_the_sender);
    wait_for("the relay to be filled", || (sender.forwarded().len() >= ROOM).then_some(()));
    // An application is refused as clearly: 15 bundles are still here.
    let answer = application.send("ipn:30.1", &vec![0; 600_000]).unwrap();
    let why = answer["error"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(why.contains("bytes needed") && why.contains("bytes free"), "{why}");
    assert_eq!(sender.forwarded().len(), ROOM, "a bundle that the relay has no room for was acknowledged");
    // All of that holds after a restart of both, too.
    for node in [&mut relay, &mut sender] {
        node.kill();
    }
    assert_eq!([&sender, &relay].map(|node| node.kept().snapshot.bundles.len()), [sent.len() - ROOM, ROOM]);
    for node in [&mut relay, &mut sender, &mut receiver] {
        node.start();
    }
    wait_for_files(&receiver, &sent);
    for node in [&sender, &relay, &receiver] {
        assert!(!node.complaints().contains("deleted"), "{}", node.complaints());
    }
}

#[test]
fn a_full_store_refuses_bundles_over_ltp_until_there_is_room() {
    a_full_store(Layer::Ltp, "cancelled: SYS_CNCLD");
}

#[test]
fn a_full_store_refuses_bundles_over_tcpcl_until_there_is_room() {
    a_full_store(Layer::Tcpcl, "ipn:20.0 refuses a bundle: NoResources");
}
