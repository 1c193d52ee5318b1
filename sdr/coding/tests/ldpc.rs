//! The LDPC codes against another implementation, and what they correct.

mod support;

use farlink_coding::ldpc::{Code, Decoder, Encoder, LdpcError, Length, Rate};
use labrador_ldpc::LDPCCode;
use support::{Random, clean, wilson};

const HALF: Code = Code::Ar4ja(Rate::Half, Length::K1024);

/// The other implementation's name of a code. It has none of 16384 bits.
fn other(code: Code) -> Option<LDPCCode> {
    Some(match code {
        Code::Tc128 => LDPCCode::TC128,
        Code::Tc512 => LDPCCode::TC512,
        Code::Ar4ja(_, Length::K16384) => return None,
        Code::Ar4ja(Rate::Half, Length::K1024) => LDPCCode::TM2048,
        Code::Ar4ja(Rate::TwoThirds, Length::K1024) => LDPCCode::TM1536,
        Code::Ar4ja(Rate::FourFifths, Length::K1024) => LDPCCode::TM1280,
        Code::Ar4ja(Rate::Half, Length::K4096) => LDPCCode::TM8192,
        Code::Ar4ja(Rate::TwoThirds, Length::K4096) => LDPCCode::TM6144,
        Code::Ar4ja(Rate::FourFifths, Length::K4096) => LDPCCode::TM5120,
    })
}

