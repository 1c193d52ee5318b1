//! Calendar times, and seconds as text.

use farlink_units::{Duration, Instant};
use hifitime::Epoch;

const NANOS: i64 = 1_000_000_000;

/// `2026-12-15T00:00:00.5Z`: year, month, day, hour, minute, second, nanoseconds.
pub(crate) type Fields = (i32, u8, u8, u8, u8, u8, u32);

/// The UTC time with these fields, if the calendar has it and it is between 1900 and 2200 (which instants of ±292 years reach).
pub(crate) fn epoch((year, month, day, hour, minute, second, nanos): Fields) -> Option<Epoch> {
    let epoch = Epoch::maybe_from_gregorian_utc(year, month, day, hour, minute, second, nanos).ok()?;
    ((1900..2200).contains(&year) && hour < 24).then_some(epoch)
}

/// The instant of a calendar time in a plan whose epoch is `zero`, in SI seconds.
pub(crate) fn instant(time: Epoch, zero: Epoch) -> Option<Instant> {
    let nanos = (time.to_tai_duration() - zero.to_tai_duration()).total_nanoseconds();
    i64::try_from(nanos).ok().map(Instant::from_nanos)
}

/// The calendar time of an instant, if it is between 1900 and 2200.
pub(crate) fn time(at: Instant, zero: Epoch) -> Option<Fields> {
    let since = hifitime::Duration::from_total_nanoseconds(at.as_nanos().into());
    let fields @ (year, ..) = Epoch::from_tai_duration(zero.to_tai_duration() + since).to_gregorian_utc();
    (1900..2200).contains(&year).then_some(fields)
}

/// Seconds since 1970-01-01T00:00:00Z as POSIX counts them, without leap seconds.
pub(crate) fn from_unix(seconds: i64) -> Option<Epoch> {
    let time = Epoch::from_gregorian_utc(1970, 1, 1, 0, 0, 0, 0);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // 200 years of days: by the calendar, since the time scale would count leap seconds.
    if !(-25_567..84_000).contains(&days) {
        return None;
    }
    let (year, month, day, ..) = (time + hifitime::Duration::from_days(days as f64 + 0.5)).to_gregorian_utc();
    epoch((year, month, day, (rest / 3600) as u8, (rest / 60 % 60) as u8, (rest % 60) as u8, 0))
}

/// The seconds of POSIX up to a calendar time.
pub(crate) fn to_unix((year, month, day, hour, minute, second, _): Fields) -> i64 {
    // Days from civil: March is the first month, so that the leap day is the last one of the year.
    let (year, month) = if month > 2 { (i64::from(year), month - 3) } else { (i64::from(year) - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * i64::from(month) + 2) / 5 + i64::from(day) - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)
}

/// Digits of a fixed count, and nothing else.
pub(crate) fn digits(text: &str, count: usize) -> Option<u16> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Reads RFC 3339 with any offset. The second value tells whether the offset was UTC.
pub(crate) fn read_rfc3339(text: &str) -> Option<(Epoch, bool)> {
    let upper = text.to_ascii_uppercase();
    let (date, rest) = upper.split_once('T')?;
    let zone = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone);
    let offset_s = match zone.split_at(1) {
        ("Z", "") => 0,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let (hours, minutes) = (i64::from(digits(hours, 2)?), i64::from(digits(minutes, 2)?));
            (hours < 24 && minutes < 60).then_some(())?;
            (hours * 3600 + minutes * 60) * if sign == "-" { -1 } else { 1 }
        }
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    let mut date = date.split('-');
    let mut clock = clock.split(':');
    let year = digits(date.next()?, 4)?;
    let two = |parts: &mut std::str::Split<char>| digits(parts.next()?, 2).map(|n| n as u8);
    let fields =
        (year.into(), two(&mut date)?, two(&mut date)?, two(&mut clock)?, two(&mut clock)?, two(&mut clock)?, nanos);
    if date.next().is_some() || clock.next().is_some() {
        return None;
    }
    let local = epoch(fields)?;
    // An offset moves the calendar, not the count of seconds.
    let utc = if offset_s == 0 { local } else { from_unix(to_unix(fields) - offset_s)? + nanoseconds(nanos) };
    Some((utc, offset_s == 0))
}

fn nanoseconds(nanos: u32) -> hifitime::Duration {
    hifitime::Duration::from_total_nanoseconds(nanos.into())
}

