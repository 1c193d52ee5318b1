//! `farlink conform`, as its users meet it.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use common::browser::chromium;
use common::tap::tshark;
use common::*;
use farlink_conformance::Outcome;
use farlink_conformance::results::Results;
use serde_json::Value;

fn judged(out: &Path) -> Results {
    let text = fs::read_to_string(out.join("results.json")).expect("results.json is there");
    serde_json::from_str(&text).expect("results.json is valid")
}

#[test]
fn the_built_in_node_conforms_and_every_exchange_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (code, text, error) = finish(farlink().arg("conform").arg("--out").arg(&out));
    assert_eq!((code, error.as_str()), (0, ""), "{text}");
    let results = judged(&out);
    let [node] = &results.nodes[..] else { panic!("{} nodes", results.nodes.len()) };
    assert_eq!((node.name.as_str(), node.clock.as_str()), ("builtin", "virtual"));
    for suite in ["ltp", "bpv7", "tcpclv4", "framing", "contacts"] {
        let cases: Vec<_> = node.cases.iter().filter(|case| case.suite == suite).collect();
        let passed = cases.iter().filter(|case| case.outcome == Outcome::Pass).count();
        assert!(passed * 10 >= cases.len() * 8, "{suite}: {passed} of {} passed", cases.len());
        assert!(text.contains(&format!("{suite:<10} {:>4} cases", cases.len())), "{text}");
    }
    for case in node.cases.iter().filter(|case| case.outcome == Outcome::Pass) {
        let capture = out.join(case.capture.as_ref().unwrap_or_else(|| panic!("{} has no capture", case.id)));
        assert!(capture.metadata().unwrap().len() > 100, "{}", case.id);
    }
    let junit = quick_junit::Report::deserialize_from_str(&fs::read_to_string(out.join("junit.xml")).unwrap()).unwrap();
    let tests: usize = junit.test_suites.iter().map(|suite| suite.test_cases.len()).sum();
    assert_eq!(tests, node.cases.len());
}

#[test]
fn the_page_shows_in_a_browser_what_the_results_say() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let run = finish(farlink().args(["conform", "ltp", "TCPCL-5.2.4", "--out"]).arg(&out));
    assert_eq!(run.0, 0, "{}", run.1);
    let page = out.join("report.html");
    let (dom, log) = chromium(&folder.path().join("profile"), &["--dump-dom"], &page);
    assert!(!log.contains("CONSOLE"), "{log}");
    let node = judged(&out).nodes.remove(0);
    assert!(node.cases.len() > 140);
    for case in &node.cases {
        let row =
            dom.split_once(&format!("<tr data-row=\"{}\">", case.id)).unwrap_or_else(|| panic!("no row {}", case.id)).1;
        let row = row.split_once("</tr>").unwrap().0;
        assert!(row.contains(&format!(">{}</span>", case.outcome.as_str())), "{}: {row}", case.id);
        assert!(row.contains(case.capture.as_ref().unwrap().as_str()), "{}: {row}", case.id);
    }
    // A deviation is shown with its exchange.
    let inform = node.cases.iter().find(|case| case.outcome == Outcome::Inform).expect("TCPCL-5.2.4-07 informs");
    assert!(dom.contains(&format!("<h3>{}:", inform.id)) && dom.contains("tester ──▶ node"));
    for heading in ["Nodes and suites", "What did not pass", "Every requirement", "Provenance"] {
        assert!(dom.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
}

#[test]
fn captures_are_read_by_tshark() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let words = ["LTP-6.11-01", "TCPCL-5.2.3-01", "BP7-4.3.1-02"];
    let (code, text, _) = finish(farlink().arg("conform").args(words).arg("--out").arg(&out));
    assert_eq!(code, 0, "{text}");
    let protocols = |id: &str| {
        let capture = out.join(format!("captures/builtin-{id}.pcapng"));
        tshark(&capture, &["-T", "fields", "-e", "frame.protocols"]).join("\n")
    };
    assert!(protocols(words[0]).contains("udp:ltp"), "{}", protocols(words[0]));
    assert!(protocols(words[1]).contains("tcp:tcpcl"), "{}", protocols(words[1]));
    let objections = tshark(
        &out.join(format!("captures/builtin-{}.pcapng", words[1])),
        &["-Y", "_ws.malformed || tcp.analysis.flags"],
    );
    assert_eq!(objections, Vec::<String>::new(), "Wireshark objects to the capture");
}

#[test]
fn the_same_seed_gives_the_same_verdicts_however_many_run_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let outcomes = |jobs: &str| {
        let out = folder.path().join(jobs);
        let run = finish(farlink().args(["conform", "ltp", "--seed", "7", "--jobs", jobs, "--out"]).arg(&out));
        assert_eq!(run.0, 0, "{}", run.1);
        let cases = judged(&out).nodes.remove(0).cases;
        cases.into_iter().map(|case| (case.id, case.outcome, case.duration_ns)).collect::<Vec<_>>()
    };
    assert_eq!(outcomes("1"), outcomes("4"));
}

