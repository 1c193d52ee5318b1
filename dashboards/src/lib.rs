//! The terminal: what happens on the links, live or played back, drawn from events alone; and the
//! instrument view of a running emulator, drawn from snapshots.
//!
//! | module | what it does |
//! |---|---|
//! | [`model`] | the state of the run at one instant, made of the events up to then |
//! | [`playback`] | which instant that is: follows the run, or moves a playhead through its events |
//! | `tempo` | how fast the playhead moves: slowly where something happens, fast where nothing does |
//! | [`keys`] | what each key does |
//! | [`screen`] | draws model and playback; holds no state |
//! | [`live`] | brings them together: keys, events and timers come in through one channel |
//! | [`instrument`] | the view of `farlink emulate`, divided likewise |
//! | `terminal` | the terminal, taken and given back |
//!
//! Only [`live`], [`instrument::live`] and `terminal` touch the terminal and the clock of the machine; the rest is told the time and can be tested without.

pub mod instrument;
pub mod keys;
pub mod live;
pub mod model;
pub mod playback;
pub mod screen;
mod tape;
mod tempo;
mod terminal;

pub use live::{LiveView, Outcome, run};
pub use playback::Pace;

/// How many columns the terminal on standard output has; `None` if there is none.
pub fn terminal_width() -> Option<usize> {
    crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0)
}
