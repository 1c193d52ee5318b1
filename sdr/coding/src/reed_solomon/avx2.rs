//! Syndromes and roots, 32 symbols at a time. A product with a constant is two look-ups of half an octet each.

use std::arch::x86_64::__m256i;

use pulp::x86::V3;
use pulp::{NullaryFnOnce, cast};

use super::field::{NIBBLES, gamma};
use super::kernel::Word;

/// γ to the power of i m, for coefficient i and place m: what a coefficient of a locator polynomial counts at each place.
static POWERS: [[[u8; 32]; 8]; 33] = {
    let mut powers = [[[0; 32]; 8]; 33];
    let mut coefficient = 0;
    while coefficient < 33 {
        let mut place = 0;
        while place < 256 {
            powers[coefficient][place / 32][place % 32] = gamma(coefficient * place);
            place += 1;
        }
        coefficient += 1;
    }
    powers
};

#[inline(always)]
fn times(simd: V3, vector: __m256i, constant: u8) -> __m256i {
    let [low, high] = NIBBLES[usize::from(constant)];
    let low = simd.avx2._mm256_broadcastsi128_si256(cast(low));
    let high = simd.avx2._mm256_broadcastsi128_si256(cast(high));
    let half = simd.avx._mm256_set1_epi8(15);
    let lower = simd.avx2._mm256_and_si256(vector, half);
    let upper = simd.avx2._mm256_and_si256(simd.avx2._mm256_srli_epi16::<4>(vector), half);
    let lower = simd.avx2._mm256_shuffle_epi8(low, lower);
    simd.avx2._mm256_xor_si256(lower, simd.avx2._mm256_shuffle_epi8(high, upper))
}

pub(super) fn syndromes(simd: V3, word: &Word, first: usize, syndromes: &mut [u8]) {
    struct Syndromes<'a>(V3, &'a Word, usize, &'a mut [u8]);

    impl NullaryFnOnce for Syndromes<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Syndromes(simd, word, first, syndromes) = self;
            let avx2 = simd.avx2;
            let rows: [[u8; 32]; 8] = cast(*word);
            for (at, syndrome) in syndromes.iter_mut().enumerate() {
                let root = first + at;
                let mut sum: __m256i = cast(rows[0]);
                for row in &rows[1..] {
                    sum = avx2._mm256_xor_si256(times(simd, sum, gamma(32 * root)), cast(*row));
                }
                // The upper half of what is left is less by so many powers.
                let high = avx2._mm256_permute2x128_si256::<0x81>(sum, sum);
                sum = avx2._mm256_xor_si256(times(simd, sum, gamma(16 * root)), high);
                sum = avx2._mm256_xor_si256(times(simd, sum, gamma(8 * root)), avx2._mm256_srli_si256::<8>(sum));
                sum = avx2._mm256_xor_si256(times(simd, sum, gamma(4 * root)), avx2._mm256_srli_si256::<4>(sum));
                sum = avx2._mm256_xor_si256(times(simd, sum, gamma(2 * root)), avx2._mm256_srli_si256::<2>(sum));
                sum = avx2._mm256_xor_si256(times(simd, sum, gamma(root)), avx2._mm256_srli_si256::<1>(sum));
                *syndrome = avx2._mm256_extract_epi8::<0>(sum) as u8;
            }
        }
    }

    simd.vectorize(Syndromes(simd, word, first, syndromes));
}

/// For each place a bit that is set where the polynomial is zero, 32 places a word. A polynomial of more than 33 coefficients has none.
pub(super) fn zeros(simd: V3, locator: &[u8]) -> [u32; 8] {
    struct Zeros<'a>(V3, &'a [u8]);

    impl NullaryFnOnce for Zeros<'_> {
        type Output = [u32; 8];

        #[inline(always)]
        fn call(self) -> [u32; 8] {
            let Zeros(simd, locator) = self;
            let zero = simd.avx._mm256_setzero_si256();
            let mut sums = [zero; 8];
            for (coefficient, powers) in locator.iter().zip(&POWERS) {
                for (sum, powers) in sums.iter_mut().zip(powers) {
                    let product = times(simd, cast(*powers), *coefficient);
                    *sum = simd.avx2._mm256_xor_si256(*sum, product);
                }
            }
            sums.map(|sum| simd.avx2._mm256_movemask_epi8(simd.avx2._mm256_cmpeq_epi8(sum, zero)) as u32)
        }
    }

    if locator.len() > POWERS.len() { [0; 8] } else { simd.vectorize(Zeros(simd, locator)) }
}
