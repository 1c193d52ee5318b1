//! Input that no radio should give: nothing panics, output stays finite, and a signal that comes later is found.
mod common;

use common::{add_noise, least_errors, modulated, random_bits};
use farlink_modem::{ConfigError, EventKind, Modulation, Modulator, Output, Receiver, ReceiverConfig, Signal};
use farlink_modem::{Subcarrier, SubcarrierShape};
use num_complex::Complex;

fn all_modulations() -> [Modulation; 7] {
    let wave = |shape| Subcarrier { shape, cycles_per_symbol: 2 };
    [
        Modulation::Bpsk,
        Modulation::Qpsk,
        Modulation::Oqpsk,
        Modulation::Psk8,
        Modulation::Gmsk { bandwidth_time: 0.5 },
        Modulation::ResidualCarrier { index_rad: 1.0, subcarrier: wave(SubcarrierShape::Sine) },
        Modulation::ResidualCarrier { index_rad: 1.0, subcarrier: wave(SubcarrierShape::Square) },
    ]
}

fn signal(modulation: Modulation) -> Signal {
    let sps = if matches!(modulation, Modulation::ResidualCarrier { .. }) { 16.0 } else { 2.0 };
    Signal { modulation, roll_off: 0.5, symbol_rate_hz: 100e3, sample_rate_hz: 100e3 * sps }
}

#[test]
fn no_sample_is_too_bad() {
    let bad = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        1e-45,
        0.0,
        -0.0,
        1e9,
        1e18,
    ];
    for modulation in all_modulations() {
        let mut receiver = Receiver::new(&ReceiverConfig::new(signal(modulation))).unwrap();
        let mut out = Output::default();
        for (i, a) in bad.iter().enumerate() {
            let z = Complex::new(*a, bad[(i * 7 + 3) % bad.len()]);
            receiver.process(&vec![z; 3000], &mut out);
            let mixed: Vec<_> = (0..40_000).map(|k| Complex::new(bad[(k + i) % 11], bad[(k * k + i) % 11])).collect();
            receiver.process(&mixed, &mut out);
        }
        receiver.finish(&mut out);
        let status = receiver.status();
        assert!(status.carrier_offset_hz.is_finite() && status.es_n0_db.unwrap_or(0.0).is_finite(), "{modulation:?}");
    }
}

#[test]
fn a_signal_in_lock_survives_a_burst_of_rubbish_or_is_found_again() {
    for modulation in all_modulations() {
        let signal = signal(modulation);
        let sps = signal.samples_per_symbol();
        let bits = random_bits(3, 120_000 * modulation.bits_per_symbol() as usize);
        let mut samples = modulated(&signal, &bits);
        add_noise(&mut samples, sps, 14.0, 4);
        let middle = samples.len() / 3;
        for (i, s) in samples[middle..middle + 5000].iter_mut().enumerate() {
            *s = match i % 4 {
                0 => Complex::new(f32::NAN, f32::MAX),
                1 => Complex::new(-f32::MAX, f32::INFINITY),
                2 => Complex::new(1e9, -1e9),
                _ => Complex::new(0.0, 0.0),
            };
        }
        let mut receiver = Receiver::new(&ReceiverConfig::new(signal)).unwrap();
        let mut out = Output::default();
        receiver.process(&samples, &mut out);
        receiver.finish(&mut out);
        assert!(receiver.status().locked, "{modulation:?}");
        // As many as are whole symbols of two and of three bits.
        let last = &out.soft[out.soft.len() - 19_998..];
        let (wrong, all, _) = least_errors(&modulation, &bits[bits.len() - 30_000..], last, -200..30_000);
        assert!(all > 19_000 && wrong * 100 < all, "{modulation:?}: {wrong} of {all}, {:?}", receiver.status());
    }
}

#[test]
fn noise_alone_is_not_taken_for_a_signal() {
    for modulation in all_modulations() {
        let mut samples = vec![Complex::new(0.0, 0.0); 1_000_000];
        add_noise(&mut samples, 1.0, 0.0, 11);
        let mut receiver = Receiver::new(&ReceiverConfig::new(signal(modulation))).unwrap();
        let mut out = Output::default();
        receiver.process(&samples, &mut out);
        receiver.finish(&mut out);
        assert_eq!((receiver.status().acquisitions, out.soft.len()), (0, 0), "{modulation:?}");
    }
}

