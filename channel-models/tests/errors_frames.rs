//! Frames that are erased, traces that are replayed, and several processes on one channel.

mod support;

use farlink_channel_models::errors::{Airtime, Bursts, Erasures, ErrorModel, Passage, Trace};
use farlink_channel_models::{Errors, Series};
use farlink_units::{Duration, Instant};
use support::{agrees, stream};

fn frame(start_ms: i64, end_ms: i64) -> Airtime {
    let at = |ms| Instant::ZERO + Duration::from_millis(ms);
    Airtime { start: at(start_ms), end: at(end_ms), bits: 1000 }
}

/// Which of so many frames are erased.
fn erased(model: &ErrorModel, seed: u64, frames: usize) -> Vec<bool> {
    let (mut errors, mut out) = (Errors::new(std::slice::from_ref(model), seed).unwrap(), Vec::new());
    let each = (0..frames).map(|_| errors.strike(&frame(0, 1), &mut out) == Passage::Erased);
    each.collect()
}

#[test]
fn frames_are_erased_as_often_as_asked() {
    const FRAMES: usize = 1_000_000;
    let check = |asked: f64, used: f64| {
        let model = ErrorModel::Erasures(Erasures::Independent { probability: used });
        let lost = erased(&model, 3, FRAMES).iter().filter(|lost| **lost).count() as f64;
        let deviation = (asked * (1.0 - asked) / FRAMES as f64).sqrt();
        agrees("share of erased frames", lost / FRAMES as f64, asked, deviation)
    };
    for probability in [1e-3, 0.1, 0.7] {
        assert!(check(probability, probability));
        assert!(!check(probability, probability * 1.15));
    }
    for (probability, all) in [(0.0, false), (1.0, true)] {
        let model = ErrorModel::Erasures(Erasures::Independent { probability });
        assert!(erased(&model, 1, 1000).iter().all(|lost| *lost == all));
    }
}

#[test]
fn bursts_of_erasures_are_as_long_as_asked() {
    let check = |asked: (f64, f64), used: (f64, f64)| {
        let model = ErrorModel::Erasures(Erasures::Bursts { mean_burst_frames: used.0, mean_gap_frames: used.1 });
        let frames = erased(&model, 9, 3_000_000);
        let runs: Vec<&[bool]> = frames.chunk_by(|a, b| a == b).collect();
        let whole = &runs[1..runs.len() - 1];
        let mean = |lost: bool, asked: f64| {
            let lengths: Vec<f64> = whole.iter().filter(|run| run[0] == lost).map(|run| run.len() as f64).collect();
            let n = lengths.len() as f64;
            let deviation = ((asked * asked - asked) / n).sqrt();
            agrees(if lost { "mean burst" } else { "mean gap" }, lengths.iter().sum::<f64>() / n, asked, deviation)
        };
        mean(true, asked.0) & mean(false, asked.1)
    };
    assert!(check((8.0, 90.0), (8.0, 90.0)));
    assert!(!check((8.0, 90.0), (8.4, 90.0)));
    assert!(!check((8.0, 90.0), (8.0, 95.0)));
}

