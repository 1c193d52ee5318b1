//! Streams between the simulated node and the tester: what TCP does, one light time away.
//!
//! A connection takes a handshake of three legs, octets arrive in order, FIN and RST do what they do, and what is not read holds
//! the sender up. Nothing is lost.

mod node_side;
mod tester_side;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};

use bytes::{Bytes, BytesMut};
use farlink_nodes::standalone::Streams as _;
use farlink_ports::tcp::{ConnectionId, ListenerId, StreamEvent, TcpAddress, WRITE_BUFFER};
use farlink_units::{Duration, Instant};

use super::node_tls::{Careless, NodeTls};
use super::{Arrival, Door, Stream};
use crate::mutants::Flow;

/// Octets that may be under way to the tester, or lie there unread.
const WINDOW: usize = 1 << 16;

/// Octets that must be free again before the node is told so.
const ROOM_AGAIN: usize = WRITE_BUFFER / 2;

/// The port of each door: that of TCPCL is assigned (RFC 9174 section 8.1).
const fn port(door: Door) -> u16 {
    match door {
        Door::Stcp => 4557,
        Door::Mtcp => 4558,
        _ => 4556,
    }
}

/// Where the simulated node listens.
pub const fn node_address(door: Door) -> TcpAddress {
    TcpAddress(SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), port(door)))
}

/// Where the tester listens for the simulated node.
pub const fn tester_address(door: Door) -> TcpAddress {
    TcpAddress(SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3)), port(door)))
}

