//! Delivery into directories and files.

use std::io::{BufRead, BufReader};

use super::*;

#[test]
fn a_directory_gets_one_file_for_each_unit() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("in/box");
    let mut node = Loop::connected(Target::Directory(inbox.clone()));
    node.deliver(1, &[b"he", b"", b"llo"]);
    node.deliver(2, &[]);
    let told = node.expect_delivered(1);
    assert!(told.contains("received 5 bytes from ipn:10.1"), "{told}");
    assert!(told.ends_with("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"), "{told}");
    node.expect_delivered(2);
    assert_eq!(names(&inbox), ["ipn-10.1-820000000000-1", "ipn-10.1-820000000000-2"]);
    assert_eq!(fs::read(inbox.join("ipn-10.1-820000000000-1")).unwrap(), b"hello");
    assert_eq!(fs::read(inbox.join("ipn-10.1-820000000000-2")).unwrap(), b"");
}

#[test]
fn a_unit_that_a_restart_delivers_again_makes_no_second_file() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::Directory(folder.path().to_owned());
    let mut node = Loop::connected(target.clone());
    let name = node.deliver(1, &[b"hello"]);
    node.expect_delivered(1);
    let made = fs::metadata(folder.path().join(&name)).unwrap().modified().unwrap();
    drop(node);
    let mut node = Loop::connected(target);
    // Reassembled otherwise this time.
    node.deliver(1, &[b"h", b"ello"]);
    assert!(node.expect_delivered(1).contains("there already"));
    assert_eq!(names(folder.path()), [name.as_str()]);
    assert_eq!(fs::metadata(folder.path().join(&name)).unwrap().modified().unwrap(), made);
}

#[test]
fn another_content_of_the_same_name_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Loop::connected(Target::Directory(folder.path().to_owned()));
    let name = node.deliver(1, &[b"hello"]);
    node.expect_delivered(1);
    for _ in 0..2 {
        node.deliver(1, &[b"HELLO"]);
        node.expect_delivered(1);
    }
    let found = names(folder.path());
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(fs::read(folder.path().join(&name)).unwrap(), b"hello");
    assert!(found[1].starts_with(&format!("{name}_")));
    assert_eq!(fs::read(folder.path().join(&found[1])).unwrap(), b"HELLO");
}

#[test]
fn a_link_in_a_directory_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (inbox, outside) = (folder.path().join("inbox"), folder.path().join("outside"));
    fs::create_dir(&inbox).unwrap();
    let name = unit_name(&unit(1, &[]).id);
    std::os::unix::fs::symlink(&outside, inbox.join(&name)).unwrap();
    let mut node = Loop::connected(Target::Directory(inbox));
    node.deliver(1, &[b"hello"]);
    node.expect_delivered(1);
    assert!(!outside.exists());
}

#[test]
fn unfinished_files_go_when_a_node_starts_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    for name in [".farlink-unit-0.part", ".farlink-unit-17.part", ".farlink-unit-.part", "mine.part"] {
        fs::write(folder.path().join(name), "half").unwrap();
    }
    let _node = Loop::connected(Target::Directory(folder.path().to_owned()));
    assert_eq!(names(folder.path()), [".farlink-unit-.part", "mine.part"]);
}

#[test]
fn a_directory_that_has_gone_is_tried_again_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    let mut node = Loop::connected(Target::Directory(inbox.clone()));
    fs::remove_dir(&inbox).unwrap();
    let mut pauses = Vec::new();
    for _ in 0..4 {
        node.deliver(1, &[b"one"]);
        node.deliver(2, &[b"two"]);
        let (reason, pause) = node.expect_failed(&[2, 1]);
        assert!(reason.contains("its folder has gone: make it again"), "{reason}");
        pauses.push(pause.unwrap().as_millis());
        node.expect_connected();
    }
    assert_eq!(pauses, [10, 20, 30, 30]);
    fs::create_dir(&inbox).unwrap();
    node.deliver(1, &[b"one"]);
    node.expect_delivered(1);
    fs::remove_dir_all(&inbox).unwrap();
    node.deliver(2, &[b"two"]);
    assert_eq!(node.expect_failed(&[2]).1, Some(Duration::from_millis(10)), "a success ends the doubling");
}

