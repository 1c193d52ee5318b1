//! A node described by flags, as the file would describe it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use farlink_engine::bp::{FailureAction, Registration};
use farlink_engine::ltp::PeerConfig;
use farlink_engine::routing::{EidPattern, StaticRoute};
use farlink_ports::tcp::TcpAddress;
use farlink_ports::udp::UdpAddress;
use farlink_scenario::{
    Aggregation, Deliver, Endpoint, Layer, Listener, LtpAuthentication, LtpCiphersuite, LtpNeighbour, Moment,
    Neighbour, NodeSettings, PlannedContact, SessionNumberWidth, Storage, TcpclNeighbour, TlsFiles,
};
use farlink_units::{BitRate, Duration, Ratio, Size};
use farlink_wire::bpv7::Eid;

use super::NodeArguments;

/// How long bundles wait for others that go into the same block.
const AGGREGATION_TIME: Duration = Duration::from_millis(100);

/// A neighbour, as `--peer` names it.
#[derive(Clone, Debug)]
pub struct Peer {
    node: Eid,
    layer: Layer,
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
        let node = parse_node_id(eid)?;
        let to = match kind {
            "udp" | "udpcl" => format!("udp:{rest}").parse::<UdpAddress>().map_err(|e| e.to_string())?.0,
            "tcpcl" | "stcp" | "mtcp" => format!("tcp:{rest}").parse::<TcpAddress>().map_err(|e| e.to_string())?.0,
            _ => return Err(form()),
        };
        if to.port() == 0 {
            return Err(format!("nothing can be sent to {address}: name the port on which {eid} listens"));
        }
        let mut layer = match kind {
            "udp" => Layer::Ltp(ltp(&node, to)?),
            "udpcl" => Layer::Udp { to, rate: BitRate::from_bps(10_000_000) },
            "tcpcl" => Layer::Tcpcl(TcpclNeighbour {
                to: Some(to),
                keepalive_s: 30,
                segment_size: Size::from_bytes(1 << 16),
                tls: None,
            }),
            "stcp" => Layer::Stcp { to },
            _ => Layer::Mtcp { to },
        };
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(form)?;
            set(&mut layer, kind, key.trim(), value.trim())?;
        }
        Ok(Peer { node, layer })
    }
}

fn ltp(node: &Eid, to: SocketAddr) -> Result<LtpNeighbour, String> {
    let engine = node.node().ok_or_else(|| {
        format!(
            "{node}: LTP needs an engine ID, which only an `ipn` node ID gives; describe the node by a file (--config)"
        )
    })?;
    let usual = PeerConfig::default();
    Ok(LtpNeighbour {
        to,
        engine,
        light_time: Duration::ZERO,
        rate: BitRate::from_bps(10_000_000),
        response_margin: usual.response_margin,
        segment_size: Size::from_bytes(usual.segment_size as u64),
        aggregate: None,
        session_numbers: SessionNumberWidth::Bits32,
        checkpoint_every: None,
        retransmission_limit: usual.retransmission_limit,
        authentication: None,
    })
}

/// One `key=value` of a peer.
fn set(layer: &mut Layer, kind: &str, key: &str, value: &str) -> Result<(), String> {
    let told = |error: farlink_units::QuantityError| format!("{key}: {error}");
    match (key, layer) {
        ("rate", Layer::Udp { rate, .. }) => *rate = Some(value.parse().map_err(told)?),
        (_, Layer::Ltp(ltp)) => match key {
            "light-time" => ltp.light_time = value.parse().map_err(told)?,
            "rate" => ltp.rate = Some(value.parse().map_err(told)?),
            "margin" => ltp.response_margin = value.parse().map_err(told)?,
            "segment" => {
                ltp.segment_size = value.parse().map_err(told)?;
                let (least, most) = (PeerConfig::MIN_SEGMENT_SIZE as u64, farlink_ports::udp::MAX_DATAGRAM as u64);
                if !(least..=most).contains(&ltp.segment_size.bytes()) {
                    return Err(format!("segment: {} is out of range: {least} B to {most} B", ltp.segment_size));
                }
            }
            "aggregate" => {
                ltp.aggregate = Some(Aggregation { size: value.parse().map_err(told)?, time: AGGREGATION_TIME });
            }
            "checkpoint" => ltp.checkpoint_every = Some(value.parse().map_err(told)?),
            "retransmissions" => {
                let count = value.parse().ok().filter(|n| (1..=1000).contains(n));
                ltp.retransmission_limit = count.ok_or_else(|| format!("{key}: `{value}` is not from 1 to 1000"))?;
            }
            "key" => {
                let suite = LtpCiphersuite::HmacSha1_80;
                ltp.authentication = Some(LtpAuthentication { suite, key_id: None, key_file: Some(value.into()) });
            }
            other => {
                return Err(format!(
                    "`{other}` is not known of a peer: light-time, rate, margin, segment, aggregate, checkpoint, \
                     retransmissions, key are"
                ));
            }
        },
        _ => {
            return Err(format!(
                "`{key}` means nothing to `{kind}`: of `udpcl` a rate can be told, of streams nothing"
            ));
        }
    }
    Ok(())
}

