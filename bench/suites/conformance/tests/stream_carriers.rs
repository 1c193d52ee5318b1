//! Bundles over streams: the tester's side against a node that sends every bundle back.
#![allow(missing_docs)]

use std::collections::{BTreeMap, VecDeque};

use farlink_conformance::builtin::Builtin;
use farlink_conformance::bundle::{Draft, Emitted};
use farlink_conformance::medium::{Arrival, Happening, Medium, Order, Stream, Unable};
use farlink_conformance::outcome::Finding;
use farlink_conformance::peer::Peer;
use farlink_conformance::profile::TcpclProfile;
use farlink_conformance::run::Target;
use farlink_conformance::{Door, Profile, Tester};
use farlink_engine::ltp::Block;
use farlink_engine::tcpcl::{Config, Event, Role, Session};
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;
use farlink_wire::{mtcp, stcp};

const LIGHT_TIME: Duration = Duration::from_millis(500);
const LIMIT: u64 = 8 << 20;

/// A node that sends each bundle back: by TCPCL in the same session, by STCP and MTCP over a stream that it opens itself.
struct Mirror {
    now: Instant,
    /// Whether it opens the session of TCPCL.
    active: bool,
    to_node: VecDeque<(Instant, Stream, Option<Vec<u8>>)>,
    to_tester: VecDeque<Arrival>,
    sessions: BTreeMap<Stream, Session>,
    stcp: BTreeMap<Stream, stcp::Deframer>,
    mtcp: BTreeMap<Stream, mtcp::Deframer>,
    back: Option<Stream>,
    opened: u32,
    acknowledged: usize,
}

impl Mirror {
    fn new(active: bool) -> Self {
        let mut mirror = Mirror {
            now: Instant::ZERO,
            active,
            to_node: VecDeque::new(),
            to_tester: VecDeque::new(),
            sessions: BTreeMap::new(),
            stcp: BTreeMap::new(),
            mtcp: BTreeMap::new(),
            back: None,
            opened: 0,
            acknowledged: 0,
        };
        if active {
            let stream = mirror.open(Door::Tcpcl);
            mirror.sessions.insert(stream, Session::new(Role::Active, Config::new(Eid::ipn(2, 0)), Instant::ZERO));
            mirror.pump(stream);
        }
        mirror
    }

    fn tell(&mut self, what: Happening) {
        self.to_tester.push_back(Arrival { at: self.now + LIGHT_TIME, what });
    }

    fn open(&mut self, door: Door) -> Stream {
        let stream = Stream { door, number: self.opened };
        self.opened += 1;
        self.tell(Happening::Opened { stream });
        stream
    }

    fn hear(&mut self, stream: Stream, octets: Option<Vec<u8>>) {
        let Some(octets) = octets else {
            if let Some(session) = self.sessions.get_mut(&stream) {
                session.handle_closed(self.now);
            }
            return self.tell(Happening::Finished { stream });
        };
        let mut input = octets.as_slice();
        let mut bundles = Vec::new();
        match stream.door {
            Door::Stcp => {
                let deframer = self.stcp.entry(stream).or_insert_with(|| stcp::Deframer::new(LIMIT));
                while let Some(bundle) = deframer.read(&mut input).unwrap() {
                    bundles.push([&stcp::preamble(bundle.len()).unwrap()[..], &bundle].concat());
                }
            }
            Door::Mtcp => {
                let deframer = self.mtcp.entry(stream).or_insert_with(|| mtcp::Deframer::new(LIMIT));
                while let Some(bundle) = deframer.read(&mut input).unwrap() {
                    bundles.push([mtcp::head(bundle.len()), bundle].concat());
                }
            }
            _ => {
                let now = self.now;
                let _ = self.sessions.get_mut(&stream).unwrap().handle_bytes(now, &octets);
                self.pump(stream);
            }
        }
        for framed in bundles {
            let back = match self.back {
                Some(back) => back,
                None => self.open(stream.door),
            };
            self.back = Some(back);
            // In pieces, as streams may bring them.
            for piece in framed.chunks(37) {
                self.tell(Happening::Octets { stream: back, octets: piece.to_vec() });
            }
        }
    }

    fn pump(&mut self, stream: Stream) {
        let now = self.now;
        let mut out = Vec::new();
        let Some(session) = self.sessions.get_mut(&stream) else { return };
        loop {
            while let Some(event) = session.poll_event() {
                match event {
                    Event::Received { transfer, data } => {
                        session.accept(transfer).unwrap();
                        session.send(7, Block::new([data])).unwrap();
                    }
                    Event::Acknowledged { tag: 7 } => self.acknowledged += 1,
                    _ => {}
                }
            }
            match session.poll_transmit(now, 1000) {
                Some(octets) => out.push(octets.to_vec()),
                None => break,
            }
        }
        for octets in out {
            self.tell(Happening::Octets { stream, octets });
        }
    }
}

