//! What decoders of the CCSDS codes leave, as curves over Eb/N0.
//!
//! Eb/N0 counts the energy of a bit of user data, so the rate of a code is in its curve. All curves are for BPSK or QPSK with
//! coherent demodulation and white Gaussian noise, decoded without quantisation; soft decisions of three bits cost 0.25 dB more.
//! That and the other losses of a real receiver belong into the budget's implementation loss.
//!
//! | code | curve | how right | beyond it |
//! |---|---|---|---|
//! | [`Code::Uncoded`] | ½ erfc √(Eb/N0) | exact | none |
//! | [`Code::Convolutional`] | K = 7, rate ½ (CCSDS 131.0-B): simulated up to 4 dB; above, the union bound over the ten lightest weights | 0.05 dB, by which the bound is above the simulation at 4 dB; less further on | the bound itself has no floor |
//! | [`Code::ReedSolomon`] | (255,223) over independent bits: the binomial law of its symbols, exact for a decoder that corrects 16 | 0.02 dB from an independent simulation | none |
//! | [`Code::Concatenated`] | the same law, with the simulated symbol errors of the convolutional code, as if the interleaving were without end | 0.1 dB from an interleaving of 5 on; with less, real links are worse | none |
//! | [`Code::Ldpc1024`], [`Code::Ldpc4096`] | AR4JA of rate ½, simulated with 100 iterations | 0.05 dB down to a word error rate of 1e-3 (1024) and 2e-2 (4096) | goes on with the last slope, to 1e-6 at 2.4 and 1.7 dB; no measurement stands behind that |
//! | [`Code::Turbo1784`] | k = 1784, rate ½, NASA's table of the code | 0.1 dB | its error floor begins at 3e-6; goes on with the slope it has there |
//!
//! Below the first value of a curve its first slope goes on, up to a probability of 1.
//!
//! # How the errors lie
//! Decoders of block codes leave whole code words in error. A word fails with its word error rate; in a word that has failed
//! each bit is wrong with a share that is told with the curve. The words of a Reed–Solomon code take turns symbol by symbol
//! within an interleaving. The Viterbi decoder of the convolutional code leaves bursts; here they have a geometric length with
//! the simulated mean, and gaps in between whose mean gives the bit error ratio of the curve.
//!
//! # Where the figures come from
//! The convolutional code was simulated for this crate with a Viterbi decoder on unquantised values (4 million to 400 million bits
//! a point), the LDPC codes with the layered decoder of `ldpc-toolbox` 0.12 (100 bad words a point; 55 at the last of 1024, 39 at
//! the last of 4096). Weights of the convolutional code: J. Conan, IEEE Transactions on Communications 32, 1984. The turbo
//! code's word error rates are NASA's, as public decoders are compared with them; the original table was not at hand. The tests
//! compare with simulations of others where there are any.

use std::sync::LazyLock;

use super::{Bursts, ErrorModelError, within};

/// A code whose residual errors are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// None: BPSK or QPSK as it is.
    Uncoded,
    /// Convolutional, constraint length 7, rate ½, soft decisions.
    Convolutional,
    /// Reed–Solomon (255,223) on hard decisions, with this many words interleaved, from 1 to 8.
    ReedSolomon {
        /// Words that take turns symbol by symbol.
        interleaving: u8,
    },
    /// Reed–Solomon (255,223) around the convolutional code, with this many words interleaved, from 1 to 8.
    Concatenated {
        /// Words that take turns symbol by symbol.
        interleaving: u8,
    },
    /// LDPC AR4JA, rate ½, 1024 bits of data.
    Ldpc1024,
    /// LDPC AR4JA, rate ½, 4096 bits of data.
    Ldpc4096,
    /// Turbo, rate ½, 1784 bits of data.
    Turbo1784,
}

impl Code {
    /// The ratio of wrong bits that the decoder leaves at an Eb/N0 in dB.
    pub fn bit_error_ratio(self, eb_n0_db: f64) -> f64 {
        match self {
            Code::Uncoded => uncoded_ber(eb_n0_db),
            Code::Convolutional => convolutional::ber(eb_n0_db),
            _ => {
                let code = self.block_code();
                code.word_error_rate(eb_n0_db) * code.share_of_wrong_bits(eb_n0_db)
            }
        }
    }

    /// The probability that a code word fails at an Eb/N0 in dB; `None` for what has no code words.
    pub fn word_error_rate(self, eb_n0_db: f64) -> Option<f64> {
        match self {
            Code::Uncoded | Code::Convolutional => None,
            _ => Some(self.block_code().word_error_rate(eb_n0_db)),
        }
    }

