//! TCP ports before real peers on loopback.

mod coupling;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use coupling::{Link, PATIENCE, Side, run, turn, until};
use farlink_ports::stream::{MAX_FRAME, StreamPort};
use farlink_ports::tcp::ListenError;
use farlink_ports::{Notice, Timebase};
use farlink_wire::{mtcp, stcp};
use sha2::{Digest, Sha256};
use socket2::SockRef;

fn open(text: &str) -> (Side, SocketAddr) {
    let base = Timebase::start();
    let port = StreamPort::open(text.parse().unwrap(), &base).unwrap();
    let address = port.address();
    (Side::new(port, base), address)
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn call(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).unwrap())
}

/// A peer that is called, without ever waiting longer than a test may.
fn answer(listener: &TcpListener, side: &mut Side) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        turn(&mut [side], Duration::from_millis(5));
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                return patient(stream);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        assert!(Instant::now() < deadline, "nobody called: {:?}", side.notices);
    }
}

/// Ends a connection with RST.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// A port, listening or connecting, with its peer.
fn pair(keys: &str, connects: bool) -> (Side, TcpStream) {
    let (mut side, peer) = if connects {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut side, _) = open(&format!("tcp:{},connect{keys}", listener.local_addr().unwrap()));
        let peer = answer(&listener, &mut side);
        (side, peer)
    } else {
        let (side, address) = open(&format!("tcp:0{keys}"));
        (side, call(address))
    };
    until(&mut side, "the connection comes up", |side| side.ups() == 1);
    let at = peer.local_addr().unwrap().to_string();
    let Notice::Up { detail } = &side.notices[0] else { panic!("{:?}", side.notices) };
    assert!(detail.contains(&at), "{detail} should name {at}");
    (side, peer)
}

/// Octets in which no place is like another.
fn octets(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(next).collect()
}

fn framed(keys: &str, bundle: &[u8]) -> Vec<u8> {
    match keys {
        ",framing=stcp" => [&stcp::preamble(bundle.len()).unwrap()[..], bundle].concat(),
        ",framing=mtcp" => [&mtcp::head(bundle.len())[..], bundle].concat(),
        _ => bundle.to_vec(),
    }
}

#[test]
fn frames_pass_both_ways_however_the_stream_is_cut() {
    for keys in ["", ",framing=stcp", ",framing=mtcp"] {
        for connects in [false, true] {
            let (mut side, mut peer) = pair(keys, connects);
            let bundles: Vec<Vec<u8>> =
                [1, 23, 24, 255, 256, 3000].iter().map(|length| octets(*length, *length as u64)).collect();
            let stream: Vec<u8> = bundles.iter().flat_map(|bundle| framed(keys, bundle)).collect();
            let mut rest = &stream[..];
            for piece in [1, 2, 3, 5, 8, 13, 21, 34, 55, 400].iter().cycle() {
                let (now, later) = rest.split_at(rest.len().min(*piece));
                peer.write_all(now).unwrap();
                turn(&mut [&mut side], Duration::ZERO);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            if keys.is_empty() {
                until(&mut side, "all octets come", |side| side.octets().len() == stream.len());
                assert_eq!(side.octets(), stream);
            } else {
                until(&mut side, "all bundles come", |side| side.frames.len() == bundles.len());
                assert_eq!(side.contents(), bundles);
            }
            assert!(side.frames.is_sorted_by_key(|frame| frame.at));

            bundles.iter().for_each(|bundle| side.send(bundle.clone()));
            until(&mut side, "all are sent", |side| side.queue.is_empty());
            let mut got = vec![0; stream.len()];
            peer.read_exact(&mut got).unwrap();
            assert_eq!(got, stream, "{keys}");
            assert_eq!(side.notices.len(), 1, "{:?}", side.notices);
        }
    }
}

#[test]
fn raw_frames_are_no_longer_than_the_chunk() {
    let (mut side, mut peer) = pair(",chunk=100", false);
    peer.write_all(&octets(1050, 1)).unwrap();
    until(&mut side, "all octets come", |side| side.octets().len() == 1050);
    assert!(side.frames.len() >= 11 && side.frames.iter().all(|frame| (1..=100).contains(&frame.content.len())));
    assert_eq!(side.octets(), octets(1050, 1));
}

#[test]
fn bundles_pass_from_one_framing_to_another() {
    let ((a, a_at), (b, b_at)) = (open("tcp:0,framing=stcp"), open("tcp:[::1]:0,framing=mtcp"));
    let mut link = Link::new(a, b);
    let (mut left, mut right) = (call(a_at), call(b_at));
    link.until("both are up", |link| link.a.ups() + link.b.ups() == 2);
    left.write_all(b"\0\0\0\x05hello\0\0\0\0\0\0\0\x02on").unwrap();
    right.write_all(b"\x40\x43bye").unwrap();
    link.turn();
    right.set_nonblocking(true).unwrap();
    let (mut got, mut buffer) = (Vec::new(), [0; 64]);
    let deadline = Instant::now() + PATIENCE;
    while got.len() < 9 {
        assert!(Instant::now() < deadline);
        link.turn();
        if let Ok(read) = right.read(&mut buffer) {
            got.extend_from_slice(&buffer[..read]);
        }
    }
    assert_eq!(got, b"\x45hello\x42on");
    let mut back = [0; 7];
    left.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"\0\0\0\x03bye");
}

