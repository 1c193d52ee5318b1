//! The Simple TCP Convergence Layer: before each bundle its length, four octets, most significant first.
//!
//! There is no RFC; draft-burleigh-dtn-stcp describes it. A length of zero carries no bundle; stacks send it so that an
//! idle connection stays open, and [`Deframer`] passes over it. Nothing in the stream tells where a bundle begins but the
//! lengths before it: after an error the connection must be closed, or the bundle be passed over ([`Deframer::pass_over`]).
//!
//! ```
//! use farlink_wire::stcp::{Deframer, preamble};
//!
//! let mut stream = preamble(5).unwrap().to_vec();
//! stream.extend_from_slice(b"hello");
//! let mut deframer = Deframer::new(1 << 20);
//! let mut input = &stream[..7];
//! assert_eq!(deframer.read(&mut input)?, None);
//! let mut input = &stream[7..];
//! assert_eq!(deframer.read(&mut input)?, Some(b"hello".to_vec()));
//! # Ok::<(), farlink_wire::stcp::StcpError>(())
//! ```

use crate::bounded::{Body, skip};

/// Why a stream is not one of bundles that are acceptable here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StcpError {
    /// The length before a bundle is beyond the limit.
    #[error("a bundle of {length} octets is announced, but {limit} are the most that are taken: close the connection")]
    TooLong {
        /// The length.
        length: u32,
        /// The limit.
        limit: u64,
    },
}

/// The octets before a bundle of this length, or `None` if it is too long for them.
pub fn preamble(bundle_length: usize) -> Option<[u8; 4]> {
    u32::try_from(bundle_length).ok().map(u32::to_be_bytes)
}

/// Finds the bundles in a stream that arrives in pieces.
///
/// It holds one bundle at a time, and of that what has arrived.
#[derive(Clone, Debug)]
pub struct Deframer {
    max_bundle: u64,
    preamble: Vec<u8>,
    body: Option<Body>,
    failed: Option<StcpError>,
    /// Octets still to come of a bundle that is passed over.
    unwanted: u64,
}

impl Deframer {
    /// A deframer that takes bundles of up to `max_bundle` octets.
    pub fn new(max_bundle: u64) -> Self {
        Deframer { max_bundle, preamble: Vec::with_capacity(4), body: None, failed: None, unwanted: 0 }
    }

    /// Takes octets from the front of `input` up to the end of a bundle, which it returns; `None` once `input` is used up.
    /// So it is to be called until it returns `None`.
    ///
    /// # Errors
    /// A bundle is too long. Every further call returns the same error, unless the bundle is passed over.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, StcpError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        skip(input, &mut self.unwanted);
        loop {
            if let Some(body) = &mut self.body {
                let whole = body.fill(input);
                if whole.is_some() {
                    self.body = None;
                }
                return Ok(whole);
            }
            let Some((&octet, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.preamble.push(octet);
            let Ok(octets) = <[u8; 4]>::try_from(self.preamble.as_slice()) else { continue };
            self.preamble.clear();
            let length = u32::from_be_bytes(octets);
            if u64::from(length) > self.max_bundle {
                let error = StcpError::TooLong { length, limit: self.max_bundle };
                self.failed = Some(error);
                return Err(error);
            }
            self.body = (length > 0).then(|| Body::new(length as usize));
        }
    }

    /// After [`StcpError::TooLong`]: goes on behind that bundle, of which nothing is kept. Otherwise it does nothing.
    pub fn pass_over(&mut self) {
        if let Some(StcpError::TooLong { length, .. }) = self.failed.take() {
            self.unwanted = length.into();
        }
    }

    /// Whether the stream is between two bundles: if it ends elsewhere, a bundle was cut off.
    pub fn is_between_bundles(&self) -> bool {
        self.preamble.is_empty() && self.body.is_none() && self.unwanted == 0
    }
}
