//! Calendar times as CCSDS files write them.

use hifitime::{Epoch, TimeScale, Unit};
use thiserror::Error;

use crate::place::text::shown;

/// The years in which 64 bits of nanoseconds about J2000 can tell every instant.
const YEARS: std::ops::RangeInclusive<i32> = 1709..=2290;

/// Why a text is no time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CalendarError {
    /// It does not have the form of one.
    #[error("`{text}` is not a time: write 2031-04-12T06:00:00.000 or 2031-102T06:00:00.000")]
    NotATime {
        /// What was written.
        text: String,
    },
    /// It has the form, but there is no such day or hour.
    #[error("`{text}` is not in the calendar")]
    NotInCalendar {
        /// What was written.
        text: String,
    },
    /// A year in which nothing can be computed.
    #[error("`{text}` is out of range: years go from 1709 to 2290")]
    OutOfRange {
        /// What was written.
        text: String,
    },
}

/// Reads `YYYY-MM-DDThh:mm:ss[.d…][Z]` or `YYYY-DDDThh:mm:ss[.d…][Z]` (CCSDS 301.0-B, ASCII time codes A and B), to the
/// nanosecond.
pub(crate) fn parse(text: &str, scale: TimeScale) -> Result<Epoch, CalendarError> {
    let written = fields(text).ok_or_else(|| CalendarError::NotATime { text: shown(text) })?;
    if !YEARS.contains(&written.year) {
        return Err(CalendarError::OutOfRange { text: shown(text) });
    }
    written.epoch(scale).ok_or_else(|| CalendarError::NotInCalendar { text: shown(text) })
}

struct Written {
    year: i32,
    /// None where the day is counted from the start of the year.
    month: Option<u32>,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
}

fn fields(text: &str) -> Option<Written> {
    let (date, time) = text.strip_suffix('Z').unwrap_or(text).split_once('T')?;
    let digits = |text: &str, lengths: &[usize]| {
        let fits = lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let mut date = date.split('-');
    let year = digits(date.next()?, &[4])? as i32;
    let (month, day) = match (date.next()?, date.next(), date.next()) {
        (day, None, None) => (None, digits(day, &[3])?),
        (month, Some(day), None) => (Some(digits(month, &[2])?), digits(day, &[2])?),
        _ => return None,
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.split(':').map(|part| digits(part, &[2]));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if time.next().is_some() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // What is finer than a nanosecond is cut off.
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    Some(Written { year, month, day, hour, minute, second, nanos })
}

impl Written {
    fn epoch(&self, scale: TimeScale) -> Option<Epoch> {
        let (month, day) = self.month_and_day()?;
        if self.hour > 23 || self.minute > 59 || self.second > 60 {
            return None;
        }
        let [month, day, hour, minute] = [month, day, self.hour, self.minute].map(|n| n as u8);
        let at = |second: u32| {
            let second = second as u8;
            Epoch::maybe_from_gregorian(self.year, month, day, hour, minute, second, self.nanos, scale).ok()
        };
        if self.second < 60 {
            return at(self.second);
        }
        // Only some days of UTC have a sixty-first second, the last: then the next day begins two seconds after :59. Both in
        // TAI, which counts it.
        let before = at(59)?.to_time_scale(TimeScale::TAI);
        let noon = Epoch::maybe_from_gregorian(self.year, month, day, 12, 0, 0, self.nanos, scale).ok()?;
        let next_noon = (noon + Unit::Day * 1.0).to_time_scale(TimeScale::TAI);
        let leap = scale == TimeScale::UTC && (self.hour, self.minute) == (23, 59);
        let long = next_noon - before > Unit::Hour * 12.0 + Unit::Second * 1.5;
        (leap && long).then_some(before + Unit::Second * 1.0)
    }

    fn month_and_day(&self) -> Option<(u32, u32)> {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let mut months = (1..).zip([31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);
        if self.day == 0 {
            return None;
        }
        match self.month {
            Some(month) => months.find(|(m, length)| *m == month && self.day <= *length).map(|_| (month, self.day)),
            None => {
                let mut day = self.day;
                months.find_map(|(month, length)| {
                    let found = (day <= length).then_some((month, day));
                    day = day.saturating_sub(length);
                    found
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tai_s(text: &str, scale: TimeScale) -> f64 {
        parse(text, scale).unwrap().to_tai_duration().to_seconds()
    }

    #[test]
    fn both_forms_say_the_same() {
        for (date, day) in [("2024-02-29", "2024-060"), ("2024-12-31", "2024-366"), ("2023-03-01", "2023-060")] {
            let of = |date: &str| parse(&format!("{date}T12:34:56.5Z"), TimeScale::UTC);
            assert_eq!(of(date).unwrap(), of(day).unwrap());
        }
    }

    #[test]
    fn scales_differ_by_what_they_must() {
        let text = "2020-01-01T00:00:00";
        let tai = tai_s(text, TimeScale::TAI);
        assert!((tai_s(text, TimeScale::UTC) - tai - 37.0).abs() < 1e-6);
        assert!((tai_s(text, TimeScale::TT) - tai + 32.184).abs() < 1e-6);
        assert!((tai_s(text, TimeScale::TDB) - tai + 32.184).abs() < 2e-3);
        assert!((tai_s(text, TimeScale::GPST) - tai - 19.0).abs() < 1e-6);
        // The last second of 2016 is its sixty-first.
        let last = tai_s("2016-12-31T23:59:60.5", TimeScale::UTC) - tai_s("2017-01-01T00:00:00", TimeScale::UTC);
        assert!((last + 0.5).abs() < 1e-6, "{last}");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "2024", "2024-01-01", "2024-1-1T00:00:00", "2024-01-01T00:00", "2024-01-01T00:00:00.x", "NaN"]
        {
            assert!(matches!(parse(text, TimeScale::UTC), Err(CalendarError::NotATime { .. })), "{text}");
        }
        for text in [
            "2023-02-29T00:00:00",
            "2023-366T00:00:00",
            "2023-000T00:00:00",
            "2023-13-01T00:00:00",
            "2023-01-01T24:00:00",
            "2023-01-01T12:59:60",
            "2023-12-31T23:59:60",
        ] {
            assert!(matches!(parse(text, TimeScale::UTC), Err(CalendarError::NotInCalendar { .. })), "{text}");
        }
        for text in ["9999-12-31T00:00:00", "0001-01-01T00:00:00"] {
            assert!(matches!(parse(text, TimeScale::UTC), Err(CalendarError::OutOfRange { .. })), "{text}");
        }
    }
}
