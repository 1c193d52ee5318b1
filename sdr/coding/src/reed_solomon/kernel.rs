//! What has to be done for every block: syndromes and the search for roots, with vector instructions and without.
//!
//! Blocks are 256 symbols long here, the one before the code word zero; symbol m stands for x to the power of 255 - m.

use super::field::{gamma, mul};

/// A code word with one symbol before it.
pub(super) type Word = [u8; 256];

/// How the work is done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Engine {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
}

impl Engine {
    pub(super) fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return Engine::Avx2(simd);
        }
        Engine::Portable
    }

    /// The word at γ to the powers of `first`, `first + 1` and so on.
    pub(super) fn syndromes(self, word: &Word, first: usize, syndromes: &mut [u8]) {
        match self {
            Engine::Portable => {
                for (at, syndrome) in syndromes.iter_mut().enumerate() {
                    let root = gamma(first + at);
                    *syndrome = word.iter().fold(0, |sum, symbol| mul(sum, root) ^ symbol);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(simd) => super::avx2::syndromes(simd, word, first, syndromes),
        }
    }

    /// Finds the places in a word that a locator polynomial names, in order, but not more than `places` has room for; gives their number.
    pub(super) fn roots(self, locator: &[u8], places: &mut [u8]) -> usize {
        let mut found = 0;
        let mut note = |place: usize| {
            if let Some(slot) = places.get_mut(found) {
                *slot = place as u8;
                found += 1;
            }
        };
        match self {
            Engine::Portable => {
                for place in 1..256 {
                    let point = gamma(place);
                    if locator.iter().rev().fold(0, |sum, coefficient| mul(sum, point) ^ coefficient) == 0 {
                        note(place);
                    }
                }
            }
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(simd) => {
                for (row, mut zeros) in super::avx2::zeros(simd, locator).into_iter().enumerate() {
                    if row == 0 {
                        zeros &= !1;
                    }
                    while zeros != 0 {
                        note(32 * row + zeros.trailing_zeros() as usize);
                        zeros &= zeros - 1;
                    }
                }
            }
        }
        found
    }
}
