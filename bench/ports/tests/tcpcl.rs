//! TCPCL sessions over real connections on loopback, in the clear and in TLS.

mod support;

use std::borrow::Cow;
use std::fs::File;
use std::process::Command;

use farlink_engine::tcpcl::{Config, End, Event, NodeIdPolicy, TlsPolicy};
use farlink_ports::tls::TlsSettings;
use farlink_wire::bpv7::Eid;
use farlink_wire::tcpcl::TermReason;
use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use support::{Authority, Names, Node, bundle, until};

fn config(node: u64, tls: TlsPolicy) -> Config {
    let mut config = Config::new(Eid::ipn(node, 0));
    config.tls = tls;
    config
}

/// Two nodes that connect; the first opens the connection.
fn connect(earth: (Config, Option<TlsSettings>), mars: (Config, Option<TlsSettings>)) -> (Node, Node) {
    let (mut earth, mut mars) = (Node::new(earth.0, earth.1), Node::new(mars.0, mars.1));
    let address = mars.listen();
    earth.ports.connect(address);
    (earth, mars)
}

fn established(node: &Node) -> bool {
    node.events.iter().any(|event| matches!(event, Event::Established(_)))
}

fn ended(node: &Node) -> bool {
    node.events.iter().any(|event| matches!(event, Event::Ended(_)))
}

/// Bundles both ways, some far longer than any buffer on the way, then an orderly end.
fn exchange(earth: &mut Node, mars: &mut Node) {
    until(earth, mars, "to be established", |earth, mars| established(earth) && established(mars));
    let lengths = [1, 1500, 3_000_000, 65_536];
    for (tag, length) in lengths.into_iter().enumerate() {
        earth.session().send(tag as u64, bundle(length).into()).unwrap();
        mars.session().send(tag as u64, bundle(length + 1).into()).unwrap();
    }
    let acknowledged =
        |node: &Node| node.events.iter().filter(|event| matches!(event, Event::Acknowledged { .. })).count();
    until(earth, mars, "to be acknowledged", |earth, mars| acknowledged(earth) == 4 && acknowledged(mars) == 4);
    assert!(mars.received() == lengths.map(bundle), "mars has other bundles than earth sent");
    assert!(earth.received() == lengths.map(|length| bundle(length + 1)), "earth has other bundles than mars sent");

    let now = farlink_units::Instant::ZERO;
    earth.session().terminate(now, TermReason::Unknown);
    until(earth, mars, "to end", |earth, mars| ended(earth) && ended(mars));
    for node in [&*earth, &*mars] {
        assert_eq!(node.events.last(), Some(&Event::Ended(End::Clean(TermReason::Unknown))));
    }
    until(earth, mars, "to be closed", |earth, mars| earth.ports.connections() + mars.ports.connections() == 0);
}

#[test]
fn bundles_cross_in_the_clear_both_ways() {
    let clear = |node| (config(node, TlsPolicy::Forbid), None);
    let (mut earth, mut mars) = connect(clear(1), clear(2));
    exchange(&mut earth, &mut mars);
}

#[test]
fn bundles_cross_in_tls_between_nodes_that_know_each_other() {
    let authority = Authority::new();
    let secured = |node: u64| {
        let uri = format!("ipn:{node}.0");
        let names = Names { bundle_eids: &[&uri], purposes: vec![support::bundle_security()], ..Names::default() };
        let mut config = config(node, TlsPolicy::Require);
        config.node_id_policy = NodeIdPolicy::RequireNodeId;
        (config, Some(authority.leaf(&names).settings(authority.trust())))
    };
    let (mut earth, mut mars) = connect(secured(1), secured(2));
    exchange(&mut earth, &mut mars);
    for node in [&earth, &mars] {
        let known =
            |event: &Event| matches!(event, Event::Established(session) if session.tls && session.authenticated);
        assert!(node.events.iter().any(known));
    }
}

#[test]
fn a_node_with_the_certificate_of_another_is_refused() {
    let authority = Authority::new();
    let secured = |node: u64, named: &str| {
        let names = Names { bundle_eids: &[named], ..Names::default() };
        let config = config(node, TlsPolicy::Require);
        (config, Some(authority.leaf(&names).settings(authority.trust())))
    };
    let (mut earth, mut mars) = connect(secured(1, "ipn:7.0"), secured(2, "ipn:2.0"));
    until(&mut earth, &mut mars, "to end", |earth, mars| ended(earth) && ended(mars));
    let refused = |event: &Event| {
        matches!(event, Event::Ending { reason: TermReason::ContactFailure, cause }
            if cause.to_string().contains("calls itself ipn:1.0"))
    };
    assert!(mars.events.iter().any(refused), "{:?}", mars.events);
    assert!(!established(&mars));
}

