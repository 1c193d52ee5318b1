//! What tells a run what to do while it goes.

use farlink_control::{Server, Timed};

/// What is said to a run while it goes, besides its scenario.
#[derive(Debug, Default)]
pub struct Steering {
    /// What is said at known instants of bench time, in the order of time. A pause in it is recorded and stops nothing, since
    /// the time that it would stop is the time that the script counts.
    pub script: Vec<Timed>,
    /// Where others say something live. Only a wall clock waits, so only a run in real time listens.
    pub server: Option<Server>,
}

impl Steering {
    /// Nobody says anything.
    pub fn none() -> Self {
        Steering::default()
    }
}
