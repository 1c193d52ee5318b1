//! The LTP engine that a case plays.

use std::collections::BTreeMap;
use std::ops::Range;

use farlink_engine::ranges::RangeSet;
use farlink_units::{Duration, Instant};
use farlink_wire::ltp::Segment;
use farlink_wire::ltp::security::{AuthKey, Ciphersuite};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha1::Sha1;

use super::block::{self, Block};
use crate::medium::{Door, Happening, Order};
use crate::outcome::Finding;
use crate::profile::{LtpProfile, Originate};
use crate::segment::{Body, Raw, code, segments};
use crate::tester::Tester;

/// Originator and number of a session.
pub(in crate::cases) type Id = (u64, u64);

/// Something to expect of a case.
pub(in crate::cases) type Verdict = Result<(), Finding>;

/// A segment of the node.
#[derive(Clone, Debug)]
pub(in crate::cases) struct Heard {
    pub(in crate::cases) at: Instant,
    pub(in crate::cases) door: Door,
    pub(in crate::cases) segment: Raw,
}

impl Heard {
    pub(in crate::cases) fn session(&self) -> Id {
        self.segment.session()
    }

    pub(in crate::cases) fn code(&self) -> u8 {
        self.segment.code
    }

    /// Whether it is a segment of this type in this session.
    pub(in crate::cases) fn is(&self, code: u8, session: Id) -> bool {
        self.segment.code == code && self.session() == session
    }

    /// The reason of a cancel segment.
    pub(in crate::cases) fn reason(&self) -> Option<u8> {
        match self.segment.body {
            Body::Cancel(reason) => Some(reason),
            _ => None,
        }
    }

    /// The report that a report segment carries.
    pub(in crate::cases) fn report(&self) -> Option<Rs> {
        match &self.segment.body {
            Body::Report { serial, checkpoint, upper, lower, claims } => Some(Rs {
                at: self.at,
                serial: *serial,
                checkpoint: *checkpoint,
                upper: *upper,
                lower: *lower,
                claims: claims.clone(),
            }),
            _ => None,
        }
    }
}

/// A report segment of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cases) struct Rs {
    pub(in crate::cases) at: Instant,
    pub(in crate::cases) serial: u64,
    pub(in crate::cases) checkpoint: u64,
    pub(in crate::cases) upper: u64,
    pub(in crate::cases) lower: u64,
    /// Offset from the lower bound, and length.
    pub(in crate::cases) claims: Vec<(u64, u64)>,
}

impl Rs {
    /// What is claimed, by place in the block.
    pub(in crate::cases) fn claimed(&self) -> RangeSet {
        let mut all = RangeSet::new();
        for (offset, length) in &self.claims {
            let start = self.lower.saturating_add(*offset);
            all.insert(start..start.saturating_add(*length));
        }
        all
    }

    /// Whether exactly the red data from 0 to `end` is claimed in one piece.
    pub(in crate::cases) fn is_whole(&self, end: u64) -> bool {
        self.lower == 0 && self.upper == end && self.claims == [(0, end)]
    }

    /// The same report, whenever it came.
    pub(in crate::cases) fn same(&self, other: &Rs) -> bool {
        Rs { at: self.at, ..other.clone() } == *self
    }

