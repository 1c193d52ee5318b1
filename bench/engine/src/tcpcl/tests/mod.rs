//! Two sessions back to back, and one against hand-written octets, told as message ladders.

mod contact;
mod ending;
mod hostile;
mod transfers;
mod waiting;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;
use farlink_wire::tcpcl::{
    ContactHeader, ExtensionItem, ItemFlags, ItemList, Message, MessageType, Prefix, RefuseReason, SegmentFlags,
    SegmentHead, SessInit, TermReason,
};

use super::*;
use crate::ltp::Block;

const EARTH: Eid = Eid::ipn(1, 0);
const MARS: Eid = Eid::ipn(2, 0);

fn secs(s: i64) -> Duration {
    Duration::from_secs(s)
}

fn at(s: i64) -> Instant {
    Instant::ZERO + secs(s)
}

fn bundle(len: usize) -> Bytes {
    (0..len).map(|i| (i * 7 % 251) as u8).collect::<Vec<_>>().into()
}

/// A message in words.
fn describe(message: &Message<'_>) -> String {
    let flags = |flags: SegmentFlags| match (flags.contains(SegmentFlags::START), flags.contains(SegmentFlags::END)) {
        (true, true) => " START END",
        (true, false) => " START",
        (false, true) => " END",
        (false, false) => "",
    };
    match message {
        Message::Segment(segment) => {
            let items = segment.items.unwrap_or_default().items().map(|item| item.unwrap().transfer_length().unwrap());
            let length: String = items.flatten().map(|length| format!(" of {length}")).collect();
            format!("XFER_SEGMENT {}{} {}{length}", segment.transfer_id, flags(segment.flags), segment.data.len())
        }
        Message::Ack(ack) => format!("XFER_ACK {}{} {}", ack.transfer_id, flags(ack.flags), ack.acknowledged_length),
        Message::Refuse(refuse) => format!("XFER_REFUSE {} {}", refuse.transfer_id, refuse.reason),
        Message::Keepalive => "KEEPALIVE".to_owned(),
        Message::SessTerm(term) => {
            let reply = if term.flags.contains(TermFlags::REPLY) { "reply " } else { "" };
            format!("SESS_TERM {reply}{}", term.reason)
        }
        Message::Reject(reject) => format!("MSG_REJECT {} of type {}", reject.reason, reject.rejected.0),
        Message::SessInit(init) => {
            format!("SESS_INIT {} keepalive {}", String::from_utf8_lossy(init.node_id), init.keepalive_s)
        }
    }
}

/// One direction of a connection, read along in words.
#[derive(Default)]
struct Tap {
    octets: Vec<u8>,
    contact: bool,
}

impl Tap {
    fn hear(&mut self, octets: &[u8]) -> Vec<String> {
        self.octets.extend_from_slice(octets);
        let mut heard = Vec::new();
        let mut from = 0;
        loop {
            let rest = &self.octets[from..];
            if !self.contact {
                let Ok(Prefix::Whole { unit, length }) = ContactHeader::parse(rest) else { break };
                heard.push(format!("contact header {} flags {}", unit.version, unit.flags.0));
                (self.contact, from) = (true, from + length);
                continue;
            }
            let Prefix::Whole { unit, length } = Message::parse(rest).expect("what we send is well formed") else {
                break;
            };
            heard.push(describe(&unit));
            from += length;
        }
        self.octets.drain(..from);
        heard
    }
}

/// Two sessions on one connection without delay. The active one is earth.
struct Pair {
    now: Instant,
    earth: Session,
    mars: Session,
    taps: [Tap; 2],
    ladder: Vec<String>,
    events: Vec<(&'static str, Event)>,
    /// Whether mars accepts what it receives.
    accepts: bool,
    /// Octets that pass in one piece.
    piece: usize,
}

impl Pair {
    fn new() -> Self {
        Pair::with(|_, _| ())
    }

    fn with(change: impl Fn(&mut Config, &mut Config)) -> Self {
        let (mut earth, mut mars) = (Config::new(EARTH), Config::new(MARS));
        change(&mut earth, &mut mars);
        Pair {
            now: Instant::ZERO,
            earth: Session::new(Role::Active, earth, Instant::ZERO),
            mars: Session::new(Role::Passive, mars, Instant::ZERO),
            taps: Default::default(),
            ladder: Vec::new(),
            events: Vec::new(),
            accepts: true,
            piece: usize::MAX,
        }
    }

    /// A pair after the exchange of SESS_INIT, with an empty ladder.
    fn established() -> Self {
        Pair::established_with(|_, _| ())
    }

    fn established_with(change: impl Fn(&mut Config, &mut Config)) -> Self {
        let mut pair = Pair::with(change);
        pair.run();
        assert!(pair.earth.established().is_some() && pair.mars.established().is_some(), "{:#?}", pair.ladder);
        pair.ladder.clear();
        pair.events.clear();
        pair
    }

