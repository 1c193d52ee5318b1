use std::collections::{BTreeMap, VecDeque};

use arbitrary::Unstructured;
use bytes::Bytes;
use farlink_engine::ltp::{Block, Config, Cue, Engine, Notice, PathInfo, PeerConfig};
use farlink_units::{Duration, Instant};
use farlink_wire::ltp::SessionId;

/// Engine IDs of the two, and of a peer that neither knows.
const IDS: [u64; 2] = [10, 20];
const STRANGER: u64 = 66;

/// Most operations of one run; most sessions that its frames can have opened are as many.
const MAX_OPERATIONS: usize = 512;
/// Steps after which two engines that nobody disturbs must have come to rest.
const MAX_STEPS: usize = 200_000;

/// A block that was sent.
struct Sent {
    /// By which of the two.
    by: usize,
    /// When.
    at: Instant,
    red_part: Vec<u8>,
    /// Whether the sender was told that all is well; `None` while it goes on.
    completed: Option<bool>,
    /// When the receiver was given the red part.
    received: Option<Instant>,
}

/// How long a closed session is remembered at least: twice the round trip with both margins. A frame that was under way for
/// longer may open it again, and its block be handed up again, which the bundle agent notices.
const MEMORY: Duration = Duration::from_secs(2 * (1 + 1 + 2 + 2));

/// Two engines, the frames between them, and what became of what was sent.
struct Pair {
    engines: [Engine; 2],
    /// Frames on their way to each.
    flying: [VecDeque<Bytes>; 2],
    sent: BTreeMap<SessionId, Sent>,
    /// Whether something else than the engines' own frames has reached one.
    disturbed: bool,
    now: Instant,
    operations: usize,
}

impl Pair {
    fn new(retransmission_limit: u32) -> Self {
        let engines = [0, 1].map(|at| {
            let limits = Config { receive_limit: 20_000, max_receiving_sessions: 8, ..Config::new(IDS[at], 7) };
            let mut engine = Engine::new(limits);
            let peer = PeerConfig { retransmission_limit, problem_limit: 20, ..PeerConfig::default() };
            engine.add_peer(IDS[1 - at], PeerConfig { segment_size: PeerConfig::MIN_SEGMENT_SIZE, ..peer });
            let light_time = Duration::from_secs(1);
            let path = PathInfo { light_time_out: light_time, light_time_back: light_time, ..PathInfo::default() };
            engine.set_path(IDS[1 - at], path);
            engine
        });
        let (flying, sent) = Default::default();
        Pair { engines, flying, sent, disturbed: false, now: Instant::ZERO, operations: 0 }
    }

    fn send(&mut self, at: usize, length: usize, red_length: usize) {
        // Each octet tells its place and its block.
        let tag = self.sent.len() * 31;
        let octets: Vec<u8> = (0..length).map(|place| (place + place / 256 + tag) as u8).collect();
        let block = Block::new([Bytes::from(octets.clone())]);
        match self.engines[at].send(IDS[1 - at], 1, block, red_length as u64) {
            Ok(session) => {
                let red_part = octets[..red_length].to_vec();
                let sent = Sent { by: at, at: self.now, red_part, completed: None, received: None };
                assert!(self.sent.insert(session, sent).is_none(), "{session} is given twice");
            }
            Err(error) => assert!(length == 0 || red_length > length, "{error}"),
        }
    }

    /// Takes one segment off an engine and puts it on its way. Whether there was one.
    fn transmit(&mut self, at: usize, room: usize) -> bool {
        let Some(frame) = self.engines[at].poll_transmit(self.now, IDS[1 - at], room) else { return false };
        assert!(!frame.is_empty() && frame.len() <= room, "{} octets where {room} fit", frame.len());
        self.flying[1 - at].push_back(frame);
        true
    }

    fn deliver(&mut self, at: usize, frame: &Bytes) {
        self.engines[at].handle_frame(self.now, IDS[1 - at], frame);
    }

    fn time_passes(&mut self, to: Instant) {
        self.now = self.now.max(to);
        for engine in &mut self.engines {
            engine.handle_timeout(self.now);
            assert!(engine.poll_timeout().is_none_or(|due| due > self.now), "a timer that is due stays so");
        }
    }

    /// Reads what the engines tell, and holds them to their limits.
    fn check(&mut self) {
        for at in 0..2 {
            while let Some(notice) = self.engines[at].poll_notice() {
                match notice {
                    Notice::TransmissionCompleted { session, .. } => self.end(at, session, true),
                    Notice::TransmissionCancelled { session, .. } => self.end(at, session, false),
                    Notice::RedPart { session, data, .. } if !self.disturbed => {
                        let sent = self.sent.get_mut(&session).expect("a block that was sent");
                        assert_eq!((sent.by, &sent.red_part[..]), (1 - at, &data[..]), "{session}");
                        let before = sent.received.replace(self.now);
                        let since = before.map(|before| self.now - before);
                        assert!(since.is_none_or(|since| since >= MEMORY), "{session} again after {since:?}");
                    }
                    _ => {}
                }
            }
            let (sending, receiving, _) = self.engines[at].open_sessions();
            assert!(sending <= self.sent.len() && receiving <= 8, "{sending} sending, {receiving} receiving");
        }
    }

