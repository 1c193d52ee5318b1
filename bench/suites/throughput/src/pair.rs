//! Two built-in nodes and one link, under the virtual clock.

use std::collections::{HashMap, VecDeque};
use std::path::Path as FilePath;

use bytes::Bytes;
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_engine::bp::{Agent, Registration, Transmission};
use farlink_engine::ltp::PeerConfig;
use farlink_engine::routing::{EidPattern, StaticRoute};
use farlink_engine::schedule::{Schedule, Window};
use farlink_link::{Bench, Channel, ChannelConfig, Contacts, Damaged, Node};
use farlink_nodes::builtin::{BuiltinNode, Config, Neighbour};
use farlink_record::{ChannelId, Event, LtpNotice, NodeId, Stamped};
use farlink_units::{BitRate, Duration, Instant};
use farlink_wire::bpv7::Eid;
use farlink_wire::ltp::{Content, Segment, SessionId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::capture::Capture;
use crate::floor::{Floor, Sent};
use crate::seed::derive;
use crate::stats::{mser5, quantile};
use crate::trace::Trace;

const SENDER: u64 = 10;
const RECEIVER: u64 = 20;
const APPLICATION: u64 = 1;
const OUT: ChannelId = ChannelId(0);
const BACK: ChannelId = ChannelId(1);
/// DTN time (RFC 9171, section 4.2.6) at the start: 2026-01-01. At zero itself bundles would be those of a node without a clock.
pub(crate) const DTN_TIME_AT_START_MS: u64 = 820_454_400_000;
/// Into how many parts a span is cut to see when the goodput becomes steady.
const INTERVALS: usize = 200;
/// After so many times what it takes without an error, a bundle at a time, a run has failed.
const PATIENCE: i64 = 100;

/// What the pair is, and what it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// One-way light time.
    pub light_time: Duration,
    /// Bit error ratio of both directions.
    pub ber: f64,
    /// Data rate out.
    pub rate: BitRate,
    /// Data rate back.
    pub rate_back: BitRate,
    /// Longest segment in octets.
    pub segment_bytes: u64,
    /// Application data of a bundle in octets.
    pub bundle_bytes: u64,
    /// Octets of bundles to a block; `None` for one bundle.
    pub block_bytes: Option<u64>,
    /// Most sessions at once.
    pub sessions: Option<u64>,
    /// What is sent.
    pub given: Given,
}

/// What the sender is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Given {
    /// So many octets at once.
    Amount(u64),
    /// Bundles at random instants (a Poisson process).
    Load {
        /// Application data in bit/s on average.
        bps: f64,
        /// For how long.
        span: Duration,
    },
}

/// What one run comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Application data that was offered, in octets.
    pub offered_bytes: u64,
    /// From the first offer to the last delivery, in seconds; `None` if not everything arrived.
    pub completion_s: Option<f64>,
    /// What [`Floor`] allows for that.
    pub floor_s: f64,
    /// Application data delivered a second: over the completion of an amount, over the steady part of a load. `None` if that never became
    /// steady.
    pub goodput_bps: Option<f64>,
    /// Application data offered a second, over the same time.
    pub offered_bps: f64,
    /// From the offer of each bundle to its delivery, in seconds and in the order of the offers; under load without the warm-up.
    pub delays_s: Vec<f64>,
    /// Segments with data that left.
    pub segments: u64,
    /// Those of them whose octets had all left before.
    pub segments_again: u64,
    /// Most sessions that the sender had open at once.
    pub sessions_max: u64,
    /// Most octets in the sender's store.
    pub stored_max_bytes: u64,
    /// Bits that left in both directions.
    pub bits_sent: u64,
    /// Sessions that were given up.
    pub cancelled: u64,
}

impl Measured {
    /// Bits sent for each bit delivered.
    pub fn bits_per_bit(&self) -> f64 {
        self.bits_sent as f64 / (self.offered_bytes as f64 * 8.0)
    }
}

/// A node whose frames are looked at as they leave.
struct Tapped {
    node: BuiltinNode,
    left: VecDeque<Bytes>,
}

impl Node for Tapped {
    fn handle_frame(&mut self, now: Instant, channel: ChannelId, frame: Bytes) {
        self.node.handle_frame(now, channel, frame);
    }

    fn poll_transmit(&mut self, now: Instant, channel: ChannelId) -> Option<Bytes> {
        let frame = self.node.poll_transmit(now, channel)?;
        self.left.push_back(frame.clone());
        Some(frame)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.node.handle_timeout(now);
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.node.poll_event()
    }
}

