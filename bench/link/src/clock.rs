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
    /// When it was stopped, if it stands still.
    paused: Option<std::time::Instant>,
    lateness: LatenessMeter,
}

/// How a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Waited {
    /// The instant has come.
    Reached,
    /// It has not: there is something else to do.
    Called,
    /// It has not: everything shall end.
    Stopped,
}

impl Clock {
    /// A wall clock that starts now and runs `speed` times as fast as real time.
    pub fn wall(speed: f64) -> Self {
        let (origin, lateness) = (std::time::Instant::now(), LatenessMeter::default());
        Clock::Wall(WallClock { origin, speed, paused: None, lateness })
    }

    /// Waits until `at`; `false` if `stop` was set meanwhile.
    pub fn wait_until(&mut self, at: Instant, stop: &AtomicBool) -> bool {
        let mut sleep = |patience| {
            thread::sleep(patience);
            false
        };
        self.wait(at, stop, &mut sleep) == Waited::Reached
    }

    /// Waits until `at`, or until `stop` is set. Instead of sleeping it calls `idle` with the time that may pass at most, also
    /// when there is none left; that returns whether there is something to do meanwhile. The virtual clock has no meanwhile.
    pub fn wait(
        &mut self,
        at: Instant,
        stop: &AtomicBool,
        idle: &mut dyn FnMut(std::time::Duration) -> bool,
    ) -> Waited {
        loop {
            if stop.load(Ordering::Relaxed) {
                return Waited::Stopped;
            }
            let Clock::Wall(wall) = self else { return Waited::Reached };
            let due = wall.origin + Duration::from_secs_f64(at.as_secs_f64() / wall.speed).to_std();
            let left = match wall.paused {
                Some(_) => PATIENCE,
                None => due.saturating_duration_since(std::time::Instant::now()),
            };
            if idle(left.min(PATIENCE)) {
                return Waited::Called;
            }
            if left.is_zero() {
                let late = std::time::Instant::now().saturating_duration_since(due);
                wall.lateness.record(late.into());
                return Waited::Reached;
            }
        }
    }

    /// What it shows; `None` for the virtual clock, which shows what its owner made of it.
    pub fn now(&self) -> Option<Instant> {
        let Clock::Wall(wall) = self else { return None };
        let until = wall.paused.unwrap_or_else(std::time::Instant::now);
        let passed = until.saturating_duration_since(wall.origin).as_secs_f64();
        Some(Instant::ZERO + Duration::from_secs_f64(passed * wall.speed))
    }

    /// Stops it. The virtual clock stands still whenever nothing happens, so there is nothing to stop.
    pub fn pause(&mut self) {
        if let Clock::Wall(wall) = self {
            wall.paused.get_or_insert_with(std::time::Instant::now);
        }
    }

    /// Lets it go on from where it was stopped. The time that has passed meanwhile makes nothing late.
    pub fn resume(&mut self) {
        if let Clock::Wall(wall) = self
            && let Some(since) = wall.paused.take()
        {
            wall.origin += since.elapsed();
        }
    }

    /// Whether it stands still.
    pub fn is_paused(&self) -> bool {
        matches!(self, Clock::Wall(WallClock { paused: Some(_), .. }))
    }

    /// How late it was; `None` for the virtual clock, which cannot be.
    pub fn lateness(&self) -> Option<Timing> {
        match self {
            Clock::Virtual => None,
            Clock::Wall(wall) => Some(wall.lateness.read()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_stopped_goes_on_where_it_stood() {
        let mut clock = Clock::wall(1000.0);
        let stop = AtomicBool::new(false);
        let at = |secs| Instant::ZERO + Duration::from_secs(secs);
        assert_eq!(
            clock.wait(at(5), &stop, &mut |patience| {
                thread::sleep(patience);
                false
            }),
            Waited::Reached
        );
        clock.pause();
        let stood = clock.now().unwrap();
        assert!(stood >= at(5) && clock.is_paused());
        // A paused clock reaches nothing, not even what is due.
        let mut calls = 0;
        let waited = clock.wait(at(5), &stop, &mut |_| {
            thread::sleep(std::time::Duration::from_millis(1));
            calls += 1;
            calls == 10
        });
        assert_eq!((waited, clock.now()), (Waited::Called, Some(stood)));
        clock.resume();
        let worst = clock.lateness().unwrap().max_ns;
        assert!(clock.wait_until(stood, &stop) && clock.now().unwrap() >= stood);
        assert!(clock.lateness().unwrap().max_ns >= worst, "and it goes on to measure");
        stop.store(true, Ordering::Relaxed);
        assert_eq!(clock.wait(at(9999), &stop, &mut |_| false), Waited::Stopped);
        assert_eq!((Clock::Virtual.now(), Clock::Virtual.is_paused()), (None, false));
    }
}
