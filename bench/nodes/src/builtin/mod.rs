//! The built-in node: a bundle agent, an LTP engine, and a door for other convergence layers.
//!
//! # Order of calls
//! Within a bench the [`Node`] trait says it all. An owner that keeps the store on disk or speaks other convergence layers
//! goes on from there:
//! - [`BuiltinNode::receive`], [`BuiltinNode::poll_forward`], [`BuiltinNode::forwarded`] and
//!   [`BuiltinNode::forwarding_failed`] for bundles of other layers.
//! - [`BuiltinNode::poll_change`] and [`BuiltinNode::poll_reception_change`] until both are empty, and the disk has them,
//!   *before* anything that came is acknowledged: before `poll_transmit`, before a transfer of another layer is accepted,
//!   before an application is given data or an answer.

mod ltp_layer;
mod notices;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use farlink_engine::bp::{
    self, Agent, BundleId, Change, Failure, Handle, NoRoom, Outgoing, Refusal, Registration, Snapshot, Transmission,
    TransmitError,
};
use farlink_engine::ltp::{self, Aggregator, Cue, Engine, PathInfo, PeerConfig};
use farlink_engine::routing::{ContactError, ContactPlan, StaticRoute};
use farlink_engine::schedule::Schedule;
use farlink_link::Node;
use farlink_record::{ChannelId, Event, NodeId, TrafficId};
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{Eid, StatusReport};
use farlink_wire::ltp::{CancelReason, Segment, SessionId};

use crate::store::ReceptionChange;

/// What a node is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its place among the nodes of the run.
    pub id: NodeId,
    /// Its bundle agent.
    pub agent: bp::Config,
    /// Its LTP engine.
    pub engine: ltp::Config,
    /// Its neighbours by LTP.
    pub neighbours: Vec<Neighbour>,
    /// Its neighbours by other convergence layers.
    pub others: Vec<(NodeId, Eid)>,
    /// Endpoints at which an application is registered.
    pub endpoints: Vec<(Eid, Registration)>,
    /// Static routes.
    pub routes: Vec<StaticRoute>,
    /// The contacts that it routes by.
    pub plan: Option<ContactPlan>,
    /// Whether the owner says with [`BuiltinNode::delivered`] how each delivery ended. Otherwise the data counts as delivered
    /// when it is told.
    pub confirms_deliveries: bool,
}

impl Config {
    /// A node `ipn:<number>.0` whose engine ID is its node number, alone.
    pub fn new(id: NodeId, number: u64, seed: u64) -> Self {
        Config {
            id,
            agent: bp::Config::new(Eid::ipn(number, 0)),
            engine: ltp::Config::new(number, seed),
            neighbours: Vec::new(),
            others: Vec::new(),
            endpoints: Vec::new(),
            routes: Vec::new(),
            plan: None,
            confirms_deliveries: false,
        }
    }
}

/// A neighbour by LTP, and the two channels to and from it.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Its place among the nodes of the run.
    pub id: NodeId,
    /// Its node ID.
    pub node: Eid,
    /// Its LTP engine ID.
    pub engine: u64,
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
    /// Whether blocks are red, and so repeated until they arrive. Green ones are sent once, and count as forwarded then.
    pub reliable: bool,
    /// Most bytes of bundles that go together into one block, and how long the first waits for others; `None` for one bundle
    /// to a block.
    pub aggregation: Option<(u64, Duration)>,
}

/// Application data that has arrived here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its name for [`BuiltinNode::delivered`].
    pub handle: Handle,
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
    aggregator: Option<Aggregator>,
    /// How much of each block is red, if not all of it or nothing.
    red_length: Option<u64>,
}

