use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use farlink_engine::bp::{
    Agent, BundleId, Change, Config, Failure, FailureAction, Handle, Notice, Record, Refusal, Registration, Snapshot,
    Transmission,
};
use farlink_engine::class::Class;
use farlink_engine::routing::{Contact, ContactPlan};
use farlink_engine::schedule::Window;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{Bundle, BundleFlags, CrcType, CreationTimestamp, Eid};

const ZERO_MS: u64 = 848_000_000_000;
const STORAGE_LIMIT: u64 = 50_000;
const MEMORY_LIMIT: usize = 40;
const MAX_OPERATIONS: usize = 96;
const NEIGHBOURS: [u64; 3] = [20, 21, 30];

/// Octets as what happens to a bundle agent with a store on disk: bundles that arrive, transmissions, deliveries, neighbours
/// and plans that come and go, restarts, and time that passes.
///
/// The store keeps to its limit, what is forwarded is a bundle, the disk has what the agent has, and in the end, when all
/// has expired, nothing is left and each transmission has been concluded.
pub fn agent(data: &[u8]) {
    let mut world = World::new();
    let mut rest = data;
    for _ in 0..MAX_OPERATIONS {
        let Some((&operation, after)) = rest.split_first() else { break };
        rest = after;
        if matches!(operation % 16, 0..=2 | 8) {
            // The rest up to a length, or to its end.
            let Some((&[high, low], after)) = rest.split_first_chunk() else { break };
            let (octets, after) = after.split_at(after.len().min(usize::from(u16::from_be_bytes([high, low]))));
            rest = after;
            let refusal = if operation & 1 == 0 { Refusal::Possible } else { Refusal::Impossible };
            let octets = Bytes::from(with_crcs(octets, operation & 8 == 0));
            let _ = world.agent.receive(world.now, &neighbour(operation >> 4), &octets, refusal);
        } else {
            world.operate(operation % 16, operation >> 4);
        }
        world.check();
    }
    world.end();
}

struct World {
    agent: Agent,
    now: Instant,
    disk: Disk,
    in_transit: Vec<Handle>,
    given: BTreeSet<Handle>,
    transmitted: Vec<BundleId>,
    /// Bundles, without their extent, of which something was forwarded, delivered or deleted.
    concluded: BTreeSet<BundleId>,
}

/// What a disk would have.
#[derive(Default)]
struct Disk {
    bundles: BTreeMap<Handle, Record>,
    remembered: BTreeMap<BundleId, u64>,
    created: Option<CreationTimestamp>,
}

fn neighbour(number: u8) -> Eid {
    Eid::ipn(NEIGHBOURS[usize::from(number) % NEIGHBOURS.len()], 0)
}

fn started() -> Agent {
    let mut agent = Agent::new(Config {
        dtn_time_at_zero_ms: ZERO_MS,
        storage_limit: STORAGE_LIMIT,
        memory_limit: MEMORY_LIMIT,
        status_reports: true,
        journal: true,
        ..Config::new(Eid::ipn(10, 0))
    });
    assert!(agent.register(Eid::ipn(10, 1), Registration::ACTIVE));
    agent.add_route("* via ipn:20.0".parse().expect("a route")).expect("room for a route");
    agent.add_route("* via ipn:21.0 metric 4".parse().expect("a route")).expect("room for a route");
    agent.set_longest_bundle(&Eid::ipn(21, 0), 400);
    agent
}

impl World {
    fn new() -> Self {
        World {
            agent: started(),
            now: Instant::ZERO,
            disk: Disk::default(),
            in_transit: Vec::new(),
            given: BTreeSet::new(),
            transmitted: Vec::new(),
            concluded: BTreeSet::new(),
        }
    }

