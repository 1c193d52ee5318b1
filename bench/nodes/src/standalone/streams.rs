//! The layers over streams: TCPCL, STCP and MTCP, with the connections that they are on.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use farlink_ports::tcp::{ConnectionId, ListenError, ListenerId, StreamEvent, StreamPorts, TcpAddress};
use farlink_ports::tls::{TlsRole, TlsSettings};
use farlink_units::{Duration, Instant};

use super::outbound::{Dial, FIRST_PAUSE, LONGEST_PAUSE};
use super::sessions::{Connection, Terms};
use super::setup::{Link, Listener, Secured};
use crate::builtin::BuiltinNode;

/// Bundles that are given to a stream before it has taken the ones before.
pub(super) const AHEAD: usize = 4;

/// What [`StreamLayers`] asks of streams. [`StreamPorts`] are those of the system; what happens on them is a [`StreamEvent`].
pub trait Streams {
    /// Listens for peers.
    ///
    /// # Errors
    /// The address cannot be had.
    fn listen(&mut self, address: TcpAddress) -> Result<ListenerId, ListenError>;

    /// The address that is listened to.
    fn listening_address(&self, listener: ListenerId) -> Option<TcpAddress>;

    /// Begins to connect. [`StreamEvent::Connected`] or [`StreamEvent::ConnectFailed`] follows.
    fn connect(&mut self, to: TcpAddress) -> ConnectionId;

    /// The peer's address.
    fn peer_address(&self, connection: ConnectionId) -> Option<SocketAddr>;

    /// Begins a TLS handshake. `early` are octets of the peer that have been read and belong to TLS.
    ///
    /// # Errors
    /// The settings cannot be used, in words.
    fn start_tls(
        &mut self,
        connection: ConnectionId,
        role: TlsRole,
        settings: &TlsSettings,
        early: &[u8],
    ) -> Result<(), String>;

    /// Octets that [`Streams::write`] would take now.
    fn room(&self, connection: ConnectionId) -> usize;

    /// Takes as many of these octets as there is room for and tells how many. If not all, or if there is no room afterwards,
    /// [`StreamEvent::Writable`] follows.
    fn write(&mut self, connection: ConnectionId, octets: &[u8]) -> usize;

    /// Whether to read from a connection.
    fn set_reading(&mut self, connection: ConnectionId, reading: bool);

    /// Closes a connection after what was written has gone out. No event of it follows.
    fn close(&mut self, connection: ConnectionId);

    /// Drops a connection at once. No event of it follows.
    fn abort(&mut self, connection: ConnectionId);
}

impl Streams for StreamPorts {
    fn listen(&mut self, address: TcpAddress) -> Result<ListenerId, ListenError> {
        StreamPorts::listen(self, address)
    }

    fn listening_address(&self, listener: ListenerId) -> Option<TcpAddress> {
        StreamPorts::listening_address(self, listener)
    }

    fn connect(&mut self, to: TcpAddress) -> ConnectionId {
        StreamPorts::connect(self, to)
    }

    fn peer_address(&self, connection: ConnectionId) -> Option<SocketAddr> {
        StreamPorts::peer_address(self, connection)
    }

    fn start_tls(
        &mut self,
        connection: ConnectionId,
        role: TlsRole,
        settings: &TlsSettings,
        early: &[u8],
    ) -> Result<(), String> {
        StreamPorts::start_tls(self, connection, role, settings, early)
    }

    fn room(&self, connection: ConnectionId) -> usize {
        StreamPorts::room(self, connection)
    }

    fn write(&mut self, connection: ConnectionId, octets: &[u8]) -> usize {
        StreamPorts::write(self, connection, octets)
    }

    fn set_reading(&mut self, connection: ConnectionId, reading: bool) {
        StreamPorts::set_reading(self, connection, reading);
    }

    fn close(&mut self, connection: ConnectionId) {
        StreamPorts::close(self, connection);
    }

    fn abort(&mut self, connection: ConnectionId) {
        StreamPorts::abort(self, connection);
    }
}

/// TCPCL, STCP and MTCP of a node over [`Streams`]. The owner tells the time and passes the events of the streams on.
#[derive(Debug)]
pub struct StreamLayers<S> {
    pub(super) ports: S,
    listeners: BTreeMap<ListenerId, ListenerKind>,
    pub(super) links: Vec<LinkState>,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) opportunistic: bool,
    /// Transfers of TCPCL whose bundles are in the agent but not yet on the disk.
    pub(super) to_accept: Vec<(ConnectionId, u64)>,
    /// The first and the longest pause before dialling again.
    pub(super) pauses: (Duration, Duration),
    lines: Vec<String>,
}

#[derive(Debug)]
enum ListenerKind {
    Tcpcl(Option<Secured>),
    Stcp,
    Mtcp,
}

/// A neighbour by a stream layer, and the connection to it.
#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) link: Link,
    pub(super) dial: Dial,
    /// The contact that was given up for want of a connection.
    pub(super) failed_contact: Option<Instant>,
}

