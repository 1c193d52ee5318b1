//! A device that a keeper holds is silenced whatever becomes of the program: tried with programs that are killed, stopped,
//! panic and exit. What the device was told stands in a file.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use farlink_sdr_devices::keeper::{KeeperError, Kept, hold};
use farlink_sdr_devices::safety::{Duty, Guarded, Limits, Permit, Rules, Silence, State};
use farlink_sdr_devices::{
    Burst, Device, DeviceError, Direction, Faults, Journal, Losses, Monotonic, Request, Settings, TestDevice, Told,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use num_complex::Complex32;

const TX: Direction = Direction::Transmit;
const WAIT: Duration = Duration::from_millis(10);
const DOWN: Request = Request::SetGain { direction: TX, gain_db: 0.0 };
const STOP: Request = Request::Run { direction: TX, runs: false };
/// Where the device writes down what it is told.
const TOLD: &str = "FARLINK_TEST_TOLD";
/// What a process of these tests is to do.
const MANNER: &str = "FARLINK_TEST_MANNER";

fn rules(dead_man_s: f64) -> Rules {
    Rules {
        permit: Permit::Conducted { attenuation_db: 60.0 },
        limits: Limits { frequency_hz: None, gain_db: 30.0, occupied_hz: None, duty: Duty::ALWAYS },
        dead_man_s,
    }
}

fn wanted() -> Settings {
    Settings { sample_rate_hz: 1e6, frequency_hz: 435e6, gain_db: 20.0, bandwidth_hz: None }
}

/// This program as another process, which runs one test that is ignored.
fn process(test: &str, told: &Path, manner: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test, "--nocapture"]).env(TOLD, told).env(MANNER, manner);
    command
}

fn told_path() -> PathBuf {
    PathBuf::from(std::env::var_os(TOLD).expect("the path"))
}

fn manner() -> String {
    std::env::var(MANNER).expect("the manner")
}

#[test]
#[ignore = "the process that holds the device in the other tests"]
fn process_that_keeps() {
    let manner = manner();
    let faults = match manner.as_str() {
        "hangs at the start" => Faults { hangs_at_gain: Arc::new(AtomicBool::new(true)), ..Faults::default() },
        "hangs" => Faults { hangs: Arc::new(AtomicBool::new(true)), ..Faults::default() },
        "fails" => Faults { fails_after: Some(1000), ..Faults::default() },
        "disobeys" => Faults { runs_on: true, ..Faults::default() },
        "loses" => Faults { losses: Losses { underflows: 1, ..Losses::default() }, ..Faults::default() },
        _ => Faults::default(),
    };
    let open = || {
        if manner == "absent" {
            let (device, what) = ("test device".to_owned(), "be opened".to_owned());
            return Err(DeviceError::Refused { device, what, why: "it is not there".to_owned() });
        }
        let mut device = TestDevice::new().with_faults(faults).writing_to(&told_path()).unwrap();
        device.feed(&[Complex32::new(0.5, -0.5); 100_000]);
        Ok(Box::new(device) as Box<dyn Device>)
    };
    match hold(open) {
        Ok(ending) => println!("kept: {} ordered={}", ending.why, ending.ordered),
        Err(error) => println!("not kept: {error}"),
    }
}

fn keep(told: &Path, manner: &str, rules: Option<&Rules>) -> Result<Kept, KeeperError> {
    let mut command = process("process_that_keeps", told, manner);
    command.stdout(Stdio::null());
    Kept::start(command, rules)
}

/// A device on the air.
fn on_air(told: &Path, manner: &str, dead_man_s: f64) -> Kept {
    let mut kept = keep(told, manner, Some(&rules(dead_man_s))).unwrap();
    start(&mut kept);
    kept
}

fn start(device: &mut dyn Device) {
    assert_eq!(device.set(TX, &wanted()).unwrap(), wanted());
    device.run(TX, true).unwrap();
    assert!(device.runs(TX));
}

fn send(device: &mut dyn Device) -> Result<usize, DeviceError> {
    device.transmit(&[Complex32::new(0.5, 0.0); 1000], Burst::default(), WAIT)
}

