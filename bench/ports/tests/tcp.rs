//! Streams on loopback: in order, refused, half open, slow, and with rubbish in them.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use farlink_ports::tcp::{
    CloseReason, ConnectError, ConnectionId, ListenError, StreamEvent, StreamPorts, TcpAddress, WRITE_BUFFER,
};
use farlink_ports::tls::{KeyPurpose, NetworkMatch, PeerCertificate, TlsRole, TlsSettings, Trust};
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};
use support::{Authority, Names, PATIENCE, bundle, loopback};

/// Polls until an event satisfies the condition; all events up to it.
fn until(ports: &mut StreamPorts, what: &str, wanted: impl Fn(&StreamEvent) -> bool) -> Vec<StreamEvent> {
    let start = Instant::now();
    let mut events = Vec::new();
    while !events.iter().any(&wanted) {
        assert!(start.elapsed() < PATIENCE, "{what}: {events:?}");
        ports.poll(Some(Duration::from_millis(100)), &mut events).unwrap();
    }
    events
}

fn is_closed(event: &StreamEvent) -> bool {
    matches!(event, StreamEvent::Closed { .. })
}

fn data(events: &[StreamEvent]) -> Vec<u8> {
    let octets = events.iter().filter_map(|event| match event {
        StreamEvent::Data { octets, .. } => Some(&octets[..]),
        _ => None,
    });
    octets.collect::<Vec<_>>().concat()
}

/// Ports that listen, a plain socket that has connected to them, and the connection.
fn accepted() -> (StreamPorts, TcpStream, ConnectionId) {
    let mut ports = StreamPorts::new().unwrap();
    let listener = ports.listen(loopback()).unwrap();
    let address = ports.listening_address(listener).unwrap();
    let peer = TcpStream::connect(address.0).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let events = until(&mut ports, "to accept", |event| matches!(event, StreamEvent::Accepted { .. }));
    let connection = events
        .iter()
        .find_map(|event| match event {
            StreamEvent::Accepted { connection, peer: address, .. } => {
                assert_eq!(*address, peer.local_addr().unwrap());
                Some(*connection)
            }
            _ => None,
        })
        .unwrap();
    (ports, peer, connection)
}

#[test]
fn addresses_are_on_loopback_unless_told_otherwise() {
    assert_eq!("tcp:4556".parse::<TcpAddress>().unwrap().to_string(), "tcp:127.0.0.1:4556");
    assert_eq!("tcp:[::1]:4556".parse::<TcpAddress>().unwrap().to_string(), "tcp:[::1]:4556");
    for wrong in ["", "4556", "tcp:", "tcp:host", "udp:4556", "tcp:70000"] {
        assert!(wrong.parse::<TcpAddress>().unwrap_err().to_string().contains("tcp:127.0.0.1:4556"), "{wrong}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let mut ports = StreamPorts::new().unwrap();
    let listener = ports.listen(loopback()).unwrap();
    let taken = ports.listening_address(listener).unwrap();
    let error = StreamPorts::new().unwrap().listen(taken).unwrap_err();
    assert!(matches!(error, ListenError::InUse { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&taken.to_string()) && text.contains("ss -tlpn"), "{text}");
    let elsewhere = ports.listen("tcp:192.0.2.1:0".parse().unwrap()).unwrap_err();
    assert!(matches!(elsewhere, ListenError::NoSuchAddress { .. }), "{elsewhere}");
    // Once nobody listens there any more it can be had.
    ports.stop_listening(listener);
    ports.listen(taken).unwrap();
}

#[test]
fn a_refused_connection_says_what_to_look_at() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut ports = StreamPorts::new().unwrap();
    let connection = ports.connect(TcpAddress(free));
    let events = until(&mut ports, "to be refused", |event| matches!(event, StreamEvent::ConnectFailed { .. }));
    let reason = ConnectError::Refused { address: TcpAddress(free) };
    assert!(reason.to_string().contains("nobody listens there"));
    assert_eq!(events, [StreamEvent::ConnectFailed { connection, reason }]);
    assert_eq!(ports.connections(), 0);
}

#[test]
fn octets_pass_both_ways_and_the_end_comes_last() {
    let (mut ports, mut peer, connection) = accepted();
    assert_eq!(ports.write(connection, b"to the peer"), 11);
    ports.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap();
    let mut got = [0; 11];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"to the peer");

    let sent = bundle(300_000);
    let whole = sent.clone();
    let writer = thread::spawn(move || peer.write_all(&whole).unwrap());
    let events = until(&mut ports, "to hear the end", is_closed);
    writer.join().unwrap();
    assert!(data(&events) == sent);
    assert_eq!(events.last(), Some(&StreamEvent::Closed { connection, reason: CloseReason::Peer }));
    let mut more = Vec::new();
    ports.poll(Some(Duration::from_millis(20)), &mut more).unwrap();
    assert_eq!(more, [], "the end is told once");
    ports.close(connection);
    ports.poll(Some(Duration::ZERO), &mut more).unwrap();
    assert_eq!((more, ports.connections()), (vec![], 0));
}

#[test]
fn a_peer_that_has_closed_its_side_still_hears_what_is_written() {
    let (mut ports, mut peer, connection) = accepted();
    peer.write_all(b"last words").unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    until(&mut ports, "to hear the end", is_closed);
    assert_eq!(ports.write(connection, b"acknowledged"), 12);
    ports.close(connection);
    ports.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap();
    let mut heard = String::new();
    peer.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "acknowledged");
}

