//! What every kind of port does for the emulator.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use bytes::Bytes;
use farlink_units::Instant;

use crate::timebase::Timebase;

/// A frame that has come in at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// When its last bit had arrived: as the kernel stamped it, or, where it stamps nothing, when it was read.
    pub at: Instant,
    /// What it holds.
    pub content: Bytes,
}

/// What a port tells of itself, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It carries, for the first time or again. `detail` says with whom or over what, where that is known.
    Up {
        /// In words; may be empty.
        detail: String,
    },
    /// It does not carry: unplugged, closed, reset. It goes on trying, and tells [`Notice::Up`] when it carries again.
    Down {
        /// Why, in words.
        detail: String,
        /// How many frames that it had taken are known to be lost with that.
        lost_frames: u64,
    },
    /// The other side has closed its end of a connection: nothing more comes over it, but it may still take what is sent. Told
    /// once for each connection by a port that [hangs up](Port::hangs_up), before its [`Notice::Down`]; see [`Port::hang_up`].
    Ended {
        /// Why, in words.
        detail: String,
    },
    /// Something that its owner should know of, while it carries as before: a second connection that was refused, say.
    Remark {
        /// What, in words.
        detail: String,
    },
    /// What came in was no frame (a broken check, a length that cannot be) and was left out.
    Unreadable {
        /// Why, in words.
        detail: String,
        /// How many bytes were left out, as far as that is known.
        bytes: u64,
    },
    /// Frames came faster than they were taken, and the system dropped so many.
    Overrun {
        /// How many.
        frames: u64,
    },
}

/// How [`Port::send`] came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// So many of the frames, from the first on, are taken.
    pub taken: usize,
    /// Why it did not take the next one; `None` if it took all.
    pub stopped: Option<Stopped>,
}

/// Why a port did not take a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It has no room now. [`Port::interest`] asks for the moment at which it has.
    Busy,
    /// It never takes this frame, for instance because it is too long. Why, in words. The frames after it may go.
    Refused(String),
    /// It does not carry at all now; why has been told as a [`Notice::Down`].
    Down,
}

impl Sent {
    /// All of so many frames were taken.
    pub fn all(frames: usize) -> Self {
        Sent { taken: frames, stopped: None }
    }
}

/// What a port waits for.
#[derive(Clone, Copy, Debug)]
pub struct Interest<'a> {
    /// What to poll.
    pub fd: BorrowedFd<'a>,
    /// Whether it can be read is of interest.
    pub readable: bool,
    /// Whether it can be written is of interest.
    pub writable: bool,
}

/// Where a node's frames enter and leave the emulator. Both ways go through one port.
///
/// Nothing here ever waits. Whoever owns a port polls what [`Port::interest`] names, then calls [`Port::receive`]; it may call
/// either at any other time as well. A port whose other side goes away is not an error: it tells so, and recovers by itself.
pub trait Port: Send + fmt::Debug {
    /// The port in the words of its owner, such as `udp:127.0.0.1:5001`, with what the system chose filled in.
    fn name(&self) -> String;

    /// Calls `watch` with each file descriptor to poll now. Most ports have one; it may be another after each call.
    fn interest<'a>(&'a self, watch: &mut dyn FnMut(Interest<'a>));

    /// When the port wants [`Port::receive`] called although nothing can be read, for instance to try to connect again.
    fn wake_at(&self) -> Option<Instant> {
        None
    }

    /// Appends frames that have come in, in their order, and does whatever else is due; some of what waits may be left for the
    /// next call, and can then still be polled.
    ///
    /// # Errors
    /// What cannot be mended by waiting: the port is of no use any more.
    fn receive(&mut self, base: &Timebase, frames: &mut Vec<Received>) -> io::Result<()>;

    /// Sends frames in order, as many as the port has room for.
    fn send(&mut self, frames: &[Bytes]) -> Sent;

    /// The next thing that the port has to tell of itself.
    fn poll_notice(&mut self) -> Option<Notice>;

    /// Whether its connections begin and end, and the end of one is to travel to the far side: [`Port::hang_up`].
    fn hangs_up(&self) -> bool {
        false
    }

    /// Ends the present connection once what was taken has gone out: the other side reads to the end and is told that it is
    /// the end. What it still sends is received until it, too, has closed.
    ///
    /// Whoever couples two ports answers each [`Notice::Ended`] of the one, once, by this call on the other, behind the frames
    /// that came before it (so after the light time, and when they are taken). If the other does not hang up, it answers by this
    /// call on the port that told it, at once.
    ///
    /// The calls are counted against the connections: one that answers the end of an earlier connection does not end the one
    /// that has taken its place. A port that has no connection at the time answers with [`Notice::Ended`] as well, so that both
    /// sides go on counting alike.
    fn hang_up(&mut self) {}

    /// Whether the port has nothing more to give, now and for ever (the end of a file of frames).
    fn is_exhausted(&self) -> bool {
        false
    }
}
