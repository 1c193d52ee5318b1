//! A link that is offered over a socket, with programs that behave and programs that do not.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use farlink_emulated_link::{
    DelayAndNoise, End, Half, LinkConfig, Losses, OpenEnd, Pace, Reading, Server, Trouble, find, serve,
};
use num_complex::Complex32;

const PATIENCE: Duration = Duration::from_secs(60);

fn config(pace: Pace) -> LinkConfig {
    LinkConfig { pace, ..LinkConfig::new(Arc::new(|_, _| Ok(Box::new(DelayAndNoise::new(100, 0.0, 0)?) as _))) }
}

fn ramp(count: usize) -> Vec<Complex32> {
    (1..=count).map(|n| Complex32::new(n as f32, 0.5 - n as f32)).collect()
}

fn read(end: &OpenEnd, count: usize) -> Vec<Complex32> {
    let mut got = vec![Complex32::ZERO; count];
    let mut filled = 0;
    while filled < count {
        match end.receive(&mut got[filled..], PATIENCE).unwrap() {
            Reading::Samples { count, .. } => filled += count,
            other => panic!("{other:?} after {filled} samples"),
        }
    }
    got
}

#[test]
fn two_programs_exchange_a_long_burst_in_lockstep() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("links");
    let _server = Server::start(&folder, "moon", config(Pace::Samples)).unwrap();
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let found = find(&folder);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].description.name.as_str(), found[0].description.in_use), ("moon", [false, false]));
    // Longer than what the ends keep, so both have to wait for each other.
    let burst = ramp(1_000_000);
    let a = OpenEnd::open(&found[0].path, End::A).unwrap();
    let b = OpenEnd::open(&found[0].path, End::B).unwrap();
    a.start_transmitter().unwrap();
    b.start_receiver(None, None).unwrap();
    // Readers move the time, so its beginning has to be there before they do.
    assert_eq!(a.transmit(&burst[..1000], Some(70_000), false, PATIENCE).unwrap(), 1000);
    let got = thread::scope(|scope| {
        scope.spawn(|| assert_eq!(a.transmit(&burst[1000..], None, true, PATIENCE).unwrap(), burst.len() - 1000));
        read(&b, 1_000_500)
    });
    assert_eq!(got[170..1_000_170], burst);
    assert!(got[..170].iter().chain(&got[1_000_170..]).all(|sample| *sample == Complex32::ZERO));
    assert_eq!(a.losses().unwrap(), Losses::default());
    b.stop(Half::Receiver).unwrap();
    assert_eq!(b.receive(&mut [Complex32::ZERO], PATIENCE).unwrap(), Reading::NotRunning);
}

#[test]
fn settings_are_read_back_and_refusals_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("links");
    let server = Server::start(&folder, "moon", config(Pace::Samples)).unwrap();
    let a = OpenEnd::open(server.path(), End::A).unwrap();
    a.set_rate(2e6).unwrap();
    a.set_frequency(Half::Receiver, 8.4e9).unwrap();
    a.set_gain(Half::Transmitter, -7.5).unwrap();
    let settings = a.settings().unwrap();
    assert_eq!((settings.rate_hz, settings.receive_hz, settings.transmit_gain_db), (2e6, 8.4e9, -7.5));
    for (refused, words) in [(a.set_rate(1.0), "from 1000 to"), (a.set_rate(f64::NAN), "not a request")] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let error = OpenEnd::open(server.path(), End::A).unwrap_err().to_string();
    assert!(error.contains("in use by another program"), "{error}");
    assert!(server.status().ends[0].open);
}

