//! The view at the terminal: keys, events and the passing of time come in through one channel.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration as Span, Instant as Moment};

use farlink_record::{Header, Stamped};

use crate::keys::{self, Action};
use crate::model::Model;
use crate::playback::{Pace, Playback};
use crate::screen;
use crate::terminal::{SetOnDrop, Terminal, Typed, forward_keys};

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
/// How often the thread that brings events looks whether it is still needed.
const POLL: Span = Span::from_millis(50);
/// How many events travel together at most.
const BATCH: usize = 4096;

/// What the view reacts to.
enum Input {
    Typed(Typed),
    Events(Vec<Stamped>),
    /// No more events will come.
    Closed,
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
        thread::spawn(move || forward_keys(|typed| inputs.send(Input::Typed(typed)).is_ok(), &until));
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
        if dirty && now >= next_frame {
            terminal.draw(|frame| screen::draw(frame, view.model(), view.playback()))?;
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
            Ok(Input::Typed(Typed::Key(key))) => {
                if let Some(action) = keys::action(key) {
                    flow = view.act(action);
                    dirty = true;
                }
            }
            Ok(Input::Typed(Typed::Resized)) => dirty = true,
            Ok(Input::Events(events)) => {
                events.into_iter().for_each(|stamped| view.feed(stamped));
                dirty = true;
            }
            Ok(Input::Closed) => {
                flow = view.close();
                dirty = true;
            }
            Ok(Input::Typed(Typed::Failed(error))) => return Err(error),
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
