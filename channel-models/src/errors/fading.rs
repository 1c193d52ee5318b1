//! Scintillation of a signal that passes near the Sun.

use farlink_units::{Duration, Instant};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{ErrorModelError, within};
use crate::series::Series;

/// A band for which the scintillation index has been measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// 8.4 GHz.
    X,
    /// 32 GHz.
    Ka,
}

/// The scintillation index m (standard deviation of the received power over its mean) at a Sun–Earth–probe angle, for a probe
/// near superior conjunction.
///
/// The curves are those that D. Morabito fitted to the conjunctions of Mars Global Surveyor, Deep Space 1, Cassini and Stardust
/// ("Solar Corona Amplitude Scintillation Modeling and Comparison to Measurements at X-Band and Ka-Band", IPN Progress Report
/// 42-153, 2003, equation 7): up to 5° at X band, up to 4° at Ka band, where the fit falls to nothing. Below 1.1° (X) and 0.6°
/// (Ka) scintillation is saturated, m = 1. Measured values scatter about the curve by 0.06; between 1.1° and 2° at X band by
/// several times as much, with the activity of the Sun. Further out than the fits go, m falls on with the angle to the power
/// −1.6, as interplanetary scintillation does (B. J. Rickett, 1973).
///
/// # Errors
/// An angle that is not from 0° to 180°.
pub fn scintillation_index(band: Band, sun_earth_probe_deg: f64) -> Result<f64, ErrorModelError> {
    let angle = within("a Sun–Earth–probe angle in degrees", sun_earth_probe_deg, 0.0..=180.0, "from 0 to 180")?;
    let fit = |a: [f64; 4], saturated: f64, angle: f64| {
        let beyond = angle - saturated;
        (-a[0] * beyond).exp() + a[1] + a[2] * beyond + a[3] * beyond * beyond
    };
    let (saturated, last) = match band {
        Band::X => (1.1, 5.0),
        Band::Ka => (0.6, 4.0),
    };
    let fitted = |angle: f64| match band {
        Band::X if angle < 2.0 => fit([1.14, 0.0, 0.02, 0.0], saturated, angle),
        Band::X => fit([1.74, 0.186, -0.036, 0.0], saturated, angle),
        Band::Ka => fit([1.50, -0.231, 0.176, -0.030], saturated, angle),
    };
    Ok(if angle < saturated {
        1.0
    } else if angle <= last {
        fitted(angle)
    } else {
        fitted(last) * (angle / last).powf(-1.6)
    })
}

/// How the power of a scintillating signal is distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fading {
    /// A steady part and a scattered part: from no fading at m = 0 to that of Rayleigh at m = 1.
    Rician,
    /// The logarithm of the power is normal; for weak scintillation.
    LogNormal,
}

/// A fading of the signal on top of its mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Scintillation {
    /// The scintillation index m along the pass: standard deviation of the power over its mean, from 0 to 1.
    pub index: Series,
    /// The law of the power.
    pub fading: Fading,
    /// The lag at which the correlation of the fluctuation has fallen to 1/e. For the solar corona it is about the Fresnel
    /// size of the path over the speed of the solar wind: 0.2 s at X band and 0.1 s at Ka band for 300 km/s and 0.6 au.
    pub correlation_time: Duration,
}

/// How much of the time between two knots the correlation time is: the lag at which (1 − u/2) cos(πu/2) + sin(πu/2)/π, which is
/// the correlation of the process below, is 1/e.
const CORRELATION_PER_KNOT: f64 = 0.938_67;

/// Cells of equal gain from one knot to the next.
const CELLS_PER_KNOT: i64 = 8;

/// The gain of a fading channel as a function of time. It can be asked for any instant, in any order: what it is at an
/// instant follows from the seed and the instant alone.
///
/// A normal process is made of independent normal numbers at equidistant knots. Between two of them it is one times the
/// cosine plus the other times the sine of an angle from 0 to 90°, so that its variance is 1 throughout.
#[derive(Clone, Debug)]
pub(super) struct Gain {
    scintillation: Scintillation,
    draws: ChaCha8Rng,
    knot_nanos: i64,
    /// The two knots that were used last, each with two normal numbers.
    near: Option<(i64, [f64; 2], [f64; 2])>,
}

