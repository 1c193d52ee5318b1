//! What is wrong with a plan, or looks odd.

use std::collections::BTreeMap;
use std::fmt;

use farlink_units::{Duration, Instant};

use crate::{Contact, ContactPlan, NodeId, Rate};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// May be meant, but looks like a slip.
    Warning,
    /// Cannot be.
    Error,
}

/// Something found in a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The place of the contact in [`ContactPlan::contacts`].
    pub contact: usize,
    /// The contact in words.
    pub described: String,
    /// What it is.
    pub problem: Problem,
}

/// What can be found in a plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The end is not after the start.
    #[error("it ends before it starts: set `end` after `start`")]
    Empty,
    /// A node that sends to itself.
    #[error("it leads from a node to itself")]
    Loop,
    /// Two contacts of one direction at one time.
    #[error("it overlaps contact {other}, which ends at {until}: shorten one of them")]
    Overlap {
        /// The place of the other one.
        other: usize,
        /// When that ends.
        until: Instant,
    },
    /// A change of rate or of bit errors that is outside of the contact, or not after the one before.
    #[error("the {field} changes at {at}, outside of the contact or before the change that stands before it")]
    Change {
        /// `rate` or `bit error rate`.
        field: &'static str,
        /// The instant of the change.
        at: Instant,
    },
    /// A light time below zero.
    #[error("the light time at {at} is negative")]
    NegativeLightTime {
        /// When.
        at: Instant,
    },
    /// A span of light time that is empty or overlaps another one.
    #[error("the light time is told twice, or over a span without length, at {at}")]
    LightTimeTwice {
        /// The start of the second span.
        at: Instant,
    },
    /// Light time falls faster than time passes: what is sent later would arrive earlier.
    #[error(
        "from {from} to {to} the light time falls by more than the time that passes: what leaves later would arrive first"
    )]
    Overtaking {
        /// The start of the span.
        from: Instant,
        /// Its end.
        to: Instant,
    },
    /// Confidence 0.
    #[error("its confidence is 0: it never happens")]
    Impossible,
    /// Rate 0.
    #[error("its rate is 0 from {at} on: nothing is carried (a rate without limit is `unlimited`)")]
    Silent {
        /// From when.
        at: Instant,
    },
    /// Below one byte per second.
    #[error("a rate of {bps} bit/s is less than a byte a second: is it in another unit?")]
    SlowRate {
        /// The rate.
        bps: u64,
    },
    /// Above what any link carries.
    #[error("a rate of {rate} is more than any space link carries: is it in another unit?")]
    FastRate {
        /// The rate.
        rate: Rate,
    },
    /// Longer than to Pluto and back.
    #[error("a light time of {light_time} is longer than to Pluto and back: is it in milliseconds?")]
    FarAway {
        /// The light time.
        light_time: Duration,
    },
    /// Every second bit or more is wrong.
    #[error("a bit error rate of {ratio} carries nothing: is it a number of errors?")]
    AllErrors {
        /// The ratio.
        ratio: f64,
    },
    /// Light time is not known in a part of the contact.
    #[error("the light time is not known from {from} to {to}")]
    LightTimeUnknown {
        /// From.
        from: Instant,
        /// To.
        to: Instant,
    },
    /// No contact in the other direction.
    #[error("no contact leads back: LTP gets no reports")]
    NoReturn,
    /// The contacts in the other direction are over before an answer to its last bits can be sent.
    #[error("what leaves after {after} has no way back: the last contact back ends at {until}")]
    LateForReturn {
        /// The last instant of emission whose answer gets through.
        after: Instant,
        /// When the last contact back ends.
        until: Instant,
    },
}

