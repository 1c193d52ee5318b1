//! Bytes to protocol data units and back. No I/O, no clock, no threads, no randomness.
//!
//! A bundle on its way over a deep-space link is wrapped like this, outermost last:
//!
//! ```text
//!   application data
//!   └─ bundle          bpv7   RFC 9171: primary block, extension blocks, payload block, in CBOR
//!      └─ LTP block    ltp    one or more bundles; LTP cuts it in data segments, reports what arrived, repeats the rest
//!         └─ segment   ltp    RFC 5326: a control byte and a few numbers written as SDNVs
//!            └─ frame         a UDP datagram, or a CCSDS frame: an integral number of segments
//! ```
//!
//! - [`sdnv`]: the variable-length numbers of LTP (RFC 6256).
//! - [`ltp`]: the Licklider Transmission Protocol's segments (RFC 5326 section 3).
//! - [`tcpcl`]: the TCP convergence layer's messages (RFC 9174); [`stcp`], [`mtcp`] and [`udpcl`]: its smaller relatives.
//! - [`ccsds`]: transfer frames of telemetry, AOS and telecommand, and the packets in them (132.0-B, 732.0-B, 232.0-B, 133.0-B, 133.1-B).
//! - [`bpv7`]: bundles, their extension blocks and administrative records (RFC 9171 sections 4 and 6.1).
//!
//! # How to read and write a unit
//! Each unit is a plain value with public fields. `parse` turns octets into it and refuses what the RFC forbids; the
//! error names the field, the octet and the section. `emit` turns it into octets and refuses nothing: the bench also
//! plays peers that break the rules, so a value that `parse` would refuse can be written.
//!
//! Client data and block data are borrowed from the input, not copied. Nothing here allocates more than the input's
//! own size justifies, whatever counts and lengths the input claims.
//!
//! ```
//! use farlink_wire::ltp::{Content, Segment, SessionId};
//!
//! let ack = Segment::new(SessionId { originator: 10, number: 4711 }, Content::ReportAck { report_serial: 7 });
//! let mut datagram = Vec::new();
//! ack.emit(&mut datagram);
//! assert_eq!(datagram, [0x09, 10, 0xA4, 0x67, 0x00, 7]);
//! assert_eq!(Segment::parse(&datagram)?, (ack, 6));
//! # Ok::<(), farlink_wire::ltp::LtpError>(())
//! ```

mod bounded;
pub mod bpv7;
pub mod ccsds;
pub mod ltp;
pub mod mtcp;
pub mod sdnv;
pub mod stcp;
pub mod tcpcl;
pub mod udpcl;
