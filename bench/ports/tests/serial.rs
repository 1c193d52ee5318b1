//! Serial lines over pseudo-terminals that socat joins: whole, unplugged, flooded, jammed.
#![allow(missing_docs)]

mod lines;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use farlink_ports::framing::{Decoder, Fcs, Framing, MAX_FRAME_BYTES};
use farlink_ports::serial::{FlowControl, Parity, SerialConfig, SerialError, SerialPort, StopBits};
use farlink_ports::{Notice, Port, Sent, Stopped, Timebase};
use lines::{
    ANY_LENGTH, Owner, PATIENCE, Socat, both_ways, ccsds, decoded, encoded, ends, frame, is_down, is_up, resident_bytes,
};

const HDLC: Framing = Framing::Hdlc { fcs: Fcs::Bits32 };

fn config(path: &Path, framing: Framing) -> SerialConfig {
    format!("serial:{},baud=3000000,framing={framing}", path.display()).parse().unwrap()
}

fn open(path: &Path, framing: Framing, base: Timebase) -> Owner<SerialPort> {
    let mut owner = Owner::new(SerialPort::open(config(path, framing), &base).unwrap(), base);
    owner.notices_until("the line to be up", is_up);
    owner
}

/// The far end of a line as a plain file, for what no port would write.
fn raw(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[test]
fn frames_of_every_length_pass_both_ways_in_every_framing() {
    let lengths: Vec<usize> = (1..=2000).chain([MAX_FRAME_BYTES, 1, MAX_FRAME_BYTES]).collect();
    for framing in ANY_LENGTH {
        let base = Timebase::start();
        let (_folder, a, b) = ends();
        let _socat = Socat::line(&a, &b);
        let (mut a, mut b) = (open(&a, framing, base), open(&b, framing, base));
        both_ways(&mut a, &mut b, &lengths);
    }
}

#[test]
fn frames_behind_sync_markers_pass_both_ways() {
    for length in [1, 4, 223, 1115, 8920, u16::MAX] {
        let base = Timebase::start();
        let (_folder, a, b) = ends();
        let _socat = Socat::line(&a, &b);
        let (mut a, mut b) = (open(&a, ccsds(length), base), open(&b, ccsds(length), base));
        both_ways(&mut a, &mut b, &[length.into(); 20]);
        let sent = a.port.send(&[frame(0, usize::from(length).saturating_sub(1).max(2))]);
        assert!(matches!(sent, Sent { taken: 0, stopped: Some(Stopped::Refused(_)) }), "{sent:?}");
    }
}

#[test]
fn frames_that_cannot_be_are_refused_and_those_after_them_pass() {
    let base = Timebase::start();
    let (_folder, a, b) = ends();
    let _socat = Socat::line(&a, &b);
    let (mut a, mut b) = (open(&a, Framing::Cobs, base), open(&b, Framing::Cobs, base));
    let frames = [frame(0, 3), Bytes::new(), frame(1, 4), frame(2, MAX_FRAME_BYTES + 1), frame(3, 5)];
    let sent = a.port.send(&frames);
    assert_eq!(sent, Sent { taken: 1, stopped: Some(Stopped::Refused("an empty frame".to_owned())) });
    let sent = a.port.send(&frames[2..]);
    let Sent { taken: 1, stopped: Some(Stopped::Refused(why)) } = sent else { panic!("{sent:?}") };
    assert!(why.contains("65536 bytes"), "{why}");
    a.send_all(&frames[4..]);
    b.until("three frames", |b| b.frames.len() == 3);
    assert_eq!(b.contents(), [&frames[0], &frames[2], &frames[4]]);
}

#[test]
fn a_line_that_is_unplugged_is_down_and_comes_back() {
    let base = Timebase::start();
    let (_folder, at_a, at_b) = ends();
    let mut socat = Socat::line(&at_a, &at_b);
    let (mut a, mut b) = (open(&at_a, HDLC, base), open(&at_b, HDLC, base));
    for _ in 0..3 {
        both_ways(&mut a, &mut b, &[1, 100, 5000]);
        socat.unplug();
        for owner in [&mut a, &mut b] {
            let notices = owner.notices_until("the line to be down", is_down);
            let Some(Notice::Down { detail, lost_frames: 0 }) = notices.last() else { panic!("{notices:?}") };
            assert!(detail.contains("hung up"), "{detail}");
            assert_eq!(owner.port.send(&[frame(0, 10)]), Sent { taken: 0, stopped: Some(Stopped::Down) });
        }
        // It is tried several times in vain, and that is no news.
        thread::sleep(Duration::from_millis(300));
        a.turn(Duration::ZERO);
        assert_eq!(a.notices, []);
        socat = Socat::line(&at_a, &at_b);
        for owner in [&mut a, &mut b] {
            let notices = owner.notices_until("the line to be up again", is_up);
            assert!(!notices.iter().any(is_down), "{notices:?}");
        }
    }
    both_ways(&mut a, &mut b, &[1, 100, 5000]);
}

#[test]
fn half_a_frame_at_the_end_of_a_line_is_told_and_not_joined_to_the_next() {
    let base = Timebase::start();
    let (_folder, at_a, at_b) = ends();
    let socat = Socat::line(&at_a, &at_b);
    let mut a = open(&at_a, Framing::Slip, base);
    let mut far = raw(&at_b);
    far.write_all(&[0xC0, 9, 0xC0, 1, 2, 3]).unwrap();
    a.until("the whole frame", |a| a.frames.len() == 1);
    socat.unplug();
    let notices = a.notices_until("the line to be down", is_down);
    let left_out = Notice::Unreadable { detail: "the stream ended within a frame".to_owned(), bytes: 3 };
    assert!(notices.contains(&left_out), "{notices:?}");
    let _socat = Socat::line(&at_a, &at_b);
    a.notices_until("the line to be up again", is_up);
    far = raw(&at_b);
    far.write_all(&[4, 5, 0xC0]).unwrap();
    a.until("the next frame", |a| a.frames.len() == 2);
    assert_eq!(a.frames[1].content, [4, 5][..]);
}

#[test]
fn a_flood_of_noise_is_told_takes_no_memory_and_does_not_stop_the_other_way() {
    const FLOOD: usize = 16 << 20;
    let base = Timebase::start();
    let (_folder, at_a, at_b) = ends();
    let _socat = Socat::line(&at_a, &at_b);
    let mut a = open(&at_a, HDLC, base);
    let far = raw(&at_b);
    let frames: Vec<Bytes> = (0..500).map(|number| frame(number, 1000)).collect();
    // Noise with flags and escapes as often as chance has them, from a generator with a fixed seed.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(1 << 20)
    .collect();
    let came = AtomicBool::new(false);
    let flood = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            // It does not end before the frames have come the other way.
            while flood.load(Ordering::SeqCst) < FLOOD || !came.load(Ordering::SeqCst) {
                (&far).write_all(&noise).unwrap();
                flood.fetch_add(noise.len(), Ordering::SeqCst);
                assert!(start.elapsed() < PATIENCE, "the frames do not come against the flood");
            }
            (&far).write_all(&encoded(HDLC, &[frame(7, 100)])).unwrap();
        });
        scope.spawn(|| {
            let mut decoder = Decoder::new(HDLC);
            let mut buffer = vec![0; 1 << 16];
            let mut received = Vec::new();
            while received.len() < frames.len() {
                let octets = (&far).read(&mut buffer).unwrap();
                received.extend(decoded(&mut decoder, &buffer[..octets]));
            }
            assert!(received == frames);
            came.store(true, Ordering::SeqCst);
        });
        a.until("noise", |a| a.unreadable_bytes() > 1 << 20);
        let before = resident_bytes();
        a.send_all(&frames);
        a.until("the frame behind the noise", |a| !a.frames.is_empty());
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes");
    });
    assert_eq!(a.contents(), [frame(7, 100)]);
    // All but the flags between.
    let told = a.unreadable_bytes() as usize;
    let flood = flood.into_inner();
    assert!(told > flood * 98 / 100 && told <= flood, "{told} of {flood} bytes were told");
}