/// `2026-12-15T00:00:00.5Z`, with as many digits as it needs.
pub(crate) fn rfc3339((year, month, day, hour, minute, second, nanos): Fields) -> String {
    let fraction = match nanos {
        0 => String::new(),
        _ => format!(".{nanos:09}").trim_end_matches('0').to_owned(),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Nanoseconds as a decimal of seconds, exactly: `90.5`.
pub(crate) fn seconds(nanos: i64) -> String {
    let (whole, rest) = (nanos.unsigned_abs() / NANOS as u64, nanos.unsigned_abs() % NANOS as u64);
    let sign = if nanos < 0 { "-" } else { "" };
    match rest {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{}", format!("{rest:09}").trim_end_matches('0')),
    }
}

/// The whole second at or before an instant.
pub(crate) fn floor_s(at: Instant) -> i64 {
    at.as_nanos().div_euclid(NANOS)
}

/// The whole second at or after an instant.
pub(crate) fn ceil_s(at: Instant) -> i64 {
    -(-i128::from(at.as_nanos())).div_euclid(NANOS.into()) as i64
}

/// Whether an instant is a whole second.
pub(crate) fn is_whole_s(nanos: i64) -> bool {
    nanos % NANOS == 0
}

/// The instant of a whole second, if instants reach that far.
pub(crate) fn at_s(second: i64) -> Option<Instant> {
    second.checked_mul(NANOS).map(Instant::from_nanos)
}

/// A number of seconds as an instant, to the nearest nanosecond, if instants reach that far.
pub(crate) fn at_seconds(seconds: f64) -> Option<Instant> {
    // The largest number of seconds that fits, rounded down to what a double holds.
    (seconds.abs() < 9.223_372_036e9).then(|| Instant::from_nanos(Duration::from_secs_f64(seconds).as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_is_read_with_offsets_and_written_in_utc() {
        let zero = epoch((2026, 12, 15, 0, 0, 0, 0)).unwrap();
        let at = |text: &str| read_rfc3339(text).map(|(time, _)| instant(time, zero).unwrap().as_nanos());
        assert_eq!(at("2026-12-15T00:00:01.5Z"), Some(1_500_000_000));
        assert_eq!(at("2026-12-15T05:30:01.5+05:30"), Some(1_500_000_000));
        assert_eq!(at("2026-12-14t23:00:00-01:00"), Some(0));
        for text in [
            "",
            "T",
            "2026-12-15",
            "2026-12-15T00:00:00",
            "2026-13-15T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "9999-12-15T00:00:00Z",
            "2026-12-15T00:00:00.Z",
            "2026-12-15T00:00Z",
            "2026-12-15T00:00:00+24:00",
            "2026-12-15T00:00:00ZZ",
            "2026-12-15T24:00:00Z",
            "２026-12-15T00:00:00Z",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
        assert_eq!(rfc3339(time(Instant::from_nanos(1_500_000_000), zero).unwrap()), "2026-12-15T00:00:01.5Z");
        assert_eq!(time(Instant::MAX, zero), None);
    }

    #[test]
    fn posix_seconds_know_no_leap_second() {
        // GNU date: 2016-12-31T23:59:00Z is 1483228740.
        let before = epoch((2016, 12, 31, 23, 59, 0, 0)).unwrap();
        let after = epoch((2017, 1, 1, 0, 0, 0, 0)).unwrap();
        assert_eq!(to_unix(time(Instant::ZERO, before).unwrap()), 1_483_228_740);
        assert_eq!(to_unix(time(Instant::ZERO, after).unwrap()), 1_483_228_800);
        assert_eq!(instant(after, before), at_s(61), "a leap second lies between");
        for seconds in [0, -86_400, 1_483_228_740, 1_483_228_800, 4_102_444_800, 951_782_400] {
            assert_eq!(to_unix(time(Instant::ZERO, from_unix(seconds).unwrap()).unwrap()), seconds);
        }
        assert_eq!(from_unix(i64::MAX), None);
        assert_eq!(from_unix(i64::MIN), None);
    }

    #[test]
    fn seconds_are_exact_decimals() {
        assert_eq!([0, 1, -1_500_000_000, 90_000_000_000].map(seconds), ["0", "0.000000001", "-1.5", "90"]);
        let at = Instant::from_nanos;
        assert_eq!([floor_s(at(-1)), ceil_s(at(-1)), floor_s(at(1)), ceil_s(at(1))], [-1, 0, 0, 1]);
        assert_eq!((floor_s(Instant::MAX), ceil_s(Instant::MAX)), (9_223_372_036, 9_223_372_037));
        assert_eq!((at_seconds(1.5), at_seconds(f64::NAN), at_seconds(1e10)), (Some(at(1_500_000_000)), None, None));
    }
}
