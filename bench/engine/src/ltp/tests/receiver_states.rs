//! The states of a block receiver, as the diagram of §8.2 has them: one test for each state, and its ways out.

use super::*;

fn mars() -> Engine {
    let mut engine = Engine::new(Config::new(MARS, 3));
    engine.add_peer(EARTH, PeerConfig { retransmission_limit: 1, ..PeerConfig::default() });
    engine
}

fn take(engine: &mut Engine, kind: DataKind, offset: u64, len: usize) -> Vec<String> {
    engine.handle_frame(Instant::ZERO, EARTH, &data(kind, offset, &vec![7; len]));
    words(&sent(engine, EARTH))
}

fn expire(engine: &mut Engine) -> Vec<String> {
    let due = engine.poll_timeout().expect("a timer runs");
    engine.handle_timeout(due);
    words(&std::iter::from_fn(|| engine.poll_transmit(due, EARTH, usize::MAX)).collect::<Vec<_>>())
}

fn cancel_by_sender() -> Bytes {
    segment_of(SESSION, Content::Cancel { by: Party::Sender, reason: CancelReason::UserCancelled })
}

fn cancelled(reason: CancelReason, locally: bool) -> Notice {
    Notice::ReceptionCancelled { session: SESSION, peer: EARTH, reason, locally }
}

const EORP: fn(u64) -> DataKind = |serial| DataKind::RedEndOfRedPart(Checkpoint { serial, report_serial: 0 });
const CP: fn(u64) -> DataKind = |serial| DataKind::RedCheckpoint(Checkpoint { serial, report_serial: 0 });

#[test]
fn closed_acknowledges_cancellations_and_opens_with_the_first_data_segment() {
    let mut mars = mars();
    mars.handle_frame(Instant::ZERO, EARTH, &cancel_by_sender());
    mars.handle_frame(Instant::ZERO, EARTH, &cancel_by_sender());
    assert_eq!(words(&sent(&mut mars, EARTH)), ["cancel ack to Sender", "cancel ack to Sender"]);
    assert!(told(&mut mars).is_empty());
    let frame = from_earth(5, DataKind::Red, BUNDLE_PROTOCOL, 0, b"data");
    mars.handle_frame(Instant::ZERO, EARTH, &frame);
    let session = SessionId { originator: EARTH, number: 5 };
    let started = Notice::ReceptionStarted { session, peer: EARTH, client_service: BUNDLE_PROTOCOL };
    assert_eq!(told(&mut mars), [started], "the session start notice of §7.1");
    mars.handle_frame(Instant::ZERO, EARTH, &frame);
    assert!(told(&mut mars).is_empty(), "it comes once");
}

#[test]
fn ds_rec_leads_to_cr_sent_for_a_service_that_does_not_exist() {
    for kind in [DataKind::Red, DataKind::Green, end_of_block(1)] {
        let mut mars = mars();
        mars.handle_frame(Instant::ZERO, EARTH, &from_earth(SESSION.number, kind, 99, 0, b"data"));
        assert_eq!(words(&sent(&mut mars, EARTH)), ["cancel by Receiver UNREACH"]);
        assert_eq!(mars.open_sessions(), (0, 0, 1));
        assert!(take(&mut mars, DataKind::Red, 0, 10).is_empty(), "the session stays cancelled");
    }
}

#[test]
fn rcv_rp_returns_to_ds_rec_with_or_without_a_report() {
    let mut mars = mars();
    assert!(take(&mut mars, DataKind::Red, 0, 100).is_empty());
    assert_eq!(take(&mut mars, CP(5), 100, 100), ["RS 0..200 has 0..200"]);
    assert_eq!(take(&mut mars, EORP(6), 200, 100), ["RS 200..300 has 200..300"]);
    assert_eq!(mars.open_sessions().1, 1, "the green part may still come");
}

