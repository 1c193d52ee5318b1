//! A quantity that changes along a pass.

use farlink_units::{Duration, Instant};
use thiserror::Error;

/// Why a list of values is no series.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SeriesError {
    /// There is no value at all.
    #[error("a series has at least one value: give it an instant and what holds there")]
    Empty,
    /// Two instants are equal, or the later stands first.
    #[error("entry {index} is at {at}, not after {before} before it: sort the list and drop what stands twice")]
    Order {
        /// Its place in the list, from 0.
        index: usize,
        /// Its instant.
        at: Instant,
        /// That of the entry before.
        before: Instant,
    },
    /// A value is infinite or no number.
    #[error("entry {index} at {at} is {value}: write a finite number")]
    NotFinite {
        /// Its place in the list, from 0.
        index: usize,
        /// Its instant.
        at: Instant,
        /// Its value.
        value: f64,
    },
}

/// A function of time: straight lines between given values, level before the first and after the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    knots: Vec<(Instant, f64)>,
}

/// A stretch of time in which a [`Series`] is taken to stand still.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// What the series is in its middle.
    pub value: f64,
    /// The first instant that is not part of it.
    pub end: Instant,
}

impl Series {
    /// The same value at every instant.
    ///
    /// # Panics
    /// If the value is not finite.
    pub fn constant(value: f64) -> Self {
        assert!(value.is_finite(), "a series holds finite values, not {value}");
        Series { knots: vec![(Instant::ZERO, value)] }
    }

    /// A series through these values, whose instants rise.
    ///
    /// # Errors
    /// No value, instants that do not rise, a value that is not finite.
    pub fn new(knots: Vec<(Instant, f64)>) -> Result<Self, SeriesError> {
        if knots.is_empty() {
            return Err(SeriesError::Empty);
        }
        for (index, &(at, value)) in knots.iter().enumerate() {
            if !value.is_finite() {
                return Err(SeriesError::NotFinite { index, at, value });
            }
            if let Some(&(before, _)) = index.checked_sub(1).map(|previous| &knots[previous])
                && at <= before
            {
                return Err(SeriesError::Order { index, at, before });
            }
        }
        Ok(Series { knots })
    }

    /// Samples a function from `start` to `end`, both included, every `step`.
    ///
    /// # Errors
    /// The function gives something that is not finite.
    ///
    /// # Panics
    /// If `step` is not above zero.
    pub fn sample(
        start: Instant,
        end: Instant,
        step: Duration,
        mut value: impl FnMut(Instant) -> f64,
    ) -> Result<Self, SeriesError> {
        assert!(step > Duration::ZERO, "a step is above zero, not {step}");
        let mut knots = Vec::new();
        let mut at = start;
        while at < end {
            knots.push((at, value(at)));
            at += step;
        }
        knots.push((end, value(end)));
        Series::new(knots)
    }

    /// The values that it goes through.
    pub fn knots(&self) -> &[(Instant, f64)] {
        &self.knots
    }

    /// The same instants, each value through a function.
    ///
    /// # Errors
    /// The function gives something that is not finite.
    pub fn map(&self, mut value: impl FnMut(f64) -> f64) -> Result<Self, SeriesError> {
        Series::new(self.knots.iter().map(|(at, v)| (*at, value(*v))).collect())
    }

    /// The value at an instant.
    pub fn at(&self, at: Instant) -> f64 {
        let next = self.knots.partition_point(|(knot, _)| *knot <= at);
        let Some(previous) = next.checked_sub(1) else { return self.knots[0].1 };
        let (t0, v0) = self.knots[previous];
        let Some(&(t1, v1)) = self.knots.get(next) else { return v0 };
        v0 + (v1 - v0) * share(t0, at, t1)
    }