#[test]
fn a_peer_that_closes_is_told_and_another_is_taken() {
    let (mut side, address) = open("tcp:0");
    side.send("too early");
    until(&mut side, "nobody is there", |side| side.undeliverable == 1);
    for round in 1..=3 {
        let mut peer = call(address);
        peer.write_all(b"last words").unwrap();
        drop(peer);
        until(&mut side, "the end is told", |side| side.ends() == round);
        assert_eq!(side.octets(), b"last words".repeat(round));
        side.port.hang_up();
        until(&mut side, "the connection is closed", |side| side.downs() == round);
    }
    // One that leaves with a reset, and one that comes back before anybody has looked.
    let peer = call(address);
    until(&mut side, "it is up", |side| side.ups() == 4);
    reset(peer);
    until(&mut side, "the reset is told", |side| side.downs() == 4);
    assert_eq!(side.ends(), 4);
    assert!(format!("{:?}", side.notices.last()).contains("reset"), "{:?}", side.notices);
    side.port.hang_up();
    drop(call(address));
    let mut peer = call(address);
    peer.write_all(b"again").unwrap();
    until(&mut side, "the next one is up", |side| side.ups() == 6 && side.octets().ends_with(b"again"));
    assert_eq!((side.ends(), side.told(|notice| matches!(notice, Notice::Remark { .. }))), (5, 0));
    // What answers the end of the connection before does not end this one.
    side.port.hang_up();
    side.send("still here");
    let mut got = [0; 10];
    until(&mut side, "it is sent", |side| side.queue.is_empty());
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"still here");
}

#[test]
fn bundles_of_a_peer_that_closes_are_not_followed_by_an_end() {
    let (mut side, address) = open("tcp:0,framing=stcp");
    assert!(!side.port.hangs_up());
    for round in 1..=3 {
        let mut peer = call(address);
        peer.write_all(b"\0\0\0\x02ab\0\0\0\x09only a").unwrap();
        drop(peer);
        until(&mut side, "it is closed", |side| side.downs() == round);
        let cut = Notice::Unreadable { detail: "the connection ended in the middle of a bundle".into(), bytes: 10 };
        assert_eq!((side.frames.len(), side.told(|notice| *notice == cut)), (round, round), "{:?}", side.notices);
    }
    assert_eq!(side.ends(), 0);
}

#[test]
fn a_connecting_port_tries_until_somebody_listens_and_again_when_it_was_closed() {
    let address = unused();
    let (mut side, _) = open(&format!("tcp:{address},connect"));
    until(&mut side, "it is told that nobody listens", |side| side.downs() == 1);
    run(&mut side, Duration::from_millis(600));
    assert_eq!(side.notices.len(), 1, "told once: {:?}", side.notices);
    assert!(format!("{:?}", side.notices[0]).contains("refused the connection"));
    let wait = side.port.wake_at().unwrap().saturating_since(side.base.now());
    assert!(wait.as_millis() <= 5000, "{wait}");

    let listener = TcpListener::bind(address).unwrap();
    let peer = answer(&listener, &mut side);
    until(&mut side, "it is up", |side| side.ups() == 1);
    reset(peer);
    until(&mut side, "it is down", |side| side.downs() == 2);
    let mut peer = answer(&listener, &mut side);
    until(&mut side, "it is up again", |side| side.ups() == 2);
    side.send("hello again");
    until(&mut side, "it is sent", |side| side.queue.is_empty());
    let mut got = [0; 11];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello again");
}