#[test]
fn what_is_written_before_the_close_arrives_although_octets_are_unread() {
    let (mut ports, mut peer, connection) = accepted();
    // These are never read by the owner: closing at once would reset the connection.
    peer.write_all(&bundle(200_000)).unwrap();
    ports.set_reading(connection, false);
    ports.poll(Some(Duration::from_millis(20)), &mut Vec::new()).unwrap();
    assert_eq!(ports.write(connection, b"goodbye"), 7);
    ports.close(connection);
    let reader = thread::spawn(move || {
        let mut heard = String::new();
        peer.read_to_string(&mut heard).map(|_| heard)
    });
    let start = Instant::now();
    while ports.connections() > 0 && start.elapsed() < PATIENCE {
        let mut events = Vec::new();
        ports.poll(Some(Duration::from_millis(20)), &mut events).unwrap();
        assert_eq!(events, []);
    }
    assert_eq!(reader.join().unwrap().unwrap(), "goodbye");
}

#[test]
fn a_slow_reader_holds_up_the_writer_and_no_more_than_the_buffer_waits() {
    let (mut ports, mut peer, connection) = accepted();
    let sent = bundle(20_000_000);
    let mut written = 0;
    let mut events = Vec::new();
    // The peer reads nothing: the system's buffers fill up, then ours.
    loop {
        written += ports.write(connection, &sent[written..]);
        events.clear();
        ports.poll(Some(Duration::from_millis(50)), &mut events).unwrap();
        if ports.room(connection) == 0 && events.is_empty() {
            break;
        }
    }
    assert!(written < sent.len());
    assert_eq!(ports.write(connection, b"more"), 0);
    // Once it reads, the writer is told, and all arrives.
    let expected = sent.clone();
    let reader = thread::spawn(move || {
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).unwrap();
        heard == expected
    });
    let start = Instant::now();
    while written < sent.len() {
        assert!(start.elapsed() < PATIENCE);
        let events = until(&mut ports, "to have room", |event| *event == StreamEvent::Writable(connection));
        assert_eq!(events, [StreamEvent::Writable(connection)]);
        assert!(ports.room(connection) >= WRITE_BUFFER / 2);
        written += ports.write(connection, &sent[written..]);
    }
    ports.close(connection);
    while ports.connections() > 0 && start.elapsed() < PATIENCE {
        ports.poll(Some(Duration::from_millis(20)), &mut Vec::new()).unwrap();
    }
    assert!(reader.join().unwrap());
}

#[test]
fn a_connection_that_is_not_read_holds_up_its_peer() {
    let (mut ports, mut peer, connection) = accepted();
    ports.set_reading(connection, false);
    let sent = bundle(20_000_000);
    let whole = sent.clone();
    let writer = thread::spawn(move || peer.write_all(&whole).unwrap());
    let mut events = Vec::new();
    for _ in 0..10 {
        ports.poll(Some(Duration::from_millis(20)), &mut events).unwrap();
    }
    assert_eq!(events, []);
    assert!(!writer.is_finished());
    ports.set_reading(connection, true);
    let events = until(&mut ports, "to hear the end", is_closed);
    writer.join().unwrap();
    assert!(data(&events) == sent);
}

