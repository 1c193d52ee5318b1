//! The built-in node under a virtual clock, one light time away.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use farlink_engine::bp::{BundleId, Change, Handle, Record, Refusal, Snapshot, Transmission};
use farlink_link::Node as _;
use farlink_nodes::builtin::{BuiltinNode, Config};
use farlink_nodes::standalone::{Link, LinkLayer, Listener, Secured, StreamLayers};
use farlink_ports::tcp::{CloseReason, StreamEvent};
use farlink_record::ChannelId;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{BundleFlags, Eid};

use super::node_tls::Careless;
use super::streams::SimulatedStreams;
use super::{Arrival, Door, Happening, Medium, Order, Stream, Unable};
use crate::mutants::{Flow, Frame, Mutation};

/// The simulated node and its links.
pub struct SimulatedConfig {
    /// The node.
    pub node: Config,
    /// Light time in each direction.
    pub light_time: Duration,
    /// The door of each channel of LTP: towards the tester, from the tester.
    pub ltp: Vec<(Door, ChannelId, ChannelId)>,
    /// The neighbour that is the tester with bundles in datagrams.
    pub udp: Option<Eid>,
    /// Where the node listens for streams: at [`node_address`](super::node_address).
    pub listeners: Vec<Listener>,
    /// Neighbours by stream layers, which the node reaches at [`tester_address`](super::tester_address).
    pub links: Vec<Link>,
    /// The first and the longest pause before a connection is tried again.
    pub pauses: (Duration, Duration),
    /// Whether TLS ends with its closure alert.
    pub closure_alert: bool,
    /// How the node verifies certificates, where it does not do so as it should.
    pub careless: Option<Careless>,
    /// The endpoint that the tester has with each door.
    pub tester: Vec<(Door, Eid)>,
    /// The source of what the node is told to send.
    pub source: Eid,
    /// The endpoint whose application is asked to poll.
    pub passive: Option<Eid>,
    /// How much of each block to the tester is red, if not all of it.
    pub red_length: Option<u64>,
    /// The longest bundle that goes over UDP; longer ones are fragmented.
    pub longest_datagram: Option<usize>,
    /// In which way the node misbehaves.
    pub mutation: Option<Box<dyn Mutation>>,
}

impl SimulatedConfig {
    /// How sessions are secured, at listeners and over links.
    pub(crate) fn secured(&mut self) -> impl Iterator<Item = &mut Secured> {
        let listeners = self.listeners.iter_mut().filter_map(|listener| match listener {
            Listener::Tcpcl { tls, .. } => tls.as_mut(),
            _ => None,
        });
        let links = self.links.iter_mut().filter_map(|link| match &mut link.layer {
            LinkLayer::Tcpcl { tls, .. } => tls.as_mut(),
            _ => None,
        });
        listeners.chain(links)
    }
}

/// The built-in node under a virtual clock. Nothing is lost on the way and nothing waits: each frame takes one light time.
pub struct Simulated {
    node: BuiltinNode,
    layers: StreamLayers<SimulatedStreams>,
    config: SimulatedConfig,
    now: Instant,
    to_node: VecDeque<(Instant, Frame)>,
    to_tester: VecDeque<Arrival>,
    /// What the mutation holds back, and when it goes on.
    held: Vec<(Instant, Frame)>,
    held_flows: Vec<(Instant, Stream, Flow)>,
    /// When the stream layers are to be looked at again.
    look: Option<Instant>,
    over: bool,
    /// Doors over which the node cannot send now.
    closed: BTreeSet<Door>,
    /// What the node was told to send last.
    originated: Option<BundleId>,
    kept: Kept,
}

/// What outlives the node, where it keeps something.
#[derive(Default)]
struct Kept {
    bundles: BTreeMap<Handle, Record>,
    remembered: Vec<(BundleId, u64)>,
    created: Option<farlink_wire::bpv7::CreationTimestamp>,
}

