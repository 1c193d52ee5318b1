//! Application data reaches directories, files, programs and sockets, and comes from there.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use farlink_engine::bp::{BundleId, Handle};
use farlink_nodes::applications::{AppEvent, Applications, LONGEST_SOCKET_PATH, Limits, OpenError, Target, unit_name};
use farlink_nodes::builtin::Delivery;
use farlink_wire::bpv7::{CreationTimestamp, Eid};
use tempfile::TempDir;

/// Long enough for anything that is to come, on any machine.
const PATIENCE: Duration = Duration::from_secs(30);

const HERE: Eid = Eid::ipn(30, 1);

/// The loop of a node.
struct Loop {
    applications: Applications,
    woken: Receiver<()>,
}

fn limits() -> Limits {
    let (first_pause, longest_pause) = (Duration::from_millis(10), Duration::from_millis(30));
    Limits { first_pause, longest_pause, longest_unit: 1 << 20, ..Limits::default() }
}

fn try_open(endpoints: Vec<(Eid, Target)>, limits: Limits) -> Result<Loop, OpenError> {
    let (wake, woken) = mpsc::channel();
    let wake = Mutex::new(wake);
    let wake = Arc::new(move || {
        let _ = wake.lock().unwrap().send(());
    });
    Ok(Loop { applications: Applications::open(endpoints, limits, wake)?, woken })
}

impl Loop {
    fn open(target: Target) -> Self {
        Loop::open_with(target, limits())
    }

    fn open_with(target: Target, limits: Limits) -> Self {
        try_open(vec![(HERE, target)], limits).unwrap()
    }

    /// A target that takes data from the start.
    fn connected(target: Target) -> Self {
        let mut this = Loop::open(target);
        this.expect_connected();
        this
    }

    fn next(&mut self) -> AppEvent {
        loop {
            if let Some(event) = self.applications.poll() {
                return event;
            }
            self.woken.recv_timeout(PATIENCE).expect("nothing has woken the loop");
        }
    }

    fn expect_connected(&mut self) {
        let event = self.next();
        assert!(matches!(&event, AppEvent::Connected { endpoint } if *endpoint == HERE), "{event:?}");
    }

    fn expect_delivered(&mut self, number: u64) -> String {
        match self.next() {
            AppEvent::Delivered { handle: Handle(found), told } if found == number => told,
            event => panic!("{event:?}"),
        }
    }

    /// The endpoint stops, and what it held comes back, the latest first.
    fn expect_failed(&mut self, numbers: &[u64]) -> (String, Option<Duration>) {
        let event = self.next();
        assert!(matches!(event, AppEvent::Disconnected { .. }), "{event:?}");
        let mut told = (String::new(), None);
        for number in numbers {
            match self.next() {
                AppEvent::Failed { handle, reason, retry_after } if handle == Handle(*number) => {
                    told = (reason, retry_after);
                }
                event => panic!("{event:?}"),
            }
        }
        told
    }

    fn deliver(&mut self, number: u64, pieces: &[&[u8]]) -> String {
        let delivery = unit(number, pieces);
        let name = unit_name(&delivery.id);
        self.applications.deliver(Handle(number), delivery);
        name
    }
}

fn unit(number: u64, pieces: &[&[u8]]) -> Delivery {
    let creation = CreationTimestamp { time_ms: 820_000_000_000, sequence: number };
    let payload = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
    Delivery { id: BundleId { source: Eid::ipn(10, 1), creation, extent: None }, destination: HERE, payload }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn shell(script: &str) -> Target {
    Target::Program(vec!["sh".into(), "-c".into(), script.into()])
}

fn socket(folder: &TempDir) -> (PathBuf, Target) {
    let path = folder.path().join("s");
    (path.clone(), Target::Socket(path))
}

struct Application {
    stream: BufReader<UnixStream>,
}

impl Application {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Application { stream: BufReader::new(stream) }
    }

    fn line(&mut self) -> serde_json::Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    fn unit(&mut self) -> (String, Vec<u8>) {
        let line = self.line();
        let mut data = vec![0; usize::try_from(line["length"].as_u64().unwrap()).unwrap()];
        self.stream.read_exact(&mut data).unwrap();
        (line["deliver"].as_str().unwrap().to_owned(), data)
    }

    fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(octets.as_ref()).unwrap();
    }

    fn confirm(&mut self, name: &str) {
        self.say(format!("{{\"delivered\": \"{name}\"}}\n"));
    }

    fn expect_closed_with(mut self, part: &str) {
        let line = self.line();
        let why = line["error"].as_str().unwrap();
        assert!(why.contains(part), "{why}");
        // Closed, be it with data of ours unread.
        assert!(matches!(self.stream.read(&mut [0]), Ok(0) | Err(_)));
    }
}

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

