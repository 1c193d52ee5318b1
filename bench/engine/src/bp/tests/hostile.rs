//! What a neighbour, or whoever is behind it, can make a node hold.

use super::*;

fn numbered(sequence: u64, primary: PrimaryBlock) -> PrimaryBlock {
    PrimaryBlock { creation: CreationTimestamp { time_ms: ZERO_MS, sequence }, ..primary }
}

fn long_name(number: u64) -> Eid {
    format!("dtn://{number}{}/x", "a".repeat(10_000)).parse().unwrap()
}

#[test]
fn a_fragment_without_payload_leaves_no_reassembly_behind() {
    let mut b = agent(20, None);
    for sequence in 0..50 {
        let fragment = Some(Fragment { offset: 3, total_length: 10 });
        let primary = PrimaryBlock { flags: BundleFlags::IS_FRAGMENT, fragment, ..from_10_to(20) };
        b.hear(at(0), 10, &bundle_of(numbered(sequence, primary), vec![], b""));
    }
    assert_eq!((b.reassemblies.len(), b.stored_bytes()), (0, 0), "nothing accounts for them");
}

#[test]
fn long_endpoint_ids_count_against_the_store() {
    let mut b = agent(20, Some(30));
    b.config.storage_limit = 100_000;
    for number in 0..100 {
        b.hear(at(0), 10, &bundle_of(PrimaryBlock { source: long_name(number), ..from_10_to(30) }, vec![], b""));
    }
    assert!(!b.store.is_empty() && b.store.len() < 10, "{} bundles", b.store.len());
}

#[test]
fn the_memory_of_bundles_is_limited_in_bytes_too() {
    let mut b = agent(20, None);
    b.config.memory_limit = 1_000;
    for number in 0..100 {
        b.hear(at(0), 10, &bundle_of(PrimaryBlock { source: long_name(number), ..from_10_to(20) }, vec![], b""));
    }
    assert!((1..10).contains(&b.seen.len()), "{} names of 10,000 octets", b.seen.len());
    b.handle_timeout(just_after(1_000));
    assert_eq!((b.seen.len(), b.forgetting.len()), (0, 0));
    for sequence in 0..1_500 {
        b.hear(
            at(1_001),
            10,
            &bundle_of(numbered(sequence, PrimaryBlock { lifetime_ms: 9_000_000, ..from_10_to(20) }), vec![], b""),
        );
    }
    assert_eq!(b.seen.len(), 1_000, "short names take a place each");
}

#[test]
fn a_short_bundle_at_the_end_of_a_long_block_does_not_keep_the_block() {
    let mut b = agent(20, None);
    assert!(b.register(Eid::ipn(20, 2), Registration::PASSIVE));
    let mut octets = bundle_of(from_10_to(77), vec![], &[0; 100_000]).to_vec();
    let short = PrimaryBlock { destination: Eid::ipn(20, 2), ..from_10_to(20) };
    octets.extend_from_slice(&bundle_of(numbered(9, short), vec![], &[7; 500]));
    let block = Bytes::from(octets);
    b.hear(at(0), 10, &block);
    let payloads: Vec<_> = b.store.values().map(|s| s.payload.clone()).collect();
    assert_eq!(payloads, [&[7; 500][..]]);
    assert!(!block.as_ptr_range().contains(&payloads[0].as_ptr()));
}

// Were they made before they are counted, these fragments would take up 60 GB.
#[test]
fn fragments_for_which_there_is_no_room_are_not_made() {
    let mut b = agent(20, Some(30));
    b.config.storage_limit = 1 << 21;
    b.set_longest_bundle(&Eid::ipn(30, 0), 60_200);
    let replicated = block(200, 2, BlockFlags::MUST_REPLICATE, vec![0; 60_000]);
    b.hear(at(0), 10, &bundle_of(from_10_to(30), vec![replicated], &[0; 1_000_000]));
    assert!(b.next_for(at(0), 30).is_none());
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::DepletedStorage]);
    assert_eq!(b.stored_bytes(), 0);
}

#[test]
fn a_neighbour_that_comes_and_goes_does_not_make_the_queues_grow() {
    let mut a = agent(10, Some(20));
    for payload in 0..10u8 {
        a.transmit(at(0), to(30, &[payload])).unwrap();
    }
    for second in 1..200 {
        a.neighbour_found(at(second), &Eid::ipn(40, 0), 0).unwrap();
        a.neighbour_lost(at(second), &Eid::ipn(40, 0));
    }
    assert_eq!(a.queues[&Eid::ipn(20, 0)].len(), 10);
    let first = a.next_for(at(200), 20).unwrap();
    a.forwarding_failed(at(200), first.handle, Failure::Link);
    let order: Vec<u8> = std::iter::from_fn(|| a.next_for(at(200), 20))
        .map(|o| Bundle::parse(&bytes_of(&o.block)).unwrap().payload()[0])
        .collect();
    assert_eq!(order, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0], "what failed goes to the end");
    assert!(a.queues.values().all(|q| q.len() == 0));
}
