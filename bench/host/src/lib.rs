//! The host: what it can do for the bench, and what it does to the bench's time.
//!
//! - [`realtime`]: real-time scheduling, locked memory, pinned cores and timer slack for the threads of an emulator, as far as
//!   the host permits, with what was got and what is missing.
//! - [`watch`]: suspension, a stepped wall clock and stalls, found in readings of the clocks.
//! - [`checks`]: what `farlink doctor` tells of the host. [`permits`]: what this process may do there.
//!
//! Everything that can be read in `/proc`, `/sys`, `/dev` and `/etc` is read through a [`Tree`], so that it can be read from a
//! tree that a test has made up.

pub mod checks;
pub mod permits;
pub mod realtime;
mod tree;
pub mod watch;

pub use tree::Tree;