impl Kept {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Put { handle, record } => drop(self.bundles.insert(handle, record)),
            Change::Remove { handle } => drop(self.bundles.remove(&handle)),
            Change::Remember { id, until_ms } => self.remembered.push((id, until_ms)),
            Change::Forget { id } => self.remembered.retain(|(known, _)| *known != id),
            Change::Created { creation } => self.created = Some(creation),
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            bundles: self.bundles.iter().map(|(handle, record)| (*handle, record.clone())).collect(),
            remembered: self.remembered.clone(),
            created: self.created,
        }
    }
}

impl Simulated {
    /// Starts the node.
    pub fn new(mut config: SimulatedConfig) -> Self {
        let (listeners, links) = (std::mem::take(&mut config.listeners), std::mem::take(&mut config.links));
        let streams = SimulatedStreams::new(config.light_time, config.closure_alert, config.careless.take());
        let mut layers = match StreamLayers::new(streams, listeners, links, true) {
            Ok(layers) => layers,
            Err(error) => unreachable!("simulated streams listen to anything: {error}"),
        };
        layers.set_pauses(config.pauses.0, config.pauses.1);
        let mut this = Simulated {
            node: BuiltinNode::new(config.node.clone()),
            layers,
            config,
            closed: BTreeSet::new(),
            originated: None,
            kept: Kept::default(),
            now: Instant::ZERO,
            to_node: VecDeque::new(),
            to_tester: VecDeque::new(),
            held: Vec::new(),
            held_flows: Vec::new(),
            look: None,
            over: false,
        };
        this.begin();
        this.node.handle_timeout(Instant::ZERO);
        this.pump();
        this
    }

    fn begin(&mut self) {
        if let (Some(neighbour), Some(longest)) = (&self.config.udp, self.config.longest_datagram) {
            self.node.set_longest_bundle(neighbour, longest);
        }
        if let Some(red) = self.config.red_length {
            for (_, tester) in self.config.tester.iter().filter(|(door, _)| *door == Door::Ltp) {
                self.node.set_red_length(&tester.node_id().unwrap_or(Eid::None), red);
            }
        }
    }

    fn restart(&mut self) {
        while let Some(change) = self.node.poll_change() {
            self.kept.apply(change);
        }
        // No session of the new engine has the number of one before.
        self.config.node.engine.seed = self.config.node.engine.seed.wrapping_add(1);
        self.node = BuiltinNode::new(self.config.node.clone());
        self.begin();
        self.node.restore(self.now, self.kept.snapshot(), Vec::new());
        self.node.handle_timeout(self.now);
        self.pump();
    }

    /// Takes from the node what it has to send or to tell.
    fn pump(&mut self) {
        let now = self.now;
        while let Some(change) = self.node.poll_change() {
            self.kept.apply(change);
        }
        while self.node.poll_reception_change().is_some() {}
        self.pump_streams();
        loop {
            let mut frames = Vec::new();
            for &(door, outgoing, _) in self.config.ltp.iter().filter(|(door, ..)| !self.closed.contains(door)) {
                frames.extend(std::iter::from_fn(|| self.node.poll_transmit(now, outgoing)).map(|f| (door, f)));
            }
            if let Some(neighbour) = self.config.udp.as_ref().filter(|_| !self.closed.contains(&Door::Udp)) {
                while let Some(outgoing) = self.node.poll_forward(now, neighbour) {
                    let length = usize::try_from(outgoing.block.len()).unwrap_or(usize::MAX);
                    frames.push((Door::Udp, outgoing.block.slice(0, length)));
                    self.node.forwarded(now, outgoing.handle);
                }
            }
            if frames.is_empty() {
                break;
            }
            for (door, octets) in frames {
                self.leave(Frame { door, octets });
            }
        }
        while let Some(delivery) = self.node.poll_delivery() {
            self.node.delivered(now, delivery.handle);
            let payload = delivery.payload.concat();
            let times = self.config.mutation.as_mut().map_or(1, |mutation| mutation.delivers(&payload));
            let what = Happening::Delivered { destination: Some(delivery.destination), payload };
            self.to_tester.extend(vec![Arrival { at: now, what }; times]);
        }
        self.pump_streams();
        while self.node.poll_event().is_some() {}
        while self.node.poll_report().is_some() {}
    }

