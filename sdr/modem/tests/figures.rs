//! What a receiver says of its signal, against what was put in.
mod common;

use common::{add_noise, modulated, random_bits, shift};
use farlink_modem::{Modulation, Output, Receiver, ReceiverConfig, Signal, Status, Subcarrier, SubcarrierShape};

const SYMBOL_RATE_HZ: f64 = 100e3;

/// What the receiver says after a signal at `es_n0_db` whose symbol clock is faster by `ppm`; of the carrier's offset, by how much it is wrong.
fn told(
    modulation: Modulation,
    sps: f64,
    es_n0_db: f64,
    offset_hz: f64,
    rate_hz_s: f64,
    ppm: f64,
    seed: u64,
) -> Status {
    let symbols = 60_000;
    let signal =
        Signal { modulation, roll_off: 0.5, symbol_rate_hz: SYMBOL_RATE_HZ, sample_rate_hz: SYMBOL_RATE_HZ * sps };
    let bits = random_bits(seed, symbols * modulation.bits_per_symbol() as usize);
    // The far end makes its symbols of fewer samples.
    let far = Signal { symbol_rate_hz: SYMBOL_RATE_HZ * (1.0 + ppm * 1e-6), ..signal };
    let mut samples = modulated(&far, &bits);
    shift(&mut samples, signal.sample_rate_hz, 0.3, offset_hz, rate_hz_s);
    add_noise(&mut samples, sps, es_n0_db, seed + 100);
    let mut receiver = Receiver::new(&ReceiverConfig::new(signal)).unwrap();
    let mut out = Output::default();
    receiver.process(&samples, &mut out);
    let status = receiver.status();
    assert!(
        status.locked && out.events.len() == 1,
        "{modulation:?}, {ppm} ppm, seed {seed}: {status:?} {:?}",
        out.events
    );
    Status {
        carrier_offset_hz: status.carrier_offset_hz
            - offset_hz
            - rate_hz_s * samples.len() as f64 / signal.sample_rate_hz,
        ..status
    }
}

#[test]
fn what_is_told_of_strength_carrier_and_clock_is_so() {
    let wave = |shape| Subcarrier { shape, cycles_per_symbol: 2 };
    let gmsk = Modulation::Gmsk { bandwidth_time: 0.5 };
    let sine = Modulation::ResidualCarrier { index_rad: 1.0, subcarrier: wave(SubcarrierShape::Sine) };
    let square = Modulation::ResidualCarrier { index_rad: 1.0, subcarrier: wave(SubcarrierShape::Square) };
    // At 100 ksymbol/s: Es/N0 to 0.4 dB, and bounds of carrier (Hz), its rate (Hz/s) and symbol clock (ppm), four times what noise makes of them.
    let cases = [
        (Modulation::Bpsk, 2.5, -1.0, [9.0, 45.0, 12.0]),
        (Modulation::Bpsk, 2.5, 10.0, [2.0, 10.0, 3.0]),
        (Modulation::Qpsk, 2.5, 4.0, [2.0, 11.0, 4.0]),
        (Modulation::Qpsk, 2.5, 14.0, [1.0, 3.0, 2.0]),
        (Modulation::Oqpsk, 2.5, 4.0, [2.0, 11.0, 9.0]),
        (Modulation::Psk8, 2.5, 10.0, [1.0, 2.0, 2.0]),
        (Modulation::Psk8, 2.5, 20.0, [1.0, 1.0, 1.0]),
        (gmsk, 2.5, 4.0, [3.0, 3.0, 6.0]),
        (gmsk, 2.5, 12.0, [3.0, 2.0, 3.0]),
        (sine, 20.0, 4.0, [12.0, 280.0, 2.0]),
        (square, 20.0, 4.0, [12.0, 280.0, 2.0]),
    ];
    for (modulation, sps, es_n0_db, bounds) in cases {
        for (seed, ppm) in [(0, -90.0), (1, 0.0), (2, 70.0)] {
            let s = told(modulation, sps, es_n0_db, 7e3, 600.0, ppm, seed);
            let off = [s.carrier_offset_hz, s.carrier_rate_hz_s - 600.0, s.symbol_rate_offset_ppm - ppm];
            let es_n0_off = s.es_n0_db.unwrap() - es_n0_db;
            println!("{modulation:?} at {es_n0_db} dB, {ppm} ppm: off by {es_n0_off:.2} dB, {off:.2?}");
            // Ten samples a cycle round off a square's corners, and what is lost there counts as noise.
            let most_db = if modulation == square { 0.6 } else { 0.4 };
            assert!(es_n0_off.abs() < most_db, "{modulation:?} at {es_n0_db} dB: off by {es_n0_off} dB");
            let is_so = off.iter().zip(bounds).all(|(off, bound)| off.abs() < bound);
            assert!(
                is_so,
                "{modulation:?} at {es_n0_db} dB, {ppm} ppm: {off:?}, and no more than {bounds:?} was to be"
            );
        }
    }
}
