//! What a node file comes to, and files that are none.

mod node_support;
mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use farlink_engine::bp::{FailureAction, Registration};
use farlink_scenario::{
    Aggregation, Deliver, Layer, Listener, LtpAuthentication, LtpCiphersuite, LtpNeighbour, MAX_FILE_BYTES, Moment,
    NodeSettings, SessionNumberWidth, Storage, TcpclNeighbour, TlsFiles, load_node, parse_node,
};
use farlink_units::{BitRate, Duration, Size};
use farlink_wire::bpv7::Eid;
use node_support::{Refusal as No, SOUND, edited, folder, read, refuse};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn sound() -> NodeSettings {
    let settings = read(SOUND).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(settings.warnings().is_none(), "{}", settings.warnings().unwrap());
    settings
}

#[test]
fn the_head_is_as_written() {
    let node = sound();
    assert_eq!((node.node.clone(), node.engine, node.seed), (Eid::ipn(10, 0), Some(10), Some(7)));
    assert_eq!((node.clock, node.status_reports, node.opportunistic, node.hop_limit), (true, true, true, Some(32)));
    let storage = Storage { limit: Size::from_bytes(1 << 30), folder: Some(folder().join("store")) };
    assert_eq!(node.storage, storage);
}

#[test]
fn endpoints_are_as_written() {
    let endpoints = sound().endpoints;
    let delivers: Vec<_> = endpoints.iter().map(|endpoint| endpoint.deliver.clone()).collect();
    let program =
        Deliver::Program { program: folder().join("./handle"), arguments: vec!["--flag".to_owned(), "5".to_owned()] };
    assert_eq!(
        delivers,
        [
            Some(Deliver::Directory(folder().join("inbox"))),
            Some(Deliver::File(folder().join("latest.bin"))),
            Some(program),
            Some(Deliver::Socket(folder().join("run/app.sock"))),
            None,
        ]
    );
    let eids: Vec<_> = endpoints.iter().map(|endpoint| endpoint.eid.to_string()).collect();
    assert_eq!(eids, ["ipn:10.1", "ipn:10.2", "ipn:10.3", "ipn:10.4", "ipn:10.5"]);
    assert!(endpoints[..4].iter().all(|endpoint| endpoint.registration == Registration::ACTIVE));
    assert_eq!(endpoints[4].registration, Registration { active: false, on_failure: FailureAction::Abandon });

    let looked_up = read(&edited("./handle", "handle")).unwrap().endpoints[2].deliver.clone();
    assert!(
        matches!(&looked_up, Some(Deliver::Program { program, .. }) if *program == Path::new("handle")),
        "{looked_up:?}"
    );
}

#[test]
fn listeners_are_as_written() {
    let tls = TlsFiles {
        trust: folder().join("ca.pem"),
        identity: Some((folder().join("cert.pem"), folder().join("key.pem"))),
        name: None,
        require: true,
    };
    assert_eq!(
        sound().listeners,
        [
            Listener::Ltp(address("127.0.0.1:1113")),
            Listener::Tcpcl { address: address("127.0.0.1:4556"), tls: Some(tls) },
            Listener::Stcp(address("127.0.0.1:4557")),
            Listener::Mtcp(address("[::1]:16162")),
            Listener::Udp(address("0.0.0.0:4556")),
        ]
    );
}

#[test]
fn neighbours_are_as_written() {
    let node = sound();
    let layers: Vec<_> = node.neighbours.iter().map(|neighbour| neighbour.layer.clone()).collect();
    let tls = TlsFiles {
        trust: folder().join("ca.pem"),
        identity: Some((folder().join("cert.pem"), folder().join("key.pem"))),
        name: Some("relay.example".to_owned()),
        require: false,
    };
    let tcpcl = |to, keepalive_s, kib: u64, tls| {
        Layer::Tcpcl(TcpclNeighbour { to, keepalive_s, segment_size: Size::from_bytes(kib << 10), tls })
    };
    assert_eq!(
        layers,
        [
            Layer::Ltp(LtpNeighbour {
                to: address("127.0.0.1:1114"),
                engine: 20,
                light_time: Duration::from_secs(2),
                rate: BitRate::from_bps(256_000),
                response_margin: Duration::from_secs(3),
                segment_size: Size::from_bytes(1300),
                aggregate: Some(Aggregation { size: Size::from_bytes(64 << 10), time: Duration::from_millis(100) }),
                session_numbers: SessionNumberWidth::Bits64,
                checkpoint_every: Some(Size::from_bytes(32 << 10)),
                retransmission_limit: 10,
                authentication: Some(LtpAuthentication {
                    suite: LtpCiphersuite::HmacSha1_80,
                    key_id: Some(1),
                    key_file: Some(folder().join("key.bin")),
                }),
            }),
            tcpcl(Some(address("127.0.0.1:4600")), 20, 32, Some(tls)),
            tcpcl(None, 15, 64, None),
            Layer::Stcp { to: address("127.0.0.1:4601") },
            Layer::Mtcp { to: address("127.0.0.1:4602") },
            Layer::Udp { to: address("192.0.2.1:4603"), rate: BitRate::from_bps(10_000_000) },
        ]
    );
    let rover: Eid = "dtn://rover/".parse().unwrap();
    assert!(matches!(node.neighbour(&rover).unwrap().layer, Layer::Udp { .. }));
    assert!(node.neighbour(&Eid::ipn(60, 0)).is_none());
}

