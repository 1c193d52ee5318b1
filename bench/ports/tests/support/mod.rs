//! Certificates made for a test, and a node that drives TCPCL sessions over real connections.
#![allow(dead_code)]

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use farlink_engine::tcpcl::{Authentication, Config, Event, Role, Session, TlsPeer};
use farlink_ports::tcp::{ConnectionId, ListenerId, StreamEvent, StreamPorts, TcpAddress};
use farlink_ports::tls::{NetworkMatch, TlsRole, TlsSettings, Trust};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

/// Longest that a test waits for something on this machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// A certificate with its key, as PEM.
pub struct Leaf {
    pub certificate: String,
    pub key: String,
}

/// What a certificate is to say.
#[derive(Clone, Default)]
pub struct Names<'a> {
    pub bundle_eids: &'a [&'a str],
    pub dns: &'a [&'a str],
    pub addresses: &'a [[u8; 4]],
    pub purposes: Vec<ExtendedKeyUsagePurpose>,
    pub usages: Vec<KeyUsagePurpose>,
    pub expired: bool,
}

pub fn bundle_security() -> ExtendedKeyUsagePurpose {
    ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 35])
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        length @ 0..128 => out.push(length as u8),
        length => out.extend_from_slice(&[0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(content);
    out
}

/// The subjectAltName, written out by hand: the tool that makes the certificate has no IA5String for other names.
fn subject_alt_name(names: &Names<'_>) -> CustomExtension {
    let bundle_eid = [0x06, 8, 0x2B, 6, 1, 5, 5, 7, 8, 11];
    let mut all = Vec::new();
    for uri in names.bundle_eids {
        let value = der(0xA0, &der(0x16, uri.as_bytes()));
        all.extend(der(0xA0, &[&bundle_eid[..], &value].concat()));
    }
    names.dns.iter().for_each(|name| all.extend(der(0x82, name.as_bytes())));
    names.addresses.iter().for_each(|address| all.extend(der(0x87, address)));
    CustomExtension::from_oid_content(&[2, 5, 29, 17], der(0x30, &all))
}

impl Authority {
    pub fn new() -> Self {
        Authority::named("a root")
    }

    pub fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    pub fn trust(&self) -> Trust {
        Trust::roots(self.pem.as_bytes(), "the test's root").unwrap()
    }

    /// A certificate with an empty subject, as RFC 9174 section 4.4.2 allows.
    pub fn leaf(&self, names: &Names<'_>) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        if !names.bundle_eids.is_empty() || !names.dns.is_empty() || !names.addresses.is_empty() {
            params.custom_extensions.push(subject_alt_name(names));
        }
        params.extended_key_usages.clone_from(&names.purposes);
        params.key_usages.clone_from(&names.usages);
        if names.expired {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Leaf { certificate, key: key.serialize_pem() }
    }
}

impl Leaf {
    pub fn settings(&self, trust: Trust) -> TlsSettings {
        TlsSettings::new(self.certificate.as_bytes(), self.key.as_bytes(), trust).unwrap()
    }
}

pub fn loopback() -> TcpAddress {
    "tcp:0".parse().unwrap()
}

pub fn bundle(len: usize) -> Bytes {
    (0..len).map(|i| (i * 7 % 251) as u8).collect::<Vec<_>>().into()
}

/// A node with any number of sessions, driven as the documentation of `tcp` says.
pub struct Node {
    pub ports: StreamPorts,
    pub listener: Option<ListenerId>,
    config: Config,
    tls: Option<TlsSettings>,
    start: Instant,
    pub sessions: BTreeMap<ConnectionId, Session>,
    pub events: Vec<Event>,
    pub closed: Vec<StreamEvent>,
    /// Every octet that went out and came in before TLS: (sent, octets).
    pub stream: Vec<(bool, Bytes)>,
}

impl Node {
    pub fn new(config: Config, tls: Option<TlsSettings>) -> Self {
        Node {
            ports: StreamPorts::new().unwrap(),
            listener: None,
            config,
            tls,
            start: Instant::now(),
            sessions: BTreeMap::new(),
            events: Vec::new(),
            closed: Vec::new(),
            stream: Vec::new(),
        }
    }

    pub fn listen(&mut self) -> TcpAddress {
        let listener = self.ports.listen(loopback()).unwrap();
        self.listener = Some(listener);
        self.ports.listening_address(listener).unwrap()
    }

    fn now(&self) -> farlink_units::Instant {
        farlink_units::Instant::ZERO + self.start.elapsed().into()
    }

    /// One poll, and all that follows from it.
    pub fn turn(&mut self) {
        let now = self.now();
        let due = self.sessions.values().filter_map(Session::poll_timeout).min();
        let left = due.map_or(Duration::from_millis(5), |due| due.saturating_since(now).to_std());
        let mut events = Vec::new();
        self.ports.poll(Some(left.min(Duration::from_millis(5))), &mut events).unwrap();
        for event in events {
            self.on_stream_event(event);
        }
        let ids: Vec<_> = self.sessions.keys().copied().collect();
        for id in ids {
            let now = self.now();
            self.sessions.get_mut(&id).unwrap().handle_timeout(now);
            self.after(id, &[]);
        }
    }

    fn on_stream_event(&mut self, event: StreamEvent) {
        let now = self.now();
        match event {
            StreamEvent::Accepted { connection, .. } => {
                self.sessions.insert(connection, Session::new(Role::Passive, self.config.clone(), now));
            }
            StreamEvent::Connected(connection) => {
                self.sessions.insert(connection, Session::new(Role::Active, self.config.clone(), now));
            }
            StreamEvent::Data { connection, octets } => {
                self.stream.push((false, octets.clone()));
                let consumed = self.sessions.get_mut(&connection).unwrap().handle_bytes(now, &octets);
                self.after(connection, &octets[consumed..]);
            }
            StreamEvent::Secured { connection, peer } => {
                let address = self.ports.peer_address(connection).unwrap().ip();
                let network = match peer.network_identity(None, address) {
                    NetworkMatch::Absent => Authentication::Absent,
                    NetworkMatch::Success => Authentication::Success,
                    NetworkMatch::Failure => Authentication::Failure,
                };
                let peer = TlsPeer { bundle_eids: peer.bundle_eids, network };
                self.sessions.get_mut(&connection).unwrap().tls_established(now, peer);
            }
            StreamEvent::Closed { connection, .. } => {
                self.closed.push(event);
                if let Some(session) = self.sessions.get_mut(&connection) {
                    session.handle_closed(now);
                }
            }
            StreamEvent::Writable(_) => {}
            other => panic!("{other:?}"),
        }
    }

    /// Events, then octets; `early` belong to TLS if it starts now.
    fn after(&mut self, id: ConnectionId, early: &[u8]) {
        let now = self.now();
        let mut ended = false;
        let mut events = VecDeque::new();
        let session = self.sessions.get_mut(&id).unwrap();
        while let Some(event) = session.poll_event() {
            match &event {
                Event::Received { transfer, .. } => session.accept(*transfer).unwrap(),
                Event::Ended(_) => ended = true,
                _ => {}
            }
            events.push_back(event);
        }
        while let Some(octets) = session.poll_transmit(now, self.ports.room(id)) {
            assert_eq!(self.ports.write(id, &octets), octets.len());
            self.stream.push((true, octets));
        }
        if events.contains(&Event::StartTls) {
            let role = match self.listener {
                Some(_) => TlsRole::Server,
                None => TlsRole::Client { server_name: None },
            };
            self.ports.start_tls(id, role, self.tls.as_ref().unwrap(), early).unwrap();
        } else {
            assert!(early.is_empty());
        }
        self.events.extend(events);
        if ended {
            self.ports.close(id);
            self.sessions.remove(&id);
        }
    }

    pub fn session(&mut self) -> &mut Session {
        self.sessions.values_mut().next().expect("a session")
    }

    pub fn received(&self) -> Vec<Bytes> {
        let data = |event: &Event| match event {
            Event::Received { data, .. } => Some(data.clone()),
            _ => None,
        };
        self.events.iter().filter_map(data).collect()
    }
}

/// Turns both nodes until the condition holds.
pub fn until(a: &mut Node, b: &mut Node, what: &str, holds: impl Fn(&Node, &Node) -> bool) {
    let start = Instant::now();
    while !holds(a, b) {
        assert!(start.elapsed() < PATIENCE, "{what}: {:#?}\n{:#?}", a.events, b.events);
        a.turn();
        b.turn();
    }
}
