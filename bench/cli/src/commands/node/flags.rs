//! A node described by flags.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::str::FromStr;

use farlink_engine::bp::Registration;
use farlink_engine::ltp::PeerConfig;
use farlink_engine::routing::{EidPattern, StaticRoute};
use farlink_nodes::applications::Target;
use farlink_nodes::standalone::{Link, LinkLayer, Listener, LtpRoute, LtpSetup, Setup};
use farlink_ports::tcp::TcpAddress;
use farlink_ports::udp::UdpAddress;
use farlink_units::{BitRate, Duration, Size};
use farlink_wire::bpv7::Eid;

use super::NodeArguments;
use super::build::{self, always};

/// A neighbour, as `--peer` names it.
#[derive(Clone, Debug)]
pub struct Peer {
    pub node: Eid,
    layer: Layer,
    pub light_time: Duration,
    pub margin: Duration,
    rate: BitRate,
    segment: Size,
    aggregate: Option<(Size, Duration)>,
}

#[derive(Clone, Copy, Debug)]
enum Layer {
    Ltp(SocketAddr),
    Tcpcl(TcpAddress),
    Stcp(TcpAddress),
    Mtcp(TcpAddress),
    Datagrams(SocketAddr),
}

const FORM: &str = "write it as in `ipn:20.0=udp:127.0.0.1:1114,light-time=2s,rate=256kbit/s`, or with `tcpcl:`, `stcp:`, \
                    `mtcp:` or `udpcl:` in place of `udp:`, which stands for LTP over UDP";

impl FromStr for Peer {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is no peer: {FORM}");
        let (eid, rest) = text.split_once('=').ok_or_else(form)?;
        let mut parts = rest.split(',');
        let address = parts.next().unwrap_or_default();
        let (kind, rest) = address.split_once(':').ok_or_else(form)?;
        let tcp = || format!("tcp:{rest}").parse::<TcpAddress>().map_err(|e| e.to_string());
        let udp = || format!("udp:{rest}").parse::<UdpAddress>().map_err(|e| e.to_string());
        let layer = match kind {
            "udp" => Layer::Ltp(udp()?.0),
            "udpcl" => Layer::Datagrams(udp()?.0),
            "tcpcl" => Layer::Tcpcl(tcp()?),
            "stcp" => Layer::Stcp(tcp()?),
            "mtcp" => Layer::Mtcp(tcp()?),
            _ => return Err(form()),
        };
        let port = match layer {
            Layer::Ltp(to) | Layer::Datagrams(to) => to.port(),
            Layer::Tcpcl(to) | Layer::Stcp(to) | Layer::Mtcp(to) => to.0.port(),
        };
        if port == 0 {
            return Err(format!("nothing can be sent to {address}: name the port on which {eid} listens"));
        }
        let mut peer = Peer {
            node: parse_node_id(eid)?,
            layer,
            light_time: Duration::ZERO,
            margin: PeerConfig::default().response_margin,
            rate: BitRate::from_bps(10_000_000).ok_or_else(form)?,
            segment: Size::from_bytes(PeerConfig::default().segment_size as u64),
            aggregate: None,
        };
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(form)?;
            let told = |error: farlink_units::QuantityError| format!("{key}: {error}");
            match (key.trim(), layer) {
                ("light-time", Layer::Ltp(_)) => peer.light_time = value.parse().map_err(told)?,
                ("margin", Layer::Ltp(_)) => peer.margin = value.parse().map_err(told)?,
                ("segment", Layer::Ltp(_)) => peer.segment = value.parse().map_err(told)?,
                ("aggregate", Layer::Ltp(_)) => {
                    peer.aggregate = Some((value.parse().map_err(told)?, Duration::from_millis(100)));
                }
                ("rate", Layer::Ltp(_) | Layer::Datagrams(_)) => peer.rate = value.parse().map_err(told)?,
                (key @ ("light-time" | "margin" | "segment" | "aggregate" | "rate"), _) => {
                    return Err(format!("`{key}` means nothing to `{kind}`: streams pace themselves"));
                }
                (other, _) => {
                    return Err(format!(
                        "`{other}` is not known of a peer: light-time, rate, margin, segment, aggregate are"
                    ));
                }
            }
        }
        let (least, most) = (PeerConfig::MIN_SEGMENT_SIZE as u64, farlink_ports::udp::MAX_DATAGRAM as u64);
        if !(least..=most).contains(&peer.segment.bytes()) {
            return Err(format!("segment: {} is out of range: {least} B to {most} B", peer.segment));
        }
        if matches!(layer, Layer::Ltp(_)) && peer.node.node().is_none() {
            return Err(format!(
                "{}: LTP needs an engine ID, which only an `ipn` node ID gives; use --config",
                peer.node
            ));
        }
        Ok(peer)
    }
}

