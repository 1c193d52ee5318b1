//! SLIP: RFC 1055.

use bytes::Bytes;

use super::stuffing::{Stuffing, Unstuffer, stuff};
use super::{Decoded, Unreadable};

/// RFC 1055, "Protocol": END and ESC, and what stands for them behind an ESC. KISS has the same under other names.
#[derive(Debug)]
pub(super) struct Escapes;

pub(super) const END: u8 = 0xC0;
const ESC: u8 = 0xDB;
const ESC_END: u8 = 0xDC;
const ESC_ESC: u8 = 0xDD;

impl Stuffing for Escapes {
    const DELIMITER: u8 = END;
    const ESCAPE: u8 = ESC;
    // The type octet of KISS.
    const AROUND: usize = 1;
    const ESCAPED_DELIMITER: Unreadable = Unreadable::BrokenEscape;

    fn unescape(octet: u8) -> Option<u8> {
        match octet {
            ESC_END => Some(END),
            ESC_ESC => Some(ESC),
            _ => None,
        }
    }

    fn escape(octet: u8) -> Option<u8> {
        match octet {
            END => Some(ESC_END),
            ESC => Some(ESC_ESC),
            _ => None,
        }
    }
}

pub(super) fn encode(frame: &[u8], stream: &mut Vec<u8>) {
    stream.push(END);
    stuff::<Escapes>(frame, stream);
    stream.push(END);
}

#[derive(Debug)]
pub(super) struct Decoder(Unstuffer<Escapes>);

impl Decoder {
    pub(super) fn new() -> Self {
        Decoder(Unstuffer::new())
    }

    pub(super) fn decode(&mut self, octets: &[u8], found: &mut dyn FnMut(Decoded)) {
        let frame = |piece: &[u8], octets| match piece.len() {
            // The room for KISS's type octet is none for content here.
            length if length > super::MAX_FRAME_BYTES => Decoded::LeftOut { why: Unreadable::TooLong, octets },
            _ => Decoded::Frame(Bytes::copy_from_slice(piece)),
        };
        self.0.decode(octets, frame, found);
    }

    pub(super) fn end(&mut self, found: &mut dyn FnMut(Decoded)) {
        self.0.end(found);
    }
}
