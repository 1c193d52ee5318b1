//! The Reed–Solomon codes: what they correct, what they refuse, and that vector instructions change nothing.

use farlink_coding::reed_solomon::{
    Basis, Code, DecodeError, Depth, DepthError, FailedBlock, Interleaved, ReedSolomon, UseError,
};
use proptest::prelude::*;
use rand::seq::index::sample;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn code(which: Code, basis: Basis, fill: usize) -> ReedSolomon {
    ReedSolomon::new(which).with_basis(basis).with_fill(fill).unwrap()
}

fn block(code: &ReedSolomon, random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut block = vec![0; code.block_len()];
    let (data, parity) = block.split_at_mut(code.data_len());
    random.fill_bytes(data);
    code.encode(data, parity).unwrap();
    block
}

/// Adds something other than zero to each of these symbols.
fn spoil(block: &mut [u8], places: impl IntoIterator<Item = usize>, random: &mut ChaCha8Rng) {
    places.into_iter().for_each(|place| block[place] ^= random.random_range(1..=255u8));
}

/// Whether this is a code word, by the encoder.
fn is_code_word(code: &ReedSolomon, block: &[u8]) -> bool {
    let (data, parity) = block.split_at(code.data_len());
    let mut again = vec![0; parity.len()];
    code.encode(data, &mut again).unwrap();
    again == parity
}

fn any_code() -> impl Strategy<Value = ReedSolomon> {
    let which = prop::sample::select(&[Code::E16, Code::E8]);
    let basis = prop::sample::select(&[Basis::Dual, Basis::Conventional]);
    let fill = prop_oneof![Just(0usize), 0usize..239];
    (which, basis, fill).prop_map(|(which, basis, fill)| code(which, basis, fill.min(which.data() - 1)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn errors_and_erasures_within_the_power_are_corrected(code in any_code(), seed: u64) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let sent = block(&code, &mut random);
        prop_assert!(is_code_word(&code, &sent));
        let power = code.parity_len();
        let erased = random.random_range(0..=power.min(sent.len()));
        let errors = random.random_range(0..=((power - erased) / 2).min(sent.len() - erased));
        let places: Vec<usize> = sample(&mut random, sent.len(), erased + errors).into_vec();
        let mut received = sent.clone();
        // An erased symbol may be right.
        let wrong: Vec<usize> = places.iter().enumerate().filter(|(at, _)| *at >= erased || at % 3 > 0).map(|(_, p)| *p).collect();
        spoil(&mut received, wrong.iter().copied(), &mut random);
        let mut again = received.clone();
        prop_assert_eq!(code.decode_with_erasures(&mut received, &places[..erased]), Ok(wrong.len()));
        prop_assert_eq!(&received, &sent);
        prop_assert_eq!(code.portable().decode_with_erasures(&mut again, &places[..erased]), Ok(wrong.len()));
        prop_assert_eq!(&again, &sent);
    }

    #[test]
    fn whatever_comes_becomes_a_code_word_nearby_or_stays_as_it_was(code in any_code(), seed: u64, kind in 0u8..4) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let power = code.parity_len();
        let mut received = block(&code, &mut random);
        let count = match kind {
            // Just beyond the power, far beyond it, and noise.
            0 => power / 2 + random.random_range(1..=3usize),
            1 => random.random_range(power / 2..=power * 2),
            _ => received.len(),
        };
        let places = sample(&mut random, received.len(), count.min(received.len())).into_vec();
        spoil(&mut received, places, &mut random);
        if kind == 3 {
            let value = random.random();
            received.fill(value);
        }
        let erased = if seed % 2 == 0 { 0 } else { random.random_range(0..=power + 3) };
        let erasures: Vec<usize> = sample(&mut random, received.len(), erased.min(received.len())).into_vec();
        let before = received.clone();
        let mut again = received.clone();
        let result = code.decode_with_erasures(&mut received, &erasures);
        prop_assert_eq!(code.portable().decode_with_erasures(&mut again, &erasures), result);
        prop_assert_eq!(&again, &received);
        let changed: Vec<usize> = (0..before.len()).filter(|at| before[*at] != received[*at]).collect();
        match result {
            Ok(count) => {
                prop_assert!(is_code_word(&code, &received));
                prop_assert_eq!(changed.len(), count);
                let errors = changed.iter().filter(|place| !erasures.contains(place)).count();
                prop_assert!(2 * errors + erasures.len() <= power);
            }
            Err(error) => {
                prop_assert_eq!(error, DecodeError::Uncorrectable);
                prop_assert!(changed.is_empty());
            }
        }
    }

    #[test]
    fn interleaving_spreads_a_burst(
        which in prop::sample::select(&[Code::E16, Code::E8]),
        depth in prop::sample::select(&[1usize, 2, 3, 4, 5, 8]),
        fill in 0usize..200,
        seed: u64,
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let inner = code(which, Basis::Dual, fill);
        let code = Interleaved::new(inner, Depth::try_from(depth).unwrap());
        let mut data = vec![0; code.data_len()];
        random.fill_bytes(&mut data);
        let mut sent = Vec::new();
        code.encode(&data, &mut sent).unwrap();
        prop_assert_eq!(sent.len(), code.block_len());
        for word in 0..depth {
            let symbols: Vec<u8> = sent.iter().skip(word).step_by(depth).copied().collect();
            prop_assert!(is_code_word(&inner, &symbols));
        }
        let burst = depth * which.parity() / 2;
        let begin = random.random_range(0..=sent.len() - burst);
        let mut received = sent.clone();
        spoil(&mut received, begin..begin + burst, &mut random);
        prop_assert_eq!(code.decode(&mut received), Ok(burst));
        prop_assert_eq!(&received, &sent);
        // Known to be worthless, a burst may be twice as long.
        let begin = random.random_range(0..=sent.len() - 2 * burst);
        let burst: Vec<usize> = (begin..begin + 2 * burst).collect();
        spoil(&mut received, burst.iter().copied(), &mut random);
        prop_assert_eq!(code.decode_with_erasures(&mut received, &burst), Ok(burst.len()));
        prop_assert_eq!(&received, &sent);
    }
}

