//! What depends on elevation.

use thiserror::Error;

/// Why a table cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TableError {
    /// It has no row.
    #[error("a table has at least one row: give it an elevation and what holds there")]
    Empty,
    /// Elevations do not rise.
    #[error(
        "row {row} is for {elevation_deg}°, not above {before_deg}° before it: sort the rows and drop what stands twice"
    )]
    Order {
        /// Which row, from 0.
        row: usize,
        /// Its elevation.
        elevation_deg: f64,
        /// That of the row before.
        before_deg: f64,
    },
    /// A number is infinite or no number, or an elevation is not one.
    #[error("row {row} is {elevation_deg}°, {value}: elevations are from -90 to 90 and values finite")]
    OutOfRange {
        /// Which row, from 0.
        row: usize,
        /// Its elevation.
        elevation_deg: f64,
        /// Its value.
        value: f64,
    },
}

/// A quantity over elevation: straight lines between rows, level before the first and after the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    rows: Vec<(f64, f64)>,
}

impl Table {
    /// The same at every elevation.
    ///
    /// # Errors
    /// A value that is not finite.
    pub fn constant(value: f64) -> Result<Self, TableError> {
        Table::new(vec![(90.0, value)])
    }

    /// Rows of an elevation in degrees and what holds there.
    ///
    /// # Errors
    /// No row, elevations that do not rise, numbers out of range.
    pub fn new(rows: Vec<(f64, f64)>) -> Result<Self, TableError> {
        if rows.is_empty() {
            return Err(TableError::Empty);
        }
        for (row, &(elevation_deg, value)) in rows.iter().enumerate() {
            if !(-90.0..=90.0).contains(&elevation_deg) || !value.is_finite() {
                return Err(TableError::OutOfRange { row, elevation_deg, value });
            }
            if row > 0 && elevation_deg <= rows[row - 1].0 {
                return Err(TableError::Order { row, elevation_deg, before_deg: rows[row - 1].0 });
            }
        }
        Ok(Table { rows })
    }

    /// The table for a frequency in hertz, from tables for several of them: straight lines between those next to it, and the first
    /// or the last beyond.
    ///
    /// # Errors
    /// No table.
    pub fn for_frequency(tables: &[(f64, Table)], frequency_hz: f64) -> Result<Self, TableError> {
        let below = tables.iter().filter(|(f, _)| *f <= frequency_hz).max_by(|a, b| a.0.total_cmp(&b.0));
        let above = tables.iter().filter(|(f, _)| *f > frequency_hz).min_by(|a, b| a.0.total_cmp(&b.0));
        let (low, high) = match (below, above) {
            (Some(low), Some(high)) => (low, high),
            (Some((_, table)), None) | (None, Some((_, table))) => return Ok(table.clone()),
            (None, None) => return Err(TableError::Empty),
        };
        let share = (frequency_hz - low.0) / (high.0 - low.0);
        let mut elevations: Vec<f64> = low.1.rows.iter().chain(&high.1.rows).map(|(elevation, _)| *elevation).collect();
        elevations.sort_by(f64::total_cmp);
        elevations.dedup();
        let row = |elevation| (elevation, low.1.at(elevation) * (1.0 - share) + high.1.at(elevation) * share);
        Table::new(elevations.into_iter().map(row).collect())
    }

    /// What holds at an elevation in degrees.
    pub fn at(&self, elevation_deg: f64) -> f64 {
        let next = self.rows.partition_point(|(row, _)| *row <= elevation_deg);
        let Some(previous) = next.checked_sub(1) else { return self.rows[0].1 };
        let (x0, y0) = self.rows[previous];
        self.rows.get(next).map_or(y0, |(x1, y1)| y0 + (y1 - y0) * (elevation_deg - x0) / (x1 - x0))
    }

    /// The rows.
    pub fn rows(&self) -> &[(f64, f64)] {
        &self.rows
    }
}
