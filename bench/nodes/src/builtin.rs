//! The built-in node: a bundle agent over LTP.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use farlink_engine::bp::{self, Agent, BundleId, Failure, Handle, Refusal, Registration, Transmission, TransmitError};
use farlink_engine::ltp::{self, Block, Cue, Engine, PathInfo, PeerConfig};
use farlink_engine::routing::{EidPattern, StaticRoute};
use farlink_engine::schedule::Schedule;
use farlink_link::Node;
use farlink_record::{BundleNotice, ChannelId, Event, LtpNotice, NodeId, RetransmitReason, Session, TrafficId};
use farlink_units::Instant;
use farlink_wire::bpv7::{Eid, StatusReport};
use farlink_wire::ltp::{CancelReason, SessionId};

/// What a node is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its place among the nodes of the run.
    pub id: NodeId,
    /// Its node number: engine ID of its LTP engine, and `ipn:<number>.0`.
    pub number: u64,
    /// DTN time of `Instant::ZERO`, in milliseconds since 2000-01-01T00:00:00Z.
    pub dtn_time_at_zero_ms: u64,
    /// Most bytes of payload that its store holds.
    pub storage_limit: u64,
    /// Whether it generates status reports where bundles ask for them.
    pub status_reports: bool,
    /// Seed of its random draws.
    pub seed: u64,
    /// Its neighbours.
    pub neighbours: Vec<Neighbour>,
    /// Service numbers at which an application listens.
    pub services: Vec<u64>,
    /// Next hop, as a node number, for each destination node number.
    pub routes: Vec<(u64, u64)>,
    /// Next hop for every other destination.
    pub default_route: Option<u64>,
}

/// A neighbour and the two channels to and from it.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Its place among the nodes of the run.
    pub id: NodeId,
    /// Its node number.
    pub number: u64,
    /// The channel towards it.
    pub outgoing: ChannelId,
    /// The channel from it.
    pub incoming: ChannelId,
    /// When this node may transmit to it.
    pub transmit: Schedule,
    /// When it transmits to this node.
    pub receive: Schedule,
    /// Bits that the link layer adds to a frame, for the question whether one still fits a contact.
    pub overhead_bits: u64,
    /// LTP towards it.
    pub ltp: PeerConfig,
}

/// Application data that has arrived here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The bundle.
    pub id: BundleId,
    /// The endpoint that it was for.
    pub destination: Eid,
    /// The data, in pieces.
    pub payload: Vec<Bytes>,
}

/// A status report that has come back to this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Who reports.
    pub by: Eid,
    /// On which bundle.
    pub id: BundleId,
    /// What is asserted: `received`, `forwarded`, `delivered`, `deleted`.
    pub status: Vec<String>,
    /// The report as it came.
    pub report: StatusReport,
}

#[derive(Debug)]
struct Peer {
    neighbour: Neighbour,
    /// Whether it transmits to this node, as the engine was last told.
    receiving: bool,
    /// The rate at which it last could.
    rate_back_bps: u64,
}

/// A bundle agent over an LTP engine. Sans I/O: told the time, seeded.
#[derive(Debug)]
pub struct BuiltinNode {
    id: NodeId,
    agent: Agent,
    engine: Engine,
    peers: Vec<Peer>,
    /// Bundles that LTP is sending, and the sessions that send them.
    sending: HashMap<SessionId, Handle>,
    sessions: HashMap<Handle, SessionId>,
    /// Which traffic item a bundle belongs to, by the bundle without its extent.
    traffic: HashMap<BundleId, TrafficId>,
    events: VecDeque<Event>,
    deliveries: VecDeque<Delivery>,
    reports: VecDeque<Reported>,
    now: Instant,
}

impl BuiltinNode {
    /// A node that has not heard of the time yet; its contacts begin with the first [`Node::handle_timeout`].
    pub fn new(config: Config) -> Self {
        let mut agent = Agent::new(bp::Config {
            dtn_time_at_zero_ms: config.dtn_time_at_zero_ms,
            storage_limit: config.storage_limit,
            status_reports: config.status_reports,
            ..bp::Config::new(Eid::ipn(config.number, 0))
        });
        for service in &config.services {
            // Service 0 is the administrative endpoint, which is there anyway.
            let _ = agent.register(Eid::ipn(config.number, *service), Registration::ACTIVE);
        }
        let routes = config.routes.iter().map(|(to, via)| (EidPattern::IpnNode(*to), *via));
        for (to, via) in routes.chain(config.default_route.map(|via| (EidPattern::Any, via))) {
            let route = StaticRoute { to, via: Eid::ipn(via, 0), metric: 0 };
            let added = agent.add_route(route);
            debug_assert!(added.is_ok(), "a bench has fewer nodes than a table holds routes");
        }
        let mut engine = Engine::new(ltp::Config::new(config.number, config.seed));
        let start = Instant::from_nanos(i64::MIN);
        for neighbour in &config.neighbours {
            engine.add_peer(neighbour.number, neighbour.ltp.clone());
            engine.handle_cue(start, neighbour.number, Cue::PeerStops);
        }
        let peers = config
            .neighbours
            .into_iter()
            .map(|neighbour| Peer { neighbour, receiving: false, rate_back_bps: 0 })
            .collect();
        BuiltinNode {
            id: config.id,
            agent,
            engine,
            peers,
            sending: HashMap::new(),
            sessions: HashMap::new(),
            traffic: HashMap::new(),
            events: VecDeque::new(),
            deliveries: VecDeque::new(),
            reports: VecDeque::new(),
            now: start,
        }
    }