    /// The stretch of time around `at` in which the series changes by no more than `resolution`. Such cells depend on the
    /// series alone and never overlap: every instant of a cell is given the same one.
    pub fn cell(&self, at: Instant, resolution: f64) -> Cell {
        let next = self.knots.partition_point(|(knot, _)| *knot <= at);
        let end = self.knots.get(next).map_or(Instant::MAX, |knot| knot.0);
        let Some(previous) = next.checked_sub(1) else { return Cell { value: self.knots[0].1, end } };
        let (t0, v0) = self.knots[previous];
        let Some(&(t1, v1)) = self.knots.get(next) else { return Cell { value: v0, end } };
        if v0 == v1 {
            return Cell { value: v0, end };
        }
        let (span, passed) = (nanos(t0, t1), nanos(t0, at));
        // As many equal cells as the change needs, but none shorter than a nanosecond.
        let cells = ((v1 - v0).abs() / resolution).ceil().max(1.0) as u128;
        let cells = cells.min(span);
        let index = passed * cells / span;
        let cell_end = ((index + 1) * span).div_ceil(cells);
        Cell {
            value: v0 + (v1 - v0) * (index as f64 + 0.5) / cells as f64,
            end: t0 + Duration::from_nanos(i64::try_from(cell_end).unwrap_or(i64::MAX)),
        }
    }
}

/// Nanoseconds from one instant to a later one.
fn nanos(from: Instant, to: Instant) -> u128 {
    (i128::from(to.as_nanos()) - i128::from(from.as_nanos())).max(0) as u128
}

/// Where an instant lies between two others, from 0 to 1.
fn share(from: Instant, at: Instant, to: Instant) -> f64 {
    nanos(from, at) as f64 / nanos(from, to) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(secs: i64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn lines_between_values_and_level_outside() {
        let series = Series::new(vec![(s(10), 2.0), (s(20), 4.0), (s(40), -4.0)]).unwrap();
        let got: Vec<f64> = [0, 10, 15, 20, 30, 40, 99].into_iter().map(|at| series.at(s(at))).collect();
        assert_eq!(got, [2.0, 2.0, 3.0, 4.0, 0.0, -4.0, -4.0]);
        assert_eq!(Series::constant(7.0).at(Instant::from_nanos(i64::MIN)), 7.0);
        let far = Series::new(vec![(Instant::from_nanos(i64::MIN), 0.0), (Instant::MAX, 1.0)]).unwrap();
        assert_eq!(far.at(Instant::ZERO), 0.5);
    }

    #[test]
    fn cells_cover_time_without_gap_and_follow_the_series() {
        let series = Series::new(vec![(s(10), 0.0), (s(20), 1.0), (s(30), 1.0), (s(31), -3.0)]).unwrap();
        let mut at = s(0);
        let mut cells = 0;
        while at < Instant::MAX {
            let cell = series.cell(at, 0.3);
            assert!(cell.end > at);
            let inside = at + Duration::from_nanos((cell.end - at).as_nanos() / 2);
            assert_eq!(series.cell(inside, 0.3), cell, "every instant of a cell is given the same one");
            assert_eq!(series.cell(cell.end - Duration::from_nanos(1), 0.3), cell);
            if cell.end < Instant::MAX {
                assert!((series.at(inside) - cell.value).abs() < 1e-6, "at {inside}");
            }
            at = cell.end;
            cells += 1;
        }
        assert_eq!(cells, 1 + 4 + 1 + 14 + 1);
        // However steep it is, a cell is a nanosecond at least.
        let steep = Series::new(vec![(s(0), 0.0), (Instant::from_nanos(3), 1e300)]).unwrap();
        assert_eq!(steep.cell(Instant::from_nanos(1), 1e-9).end, Instant::from_nanos(2));
    }

    #[test]
    fn what_is_no_series_is_refused() {
        assert_eq!(Series::new(Vec::new()), Err(SeriesError::Empty));
        let error = Series::new(vec![(s(1), 0.0), (s(1), 1.0)]).unwrap_err();
        assert_eq!(error, SeriesError::Order { index: 1, at: s(1), before: s(1) });
        assert!(error.to_string().contains("entry 1"));
        for value in [f64::NAN, f64::INFINITY] {
            let error = Series::new(vec![(s(0), value)]).unwrap_err();
            assert!(matches!(error, SeriesError::NotFinite { index: 0, .. }) && error.to_string().contains("finite"));
        }
    }

    #[test]
    fn a_sampled_function_ends_where_it_shall() {
        let series = Series::sample(s(0), s(5), Duration::from_secs(2), |at| at.as_secs_f64()).unwrap();
        assert_eq!(series.knots(), [(s(0), 0.0), (s(2), 2.0), (s(4), 4.0), (s(5), 5.0)]);
        assert_eq!(series.map(|v| v * 2.0).unwrap().at(s(3)), 6.0);
    }
}