#[test]
fn targets_that_cannot_be_used_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "mine").unwrap();
    let refused = |target| try_open(vec![(HERE, target)], limits()).err().unwrap().to_string();
    let long = at(&"x".repeat(LONGEST_SOCKET_PATH));
    let octets = long.as_os_str().len();
    let cases = [
        (Target::Directory(at("file")), "a file is in the way: move it, or name another place".to_owned()),
        (Target::File(folder.path().to_owned()), "is no regular file".to_owned()),
        (Target::File(at("none/file")), "make the folder that it is in".to_owned()),
        (Target::Program(vec![]), "the program for ipn:30.1 has no name".to_owned()),
        (Target::Socket(at("file")), "is no socket: move it away".to_owned()),
        (Target::Socket(at("none/s")), "make the folder that it is in".to_owned()),
        (Target::Socket(long), format!("has {octets} octets, and the system takes 107")),
    ];
    for (target, expected) in cases {
        let error = refused(target);
        assert!(error.contains(&expected), "{error}");
    }
    assert_eq!(fs::read(at("file")).unwrap(), b"mine");
    let file = Target::File(at("file"));
    let error = try_open(vec![(HERE, file.clone()), (Eid::ipn(30, 2), file.clone())], limits()).err().unwrap();
    assert!(matches!(error, OpenError::FileTwice { .. }), "{error}");
    let error = try_open(vec![(HERE, file.clone()), (HERE, file)], limits()).err().unwrap();
    assert!(error.to_string().contains("ipn:30.1 has two applications"), "{error}");
}

#[test]
fn a_unit_for_no_application_fails() {
    let mut node = try_open(vec![], limits()).unwrap();
    node.applications.deliver(Handle(1), unit(1, &[]));
    match node.next() {
        AppEvent::Failed { handle: Handle(1), reason, retry_after: None } => {
            assert_eq!(reason, "no application takes what is for ipn:30.1");
        }
        event => panic!("{event:?}"),
    }
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

#[test]
fn an_application_takes_units_over_a_socket_and_confirms_them() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let mut node = Loop::open(target);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut application = Application::connect(&path);
    node.expect_connected();
    node.deliver(1, &[b"he", b"llo"]);
    let line = application.line();
    let expected = serde_json::json!({
        "deliver": "ipn-10.1-820000000000-1", "source": "ipn:10.1", "destination": "ipn:30.1",
        "creation": "820000000000-1", "length": 5
    });
    assert_eq!(line, expected);
    let mut data = [0; 5];
    application.stream.read_exact(&mut data).unwrap();
    assert_eq!(&data, b"hello");
    let second = node.deliver(2, &[b"a\nb"]);
    assert_eq!(application.unit(), (second.clone(), b"a\nb".to_vec()));
    application.confirm(&second);
    assert!(node.expect_delivered(2).contains("gave 3 bytes from ipn:10.1"));
    application.confirm("ipn-10.1-820000000000-1");
    node.expect_delivered(1);
}

