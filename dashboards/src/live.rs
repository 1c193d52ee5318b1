//! The view at the terminal: keys, events and the passing of time come in through one channel.

use std::io::{self, IsTerminal};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration as Span, Instant as Moment};

use crossterm::event::{self, KeyEvent};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, enable_raw_mode, is_raw_mode_enabled};
use farlink_record::{Header, Stamped};
use ratatui::DefaultTerminal;
use ratatui::backend::CrosstermBackend;

use crate::keys::{self, Action};
use crate::model::Model;
use crate::playback::{Pace, Playback};
use crate::screen;

/// How the view was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The run had ended.
    Finished,
    /// The user left before the run had ended: `stop` is set, and whatever made the events has let go of their channel.
    Interrupted,
}

/// The shortest time between two drawings.
const FRAME: Span = Span::from_millis(33);
/// How often the view looks up when nothing moves, for a `stop` that was set elsewhere.
const IDLE: Span = Span::from_millis(250);
/// How often the helper threads look whether they are still needed.
const POLL: Span = Span::from_millis(50);
/// How many events travel together at most.
const BATCH: usize = 4096;

/// What the view reacts to.
enum Input {
    Key(KeyEvent),
    Resized,
    Events(Vec<Stamped>),
    /// No more events will come.
    Closed,
    /// The terminal cannot be read any more.
    Failed(io::Error),
}

/// Whether the view goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Stay,
    /// It is to be left.
    Leave,
}

/// The state of the view: everything but the terminal.
#[derive(Clone, Debug)]
pub struct LiveView {
    model: Model,
    playback: Playback,
}

impl LiveView {
    /// A view that has seen nothing yet.
    pub fn new(header: &Header, pace: Pace) -> Self {
        LiveView { model: Model::new(header), playback: Playback::new(header, pace) }
    }

    /// Takes in an event of the run.
    pub fn feed(&mut self, stamped: Stamped) {
        self.playback.feed(&mut self.model, stamped);
    }

    /// Takes note that no more events will come. Without an [`Ended`](farlink_record::Event::Ended) before it, what made
    /// them has failed; its report must not wait behind this view, which is left at once.
    pub fn close(&mut self) -> Flow {
        let failed = !self.playback.run_has_ended();
        self.playback.close();
        if failed { Flow::Leave } else { Flow::Stay }
    }

    /// Does what the user asks for.
    pub fn act(&mut self, action: Action) -> Flow {
        self.playback.act(&mut self.model, action);
        if action == Action::Quit { Flow::Leave } else { Flow::Stay }
    }

    /// Lets time go by on the screen. The flag tells whether there is something new to draw.
    pub fn advance(&mut self, elapsed: Span) -> (Flow, bool) {
        let changed = self.playback.advance(&mut self.model, elapsed);
        (if self.playback.wants_to_leave() { Flow::Leave } else { Flow::Stay }, changed)
    }

    /// The state of the run at the instant shown.
    pub fn model(&self) -> &Model {
        self.playback.shown(&self.model)
    }

    /// The playhead.
    pub fn playback(&self) -> &Playback {
        &self.playback
    }

    /// What leaving now comes to.
    pub fn outcome(&self) -> Outcome {
        if self.playback.run_has_ended() { Outcome::Finished } else { Outcome::Interrupted }
    }
}

/// Shows a run until it has ended and the user has seen it, or the user leaves.
///
/// If the user leaves while the run goes on, or `stop` is set elsewhere, the terminal is given back at once, `stop` is set,
/// and the call returns once the other end of `events` has been dropped. The terminal is given back on every way out, also
/// when something panics.
///
/// # Errors
/// Whatever the terminal reports. `events` is then dropped, so that sending fails.
pub fn run(header: &Header, events: Receiver<Stamped>, pace: Pace, stop: &AtomicBool) -> io::Result<Outcome> {
    let done = Arc::new(AtomicBool::new(false));
    let drain = AtomicBool::new(false);
    let (inputs, input) = mpsc::sync_channel(64);
    thread::scope(|scope| {
        // The threads below end once this is set: it must be set on every way out.
        let _finally = SetOnDrop(&done);
        let terminal = Terminal::open()?;
        let event_inputs = inputs.clone();
        scope.spawn(|| forward_events(events, event_inputs, &done, &drain));
        let until = done.clone();
        // Nobody waits for this one: if the terminal has gone away, the read in it may never return.
        thread::spawn(move || forward_keys(inputs, &until));
        let outcome = show(terminal, header, &input, pace, stop)?;
        if outcome == Outcome::Interrupted {
            stop.store(true, Ordering::SeqCst);
            drain.store(true, Ordering::SeqCst);
        }
        // Wakes whoever waits to put an input in.
        drop(input);
        Ok(outcome)
    })
}

