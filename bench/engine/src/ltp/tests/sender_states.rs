//! The states of a block sender, as the diagram of §8.1 has them: one test for each state, and its ways out.

use super::*;

fn report_of(session: SessionId, serial: u64, checkpoint: u64, scope: [u64; 2], claims: &[(u64, u64)]) -> Bytes {
    report(session, serial, checkpoint, scope, claims)
}

/// A sender of `len` bytes, `red` of them red, with segments of 128 bytes: about a hundred bytes of data in each.
fn sending(len: usize, red: u64) -> (Engine, SessionId) {
    let mut engine = Engine::new(Config::new(EARTH, 1));
    engine.add_peer(MARS, PeerConfig { segment_size: 128, retransmission_limit: 1, ..PeerConfig::default() });
    let session = engine.send(MARS, BUNDLE_PROTOCOL, Bytes::from(vec![1; len]).into(), red).unwrap();
    (engine, session)
}

fn next(engine: &mut Engine) -> Bytes {
    engine.poll_transmit(Instant::ZERO, MARS, usize::MAX).expect("a segment")
}

fn expire(engine: &mut Engine) -> Instant {
    let due = engine.poll_timeout().expect("a timer runs");
    engine.handle_timeout(due);
    due
}

fn cancel_by_receiver(session: SessionId) -> Bytes {
    segment_of(session, Content::Cancel { by: Party::Receiver, reason: CancelReason::SystemError })
}

fn cancelled(session: SessionId, reason: CancelReason, locally: bool) -> Notice {
    Notice::TransmissionCancelled { session, peer: MARS, reason, locally }
}

#[test]
fn closed_acknowledges_reports_and_cancellations_and_stays_closed() {
    let (mut earth, session) = sending(50, 50);
    let serial = serial_of_last_checkpoint(&sent(&mut earth, MARS));
    earth.handle_frame(Instant::ZERO, MARS, &report_of(session, 9, serial, [0, 50], &[(0, 50)]));
    assert_eq!((words(&sent(&mut earth, MARS)), earth.open_sessions()), (vec!["RA".to_string()], (0, 0, 0)));
    earth.handle_frame(Instant::ZERO, MARS, &report_of(session, 9, serial, [0, 50], &[(0, 50)]));
    earth.handle_frame(Instant::ZERO, MARS, &cancel_by_receiver(session));
    assert_eq!(words(&sent(&mut earth, MARS)), ["RA", "cancel ack to Receiver"]);
    assert_eq!(earth.open_sessions(), (0, 0, 0));
}

#[test]
fn fg_xmit_sends_green_segments_and_closes_with_the_last() {
    let (mut earth, session) = sending(250, 0);
    assert_eq!(words(&[next(&mut earth), next(&mut earth)]), ["green 0..116", "green 116..232"]);
    assert_eq!(earth.open_sessions(), (1, 0, 0));
    assert_eq!(words(&[next(&mut earth)]), ["green EOB 232..250"]);
    assert_eq!(earth.open_sessions(), (0, 0, 0));
    assert_eq!(earth.poll_timeout(), None, "a green block has no timer");
    let peer = MARS;
    assert_eq!(
        told(&mut earth),
        [Notice::InitialTransmissionCompleted { session, peer }, Notice::TransmissionCompleted { session, peer }]
    );
}

#[test]
fn rp_xmit_takes_reports_and_expiries_and_goes_on() {
    let (mut earth, session) = sending(400, 400);
    earth.request_checkpoint(session);
    let serial = serial_of_last_checkpoint(&[next(&mut earth)]);
    expire(&mut earth);
    assert_eq!(words(&[next(&mut earth)]), ["red CP 0..113"], "the checkpoint again (§6.7)");
    earth.handle_frame(Instant::ZERO, MARS, &report_of(session, 9, serial, [0, 113], &[(0, 50), (60, 53)]));
    assert_eq!(words(&sent(&mut earth, MARS))[..3], ["RA", "red CP 50..60 for RS", "red 113..229"]);
}

#[test]
fn gp_xmit_takes_reports_and_expiries_and_goes_on() {
    let (mut earth, session) = sending(400, 50);
    let serial = serial_of_last_checkpoint(&[next(&mut earth)]);
    assert_eq!(words(&[next(&mut earth)]), ["green 50..166"]);
    expire(&mut earth);
    assert_eq!(words(&[next(&mut earth)]), ["red CP EORP 0..50"]);
    earth.handle_frame(Instant::ZERO, MARS, &report_of(session, 9, serial, [0, 50], &[(0, 50)]));
    assert_eq!(words(&sent(&mut earth, MARS)), ["RA", "green 166..281", "green 281..397", "green EOB 397..400"]);
    assert_eq!(earth.open_sessions(), (0, 0, 0), "all is sent and the red part is acknowledged");
}

#[test]
fn wait_rp_ack_ends_when_the_red_part_is_acknowledged() {
    let (mut earth, session) = sending(200, 200);
    let serial = serial_of_last_checkpoint(&sent(&mut earth, MARS));
    earth.handle_frame(Instant::ZERO, MARS, &report_of(session, 9, serial, [0, 200], &[(50, 150)]));
    let frames = sent(&mut earth, MARS);
    assert_eq!(words(&frames), ["RA", "red CP 0..50 for RS"]);
    let second = serial_of_last_checkpoint(&frames);
    assert_eq!(second, serial + 1);
    earth.handle_frame(Instant::ZERO, MARS, &report_of(session, 10, second, [0, 50], &[(0, 50)]));
    assert_eq!(words(&sent(&mut earth, MARS)), ["RA"]);
    assert_eq!((earth.open_sessions(), earth.poll_timeout()), ((0, 0, 0), None));
    assert!(told(&mut earth).contains(&Notice::TransmissionCompleted { session, peer: MARS }));
}