#[test]
fn a_slow_reader_makes_the_port_busy_and_loses_nothing() {
    for keys in ["", ",framing=mtcp"] {
        let (mut side, mut peer) = pair(keys, false);
        let frames: Vec<Vec<u8>> = (0..600).map(|i| octets(60_000, i)).collect();
        frames.iter().for_each(|frame| side.send(frame.clone()));
        until(&mut side, "it is busy", |side| side.busy > 3);
        assert!(side.queue.len() > 100, "{} frames of 600 wait outside", side.queue.len());
        // The other direction goes on meanwhile.
        peer.write_all(&framed(keys, b"still talking")).unwrap();
        until(&mut side, "the peer is heard", |side| side.octets() == b"still talking");

        let whole: Vec<u8> = frames.iter().flat_map(|frame| framed(keys, frame)).collect();
        let reader = thread::spawn(move || {
            let mut got = vec![0; whole.len()];
            peer.read_exact(&mut got).unwrap();
            (got == whole, peer)
        });
        until(&mut side, "all is sent", |side| side.queue.is_empty());
        until(&mut side, "all is read", |_| reader.is_finished());
        assert!(reader.join().unwrap().0 && side.refused.is_empty() && side.undeliverable == 0);
    }
}

#[test]
fn frames_that_a_peer_leaves_unread_are_counted() {
    for keys in ["", ",framing=stcp"] {
        let (mut side, peer) = pair(keys, false);
        (0..600).for_each(|i| side.send(octets(60_000, i)));
        until(&mut side, "it is busy", |side| side.busy > 3);
        reset(peer);
        until(&mut side, "the reset is told", |side| side.downs() == 1);
        let taken = (600 - side.queue.len() - side.undeliverable) as u64;
        let down = side.notices.iter().find(|notice| matches!(notice, Notice::Down { .. }));
        let Some(Notice::Down { lost_frames, .. }) = down else { panic!("{:?}", side.notices) };
        // What the kernel had taken is not known to be lost.
        assert!((1..=taken).contains(lost_frames), "{lost_frames} of {taken}");
    }
}

#[test]
fn a_flood_does_not_stop_the_other_direction() {
    const FLOOD: usize = 32 << 20;
    let (mut side, mut peer) = pair("", false);
    let mut reading = patient(peer.try_clone().unwrap());
    let flood = thread::spawn(move || {
        let block = vec![5; 1 << 16];
        (0..FLOOD / block.len()).for_each(|_| peer.write_all(&block).unwrap());
        peer
    });
    let mut came = 0;
    let deadline = Instant::now() + PATIENCE;
    let mut answered = 0;
    while came < FLOOD {
        assert!(Instant::now() < deadline, "{came} octets of the flood came");
        turn(&mut [&mut side], Duration::from_millis(20));
        let turn_brought: usize = side.frames.drain(..).map(|frame| frame.content.len()).sum();
        assert!(turn_brought <= 1 << 16, "one turn is bounded");
        came += turn_brought;
        if answered < came / (1 << 20) {
            answered += 1;
            side.send("answer");
            turn(&mut [&mut side], Duration::ZERO);
            let mut got = [0; 6];
            reading.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"answer");
            came += side.frames.drain(..).map(|frame| frame.content.len()).sum::<usize>();
        }
    }
    assert!(answered >= 30, "{answered} answers in the midst of it");
    flood.join().unwrap();
}

