use std::collections::BTreeMap;

use super::*;

/// A store that applies changes, as one on disk does.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) bundles: BTreeMap<Handle, Record>,
    remembered: BTreeMap<BundleId, u64>,
    created: Option<CreationTimestamp>,
}

impl Kept {
    pub(super) fn apply(&mut self, agent: &mut Agent) {
        self.apply_first(agent, usize::MAX);
    }

    /// Applies no more than so many changes.
    pub(super) fn apply_first(&mut self, agent: &mut Agent, limit: usize) {
        for change in std::iter::from_fn(|| agent.poll_change()).take(limit) {
            match change {
                Change::Put { handle, record } => drop(self.bundles.insert(handle, record)),
                Change::Remove { handle } => drop(self.bundles.remove(&handle)),
                Change::Remember { id, until_ms } => drop(self.remembered.insert(id, until_ms)),
                Change::Forget { id } => drop(self.remembered.remove(&id)),
                Change::Created { creation } => self.created = Some(creation),
            }
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            bundles: self.bundles.iter().map(|(handle, record)| (*handle, record.clone())).collect(),
            remembered: self.remembered.iter().map(|(id, until)| (id.clone(), *until)).collect(),
            created: self.created,
        }
    }
}

/// An agent of node 20 that is started `secs` after the first one, as a new process with a zero of its own.
fn started(secs: u64, kept: &Kept) -> Agent {
    let mut agent = agent(20, Some(30));
    agent.config.journal = true;
    agent.config.dtn_time_at_zero_ms = ZERO_MS + secs * 1_000;
    agent.restore(at(0), kept.snapshot());
    agent
}

#[test]
fn what_waits_to_be_forwarded_goes_on_after_a_restart_with_its_age_and_its_class() {
    let mut kept = Kept::default();
    let mut first = started(0, &kept);
    let age = block(block_type::BUNDLE_AGE, 2, BlockFlags(0), BundleAge(1_000).emit());
    let class = block(block_type::QUALITY_OF_SERVICE, 3, BlockFlags(0), vec![0x84, 0, 2, 0, 0]);
    first.hear(at(0), 10, &foreign(vec![age, class], 0, 100_000));
    kept.apply(&mut first);
    assert_eq!((kept.bundles.len(), kept.remembered.len()), (1, 1));

    let mut second = started(40, &kept);
    let outgoing = second.next_for(at(10), 30).unwrap();
    assert_eq!(outgoing.class, Class::Expedited);
    let bytes = bytes_of(&outgoing.block);
    let age = Bundle::parse(&bytes).unwrap();
    assert_eq!(BundleAge::parse(&age.extension(block_type::BUNDLE_AGE).unwrap().data).unwrap().0, 51_000);
    kept.apply(&mut second);
    assert_eq!(kept.bundles.len(), 1, "a bundle that nobody has acknowledged stays");
    second.forwarded(at(11), outgoing.handle);
    kept.apply(&mut second);
    assert!(kept.bundles.is_empty());

    let mut third = started(60, &kept);
    third.hear(at(0), 10, &foreign(vec![], 0, 100_000));
    assert!(matches!(notices(&mut third)[..], [Notice::Duplicate { .. }]), "the memory of it outlives it");
}

#[test]
fn what_has_expired_while_the_node_was_down_is_deleted_and_reported() {
    let mut kept = Kept::default();
    let mut first = started(0, &kept);
    let flags = BundleFlags::REPORT_DELETION;
    first.hear(at(0), 10, &bundle(PrimaryBlock { flags, ..from_10_to(30) }, vec![]));
    kept.apply(&mut first);
    let mut second = started(2_000, &kept);
    assert_eq!(deleted(&notices(&mut second)), [ReasonCode::LifetimeExpired]);
    kept.apply(&mut second);
    assert_eq!(kept.bundles.len(), 1, "the report on it");
}

