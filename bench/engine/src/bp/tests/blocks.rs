//! What becomes of extension blocks on the way (§4.4, §5.4, §5.6).

use super::*;

#[test]
fn unknown_blocks_are_treated_as_their_flags_say() {
    let cases = [
        (BlockFlags(0), true, true),
        (BlockFlags::DISCARD_IF_UNPROCESSABLE, true, false),
        (BlockFlags::DELETE_BUNDLE_IF_UNPROCESSABLE, false, false),
    ];
    for (flags, forwarded, block_kept) in cases {
        let mut b = agent(20, Some(30));
        b.hear(at(0), 10, &foreign(vec![block(200, 9, flags, vec![1])], ZERO_MS, 1_000_000));
        let sent = b.next_for(at(0), 30).map(|o| bytes_of(&o.block));
        assert_eq!(sent.is_some(), forwarded, "{flags:?}");
        if let Some(sent) = sent {
            let kept = Bundle::parse(&sent).unwrap().extension(200).is_some();
            assert_eq!(kept, block_kept, "{flags:?}");
        }
        assert_eq!(deleted(&notices(&mut b)) == [ReasonCode::BlockUnsupported], !forwarded);
    }
}

/// What node 20 makes of a bundle on its way from 10 to 30, in the order of the wire.
fn relayed(blocks: Vec<CanonicalBlock<'static>>) -> Vec<CanonicalBlock<'static>> {
    let mut b = agent(20, Some(30));
    b.hear(at(0), 10, &Bundle { primary: from_10_to(30), blocks }.emit().into());
    Bundle::parse(&bytes_of(&b.next_for(at(5), 30).unwrap().block)).unwrap().into_owned().blocks
}

#[test]
fn a_relay_changes_no_more_of_a_block_than_it_must() {
    let flags = BlockFlags::MUST_REPLICATE;
    let came = vec![
        block(200, 3, BlockFlags(0), vec![1]),
        CanonicalBlock {
            crc: CrcType::Crc32c,
            ..block(block_type::HOP_COUNT, 7, flags, HopCount { limit: 30, count: 2 }.emit())
        },
        block(block_type::PREVIOUS_NODE, 2, flags, PreviousNode(Eid::ipn(10, 0)).emit()),
        block(block_type::BUNDLE_AGE, 9, flags, BundleAge(100).emit()),
        block(block_type::PAYLOAD, 1, flags, b"x".to_vec()),
    ];
    let mut expected = came.clone();
    expected[1].data = HopCount { limit: 30, count: 3 }.emit().into();
    expected[2].data = PreviousNode(Eid::ipn(20, 0)).emit().into();
    expected[3].data = BundleAge(5_100).emit().into();
    assert_eq!(relayed(came), expected);
}

#[test]
fn a_new_previous_node_block_takes_a_number_that_is_free() {
    let came = vec![
        block(200, 2, BlockFlags(0), vec![]),
        block(201, u64::MAX, BlockFlags(0), vec![]),
        block(block_type::PAYLOAD, 1, BlockFlags(0), b"x".to_vec()),
    ];
    let left = relayed(came.clone());
    assert_eq!((left[0].block_type, left[0].number), (block_type::PREVIOUS_NODE, 3));
    assert_eq!(left[1..], came);
}

#[test]
fn a_bundle_that_comes_back_to_its_source_leaves_without_a_previous_node() {
    let mut a = agent(10, Some(30));
    let previous = block(block_type::PREVIOUS_NODE, 2, BlockFlags(0), PreviousNode(Eid::ipn(20, 0)).emit());
    a.hear(at(0), 20, &bundle(from_10_to(30), vec![previous]));
    let sent = bytes_of(&a.next_for(at(0), 30).unwrap().block);
    assert!(Bundle::parse(&sent).unwrap().extension(block_type::PREVIOUS_NODE).is_none(), "§4.4.1");
}

#[test]
fn a_bundle_with_a_malformed_or_repeated_block_is_deleted_and_reported_on() {
    let hops = || HopCount { limit: 9, count: 0 }.emit();
    let node = || PreviousNode(Eid::ipn(10, 0)).emit();
    let age = || BundleAge(1).emit();
    let cases = [
        vec![(block_type::HOP_COUNT, vec![0x01])],
        vec![(block_type::BUNDLE_AGE, vec![0x40])],
        vec![(block_type::PREVIOUS_NODE, vec![])],
        vec![(block_type::HOP_COUNT, hops()), (block_type::HOP_COUNT, hops())],
        vec![(block_type::BUNDLE_AGE, age()), (block_type::BUNDLE_AGE, age())],
        vec![(block_type::PREVIOUS_NODE, node()), (block_type::PREVIOUS_NODE, node())],
    ];
    for case in cases {
        let mut b = agent(20, Some(10));
        let blocks = case.iter().zip(2..).map(|((t, data), n)| block(*t, n, BlockFlags(0), data.clone())).collect();
        let primary = PrimaryBlock { flags: BundleFlags::REPORT_DELETION, ..from_10_to(30) };
        b.hear(at(0), 10, &bundle(primary, blocks));
        let told = notices(&mut b);
        assert!(matches!(told[0], Notice::Received { .. }));
        assert_eq!(deleted(&told), [ReasonCode::BlockUnintelligible], "{case:?}");
        assert_eq!(reports_to_10(&mut b), [ReasonCode::BlockUnintelligible], "{case:?}");
    }
}

#[test]
fn unknown_blocks_are_reported_on_once_and_not_again_for_a_duplicate() {
    let mut b = agent(20, Some(10));
    let blocks = (2..9).map(|n| block(200, n, BlockFlags::REPORT_IF_UNPROCESSABLE, vec![])).collect();
    let bytes = bundle(from_10_to(20), blocks);
    b.hear(at(0), 10, &bytes);
    b.hear(at(0), 10, &bytes);
    let told = notices(&mut b);
    assert!(matches!(told[..2], [Notice::Received { .. }, Notice::Created { .. }]), "{told:#?}");
    assert_eq!(reports_to_10(&mut b), [ReasonCode::BlockUnsupported]);
}

// A search for a free number that looks through all blocks for each candidate would take minutes here.
#[test]
fn a_bundle_of_very_many_blocks_is_forwarded_all_the_same() {
    let mut b = agent(20, Some(30));
    b.config.storage_limit = 1 << 30;
    let extra = (2..300_002).map(|n| block(200, n, BlockFlags(0), vec![])).collect();
    b.hear(at(0), 10, &foreign(extra, ZERO_MS, 1_000_000));
    let sent = bytes_of(&b.next_for(at(0), 30).unwrap().block);
    let previous = Bundle::parse(&sent).unwrap().extension(block_type::PREVIOUS_NODE).map(|b| b.number);
    assert_eq!(previous, Some(300_002));
}
