//! What a hostile or broken peer meets.

use super::*;

#[test]
fn limits_hold_and_what_is_not_accepted_is_not_claimed() {
    let mut config = Config::new(MARS, 1);
    config.receive_limit = 1000;
    config.max_receiving_sessions = 2;
    let mut mars = Engine::new(config);
    mars.add_peer(EARTH, PeerConfig::default());
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(1, DataKind::Red, BUNDLE_PROTOCOL, 0, &[1; 900]));
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(1, end_of_block(5), BUNDLE_PROTOCOL, 900, &[1; 200]));
    assert_eq!(mars.discarded().over_limit, 1);
    assert_eq!(mars.poll_transmit(Instant::ZERO, EARTH, usize::MAX), None, "no claim for what was refused");
    assert_eq!(mars.held_bytes(), 964);
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(2, DataKind::Red, BUNDLE_PROTOCOL, 0, &[]));
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(3, DataKind::Red, BUNDLE_PROTOCOL, 0, &[]));
    assert_eq!((mars.open_sessions().1, mars.discarded().over_limit), (2, 2));
}

#[test]
fn segments_of_strangers_and_garbage_are_counted() {
    let mut pair = Pair::new();
    let stranger = SessionId { originator: 42, number: 1 };
    let data = Data { kind: DataKind::Red, client_service: 1, offset: 0, data: b"hello" };
    assert_eq!(data.kind.colour(), Colour::Red);
    pair.mars.handle_frame(Instant::ZERO, EARTH, &segment_of(stranger, Content::Data(data)));
    pair.mars.handle_frame(Instant::ZERO, EARTH, &Bytes::from_static(b"\xff\xff\xff"));
    pair.mars.handle_frame(Instant::ZERO, EARTH, &Bytes::from_static(b"\x00"));
    let counts = pair.mars.discarded();
    assert_eq!((counts.unknown_peer, counts.malformed), (1, 2));
    assert_eq!(pair.mars.open_sessions(), (0, 0, 0));
}

const VENUS: u64 = 3;

/// Mars with two peers: Earth, which floods it, and Venus, which does not.
fn between(config: impl FnOnce(&mut Config), earth: PeerConfig) -> Engine {
    let mut settings = Config::new(MARS, 3);
    config(&mut settings);
    let mut mars = Engine::new(settings);
    mars.add_peer(EARTH, earth);
    mars.add_peer(VENUS, PeerConfig::default());
    mars
}

/// Whether Venus can still send a block to Mars and Mars one to Venus.
fn assert_venus_is_served(mars: &mut Engine) {
    let session = SessionId { originator: VENUS, number: 4711 };
    let content = |kind, offset| Content::Data(Data { kind, client_service: BUNDLE_PROTOCOL, offset, data: &[3; 500] });
    mars.handle_frame(Instant::ZERO, VENUS, &segment_of(session, content(DataKind::Red, 0)));
    mars.handle_frame(Instant::ZERO, VENUS, &segment_of(session, content(end_of_block(9), 500)));
    mars.send(VENUS, BUNDLE_PROTOCOL, Bytes::from_static(b"to Venus").into(), 8).unwrap();
    assert_eq!(words(&sent(mars, VENUS)), ["RS 0..1000 has 0..1000", "red CP EORP EOB 0..8"]);
    assert!(told(mars).iter().any(|n| matches!(n, Notice::RedPart { peer: VENUS, .. })));
}

#[test]
fn a_flood_of_sessions_stops_at_the_limit_of_its_peer() {
    let mut mars = between(|c| c.max_receiving_sessions = 50, PeerConfig::default());
    for number in 1..=1000 {
        mars.handle_frame(Instant::ZERO, EARTH, &from_earth(number, DataKind::Red, BUNDLE_PROTOCOL, 0, &[1; 10]));
    }
    assert_eq!((mars.open_sessions().1, mars.discarded().over_limit), (50, 950));
    // A session that is open goes on.
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(7, end_of_block(5), BUNDLE_PROTOCOL, 10, &[1; 10]));
    assert_eq!(words(&sent(&mut mars, EARTH)), ["RS 0..20 has 0..20"]);
    assert_venus_is_served(&mut mars);
}

#[test]
fn bytes_held_for_one_peer_leave_room_for_another() {
    let earth = PeerConfig { receive_limit: 10_000, ..PeerConfig::default() };
    let mut mars = between(|c| c.receive_limit = 20_000, earth);
    for number in 1..=100 {
        mars.handle_frame(Instant::ZERO, EARTH, &from_earth(number, DataKind::Red, BUNDLE_PROTOCOL, 0, &[1; 936]));
        mars.handle_frame(Instant::ZERO, EARTH, &from_earth(number, DataKind::Green, BUNDLE_PROTOCOL, 5000, &[1; 936]));
    }
    assert_eq!(mars.held_bytes(), 10_000);
    assert_venus_is_served(&mut mars);
}

