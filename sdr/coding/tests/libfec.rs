//! Against libfec (Phil Karn's, in C, a process of its own): what one encodes the other decodes.

mod peer;

use farlink_coding::convolutional::{Encoder, End, Rate, Viterbi};
use farlink_coding::reed_solomon::{Basis, Code, ReedSolomon};
use peer::Libfec;
use rand::seq::index::sample;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn codes() -> [(&'static str, ReedSolomon); 3] {
    [
        ("ccsds", ReedSolomon::new(Code::E16)),
        ("conventional", ReedSolomon::new(Code::E16).with_basis(Basis::Conventional)),
        ("e8", ReedSolomon::new(Code::E8).with_basis(Basis::Conventional)),
    ]
}

#[test]
fn both_bases_are_those_of_libfec() {
    let tables = Libfec::build().unwrap().run(&["tables"], &[]).unwrap();
    let (to_dual, from_dual) = tables.split_at(256);
    let [(_, dual), (_, conventional), _] = codes();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut data = [0; 223];
    for _ in 0..20 {
        random.fill_bytes(&mut data);
        let (mut parity, mut expected) = ([0; 32], [0; 32]);
        dual.encode(&data, &mut parity).unwrap();
        conventional.encode(&data.map(|symbol| from_dual[usize::from(symbol)]), &mut expected).unwrap();
        assert_eq!(parity, expected.map(|symbol| to_dual[usize::from(symbol)]));
    }
}

#[test]
fn reed_solomon_blocks_are_the_same() {
    let libfec = Libfec::build().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for (name, code) in codes() {
        for fill in [0, 1, 100, 200] {
            let code = code.with_fill(fill).unwrap();
            let mut data = vec![0; 50 * code.data_len()];
            random.fill_bytes(&mut data);
            let mut ours = Vec::new();
            for data in data.chunks_exact(code.data_len()) {
                let mut parity = vec![0; code.parity_len()];
                code.encode(data, &mut parity).unwrap();
                ours.extend_from_slice(data);
                ours.extend_from_slice(&parity);
            }
            let theirs = libfec.run(&["rs-encode", name, &fill.to_string()], &data).unwrap();
            assert_eq!(theirs.len(), 50 * code.block_len());
            assert_eq!(ours, theirs, "{name}, virtual fill {fill}");
        }
    }
}

/// Blocks with errors and erasures, up to the code's power and beyond it.
#[test]
fn reed_solomon_decoders_correct_the_same() {
    let libfec = Libfec::build().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for (name, code) in codes() {
        for (fill, erased) in [(0, 0), (0, 5), (90, 0), (90, 8), (0, 16)] {
            let code = code.with_fill(fill).unwrap();
            let power = (code.parity_len() - erased) / 2;
            let mut input = Vec::new();
            let mut cases = Vec::new();
            for turn in 0..60 {
                let errors = turn % (power + 3);
                let mut sent = vec![0; code.block_len()];
                let (data, parity) = sent.split_at_mut(code.data_len());
                random.fill_bytes(data);
                code.encode(data, parity).unwrap();
                let mut received = sent.clone();
                let places: Vec<usize> = sample(&mut random, sent.len(), erased + errors).into_vec();
                places.iter().for_each(|place| received[*place] ^= random.random_range(1..=255u8));
                input.extend(places[..erased].iter().map(|place| *place as u8));
                input.extend_from_slice(&received);
                cases.push((sent, received, places, errors));
            }
            let (fill, erased_text) = (fill.to_string(), erased.to_string());
            let output = libfec.run(&["rs-decode", name, &fill, &erased_text], &input).unwrap();
            assert_eq!(output.len(), cases.len() * (1 + code.block_len()));
            for (theirs, (sent, mut received, places, errors)) in output.chunks_exact(1 + code.block_len()).zip(cases) {
                let ours = code.decode_with_erasures(&mut received, &places[..erased]);
                if errors <= power {
                    assert_eq!(ours, Ok(errors + erased), "{name}, {erased} erasures");
                    assert_eq!(received, sent);
                    assert_eq!(
                        usize::from(theirs[0]),
                        errors + erased,
                        "{name}, virtual fill {fill}, {erased} erasures"
                    );
                    assert_eq!(&theirs[1..], sent);
                } else {
                    assert_eq!(ours.is_err(), theirs[0] == 255, "{name}, {erased} erasures, {errors} errors");
                }
            }
        }
    }
}

#[test]
fn libfec_decodes_our_convolutional_code_and_finds_the_same_path() {
    let libfec = Libfec::build().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(4);
    for noise in [0, 44, 52] {
        let mut data = vec![0; 5000];
        random.fill_bytes(&mut data);
        // Its block ends with the state that it is told: six zeros, and two more that fill the octet.
        data.push(0);
        let mut sent = Vec::new();
        Encoder::new(Rate::Half).encode(&data, &mut sent);
        let soft: Vec<i8> = sent
            .iter()
            .map(|symbol| {
                let noise = random.random_range(-noise..=noise) + random.random_range(-noise..=noise);
                // An even number, so that libfec's scale without a zero loses nothing that decides.
                ((if *symbol == 0 { 50i32 } else { -50 }) + noise).clamp(-127, 127) as i8
            })
            .collect();
        // All symbols but those of the last two bits, which are behind the tail that libfec expects.
        let soft = &soft[..soft.len() - 4];
        let offset: Vec<u8> = soft.iter().map(|symbol| (127 - i16::from(*symbol)) as u8).collect();
        let theirs = libfec.run(&["viterbi", "0"], &offset).unwrap();
        let (ours, count) = Viterbi::new(Rate::Half).starting_at(0).decode_block(soft, End::Zero);
        assert_eq!((theirs.len(), count), (5000, 40_006));
        let wrong =
            |octets: &[u8]| -> u32 { octets.iter().zip(&data).map(|(one, other)| (one ^ other).count_ones()).sum() };
        if noise == 0 {
            assert_eq!((wrong(&theirs), wrong(&ours[..5000])), (0, 0));
        } else {
            // libfec rounds its branch metrics to six bits, so ours must be as good or better, but for a few paths nearly as likely.
            let (theirs, ours) = (wrong(&theirs), wrong(&ours[..5000]));
            assert!(
                f64::from(ours) <= 1.1 * f64::from(theirs) + 20.0,
                "noise {noise}: {ours} bits wrong, with libfec {theirs}"
            );
            assert!(ours < 4000, "noise {noise}: {ours} bits wrong");
        }
    }
}
