//! A device held by a process of its own, so that it is silenced even when the program is killed.
//!
//! A process that gets SIGKILL can do nothing more, and a radio goes on with the gain it has. Therefore a device for
//! transmission is opened by another process, the *keeper*: the program starts itself again with a command that calls [`hold`],
//! and speaks with it over a pair of Unix sockets through [`Kept`]. The system closes the program's end whatever the program
//! dies of; the keeper sees the end of file, brings the gain down, stops the stream, reads both back and ends. It does the same
//! when control is lost, as a program that hangs keeps its socket open, and on SIGTERM, SIGINT and SIGHUP. It is in a process
//! group of its own, so that Ctrl-C in a terminal reaches the program alone.
//!
//! What it cannot help: the keeper itself killed (the program is told, as the device is lost), the power cut, and a driver that
//! does not come back from a call, in which case the keeper ends itself after the dead-man time and two seconds, and the system
//! takes the device from it.

mod holder;
mod parent;
mod wire;

use std::io;

use thiserror::Error;

pub use holder::{Ending, hold};
pub use parent::{Kept, KeptControl};

use crate::device::DeviceError;

/// Why a keeper does not hold a device.
#[derive(Debug, Error)]
pub enum KeeperError {
    /// Its standard input is no socket.
    #[error("a keeper is started by the program that it holds a radio for, and not by hand")]
    ByHand,
    /// The keeper cannot be started.
    #[error("cannot start the keeper `{command}`: {source}")]
    Start {
        /// What was to be run.
        command: String,
        /// What the system says.
        source: io::Error,
    },
    /// The system refuses.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The other end says what makes no sense.
    #[error("the other end says what makes no sense: {0}")]
    Malformed(String),
    /// The other end is gone.
    #[error("the other end is gone")]
    Gone,
    /// The device cannot be opened or guarded.
    #[error("{0}")]
    Device(String),
    /// The device fails.
    #[error(transparent)]
    Failed(#[from] DeviceError),
}
