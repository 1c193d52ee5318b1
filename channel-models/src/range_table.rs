//! Range against time from a table.

use std::sync::Arc;

use farlink_units::{Duration, Instant};
use thiserror::Error;

use crate::geometry::SPEED_OF_LIGHT_KM_S;
use crate::place::{TextError, lines, number, shown};

/// The greatest range that a table can hold, in km: a light-day and a half.
const FARTHEST_KM: f64 = 4e10;

/// The range of a link against the time of emission, with cubic pieces between the entries. Clones share the entries.
///
/// The pieces are monotone wherever the entries are (Fritsch and Carlson 1980, SIAM J. Numer. Anal. 17, with the slopes of
/// Fritsch and Butland 1984): between two entries the range never leaves what they span, and its rate has no steps.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeTable(Arc<[Entry]>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    at: Instant,
    range_km: f64,
    rate_km_s: f64,
}

/// Why there is no table of ranges.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RangeTableError {
    /// It is not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A line that is no time and range.
    #[error("line {line}: `{found}` is not `time_s,range_km`: write two numbers, as in `60,384400.5`")]
    NotAnEntry {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// A time or range that no link has.
    #[error("line {line}: {field} is {value}: it must be {range}")]
    OutOfRange {
        /// The line of the file, or the number of the entry, from 1.
        line: usize,
        /// Which of the two.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it can be, in words.
        range: &'static str,
    },
    /// A table without entries.
    #[error("the table has no entries: write one `time_s,range_km` a line")]
    Empty,
}

impl RangeTable {
    /// A table of ranges in km, at rising times.
    ///
    /// # Errors
    /// No entries, times that do not rise, a range that is not from 0 to 4e10 km, or one that changes faster than light.
    pub fn new(entries: &[(Instant, f64)]) -> Result<RangeTable, RangeTableError> {
        Self::checked(entries.iter().zip(1..).map(|(&(at, range_km), line)| Ok((line, at, range_km))))
    }

    /// Reads lines of `time, range`: seconds from the start of the run, and km. A first line of names, empty lines and lines
    /// that begin with `#` are passed over.
    ///
    /// # Errors
    /// With the number of the line: as [`RangeTable::new`], and what is no number.
    pub fn from_csv(file: impl AsRef<[u8]>) -> Result<RangeTable, RangeTableError> {
        let mut first = true;
        Self::checked(lines(file.as_ref()).filter_map(|line| {
            let (line, text) = match line {
                Ok(line) => line,
                Err(error) => return Some(Err(error.into())),
            };
            if text.starts_with('#') {
                return None;
            }
            let header = std::mem::replace(&mut first, false) && text.starts_with(|c: char| c.is_ascii_alphabetic());
            let entry =
                text.split_once(',').and_then(|(time, range)| Some((number(time.trim())?, number(range.trim())?)));
            match entry {
                Some((time, range)) => Some(instant(line, time).map(|at| (line, at, range))),
                None if header => None,
                None => Some(Err(RangeTableError::NotAnEntry { line, found: shown(text) })),
            }
        }))
    }

    fn checked(
        entries: impl Iterator<Item = Result<(usize, Instant, f64), RangeTableError>>,
    ) -> Result<RangeTable, RangeTableError> {
        let mut table: Vec<Entry> = Vec::new();
        for entry in entries {
            let (line, at, range_km) = entry?;
            let refuse = |field, value, range| Err(RangeTableError::OutOfRange { line, field, value, range });
            if !(0.0..=FARTHEST_KM).contains(&range_km) {
                return refuse("range_km", range_km, "from 0 to 4e10");
            }
            if let Some(last) = table.last() {
                let seconds = (at - last.at).as_secs_f64();
                if at <= last.at {
                    return refuse("time_s", at.as_secs_f64(), "above the time before");
                }
                if (range_km - last.range_km).abs() >= seconds * SPEED_OF_LIGHT_KM_S {
                    return refuse("range_km", range_km, "one that changes less than 299 792.458 km in a second");
                }
            }
            table.push(Entry { at, range_km, rate_km_s: 0.0 });
        }
        if table.is_empty() {
            return Err(RangeTableError::Empty);
        }
        let rates = rates(&table);
        for (entry, rate) in table.iter_mut().zip(rates) {
            entry.rate_km_s = rate;
        }
        Ok(RangeTable(table.into()))
    }

