//! TCPCL sessions (RFC 9174), and streams that bring bundles over STCP and MTCP.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use farlink_engine::bp::{Failure, Handle, Refusal};
use farlink_engine::tcpcl::{self, Authentication, Event, NodeIdPolicy, Role, SendError, Session, TlsPeer, TlsPolicy};
use farlink_ports::tcp::ConnectionId;
use farlink_ports::tls::{NetworkMatch, PeerCertificate, TlsRole};
use farlink_units::Instant;
use farlink_wire::bpv7::Eid;
use farlink_wire::tcpcl::{RefuseReason, TermReason};
use farlink_wire::{mtcp, stcp};

use super::outbound::Stream;
use super::setup::{STRANGER, Secured};
use super::streams::{AHEAD, LinkState, StreamLayers, Streams};
use crate::builtin::BuiltinNode;

/// Longest bundle that is taken from STCP and MTCP, in octets.
const LONGEST_BUNDLE: u64 = 1 << 30;

/// What a connection is for.
#[derive(Debug)]
pub(super) enum Connection {
    Tcpcl(Box<Tcpcl>),
    StcpIn(stcp::Deframer, SocketAddr),
    MtcpIn(mtcp::Deframer, SocketAddr),
    Out(Stream),
}

/// How a session is to be.
#[derive(Debug)]
pub(super) struct Terms {
    /// The neighbour that was dialled.
    pub(super) link: Option<usize>,
    pub(super) tls: Option<Secured>,
    pub(super) keepalive_s: u16,
    pub(super) segment: u64,
}

#[derive(Debug)]
pub(super) struct Tcpcl {
    session: Session,
    terms: Terms,
    /// How the peer is called until it has told its node ID.
    whom: String,
    peer: Option<Eid>,
    /// Whether the agent was told of the peer as an opportunity.
    found: bool,
    /// Octets that came with the last of the clear text, for TLS.
    early: Bytes,
}

impl Connection {
    pub(super) fn tcpcl(now: Instant, here: &Eid, terms: Terms, peer: SocketAddr) -> Self {
        let config = config(here, &terms);
        let session = Session::new(Role::Passive, config, now);
        Connection::Tcpcl(Box::new(Tcpcl {
            session,
            terms,
            whom: format!("tcp:{peer}"),
            peer: None,
            found: false,
            early: Bytes::new(),
        }))
    }

    pub(super) fn tcpcl_to(now: Instant, here: &Eid, peer: &Eid, terms: Terms) -> Self {
        let config = tcpcl::Config { expected_peer: Some(peer.clone()), ..config(here, &terms) };
        let session = Session::new(Role::Active, config, now);
        Connection::Tcpcl(Box::new(Tcpcl {
            session,
            terms,
            whom: peer.to_string(),
            peer: None,
            found: false,
            early: Bytes::new(),
        }))
    }

    pub(super) fn stcp_in(peer: SocketAddr) -> Self {
        Connection::StcpIn(stcp::Deframer::new(LONGEST_BUNDLE), peer)
    }

    pub(super) fn mtcp_in(peer: SocketAddr) -> Self {
        Connection::MtcpIn(mtcp::Deframer::new(LONGEST_BUNDLE), peer)
    }

    pub(super) fn is_quiet(&self) -> bool {
        match self {
            Connection::Tcpcl(tcpcl) => tcpcl.session.queued() == 0,
            Connection::Out(stream) => stream.is_quiet(),
            Connection::StcpIn(deframer, _) => deframer.is_between_bundles(),
            Connection::MtcpIn(deframer, _) => deframer.is_between_bundles(),
        }
    }
}

fn config(here: &Eid, terms: &Terms) -> tcpcl::Config {
    let tls = match &terms.tls {
        None => TlsPolicy::Forbid,
        Some(Secured { require: true, .. }) => TlsPolicy::Require,
        Some(_) => TlsPolicy::Allow,
    };
    // As RFC 9174 section 4.4.5 recommends: the node ID must be proven, and names of the network do not matter. A peer who is
    // expected to have one may do without a NODE-ID, and so may everybody where there need not be a certificate at all.
    let name = terms.tls.as_ref().and_then(|tls| tls.name.as_ref());
    let node_id_policy = match (tls, name) {
        (TlsPolicy::Require, None) => NodeIdPolicy::RequireNodeId,
        _ => NodeIdPolicy::Opportunistic,
    };
    tcpcl::Config {
        tls,
        node_id_policy,
        require_network_id: name.is_some(),
        keepalive_s: terms.keepalive_s,
        max_segment: terms.segment,
        ..tcpcl::Config::new(here.clone())
    }
}

