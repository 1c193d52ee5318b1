//! HDLC-like framing with octet stuffing: RFC 1662.

use bytes::Bytes;
use crc::{CRC_16_IBM_SDLC, CRC_32_ISO_HDLC, Crc};

use super::stuffing::{Stuffing, Unstuffer, stuff};
use super::{Decoded, MAX_FRAME_BYTES, Unreadable};

/// The frame check sequence of HDLC: a CRC over the content, sent least significant octet first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fcs {
    /// 16 bits, RFC 1662 appendix C.2.
    Bits16,
    /// 32 bits, RFC 1662 appendix C.3.
    Bits32,
}

static CRC_16: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_SDLC);
static CRC_32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Longest check, in octets.
const MAX_FCS: usize = 4;

impl Fcs {
    fn octets(self) -> usize {
        match self {
            Fcs::Bits16 => 2,
            Fcs::Bits32 => 4,
        }
    }

    /// The check of some content as it stands behind it: its length is [`Fcs::octets`], zeros follow.
    fn of(self, content: &[u8]) -> [u8; MAX_FCS] {
        match self {
            Fcs::Bits16 => u32::from(CRC_16.checksum(content)),
            Fcs::Bits32 => CRC_32.checksum(content),
        }
        .to_le_bytes()
    }
}

#[derive(Debug)]
struct Escapes;

const FLAG: u8 = 0x7E;
const ESCAPE: u8 = 0x7D;
/// What complements bit 6 of an escaped octet (RFC 1662 section 4.2).
const COMPLEMENT: u8 = 0x20;
const XON: u8 = 0x11;
const XOFF: u8 = 0x13;

impl Stuffing for Escapes {
    const DELIMITER: u8 = FLAG;
    const ESCAPE: u8 = ESCAPE;
    const AROUND: usize = MAX_FCS;
    const ESCAPED_DELIMITER: Unreadable = Unreadable::Aborted;

    fn unescape(octet: u8) -> Option<u8> {
        Some(octet ^ COMPLEMENT)
    }

    fn escape(octet: u8) -> Option<u8> {
        matches!(octet, FLAG | ESCAPE | XON | XOFF).then_some(octet ^ COMPLEMENT)
    }
}

pub(super) fn encode(fcs: Fcs, frame: &[u8], stream: &mut Vec<u8>) {
    stream.push(FLAG);
    stuff::<Escapes>(frame, stream);
    stuff::<Escapes>(&fcs.of(frame)[..fcs.octets()], stream);
    stream.push(FLAG);
}

#[derive(Debug)]
pub(super) struct Decoder {
    fcs: Fcs,
    pieces: Unstuffer<Escapes>,
}

impl Decoder {
    pub(super) fn new(fcs: Fcs) -> Self {
        Decoder { fcs, pieces: Unstuffer::new() }
    }

    pub(super) fn decode(&mut self, octets: &[u8], found: &mut dyn FnMut(Decoded)) {
        let fcs = self.fcs;
        let frame = |piece: &[u8], octets| {
            let left_out = |why| Decoded::LeftOut { why, octets };
            let Some(length) = piece.len().checked_sub(fcs.octets()) else { return left_out(Unreadable::TooShort) };
            let (content, check) = piece.split_at(length);
            match length {
                _ if fcs.of(content)[..fcs.octets()] != *check => left_out(Unreadable::WrongCheck),
                0 => left_out(Unreadable::Empty),
                1..=MAX_FRAME_BYTES => Decoded::Frame(Bytes::copy_from_slice(content)),
                _ => left_out(Unreadable::TooLong),
            }
        };
        self.pieces.decode(octets, frame, found);
    }

    pub(super) fn end(&mut self, found: &mut dyn FnMut(Decoded)) {
        self.pieces.end(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_are_those_of_the_published_check_values() {
        assert_eq!(Fcs::Bits16.of(b"123456789"), [0x6E, 0x90, 0, 0]);
        assert_eq!(Fcs::Bits32.of(b"123456789"), 0xCBF4_3926_u32.to_le_bytes());
    }
}
