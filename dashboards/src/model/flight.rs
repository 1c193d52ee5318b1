//! Where along a channel its signals are.

use std::collections::VecDeque;

use farlink_units::{Duration, Instant};

/// Frames that leave closer together than this part of the light time are told as one: no arrow is drawn that finely.
const GRAIN: i64 = 128;

/// What has left the transmitter and not yet reached the receiver, as intervals in which it was transmitting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flight {
    /// In order. Those that are near each other are one, so there are no more than [`GRAIN`] within a light time.
    bursts: VecDeque<(Instant, Instant)>,
}

impl Flight {
    /// Takes in a frame that leaves from `start` to `end`, and lets go of those that have all arrived by then.
    pub(super) fn sent(&mut self, now: Instant, start: Instant, end: Instant, light_time: Duration) {
        while self.bursts.front().is_some_and(|(_, last)| *last + light_time < now) {
            self.bursts.pop_front();
        }
        let grain = Duration::from_nanos(light_time.as_nanos() / GRAIN);
        match self.bursts.back_mut() {
            Some((_, last)) if start <= *last + grain => *last = (*last).max(end),
            _ => self.bursts.push_back((start, end)),
        }
    }

    /// Whether something is under way between two points of the channel, told as parts of the way from the transmitter.
    pub fn is_between(&self, now: Instant, light_time: Duration, from: f64, to: f64) -> bool {
        let left_at = |part: f64| now - Duration::from_secs_f64(light_time.as_secs_f64() * part);
        let (newest, oldest) = (left_at(from), left_at(to));
        self.bursts.iter().any(|(start, end)| *start <= newest && *end > oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Instant {
        Instant::from_secs_f64(seconds)
    }

    #[test]
    fn a_burst_leaves_travels_and_arrives() {
        let light_time = Duration::from_secs(100);
        let mut flight = Flight::default();
        for second in 0..10 {
            let start = f64::from(second);
            flight.sent(at(start), at(start), at(start + 1.0), light_time);
        }
        assert_eq!(flight.bursts.len(), 1);
        let cells = |now: f64| -> String {
            let part = |cell: u32| f64::from(cell) / 10.0;
            let cell = |cell| flight.is_between(at(now), light_time, part(cell), part(cell + 1));
            (0..10).map(|at| if cell(at) { '#' } else { '.' }).collect()
        };
        assert_eq!(cells(-1.0), "..........");
        assert_eq!(cells(5.0), "#.........");
        assert_eq!(cells(55.0), "....##....");
        assert_eq!(cells(105.0), ".........#");
        assert_eq!(cells(111.0), "..........");
    }

    #[test]
    fn what_has_arrived_is_let_go_of() {
        let light_time = Duration::from_secs(1);
        let mut flight = Flight::default();
        for second in 0..1000 {
            let start = f64::from(second) * 2.0;
            flight.sent(at(start), at(start), at(start + 0.1), light_time);
        }
        assert!(flight.bursts.len() <= 2, "{}", flight.bursts.len());
    }
}
