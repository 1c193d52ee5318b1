//! Bundles exchanged with dtn7-rs, a stack that is not ours: its `dtnd` runs beside a node, over MTCP and over TCPCLv4.
//!
//! What to know of dtn7 0.21: reports that it generates leave at the next turn of its janitor; it hands fragments to
//! applications one by one, and ends in a panic when a fragment asks for a report; over TCPCL it takes bundles of up to
//! 64 000 octets, opens a connection of its own for what it sends, and its acknowledgments bear other flags than the segments.
#![allow(missing_docs)]

mod common;

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::place::{Place, free_ports};
use common::process::{Running, wait_for};
use common::tap::{Capture, FAR, NEAR, Tap, assert_sound, field, objections, tshark};
use common::*;
use farlink_wire::bpv7::Bundle;
use farlink_wire::mtcp;

/// The version that `bench/check` installs.
const VERSION: &str = "0.21.0";

/// A command of dtn7, from the path or from where cargo installs.
fn dtn7(name: &str) -> Command {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(cargo.map(|home| home.join("bin")));
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    let Some(command) = found else {
        panic!(
            "no `{name}` on the PATH: these tests need dtn7-rs. `bench/check` installs it, and so does \
             `cargo install --debug --locked dtn7@{VERSION}`"
        );
    };
    Command::new(command)
}

/// What changes from one test to the next.
struct Names {
    /// How `dtnd` is called, what it calls its node ID, and the endpoint of its application.
    theirs: [&'static str; 3],
    /// The application as `dtnd` takes it.
    application: &'static str,
    /// Our node ID, our endpoint, and what `dtnd` calls us.
    ours: [&'static str; 3],
}

const IPN: Names =
    Names { theirs: ["20", "ipn:20.0", "ipn:20.1"], application: "1", ours: ["ipn:10.0", "ipn:10.1", "10"] };
const DTN: Names = Names {
    theirs: ["station", "dtn://station/", "dtn://station/inbox"],
    application: "inbox",
    ours: ["dtn://lander/", "dtn://lander/inbox", "lander"],
};

/// What passed each way.
struct Passed {
    place: Place,
    onwards: Tap,
    back: Tap,
}

/// A file to dtn7, its delivery report back, and a file from dtn7. `layer` is as we and as dtn7 call it.
fn exchange(layer: [&str; 2], names: &Names) -> Passed {
    let version = finish(dtn7("dtnd").arg("--version")).1;
    assert!(version.contains(VERSION), "dtnd is {version:?}: cargo install --debug --locked dtn7@{VERSION}");
    // One bundle that is not too long for dtn7.
    let place = Place::new(50_000);
    let [near, far, web] = free_ports();
    let (onwards, back) = (Tap::tcp(far), Tap::tcp(near));
    let [ours, theirs] = layer;
    let mut dtnd = Running::start(
        dtn7("dtnd")
            .current_dir(place.folder())
            .args(["-4", "--disable_nd", "-i", "0", "-j", "1s", "-g", "-r", "epidemic"])
            .args(["-n", names.theirs[0], "-e", names.application, "-w", &web.to_string()])
            .args(["-C", &format!("{theirs}:port={far}:bind=127.0.0.1")])
            .args(["-s", &format!("{theirs}://127.0.0.1:{}/{}", back.port, names.ours[2])]),
    );
    for port in [far, web] {
        wait_for("dtnd to listen", || {
            dtnd.assert_running("it listened");
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
    }

    let description = format!(
        "node: {}\nendpoints: {{ '{}': {{ deliver: {{ directory: inbox }} }} }}\nlisten: [{{ {ours}: 'tcp:{near}' }}]\n\
         neighbours:\n  '{}': {{ {ours}: {{ to: 'tcp:{}' }} }}\nopportunistic: true\n",
        names.ours[0], names.ours[1], names.theirs[1], onwards.port
    );
    let payload = place.payload.to_str().unwrap();
    let errand = ["--send", payload, "--to", names.theirs[2], "--report", "--bundle-size", "1 MiB", "--count", "1"];
    let node = place.node("lander", &description, &errand);
    let got = place.path("got.bin");
    wait_for("dtn7 to deliver", || {
        dtnd.assert_running("it delivered");
        let mut receive = dtn7("dtnrecv");
        let receive = receive.args(["-p", &web.to_string(), "-e", names.application, "-o"]).arg(&got);
        finish(receive);
        got.is_file().then_some(())
    });
    assert!(fs::read(&got).unwrap() == fs::read(&place.payload).unwrap(), "dtn7 delivers another file");

    let mut send = dtn7("dtnsend");
    let (code, _, stderr) = finish(send.args(["-p", &web.to_string(), "-r", names.ours[1]]).arg(&place.payload));
    assert_eq!(code, 0, "{stderr}");
    place.assert_delivered(node);
    dtnd.assert_running("the end of the test");
    Passed { place, onwards, back }
}

/// Wireshark has no dissector for MTCP: it gets the bundles as datagrams.
fn assert_mtcp_sound(passed: &Passed) {
    let path = passed.place.path("capture.pcapng");
    let mut capture = Capture::create(&path);
    for (tap, least) in [(&passed.onwards, 1), (&passed.back, 2)] {
        let octets: Vec<u8> = tap.passed().into_iter().filter(|p| p.onwards).flat_map(|p| p.octets).collect();
        let (mut octets, mut deframer) = (&octets[..], mtcp::Deframer::new(1 << 20));
        let bundles: Vec<_> = std::iter::from_fn(|| deframer.read(&mut octets).unwrap()).collect();
        assert!(bundles.len() >= least, "{} bundles", bundles.len());
        for bundle in bundles {
            Bundle::parse(&bundle).unwrap();
            capture.datagram(4556, &bundle);
        }
    }
    drop(capture);
    assert_sound(&path, &[]);
    assert_eq!(tshark(&path, &["-Y", "bpv7.admin_rec"]).len(), 1, "one report");
}

fn assert_tcpcl_sound(passed: &Passed) {
    let sessions =
        |capture: &Path| field(capture, &[], "tcpcl.v4.sess_init.nodeid_data", "tcpcl.v4.sess_init.nodeid_data");
    let path = passed.place.path("capture.pcapng");
    for (tap, dtn7) in [(&passed.onwards, FAR), (&passed.back, NEAR)] {
        tap.capture(&path, 4556);
        // dtn7 acknowledges without the flags of the segment, against section 5.2.3 of RFC 9174.
        let known = format!("{dtn7}\tXFER_ACK\tXFER_ACK does not have flags matching XFER_SEGMENT");
        let found: Vec<_> = objections(&path, &[]).into_iter().filter(|found| *found != known).collect();
        assert_eq!(found, Vec::<String>::new());
        // Each side tells its node ID once in each session.
        let sessions = sessions(&path);
        assert!(sessions.len() >= 2, "{sessions:?}");
    }
}

#[test]
fn mtcp_with_ipn_node_ids() {
    assert_mtcp_sound(&exchange(["mtcp", "mtcp"], &IPN));
}

#[test]
fn mtcp_with_dtn_node_ids() {
    assert_mtcp_sound(&exchange(["mtcp", "mtcp"], &DTN));
}

#[test]
fn tcpcl_with_ipn_node_ids() {
    assert_tcpcl_sound(&exchange(["tcpcl", "tcp"], &IPN));
}

#[test]
fn tcpcl_with_dtn_node_ids() {
    assert_tcpcl_sound(&exchange(["tcpcl", "tcp"], &DTN));
}
