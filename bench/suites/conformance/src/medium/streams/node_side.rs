//! What reaches the node on streams, and what it does there.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use farlink_nodes::standalone::Streams;
use farlink_ports::tcp::{
    CLOSE_PATIENCE, CloseReason, ConnectError, ConnectionId, ListenError, ListenerId, StreamEvent, TcpAddress,
    WRITE_BUFFER,
};
use farlink_ports::tls::{TlsRole, TlsSettings};
use farlink_units::Duration;

use super::{Leg, NodeSide, SimulatedStreams, tester_address};
use crate::medium::Door;
use crate::medium::node_tls::NodeTls;
use crate::mutants::Flow;

impl SimulatedStreams {
    pub(super) fn at_node(&mut self, number: usize, leg: Leg) {
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

    /// The node reads what has arrived, if it wants to.
    pub(super) fn read_by_node(&mut self, number: usize) {
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

    pub(super) fn decrypt(&mut self, number: usize, octets: &[u8]) {
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

    pub(super) fn begin_tls(&mut self, number: usize) {
        let Some(line) = self.lines.get_mut(&number) else { return };
        let Some((tls, early)) = line.tls_to_begin.take() else { return };
        line.tls = Some(tls);
        self.decrypt(number, &early);
        self.read_by_node(number);
    }

    /// What has happened at the node.
    pub(in crate::medium) fn poll_event(&mut self) -> Option<StreamEvent> {
        self.events.pop_front()
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
