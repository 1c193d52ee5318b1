//! The emulator between ports, in real time. Only what must not come too early is judged by the clock.
#![allow(missing_docs)]

mod scripted;

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration as StdDuration;

use farlink_channel_models::Interval;
use farlink_link::Contacts;
use farlink_link::realtime::{Emulator, Options, OrderError, Scheduled};
use farlink_ports::udp::{UdpLinkConfig, UdpLinkPort};
use farlink_ports::{Notice, Port, Timebase};
use farlink_record::control::{Control, ControlledBy, ForcedContact};
use farlink_record::instrument::{ChannelState, Lateness};
use farlink_record::{ChannelId, Disturbance, Event, LossCause, PortNotice};
use farlink_units::{Duration, Instant};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use scripted::*;

const LIGHT: Duration = Duration::from_millis(200);

/// By how much what the kernel stamps in wall-clock time may be off in monotonic time.
const BLUR: Duration = Duration::from_millis(1);

fn lost(channel: &ChannelState, cause: LossCause) -> u64 {
    channel.counters.lost.get(&cause).map_or(0, |tally| tally.frames)
}

fn numbered(number: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &[7; 96]].concat()
}

fn udp(base: &Timebase, to: &UdpSocket) -> (UdpLinkPort, u16) {
    let text = format!("udp:127.0.0.1:0,to={}", to.local_addr().unwrap());
    let port = UdpLinkPort::open(text.parse::<UdpLinkConfig>().unwrap(), base).unwrap();
    let name = port.name();
    let number = name.split(',').next().and_then(|listens| listens.rsplit(':').next()).unwrap().parse();
    (port, number.unwrap_or_else(|_| panic!("no port number in {name}")))
}

#[test]
fn datagrams_keep_their_order_and_none_is_faster_than_light() {
    // Few enough to wait in a socket of the usual size.
    const FRAMES: u32 = 150;
    let base = Timebase::start();
    let ends = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    ends.iter().for_each(|end| end.set_read_timeout(Some(PATIENCE)).unwrap());
    let (a, into_a) = udp(&base, &ends[0]);
    let (b, into_b) = udp(&base, &ends[1]);
    let running = Running::start(vec![coupling(a, b, 0, LIGHT)], base, Options::default());
    let mut sent = Vec::new();
    for number in 0..FRAMES {
        sent.push(base.now());
        ends[0].send_to(&numbered(number), ("127.0.0.1", into_a)).unwrap();
        ends[1].send_to(&numbered(number), ("127.0.0.1", into_b)).unwrap();
        if number % 10 == 0 {
            thread::sleep(StdDuration::from_millis(2));
        }
    }
    for end in &ends {
        for number in 0..FRAMES {
            let mut buffer = [0; 200];
            let length = end.recv(&mut buffer).unwrap();
            let passed = base.now() - sent[number as usize];
            assert_eq!(buffer[..length], numbered(number));
            assert!(passed + BLUR >= LIGHT, "frame {number} after {passed}");
        }
    }
    let (snapshot, events) = running.finish();
    for channel in &snapshot.channels {
        assert_eq!((channel.counters.delivered.frames, channel.in_flight.frames), (u64::from(FRAMES), 0));
        assert_eq!(channel.lateness.samples, u64::from(FRAMES));
    }
    // What is told agrees: the light time and nothing else delayed them.
    for stamped in &events {
        if let Event::FrameDelivered { delays: Some(delays), .. } = &stamped.event {
            let parts = [delays.queueing, delays.serialisation, delays.propagation].map(Duration::from);
            assert_eq!(parts[2], LIGHT, "{parts:?}");
        }
    }
}