/// A program that transmits until it ends in the manner asked.
#[test]
#[ignore = "the process that the other tests kill"]
fn process_that_transmits() {
    let manner = manner();
    let (mut device, control): (Box<dyn Device>, Box<dyn Fn() -> bool>) = if manner == "unkept" {
        let device = TestDevice::new().writing_to(&told_path()).unwrap();
        let device = Guarded::new(Box::new(device), Some(rules(60.0)), Arc::new(Monotonic::default())).unwrap();
        let control = device.control();
        (
            Box::new(device),
            Box::new(move || {
                control.is_there();
                true
            }),
        )
    } else {
        let mut command = process("process_that_keeps", &told_path(), "obeys");
        // Both write to the pipe that the test reads, which ends when both have ended.
        command.stdout(Stdio::inherit());
        let kept = Kept::start(command, Some(&rules(if manner == "stopped" { 5.0 } else { 60.0 }))).unwrap();
        println!("\nkeeper {}", kept.keeper_id());
        let control = kept.control();
        (Box::new(kept), Box::new(move || control.is_there().is_ok()))
    };
    start(device.as_mut());
    send(device.as_mut()).unwrap();
    println!("\non the air");
    match manner.as_str() {
        "exits" => std::process::exit(0),
        "panics" => panic!("as programs do"),
        "aborts" => std::process::abort(),
        _ => while control() && send(device.as_mut()).is_ok() {},
    }
}

/// A program on the air, what it prints, and the file of its device.
struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    keeper: Option<i32>,
    told: PathBuf,
    _folder: tempfile::TempDir,
}

impl Program {
    fn start(manner: &str) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        let mut command = process("process_that_transmits", &told, manner);
        command.env("RUST_BACKTRACE", "0");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (mut line, mut keeper) = (String::new(), None);
        while line.trim_end() != "on the air" {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "it never got on the air");
            keeper = line.trim_end().strip_prefix("keeper ").map_or(keeper, |id| id.parse().ok());
        }
        Program { child, output, keeper, told, _folder: folder }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits until program and keeper have ended, and tells what the device was told.
    fn end(mut self) -> (Vec<Told>, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap();
        (Journal::read(&self.told).unwrap(), rest)
    }
}

/// That the last that the device was told, after the last sample, was to be silent.
fn silenced(told: &[Told]) {
    let requests: Vec<&Request> = told.iter().map(|told| &told.request).collect();
    assert!(requests.iter().any(|request| matches!(request, Request::Transmit { .. })), "{requests:?}");
    assert!(
        requests.ends_with(&[&DOWN, &STOP, &Request::Closed]),
        "{:?}",
        &requests[requests.len().saturating_sub(5)..]
    );
    assert!(told[told.len() - 3..].iter().all(|told| told.done));
}

#[test]
fn a_program_that_is_killed_leaves_a_silent_device() {
    let program = Program::start("killed");
    program.signal(Signal::SIGKILL);
    let (told, said) = program.end();
    silenced(&told);
    assert!(said.contains("kept: the program that used it is gone ordered=false"), "{said}");
}

/// Without a keeper it does not: this is what the keeper is for, and shows that the test above can fail.
#[test]
fn without_a_keeper_a_program_that_is_killed_leaves_the_device_on_the_air() {
    let program = Program::start("unkept");
    program.signal(Signal::SIGKILL);
    let (told, _) = program.end();
    assert!(matches!(told.last().unwrap().request, Request::Transmit { .. }), "{:?}", told.last());
}

#[test]
fn a_program_that_stops_loses_control_and_leaves_a_silent_device() {
    let program = Program::start("stopped");
    program.signal(Signal::SIGSTOP);
    // The keeper ends while the program is still there, and holds its end of the socket.
    let requests = loop {
        let told = Journal::read(&program.told).unwrap();
        if told.last().is_some_and(|told| told.request == Request::Closed) {
            break told;
        }
        thread::sleep(Duration::from_millis(5));
    };
    silenced(&requests);
    program.signal(Signal::SIGKILL);
    let (told, said) = program.end();
    assert_eq!(told, requests);
    assert!(said.contains("kept: nobody has said for 5s that control is there ordered=false"), "{said}");
}

#[test]
fn a_program_that_exits_aborts_or_panics_leaves_a_silent_device() {
    for manner in ["exits", "aborts", "panics"] {
        let (told, said) = Program::start(manner).end();
        silenced(&told);
        assert!(said.contains("kept: the program that used it is gone ordered=false"), "{manner}: {said}");
    }
}