    /// One piece each way. Whether anything moved.
    fn step(&mut self) -> bool {
        let mut moved = false;
        for earth_speaks in [true, false] {
            let (from, to) = match earth_speaks {
                true => (&mut self.earth, &mut self.mars),
                false => (&mut self.mars, &mut self.earth),
            };
            if let Some(octets) = from.poll_transmit(self.now, self.piece) {
                moved = true;
                let arrow = if earth_speaks { "earth→mars" } else { "mars→earth" };
                let heard = self.taps[usize::from(!earth_speaks)].hear(&octets);
                self.ladder.extend(heard.into_iter().map(|line| format!("{arrow} {line}")));
                assert_eq!(to.handle_bytes(self.now, &octets), octets.len());
            }
        }
        for (name, session) in [("earth", &mut self.earth), ("mars", &mut self.mars)] {
            while let Some(event) = session.poll_event() {
                moved = true;
                if let Event::Received { transfer, .. } = &event
                    && self.accepts
                {
                    session.accept(*transfer).unwrap();
                }
                self.events.push((name, event));
            }
        }
        moved
    }

    fn run(&mut self) {
        while self.step() {}
    }

    /// Runs until nothing is left to happen, or to `until`.
    fn run_until(&mut self, until: Instant) {
        loop {
            self.run();
            let next = [self.earth.poll_timeout(), self.mars.poll_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return;
            };
            self.now = next.max(self.now);
            self.earth.handle_timeout(self.now);
            self.mars.handle_timeout(self.now);
        }
    }

    fn of(&self, who: &str) -> Vec<Event> {
        self.events.iter().filter(|(name, _)| *name == who).map(|(_, event)| event.clone()).collect()
    }
}

/// One session against octets that a test writes.
struct Against {
    now: Instant,
    session: Session,
    tap: Tap,
}

impl Against {
    fn new(role: Role, config: Config) -> Self {
        Against { now: Instant::ZERO, session: Session::new(role, config, Instant::ZERO), tap: Tap::default() }
    }

    /// A passive session of mars after the exchange of SESS_INIT; the peer is ipn:1.0, with keepalive 30 and an MRU of 64 KiB.
    fn opened() -> Self {
        Against::opened_with(|_| ())
    }

    fn opened_with(change: impl Fn(&mut Config)) -> Self {
        let mut config = Config::new(MARS);
        change(&mut config);
        let mut against = Against::new(Role::Passive, config);
        against.say(b"dtn!\x04\x00");
        against.say(&sess_init(b"ipn:1.0"));
        assert!(matches!(against.events()[..], [Event::Established(_)]));
        against.hear();
        against
    }

    fn say(&mut self, octets: &[u8]) {
        assert_eq!(self.session.handle_bytes(self.now, octets), octets.len());
    }

    fn say_all(&mut self, messages: &[Vec<u8>]) {
        messages.iter().for_each(|octets| self.say(octets));
    }

    fn hear(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        while let Some(octets) = self.session.poll_transmit(self.now, usize::MAX) {
            heard.extend(self.tap.hear(&octets));
        }
        heard
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn wait_until(&mut self, now: Instant) {
        self.now = now;
        self.session.handle_timeout(now);
    }
}

fn emitted(message: &Message<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    message.emit(&mut octets);
    octets
}

fn sess_init(node_id: &[u8]) -> Vec<u8> {
    sess_init_with(|init| init.node_id = node_id)
}

fn sess_init_with<'a>(change: impl FnOnce(&mut SessInit<'a>)) -> Vec<u8> {
    let mut init = SessInit {
        keepalive_s: 30,
        segment_mru: 1 << 16,
        transfer_mru: 1 << 24,
        node_id: b"ipn:1.0",
        items: ItemList::EMPTY,
    };
    change(&mut init);
    emitted(&Message::SessInit(init))
}

const S: SegmentFlags = SegmentFlags::START;
const E: SegmentFlags = SegmentFlags::END;
const SE: SegmentFlags = SegmentFlags(3);
const MIDDLE: SegmentFlags = SegmentFlags::NONE;

/// An XFER_SEGMENT, with an empty list of items if START is set.
fn segment(flags: SegmentFlags, transfer_id: u64, data: &[u8]) -> Vec<u8> {
    segment_with(flags, transfer_id, &[], data)
}

fn segment_with(flags: SegmentFlags, transfer_id: u64, items: &[u8], data: &[u8]) -> Vec<u8> {
    let items = flags.contains(S).then_some(ItemList(items));
    let mut octets = Vec::new();
    SegmentHead { flags, transfer_id, items, data_length: data.len() as u64 }.emit(&mut octets);
    octets.extend_from_slice(data);
    octets
}

fn item(flags: u8, item_type: u16, value: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    ExtensionItem { flags: ItemFlags(flags), item_type, value }.emit(&mut octets);
    octets
}