#[test]
fn endpoints_of_a_node_share_a_directory_and_two_nodes_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::Directory(folder.path().to_owned());
    let both = vec![(HERE, target.clone()), (Eid::ipn(30, 2), target.clone())];
    let node = try_open(both, limits()).unwrap();
    let error = try_open(vec![(HERE, target.clone())], limits()).err().unwrap();
    assert!(matches!(error, OpenError::FolderInUse { .. }), "{error}");
    assert!(error.to_string().ends_with("is in use by another node: stop that one, or name another folder"));
    drop(node);
    try_open(vec![(HERE, target)], limits()).unwrap();
}

#[test]
fn a_file_holds_the_last_unit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latest");
    let mut node = Loop::connected(Target::File(path.clone()));
    node.deliver(1, &[b"a long first one"]);
    node.deliver(2, &[b"sec", b"ond"]);
    node.expect_delivered(1);
    assert!(node.expect_delivered(2).contains("received 6 bytes"));
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(names(folder.path()), ["latest"]);
}

/// The folder of the node that is killed, and the first unit that its store has not noted as delivered.
const KILLED_FOLDER: &str = "FARLINK_TEST_FOLDER";
const KILLED_FIRST: &str = "FARLINK_TEST_FIRST";
const KILLED_UNITS: u64 = 24;

fn long_unit(number: u64) -> Vec<u8> {
    (0..400_000_u32).map(|n| (u64::from(n) * number % 253) as u8).collect()
}

/// A node that delivers one unit after the other and says so.
#[test]
#[ignore = "the process that `a_node_killed_at_any_instant_leaves_whole_files_and_each_once` starts"]
fn node_to_be_killed() {
    let folder = std::env::var_os(KILLED_FOLDER).expect("the folder");
    let first = std::env::var(KILLED_FIRST).unwrap().parse().unwrap();
    let mut node = Loop::connected(Target::Directory(folder.into()));
    for number in first..=KILLED_UNITS {
        node.deliver(number, &[&long_unit(number)]);
        node.expect_delivered(number);
        println!("\nnoted {number}");
    }
}

#[test]
fn a_node_killed_at_any_instant_leaves_whole_files_and_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let expected = |number: u64| format!("ipn-10.1-820000000000-{number}");
    let mut first = 1;
    let mut kills = 0;
    while first <= KILLED_UNITS {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "files::node_to_be_killed", "--nocapture"])
            .env(KILLED_FOLDER, folder.path())
            .env(KILLED_FIRST, first.to_string())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut noted =
            lines.filter_map(|line| line.unwrap().strip_prefix("noted ").map(|n| n.parse::<u64>().unwrap()));
        // Two are noted, and the kill finds the third, or one after it, anywhere on its way.
        let last = noted.by_ref().take(2).last().expect("a node that delivers");
        std::thread::sleep(Duration::from_micros(300 * kills));
        child.kill().unwrap();
        child.wait().unwrap();
        drop(noted);
        kills += 1;
        // The store has noted the first of them only.
        first = if last == KILLED_UNITS { last + 1 } else { last };
        for name in names(folder.path()).iter().filter(|name| !name.starts_with('.')) {
            let number = name.rsplit('-').next().unwrap().parse().unwrap();
            assert!(fs::read(folder.path().join(name)).unwrap() == long_unit(number), "{name} is not whole");
        }
    }
    assert!(kills > 5, "{kills}");
    let _node = Loop::connected(Target::Directory(folder.path().to_owned()));
    let mut all: Vec<_> = (1..=KILLED_UNITS).map(expected).collect();
    all.sort();
    assert_eq!(names(folder.path()), all);
}
