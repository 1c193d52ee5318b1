//! What decoders leave: the curves, and the statistics of the errors that follow them.

mod support;

use farlink_channel_models::errors::{Code, ErrorModel, Fading, Scintillation};
use farlink_channel_models::{Errors, Series};
use farlink_units::{Duration, Instant};
use support::{Z_999, agrees, send, stream};

fn coded(code: Code, eb_n0_db: f64, seed: u64) -> Errors {
    let eb_n0_db = Series::constant(eb_n0_db);
    Errors::new(&[ErrorModel::Coded { code, eb_n0_db, scintillation: None }], seed).unwrap()
}

/// How far to the side a curve is of a point, in dB.
fn off_by_db(error_rate: impl Fn(f64) -> f64, eb_n0_db: f64, measured: f64) -> f64 {
    let (mut low, mut high) = (eb_n0_db - 3.0, eb_n0_db + 3.0);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if error_rate(middle) > measured { low = middle } else { high = middle }
    }
    low - eb_n0_db
}

#[test]
fn uncoded_is_the_formula() {
    // ½ erfc √x to ten digits (Mathematica's values, as tables of the Q function have them).
    for (eb_n0_db, ber) in [(0.0, 0.078_649_603_5), (10.0 * 4f64.log10(), 2.338_867_490_5e-3), (9.587_9, 1e-5)] {
        let got = Code::Uncoded.bit_error_ratio(eb_n0_db);
        assert!((got / ber - 1.0).abs() < 1e-4, "{eb_n0_db}: {got}");
    }
    let required = Code::Uncoded.required_eb_n0_db(1e-6).unwrap();
    assert!((required - 10.53).abs() < 0.01, "{required}");
}

#[test]
fn reed_solomon_is_where_others_have_simulated_it() {
    // Word and bit error rates of AFF3CT's reference simulation of RS(255,223) over BPSK (1000 bad words a point).
    let code = Code::ReedSolomon { interleaving: 1 };
    for (eb_n0_db, ber, words) in [
        (4.8, 9.82e-3, 0.860),
        (5.2, 4.46e-3, 0.449),
        (5.6, 7.41e-4, 8.12e-2),
        (6.0, 4.37e-5, 4.95e-3),
        (6.2, 6.78e-6, 7.78e-4),
        (6.4, 7.78e-7, 9.02e-5),
    ] {
        let words_off = off_by_db(|db| code.word_error_rate(db).unwrap(), eb_n0_db, words);
        let bits_off = off_by_db(|db| code.bit_error_ratio(db), eb_n0_db, ber);
        println!("{eb_n0_db} dB: words off by {words_off:.3} dB, bits by {bits_off:.3} dB");
        assert!(words_off.abs() < 0.02 && bits_off.abs() < 0.02);
    }
}

#[test]
fn codes_need_what_is_published() {
    let needs = |code: Code, ber| code.required_eb_n0_db(ber).unwrap();
    for (what, got, published) in [
        // K = 7, rate 1/2, 8 levels: 4.5 dB at 1e-5 (J. A. Heller, I. M. Jacobs, IEEE Trans. Comm. 19, 1971).
        ("convolutional", needs(Code::Convolutional, 1e-5), 4.5),
        // NOAA's EMWIN link budget: 2.6 dB for convolutional and Reed–Solomon at 1e-6.
        ("concatenated", needs(Code::Concatenated { interleaving: 5 }, 1e-6), 2.6),
    ] {
        println!("{what}: {got:.2} dB, published {published} dB");
        // Published decoders have soft decisions of three bits, which cost up to a quarter of a dB, and finite memory.
        assert!((0.1..0.4).contains(&(published - got)), "{what}: {got}");
    }
    // In the order of their strength.
    let order = [
        Code::Uncoded,
        Code::ReedSolomon { interleaving: 5 },
        Code::Convolutional,
        Code::Concatenated { interleaving: 5 },
        Code::Ldpc1024,
        Code::Ldpc4096,
    ];
    assert!(order.windows(2).all(|pair| needs(pair[0], 1e-5) > needs(pair[1], 1e-5)));
    assert!(needs(Code::Turbo1784, 1e-5) < needs(Code::Ldpc1024, 1e-5));
}