#[test]
fn a_keeper_that_gets_a_signal_to_end_silences_first() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let program = Program::start("transmits on");
        kill(Pid::from_raw(program.keeper.unwrap()), signal).unwrap();
        let (told, said) = program.end();
        silenced(&told);
        assert!(said.contains("kept: its keeper got a signal to end ordered=false"), "{signal}: {said}");
    }
}

#[test]
fn the_device_works_through_its_keeper_and_is_closed_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let mut kept = on_air(&told, "loses", 60.0);
    assert_eq!(kept.name(), "test device");
    assert!(kept.has(TX) && kept.has(Direction::Receive) && kept.tells_losses(TX));
    assert_eq!(kept.gain_range_db(TX).unwrap(), 0.0..=60.0);
    assert_eq!(kept.set_gain_db(TX, 10.0).unwrap(), 10.0);
    assert_eq!(kept.settings(TX).unwrap().gain_db, 10.0);
    assert!(kept.time_ns().unwrap() > 0);
    let error = kept.set_gain_db(TX, 31.0).unwrap_err().to_string();
    assert_eq!(error, "test device: must not set the gain: a gain of 31 dB is above the limit of 30 dB");
    assert!(matches!(kept.set_gain_db(TX, f64::NAN), Err(DeviceError::Refused { .. })));
    assert!(matches!(kept.set(TX, &Settings { frequency_hz: f64::NAN, ..wanted() }), Err(DeviceError::Refused { .. })));
    // More than a frame holds.
    let burst = Burst { at_ns: Some(i64::MAX), ends: true };
    assert_eq!(kept.transmit(&vec![Complex32::default(); 150_000], burst, Duration::from_secs(10)).unwrap(), 150_000);
    assert_eq!(kept.losses(), Losses { underflows: 3, ..Losses::default() });
    assert!(kept.losses().inconclusive().is_some());
    kept.run(Direction::Receive, true).unwrap();
    let mut samples = vec![Complex32::default(); 100_001];
    let mut got = 0;
    while got < 100_000 {
        got += kept.receive(&mut samples[got..], WAIT).unwrap().count;
    }
    assert!(samples[..100_000].iter().all(|sample| *sample == Complex32::new(0.5, -0.5)));
    assert_eq!(kept.receive(&mut samples, WAIT).unwrap().count, 0);
    let silence = Some(Silence { gain_db: 0.0, lowest_db: 0.0 });
    assert_eq!(kept.close().unwrap(), State::Silent { why: "it was closed".to_owned(), silence });

    let told = Journal::read(&told).unwrap();
    silenced(&told);
    let bursts: Vec<&Request> =
        told.iter().map(|told| &told.request).filter(|request| matches!(request, Request::Transmit { .. })).collect();
    let part = |count, at_ns, ends| Request::Transmit { count, burst: Burst { at_ns, ends } };
    assert_eq!(bursts, [&part(65536, Some(i64::MAX), false), &part(65536, None, false), &part(18928, None, true)]);
}

#[test]
fn a_keeper_that_has_ended_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = on_air(&folder.path().join("fails"), "fails", 60.0);
    send(&mut kept).unwrap();
    assert!(matches!(send(&mut kept), Err(DeviceError::Refused { .. })));
    let error = send(&mut kept).unwrap_err().to_string();
    assert_eq!(
        error,
        "test device: lost: its keeper has silenced it and ended: test device: cannot transmit: it is broken"
    );
    assert_eq!(send(&mut kept).unwrap_err().to_string(), error);
    assert!(kept.control().is_there().is_err());
    drop(kept);
    silenced(&Journal::read(&folder.path().join("fails")).unwrap());

    // Lost control, seen by a program that goes on without saying that it is there.
    let mut kept = on_air(&folder.path().join("mute"), "obeys", 5.0);
    let error = loop {
        match send(&mut kept) {
            Ok(_) => thread::sleep(Duration::from_millis(1)),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("nobody has said for 5s that control is there"), "{error}");
    drop(kept);
    silenced(&Journal::read(&folder.path().join("mute")).unwrap());

    let kept = on_air(&folder.path().join("disobeys"), "disobeys", 60.0);
    let State::Disobeys { what, .. } = kept.close().unwrap() else { panic!("it runs on") };
    assert_eq!(what, "its stream runs after it was stopped");
}

