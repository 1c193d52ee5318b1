//! Pulses: the shape that a strobe's amplitude has on the air, and what of it a matched filter picks up.
//!
//! Time is counted in strobes (a symbol; for OQPSK half of one), zero in the middle of the pulse. The energy of a pulse is 1.

use crate::config::{Modulation, SubcarrierShape};
use crate::theory::q_function;
use std::f64::consts::{FRAC_PI_2, PI, SQRT_2};

/// Points of a tabled pulse a strobe.
const GRID: usize = 256;

#[derive(Debug, Clone)]
pub(crate) enum Pulse {
    /// Root raised cosine (Proakis 9.2-20) whose symbols last `period` strobes.
    Rrc { roll_off: f64, period: f64 },
    /// One symbol of the subcarrier.
    Subcarrier { shape: SubcarrierShape, cycles: f64 },
    /// Values on a grid of [`GRID`] a strobe, symmetric about its middle, linear between.
    Table { half_span: f64, values: Vec<f64> },
}

impl Pulse {
    pub(crate) fn of(modulation: &Modulation, roll_off: f64) -> Self {
        match *modulation {
            Modulation::Bpsk | Modulation::Qpsk | Modulation::Psk8 => Self::Rrc { roll_off, period: 1.0 },
            Modulation::Oqpsk => Self::Rrc { roll_off, period: 2.0 },
            Modulation::Gmsk { bandwidth_time } => gmsk_pulse(bandwidth_time),
            Modulation::ResidualCarrier { subcarrier, .. } => {
                Self::Subcarrier { shape: subcarrier.shape, cycles: f64::from(subcarrier.cycles_per_symbol) }
            }
        }
    }

    /// The pulse is zero further from its middle than this many strobes.
    pub(crate) fn half_span(&self) -> f64 {
        match self {
            // The tails fall as 1/(α t²): 4/α symbols leave less than -45 dB of intersymbol interference.
            Self::Rrc { roll_off, period } => period * (4.0 / roll_off).ceil().clamp(6.0, 32.0),
            Self::Subcarrier { .. } => 0.5,
            Self::Table { half_span, .. } => *half_span,
        }
    }

    /// Amplitude at `u` strobes from its middle.
    pub(crate) fn at(&self, u: f64) -> f64 {
        if u.abs() > self.half_span() {
            return 0.0;
        }
        match self {
            Self::Rrc { roll_off, period } => root_raised_cosine(u / period, *roll_off) / period.sqrt(),
            Self::Subcarrier { shape, cycles } => {
                subcarrier(*shape, *cycles, u + 0.5) * if *shape == SubcarrierShape::Sine { SQRT_2 } else { 1.0 }
            }
            Self::Table { half_span, values } => {
                let x = (u + half_span) * GRID as f64;
                let i = (x as usize).min(values.len() - 1);
                let next = values[(i + 1).min(values.len() - 1)];
                values[i] + (next - values[i]) * (x - i as f64)
            }
        }
    }

    /// A filter's tap for a sample that lies `u` strobes from the middle and lasts `width`: a wave with corners is averaged over the sample,
    /// or the filter would not notice where between two samples the corner is.
    pub(crate) fn tap(&self, u: f64, width: f64) -> f64 {
        match self {
            Self::Subcarrier { .. } => {
                (0..16).map(|i| self.at(u + width * ((f64::from(i) + 0.5) / 16.0 - 0.5))).sum::<f64>() / 16.0
            }
            _ => self.at(u),
        }
    }

    /// What a filter matched to the pulse answers, `lag` strobes from its middle.
    pub(crate) fn autocorrelation(&self, lag: f64) -> f64 {
        let (half, step) = (self.half_span(), 1.0 / 512.0);
        let steps = (2.0 * half / step) as usize;
        (0..steps).map(|i| -half + (i as f64 + 0.5) * step).map(|u| self.at(u) * self.at(u + lag)).sum::<f64>() * step
    }

    /// The filter to receive the pulse with. GMSK's neighbours on the same rail overlap; the next but one strobes are taken out to first order.
    pub(crate) fn receive(&self) -> Self {
        let Self::Table { half_span, .. } = self else { return self.clone() };
        let leak = self.autocorrelation(2.0);
        tabled(half_span + 2.0, |u| self.at(u) - leak * (self.at(u - 2.0) + self.at(u + 2.0)))
    }
}

/// The subcarrier `t` symbols after the beginning of a symbol.
pub(crate) fn subcarrier(shape: SubcarrierShape, cycles: f64, t: f64) -> f64 {
    let turns = (t * cycles).rem_euclid(1.0);
    match shape {
        SubcarrierShape::Sine => (2.0 * PI * turns).sin(),
        SubcarrierShape::Square => {
            if turns < 0.5 {
                1.0
            } else {
                -1.0
            }
        }
    }
}

/// A root-raised-cosine pulse of unit energy for symbols of unit length.
fn root_raised_cosine(t: f64, a: f64) -> f64 {
    if t.abs() < 1e-9 {
        return 1.0 - a + 4.0 * a / PI;
    }
    let x = 4.0 * a * t;
    if (x.abs() - 1.0).abs() < 1e-7 {
        let (s, c) = (PI / (4.0 * a)).sin_cos();
        return a / SQRT_2 * ((1.0 + 2.0 / PI) * s + (1.0 - 2.0 / PI) * c);
    }
    ((PI * t * (1.0 - a)).sin() + x * (PI * t * (1.0 + a)).cos()) / (PI * t * (1.0 - x * x))
}

