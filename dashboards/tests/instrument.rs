//! The view of `farlink emulate`: its screens, compared whole, what it works out, and what its keys do.

use std::time::Duration as Span;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use farlink_dashboards::instrument::notices::notices;
use farlink_dashboards::instrument::{Facts, InstrumentView, screen};
use farlink_dashboards::live::Flow;
use farlink_record::control::{Control, ControlledBy, Fault, FaultAction, FrameMatch, LtpKind, Restorable};
use farlink_record::counters::{ChannelCounters, Tally};
use farlink_record::instrument::{
    ChannelState, DisturbanceState, LateCause, Lateness, PortState, Snapshot, SpillState, StoreState,
};
use farlink_record::results::Timing;
use farlink_record::{ChannelId, Disturbance, DurationNanos, Event, LossCause, PortNotice, Stamped};
use farlink_units::{Duration, Instant};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn at(seconds: f64) -> Instant {
    Instant::from_nanos((seconds * 1e9) as i64)
}

fn frames(frames: u64) -> Tally {
    Tally { frames, bits: frames * 8192 }
}

fn port(name: &str) -> PortState {
    PortState { name: name.to_owned(), up: true, ..PortState::default() }
}

fn channel(name: &str, from: &str, to: &str, sent: u64, delivered: u64) -> ChannelState {
    ChannelState {
        name: name.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        open: true,
        rate_bps: Some(256_000),
        light_time: DurationNanos(4_000_000_000),
        counters: ChannelCounters { sent: frames(sent), delivered: frames(delivered), ..ChannelCounters::default() },
        in_flight: frames(sent - delivered),
        balanced: true,
        by_hand: Vec::new(),
        faults: Vec::new(),
        lateness: Timing { p50_ns: 12_300, p99_ns: 45_600, p999_ns: 98_700, max_ns: 312_000, samples: delivered },
        late_because: Vec::new(),
    }
}

const PORTS: [&str; 2] = ["udp:127.0.0.1:5001,to=127.0.0.1:5004", "udp:127.0.0.1:5003,to=127.0.0.1:5002"];

/// One link after so many seconds, with 100 frames a second forward and 10 back.
fn one_link(seconds: u64) -> Snapshot {
    let [a, b] = PORTS;
    let delivered = |rate: u64| seconds.saturating_sub(4) * rate;
    let mut back = channel("return", b, a, seconds * 10, delivered(10));
    back.rate_bps = Some(2000);
    Snapshot {
        at: at(seconds as f64),
        channels: vec![channel("forward", a, b, seconds * 100, delivered(100)), back],
        ports: PORTS.map(port).to_vec(),
        store: Some(StoreState {
            memory_limit_bytes: 268_435_456,
            memory_bytes: 450_560,
            memory_peak_bytes: 512_000,
            spill: None,
        }),
        ..Snapshot::default()
    }
}

fn eight_links(seconds: u64) -> Snapshot {
    let mut all = Snapshot { channels: Vec::new(), ports: Vec::new(), ..one_link(seconds) };
    for link in 1..=8_u64 {
        let (a, b) = (format!("udp:127.0.0.1:{}", 5000 + link), format!("tap:far-{link}"));
        all.channels.push(channel(
            &format!("{link}.forward"),
            &a,
            &b,
            seconds * 1000 * link,
            (seconds - 4) * 1000 * link,
        ));
        all.channels.push(channel(&format!("{link}.return"), &b, &a, seconds * link, (seconds - 4) * link));
        all.ports.extend([port(&a), port(&b)]);
    }
    all
}

