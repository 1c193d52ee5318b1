//! Why there is no channel as it was asked for.

use crate::ring::RingError;

/// Something in a configuration that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A number outside its range.
    #[error("{field} is {value}: give a number {range}")]
    Number {
        /// The field, as a path through the configuration.
        field: String,
        /// What stands there.
        value: f64,
        /// What may stand there.
        range: String,
    },
    /// A list that is empty, too long or out of order.
    #[error("{field}: {wrong}")]
    List {
        /// The field, as a path through the configuration.
        field: String,
        /// What is wrong, and how to mend it.
        wrong: String,
    },
    /// The ring cannot be had, or does not hold what is under way.
    #[error("ring: {0}")]
    Ring(#[from] RingError),
}

/// Refuses a number that is not finite or not in a range.
pub(crate) fn within(
    field: &str,
    value: f64,
    range: impl std::ops::RangeBounds<f64>,
    words: &str,
) -> Result<f64, ConfigError> {
    if value.is_finite() && range.contains(&value) {
        return Ok(value);
    }
    Err(ConfigError::Number { field: field.to_string(), value, range: words.to_string() })
}
