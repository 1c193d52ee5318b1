//! The state that events make.

use farlink_dashboards::model::{LogItem, Model, Progress};
use farlink_record::counters::Tally;
use farlink_record::{
    BundleNotice, ChannelId, ChannelInfo, ContactInfo, DurationNanos, Event, Header, LossCause, LtpNotice, NodeId,
    NodeInfo, RetransmitReason, Session, Stamped, TrafficId, TrafficInfo,
};
use farlink_units::{Duration, Instant};

const CHANNEL: ChannelId = ChannelId(0);
const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);
const C: NodeId = NodeId(2);

fn header() -> Header {
    let contact = |start, end| ContactInfo { start: at(start), end: at(end) };
    Header {
        format: Header::FORMAT.into(),
        version: Header::VERSION,
        farlink: "0".into(),
        scenario: "scripted".into(),
        scenario_sha256: String::new(),
        seed: 0,
        epoch: "2027-01-01T00:00:00Z".into(),
        duration: DurationNanos(100_000_000_000),
        clock: "virtual".into(),
        nodes: ["a", "b", "c"].map(|name| NodeInfo { name: name.into(), eid: format!("dtn://{name}/") }).into(),
        channels: vec![ChannelInfo {
            name: "a→b".into(),
            link: "ab".into(),
            from: A,
            to: B,
            rate_bps: 1000,
            ber: 0.0,
            contacts: vec![contact(0, 10), contact(50, 60)],
        }],
        traffic: vec![TrafficInfo { name: "photo".into(), from: A, to: C, bytes: 1000 }],
    }
}