#[test]
fn rcv_rp_goes_to_wait_rp_rec_with_the_end_of_the_block() {
    let mut mars = mars();
    assert_eq!(take(&mut mars, end_of_block(5), 100, 100), ["RS 0..200 has 100..200"]);
    let partial = Notice::PartialClaim { session: SESSION, peer: EARTH };
    assert_eq!(told(&mut mars)[1..], [partial]);
    assert!(take(&mut mars, DataKind::Red, 0, 100).is_empty(), "no report without a checkpoint");
    assert!(matches!(&told(&mut mars)[..], [Notice::RedPart { data, is_end_of_block: true, .. }] if data.len() == 200));
}

#[test]
fn rcv_gp_goes_to_wait_rp_rec_with_the_end_of_the_block() {
    let mut mars = mars();
    assert!(take(&mut mars, DataKind::Green, 200, 50).is_empty());
    assert!(take(&mut mars, DataKind::Red, 0, 100).is_empty());
    assert!(take(&mut mars, DataKind::GreenEndOfBlock, 250, 50).is_empty());
    assert_eq!(mars.open_sessions().1, 1, "red data is missing");
    let reports = take(&mut mars, EORP(5), 100, 100);
    assert_eq!(reports, ["RS 0..200 has 0..200"]);
    assert_eq!(mars.open_sessions().1, 1, "the report waits to be acknowledged");
}

#[test]
fn wait_rp_rec_closes_when_the_red_part_is_whole_and_the_reports_are_acknowledged() {
    let mut mars = mars();
    take(&mut mars, DataKind::Red, 0, 100);
    mars.handle_frame(Instant::ZERO, EARTH, &data(end_of_block(5), 200, &[7; 100]));
    let first = sent(&mut mars, EARTH);
    acknowledge(&mut mars, &first[0]);
    assert_eq!(mars.open_sessions().1, 1, "what is claimed is not forgotten");
    let Content::Report(report) = segments(&first[0]).next().unwrap().unwrap().content else { panic!() };
    let answer = Checkpoint { serial: 6, report_serial: report.report_serial };
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::RedCheckpoint(answer), 100, &[7; 100]));
    let second = sent(&mut mars, EARTH);
    assert_eq!(words(&second), ["RS 0..200 has 0..200"]);
    acknowledge(&mut mars, &second[0]);
    assert_eq!((mars.open_sessions(), mars.poll_timeout(), mars.held_bytes()), ((0, 0, 0), None, 0));
    assert_eq!(told(&mut mars).last(), Some(&Notice::ReceptionClosed { session: SESSION, peer: EARTH }));
}

#[test]
fn wait_rp_rec_takes_a_block_of_which_only_green_data_has_come_as_whole() {
    let mut mars = mars();
    take(&mut mars, DataKind::GreenEndOfBlock, 0, 50);
    assert_eq!((mars.open_sessions(), mars.poll_timeout()), ((0, 0, 0), None));
}

#[test]
fn an_expired_report_timer_interrupts_every_state() {
    for state in ["DS_REC", "RCV_GP", "WAIT_RP_REC"] {
        let mut mars = mars();
        take(&mut mars, CP(5), 0, 100);
        match state {
            "RCV_GP" => drop(take(&mut mars, DataKind::Green, 300, 50)),
            "WAIT_RP_REC" => drop(take(&mut mars, DataKind::GreenEndOfBlock, 300, 50)),
            _ => {}
        }
        assert_eq!(expire(&mut mars), ["RS 0..100 has 0..100"], "{state}");
        assert_eq!(expire(&mut mars), ["cancel by Receiver RLEXC"], "{state}");
        assert!(told(&mut mars).contains(&cancelled(CancelReason::RetransmissionLimit, true)), "{state}");
        assert_eq!(mars.held_bytes(), 0, "{state}");
    }
}

#[test]
fn a_checkpoint_that_comes_again_too_often_leads_to_cr_sent_too() {
    let mut mars = mars();
    assert_eq!(take(&mut mars, CP(5), 0, 100).len(), 1);
    assert_eq!(take(&mut mars, CP(5), 0, 100), ["RS 0..100 has 0..100"]);
    assert_eq!(take(&mut mars, CP(5), 0, 100), ["cancel by Receiver RLEXC"]);
}

