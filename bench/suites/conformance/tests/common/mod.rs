//! What the tests of the suites share.

use farlink_conformance::builtin::Builtin;
use farlink_conformance::mutants::Mutant;
use farlink_conformance::run::{CaseRun, Options, run};
use farlink_conformance::{Case, Suite, cases};

/// The cases of a suite.
pub fn of(suite: Suite) -> Vec<Case> {
    cases::all().into_iter().filter(|case| case.suite == suite).collect()
}

/// The cases against the built-in node, or one of its mutants.
pub fn judge(cases: &[Case], seed: u64, mutant: Option<&Mutant>) -> Vec<CaseRun> {
    let mut node = match mutant {
        Some(mutant) => Builtin::mutant(seed, mutant),
        None => Builtin::new(seed),
    };
    run(cases, &mut node, Options { seed, ..Options::default() }, |_| {}, || false)
}

/// One line on a case that did not pass.
pub fn line(run: &CaseRun) -> String {
    format!("{} {}: expected {}; {}", run.case.id, run.outcome.as_str(), run.expected, run.actual)
}