#[test]
fn loss_is_told_and_the_signal_found_again() {
    for modulation in all_modulations() {
        let signal = signal(modulation);
        let sps = signal.samples_per_symbol();
        let bits = random_bits(5, 60_000 * modulation.bits_per_symbol() as usize);
        let on = modulated(&signal, &bits);
        let mut samples = on.clone();
        samples.extend(vec![Complex::new(0.0, 0.0); (60_000.0 * sps) as usize]);
        samples.extend(on);
        add_noise(&mut samples, sps, 10.0, 6);
        let mut receiver = Receiver::new(&ReceiverConfig::new(signal)).unwrap();
        let mut out = Output::default();
        receiver.process(&samples, &mut out);
        let kinds: Vec<_> = out.events.iter().map(|e| e.kind).filter(|k| *k != EventKind::SlipSuspected).collect();
        assert_eq!(
            kinds,
            [EventKind::Acquired, EventKind::Lost, EventKind::Acquired],
            "{modulation:?}: {:?}",
            out.events
        );
        assert!(receiver.status().locked, "{modulation:?}");
    }
}

#[test]
fn a_configuration_that_cannot_work_names_its_field() {
    let good = signal(Modulation::Bpsk);
    let refused = |signal: Signal| Modulator::new(&signal).unwrap_err().to_string();
    assert!(refused(Signal { symbol_rate_hz: 0.0, ..good }).contains("`symbol_rate_hz` is 0"));
    assert!(refused(Signal { sample_rate_hz: f64::NAN, ..good }).contains("`sample_rate_hz` is NaN"));
    assert!(refused(Signal { roll_off: 0.01, ..good }).contains("`roll_off` is 0.01: give a number from 0.1 to 1"));
    assert!(refused(Signal { roll_off: f64::INFINITY, ..good }).contains("`roll_off`"));
    assert!(refused(Signal { sample_rate_hz: 150e3, ..good }).contains("`sample_rate_hz` gives 1.5 samples a symbol"));
    assert!(refused(Signal { sample_rate_hz: 1e12, ..good }).contains("lower it or raise `symbol_rate_hz`"));
    let gmsk = Signal { modulation: Modulation::Gmsk { bandwidth_time: 0.0 }, ..good };
    assert!(refused(gmsk).contains("`modulation.bandwidth_time`"));
    let wave = Subcarrier { shape: SubcarrierShape::Sine, cycles_per_symbol: 0 };
    let pm = Modulation::ResidualCarrier { index_rad: 1.0, subcarrier: wave };
    assert!(refused(Signal { modulation: pm, ..good }).contains("`modulation.subcarrier.cycles_per_symbol`"));
    let pm = Modulation::ResidualCarrier { index_rad: 2.0, subcarrier: Subcarrier { cycles_per_symbol: 4, ..wave } };
    assert!(refused(Signal { modulation: pm, ..good }).contains("`modulation.index_rad` is 2"));

    let config = ReceiverConfig::new(good);
    let narrow = Signal { modulation: Modulation::Gmsk { bandwidth_time: 0.25 }, ..good };
    let error = Receiver::new(&ReceiverConfig::new(narrow)).unwrap_err().to_string();
    assert!(error.contains("`modulation.bandwidth_time` is 0.25: give a number from 0.4 to 1"), "{error}");
    let refused = |config: ReceiverConfig| Receiver::new(&config).unwrap_err();
    assert!(matches!(refused(ReceiverConfig { max_offset_hz: 90e3, ..config }), ConfigError::OffsetTooWide { .. }));
    assert!(refused(ReceiverConfig { max_offset_hz: f64::NAN, ..config }).to_string().contains("`max_offset_hz`"));
    assert!(refused(ReceiverConfig { max_rate_hz_s: -1.0, ..config }).to_string().contains("`max_rate_hz_s`"));
    assert!(refused(ReceiverConfig { carrier_bandwidth: 1.0, ..config }).to_string().contains("`carrier_bandwidth`"));
    let fast = ReceiverConfig { max_symbol_rate_offset_ppm: 5000.0, ..config };
    assert!(refused(fast).to_string().contains("`max_symbol_rate_offset_ppm` is 5000: give a number from 0 to 100"));
    assert!(refused(ReceiverConfig { timing_bandwidth: 0.0, ..config }).to_string().contains("`timing_bandwidth`"));
}
