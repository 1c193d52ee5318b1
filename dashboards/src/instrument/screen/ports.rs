//! The table of ports.

use farlink_record::PortNotice;
use farlink_record::instrument::PortState;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{draw_lines, table};
use crate::instrument::InstrumentView;
use crate::screen::style::{BAD, GOOD, HEADING, PLAIN, WARNING};
use crate::screen::words;

/// Draws a heading and the ports, those of the chosen channel among them.
pub fn draw(frame: &mut Frame, area: Rect, view: &InstrumentView) {
    if area.height == 0 {
        return;
    }
    let snapshot = view.model().snapshot();
    let (ports, room) = (&snapshot.ports, usize::from(area.height - 1));
    let place = |name: &String| ports.iter().position(|port| port.name == *name);
    let chosen = snapshot.channels.get(view.chosen());
    let ends = chosen.and_then(|channel| Some((place(&channel.from)?, place(&channel.to)?)));
    let focus = ends.map_or(0..0, |(from, to)| from.min(to)..from.max(to) + 1);
    let shown = table::window(ports.len(), room, focus);

    let mut heading = vec![Span::styled(table::name("Ports", &shown, ports.len()), HEADING)];
    let down = ports.iter().filter(|port| !port.up || port.failure.is_some()).count();
    if down > 0 {
        heading.push(Span::styled(format!("  {down} DOWN"), BAD));
    }
    let mut lines = vec![Line::from(heading)];
    let longest = ports.iter().map(|port| port.name.chars().count()).max().unwrap_or(0);
    let width = longest.min(usize::from(area.width) / 2);
    lines.extend(ports[shown].iter().map(|port| row(port, width, usize::from(area.width))));
    draw_lines(frame, area, lines);
}

fn row(port: &PortState, name_width: usize, width: usize) -> Line<'static> {
    let (state, style) = match (&port.failure, port.up) {
        (Some(_), _) => ("FAILED", BAD),
        (None, false) => ("DOWN", BAD),
        (None, true) => ("up", GOOD),
    };
    let name = words::fit(&port.name, name_width);
    let (text, text_style) = remarks(port);
    let room = width.saturating_sub(name_width + 10);
    Line::from(vec![
        Span::raw(format!(" {name:<name_width$} ")),
        Span::styled(format!("{state:<6} "), style),
        Span::styled(words::fit(&text, room), text_style),
    ])
}

/// What happened to a port, the worst first.
fn remarks(port: &PortState) -> (String, Style) {
    let mut parts: Vec<String> = port.failure.iter().cloned().collect();
    let mut tell = |count: u64, what: &str| {
        if count > 0 {
            parts.push(format!("{} {what}", words::count(count)));
        }
    };
    tell(port.overrun_frames, "overrun");
    tell(port.downs, "downs");
    tell(port.refused, "refused");
    tell(port.unreadable, "unreadable");
    let style = match port {
        PortState { failure: Some(_), .. } | PortState { up: false, .. } => BAD,
        _ if port.overrun_frames > 0 => BAD,
        _ if port.downs + port.refused + port.unreadable > 0 => WARNING,
        _ => PLAIN,
    };
    match &port.last {
        // The column before says it.
        Some(PortNotice::Up { detail } | PortNotice::Down { detail, .. }) if detail.is_empty() => {}
        Some(PortNotice::Up { detail }) if port.up => parts.push(detail.clone()),
        Some(PortNotice::Down { detail, .. }) if !port.up => parts.push(detail.clone()),
        Some(last) => parts.push(last.to_string()),
        None => {}
    }
    (parts.join(" · "), style)
}
