//! The statistics of bursts.

mod support;

use farlink_channel_models::Errors;
use farlink_channel_models::errors::{Bursts, ErrorModel};
use support::{agrees, send, stream};

fn errors(bursts: Bursts, seed: u64) -> Errors {
    Errors::new(&[ErrorModel::Bursts(bursts)], seed).unwrap()
}

/// Mean of some lengths.
fn mean(lengths: &[u64]) -> f64 {
    lengths.iter().sum::<u64>() as f64 / lengths.len() as f64
}

/// Standard deviation of the mean of `count` geometric lengths of mean `length`.
fn deviation(length: f64, count: usize) -> f64 {
    ((length * length - length) / count as f64).sqrt()
}

/// Lengths of bursts and gaps where every bit of a burst is wrong and no other; the ends of the stream are left out.
fn lengths(flips: &[u64]) -> (Vec<u64>, Vec<u64>) {
    let runs: Vec<&[u64]> = flips.chunk_by(|a, b| a + 1 == *b).collect();
    let whole = &runs[1..runs.len() - 1];
    let gaps = whole.windows(2).map(|pair| pair[1][0] - pair[0][pair[0].len() - 1] - 1);
    (whole.iter().map(|run| run.len() as u64).collect(), gaps.collect())
}

/// Whether a stream of bursts has the mean lengths that were asked, and their law.
fn as_asked(asked: &Bursts, flips: &[u64]) -> bool {
    let (bursts, gaps) = lengths(flips);
    assert!(bursts.len() > 10_000, "{} bursts are too few to tell", bursts.len());
    // Of geometric lengths a share of 1 in the mean is 1 long, and the square of the mean is twice what it is.
    let single = 1.0 / asked.mean_burst_bits;
    let ones = bursts.iter().filter(|length| **length == 1).count() as f64 / bursts.len() as f64;
    [
        agrees("mean burst", mean(&bursts), asked.mean_burst_bits, deviation(asked.mean_burst_bits, bursts.len())),
        agrees("mean gap", mean(&gaps), asked.mean_gap_bits, deviation(asked.mean_gap_bits, gaps.len())),
        agrees("bursts of one bit", ones, single, (single * (1.0 - single) / bursts.len() as f64).sqrt()),
    ]
    .into_iter()
    .all(|fits| fits)
}

const SOLID: Bursts = Bursts { mean_burst_bits: 20.0, mean_gap_bits: 5000.0, ber_in_burst: 1.0, ber_in_gap: 0.0 };

#[test]
fn bursts_and_gaps_are_as_long_as_asked() {
    assert!(as_asked(&SOLID, &stream(&mut errors(SOLID, 1), 500_000_000)));
    let short = Bursts { mean_burst_bits: 1.5, mean_gap_bits: 3.0, ..SOLID };
    assert!(as_asked(&short, &stream(&mut errors(short, 2), 200_000)));
    let single = Bursts { mean_burst_bits: 1.0, mean_gap_bits: 100.0, ..SOLID };
    assert!(lengths(&stream(&mut errors(single, 3), 100_000)).0.iter().all(|length| *length == 1));
}

#[test]
fn the_same_check_finds_bursts_that_are_not_as_asked() {
    for wrong in [
        Bursts { mean_burst_bits: 20.5, ..SOLID },
        Bursts { mean_gap_bits: 5100.0, ..SOLID },
        Bursts { mean_burst_bits: 19.5, ..SOLID },
    ] {
        assert!(!as_asked(&SOLID, &stream(&mut errors(wrong, 1), 500_000_000)), "{wrong:?} passed for {SOLID:?}");
    }
}

#[test]
fn the_ratio_over_all_is_that_of_both_states() {
    let check = |asked: &Bursts, used: Bursts, bits: u64| {
        let flips = stream(&mut errors(used, 5), bits).len() as f64;
        // The sum over a two-state chain: that of independent bits, and twice the sum of the correlations that states leave.
        let Bursts { mean_burst_bits: l, mean_gap_bits: g, ber_in_burst: b, ber_in_gap: o } = *asked;
        let (p, memory) = (asked.mean_ber(), 1.0 - 1.0 / l - 1.0 / g);
        let shared = (b - o).powi(2) * l * g / (l + g).powi(2) * memory / (1.0 - memory);
        let deviation = ((p * (1.0 - p) + 2.0 * shared) / bits as f64).sqrt();
        agrees("bit error ratio", flips / bits as f64, p, deviation)
    };
    let asked = Bursts { mean_burst_bits: 100.0, mean_gap_bits: 20_000.0, ber_in_burst: 0.3, ber_in_gap: 1e-5 };
    assert!(check(&asked, asked, 1_000_000_000));
    assert!(!check(&asked, Bursts { ber_in_burst: 0.31, ..asked }, 1_000_000_000));
    assert!(!check(&asked, Bursts { ber_in_gap: 6e-5, ..asked }, 1_000_000_000));
}

#[test]
fn frames_do_not_matter() {
    let bursts = Bursts { mean_burst_bits: 30.0, mean_gap_bits: 700.0, ber_in_burst: 0.4, ber_in_gap: 1e-3 };
    let whole = stream(&mut errors(bursts, 7), 2_000_000);
    let mut length = 1;
    let pieces = send(&mut errors(bursts, 7), farlink_units::Instant::ZERO, 1000, 2_000_000, || {
        length = length * 7 % 11_933;
        length
    });
    assert_eq!(whole, pieces);
}

#[test]
fn long_gaps_cost_nothing() {
    // 10¹⁷ bits with a hundred bursts: bit by bit this test would not end.
    let rare = Bursts { mean_burst_bits: 10.0, mean_gap_bits: 1e15, ber_in_burst: 0.5, ber_in_gap: 0.0 };
    let flips = stream(&mut errors(rare, 11), 100_000_000_000_000_000);
    assert!((200..1000).contains(&flips.len()), "{}", flips.len());
}

#[test]
fn bursts_out_of_range_are_refused() {
    for bursts in [
        Bursts { mean_burst_bits: 0.5, ..SOLID },
        Bursts { mean_gap_bits: f64::INFINITY, ..SOLID },
        Bursts { ber_in_burst: 1.5, ..SOLID },
        Bursts { ber_in_gap: f64::NAN, ..SOLID },
    ] {
        let error = Errors::new(&[ErrorModel::Bursts(bursts)], 0).unwrap_err().to_string();
        assert!(error.contains("burst") || error.contains("gap"), "{error}");
    }
}
