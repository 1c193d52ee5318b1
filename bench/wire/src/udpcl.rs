//! The datagram convergence layer over UDP (RFC 7122 section 3.2): one bundle to a datagram and nothing around it.
//!
//! The length of a datagram tells where its bundle ends, so there is nothing to frame. A bundle longer than
//! [`MAX_BUNDLE`] has to be fragmented before it is sent.

/// The registered UDP port (section 3.2.2).
pub const PORT: u16 = 4556;

/// The longest bundle that a UDP datagram over IPv4 holds: 65,535 octets less the headers of IP and UDP.
pub const MAX_BUNDLE: usize = 65_507;

/// A datagram of exactly these octets keeps an address mapping alive and must be discarded (section 3.4).
pub const KEEP_ALIVE: [u8; 4] = [0; 4];
