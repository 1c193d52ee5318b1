//! A made-up run with every kind of event: what the tests draw and the demo plays.
//!
//! Its numbers are those of a plausible run, but no channel made them.

use farlink_record::{
    BundleNotice, ChannelId, ChannelInfo, ContactInfo, DurationNanos, Event, Header, LossCause, LtpNotice, NodeId,
    NodeInfo, RetransmitReason, Session, Stamped, TrafficId, TrafficInfo,
};
use farlink_units::{Duration, Instant};

/// 40 minutes.
const MINUTES: i64 = 40;
/// Bytes of a bundle of the image.
const PIECE: u64 = 150_000;
/// How many bundles the image takes: more than fit into the first contact.
const PIECES: u64 = 180;
/// Bytes of a frame.
const FRAME: u32 = 1400;

const LANDER: NodeId = NodeId(0);
const ORBITER: NodeId = NodeId(1);
const STATION: NodeId = NodeId(2);

const UP: ChannelId = ChannelId(0);
const UP_BACK: ChannelId = ChannelId(1);
const DOWN: ChannelId = ChannelId(2);
const DOWN_BACK: ChannelId = ChannelId(3);

fn at(seconds: f64) -> Instant {
    Instant::from_secs_f64(seconds)
}

/// What ran.
pub fn header() -> Header {
    let contacts = |list: &[(i64, i64)]| {
        let contact = |&(start, end): &(i64, i64)| ContactInfo {
            start: Instant::ZERO + Duration::from_secs(start),
            end: Instant::ZERO + Duration::from_secs(end),
        };
        list.iter().map(contact).collect::<Vec<_>>()
    };
    let channel = |name: &str, link: &str, from, to, rate_bps, ber, list| ChannelInfo {
        name: name.into(),
        link: link.into(),
        from,
        to,
        rate_bps,
        ber,
        contacts: contacts(list),
    };
    let near = [(60, 780), (1380, 2100)];
    let far = [(0, 2400)];
    Header {
        format: Header::FORMAT.into(),
        version: Header::VERSION,
        farlink: "0.1.0".into(),
        scenario: "lunar-relay".into(),
        scenario_sha256: "00".repeat(32),
        seed: 7,
        epoch: "2027-03-01T12:00:00Z".into(),
        duration: Duration::from_secs(60 * MINUTES).into(),
        clock: "virtual".into(),
        nodes: [("lander", "ipn:10.0"), ("orbiter", "ipn:20.0"), ("station", "ipn:30.0")]
            .map(|(name, eid)| NodeInfo { name: name.into(), eid: eid.into() })
            .into(),
        channels: vec![
            channel("lander→orbiter", "proximity", LANDER, ORBITER, 256_000, 1e-5, &near),
            channel("orbiter→lander", "proximity", ORBITER, LANDER, 32_000, 1e-6, &near),
            channel("orbiter→station", "trunk", ORBITER, STATION, 2_000_000, 1e-6, &far),
            channel("station→orbiter", "trunk", STATION, ORBITER, 16_000, 0.0, &far),
        ],
        traffic: vec![
            TrafficInfo { name: "panorama".into(), from: LANDER, to: STATION, bytes: PIECES * PIECE },
            TrafficInfo { name: "command".into(), from: STATION, to: LANDER, bytes: 4096 },
        ],
    }
}

/// What happened, in order.
pub fn events() -> Vec<Stamped> {
    let mut run = Run::default();
    for (start, end) in [(60.0, 780.0), (1380.0, 2100.0)] {
        for (channel, light) in [(UP, 0.0062), (UP_BACK, 0.0062)] {
            run.opens(channel, start, end, light);
            run.tell(end, Event::ContactClosed { channel });
        }
    }
    for channel in [DOWN, DOWN_BACK] {
        run.opens(channel, 0.0, 2400.0, 1.282);
        for minute in 1..MINUTES {
            let light_time = Duration::from_secs_f64(1.282 + 0.0001 * minute as f64).into();
            run.tell(60.0 * minute as f64, Event::LightTime { channel, light_time });
        }
    }
    run.panorama();
    run.command();
    run.tell(60.0 * MINUTES as f64, Event::Ended { interrupted: false });
    run.in_order()
}

#[derive(Default)]
struct Run {
    events: Vec<Stamped>,
    frames: [u64; 4],
    session: u64,
}

impl Run {
    fn tell(&mut self, seconds: f64, event: Event) {
        self.events.push(Stamped { at: at(seconds), event });
    }

    fn opens(&mut self, channel: ChannelId, start: f64, end: f64, light: f64) {
        let light_time = DurationNanos::from(Duration::from_secs_f64(light));
        self.tell(start, Event::ContactOpened { channel, until: at(end), light_time });
    }

    fn bundle(&mut self, seconds: f64, node: NodeId, item: u16, sequence: u64, bytes: u64, notice: BundleNotice) {
        let bundle = format!("ipn:{}.1 857217600000-{sequence}", if item == 0 { 10 } else { 30 });
        self.tell(seconds, Event::Bundle { node, bundle, traffic: Some(TrafficId(item)), bytes, notice });
    }

    fn ltp(&mut self, seconds: f64, node: NodeId, peer: NodeId, session: Session, notice: LtpNotice) {
        self.tell(seconds, Event::Ltp { node, peer, session, notice });
    }