#[test]
fn a_reader_that_is_slow_makes_the_port_busy_and_loses_nothing() {
    let base = Timebase::start();
    let (_folder, at_a, at_b) = ends();
    let _socat = Socat::line(&at_a, &at_b);
    let mut a = open(&at_a, Framing::Cobs, base);
    let mut far = raw(&at_b);
    // Nobody reads, so that a port with room without end would take them all.
    let frames: Vec<Bytes> = (0..4000).map(|number| frame(number, 1000)).collect();
    let mut taken = 0;
    let mut busy_for = 0;
    while busy_for < 3 {
        let sent = a.port.send(&frames[taken..]);
        taken += sent.taken;
        assert!(taken < frames.len(), "all were taken");
        assert_eq!(sent.stopped, Some(Stopped::Busy));
        busy_for = if sent.taken == 0 { busy_for + 1 } else { 0 };
        a.turn(Duration::from_millis(200));
    }
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut decoder = Decoder::new(Framing::Cobs);
            let mut buffer = vec![0; 1 << 16];
            let mut received = Vec::new();
            while received.len() < frames.len() {
                let octets = far.read(&mut buffer).unwrap();
                received.extend(decoded(&mut decoder, &buffer[..octets]));
            }
            received
        });
        a.send_all(&frames[taken..]);
        assert!(reader.join().unwrap() == frames);
    });
    assert_eq!(a.notices, []);
}