#[test]
fn data_that_the_application_has_not_confirmed_is_delivered_again_and_confirmed_data_is_not() {
    let mut kept = Kept::default();
    let mut first = started(0, &kept);
    let from = Eid::ipn(10, 0);
    let bundle = bundle(from_10_to(20), vec![]);
    first.receive(at(0), &from, &bundle, Refusal::Possible).unwrap();
    kept.apply(&mut first);

    let mut second = agent(20, None);
    second.config.journal = true;
    second.restore(at(1), kept.snapshot());
    let told = notices(&mut second);
    let Some(Notice::Delivery { handle, .. }) = told.iter().find(|n| matches!(n, Notice::Delivery { .. })) else {
        panic!("{told:?}");
    };
    second.delivered(at(1), *handle);
    kept.apply(&mut second);

    let mut third = agent(20, None);
    third.restore(at(2), kept.snapshot());
    third.receive(at(2), &from, &bundle, Refusal::Possible).unwrap();
    assert!(matches!(notices(&mut third)[..], [Notice::Duplicate { .. }]));
}

#[test]
fn fragments_wait_over_a_restart_and_the_whole_is_delivered_once() {
    let mut kept = Kept::default();
    let fragment = |offset: usize, end: usize| {
        let payload = &b"in two halves"[offset..end];
        let fragment = Some(Fragment { offset: offset as u64, total_length: 13 });
        bundle_of(PrimaryBlock { fragment, flags: BundleFlags::IS_FRAGMENT, ..from_10_to(20) }, vec![], payload)
    };
    let from = Eid::ipn(10, 0);
    let mut first = started(0, &kept);
    first.receive(at(0), &from, &fragment(0, 8), Refusal::Possible).unwrap();
    kept.apply(&mut first);
    let mut second = started(1, &kept);
    second.receive(at(0), &from, &fragment(6, 13), Refusal::Possible).unwrap();
    assert_eq!(delivered(&notices(&mut second)), [b"in two halves"]);
    // Killed before the application had it.
    kept.apply(&mut second);
    let mut third = started(2, &kept);
    let told = notices(&mut third);
    assert_eq!(delivered(&told), [b"in two halves"]);
    let Notice::Delivery { handle, .. } = &told[0] else { panic!("{told:?}") };
    third.delivered(at(0), *handle);
    kept.apply(&mut third);
    assert!(kept.bundles.is_empty());
    let mut fourth = started(3, &kept);
    fourth.receive(at(0), &from, &fragment(0, 7), Refusal::Possible).unwrap();
    assert!(matches!(notices(&mut fourth)[..], [Notice::Received { .. }, Notice::Duplicate { .. }]));
    kept.apply(&mut fourth);
    assert!(kept.bundles.is_empty());
}

#[test]
fn a_clock_that_was_set_back_gives_no_creation_timestamp_twice() {
    let mut kept = Kept::default();
    let mut first = started(100, &kept);
    let own = Transmission { source: Eid::ipn(20, 1), ..to(30, b"x") };
    let before = first.transmit(at(0), own.clone()).unwrap();
    kept.apply(&mut first);
    let mut second = started(50, &kept);
    let after = second.transmit(at(0), own).unwrap();
    assert!(after.creation > before.creation);
}

#[test]
fn a_damaged_record_is_told_and_dropped() {
    let mut kept = Kept::default();
    kept.bundles.insert(Handle(7), Record { arrived_ms: ZERO_MS, bundle: Bytes::from_static(b"rubbish").into() });
    let mut agent = started(0, &kept);
    assert!(
        matches!(&notices(&mut agent)[..], [Notice::Unintelligible { reason, .. }] if reason.starts_with("in the store"))
    );
    kept.apply(&mut agent);
    assert!(kept.bundles.is_empty());
}

#[test]
fn an_agent_that_keeps_no_journal_tells_no_changes() {
    let mut a = agent(10, Some(20));
    a.transmit(at(0), to(30, b"x")).unwrap();
    assert!(a.poll_change().is_none());
}
