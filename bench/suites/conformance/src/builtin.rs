//! The built-in node as a target, under a virtual clock.

use std::collections::BTreeSet;

use farlink_engine::bp::Registration;
use farlink_engine::ltp::PeerConfig;
use farlink_engine::routing::StaticRoute;
use farlink_engine::schedule::{Schedule, Window};
use farlink_nodes::builtin::{Config, Neighbour};
use farlink_record::{ChannelId, NodeId};
use farlink_units::Duration;
use farlink_wire::bpv7::Eid;

use crate::medium::{Door, Medium, Simulated, SimulatedConfig};
use crate::mutants::Mutant;
use crate::profile::{BundleProfile, LtpProfile, Originate, Profile};
use crate::run::Target;

/// Node number and engine ID of the node under test.
pub const NODE: u64 = 2;
/// Node number and engine ID of the tester by LTP.
pub const TESTER: u64 = 3;
/// Those of the tester's second engine.
pub const SECOND_TESTER: u64 = 4;
/// Node number of the tester with bundles in datagrams.
pub const UDP_TESTER: u64 = 5;

/// Light time in each direction: long enough that an answer which does not wait for it shows.
const LIGHT_TIME: Duration = Duration::from_millis(500);
const RESPONSE: Duration = Duration::from_millis(100);
/// DTN time of the instant zero: 2026-01-01T00:00:00Z.
const DTN_TIME_AT_ZERO_MS: u64 = 820_540_800_000;
const RETRANSMISSIONS: u32 = 3;
const PROBLEMS: u32 = 8;
const CYCLES: u32 = 5;
const SEGMENT_SIZE: usize = 1000;
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
    started: u64,
}

impl<'a> Builtin<'a> {
    /// The node as it is.
    pub fn new(seed: u64) -> Self {
        Builtin { profiles: profiles(), seed, mutant: None, running: None, started: 0 }
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

/// The configurations, the usual one first.
fn profiles() -> Vec<Profile> {
    let variant = |name: &str, without: &[&str], with: &[&str]| {
        let mut profile = usual();
        profile.name = format!("builtin-{name}");
        profile.offers.retain(|offer| !without.contains(&offer.as_str()));
        profile.offers.extend(with.iter().map(|need| (*need).to_owned()));
        profile
    };
    let mut fragmenting = variant("fragmenting", &[], &["fragmenting"]);
    if let Some(bundles) = &mut fragmenting.bundles {
        bundles.longest_bundle = Some(PATH_MTU - IP_AND_UDP);
    }
    vec![
        usual(),
        variant("clockless", &["clock"], &["clockless"]),
        variant("default", &["sr"], &["default-config"]),
        fragmenting,
    ]
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
        "oracle",
        "second-engine",
        "problem-limit",
        "cycle-limit",
        "sr",
        "clock",
        "dtn-scheme",
        "anonymous-send",
        "route-control",
        "local-cancel",
        "passive-registration",
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
        tcpcl: None,
        contacts: Vec::new(),
    }
}

fn simulated(profile: &Profile, seed: u64) -> SimulatedConfig {
    let mut node = Config::new(NodeId(0), NODE, seed);
    node.agent.dtn_time_at_zero_ms = DTN_TIME_AT_ZERO_MS;
    node.agent.status_reports = profile.offers("sr");
    node.agent.has_clock = !profile.offers("clockless");
    node.agent.journal = true;
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
    node.endpoints = vec![(Eid::ipn(NODE, 1), Registration::ACTIVE), (Eid::ipn(NODE, 2), Registration::PASSIVE)];
    let direct = |number: u64| StaticRoute {
        to: farlink_engine::routing::EidPattern::IpnNode(number),
        via: Eid::ipn(number, 0),
        metric: 0,
    };
    node.routes = [TESTER, SECOND_TESTER, UDP_TESTER].map(direct).to_vec();
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
        tester: vec![
            (Door::Ltp, Eid::ipn(TESTER, 1)),
            (Door::SecondLtp, Eid::ipn(SECOND_TESTER, 1)),
            (Door::Udp, Eid::ipn(UDP_TESTER, 1)),
        ],
        source: Eid::ipn(NODE, 1),
        passive: Some(Eid::ipn(NODE, 2)),
        longest_datagram: bundles.and_then(|bundles| bundles.longest_bundle),
        mutation: None,
    }
}