    /// The first and the last instant that it covers.
    pub fn span(&self) -> (Instant, Instant) {
        (self.0[0].at, self.0[self.0.len() - 1].at)
    }

    /// The range in km of what leaves at `emitted`; None outside the span.
    pub fn range_km(&self, emitted: Instant) -> Option<f64> {
        self.value(emitted).map(|(range, _)| range)
    }

    /// By how much the range grows for what leaves a second later, in km/s; None outside the span.
    pub fn range_rate_km_s(&self, emitted: Instant) -> Option<f64> {
        self.value(emitted).map(|(_, rate)| rate)
    }

    /// The light time of what leaves at `emitted`; None outside the span.
    pub fn light_time(&self, emitted: Instant) -> Option<Duration> {
        self.range_km(emitted).map(|range| Duration::from_secs_f64(range / SPEED_OF_LIGHT_KM_S))
    }

    /// The light time, outside the span that at its nearest end.
    pub(crate) fn nearest_light_time(&self, emitted: Instant) -> Duration {
        let (start, end) = self.span();
        self.light_time(emitted.clamp(start, end)).unwrap_or(Duration::ZERO)
    }

    /// Range and rate.
    fn value(&self, at: Instant) -> Option<(f64, f64)> {
        let (start, end) = self.span();
        if at < start || end < at {
            return None;
        }
        let after = self.0.partition_point(|entry| entry.at <= at);
        let left = self.0[after - 1];
        let Some(right) = self.0.get(after) else { return Some((left.range_km, left.rate_km_s)) };
        let h = (right.at - left.at).as_secs_f64();
        let x = (at - left.at).as_secs_f64() / h;
        let (rise, a, b) = (right.range_km - left.range_km, left.rate_km_s * h, right.rate_km_s * h);
        // The cubic with these values and slopes at both ends.
        let (square, cube) = (3.0 * rise - 2.0 * a - b, a + b - 2.0 * rise);
        let range = left.range_km + x * (a + x * (square + x * cube));
        Some((range, (a + x * (2.0 * square + 3.0 * x * cube)) / h))
    }
}

fn instant(line: usize, seconds: f64) -> Result<Instant, RangeTableError> {
    const MOST_S: f64 = 9e9;
    if seconds.abs() <= MOST_S {
        Ok(Instant::from_secs_f64(seconds))
    } else {
        let range = "within 9e9 s of the start of the run";
        Err(RangeTableError::OutOfRange { line, field: "time_s", value: seconds, range })
    }
}

/// The slopes of a monotone cubic at the entries.
fn rates(table: &[Entry]) -> Vec<f64> {
    let steps: Vec<(f64, f64)> = table
        .windows(2)
        .map(|pair| {
            let h = (pair[1].at - pair[0].at).as_secs_f64();
            (h, (pair[1].range_km - pair[0].range_km) / h)
        })
        .collect();
    let inner = steps.windows(2).map(|pair| {
        let ((h, d), (k, e)) = (pair[0], pair[1]);
        if d * e <= 0.0 {
            return 0.0;
        }
        // A harmonic mean that gives the shorter step more weight.
        let (v, w) = (2.0 * k + h, k + 2.0 * h);
        (v + w) / (v / d + w / e)
    });
    let Some((&first, &last)) = steps.first().zip(steps.last()) else { return vec![0.0; table.len()] };
    std::iter::once(end_rate(first, steps.get(1)))
        .chain(inner)
        .chain(std::iter::once(end_rate(last, steps.len().checked_sub(2).map(|index| &steps[index]))))
        .collect()
}

/// The slope at an end: that of the parabola through three entries, as far as it stays monotone.
fn end_rate((h, d): (f64, f64), next: Option<&(f64, f64)>) -> f64 {
    let Some(&(k, e)) = next else { return d };
    let slope = ((2.0 * h + k) * d - h * e) / (h + k);
    if slope * d <= 0.0 {
        0.0
    } else if d * e <= 0.0 && slope.abs() > 3.0 * d.abs() {
        3.0 * d
    } else {
        slope
    }
}
