//! Self-Delimiting Numeric Values (RFC 6256): unsigned integers in as few octets as they need.
//!
//! Seven bits of the value to an octet, most significant first; the high bit of an octet says "more follow". LTP writes
//! nearly every field this way. RFC 6256 section 3.3 asks each protocol to name the widest value it handles: here it is
//! 64 bits.
//!
//! ```
//! let mut out = Vec::new();
//! farlink_wire::sdnv::encode(0xABC, &mut out);
//! assert_eq!(out, [0x95, 0x3C]);
//! assert_eq!(farlink_wire::sdnv::decode(&out), Ok((0xABC, 2)));
//! ```

/// Longest encoding that [`encode`] writes: 64 bits, seven to an octet.
pub const MAX_LEN: usize = encoded_len(u64::MAX);

/// Why octets are not an SDNV of at most 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SdnvError {
    /// The input ended while the high bit still announced another octet (RFC 6256 section 2).
    #[error("the number is cut off after {octets} octets")]
    Truncated {
        /// Octets that were there.
        octets: usize,
    },
    /// The value needs more than 64 bits (RFC 6256 section 3.3).
    #[error("the number needs more than 64 bits, seen at its octet {at}")]
    Overflow {
        /// Octet, counted from the start of the number, at which the 65th bit appeared.
        at: usize,
    },
}

/// Appends the shortest encoding of `value` (RFC 6256 section 3.1).
#[inline]
pub fn encode(value: u64, out: &mut Vec<u8>) {
    if value < 0x80 {
        out.push(value as u8);
        return;
    }
    let len = encoded_len(value);
    let mut octets = [0u8; MAX_LEN];
    for (place, octet) in octets[..len].iter_mut().rev().enumerate() {
        *octet = (value >> (7 * place)) as u8 | 0x80;
    }
    octets[len - 1] &= 0x7F;
    out.extend_from_slice(&octets[..len]);
}

/// Octets that [`encode`] writes for `value`: 1 to [`MAX_LEN`].
#[inline]
pub const fn encoded_len(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    if bits == 0 { 1 } else { bits.div_ceil(7) as usize }
}

/// Reads one SDNV from the front of `bytes`: its value, and the octets it took (RFC 6256 section 3.2).
///
/// Leading zero groups (`80 80 05` for 5) are allowed by section 3.1 and are stripped; such a number re-encodes shorter.
///
/// # Errors
/// [`SdnvError::Truncated`] where the input ends too early, [`SdnvError::Overflow`] beyond 64 bits.
#[inline]
pub fn decode(bytes: &[u8]) -> Result<(u64, usize), SdnvError> {
    let mut value = 0u64;
    for (at, &octet) in bytes.iter().enumerate() {
        if value >> (u64::BITS - 7) != 0 {
            return Err(SdnvError::Overflow { at });
        }
        value = value << 7 | u64::from(octet & 0x7F);
        if octet & 0x80 == 0 {
            return Ok((value, at + 1));
        }
    }
    Err(SdnvError::Truncated { octets: bytes.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        encode(value, &mut out);
        assert_eq!(out.len(), encoded_len(value), "length of {value:#x}");
        out
    }

    #[test]
    fn examples_of_rfc_6256() {
        // Section 2 and the test cases of appendix A; section 2 gives 128 as "81 00".
        let examples: [(u64, &[u8]); 6] = [
            (1, &[0x01]),
            (0x7F, &[0x7F]),
            (128, &[0x81, 0x00]),
            (0xABC, &[0x95, 0x3C]),
            (0x1234, &[0xA4, 0x34]),
            (0x4234, &[0x81, 0x84, 0x34]),
        ];
        for (value, octets) in examples {
            assert_eq!(encoded(value), octets);
            assert_eq!(decode(octets), Ok((value, octets.len())));
        }
    }

    #[test]
    fn every_width_round_trips_at_its_edges() {
        assert_eq!(encoded(0), [0]);
        for bits in 1..=64usize {
            for value in [1u64 << (bits - 1), u64::MAX >> (64 - bits)] {
                assert_eq!(decode(&encoded(value)), Ok((value, bits.div_ceil(7))), "{bits} bits");
            }
        }
    }

    #[test]
    fn reads_only_its_own_octets() {
        assert_eq!(decode(&[0x81, 0x00, 0xFF]), Ok((128, 2)));
    }

    #[test]
    fn leading_zero_groups_are_stripped() {
        assert_eq!(decode(&[0x80, 0x80, 0x05]), Ok((5, 3)));
        let mut padded = vec![0x80; 20];
        encode(u64::MAX, &mut padded);
        assert_eq!(decode(&padded), Ok((u64::MAX, 30)));
    }

    #[test]
    fn truncation_is_refused() {
        assert_eq!(decode(&[]), Err(SdnvError::Truncated { octets: 0 }));
        assert_eq!(decode(&[0x80]), Err(SdnvError::Truncated { octets: 1 }));
        for len in 0..MAX_LEN {
            assert_eq!(decode(&encoded(u64::MAX)[..len]), Err(SdnvError::Truncated { octets: len }));
        }
    }

    #[test]
    fn the_65th_bit_is_refused() {
        // 2^64: the same groups as u64::MAX plus one.
        let octets = [0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
        assert_eq!(decode(&octets), Err(SdnvError::Overflow { at: 9 }));
        assert_eq!(decode(&[0xFF; 11]), Err(SdnvError::Overflow { at: 9 }));
    }
}