/// It encodes with the generator matrices of the books, we by solving the parity checks.
#[test]
fn codewords_are_those_of_another_encoder() {
    let mut random = Random(1);
    let mut compared = 0;
    for code in Code::ALL {
        let Some(other) = other(code) else { continue };
        let encoder = Encoder::new(code);
        for _ in 0..20 {
            let information = random.octets(code.information_octets());
            let mut theirs = vec![0; code.codeword_octets()];
            other.copy_encode(&information, &mut theirs);
            assert_eq!(encoder.encode(&information).unwrap(), theirs, "{code:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 8 * 20);
}

#[test]
fn parity_checks_are_those_of_another_implementation() {
    for code in Code::ALL {
        let Some(other) = other(code) else { continue };
        let ours = code.checks();
        let mut theirs = vec![Vec::new(); ours.len()];
        for (check, bit) in other.iter_paritychecks() {
            theirs[check].push(bit);
        }
        for (check, (mut ours, mut theirs)) in ours.into_iter().zip(theirs).enumerate() {
            ours.sort_unstable();
            theirs.sort_unstable();
            assert_eq!(ours, theirs, "{code:?}, check {check}");
        }
    }
}

/// Also of the codes that no one else at hand has: every check is met by every codeword.
#[test]
fn every_codeword_meets_every_check_and_comes_back() {
    let mut random = Random(2);
    for code in Code::ALL {
        let encoder = Encoder::new(code);
        let mut decoder = Decoder::new(code, 20);
        let checks = code.checks();
        for _ in 0..3 {
            let information = random.octets(code.information_octets());
            let codeword = encoder.encode(&information).unwrap();
            assert_eq!(codeword[..information.len()], information, "{code:?} is systematic");
            if matches!(code, Code::Tc128 | Code::Tc512) {
                let bit = |at: usize| codeword[at / 8] << (at % 8) & 0x80 != 0;
                assert!(checks.iter().all(|check| !check.iter().fold(false, |sum, &at| sum ^ bit(at))), "{code:?}");
            }
            let mut decoded = vec![0; information.len()];
            decoder.decode(&clean(&codeword, 127), &mut decoded).unwrap();
            assert_eq!(decoded, information, "{code:?}");
        }
    }
}

#[test]
fn the_portable_path_gives_the_same_answers() {
    let mut random = Random(3);
    for code in Code::ALL {
        let encoder = Encoder::new(code);
        let (mut fast, mut portable) = (Decoder::new(code, 8), Decoder::new(code, 8).portable());
        // Around the threshold, so that some are decoded, late and early, and some are not.
        let es_n0_db = 10.0 * code.rate().log10() + 2.0 * code.rate() + 0.6;
        let rounds = if code.information_bits() > 4096 { 3 } else { 12 };
        for scale in [3.0, 30.0, 90.0] {
            for _ in 0..rounds {
                let codeword = encoder.encode(&random.octets(code.information_octets())).unwrap();
                let soft = random.soft(&codeword, es_n0_db, scale);
                let mut found = [vec![0; code.information_octets()], vec![0; code.information_octets()]];
                let results = [fast.decode(&soft, &mut found[0]), portable.decode(&soft, &mut found[1])];
                assert_eq!(results[0], results[1], "{code:?} at {scale}");
                assert_eq!(found[0], found[1], "{code:?} at {scale}");
            }
        }
    }
}

#[test]
fn what_cannot_be_decoded_is_not_claimed() {
    let mut random = Random(4);
    for code in Code::ALL {
        let mut decoder = Decoder::new(code, 20);
        let mut information = vec![0; code.information_octets()];
        let erased = vec![0; code.codeword_bits()];
        let result = decoder.decode(&erased, &mut information);
        assert!(matches!(result, Err(LdpcError::NoCodeword { unmet: 1.., .. })), "{code:?} of erasures: {result:?}");
        let noise: Vec<i8> = (0..code.codeword_bits()).map(|_| random.next() as i8).collect();
        let result = decoder.decode(&noise, &mut information);
        assert!(matches!(result, Err(LdpcError::NoCodeword { unmet: 1.., .. })), "{code:?} of noise: {result:?}");
        for extreme in [i8::MIN, i8::MAX] {
            // All ones is no codeword of the longer codes; all zeros is one of every linear code.
            let result = decoder.decode(&vec![extreme; code.codeword_bits()], &mut information);
            assert!(result.is_ok() || extreme == i8::MIN, "{code:?}: {result:?}");
        }
        let short = decoder.decode(&erased[1..], &mut information);
        let (expected, found) = (code.codeword_bits(), code.codeword_bits() - 1);
        assert_eq!(short, Err(LdpcError::Size { what: "soft symbols", expected, found }));
    }
    let error = Encoder::new(HALF).encode(&[0; 127]).unwrap_err();
    assert_eq!(error.to_string(), "octets of information: 127, but the code has 128");
}

#[test]
fn a_quarter_of_erasures_is_filled_in() {
    let mut random = Random(5);
    let (encoder, mut decoder) = (Encoder::new(HALF), Decoder::new(HALF, 50));
    let information = random.octets(128);
    let mut soft = clean(&encoder.encode(&information).unwrap(), 1);
    soft.iter_mut().for_each(|s| *s *= i8::from(!random.next().is_multiple_of(4)));
    let mut decoded = vec![0; 128];
    decoder.decode(&soft, &mut decoded).unwrap();
    assert_eq!(decoded, information);
}

/// Frames lost of so many, at this Eb/N0.
fn lost(code: Code, eb_n0_db: f64, iterations: u32, frames: u64, seed: u64) -> (u64, u64) {
    let mut random = Random(seed);
    let (encoder, mut decoder) = (Encoder::new(code), Decoder::new(code, iterations));
    let (mut lost, mut wrong) = (0, 0);
    let mut decoded = vec![0; code.information_octets()];
    for _ in 0..frames {
        let information = random.octets(code.information_octets());
        let codeword = encoder.encode(&information).unwrap();
        let soft = random.soft(&codeword, eb_n0_db + 10.0 * code.rate().log10(), 24.0);
        match decoder.decode(&soft, &mut decoded) {
            Ok(_) => wrong += u64::from(decoded != information),
            Err(_) => lost += 1,
        }
    }
    (lost + wrong, wrong)
}

/// As [`lost`], of the other implementation's min-sum decoder with floats.
fn lost_by_other(code: Code, eb_n0_db: f64, iterations: usize, frames: u64, seed: u64) -> u64 {
    let other = other(code).expect("a code that it has");
    let mut random = Random(seed);
    let encoder = Encoder::new(code);
    let mut out = vec![0; other.output_len()];
    let mut working = vec![0f32; other.decode_ms_working_len()];
    let mut octets = vec![0; other.decode_ms_working_u8_len()];
    let mut lost = 0;
    for _ in 0..frames {
        let information = random.octets(code.information_octets());
        let codeword = encoder.encode(&information).unwrap();
        let soft = random.bpsk(&codeword, eb_n0_db + 10.0 * code.rate().log10(), 1.0);
        let soft: Vec<f32> = soft.into_iter().map(|s| s as f32).collect();
        let (decoded, _) = other.decode_ms(&soft, &mut out, &mut working, &mut octets, iterations);
        lost += u64::from(!decoded || out[..information.len()] != information);
    }
    lost
}

/// Eight bits lose nothing against floats: with the same iterations the share of frames lost is not above the other
/// decoder's, by five deviations of both.
#[test]
fn no_more_frames_are_lost_than_by_another_decoder() {
    for (code, eb_n0_db, frames) in [
        (Code::Tc128, 3.0, 2000),
        (Code::Tc512, 2.5, 500),
        (HALF, 1.75, 150),
        (Code::Ar4ja(Rate::FourFifths, Length::K1024), 3.25, 150),
    ] {
        let ours = lost(code, eb_n0_db, 20, frames, 11).0;
        let theirs = lost_by_other(code, eb_n0_db, 20, frames, 11);
        let (least, _) = wilson(ours, frames, 3.5);
        let (_, most) = wilson(theirs, frames, 3.5);
        println!("{code:?} at {eb_n0_db} dB: {ours} of {frames} lost, {theirs} by the other");
        assert!(theirs > 0, "{code:?}: there is noise enough to lose some");
        assert!(least <= most, "{code:?} at {eb_n0_db} dB: {ours} of {frames} lost, {theirs} by the other");
    }
}

/// The shares that the decoder was measured to lose with 50 iterations over 10,000 frames, within what chance gives at 4.4 deviations,
/// once in 1e5: a change of the decoder in either direction shows.
#[test]
fn frames_are_lost_as_measured() {
    let four_fifths = Code::Ar4ja(Rate::FourFifths, Length::K1024);
    for (code, eb_n0_db, frames, measured) in [
        (HALF, 1.0, 300, 0.2665),
        (HALF, 1.3, 900, 0.0347),
        (Code::Tc128, 2.5, 1500, 0.1447),
        (Code::Tc128, 3.5, 3000, 0.0150),
        (Code::Tc512, 2.5, 1500, 0.0249),
        (four_fifths, 2.8, 300, 0.1944),
        (four_fifths, 3.2, 1500, 0.0151),
    ] {
        let (errors, _) = lost(code, eb_n0_db, 50, frames, 13);
        let (least, most) = wilson(errors, frames, 4.4);
        assert!((least..=most).contains(&measured), "{code:?} at {eb_n0_db} dB: {errors} of {frames}, not {measured}");
    }
}