#[test]
fn delay_is_counted_from_the_kernels_stamp_however_late_the_frame_is_read() {
    let base = Timebase::start();
    let end = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (a, into) = udp(&base, &end);
    let (b, far) = port("slow", &base);
    let running = Running::start(vec![coupling(a, b, 0, Duration::from_secs(1))], base, Options::default());
    far.holds_up(StdDuration::from_millis(400));
    // While the far port holds the emulator up, a frame comes in.
    thread::sleep(StdDuration::from_millis(100));
    let before = base.now();
    end.send_to(&numbered(0), ("127.0.0.1", into)).unwrap();
    let after = base.now();
    let sent = far.takes(1);
    assert!(sent[0].0 + BLUR >= before + Duration::from_secs(1), "sent {before}, left {}", sent[0].0);
    let held = far.held_up().expect("it held the emulator up");
    let (_, events) = running.finish();
    let taken_in = events.iter().find_map(|stamped| match stamped.event {
        Event::FrameSent { start, .. } => Some((start, stamped.at)),
        _ => None,
    });
    let (start, told) = taken_in.expect("the frame is told");
    assert!(start <= after + BLUR && start + BLUR >= before, "arrived at {start}, sent from {before} to {after}");
    // Otherwise nothing was tried.
    assert!(before < held[1], "it came in after {held:?}, at {before}");
    assert!(told >= held[1], "it was read at {told}, before {held:?} was over");
}

#[test]
fn a_busy_port_delays_and_loses_nothing() {
    let base = Timebase::start();
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let running = Running::start(vec![coupling(a, b, 0, Duration::from_millis(20))], base, Options::default());
    far.is(Mood::Busy);
    for number in 0..500 {
        near.gives(numbered(number));
    }
    far.was_full();
    wait_for("all to be taken in", || (running.snapshot().channels[0].counters.sent.frames == 500).then_some(()));
    thread::sleep(StdDuration::from_millis(300));
    // The other direction goes on meanwhile.
    far.gives("back");
    assert_eq!(near.takes(1)[0].1, "back");
    assert!(far.sent().is_empty());
    let freed = base.now();
    far.is(Mood::TakesFew(7));
    let sent = far.takes(500);
    assert!(sent.iter().zip(0..).all(|((at, content), number)| *at >= freed && content[..] == numbered(number)));
    let (snapshot, _) = running.finish();
    let channel = &snapshot.channels[0];
    assert_eq!((channel.counters.delivered.frames, channel.counters.lost.len()), (500, 0));
    let because = channel.late_because.iter().find(|because| because.cause == Lateness::Port);
    let because = because.unwrap_or_else(|| panic!("no cause `port` in {:?}", channel.late_because));
    assert_eq!(because.frames, 500, "{:?}", channel.late_because);
    assert!(because.max_ns >= 200_000_000, "{because:?}");
}

#[test]
fn what_a_busy_port_has_held_up_is_late_because_of_the_port() {
    let base = Timebase::start();
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let running = Running::start(vec![coupling(a, b, 0, Duration::from_millis(20))], base, Options::default());
    far.is(Mood::Busy);
    for number in 0..300 {
        near.gives(numbered(number));
    }
    far.was_full();
    wait_for("all to be taken in", || (running.snapshot().channels[0].counters.sent.frames == 300).then_some(()));
    thread::sleep(StdDuration::from_millis(200));
    // It takes many batches at once.
    far.is(Mood::Takes);
    far.takes(300);
    let (snapshot, _) = running.finish();
    let because = &snapshot.channels[0].late_because;
    assert_eq!(
        because.iter().map(|because| (because.cause, because.frames)).collect::<Vec<_>>(),
        [(Lateness::Port, 300)]
    );
}