    /// Sends application data.
    ///
    /// # Errors
    /// As [`Agent::transmit`].
    pub fn transmit(
        &mut self,
        now: Instant,
        transmission: Transmission,
        traffic: Option<TrafficId>,
    ) -> Result<BundleId, TransmitError> {
        self.advance(now);
        let id = self.agent.transmit(now, transmission)?;
        if let Some(traffic) = traffic {
            self.traffic.insert(id.whole(), traffic);
        }
        self.collect(now);
        Ok(id)
    }

    /// Tells that a bundle belongs to a traffic item, so that events about it here say so.
    pub fn know_traffic(&mut self, id: &BundleId, traffic: TrafficId) {
        self.traffic.insert(id.whole(), traffic);
    }

    /// The traffic item that a bundle belongs to.
    pub fn traffic_of(&self, id: &BundleId) -> Option<TrafficId> {
        self.traffic.get(&id.whole()).copied()
    }

    /// The next application data that has arrived.
    pub fn poll_delivery(&mut self) -> Option<Delivery> {
        self.deliveries.pop_front()
    }

    /// The next status report that has come back.
    pub fn poll_report(&mut self) -> Option<Reported> {
        self.reports.pop_front()
    }

    /// Sessions that LTP has open, as sender, as receiver, and being cancelled.
    pub fn open_sessions(&self) -> (usize, usize, usize) {
        self.engine.open_sessions()
    }

    /// Bytes of payload in the store.
    pub fn stored_bytes(&self) -> u64 {
        self.agent.stored_bytes()
    }

    /// Gives the engine the link state cues of every schedule edge up to `now`, each at its own instant, even if the node is
    /// told of the time late.
    fn advance(&mut self, now: Instant) {
        while let Some(edge) = self.next_edge().filter(|edge| *edge < now) {
            self.advance_to(edge);
        }
        if now > self.now {
            self.advance_to(now);
        }
    }

    fn next_edge(&self) -> Option<Instant> {
        let edges = |p: &Peer| [p.neighbour.transmit.next_edge(self.now), p.neighbour.receive.next_edge(self.now)];
        self.peers.iter().flat_map(edges).flatten().min()
    }

    fn advance_to(&mut self, now: Instant) {
        self.now = now;
        for peer in &mut self.peers {
            let neighbour = &peer.neighbour;
            let (out, back) = (neighbour.transmit.open_at(now), neighbour.receive.open_at(now));
            let path = PathInfo {
                light_time_out: neighbour.transmit.light_time_at(now),
                light_time_back: neighbour.receive.light_time_at(now),
                rate_out_bps: out.map_or(0, |w| w.rate_bps),
                rate_back_bps: back.map_or(peer.rate_back_bps, |w| w.rate_bps),
                overhead_bits: neighbour.overhead_bits,
            };
            peer.rate_back_bps = path.rate_back_bps;
            self.engine.set_path(neighbour.number, path);
            if back.is_some() != peer.receiving {
                peer.receiving = back.is_some();
                let cue = if peer.receiving { Cue::PeerStarts } else { Cue::PeerStops };
                self.engine.handle_cue(now, neighbour.number, cue);
            }
        }
    }

    /// Passes on what the engine and the agent have to tell.
    fn collect(&mut self, now: Instant) {
        while let Some(notice) = self.engine.poll_notice() {
            self.ltp_notice(now, notice);
        }
        while let Some(notice) = self.agent.poll_notice() {
            self.bundle_notice(now, notice);
        }
        // A bundle that the agent has given up may have taken a session with it.
        while let Some(notice) = self.engine.poll_notice() {
            self.ltp_notice(now, notice);
        }
    }

    /// The bundle that a session was sending, now that the session is over.
    fn conclude(&mut self, session: SessionId) -> Option<Handle> {
        let handle = self.sending.remove(&session)?;
        self.sessions.remove(&handle);
        Some(handle)
    }

