//! From the description of a node to the node.

use std::fs;
use std::path::Path;

use farlink_engine::ltp::{PeerConfig, SessionNumbers};
use farlink_engine::routing::{Contact, ContactPlan, EidPattern, StaticRoute};
use farlink_engine::schedule::{Schedule, Window};
use farlink_nodes::applications::Target;
use farlink_nodes::builtin::{self, Config};
use farlink_nodes::standalone::{self, Link, LinkLayer, LtpRoute, LtpSetup, Secured, Setup};
use farlink_ports::tcp::TcpAddress;
use farlink_ports::tls::{TlsSettings, Trust};
use farlink_ports::udp::UdpAddress;
use farlink_record::{ChannelId, NodeId};
use farlink_scenario::{
    Deliver, Layer, Listener, LtpAuthentication, LtpCiphersuite, LtpNeighbour, Moment, Neighbour, NodeSettings,
    SessionNumberWidth, TlsFiles,
};
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;
use farlink_wire::ltp::security::{AuthKey, Ciphersuite};
use farlink_wire::sdnv;
use hifitime::Epoch;

/// The node that is described.
pub fn setup(settings: &NodeSettings, seed: Option<u64>) -> Result<Setup, String> {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seed = seed.or(settings.seed).unwrap_or(unix.as_nanos() as u64);
    let mut config = Config::new(NodeId(0), settings.engine.unwrap_or(0), seed);
    config.agent.node_id = settings.node.clone();
    config.agent.has_clock = settings.clock;
    config.agent.storage_limit = settings.storage.limit.bytes();
    config.agent.status_reports = settings.status_reports;
    config.agent.hop_limit = settings.hop_limit.map_or(config.agent.hop_limit, u64::from);
    config.endpoints = settings.endpoints.iter().map(|e| (e.eid.clone(), e.registration)).collect();
    // Session numbers are the engine's, not a peer's: the shorter ones are those that every peer takes.
    let wide = |n: &Neighbour| !matches!(&n.layer, Layer::Ltp(l) if l.session_numbers == SessionNumberWidth::Bits32);
    if settings.neighbours.iter().all(wide) {
        config.engine.session_numbers = SessionNumbers::Bits64;
    }
    let now = Epoch::from_unix_duration(hifitime::Duration::from(unix));
    let plan = Plan { contacts: contacts(settings, now), here: settings.node.clone() };
    config.routes = settings.routes.clone();
    let unplanned = settings.neighbours.iter().filter(|n| !plan.knows(&n.node));
    config.routes.extend(unplanned.map(|n| direct(&n.node)));

    let (mut ltp_routes, mut links) = (Vec::new(), Vec::new());
    for neighbour in &settings.neighbours {
        let node = &neighbour.node;
        let layer = match &neighbour.layer {
            Layer::Ltp(ltp) => {
                let index = config.neighbours.len();
                let schedules = plan.schedules(node, ltp.rate.map_or(0, |r| r.bps()), ltp.light_time);
                let [transmit, receive] = schedules;
                config.neighbours.push(builtin::Neighbour {
                    id: place(index + 1),
                    node: node.clone(),
                    engine: ltp.engine,
                    outgoing: outgoing(index),
                    incoming: ChannelId(2 * index as u16 + 1),
                    transmit,
                    receive,
                    overhead_bits: 0,
                    ltp: peer_config(ltp)?,
                    reliable: true,
                    aggregation: ltp.aggregate.map(|a| (a.size.bytes(), a.time)),
                });
                ltp_routes.push(LtpRoute { channel: outgoing(index), to: ltp.to, rate: ltp.rate });
                continue;
            }
            Layer::Tcpcl(tcpcl) => LinkLayer::Tcpcl {
                to: tcpcl.to.map(TcpAddress),
                keepalive_s: tcpcl.keepalive_s,
                segment: tcpcl.segment_size.bytes(),
                tls: tcpcl.tls.as_ref().map(secured).transpose()?,
            },
            Layer::Stcp { to } => LinkLayer::Stcp(TcpAddress(*to)),
            Layer::Mtcp { to } => LinkLayer::Mtcp(TcpAddress(*to)),
            Layer::Udp { to, rate } => LinkLayer::Udp { to: *to, rate: *rate },
        };
        config.others.push((place(config.others.len() + OTHERS), node.clone()));
        let [open, _] = plan.schedules(node, 0, Duration::ZERO);
        links.push(Link { node: node.clone(), layer, open, planned: plan.knows(node) });
    }
    if !plan.contacts.is_empty() {
        config.plan = Some(ContactPlan::of(plan.contacts).map_err(|error| format!("contacts: {error}"))?);
    }
    let mut listen = None;
    let mut listeners = Vec::new();
    for listener in &settings.listeners {
        listeners.push(match listener {
            Listener::Ltp(address) if listen.is_none() => {
                listen = Some(UdpAddress(*address));
                continue;
            }
            Listener::Ltp(address) => {
                return Err(format!("listen: a node has one LTP port, and udp:{address} is the second: remove one"));
            }
            Listener::Tcpcl { address, tls } => standalone::Listener::Tcpcl {
                address: TcpAddress(*address),
                tls: tls.as_ref().map(secured).transpose()?,
            },
            Listener::Stcp(address) => standalone::Listener::Stcp(TcpAddress(*address)),
            Listener::Mtcp(address) => standalone::Listener::Mtcp(TcpAddress(*address)),
            Listener::Udp(address) => standalone::Listener::Udp(UdpAddress(*address)),
        });
    }
    let applications = settings.endpoints.iter().filter_map(|e| Some((e.eid.clone(), target(e.deliver.as_ref()?))));
    Ok(Setup {
        ltp: listen.map(|listen| LtpSetup { listen, routes: ltp_routes }),
        listeners,
        links,
        opportunistic: settings.opportunistic,
        store: settings.storage.folder.clone(),
        applications: applications.collect(),
        node: config,
    })
}

