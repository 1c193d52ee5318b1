//! What people read of a conformance run.

use std::collections::BTreeMap;
use std::path::Path;

use farlink_conformance::results::{CaseResult, NodeResults, Results};
use farlink_conformance::{Case, Outcome};
use farlink_units::Duration;
use serde_json::json;

use super::Format;

/// Prints cases instead of running them.
pub fn list(cases: &[Case], format: Format) {
    match format {
        Format::Json => {
            let all: Vec<_> = cases
                .iter()
                .map(|case| {
                    let told = case.requirement();
                    json!({
                        "id": case.id, "suite": case.suite.as_str(), "section": told.section, "level": told.level.as_str(),
                        "worst": told.verdict.as_str(), "role": told.role, "tags": case.tags,
                        "needs": case.all_needs().collect::<Vec<_>>(), "requirement": told.requirement,
                    })
                })
                .collect();
            say!("{:#}", json!(all));
        }
        Format::Text => {
            for case in cases {
                let told = case.requirement();
                say!("{:<18} {:<12} {:<10} {}", case.id, told.section, told.level, told.requirement);
            }
            say!("{} cases", cases.len());
        }
    }
}

/// Prints what a node came to: each case that did not pass, then the counts.
pub fn node(results: &NodeResults, strict: bool) {
    if let Some(why) = &results.skipped {
        say!("  skipped: {why}");
        return;
    }
    for case in &results.cases {
        match case.outcome {
            Outcome::Pass | Outcome::Skipped => {}
            Outcome::Inform => say!("  inform {} ({}): {}", case.id, case.section, case.actual),
            _ => deviation(case, strict),
        }
        if case.outcome == Outcome::Pass {
            case.notes.iter().for_each(|note| say!("  note   {}: {note}", case.id));
        }
    }
    skipped(results);
    for (suite, counts) in results.counts() {
        let all: usize = counts.values().sum();
        say!("  {suite:<10} {all:>4} cases: {}", in_words(&counts));
    }
    let took = Duration::from_nanos(results.duration_ns).as_secs_f64();
    match results.clock.as_str() {
        "virtual" => say!("  {took:.1} s, virtual clock"),
        _ => {
            let off = results.timing_error_ns as f64 / 1e6;
            say!("  {took:.1} s, real time; the bench's own timing was off by {off:.1} ms at most");
        }
    }
}

fn deviation(case: &CaseResult, strict: bool) {
    let mark = if case.outcome.is_failure(strict) { "FAILED " } else { "" };
    say!();
    say!("  {mark}{} {} ({}, {}): {}", case.outcome.as_str(), case.id, case.section, case.level, case.requirement);
    if !case.expected.is_empty() {
        say!("    expected: {}", case.expected);
    }
    say!("    seen:     {}", case.actual);
    case.notes.iter().for_each(|note| say!("    note:     {note}"));
    case.ladder.iter().for_each(|line| say!("    {line}"));
    if let Some(rerun) = &case.rerun {
        say!("    again:    {rerun}");
    }
    say!();
}

/// Skipped cases, together by reason.
fn skipped(results: &NodeResults) {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for case in results.cases.iter().filter(|case| case.outcome == Outcome::Skipped) {
        reasons.entry(&case.actual).or_default().push(&case.id);
    }
    for (why, ids) in reasons {
        say!("  skipped {} ({}): {why}", ids.len(), ids.join(", "));
    }
}

fn in_words(counts: &BTreeMap<Outcome, usize>) -> String {
    let parts: Vec<String> = counts.iter().map(|(outcome, count)| format!("{count} {}", outcome.as_str())).collect();
    parts.join(", ")
}

/// Prints where everything is, and a matrix if there are several nodes.
pub fn end(results: &Results, folder: &Path) {
    if results.nodes.len() > 1 {
        matrix(results);
    }
    say!("results: {}", folder.display());
}

fn matrix(results: &Results) {
    let mut suites: Vec<String> = Vec::new();
    for (suite, _) in results.nodes.iter().flat_map(NodeResults::counts) {
        if !suites.contains(&suite) {
            suites.push(suite);
        }
    }
    let head: String = suites.iter().map(|suite| format!("{suite:>14}")).collect();
    say!("{:<20}{head}", "met of judged");
    for node in &results.nodes {
        let counts: BTreeMap<String, BTreeMap<Outcome, usize>> = node.counts().into_iter().collect();
        let row: String = suites
            .iter()
            .map(|suite| {
                let empty = BTreeMap::new();
                let counts = counts.get(suite).unwrap_or(&empty);
                let met: usize = counts.iter().filter(|(o, _)| o.is_met(results.strict)).map(|(_, n)| n).sum();
                let tried: usize = counts
                    .iter()
                    .filter(|(o, _)| !matches!(o, Outcome::Skipped | Outcome::Unsupported))
                    .map(|(_, n)| n)
                    .sum();
                let cell = if tried == 0 { "–".to_owned() } else { format!("{met}/{tried}") };
                format!("{cell:>14}")
            })
            .collect();
        say!("{:<20}{row}", node.name);
    }
}
