//! Cancellation from both sides (§6.15–§6.22).

use super::*;

#[test]
fn a_checkpoint_that_is_never_answered_ends_in_rlexc_on_both_sides() {
    let mut pair = Pair::with(|c| c.retransmission_limit = 2);
    pair.drop = Box::new(|who, s| who == MARS && matches!(s.content, Content::Report(_)));
    let (session, _) = pair.send(100);
    pair.run();
    let cancelled = |locally| move |n: &Notice| matches!(n, Notice::TransmissionCancelled { session: s, reason: CancelReason::RetransmissionLimit, locally: l, .. } if *s == session && *l == locally);
    assert!(pair.has(EARTH, cancelled(true)), "{:#?}", pair.ladder);
    // First transmission and two more, then the cancellation and its acknowledgment.
    assert_eq!(pair.ladder.iter().filter(|l| l.contains("red CP")).count(), 3, "{:#?}", pair.ladder);
    assert!(pair.ladder.iter().any(|l| l.contains("cancel by Sender RLEXC")), "{:#?}", pair.ladder);
    assert!(pair.has(MARS, |n| matches!(n, Notice::ReceptionCancelled { .. })), "{:#?}", pair.ladder);
    pair.assert_all_closed();
}

#[test]
fn a_cancellation_that_nobody_acknowledges_is_given_up() {
    let mut pair = Pair::with(|c| c.retransmission_limit = 3);
    let (session, _) = pair.send(5000);
    pair.exchange();
    pair.drop = Box::new(|_, _| true);
    pair.earth.cancel(pair.now, session);
    pair.run();
    assert_eq!(
        pair.ladder.iter().filter(|l| l.contains("cancel by Sender USR_CNCLD")).count(),
        4,
        "{:#?}",
        pair.ladder
    );
    assert_eq!(pair.earth.open_sessions(), (0, 0, 0));
}

#[test]
fn a_block_of_which_nothing_has_left_is_cancelled_without_a_word() {
    let mut pair = Pair::new();
    let (session, _) = pair.send(5000);
    pair.earth.cancel(pair.now, session);
    pair.run();
    assert!(pair.ladder.is_empty(), "{:#?}", pair.ladder);
    assert!(
        pair.has(EARTH, |n| matches!(n, Notice::TransmissionCancelled { reason: CancelReason::UserCancelled, .. }))
    );
    pair.assert_all_closed();
}

#[test]
fn an_unknown_client_service_is_cancelled_as_unreachable() {
    let mut pair = Pair::new();
    pair.mars.handle_frame(Instant::ZERO, EARTH, &from_earth(5, end_of_block(1), 77, 0, b"who"));
    pair.exchange();
    assert_eq!(pair.ladder, ["0 mars→earth cancel by Receiver UNREACH"]);
    assert!(pair.received().is_empty());
}

#[test]
fn a_miscoloured_block_is_cancelled_whichever_colour_comes_first() {
    for red_first in [true, false] {
        let mut pair = Pair::new();
        let red = from_earth(5, DataKind::Red, BUNDLE_PROTOCOL, 100, b"red data");
        let green = from_earth(5, DataKind::Green, BUNDLE_PROTOCOL, 50, b"green data");
        let (first, second) = if red_first { (red, green) } else { (green, red) };
        pair.mars.handle_frame(Instant::ZERO, EARTH, &first);
        pair.mars.handle_frame(Instant::ZERO, EARTH, &second);
        pair.exchange();
        assert_eq!(pair.ladder, ["0 mars→earth cancel by Receiver MISCOLORED"]);
        assert!(pair.has(MARS, |n| matches!(n, Notice::ReceptionCancelled { locally: true, .. })));
    }
}

#[test]
fn a_cancel_for_an_unknown_session_is_acknowledged_and_nothing_else() {
    let mut pair = Pair::new();
    let ours = SessionId { originator: MARS, number: 99 };
    let theirs = SessionId { originator: EARTH, number: 98 };
    let cancel = |by| Content::Cancel { by, reason: CancelReason::UserCancelled };
    pair.mars.handle_frame(Instant::ZERO, EARTH, &segment_of(theirs, cancel(Party::Sender)));
    pair.mars.handle_frame(Instant::ZERO, EARTH, &segment_of(ours, cancel(Party::Receiver)));
    pair.exchange();
    assert_eq!(pair.ladder, ["0 mars→earth cancel ack to Sender", "0 mars→earth cancel ack to Receiver"]);
    assert!(pair.notices.is_empty());
}