    fn ltp_notice(&mut self, now: Instant, notice: ltp::Notice) {
        let (session, peer, told) = match notice {
            ltp::Notice::RedPart { session, peer, data, .. } => {
                self.ltp_event(session, peer, LtpNotice::RedPartReceived { bytes: data.len() as u64 });
                if self.agent.receive(now, &Eid::ipn(peer, 0), &data, Refusal::Possible).is_err() {
                    // The report that acknowledges the block has not left yet: the sender keeps the bundle.
                    self.engine.cancel(now, session);
                }
                return;
            }
            ltp::Notice::TransmissionCompleted { session, peer } => {
                if let Some(handle) = self.conclude(session) {
                    self.agent.forwarded(now, handle);
                }
                (session, peer, LtpNotice::BlockAcknowledged)
            }
            ltp::Notice::TransmissionCancelled { session, peer, reason, locally } => {
                if let Some(handle) = self.conclude(session) {
                    self.agent.forwarding_failed(now, handle, failure(reason, locally));
                }
                (session, peer, LtpNotice::Cancelled { reason: reason.mnemonic().to_string(), locally })
            }
            ltp::Notice::ReceptionCancelled { session, peer, reason, locally } => {
                (session, peer, LtpNotice::Cancelled { reason: reason.mnemonic().to_string(), locally })
            }
            ltp::Notice::Retransmitted { session, peer, bytes, cause } => {
                let reason = match cause {
                    ltp::Cause::Gap => RetransmitReason::Gap,
                    ltp::Cause::CheckpointTimer => RetransmitReason::CheckpointTimer,
                    ltp::Cause::ReportTimer => RetransmitReason::ReportTimer,
                    ltp::Cause::RepeatedCheckpoint => RetransmitReason::RepeatedCheckpoint,
                    ltp::Cause::CancelTimer => RetransmitReason::CancelTimer,
                };
                (session, peer, LtpNotice::Retransmitted { bytes, reason })
            }
            ltp::Notice::GreenSegment { session, peer, offset, data, is_end_of_block, .. } => {
                self.green_segment(now, session, peer, offset, is_end_of_block, &data);
                return;
            }
            ltp::Notice::InitialTransmissionCompleted { .. }
            | ltp::Notice::ReceptionStarted { .. }
            | ltp::Notice::PartialClaim { .. }
            | ltp::Notice::ReceptionClosed { .. }
            | ltp::Notice::GreenBlock { .. }
            | ltp::Notice::GreenIncomplete { .. } => return,
        };
        self.ltp_event(session, peer, told);
    }

    /// A bundle that came unreliably. One segment that is a whole block is a bundle; parts of a longer one are not put
    /// together, and that is told.
    fn green_segment(&mut self, now: Instant, session: SessionId, peer: u64, offset: u64, ends: bool, data: &Bytes) {
        if offset == 0 && ends {
            let _ = self.agent.receive(now, &Eid::ipn(peer, 0), data, Refusal::Impossible);
            return;
        }
        let reason =
            format!("green data at {offset} in session {session}: only a bundle in one green segment is taken");
        let (node, bytes) = (self.id, data.len() as u64);
        let notice = BundleNotice::Refused { reason };
        self.events.push_back(Event::Bundle { node, bundle: String::new(), traffic: None, bytes, notice });
    }

    fn ltp_event(&mut self, session: SessionId, peer: u64, notice: LtpNotice) {
        let session = Session { originator: session.originator, number: session.number };
        if let Some(peer) = self.node_id(peer) {
            self.events.push_back(Event::Ltp { node: self.id, peer, session, notice });
        }
    }

