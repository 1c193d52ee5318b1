//! The terminal, taken and given back, and what is typed at it; both views use it.

use std::io::{self, IsTerminal};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration as Span;

use crossterm::event::{self, KeyEvent};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, enable_raw_mode, is_raw_mode_enabled};
use ratatui::backend::CrosstermBackend;
use ratatui::{DefaultTerminal, Frame};

/// How often the thread that reads keys looks whether it is still needed.
const POLL: Span = Span::from_millis(50);

/// What comes from the terminal.
pub enum Typed {
    Key(KeyEvent),
    Resized,
    /// The terminal cannot be read any more.
    Failed(io::Error),
}

/// Brings keys from the terminal to a view, until `done` is set or `send` says that nobody takes them any more.
pub fn forward_keys(send: impl Fn(Typed) -> bool, done: &AtomicBool) {
    while !done.load(Ordering::SeqCst) {
        let next = match event::poll(POLL) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let typed = match next {
            Ok(event::Event::Key(key)) => Typed::Key(key),
            Ok(event::Event::Resize(..)) => Typed::Resized,
            Ok(_) => continue,
            Err(error) => Typed::Failed(error),
        };
        let failed = matches!(typed, Typed::Failed(_));
        if !send(typed) || failed {
            return;
        }
    }
}

/// Sets a flag on every way out.
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The terminal in raw mode on its alternate screen, given back when dropped.
pub struct Terminal(DefaultTerminal);

impl Terminal {
    /// Takes the terminal on standard output.
    ///
    /// # Errors
    /// There is none, or it refuses.
    pub fn open() -> io::Result<Self> {
        if !io::stdout().is_terminal() {
            let message = "the live view needs a terminal, and the standard output is none";
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        tell_panics_on_the_main_screen();
        let enter = || {
            enable_raw_mode()?;
            execute!(io::stdout(), EnterAlternateScreen)?;
            ratatui::Terminal::new(CrosstermBackend::new(io::stdout()))
        };
        match enter() {
            Ok(terminal) => Ok(Terminal(terminal)),
            Err(error) => {
                // It may have failed halfway.
                let _ = give_back();
                Err(error)
            }
        }
    }

    /// Draws, unless a panic in another thread has given the terminal back behind our back, to tell of itself.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        if is_ours() { self.0.draw(draw).map(|_| ()) } else { Ok(()) }
    }

    /// Gives it back and tells what goes wrong with that; dropping gives it back as well.
    pub fn close(mut self) -> io::Result<()> {
        give_back()?;
        self.0.show_cursor()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Errors cannot be told from here, and `close` has told them.
        let _ = give_back();
        let _ = self.0.show_cursor();
    }
}

/// Whether the terminal is a view's.
fn is_ours() -> bool {
    is_raw_mode_enabled().unwrap_or(false)
}

/// Gives the terminal back, once: to leave the alternate screen twice would put the cursor back to where it was before the
/// view, on top of what has been written since.
fn give_back() -> io::Result<()> {
    if is_ours() { ratatui::try_restore() } else { Ok(()) }
}

/// Sets a panic hook that gives the terminal back before the panic is told. Ratatui's own would do so even long after.
fn tell_panics_on_the_main_screen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let _ = give_back();
            tell(panic);
        }));
    });
}
