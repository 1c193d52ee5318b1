//! Frames of a fixed length behind attached sync markers: CCSDS 131.0-B, section "Frame synchronization".

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use super::{Decoded, TELL_OCTETS, Unreadable};

/// An attached sync marker of 32 or 64 bits. The default is `1ACFFC1D`, that of uncoded, convolutional, Reed-Solomon and
/// concatenated telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Marker {
    bits: u64,
    octets: usize,
}

impl Marker {
    /// A marker of 32 bits.
    pub const fn short(bits: u32) -> Self {
        Marker { bits: bits as u64, octets: 4 }
    }

    /// A marker of 64 bits, such as that of rate-1/2 LDPC codes, `034776C7272895B0`.
    pub const fn long(bits: u64) -> Self {
        Marker { bits, octets: 8 }
    }
}

impl Default for Marker {
    fn default() -> Self {
        Marker::short(0x1ACF_FC1D)
    }
}

impl FromStr for Marker {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        // `from_str_radix` would take a sign.
        let digits = text.bytes().all(|digit| digit.is_ascii_hexdigit());
        match text.len() {
            8 if digits => u32::from_str_radix(text, 16).map(Marker::short).map_err(|_| ()),
            16 if digits => u64::from_str_radix(text, 16).map(Marker::long).map_err(|_| ()),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.bits, width = 2 * self.octets)
    }
}

pub(super) fn encode(marker: Marker, frame: &[u8], stream: &mut Vec<u8>) {
    stream.extend_from_slice(&marker.bits.to_be_bytes()[8 - marker.octets..]);
    stream.extend_from_slice(frame);
}

#[derive(Debug)]
pub(super) struct Decoder {
    length: usize,
    marker: Marker,
    /// Whether the marker has been seen, so that a frame is under way.
    locked: bool,
    frame: Vec<u8>,
    /// The last octets of the search, the latest in the lowest place.
    window: u64,
    /// Octets of the search that have not been told as left out.
    searched: u64,
    /// How many of them the window holds.
    held: usize,
}

impl Decoder {
    pub(super) fn new(length: u16, marker: Marker) -> Self {
        Decoder { length: length.into(), marker, locked: false, frame: Vec::new(), window: 0, searched: 0, held: 0 }
    }

    pub(super) fn decode(&mut self, octets: &[u8], found: &mut dyn FnMut(Decoded)) {
        let mut rest = octets;
        while !rest.is_empty() {
            if self.locked {
                let part = rest.len().min(self.length - self.frame.len());
                self.frame.extend_from_slice(&rest[..part]);
                rest = &rest[part..];
                if self.frame.len() == self.length {
                    found(Decoded::Frame(Bytes::copy_from_slice(&self.frame)));
                    self.begin();
                }
            } else {
                self.search(rest[0], found);
                rest = &rest[1..];
            }
        }
    }

    pub(super) fn end(&mut self, found: &mut dyn FnMut(Decoded)) {
        if self.locked {
            let octets = (self.marker.octets + self.frame.len()) as u64;
            found(Decoded::LeftOut { why: Unreadable::CutOff, octets });
        } else if self.searched > 0 {
            found(Decoded::LeftOut { why: Unreadable::NoMarker, octets: self.searched });
        }
        self.begin();
    }

    fn search(&mut self, octet: u8, found: &mut dyn FnMut(Decoded)) {
        self.window = self.window << 8 | u64::from(octet);
        self.searched += 1;
        self.held = (self.held + 1).min(8);
        let last = self.window & (u64::MAX >> (64 - 8 * self.marker.octets));
        if self.held >= self.marker.octets && last == self.marker.bits {
            self.leave_out(self.marker.octets as u64, found);
            self.begin();
            self.locked = true;
        } else if self.searched >= TELL_OCTETS {
            // The last of them may be the beginning of a marker.
            self.leave_out(8, found);
        }
    }

    /// Tells as left out what has been searched, without the latest octets.
    fn leave_out(&mut self, without: u64, found: &mut dyn FnMut(Decoded)) {
        let octets = self.searched - without;
        if octets > 0 {
            found(Decoded::LeftOut { why: Unreadable::NoMarker, octets });
            self.searched = without;
        }
    }

    fn begin(&mut self) {
        self.locked = false;
        self.frame.clear();
        self.searched = 0;
        self.held = 0;
    }
}