#[test]
fn a_keeper_that_is_killed_or_whose_driver_hangs_is_a_lost_device() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = on_air(&folder.path().join("killed"), "obeys", 60.0);
    kill(Pid::from_raw(kept.keeper_id() as i32), Signal::SIGKILL).unwrap();
    let error = send(&mut kept).unwrap_err().to_string();
    assert_eq!(error, "test device: lost: its keeper does not answer: the other end is gone");
    assert!(kept.close().is_err());

    let mut kept = on_air(&folder.path().join("hangs"), "hangs", 5.0);
    let error = send(&mut kept).unwrap_err().to_string();
    assert_eq!(error, "test device: lost: its keeper does not answer: the other end is gone");
}

/// What the keeper says on its standard error, where a person looks who has no program any more.
fn last_words(folder: &Path, manner: &str, end: impl FnOnce(Kept)) -> String {
    let (told, words) = (folder.join(manner), folder.join(format!("{manner} words")));
    let mut command = process("process_that_keeps", &told, manner);
    command.stdout(Stdio::null()).stderr(fs::File::create(&words).unwrap());
    let mut kept = Kept::start(command, Some(&rules(60.0))).unwrap();
    start(&mut kept);
    end(kept);
    fs::read_to_string(words).unwrap()
}

#[test]
fn a_keeper_leaves_word_of_what_became_of_the_device() {
    let folder = tempfile::tempdir().unwrap();
    // Dropped without a word, as by a program that is killed.
    let words = last_words(folder.path(), "obeys", drop);
    assert_eq!(words, "test device is silent, at 0 dB and its stream stopped: the program that used it is gone\n");
    let words = last_words(folder.path(), "disobeys", drop);
    // Last, after what the guard says by itself.
    assert!(
        words.ends_with(
            "\ntest device DOES NOT OBEY: its stream runs after it was stopped; take its power or its antenna away (the \
             program that used it is gone)\n"
        ),
        "{words}"
    );
    // Closed in order there is nothing to say, but that it does not obey.
    assert_eq!(last_words(folder.path(), "closed", |kept| drop(kept.close().unwrap())), "");
    fs::remove_file(folder.path().join("disobeys")).unwrap();
    let words = last_words(folder.path(), "disobeys", |kept| drop(kept.close().unwrap()));
    assert!(words.contains("\ntest device DOES NOT OBEY: ") && words.ends_with("(it was closed)\n"), "{words}");
    let words = last_words(folder.path(), "fails", |mut kept| while send(&mut kept).is_ok() {});
    assert_eq!(
        words,
        "test device is silent, at 0 dB and its stream stopped: test device: cannot transmit: it is broken\n"
    );
}

#[test]
fn a_driver_that_hangs_before_the_device_is_guarded_loses_it() {
    let folder = tempfile::tempdir().unwrap();
    let words = folder.path().join("words");
    let mut command = process("process_that_keeps", &folder.path().join("told"), "hangs at the start");
    command.stdout(Stdio::null()).stderr(fs::File::create(&words).unwrap());
    let error = Kept::start(command, Some(&rules(60.0))).unwrap_err().to_string();
    assert!(error.ends_with("its keeper does not answer: the other end is gone"), "{error}");
    let words = fs::read_to_string(words).unwrap();
    assert_eq!(
        words,
        "the driver does not come back while it is silenced, in 3s: this process ends, and lets go of the device\n"
    );
}

#[test]
fn what_cannot_be_held_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let error = keep(&told, "absent", None).unwrap_err().to_string();
    assert_eq!(error, "the radio: cannot be held: test device: cannot be opened: it is not there");
    let error = keep(&told, "obeys", Some(&rules(0.0))).unwrap_err().to_string();
    assert_eq!(error, "dead_man_s: 0 s is not within 0.01 to 60 s");
    let error = Kept::start(Command::new("/nowhere/at-all"), None).unwrap_err().to_string();
    assert!(error.starts_with("cannot start the keeper `\"/nowhere/at-all\"`: No such file"), "{error}");
    let error = Kept::start(Command::new("true"), None).unwrap_err().to_string();
    assert!(error.ends_with("its keeper does not answer: the other end is gone"), "{error}");

    // By hand, with no socket as its standard input.
    let mut command = process("process_that_keeps", &told, "obeys");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("not kept: a keeper is started by the program that it holds a radio for"), "{said}");
    assert!(!fs::exists(&told).unwrap(), "no device is opened");

    let mut kept = keep(&told, "obeys", None).unwrap();
    assert!(matches!(kept.run(TX, true), Err(DeviceError::Forbidden { .. })));
    assert!(matches!(kept.close().unwrap(), State::Silent { .. }));
}
