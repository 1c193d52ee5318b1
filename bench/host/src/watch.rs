//! Disturbances of a process's time: the machine slept, somebody stepped the wall clock, the process did not get to run.
//!
//! A [`Watch`] is told readings of the clocks, so that what it makes of them can be tried without a machine that sleeps. Whoever
//! runs in real time lets it look at [`Readings::now`] at least once every [`Limits::heartbeat`].
//!
//! - **Suspended**: `CLOCK_BOOTTIME` counts while the machine sleeps, `CLOCK_MONOTONIC` does not; both run equally otherwise
//!   (clock_gettime(2)).
//! - **Wall clock stepped**: `CLOCK_REALTIME` and `CLOCK_BOOTTIME` drifted apart by more than a clock that is slewed can do,
//!   which adjtimex(2) limits to 500 ppm. (Linux slews all of them alike; the allowance is for systems that do not.) A sleep
//!   moves both of them and is no step. A leap second that the kernel inserts is a step of one second.
//! - **Stalled**: the heartbeat is late on `CLOCK_MONOTONIC`: too much load, `SIGSTOP`, a debugger, a virtual machine that its
//!   host held up. The time of a sleep is not counted again.

use farlink_record::Disturbance;
use farlink_units::{Duration, Instant};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// How much faster or slower a slewed clock runs at most, in millionths (adjtimex(2)).
const FASTEST_SLEW_PPM: i64 = 500;

/// Readings of three clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// `CLOCK_MONOTONIC`: stands still while the machine sleeps.
    pub monotonic: Instant,
    /// `CLOCK_BOOTTIME`: goes on while it sleeps.
    pub boottime: Instant,
    /// `CLOCK_REALTIME`, from the Unix epoch: can be set.
    pub realtime: Instant,
    /// How far apart the moments may lie at which the clocks were read.
    pub spread: Duration,
}

impl Readings {
    /// Reads the clocks of this machine. A thread may be interrupted between two of them: the closest of a few tries counts.
    pub fn now() -> Self {
        let mut closest = Self::read();
        for _ in 0..3 {
            if closest.spread <= Duration::from_nanos(20_000) {
                break;
            }
            let again = Self::read();
            if again.spread < closest.spread {
                closest = again;
            }
        }
        closest
    }

    fn read() -> Self {
        let nanos = |clock| {
            let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
            tv_sec.saturating_mul(1_000_000_000).saturating_add(tv_nsec)
        };
        let monotonic = nanos(ClockId::Monotonic);
        let boottime = nanos(ClockId::Boottime);
        let realtime = nanos(ClockId::Realtime);
        let after = nanos(ClockId::Monotonic);
        Readings {
            monotonic: Instant::from_nanos(monotonic),
            boottime: Instant::from_nanos(boottime),
            realtime: Instant::from_nanos(realtime),
            spread: Duration::from_nanos(after - monotonic),
        }
    }
}

/// From where on something is a disturbance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How often [`Watch::look`] is called, at least.
    pub heartbeat: Duration,
    /// How late that may be.
    pub late: Duration,
    /// How long a sleep goes unnoticed.
    pub suspended: Duration,
    /// By how much the wall clock may be stepped unnoticed, slewing aside.
    pub stepped: Duration,
}

impl Default for Limits {
    /// A heartbeat of 50 ms that may be 50 ms late; sleeps and steps from 1 ms on.
    fn default() -> Self {
        Limits {
            heartbeat: Duration::from_millis(50),
            late: Duration::from_millis(50),
            suspended: Duration::from_millis(1),
            stepped: Duration::from_millis(1),
        }
    }
}

/// A disturbance that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disturbed {
    /// What happened.
    pub what: Disturbance,
    /// How long the sleep or the stall was; by how much the wall clock was set forward, or back if it is negative.
    pub by: Duration,
}

/// Looks at clocks again and again.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    limits: Limits,
    last: Readings,
}