impl<S: Streams> StreamLayers<S> {
    /// Opens the listeners that are of streams, and takes the links; those over datagrams are let be. Nodes that are no
    /// neighbours may connect if it is `opportunistic`.
    ///
    /// # Errors
    /// An address cannot be had.
    pub fn new(
        mut ports: S,
        listeners: Vec<Listener>,
        links: Vec<Link>,
        opportunistic: bool,
    ) -> Result<Self, ListenError> {
        let mut kinds = BTreeMap::new();
        for listener in listeners {
            let (address, kind) = match listener {
                Listener::Tcpcl { address, tls } => (address, ListenerKind::Tcpcl(tls)),
                Listener::Stcp(address) => (address, ListenerKind::Stcp),
                Listener::Mtcp(address) => (address, ListenerKind::Mtcp),
                Listener::Udp(_) => continue,
            };
            kinds.insert(ports.listen(address)?, kind);
        }
        let links = links.into_iter().map(|link| LinkState { link, dial: Dial::default(), failed_contact: None });
        Ok(StreamLayers {
            ports,
            listeners: kinds,
            links: links.collect(),
            connections: BTreeMap::new(),
            opportunistic,
            to_accept: Vec::new(),
            pauses: (FIRST_PAUSE, LONGEST_PAUSE),
            lines: Vec::new(),
        })
    }

    /// Sets the first and the longest pause before a connection is tried again.
    pub fn set_pauses(&mut self, first: Duration, longest: Duration) {
        self.pauses = (first, longest);
    }

    /// The streams.
    pub fn streams(&mut self) -> &mut S {
        &mut self.ports
    }

    /// Every address that is listened to, and the layer that does.
    pub fn listening(&self) -> impl Iterator<Item = (TcpAddress, &'static str)> {
        self.listeners.iter().filter_map(|(listener, kind)| {
            let layer = match kind {
                ListenerKind::Tcpcl(_) => "tcpcl",
                ListenerKind::Stcp => "stcp",
                ListenerKind::Mtcp => "mtcp",
            };
            Some((self.ports.listening_address(*listener)?, layer))
        })
    }

    /// Whether no transfer is under way.
    pub fn is_quiet(&self) -> bool {
        self.connections.values().all(Connection::is_quiet)
    }

    /// Connections that are open.
    pub fn open_connections(&self) -> usize {
        self.connections.len()
    }

    /// Ends sessions in order, and closes other connections.
    pub fn close(&mut self, now: Instant, node: &mut BuiltinNode) {
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for connection in all {
            self.end_session(now, node, connection);
        }
    }

    /// When [`StreamLayers::handle_timeout`] and [`StreamLayers::dial`] are to be called next.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        [self.session_timeout(), self.next_dial(now)].into_iter().flatten().min()
    }

    /// Acknowledges transfers that the agent has taken. What it has to keep is durable now.
    pub fn accept_transfers(&mut self, now: Instant, node: &mut BuiltinNode) {
        for (connection, transfer) in std::mem::take(&mut self.to_accept) {
            self.accept_transfer(now, node, connection, transfer);
        }
    }

    /// What there is to tell a person.
    pub fn take_lines(&mut self) -> impl Iterator<Item = String> + use<S> {
        std::mem::take(&mut self.lines).into_iter()
    }

    pub(super) fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Something has happened on the streams.
    pub fn handle_event(&mut self, now: Instant, node: &mut BuiltinNode, event: StreamEvent) {
        match event {
            StreamEvent::Accepted { listener, connection, peer } => {
                let here = node.node_id().clone();
                let accepted = match self.listeners.get(&listener) {
                    Some(ListenerKind::Tcpcl(tls)) => {
                        let terms = Terms { link: None, tls: tls.clone(), keepalive_s: 30, segment: 1 << 16 };
                        Connection::tcpcl(now, &here, terms, peer)
                    }
                    Some(ListenerKind::Stcp) => Connection::stcp_in(peer),
                    Some(ListenerKind::Mtcp) => Connection::mtcp_in(peer),
                    None => return self.ports.abort(connection),
                };
                self.connections.insert(connection, accepted);
                self.after_session_call(now, node, connection);
            }
            StreamEvent::Connected(connection) => self.dialled(now, node, connection),
            StreamEvent::ConnectFailed { connection, reason } => {
                if let Some(link) = self.link_of_dial(connection) {
                    let neighbour = &self.links[link].link.node;
                    let line = format!("no connection to {neighbour}: {reason}");
                    if self.links[link].dial.failed(now, self.pauses) {
                        self.line(line);
                    }
                }
            }
            StreamEvent::Data { connection, octets } => self.stream_data(now, node, connection, &octets),
            StreamEvent::Secured { connection, peer } => self.secured(now, node, connection, &peer),
            StreamEvent::Writable(connection) => self.after_session_call(now, node, connection),
            StreamEvent::Closed { connection, reason } => {
                self.stream_closed(now, node, connection, &reason.to_string());
            }
            StreamEvent::Readable { .. } | StreamEvent::Woken => {}
        }
    }
}