#[test]
fn a_port_that_is_down_loses_frames_and_the_other_direction_goes_on() {
    let base = Timebase::start();
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let mut running = Running::start(vec![coupling(a, b, 0, Duration::from_millis(10))], base, Options::default());
    far.is(Mood::Down);
    far.tells(Notice::Down { detail: "unplugged".into() });
    for number in 0..100 {
        near.gives(numbered(number));
    }
    for number in 0..100 {
        far.gives(numbered(number));
    }
    let back = near.takes(100);
    assert!(back.iter().zip(0..).all(|((_, content), number)| content[..] == numbered(number)));
    wait_for("the losses", || (lost(&running.snapshot().channels[0], LossCause::PortDown) == 100).then_some(()));
    assert!(!running.snapshot().ports[1].up);
    far.is(Mood::Takes);
    far.tells(Notice::Up { detail: "plugged in".into() });
    near.gives("again");
    assert_eq!(far.takes(1)[0].1, "again");
    running.hears("that it is up", |stamped| {
        let up = Event::Port { port: "b".into(), what: PortNotice::Up { detail: "plugged in".into() } };
        (stamped.event == up).then_some(())
    });
    let (snapshot, events) = running.finish();
    assert_eq!((snapshot.ports[1].downs, snapshot.ports[1].up, snapshot.ports[0].downs), (1, true, 0));
    let down = Event::Port { port: "b".into(), what: PortNotice::Down { detail: "unplugged".into() } };
    assert!(events.iter().any(|stamped| stamped.event == down));
}

#[test]
fn a_port_that_fails_is_told_and_the_rest_goes_on() {
    let base = Timebase::start();
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let ((c, other), (d, others_far)) = (port("c", &base), port("d", &base));
    let couplings = vec![coupling(a, b, 0, Duration::ZERO), coupling(c, d, 2, Duration::ZERO)];
    let running = Running::start(couplings, base, Options::default());
    far.fails("it burnt");
    wait_for("the failure", || running.snapshot().ports[1].failure.clone().filter(|why| why == "it burnt"));
    near.gives("nowhere to go");
    other.gives("elsewhere");
    assert_eq!(others_far.takes(1)[0].1, "elsewhere");
    wait_for("the loss", || (lost(&running.snapshot().channels[0], LossCause::PortDown) == 1).then_some(()));
    let (snapshot, _) = running.finish();
    assert_eq!(
        snapshot.ports.iter().map(|port| port.failure.is_some()).collect::<Vec<_>>(),
        [false, true, false, false]
    );
    assert!(far.sent().is_empty());
}

#[test]
fn a_refused_frame_is_counted_and_the_next_ones_go() {
    let base = Timebase::start();
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let running = Running::start(vec![coupling(a, b, 0, Duration::from_millis(50))], base, Options::default());
    far.is(Mood::Refuses(0xFF));
    let frames: Vec<Vec<u8>> = (0..200u8).map(|number| vec![if number % 3 == 0 { 0xFF } else { 1 }, number]).collect();
    let now = base.now();
    frames.iter().for_each(|frame| near.gives_at(now, frame.clone()));
    let goes: Vec<&Vec<u8>> = frames.iter().filter(|frame| frame[0] != 0xFF).collect();
    let sent = far.takes(goes.len());
    assert!(sent.iter().map(|(_, content)| content.to_vec()).eq(goes.iter().map(|frame| (*frame).clone())));
    wait_for("the last one", || (running.snapshot().channels[0].in_flight.frames == 0).then_some(()));
    let (snapshot, events) = running.finish();
    let refused = frames.len() as u64 - goes.len() as u64;
    assert_eq!((lost(&snapshot.channels[0], LossCause::PortRefused), snapshot.ports[1].refused), (refused, refused));
    let what = PortNotice::Refused { detail: "it begins so".into() };
    let told = events.iter().filter(|s| s.event == Event::Port { port: "b".into(), what: what.clone() }).count();
    assert_eq!(told as u64, refused);
}