    /// The Eb/N0 in dB from which on the bit error ratio is at most `ber`, to 0.001 dB.
    ///
    /// # Errors
    /// A ratio that is not from 1e-15 to 0.1.
    pub fn required_eb_n0_db(self, ber: f64) -> Result<f64, ErrorModelError> {
        within("a bit error ratio to reach", ber, 1e-15..=0.1, "from 1e-15 to 0.1")?;
        let (mut low, mut high) = (-10.0, 40.0);
        while high - low > 1e-3 {
            let middle = (low + high) / 2.0;
            if self.bit_error_ratio(middle) > ber { low = middle } else { high = middle }
        }
        Ok(high)
    }

    pub(super) fn check(self) -> Result<(), ErrorModelError> {
        match self {
            Code::ReedSolomon { interleaving } | Code::Concatenated { interleaving } => {
                within("the interleaving of a code", f64::from(interleaving), 1.0..=8.0, "from 1 to 8").map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// # Panics
    /// For what has no code words.
    pub(super) fn block_code(self) -> BlockCode {
        let reed_solomon = |tables: &'static (Curve, Curve), interleaving: u8| BlockCode {
            word_error_rate: &tables.0,
            share: &tables.1,
            words: u64::from(interleaving),
            word_bits: 223 * 8,
            symbol_bits: 8,
        };
        let single = |tables: &'static (Curve, Curve), word_bits: u64| BlockCode {
            word_error_rate: &tables.0,
            share: &tables.1,
            words: 1,
            word_bits,
            symbol_bits: 1,
        };
        match self {
            Code::ReedSolomon { interleaving } => reed_solomon(&REED_SOLOMON, interleaving),
            Code::Concatenated { interleaving } => reed_solomon(&CONCATENATED, interleaving),
            Code::Ldpc1024 => single(&LDPC_1024, 1024),
            Code::Ldpc4096 => single(&LDPC_4096, 4096),
            Code::Turbo1784 => single(&TURBO_1784, 1784),
            Code::Uncoded | Code::Convolutional => unreachable!("{self:?} has no code words"),
        }
    }
}

/// A block code as its decoder leaves it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockCode {
    word_error_rate: &'static Curve,
    share: &'static Curve,
    /// How many words take turns in a block.
    pub(super) words: u64,
    word_bits: u64,
    /// How many bits of a word come together.
    pub(super) symbol_bits: u64,
}

impl BlockCode {
    pub(super) fn block_bits(&self) -> u64 {
        self.words * self.word_bits
    }

    pub(super) fn word_error_rate(&self, eb_n0_db: f64) -> f64 {
        self.word_error_rate.at(eb_n0_db).min(1.0)
    }

    /// Which share of the bits of a failed word is wrong.
    pub(super) fn share_of_wrong_bits(&self, eb_n0_db: f64) -> f64 {
        self.share.at(eb_n0_db).min(0.5)
    }
}

/// A probability over Eb/N0: straight lines between the logarithms of given values, and on along the first and the last.
#[derive(Debug)]
struct Curve(Vec<(f64, f64)>);

impl Curve {
    fn new(points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Curve(points.into_iter().map(|(db, probability)| (db, probability.log10())).collect())
    }

    fn at(&self, db: f64) -> f64 {
        let points = &self.0;
        let [.., last] = &points[..] else { return 0.0 };
        if points.len() == 1 {
            return 10f64.powf(last.1);
        }
        let after = points.partition_point(|(at, _)| *at <= db).clamp(1, points.len() - 1);
        let ((x0, y0), (x1, y1)) = (points[after - 1], points[after]);
        10f64.powf(y0 + (y1 - y0) * (db - x0) / (x1 - x0))
    }
}

/// ½ erfc(√(Eb/N0)).
pub(super) fn uncoded_ber(eb_n0_db: f64) -> f64 {
    0.5 * erfc(from_db(eb_n0_db).sqrt())
}

fn from_db(db: f64) -> f64 {
    10f64.powf(db / 10.0)
}

/// The complementary error function for x ≥ 0, to 1e-14 of its value.
fn erfc(x: f64) -> f64 {
    if x < 2.0 {
        // The series of the error function.
        let (mut term, mut sum) = (x, x);
        for n in 1..100 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        1.0 - std::f64::consts::FRAC_2_SQRT_PI * sum
    } else {
        // The continued fraction x + ½/(x + 1/(x + 3/2/(x + …))), from its far end.
        let fraction = (1..100).rev().fold(x, |tail, n| x + f64::from(n) / 2.0 / tail);
        (-x * x).exp() / (fraction * std::f64::consts::PI.sqrt())
    }
}

