//! What the ladder of an exchange tells: everything that the case has to do with, and nothing else.
#![allow(missing_docs)]

mod common;

use common::{judge, line, of};
use farlink_conformance::builtin::Builtin;
use farlink_conformance::medium::{Door, Happening};
use farlink_conformance::run::Target as _;
use farlink_conformance::{Case, Suite};
use farlink_units::{Duration, Instant};

/// The ladder of a case that the node meets.
fn ladder(suite: Suite, id: &str) -> Vec<String> {
    let cases: Vec<Case> = of(suite).into_iter().filter(|case| case.id == id).collect();
    let run = judge(&cases, 1, None).remove(0);
    assert!(run.outcome.is_met(true), "{}", line(&run));
    run.exchange.ladder()
}

#[test]
fn the_node_dials_by_itself_and_is_refused() {
    let mut node = Builtin::new(1);
    node.start(0, 1).unwrap();
    let medium = node.medium().unwrap();
    let until = Instant::ZERO + Duration::from_secs(10);
    let refused = std::iter::from_fn(|| medium.next(until))
        .filter(|arrival| matches!(&arrival.what, Happening::Reset { stream } if stream.door == Door::Tcpcl))
        .count();
    assert!(refused > 1, "{refused} attempts");
}

#[test]
fn attempts_to_connect_stand_in_no_ladder_of_a_case_on_datagrams() {
    for run in judge(&of(Suite::Ltp), 1, None) {
        let ladder = run.exchange.ladder();
        let foreign: Vec<&String> = ladder.iter().filter(|line| line.contains("connection")).collect();
        assert!(foreign.is_empty(), "{}: {foreign:?}", run.case.id);
    }
}

#[test]
fn attempts_to_connect_stand_in_the_ladder_of_a_case_on_them() {
    let ladder = ladder(Suite::Tcpclv4, "TCPCL-4.1-03");
    let refused =
        ladder.iter().filter(|line| line.contains("tester ◀── node  tcpcl") && line.contains("resets")).count();
    assert!(refused > 1, "{}", ladder.join("\n"));
}

#[test]
fn every_message_of_tcpcl_is_told_in_both_directions() {
    let all = ladder(Suite::Tcpclv4, "TCPCL-5.2.3-01").join("\n");
    for message in ["contact header (version 4", "SESS_INIT (", "XFER_SEGMENT (", "XFER_ACK ("] {
        let told = |arrow: &str| all.lines().any(|line| line.contains(arrow) && line.contains(message));
        assert!(told("──▶") || message == "XFER_ACK (", "{message} of the tester: {all}");
        assert!(told("◀──") || message == "XFER_SEGMENT (", "{message} of the node: {all}");
    }
    // Header and SESS_INIT of the node come as one piece or in a row; neither is lost in the hex of the other.
    assert!(!all.contains("64 74 6e 21"), "{all}");
}

#[test]
fn what_is_sealed_is_told_as_records_of_tls() {
    let all = ladder(Suite::Tcpclv4, "TCPCL-4.4-04").join("\n");
    assert!(all.contains("TLS handshake (") && all.contains("TLS application_data ("), "{all}");
}
