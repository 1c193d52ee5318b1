//! What an emulation comes to.

use farlink_record::Header;
use farlink_record::instrument::{ChannelState, Snapshot};
use farlink_record::recording::RecordingDigest;
use farlink_record::results::{Case, ChannelResult, DelayResult, Results, Verdict};
use farlink_scenario::Tolerance;
use farlink_units::Duration;

use crate::verdicts::{accounting, beyond};

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// What ran.
    pub header: &'a Header,
    /// What it came to.
    pub snapshot: &'a Snapshot,
    /// The tolerance; without one lateness is told, but not judged.
    pub tolerance: Option<Tolerance>,
    /// What the recording comes to, if there is one.
    pub digest: Option<&'a RecordingDigest>,
}

/// Judges an emulation: every frame accounted for, every port of use, and time as it should be.
///
/// That the machine's time was disturbed, or that frames left later than tolerated, makes a case inconclusive: what the nodes
/// did then tells nothing of them.
pub fn judge(judged: &Judged<'_>) -> Results {
    let Judged { header, snapshot, tolerance, digest } = *judged;
    let channels: Vec<ChannelResult> =
        snapshot.channels.iter().zip(&header.channels).map(|(state, info)| result(state, &info.link)).collect();
    let mut cases: Vec<Case> = channels.iter().map(accounting).collect();
    cases.extend(snapshot.channels.iter().map(|channel| timing(channel, tolerance)));
    for port in &snapshot.ports {
        let (verdict, message) = match &port.failure {
            Some(failure) => (Verdict::BenchError, format!("expected: a port that carries; actual: {failure}")),
            None if port.overrun_frames > 0 => {
                let frames = port.overrun_frames;
                (
                    Verdict::BenchError,
                    format!("expected: every frame taken; actual: the system dropped {frames} before"),
                )
            }
            None if port.lost_frames > 0 => {
                let (downs, frames) = (port.downs, port.lost_frames);
                (
                    Verdict::Pass,
                    format!("it was down {downs} times, and {frames} frames that it had taken were lost with that"),
                )
            }
            None => (Verdict::Pass, format!("it was down {} times", port.downs)),
        };
        cases.push(case(&port.name, "ports", verdict, message));
    }
    let disturbed = &snapshot.disturbances;
    let told: Vec<String> = disturbed
        .iter()
        .map(|d| format!("{}, {} times, at worst {}", d.what.as_str(), d.times, Duration::from(d.worst)))
        .collect();
    let (verdict, message) = match told.as_slice() {
        [] => (Verdict::Pass, "the time of the machine ran as it should".to_owned()),
        told => (Verdict::Inconclusive, format!("expected: undisturbed time; actual: {}", told.join("; "))),
    };
    cases.push(case("clock", "timing", verdict, message));
    Results {
        farlink: header.farlink.clone(),
        scenario: header.scenario.clone(),
        seed: header.seed,
        epoch: header.epoch.clone(),
        clock: header.clock.clone(),
        interrupted: false,
        ended_at_ns: snapshot.at.as_nanos(),
        recording_sha256: digest.map_or_else(String::new, |digest| digest.sha256.clone()),
        recording_events: digest.map_or(0, |digest| digest.events),
        cases,
        channels,
        traffic: Vec::new(),
        timing: snapshot.channels.iter().map(|channel| channel.lateness).max_by_key(|timing| timing.max_ns),
        emulator: Some(snapshot.clone()),
    }
}

fn case(id: &str, suite: &str, verdict: Verdict, message: String) -> Case {
    Case { id: id.to_owned(), suite: suite.to_owned(), verdict, message, at_ns: None }
}

fn result(state: &ChannelState, link: &str) -> ChannelResult {
    let counters = &state.counters;
    ChannelResult {
        name: state.name.clone(),
        link: link.to_owned(),
        sent: counters.sent,
        copied: counters.copied,
        delivered: counters.delivered,
        delivered_damaged: counters.delivered_damaged,
        lost: counters.lost.clone(),
        in_flight: state.in_flight,
        delays: DelayResult::new(&counters.delays),
        balanced: state.balanced,
    }
}

fn timing(channel: &ChannelState, tolerance: Option<Tolerance>) -> Case {
    let late = |ns: u64| Duration::from_nanos(i64::try_from(ns).unwrap_or(i64::MAX));
    let timing = &channel.lateness;
    let (p99, max) = (late(timing.p99_ns), late(timing.max_ns));
    let causes: Vec<String> = channel
        .late_because
        .iter()
        .map(|cause| format!("{} {} (at worst {})", cause.frames, cause.cause.as_str(), late(cause.max_ns)))
        .collect();
    let because = if causes.is_empty() { String::new() } else { format!("; late for cause: {}", causes.join(", ")) };
    let actual = format!("99 % of {} frames at most {p99} late, the latest {max}{because}", timing.samples);
    let (verdict, message) = match tolerance.and_then(|tolerance| beyond(&tolerance, timing)) {
        Some(why) => (Verdict::Inconclusive, format!("{why}; {actual}")),
        None => (Verdict::Pass, actual),
    };
    case(&channel.name, "timing", verdict, message)
}

