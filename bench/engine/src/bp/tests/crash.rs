//! A node that is killed at any point between two changes loses nothing that it has acknowledged, and delivers nothing again
//! that an application has confirmed.

use std::collections::{BTreeMap, BTreeSet};

use super::journal::Kept;
use super::*;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A bundle of the previous node: data of 600 octets for node 30 or for an endpoint here, whole or an extent of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sent {
    sequence: u64,
    extent: Option<(usize, usize)>,
}

const LENGTH: usize = 600;

impl Sent {
    fn is_for_here(self) -> bool {
        !self.sequence.is_multiple_of(3)
    }

    fn encoded(self) -> Bytes {
        let creation = CreationTimestamp { time_ms: ZERO_MS, sequence: self.sequence };
        let primary = PrimaryBlock { creation, ..from_10_to(if self.is_for_here() { 20 } else { 30 }) };
        let payload = [self.sequence as u8; LENGTH];
        match self.extent {
            None => bundle_of(primary, vec![], &payload),
            Some((start, end)) => {
                let fragment = Some(Fragment { offset: start as u64, total_length: LENGTH as u64 });
                let flags = BundleFlags::IS_FRAGMENT;
                bundle_of(PrimaryBlock { fragment, flags, ..primary }, vec![], &payload[start..end])
            }
        }
    }
}

struct Bench {
    random: Random,
    kept: Kept,
    agent: Agent,
    /// What the previous node still has to send.
    to_send: BTreeSet<Sent>,
    sent: Vec<Sent>,
    /// Deliveries that the application has not confirmed yet.
    given: BTreeMap<Handle, u64>,
    /// Data that the application has, as the node knows or has forgotten.
    taken: BTreeSet<u64>,
    /// Data that it has, as the node knows for good.
    confirmed: BTreeSet<u64>,
    /// Octets of the data for node 30 that it has.
    arrived: BTreeMap<u64, BTreeSet<usize>>,
}

impl Bench {
    fn started(kept: &Kept) -> Agent {
        let mut agent = agent(20, Some(30));
        agent.config.journal = true;
        agent.set_longest_bundle(&Eid::ipn(30, 0), 400);
        agent.restore(at(0), kept.snapshot());
        agent
    }

    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut to_send = BTreeSet::new();
        for sequence in 1..=12 {
            match random.below(3) {
                0 => drop(to_send.insert(Sent { sequence, extent: None })),
                _ => {
                    let cut = 1 + random.below(LENGTH as u64 - 1) as usize;
                    // The second overlaps the first.
                    to_send.insert(Sent { sequence, extent: Some((0, cut)) });
                    to_send.insert(Sent { sequence, extent: Some((cut / 2, LENGTH)) });
                }
            }
        }
        let kept = Kept::default();
        let agent = Self::started(&kept);
        Bench {
            random,
            kept,
            agent,
            to_send,
            sent: Vec::new(),
            given: BTreeMap::new(),
            taken: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            arrived: BTreeMap::new(),
        }
    }

    /// Makes the changes of an operation durable; `false` if the node is killed before it is through with that.
    fn commit(&mut self, may_crash: bool) -> bool {
        let crash = may_crash && self.random.below(4) == 0;
        if crash {
            let limit = self.random.below(1 + self.agent.changes.len() as u64) as usize;
            self.kept.apply_first(&mut self.agent, limit);
            self.given.clear();
            self.agent = Self::started(&self.kept);
        }
        self.kept.apply(&mut self.agent);
        self.take_deliveries();
        assert_eq!(self.agent.stored_bytes(), self.agent.store.values().map(Stored::footprint).sum::<u64>());
        !crash
    }

    fn take_deliveries(&mut self) {
        for notice in notices(&mut self.agent) {
            match notice {
                Notice::Delivery { handle, id, payload, .. } => {
                    let sequence = id.creation.sequence;
                    assert_eq!(payload.concat(), [sequence as u8; LENGTH]);
                    assert!(!self.confirmed.contains(&sequence), "{id} is delivered again");
                    assert!(!self.given.values().any(|other| *other == sequence), "{id} is delivered twice");
                    self.given.insert(handle, sequence);
                }
                Notice::Deleted { id, reason, .. } => panic!("{id} deleted: {reason:?}"),
                _ => {}
            }
        }
    }

    fn step(&mut self, may_crash: bool) {
        match self.random.below(4) {
            0 | 1 if !self.to_send.is_empty() || !self.sent.is_empty() => {
                // Now and then something that was acknowledged comes again, by another way.
                let fresh = !self.to_send.is_empty() && (self.sent.is_empty() || self.random.below(5) > 0);
                let index = self.random.below(if fresh { self.to_send.len() } else { self.sent.len() } as u64) as usize;
                let bundle = if fresh { *self.to_send.iter().nth(index).unwrap() } else { self.sent[index] };
                self.agent.receive(at(0), &Eid::ipn(10, 0), &bundle.encoded(), Refusal::Possible).unwrap();
                if self.commit(may_crash) && self.to_send.remove(&bundle) {
                    self.sent.push(bundle);
                }
            }
            2 => {
                let Some(outgoing) = self.agent.next_for(at(0), 30) else { return };
                let bytes = bytes_of(&outgoing.block);
                let bundle = Bundle::parse(&bytes).unwrap();
                let start = bundle.primary.fragment.map_or(0, |f| f.offset as usize);
                let extent = start..start + bundle.payload().len();
                let failed = self.random.below(4) == 0;
                if failed {
                    self.agent.forwarding_failed(at(0), outgoing.handle, Failure::Link);
                } else {
                    self.arrived.entry(bundle.primary.creation.sequence).or_default().extend(extent);
                    self.agent.forwarded(at(0), outgoing.handle);
                }
                self.commit(may_crash);
            }
            _ => {
                let Some((handle, sequence)) = self.given.pop_first() else { return };
                self.agent.delivered(at(0), handle);
                self.taken.insert(sequence);
                if self.commit(may_crash) {
                    self.confirmed.insert(sequence);
                }
            }
        }
    }
}

#[test]
fn a_crash_between_any_two_changes_loses_nothing_and_repeats_nothing_that_was_confirmed() {
    for seed in 1..=400u64 {
        let mut bench = Bench::new(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        for _ in 0..120 {
            bench.step(true);
        }
        for _ in 0..400 {
            bench.step(false);
        }
        assert!(bench.to_send.is_empty() && bench.given.is_empty(), "seed {seed}");
        for sequence in 1..=12 {
            let sent = Sent { sequence, extent: None };
            if sent.is_for_here() {
                assert!(bench.taken.contains(&sequence), "seed {seed}: {sequence} was not delivered");
            } else {
                let octets = bench.arrived.get(&sequence).map_or(0, BTreeSet::len);
                assert_eq!(octets, LENGTH, "seed {seed}: {sequence} did not go on whole");
            }
        }
        assert_eq!((bench.agent.stored_bytes(), bench.kept.bundles.len()), (0, 0), "seed {seed}");
    }
}