impl Problem {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Problem::Empty
            | Problem::Loop
            | Problem::Overlap { .. }
            | Problem::Change { .. }
            | Problem::NegativeLightTime { .. }
            | Problem::LightTimeTwice { .. }
            | Problem::Overtaking { .. } => Severity::Error,
            Problem::Impossible
            | Problem::Silent { .. }
            | Problem::SlowRate { .. }
            | Problem::FastRate { .. }
            | Problem::FarAway { .. }
            | Problem::AllErrors { .. } => Severity::Warning,
            Problem::LightTimeUnknown { .. } | Problem::NoReturn | Problem::LateForReturn { .. } => Severity::Info,
        }
    }
}

impl Finding {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.problem.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "contact {}, {}: {}", self.contact, self.described, self.problem)
    }
}

/// Pluto at its aphelion and the Earth on the other side of the Sun are 50 au apart: 7 hours. Twice that.
const FAR_AWAY: Duration = Duration::from_secs(14 * 3600);
/// Optical terminals of today reach 200 Gbit/s.
const FAST_BPS: u64 = 10_000_000_000_000;

impl ContactPlan {
    /// Everything that is wrong or odd, the worst first, otherwise in the order of the contacts.
    pub fn validate(&self) -> Vec<Finding> {
        let mut problems: Vec<(usize, Problem)> = Vec::new();
        for (index, contact) in self.contacts.iter().enumerate() {
            check_contact(contact, &mut |problem| problems.push((index, problem)));
        }
        self.check_overlaps(&mut problems);
        self.check_return(&mut problems);
        problems.sort_by_key(|(index, problem)| (std::cmp::Reverse(problem.severity()), *index));
        let finding = |(contact, problem)| Finding { contact, described: self.contacts[contact].to_string(), problem };
        problems.into_iter().map(finding).collect()
    }

    /// Whether nothing in the plan is impossible.
    pub fn is_sound(&self) -> bool {
        self.validate().iter().all(|finding| finding.severity() < Severity::Error)
    }

    fn by_direction(&self) -> BTreeMap<(&NodeId, &NodeId), Vec<usize>> {
        let mut directions: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, contact) in self.contacts.iter().enumerate() {
            directions.entry((&contact.from, &contact.to)).or_default().push(index);
        }
        for contacts in directions.values_mut() {
            contacts.sort_by_key(|i| self.contacts[*i].start);
        }
        directions
    }

    fn check_overlaps(&self, problems: &mut Vec<(usize, Problem)>) {
        for contacts in self.by_direction().values() {
            let mut longest: Option<usize> = None;
            for &index in contacts {
                let contact = &self.contacts[index];
                if let Some(other) = longest.filter(|o| self.contacts[*o].end > contact.start) {
                    problems.push((index, Problem::Overlap { other, until: self.contacts[other].end }));
                }
                if longest.is_none_or(|o| self.contacts[o].end < contact.end) {
                    longest = Some(index);
                }
            }
        }
    }

    /// An answer leaves one light time after the bit that it answers.
    fn check_return(&self, problems: &mut Vec<(usize, Problem)>) {
        let mut last_back: BTreeMap<(&NodeId, &NodeId), Instant> = BTreeMap::new();
        for contact in &self.contacts {
            let end = last_back.entry((&contact.to, &contact.from)).or_insert(contact.end);
            *end = contact.end.max(*end);
        }
        for (index, contact) in self.contacts.iter().enumerate() {
            let Some(&until) = last_back.get(&(&contact.from, &contact.to)) else {
                problems.push((index, Problem::NoReturn));
                continue;
            };
            let light_time = contact.light_time.max().unwrap_or_default();
            if contact.end < Instant::MAX && contact.end + light_time > until {
                problems.push((index, Problem::LateForReturn { after: until - light_time, until }));
            }
        }
    }
}

