//! What SLIP, KISS and HDLC have in common: a delimiter between frames, and an escape for what may not stand in them.

use std::marker::PhantomData;

use super::{Decoded, MAX_FRAME_BYTES, TELL_OCTETS, Unreadable};

/// A delimiter, an escape, and what it does.
pub(super) trait Stuffing {
    /// Stands between frames.
    const DELIMITER: u8;
    /// Stands before what is escaped.
    const ESCAPE: u8;
    /// Octets around the content of a frame: a header, a check.
    const AROUND: usize;
    /// What the delimiter means behind an escape.
    const ESCAPED_DELIMITER: Unreadable;
    /// The octet that is meant by this one behind an escape.
    fn unescape(octet: u8) -> Option<u8>;
    /// What stands behind the escape for this octet; `None` if it needs none.
    fn escape(octet: u8) -> Option<u8>;
}

/// Appends octets with those escaped that need it.
pub(super) fn stuff<S: Stuffing>(octets: &[u8], stream: &mut Vec<u8>) {
    for &octet in octets {
        match S::escape(octet) {
            None => stream.push(octet),
            Some(escaped) => stream.extend([S::ESCAPE, escaped]),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Plain,
    /// The last octet was an escape.
    Escaped,
    /// Until the next delimiter nothing is of use.
    Skip(Unreadable),
}

/// Takes delimited pieces off a stream and undoes their escapes.
#[derive(Debug)]
pub(super) struct Unstuffer<S> {
    state: State,
    piece: Vec<u8>,
    /// Octets since the delimiter, or since it was last told how many were left out.
    octets: u64,
    stuffing: PhantomData<S>,
}

impl<S: Stuffing> Unstuffer<S> {
    pub(super) fn new() -> Self {
        Unstuffer { state: State::Plain, piece: Vec::new(), octets: 0, stuffing: PhantomData }
    }

    /// Goes through the octets; `frame` makes of each piece that is not empty what it is, given how many octets it took.
    pub(super) fn decode(
        &mut self,
        octets: &[u8],
        frame: impl Fn(&[u8], u64) -> Decoded,
        found: &mut dyn FnMut(Decoded),
    ) {
        let mut rest = octets;
        while let Some(&octet) = rest.first() {
            match self.state {
                _ if octet == S::DELIMITER => {
                    rest = &rest[1..];
                    self.delimit(&frame, found);
                }
                State::Plain if octet == S::ESCAPE => {
                    rest = &rest[1..];
                    self.octets += 1;
                    self.state = State::Escaped;
                }
                State::Escaped => {
                    rest = &rest[1..];
                    self.octets += 1;
                    self.state = State::Plain;
                    match S::unescape(octet) {
                        Some(octet) => self.take(&[octet], found),
                        None => self.skip(Unreadable::BrokenEscape),
                    }
                }
                State::Plain => {
                    let run = rest.iter().position(|&o| o == S::DELIMITER || o == S::ESCAPE).unwrap_or(rest.len());
                    self.octets += run as u64;
                    self.take(&rest[..run], found);
                    rest = &rest[run..];
                }
                State::Skip(why) => {
                    let run = rest.iter().position(|&o| o == S::DELIMITER).unwrap_or(rest.len());
                    self.octets += run as u64;
                    rest = &rest[run..];
                    if self.octets >= TELL_OCTETS {
                        self.leave_out(why, found);
                    }
                }
            }
        }
    }

    /// The stream has ended.
    pub(super) fn end(&mut self, found: &mut dyn FnMut(Decoded)) {
        let why = match self.state {
            State::Skip(why) => why,
            State::Plain | State::Escaped => Unreadable::CutOff,
        };
        self.leave_out(why, found);
        self.begin();
    }

    fn delimit(&mut self, frame: impl Fn(&[u8], u64) -> Decoded, found: &mut dyn FnMut(Decoded)) {
        match self.state {
            State::Skip(why) => self.leave_out(why, found),
            State::Escaped => self.leave_out(S::ESCAPED_DELIMITER, found),
            // Two delimiters in a row are no frame: the end of one and the beginning of the next.
            State::Plain if self.piece.is_empty() => {}
            State::Plain => found(frame(&self.piece, self.octets)),
        }
        self.begin();
    }

    fn begin(&mut self) {
        self.state = State::Plain;
        self.piece.clear();
        self.octets = 0;
    }

    fn take(&mut self, octets: &[u8], found: &mut dyn FnMut(Decoded)) {
        if self.piece.len() + octets.len() > MAX_FRAME_BYTES + S::AROUND {
            self.skip(Unreadable::TooLong);
            // Told at once: an end may never come.
            self.leave_out(Unreadable::TooLong, found);
        } else {
            self.piece.extend_from_slice(octets);
        }
    }

    fn skip(&mut self, why: Unreadable) {
        self.state = State::Skip(why);
        self.piece.clear();
    }

    fn leave_out(&mut self, why: Unreadable, found: &mut dyn FnMut(Decoded)) {
        if self.octets > 0 {
            found(Decoded::LeftOut { why, octets: self.octets });
            self.octets = 0;
        }
    }
}
