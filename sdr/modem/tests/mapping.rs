//! Which bits are which points, seen in the samples themselves (CCSDS 401.0-B, 2.4.10 and 2.4.17A).
mod common;

use common::{modulated, random_bits};
use farlink_modem::{Modulation, Modulator, Signal, Subcarrier, SubcarrierShape};

fn at_middles(modulation: Modulation, bits: &[u8], sps: usize) -> Vec<num_complex::Complex<f32>> {
    let signal = Signal { modulation, roll_off: 0.5, symbol_rate_hz: 1.0, sample_rate_hz: sps as f64 };
    let delay = Modulator::new(&signal).unwrap().delay_symbols();
    let samples = modulated(&signal, bits);
    let count = bits.len() / modulation.bits_per_symbol() as usize;
    (0..count).map(|k| samples[((k as f64 + delay) * sps as f64).round() as usize]).collect()
}

#[test]
fn phases_of_single_symbols() {
    let degrees = |z: num_complex::Complex<f32>| z.arg().to_degrees().rem_euclid(360.0).round() as i32;
    for (bits, phase) in [([0], 0), ([1], 180)] {
        assert_eq!(degrees(at_middles(Modulation::Bpsk, &bits, 8)[0]) % 360, phase);
    }
    for (bits, phase) in [([0, 0], 45), ([1, 0], 135), ([1, 1], 225), ([0, 1], 315)] {
        assert_eq!(degrees(at_middles(Modulation::Qpsk, &bits, 8)[0]), phase);
    }
    let gray = [[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 1, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1], [1, 0, 0]];
    for (i, bits) in gray.iter().enumerate() {
        assert_eq!(degrees(at_middles(Modulation::Psk8, bits, 8)[0]) % 360, 45 * i as i32);
    }
}

#[test]
fn oqpsk_has_q_half_a_symbol_later() {
    let signal = Signal { modulation: Modulation::Oqpsk, roll_off: 0.5, symbol_rate_hz: 1.0, sample_rate_hz: 8.0 };
    let samples = modulated(&signal, &[0, 1]);
    let top = |f: fn(&num_complex::Complex<f32>) -> f32| {
        (0..samples.len()).max_by(|a, b| f(&samples[*a]).total_cmp(&f(&samples[*b]))).unwrap()
    };
    assert_eq!(top(|z| -z.im) - top(|z| z.re), 4);
}

#[test]
fn precoded_gmsk_puts_bits_on_i_and_q_in_turn() {
    for bandwidth_time in [0.25, 0.5] {
        let bits = random_bits(8, 400);
        let points = at_middles(Modulation::Gmsk { bandwidth_time }, &bits, 16);
        // A bit's quarter turn is half done in the middle of its pulse, and done half a bit later, where its rail is read.
        let signal = Signal {
            modulation: Modulation::Gmsk { bandwidth_time },
            roll_off: 0.5,
            symbol_rate_hz: 1.0,
            sample_rate_hz: 16.0,
        };
        let delay = Modulator::new(&signal).unwrap().delay_symbols();
        let samples = modulated(&signal, &bits);
        assert_eq!(points.len(), bits.len());
        let reads: Vec<_> =
            (0..bits.len()).map(|k| samples[((k as f64 + 0.5 + delay) * 16.0).round() as usize]).collect();
        let hard = |k: usize| u8::from(if k.is_multiple_of(2) { reads[k].im } else { reads[k].re } < 0.0);
        for parity in 0..2 {
            let same = (parity..bits.len()).step_by(2).filter(|k| hard(*k) == bits[*k]).count();
            assert!(same == 0 || same == bits.len() / 2, "BT {bandwidth_time}: {same} of {}", bits.len() / 2);
        }
        assert!(samples.iter().all(|s| (s.norm() - 1.0).abs() < 1e-3), "the envelope is constant");
    }
}

#[test]
fn what_is_left_of_the_carrier() {
    // cos²(m) with a square subcarrier, J0²(m) with a sine: 0.2919 and 0.5855 at 1 rad.
    for (shape, expected) in [(SubcarrierShape::Square, 0.2919), (SubcarrierShape::Sine, 0.5855)] {
        let subcarrier = Subcarrier { shape, cycles_per_symbol: 4 };
        let signal = Signal {
            modulation: Modulation::ResidualCarrier { index_rad: 1.0, subcarrier },
            roll_off: 0.5,
            symbol_rate_hz: 1.0,
            sample_rate_hz: 64.0,
        };
        let samples = modulated(&signal, &random_bits(5, 2000));
        let mean = samples.iter().sum::<num_complex::Complex<f32>>() / samples.len() as f32;
        assert!((f64::from(mean.norm_sqr()) - expected).abs() < 1e-3, "{shape:?}: {mean}");
        assert!((farlink_modem::theory::carrier_power(1.0, shape) - expected).abs() < 1e-4);
    }
}
