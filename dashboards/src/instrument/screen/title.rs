//! What concerns all channels: the title, what makes the emulator hard to trust, the delay store.

use farlink_record::instrument::{SpillState, StoreState};
use farlink_units::Duration;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::CLOCK;
use crate::instrument::InstrumentView;
use crate::screen::style::{BAD, BOLD, HEADING, OPEN, PLAIN, WARNING};
use crate::screen::words;

/// The most lines of warnings.
const ALERTS: usize = 3;

/// Draws the title line.
pub fn draw(frame: &mut Frame, area: Rect, view: &InstrumentView) {
    let snapshot = view.model().snapshot();
    let mut status = Vec::new();
    if !snapshot.disturbances.is_empty() {
        status.push(Span::styled("DISTURBED  ", BAD));
    }
    status.push(match (view.model().silent(), snapshot.paused) {
        (Some(_), _) => Span::styled("? no answer", BAD),
        (None, true) => Span::styled("‖ PAUSED", WARNING),
        (None, false) => Span::styled("● running", OPEN),
    });
    let status = Line::from(status);
    let until = view.facts().until.map_or_else(String::new, |until| format!(" of {}", CLOCK.write(until)));
    let since = format!("T+{}{until}", CLOCK.write(snapshot.at));
    let room = usize::from(area.width).saturating_sub(status.width() + since.chars().count() + 5);
    let name = words::fit(&view.facts().name, room);
    let left = vec![Span::styled(format!(" {name}"), HEADING), Span::raw("  "), Span::styled(since, BOLD)];
    frame.render_widget(Line::from(left), area);
    frame.render_widget(status.alignment(Alignment::Right), area);
}

/// What makes it hard to trust what is seen.
pub fn alerts(view: &InstrumentView) -> Vec<Line<'static>> {
    let snapshot = view.model().snapshot();
    let mut alerts: Vec<String> = view.model().silent().map(str::to_owned).into_iter().collect();
    for disturbed in &snapshot.disturbances {
        let (what, times) = (disturbed.what.as_str(), words::count(disturbed.times));
        let noun = if disturbed.times == 1 { "time" } else { "times" };
        let worst = words::light_time(Duration::from(disturbed.worst));
        alerts.push(format!("{what} {times} {noun}, at worst {worst}"));
    }
    if snapshot.unrecorded > 0 {
        let lacks = words::count(snapshot.unrecorded);
        alerts.push(format!("the recording lacks {lacks} events: its disk could not follow"));
    }
    alerts.extend(snapshot.refused.iter().map(|refused| format!("script: {refused}")));
    if alerts.len() > ALERTS {
        let more = alerts.len() - ALERTS + 1;
        alerts.truncate(ALERTS - 1);
        alerts.push(format!("and {more} more warnings: `farlink ctl snapshot` tells all"));
    }
    alerts.into_iter().map(|alert| Line::styled(format!(" ! {alert}"), BAD)).collect()
}

/// How the delay store stands.
pub fn store(view: &InstrumentView, width: u16) -> Vec<Line<'static>> {
    let Some(store) = &view.model().snapshot().store else { return Vec::new() };
    let StoreState { memory_limit_bytes: limit, memory_bytes: used, memory_peak_bytes: peak, spill } = store;
    let mut memory = format!("memory {} of {}", words::bytes(*used), words::bytes(*limit));
    if peak > used {
        memory += &format!(", at most {}", words::bytes(*peak));
    }
    if spill.is_none() {
        memory += ", no disk";
    }
    let memory = words::fit(&memory, usize::from(width).saturating_sub(14));
    // From here on little is left for frames that come.
    let style = if *used >= limit / 10 * 9 { WARNING } else { PLAIN };
    let mut lines = vec![Line::from(vec![Span::styled(" Delay store  ", HEADING), Span::styled(memory, style)])];
    if let Some(spill) = spill {
        let (text, style) = disk(spill);
        lines.push(Line::styled(words::fit(&format!("   {text}"), usize::from(width)), style));
    }
    lines
}

fn disk(spill: &SpillState) -> (String, Style) {
    let mut parts = Vec::new();
    let mut style = PLAIN;
    if spill.full {
        parts.push("DOES NOT TAKE WHAT IS WRITTEN".to_owned());
        style = BAD;
    }
    let (writes, reads) = (spill.write_failures, spill.read_failures);
    if writes > 0 || reads > 0 {
        parts.push(format!("{} writes failed, {} reads", words::count(writes), words::count(reads)));
        style = BAD;
    }
    if spill.lost.frames > 0 {
        parts.push(format!("{} frames lost by it", words::count(spill.lost.frames)));
        style = BAD;
    }
    if let Some(error) = spill.last_error.as_ref().filter(|_| style == BAD) {
        parts.push(error.clone());
    }
    parts.push(format!(
        "{} kept, {} to be written",
        words::bytes(spill.on_disk_bytes),
        words::bytes(spill.backlog_bytes)
    ));
    if spill.late_reads > 0 {
        parts.push(format!("{} late reads", words::count(spill.late_reads)));
        style = if style == PLAIN { WARNING } else { style };
    }
    parts.push(spill.directory.display().to_string());
    (format!("disk: {}", parts.join(" · ")), style)
}
