//! Lines on standard output and standard error.
//!
//! `println!` panics when nobody reads any more, as in `farlink run … | head`. That is no reason to end a run.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static LOST: AtomicBool = AtomicBool::new(false);
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Prints a line on standard output.
macro_rules! say {
    () => { $crate::output::say_line(format_args!("")) };
    ($($text:tt)*) => { $crate::output::say_line(format_args!($($text)*)) };
}

/// Prints a line on standard error.
macro_rules! complain {
    ($($text:tt)*) => { $crate::output::complain_line(format_args!($($text)*)) };
}

/// Prints a line on standard output. A reader who has left wants no more; anything else that keeps it from being written
/// is told once, and counts against the command.
pub fn say_line(line: Arguments<'_>) {
    let Err(error) = writeln!(io::stdout(), "{line}") else { return };
    CLOSED.store(true, Ordering::Relaxed);
    if error.kind() != ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) {
        complain!("error: cannot write to standard output: {error}");
    }
}

/// Whether nothing more can be read on standard output, so that a command need not go on for its lines alone.
pub fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// Prints a line on standard error. There is nowhere to tell that it could not be.
pub fn complain_line(line: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether something was to be read on standard output and could not be written.
pub fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}