impl Watch {
    /// Begins to watch, with the usual [`Limits`].
    pub fn new(readings: Readings) -> Self {
        Self::with(Limits::default(), readings)
    }

    /// Begins to watch.
    pub fn with(limits: Limits, readings: Readings) -> Self {
        Watch { limits, last: readings }
    }

    /// The limits it goes by.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What has happened since the last look, at most one of each kind.
    ///
    /// Readings older than the last ones tell nothing and change nothing.
    pub fn look(&mut self, readings: Readings) -> Vec<Disturbed> {
        let mut found = Vec::new();
        let ran = readings.monotonic - self.last.monotonic;
        if ran.is_negative() {
            return found;
        }
        // Whatever of the differences may come from clocks not having been read at one moment.
        let blur = self.last.spread + readings.spread;
        let passed = readings.boottime - self.last.boottime;
        let slept = passed - ran;
        if slept > self.limits.suspended + blur {
            found.push(Disturbed { what: Disturbance::Suspended, by: slept });
        }
        let set = readings.realtime - self.last.realtime - passed;
        let slewed = Duration::from_nanos(passed.as_nanos().saturating_abs() / (1_000_000 / FASTEST_SLEW_PPM));
        if set.as_nanos().saturating_abs() > (self.limits.stepped + slewed + blur).as_nanos() {
            found.push(Disturbed { what: Disturbance::WallClockStepped, by: set });
        }
        let late = ran - self.limits.heartbeat;
        if late > self.limits.late {
            found.push(Disturbed { what: Disturbance::Stalled, by: late });
        }
        self.last = readings;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEAT: i64 = 50_000_000;

    /// Clocks that a test can move.
    #[derive(Clone, Copy)]
    struct Clocks {
        monotonic: i64,
        slept: i64,
        set: i64,
        spread: i64,
    }

    impl Clocks {
        fn start() -> Self {
            Clocks { monotonic: 5_000_000_000, slept: 7_000_000_000, set: 1_700_000_000_000_000_000, spread: 0 }
        }

        fn readings(&self) -> Readings {
            Readings {
                monotonic: Instant::from_nanos(self.monotonic),
                boottime: Instant::from_nanos(self.monotonic + self.slept),
                realtime: Instant::from_nanos(self.monotonic + self.slept + self.set),
                spread: Duration::from_nanos(self.spread),
            }
        }
    }

    fn watch() -> (Clocks, Watch) {
        let clocks = Clocks::start();
        (clocks, Watch::new(clocks.readings()))
    }

    fn one(what: Disturbance, by: Duration) -> Vec<Disturbed> {
        vec![Disturbed { what, by }]
    }

    #[test]
    fn clocks_that_run_on_are_not_disturbed() {
        let (mut clocks, mut watch) = watch();
        for _ in 0..1000 {
            clocks.monotonic += BEAT;
            assert_eq!(watch.look(clocks.readings()), []);
        }
    }

    #[test]
    fn a_sleep_is_a_sleep_and_neither_a_step_nor_a_stall() {
        let (mut clocks, mut watch) = watch();
        clocks.monotonic += BEAT;
        clocks.slept += 3_600_000_000_000;
        assert_eq!(watch.look(clocks.readings()), one(Disturbance::Suspended, Duration::from_secs(3600)));
        clocks.monotonic += BEAT;
        assert_eq!(watch.look(clocks.readings()), [], "it is told once");
    }

    #[test]
    fn a_wall_clock_that_is_set_forward_or_back_is_stepped_by_so_much() {
        for by in [2_000_000, -2_000_000, 3_600_000_000_000, -1_000_000_000] {
            let (mut clocks, mut watch) = watch();
            clocks.monotonic += BEAT;
            clocks.set += by;
            assert_eq!(watch.look(clocks.readings()), one(Disturbance::WallClockStepped, Duration::from_nanos(by)));
            clocks.monotonic += BEAT;
            assert_eq!(watch.look(clocks.readings()), [], "it is told once");
        }
    }

    #[test]
    fn the_fastest_slewing_is_no_step_however_long_between_two_looks() {
        for (pause, sign) in [(BEAT, 1), (BEAT, -1), (60_000_000_000, 1), (60_000_000_000, -1)] {
            let (mut clocks, mut watch) = watch();
            for _ in 0..100 {
                clocks.monotonic += pause;
                clocks.set += sign * (pause / 2000);
                let found = watch.look(clocks.readings());
                assert!(found.iter().all(|found| found.what == Disturbance::Stalled), "{found:?}");
            }
        }
    }

    #[test]
    fn a_heartbeat_that_is_late_is_a_stall_by_what_it_is_late() {
        let (mut clocks, mut watch) = watch();
        clocks.monotonic += 2 * BEAT;
        assert_eq!(watch.look(clocks.readings()), [], "up to the limit it is not");
        clocks.monotonic += 2 * BEAT + 1;
        assert_eq!(watch.look(clocks.readings()), one(Disturbance::Stalled, Duration::from_nanos(BEAT + 1)));
        let limits = Limits { heartbeat: Duration::from_secs(1), ..Limits::default() };
        let mut slower = Watch::with(limits, clocks.readings());
        clocks.monotonic += 1_000_000_000;
        assert_eq!(slower.look(clocks.readings()), []);
    }

    #[test]
    fn what_comes_together_is_told_together() {
        let (mut clocks, mut watch) = watch();
        clocks.monotonic += 1_000_000_000;
        clocks.slept += 2_000_000_000;
        clocks.set -= 500_000_000;
        let found: Vec<_> = watch.look(clocks.readings()).iter().map(|found| (found.what, found.by)).collect();
        assert_eq!(
            found,
            [
                (Disturbance::Suspended, Duration::from_secs(2)),
                (Disturbance::WallClockStepped, Duration::from_millis(-500)),
                (Disturbance::Stalled, Duration::from_millis(950)),
            ]
        );
    }

    #[test]
    fn clocks_read_far_apart_are_not_believed_to_the_last_millisecond() {
        let (mut clocks, mut watch) = watch();
        clocks.monotonic += BEAT;
        clocks.spread = 10_000_000;
        let mut readings = clocks.readings();
        // An interruption of 9 ms after the first clock was read.
        readings.boottime += Duration::from_millis(9);
        readings.realtime += Duration::from_millis(9);
        assert_eq!(watch.look(readings), []);
    }

    #[test]
    fn readings_that_go_back_tell_nothing() {
        let (mut clocks, mut watch) = watch();
        clocks.monotonic -= 1;
        assert_eq!(watch.look(clocks.readings()), []);
        clocks.monotonic += 1 + BEAT;
        assert_eq!(watch.look(clocks.readings()), []);
    }

    #[test]
    fn the_clocks_of_this_machine_agree_with_each_other() {
        let first = Readings::now();
        let mut watch = Watch::new(first);
        let second = Readings::now();
        assert!(second.monotonic >= first.monotonic && second.boottime >= second.monotonic);
        // 2020 to 2100.
        assert!((1_577_836_800..4_102_444_800).contains(&(second.realtime.as_nanos() / 1_000_000_000)));
        let found = watch.look(second);
        assert!(found.iter().all(|found| found.what == Disturbance::Stalled), "{found:?}");
    }

    proptest! {
        #[test]
        fn any_readings_are_looked_at_without_harm(
            a in any::<[i64; 4]>(), b in any::<[i64; 4]>()
        ) {
            let readings = |[m, t, r, s]: [i64; 4]| Readings {
                monotonic: Instant::from_nanos(m),
                boottime: Instant::from_nanos(t),
                realtime: Instant::from_nanos(r),
                spread: Duration::from_nanos(s),
            };
            let mut watch = Watch::new(readings(a));
            prop_assert!(watch.look(readings(b)).len() <= 3);
        }
    }
}
