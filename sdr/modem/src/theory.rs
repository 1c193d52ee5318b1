//! Bit error ratios in white Gaussian noise, with a perfect receiver: what a measured curve is held against.
//!
//! Source: Proakis and Salehi, *Digital Communications*, 5th edition, chapter 4; for Gray-mapped 8PSK Lassing, Ström, Agrell and Ottosson,
//! "Computation of the exact bit-error rate of coherent M-ary PSK with Gray code bit mapping", IEEE Trans. Comm. 51 (2003).
//! Arguments are ratios in dB, named for what they are: Eb/N0 a bit, Es/N0 a symbol, with all power counted that the transmitter sends.

use crate::config::{Modulation, SubcarrierShape};
use crate::pulse::data_amplitude;
use statrs::function::erf::erfc;
use std::f64::consts::{PI, SQRT_2};

/// A ratio of powers, from dB.
pub fn from_db(db: f64) -> f64 {
    10f64.powf(db / 10.0)
}

/// A ratio of powers, in dB.
pub fn to_db(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

/// The Gaussian tail: how probable it is that a normal variable exceeds `x` standard deviations (Proakis 2.3-10).
pub fn q_function(x: f64) -> f64 {
    0.5 * erfc(x / SQRT_2)
}

/// What Es/N0 is at this Eb/N0, in dB: more by the bits of a symbol. For coded links, a bit is a channel bit.
pub fn es_n0_db(modulation: &Modulation, eb_n0_db: f64) -> f64 {
    eb_n0_db + to_db(f64::from(modulation.bits_per_symbol()))
}

/// The bit error ratio of a perfect coherent receiver, with the phase ambiguity resolved, at this Eb/N0 in dB.
///
/// For BPSK, QPSK and OQPSK it is Q(√(2 Eb/N0)) (Proakis 4.3-13); for 8PSK the exact ratio of this crate's Gray map; for a residual carrier that
/// of BPSK with the power that the receiver uses: sin²m of a square subcarrier's, 2 J1²(m) of a sine's (CCSDS 401.0-B, 2.3).
/// For GMSK it is Q(√(d² Eb/N0)), where d² is the least squared distance of two sequences (Murota and Hirade, IEEE Trans. Comm. 29, 1981): what the
/// ratio comes near to at high Eb/N0. Below some 5 dB it is more than this crate's receiver measures, which loses 0.2 dB and less to BPSK's ratio
/// at a BT of 0.4 and more.
pub fn bit_error_ratio(modulation: &Modulation, eb_n0_db: f64) -> f64 {
    let eb_n0 = from_db(eb_n0_db);
    match modulation {
        Modulation::Bpsk | Modulation::Qpsk | Modulation::Oqpsk => q_function((2.0 * eb_n0).sqrt()),
        Modulation::Psk8 => psk8(3.0 * eb_n0),
        Modulation::Gmsk { bandwidth_time } => {
            q_function((crate::pulse::gmsk_least_distance(*bandwidth_time) * eb_n0).sqrt())
        }
        Modulation::ResidualCarrier { index_rad, subcarrier } => {
            q_function((2.0 * eb_n0).sqrt() * data_amplitude(*index_rad, subcarrier.shape))
        }
    }
}

/// The part of a residual-carrier signal's power that stays in the carrier: cos²m with a square subcarrier, J0²(m) with a sine.
pub fn carrier_power(index_rad: f64, shape: SubcarrierShape) -> f64 {
    crate::pulse::carrier_amplitude(index_rad, shape).powi(2)
}

/// The density of the received phase about the one sent (Proakis 4.3-17).
fn phase_density(theta: f64, es_n0: f64) -> f64 {
    let c = es_n0.sqrt() * theta.cos();
    (-es_n0).exp() / (2.0 * PI) + c / PI.sqrt() * (-es_n0 * theta.sin().powi(2)).exp() * (1.0 - q_function(SQRT_2 * c))
}

fn psk8(es_n0: f64) -> f64 {
    let steps = 2000;
    let sector = |d: f64| {
        let (from, width) = ((2.0 * d - 1.0) * PI / 8.0, PI / 4.0);
        let h = width / f64::from(steps);
        let inner: f64 = (1..steps)
            .map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * phase_density(from + h * f64::from(i), es_n0))
            .sum();
        h / 3.0 * (phase_density(from, es_n0) + inner + phase_density(from + width, es_n0))
    };
    let gray = |i: usize| i ^ (i >> 1);
    // How many of the three bits differ on average between symbols that are d sectors apart.
    let weight = |d: usize| (0..8).map(|i| (gray(i) ^ gray((i + d) % 8)).count_ones()).sum::<u32>();
    (1..8).map(|d| f64::from(weight(d)) / 8.0 * sector(d as f64)).sum::<f64>() / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_points_of_the_curves() {
        // Proakis and Salehi, table of Q; BPSK at 9.6 dB is the textbook 1e-5.
        assert!((q_function(1.0) - 0.158_655_253_931).abs() < 1e-10);
        let bpsk = bit_error_ratio(&Modulation::Bpsk, 9.588);
        assert!((bpsk / 1e-5 - 1.0).abs() < 0.01, "{bpsk}");
        // 8PSK reaches 1e-5 near 12.97 dB, and its nearest-neighbour approximation is 2/3 Q(√(2 Es/N0) sin(π/8)).
        let near = |db: f64| 2.0 / 3.0 * q_function((6.0 * from_db(db)).sqrt() * (PI / 8.0).sin());
        assert!((bit_error_ratio(&Modulation::Psk8, 12.97) / 1e-5 - 1.0).abs() < 0.05);
        assert!((bit_error_ratio(&Modulation::Psk8, 11.0) / near(11.0) - 1.0).abs() < 0.01);
        // Without signal every bit is a guess.
        assert!((bit_error_ratio(&Modulation::Psk8, -60.0) - 0.5).abs() < 0.01);
        assert!((bit_error_ratio(&Modulation::Bpsk, -60.0) - 0.5).abs() < 0.001);
    }

    #[test]
    fn gmsk_loses_little_to_msk() {
        // Murota and Hirade: about 0.7 dB at BT 0.25 and under 0.2 dB at BT 0.5, of antipodal signals.
        let loss = |bt: f64| -to_db(crate::pulse::gmsk_least_distance(bt) / 2.0);
        assert!(loss(0.5) > 0.0 && loss(0.5) < 0.2, "{}", loss(0.5));
        assert!(loss(0.25) > loss(0.5) && loss(0.25) < 0.8, "{}", loss(0.25));
    }
}
