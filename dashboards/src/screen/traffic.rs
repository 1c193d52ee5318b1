//! The traffic: how much of each item is where.

use farlink_units::Instant;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::{Model, Progress, Traffic};
use crate::screen::style::{BAD, BOLD, DIM, GOOD, HEADING, OPEN, PLAIN};
use crate::screen::words::{self, Clock};

/// From this width on, states are written out.
const WIDE: u16 = 110;
const STATE_LEAST: usize = 16;
const BAR_MOST: usize = 24;
const BAR_LEAST: usize = 3;
/// As in ` 100%`.
const PER_CENT: usize = 5;
const GAP: usize = 2;

/// Draws a heading and as many items as there is room for.
pub fn draw(frame: &mut Frame, area: Rect, model: &Model, clock: Clock) {
    if area.height == 0 {
        return;
    }
    let room = usize::from(area.height - 1);
    let hidden = model.traffic().len().saturating_sub(room);
    let mut heading = vec![Span::styled(" Traffic", HEADING)];
    if hidden > 0 {
        heading.push(Span::styled(format!("  {hidden} more than fit"), DIM));
    }
    frame.render_widget(Line::from(heading), Rect { height: 1, ..area });

    let names = model.header().traffic.iter().map(|item| item.name.chars().count()).max().unwrap_or(0);
    let names = names.min(usize::from(area.width) / 5);
    let shown: Vec<_> = model.header().traffic.iter().zip(model.traffic()).take(room).collect();
    let states: Vec<(String, Style)> =
        shown.iter().map(|(_, item)| state(model, item, clock, area.width >= WIDE)).collect();
    // Never narrower than the usual states, or the bars would jump when an item gets on.
    let states_width = states.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0).max(STATE_LEAST);
    let stages_width = usize::from(area.width).saturating_sub(names + 13 + states_width + 1);
    for (line, ((info, item), (text, style))) in shown.into_iter().zip(states).enumerate() {
        let mut spans = vec![
            Span::styled(format!(" {:<names$}", words::fit(&info.name, names)), BOLD),
            Span::raw(format!(" {:>9}  ", words::bytes(info.bytes))),
        ];
        spans.extend(stages(model, item, info.bytes, stages_width));
        let used: usize = spans.iter().map(Span::width).sum();
        let room = usize::from(area.width).saturating_sub(used + 1);
        spans.push(Span::styled(words::fit(&text, room), style));
        frame.render_widget(Line::from(spans), Rect { y: area.y + 1 + line as u16, height: 1, ..area });
    }
}

/// For each node a name, a bar and a percentage; without the bars where they would be too narrow, and where even that does
/// not fit, the destination alone.
fn stages<'a>(model: &Model, item: &Traffic, total: u64, width: usize) -> Vec<Span<'a>> {
    let count = item.stages.len();
    let names: usize = item.stages.iter().map(|stage| model.node_name(stage.node).chars().count()).sum();
    let without_bars = width.saturating_sub(names + count * (PER_CENT + GAP));
    let bar = (without_bars / count.max(1)).saturating_sub(1).min(BAR_MOST);
    let all_fit = names + count * (PER_CENT + GAP) <= width;
    let shown = if all_fit { &item.stages[..] } else { &item.stages[count.saturating_sub(1)..] };
    let mut spans = Vec::new();
    for stage in shown {
        let part = if total == 0 { f64::from(stage.bytes() > 0) } else { stage.bytes() as f64 / total as f64 };
        let part = part.min(1.0);
        let style = if part >= 1.0 { GOOD } else { PLAIN };
        spans.push(Span::raw(words::fit(model.node_name(stage.node), width.saturating_sub(PER_CENT + GAP))));
        if bar >= BAR_LEAST {
            let full = (part * bar as f64) as usize;
            spans.push(Span::raw(" "));
            spans.push(Span::styled("█".repeat(full), style));
            spans.push(Span::styled("░".repeat(bar - full), DIM));
        }
        // Rounded down: 100 % means all of it.
        spans.push(Span::styled(format!("{:>4}%  ", (part * 100.0).floor()), style));
    }
    spans
}

fn state(model: &Model, item: &Traffic, clock: Clock, wide: bool) -> (String, Style) {
    let source = item.stages.first().map_or("?", |stage| model.node_name(stage.node));
    let (mut text, style) = match item.progress() {
        Progress::Waiting => ("waiting".to_owned(), DIM),
        Progress::Stored if wide => (format!("stored at {source}"), PLAIN),
        Progress::Stored => ("stored".to_owned(), PLAIN),
        Progress::Crossing => ("crossing".to_owned(), OPEN),
        Progress::Arrived(arrival) => {
            let (word, style) = if arrival.intact { ("intact", GOOD) } else { ("DAMAGED", BAD) };
            (arrived(word, arrival.at, clock, wide), style)
        }
    };
    if item.dropped > 0 && !matches!(item.progress(), Progress::Arrived(_)) {
        text.push_str(&format!(", {} dropped", words::count(item.dropped)));
        return (text, BAD);
    }
    if !item.reports.is_empty() {
        let asserted: Vec<&str> = item.reports.iter().map(String::as_str).collect();
        text.push_str(&if wide { format!(", reported {}", asserted.join(", ")) } else { ", reported".to_owned() });
    }
    (text, style)
}

fn arrived(word: &str, at: Instant, clock: Clock, wide: bool) -> String {
    if wide { format!("arrived {word} {}", clock.write(at)) } else { word.to_owned() }
}