/// Places of neighbours by other layers than LTP begin here.
const OTHERS: usize = 0x4000;

fn outgoing(index: usize) -> ChannelId {
    ChannelId(2 * index as u16)
}

fn place(index: usize) -> NodeId {
    NodeId(u16::try_from(index).unwrap_or(u16::MAX - 1))
}

/// The route to a neighbour itself.
fn direct(node: &Eid) -> StaticRoute {
    let to = match node {
        Eid::Ipn { node, .. } => EidPattern::IpnNode(*node),
        Eid::Dtn(ssp) => EidPattern::DtnNode(ssp.trim_matches('/').to_owned()),
        Eid::None => EidPattern::Any,
    };
    StaticRoute { to, via: node.clone(), metric: 0 }
}

fn target(deliver: &Deliver) -> Target {
    match deliver {
        Deliver::Directory(path) => Target::Directory(path.clone()),
        Deliver::File(path) => Target::File(path.clone()),
        Deliver::Program { program, arguments } => {
            let arguments = arguments.iter().map(std::ffi::OsString::from);
            Target::Program(std::iter::once(program.clone().into_os_string()).chain(arguments).collect())
        }
        Deliver::Socket(path) => Target::Socket(path.clone()),
    }
}

fn peer_config(ltp: &LtpNeighbour) -> Result<PeerConfig, String> {
    Ok(PeerConfig {
        segment_size: usize::try_from(ltp.segment_size.bytes()).unwrap_or(usize::MAX),
        response_margin: ltp.response_margin,
        retransmission_limit: ltp.retransmission_limit,
        checkpoint_every: ltp.checkpoint_every.map(|size| size.bytes()),
        security: ltp.authentication.as_ref().map(auth_key).transpose()?.map(Into::into),
        ..PeerConfig::default()
    })
}

/// A key ID that is a number goes as an SDNV, as RFC 5327 section 2.1 has receivers treat them: as octets.
fn auth_key(told: &LtpAuthentication) -> Result<AuthKey, String> {
    let key = match &told.key_file {
        Some(path) => fs::read(path).map_err(|error| format!("key_file: cannot read {}: {error}", path.display()))?,
        None => Vec::new(),
    };
    let mut key_id = Vec::new();
    if let Some(id) = told.key_id {
        sdnv::encode(id, &mut key_id);
    }
    let suite = match told.suite {
        LtpCiphersuite::HmacSha1_80 => Ciphersuite::HmacSha1_80,
        LtpCiphersuite::RsaSha256 => Ciphersuite::RsaSha256,
        LtpCiphersuite::Null => return Ok(AuthKey::null()),
    };
    AuthKey::new(suite, &key_id, &key).map_err(|error| format!("authentication: {error}"))
}

fn secured(files: &TlsFiles) -> Result<Secured, String> {
    let Some((certificate, key)) = &files.identity else {
        return Err(
            "tls: a TCPCL node shows a certificate of its own (RFC 9174 section 4.4.3): add `certificate` and `key`"
                .to_owned(),
        );
    };
    let told = |error: farlink_ports::tls::TlsSettingsError| format!("tls: {error}");
    let trust = Trust::roots_file(&files.trust).map_err(told)?;
    let settings = TlsSettings::from_files(Path::new(certificate), Path::new(key), trust).map_err(told)?;
    Ok(Secured { settings, require: files.require, name: files.name.clone() })
}

struct Plan {
    contacts: Vec<Contact>,
    here: Eid,
}

impl Plan {
    /// Whether the plan says when this node and a neighbour can exchange anything.
    fn knows(&self, node: &Eid) -> bool {
        self.contacts.iter().any(|c| (c.from == self.here && c.to == *node) || (c.from == *node && c.to == self.here))
    }

    /// When this node can send to a neighbour, and when that can send to this node: by the plan, or always.
    fn schedules(&self, node: &Eid, rate_bps: u64, light_time: Duration) -> [Schedule; 2] {
        if !self.knows(node) {
            let always = Schedule::new(vec![Window::always(rate_bps, light_time)]);
            return [always.clone(), always];
        }
        let between = |from: &Eid, to: &Eid| {
            let of = self.contacts.iter().filter(|c| c.from == *from && c.to == *to);
            Schedule::new(of.map(|c| c.window.clone()).collect())
        };
        [between(&self.here, node), between(node, &self.here)]
    }
}

fn contacts(settings: &NodeSettings, now: Epoch) -> Vec<Contact> {
    let instant = |moment: Moment| match moment {
        Moment::Since(duration) => Instant::ZERO + duration,
        Moment::Calendar(epoch) => {
            let nanos = (epoch - now).total_nanoseconds();
            Instant::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
        }
    };
    let contact = |told: &farlink_scenario::PlannedContact| {
        let start = instant(told.start);
        let window = Window {
            start,
            end: told.end.map_or(Instant::MAX, instant),
            rate_bps: told.rate.map_or(0, |r| r.bps()),
            light_time: vec![(start, told.light_time)],
        };
        Contact { confidence: told.confidence.get(), ..Contact::new(told.from.clone(), told.to.clone(), window) }
    };
    settings.contacts.iter().map(contact).collect()
}
