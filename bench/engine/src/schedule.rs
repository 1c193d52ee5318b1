//! What a node knows of its contacts: the operating schedule that RFC 5326 §5 expects of the environment.

use farlink_units::{Duration, Instant};

/// A contact in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// When transmission may begin.
    pub start: Instant,
    /// When the last bit must have left.
    pub end: Instant,
    /// Data rate in bits per second; 0 where the link paces the node and the node need not.
    pub rate_bps: u64,
    /// One-way light time at some instants, in order of time; between them it is interpolated. Never empty.
    pub light_time: Vec<(Instant, Duration)>,
}

impl Window {
    /// A contact that never ends, at a constant distance.
    pub fn always(rate_bps: u64, light_time: Duration) -> Self {
        Window { start: Instant::ZERO, end: Instant::MAX, rate_bps, light_time: vec![(Instant::ZERO, light_time)] }
    }

    /// Light time of a bit that leaves at `at`; outside the known instants, that of the nearest one.
    pub fn light_time_at(&self, at: Instant) -> Duration {
        let next = self.light_time.partition_point(|(t, _)| *t <= at);
        match (next.checked_sub(1).and_then(|i| self.light_time.get(i)), self.light_time.get(next)) {
            (Some((t0, d0)), Some((t1, d1))) => {
                let share = (at - *t0).as_nanos() as f64 / (*t1 - *t0).as_nanos() as f64;
                *d0 + Duration::from_nanos(((*d1 - *d0).as_nanos() as f64 * share) as i64)
            }
            (Some((_, d)), None) | (None, Some((_, d))) => *d,
            (None, None) => Duration::ZERO,
        }
    }
}

/// The contacts of one direction, in order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    windows: Vec<Window>,
}

impl Schedule {
    /// A schedule of these contacts; they are put in order of time.
    pub fn new(mut windows: Vec<Window>) -> Self {
        windows.sort_by_key(|w| w.start);
        Schedule { windows }
    }

    /// The contact that is open at `now`.
    pub fn open_at(&self, now: Instant) -> Option<&Window> {
        let next = self.windows.partition_point(|w| w.start <= now);
        next.checked_sub(1).map(|i| &self.windows[i]).filter(|w| now < w.end)
    }

    /// The next instant after `now` at which a contact begins or ends.
    pub fn next_edge(&self, now: Instant) -> Option<Instant> {
        let next = self.windows.partition_point(|w| w.start <= now);
        let end = next.checked_sub(1).map(|i| self.windows[i].end).filter(|end| *end > now && *end < Instant::MAX);
        end.into_iter().chain(self.windows.get(next).map(|w| w.start)).min()
    }

    /// Light time of a bit that leaves at `now`, or at the nearest known instant.
    pub fn light_time_at(&self, now: Instant) -> Duration {
        let next = self.windows.partition_point(|w| w.start <= now);
        let before = next.checked_sub(1).map(|i| &self.windows[i]);
        let after = self.windows.get(next);
        match (before, after) {
            (Some(b), Some(a)) if now > b.end && a.start - now < now - b.end => a.light_time_at(now),
            (Some(w), _) | (None, Some(w)) => w.light_time_at(now),
            (None, None) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    fn window(start: i64, end: i64, light: [i64; 2]) -> Window {
        let light_time = vec![(at(start), Duration::from_secs(light[0])), (at(end), Duration::from_secs(light[1]))];
        Window { start: at(start), end: at(end), rate_bps: 1000, light_time }
    }

    #[test]
    fn a_schedule_knows_what_is_open_and_what_comes_next() {
        let schedule = Schedule::new(vec![window(100, 200, [5, 5]), window(10, 20, [3, 4])]);
        assert_eq!(schedule.open_at(at(9)), None);
        assert_eq!(schedule.open_at(at(10)).map(|w| w.end), Some(at(20)));
        assert_eq!(schedule.open_at(at(20)), None, "a contact does not hold its last instant");
        assert_eq!(schedule.next_edge(at(0)), Some(at(10)));
        assert_eq!(schedule.next_edge(at(10)), Some(at(20)));
        assert_eq!(schedule.next_edge(at(20)), Some(at(100)));
        assert_eq!(schedule.next_edge(at(200)), None);
    }

    #[test]
    fn light_time_is_interpolated_within_a_contact_and_taken_from_the_nearest_outside() {
        let schedule = Schedule::new(vec![window(10, 20, [3, 4]), window(100, 200, [5, 6])]);
        assert_eq!(schedule.light_time_at(at(15)), Duration::from_millis(3500));
        assert_eq!(schedule.light_time_at(at(0)), Duration::from_secs(3));
        assert_eq!(schedule.light_time_at(at(30)), Duration::from_secs(4));
        assert_eq!(schedule.light_time_at(at(90)), Duration::from_secs(5));
        assert_eq!(schedule.light_time_at(at(900)), Duration::from_secs(6));
        assert_eq!(Window::always(0, Duration::from_secs(2)).light_time_at(at(7)), Duration::from_secs(2));
    }
}