const REASONS: [CancelReason; 7] = [
    CancelReason::UserCancelled,
    CancelReason::Unreachable,
    CancelReason::RetransmissionLimit,
    CancelReason::Miscoloured,
    CancelReason::SystemError,
    CancelReason::RetransmissionCycles,
    CancelReason::Other(77),
];

#[test]
fn every_reason_reaches_the_other_side_whoever_cancels() {
    for reason in REASONS {
        for by in [Party::Sender, Party::Receiver] {
            let mut pair = Pair::new();
            let (session, _) = pair.send(3000);
            pair.drop = Box::new(|who, s| who == MARS && matches!(s.content, Content::Report(_)));
            pair.run_until(Instant::ZERO + secs(700));
            pair.drop = Box::new(|_, _| false);
            let (engine, word) =
                if by == Party::Sender { (&mut pair.earth, "Sender") } else { (&mut pair.mars, "Receiver") };
            engine.cancel_because(pair.now, session, reason);
            pair.ladder.clear();
            pair.run();
            let (there, back) =
                if by == Party::Sender { ("earth→mars", "mars→earth") } else { ("mars→earth", "earth→mars") };
            assert_eq!(
                pair.ladder.iter().filter(|l| l.contains("cancel")).collect::<Vec<_>>(),
                [
                    &format!("700 {there} cancel by {word} {}", reason.mnemonic()),
                    &format!("1300 {back} cancel ack to {word}")
                ]
            );
            let at_earth = move |locally| move |n: &Notice| matches!(n, Notice::TransmissionCancelled { reason: r, locally: l, .. } if *r == reason && *l == locally);
            let at_mars = move |locally| move |n: &Notice| matches!(n, Notice::ReceptionCancelled { reason: r, locally: l, .. } if *r == reason && *l == locally);
            assert!(pair.has(EARTH, at_earth(by == Party::Sender)));
            // Mars has its red part, so to its client the session had succeeded; the session itself is still cancelled.
            assert!(pair.has(MARS, at_mars(by == Party::Receiver)));
            pair.assert_all_closed();
        }
    }
}

#[test]
fn too_many_retransmission_cycles_end_in_rxmtcycexc() {
    let mut pair = Pair::with(|c| c.cycle_limit = 2);
    // Only checkpoints come through, so every cycle leaves a gap.
    pair.drop = Box::new(|who, s| who == EARTH && matches!(&s.content, Content::Data(d) if d.kind == DataKind::Red));
    pair.send(5000);
    pair.run();
    assert!(pair.ladder.iter().any(|l| l.contains("earth→mars cancel by Sender RXMTCYCEXC")), "{:#?}", pair.ladder);
    assert_eq!(pair.ladder.iter().filter(|l| l.contains("mars→earth RS")).count(), 3, "{:#?}", pair.ladder);
    pair.assert_all_closed();
}

#[test]
fn both_sides_may_cancel_at_once() {
    let mut pair = Pair::new();
    let (session, _) = pair.send(100_000);
    pair.exchange();
    pair.run_until(Instant::ZERO + secs(650));
    pair.earth.cancel(pair.now, session);
    pair.mars.cancel(pair.now, session);
    pair.run();
    pair.assert_all_closed();
}

#[test]
fn nothing_is_said_to_a_peer_that_cannot_be_reached() {
    let mut mars = Engine::new(Config::new(MARS, 3));
    mars.add_peer(EARTH, PeerConfig { receive_only: true, ..PeerConfig::default() });
    mars.handle_frame(Instant::ZERO, EARTH, &data(end_of_block(5), 0, &[1; 100]));
    assert!(told(&mut mars).iter().any(|n| matches!(n, Notice::RedPart { .. })), "what comes is taken");
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(5, DataKind::Red, 99, 0, b"unknown service"));
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(6, DataKind::Red, BUNDLE_PROTOCOL, 100, b"red"));
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(6, DataKind::Green, BUNDLE_PROTOCOL, 0, b"miscoloured"));
    let cancel = Content::Cancel { by: Party::Sender, reason: CancelReason::UserCancelled };
    mars.handle_frame(Instant::ZERO, EARTH, &segment_of(SessionId { originator: EARTH, number: 7 }, cancel));
    assert!(sent(&mut mars, EARTH).is_empty());
    assert_eq!((mars.open_sessions(), mars.poll_timeout()), ((0, 0, 0), None));
}

