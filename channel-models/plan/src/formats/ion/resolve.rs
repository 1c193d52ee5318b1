//! What the commands come to: contacts with their light times.

use farlink_units::{Duration, Instant};
use hifitime::Epoch;

use super::super::{Doubt, Import, Place, ReadError, Warning};
use super::read::{Entry, Reader, Time, looks_like_bits};
use crate::calendar::{at_s, from_unix, instant};
use crate::{Contact, ContactPlan, LightTime, NodeId, Piece, Rate, Steps};

impl Reader<'_> {
    pub(super) fn finish(mut self) -> Result<Import, ReadError> {
        if self.fractions {
            // Who writes fractions of light-seconds has not read what ION takes: the rates are then likely bits too.
            let rates: Vec<_> =
                self.contacts.values().flat_map(|of| of.values()).map(|e| (e.line, e.bytes_per_s)).collect();
            for (line, rate) in rates.into_iter().filter(|(_, rate)| !looks_like_bits(*rate)) {
                self.line = line;
                self.doubt_bits(rate);
            }
        }
        self.refused_ranges();
        let zero = self.zero();
        let clock = Clock { calendar: self.calendar == Some(true), zero };
        let mut plan = ContactPlan { epoch: zero, ..ContactPlan::default() };
        plan.nodes = self.nodes.iter().map(|n| NodeId::ipn(*n)).collect();
        for (nodes, entries) in &self.contacts {
            let ranges = self.ranges_of(*nodes);
            for (start, entry) in entries {
                plan.contacts.push(entry.contact(*nodes, *start, &ranges, clock));
            }
        }
        self.lone_ranges();
        self.warnings.sort_by_key(|warning| warning.place);
        Ok(Import { plan, warnings: self.warnings })
    }

    /// What [`Instant::ZERO`] is: as told, else the first reference time, else the first time.
    fn zero(&self) -> Option<Epoch> {
        if self.options.epoch.is_some() || self.calendar != Some(true) {
            return self.options.epoch.or(self.first_reference.filter(|_| self.calendar.is_none()).and_then(from_unix));
        }
        let starts =
            self.contacts.values().flat_map(|of| of.keys()).chain(self.ranges.values().flat_map(|of| of.keys()));
        self.first_reference.or(starts.min().copied()).and_then(from_unix)
    }

    /// The ranges that hold in one direction: its own, and those that the other direction implies where it has none.
    fn ranges_of(&self, (from, to): (u64, u64)) -> Vec<(i64, Time, u64)> {
        let told = |nodes| self.ranges.get(&nodes).into_iter().flatten().map(|(s, r)| (*s, r.end, r.owlt_s));
        let own: Vec<_> = told((from, to)).collect();
        if from < to {
            return own;
        }
        let mut all = own.clone();
        let mut next = 0;
        for (mut start, end, owlt_s) in told((to, from)) {
            let last = end.unwrap_or(i64::MAX);
            while next < own.len() && own[next].1.is_some_and(|e| e <= start) {
                next += 1;
            }
            for (from, until, _) in own[next..].iter().take_while(|range| range.0 < last) {
                if *from > start {
                    all.push((start, Some(*from), owlt_s));
                }
                start = until.unwrap_or(i64::MAX).max(start);
            }
            if start < last {
                all.push((start, end, owlt_s));
            }
        }
        all.sort_unstable();
        all
    }

    /// A range from a higher to a lower number overrides an implied one only if both begin at the same time.
    fn refused_ranges(&mut self) {
        let mut refused = Vec::new();
        for ((from, to), own) in self.ranges.iter().filter(|((from, to), _)| from > to) {
            let Some(implied) = self.ranges.get(&(*to, *from)) else { continue };
            for (start, range) in own {
                let before = implied.range(..start).next_back().is_some_and(|(_, r)| r.end.is_none_or(|e| e > *start));
                let inside = implied.range(start + 1..).next().is_some_and(|(s, _)| range.end.is_none_or(|e| e > *s));
                if before || inside {
                    refused.push(Warning { place: Place::Line(range.line), doubt: Doubt::RefusedRange });
                }
            }
        }
        self.warnings.append(&mut refused);
    }

    fn lone_ranges(&mut self) {
        let mut lone = Vec::new();
        for ((from, to), ranges) in &self.ranges {
            let directions = [Some((*from, *to)), (from < to).then_some((*to, *from))];
            let contacts: Vec<_> =
                directions.into_iter().flatten().filter_map(|nodes| self.contacts.get(&nodes)).collect();
            for (start, range) in ranges {
                let used = contacts.iter().any(|of| {
                    let last = of.range(..range.end.unwrap_or(i64::MAX)).next_back();
                    last.is_some_and(|(_, e)| e.end.is_none_or(|e| e > *start))
                });
                if !used {
                    let doubt = Doubt::LoneRange { from: *from, to: *to };
                    lone.push(Warning { place: Place::Line(range.line), doubt });
                }
            }
        }
        self.warnings.append(&mut lone);
    }
}

/// Turns seconds into instants.
#[derive(Clone, Copy)]
struct Clock {
    calendar: bool,
    zero: Option<Epoch>,
}

impl Clock {
    fn instant(self, second: i64) -> Instant {
        let calendar = || instant(from_unix(second)?, self.zero?);
        // Times out of reach were refused when they were read.
        if self.calendar { calendar() } else { at_s(second) }.unwrap_or(Instant::MAX)
    }

    fn end(self, end: Time) -> Instant {
        end.map_or(Instant::MAX, |end| self.instant(end))
    }
}

impl Entry {
    fn contact(&self, (from, to): (u64, u64), start: i64, ranges: &[(i64, Time, u64)], clock: Clock) -> Contact {
        let (starts, ends) = (clock.instant(start), clock.end(self.end));
        let mut contact = Contact::new(NodeId::ipn(from), NodeId::ipn(to), starts, ends);
        contact.rate = Steps::constant(Rate::Limited(self.bytes_per_s * 8));
        contact.confidence = self.confidence;
        let first = ranges.partition_point(|(_, end, _)| end.is_some_and(|end| end <= start));
        let piece = |(start, end, owlt_s): &(i64, Time, u64)| {
            Piece::constant(clock.instant(*start), clock.end(*end), Duration::from_secs(*owlt_s as i64))
        };
        let pieces = ranges[first..].iter().map_while(|range| piece(range).within(starts, ends));
        contact.light_time = LightTime::new(pieces.collect());
        contact
    }
}