#[test]
fn curves_fall_and_end_well() {
    let interleaving = 5;
    for code in [
        Code::Uncoded,
        Code::Convolutional,
        Code::ReedSolomon { interleaving },
        Code::Concatenated { interleaving },
        Code::Ldpc1024,
        Code::Ldpc4096,
        Code::Turbo1784,
    ] {
        let values: Vec<f64> = (-600..1200).map(|n| code.bit_error_ratio(f64::from(n) / 20.0)).collect();
        assert!(values.iter().all(|v| (0.0..=0.5).contains(v)), "{code:?}");
        assert!(values.windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-9)), "{code:?} rises");
        let word = |db| code.word_error_rate(db).unwrap_or(0.0);
        assert!((0..200).all(|n| (0.0..=1.0).contains(&word(f64::from(n) - 100.0))), "{code:?}");
    }
    assert!(Code::Uncoded.required_eb_n0_db(0.0).is_err());
    for interleaving in [0, 9] {
        let model = ErrorModel::Coded {
            code: Code::ReedSolomon { interleaving },
            eb_n0_db: Series::constant(5.0),
            scintillation: None,
        };
        assert!(Errors::new(&[model], 0).unwrap_err().to_string().starts_with("the interleaving of a code"));
    }
}

/// Checks the words that fail, and the bits that are wrong in them, of a code whose words have `word` bits and come `symbol` bits
/// at a time from `words` in turn.
fn words_fail_as_asked(code: Code, asked_db: f64, used_db: f64, [word, symbol, words]: [u64; 3], count: u64) -> bool {
    let flips = stream(&mut coded(code, used_db, 3), count * word);
    let word_of = |bit: &u64| bit / (word * words) * words + bit / symbol % words;
    let mut bad: Vec<u64> = flips.iter().map(word_of).collect();
    bad.sort_unstable();
    bad.dedup();
    let (n, asked) = (count as f64, code.word_error_rate(asked_db).unwrap());
    let share = code.bit_error_ratio(asked_db) / asked;
    let in_bad = flips.len() as f64 / (bad.len() as f64 * word as f64);
    let in_bad_deviation = (share * (1.0 - share) / (bad.len() as f64 * word as f64)).sqrt();
    assert!(bad.len() > 100);
    agrees("word error rate", bad.len() as f64 / n, asked, (asked * (1.0 - asked) / n).sqrt())
        & agrees("share of wrong bits in them", in_bad, share, in_bad_deviation)
}

#[test]
fn code_words_fail_as_often_as_asked_and_stay_together() {
    let reed_solomon = Code::ReedSolomon { interleaving: 5 };
    assert!(words_fail_as_asked(reed_solomon, 6.0, 6.0, [1784, 8, 5], 1_000_000));
    assert!(!words_fail_as_asked(reed_solomon, 6.0, 5.97, [1784, 8, 5], 1_000_000));
    assert!(words_fail_as_asked(Code::Ldpc1024, 1.2, 1.2, [1024, 1, 1], 200_000));
    assert!(!words_fail_as_asked(Code::Ldpc1024, 1.2, 1.22, [1024, 1, 1], 200_000));
    assert!(words_fail_as_asked(Code::Turbo1784, 1.3, 1.3, [1784, 1, 1], 1_000_000));
    assert!(words_fail_as_asked(Code::Concatenated { interleaving: 2 }, 2.3, 2.3, [1784, 8, 2], 1_000_000));
}

#[test]
fn a_convolutional_code_leaves_bursts() {
    let check = |used_db: f64, bits: u64| {
        let asked = Code::Convolutional.bit_error_ratio(3.0);
        let flips = stream(&mut coded(Code::Convolutional, used_db, 3), bits);
        // Bursts as they were measured in the simulation: seven right bits end one. Its mean length there was 9.
        let bursts: Vec<&[u64]> = flips.chunk_by(|a, b| b - a <= 7).collect();
        let length = bursts.iter().map(|b| (b[b.len() - 1] - b[0] + 1) as f64).sum::<f64>() / bursts.len() as f64;
        println!("{} bursts, {length:.2} bits long", bursts.len());
        assert!((6.0..12.0).contains(&length));
        // Errors of a burst go together: its number counts, with the square of a geometric length.
        let per_burst = flips.len() as f64 / bursts.len() as f64;
        let deviation = (asked * 2.5 * per_burst / bits as f64).sqrt();
        agrees("bit error ratio", flips.len() as f64 / bits as f64, asked, deviation)
    };
    assert!(check(3.0, 300_000_000));
    assert!(!check(2.9, 300_000_000));
}

