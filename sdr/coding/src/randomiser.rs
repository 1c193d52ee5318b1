//! Pseudo-randomisers: a fixed sequence added to what is sent, so that the receiver finds transitions.
//!
//! It starts anew with each transfer frame, codeblock or codeword and does not touch the sync marker (131.0-B-5 section 10.4.3, 231.0-B-4
//! section 6). Adding it twice takes it away; on soft symbols it is a change of sign.

/// One of the sequences.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Randomiser {
    /// Telemetry, of 255 bits: x^8 + x^7 + x^5 + x^3 + 1 from all ones (131.0-B-5 section 10.4.1, where it is the legacy).
    Tm,
    /// Telemetry, of 131071 bits: x^17 + x^14 + 1 from 11000111000111000 (131.0-B-5 section 10.4.2).
    TmLong,
    /// Telecommand, of 255 bits: x^8 + x^6 + x^4 + x^3 + x^2 + x + 1 from all ones (231.0-B-4 section 6).
    Tc,
}

impl Randomiser {
    /// Adds the sequence, from its start, to packed bits.
    pub fn apply(self, octets: &mut [u8]) {
        octets.iter_mut().zip(self.sequence()).for_each(|(octet, random)| *octet ^= random);
    }

    /// Changes the sign of the soft symbols where the sequence, from its start, is 1. The least symbol, -128, becomes 127.
    pub fn apply_soft(self, soft: &mut [i8]) {
        for (soft, random) in soft.chunks_mut(8).zip(self.sequence()) {
            for (at, soft) in soft.iter_mut().enumerate() {
                if random << at & 0x80 != 0 {
                    *soft = soft.saturating_neg();
                }
            }
        }
    }

    /// The octets of the sequence, without end.
    pub fn sequence(self) -> impl Iterator<Item = u8> {
        let (mut state, taps, degree): (u32, u32, u32) = match self {
            Randomiser::Tm => (0xFF, 0b1010_1001, 8),
            Randomiser::TmLong => (0x18E38, 1 | 1 << 14, 17),
            Randomiser::Tc => (0xFF, 0b0101_1111, 8),
        };
        std::iter::repeat_with(move || {
            (0..8).fold(0, |octet, _| {
                let bit = state & 1;
                state = state >> 1 | ((state & taps).count_ones() & 1) << (degree - 1);
                octet << 1 | bit as u8
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(randomiser: Randomiser) -> Vec<u8> {
        randomiser.sequence().take(8).collect()
    }

    // The first 40 bits are given in 131.0-B-5 section 10.4 and 231.0-B-4 section 6; the rest of the line by other implementations.
    #[test]
    fn the_sequences_begin_as_the_books_have_them() {
        assert_eq!(start(Randomiser::Tm), [0xFF, 0x48, 0x0E, 0xC0, 0x9A, 0x0D, 0x70, 0xBC]);
        assert_eq!(start(Randomiser::Tc), [0xFF, 0x39, 0x9E, 0x5A, 0x68, 0xE9, 0x06, 0xF5]);
        assert_eq!(start(Randomiser::TmLong)[..5], [0x1C, 0x71, 0xB9, 0x1B, 0xA9]);
    }

    #[test]
    fn the_periods_are_those_of_the_polynomials() {
        for (randomiser, period) in [(Randomiser::Tm, 255), (Randomiser::Tc, 255), (Randomiser::TmLong, 131_071)] {
            let octets: Vec<u8> = randomiser.sequence().take(2 * period).collect();
            assert_eq!(octets[..period], octets[period..], "{randomiser:?}");
            let ones: u32 = octets[..period].iter().map(|octet| octet.count_ones()).sum();
            assert_eq!(ones as usize, 8 * period.div_ceil(2), "{randomiser:?}: one more 1 than 0 in each period");
        }
    }

    #[test]
    fn soft_symbols_change_sign_where_bits_change() {
        for randomiser in [Randomiser::Tm, Randomiser::TmLong, Randomiser::Tc] {
            let mut bits = [0; 40];
            randomiser.apply(&mut bits);
            let mut soft = [5i8; 319];
            randomiser.apply_soft(&mut soft);
            for (at, &soft) in soft.iter().enumerate() {
                assert_eq!(soft < 0, bits[at / 8] << (at % 8) & 0x80 != 0, "{randomiser:?}, symbol {at}");
            }
            randomiser.apply_soft(&mut soft);
            randomiser.apply(&mut bits);
            assert_eq!((soft, bits), ([5; 319], [0; 40]));
        }
        let mut edge = [i8::MIN, 0];
        Randomiser::Tm.apply_soft(&mut edge);
        assert_eq!(edge, [127, 0], "an erasure stays one");
    }
}