#[test]
fn empty_and_jumbo_frames() {
    for (keys, why) in [("", "no trace"), (",framing=stcp", "no bundle"), (",framing=mtcp", "no bundle")] {
        let (mut side, mut peer) = pair(keys, false);
        for length in [0, MAX_FRAME + 1, MAX_FRAME, 9000, 1] {
            side.send(octets(length, 3));
        }
        until(&mut side, "all is sent or refused", |side| side.queue.is_empty());
        let [empty, long] = &side.refused[..] else { panic!("{:?}", side.refused) };
        assert!(empty.contains(why) && long.contains("65536 octets is longer than the 65535"), "{empty} {long}");
        let whole =
            [MAX_FRAME, 9000, 1].iter().flat_map(|length| framed(keys, &octets(*length, 3))).collect::<Vec<_>>();
        let mut got = vec![0; whole.len()];
        let reader = thread::spawn(move || {
            peer.read_exact(&mut got).unwrap();
            (got, peer)
        });
        until(&mut side, "all is read", |_| reader.is_finished());
        let (got, _peer) = reader.join().unwrap();
        assert!(got == whole);
        assert!(side.told(|notice| !matches!(notice, Notice::Up { .. })) == 0, "{:?}", side.notices);
    }
}

#[test]
fn a_second_connection_is_refused_and_told() {
    let (mut side, address) = open("tcp:0");
    let mut first = call(address);
    until(&mut side, "the first is up", |side| side.ups() == 1);
    let mut second = call(address);
    let refused = |notice: &Notice| matches!(notice, Notice::Remark { detail } if detail.contains(&second.local_addr().unwrap().to_string()));
    until(&mut side, "the second is refused", |side| side.told(refused) == 1);
    assert_eq!(second.read(&mut [0; 8]).unwrap(), 0, "closed");
    first.write_all(b"I am still here").unwrap();
    until(&mut side, "the first goes on", |side| side.octets() == b"I am still here");
    assert_eq!((side.ups(), side.downs()), (1, 0));
}

#[test]
fn lengths_that_cannot_be_are_told() {
    let (mut side, mut peer) = pair(",framing=stcp", false);
    let long = octets(100_000, 4);
    peer.write_all(&[&100_000u32.to_be_bytes()[..], &long, b"\0\0\0\x02ok"].concat()).unwrap();
    until(&mut side, "the stream is in step", |side| side.contents() == ["ok"]);
    let left_out = |notice: &Notice| matches!(notice, Notice::Unreadable { bytes: 100_000, .. });
    assert_eq!((side.told(left_out), side.notices.len()), (1, 2));
    // A length that never comes.
    peer.write_all(&[0xFF; 4]).unwrap();
    until(&mut side, "it is told at once", |side| side.notices.len() == 3);

    let (mut side, mut peer) = pair(",framing=mtcp", false);
    peer.write_all(b"\x42ok\x83rubbish").unwrap();
    until(&mut side, "the connection is given up", |side| side.downs() == 1);
    let rubbish = |notice: &Notice| matches!(notice, Notice::Unreadable { bytes: 8, .. });
    assert_eq!((side.contents(), side.told(rubbish)), (vec![Bytes::from("ok")], 1), "{:?}", side.notices);
    assert_ne!(peer.read(&mut [0; 8]).unwrap_or(0), 8);
}

#[test]
fn a_file_goes_through_and_its_sum_comes_back_before_the_streams_end() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (a, a_at) = open("tcp:0");
    let (b, _) = open(&format!("tcp:{},connect", server.local_addr().unwrap()));
    let mut link = Link::new(a, b);
    let serving = thread::spawn(move || {
        let mut peer = patient(server.accept().unwrap().0);
        let mut content = Vec::new();
        peer.read_to_end(&mut content).unwrap();
        peer.write_all(&Sha256::digest(&content)).unwrap();
    });
    let content = octets(12 << 20, 9);
    let sum = Sha256::digest(&content);
    let sending = thread::spawn(move || {
        let mut peer = call(a_at);
        peer.write_all(&content).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).unwrap();
        answer
    });
    link.until("the streams are over", |link| link.a.downs() > 0 && sending.is_finished());
    assert_eq!(sending.join().unwrap(), sum.to_vec());
    serving.join().unwrap();
    assert_eq!((link.a.undeliverable, link.b.undeliverable), (0, 0));
}

