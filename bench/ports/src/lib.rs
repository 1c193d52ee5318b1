//! Real I/O: where a node's frames enter and leave the bench.
//!
//! - Datagrams: [`udp`].
//! - Frames of an Ethernet interface: [`ethernet`]; of an interface that the port makes: [`tap`].
//! - Streams, many in one poll: [`tcp`], and [`tls`] over them.
//! - What the emulator couples, whatever its kind: [`Port`]. Time as it is counted there: [`Timebase`].

pub mod ethernet;
mod interfaces;
pub mod port;
pub mod tap;
pub mod tcp;
pub mod timebase;
pub mod tls;
pub mod udp;

pub use port::{Notice, Port, Received, Sent, Stopped};
pub use timebase::Timebase;
