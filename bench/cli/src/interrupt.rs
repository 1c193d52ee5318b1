//! Ctrl-C and its kin.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

/// A flag that Ctrl-C, a hang-up and a request to terminate set. The second Ctrl-C ends the process at once, should the
/// first not get through.
///
/// # Errors
/// The system refuses a handler.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The order matters: the shutdown looks at the flag as the signal before has left it.
        flag::register_conditional_shutdown(signal, 2, stop.clone())?;
        flag::register(signal, stop.clone())?;
    }
    // A file that reaches the limit of `ulimit -f` is then told by the write that fails, instead of ending the process.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(stop)
}
