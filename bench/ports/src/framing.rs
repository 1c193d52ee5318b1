//! Framings: how frames lie on a stream of octets, as a serial line or a pseudo-terminal carries it.
//!
//! | text | is | source |
//! |---|---|---|
//! | `slip` | octets between ends, with escapes | RFC 1055 |
//! | `cobs` | octets without zeros between zeros | Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1999 |
//! | `kiss`, `kiss,port=3` | SLIP with an octet for the port and the command of a terminal node controller | Chepponis and Karn, "The KISS TNC", 1987 |
//! | `hdlc`, `hdlc,fcs=32` | octets between flags, with escapes and a frame check sequence | RFC 1662 |
//! | `ccsds,length=1115` | frames of one length, each after a sync marker; `asm=` names another than `1acffc1d` | CCSDS 131.0-B |
//!
//! [`Framing::encode`] puts a frame on the stream, a [`Decoder`] takes frames off it. What comes in is not trusted:
//! whatever is no frame is left out and told, no more than one frame is kept, and the next delimiter or marker begins
//! anew.
//!
//! Only HDLC has a check. In the others noise that happens to look like a frame is one.

mod ccsds;
mod cobs;
mod hdlc;
mod kiss;
mod slip;
mod stuffing;

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

pub use ccsds::Marker;
pub use hdlc::Fcs;

use crate::text::{Key, Parts, PortTextError};

/// Longest frame, in bytes; what a channel carries at most.
pub const MAX_FRAME_BYTES: usize = 65_535;

/// How many octets are left out before that is told although no end of them is in sight.
const TELL_OCTETS: u64 = 1 << 16;

/// The keys of a port that has a framing.
pub(crate) const KEYS: [Key; 5] = [
    Key::value("framing", "slip, cobs, kiss, hdlc or ccsds"),
    Key::value("port", "the port of `framing=kiss`, from 0 to 15"),
    Key::value("fcs", "the bits of the frame check sequence of `framing=hdlc`, 16 or 32"),
    Key::value("length", "that of each frame of `framing=ccsds` without its marker, from 1 to 65535 bytes"),
    Key::value("asm", "the sync marker of `framing=ccsds`, 8 or 16 hexadecimal digits such as 1acffc1d"),
];

/// How frames lie on a stream of octets, as it stands behind `framing=`: `slip`, `cobs`, `kiss[,port=0]`, `hdlc[,fcs=16]`,
/// `ccsds,length=1115[,asm=1acffc1d]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// RFC 1055. An end before and after each frame, as its section "Protocol" proposes against noise.
    Slip,
    /// Consistent overhead byte stuffing; a zero after each frame.
    Cobs,
    /// Data frames of one port of a terminal node controller. Those of other ports and commands are left out and told.
    Kiss {
        /// 0 to 15.
        port: u8,
    },
    /// RFC 1662 in its octet-stuffed form, without PPP's address and control fields. XON and XOFF are escaped besides
    /// flag and escape, so that it goes over lines with software flow control.
    Hdlc {
        /// Its check.
        fcs: Fcs,
    },
    /// Frames of a fixed length, each behind an attached sync marker, as they leave a ground station that has decoded them.
    ///
    /// A frame of another length is refused, not padded: the receiver could not tell padding from content, and what
    /// leaves the emulator must be what came in. A stream that loses octets costs the frame that they were in and the one
    /// after it; what is wrong in a frame is for the frame's own error control field to find.
    Ccsds {
        /// Length of each frame without its marker, in bytes: 1 to 65,535.
        length: u16,
        /// What each frame begins with.
        marker: Marker,
    },
}

/// Why a frame does not go on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// It holds nothing.
    #[error("an empty frame")]
    Empty,
    /// It is longer than any frame may be.
    #[error("a frame of {length} bytes, which is more than {MAX_FRAME_BYTES}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The framing carries frames of one length only.
    #[error("a frame of {length} bytes, where each has {expected}: choose `length={length}` or another framing")]
    OtherLength {
        /// Its length in bytes.
        length: usize,
        /// The one that all have, in bytes.
        expected: u16,
    },
}