fn check_contact(contact: &Contact, found: &mut impl FnMut(Problem)) {
    if contact.end <= contact.start {
        found(Problem::Empty);
    }
    if contact.from == contact.to {
        found(Problem::Loop);
    }
    if contact.confidence.get() == 0.0 {
        found(Problem::Impossible);
    }
    check_changes("rate", contact, contact.rate.changes.iter().map(|(at, _)| *at), found);
    check_rates(contact, found);
    if let Some(steps) = &contact.bit_error_rate {
        check_changes("bit error rate", contact, steps.changes.iter().map(|(at, _)| *at), found);
        if let Some(ratio) = steps.values().map(|r| r.get()).find(|r| *r >= 0.5) {
            found(Problem::AllErrors { ratio });
        }
    }
    check_light_time(contact, found);
}

fn check_changes(
    field: &'static str,
    contact: &Contact,
    changes: impl Iterator<Item = Instant>,
    found: &mut impl FnMut(Problem),
) {
    let mut before = contact.start;
    for at in changes {
        if at <= before || at >= contact.end {
            found(Problem::Change { field, at });
        }
        before = at;
    }
}

fn check_rates(contact: &Contact, found: &mut impl FnMut(Problem)) {
    for (at, _, rate) in contact.rate.spans(contact.start, contact.end) {
        match rate.bps() {
            Some(0) => found(Problem::Silent { at }),
            Some(bps) if bps < 8 => found(Problem::SlowRate { bps }),
            Some(bps) if bps > FAST_BPS => found(Problem::FastRate { rate: *rate }),
            _ => {}
        }
    }
}

