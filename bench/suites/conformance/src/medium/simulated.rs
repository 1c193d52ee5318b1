//! The built-in node under a virtual clock, one light time away.

use std::collections::VecDeque;

use bytes::Bytes;
use farlink_engine::bp::{Refusal, Transmission};
use farlink_link::Node as _;
use farlink_nodes::builtin::{BuiltinNode, Config};
use farlink_record::ChannelId;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{BundleFlags, Eid};

use super::{Arrival, Door, Happening, Medium, Order, Stream, Unable};
use crate::mutants::{Frame, Mutation};

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
    /// The endpoint that the tester has with each door.
    pub tester: Vec<(Door, Eid)>,
    /// The source of what the node is told to send.
    pub source: Eid,
    /// The endpoint whose application is asked to poll.
    pub passive: Option<Eid>,
    /// How much of each block to the tester is red, if not all of it.
    pub red_length: Option<u64>,
    /// In which way the node misbehaves.
    pub mutation: Option<Box<dyn Mutation>>,
}

/// The built-in node under a virtual clock. Nothing is lost on the way and nothing waits: each frame takes one light time.
pub struct Simulated {
    node: BuiltinNode,
    config: SimulatedConfig,
    now: Instant,
    to_node: VecDeque<(Instant, Frame)>,
    to_tester: VecDeque<Arrival>,
    /// What the mutation holds back, and when it goes on.
    held: Vec<(Instant, Frame)>,
    over: bool,
}

impl Simulated {
    /// Starts the node.
    pub fn new(mut config: SimulatedConfig) -> Self {
        let node = std::mem::replace(&mut config.node, Config::new(farlink_record::NodeId(0), 0, 0));
        let mut this = Simulated {
            node: BuiltinNode::new(node),
            config,
            now: Instant::ZERO,
            to_node: VecDeque::new(),
            to_tester: VecDeque::new(),
            held: Vec::new(),
            over: false,
        };
        if let Some(red) = this.config.red_length {
            for (_, tester) in this.config.tester.iter().filter(|(door, _)| *door == Door::Ltp) {
                this.node.set_red_length(&tester.node_id().unwrap_or(Eid::None), red);
            }
        }
        this.node.handle_timeout(Instant::ZERO);
        this.pump();
        this
    }

    /// Takes from the node what it has to send or to tell.
    fn pump(&mut self) {
        let now = self.now;
        loop {
            let mut frames = Vec::new();
            for &(door, outgoing, _) in &self.config.ltp {
                frames.extend(std::iter::from_fn(|| self.node.poll_transmit(now, outgoing)).map(|f| (door, f)));
            }
            if let Some(neighbour) = &self.config.udp {
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
        while self.node.poll_event().is_some() {}
        while self.node.poll_report().is_some() {}
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
        Err(Unable::Unsupported(format!("the node does not listen for {}", door.as_str())))
    }

    fn write(&mut self, _stream: Stream, _octets: &[u8]) -> Result<(), Unable> {
        Ok(())
    }

    fn finish(&mut self, _stream: Stream) {}

    fn reset(&mut self, _stream: Stream) {}

    fn set_reading(&mut self, _stream: Stream, _reading: bool) {}

    fn set_listening(&mut self, _door: Door, _listening: bool) {}

    fn next(&mut self, until: Instant) -> Option<Arrival> {
        loop {
            let arrival = self.to_tester.iter().map(|arrival| arrival.at).min();
            let node = [
                self.to_node.front().map(|(at, _)| *at),
                self.held.iter().map(|(at, _)| *at).min(),
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
                let transmission = Transmission {
                    lifetime: *lifetime,
                    flags: BundleFlags(*flags),
                    ..Transmission::new(source, destination.clone(), payload)
                };
                let outcome = self.node.transmit(self.now, transmission, None);
                self.pump();
                outcome.map(drop).map_err(|error| Unable::Failed(error.to_string()))
            }
            Order::Poll => {
                let Some(endpoint) = self.config.passive.clone() else { return unsupported("no endpoint is passive") };
                while self.node.poll_endpoint(self.now, &endpoint) {
                    self.pump();
                }
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
            Order::Terminate | Order::Route { .. } => unsupported("the simulated node has no command for it"),
        }
    }
}
