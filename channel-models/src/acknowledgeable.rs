//! What can still be acknowledged in the same contact.
//!
//! Source: *Delay-Tolerant Network Architecture*, draft-irtf-ipnrg-arch-01 (2002), section 12.3 and its table 1.

use farlink_units::{Duration, Instant};

use crate::contacts::Interval;
use crate::light_time::LightTime;

/// When what is sent during `sent` arrives. The first and the last instant move by their own light times.
pub fn arrivals(sent: Interval, light_time: &LightTime) -> Interval {
    let arrival = |at| at + light_time.at(at);
    Interval { start: arrival(sent.start), end: arrival(sent.end) }
}

/// The part of `sent` in which something can be sent that the far end receives, and answers after `turnaround`, while it
/// transmits itself in `answers`. `None` if nothing can.
///
/// Its end is the first instant at which it is too late: what leaves then waits for its answer until the next contact. The
/// answer needs no look of its own: an end that transmits in `answers` is heard one light time later.
/// Light times are those of the way out, and times are on one clock. An edge is right to the nanosecond.
///
/// ```
/// use farlink_channel_models::{Interval, LightTime, acknowledgeable};
/// use farlink_units::{Duration, Instant};
///
/// // Heard four minutes later, by a station that stops transmitting after an hour.
/// let minute = |m: i64| Instant::ZERO + Duration::from_secs(60 * m);
/// let hour = Interval { start: minute(0), end: minute(60) };
/// let light_time = LightTime::Constant(Duration::from_secs(240));
/// assert_eq!(acknowledgeable(hour, &light_time, hour, Duration::ZERO).unwrap().end, minute(56));
/// ```
pub fn acknowledgeable(
    sent: Interval,
    light_time: &LightTime,
    answers: Interval,
    turnaround: Duration,
) -> Option<Interval> {
    if sent.start >= sent.end || answers.start >= answers.end {
        return None;
    }
    let answered = |at: Instant| at + light_time.at(at) + turnaround;
    // Nothing outruns light, so a later emission never arrives earlier, and halving finds the first in time.
    let first_answered_from = |edge: Instant| {
        let (mut low, mut high) = (sent.start.as_nanos(), sent.end.as_nanos());
        while low < high {
            let middle = low + ((high as i128 - low as i128) / 2) as i64;
            if answered(Instant::from_nanos(middle)) >= edge { high = middle } else { low = middle + 1 }
        }
        Instant::from_nanos(low)
    };
    let part = Interval { start: first_answered_from(answers.start), end: first_answered_from(answers.end) };
    (part.start < part.end).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: i64, end: i64) -> Interval {
        Interval { start: Instant::from_nanos(start), end: Instant::from_nanos(end) }
    }

    fn part(sent: Interval, light: i64, answers: Interval, turnaround: i64) -> Option<Interval> {
        let light_time = LightTime::Constant(Duration::from_nanos(light));
        acknowledgeable(sent, &light_time, answers, Duration::from_nanos(turnaround))
    }

    #[test]
    fn both_edges_and_the_turnaround_count() {
        assert_eq!(part(span(0, 100), 10, span(0, 100), 0), Some(span(0, 90)));
        assert_eq!(part(span(0, 100), 10, span(0, 100), 7), Some(span(0, 83)));
        assert_eq!(part(span(0, 100), 10, span(40, 1000), 0), Some(span(30, 100)));
        assert_eq!(part(span(0, 1), 0, span(0, 1), 0), Some(span(0, 1)));
    }

    #[test]
    fn nothing_is_in_time_where_nothing_can_be() {
        assert_eq!(part(span(0, 100), 100, span(0, 100), 0), None);
        assert_eq!(part(span(0, 100), 10, span(500, 600), 0), None);
        assert_eq!(part(span(100, 0), 10, span(0, 100), 0), None);
        assert_eq!(part(span(0, 100), 10, span(100, 0), 0), None);
    }

    #[test]
    fn the_widest_intervals_do_not_overflow() {
        let all = span(i64::MIN, i64::MAX);
        assert_eq!(part(all, 0, all, 0), Some(all));
    }
}
