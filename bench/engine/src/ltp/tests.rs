//! Two engines and a path between them, told as message ladders.

mod unusual;

use std::collections::VecDeque;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::ltp::{
    CancelReason, Checkpoint, Claim, Colour, Content, Data, DataKind, Party, Report, Segment, SessionId, segments,
};

use super::*;

const EARTH: u64 = 1;
const MARS: u64 = 2;
const OWLT: Duration = Duration::from_secs(600);

fn secs(s: i64) -> Duration {
    Duration::from_secs(s)
}

/// Whether what this engine sends is lost.
type Filter = Box<dyn FnMut(u64, &Segment<'_>) -> bool>;

/// Two engines, `OWLT` apart. What one sends the other gets one light time later, unless a filter drops it.
struct Pair {
    now: Instant,
    earth: Engine,
    mars: Engine,
    in_flight: VecDeque<(Instant, u64, Bytes)>,
    /// What was sent, in words: the ladder.
    ladder: Vec<String>,
    notices: Vec<(u64, Notice)>,
    drop: Filter,
    open: bool,
}

impl Pair {
    fn new() -> Self {
        Pair::with(|_| ())
    }

    fn with(change: impl Fn(&mut PeerConfig)) -> Self {
        let mut config = PeerConfig::default();
        change(&mut config);
        let engine = |id, peer| {
            let mut engine = Engine::new(Config::new(id, 7 + id));
            engine.add_peer(peer, config);
            engine.set_path(peer, PathInfo { light_time_out: OWLT, light_time_back: OWLT, ..PathInfo::default() });
            engine
        };
        Pair {
            now: Instant::ZERO,
            earth: engine(EARTH, MARS),
            mars: engine(MARS, EARTH),
            in_flight: VecDeque::new(),
            ladder: Vec::new(),
            notices: Vec::new(),
            drop: Box::new(|_, _| false),
            open: true,
        }
    }

    fn send(&mut self, len: usize) -> (SessionId, Bytes) {
        let data: Bytes = (0..len).map(|i| (i * 7 % 251) as u8).collect::<Vec<_>>().into();
        let session = self.earth.send(MARS, BUNDLE_PROTOCOL, data.clone().into(), len as u64).unwrap();
        (session, data)
    }

    fn exchange(&mut self) {
        for (me, peer) in [(EARTH, MARS), (MARS, EARTH)] {
            let engine = if me == EARTH { &mut self.earth } else { &mut self.mars };
            while let Some(frame) = self.open.then(|| engine.poll_transmit(self.now, peer, usize::MAX)).flatten() {
                let segment = segments(&frame).next().unwrap().unwrap();
                let lost = (self.drop)(me, &segment);
                let time = self.now.as_secs_f64();
                let arrow = if me == EARTH { "earth→mars" } else { "mars→earth" };
                let fate = if lost { " (lost)" } else { "" };
                self.ladder.push(format!("{time} {arrow} {}{fate}", describe(&segment)));
                if !lost {
                    self.in_flight.push_back((self.now + OWLT, peer, frame.clone()));
                }
            }
            while let Some(notice) = engine.poll_notice() {
                self.notices.push((me, notice));
            }
        }
    }

    /// Runs to `until`, or to the first quiet.
    fn run_until(&mut self, until: Instant) {
        loop {
            self.exchange();
            let arrival = self.in_flight.front().map(|(at, ..)| *at);
            let next = [arrival, self.earth.poll_timeout(), self.mars.poll_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = next.max(self.now);
            if arrival == Some(next) {
                let (_, to, frame) = self.in_flight.pop_front().unwrap();
                let (engine, from) = if to == EARTH { (&mut self.earth, MARS) } else { (&mut self.mars, EARTH) };
                engine.handle_frame(self.now, from, &frame);
            }
            self.earth.handle_timeout(self.now);
            self.mars.handle_timeout(self.now);
        }
    }

    fn run(&mut self) {
        self.run_until(Instant::ZERO + secs(1_000_000));
    }

    fn received(&self) -> Vec<Bytes> {
        self.notices
            .iter()
            .filter_map(|(who, n)| match n {
                Notice::RedPart { data, .. } if *who == MARS => Some(data.clone()),
                _ => None,
            })
            .collect()
    }

    fn has(&self, who: u64, matches: impl Fn(&Notice) -> bool) -> bool {
        self.notices.iter().any(|(w, n)| *w == who && matches(n))
    }

    fn assert_all_closed(&self) {
        assert_eq!(self.earth.open_sessions(), (0, 0, 0), "{:#?}", self.ladder);
        assert_eq!(self.mars.open_sessions(), (0, 0, 0), "{:#?}", self.ladder);
        assert_eq!((self.earth.poll_timeout(), self.mars.poll_timeout()), (None, None));
    }
}

fn describe(segment: &Segment<'_>) -> String {
    match &segment.content {
        Content::Data(d) => {
            let end = d.offset + d.data.len() as u64;
            let flags = match d.kind {
                DataKind::Red => "red",
                DataKind::RedCheckpoint(_) => "red CP",
                DataKind::RedEndOfRedPart(_) => "red CP EORP",
                DataKind::RedEndOfBlock(_) => "red CP EORP EOB",
                DataKind::Green => "green",
                DataKind::GreenEndOfBlock => "green EOB",
            };
            let answers = d.kind.checkpoint().is_some_and(|c| c.report_serial != 0);
            format!("{flags} {}..{end}{}", d.offset, if answers { " for RS" } else { "" })
        }
        Content::Report(r) => {
            let claims: Vec<_> = r
                .claims
                .iter()
                .map(|c| format!("{}..{}", r.lower_bound + c.offset, r.lower_bound + c.offset + c.length))
                .collect();
            format!("RS {}..{} has {}", r.lower_bound, r.upper_bound, claims.join(" "))
        }
        Content::ReportAck { .. } => "RA".into(),
        Content::Cancel { by, reason } => format!("cancel by {by:?} {}", reason.mnemonic()),
        Content::CancelAck { by } => format!("cancel ack to {by:?}"),
    }
}

fn is_data(segment: &Segment<'_>) -> bool {
    matches!(segment.content, Content::Data(_))
}

#[test]
fn a_clean_block_takes_one_report() {
    let mut pair = Pair::new();
    let (session, data) = pair.send(3000);
    pair.run();
    assert_eq!(
        pair.ladder,
        [
            "0 earth→mars red 0..1348",
            "0 earth→mars red 1348..2695",
            "0 earth→mars red CP EORP EOB 2695..3000",
            "600 mars→earth RS 0..3000 has 0..3000",
            "1200 earth→mars RA",
        ]
    );
    assert_eq!(pair.received(), [data]);
    assert!(pair.has(EARTH, |n| *n == Notice::TransmissionCompleted { session, peer: MARS }));
    pair.assert_all_closed();
}

#[test]
fn only_what_is_missing_is_sent_again_and_its_last_segment_is_a_checkpoint() {
    let mut pair = Pair::new();
    let mut count = 0;
    pair.drop = Box::new(move |_, s| {
        count += usize::from(is_data(s));
        is_data(s) && (count == 1 || count == 3)
    });
    let (_, data) = pair.send(6000);
    pair.run();
    assert_eq!(
        pair.ladder[5..],
        [
            "600 mars→earth RS 0..6000 has 1348..2695 4042..6000",
            "1200 earth→mars RA",
            "1200 earth→mars red 0..1348",
            // The serial numbers of the checkpoint take the room of the last byte, so that one goes by itself.
            "1200 earth→mars red 2695..4041",
            "1200 earth→mars red CP 4041..4042 for RS",
            "1800 mars→earth RS 0..4042 has 0..4042",
            "2400 earth→mars RA",
        ]
    );
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}

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

#[test]
fn nothing_leaves_while_the_link_is_closed_and_no_timer_runs_for_what_has_not_left() {
    let mut pair = Pair::new();
    pair.open = false;
    let (_, data) = pair.send(2000);
    pair.run_until(Instant::ZERO + secs(50_000));
    assert!(pair.ladder.is_empty());
    assert_eq!(pair.earth.poll_timeout(), None);
    pair.open = true;
    pair.run();
    assert_eq!(pair.received(), [data]);
    assert!(!pair.ladder.iter().any(|l| l.contains("for RS")), "{:#?}", pair.ladder);
}

#[test]
fn a_report_that_does_not_fit_one_segment_is_split_without_a_hole() {
    let mut pair = Pair::with(|c| c.segment_size = 256);
    let mut count = 0;
    pair.drop = Box::new(move |_, s| {
        count += usize::from(is_data(s));
        is_data(s) && count % 2 == 0 && count < 100
    });
    let (_, data) = pair.send(20_000);
    pair.run();
    let reports: Vec<_> = pair.ladder.iter().filter(|l| l.starts_with("600 mars→earth RS")).collect();
    assert!(reports.len() > 1, "{:#?}", pair.ladder);
    let mut expected = "0".to_string();
    for report in &reports {
        let scope = report.split_whitespace().nth(3).unwrap();
        let (lower, upper) = scope.split_once("..").unwrap();
        assert_eq!(lower, expected, "scopes follow one another");
        expected = upper.to_string();
    }
    assert_eq!(expected, "20000");
    assert_eq!(pair.received(), [data]);
    pair.assert_all_closed();
}

#[test]
fn heavy_loss_both_ways_still_ends_in_the_same_block() {
    for seed in 0..20 {
        let mut pair = Pair::new();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        pair.drop = Box::new(move |_, _| rng.next_u32() % 100 < 30);
        let (_, data) = pair.send(100_000);
        pair.run();
        assert_eq!(pair.received(), [data], "seed {seed}");
        pair.assert_all_closed();
    }
}

#[test]
fn every_segment_keeps_to_the_size_and_to_the_room_that_is_left() {
    let mut engine = Engine::new(Config::new(EARTH, 1));
    engine.add_peer(MARS, PeerConfig { segment_size: 500, ..PeerConfig::default() });
    engine.send(MARS, BUNDLE_PROTOCOL, Bytes::from(vec![1; 3000]).into(), 3000).unwrap();
    assert_eq!(engine.poll_transmit(Instant::ZERO, MARS, 100), None, "too little room for anything");
    assert_eq!(engine.poll_transmit(Instant::ZERO, MARS, 200).map(|f| f.len()), Some(200));
    let mut lengths = Vec::new();
    while let Some(frame) = engine.poll_transmit(Instant::ZERO, MARS, usize::MAX) {
        lengths.push(frame.len());
    }
    assert!(lengths.iter().all(|l| *l <= 500) && lengths[0] == 500, "{lengths:?}");
}

#[test]
fn a_green_part_follows_the_red_part_in_segments_of_its_own() {
    let mut pair = Pair::new();
    let block = Bytes::from(vec![9; 2000]);
    pair.earth.send(MARS, BUNDLE_PROTOCOL, block.into(), 1000).unwrap();
    pair.run();
    assert_eq!(pair.ladder[..2], ["0 earth→mars red CP EORP 0..1000", "0 earth→mars green EOB 1000..2000"]);
    assert!(pair.has(MARS, |n| matches!(n, Notice::GreenSegment { offset: 1000, is_end_of_block: true, .. })));
    assert!(
        pair.has(MARS, |n| matches!(n, Notice::RedPart { data, is_end_of_block: false, .. } if data.len() == 1000))
    );
    pair.assert_all_closed();
}

fn segment_of(session: SessionId, content: Content<'_>) -> Bytes {
    let mut out = Vec::new();
    Segment::new(session, content).emit(&mut out);
    out.into()
}

fn from_earth(number: u64, kind: DataKind, service: u64, offset: u64, data: &[u8]) -> Bytes {
    let session = SessionId { originator: EARTH, number };
    segment_of(session, Content::Data(Data { kind, client_service: service, offset, data }))
}

fn end_of_block(serial: u64) -> DataKind {
    DataKind::RedEndOfBlock(Checkpoint { serial, report_serial: 0 })
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
fn a_late_segment_does_not_open_a_finished_session_anew() {
    let mut pair = Pair::new();
    let first = std::rc::Rc::new(std::cell::RefCell::new(None));
    let keep = first.clone();
    pair.drop = Box::new(move |_, s| {
        if is_data(s) {
            let mut bytes = Vec::new();
            s.emit(&mut bytes);
            keep.borrow_mut().get_or_insert(Bytes::from(bytes));
        }
        false
    });
    pair.send(100);
    pair.run();
    let late = first.borrow().clone().unwrap();
    pair.mars.handle_frame(Instant::ZERO, EARTH, &late);
    pair.run();
    assert_eq!(pair.received().len(), 1);
    pair.assert_all_closed();
    assert_eq!(pair.mars.discarded().unknown_session, 1);
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
fn limits_hold_and_what_is_not_accepted_is_not_claimed() {
    let mut config = Config::new(MARS, 1);
    config.receive_limit = 1000;
    config.max_receiving_sessions = 2;
    let mut mars = Engine::new(config);
    mars.add_peer(EARTH, PeerConfig::default());
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(1, DataKind::Red, BUNDLE_PROTOCOL, 0, &[1; 900]));
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(1, end_of_block(5), BUNDLE_PROTOCOL, 900, &[1; 200]));
    assert_eq!(mars.discarded().over_limit, 1);
    assert_eq!(mars.poll_transmit(Instant::ZERO, EARTH, usize::MAX), None, "no claim for what was refused");
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(2, DataKind::Red, BUNDLE_PROTOCOL, 0, &[1; 10]));
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(3, DataKind::Red, BUNDLE_PROTOCOL, 0, &[1; 10]));
    assert_eq!((mars.open_sessions().1, mars.discarded().over_limit), (2, 2));
}

