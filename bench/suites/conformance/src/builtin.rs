//! The built-in node as a target, under a virtual clock.

mod security;

use std::collections::BTreeSet;

use farlink_engine::bp::Registration;
use farlink_engine::ltp::{Authentication, Cookies, PeerConfig};
use farlink_engine::routing::StaticRoute;
use farlink_engine::schedule::{Schedule, Window};
use farlink_nodes::builtin::{Config, Neighbour};
use farlink_nodes::standalone::{FIRST_PAUSE, LONGEST_PAUSE, Link, LinkLayer, Listener, Secured};
use farlink_record::{ChannelId, NodeId};
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;
use farlink_wire::ltp::security::{AuthKey, Ciphersuite};

use crate::certificates::{Names, bundle_security};
use crate::medium::{Door, Medium, Simulated, SimulatedConfig, node_address, tester_address};
use crate::mutants::Mutant;
use crate::profile::{BundleProfile, ContactProfile, LtpKey, LtpProfile, Originate, Profile, TcpclProfile, TlsProfile};
use crate::run::Target;

pub use security::Shown;
pub(crate) use security::{careless, shows};

/// Node number and engine ID of the node under test.
pub const NODE: u64 = 2;
/// Node number and engine ID of the tester by LTP.
pub const TESTER: u64 = 3;
/// Those of the tester's second engine.
pub const SECOND_TESTER: u64 = 4;
/// Node number of the tester with bundles in datagrams.
pub const UDP_TESTER: u64 = 5;
/// That of the tester by TCPCL.
pub const TCPCL_TESTER: u64 = 6;
/// That of the tester by STCP.
pub const STCP_TESTER: u64 = 7;
/// That of the tester by MTCP.
pub const MTCP_TESTER: u64 = 8;

/// Light time in each direction: long enough that an answer which does not wait for it shows.
const LIGHT_TIME: Duration = Duration::from_millis(500);
const RESPONSE: Duration = Duration::from_millis(100);
/// DTN time of the instant zero: 2026-01-01T00:00:00Z.
const DTN_TIME_AT_ZERO_MS: u64 = 820_540_800_000;
const RETRANSMISSIONS: u32 = 3;
const PROBLEMS: u32 = 8;
const CYCLES: u32 = 5;
/// Of rounds and cycles, where the case is not about their limit.
const UNLIMITED: u32 = 1000;
const SEGMENT_SIZE: usize = 1000;
/// The host name under which the node knows the tester, where it knows one.
const HOST: &str = "tester.example";
/// What the node proposes in SESS_INIT, in seconds.
const KEEPALIVE_S: u16 = 30;
/// How long a session waits for a contact header, and for SESS_INIT.
const SESSION_PATIENCE: Duration = Duration::from_secs(30);
/// How long a session that is ending waits.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// Red part of a block of two colours: no multiple of what a segment holds.
const RED_LENGTH: u64 = 4321;
/// When the links by LTP are open, where they follow a schedule.
const CONTACTS: [(Duration, Duration); 4] = [
    (Duration::from_secs(0), Duration::from_secs(10)),
    (Duration::from_secs(20), Duration::from_secs(30)),
    (Duration::from_secs(40), Duration::from_secs(50)),
    (Duration::from_secs(60), Duration::from_secs(600)),
];
/// A `dtn` endpoint that leads to the tester.
const DTN_TESTER: &str = "//fwd/x";
/// Longest packet between tester and node, in octets, where the node fragments bundles.
const PATH_MTU: usize = 1500;
/// Octets of the headers of IPv4 and UDP.
const IP_AND_UDP: usize = 28;

/// The built-in node, started anew for each case.
pub struct Builtin<'a> {
    profiles: Vec<Profile>,
    seed: u64,
    mutant: Option<&'a Mutant>,
    running: Option<Simulated>,
}

impl<'a> Builtin<'a> {
    /// The node as it is.
    pub fn new(seed: u64) -> Self {
        Builtin { profiles: profiles(), seed, mutant: None, running: None }
    }

    /// The node as it is, with the bundles of the suites over LTP.
    pub fn over_ltp(seed: u64) -> Self {
        Builtin { profiles: profiles().into_iter().map(over_ltp).collect(), ..Builtin::new(seed) }
    }

    /// The node misbehaving in one way.
    pub fn mutant(seed: u64, mutant: &'a Mutant) -> Self {
        Builtin { mutant: Some(mutant), ..Builtin::new(seed) }
    }
}

