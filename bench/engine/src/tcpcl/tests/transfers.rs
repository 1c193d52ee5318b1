//! Bundles in both directions.

use super::*;

#[test]
fn a_bundle_in_one_segment() {
    let mut pair = Pair::established();
    pair.earth.send(70, bundle(300).into()).unwrap();
    pair.run();
    assert_eq!(pair.ladder, ["earth→mars XFER_SEGMENT 0 START END 300", "mars→earth XFER_ACK 0 START END 300"]);
    assert_eq!(
        pair.events,
        [("mars", Event::Received { transfer: 0, data: bundle(300) }), ("earth", Event::Acknowledged { tag: 70 })]
    );
    assert_eq!(pair.earth.queued(), 0);
}

#[test]
fn segments_keep_to_the_peers_mru_and_are_sent_without_waiting() {
    let mut pair = Pair::established_with(|_, mars| mars.segment_mru = 1000);
    pair.earth.send(1, Block::new([bundle(10), bundle(3490)])).unwrap();
    let mut tap = Tap { contact: true, ..Tap::default() };
    let mut heard = Vec::new();
    // Mars hears nothing yet, so nothing is acknowledged.
    while let Some(octets) = pair.earth.poll_transmit(at(0), 7) {
        heard.extend(tap.hear(&octets));
        assert!(octets.len() <= 7);
        let _ = pair.mars.handle_bytes(at(0), &octets);
    }
    assert_eq!(
        heard,
        ["XFER_SEGMENT 0 START 1000 of 3500", "XFER_SEGMENT 0 1000", "XFER_SEGMENT 0 1000", "XFER_SEGMENT 0 END 500"]
    );
    pair.run();
    assert_eq!(
        pair.ladder,
        [
            "mars→earth XFER_ACK 0 START 1000",
            "mars→earth XFER_ACK 0 2000",
            "mars→earth XFER_ACK 0 3000",
            "mars→earth XFER_ACK 0 END 3500"
        ]
    );
    assert!(
        matches!(&pair.of("mars")[..], [Event::Received { data, .. }] if *data == [bundle(10), bundle(3490)].concat())
    );
}

#[test]
fn bundles_follow_one_another_and_are_numbered_from_zero() {
    let mut pair = Pair::established_with(|earth, _| earth.max_segment = 1000);
    for tag in 10..13 {
        pair.earth.send(tag, bundle(1500).into()).unwrap();
    }
    pair.mars.send(99, bundle(20).into()).unwrap();
    pair.run();
    let sent: Vec<_> = pair.ladder.iter().filter_map(|line| line.strip_prefix("earth→mars XFER_SEGMENT ")).collect();
    assert_eq!(
        sent,
        ["0 START 1000 of 1500", "0 END 500", "1 START 1000 of 1500", "1 END 500", "2 START 1000 of 1500", "2 END 500"]
    );
    let acknowledged: Vec<_> =
        pair.of("earth").into_iter().filter(|event| matches!(event, Event::Acknowledged { .. })).collect();
    assert_eq!(acknowledged, [10, 11, 12].map(|tag| Event::Acknowledged { tag }));
    assert!(pair.of("mars").contains(&Event::Acknowledged { tag: 99 }));
}

#[test]
fn acknowledgments_go_between_the_segments_of_a_long_bundle() {
    let mut pair = Pair::established_with(|earth, mars| (earth.max_segment, mars.max_segment) = (1000, 1000));
    pair.earth.send(1, bundle(5000).into()).unwrap();
    pair.mars.send(2, bundle(5000).into()).unwrap();
    pair.run();
    let last_segment = pair.ladder.iter().position(|line| line.contains("earth→mars XFER_SEGMENT 0 END")).unwrap();
    let first_ack = pair.ladder.iter().position(|line| line.contains("earth→mars XFER_ACK")).unwrap();
    assert!(first_ack < last_segment, "{:#?}", pair.ladder);
}

#[test]
fn the_last_acknowledgment_waits_until_the_bundle_is_stored() {
    let mut pair = Pair::established_with(|earth, _| earth.max_segment = 1000);
    pair.accepts = false;
    pair.earth.send(5, bundle(1500).into()).unwrap();
    pair.earth.send(6, bundle(200).into()).unwrap();
    pair.run();
    // The first segment is acknowledged at once, the last one is not, and nothing overtakes it.
    let acks = |pair: &Pair| -> Vec<String> {
        pair.ladder.iter().filter_map(|line| Some(line.strip_prefix("mars→earth ")?.to_owned())).collect()
    };
    assert_eq!(acks(&pair), ["XFER_ACK 0 START 1000"]);
    assert_eq!(pair.of("earth"), []);
    pair.mars.refuse(1, RefuseReason::NoResources).unwrap();
    pair.run();
    assert_eq!(acks(&pair).len(), 1, "a refusal does not overtake an earlier transfer (section 5.2.4)");
    pair.mars.accept(0).unwrap();
    pair.run();
    assert_eq!(acks(&pair)[1..], ["XFER_ACK 0 END 1500", "XFER_REFUSE 1 No Resources"]);
    assert_eq!(
        pair.of("earth"),
        [Event::Acknowledged { tag: 5 }, Event::Refused { tag: 6, reason: RefuseReason::NoResources, acknowledged: 0 }]
    );
    assert_eq!(pair.mars.accept(0), Err(NotWaiting { transfer: 0 }));
    assert_eq!(pair.mars.refuse(9, RefuseReason::Unknown), Err(NotWaiting { transfer: 9 }));
}

