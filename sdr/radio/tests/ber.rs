//! Counted error ratios: against theory, and that neither threads nor order change them.

use farlink_coding::convolutional::Rate;
use farlink_coding::ldpc;
use farlink_modem::{Modulation, Subcarrier, SubcarrierShape};
use farlink_radio::ber::{Ended, Level, Plan, measure};
use farlink_radio::theory::eb_n0_db_of_frame_errors;
use farlink_radio::waveform::{Coding, Waveform};

fn concatenated() -> Waveform {
    Waveform::new(Coding::Concatenated { corrects: 16, depth: 5, rate: Rate::Half }, 1e6)
}

#[test]
fn bits_without_a_code_are_wrong_as_often_as_theory_has_it() {
    let square = Subcarrier { shape: SubcarrierShape::Square, cycles_per_symbol: 2 };
    for (modulation, samples_per_symbol, eb_n0_db) in [
        (Modulation::Bpsk, 2.0, 5.0),
        (Modulation::Qpsk, 2.0, 6.0),
        (Modulation::Oqpsk, 2.0, 6.0),
        (Modulation::Psk8, 2.0, 9.0),
        (Modulation::ResidualCarrier { index_rad: 1.2, subcarrier: square }, 16.0, 6.0),
    ] {
        let coding = Coding::Uncoded { frame_octets: 250 };
        let mut waveform = Waveform::new(coding, 1e6);
        (waveform.modulation, waveform.samples_per_symbol) = (modulation, samples_per_symbol);
        let mut plan = Plan::new(waveform, Level::Samples, vec![eb_n0_db], 8);
        (plan.frame_errors, plan.bits, plan.confidence) = (u64::MAX, 500_000, 0.9999);
        let curve = measure(&plan, |_| {}).unwrap();
        let point = &curve.points[0];
        let expected = point.theory.unwrap().bit_error_ratio;
        println!("{modulation:?}: {:?}, {:?}, theory {expected:e}", point.bit_error_ratio, point.bit_limits);
        // The modem's own tests allow it 0.3 dB, which here is some 40 % more errors.
        assert!(point.bit_limits.high > expected && point.bit_limits.low < 1.4 * expected, "{point:?}");
        assert_eq!(point.ended, Ended::Bits);
    }
}

/// At the level of symbols there is no receiver to lose anything.
#[test]
fn codes_alone_are_as_theory_has_them() {
    let ldpc = Coding::Ldpc { rate: ldpc::Rate::Half, length: ldpc::Length::K1024 };
    let reed_solomon = Coding::ReedSolomon { corrects: 8, depth: 1 };
    for (coding, ratio, allowed_db) in [(concatenated().coding, 0.2, 0.1), (reed_solomon, 0.1, 0.05), (ldpc, 0.1, 0.1)]
    {
        let waveform = Waveform::new(coding, 1e6);
        let eb_n0_db = eb_n0_db_of_frame_errors(&waveform, ratio).unwrap();
        let mut plan = Plan::new(waveform, Level::Symbols, vec![eb_n0_db], 9);
        (plan.frame_errors, plan.confidence) = (60, 0.9999);
        let point = measure(&plan, |_| {}).unwrap().points.remove(0);
        let (loss, limits) = point.loss_db(&waveform).unwrap();
        println!(
            "{coding:?} at {eb_n0_db:.2} dB: {} of {}, {loss:.3} dB, {limits:?}",
            point.frames_refused, point.frames
        );
        assert!(limits.low < allowed_db && limits.high > -0.1, "{coding:?}: {loss} dB, {limits:?}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let waveform = Waveform::new(Coding::Convolutional { rate: Rate::Half, frame_octets: 100 }, 1e6);
    for level in [Level::Symbols, Level::Samples] {
        let mut plan = Plan::new(waveform, level, vec![2.0, 3.0], 10);
        (plan.frame_errors, plan.bits) = (300, 4_000_000);
        let one = measure(&plan, |_| {}).unwrap();
        plan.threads = 3;
        assert_eq!(measure(&plan, |_| {}).unwrap(), one, "{level:?}");
        assert!(one.points.iter().any(|point| point.ended == Ended::FrameErrors), "{one:?}");
        plan.seed = 11;
        assert_ne!(measure(&plan, |_| {}).unwrap().points, one.points, "another seed");
    }
}

/// Bits of a convolutional code are wrong in bursts, so the limits of their ratio are wider than bits that are independent would have them.
#[test]
fn limits_know_of_bursts_and_of_nothing() {
    let waveform = Waveform::new(Coding::Convolutional { rate: Rate::Half, frame_octets: 100 }, 1e6);
    let mut plan = Plan::new(waveform, Level::Symbols, vec![2.5, 9.0], 12);
    (plan.frame_errors, plan.bits) = (u64::MAX, 1_000_000);
    let points = measure(&plan, |_| {}).unwrap().points;
    let (hits, of) = (points[0].bits_wrong as f64, points[0].bits as f64);
    let naive = farlink_radio::limits::clopper_pearson(hits, of, 0.95);
    let limits = points[0].bit_limits;
    assert!(limits.high - limits.low > 1.5 * (naive.high - naive.low), "{limits:?}, as independent bits {naive:?}");
    assert!(limits.low < hits / of && hits / of < limits.high);
    let expected = points[0].theory.unwrap().bit_error_ratio;
    assert!((hits / of / expected).ln().abs() < 0.3, "{} for {expected}", hits / of);
    assert_eq!((points[1].bits_wrong, points[1].bit_limits.low), (0, 0.0));
    assert!(points[1].bit_limits.high > 0.0 && points[1].frame_limits.high < 0.01, "{:?}", points[1]);
}

#[test]
fn without_a_signal_nothing_is_found_and_that_is_said() {
    let mut plan = Plan::new(concatenated(), Level::Samples, vec![-15.0], 13);
    plan.bits = 1;
    let point = measure(&plan, |_| {}).unwrap().points.remove(0);
    assert_eq!((point.frames, point.blocks_without_lock, point.frame_error_ratio), (0, 1, None));
    assert_eq!(point.frames_before_lock, point.frames_sent);
    assert_eq!((point.frame_limits.low, point.frame_limits.high), (0.0, 1.0));
}

#[test]
fn a_plan_that_cannot_be_names_its_field() {
    let good = Plan::new(concatenated(), Level::Symbols, vec![1.0], 1);
    let refused = |plan: Plan| measure(&plan, |_| {}).unwrap_err().to_string();
    assert!(refused(Plan { eb_n0_db: vec![], ..good.clone() }).contains("`eb_n0_db` is 0 points"));
    assert!(refused(Plan { eb_n0_db: vec![f64::NAN], ..good.clone() }).contains("`eb_n0_db` is NaN"));
    assert!(refused(Plan { frame_errors: 0, ..good.clone() }).contains("`frame_errors` is 0"));
    assert!(refused(Plan { bits: 0, ..good.clone() }).contains("`bits` is 0"));
    assert!(refused(Plan { confidence: 1.0, ..good.clone() }).contains("`confidence` is 1"));
    assert!(refused(Plan { threads: 0, ..good.clone() }).contains("`threads` is 0"));
    let psk8 = Waveform { modulation: Modulation::Psk8, ..concatenated() };
    assert!(refused(Plan { waveform: psk8, ..good }).contains("`level` is symbols, with 8psk"));
}
