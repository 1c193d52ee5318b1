//! Integer-nanosecond time.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Serialize};

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// A point of time: whole nanoseconds since the origin that the owner of the run has chosen (for a scenario, its epoch).
///
/// The range is ±292 years; arithmetic saturates at its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(i64);

/// A signed span of time in whole nanoseconds. Arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

impl Instant {
    /// The origin.
    pub const ZERO: Instant = Instant(0);
    /// The last instant that can be told; stands for "never" where a deadline is meant.
    pub const MAX: Instant = Instant(i64::MAX);

    /// The instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: i64) -> Self {
        Instant(nanos)
    }

    /// The instant `secs` seconds after the origin, rounded to the nearest nanosecond.
    pub fn from_secs_f64(secs: f64) -> Self {
        Instant(Duration::from_secs_f64(secs).0)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Seconds since the origin.
    pub fn as_secs_f64(self) -> f64 {
        Duration(self.0).as_secs_f64()
    }

    /// The span since `earlier`, or zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Instant) -> Duration {
        (self - earlier).max(Duration::ZERO)
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);
    /// The longest span that can be told.
    pub const MAX: Duration = Duration(i64::MAX);

    /// A span of whole nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Duration(nanos)
    }

    /// A span of whole milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Duration(millis.saturating_mul(1_000_000))
    }

    /// A span of whole seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Duration(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// A span of seconds, rounded to the nearest nanosecond.
    pub fn from_secs_f64(secs: f64) -> Self {
        Duration((secs * NANOS_PER_SEC as f64).round() as i64)
    }

    /// Nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds, rounded towards zero.
    pub const fn as_millis(self) -> i64 {
        self.0 / 1_000_000
    }

    /// Seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SEC as f64
    }

    /// Whether the span runs backwards.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The span `factor` times over.
    pub const fn saturating_mul(self, factor: i64) -> Self {
        Duration(self.0.saturating_mul(factor))
    }

    /// The time that `bits` take at `rate_bps` bits per second, rounded up to the nanosecond; [`Duration::MAX`] at rate 0.
    pub fn of_bits(bits: u64, rate_bps: u64) -> Self {
        if rate_bps == 0 {
            return Duration::MAX;
        }
        let nanos = (u128::from(bits) * NANOS_PER_SEC as u128).div_ceil(u128::from(rate_bps));
        Duration(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// The same span for the standard library; a negative one becomes zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.max(0) as u64)
    }
}

impl From<std::time::Duration> for Duration {
    fn from(d: std::time::Duration) -> Self {
        Duration(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_add(rhs.0))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_sub(rhs.0))
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, rhs: Instant) -> Duration {
        Duration(self.0.saturating_sub(rhs.0))
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, rhs: Duration) -> Duration {
        Duration(self.0.saturating_add(rhs.0))
    }
}

impl AddAssign for Duration {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub for Duration {
    type Output = Duration;
    fn sub(self, rhs: Duration) -> Duration {
        Duration(self.0.saturating_sub(rhs.0))
    }
}

impl SubAssign for Duration {
    fn sub_assign(&mut self, rhs: Duration) {
        *self = *self - rhs;
    }
}

/// `[d.]hh:mm:ss.mmm` since the origin, truncated to the millisecond.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.unsigned_abs() / 1_000_000;
        let (s, ms) = (ms / 1000, ms % 1000);
        let (days, h, m, s) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        if days > 0 {
            write!(f, "{days}.")?;
        }
        write!(f, "{h:02}:{m:02}:{s:02}.{ms:03}")
    }
}

/// The largest unit in which the span is at least one, with up to three decimals: `1.5 ms`, `12.345 s`, `20 min`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (86_400 * NANOS_PER_SEC, "d"),
            (3600 * NANOS_PER_SEC, "h"),
            (60 * NANOS_PER_SEC, "min"),
            (NANOS_PER_SEC, "s"),
            (1_000_000, "ms"),
            (1000, "us"),
        ];
        for (size, name) in units {
            if self.0.unsigned_abs() >= size as u64 {
                let text = format!("{:.3}", self.0 as f64 / size as f64);
                return write!(f, "{} {name}", text.trim_end_matches('0').trim_end_matches('.'));
            }
        }
        write!(f, "{} ns", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialisation_time_is_exact_and_rounds_up() {
        assert_eq!(Duration::of_bits(8192, 1_000_000), Duration::from_nanos(8_192_000));
        assert_eq!(Duration::of_bits(1, 3), Duration::from_nanos(333_333_334));
        assert_eq!(Duration::of_bits(1, 0), Duration::MAX);
        assert_eq!(Duration::of_bits(u64::MAX, 1), Duration::MAX);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Instant::MAX + Duration::from_secs(1), Instant::MAX);
        assert_eq!(Instant::ZERO.saturating_since(Instant::from_nanos(5)), Duration::ZERO);
        assert_eq!(Duration::from_secs(i64::MAX), Duration::MAX);
    }

    #[test]
    fn times_read_as_a_person_would_write_them() {
        assert_eq!(Instant::from_nanos(90_061_001_000_000).to_string(), "1.01:01:01.001");
        assert_eq!(Instant::from_nanos(-1_000_000).to_string(), "-00:00:00.001");
        assert_eq!(Duration::from_millis(1500).to_string(), "1.5 s");
        assert_eq!(Duration::from_secs(1200).to_string(), "20 min");
        assert_eq!(Duration::ZERO.to_string(), "0 ns");
    }
}
