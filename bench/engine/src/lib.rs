//! Protocol state machines without I/O and without a clock.
//!
//! - [`ltp`]: the Licklider Transmission Protocol engine (RFC 5326).
//! - [`bp`]: the bundle agent (RFC 9171).
//! - [`tcpcl`]: a session of the TCP convergence layer (RFC 9174).
//! - [`schedule`]: what a node knows of its contacts.
//! - [`pacing`]: how much may leave now.
//! - [`class`]: the class of service of a bundle.
//! - [`routing`]: which node is next, by static routes or through the contacts ahead.
//!
//! Each is a value that is *told* what happens, and when (`handle_*`, with an [`Instant`](farlink_units::Instant)), and is
//! then *asked* what follows (`poll_*`). None opens a socket, reads a clock or starts a thread; random draws come from a
//! seed. So the same code runs under the virtual clock, under the wall clock and inside a test that moves time by hand.

pub mod bp;
pub mod class;
pub mod ltp;
pub mod pacing;
pub mod ranges;
pub mod routing;
pub mod schedule;
pub mod tcpcl;
