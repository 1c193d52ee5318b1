//! How bench time relates to the time of the person who watches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use farlink_record::results::Timing;
use farlink_units::{Duration, Instant};

use crate::realtime::LatenessMeter;

/// Longest sleep without a look at the stop flag.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(50);

/// What drives a run.
#[derive(Debug)]
pub enum Clock {
    /// Jumps to the next event.
    Virtual,
    /// Sleeps until the next event.
    Wall(WallClock),
}

/// Real time, optionally faster or slower.
#[derive(Debug)]
pub struct WallClock {
    origin: std::time::Instant,
    speed: f64,
    lateness: LatenessMeter,
}

impl Clock {
    /// A wall clock that starts now and runs `speed` times as fast as real time.
    pub fn wall(speed: f64) -> Self {
        Clock::Wall(WallClock { origin: std::time::Instant::now(), speed, lateness: LatenessMeter::default() })
    }

    /// Waits until `at`; `false` if `stop` was set meanwhile.
    pub fn wait_until(&mut self, at: Instant, stop: &AtomicBool) -> bool {
        let Clock::Wall(wall) = self else { return !stop.load(Ordering::Relaxed) };
        let due = wall.origin + Duration::from_secs_f64(at.as_secs_f64() / wall.speed).to_std();
        loop {
            if stop.load(Ordering::Relaxed) {
                return false;
            }
            let left = due.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                let late = std::time::Instant::now().saturating_duration_since(due);
                wall.lateness.record(late.into());
                return true;
            }
            thread::sleep(left.min(PATIENCE));
        }
    }

    /// How late it was; `None` for the virtual clock, which cannot be.
    pub fn lateness(&self) -> Option<Timing> {
        match self {
            Clock::Virtual => None,
            Clock::Wall(wall) => Some(wall.lateness.read()),
        }
    }
}
