//! KISS: Chepponis and Karn, "The KISS TNC: A simple Host-to-TNC communications protocol", 1987.

use bytes::Bytes;

use super::slip::{END, Escapes};
use super::stuffing::{Unstuffer, stuff};
use super::{Decoded, Unreadable};

/// The command in the lower half of the type octet that says: data.
const DATA: u8 = 0;

pub(super) fn encode(port: u8, frame: &[u8], stream: &mut Vec<u8>) {
    stream.push(END);
    // The type octet of port 12 is the delimiter itself, so that it must be escaped like any other octet.
    stuff::<Escapes>(&[port << 4 | DATA], stream);
    stuff::<Escapes>(frame, stream);
    stream.push(END);
}

#[derive(Debug)]
pub(super) struct Decoder {
    port: u8,
    pieces: Unstuffer<Escapes>,
}

impl Decoder {
    pub(super) fn new(port: u8) -> Self {
        Decoder { port, pieces: Unstuffer::new() }
    }

    pub(super) fn decode(&mut self, octets: &[u8], found: &mut dyn FnMut(Decoded)) {
        let own_port = self.port;
        let frame = |piece: &[u8], octets| {
            let left_out = |why| Decoded::LeftOut { why, octets };
            let Some((&kind, content)) = piece.split_first() else { return left_out(Unreadable::Empty) };
            match (kind >> 4, kind & 0x0F) {
                (_, command @ 1..) => left_out(Unreadable::Command { command }),
                (port, DATA) if port != own_port => left_out(Unreadable::OtherPort { port }),
                _ if content.is_empty() => left_out(Unreadable::Empty),
                _ => Decoded::Frame(Bytes::copy_from_slice(content)),
            }
        };
        self.pieces.decode(octets, frame, found);
    }

    pub(super) fn end(&mut self, found: &mut dyn FnMut(Decoded)) {
        self.pieces.end(found);
    }
}