    /// Sends frames one after the other; one in `lossy` is lost. Returns when the last has arrived.
    fn frames(&mut self, channel: ChannelId, start: f64, bytes: u64, rate: f64, light: f64, lossy: u64) -> f64 {
        let (mut now, mut left) = (start, bytes);
        while left > 0 {
            let length = left.min(u64::from(FRAME)) as u32;
            left -= u64::from(length);
            let frame = self.frames[usize::from(channel.0)];
            self.frames[usize::from(channel.0)] += 1;
            self.tell(now, Event::FrameSent { channel, frame, bytes: length, start: at(now) });
            now += f64::from(length) * 8.0 / rate;
            let event = match frame {
                0 => Event::FrameLost { channel, frame, bytes: length, cause: LossCause::NoContact },
                _ if frame % lossy == lossy - 1 => {
                    Event::FrameLost { channel, frame, bytes: length, cause: LossCause::BitErrors }
                }
                _ => Event::FrameDelivered {
                    channel,
                    frame,
                    bytes: length,
                    damaged_bits: u32::from(frame % 997 == 500) * 3,
                    delays: None,
                    content: Default::default(),
                },
            };
            self.tell(now + light, event);
        }
        now + light
    }

    fn panorama(&mut self) {
        let mut up_free = 61.0_f64;
        let mut down_free = 0.0_f64;
        for piece in 0..PIECES {
            self.bundle(30.0, LANDER, 0, piece, PIECE, BundleNotice::Created);
            // What does not fit into the first contact waits for the second.
            if up_free > 770.0 && up_free < 1381.0 {
                up_free = 1381.0;
            }
            let session = Session { originator: 10, number: self.session };
            self.session += 1;
            self.ltp(up_free, LANDER, ORBITER, session, LtpNotice::BlockStarted { bytes: PIECE + 90 });
            let gap = LtpNotice::Retransmitted { bytes: 2 * u64::from(FRAME), reason: RetransmitReason::Gap };
            let up = self.frames(UP, up_free, PIECE + 90, 256_000.0, 0.0062, 60);
            self.frames(UP_BACK, up, 40, 32_000.0, 0.0062, 1000);
            self.ltp(up + 0.02, LANDER, ORBITER, session, gap);
            let up = self.frames(UP, up + 0.02, 2 * u64::from(FRAME), 256_000.0, 0.0062, 60);
            self.ltp(up, ORBITER, LANDER, session, LtpNotice::RedPartReceived { bytes: PIECE + 90 });
            self.bundle(up, ORBITER, 0, piece, PIECE, BundleNotice::Received { from: LANDER });
            self.ltp(up + 0.03, LANDER, ORBITER, session, LtpNotice::BlockAcknowledged);
            self.bundle(up + 0.03, LANDER, 0, piece, PIECE, BundleNotice::Forwarded { to: ORBITER });
            up_free = up + 0.1;

            let down = self.frames(DOWN, up.max(down_free), PIECE + 90, 2_000_000.0, 1.282, 900);
            down_free = down - 1.282;
            self.bundle(down, STATION, 0, piece, PIECE, BundleNotice::Received { from: ORBITER });
            self.bundle(down, STATION, 0, piece, PIECE, BundleNotice::Delivered);
            self.frames(DOWN_BACK, down, 40, 16_000.0, 1.282, 1000);
            self.bundle(down + 1.3, ORBITER, 0, piece, PIECE, BundleNotice::Forwarded { to: STATION });
            if piece == PIECES - 1 {
                let sha256 = "11".repeat(32);
                let (traffic, bytes) = (TrafficId(0), PIECES * PIECE);
                self.tell(down, Event::Arrived { traffic, bytes, sha256, intact: true });
                let status = vec!["delivered".to_owned()];
                self.bundle(down + 1.4, LANDER, 0, piece, PIECE, BundleNotice::Reported { status });
            }
        }
    }

    fn command(&mut self) {
        self.bundle(900.0, STATION, 1, 0, 4096, BundleNotice::Created);
        let arrived = self.frames(DOWN_BACK, 900.0, 4200, 16_000.0, 1.282, 1000);
        self.bundle(arrived, ORBITER, 1, 0, 4096, BundleNotice::Received { from: STATION });
        self.bundle(arrived + 1.3, STATION, 1, 0, 4096, BundleNotice::Forwarded { to: ORBITER });
        let arrived = self.frames(UP_BACK, 1380.0, 4200, 32_000.0, 0.0062, 1000);
        self.bundle(arrived, LANDER, 1, 0, 4096, BundleNotice::Received { from: ORBITER });
        self.bundle(arrived, LANDER, 1, 0, 4096, BundleNotice::Delivered);
        let sha256 = "22".repeat(32);
        self.tell(arrived, Event::Arrived { traffic: TrafficId(1), bytes: 4096, sha256, intact: true });
        self.bundle(arrived + 0.01, ORBITER, 1, 0, 4096, BundleNotice::Forwarded { to: LANDER });
    }

    /// By time; what happens at once stays in the order in which it was told, and the end comes last.
    fn in_order(mut self) -> Vec<Stamped> {
        let is_end = |stamped: &Stamped| matches!(stamped.event, Event::Ended { .. });
        self.events.sort_by_key(|stamped| (stamped.at, is_end(stamped)));
        if let Some(end) = self.events.iter().position(is_end) {
            self.events.truncate(end + 1);
        }
        self.events
    }
}
