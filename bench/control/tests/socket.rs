//! The control socket, between processes and users as they are.
#![allow(missing_docs)]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_control::{
    Answer, Ask, Client, ClientError, FindError, Limits, MAX_LINE, Server, SocketError, find, words,
};
use farlink_link::{Channel, ChannelConfig, Contacts, Damaged};
use farlink_record::ChannelId;
use farlink_record::control::Restorable;
use farlink_record::counters::ChannelCounters;
use farlink_record::instrument::Snapshot;
use farlink_units::BitRate;

/// Set in a process that a test starts as another user: the socket that it shall speak to.
const SOCKET: &str = "FARLINK_TEST_SOCKET";

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn names() -> Vec<String> {
    vec!["forward".into(), "return".into()]
}

/// An emulator with two channels, and nothing else, that does what it is told.
struct Emulator {
    stop: Arc<AtomicBool>,
    driver: Option<JoinHandle<Vec<String>>>,
}

impl Emulator {
    fn start(server: Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let driver = thread::spawn(move || {
            let now = farlink_units::Instant::ZERO;
            let mut channels = [0, 1].map(channel);
            let mut log = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let Some(request) = server.wait(Duration::from_millis(10)) else { continue };
                let concerned = |index: usize| request.channel().is_none_or(|channel| usize::from(channel.0) == index);
                match request.ask().clone() {
                    Ask::Control { control } => {
                        log.push(format!("{:?} {control}", request.channel().map(|channel| channel.0)));
                        let mut done = Ok(());
                        for (index, channel) in channels.iter_mut().enumerate().filter(|(index, _)| concerned(*index)) {
                            done = done.and_then(|()| {
                                channel.control(now, &control, |_| panic!("{index}: no frame, no event"))
                            });
                        }
                        request.answer_done(done);
                    }
                    Ask::Snapshot => {
                        let of = |(name, channel): (&String, &Channel)| {
                            channel.state(name, ["a", "b"], now, &ChannelCounters::default())
                        };
                        let channels = names().iter().zip(&channels).map(of).collect();
                        let snapshot = Snapshot { at: now, channels, ..Snapshot::default() };
                        request.answer(Answer::Snapshot(Box::new(snapshot)));
                    }
                }
            }
            log
        });
        Emulator { stop, driver: Some(driver) }
    }

    /// What it was told.
    fn finish(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.driver.take().unwrap().join().unwrap()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn channel(id: u16) -> Channel {
    Channel::new(ChannelConfig {
        id: ChannelId(id),
        rate: Rate::constant(BitRate::from_bps(8000).unwrap()),
        overhead_bits: 0,
        contacts: Contacts::Always,
        light_time: LightTime::Constant(farlink_units::Duration::from_secs(4)),
        errors: Errors::none(),
        damaged: Damaged::Drop,
        radio: None,
        queue_bits: 1 << 20,
        seed: 1,
    })
}

fn quick() -> Limits {
    Limits { clients: 2, silence: Duration::from_millis(300), answer: Duration::from_millis(300) }
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emulator.sock");
    (folder, path)
}

fn say(words: &str) -> Ask {
    Ask::Control { control: words::parse(words).unwrap() }
}

fn refused(answer: Answer) -> String {
    match answer {
        Answer::Refused { why } => why,
        other => panic!("not refused: {other:?}"),
    }
}

/// Says this as it stands, and reads one line.
fn raw(path: &Path, text: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who is turned away may find that nobody listens any more.
    let _ = stream.write_all(text);
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

#[test]
fn an_emulator_does_what_its_owner_says_and_tells_how_it_is() {
    let (_folder, path) = place();
    let emulator = Emulator::start(Server::start(&path, names()).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut client = Client::connect(&path).unwrap();
    assert_eq!(client.ask(Some("return"), say("rate 64kbit/s")).unwrap(), Answer::Done);
    assert_eq!(client.ask(None, say("drop 2 report --skip 1 --each-session")).unwrap(), Answer::Done);
    assert_eq!(client.ask(None, say("contact closed")).unwrap(), Answer::Done);
    let why = refused(client.ask(Some("backward"), say("rate none")).unwrap());
    assert_eq!(why, "there is no channel `backward`: write one of `forward`, `return`");
    let why = refused(client.ask(Some("return"), say("pause")).unwrap());
    assert!(why.contains("leave out the channel"), "{why}");
    let Answer::Snapshot(snapshot) = client.ask(None, Ask::Snapshot).unwrap() else { panic!("no snapshot") };
    let told: Vec<_> =
        snapshot.channels.iter().map(|c| (c.name.as_str(), c.open, c.rate_bps, c.faults.len())).collect();
    assert_eq!(told, [("forward", false, Some(8000), 1), ("return", false, Some(64_000), 1)]);
    assert_eq!(snapshot.channels[0].by_hand, [Restorable::Contact, Restorable::Faults]);
    let log = emulator.finish();
    assert_eq!(
        log,
        [
            "Some(1) rate 64 kbit/s",
            "None drop the next 2 report segments, after sparing 1, in each session",
            "None contact closed"
        ]
    );
    assert!(!path.exists(), "the socket goes with the emulator");
    let error = client.ask(None, Ask::Snapshot).unwrap_err();
    assert!(matches!(error, ClientError::Ended { .. } | ClientError::Broken { .. }), "{error}");
    let error = Client::connect(&path).unwrap_err().to_string();
    assert!(error.contains("no emulator listens there") && error.contains("`--control`"), "{error}");
}

#[test]
fn another_user_is_turned_away_whatever_the_mode_of_the_socket() {
    if let Some(path) = std::env::var_os(SOCKET) {
        // As that user.
        match UnixStream::connect(PathBuf::from(path)) {
            Err(error) => println!("child: {error}"),
            Ok(mut stream) => {
                let _ = stream.write_all(b"{\"version\":1,\"ask\":\"control\",\"control\":{\"do\":\"pause\"}}\n");
                let mut answer = String::new();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.read_to_string(&mut answer).unwrap();
                println!("child: {answer}");
            }
        }
        return;
    }
    let (folder, path) = place();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    // Where another user may read it.
    let program = folder.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let emulator = Emulator::start(Server::start(&path, names()).unwrap());
    let ask_as_nobody = || {
        let output = Command::new(&program)
            .args(["--exact", "another_user_is_turned_away_whatever_the_mode_of_the_socket", "--nocapture"])
            .env(SOCKET, &path)
            .current_dir("/")
            .uid(65_534)
            .gid(65_534)
            .output()
            .expect("this test must be run as root: it becomes another user");
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let at = output.find("child: ").unwrap_or_else(|| panic!("the other user said nothing: {output}"));
        output[at..].lines().next().unwrap().to_owned()
    };
    let by_mode = ask_as_nobody();
    assert!(by_mode.contains("Permission denied"), "{by_mode}");
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let by_user = ask_as_nobody();
    assert!(by_user.contains("\"refused\"") && by_user.contains("only user 0, who started this emulator"), "{by_user}");
    assert!(emulator.finish().is_empty(), "nothing was done");
}

#[test]
fn a_live_socket_is_refused_and_that_of_a_dead_process_is_replaced() {
    let (folder, path) = place();
    let first = Server::start(&path, names()).unwrap();
    let error = Server::start(&path, names()).unwrap_err();
    assert!(matches!(error, SocketError::InUse { .. }), "{error}");
    assert!(
        error.to_string().ends_with("an emulator listens there already: stop it, or choose another path"),
        "{error}"
    );
    drop(first);
    // A listener that goes without removing its socket, as a process that is killed does.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let second = Server::start(&path, names()).unwrap();
    // If somebody has put another in its place, that one stays.
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    drop(second);
    assert!(path.exists());
    drop(other);
    let file = folder.path().join("notes");
    fs::write(&file, "dear diary").unwrap();
    let error = Server::start(&file, names()).unwrap_err();
    assert!(matches!(error, SocketError::NotASocket { .. }), "{error}");
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    let error = Server::start(&link, names()).unwrap_err();
    assert!(matches!(error, SocketError::NotASocket { .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"dear diary");
}

#[test]
fn a_folder_in_which_others_may_write_is_refused() {
    let (folder, path) = place();
    for (mode, refused) in [(0o777, true), (0o775, true), (0o1777, false), (0o755, false), (0o700, false)] {
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        match Server::start(&path, names()) {
            Ok(_) => assert!(!refused, "{mode:o}"),
            Err(error) => {
                assert!(refused && matches!(error, SocketError::OpenFolder { .. }), "{mode:o}: {error}");
                assert!(error.to_string().contains("`chmod go-w` it, or choose another path"), "{error}");
            }
        }
    }
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    std::os::unix::fs::chown(&foreign, Some(65_534), None)
        .expect("this test must be run as root: it gives a folder away");
    let error = Server::start(&foreign.join("s"), names()).unwrap_err();
    assert!(matches!(error, SocketError::ForeignFolder { uid: 65_534, .. }), "{error}");
    let error = Server::start(&folder.path().join("none/s"), names()).unwrap_err();
    assert!(matches!(error, SocketError::Folder { .. }), "{error}");
    let error = Server::start(Path::new("/"), names()).unwrap_err();
    assert!(matches!(error, SocketError::NoName { .. }), "{error}");
    let long = folder.path().join("s".repeat(200));
    let error = Server::start(&long, names()).unwrap_err();
    assert!(matches!(error, SocketError::System { .. }), "{error}");
}

#[test]
fn what_is_no_request_is_answered_with_what_would_be_one() {
    let (_folder, path) = place();
    let emulator = Emulator::start(Server::start(&path, names()).unwrap());
    let wrong = [
        ("hello\n", "not a request"),
        ("{}\n", "missing field `version`"),
        ("{\"version\":2,\"ask\":\"snapshot\"}\n", "version 2 of the protocol is not spoken here, but 1"),
        ("{\"version\":1,\"ask\":\"dance\"}\n", "unknown variant `dance`"),
        ("{\"version\":1,\"ask\":\"control\"}\n", "missing field `control`"),
        ("{\"version\":1,\"ask\":\"control\",\"control\":{\"do\":\"rate\",\"bps\":-1}}\n", "not a request"),
        (
            "{\"version\":1,\"ask\":\"control\",\"control\":{\"do\":\"rate\",\"bps\":0}}\n",
            "say `rate none` for silence",
        ),
    ];
    for (text, says) in wrong {
        let answer = raw(&path, text.as_bytes());
        assert!(
            answer.starts_with("{\"version\":1,\"answer\":\"refused\"") && answer.contains(says),
            "{text}: {answer}"
        );
    }
    // One connection outlives its mistakes.
    let answers = raw(&path, b"hello\n");
    assert!(answers.contains("refused"));
    let answer = raw(&path, &vec![b'x'; MAX_LINE + 2]);
    assert!(answer.contains("at most 65536 bytes"), "{answer}");
    let mut noise = Vec::new();
    let mut state = 1u64;
    for _ in 0..5000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.push((state >> 33) as u8);
    }
    noise.push(b'\n');
    assert!(raw(&path, &noise).contains("not a request"));
    let mut client = Client::connect(&path).unwrap();
    assert!(matches!(client.ask(None, Ask::Snapshot).unwrap(), Answer::Snapshot(_)), "it still answers");
    assert_eq!(emulator.finish(), ["None rate 0 bit/s"]);
}

#[test]
fn clients_are_bounded_and_the_silent_are_sent_away() {
    let (_folder, path) = place();
    let _emulator =
        Emulator::start(Server::with_limits(&path, names(), Limits { silence: PATIENCE, ..quick() }).unwrap());
    let (mut one, mut two) = (Client::connect(&path).unwrap(), Client::connect(&path).unwrap());
    for client in [&mut one, &mut two] {
        assert!(matches!(client.ask(None, Ask::Snapshot).unwrap(), Answer::Snapshot(_)));
    }
    let why = refused(Client::connect(&path).unwrap().ask(None, Ask::Snapshot).unwrap());
    assert_eq!(why, "2 clients are connected, which is all that may be: end one of them");
    drop(one);
    let deadline = Instant::now() + PATIENCE;
    while let Answer::Refused { .. } = Client::connect(&path).unwrap().ask(None, Ask::Snapshot).unwrap() {
        assert!(Instant::now() < deadline, "the place of a client that has gone stays taken");
        thread::sleep(Duration::from_millis(5));
    }
    let (_folder, path) = place();
    let _emulator = Emulator::start(Server::with_limits(&path, names(), quick()).unwrap());
    for begins in [&b""[..], b"{\"version\":1,"] {
        let answer = raw(&path, begins);
        assert!(answer.contains("no line came for 0.3 s: connect again"), "{answer}");
    }
    // One that always says a little, and never a line, is no better.
    let mut stream = UnixStream::connect(&path).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while stream.write_all(b" ").is_ok() {
        assert!(Instant::now() < deadline, "it is never sent away");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_client_need_not_wait_for_ever_for_an_emulator_that_does_not_answer() {
    let (_folder, path) = place();
    let server = Server::with_limits(&path, names(), quick()).unwrap();
    let mut client = Client::connect(&path).unwrap();
    let why = refused(client.ask(None, say("rate none")).unwrap());
    assert!(why.contains("did not answer within 0.3 s; it may still do it"), "{why}");
    assert_eq!(server.poll().map(|request| request.ask().clone()), Some(say("rate none")));
    assert!(server.poll().is_none());
    // One that ends instead.
    let asking = thread::spawn(move || client.ask(None, Ask::Snapshot));
    let request = server.wait(PATIENCE).expect("the request comes");
    drop(request);
    let why = refused(asking.join().unwrap().unwrap());
    assert_eq!(why, "the emulator ends");
}

#[test]
fn the_one_emulator_of_a_user_is_found() {
    // The folder is in the environment, so this looks at it from another process.
    if let Some(path) = std::env::var_os(SOCKET) {
        let said = |found: Result<PathBuf, FindError>| match found {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        };
        println!("child: {}", said(find()));
        let first = Server::start(&farlink_control::default_path("mars relay"), names()).unwrap();
        assert_eq!(first.path(), Path::new(&path));
        println!("child: {}", said(find()));
        let _second = Server::start(&farlink_control::default_path("b"), names()).unwrap();
        println!("child: {}", said(find()).replace('\n', " "));
        drop(first);
        println!("child: {}", said(find()));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let runtime = folder.path().display();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_one_emulator_of_a_user_is_found", "--nocapture"])
        .env("XDG_RUNTIME_DIR", folder.path())
        .env(SOCKET, folder.path().join("farlink/mars-relay.sock"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said: Vec<&str> = text.lines().filter_map(|line| line.split_once("child: ").map(|(_, said)| said)).collect();
    assert_eq!(
        said,
        [
            format!(
                "no emulator of yours listens in {runtime}/farlink: start one with `--control`, or name its socket with \
                 `--socket PATH`"
            ),
            format!("{runtime}/farlink/mars-relay.sock"),
            format!(
                "several emulators of yours listen: name one with `--socket PATH`:   {runtime}/farlink/b.sock   \
                 {runtime}/farlink/mars-relay.sock"
            ),
            format!("{runtime}/farlink/b.sock"),
        ],
        "{text}"
    );
    let mode = fs::metadata(folder.path().join("farlink")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
