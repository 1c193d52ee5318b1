//! The playhead, with made-up time.

mod made_up;

use std::time::Duration;

use farlink_dashboards::keys::Action;
use farlink_dashboards::live::Flow;
use farlink_dashboards::playback::State;
use farlink_dashboards::{LiveView, Outcome, Pace};
use farlink_record::{ChannelId, Event, Header, Stamped};
use farlink_units::Instant;

/// 40 minutes in 60 seconds: 40 times as fast on the whole.
const PLAY: Pace = Pace::Play { span: Duration::from_secs(60) };
const SECOND: Duration = Duration::from_secs(1);

fn view(pace: Pace) -> LiveView {
    LiveView::new(&made_up::header(), pace)
}

fn feed_all(view: &mut LiveView) {
    made_up::events().into_iter().for_each(|stamped| view.feed(stamped));
}

fn minute(minutes: f64) -> Instant {
    Instant::from_secs_f64(minutes * 60.0)
}

/// What the counters say, to compare states by.
fn frames(view: &LiveView) -> Vec<(u64, u64, u64)> {
    let channels = view.model().channels().iter();
    channels
        .map(|channel| {
            let counters = &channel.counters;
            (counters.sent.frames, counters.delivered.frames, counters.lost_in_all().frames)
        })
        .collect()
}

/// A day in which frames cross for a minute, from the tenth hour on, and light time is told every minute.
fn mostly_waiting() -> LiveView {
    let channel = ChannelId(0);
    let second = |at| Instant::from_secs_f64(at);
    let header = Header { duration: farlink_units::Duration::from_secs(86_400).into(), ..made_up::header() };
    let light_time = farlink_units::Duration::from_secs(500).into();
    let light = (1..1440).map(|at| (f64::from(at) * 60.0, Event::LightTime { channel, light_time }));
    let frames = (0..=600).map(|frame| {
        let at = 36_000.0 + f64::from(frame) / 10.0;
        (at, Event::FrameSent { channel, frame: frame as u64, bytes: 100, start: second(at) })
    });
    let end = (86_400.0, Event::Ended { interrupted: false });
    let mut events: Vec<_> =
        light.chain(frames).chain([end]).map(|(at, event)| Stamped { at: second(at), event }).collect();
    events.sort_by_key(|stamped| stamped.at);
    let mut view = LiveView::new(&header, PLAY);
    events.into_iter().for_each(|stamped| view.feed(stamped));
    view
}

/// How long the view plays until the playhead is there.
fn played_until(view: &mut LiveView, there: impl Fn(&LiveView) -> bool) -> f64 {
    const STEP: Duration = Duration::from_millis(10);
    let mut elapsed = Duration::ZERO;
    while !there(view) {
        view.advance(STEP);
        elapsed += STEP;
        assert!(elapsed < 1000 * SECOND);
    }
    elapsed.as_secs_f64()
}

#[test]
fn what_happens_takes_half_of_the_time() {
    let hour = |hours: f64| minute(hours * 60.0);
    let mut view = mostly_waiting();
    assert_eq!(view.playback().speed(), 2878.0);
    let before = played_until(&mut view, |view| view.model().now() >= hour(10.0));
    assert_eq!(view.playback().speed(), 2.0, "a minute in half a minute");
    let busy = played_until(&mut view, |view| view.model().now() > hour(10.0) + farlink_units::Duration::from_secs(60));
    assert_eq!(view.playback().speed(), 2878.0);
    let after = played_until(&mut view, |view| view.playback().state() == State::Ended);
    assert!((busy - 30.0).abs() < 0.1, "{busy}");
    assert!((before + busy + after - 60.0).abs() < 0.1, "{before} {busy} {after}");

    view.act(Action::Start);
    view.act(Action::Faster);
    assert_eq!(view.playback().speed(), 2.0 * 2878.0);
    let all = played_until(&mut view, |view| view.playback().state() == State::Ended);
    assert!((all - 30.0).abs() < 0.1, "faster makes both kinds of time faster: {all}");
}

#[test]
fn the_made_up_run_takes_its_time() {
    let mut view = view(PLAY);
    feed_all(&mut view);
    let all = played_until(&mut view, |view| view.playback().state() == State::Ended);
    assert!((54.0..66.0).contains(&all), "{all}");
}

#[test]
fn plus_and_minus_double_and_halve_the_speed() {
    let mut view = view(PLAY);
    feed_all(&mut view);
    assert_eq!(view.model().now(), Instant::ZERO, "all events are there, none is shown");
    view.advance(SECOND);
    assert_eq!(view.playback().state(), State::Playing);
    for _ in 0..3 {
        view.act(Action::Forward);
    }
    // In the first contact, where frames cross all the time.
    let now = |view: &LiveView| view.model().now().as_secs_f64();
    let speed = view.playback().speed();
    let (mut before, mut moved) = (now(&view), Vec::new());
    for action in [Action::Other, Action::Faster, Action::Slower, Action::Slower, Action::Pause] {
        view.act(action);
        assert_eq!(view.advance(SECOND).1, action != Action::Pause);
        moved.push((now(&view) - before) / speed);
        before = now(&view);
    }
    let expected = [1.0, 2.0, 1.0, 0.5, 0.0];
    assert!(moved.iter().zip(expected).all(|(moved, expected)| (moved - expected).abs() < 1e-6), "{moved:?}");
}

