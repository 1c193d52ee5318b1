//! The table of lateness: how late frames left, against when they were due, and why.

use farlink_record::instrument::ChannelState;
use farlink_units::Duration;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{draw_lines, table};
use crate::instrument::{Facts, InstrumentView};
use crate::screen::style::{BAD, DIM, HEADING, PLAIN};
use crate::screen::words;

const COLUMN: usize = 8;
/// The widest that names get.
const NAME: usize = 20;

/// Draws a heading and the channels, the chosen one among them.
pub fn draw(frame: &mut Frame, area: Rect, view: &InstrumentView) {
    if area.height == 0 {
        return;
    }
    let channels = &view.model().snapshot().channels;
    let room = usize::from(area.height - 1);
    let chosen = view.chosen();
    let shown = table::window(channels.len(), room, chosen..chosen + 1);
    let longest = channels.iter().map(|channel| channel.name.chars().count()).max().unwrap_or(0);
    let name_width = longest.clamp("Lateness".len(), NAME).min(usize::from(area.width) / 5);

    let over: String = ["p50", "p99", "p99.9", "max"].map(|name| format!(" {name:>COLUMN$}")).concat();
    let left = usize::from(area.width).saturating_sub(1 + name_width + over.chars().count());
    let mut heading = vec![
        Span::styled(format!(" {:<name_width$}", "Lateness"), HEADING),
        Span::styled(over, DIM),
        Span::styled(words::fit(&format!("  {}", tolerated(view.facts())), left), DIM),
    ];
    let late = channels.iter().filter(|channel| is_late(view.facts(), channel)).count();
    if late > 0 {
        heading[2] = Span::styled(words::fit(&format!("  {late} TOO LATE {}", tolerated(view.facts())), left), BAD);
    }
    let mut lines = vec![Line::from(heading)];
    lines.extend(channels[shown].iter().map(|channel| row(view.facts(), channel, name_width, usize::from(area.width))));
    draw_lines(frame, area, lines);
}

fn row(facts: &Facts, channel: &ChannelState, name_width: usize, width: usize) -> Line<'static> {
    let name = words::fit(&channel.name, name_width);
    let mut spans = vec![Span::raw(format!(" {name:<name_width$}"))];
    let timing = channel.lateness;
    if timing.samples == 0 {
        spans.push(Span::styled("  no frame has left yet", DIM));
        return Line::from(spans);
    }
    let beyond = |limit: Option<Duration>, ns: u64| limit.is_some_and(|limit| nanos(ns) > limit);
    let columns = [
        (timing.p50_ns, false),
        (timing.p99_ns, beyond(facts.tolerated_p99, timing.p99_ns)),
        (timing.p999_ns, false),
        (timing.max_ns, beyond(facts.tolerated_max, timing.max_ns)),
    ];
    for (ns, is_beyond) in columns {
        let style: Style = if is_beyond { BAD } else { PLAIN };
        spans.push(Span::styled(format!(" {:>COLUMN$}", words::light_time(nanos(ns))), style));
    }
    let mut why: Vec<String> = Vec::new();
    if is_late(facts, channel) {
        why.push("TOO LATE".to_owned());
    }
    why.extend(
        channel.late_because.iter().map(|late| format!("{} {}", words::count(late.frames), late.cause.as_str())),
    );
    let style = if is_late(facts, channel) { BAD } else { DIM };
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::styled(words::fit(&format!("  {}", why.join(", ")), width.saturating_sub(used)), style));
    Line::from(spans)
}

fn nanos(ns: u64) -> Duration {
    Duration::from_nanos(i64::try_from(ns).unwrap_or(i64::MAX))
}

fn is_late(facts: &Facts, channel: &ChannelState) -> bool {
    let timing = &channel.lateness;
    facts.tolerated_p99.is_some_and(|limit| nanos(timing.p99_ns) > limit)
        || facts.tolerated_max.is_some_and(|limit| nanos(timing.max_ns) > limit)
}

/// The tolerance in words.
fn tolerated(facts: &Facts) -> String {
    let limits = [("p99", facts.tolerated_p99), ("max", facts.tolerated_max)];
    let told = limits.iter().filter_map(|(what, limit)| Some(format!("{what} {}", words::light_time((*limit)?))));
    let told: Vec<String> = told.collect();
    if told.is_empty() { String::new() } else { format!("(tolerated: {})", told.join(", ")) }
}
