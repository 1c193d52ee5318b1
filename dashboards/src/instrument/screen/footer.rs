//! The last lines: what is being typed, why it was refused, or what can be done.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::instrument::InstrumentView;
use crate::instrument::prompt::Prompt;
use crate::screen::style::{BAD, BOLD, DIM, HEADING};
use crate::screen::words;

/// The most lines that a refusal gets.
const REFUSAL: usize = 4;
/// Where the next character goes.
const CURSOR: Style = Style::new().add_modifier(Modifier::REVERSED);

/// What stands there.
pub fn lines(view: &InstrumentView, width: usize) -> Vec<Line<'static>> {
    match (view.prompt(), view.complaint()) {
        (Some(prompt), _) => {
            let mut lines = prompt.refused().map_or_else(Vec::new, |why| refusal(why, width));
            lines.push(typing(view.addressee(), prompt, width));
            lines
        }
        (None, Some(why)) => refusal(why, width),
        (None, None) => vec![keys(view.addressee(), width)],
    }
}

fn keys(addressee: &str, width: usize) -> Line<'static> {
    const KEYS: [&str; 3] = [
        "  r rate  b BER  d delay  c contact  f fault  x restore  : order  space pause  ? help  q stop",
        "  r b d c f x change it  : order  space pause  ? help  q stop",
        "  : order  ? help  q stop",
    ];
    let whom = format!(" ↑↓ {addressee}");
    let room = width.saturating_sub(whom.chars().count());
    let keys = KEYS.into_iter().find(|keys| keys.chars().count() <= room);
    Line::from(vec![Span::raw(words::fit(&whom, width)), Span::styled(keys.unwrap_or_default(), DIM)])
}

fn typing(addressee: &str, prompt: &Prompt, width: usize) -> Line<'static> {
    let whom = format!(" {} ▸ ", words::fit(addressee, width / 3));
    let room = width.saturating_sub(whom.chars().count() + 2);
    let length = prompt.text().chars().count();
    // The end is what is being typed.
    let text: String = prompt.text().chars().skip(length.saturating_sub(room)).collect();
    let left = room.saturating_sub(text.chars().count());
    Line::from(vec![
        Span::styled(whom, HEADING),
        Span::styled(text, BOLD),
        Span::styled(" ", CURSOR),
        Span::styled(words::fit(prompt.hint(), left), DIM),
    ])
}

/// The reason in as many lines as it takes, broken between words.
fn refusal(why: &str, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(4).max(1);
    let mut lines = vec![String::new()];
    for word in why.split_whitespace() {
        let last = lines.len() - 1;
        let used = lines[last].chars().count();
        if used > 0 && used + 1 + word.chars().count() > room {
            lines.push(word.to_owned());
        } else {
            lines[last] += if used > 0 { " " } else { "" };
            lines[last] += word;
        }
    }
    if lines.len() > REFUSAL {
        lines.truncate(REFUSAL);
        lines[REFUSAL - 1] += " …";
    }
    let line = |(at, text): (usize, String)| {
        let sign = if at == 0 { " ! " } else { "   " };
        Line::styled(sign.to_owned() + &words::fit(&text, room), BAD)
    };
    lines.into_iter().enumerate().map(line).collect()
}
