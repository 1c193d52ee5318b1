//! The line in which an order is typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The longest order, in characters; the longest that means something has some 150.
const LONGEST: usize = 400;

/// A line of text that ends where the next character goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    text: String,
    refused: Option<String>,
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The line is being typed.
    Going,
    /// It is whole.
    Said,
    /// It is not wanted any more.
    GivenUp,
}

impl Prompt {
    /// A line that begins so.
    pub fn new(begun: &str) -> Self {
        Prompt { text: begun.to_owned(), refused: None }
    }

    /// What has been typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why it was refused, until it is changed.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Says that what was typed cannot be done; it can be mended.
    pub fn refuse(&mut self, why: String) {
        self.refused = Some(why);
    }

    /// What may come next, where nothing of it has been typed yet.
    pub fn hint(&self) -> &'static str {
        match self.text.as_str() {
            "" => {
                "drop 2 report --skip 1 --each-session · damage · duplicate · reorder · truncate · rate · ber · delay · contact · restore"
            }
            "rate " => "256kbit/s, or none",
            "ber " => "1e-5",
            "delay " => "4s",
            "contact " => "open, closed or planned",
            _ => "",
        }
    }

    /// Takes a key.
    pub fn press(&mut self, key: KeyEvent) -> Edit {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return Edit::Said,
            KeyCode::Esc => return Edit::GivenUp,
            KeyCode::Backspace if self.text.is_empty() => return Edit::GivenUp,
            KeyCode::Backspace => {
                self.text.pop();
            }
            KeyCode::Char('u') if control => self.text.clear(),
            KeyCode::Char(c) if !control && !c.is_control() && self.text.chars().count() < LONGEST => self.text.push(c),
            _ => return Edit::Going,
        }
        self.refused = None;
        Edit::Going
    }
}
