//! Real time as the emulator counts it.

use farlink_units::{Duration, Instant};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Kernel time stamps that are older than this are not believed: the wall clock, in which the kernel stamps, was stepped.
const OLDEST_STAMP: Duration = Duration::from_secs(1);

/// The clocks are read so often at most to compare them: whoever is interrupted between two of them learns little.
const READINGS: usize = 4;
/// They are near enough to each other if they were read within this.
const NARROW_NS: i64 = 1_000;

/// Real time, counted from an origin on the machine's monotonic clock, which no one can set.
///
/// It stands still while the machine is suspended.
#[derive(Clone, Copy, Debug)]
pub struct Timebase {
    origin: i64,
}

fn nanos(clock: ClockId) -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    tv_sec * 1_000_000_000 + tv_nsec
}

impl Timebase {
    /// Time zero is now.
    pub fn start() -> Self {
        Timebase { origin: nanos(ClockId::Monotonic) }
    }

    /// Now is `instant`.
    pub fn starting_at(instant: Instant) -> Self {
        Timebase { origin: nanos(ClockId::Monotonic) - instant.as_nanos() }
    }

    /// Now.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(nanos(ClockId::Monotonic) - self.origin)
    }

    /// What the kernel's wall-clock stamps, in nanoseconds of Unix time, are on this base. Made anew for each batch of frames,
    /// so that a wall clock which is slewed or stepped does no more than spoil the stamps under way at that moment.
    pub fn stamps(&self) -> Stamps {
        let mut best: Option<(i64, Stamps)> = None;
        for _ in 0..READINGS {
            // The middle of two readings: whatever came between them counts half.
            let before = nanos(ClockId::Monotonic);
            let wall = nanos(ClockId::Realtime);
            let after = nanos(ClockId::Monotonic);
            let spread = after - before;
            if best.is_none_or(|(narrowest, _)| spread < narrowest) {
                let offset = wall - (before + spread / 2) + self.origin;
                best = Some((spread, Stamps { offset, now: Instant::from_nanos(after - self.origin) }));
            }
            if spread <= NARROW_NS {
                break;
            }
        }
        best.map_or_else(|| Stamps { offset: 0, now: self.now() }, |(_, stamps)| stamps)
    }
}

/// Turns wall-clock stamps into instants; see [`Timebase::stamps`].
#[derive(Clone, Copy, Debug)]
pub struct Stamps {
    offset: i64,
    now: Instant,
}

impl Stamps {
    /// When the stamps were read.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The instant of a stamp. One that lies in the future or more than a second back cannot be: it becomes now.
    pub fn instant(&self, unix_nanos: i64) -> Instant {
        let at = Instant::from_nanos(unix_nanos - self.offset);
        if at > self.now || self.now - at > OLDEST_STAMP { self.now } else { at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_stamp_is_the_instant_at_which_it_was_made() {
        let base = Timebase::start();
        let before = base.now();
        let wall = nanos(ClockId::Realtime);
        let after = base.now();
        let at = base.stamps().instant(wall);
        let margin = Duration::from_millis(1);
        assert!(before <= at + margin && at <= after + margin, "{before} {at} {after}");
    }

    #[test]
    fn a_stamp_that_cannot_be_becomes_now() {
        let stamps = Timebase::start().stamps();
        for wrong in
            [0, i64::MAX / 2, nanos(ClockId::Realtime) - 5_000_000_000, nanos(ClockId::Realtime) + 5_000_000_000]
        {
            assert_eq!(stamps.instant(wrong), stamps.now());
        }
    }
}