#[test]
fn a_reset_connection_is_lost() {
    let (mut ports, peer, connection) = accepted();
    // Closing with octets unread resets the connection.
    ports.write(connection, &bundle(1000));
    ports.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap();
    thread::sleep(Duration::from_millis(50));
    drop(peer);
    let events = until(&mut ports, "to be lost", is_closed);
    assert!(matches!(&events[..], [StreamEvent::Closed { reason: CloseReason::Lost(_), .. }]), "{events:?}");
    assert_eq!(ports.connections(), 0);
    assert_eq!((ports.room(connection), ports.write(connection, b"x")), (0, 0));
    ports.close(connection);
}

#[test]
fn a_reset_after_the_close_is_nobodys_business() {
    let (mut ports, peer, connection) = accepted();
    ports.write(connection, &bundle(1000));
    ports.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap();
    thread::sleep(Duration::from_millis(50));
    ports.close(connection);
    drop(peer);
    let (start, mut events) = (Instant::now(), Vec::new());
    while ports.connections() > 0 && start.elapsed() < PATIENCE {
        ports.poll(Some(Duration::from_millis(20)), &mut events).unwrap();
    }
    assert_eq!((events, ports.connections()), (vec![], 0));
}

#[test]
fn many_silent_peers_do_not_keep_others_out() {
    let (mut ports, _first, _) = accepted();
    let address = "tcp:0".parse().unwrap();
    let listener = ports.listen(address).unwrap();
    let address = ports.listening_address(listener).unwrap();
    let silent: Vec<_> = (0..100).map(|_| TcpStream::connect(address.0).unwrap()).collect();
    let mut live = TcpStream::connect(address.0).unwrap();
    live.write_all(b"here").unwrap();
    let events = until(&mut ports, "to hear one", |event| matches!(event, StreamEvent::Data { .. }));
    assert_eq!(data(&events), b"here");
    assert_eq!(ports.connections(), silent.len() + 2);
}

#[test]
fn datagrams_and_other_threads_end_the_same_poll() {
    let mut ports = StreamPorts::new().unwrap();
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    ports.register_udp(&a, 77).unwrap();
    b.send_to(b"frame", a.local_addr().unwrap()).unwrap();
    let events = until(&mut ports, "to be readable", |event| *event == StreamEvent::Readable { socket: 77 });
    assert_eq!(events.len(), 1);
    let mut buffer = [0; 10];
    assert_eq!(a.recv(&mut buffer).unwrap(), 5);
    assert_eq!(a.recv(&mut buffer).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);

    let waker = ports.waker();
    let other = thread::spawn(move || waker.wake().unwrap());
    let mut events = Vec::new();
    ports.poll(None, &mut events).unwrap();
    assert_eq!(events, [StreamEvent::Woken]);
    other.join().unwrap();

    ports.deregister_udp(&a, 77).unwrap();
    b.send_to(b"frame", a.local_addr().unwrap()).unwrap();
    let mut events = Vec::new();
    ports.poll(Some(Duration::from_millis(20)), &mut events).unwrap();
    assert_eq!(events, []);
}

/// Two ports with a connection between them, the first is the client.
struct Secured {
    client: StreamPorts,
    server: StreamPorts,
    ids: [ConnectionId; 2],
}

impl Secured {
    fn new() -> Self {
        let (mut client, mut server) = (StreamPorts::new().unwrap(), StreamPorts::new().unwrap());
        let listener = server.listen(loopback()).unwrap();
        let to = server.listening_address(listener).unwrap();
        let id = client.connect(to);
        until(&mut client, "to connect", |event| *event == StreamEvent::Connected(id));
        let events = until(&mut server, "to accept", |event| matches!(event, StreamEvent::Accepted { .. }));
        let StreamEvent::Accepted { connection, .. } = events[0] else { panic!("{events:?}") };
        Secured { client, server, ids: [id, connection] }
    }

