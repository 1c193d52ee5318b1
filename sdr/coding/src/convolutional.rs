//! The convolutional code of constraint length 7 (CCSDS 131.0-B clause 3): rate 1/2, and punctured to 2/3, 3/4, 5/6 and 7/8.
//!
//! [`Encoder`] turns bits into channel symbols, [`Viterbi`] soft symbols back into bits; [`node_sync`] finds out which symbol comes first.
//!
//! Each bit gives a symbol by G1 = 171 (octal) and one by G2 = 133. At rate 1/2 the second is inverted (clause 3.3.1); the punctured codes
//! leave it as it is (clause 3.4 and the figures 4-1 and 4-2 of CCSDS 130.1-G). A complemented stream of symbols is the code of the complemented bits, so nothing in this
//! layer can tell the one from the other: that is for the sync marker, or for differential encoding before the encoder (clause 3.3.3).

mod encoder;
mod sync;
mod viterbi;

pub use encoder::Encoder;
pub use sync::{Hypothesis, node_sync};
pub use viterbi::{DEPTH, End, Quality, SEGMENT, SegmentError, Viterbi};

/// G1, 171 octal, with the newest bit in the least significant place.
const G1: u32 = 0b100_1111;
/// G2, 133 octal, with the newest bit in the least significant place.
const G2: u32 = 0b110_1101;

/// The rate of the code: bits for each channel symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rate {
    /// 1/2, the basic code (CCSDS 131.0-B clause 3.3), with the second symbol of each pair inverted.
    Half,
    /// 2/3, punctured (clause 3.4).
    TwoThirds,
    /// 3/4, punctured.
    ThreeQuarters,
    /// 5/6, punctured.
    FiveSixths,
    /// 7/8, punctured.
    SevenEighths,
}

impl Rate {
    /// All five, from the strongest code to the weakest.
    pub const ALL: [Rate; 5] = [Rate::Half, Rate::TwoThirds, Rate::ThreeQuarters, Rate::FiveSixths, Rate::SevenEighths];

    /// Which symbols of C1(1), C2(1), C1(2), C2(2) ... are sent, for one period of the puncturing (CCSDS 131.0-B table 3-1).
    pub const fn pattern(self) -> &'static [bool] {
        const S: bool = true;
        const X: bool = false;
        match self {
            Rate::Half => &[S, S],
            Rate::TwoThirds => &[S, S, X, S],
            Rate::ThreeQuarters => &[S, S, X, S, S, X],
            Rate::FiveSixths => &[S, S, X, S, S, X, X, S, S, X],
            Rate::SevenEighths => &[S, S, X, S, X, S, X, S, S, X, X, S, S, X],
        }
    }

    /// Bits in one period of the puncturing.
    pub const fn period_bits(self) -> usize {
        self.pattern().len() / 2
    }

    /// Channel symbols in one period of the puncturing: one more than [`period_bits`](Self::period_bits).
    pub const fn period_symbols(self) -> usize {
        self.period_bits() + 1
    }

    /// Bits a symbol.
    pub fn ratio(self) -> f64 {
        self.period_bits() as f64 / self.period_symbols() as f64
    }

    /// Whether the symbols of G2 are sent inverted.
    pub const fn inverts_second(self) -> bool {
        matches!(self, Rate::Half)
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.period_bits(), self.period_symbols())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_send_one_symbol_more_than_there_are_bits_and_begin_with_one() {
        for rate in Rate::ALL {
            let pattern = rate.pattern();
            assert_eq!(pattern.iter().filter(|sent| **sent).count(), rate.period_symbols(), "{rate}");
            assert!(pattern[0] && pattern[1], "{rate}");
        }
        assert_eq!(Rate::ALL.map(|rate| rate.to_string()), ["1/2", "2/3", "3/4", "5/6", "7/8"]);
    }

    #[test]
    fn patterns_are_those_of_the_table() {
        let row = |rate: Rate, branch: usize| -> String {
            rate.pattern().iter().skip(branch).step_by(2).map(|sent| if *sent { '1' } else { '0' }).collect()
        };
        let table = [
            (Rate::TwoThirds, "10", "11"),
            (Rate::ThreeQuarters, "101", "110"),
            (Rate::FiveSixths, "10101", "11010"),
            (Rate::SevenEighths, "1000101", "1111010"),
        ];
        for (rate, c1, c2) in table {
            assert_eq!((row(rate, 0).as_str(), row(rate, 1).as_str()), (c1, c2), "{rate}");
        }
    }
}
