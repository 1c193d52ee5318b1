//! What goes one way over a TCPCL connection, in words: contact header, messages, records of TLS.

use std::fmt::Write as _;

use super::ladder::hex;
use crate::cases::tcpclv4::message::{MAGIC, Message, kind};

/// Octets of a contact header (RFC 9174 section 4.2).
const HEADER: usize = 6;
/// Octets of the head of a TLS record (RFC 8446 section 5.1).
const RECORD_HEAD: usize = 5;
/// Messages of one piece that are told; alike ones in a row count once.
const TOLD: usize = 40;

/// How far one direction of a connection has been read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What is not all there yet.
    begun: Vec<u8>,
    has_header: bool,
    /// Whether something came that cannot be read, after which nothing can.
    lost: bool,
}

/// What stands at the beginning of some octets.
enum Unit {
    /// All of it, in words, and its length.
    Whole(String, usize),
    /// Not all of it, as far as its kind shows.
    Begun(&'static str),
    Unknown,
}

impl Reading {
    /// What a piece of the stream brings: everything that ends in it, and what is begun and goes on in another piece.
    pub(super) fn in_words(&mut self, piece: &[u8]) -> String {
        if piece.is_empty() {
            return "nothing".to_owned();
        }
        if self.lost {
            return format!("octets {}", hex(piece));
        }
        let mut continues = !self.begun.is_empty();
        self.begun.extend_from_slice(piece);
        let mut list = List::default();
        let mut at = 0;
        while at < self.begun.len() {
            let rest = &self.begun[at..];
            match unit(rest, self.has_header) {
                Unit::Whole(told, length) => {
                    list.push(if continues { format!("the rest of {told}") } else { told });
                    self.has_header = true;
                    at += length;
                }
                Unit::Begun(what) => {
                    let verb = if continues { "goes on" } else { "begins" };
                    list.push(format!("{what} {verb}, {} octets so far", rest.len()));
                    break;
                }
                Unit::Unknown => {
                    list.push(format!("octets that are no message: {}", hex(rest)));
                    self.lost = true;
                    break;
                }
            }
            continues = false;
        }
        if self.lost {
            self.begun = Vec::new();
        } else {
            self.begun.drain(..at);
        }
        list.told()
    }
}

fn unit(octets: &[u8], has_header: bool) -> Unit {
    let magic = &MAGIC[..4];
    if !has_header {
        return match octets.get(..HEADER) {
            Some(header) if header.starts_with(magic) => {
                let told = format!("contact header (version {}, flags {:#04x})", header[4], header[5]);
                Unit::Whole(told, HEADER)
            }
            None if magic.starts_with(&octets[..octets.len().min(magic.len())]) => Unit::Begun("contact header"),
            _ => Unit::Unknown,
        };
    }
    if let Some(record) = tls_record(octets) {
        return record;
    }
    match Message::read(octets) {
        Ok(Some((message, length))) => Unit::Whole(message.told(), length),
        Ok(None) => Unit::Begun(kind::name(octets[0])),
        Err(_) => Unit::Unknown,
    }
}

/// No message type of TCPCL is a content type of TLS.
fn tls_record(octets: &[u8]) -> Option<Unit> {
    let what = match octets.first()? {
        20 => "TLS change_cipher_spec",
        21 => "TLS alert",
        22 => "TLS handshake",
        23 => "TLS application_data",
        _ => return None,
    };
    Some(match octets {
        [_, 3, _, high, low, ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            match octets.len() < RECORD_HEAD + length {
                true => Unit::Begun(what),
                false => Unit::Whole(format!("{what} ({length} octets)"), RECORD_HEAD + length),
            }
        }
        [_] | [_, 3] | [_, 3, _] | [_, 3, _, _] => Unit::Begun(what),
        _ => Unit::Unknown,
    })
}

/// Messages in a row, alike ones told once.
#[derive(Default)]
struct List {
    told: Vec<(String, usize)>,
    left_out: usize,
}

impl List {
    fn push(&mut self, told: String) {
        let full = self.told.len() == TOLD;
        match self.told.last_mut() {
            Some((last, count)) if *last == told && self.left_out == 0 => *count += 1,
            _ if full => self.left_out += 1,
            _ => self.told.push((told, 1)),
        }
    }

    fn told(self) -> String {
        let told = |(told, count): (String, usize)| if count == 1 { told } else { format!("{told} × {count}") };
        let mut line = self.told.into_iter().map(told).collect::<Vec<_>>().join("; ");
        if self.left_out > 0 {
            let _ = write!(line, "; and {} more", self.left_out);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::tcpclv4::message::{END, START, contact_header, segment, sess_term, xfer_ack};

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut reading = Reading::default();
        pieces.iter().map(|piece| reading.in_words(piece)).collect()
    }

    #[test]
    fn every_message_of_a_piece_is_told() {
        let all = [
            &contact_header(4, 0)[..],
            &xfer_ack(END, 7, 100),
            &[kind::KEEPALIVE, kind::KEEPALIVE],
            &segment(START | END, 8, &[], &[1; 50]),
            &sess_term(0, 3),
        ]
        .concat();
        assert_eq!(
            read(&[&all]),
            ["contact header (version 4, flags 0x00); XFER_ACK (flags 0x01, transfer 7, length 100); KEEPALIVE × 2; \
              XFER_SEGMENT (flags 0x03, transfer 8, 50 octets); SESS_TERM (flags 0x00, reason 0x03)"]
        );
    }

    #[test]
    fn a_message_in_several_pieces_is_told_when_it_ends() {
        let all = [&contact_header(4, 0)[..], &segment(START | END, 8, &[], &[1; 50]), &[kind::KEEPALIVE]].concat();
        assert_eq!(
            read(&[&all[..3], &all[3..10], &all[10..40], &all[40..]]),
            [
                "contact header begins, 3 octets so far",
                "the rest of contact header (version 4, flags 0x00); XFER_SEGMENT begins, 4 octets so far",
                "XFER_SEGMENT goes on, 34 octets so far",
                "the rest of XFER_SEGMENT (flags 0x03, transfer 8, 50 octets); KEEPALIVE",
            ]
        );
    }

    #[test]
    fn records_of_tls_are_told_as_such() {
        let all = [&contact_header(4, 1)[..], &[22, 3, 3, 0, 2, 9, 9, 23, 3, 3, 0, 1, 9, 21, 3]].concat();
        assert_eq!(
            read(&[&all]),
            ["contact header (version 4, flags 0x01); TLS handshake (2 octets); TLS application_data (1 octets); \
              TLS alert begins, 2 octets so far"]
        );
    }

    #[test]
    fn what_is_no_message_is_shown_as_octets_and_so_is_what_follows() {
        let all = [&contact_header(4, 0)[..], &[0xFF, 1, 2]].concat();
        assert_eq!(
            read(&[&all, &[kind::KEEPALIVE]]),
            ["contact header (version 4, flags 0x00); octets that are no message: ff 01 02", "octets 04"]
        );
        assert_eq!(read(&[b"GET /", b"x"]), ["octets that are no message: 47 45 54 20 2f", "octets 78"]);
    }

    #[test]
    fn a_flood_of_messages_makes_no_endless_line() {
        let mut all = contact_header(4, 0).to_vec();
        (0..1000).for_each(|id| all.extend(xfer_ack(0, id, 1)));
        let told = read(&[&all]).concat();
        assert!(told.len() < 4000 && told.ends_with("; and 961 more"), "{told}");
    }
}