/// A bundle agent over an LTP engine. Sans I/O: told the time, seeded.
#[derive(Debug)]
pub struct BuiltinNode {
    id: NodeId,
    agent: Agent,
    engine: Engine,
    peers: Vec<Peer>,
    others: Vec<(NodeId, Eid)>,
    confirms_deliveries: bool,
    journal: bool,
    /// Bundles that LTP is sending, and the sessions that send them.
    sending: HashMap<SessionId, Vec<Handle>>,
    sessions: HashMap<Handle, SessionId>,
    /// Sessions of which a part has been claimed, as the disk knows.
    claimed: BTreeSet<SessionId>,
    /// Sessions that were refused after their data had been claimed, and when they are struck off: the peer must have heard
    /// of it by then.
    striking_off: VecDeque<(Instant, SessionId)>,
    reception_changes: VecDeque<ReceptionChange>,
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
        let journal = config.agent.journal;
        let start = Instant::from_nanos(i64::MIN);
        let mut agent = Agent::new(config.agent);
        for (endpoint, registration) in config.endpoints {
            // The administrative endpoint is there anyway, and nothing can be registered at other nodes.
            let _ = agent.register(endpoint, registration);
        }
        for route in config.routes {
            let added = agent.add_route(route);
            debug_assert!(added.is_ok(), "a node has fewer routes than a table holds");
        }
        if let Some(plan) = config.plan {
            agent.set_contact_plan(start, plan);
        }
        let mut engine = Engine::new(config.engine);
        for neighbour in &config.neighbours {
            engine.add_peer(neighbour.engine, neighbour.ltp.clone());
            engine.handle_cue(start, neighbour.engine, Cue::PeerStops);
        }
        let peers = config.neighbours.into_iter().map(|neighbour| Peer {
            receiving: false,
            rate_back_bps: 0,
            aggregator: neighbour.aggregation.map(|(size, time)| Aggregator::new(size, time)),
            red_length: None,
            neighbour,
        });
        BuiltinNode {
            id: config.id,
            agent,
            engine,
            peers: peers.collect(),
            others: config.others,
            confirms_deliveries: config.confirms_deliveries,
            journal,
            sending: HashMap::new(),
            sessions: HashMap::new(),
            claimed: BTreeSet::new(),
            striking_off: VecDeque::new(),
            reception_changes: VecDeque::new(),
            traffic: HashMap::new(),
            events: VecDeque::new(),
            deliveries: VecDeque::new(),
            reports: VecDeque::new(),
            now: start,
        }
    }

    /// Takes up what a store has kept. Sessions of which a part was claimed before the restart are cancelled, so that their
    /// senders begin anew: the claimed data is gone.
    pub fn restore(&mut self, now: Instant, snapshot: Snapshot, receptions: Vec<(SessionId, u64)>) {
        self.advance(now);
        self.agent.restore(now, snapshot);
        for (session, engine) in receptions {
            self.claimed.insert(session);
            self.strike_off_later(now, session);
            self.engine.abandon_reception(now, engine, session, CancelReason::SystemError);
        }
        self.collect(now);
    }

    /// The agent's node ID.
    pub fn node_id(&self) -> &Eid {
        self.agent.node_id()
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

    /// Cancels a transmission. Returns how many bundles of it were deleted.
    pub fn cancel(&mut self, now: Instant, id: &BundleId) -> usize {
        let deleted = self.agent.cancel(now, id);
        self.collect(now);
        deleted
    }

    /// Takes what another convergence layer has brought.
    ///
    /// # Errors
    /// As [`Agent::receive`].
    pub fn receive(&mut self, now: Instant, from: &Eid, bytes: &Bytes, refusal: Refusal) -> Result<(), NoRoom> {
        self.advance(now);
        let outcome = self.agent.receive(now, from, bytes, refusal);
        self.collect(now);
        outcome
    }

    /// Sends the blocks to a neighbour with a red part of at most this many bytes and a green rest. A bundle whose end is lost
    /// is lost then: this is for trying receivers.
    pub fn set_red_length(&mut self, neighbour: &Eid, bytes: u64) {
        for peer in self.peers.iter_mut().filter(|p| p.neighbour.node == *neighbour) {
            peer.red_length = Some(bytes);
        }
    }

    /// Cancels every LTP session that sends a block, as its client service may (RFC 5326 §4.2).
    pub fn cancel_sending(&mut self, now: Instant) {
        self.advance(now);
        let mut sessions: Vec<SessionId> = self.sending.keys().copied().collect();
        sessions.sort_unstable();
        for session in sessions {
            self.engine.cancel(now, session);
        }
        self.collect(now);
    }

    /// Cancels every LTP session that receives a block, as its client service may (RFC 5326 §4.2).
    pub fn cancel_receiving(&mut self, now: Instant) {
        self.advance(now);
        let mut sessions: Vec<SessionId> = self.engine.receptions().collect();
        sessions.sort_unstable();
        for session in sessions {
            self.engine.cancel(now, session);
        }
        self.collect(now);
    }

    /// The next bundle for a neighbour that another convergence layer reaches.
    pub fn poll_forward(&mut self, now: Instant, neighbour: &Eid) -> Option<Outgoing> {
        self.advance(now);
        let outgoing = self.agent.poll_forward(now, neighbour);
        self.collect(now);
        outgoing
    }

    /// Whether a bundle waits for a neighbour.
    pub fn has_queued(&mut self, neighbour: &Eid) -> bool {
        self.agent.has_queued(neighbour)
    }

    /// Another convergence layer has brought a bundle to the neighbour.
    pub fn forwarded(&mut self, now: Instant, handle: Handle) {
        self.agent.forwarded(now, handle);
        self.collect(now);
    }

    /// Another convergence layer could not bring a bundle to the neighbour.
    pub fn forwarding_failed(&mut self, now: Instant, handle: Handle, failure: Failure) {
        self.agent.forwarding_failed(now, handle, failure);
        self.collect(now);
    }

    /// Most octets of a bundle that the layer to a neighbour takes.
    pub fn set_longest_bundle(&mut self, neighbour: &Eid, octets: usize) {
        self.agent.set_longest_bundle(neighbour, octets);
    }

    /// A neighbour that no plan tells of can be reached. Its events are told as those of node `id`.
    ///
    /// # Errors
    /// As [`Agent::neighbour_found`].
    pub fn neighbour_found(&mut self, now: Instant, id: NodeId, neighbour: &Eid) -> Result<(), ContactError> {
        if self.place_of(neighbour).is_none() {
            self.others.push((id, neighbour.clone()));
        }
        self.agent.neighbour_found(now, neighbour, 0)?;
        self.collect(now);
        Ok(())
    }

    /// Such a neighbour can no longer be reached.
    pub fn neighbour_lost(&mut self, now: Instant, neighbour: &Eid) {
        self.agent.neighbour_lost(now, neighbour);
        self.release_collected(now, neighbour);
        self.collect(now);
    }

    /// The planned contact with a neighbour does not happen. `false` if none is planned now.
    pub fn contact_failed(&mut self, now: Instant, neighbour: &Eid) -> bool {
        let planned = self.agent.contact_failed(now, neighbour);
        self.release_collected(now, neighbour);
        self.collect(now);
        planned
    }

    /// Registers an application, or changes its registration. `false` if the endpoint is not of this node.
    #[must_use]
    pub fn register(&mut self, now: Instant, endpoint: Eid, registration: Registration) -> bool {
        let done = self.agent.register(endpoint, registration);
        self.collect(now);
        done
    }

    /// Has the oldest data that waits at an endpoint delivered, if there is any.
    pub fn poll_endpoint(&mut self, now: Instant, endpoint: &Eid) -> bool {
        let any = self.agent.poll_endpoint(endpoint);
        self.collect(now);
        any
    }

    /// The application has the data of a [`Delivery`].
    pub fn delivered(&mut self, now: Instant, handle: Handle) {
        self.agent.delivered(now, handle);
        self.collect(now);
    }

    /// The application could not take the data of a [`Delivery`].
    pub fn delivery_failed(&mut self, now: Instant, handle: Handle) {
        self.agent.delivery_failed(now, handle);
        self.collect(now);
    }

    /// The next change of the agent that must outlive the process.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.agent.poll_change()
    }

    /// The next change of the LTP engine that must outlive the process.
    pub fn poll_reception_change(&mut self) -> Option<ReceptionChange> {
        self.reception_changes.pop_front()
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

    /// Bytes in the store, with their overhead.
    pub fn stored_bytes(&self) -> u64 {
        self.agent.stored_bytes()
    }

    /// Bundles in the store.
    pub fn stored_bundles(&self) -> usize {
        self.agent.stored_bundles()
    }

    /// Segments that LTP did not take, by cause.
    pub fn discarded(&self) -> ltp::Discarded {
        self.engine.discarded()
    }

    /// The channel from the peer that a frame is about, where several share a port: by the session that its first segment
    /// names, else by `hint`, else, with one peer only, that one's.
    pub fn channel_of(&self, frame: &[u8], hint: Option<ChannelId>) -> Option<ChannelId> {
        if let [only] = &self.peers[..] {
            return Some(only.neighbour.incoming);
        }
        let session = Segment::parse(frame).ok().map(|(segment, _)| segment.session);
        let engine = session.and_then(|session| self.engine.peer_of(session));
        let by_session = self.peers.iter().find(|p| Some(p.neighbour.engine) == engine);
        let peer = by_session.or_else(|| self.peers.iter().find(|p| Some(p.neighbour.outgoing) == hint))?;
        Some(peer.neighbour.incoming)
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
            self.engine.set_path(neighbour.engine, path);
            if back.is_some() != peer.receiving {
                peer.receiving = back.is_some();
                let cue = if peer.receiving { Cue::PeerStarts } else { Cue::PeerStops };
                self.engine.handle_cue(now, neighbour.engine, cue);
            }
        }
    }
}

impl Node for BuiltinNode {
    fn handle_frame(&mut self, now: Instant, channel: ChannelId, frame: Bytes) {
        self.advance(now);
        let Some(from) = self.peers.iter().find(|p| p.neighbour.incoming == channel).map(|p| p.neighbour.engine) else {
            return;
        };
        self.engine.handle_frame(now, from, &frame);
        self.collect(now);
    }

    fn poll_transmit(&mut self, now: Instant, channel: ChannelId) -> Option<Bytes> {
        self.advance(now);
        let place = self.peers.iter().position(|p| p.neighbour.outgoing == channel)?;
        let segment = self.next_segment(now, place);
        self.collect(now);
        segment
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let aggregators = self.peers.iter().filter_map(|p| p.aggregator.as_ref()?.poll_timeout()).min();
        [self.next_edge(), self.engine.poll_timeout(), self.agent.poll_timeout(), aggregators]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.engine.handle_timeout(now);
        self.agent.handle_timeout(now);
        for aggregator in self.peers.iter_mut().filter_map(|p| p.aggregator.as_mut()) {
            aggregator.handle_timeout(now);
        }
        self.collect(now);
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
