//! Other stacks, judged for real: the bundles and sessions of hardy and dtn7 over TCPCLv4 come out as they are known to, and our own
//! node as a process conforms.
#![allow(missing_docs)]

mod common;

use std::env;
use std::path::{Path, PathBuf};
use std::thread;

use common::*;
use farlink_conformance::Outcome;
use farlink_conformance::results::Results;

/// Where cargo puts examples: among them the node of hardy.
fn examples() -> PathBuf {
    Path::new(FARLINK).parent().expect("a program is in a folder").join("examples")
}

/// Judges a node; gives the exit code, what was printed, and the results.
fn judge(node: &str, words: &[&str], more: &[&str]) -> (i32, String, Results) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let path =
        env::join_paths(std::iter::once(examples()).chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())));
    let mut command = farlink();
    command.args(["conform", "--quiet"]).args(words).args(more).env("PATH", path.unwrap());
    let run = finish(command.arg("--node").arg(fixture(&format!("nodes/{node}.yaml"))).arg("--out").arg(&out));
    let text = std::fs::read_to_string(out.join("results.json")).unwrap_or_else(|error| panic!("{error}: {}", run.2));
    (run.0, format!("{}{}", run.1, run.2), serde_json::from_str(&text).unwrap())
}

/// Judges a node and gives what came out otherwise than it is known to.
fn changes(node: &str, words: &[&str]) -> String {
    let known = fixture(&format!("expected/{node}.yaml"));
    // These nodes have a second or more to answer: half of one that the bench is late decides nothing.
    let more = ["--jobs", "16", "--tolerance", "500 ms", "--expected", known.to_str().unwrap()];
    let (code, text, results) = judge(node, words, &more);
    assert!(results.nodes[0].skipped.is_none(), "{node} is not installed; bench/check installs it: {text}");
    if code == 0 { String::new() } else { format!("{node} comes out otherwise:\n{text}") }
}

/// Every case of both suites. They mostly wait, the longest for 90 s, and so side by side.
#[test]
fn hardy_and_dtn7_come_out_as_known() {
    let nodes: [(&str, &[&str]); 3] =
        [("hardy", &["bpv7", "tcpclv4"]), ("dtn7", &["bpv7", "tcpclv4"]), ("dtn7-active", &["tcpclv4"])];
    let changed = thread::scope(|scope| {
        nodes
            .map(|(node, words)| scope.spawn(move || changes(node, words)))
            .map(|judged| judged.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    assert!(changed.iter().all(String::is_empty), "{}", changed.concat());
}

/// The same node as in the simulation, started as a process with timers of one second.
#[test]
fn our_own_node_as_a_process_conforms() {
    let (code, text, results) = judge("farlink", &["ltp", "framing"], &["--jobs", "8"]);
    assert_eq!(code, 0, "{text}");
    let cases = &results.nodes[0].cases;
    let passed = cases.iter().filter(|case| case.outcome == Outcome::Pass).count();
    assert!(passed > 130, "{passed} of {} pass:\n{text}", cases.len());
}
