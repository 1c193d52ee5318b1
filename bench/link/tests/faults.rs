//! Faults by order: which frames they strike, and what arrives.

mod bed;

use bed::{Bed, fault, ms};
use bytes::Bytes;
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_engine::ltp::{Config, Engine, Notice, PathInfo, PeerConfig};
use farlink_link::{Bench, Channel, ChannelConfig, Contacts, Damaged, MAX_HELD, Node};
use farlink_record::control::{Control, ControlledBy, Fault, FaultAction, FrameMatch, LtpKind, Restorable};
use farlink_record::{ChannelId, Event, LossCause, NodeId, Stamped};
use farlink_units::{BitRate, Duration, Instant};
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleFlags, CanonicalBlock, CrcType, CreationTimestamp, Eid, PrimaryBlock, block_type,
};
use farlink_wire::ltp::{
    CancelReason, Checkpoint, Claim, Content, Data, DataKind, Party, Report, Segment, SessionId, segments,
};

fn bundle(source: &str, destination: &str) -> Vec<u8> {
    let primary = PrimaryBlock {
        flags: BundleFlags::default(),
        crc: CrcType::Crc32c,
        destination: destination.parse().unwrap(),
        source: source.parse().unwrap(),
        report_to: Eid::None,
        creation: CreationTimestamp { time_ms: 1, sequence: 1 },
        lifetime_ms: 1000,
        fragment: None,
    };
    let payload = CanonicalBlock {
        block_type: block_type::PAYLOAD,
        number: 1,
        flags: BlockFlags::default(),
        crc: CrcType::None,
        data: vec![7; 40].into(),
    };
    Bundle { primary, blocks: vec![payload] }.emit()
}

fn segment(number: u64, content: Content<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    Segment::new(SessionId { originator: 10, number }, content).emit(&mut out);
    out
}

fn data(number: u64, kind: DataKind, offset: u64, data: &[u8]) -> Vec<u8> {
    segment(number, Content::Data(Data { kind, client_service: 1, offset, data }))
}

fn report(number: u64) -> Vec<u8> {
    let claims = vec![Claim { offset: 0, length: 10 }];
    segment(
        number,
        Content::Report(Report { report_serial: 1, checkpoint_serial: 1, upper_bound: 10, lower_bound: 0, claims }),
    )
}