impl<S: Streams> StreamLayers<S> {
    /// Does what is due in sessions.
    pub fn handle_timeout(&mut self, now: Instant, node: &mut BuiltinNode) {
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for connection in all {
            if let Some(tcpcl) = self.tcpcl(connection)
                && tcpcl.session.poll_timeout().is_some_and(|at| at <= now)
            {
                tcpcl.session.handle_timeout(now);
                self.after_session_call(now, node, connection);
            }
        }
    }

    pub(super) fn session_timeout(&self) -> Option<Instant> {
        let timeouts = self.connections.values().filter_map(|c| match c {
            Connection::Tcpcl(tcpcl) => tcpcl.session.poll_timeout(),
            _ => None,
        });
        timeouts.min()
    }

    fn tcpcl(&mut self, connection: ConnectionId) -> Option<&mut Tcpcl> {
        match self.connections.get_mut(&connection) {
            Some(Connection::Tcpcl(tcpcl)) => Some(tcpcl),
            _ => None,
        }
    }

    pub(super) fn end_session(&mut self, now: Instant, node: &mut BuiltinNode, connection: ConnectionId) {
        match self.connections.get_mut(&connection) {
            Some(Connection::Tcpcl(tcpcl)) => {
                tcpcl.session.terminate(now, TermReason::Unknown);
                self.after_session_call(now, node, connection);
            }
            Some(_) => {
                self.ports.close(connection);
                self.connections.remove(&connection);
            }
            None => {}
        }
    }

    /// Whether bundles for a node can go over a session or stream that is up.
    pub(super) fn is_connected_to(&self, node: &Eid) -> bool {
        self.connections.values().any(|c| match c {
            Connection::Tcpcl(tcpcl) => tcpcl.peer.as_ref() == Some(node),
            Connection::Out(stream) => self.links[stream.link].link.node == *node,
            _ => false,
        })
    }

    pub(super) fn accept_transfer(
        &mut self,
        now: Instant,
        node: &mut BuiltinNode,
        connection: ConnectionId,
        transfer: u64,
    ) {
        if let Some(tcpcl) = self.tcpcl(connection) {
            // A session that has ended meanwhile waits for no decision: the peer sends the bundle again, and it is known.
            let _ = tcpcl.session.accept(transfer);
            self.after_session_call(now, node, connection);
        }
    }

    pub(super) fn stream_data(
        &mut self,
        now: Instant,
        node: &mut BuiltinNode,
        connection: ConnectionId,
        octets: &Bytes,
    ) {
        let outcome = match self.connections.get_mut(&connection) {
            Some(Connection::Tcpcl(tcpcl)) => {
                let consumed = tcpcl.session.handle_bytes(now, octets);
                tcpcl.early = octets.slice(consumed..);
                return self.after_session_call(now, node, connection);
            }
            Some(Connection::StcpIn(deframer, peer)) => {
                let (mut bundles, mut rest) = (Vec::new(), &octets[..]);
                let ended = read_all(|| deframer.read(&mut rest), &mut bundles);
                (bundles, ended.map(|error| format!("stcp from tcp:{peer}: {error}")))
            }
            Some(Connection::MtcpIn(deframer, peer)) => {
                let (mut bundles, mut rest) = (Vec::new(), &octets[..]);
                let ended = read_all(|| deframer.read(&mut rest), &mut bundles);
                (bundles, ended.map(|error| format!("mtcp from tcp:{peer}: {error}")))
            }
            // Nobody speaks on a stream that goes the other way.
            Some(Connection::Out(_)) | None => return,
        };
        let (bundles, wrong) = outcome;
        for bundle in bundles {
            // Nobody can be told that it found no room; the agent deletes it, and reports that.
            let _ = node.receive(now, &Eid::None, &bundle.into(), Refusal::Impossible);
        }
        if let Some(wrong) = wrong {
            self.line(wrong);
            self.ports.abort(connection);
            self.connections.remove(&connection);
        }
    }

    pub(super) fn secured(
        &mut self,
        now: Instant,
        node: &mut BuiltinNode,
        connection: ConnectionId,
        certificate: &PeerCertificate,
    ) {
        let address = self.ports.peer_address(connection).map(|a| a.ip());
        let Some(tcpcl) = self.tcpcl(connection) else { return };
        let name = tcpcl.terms.tls.as_ref().and_then(|t| t.name.as_deref());
        let peer =
            TlsPeer { bundle_eids: certificate.bundle_eids.clone(), network: network(certificate, name, address) };
        tcpcl.session.tls_established(now, peer);
        self.after_session_call(now, node, connection);
    }