impl Target for Builtin<'_> {
    fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    fn start(&mut self, configuration: usize, seed: u64) -> Result<(), String> {
        let mut config = simulated(&self.profiles[configuration], seed ^ self.seed);
        if let Some(mutant) = self.mutant {
            mutant.apply(&mut config);
        }
        self.running = Some(Simulated::new(config));
        Ok(())
    }

    fn medium(&mut self) -> Option<&mut dyn Medium> {
        self.running.as_mut().map(|running| running as &mut dyn Medium)
    }

    fn is_fresh(&self) -> bool {
        true
    }

    fn can_restart(&self) -> bool {
        true
    }

    fn stop(&mut self) {
        self.running = None;
    }
}

/// Every configuration, the usual one first.
fn profiles() -> Vec<Profile> {
    let variant = |name: &str, without: &[&str], with: &[&str]| {
        let mut profile = usual();
        profile.name = format!("builtin, {name}");
        profile.offers.retain(|offer| !without.contains(&offer.as_str()));
        profile.offers.extend(with.iter().map(|need| (*need).to_owned()));
        profile
    };
    let by_ltp = |name: &str, offers: &[&str], change: fn(&mut LtpProfile)| {
        let mut profile = variant(name, &[], offers);
        change(profile.ltp.as_mut().expect("the usual profile speaks LTP"));
        profile
    };
    let mut contacts = variant("contacts", &[], &["contact-schedule"]);
    contacts.contacts = CONTACTS.map(|(start, end)| ContactProfile { start, end }).to_vec();
    let mut fragmenting = variant("fragmenting", &[], &["fragmenting"]);
    if let Some(bundles) = &mut fragmenting.bundles {
        bundles.longest_bundle = Some(PATH_MTU - IP_AND_UDP);
    }
    vec![
        usual(),
        by_ltp("cycles", &["cycle-limit"], |ltp| {
            ltp.cycle_limit = Some(CYCLES);
            ltp.problem_limit = None;
        }),
        by_ltp("green", &["green-blocks"], |_| {}),
        by_ltp("two colours", &["mixed-colour"], |_| {}),
        by_ltp("authentication", &["ltp-auth"], |ltp| {
            ltp.authentication =
                Some(LtpKey { suite: 0, id: vec![0x24], key: b"a key that tester and node share".to_vec() });
        }),
        by_ltp("cookies", &["ltp-cookie"], |_| {}),
        contacts,
        variant("clockless", &["clock"], &["clockless"]),
        variant("default", &["sr"], &["default-config"]),
        fragmenting,
        secured("TLS", &["tls", "test-ca", "eku-policy"], false, None),
        secured("TLS required", &["tls", "test-ca", "tls-policy", "nodeid-policy"], true, None),
        secured("TLS with names", &["tls", "test-ca", "dns", "netid-policy"], true, Some(HOST)),
    ]
}

/// The node with TLS. With a host name certificates must bear that; else, where TLS is required, the node ID.
fn secured(name: &str, offers: &[&str], require: bool, host: Option<&str>) -> Profile {
    let mut profile = usual();
    profile.name = format!("builtin, {name}");
    profile.offers.extend(offers.iter().map(|offer| (*offer).to_owned()));
    let authority = security::authority();
    let tester = Eid::ipn(TCPCL_TESTER, 0).to_string();
    let leaf = authority.issue(&Names {
        bundle_eids: &[&tester],
        dns: host.as_slice(),
        purposes: vec![bundle_security()],
        ..Names::default()
    });
    if let Some(tcpcl) = &mut profile.tcpcl {
        tcpcl.tls = Some(TlsProfile {
            require,
            certificate: leaf.certificate,
            key: leaf.key,
            authority: Some((authority.certificate.clone(), authority.key.clone())),
            name: host.map(str::to_owned),
        });
    }
    profile
}

/// The same node where the tester with the bundles is its neighbour by LTP.
fn over_ltp(mut profile: Profile) -> Profile {
    if let Some(bundles) = &mut profile.bundles {
        bundles.carrier = Door::Ltp;
        bundles.tester = Eid::ipn(TESTER, 0);
        bundles.forward = Eid::ipn(TESTER, 1);
        bundles.report_to = Eid::ipn(TESTER, 7);
        bundles.other_report_to = Eid::ipn(TESTER, 8);
        bundles.longest_bundle = None;
    }
    profile.offers.remove("fragmenting");
    profile
}