/// What a [`Decoder`] finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A frame.
    Frame(Bytes),
    /// Octets that are no frame.
    LeftOut {
        /// Why.
        why: Unreadable,
        /// How many, without the delimiters around them.
        octets: u64,
    },
}

/// Why octets are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// An escape octet before one that cannot be escaped.
    #[error("a broken escape")]
    BrokenEscape,
    /// The sender gave the frame up (RFC 1662 section 4.3).
    #[error("an aborted frame")]
    Aborted,
    /// No end within the longest frame.
    #[error("no end within {MAX_FRAME_BYTES} bytes")]
    TooLong,
    /// Nothing between its beginning and its end.
    #[error("an empty frame")]
    Empty,
    /// Shorter than its check.
    #[error("a frame shorter than its check")]
    TooShort,
    /// Its check does not agree.
    #[error("a wrong frame check sequence")]
    WrongCheck,
    /// A length in it points past its end.
    #[error("a code that points past the end of the frame")]
    BrokenCode,
    /// Not data, but a command to a terminal node controller.
    #[error("KISS command {command}, not data")]
    Command {
        /// Its number, 1 to 15.
        command: u8,
    },
    /// For another port of the terminal node controller.
    #[error("a frame for KISS port {port}")]
    OtherPort {
        /// Which.
        port: u8,
    },
    /// Before or between sync markers.
    #[error("no sync marker")]
    NoMarker,
    /// The stream ended within it.
    #[error("the stream ended within a frame")]
    CutOff,
}

impl Framing {
    const NAMES: [&'static str; 5] = ["slip", "cobs", "kiss", "hdlc", "ccsds"];

    fn name(&self) -> &'static str {
        let [slip, cobs, kiss, hdlc, ccsds] = Self::NAMES;
        match self {
            Framing::Slip => slip,
            Framing::Cobs => cobs,
            Framing::Kiss { .. } => kiss,
            Framing::Hdlc { .. } => hdlc,
            Framing::Ccsds { .. } => ccsds,
        }
    }

    /// Reads `framing=` and the keys that belong to it; a port that has a framing has [`KEYS`] among its keys.
    pub(crate) fn read(parts: &Parts<'_>) -> Result<Self, PortTextError> {
        let name = parts.required("framing", |text| Self::NAMES.into_iter().find(|name| *name == text))?;
        let port = parts.value("port", |text| text.parse().ok().filter(|port| *port <= 15))?;
        let fcs = parts.choice("fcs", &[("16", Fcs::Bits16), ("32", Fcs::Bits32)])?;
        let length = parts.value("length", |text| text.parse().ok().filter(|length| *length > 0))?;
        let marker = parts.value("asm", |text| text.parse().ok())?;
        let [.., kiss, hdlc, ccsds] = Self::NAMES;
        let owners = [("port", kiss), ("fcs", hdlc), ("length", ccsds), ("asm", ccsds)];
        if let Some((key, owner)) = owners.into_iter().find(|(key, owner)| parts.flag(key) && name != *owner) {
            return Err(
                parts.refuse(format!("`{key}=` belongs to `framing={owner}`, and `framing={name}` has no such key"))
            );
        }
        Ok(match name {
            "slip" => Framing::Slip,
            "cobs" => Framing::Cobs,
            "kiss" => Framing::Kiss { port: port.unwrap_or(0) },
            "hdlc" => Framing::Hdlc { fcs: fcs.unwrap_or(Fcs::Bits16) },
            _ => {
                let length = length.ok_or_else(|| {
                    parts.refuse(
                        "`framing=ccsds` has frames of one length: add it in bytes without the marker, as in `framing=ccsds,length=1115`",
                    )
                })?;
                Framing::Ccsds { length, marker: marker.unwrap_or_default() }
            }
        })
    }