impl Gain {
    pub(super) fn new(scintillation: Scintillation, seed: u64) -> Result<Self, ErrorModelError> {
        for (_, m) in scintillation.index.knots() {
            within("a scintillation index", *m, 0.0..=1.0, "from 0 to 1")?;
        }
        let seconds = scintillation.correlation_time.as_secs_f64();
        within("a correlation time in seconds", seconds, 1e-6..=1e9, "from 1e-6 to 1e9")?;
        let knot_nanos = (seconds * 1e9 / CORRELATION_PER_KNOT) as i64;
        let mut draws = ChaCha8Rng::seed_from_u64(seed);
        draws.set_stream(1);
        Ok(Gain { scintillation, draws, knot_nanos, near: None })
    }

    /// The gain in dB at an instant, and until when it is held level.
    pub(super) fn at(&mut self, at: Instant) -> (f64, Instant) {
        let cell_nanos = (self.knot_nanos / CELLS_PER_KNOT).max(1);
        let cell = at.as_nanos().div_euclid(cell_nanos);
        let start = Instant::from_nanos(cell.saturating_mul(cell_nanos));
        let end = start + farlink_units::Duration::from_nanos(cell_nanos);
        let knot = cell.div_euclid(CELLS_PER_KNOT);
        let angle =
            (cell.rem_euclid(CELLS_PER_KNOT) as f64 + 0.5) / CELLS_PER_KNOT as f64 * std::f64::consts::FRAC_PI_2;
        let (before, after) = self.knots(knot);
        let normal = |axis: usize| before[axis] * angle.cos() + after[axis] * angle.sin();
        let m = self.scintillation.index.at(start).clamp(0.0, 1.0);
        (10.0 * power(self.scintillation.fading, m, [normal(0), normal(1)]).log10(), end)
    }

    fn knots(&mut self, knot: i64) -> ([f64; 2], [f64; 2]) {
        match self.near {
            Some((at, before, after)) if at == knot => (before, after),
            near => {
                let before = match near {
                    Some((at, _, after)) if at == knot - 1 => after,
                    _ => self.normals(knot),
                };
                let after = self.normals(knot + 1);
                self.near = Some((knot, before, after));
                (before, after)
            }
        }
    }

    /// Two independent normal numbers that belong to a knot (Box and Muller).
    fn normals(&mut self, knot: i64) -> [f64; 2] {
        // Each knot has four words of its own in the key stream, which has 2⁶⁸ words.
        self.draws.set_word_pos(u128::from(knot as u64) * 4);
        let uniform = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let radius = (-2.0 * uniform(self.draws.next_u64()).ln()).sqrt();
        let angle = std::f64::consts::TAU * uniform(self.draws.next_u64());
        [radius * angle.cos(), radius * angle.sin()]
    }
}