#[test]
fn several_processes_add_up() {
    let independent = ErrorModel::Independent { ber: 1e-3 };
    let bursts = Bursts { mean_burst_bits: 10.0, mean_gap_bits: 1e4, ber_in_burst: 0.5, ber_in_gap: 0.0 };
    let models = [independent.clone(), ErrorModel::Bursts(bursts)];
    const BITS: u64 = 100_000_000;
    let flips = stream(&mut Errors::new(&models, 4).unwrap(), BITS).len() as f64 / BITS as f64;
    // Few bits are struck twice. The deviation is that of the bursts: each leaves 5 ± 7.3 errors.
    let asked = 1e-3 + bursts.mean_ber() - 2.0 * 1e-3 * bursts.mean_ber();
    let deviation = ((1e-3 + 80.0 / 1.001e4) / BITS as f64).sqrt();
    assert!(agrees("bit error ratio of both", flips, asked, deviation));
    // The first of a list draws what it draws alone; two alike do not cancel.
    let alone = stream(&mut Errors::new(&models[..1], 4).unwrap(), 100_000);
    assert_eq!(alone, stream(&mut Errors::independent(1e-3, 4), 100_000));
    let twice = stream(&mut Errors::new(&[independent.clone(), independent], 4).unwrap(), 100_000);
    let kept = alone.iter().filter(|flip| twice.contains(flip)).count();
    assert!(kept + 3 >= alone.len() && twice.len() > 150, "{kept} of {} in {}", alone.len(), twice.len());
    let lost = ErrorModel::Erasures(Erasures::Independent { probability: 1.0 });
    let mut all = Errors::new(&[models[0].clone(), lost], 4).unwrap();
    assert_eq!(all.strike(&frame(0, 1), &mut Vec::new()), Passage::Erased);
    assert!(stream(&mut Errors::none(), u64::MAX).is_empty());
}

#[test]
fn a_ratio_that_changes_is_met_at_every_stage() {
    // From 1e-6 up to 1e-3 within 1000 s, a level stretch after that. 1 Mbit/s.
    let knots = [(0, -6.0), (1000, -3.0), (2000, -3.0)];
    let series = Series::new(knots.map(|(at, v)| (Instant::ZERO + Duration::from_secs(at), v)).into()).unwrap();
    let check = |used: &Series| {
        let mut errors = Errors::new(&[ErrorModel::Varying { log10_ber: used.clone() }], 8).unwrap();
        let flips = support::send(&mut errors, Instant::ZERO, 1_000_000, 2_000_000_000, || 8192);
        // In each hundred seconds the mean count is the integral of the ratio.
        (0..20).all(|window: u32| {
            let (from, to) = (f64::from(window) * 100.0, f64::from(window + 1) * 100.0);
            let integral = |t: f64| if t > 1000.0 { 1e-3 * (t - 1000.0) } else { 0.0 } + {
                // ∫ 10^(−6 + 3 t / 1000) dt
                let slope = 3.0 * std::f64::consts::LN_10 / 1000.0;
                1e-6 / slope * ((slope * t.min(1000.0)).exp() - 1.0)
            };
            let mean = 1e6 * (integral(to) - integral(from));
            let count = flips.iter().filter(|bit| (from..to).contains(&(**bit as f64 / 1e6))).count();
            agrees("errors in 100 s", count as f64, mean, mean.sqrt())
        })
    };
    assert!(check(&series));
    assert!(!check(&series.map(|v| v + 0.01).unwrap()), "2.3 % more are noticed");
    // However the stream is cut, as long as bits leave at the same instants.
    let sent = |mut cut: u64| {
        let mut errors = Errors::new(&[ErrorModel::Varying { log10_ber: series.clone() }], 8).unwrap();
        support::send(&mut errors, Instant::ZERO + Duration::from_secs(900), 1000, 1_000_000, || {
            cut = (cut * 3) % 65_521;
            cut
        })
    };
    let (some, others) = (sent(1), sent(60_000));
    assert!(some.len() > 500);
    assert_eq!(some, others);
}

#[test]
fn a_trace_of_bits_happens_again() {
    let trace = Trace::parse(b"# bits repeat 100\n# from a test\n3\n\n 40 \r\n99\n").unwrap();
    let mut errors = Errors::new(&[ErrorModel::Recorded(trace)], 0).unwrap();
    assert_eq!(stream(&mut errors, 41), [3, 40]);
    assert_eq!(stream(&mut errors, 300), [58, 62, 99, 158, 162, 199, 258, 262, 299]);
    let once = Trace::parse(b"# bits\n0\n18446744073709551615\n").unwrap();
    let mut errors = Errors::new(&[ErrorModel::Recorded(once)], 0).unwrap();
    assert_eq!(stream(&mut errors, 10), [0]);
    assert_eq!(stream(&mut errors, u64::MAX), [u64::MAX - 10]);
    assert!(stream(&mut errors, u64::MAX).is_empty());
    for nothing in ["# bits", "# bits repeat 1", "# frames repeat 7"] {
        let mut errors = Errors::new(&[ErrorModel::Recorded(Trace::parse(nothing.as_bytes()).unwrap())], 0).unwrap();
        assert!(stream(&mut errors, u64::MAX).is_empty());
    }
}