    pub(super) fn stream_closed(
        &mut self,
        now: Instant,
        node: &mut BuiltinNode,
        connection: ConnectionId,
        reason: &str,
    ) {
        match self.connections.get_mut(&connection) {
            Some(Connection::Tcpcl(tcpcl)) => {
                tcpcl.session.handle_closed(now);
                self.after_session_call(now, node, connection);
            }
            Some(Connection::Out(stream)) => {
                let (link, lost): (usize, Vec<Handle>) = (stream.link, stream.waiting().collect());
                let line = format!("connection to {}: {reason}", self.links[link].link.node);
                self.line(line);
                for handle in lost {
                    node.forwarding_failed(now, handle, Failure::Link);
                }
                self.hung_up(now, link);
                self.ports.close(connection);
                self.connections.remove(&connection);
            }
            Some(_) => {
                self.ports.close(connection);
                self.connections.remove(&connection);
            }
            None => {}
        }
    }

    /// What follows each call of a session: its events, its octets, and whether to read on.
    pub(super) fn after_session_call(&mut self, now: Instant, node: &mut BuiltinNode, connection: ConnectionId) {
        loop {
            self.flush(now, connection);
            let Some(event) = self.tcpcl(connection).and_then(|t| t.session.poll_event()) else { break };
            if let Event::Ended(end) = event {
                self.flush(now, connection);
                self.session_over(now, node, connection, &end.to_string());
                return;
            }
            self.session_event(now, node, connection, event);
        }
        if let Some(tcpcl) = self.tcpcl(connection) {
            let reads = tcpcl.session.wants_input();
            self.ports.set_reading(connection, reads);
        }
    }

    fn flush(&mut self, now: Instant, connection: ConnectionId) {
        let Some(Connection::Tcpcl(tcpcl)) = self.connections.get_mut(&connection) else { return };
        loop {
            let room = self.ports.room(connection);
            if room == 0 {
                // Asks to be told when there is room again.
                self.ports.write(connection, &[]);
                return;
            }
            let Some(octets) = tcpcl.session.poll_transmit(now, room) else { return };
            self.ports.write(connection, &octets);
        }
    }

    fn session_event(&mut self, now: Instant, node: &mut BuiltinNode, connection: ConnectionId, event: Event) {
        let Some(tcpcl) = self.tcpcl(connection) else { return };
        let whom = tcpcl.whom.clone();
        match event {
            Event::StartTls => self.start_tls(now, connection),
            Event::Established(terms) => self.established(now, node, connection, &terms),
            Event::Received { transfer, data } => {
                let from = tcpcl.peer.clone().unwrap_or(Eid::None);
                if node.receive(now, &from, &data, Refusal::Possible).is_ok() {
                    self.to_accept.push((connection, transfer));
                } else if let Some(tcpcl) = self.tcpcl(connection) {
                    let _ = tcpcl.session.refuse(transfer, RefuseReason::NoResources);
                }
            }
            Event::Acknowledged { tag } => node.forwarded(now, Handle(tag)),
            Event::Refused { tag, reason, .. } => match failure(reason) {
                Some(failure) => {
                    self.line(format!("{whom} refuses a bundle: {reason:?}"));
                    node.forwarding_failed(now, Handle(tag), failure);
                }
                None => node.forwarded(now, Handle(tag)),
            },
            Event::Failed { tag, .. } => node.forwarding_failed(now, Handle(tag), Failure::Link),
            Event::ReceptionFailed { transfer, received } => {
                self.line(format!("transfer {transfer} from {whom} broke off after {received} octets"));
            }
            Event::Rejected(reject) => self.line(format!("{whom} rejects a message: {reject:?}")),
            Event::Ending { cause, .. } => self.line(format!("the session with {whom} is ending: {cause}")),
            Event::Ended(_) => {}
        }
    }

    fn start_tls(&mut self, now: Instant, connection: ConnectionId) {
        let Some(tcpcl) = self.tcpcl(connection) else { return };
        let early = std::mem::take(&mut tcpcl.early);
        let Some(secured) = tcpcl.terms.tls.clone() else { return };
        let role = match tcpcl.terms.link {
            Some(_) => TlsRole::Client { server_name: secured.name.clone() },
            None => TlsRole::Server,
        };
        if let Err(why) = self.ports.start_tls(connection, role, &secured.settings, &early) {
            self.line(format!("no TLS: {why}"));
            if let Some(tcpcl) = self.tcpcl(connection) {
                tcpcl.session.handle_closed(now);
            }
        }
    }

