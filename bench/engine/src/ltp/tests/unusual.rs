//! What peers do that the ladders of a quiet link do not show: other stacks' habits, restarts, and malice.

use super::*;

#[test]
fn a_red_part_that_was_lost_whole_is_received_when_it_comes_again() {
    let mut pair = Pair::new();
    let mut lost = false;
    pair.drop = Box::new(move |_, s| {
        let red = matches!(&s.content, Content::Data(d) if d.kind.colour() == Colour::Red);
        red && !std::mem::replace(&mut lost, true)
    });
    pair.earth.send(MARS, BUNDLE_PROTOCOL, Bytes::from(vec![1; 1000]).into(), 500).unwrap();
    pair.run();
    assert_eq!(pair.received().len(), 1, "{:#?}", pair.ladder);
}

#[test]
fn green_data_is_taken_after_the_red_part_has_been_acknowledged() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::RedEndOfRedPart(checkpoint(5)), 0, &[1; 100]));
    let reports = sent(&mut mars, EARTH);
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Green, 100, &[2; 100]));
    acknowledge(&mut mars, &reports[0]);
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::GreenEndOfBlock, 200, &[2; 100]));
    let green = std::iter::from_fn(|| mars.poll_notice()).filter(|n| matches!(n, Notice::GreenSegment { .. }));
    assert_eq!(green.count(), 2);
    assert_eq!(mars.open_sessions(), (0, 0, 0));
}

#[test]
fn checkpoints_that_repeat_themselves_while_nothing_can_be_sent_get_one_report() {
    let mut mars = receiver();
    for _ in 0..50 {
        mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::RedCheckpoint(checkpoint(5)), 0, &[1; 100]));
    }
    assert_eq!(words(&sent(&mut mars, EARTH)), ["RS 0..100 has 0..100"]);
}

#[test]
fn a_checkpoint_that_comes_out_of_order_is_answered_too() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::RedCheckpoint(checkpoint(6)), 1000, &[1; 1000]));
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::RedCheckpoint(checkpoint(5)), 0, &[1; 900]));
    assert_eq!(words(&sent(&mut mars, EARTH)), ["RS 0..2000 has 1000..2000", "RS 0..900 has 0..900"]);
}

#[test]
fn a_checkpoint_that_found_nothing_to_claim_is_answered_when_it_comes_again() {
    let mut mars = receiver();
    let empty = data(end_of_block(6), 1000, &[]);
    mars.handle_frame(Instant::ZERO, EARTH, &empty);
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, 0, &[1; 500]));
    mars.handle_frame(Instant::ZERO, EARTH, &empty);
    assert_eq!(words(&sent(&mut mars, EARTH)), ["RS 0..1000 has 0..500"]);
}

#[test]
fn claims_on_what_has_not_been_sent_are_not_believed() {
    let (mut earth, session) = sender(10_000);
    earth.poll_transmit(Instant::ZERO, MARS, usize::MAX);
    earth.handle_frame(Instant::ZERO, MARS, &report(session, 9, 0, [0, 10_000], &[(0, 10_000)]));
    sent(&mut earth, MARS);
    assert!(!std::iter::from_fn(|| earth.poll_notice()).any(|n| matches!(n, Notice::TransmissionCompleted { .. })));
    assert_eq!(earth.discarded().contradictory, 1);
}

#[test]
fn a_report_on_a_part_of_what_was_asked_leaves_somebody_asking() {
    let (mut earth, session) = sender(3000);
    let serial = serial_of_last_checkpoint(&sent(&mut earth, MARS));
    earth.handle_frame(Instant::ZERO, MARS, &report(session, 9, serial, [0, 2000], &[(0, 2000)]));
    assert_eq!(words(&sent(&mut earth, MARS)), ["RA"]);
    earth.handle_timeout(earth.poll_timeout().expect("a timer runs"));
    assert_eq!(words(&sent(&mut earth, MARS)), ["red CP EORP EOB 2695..3000"]);
}

