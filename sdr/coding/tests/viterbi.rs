//! The Viterbi decoder against a plain textbook one, over random and hostile symbols, and its fast path against its portable one.

use farlink_coding::convolutional::{DEPTH, Encoder, End, Rate, SegmentError, Viterbi, node_sync};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What symbols a textbook decoder needs: pairs, with erasures where the puncturing left something out, as wide integers.
fn pairs(symbols: &[i8], rate: Rate) -> Vec<[i64; 2]> {
    let mut symbols = symbols.iter().map(|symbol| i64::from(*symbol));
    let mut all = Vec::new();
    'symbols: loop {
        for sent in rate.pattern().chunks(2) {
            let mut pair = [0; 2];
            for (place, sent) in pair.iter_mut().zip(sent) {
                if *sent {
                    match symbols.next() {
                        Some(symbol) => *place = symbol,
                        None => break 'symbols,
                    }
                }
            }
            if rate == Rate::Half {
                pair[1] = -pair[1];
            }
            all.push(pair);
        }
    }
    all
}

/// The better predecessor of each state after each step, and all metrics, with nothing shifted and nothing bounded.
struct Trellis {
    oldest: Vec<[bool; 64]>,
    metrics: Vec<[i64; 64]>,
}

impl Trellis {
    fn new(pairs: &[[i64; 2]], start: Option<usize>) -> Self {
        let mut metrics = [if start.is_some() { -1_000_000 } else { 0 }; 64];
        metrics[start.unwrap_or(0)] = 0;
        let mut trellis = Trellis { oldest: Vec::new(), metrics: vec![metrics] };
        for pair in pairs {
            let before = *trellis.metrics.last().unwrap();
            let mut oldest = [false; 64];
            for state in 0..64usize {
                let gain = |from: usize| {
                    // The register of seven stages, the newest bit first, and the taps as the standard writes them.
                    let stages = from << 1 | state & 1;
                    let symbol = |taps: u32| {
                        let parity =
                            (0..7).filter(|delay| taps >> (6 - delay) & 1 == 1 && stages >> delay & 1 == 1).count() % 2;
                        1 - 2 * parity as i64
                    };
                    before[from] + symbol(0o171) * pair[0] + symbol(0o133) * pair[1]
                };
                let (zero, one) = (gain(state >> 1), gain(state >> 1 | 32));
                oldest[state] = one > zero;
                metrics[state] = zero.max(one);
            }
            trellis.oldest.push(oldest);
            trellis.metrics.push(metrics);
        }
        trellis
    }

    fn best(&self, step: usize) -> usize {
        let metrics = &self.metrics[step];
        metrics.iter().position(|metric| metric == metrics.iter().max().unwrap()).unwrap()
    }

    /// The bits from `from` to `to` on the path that is in this state after `step` steps.
    fn trace(&self, step: usize, mut state: usize, from: usize, to: usize) -> Vec<u8> {
        let mut bits = Vec::new();
        for at in (from..step).rev() {
            if at < to {
                bits.push((state & 1) as u8);
            }
            state = state >> 1 | if self.oldest[at][state] { 32 } else { 0 };
        }
        bits.reverse();
        bits
    }
}

/// What a decoder with this length of segments shall give.
fn textbook(symbols: &[i8], rate: Rate, segment: usize, start: Option<usize>, end: End) -> Vec<u8> {
    let pairs = pairs(symbols, rate);
    let trellis = Trellis::new(&pairs, start);
    let mut bits = Vec::new();
    while bits.len() + 2 * segment + DEPTH <= pairs.len() {
        for _ in 0..2 {
            let (from, to) = (bits.len(), bits.len() + segment);
            bits.extend(trellis.trace(to + DEPTH, trellis.best(to + DEPTH), from, to));
        }
    }
    let state = match end {
        End::Unknown => trellis.best(pairs.len()),
        End::Zero => 0,
        End::State(state) => usize::from(state),
    };
    bits.extend(trellis.trace(pairs.len(), state, bits.len(), pairs.len()));
    bits
}

