//! Tables by session.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use farlink_wire::ltp::SessionId;

/// A table by session.
pub(super) type Sessions<V> = HashMap<SessionId, V, Seeded>;

/// A hash of a few numbers that costs a multiplication for each. Peers choose session numbers, so it is seeded: who does not know
/// the seed cannot choose numbers that meet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeded([u64; 2]);

impl Seeded {
    pub(super) fn new(seeds: [u64; 2]) -> Self {
        // An odd factor keeps every bit of what it multiplies.
        Seeded([seeds[0], seeds[1] | 1])
    }
}

impl BuildHasher for Seeded {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding { state: self.0[0], factor: self.0[1] }
    }
}

#[derive(Debug)]
pub(super) struct Folding {
    state: u64,
    factor: u64,
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.state = folded(self.state ^ word, self.factor).wrapping_add(self.factor.rotate_left(23));
    }

    #[inline]
    fn finish(&self) -> u64 {
        // The factor of the golden ratio: numbers in sequence end far apart whatever the seed.
        folded(self.state, 0x9e37_79b9_7f4a_7c15)
    }
}

/// Both halves of a product, so that the high bits of a number count as much as the low ones.
#[inline]
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_and_distant_numbers_spread() {
        let seeded = Seeded::new([0x5851_f42d_4c95_7f2d, 0xd134_2543_de82_ef95]);
        for step in [1u64, 1 << 16, 1 << 32] {
            let mut low = [0u32; 256];
            let mut high = [0u32; 128];
            for number in 0..25_600u64 {
                let hash = seeded.hash_one(SessionId { originator: 1, number: number.wrapping_mul(step) });
                low[(hash & 0xFF) as usize] += 1;
                high[(hash >> 57) as usize] += 1;
            }
            assert!(low.iter().all(|n| (40..180).contains(n)), "step {step}: {low:?}");
            assert!(high.iter().all(|n| (100..320).contains(n)), "step {step}: {high:?}");
        }
        assert_ne!(Seeded::new([1, 2]).hash_one(7u64), Seeded::new([2, 2]).hash_one(7u64));
    }
}
