//! From syndromes to corrections: Berlekamp and Massey's algorithm, begun with the erasures, and Forney's formula.

use super::field::{gamma, inverse, mul};
use super::kernel::{Engine, Word};

/// Corrections: places in a [`Word`], and what to add there.
pub(super) struct Corrections {
    pub(super) places: [u8; 32],
    pub(super) values: [u8; 32],
    pub(super) count: usize,
}

/// Finds what to add to a word so that it becomes a code word whose symbols before `begin` stay as they are. `None` if there is nothing within
/// the code's power.
///
/// `parity` is 16 or 32, and at most so many `erasures` are given, each once and from `begin` to 255.
pub(super) fn corrections(
    engine: Engine,
    word: &Word,
    parity: usize,
    begin: usize,
    erasures: &[u8],
) -> Option<Corrections> {
    let first_root = 128 - parity / 2;
    let mut syndromes = [0u8; 32];
    let syndromes = &mut syndromes[..parity];
    engine.syndromes(word, first_root, syndromes);
    let mut found = Corrections { places: [0; 32], values: [0; 32], count: 0 };
    if syndromes.iter().all(|syndrome| *syndrome == 0) {
        return Some(found);
    }
    let (locator, degree) = locator(syndromes, erasures)?;
    let locator = &locator[..=degree];
    let count = engine.roots(locator, &mut found.places);
    // As many different roots as the degree, none of them in the virtual fill: else more symbols are wrong than can be told.
    if count != degree || found.places[..count].iter().any(|place| usize::from(*place) < begin) {
        return None;
    }
    let mut evaluator = [0u8; 32];
    for (power, sum) in evaluator[..degree].iter_mut().enumerate() {
        *sum = (0..=power).fold(0, |sum, at| sum ^ mul(locator[at], syndromes[power - at]));
    }
    for (place, value) in found.places[..count].iter().zip(&mut found.values) {
        let place = usize::from(*place);
        // One over the locator of the place is γ to the power of its number.
        let point = gamma(place);
        let square = mul(point, point);
        let above = evaluator[..degree].iter().rev().fold(0, |sum, coefficient| mul(sum, point) ^ coefficient);
        let below = locator[1..].iter().step_by(2).rev().fold(0, |sum, coefficient| mul(sum, square) ^ coefficient);
        if below == 0 {
            return None;
        }
        *value = mul(mul(above, inverse(below)), gamma(place * (first_root - 1)));
    }
    found.count = count;
    let mut corrected = *word;
    for (place, value) in found.places[..count].iter().zip(found.values) {
        corrected[usize::from(*place)] ^= value;
    }
    engine.syndromes(&corrected, first_root, syndromes);
    syndromes.iter().all(|syndrome| *syndrome == 0).then_some(found)
}

/// The locator polynomial of errors and erasures together, and its degree. `None` if it would be greater than its length allows.
fn locator(syndromes: &[u8], erasures: &[u8]) -> Option<([u8; 34], usize)> {
    let erased = erasures.len();
    let mut locator = [0u8; 34];
    locator[0] = 1;
    for (at, place) in erasures.iter().enumerate() {
        let place = gamma(255 - usize::from(*place));
        for power in (1..=at + 1).rev() {
            locator[power] ^= mul(locator[power - 1], place);
        }
    }
    // `shifted` is what the last change of length left behind, times x for each step since.
    let mut shifted = locator;
    let (mut length, mut reach, mut shifted_reach) = (erased, erased, erased);
    for step in erased..syndromes.len() {
        let terms = locator[..=reach.min(step)].iter().zip(syndromes[..=step].iter().rev());
        let discrepancy = terms.fold(0, |sum, (coefficient, syndrome)| sum ^ mul(*coefficient, *syndrome));
        shifted_reach = (shifted_reach + 1).min(33);
        shifted.copy_within(..33, 1);
        shifted[0] = 0;
        if discrepancy == 0 {
            continue;
        }
        let before = (locator, reach);
        for (coefficient, help) in locator[..=shifted_reach].iter_mut().zip(&shifted) {
            *coefficient ^= mul(discrepancy, *help);
        }
        reach = reach.max(shifted_reach);
        if 2 * length <= step + erased {
            length = step + 1 + erased - length;
            let scale = inverse(discrepancy);
            shifted = before.0.map(|coefficient| mul(coefficient, scale));
            shifted_reach = before.1;
        }
    }
    let degree = locator.iter().rposition(|coefficient| *coefficient != 0).unwrap_or(0);
    // Twice the errors and the erasures: no more than there are parity symbols.
    (degree == length && 2 * degree <= syndromes.len() + erased).then_some((locator, degree))
}
