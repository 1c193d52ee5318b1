//! What a run comes to.

use farlink_record::counters::{RunCounters, Tally};
use farlink_record::results::{Case, ChannelResult, DelayResult, Results, Timing, TrafficResult, Verdict};
use farlink_record::{Header, recording::RecordingDigest};
use farlink_scenario::Tolerance;
use farlink_units::{Duration, Instant};

use crate::prepare::Sending;

/// What has become of one item of traffic so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    pub(crate) started: Option<Instant>,
    pub(crate) refused: Option<String>,
    pub(crate) arrived: Option<Instant>,
    pub(crate) sha256_received: Option<String>,
    pub(crate) intact: bool,
    pub(crate) file: Option<String>,
    pub(crate) reported: Option<Instant>,
    pub(crate) reports: Vec<String>,
}

/// What is known when the run ends, whichever way.
pub(crate) struct Outcome<'a> {
    pub(crate) header: &'a Header,
    pub(crate) sendings: &'a [Sending],
    pub(crate) fates: &'a [Fate],
    pub(crate) counters: &'a RunCounters,
    /// What each channel itself has under way, to compare with what the counters say.
    pub(crate) under_way: &'a [Tally],
    pub(crate) digest: Option<RecordingDigest>,
    pub(crate) interrupted: bool,
    pub(crate) ended_at: Instant,
    pub(crate) timing: Option<Timing>,
    pub(crate) tolerance: Option<Tolerance>,
}