    /// Polls both for events that are wanted from each.
    fn run(&mut self, wanted: impl Fn(&StreamEvent) -> bool) -> [Vec<StreamEvent>; 2] {
        let start = Instant::now();
        let mut events = [Vec::new(), Vec::new()];
        while !events.iter().all(|events| events.iter().any(&wanted)) {
            assert!(start.elapsed() < PATIENCE, "{events:?}");
            self.client.poll(Some(Duration::from_millis(5)), &mut events[0]).unwrap();
            self.server.poll(Some(Duration::from_millis(5)), &mut events[1]).unwrap();
        }
        events
    }

    /// A handshake; what each side is told.
    fn handshake(&mut self, client: &TlsSettings, server: &TlsSettings) -> [Vec<StreamEvent>; 2] {
        let role = TlsRole::Client { server_name: Some("mars.example".to_owned()) };
        self.client.start_tls(self.ids[0], role, client, &[]).unwrap();
        self.server.start_tls(self.ids[1], TlsRole::Server, server, &[]).unwrap();
        self.run(|event| matches!(event, StreamEvent::Secured { .. } | StreamEvent::Closed { .. }))
    }
}

fn secured(events: &[StreamEvent]) -> &PeerCertificate {
    match events {
        [StreamEvent::Secured { peer, .. }, ..] => peer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tls_shows_each_side_the_names_of_the_other() {
    let authority = Authority::new();
    let names = Names {
        bundle_eids: &["ipn:2.0", "ipn:2.7"],
        dns: &["mars.example"],
        addresses: &[[127, 0, 0, 1]],
        purposes: vec![support::bundle_security()],
        ..Names::default()
    };
    let client = authority.leaf(&Names::default()).settings(authority.trust());
    let server = authority.leaf(&names).settings(authority.trust());
    let mut pair = Secured::new();
    let [at_client, at_server] = pair.handshake(&client, &server);
    let peer = secured(&at_client);
    assert_eq!(peer.bundle_eids, ["ipn:2.0", "ipn:2.7"]);
    assert_eq!((peer.dns_names.len(), peer.addresses.len()), (1, 1));
    let here = "127.0.0.1".parse().unwrap();
    let there = "192.0.2.1".parse().unwrap();
    assert_eq!(peer.network_identity(None, here), NetworkMatch::Success);
    assert_eq!(peer.network_identity(Some("MARS.example"), there), NetworkMatch::Success);
    assert_eq!(peer.network_identity(Some("venus.example"), there), NetworkMatch::Failure);
    let nameless = secured(&at_server);
    assert!(!nameless.der.is_empty());
    assert_eq!(nameless.network_identity(None, here), NetworkMatch::Absent);

    // What is written goes through TLS, more than a buffer of it, and the end is told.
    let sent = bundle(1_000_000);
    let mut written = 0;
    let mut heard = Vec::new();
    while heard.len() < sent.len() {
        written += pair.client.write(pair.ids[0], &sent[written..]);
        let mut events = [Vec::new(), Vec::new()];
        pair.client.poll(Some(Duration::from_millis(5)), &mut events[0]).unwrap();
        pair.server.poll(Some(Duration::from_millis(5)), &mut events[1]).unwrap();
        heard.extend(data(&events[1]));
    }
    assert!(heard == sent);
    pair.client.close(pair.ids[0]);
    pair.client.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap();
    let events = until(&mut pair.server, "to hear the end", is_closed);
    assert_eq!(events, [StreamEvent::Closed { connection: pair.ids[1], reason: CloseReason::Peer }]);
}

#[test]
fn a_certificate_that_does_not_hold_fails_the_handshake() {
    let (authority, other) = (Authority::new(), Authority::named("another root"));
    let told = |leaf: support::Leaf| {
        let client = leaf.settings(authority.trust());
        let server = authority.leaf(&Names::default()).settings(authority.trust());
        let [_, at_server] = Secured::new().handshake(&client, &server);
        match &at_server[..] {
            [StreamEvent::Closed { reason: CloseReason::Tls(text), .. }] => text.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert!(told(other.leaf(&Names::default())).ends_with("no trusted root vouches for it"));
    assert!(told(authority.leaf(&Names { expired: true, ..Names::default() })).ends_with("it has expired"));
    let for_mail = Names { purposes: vec![ExtendedKeyUsagePurpose::EmailProtection], ..Names::default() };
    assert!(told(authority.leaf(&for_mail)).contains("lacks id-kp-bundleSecurity"));
    let for_keys = Names { usages: vec![KeyUsagePurpose::KeyEncipherment], ..Names::default() };
    assert!(told(authority.leaf(&for_keys)).contains("key usage lacks digitalSignature"));
}

#[test]
fn a_certificate_for_signatures_among_other_things_holds() {
    let authority = Authority::new();
    let usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyAgreement];
    let settings = authority.leaf(&Names { usages, ..Names::default() }).settings(authority.trust());
    let [at_client, at_server] = Secured::new().handshake(&settings, &settings);
    secured(&at_client);
    secured(&at_server);
}

#[test]
fn the_purposes_of_tls_are_enough_where_that_is_told() {
    let authority = Authority::new();
    let for_tls = Names {
        purposes: vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
        ..Names::default()
    };
    let mut settings = authority.leaf(&for_tls).settings(authority.trust());
    let [at_client, _] = Secured::new().handshake(&settings, &settings);
    assert!(is_closed(&at_client[0]), "{at_client:?}");
    settings.purpose = KeyPurpose::BundleSecurityOrTls;
    let [at_client, at_server] = Secured::new().handshake(&settings, &settings);
    secured(&at_client);
    secured(&at_server);
}

#[test]
fn a_pinned_certificate_needs_no_root_and_no_other_will_do() {
    let (one, two) = (Authority::new().leaf(&Names::default()), Authority::new().leaf(&Names::default()));
    let pinned = |leaf: &support::Leaf| Trust::pinned(leaf.certificate.as_bytes(), "the test").unwrap();
    let [at_client, at_server] = Secured::new().handshake(&one.settings(pinned(&two)), &two.settings(pinned(&one)));
    secured(&at_client);
    secured(&at_server);
    let [at_client, _] = Secured::new().handshake(&one.settings(pinned(&one)), &two.settings(pinned(&one)));
    let [StreamEvent::Closed { reason: CloseReason::Tls(text), .. }] = &at_client[..] else { panic!("{at_client:?}") };
    assert!(text.ends_with("it is not the one that is pinned"), "{text}");
}

#[test]
fn rubbish_instead_of_tls_is_answered_with_an_alert_and_the_end() {
    let authority = Authority::new();
    let settings = authority.leaf(&Names::default()).settings(authority.trust());
    let (mut ports, mut peer, connection) = accepted();
    ports.start_tls(connection, TlsRole::Server, &settings, b"no TLS at all").unwrap();
    assert_eq!(ports.write(connection, b"not before the handshake"), 0);
    let events = until(&mut ports, "to fail", is_closed);
    assert!(matches!(&events[..], [StreamEvent::Closed { reason: CloseReason::Tls(_), .. }]), "{events:?}");
    ports.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap();
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.first(), Some(&0x15), "an alert: {heard:?}");
    // Octets that came with the last plain ones count, and a peer that leaves in the middle is told apart.
    let (mut ports, peer, connection) = accepted();
    ports.start_tls(connection, TlsRole::Server, &settings, &[0x16, 3, 1]).unwrap();
    drop(peer);
    let events = until(&mut ports, "to fail", is_closed);
    let text = format!("{events:?}");
    assert!(text.contains("during the handshake"), "{text}");
}

#[test]
fn files_that_hold_no_certificate_or_key_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let leaf = Authority::new().leaf(&Names::default());
    let other = Authority::new().leaf(&Names::default());
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (certificate, key) = (write("node.pem", &leaf.certificate), write("node.key", &leaf.key));
    let trust = || Trust::pinned_file(&certificate).unwrap();
    TlsSettings::from_files(&certificate, &key, trust()).unwrap();
    let missing = folder.path().join("missing.pem");
    let told = |certificate: &std::path::Path, key: &std::path::Path| {
        TlsSettings::from_files(certificate, key, trust()).unwrap_err().to_string()
    };
    assert!(told(&missing, &key).starts_with("could not read"));
    let text = told(&key, &key);
    assert!(text.contains("node.key holds no certificate") && text.contains("BEGIN CERTIFICATE"), "{text}");
    assert!(told(&certificate, &certificate).contains("node.pem holds no private key"));
    let wrong = write("other.key", &other.key);
    assert!(told(&certificate, &wrong).contains("cannot be used together"), "{}", told(&certificate, &wrong));
    assert!(Trust::roots_file(&missing).unwrap_err().to_string().starts_with("could not read"));
}
