//! What error ratios should be: exact where they can be worked out, otherwise what `farlink-channel-models` has of the codes.

use farlink_channel_models::errors::Code;
use farlink_coding::convolutional::Rate;
use farlink_coding::ldpc::{Length, Rate as LdpcRate};
use farlink_modem::{Modulation, theory};
use serde::Serialize;

use crate::waveform::{Coding, Waveform, from_db};

/// What a perfect receiver and a good decoder leave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Theory {
    /// Ratio of wrong bits.
    pub bit_error_ratio: f64,
    /// Ratio of wrong frames, where it is known; code words of a block are taken for independent.
    pub frame_error_ratio: Option<f64>,
    /// Where it is from.
    pub source: &'static str,
}

/// The error ratios at an Eb/N0 in dB. `None` for codes without a curve: other LDPC codes than rate 1/2 with 1024 and 4096 bits, punctured convolutional codes,
/// and codes with soft decisions on 8PSK, GMSK and residual carriers.
pub fn theory(waveform: &Waveform, eb_n0_db: f64) -> Option<Theory> {
    let antipodal = matches!(waveform.modulation, Modulation::Bpsk | Modulation::Qpsk | Modulation::Oqpsk);
    let independent = antipodal || matches!(waveform.modulation, Modulation::ResidualCarrier { .. });
    // A bit on the channel has its part of the energy.
    let channel_db = eb_n0_db + 10.0 * waveform.code_rate().log10();
    let of_frame = |word: f64, depth: u8| Some(-(f64::from(depth) * (-word).ln_1p()).exp_m1());
    match waveform.coding {
        Coding::Uncoded { frame_octets } => {
            let ratio = theory::bit_error_ratio(&waveform.modulation, channel_db);
            let bits = 8.0 * frame_octets as f64;
            let frames = independent.then(|| -(bits * (-ratio).ln_1p()).exp_m1());
            let source = match waveform.modulation {
                Modulation::Gmsk { .. } => "bound of the best receiver",
                _ => "exact",
            };
            Some(Theory { bit_error_ratio: ratio, frame_error_ratio: frames, source })
        }
        Coding::ReedSolomon { corrects, depth } if independent => {
            let ratio = theory::bit_error_ratio(&waveform.modulation, channel_db);
            let (word, bits) = reed_solomon(ratio, u32::from(corrects));
            let source = "binomial law of the symbols";
            Some(Theory { bit_error_ratio: bits, frame_error_ratio: of_frame(word, depth), source })
        }
        _ if !antipodal => None,
        Coding::Convolutional { rate: Rate::Half, .. } => {
            let bit_error_ratio = Code::Convolutional.bit_error_ratio(eb_n0_db);
            Some(Theory { bit_error_ratio, frame_error_ratio: None, source: "simulated, above 4 dB the union bound" })
        }
        Coding::Concatenated { corrects: 16, depth, rate: Rate::Half } => {
            let code = Code::Concatenated { interleaving: depth };
            let source = "binomial law of the inner code's simulated symbols";
            let frame_error_ratio = code.word_error_rate(eb_n0_db).and_then(|word| of_frame(word, depth));
            Some(Theory { bit_error_ratio: code.bit_error_ratio(eb_n0_db), frame_error_ratio, source })
        }
        Coding::Ldpc { rate: LdpcRate::Half, length } => {
            let code = match length {
                Length::K1024 => Code::Ldpc1024,
                Length::K4096 => Code::Ldpc4096,
                Length::K16384 => return None,
            };
            let (bit_error_ratio, frame_error_ratio) = (code.bit_error_ratio(eb_n0_db), code.word_error_rate(eb_n0_db));
            Some(Theory { bit_error_ratio, frame_error_ratio, source: "simulated, sums of products" })
        }
        _ => None,
    }
}

/// Ratios of wrong code words and of wrong bits of a code word of 255 symbols that corrects so many, over bits that are wrong independently.
fn reed_solomon(bit_error_ratio: f64, corrects: u32) -> (f64, f64) {
    let symbol = -(8.0 * (-bit_error_ratio).ln_1p()).exp_m1();
    if symbol <= 0.0 {
        return (0.0, 0.0);
    }
    let (log, log_right) = (symbol.ln(), (-symbol).ln_1p());
    let (mut log_ways, mut words, mut symbols) = (0.0f64, 0.0, 0.0);
    for wrong in 0..=255u32 {
        if wrong > corrects {
            let probability = (log_ways + f64::from(wrong) * log + f64::from(255 - wrong) * log_right).exp();
            words += probability;
            symbols += probability * f64::from(wrong) / 255.0;
        }
        log_ways += f64::from(255 - wrong).ln() - f64::from(wrong + 1).ln();
    }
    (words, symbols * bit_error_ratio / symbol)
}

/// The Eb/N0 in dB at which theory has this ratio of wrong frames, from -5 to 20 dB to a thousandth; `None` if there is none.
pub fn eb_n0_db_of_frame_errors(waveform: &Waveform, ratio: f64) -> Option<f64> {
    let frames = |db: f64| theory(waveform, db).and_then(|theory| theory.frame_error_ratio);
    let (mut low, mut high) = (-5.0, 20.0);
    if !(frames(low)? > ratio && frames(high)? < ratio) {
        return None;
    }
    while high - low > 1e-3 {
        let middle = (low + high) / 2.0;
        if frames(middle)? > ratio { low = middle } else { high = middle }
    }
    Some(high)
}

/// The rate of a channel bit's energy to N0, from that of a frame's bit in dB.
pub(crate) fn channel_bit_ratio(waveform: &Waveform, eb_n0_db: f64) -> f64 {
    from_db(eb_n0_db) * waveform.code_rate()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reed_solomon_is_that_of_the_packets_model() {
        let waveform = Waveform::new(Coding::ReedSolomon { corrects: 16, depth: 3 }, 1e6);
        for db in [5.0, 5.8, 6.4] {
            let ours = theory(&waveform, db).unwrap();
            let theirs = Code::ReedSolomon { interleaving: 3 };
            let word = theirs.word_error_rate(db).unwrap();
            let frame = 1.0 - (1.0 - word).powi(3);
            // Theirs is read off lines between points of 0.05 dB.
            assert!((ours.frame_error_ratio.unwrap() / frame - 1.0).abs() < 0.01, "{db}: {ours:?} {frame}");
            assert!((ours.bit_error_ratio / theirs.bit_error_ratio(db) - 1.0).abs() < 0.01, "{db}: {ours:?}");
        }
        assert_eq!(reed_solomon(0.0, 16), (0.0, 0.0));
        // The weaker code is.
        assert!(reed_solomon(1e-3, 8).0 > 100.0 * reed_solomon(1e-3, 16).0);
    }

    #[test]
    fn the_point_of_a_frame_error_ratio_is_found() {
        let waveform = Waveform::new(Coding::Concatenated { corrects: 16, depth: 5, rate: Rate::Half }, 1e6);
        let db = eb_n0_db_of_frame_errors(&waveform, 1e-3).unwrap();
        let there = theory(&waveform, db).unwrap().frame_error_ratio.unwrap();
        assert!((there / 1e-3).ln().abs() < 0.1 && (2.0..3.0).contains(&db), "{db} dB: {there}");
        let none = Waveform { modulation: Modulation::Psk8, ..waveform };
        assert_eq!(eb_n0_db_of_frame_errors(&none, 1e-3), None);
    }
}
