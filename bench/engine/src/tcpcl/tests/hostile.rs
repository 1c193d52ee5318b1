//! Peers that break the rules, and limits.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn an_unknown_message_is_rejected_and_the_connection_closed() {
    for code in [0x00, 0x08, 0x7F, 0xF0, 0xFF] {
        let mut against = Against::opened();
        against.say(&[code, 4, 4, 4]);
        assert_eq!(against.hear(), [format!("MSG_REJECT Message Type Unknown of type {code}")]);
        assert_eq!(against.events(), [Event::Ended(End::UnknownMessage(MessageType(code)))]);
    }
}

#[test]
fn answers_to_unknown_transfers_are_unexpected() {
    let mut against = Against::opened();
    against.say(&[2, 3, 0, 0, 0, 0, 0, 0, 0x30, 0x39, 0, 0, 0, 0, 0, 0, 0, 10]);
    against.say(&[3, 0, 0, 0, 0, 0, 0, 0, 0x03, 0xE7]);
    assert_eq!(against.hear(), ["MSG_REJECT Message Unexpected of type 2", "MSG_REJECT Message Unexpected of type 3"]);
}

#[test]
fn an_acknowledgment_of_what_was_not_sent_is_unexpected() {
    let mut against = Against::opened_with(|config| config.max_segment = 1000);
    against.session.send(1, bundle(2000).into()).unwrap();
    let ack = |flags: u8, length: u16| {
        let [high, low] = length.to_be_bytes();
        vec![2, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low]
    };
    // Only part of the first segment has left.
    let octets = against.session.poll_transmit(at(0), 500).unwrap();
    against.tap.hear(&octets);
    against.say(&ack(2, 1000));
    assert_eq!(
        against.hear(),
        ["XFER_SEGMENT 0 START 1000 of 2000", "MSG_REJECT Message Unexpected of type 2", "XFER_SEGMENT 0 END 1000"]
    );
    for wrong in [ack(0, 2001), ack(1, 1000)] {
        against.say(&wrong);
        assert_eq!(against.hear(), ["MSG_REJECT Message Unexpected of type 2"]);
    }
    against.say(&ack(2, 1000));
    against.say(&ack(2, 999));
    assert_eq!(against.hear(), ["MSG_REJECT Message Unexpected of type 2"]);
    assert_eq!(against.events(), []);
    // Reserved bits are ignored, and a stack that leaves END out is understood.
    against.say(&ack(0xF0, 2000));
    assert_eq!(against.events(), [Event::Acknowledged { tag: 1 }]);
}

#[test]
fn a_rejection_is_told_and_not_answered() {
    let mut against = Against::opened();
    for reject in [[6, 1, 9], [6, 2, 1], [6, 3, 4], [6, 0xFF, 0]] {
        against.say(&reject);
    }
    assert_eq!(against.hear(), Vec::<String>::new());
    assert_eq!(against.events().len(), 4);
}

#[test]
fn every_segment_is_acknowledged_with_the_running_total() {
    let mut against = Against::opened();
    let data = bundle(1800);
    against.say_all(&[
        segment(SegmentFlags(0xFE & !1), 0x0102_0304_0506_0708, &data[..100]),
        segment(MIDDLE, 0x0102_0304_0506_0708, &data[100..300]),
        segment(MIDDLE, 0x0102_0304_0506_0708, &[]),
        segment(MIDDLE, 0x0102_0304_0506_0708, &data[300..800]),
        segment(E, 0x0102_0304_0506_0708, &data[800..]),
    ]);
    let transfer = 0x0102_0304_0506_0708;
    assert_eq!(against.events(), [Event::Received { transfer, data }]);
    against.session.accept(transfer).unwrap();
    let expected = [" START 100", " 300", " 300", " 800", " END 1800"].map(|end| format!("XFER_ACK {transfer}{end}"));
    assert_eq!(against.hear(), expected);
}

#[test]
fn transfer_ids_of_the_peer_are_its_own_affair() {
    let mut against = Against::opened();
    for id in [u64::MAX, 0, 77, 5] {
        against.say(&segment(SE, id, b"bundle"));
        against.session.accept(id).unwrap();
        assert_eq!(against.hear(), [format!("XFER_ACK {id} START END 6")]);
    }
}

#[test]
fn unknown_transfer_extensions_are_skipped_unless_they_are_critical() {
    let mut against = Against::opened();
    let skipped = [item(0xFE, 0x8001, &[]), item(0, 0x7FFF, &[1; 300])].concat();
    against.say(&segment_with(SE, 0, &skipped, b"bundle"));
    against.session.accept(0).unwrap();
    assert_eq!(against.hear(), ["XFER_ACK 0 START END 6"]);
    // Each further segment of a refused transfer is refused too.
    against.say_all(&[
        segment_with(S, 1, &item(1, 0x8001, &[0, 0]), b"one"),
        segment(MIDDLE, 1, b"two"),
        segment(E, 1, b"three"),
    ]);
    assert_eq!(against.hear(), vec!["XFER_REFUSE 1 Extension Failure"; 3]);
    assert!(matches!(against.events()[..], [Event::Received { transfer: 0, .. }]));
}

