//! Delivery to programs.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn shell(script: &str) -> Target {
    Target::Program(vec!["sh".into(), "-c".into(), script.into()])
}

#[test]
fn a_program_gets_each_unit_on_its_standard_input_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let script = format!(
        "cat >> {0}; echo \" $FARLINK_SOURCE $FARLINK_DESTINATION $FARLINK_CREATION $FARLINK_BYTES $FARLINK_BUNDLE\" >> {0}",
        out.display()
    );
    let mut node = Loop::connected(shell(&script));
    let big = vec![b'x'; 300_000];
    for (number, data) in [(1, &b"one"[..]), (2, &big), (3, b"")] {
        node.deliver(number, &[data, b"!"]);
    }
    for number in 1..=3 {
        assert!(node.expect_delivered(number).contains("to sh as ipn-10.1-820000000000-"));
    }
    let written = fs::read_to_string(&out).unwrap();
    let lines: Vec<_> = written.lines().collect();
    assert_eq!(lines[0], "one! ipn:10.1 ipn:30.1 820000000000-1 4 ipn-10.1-820000000000-1");
    assert!(
        lines[1].len() > 300_000
            && lines[1].ends_with("x! ipn:10.1 ipn:30.1 820000000000-2 300001 ipn-10.1-820000000000-2")
    );
    assert_eq!(lines[2], "! ipn:10.1 ipn:30.1 820000000000-3 1 ipn-10.1-820000000000-3");
}

#[test]
fn a_program_need_not_read() {
    let mut node = Loop::connected(Target::Program(vec!["true".into()]));
    node.deliver(1, &[&vec![0; 1 << 20]]);
    node.expect_delivered(1);
}

#[test]
fn a_program_that_fails_is_given_the_unit_again() {
    let folder = tempfile::tempdir().unwrap();
    let tried = folder.path().join("tried");
    let mut node = Loop::connected(shell(&format!("test -e {0} || {{ touch {0}; exit 3; }}", tried.display())));
    node.deliver(1, &[b"one"]);
    node.deliver(2, &[b"two"]);
    let (reason, retry_after) = node.expect_failed(&[2, 1]);
    assert_eq!(
        reason,
        "sh ended with exit status 3 on ipn-10.1-820000000000-1: exit status 0 says that it has the data"
    );
    assert_eq!(retry_after, Some(Duration::from_millis(10)));
    node.expect_connected();
    for number in 1..=2 {
        node.deliver(number, &[b"again"]);
        node.expect_delivered(number);
    }
}

#[test]
fn a_program_that_ends_by_a_signal_or_cannot_be_started_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    let garbage = folder.path().join("garbage");
    fs::write(&garbage, [0x7f, 0]).unwrap();
    fs::set_permissions(&garbage, fs::Permissions::from_mode(0o755)).unwrap();
    let cases = [
        (shell("kill -TERM $$"), "was ended by signal 15"),
        (Target::Program(vec!["/no/such/program".into()]), "there is no such program: give its full path"),
        (Target::Program(vec![plain.into()]), "make it executable (`chmod +x"),
        (Target::Program(vec![garbage.into()]), "it has to be a program for this machine"),
    ];
    for (target, expected) in cases {
        let mut node = Loop::connected(target);
        node.deliver(1, &[b"one"]);
        let (reason, _) = node.expect_failed(&[1]);
        assert!(reason.contains(expected), "{reason}");
    }
}

/// The process IDs that a script has written, when it has.
fn pids(path: &Path) -> Vec<i32> {
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.ends_with("end\n") {
            return text.lines().filter_map(|line| line.parse().ok()).collect();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a process has ended. One whose parent has not waited for it counts as ended.
fn wait_for_end(pid: i32) {
    loop {
        match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) if !stat.contains(") Z ") => std::thread::sleep(Duration::from_millis(5)),
            _ => return,
        }
    }
}

#[test]
fn a_program_that_hangs_is_killed_with_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pids");
    let script =
        format!("trap '' TERM; sleep 1000 & echo $! > {0}; echo $$ >> {0}; echo end >> {0}; wait", path.display());
    let mut node = Loop::open_with(shell(&script), Limits { program_time: Duration::from_secs(3), ..limits() });
    node.expect_connected();
    node.deliver(1, &[b"one"]);
    let (reason, _) = node.expect_failed(&[1]);
    assert!(reason.contains("was killed, since it had not ended on ipn-10.1-820000000000-1 after 3 s"), "{reason}");
    let pids = pids(&path);
    assert_eq!(pids.len(), 2);
    pids.into_iter().for_each(wait_for_end);
}

#[test]
fn the_end_of_the_node_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pids");
    let script = format!("sleep 1000 & echo $! > {0}; echo $$ >> {0}; echo end >> {0}; wait", path.display());
    let mut node = Loop::connected(shell(&script));
    node.deliver(1, &[b"one"]);
    let pids = pids(&path);
    assert_eq!(pids.len(), 2);
    drop(node);
    pids.into_iter().for_each(wait_for_end);
}