#[test]
fn what_selects_nothing_is_an_error() {
    for word in ["LTP-99", "ltpp", "5326 §99"] {
        let (code, _, error) = finish(farlink().args(["conform", word]));
        assert_eq!(code, 2);
        assert!(error.contains(&format!("{word:?} selects nothing")) && error.contains("--list"), "{error}");
    }
}

#[test]
fn cases_are_listed_by_id_section_level_role_and_tag() {
    let count = |words: &[&str]| {
        let (code, text, _) = finish(farlink().arg("conform").args(words).args(["--list", "--format", "json"]));
        assert_eq!(code, 0);
        let cases: Value = serde_json::from_str(&text).unwrap();
        cases.as_array().unwrap().len()
    };
    let all = count(&[]);
    assert_eq!(count(&["LTP-6.11-01"]), 1);
    assert!(count(&["LTP-6.11"]) > 5, "a beginning of an id names them all");
    assert_eq!(count(&["LTP-6.11", "LTP-6.11-01"]), count(&["LTP-6.11"]));
    assert!(count(&["MUST"]) < all && count(&["MUST"]) > 100);
    assert_eq!(count(&["5326 §6.11"]), count(&["§6.11"]));
    assert!(count(&["receiver"]) > 20);
    let suites = ["ltp", "bpv7", "tcpclv4", "framing", "contacts"];
    assert_eq!(suites.map(|suite| count(&[suite])).iter().sum::<usize>(), all);
}

#[test]
fn a_folder_with_something_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "text").unwrap();
    let (code, _, error) = finish(farlink().args(["conform", "LTP-6.11-01", "--out"]).arg(folder.path()));
    assert_eq!(code, 2);
    assert!(error.contains("is not empty"), "{error}");
}

/// Each with a part of its message.
const BAD_DESCRIPTIONS: &[(&str, &str)] = &[
    ("name: x\ndoors: {}\n", "doors: a node without a door cannot be judged"),
    ("name: x\ndoors: { ltp: {} }\n", "doors.ltp: give the address of the node, of the tester, or both"),
    ("name: x\ndoors: { ftp: { node: 127.0.0.1:1 } }\n", "ftp"),
    ("name: x\ndoors: { ltp: { node: nowhere } }\n", "2"),
    ("name: x\ndoors: { udp: { node: 127.0.0.1:1 } }\noffers: [wings]\n", "nothing needs `wings`"),
    ("name: x\ncolour: red\ndoors: { udp: { node: 127.0.0.1:1 } }\n", "colour"),
    (
        "name: x\ndoors: { udp: { node: 127.0.0.1:1 } }\nstart: { command: [a, \"{tcpcl.node}\"] }\n",
        "`{tcpcl.node}` stands for nothing",
    ),
    ("name: x\ndoors: { udp: { node: 127.0.0.1:1 } }\noriginate: command\n", "`commands.originate`"),
    (
        "name: x\ndoors: { udp: { node: 127.0.0.1:1 } }\nltp: { engine: 1, tester: 2, checkpoint_timer: 1 s, retransmission_limit: 3 }\n",
        "no door `ltp`",
    ),
    ("name: x\ndoors: { udp: { node: 127.0.0.1:1 } }\nresponse: 2\n", "no unit"),
];

#[test]
fn a_wrong_description_is_told_with_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.yaml");
    for (text, part) in BAD_DESCRIPTIONS {
        fs::write(&path, text).unwrap();
        let (code, _, error) = finish(farlink().args(["conform", "ltp", "--node"]).arg(&path));
        assert_eq!(code, 2, "{text}");
        assert!(error.contains("node.yaml") && error.contains(part), "{text}\n{error}");
    }
    let (code, _, error) = finish(farlink().args(["conform", "--node", "no-such-file.yaml"]));
    assert_eq!(code, 2);
    assert!(error.contains("cannot read no-such-file.yaml"), "{error}");
}

#[test]
fn a_node_that_is_not_installed_is_skipped_by_name_and_that_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("node.yaml"), folder.path().join("out"));
    let text = "name: ghost\ndoors: { udp: { node: 127.0.0.1:1 } }\nstart: { requires: [no-such-stack], hint: install it, command: [no-such-stack] }\n";
    fs::write(&path, text).unwrap();
    let (code, text, _) = finish(farlink().args(["conform", "--node"]).arg(&path).arg("--out").arg(&out));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("skipped: `no-such-stack` is not on the PATH: install it"), "{text}");
    let junit = fs::read_to_string(out.join("junit.xml")).unwrap();
    assert!(junit.contains("skipped") && junit.contains("no-such-stack"), "{junit}");
}

#[test]
fn fixed_ports_do_not_run_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.yaml");
    fs::write(&path, "name: x\ndoors: { udp: { node: 127.0.0.1:9 } }\nstart: { command: [sleep, \"9\"] }\n").unwrap();
    let out = folder.path().join("out");
    let run = finish(farlink().args(["conform", "--jobs", "2", "--node"]).arg(&path).arg("--out").arg(out));
    assert_eq!(run.0, 2);
    assert!(run.2.contains("--jobs") && run.2.contains("127.0.0.1:0"), "{}", run.2);
}

