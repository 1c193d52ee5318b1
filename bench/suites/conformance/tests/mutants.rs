//! Every mutant is caught, and every case that can fail catches one.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeSet;

use common::{judge, line, of};
use farlink_conformance::{Case, Grade, Suite, mutants};

fn all_are_caught(suite: Suite) {
    let cases = of(suite);
    assert!(!cases.is_empty(), "the suite {suite} is empty");
    let mut caught: BTreeSet<&str> = BTreeSet::new();
    let mut wrong = Vec::new();
    for (_, mutant) in mutants::all().filter(|(name, _)| *name == suite.as_str()) {
        assert!(!mutant.caught_by.is_empty(), "{}: no case is named", mutant.id);
        let named: Vec<Case> = cases.iter().filter(|c| mutant.caught_by.iter().any(|id| id == c.id)).copied().collect();
        assert_eq!(named.len(), mutant.caught_by.len(), "{}: a case that it names is not of this suite", mutant.id);
        for run in judge(&named, 1, Some(mutant)) {
            match run.outcome.is_failure(true) {
                true => drop(caught.insert(run.case.id)),
                false => wrong.push(format!("{} is not caught: {}", mutant.id, line(&run))),
            }
        }
    }
    let can_fail = |case: &&Case| case.requirement().verdict > Grade::Inform;
    let without: Vec<&str> = cases.iter().filter(can_fail).map(|c| c.id).filter(|id| !caught.contains(id)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(without.is_empty(), "{} cases catch no mutant: {without:?}", without.len());
}

#[test]
fn ltp() {
    all_are_caught(Suite::Ltp);
}

#[test]
fn bpv7() {
    all_are_caught(Suite::Bpv7);
}

#[test]
fn tcpclv4() {
    all_are_caught(Suite::Tcpclv4);
}

#[test]
fn framing() {
    all_are_caught(Suite::Framing);
}

#[test]
fn contacts() {
    all_are_caught(Suite::Contacts);
}

#[test]
fn the_table_of_cases_and_mutants_is_the_present_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../MUTANTS.md");
    let table = mutants::table(&farlink_conformance::cases::all());
    if std::env::var_os("FARLINK_WRITE").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == table, "bench/suites/MUTANTS.md is an old one: run this test with FARLINK_WRITE=1");
}
