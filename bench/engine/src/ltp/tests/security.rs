//! Authentication and cookies (RFC 5327), and extensions that nobody knows.

use farlink_wire::ltp::security::{AUTHENTICATION, AuthKey};

use super::*;

fn key(id: u8, secret: &[u8]) -> AuthKey {
    AuthKey::hmac_sha1_80(&[id], secret).unwrap()
}

fn parsed(frame: &Bytes) -> Segment<'_> {
    segments(frame).next().unwrap().unwrap()
}

fn cookies(frame: &Bytes) -> Vec<Vec<u8>> {
    parsed(frame).cookies().map(<[u8]>::to_vec).collect()
}

fn initiating(length: usize) -> Cookies {
    Cookies::Initiate { length, extend: 0 }
}

fn with_cookie(session: SessionId, content: Content<'_>, values: &[&[u8]]) -> Bytes {
    let mut segment = Segment::new(session, content);
    segment.header_extensions = values.iter().map(|value| Extension { tag: COOKIE, value }).collect();
    let mut out = Vec::new();
    segment.emit(&mut out);
    out.into()
}

fn red<'a>(kind: DataKind, offset: u64, data: &'a [u8]) -> Content<'a> {
    Content::Data(Data { kind, client_service: BUNDLE_PROTOCOL, offset, data })
}

#[test]
fn with_a_common_key_every_segment_is_signed_and_keeps_to_the_size() {
    let mut pair = Pair::with(|c| {
        c.security = Some(key(1, b"secret").into());
        c.segment_size = 500;
    });
    let mut count = 0;
    pair.drop = Box::new(move |_, s| {
        count += usize::from(is_data(s));
        is_data(s) && count == 2
    });
    let (_, data) = pair.send(3000);
    pair.run();
    assert_eq!(pair.received(), [data]);
    assert!(pair.frames.iter().any(|(_, f)| f.len() == 500));
    for (_, frame) in &pair.frames {
        assert!(frame.len() <= 500);
        assert_eq!(parsed(frame).authenticate(frame, &[key(1, b"secret")]), Ok(0));
    }
    pair.assert_all_closed();
}

#[test]
fn what_is_not_authentic_is_dropped_without_an_answer_and_counted_by_cause() {
    let mut mars = receiver();
    mars.add_peer(EARTH, PeerConfig { security: Some(key(1, b"secret").into()), ..PeerConfig::default() });
    let content = red(end_of_block(5), 0, b"data");
    let signed = |key: AuthKey| {
        let mut out = Vec::new();
        key.emit(&Segment::new(SESSION, content.clone()), &mut out);
        out
    };
    mars.handle_frame(Instant::ZERO, EARTH, &segment_of(SESSION, content.clone()));
    mars.handle_frame(Instant::ZERO, EARTH, &signed(key(2, b"secret")).into());
    mars.handle_frame(Instant::ZERO, EARTH, &signed(key(1, b"guessed")).into());
    let mut damaged = signed(key(1, b"secret"));
    *damaged.iter_mut().find(|b| **b == b'd').unwrap() = b'D';
    mars.handle_frame(Instant::ZERO, EARTH, &damaged.into());
    let counts = mars.discarded();
    assert_eq!((counts.unauthenticated, counts.unknown_key, counts.wrong_authentication), (1, 1, 2));
    assert!(sent(&mut mars, EARTH).is_empty() && told(&mut mars).is_empty());
    mars.handle_frame(Instant::ZERO, EARTH, &signed(key(1, b"secret")).into());
    assert_eq!(words(&sent(&mut mars, EARTH)), ["RS 0..4 has 0..4"]);
}

#[test]
fn a_peer_that_does_not_authenticate_ignores_the_extension() {
    let mut pair = Pair::each(|me, c| {
        if me == EARTH {
            c.security = Some(AuthKey::null().into());
            c.retransmission_limit = 1;
        }
    });
    let (_, data) = pair.send(100);
    pair.run();
    assert_eq!(pair.received(), [data], "Mars takes the data");
    assert!(pair.earth.discarded().unauthenticated > 0, "and Earth does not take its report");
}

#[test]
fn keys_are_changed_one_side_at_a_time() {
    for (earth, mars) in [([1, 2], [1, 2]), ([2, 1], [1, 2]), ([2, 1], [2, 1])] {
        let mut pair = Pair::each(|me, c| {
            let [sign, accept] = if me == EARTH { earth } else { mars };
            let also_accept = vec![key(accept, b"either")];
            c.security = Some(Authentication { sign: key(sign, b"either"), also_accept });
        });
        let (_, data) = pair.send(3000);
        pair.run();
        assert_eq!(pair.received(), [data], "{earth:?} {mars:?}");
        pair.assert_all_closed();
    }
}

