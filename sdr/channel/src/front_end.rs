//! What a receiver's front end does to samples: unequal axes, an offset, and a converter of so many bits.

use num_complex::Complex32;

use crate::error::{ConfigError, within};
use crate::vector::Instructions;

/// What a front end is like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FrontEndConfig {
    /// Gain of Q over that of I in dB, from −20 to 20. The mean power of both stays what it was.
    pub imbalance_db: f64,
    /// By how many degrees Q is turned from a right angle to I, from −45 to 45; half of it on each axis.
    pub quadrature_error_deg: f64,
    /// What is added to each sample, on I and on Q.
    pub dc: (f64, f64),
    /// The converter. Without one, samples stay as they are.
    pub converter: Option<ConverterConfig>,
}

/// An analogue-to-digital converter on each axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConverterConfig {
    /// Bits of each axis, from 1 to 24. There are 2ᵇ levels, half a step from 0 the nearest, so that no value is 0.
    pub bits: u32,
    /// Levels lie between minus this and this; what is beyond is clipped, and counted.
    pub full_scale: f64,
}

/// A front end.
#[derive(Clone, Debug)]
pub struct FrontEnd {
    /// What I and Q come to: real and imaginary part of each.
    in_phase: (f32, f32),
    quadrature: (f32, f32),
    dc: (f32, f32),
    converter: Option<Converter>,
    clipped: u64,
    instructions: Instructions,
}

#[derive(Clone, Copy, Debug)]
struct Converter {
    per_unit: f32,
    step: f32,
    highest: f32,
}

impl FrontEnd {
    /// A front end.
    ///
    /// # Errors
    /// A number outside its range.
    pub fn new(config: &FrontEndConfig) -> Result<Self, ConfigError> {
        let db = within("front_end.imbalance_db", config.imbalance_db, -20.0..=20.0, "from -20 to 20, in dB")?;
        let words = "from -45 to 45, in degrees";
        let deg = within("front_end.quadrature_error_deg", config.quadrature_error_deg, -45.0..=45.0, words)?;
        let dc_i = within("front_end.dc.0", config.dc.0, -1e9..=1e9, "from -1e9 to 1e9")?;
        let dc_q = within("front_end.dc.1", config.dc.1, -1e9..=1e9, "from -1e9 to 1e9")?;
        let gain = 10f64.powf(db / 20.0);
        let whole = (2.0 / (1.0 + gain * gain)).sqrt();
        let half = (deg / 2.0).to_radians();
        let axis = |gain: f64, a: f64, b: f64| ((gain * a) as f32, (gain * b) as f32);
        let converter = config.converter.map(|converter| {
            let bits =
                within("front_end.converter.bits", f64::from(converter.bits), 1.0..=24.0, "from 1 to 24")? as i32;
            let words = "from 1e-9 to 1e9";
            let full = within("front_end.converter.full_scale", converter.full_scale, 1e-9..=1e9, words)?;
            let levels = 2f64.powi(bits - 1);
            Ok::<_, ConfigError>(Converter {
                per_unit: (levels / full) as f32,
                step: (full / levels) as f32,
                highest: (levels - 1.0) as f32,
            })
        });
        Ok(FrontEnd {
            in_phase: axis(whole, half.cos(), half.sin()),
            quadrature: axis(whole * gain, half.sin(), half.cos()),
            dc: (dc_i as f32, dc_q as f32),
            converter: converter.transpose()?,
            clipped: 0,
            instructions: Instructions::fastest(),
        })
    }

    /// The same front end by other instructions.
    #[must_use]
    pub fn with(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions;
        self
    }

    /// How many values, of I and of Q, were clipped so far.
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// Passes the samples that come next.
    pub fn apply(&mut self, samples: &mut [Complex32]) {
        let (i, q, dc) = (self.in_phase, self.quadrature, self.dc);
        let converter = self.converter;
        self.clipped += self.instructions.run(
            #[inline(always)]
            || {
                for s in samples.iter_mut() {
                    *s = Complex32::new(i.0 * s.re + i.1 * s.im + dc.0, q.0 * s.re + q.1 * s.im + dc.1);
                }
                match converter {
                    None => 0,
                    Some(converter) => convert(converter, pulp::bytemuck::cast_slice_mut(samples)),
                }
            },
        );
    }
}

/// Rounds values to levels, and counts those beyond the highest.
#[inline(always)]
fn convert(converter: Converter, values: &mut [f32]) -> u64 {
    let mut clipped = 0u64;
    // A count of 32 bits is as wide as a sample, and cannot overflow in so few.
    for values in values.chunks_mut(1 << 16) {
        let mut count = 0u32;
        for value in values {
            let level = (*value * converter.per_unit).floor();
            let beyond = !(level >= -1.0 - converter.highest && level <= converter.highest);
            count += u32::from(beyond);
            // What is no number goes to the lowest level.
            let level = if level >= -1.0 - converter.highest { level } else { -1.0 - converter.highest };
            let level = if level <= converter.highest { level } else { converter.highest };
            *value = (level + 0.5) * converter.step;
        }
        clipped += u64::from(count);
    }
    clipped
}
