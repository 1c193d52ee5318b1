//! Delivery over sockets, and requests to send.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

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
