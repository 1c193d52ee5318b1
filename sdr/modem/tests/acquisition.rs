//! From cold: frequency, phase and timing unknown.
mod common;

use common::{add_noise, errors_within, least_errors, modulated, random_bits, rng, shift};
use farlink_modem::theory::bit_error_ratio;
use farlink_modem::{EventKind, Modulation, Modulator, Output, Receiver, ReceiverConfig, Signal};
use num_complex::Complex;
use rand::RngExt;

fn bpsk(symbol_rate_hz: f64, sps: f64) -> Signal {
    Signal { modulation: Modulation::Bpsk, roll_off: 0.35, symbol_rate_hz, sample_rate_hz: symbol_rate_hz * sps }
}

/// Noise, then a signal of `symbols` in it: whether after `within` symbols what comes out has the errors of theory and no more.
fn acquires(
    signal: Signal,
    es_n0_db: f64,
    offset_hz: f64,
    rate_hz_s: f64,
    within: usize,
    seed: u64,
) -> Result<(), String> {
    let mut rng = rng(seed);
    let sps = signal.samples_per_symbol();
    let bits = random_bits(seed, within + 6000);
    let mut on = modulated(&signal, &bits);
    shift(&mut on, signal.sample_rate_hz, rng.random(), offset_hz, rate_hz_s);
    let lead = rng.random_range(0..(6000.0 * sps) as usize);
    let mut samples = vec![Complex::new(0.0, 0.0); lead];
    samples.extend(on);
    add_noise(&mut samples, sps, es_n0_db, seed ^ 0xABCD);
    let mut receiver = Receiver::new(&ReceiverConfig::new(signal)).map_err(|e| e.to_string())?;
    let mut out = Output::default();
    receiver.process(&samples, &mut out);
    let status = receiver.status();
    if !status.locked || out.events.last().map(|e| e.kind) != Some(EventKind::Acquired) {
        return Err(format!("{status:?} {:?}", out.events));
    }
    // The run that the last acquisition began; its first symbol's bit follows from the sample it lies at.
    let last = out.events[out.events.len() - 1];
    let soft = &out.soft[last.soft_symbols as usize..];
    let first = (last.sample - lead as f64) / sps;
    if first > within as f64 {
        return Err(format!("found only {first} symbols after its beginning"));
    }
    let tail = &soft[soft.len() - 4000..];
    let behind =
        (soft.len() - 4000) as f64 + first - Modulator::new(&signal).map_err(|e| e.to_string())?.delay_symbols();
    let around = behind.round() as i64;
    let (wrong, all, _) = errors_within(&bits, tail, 1, around - 3..around + 4);
    let expected = bit_error_ratio(&Modulation::Bpsk, es_n0_db);
    if all < 3900 || wrong as f64 > all as f64 * expected * 1.25 + 5.0 {
        return Err(format!("{wrong} wrong of {all}, theory {expected}: {status:?}"));
    }
    Ok(())
}

/// With every one of n trials passed, the probability of failure is below 3/n with 95 % confidence (the rule of three).
fn all_acquire(signal: Signal, es_n0_db: f64, offset_hz: f64, rate_hz_s: f64, within: usize, trials: u64) {
    let failed: Vec<_> = (0..trials)
        .filter_map(|seed| {
            let sign = if seed % 2 == 0 { 1.0 } else { -1.0 };
            let share = 1.0 - (seed / 2) as f64 / trials as f64;
            acquires(signal, es_n0_db, sign * share * offset_hz, sign * rate_hz_s, within, seed)
                .err()
                .map(|e| (seed, e))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {trials}: {failed:#?}", failed.len());
}

#[test]
fn bpsk_of_100_ksymbol_at_minus_1_db_within_100_ms() {
    all_acquire(bpsk(100e3, 2.0), -1.0, 20e3, 600.0, 10_000, 100);
}

#[test]
fn bpsk_of_2_msymbol_at_minus_1_db_within_100_ms() {
    all_acquire(bpsk(2e6, 2.0), -1.0, 20e3, 600.0, 12_000, 60);
}

#[test]
fn bpsk_of_10_ksymbol_at_4_samples_and_the_orbiter_s_rate() {
    // A second, since 100 ms are a thousand symbols; with what the carrier drifts by until the end it stays within 20 kHz.
    all_acquire(bpsk(10e3, 8.0), -1.0, 20e3 - 1600.0, 600.0, 10_000, 40);
}

#[test]
fn bpsk_at_x_band_rates_and_a_broken_ratio() {
    all_acquire(bpsk(100e3, 2.73), -1.0, 20e3, 5e3, 10_000, 40);
}

#[test]
fn every_modulation_is_found_at_every_offset_and_held() {
    let gmsk = Modulation::Gmsk { bandwidth_time: 0.5 };
    let cases = [(Modulation::Qpsk, 3.0), (Modulation::Oqpsk, 4.0), (Modulation::Psk8, 10.0), (gmsk, 4.0)];
    for (modulation, es_n0_db) in cases {
        for step in 0..9 {
            let signal = Signal { modulation, roll_off: 0.5, symbol_rate_hz: 100e3, sample_rate_hz: 250e3 };
            let offset_hz = -19e3 + 4777.0 * f64::from(step);
            let bits = random_bits(step as u64, 40_000 * modulation.bits_per_symbol() as usize);
            let mut samples = modulated(&signal, &bits);
            shift(&mut samples, signal.sample_rate_hz, 0.2, offset_hz, 600.0);
            add_noise(&mut samples, 2.5, es_n0_db, 7 + step as u64);
            let mut receiver = Receiver::new(&ReceiverConfig::new(signal)).unwrap();
            let mut out = Output::default();
            receiver.process(&samples, &mut out);
            let said = format!("{modulation:?} at {offset_hz} Hz: {:?} {:?}", receiver.status(), out.events);
            assert!(receiver.status().locked && out.events.len() == 1, "{said}");
            let from = out.soft.len() / 6 * 3;
            let near = from as i64 - 200..from as i64 + 200;
            let (wrong, all, _) = least_errors(&modulation, &bits, &out.soft[from..], near);
            let expected = bit_error_ratio(&modulation, es_n0_db - es_n0_db_of_a_bit(&modulation)) * all as f64;
            assert!(
                all > 19_000 && wrong as f64 <= 1.3 * expected + 4.0 * expected.sqrt() + 5.0,
                "{wrong} of {all}, theory {expected}: {said}"
            );
        }
    }
}

/// What Es/N0 is at an Eb/N0 of 0 dB.
fn es_n0_db_of_a_bit(modulation: &Modulation) -> f64 {
    farlink_modem::theory::es_n0_db(modulation, 0.0)
}