#[test]
fn streams_in_quick_succession_stay_apart() {
    const STREAMS: usize = 25;
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (a, a_at) = open("tcp:0");
    let (b, _) = open(&format!("tcp:{},connect", server.local_addr().unwrap()));
    let mut link = Link::new(a, b);
    let serving = thread::spawn(move || {
        let mut streams = Vec::new();
        while streams.len() < STREAMS {
            let mut stream = Vec::new();
            patient(server.accept().unwrap().0).read_to_end(&mut stream).unwrap();
            streams.push(stream);
        }
        streams
    });
    let sending = thread::spawn(move || {
        for i in 0..STREAMS {
            call(a_at).write_all(&octets(5000 * i + 1, i as u64)).unwrap();
        }
    });
    link.until("all streams have come", |_| serving.is_finished());
    sending.join().unwrap();
    let streams = serving.join().unwrap();
    for (i, stream) in streams.iter().enumerate() {
        assert!(*stream == octets(5000 * i + 1, i as u64), "stream {i} has {} octets", stream.len());
    }
    assert_eq!(link.b.undeliverable, 0);
}

#[test]
fn hanging_up_without_a_connection_is_answered() {
    let (mut side, _) = open("tcp:0");
    side.port.hang_up();
    until(&mut side, "it answers", |side| side.ends() == 1);
    assert_eq!(side.notices.len(), 1);
}

#[test]
fn a_port_that_waits_lets_its_owner_sleep() {
    /// Turns that a while takes: many, if polling returns at once each time.
    fn turns(side: &mut Side) -> usize {
        let (start, mut turns) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_millis(300) {
            turn(&mut [side], Duration::from_millis(100));
            turns += 1;
        }
        turns
    }
    let (mut side, address) = open("tcp:0");
    assert!(turns(&mut side) < 10, "nobody has connected");
    let mut peer = call(address);
    until(&mut side, "it is up", |side| side.ups() == 1);
    assert!(turns(&mut side) < 10, "the peer is silent");
    peer.shutdown(Shutdown::Write).unwrap();
    until(&mut side, "the end is told", |side| side.ends() == 1);
    assert!(turns(&mut side) < 10, "the peer has closed its side");
    side.send(vec![1; 60_000]);
    until(&mut side, "it is sent", |side| side.queue.is_empty());
    side.port.hang_up();
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).unwrap();
    until(&mut side, "it is closed", |side| side.downs() == 1);
    assert_eq!(rest.len(), 60_000);

    // The far side has hung up, the peer has not, and another is waiting behind it.
    let mut peer = call(address);
    until(&mut side, "it is up", |side| side.ups() == 2);
    side.port.hang_up();
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    let mut next = call(address);
    assert!(turns(&mut side) < 10, "the peer is still to close");
    side.send("for the next one");
    peer.write_all(b"bye").unwrap();
    drop(peer);
    until(&mut side, "the next one is served", |side| side.ups() == 3 && side.queue.is_empty());
    assert_eq!((side.octets(), side.undeliverable, side.refused.len()), (b"bye".to_vec(), 0, 0));
    let mut got = [0; 16];
    next.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"for the next one");

    let (mut side, _) = open(&format!("tcp:{},connect", unused()));
    assert!(turns(&mut side) < 20, "it is tried again now and then");
    assert_eq!(side.downs(), 1);
}

/// An address at which nobody listens.
fn unused() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn what_cannot_be_opened_is_named() {
    let base = Timebase::start();
    let (_side, address) = open("tcp:0");
    let taken = StreamPort::open(format!("tcp:{address}").parse().unwrap(), &base).unwrap_err();
    assert!(matches!(taken, ListenError::InUse { .. }) && taken.to_string().contains(&address.to_string()), "{taken}");
    let elsewhere = StreamPort::open("tcp:192.0.2.1:0".parse().unwrap(), &base).unwrap_err();
    assert!(matches!(elsewhere, ListenError::NoSuchAddress { .. }), "{elsewhere}");
    let (side, address) = open("tcp:[::1]:0,framing=stcp");
    assert_eq!(side.port.name(), format!("tcp:[::1]:{},framing=stcp", address.port()));
}
