//! Real I/O: where a node's frames enter and leave the bench.
//!
//! - Datagrams: [`udp`].
//! - Streams, many in one poll: [`tcp`], and [`tls`] over them.
//! - What the emulator couples, whatever its kind: [`Port`], made from text by [`PortConfig`] in one way for all ([`text`]). Time as
//!   it is counted there: [`Timebase`]. The kinds: [`udp`], TCP streams ([`stream`]), [`serial`] lines and [`pty`], which take their
//!   place for programs (how frames lie on both: [`framing`]), Ethernet interfaces ([`ethernet`]) and those that a port makes
//!   ([`tap`]), files of frames ([`frames_file`]).

pub mod config;
pub mod ethernet;
pub mod frames_file;
pub mod framing;
mod interfaces;
mod octets;
pub mod port;
pub mod pty;
pub mod serial;
pub mod stream;
pub mod tap;
pub mod tcp;
pub mod text;
pub mod timebase;
pub mod tls;
pub mod udp;

pub use config::{OpenError, PortConfig};
pub use port::{Notice, Port, Received, Sent, Stopped};
pub use timebase::Timebase;