impl Medium for Mirror {
    fn now(&self) -> Instant {
        self.now
    }

    fn send(&mut self, door: Door, _octets: &[u8]) -> Result<(), Unable> {
        Err(Unable::Unsupported(door.as_str().to_owned()))
    }

    fn connect(&mut self, door: Door) -> Result<Stream, Unable> {
        if self.active {
            return Err(Unable::Unsupported("it opens sessions itself".to_owned()));
        }
        let stream = self.open(door);
        if door == Door::Tcpcl {
            self.sessions.insert(stream, Session::new(Role::Passive, Config::new(Eid::ipn(2, 0)), self.now));
        }
        Ok(stream)
    }

    fn write(&mut self, stream: Stream, octets: &[u8]) -> Result<(), Unable> {
        self.to_node.push_back((self.now + LIGHT_TIME, stream, Some(octets.to_vec())));
        Ok(())
    }

    fn finish(&mut self, stream: Stream) {
        self.to_node.push_back((self.now + LIGHT_TIME, stream, None));
    }

    fn reset(&mut self, stream: Stream) {
        self.finish(stream);
    }

    fn set_reading(&mut self, _stream: Stream, _reading: bool) {}

    fn set_listening(&mut self, _door: Door, _listening: bool) {}

    fn next(&mut self, until: Instant) -> Option<Arrival> {
        loop {
            let node = self.to_node.front().map(|(at, ..)| *at);
            let tester = self.to_tester.front().map(|arrival| arrival.at);
            let next = node.into_iter().chain(tester).min().filter(|at| *at <= until);
            let Some(at) = next else {
                self.now = self.now.max(until);
                return None;
            };
            self.now = self.now.max(at);
            if node == Some(at) {
                let (_, stream, octets) = self.to_node.pop_front()?;
                self.hear(stream, octets);
            } else {
                return self.to_tester.pop_front();
            }
        }
    }

    fn order(&mut self, _order: &Order) -> Result<(), Unable> {
        Err(Unable::Unsupported("nothing".to_owned()))
    }
}

/// The profile of the built-in node with its bundles over a door.
fn profile(door: Door, listens: bool) -> Profile {
    let mut profile = Builtin::new(1).profiles()[0].clone();
    let bundles = profile.bundles.as_mut().unwrap();
    bundles.carrier = door;
    profile.tcpcl = Some(TcpclProfile {
        tester: Eid::ipn(6, 0),
        listens,
        connects: !listens,
        on_demand: false,
        keepalive_s: None,
        contact_timeout: Duration::from_secs(5),
        init_timeout: Duration::from_secs(5),
        idle_timeout: None,
        close_timeout: Duration::from_secs(5),
        tls: None,
        pause: Duration::ZERO,
    });
    profile
}

fn goes_there_and_back(mirror: &mut Mirror, profile: &Profile) {
    let mut tester = Tester::new(mirror, profile, 1);
    let mut peer = Peer::new(&mut tester).unwrap();
    let mut drafts: Vec<Draft> = (0..5).map(|_| peer.bundle()).collect();
    let long = peer.random(200_000);
    drafts.push(peer.bundle().payload(&long));
    let sent: Vec<_> = drafts.iter().map(|draft| peer.send(draft).unwrap()).collect();
    for sent in &sent {
        let bundle: Emitted = peer.forwarded(sent).unwrap();
        assert_eq!(bundle.octets, sent.octets);
    }
    drop(peer);
    // A further case begins anew.
    let alive: Result<(), Finding> = Peer::new(&mut tester).unwrap().alive();
    assert_eq!(alive, Ok(()));
    assert_eq!(tester.exchange().bundles.len(), 7);
}

#[test]
fn bundles_go_by_stcp_and_mtcp() {
    for door in [Door::Stcp, Door::Mtcp] {
        goes_there_and_back(&mut Mirror::new(false), &profile(door, true));
    }
}

#[test]
fn bundles_go_by_tcpcl_whose_transfers_are_acknowledged() {
    let mut mirror = Mirror::new(false);
    goes_there_and_back(&mut mirror, &profile(Door::Tcpcl, true));
    assert!(mirror.acknowledged >= 6, "{}", mirror.acknowledged);
}

#[test]
fn a_session_that_the_node_opens_carries_bundles_too() {
    let mut mirror = Mirror::new(true);
    let profile = profile(Door::Tcpcl, false);
    let mut tester = Tester::new(&mut mirror, &profile, 1);
    assert_eq!(Peer::new(&mut tester).unwrap().alive(), Ok(()));
}
