//! The LTP engine that a case plays.

mod answering;
mod heard;
mod hearing;
mod originating;

use std::collections::BTreeMap;

use farlink_engine::ranges::RangeSet;
use farlink_units::{Duration, Instant};
use farlink_wire::ltp::Segment;
use farlink_wire::ltp::security::{AuthKey, Ciphersuite};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha1::Sha1;

pub(in crate::cases) use heard::{Heard, Rs};

use super::block::{self, Block};
use crate::medium::Door;
use crate::outcome::Finding;
use crate::profile::LtpProfile;
use crate::segment::{Body, Raw, code};
use crate::tester::Tester;

/// Originator and number of a session.
pub(in crate::cases) type Id = (u64, u64);

/// Something to expect of a case.
pub(in crate::cases) type Verdict = Result<(), Finding>;

/// A session that the tester originates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cases) struct Ours {
    pub(in crate::cases) id: Id,
    pub(in crate::cases) door: Door,
}

#[derive(Debug, Default)]
struct OurState {
    block: Block,
    red_end: Option<u64>,
    claimed: RangeSet,
    /// Reports of the node, and whether they were acknowledged.
    reports: BTreeMap<u64, bool>,
    sent_data: bool,
    /// Whether one of the two sides has cancelled it.
    over: bool,
    /// A cancel segment of the node waits for its acknowledgment.
    to_acknowledge: bool,
}

/// A session that the node originates, and that the case looks at.
#[derive(Debug)]
struct TheirState {
    /// Its data segments, as they came.
    data: Vec<Heard>,
    next_report: u64,
    claimed: RangeSet,
    over: bool,
    to_acknowledge: bool,
}

/// The tester as an LTP engine.
///
/// Sessions that a case has not opened or asked for are those of earlier cases, or the node's own traffic: they are answered as
/// a conformant engine would, and are not seen by the case.
pub(in crate::cases) struct Peer<'t, 'a> {
    pub(in crate::cases) t: &'t mut Tester<'a>,
    pub(in crate::cases) node: &'a LtpProfile,
    heard: Vec<Heard>,
    all: Vec<Heard>,
    /// What belongs to none of the case's sessions.
    foreign: Vec<Heard>,
    /// Data of sessions of the node that the case has not asked for.
    unasked: BTreeMap<Id, Vec<Heard>>,
    unread: Vec<String>,
    ours: BTreeMap<Id, OurState>,
    doors: BTreeMap<Id, Door>,
    theirs: BTreeMap<Id, TheirState>,
    wanted: Option<Vec<u8>>,
    found: Option<Id>,
    key: Option<AuthKey>,
    next_serial: u64,
    /// Whether the node used one session for two blocks.
    reused: bool,
}

/// Judges a case, and leaves no session open behind it.
pub(in crate::cases) fn conduct(tester: &mut Tester<'_>, judge: fn(&mut Peer<'_, '_>) -> Verdict) -> Verdict {
    let mut us = Peer::new(tester)?;
    let verdict = judge(&mut us);
    if us.t.ended().is_none() {
        us.settle();
    }
    verdict
}

impl<'t, 'a> Peer<'t, 'a> {
    pub(in crate::cases) fn new(t: &'t mut Tester<'a>) -> Result<Self, Finding> {
        let node = t.ltp()?;
        let key = match &node.authentication {
            None => None,
            Some(key) => Some(
                AuthKey::new(Ciphersuite::from_code(key.suite), &key.id, &key.key)
                    .map_err(|error| Finding::bench_error(format!("the key for LTP authentication: {error}")))?,
            ),
        };
        let next_serial = u64::from(t.rng.next_u32() % 0x1000) + 1;
        Ok(Peer {
            next_serial,
            reused: false,
            t,
            node,
            heard: Vec::new(),
            all: Vec::new(),
            foreign: Vec::new(),
            unasked: BTreeMap::new(),
            unread: Vec::new(),
            ours: BTreeMap::new(),
            doors: BTreeMap::new(),
            theirs: BTreeMap::new(),
            wanted: None,
            found: None,
            key,
        })
    }

    /// The bound for any immediate answer (`T_ack`).
    pub(in crate::cases) fn t_ack(&self) -> Duration {
        self.t.profile().answer_time()
    }

    /// What the node may take beyond a timer (`T_resp`), with what it declares to defer.
    pub(in crate::cases) fn slack(&self) -> Duration {
        self.t.profile().response + self.node.defer
    }

    pub(in crate::cases) fn round_trip(&self) -> Duration {
        self.t.profile().round_trip
    }

    pub(in crate::cases) fn now(&self) -> Instant {
        self.t.now()
    }

    /// A serial number that the case has not used, with room to count up by less than 100, short enough for any engine.
    pub(in crate::cases) fn serial(&mut self) -> u64 {
        self.next_serial += 100 + u64::from(self.t.rng.next_u32() % 8);
        self.next_serial
    }

    /// A number that another run with the same seed against the same node will not draw, unless under a virtual clock.
    pub(in crate::cases) fn fresh_number(&mut self) -> u64 {
        block::fresh(self.t)
    }

