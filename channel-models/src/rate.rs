//! How fast a channel sends.

use farlink_units::{BitRate, Duration, Instant};
use thiserror::Error;

use crate::series::Series;

/// Bit-nanoseconds that a bit takes at one bit per second.
const NANOS: u128 = 1_000_000_000;

/// Why a list of steps is no rate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RateError {
    /// There is no step.
    #[error("a rate that steps has at least one step: give it an instant and the rate from there on")]
    Empty,
    /// Two instants are equal, or the later stands first.
    #[error("step {index} is at {at}, not after {before} before it: sort the steps and drop what stands twice")]
    Order {
        /// Its place in the list, from 0.
        index: usize,
        /// Its instant.
        at: Instant,
        /// That of the step before.
        before: Instant,
    },
}

/// The data rate of a channel as a function of time: level between steps, and possibly none at all.
///
/// Before its first step it is what the first step says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    first: Option<BitRate>,
    /// The steps after that, each with the rate from there on.
    steps: Vec<(Instant, Option<BitRate>)>,
}

/// When the bits of a frame leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// The last bit has left at this instant.
    Done(Instant),
    /// From this instant on there is no rate, with bits still to send.
    Silent(Instant),
}

impl Rate {
    /// The same rate always.
    pub fn constant(rate: BitRate) -> Self {
        Rate { first: Some(rate), steps: Vec::new() }
    }

    /// None at all: nothing that is offered ever leaves.
    pub fn silent() -> Self {
        Rate { first: None, steps: Vec::new() }
    }

    /// A rate that changes at given instants, each with what it is from there on; `None` is silence.
    ///
    /// # Errors
    /// No step, or instants that do not rise.
    pub fn steps(steps: Vec<(Instant, Option<BitRate>)>) -> Result<Self, RateError> {
        let Some(&(_, first)) = steps.first() else { return Err(RateError::Empty) };
        for (index, pair) in steps.windows(2).enumerate() {
            if pair[1].0 <= pair[0].0 {
                return Err(RateError::Order { index: index + 1, at: pair[1].0, before: pair[0].0 });
            }
        }
        let mut rate = Rate { first, steps: Vec::new() };
        for (at, next) in steps.into_iter().skip(1) {
            rate.push(at, next);
        }
        Ok(rate)
    }

    /// The highest of `rates` that the link holds, as C/N0 changes: the highest whose Eb/N0 (`c_n0_db_hz` − 10 log₁₀ rate) is
    /// at least `required_eb_n0_db`; silence where not even the lowest holds. What the budget loses after C/N0 and what
    /// margin it shall keep belong into `required_eb_n0_db`.
    ///
    /// The instant of each step is found on the lines of the series, not on a grid.
    pub fn following(c_n0_db_hz: &Series, rates: &[BitRate], required_eb_n0_db: f64) -> Self {
        let mut ladder: Vec<(f64, BitRate)> =
            rates.iter().map(|rate| (required_eb_n0_db + 10.0 * (rate.bps() as f64).log10(), *rate)).collect();
        ladder.sort_by_key(|(_, rate)| *rate);
        let held = |c_n0: f64| ladder.iter().rev().find(|(needs, _)| c_n0 >= *needs).map(|(_, rate)| *rate);
        let knots = c_n0_db_hz.knots();
        let mut rate = Rate { first: held(knots[0].1), steps: Vec::new() };
        for pair in knots.windows(2) {
            let ((t0, v0), (t1, v1)) = (pair[0], pair[1]);
            // Where the line crosses what a rate needs, that rate begins or ends to hold.
            let mut crossings: Vec<f64> = ladder
                .iter()
                .map(|(needs, _)| (needs - v0) / (v1 - v0))
                .filter(|share| (0.0..1.0).contains(share))
                .collect();
            crossings.sort_by(f64::total_cmp);
            let span = t1.as_secs_f64() - t0.as_secs_f64();
            for (index, share) in crossings.iter().enumerate() {
                let until = crossings.get(index + 1).copied().unwrap_or(1.0);
                let inside = v0 + (v1 - v0) * (share + until) / 2.0;
                rate.push(t0 + Duration::from_secs_f64(span * share), held(inside));
            }
            rate.push(t1, held(v1));
        }
        rate
    }