fn unpack(octets: &[u8], bits: usize) -> Vec<u8> {
    (0..bits).map(|at| octets[at / 8] >> (7 - at % 8) & 1).collect()
}

/// Both engines, fed in pieces.
fn decoded(
    symbols: &[i8],
    rate: Rate,
    segment: usize,
    start: Option<usize>,
    end: End,
    pieces: &[usize],
) -> [Vec<u8>; 2] {
    [Viterbi::new(rate), Viterbi::portable(rate)].map(|decoder| {
        let mut decoder = decoder.with_segment(segment).unwrap();
        if let Some(start) = start {
            decoder = decoder.starting_at(start as u8);
        }
        let mut octets = Vec::new();
        let mut rest = symbols;
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            decoder.decode(now, &mut octets);
            rest = later;
        }
        let settled = octets.len() * 8;
        let count = decoder.finish(end, &mut octets);
        assert_eq!(octets.len(), (settled + count).div_ceil(8));
        unpack(&octets, settled + count)
    })
}

/// Symbols of some kind: coded with noise, noise alone, extremes only, few values with many ties, erasures.
fn symbols(seed: u64, kind: u8, rate: Rate, count: usize) -> Vec<i8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let data: Vec<u8> = (0..count / 8 + 2).map(|_| random.random()).collect();
    let mut sent = Vec::new();
    Encoder::new(rate).encode(&data, &mut sent);
    let mut symbol = |sent: u8| -> i8 {
        let sign = 1 - 2 * i32::from(sent);
        match kind % 6 {
            0 => (sign * 40 + random.random_range(-60..=60)) as i8,
            1 => random.random(),
            2 => *[i8::MIN, i8::MAX, -127].get(random.random_range(0..3)).unwrap(),
            3 => random.random_range(-1..=1),
            4 => i8::MIN,
            _ => (sign * 127) as i8,
        }
    };
    let mut all: Vec<i8> = sent.into_iter().map(&mut symbol).collect();
    // Symbol erasures, in bursts.
    if seed.is_multiple_of(3) {
        let begin = random.random_range(0..all.len());
        let end = (begin + random.random_range(0..300)).min(all.len());
        all[begin..end].fill(0);
    }
    all.truncate(count);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn both_engines_give_what_the_textbook_gives(
        seed: u64,
        kind: u8,
        rate in prop::sample::select(&Rate::ALL),
        count in 0usize..3000,
        segment in prop::sample::select(&[64usize, 192, 1024]),
        start in prop::option::of(0usize..64),
        end in prop_oneof![Just(End::Unknown), Just(End::Zero), (0u8..64).prop_map(End::State)],
        pieces in prop::collection::vec(1usize..700, 1..8),
    ) {
        let symbols = symbols(seed, kind, rate, count);
        // Whole periods: what becomes of a symbol without its partner is told apart.
        let symbols = &symbols[..symbols.len() / rate.period_symbols() * rate.period_symbols()];
        let expected = textbook(symbols, rate, segment, start, end);
        let [fast, portable] = decoded(symbols, rate, segment, start, end, &pieces);
        prop_assert_eq!(&fast, &portable);
        prop_assert_eq!(&fast, &expected);
    }
}

#[test]
fn a_lone_symbol_counts_as_if_its_partner_had_been_erased() {
    let symbols = symbols(7, 0, Rate::Half, 401);
    let erased = [&symbols[..], &[0]].concat();
    let decode = |symbols: &[i8]| Viterbi::new(Rate::Half).starting_at(0).decode_block(symbols, End::Unknown);
    assert_eq!(decode(&symbols), decode(&erased));
    assert_eq!(decode(&symbols).1, 201);
}

#[test]
fn no_symbols_are_no_bits() {
    assert_eq!(Viterbi::new(Rate::Half).decode_block(&[], End::Unknown), (vec![], 0));
    assert_eq!(Viterbi::new(Rate::Half).take_quality().disagreement(), None);
}