#[test]
fn the_end_of_a_connection_travels_behind_its_frames() {
    let base = Timebase::start();
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let ends = coupling(a.that_hangs_up(), b.that_hangs_up(), 0, LIGHT);
    let running = Running::start(vec![ends], base, Options::default());
    far.is(Mood::Busy);
    for number in 0..100 {
        near.gives(numbered(number));
    }
    let ended = base.now();
    near.tells(Notice::Ended { detail: "closed".into() });
    thread::sleep(StdDuration::from_millis(500));
    assert!(far.hang_ups().is_empty(), "hung up before the frames have left");
    far.is(Mood::TakesFew(30));
    let hung_up = wait_for("the end", || far.hang_ups().first().copied());
    assert_eq!(hung_up.1, 100, "frames before the end");
    assert!(hung_up.0 >= ended + LIGHT);
    // The answer takes its time, too, and there is one for each end.
    let answered = base.now();
    far.tells(Notice::Ended { detail: "closed as well".into() });
    let hung_up = wait_for("the answer", || near.hang_ups().first().copied());
    assert!(hung_up.0 >= answered + LIGHT);
    let empty = base.now();
    near.tells(Notice::Ended { detail: "a second connection without a frame".into() });
    let hung_up = wait_for("the second end", || far.hang_ups().get(1).copied());
    assert!(hung_up.0 >= empty + LIGHT);
    let (snapshot, _) = running.finish();
    assert_eq!(snapshot.channels[0].counters.delivered.frames, 100);
    assert_eq!((far.hang_ups().len(), near.hang_ups().len()), (2, 1));
}

#[test]
fn an_end_that_the_far_port_cannot_pass_on_is_answered_where_it_was() {
    let base = Timebase::start();
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let ends = coupling(a.that_hangs_up(), b, 0, Duration::from_secs(3600));
    let running = Running::start(vec![ends], base, Options::default());
    near.gives("on its way");
    near.tells(Notice::Ended { detail: "closed".into() });
    wait_for("the answer", || near.hang_ups().first().copied());
    drop(running);
    assert!(far.hang_ups().is_empty());
}

#[test]
fn frames_outside_contacts_are_lost_and_the_edges_are_told() {
    let at = |ms| Instant::ZERO + Duration::from_millis(ms);
    let base = Timebase::starting_at(at(9800));
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let contacts = [(5000, 10_000), (10_300, 60_000)].map(|(start, end)| Interval { start: at(start), end: at(end) });
    let mut forward = channel(0, Duration::from_millis(100));
    forward.contacts = Contacts::During(contacts.to_vec());
    let both = coupling_of(a, b, forward, channel(1, Duration::ZERO));
    let mut running = Running::start(vec![both], base, Options::default());
    near.gives_at(at(9900), "in the first");
    running.hears("the close", |s| matches!(s.event, Event::ContactClosed { channel: ChannelId(0) }).then_some(()));
    assert!(base.now() >= at(10_000));
    assert!(base.now() >= at(10_300) || !running.snapshot().channels[0].open);
    near.gives_at(at(10_150), "between");
    let opened = |s: &farlink_record::Stamped| match s.event {
        Event::ContactOpened { channel: ChannelId(0), until, .. } if until == at(60_000) => Some(s.at),
        _ => None,
    };
    assert!(running.hears("the second contact", opened) >= at(10_300));
    near.gives("in the second");
    let sent = far.takes(2);
    assert_eq!([&sent[0].1[..], &sent[1].1[..]], [&b"in the first"[..], b"in the second"]);
    assert!(sent[0].0 >= at(10_000));
    let (snapshot, events) = running.finish();
    assert_eq!(lost(&snapshot.channels[0], LossCause::NoContact), 1);
    let edges = |s: &&farlink_record::Stamped| {
        matches!(
            s.event,
            Event::ContactOpened { channel: ChannelId(0), .. } | Event::ContactClosed { channel: ChannelId(0) }
        )
    };
    assert_eq!(events.iter().filter(edges).count(), 3);
}