#[test]
fn a_bad_list_of_items_refuses_the_transfer_and_nothing_else() {
    let twice = [item(0, 1, &[0; 8]), item(0, 1, &[0; 8])].concat();
    for list in [&[0, 0x80, 1, 0, 20, 1, 2, 3, 4, 5][..], &[0, 0x80, 1, 0, 0, 9, 9], &item(0, 1, &[1, 2]), &twice] {
        let mut against = Against::opened();
        against.say(&segment_with(SE, 0, list, b"bundle"));
        assert_eq!(against.hear(), ["XFER_REFUSE 0 Extension Failure"]);
        against.say(&segment(SE, 1, b"bundle"));
        against.session.accept(1).unwrap();
        assert_eq!(against.hear(), ["XFER_ACK 1 START END 6"]);
    }
}

#[test]
fn the_announced_length_is_binding() {
    for (announced, answers) in [
        (2000u64, ["XFER_ACK 0 START 500", "XFER_REFUSE 0 Not Acceptable"]),
        (999, ["XFER_ACK 0 START 500", "XFER_REFUSE 0 Not Acceptable"]),
    ] {
        let mut against = Against::opened();
        let list = item(0, 1, &announced.to_be_bytes());
        against.say_all(&[segment_with(S, 0, &list, &[1; 500]), segment(E, 0, &[1; 500])]);
        assert_eq!(against.hear(), answers);
        assert!(matches!(against.events()[..], [Event::ReceptionFailed { transfer: 0, .. }]));
    }
}

#[test]
fn segments_out_of_sequence_are_never_joined() {
    // Without a beginning.
    let mut against = Against::opened();
    against.say_all(&[segment(E, 0, b"data"), segment(MIDDLE, 7, b"data")]);
    assert_eq!(against.hear(), vec!["MSG_REJECT Message Unexpected of type 1"; 2]);
    // Two at once: the second breaks off the first.
    against.say_all(&[segment(S, 0, b"1a"), segment(S, 1, b"2a"), segment(E, 0, b"1b"), segment(E, 1, b"2b")]);
    let events = against.events();
    assert_eq!(events[0], Event::ReceptionFailed { transfer: 0, received: 2 });
    assert!(matches!(&events[1..], [Event::Received { transfer: 1, data }] if data == "2a2b"));
    against.session.accept(1).unwrap();
    assert_eq!(
        against.hear(),
        [
            "XFER_ACK 0 START 2",
            "XFER_REFUSE 0 Retransmit",
            "XFER_ACK 1 START 2",
            "XFER_REFUSE 0 Retransmit",
            "XFER_ACK 1 END 4"
        ]
    );
    // The end of another transfer.
    against.say_all(&[segment(S, 2, b"1a"), segment(E, 5, b"2b"), segment(E, 2, b"1b")]);
    assert!(matches!(&against.events()[..], [Event::Received { transfer: 2, data }] if data == "1a1b"));
}

#[test]
fn a_number_that_is_taken_is_unexpected() {
    let mut against = Against::opened();
    against.say_all(&[segment(S, 4, b"a"), segment(SE, 4, b"b")]);
    assert_eq!(against.hear(), ["XFER_ACK 4 START 1", "MSG_REJECT Message Unexpected of type 1"]);
    assert_eq!(against.events(), [Event::ReceptionFailed { transfer: 4, received: 1 }]);
    against.say_all(&[segment(SE, 5, b"a"), segment(SE, 5, b"b")]);
    assert!(matches!(&against.events()[..], [Event::Received { transfer: 5, data }] if data == "a"));
}

#[test]
fn absurd_lengths_are_refused_before_anything_arrives() {
    for data_length in [1 << 63, u64::MAX] {
        let mut against = Against::opened();
        let mut octets = Vec::new();
        SegmentHead { flags: SE, transfer_id: 0, items: Some(ItemList::EMPTY), data_length }.emit(&mut octets);
        octets.extend_from_slice(&[0; 100]);
        against.say(&octets);
        assert_eq!(against.hear(), ["MSG_REJECT Message Unsupported of type 1", "XFER_REFUSE 0 Not Acceptable"]);
        // Keepalives in it are data, so the session ends by silence.
        against.wait_until(at(60));
        assert_eq!(against.hear(), ["KEEPALIVE", "SESS_TERM Idle timeout"]);
    }
}

