//! Countdown timers and the cues that stop them (§6.2–§6.8).

use super::*;

#[test]
fn a_lost_checkpoint_is_sent_again_when_its_timer_runs_out() {
    let mut pair = Pair::new();
    let mut lost = 0;
    pair.drop = Box::new(move |_, s| {
        let hit = matches!(&s.content, Content::Data(d) if d.kind.checkpoint().is_some()) && lost < 2;
        lost += usize::from(hit);
        hit
    });
    let (_, data) = pair.send(2000);
    pair.run();
    // 2 × 600 s of light and twice a margin of 2 s.
    assert_eq!(
        pair.ladder[1..5],
        [
            "0 earth→mars red CP EORP EOB 1348..2000 (lost)",
            "1204 earth→mars red CP EORP EOB 1348..2000 (lost)",
            "2408 earth→mars red CP EORP EOB 1348..2000",
            "3008 mars→earth RS 0..2000 has 0..2000",
        ]
    );
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}

#[test]
fn a_lost_report_and_a_lost_acknowledgment_are_made_good() {
    let mut pair = Pair::new();
    let (mut reports, mut acks) = (0, 0);
    pair.drop = Box::new(move |_, s| match s.content {
        Content::Report(_) => {
            reports += 1;
            reports == 1
        }
        Content::ReportAck { .. } => {
            acks += 1;
            acks == 1
        }
        _ => false,
    });
    let (_, data) = pair.send(100);
    pair.run();
    assert_eq!(pair.received(), [data], "delivered once: {:#?}", pair.ladder);
    assert_eq!(pair.ladder.iter().filter(|l| l.contains("mars→earth RS")).count(), 3, "{:#?}", pair.ladder);
    pair.assert_all_closed();
}

#[test]
fn timers_stand_still_while_the_peer_cannot_transmit() {
    let mut pair = Pair::new();
    pair.drop = Box::new(|who, _| who == MARS);
    pair.send(100);
    pair.run_until(Instant::ZERO + secs(100));
    // Mars would answer at 602 s, but stops at 100 s and starts again at 5000 s: the answer is due 600 s after
    // that, and a margin for its own way.
    pair.earth.handle_cue(pair.now, MARS, Cue::PeerStops);
    assert_eq!(pair.earth.poll_timeout(), None);
    pair.run_until(Instant::ZERO + secs(5000));
    pair.earth.handle_cue(pair.now, MARS, Cue::PeerStarts);
    assert_eq!(pair.earth.poll_timeout(), Some(Instant::ZERO + secs(5602)));
}

#[test]
fn a_timer_whose_answer_has_left_before_the_peer_stops_runs_on() {
    let mut pair = Pair::new();
    pair.drop = Box::new(|who, _| who == MARS);
    pair.send(100);
    pair.run_until(Instant::ZERO + secs(603));
    pair.earth.handle_cue(pair.now, MARS, Cue::PeerStops);
    assert_eq!(pair.earth.poll_timeout(), Some(Instant::ZERO + secs(1204)));
}

#[test]
fn a_pause_that_ends_before_the_answer_is_due_costs_nothing() {
    let mut pair = Pair::new();
    pair.drop = Box::new(|who, _| who == MARS);
    pair.earth.handle_cue(pair.now, MARS, Cue::PeerStops);
    pair.send(100);
    pair.exchange();
    assert_eq!(pair.earth.poll_timeout(), None, "the peer is silent as the checkpoint leaves");
    pair.run_until(Instant::ZERO + secs(300));
    pair.earth.handle_cue(pair.now, MARS, Cue::PeerStarts);
    assert_eq!(pair.earth.poll_timeout(), Some(Instant::ZERO + secs(1204)));
}
