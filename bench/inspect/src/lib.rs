//! Looking inside: what bundles, LTP segments and captures are made of, also where they are wrong.
//!
//! Whether octets are right is said by `farlink_wire` alone, the code that the built-in node runs; this crate tells what
//! they are, where each part stands, and why they were refused. It reads nothing by itself but from the readers that it is
//! given.
//!
//! - [`input`]: raw octets, hex dumps, base64 and captures told apart and turned into octets.
//! - [`capture`]: pcap and pcapng, down to UDP datagrams and TCP streams.
//! - [`bundle`]: a [`BundleView`](bundle::BundleView) of octets that are, or should be, a bundle.
//! - [`ltp`]: a [`SegmentView`](ltp::SegmentView) of a segment, and sessions put together from a capture.
//! - [`survey`]: a capture from end to end: segments, sessions, and the bundles inside.
//! - [`make`]: bundles to order, also wrong ones.
//!
//! Views are written as JSON by `serde`; their fields' names are the format, and stay.

pub mod bundle;
pub mod capture;
mod cbor;
pub mod hex;
pub mod input;
pub mod ltp;
pub mod make;
mod ranges;
pub mod streams;
pub mod survey;
pub mod time;
pub mod tree;