pub fn parse_node_id(text: &str) -> Result<Eid, String> {
    match text.parse::<Eid>() {
        Ok(eid @ Eid::Ipn { node: 1.., service: 0, .. }) => Ok(eid),
        Ok(eid @ Eid::Dtn(_)) if eid.node_id().as_ref() == Some(&eid) => Ok(eid),
        _ => Err(format!("`{text}` is no node ID: write `ipn:<number>.0`, as in `ipn:30.0`, or `dtn://<name>/`")),
    }
}

/// The node that the flags describe.
pub fn setup(arguments: &NodeArguments) -> Result<Setup, String> {
    let node =
        arguments.eid.clone().ok_or("--eid: name the node, as in `--eid ipn:30.0`, or give a file with --config")?;
    let mut seen = BTreeSet::new();
    if let Some(twice) = arguments.peers.iter().find(|p| !seen.insert(p.node.clone())) {
        return Err(format!("--peer: {} is named twice", twice.node));
    }
    if arguments.peers.is_empty() && listeners(arguments).is_empty() && arguments.ltp.is_none() {
        return Err("--peer: name a neighbour, or let the node listen with --ltp, --tcpcl, --stcp, --mtcp or --udpcl"
            .to_owned());
    }
    let mut config = build::node(&node, node.node().unwrap_or(0), arguments.seed);
    config.agent.storage_limit = arguments.storage.bytes();
    config.agent.status_reports = arguments.status_reports;
    config.routes = routes(arguments);
    let (mut ltp_routes, mut links) = (Vec::new(), Vec::new());
    for peer in &arguments.peers {
        match peer.layer {
            Layer::Ltp(to) => {
                let index = config.neighbours.len();
                let schedule = always(peer.rate, peer.light_time);
                let ltp = PeerConfig {
                    segment_size: usize::try_from(peer.segment.bytes()).unwrap_or(usize::MAX),
                    response_margin: peer.margin,
                    ..PeerConfig::default()
                };
                let engine = peer.node.node().unwrap_or(0);
                let mut neighbour = build::ltp_neighbour(index, &peer.node, engine, ltp, [schedule.clone(), schedule]);
                neighbour.aggregation = peer.aggregate.map(|(size, time)| (size.bytes(), time));
                config.neighbours.push(neighbour);
                ltp_routes.push(LtpRoute { channel: build::outgoing(index), to, rate: Some(peer.rate) });
            }
            other => {
                config.others.push((build::place(config.others.len() + 0x4000), peer.node.clone()));
                let layer = match other {
                    Layer::Tcpcl(to) => LinkLayer::Tcpcl { to: Some(to), keepalive_s: 30, segment: 1 << 16, tls: None },
                    Layer::Stcp(to) => LinkLayer::Stcp(to),
                    Layer::Mtcp(to) => LinkLayer::Mtcp(to),
                    Layer::Datagrams(to) | Layer::Ltp(to) => LinkLayer::Udp { to, rate: Some(peer.rate) },
                };
                let open = always(peer.rate, Duration::ZERO);
                links.push(Link { node: peer.node.clone(), layer, open, planned: false });
            }
        }
    }
    if arguments.ltp.is_none() && !ltp_routes.is_empty() {
        return Err(
            "--ltp: name the UDP port on which this node's LTP engine listens: its peers answer there".to_owned()
        );
    }
    let endpoint = |service: &u64| match &node {
        Eid::Ipn { .. } => Eid::ipn(node.node().unwrap_or(0), *service),
        other => format!("{other}{service}").parse().unwrap_or(Eid::None),
    };
    let endpoints: Vec<Eid> = arguments.service.iter().map(endpoint).collect();
    config.endpoints = endpoints.iter().map(|e| (e.clone(), Registration::PASSIVE)).collect();
    let applications = match &arguments.receive {
        Some(folder) => endpoints.into_iter().map(|e| (e, Target::Directory(folder.clone()))).collect(),
        None => Vec::new(),
    };
    Ok(Setup {
        ltp: arguments.ltp.map(|listen| LtpSetup { listen, routes: ltp_routes }),
        node: config,
        listeners: listeners(arguments),
        links,
        opportunistic: true,
        store: arguments.store.clone(),
        applications,
    })
}

fn listeners(arguments: &NodeArguments) -> Vec<Listener> {
    let tcpcl = arguments.tcpcl.map(|address| Listener::Tcpcl { address, tls: None });
    let others =
        [arguments.stcp.map(Listener::Stcp), arguments.mtcp.map(Listener::Mtcp), arguments.udpcl.map(Listener::Udp)];
    tcpcl.into_iter().chain(others.into_iter().flatten()).collect()
}

/// To each neighbour directly, and by the first to every other node.
fn routes(arguments: &NodeArguments) -> Vec<StaticRoute> {
    let mut routes = arguments.routes.clone();
    routes.extend(arguments.peers.iter().map(|p| build::direct(&p.node)));
    if let Some(first) = arguments.peers.first()
        && !routes.iter().any(|r| r.to == EidPattern::Any)
    {
        routes.push(StaticRoute { to: EidPattern::Any, via: first.node.clone(), metric: 0 });
    }
    routes
}
