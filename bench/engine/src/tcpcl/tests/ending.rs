//! SESS_TERM and the end of connections.

use super::*;

#[test]
fn a_session_ends_in_order() {
    let mut pair = Pair::established();
    pair.earth.terminate(at(0), TermReason::Busy);
    pair.run();
    assert_eq!(pair.ladder, ["earth→mars SESS_TERM Busy", "mars→earth SESS_TERM reply Busy"]);
    let ended = Event::Ended(End::Clean(TermReason::Busy));
    assert_eq!(pair.of("earth"), [Event::Ending { reason: TermReason::Busy, cause: Cause::Owner }, ended.clone()]);
    assert_eq!(pair.of("mars"), [Event::Ending { reason: TermReason::Busy, cause: Cause::Peer }, ended]);
    assert!(pair.earth.is_over() && pair.mars.is_over());
    assert_eq!((pair.earth.poll_timeout(), pair.mars.poll_timeout()), (None, None));
}

#[test]
fn transfers_that_have_begun_are_completed_and_others_come_back() {
    let mut pair = Pair::established_with(|earth, _| earth.max_segment = 1000);
    pair.earth.send(1, bundle(2500).into()).unwrap();
    pair.earth.send(2, bundle(10).into()).unwrap();
    pair.mars.send(3, bundle(10).into()).unwrap();
    pair.step();
    pair.step();
    pair.mars.terminate(at(0), TermReason::Unknown);
    pair.run();
    assert!(pair.ladder.contains(&"earth→mars XFER_SEGMENT 0 END 500".to_owned()), "{:#?}", pair.ladder);
    assert!(!pair.ladder.iter().any(|line| line.contains("XFER_SEGMENT 1")), "{:#?}", pair.ladder);
    let earth = pair.of("earth");
    assert!(earth.contains(&Event::Acknowledged { tag: 1 }));
    assert!(earth.contains(&Event::Failed { tag: 2, acknowledged: 0 }));
    assert_eq!(earth.last(), Some(&Event::Ended(End::Clean(TermReason::Unknown))));
    assert_eq!(pair.of("mars").last(), Some(&Event::Ended(End::Clean(TermReason::Unknown))));
}

#[test]
fn the_owner_has_its_say_before_a_session_ends() {
    let mut pair = Pair::established();
    pair.accepts = false;
    pair.earth.send(1, bundle(10).into()).unwrap();
    pair.run();
    pair.earth.terminate(at(0), TermReason::Unknown);
    pair.run();
    assert!(!pair.mars.is_over() && !pair.earth.is_over());
    pair.mars.accept(0).unwrap();
    pair.run();
    assert!(pair.mars.is_over() && pair.earth.is_over());
    assert!(pair.of("earth").contains(&Event::Acknowledged { tag: 1 }));
}

#[test]
fn a_new_transfer_is_refused_while_the_session_ends() {
    let mut against = Against::opened();
    against.session.send(1, bundle(10).into()).unwrap();
    against.hear();
    against.say(&[5, 0, 0]);
    assert_eq!(against.hear(), ["SESS_TERM reply Unknown"]);
    against.say(&segment(SE, 9, b"late"));
    assert_eq!(against.hear(), ["XFER_REFUSE 9 Session Terminating"]);
    against.say(&[2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10]);
    assert_eq!(
        against.events(),
        [
            Event::Ending { reason: TermReason::Unknown, cause: Cause::Peer },
            Event::Acknowledged { tag: 1 },
            Event::Ended(End::Clean(TermReason::Unknown))
        ]
    );
}

#[test]
fn every_reason_is_sent_back() {
    for code in [0, 1, 3, 5, 0xEE] {
        let mut against = Against::opened();
        against.say(&[5, 0xFE, code]);
        let reason = TermReason::from_code(code);
        assert_eq!(against.hear(), [format!("SESS_TERM reply {reason}")]);
        assert_eq!(against.events()[1..], [Event::Ended(End::Clean(reason))]);
    }
}

#[test]
fn a_session_can_be_refused_right_after_the_contact_headers() {
    let mut against = Against::new(Role::Passive, Config::new(MARS));
    against.say(b"dtn!\x04\x00\x05\x00\x03");
    assert_eq!(against.hear(), ["contact header 4 flags 0", "SESS_TERM reply Busy"]);
    assert_eq!(against.events()[1..], [Event::Ended(End::Clean(TermReason::Busy))]);
}

#[test]
fn terminations_that_cross_are_not_answered() {
    let mut pair = Pair::established();
    pair.earth.terminate(at(0), TermReason::Busy);
    pair.mars.terminate(at(0), TermReason::IdleTimeout);
    pair.run();
    assert_eq!(pair.ladder, ["earth→mars SESS_TERM Busy", "mars→earth SESS_TERM Idle timeout"]);
    assert!(pair.earth.is_over() && pair.mars.is_over());
}

#[test]
fn an_answer_that_nobody_asked_for_is_unexpected() {
    let mut against = Against::opened();
    against.say(&[5, 1, 0]);
    assert_eq!(against.hear(), ["MSG_REJECT Message Unexpected of type 5"]);
    assert!(!against.session.is_ending());
}

#[test]
fn sess_term_never_interrupts_a_segment() {
    let mut against = Against::opened();
    against.session.send(1, bundle(5000).into()).unwrap();
    let first = against.session.poll_transmit(at(0), 100).unwrap();
    against.tap.hear(&first);
    against.say(&[5, 0, 0]);
    assert_eq!(against.hear(), ["XFER_SEGMENT 0 START END 5000", "SESS_TERM reply Unknown"]);
    // And the end of a session in mid-segment leaves the stream whole up to where it stops.
    let mut against = Against::opened();
    against.session.send(1, bundle(5000).into()).unwrap();
    let first = against.session.poll_transmit(at(0), 100).unwrap();
    against.tap.hear(&first);
    against.session.abort(at(0), TermReason::Busy);
    assert_eq!(against.hear(), ["XFER_SEGMENT 0 START END 5000", "SESS_TERM Busy"]);
    assert_eq!(
        against.events(),
        [
            Event::Ending { reason: TermReason::Busy, cause: Cause::Owner },
            Event::Failed { tag: 1, acknowledged: 0 },
            Event::Ended(End::Aborted)
        ]
    );
}

#[test]
fn nothing_is_said_before_the_contact_header() {
    let mut against = Against::new(Role::Passive, Config::new(MARS));
    against.session.abort(at(0), TermReason::Busy);
    assert_eq!(against.hear(), Vec::<String>::new());
    assert_eq!(against.events(), [Event::Ended(End::Aborted)]);
}

#[test]
fn a_connection_closed_in_mid_transfer_leaves_no_bundle() {
    let mut against = Against::opened();
    let octets = segment(S, 3, &[1; 100]);
    against.say(&octets[..80]);
    against.session.handle_closed(at(1));
    assert_eq!(against.events(), [Event::ReceptionFailed { transfer: 3, received: 58 }, Event::Ended(End::Closed)]);
    // Octets that were read together with the end change nothing.
    against.say(&octets[80..]);
    against.session.handle_closed(at(1));
    assert_eq!(against.events(), []);
}