/// The frames under way of one direction, and what came of them.
struct Watch {
    floor: Floor,
    /// Data segments of the way out, by the number of their frame.
    under_way: HashMap<u64, Sent>,
    /// Up to where each block has left once.
    left_up_to: HashMap<SessionId, u64>,
    measured: Measured,
    open: u64,
    trace: Option<Trace>,
}

impl Watch {
    fn event(&mut self, stamped: &Stamped, left: &mut [VecDeque<Bytes>; 2]) {
        match &stamped.event {
            Event::FrameSent { channel, frame, bytes, start } => {
                let Some(content) = left[usize::from(channel.0)].pop_front() else { return };
                self.measured.bits_sent += u64::from(*bytes) * 8;
                if let Some(trace) = &mut self.trace {
                    trace.sent(*channel == OUT, *frame, *start, &content);
                }
                if *channel == OUT
                    && let Ok((segment, _)) = Segment::parse(&content)
                    && let Content::Data(data) = &segment.content
                {
                    let range = data.offset..data.offset + data.data.len() as u64;
                    let up_to = self.left_up_to.entry(segment.session).or_default();
                    self.measured.segments += 1;
                    self.measured.segments_again += u64::from(range.end <= *up_to);
                    *up_to = range.end.max(*up_to);
                    let sent = Sent { at: *start, session: segment.session, range, bits: u64::from(*bytes) * 8 };
                    self.under_way.insert(*frame, sent);
                }
            }
            Event::FrameDelivered { channel, frame, .. } => {
                self.arrived(*channel, *frame, stamped.at, true);
            }
            Event::FrameLost { channel, frame, .. } => self.arrived(*channel, *frame, stamped.at, false),
            Event::Ltp { node: NodeId(0), session, notice, .. } => {
                match notice {
                    LtpNotice::BlockStarted { .. } => self.open += 1,
                    LtpNotice::BlockAcknowledged => self.open = self.open.saturating_sub(1),
                    LtpNotice::Cancelled { .. } => {
                        self.open = self.open.saturating_sub(1);
                        self.measured.cancelled += 1;
                    }
                    _ => {}
                }
                self.measured.sessions_max = self.measured.sessions_max.max(self.open);
                if let Some(trace) = &mut self.trace {
                    trace.notice(stamped.at, *session, notice);
                }
            }
            _ => {}
        }
    }

    fn arrived(&mut self, channel: ChannelId, frame: u64, at: Instant, delivered: bool) {
        if let Some(trace) = &mut self.trace {
            trace.arrived(channel == OUT, frame, at, delivered);
        }
        if channel == OUT
            && let Some(sent) = self.under_way.remove(&frame)
        {
            if delivered {
                self.floor.delivered(&sent);
            } else {
                self.floor.lost(&sent);
            }
        }
    }
}

impl Pair {
    fn node(&self, place: u16, seed: u64) -> BuiltinNode {
        let numbers = [SENDER, RECEIVER];
        let (own, peer) = (numbers[usize::from(place)], numbers[usize::from(1 - place)]);
        let rates = [self.rate.bps(), self.rate_back.bps()];
        let schedule = |rate: u64| Schedule::new(vec![Window::always(rate, self.light_time)]);
        let config = Config::new(NodeId(place), own, seed);
        BuiltinNode::new(Config {
            neighbours: vec![Neighbour {
                id: NodeId(1 - place),
                node: Eid::ipn(peer, 0),
                engine: peer,
                outgoing: ChannelId(place),
                incoming: ChannelId(1 - place),
                transmit: schedule(rates[usize::from(place)]),
                receive: schedule(rates[usize::from(1 - place)]),
                overhead_bits: 0,
                ltp: PeerConfig {
                    segment_size: usize::try_from(self.segment_bytes).unwrap_or(usize::MAX),
                    max_blocks: self.sessions.map_or(PeerConfig::default().max_blocks, |limit| limit as usize),
                    ..PeerConfig::default()
                },
                reliable: true,
                // Long enough for what is offered at one instant, and nothing beside the time on the way.
                aggregation: self.block_bytes.map(|size| (size, Duration::from_millis(1))),
            }],
            endpoints: vec![(Eid::ipn(own, APPLICATION), Registration::ACTIVE)],
            agent: farlink_engine::bp::Config { dtn_time_at_zero_ms: DTN_TIME_AT_START_MS, ..config.agent },
            routes: vec![StaticRoute { to: EidPattern::IpnNode(peer), via: Eid::ipn(peer, 0), metric: 0 }],
            ..config
        })
    }

