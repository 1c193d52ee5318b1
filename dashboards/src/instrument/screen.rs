//! Draws the view. Pure: the same state always makes the same screen.
//!
//! Every section has a part that says what to show (its rows, as plain values) and a part that draws it, and gets the room
//! that `layout` gives it.

mod channels;
mod footer;
mod lateness;
mod layout;
mod ports;
mod table;
mod title;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{HELP, InstrumentView};
use crate::screen::style::{DIM, HEADING};
use crate::screen::words::{self, Clock};
use crate::screen::{MIN_HEIGHT, MIN_WIDTH, notices, overlay};

/// How instants are written.
const CLOCK: Clock = Clock::Seconds;

/// Draws the whole screen.
pub fn draw(frame: &mut Frame, view: &InstrumentView) {
    let area = frame.area();
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        overlay::too_small(frame, area);
        return;
    }
    let snapshot = view.model().snapshot();
    let alerts = title::alerts(view);
    let store = title::store(view, area.width);
    let footer = footer::lines(view, usize::from(area.width));
    let channels = channels::rows(view, usize::from(area.width));
    let areas = layout::split(
        area,
        layout::Wants {
            alerts: alerts.len(),
            ports: snapshot.ports.len(),
            channels: channels.len(),
            lateness: snapshot.channels.len(),
            store: store.len(),
            footer: footer.len(),
        },
    );
    title::draw(frame, areas.title, view);
    draw_lines(frame, areas.alerts, alerts);
    ports::draw(frame, areas.ports, view);
    channels::draw(frame, areas.channels, view, channels);
    lateness::draw(frame, areas.lateness, view);
    draw_lines(frame, areas.store, store);
    draw_log(frame, areas.log, view);
    draw_lines(frame, areas.footer, footer);
    if view.help() {
        overlay::keys(frame, area, &HELP, &[]);
    }
}

/// Draws lines as far as there is room.
fn draw_lines(frame: &mut Frame, area: Rect, lines: Vec<Line>) {
    for (at, line) in (0..area.height).zip(lines) {
        frame.render_widget(line, Rect { y: area.y + at, height: 1, ..area });
    }
}

/// Draws the last notices, the newest at the bottom.
fn draw_log(frame: &mut Frame, area: Rect, view: &InstrumentView) {
    if area.height == 0 {
        return;
    }
    let model = view.model();
    let mut heading = vec![Span::styled(" Notices", HEADING)];
    if model.missed() > 0 {
        let missed = words::count(model.missed());
        heading.push(Span::styled(format!("  {missed} more came faster than this view looks"), DIM));
    }
    let mut lines = vec![Line::from(heading)];
    let skip = model.notices().len().saturating_sub(usize::from(area.height - 1));
    for notice in model.notices().skip(skip) {
        let time = format!(" {}  ", CLOCK.write(notice.at));
        let (mut text, style) =
            notices::describe(&notice.event, |channel| model.channel_name(channel), CLOCK).unwrap_or_default();
        if notice.times > 1 {
            text = format!("{} times until {}: {text}", words::count(notice.times), CLOCK.write(notice.last));
        }
        let width = usize::from(area.width).saturating_sub(time.chars().count() + 1);
        lines.push(Line::from(vec![Span::styled(time, DIM), Span::styled(words::fit(&text, width), style)]));
    }
    draw_lines(frame, area, lines);
}