fn check_light_time(contact: &Contact, found: &mut impl FnMut(Problem)) {
    let pieces = contact.light_time.pieces();
    let nanos = |t: Instant| i128::from(t.as_nanos());
    let falls = |from: Duration, to: Duration| i128::from(from.as_nanos()) - i128::from(to.as_nanos());
    for piece in pieces {
        if piece.end <= piece.start {
            found(Problem::LightTimeTwice { at: piece.start });
        }
        for (at, light_time) in [(piece.start, piece.first), (piece.end, piece.last)] {
            if light_time.is_negative() {
                found(Problem::NegativeLightTime { at });
                break;
            }
        }
        if falls(piece.first, piece.last) > nanos(piece.end) - nanos(piece.start) {
            found(Problem::Overtaking { from: piece.start, to: piece.end });
        }
    }
    for pair in pieces.windows(2).filter(|pair| pair[1].start < pair[0].end) {
        found(Problem::LightTimeTwice { at: pair[1].start });
    }
    if let Some(light_time) = contact.light_time.max().filter(|lt| *lt > FAR_AWAY) {
        found(Problem::FarAway { light_time });
    }
    for (from, to) in contact.light_time.gaps(contact.start, contact.end) {
        found(Problem::LightTimeUnknown { from, to });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LightTime, Piece, Steps};
    use farlink_units::Ratio;

    fn s(secs: i64) -> Instant {
        Instant::from_nanos(secs * 1_000_000_000)
    }

    fn contact(from: u64, to: u64, start: i64, end: i64) -> Contact {
        let mut contact = Contact::new(NodeId::ipn(from), NodeId::ipn(to), s(start), s(end));
        contact.rate = Steps::constant(Rate::Limited(8000));
        contact.light_time = LightTime::constant(s(start), s(end), Duration::from_secs(1));
        contact
    }

    /// A plan of one contact that `change` has changed, beside a way back that lasts.
    fn problems(change: impl Fn(&mut Contact)) -> Vec<Problem> {
        let mut plan = ContactPlan::new(None, vec![contact(1, 2, 10, 100), contact(2, 1, 0, 1000)]);
        change(&mut plan.contacts[1]);
        plan.contacts.retain(|c| c.from != c.to || c.from == NodeId::ipn(1));
        let return_path = |f: &Finding| matches!(f.problem, Problem::LateForReturn { .. }) && f.contact == 0;
        plan.validate().into_iter().filter(|f| !return_path(f)).map(|f| f.problem).collect()
    }

    #[test]
    fn a_sound_plan_has_no_findings() {
        assert_eq!(problems(|_| {}), []);
    }

    #[test]
    fn each_kind_of_nonsense_is_found() {
        assert_eq!(problems(|c| c.end = s(10))[0], Problem::Empty);
        assert_eq!(problems(|c| c.end = s(5))[0], Problem::Empty);
        assert_eq!(problems(|c| c.to = NodeId::ipn(1))[0], Problem::Loop);
        assert_eq!(problems(|c| c.confidence = Ratio::default()), [Problem::Impossible]);
        for at in [10, 100, 200] {
            let found = problems(|c| c.rate.changes = vec![(s(at), Rate::Unlimited)]);
            assert_eq!(found[0], Problem::Change { field: "rate", at: s(at) });
        }
        let half = Ratio::new(0.5).unwrap();
        let found = problems(|c| c.bit_error_rate = Some(Steps { first: half, changes: vec![(s(5), half)] }));
        assert_eq!(found, [Problem::Change { field: "bit error rate", at: s(5) }, Problem::AllErrors { ratio: 0.5 },]);
    }

    #[test]
    fn impossible_light_times_are_found() {
        let light = |first, last| {
            let piece =
                Piece { start: s(10), end: s(100), first: Duration::from_secs(first), last: Duration::from_secs(last) };
            problems(move |c| c.light_time = LightTime::new(vec![piece]))
        };
        assert_eq!(light(-1, 5), [Problem::NegativeLightTime { at: s(10) }]);
        assert_eq!(light(100, 9), [Problem::Overtaking { from: s(10), to: s(100) }]);
        assert_eq!(light(100, 10), []);
        assert_eq!(light(60_000, 60_000)[0], Problem::FarAway { light_time: Duration::from_secs(60_000) });
        let twice = [(10, 60), (50, 100)].map(|(a, b)| Piece::constant(s(a), s(b), Duration::from_secs(1)));
        assert_eq!(
            problems(|c| c.light_time = LightTime::new(twice.to_vec())),
            [Problem::LightTimeTwice { at: s(50) }]
        );
        let late = LightTime::constant(s(20), s(90), Duration::from_secs(1));
        assert_eq!(
            problems(|c| c.light_time = late.clone()),
            [
                Problem::LightTimeUnknown { from: s(10), to: s(20) },
                Problem::LightTimeUnknown { from: s(90), to: s(100) },
            ]
        );
    }

    #[test]
    fn rates_in_a_wrong_unit_are_doubted() {
        assert_eq!(problems(|c| c.rate.first = Rate::Limited(0)), [Problem::Silent { at: s(10) }]);
        assert_eq!(problems(|c| c.rate.first = Rate::Limited(2)), [Problem::SlowRate { bps: 2 }]);
        let fast = Rate::Limited(1 << 60);
        assert_eq!(problems(|c| c.rate.first = fast), [Problem::FastRate { rate: fast }]);
    }

    #[test]
    fn overlaps_are_found_in_one_direction_only() {
        let plan = ContactPlan::new(
            None,
            vec![
                contact(1, 2, 0, 100),
                contact(1, 2, 10, 20),
                contact(1, 2, 50, 60),
                contact(1, 2, 100, 110),
                contact(2, 1, 0, 1000),
            ],
        );
        let found: Vec<_> = plan.validate().into_iter().filter(|f| f.severity() == Severity::Error).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|f| f.problem == Problem::Overlap { other: 0, until: s(100) }));
        assert!(!plan.is_sound());
    }

    #[test]
    fn a_way_back_must_outlast_the_light_time() {
        let plan = ContactPlan::new(None, vec![contact(1, 2, 0, 100), contact(2, 1, 0, 100)]);
        let late = Problem::LateForReturn { after: s(99), until: s(100) };
        assert!(plan.validate().iter().all(|f| f.problem == late && f.severity() == Severity::Info));
        let plan = ContactPlan::new(None, vec![contact(1, 2, 0, 100)]);
        assert_eq!(plan.validate()[0].problem, Problem::NoReturn);
    }
}