    /// The rate at an instant.
    pub fn at(&self, at: Instant) -> Option<BitRate> {
        let next = self.steps.partition_point(|(step, _)| *step <= at);
        next.checked_sub(1).map_or(self.first, |previous| self.steps[previous].1)
    }

    /// The first instant after `at` at which it changes.
    pub fn next_change(&self, at: Instant) -> Option<Instant> {
        let next = self.steps.partition_point(|(step, _)| *step <= at);
        self.steps.get(next).map(|(step, _)| *step)
    }

    /// The instants at which it changes, each with the rate from there on.
    pub fn changes(&self) -> &[(Instant, Option<BitRate>)] {
        &self.steps
    }

    /// When the last of `bits` leaves, the first of which begins at `start`: the integral of the rate, rounded up to the
    /// nanosecond. A frame that is cut off by silence does not go on after it.
    #[inline]
    pub fn send(&self, start: Instant, bits: u64) -> Sending {
        match self.first {
            Some(rate) if self.steps.is_empty() => Sending::Done(start + rate.time_for_bits(bits)),
            _ => self.integrate(start, bits),
        }
    }

    fn integrate(&self, start: Instant, bits: u64) -> Sending {
        let mut next = self.steps.partition_point(|(step, _)| *step <= start);
        let mut rate = self.at(start);
        let (mut at, mut left) = (start, u128::from(bits) * NANOS);
        loop {
            let Some(bps) = rate.map(|r| u128::from(r.bps())) else { return Sending::Silent(at) };
            let end = at + Duration::from_nanos(i64::try_from(left.div_ceil(bps)).unwrap_or(i64::MAX));
            let Some(&(step, following)) = self.steps.get(next).filter(|(step, _)| *step < end) else {
                return Sending::Done(end);
            };
            left = left.saturating_sub((step - at).as_nanos().unsigned_abs() as u128 * bps);
            (at, rate, next) = (step, following, next + 1);
        }
    }

    /// Becomes another rate from `at` on. What it was before stays, as far back as `since`.
    pub fn replace_from(&mut self, since: Instant, at: Instant, other: &Rate) {
        self.first = self.at(since);
        self.steps.retain(|(step, _)| *step > since && *step < at);
        self.push(at, other.at(at));
        for (step, rate) in other.steps.iter().filter(|(step, _)| *step > at) {
            self.push(*step, *rate);
        }
    }

    /// Appends a step, if it is one. Of two at one instant the later counts.
    fn push(&mut self, at: Instant, rate: Option<BitRate>) {
        self.steps.pop_if(|(last, _)| *last == at);
        let last = self.steps.last().map_or(self.first, |(_, rate)| *rate);
        if rate != last {
            self.steps.push((at, rate));
        }
    }
}