fn at(seconds: i64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn apply(model: &mut Model, script: impl IntoIterator<Item = (i64, Event)>) {
    for (seconds, event) in script {
        model.apply(&Stamped { at: at(seconds), event });
    }
}

fn bundle(node: NodeId, bytes: u64, notice: BundleNotice) -> Event {
    Event::Bundle { node, bundle: "ipn:1.1 0-0".into(), traffic: Some(TrafficId(0)), bytes, notice }
}

fn sent(frame: u64) -> Event {
    Event::FrameSent { channel: CHANNEL, frame, bytes: 100, start: at(0) }
}

fn lost(frame: u64, cause: LossCause) -> Event {
    Event::FrameLost { channel: CHANNEL, frame, bytes: 100, cause }
}

#[test]
fn a_channel_opens_closes_and_opens_again() {
    let mut model = Model::new(&header());
    assert_eq!(model.channels()[0].open_until, None, "not open before it is told so, whatever the plan");
    let light = DurationNanos(1_500_000_000);
    apply(&mut model, [(0, Event::ContactOpened { channel: CHANNEL, until: at(10), light_time: light })]);
    assert_eq!(model.channels()[0].open_until, Some(at(10)));
    assert_eq!(model.channels()[0].light_time, Some(Duration::from_millis(1500)));
    apply(&mut model, [(5, Event::LightTime { channel: CHANNEL, light_time: DurationNanos(1_600_000_000) })]);
    assert_eq!(model.channels()[0].light_time, Some(Duration::from_millis(1600)));
    apply(&mut model, [(9, Event::ContactClosed { channel: CHANNEL })]);
    assert_eq!(model.channels()[0].open_until, None);
    assert_eq!(model.next_opening(CHANNEL), Some(at(50)));
    model.advance_to(at(70));
    assert_eq!(model.next_opening(CHANNEL), None);
}

#[test]
fn frames_are_counted_where_they_are() {
    let mut model = Model::new(&header());
    let damaged = Event::FrameDelivered {
        channel: CHANNEL,
        frame: 0,
        bytes: 100,
        damaged_bits: 3,
        delays: None,
        content: Default::default(),
    };
    apply(&mut model, [(1, sent(0)), (1, sent(1)), (1, sent(2)), (2, damaged), (2, lost(1, LossCause::QueueFull))]);
    let counters = &model.channels()[0].counters;
    assert_eq!(counters.in_flight(), Tally { frames: 1, bits: 800 });
    assert_eq!((counters.delivered_damaged.frames, counters.flipped_bits), (1, 3));
    assert_eq!(counters.lost[&LossCause::QueueFull].frames, 1);
}

fn ltp(number: u64, notice: LtpNotice) -> Event {
    Event::Ltp { node: A, peer: B, session: Session { originator: 1, number }, notice }
}

/// When each line of the log first happened, and what it tells.
fn log(model: &Model) -> Vec<(Instant, LogItem)> {
    model.log().map(|line| (line.at, line.what.clone())).collect()
}

#[test]
fn losses_of_one_kind_share_a_line_of_the_log() {
    let mut model = Model::new(&header());
    let again = LtpNotice::Retransmitted { bytes: 100, reason: RetransmitReason::CheckpointTimer };
    apply(
        &mut model,
        [
            (1, lost(0, LossCause::BitErrors)),
            (2, ltp(2, again)),
            (3, lost(1, LossCause::NoContact)),
            (4, lost(2, LossCause::BitErrors)),
        ],
    );
    let log = log(&model);
    let losses = |cause, frames| LogItem::Losses { channel: CHANNEL, cause, frames };
    assert_eq!(log.len(), 3);
    assert_eq!(log[0], (at(1), losses(LossCause::BitErrors, 2)), "it stays where it was told first");
    assert!(matches!(log[1].1, LogItem::Events { event: Event::Ltp { .. }, .. }));
    assert_eq!(log[2], (at(3), losses(LossCause::NoContact, 1)));
    assert_eq!(model.retransmissions(), 1);
}

#[test]
fn what_differs_in_size_and_session_shares_a_line_of_the_log() {
    let mut model = Model::new(&header());
    let (start, done) = (LtpNotice::BlockStarted { bytes: 70 }, LtpNotice::BlockAcknowledged);
    let tallies = |model: &Model| -> Vec<_> {
        let tally = |item| match item {
            LogItem::Events { times, bytes, .. } => (times, bytes),
            LogItem::Losses { .. } => (0, 0),
        };
        log(model).into_iter().map(|(_, item)| tally(item)).collect()
    };
    for second in 0..5 {
        let number = second as u64;
        let created = bundle(A, 60 + number, BundleNotice::Created);
        let events = [created, ltp(number, start.clone()), ltp(number, done.clone())];
        apply(&mut model, events.map(|event| (second, event)));
    }
    assert_eq!(tallies(&model), [(5, 310), (5, 350), (5, 0)], "also where they take turns");
    assert!(model.log().all(|line| (line.at, line.last) == (at(0), at(4))));

    // Another node, another neighbour, another kind.
    let received = |from| BundleNotice::Received { from };
    apply(&mut model, [(5, bundle(B, 1, received(A))), (5, bundle(C, 1, received(A))), (5, bundle(C, 1, received(B)))]);
    assert_eq!(tallies(&model).len(), 6);
    let gap = LtpNotice::Retransmitted { bytes: 7, reason: RetransmitReason::Gap };
    let timer = LtpNotice::Retransmitted { bytes: 7, reason: RetransmitReason::CheckpointTimer };
    apply(&mut model, [(6, ltp(0, gap.clone())), (6, ltp(1, timer)), (6, ltp(0, gap))]);
    assert_eq!(tallies(&model)[6..], [(2, 14), (1, 7)]);
}

#[test]
fn what_happens_again_much_later_is_told_again() {
    let mut model = Model::new(&header());
    let sends = |second| (second, bundle(A, 10, BundleNotice::Created));
    // Counted from the last time, not from the first.
    apply(&mut model, [sends(0), sends(50), sends(100), sends(161)]);
    assert_eq!(model.log().map(|line| line.at).collect::<Vec<_>>(), [at(0), at(161)]);
}

#[test]
fn traffic_goes_from_waiting_to_reported() {
    let mut model = Model::new(&header());
    let progress = |model: &Model| model.traffic()[0].progress();
    assert_eq!(progress(&model), Progress::Waiting);
    apply(&mut model, [(1, bundle(A, 600, BundleNotice::Created)), (1, bundle(A, 400, BundleNotice::Created))]);
    assert_eq!(progress(&model), Progress::Stored);
    apply(&mut model, [(3, bundle(B, 600, BundleNotice::Received { from: A }))]);
    assert_eq!(progress(&model), Progress::Crossing);
    let stages = |model: &Model| -> Vec<_> {
        model.traffic()[0].stages.iter().map(|stage| (stage.node, stage.bytes())).collect()
    };
    assert_eq!(stages(&model), [(A, 1000), (B, 600), (C, 0)], "who passes it on stands between the ends");
    apply(
        &mut model,
        [
            (4, bundle(B, 600, BundleNotice::Forwarded { to: C })),
            (4, bundle(B, 600, BundleNotice::Duplicate)),
            (5, bundle(C, 500, BundleNotice::Received { from: B })),
            (5, bundle(C, 500, BundleNotice::Received { from: B })),
            (6, bundle(C, 1000, BundleNotice::Delivered)),
        ],
    );
    assert_eq!(stages(&model)[2], (C, 1000), "fragments and the whole are not counted twice");
    let sha256 = String::new();
    apply(&mut model, [(7, Event::Arrived { traffic: TrafficId(0), bytes: 1000, sha256, intact: false })]);
    let Progress::Arrived(arrival) = progress(&model) else { panic!("{:?}", progress(&model)) };
    assert_eq!((arrival.at, arrival.intact), (at(7), false));
    let status = vec!["received".to_owned(), "delivered".to_owned()];
    apply(&mut model, [(8, bundle(A, 0, BundleNotice::Reported { status }))]);
    assert!(model.traffic()[0].reports.contains("delivered"));
    assert!(model.end().is_none());
    apply(&mut model, [(9, Event::Ended { interrupted: true })]);
    assert!(model.end().is_some_and(|end| end.interrupted));
}

#[test]
fn what_the_header_lacks_is_left_out() {
    let mut model = Model::new(&header());
    let nowhere = Event::ContactClosed { channel: ChannelId(9) };
    let nothing = Event::Arrived { traffic: TrafficId(9), bytes: 0, sha256: String::new(), intact: true };
    apply(&mut model, [(1, nowhere), (2, nothing)]);
    assert_eq!(progress_of_all(&model), [Progress::Waiting]);
    assert_eq!(model.node_name(NodeId(9)), "?");
}

fn progress_of_all(model: &Model) -> Vec<Progress> {
    model.traffic().iter().map(|item| item.progress()).collect()
}

#[test]
fn the_log_stays_short() {
    let mut model = Model::new(&header());
    apply(&mut model, (0..5000).map(|hour| (hour * 3600, bundle(A, 1, BundleNotice::Created))));
    assert_eq!(model.log().len(), 128);
    assert_eq!(model.log().last().map(|line| line.at), Some(at(4999 * 3600)));
}