/// All that can be wrong, at once.
fn trouble(seconds: u64) -> Snapshot {
    let mut all = one_link(seconds);
    all.paused = true;
    all.disturbances = vec![
        DisturbanceState { what: Disturbance::Suspended, times: 2, worst: DurationNanos(93_000_000_000) },
        DisturbanceState { what: Disturbance::Stalled, times: 1, worst: DurationNanos(41_000_000) },
    ];
    all.unrecorded = 12;
    all.refused = vec!["at 12 s: a contact cannot be forced open on a silent channel".to_owned()];
    let forward = &mut all.channels[0];
    forward.open = false;
    forward.rate_bps = None;
    forward.by_hand = vec![Restorable::Rate, Restorable::Contact];
    let only = FrameMatch { ltp: vec![LtpKind::Report], ..FrameMatch::default() };
    let fault = Fault { action: FaultAction::Drop, only, skip: 1, count: Some(2), each_session: true };
    forward.faults = vec![fault.clone(), fault];
    forward.balanced = false;
    forward.counters.lost =
        [(LossCause::BitErrors, frames(153)), (LossCause::QueueFull, frames(3)), (LossCause::Fault, frames(1))].into();
    forward.lateness =
        Timing { p50_ns: 90_000, p99_ns: 2_310_000, p999_ns: 8_100_000, max_ns: 41_000_000, samples: 10 };
    forward.late_because = vec![
        LateCause { cause: Lateness::Wakeup, frames: 321, max_ns: 41_000_000 },
        LateCause { cause: Lateness::Port, frames: 4, max_ns: 900_000 },
    ];
    all.channels[1].lateness = Timing::default();
    all.channels[1].counters.delivered_damaged = frames(7);
    all.channels[1].counters.copied = frames(2);
    let detail = || "nobody listens there".to_owned();
    all.ports[0].up = false;
    all.ports[0].downs = 3;
    all.ports[0].last = Some(PortNotice::Down { detail: detail(), lost_frames: 0 });
    all.ports[1].unreadable = 5;
    all.ports[1].overrun_frames = 1234;
    all.ports[1].refused = 9;
    all.ports[1].last = Some(PortNotice::Unreadable { detail: "no end of a frame".to_owned(), bytes: 90 });
    all.store = Some(StoreState {
        memory_limit_bytes: 268_435_456,
        memory_bytes: 260_000_000,
        memory_peak_bytes: 268_000_000,
        spill: Some(SpillState {
            directory: "/var/tmp/farlink".into(),
            on_disk_bytes: 3_100_000_000,
            allocated_bytes: 3_200_000_000,
            backlog_bytes: 64_000_000,
            written_bytes: 9_000_000_000,
            read_bytes: 5_900_000_000,
            slowest_write: DurationNanos(1_200_000_000),
            slowest_read: DurationNanos(40_000_000),
            full: true,
            write_failures: 17,
            read_failures: 1,
            lost: frames(88),
            late_reads: 3,
            last_error: Some("no space left on device".to_owned()),
        }),
    });
    all
}

/// A view that has looked for ten seconds, once a second.
fn watched(make: fn(u64) -> Snapshot, facts: Facts) -> InstrumentView {
    let mut view = InstrumentView::new(facts);
    for second in 4..=14 {
        view.model_mut().feed(make(second), Span::from_secs(second));
    }
    view
}

fn facts() -> Facts {
    Facts {
        name: "emulate".to_owned(),
        until: Some(at(60.0)),
        tolerated_p99: Some(Duration::from_nanos(200_000)),
        tolerated_max: None,
    }
}

fn port_event(seconds: f64, what: PortNotice) -> Stamped {
    Stamped { at: at(seconds), event: Event::Port { port: PORTS[0].to_owned(), what } }
}