pub fn parse_node_id(text: &str) -> Result<Eid, String> {
    match text.parse::<Eid>() {
        Ok(eid @ Eid::Ipn { node: 1.., service: 0, .. }) => Ok(eid),
        Ok(eid @ Eid::Dtn(_)) if eid.node_id().as_ref() == Some(&eid) => Ok(eid),
        _ => Err(format!("`{text}` is no node ID: write `ipn:<number>.0`, as in `ipn:30.0`, or `dtn://<name>/`")),
    }
}

/// An endpoint and what takes its data, as `--deliver` names it.
#[derive(Clone, Debug)]
pub struct Delivering {
    eid: Eid,
    deliver: Option<Deliver>,
}

impl FromStr for Delivering {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || {
            format!(
                "`{text}` says not who takes what: write `ipn:30.1=directory:inbox`, `…=file:latest.bin`, \
                 `…=program:handle --flag`, `…=socket:app.sock`, or `…=hold` for what waits until it is asked for"
            )
        };
        let (eid, what) = text.split_once('=').ok_or_else(form)?;
        let eid = eid.parse().map_err(|error| format!("{error}"))?;
        let (kind, value) = what.split_once(':').unwrap_or((what, ""));
        let deliver = match (kind, value) {
            ("hold", "") => None,
            (_, "") => return Err(form()),
            ("directory", path) => Some(Deliver::Directory(path.into())),
            ("file", path) => Some(Deliver::File(path.into())),
            ("socket", path) => Some(Deliver::Socket(path.into())),
            ("program", words) => {
                let mut words = words.split_whitespace().map(str::to_owned);
                let program = PathBuf::from(words.next().ok_or_else(form)?);
                Some(Deliver::Program { program, arguments: words.collect() })
            }
            _ => return Err(form()),
        };
        Ok(Delivering { eid, deliver })
    }
}

/// A contact of the plan, as `--contact` names it.
#[derive(Clone, Debug)]
pub struct ContactFlag(PlannedContact);

impl FromStr for ContactFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || {
            format!(
                "`{text}` is no contact: write it as in \
                 `ipn:10.0>ipn:20.0,start=0s,end=600s,rate=256kbit/s,light-time=4s`"
            )
        };
        let mut parts = text.split(',');
        let (from, to) = parts.next().and_then(|pair| pair.split_once('>')).ok_or_else(form)?;
        let mut contact = PlannedContact {
            from: parse_node_id(from)?,
            to: parse_node_id(to)?,
            start: Moment::Since(Duration::ZERO),
            end: None,
            rate: None,
            light_time: Duration::ZERO,
            confidence: Ratio::new(1.0).ok_or_else(form)?,
        };
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(form)?;
            let told = |error: farlink_units::QuantityError| format!("{key}: {error}");
            match key.trim() {
                "start" => contact.start = Moment::Since(value.parse().map_err(told)?),
                "end" => contact.end = Some(Moment::Since(value.parse().map_err(told)?)),
                "rate" => contact.rate = Some(value.parse().map_err(told)?),
                "light-time" => contact.light_time = value.parse().map_err(told)?,
                other => {
                    return Err(format!("`{other}` is not known of a contact: start, end, rate, light-time are"));
                }
            }
        }
        Ok(ContactFlag(contact))
    }
}