#[test]
fn the_null_suite_finds_what_the_link_has_damaged() {
    let mut pair = Pair::with(|c| c.security = Some(AuthKey::null().into()));
    let (_, data) = pair.send(3000);
    pair.exchange();
    for (_, _, frame) in &mut pair.in_flight {
        let mut octets = frame.to_vec();
        octets[100] ^= 0x10;
        *frame = octets.into();
    }
    pair.run();
    assert_eq!(pair.received(), [data]);
    assert_eq!(pair.mars.discarded().wrong_authentication, 3);
}

#[test]
fn a_cookie_of_the_initiator_is_in_every_segment_of_its_session() {
    let mut pair = Pair::each(|me, c| {
        if me == EARTH {
            c.cookies = initiating(8);
        }
    });
    let mut lost = false;
    pair.drop =
        Box::new(move |_, s| matches!(s.content, Content::ReportAck { .. }) && !std::mem::replace(&mut lost, true));
    let (session, data) = pair.send(3000);
    pair.run();
    assert_eq!(pair.received(), [data]);
    let first = cookies(&pair.frames[0].1);
    assert_eq!((first.len(), first[0].len()), (1, 8));
    for (who, frame) in &pair.frames {
        // The acknowledgment that is repeated after the session's end has it too, or Mars would not take it.
        assert_eq!(cookies(frame), first, "{who}: {}", describe(&parsed(frame)));
    }
    let second = pair.earth.send(MARS, BUNDLE_PROTOCOL, Bytes::from_static(b"next").into(), 4).unwrap();
    assert_ne!(session, second);
    let frame = pair.earth.poll_transmit(pair.now, MARS, usize::MAX).unwrap();
    assert_ne!(cookies(&frame), first, "cookies do not outlast a session");
}

#[test]
fn a_receiver_demands_the_cookie_that_it_has_seen() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &with_cookie(SESSION, red(DataKind::Red, 0, b"ab"), &[b"key!"]));
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, 2, b"cd"));
    mars.handle_frame(Instant::ZERO, EARTH, &with_cookie(SESSION, red(DataKind::Red, 2, b"cd"), &[b"kex!"]));
    let counts = mars.discarded();
    assert_eq!((counts.missing_cookie, counts.wrong_cookie), (1, 1));
    mars.handle_frame(Instant::ZERO, EARTH, &with_cookie(SESSION, red(end_of_block(5), 4, b"ef"), &[b"key!"]));
    let reports = sent(&mut mars, EARTH);
    assert_eq!(words(&reports), ["RS 0..6 has 0..2 4..6"], "what came without the cookie is not here");
    assert_eq!(cookies(&reports[0]), [b"key!"]);
}

#[test]
fn a_cookie_is_extended_by_either_side() {
    let mut pair = Pair::each(|me, c| {
        c.cookies = if me == EARTH { initiating(4) } else { Cookies::Follow { extend: 6 } };
    });
    let mut count = 0;
    pair.drop = Box::new(move |_, s| {
        count += usize::from(is_data(s));
        is_data(s) && count == 1
    });
    let (_, data) = pair.send(3000);
    pair.run();
    assert_eq!(pair.received(), [data], "{:#?}", pair.ladder);
    let lengths: Vec<_> = pair.frames.iter().map(|(_, f)| cookies(f)[0].len()).collect();
    assert!(lengths[..3] == [4; 3] && lengths[3..].iter().all(|l| *l == 10), "{lengths:?}: {:#?}", pair.ladder);
    pair.assert_all_closed();

    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &with_cookie(SESSION, red(DataKind::Red, 0, b"ab"), &[b"key"]));
    mars.handle_frame(Instant::ZERO, EARTH, &with_cookie(SESSION, red(DataKind::Red, 2, b"cd"), &[b"key and more"]));
    mars.handle_frame(Instant::ZERO, EARTH, &with_cookie(SESSION, red(DataKind::Red, 4, b"ef"), &[b"key"]));
    assert_eq!(mars.discarded().wrong_cookie, 1, "the previous value is no longer good");
}

#[test]
fn a_peer_may_answer_without_the_cookie_only_until_it_can_have_seen_it() {
    for (late, missing) in [(false, 0), (true, 1)] {
        let mut earth = Engine::new(Config::new(EARTH, 1));
        earth.add_peer(MARS, PeerConfig { cookies: initiating(4), ..PeerConfig::default() });
        let session = earth.send(MARS, BUNDLE_PROTOCOL, Bytes::from_static(b"data").into(), 4).unwrap();
        let serial = serial_of_last_checkpoint(&sent(&mut earth, MARS));
        // No light time, and twice a margin of two seconds.
        let now = Instant::ZERO + if late { secs(4) } else { secs(3) };
        earth.handle_frame(now, MARS, &report(session, 9, serial, [0, 4], &[(0, 4)]));
        assert_eq!(earth.discarded().missing_cookie, missing);
        assert_eq!(told(&mut earth).iter().any(|n| matches!(n, Notice::TransmissionCompleted { .. })), !late);
    }
}