/// A UDP datagram in an IPv4 packet.
fn packet(payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    packet.extend([0x04, 0x59, 0x04, 0x59]);
    packet.extend((payload.len() as u16 + 8).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    let length = (packet.len() as u16).to_be_bytes();
    packet[2..4].copy_from_slice(&length);
    packet
}

/// The same in an IPv6 packet.
fn packet_v6(payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16 + 8).to_be_bytes());
    packet.extend([17, 64]);
    packet.extend([0xfe; 32]);
    packet.extend([0x04, 0x59, 0x04, 0x59]);
    packet.extend((payload.len() as u16 + 8).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

fn ethernet(ethertype: [u8; 2], packet: &[u8]) -> Vec<u8> {
    // An address that begins as an LTP segment does.
    let mut frame = vec![0x00, 0x1b, 0x21, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
    frame.extend(ethertype);
    frame.extend(packet);
    frame.resize(frame.len().max(60), 0);
    frame
}

fn tagged(packet: &[u8]) -> Vec<u8> {
    ethernet([0x81, 0x00], &[&[0, 10, 0x08, 0x00], packet].concat())
}

/// Which of these frames a fault strikes.
fn struck(only: FrameMatch, each_session: bool, frames: &[Vec<u8>]) -> Vec<usize> {
    let mut bed = Bed::quick();
    bed.fault(ms(0), Fault { only, each_session, ..fault(FaultAction::Drop, 0, None) });
    frames.iter().for_each(|frame| bed.offer_content(ms(0), frame.clone()));
    bed.drain();
    bed.struck.iter().map(|(frame, _)| *frame as usize).collect()
}

#[test]
fn the_first_are_spared_and_the_next_are_struck() {
    let mut bed = Bed::quick();
    bed.fault(ms(0), fault(FaultAction::Drop, 2, Some(3)));
    (0..8).for_each(|_| bed.offer(ms(0), 10));
    assert_eq!(bed.arrivals().iter().map(|(frame, _)| *frame).collect::<Vec<_>>(), [0, 1, 5, 6, 7]);
    assert_eq!(bed.losses, [2, 3, 4].map(|frame| (frame, LossCause::Fault)));
    assert_eq!(bed.struck, [2, 3, 4].map(|frame| (frame, FaultAction::Drop)));
    assert_eq!(bed.channel.faults().count(), 0, "it has struck out");
    // Without end, until it is taken back.
    bed.fault(ms(10), fault(FaultAction::Drop, 0, None));
    (0..5).for_each(|_| bed.offer(ms(10), 10));
    assert_eq!(bed.channel.overridden(), [Restorable::Faults]);
    bed.control(ms(20), Control::Restore { what: Restorable::Faults });
    bed.offer(ms(20), 10);
    assert_eq!(bed.arrivals(), [(13, 21)]);
}

#[test]
fn a_dropped_frame_takes_its_time_at_the_transmitter() {
    let mut bed = Bed::new(|_| ());
    bed.fault(ms(0), fault(FaultAction::Drop, 0, Some(1)));
    (0..2).for_each(|_| bed.offer(ms(0), 1000));
    assert_eq!(bed.arrivals(), [(1, 6000)]);
}

#[test]
fn damage_comes_through_the_check_of_the_link() {
    for damaged in [Damaged::Drop, Damaged::Deliver] {
        let content = |seed| {
            let mut bed = Bed::new(|c| (c.damaged, c.seed) = (damaged, seed));
            bed.fault(ms(0), fault(FaultAction::Damage { bits: 3 }, 0, Some(1)));
            (0..2).for_each(|_| bed.offer(ms(0), 100));
            let arrivals = bed.drain();
            assert_eq!(arrivals.iter().map(|a| (a.lost, a.flipped_bits)).collect::<Vec<_>>(), [(None, 3), (None, 0)]);
            let wrong: u32 = arrivals[0].content.iter().map(|byte| (byte ^ 0x55).count_ones()).sum();
            assert_eq!(wrong, 3);
            assert_eq!((bed.counters.delivered_damaged.frames, bed.counters.flipped_bits), (1, 3));
            arrivals[0].content.clone()
        };
        assert_eq!(content(1), content(1));
        assert_ne!(content(1), content(2), "the places come from the seed");
    }
    // All bits of the frame wrong by the channel, and again by the fault: right.
    let mut bed = Bed::new(|c| c.errors = Errors::independent(1.0, 1));
    bed.fault(ms(0), fault(FaultAction::Damage { bits: 800 }, 0, Some(1)));
    bed.offer(ms(0), 100);
    let arrivals = bed.drain();
    assert_eq!((arrivals[0].flipped_bits, arrivals[0].lost), (0, None));
    assert_eq!(arrivals[0].content, vec![0x55; 100]);
}

#[test]
fn copies_arrive_right_after_the_frame_and_are_counted() {
    let mut bed = Bed::new(|_| ());
    bed.fault(ms(0), fault(FaultAction::Duplicate { copies: 2 }, 0, Some(1)));
    (0..2).for_each(|_| bed.offer(ms(0), 1000));
    assert_eq!(bed.channel.in_flight().frames, 4);
    assert_eq!(bed.arrivals(), [(0, 5000), (0, 5000), (0, 5000), (1, 6000)]);
    assert_eq!((bed.counters.sent.frames, bed.counters.copied.frames, bed.counters.delivered.frames), (2, 2, 4));
    // They are lost with it, by errors as by a contact that closes.
    let mut bed = Bed::new(|c| c.errors = Errors::independent(0.5, 1));
    bed.fault(ms(0), fault(FaultAction::Duplicate { copies: 2 }, 0, Some(1)));
    bed.offer(ms(0), 1000);
    assert_eq!(bed.arrivals(), []);
    assert_eq!(bed.losses, [(0, LossCause::BitErrors); 3]);
    let mut bed = Bed::new(|_| ());
    bed.fault(ms(0), fault(FaultAction::Duplicate { copies: 1 }, 0, Some(1)));
    bed.offer(ms(0), 1000);
    bed.control(ms(500), Control::Rate { bps: None });
    assert_eq!(bed.losses, [(0, LossCause::NoRate); 2]);
}

#[test]
fn a_frame_is_overtaken_by_as_many_as_was_ordered() {
    let mut bed = Bed::new(|_| ());
    bed.fault(ms(0), fault(FaultAction::Reorder { after: 2 }, 1, Some(1)));
    (0..5).for_each(|_| bed.offer(ms(0), 100));
    assert_eq!(bed.arrivals(), [(0, 4100), (2, 4300), (3, 4400), (1, 4400), (4, 4500)]);
    // Two in a row, behind the same frame; what is lost overtakes nobody.
    let mut bed = Bed::new(|_| ());
    bed.fault(ms(0), fault(FaultAction::Reorder { after: 1 }, 0, Some(2)));
    bed.fault(ms(0), fault(FaultAction::Drop, 2, Some(1)));
    (0..5).for_each(|_| bed.offer(ms(0), 100));
    assert_eq!(bed.arrivals(), [(3, 4400), (0, 4400), (1, 4400), (4, 4500)]);
}

#[test]
fn a_frame_that_nobody_overtakes_is_a_second_late() {
    let mut bed = Bed::new(|_| ());
    bed.fault(ms(0), fault(FaultAction::Reorder { after: 3 }, 0, Some(1)));
    (0..2).for_each(|_| bed.offer(ms(0), 100));
    assert_eq!(bed.channel.in_flight().frames, 2);
    assert_eq!(bed.arrivals(), [(1, 4200), (0, 5100)]);
    // What comes later than that does not count.
    bed.fault(ms(9000), fault(FaultAction::Reorder { after: 1 }, 0, Some(1)));
    bed.offer(ms(9000), 100);
    bed.offer(ms(10_050), 100);
    assert_eq!(bed.arrivals(), [(2, 14_100), (3, 14_150)]);
    let delays = bed.counters.delays.propagation;
    assert_eq!(delays.max_ns, 5_000_000_000, "the second is told as part of the way");
}

#[test]
fn no_more_are_held_back_than_fit() {
    let mut bed = Bed::quick();
    bed.fault(ms(0), fault(FaultAction::Reorder { after: u32::MAX }, 0, None));
    (0..MAX_HELD + 10).for_each(|_| bed.offer(ms(0), 10));
    assert_eq!(bed.struck.len(), MAX_HELD);
    let late = bed.arrivals();
    assert_eq!(
        late[..10].iter().map(|(frame, _)| *frame as usize).collect::<Vec<_>>(),
        Vec::from_iter(MAX_HELD..MAX_HELD + 10)
    );
    assert_eq!(late.len(), MAX_HELD + 10);
    // There is room again.
    bed.offer(ms(5000), 10);
    assert_eq!(bed.struck.len(), MAX_HELD + 1);
}

#[test]
fn only_the_first_bytes_arrive_of_a_frame_that_is_cut() {
    let mut bed = Bed::new(|_| ());
    bed.fault(ms(0), fault(FaultAction::Truncate { bytes: 10 }, 0, Some(1)));
    bed.offer(ms(0), 10);
    bed.offer(ms(0), 1000);
    let arrivals = bed.drain();
    assert_eq!(arrivals.iter().map(|a| (a.content.len(), a.bytes)).collect::<Vec<_>>(), [(10, 10), (10, 1000)]);
    assert_eq!(bed.struck, [(1, FaultAction::Truncate { bytes: 10 })], "the short one was not its turn");
    assert_eq!(arrivals[1].at, ms(5010), "it took its time");
    assert!(bed.counters.in_flight().frames == 0);
}

#[test]
fn faults_add_up_on_one_frame() {
    let mut bed = Bed::new(|_| ());
    for action in [
        FaultAction::Truncate { bytes: 50 },
        FaultAction::Damage { bits: 400 },
        FaultAction::Duplicate { copies: 1 },
        FaultAction::Reorder { after: 1 },
    ] {
        bed.fault(ms(0), fault(action, 0, Some(1)));
    }
    (0..2).for_each(|_| bed.offer(ms(0), 50 + 50));
    let arrivals = bed.drain();
    assert_eq!(arrivals.iter().map(|a| a.frame).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!((arrivals[1].content.len(), arrivals[1].flipped_bits), (50, 400));
    assert_eq!(arrivals[1].content, arrivals[2].content);
}

#[test]
fn frames_that_are_lost_anyway_do_not_count() {
    let mut bed = Bed::new(|c| c.queue_bits = 8 * 10);
    bed.fault(ms(0), fault(FaultAction::Drop, 1, Some(1)));
    bed.control(ms(0), Control::Contact { state: farlink_record::control::ForcedContact::Closed });
    bed.offer(ms(0), 10);
    bed.control(ms(100), Control::Restore { what: Restorable::Contact });
    bed.offer(ms(100), 1000);
    bed.offer(ms(100), 1000);
    bed.offer(ms(5000), 0);
    bed.offer(ms(5000), 10);
    assert_eq!(bed.struck, [(4, FaultAction::Drop)]);
}

#[test]
fn segments_are_told_apart_by_their_kind() {
    let checkpoint = Checkpoint { serial: 3, report_serial: 0 };
    let frames = [
        data(1, DataKind::Red, 0, b"a"),
        data(1, DataKind::RedEndOfBlock(checkpoint), 1, b"a"),
        data(1, DataKind::GreenEndOfBlock, 2, b"a"),
        report(1),
        segment(1, Content::ReportAck { report_serial: 1 }),
        segment(1, Content::Cancel { by: Party::Receiver, reason: CancelReason::UserCancelled }),
        segment(1, Content::CancelAck { by: Party::Receiver }),
        [segment(1, Content::ReportAck { report_serial: 1 }), report(1)].concat(),
        vec![0x55; 30],
        bundle("ipn:1.1", "ipn:2.1"),
        // Begins as a report does, and is none.
        [report(1), vec![0xff]].concat(),
    ];
    let kinds = [
        (LtpKind::Data, vec![0, 1, 2]),
        (LtpKind::Red, vec![0, 1]),
        (LtpKind::Green, vec![2]),
        (LtpKind::Checkpoint, vec![1]),
        (LtpKind::Report, vec![3, 7]),
        (LtpKind::ReportAck, vec![4, 7]),
        (LtpKind::Cancel, vec![5]),
        (LtpKind::CancelAck, vec![6]),
    ];
    for (kind, expected) in kinds {
        let only = FrameMatch { ltp: vec![kind], ..FrameMatch::default() };
        assert_eq!(struck(only, false, &frames), expected, "{}", kind.as_str());
    }
    let only = FrameMatch { ltp: vec![LtpKind::Cancel, LtpKind::Green], ..FrameMatch::default() };
    assert_eq!(struck(only, false, &frames), [2, 5]);
    assert_eq!(struck(FrameMatch::default(), true, &frames), [0, 1, 2, 3, 4, 5, 6, 7], "no session, no match");
    assert_eq!(struck(FrameMatch::default(), false, &frames).len(), frames.len());
}

#[test]
fn bundles_are_told_apart_by_source_and_destination() {
    let (ours, theirs) = (bundle("ipn:10.1", "ipn:20.5"), bundle("ipn:11.1", "dtn://mars/file"));
    let frames = [
        ours.clone(),
        theirs.clone(),
        data(1, DataKind::Red, 0, &ours),
        // The primary block is all that is needed.
        data(2, DataKind::Green, 0, &theirs[..theirs.len() - 30]),
        data(3, DataKind::Red, 1, &ours),
        data(4, DataKind::Red, 0, &ours[..20]),
        report(1),
        packet(&ours),
        ethernet([0x08, 0x00], &packet(&data(1, DataKind::Red, 0, &theirs))),
        tagged(&packet(&ours)),
        ethernet([0x86, 0xdd], &packet_v6(&theirs)),
        packet_v6(&data(9, DataKind::Red, 0, &ours)),
        ethernet([0x08, 0x06], &packet(&ours)),
    ];
    let of = |source: Option<&str>, destination: Option<&str>, ltp: &[LtpKind]| {
        let only =
            FrameMatch { source: source.map(Into::into), destination: destination.map(Into::into), ltp: ltp.to_vec() };
        struck(only, false, &frames)
    };
    assert_eq!(of(Some("ipn:10.0"), None, &[]), [0, 2, 7, 9, 11]);
    assert_eq!(of(Some("ipn:10.1"), Some("ipn:20.*"), &[]), [0, 2, 7, 9, 11]);
    assert!(of(Some("ipn:10.2"), None, &[]).is_empty());
    assert_eq!(of(None, Some("dtn://mars/"), &[]), [1, 3, 8, 10]);
    assert!(of(Some("ipn:10.1"), Some("dtn://mars/"), &[]).is_empty());
    assert_eq!(of(None, Some("dtn://mars/"), &[LtpKind::Green]), [3]);
}

#[test]
fn whatever_a_frame_holds_it_is_looked_at_without_harm() {
    let seeds = [
        bundle("ipn:10.1", "ipn:20.5"),
        report(1),
        packet(&report(1)),
        packet_v6(&report(1)),
        tagged(&packet(&report(2))),
    ];
    let only = FrameMatch { source: Some("ipn:10.0".into()), ltp: vec![LtpKind::Report], ..FrameMatch::default() };
    let mut bed = Bed::quick();
    for each_session in [false, true] {
        bed.fault(ms(0), Fault { only: only.clone(), each_session, ..fault(FaultAction::Drop, 0, None) });
    }
    let mut state = 1u64;
    for seed in &seeds {
        for length in 1..=seed.len() {
            bed.offer_content(ms(0), seed[..length].to_vec());
            let mut broken = seed[..length].to_vec();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                broken[(state >> 33) as usize % length] = (state >> 25) as u8;
            }
            bed.offer_content(ms(0), broken);
        }
    }
    assert_eq!(bed.struck, []);
}

/// An LTP engine with a peer at the other end of its channel.
struct Station {
    engine: Engine,
    peer: u64,
    received: Vec<Bytes>,
    log: Vec<String>,
}

impl Station {
    fn new(id: u64, peer: u64) -> Self {
        let mut engine = Engine::new(Config::new(id, 7 + id));
        engine.add_peer(peer, PeerConfig { segment_size: 1000, ..PeerConfig::default() });
        let light = Duration::from_secs(600);
        engine.set_path(peer, PathInfo { light_time_out: light, light_time_back: light, ..PathInfo::default() });
        Station { engine, peer, received: Vec::new(), log: Vec::new() }
    }
}

impl Node for Station {
    fn handle_frame(&mut self, now: Instant, _: ChannelId, frame: Bytes) {
        self.engine.handle_frame(now, self.peer, &frame);
    }

    fn poll_transmit(&mut self, now: Instant, _: ChannelId) -> Option<Bytes> {
        let frame = self.engine.poll_transmit(now, self.peer, usize::MAX)?;
        let segment = segments(&frame).next()?.ok()?;
        let what = match &segment.content {
            Content::Data(data) => {
                let checkpoint = if data.kind.checkpoint().is_some() { " CP" } else { "" };
                format!("data{checkpoint} {}..{}", data.offset, data.end())
            }
            Content::Report(report) => {
                let claims: Vec<_> = report.claims.iter().map(|c| format!("{}+{}", c.offset, c.length)).collect();
                format!("report {}..{} has {}", report.lower_bound, report.upper_bound, claims.join(" "))
            }
            Content::ReportAck { .. } => "ack".to_string(),
            other => format!("{other:?}"),
        };
        let second = now.as_nanos() / 1_000_000_000;
        self.log.push(format!("{second} {} {what}", if self.peer == 2 { "→" } else { "←" }));
        Some(frame)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.engine.handle_timeout(now);
    }

    fn poll_event(&mut self) -> Option<Event> {
        while let Some(notice) = self.engine.poll_notice() {
            if let Notice::RedPart { data, .. } = notice {
                self.received.push(data);
            }
        }
        None
    }
}

/// Two stations ten light-minutes apart, and these faults on the way there and on the way back.
fn ladder(
    there: Option<Fault>,
    back: Option<Fault>,
    blocks: usize,
) -> (Vec<String>, Vec<Bytes>, Vec<(u16, FaultAction)>) {
    let channel = |id| {
        Channel::new(ChannelConfig {
            id: ChannelId(id),
            rate: Rate::constant(BitRate::from_bps(8_000_000).unwrap()),
            overhead_bits: 0,
            contacts: Contacts::Always,
            light_time: LightTime::Constant(Duration::from_secs(600)),
            errors: Errors::none(),
            damaged: Damaged::Drop,
            radio: None,
            queue_bits: 1 << 20,
            seed: 1,
        })
    };
    let stations = vec![Station::new(1, 2), Station::new(2, 1)];
    let ends = [(NodeId(0), NodeId(1)), (NodeId(1), NodeId(0))];
    let mut bench =
        Bench::new(stations, ends.iter().zip(0..).map(|((from, to), id)| (channel(id), *from, *to)).collect());
    let mut struck = Vec::new();
    let mut emit = |stamped: Stamped| {
        if let Event::FrameStruck { channel, action, .. } = stamped.event {
            struck.push((channel.0, action));
        }
    };
    for (id, fault) in [(0, there), (1, back)] {
        if let Some(fault) = fault {
            let fault = Control::Fault(fault);
            bench.control(ms(0), Some(ChannelId(id)), &fault, ControlledBy::Script, &mut emit).unwrap();
        }
    }
    for _ in 0..blocks {
        let block = Bytes::from(vec![9; 2900]);
        bench.node_mut(NodeId(0)).engine.send(2, 1, block.into(), 2900).unwrap();
    }
    bench.attend_to(ms(0), NodeId(0), &mut emit);
    while bench.next_instant().is_some_and(|next| next < ms(20_000_000)) {
        bench.step(&mut emit);
    }
    let mut log: Vec<String> = Vec::new();
    for node in [NodeId(0), NodeId(1)] {
        log.append(&mut bench.node_mut(node).log);
    }
    log.sort_by_key(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap());
    (log, std::mem::take(&mut bench.node_mut(NodeId(1)).received), struck)
}

fn of(kind: LtpKind, skip: u64) -> Fault {
    Fault {
        only: FrameMatch { ltp: vec![kind], ..FrameMatch::default() },
        each_session: true,
        ..fault(FaultAction::Drop, skip, Some(1))
    }
}

#[test]
fn the_second_report_of_every_session_is_dropped() {
    // The first segment of every session goes missing, so that there is a second report; which is dropped.
    let (log, received, struck) = ladder(Some(of(LtpKind::Red, 0)), Some(of(LtpKind::Report, 1)), 1);
    assert_eq!(
        log,
        [
            "0 → data 0..988",
            "0 → data 988..1975",
            "0 → data CP 1975..2900",
            "600 ← report 0..2900 has 988+1912",
            "1200 → ack",
            "1200 → data 0..987",
            "1200 → data CP 987..988",
            "1800 ← report 0..988 has 0+988",
            // No answer: the checkpoint comes again, and so does the report.
            "2404 → data CP 987..988",
            "3004 ← report 0..988 has 0+988",
            "3604 → ack",
        ]
    );
    assert_eq!((received.len(), struck), (1, vec![(0, FaultAction::Drop), (1, FaultAction::Drop)]));
    // Three sessions at once: the same in each.
    let (_, received, struck) = ladder(Some(of(LtpKind::Red, 0)), Some(of(LtpKind::Report, 1)), 3);
    assert_eq!(received.len(), 3);
    assert_eq!(struck.iter().filter(|(channel, _)| *channel == 0).count(), 3);
    assert_eq!(struck.iter().filter(|(channel, _)| *channel == 1).count(), 3);
}

#[test]
fn without_each_session_one_report_in_all_is_dropped() {
    let fault = Fault { each_session: false, ..of(LtpKind::Report, 1) };
    let (log, received, struck) = ladder(None, Some(fault), 3);
    assert_eq!((received.len(), struck), (3, vec![(1, FaultAction::Drop)]));
    assert_eq!(log.iter().filter(|line| line.contains("report")).count(), 4, "{log:?}");
}
