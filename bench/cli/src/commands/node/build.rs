//! What a node described by flags and one described by a file have in common.

use farlink_engine::ltp::PeerConfig;
use farlink_engine::routing::{EidPattern, StaticRoute};
use farlink_engine::schedule::{Schedule, Window};
use farlink_nodes::builtin::{Config, Neighbour};
use farlink_record::{ChannelId, NodeId};
use farlink_units::{BitRate, Duration};
use farlink_wire::bpv7::Eid;

/// A node alone.
pub fn node(node: &Eid, engine: u64, seed: Option<u64>) -> Config {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut config = Config::new(NodeId(0), engine, seed.unwrap_or(unix.as_nanos() as u64));
    config.agent.node_id = node.clone();
    config
}

/// A neighbour by LTP, the `index`th; `[transmit, receive]` are its schedules.
pub fn ltp_neighbour(
    index: usize,
    node: &Eid,
    engine: u64,
    ltp: PeerConfig,
    [transmit, receive]: [Schedule; 2],
) -> Neighbour {
    Neighbour {
        id: place(index + 1),
        node: node.clone(),
        engine,
        outgoing: outgoing(index),
        incoming: ChannelId(2 * index as u16 + 1),
        transmit,
        receive,
        overhead_bits: 0,
        ltp,
        reliable: true,
        aggregation: None,
    }
}

/// A contact that never ends.
pub fn always(rate: BitRate, light_time: Duration) -> Schedule {
    Schedule::new(vec![Window::always(rate.bps(), light_time)])
}

/// The route to a neighbour itself.
pub fn direct(node: &Eid) -> StaticRoute {
    let to = match node {
        Eid::Ipn { node, .. } => EidPattern::IpnNode(*node),
        Eid::Dtn(ssp) => EidPattern::DtnNode(ssp.trim_matches('/').to_owned()),
        Eid::None => EidPattern::Any,
    };
    StaticRoute { to, via: node.clone(), metric: 0 }
}

pub fn outgoing(index: usize) -> ChannelId {
    ChannelId(2 * index as u16)
}

pub fn place(index: usize) -> NodeId {
    NodeId(u16::try_from(index).unwrap_or(u16::MAX - 1))
}
