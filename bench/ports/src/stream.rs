//! TCP as a port of the emulator: one connection at a time, listened for or connected to.
//!
//! `tcp:4556` listens on loopback, `tcp:127.0.0.1:4556,connect` connects; see [`StreamConfig`]. How the stream is cut into frames
//! is its framing:
//! - `raw`: each read, up to `chunk` octets, is a frame. What passes is a stream of octets, for programs that know nothing of
//!   frames. A channel does to it what TCP never does: a lost frame leaves a hole, a damaged one wrong octets, and the peers are
//!   not told. Where that matters, use a channel without loss, or a framing.
//! - `stcp`, `mtcp`: a frame is a bundle, without the length that stands before it in the stream. So they can be coupled with each
//!   other, and with UDP, where a datagram is a bundle too. Empty bundles, which keep connections open, stay on their side.
//!
//! Frames have at most [`MAX_FRAME`] octets. A longer bundle in the stream is passed over without being kept, and told as
//! [`Notice::Unreadable`](crate::Notice::Unreadable) when its length has been read.
//!
//! # How connections come and go
//! A listening port refuses who comes while it has a connection. A connecting port goes on trying, after 100 ms at first and
//! every 5 s at last. Between connections nothing is sent ([`Stopped::Down`](crate::Stopped::Down)), but while the first attempt
//! at the next one is under way, or the last one is being closed, the port is only busy.
//!
//! With `raw` the end of a connection is a part of the stream, and travels: the port [hangs up](crate::Port::hangs_up). A peer that
//! has closed only its sending side still gets what comes from the far side, until that ends as well or until somebody connects
//! anew. What is under way from the far side at that moment reaches the new connection: a program that opens connections in quick
//! succession over a long link must know where a new stream begins.
//!
//! With `stcp` and `mtcp` a connection is no more than the last hop: when the peer closes, the port closes too, and the far side
//! does not hear of it.

mod config;
mod connection;
mod framing;
mod port;

pub(crate) use config::FORM;
pub use config::{DEFAULT_CHUNK, StreamConfig, StreamFraming, StreamRole};
pub use port::StreamPort;

/// The longest frame, in octets.
pub const MAX_FRAME: usize = 65_535;