impl Outcome<'_> {
    pub(crate) fn results(&self) -> Results {
        let header = self.header;
        let channels = self.channels();
        let mut cases: Vec<Case> = Vec::new();
        for (sending, fate) in self.sendings.iter().zip(self.fates) {
            cases.push(self.arrival(sending, fate));
            if sending.report {
                cases.push(self.report(sending, fate));
            }
        }
        if let Some((tolerance, timing)) = self.tolerance.as_ref().zip(self.timing.as_ref()) {
            let why = beyond(tolerance, timing);
            if let Some(why) = &why {
                spoil(&mut cases, why);
            }
            let (verdict, message) = match why {
                Some(why) => (Verdict::Inconclusive, why),
                None => {
                    (Verdict::Pass, format!("nothing was later than tolerated, of {} things to do", timing.samples))
                }
            };
            cases.push(Case { id: "clock".into(), suite: "timing".into(), verdict, message, at_ns: None });
        }
        cases.extend(channels.iter().map(accounting));
        let name = |node: farlink_record::NodeId| header.nodes[usize::from(node.0)].name.clone();
        Results {
            farlink: header.farlink.clone(),
            scenario: header.scenario.clone(),
            seed: header.seed,
            epoch: header.epoch.clone(),
            clock: header.clock.clone(),
            interrupted: self.interrupted,
            ended_at_ns: self.ended_at.as_nanos(),
            recording_sha256: self.digest.as_ref().map_or_else(String::new, |d| d.sha256.clone()),
            recording_events: self.digest.as_ref().map_or(0, |d| d.events),
            cases,
            channels,
            traffic: self
                .sendings
                .iter()
                .zip(self.fates)
                .map(|(sending, fate)| TrafficResult {
                    name: sending.name.clone(),
                    from: name(sending.from),
                    to: name(sending.to),
                    bytes: sending.bytes,
                    sha256_sent: sending.sha256.clone(),
                    sha256_received: fate.sha256_received.clone(),
                    intact: fate.intact,
                    started_ns: sending.at.as_nanos(),
                    arrived_ns: fate.arrived.map(Instant::as_nanos),
                    file: fate.file.clone(),
                    reports: fate.reports.clone(),
                })
                .collect(),
            timing: self.timing,
            emulator: None,
        }
    }

    fn channels(&self) -> Vec<ChannelResult> {
        let channels = self.header.channels.iter().zip(&self.counters.channels).zip(self.under_way);
        channels
            .map(|((info, counters), under_way)| {
                // The sums are kept from the events, what is under way is counted in the channel's own store: that they
                // agree is what "nothing is lost without being counted" means.
                let balanced = counters.balanced() && counters.in_flight() == *under_way;
                ChannelResult {
                    name: info.name.clone(),
                    link: info.link.clone(),
                    sent: counters.sent,
                    copied: counters.copied,
                    delivered: counters.delivered,
                    delivered_damaged: counters.delivered_damaged,
                    lost: counters.lost.clone(),
                    in_flight: if counters.balanced() { counters.in_flight() } else { *under_way },
                    delays: DelayResult::new(&counters.delays),
                    balanced,
                }
            })
            .collect()
    }

    /// What to say of something that has not come: it is too early to tell if the run was cut short.
    fn missing(&self) -> Verdict {
        if self.interrupted { Verdict::Inconclusive } else { Verdict::Fail }
    }

    fn arrival(&self, sending: &Sending, fate: &Fate) -> Case {
        let late = |at: Instant| sending.arrives_by.filter(|by| at > *by);
        let (verdict, message) = match (fate.arrived, &fate.refused) {
            (_, Some(reason)) => {
                (Verdict::Fail, format!("expected: {} bytes sent; actual: refused, {reason}", sending.bytes))
            }
            (Some(at), _) if !fate.intact => {
                let received = fate.sha256_received.as_deref().unwrap_or("none");
                (Verdict::Fail, format!("expected: SHA-256 {}; actual: {received}, at {at}", sending.sha256))
            }
            (Some(at), _) => match late(at) {
                Some(by) => (Verdict::Fail, format!("expected: whole by {by}; actual: whole at {at}")),
                None => (
                    Verdict::Pass,
                    format!("{} bytes arrived whole at {at}, SHA-256 {}", sending.bytes, sending.sha256),
                ),
            },
            (None, _) => {
                let end = self.ended_at;
                (
                    self.missing(),
                    format!("expected: {} bytes, whole; actual: not whole when the run ended at {end}", sending.bytes),
                )
            }
        };
        let at_ns = fate.arrived.map(Instant::as_nanos);
        Case { id: format!("{}.arrives", sending.name), suite: "traffic".into(), verdict, message, at_ns }
    }

    fn report(&self, sending: &Sending, fate: &Fate) -> Case {
        let (verdict, message) = match fate.reported {
            Some(at) => (Verdict::Pass, format!("the delivery report was back at {at}")),
            None => (self.missing(), format!("expected: a delivery report; actual: none by {}", self.ended_at)),
        };
        let at_ns = fate.reported.map(Instant::as_nanos);
        Case { id: format!("{}.delivery-report", sending.name), suite: "traffic".into(), verdict, message, at_ns }
    }
}

/// What was late, if it was later than tolerated, in words.
pub(crate) fn beyond(tolerance: &Tolerance, timing: &Timing) -> Option<String> {
    let late = |ns: u64| Duration::from_nanos(i64::try_from(ns).unwrap_or(i64::MAX));
    let (p99, max) = (late(timing.p99_ns), late(timing.max_ns));
    let mut told = Vec::new();
    if let Some(most) = tolerance.p99.filter(|most| p99 > *most) {
        told.push(format!("expected: 99 % at most {most} late; actual: {p99}"));
    }
    if let Some(most) = tolerance.max.filter(|most| max > *most) {
        told.push(format!("expected: nothing later than {most}; actual: {max}"));
    }
    (!told.is_empty()).then(|| told.join("; "))
}

/// What the bench judged, and could not judge since it was late itself, is undecided.
fn spoil(cases: &mut [Case], why: &str) {
    for case in cases.iter_mut().filter(|case| matches!(case.verdict, Verdict::Pass | Verdict::Fail)) {
        let verdict = if case.verdict == Verdict::Pass { "pass" } else { "fail" };
        case.message = format!("the bench was late itself, or this were a {verdict} ({why}): {}", case.message);
        case.verdict = Verdict::Inconclusive;
    }
}