#[test]
fn what_exceeds_a_limit_is_refused_with_no_resources() {
    let change = |config: &mut Config| {
        config.segment_mru = 1000;
        config.transfer_mru = 2000;
        config.receive_limit = 5000;
    };
    // The transfer MRU, with and without an announcement.
    let mut against = Against::opened_with(change);
    against.say(&segment_with(S, 0, &item(0, 1, &2001u64.to_be_bytes()), b"x"));
    assert_eq!(against.hear(), ["XFER_REFUSE 0 No Resources"]);
    against.say_all(&[segment(S, 1, &[0; 1000]), segment(MIDDLE, 1, &[0; 1000]), segment(E, 1, &[0; 1])]);
    assert_eq!(against.hear(), ["XFER_ACK 1 START 1000", "XFER_ACK 1 2000", "XFER_REFUSE 1 No Resources"]);
    against.events();
    // All that waits for the owner together; a small one counts for a kibioctet.
    for id in 2..6 {
        against.say(&segment(SE, id, b"small"));
    }
    assert_eq!(against.hear(), Vec::<String>::new());
    assert_eq!(against.events().len(), 4);
    against.say(&segment(SE, 6, b"small"));
    for id in 2..6 {
        against.session.accept(id).unwrap();
    }
    assert_eq!(against.hear().last().map(String::as_str), Some("XFER_REFUSE 6 No Resources"));
    against.say(&segment(SE, 7, b"small"));
    assert!(matches!(
        against.events()[..],
        [Event::ReceptionFailed { transfer: 6, .. }, Event::Received { transfer: 7, .. }]
    ));
}

#[test]
fn an_empty_transfer_is_no_bundle() {
    let mut against = Against::opened();
    against.say(&segment(SE, 0, b""));
    assert_eq!(against.hear(), ["XFER_REFUSE 0 Not Acceptable"]);
}

#[test]
fn a_list_of_items_beyond_the_limit_ends_the_session() {
    let mut against = Against::opened();
    against.say(&[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3]);
    assert_eq!(against.hear(), ["SESS_TERM Resource Exhaustion"]);
    assert_eq!(against.events(), [Event::Ended(End::ExtensionLimit { limit: 1 << 16 })]);
}

#[test]
fn a_peer_that_does_not_read_is_paused_and_then_given_up() {
    let mut against = Against::opened();
    against.say(&segment(S, 0, b"x"));
    let empty = segment(MIDDLE, 0, b"");
    let mut paused_at = None;
    for count in 0..100_000 {
        if paused_at.is_none() && !against.session.wants_input() {
            paused_at = Some(count);
        }
        against.say(&empty);
        if against.session.is_over() {
            break;
        }
    }
    assert!(paused_at.is_some() && against.session.is_over());
    assert!(matches!(against.events().last(), Some(Event::Ended(End::OutputLimit { .. }))));
}

proptest! {
    /// Whatever a peer sends, in whatever pieces: no panic, and what goes out is well formed.
    #[test]
    fn any_octets_do_no_harm(octets in vec(any::<u8>(), 0..400), first in 1u8..8, piece in 1usize..60, seconds in 0i64..40) {
        let mut against = Against::opened();
        against.session.send(1, bundle(3000).into()).unwrap();
        let octets: Vec<u8> = std::iter::once(first).chain(octets).collect();
        for piece in octets.chunks(piece) {
            against.say(piece);
            for event in against.events() {
                if let Event::Received { transfer, .. } = event {
                    let _ = against.session.accept(transfer);
                }
            }
            against.hear();
            let now = against.now + secs(seconds);
            against.wait_until(now);
        }
        against.session.handle_closed(against.now);
        prop_assert!(against.session.is_over());
        prop_assert_eq!(against.session.queued(), 0);
    }

    /// Any bundles arrive whole and each tag comes back once, however the connection cuts the stream.
    #[test]
    fn every_bundle_arrives_whole(
        lengths in vec(1usize..5000, 1..6), piece in 1usize..3000, mru in 1u64..3000, max_segment in 1u64..3000,
    ) {
        let mut pair = Pair::with(|earth, mars| {
            mars.segment_mru = mru.max(20);
            earth.max_segment = max_segment.max(20);
        });
        pair.piece = piece;
        pair.run();
        for (tag, length) in lengths.iter().enumerate() {
            pair.earth.send(tag as u64, bundle(*length).into()).unwrap();
        }
        pair.run();
        let received: Vec<_> = pair.of("mars").into_iter().filter_map(|event| match event {
            Event::Received { data, .. } => Some(data),
            _ => None,
        }).collect();
        prop_assert_eq!(received, lengths.iter().map(|length| bundle(*length)).collect::<Vec<_>>());
        let acknowledged = pair.of("earth").into_iter().filter(|event| matches!(event, Event::Acknowledged { .. })).count();
        prop_assert_eq!(acknowledged, lengths.len());
    }
}
