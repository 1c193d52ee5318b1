//! Calendar times of bundles and captures, in UTC without leap seconds, as DTN time counts (RFC 9171 section 4.2.6).

use farlink_units::Duration;

/// Seconds from 1970-01-01 to 2000-01-01, where DTN time begins.
const DTN_EPOCH_UNIX_S: i128 = 946_684_800;
const NANOS: i128 = 1_000_000_000;

/// A DTN time as `2026-12-15 07:06:05.123 UTC`.
pub fn dtn_text(dtn_ms: u64) -> String {
    dtn_text_wide(i128::from(dtn_ms))
}

/// As [`dtn_text`], for sums that leave 64 bits.
pub fn dtn_text_wide(dtn_ms: i128) -> String {
    let (date, clock) = parts((DTN_EPOCH_UNIX_S * 1000 + dtn_ms) * 1_000_000);
    format!("{date} {}.{:03} UTC", clock.hms(), clock.nanos / 1_000_000)
}

/// A DTN time as RFC 3339 with milliseconds.
pub fn dtn_rfc3339(dtn_ms: i128) -> String {
    let (date, clock) = parts((DTN_EPOCH_UNIX_S * 1000 + dtn_ms) * 1_000_000);
    format!("{date}T{}.{:03}Z", clock.hms(), clock.nanos / 1_000_000)
}

/// A capture's time as RFC 3339 with nanoseconds.
pub fn unix_rfc3339(unix_ns: i128) -> String {
    let (date, clock) = parts(unix_ns);
    format!("{date}T{}.{:09}Z", clock.hms(), clock.nanos)
}

/// A capture's time for people, with microseconds: `2026-11-22 04:39:05.123456 UTC`.
pub fn unix_text(unix_ns: i128) -> String {
    let (date, clock) = parts(unix_ns);
    format!("{date} {}.{:06} UTC", clock.hms(), clock.nanos / 1000)
}

/// A span in milliseconds for people: `16.667 min`. Beyond what nanoseconds in 64 bits can tell, in whole days.
pub fn span_text(ms: u64) -> String {
    match i64::try_from(ms) {
        Ok(small) if small <= i64::MAX / 1_000_000 => Duration::from_millis(small).to_string(),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// Reads an RFC 3339 time, such as `2026-12-15T07:06:05.5Z` or with `+01:00`, as DTN milliseconds. Fractions beyond the
/// millisecond are cut off.
///
/// # Errors
/// A message that says what the form is, or that the time is before 2000.
pub fn parse_rfc3339(text: &str) -> Result<u64, String> {
    let form = || format!("`{text}` is no time: write it as in `2026-12-15T07:06:05Z`");
    let (date, rest) = text.split_once(['T', 't', ' ']).ok_or_else(form)?;
    let fields = |part: &str, separator: char, widths: &[usize]| -> Option<Vec<i64>> {
        let fields: Vec<&str> = part.split(separator).collect();
        let fits = fields.len() == widths.len()
            && fields.iter().zip(widths).all(|(f, w)| f.len() == *w && f.bytes().all(|b| b.is_ascii_digit()));
        fits.then(|| fields.iter().filter_map(|f| f.parse().ok()).collect())
    };
    let zone_at = rest.find(['Z', 'z', '+', '-']).ok_or_else(form)?;
    let (clock, zone) = rest.split_at(zone_at);
    let zone_minutes = match zone {
        "Z" | "z" => 0,
        _ => {
            let zone_fields = fields(&zone[1..], ':', &[2, 2]).ok_or_else(form)?;
            let minutes = zone_fields[0] * 60 + zone_fields[1];
            if zone_fields[0] > 23 || zone_fields[1] > 59 {
                return Err(form());
            }
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(c, f)| (c, Some(f)));
    let millis = match fraction {
        None => 0,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{digits:0<3}")[..3].parse::<i64>().map_err(|_| form())?
        }
        Some(_) => return Err(form()),
    };
    let (date, clock) =
        (fields(date, '-', &[4, 2, 2]).ok_or_else(form)?, fields(clock, ':', &[2, 2, 2]).ok_or_else(form)?);
    let (year, month, day) = (date[0], date[1], date[2]);
    let days = days_from_civil(year, month, day);
    // A day that its month does not have would come back as another date.
    if !(1..=12).contains(&month) || civil_from_days(days) != (year, month, day) {
        return Err(form());
    }
    if clock[0] > 23 || clock[1] > 59 || clock[2] > 59 {
        return Err(form());
    }
    let seconds = days * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2] - zone_minutes * 60;
    let dtn_ms = (i128::from(seconds) - DTN_EPOCH_UNIX_S) * 1000 + i128::from(millis);
    u64::try_from(dtn_ms)
        .map_err(|_| format!("{text} is before 2000-01-01, where DTN time begins (RFC 9171 section 4.2.6)"))
}

/// DTN milliseconds of a Unix time in nanoseconds; 0 before 2000.
pub fn dtn_ms_of_unix(unix_ns: i128) -> u64 {
    u64::try_from(unix_ns.div_euclid(1_000_000) - DTN_EPOCH_UNIX_S * 1000).unwrap_or(0)
}

struct Clock {
    second_of_day: i64,
    nanos: i64,
}

impl Clock {
    fn hms(&self) -> String {
        let s = self.second_of_day;
        format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

fn parts(unix_ns: i128) -> (String, Clock) {
    let seconds = unix_ns.div_euclid(NANOS);
    let days = seconds.div_euclid(86_400) as i64;
    let (year, month, day) = civil_from_days(days);
    let clock = Clock { second_of_day: seconds.rem_euclid(86_400) as i64, nanos: unix_ns.rem_euclid(NANOS) as i64 };
    (format!("{year:04}-{month:02}-{day:02}"), clock)
}

// The Gregorian calendar repeats every 400 years of 146,097 days. Years begin in March here, so that the leap day is the
// last of its year and a month's first day is (153 m + 2) / 5.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const UNIX_DAYS: i64 = 719_468;

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * ERA_DAYS + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - UNIX_DAYS
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + UNIX_DAYS;
    let (era, day) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtn_time_begins_with_the_year_2000() {
        assert_eq!(dtn_text(0), "2000-01-01 00:00:00.000 UTC");
        // RFC 9171 has no example; `date -ud @1797318365` says 2026-12-15 07:06:05.
        assert_eq!(dtn_text((1_797_318_365 - 946_684_800) * 1000 + 123), "2026-12-15 07:06:05.123 UTC");
        assert_eq!(unix_rfc3339(1_797_318_365_000_000_001), "2026-12-15T07:06:05.000000001Z");
        assert!(dtn_text(u64::MAX).starts_with("584556"), "{}", dtn_text(u64::MAX));
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, ms) in [
            ("2000-01-01T00:00:00Z", 0),
            ("2026-12-15T07:06:05.123Z", 850_633_565_123),
            ("2026-12-15T08:06:05.1239+01:00", 850_633_565_123),
            ("2024-02-29 00:00:00Z", 762_480_000_000),
        ] {
            assert_eq!(parse_rfc3339(text), Ok(ms), "{text}");
        }
        for text in [
            "",
            "now",
            "2026-12-15",
            "2026-12-15T07:06:05",
            "2023-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-12-15T24:00:00Z",
            "2026-12-15T07:06:05.Z",
            "2026-12-15T07:06:05+1:00",
            "1999-12-31T23:59:59Z",
        ] {
            assert!(parse_rfc3339(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_round_trips() {
        for days in -200_000..=200_000 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