    fn end(&mut self, at: usize, session: SessionId, completed: bool) {
        let disturbed = self.disturbed;
        let sent = self.sent.get_mut(&session).expect("a session that was begun");
        assert_eq!((sent.by, sent.completed), (at, None), "{session} ends once, at its sender");
        sent.completed = Some(completed);
        // The receiver has told its client already: it read its notices before it could answer. A session that goes on for
        // longer than its peer remembers may be received in two parts, of which neither is whole.
        let forgotten = self.now - sent.at >= MEMORY;
        assert!(
            disturbed || forgotten || !completed || sent.received.is_some() || sent.red_part.is_empty(),
            "{session} did not arrive"
        );
    }

    /// Nothing is lost any more: everything that was sent ends, and nothing stays open.
    fn come_to_rest(&mut self) {
        for at in 0..2 {
            self.engines[at].handle_cue(self.now, IDS[1 - at], Cue::PeerStarts);
        }
        for _ in 0..MAX_STEPS {
            let mut moved = false;
            for at in 0..2 {
                moved |= self.transmit(at, usize::MAX);
                if let Some(frame) = self.flying[at].pop_front() {
                    self.deliver(at, &frame);
                    moved = true;
                }
            }
            self.check();
            if moved {
                continue;
            }
            let due = self.engines.iter().filter_map(Engine::poll_timeout).min();
            let Some(due) = due else {
                for (session, sent) in &self.sent {
                    assert!(sent.completed.is_some(), "{session} has not ended");
                }
                for engine in &self.engines {
                    assert_eq!(engine.open_sessions(), (0, 0, 0));
                }
                return;
            };
            self.time_passes(due);
        }
        panic!("the engines do not come to rest");
    }
}

/// Octets as a frame into an engine that has sessions open both ways; then the two go on undisturbed.
pub fn ltp_frame(data: &[u8]) {
    let mut pair = Pair::new(3);
    pair.send(0, 500, 500);
    pair.send(1, 300, 100);
    for at in [0, 1] {
        while pair.transmit(at, 200) {}
        if let Some(frame) = pair.flying[1 - at].pop_front() {
            pair.deliver(1 - at, &frame);
        }
    }
    pair.disturbed = true;
    for at in [0, 1] {
        pair.deliver(at, &Bytes::copy_from_slice(data));
        pair.check();
    }
    pair.come_to_rest();
}

/// Octets as a list of operations on two engines and the link between them; then the two go on undisturbed.
pub fn ltp_operations(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut pair = Pair::new(input.int_in_range(0..=4).unwrap_or(0));
    while !input.is_empty() && pair.operations < MAX_OPERATIONS {
        pair.operations += 1;
        if operate(&mut pair, &mut input).is_err() {
            break;
        }
        pair.check();
    }
    pair.come_to_rest();
}

fn operate(pair: &mut Pair, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let at = usize::from(input.arbitrary::<bool>()?);
    let other = IDS[1 - at];
    match input.int_in_range(0..=15u8)? {
        0 | 1 => {
            let length = input.int_in_range(0..=1500usize)?;
            let red_length = input.int_in_range(0..=1600usize)?;
            pair.send(at, length, if input.arbitrary()? { length } else { red_length });
        }
        2..=4 => drop(pair.transmit(at, input.int_in_range(0..=300usize)?)),
        5 => while pair.transmit(at, 200) {},
        6 | 7 => {
            if let Some(frame) = pair.flying[at].pop_front() {
                pair.deliver(at, &frame);
            }
        }
        8 => {
            while let Some(frame) = pair.flying[at].pop_front() {
                pair.deliver(at, &frame);
            }
        }
        // Lost, repeated, overtaken, and now and then damaged.
        9 => drop(pair.flying[at].pop_front()),
        10 => {
            if let Some(frame) = pair.flying[at].front().cloned() {
                pair.deliver(at, &frame);
            }
        }
        11 => pair.flying[at].rotate_left(usize::from(pair.flying[at].len() > 1)),
        12 if input.ratio(1, 8)? => {
            if let Some(frame) = pair.flying[at].pop_front() {
                let mut frame = frame.to_vec();
                let place = input.choose_index(frame.len())?;
                frame[place] = input.arbitrary()?;
                pair.disturbed = true;
                pair.deliver(at, &frame.into());
            }
        }
        12 | 13 => {
            let due = pair.engines.iter().filter_map(Engine::poll_timeout).min();
            let passed = pair.now + Duration::from_millis(input.int_in_range(0..=5_000i64)?);
            pair.time_passes(if input.arbitrary()? { due.unwrap_or(passed) } else { passed });
        }
        14 => {
            let cue = if input.arbitrary()? { Cue::PeerStarts } else { Cue::PeerStops };
            pair.engines[at].handle_cue(pair.now, if input.ratio(1, 8)? { STRANGER } else { other }, cue);
        }
        _ => {
            if !pair.sent.is_empty() {
                let index = input.choose_index(pair.sent.len())?;
                let session = pair.sent.keys().nth(index).copied();
                session.into_iter().for_each(|session| pair.engines[at].cancel(pair.now, session));
            }
        }
    }
    Ok(())
}
