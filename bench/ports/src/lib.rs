//! Real I/O: where a node's frames enter and leave the bench.
//!
//! - Datagrams: [`udp`].
//! - Streams, many in one poll: [`tcp`], and [`tls`] over them.
//! - How every kind of port is written: [`text`].
//! - Octets on a wire: [`serial`] lines and [`pty`], which take its place for programs; how frames lie on them: [`framing`].
//! - What the emulator couples, whatever its kind: [`Port`]. Time as it is counted there: [`Timebase`].

pub mod framing;
mod keys;
mod octets;
pub mod port;
pub mod pty;
pub mod serial;
pub mod stream;
pub mod tcp;
pub mod text;
pub mod timebase;
pub mod tls;
pub mod udp;

pub use port::{Notice, Port, Received, Sent, Stopped};
pub use timebase::Timebase;
