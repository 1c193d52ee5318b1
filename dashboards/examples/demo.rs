//! Shows the view with a made-up run: a lander, an orbiter and a station, with every kind of event.
//!
//! ```text
//! cargo run -p farlink-dashboards --example demo            plays 40 minutes back in 60 seconds
//! cargo run -p farlink-dashboards --example demo -- 20      … in 20 seconds
//! cargo run -p farlink-dashboards --example demo -- live    follows it as a wall clock run, 60 times as fast
//! cargo run -p farlink-dashboards --example demo -- print   prints the screen at half time, 120 columns by 40 lines;
//!                                                           three numbers set columns, lines, seconds
//! ```

#[path = "../tests/made_up/mod.rs"]
mod made_up;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use farlink_dashboards::{LiveView, Pace, run, screen};
use farlink_record::{Event, Header, Stamped};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const LIVE_SPEED: f64 = 60.0;

fn main() -> io::Result<()> {
    let mut header = made_up::header();
    let script = made_up::events();
    let argument = env::args().nth(1);
    if argument.as_deref() == Some("print") {
        let number = |place| env::args().nth(place).and_then(|text| text.parse().ok());
        return print(&header, script, number(2).unwrap_or(120), number(3).unwrap_or(40), number(4).unwrap_or(30));
    }
    let live = argument.as_deref() == Some("live");
    let span = argument.and_then(|text| text.parse().ok()).unwrap_or(60);
    let pace = if live { Pace::Follow } else { Pace::Play { span: Duration::from_secs(span) } };
    if live {
        header.clock = format!("wall:{LIVE_SPEED}");
    }
    let stop = AtomicBool::new(false);
    let (sender, events) = mpsc::channel();
    let outcome = thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || simulate(script, sender, live, stop));
        run(&header, events, pace, stop)
    })?;
    println!("{outcome:?}");
    Ok(())
}

/// Sends the script, with `live` at the pace of a clock; ends early if told to stop, as a real run does.
fn simulate(script: Vec<Stamped>, sender: Sender<Stamped>, live: bool, stop: &AtomicBool) {
    let begin = Instant::now();
    for stamped in script {
        let due = begin + Duration::from_secs_f64(stamped.at.as_secs_f64() / LIVE_SPEED);
        while live && Instant::now() < due && !stop.load(Ordering::SeqCst) {
            thread::sleep(due.saturating_duration_since(Instant::now()).min(Duration::from_millis(20)));
        }
        if stop.load(Ordering::SeqCst) {
            let _ = sender.send(Stamped { at: stamped.at, event: Event::Ended { interrupted: true } });
            return;
        }
        if sender.send(stamped).is_err() {
            return;
        }
    }
}

fn print(header: &Header, script: Vec<Stamped>, width: u16, height: u16, after: u16) -> io::Result<()> {
    let span = Duration::from_secs(60);
    let mut view = LiveView::new(header, Pace::Play { span });
    script.into_iter().for_each(|stamped| view.feed(stamped));
    view.advance(Duration::from_secs(after.into()));
    let mut terminal = Terminal::new(TestBackend::new(width, height)).map_err(io::Error::other)?;
    terminal.draw(|frame| screen::draw(frame, view.model(), view.playback())).map_err(io::Error::other)?;
    for line in terminal.backend().to_string().lines() {
        println!("{}", line.trim_matches('"').trim_end());
    }
    Ok(())
}
