//! Time for what must act in real time, such as a dead-man timer. Signal processing has no use for it.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// A clock that never goes back.
pub trait Clock: Debug + Send + Sync {
    /// Nanoseconds since an instant of its own.
    fn now_ns(&self) -> i64;
}

/// The clock of the system, from when this was made.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic(Instant);

impl Default for Monotonic {
    fn default() -> Monotonic {
        Monotonic(Instant::now())
    }
}

impl Clock for Monotonic {
    fn now_ns(&self) -> i64 {
        self.0.elapsed().as_nanos().try_into().unwrap_or(i64::MAX)
    }
}

/// A clock that is told the time: for tests and simulations.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Moves on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_nanos().try_into().unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}