    fn operate(&mut self, operation: u8, detail: u8) {
        let (agent, now) = (&mut self.agent, self.now);
        let passive = Eid::ipn(10, 2);
        match operation {
            4 => {
                self.now += Duration::from_secs(i64::from(detail) * i64::from(detail) * 10);
                agent.handle_timeout(self.now);
            }
            5 | 6 => {
                if let Some(outgoing) = agent.poll_forward(now, &neighbour(detail)) {
                    let octets = outgoing.block.slice(0, outgoing.block.len() as usize);
                    let bundle = Bundle::parse(&octets).expect("what is forwarded is a bundle");
                    let here = |node: &Eid| node.node() == Some(10);
                    assert!(!bundle.primary.destination.node_id().is_some_and(|node| here(&node)));
                    self.in_transit.push(outgoing.handle);
                }
            }
            7 => {
                let Some(handle) = self.take_in_transit(detail) else { return };
                self.agent.forwarded(now, handle);
            }
            3 => {
                let Some(handle) = self.take_in_transit(detail) else { return };
                let failure = [Failure::Link, Failure::NoResources, Failure::Rejected][usize::from(detail) % 3];
                self.agent.forwarding_failed(now, handle, failure);
            }
            9 | 10 => {
                let flags = if detail & 1 == 0 { BundleFlags::ALL_REPORTS } else { BundleFlags(0) };
                let class = [Class::Bulk, Class::Normal, Class::Expedited][usize::from(detail) % 3];
                let destinations = [Eid::ipn(30, 1), Eid::ipn(10, 1), passive, Eid::ipn(10, 9)];
                let destination = destinations[usize::from(detail) / 4].clone();
                let transmission = Transmission {
                    flags,
                    class,
                    report_to: neighbour(detail),
                    lifetime: Duration::from_secs(2_000),
                    max_payload: (operation == 10).then_some(300),
                    ..Transmission::new(Eid::ipn(10, 1), destination, Bytes::from(vec![detail; 900]))
                };
                if let Ok(id) = agent.transmit(now, transmission) {
                    self.transmitted.push(id);
                }
            }
            11 => {
                if self.transmitted.is_empty() {
                    return;
                }
                let id = self.transmitted[usize::from(detail) % self.transmitted.len()].clone();
                agent.cancel(now, &id);
            }
            12 => match detail % 6 {
                0 => drop(agent.register(passive, Registration::PASSIVE)),
                1 => drop(agent.register(passive, Registration::ACTIVE)),
                2 => drop(agent.register(passive, Registration { active: false, on_failure: FailureAction::Abandon })),
                3 => agent.deregister(now, &passive),
                _ => drop(agent.poll_endpoint(&passive)),
            },
            13 => match detail % 5 {
                0 | 1 => drop(agent.neighbour_found(now, &neighbour(detail), u64::from(detail) * 1_000)),
                2 | 3 => agent.neighbour_lost(now, &neighbour(detail)),
                _ => drop(agent.contact_failed(now, &neighbour(detail))),
            },
            14 => agent.set_contact_plan(now, plan(now, detail)),
            _ => match detail % 4 {
                0 => self.restart(),
                _ => {
                    if let Some(handle) = self.given.pop_first() {
                        match detail % 4 {
                            1 => self.agent.delivery_failed(now, handle),
                            _ => self.agent.delivered(now, handle),
                        }
                    }
                }
            },
        }
    }

    fn take_in_transit(&mut self, detail: u8) -> Option<Handle> {
        let index = usize::from(detail) % self.in_transit.len().max(1);
        (!self.in_transit.is_empty()).then(|| self.in_transit.swap_remove(index))
    }

    /// The process ends, and another one takes up what the disk has.
    fn restart(&mut self) {
        self.in_transit.clear();
        self.given.clear();
        self.agent = started();
        let _ = self.agent.register(Eid::ipn(10, 2), Registration::PASSIVE);
        let snapshot = Snapshot {
            bundles: self.disk.bundles.iter().map(|(handle, record)| (*handle, record.clone())).collect(),
            remembered: self.disk.remembered.iter().map(|(id, until)| (id.clone(), *until)).collect(),
            created: self.disk.created,
        };
        self.agent.restore(self.now, snapshot);
    }

