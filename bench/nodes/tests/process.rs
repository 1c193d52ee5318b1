//! Real processes, started and stopped.
#![allow(missing_docs)]

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use farlink_nodes::process::{NodeProcess, Plan, ProcessError, Ready};

fn shell(script: &str) -> Plan {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    Plan { command: Some(command), patience: Duration::from_secs(10), ..Plan::default() }
}

#[test]
fn what_it_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = "sleep 1000 & echo $! > child; echo ready; wait";
    let mut node =
        NodeProcess::start(Plan { ready: Ready::Line("ready".into()), ..shell(script) }, folder.path()).unwrap();
    assert_eq!(node.ended(), None);
    let child: i32 = std::fs::read_to_string(folder.path().join("child")).unwrap().trim().parse().unwrap();
    node.stop();
    let gone = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    let start = std::time::Instant::now();
    while !gone(child) {
        assert!(start.elapsed() < Duration::from_secs(10), "its child still runs");
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { requires: vec!["no-such-stack".into()], ..shell("true") };
    let error = NodeProcess::start(plan, folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "`no-such-stack` is not on the PATH");
}

#[test]
fn one_that_ends_before_it_is_ready_tells_how_and_what_it_printed() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { ready: Ready::Line("never".into()), ..shell("echo the port is in use; exit 3") };
    let text = NodeProcess::start(plan, folder.path()).unwrap_err().to_string();
    assert!(text.contains("exit status 3") && text.contains("the port is in use"), "{text}");
}

#[test]
fn one_that_does_not_become_ready_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let free: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let patience = Duration::from_millis(300);
    let plan = Plan { ready: Ready::Tcp(free), patience, ..shell("sleep 1000") };
    let error = NodeProcess::start(plan, folder.path()).unwrap_err();
    assert!(matches!(error, ProcessError::NotReady { .. }), "{error}");
}

#[test]
fn its_end_by_a_signal_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // It must not end before it counts as ready.
    let until_told = "echo up; while [ ! -e go ]; do sleep 0.01; done; kill -SEGV $$";
    let plan = Plan { ready: Ready::Line("up".into()), ..shell(until_told) };
    let mut node = NodeProcess::start(plan, folder.path()).unwrap();
    std::fs::write(folder.path().join("go"), "").unwrap();
    let start = std::time::Instant::now();
    let how = loop {
        if let Some(how) = node.ended() {
            break how;
        }
        assert!(start.elapsed() < Duration::from_secs(10));
    };
    assert!(how.contains("SIGSEGV"), "{how}");
}

#[test]
fn files_commands_and_environment_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = shell("cat etc/made; cat etc/told; exec sleep 1000");
    plan.files.insert("etc/told".into(), "from the plan\n".into());
    plan.environment.insert("WORD".into(), "hello".into());
    plan.before.push(["sh", "-c", "echo $WORD > etc/made"].map(str::to_owned).to_vec());
    plan.ready = Ready::Line("from the plan".into());
    let mut node = NodeProcess::start(plan, folder.path()).unwrap();
    assert_eq!(node.console(), "hello\nfrom the plan\n");
    let said = node.run(&["sh", "-c", "echo $WORD again"].map(str::to_owned)).unwrap();
    assert_eq!(said, "hello again\n");
    let failed = node.run(&["sh", "-c", "exit 7"].map(str::to_owned)).unwrap_err().to_string();
    assert!(failed.contains("exit status 7"), "{failed}");
}