fn tell_the_log(view: &mut InstrumentView) {
    let channel = ChannelId(0);
    let opened = Event::ContactOpened { channel, until: Instant::MAX, light_time: DurationNanos(4_000_000_000) };
    let ordered =
        Event::Controlled { channel: Some(channel), control: Control::Ber { ber: 1e-3 }, by: ControlledBy::View };
    let disturbed = Event::Disturbed { what: Disturbance::Suspended, by: DurationNanos(93_000_000_000) };
    for (seconds, event) in [(0.0, opened), (6.5, ordered), (8.0, disturbed)] {
        view.model_mut().note(Stamped { at: at(seconds), event });
    }
    for n in 0..40 {
        let what = PortNotice::Unreadable { detail: "no end of a frame".to_owned(), bytes: 90 };
        view.model_mut().note(port_event(9.0 + f64::from(n) / 10.0, what));
    }
    view.model_mut()
        .note(port_event(13.5, PortNotice::Down { detail: "nobody listens there".to_owned(), lost_frames: 0 }));
}

fn draw(view: &InstrumentView, width: u16, height: u16) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen::draw(frame, view)).unwrap();
    terminal.backend().clone()
}

fn lines(view: &InstrumentView, width: u16, height: u16) -> String {
    let screen = draw(view, width, height).to_string();
    screen.lines().map(|line| line.trim_matches('"').trim_end().to_owned() + "\n").collect()
}

fn at_every_size(view: &InstrumentView) -> String {
    let sizes = [(80, 24), (120, 40), (60, 15)];
    sizes.map(|(width, height)| format!("{width}×{height}\n{}", lines(view, width, height))).join("\n")
}

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

fn type_in(view: &mut InstrumentView, text: &str, said: &mut Vec<(Option<u16>, Control)>) {
    for letter in text.chars() {
        let code = if letter == '\n' { KeyCode::Enter } else { KeyCode::Char(letter) };
        let flow = view.press(key(code), &mut |channel, control| {
            said.push((channel.map(|ChannelId(place)| place), control.clone()));
            Ok(())
        });
        assert_eq!(flow, Flow::Stay, "{letter:?} of {text:?}");
    }
}

#[test]
fn one_link_at_every_size() {
    let mut view = watched(one_link, facts());
    tell_the_log(&mut view);
    insta::assert_snapshot!(at_every_size(&view));
}

#[test]
fn eight_links_at_every_size() {
    let mut view = watched(eight_links, Facts { name: "constellation".to_owned(), ..Facts::default() });
    for _ in 0..9 {
        view.press(key(KeyCode::Down), &mut |_, _| panic!("nothing is ordered"));
    }
    insta::assert_snapshot!(at_every_size(&view));
}

#[test]
fn all_that_can_be_wrong_at_every_size() {
    let mut view = watched(trouble, facts());
    tell_the_log(&mut view);
    insta::assert_snapshot!(at_every_size(&view));
}

#[test]
fn colours_of_what_is_wrong() {
    // The buffer's own description: every letter, and every change of style.
    insta::assert_snapshot!(format!("{:?}", draw(&watched(trouble, facts()), 80, 24).buffer()));
}

#[test]
fn before_the_first_snapshot_and_help() {
    let mut view = InstrumentView::new(facts());
    let nothing = lines(&view, 80, 24);
    view.press(key(KeyCode::Char('?')), &mut |_, _| Ok(()));
    insta::assert_snapshot!(format!("{nothing}\n{}", lines(&view, 80, 24)));
}

#[test]
fn an_order_that_is_refused_says_how_to_mend_it() {
    let mut view = watched(one_link, facts());
    type_in(&mut view, "r", &mut Vec::new());
    let begun = lines(&view, 80, 24);
    assert!(begun.contains("forward ▸ rate") && begun.contains("256kbit/s, or none"), "{begun}");
    type_in(&mut view, "fast\n", &mut Vec::new());
    let refused = lines(&view, 60, 15);
    assert!(refused.contains("! ") && refused.contains("rate none"), "{refused}");
    insta::assert_snapshot!(refused);
    // What was typed is still there, and can be mended.
    for _ in 0..4 {
        view.press(key(KeyCode::Backspace), &mut |_, _| Ok(()));
    }
    let mut said = Vec::new();
    type_in(&mut view, "1 Mbit/s\n", &mut said);
    assert_eq!(said, [(Some(0), Control::Rate { bps: Some(1_000_000) })]);
    assert!(view.prompt().is_none());
}

