//! What comes from the node: taken in, put to its session, and found by a case.

use farlink_engine::ranges::RangeSet;
use farlink_units::{Duration, Instant};

use super::{Heard, Peer, TheirState, Verdict, contains};
use crate::medium::{Door, Happening};
use crate::outcome::Finding;
use crate::segment::{Body, Raw, code, segments};

impl Peer<'_, '_> {
    /// Takes in what comes until `until`, or until something new has come for the case. `false` when `until` has come.
    pub(super) fn receive(&mut self, until: Instant) -> Result<bool, Finding> {
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

    pub(super) fn absorb(&mut self, heard: Heard) -> Verdict {
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

    pub(super) fn is_wanted(&self, heard: &Heard) -> bool {
        self.wanted.as_ref().is_some_and(|tag| contains(heard.segment.data(), tag))
    }

    /// The data of a session of the node so far, if it turns out to be the one that the case has asked for. What it has
    /// asked for may come behind other bundles in one block.
    pub(super) fn adopted(&mut self, heard: &Heard) -> Option<Vec<Heard>> {
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
    pub(super) fn is_foreign(&self, heard: &Heard) -> bool {
        match heard.code() {
            code::RED..=code::GREEN | code::GREEN_EOB | code::CS => heard.segment.originator == self.node.engine,
            code::RS | code::CR => {
                heard.segment.originator == self.node.tester
                    || Some(heard.segment.originator) == self.node.second_tester
            }
            _ => false,
        }
    }

    pub(super) fn answer_foreign(&mut self, heard: &Heard) -> Verdict {
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

    pub(super) fn tell_since(&self, mark: usize) -> String {
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
}
