//! The built-in node conforms, whatever the seed.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeSet;

use common::{judge, line, of};
use farlink_conformance::{Outcome, Suite, catalogue};

/// What the node is known not to do: the id, how the case comes out, and why.
const KNOWN: &[(&str, Outcome, &str)] = &[];

fn conforms(suite: Suite) {
    let cases = of(suite);
    assert!(!cases.is_empty(), "the suite {suite} is empty");
    for seed in 1..=3 {
        let runs = judge(&cases, seed, None);
        let wrong: Vec<String> = runs
            .iter()
            .filter(|run| {
                let known = KNOWN.iter().find(|(id, ..)| *id == run.case.id).map(|(_, outcome, _)| *outcome);
                run.outcome != known.unwrap_or(run.outcome) || (known.is_none() && !met_or_skipped(run.outcome))
            })
            .map(line)
            .collect();
        assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
    }
}

fn met_or_skipped(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Pass | Outcome::Inform | Outcome::Skipped)
}

#[test]
fn ltp() {
    conforms(Suite::Ltp);
}

#[test]
fn bpv7() {
    conforms(Suite::Bpv7);
}

#[test]
fn tcpclv4() {
    conforms(Suite::Tcpclv4);
}

#[test]
fn framing() {
    conforms(Suite::Framing);
}

#[test]
fn contacts() {
    conforms(Suite::Contacts);
}

#[test]
fn what_is_known_is_in_the_catalogue_and_explained() {
    let ids: BTreeSet<&str> = catalogue::requirements().map(|r| r.id.as_str()).collect();
    for (id, _, why) in KNOWN {
        assert!(ids.contains(id) && why.contains('§'), "{id}: {why}");
    }
}