#[test]
fn an_acknowledgment_for_a_forgotten_session_returns_the_cookie_that_asked_for_it() {
    let mut earth = Engine::new(Config::new(EARTH, 1));
    earth.add_peer(MARS, PeerConfig::default());
    let claims = vec![Claim { offset: 0, length: 4 }];
    let content =
        Content::Report(Report { report_serial: 7, checkpoint_serial: 1, upper_bound: 4, lower_bound: 0, claims });
    earth.handle_frame(Instant::ZERO, MARS, &with_cookie(SESSION, content, &[b"remember me"]));
    let answers = sent(&mut earth, MARS);
    assert_eq!(words(&answers), ["RA"]);
    assert_eq!(cookies(&answers[0]), [b"remember me"]);
}

#[test]
fn a_cookie_that_would_leave_no_room_is_not_taken() {
    let mut mars = receiver();
    let long = [7; 65];
    mars.handle_frame(Instant::ZERO, EARTH, &with_cookie(SESSION, red(DataKind::Red, 0, b"ab"), &[&long]));
    mars.handle_frame(Instant::ZERO, EARTH, &with_cookie(SESSION, red(DataKind::Red, 0, b"ab"), &[b"1", b"2", b"3"]));
    assert_eq!((mars.discarded().wrong_cookie, mars.open_sessions().1), (2, 0));
    mars.add_peer(EARTH, PeerConfig { cookies: Cookies::Ignore, ..PeerConfig::default() });
    mars.handle_frame(Instant::ZERO, EARTH, &with_cookie(SESSION, red(DataKind::Red, 0, b"ab"), &[&long]));
    assert_eq!(mars.open_sessions().1, 1, "one that ignores cookies does not look at them");
}

#[test]
fn a_checkpoint_that_a_longer_cookie_has_made_too_long_is_cut_rather_than_stuck() {
    let mut pair = Pair::each(|me, c| {
        c.segment_size = 200;
        c.checkpoint_every = Some(1);
        c.cookies = if me == EARTH { initiating(4) } else { Cookies::Follow { extend: 32 } };
    });
    let mut lost = false;
    pair.drop = Box::new(move |_, s| matches!(s.content, Content::Report(_)) && !std::mem::replace(&mut lost, true));
    let (_, data) = pair.send(1000);
    pair.run();
    assert_eq!(pair.received(), [data]);
    assert!(pair.frames.iter().all(|(_, f)| f.len() <= 200), "every segment keeps to its size");
    assert!(pair.ladder.iter().any(|l| l.starts_with("1204 earth→mars red CP")), "{:#?}", pair.ladder);
    pair.assert_all_closed();
}

#[test]
fn authentication_and_cookies_go_together() {
    let mut pair = Pair::with(|c| {
        c.security = Some(key(1, b"secret").into());
        c.cookies = Cookies::Initiate { length: 16, extend: 16 };
        c.segment_size = 300;
    });
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    pair.drop = Box::new(move |_, _| rng.next_u32() % 100 < 20);
    let (_, data) = pair.send(10_000);
    pair.run();
    assert_eq!(pair.received(), [data]);
    assert!(pair.frames.iter().all(|(_, f)| f.len() <= 300), "every segment keeps to its size");
    pair.assert_all_closed();
}

#[test]
fn extensions_that_nobody_knows_are_skipped() {
    let mut mars = receiver();
    let mut segment = Segment::new(SESSION, red(end_of_block(5), 0, b"data"));
    segment.header_extensions =
        vec![Extension { tag: 0xC0, value: &[1; 200] }, Extension { tag: AUTHENTICATION, value: &[255] }];
    segment.trailer_extensions = vec![Extension { tag: 0x7F, value: b"" }, Extension { tag: 0xFF, value: b"private" }];
    let mut out = Vec::new();
    segment.emit(&mut out);
    out.extend_from_slice(&from_earth(78, end_of_block(6), BUNDLE_PROTOCOL, 0, b"next"));
    mars.handle_frame(Instant::ZERO, EARTH, &out.into());
    assert_eq!(words(&sent(&mut mars, EARTH)), ["RS 0..4 has 0..4", "RS 0..4 has 0..4"]);
    assert_eq!(mars.discarded(), Discarded::default());
}
