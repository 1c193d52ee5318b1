//! From a transmitter's power to the Eb/N0 at a receiver.
//!
//! A [`Budget`] is what does not change along a pass; [`Budget::at`] works out every term of it for one [`Look`] and gives them
//! as [`Lines`], which print as a table that adds up. [`Budget::along`] does so over a pass.

mod budget;
mod lines;
mod table;

pub use budget::{Antenna, Budget, BudgetError, Look, Pointing, Receiver, Transmitter, free_space_loss_db};
pub use lines::{Line, Lines, Role};
pub use table::{Table, TableError};
