//! How people and scripts tell a running emulator what to do.
//!
//! - [`words`]: controls as people write them, such as `drop 2 report --skip 1 --each-session`; the same words on the command
//!   line, in scripts and in what is printed.
//! - [`Script`]: what is to be said, and when: written by hand, or the recording of a run in which it was said by hand.
//! - [`Server`] and [`Client`]: a Unix socket over which the owner of an emulator, and nobody else, tells it what to do.
//!
//! Nothing here does anything to a channel: that is [`farlink_link::Channel::control`] and [`farlink_link::Bench::control`],
//! called by whoever drives the channels at the instant that its own clock tells.
//!
//! # The protocol
//! One JSON object a line, each way; a request is answered before the next is read. Lines of a request are at most
//! [`MAX_LINE`] bytes. Both sides say their version, and refuse another.
//!
//! ```text
//! → {"version":1,"ask":"control","channel":"forward","control":{"do":"rate","bps":256000}}
//! ← {"version":1,"answer":"done"}
//! → {"version":1,"ask":"control","channel":"backward","control":{"do":"pause"}}
//! ← {"version":1,"answer":"refused","why":"there is no channel `backward`: …"}
//! → {"version":1,"ask":"snapshot"}
//! ← {"version":1,"answer":"snapshot","at":…,"paused":false,"channels":[…]}
//! ```

mod client;
mod place;
mod protocol;
mod script;
mod server;
pub mod words;

pub use client::{Client, ClientError};
pub use place::{FindError, default_folder, default_path, find};
pub use protocol::{Answer, Ask, MAX_LINE, VERSION, channel_named};
pub use script::{Script, ScriptError, Timed};
pub use server::{Limits, Request, Server, SocketError};
