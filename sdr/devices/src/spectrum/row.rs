//! Rows, the highest of them and the last of them.

use std::collections::VecDeque;

use super::Config;

/// Power over frequency, for some stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// How it was made: units, frequencies, width of the bins.
    pub config: Config,
    /// The number of its first sample.
    pub first_sample: u64,
    /// How many samples it is of.
    pub samples: u64,
    /// The device's time at the first of them, in nanoseconds, if it was told.
    pub at_ns: Option<i64>,
    /// How many segments were averaged.
    pub segments: usize,
    /// The level of each bin, in dB of the scale, from the lowest frequency on.
    pub levels: Vec<f32>,
}

impl Row {
    /// What stands where there is no power at all, in dB.
    pub const FLOOR_DB: f32 = -400.0;

    /// The frequency of a bin, in Hz.
    pub fn frequency_hz(&self, bin: usize) -> f64 {
        self.config.frequency_hz(bin)
    }

    /// The row as so many columns of a screen, each the highest of its bins, so that no tone is lost. A column narrower than a
    /// bin has that bin's level. At most 65,536 columns are given.
    pub fn columns(&self, count: usize) -> Vec<f32> {
        let (count, bins) = (count.min(1 << 16), self.levels.len());
        let column = |number: usize| {
            let from = number * bins / count;
            let to = ((number + 1) * bins / count).clamp(from + 1, bins.max(from + 1));
            self.levels.get(from..to).unwrap_or_default().iter().copied().fold(Row::FLOOR_DB, f32::max)
        };
        (0..count).map(column).collect()
    }

    /// The level of the noise, in dB of the scale: the median over all bins, corrected for what the median of averaged noise is
    /// below its mean.
    ///
    /// It is right as long as signals fill less than a small part of the bins. The correction takes the segments for
    /// independent, which is off by less than 0.15 dB at half overlap.
    pub fn noise_floor_db(&self) -> f32 {
        let mut levels = self.levels.clone();
        let middle = levels.len() / 2;
        if levels.is_empty() {
            return Row::FLOOR_DB;
        }
        let (_, median, _) = levels.select_nth_unstable_by(middle, f32::total_cmp);
        // The median of a gamma variate of this shape, over its mean; exact for one segment, else by Wilson and Hilferty (1931).
        let below = match self.segments {
            0 | 1 => std::f64::consts::LN_2,
            many => (1.0 - 1.0 / (9.0 * many as f64)).powi(3),
        };
        *median - (10.0 * below.log10()) as f32
    }
}

/// The highest level that each bin has had.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MaxHold {
    row: Option<Row>,
}

impl MaxHold {
    /// Takes in a row. One that was made otherwise begins anew.
    pub fn push(&mut self, row: &Row) {
        match &mut self.row {
            Some(held) if held.config == row.config => {
                held.levels.iter_mut().zip(&row.levels).for_each(|(held, level)| *held = held.max(*level));
                held.samples = row.first_sample.saturating_add(row.samples).saturating_sub(held.first_sample);
            }
            held => *held = Some(row.clone()),
        }
    }

    /// The highest levels since the first row or the last reset; `None` if there was none.
    pub fn row(&self) -> Option<&Row> {
        self.row.as_ref()
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        self.row = None;
    }
}

/// The last rows, the newest at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Waterfall {
    rows: VecDeque<Row>,
    most: usize,
    dropped: u64,
}

impl Waterfall {
    /// Keeps so many rows, at least one.
    pub fn new(most: usize) -> Waterfall {
        Waterfall { rows: VecDeque::new(), most: most.max(1), dropped: 0 }
    }

    /// Takes in a row, and lets the oldest go if there are too many.
    pub fn push(&mut self, row: Row) {
        self.rows.push_back(row);
        while self.rows.len() > self.most {
            self.rows.pop_front();
            self.dropped += 1;
        }
    }

    /// The rows, from the oldest to the newest.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> + ExactSizeIterator {
        self.rows.iter()
    }

    /// How many rows have gone.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
