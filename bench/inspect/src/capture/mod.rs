//! Captures, from the file down to UDP datagrams and TCP payloads, one packet at a time.
//!
//! Supported: pcap in both byte orders and with micro- or nanoseconds, pcapng with any time resolution; Ethernet with
//! VLAN tags, Linux cooked (SLL, SLL2), raw IP, NULL and LOOP; IPv4 and IPv6, fragments reassembled. Checksums are not
//! verified: a capture on the sending host has them before the network card has filled them in.
//!
//! # Limits
//! A packet has at most [`MAX_PACKET`] octets. Of datagrams whose fragments are not complete, [`MAX_FRAGMENTED`] are kept
//! and the oldest is given up for a new one.

mod file;
mod fragments;
mod network;

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

pub(crate) use file::is_capture;
pub use file::{CaptureFile, Packet};
pub use fragments::MAX_FRAGMENTED;
pub use network::{Network, Payload, Totals, Transport};

/// Longest packet, which is what Wireshark takes at most too.
pub const MAX_PACKET: usize = 262_144;

/// Why a capture cannot be read any further.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The system refuses.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// Neither pcap nor pcapng.
    #[error("is no capture: it begins with {found}, neither with the magic number of pcap nor with that of pcapng")]
    NotACapture {
        /// Hex digits of the first octets.
        found: String,
    },
    /// The file ends within something.
    #[error("octet {at}: the capture ends in the middle of packet {packet}, perhaps since it was still being written")]
    CutOff {
        /// Where that began.
        at: u64,
        /// Which packet, from 1.
        packet: u64,
    },
    /// A length, a byte order or an interface that cannot be.
    #[error("octet {at}: {what}; the capture is damaged from here on")]
    Damaged {
        /// Where.
        at: u64,
        /// What is wrong.
        what: String,
    },
}

/// An IP address and a port on either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ends {
    /// Who sent it.
    pub source: SocketAddr,
    /// For whom it is.
    pub destination: SocketAddr,
}

impl Ends {
    pub(crate) fn new(source: IpAddr, destination: IpAddr, ports: (u16, u16)) -> Self {
        Ends { source: SocketAddr::new(source, ports.0), destination: SocketAddr::new(destination, ports.1) }
    }
}

/// `127.0.0.1:47007 → 127.0.0.3:1113`.
impl std::fmt::Display for Ends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}", self.source, self.destination)
    }
}
