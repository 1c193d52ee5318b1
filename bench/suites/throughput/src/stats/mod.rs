//! What many repetitions come to, and whether two sets of them differ.

mod compare;
mod steady;
mod summary;

pub use compare::{MannWhitney, Welch, holm, mann_whitney, welch};
pub use steady::{Steady, mser5};
pub use summary::{Summary, quantile};
