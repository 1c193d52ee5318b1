//! Results as JUnit XML.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Case, Results, Verdict};

/// The suite of what concerns the run as a whole.
const BENCH_SUITE: &str = "farlink";

/// Writes the results as JUnit XML: a `testsuite` for each suite, in the order in which the suites first appear.
///
/// A build server judges by this file alone, so what makes [`Results::exit_code`] other than 0 without being a case – a run
/// without cases, an interruption, a channel that lost count – appears as an error in a suite named `farlink`.
///
/// # Errors
/// Whatever the writer reports.
pub fn write_junit(results: &Results, mut out: impl Write) -> io::Result<()> {
    let mut report = Report::new(format!("farlink {}", results.scenario));
    let bench_cases = bench_cases(results);
    let mut suites: Vec<(&str, Vec<&Case>)> = Vec::new();
    for case in results.cases.iter().chain(&bench_cases) {
        match suites.iter_mut().find(|(name, _)| *name == case.suite) {
            Some((_, cases)) => cases.push(case),
            None => suites.push((&case.suite, vec![case])),
        }
    }
    for (name, cases) in suites {
        let mut suite = TestSuite::new(name);
        suite.add_properties(properties(results));
        suite.add_test_cases(cases.into_iter().map(test_case));
        report.add_test_suite(suite);
    }
    // Written in one piece: the XML writer puts out every token by itself.
    let text = report.to_string().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn properties(results: &Results) -> Vec<Property> {
    [
        ("farlink.version", results.farlink.clone()),
        ("farlink.scenario", results.scenario.clone()),
        ("farlink.seed", results.seed.to_string()),
        ("farlink.epoch", results.epoch.clone()),
        ("farlink.clock", results.clock.clone()),
        ("farlink.recording.sha256", results.recording_sha256.clone()),
        ("farlink.recording.events", results.recording_events.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| Property::new(name, value))
    .collect()
}

fn bench_cases(results: &Results) -> Vec<Case> {
    let error = |id: &str, message: String| Case {
        id: id.to_owned(),
        suite: BENCH_SUITE.to_owned(),
        verdict: Verdict::BenchError,
        message,
        at_ns: Some(results.ended_at_ns),
    };
    let mut cases = Vec::new();
    if results.cases.is_empty() {
        cases.push(error("something-judged", "expected at least one case; nothing was judged".to_owned()));
    }
    if results.interrupted {
        cases.push(error("run-complete", "expected the run to reach its end; it was interrupted".to_owned()));
    }
    for channel in results.channels.iter().filter(|channel| !channel.balanced) {
        cases.push(error(
            &format!("frames-accounted/{}", channel.name),
            "expected sent = delivered + lost + in flight; the counts differ".to_owned(),
        ));
    }
    cases
}

fn test_case(case: &Case) -> TestCase {
    let mut status = match case.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail | Verdict::Inconclusive | Verdict::Timeout => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        Verdict::BenchError => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Unsupported | Verdict::Skipped => TestCaseStatus::skipped(),
    };
    if !case.verdict.is_met() {
        status.set_type(case.verdict.as_str());
        status.set_message(case.message.clone());
    }
    let mut test_case = TestCase::new(case.id.clone(), status);
    test_case.set_classname(case.suite.clone());
    if case.verdict.is_met() && !case.message.is_empty() {
        test_case.set_system_out(case.message.clone());
    }
    test_case.add_property(Property::new("farlink.verdict", case.verdict.as_str()));
    if let Some(at) = case.at_ns {
        test_case.add_property(Property::new("farlink.at_ns", at.to_string()));
    }
    test_case
}
