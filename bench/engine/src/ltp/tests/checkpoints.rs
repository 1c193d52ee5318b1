//! Discretionary checkpoints and the scopes of the reports that they lead to (§4.1, §6.11).

use super::*;

fn follows(serial: u64, report_serial: u64) -> DataKind {
    DataKind::RedCheckpoint(Checkpoint { serial, report_serial })
}

fn report_in(frame: &Bytes) -> Report {
    let Content::Report(report) = segments(frame).next().unwrap().unwrap().content else { panic!("no report") };
    report
}

#[test]
fn a_red_part_has_a_checkpoint_every_so_many_bytes() {
    let mut pair = Pair::with(|c| c.checkpoint_every = Some(2500));
    let (_, data) = pair.send(6000);
    pair.run();
    assert_eq!(
        pair.ladder,
        [
            "0 earth→mars red 0..1348",
            // The two serial numbers of a checkpoint take three bytes.
            "0 earth→mars red CP 1348..2692",
            "0 earth→mars red 2692..4039",
            "0 earth→mars red CP 4039..5383",
            "0 earth→mars red CP EORP EOB 5383..6000",
            "600 mars→earth RS 0..2692 has 0..2692",
            "600 mars→earth RS 2692..5383 has 2692..5383",
            "600 mars→earth RS 5383..6000 has 5383..6000",
            "1200 earth→mars RA",
            "1200 earth→mars RA",
            "1200 earth→mars RA",
        ]
    );
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}

#[test]
fn a_checkpoint_on_request_asks_before_the_end_of_the_red_part() {
    let mut pair = Pair::new();
    let (session, _) = pair.send(4000);
    assert!(pair.earth.request_checkpoint(session));
    pair.exchange();
    assert_eq!(pair.ladder[..2], ["0 earth→mars red CP 0..1345", "0 earth→mars red 1345..2692"]);
    assert!(!pair.earth.request_checkpoint(session), "the end of the red part has asked");
    pair.run();
    pair.assert_all_closed();
    assert!(!pair.earth.request_checkpoint(session));
    let green = pair.earth.send(MARS, BUNDLE_PROTOCOL, Bytes::from_static(b"green").into(), 0).unwrap();
    assert!(!pair.earth.request_checkpoint(green));
}

#[test]
fn what_a_checkpoint_on_the_way_finds_missing_is_sent_again_at_once_and_told_by_a_secondary_report() {
    let mut pair = Pair::with(|c| c.checkpoint_every = Some(2500));
    let mut count = 0;
    pair.drop = Box::new(move |_, s| {
        count += usize::from(is_data(s));
        is_data(s) && count == 3
    });
    let (_, data) = pair.send(6000);
    pair.run();
    let reports: Vec<_> = pair.ladder.iter().filter(|l| l.contains("mars→earth")).collect();
    assert_eq!(
        reports,
        [
            "600 mars→earth RS 0..2692 has 0..2692",
            "600 mars→earth RS 2692..5383 has 4039..5383",
            "600 mars→earth RS 5383..6000 has 5383..6000",
            // Its lower bound is that of the report which the checkpoint answers, its upper bound the checkpoint's.
            "1800 mars→earth RS 2692..4039 has 2692..4039",
        ]
    );
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}

#[test]
fn a_lost_checkpoint_on_the_way_is_covered_by_the_next_primary_report() {
    let mut pair = Pair::with(|c| c.checkpoint_every = Some(1));
    let mut count = 0;
    pair.drop = Box::new(move |_, s| {
        count += usize::from(is_data(s));
        is_data(s) && count == 2
    });
    let (_, data) = pair.send(4000);
    pair.run();
    assert_eq!(
        pair.ladder[3..6],
        ["600 mars→earth RS 0..1345 has 0..1345", "600 mars→earth RS 1345..4000 has 2689..4000", "1200 earth→mars RA",],
        "{:#?}",
        pair.ladder
    );
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}

#[test]
fn a_checkpoint_out_of_order_is_answered_or_not_as_configured() {
    for (report_scope, expected) in [
        (ReportScope::Widened, vec!["RS 0..2000 has 1000..2000", "RS 0..900 has 0..900"]),
        (ReportScope::Withheld, vec!["RS 0..2000 has 1000..2000"]),
    ] {
        let mut mars = receiver();
        mars.add_peer(EARTH, PeerConfig { report_scope, ..PeerConfig::default() });
        mars.handle_frame(Instant::ZERO, EARTH, &data(follows(6, 0), 1000, &[1; 1000]));
        mars.handle_frame(Instant::ZERO, EARTH, &data(follows(5, 0), 0, &[1; 900]));
        assert_eq!(words(&sent(&mut mars, EARTH)), expected);
    }
}