#[test]
fn chk_rpt_does_no_more_than_acknowledge_a_redundant_report() {
    let (mut earth, session) = sending(200, 200);
    let serial = serial_of_last_checkpoint(&sent(&mut earth, MARS));
    let gap = report_of(session, 9, serial, [0, 200], &[(50, 150)]);
    earth.handle_frame(Instant::ZERO, MARS, &gap);
    sent(&mut earth, MARS);
    earth.handle_frame(Instant::ZERO, MARS, &gap);
    assert_eq!(words(&sent(&mut earth, MARS)), ["RA"]);
}

#[test]
fn rp_rxmt_marks_only_the_last_missing_segment_as_checkpoint() {
    let (mut earth, session) = sending(1000, 1000);
    let serial = serial_of_last_checkpoint(&sent(&mut earth, MARS));
    earth.handle_frame(Instant::ZERO, MARS, &report_of(session, 9, serial, [0, 1000], &[(300, 100), (500, 400)]));
    let frames = sent(&mut earth, MARS);
    let lines = words(&frames);
    assert_eq!(lines.iter().filter(|l| l.contains("CP")).collect::<Vec<_>>(), ["red CP EORP EOB 900..1000 for RS"]);
    assert_eq!(lines.last(), Some(&"red CP EORP EOB 900..1000 for RS".to_string()));
    let Content::Data(last) = segments(frames.last().unwrap()).next().unwrap().unwrap().content else { panic!() };
    assert_eq!(last.kind.checkpoint(), Some(Checkpoint { serial: serial + 1, report_serial: 9 }));
}

#[test]
fn cs_sent_repeats_the_cancellation_up_to_the_limit_and_closes() {
    let (mut earth, session) = sending(200, 200);
    next(&mut earth);
    earth.cancel(Instant::ZERO, session);
    assert_eq!(told(&mut earth), [cancelled(session, CancelReason::UserCancelled, true)]);
    assert_eq!(words(&[next(&mut earth)]), ["cancel by Sender USR_CNCLD"]);
    let due = expire(&mut earth);
    let again = earth.poll_transmit(due, MARS, usize::MAX).unwrap();
    assert_eq!(words(&[again]), ["cancel by Sender USR_CNCLD"]);
    expire(&mut earth);
    assert_eq!((earth.open_sessions(), earth.poll_timeout()), ((0, 0, 0), None));
}

#[test]
fn cs_sent_closes_with_the_acknowledgment_and_only_with_the_right_one() {
    let (mut earth, session) = sending(200, 200);
    next(&mut earth);
    earth.cancel(Instant::ZERO, session);
    next(&mut earth);
    earth.handle_frame(Instant::ZERO, MARS, &segment_of(session, Content::CancelAck { by: Party::Receiver }));
    assert_eq!(earth.open_sessions(), (0, 0, 1));
    earth.handle_frame(Instant::ZERO, MARS, &segment_of(session, Content::CancelAck { by: Party::Sender }));
    assert_eq!((earth.open_sessions(), earth.poll_timeout()), ((0, 0, 0), None));
}

#[test]
fn a_cancellation_by_the_receiver_closes_every_state() {
    // Before anything has left, in RP_XMIT, in WAIT_RP_ACK, and in CS_SENT.
    for state in ["RP_XMIT", "GP_XMIT", "WAIT_RP_ACK", "CS_SENT"] {
        let (mut earth, session) = sending(400, 150);
        match state {
            "RP_XMIT" => drop(next(&mut earth)),
            "GP_XMIT" => drop([next(&mut earth), next(&mut earth), next(&mut earth)]),
            "WAIT_RP_ACK" => drop(sent(&mut earth, MARS)),
            _ => {
                next(&mut earth);
                earth.cancel(Instant::ZERO, session);
                sent(&mut earth, MARS);
            }
        }
        told(&mut earth);
        earth.handle_frame(Instant::ZERO, MARS, &cancel_by_receiver(session));
        assert_eq!(words(&sent(&mut earth, MARS)), ["cancel ack to Receiver"], "{state}");
        assert_eq!((earth.open_sessions(), earth.poll_timeout()), ((0, 0, 0), None), "{state}");
        let notices = told(&mut earth);
        if state == "CS_SENT" {
            assert!(notices.is_empty(), "the client knows already");
        } else {
            assert_eq!(notices, [cancelled(session, CancelReason::SystemError, false)], "{state}");
        }
    }
}

#[test]
fn a_checkpoint_whose_limit_is_exceeded_leads_to_cs_sent() {
    let (mut earth, session) = sending(50, 50);
    next(&mut earth);
    expire(&mut earth);
    assert_eq!(words(&[next(&mut earth)]), ["red CP EORP EOB 0..50"]);
    expire(&mut earth);
    assert_eq!(words(&[next(&mut earth)]), ["cancel by Sender RLEXC"]);
    assert!(told(&mut earth).contains(&cancelled(session, CancelReason::RetransmissionLimit, true)));
}