/// Grid of the curves that are worked out, in dB.
fn grid() -> impl Iterator<Item = f64> {
    (-40..=400).map(|n| f64::from(n) * 0.05)
}

pub(super) mod convolutional {
    use super::{Bursts, Curve, LazyLock, erfc, from_db, grid};

    /// One point of the simulation. A burst goes from a wrong bit to the last wrong bit before seven right ones.
    pub(super) struct Point {
        pub(super) eb_n0_db: f64,
        pub(super) ber: f64,
        /// Error ratio of symbols of 8 bits.
        pub(super) symbols: f64,
        mean_burst_bits: f64,
        /// Share of wrong bits in a burst.
        density: f64,
    }

    const fn point(eb_n0_db: f64, ber: f64, symbols: f64, mean_burst_bits: f64, density: f64) -> Point {
        Point { eb_n0_db, ber, symbols, mean_burst_bits, density }
    }

    pub(super) const SIMULATED: [Point; 10] = [
        point(0.0, 1.5602e-1, 3.3097e-1, 38.18, 0.558),
        point(0.5, 8.5186e-2, 1.8838e-1, 28.67, 0.563),
        point(1.0, 4.0095e-2, 9.2674e-2, 22.00, 0.570),
        point(1.5, 1.5459e-2, 3.7852e-2, 16.91, 0.577),
        point(2.0, 4.9353e-3, 1.2833e-2, 13.37, 0.585),
        point(2.5, 1.4602e-3, 4.0240e-3, 10.93, 0.594),
        point(3.0, 3.6358e-4, 1.0664e-3, 8.97, 0.605),
        point(3.5, 8.2336e-5, 2.5856e-4, 7.59, 0.617),
        point(4.0, 1.5004e-5, 5.0281e-5, 6.39, 0.629),
        point(4.5, 2.7475e-6, 9.4200e-6, 6.39, 0.625),
    ];

    /// Sums over wrong paths of the number of wrong data bits, by weight from 10 in steps of 2.
    const WEIGHTS: [f64; 10] =
        [36.0, 211.0, 1404.0, 11_633.0, 77_433.0, 502_690.0, 3_322_763.0, 21_292_910.0, 134_365_911.0, 843_425_871.0];

    static CURVE: LazyLock<Curve> = LazyLock::new(|| {
        let simulated = SIMULATED.iter().map(|p| (p.eb_n0_db, p.ber)).filter(|(db, _)| *db <= 4.0);
        Curve::new(simulated.chain(grid().filter(|db| *db > 4.15).map(|db| (db, union_bound(db)))))
    });

    pub(super) fn union_bound(eb_n0_db: f64) -> f64 {
        let eb_n0 = from_db(eb_n0_db);
        let path = |(n, weight): (usize, &f64)| weight * 0.5 * erfc(((10.0 + 2.0 * n as f64) * eb_n0 / 2.0).sqrt());
        WEIGHTS.iter().enumerate().map(path).sum()
    }

    pub(super) fn ber(eb_n0_db: f64) -> f64 {
        CURVE.at(eb_n0_db).min(0.5)
    }

    /// Bursts whose mean length and density are those of the simulation, held beyond its ends, with the gaps that give the bit
    /// error ratio of the curve.
    pub(in crate::errors) fn bursts(eb_n0_db: f64) -> Bursts {
        let after = SIMULATED.partition_point(|p| p.eb_n0_db <= eb_n0_db).clamp(1, SIMULATED.len() - 1);
        let (a, b) = (&SIMULATED[after - 1], &SIMULATED[after]);
        let share = ((eb_n0_db - a.eb_n0_db) / (b.eb_n0_db - a.eb_n0_db)).clamp(0.0, 1.0);
        let mean_burst_bits = a.mean_burst_bits + (b.mean_burst_bits - a.mean_burst_bits) * share;
        let ber_in_burst = a.density + (b.density - a.density) * share;
        let mean_gap_bits = (mean_burst_bits * (ber_in_burst / ber(eb_n0_db) - 1.0)).clamp(1.0, 1e18);
        Bursts { mean_burst_bits, mean_gap_bits, ber_in_burst, ber_in_gap: 0.0 }
    }
}