#[test]
fn routes_and_contacts_are_as_written() {
    let node = sound();
    let routes: Vec<_> = node.routes.iter().map(ToString::to_string).collect();
    assert_eq!(routes, ["ipn:30.* via ipn:30.0", "* via ipn:20.0 metric 10"]);
    let [first, second, third] = &node.contacts[..] else { panic!("{:?}", node.contacts) };
    assert_eq!((&first.from, &first.to), (&Eid::ipn(10, 0), &Eid::ipn(20, 0)));
    assert_eq!((first.start, first.end), (since(0), Some(since(600))));
    assert_eq!((first.rate, first.light_time), (BitRate::from_bps(256_000), Duration::from_secs(4)));
    assert_eq!((first.confidence.get(), second.confidence.get()), (0.9, 1.0));
    let (Moment::Calendar(start), Some(Moment::Calendar(end))) = (second.start, second.end) else {
        panic!("{second:?}")
    };
    assert_eq!(start.to_gregorian_utc(), (2026, 12, 15, 0, 0, 0, 0));
    assert_eq!((end - start).to_seconds(), 3600.0);
    assert_eq!((third.start, third.end, third.rate, third.light_time), (since(5), None, None, Duration::ZERO));
}

fn since(seconds: i64) -> Moment {
    Moment::Since(Duration::from_secs(seconds))
}

#[test]
fn what_is_left_out_has_a_default() {
    let node = read("node: ipn:10.0\nlisten: [{ ltp: 'udp:0' }]\nneighbours: { ipn:20.0: { ltp: { to: 'udp:1' } } }\n");
    let node = node.unwrap();
    assert_eq!((node.clock, node.status_reports, node.opportunistic), (true, false, true));
    assert_eq!((node.hop_limit, node.seed, node.engine), (None, None, Some(10)));
    assert_eq!(node.storage, Storage { limit: Size::from_bytes(1 << 30), folder: None });
    assert!(node.endpoints.is_empty() && node.routes.is_empty() && node.contacts.is_empty());
    let Layer::Ltp(ltp) = &node.neighbours[0].layer else { panic!("{:?}", node.neighbours) };
    assert_eq!((ltp.light_time, ltp.response_margin), (Duration::ZERO, Duration::from_secs(2)));
    assert_eq!((ltp.segment_size.bytes(), ltp.retransmission_limit), (1400, 20));
    assert_eq!(ltp.session_numbers, SessionNumberWidth::Bits32);
    assert_eq!((ltp.rate, ltp.aggregate, ltp.checkpoint_every, &ltp.authentication), (None, None, None, &None));
}

#[test]
fn a_dtn_node_may_speak_ltp_if_it_has_an_engine_id() {
    let text = "node: dtn://lander/\nengine: 5\nlisten: [{ ltp: 'udp:1113' }]\n\
        endpoints: { dtn://lander/inbox: { state: passive } }\n\
        neighbours: { dtn://rover/: { ltp: { to: 'udp:1114', engine: 6 } } }\n";
    let node = read(text).unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!((node.node.to_string().as_str(), node.engine), ("dtn://lander/", Some(5)));
    assert!(matches!(&node.neighbours[0].layer, Layer::Ltp(ltp) if ltp.engine == 6));

    let says = |text: &str| read(text).unwrap_err().to_string();
    let without = says(&text.replace("engine: 5\n", ""));
    assert!(without.contains(":1:7: `dtn://lander/` speaks LTP, but has no number"), "{without}");
    let without = says(&text.replace(", engine: 6", ""));
    assert!(without.contains("`dtn://rover/` has no number to be the ID of its LTP engine"), "{without}");
    // Without LTP it needs none.
    assert_eq!(read("node: dtn://lander/\nlisten: [{ tcpcl: 'tcp:1' }]\n").unwrap().engine, None);
}

