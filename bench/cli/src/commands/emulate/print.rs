//! What `farlink emulate` prints.

use farlink_record::LossCause;
use farlink_record::instrument::{ChannelState, PortState, Snapshot};
use farlink_record::results::{DelayPart, DelayResult, Results, Verdict};
use farlink_units::{BitRate, Duration};

/// The rate in words; nothing is as fast as the rate that stands for none.
pub fn rate(bps: Option<u64>) -> String {
    match bps.map(BitRate::from_bps) {
        Some(Some(BitRate::UNLIMITED)) => "no rate limit".to_owned(),
        Some(Some(rate)) => rate.to_string(),
        _ => "silent".to_owned(),
    }
}

/// What a channel is, before it carries.
pub fn opening(channel: &ChannelState, ber: f64) -> String {
    let light_time = Duration::from(channel.light_time);
    let rate = rate(channel.rate_bps);
    format!(
        "{}: {} → {}, {rate}, light time {light_time}, bit error ratio {ber:e}",
        channel.name, channel.from, channel.to
    )
}

/// What it came to.
pub fn ending(results: &Results, snapshot: &Snapshot) {
    for channel in &snapshot.channels {
        counts(channel);
        lateness(channel);
    }
    for port in &snapshot.ports {
        if let Some(line) = port_line(port) {
            say!("{line}");
        }
    }
    if snapshot.unrecorded > 0 {
        say!("the recording lacks {} events: its disk could not follow", snapshot.unrecorded);
    }
    for case in results.cases.iter().filter(|case| case.verdict != Verdict::Pass) {
        say!("{} {}: {}", case.suite, case.id, case.message);
    }
}

fn counts(channel: &ChannelState) {
    let (name, counters) = (&channel.name, &channel.counters);
    let lost = |cause| counters.lost.get(&cause).map_or(0, |tally| tally.frames);
    let usual = [LossCause::BitErrors, LossCause::QueueFull, LossCause::BadLength];
    let rare = LossCause::ALL.into_iter().filter(|cause| !usual.contains(cause) && lost(*cause) > 0);
    let rare: String = rare.map(|cause| format!(" + {} {}", lost(cause), cause.as_str())).collect();
    let copied = match counters.copied.frames {
        0 => String::new(),
        copies => format!(" and {copies} copies"),
    };
    say!(
        "{name}: {} frames in{copied} = {} delivered + {} lost to bit errors + {} to a full queue + {} of bad length{rare} \
         + {} in flight",
        counters.sent.frames,
        counters.delivered.frames,
        lost(LossCause::BitErrors),
        lost(LossCause::QueueFull),
        lost(LossCause::BadLength),
        channel.in_flight.frames
    );
    if let Some(d) = DelayResult::new(&counters.delays) {
        let mean = |part: DelayPart| Duration::from_nanos(part.mean_ns);
        say!(
            "{name}: {} queueing + {} serialisation + {} light time (means)",
            mean(d.queueing),
            mean(d.serialisation),
            mean(d.propagation)
        );
    }
}

fn lateness(channel: &ChannelState) {
    let late = |ns: u64| Duration::from_nanos(i64::try_from(ns).unwrap_or(i64::MAX));
    let timing = channel.lateness;
    if timing.samples == 0 {
        return;
    }
    say!(
        "{}: late by {} (median), {} (99 %), {} (99.9 %), {} (worst)",
        channel.name,
        late(timing.p50_ns),
        late(timing.p99_ns),
        late(timing.p999_ns),
        late(timing.max_ns)
    );
    for cause in &channel.late_because {
        say!("{}: {} late by up to {}: {}", channel.name, cause.frames, late(cause.max_ns), cause.cause.as_str());
    }
}

/// What happened to a port, if anything did.
fn port_line(port: &PortState) -> Option<String> {
    let mut parts = Vec::new();
    let mut tell = |count: u64, what: &str| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    tell(port.downs, "times down");
    tell(port.unreadable, "times unreadable");
    tell(port.overrun_frames, "frames dropped by the system");
    tell(port.lost_frames, "frames lost as it went down");
    tell(port.refused, "frames refused");
    (!parts.is_empty()).then(|| format!("{}: {}", port.name, parts.join(", ")))
}
