//! The built-in node as it runs alone, beside a node of hardy: bundles and their echoes over TCPCLv4, in the clear and over
//! TLS.
//!
//! hardy shows a certificate only as the side that listens, and asks for none; so TLS is tried on connections that our node
//! opens.

mod peer;
#[path = "../../ports/tests/support/mod.rs"]
mod support;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use farlink_engine::bp::Transmission;
use farlink_engine::schedule::{Schedule, Window};
use farlink_nodes::applications::Target;
use farlink_nodes::builtin::Config;
use farlink_nodes::standalone::{Link, LinkLayer, Listener, Secured, Setup, StandaloneNode, Told};
use farlink_ports::tcp::TcpAddress;
use farlink_record::{BundleNotice, Event, NodeId};
use farlink_units::Duration;
use farlink_wire::bpv7::Eid;
use hardy_tcpclv4::config::TlsConfig;
use peer::Hardy;
use support::{Authority, Names, PATIENCE, bundle, bundle_security, loopback};

/// Our node, `ipn:1.0`; what comes for service 7 goes into a folder.
fn our_node(inbox: &Path, listeners: Vec<Listener>, hardy: Option<(SocketAddr, Option<Secured>)>) -> StandaloneNode {
    let mut node = Config::new(NodeId(0), 1, 1);
    let mut links = Vec::new();
    if let Some((to, tls)) = hardy {
        let layer = LinkLayer::Tcpcl { to: Some(TcpAddress(to)), keepalive_s: 15, segment: 1 << 14, tls };
        let open = Schedule::new(vec![Window::always(0, Duration::ZERO)]);
        node.others.push((NodeId(1), Eid::ipn(2, 0)));
        node.routes.push("ipn:2.* via ipn:2.0".parse().unwrap());
        links.push(Link { node: Eid::ipn(2, 0), layer, open, planned: false });
    }
    let applications = vec![(Eid::ipn(1, 7), Target::Directory(inbox.to_owned()))];
    StandaloneNode::start(Setup { node, ltp: None, listeners, links, opportunistic: true, store: None, applications })
        .unwrap()
}

/// Turns our node until it tells something that is waited for.
fn until(node: &mut StandaloneNode, what: &str, mut wanted: impl FnMut(&Told) -> bool) {
    let start = Instant::now();
    let mut told = Vec::new();
    while !told.iter().any(&mut wanted) {
        told.extend(node.turn().unwrap());
        assert!(start.elapsed() < PATIENCE, "{what}: {told:#?}");
    }
}

fn says(told: &Told, text: &str) -> bool {
    matches!(told, Told::Line(line) if line.contains(text))
}

/// Data to hardy's application, which delivers it and sends it back.
fn exchange(node: &mut StandaloneNode, hardy: &Hardy, inbox: &Path) {
    for length in [100, 1_000_000] {
        let payload = bundle(length);
        let transmission = Transmission::new(Eid::ipn(1, 7), Eid::ipn(2, 1), payload.to_vec().into());
        node.transmit(transmission).unwrap().unwrap();
        let (mut acknowledged, mut delivered) = (false, false);
        until(node, "to be acknowledged and echoed", |told| {
            acknowledged |= matches!(told, Told::Event(Event::Bundle { notice: BundleNotice::Forwarded { .. }, .. }));
            delivered |= matches!(told, Told::Delivered { .. });
            acknowledged && delivered
        });
        assert!(hardy.received.recv_timeout(PATIENCE).unwrap() == payload, "hardy delivers another payload");
        let files: Vec<_> = fs::read_dir(inbox).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(fs::read(&files[0]).unwrap() == payload, "another payload comes back");
        fs::remove_file(&files[0]).unwrap();
    }
}

/// Ends the session in order.
fn end(mut node: StandaloneNode, hardy: Hardy) {
    node.close();
    until(&mut node, "the session to end", |told| says(told, "the session ended in order"));
    hardy.stop();
}

/// An address that was free a moment ago, at which hardy listens.
fn listening(tls: Option<TlsConfig>) -> (Hardy, SocketAddr) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hardy = Hardy::start(Some(address), tls);
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(start.elapsed() < PATIENCE, "hardy does not listen");
    }
    (hardy, address)
}

#[test]
fn bundles_go_to_hardy_and_come_back() {
    let inbox = tempfile::tempdir().unwrap();
    let (hardy, address) = listening(None);
    let mut node = our_node(inbox.path(), Vec::new(), Some((address, None)));
    until(&mut node, "a session", |told| says(told, "session with ipn:2.0"));
    exchange(&mut node, &hardy, inbox.path());
    end(node, hardy);
}

#[test]
fn hardy_connects_to_a_node_that_does_not_know_it() {
    let inbox = tempfile::tempdir().unwrap();
    let hardy = Hardy::start(None, None);
    let mut node = our_node(inbox.path(), vec![Listener::Tcpcl { address: loopback(), tls: None }], None);
    let listening = node.listening().pop().unwrap();
    let address: SocketAddr = listening.strip_prefix("tcp:").unwrap().split(' ').next().unwrap().parse().unwrap();
    let cla = Arc::clone(&hardy.cla);
    let connecting = hardy.runtime.spawn(async move { cla.connect(&address).await });
    until(&mut node, "a session", |told| says(told, "session with ipn:2.0"));
    exchange(&mut node, &hardy, inbox.path());
    hardy.runtime.block_on(connecting).unwrap().unwrap();
    end(node, hardy);
}

#[test]
fn tls_needs_the_node_id_of_hardy_in_its_certificate() {
    // hardy leaves the choice among the providers of cryptography that are built to the process. It is made once.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    // hardy reads certificates that it trusts even where it only listens.
    let trusted = folder.path().join("trusted");
    fs::create_dir(&trusted).unwrap();
    fs::write(trusted.join("root.pem"), &authority.pem).unwrap();
    for (id, good) in [("ipn:3.0", false), ("ipn:2.0", true)] {
        let names = Names { bundle_eids: &[id], purposes: vec![bundle_security()], ..Names::default() };
        let leaf = authority.leaf(&names);
        let (certificate, key) = (folder.path().join("hardy.pem"), folder.path().join("hardy.key"));
        fs::write(&certificate, &leaf.certificate).unwrap();
        fs::write(&key, &leaf.key).unwrap();
        let tls = TlsConfig {
            cert_file: Some(certificate),
            private_key_file: Some(key),
            ca_certs: Some(trusted.clone()),
            ..TlsConfig::default()
        };
        let (hardy, address) = listening(Some(tls));

        let names = Names { bundle_eids: &["ipn:1.0"], purposes: vec![bundle_security()], ..Names::default() };
        let settings = authority.leaf(&names).settings(authority.trust());
        let inbox = tempfile::tempdir().unwrap();
        let secured = Secured { settings, require: true, name: None };
        let mut node = our_node(inbox.path(), Vec::new(), Some((address, Some(secured))));
        if good {
            until(&mut node, "a session", |told| says(told, "session with ipn:2.0, secured by TLS"));
            exchange(&mut node, &hardy, inbox.path());
            end(node, hardy);
        } else {
            until(&mut node, "the session to be refused", |told| says(told, "session with ipn:2.0 over"));
            hardy.stop();
        }
    }
}