/// The power, of mean 1 and standard deviation `m`, that belongs to two independent normal numbers.
fn power(fading: Fading, m: f64, [x, y]: [f64; 2]) -> f64 {
    match fading {
        Fading::Rician => {
            // The power of the steady part; its square is 1 − m², since the variance of the whole is 1 − steady².
            let steady = (1.0 - m * m).sqrt();
            let scatter = ((1.0 - steady) / 2.0).sqrt();
            (steady.sqrt() + scatter * x).powi(2) + (scatter * y).powi(2)
        }
        Fading::LogNormal => {
            let variance = (m * m).ln_1p();
            (variance.sqrt() * x - variance / 2.0).exp()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gain(fading: Fading, m: f64, seed: u64) -> Gain {
        let index = Series::constant(m);
        Gain::new(Scintillation { index, fading, correlation_time: Duration::from_millis(100) }, seed).unwrap()
    }

    /// Powers at instants so far apart that they are independent.
    fn powers(gain: &mut Gain, count: i64) -> Vec<f64> {
        (0..count).map(|n| 10f64.powf(gain.at(Instant::ZERO + Duration::from_millis(n * 1003)).0 / 10.0)).collect()
    }

    #[test]
    fn mean_and_index_of_the_power_are_what_was_asked() {
        for fading in [Fading::Rician, Fading::LogNormal] {
            for m in [0.1, 0.5, 1.0] {
                let powers = powers(&mut gain(fading, m, 5), 200_000);
                let n = powers.len() as f64;
                let mean = powers.iter().sum::<f64>() / n;
                let central = |k: i32| powers.iter().map(|p| (p - mean).powi(k)).sum::<f64>() / n;
                let (variance, fourth) = (central(2), central(4));
                // 99.9 % intervals of the mean and of the variance, from the sample's own moments.
                assert!((mean - 1.0).abs() < 3.2905 * (variance / n).sqrt(), "{fading:?} {m}: mean {mean}");
                let half = 3.2905 * ((fourth - variance * variance) / n).sqrt();
                assert!((variance - m * m).abs() < half, "{fading:?} {m}: variance {variance} ± {half}");
            }
        }
    }

    #[test]
    fn the_fluctuation_is_correlated_for_as_long_as_asked() {
        let mut gain = gain(Fading::LogNormal, 0.3, 9);
        // The logarithm of the power is the normal process itself.
        let cell = Duration::from_nanos(gain.knot_nanos / CELLS_PER_KNOT);
        let variance = (0.3f64 * 0.3).ln_1p();
        let mut normal =
            |at: Instant| (gain.at(at).0 / 10.0 * std::f64::consts::LN_10 + variance / 2.0) / variance.sqrt();
        let count = 100_000;
        let mut correlation = |lag: Duration| {
            let product = |n: i64| {
                // Starts spread over all phases of the cells and knots.
                let at = Instant::ZERO + Duration::from_nanos(n * 1_000_003_711);
                normal(at) * normal(at + lag)
            };
            (0..count).map(product).sum::<f64>() / count as f64
        };
        // The product of two such numbers has a standard deviation of at most √2; cells of an eighth of a knot add 0.01.
        let half = 3.2905 * (2.0 / count as f64).sqrt() + 0.01;
        let at_lag = correlation(Duration::from_millis(100));
        assert!((at_lag - (-1.0f64).exp()).abs() < half, "{at_lag}");
        assert!(correlation(Duration::from_millis(300)).abs() < half);
        assert!((correlation(Duration::ZERO) - 1.0).abs() < half);
        assert!(correlation(cell) > 0.9);
    }

    #[test]
    fn the_gain_of_an_instant_does_not_depend_on_what_was_asked_before() {
        let mut forward = gain(Fading::Rician, 0.8, 1);
        let mut backward = forward.clone();
        let at = |n: i64| Instant::ZERO + Duration::from_millis(n * 37);
        let there: Vec<_> = (-100..100).map(|n| forward.at(at(n))).collect();
        let mut back: Vec<_> = (-100..100).rev().map(|n| backward.at(at(n))).collect();
        back.reverse();
        assert_eq!(there, back);
        assert_ne!(gain(Fading::Rician, 0.8, 2).at(at(0)), there[100]);
        assert!(forward.at(Instant::MAX).0.is_finite() && forward.at(Instant::from_nanos(i64::MIN)).0.is_finite());
    }

    #[test]
    fn the_index_follows_the_fit() {
        // Values of the published equation and coefficients, worked out by hand.
        for (band, angle, m) in [
            (Band::X, 0.5, 1.0),
            (Band::X, 1.5, 0.6418),
            (Band::X, 3.0, 0.1543),
            (Band::Ka, 0.5, 1.0),
            (Band::Ka, 1.0, 0.3834),
            (Band::Ka, 2.0, 0.0791),
        ] {
            let got = scintillation_index(band, angle).unwrap();
            assert!((got - m).abs() < 1e-4, "{band:?} at {angle}°: {got}, expected {m}");
        }
        for band in [Band::X, Band::Ka] {
            let m: Vec<f64> = (0..1800).map(|n| scintillation_index(band, f64::from(n) / 10.0).unwrap()).collect();
            assert!(m.iter().all(|m| (0.0..=1.0).contains(m)) && m[1799] < 1e-2);
        }
        assert!(scintillation_index(Band::X, -1.0).is_err() && scintillation_index(Band::X, f64::NAN).is_err());
    }
}