#[test]
fn texts_that_are_no_node_file() {
    for (text, line, column, words) in [
        ("", 1, 1, "the file has no content"),
        ("# only a comment\n", 1, 1, "begin with `node: ipn:10.0`"),
        ("5\n", 1, 1, "keys with values must stand here"),
        ("- node: ipn:10.0\n", 1, 1, "keys with values must stand here"),
        ("node: ipn:10.0\n", 1, 1, "neither listens nor has neighbours"),
        ("scenario: demo\n", 1, 1, "unknown key `scenario`"),
    ] {
        let error = read(text).unwrap_err();
        let position = error.problems()[0].position.unwrap();
        assert_eq!((position.line, position.column), (line, column), "{text:?}: {error}");
        assert!(format!("{error:#}").contains(words), "{text:?}: {error:#}");
    }
    let two = format!("{:#}", read(&format!("{SOUND}---\n{SOUND}")).unwrap_err());
    assert!(two.contains("a file holds one node"), "{two}");
    refuse(&[
        No("seed: 7", "seed^:", &["no value stands here"]),
        No("seed: 7", "^sed: 7", &["unknown key `sed`", "did you mean `seed`?"]),
        No("seed: 7", "seed: 7\n^seed: 8", &["key `seed` stands twice"]),
        No("  ipn:40.0: {", "  ^ipn:30.0: {", &["key `ipn:30.0` stands twice"]),
        No("inbox }", "inbox, ^socked: x }", &["unknown key `socked`", "did you mean `socket`?"]),
    ]);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let says = |name: &str, bytes: Option<&[u8]>| {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        load_node(&path).unwrap_err().to_string().replace(&path.display().to_string(), name)
    };
    assert_eq!(says("gone.yaml", None), "gone.yaml: the file does not exist");
    assert_eq!(says(".", None), ".: this is a directory, not a node file");
    assert_eq!(says("odd.yaml", Some(b"node: ipn:10.0\nseed: \xff\n")), "odd.yaml:2:7: this is not UTF-8");
    assert!(says("junk.yaml", Some(&(0..=127).cycle().take(5000).collect::<Vec<u8>>())).starts_with("junk.yaml:"));
    let large = vec![b'#'; MAX_FILE_BYTES as usize + 1];
    assert_eq!(says("large.yaml", Some(&large)), "large.yaml: the file is larger than 1 MiB, which no node is");
    assert!(parse_node("x.yaml".as_ref(), std::str::from_utf8(&large).unwrap()).is_err());

    let path = folder.path().join("sound.yaml");
    std::fs::write(&path, "node: ipn:10.0\nlisten: [{ stcp: 'tcp:0' }]\nstorage: { folder: store }\n").unwrap();
    assert_eq!(load_node(&path).unwrap().storage.folder, Some(folder.path().join("store")));
}

#[test]
fn what_is_nested_deeply_ends() {
    for text in [
        edited("program: [./handle, --flag, 5]", &format!("program: {}", "[".repeat(5000))),
        edited("seed: 7", &format!("seed: {}", "{a: ".repeat(5000))),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        edited("routes:\n", &format!("routes:\n  - &r ipn:1.* via ipn:20.0\n{}", "  - *r\n".repeat(100_000))),
    ] {
        assert!(read(&text).is_err());
    }
}

#[test]
fn no_cut_of_a_file_makes_it_panic() {
    for end in (0..SOUND.len()).step_by(3) {
        check_positions(&SOUND[..end]);
        check_positions(&format!("{}{}", &SOUND[..end], &SOUND[end + 1..]));
        check_positions(&format!("{}é{}", &SOUND[..end], &SOUND[end..]));
    }
}

/// Whatever is said about `text` points into it, and can be shown.
fn check_positions(text: &str) {
    let Err(error) = read(text) else { return };
    assert!(!error.problems().is_empty(), "refused for no reason: {text}");
    for position in error.problems().iter().filter_map(|problem| problem.position) {
        assert!(text.get(position.offset..position.offset + position.length).is_some(), "{position:?}: {text:?}");
    }
}

#[test]
fn the_nodes_that_come_with_the_project_are_sound() {
    let nodes: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/nodes");
    let load = |name: &str| {
        let node = load_node(&nodes.join(name)).unwrap_or_else(|error| panic!("{error:#}"));
        assert!(node.warnings().is_none(), "{:#}", node.warnings().unwrap());
        node
    };
    let (lander, relay) = (load("lander.yaml"), load("relay.yaml"));
    // The others describe nodes that are judged, and begin with a name; the conformance crate reads them.
    let files = std::fs::read_dir(&nodes).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let of_nodes = files.filter(|text| text.lines().any(|line| line.starts_with("node: "))).count();
    assert_eq!(of_nodes, 2, "each is read here");
    // They are the two ends of one link.
    for (here, there) in [(&lander, &relay), (&relay, &lander)] {
        let Layer::Ltp(ltp) = &here.neighbour(&there.node).unwrap().layer else { panic!("LTP") };
        assert!(there.listeners.contains(&Listener::Ltp(ltp.to)), "{:?}", there.listeners);
        assert_eq!(Some(ltp.engine), there.engine);
    }
    assert!(!lander.clock && lander.contacts.len() == 4 && relay.routes.len() == 2);
}