#[test]
fn a_code_word_that_fails_leaves_the_others_corrected() {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let code = Interleaved::new(ReedSolomon::new(Code::E16), Depth::try_from(4).unwrap());
    let data = vec![0x5a; code.data_len()];
    let mut sent = Vec::new();
    code.encode(&data, &mut sent).unwrap();
    let mut received = sent.clone();
    spoil(&mut received, (0..40).map(|at| 4 * at + 2), &mut random);
    spoil(&mut received, [8, 44, 101], &mut random);
    let spoilt = received.clone();
    let failed = FailedBlock::Uncorrectable { failed: 1, of: 4, corrected: 3 };
    assert_eq!(code.decode(&mut received), Err(failed));
    assert_eq!(failed.to_string(), "1 of 4 code words have more wrong symbols than the code can correct");
    for (at, octet) in received.iter().enumerate() {
        assert_eq!(*octet, if at % 4 == 2 { spoilt[at] } else { sent[at] });
    }
}

#[test]
fn a_root_in_the_virtual_fill_is_a_failure() {
    // A code word of the unshortened code whose data begin with something else than zero, read as one of the shortened code.
    let full = code(Code::E16, Basis::Conventional, 0);
    let short = code(Code::E16, Basis::Conventional, 100);
    let mut word = vec![0; 255];
    word[40] = 7;
    word[90] = 9;
    let (data, parity) = word.split_at_mut(223);
    full.encode(data, parity).unwrap();
    let mut received = word[100..].to_vec();
    for code in [short, short.portable()] {
        assert_eq!(code.decode(&mut received), Err(DecodeError::Uncorrectable));
        assert_eq!(received, word[100..]);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let said = |error: UseError| error.to_string();
    let refused = ReedSolomon::new(Code::E8).with_fill(239).unwrap_err();
    assert_eq!(
        said(refused),
        "a virtual fill of 239 symbols: the code has 239 symbols of data, and at least one must be left"
    );
    let code = ReedSolomon::new(Code::E16).with_fill(23).unwrap();
    assert_eq!((code.data_len(), code.parity_len(), code.block_len()), (200, 32, 232));
    let length = |found, expected| UseError::Length { found, expected };
    assert_eq!(code.encode(&[0; 199], &mut [0; 32]), Err(length(199, 200)));
    assert_eq!(code.encode(&[0; 200], &mut [0; 16]), Err(length(16, 32)));
    assert_eq!(said(length(16, 32)), "16 octets where this code has 32");
    assert_eq!(code.decode(&mut [0; 255]), Err(length(255, 232).into()));
    assert_eq!(code.decode(&mut []), Err(length(0, 232).into()));
    let erasure = UseError::Erasure { place: 232, length: 232 };
    assert_eq!(code.decode_with_erasures(&mut [0; 232], &[4, 232]), Err(erasure.into()));
    assert_eq!(said(erasure), "an erasure at symbol 232 of a block of 232");
    for depth in [0, 6, 7, 9, 256 + 1] {
        assert_eq!(Depth::try_from(depth), Err(DepthError(depth)));
    }
    assert_eq!(
        DepthError(6).to_string(),
        "an interleaving depth of 6: it must be 1, 2, 3, 4, 5 or 8 (CCSDS 131.0-B clause 4.3.5)"
    );
    let deep = Interleaved::new(code, Depth::try_from(2).unwrap());
    let mut block = Vec::new();
    assert_eq!(deep.encode(&[0; 401], &mut block), Err(length(401, 400)));
    assert!(block.is_empty());
    assert_eq!(deep.decode(&mut [0; 463]), Err(length(463, 464).into()));
    assert_eq!(
        deep.decode_with_erasures(&mut [0; 464], &[464]),
        Err(UseError::Erasure { place: 464, length: 464 }.into())
    );
}

#[test]
fn an_erasure_named_twice_counts_once() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let code = ReedSolomon::new(Code::E8);
    let sent = block(&code, &mut random);
    let mut received = sent.clone();
    spoil(&mut received, 0..16, &mut random);
    let erasures: Vec<usize> = (0..16).chain(0..16).collect();
    assert_eq!(code.decode_with_erasures(&mut received, &erasures), Ok(16));
    assert_eq!(received, sent);
    let many: Vec<usize> = (0..17).collect();
    assert_eq!(code.decode_with_erasures(&mut received, &many), Err(DecodeError::Uncorrectable));
}
