//! The Minimal TCP Convergence Layer: each bundle is a CBOR byte string of definite length.
//!
//! There is no RFC; draft-ietf-dtn-mtcpcl describes it. The head of the byte string may be of any size, also longer than
//! needed. A byte string of length zero carries no bundle; stacks send it so that an idle connection stays open, and
//! [`Deframer`] passes over it. Nothing else is allowed in the stream: after an error the connection must be closed, or, if
//! a bundle was too long, that one be passed over ([`Deframer::pass_over`]).
//!
//! ```
//! use farlink_wire::mtcp::{Deframer, head};
//!
//! let mut stream = head(5);
//! stream.extend_from_slice(b"hello");
//! let mut input = &stream[..];
//! assert_eq!(Deframer::new(1 << 20).read(&mut input)?, Some(b"hello".to_vec()));
//! # Ok::<(), farlink_wire::mtcp::MtcpError>(())
//! ```

use crate::bounded::{Body, skip};

/// Why a stream is not one of bundles that are acceptable here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MtcpError {
    /// RFC 8949 section 3.1: a byte string has major type 2, which these octets have not.
    #[error("{octet:#04x} begins no CBOR byte string: close the connection")]
    NoByteString {
        /// The first octet.
        octet: u8,
    },
    /// RFC 8949 section 3.2.3: a byte string in chunks, whose length is not known.
    #[error("a CBOR byte string of indefinite length, where MTCP has a definite one: close the connection")]
    Indefinite,
    /// RFC 8949 section 3: additional information 28 to 30 is reserved.
    #[error("{octet:#04x} is a reserved form of a CBOR byte string's head: close the connection")]
    Reserved {
        /// The first octet.
        octet: u8,
    },
    /// The length is beyond the limit.
    #[error("a bundle of {length} octets is announced, but {limit} are the most that are taken: close the connection")]
    TooLong {
        /// The length.
        length: u64,
        /// The limit.
        limit: u64,
    },
}

const BYTE_STRING: u8 = 2 << 5;

/// The shortest head of a byte string for a bundle of this length.
pub fn head(bundle_length: usize) -> Vec<u8> {
    let length = bundle_length as u64;
    let (information, octets) = match length {
        0..24 => return vec![BYTE_STRING | length as u8],
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    let mut head = vec![BYTE_STRING | information];
    head.extend_from_slice(&length.to_be_bytes()[8 - octets..]);
    head
}

/// Finds the bundles in a stream that arrives in pieces.
///
/// It holds one bundle at a time, and of that what has arrived.
#[derive(Clone, Debug)]
pub struct Deframer {
    max_bundle: u64,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Between,
    /// So many octets of the length are still to come.
    Length {
        missing: u8,
        so_far: u64,
    },
    Body(Body),
    /// So many octets of a bundle that is passed over are still to come.
    Unwanted(u64),
    Failed(MtcpError),
}

impl Deframer {
    /// A deframer that takes bundles of up to `max_bundle` octets.
    pub fn new(max_bundle: u64) -> Self {
        Deframer { max_bundle, state: State::Between }
    }

    /// Takes octets from the front of `input` up to the end of a bundle, which it returns; `None` once `input` is used up.
    /// So it is to be called until it returns `None`.
    ///
    /// # Errors
    /// Something that is no byte string, or too long a one. Every further call returns the same error, unless it was too
    /// long and is passed over.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, MtcpError> {
        loop {
            if let State::Body(body) = &mut self.state {
                let whole = body.fill(input);
                if whole.is_some() {
                    self.state = State::Between;
                }
                return Ok(whole);
            }
            if let State::Failed(error) = self.state {
                return Err(error);
            }
            if let State::Unwanted(missing) = &mut self.state {
                skip(input, missing);
                if *missing == 0 {
                    self.state = State::Between;
                }
            }
            let Some((&octet, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.state = self.next(octet).unwrap_or_else(State::Failed);
        }
    }

    /// The state after one octet of a head.
    fn next(&self, octet: u8) -> Result<State, MtcpError> {
        if let State::Length { missing, so_far } = self.state {
            let so_far = so_far << 8 | u64::from(octet);
            return if missing > 1 { Ok(State::Length { missing: missing - 1, so_far }) } else { self.body(so_far) };
        }
        if octet & 0xE0 != BYTE_STRING {
            return Err(MtcpError::NoByteString { octet });
        }
        match octet & 0x1F {
            length @ 0..24 => self.body(length.into()),
            information @ 24..=27 => Ok(State::Length { missing: 1 << (information - 24), so_far: 0 }),
            28..=30 => Err(MtcpError::Reserved { octet }),
            _ => Err(MtcpError::Indefinite),
        }
    }

    fn body(&self, length: u64) -> Result<State, MtcpError> {
        let too_long = MtcpError::TooLong { length, limit: self.max_bundle };
        if length > self.max_bundle {
            return Err(too_long);
        }
        match usize::try_from(length).map_err(|_| too_long)? {
            0 => Ok(State::Between),
            length => Ok(State::Body(Body::new(length))),
        }
    }

    /// After [`MtcpError::TooLong`]: goes on behind that bundle, of which nothing is kept. Otherwise it does nothing.
    pub fn pass_over(&mut self) {
        if let State::Failed(MtcpError::TooLong { length, .. }) = self.state {
            self.state = State::Unwanted(length);
        }
    }

    /// Whether the stream is between two bundles: if it ends elsewhere, a bundle was cut off.
    pub fn is_between_bundles(&self) -> bool {
        matches!(self.state, State::Between)
    }
}