#[test]
fn controls_act_by_order_and_by_script_and_are_told() {
    let base = Timebase::start();
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let closed = Control::Contact { state: ForcedContact::Closed };
    let open = Control::Contact { state: ForcedContact::Open };
    let delay = |ms| Control::Delay { light_time: Duration::from_millis(ms).into() };
    let wrong = Control::Ber { ber: 0.9 };
    let at = |ms| Instant::ZERO + Duration::from_millis(ms);
    let script = vec![
        Scheduled { at: at(0), channel: Some(ChannelId(0)), control: closed.clone() },
        Scheduled { at: at(1), channel: None, control: wrong.clone() },
        Scheduled { at: at(300), channel: Some(ChannelId(0)), control: open.clone() },
    ];
    let options = Options { script, ..Options::default() };
    let mut running = Running::start(vec![coupling(a, b, 0, Duration::ZERO)], base, options);
    running.hears("the close", |s| matches!(s.event, Event::Controlled { .. }).then_some(()));
    near.gives_at(at(200), "closed out");
    let opened = running.hears("the opening", |s| match &s.event {
        Event::Controlled { control, .. } if *control == open => Some(s.at),
        _ => None,
    });
    assert!(opened >= at(300) && base.now() >= at(300), "it was said at {opened}");
    let order = |channel: Option<u16>, control: &Control| {
        running.emulator.control(channel.map(ChannelId), control, ControlledBy::Socket)
    };
    order(Some(0), &delay(400)).unwrap();
    let begun = near.gives("slow");
    assert!(far.takes(1)[0].0 >= begun + Duration::from_millis(400));
    order(None, &closed).unwrap();
    near.gives("not this one");
    wait_for("the loss", || (lost(&running.snapshot().channels[0], LossCause::NoContact) == 2).then_some(()));
    assert!(!running.snapshot().channels[1].open);
    assert_eq!(order(Some(7), &open), Err(OrderError::NoChannel(7)));
    assert!(matches!(order(Some(0), &wrong), Err(OrderError::Refused(why)) if !why.is_empty()));
    let (snapshot, events) = running.finish();
    let (by_script, by_hand) = (ControlledBy::Script.as_str(), ControlledBy::Socket.as_str());
    let told = [
        (Some(0), closed.to_string(), by_script),
        (Some(0), open.to_string(), by_script),
        (Some(0), delay(400).to_string(), by_hand),
        (None, closed.to_string(), by_hand),
    ];
    assert_eq!(controls(&events), told);
    assert_eq!(snapshot.refused.len(), 1, "{:?}", snapshot.refused);
    assert_eq!(far.sent().len(), 1);
}

#[test]
fn a_pause_holds_what_is_under_way_and_does_not_count() {
    let base = Timebase::start();
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let running = Running::start(vec![coupling(a, b, 0, LIGHT)], base, Options::default());
    let order = |control| running.emulator.control(None, &control, ControlledBy::Socket).unwrap();
    // What comes in during the pause comes in at its end, as bench time has it.
    order(Control::Pause);
    let paused = base.now();
    let stands = running.snapshot();
    assert!(stands.paused);
    near.gives("in the pause");
    wait_for("it to be taken", || (running.snapshot().channels[0].counters.sent.frames == 1).then_some(()));
    thread::sleep(StdDuration::from_millis(500));
    assert!(far.sent().is_empty());
    assert_eq!(running.snapshot().at, stands.at);
    let resumed = base.now();
    order(Control::Resume);
    let sent = far.takes(1);
    assert!(sent[0].0 >= resumed + LIGHT, "resumed at {resumed}, left at {}", sent[0].0);
    let (snapshot, events) = running.finish();
    assert!(!snapshot.paused);
    // Bench time lacks the pause.
    assert!(snapshot.at + (resumed - paused) <= base.now());
    let delays = events.iter().find_map(|stamped| match &stamped.event {
        Event::FrameDelivered { delays, .. } => *delays,
        _ => None,
    });
    assert_eq!(delays.map(|delays| Duration::from(delays.propagation)), Some(LIGHT));
    assert_eq!(controls(&events).len(), 2);
}