    fn streams(&mut self) -> &mut SimulatedStreams {
        let streams = self.layers.streams();
        streams.now = self.now;
        streams
    }

    /// Lets the stream layers do what is due, and carries what they do.
    fn pump_streams(&mut self) {
        let now = self.now;
        loop {
            self.layers.streams().advance(now);
            while let Some(event) = self.layers.streams().poll_event() {
                self.stream_event(event);
                self.carry_streams();
            }
            self.layers.handle_timeout(now, &mut self.node);
            self.layers.dial(now, &mut self.node);
            self.layers.accept_transfers(now, &mut self.node);
            let look = self.layers.send(now, &mut self.node);
            let timeout = self.layers.poll_timeout(now);
            self.look = [timeout, (look < Instant::MAX).then_some(look)].into_iter().flatten().min();
            self.carry_streams();
            if self.over || self.layers.streams().poll_timeout().is_none_or(|at| at > now) {
                break;
            }
        }
        let arrivals = self.layers.streams().take_arrivals();
        self.to_tester.extend(arrivals);
        self.layers.take_lines().for_each(drop);
    }

    /// An event of the node's streams, as the mutation lets it hear.
    fn stream_event(&mut self, event: StreamEvent) {
        let flow = match &event {
            StreamEvent::Accepted { connection, .. } => Some((*connection, Flow::Opened)),
            StreamEvent::Connected(connection) => Some((*connection, Flow::Opened)),
            StreamEvent::Data { connection, octets } => Some((*connection, Flow::Octets(octets.clone()))),
            StreamEvent::Closed { connection, reason: CloseReason::Peer } => Some((*connection, Flow::Finished)),
            StreamEvent::Closed { connection, reason: CloseReason::Lost(_) } => Some((*connection, Flow::Reset)),
            _ => None,
        };
        let now = self.now;
        let known = flow.and_then(|(c, flow)| Some((c, self.layers.streams().stream(c)?, flow)));
        let (Some((connection, stream, flow)), Some(mutation)) = (known, &mut self.config.mutation) else {
            return self.layers.handle_event(now, &mut self.node, event);
        };
        let opens = flow == Flow::Opened;
        if opens {
            let outcome = mutation.sends_on(now, stream, Flow::Opened);
            self.held_flows.extend(outcome.later.into_iter().map(|(at, flow)| (at, stream, flow)));
            outcome.now.into_iter().for_each(|flow| self.layers.streams().leave(stream, flow));
        }
        let Some(mutation) = &mut self.config.mutation else { return };
        let outcome = mutation.hears_on(now, stream, flow);
        for flow in outcome.now {
            let event = match flow {
                Flow::Opened => event.clone(),
                Flow::Octets(octets) => StreamEvent::Data { connection, octets },
                Flow::Finished => StreamEvent::Closed { connection, reason: CloseReason::Peer },
                Flow::Reset => StreamEvent::Closed { connection, reason: CloseReason::Lost("reset".to_owned()) },
            };
            self.layers.handle_event(now, &mut self.node, event);
        }
        // What the node itself answers goes first.
        self.carry_streams();
        outcome.back.into_iter().for_each(|flow| self.layers.streams().leave(stream, flow));
        if outcome.ends {
            self.end();
        }
    }

    /// Carries what the node has written, as the mutation lets it.
    fn carry_streams(&mut self) {
        while let Some((stream, flow)) = self.layers.streams().poll_written() {
            let Some(mutation) = &mut self.config.mutation else {
                self.layers.streams().leave(stream, flow);
                continue;
            };
            let outcome = mutation.sends_on(self.now, stream, flow);
            self.held_flows.extend(outcome.later.into_iter().map(|(at, flow)| (at, stream, flow)));
            outcome.now.into_iter().for_each(|flow| self.layers.streams().leave(stream, flow));
            if outcome.ends {
                self.end();
            }
        }
    }

