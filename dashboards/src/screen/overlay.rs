//! What lies over the view, or stands in its place.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use crate::keys::HELP;
use crate::screen::style::BOLD;
use crate::screen::{MIN_HEIGHT, MIN_WIDTH};

/// Says that the window is too small.
pub fn too_small(frame: &mut Frame, area: Rect) {
    let text = format!(
        "This window has {} columns and {} lines; the view needs {MIN_WIDTH} and {MIN_HEIGHT}. Make it larger, or press q.",
        area.width, area.height
    );
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
}

/// Lists the keys and explains the signs.
pub fn help(frame: &mut Frame, area: Rect) {
    let signs = [" ══▶ open   ┄┄▶ closed   ● under way", " ━ contact  ╍ for a part of the cell  · none  ┃ now"];
    keys(frame, area, &HELP, &signs);
}

/// Lists keys, and other lines below.
pub fn keys(frame: &mut Frame, area: Rect, keys: &[(&str, &str)], signs: &[&'static str]) {
    let mut lines: Vec<Line> = keys.iter().map(|(key, what)| Line::from(format!(" {key:<12} {what}"))).collect();
    if !signs.is_empty() {
        lines.push(Line::default());
        lines.extend(signs.iter().map(|line| Line::from(*line)));
    }
    let (width, height) = (56, lines.len() as u16 + 2);
    let at = Rect {
        x: area.x + area.width.saturating_sub(width) / 2,
        y: area.y + area.height.saturating_sub(height) / 2,
        width: width.min(area.width),
        height: height.min(area.height),
    };
    let block = Block::bordered().title(Line::from(" Keys ").style(BOLD).alignment(Alignment::Center));
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(Text::from(lines)).block(block), at);
}
