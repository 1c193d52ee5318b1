//! The view at the terminal.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration as Span, Instant as Moment};

use farlink_record::instrument::Snapshot;

use super::notices::Notices;
use super::{Facts, InstrumentView, Obey, screen};
use crate::live::Flow;
use crate::terminal::{SetOnDrop, Terminal, Typed, forward_keys};

/// The time between two snapshots. Each one holds up every thread that carries for a moment.
const LOOK_EVERY: Span = Span::from_millis(200);
/// How soon the view sees that it is to leave.
const PATIENCE: Span = Span::from_millis(50);
/// How many keys may wait.
const KEYS: usize = 64;

/// Shows a running emulator until the user leaves or `leave` is set.
///
/// `look` takes a snapshot, `obey` does what the user orders; the errors of both are shown. The terminal is given back on
/// every way out, also when something panics.
///
/// # Errors
/// Whatever the terminal reports. The emulator is not touched by that.
pub fn run(
    facts: Facts,
    notices: &Notices,
    look: impl FnMut() -> Result<Snapshot, String>,
    obey: &mut Obey<'_>,
    leave: &AtomicBool,
) -> io::Result<()> {
    let done = Arc::new(AtomicBool::new(false));
    let _finally = SetOnDrop(&done);
    let terminal = Terminal::open()?;
    let (keys, key) = mpsc::sync_channel(KEYS);
    let until = Arc::clone(&done);
    // Nobody waits for this one: if the terminal has gone away, the read in it may never return.
    thread::spawn(move || forward_keys(|typed| keys.send(typed).is_ok(), &until));
    show(terminal, InstrumentView::new(facts), notices, look, obey, &key, leave)
}

/// Shows the view until it is left; gives the terminal back.
fn show(
    mut terminal: Terminal,
    mut view: InstrumentView,
    notices: &Notices,
    mut look: impl FnMut() -> Result<Snapshot, String>,
    obey: &mut Obey<'_>,
    typed: &Receiver<Typed>,
    leave: &AtomicBool,
) -> io::Result<()> {
    let start = Moment::now();
    let mut next_look = start;
    let mut dirty = true;
    while !leave.load(Ordering::Relaxed) {
        if Moment::now() >= next_look {
            match look() {
                Ok(snapshot) => view.model_mut().feed(snapshot, start.elapsed()),
                Err(why) => view.model_mut().miss(why),
            }
            notices.waiting().for_each(|stamped| view.model_mut().note(stamped));
            view.model_mut().set_missed(notices.missed());
            // From now, not from when it was due: what could not be looked at is not made up for.
            next_look = Moment::now() + LOOK_EVERY;
            dirty = true;
        }
        if dirty {
            terminal.draw(|frame| screen::draw(frame, &view))?;
            dirty = false;
        }
        let wait = next_look.saturating_duration_since(Moment::now()).min(PATIENCE);
        match typed.recv_timeout(wait) {
            Ok(Typed::Key(key)) => {
                if view.press(key, obey) == Flow::Leave {
                    break;
                }
                dirty = true;
            }
            Ok(Typed::Resized) => dirty = true,
            Ok(Typed::Failed(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    terminal.close()
}
