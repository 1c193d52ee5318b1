//! The LTP cases hold for every node that conforms, not only for one that behaves as the built-in node does by default.
#![allow(missing_docs)]

#[allow(dead_code, reason = "the tests of the suites share more than is needed here")]
mod common;

use std::collections::BTreeMap;

use common::{line, of};
use farlink_conformance::builtin::{Builtin, simulated};
use farlink_conformance::medium::{Simulated, SimulatedConfig, Unable};
use farlink_conformance::mutants::{Frame, Mutated, Mutation};
use farlink_conformance::profile::Originate;
use farlink_conformance::run::{Options, Target, run};
use farlink_conformance::{Arrival, Door, Medium, Order, Outcome, Profile, Stream, Suite};
use farlink_engine::ltp::{ReportScope, SessionNumbers};
use farlink_engine::ranges::RangeSet;
use farlink_units::{Duration, Instant};
use farlink_wire::ltp::{Claim, Colour, Content, Segment, SessionId};

/// The built-in node, otherwise than usual.
struct Other {
    profiles: Vec<Profile>,
    change: fn(&mut SimulatedConfig),
    /// Whether it sends blocks of its own meanwhile.
    busy: bool,
    /// Whether one case after the other runs on the same node.
    kept: bool,
    running: Option<(usize, Busy)>,
    started: u64,
}

/// A node that sends a block of its own for every few datagrams that come.
struct Busy {
    node: Simulated,
    busy: bool,
    datagrams: u8,
}

impl Medium for Busy {
    fn now(&self) -> Instant {
        self.node.now()
    }

    fn send(&mut self, door: Door, octets: &[u8]) -> Result<(), Unable> {
        self.datagrams = self.datagrams.wrapping_add(1);
        if self.busy && self.datagrams % 5 == 1 {
            self.node.order(&Order::Originate {
                door: Door::Ltp,
                payload: vec![self.datagrams; 1500],
                lifetime: Duration::from_secs(3600),
                flags: 0,
                anonymous: false,
            })?;
        }
        self.node.send(door, octets)
    }

    fn connect(&mut self, door: Door) -> Result<Stream, Unable> {
        self.node.connect(door)
    }

    fn write(&mut self, stream: Stream, octets: &[u8]) -> Result<(), Unable> {
        self.node.write(stream, octets)
    }

    fn finish(&mut self, stream: Stream) {
        self.node.finish(stream);
    }

    fn reset(&mut self, stream: Stream) {
        self.node.reset(stream);
    }

    fn set_reading(&mut self, stream: Stream, reading: bool) {
        self.node.set_reading(stream, reading);
    }

    fn set_listening(&mut self, door: Door, listening: bool) {
        self.node.set_listening(door, listening);
    }

    fn next(&mut self, until: Instant) -> Option<Arrival> {
        self.node.next(until)
    }

    fn order(&mut self, order: &Order) -> Result<(), Unable> {
        self.node.order(order)
    }
}

impl Target for Other {
    fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    fn medium(&mut self, configuration: usize) -> Result<&mut dyn Medium, String> {
        let kept = self.running.take().filter(|(other, _)| self.kept && *other == configuration);
        self.started += 1;
        let (_, node) = self.running.insert(kept.unwrap_or_else(|| {
            let mut config = simulated(&self.profiles[configuration], self.started);
            (self.change)(&mut config);
            (configuration, Busy { node: Simulated::new(config), busy: self.busy, datagrams: 0 })
        }));
        Ok(node)
    }

    fn can_restart(&self) -> bool {
        true
    }

    fn stop(&mut self) {
        self.running = None;
    }
}

/// Every case holds, busy or not, with a node of its own or not. Ids in `besides` may come out otherwise.
fn holds(change: fn(&mut SimulatedConfig), describe: fn(&mut Profile), besides: &[&str]) {
    for (busy, kept) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut profiles = Builtin::new(1).profiles().to_vec();
        profiles.iter_mut().for_each(describe);
        let mut node = Other { profiles, change, busy, kept, running: None, started: 0 };
        let wrong: Vec<String> = run(&of(Suite::Ltp), &mut node, Options::default(), |_| {}, || false)
            .iter()
            .filter(|run| !run.outcome.is_met(true) && run.outcome != Outcome::Unsupported)
            .filter(|run| !besides.contains(&run.case.id))
            .map(line)
            .collect();
        assert!(wrong.is_empty(), "busy {busy}, kept {kept}:\n{}", wrong.join("\n"));
    }
}

fn as_usual(_: &mut Profile) {}