    fn leave(&mut self, frame: Frame) {
        let Some(mutation) = &mut self.config.mutation else { return self.travel(frame) };
        let outcome = mutation.sends(self.now, frame);
        self.held.extend(outcome.later);
        for frame in outcome.now {
            self.travel(frame);
        }
        if outcome.ends {
            self.end();
        }
    }

    fn travel(&mut self, frame: Frame) {
        let at = self.now + self.config.light_time;
        let what = Happening::Datagram { door: frame.door, octets: frame.octets.to_vec() };
        self.to_tester.push_back(Arrival { at, what });
    }

    fn end(&mut self) {
        if !self.over {
            self.over = true;
            let what = Happening::Ended { how: "it was told to".to_owned() };
            self.to_tester.push_back(Arrival { at: self.now, what });
        }
    }

    fn enter(&mut self, frame: Frame) {
        if self.over {
            return;
        }
        let frames = match &mut self.config.mutation {
            None => vec![frame],
            Some(mutation) => {
                let outcome = mutation.hears(self.now, frame);
                for (at, frame) in outcome.later {
                    match at <= self.now {
                        true => self.travel(frame),
                        false => self.held.push((at, frame)),
                    }
                }
                if outcome.ends {
                    self.end();
                }
                outcome.now
            }
        };
        for Frame { door, octets } in frames {
            if let Some(&(_, _, incoming)) = self.config.ltp.iter().find(|(d, ..)| *d == door) {
                self.node.handle_frame(self.now, incoming, octets);
            } else {
                // Nobody can be told that a bundle found no room.
                let _ = self.node.receive(self.now, &Eid::None, &octets, Refusal::Impossible);
            }
            self.pump();
        }
    }

    fn step(&mut self, at: Instant) {
        self.now = self.now.max(at);
        if self.over {
            self.to_node.clear();
            self.held.clear();
            self.held_flows.clear();
            return;
        }
        while self.to_node.front().is_some_and(|(due, _)| *due <= self.now) {
            if let Some((_, frame)) = self.to_node.pop_front() {
                self.enter(frame);
            }
        }
        let now = self.now;
        let due: Vec<Frame> = self.held.extract_if(.., |(due, _)| *due <= now).map(|(_, frame)| frame).collect();
        for frame in due {
            self.travel(frame);
        }
        for (_, stream, flow) in self.held_flows.extract_if(.., |(due, ..)| *due <= now) {
            self.layers.streams().leave(stream, flow);
        }
        if self.node.poll_timeout().is_some_and(|due| due <= self.now) {
            self.node.handle_timeout(self.now);
        }
        self.pump();
    }

    fn has_door(&self, door: Door) -> bool {
        self.config.ltp.iter().any(|(d, ..)| *d == door) || (door == Door::Udp && self.config.udp.is_some())
    }
}

impl Medium for Simulated {
    fn now(&self) -> Instant {
        self.now
    }

    fn send(&mut self, door: Door, octets: &[u8]) -> Result<(), Unable> {
        if !self.has_door(door) {
            return Err(Unable::Unsupported(format!("the node has no {} port", door.as_str())));
        }
        let frame = Frame { door, octets: Bytes::copy_from_slice(octets) };
        self.to_node.push_back((self.now + self.config.light_time, frame));
        Ok(())
    }

    fn connect(&mut self, door: Door) -> Result<Stream, Unable> {
        let stream = self.streams().tester_connects(door);
        stream.ok_or_else(|| Unable::Unsupported(format!("the node does not listen for {}", door.as_str())))
    }

    fn write(&mut self, stream: Stream, octets: &[u8]) -> Result<(), Unable> {
        self.streams().tester_sends(stream, Flow::Octets(Bytes::copy_from_slice(octets)));
        Ok(())
    }