#[test]
fn a_flood_of_gaps_stops_at_the_limit_of_its_session() {
    let earth = PeerConfig { max_ranges: 100, ..PeerConfig::default() };
    let mut mars = between(|_| (), earth);
    for place in 0..1000 {
        mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, place * 10, &[1]));
    }
    assert_eq!(mars.discarded().over_limit, 900);
    assert_eq!(mars.held_bytes(), 100 * 65, "a byte by itself costs what it takes to keep it");
    // What fills a gap is taken, and so is another session.
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, 1, &[1; 9]));
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(5, end_of_block(5), BUNDLE_PROTOCOL, 0, b"data"));
    assert_eq!(mars.discarded().over_limit, 900);
    assert!(told(&mut mars).iter().any(|n| matches!(n, Notice::RedPart { .. })));
    assert_venus_is_served(&mut mars);
}

#[test]
fn a_flood_of_checkpoints_ends_its_session_and_no_other() {
    let mut mars = between(|_| (), PeerConfig::default());
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(5, DataKind::Red, BUNDLE_PROTOCOL, 0, b"another session"));
    for serial in 1..20_000 {
        let kind = DataKind::RedCheckpoint(Checkpoint { serial, report_serial: 0 });
        mars.handle_frame(Instant::ZERO, EARTH, &data(kind, 0, &[1; 10]));
    }
    let cancelled =
        |n: &Notice| matches!(n, Notice::ReceptionCancelled { reason: CancelReason::RetransmissionLimit, .. });
    assert!(told(&mut mars).iter().any(cancelled));
    assert_eq!(mars.open_sessions(), (0, 1, 1));
    assert_eq!(mars.held_bytes(), 64 + 15, "the reports of the flood are gone");
    assert_venus_is_served(&mut mars);
}

#[test]
fn reports_count_as_bytes_held() {
    let earth = PeerConfig { receive_limit: 50_000, ..PeerConfig::default() };
    let mut mars = between(|_| (), earth);
    for place in 0..200 {
        mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, place * 10, &[1]));
    }
    for serial in 1..1000 {
        let kind = DataKind::RedCheckpoint(Checkpoint { serial, report_serial: 0 });
        mars.handle_frame(Instant::ZERO, EARTH, &data(kind, 2000, &[1]));
    }
    assert!(mars.held_bytes() <= 50_000);
    assert!(mars.discarded().over_limit > 900);
    assert_venus_is_served(&mut mars);
}

#[test]
fn a_flood_of_reports_does_not_stop_the_data_to_the_peer() {
    let (mut earth, session) = sender(100_000);
    for serial in 1..1000 {
        earth.handle_frame(Instant::ZERO, MARS, &report(SESSION, serial, 0, [0, 10], &[(0, 10)]));
    }
    let first: Vec<_> = words(&sent(&mut earth, MARS)).into_iter().take(66).collect();
    assert_eq!(first.iter().filter(|w| *w == "RA").count(), 65);
    assert_eq!(first[64], "red 0..1348", "after 64 acknowledgments one data segment");
    assert_eq!(earth.open_sessions().0, 1, "{session}");
}

#[test]
fn gaps_that_are_told_again_and_again_are_queued_once() {
    let (mut earth, session) = sender(100_000);
    let count = sent(&mut earth, MARS).len();
    for serial in 1..1000 {
        earth.handle_frame(Instant::ZERO, MARS, &report(session, serial, 0, [0, 100_000], &[(50_000, 1)]));
    }
    let data = words(&sent(&mut earth, MARS)).iter().filter(|w| w.contains("red")).count();
    assert!(data <= count + 2, "{data} segments for a block of {count}");
}

#[test]
fn a_peer_that_never_stops_reporting_loses_its_session() {
    let (mut earth, session) = sender(1000);
    sent(&mut earth, MARS);
    for serial in 1..=(1 << 16) + 1 {
        earth.handle_frame(Instant::ZERO, MARS, &report(session, serial, 0, [0, 10], &[(0, 10)]));
    }
    assert_eq!(earth.open_sessions(), (0, 0, 1));
}

