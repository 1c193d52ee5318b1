//! Connections that this node makes: when to dial, and bundles over STCP and MTCP, which go one way only.

use std::collections::VecDeque;

use bytes::Bytes;
use farlink_engine::bp::{Failure, Handle};
use farlink_engine::ltp::Block;
use farlink_ports::tcp::{ConnectionId, WRITE_BUFFER};
use farlink_units::{Duration, Instant};
use farlink_wire::{mtcp, stcp};

use super::sessions::{Connection, Terms};
use super::setup::LinkLayer;
use super::streams::{AHEAD, StreamLayers, Streams};
use crate::builtin::BuiltinNode;

/// The first pause before dialling again.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before dialling again (RFC 9174 section 4.1).
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a planned contact may be without a connection before bundles take another way.
const CONTACT_PATIENCE: Duration = Duration::from_secs(5);

/// How soon to look whether the system has taken what was written.
const FLUSH_LOOK: Duration = Duration::from_millis(1);

/// The connection to a neighbour that this node dials.
#[derive(Debug, Default)]
pub(super) struct Dial {
    connection: Option<ConnectionId>,
    retry_at: Option<Instant>,
    pause: Option<Duration>,
}

impl Dial {
    /// It did not come up. Returns whether that is news.
    pub(super) fn failed(&mut self, now: Instant, pauses: (Duration, Duration)) -> bool {
        self.connection = None;
        let news = self.pause.is_none();
        let pause = self.pause.map_or(pauses.0, |p| (p + p).min(pauses.1));
        self.pause = Some(pause);
        self.retry_at = Some(now + pause);
        news
    }

    /// It is up and of use: the next failure is a new one.
    pub(super) fn proven(&mut self) {
        self.pause = None;
    }
}

/// How bundles are told apart in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Stcp,
    Mtcp,
}

impl Framing {
    fn head(self, length: usize) -> Option<Vec<u8>> {
        match self {
            Framing::Stcp => stcp::preamble(length).map(|head| head.to_vec()),
            Framing::Mtcp => Some(mtcp::head(length)),
        }
    }
}

/// Bundles on their way into a stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) link: usize,
    framing: Framing,
    pieces: VecDeque<Bytes>,
    /// Bundles, and how many octets of the stream have been written when each is.
    bundles: VecDeque<(Handle, u64)>,
    queued: u64,
    written: u64,
}

impl Stream {
    pub(super) fn new(link: usize, framing: Framing) -> Self {
        Stream { link, framing, pieces: VecDeque::new(), bundles: VecDeque::new(), queued: 0, written: 0 }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.bundles.is_empty()
    }

    pub(super) fn waiting(&mut self) -> impl Iterator<Item = Handle> {
        self.bundles.drain(..).map(|(handle, _)| handle)
    }

    /// `false` if the framing has no room for such a length.
    fn push(&mut self, handle: Handle, bundle: &Block) -> bool {
        let Some(head) = usize::try_from(bundle.len()).ok().and_then(|length| self.framing.head(length)) else {
            return false;
        };
        self.queued += head.len() as u64 + bundle.len();
        self.pieces.push_back(head.into());
        self.pieces.extend(bundle.pieces().iter().cloned());
        self.bundles.push_back((handle, self.queued));
        true
    }

    fn write(&mut self, ports: &mut impl Streams, connection: ConnectionId) {
        while let Some(piece) = self.pieces.front_mut() {
            let taken = ports.write(connection, piece);
            self.written += taken as u64;
            if taken < piece.len() {
                *piece = piece.slice(taken..);
                return;
            }
            self.pieces.pop_front();
        }
    }

    /// Bundles of which the system has taken every octet. No layer tells more.
    fn gone(&mut self, waiting_octets: u64) -> Vec<Handle> {
        let out = self.written.saturating_sub(waiting_octets);
        let count = self.bundles.iter().take_while(|(_, end)| *end <= out).count();
        self.bundles.drain(..count).map(|(handle, _)| handle).collect()
    }
}

impl<S: Streams> StreamLayers<S> {
    pub(super) fn link_of_dial(&self, connection: ConnectionId) -> Option<usize> {
        self.links.iter().position(|l| l.dial.connection == Some(connection))
    }

