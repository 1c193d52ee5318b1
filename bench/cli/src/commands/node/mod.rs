//! `farlink node`

mod flags;
mod setup;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use farlink_engine::bp::{BundleId, Transmission};
use farlink_engine::class::Class;
use farlink_engine::routing::StaticRoute;
use farlink_nodes::standalone::{Setup, StandaloneNode, Told};
use farlink_ports::tcp::TcpAddress;
use farlink_ports::udp::UdpAddress;
use farlink_record::recording::hex;
use farlink_record::{BundleNotice, Event, LtpNotice};
use farlink_units::{Duration, Instant, Size};
use farlink_wire::bpv7::{BundleFlags, Eid};
use sha2::{Digest, Sha256};

use crate::{Ending, bench_failed, interrupt};
use flags::{ContactFlag, Delivering, Peer, parse_node_id};

/// The built-in node as a process of its own: bundles over LTP, TCPCLv4, STCP, MTCP and UDP.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: a file from node 10 to node 30, two light-seconds apart (see `farlink emulate --help`)\n  \
    farlink node --eid ipn:30.0 --ltp udp:1113 --peer ipn:10.0=udp:5003,light-time=2s --receive inbox --count 1\n  \
    farlink node --eid ipn:10.0 --ltp udp:1114 --peer ipn:30.0=udp:5001,light-time=2s,rate=256kbit/s \\\n    \
    --send picture.jpg --to ipn:30.1\n\n\
    Example: the two ends of a link, each described by a file, with stores on disk\n  \
    farlink node --config fixtures/nodes/relay.yaml\n  \
    farlink node --config fixtures/nodes/lander.yaml"
)]
pub struct NodeArguments {
    /// A file that describes the node (`farlink schema node` for editors). What it says, flags do not say again.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["eid", "ltp", "tcpcl", "stcp", "mtcp", "udpcl", "peers", "routes",
        "contacts", "deliver", "receive", "service", "store", "storage", "status_reports", "no_clock", "hop_limit",
        "peers_only", "tls", "tls_name"])]
    config: Option<PathBuf>,
    /// The node ID: `ipn:<number>.0`, where the number is its LTP engine ID too, or `dtn://<name>/`.
    #[arg(long, value_name = "EID", value_parser = parse_node_id)]
    eid: Option<Eid>,
    /// The UDP port on which its LTP engine listens.
    #[arg(long, value_name = "PORT")]
    ltp: Option<UdpAddress>,
    /// The TCP port on which it takes TCPCLv4 sessions, as in `tcp:4556`.
    #[arg(long, value_name = "PORT")]
    tcpcl: Option<TcpAddress>,
    /// The TCP port on which it takes STCP streams.
    #[arg(long, value_name = "PORT")]
    stcp: Option<TcpAddress>,
    /// The TCP port on which it takes MTCP streams.
    #[arg(long, value_name = "PORT")]
    mtcp: Option<TcpAddress>,
    /// The UDP port on which it takes bundles, one a datagram.
    #[arg(long, value_name = "PORT")]
    udpcl: Option<UdpAddress>,
    /// A neighbour: its node ID, `=`, where to send for it (or the emulator in between), and after commas what is known of
    /// the path: `light-time=2s`, `rate=256kbit/s` (default 10 Mbit/s), `margin=2s` (what its answers take beyond light
    /// time), `segment=1360B`, `aggregate=64KiB` (bundles that go into one block), `checkpoint=64KiB` (one for so much red
    /// data), `retransmissions=20`, `key=FILE` (HMAC-SHA1-80). `udp:` is LTP over UDP; `tcpcl:`, `stcp:`, `mtcp:` and `udpcl:`
    /// are the other layers. Without contacts, the first neighbour leads to every other node.
    #[arg(long = "peer", value_name = "PEER")]
    peers: Vec<Peer>,
    /// A static route, as in `ipn:30.* via ipn:20.0`; the most specific one wins.
    #[arg(long = "route", value_name = "ROUTE")]
    routes: Vec<StaticRoute>,
    /// A contact of the plan to route by, as in `ipn:10.0>ipn:20.0,start=0s,end=600s,rate=256kbit/s,light-time=4s`; times
    /// count from the start of the node.
    #[arg(long = "contact", value_name = "CONTACT")]
    contacts: Vec<ContactFlag>,
    /// Secure TCPCL sessions: root certificates to trust, this node's certificate, its key, all PEM.
    #[arg(long, value_names = ["TRUST", "CERTIFICATE", "KEY"], num_args = 3)]
    tls: Vec<PathBuf>,
    /// The DNS name that the certificates of neighbours bear; without it, their address.
    #[arg(long, value_name = "NAME", requires = "tls")]
    tls_name: Option<String>,
    /// Exchange bundles with the neighbours named here only, and not with others that connect.
    #[arg(long)]
    peers_only: bool,
    /// The node does not know the time of day: its bundles carry their age instead.
    #[arg(long)]
    no_clock: bool,
    /// Hop limit of the bundles that start here.
    #[arg(long, value_name = "1..255", value_parser = clap::value_parser!(u8).range(1..))]
    hop_limit: Option<u8>,
    /// What takes the data of an endpoint: `ipn:30.2=file:latest.bin`, `=directory:inbox`, `=program:handle --flag`,
    /// `=socket:app.sock`, or `=hold` for what waits until the node is started with something that takes it.
    #[arg(long, value_name = "ENDPOINT")]
    deliver: Vec<Delivering>,
    /// Send this file, as one application data unit.
    #[arg(long, value_name = "FILE", requires = "to")]
    send: Option<PathBuf>,
    /// The endpoint that the file is for.
    #[arg(long, value_name = "EID", requires = "send")]
    to: Option<Eid>,
    /// The class that it goes in: bulk, normal or expedited.
    #[arg(long, value_name = "CLASS", requires = "send", default_value = "normal")]
    class: Class,
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
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// End after this time; what is not done by then counts as not met.
    #[arg(long = "for", value_name = "DURATION")]
    for_: Option<Duration>,
    /// Keep bundles in this folder, so that a restart loses none. Without it they are in memory.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
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
    let payload = match &arguments.send {
        Some(path) => match fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) => return bench_failed(format_args!("--send: cannot read {}: {error}", path.display())),
        },
        None => None,
    };
    let setup = match described(arguments) {
        Ok(setup) => setup,
        Err(ending) => return ending,
    };
    if arguments.count.is_some() && setup.applications.is_empty() {
        return bench_failed("--count: nothing takes what arrives: add --receive DIR, or --deliver");
    }
    let linger = linger(&setup);
    let node = setup.node.agent.node_id.clone();
    let source = setup.node.endpoints.first().map(|(endpoint, _)| endpoint.clone());
    let mut running = match StandaloneNode::start(setup) {
        Ok(running) => running,
        Err(error) => return bench_failed(error),
    };
    for listening in running.listening() {
        say!("{node} listens on {listening}");
    }
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
        let transmission = Transmission {
            report_to: node.clone(),
            flags: if arguments.report { reports } else { BundleFlags(0) },
            lifetime: arguments.lifetime,
            class: arguments.class,
            max_payload: usize::try_from(arguments.bundle_size.bytes()).ok(),
            ..Transmission::new(source.unwrap_or(node), to.clone(), payload.into())
        };
        match running.transmit(transmission) {
            Ok(Ok(id)) => errand.sent = Some(id),
            Ok(Err(error)) => return bench_failed(format_args!("--send: {error}")),
            Err(error) => return bench_failed(error),
        }
    }
    let ending = serve(arguments, linger, &mut running, &mut errand, &stop);
    farewell(&mut running);
    ending
}