#[test]
fn keys_order_what_they_say_of_the_channel_that_is_chosen() {
    let mut view = watched(one_link, facts());
    let mut said = Vec::new();
    type_in(&mut view, "b1e-3\n", &mut said);
    view.press(key(KeyCode::Down), &mut |_, _| panic!("nothing is ordered"));
    type_in(&mut view, "d2s\ncplanned\nfdrop 2 report --skip 1 --each-session\n:pause\nx ", &mut said);
    // No further than the last channel.
    view.press(key(KeyCode::Down), &mut |_, _| panic!("nothing is ordered"));
    type_in(&mut view, "rnone\nax", &mut said);
    let only = FrameMatch { ltp: vec![LtpKind::Report], ..FrameMatch::default() };
    let fault = Fault { action: FaultAction::Drop, only, skip: 1, count: Some(2), each_session: true };
    let restore = |what| Control::Restore { what };
    assert_eq!(
        said,
        [
            (Some(0), Control::Ber { ber: 1e-3 }),
            (Some(1), Control::Delay { light_time: DurationNanos(2_000_000_000) }),
            (Some(1), restore(Restorable::Contact)),
            (Some(1), Control::Fault(fault)),
            (None, Control::Pause),
            (Some(1), restore(Restorable::All)),
            (None, Control::Pause),
            (Some(1), Control::Rate { bps: None }),
            (None, restore(Restorable::All)),
        ]
    );
    view.model_mut().feed(Snapshot { paused: true, ..one_link(15) }, Span::from_secs(15));
    type_in(&mut view, " ", &mut said);
    assert_eq!(said.pop(), Some((None, Control::Resume)));
    let q = view.press(key(KeyCode::Char('q')), &mut |_, _| Ok(()));
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    type_in(&mut view, ":", &mut said);
    assert_eq!((q, view.press(control_c, &mut |_, _| Ok(()))), (Flow::Leave, Flow::Leave));
}

#[test]
fn what_the_emulator_refuses_is_shown_until_the_next_key() {
    let mut view = watched(one_link, facts());
    view.press(key(KeyCode::Char('x')), &mut |_, _| Err("the emulator does not answer".to_owned()));
    assert!(lines(&view, 80, 24).contains("! the emulator does not answer"));
    view.press(key(KeyCode::Up), &mut |_, _| Ok(()));
    assert!(!lines(&view, 80, 24).contains("does not answer"));
    view.model_mut().miss("the emulator does not answer".to_owned());
    let silent = lines(&view, 80, 24);
    assert!(silent.contains("? no answer") && silent.contains("! the emulator does not answer"), "{silent}");
}

#[test]
fn rates_are_those_of_the_last_second() {
    let mut view = InstrumentView::new(facts());
    let mut state = one_link(10);
    let mut look = |view: &mut InstrumentView, millis: u64, sent: u64, delivered: u64| {
        state.channels[0].counters.sent = frames(sent);
        state.channels[0].counters.delivered = frames(delivered);
        view.model_mut().feed(state.clone(), Span::from_millis(millis));
        view.model().flow(0)
    };
    assert_eq!(look(&mut view, 0, 1000, 0), None, "one snapshot tells no rate");
    let flow = look(&mut view, 200, 1100, 0).unwrap();
    assert_eq!((flow.frames_in, flow.bits_in, flow.frames_out), (500.0, 500.0 * 8192.0, 0.0));
    // 500 a second for a second, then nothing in and 50 a second out: what was before the last second has no weight.
    for tick in 2..=5 {
        look(&mut view, tick * 200, 1000 + tick * 100, 0);
    }
    for tick in 6..=10 {
        look(&mut view, tick * 200, 1500, (tick - 5) * 10);
    }
    let flow = view.model().flow(0).unwrap();
    assert_eq!((flow.frames_in, flow.frames_out, flow.bits_out), (0.0, 50.0, 50.0 * 8192.0));
    // After a long silence of the emulator the rate is that of the silence.
    let flow = look(&mut view, 12_000, 2500, 50).unwrap();
    assert_eq!(flow.frames_in, 100.0);
    // Counters that go backwards tell no rate, and nothing panics.
    assert_eq!(look(&mut view, 12_200, 5, 0), None);
    assert_eq!(view.model().flow(7), None, "there is no such channel");
    lines(&view, 80, 24);
}

