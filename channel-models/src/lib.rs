//! What space does to a link.

mod body;

pub use body::Body;