    pub(in crate::cases) fn tell(&self) -> String {
        let claims: Vec<String> = self.claims.iter().take(12).map(|(o, l)| format!("({o},{l})")).collect();
        let Rs { serial, checkpoint, upper, lower, .. } = self;
        format!("RS({serial}, cp {checkpoint}, upper {upper}, lower {lower}, [{}])", claims.join(","))
    }
}

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

    /// From 2^21 on, so that a number never equals a short one; 30 bits suit every engine.
    fn session_number(&mut self) -> u64 {
        0x20_0000 + self.fresh_number() % 0x3fc0_0000
    }

    /// Opens a session with a fresh number for a block of this length.
    pub(in crate::cases) fn open(&mut self, length: usize) -> Ours {
        let number = self.session_number();
        self.open_as(number, length)
    }

    /// Opens the session of this number.
    pub(in crate::cases) fn open_as(&mut self, number: u64, length: usize) -> Ours {
        let block = block::block(self.t, length);
        self.register(self.node.tester, number, Door::Ltp, block)
    }

    /// Opens a session of another engine of the tester.
    pub(in crate::cases) fn open_for(&mut self, originator: u64, number: u64, door: Door, length: usize) -> Ours {
        let block = block::block(self.t, length);
        self.register(originator, number, door, block)
    }

    fn register(&mut self, originator: u64, number: u64, door: Door, block: Block) -> Ours {
        let id = (originator, number);
        self.ours.insert(id, OurState { block, ..OurState::default() });
        self.doors.insert(id, door);
        Ours { id, door }
    }

    /// What the block of a session hands to its application.
    pub(in crate::cases) fn payload(&self, s: Ours) -> Vec<u8> {
        self.ours.get(&s.id).map(|state| state.block.payload.clone()).unwrap_or_default()
    }

    fn content(&self, s: Ours, range: Range<u64>) -> Vec<u8> {
        let block = self.ours.get(&s.id).map_or(&[][..], |state| &state.block.octets);
        let octet = |at: u64| {
            let there = usize::try_from(at).ok().and_then(|at| block.get(at));
            there.copied().unwrap_or(at as u8)
        };
        (0..range.end - range.start).map(|at| octet(range.start.wrapping_add(at))).collect()
    }

    /// A data segment of a session, with the data that its block has there.
    pub(in crate::cases) fn ds(&self, s: Ours, code: u8, range: Range<u64>, checkpoint: Option<(u64, u64)>) -> Raw {
        let data = self.content(s, range.clone());
        let body = Body::Data { service: self.node.service, offset: range.start, checkpoint, data };
        Raw::new(code, s.id, body)
    }

    /// Sends red data without a checkpoint.
    pub(in crate::cases) fn red(&mut self, s: Ours, range: Range<u64>) -> Verdict {
        let segment = self.ds(s, code::RED, range, None);
        self.send(s.door, &segment)
    }

    /// Sends green data.
    pub(in crate::cases) fn green(&mut self, s: Ours, code: u8, range: Range<u64>) -> Verdict {
        let segment = self.ds(s, code, range, None);
        self.send(s.door, &segment)
    }

    /// Sends a checkpoint that answers no report.
    pub(in crate::cases) fn checkpoint(&mut self, s: Ours, code: u8, range: Range<u64>, serial: u64) -> Verdict {
        self.checkpoint_for(s, code, range, serial, 0)
    }

    /// Sends a checkpoint that answers a report.
    pub(in crate::cases) fn checkpoint_for(
        &mut self,
        s: Ours,
        code: u8,
        range: Range<u64>,
        serial: u64,
        report_serial: u64,
    ) -> Verdict {
        let segment = self.ds(s, code, range, Some((serial, report_serial)));
        self.send(s.door, &segment)
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

    /// Acknowledges a report.
    pub(in crate::cases) fn ack(&mut self, s: Ours, serial: u64) -> Verdict {
        self.send(s.door, &Raw::new(code::RA, s.id, Body::ReportAck(serial)))
    }

    /// Cancels a session as its sender.
    pub(in crate::cases) fn cancel(&mut self, s: Ours, reason: u8) -> Verdict {
        self.send(s.door, &Raw::new(code::CS, s.id, Body::Cancel(reason)))
    }

    /// Acknowledges a cancellation by the node as receiver.
    pub(in crate::cases) fn car(&mut self, s: Ours) -> Verdict {
        self.send(s.door, &Raw::new(code::CAR, s.id, Body::CancelAck))
    }

    /// Acknowledges a cancellation by the node as sender.
    pub(in crate::cases) fn cas(&mut self, id: Id) -> Verdict {
        self.send(Door::Ltp, &Raw::new(code::CAS, id, Body::CancelAck))
    }

    /// Takes in what comes until `until`, or until something new has come for the case. `false` when `until` has come.
    fn receive(&mut self, until: Instant) -> Result<bool, Finding> {
        let taken = self.t.wait_for(until, |arrival| match &arrival.what {
            Happening::Datagram { door: door @ (Door::Ltp | Door::SecondLtp), octets } => {
                Some((arrival.at, *door, octets.clone()))
            }
            _ => None,
        })?;
        let Some((at, door, octets)) = taken else { return Ok(false) };
        for segment in segments(&octets) {
            match segment {
                Ok(segment) => self.absorb(Heard { at, door, segment })?,
                Err(why) => self.unread.push(why),
            }
        }
        Ok(true)
    }

    fn absorb(&mut self, heard: Heard) -> Verdict {
        let id = heard.session();
        if let Some(state) = self.ours.get_mut(&id) {
            if let Some(rs) = heard.report() {
                state.reports.entry(rs.serial).or_insert(false);
                for range in rs.claimed().within(0..u64::MAX) {
                    state.claimed.insert(range);
                }
            } else if heard.code() == code::CR {
                state.over = true;
                state.to_acknowledge = true;
            }
        } else if self.theirs.contains_key(&id) {
            self.reused |= self.is_wanted(&heard);
            let Some(state) = self.theirs.get_mut(&id) else { return Ok(()) };
            if heard.segment.is_data() {
                state.data.push(heard.clone());
            } else if heard.code() == code::CS {
                state.over = true;
                state.to_acknowledge = true;
            }
        } else if let Some(data) = self.adopted(&heard) {
            let next_report = self.serial();
            self.wanted = None;
            self.found = Some(id);
            self.all.extend(data.iter().rev().skip(1).rev().cloned());
            let state = TheirState { data, next_report, claimed: RangeSet::new(), over: false, to_acknowledge: false };
            self.theirs.insert(id, state);
        } else if self.is_foreign(&heard) {
            self.answer_foreign(&heard)?;
            self.foreign.push(heard);
            return Ok(());
        } else if self.foreign.iter().any(|other| other.session() == id) {
            // The node acknowledges what it was answered there.
            self.foreign.push(heard);
            return Ok(());
        }
        self.all.push(heard.clone());
        self.heard.push(heard);
        Ok(())
    }

    fn is_wanted(&self, heard: &Heard) -> bool {
        self.wanted.as_ref().is_some_and(|tag| contains(heard.segment.data(), tag))
    }

    /// The data of a session of the node so far, if it turns out to be the one that the case has asked for. What it has
    /// asked for may come behind other bundles in one block.
    fn adopted(&mut self, heard: &Heard) -> Option<Vec<Heard>> {
        let tag = self.wanted.as_ref()?;
        if heard.segment.originator != self.node.engine || !heard.segment.is_data() {
            return None;
        }
        let data = self.unasked.entry(heard.session()).or_default();
        data.push(heard.clone());
        let mut in_order: Vec<&Heard> = data.iter().collect();
        in_order.sort_by_key(|heard| heard.segment.range().map(|range| range.start));
        let octets: Vec<u8> = in_order.iter().flat_map(|heard| heard.segment.data().iter().copied()).collect();
        contains(&octets, tag).then(|| self.unasked.remove(&heard.session())).flatten()
    }

    /// Whether a segment belongs to a session of another case, or is the node's own traffic. Acknowledgments never are: they
    /// answer what the tester has sent.
    fn is_foreign(&self, heard: &Heard) -> bool {
        match heard.code() {
            code::RED..=code::GREEN | code::GREEN_EOB | code::CS => heard.segment.originator == self.node.engine,
            code::RS | code::CR => {
                heard.segment.originator == self.node.tester
                    || Some(heard.segment.originator) == self.node.second_tester
            }
            _ => false,
        }
    }

    fn answer_foreign(&mut self, heard: &Heard) -> Verdict {
        let (session, end) = (heard.session(), heard.segment.range().map(|range| range.end));
        let answer = match (&heard.segment.body, heard.code(), end) {
            (Body::Data { checkpoint: Some((serial, _)), .. }, code::EORP | code::EOB, Some(end)) => {
                let body =
                    Body::Report { serial: *serial, checkpoint: *serial, upper: end, lower: 0, claims: vec![(0, end)] };
                Raw::new(code::RS, session, body)
            }
            (Body::Report { serial, .. }, ..) => Raw::new(code::RA, session, Body::ReportAck(*serial)),
            (Body::Cancel(_), code::CS, _) => Raw::new(code::CAS, session, Body::CancelAck),
            (Body::Cancel(_), code::CR, _) => Raw::new(code::CAR, session, Body::CancelAck),
            _ => return Ok(()),
        };
        let octets = self.signed(&answer);
        self.t.send(heard.door, &octets)
    }

    /// The first segment, of those not asked for yet and those that come until `until`, for which `take` has an answer.
    pub(in crate::cases) fn find<T>(
        &mut self,
        until: Instant,
        mut take: impl FnMut(&Heard) -> Option<T>,
    ) -> Result<Option<T>, Finding> {
        let mut looked_at = 0;
        loop {
            while looked_at < self.heard.len() {
                if let Some(taken) = take(&self.heard[looked_at]) {
                    self.heard.remove(looked_at);
                    return Ok(Some(taken));
                }
                looked_at += 1;
            }
            if !self.receive(until)? {
                return Ok(None);
            }
        }
    }

    /// As [`Peer::find`], within some time from now; it is a finding if nothing comes.
    pub(in crate::cases) fn expect<T>(
        &mut self,
        what: impl Into<String>,
        within: Duration,
        take: impl FnMut(&Heard) -> Option<T>,
    ) -> Result<T, Finding> {
        let from = self.mark();
        let until = self.now() + within;
        match self.find(until, take)? {
            Some(taken) => Ok(taken),
            None => {
                let came = self.tell_since(from);
                Err(Finding::silence(what, format!("nothing of the kind in {within}; {came}")))
            }
        }
    }

    /// Lets time pass. What comes meanwhile can be asked for later.
    pub(in crate::cases) fn pause(&mut self, time: Duration) -> Verdict {
        let until = self.now() + time;
        while self.receive(until)? {}
        Ok(())
    }

    /// A place in what has come; see [`Peer::since`].
    pub(in crate::cases) fn mark(&self) -> usize {
        self.all.len()
    }

    /// What has come since a place was marked, asked for or not.
    pub(in crate::cases) fn since(&self, mark: usize) -> &[Heard] {
        &self.all[mark..]
    }

    fn tell_since(&self, mark: usize) -> String {
        let mut told: Vec<String> = self.since(mark).iter().take(6).map(|heard| heard.segment.tell()).collect();
        told.extend(self.unread.iter().take(2).map(|why| format!("octets that are no segment ({why})")));
        match told.is_empty() {
            true => "nothing came at all".to_owned(),
            false => format!("came: {}", told.join("; ")),
        }
    }

    /// What belongs to none of the case's sessions.
    pub(in crate::cases) fn foreign(&self) -> &[Heard] {
        &self.foreign
    }

    /// Why octets that have come are no segment.
    pub(in crate::cases) fn unread(&self) -> &[String] {
        &self.unread
    }

    /// Since the place was marked, nothing has come that is forbidden.
    pub(in crate::cases) fn must_not(
        &self,
        mark: usize,
        expected: impl Into<String>,
        forbidden: impl Fn(&Heard) -> bool,
    ) -> Verdict {
        match self.since(mark).iter().find(|heard| forbidden(heard)) {
            Some(heard) => Err(Finding::deviation(expected, heard.segment.tell())),
            None => Ok(()),
        }
    }

    /// Every octet of data of the node's applications that has this payload, until `until`.
    pub(in crate::cases) fn delivered(&mut self, payload: &[u8], until: Instant) -> Result<bool, Finding> {
        let found = self.t.wait_for(until, |arrival| match &arrival.what {
            Happening::Delivered { payload: data, .. } if data == payload => Some(()),
            _ => None,
        })?;
        Ok(found.is_some())
    }

    /// The first report that cites a checkpoint. It is not acknowledged.
    pub(in crate::cases) fn report(&mut self, s: Ours, checkpoint: u64) -> Result<Rs, Finding> {
        let what = format!("a report for checkpoint {checkpoint} in session ({}, {})", s.id.0, s.id.1);
        let within = self.t_ack();
        self.expect(what, within, |heard| {
            heard.report().filter(|rs| heard.session() == s.id && rs.checkpoint == checkpoint)
        })
    }

    /// The same, acknowledged.
    pub(in crate::cases) fn reported(&mut self, s: Ours, checkpoint: u64) -> Result<Rs, Finding> {
        let rs = self.report(s, checkpoint)?;
        self.ack(s, rs.serial)?;
        Ok(rs)
    }

    /// All report segments, in order of arrival, that cite a checkpoint until its report reaches `upper`, each acknowledged.
    pub(in crate::cases) fn whole_report(&mut self, s: Ours, checkpoint: u64, upper: u64) -> Result<Vec<Rs>, Finding> {
        let mut all = vec![self.reported(s, checkpoint)?];
        let until = self.now() + self.t_ack();
        while all.iter().all(|rs| rs.upper < upper) {
            let more = self.find(until, |heard| {
                heard.report().filter(|rs| heard.session() == s.id && rs.checkpoint == checkpoint)
            })?;
            let Some(rs) = more else { break };
            self.ack(s, rs.serial)?;
            if all.iter().all(|other| other.serial != rs.serial) {
                all.push(rs);
            }
        }
        Ok(all)
    }

    /// A cancel segment of the node as receiver.
    pub(in crate::cases) fn expect_cr(&mut self, s: Ours, reason: u8, within: Duration) -> Result<Heard, Finding> {
        let what = format!("CR with reason {reason:#04x} in session ({}, {})", s.id.0, s.id.1);
        let heard = self.expect(what.clone(), within, |heard| heard.is(code::CR, s.id).then(|| heard.clone()))?;
        match heard.reason() == Some(reason) {
            true => Ok(heard),
            false => Err(Finding::deviation(what, heard.segment.tell())),
        }
    }

    /// An acknowledgment of a cancel segment that the tester has sent.
    pub(in crate::cases) fn expect_cas(&mut self, s: Ours) -> Verdict {
        let within = self.t_ack();
        self.expect(format!("CAS in session ({}, {})", s.id.0, s.id.1), within, |heard| {
            heard.is(code::CAS, s.id).then_some(())
        })
    }

    /// A fresh session of one segment, which the node must report and does at once. What it would have answered to anything
    /// before has come by then.
    pub(in crate::cases) fn sentinel(&mut self) -> Verdict {
        let s = self.open(100);
        let serial = self.serial();
        self.checkpoint(s, code::EOB, 0..100, serial)?;
        let what = "a report of a fresh block of one segment";
        let within = self.t_ack();
        let wanted = |heard: &Heard| heard.report().filter(|rs| heard.session() == s.id && rs.checkpoint == serial);
        let first = self.find(self.now() + within, wanted)?;
        let rs = match first {
            Some(rs) => rs,
            None => {
                // A datagram may be lost.
                self.checkpoint(s, code::EOB, 0..100, serial)?;
                let within = within + self.node.report_timer;
                self.expect(what, within, wanted)?
            }
        };
        self.ack(s, rs.serial)?;
        if !rs.is_whole(100) {
            return Err(Finding::deviation(format!("{what}, which claims all of it"), rs.tell()));
        }
        // What the node defers, and what comes in the same instant.
        self.pause(self.node.defer)
    }

    /// Makes the node send a block with a random payload, and waits for its first segment.
    pub(in crate::cases) fn begin(&mut self, length: usize) -> Result<Id, Finding> {
        let (id, _) = self.begin_known(length)?;
        Ok(id)
    }

    fn begin_known(&mut self, length: usize) -> Result<(Id, Vec<u8>), Finding> {
        let payload = self.ask_for(length)?;
        let within = self.t_ack() + self.t_ack();
        let id = self.first_segment(within)?;
        Ok((id, payload))
    }

    /// Makes the node send a block of about this length. Returns the payload that its bundle has.
    pub(in crate::cases) fn ask_for(&mut self, length: usize) -> Result<Vec<u8>, Finding> {
        let payload = block::random(self.t, length.saturating_sub(80).max(40));
        self.wanted = Some(payload[..24].to_vec());
        self.found = None;
        match self.t.profile().originate {
            Originate::Ordered => {
                let order = Order::Originate {
                    door: Door::Ltp,
                    payload: payload.clone(),
                    lifetime: Duration::from_secs(3600),
                    flags: 0,
                    anonymous: false,
                };
                self.t.order(&order)?;
                Ok(payload)
            }
            Originate::Relayed => self.relay(length),
            Originate::Passive => Err(Finding::unsupported("nothing makes the node send a block over LTP")),
        }
    }

    /// Sends the node a bundle that it has to send back over LTP.
    fn relay(&mut self, length: usize) -> Result<Vec<u8>, Finding> {
        let Some(relay) = &self.node.relay else {
            return Err(Finding::unsupported("no endpoint is described that the node reaches over LTP"));
        };
        let Some(block) = block::bundle_of(self.t, relay, length.max(140)) else {
            return Err(Finding::unsupported("the node has no bundle agent that would relay a bundle"));
        };
        let payload = block.payload.clone();
        self.wanted = Some(payload[..24].to_vec());
        let end = block.octets.len() as u64;
        let number = self.session_number();
        let s = self.register(self.node.tester, number, Door::Ltp, block);
        let step = 1000;
        let mut at = 0;
        while end - at > step {
            self.red(s, at..at + step)?;
            at += step;
        }
        let serial = self.serial();
        self.checkpoint(s, code::EOB, at..end, serial)?;
        self.reported(s, serial)?;
        Ok(payload)
    }

    /// The first segment of what the node was asked to send.
    pub(in crate::cases) fn first_segment(&mut self, within: Duration) -> Result<Id, Finding> {
        let until = self.now() + within;
        while self.found.is_none() {
            if self.reused {
                let expected = "a session of its own for every block of the node";
                return Err(Finding::deviation(expected, "a block came in the session of another one"));
            }
            if !self.receive(until)? {
                let what = "the first segment of the block that the node was made to send";
                let actual = format!("no segment with its data in {within}");
                return Err(match self.t.profile().originate {
                    // The way back is the bundle agent's, and no matter of LTP.
                    Originate::Relayed => Finding::inconclusive(
                        what,
                        format!(
                            "{actual}: it took the bundle whose way leads back, and did not send it; look at its routes"
                        ),
                    ),
                    _ => Finding::silence(what, actual),
                });
            }
        }
        self.found.ok_or_else(|| Finding::bench_error("no session was found"))
    }

    /// Makes the node send a block of about this length, and waits until it has sent all of it once.
    pub(in crate::cases) fn trigger(&mut self, length: usize) -> Result<Id, Finding> {
        let (id, payload) = self.begin_known(length)?;
        self.whole_block(id)?;
        let known = self.block(id)?;
        if !contains(&known, &payload) {
            let actual = format!("{} octets that do not contain it", known.len());
            return Err(Finding::deviation("a block with the data that the node was made to send", actual));
        }
        Ok(id)
    }

    /// Waits until the node has sent all of a block.
    pub(in crate::cases) fn whole_block(&mut self, id: Id) -> Verdict {
        let until = self.now() + self.t_ack() + self.t_ack();
        while self.block_end(id).is_none() {
            if !self.receive(until)? {
                return Err(Finding::silence("the segment that ends the block", self.tell_since(0)));
            }
        }
        Ok(())
    }

    /// A block long enough for several segments.
    pub(in crate::cases) fn several(&self) -> usize {
        8000.max((5 * self.node.segment_size).min(400_000))
    }

    /// The data segments of a session of the node, as they came.
    pub(in crate::cases) fn data_of(&self, id: Id) -> &[Heard] {
        self.theirs.get(&id).map_or(&[], |state| &state.data)
    }

    /// Where the node's block ends.
    pub(in crate::cases) fn block_end(&self, id: Id) -> Option<u64> {
        let ends = |heard: &&Heard| matches!(heard.code(), code::EOB | code::GREEN_EOB);
        self.data_of(id).iter().find(ends).and_then(|heard| heard.segment.range()).map(|range| range.end)
    }

    /// Where the red part of the node's block ends.
    pub(in crate::cases) fn red_end(&self, id: Id) -> Option<u64> {
        let ends = |heard: &&Heard| matches!(heard.code(), code::EOB | code::EORP);
        self.data_of(id).iter().find(ends).and_then(|heard| heard.segment.range()).map(|range| range.end)
    }

    /// The node's block, put together.
    pub(in crate::cases) fn block(&self, id: Id) -> Result<Vec<u8>, Finding> {
        let mut have = RangeSet::new();
        let mut octets = Vec::new();
        for heard in self.data_of(id) {
            let Some(range) = heard.segment.range() else { continue };
            if range.end > 1 << 24 {
                return Err(Finding::deviation("data within the block", heard.segment.tell()));
            }
            octets.resize(octets.len().max(range.end as usize), 0);
            octets[range.start as usize..range.end as usize].copy_from_slice(heard.segment.data());
            have.insert(range);
        }
        let end = self.block_end(id).unwrap_or(octets.len() as u64);
        let holes = have.gaps(0..end);
        match holes.is_empty() {
            true => Ok(octets),
            false => Err(Finding::deviation("every octet of the block", format!("{holes:?} was never sent"))),
        }
    }

    /// The checkpoints of a session of the node in the order in which they first came: serial number, report serial number
    /// and the segment.
    pub(in crate::cases) fn checkpoints(&self, id: Id) -> Vec<(u64, u64, &Heard)> {
        let mut all: Vec<(u64, u64, &Heard)> = Vec::new();
        for heard in self.data_of(id) {
            let Some((serial, report)) = heard.segment.checkpoint() else { continue };
            if all.iter().all(|(other, ..)| *other != serial) {
                all.push((serial, report, heard));
            }
        }
        all
    }

    /// The serial number of the newest checkpoint.
    pub(in crate::cases) fn last_checkpoint(&self, id: Id) -> Result<u64, Finding> {
        let last = self.checkpoints(id).last().map(|(serial, ..)| *serial);
        last.ok_or_else(|| Finding::deviation("a checkpoint in the block", "none came"))
    }

    /// Reports on a session of the node with a fresh serial number, which is returned. Claims count from the lower bound.
    pub(in crate::cases) fn rs(
        &mut self,
        id: Id,
        checkpoint: u64,
        upper: u64,
        lower: u64,
        claims: &[(u64, u64)],
    ) -> Result<u64, Finding> {
        let serial = self.theirs.get_mut(&id).map_or(1, |state| {
            state.next_report += 1;
            state.next_report
        });
        self.rs_again(id, serial, checkpoint, upper, lower, claims)?;
        Ok(serial)
    }

    /// Reports with a serial number that is given.
    pub(in crate::cases) fn rs_again(
        &mut self,
        id: Id,
        serial: u64,
        checkpoint: u64,
        upper: u64,
        lower: u64,
        claims: &[(u64, u64)],
    ) -> Verdict {
        let body = Body::Report { serial, checkpoint, upper, lower, claims: claims.to_vec() };
        self.send(Door::Ltp, &Raw::new(code::RS, id, body))
    }

    /// The acknowledgment of a report of the tester.
    pub(in crate::cases) fn expect_ra(&mut self, id: Id, serial: u64) -> Verdict {
        let within = self.t_ack();
        self.expect(format!("RA({serial}) in session ({}, {})", id.0, id.1), within, |heard| {
            (heard.is(code::RA, id) && heard.segment.body == Body::ReportAck(serial)).then_some(())
        })
    }

    /// Reports the whole red part of a session of the node in answer to its last checkpoint, and waits for the acknowledgment.
    pub(in crate::cases) fn complete(&mut self, id: Id) -> Result<u64, Finding> {
        let checkpoint = self.last_checkpoint(id)?;
        let end = self.red_end(id).ok_or_else(|| Finding::deviation("an end of the red part", "none came"))?;
        let serial = self.rs(id, checkpoint, end, 0, &[(0, end)])?;
        self.expect_ra(id, serial)?;
        Ok(serial)
    }

    /// Waits for a data segment of a session of the node that came after the first `known` ones.
    pub(in crate::cases) fn next_data(
        &mut self,
        id: Id,
        known: usize,
        until: Instant,
    ) -> Result<Option<Heard>, Finding> {
        while self.data_of(id).len() <= known {
            if !self.receive(until)? {
                return Ok(None);
            }
        }
        Ok(self.data_of(id).get(known).cloned())
    }

    /// The segments that the node sends again after the first `known` ones of a session, up to and with the next checkpoint
    /// that is new. Checkpoints that their timer repeats are left out.
    pub(in crate::cases) fn retransmission(&mut self, id: Id, known: usize) -> Result<Vec<Heard>, Finding> {
        let until = self.now() + self.t_ack();
        let mut at = known;
        let mut again = Vec::new();
        loop {
            let Some(heard) = self.next_data(id, at, until)? else {
                let actual = match again.len() {
                    0 => "no data came".to_owned(),
                    seen => format!("{seen} segments came, and no new checkpoint among them"),
                };
                return Err(Finding::silence("missing data sent again, with a checkpoint at the end", actual));
            };
            let serial = heard.segment.checkpoint().map(|(serial, _)| serial);
            let is_serial = |other: &Heard| other.segment.checkpoint().map(|(serial, _)| serial) == serial;
            if serial.is_none() || !self.data_of(id)[..at].iter().any(is_serial) {
                again.push(heard);
                if serial.is_some() {
                    return Ok(again);
                }
            }
            at += 1;
        }
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
