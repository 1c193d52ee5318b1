//! How long a frame is under way.

use std::sync::Arc;

use farlink_units::{Duration, Instant};

use crate::geometry::Geometry;
use crate::place::Place;

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
}

impl LightTime {
    /// The light time of what leaves the transmitter at `emitted`.
    pub fn at(&self, emitted: Instant) -> Duration {
        match self {
            LightTime::Constant(duration) => *duration,
            LightTime::Geometric { geometry, from, to } => geometry.light_time(from, to, emitted),
        }
    }
}