    fn channel(&self, id: ChannelId, rate: BitRate, seed: u64) -> Channel {
        Channel::new(ChannelConfig {
            id,
            rate: Rate::constant(rate),
            overhead_bits: 0,
            contacts: Contacts::Always,
            light_time: LightTime::Constant(self.light_time),
            errors: Errors::independent(self.ber, derive(seed, &format!("errors {}", id.0))),
            damaged: Damaged::Drop,
            radio: None,
            queue_bits: 1 << 40,
            seed,
        })
    }

    fn transmission(bytes: u64) -> Transmission {
        let payload = Bytes::from(vec![0x55; usize::try_from(bytes).unwrap_or(usize::MAX)]);
        let lifetime = Duration::from_secs(10 * 365 * 86_400);
        let (from, to) = (Eid::ipn(SENDER, APPLICATION), Eid::ipn(RECEIVER, APPLICATION));
        Transmission { lifetime, ..Transmission::new(from, to, payload) }
    }

    /// Octets of a bundle with so much application data, as this node encodes it.
    pub fn encoded_bytes(payload: u64) -> u64 {
        let mut config = farlink_engine::bp::Config::new(Eid::ipn(SENDER, 0));
        config.dtn_time_at_zero_ms = DTN_TIME_AT_START_MS;
        let mut agent = Agent::new(config);
        let (peer, start) = (Eid::ipn(RECEIVER, 0), Instant::ZERO);
        let route = StaticRoute { to: EidPattern::IpnNode(RECEIVER), via: peer.clone(), metric: 0 };
        let encoded = agent
            .add_route(route)
            .ok()
            .and_then(|_| agent.transmit(start, Self::transmission(payload)).ok())
            .and_then(|_| agent.poll_forward(start, &peer));
        encoded.map_or(payload, |outgoing| outgoing.block.len())
    }

    /// The sizes of the bundles of an amount, in octets of application data.
    pub fn bundles(&self, amount: u64) -> Vec<u64> {
        let whole = amount / self.bundle_bytes;
        let rest = amount % self.bundle_bytes;
        (0..whole).map(|_| self.bundle_bytes).chain((rest > 0).then_some(rest)).collect()
    }

