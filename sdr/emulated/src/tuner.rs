//! The receiver's mixer and filter: a signal that was sent at another frequency than the receiver is tuned to.

use std::f64::consts::{PI, TAU};

use num_complex::{Complex32, Complex64};

/// Quality factors of the three sections of a Butterworth filter of order 6: 1 / (2 cos θ), θ = 15°, 45°, 75°.
const QUALITIES: [f64; 3] = [0.517_638_090_205_041_5, std::f64::consts::FRAC_1_SQRT_2, 1.931_851_652_578_136_8];

/// Shifts a signal by the difference of two frequencies and keeps what is then within the band, from minus half the rate to half the rate.
///
/// With an offset of Δ, what the transmitter's band and the receiver's have in common is as wide as the rate less |Δ|. It is cut out by a
/// Butterworth low-pass of order 6 (3 dB down at its edge) between two mixers of Δ/2 each, so an offset that goes to 0 leaves the
/// samples as they are, without delay. With no offset they pass bit for bit, and from |Δ| = rate on nothing does.
#[derive(Debug, Default)]
pub(crate) struct Tuner {
    /// Cycles a sample.
    offset: f64,
    /// Of the oscillator at Δ/2, in cycles, below 1.
    phase: f64,
    sections: [Section; 3],
}

impl Tuner {
    /// Sets the offset, in cycles a sample: the transmitter's frequency less the receiver's, over the rate.
    pub(crate) fn tune(&mut self, offset: f64) {
        if offset == self.offset {
            return;
        }
        self.offset = offset;
        if offset.abs() < 1.0 {
            let edge = (1.0 - offset.abs()) / 2.0;
            for (section, quality) in self.sections.iter_mut().zip(QUALITIES) {
                section.design(edge, quality);
            }
        }
    }

    pub(crate) fn receive(&mut self, samples: &mut [Complex32]) {
        if self.offset == 0.0 {
            return;
        }
        if self.offset.abs() >= 1.0 {
            samples.fill(Complex32::ZERO);
            self.sections.iter_mut().for_each(|section| section.state = [Complex64::ZERO; 2]);
            self.phase = (self.phase + (self.offset / 2.0) * samples.len() as f64).rem_euclid(1.0);
            return;
        }
        for sample in samples {
            let turn = Complex64::cis(TAU * self.phase);
            let mut value = Complex64::new(f64::from(sample.re), f64::from(sample.im)) * turn;
            for section in &mut self.sections {
                value = section.next(value);
            }
            value *= turn;
            *sample = Complex32::new(value.re as f32, value.im as f32);
            self.phase = (self.phase + self.offset / 2.0).rem_euclid(1.0);
        }
    }
}

/// A section of second order, by the bilinear transform, in transposed direct form II.
#[derive(Clone, Copy, Debug, Default)]
struct Section {
    numerator: [f64; 3],
    denominator: [f64; 2],
    state: [Complex64; 2],
}

impl Section {
    /// `edge` is in cycles a sample, above 0 and below a half.
    fn design(&mut self, edge: f64, quality: f64) {
        // Sines and cosines instead of the tangent, which has no bound towards half the rate.
        let (sin, cos) = (PI * edge).sin_cos();
        let (low, middle, high) = (sin * sin, sin * cos / quality, cos * cos);
        let scale = 1.0 / (low + middle + high);
        self.numerator = [low * scale, 2.0 * low * scale, low * scale];
        self.denominator = [2.0 * (low - high) * scale, (low - middle + high) * scale];
    }

    fn next(&mut self, input: Complex64) -> Complex64 {
        let output = input * self.numerator[0] + self.state[0];
        self.state[0] = input * self.numerator[1] - output * self.denominator[0] + self.state[1];
        self.state[1] = input * self.numerator[2] - output * self.denominator[1];
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(cycles_a_sample: f64, count: usize) -> Vec<Complex32> {
        (0..count)
            .map(|n| {
                let turn = Complex64::cis(TAU * cycles_a_sample * n as f64);
                Complex32::new(turn.re as f32, turn.im as f32)
            })
            .collect()
    }

    /// Amplitude at a frequency, over the second half, where the filter has settled.
    fn amplitude(samples: &[Complex32], cycles_a_sample: f64) -> f64 {
        let half = samples.len() / 2;
        let sum: Complex64 = (half..samples.len())
            .map(|n| {
                let sample = Complex64::new(f64::from(samples[n].re), f64::from(samples[n].im));
                sample * Complex64::cis(-TAU * cycles_a_sample * n as f64)
            })
            .sum();
        sum.norm() / half as f64
    }

    fn through(offset: f64, mut samples: Vec<Complex32>) -> Vec<Complex32> {
        let mut tuner = Tuner::default();
        tuner.tune(offset);
        samples.chunks_mut(100).for_each(|part| tuner.receive(part));
        samples
    }

    #[test]
    fn without_an_offset_samples_pass_bit_for_bit() {
        let sent = tone(0.1234, 500);
        assert_eq!(through(0.0, sent.clone()), sent);
    }

    #[test]
    fn a_tone_comes_at_its_frequency_less_the_receivers() {
        for (offset, at) in [(0.25, 0.0), (-0.3, 0.1), (0.6, -0.3), (1e-5, 0.4), (-0.9, 0.45)] {
            let got = through(offset, tone(at, 20_000));
            let here = amplitude(&got, at + offset);
            assert!((here - 1.0).abs() < 0.05, "offset {offset}, tone {at}: {here}");
        }
    }

    #[test]
    fn what_leaves_the_band_does_not_fold_back_into_it() {
        for (offset, at) in [(0.25, 0.45), (-0.5, -0.3), (0.9, 0.2)] {
            let got = through(offset, tone(at, 20_000));
            let folded = amplitude(&got, at + offset);
            assert!(folded < 0.05, "offset {offset}, tone {at}: {folded}");
        }
    }

    #[test]
    fn beyond_the_band_there_is_nothing() {
        for offset in [1.0, -1.0, 7.3, -1e6] {
            assert!(through(offset, tone(0.1, 300)).iter().all(|sample| *sample == Complex32::ZERO));
        }
    }

    #[test]
    fn retuning_back_to_no_offset_leaves_nothing_behind() {
        let mut tuner = Tuner::default();
        let sent = tone(0.05, 400);
        let mut got = sent.clone();
        tuner.tune(0.2);
        tuner.receive(&mut got[..200]);
        tuner.tune(0.0);
        tuner.receive(&mut got[200..]);
        assert_eq!(got[200..], sent[200..]);
        assert!(got.iter().all(|s| s.re.is_finite() && s.im.is_finite()));
    }
}