#[test]
fn two_drivers_are_told_alike_and_speak_once() {
    let base = Timebase::start();
    let ((a, a_end), (b, b_end)) = (port("a", &base), port("b", &base));
    let ((c, c_end), (d, d_end)) = (port("c", &base), port("d", &base));
    let couplings = vec![coupling(a, b, 0, Duration::ZERO), coupling(c, d, 2, Duration::ZERO)];
    let prepared = Arc::new(AtomicUsize::new(0));
    let prepare = {
        let prepared = Arc::clone(&prepared);
        Arc::new(move |thread: usize| {
            prepared.fetch_or(1 << thread, Ordering::Relaxed);
        })
    };
    let options = Options { drivers: 2, prepare_thread: Some(prepare), ..Options::default() };
    let running = Running::start(couplings, base, options);
    a_end.gives("to b");
    d_end.gives("to c");
    assert_eq!((&b_end.takes(1)[0].1[..], &c_end.takes(1)[0].1[..]), (&b"to b"[..], &b"to c"[..]));
    let order = |channel: Option<u16>, control: Control| {
        running.emulator.control(channel.map(ChannelId), &control, ControlledBy::Socket)
    };
    let all = Control::Delay { light_time: Duration::from_millis(5).into() };
    order(None, all.clone()).unwrap();
    let one = Control::Delay { light_time: Duration::from_millis(7).into() };
    order(Some(3), one.clone()).unwrap();
    order(Some(1), Control::Pause).unwrap();
    assert!(running.snapshot().paused);
    order(None, Control::Resume).unwrap();
    let (snapshot, events) = running.finish();
    let names: Vec<&str> = snapshot.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["channel 0", "channel 1", "channel 2", "channel 3"]);
    let light: Vec<i64> = snapshot.channels.iter().map(|channel| channel.light_time.0 / 1_000_000).collect();
    assert_eq!(light, [5, 5, 5, 7]);
    let mut told: Vec<(Option<u16>, String)> =
        controls(&events).into_iter().map(|(channel, control, _)| (channel, control)).collect();
    told.sort();
    let mut wanted = vec![
        (None, all.to_string()),
        (None, Control::Pause.to_string()),
        (None, Control::Resume.to_string()),
        (Some(3), one.to_string()),
    ];
    wanted.sort();
    assert_eq!(told, wanted);
    assert_eq!(prepared.load(Ordering::Relaxed), 3);
}

#[test]
fn an_emulator_that_does_not_get_to_run_says_so() {
    let base = Timebase::start();
    let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
    let mut running = Running::start(vec![coupling(a, b, 0, Duration::from_millis(10))], base, Options::default());
    near.gives("first");
    far.takes(1);
    near.holds_up(StdDuration::from_millis(400));
    // Half of that is more than a heartbeat and what it may be late.
    let long = |by: i64| by >= 200_000_000;
    running.hears("the stall", |stamped| match stamped.event {
        Event::Disturbed { what: Disturbance::Stalled, by } if long(by.0) => Some(()),
        _ => None,
    });
    let (snapshot, _) = running.finish();
    let stalled = snapshot.disturbances.iter().find(|disturbed| disturbed.what == Disturbance::Stalled);
    assert!(stalled.is_some_and(|stalled| stalled.times >= 1 && long(stalled.worst.0)), "{stalled:?}");
}

