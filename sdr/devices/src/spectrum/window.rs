//! By what a segment is weighted.

use std::f64::consts::TAU;

/// A window (F. J. Harris, Proceedings of the IEEE 66, 1978), in its periodic form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// Hann: side lobes from -31 dB on that fall by 18 dB an octave, 1.5 bins of noise, a main lobe of 4 bins.
    Hann,
    /// Blackman–Harris with four terms: side lobes below -92 dB, 2.0 bins of noise, a main lobe of 8 bins.
    BlackmanHarris,
}

impl Window {
    fn terms(self) -> &'static [f64] {
        match self {
            Window::Hann => &[0.5, 0.5],
            Window::BlackmanHarris => &[0.35875, 0.48829, 0.14128, 0.01168],
        }
    }

    /// Bins from the middle of the main lobe to its edge.
    pub fn half_lobe(self) -> usize {
        self.terms().len()
    }

    /// The weights of a segment.
    pub fn weights(self, size: usize) -> Vec<f64> {
        let weight = |number: usize| {
            let terms = self.terms().iter().enumerate();
            terms.fold(0.0, |sum, (order, term)| {
                let sign = if order % 2 == 0 { 1.0 } else { -1.0 };
                sum + sign * term * (TAU * order as f64 * number as f64 / size as f64).cos()
            })
        };
        (0..size).map(weight).collect()
    }

    /// The equivalent noise bandwidth, in bins: the sum of the squared weights by the square of their sum, times their number.
    /// Any length that is more than twice the number of terms has the same.
    pub fn noise_bandwidth(self) -> f64 {
        let terms = self.terms();
        let squares: f64 = terms.iter().skip(1).map(|term| term * term / 2.0).sum();
        (terms[0] * terms[0] + squares) / (terms[0] * terms[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_the_noise_bandwidth_of_harris_table_1() {
        assert!((Window::Hann.noise_bandwidth() - 1.5).abs() < 1e-9);
        assert!((Window::BlackmanHarris.noise_bandwidth() - 2.0044).abs() < 1e-4);
        for window in [Window::Hann, Window::BlackmanHarris] {
            let weights = window.weights(64);
            let (sum, squares) = weights.iter().fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
            assert!((64.0 * squares / (sum * sum) - window.noise_bandwidth()).abs() < 1e-12);
            assert!((weights[32] - 1.0).abs() < 1e-12 && weights[0] < 1e-4, "{weights:?}");
            assert!((1..64).all(|number| (weights[number] - weights[64 - number]).abs() < 1e-12), "it is even");
        }
    }
}