/// Word error rate and share of wrong bits of a (255,223) Reed–Solomon code whose symbols are wrong with a probability, in which
/// a wrong symbol has `bits` wrong bits on average.
fn reed_solomon(symbol_errors: f64, bits: f64) -> (f64, f64) {
    let (n, corrected) = (255, 16);
    let (p, q) = (symbol_errors.ln(), (-symbol_errors).ln_1p());
    let mut ln_choose = 0.0;
    let (mut failed, mut symbols) = (0.0, 0.0);
    for wrong in 0..=n {
        if wrong > corrected {
            let probability = (ln_choose + f64::from(wrong) * p + f64::from(n - wrong) * q).exp();
            failed += probability;
            symbols += probability * f64::from(wrong);
        }
        ln_choose += f64::from(n - wrong).ln() - f64::from(wrong + 1).ln();
    }
    (failed, symbols / failed / f64::from(n) * bits / 8.0)
}

fn reed_solomon_curves(symbols: impl Iterator<Item = (f64, f64, f64)>) -> (Curve, Curve) {
    let points: Vec<_> = symbols
        .map(|(db, errors, bits)| (db, reed_solomon(errors, bits)))
        .filter(|(_, (failed, _))| *failed > 1e-290)
        .collect();
    let rate = points.iter().map(|(db, (failed, _))| (*db, *failed));
    let share = points.iter().map(|(db, (_, share))| (*db, *share));
    (Curve::new(rate), Curve::new(share))
}

/// What the rate 223/255 takes from each channel bit, in dB.
fn outer_rate_db() -> f64 {
    10.0 * (255.0f64 / 223.0).log10()
}

static REED_SOLOMON: LazyLock<(Curve, Curve)> = LazyLock::new(|| {
    reed_solomon_curves(grid().map(|db| {
        let ber = uncoded_ber(db - outer_rate_db());
        let symbol = -(8.0 * (-ber).ln_1p()).exp_m1();
        (db, symbol, 8.0 * ber / symbol)
    }))
});

static CONCATENATED: LazyLock<(Curve, Curve)> = LazyLock::new(|| {
    let inner = &convolutional::SIMULATED;
    let errors = Curve::new(inner.iter().map(|p| (p.eb_n0_db, p.symbols)));
    let bits = Curve::new(inner.iter().map(|p| (p.eb_n0_db, 8.0 * p.ber / p.symbols)));
    let (first, last) = (inner[0].eb_n0_db + outer_rate_db(), inner[inner.len() - 1].eb_n0_db + outer_rate_db());
    reed_solomon_curves(grid().filter(|db| *db >= first && *db <= last).map(|db| {
        let channel = db - outer_rate_db();
        (db, errors.at(channel), bits.at(channel))
    }))
});

/// Word error rates and shares of wrong bits from simulated bit and word error rates.
fn simulated(points: &[(f64, f64, f64)]) -> (Curve, Curve) {
    let rate = points.iter().map(|(db, _, word)| (*db, *word));
    let share = points.iter().map(|(db, bit, word)| (*db, bit / word));
    (Curve::new(rate), Curve::new(share))
}

/// Eb/N0 in dB, bit error ratio, word error rate.
static LDPC_1024: LazyLock<(Curve, Curve)> = LazyLock::new(|| {
    simulated(&[
        (0.5, 1.30e-1, 9.62e-1),
        (0.7, 8.90e-2, 7.14e-1),
        (0.9, 5.41e-2, 4.41e-1),
        (1.1, 1.35e-2, 1.14e-1),
        (1.3, 2.95e-3, 2.53e-2),
        (1.5, 3.88e-4, 3.20e-3),
        (1.6, 1.51e-4, 1.25e-3),
    ])
});

static LDPC_4096: LazyLock<(Curve, Curve)> = LazyLock::new(|| {
    simulated(&[(0.4, 1.41e-1, 1.0), (0.6, 1.20e-1, 9.17e-1), (0.8, 4.04e-2, 3.64e-1), (1.0, 2.33e-3, 2.14e-2)])
});

static TURBO_1784: LazyLock<(Curve, Curve)> = LazyLock::new(|| {
    let rate = [
        (0.6, 0.75),
        (0.8, 3.893e-1),
        (1.0, 7.553e-2),
        (1.2, 7.961e-3),
        (1.4, 3.250e-4),
        (1.6, 1.162e-5),
        (1.8, 3.75e-6),
        (2.0, 2.25e-6),
        (2.2, 7.5e-7),
    ];
    // The share is that of a simulation of the same code at rate 1/3 (AFF3CT error rate references, k = 1784, 10 iterations):
    // 0.11 where every second word fails, 0.06 where one in ten thousand does.
    (Curve::new(rate), Curve::new([(0.6, 0.11), (1.4, 0.064), (2.2, 0.05)]))
});