#[test]
fn blocks_keep_step_with_the_stream_however_it_is_cut() {
    let start = Instant::ZERO + Duration::from_secs(5);
    for (code, db) in [(Code::ReedSolomon { interleaving: 5 }, 5.3), (Code::Ldpc1024, 1.0), (Code::Convolutional, 2.0)]
    {
        // Eb/N0 rises by 1 dB meanwhile.
        let end = start + Duration::from_secs(1000);
        let series = Series::new(vec![(start, db - 0.5), (end, db + 0.5)]).unwrap();
        let model = ErrorModel::Coded { code, eb_n0_db: series, scintillation: None };
        let sent = |mut cut: u64| {
            let mut errors = Errors::new(std::slice::from_ref(&model), 2).unwrap();
            send(&mut errors, start, 1000, 1_000_000, || {
                cut = cut * 5 % 32_749;
                cut
            })
        };
        let (some, others, whole) = (sent(1), sent(30_000), {
            let mut errors = Errors::new(std::slice::from_ref(&model), 2).unwrap();
            send(&mut errors, start, 1000, 1_000_000, || 1_000_000)
        });
        assert!(some.len() > 1000);
        assert_eq!(some, others, "{code:?}");
        assert_eq!(some, whole, "{code:?}");
    }
}

#[test]
fn fading_of_rayleigh_gives_its_bit_error_ratio() {
    // Uncoded BPSK whose power fades with m = 1: ½ (1 − √(γ/(1 + γ))) at a mean Eb/N0 of γ (J. Proakis, Digital Communications).
    let asked = |gamma: f64| 0.5 * (1.0 - (gamma / (1.0 + gamma)).sqrt());
    let run = |m: f64, seed: u64| {
        let fade = Scintillation {
            index: Series::constant(m),
            fading: Fading::Rician,
            correlation_time: Duration::from_millis(1),
        };
        let (eb_n0_db, scintillation) = (Series::constant(10.0), Some(fade));
        let mut errors =
            Errors::new(&[ErrorModel::Coded { code: Code::Uncoded, eb_n0_db, scintillation }], seed).unwrap();
        // 2 s are about 2000 independent fades.
        send(&mut errors, Instant::ZERO, 1_000_000, 2_000_000, || 10_000).len() as f64 / 2e6
    };
    let check = |m: f64| {
        let runs: Vec<f64> = (0..100).map(|seed| run(m, seed)).collect();
        let mean = runs.iter().sum::<f64>() / 100.0;
        let deviation = (runs.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 99.0 / 100.0).sqrt();
        // A hundred runs know their own spread well enough for the normal law; 3.39 is what Student's has for 3.29.
        agrees("bit error ratio", mean, asked(10.0), deviation * 3.39 / Z_999)
    };
    assert!(check(1.0));
    assert!(!check(0.9), "weaker scintillation is noticed");
}

#[test]
fn scintillation_out_of_range_is_refused() {
    let model = |m: f64, seconds: i64| ErrorModel::Coded {
        code: Code::Uncoded,
        eb_n0_db: Series::constant(5.0),
        scintillation: Some(Scintillation {
            index: Series::constant(m),
            fading: Fading::LogNormal,
            correlation_time: Duration::from_secs(seconds),
        }),
    };
    assert!(Errors::new(&[model(1.1, 1)], 0).unwrap_err().to_string().starts_with("a scintillation index is 1.1"));
    assert!(
        Errors::new(&[model(0.5, 0)], 0).unwrap_err().to_string().starts_with("a correlation time in seconds is 0")
    );
}
