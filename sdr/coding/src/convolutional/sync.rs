//! Node synchronisation: which of the received symbols begins a pair, or a period of the puncturing.

use super::{End, Rate, Viterbi};

/// One way to read a stream of symbols, and how well the code fits it then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hypothesis {
    /// Symbols to leave out before the first of a period, from 0 to [`Rate::period_symbols`] less one.
    pub offset: usize,
    /// Whether the symbols of G2 come the other way round than the standard says, as from an encoder without the inverter. Negating every
    /// second symbol mends it. Tried at rate 1/2 only: the punctured codes have no inverter, and that of rate 3/4 fits both ways alike.
    pub second_inverted: bool,
    /// The share of the symbols' confidence that contradicts the likeliest path ([`Quality`](super::Quality)): lowest where the hypothesis is right.
    pub disagreement: f64,
}

/// Tries all readings of these symbols and sorts them, the best first. Empty if there are too few symbols for a verdict (64 periods) or none
/// with any confidence.
///
/// A few thousand symbols tell them apart where the code still works. Whether all symbols are inverted cannot be told here: the code is
/// transparent. Compare the first two for how sure it is.
pub fn node_sync(symbols: &[i8], rate: Rate) -> Vec<Hypothesis> {
    let period = rate.period_symbols();
    if symbols.len() < 64 * period {
        return Vec::new();
    }
    let length = symbols.len() - period + 1;
    let mut all = Vec::with_capacity(2 * period);
    for offset in 0..period {
        let mut read = symbols[offset..offset + length].to_vec();
        for second_inverted in [false, true] {
            if second_inverted {
                if rate != Rate::Half {
                    break;
                }
                read.iter_mut().skip(1).step_by(2).for_each(|symbol| *symbol = symbol.saturating_neg());
            }
            let mut decoder = Viterbi::new(rate);
            decoder.decode_block(&read, End::Unknown);
            if let Some(disagreement) = decoder.take_quality().disagreement() {
                all.push(Hypothesis { offset, second_inverted, disagreement });
            }
        }
    }
    all.sort_by(|one, other| one.disagreement.total_cmp(&other.disagreement));
    all
}
