//! How bench time relates to the time of the person who watches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use farlink_units::{Duration, Instant};
use hdrhistogram::Histogram;
use serde::Serialize;

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

/// Gathers how late things happened.
#[derive(Clone, Debug)]
pub struct LatenessMeter(Histogram<u64>);

impl Default for LatenessMeter {
    fn default() -> Self {
        LatenessMeter(Histogram::new(3).expect("three significant digits are within the histogram's range"))
    }
}

impl LatenessMeter {
    /// Adds one.
    pub fn record(&mut self, late: Duration) {
        self.0.saturating_record(u64::try_from(late.as_nanos()).unwrap_or(0));
    }

    /// What they come to.
    pub fn read(&self) -> Lateness {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Lateness { p50_ns: at(0.5), p99_ns: at(0.99), p999_ns: at(0.999), max_ns: self.0.max(), samples: self.0.len() }
    }
}

/// How late the wall clock was for its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lateness {
    /// Median, in ns of real time.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Worst.
    pub max_ns: u64,
    /// Events that were waited for.
    pub samples: u64,
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
    pub fn lateness(&self) -> Option<Lateness> {
        match self {
            Clock::Virtual => None,
            Clock::Wall(wall) => Some(wall.lateness.read()),
        }
    }
}