#[test]
fn a_report_that_cites_a_checkpoint_not_yet_sent_does_not_stop_the_retransmission() {
    let (mut earth, session) = sender(3000);
    let serial = serial_of_last_checkpoint(&sent(&mut earth, MARS));
    earth.handle_frame(Instant::ZERO, MARS, &report(session, 9, serial, [0, 3000], &[(0, 1000), (1500, 1500)]));
    earth.handle_frame(Instant::ZERO, MARS, &report(session, 10, serial + 1, [0, 1000], &[(0, 1000)]));
    assert!(words(&sent(&mut earth, MARS)).contains(&"red CP 1000..1500 for RS".to_string()));
}

#[test]
fn a_large_block_under_heavy_loss_is_limited_by_rounds_and_not_by_reports() {
    let mut pair = Pair::with(|c| c.problem_limit = 30);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    pair.drop = Box::new(move |_, s| is_data(s) && rng.next_u32() % 100 < 30);
    let (_, data) = pair.send(4 << 20);
    pair.run();
    assert!(pair.received() == [data], "{:?}", pair.ladder.iter().find(|l| l.contains("cancel")));
    pair.assert_all_closed();
}

#[test]
fn a_link_on_which_nothing_comes_through_ends_by_the_limit_on_rounds() {
    let mut pair = Pair::with(|c| c.problem_limit = 3);
    // Only checkpoints come through, so every report leaves the same gap.
    pair.drop = Box::new(|who, s| who == EARTH && matches!(&s.content, Content::Data(d) if d.kind == DataKind::Red));
    pair.send(5000);
    pair.run();
    assert!(pair.ladder.iter().any(|l| l.contains("cancel by")), "{:#?}", pair.ladder);
    pair.assert_all_closed();
}

#[test]
fn a_peer_that_cannot_transmit_at_once_is_given_room_for_its_answer() {
    let mut pair = Pair::new();
    pair.drop = Box::new(|who, _| who == MARS);
    pair.send(100);
    pair.run_until(Instant::ZERO + secs(100));
    pair.earth.handle_cue(pair.now, MARS, Cue::PeerStops);
    pair.run_until(Instant::ZERO + secs(5000));
    pair.earth.handle_cue(pair.now, MARS, Cue::PeerStarts);
    // Its report leaves the moment it may, and takes 10 ms of its own.
    let arrival = Instant::ZERO + secs(5600) + Duration::from_millis(10);
    assert!(pair.earth.poll_timeout().unwrap() > arrival);
}

#[test]
fn the_distance_at_the_resumption_counts_and_not_that_at_the_departure() {
    let mut pair = Pair::new();
    pair.drop = Box::new(|who, _| who == MARS);
    pair.send(100);
    pair.run_until(Instant::ZERO + secs(100));
    pair.earth.handle_cue(pair.now, MARS, Cue::PeerStops);
    pair.run_until(Instant::ZERO + secs(50_000));
    let farther = PathInfo { light_time_out: secs(610), light_time_back: secs(610), ..PathInfo::default() };
    pair.earth.set_path(MARS, farther);
    pair.earth.handle_cue(pair.now, MARS, Cue::PeerStarts);
    assert_eq!(pair.earth.poll_timeout(), Some(Instant::ZERO + secs(50_612)));
}

#[test]
fn timers_count_from_the_last_bit_and_leave_room_for_a_frame_of_the_peer() {
    let (mut earth, _) = sender(100);
    let path = PathInfo { rate_out_bps: 1000, rate_back_bps: 500, overhead_bits: 80, ..PathInfo::default() };
    earth.set_path(MARS, path);
    let length = earth.poll_transmit(Instant::ZERO, MARS, usize::MAX).unwrap().len() as u64;
    let on_air = Duration::of_bits(length * 8 + 80, 1000);
    let margin = secs(2) + Duration::of_bits(1360 * 8 + 80, 500);
    assert_eq!(earth.poll_timeout(), Some(Instant::ZERO + on_air + margin + margin));
}

#[test]
fn a_session_in_which_nothing_happens_any_more_is_closed() {
    for (kind, told) in [(DataKind::Green, false), (DataKind::Red, true)] {
        let mut mars = receiver();
        mars.handle_frame(Instant::ZERO, EARTH, &data(kind, 0, &[1; 500]));
        let mut now = Instant::ZERO;
        while let Some(next) = mars.poll_timeout() {
            now = next;
            mars.handle_timeout(now);
            while mars.poll_transmit(now, EARTH, usize::MAX).is_some() {}
        }
        assert_eq!(mars.open_sessions(), (0, 0, 0));
        assert!(now >= Instant::ZERO + secs(60), "closed too early, at {now}");
        let cancelled =
            std::iter::from_fn(|| mars.poll_notice()).any(|n| matches!(n, Notice::ReceptionCancelled { .. }));
        assert_eq!(cancelled, told, "{kind:?}");
    }
}

