//! Bundles exchanged with hardy over TCPCLv4 on loopback, in both directions and with either side opening the connection.
//!
//! hardy runs a whole node, `ipn:2.0`, on a runtime of its own. Its application on service 1 sends each payload back to
//! where it came from. Our side, `ipn:1.0`, is a session over stream ports, in the thread of the test.

mod peer;
#[path = "../../ports/tests/support/mod.rs"]
mod support;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use farlink_engine::tcpcl::{Config, Event, TlsPolicy};
use farlink_ports::tcp::TcpAddress;
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleFlags, CanonicalBlock, CrcType, CreationTimestamp, Eid, PrimaryBlock, block_type,
};
use peer::Hardy;
use support::{Node, PATIENCE, bundle};

fn our_node() -> Node {
    let mut config = Config::new(Eid::ipn(1, 0));
    config.tls = TlsPolicy::Forbid;
    Node::new(config, None)
}

fn until(node: &mut Node, what: &str, holds: impl Fn(&Node) -> bool) {
    let start = Instant::now();
    while !holds(node) {
        assert!(start.elapsed() < PATIENCE, "{what}: {:?} {:?}", node.events, node.closed);
        node.turn();
    }
}

fn to_hardy(sequence: u64, payload: &[u8]) -> Bytes {
    let bundle = Bundle {
        primary: PrimaryBlock {
            flags: BundleFlags::default(),
            crc: CrcType::Crc32c,
            destination: Eid::ipn(2, 1),
            source: Eid::ipn(1, 7),
            report_to: Eid::ipn(1, 0),
            // Any time will do whose lifetime is not over for a long while: 2026-01-01 and a hundred years.
            creation: CreationTimestamp { time_ms: 820_540_800_000, sequence },
            lifetime_ms: 100 * 365 * 86_400_000,
            fragment: None,
        },
        blocks: vec![CanonicalBlock {
            block_type: block_type::PAYLOAD,
            number: 1,
            flags: BlockFlags::default(),
            crc: CrcType::Crc32c,
            data: payload.into(),
        }],
    };
    bundle.emit().into()
}

/// Bundles to hardy, acknowledged and delivered there, and their payloads back to us.
fn exchange(node: &mut Node, hardy: &Hardy) {
    until(node, "to be established", |node| {
        node.events
            .iter()
            .any(|event| matches!(event, Event::Established(session) if session.peer == Some(Eid::ipn(2, 0))))
    });
    // One fits a segment of hardy's 16 KiB, the other needs many.
    let lengths = [100, 1_000_000];
    for (sequence, length) in lengths.into_iter().enumerate() {
        let sent = to_hardy(sequence as u64, &bundle(length));
        node.session().send(sequence as u64, sent.into()).unwrap();
        until(node, "to be acknowledged and answered", |node| {
            node.events.contains(&Event::Acknowledged { tag: sequence as u64 }) && node.received().len() == sequence + 1
        });
        let delivered = hardy.received.recv_timeout(PATIENCE).unwrap();
        assert!(delivered == bundle(length), "hardy delivers another payload of {} octets", delivered.len());
        let answer = node.received().pop().unwrap();
        let answer = Bundle::parse(&answer).unwrap();
        assert_eq!((&answer.primary.source, &answer.primary.destination), (&Eid::ipn(2, 1), &Eid::ipn(1, 7)));
        assert!(answer.payload() == bundle(length), "another payload comes back");
    }
    assert!(!node.events.iter().any(|event| matches!(event, Event::Rejected(_))), "{:?}", node.events);
}

fn end(mut node: Node, hardy: Hardy) {
    node.session().terminate(farlink_units::Instant::ZERO, farlink_wire::tcpcl::TermReason::Unknown);
    until(&mut node, "to end", |node| node.events.iter().any(|event| matches!(event, Event::Ended(_))));
    hardy.stop();
}

#[test]
fn bundles_cross_on_a_connection_that_we_open() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hardy = Hardy::start(Some(address), None);
    let mut node = our_node();
    let start = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(start.elapsed() < PATIENCE, "hardy does not listen");
    }
    node.ports.connect(TcpAddress(address));
    exchange(&mut node, &hardy);
    end(node, hardy);
}

#[test]
fn bundles_cross_on_a_connection_that_hardy_opens() {
    let hardy = Hardy::start(None, None);
    let mut node = our_node();
    let TcpAddress(address) = node.listen();
    let cla = Arc::clone(&hardy.cla);
    let connecting = hardy.runtime.spawn(async move { cla.connect(&address).await });
    exchange(&mut node, &hardy);
    hardy.runtime.block_on(connecting).unwrap().unwrap();
    end(node, hardy);
}
