//! Real I/O: where a node's frames enter and leave the bench.
//!
//! - Datagrams: [`udp`].
//! - Streams, many in one poll: [`tcp`], and [`tls`] over them.

pub mod tcp;
pub mod tls;
pub mod udp;