#[test]
fn a_session_whose_claims_were_lost_in_a_restart_is_abandoned() {
    let mut pair = Pair::new();
    let mut count = 0;
    pair.drop = Box::new(move |_, s| {
        count += usize::from(is_data(s));
        is_data(s) && count == 2
    });
    let (session, _) = pair.send(4000);
    pair.run_until(Instant::ZERO + secs(700));
    let told: Vec<_> = pair.notices.iter().filter(|(who, _)| *who == MARS).map(|(_, n)| n.clone()).collect();
    assert_eq!(told.last(), Some(&Notice::PartialClaim { session, peer: EARTH }));
    // Mars starts again with nothing but the name of the session.
    let mut mars = Engine::new(Config::new(MARS, 99));
    mars.add_peer(EARTH, PeerConfig::default());
    mars.set_path(EARTH, PathInfo { light_time_out: OWLT, light_time_back: OWLT, ..PathInfo::default() });
    pair.mars = mars;
    pair.mars.abandon_reception(pair.now, EARTH, session, CancelReason::SystemError);
    pair.mars.abandon_reception(pair.now, EARTH, session, CancelReason::SystemError);
    pair.ladder.clear();
    let mut lost = false;
    pair.drop =
        Box::new(move |_, s| matches!(s.content, Content::Cancel { .. }) && !std::mem::replace(&mut lost, true));
    pair.run();
    assert_eq!(
        pair.ladder,
        [
            "700 mars→earth cancel by Receiver SYS_CNCLD (lost)",
            "1200 earth→mars RA",
            "1200 earth→mars red 1348..2694",
            "1200 earth→mars red CP 2694..2695 for RS",
            "1904 mars→earth cancel by Receiver SYS_CNCLD",
            "2404 earth→mars red CP 2694..2695 for RS",
            "2504 earth→mars cancel ack to Receiver",
        ]
    );
    assert!(pair.received().is_empty(), "what comes of the session is not taken");
    assert!(pair.has(EARTH, |n| matches!(n, Notice::TransmissionCancelled { reason: CancelReason::SystemError, .. })));
    pair.assert_all_closed();
}

#[test]
fn a_claim_on_the_whole_red_part_comes_after_the_red_part_itself() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &data(end_of_block(5), 0, &[1; 100]));
    let kinds: Vec<_> = told(&mut mars)
        .iter()
        .map(|n| match n {
            Notice::ReceptionStarted { .. } => "started",
            Notice::RedPart { .. } => "red part",
            Notice::PartialClaim { .. } => "partial claim",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["started", "red part"]);
}

#[test]
fn only_the_peer_of_a_session_can_cancel_or_report_it() {
    const VENUS: u64 = 3;
    let (mut earth, session) = sender(100);
    earth.add_peer(VENUS, PeerConfig::default());
    let serial = serial_of_last_checkpoint(&sent(&mut earth, MARS));
    let cancel = Content::Cancel { by: Party::Receiver, reason: CancelReason::UserCancelled };
    earth.handle_frame(Instant::ZERO, VENUS, &segment_of(session, cancel));
    earth.handle_frame(Instant::ZERO, VENUS, &report(session, 9, serial, [0, 100], &[(0, 100)]));
    earth.handle_frame(
        Instant::ZERO,
        VENUS,
        &segment_of(SessionId { originator: MARS, number: 5 }, Content::ReportAck { report_serial: 1 }),
    );
    assert_eq!((earth.open_sessions().0, earth.discarded().wrong_peer), (1, 3));
    assert!(sent(&mut earth, VENUS).is_empty());
}
