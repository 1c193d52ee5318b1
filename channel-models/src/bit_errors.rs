//! Which bits of a stream arrive wrong.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A process that flips bits of a stream.
///
/// The cost follows the errors, not the bits: the process draws how far it is to the next flipped bit and skips there. The
/// stream runs on from frame to frame, so how it is cut into frames makes no difference. Draws come from ChaCha8, the same
/// on every platform; the logarithm behind a draw is the platform's, and its last bit may move a distance by one.
#[derive(Clone, Debug)]
pub struct BitErrors {
    draws: ChaCha8Rng,
    /// −ln(1 − ber), the rate of the exponential law whose whole part is the geometric one.
    rate: f64,
    /// Good bits ahead before the next flipped one. Rare errors are further than 64 bits count.
    ahead: u128,
}

impl BitErrors {
    /// Every bit flips with probability `ber`, whatever the others do. Equal seeds give equal flips.
    ///
    /// # Panics
    /// Unless `ber` is from 0 to 1.
    pub fn independent(ber: f64, seed: u64) -> Self {
        assert!((0.0..=1.0).contains(&ber), "a bit error ratio is from 0 to 1, not {ber}");
        let draws = ChaCha8Rng::seed_from_u64(seed);
        let mut errors = BitErrors { draws, rate: -(-ber).ln_1p(), ahead: 0 };
        errors.ahead = errors.gap();
        errors
    }

    /// Writes to `out` which of the next `bits` bits of the stream flip: positions from 0, rising. `out` is emptied first.
    pub fn flips(&mut self, bits: u64, out: &mut Vec<u64>) {
        out.clear();
        while self.ahead < u128::from(bits) {
            out.push(self.ahead as u64);
            self.ahead = self.ahead.saturating_add(1).saturating_add(self.gap());
        }
        self.ahead -= u128::from(bits);
    }

    /// How many good bits come before the next flipped one: the whole part of an exponential deviate.
    fn gap(&mut self) -> u128 {
        // A deviate from one uniform number u, −ln u. Below a half u itself carries 53 good bits; above, 1 − u does, and
        // near u = 1 that is what tells small distances apart when errors are rare.
        let bits = self.draws.next_u64();
        let uniform = |bits: u64| (bits as f64 + 0.5) / (1u128 << 64) as f64;
        let deviate = if bits >> 63 == 0 { -uniform(bits).ln() } else { -(-uniform(!bits)).ln_1p() };
        // The conversion saturates, so a rate of zero puts the next flip 2¹²⁸ bits away. A rate without end puts it next.
        (deviate / self.rate) as u128
    }
}