/// Shows the view until it is left; gives the terminal back.
fn show(
    mut terminal: Terminal,
    header: &Header,
    input: &Receiver<Input>,
    pace: Pace,
    stop: &AtomicBool,
) -> io::Result<Outcome> {
    let mut view = LiveView::new(header, pace);
    let mut last_advance = Moment::now();
    let mut next_frame = last_advance;
    let mut dirty = true;
    loop {
        let now = Moment::now();
        if dirty && now >= next_frame && is_ours() {
            terminal.0.draw(|frame| screen::draw(frame, view.model(), view.playback()))?;
            next_frame = now + FRAME;
            dirty = false;
        }
        let wait = if dirty || view.playback().is_moving() {
            next_frame.saturating_duration_since(Moment::now())
        } else {
            IDLE
        };
        let mut flow = Flow::Stay;
        match input.recv_timeout(wait) {
            Ok(Input::Key(key)) => {
                if let Some(action) = keys::action(key) {
                    flow = view.act(action);
                    dirty = true;
                }
            }
            Ok(Input::Resized) => dirty = true,
            Ok(Input::Events(events)) => {
                events.into_iter().for_each(|stamped| view.feed(stamped));
                dirty = true;
            }
            Ok(Input::Closed) => {
                flow = view.close();
                dirty = true;
            }
            Ok(Input::Failed(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => flow = Flow::Leave,
        }
        let now = Moment::now();
        let (advanced, changed) = view.advance(now - last_advance);
        last_advance = now;
        dirty |= changed;
        let stopped = stop.load(Ordering::SeqCst);
        if flow == Flow::Leave || advanced == Flow::Leave || stopped {
            terminal.close()?;
            return Ok(view.outcome());
        }
    }
}

/// Brings events from the run to the view, and swallows what comes after the view has been left.
fn forward_events(events: Receiver<Stamped>, inputs: SyncSender<Input>, done: &AtomicBool, drain: &AtomicBool) {
    let mut open = true;
    while open && !done.load(Ordering::SeqCst) {
        let first = match events.recv_timeout(POLL) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                // Fails only if the view has been left.
                let _ = inputs.send(Input::Closed);
                return;
            }
        };
        let mut batch = vec![first];
        batch.extend(events.try_iter().take(BATCH - 1));
        open = inputs.send(Input::Events(batch)).is_ok();
    }
    // The view may have been left a moment ago without having said yet how.
    while !done.load(Ordering::SeqCst) {
        thread::sleep(Span::from_millis(1));
    }
    if drain.load(Ordering::SeqCst) {
        events.iter().for_each(drop);
    }
}

/// Brings keys from the terminal to the view.
fn forward_keys(inputs: SyncSender<Input>, done: &AtomicBool) {
    while !done.load(Ordering::SeqCst) {
        let next = match event::poll(POLL) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let input = match next {
            Ok(event::Event::Key(key)) => Input::Key(key),
            Ok(event::Event::Resize(..)) => Input::Resized,
            Ok(_) => continue,
            Err(error) => {
                let _ = inputs.send(Input::Failed(error));
                return;
            }
        };
        if inputs.send(input).is_err() {
            return;
        }
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The terminal in raw mode on its alternate screen, given back when dropped.
struct Terminal(DefaultTerminal);

impl Terminal {
    fn open() -> io::Result<Self> {
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

    fn close(mut self) -> io::Result<()> {
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

/// Whether the terminal is the view's: a panic in another thread gives it back behind our back, to tell of itself.
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
