//! How much longer a sleep lasts than asked.

use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::{Check, State};
use crate::realtime::{self, Outcome, SETCAP_REALTIME, Wish};

/// How long each sleep is asked to last.
const SLEEP: Duration = Duration::from_millis(1);

/// A way to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As any program does.
    Usual,
    /// As the emulator does.
    NoSlack,
    /// As the emulator does with `--realtime`.
    Fifo,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Way::Usual => "timer-usual",
            Way::NoSlack => "timer-no-slack",
            Way::Fifo => "timer-realtime",
        }
    }

    const fn how(self) -> &'static str {
        match self {
            Way::Usual => "timer slack 50 us",
            Way::NoSlack => "timer slack 1 ns",
            Way::Fifo => "SCHED_FIFO",
        }
    }
}

pub fn checks(measure: Duration) -> Vec<Check> {
    [Way::Usual, Way::NoSlack, Way::Fifo].into_iter().map(|way| check(way, measure)).collect()
}

fn check(way: Way, measure: Duration) -> Check {
    // In a thread of its own, whose scheduling ends with it.
    let measured = thread::spawn(move || {
        match way {
            Way::Usual => set_current_timer_slack(NonZeroU64::new(50_000)).map_err(|error| error.to_string())?,
            Way::NoSlack => set_current_timer_slack(NonZeroU64::new(1)).map_err(|error| error.to_string())?,
            Way::Fifo => {
                let got = realtime::take(&Wish { fifo: true, ..Wish::default() });
                if let Outcome::Refused { why, .. } = got.scheduling {
                    return Ok(Err(why));
                }
            }
        }
        Ok::<_, String>(Ok(overshoots(measure)))
    })
    .join();
    match measured {
        Ok(Ok(Ok(overshoots))) => judge(way, overshoots),
        Ok(Ok(Err(refused))) => {
            Check::new("time", way.name(), State::Absent, format!("no SCHED_FIFO: {refused}")).command(SETCAP_REALTIME)
        }
        Ok(Err(error)) => Check::unknown("time", way.name(), error),
        Err(_) => Check::unknown("time", way.name(), "the measurement broke off"),
    }
}

/// By how many nanoseconds each of many sleeps was too long.
fn overshoots(measure: Duration) -> Vec<u64> {
    let begun = Instant::now();
    let mut overshoots = Vec::new();
    while begun.elapsed() < measure {
        let now = nanos();
        let due = now + SLEEP.as_nanos() as i64;
        let at = Timespec { tv_sec: due / 1_000_000_000, tv_nsec: due % 1_000_000_000 };
        // One that a signal cuts short tells nothing.
        if clock_nanosleep_absolute(ClockId::Monotonic, &at).is_ok() {
            overshoots.push(u64::try_from(nanos() - due).unwrap_or(0));
        }
    }
    overshoots
}

fn nanos() -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
    tv_sec * 1_000_000_000 + tv_nsec
}

/// The limits are what the emulator is to reach, p50 30 us and p99 100 us; the usual slack may come on top of both.
fn judge(way: Way, mut overshoots: Vec<u64>) -> Check {
    if overshoots.len() < 10 {
        return Check::unknown("time", way.name(), format!("{} sleeps are too few to tell", overshoots.len()));
    }
    overshoots.sort_unstable();
    let at = |percent: usize| overshoots[((overshoots.len() - 1) * percent).div_ceil(100)];
    let (p50, p99, max) = (at(50), at(99), at(100));
    let slack = if way == Way::Usual { 50_000 } else { 0 };
    let state = State::up_to(p50, 30_000 + slack, 300_000).or_worse(State::up_to(p99, 100_000 + slack, 1_000_000));
    let us = |nanos: u64| match nanos {
        0..10_000 => format!("{:.1} us", nanos as f64 / 1e3),
        10_000..10_000_000 => format!("{} us", nanos / 1000),
        _ => format!("{} ms", nanos / 1_000_000),
    };
    let found = format!(
        "{}: {} sleeps of 1 ms lasted too long by p50 {}, p99 {}, max {}",
        way.how(),
        overshoots.len(),
        us(p50),
        us(p99),
        us(max)
    );
    let check = Check::new("time", way.name(), state, found);
    match way {
        Way::Usual | Way::NoSlack => check.advice("run with --realtime; end what else keeps the machine busy"),
        Way::Fifo => check.command("sudo cpupower idle-set -D 50 && sudo cpupower frequency-set -g performance"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Remedy;
    use super::*;

    fn sleeps(p50: u64, p99: u64, max: u64) -> Vec<u64> {
        let mut all = vec![p50; 900];
        all.extend(vec![p99; 99]);
        all.push(max);
        all
    }

    #[test]
    fn a_timer_is_judged_by_what_the_emulator_must_reach() {
        for (way, p50, p99, state) in [
            (Way::NoSlack, 4_000, 60_000, State::Good),
            (Way::NoSlack, 55_000, 60_000, State::Fair),
            (Way::Usual, 55_000, 110_000, State::Good),
            (Way::Fifo, 4_000, 900_000, State::Fair),
            (Way::Fifo, 4_000, 1_100_000, State::Poor),
            (Way::Fifo, 400_000, 400_000, State::Poor),
        ] {
            assert_eq!(judge(way, sleeps(p50, p99, p99)).state, state, "{way:?} {p50} {p99}");
        }
        let check = judge(Way::Fifo, sleeps(4_060, 2_000_000, 33_000_000));
        assert_eq!(
            check.found,
            "SCHED_FIFO: 1000 sleeps of 1 ms lasted too long by p50 4.1 us, p99 2000 us, max 33 ms"
        );
        assert!(matches!(check.remedy, Some(Remedy::Command(_))));
        assert_eq!(judge(Way::Fifo, vec![1; 9]).state, State::Unknown);
    }

    #[test]
    fn this_machine_sleeps_too_long_and_never_too_short() {
        let overshoots = overshoots(Duration::from_millis(100));
        assert!(!overshoots.is_empty() && overshoots.iter().all(|overshoot| *overshoot > 0));
    }
}