#[test]
fn many_small_steps_and_one_large_one_show_the_same() {
    let (mut small, mut large) = (view(PLAY), view(PLAY));
    feed_all(&mut small);
    feed_all(&mut large);
    for _ in 0..1000 {
        small.advance(Duration::from_millis(20));
    }
    large.advance(20 * SECOND);
    // Every step ends on a whole nanosecond.
    let apart = (small.model().now() - large.model().now()).as_nanos().abs();
    assert!(apart <= 1000 * 40, "{apart} ns");
    assert_eq!(frames(&small), frames(&large));
    assert!(frames(&small)[0].0 > 1000, "{:?}", frames(&small));
}

#[test]
fn seeking_back_shows_what_was_shown_before() {
    let mut view = view(PLAY);
    feed_all(&mut view);
    view.advance(15 * SECOND);
    let start = view.model().now();
    let (then, log) = (frames(&view), view.model().log().cloned().collect::<Vec<_>>());
    view.act(Action::Pause);
    for _ in 0..5 {
        view.act(Action::Forward);
    }
    assert_eq!(view.model().now(), start + farlink_units::Duration::from_secs(600));
    assert_ne!(frames(&view), then);
    for _ in 0..5 {
        view.act(Action::Back);
    }
    assert_eq!(view.model().now(), start);
    assert_eq!(frames(&view), then);
    assert_eq!(view.model().log().cloned().collect::<Vec<_>>(), log);
    view.act(Action::Start);
    view.act(Action::Back);
    assert_eq!(view.model().now(), Instant::ZERO);
    assert!(frames(&view).iter().all(|counts| *counts == (0, 0, 0)));
}

#[test]
fn the_playhead_waits_for_a_slow_simulation() {
    let mut view = view(PLAY);
    let (early, late): (Vec<_>, Vec<_>) = made_up::events().into_iter().partition(|s| s.at < minute(10.0));
    let known_to = early.last().unwrap().at;
    early.into_iter().for_each(|stamped| view.feed(stamped));
    view.advance(60 * SECOND);
    assert_eq!(view.model().now(), known_to, "never beyond what is known");
    assert_eq!(view.playback().state(), State::Waiting);
    view.act(Action::End);
    assert_eq!(view.model().now(), known_to);
    assert_eq!(view.outcome(), Outcome::Interrupted, "leaving now would stop the run");
    late.into_iter().for_each(|stamped| view.feed(stamped));
    assert_eq!(view.playback().state(), State::Playing);
    assert_eq!(view.outcome(), Outcome::Finished);
    view.act(Action::End);
    assert_eq!(view.playback().state(), State::Ended);
    assert_eq!(view.model().now(), minute(40.0));
}

#[test]
fn it_leaves_five_seconds_after_the_end_if_nobody_is_there() {
    let mut view = view(PLAY);
    feed_all(&mut view);
    // A little more than the span, which the speeds make out to within a rounding.
    assert_eq!(view.advance(61 * SECOND).0, Flow::Stay);
    assert_eq!(view.playback().state(), State::Ended);
    // The step that reaches the end does not count.
    assert_eq!(view.playback().farewell(), Some(5 * SECOND));
    for _ in 0..4 {
        assert_eq!(view.advance(SECOND).0, Flow::Stay);
    }
    assert_eq!(view.advance(SECOND).0, Flow::Leave);
}

#[test]
fn any_key_keeps_it() {
    for (when, action) in [(10, Action::Faster), (62, Action::Other)] {
        let mut view = view(PLAY);
        feed_all(&mut view);
        for second in 0..300 {
            if second == when {
                assert_eq!(view.act(action), Flow::Stay);
            }
            assert_eq!(view.advance(SECOND).0, Flow::Stay, "after {second} s, key at {when}");
        }
        assert_eq!(view.act(Action::Quit), Flow::Leave);
        assert_eq!(view.outcome(), Outcome::Finished);
    }
}

#[test]
fn follow_shows_events_at_once_and_keeps_the_clock_going() {
    let mut header = made_up::header();
    header.clock = "wall:10".into();
    let mut view = LiveView::new(&header, Pace::Follow);
    let events = made_up::events();
    events.iter().take(100).cloned().for_each(|stamped| view.feed(stamped));
    let last = events[99].at;
    assert_eq!(view.model().now(), last);
    assert_eq!(view.playback().state(), State::Live);
    assert_eq!(view.playback().quiet(), None);
    view.advance(3 * SECOND);
    assert_eq!(view.model().now(), last + farlink_units::Duration::from_secs(30));
    assert_eq!(view.playback().quiet(), Some(3 * SECOND), "silence is told");
    view.act(Action::Back);
    assert_eq!(view.model().now(), last + farlink_units::Duration::from_secs(30), "the present cannot be sought in");
    view.feed(Stamped { at: minute(3.0), event: Event::Ended { interrupted: true } });
    assert_eq!(view.playback().state(), State::Ended);
    assert_eq!(view.outcome(), Outcome::Finished);
}

#[test]
fn the_clock_of_follow_stops_at_the_end_of_the_scenario() {
    let mut view = view(Pace::Follow);
    view.advance(100_000 * SECOND);
    assert_eq!(view.model().now(), minute(40.0));
}

#[test]
fn events_that_stop_without_an_end_close_the_view() {
    let mut failed = view(PLAY);
    made_up::events().into_iter().take(100).for_each(|stamped| failed.feed(stamped));
    assert_eq!(failed.close(), Flow::Leave);
    let mut ended = view(PLAY);
    feed_all(&mut ended);
    assert_eq!(ended.close(), Flow::Stay);
}
