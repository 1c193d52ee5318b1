//! What comes out depends on the samples alone: not on how they are cut, nor on the processor's instructions.
mod common;

use common::{add_noise, modulated, random_bits, rng, shift};
use farlink_modem::{Modulation, Modulator, Output, Receiver, ReceiverConfig, Signal, Subcarrier, SubcarrierShape};
use num_complex::Complex;
use rand::RngExt;

fn signals() -> Vec<Signal> {
    let wave = Subcarrier { shape: SubcarrierShape::Sine, cycles_per_symbol: 4 };
    [
        (Modulation::Bpsk, 2.0),
        (Modulation::Bpsk, 2.73),
        (Modulation::Bpsk, 13.37),
        (Modulation::Qpsk, 2.5),
        (Modulation::Psk8, 3.0),
        (Modulation::Oqpsk, 2.3),
        (Modulation::Gmsk { bandwidth_time: 0.5 }, 4.0),
        (Modulation::ResidualCarrier { index_rad: 1.1, subcarrier: wave }, 33.3),
    ]
    .map(|(modulation, sps)| Signal { modulation, roll_off: 0.5, symbol_rate_hz: 100e3, sample_rate_hz: 100e3 * sps })
    .to_vec()
}

fn received(mut receiver: Receiver, pieces: &[&[Complex<f32>]]) -> (Output, Receiver) {
    let mut out = Output::default();
    for piece in pieces {
        receiver.process(piece, &mut out);
    }
    receiver.finish(&mut out);
    (out, receiver)
}

#[test]
fn pieces_and_processors_make_no_difference() {
    for signal in signals() {
        let bits = random_bits(1, 30_000 * signal.modulation.bits_per_symbol() as usize);
        let mut samples = modulated(&signal, &bits);
        shift(&mut samples, signal.sample_rate_hz, 0.1, 7e3, 500.0);
        add_noise(&mut samples, signal.samples_per_symbol(), 12.0, 2);
        let config = ReceiverConfig::new(signal);
        let (whole, receiver) = received(Receiver::new(&config).unwrap(), &[&samples]);
        assert!(receiver.status().locked && whole.soft.len() > bits.len() / 2, "{signal:?}");
        let mut rng = rng(9);
        let (mut rest, mut pieces) = (&samples[..], vec![]);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rng.random_range(0..3000).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let (cut, cut_receiver) = received(Receiver::new(&config).unwrap(), &pieces);
        assert!(cut == whole && cut_receiver.status() == receiver.status(), "{signal:?}: pieces");
        let (portable, _) = received(Receiver::portable(&config).unwrap(), &[&samples]);
        assert!(portable == whole, "{signal:?}: portable");
    }
}

#[test]
fn a_modulator_does_not_care_how_bits_come() {
    for signal in signals() {
        let bits = random_bits(2, 5000);
        let whole = modulated(&signal, &bits);
        let mut modulator = Modulator::new(&signal).unwrap();
        let mut pieces = Vec::new();
        for piece in bits.chunks(7) {
            modulator.modulate(piece, &mut pieces);
        }
        modulator.finish(&mut pieces);
        assert!(pieces == whole, "{signal:?}");
    }
}

#[test]
fn mean_power_is_one_and_the_first_symbol_is_where_it_is_said_to_be() {
    for signal in signals() {
        let bits = random_bits(3, 24_000);
        let samples = modulated(&signal, &bits);
        let inner = &samples[1000..samples.len() - 1000];
        let power = inner.iter().map(|s| f64::from(s.norm_sqr())).sum::<f64>() / inner.len() as f64;
        assert!((power - 1.0).abs() < 0.015, "{signal:?}: {power}");
        let delay = Modulator::new(&signal).unwrap().delay_symbols();
        let symbols = 24_000.0 / f64::from(signal.modulation.bits_per_symbol());
        let expected = (symbols - 1.0 + 2.0 * delay) * signal.samples_per_symbol();
        assert!((samples.len() as f64 - expected).abs() < 3.0 * signal.samples_per_symbol(), "{signal:?}");
    }
}

#[test]
fn whole_and_broken_ratios_give_the_same_wave() {
    for modulation in [Modulation::Qpsk, Modulation::Oqpsk, Modulation::Gmsk { bandwidth_time: 0.5 }] {
        let bits = random_bits(4, 2000);
        let at = |sample_rate_hz| {
            modulated(&Signal { modulation, roll_off: 0.35, symbol_rate_hz: 1.0, sample_rate_hz }, &bits)
        };
        let (whole, fine) = (at(4.0), at(4.0 * (1.0 - 1e-8)));
        let worst = whole.iter().zip(&fine).map(|(a, b)| (a - b).norm()).fold(0.0, f32::max);
        // The pulse ends at -50 dB, one sample earlier or later.
        assert!(worst < 5e-3, "{modulation:?}: {worst}");
    }
}