#[test]
fn a_session_lives_through_a_contact_gap_of_any_length() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, 0, &[1; 500]));
    mars.handle_cue(Instant::ZERO + secs(1), EARTH, Cue::PeerStops);
    assert_eq!(mars.poll_timeout(), None);
    let later = Instant::ZERO + secs(10_000_000);
    mars.handle_cue(later, EARTH, Cue::PeerStarts);
    mars.handle_timeout(later + secs(5));
    mars.handle_frame(later + secs(5), EARTH, &data(end_of_block(3), 500, &[1; 500]));
    assert!(std::iter::from_fn(|| mars.poll_notice()).any(|n| matches!(n, Notice::RedPart { .. })));
}

#[test]
fn a_peer_that_starts_over_may_use_its_numbers_again_in_time() {
    let mut mars = receiver();
    let block = |serial| data(end_of_block(serial), 0, &[serial as u8; 50]);
    mars.handle_frame(Instant::ZERO, EARTH, &block(6));
    let reports = sent(&mut mars, EARTH);
    acknowledge(&mut mars, &reports[0]);
    mars.handle_frame(Instant::ZERO + secs(10), EARTH, &block(7));
    assert!(sent(&mut mars, EARTH).is_empty(), "too soon: it may be a late segment");
    mars.handle_frame(Instant::ZERO + secs(1000), EARTH, &block(7));
    assert_eq!(sent(&mut mars, EARTH).len(), 1);
}

#[test]
fn a_byte_does_not_keep_a_long_frame_in_memory() {
    let mut mars = receiver();
    let mut frame = data(DataKind::Red, 0, &[1]).to_vec();
    frame.resize(60_000, 0x13);
    let frame = Bytes::from(frame);
    mars.handle_frame(Instant::ZERO, EARTH, &frame);
    assert_eq!(mars.open_sessions().1, 1);
    assert!(frame.is_unique(), "the frame is still held");
}

#[test]
fn a_flood_for_a_service_that_does_not_exist_meets_a_limit() {
    let mut config = Config::new(MARS, 3);
    config.max_receiving_sessions = 100;
    let mut mars = Engine::new(config);
    mars.add_peer(EARTH, PeerConfig::default());
    for number in 1..1000 {
        mars.handle_frame(Instant::ZERO, EARTH, &from_earth(number, DataKind::Red, 9, 0, &[1]));
    }
    assert_eq!(mars.open_sessions(), (0, 0, 100));
    assert_eq!(mars.discarded().over_limit, 899);
}

#[test]
fn a_cancellation_by_the_sender_ends_ours() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(SESSION.number, DataKind::Red, 9, 0, &[1]));
    sent(&mut mars, EARTH);
    let cancel = Content::Cancel { by: Party::Sender, reason: CancelReason::UserCancelled };
    mars.handle_frame(Instant::ZERO, EARTH, &segment_of(SESSION, cancel));
    assert_eq!(mars.open_sessions(), (0, 0, 0));
    assert_eq!(mars.poll_timeout(), None);
}

#[test]
fn the_client_hears_of_a_session_that_turns_to_an_unknown_service() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, 0, &[1; 10]));
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(SESSION.number, DataKind::Red, 9, 10, &[1; 10]));
    let told = std::iter::from_fn(|| mars.poll_notice())
        .any(|n| matches!(n, Notice::ReceptionCancelled { reason: CancelReason::Unreachable, .. }));
    assert!(told);
}

#[test]
fn a_repeated_checkpoint_waits_for_room_rather_than_being_cut() {
    let (mut earth, _) = sender(1000);
    let first = sent(&mut earth, MARS);
    let due = earth.poll_timeout().unwrap();
    earth.handle_timeout(due);
    assert_eq!(earth.poll_transmit(due, MARS, 500), None);
    assert_eq!(earth.poll_transmit(due, MARS, 2000).as_ref(), first.last());
}