#[cfg(test)]
mod tests {
    use farlink_record::counters::Tally;
    use farlink_record::instrument::{DisturbanceState, PortState};
    use farlink_record::results::Timing;
    use farlink_record::{ChannelInfo, Disturbance, DurationNanos, NodeId};

    use super::*;

    fn header() -> Header {
        let channel = ChannelInfo {
            name: "forward".into(),
            link: "link".into(),
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
            scenario: "emulate".into(),
            scenario_sha256: String::new(),
            seed: 1,
            epoch: String::new(),
            duration: DurationNanos(0),
            clock: "wall".into(),
            nodes: Vec::new(),
            channels: vec![channel],
            traffic: Vec::new(),
        }
    }

    fn snapshot() -> Snapshot {
        let lateness = Timing { p50_ns: 10_000, p99_ns: 200_000, p999_ns: 300_000, max_ns: 400_000, samples: 1000 };
        let channel = ChannelState {
            name: "forward".into(),
            from: "udp:1".into(),
            to: "udp:2".into(),
            open: true,
            rate_bps: Some(1),
            light_time: DurationNanos(0),
            counters: farlink_record::counters::ChannelCounters::default(),
            in_flight: Tally::default(),
            balanced: true,
            by_hand: Vec::new(),
            faults: Vec::new(),
            lateness,
            late_because: Vec::new(),
        };
        let port = PortState { name: "udp:1".into(), up: true, ..PortState::default() };
        Snapshot { channels: vec![channel], ports: vec![port], ..Snapshot::default() }
    }

    fn verdicts(snapshot: &Snapshot, tolerance: Option<Tolerance>) -> Vec<(String, Verdict)> {
        let results = judge(&Judged { header: &header(), snapshot, tolerance, digest: None });
        results.cases.into_iter().map(|case| (format!("{}/{}", case.suite, case.id), case.verdict)).collect()
    }

    fn of(snapshot: &Snapshot, tolerance: Option<Tolerance>, id: &str) -> Verdict {
        verdicts(snapshot, tolerance).into_iter().find(|(case, _)| case == id).expect("the case is there").1
    }

    #[test]
    fn lateness_beyond_the_tolerance_decides_nothing() {
        let us = |us: i64| Duration::from_nanos(us * 1000);
        let timing = |tolerance| of(&snapshot(), tolerance, "timing/forward");
        assert_eq!(timing(None), Verdict::Pass);
        assert_eq!(timing(Some(Tolerance { p99: Some(us(200)), max: None })), Verdict::Pass);
        assert_eq!(timing(Some(Tolerance { p99: Some(us(199)), max: None })), Verdict::Inconclusive);
        assert_eq!(timing(Some(Tolerance { p99: Some(us(200)), max: Some(us(400)) })), Verdict::Pass);
        assert_eq!(timing(Some(Tolerance { p99: Some(us(200)), max: Some(us(399)) })), Verdict::Inconclusive);
    }

    #[test]
    fn disturbed_time_lost_frames_and_dead_ports_are_told() {
        assert!(verdicts(&snapshot(), None).iter().all(|(_, verdict)| *verdict == Verdict::Pass));
        let mut disturbed = snapshot();
        let slept = DisturbanceState { what: Disturbance::Suspended, times: 1, worst: DurationNanos(5_000_000_000) };
        disturbed.disturbances.push(slept);
        assert_eq!(of(&disturbed, None, "timing/clock"), Verdict::Inconclusive);
        let mut unbalanced = snapshot();
        unbalanced.channels[0].balanced = false;
        assert_eq!(of(&unbalanced, None, "accounting/forward"), Verdict::BenchError);
        let mut dead = snapshot();
        dead.ports[0].failure = Some("gone".into());
        assert_eq!(of(&dead, None, "ports/udp:1"), Verdict::BenchError);
        let mut flooded = snapshot();
        flooded.ports[0].overrun_frames = 1;
        assert_eq!(of(&flooded, None, "ports/udp:1"), Verdict::BenchError);
        let mut unplugged = snapshot();
        (unplugged.ports[0].downs, unplugged.ports[0].lost_frames) = (1, 3);
        let results = judge(&Judged { header: &header(), snapshot: &unplugged, tolerance: None, digest: None });
        let case = results.cases.iter().find(|case| case.suite == "ports").expect("the case is there");
        assert_eq!(case.verdict, Verdict::Pass);
        assert!(case.message.contains("3 frames that it had taken were lost"), "{}", case.message);
    }
}