#[test]
fn a_failed_handshake_ends_both_sessions_without_sess_term() {
    let (authority, other) = (Authority::new(), Authority::named("another root"));
    let secured = |node, of: &Authority| {
        (config(node, TlsPolicy::Require), Some(of.leaf(&Names::default()).settings(authority.trust())))
    };
    let (mut earth, mut mars) = connect(secured(1, &other), secured(2, &authority));
    until(&mut earth, &mut mars, "to end", |earth, mars| ended(earth) && ended(mars));
    assert_eq!(mars.events.last(), Some(&Event::Ended(End::Closed)));
    let told = format!("{:?}", mars.closed);
    assert!(told.contains("no trusted root vouches for it"), "{told}");
    let told = format!("{:?}", earth.closed);
    assert!(told.contains("BadCertificate"), "the alert of section 4.4.4.1: {told}");
}

/// The octets of a session as Wireshark would see them on the wire: IPv4 and TCP around each piece.
fn write_capture(path: &std::path::Path, stream: &[(bool, bytes::Bytes)]) {
    let mut out = PcapNgWriter::new(File::create(path).unwrap()).unwrap();
    let interface = InterfaceDescriptionBlock { linktype: DataLink::RAW, snaplen: 0, options: vec![] };
    out.write_pcapng_block(interface).unwrap();
    let mut sequence = [1u32, 1u32];
    for (index, (sent, octets)) in stream.iter().enumerate() {
        for octets in octets.chunks(60_000) {
            let (from, to) = if *sent { (0, 1) } else { (1, 0) };
            let ends = [([10, 0, 0, 1], 40_000u16), ([10, 0, 0, 2], 4556u16)];
            let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0];
            packet.extend_from_slice(&ends[from].0);
            packet.extend_from_slice(&ends[to].0);
            packet.extend_from_slice(&ends[from].1.to_be_bytes());
            packet.extend_from_slice(&ends[to].1.to_be_bytes());
            packet.extend_from_slice(&sequence[from].to_be_bytes());
            packet.extend_from_slice(&sequence[to].to_be_bytes());
            packet.extend_from_slice(&[0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0]);
            packet.extend_from_slice(octets);
            let length = (packet.len() as u16).to_be_bytes();
            packet[2..4].copy_from_slice(&length);
            sequence[from] += octets.len() as u32;
            out.write_pcapng_block(EnhancedPacketBlock {
                interface_id: 0,
                timestamp: std::time::Duration::from_millis(index as u64),
                original_len: packet.len() as u32,
                data: Cow::Owned(packet),
                options: vec![],
            })
            .unwrap();
        }
    }
}

#[test]
fn wireshark_reads_the_session() {
    let clear = |node| {
        let mut config = config(node, TlsPolicy::Forbid);
        config.max_segment = 1000;
        (config, None)
    };
    let (mut earth, mut mars) = connect(clear(1), clear(2));
    until(&mut earth, &mut mars, "to be established", |earth, mars| established(earth) && established(mars));
    earth.session().send(1, bundle(2500).into()).unwrap();
    until(&mut earth, &mut mars, "to arrive", |earth, mars| {
        mars.received().len() == 1 && earth.events.contains(&Event::Acknowledged { tag: 1 })
    });
    earth.session().terminate(farlink_units::Instant::ZERO, TermReason::Unknown);
    until(&mut earth, &mut mars, "to end", |earth, mars| ended(earth) && ended(mars));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.pcapng");
    write_capture(&path, &earth.stream);
    let fields = ["-T", "fields", "-e", "tcpcl.v4.mhdr.type", "-e", "tcpcl.v4.xfer_segment.data_len"];
    let expert = ["-e", "_ws.expert.message", "-e", "_ws.malformed", "-E", "separator=|"];
    let output = Command::new("tshark")
        .arg("-r")
        .arg(&path)
        .args(["-Y", "tcpcl.v4.mhdr.type"])
        .args(fields)
        .args(expert)
        .output()
        .expect("tshark is installed (bench/check does it)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complaints}");
    let types: Vec<&str> = text.lines().flat_map(|line| line.split('|').next().unwrap().split(',')).collect();
    let count = |code: &str| types.iter().filter(|found| **found == code).count();
    // SESS_INIT twice, three segments, three acknowledgments, SESS_TERM twice.
    assert_eq!([count("0x07"), count("0x01"), count("0x02"), count("0x05")], [2, 3, 3, 2], "{text}{complaints}");
    let lowered = text.to_lowercase();
    assert!(!lowered.contains("malformed") && !lowered.contains("error"), "{text}");
}
