//! `farlink node`

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::Ordering;

use clap::Args;
use farlink_engine::bp::{BundleId, Transmission};
use farlink_engine::ltp::PeerConfig;
use farlink_engine::schedule::{Schedule, Window};
use farlink_nodes::builtin::{BuiltinNode, Config, Delivery, Neighbour};
use farlink_nodes::over_udp::{NodeOverUdp, Route};
use farlink_ports::udp::{UdpAddress, UdpPort};
use farlink_record::recording::hex;
use farlink_record::{BundleNotice, ChannelId, Event, LtpNotice, NodeId};
use farlink_units::{BitRate, Duration, Instant, Size};
use farlink_wire::bpv7::{BundleFlags, Eid};
use sha2::{Digest, Sha256};

use crate::{Ending, bench_failed, interrupt};

/// The built-in node as a process of its own: bundles over LTP over UDP.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: a file from node 10 to node 30, two light-seconds apart (see `farlink emulate --help`)\n  \
    farlink node --eid ipn:30.0 --ltp udp:1113 --peer ipn:10.0=udp:5003,light-time=2s --receive inbox --count 1\n  \
    farlink node --eid ipn:10.0 --ltp udp:1114 --peer ipn:30.0=udp:5001,light-time=2s,rate=256kbit/s \\\n    \
    --send picture.jpg --to ipn:30.1"
)]
pub struct NodeArguments {
    /// The node ID: `ipn:<number>.0`. The number is its LTP engine ID too.
    #[arg(long, value_name = "EID", value_parser = parse_node_id)]
    eid: u64,
    /// The UDP port on which its LTP engine listens.
    #[arg(long, value_name = "PORT")]
    ltp: UdpAddress,
    /// A neighbour: its node ID, `=`, where to send for it (or the emulator in between), and after commas what is known of
    /// the path: `light-time=2s`, `rate=256kbit/s` (default 10 Mbit/s), `margin=2s` (what its answers take beyond light
    /// time), `segment=1360B`. The first neighbour leads to every other node.
    #[arg(long = "peer", value_name = "PEER", required = true)]
    peers: Vec<Peer>,
    /// Send this file, as one application data unit.
    #[arg(long, value_name = "FILE", requires = "to")]
    send: Option<PathBuf>,
    /// The endpoint that the file is for.
    #[arg(long, value_name = "EID", requires = "send")]
    to: Option<Eid>,
    /// Ask for a delivery report, and wait for it.
    #[arg(long, requires = "send")]
    report: bool,
    /// Longest payload of one bundle; a longer file goes in fragments.
    #[arg(long, value_name = "SIZE", default_value = "64 KiB")]
    bundle_size: Size,
    /// How long what is sent is of use.
    #[arg(long, value_name = "DURATION", default_value = "1 d")]
    lifetime: Duration,
    /// Write what arrives into this folder.
    #[arg(long, value_name = "DIR")]
    receive: Option<PathBuf>,
    /// Service numbers at which files are taken.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_delimiter = ',')]
    service: Vec<u64>,
    /// End after this many files have arrived.
    #[arg(long, value_name = "N", requires = "receive")]
    count: Option<usize>,
    /// End after this time; what is not done by then counts as not met.
    #[arg(long = "for", value_name = "DURATION")]
    for_: Option<Duration>,
    /// Most payload that the node stores.
    #[arg(long, value_name = "SIZE", default_value = "1 GiB")]
    storage: Size,
    /// Generate status reports where bundles ask for them.
    #[arg(long)]
    status_reports: bool,
    /// Seed for session and serial numbers; by default the time.
    #[arg(long)]
    seed: Option<u64>,
    /// Tell what LTP and the bundle agent do.
    #[arg(long, short)]
    verbose: bool,
}

fn parse_node_id(text: &str) -> Result<u64, String> {
    match text.parse::<Eid>() {
        Ok(Eid::Ipn { node, service: 0, .. }) if node > 0 => Ok(node),
        _ => Err(format!("`{text}` is no node ID: write `ipn:<number>.0`, as in `ipn:30.0`")),
    }
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    number: u64,
    to: SocketAddr,
    light_time: Duration,
    margin: Duration,
    rate: BitRate,
    segment: Size,
}