#[test]
fn an_end_is_free_again_when_its_program_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("links");
    let server = Server::start(&folder, "moon", config(Pace::Samples)).unwrap();
    for _ in 0..3 {
        let end = OpenEnd::open(server.path(), End::B).unwrap();
        end.start_receiver(None, None).unwrap();
    }
    // One that dies says nothing before.
    let mut dies = UnixStream::connect(server.path()).unwrap();
    dies.write_all(&frame(r#"{"ask":"open","version":1,"end":"b"}"#, 0)).unwrap();
    assert!(dies.read(&mut [0; 100]).unwrap() > 0);
    assert!(server.status().ends[1].open);
    drop(dies);
    while server.status().ends[1].open {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn at_the_walls_pace_late_bursts_underflows_and_overflows_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("links");
    let config = LinkConfig { buffer_samples: 4096, ..config(Pace::Wall) };
    let server = Server::start(&folder, "moon", config).unwrap();
    let a = OpenEnd::open(server.path(), End::A).unwrap();
    let b = OpenEnd::open(server.path(), End::B).unwrap();
    a.start_transmitter().unwrap();
    b.start_receiver(None, None).unwrap();
    while a.now_ns().unwrap() < 1000 {}
    assert_eq!(a.transmit(&ramp(10), Some(0), true, PATIENCE).unwrap(), 10);
    assert_eq!(a.trouble(PATIENCE).unwrap(), Some(Trouble::Late { at_ns: 0 }));
    assert_eq!(a.transmit(&ramp(10), None, false, PATIENCE).unwrap(), 10);
    assert!(matches!(a.trouble(PATIENCE).unwrap(), Some(Trouble::Underflow { at_ns }) if at_ns > 0));
    // 4096 samples are 4 ms.
    while b.losses().unwrap().overflows == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    let mut buffer = vec![Complex32::ZERO; 1000];
    let mut seen = 0;
    loop {
        match b.receive(&mut buffer, PATIENCE).unwrap() {
            Reading::Samples { count, .. } => seen += count,
            Reading::Overflow => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(seen >= 4096, "{seen}");
    assert_eq!(a.losses().unwrap(), Losses { underflows: 1, late: 1, overflows: 0 });
}

#[test]
fn the_clock_stands_while_nobody_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("links");
    let server = Server::start(&folder, "moon", config(Pace::Wall)).unwrap();
    assert_eq!(server.status().now_ns, 0);
    let a = OpenEnd::open(server.path(), End::A).unwrap();
    while a.now_ns().unwrap() == 0 {}
    drop(a);
    assert!(!server.status().ends[0].open);
    // The clock's last turn may be under way.
    let told = || server.status().now_ns;
    let stood = loop {
        let one = told();
        thread::sleep(Duration::from_millis(100));
        if told() == one {
            break one;
        }
    };
    assert!(stood > 0);
    assert!(server.status().most_behind_ns > 0, "a clock that turns is behind by something");
}

/// What is answered until the connection is closed.
fn say(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn frame(head: &str, samples: u32) -> Vec<u8> {
    let mut frame = (head.len() as u32).to_le_bytes().to_vec();
    frame.extend(samples.to_le_bytes());
    frame.extend(head.as_bytes());
    frame.extend(vec![0; samples.min(1 << 20) as usize]);
    frame
}

#[test]
fn hostile_programs_harm_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("links");
    let server = Server::start(&folder, "moon", config(Pace::Samples)).unwrap();
    let path = server.path();
    let a = OpenEnd::open(path, End::A).unwrap();
    // Garbage, lengths that lie, requests that make no sense.
    assert_eq!(say(path, &[0xff; 4096]), "");
    assert_eq!(say(path, &frame("{}", 7)), "");
    assert_eq!(say(path, &frame("{}", u32::MAX - 7)), "");
    for (head, words) in [
        ("nonsense", "not a request"),
        (r#"{"ask":"fly"}"#, "not a request"),
        (r#"{"ask":"receive","count":-1,"timeout-us":1}"#, "not a request"),
    ] {
        let answer = say(path, &frame(head, 8));
        assert!(answer.contains(words), "{head}: {answer}");
    }
    for (head, words) in [
        (r#"{"ask":"time"}"#, "open an end"),
        (r#"{"ask":"join","version":1,"ticket":5}"#, "no end is open with this ticket"),
        (r#"{"ask":"describe","version":99}"#, "version 99"),
        (r#"{"ask":"open","version":1,"end":"a"}"#, "in use"),
    ] {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(&frame(head, 0)).unwrap();
        let mut answer = [0; 300];
        let count = stream.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]);
        assert!(answer.contains(words), "{head}: {answer}");
    }
    // Strangers that say nothing, and one that stops within a frame.
    let silent: Vec<_> = (0..40).map(|_| UnixStream::connect(path).unwrap()).collect();
    let mut slow = UnixStream::connect(path).unwrap();
    slow.write_all(&[16, 0, 0]).unwrap();
    // A program that owns an end, asks for everything and takes nothing.
    let mut greedy = UnixStream::connect(path).unwrap();
    greedy.write_all(&frame(r#"{"ask":"open","version":1,"end":"b"}"#, 0)).unwrap();
    greedy
        .write_all(&frame(r#"{"ask":"start","half":"receiver","at-ns":9223372036854775807,"count":null}"#, 0))
        .unwrap();
    greedy
        .write_all(&frame(r#"{"ask":"receive","count":18446744073709551615,"timeout-us":18446744073709551615}"#, 0))
        .unwrap();
    // Meanwhile the end that is in use works.
    a.start_transmitter().unwrap();
    assert_eq!(a.transmit(&ramp(10), None, true, PATIENCE).unwrap(), 10);
    drop((silent, slow, greedy));
    // Its end is free again once it has gone.
    let b = loop {
        match OpenEnd::open(path, End::B) {
            Ok(end) => break end,
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    };
    b.start_receiver(None, None).unwrap();
    assert_eq!(read(&b, 200).len(), 200);
    assert_eq!(find(&folder).len(), 1);
}

#[test]
fn what_is_in_the_way_is_told_with_a_remedy() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("links");
    let refuse =
        |folder: &Path, name: &str| Server::start(folder, name, config(Pace::Samples)).unwrap_err().to_string();
    for name in ["", "a/b", "..", &"x".repeat(41)] {
        assert!(refuse(&folder, name).contains("take 1 to 40 letters"), "{name}");
    }
    let server = Server::start(&folder, "moon", config(Pace::Samples)).unwrap();
    let error = refuse(&folder, "moon");
    assert!(error.contains("choose another name"), "{error}");
    std::fs::write(folder.join("file.link"), "").unwrap();
    assert!(refuse(&folder, "file").contains("no socket"));
    let socket = server.path().to_owned();
    drop(server);
    assert!(!socket.exists());
    // A socket left behind by a process that died.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    assert!(find(&folder).is_empty());
    let error = OpenEnd::open(&socket, End::A).unwrap_err().to_string();
    assert!(error.contains("`farlink sdr emulate`"), "{error}");
    drop(Server::start(&folder, "moon", config(Pace::Samples)).unwrap());
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = refuse(&folder, "moon");
    assert!(error.contains("chmod 700"), "{error}");
    let error = refuse(&place.path().join("no/such"), "moon");
    assert!(error.contains("FARLINK_LINKS"), "{error}");
}

#[test]
fn serving_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("links");
    let stop = AtomicBool::new(false);
    let status = thread::scope(|scope| {
        let served = scope.spawn(|| serve(&folder, "moon", config(Pace::Samples), &stop).unwrap());
        while find(&folder).is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        let a = OpenEnd::open(&find(&folder)[0].path, End::A).unwrap();
        stop.store(true, Ordering::Relaxed);
        let status = served.join().unwrap();
        assert!(a.settings().is_err(), "the link is gone");
        status
    });
    assert!(status.ends[0].open && !status.ends[1].open);
    assert!(find(&folder).is_empty());
}
