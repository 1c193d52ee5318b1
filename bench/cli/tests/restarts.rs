//! What a node with a store goes on with after SIGKILL: LTP sessions of which it had claimed a part, and data for applications.
#![allow(missing_docs)]

mod common;

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use common::nodes::{Application, Layer, Node, Random, address, ltp, sha256};
use common::process::{PATIENCE, wait_for};
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleFlags, CanonicalBlock, CrcType, CreationTimestamp, Eid, PrimaryBlock, block_type,
};
use farlink_wire::ltp::{
    CancelReason, Checkpoint, Claim, Content, Data, DataKind, Party, Report, Segment, SessionId, segments,
};

/// A bundle from `ipn:10.1` to `ipn:30.1`, made now.
fn bundle(payload: &[u8]) -> Vec<u8> {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let primary = PrimaryBlock {
        flags: BundleFlags(0),
        crc: CrcType::Crc32c,
        destination: Eid::ipn(30, 1),
        source: Eid::ipn(10, 1),
        report_to: Eid::None,
        creation: CreationTimestamp { time_ms: unix.as_millis() as u64 - 946_684_800_000, sequence: 0 },
        lifetime_ms: 3_600_000,
        fragment: None,
    };
    let block = CanonicalBlock {
        block_type: block_type::PAYLOAD,
        number: 1,
        flags: BlockFlags(0),
        crc: CrcType::Crc32c,
        data: payload.into(),
    };
    Bundle { primary, blocks: vec![block] }.emit()
}

/// LTP engine 10, by hand.
struct Engine {
    socket: UdpSocket,
    peer: (Ipv4Addr, u16),
}

/// What has come for a session, without what it was in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Report(Report),
    Cancel(CancelReason),
}

impl Engine {
    fn send(&self, session: SessionId, content: Content<'_>) {
        let mut octets = Vec::new();
        Segment::new(session, content).emit(&mut octets);
        self.socket.send_to(&octets, self.peer).unwrap();
    }

    fn send_data(&self, session: SessionId, kind: DataKind, block: &[u8], from: usize, to: usize) {
        let data = Data { kind, client_service: 1, offset: from as u64, data: &block[from..to] };
        self.send(session, Content::Data(data));
    }