    /// Sends a segment.
    pub(in crate::cases) fn send(&mut self, door: Door, segment: &Raw) -> Verdict {
        let id = segment.session();
        if let Some(state) = self.ours.get_mut(&id) {
            match &segment.body {
                Body::Data { .. } => {
                    state.sent_data = true;
                    if matches!(segment.code, code::EORP | code::EOB) {
                        state.red_end = segment.range().map(|range| range.end);
                    }
                }
                Body::ReportAck(serial) => drop(state.reports.insert(*serial, true)),
                Body::Cancel(_) => state.over = true,
                Body::CancelAck => state.to_acknowledge = false,
                _ => {}
            }
        }
        if let Some(state) = self.theirs.get_mut(&id) {
            match &segment.body {
                Body::Report { lower, claims, .. } => {
                    for (offset, length) in claims {
                        let start = lower.saturating_add(*offset);
                        state.claimed.insert(start..start.saturating_add(*length));
                    }
                }
                Body::Cancel(_) => state.over = true,
                Body::CancelAck => state.to_acknowledge = false,
                _ => {}
            }
        }
        let octets = self.signed(segment);
        self.t.send(door, &octets)
    }

    /// The octets of a segment, authenticated if the node demands it.
    fn signed(&self, segment: &Raw) -> Vec<u8> {
        let octets = segment.emit();
        let Some(key) = &self.key else { return octets };
        match Segment::parse(&octets) {
            Ok((parsed, _)) => {
                let mut out = Vec::new();
                key.emit(&parsed, &mut out);
                out
            }
            Err(_) => octets,
        }
    }

    /// The key of LTP authentication.
    pub(in crate::cases) fn key(&self) -> Result<&AuthKey, Finding> {
        self.key.as_ref().ok_or_else(|| Finding::unsupported("no key for LTP authentication is described"))
    }

    /// The authentication value of octets under the node's key (RFC 5327 section 2.1).
    pub(in crate::cases) fn auth_value(&self, octets: &[u8]) -> Result<[u8; 10], Finding> {
        let key = self.node.authentication.as_ref();
        let Some(key) = key.filter(|key| key.suite == Ciphersuite::HmacSha1_80.code()) else {
            return Err(Finding::unsupported("no key for HMAC-SHA1-80 is described"));
        };
        let mut mac = Hmac::<Sha1>::new_from_slice(&key.key).expect("HMAC takes keys of any length");
        mac.update(octets);
        let value = mac.finalize().into_bytes();
        Ok(std::array::from_fn(|at| value[at]))
    }

    /// Sends octets that need not be a segment.
    pub(in crate::cases) fn octets(&mut self, octets: &[u8]) -> Verdict {
        self.t.send(Door::Ltp, octets)
    }

    /// Waits until the link is open, if it follows a schedule, with this much time left.
    pub(in crate::cases) fn in_contact(&mut self, room: Duration) -> Verdict {
        let contacts = &self.t.profile().contacts;
        if contacts.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let fits = |contact: &&crate::profile::ContactProfile| {
            (Instant::ZERO + contact.start).max(now) + room <= Instant::ZERO + contact.end
        };
        let Some(next) = contacts.iter().find(fits) else {
            return Err(Finding::unsupported("the node has no further contact"));
        };
        let start = Instant::ZERO + next.start;
        let wait = start.saturating_since(now);
        self.pause(wait)
    }

    /// Ends what the case has left open, so that the next one is not disturbed. What the node still has to say to it is
    /// answered there.
    fn settle(&mut self) {
        // What cannot be sent here cannot be sent by the next case either, which tells.
        let _ = self.try_to_settle();
    }

    fn try_to_settle(&mut self) -> Verdict {
        // What has come by now is read.
        self.pause(Duration::ZERO)?;
        let ours: Vec<Id> = self.ours.keys().copied().collect();
        for id in ours {
            let s = Ours { id, door: self.doors[&id] };
            let state = &self.ours[&id];
            let complete = state.red_end.is_some_and(|end| state.claimed.covers(&(0..end)));
            let (open, car) = (state.sent_data && !state.over && !complete, state.to_acknowledge);
            let unacknowledged: Vec<u64> =
                state.reports.iter().filter(|(_, acknowledged)| !**acknowledged).map(|(serial, _)| *serial).collect();
            for serial in unacknowledged {
                self.ack(s, serial)?;
            }
            if car {
                self.car(s)?;
            }
            if open {
                self.cancel(s, 0)?;
            }
        }
        let theirs: Vec<Id> = self.theirs.keys().copied().collect();
        for id in theirs {
            let state = &self.theirs[&id];
            let over = state.over;
            if state.to_acknowledge {
                self.cas(id)?;
            }
            if let (false, Some(end), Ok(checkpoint)) = (over, self.red_end(id), self.last_checkpoint(id))
                && !self.theirs[&id].claimed.covers(&(0..end))
            {
                self.rs(id, checkpoint, end, 0, &[(0, end)])?;
            }
        }
        Ok(())
    }
}

/// Whether `part` stands somewhere in `whole`.
pub(in crate::cases) fn contains(whole: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && whole.windows(part.len()).any(|window| window == part)
}