    /// Whether a frame of `length` bytes can go on the stream.
    ///
    /// # Errors
    /// It is empty, too long, or not of the one length that all frames have.
    pub fn check(&self, length: usize) -> Result<(), EncodeError> {
        match self {
            _ if length == 0 => Err(EncodeError::Empty),
            _ if length > MAX_FRAME_BYTES => Err(EncodeError::TooLong { length }),
            Framing::Ccsds { length: expected, .. } if length != usize::from(*expected) => {
                Err(EncodeError::OtherLength { length, expected: *expected })
            }
            _ => Ok(()),
        }
    }

    /// Appends a frame to what goes on the stream.
    ///
    /// # Errors
    /// As with [`Framing::check`]; nothing is appended then.
    pub fn encode(&self, frame: &[u8], stream: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.check(frame.len())?;
        match self {
            Framing::Slip => slip::encode(frame, stream),
            Framing::Cobs => cobs::encode(frame, stream),
            Framing::Kiss { port } => kiss::encode(*port, frame, stream),
            Framing::Hdlc { fcs } => hdlc::encode(*fcs, frame, stream),
            Framing::Ccsds { marker, .. } => ccsds::encode(*marker, frame, stream),
        }
        Ok(())
    }

    /// What goes on a stream once, when it begins, so that noise from before does not cost the first frame.
    pub fn opening(&self) -> &'static [u8] {
        match self {
            Framing::Cobs => &[0],
            // These delimit each frame on both sides, or find its beginning by a marker.
            Framing::Slip | Framing::Kiss { .. } | Framing::Hdlc { .. } | Framing::Ccsds { .. } => &[],
        }
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Framing::Slip | Framing::Cobs | Framing::Kiss { port: 0 } | Framing::Hdlc { fcs: Fcs::Bits16 } => Ok(()),
            Framing::Kiss { port } => write!(f, ",port={port}"),
            Framing::Hdlc { fcs: Fcs::Bits32 } => f.write_str(",fcs=32"),
            Framing::Ccsds { length, marker } => {
                write!(f, ",length={length}")?;
                if *marker == Marker::default() { Ok(()) } else { write!(f, ",asm={marker}") }
            }
        }
    }
}

/// Takes frames off a stream of octets, however the stream is cut into pieces.
///
/// It keeps at most one frame and its check.
#[derive(Debug)]
pub struct Decoder(Kind);

#[derive(Debug)]
enum Kind {
    Slip(slip::Decoder),
    Cobs(cobs::Decoder),
    Kiss(kiss::Decoder),
    Hdlc(hdlc::Decoder),
    Ccsds(ccsds::Decoder),
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new(framing: Framing) -> Self {
        Decoder(match framing {
            Framing::Slip => Kind::Slip(slip::Decoder::new()),
            Framing::Cobs => Kind::Cobs(cobs::Decoder::new()),
            Framing::Kiss { port } => Kind::Kiss(kiss::Decoder::new(port)),
            Framing::Hdlc { fcs } => Kind::Hdlc(hdlc::Decoder::new(fcs)),
            Framing::Ccsds { length, marker } => Kind::Ccsds(ccsds::Decoder::new(length, marker)),
        })
    }

    /// Takes what came in next. `found` is told of each frame, and of what is left out, in their order.
    pub fn decode(&mut self, octets: &[u8], found: &mut dyn FnMut(Decoded)) {
        match &mut self.0 {
            Kind::Slip(decoder) => decoder.decode(octets, found),
            Kind::Cobs(decoder) => decoder.decode(octets, found),
            Kind::Kiss(decoder) => decoder.decode(octets, found),
            Kind::Hdlc(decoder) => decoder.decode(octets, found),
            Kind::Ccsds(decoder) => decoder.decode(octets, found),
        }
    }

    /// The stream has ended: what was begun is left out, and what comes next is another stream.
    pub fn end(&mut self, found: &mut dyn FnMut(Decoded)) {
        match &mut self.0 {
            Kind::Slip(decoder) => decoder.end(found),
            Kind::Cobs(decoder) => decoder.end(found),
            Kind::Kiss(decoder) => decoder.end(found),
            Kind::Hdlc(decoder) => decoder.end(found),
            Kind::Ccsds(decoder) => decoder.end(found),
        }
    }
}
