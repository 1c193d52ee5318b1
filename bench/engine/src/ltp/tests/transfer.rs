//! Blocks that arrive, on good links and bad.

use super::*;

#[test]
fn a_clean_block_takes_one_report() {
    let mut pair = Pair::new();
    let (session, data) = pair.send(3000);
    pair.run();
    assert_eq!(
        pair.ladder,
        [
            "0 earth→mars red 0..1348",
            "0 earth→mars red 1348..2695",
            "0 earth→mars red CP EORP EOB 2695..3000",
            "600 mars→earth RS 0..3000 has 0..3000",
            "1200 earth→mars RA",
        ]
    );
    assert_eq!(pair.received(), [data]);
    assert!(pair.has(EARTH, |n| *n == Notice::TransmissionCompleted { session, peer: MARS }));
    pair.assert_all_closed();
}

#[test]
fn only_what_is_missing_is_sent_again_and_its_last_segment_is_a_checkpoint() {
    let mut pair = Pair::new();
    let mut count = 0;
    pair.drop = Box::new(move |_, s| {
        count += usize::from(is_data(s));
        is_data(s) && (count == 1 || count == 3)
    });
    let (_, data) = pair.send(6000);
    pair.run();
    assert_eq!(
        pair.ladder[5..],
        [
            "600 mars→earth RS 0..6000 has 1348..2695 4042..6000",
            "1200 earth→mars RA",
            "1200 earth→mars red 0..1348",
            // The serial numbers of the checkpoint take the room of the last byte, so that one goes by itself.
            "1200 earth→mars red 2695..4041",
            "1200 earth→mars red CP 4041..4042 for RS",
            "1800 mars→earth RS 0..4042 has 0..4042",
            "2400 earth→mars RA",
        ]
    );
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}

#[test]
fn nothing_leaves_while_the_link_is_closed_and_no_timer_runs_for_what_has_not_left() {
    let mut pair = Pair::new();
    pair.open = false;
    let (_, data) = pair.send(2000);
    pair.run_until(Instant::ZERO + secs(50_000));
    assert!(pair.ladder.is_empty());
    assert_eq!(pair.earth.poll_timeout(), None);
    pair.open = true;
    pair.run();
    assert_eq!(pair.received(), [data]);
    assert!(!pair.ladder.iter().any(|l| l.contains("for RS")), "{:#?}", pair.ladder);
}

#[test]
fn a_report_that_does_not_fit_one_segment_is_split_without_a_hole() {
    let mut pair = Pair::with(|c| c.segment_size = 256);
    let mut count = 0;
    pair.drop = Box::new(move |_, s| {
        count += usize::from(is_data(s));
        is_data(s) && count % 2 == 0 && count < 100
    });
    let (_, data) = pair.send(20_000);
    pair.run();
    let reports: Vec<_> = pair.ladder.iter().filter(|l| l.starts_with("600 mars→earth RS")).collect();
    assert!(reports.len() > 1, "{:#?}", pair.ladder);
    let mut expected = "0".to_string();
    for report in &reports {
        let scope = report.split_whitespace().nth(3).unwrap();
        let (lower, upper) = scope.split_once("..").unwrap();
        assert_eq!(lower, expected, "scopes follow one another");
        expected = upper.to_string();
    }
    assert_eq!(expected, "20000");
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}

#[test]
fn heavy_loss_both_ways_still_ends_in_the_same_block() {
    for seed in 0..20 {
        let mut pair = Pair::new();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        pair.drop = Box::new(move |_, _| rng.next_u32() % 100 < 30);
        let (_, data) = pair.send(100_000);
        pair.run();
        assert_eq!(pair.received(), [data], "seed {seed}");
        pair.assert_all_closed();
    }
}

#[test]
fn every_segment_keeps_to_the_size_and_to_the_room_that_is_left() {
    let mut engine = Engine::new(Config::new(EARTH, 1));
    engine.add_peer(MARS, PeerConfig { segment_size: 500, ..PeerConfig::default() });
    engine.send(MARS, BUNDLE_PROTOCOL, Bytes::from(vec![1; 3000]).into(), 3000).unwrap();
    assert_eq!(engine.poll_transmit(Instant::ZERO, MARS, 100), None, "too little room for anything");
    assert_eq!(engine.poll_transmit(Instant::ZERO, MARS, 200).map(|f| f.len()), Some(200));
    let mut lengths = Vec::new();
    while let Some(frame) = engine.poll_transmit(Instant::ZERO, MARS, usize::MAX) {
        lengths.push(frame.len());
    }
    assert!(lengths.iter().all(|l| *l <= 500) && lengths[0] == 500, "{lengths:?}");
}

#[test]
fn a_late_segment_does_not_open_a_finished_session_anew() {
    let mut pair = Pair::new();
    let first = std::rc::Rc::new(std::cell::RefCell::new(None));
    let keep = first.clone();
    pair.drop = Box::new(move |_, s| {
        if is_data(s) {
            let mut bytes = Vec::new();
            s.emit(&mut bytes);
            keep.borrow_mut().get_or_insert(Bytes::from(bytes));
        }
        false
    });
    pair.send(100);
    pair.run();
    let late = first.borrow().clone().unwrap();
    pair.mars.handle_frame(Instant::ZERO, EARTH, &late);
    pair.run();
    assert_eq!(pair.received().len(), 1);
    pair.assert_all_closed();
    assert_eq!(pair.mars.discarded().unknown_session, 1);
}

#[test]
fn several_segments_in_one_frame_are_all_taken() {
    let mut pair = Pair::new();
    let mut frame = from_earth(5, DataKind::Red, BUNDLE_PROTOCOL, 0, b"ab").to_vec();
    frame.extend_from_slice(&from_earth(5, end_of_block(3), BUNDLE_PROTOCOL, 2, b"cd"));
    pair.mars.handle_frame(Instant::ZERO, EARTH, &frame.into());
    pair.exchange();
    assert_eq!(pair.received(), [Bytes::from_static(b"abcd")]);
}

#[test]
fn wrong_requests_are_refused() {
    let mut engine = Engine::new(Config::new(EARTH, 1));
    engine.add_peer(MARS, PeerConfig::default());
    let block = || Block::from(Bytes::from_static(b"data"));
    assert_eq!(engine.send(9, 1, block(), 4), Err(SendError::UnknownPeer(9)));
    assert_eq!(engine.send(MARS, 1, block(), 5), Err(SendError::RedPartTooLong { red: 5, block: 4 }));
    assert_eq!(engine.send(MARS, 1, Bytes::new().into(), 0), Err(SendError::EmptyBlock));
}