#[test]
fn the_log_counts_what_happens_again_and_keeps_the_last_lines() {
    let mut view = watched(one_link, facts());
    for n in 0..1000 {
        let what = match n % 2 {
            0 => PortNotice::Overrun { frames: n },
            _ => PortNotice::Refused { detail: format!("{n} bytes are too long") },
        };
        view.model_mut().note(port_event(n as f64 / 100.0, what));
    }
    let told: Vec<(u64, Instant, Instant)> =
        view.model().notices().map(|notice| (notice.times, notice.at, notice.last)).collect();
    assert_eq!(told, [(500, at(0.0), at(9.98)), (500, at(0.01), at(9.99))]);
    let last = view.model().notices().next_back().unwrap().event.clone();
    let refused = PortNotice::Refused { detail: "999 bytes are too long".to_owned() };
    assert_eq!(last, port_event(0.0, refused).event, "the last of them is told");
    for n in 0..300 {
        let control = Control::Ber { ber: f64::from(n) / 1000.0 };
        let event = Event::Controlled { channel: None, control, by: ControlledBy::View };
        view.model_mut().note(Stamped { at: at(20.0 + f64::from(n)), event });
    }
    assert_eq!(view.model().notices().len(), 128);
    assert_eq!(view.model().notices().next_back().unwrap().at, at(319.0));
}

#[test]
fn notices_hold_up_nobody_and_frames_are_none() {
    let (teller, notices) = notices();
    let frame = Event::FrameSent { channel: ChannelId(0), frame: 1, bytes: 9, start: at(0.0) };
    teller.tell(&Stamped { at: at(0.0), event: frame });
    assert_eq!(notices.waiting().count(), 0);
    for n in 0..5000 {
        teller.tell(&port_event(f64::from(n), PortNotice::Overrun { frames: 1 }));
    }
    assert_eq!((notices.waiting().count(), notices.missed()), (4096, 904));
    drop(notices);
    teller.tell(&port_event(0.0, PortNotice::Overrun { frames: 1 }));
}

#[test]
fn every_size_of_window_and_every_state_can_be_drawn() {
    let mut many = eight_links(9);
    for n in 0..200 {
        let mut state = many.channels[n % 16].clone();
        state.name = format!("a rather long name of a channel, {n}");
        state.lateness.max_ns = u64::MAX;
        state.counters.sent = Tally { frames: u64::MAX, bits: u64::MAX };
        state.light_time = DurationNanos(i64::MAX);
        state.rate_bps = Some(u64::MAX);
        many.channels.push(state);
    }
    for snapshot in [Snapshot::default(), one_link(9), many, trouble(9)] {
        let mut view = InstrumentView::new(facts());
        view.model_mut().feed(snapshot, Span::ZERO);
        tell_the_log(&mut view);
        for step in 0..6 {
            match step {
                1 => {
                    for _ in 0..500 {
                        view.press(key(KeyCode::Down), &mut |_, _| Ok(()));
                    }
                }
                2 => type_in(&mut view, "a?", &mut Vec::new()),
                3 => type_in(&mut view, &format!(":{}\n", "word ".repeat(100)), &mut Vec::new()),
                _ => {}
            }
            for (width, height) in [(1, 1), (60, 15), (61, 16), (79, 23), (80, 24), (100, 30), (200, 60), (400, 15)] {
                draw(&view, width, height);
            }
        }
    }
}
