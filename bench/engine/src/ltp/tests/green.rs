//! Green parts (§6.10, §7.2).

use super::*;

#[test]
fn a_green_part_follows_the_red_part_in_segments_of_its_own() {
    let mut pair = Pair::new();
    let block = Bytes::from(vec![9; 2000]);
    pair.earth.send(MARS, BUNDLE_PROTOCOL, block.into(), 1000).unwrap();
    pair.run();
    assert_eq!(pair.ladder[..2], ["0 earth→mars red CP EORP 0..1000", "0 earth→mars green EOB 1000..2000"]);
    assert!(pair.has(MARS, |n| matches!(n, Notice::GreenSegment { offset: 1000, is_end_of_block: true, .. })));
    assert!(
        pair.has(MARS, |n| matches!(n, Notice::RedPart { data, is_end_of_block: false, .. } if data.len() == 1000))
    );
    pair.assert_all_closed();
}

fn green(offset: u64, bytes: &[u8]) -> Bytes {
    data(DataKind::Green, offset, bytes)
}

fn end(offset: u64, bytes: &[u8]) -> Bytes {
    data(DataKind::GreenEndOfBlock, offset, bytes)
}

fn blocks(engine: &mut Engine) -> Vec<(u64, Bytes)> {
    let whole = |n| match n {
        Notice::GreenBlock { offset, data, .. } => Some((offset, data)),
        _ => None,
    };
    told(engine).into_iter().filter_map(whole).collect()
}

#[test]
fn a_green_block_of_several_segments_comes_in_pieces_and_then_whole() {
    let mut pair = Pair::new();
    let data: Bytes = (0..5000).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
    pair.earth.send(MARS, BUNDLE_PROTOCOL, data.clone().into(), 0).unwrap();
    pair.run();
    let pieces = pair.notices.iter().filter(|(_, n)| matches!(n, Notice::GreenSegment { .. })).count();
    assert_eq!(pieces, 4);
    assert!(pair.has(MARS, |n| matches!(n, Notice::GreenBlock { offset: 0, data: d, .. } if *d == data)));
    assert_eq!(pair.mars.held_bytes(), 0);
    pair.assert_all_closed();
}

#[test]
fn the_green_part_of_a_mixed_block_begins_where_the_red_part_ends() {
    let mut pair = Pair::new();
    let data: Bytes = (0..5000).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
    pair.earth.send(MARS, BUNDLE_PROTOCOL, data.clone().into(), 2000).unwrap();
    let mut lost = false;
    // The end of the red part comes only after the green part.
    pair.drop = Box::new(move |_, s| {
        let hit = matches!(&s.content, Content::Data(d) if d.kind.is_end_of_red_part());
        hit && !std::mem::replace(&mut lost, true)
    });
    pair.run();
    assert_eq!(pair.received(), [data.slice(..2000)]);
    assert!(
        pair.has(MARS, |n| matches!(n, Notice::GreenBlock { offset: 2000, data: d, .. } if *d == data.slice(2000..)))
    );
    assert_eq!(pair.mars.held_bytes(), 0);
}

#[test]
fn green_segments_may_come_out_of_order_and_after_the_end_of_the_block() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &green(0, b"ab"));
    mars.handle_frame(Instant::ZERO, EARTH, &end(4, b"ef"));
    assert_eq!(mars.open_sessions().1, 0, "§8.2 closes the session");
    assert!(blocks(&mut mars).is_empty());
    mars.handle_frame(Instant::ZERO, EARTH, &green(1, b"bcd"));
    assert_eq!(blocks(&mut mars), [(0, Bytes::from_static(b"abcdef"))]);
    assert_eq!((mars.held_bytes(), mars.poll_timeout()), (0, None));
}

#[test]
fn a_green_part_that_stays_incomplete_is_given_up_in_time() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &green(0, b"ab"));
    mars.handle_frame(Instant::ZERO, EARTH, &end(8, b"ij"));
    told(&mut mars);
    let due = mars.poll_timeout().unwrap();
    assert_eq!(due, Instant::ZERO + secs(60));
    mars.handle_timeout(due);
    let client_service = BUNDLE_PROTOCOL;
    let (session, peer) = (SESSION, EARTH);
    let expected = Notice::GreenIncomplete { session, peer, client_service, received: 4, missing: Some(6) };
    assert_eq!(told(&mut mars), [expected]);
    assert_eq!((mars.held_bytes(), mars.poll_timeout()), (0, None));
}

#[test]
fn time_in_which_the_peer_does_not_transmit_does_not_count() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &green(0, b"ab"));
    mars.handle_cue(Instant::ZERO + secs(5), EARTH, Cue::PeerStops);
    assert_eq!(mars.poll_timeout(), None);
    mars.handle_cue(Instant::ZERO + secs(5000), EARTH, Cue::PeerStarts);
    mars.handle_frame(Instant::ZERO + secs(5001), EARTH, &end(2, b"cd"));
    assert_eq!(blocks(&mut mars), [(0, Bytes::from_static(b"abcd"))]);
}

#[test]
fn a_green_part_that_is_too_long_is_told_in_segments_only() {
    let mut config = Config::new(MARS, 3);
    config.max_green_part = 5;
    let mut mars = Engine::new(config);
    mars.add_peer(EARTH, PeerConfig::default());
    mars.handle_frame(Instant::ZERO, EARTH, &green(0, b"abcd"));
    mars.handle_frame(Instant::ZERO, EARTH, &green(4, b"efgh"));
    mars.handle_frame(Instant::ZERO, EARTH, &end(8, b"ij"));
    let notices = told(&mut mars);
    assert_eq!(notices.iter().filter(|n| matches!(n, Notice::GreenSegment { .. })).count(), 3);
    assert!(notices.iter().any(|n| matches!(n, Notice::GreenIncomplete { received: 4, missing: None, .. })));
    assert_eq!((mars.discarded().over_limit, mars.held_bytes()), (1, 0));
}

#[test]
fn a_cancelled_session_takes_its_green_part_with_it() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &green(0, b"abcd"));
    let cancel = Content::Cancel { by: Party::Sender, reason: CancelReason::UserCancelled };
    mars.handle_frame(Instant::ZERO, EARTH, &segment_of(SESSION, cancel));
    assert_eq!((mars.held_bytes(), mars.poll_timeout()), (0, None));
    assert!(!told(&mut mars).iter().any(|n| matches!(n, Notice::GreenIncomplete { .. })), "§7.6");
}
