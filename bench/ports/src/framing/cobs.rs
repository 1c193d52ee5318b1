//! COBS: S. Cheshire and M. Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999.

use super::{Decoded, MAX_FRAME_BYTES, TELL_OCTETS, Unreadable};

/// Longest run of octets behind one code (table I of the paper: code 0xFF).
const MAX_RUN: usize = 254;

/// Longest frame once it is stuffed: a code for every 254 octets and one more.
const MAX_STUFFED: usize = MAX_FRAME_BYTES + MAX_FRAME_BYTES / MAX_RUN + 1;

pub(super) fn encode(frame: &[u8], stream: &mut Vec<u8>) {
    let mut rest = frame;
    loop {
        let reach = rest.len().min(MAX_RUN);
        let run = rest[..reach].iter().position(|&octet| octet == 0).unwrap_or(reach);
        stream.push(run as u8 + 1);
        stream.extend_from_slice(&rest[..run]);
        rest = &rest[run..];
        if run == MAX_RUN {
            // A full run stands for no zero. At the very end nothing more is needed.
            if rest.is_empty() {
                break;
            }
        } else if let [_zero, behind @ ..] = rest {
            rest = behind;
        } else {
            break;
        }
    }
    stream.push(0);
}

/// Undoes the stuffing of what stood between zeros.
fn unstuff(stuffed: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut frame = Vec::with_capacity(stuffed.len());
    let mut rest = stuffed;
    while let [code, behind @ ..] = rest {
        let run = usize::from(*code) - 1;
        if run > behind.len() {
            return Err(Unreadable::BrokenCode);
        }
        frame.extend_from_slice(&behind[..run]);
        rest = &behind[run..];
        // The zero that the frame is thought to end with is not in it.
        if run < MAX_RUN && !rest.is_empty() {
            frame.push(0);
        }
    }
    match frame.len() {
        0 => Err(Unreadable::Empty),
        1..=MAX_FRAME_BYTES => Ok(frame),
        _ => Err(Unreadable::TooLong),
    }
}

#[derive(Debug)]
pub(super) struct Decoder {
    stuffed: Vec<u8>,
    /// Octets since the last zero, or since it was last told how many were left out.
    octets: u64,
    skip: bool,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Decoder { stuffed: Vec::new(), octets: 0, skip: false }
    }

    pub(super) fn decode(&mut self, octets: &[u8], found: &mut dyn FnMut(Decoded)) {
        let mut pieces = octets.split(|&octet| octet == 0);
        // What stands before the first zero goes on with what came before; what stands behind the last has no end yet.
        if let Some(piece) = pieces.next() {
            self.take(piece, found);
        }
        for piece in pieces {
            self.delimit(found);
            self.take(piece, found);
        }
    }

    pub(super) fn end(&mut self, found: &mut dyn FnMut(Decoded)) {
        let why = if self.skip { Unreadable::TooLong } else { Unreadable::CutOff };
        self.leave_out(why, found);
        self.begin();
    }

    fn take(&mut self, piece: &[u8], found: &mut dyn FnMut(Decoded)) {
        self.octets += piece.len() as u64;
        if !self.skip && self.stuffed.len() + piece.len() <= MAX_STUFFED {
            self.stuffed.extend_from_slice(piece);
        } else if !self.skip || self.octets >= TELL_OCTETS {
            self.skip = true;
            self.stuffed.clear();
            self.leave_out(Unreadable::TooLong, found);
        }
    }

    fn delimit(&mut self, found: &mut dyn FnMut(Decoded)) {
        if self.skip {
            self.leave_out(Unreadable::TooLong, found);
        } else if !self.stuffed.is_empty() {
            match unstuff(&self.stuffed) {
                Ok(frame) => found(Decoded::Frame(frame.into())),
                Err(why) => self.leave_out(why, found),
            }
        }
        self.begin();
    }

    fn begin(&mut self) {
        self.skip = false;
        self.stuffed.clear();
        self.octets = 0;
    }

    fn leave_out(&mut self, why: Unreadable, found: &mut dyn FnMut(Decoded)) {
        if self.octets > 0 {
            found(Decoded::LeftOut { why, octets: self.octets });
            self.octets = 0;
        }
    }
}
