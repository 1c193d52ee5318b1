//! What a run comes to, for people.

use std::path::Path;

use farlink_record::LossCause;
use farlink_record::results::{Results, Verdict};
use farlink_units::{Duration, Instant};

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
    let width = results.channels.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max(7);
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
