//! Bundles of the Bundle Protocol version 7 (RFC 9171).
//!
//! A [`Bundle`] is a CBOR indefinite-length array: the [`PrimaryBlock`] (from whom, to whom, until when), then
//! [`CanonicalBlock`]s, the last of which is the payload. Between them stand extension blocks, which a node may add,
//! read or drop: [`PreviousNode`], [`BundleAge`], [`HopCount`] and whatever else. A payload that is an
//! [`AdministrativeRecord`] carries a [`StatusReport`] back to whoever asked for it.
//!
//! ```
//! use farlink_wire::bpv7::*;
//!
//! let bundle = Bundle {
//!     primary: PrimaryBlock {
//!         flags: BundleFlags::MUST_NOT_FRAGMENT | BundleFlags::REPORT_DELIVERY,
//!         crc: CrcType::Crc32c,
//!         destination: "ipn:20.1".parse()?,
//!         source: Eid::ipn(10, 1),
//!         report_to: Eid::ipn(10, 0),
//!         creation: CreationTimestamp { time_ms: 848_000_000_000, sequence: 0 },
//!         lifetime_ms: 3_600_000,
//!         fragment: None,
//!     },
//!     blocks: vec![CanonicalBlock {
//!         block_type: block_type::PAYLOAD,
//!         number: 1,
//!         flags: BlockFlags::default(),
//!         crc: CrcType::Crc32c,
//!         data: b"hello, Mars".into(),
//!     }],
//! };
//! let octets = bundle.emit();
//! assert_eq!(Bundle::parse(&octets)?, bundle);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What parsing promises
//! [`Bundle::parse`] takes only the deterministic encoding of section 4.1 (shortest heads, definite lengths inside the
//! outer array), so `emit` gives back the very octets that were read, and a forwarder leaves the primary block as
//! immutable as section 4.3.1 demands. That includes the form of an ipn EID, which RFC 9758 lets be written in two ways
//! ([`IpnForm`]). The same holds for extension blocks' data and for administrative records.
//!
//! One thing of the documents is outside of that promise: section 4.1 does not prohibit indefinite-length items inside
//! blocks. They are refused, as [`BundleError::IndefiniteLength`], since nothing would keep their form.
//!
//! Rules that bind the creator of a bundle but leave it readable, such as "a primary block has a CRC", do not fail the
//! parse: [`Bundle::lapses`] lists them.

mod admin;
mod block;
mod bundle;
mod cbor;
mod crc;
mod eid;
mod error;
mod extension;
mod lapse;
mod primary;

pub use admin::{AdministrativeRecord, FragmentExtent, ReasonCode, StatusItem, StatusReport};
pub use block::{BlockFlags, CanonicalBlock, block_type};
pub use bundle::Bundle;
pub use crc::CrcType;
pub use eid::{Eid, EidSyntaxError, IpnForm};
pub use error::BundleError;
pub use extension::{BundleAge, Extension, HopCount, PreviousNode, QualityOfService};
pub use lapse::Lapse;
pub use primary::{BundleFlags, CreationTimestamp, Fragment, PrimaryBlock};
