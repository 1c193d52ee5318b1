//! Bit errors after acquisition against theory: the implementation's loss.
mod common;

use common::{add_noise, least_errors, modulated, random_bits, shift};
use farlink_modem::theory::{bit_error_ratio, to_db};
use farlink_modem::{Modulation, Output, Receiver, ReceiverConfig, Signal, Subcarrier, SubcarrierShape};

/// Demodulates `symbols` 15 kHz off and drifting, and holds the errors after the first few thousand bits against theory: with less signal by
/// `loss_db` it must have been worse by 3 standard deviations (one side, 99.9 %), and it cannot have been better than theory by 4.
fn loses_at_most(modulation: Modulation, roll_off: f64, sps: f64, es_n0_db: f64, loss_db: f64, symbols: usize) {
    let signal = Signal { modulation, roll_off, symbol_rate_hz: 100e3, sample_rate_hz: 100e3 * sps };
    let per_symbol = f64::from(modulation.bits_per_symbol());
    let bits = random_bits(1, symbols * modulation.bits_per_symbol() as usize);
    let mut samples = modulated(&signal, &bits);
    shift(&mut samples, signal.sample_rate_hz, 0.2, 15e3, 600.0);
    add_noise(&mut samples, sps, es_n0_db, 7);
    let mut receiver = Receiver::new(&ReceiverConfig::new(signal)).unwrap();
    let mut out = Output::default();
    receiver.process(&samples, &mut out);
    receiver.finish(&mut out);
    let status = receiver.status();
    let said = format!("{modulation:?} at {es_n0_db} dB: {status:?} {:?}", out.events);
    assert!(status.locked && out.events.len() == 1, "{said}");
    let settled = 12_000 * modulation.bits_per_symbol() as usize;
    let (wrong, all, _) =
        least_errors(&modulation, &bits, &out.soft[settled..], settled as i64 - 200..settled as i64 + 200);
    // Of GMSK, what no receiver of binary signals does better than: that is not the curve of its least distance, which holds at high Eb/N0 alone.
    let reference = if matches!(modulation, Modulation::Gmsk { .. }) { Modulation::Bpsk } else { modulation };
    let expected = |db: f64| bit_error_ratio(&reference, db - to_db(per_symbol)) * all as f64;
    let (wrong, least, most) = (wrong as f64, expected(es_n0_db), expected(es_n0_db - loss_db));
    let mut low = 0.0;
    while expected(es_n0_db - low) < wrong && low < 3.0 {
        low += 0.01;
    }
    println!("{modulation:?} at {es_n0_db} dB: {wrong} of {all}, theory {least:.1}: loss {low:.2} dB");
    assert!(wrong + 3.0 * wrong.sqrt() > least, "{wrong} of {all} is better than theory's {least:.1}: {said}");
    assert!(wrong <= most + 3.0 * most.sqrt(), "{wrong} of {all} is more than {most:.1} ({loss_db} dB): {said}");
    let off = status.es_n0_db.unwrap() - es_n0_db;
    assert!(off.abs() < 0.6, "Es/N0 is said to be off by {off} dB: {said}");
    assert!((status.carrier_offset_hz - 15e3 - 600.0 * symbols as f64 / 100e3).abs() < 20.0, "{said}");
    assert!(status.symbol_rate_offset_ppm.abs() < 20.0, "{said}");
}

#[test]
fn bpsk() {
    for (db, symbols) in [(-1.0, 300_000), (2.0, 300_000), (5.0, 500_000), (8.0, 1_000_000)] {
        loses_at_most(Modulation::Bpsk, 0.35, 2.0, db, 0.1, symbols);
    }
}

#[test]
fn qpsk_and_oqpsk() {
    for modulation in [Modulation::Qpsk, Modulation::Oqpsk] {
        for (db, symbols) in [(2.0, 100_000), (4.0, 100_000), (8.0, 200_000)] {
            loses_at_most(modulation, 0.5, 2.0, db, 0.2, symbols);
        }
    }
}

#[test]
fn eight_phases() {
    for (db, symbols) in [(8.0, 100_000), (11.0, 200_000)] {
        loses_at_most(Modulation::Psk8, 0.5, 2.0, db, 0.2, symbols);
    }
}

#[test]
fn residual_carriers() {
    for (shape, loss_db) in [(SubcarrierShape::Sine, 0.2), (SubcarrierShape::Square, 0.3)] {
        let subcarrier = Subcarrier { shape, cycles_per_symbol: 4 };
        let modulation = Modulation::ResidualCarrier { index_rad: 1.0, subcarrier };
        for db in [2.0, 5.0] {
            loses_at_most(modulation, 0.5, 32.0, db, loss_db, 60_000);
        }
    }
}

#[test]
fn gmsk() {
    for bandwidth_time in [0.5, 0.4, 1.0] {
        for (db, symbols) in [(2.0, 100_000), (5.0, 150_000), (8.0, 400_000)] {
            loses_at_most(Modulation::Gmsk { bandwidth_time }, 0.5, 2.0, db, 0.3, symbols);
        }
    }
}