/// What the flags or the file describe.
fn described(arguments: &NodeArguments) -> Result<Setup, Ending> {
    let described = match &arguments.config {
        None => flags::settings(arguments).and_then(|settings| setup::setup(&settings, arguments.seed)),
        Some(path) => match farlink_scenario::load_node(path) {
            Ok(settings) => {
                if let Some(warnings) = settings.warnings() {
                    complain!("{:?}", miette::Report::new(warnings));
                }
                setup::setup(&settings, arguments.seed).map_err(|error| format!("{}: {error}", path.display()))
            }
            Err(error) => {
                complain!("{:?}", miette::Report::new(error));
                return Err(Ending::BenchFailed);
            }
        },
    };
    described.map_err(bench_failed)
}

/// What a peer needs to hear the last acknowledgment, and to ask again if it was lost.
fn linger(setup: &Setup) -> Duration {
    let round = |n: &farlink_nodes::builtin::Neighbour| {
        let light_time = n.transmit.light_time_at(Instant::ZERO) + n.receive.light_time_at(Instant::ZERO);
        light_time + n.ltp.response_margin
    };
    setup.node.neighbours.iter().map(round).max().unwrap_or(Duration::from_millis(200))
}

/// Ends sessions in order, for a moment at most.
fn farewell(running: &mut StandaloneNode) {
    running.close();
    let until = running.now() + Duration::from_secs(2);
    // A node whose store has failed says nothing more to anybody: its turn fails again.
    while running.open_connections() > 0 && running.now() < until {
        if running.turn().is_err() {
            return;
        }
    }
}

fn serve(
    arguments: &NodeArguments,
    linger: Duration,
    running: &mut StandaloneNode,
    errand: &mut Errand,
    stop: &std::sync::atomic::AtomicBool,
) -> Ending {
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
            // Sending alone may end as soon as nothing is open; a receiver cannot know whether its last acknowledgment
            // came through before its session is closed.
            if (running.is_quiet() && now - since >= linger) || now - since >= linger + linger + linger {
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
        let told = match running.turn() {
            Ok(told) => told,
            Err(error) => return bench_failed(error),
        };
        for told in told {
            match told {
                Told::Event(event) => take(event, errand),
                Told::Line(line) => complain!("{line}"),
                Told::Delivered { how, .. } => {
                    say!("{how}");
                    errand.received += 1;
                }
                Told::Reported(reported) => {
                    say!("{} reports on {}: {}", reported.by, reported.id, reported.status.join(", "));
                    errand.reported |=
                        reported.report.delivered.asserted && errand.sent.as_ref() == Some(&reported.id.whole());
                }
            }
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
