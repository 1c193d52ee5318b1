//! Cron patterns as hardy understands them.
//!
//! Five fields, or six with seconds first; numbers, names, `*`, ranges, steps and lists; `@daily` and its like. Unlike in cron itself,
//! the day of the month and the day of the week must both match. The extensions of other crons (`L`, `W`, `#`) are errors there,
//! and so they are here. What one pattern costs is bounded by the days that it is asked about.

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// When something recurs, in UTC: sets of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    second: u64,
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
}

impl Cron {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let text = match text.as_str() {
            "@YEARLY" | "@ANNUALLY" => "0 0 1 1 *",
            "@MONTHLY" => "0 0 1 * *",
            "@WEEKLY" => "0 0 * * 0",
            "@DAILY" | "@MIDNIGHT" => "0 0 * * *",
            "@HOURLY" => "0 * * * *",
            other => other,
        };
        let mut fields: Vec<&str> = text.split_whitespace().take(7).collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let [second, minute, hour, day, month, weekday] = fields[..] else { return None };
        let weekdays = set(weekday, 0, 7, &DAYS)?;
        Some(Cron {
            second: set(second, 0, 59, &[])?,
            minute: set(minute, 0, 59, &[])?,
            hour: set(hour, 0, 23, &[])?,
            day: set(day, 1, 31, &[])?,
            month: set(month, 1, 12, &MONTHS)?,
            // Sunday is 0 and 7.
            weekday: weekdays & 0x7f | weekdays >> 7,
        })
    }

    /// Whether it recurs on a day, counted from 1970-01-01.
    pub(super) fn on_day(&self, day: i64) -> bool {
        let (month, of_month) = civil(day);
        // 1970-01-01 was a Thursday.
        has(self.weekday, (day + 4).rem_euclid(7)) && has(self.month, month) && has(self.day, of_month)
    }

    /// The seconds of a day on which it recurs.
    pub(super) fn in_day(&self) -> impl Iterator<Item = i64> {
        let bits = |set: u64| (0..60).filter(move |bit| has(set, *bit));
        let (hours, minutes, seconds) = (self.hour, self.minute, self.second);
        bits(hours)
            .flat_map(move |h| bits(minutes).flat_map(move |m| bits(seconds).map(move |s| h * 3600 + m * 60 + s)))
    }
}

fn has(set: u64, bit: i64) -> bool {
    set >> bit & 1 == 1
}

/// Month and day of the month of a day since 1970-01-01.
fn civil(day: i64) -> (i64, i64) {
    // Years begin in March here, so that the leap day is the last; eras of 400 years are all alike.
    let of_era = (day + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    (if month < 10 { month + 3 } else { month - 9 }, of_year - (153 * month + 2) / 5 + 1)
}

/// The values of a field, as bits.
fn set(field: &str, least: u32, most: u32, names: &[&str]) -> Option<u64> {
    field.split(',').try_fold(0, |bits, item| Some(bits | part(item, least, most, names)?))
}

fn part(item: &str, least: u32, most: u32, names: &[&str]) -> Option<u64> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|s| *s > 0)?)),
        None => (item, None),
    };
    let value = |text: &str| {
        let named = names.iter().position(|name| *name == text).map(|at| at as u32 + least);
        named.or_else(|| text.parse().ok()).filter(|v| (least..=most).contains(v))
    };
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (least, most),
        Some((first, last)) => (value(first)?, value(last)?),
        None => (value(range)?, if step.is_some() { most } else { value(range)? }),
    };
    let step = step.unwrap_or(1);
    (first <= last).then(|| (first..=last).step_by(step as usize).fold(0, |bits, bit| bits | 1 << bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times as `date -u -d @SECONDS` prints them, within two weeks from 2026-03-01 (a Sunday).
    fn times(pattern: &str) -> Vec<String> {
        let cron = Cron::parse(pattern).unwrap();
        let first = crate::calendar::to_unix((2026, 3, 1, 0, 0, 0, 0)) / 86_400;
        let days = (first..first + 14).filter(|day| cron.on_day(*day));
        days.flat_map(|day| {
            cron.in_day().map(move |s| format!("{:02} {:02}:{:02}:{:02}", civil(day).1, s / 3600, s / 60 % 60, s % 60))
        })
        .collect()
    }

    #[test]
    fn fields_ranges_steps_and_names_are_read() {
        assert_eq!(times("0 8 * * SUN"), ["01 08:00:00", "08 08:00:00"]);
        assert_eq!(times("0 8 * * 7"), times("0 8 * * 0"));
        assert_eq!(times("30 */12 1-2 mar *"), ["01 00:30:00", "01 12:30:00", "02 00:30:00", "02 12:30:00"]);
        assert_eq!(times("10 0 9 14 * *"), ["14 09:00:10"]);
        assert_eq!(times("50/5 23 1 * *"), ["01 23:50:00", "01 23:55:00"]);
        assert_eq!(times("0 0 9 * MON-FRI"), ["09 00:00:00"], "both days must match");
        assert_eq!(times("@weekly"), ["01 00:00:00", "08 00:00:00"]);
        assert_eq!(times("@hourly").len(), 14 * 24);
        assert!(times("0 0 30 2 *").is_empty());
    }

    #[test]
    fn what_hardy_refuses_is_refused() {
        for pattern in [
            "",
            "* * * *",
            "* * * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *",
            "* * L * *",
            "* * 15W * *",
            "* * * * 5#3",
            "@reboot",
            "1,,2 * * * *",
            "a * * * *",
            "-1 * * * *",
        ] {
            assert_eq!(Cron::parse(pattern), None, "{pattern}");
        }
    }
}