/// The node that the flags describe.
pub fn settings(arguments: &NodeArguments) -> Result<NodeSettings, String> {
    let node = arguments.eid.clone();
    let node = node.ok_or("--eid: name the node, as in `--eid ipn:30.0`, or give a file with --config")?;
    let mut settings = NodeSettings::new(node.clone());
    settings.clock = !arguments.no_clock;
    settings.storage = Storage { limit: arguments.storage, folder: arguments.store.clone() };
    settings.status_reports = arguments.status_reports;
    settings.hop_limit = arguments.hop_limit;
    settings.opportunistic = !arguments.peers_only;
    settings.contacts = arguments.contacts.iter().map(|c| c.0.clone()).collect();
    settings.listeners = listeners(arguments);
    let mut seen = BTreeSet::new();
    if let Some(twice) = arguments.peers.iter().find(|p| !seen.insert(p.node.clone())) {
        return Err(format!("--peer: {} is named twice", twice.node));
    }
    if seen.contains(&node) {
        return Err(format!("--peer: {node} is this node itself"));
    }
    if arguments.peers.is_empty() && settings.listeners.is_empty() {
        return Err("--peer: name a neighbour, or let the node listen with --ltp, --tcpcl, --stcp, --mtcp or --udpcl"
            .to_owned());
    }
    if arguments.peers.is_empty() && settings.listeners.iter().all(|l| matches!(l, Listener::Ltp(_))) {
        return Err("--peer: LTP knows its neighbours beforehand: name one, or another layer to listen for".to_owned());
    }
    let speaks_ltp = arguments.peers.iter().any(|p| matches!(p.layer, Layer::Ltp(_)));
    if speaks_ltp && arguments.ltp.is_none() {
        return Err(
            "--ltp: name the UDP port on which this node's LTP engine listens: its peers answer there".to_owned()
        );
    }
    if arguments.ltp.is_some() && settings.engine.is_none() {
        return Err(format!("--eid: {node} has no number for an LTP engine; describe the node by a file (--config)"));
    }
    settings.neighbours = arguments.peers.iter().map(|p| neighbour(p, arguments)).collect();
    settings.routes = routes(arguments);
    settings.endpoints = endpoints(&node, arguments)?;
    Ok(settings)
}

fn neighbour(peer: &Peer, arguments: &NodeArguments) -> Neighbour {
    let mut layer = peer.layer.clone();
    if let Layer::Tcpcl(tcpcl) = &mut layer {
        tcpcl.tls = tls(arguments);
    }
    Neighbour { node: peer.node.clone(), layer }
}

fn tls(arguments: &NodeArguments) -> Option<TlsFiles> {
    let [trust, certificate, key] = &arguments.tls[..] else { return None };
    Some(TlsFiles {
        trust: trust.clone(),
        identity: Some((certificate.clone(), key.clone())),
        name: arguments.tls_name.clone(),
        require: true,
    })
}

fn listeners(arguments: &NodeArguments) -> Vec<Listener> {
    let tcpcl = |address: TcpAddress| Listener::Tcpcl { address: address.0, tls: tls(arguments) };
    [
        arguments.ltp.map(|a| Listener::Ltp(a.0)),
        arguments.tcpcl.map(tcpcl),
        arguments.stcp.map(|a| Listener::Stcp(a.0)),
        arguments.mtcp.map(|a| Listener::Mtcp(a.0)),
        arguments.udpcl.map(|a| Listener::Udp(a.0)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// By the first neighbour to every node that no other route leads to.
fn routes(arguments: &NodeArguments) -> Vec<StaticRoute> {
    let mut routes = arguments.routes.clone();
    if let Some(first) = arguments.peers.first()
        && arguments.contacts.is_empty()
        && !routes.iter().any(|r| r.to == EidPattern::Any)
    {
        routes.push(StaticRoute { to: EidPattern::Any, via: first.node.clone(), metric: 0 });
    }
    routes
}

fn endpoints(node: &Eid, arguments: &NodeArguments) -> Result<Vec<Endpoint>, String> {
    let registration = |active| Registration { active, on_failure: FailureAction::Defer };
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for told in &arguments.deliver {
        if told.eid.node_id().as_ref() != Some(node) || told.eid == *node {
            return Err(format!("--deliver: {} is no endpoint of {node}", told.eid));
        }
        if endpoints.iter().any(|e| e.eid == told.eid) {
            return Err(format!("--deliver: {} is named twice", told.eid));
        }
        let registration = registration(told.deliver.is_some());
        endpoints.push(Endpoint { eid: told.eid.clone(), registration, deliver: told.deliver.clone() });
    }
    for service in &arguments.service {
        let eid = match node {
            Eid::Ipn { node, .. } => Eid::ipn(*node, *service),
            other => format!("{other}{service}").parse().map_err(|error| format!("--service: {error}"))?,
        };
        if !endpoints.iter().any(|e| e.eid == eid) {
            let deliver = arguments.receive.clone().map(Deliver::Directory);
            endpoints.push(Endpoint { eid, registration: registration(deliver.is_some()), deliver });
        }
    }
    Ok(endpoints)
}