/// What goes over the wire.
#[derive(Debug)]
enum Leg {
    Syn,
    SynAck,
    Ack,
    Refused,
    Flow(Flow),
    /// The tester has read so many octets.
    Window(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeSide {
    /// The handshake goes on.
    Opening,
    Open,
    /// The node has turned away; what it has written goes out until then.
    Closing(Instant),
    Gone,
}

/// One connection.
#[derive(Debug)]
struct Line {
    door: Door,
    listener: Option<ListenerId>,
    node: NodeSide,
    tls: Option<Box<NodeTls>>,
    /// TLS that begins once what was written before has left, and octets that are for it.
    tls_to_begin: Option<(Box<NodeTls>, Bytes)>,
    reading: bool,
    /// What has arrived and was not read by the node.
    input: VecDeque<Flow>,
    wants_room: bool,
    /// What waits for the tester's window.
    out: VecDeque<Flow>,
    out_octets: usize,
    /// Whether the last that the node sends is in `out` or has left.
    out_ended: bool,
    in_flight: usize,
    tester_reads: bool,
    /// What has arrived and was not read by the tester.
    unread: VecDeque<Flow>,
    /// Whether the tester hears and sends.
    tester_open: bool,
    tester_finished: bool,
}

/// The streams of the simulated node.
#[derive(Debug)]
pub struct SimulatedStreams {
    /// As the owner tells it.
    pub(super) now: Instant,
    light_time: Duration,
    closure_alert: bool,
    /// How the node verifies certificates, where it does not do so as it should.
    careless: Option<Careless>,
    listeners: Vec<TcpAddress>,
    /// The doors at which the tester takes connections.
    taking: BTreeSet<Door>,
    lines: BTreeMap<usize, Line>,
    next: usize,
    to_node: VecDeque<(Instant, usize, Leg)>,
    to_tester: VecDeque<(Instant, usize, Leg)>,
    /// What the node has done and no mutation has seen. Nothing stands for the begin of TLS.
    written: VecDeque<(usize, Option<Flow>)>,
    written_octets: BTreeMap<usize, usize>,
    events: VecDeque<StreamEvent>,
    arrivals: Vec<Arrival>,
}

impl SimulatedStreams {
    pub(super) fn new(light_time: Duration, closure_alert: bool, careless: Option<Careless>) -> Self {
        SimulatedStreams {
            now: Instant::ZERO,
            light_time,
            closure_alert,
            careless,
            listeners: Vec::new(),
            taking: BTreeSet::new(),
            lines: BTreeMap::new(),
            next: 0,
            to_node: VecDeque::new(),
            to_tester: VecDeque::new(),
            written: VecDeque::new(),
            written_octets: BTreeMap::new(),
            events: VecDeque::new(),
            arrivals: Vec::new(),
        }
    }

    fn add(&mut self, door: Door, listener: Option<ListenerId>) -> usize {
        let number = self.next;
        self.next += 1;
        let line = Line {
            door,
            listener,
            node: NodeSide::Opening,
            tls: None,
            tls_to_begin: None,
            reading: true,
            input: VecDeque::new(),
            wants_room: false,
            out: VecDeque::new(),
            out_octets: 0,
            out_ended: false,
            in_flight: 0,
            tester_reads: true,
            unread: VecDeque::new(),
            tester_open: listener.is_some(),
            tester_finished: false,
        };
        self.lines.insert(number, line);
        number
    }

    fn towards_node(&mut self, number: usize, leg: Leg) {
        self.to_node.push_back((self.now + self.light_time, number, leg));
    }

    fn towards_tester(&mut self, number: usize, leg: Leg) {
        self.to_tester.push_back((self.now + self.light_time, number, leg));
    }

    pub(super) fn stream(&self, connection: ConnectionId) -> Option<Stream> {
        let line = self.lines.get(&connection.0)?;
        Some(Stream { door: line.door, number: u32::try_from(connection.0).unwrap_or(u32::MAX) })
    }

    /// What the node has done since this was last asked, for mutations to see.
    pub(super) fn poll_written(&mut self) -> Option<(Stream, Flow)> {
        loop {
            let (number, flow) = self.written.pop_front()?;
            let Some(flow) = flow else {
                self.begin_tls(number);
                continue;
            };
            if let (Flow::Octets(octets), Some(count)) = (&flow, self.written_octets.get_mut(&number)) {
                *count = count.saturating_sub(octets.len());
            }
            if let Some(stream) = self.stream(ConnectionId(number)) {
                return Some((stream, flow));
            }
        }
    }

    /// Puts something on its way to the tester.
    pub(super) fn leave(&mut self, stream: Stream, flow: Flow) {
        let number = stream.number as usize;
        let Some(line) = self.lines.get_mut(&number).filter(|line| !line.out_ended) else { return };
        match (&flow, &mut line.tls) {
            (Flow::Opened, _) => return,
            (Flow::Octets(octets), Some(tls)) => {
                let mut out = BytesMut::new();
                tls.write(octets, &mut out);
                line.push(out.freeze());
            }
            (Flow::Octets(octets), None) => line.push(octets.clone()),
            (Flow::Finished, tls) => {
                let mut out = BytesMut::new();
                if let Some(tls) = tls.as_mut().filter(|_| self.closure_alert) {
                    tls.close(&mut out);
                }
                line.push(out.freeze());
                line.out.push_back(flow);
                line.out_ended = true;
            }
            (Flow::Reset, _) => {
                line.out.clear();
                line.out_octets = 0;
                line.out.push_back(flow);
                line.out_ended = true;
                line.node = NodeSide::Gone;
            }
        }
        self.flush(number);
    }

    /// Sends what the window lets through.
    fn flush(&mut self, number: usize) {
        loop {
            let Some(line) = self.lines.get_mut(&number) else { return };
            let Some(flow) = line.out.front_mut() else { break };
            let leaving = match flow {
                Flow::Octets(octets) => {
                    let room = WINDOW.saturating_sub(line.in_flight).min(octets.len());
                    if room == 0 {
                        break;
                    }
                    let piece = octets.split_to(room);
                    if octets.is_empty() {
                        line.out.pop_front();
                    }
                    line.in_flight += room;
                    line.out_octets -= room;
                    Flow::Octets(piece)
                }
                other => {
                    let other = other.clone();
                    line.out.pop_front();
                    other
                }
            };
            self.towards_tester(number, Leg::Flow(leaving));
        }
        let room = self.room(ConnectionId(number));
        if let Some(line) = self.lines.get_mut(&number)
            && line.wants_room
            && room >= ROOM_AGAIN
        {
            line.wants_room = false;
            self.events.push_back(StreamEvent::Writable(ConnectionId(number)));
        }
    }

    /// When [`SimulatedStreams::advance`] is to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let wire = [self.to_node.front(), self.to_tester.front()].into_iter().flatten().map(|(at, ..)| *at);
        let closing = self.lines.values().filter_map(|line| match line.node {
            NodeSide::Closing(until) => Some(until),
            _ => None,
        });
        let at_once = (!self.events.is_empty()).then_some(self.now);
        wire.chain(closing).chain(at_once).min()
    }

    /// Lets time pass: what is due arrives.
    pub(super) fn advance(&mut self, now: Instant) {
        self.now = now;
        while self.to_node.front().is_some_and(|(at, ..)| *at <= now) {
            if let Some((_, number, leg)) = self.to_node.pop_front() {
                self.at_node(number, leg);
            }
        }
        while self.to_tester.front().is_some_and(|(at, ..)| *at <= now) {
            if let Some((_, number, leg)) = self.to_tester.pop_front() {
                self.at_tester(number, leg);
            }
        }
        for number in self.lines.keys().copied().collect::<Vec<_>>() {
            let Some(line) = self.lines.get_mut(&number) else { continue };
            if let NodeSide::Closing(until) = line.node
                && until <= now
            {
                line.node = NodeSide::Gone;
                // What could not be written in time is lost, and the peer shall know.
                if !line.out.is_empty() {
                    line.out.clear();
                    self.towards_tester(number, Leg::Flow(Flow::Reset));
                }
            }
        }
    }
}

impl Line {
    fn push(&mut self, octets: Bytes) {
        if !octets.is_empty() && !self.out_ended {
            self.out_octets += octets.len();
            self.out.push_back(Flow::Octets(octets));
        }
    }
}
