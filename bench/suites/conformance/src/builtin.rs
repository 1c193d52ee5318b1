//! The built-in node as a target, under a virtual clock.

use std::collections::BTreeSet;

use farlink_engine::bp::Registration;
use farlink_engine::ltp::{Authentication, Cookies, PeerConfig};
use farlink_engine::routing::StaticRoute;
use farlink_engine::schedule::{Schedule, Window};
use farlink_nodes::builtin::{Config, Neighbour};
use farlink_record::{ChannelId, NodeId};
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;
use farlink_wire::ltp::security::{AuthKey, Ciphersuite};

use crate::medium::{Door, Medium, Simulated, SimulatedConfig};
use crate::mutants::Mutant;
use crate::profile::{BundleProfile, ContactProfile, LtpKey, LtpProfile, Originate, Profile};
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
/// Of rounds and cycles, where the case is not about their limit.
const UNLIMITED: u32 = 1000;
const SEGMENT_SIZE: usize = 1000;
/// Red part of a block of two colours: no multiple of what a segment holds.
const RED_LENGTH: u64 = 4321;
/// When the links by LTP are open, where they follow a schedule.
const CONTACTS: [(Duration, Duration); 4] = [
    (Duration::from_secs(0), Duration::from_secs(10)),
    (Duration::from_secs(20), Duration::from_secs(30)),
    (Duration::from_secs(40), Duration::from_secs(50)),
    (Duration::from_secs(60), Duration::from_secs(600)),
];

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

/// Every configuration, the usual one first.
fn profiles() -> Vec<Profile> {
    let offering = |name: &str, offers: &[&str], change: fn(&mut LtpProfile)| {
        let mut profile = usual();
        profile.name = format!("builtin, {name}");
        profile.offers.extend(offers.iter().map(|offer| (*offer).to_owned()));
        change(profile.ltp.as_mut().expect("the usual profile speaks LTP"));
        profile
    };
    let mut contacts = offering("contacts", &["contact-schedule"], |_| {});
    contacts.contacts = CONTACTS.map(|(start, end)| ContactProfile { start, end }).to_vec();
    vec![
        usual(),
        offering("cycles", &["cycle-limit"], |ltp| {
            ltp.cycle_limit = Some(CYCLES);
            ltp.problem_limit = None;
        }),
        offering("green", &["green-blocks"], |_| {}),
        offering("two colours", &["mixed-colour"], |_| {}),
        offering("authentication", &["ltp-auth"], |ltp| {
            ltp.authentication =
                Some(LtpKey { suite: 0, id: vec![0x24], key: b"a key that tester and node share".to_vec() });
        }),
        offering("cookies", &["ltp-cookie"], |_| {}),
        contacts,
    ]
}

/// The node as most cases need it.
fn usual() -> Profile {
    let round_trip = LIGHT_TIME + LIGHT_TIME;
    // The engine waits for light time there and back, its margin, and what it allows the peer (RFC 5326 section 6.5).
    let timer = round_trip + RESPONSE + RESPONSE;
    let offers = ["oracle", "second-engine", "problem-limit", "local-cancel", "green-service", "sr", "clock"];
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
            dtn_forward: None,
            dtn_time_at_zero_ms: DTN_TIME_AT_ZERO_MS,
            forwarding: RESPONSE,
            reporting: RESPONSE,
            expiry: RESPONSE,
            skew: RESPONSE,
            unknown_blocks: [251, 252, 253],
            longest_bundle: None,
        }),
        tcpcl: None,
        contacts: Vec::new(),
    }
}

/// The node in the configuration that a profile of [`Builtin`] describes, not started yet.
pub fn simulated(profile: &Profile, seed: u64) -> SimulatedConfig {
    let mut node = Config::new(NodeId(0), NODE, seed);
    node.agent.dtn_time_at_zero_ms = DTN_TIME_AT_ZERO_MS;
    node.agent.status_reports = profile.offers("sr");
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
    node.endpoints = vec![(Eid::ipn(NODE, 1), Registration::ACTIVE), (Eid::ipn(NODE, 2), Registration::PASSIVE)];
    let direct = |number: u64| StaticRoute {
        to: farlink_engine::routing::EidPattern::IpnNode(number),
        via: Eid::ipn(number, 0),
        metric: 0,
    };
    node.routes = [TESTER, SECOND_TESTER, UDP_TESTER].map(direct).to_vec();
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
        red_length: profile.offers("mixed-colour").then_some(RED_LENGTH),
        mutation: None,
    }
}
