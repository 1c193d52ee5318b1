//! From a checked scenario to a bench that can run.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use farlink_channel_models::Errors;
use farlink_engine::bp::{self, Registration, Transmission};
use farlink_engine::ltp::PeerConfig;
use farlink_engine::routing::{EidPattern, StaticRoute};
use farlink_link::{Bench, Channel, ChannelConfig, Contacts, Damaged, Radio};
use farlink_nodes::builtin::{BuiltinNode, Config, Neighbour};
use farlink_record::recording::hex;
use farlink_record::{ChannelId, ChannelInfo, ContactInfo, Header, NodeId, NodeInfo, RateInfo, TrafficId, TrafficInfo};
use farlink_scenario::{Content, DamagedFrames, Scenario, Tolerance};
use farlink_units::{BitRate, Instant};
use farlink_wire::bpv7::{BundleFlags, Eid};
use hifitime::Epoch;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::plan::{ChannelPlan, plan};
use crate::radio::SampledRadio;
use crate::run::ClockKind;
use crate::signal::SignalError;

/// Service number of the application at either end of the traffic.
const APPLICATION: u64 = 1;

/// 2000-01-01T00:00:00Z in Unix time, where DTN time begins (RFC 9171 §4.2.6).
const DTN_EPOCH_UNIX_MS: i64 = 946_684_800_000;

/// Why a scenario could not be set up.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// The scenario has no traffic.
    #[error("the scenario sends nothing: add `traffic:` with what is sent, or look at it with `farlink plan`")]
    NothingToSend,
    /// The signal of a channel could not be worked out.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// A payload could not be read, although the check has found it.
    #[error("cannot read the payload {}: {source}", path.display())]
    Payload {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store of the sender is smaller than what it shall send.
    #[error(
        "`{traffic}` is {bytes} bytes, but the store of `{node}` holds {storage}: raise `storage` of that node in the \
         scenario"
    )]
    Storage {
        /// Which traffic.
        traffic: String,
        /// Its size.
        bytes: u64,
        /// Which node.
        node: String,
        /// What its store holds.
        storage: u64,
    },
}

/// Something that the scenario sends, ready to be sent.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) id: TrafficId,
    pub(crate) name: String,
    pub(crate) file_name: String,
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) at: Instant,
    pub(crate) transmission: Transmission,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) report: bool,
    pub(crate) arrives_by: Option<Instant>,
}

/// A run that is set up and has not begun.
#[derive(Debug)]
pub struct Prepared {
    /// What the recording begins with.
    pub header: Header,
    pub(crate) bench: Bench<BuiltinNode>,
    pub(crate) sendings: Vec<Sending>,
    pub(crate) end: Instant,
    pub(crate) clock: ClockKind,
    pub(crate) epoch_unix_nanos: i64,
    pub(crate) tolerance: Option<Tolerance>,
}

/// Sets a scenario up.
///
/// # Errors
/// Nothing to send, a payload that cannot be read, or that its sender has no room for.
pub fn prepare(scenario: &Scenario, clock: ClockKind) -> Result<Prepared, PrepareError> {
    if scenario.traffic.is_empty() {
        return Err(PrepareError::NothingToSend);
    }
    let end = Instant::ZERO + scenario.duration;
    let channels = plan(scenario)?;
    let sendings = sendings(scenario)?;
    let epoch_unix_nanos = unix_nanos(scenario.epoch);
    let header = header(scenario, clock, &channels, &sendings, end);
    let reports = sendings.iter().any(|s| s.report);
    let nodes = (0..scenario.nodes.len())
        .map(|index| BuiltinNode::new(node(scenario, index, &channels, epoch_unix_nanos, reports, end)))
        .collect();
    let coupled = channels
        .iter()
        .enumerate()
        .map(|(index, plan)| {
            let channel = channel(scenario, index, plan, &header.channels[index].name)?;
            Ok((Channel::new(channel), NodeId(plan.from as u16), NodeId(plan.to as u16)))
        })
        .collect::<Result<_, SignalError>>()?;
    Ok(Prepared {
        header,
        bench: Bench::new(nodes, coupled),
        sendings,
        end,
        clock,
        epoch_unix_nanos,
        tolerance: scenario.tolerance,
    })
}

pub(crate) fn unix_nanos(epoch: Epoch) -> i64 {
    let since_1970 = epoch.to_utc_duration() - Epoch::from_unix_seconds(0.0).to_utc_duration();
    i64::try_from(since_1970.total_nanoseconds()).unwrap_or(i64::MAX)
}