#[test]
fn that_has_other_traffic_and_goes_on_from_case_to_case() {
    holds(|_| {}, as_usual, &[]);
}

#[test]
fn that_is_made_to_send_by_relaying() {
    holds(|_| {}, |profile| profile.originate = Originate::Relayed, &[]);
}

#[test]
fn that_sends_discretionary_checkpoints() {
    holds(|config| config.node.neighbours.iter_mut().for_each(|n| n.ltp.checkpoint_every = Some(2500)), as_usual, &[]);
}

#[test]
fn that_withholds_reports_and_splits_them() {
    holds(
        |config| {
            for neighbour in &mut config.node.neighbours {
                neighbour.ltp.report_scope = ReportScope::Withheld;
                neighbour.ltp.max_claims = 20;
                neighbour.ltp.checkpoint_every = Some(900);
            }
        },
        as_usual,
        &[],
    );
}

#[test]
fn that_aggregates_bundles_and_numbers_sessions_with_64_bits() {
    holds(
        |config| {
            config.node.engine.session_numbers = SessionNumbers::Bits64;
            for neighbour in &mut config.node.neighbours {
                neighbour.aggregation = Some((20_000, Duration::from_millis(100)));
            }
        },
        as_usual,
        &[],
    );
}

#[test]
fn that_sends_long_or_short_segments() {
    let long = ["UDPCL-3.1.2-01", "UDPCL-3.3-02"];
    holds(|config| config.node.neighbours.iter_mut().for_each(|n| n.ltp.segment_size = 60_000), as_usual, &long);
    holds(|config| config.node.neighbours.iter_mut().for_each(|n| n.ltp.segment_size = 200), as_usual, &[]);
}

/// Takes nearly as long as its description allows.
struct Slow;

impl Mutation for Slow {
    fn sends(&mut self, now: Instant, frame: Frame) -> Mutated {
        Mutated { later: vec![(now + Duration::from_millis(90), frame)], ..Mutated::default() }
    }
}

#[test]
fn that_is_slow() {
    holds(|config| config.mutation = Some(Box::new(Slow)), as_usual, &[]);
}

/// Holds back reports that tell of gaps, as a node does that waits for segments out of order.
struct Deferring;

impl Mutation for Deferring {
    fn sends(&mut self, now: Instant, frame: Frame) -> Mutated {
        let gaps = match Segment::parse(&frame.octets) {
            Ok((Segment { content: Content::Report(report), .. }, _)) => {
                let scope = report.upper_bound - report.lower_bound;
                report.claims != [Claim { offset: 0, length: scope }]
            }
            _ => false,
        };
        match gaps {
            true => Mutated { later: vec![(now + Duration::from_millis(250), frame)], ..Mutated::default() },
            false => frame.into(),
        }
    }
}

#[test]
fn that_defers_reports_of_gaps() {
    holds(
        |config| config.mutation = Some(Box::new(Deferring)),
        |profile| {
            if let Some(ltp) = &mut profile.ltp {
                ltp.defer = Duration::from_millis(250);
            }
        },
        &[],
    );
}

/// Begins every report at zero, as §6.11 allows.
#[derive(Default)]
struct FromZero {
    received: BTreeMap<SessionId, RangeSet>,
}

impl Mutation for FromZero {
    fn hears(&mut self, _: Instant, frame: Frame) -> Mutated {
        if let Ok((segment, _)) = Segment::parse(&frame.octets)
            && let Content::Data(data) = &segment.content
            && data.kind.colour() == Colour::Red
        {
            self.received.entry(segment.session).or_default().insert(data.offset..data.end());
        }
        frame.into()
    }

    fn sends(&mut self, _: Instant, frame: Frame) -> Mutated {
        let Ok((mut segment, _)) = Segment::parse(&frame.octets) else { return frame.into() };
        // Extensions authenticate the segment as it is.
        let plain = segment.trailer_extensions.is_empty();
        let (Content::Report(report), Some(received), true) =
            (&mut segment.content, self.received.get(&segment.session), plain)
        else {
            return frame.into();
        };
        // What belongs to several segments stays as it is.
        if report.claims.len() < 20 {
            report.lower_bound = 0;
            let claim = |r: std::ops::Range<u64>| Claim { offset: r.start, length: r.end - r.start };
            report.claims = received.within(0..report.upper_bound).map(claim).collect();
        }
        let mut octets = Vec::new();
        segment.emit(&mut octets);
        Frame { octets: octets.into(), ..frame }.into()
    }
}

#[test]
fn that_begins_every_report_at_zero() {
    holds(|config| config.mutation = Some(Box::new(FromZero::default())), as_usual, &[]);
}
