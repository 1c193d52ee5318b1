//! Retransmission hop by hop against end to end, over a chain of built-in nodes under the virtual clock.
//!
//! The founding documents say what to expect (draft-irtf-ipnrg-arch-01, section 2.1.1, "Packet Loss and Errors"): with a packet loss of 0.3 on each
//! hop, 4, 10 and 20 hops need 3, 34 and about 1200 retransmissions of a message end to end, and 2, 5 and 9 in the whole network if each hop sends
//! again what it loses. Their assumptions are kept: losses are independent, a message is one packet, what goes back is never lost.
//!
//! Hop by hop is red LTP, each message a bundle in a block of one segment. End to end is green LTP, which sends once; the source sends
//! the message again, as a new bundle, when the one before has been lost.

use std::collections::HashSet;

use bytes::Bytes;
use farlink_channel_models::errors::{Erasures, ErrorModel};
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_engine::bp::{Registration, Transmission};
use farlink_engine::ltp::PeerConfig;
use farlink_engine::routing::{EidPattern, StaticRoute};
use farlink_engine::schedule::{Schedule, Window};
use farlink_link::{Bench, Channel, ChannelConfig, Contacts, Damaged};
use farlink_nodes::builtin::{BuiltinNode, Config, Neighbour};
use farlink_record::{ChannelId, Event, NodeId};
use farlink_units::{BitRate, Duration, Instant};
use farlink_wire::bpv7::Eid;

use crate::pair::DTN_TIME_AT_START_MS;
use crate::seed::derive;

const LIGHT_TIME: Duration = Duration::from_millis(100);
const MESSAGE_BYTES: usize = 500;
const APPLICATION: u64 = 1;
/// Far longer than a message needs that a hop sends again a hundred times, and short enough for nodes to forget it soon.
const LIFETIME: Duration = Duration::from_secs(3600);
const RATE_BPS: u64 = 1_000_000;
/// A message that needs more attempts than this is given up; the mean of 20 hops at a loss of 0.3 is 1252.
const MOST_ATTEMPTS: u64 = 1_000_000;

/// A chain of nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    /// How many hops.
    pub hops: u64,
    /// Which part of the frames with data is lost on each.
    pub frame_loss: f64,
    /// How many messages.
    pub messages: u64,
    /// Whether each hop sends again what it loses; otherwise the source does.
    pub hop_by_hop: bool,
}

/// What a chain came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Carried {
    /// Retransmissions for each message: hop by hop those of all hops, end to end those of the source.
    pub retransmissions: f64,
    /// Frames with data for each message, over all hops.
    pub frames: f64,
    /// Whether every message arrived.
    pub complete: bool,
}

impl Chain {
    fn neighbour(&self, place: u64, there: u64) -> Neighbour {
        let forward = there > place;
        let channel = |from: u64, to: u64| ChannelId((2 * from.min(to) + u64::from(to < from)) as u16);
        let schedule = || Schedule::new(vec![Window::always(RATE_BPS, LIGHT_TIME)]);
        Neighbour {
            id: NodeId(there as u16),
            node: Eid::ipn(there + 1, 0),
            engine: there + 1,
            outgoing: channel(place, there),
            incoming: channel(there, place),
            transmit: schedule(),
            receive: schedule(),
            overhead_bits: 0,
            // A message is lost a hundred times in a row on no chain that is measured.
            ltp: PeerConfig { retransmission_limit: 100, ..PeerConfig::default() },
            reliable: self.hop_by_hop || !forward,
            aggregation: None,
        }
    }

    fn node(&self, place: u64, seed: u64) -> BuiltinNode {
        let alone = Config::new(NodeId(place as u16), place + 1, seed);
        let before = place.checked_sub(1);
        let after = (place < self.hops).then_some(place + 1);
        let destination = self.hops + 1;
        BuiltinNode::new(Config {
            agent: farlink_engine::bp::Config { dtn_time_at_zero_ms: DTN_TIME_AT_START_MS, ..alone.agent },
            neighbours: before.into_iter().chain(after).map(|there| self.neighbour(place, there)).collect(),
            endpoints: vec![(Eid::ipn(place + 1, APPLICATION), Registration::ACTIVE)],
            routes: after
                .map(|next| StaticRoute { to: EidPattern::IpnNode(destination), via: Eid::ipn(next + 1, 0), metric: 0 })
                .into_iter()
                .collect(),
            ..alone
        })
    }