#[test]
fn a_checkpoint_that_cites_a_report_nobody_has_issued_is_told_all() {
    let mut mars = receiver();
    mars.handle_frame(Instant::ZERO, EARTH, &data(follows(5, 0), 0, &[1; 100]));
    mars.handle_frame(Instant::ZERO, EARTH, &data(follows(6, 1 << 40), 100, &[1; 100]));
    assert_eq!(words(&sent(&mut mars, EARTH)), ["RS 0..100 has 0..100", "RS 0..200 has 0..200"]);
}

#[test]
fn serial_numbers_count_up_by_one_from_a_number_that_is_not_zero() {
    let mut pair = Pair::with(|c| c.checkpoint_every = Some(1));
    pair.send(6000);
    pair.run();
    let mut checkpoints = Vec::new();
    let mut reports = Vec::new();
    for (_, frame) in &pair.frames {
        match segments(frame).next().unwrap().unwrap().content {
            Content::Data(data) => checkpoints.extend(data.kind.checkpoint().map(|c| c.serial)),
            Content::Report(report) => reports.push(report.report_serial),
            _ => {}
        }
    }
    for serials in [checkpoints, reports] {
        assert!(serials.len() == 5 && serials[0] != 0, "{serials:?}");
        assert!(serials.windows(2).all(|w| w[1] == w[0] + 1), "{serials:?}");
    }
}

#[test]
fn a_receiver_reports_on_its_own_until_the_end_of_the_red_part_has_come() {
    let mut mars = receiver();
    assert_eq!(mars.report_now(Instant::ZERO, SESSION), Err(ReportError::UnknownSession));
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, 0, &[1; 100]));
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, 200, &[1; 100]));
    assert_eq!(mars.report_now(Instant::ZERO, SESSION), Ok(()));
    let reports = sent(&mut mars, EARTH);
    assert_eq!(words(&reports), ["RS 0..300 has 0..100 200..300"]);
    assert_eq!(report_in(&reports[0]).checkpoint_serial, 0, "no checkpoint has asked");
    assert_eq!(mars.report_now(Instant::ZERO, SESSION), Err(ReportError::NothingNew(300)));
    mars.handle_frame(Instant::ZERO, EARTH, &data(DataKind::Red, 300, &[1; 100]));
    assert_eq!(mars.report_now(Instant::ZERO, SESSION), Ok(()));
    mars.handle_frame(Instant::ZERO, EARTH, &data(end_of_block(5), 400, &[1; 100]));
    assert_eq!(words(&sent(&mut mars, EARTH)), ["RS 300..400 has 300..400", "RS 400..500 has 400..500"]);
    assert_eq!(mars.report_now(Instant::ZERO, SESSION), Err(ReportError::EndOfRedPart));
    assert_eq!(
        ReportError::NothingNew(300).to_string(),
        "there is no red data beyond byte 300, up to which a report has told already (RFC 5326 section 6.11)"
    );
}

#[test]
fn an_asynchronous_report_leads_to_a_retransmission_like_any_other() {
    let mut pair = Pair::new();
    let mut count = 0;
    pair.drop = Box::new(move |_, s| {
        count += usize::from(is_data(s));
        is_data(s) && count == 1
    });
    let (session, data) = pair.send(4000);
    // Two segments leave, and the rest of the block waits.
    for _ in 0..2 {
        let frame = pair.earth.poll_transmit(pair.now, MARS, usize::MAX).unwrap();
        let segment = segments(&frame).next().unwrap().unwrap();
        if !(pair.drop)(EARTH, &segment) {
            pair.mars.handle_frame(pair.now, EARTH, &frame);
        }
    }
    assert_eq!(pair.mars.report_now(pair.now, session), Ok(()));
    let reports = sent(&mut pair.mars, EARTH);
    pair.earth.handle_frame(pair.now, MARS, &reports[0]);
    let frames = sent(&mut pair.earth, MARS);
    assert_eq!(
        words(&frames),
        ["RA", "red 0..1347", "red CP 1347..1348 for RS", "red 2695..4000".replace("red", "red CP EORP EOB").as_str(),]
    );
    for frame in frames {
        pair.in_flight.push_back((pair.now + OWLT, MARS, frame));
    }
    pair.run();
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}
