//! Streams between the simulated node and the tester: what TCP does, one light time away.
//!
//! A connection takes a handshake of three legs, octets arrive in order, FIN and RST do what they do, and what is not read holds
//! the sender up. Nothing is lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};

use bytes::{Bytes, BytesMut};
use farlink_nodes::standalone::Streams;
use farlink_ports::tcp::{
    CLOSE_PATIENCE, CloseReason, ConnectError, ConnectionId, ListenError, ListenerId, StreamEvent, TcpAddress,
    WRITE_BUFFER,
};
use farlink_ports::tls::{TlsRole, TlsSettings};
use farlink_units::{Duration, Instant};

use super::node_tls::{Careless, NodeTls};
use super::{Arrival, Door, Happening, Stream};
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

    fn arrive(&mut self, number: usize, what: impl FnOnce(Stream) -> Happening) {
        if let Some(stream) = self.stream(ConnectionId(number)) {
            self.arrivals.push(Arrival { at: self.now, what: what(stream) });
        }
    }

    /// The tester connects. `None` if the node does not listen.
    pub(super) fn tester_connects(&mut self, door: Door) -> Option<Stream> {
        let listener = self.listeners.iter().position(|address| *address == node_address(door))?;
        let number = self.add(door, Some(ListenerId(listener)));
        self.towards_node(number, Leg::Syn);
        self.stream(ConnectionId(number))
    }

    /// The tester writes, or closes its direction.
    pub(super) fn tester_sends(&mut self, stream: Stream, flow: Flow) {
        let number = stream.number as usize;
        let Some(line) = self.lines.get_mut(&number).filter(|line| line.tester_open) else { return };
        if line.tester_finished && flow != Flow::Reset {
            return;
        }
        line.tester_finished |= flow == Flow::Finished;
        if flow == Flow::Reset {
            line.tester_open = false;
            line.unread.clear();
        }
        self.towards_node(number, Leg::Flow(flow));
    }

    pub(super) fn tester_reads(&mut self, stream: Stream, reading: bool) {
        let number = stream.number as usize;
        let Some(line) = self.lines.get_mut(&number) else { return };
        line.tester_reads = reading;
        if reading {
            for flow in std::mem::take(&mut line.unread) {
                self.read_by_tester(number, flow);
            }
        }
    }

    pub(super) fn tester_listens(&mut self, door: Door, listening: bool) {
        match listening {
            true => drop(self.taking.insert(door)),
            false => drop(self.taking.remove(&door)),
        }
    }

    fn read_by_tester(&mut self, number: usize, flow: Flow) {
        match flow {
            Flow::Octets(octets) => {
                self.towards_node(number, Leg::Window(octets.len()));
                self.arrive(number, |stream| Happening::Octets { stream, octets: octets.to_vec() });
            }
            Flow::Finished => self.arrive(number, |stream| Happening::Finished { stream }),
            Flow::Reset => self.arrive(number, |stream| Happening::Reset { stream }),
            Flow::Opened => {}
        }
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

    fn at_node(&mut self, number: usize, leg: Leg) {
        let Some(line) = self.lines.get_mut(&number) else { return };
        let connection = ConnectionId(number);
        match leg {
            Leg::Syn => self.towards_tester(number, Leg::SynAck),
            Leg::Ack => {
                line.node = NodeSide::Open;
                if let Some(listener) = line.listener {
                    let peer = tester_address(line.door).0;
                    self.events.push_back(StreamEvent::Accepted { listener, connection, peer });
                }
            }
            Leg::SynAck if line.node == NodeSide::Opening => {
                line.node = NodeSide::Open;
                self.events.push_back(StreamEvent::Connected(connection));
                self.towards_tester(number, Leg::Ack);
            }
            Leg::SynAck => {}
            Leg::Refused => {
                let reason = ConnectError::Refused { address: tester_address(line.door) };
                line.node = NodeSide::Gone;
                self.events.push_back(StreamEvent::ConnectFailed { connection, reason });
            }
            Leg::Window(read) => {
                line.in_flight = line.in_flight.saturating_sub(read);
                self.flush(number);
            }
            Leg::Flow(flow) => match line.node {
                NodeSide::Opening | NodeSide::Open => {
                    if flow == Flow::Reset {
                        line.input.clear();
                    }
                    line.input.push_back(flow);
                    self.read_by_node(number);
                }
                NodeSide::Closing(_) => {
                    if matches!(flow, Flow::Finished | Flow::Reset) && line.out.is_empty() {
                        line.node = NodeSide::Gone;
                    }
                }
                NodeSide::Gone => {
                    if matches!(flow, Flow::Octets(_)) && line.tester_open {
                        self.towards_tester(number, Leg::Flow(Flow::Reset));
                    }
                }
            },
        }
    }

    fn at_tester(&mut self, number: usize, leg: Leg) {
        let Some(line) = self.lines.get_mut(&number) else { return };
        match leg {
            Leg::Syn => {
                let takes = self.taking.contains(&line.door);
                match takes {
                    true => self.towards_node(number, Leg::SynAck),
                    false => {
                        self.towards_node(number, Leg::Refused);
                        self.arrive(number, |stream| Happening::Reset { stream });
                    }
                }
            }
            Leg::SynAck => {
                self.towards_node(number, Leg::Ack);
                self.arrive(number, |stream| Happening::Opened { stream });
            }
            Leg::Ack => {
                line.tester_open = true;
                self.arrive(number, |stream| Happening::Opened { stream });
            }
            Leg::Flow(_) if !line.tester_open => {}
            Leg::Flow(Flow::Reset) => {
                line.unread.clear();
                line.tester_open = false;
                self.read_by_tester(number, Flow::Reset);
            }
            Leg::Flow(flow) if line.tester_reads => self.read_by_tester(number, flow),
            Leg::Flow(flow) => line.unread.push_back(flow),
            Leg::Refused | Leg::Window(_) => {}
        }
    }

    /// The node reads what has arrived, if it wants to.
    fn read_by_node(&mut self, number: usize) {
        loop {
            let Some(line) = self.lines.get_mut(&number) else { return };
            let handshaking = line.tls.as_ref().is_some_and(|tls| tls.is_handshaking());
            if line.node != NodeSide::Open || line.tls_to_begin.is_some() || !(line.reading || handshaking) {
                return;
            }
            let connection = ConnectionId(number);
            let Some(flow) = line.input.pop_front() else { return };
            match flow {
                Flow::Octets(octets) if line.tls.is_some() => self.decrypt(number, &octets),
                Flow::Octets(octets) => self.events.push_back(StreamEvent::Data { connection, octets }),
                Flow::Finished if handshaking => {
                    let reason = "the peer closed the connection during the handshake".to_owned();
                    self.events.push_back(StreamEvent::Closed { connection, reason: CloseReason::Tls(reason) });
                }
                Flow::Finished => {
                    self.events.push_back(StreamEvent::Closed { connection, reason: CloseReason::Peer });
                }
                Flow::Reset => {
                    line.out.clear();
                    line.out_octets = 0;
                    line.out_ended = true;
                    line.node = NodeSide::Gone;
                    let reason = CloseReason::Lost("connection reset by peer".to_owned());
                    self.events.push_back(StreamEvent::Closed { connection, reason });
                }
                Flow::Opened => {}
            }
        }
    }

    fn decrypt(&mut self, number: usize, octets: &[u8]) {
        let Some(line) = self.lines.get_mut(&number) else { return };
        let Some(tls) = &mut line.tls else { return };
        let connection = ConnectionId(number);
        let handshaking = tls.is_handshaking();
        let mut out = BytesMut::new();
        let read = tls.read(octets, &mut out);
        if handshaking && !tls.is_handshaking() {
            self.events.push_back(StreamEvent::Secured { connection, peer: tls.peer_certificate() });
        }
        line.push(out.freeze());
        match read {
            Ok((data, ended)) => {
                if !data.is_empty() {
                    self.events.push_back(StreamEvent::Data { connection, octets: data.into() });
                }
                if ended {
                    self.events.push_back(StreamEvent::Closed { connection, reason: CloseReason::Peer });
                    // Nothing counts after the end of TLS.
                    line.reading = false;
                }
            }
            Err(reason) => {
                line.tls = None;
                line.out.push_back(Flow::Finished);
                line.out_ended = true;
                line.node = NodeSide::Closing(self.now + Duration::from(CLOSE_PATIENCE));
                self.events.push_back(StreamEvent::Closed { connection, reason: CloseReason::Tls(reason) });
            }
        }
        self.flush(number);
    }

    fn begin_tls(&mut self, number: usize) {
        let Some(line) = self.lines.get_mut(&number) else { return };
        let Some((tls, early)) = line.tls_to_begin.take() else { return };
        line.tls = Some(tls);
        self.decrypt(number, &early);
        self.read_by_node(number);
    }

    /// What has happened at the node.
    pub(super) fn poll_event(&mut self) -> Option<StreamEvent> {
        self.events.pop_front()
    }

    /// What has come to the tester.
    pub(super) fn take_arrivals(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.arrivals)
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

impl Streams for SimulatedStreams {
    fn listen(&mut self, address: TcpAddress) -> Result<ListenerId, ListenError> {
        self.listeners.push(address);
        Ok(ListenerId(self.listeners.len() - 1))
    }

    fn listening_address(&self, listener: ListenerId) -> Option<TcpAddress> {
        self.listeners.get(listener.0).copied()
    }

    fn connect(&mut self, to: TcpAddress) -> ConnectionId {
        let door = [Door::Tcpcl, Door::Stcp, Door::Mtcp].into_iter().find(|door| tester_address(*door) == to);
        let number = self.add(door.unwrap_or(Door::Tcpcl), None);
        match door {
            Some(_) => self.towards_tester(number, Leg::Syn),
            None => self.towards_node(number, Leg::Refused),
        }
        ConnectionId(number)
    }

    fn peer_address(&self, connection: ConnectionId) -> Option<SocketAddr> {
        self.lines.get(&connection.0).map(|line| tester_address(line.door).0)
    }

    fn start_tls(
        &mut self,
        connection: ConnectionId,
        role: TlsRole,
        settings: &TlsSettings,
        early: &[u8],
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&connection.0).filter(|line| line.node == NodeSide::Open) else {
            return Ok(());
        };
        let tls = NodeTls::new(role, settings, tester_address(line.door).0.ip(), self.careless.as_ref())?;
        line.tls_to_begin = Some((Box::new(tls), Bytes::copy_from_slice(early)));
        self.written.push_back((connection.0, None));
        Ok(())
    }

    fn room(&self, connection: ConnectionId) -> usize {
        let Some(line) = self.lines.get(&connection.0) else { return 0 };
        let handshaking = line.tls.as_ref().is_some_and(|tls| tls.is_handshaking());
        if line.node != NodeSide::Open || line.tls_to_begin.is_some() || handshaking {
            return 0;
        }
        let written = self.written_octets.get(&connection.0).copied().unwrap_or(0);
        WRITE_BUFFER.saturating_sub(line.out_octets + written)
    }

    fn write(&mut self, connection: ConnectionId, octets: &[u8]) -> usize {
        let room = self.room(connection);
        let Some(line) = self.lines.get_mut(&connection.0) else { return 0 };
        let taken = octets.len().min(room);
        line.wants_room |= taken < octets.len() || taken == room;
        if taken > 0 {
            *self.written_octets.entry(connection.0).or_default() += taken;
            self.written.push_back((connection.0, Some(Flow::Octets(Bytes::copy_from_slice(&octets[..taken])))));
        }
        taken
    }

    fn set_reading(&mut self, connection: ConnectionId, reading: bool) {
        if let Some(line) = self.lines.get_mut(&connection.0) {
            line.reading = reading;
            self.read_by_node(connection.0);
        }
    }

    fn close(&mut self, connection: ConnectionId) {
        let Some(line) = self.lines.get_mut(&connection.0) else { return };
        self.events.retain(|event| !concerns(event, connection));
        match line.node {
            NodeSide::Open => {
                line.node = NodeSide::Closing(self.now + Duration::from(CLOSE_PATIENCE));
                line.input.clear();
                self.written.push_back((connection.0, Some(Flow::Finished)));
            }
            NodeSide::Opening => line.node = NodeSide::Gone,
            NodeSide::Closing(_) | NodeSide::Gone => {}
        }
    }

    fn abort(&mut self, connection: ConnectionId) {
        let Some(line) = self.lines.get_mut(&connection.0) else { return };
        self.events.retain(|event| !concerns(event, connection));
        if line.node == NodeSide::Open {
            // The system resets a connection that is closed with octets unread.
            let last = if line.input.is_empty() { Flow::Finished } else { Flow::Reset };
            self.written.push_back((connection.0, Some(last)));
        }
        line.input.clear();
        line.node = NodeSide::Gone;
    }
}

fn concerns(event: &StreamEvent, connection: ConnectionId) -> bool {
    match event {
        StreamEvent::Accepted { connection: of, .. }
        | StreamEvent::ConnectFailed { connection: of, .. }
        | StreamEvent::Secured { connection: of, .. }
        | StreamEvent::Data { connection: of, .. }
        | StreamEvent::Closed { connection: of, .. }
        | StreamEvent::Connected(of)
        | StreamEvent::Writable(of) => *of == connection,
        StreamEvent::Readable { .. } | StreamEvent::Woken => false,
    }
}