    fn finish(&mut self, stream: Stream) {
        self.streams().tester_sends(stream, Flow::Finished);
    }

    fn reset(&mut self, stream: Stream) {
        self.streams().tester_sends(stream, Flow::Reset);
    }

    fn set_reading(&mut self, stream: Stream, reading: bool) {
        self.streams().tester_reads(stream, reading);
        let arrivals = self.layers.streams().take_arrivals();
        self.to_tester.extend(arrivals);
    }

    fn set_listening(&mut self, door: Door, listening: bool) {
        self.streams().tester_listens(door, listening);
    }

    fn next(&mut self, until: Instant) -> Option<Arrival> {
        loop {
            let arrival = self.to_tester.iter().map(|arrival| arrival.at).min();
            let node = [
                self.to_node.front().map(|(at, _)| *at),
                self.held.iter().map(|(at, _)| *at).min(),
                self.held_flows.iter().map(|(at, ..)| *at).min(),
                self.layers.streams().poll_timeout().filter(|_| !self.over),
                self.look.filter(|_| !self.over),
                self.node.poll_timeout().filter(|_| !self.over),
            ];
            let event = node.into_iter().flatten().min();
            // What happens at the node at the instant of an arrival cannot reach the tester before it.
            if let Some(at) = arrival.filter(|at| *at <= until && event.is_none_or(|event| *at <= event)) {
                self.now = self.now.max(at);
                let place = self.to_tester.iter().position(|arrival| arrival.at == at)?;
                return self.to_tester.remove(place);
            }
            match event.filter(|event| *event <= until) {
                Some(at) => self.step(at),
                None => {
                    self.now = self.now.max(until);
                    return None;
                }
            }
        }
    }

    fn order(&mut self, order: &Order) -> Result<(), Unable> {
        let unsupported = |why: &str| Err(Unable::Unsupported(why.to_owned()));
        match order {
            Order::Originate { door, payload, lifetime, flags, anonymous } => {
                let Some((_, destination)) = self.config.tester.iter().find(|(d, _)| d == door) else {
                    return unsupported("the node has no way to the tester over this door");
                };
                let source = if *anonymous { Eid::None } else { self.config.source.clone() };
                let payload = Bytes::copy_from_slice(payload);
                // Reports on what the node sends go where it sends it.
                let report_to = if *anonymous { Eid::None } else { destination.clone() };
                let transmission = Transmission {
                    lifetime: *lifetime,
                    flags: BundleFlags(*flags),
                    report_to,
                    ..Transmission::new(source, destination.clone(), payload)
                };
                let outcome = self.node.transmit(self.now, transmission, None);
                self.pump();
                self.originated = Some(outcome.map_err(|error| Unable::Failed(error.to_string()))?);
                Ok(())
            }
            Order::Poll => {
                let Some(endpoint) = self.config.passive.clone() else { return unsupported("no endpoint is passive") };
                while self.node.poll_endpoint(self.now, &endpoint) {
                    self.pump();
                }
                Ok(())
            }
            Order::Terminate => {
                self.layers.close(self.now, &mut self.node);
                self.pump();
                Ok(())
            }
            Order::Route { door, open } => {
                if *open {
                    self.closed.remove(door);
                } else {
                    self.closed.insert(*door);
                }
                self.pump();
                Ok(())
            }
            Order::CancelBundle => {
                let Some(id) = self.originated.take() else { return unsupported("the node was told to send nothing") };
                self.node.cancel(self.now, &id);
                self.pump();
                Ok(())
            }
            Order::Restart => {
                self.restart();
                Ok(())
            }
            Order::CancelSending => {
                self.node.cancel_sending(self.now);
                self.pump();
                Ok(())
            }
            Order::CancelReceiving => {
                self.node.cancel_receiving(self.now);
                self.pump();
                Ok(())
            }
        }
    }
}