fn tabled(half_span: f64, shape: impl Fn(f64) -> f64) -> Pulse {
    let points = (2.0 * half_span * GRID as f64) as usize + 1;
    let mut values: Vec<f64> = (0..points).map(|i| shape(i as f64 / GRID as f64 - half_span)).collect();
    let energy = values.iter().map(|v| v * v).sum::<f64>() / GRID as f64;
    values.iter_mut().for_each(|v| *v /= energy.sqrt());
    Pulse::Table { half_span, values }
}

/// Bits that one bit's frequency pulse reaches over.
pub(crate) fn gmsk_reach(bandwidth_time: f64) -> usize {
    (1.0 / bandwidth_time).ceil() as usize + 1
}

/// The phase that one bit of GMSK adds, as a share of 90°, `t` bits after its pulse begins: 0 to 1 over [`gmsk_reach`] bits.
pub(crate) fn gmsk_phase(bandwidth_time: f64) -> impl Fn(f64) -> f64 {
    let reach = gmsk_reach(bandwidth_time);
    let points = reach * GRID;
    let k = 2.0 * PI * bandwidth_time / std::f64::consts::LN_2.sqrt();
    let mut sums = vec![0.0; points + 1];
    for i in 0..points {
        let t = (i as f64 + 0.5) / GRID as f64 - reach as f64 / 2.0;
        sums[i + 1] = sums[i] + q_function(k * (t - 0.5)) - q_function(k * (t + 0.5));
    }
    let all = sums[points];
    move |t: f64| {
        if t <= 0.0 {
            return 0.0;
        }
        let x = t * GRID as f64;
        let i = x as usize;
        if i >= points { 1.0 } else { (sums[i] + (sums[i + 1] - sums[i]) * (x - i as f64)) / all }
    }
}

/// The first pulse of Laurent's decomposition (IEEE Trans. Comm. 34, 1986), which holds nearly all the energy.
fn gmsk_pulse(bandwidth_time: f64) -> Pulse {
    let reach = gmsk_reach(bandwidth_time);
    let phase = gmsk_phase(bandwidth_time);
    let length = reach as f64;
    let factor = |t: f64| {
        let psi = if t < length { FRAC_PI_2 * phase(t) } else { FRAC_PI_2 * (1.0 - phase(t - length)) };
        psi.sin()
    };
    let half = (length + 1.0) / 2.0;
    tabled(half, |u| (0..reach).map(|i| factor((u + half).clamp(0.0, length + 1.0) + i as f64)).product())
}

/// The least squared distance of two GMSK sequences, in units of the bit energy: 2 for MSK and for antipodal signals.
pub(crate) fn gmsk_least_distance(bandwidth_time: f64) -> f64 {
    let reach = gmsk_reach(bandwidth_time) as f64;
    let phase = gmsk_phase(bandwidth_time);
    let step = 1.0 / 512.0;
    let steps = ((reach + 1.0) / step) as usize;
    // One bit differs and the next makes up for it.
    (0..steps).map(|i| (i as f64 + 0.5) * step).map(|t| 1.0 - (PI * (phase(t) - phase(t - 1.0))).cos()).sum::<f64>()
        * step
}

/// Amplitude of the data, as a matched filter sees it, in a residual-carrier signal of power 1.
pub(crate) fn data_amplitude(index_rad: f64, shape: SubcarrierShape) -> f64 {
    match shape {
        SubcarrierShape::Square => index_rad.sin(),
        SubcarrierShape::Sine => SQRT_2 * bessel(index_rad, true),
    }
}

/// Amplitude of what is left of the carrier.
pub(crate) fn carrier_amplitude(index_rad: f64, shape: SubcarrierShape) -> f64 {
    match shape {
        SubcarrierShape::Square => index_rad.cos(),
        SubcarrierShape::Sine => bessel(index_rad, false),
    }
}

/// J1 or J0, by their integrals over half a turn (Abramowitz and Stegun 9.1.21).
fn bessel(x: f64, first: bool) -> f64 {
    let steps = 256;
    (0..steps)
        .map(|i| (i as f64 + 0.5) * PI / f64::from(steps))
        .map(|t| (if first { t } else { 0.0 } - x * t.sin()).cos())
        .sum::<f64>()
        / f64::from(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulses_have_unit_energy_and_no_interference() {
        for roll_off in [0.1, 0.2, 0.25, 0.35, 0.5, 1.0] {
            for period in [1.0, 2.0] {
                let pulse = Pulse::Rrc { roll_off, period };
                assert!((pulse.autocorrelation(0.0) - 1.0).abs() < 2e-3, "{roll_off}");
                let isi: f64 = (1..20).map(|k| 2.0 * pulse.autocorrelation(period * f64::from(k)).powi(2)).sum();
                assert!(isi < 3e-5, "{roll_off}: {isi}");
            }
        }
    }

    #[test]
    fn bessel_functions_agree_with_tables() {
        // Abramowitz and Stegun, table 9.1.
        assert!((bessel(1.0, false) - 0.765_197_686_6).abs() < 1e-9);
        assert!((bessel(1.0, true) - 0.440_050_585_7).abs() < 1e-9);
    }
}
