//! Two engines and a path between them, told as message ladders.

mod cancelling;
mod checkpoints;
mod flow;
mod green;
mod hostile;
mod limits;
mod receiver_states;
mod reports;
mod security;
mod sender_states;
mod timers;
mod transfer;
mod unusual;

use std::collections::VecDeque;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::ltp::security::COOKIE;
use farlink_wire::ltp::{
    CancelReason, Checkpoint, Claim, Colour, Content, Data, DataKind, Extension, Party, Report, Segment, SessionId,
    segments,
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
    /// The same, as it was sent.
    frames: Vec<(u64, Bytes)>,
    notices: Vec<(u64, Notice)>,
    drop: Filter,
    open: bool,
}

impl Pair {
    fn new() -> Self {
        Pair::with(|_| ())
    }

    fn with(change: impl Fn(&mut PeerConfig)) -> Self {
        Pair::each(|_, peer| change(peer))
    }

    /// With what each engine, by its ID, is told of the other.
    fn each(change: impl Fn(u64, &mut PeerConfig)) -> Self {
        let engine = |id, peer| {
            let mut config = PeerConfig::default();
            change(id, &mut config);
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
            frames: Vec::new(),
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
                self.frames.push((me, frame.clone()));
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

/// A session of Earth's, for engines that are told by hand what comes.
const SESSION: SessionId = SessionId { originator: EARTH, number: 77 };

fn receiver() -> Engine {
    let mut engine = Engine::new(Config::new(MARS, 3));
    engine.add_peer(EARTH, PeerConfig::default());
    engine
}

fn sender(len: usize) -> (Engine, SessionId) {
    let mut engine = Engine::new(Config::new(EARTH, 1));
    engine.add_peer(MARS, PeerConfig::default());
    let session = engine.send(MARS, BUNDLE_PROTOCOL, Bytes::from(vec![1; len]).into(), len as u64).unwrap();
    (engine, session)
}

fn checkpoint(serial: u64) -> Checkpoint {
    Checkpoint { serial, report_serial: 0 }
}

fn data(kind: DataKind, offset: u64, bytes: &[u8]) -> Bytes {
    from_earth(SESSION.number, kind, BUNDLE_PROTOCOL, offset, bytes)
}

fn report(
    session: SessionId,
    report_serial: u64,
    checkpoint_serial: u64,
    scope: [u64; 2],
    claims: &[(u64, u64)],
) -> Bytes {
    let claims = claims.iter().map(|(offset, length)| Claim { offset: *offset, length: *length }).collect();
    let [lower_bound, upper_bound] = scope;
    segment_of(session, Content::Report(Report { report_serial, checkpoint_serial, upper_bound, lower_bound, claims }))
}

fn told(engine: &mut Engine) -> Vec<Notice> {
    std::iter::from_fn(|| engine.poll_notice()).collect()
}

fn sent(engine: &mut Engine, peer: u64) -> Vec<Bytes> {
    std::iter::from_fn(|| engine.poll_transmit(Instant::ZERO, peer, usize::MAX)).collect()
}

fn words(frames: &[Bytes]) -> Vec<String> {
    frames.iter().map(|f| describe(&segments(f).next().unwrap().unwrap())).collect()
}

fn serial_of_last_checkpoint(frames: &[Bytes]) -> u64 {
    let last = frames.last().unwrap();
    let Content::Data(data) = segments(last).next().unwrap().unwrap().content else { panic!("no data") };
    data.kind.checkpoint().unwrap().serial
}

fn acknowledge(engine: &mut Engine, frame: &Bytes) {
    let Content::Report(report) = segments(frame).next().unwrap().unwrap().content else { panic!("no report") };
    let ack = segment_of(SESSION, Content::ReportAck { report_serial: report.report_serial });
    engine.handle_frame(Instant::ZERO, EARTH, &ack);
}
