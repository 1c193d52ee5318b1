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
