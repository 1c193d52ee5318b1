//! The decoders against the curves that stand for them where links are modelled by packets. Those were simulated with other decoders on unquantised values
//! (`farlink_channel_models::errors::codes`).

mod support;

use farlink_channel_models::errors::Code as Curve;
use farlink_coding::convolutional::{self, End, Viterbi};
use farlink_coding::ldpc::{Code, Decoder, Encoder, Length, Rate};
use farlink_coding::reed_solomon::{self, Depth, Interleaved, ReedSolomon};
use support::{Random, wilson};

/// That a share lies on a curve or `loss_db` beside it, give or take 0.1 dB, which is what the curve is right to, and chance at 4.4 deviations, once
/// in 1e5.
fn assert_on_curve(what: &str, (hits, of): (u64, u64), eb_n0_db: f64, loss_db: f64, curve: impl Fn(f64) -> f64) {
    let (least, most) = wilson(hits, of, 4.4);
    let (better, worse) = (curve(eb_n0_db - loss_db + 0.1), curve(eb_n0_db - loss_db - 0.1));
    let share = hits as f64 / of as f64;
    let lost = (0..2000).map(|step| f64::from(step) * 1e-3 - 0.5).find(|db| curve(eb_n0_db - db) >= share);
    println!("{what} at {eb_n0_db} dB: {hits} of {of}, {least:.2e} to {most:.2e}, {lost:?} dB beside the curve");
    assert!(
        least <= worse && most >= better,
        "{what} at {eb_n0_db} dB: {hits} of {of}; the curve goes from {better:e} to {worse:e}"
    );
}

#[test]
fn ldpc_loses_the_words_that_its_curve_has() {
    for (length, curve, loss_db, points) in [
        (Length::K1024, Curve::Ldpc1024, 0.0, [(1.1, 600), (1.4, 3000)]),
        (Length::K4096, Curve::Ldpc4096, 0.0, [(0.8, 150), (0.95, 600)]),
    ] {
        let code = Code::Ar4ja(Rate::Half, length);
        for (eb_n0_db, words) in points {
            let mut random = Random(31);
            let (encoder, mut decoder) = (Encoder::new(code), Decoder::new(code, 100));
            let mut decoded = vec![0; code.information_octets()];
            let mut lost = 0;
            for _ in 0..words {
                let information = random.octets(code.information_octets());
                let codeword = encoder.encode(&information).unwrap();
                let soft = random.soft(&codeword, eb_n0_db - 10.0 * 2f64.log10(), 24.0);
                lost += u64::from(decoder.decode(&soft, &mut decoded).is_err() || decoded != information);
            }
            assert_on_curve(&format!("{code:?}"), (lost, words), eb_n0_db, loss_db, |at| {
                curve.word_error_rate(at).expect("a code with words")
            });
        }
    }
}

/// Encodes with the code of rate 1/2 and decodes what noise leaves of it.
fn through_viterbi(octets: &[u8], es_n0_db: f64, random: &mut Random) -> Vec<u8> {
    let mut symbols = Vec::new();
    convolutional::Encoder::new(convolutional::Rate::Half).encode(octets, &mut symbols);
    let packed: Vec<u8> = symbols.chunks(8).map(|bits| bits.iter().fold(0, |octet, bit| octet << 1 | bit)).collect();
    let soft = random.soft(&packed, es_n0_db, 24.0);
    let state = octets.last().map_or(0, |octet| octet & 0x3f);
    Viterbi::new(convolutional::Rate::Half).starting_at(0).decode_block(&soft, End::State(state)).0
}

#[test]
fn viterbi_leaves_the_wrong_bits_that_its_curve_has() {
    for (eb_n0_db, blocks) in [(2.0, 20), (3.0, 100)] {
        let mut random = Random(32);
        let mut wrong = 0u64;
        for _ in 0..blocks {
            let octets = random.octets(8000);
            let decoded = through_viterbi(&octets, eb_n0_db - 10.0 * 2f64.log10(), &mut random);
            wrong += octets.iter().zip(&decoded).map(|(one, other)| u64::from((one ^ other).count_ones())).sum::<u64>();
        }
        // Wrong bits come in events of some six, which are what is independent.
        let (events, of) = (wrong / 6, blocks * 64_000 / 6);
        assert_on_curve("K = 7, rate 1/2", (events, of), eb_n0_db, 0.0, |at| Curve::Convolutional.bit_error_ratio(at));
    }
}

#[test]
fn concatenated_words_fail_as_their_curve_has_it() {
    let outer = Interleaved::new(ReedSolomon::new(reed_solomon::Code::E16), Depth::try_from(5).unwrap());
    let ratio_db = 10.0 * (0.5 * 223.0 / 255.0f64).log10();
    for (eb_n0_db, frames) in [(1.9, 60), (2.1, 150)] {
        let mut random = Random(33);
        let mut lost = 0;
        for _ in 0..frames {
            let (data, mut block) = (random.octets(outer.data_len()), Vec::new());
            outer.encode(&data, &mut block).unwrap();
            let mut received = through_viterbi(&block, eb_n0_db + ratio_db, &mut random);
            let _ = outer.decode(&mut received);
            let word_is_wrong = |word: usize| (word..data.len()).step_by(5).any(|at| received[at] != data[at]);
            lost += (0..5).filter(|word| word_is_wrong(*word)).count() as u64;
        }
        let curve = Curve::Concatenated { interleaving: 5 };
        assert_on_curve("concatenated, depth 5", (lost, frames * 5), eb_n0_db, 0.0, |at| {
            curve.word_error_rate(at).expect("a code with words")
        });
    }
}
