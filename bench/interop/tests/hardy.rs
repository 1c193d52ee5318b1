//! Bundles exchanged with hardy over TCPCLv4 on loopback, in both directions and with either side opening the connection.
//!
//! hardy runs a whole node, `ipn:2.0`, on a runtime of its own. Its application on service 1 sends each payload back to
//! where it came from. Our side, `ipn:1.0`, is a session over stream ports, in the thread of the test.

#[path = "../../ports/tests/support/mod.rs"]
mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Instant;

use bytes::Bytes;
use farlink_engine::tcpcl::{Config, Event, TlsPolicy};
use farlink_ports::tcp::TcpAddress;
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleFlags, CanonicalBlock, CrcType, CreationTimestamp, Eid, PrimaryBlock, block_type,
};
use hardy_bpa::async_trait;
use hardy_bpa::bpa::{Bpa, BpaRegistration};
use hardy_bpa::node_ids::NodeIds;
use hardy_bpa::services::{Application, ApplicationSink, Result, StatusNotify};
use hardy_bpv7::eid::{IpnNodeId, NodeId, Service};
use support::{Node, PATIENCE, bundle};
use tokio::runtime::Runtime;

/// Sends each payload back, and tells the test.
struct Echo {
    sink: OnceLock<Box<dyn ApplicationSink>>,
    received: mpsc::Sender<Bytes>,
}

#[async_trait]
impl Application for Echo {
    async fn on_register(&self, _source: &hardy_bpv7::eid::Eid, sink: Box<dyn ApplicationSink>) {
        let _ = self.sink.set(sink);
    }

    async fn on_unregister(&self) {}

    async fn on_receive(
        &self,
        source: hardy_bpv7::eid::Eid,
        _expiry: time::OffsetDateTime,
        _ack_requested: bool,
        payload: Bytes,
    ) -> Result<()> {
        let _ = self.received.send(payload.clone());
        let sink = self.sink.get().expect("registered before it receives");
        sink.send(source, payload, std::time::Duration::from_secs(600), None).await.map(drop)
    }

    async fn on_status_notify(
        &self,
        _bundle_id: &hardy_bpv7::bundle::Id,
        _from: &hardy_bpv7::eid::Eid,
        _kind: StatusNotify,
        _reason: hardy_bpv7::status_report::ReasonCode,
        _timestamp: Option<time::OffsetDateTime>,
    ) {
    }
}

/// hardy's node.
struct Hardy {
    runtime: Runtime,
    cla: Arc<hardy_tcpclv4::Cla>,
    bpa: Bpa,
    received: mpsc::Receiver<Bytes>,
}

impl Hardy {
    fn start(listens: Option<SocketAddr>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (received_tx, received) = mpsc::channel();
        let (bpa, cla) = runtime.block_on(async {
            let node = NodeId::Ipn(IpnNodeId { allocator_id: 0, node_number: 2 });
            let node_ids = NodeIds::try_from([node].as_slice()).unwrap();
            let bpa = Bpa::builder().node_ids(node_ids).build().await.unwrap();
            bpa.start(false);
            let echo = Arc::new(Echo { sink: OnceLock::new(), received: received_tx });
            bpa.register_application(Service::Ipn(1), echo).await.unwrap();
            let config = hardy_tcpclv4::config::Config { address: listens, ..Default::default() };
            let cla = Arc::new(hardy_tcpclv4::Cla::new(&config).unwrap());
            bpa.register_cla("tcp".to_owned(), cla.clone(), None).await.unwrap();
            (bpa, cla)
        });
        Hardy { runtime, cla, bpa, received }
    }

    fn stop(self) {
        self.runtime.block_on(self.bpa.shutdown());
    }
}

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
    let hardy = Hardy::start(Some(address));
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
    let hardy = Hardy::start(None);
    let mut node = our_node();
    let TcpAddress(address) = node.listen();
    let cla = Arc::clone(&hardy.cla);
    let connecting = hardy.runtime.spawn(async move { cla.connect(&address).await });
    exchange(&mut node, &hardy);
    hardy.runtime.block_on(connecting).unwrap().unwrap();
    end(node, hardy);
}
