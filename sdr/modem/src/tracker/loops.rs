//! The loops' arithmetic: gains from bandwidths, and phasors that are turned by them.

use num_complex::Complex;

/// Gains of a loop of second order, damped by 1/√2, with this one-sided bandwidth a step (Mengali and D'Andrea, 5.2).
#[inline(always)]
pub(super) fn second_order(bandwidth: f64) -> (f64, f64) {
    let natural = bandwidth * 1.886;
    (1.414 * natural, natural * natural)
}

/// Gains of a loop of third order (Kaplan and Hegarty, table 5.6).
#[inline(always)]
fn third_order(bandwidth: f64) -> (f64, f64, f64) {
    let natural = bandwidth / 0.7845;
    (2.4 * natural, 1.1 * natural * natural, natural * natural * natural)
}

/// The carrier's phase from strobe to strobe, as the loop believes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carrier {
    /// Turns a strobe back by the phase.
    pub(super) phasor: Complex<f32>,
    /// Radians a strobe, and what that grows by a strobe.
    pub(super) turn: f64,
    pub(super) turn_rate: f64,
}

/// The loop's gains over the detector's, at one bandwidth.
#[derive(Debug, Clone, Copy)]
pub(super) struct CarrierGains {
    bandwidth: f64,
    phase: f64,
    turn: f64,
    rate: f64,
}

impl CarrierGains {
    /// For a one-sided bandwidth a strobe, and errors that are `slope` for each radian.
    #[inline(always)]
    pub(super) fn new(bandwidth: f64, slope: f64) -> Self {
        let (k1, k2, k3) = third_order(bandwidth);
        Self { bandwidth, phase: k1 / slope, turn: k2 / slope, rate: k3 / slope }
    }

    /// In how many strobes, 1 to 8, the loop may be left alone: they are a small part of its time, and the phase turns little in them.
    #[inline(always)]
    pub(super) fn patience(&self, carrier: &Carrier) -> usize {
        let turn = carrier.turn.abs();
        let bears = |strobes: f64| strobes * self.bandwidth <= 0.07 && strobes * turn <= 0.3;
        if bears(8.0) {
            8
        } else if bears(4.0) {
            4
        } else if bears(2.0) {
            2
        } else {
            1
        }
    }
}

impl Carrier {
    /// Goes on by some strobes, whose errors' sum is given.
    #[inline(always)]
    pub(super) fn advance(&mut self, gains: &CarrierGains, strobes: usize, errors: f32) {
        let (n, error) = (strobes as f64, f64::from(errors));
        let step = n * self.turn + 0.5 * n * (n - 1.0) * self.turn_rate + gains.phase * error;
        self.turn = (self.turn + n * self.turn_rate + gains.turn * error).clamp(-0.5, 0.5);
        self.turn_rate += gains.rate * error;
        self.phasor = turned(self.phasor, turned_back(step.clamp(-0.9, 0.9) as f32));
    }

    /// Takes out what rounding does to the phasor's length, and bounds what noise can do.
    #[inline(always)]
    pub(super) fn settle(&mut self) {
        let size = self.phasor.norm_sqr();
        self.phasor = if size.is_finite() && size > 0.25 { self.phasor / size.sqrt() } else { Complex::new(1.0, 0.0) };
        self.turn_rate = self.turn_rate.clamp(-1e-2, 1e-2);
    }
}

#[inline(always)]
pub(super) fn turned(z: Complex<f32>, rotor: Complex<f32>) -> Complex<f32> {
    Complex::new(z.re * rotor.re - z.im * rotor.im, z.re * rotor.im + z.im * rotor.re)
}

/// e^(−jx) of a small angle, to 1e-3 at 0.9.
#[inline(always)]
fn turned_back(x: f32) -> Complex<f32> {
    let square = x * x;
    Complex::new(1.0 - 0.5 * square * (1.0 - square / 12.0), -x * (1.0 - square / 6.0 * (1.0 - square / 20.0)))
}