#[test]
fn what_was_not_confirmed_comes_again_to_the_next_application() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let mut node = Loop::open(target);
    let mut application = Application::connect(&path);
    node.expect_connected();
    let names: Vec<_> = (1..=3).map(|number| node.deliver(number, &[b"data"])).collect();
    assert_eq!(application.unit().0, names[0]);
    application.confirm(&names[0]);
    node.expect_delivered(1);
    drop(application);
    let (reason, retry_after) = node.expect_failed(&[3, 2]);
    assert!(reason.contains("has closed the connection before it confirmed"), "{reason}");
    assert_eq!(retry_after, None);
    // What the agent still had on its way comes back, too.
    node.deliver(4, &[b"late"]);
    assert!(matches!(node.next(), AppEvent::Failed { handle: Handle(4), .. }));

    let mut application = Application::connect(&path);
    node.expect_connected();
    for number in 2..=3 {
        node.deliver(number, &[b"data"]);
    }
    for number in 2..=3 {
        let (name, data) = application.unit();
        assert_eq!(data, b"data");
        application.confirm(&name);
        node.expect_delivered(number);
    }
}

#[test]
fn a_confirmation_counts_though_the_application_goes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let mut node = Loop::open(target);
    let mut application = Application::connect(&path);
    node.expect_connected();
    let name = node.deliver(1, &[b"one"]);
    node.deliver(2, &[&vec![0; 1 << 22]]);
    assert_eq!(application.unit().0, name);
    application.confirm(&name);
    drop(application);
    node.expect_delivered(1);
    node.expect_failed(&[2]);
}

#[test]
fn one_application_at_a_time_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let mut node = Loop::open(target);
    let mut first = Application::connect(&path);
    node.expect_connected();
    Application::connect(&path).expect_closed_with("in use: another application is connected");
    let name = node.deliver(1, &[b"one"]);
    assert_eq!(first.unit().0, name);
}

#[test]
fn a_slow_reader_gets_all_and_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let inbox = folder.path().join("inbox");
    let other = Eid::ipn(30, 2);
    let mut node = try_open(vec![(HERE, target), (other.clone(), Target::Directory(inbox))], limits()).unwrap();
    let mut application = Application::connect(&path);
    for _ in 0..2 {
        assert!(matches!(node.next(), AppEvent::Connected { .. }));
    }
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let names = [node.deliver(1, &[&big]), node.deliver(2, &[b"two"])];
    node.applications.deliver(Handle(3), Delivery { destination: other, ..unit(3, &[b"three"]) });
    node.expect_delivered(3);
    // It has sent before it reads, and its request is taken.
    application.say("{\"send\": {\"to\": \"ipn:20.1\", \"length\": 2}}\nhi");
    let AppEvent::Send { request } = node.next() else { panic!() };
    request.reply(Err("no known route"));
    let (name, data) = application.unit();
    assert!(name == names[0] && data == big);
    assert_eq!(application.line()["error"], "no known route", "the answer goes before the units that wait");
    assert_eq!(application.unit(), (names[1].clone(), b"two".to_vec()));
}

#[test]
fn an_application_sends_and_is_answered_when_the_loop_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let mut node = Loop::open(target);
    let mut application = Application::connect(&path);
    node.expect_connected();
    let data = vec![7; 1 << 20];
    let header = format!("{{\"send\": {{\"to\": \"ipn:20.1\", \"length\": {}}}}}\n", data.len());
    application.say([header.as_bytes(), &data, b"{\"send\": {\"to\": \"ipn:20.2\", \"length\": 0}}\n"].concat());
    let AppEvent::Send { request } = node.next() else { panic!() };
    assert_eq!((&request.endpoint, &request.transmission.source), (&HERE, &HERE));
    assert_eq!(request.transmission.destination, Eid::ipn(20, 1));
    assert!(request.transmission.payload == data);
    assert!(node.applications.poll().is_none(), "one request at a time");
    request.reply(Ok(&unit(9, &[]).id));
    assert_eq!(application.line(), serde_json::json!({"sent": "ipn:10.1 820000000000-9"}));
    let AppEvent::Send { request } = node.next() else { panic!() };
    assert_eq!(request.transmission.destination, Eid::ipn(20, 2));
    drop(request);
    assert!(application.line()["error"].as_str().unwrap().contains("send it again"));
}