#[test]
fn control_segments_for_a_peer_are_limited_and_what_has_no_room_is_tried_again() {
    let mut mars = between(|_| (), PeerConfig::default());
    let cancel = Content::Cancel { by: Party::Sender, reason: CancelReason::UserCancelled };
    let frame = segment_of(SessionId { originator: EARTH, number: 5 }, cancel);
    for _ in 0..70_000 {
        mars.handle_frame(Instant::ZERO, EARTH, &frame);
    }
    assert_eq!(mars.discarded().over_limit, 70_000 - 65_536);
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(6, DataKind::Red, 99, 0, b"unknown service"));
    assert_eq!(sent(&mut mars, EARTH).len(), 65_536);
    let due = mars.poll_timeout().expect("the cancellation is not forgotten");
    mars.handle_timeout(due);
    assert_eq!(words(&sent(&mut mars, EARTH)), ["cancel by Receiver UNREACH"]);
    assert_venus_is_served(&mut mars);
}

#[test]
fn a_long_report_does_not_hold_up_what_is_shorter() {
    let mut mars = receiver();
    for place in 0..100 {
        mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, place * 10, &[1]));
    }
    mars.handle_frame(Instant::ZERO, EARTH, &data(end_of_block(5), 1000, &[1]));
    let cancel = Content::Cancel { by: Party::Sender, reason: CancelReason::UserCancelled };
    mars.handle_frame(Instant::ZERO, EARTH, &segment_of(SessionId { originator: EARTH, number: 5 }, cancel));
    let short = mars.poll_transmit(Instant::ZERO, EARTH, 100).expect("the acknowledgment fits");
    assert_eq!(words(&[short]), ["cancel ack to Sender"]);
    assert_eq!(mars.poll_transmit(Instant::ZERO, EARTH, 100), None);
    assert!(words(&sent(&mut mars, EARTH))[0].starts_with("RS 0..1001"));
}

#[test]
fn claims_in_a_segment_keep_to_their_limit() {
    let mut mars = between(|_| (), PeerConfig { max_claims: 20, ..PeerConfig::default() });
    for place in 0..50 {
        mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, place * 10, &[1]));
    }
    mars.handle_frame(Instant::ZERO, EARTH, &data(end_of_block(5), 500, &[1]));
    let claims: Vec<_> = words(&sent(&mut mars, EARTH)).iter().map(|w| w.split(' ').count() - 3).collect();
    assert_eq!(claims, [20, 20, 11]);
}

#[test]
fn a_block_too_many_is_refused_with_the_figures_until_one_has_arrived() {
    let mut pair = Pair::with(|c| {
        c.max_blocks = 3;
        c.max_block_bytes = 1000;
    });
    let block = |len: usize| Block::from(Bytes::from(vec![1; len]));
    let long = pair.earth.send(MARS, BUNDLE_PROTOCOL, block(2000), 2000);
    assert!(long.is_ok(), "alone, a longer one goes");
    let full = |blocks, bytes| Err(SendError::Full { peer: MARS, blocks, block_limit: 3, bytes, byte_limit: 1000 });
    assert_eq!(pair.earth.send(MARS, BUNDLE_PROTOCOL, block(1), 1), full(1, 2000));
    pair.run();
    for _ in 0..3 {
        pair.earth.send(MARS, BUNDLE_PROTOCOL, block(10), 10).unwrap();
    }
    assert_eq!(pair.earth.send(MARS, BUNDLE_PROTOCOL, block(10), 10), full(3, 30));
    assert_eq!(
        full(3, 30).unwrap_err().to_string(),
        "3 blocks with 30 bytes are on their way to engine 2, and 3 blocks with 1000 bytes are the limit: try again when \
         one has arrived"
    );
    pair.run_until(pair.now + secs(5000));
    assert!(pair.earth.send(MARS, BUNDLE_PROTOCOL, block(10), 10).is_ok());
}

#[test]
fn session_numbers_have_the_width_that_is_configured_and_any_width_is_taken() {
    for (session_numbers, wide) in [(SessionNumbers::Bits32, false), (SessionNumbers::Bits64, true)] {
        let mut config = Config::new(EARTH, 1);
        config.session_numbers = session_numbers;
        let mut earth = Engine::new(config);
        earth.add_peer(MARS, PeerConfig::default());
        let mut draw = || earth.send(MARS, BUNDLE_PROTOCOL, Bytes::from_static(b"x").into(), 1).unwrap().number;
        assert_eq!((0..50).map(|_| draw()).any(|number| number > u64::from(u32::MAX)), wide);
    }
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(u64::MAX, end_of_block(5), BUNDLE_PROTOCOL, 0, b"wide"));
    assert_eq!(words(&sent(&mut mars, EARTH)), ["RS 0..4 has 0..4"]);
}