    /// The next report or cancellation of a session within some time; both are answered as they ask for.
    fn next(&self, session: SessionId, time: Duration) -> Option<Came> {
        let deadline = Instant::now() + time;
        let mut buffer = [0; 2000];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let Ok(length) = self.socket.recv(&mut buffer) else { continue };
            let mut came = segments(&buffer[..length]).map(Result::unwrap);
            let Some(segment) = came.find(|s| s.session == session) else { continue };
            match segment.content {
                Content::Report(report) => {
                    self.send(session, Content::ReportAck { report_serial: report.report_serial });
                    return Some(Came::Report(report));
                }
                Content::Cancel { by: Party::Receiver, reason } => {
                    self.send(session, Content::CancelAck { by: Party::Receiver });
                    return Some(Came::Cancel(reason));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_session_of_which_a_part_was_claimed_is_cancelled_after_a_kill_and_its_block_is_taken_anew() {
    let temp = tempfile::tempdir().unwrap();
    let here = address();
    let mut node = Node::new(
        temp.path(),
        30,
        &format!(
            "storage: {{ folder: store }}\nendpoints: {{ ipn:30.1: {{ deliver: {{ directory: inbox }} }} }}\n\
             listen: [{{ ltp: \"udp:{here}:1130\" }}]\nneighbours:\n  ipn:10.0: {}\n",
            ltp(here, 1110)
        ),
    );
    let engine = Engine { socket: UdpSocket::bind((here, 1110)).unwrap(), peer: (here, 1130) };
    node.start();
    node.wait_until_it_listens();

    let payload = Random(7).octets(1500);
    let block = bundle(&payload);
    let session = SessionId { originator: 10, number: 77 };
    let checkpoint = |serial| Checkpoint { serial, report_serial: 0 };
    engine.send_data(session, DataKind::RedCheckpoint(checkpoint(1)), &block, 0, 800);
    let Some(Came::Report(report)) = engine.next(session, PATIENCE) else { panic!("no report") };
    assert_eq!(report.claims, [Claim { offset: 0, length: 800 }]);

    // The claim is binding, and what was claimed is in no store: the note of it must be.
    node.kill();
    assert_eq!(node.kept().receptions, [(session, 10)]);
    node.start();
    assert_eq!(engine.next(session, PATIENCE), Some(Came::Cancel(CancelReason::SystemError)));
    // The rest, which was on its way, must not make the sender believe that all has arrived.
    engine.send_data(session, DataKind::RedEndOfBlock(checkpoint(2)), &block, 800, block.len());
    while let Some(came) = engine.next(session, Duration::from_millis(500)) {
        assert_eq!(came, Came::Cancel(CancelReason::SystemError), "data that is lost was claimed");
    }
    assert_eq!(node.received_count(), 0);

    let anew = SessionId { originator: 10, number: 78 };
    engine.send_data(anew, DataKind::Red, &block, 0, 800);
    engine.send_data(anew, DataKind::RedEndOfBlock(checkpoint(1)), &block, 800, block.len());
    let Some(Came::Report(report)) = engine.next(anew, PATIENCE) else { panic!("no report") };
    assert_eq!(report.claims, [Claim { offset: 0, length: block.len() as u64 }]);
    wait_for("the data", || (node.received_count() == 1).then_some(()));
    assert!(node.received().values().eq([&sha256(&payload)]));

    // It still knows of the first, and has nothing to remember of the second.
    node.kill();
    assert_eq!(node.kept().receptions, [(session, 10)]);
}

#[test]
fn data_for_a_socket_waits_through_kills_until_an_application_has_confirmed_it() {
    let temp = tempfile::tempdir().unwrap();
    let here = address();
    let mut sender = Node::new(
        temp.path(),
        10,
        &format!(
            "storage: {{ folder: store }}\nendpoints: {{ ipn:10.1: {{ deliver: {{ socket: s }} }} }}\n{}",
            Layer::Tcpcl.between(here, 10, &[30])
        ),
    );
    let mut taker = Node::new(
        temp.path(),
        30,
        &format!(
            "storage: {{ folder: store }}\nendpoints:\n  ipn:30.1: {{ deliver: {{ socket: s }} }}\n  \
             ipn:30.3: {{ deliver: {{ socket: t }}, on_failure: abandon }}\n{}",
            Layer::Tcpcl.between(here, 30, &[10])
        ),
    );
    taker.start();
    sender.start();
    let mut sending = Application::wait_for(&sender.folder.join("s"));
    let parts: Vec<Vec<u8>> = (1..4).map(|seed| Random(seed).octets(3000)).collect();
    for part in &parts {
        assert!(sending.send("ipn:30.1", part).unwrap()["sent"].is_string());
    }
    // Nobody is at the other endpoint either, and its data is of no use later.
    assert!(sending.send("ipn:30.3", b"now or never").unwrap()["sent"].is_string());
    taker.wait_for_complaint("deleted, destination endpoint");
    wait_for("all to be with the other node", || (sender.forwarded().len() == 4).then_some(()));
    sender.kill();
    assert_eq!(sender.kept().snapshot.bundles, []);

    // No application has come yet: the endpoint is passive, and the data waits.
    taker.kill();
    assert_eq!(taker.kept().snapshot.bundles.len(), 3);
    taker.start();
    let socket = taker.folder.join("s");
    let mut application = Application::wait_for(&socket);
    let names: Vec<String> = parts
        .iter()
        .map(|part| {
            let (name, data) = application.unit();
            assert_eq!(data, *part);
            name
        })
        .collect();
    application.confirm(&names[0]);
    // It tells so when the disk has it.
    let confirmed = format!("to the application as {}", names[0]);
    taker.running().wait_for_line("the confirmation", |line| line.contains(&confirmed).then_some(()));
    taker.kill();
    assert_eq!(application.line(), None);

    taker.start();
    let mut application = Application::wait_for(&socket);
    for (name, part) in names.iter().zip(&parts).skip(1) {
        assert_eq!(application.unit(), (name.clone(), part.clone()));
    }
    // An application that goes without a word gets all again, and so does its successor.
    drop(application);
    let mut application = wait_for("the node to notice", || {
        let mut application = Application::connect(&socket)?;
        let line = application.line()?;
        line["deliver"].is_string().then_some((application, line))
    });
    assert_eq!(application.1["deliver"], names[1].as_str());
    application.0.octets(3000);
    assert_eq!(application.0.unit().0, names[2]);
    for name in &names[1..] {
        application.0.confirm(name);
        let confirmed = format!("to the application as {name}");
        taker.running().wait_for_line("the confirmation", |line| line.contains(&confirmed).then_some(()));
    }
    taker.kill();
    assert_eq!(taker.kept().snapshot.bundles, []);

    // Nothing comes again: the first that comes is new.
    taker.start();
    let mut application = Application::wait_for(&socket);
    assert!(application.send("ipn:30.1", b"from here to here").unwrap()["sent"].is_string());
    assert_eq!(application.unit().1, b"from here to here");
}
