//! What a sweep comes to, for people.

use farlink_throughput::baseline::{Comparison, Finding};
use farlink_throughput::report::shown;
use farlink_throughput::{Outcome, builtin};

/// The sweeps that come with Farlink.
pub fn list() {
    for (name, _) in builtin::SWEEPS {
        match builtin::sweep(name) {
            Some(Ok(sweep)) => {
                let points = farlink_throughput::plan(&sweep).points.len();
                say!("{name:<10} {points:>4} points  {}", sweep.title);
            }
            _ => complain!("error: the sweep `{name}` is wrong"),
        }
    }
}

/// A table of the points, and the comparison if there is one.
pub fn outcome(outcome: &Outcome, colour: bool) {
    let width = outcome.points.iter().map(|point| point.id.chars().count()).max().unwrap_or(0).max(5);
    say!("{}: {}, {} repetitions, seed {}", outcome.sweep, outcome.title, outcome.repeat, outcome.seed);
    say!();
    say!(
        "{:width$}  {:12}  {:>14}  {:>14}  {:>14}  bound by",
        "point",
        "verdict",
        "measured",
        "bound",
        "measured/bound"
    );
    for point in &outcome.points {
        let word = point.verdict.as_str();
        let pad = " ".repeat(12usize.saturating_sub(word.len()));
        let word = match (colour, point.verdict.is_met()) {
            (true, true) => format!("\x1b[32m{word}\x1b[0m"),
            (true, false) => format!("\x1b[31m{word}\x1b[0m"),
            (false, _) => word.to_owned(),
        };
        let id = format!("{}{}", point.id, " ".repeat(width - point.id.chars().count()));
        match &point.headline {
            Some(headline) => say!(
                "{id}  {word}{pad}  {:>14}  {:>14}  {:>6.1} % ± {:<4.1}  {}",
                shown(&headline.figure, headline.measured),
                shown(&headline.figure, headline.bound),
                100.0 * headline.share,
                100.0 * headline.share_error,
                if point.message.is_empty() { &headline.because } else { &point.message }
            ),
            None => say!("{id}  {word}{pad}  {:>14}  {:>14}  {:>14}  {}", "-", "-", "-", point.message),
        }
    }
    if let Some(comparison) = &outcome.comparison {
        say!();
        compared(comparison);
    }
}

fn compared(comparison: &Comparison) {
    let worse = comparison.regressions().count();
    let better = comparison.rows.iter().filter(|row| row.finding == Finding::Better).count();
    say!("beside {}: {worse} of {} figures are worse, {better} better", comparison.baseline, comparison.tests);
    for row in comparison.rows.iter().filter(|row| row.finding != Finding::Same) {
        say!(
            "{:6}  {} of {}: {} before, {} now ({:+.1} %, p = {:.1e})",
            row.finding.as_str(),
            row.figure,
            row.point,
            shown(&row.figure, row.before),
            shown(&row.figure, row.now),
            100.0 * row.change,
            row.p
        );
    }
    for line in &comparison.not_compared {
        say!("not compared: {line}");
    }
}