    /// When which bundle is offered, in octets of application data.
    fn offers(&self, seed: u64) -> Vec<(Instant, u64)> {
        match self.given {
            Given::Amount(amount) => self.bundles(amount).into_iter().map(|bytes| (Instant::ZERO, bytes)).collect(),
            Given::Load { bps, span } => {
                let mut rng = ChaCha8Rng::seed_from_u64(derive(seed, "offers"));
                let mean = self.bundle_bytes as f64 * 8.0 / bps;
                let mut at = 0.0;
                let mut offers = Vec::new();
                loop {
                    // In 2^-53 steps above zero, so that the logarithm is finite.
                    let uniform = ((rng.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
                    at -= mean * uniform.ln();
                    if at >= span.as_secs_f64() {
                        return offers;
                    }
                    offers.push((Instant::ZERO + Duration::from_secs_f64(at), self.bundle_bytes));
                }
            }
        }
    }

    /// Runs once. The same seed gives the same result to the bit. The first frames are kept for a picture if `traced`, and what was delivered
    /// goes to a capture file if one is named.
    ///
    /// # Errors
    /// The capture cannot be written.
    pub fn run(
        &self,
        seed: u64,
        traced: bool,
        capture: Option<&FilePath>,
    ) -> std::io::Result<(Measured, Option<Trace>)> {
        let mut capture = capture.map(|path| Capture::create(path, self, seed)).transpose()?;
        let nodes = (0..2).map(|place| {
            let node = self.node(place, derive(seed, &format!("node {place}")));
            Tapped { node, left: VecDeque::new() }
        });
        let channels = vec![
            (self.channel(OUT, self.rate, seed), NodeId(0), NodeId(1)),
            (self.channel(BACK, self.rate_back, seed), NodeId(1), NodeId(0)),
        ];
        let mut bench = Bench::new(nodes.collect(), channels);
        let mut watch = Watch {
            floor: Floor::new(self.light_time, self.rate.bps()),
            under_way: HashMap::new(),
            left_up_to: HashMap::new(),
            measured: Measured::default(),
            open: 0,
            trace: traced.then(Trace::default),
        };
        let offers = self.offers(seed);
        let span = match self.given {
            Given::Amount(_) => Duration::ZERO,
            Given::Load { span, .. } => span,
        };
        // Far more than any of it can need: an engine that stands still is not waited for in vain.
        let airtime = self.rate.time_for_bits(offers.iter().map(|(_, bytes)| bytes * 8).sum());
        let trips = (self.light_time + self.light_time).saturating_mul(offers.len() as i64 + 1);
        let end = Instant::ZERO + (span + airtime + trips + Duration::from_secs(60)).saturating_mul(PATIENCE);
        let mut arrivals: Vec<Option<Instant>> = vec![None; offers.len()];
        let mut numbers = HashMap::new();
        let (mut next_offer, mut missing) = (0, offers.len());
        let mut left = [VecDeque::new(), VecDeque::new()];
        let mut events: Vec<Stamped> = Vec::new();
        while missing > 0 {
            let offer = offers.get(next_offer).map(|offer| offer.0);
            let event = bench.next_instant();
            let Some(now) = offer.into_iter().chain(event).min().filter(|now| *now <= end) else { break };
            if offer == Some(now) && event.is_none_or(|event| now < event) {
                while let Some((_, bytes)) = offers.get(next_offer).filter(|offer| offer.0 == now) {
                    let node = &mut bench.node_mut(NodeId(0)).node;
                    if let Ok(id) = node.transmit(now, Self::transmission(*bytes), None) {
                        numbers.insert(id, next_offer);
                    }
                    watch.measured.offered_bytes += bytes;
                    next_offer += 1;
                }
                let stored = bench.node_mut(NodeId(0)).node.stored_bytes();
                watch.measured.stored_max_bytes = watch.measured.stored_max_bytes.max(stored);
                bench.attend_to(now, NodeId(0), &mut |stamped| events.push(stamped));
            } else {
                bench.step(&mut |stamped| events.push(stamped));
            }
            for (place, left) in left.iter_mut().enumerate() {
                left.append(&mut bench.node_mut(NodeId(place as u16)).left);
            }
            for stamped in events.drain(..) {
                watch.event(&stamped, &mut left);
                if let Some(capture) = &mut capture {
                    capture.event(&stamped)?;
                }
            }
            while let Some(delivery) = bench.node_mut(NodeId(1)).node.poll_delivery() {
                if let Some(number) = numbers.remove(&delivery.id) {
                    arrivals[number] = Some(now);
                    missing -= 1;
                }
            }
        }
        if let Some(capture) = capture {
            capture.finish()?;
        }
        let Watch { floor, mut measured, trace, .. } = watch;
        measured.floor_s = floor.seconds();
        self.sum_up(&mut measured, &offers, &arrivals, span);
        Ok((measured, trace))
    }

    fn sum_up(&self, measured: &mut Measured, offers: &[(Instant, u64)], arrivals: &[Option<Instant>], span: Duration) {
        let Some(arrivals) = arrivals.iter().copied().collect::<Option<Vec<Instant>>>() else { return };
        let Some(last) = arrivals.iter().max() else { return };
        let start = offers.first().map_or(Instant::ZERO, |offer| offer.0);
        measured.completion_s = Some((*last - start).as_secs_f64());
        let delays: Vec<f64> = offers.iter().zip(&arrivals).map(|(offer, at)| (*at - offer.0).as_secs_f64()).collect();
        if span == Duration::ZERO {
            let bits = measured.offered_bytes as f64 * 8.0;
            measured.goodput_bps = measured.completion_s.map(|seconds| bits / seconds);
            measured.offered_bps = f64::INFINITY;
            measured.delays_s = delays;
            return;
        }
        let seconds = span.as_secs_f64();
        let mut delivered = [0.0; INTERVALS];
        for (at, (_, bytes)) in arrivals.iter().zip(offers) {
            let place = (at.as_secs_f64() / seconds * INTERVALS as f64) as usize;
            if let Some(interval) = delivered.get_mut(place) {
                *interval += *bytes as f64 * 8.0;
            }
        }
        if let Some(steady) = mser5(&delivered) {
            let kept = INTERVALS - steady.from;
            let kept_s = seconds * kept as f64 / INTERVALS as f64;
            measured.goodput_bps = Some(delivered[steady.from..].iter().sum::<f64>() / kept_s);
        }
        measured.offered_bps = measured.offered_bytes as f64 * 8.0 / seconds;
        // Where delays go on growing there is none to tell of.
        if let Some(steady) = mser5(&delays) {
            measured.delays_s = delays[steady.from..].to_vec();
        }
    }
}

/// A hundred and one quantiles of delays, from the least to the longest.
pub fn quantiles(mut values: Vec<f64>) -> Vec<f64> {
    if values.is_empty() {
        return values;
    }
    values.sort_by(f64::total_cmp);
    (0..=100).map(|percent| quantile(&values, f64::from(percent) / 100.0)).collect()
}
