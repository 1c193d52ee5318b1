use crate::sdnv::SdnvError;

/// Why octets are not an LTP segment. `at` counts octets from the start of the input, which for
/// [`segments`](super::segments) is the whole frame.
///
/// Section 6: such a segment is assumed to be corrupt, and is discarded and processed no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LtpError {
    /// Section 3.1: the version number must be 0.
    #[error("octet {at}: version {version}, but RFC 5326 section 3.1 defines only version 0")]
    Version {
        /// Where.
        at: usize,
        /// The high nibble of the control byte.
        version: u8,
    },
    /// Section 3.1.2: codes 5, 6, 10 and 11 are undefined.
    #[error("octet {at}: segment type {code} is undefined (RFC 5326 section 3.1.2)")]
    UndefinedType {
        /// Where.
        at: usize,
        /// The segment type code.
        code: u8,
    },
    /// Section 3: the input ends before the segment does.
    #[error("octet {at}: {field} needs {needed} octets, but the input ends after {left} (RFC 5326 section 3)")]
    Truncated {
        /// Where.
        at: usize,
        /// The field that is cut off.
        field: &'static str,
        /// Octets the field needs.
        needed: u64,
        /// Octets there are.
        left: usize,
    },
    /// Section 3 and RFC 6256: a number is cut off, or needs more than 64 bits.
    #[error("octet {at}: {field}: {source} (RFC 6256 sections 2 and 3.3)")]
    Number {
        /// Where the number begins.
        at: usize,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        source: SdnvError,
    },
    /// Sections 3.2.1 to 3.2.3: a serial number that names a checkpoint or a report must not be zero.
    #[error("octet {at}: {field} is zero, which RFC 5326 sections 3.2.1 and 3.2.2 forbid")]
    ZeroSerial {
        /// Where.
        at: usize,
        /// Which serial number.
        field: &'static str,
    },
    /// Section 3.2.1: offset plus length is beyond 64 bits, so the data have no place in any block.
    #[error("octet {at}: offset {offset} plus length {length} is beyond 64 bits (RFC 5326 section 3.2.1)")]
    BeyondBlock {
        /// Where the offset is.
        at: usize,
        /// Offset in the block.
        offset: u64,
        /// Length of the data.
        length: u64,
    },
    /// Section 3.2.2: the scope is empty or negative, so no claim can be valid in it.
    #[error("octet {at}: lower bound {lower} is not below upper bound {upper} (RFC 5326 section 3.2.2)")]
    Bounds {
        /// Where the upper bound is.
        at: usize,
        /// Lower bound.
        lower: u64,
        /// Upper bound.
        upper: u64,
    },
    /// Section 3.2.2: a report has one or more claims.
    #[error("octet {at}: a report without claims (RFC 5326 section 3.2.2)")]
    NoClaims {
        /// Where the count is.
        at: usize,
    },
    /// Section 3.2.2: a claim takes at least two octets, and the input has fewer left than the count says.
    #[error("octet {at}: {count} claims do not fit in the {left} octets left (RFC 5326 section 3.2.2)")]
    ClaimCount {
        /// Where the count is.
        at: usize,
        /// The count.
        count: u64,
        /// Octets left after it.
        left: usize,
    },
    /// Section 3.2.2: a claim's length is never less than 1.
    #[error("octet {at}: claim {index} is empty (RFC 5326 section 3.2.2)")]
    EmptyClaim {
        /// Where the claim begins.
        at: usize,
        /// Which claim, from 0.
        index: u64,
    },
    /// Section 3.2.2: a claim begins beyond the end of the one before; claims that touch are one claim.
    #[error("octet {at}: claim {index} begins at {offset}, not after {previous_end} (RFC 5326 section 3.2.2)")]
    ClaimOrder {
        /// Where the claim begins.
        at: usize,
        /// Which claim, from 0.
        index: u64,
        /// Its offset from the lower bound.
        offset: u64,
        /// Where the claim before it ends.
        previous_end: u64,
    },
    /// Section 3.2.2: a claim never reaches beyond the upper bound.
    #[error(
        "octet {at}: claim {index}, {offset}+{length}, leaves the scope of {scope} octets (RFC 5326 section 3.2.2)"
    )]
    ClaimBeyondScope {
        /// Where the claim begins.
        at: usize,
        /// Which claim, from 0.
        index: u64,
        /// Its offset from the lower bound.
        offset: u64,
        /// Its length.
        length: u64,
        /// Upper bound less lower bound.
        scope: u64,
    },
}

impl LtpError {
    /// The octet at which reading stopped, counted from the start of the input.
    pub const fn at(&self) -> usize {
        match *self {
            LtpError::Version { at, .. }
            | LtpError::UndefinedType { at, .. }
            | LtpError::Truncated { at, .. }
            | LtpError::Number { at, .. }
            | LtpError::ZeroSerial { at, .. }
            | LtpError::BeyondBlock { at, .. }
            | LtpError::Bounds { at, .. }
            | LtpError::NoClaims { at }
            | LtpError::ClaimCount { at, .. }
            | LtpError::EmptyClaim { at, .. }
            | LtpError::ClaimOrder { at, .. }
            | LtpError::ClaimBeyondScope { at, .. } => at,
        }
    }
}
