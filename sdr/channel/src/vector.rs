//! Loops over samples, compiled once for the processor that runs them and once for any.
//!
//! Both are the same Rust, operation by operation: nothing is fused and nothing is reordered, so they give the same bits.

/// Which instructions a part uses. The answers do not depend on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Instructions(Kind);

#[derive(Clone, Copy, Debug, Default)]
enum Kind {
    #[default]
    Portable,
    Vector(pulp::Arch),
}

impl Instructions {
    /// The widest that this processor has, as found now.
    pub fn fastest() -> Self {
        Instructions(Kind::Vector(pulp::Arch::new()))
    }

    /// Those that every processor of the target has.
    pub fn portable() -> Self {
        Instructions(Kind::Portable)
    }

    /// Runs a loop. What it calls has to be `#[inline(always)]` to be compiled for these instructions.
    #[inline(always)]
    pub(crate) fn run<R>(self, work: impl FnOnce() -> R) -> R {
        match self.0 {
            Kind::Portable => work(),
            Kind::Vector(arch) => arch.dispatch(work),
        }
    }
}

/// Sine and cosine of an angle in units of 2⁻³² turns, to 1.2e-7.
#[inline(always)]
pub(crate) fn sin_cos(turns: u32) -> (f32, f32) {
    // The nearest quarter, and what is left of it: −π/4 to π/4.
    let quarter = turns.wrapping_add(1 << 29) >> 30;
    let rest = turns.wrapping_sub(quarter << 30) as i32 as f32 * (std::f32::consts::FRAC_PI_2 / (1u32 << 30) as f32);
    let square = rest * rest;
    // Taylor's series: the terms left out are below 2e-9 and 3e-8.
    let sine = rest
        * (1.0
            + square * (-1.0 / 6.0 + square * (1.0 / 120.0 + square * (-1.0 / 5040.0 + square * (1.0 / 362_880.0)))));
    let cosine = 1.0 + square * (-0.5 + square * (1.0 / 24.0 + square * (-1.0 / 720.0 + square * (1.0 / 40_320.0))));
    // Odd quarters change places; signs go into the highest bit.
    let swap = 0u32.wrapping_sub(quarter & 1);
    let (s, c) = (sine.to_bits(), cosine.to_bits());
    let (s, c) = ((s & !swap) | (c & swap), (c & !swap) | (s & swap));
    let sine_sign = (quarter & 2) << 30;
    let cosine_sign = (quarter.wrapping_add(1) & 2) << 30;
    (f32::from_bits(s ^ sine_sign), f32::from_bits(c ^ cosine_sign))
}

/// The natural logarithm of a positive normal number, to 3e-7 of itself.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    // x = 2^exponent · (1 + f), with 1 + f from √½ to √2.
    let bits = x.to_bits().wrapping_sub(SQRT_HALF);
    let exponent = (bits as i32 >> 23) as f32;
    let f = f32::from_bits((bits & 0x007f_ffff) + SQRT_HALF) - 1.0;
    // ln(1 + f) = 2 artanh(f / (2 + f)); the terms left out are below 1e-9.
    let s = f / (2.0 + f);
    let square = s * s;
    let series = 2.0 + square * (2.0 / 3.0 + square * (2.0 / 5.0 + square * (2.0 / 7.0 + square * (2.0 / 9.0))));
    exponent * std::f32::consts::LN_2 + s * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_cosine_are_right_all_around() {
        let mut worst = 0f64;
        for step in 0..1_000_003u64 {
            let turns = (step * 4295 + 17) as u32;
            let angle = f64::from(turns) / 2f64.powi(32) * std::f64::consts::TAU;
            let (sine, cosine) = sin_cos(turns);
            worst = worst.max((f64::from(sine) - angle.sin()).abs()).max((f64::from(cosine) - angle.cos()).abs());
        }
        assert!(worst < 1.2e-7, "{worst:e}");
        assert_eq!([sin_cos(0), sin_cos(1 << 30), sin_cos(1 << 31)].map(|(_, c)| c.round()), [1.0, 0.0, -1.0]);
    }

    #[test]
    fn the_logarithm_is_right_over_what_a_uniform_number_takes() {
        for step in 1..1_000_000u32 {
            for x in [step as f32 * 1e-6, 2f32.powi(-31) * step as f32, 1.0 - step as f32 * 2f32.powi(-24)] {
                let exact = f64::from(x).ln();
                let error = (f64::from(ln(x)) - exact).abs();
                assert!(error <= 3e-7 * exact.abs(), "ln {x}: {error:e}");
            }
        }
        assert_eq!(ln(1.0), 0.0);
    }
}
