//! Application data units in pieces (§5.8, §5.9).

use super::*;

#[test]
fn long_data_crosses_in_fragments_and_arrives_whole_in_any_order() {
    let payload: Vec<u8> = (0..100_000u32).map(|i| (i % 253) as u8).collect();
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(10)));
    let flags = BundleFlags::REPORT_DELIVERY;
    a.transmit(at(0), Transmission { max_payload: Some(30_000), flags, ..to(20, &payload) }).unwrap();
    let mut bundles = Vec::new();
    while let Some(outgoing) = a.next_for(at(1), 20) {
        bundles.push(bytes_of(&outgoing.block));
        a.forwarded(at(1), outgoing.handle);
    }
    assert_eq!(bundles.len(), 4);
    for bundle in bundles.iter().rev() {
        b.hear(at(2), 10, bundle);
        b.hear(at(2), 10, bundle);
    }
    let told = notices(&mut b);
    assert_eq!(delivered(&told), [payload]);
    assert_eq!(told.iter().filter(|n| matches!(n, Notice::Duplicate { .. })).count(), 4);
    assert_eq!(
        b.stored_bytes(),
        b.store.values().map(Stored::footprint).sum::<u64>(),
        "only the delivery report is left"
    );
    let reports = carry(at(3), &mut b, &mut a);
    assert_eq!(reports.len(), 1, "one report for the whole");
}

#[test]
fn fragments_that_contradict_each_other_are_refused() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, Some(10)));
    a.transmit(at(0), Transmission { max_payload: Some(10), ..to(20, &[7; 20]) }).unwrap();
    let mut bundle = Bundle::parse(&bytes_of(&a.next_for(at(0), 20).unwrap().block)).unwrap().into_owned();
    b.hear(at(1), 10, &bundle.emit().into());
    for (offset, total_length) in [(10, 21), (15, 20), (u64::MAX - 3, u64::MAX)] {
        bundle.primary.fragment = Some(Fragment { offset, total_length });
        b.hear(at(1), 10, &bundle.emit().into());
    }
    let told = notices(&mut b);
    assert!(delivered(&told).is_empty());
    assert!(!deleted(&told).is_empty());
}

fn fragment(offset: u64, total_length: u64, payload: &[u8]) -> Bytes {
    let flags = BundleFlags::IS_FRAGMENT | BundleFlags::REPORT_DELETION;
    let fragment = Some(Fragment { offset, total_length });
    bundle_of(PrimaryBlock { flags, fragment, ..from_10_to(20) }, vec![], payload)
}

#[test]
fn a_bad_fragment_is_deleted_itself_and_leaves_no_reassembly_behind() {
    let mut b = agent(20, Some(10));
    let extents = |told: &[Notice]| -> Vec<_> {
        let deleted = told.iter().filter_map(|n| match n {
            Notice::Deleted { id, .. } => Some(id.extent),
            _ => None,
        });
        deleted.collect()
    };
    b.hear(at(0), 10, &fragment(100, 50, b"x"));
    assert_eq!(extents(&notices(&mut b)), [Some((100, 1))]);
    assert!(b.reassemblies.is_empty());
    b.hear(at(0), 10, &fragment(0, 4, b"ab"));
    b.hear(at(0), 10, &fragment(2, 5, b"cde"));
    assert_eq!(extents(&notices(&mut b)), [Some((2, 3))], "the one that contradicts");
    b.hear(at(0), 10, &fragment(2, 4, b"cd"));
    assert_eq!(delivered(&notices(&mut b)), [b"abcd"]);
    assert_eq!(reports_to_10(&mut b), [ReasonCode::BlockUnintelligible; 2]);
}

#[test]
fn a_whole_bundle_that_overtakes_its_fragments_ends_their_reassembly() {
    let mut b = agent(20, None);
    b.hear(at(0), 10, &fragment(0, 4, b"ab"));
    assert!(b.stored_bytes() > 2);
    b.hear(at(0), 10, &bundle_of(from_10_to(20), vec![], b"abcd"));
    assert_eq!(b.stored_bytes(), 0);
    b.hear(at(0), 10, &fragment(2, 4, b"cd"));
    b.handle_timeout(at(5_000));
    let told = notices(&mut b);
    assert_eq!((delivered(&told), deleted(&told)), (vec![b"abcd".to_vec()], vec![]));
    assert_eq!(b.poll_timeout(), None);
}

#[test]
fn a_relay_cuts_what_is_too_long_for_the_next_hop_and_the_destination_puts_it_together() {
    let (mut a, mut b, mut c) = (agent(10, Some(20)), agent(20, Some(30)), agent(30, None));
    b.set_longest_bundle(&Eid::ipn(30, 0), 1_000);
    let payload: Vec<u8> = (0..10_000u32).map(|i| (i % 251) as u8).collect();
    // One that is a fragment already, and one that is none.
    a.transmit(at(0), Transmission { max_payload: Some(6_000), ..to(30, &payload) }).unwrap();
    a.transmit(at(0), Transmission { class: Class::Expedited, ..to(30, &payload) }).unwrap();
    carry(at(1), &mut a, &mut b);
    let sent = carry(at(2), &mut b, &mut c);
    assert!(sent.len() > 20 && sent.iter().all(|bundle| bundle.len() <= 1_000));
    assert!(sent.iter().any(|bundle| bundle.len() > 960), "pieces are no smaller than need be");
    assert_eq!(delivered(&notices(&mut c)), [payload.clone(), payload]);
    assert_eq!((b.stored_bytes(), c.stored_bytes()), (0, 0));
}

#[test]
fn the_first_fragment_has_every_extension_block_and_the_others_those_that_must_be() {
    let mut b = agent(20, Some(30));
    b.set_longest_bundle(&Eid::ipn(30, 0), 300);
    let blocks = vec![
        block(200, 5, BlockFlags::MUST_REPLICATE, vec![1]),
        block(201, 6, BlockFlags(0), vec![2]),
        block(block_type::BUNDLE_AGE, 7, BlockFlags(0), BundleAge(5).emit()),
        block(block_type::HOP_COUNT, 8, BlockFlags(0), HopCount { limit: 9, count: 1 }.emit()),
    ];
    b.hear(at(0), 10, &bundle_of(from_10_to(30), blocks, &[7; 500]));
    let mut types = Vec::new();
    while let Some(outgoing) = b.next_for(at(1), 30) {
        let bytes = bytes_of(&outgoing.block);
        let fragment = Bundle::parse(&bytes).unwrap();
        assert_eq!(fragment.primary.fragment.unwrap().total_length, 500);
        types.push(fragment.blocks.iter().map(|b| b.block_type).collect::<Vec<_>>());
        b.forwarded(at(1), outgoing.handle);
    }
    assert!(types.len() > 2);
    assert_eq!(types[0], [block_type::PREVIOUS_NODE, 200, 201, 7, 10, 1]);
    assert!(types[1..].iter().all(|t| *t == [block_type::PREVIOUS_NODE, 200, 7, 10, 1]), "{types:?}");
}

#[test]
fn what_is_too_long_and_must_not_be_fragmented_is_deleted_with_a_reason() {
    let mut a = agent(10, Some(20));
    a.set_longest_bundle(&Eid::ipn(20, 0), 300);
    a.transmit(at(0), Transmission { flags: BundleFlags::MUST_NOT_FRAGMENT, ..to(30, &[0; 500]) }).unwrap();
    assert!(a.next_for(at(0), 20).is_none());
    assert_eq!(deleted(&notices(&mut a)), [ReasonCode::TransmissionCanceled]);
}
