//! Numbers and times as the view writes them: short, and never wider than their column.

use farlink_units::{Duration, Instant};

/// How instants are written: every one eight characters wide if the scenario is shorter than 100 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `mm:ss.cc`
    Centiseconds,
    /// `hh:mm:ss`
    Seconds,
    /// `dd hh:mm`, as in `2d 03:15`
    Minutes,
}

impl Clock {
    /// The one that shows the most of a scenario this long.
    pub fn for_duration(duration: Duration) -> Self {
        match duration.as_secs_f64() {
            ..=600.0 => Clock::Centiseconds,
            ..=86_400.0 => Clock::Seconds,
            _ => Clock::Minutes,
        }
    }

    /// Writes an instant, cut to the last place shown.
    pub fn write(self, at: Instant) -> String {
        let sign = if at.as_nanos() < 0 { "-" } else { "" };
        let centis = at.as_nanos().unsigned_abs() / 10_000_000;
        let (secs, centis) = (centis / 100, centis % 100);
        let (mins, s) = (secs / 60, secs % 60);
        let (hours, m) = (mins / 60, mins % 60);
        match self {
            Clock::Centiseconds => format!("{sign}{mins:02}:{s:02}.{centis:02}"),
            Clock::Seconds => format!("{sign}{hours:02}:{m:02}:{s:02}"),
            Clock::Minutes => format!("{sign}{}d {:02}:{m:02}", hours / 24, hours % 24),
        }
    }
}

/// A count in at most five characters.
pub fn count(n: u64) -> String {
    const UNITS: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
    if n < 100_000 {
        return n.to_string();
    }
    let mut value = n as f64 / 1000.0;
    let mut unit = 0;
    // 999.5 would be written as 1000.
    while value >= 999.5 {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}{}", UNITS[unit])
}

/// A number of bytes.
pub fn bytes(n: u64) -> String {
    farlink_units::Size::from_bytes(n).to_string()
}

/// A light time in at most eight characters.
pub fn light_time(time: Duration) -> String {
    let secs = time.as_secs_f64();
    match secs {
        ..1e-6 => format!("{} ns", time.as_nanos()),
        ..1e-3 => format!("{} us", significant(secs * 1e6)),
        ..1.0 => format!("{} ms", significant(secs * 1e3)),
        ..100.0 => format!("{} s", significant(secs)),
        ..36_000.0 => format!("{}m {:02}s", secs as u64 / 60, secs as u64 % 60),
        _ => format!("{}h {:02}m", secs as u64 / 3600, secs as u64 / 60 % 60),
    }
}

/// Three significant places, without needless noughts.
fn significant(value: f64) -> String {
    let decimals = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A speed-up or slow-down, as in `×120`.
pub fn speed(factor: f64) -> String {
    match factor {
        ..0.001 => format!("×{factor:.1e}"),
        ..1e5 => format!("×{}", significant(factor)),
        _ => format!("×{}", count(factor as u64)),
    }
}

/// Text cut to a width, with `…` where something is missing.
pub fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { kept } else { format!("{kept}…") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_never_exceed_five_characters() {
        for (n, text) in [
            (0, "0"),
            (99_999, "99999"),
            (100_000, "100k"),
            (999_499, "999k"),
            (999_500, "1.00M"),
            (9_994_999, "9.99M"),
            (9_995_000, "10.0M"),
            (u64::MAX, "18.4E"),
        ] {
            assert_eq!(count(n), text);
            assert!(text.chars().count() <= 5);
        }
    }

    #[test]
    fn light_times_read_at_every_distance() {
        let text = |nanos| light_time(Duration::from_nanos(nanos));
        assert_eq!(text(0), "0 ns");
        assert_eq!(text(1_334_000), "1.33 ms");
        assert_eq!(text(1_282_000_000), "1.28 s");
        assert_eq!(text(20 * 60_000_000_000 + 5_900_000_000), "20m 05s");
        assert_eq!(text(4 * 3_600_000_000_000), "240m 00s");
        assert_eq!(text(22 * 3_600_000_000_000), "22h 00m");
    }

    #[test]
    fn instants_have_the_detail_that_the_scenario_needs() {
        let at = Instant::from_nanos(90_061_239_000_000);
        assert_eq!(Clock::for_duration(Duration::from_secs(10)).write(Instant::from_nanos(61_239_000_000)), "01:01.23");
        assert_eq!(Clock::for_duration(Duration::from_secs(7200)).write(at), "25:01:01");
        assert_eq!(Clock::for_duration(Duration::from_secs(200_000)).write(at), "1d 01:01");
    }

    #[test]
    fn text_that_is_cut_says_so() {
        assert_eq!(fit("lander→orbiter", 14), "lander→orbiter");
        assert_eq!(fit("lander→orbiter", 8), "lander→…");
        assert_eq!(fit("lander", 0), "");
    }
}
