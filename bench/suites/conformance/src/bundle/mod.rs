//! Bundles octet by octet (RFC 9171), written and read without the bundle code of the engine under test, so that a mistake in
//! there cannot hide itself.

pub mod cbor;
mod draft;
mod emitted;
mod report;
pub mod rules;

pub use draft::{BASE_LIFETIME_MS, Block, Crc, Draft, Width, content, eid, timestamp};
pub use emitted::{Emitted, EmittedBlock, Head};
pub use report::{Item as StatusItem, Report};

/// Bundle processing control flags (RFC 9171 section 4.2.3).
pub mod flags {
    /// The bundle is a fragment.
    pub const FRAGMENT: u64 = 1;
    /// The payload is an administrative record.
    pub const RECORD: u64 = 1 << 1;
    /// The bundle must not be fragmented.
    pub const WHOLE: u64 = 1 << 2;
    /// The application is asked to acknowledge.
    pub const ACKNOWLEDGE: u64 = 1 << 5;
    /// Reports shall tell the time.
    pub const TIME: u64 = 1 << 6;
    /// Reception is to be reported.
    pub const RECEPTION: u64 = 1 << 14;
    /// Forwarding is to be reported.
    pub const FORWARDING: u64 = 1 << 16;
    /// Delivery is to be reported.
    pub const DELIVERY: u64 = 1 << 17;
    /// Deletion is to be reported.
    pub const DELETION: u64 = 1 << 18;
    /// Every request for a report.
    pub const REPORTS: u64 = RECEPTION | FORWARDING | DELIVERY | DELETION;
    /// Every flag that RFC 9171 defines.
    pub const DEFINED: u64 = FRAGMENT | RECORD | WHOLE | ACKNOWLEDGE | TIME | REPORTS;
}

/// Block processing control flags (RFC 9171 section 4.2.4).
pub mod block_flags {
    /// The block is in every fragment.
    pub const REPLICATE: u64 = 1;
    /// A node that cannot process the block reports it.
    pub const REPORT: u64 = 1 << 1;
    /// A node that cannot process the block deletes the bundle.
    pub const DELETE: u64 = 1 << 2;
    /// A node that cannot process the block removes it.
    pub const DISCARD: u64 = 1 << 4;
    /// Every flag that RFC 9171 defines.
    pub const DEFINED: u64 = REPLICATE | REPORT | DELETE | DISCARD;
}

/// Block type codes (RFC 9171 section 9.1).
pub mod block_type {
    /// The payload.
    pub const PAYLOAD: u64 = 1;
    /// Who forwarded the bundle.
    pub const PREVIOUS_NODE: u64 = 6;
    /// How old the bundle is.
    pub const BUNDLE_AGE: u64 = 7;
    /// How often it was forwarded, and may be.
    pub const HOP_COUNT: u64 = 10;
    /// A block integrity block (RFC 9172).
    pub const INTEGRITY: u64 = 11;
}

/// Reason codes of status reports (RFC 9171 section 9.5).
pub mod reason {
    /// No additional information.
    pub const NONE: u64 = 0;
    /// Lifetime expired.
    pub const EXPIRED: u64 = 1;
    /// Transmission canceled.
    pub const CANCELED: u64 = 3;
    /// Destination endpoint ID unavailable.
    pub const UNAVAILABLE: u64 = 5;
    /// No known route to destination from here.
    pub const NO_ROUTE: u64 = 6;
    /// No timely contact with next node on route.
    pub const NO_CONTACT: u64 = 7;
    /// Block unintelligible.
    pub const UNINTELLIGIBLE: u64 = 8;
    /// Hop limit exceeded.
    pub const HOPS: u64 = 9;
    /// Traffic pared.
    pub const PARED: u64 = 10;
    /// Block unsupported.
    pub const UNSUPPORTED: u64 = 11;
    /// The last code that is registered: 12 to 16 are those of RFC 9172.
    pub const LAST: u64 = 16;
}