#[test]
fn miscoloured_data_leads_to_cr_sent_from_ds_rec_and_from_wait_rp_rec() {
    // (a) of §6.21: red above green; (b): green below red.
    let red_above_green: [(DataKind, u64); 2] = [(DataKind::Green, 100), (DataKind::Red, 101)];
    let green_below_red: [(DataKind, u64); 2] = [(DataKind::Red, 100), (DataKind::Green, 99)];
    let after_the_end: [(DataKind, u64); 2] = [(DataKind::GreenEndOfBlock, 100), (CP(5), 101)];
    for segments in [red_above_green, green_below_red, after_the_end] {
        let mut mars = mars();
        take(&mut mars, DataKind::Red, 0, 10);
        assert!(take(&mut mars, segments[0].0, segments[0].1, 10).is_empty());
        assert_eq!(take(&mut mars, segments[1].0, segments[1].1, 10), ["cancel by Receiver MISCOLORED"]);
        let notices = told(&mut mars);
        assert_eq!(notices.last(), Some(&cancelled(CancelReason::Miscoloured, true)), "the segment is discarded");
        assert_eq!((mars.open_sessions(), mars.held_bytes()), ((0, 0, 1), 0));
    }
    // At the same offset neither rule is broken.
    let mut mars = mars();
    take(&mut mars, DataKind::Green, 100, 10);
    assert!(take(&mut mars, DataKind::Red, 100, 10).is_empty());
    assert_eq!(mars.open_sessions().1, 1);
}

#[test]
fn cr_sent_repeats_the_cancellation_up_to_the_limit_and_closes() {
    let mut mars = mars();
    take(&mut mars, DataKind::Red, 0, 10);
    mars.cancel(Instant::ZERO, SESSION);
    assert_eq!(words(&sent(&mut mars, EARTH)), ["cancel by Receiver USR_CNCLD"]);
    assert_eq!(expire(&mut mars), ["cancel by Receiver USR_CNCLD"]);
    assert!(expire(&mut mars).is_empty());
    assert_eq!((mars.open_sessions(), mars.poll_timeout()), ((0, 0, 0), None));
    assert!(take(&mut mars, DataKind::Red, 0, 10).is_empty() && mars.open_sessions().1 == 0, "not opened anew");
}

#[test]
fn cr_sent_closes_with_the_acknowledgment_or_with_a_cancellation_by_the_sender() {
    for (answer, expected) in [
        (segment_of(SESSION, Content::CancelAck { by: Party::Receiver }), vec![]),
        (cancel_by_sender(), vec!["cancel ack to Sender"]),
    ] {
        let mut mars = mars();
        take(&mut mars, DataKind::Red, 0, 10);
        mars.cancel(Instant::ZERO, SESSION);
        sent(&mut mars, EARTH);
        mars.handle_frame(Instant::ZERO, EARTH, &answer);
        assert_eq!(words(&sent(&mut mars, EARTH)), expected);
        assert_eq!((mars.open_sessions(), mars.poll_timeout()), ((0, 0, 0), None));
    }
}

#[test]
fn a_cancellation_by_the_sender_closes_every_state() {
    for state in ["DS_REC", "RCV_GP", "WAIT_RP_REC"] {
        let mut mars = mars();
        match state {
            "DS_REC" => drop(take(&mut mars, CP(5), 0, 10)),
            "RCV_GP" => drop(take(&mut mars, DataKind::Green, 50, 10)),
            _ => drop(take(&mut mars, end_of_block(5), 50, 10)),
        }
        told(&mut mars);
        mars.handle_frame(Instant::ZERO, EARTH, &cancel_by_sender());
        assert_eq!(words(&sent(&mut mars, EARTH)), ["cancel ack to Sender"], "{state}");
        assert_eq!(told(&mut mars), [cancelled(CancelReason::UserCancelled, false)], "{state}");
        assert_eq!((mars.open_sessions(), mars.poll_timeout(), mars.held_bytes()), ((0, 0, 0), None, 0), "{state}");
    }
}