#[test]
fn a_node_that_does_not_start_is_told_with_what_it_printed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("node.yaml"), folder.path().join("out"));
    let text = "name: broken\ndoors: { ltp: { node: 127.0.0.1:0, tester: 127.0.0.1:0 } }\n\
                start: { command: [sh, -c, \"echo no licence; exit 4\"], ready: { line: never }, patience: 5 s }\n\
                ltp: { engine: 1, tester: 2, checkpoint_timer: 1 s, retransmission_limit: 3 }\n";
    fs::write(&path, text).unwrap();
    let run = finish(farlink().args(["conform", "LTP-6.11-01", "--node"]).arg(&path).arg("--out").arg(&out));
    assert_eq!(run.0, 2, "{}", run.1);
    let case = &judged(&out).nodes[0].cases[0];
    assert_eq!(case.outcome, Outcome::BenchError);
    assert!(case.actual.contains("exit status 4") && case.actual.contains("no licence"), "{}", case.actual);
}

#[test]
fn a_node_that_is_silent_or_dies_is_told_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let judge = |name: &str, script: &str| {
        let (path, out) = (folder.path().join(format!("{name}.yaml")), folder.path().join(name));
        let text = format!(
            "name: {name}\ndoors: {{ ltp: {{ node: 127.0.0.1:0, tester: 127.0.0.1:0 }} }}\nresponse: 300 ms\n\
             start: {{ command: [sh, -c, \"{script}\"], ready: {{ after: 100 ms }} }}\n\
             ltp: {{ engine: 1, tester: 2, checkpoint_timer: 1 s, retransmission_limit: 1 }}\n"
        );
        fs::write(&path, text).unwrap();
        let run = finish(farlink().args(["conform", "LTP-6.11-01", "--node"]).arg(&path).arg("--out").arg(&out));
        assert_eq!(run.0, 1, "{}", run.1);
        (judged(&out).nodes.remove(0).cases.remove(0), run.1)
    };
    let (silent, text) = judge("silent", "exec sleep 60");
    assert!(matches!(silent.outcome, Outcome::Timeout | Outcome::Hang), "{:?}", silent.outcome);
    assert!(!silent.ladder.is_empty() && text.contains("farlink conform LTP-6.11-01 --node"), "{text}");
    let (dies, _) = judge("dies", "sleep 0.3; kill -SEGV $$");
    assert_eq!(dies.outcome, Outcome::Crash, "{}", dies.actual);
    assert!(dies.actual.contains("SIGSEGV"), "{}", dies.actual);
}

#[test]
fn each_case_of_a_real_node_is_told_as_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.yaml");
    let text = "name: silent\ndoors: { ltp: { node: 127.0.0.1:0, tester: 127.0.0.1:0 } }\nresponse: 300 ms\n\
                start: { command: [sleep, \"60\"], ready: { after: 100 ms } }\n\
                ltp: { engine: 1, tester: 2, checkpoint_timer: 1 s, retransmission_limit: 1 }\n";
    fs::write(&path, text).unwrap();
    let run = |name: &str, more: &[&str]| {
        let mut command = farlink();
        command.args(["conform", "LTP-6.11-01", "--repeat", "2", "--node"]).arg(&path).args(more);
        finish(command.arg("--out").arg(folder.path().join(name)))
    };
    let (_, results, progress) = run("text", &[]);
    for line in ["silent: 1 of 2: LTP-6.11-01 ", "silent: 2 of 2: LTP-6.11-01 "] {
        assert!(progress.contains(line), "{progress}");
    }
    assert!(!results.contains("1 of 2"), "{results}");
    // Whoever reads JSON reads it from standard output.
    let (_, results, progress) = run("json", &["--format", "json"]);
    assert!(serde_json::from_str::<Results>(&results).is_ok() && progress.contains("2 of 2"), "{progress}");
    let (_, _, progress) = run("quiet", &["--quiet"]);
    assert!(!progress.contains(" of 2"), "{progress}");
}

#[test]
fn an_address_where_nothing_listens_is_told_before_any_case() {
    let folder = tempfile::tempdir().unwrap();
    // Free a moment ago.
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = format!("udp:{free}");
    let words = ["conform", "LTP-6.11", "--target", &target, "--listen", "udp:127.0.0.1:0", "--peer-engine", "2"];
    let (code, results, error) = finish(farlink().args(words).arg("--out").arg(folder.path().join("udp")));
    assert_eq!(code, 2, "{results}{error}");
    assert!(error.contains(&target) && error.contains("start the node first"), "{error}");

    let path = folder.path().join("node.yaml");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!("name: gone\ndoors: {{ tcpcl: {{ node: \"{free}\" }} }}\ntcpcl: {{ tester: ipn:3.0 }}\n");
    fs::write(&path, text).unwrap();
    let words = ["conform", "TCPCL-4.2", "--node", path.to_str().unwrap()];
    let (code, results, error) = finish(farlink().args(words).arg("--out").arg(folder.path().join("tcp")));
    assert_eq!(code, 2, "{results}{error}");
    assert!(error.contains(&format!("tcp:{free}")) && error.contains("start the node first"), "{error}");
}
