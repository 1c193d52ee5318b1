//! Draws that skip from one event to the next.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Random numbers of one process. They come from ChaCha8, the same on every platform; the logarithm behind a draw is the
/// platform's, and its last bit may move a distance by one.
#[derive(Clone, Debug)]
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Draws(ChaCha8Rng::seed_from_u64(seed))
    }

    /// An exponential deviate of mean 1.
    fn exponential(&mut self) -> f64 {
        // A deviate from one uniform number u, −ln u. Below a half u itself carries 53 good bits; above, 1 − u does, and
        // near u = 1 that is what tells small distances apart when events are rare.
        let bits = self.0.next_u64();
        let uniform = |bits: u64| (bits as f64 + 0.5) / (1u128 << 64) as f64;
        if bits >> 63 == 0 { -uniform(bits).ln() } else { -(-uniform(!bits)).ln_1p() }
    }

    /// How many trials fail before the first that does not, each with the probability behind `hazard`: the whole part of an
    /// exponential deviate.
    pub(crate) fn failures(&mut self, hazard: f64) -> u128 {
        // The conversion saturates, so a hazard of zero puts the event 2¹²⁸ trials away. One without end puts it next.
        (self.exponential() / hazard) as u128
    }

    /// Whether something happens that has this probability.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        ((self.0.next_u64() >> 11) as f64) / ((1u64 << 53) as f64) < probability
    }

    /// Other random numbers, for a part of the process that shall not disturb the rest.
    pub(crate) fn split(&mut self) -> Draws {
        Draws::new(self.0.next_u64())
    }
}

/// −ln(1 − p): the rate of the exponential law whose whole part is the geometric law of `probability`.
pub(crate) fn hazard(probability: f64) -> f64 {
    -(-probability).ln_1p()
}

/// Independent trials, of which only those that succeed cost anything.
#[derive(Clone, Debug)]
pub(crate) struct Skip {
    draws: Draws,
    probability: f64,
    hazard: f64,
    /// Failures ahead before the next success. Rare ones are further than 64 bits count.
    ahead: u128,
}

impl Skip {
    pub(crate) fn new(probability: f64, draws: Draws) -> Self {
        let mut skip = Skip { draws, probability, hazard: hazard(probability), ahead: 0 };
        skip.ahead = skip.draws.failures(skip.hazard);
        skip
    }

    /// Gives the trials to come another probability. What was drawn for them is drawn anew, which changes no statistics: a
    /// geometric law does not remember how long it has waited.
    pub(crate) fn set_probability(&mut self, probability: f64) {
        if probability != self.probability {
            self.probability = probability;
            self.hazard = hazard(probability);
            self.ahead = self.draws.failures(self.hazard);
        }
    }

    /// Takes the next `trials`, and says which of them succeed: positions from 0, rising.
    pub(crate) fn take(&mut self, trials: u64, mut success: impl FnMut(u64)) {
        while self.ahead < u128::from(trials) {
            success(self.ahead as u64);
            self.ahead = self.ahead.saturating_add(1).saturating_add(self.draws.failures(self.hazard));
        }
        self.ahead -= u128::from(trials);
    }
}