    /// Makes the connections that are wanted, and gives up contacts that stay without one.
    pub fn dial(&mut self, now: Instant, node: &mut BuiltinNode) {
        for index in 0..self.links.len() {
            let state = &self.links[index];
            let (to, always) = match state.link.layer {
                LinkLayer::Tcpcl { to, .. } => (to, true),
                LinkLayer::Stcp(to) | LinkLayer::Mtcp(to) => (Some(to), false),
                LinkLayer::Udp { .. } => continue,
            };
            let neighbour = state.link.node.clone();
            let window = state.link.open.open_at(now).map(|w| w.start);
            let may_dial = state.dial.connection.is_none() && state.dial.retry_at.is_none_or(|at| at <= now);
            if let (Some(to), Some(_), true) = (to, window, may_dial)
                && (always || node.has_queued(&neighbour))
            {
                self.links[index].dial.connection = Some(self.ports.connect(to));
            }
            let state = &self.links[index];
            if let Some(start) = window.filter(|start| state.link.planned && now - *start > CONTACT_PATIENCE)
                && state.failed_contact != Some(start)
                && !self.is_connected_to(&neighbour)
                && (always || state.dial.pause.is_some())
            {
                self.links[index].failed_contact = Some(start);
                if node.contact_failed(now, &neighbour) {
                    self.line(format!("the contact with {neighbour} does not happen: there is no connection"));
                }
            }
        }
    }

    /// When a connection is to be tried again, or a contact begins.
    pub(super) fn next_dial(&self, now: Instant) -> Option<Instant> {
        let retries = self.links.iter().filter_map(|l| l.dial.retry_at).filter(|at| *at > now);
        let edges = self.links.iter().filter_map(|l| l.link.open.next_edge(now));
        retries.chain(edges).min()
    }

    /// A connection that this node made is up.
    pub(super) fn dialled(&mut self, now: Instant, node: &mut BuiltinNode, connection: ConnectionId) {
        let Some(index) = self.link_of_dial(connection) else { return self.ports.abort(connection) };
        let state = &mut self.links[index];
        state.dial.retry_at = None;
        let made = match &state.link.layer {
            LinkLayer::Tcpcl { keepalive_s, segment, tls, .. } => {
                let terms = Terms { link: Some(index), tls: tls.clone(), keepalive_s: *keepalive_s, segment: *segment };
                let peer = state.link.node.clone();
                Connection::tcpcl_to(now, node.node_id(), &peer, terms)
            }
            LinkLayer::Stcp(_) => Connection::Out(Stream::new(index, Framing::Stcp)),
            LinkLayer::Mtcp(_) => Connection::Out(Stream::new(index, Framing::Mtcp)),
            LinkLayer::Udp { .. } => return self.ports.abort(connection),
        };
        if let Connection::Out(_) = made {
            state.dial.proven();
            let line = format!("connected to {}", state.link.node);
            self.line(line);
        }
        self.connections.insert(connection, made);
        self.after_session_call(now, node, connection);
    }

    /// A connection that this node made is over.
    pub(super) fn hung_up(&mut self, now: Instant, link: usize) {
        self.links[link].dial.failed(now, self.pauses);
    }

    /// Gives bundles to every connection that can take some; returns when to look again.
    pub fn send(&mut self, now: Instant, node: &mut BuiltinNode) -> Instant {
        let mut next = Instant::MAX;
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for connection in all {
            match self.connections.get_mut(&connection) {
                Some(Connection::Out(_)) => next = next.min(self.send_one_way(now, node, connection)),
                Some(Connection::Tcpcl(_)) => self.send_tcpcl(now, node, connection),
                _ => {}
            }
        }
        next
    }

    fn send_one_way(&mut self, now: Instant, node: &mut BuiltinNode, connection: ConnectionId) -> Instant {
        let Some(Connection::Out(stream)) = self.connections.get_mut(&connection) else { return Instant::MAX };
        let link = &self.links[stream.link].link;
        let mut refused = Vec::new();
        while link.open.open_at(now).is_some() && stream.bundles.len() < AHEAD {
            let Some(outgoing) = node.poll_forward(now, &link.node) else { break };
            if !stream.push(outgoing.handle, &outgoing.block) {
                refused.push(outgoing.handle);
            }
        }
        stream.write(&mut self.ports, connection);
        let waiting = WRITE_BUFFER.saturating_sub(self.ports.room(connection)) as u64;
        let gone = stream.gone(waiting);
        let waits = !stream.is_quiet();
        for handle in gone {
            node.forwarded(now, handle);
        }
        for handle in refused {
            node.forwarding_failed(now, handle, Failure::Rejected);
        }
        if waits { now + FLUSH_LOOK } else { Instant::MAX }
    }
}