#[test]
fn a_driver_that_panics_has_ended() {
    #[derive(Debug)]
    struct Broken;
    impl Port for Broken {
        fn name(&self) -> String {
            "broken".into()
        }
        fn interest<'a>(&'a self, _: &mut dyn FnMut(farlink_ports::port::Interest<'a>)) {}
        fn receive(&mut self, _: &Timebase, _: &mut Vec<farlink_ports::Received>) -> std::io::Result<()> {
            panic!("this port is made to panic")
        }
        fn send(&mut self, frames: &[bytes::Bytes]) -> farlink_ports::Sent {
            farlink_ports::Sent::all(frames.len())
        }
        fn poll_notice(&mut self) -> Option<Notice> {
            None
        }
    }
    let base = Timebase::start();
    let (a, _near) = port("a", &base);
    let couplings = vec![coupling(a, Broken, 0, Duration::ZERO)];
    let emulator = Emulator::start(couplings, base, &Options::default()).unwrap();
    wait_for("the end", || emulator.has_ended().then_some(()));
    assert_eq!(emulator.snapshot(), Err(OrderError::NoAnswer));
    assert_eq!(emulator.finish(), None);
}

/// Whatever ports do, in whatever order: what came in was delivered in its order, is lost and counted, or is under way.
#[test]
fn whatever_ports_do_every_frame_is_accounted_for() {
    for seed in 0..6 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let base = Timebase::start();
        let ((a, near), (b, far)) = (port("a", &base), port("b", &base));
        let mut running = Running::start(vec![coupling(a, b, 0, Duration::from_millis(3))], base, Options::default());
        let mut given = [0u32; 2];
        for _ in 0..300 {
            let side = (random.next_u32() % 2) as usize;
            let end = [&near, &far][side];
            match random.next_u32() % 8 {
                0..3 => {
                    for _ in 0..random.next_u32() % 100 {
                        end.gives(numbered(given[side]));
                        given[side] += 1;
                    }
                }
                3 => {
                    let few = Mood::TakesFew(random.next_u32() as usize % 5);
                    let moods = [Mood::Takes, few, Mood::Busy, Mood::Down, Mood::Refuses(0)];
                    end.is(moods[random.next_u32() as usize % moods.len()]);
                }
                4 => end.tells(Notice::Down { detail: String::new() }),
                5 => {
                    let light_time = Duration::from_nanos(i64::from(random.next_u32() % 8_000_000)).into();
                    let channel = Some(ChannelId(random.next_u32() as u16 % 2));
                    let control = match random.next_u32() % 4 {
                        0 => Control::Pause,
                        1 => Control::Resume,
                        _ => Control::Delay { light_time },
                    };
                    running.emulator.control(channel, &control, ControlledBy::Socket).unwrap();
                }
                6 => thread::sleep(StdDuration::from_micros(u64::from(random.next_u32() % 2000))),
                _ => drop(running.snapshot()),
            }
        }
        running.emulator.control(None, &Control::Resume, ControlledBy::Socket).unwrap();
        [&near, &far].iter().for_each(|end| end.is(Mood::Takes));
        wait_for("the last of them", || {
            let snapshot = running.snapshot();
            let done = |channel: &ChannelState, given| {
                channel.counters.sent.frames == u64::from(given) && channel.in_flight.frames == 0
            };
            (done(&snapshot.channels[0], given[0]) && done(&snapshot.channels[1], given[1])).then_some(())
        });
        running.hears("anything", |_| Some(()));
        let (snapshot, events) = running.finish();
        for (channel, (end, given)) in snapshot.channels.iter().zip([(&far, given[0]), (&near, given[1])]) {
            let numbers: Vec<u32> =
                end.sent().iter().map(|(_, content)| u32::from_be_bytes(content[..4].try_into().unwrap())).collect();
            assert!(numbers.is_sorted_by(|one, next| one < next), "seed {seed}: order is kept");
            let lost: u64 = channel.counters.lost.values().map(|tally| tally.frames).sum();
            assert_eq!(channel.counters.delivered.frames, numbers.len() as u64, "seed {seed}");
            assert_eq!(numbers.len() as u64 + lost, u64::from(given), "seed {seed}");
        }
        assert_eq!(snapshot.unrecorded, 0);
        let told = |wanted: fn(&Event) -> bool| events.iter().filter(|stamped| wanted(&stamped.event)).count();
        let delivered = told(|event| matches!(event, Event::FrameDelivered { .. }));
        assert_eq!(delivered, near.sent().len() + far.sent().len(), "seed {seed}");
    }
}