    fn check(&mut self) {
        while let Some(change) = self.agent.poll_change() {
            match change {
                Change::Put { handle, record } => {
                    assert!(self.disk.bundles.insert(handle, record).is_none(), "{handle:?} is given out twice");
                }
                Change::Remove { handle } => {
                    assert!(self.disk.bundles.remove(&handle).is_some(), "{handle:?} is not there")
                }
                Change::Remember { id, until_ms } => drop(self.disk.remembered.insert(id, until_ms)),
                Change::Forget { id } => drop(self.disk.remembered.remove(&id)),
                Change::Created { creation } => {
                    assert!(self.disk.created < Some(creation), "no timestamp is given twice");
                    self.disk.created = Some(creation);
                }
            }
        }
        while let Some(notice) = self.agent.poll_notice() {
            match notice {
                Notice::Forwarded { id, .. } | Notice::Delivered { id, .. } | Notice::Deleted { id, .. } => {
                    self.concluded.insert(id.whole());
                }
                Notice::Delivery { handle, .. } => assert!(self.given.insert(handle), "{handle:?} is given twice"),
                Notice::Abandoned { handle } => self.in_transit.retain(|other| *other != handle),
                _ => {}
            }
        }
        assert_eq!(self.agent.stored_bundles(), self.disk.bundles.len());
        assert_eq!(self.agent.stored_bytes() == 0, self.disk.bundles.is_empty());
        assert!(self.agent.stored_bytes() <= STORAGE_LIMIT);
        assert!(self.disk.remembered.len() <= MEMORY_LIMIT);
    }

    /// Everything is answered, and a year passes.
    fn end(&mut self) {
        for handle in std::mem::take(&mut self.given) {
            self.agent.delivered(self.now, handle);
        }
        self.check();
        self.now += Duration::from_secs(2 * 366 * 86_400);
        while let Some(due) = self.agent.poll_timeout().filter(|due| *due <= self.now) {
            self.agent.handle_timeout(due.max(Instant::ZERO));
            self.check();
            for handle in std::mem::take(&mut self.given) {
                self.agent.delivered(due, handle);
            }
            self.check();
        }
        assert_eq!((self.agent.stored_bundles(), self.agent.stored_bytes()), (0, 0));
        assert_eq!(self.disk.remembered.len(), 0, "nothing is remembered for ever");
        assert!(self.transmitted.iter().all(|id| self.concluded.contains(id)));
        for neighbour in NEIGHBOURS {
            assert!(self.agent.poll_forward(self.now, &Eid::ipn(neighbour, 0)).is_none());
        }
    }
}

fn plan(now: Instant, detail: u8) -> ContactPlan {
    let contact = |from, to, start: i64, end: i64| {
        let start = now + Duration::from_secs(start);
        let end = now + Duration::from_secs(end);
        let window = Window { start, end, rate_bps: 4_000, light_time: vec![(start, Duration::from_millis(100))] };
        Contact::new(Eid::ipn(from, 0), Eid::ipn(to, 0), window)
    };
    let later = i64::from(detail) * 20;
    let contacts = vec![
        contact(10, 20, later, later + 3),
        contact(10, 20, later + 50, later + 52),
        contact(20, 30, 0, 5_000),
        contact(10, 21, 30, 30 + later + 1),
        contact(21, 30, 0, 500),
    ];
    ContactPlan::of(contacts).expect("contacts that do not overlap")
}

/// A fuzzer finds bundles, but no CRCs.
fn with_crcs(octets: &[u8], wanted: bool) -> Vec<u8> {
    match Bundle::parse(octets) {
        Ok(mut bundle) if wanted => {
            bundle.primary.crc = CrcType::Crc32c;
            bundle.emit()
        }
        _ => octets.to_vec(),
    }
}