#[test]
fn a_segment_that_is_no_multiple_of_64_is_refused_with_what_would_do() {
    for bits in [0, 1, 100, 65_600] {
        let refused = Viterbi::new(Rate::Half).with_segment(bits).map(|_| ());
        assert_eq!(refused, Err(SegmentError(bits)));
    }
    let said = SegmentError(100).to_string();
    assert_eq!(said, "a segment of 100 bits: it must be a multiple of 64 from 64 to 65536");
}

#[test]
fn a_complemented_stream_decodes_to_complemented_bits() {
    for rate in Rate::ALL {
        let sent = symbols(1, 5, rate, 2000);
        let inverted: Vec<i8> = sent.iter().map(|symbol| -symbol).collect();
        let (bits, _) = Viterbi::new(rate).decode_block(&sent, End::Unknown);
        let (complement, _) = Viterbi::new(rate).decode_block(&inverted, End::Unknown);
        // The first six bits of either are before what is known of the encoder's register.
        assert!(bits[1..bits.len() - 1].iter().zip(&complement[1..]).all(|(one, other)| one == &!other), "{rate}");
    }
}

#[test]
fn a_decoder_is_as_new_after_finish() {
    let symbols = symbols(4, 0, Rate::ThreeQuarters, 1001);
    let mut decoder = Viterbi::new(Rate::ThreeQuarters);
    let first = decoder.decode_block(&symbols, End::Unknown);
    let mut octets = Vec::new();
    decoder.decode(&symbols[..77], &mut octets);
    decoder.finish(End::Unknown, &mut octets);
    assert_eq!(decoder.decode_block(&symbols, End::Unknown), first);
}

#[test]
fn node_synchronisation_finds_phase_and_inversion() {
    for rate in Rate::ALL {
        // About one symbol in fifteen wrong at rate 1/2, and one in a hundred at the others.
        let noise = if rate == Rate::Half { 46 } else { 41 };
        for inverted in [false, true] {
            if inverted && rate != Rate::Half {
                continue;
            }
            for skip in 0..rate.period_symbols() {
                let mut random = ChaCha8Rng::seed_from_u64(skip as u64);
                let mut sent = symbols(31, 5, rate, 6000);
                sent.iter_mut().for_each(|symbol| {
                    *symbol = (symbol.signum() * 40).saturating_add(random.random_range(-noise..=noise))
                });
                if inverted {
                    sent.iter_mut().skip(1).step_by(2).for_each(|symbol| *symbol = -*symbol);
                }
                let found = node_sync(&sent[skip..], rate);
                let offset = (rate.period_symbols() - skip) % rate.period_symbols();
                assert_eq!((found[0].offset, found[0].second_inverted), (offset, inverted), "{rate}: {found:?}");
                assert!(found[1].disagreement > 1.2 * found[0].disagreement, "{rate}: {found:?}");
            }
        }
    }
    assert!(node_sync(&[0; 10_000], Rate::Half).is_empty());
    assert!(node_sync(&[1; 127], Rate::Half).is_empty());
}

#[test]
fn disagreement_is_the_share_of_confidence_that_was_wrong() {
    let mut sent = symbols(1, 5, Rate::Half, 4000);
    // One symbol in twenty wrong, at half its confidence.
    sent.iter_mut().skip(10).step_by(20).for_each(|symbol| *symbol = -*symbol / 2);
    let mut decoder = Viterbi::new(Rate::Half);
    decoder.decode_block(&sent, End::Unknown);
    let quality = decoder.take_quality();
    let wrong: u64 = sent.iter().skip(10).step_by(20).map(|symbol| u64::from(symbol.unsigned_abs())).sum();
    let all: u64 = sent.iter().map(|symbol| u64::from(symbol.unsigned_abs())).sum();
    assert_eq!((quality.confidence, quality.contradicted), (all, wrong));
}
