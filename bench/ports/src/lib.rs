//! Real I/O: where a node's frames enter and leave the bench.
//!
//! [`udp`] is the only kind so far.

pub mod udp;