#[test]
fn a_trace_of_frames_or_of_losses_happens_again() {
    let trace = |text: &str| ErrorModel::Recorded(Trace::parse(text.as_bytes()).unwrap());
    let lost = |model| erased(&model, 0, 8).iter().map(|lost| if *lost { 'x' } else { '.' }).collect::<String>();
    assert_eq!(lost(trace("# frames\n1\n2\n6")), ".xx...x.");
    assert_eq!(lost(trace("# frames repeat 3\n1")), ".x..x..x");
    let mut errors = Errors::new(&[trace("# losses\n0.010 0.020\n 0.050\t0.0500001\n")], 0).unwrap();
    let mut lost = |start, end| errors.strike(&frame(start, end), &mut Vec::new()) == Passage::Erased;
    assert!(!lost(0, 10), "ends as the loss begins");
    assert!(lost(5, 11) && lost(12, 13) && lost(19, 30));
    assert!(!lost(20, 50), "begins as the loss ends");
    assert!(lost(40, 60) && lost(50, 50), "a moment is enough");
    assert!(!lost(51, 99));
}

#[test]
fn what_is_no_trace_is_refused_with_its_line() {
    for (text, message) in [
        ("", "line 1: a trace begins with `# bits`"),
        ("\n\n", "line 1: a trace begins"),
        ("12\n", "line 1: a trace begins"),
        ("\n# losts\n", "line 2: a trace begins"),
        ("# bits repeat 0\n", "line 1: `# bits repeat 0` is not a header"),
        ("# bits often\n", "line 1: `# bits often` is not a header"),
        ("# losses repeat 5\n", "line 1: `# losses repeat 5` is not a header"),
        ("# bits\n-1\n", "line 2: `-1` is not a whole number"),
        ("# bits\n+1\n", "line 2: `+1` is not a whole number"),
        ("# bits\n18446744073709551616\n", "line 2: `18446744073709551616` is not a whole number"),
        ("# bits\n1e3\n", "line 2: `1e3` is not a whole number"),
        ("# bits\n5\n# ok\n5\n", "line 4: positions of bits do not rise"),
        ("# frames\n5\n4\n", "line 3: numbers of frames do not rise"),
        ("# bits repeat 5\n5\n", "line 2: 5 is not within the 5"),
        ("# losses\n1\n", "line 2: `1` is not an interval"),
        ("# losses\n1 NaN\n", "line 2: `1 NaN` is not an interval"),
        ("# losses\n1 inf\n", "line 2: `1 inf` is not an interval"),
        ("# losses\n-1 2\n", "line 2: `-1 2` is not an interval"),
        ("# losses\n1 99999999999\n", "line 2: `1 99999999999` is not an interval"),
        ("# losses\n2 1\n", "line 2: intervals do not rise"),
        ("# losses\n1 3\n2 4\n", "line 3: intervals do not rise"),
    ] {
        let error = Trace::parse(text.as_bytes()).expect_err(text).to_string();
        assert!(error.starts_with(message), "{text:?}: {error}");
    }
    let error = Trace::parse(b"# bits\n1\n\xff\n").unwrap_err().to_string();
    assert!(error.starts_with("line 3: not UTF-8"), "{error}");
    let long = format!("# bits\n{}", "9".repeat(1 << 20));
    assert!(Trace::parse(long.as_bytes()).unwrap_err().to_string().len() < 200);
}
