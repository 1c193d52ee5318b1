//! What is reported, and what a report leads to (§6.11, §6.13).

use super::*;

#[test]
fn a_repeated_checkpoint_is_answered_by_the_same_report() {
    let mut pair = Pair::new();
    let frame = from_earth(5, end_of_block(9), BUNDLE_PROTOCOL, 0, b"once");
    let mut reports = Vec::new();
    for _ in 0..2 {
        pair.mars.handle_frame(Instant::ZERO, EARTH, &frame);
        reports.push(pair.mars.poll_transmit(Instant::ZERO, EARTH, usize::MAX).unwrap());
    }
    assert_eq!(reports[0], reports[1]);
    pair.exchange();
    assert_eq!(pair.received().len(), 1);
}

#[test]
fn a_report_for_an_unknown_session_is_acknowledged_and_nothing_else() {
    let mut pair = Pair::new();
    let session = SessionId { originator: EARTH, number: 99 };
    let report = Report {
        report_serial: 4,
        checkpoint_serial: 1,
        upper_bound: 10,
        lower_bound: 0,
        claims: vec![Claim { offset: 0, length: 10 }],
    };
    pair.earth.handle_frame(Instant::ZERO, MARS, &segment_of(session, Content::Report(report)));
    pair.exchange();
    assert_eq!(pair.ladder, ["0 earth→mars RA"]);
}

#[test]
fn a_report_about_more_than_was_sent_is_not_believed() {
    let mut pair = Pair::new();
    let (session, data) = pair.send(100);
    pair.exchange();
    let report = Report {
        report_serial: 4,
        checkpoint_serial: 0,
        upper_bound: 1 << 40,
        lower_bound: 0,
        claims: vec![Claim { offset: 0, length: 1 << 40 }],
    };
    pair.earth.handle_frame(Instant::ZERO, MARS, &segment_of(session, Content::Report(report)));
    assert_eq!(pair.earth.open_sessions().0, 1);
    assert_eq!(pair.earth.discarded().contradictory, 1);
    pair.run();
    assert_eq!(pair.received(), [data]);
}

#[test]
fn a_checkpoint_without_data_is_not_answered_with_an_empty_report() {
    let mut pair = Pair::new();
    pair.mars.handle_frame(Instant::ZERO, EARTH, &from_earth(5, end_of_block(3), BUNDLE_PROTOCOL, 10, b""));
    pair.exchange();
    assert!(pair.ladder.is_empty(), "{:#?}", pair.ladder);
}
