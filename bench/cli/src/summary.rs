//! What a run comes to, for people.

use std::path::Path;

use farlink_record::LossCause;
use farlink_record::results::{DelayPart, Results, Verdict};
use farlink_units::{Duration, Instant};

/// Prints where the time of delivered frames went: of each part the mean and the longest.
fn print_delays(results: &Results, width: usize) {
    let delays: Vec<_> = results.channels.iter().filter_map(|c| c.delays.map(|d| (&c.name, d))).collect();
    if delays.is_empty() {
        return;
    }
    let part = |part: DelayPart| {
        let [mean, max] = [part.mean_ns, part.max_ns].map(|ns| Duration::from_nanos(ns).to_string());
        format!("{mean} / {max}")
    };
    say!("{:width$}  {:>23}  {:>23}  {:>23}", "delay (mean / max)", "queueing", "serialisation", "propagation");
    for (name, d) in delays {
        let [queueing, serialisation, propagation] = [d.queueing, d.serialisation, d.propagation].map(part);
        say!("{name:width$}  {queueing:>23}  {serialisation:>23}  {propagation:>23}");
    }
    say!();
}

/// Prints verdicts, channels and where to look further. Colour only repeats what the words say.
pub fn print_summary(results: &Results, folder: &Path, colour: bool) {
    say!();
    for case in &results.cases {
        let word = case.verdict.as_str();
        let shown = match (colour, case.verdict) {
            (true, Verdict::Pass) => format!("\x1b[32m{word}\x1b[0m"),
            (true, _) => format!("\x1b[31m{word}\x1b[0m"),
            (false, _) => word.to_string(),
        };
        let pad = " ".repeat(12usize.saturating_sub(word.len()));
        say!("{shown}{pad} {}/{}: {}", case.suite, case.id, case.message);
    }
    say!();
    let width = results.channels.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max(18);
    say!("{:width$}  {:>9}  {:>9}  {:>9}  {:>9}  lost", "channel", "frames in", "delivered", "lost", "in flight");
    for channel in &results.channels {
        let lost: u64 = channel.lost.values().map(|t| t.frames).sum();
        let causes: Vec<String> = LossCause::ALL
            .iter()
            .filter_map(|cause| channel.lost.get(cause).map(|t| (cause, t.frames)))
            .filter(|(_, frames)| *frames > 0)
            .map(|(cause, frames)| format!("{frames} {}", cause.as_str()))
            .collect();
        say!(
            "{:width$}  {:>9}  {:>9}  {:>9}  {:>9}  {}",
            channel.name,
            channel.sent.frames,
            channel.delivered.frames,
            lost,
            channel.in_flight.frames,
            if causes.is_empty() { "-".to_string() } else { causes.join(", ") }
        );
    }
    say!();
    print_delays(results, width);
    if let Some(timing) = &results.timing {
        let late = |ns: u64| Duration::from_nanos(i64::try_from(ns).unwrap_or(i64::MAX));
        say!(
            "the wall clock was late by {} (median), {} (99 %), {} (worst) over {} events",
            late(timing.p50_ns),
            late(timing.p99_ns),
            late(timing.max_ns),
            timing.samples
        );
    }
    say!("ended at   {}", Instant::from_nanos(results.ended_at_ns));
    say!("recording  {} events, SHA-256 {}", results.recording_events, results.recording_sha256);
    say!("run folder {}", folder.display());
}