impl FromStr for Peer {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let form = || {
            format!("`{text}` is no peer: write it as in `ipn:20.0=udp:127.0.0.1:1114,light-time=2s,rate=256kbit/s`")
        };
        let (eid, rest) = text.split_once('=').ok_or_else(form)?;
        let mut parts = rest.split(',');
        let address: UdpAddress = parts.next().unwrap_or_default().parse().map_err(|e| format!("{e}"))?;
        if address.0.port() == 0 {
            return Err(format!("nothing can be sent to {address}: name the port on which {eid} listens"));
        }
        let mut peer = Peer {
            number: parse_node_id(eid)?,
            to: address.0,
            light_time: Duration::ZERO,
            margin: PeerConfig::default().response_margin,
            rate: BitRate::from_bps(10_000_000).ok_or_else(form)?,
            segment: Size::from_bytes(PeerConfig::default().segment_size as u64),
        };
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(form)?;
            let told = |error: farlink_units::QuantityError| format!("{key}: {error}");
            match key.trim() {
                "light-time" => peer.light_time = value.parse().map_err(told)?,
                "margin" => peer.margin = value.parse().map_err(told)?,
                "rate" => peer.rate = value.parse().map_err(told)?,
                "segment" => peer.segment = value.parse().map_err(told)?,
                other => {
                    return Err(format!("`{other}` is not known of a peer: light-time, rate, margin, segment are"));
                }
            }
        }
        let (least, most) = (PeerConfig::MIN_SEGMENT_SIZE as u64, farlink_ports::udp::MAX_DATAGRAM as u64);
        if !(least..=most).contains(&peer.segment.bytes()) {
            return Err(format!("segment: {} is out of range: {least} B to {most} B", peer.segment));
        }
        Ok(peer)
    }
}

/// What the process was asked to do and has not done yet.
struct Errand {
    sent: Option<BundleId>,
    /// Extents that the neighbour has, of how many bytes in all.
    acknowledged: u64,
    total: u64,
    report_wanted: bool,
    reported: bool,
    received: usize,
    wanted: Option<usize>,
    verbose: bool,
}

impl Errand {
    fn is_done(&self) -> bool {
        let sent = self.sent.is_none() || (self.acknowledged >= self.total && (self.reported || !self.report_wanted));
        sent && self.wanted.is_none_or(|wanted| self.received >= wanted)
    }

    /// Whether it ends by itself.
    fn ends(&self) -> bool {
        self.sent.is_some() || self.wanted.is_some()
    }
}

pub fn node(arguments: &NodeArguments) -> Ending {
    let stop = match interrupt::stop_flag() {
        Ok(stop) => stop,
        Err(error) => return bench_failed(format_args!("cannot watch for Ctrl-C: {error}")),
    };
    if let Some(twice) = repeated(arguments.peers.iter().map(|p| p.number)) {
        return bench_failed(format_args!("--peer: ipn:{twice}.0 is named twice"));
    }
    let payload = match &arguments.send {
        Some(path) => match fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) => return bench_failed(format_args!("--send: cannot read {}: {error}", path.display())),
        },
        None => None,
    };
    if let Some(folder) = &arguments.receive
        && let Err(error) = fs::create_dir_all(folder)
    {
        return bench_failed(format_args!("--receive: cannot make {}: {error}", folder.display()));
    }
    let port = match UdpPort::open(arguments.ltp) {
        Ok(port) => port,
        Err(error) => return bench_failed(format_args!("--ltp: {error}")),
    };
    let routes = arguments
        .peers
        .iter()
        .enumerate()
        .map(|(index, peer)| Route { channel: outgoing(index), to: peer.to, rate: peer.rate })
        .collect();
    let listens_on = port.local_address().unwrap_or(arguments.ltp);
    let mut running = NodeOverUdp::new(BuiltinNode::new(config(arguments)), port, routes, incoming(0));
    say!("ipn:{}.0 listens on {listens_on}", arguments.eid);

    let mut errand = Errand {
        sent: None,
        acknowledged: 0,
        total: 0,
        report_wanted: arguments.report,
        reported: false,
        received: 0,
        wanted: arguments.count,
        verbose: arguments.verbose,
    };
    if let (Some(payload), Some(to)) = (payload, &arguments.to) {
        errand.total = payload.len() as u64;
        say!("sending {} bytes to {to}, SHA-256 {}", payload.len(), hex(&Sha256::digest(&payload)));
        let reports = BundleFlags::REPORT_DELIVERY | BundleFlags::STATUS_TIME_REQUESTED;
        let service = arguments.service.first().copied().unwrap_or(1);
        let transmission = Transmission {
            report_to: Eid::ipn(arguments.eid, 0),
            flags: if arguments.report { reports } else { BundleFlags(0) },
            lifetime: arguments.lifetime,
            max_payload: usize::try_from(arguments.bundle_size.bytes()).ok(),
            ..Transmission::new(Eid::ipn(arguments.eid, service), to.clone(), payload.into())
        };
        let now = running.now();
        match running.node().transmit(now, transmission, None) {
            Ok(id) => errand.sent = Some(id),
            Err(error) => return bench_failed(format_args!("--send: {error}")),
        }
    }
    serve(arguments, &mut running, &mut errand, &stop)
}

