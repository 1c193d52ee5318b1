//! Pseudo-terminals that a port makes: opened, closed, opened again, left behind, jammed.
#![allow(missing_docs)]

mod lines;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use farlink_ports::framing::{Decoder, Framing, MAX_FRAME_BYTES};
use farlink_ports::pty::{PtyConfig, PtyError, PtyPort};
use farlink_ports::serial::SerialPort;
use farlink_ports::{Notice, Port, Sent, Stopped, Timebase};
use lines::{ANY_LENGTH, Owner, Socat, both_ways, ccsds, decoded, encoded, ends, frame, is_down, is_up};
use rustix::termios::{LocalModes, OptionalActions, OutputModes, tcgetattr, tcsetattr};

fn make(path: &Path, framing: Framing, base: Timebase) -> Owner<PtyPort> {
    let config: PtyConfig = format!("pty:{},framing={framing}", path.display()).parse().unwrap();
    Owner::new(PtyPort::open(config, &base).unwrap(), base)
}

fn serial(path: &Path, framing: Framing, base: Timebase) -> Owner<SerialPort> {
    let config = format!("serial:{},baud=115200,framing={framing}", path.display()).parse().unwrap();
    Owner::new(SerialPort::open(config, &base).unwrap(), base)
}

fn raw(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// Reads until at least one frame has come.
fn read_some(program: &mut File, framing: Framing) -> Vec<Bytes> {
    let mut decoder = Decoder::new(framing);
    let mut octets = [0; 4096];
    loop {
        let read = program.read(&mut octets).unwrap();
        let frames = decoded(&mut decoder, &octets[..read]);
        if !frames.is_empty() {
            return frames;
        }
    }
}

#[test]
fn frames_of_every_length_pass_between_it_and_a_program_that_takes_it_for_a_serial_line() {
    let lengths: Vec<usize> = (1..=2000).chain([MAX_FRAME_BYTES, 1, MAX_FRAME_BYTES]).collect();
    for framing in ANY_LENGTH {
        let base = Timebase::start();
        let (_folder, path, _) = ends();
        let mut port = make(&path, framing, base);
        let mut program = serial(&path, framing, base);
        port.notices_until("the program", is_up);
        program.notices_until("the line", is_up);
        both_ways(&mut port, &mut program, &lengths);
    }
    for length in [1, 1115, u16::MAX] {
        let base = Timebase::start();
        let (_folder, path, _) = ends();
        let mut port = make(&path, ccsds(length), base);
        let mut program = serial(&path, ccsds(length), base);
        port.notices_until("the program", is_up);
        program.notices_until("the line", is_up);
        both_ways(&mut port, &mut program, &[length.into(); 20]);
    }
}

#[test]
fn another_program_reads_and_writes_it_unchanged() {
    let base = Timebase::start();
    let (_folder, path, _) = ends();
    let mut port = make(&path, Framing::Kiss { port: 0 }, base);
    // It hands back every octet.
    let _socat = Socat::between(&format!("open:{},rawer", path.display()), "exec:cat");
    port.notices_until("socat", is_up);
    let frames: Vec<Bytes> = (1..600).map(|length| frame(length, length)).collect();
    port.send_all(&frames);
    port.until("the echo", |port| port.frames.len() == frames.len());
    assert!(port.contents() == frames);
}

#[test]
fn it_is_up_while_somebody_has_it_open_and_keeps_nothing_for_the_next() {
    let base = Timebase::start();
    let (_folder, path, _) = ends();
    let mut port = make(&path, Framing::Slip, base);
    let notices = port.notices_until("word that nobody is there", is_down);
    let Notice::Down { detail, lost_frames: 0 } = &notices[0] else { panic!("{notices:?}") };
    assert!(detail.contains("nobody has") && detail.contains(path.to_str().unwrap()), "{detail}");

    for round in 0..4 {
        assert_eq!(port.port.send(&[frame(0, 10)]), Sent { taken: 0, stopped: Some(Stopped::Down) });
        let mut program = raw(&path);
        // What it writes at once counts, although the port does not know yet that it is there.
        program.write_all(&encoded(Framing::Slip, &[frame(round, 20)])).unwrap();
        let notices = port.notices_until("the program", is_up);
        assert_eq!(notices.len(), 1, "{notices:?}");
        port.until("its frame", |port| port.frames.len() == round + 1);
        assert_eq!(port.frames[round].content, frame(round, 20));
        let sent = frame(100 + round, 30);
        port.send_all(std::slice::from_ref(&sent));
        assert_eq!(read_some(&mut program, Framing::Slip), [sent]);
        // These it never reads, so that the next would find them.
        port.send_all(&[frame(200, 50), frame(201, 50)]);
        std::thread::sleep(Duration::from_millis(20));
        drop(program);
        let notices = port.notices_until("the program to be gone", is_down);
        assert!(format!("{notices:?}").contains("hung up"), "{notices:?}");
    }
    assert_eq!(port.frames.len(), 4);
}

#[test]
fn a_program_that_does_not_read_makes_it_busy_and_going_away_ends_that() {
    let base = Timebase::start();
    let (_folder, path, _) = ends();
    let mut port = make(&path, Framing::Cobs, base);
    let program = raw(&path);
    port.notices_until("the program", is_up);
    let mut busy_for = 0;
    let mut taken = 0;
    while busy_for < 3 {
        let sent = port.port.send(&[frame(0, 1000)]);
        taken += sent.taken;
        assert!(taken < 10_000, "it takes frames for ever");
        busy_for = if sent.taken == 0 { busy_for + 1 } else { 0 };
        if sent.stopped.is_some() {
            assert_eq!(sent.stopped, Some(Stopped::Busy));
            port.turn(Duration::from_millis(100));
        }
    }
    // The other way goes on.
    (&program).write_all(&encoded(Framing::Cobs, &[frame(5, 500)])).unwrap();
    port.until("a frame", |port| port.frames.len() == 1);
    drop(program);
    let notices = port.notices_until("the program to be gone", is_down);
    assert!(format!("{notices:?}").contains("are lost"), "{notices:?}");
    let Some(Notice::Down { lost_frames, .. }) = notices.last() else { panic!("{notices:?}") };
    assert!((1..=taken as u64).contains(lost_frames), "{lost_frames} of {taken}");
    assert_eq!(port.port.send(&[frame(0, 10)]).stopped, Some(Stopped::Down));

    let mut program = raw(&path);
    port.notices_until("another program", is_up);
    port.send_all(&[frame(9, 2000)]);
    assert_eq!(read_some(&mut program, Framing::Cobs), [frame(9, 2000)]);
}

#[test]
fn a_program_that_writes_and_goes_at_once_is_heard() {
    let base = Timebase::start();
    let (_folder, path, _) = ends();
    let mut port = make(&path, Framing::Slip, base);
    for number in 1..=50 {
        let before = base.now();
        raw(&path).write_all(&encoded(Framing::Slip, &[frame(number, number)])).unwrap();
        port.until("the frame", |port| port.frames.len() == number);
        let last = &port.frames[number - 1];
        assert_eq!(last.content, frame(number, number));
        assert!(before <= last.at && last.at <= base.now());
    }
    port.notices_until("the last program to be gone", is_down);
}

#[test]
fn settings_that_a_program_leaves_behind_are_gone_for_the_next() {
    let base = Timebase::start();
    let (_folder, path, _) = ends();
    let mut port = make(&path, Framing::Slip, base);
    let is_raw = |far: &File| {
        let settings = tcgetattr(far).unwrap();
        let cooked = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        !settings.local_modes.intersects(cooked) && !settings.output_modes.contains(OutputModes::OPOST)
    };
    let program = raw(&path);
    assert!(is_raw(&program));
    port.notices_until("the program", is_up);
    let mut settings = tcgetattr(&program).unwrap();
    settings.local_modes |= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    settings.output_modes |= OutputModes::OPOST;
    tcsetattr(&program, OptionalActions::Now, &settings).unwrap();
    assert!(!is_raw(&program));
    drop(program);
    port.notices_until("the program to be gone", is_down);
    let program = raw(&path);
    assert!(is_raw(&program));
}

#[test]
fn noise_is_told_and_the_next_frame_passes() {
    let base = Timebase::start();
    let (_folder, path, _) = ends();
    let mut port = make(&path, ccsds(50), base);
    let mut program = raw(&path);
    port.notices_until("the program", is_up);
    for round in 1..=5 {
        program.write_all(&[0x55; 3000]).unwrap();
        program.write_all(&encoded(ccsds(50), &[frame(round, 50)])).unwrap();
        port.until("the frame behind the noise", |port| port.frames.len() == round);
        assert_eq!(port.frames[round - 1].content, frame(round, 50));
        port.until("word of the noise", |port| port.unreadable_bytes() == 3000 * round as u64);
    }
}

#[test]
fn the_link_takes_no_place_of_others_and_goes_with_the_port() {
    let base = Timebase::start();
    let (folder, path, other) = ends();
    let config = |path: &Path| PtyConfig { path: path.to_owned(), framing: Framing::Slip };
    let occupied = |path: &Path| {
        let error = PtyPort::open(config(path), &base).unwrap_err();
        assert!(matches!(error, PtyError::Occupied { .. }), "{error:?}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    };
    fs::write(&path, "mine").unwrap();
    occupied(&path);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    occupied(folder.path());
    symlink(&path, &other).unwrap();
    occupied(&other);
    fs::remove_file(&path).unwrap();
    // Also one that leads nowhere, if not to a pseudo-terminal.
    occupied(&other);
    fs::remove_file(&other).unwrap();

    let port = PtyPort::open(config(&path), &base).unwrap();
    assert_eq!(fs::read_link(&path).unwrap(), port.device());
    assert_eq!(port.name(), format!("pty:{},framing=slip", path.display()));
    occupied(&path);
    drop(port);
    assert!(fs::symlink_metadata(&path).is_err(), "the link is still there");

    // One that was left behind by a port that was killed.
    symlink("/dev/pts/999999", &path).unwrap();
    let port = PtyPort::open(config(&path), &base).unwrap();
    assert_eq!(fs::read_link(&path).unwrap(), port.device());
    // One that is somebody else's by now stays.
    fs::remove_file(&path).unwrap();
    symlink("/dev/null", &path).unwrap();
    drop(port);
    assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/null"));

    let error = PtyPort::open(config(Path::new("/nowhere/at/all")), &base).unwrap_err();
    assert!(matches!(error, PtyError::Link { .. }), "{error:?}");
    assert!(error.to_string().contains("its folder must exist"), "{error}");
}

#[test]
fn a_program_sees_the_port_go() {
    let base = Timebase::start();
    let (_folder, path, _) = ends();
    let mut port = make(&path, Framing::Slip, base);
    let mut program = serial(&path, Framing::Slip, base);
    port.notices_until("the program", is_up);
    program.notices_until("the line", is_up);
    let last = frame(3, 1000);
    port.send_all(std::slice::from_ref(&last));
    program.until("the last frame", |program| program.frames.len() == 1);
    drop(port);
    program.notices_until("the line to hang up", is_down);
    // And takes up with the next at the same place.
    let mut port = make(&path, Framing::Slip, base);
    port.notices_until("the program", is_up);
    program.notices_until("the line", is_up);
    both_ways(&mut port, &mut program, &[1, 2, 3]);
}

#[test]
fn the_text_of_a_pseudo_terminal_is_read_and_written() {
    for text in ["pty:/tmp/modem,framing=slip", "pty:modem,framing=ccsds,length=1115"] {
        assert_eq!(text.parse::<PtyConfig>().unwrap().to_string(), text);
    }
    for (wrong, says) in [
        ("pty:", "does not say where: the path of the link to make"),
        ("pty:framing=slip", "`framing=slip` is not the path of the link"),
        ("/tmp/modem", "no kind of port (pty)"),
        ("pty:/tmp/modem", "`framing=` is missing: it is slip"),
        ("pty:/tmp/modem,framing=raw", "`framing=raw` cannot be: it is slip, cobs, kiss, hdlc or ccsds"),
        ("pty:/tmp/modem,framing=slip,baud=9600", "`baud` is no key of `pty`"),
        ("pty:/tmp/modem,slip", "`slip` is no key of `pty`"),
    ] {
        let error = wrong.parse::<PtyConfig>().unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("pty:/tmp/modem,framing=slip"), "{error}");
    }
}
