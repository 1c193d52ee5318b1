//! Files of frames: a capture that is played, and one that is written.
//!
//! `file:in=frames.pcapng` gives the frames of a pcap or pcapng file, whole and as they stand there, whatever their link type:
//! Ethernet frames with their headers, IP packets with theirs. They come when they came then, counted from the first, which comes
//! when the port is first asked; with `pace=none` they come as soon as they are asked for. Of several interfaces in a file all
//! are given. A frame of which the capture kept only a part is left out and told.
//!
//! `file:out=out.pcapng` writes what is sent to it, replacing a file that is there: pcapng with nanoseconds, one interface, the
//! link type `linktype` (`user0`, which stands for any private format, unless told otherwise). What is written is in the file
//! after a second at the latest. If the disk is full the port is [down](crate::Notice::Down), tries each second, keeps what it
//! took, and goes on in good order when there is room again.

mod config;
mod port;
mod sink;
mod source;

pub(crate) use config::FORM;
pub use config::{FileConfig, FileError, LinkType, Pace};
pub use port::FilePort;
