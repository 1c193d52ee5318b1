/// Why octets are not a bundle, a block's data or an administrative record. `at` counts octets from the start of the
/// input to `parse`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Section 4.1: a bundle is a CBOR indefinite-length array, so it starts with 9F.
    #[error("starts with {found:#04x}, not with the 9F of an indefinite-length array (RFC 9171 section 4.1)")]
    NotABundle {
        /// The first octet.
        found: u8,
    },
    /// Section 4.1: the input ends before the item does.
    #[error("octet {at}: the input ends {missing} octets before {field} does (RFC 9171 section 4.1)")]
    Truncated {
        /// Where.
        at: usize,
        /// The field that is cut off.
        field: &'static str,
        /// Octets that are missing at least.
        missing: u64,
    },
    /// Section 4.1: nothing follows the break, nor the item that is a block's data.
    #[error("octet {at}: {octets} octets follow the end (RFC 9171 section 4.1)")]
    TrailingOctets {
        /// Where.
        at: usize,
        /// How many.
        octets: usize,
    },
    /// Sections 4.2 and 4.3: the field has another CBOR type.
    #[error("octet {at}: {field} is {found}, not {expected} (RFC 9171 sections 4.2 and 4.3)")]
    WrongType {
        /// Where.
        at: usize,
        /// The field.
        field: &'static str,
        /// The CBOR type it should have.
        expected: &'static str,
        /// The CBOR type it has.
        found: &'static str,
    },
    /// Section 4.1, RFC 8949 section 4.2.1: an integer or a length must be in its shortest form.
    #[error("octet {at}: {field} is not in its shortest form (RFC 9171 section 4.1, RFC 8949 section 4.2.1)")]
    NotShortest {
        /// Where.
        at: usize,
        /// The field.
        field: &'static str,
    },
    /// An item of indefinite length inside a block. Section 4.3.2 forbids it for block-type-specific data; elsewhere
    /// section 4.1 does not, but it is not supported.
    #[error("octet {at}: {field} has indefinite length, which is not supported here (RFC 9171 sections 4.1, 4.3.2)")]
    IndefiniteLength {
        /// Where.
        at: usize,
        /// The field.
        field: &'static str,
    },
    /// RFC 8949 section 3: additional information 28 to 30 is reserved.
    #[error("octet {at}: {field} begins with {octet:#04x}, which is not well-formed CBOR (RFC 8949 section 3)")]
    ReservedHead {
        /// Where.
        at: usize,
        /// The field.
        field: &'static str,
        /// The octet.
        octet: u8,
    },
    /// RFC 8949 section 3.1: a text string is UTF-8.
    #[error("octet {at}: {field} is not UTF-8 (RFC 8949 section 3.1)")]
    NotUtf8 {
        /// Where.
        at: usize,
        /// The field.
        field: &'static str,
    },
    /// The content of an unknown record is nested deeper than this parser follows.
    #[error("octet {at}: {field} is nested too deeply")]
    TooDeep {
        /// Where.
        at: usize,
        /// The field.
        field: &'static str,
    },
    /// Sections 4.2, 4.3 and 6.1: an array has another number of elements than its content demands.
    #[error("octet {at}: {field} has {found} elements, not {expected} (RFC 9171 sections 4.2, 4.3 and 6.1)")]
    ElementCount {
        /// Where.
        at: usize,
        /// The array.
        field: &'static str,
        /// Elements it should have.
        expected: u64,
        /// Elements it has.
        found: u64,
    },
    /// Section 4.3.1: not version 7.
    #[error("octet {at}: Bundle Protocol version {found}, not 7 (RFC 9171 section 4.3.1)")]
    Version {
        /// Where.
        at: usize,
        /// The version.
        found: u64,
    },
    /// Section 4.2.1: CRC types are 0, 1 and 2, and no others.
    #[error("octet {at}: CRC type {found}, but RFC 9171 section 4.2.1 defines only 0, 1 and 2")]
    CrcType {
        /// Where.
        at: usize,
        /// The type code.
        found: u64,
    },
    /// Section 4.2.2: a CRC has two or four octets, as its type says.
    #[error("octet {at}: a CRC of {found} octets, not {expected} (RFC 9171 section 4.2.2)")]
    CrcLength {
        /// Where.
        at: usize,
        /// Octets it should have.
        expected: usize,
        /// Octets it has.
        found: usize,
    },
    /// Section 4.2.2: the CRC does not match the block.
    #[error(
        "octet {at}: block {block} carries CRC {carried:#x}, but its octets give {computed:#x} (RFC 9171 section 4.2.2)"
    )]
    CrcMismatch {
        /// Where the CRC is.
        at: usize,
        /// Block number; 0 is the primary block.
        block: u64,
        /// The CRC in the block.
        carried: u32,
        /// The CRC of the block.
        computed: u32,
    },
    /// Section 9.6: the URI scheme is neither dtn (1) nor ipn (2).
    #[error("octet {at}: {field} has URI scheme {scheme}; only dtn (1) and ipn (2) are known (RFC 9171 section 9.6)")]
    UnknownScheme {
        /// Where.
        at: usize,
        /// The field.
        field: &'static str,
        /// The scheme code number.
        scheme: u64,
    },
    /// Section 4.2.5.1.1: a dtn scheme-specific part is 0, or text of the form `//node/demux`.
    #[error("octet {at}: {field} is not a dtn endpoint ID (RFC 9171 section 4.2.5.1.1)")]
    DtnSyntax {
        /// Where.
        at: usize,
        /// The field.
        field: &'static str,
    },
    /// RFC 9758: allocator and node number of a three-element ipn EID have 32 bits each.
    #[error("octet {at}: {field} has an allocator or node number above 32 bits (RFC 9758)")]
    IpnRange {
        /// Where.
        at: usize,
        /// The field.
        field: &'static str,
    },
    /// Section 4.1: block numbers are unique, and 0 is the primary block's.
    #[error("octet {at}: block number {number} is taken (RFC 9171 section 4.1)")]
    BlockNumberTaken {
        /// Where the block begins.
        at: usize,
        /// The block number.
        number: u64,
    },
    /// Section 4.1: the payload block is number 1, and no other block is.
    #[error(
        "octet {at}: block type {block_type} with number {number}; \
         the payload (type 1) alone is number 1 (RFC 9171 section 4.1)"
    )]
    PayloadNumber {
        /// Where the block begins.
        at: usize,
        /// The block type code.
        block_type: u64,
        /// The block number.
        number: u64,
    },
    /// Section 4.1: a bundle has a payload block.
    #[error("octet {at}: the bundle ends without a payload block (RFC 9171 section 4.1)")]
    NoPayload {
        /// Where the bundle ends.
        at: usize,
    },
    /// Section 4.1: the payload block is the last one, so there is no second.
    #[error("octet {at}: a block follows the payload block (RFC 9171 section 4.1)")]
    PayloadNotLast {
        /// Where the later block begins.
        at: usize,
    },
    /// Section 4.4.3: a hop limit is 1 to 255.
    #[error("octet {at}: hop limit {limit} is not in 1 to 255 (RFC 9171 section 4.4.3)")]
    HopLimit {
        /// Where.
        at: usize,
        /// The limit.
        limit: u64,
    },
    /// Section 6.1.1: a status that is not asserted has no time.
    #[error("octet {at}: {field} has a time but is not asserted (RFC 9171 section 6.1.1)")]
    UnassertedTime {
        /// Where.
        at: usize,
        /// Which status.
        field: &'static str,
    },
}

