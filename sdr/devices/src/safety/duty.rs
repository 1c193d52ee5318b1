//! How much of the time was transmitted.

use std::collections::VecDeque;

use super::Duty;

/// Intervals that are remembered; beyond that the oldest are taken as one, with the pause between them.
const INTERVALS: usize = 4096;

/// Times on the air, in order, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct DutyMeter {
    sent: VecDeque<(i64, i64)>,
}

impl DutyMeter {
    /// When samples that are to leave at `start_ns` begin: not before those that were given earlier have left.
    fn begin(&self, start_ns: i64) -> i64 {
        self.sent.back().map_or(start_ns, |(_, end)| start_ns.max(*end))
    }

    /// Whether `length_ns` more from `start_ns` on keep to the limit, or what to wait for.
    pub(super) fn check(&self, limit: &Duty, start_ns: i64, length_ns: i64) -> Result<(), String> {
        if limit.share >= 1.0 {
            return Ok(());
        }
        let window_ns = (limit.window_s * 1e9) as i64;
        let begin = self.begin(start_ns);
        let end = begin.saturating_add(length_ns);
        // Transmission is in order, so no window holds more of it than the one that ends with it.
        let from = end.saturating_sub(window_ns);
        let before: i64 = self.sent.iter().map(|(start, end)| (end - start.max(&from)).max(0)).sum();
        let on_air_ns = before.saturating_add(length_ns.min(window_ns));
        let permitted_ns = (limit.share * limit.window_s * 1e9) as i64;
        if on_air_ns <= permitted_ns {
            return Ok(());
        }
        let percent = |share: f64| format!("{:.3} %", share * 100.0);
        Err(format!(
            "{} ms more would make {} of {} s on the air, and the limit on duty is {}; send less, or later",
            length_ns as f64 / 1e6,
            percent(on_air_ns as f64 / window_ns as f64),
            limit.window_s,
            percent(limit.share)
        ))
    }

    /// Takes note of what has been given to the device.
    pub(super) fn sent(&mut self, limit: &Duty, now_ns: i64, start_ns: i64, length_ns: i64) {
        let begin = self.begin(start_ns);
        let end = begin.saturating_add(length_ns);
        match self.sent.back_mut() {
            Some((_, last)) if *last == begin => *last = end,
            _ => self.sent.push_back((begin, end)),
        }
        let from = now_ns.saturating_sub((limit.window_s * 1e9) as i64);
        while self.sent.front().is_some_and(|(_, end)| *end <= from) {
            self.sent.pop_front();
        }
        if self.sent.len() > INTERVALS {
            let first = self.sent.pop_front();
            if let (Some((start, _)), Some(second)) = (first, self.sent.front_mut()) {
                second.0 = start;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const LIMIT: Duty = Duty { share: 0.1, window_s: 1.0 };

    /// Sends if permitted.
    fn send(meter: &mut DutyMeter, start_ns: i64, length_ns: i64) -> bool {
        let permitted = meter.check(&LIMIT, start_ns, length_ns).is_ok();
        if permitted {
            meter.sent(&LIMIT, start_ns, start_ns, length_ns);
        }
        permitted
    }

    #[test]
    fn the_share_holds_in_any_window() {
        let mut meter = DutyMeter::default();
        assert_eq!(
            meter.check(&LIMIT, 0, 101 * MS).unwrap_err(),
            "101 ms more would make 10.100 % of 1 s on the air, and the limit on duty is 10.000 %; send less, or later"
        );
        assert!(send(&mut meter, 0, 60 * MS));
        // What is given at once follows what was given before.
        assert!(send(&mut meter, 10 * MS, 40 * MS));
        assert!(!send(&mut meter, 500 * MS, 1));
        // A window that ends with it still holds all but what is more than a second ago.
        assert!(!send(&mut meter, 999 * MS, 31 * MS));
        assert!(send(&mut meter, 1000 * MS, 30 * MS));
        assert!(!send(&mut meter, 1029 * MS, 71 * MS));
        assert!(send(&mut meter, 1030 * MS, 70 * MS));
        assert!(!send(&mut meter, 1999 * MS, MS));
        assert!(send(&mut meter, 3000 * MS, 100 * MS));
    }

    #[test]
    fn a_burst_for_later_counts_when_it_leaves() {
        let mut meter = DutyMeter::default();
        meter.sent(&LIMIT, 0, 5000 * MS, 100 * MS);
        assert!(meter.check(&LIMIT, 5100 * MS, MS).is_err());
        assert!(meter.check(&LIMIT, 6001 * MS, MS).is_ok());
        // Told later and for earlier, it leaves after the other all the same.
        assert!(meter.check(&LIMIT, 0, MS).is_err());
        assert!(meter.check(&LIMIT, i64::MAX, i64::MAX).is_err());
    }

    #[test]
    fn memory_is_bounded_and_forgetting_errs_to_silence() {
        let mut meter = DutyMeter::default();
        for number in 0..INTERVALS as i64 * 2 {
            meter.sent(&LIMIT, 0, number * 1000, 1);
        }
        assert_eq!(meter.sent.len(), INTERVALS);
        let kept: i64 = meter.sent.iter().map(|(start, end)| end - start).sum();
        assert!(kept >= INTERVALS as i64 * 2);
    }

    /// Against a count of every microsecond, for times drawn at random.
    #[test]
    fn what_is_permitted_never_exceeds_the_share_counted_by_the_microsecond() {
        use rand::{RngExt, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let limit = Duty { share: 0.25, window_s: 0.001 };
        let mut meter = DutyMeter::default();
        let mut air = vec![false; 200_000];
        let (mut now, mut end, mut permitted, mut refused) = (0usize, 0usize, 0, 0);
        while now < 190_000 {
            now += random.random_range(0..200usize);
            let length = random.random_range(1..100usize);
            let (now_ns, length_ns) = (now as i64 * 1000, length as i64 * 1000);
            if meter.check(&limit, now_ns, length_ns).is_ok() {
                meter.sent(&limit, now_ns, now_ns, length_ns);
                let begin = now.max(end);
                end = begin + length;
                air[begin..end].fill(true);
                permitted += 1;
            } else {
                refused += 1;
            }
        }
        assert!(permitted > 100 && refused > 100, "{permitted} {refused}");
        let most = air.windows(1000).map(|window| window.iter().filter(|on| **on).count()).max().unwrap();
        assert!((200..=250).contains(&most), "{most}");
    }
}
