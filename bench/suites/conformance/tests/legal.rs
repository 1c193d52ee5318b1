//! Nodes that differ from the built-in one in a way that the documents allow do not fail.
#![allow(missing_docs)]

mod common;

use common::{judge, line, of};
use farlink_conformance::Suite;
use farlink_conformance::mutants::Mutant;

/// What they do, and how the built-in node is made to do it.
const LEGAL: &[(&str, &str)] = &[
    ("sends every bundle twice, as a datagram may arrive twice", "{way: sent, do: [repeat]}"),
    (
        "takes its time for every second bundle, so that they change places",
        "{way: sent, of: {every: 2}, do: [delay: 0.08]}",
    ),
    ("takes its time for every bundle", "{way: sent, do: [delay: 0.09]}"),
    ("adds a block to what it forwards", "{way: sent, of: {kind: other}, do: [add-block: [200, 77, 0, '00']]}"),
    ("removes a block that it does not know", "{way: sent, of: {kind: other}, do: [remove-block: 251]}"),
    ("sends no reports, which are only recommended", "{way: sent, of: {kind: report}, do: [drop]}"),
    ("reports without a hop count", "{way: sent, of: {kind: report}, do: [remove-block: 10]}"),
    ("reports that live for a minute", "{way: sent, of: {kind: report}, do: [set: [primary/lifetime, '19ea60']]}"),
    (
        "writes its node ID with three numbers (RFC 9758)",
        "{way: sent, of: {kind: report}, do: [set: [primary/source, '820283000200']]}",
    ),
    (
        "is another endpoint of its own as the source of reports",
        "{way: sent, of: {kind: report}, do: [set: [primary/source, '8202820207']]}",
    ),
    ("counts a hop on reception and on forwarding", "{way: sent, of: {kind: other}, do: [add: [10/data/1, 1]]}"),
];

fn is_legal(suite: Suite) {
    let cases = of(suite);
    let mut wrong = Vec::new();
    for (what, rewrite) in LEGAL {
        let text = format!("id: legal\nwhat: {what}\ncaught_by: []\nrewrite:\n- bundle: {rewrite}\n");
        let node: Mutant = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{what}: {error}"));
        let failed = judge(&cases, 1, Some(&node)).into_iter().filter(|run| run.outcome.is_failure(false));
        wrong.extend(failed.map(|run| format!("a node that {what}: {}", line(&run))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bpv7() {
    is_legal(Suite::Bpv7);
}

#[test]
fn framing() {
    is_legal(Suite::Framing);
}