/// The node as most cases need it.
fn usual() -> Profile {
    let round_trip = LIGHT_TIME + LIGHT_TIME;
    // The engine waits for light time there and back, its margin, and what it allows the peer (RFC 5326 section 6.5).
    let timer = round_trip + RESPONSE + RESPONSE;
    let offers = [
        "anonymous-send",
        "clock",
        "dtn-scheme",
        "green-service",
        "local-cancel",
        "local-terminate",
        "mtcp",
        "oracle",
        "passive-registration",
        "problem-limit",
        "route-control",
        "second-engine",
        "sr",
        "stcp",
    ];
    Profile {
        name: "builtin".to_owned(),
        round_trip,
        response: RESPONSE,
        offers: offers.map(str::to_owned).into_iter().collect::<BTreeSet<_>>(),
        originate: Originate::Ordered,
        ltp: Some(LtpProfile {
            engine: NODE,
            tester: TESTER,
            second_tester: Some(SECOND_TESTER),
            service: 1,
            unused_service: 4093,
            defer: Duration::ZERO,
            checkpoint_timer: timer,
            report_timer: timer,
            cancel_timer: timer,
            checkpoint_limit: RETRANSMISSIONS,
            report_limit: RETRANSMISSIONS,
            cancel_limit: RETRANSMISSIONS,
            problem_limit: Some(PROBLEMS),
            cycle_limit: None,
            segment_size: SEGMENT_SIZE,
            relay: Some(Eid::ipn(TESTER, 1)),
            authentication: None,
        }),
        bundles: Some(BundleProfile {
            carrier: Door::Udp,
            node: Eid::ipn(NODE, 0),
            tester: Eid::ipn(UDP_TESTER, 0),
            forward: Eid::ipn(UDP_TESTER, 1),
            local: Eid::ipn(NODE, 1),
            passive: Some(Eid::ipn(NODE, 2)),
            unroutable: Eid::ipn(99, 1),
            report_to: Eid::ipn(UDP_TESTER, 7),
            other_report_to: Eid::ipn(UDP_TESTER, 8),
            dtn_forward: Some(Eid::Dtn(DTN_TESTER.to_owned())),
            dtn_time_at_zero_ms: DTN_TIME_AT_ZERO_MS,
            forwarding: RESPONSE,
            reporting: RESPONSE,
            expiry: RESPONSE,
            skew: RESPONSE,
            unknown_blocks: [251, 252, 253],
            longest_bundle: None,
            path_mtu: PATH_MTU,
            longest_taken: 4 << 20,
            names_itself: true,
        }),
        tcpcl: Some(TcpclProfile {
            tester: Eid::ipn(TCPCL_TESTER, 0),
            tls: None,
            listens: true,
            connects: true,
            on_demand: false,
            keepalive_s: Some(KEEPALIVE_S),
            contact_timeout: SESSION_PATIENCE,
            init_timeout: SESSION_PATIENCE,
            idle_timeout: None,
            close_timeout: CLOSE_PATIENCE,
            pause: Duration::ZERO,
        }),
        endpoints: endpoints(),
        contacts: Vec::new(),
    }
}

/// The tester's endpoint behind each door.
fn endpoints() -> Vec<(Door, Eid)> {
    let numbers = [
        (Door::Ltp, TESTER),
        (Door::SecondLtp, SECOND_TESTER),
        (Door::Udp, UDP_TESTER),
        (Door::Tcpcl, TCPCL_TESTER),
        (Door::Stcp, STCP_TESTER),
        (Door::Mtcp, MTCP_TESTER),
    ];
    numbers.map(|(door, number)| (door, Eid::ipn(number, 1))).to_vec()
}

/// The links over streams.
fn links(tls: Option<Secured>) -> Vec<Link> {
    let link = |number: u64, layer: LinkLayer| Link {
        node: Eid::ipn(number, 0),
        layer,
        open: Schedule::new(vec![Window::always(0, Duration::ZERO)]),
        planned: false,
    };
    let tcpcl =
        LinkLayer::Tcpcl { to: Some(tester_address(Door::Tcpcl)), keepalive_s: KEEPALIVE_S, segment: 1 << 16, tls };
    vec![
        link(TCPCL_TESTER, tcpcl),
        link(STCP_TESTER, LinkLayer::Stcp(tester_address(Door::Stcp))),
        link(MTCP_TESTER, LinkLayer::Mtcp(tester_address(Door::Mtcp))),
    ]
}