impl BundleError {
    /// The octet at which reading stopped, counted from the start of the input to `parse`.
    pub const fn at(&self) -> usize {
        match *self {
            BundleError::NotABundle { .. } => 0,
            BundleError::Truncated { at, .. }
            | BundleError::TrailingOctets { at, .. }
            | BundleError::WrongType { at, .. }
            | BundleError::NotShortest { at, .. }
            | BundleError::IndefiniteLength { at, .. }
            | BundleError::ReservedHead { at, .. }
            | BundleError::NotUtf8 { at, .. }
            | BundleError::TooDeep { at, .. }
            | BundleError::ElementCount { at, .. }
            | BundleError::Version { at, .. }
            | BundleError::CrcType { at, .. }
            | BundleError::CrcLength { at, .. }
            | BundleError::CrcMismatch { at, .. }
            | BundleError::UnknownScheme { at, .. }
            | BundleError::DtnSyntax { at, .. }
            | BundleError::IpnRange { at, .. }
            | BundleError::BlockNumberTaken { at, .. }
            | BundleError::PayloadNumber { at, .. }
            | BundleError::NoPayload { at }
            | BundleError::PayloadNotLast { at }
            | BundleError::HopLimit { at, .. }
            | BundleError::UnassertedTime { at, .. } => at,
        }
    }
}