#[test]
fn a_connection_lost_before_the_bundle_is_stored_leaves_it_with_the_sender() {
    let mut pair = Pair::established();
    pair.accepts = false;
    pair.earth.send(5, bundle(1500).into()).unwrap();
    pair.run();
    pair.earth.handle_closed(at(1));
    pair.mars.handle_closed(at(1));
    pair.run();
    assert_eq!(pair.of("earth"), [Event::Failed { tag: 5, acknowledged: 0 }, Event::Ended(End::Closed)]);
    assert_eq!(pair.of("mars")[1..], [Event::Ended(End::Closed)]);
    assert!(pair.mars.accept(0).is_err());
}

#[test]
fn what_was_acknowledged_is_told_when_the_rest_fails() {
    let mut against = Against::opened();
    against.session.send(4, bundle(200_000).into()).unwrap();
    assert_eq!(against.hear().len(), 4);
    against.say(&emitted(&Message::Ack(farlink_wire::tcpcl::XferAck {
        flags: S,
        transfer_id: 0,
        acknowledged_length: 65536,
    })));
    against.session.handle_closed(at(1));
    assert_eq!(against.events(), [Event::Failed { tag: 4, acknowledged: 65536 }, Event::Ended(End::Closed)]);
}

#[test]
fn every_reason_of_a_refusal_reaches_the_sender() {
    for code in [0, 1, 2, 3, 4, 5, 6, 0x77, 0xF3] {
        let mut against = Against::opened();
        against.session.send(8, bundle(10).into()).unwrap();
        assert_eq!(against.hear(), ["XFER_SEGMENT 0 START END 10"]);
        against.say(&[3, code, 0, 0, 0, 0, 0, 0, 0, 0]);
        let reason = RefuseReason::from_code(code);
        assert_eq!(against.events(), [Event::Refused { tag: 8, reason, acknowledged: 0 }]);
        // The same refusal again, for a segment that crossed it, does no harm.
        against.say(&[3, code, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(against.hear(), Vec::<String>::new());
        assert_eq!(against.events(), []);
    }
}

#[test]
fn after_a_refusal_the_segment_is_completed_and_the_next_bundle_follows() {
    let mut against = Against::opened_with(|config| config.max_segment = 1000);
    against.session.send(1, bundle(100_000).into()).unwrap();
    against.session.send(2, bundle(10).into()).unwrap();
    // The connection takes part of the second segment.
    let mut heard = Vec::new();
    for _ in 0..30 {
        let octets = against.session.poll_transmit(at(0), 50).unwrap();
        heard.extend(against.tap.hear(&octets));
    }
    assert_eq!(heard, ["XFER_SEGMENT 0 START 1000 of 100000"]);
    against.say(&[3, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(against.hear(), ["XFER_SEGMENT 0 1000", "XFER_SEGMENT 1 START END 10"]);
    assert_eq!(against.events(), [Event::Refused { tag: 1, reason: RefuseReason::NoResources, acknowledged: 0 }]);
    against.say(&[2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 10]);
    assert_eq!(against.events(), [Event::Acknowledged { tag: 2 }]);
}

#[test]
fn what_cannot_be_sent_is_refused_at_once() {
    let mut against = Against::new(Role::Passive, Config::new(MARS));
    assert_eq!(against.session.send(1, bundle(1).into()), Err(SendError::NotEstablished));
    let mut pair = Pair::established_with(|earth, mars| (earth.send_queue, mars.transfer_mru) = (2, 2000));
    assert_eq!(pair.earth.send(1, Block::default()), Err(SendError::Empty));
    let too_long = SendError::TooLong { length: 2001, transfer_mtu: 2000 };
    assert_eq!(pair.earth.send(1, bundle(2001).into()), Err(too_long));
    assert_eq!(too_long.to_string(), "the bundle of 2001 octets is longer than the 2000 that the peer takes");
    pair.earth.send(1, bundle(2000).into()).unwrap();
    pair.earth.send(2, bundle(2000).into()).unwrap();
    assert_eq!(pair.earth.send(3, bundle(1).into()), Err(SendError::QueueFull { limit: 2 }));
    pair.run();
    pair.earth.send(3, bundle(1).into()).unwrap();
    pair.earth.terminate(at(0), TermReason::Unknown);
    assert_eq!(pair.earth.send(4, bundle(1).into()), Err(SendError::Ending));
}

#[test]
fn the_last_transfer_id_ends_the_session() {
    let mut against = Against::opened();
    against.session.sending.next_id = Some(u64::MAX);
    against.session.send(1, bundle(10).into()).unwrap();
    against.session.send(2, bundle(10).into()).unwrap();
    assert_eq!(
        against.hear(),
        [format!("XFER_SEGMENT {} START END 10", u64::MAX), "SESS_TERM Resource Exhaustion".into()]
    );
    assert_eq!(
        against.events(),
        [
            Event::Ending { reason: TermReason::ResourceExhaustion, cause: Cause::TransferIds },
            Event::Failed { tag: 2, acknowledged: 0 }
        ]
    );
}