#[test]
fn an_owner_that_does_not_look_stops_the_sender_and_loses_nothing() {
    let base = Timebase::start();
    let (_folder, at_a, at_b) = ends();
    let _socat = Socat::line(&at_a, &at_b);
    let (mut a, mut b) = (open(&at_a, HDLC, base), open(&at_b, HDLC, base));
    let frames: Vec<Bytes> = (0..4000).map(|number| frame(number, 1000)).collect();
    let before = resident_bytes();
    let mut taken = 0;
    let mut busy_for = 0;
    while busy_for < 3 {
        let sent = a.port.send(&frames[taken..]);
        taken += sent.taken;
        assert!(taken < frames.len(), "all were taken");
        busy_for = if sent.taken == 0 { busy_for + 1 } else { 0 };
        a.turn(Duration::from_millis(200));
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
    thread::scope(|scope| {
        scope.spawn(|| a.send_all(&frames[taken..]));
        b.until("all frames", |b| b.frames.len() == frames.len());
    });
    assert!(b.contents() == frames);
}

#[test]
fn a_frame_is_stamped_when_it_comes_not_when_it_is_taken() {
    let base = Timebase::start();
    let (_folder, at_a, at_b) = ends();
    let _socat = Socat::line(&at_a, &at_b);
    let (mut a, mut b) = (open(&at_a, Framing::Slip, base), open(&at_b, Framing::Slip, base));
    // The first has shown that both threads run; by the time it is echoed the second would long be there.
    both_ways(&mut a, &mut b, &[10]);
    b.frames.clear();
    let before = base.now();
    a.send_all(&[frame(0, 10)]);
    // Nobody calls the port while it becomes readable.
    let mut ready = None;
    b.port.interest(&mut |interest| ready = Some(interest.fd));
    let mut fds = [rustix::event::PollFd::from_borrowed_fd(ready.unwrap(), rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec::try_from(PATIENCE).unwrap();
    assert_eq!(rustix::event::poll(&mut fds, Some(&patience)).unwrap(), 1);
    let there = base.now();
    thread::sleep(Duration::from_millis(50));
    b.turn(Duration::ZERO);
    let at = b.frames[0].at;
    assert!(before <= at && at <= there, "{before} {at} {there}");
}

#[test]
fn what_cannot_be_opened_is_named_with_the_remedy() {
    let base = Timebase::start();
    let (folder, at_a, at_b) = ends();
    let failure = |path: &Path| SerialPort::open(config(path, Framing::Slip), &base).unwrap_err();

    let error = failure(&at_a);
    assert!(matches!(error, SerialError::NoSuchDevice { .. }), "{error:?}");
    assert!(error.to_string().contains("/a: is it plugged in?"), "{error}");

    std::fs::write(folder.path().join("file"), "").unwrap();
    for path in [folder.path(), &folder.path().join("file"), Path::new("/dev/null")] {
        let error = failure(path);
        assert!(matches!(error, SerialError::NotALine { .. }), "{path:?}: {error:?}");
        assert!(error.to_string().contains("/dev/ttyUSB0"), "{error}");
    }

    let _socat = Socat::line(&at_a, &at_b);
    let first = open(&at_a, Framing::Slip, base);
    let error = failure(&at_a);
    assert!(matches!(error, SerialError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("fuser -v"), "{error}");
    drop(first);
}

#[test]
fn a_rate_need_not_be_a_usual_one() {
    for baud in [1, 50, 9600, 12_345, 115_200, 3_000_000, 12_000_000] {
        let base = Timebase::start();
        let (_folder, at_a, at_b) = ends();
        let _socat = Socat::line(&at_a, &at_b);
        let config = SerialConfig { baud, ..config(&at_a, Framing::Slip) };
        let mut port = SerialPort::open(config, &base).unwrap();
        let Some(Notice::Up { detail }) = port.poll_notice() else {
            let mut owner = Owner::new(port, base);
            let notices = owner.notices_until("the line to be up", is_up);
            assert!(format!("{notices:?}").contains(&format!("at {baud} baud")), "{notices:?}");
            continue;
        };
        // Read back from the line itself.
        assert!(detail.ends_with(&format!("at {baud} baud")), "{detail}");
    }
}

#[test]
fn a_port_is_closed_at_once_though_nobody_reads() {
    let base = Timebase::start();
    let (_folder, at_a, at_b) = ends();
    let _socat = Socat::line(&at_a, &at_b);
    let mut a = open(&at_a, Framing::Slip, base);
    let mut busy_for = 0;
    while busy_for < 3 {
        busy_for = if a.port.send(&[frame(0, 1000)]).taken == 0 { busy_for + 1 } else { 0 };
        a.turn(if busy_for > 0 { Duration::from_millis(100) } else { Duration::ZERO });
    }
    let start = Instant::now();
    drop(a);
    assert!(start.elapsed() < PATIENCE / 2);
    // And what was taken before is there for who does read.
    let mut b = raw(&at_b);
    let mut octets = [0; 1002];
    b.read_exact(&mut octets).unwrap();
    assert_eq!(octets[..], encoded(Framing::Slip, &[frame(0, 1000)])[..1002]);
}

#[test]
fn the_text_of_a_port_is_read_and_written() {
    let text = "serial:/dev/ttyUSB0,baud=3000000,framing=hdlc,fcs=32,parity=even,stop=2,flow=software";
    let config: SerialConfig = text.parse().unwrap();
    let expected = SerialConfig {
        path: "/dev/ttyUSB0".to_owned(),
        baud: 3_000_000,
        parity: Parity::Even,
        stop_bits: StopBits::Two,
        flow_control: FlowControl::Software,
        framing: HDLC,
    };
    assert_eq!((&config, config.to_string().as_str()), (&expected, text));
    let short: SerialConfig = "serial:/dev/serial/by-path/pci-0:1:2,framing=slip,data=8,baud=12345".parse().unwrap();
    assert_eq!(short.to_string(), "serial:/dev/serial/by-path/pci-0:1:2,baud=12345,framing=slip");
    for (wrong, says) in [
        ("", "no kind of port (serial)"),
        ("serial:", "does not say where: the path of a device"),
        ("serial:baud=9600,framing=slip", "`baud=9600` is not the path of a device"),
        ("udp:5001", "no kind of port (serial)"),
        ("serial:/dev/ttyS0", "`baud=` is missing: it is the rate, a whole number of bits a second"),
        ("serial:/dev/ttyS0,baud=0,framing=slip", "from 1 to 4294967295"),
        ("serial:/dev/ttyS0,baud=4294967296,framing=slip", "from 1 to 4294967295"),
        ("serial:/dev/ttyS0,baud=9600", "`framing=` is missing: it is slip, cobs, kiss, hdlc or ccsds"),
        ("serial:/dev/ttyS0,baud=9600,framing=ccsds", "length=1115"),
        (
            "serial:/dev/ttyS0,baud=9600,framing=slip,data=7",
            "`data=7` cannot be: it is 8, since frames are made of octets",
        ),
        ("serial:/dev/ttyS0,baud=9600,framing=slip,parity=mark", "none, odd or even"),
        ("serial:/dev/ttyS0,baud=9600,framing=slip,stop=1.5", "1 or 2"),
        ("serial:/dev/ttyS0,baud=9600,framing=slip,flow=rts", "none, hardware or software"),
        ("serial:/dev/ttyS0,baud=9600,framing=slip,flow=software", "use `framing=hdlc`"),
        ("serial:/dev/ttyS0,baud=9600,framing=slip,speed=3", "`speed` is no key of `serial`"),
        ("serial:/dev/ttyS0,baud=9600,baud=9600,framing=slip", "`baud` stands in it twice"),
        ("serial:/dev/ttyS0,115200", "`115200` is no key of `serial` (it has baud=, framing="),
    ] {
        let error = wrong.parse::<SerialConfig>().unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("serial:/dev/ttyUSB0,baud=115200,framing=slip"), "{error}");
    }
    let permission = SerialError::Permission { path: "/dev/ttyS0".to_owned() };
    assert!(permission.to_string().contains("dialout"));
    let rate = SerialError::Rate { path: "/dev/ttyS0".to_owned(), asked: 3_000_000, made: 115_200 };
    assert!(rate.to_string().contains("3000000 baud: the nearest that it makes is 115200"));
}
