//! What stands on the screen, compared whole.

mod made_up;

use std::time::Duration;

use farlink_dashboards::keys::Action;
use farlink_dashboards::{LiveView, Pace, screen};
use farlink_record::{ChannelId, ChannelInfo, Event, Header, LossCause, NodeId, NodeInfo, Stamped, TrafficInfo};
use farlink_units::Instant;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const SPAN: Duration = Duration::from_secs(60);

/// The made-up run, played back for so long.
fn played(seconds: f64) -> LiveView {
    let mut view = LiveView::new(&made_up::header(), Pace::Play { span: SPAN });
    made_up::events().into_iter().for_each(|stamped| view.feed(stamped));
    view.advance(Duration::from_secs_f64(seconds));
    view
}

fn draw(view: &LiveView, width: u16, height: u16) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen::draw(frame, view.model(), view.playback())).unwrap();
    terminal.backend().clone()
}

fn lines(view: &LiveView, width: u16, height: u16) -> String {
    let screen = draw(view, width, height).to_string();
    screen.lines().map(|line| line.trim_matches('"').trim_end().to_owned() + "\n").collect()
}

#[test]
fn first_contact_at_80x24() {
    insta::assert_snapshot!(lines(&played(15.0), 80, 24));
}

#[test]
fn first_contact_at_120x40() {
    insta::assert_snapshot!(lines(&played(15.0), 120, 40));
}

#[test]
fn colours_at_80x24() {
    // The buffer's own description: every letter, and every change of style.
    insta::assert_snapshot!(format!("{:?}", draw(&played(21.0), 80, 24).buffer()));
}

#[test]
fn before_the_first_event() {
    let view = LiveView::new(&made_up::header(), Pace::Play { span: SPAN });
    insta::assert_snapshot!(lines(&view, 120, 30));
}

#[test]
fn the_end_at_120x40() {
    let mut view = played(60.0);
    view.advance(Duration::from_secs(1));
    insta::assert_snapshot!(lines(&view, 120, 40));
}

/// Frames that are erased or meet a silent channel are as lost as others.
#[test]
fn rare_causes_of_loss_are_told_at_every_width() {
    let mut view = played(60.0);
    assert!(!lines(&view, 160, 40).contains("erased"), "no column for what did not happen");
    let last = made_up::events().last().unwrap().at;
    for (frame, cause) in [(9001, LossCause::Erased), (9002, LossCause::NoRate)] {
        let channel = ChannelId(0);
        view.feed(Stamped { at: last, event: Event::FrameSent { channel, frame, bytes: 100, start: last } });
        view.feed(Stamped { at: last, event: Event::FrameLost { channel, frame, bytes: 100, cause } });
    }
    view.advance(Duration::from_secs(1));
    let wide = lines(&view, 160, 40);
    assert!(wide.contains("no rate") && wide.contains("erased"), "{wide}");
    // Where the columns have no room, the causes stand there in words.
    assert!(!lines(&view, 120, 40).contains("lost: no contact"));
}

#[test]
fn help_at_80x24() {
    let mut view = played(15.0);
    view.act(Action::Help);
    insta::assert_snapshot!(lines(&view, 80, 24));
}

#[test]
fn smallest_and_too_small() {
    insta::assert_snapshot!(lines(&played(15.0), 60, 15));
    let too_small = lines(&played(15.0), 59, 15);
    assert!(too_small.contains("59 columns and 15 lines"), "{too_small}");
    let too_small = lines(&played(15.0), 60, 14);
    assert!(too_small.contains("60 columns and 14 lines"), "{too_small}");
}

#[test]
fn what_is_under_way_is_seen_on_its_way() {
    let mut view = LiveView::new(&made_up::header(), Pace::Follow);
    let at = Instant::from_secs_f64;
    let (there, back) = (ChannelId(2), ChannelId(3));
    let light_time = farlink_units::Duration::from_secs(100).into();
    for channel in [there, back] {
        let event = Event::ContactOpened { channel, until: at(50.0), light_time };
        view.feed(Stamped { at: at(0.0), event });
    }
    // Both ends transmit for ten seconds, the far one a second time once its contact is nearly over.
    for (channel, start, bytes) in [(there, 0.0, 2_500_000), (back, 0.0, 20_000), (back, 45.0, 2_000)] {
        let start = at(start);
        view.feed(Stamped { at: start, event: Event::FrameSent { channel, frame: 0, bytes, start } });
    }
    view.feed(Stamped { at: at(50.0), event: Event::ContactClosed { channel: back } });
    let mut arrows = String::new();
    for _ in 0..4 {
        let screen = lines(&view, 120, 30);
        arrows.extend([screen.lines().next().unwrap(), "\n"]);
        arrows.extend(screen.lines().skip(3).take(2).flat_map(|line| [line, "\n"]));
        view.advance(Duration::from_secs(15));
    }
    insta::assert_snapshot!(arrows);
}

#[test]
fn a_frozen_view_stands_while_the_run_goes_on() {
    let mut view = LiveView::new(&made_up::header(), Pace::Follow);
    let mut events = made_up::events().into_iter();
    events.by_ref().take(5000).for_each(|stamped| view.feed(stamped));
    view.act(Action::Pause);
    let frozen = lines(&view, 120, 40);
    assert!(frozen.contains("frozen, the run goes on"), "{frozen}");
    events.by_ref().take(5000).for_each(|stamped| view.feed(stamped));
    let still: Vec<String> = lines(&view, 120, 40).lines().skip(2).map(str::to_owned).collect();
    assert_eq!(still, frozen.lines().skip(2).map(str::to_owned).collect::<Vec<_>>());
    view.act(Action::Pause);
    assert!(lines(&view, 120, 40).contains("● live"));
    assert_ne!(lines(&view, 120, 40).lines().skip(2).collect::<Vec<_>>(), still);
}

#[test]
fn every_size_of_window_and_scenario_can_be_drawn() {
    let mut star = made_up::header();
    star.nodes = (0..12).map(|i| NodeInfo { name: format!("node-{i}"), eid: format!("ipn:{i}.0") }).collect();
    star.channels = (1..12)
        .flat_map(|i| [(0, i), (i, 0)].map(|(from, to)| (i, NodeId(from), NodeId(to))))
        .map(|(i, from, to)| ChannelInfo {
            name: format!("node-{}→node-{}", from.0, to.0),
            link: format!("link-{i}"),
            from,
            to,
            ..made_up::header().channels[0].clone()
        })
        .collect();
    star.traffic =
        (0..30).map(|i| TrafficInfo { name: format!("item-{i}"), from: NodeId(1), to: NodeId(2), bytes: i }).collect();
    let bare = Header {
        nodes: vec![],
        channels: vec![],
        traffic: vec![],
        duration: Default::default(),
        epoch: "?".into(),
        ..made_up::header()
    };
    for header in [made_up::header(), star, bare] {
        for pace in [Pace::Follow, Pace::Play { span: Duration::ZERO }] {
            let mut view = LiveView::new(&header, pace);
            made_up::events().into_iter().step_by(7).for_each(|stamped| view.feed(stamped));
            view.advance(Duration::from_millis(10));
            view.act(Action::Help);
            for _ in 0..40 {
                view.act(Action::ScrollDown);
            }
            for (width, height) in [(1, 1), (60, 15), (61, 16), (79, 23), (100, 30), (200, 60), (400, 20), (60, 100)] {
                draw(&view, width, height);
            }
        }
    }
}