impl From<BitRate> for Rate {
    fn from(rate: BitRate) -> Self {
        Rate::constant(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn bps(bps: u64) -> Option<BitRate> {
        BitRate::from_bps(bps)
    }

    #[test]
    fn a_frame_takes_the_integral_of_the_rate() {
        let rate = Rate::steps(vec![(ms(0), bps(1000)), (ms(1000), bps(4000)), (ms(2000), bps(500))]).unwrap();
        assert_eq!(rate.send(ms(0), 1000), Sending::Done(ms(1000)), "ends with the step");
        assert_eq!(rate.send(ms(500), 1500), Sending::Done(ms(1250)), "500 bits and 1000 bits");
        assert_eq!(rate.send(ms(500), 4750), Sending::Done(ms(2500)), "500, 4000 and 250 bits");
        assert_eq!(rate.send(ms(-1000), 1500), Sending::Done(ms(500)), "before the first step as at it");
        assert_eq!(rate.send(ms(700), 0), Sending::Done(ms(700)));
        // Thirds of a nanosecond are not lost at a step: 1 bit at 3 bit/s, half of it before the step.
        let thirds = Rate::steps(vec![(ms(0), bps(3)), (Instant::from_nanos(166_666_667), bps(1))]).unwrap();
        assert_eq!(thirds.send(ms(0), 1), Sending::Done(Instant::from_nanos(666_666_666)));
    }

    #[test]
    fn silence_cuts_off() {
        assert_eq!(Rate::silent().send(ms(5), 1), Sending::Silent(ms(5)));
        let rate = Rate::steps(vec![(ms(0), bps(1000)), (ms(1000), None), (ms(3000), bps(1000))]).unwrap();
        assert_eq!(rate.send(ms(500), 500), Sending::Done(ms(1000)));
        assert_eq!(rate.send(ms(500), 501), Sending::Silent(ms(1000)));
        assert_eq!(rate.send(ms(3000), 1), Sending::Done(ms(3001)));
        assert_eq!((rate.at(ms(999)), rate.at(ms(1000)), rate.at(ms(3000))), (bps(1000), None, bps(1000)));
        assert_eq!((rate.next_change(ms(0)), rate.next_change(ms(3000))), (Some(ms(1000)), None));
    }

    #[test]
    fn the_highest_rate_that_holds_is_taken() {
        let rates = [bps(10_000).unwrap(), bps(1000).unwrap(), bps(100_000).unwrap()];
        // 30, 40 and 50 dB·Hz with an Eb/N0 of nothing; 1 dB/s up, then down twice as fast.
        let c_n0 = Series::new(vec![(ms(0), 25.0), (ms(20_000), 45.0), (ms(30_000), 25.0)]).unwrap();
        let rate = Rate::following(&c_n0, &rates, 0.0);
        let expected = [(ms(5000), bps(1000)), (ms(15_000), bps(10_000)), (ms(22_500), bps(1000)), (ms(27_500), None)];
        assert_eq!((rate.at(ms(0)), rate.changes()), (None, &expected[..]));
        // A margin of 10 dB takes the next rate down.
        let careful = Rate::following(&c_n0, &rates, 10.0);
        assert_eq!(careful.changes(), [(ms(15_000), bps(1000)), (ms(22_500), None)]);
        assert_eq!(Rate::following(&Series::constant(99.0), &rates, 0.0), Rate::constant(bps(100_000).unwrap()));
        assert_eq!(Rate::following(&Series::constant(99.0), &[], 0.0), Rate::silent());
        // A knot at exactly what a rate needs is no step that lasts for nothing.
        let touch = Series::new(vec![(ms(0), 35.0), (ms(10), 40.0), (ms(20), 35.0)]).unwrap();
        assert_eq!(Rate::following(&touch, &rates, 0.0), Rate::constant(bps(1000).unwrap()));
        let cross = Series::new(vec![(ms(0), 35.0), (ms(10), 40.0), (ms(20), 45.0)]).unwrap();
        assert_eq!(Rate::following(&cross, &rates, 0.0).changes(), [(ms(10), bps(10_000))]);
    }

    #[test]
    fn a_rate_that_is_replaced_keeps_its_past() {
        let mut rate = Rate::steps(vec![(ms(0), bps(1)), (ms(100), bps(2)), (ms(900), bps(3))]).unwrap();
        rate.replace_from(ms(50), ms(500), &Rate::steps(vec![(ms(0), bps(7)), (ms(600), None)]).unwrap());
        assert_eq!(rate.at(ms(60)), bps(1));
        assert_eq!(rate.changes(), [(ms(100), bps(2)), (ms(500), bps(7)), (ms(600), None)]);
        rate.replace_from(ms(550), ms(550), &Rate::constant(bps(9).unwrap()));
        assert_eq!(rate.changes(), [(ms(550), bps(9))]);
    }

    #[test]
    fn steps_must_rise() {
        assert_eq!(Rate::steps(Vec::new()), Err(RateError::Empty));
        let error = Rate::steps(vec![(ms(0), bps(1)), (ms(0), None)]).unwrap_err();
        assert_eq!(error, RateError::Order { index: 1, at: ms(0), before: ms(0) });
        assert!(error.to_string().contains("step 1"));
    }
}
