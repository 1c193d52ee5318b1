//! How long a frame is under way.

use std::sync::Arc;

use farlink_units::{Duration, Instant};

use crate::geometry::Geometry;
use crate::place::{NoPosition, Place};
use crate::range_table::RangeTable;

/// The one-way light time of a channel.
#[derive(Clone, Debug)]
pub enum LightTime {
    /// The same at every instant.
    Constant(Duration),
    /// That between two places.
    Geometric {
        /// The solar system of the run; all channels share one.
        geometry: Arc<Geometry>,
        /// Where the transmitter is.
        from: Place,
        /// Where the receiver is.
        to: Place,
    },
    /// That of a table of range against time.
    Table(RangeTable),
}

impl LightTime {
    /// The light time of what leaves the transmitter at `emitted`; None where an ephemeris or table does not reach that far.
    pub fn known_at(&self, emitted: Instant) -> Option<Duration> {
        match self {
            LightTime::Constant(duration) => Some(*duration),
            LightTime::Geometric { geometry, from, to } => geometry.light_time(from, to, emitted).ok(),
            LightTime::Table(table) => table.light_time(emitted),
        }
    }

    /// The light time of what leaves the transmitter at `emitted`, for one who needs a number at any instant.
    ///
    /// Contacts lie where it is known, so while a channel carries this is [`LightTime::known_at`]. Elsewhere it is the light
    /// time at the nearest end of what a table covers, and that between the centres of the bodies for places without a
    /// position.
    pub fn at(&self, emitted: Instant) -> Duration {
        match self {
            LightTime::Constant(duration) => *duration,
            LightTime::Geometric { geometry, from, to } => geometry
                .light_time(from, to, emitted)
                .or_else(|_: NoPosition| {
                    let (from, to) = (Place::Center(from.body()), Place::Center(to.body()));
                    geometry.light_time(&from, &to, emitted)
                })
                .unwrap_or(Duration::ZERO),
            LightTime::Table(table) => table.nearest_light_time(emitted),
        }
    }
}
