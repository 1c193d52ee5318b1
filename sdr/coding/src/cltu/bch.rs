//! The BCH code of commands: 56 bits, 7 parity bits that are sent inverted, and a filler bit of 0 (231.0-B-4 section 3).

/// Information octets of a code block.
pub const INFORMATION: usize = 7;
/// Octets of a code block.
pub const BLOCK: usize = 8;

/// x^7 + x^6 + x^2 + 1 without its first term.
const GENERATOR: u8 = 0b100_0101;

/// What a decoder does about errors (231.0-B-4 section 3.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Detects up to three errors in a block and corrects none.
    TripleErrorDetection,
    /// Corrects one error in a block, and detects two.
    SingleErrorCorrection,
}

/// Remainder of the bits, as a polynomial, times x^7.
fn remainder(bits: u64, count: u32) -> u8 {
    (0..count).rev().fold(0, |register, at| {
        let feedback = (register >> 6) ^ (bits >> at) as u8 & 1;
        (register << 1 & 0x7F) ^ (GENERATOR * feedback)
    })
}

/// The last octet of the code block: the parity bits, inverted, and the filler bit.
pub fn parity(information: &[u8; INFORMATION]) -> u8 {
    let bits = information.iter().fold(0, |bits, &octet| bits << 8 | u64::from(octet));
    (remainder(bits, 56) ^ 0x7F) << 1
}

/// The information of a code block and the errors that were corrected in it, or `None` if there are more than the mode deals with.
/// The filler bit is not looked at.
pub fn decode(block: &[u8; BLOCK], mode: Mode) -> Option<([u8; INFORMATION], u32)> {
    let word = u64::from_be_bytes(*block) >> 1 ^ 0x7F;
    let corrected = match syndrome(word) {
        0 => word,
        _ if mode == Mode::TripleErrorDetection => return None,
        // One error has a syndrome of its own; two errors never have that of one, since the distance is four.
        found => word ^ 1 << (0..63).find(|&at| syndrome(1 << at) == found)?,
    };
    let octets = (corrected >> 7 << 8).to_be_bytes();
    let information = std::array::from_fn(|at| octets[at]);
    Some((information, (corrected != word).into()))
}

/// 0 for the 63 bits of a code word.
fn syndrome(word: u64) -> u8 {
    remainder(word >> 7, 56) ^ (word & 0x7F) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFORMATION_BITS: [u8; INFORMATION] = [0x22, 0xF6, 0x00, 0xFF, 0x00, 0x42, 0x1A];

    fn block() -> [u8; BLOCK] {
        let mut block = [parity(&INFORMATION_BITS); BLOCK];
        block[..INFORMATION].copy_from_slice(&INFORMATION_BITS);
        block
    }

    #[test]
    fn every_single_error_is_corrected_and_every_double_one_found() {
        let correct = |errors: u64| {
            let received = u64::from_be_bytes(block()) ^ errors;
            decode(&received.to_be_bytes(), Mode::SingleErrorCorrection)
        };
        assert_eq!(correct(0), Some((INFORMATION_BITS, 0)));
        assert_eq!(correct(1), Some((INFORMATION_BITS, 0)), "the filler bit counts for nothing");
        for first in 1..64 {
            assert_eq!(correct(1 << first), Some((INFORMATION_BITS, 1)), "bit {first}");
            for second in first + 1..64 {
                assert_eq!(correct(1 << first | 1 << second), None, "bits {first} and {second}");
            }
        }
    }

    #[test]
    fn up_to_three_errors_are_detected() {
        for first in 1..64 {
            for second in first..64 {
                for third in second..64 {
                    let errors = (1u64 << first) | 1 << second | 1 << third;
                    let received = u64::from_be_bytes(block()) ^ errors;
                    let decoded = decode(&received.to_be_bytes(), Mode::TripleErrorDetection);
                    assert_eq!(decoded, None, "bits {first}, {second}, {third}");
                }
            }
        }
    }
}