pub(crate) fn accounting(channel: &ChannelResult) -> Case {
    let lost: u64 = channel.lost.values().map(|t| t.frames).sum();
    let copies = match channel.copied.frames {
        0 => String::new(),
        copies => format!(" and {copies} copies"),
    };
    let message = format!(
        "{} frames in{copies} = {} delivered + {lost} lost + {} in flight",
        channel.sent.frames, channel.delivered.frames, channel.in_flight.frames
    );
    let (verdict, message) = if channel.balanced {
        (Verdict::Pass, message)
    } else {
        (Verdict::BenchError, format!("the counts do not add up, so nothing this run says can be trusted: {message}"))
    };
    Case { id: channel.name.clone(), suite: "accounting".into(), verdict, message, at_ns: None }
}

#[cfg(test)]
mod tests {
    use farlink_record::{ChannelId, ChannelInfo, Event, NodeId, NodeInfo};

    use super::*;

    fn header() -> Header {
        let node = |name: &str| NodeInfo { name: name.into(), eid: String::new() };
        let channel = ChannelInfo {
            name: "a→b".into(),
            link: "l".into(),
            from: NodeId(0),
            to: NodeId(1),
            rate_bps: 1,
            rates: Vec::new(),
            ber: 0.0,
            contacts: Vec::new(),
        };
        Header {
            format: Header::FORMAT.into(),
            version: Header::VERSION,
            farlink: String::new(),
            scenario: "s".into(),
            scenario_sha256: String::new(),
            seed: 1,
            epoch: "2026-12-15T00:00:00Z".into(),
            duration: farlink_units::Duration::from_secs(1).into(),
            clock: "virtual".into(),
            nodes: vec![node("a"), node("b")],
            channels: vec![channel],
            traffic: Vec::new(),
        }
    }

    fn results(under_way: Tally) -> Results {
        let header = header();
        let mut counters = RunCounters::new(&header);
        counters.apply(&Event::FrameSent { channel: ChannelId(0), frame: 0, bytes: 100, start: Instant::ZERO });
        Outcome {
            header: &header,
            sendings: &[],
            fates: &[],
            counters: &counters,
            under_way: &[under_way],
            digest: None,
            interrupted: false,
            ended_at: Instant::ZERO,
            timing: None,
            tolerance: None,
        }
        .results()
    }

    #[test]
    fn a_frame_that_is_in_the_channel_is_accounted_for() {
        let results = results(Tally::frame(100));
        assert_eq!((results.cases[0].verdict, results.exit_code()), (Verdict::Pass, 0));
    }

    #[test]
    fn a_bench_that_was_later_than_tolerated_decides_nothing() {
        let us = |us: i64| Some(Duration::from_nanos(us * 1000));
        let timing = Timing { p50_ns: 1, p99_ns: 200_000, p999_ns: 300_000, max_ns: 400_000, samples: 9 };
        for (tolerance, fits) in [
            (Tolerance { p99: us(200), max: us(400) }, true),
            (Tolerance { p99: us(199), max: None }, false),
            (Tolerance { p99: None, max: us(399) }, false),
        ] {
            assert_eq!(beyond(&tolerance, &timing).is_none(), fits, "{tolerance:?}");
        }
        let case =
            |verdict| Case { id: "x".into(), suite: "traffic".into(), verdict, message: "m".into(), at_ns: None };
        let mut cases = [Verdict::Pass, Verdict::Fail, Verdict::Timeout].map(case);
        spoil(&mut cases, "late");
        assert_eq!(cases.map(|c| c.verdict), [Verdict::Inconclusive, Verdict::Inconclusive, Verdict::Timeout]);
    }

    #[test]
    fn a_frame_that_has_vanished_or_shrunk_fails_the_run() {
        for under_way in [Tally::default(), Tally::frame(99)] {
            let results = results(under_way);
            assert_eq!((results.cases[0].verdict, results.exit_code()), (Verdict::BenchError, 2));
            assert!(results.cases[0].message.contains("do not add up"));
        }
    }
}