    fn bundle_notice(&mut self, now: Instant, notice: bp::Notice) {
        let (id, bytes, told) = match notice {
            bp::Notice::Created { id, bytes } => (id, bytes, BundleNotice::Created),
            bp::Notice::Received { id, bytes, from } => match self.place_of(&from) {
                Some(from) => (id, bytes, BundleNotice::Received { from }),
                None => return,
            },
            bp::Notice::Refused { id, bytes, cause, .. } => {
                (id, bytes, BundleNotice::Refused { reason: cause.to_string() })
            }
            bp::Notice::Duplicate { id, bytes } => (id, bytes, BundleNotice::Duplicate),
            bp::Notice::Forwarded { id, bytes, to } => match self.place_of(&to) {
                Some(to) => (id, bytes, BundleNotice::Forwarded { to }),
                None => return,
            },
            bp::Notice::Delivery { handle, id, destination, payload } => {
                self.deliveries.push_back(Delivery { id, destination, payload });
                self.agent.delivered(now, handle);
                return;
            }
            bp::Notice::Delivered { id, bytes } => (id, bytes, BundleNotice::Delivered),
            bp::Notice::Deleted { id, bytes, reason } => {
                (id, bytes, BundleNotice::Deleted { reason: reason.as_str().to_string() })
            }
            bp::Notice::Abandoned { handle } => {
                if let Some(session) = self.sessions.remove(&handle) {
                    self.sending.remove(&session);
                    self.engine.cancel(now, session);
                }
                return;
            }
            bp::Notice::Unintelligible { from: _, bytes, reason } => {
                self.events.push_back(Event::Bundle {
                    node: self.id,
                    bundle: String::new(),
                    traffic: None,
                    bytes,
                    notice: BundleNotice::Refused { reason },
                });
                return;
            }
            bp::Notice::Reported { by, report } => {
                let id = BundleId {
                    source: report.source.clone(),
                    creation: report.creation,
                    extent: report.fragment.map(|f| (f.offset, f.length)),
                };
                let assertions = [
                    ("received", report.received),
                    ("forwarded", report.forwarded),
                    ("delivered", report.delivered),
                    ("deleted", report.deleted),
                ];
                let status: Vec<String> =
                    assertions.iter().filter(|(_, item)| item.asserted).map(|(name, _)| (*name).to_string()).collect();
                self.reports.push_back(Reported { by, id: id.clone(), status: status.clone(), report });
                (id, 0, BundleNotice::Reported { status })
            }
        };
        let traffic = self.traffic_of(&id);
        self.events.push_back(Event::Bundle { node: self.id, bundle: id.to_string(), traffic, bytes, notice: told });
    }

    fn place_of(&self, node: &Eid) -> Option<NodeId> {
        self.node_id(node.node()?)
    }

    fn node_id(&self, number: u64) -> Option<NodeId> {
        self.peers.iter().find(|p| p.neighbour.number == number).map(|p| p.neighbour.id)
    }
}

impl Node for BuiltinNode {
    fn handle_frame(&mut self, now: Instant, channel: ChannelId, frame: Bytes) {
        self.advance(now);
        let Some(from) = self.peers.iter().find(|p| p.neighbour.incoming == channel).map(|p| p.neighbour.number) else {
            return;
        };
        self.engine.handle_frame(now, from, &frame);
        self.collect(now);
    }

    fn poll_transmit(&mut self, now: Instant, channel: ChannelId) -> Option<Bytes> {
        self.advance(now);
        let neighbour = &self.peers.iter().find(|p| p.neighbour.outgoing == channel)?.neighbour;
        let number = neighbour.number;
        let window = neighbour.transmit.open_at(now)?;
        // What leaves must have left when the contact ends.
        let bits = match window.rate_bps {
            0 => u128::MAX,
            rate => (window.end - now).as_nanos() as u128 * u128::from(rate) / 1_000_000_000,
        };
        let room = usize::try_from(bits.saturating_sub(u128::from(neighbour.overhead_bits)) / 8).unwrap_or(usize::MAX);
        // A bundle stays with the agent until it can begin to leave: what expires meanwhile is not sent.
        if room >= PeerConfig::MIN_SEGMENT_SIZE
            && !self.engine.has_unsent_blocks(number)
            && let Some(outgoing) = self.agent.poll_forward(now, &Eid::ipn(number, 0))
        {
            self.send_block(now, number, outgoing.handle, outgoing.block);
        }
        let segment = self.engine.poll_transmit(now, number, room);
        self.collect(now);
        segment
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.next_edge(), self.engine.poll_timeout(), self.agent.poll_timeout()].into_iter().flatten().min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.engine.handle_timeout(now);
        self.agent.handle_timeout(now);
        self.collect(now);
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

impl BuiltinNode {
    fn send_block(&mut self, now: Instant, peer: u64, handle: Handle, block: Block) {
        let length = block.len();
        match self.engine.send(peer, ltp::BUNDLE_PROTOCOL, block, length) {
            Ok(session) => {
                self.sending.insert(session, handle);
                self.sessions.insert(handle, session);
                self.ltp_event(session, peer, LtpNotice::BlockStarted { bytes: length });
            }
            Err(_) => self.agent.forwarding_failed(now, handle, Failure::NoResources),
        }
    }
}

/// What the end of a session that sent a bundle says about the neighbour.
fn failure(reason: CancelReason, locally: bool) -> Failure {
    match reason {
        CancelReason::SystemError if !locally => Failure::NoResources,
        CancelReason::RetransmissionLimit | CancelReason::RetransmissionCycles => Failure::Link,
        _ => Failure::Rejected,
    }
}
