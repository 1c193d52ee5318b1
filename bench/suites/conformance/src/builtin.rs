//! The built-in node as a target, under a virtual clock.

use std::collections::BTreeSet;

use farlink_engine::bp::Registration;
use farlink_engine::ltp::PeerConfig;
use farlink_engine::routing::StaticRoute;
use farlink_engine::schedule::{Schedule, Window};
use farlink_nodes::builtin::{Config, Neighbour};
use farlink_nodes::standalone::{FIRST_PAUSE, LONGEST_PAUSE, Link, LinkLayer, Listener};
use farlink_record::{ChannelId, NodeId};
use farlink_units::Duration;
use farlink_wire::bpv7::Eid;

use crate::medium::{Door, Medium, Simulated, SimulatedConfig, node_address, tester_address};
use crate::mutants::Mutant;
use crate::profile::{BundleProfile, LtpProfile, Originate, Profile, TcpclProfile};
use crate::run::Target;

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
const SEGMENT_SIZE: usize = 1000;
/// What the node proposes in SESS_INIT, in seconds.
const KEEPALIVE_S: u16 = 30;
/// How long a session waits for a contact header, and for SESS_INIT.
const SESSION_PATIENCE: Duration = Duration::from_secs(30);
/// How long a session that is ending waits.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// The built-in node, started anew for each case.
pub struct Builtin<'a> {
    profiles: Vec<Profile>,
    seed: u64,
    mutant: Option<&'a Mutant>,
    running: Option<Simulated>,
    started: u64,
}

impl<'a> Builtin<'a> {
    /// The node as it is.
    pub fn new(seed: u64) -> Self {
        Builtin { profiles: vec![usual()], seed, mutant: None, running: None, started: 0 }
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

    fn medium(&mut self, configuration: usize) -> Result<&mut dyn Medium, String> {
        self.started += 1;
        // Session and serial numbers differ from case to case, and are the same whenever the run is repeated.
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(self.started);
        let mut config = simulated(&self.profiles[configuration], seed);
        if let Some(mutant) = self.mutant {
            mutant.apply(&mut config);
        }
        Ok(self.running.insert(Simulated::new(config)))
    }

    fn can_restart(&self) -> bool {
        true
    }

    fn stop(&mut self) {
        self.running = None;
    }
}

/// The node as most cases need it.
fn usual() -> Profile {
    let round_trip = LIGHT_TIME + LIGHT_TIME;
    // The engine waits for light time there and back, its margin, and what it allows the peer (RFC 5326 section 6.5).
    let timer = round_trip + RESPONSE + RESPONSE;
    let offers =
        ["local-terminate", "stcp", "mtcp", "oracle", "second-engine", "problem-limit", "cycle-limit", "sr", "clock"];
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
            cycle_limit: Some(CYCLES),
            segment_size: SEGMENT_SIZE,
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
            dtn_forward: None,
            dtn_time_at_zero_ms: DTN_TIME_AT_ZERO_MS,
            forwarding: RESPONSE,
            reporting: RESPONSE,
            expiry: RESPONSE,
            skew: RESPONSE,
            unknown_blocks: [251, 252, 253],
            longest_bundle: None,
        }),
        tcpcl: Some(TcpclProfile {
            tester: Eid::ipn(TCPCL_TESTER, 0),
            listens: true,
            connects: true,
            keepalive_s: Some(KEEPALIVE_S),
            contact_timeout: SESSION_PATIENCE,
            init_timeout: SESSION_PATIENCE,
            idle_timeout: None,
            close_timeout: CLOSE_PATIENCE,
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
fn links() -> Vec<Link> {
    let link = |number: u64, layer: LinkLayer| Link {
        node: Eid::ipn(number, 0),
        layer,
        open: Schedule::new(vec![Window::always(0, Duration::ZERO)]),
        planned: false,
    };
    let tcpcl = LinkLayer::Tcpcl {
        to: Some(tester_address(Door::Tcpcl)),
        keepalive_s: KEEPALIVE_S,
        segment: 1 << 16,
        tls: None,
    };
    vec![
        link(TCPCL_TESTER, tcpcl),
        link(STCP_TESTER, LinkLayer::Stcp(tester_address(Door::Stcp))),
        link(MTCP_TESTER, LinkLayer::Mtcp(tester_address(Door::Mtcp))),
    ]
}

fn simulated(profile: &Profile, seed: u64) -> SimulatedConfig {
    let mut node = Config::new(NodeId(0), NODE, seed);
    node.agent.dtn_time_at_zero_ms = DTN_TIME_AT_ZERO_MS;
    node.agent.status_reports = profile.offers("sr");
    let always = Schedule::new(vec![Window::always(0, LIGHT_TIME)]);
    let neighbour = |place: u16, number: u64| Neighbour {
        id: NodeId(place + 1),
        node: Eid::ipn(number, 0),
        engine: number,
        outgoing: ChannelId(2 * place),
        incoming: ChannelId(2 * place + 1),
        transmit: always.clone(),
        receive: always.clone(),
        overhead_bits: 0,
        ltp: PeerConfig {
            segment_size: SEGMENT_SIZE,
            response_margin: RESPONSE,
            retransmission_limit: RETRANSMISSIONS,
            problem_limit: PROBLEMS,
            cycle_limit: CYCLES,
            ..PeerConfig::default()
        },
        reliable: true,
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
    SimulatedConfig {
        node,
        light_time: LIGHT_TIME,
        ltp: vec![(Door::Ltp, ChannelId(0), ChannelId(1)), (Door::SecondLtp, ChannelId(2), ChannelId(3))],
        udp: Some(udp),
        listeners: vec![
            Listener::Tcpcl { address: node_address(Door::Tcpcl), tls: None },
            Listener::Stcp(node_address(Door::Stcp)),
            Listener::Mtcp(node_address(Door::Mtcp)),
        ],
        links: links(),
        pauses: (FIRST_PAUSE, LONGEST_PAUSE),
        tester: profile.endpoints.clone(),
        source: Eid::ipn(NODE, 1),
        passive: Some(Eid::ipn(NODE, 2)),
        mutation: None,
    }
}