/// The node in the configuration that a profile of [`Builtin`] describes, not started yet.
pub fn simulated(profile: &Profile, seed: u64) -> SimulatedConfig {
    let mut node = Config::new(NodeId(0), NODE, seed);
    node.agent.dtn_time_at_zero_ms = DTN_TIME_AT_ZERO_MS;
    node.agent.status_reports = profile.offers("sr");
    node.agent.has_clock = !profile.offers("clockless");
    node.agent.journal = true;
    let windows = profile.contacts.iter().map(|contact| Window {
        start: Instant::ZERO + contact.start,
        end: Instant::ZERO + contact.end,
        ..Window::always(0, LIGHT_TIME)
    });
    let schedule = match profile.contacts.is_empty() {
        true => Schedule::new(vec![Window::always(0, LIGHT_TIME)]),
        false => Schedule::new(windows.collect()),
    };
    let ltp = profile.ltp.as_ref();
    let key = ltp.and_then(|ltp| ltp.authentication.as_ref()).map(|key| {
        AuthKey::new(Ciphersuite::from_code(key.suite), &key.id, &key.key).expect("the profile's key is one")
    });
    let cookies = match profile.offers("ltp-cookie") {
        true => Cookies::Initiate { length: 8, extend: 4 },
        false => PeerConfig::default().cookies,
    };
    let neighbour = |place: u16, number: u64| Neighbour {
        id: NodeId(place + 1),
        node: Eid::ipn(number, 0),
        engine: number,
        outgoing: ChannelId(2 * place),
        incoming: ChannelId(2 * place + 1),
        transmit: schedule.clone(),
        receive: schedule.clone(),
        overhead_bits: 0,
        ltp: PeerConfig {
            segment_size: SEGMENT_SIZE,
            response_margin: RESPONSE,
            retransmission_limit: RETRANSMISSIONS,
            problem_limit: ltp.and_then(|ltp| ltp.problem_limit).unwrap_or(UNLIMITED),
            cycle_limit: ltp.and_then(|ltp| ltp.cycle_limit).unwrap_or(UNLIMITED),
            security: key.clone().map(Authentication::from),
            cookies,
            ..PeerConfig::default()
        },
        reliable: !profile.offers("green-blocks"),
        aggregation: None,
    };
    node.neighbours = vec![neighbour(0, TESTER), neighbour(1, SECOND_TESTER)];
    let udp = Eid::ipn(UDP_TESTER, 0);
    node.others = vec![(NodeId(3), udp.clone())];
    node.others
        .extend((4..).map(NodeId).zip([TCPCL_TESTER, STCP_TESTER, MTCP_TESTER].map(|number| Eid::ipn(number, 0))));
    node.endpoints = vec![(Eid::ipn(NODE, 1), Registration::ACTIVE), (Eid::ipn(NODE, 2), Registration::PASSIVE)];
    let direct = |number: u64| StaticRoute {
        to: farlink_engine::routing::EidPattern::IpnNode(number),
        via: Eid::ipn(number, 0),
        metric: 0,
    };
    node.routes = [TESTER, SECOND_TESTER, UDP_TESTER, TCPCL_TESTER, STCP_TESTER, MTCP_TESTER].map(direct).to_vec();
    let bundles = profile.bundles.as_ref();
    let by_name = bundles.and_then(|bundles| {
        let to = farlink_engine::routing::EidPattern::Exact(bundles.dtn_forward.clone()?);
        Some(StaticRoute { to, via: bundles.tester.clone(), metric: 0 })
    });
    node.routes.extend(by_name);
    SimulatedConfig {
        node,
        light_time: LIGHT_TIME,
        ltp: vec![(Door::Ltp, ChannelId(0), ChannelId(1)), (Door::SecondLtp, ChannelId(2), ChannelId(3))],
        udp: Some(udp),
        listeners: vec![
            Listener::Tcpcl { address: node_address(Door::Tcpcl), tls: security::of(profile) },
            Listener::Stcp(node_address(Door::Stcp)),
            Listener::Mtcp(node_address(Door::Mtcp)),
        ],
        links: links(security::of(profile)),
        pauses: (FIRST_PAUSE, LONGEST_PAUSE),
        closure_alert: true,
        careless: None,
        tester: profile.endpoints.clone(),
        source: Eid::ipn(NODE, 1),
        passive: Some(Eid::ipn(NODE, 2)),
        red_length: profile.offers("mixed-colour").then_some(RED_LENGTH),
        longest_datagram: bundles.and_then(|bundles| bundles.longest_bundle),
        mutation: None,
    }
}
