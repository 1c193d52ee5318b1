//! Results as one page for people: `report.html`.

use std::collections::BTreeMap;

use farlink_record::report::{Cell, Html, Page, Table};

use crate::catalogue;
use crate::outcome::Outcome;
use crate::results::{CaseResult, NodeResults, Results};

/// The page. It needs nothing but the captures beside it, and those only when somebody follows a link.
pub fn page(results: &Results) -> String {
    let names: Vec<&str> = results.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut page = Page::new(&format!("Conformance of {}", names.join(", "))).lead(lead(results));
    page = page.section("Nodes and suites", matrix(results));
    for node in &results.nodes {
        let heading = |what: &str| match results.nodes.len() {
            1 => what.to_owned(),
            _ => format!("{what}: {}", node.name),
        };
        page = page.section(&heading("What did not pass"), deviations(node, results.strict));
        page = page.section(&heading("Every requirement"), requirements(node));
        if node.cases.iter().any(|case| case.outcome == Outcome::Skipped) {
            page = page.section(&heading("What was not tried"), skipped(node));
        }
    }
    page.section("Provenance", provenance(results)).render()
}

fn lead(results: &Results) -> Html {
    let judged = |met: bool| {
        let cases = results.nodes.iter().flat_map(|node| &node.cases);
        cases.filter(|case| tried(case.outcome) && case.outcome.is_met(results.strict) == met).count()
    };
    let strict =
        if results.strict { "What is only recommended counts." } else { "What is only recommended does not count." };
    Html::paragraph(&format!("{} met, {} not met. {strict}", judged(true), judged(false)))
}

const fn tried(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Skipped | Outcome::Unsupported)
}

fn matrix(results: &Results) -> Html {
    let mut suites: Vec<String> = Vec::new();
    for (suite, _) in results.nodes.iter().flat_map(NodeResults::counts) {
        if !suites.contains(&suite) {
            suites.push(suite);
        }
    }
    let mut columns = vec!["node".to_owned()];
    columns.extend(suites.iter().map(|suite| format!("{suite}#")));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = Table::new("Requirements met, of those that were judged", &columns);
    for node in &results.nodes {
        let counts: BTreeMap<String, BTreeMap<Outcome, usize>> = node.counts().into_iter().collect();
        let mut cells = vec![Cell::text(&node.name)];
        for suite in &suites {
            let counted = |judge: &dyn Fn(Outcome) -> bool| -> usize {
                counts.get(suite).into_iter().flatten().filter(|(outcome, _)| judge(**outcome)).map(|(_, n)| n).sum()
            };
            let (met, all) = (counted(&|o| o.is_met(results.strict)), counted(&tried));
            let shown = if all == 0 { "–".to_owned() } else { format!("{met} of {all}") };
            cells.push(Cell::number(met as f64, &shown));
        }
        table.row(&node.name, cells);
    }
    let mut html = table.render();
    for node in results.nodes.iter().filter(|node| node.skipped.is_some()) {
        let why = node.skipped.as_deref().unwrap_or_default();
        html.push(Html::paragraph(&format!("{} was not judged: {why}", node.name)));
    }
    html
}

fn deviations(node: &NodeResults, strict: bool) -> Html {
    let found: Vec<&CaseResult> =
        node.cases.iter().filter(|case| tried(case.outcome) && case.outcome != Outcome::Pass).collect();
    if found.is_empty() {
        return Html::paragraph("Everything that was judged passed.");
    }
    found.into_iter().map(|case| deviation(case, strict)).collect()
}

fn deviation(case: &CaseResult, strict: bool) -> Html {
    let counts = if case.outcome.is_failure(strict) { ", which counts" } else { "" };
    let mut html = Html::heading(&format!("{}: {}", case.id, case.requirement));
    html.push(Html::line([
        Html::verdict(case.outcome.as_str()),
        Html::text(&format!("{counts} — RFC {}, {}", case.section, case.level)),
    ]));
    if !case.expected.is_empty() {
        html.push(Html::paragraph(&format!("Expected: {}", case.expected)));
    }
    html.push(Html::paragraph(&format!("Seen: {}", case.actual)));
    for note in &case.notes {
        html.push(Html::paragraph(&format!("Note: {note}")));
    }
    if let Some(ambiguity) = catalogue::requirement(&case.id).and_then(|told| told.ambiguity.as_deref()) {
        html.push(Html::paragraph(&format!("What the text leaves open: {ambiguity}")));
    }
    if !case.ladder.is_empty() {
        html.push(Html::folded("The exchange", Html::preformatted(&case.ladder.join("\n"))));
    }
    if let Some(capture) = &case.capture {
        html.push(Html::line([Html::text("Capture: "), Html::link(capture, capture)]));
    }
    if let Some(rerun) = &case.rerun {
        html.push(Html::preformatted(rerun));
    }
    html
}

fn requirements(node: &NodeResults) -> Html {
    let mut html = Html::default();
    for (suite, _) in node.counts() {
        let mut table = Table::new(&suite, &["id", "section", "level", "outcome", "requirement", "capture"]);
        for case in node.cases.iter().filter(|case| case.suite == suite) {
            let capture = match &case.capture {
                Some(capture) => Cell::html(Html::link(capture, "pcapng")),
                None => Cell::text(""),
            };
            let id = match case.repetition {
                0 => case.id.clone(),
                again => format!("{} ({})", case.id, again + 1),
            };
            table.row(
                &id,
                vec![
                    Cell::text(&id),
                    Cell::text(&case.section),
                    Cell::text(case.level.as_str()),
                    Cell::html(Html::verdict(case.outcome.as_str())),
                    Cell::text(&case.requirement),
                    capture,
                ],
            );
        }
        html.push(table.render());
    }
    html
}

fn skipped(node: &NodeResults) -> Html {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for case in node.cases.iter().filter(|case| case.outcome == Outcome::Skipped) {
        reasons.entry(&case.actual).or_default().push(&case.id);
    }
    let mut table = Table::new("", &["why", "cases#", "which"]);
    for (why, ids) in reasons {
        let count = Cell::number(ids.len() as f64, &ids.len().to_string());
        table.row(why, vec![Cell::text(why), count, Cell::text(&ids.join(", "))]);
    }
    table.render()
}

fn provenance(results: &Results) -> Html {
    let mut table = Table::new("", &["what", "value"]);
    let mut row = |what: &str, value: &str| table.row(what, vec![Cell::text(what), Cell::text(value)]);
    row("Farlink", &results.farlink);
    row("began", &results.started);
    row("host", &results.host);
    row("seed", &results.seed.to_string());
    row("selected", &if results.selected.is_empty() { "everything".to_owned() } else { results.selected.join(" ") });
    row("catalogue, SHA-256", &results.catalogue_sha256);
    for node in &results.nodes {
        let of = |what: &str| format!("{}: {what}", node.name);
        row(&of("version"), node.version.as_deref().unwrap_or("not told"));
        if let Some((path, hash)) = &node.description {
            row(&of("description"), path);
            row(&of("description, SHA-256"), hash);
        }
        row(&of("clock"), &node.clock);
        row(&of("time taken"), &format!("{:.1} s", node.duration_ns as f64 / 1e9));
        if node.clock != "virtual" {
            let off = format!("off by {:.1} ms at most", node.timing_error_ns as f64 / 1e6);
            row(&of("timing of the bench"), &off);
        }
    }
    table.render()
}
