//! The first two lines and the last: what is shown, when, how fast; how much of it; what can be done.

use std::str::FromStr;

use farlink_units::{Duration, Instant};
use hifitime::Epoch;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};

use crate::model::{Model, Progress, Traffic};
use crate::playback::{Pace, Playback, State};
use crate::screen::style::{BAD, BOLD, DIM, GOOD, HEADING, OPEN, PLAIN, WARNING};
use crate::screen::words::{self, Clock};

/// Draws the title line.
pub fn draw(frame: &mut Frame, area: Rect, model: &Model, playback: &Playback, clock: Clock) {
    let (sign, status, style) = status(playback);
    let status = Span::styled(format!("{sign} {status}"), style);
    let utc = utc(&model.header().epoch, model.now());
    let since = format!("T+{}", clock.write(model.now()));
    let times_width = utc.chars().count() + since.chars().count() + 4;
    let room = usize::from(area.width).saturating_sub(status.width() + times_width + 2);
    let name = words::fit(&model.header().scenario, room);
    let left = vec![
        Span::styled(format!(" {name}"), HEADING),
        Span::raw("  "),
        Span::raw(utc),
        Span::raw("  "),
        Span::styled(since, BOLD),
    ];
    frame.render_widget(Line::from(left), area);
    frame.render_widget(Line::from(status).alignment(Alignment::Right), area);
}

fn status(playback: &Playback) -> (&'static str, String, ratatui::style::Style) {
    let speed = words::speed(playback.speed());
    match playback.state() {
        State::Live if playback.speed() == 1.0 => ("●", "live".to_owned(), OPEN),
        State::Live => ("●", format!("live {speed}"), OPEN),
        State::Playing => ("▶", format!("playing {speed}"), OPEN),
        State::Paused if playback.pace() == Pace::Follow => ("‖", "frozen, the run goes on".to_owned(), WARNING),
        State::Paused => ("‖", format!("paused {speed}"), WARNING),
        State::Waiting => ("▷", "waiting for the run".to_owned(), WARNING),
        State::Ended => ("■", "ended".to_owned(), BOLD),
    }
}

/// The calendar time of an instant, or the epoch as it is written if that cannot be read.
fn utc(epoch: &str, now: Instant) -> String {
    let Ok(epoch) = Epoch::from_str(epoch) else { return epoch.to_owned() };
    let at = epoch + hifitime::Duration::from_truncated_nanoseconds(now.as_nanos());
    let (year, month, day, hour, minute, second, _) = at.to_gregorian_utc();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Draws how much of the scenario has been shown (`█`) and how much is known (`▒`).
pub fn draw_progress(frame: &mut Frame, area: Rect, model: &Model, playback: &Playback, clock: Clock) {
    let duration = Duration::from(model.header().duration);
    let part = |at: Instant| (at.as_secs_f64() / duration.as_secs_f64().max(1e-9)).clamp(0.0, 1.0);
    let shown = part(model.now());
    let label = format!(" {:3.0} % of {} ", (shown * 100.0).floor(), clock.write(Instant::ZERO + duration));
    let width = usize::from(area.width).saturating_sub(label.chars().count() + 1);
    let cells = |part: f64| ((part * width as f64).round() as usize).min(width);
    let done = cells(shown);
    let known = cells(part(playback.known_to())).max(done) - done;
    let line = Line::from(vec![
        Span::raw(" "),
        Span::styled("█".repeat(done), GOOD),
        Span::styled("▒".repeat(known), DIM),
        Span::styled("░".repeat(width - done - known), DIM),
        Span::styled(label, PLAIN),
    ]);
    frame.render_widget(line, area);
}

/// Draws the last line: the keys, or how it ended.
pub fn draw_footer(frame: &mut Frame, area: Rect, model: &Model, playback: &Playback, clock: Clock) {
    let line = match playback.state() {
        State::Ended => farewell(model, playback, clock, usize::from(area.width)),
        _ => {
            let keys = match playback.pace() {
                Pace::Play { .. } => "space pause  +/- speed  ←/→ seek  End  ? help  q leave",
                Pace::Follow => "space freeze  ? help  q stop the run and leave",
            };
            let mut spans = vec![Span::styled(format!(" {keys}"), DIM)];
            if let Some(quiet) = playback.quiet() {
                spans.push(Span::styled(format!("  no event for {} s", quiet.as_secs()), WARNING));
            }
            Line::from(spans)
        }
    };
    frame.render_widget(line, area);
}

fn farewell<'a>(model: &Model, playback: &Playback, clock: Clock, width: usize) -> Line<'a> {
    let (how, style) = match model.end() {
        Some(end) if end.interrupted => (format!("Interrupted {}", clock.write(end.at)), BAD),
        Some(end) => (format!("Ended {}", clock.write(end.at)), BOLD),
        None => ("Broken off without an end".to_owned(), BAD),
    };
    let all = model.traffic().len();
    let is_intact = |item: &&Traffic| matches!(item.progress(), Progress::Arrived(arrival) if arrival.intact);
    let intact = model.traffic().iter().filter(is_intact).count();
    let mut line = Line::from(Span::styled(format!(" {how}"), style));
    if all > 0 {
        let style = if intact == all { GOOD } else { BAD };
        line.push_span(Span::styled(format!(": {intact} of {all} arrived intact"), style));
    }
    let seconds = playback.farewell().map(|left| left.as_secs_f64().ceil());
    let hints = match seconds {
        Some(left) => [
            format!(". Leaves in {left} s, any key keeps it, q leaves"),
            format!(". Leaves in {left} s, any key stays"),
            format!(". {left} s"),
        ],
        None => [". q leaves, ←/→ look back", ". q leaves", ""].map(str::to_owned),
    };
    let room = width.saturating_sub(line.width());
    line.push_span(hints.into_iter().find(|hint| hint.chars().count() <= room).unwrap_or_default());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_time_follows_the_epoch() {
        let day_and_a_bit = Instant::from_nanos(86_401_500_000_000);
        assert_eq!(utc("2027-02-28T23:59:59Z", day_and_a_bit), "2027-03-02 00:00:00 UTC");
        assert_eq!(utc("some day", day_and_a_bit), "some day");
    }
}
