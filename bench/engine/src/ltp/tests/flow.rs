//! Data that wait until what went before is claimed.

use super::*;

#[test]
fn no_more_goes_unclaimed_than_the_limit() {
    let mut pair = Pair::with(|c| c.unclaimed_limit = Some(4100));
    let (_, first) = pair.send(9000);
    let (_, second) = pair.send(100);
    pair.run();
    assert_eq!(
        pair.ladder,
        [
            "0 earth→mars red 0..1348",
            "0 earth→mars red 1348..2695",
            "0 earth→mars red CP 2695..4039",
            "600 mars→earth RS 0..4039 has 0..4039",
            "1200 earth→mars RA",
            "1200 earth→mars red 4039..5386",
            "1200 earth→mars red 5386..6733",
            "1200 earth→mars red CP 6733..8077",
            "1800 mars→earth RS 4039..8077 has 4039..8077",
            "2400 earth→mars RA",
            "2400 earth→mars red CP EORP EOB 8077..9000",
            "2400 earth→mars red CP EORP EOB 0..100",
            "3000 mars→earth RS 8077..9000 has 8077..9000",
            "3000 mars→earth RS 0..100 has 0..100",
            "3600 earth→mars RA",
            "3600 earth→mars RA",
        ]
    );
    assert_eq!(pair.received(), [first, second]);
    pair.assert_all_closed();
}

/// Nothing waits for ever. A lost checkpoint may be sent again twice: as a gap of the next report, and by its own timer.
#[test]
fn whichever_segment_is_lost_the_block_arrives() {
    for lost in 0..25 {
        let mut pair = Pair::with(|c| (c.unclaimed_limit, c.checkpoint_every) = (Some(8000), Some(2500)));
        let mut number = 0;
        pair.drop = Box::new(move |_, _| {
            number += 1;
            number == lost + 1
        });
        let (session, data) = pair.send(20_000);
        pair.run();
        assert_eq!(pair.received(), [data], "{lost}: {:#?}", pair.ladder);
        assert!(pair.has(EARTH, |n| *n == Notice::TransmissionCompleted { session, peer: MARS }), "{lost}");
        let again: u64 = pair
            .notices
            .iter()
            .filter_map(|(_, n)| match n {
                Notice::Retransmitted { bytes, .. } => Some(*bytes),
                _ => None,
            })
            .sum();
        assert!(again <= 2 * 1360, "{lost}: {again} bytes again: {:#?}", pair.ladder);
        pair.assert_all_closed();
    }
}

#[test]
fn what_a_cancelled_block_left_unclaimed_holds_nothing_back() {
    let mut pair = Pair::with(|c| c.unclaimed_limit = Some(3000));
    let (session, _) = pair.send(50_000);
    pair.run_until(Instant::ZERO + secs(10));
    pair.earth.cancel(pair.now, session);
    let (_, data) = pair.send(2000);
    pair.run();
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}

#[test]
fn a_limit_below_a_segment_lets_one_at_a_time_go() {
    let mut pair = Pair::with(|c| c.unclaimed_limit = Some(1));
    let (_, data) = pair.send(3000);
    pair.run();
    let data_segments: Vec<_> = pair.ladder.iter().filter(|l| l.contains("red")).collect();
    assert_eq!(
        data_segments,
        [
            "0 earth→mars red CP 0..1345",
            "1200 earth→mars red CP 1345..2689",
            "2400 earth→mars red CP EORP EOB 2689..3000"
        ]
    );
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}
