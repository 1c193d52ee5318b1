//! Extends the paths of all 64 states at once, in four registers of sixteen.

use std::arch::x86_64::__m256i;

use pulp::x86::V3;
use pulp::{NullaryFnOnce, cast};

use super::Branches;
use super::portable::BRANCH;

/// Which octets of the four correlations go where, for each register of sixteen butterflies.
const fn places(order: [usize; 32]) -> [[u8; 32]; 2] {
    let mut places = [[0u8; 32]; 2];
    let mut at = 0;
    while at < 32 {
        places[at / 16][at % 16 * 2] = BRANCH[order[at]] * 2;
        places[at / 16][at % 16 * 2 + 1] = BRANCH[order[at]] * 2 + 1;
        at += 1;
    }
    places
}

/// States in order. So they lie before every other step, and after it unless the two halves of the registers are left where the step puts them.
const SORTED: [[u8; 32]; 2] = {
    let mut order = [0; 32];
    let mut at = 0;
    while at < 32 {
        order[at] = at;
        at += 1;
    }
    places(order)
};

/// Bits 4 and 3 of the state exchanged: so a step leaves them that does not move anything between the halves of a register.
const SWAPPED: [[u8; 32]; 2] = {
    let mut order = [0; 32];
    let mut at = 0;
    while at < 32 {
        order[at] = at & 7 | (at & 8) << 1 | (at & 16) >> 1;
        at += 1;
    }
    places(order)
};

pub(super) fn extend(simd: V3, metrics: &mut [i16; 64], branches: &[Branches], decisions: &mut [u64]) {
    simd.vectorize(Extend { simd, metrics, branches, decisions });
}

struct Extend<'a> {
    simd: V3,
    metrics: &'a mut [i16; 64],
    branches: &'a [Branches],
    decisions: &'a mut [u64],
}

/// All states after a step, and which predecessors were better.
struct Stepped {
    /// For each of the two registers of butterflies the lower and the upper halves of the states it leads to.
    low: [__m256i; 2],
    high: [__m256i; 2],
    better: [u32; 2],
}

#[inline(always)]
fn step(simd: V3, now: [__m256i; 4], branches: &Branches, places: [__m256i; 2]) -> Stepped {
    let (avx, avx2) = (simd.avx, simd.avx2);
    let all = avx._mm256_set1_epi64x(cast::<Branches, i64>(*branches));
    let mut stepped = Stepped { low: [now[0]; 2], high: [now[0]; 2], better: [0; 2] };
    for half in 0..2 {
        let (zero, one) = (now[half], now[half + 2]);
        let gain = avx2._mm256_shuffle_epi8(all, places[half]);
        let by_zero = [avx2._mm256_add_epi16(zero, gain), avx2._mm256_sub_epi16(one, gain)];
        let by_one = [avx2._mm256_sub_epi16(zero, gain), avx2._mm256_add_epi16(one, gain)];
        let even = avx2._mm256_max_epi16(by_zero[0], by_zero[1]);
        let odd = avx2._mm256_max_epi16(by_one[0], by_one[1]);
        stepped.low[half] = avx2._mm256_unpacklo_epi16(even, odd);
        stepped.high[half] = avx2._mm256_unpackhi_epi16(even, odd);
        // A mask fills two octets: one for the state with a zero, one for its neighbour with a one.
        let even = avx2._mm256_cmpgt_epi16(by_zero[1], by_zero[0]);
        let odd = avx2._mm256_cmpgt_epi16(by_one[1], by_one[0]);
        let mask = avx2._mm256_blendv_epi8(even, odd, avx._mm256_set1_epi16(-256));
        stepped.better[half] = avx2._mm256_movemask_epi8(mask) as u32;
    }
    stepped
}

impl NullaryFnOnce for Extend<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Extend { simd, metrics, branches, decisions } = self;
        let lower = |low, high| simd.avx2._mm256_permute2x128_si256::<0x20>(low, high);
        let upper = |low, high| simd.avx2._mm256_permute2x128_si256::<0x31>(low, high);
        // A compiler that knows the places makes two shuffles of each.
        let [sorted, swapped] = std::hint::black_box([SORTED, SWAPPED]).map(|places| places.map(cast));
        let mut now: [__m256i; 4] = cast::<[i16; 64], [[i16; 16]; 4]>(*metrics).map(cast);
        // Moving something between the halves of a register takes longer than all else in a step, so it is done at every second one.
        let (pairs, last) = branches.as_chunks::<2>();
        let (words, last_word) = decisions.as_chunks_mut::<2>();
        for (branches, words) in pairs.iter().zip(words) {
            let Stepped { low, high, better } = step(simd, now, &branches[0], sorted);
            words[0] = u64::from(better[0]) | u64::from(better[1]) << 32;
            let Stepped { low, high, better } = step(simd, [low[0], high[0], low[1], high[1]], &branches[1], swapped);
            let better = better.map(u64::from);
            words[1] =
                better[0] & 0xffff | (better[1] & 0xffff) << 16 | (better[0] >> 16) << 32 | (better[1] >> 16) << 48;
            now = [lower(low[0], high[0]), lower(low[1], high[1]), upper(low[0], high[0]), upper(low[1], high[1])];
        }
        for (branches, word) in last.iter().zip(last_word) {
            let Stepped { low, high, better } = step(simd, now, branches, sorted);
            *word = u64::from(better[0]) | u64::from(better[1]) << 32;
            now = [lower(low[0], high[0]), upper(low[0], high[0]), lower(low[1], high[1]), upper(low[1], high[1])];
        }
        let states: [[i16; 16]; 4] = now.map(cast);
        *metrics = cast(states);
    }
}
