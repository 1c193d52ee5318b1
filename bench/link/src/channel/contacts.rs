//! When a channel carries.

use farlink_channel_models::Interval;
use farlink_units::Instant;

/// All instants there are.
const EVER: Interval = Interval { start: Instant::from_nanos(i64::MIN), end: Instant::MAX };

/// When a channel carries.
#[derive(Clone, Debug)]
pub enum Contacts {
    /// All the time.
    Always,
    /// In these intervals of emission time, which are in order and do not overlap.
    During(Vec<Interval>),
}

impl Contacts {
    /// The intervals; one that holds every instant where it always carries.
    pub fn intervals(&self) -> &[Interval] {
        match self {
            Contacts::Always => &[EVER],
            Contacts::During(intervals) => intervals,
        }
    }

    /// The contact in which a bit that leaves at `at` finds the channel open.
    pub fn open_at(&self, at: Instant) -> Option<Interval> {
        let next = self.intervals().partition_point(|i| i.start <= at);
        next.checked_sub(1).map(|index| self.intervals()[index]).filter(|i| at < i.end)
    }

    /// Whether every bit that leaves from `start` to `end` finds the channel open.
    pub(super) fn hold(&self, start: Instant, end: Instant) -> bool {
        match self {
            Contacts::Always => true,
            Contacts::During(intervals) => {
                let next = intervals.partition_point(|i| i.start <= start);
                next.checked_sub(1).is_some_and(|i| end <= intervals[i].end)
            }
        }
    }

    /// Become others from `at` on. What they were before stays, as far back as `since`. A contact that holds on both sides of
    /// `at` is one.
    pub(super) fn replace_from(&mut self, since: Instant, at: Instant, others: &Contacts) {
        let past = self.intervals().iter().filter(|i| i.start < at && i.end > since);
        let mut spliced: Vec<Interval> = past.map(|i| Interval { start: i.start, end: i.end.min(at) }).collect();
        for other in others.intervals().iter().filter(|i| i.end > at) {
            let start = other.start.max(at);
            match spliced.last_mut() {
                Some(last) if start == at && last.end == at => last.end = other.end,
                _ => spliced.push(Interval { start, end: other.end }),
            }
        }
        *self = if spliced == [EVER] { Contacts::Always } else { Contacts::During(spliced) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Instant {
        Instant::from_nanos(secs * 1_000_000_000)
    }

    fn during(spans: &[(i64, i64)]) -> Contacts {
        Contacts::During(spans.iter().map(|(start, end)| Interval { start: at(*start), end: at(*end) }).collect())
    }

    fn spans(contacts: &Contacts) -> Vec<(i64, i64)> {
        let secs = |instant: Instant| instant.as_nanos() / 1_000_000_000;
        contacts.intervals().iter().map(|i| (secs(i.start), secs(i.end))).collect()
    }

    #[test]
    fn what_was_stays_and_what_comes_is_the_other() {
        let plan = during(&[(0, 10), (20, 30), (40, 50)]);
        let mut now = plan.clone();
        now.replace_from(at(0), at(25), &during(&[]));
        assert_eq!(spans(&now), [(0, 10), (20, 25)]);
        now.replace_from(at(22), at(27), &plan);
        assert_eq!(spans(&now), [(20, 25), (27, 30), (40, 50)], "what ended before `since` is forgotten");
        now.replace_from(at(28), at(28), &Contacts::Always);
        assert_eq!(spans(&now), [(27, i64::MAX / 1_000_000_000)], "an open contact goes on");
        assert!(now.hold(at(27), at(99)) && !now.hold(at(26), at(28)));
        assert_eq!(now.open_at(at(26)), None);
        let mut always = Contacts::Always;
        always.replace_from(at(0), at(5), &Contacts::Always);
        assert!(matches!(always, Contacts::Always));
    }
}
