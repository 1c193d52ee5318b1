//! How fast the playhead moves, and where.
//!
//! Across space nearly all the time is spent waiting: a file crosses a link in a minute of a day. At one speed for the whole
//! day that minute would be over between two drawings, and slowed down for it the day would take hours to watch. So busy time
//! and idle time have a speed each, such that half of what is watched is something that happens.

use std::time::Duration as Span;

use farlink_record::{Event, Stamped};
use farlink_units::{Duration, Instant};

/// Two events that are at most this far apart have busy time between them: more than parts the frames of a transfer on a slow
/// link, far less than any wait for a contact or for light to cross between planets.
const BUSY_GAP: Duration = Duration::from_secs(2);

/// The busy time of a run as far as it is known, and the speeds that follow from it.
#[derive(Clone, Debug)]
pub(crate) struct Tempo {
    span: f64,
    duration: f64,
    /// First and last event of each stretch of busy time, in order. There are few, however many events there are.
    stretches: Vec<(Instant, Instant)>,
    busy_total: Duration,
}

impl Tempo {
    /// For a scenario of this length that is to be watched in `span`.
    pub fn new(duration: Duration, span: Span) -> Self {
        Tempo {
            span: span.as_secs_f64().max(1e-3),
            // A scenario without length has nothing to be played slowly.
            duration: duration.as_secs_f64().max(1e-9),
            stretches: Vec::new(),
            busy_total: Duration::ZERO,
        }
    }

    /// Takes note of an event; they come in order.
    pub fn feed(&mut self, stamped: &Stamped) {
        let at = stamped.at;
        match (&stamped.event, self.stretches.last_mut()) {
            // Comes once a minute whether or not anything happens.
            (Event::LightTime { .. }, _) => {}
            (_, Some((_, last))) if at - *last <= BUSY_GAP => {
                self.busy_total += at - *last;
                *last = at;
            }
            // An event on its own takes no time.
            (_, Some(stretch)) if stretch.0 == stretch.1 => *stretch = (at, at),
            _ => self.stretches.push((at, at)),
        }
    }

    /// Seconds of the scenario in a second of the screen, in busy and in idle time.
    fn speeds(&self) -> (f64, f64) {
        let base = self.duration / self.span;
        let busy = self.busy_total.as_secs_f64();
        // A few frames in a whole day need no slow motion: they are watched as they happen, unless everything is slower.
        let busy_speed = (busy / (self.span / 2.0)).max(base.min(1.0));
        if busy == 0.0 || busy_speed >= base {
            return (base, base);
        }
        (busy_speed, (self.duration - busy) / (self.span - busy / busy_speed))
    }

    /// The speed from an instant on, and until when it holds.
    pub fn at(&self, head: Instant) -> (f64, Instant) {
        let (busy, idle) = self.speeds();
        let next = self.stretches.partition_point(|(_, last)| *last <= head);
        match self.stretches.get(next) {
            Some((first, last)) if *first <= head => (busy, *last),
            Some((first, _)) => (idle, *first),
            None => (idle, Instant::MAX),
        }
    }

    /// Where the playhead gets to from `head` within `elapsed` seconds of the screen, every speed times `factor`.
    pub fn walk(&self, mut head: Instant, mut elapsed: f64, factor: f64) -> Instant {
        loop {
            let (speed, until) = self.at(head);
            let on = Duration::from_secs_f64(elapsed * speed * factor);
            if until == Instant::MAX || on < until - head {
                return head + on;
            }
            elapsed -= (until - head).as_secs_f64() / (speed * factor);
            head = until;
            if elapsed <= 0.0 {
                return head;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Instant {
        Instant::from_secs_f64(seconds)
    }

    /// A scenario of 1000 s to be watched in 10 s, with something happening at these seconds.
    fn tempo(seconds: impl IntoIterator<Item = f64>) -> Tempo {
        let mut tempo = Tempo::new(Duration::from_secs(1000), Span::from_secs(10));
        for second in seconds {
            tempo.feed(&Stamped { at: at(second), event: Event::Ended { interrupted: false } });
        }
        tempo
    }

    #[test]
    fn half_of_the_span_is_for_what_happens() {
        let tempo = tempo((0..=20).map(|second| 500.0 + f64::from(second)));
        assert_eq!(tempo.at(at(0.0)), (196.0, at(500.0)));
        assert_eq!(tempo.at(at(500.0)), (4.0, at(520.0)));
        assert_eq!(tempo.at(at(520.0)), (196.0, Instant::MAX));
        // 500 s of idle time, all the busy time, and the rest.
        let busy_from = 500.0 / 196.0;
        assert_eq!(tempo.walk(at(0.0), busy_from + 1.0, 1.0), at(504.0));
        let end = tempo.walk(at(0.0), 10.0, 1.0).as_secs_f64();
        assert!((end - 1000.0).abs() < 1e-3, "{end}");
        let end = tempo.walk(at(0.0), 5.0, 2.0).as_secs_f64();
        assert!((end - 1000.0).abs() < 1e-3, "{end}");
    }

    #[test]
    fn the_busy_time_is_known_as_it_comes_in() {
        let tempo = tempo([1.0, 3.0, 5.5, 100.0, 101.0, 101.0, 103.0]);
        assert_eq!(tempo.busy_total, Duration::from_secs(5));
        assert_eq!(tempo.stretches, [(at(1.0), at(3.0)), (at(100.0), at(103.0))]);
    }

    #[test]
    fn light_time_is_no_activity() {
        let mut tempo = tempo([1.0]);
        let light_time = Duration::from_secs(1).into();
        let event = Event::LightTime { channel: farlink_record::ChannelId(0), light_time };
        tempo.feed(&Stamped { at: at(2.0), event });
        assert_eq!(tempo.busy_total, Duration::ZERO);
    }

    #[test]
    fn busy_time_is_never_the_faster() {
        assert_eq!(tempo([]).speeds(), (100.0, 100.0));
        assert_eq!(tempo((0..=600).map(f64::from)).speeds(), (100.0, 100.0));
        let (busy, idle) = tempo((0..=499).map(f64::from)).speeds();
        assert!(busy < 100.0 && idle > 100.0, "{busy} {idle}");
    }

    #[test]
    fn a_moment_is_not_stretched_beyond_what_it_takes() {
        let (busy, idle) = tempo([10.0, 11.0]).speeds();
        assert_eq!((busy, idle), (1.0, 111.0));
    }
}
