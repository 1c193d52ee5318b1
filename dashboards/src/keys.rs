//! What each key does.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop or go on.
    Pause,
    /// Twice as fast.
    Faster,
    /// Half as fast.
    Slower,
    /// A step back.
    Back,
    /// A step on.
    Forward,
    /// To the start.
    Start,
    /// To the end.
    End,
    /// Show channels further up.
    ScrollUp,
    /// Show channels further down.
    ScrollDown,
    /// Show or hide the help.
    Help,
    /// Hide what lies over the view.
    Dismiss,
    /// Leave.
    Quit,
    /// A key that does nothing but shows that someone is there.
    Other,
}

/// What a key asks for; `None` when it is let go of.
pub fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        // Raw mode keeps the terminal from turning Ctrl-C into a signal.
        KeyCode::Char('c') if control => Action::Quit,
        KeyCode::Char(_) if control => Action::Other,
        KeyCode::Char(' ') => Action::Pause,
        KeyCode::Char('+' | '=') => Action::Faster,
        KeyCode::Char('-' | '_') => Action::Slower,
        KeyCode::Left => Action::Back,
        KeyCode::Right => Action::Forward,
        KeyCode::Home => Action::Start,
        KeyCode::End => Action::End,
        KeyCode::Up => Action::ScrollUp,
        KeyCode::Down => Action::ScrollDown,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => Action::Help,
        KeyCode::Esc => Action::Dismiss,
        KeyCode::Char('q' | 'Q') => Action::Quit,
        _ => Action::Other,
    })
}

/// The keys as the help lists them.
pub const HELP: [(&str, &str); 8] = [
    ("space", "pause, go on"),
    ("+  -", "twice, half as fast"),
    ("left  right", "a twentieth of the scenario back, on"),
    ("Home  End", "to the start, to the end"),
    ("up  down", "scroll the channels"),
    ("?", "this help"),
    ("Esc", "hide the help"),
    ("q  Ctrl-C", "leave; a run that goes on is stopped"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_c_leaves_but_c_does_not() {
        let press = |code, modifiers| action(KeyEvent::new(code, modifiers));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::NONE), Some(Action::Other));
        assert_eq!(press(KeyCode::Char('q'), KeyModifiers::NONE), Some(Action::Quit));
        assert_eq!(press(KeyCode::Char('q'), KeyModifiers::CONTROL), Some(Action::Other));
    }

    #[test]
    fn letting_go_of_a_key_does_nothing() {
        let mut key = KeyEvent::new(KeyCode::Char(' '), KeyModifiers::NONE);
        assert_eq!(action(key), Some(Action::Pause));
        key.kind = KeyEventKind::Release;
        assert_eq!(action(key), None);
    }
}