    fn established(
        &mut self,
        now: Instant,
        node: &mut BuiltinNode,
        connection: ConnectionId,
        terms: &tcpcl::Established,
    ) {
        let configured = |peer: &Eid, links: &[LinkState]| links.iter().any(|state| state.link.node == *peer);
        let Some(peer) = terms.peer.clone() else {
            let whom = self.tcpcl(connection).map(|t| t.whom.clone()).unwrap_or_default();
            return self.line(format!("session with {whom}, which tells no node ID: it can only send"));
        };
        let known = configured(&peer, &self.links);
        if !known && !self.opportunistic {
            self.line(format!("{peer} is no neighbour of this node: the session is ended"));
            return self.end_session(now, node, connection);
        }
        let secured = if terms.tls { ", secured by TLS" } else { "" };
        self.line(format!("session with {peer}{secured}"));
        node.set_longest_bundle(&peer, usize::try_from(terms.transfer_mtu).unwrap_or(usize::MAX));
        let first = !self.is_connected_to(&peer);
        let mut found = false;
        if !known && first {
            match node.neighbour_found(now, STRANGER, &peer) {
                Ok(()) => found = true,
                Err(error) => self.line(format!("nothing can be sent to {peer}: {error}")),
            }
        }
        let Some(tcpcl) = self.tcpcl(connection) else { return };
        tcpcl.whom = peer.to_string();
        tcpcl.peer = Some(peer);
        tcpcl.found = found;
        if let Some(link) = tcpcl.terms.link {
            self.links[link].dial.proven();
        }
    }

    fn session_over(&mut self, now: Instant, node: &mut BuiltinNode, connection: ConnectionId, end: &str) {
        let Some(Connection::Tcpcl(over)) = self.connections.remove(&connection) else { return };
        self.ports.close(connection);
        self.line(format!("session with {} over: {end}", over.whom));
        if let (Some(peer), true) = (&over.peer, over.found)
            && !self.is_connected_to(peer)
        {
            node.neighbour_lost(now, peer);
        }
        if let Some(link) = over.terms.link {
            self.hung_up(now, link);
        }
    }

    /// Gives a session bundles for its peer, as long as the contact with it is open.
    pub(super) fn send_tcpcl(&mut self, now: Instant, node: &mut BuiltinNode, connection: ConnectionId) {
        let Some(Connection::Tcpcl(tcpcl)) = self.connections.get_mut(&connection) else { return };
        let Some(peer) = tcpcl.peer.clone() else { return };
        let link = self.links.iter().find(|state| state.link.node == peer);
        if tcpcl.session.is_ending() || link.is_some_and(|state| state.link.open.open_at(now).is_none()) {
            return;
        }
        let mut failed = Vec::new();
        while tcpcl.session.queued() < AHEAD {
            let Some(outgoing) = node.poll_forward(now, &peer) else { break };
            if let Err(error) = tcpcl.session.send(outgoing.handle.0, outgoing.block) {
                let failure = match error {
                    SendError::TooLong { .. } => Failure::Rejected,
                    SendError::QueueFull { .. } => Failure::NoResources,
                    SendError::NotEstablished | SendError::Ending | SendError::Empty => Failure::Link,
                };
                failed.push((outgoing.handle, failure));
                break;
            }
        }
        for (handle, failure) in failed {
            node.forwarding_failed(now, handle, failure);
        }
        self.after_session_call(now, node, connection);
    }
}

/// Reads bundles until there is none, or until something is wrong.
fn read_all<E>(mut read: impl FnMut() -> Result<Option<Vec<u8>>, E>, bundles: &mut Vec<Vec<u8>>) -> Option<E> {
    loop {
        match read() {
            Ok(Some(bundle)) => bundles.push(bundle),
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

/// Whether the peer has the name that is expected of it; without one, neither names nor addresses matter.
fn network(certificate: &PeerCertificate, name: Option<&str>, address: Option<IpAddr>) -> Authentication {
    let (Some(name), Some(address)) = (name, address) else { return Authentication::Absent };
    match certificate.network_identity(Some(name), address) {
        NetworkMatch::Absent => Authentication::Absent,
        NetworkMatch::Success => Authentication::Success,
        NetworkMatch::Failure => Authentication::Failure,
    }
}

/// What a refusal says about the neighbour; `None` if it has the bundle already.
fn failure(reason: RefuseReason) -> Option<Failure> {
    match reason {
        RefuseReason::Completed => None,
        RefuseReason::NoResources => Some(Failure::NoResources),
        RefuseReason::Retransmit | RefuseReason::SessionTerminating => Some(Failure::Link),
        _ => Some(Failure::Rejected),
    }
}