fn serve(
    arguments: &NodeArguments,
    running: &mut NodeOverUdp,
    errand: &mut Errand,
    stop: &std::sync::atomic::AtomicBool,
) -> Ending {
    // What a peer needs to hear the last acknowledgment, and to ask again if it was lost.
    let linger = arguments.peers.iter().map(|p| p.light_time + p.light_time + p.margin).max().unwrap_or_default();
    let mut done_at: Option<Instant> = None;
    loop {
        let now = running.now();
        if stop.load(Ordering::Relaxed) {
            if errand.ends() && !errand.is_done() {
                return bench_failed("interrupted before all was done");
            }
            return Ending::Met;
        }
        if errand.ends() && errand.is_done() {
            let since = *done_at.get_or_insert(now);
            let quiet = running.node().open_sessions() == (0, 0, 0);
            // Sending alone may end as soon as nothing is open; a receiver cannot know whether its last acknowledgment
            // came through before its session is closed.
            if (quiet && now - since >= linger) || now - since >= linger + linger + linger {
                return Ending::Met;
            }
        }
        if arguments.for_.is_some_and(|limit| now >= Instant::ZERO + limit) {
            if errand.ends() && !errand.is_done() {
                complain!("time is up before all was done");
                return Ending::NotMet;
            }
            return Ending::Met;
        }
        let events = match running.turn() {
            Ok(events) => events,
            Err(error) => return bench_failed(format_args!("{} failed: {error}", arguments.ltp)),
        };
        for event in events {
            take(event, errand);
        }
        while let Some(delivery) = running.node().poll_delivery() {
            let Some(folder) = &arguments.receive else { continue };
            match keep(folder, &delivery) {
                Ok(line) => say!("{line}"),
                Err(error) => return bench_failed(error),
            }
            errand.received += 1;
        }
        while let Some(reported) = running.node().poll_report() {
            say!("{} reports on {}: {}", reported.by, reported.id, reported.status.join(", "));
            errand.reported |= reported.report.delivered.asserted && errand.sent.as_ref() == Some(&reported.id.whole());
        }
    }
}

fn take(event: Event, errand: &mut Errand) {
    match &event {
        Event::Bundle { notice: BundleNotice::Forwarded { .. }, bytes, .. } => {
            errand.acknowledged += bytes;
            if errand.sent.is_some() && errand.acknowledged == errand.total {
                say!("the neighbour has all {} bytes", errand.total);
            }
        }
        Event::Bundle { notice: BundleNotice::Deleted { reason }, bundle, .. } => {
            complain!("{bundle}: deleted, {reason}")
        }
        Event::Bundle { notice: BundleNotice::Refused { reason }, .. } => complain!("no bundle: {reason}"),
        Event::Ltp { session, notice: LtpNotice::Cancelled { reason, .. }, .. } => {
            complain!("session {}:{} cancelled: {reason}", session.originator, session.number);
        }
        _ => {}
    }
    if errand.verbose
        && let Ok(line) = serde_json::to_string(&event)
    {
        complain!("{line}");
    }
}

/// Writes what has arrived; returns what to say of it. Names are made of the bundle's own, so nothing that a peer sends
/// chooses a path.
fn keep(folder: &Path, delivery: &Delivery) -> Result<String, String> {
    let id = &delivery.id;
    let source: String =
        id.source.to_string().chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let path = folder.join(format!("{source}-{}-{}", id.creation.time_ms, id.creation.sequence));
    let data = delivery.payload.concat();
    fs::write(&path, &data).map_err(|error| {
        // Half a file would look like what was sent.
        let _ = fs::remove_file(&path);
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!(
                "no room left on the disk for {}: free some, or choose a folder on another disk with --receive",
                path.display()
            ),
            _ => format!("cannot write {}: {error}", path.display()),
        }
    })?;
    let hash = hex(&Sha256::digest(&data));
    Ok(format!("received {} bytes from {} as {}, SHA-256 {hash}", data.len(), id.source, path.display()))
}

fn repeated(numbers: impl Iterator<Item = u64>) -> Option<u64> {
    let mut seen = BTreeSet::new();
    numbers.into_iter().find(|n| !seen.insert(*n))
}

fn outgoing(peer: usize) -> ChannelId {
    ChannelId(2 * peer as u16)
}

fn incoming(peer: usize) -> ChannelId {
    ChannelId(2 * peer as u16 + 1)
}

fn config(arguments: &NodeArguments) -> Config {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let dtn_epoch = std::time::Duration::from_secs(946_684_800);
    let neighbours = arguments.peers.iter().enumerate().map(|(index, peer)| Neighbour {
        id: NodeId(index as u16 + 1),
        number: peer.number,
        outgoing: outgoing(index),
        incoming: incoming(index),
        transmit: Schedule::new(vec![Window::always(peer.rate.bps(), peer.light_time)]),
        receive: Schedule::new(vec![Window::always(peer.rate.bps(), peer.light_time)]),
        overhead_bits: 0,
        ltp: PeerConfig {
            segment_size: usize::try_from(peer.segment.bytes()).unwrap_or(usize::MAX),
            response_margin: peer.margin,
            ..PeerConfig::default()
        },
    });
    Config {
        id: NodeId(0),
        number: arguments.eid,
        dtn_time_at_zero_ms: u64::try_from(unix.saturating_sub(dtn_epoch).as_millis()).unwrap_or(0),
        storage_limit: arguments.storage.bytes(),
        status_reports: arguments.status_reports,
        seed: arguments.seed.unwrap_or(unix.as_nanos() as u64),
        neighbours: neighbours.collect(),
        services: arguments.service.clone(),
        routes: arguments.peers.iter().map(|p| (p.number, p.number)).collect(),
        default_route: arguments.peers.first().map(|p| p.number),
    }
}