#[test]
fn an_application_may_end_its_direction_and_wait_for_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let mut node = Loop::open(target);
    let mut application = Application::connect(&path);
    node.expect_connected();
    application.say("{\"send\": {\"to\": \"ipn:20.1\", \"length\": 2}}\nhi");
    application.stream.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    let AppEvent::Send { request } = node.next() else { panic!() };
    request.reply(Ok(&unit(9, &[]).id));
    assert_eq!(application.line()["sent"], "ipn:10.1 820000000000-9");
    assert!(matches!(node.next(), AppEvent::Disconnected { .. }));
}

#[test]
fn an_application_that_goes_before_its_answer_makes_room_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let mut node = Loop::open(target);
    let mut application = Application::connect(&path);
    node.expect_connected();
    application.say("{\"send\": {\"to\": \"ipn:20.1\", \"length\": 2}}\nhi");
    drop(application);
    let AppEvent::Send { request } = node.next() else { panic!() };
    request.reply(Ok(&unit(9, &[]).id));
    assert!(matches!(node.next(), AppEvent::Disconnected { .. }));
    let mut application = Application::connect(&path);
    node.expect_connected();
    let name = node.deliver(1, &[b"one"]);
    assert_eq!(application.unit().0, name, "the answer was not for this one");
}

#[test]
fn hostile_applications_are_told_and_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let mut node = Loop::open(target);
    let long = vec![b'x'; 70_000];
    let cases: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\n\r\n", "the line is no message"),
        (&[0, 255, 10], "the line is no message"),
        (&long, "longer than 65536 octets"),
        (b"{\"send\": {\"to\": \"ipn:20.1\", \"length\": 1048577}}\n", "more than this node takes, 1048576"),
        (b"{\"delivered\": \"another\"}\n", "no unit `another` waits"),
    ];
    for (octets, expected) in cases {
        let mut application = Application::connect(&path);
        node.expect_connected();
        // The node may close before it has read all of it.
        let _ = application.stream.get_mut().write_all(octets);
        application.expect_closed_with(expected);
        assert!(matches!(node.next(), AppEvent::Disconnected { .. }));
    }
    for half in ["{\"deliv", "{\"send\": {\"to\": \"ipn:20.1\", \"length\": 1000000}}\nhalf of it"] {
        let mut application = Application::connect(&path);
        node.expect_connected();
        application.say(half);
        drop(application);
        assert!(matches!(node.next(), AppEvent::Disconnected { .. }), "half a request is none");
    }
    let mut application = Application::connect(&path);
    node.expect_connected();
    let name = node.deliver(1, &[b"one"]);
    assert_eq!(application.unit().0, name);
}

#[test]
fn requests_that_are_refused_do_not_close_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let mut node = Loop::open(target);
    let mut application = Application::connect(&path);
    node.expect_connected();
    let wrong = "{\"send\": {\"to\": \"ipn:20.1\", \"length\": 3, \"class\": \"urgent\"}}\nabc";
    application.say(wrong.repeat(1000));
    for _ in 0..1000 {
        assert!(application.line()["error"].as_str().unwrap().starts_with("class: "));
    }
    application.say("{\"send\": {\"to\": \"ipn:20.1\", \"length\": 3}}\nabc");
    assert!(matches!(node.next(), AppEvent::Send { .. }));
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    // What a killed node leaves: the file of a socket on which nobody listens.
    drop(UnixListener::bind(&path).unwrap());
    let node = Loop::open(target.clone());
    let error = try_open(vec![(HERE, target)], limits()).err().unwrap();
    assert!(matches!(error, OpenError::SocketInUse { .. }), "{error}");
    assert!(error.to_string().contains("is in use by another program"), "{error}");
    Application::connect(&path);
    drop(node);
    assert!(!path.exists(), "a node that ends takes its socket with it");
}

#[test]
fn the_end_of_the_node_closes_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = socket(&folder);
    let mut node = Loop::open(target);
    let mut application = Application::connect(&path);
    node.expect_connected();
    node.deliver(1, &[&vec![0; 1 << 22]]);
    drop(node);
    let mut rest = Vec::new();
    let _ = application.stream.read_to_end(&mut rest);
    assert!(rest.len() < 1 << 22);
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
            .args(["--ignored", "--exact", "node_to_be_killed", "--nocapture"])
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
