use super::*;

fn sent_for_20(agent: &mut Agent) -> Vec<u8> {
    let bundles = std::iter::from_fn(|| agent.next_for(at(0), 20));
    bundles.map(|o| Bundle::parse(&bytes_of(&o.block)).unwrap().payload()[0]).collect()
}

#[test]
fn bundles_leave_by_class_here_and_at_the_relay() {
    let (mut a, mut b) = (agent(10, Some(20)), agent(20, None));
    b.add_route("ipn:30.* via ipn:20.0".parse().unwrap()).unwrap();
    for (class, payload) in [(Class::Bulk, 1), (Class::Normal, 2), (Class::Expedited, 3), (Class::Bulk, 4)] {
        a.transmit(at(0), Transmission { class, ..to(30, &[payload]) }).unwrap();
    }
    // The relay gets them in another order and knows their classes all the same.
    let mut bundles: Vec<Bytes> = std::iter::from_fn(|| a.next_for(at(0), 20)).map(|o| bytes_of(&o.block)).collect();
    let order: Vec<u8> = bundles.iter().map(|b| Bundle::parse(b).unwrap().payload()[0]).collect();
    assert_eq!(order, [3, 2, 1, 4]);
    bundles.reverse();
    for bundle in &bundles {
        b.hear(at(1), 10, bundle);
    }
    assert_eq!(sent_for_20(&mut b), [3, 2, 4, 1]);
}

#[test]
fn a_normal_bundle_says_nothing_of_its_class() {
    let mut a = agent(10, Some(20));
    a.transmit(at(0), to(30, b"x")).unwrap();
    let sent = bytes_of(&a.next_for(at(0), 20).unwrap().block);
    assert!(Bundle::parse(&sent).unwrap().extension(block_type::QUALITY_OF_SERVICE).is_none());
}

#[test]
fn a_class_that_cannot_be_read_is_an_unknown_block() {
    let mut b = agent(20, Some(30));
    let flags = BlockFlags::DELETE_BUNDLE_IF_UNPROCESSABLE;
    b.hear(at(0), 10, &bundle(from_10_to(30), vec![block(block_type::QUALITY_OF_SERVICE, 2, flags, vec![0xff])]));
    assert_eq!(deleted(&notices(&mut b)), [ReasonCode::BlockUnsupported]);
    let creation = CreationTimestamp { time_ms: ZERO_MS, sequence: 6 };
    let of_ion = block(block_type::QUALITY_OF_SERVICE, 2, flags, vec![0x84, 0, 1, 0, 0]);
    b.hear(at(0), 10, &bundle(PrimaryBlock { creation, ..from_10_to(30) }, vec![of_ion.clone()]));
    let sent = bytes_of(&b.next_for(at(0), 30).unwrap().block);
    assert_eq!(Bundle::parse(&sent).unwrap().extension(block_type::QUALITY_OF_SERVICE), Some(&of_ion));
}