/// A seed for one part of the run, so that no two parts draw the same numbers and none depends on how many there are.
fn derive_seed(seed: u64, part: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(part.as_bytes());
    let digest = hash.finalize();
    digest[..8].iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

fn sendings(scenario: &Scenario) -> Result<Vec<Sending>, PrepareError> {
    let prepare = |(index, traffic): (usize, &farlink_scenario::Traffic)| {
        let (payload, file_name) = match &traffic.content {
            Content::Text(text) => (Bytes::copy_from_slice(text.as_bytes()), format!("{}.txt", traffic.name)),
            Content::File(path) => {
                let read = fs::read(path).map_err(|source| PrepareError::Payload { path: path.clone(), source })?;
                let base = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                (read.into(), format!("{}-{base}", traffic.name))
            }
        };
        let sender = &scenario.nodes[traffic.from];
        let bytes = payload.len() as u64;
        if bytes > sender.storage.bytes() {
            return Err(PrepareError::Storage {
                traffic: traffic.name.clone(),
                bytes,
                node: sender.name.clone(),
                storage: sender.storage.bytes(),
            });
        }
        let flags = if traffic.report_delivery {
            BundleFlags::REPORT_DELIVERY | BundleFlags::STATUS_TIME_REQUESTED
        } else {
            BundleFlags(0)
        };
        Ok(Sending {
            id: TrafficId(index as u16),
            name: traffic.name.clone(),
            file_name,
            from: NodeId(traffic.from as u16),
            to: NodeId(traffic.to as u16),
            at: Instant::ZERO + traffic.at,
            sha256: hex(&Sha256::digest(&payload)),
            bytes,
            report: traffic.report_delivery,
            arrives_by: traffic.arrives_by.map(|by| Instant::ZERO + by),
            transmission: Transmission {
                report_to: Eid::ipn(sender.node_number, 0),
                flags,
                lifetime: traffic.lifetime,
                max_payload: usize::try_from(traffic.bundle_size.bytes()).ok(),
                ..Transmission::new(
                    Eid::ipn(sender.node_number, APPLICATION),
                    Eid::ipn(scenario.nodes[traffic.to].node_number, APPLICATION),
                    payload,
                )
            },
        })
    };
    scenario.traffic.iter().enumerate().map(prepare).collect()
}

pub(crate) fn header(
    scenario: &Scenario,
    clock: ClockKind,
    channels: &[ChannelPlan],
    sendings: &[Sending],
    end: Instant,
) -> Header {
    let name = |node: usize| scenario.nodes[node].name.as_str();
    Header {
        format: Header::FORMAT.to_string(),
        version: Header::VERSION,
        farlink: env!("CARGO_PKG_VERSION").to_string(),
        scenario: scenario.name.clone(),
        scenario_sha256: hex(&Sha256::digest(scenario.source.text.as_bytes())),
        seed: scenario.seed,
        epoch: scenario.epoch.to_isoformat() + "Z",
        duration: scenario.duration.into(),
        clock: clock.to_string(),
        nodes: scenario
            .nodes
            .iter()
            .map(|n| NodeInfo { name: n.name.clone(), eid: Eid::ipn(n.node_number, 0).to_string() })
            .collect(),
        channels: channels
            .iter()
            .map(|c| ChannelInfo {
                name: format!("{}→{}", name(c.from), name(c.to)),
                link: scenario.links[c.link].name.clone(),
                from: NodeId(c.from as u16),
                to: NodeId(c.to as u16),
                rate_bps: c.highest_rate_bps(),
                rates: rates(c),
                ber: c.ber,
                contacts: c.contacts.iter().map(|i| ContactInfo { start: i.start, end: i.end.min(end) }).collect(),
            })
            .collect(),
        traffic: sendings
            .iter()
            .map(|s| TrafficInfo { name: s.name.clone(), from: s.from, to: s.to, bytes: s.bytes })
            .collect(),
    }
}

/// The steps of a rate that changes; none of one that does not.
fn rates(plan: &ChannelPlan) -> Vec<RateInfo> {
    let bps = |rate: Option<BitRate>| rate.map_or(0, BitRate::bps);
    let changes = plan.rate.changes().iter().map(|(at, rate)| RateInfo { from: *at, bps: bps(*rate) });
    if plan.rate.changes().is_empty() {
        return Vec::new();
    }
    std::iter::once(RateInfo { from: Instant::ZERO, bps: bps(plan.rate.at(Instant::ZERO)) }).chain(changes).collect()
}

/// A channel of the plan, with its physics.
pub(crate) fn channel(
    scenario: &Scenario,
    index: usize,
    plan: &ChannelPlan,
    name: &str,
) -> Result<ChannelConfig, SignalError> {
    let link = &scenario.links[plan.link];
    let errors = Errors::new(&plan.errors, derive_seed(scenario.seed, &format!("bit errors of {name}")))?;
    Ok(ChannelConfig {
        id: ChannelId(index as u16),
        rate: plan.rate.clone(),
        overhead_bits: link.frame_overhead.bytes() * 8,
        contacts: Contacts::During(plan.contacts.clone()),
        light_time: plan.light_time.clone(),
        errors,
        damaged: match link.damaged {
            DamagedFrames::Drop => Damaged::Drop,
            DamagedFrames::Deliver => Damaged::Deliver,
        },
        radio: plan.radio.as_ref().map(|radio| {
            let seed = derive_seed(scenario.seed, &format!("samples of {name}"));
            Box::new(SampledRadio::new(radio.clone(), seed)) as Box<dyn Radio>
        }),
        queue_bits: link.queue.bytes().saturating_mul(8),
        seed: derive_seed(scenario.seed, &format!("controls of {name}")),
    })
}

/// The header of the packet that a frame becomes before it goes through samples; frames of less than 254 bytes have one half as long.
const PACKET_HEADER_BITS: u64 = 32;

fn node(
    scenario: &Scenario,
    index: usize,
    channels: &[ChannelPlan],
    epoch_unix_nanos: i64,
    status_reports: bool,
    end: Instant,
) -> Config {
    let node = &scenario.nodes[index];
    let neighbours = channels.iter().enumerate().filter(|(_, c)| c.from == index).map(|(outgoing, there)| {
        let (incoming, back) = channels
            .iter()
            .enumerate()
            .find(|(_, c)| c.link == there.link && c.to == index)
            .expect("every link has a channel each way");
        let link = &scenario.links[there.link];
        Neighbour {
            id: NodeId(there.to as u16),
            node: Eid::ipn(scenario.nodes[there.to].node_number, 0),
            engine: scenario.nodes[there.to].node_number,
            outgoing: ChannelId(outgoing as u16),
            incoming: ChannelId(incoming as u16),
            transmit: there.schedule(end),
            receive: back.schedule(end),
            overhead_bits: link.frame_overhead.bytes() * 8 + there.radio.as_ref().map_or(0, |_| PACKET_HEADER_BITS),
            ltp: PeerConfig {
                segment_size: usize::try_from(link.ltp.segment_size.bytes()).unwrap_or(usize::MAX),
                // What is sent and what answers wait for their decoders.
                response_margin: [there, back]
                    .iter()
                    .filter_map(|channel| channel.radio.as_ref())
                    .fold(link.ltp.response_margin, |margin, radio| margin + radio.decides_in()),
                retransmission_limit: link.ltp.retransmission_limit,
                ..PeerConfig::default()
            },
            reliable: true,
            aggregation: None,
        }
    });
    let seed = derive_seed(scenario.seed, &format!("node {}", node.name));
    let alone = Config::new(NodeId(index as u16), node.node_number, seed);
    let routes = routes(scenario, index).into_iter();
    Config {
        agent: bp::Config {
            dtn_time_at_zero_ms: u64::try_from(epoch_unix_nanos / 1_000_000 - DTN_EPOCH_UNIX_MS).unwrap_or(0),
            storage_limit: node.storage.bytes(),
            status_reports,
            ..alone.agent
        },
        neighbours: neighbours.collect(),
        endpoints: vec![(Eid::ipn(node.node_number, APPLICATION), Registration::ACTIVE)],
        routes: routes
            .map(|(to, via)| StaticRoute { to: EidPattern::IpnNode(to), via: Eid::ipn(via, 0), metric: 0 })
            .collect(),
        ..alone
    }
}

/// The next hop to every other node on a way with the fewest links.
fn routes(scenario: &Scenario, from: usize) -> Vec<(u64, u64)> {
    let number = |node: usize| scenario.nodes[node].node_number;
    let mut first_hop = vec![None; scenario.nodes.len()];
    let mut queue = VecDeque::from([from]);
    let mut routes = Vec::new();
    while let Some(node) = queue.pop_front() {
        for link in &scenario.links {
            for (a, b) in [(link.forward.from, link.forward.to), (link.forward.to, link.forward.from)] {
                if a == node && b != from && first_hop[b].is_none() {
                    let hop = first_hop[node].unwrap_or(b);
                    first_hop[b] = Some(hop);
                    routes.push((number(b), number(hop)));
                    queue.push_back(b);
                }
            }
        }
    }
    routes
}