#[test]
fn segments_of_strangers_and_garbage_are_counted() {
    let mut pair = Pair::new();
    let stranger = SessionId { originator: 42, number: 1 };
    let data = Data { kind: DataKind::Red, client_service: 1, offset: 0, data: b"hello" };
    assert_eq!(data.kind.colour(), Colour::Red);
    pair.mars.handle_frame(Instant::ZERO, EARTH, &segment_of(stranger, Content::Data(data)));
    pair.mars.handle_frame(Instant::ZERO, EARTH, &Bytes::from_static(b"\xff\xff\xff"));
    pair.mars.handle_frame(Instant::ZERO, EARTH, &Bytes::from_static(b"\x00"));
    let counts = pair.mars.discarded();
    assert_eq!((counts.unknown_peer, counts.malformed), (1, 2));
    assert_eq!(pair.mars.open_sessions(), (0, 0, 0));
}

#[test]
fn a_checkpoint_without_data_is_not_answered_with_an_empty_report() {
    let mut pair = Pair::new();
    pair.mars.handle_frame(Instant::ZERO, EARTH, &from_earth(5, end_of_block(3), BUNDLE_PROTOCOL, 10, b""));
    pair.exchange();
    assert!(pair.ladder.is_empty(), "{:#?}", pair.ladder);
}

#[test]
fn several_segments_in_one_frame_are_all_taken() {
    let mut pair = Pair::new();
    let mut frame = from_earth(5, DataKind::Red, BUNDLE_PROTOCOL, 0, b"ab").to_vec();
    frame.extend_from_slice(&from_earth(5, end_of_block(3), BUNDLE_PROTOCOL, 2, b"cd"));
    pair.mars.handle_frame(Instant::ZERO, EARTH, &frame.into());
    pair.exchange();
    assert_eq!(pair.received(), [Bytes::from_static(b"abcd")]);
}

#[test]
fn wrong_requests_are_refused() {
    let mut engine = Engine::new(Config::new(EARTH, 1));
    engine.add_peer(MARS, PeerConfig::default());
    let block = || Block::from(Bytes::from_static(b"data"));
    assert_eq!(engine.send(9, 1, block(), 4), Err(SendError::UnknownPeer(9)));
    assert_eq!(engine.send(MARS, 1, block(), 5), Err(SendError::RedPartTooLong { red: 5, block: 4 }));
    assert_eq!(engine.send(MARS, 1, Bytes::new().into(), 0), Err(SendError::EmptyBlock));
}
