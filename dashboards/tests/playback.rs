//! The playhead, with made-up time.

mod made_up;

use std::time::Duration;

use farlink_dashboards::keys::Action;
use farlink_dashboards::live::Flow;
use farlink_dashboards::playback::State;
use farlink_dashboards::{LiveView, Outcome, Pace};
use farlink_record::{Event, Stamped};
use farlink_units::Instant;

/// 40 minutes in 60 seconds: 40 times as fast.
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

#[test]
fn the_playhead_moves_at_its_own_speed() {
    let mut view = view(PLAY);
    feed_all(&mut view);
    assert_eq!(view.model().now(), Instant::ZERO, "all events are there, none is shown");
    view.advance(15 * SECOND);
    assert_eq!(view.model().now(), minute(10.0));
    assert_eq!(view.playback().state(), State::Playing);
    view.act(Action::Faster);
    view.advance(SECOND);
    assert_eq!(view.model().now(), minute(10.0) + farlink_units::Duration::from_secs(80));
    view.act(Action::Slower);
    view.act(Action::Slower);
    view.advance(SECOND);
    assert_eq!(view.model().now(), minute(10.0) + farlink_units::Duration::from_secs(100));
    view.act(Action::Pause);
    assert!(!view.advance(SECOND).1);
    assert_eq!(view.model().now(), minute(10.0) + farlink_units::Duration::from_secs(100));
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
    assert_eq!(small.model().now(), large.model().now());
    assert_eq!(frames(&small), frames(&large));
    assert!(frames(&small)[0].0 > 1000, "{:?}", frames(&small));
}

#[test]
fn seeking_back_shows_what_was_shown_before() {
    let mut view = view(PLAY);
    feed_all(&mut view);
    view.advance(15 * SECOND);
    let (then, log) = (frames(&view), view.model().log().cloned().collect::<Vec<_>>());
    view.act(Action::Pause);
    for _ in 0..5 {
        view.act(Action::Forward);
    }
    assert_eq!(view.model().now(), minute(20.0));
    assert_ne!(frames(&view), then);
    for _ in 0..5 {
        view.act(Action::Back);
    }
    assert_eq!(view.model().now(), minute(10.0));
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
    view.advance(30 * SECOND);
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
    assert_eq!(view.advance(60 * SECOND).0, Flow::Stay);
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