    fn channel(&self, id: u64, seed: u64) -> Channel {
        let lossy = id.is_multiple_of(2) && self.frame_loss > 0.0;
        let model = ErrorModel::Erasures(Erasures::Independent { probability: self.frame_loss });
        let errors = if lossy { Errors::new(&[model], derive(seed, &format!("hop {id}"))) } else { Ok(Errors::none()) };
        Channel::new(ChannelConfig {
            id: ChannelId(id as u16),
            rate: Rate::constant(BitRate::from_bps(RATE_BPS).unwrap_or(BitRate::UNLIMITED)),
            overhead_bits: 0,
            contacts: Contacts::Always,
            light_time: LightTime::Constant(LIGHT_TIME),
            errors: errors.unwrap_or_else(|_| Errors::none()),
            damaged: Damaged::Drop,
            radio: None,
            queue_bits: 1 << 40,
            seed,
        })
    }

    /// Sends the messages, one after the other: what one meets does not depend on the others. The same seed gives the same result.
    pub fn run(&self, seed: u64) -> Carried {
        let nodes = (0..=self.hops).map(|place| self.node(place, derive(seed, &format!("node {place}")))).collect();
        let channels = (0..2 * self.hops).map(|id| {
            let (a, b) = (NodeId((id / 2) as u16), NodeId((id / 2 + 1) as u16));
            let (from, to) = if id.is_multiple_of(2) { (a, b) } else { (b, a) };
            (self.channel(id, seed), from, to)
        });
        let mut bench = Bench::new(nodes, channels.collect());
        let (source, sink) = (NodeId(0), NodeId(self.hops as u16));
        let (mut attempts, mut frames, mut arrived) = (0u64, 0u64, 0u64);
        let mut now = Instant::ZERO;
        let mut sent = HashSet::new();
        for _ in 0..self.messages {
            let mut there = false;
            let mut tries = 0;
            while !there && tries < MOST_ATTEMPTS {
                if tries > 0 && self.hop_by_hop {
                    break;
                }
                tries += 1;
                let payload = Bytes::from(vec![0x55; MESSAGE_BYTES]);
                let (from, to) = (Eid::ipn(1, APPLICATION), Eid::ipn(self.hops + 1, APPLICATION));
                let transmission = Transmission { lifetime: LIFETIME, ..Transmission::new(from, to, payload) };
                let Ok(id) = bench.node_mut(source).transmit(now, transmission, None) else { break };
                sent.insert(id);
                let mut count = |event: &Event| {
                    if let Event::FrameSent { channel, bytes, .. } = event {
                        // Reports and acknowledgments are shorter than any message.
                        frames += u64::from(channel.0.is_multiple_of(2) && *bytes as usize > MESSAGE_BYTES);
                    }
                };
                bench.attend_to(now, source, &mut |stamped| count(&stamped.event));
                // Until nothing is on its way any more: the source then knows what became of the message, as the draft assumes.
                let until = now + LIFETIME;
                while let Some(at) = bench.next_instant().filter(|at| *at <= until) {
                    now = at;
                    bench.step(&mut |stamped| count(&stamped.event));
                    while let Some(delivery) = bench.node_mut(sink).poll_delivery() {
                        there |= sent.remove(&delivery.id);
                    }
                    if there && !self.hop_by_hop {
                        break;
                    }
                }
            }
            attempts += tries;
            arrived += u64::from(there);
        }
        let messages = self.messages as f64;
        let again = if self.hop_by_hop { frames - self.hops * arrived } else { attempts - self.messages };
        Carried {
            retransmissions: again as f64 / messages,
            frames: frames as f64 / messages,
            complete: arrived == self.messages,
        }
    }
}
