//! How a complex sample stands in a file.

use num_complex::Complex32;

/// How a complex sample stands in a file, by the names that SigMF gives them: the real part first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SampleFormat {
    /// `cf32_le`: two IEEE 754 singles, full scale 1, little-endian.
    Cf32Le,
    /// `ci16_le`: two 16-bit integers, full scale 32768, little-endian.
    Ci16Le,
}

/// Full scale of `ci16_le`: a power of two, so that integers come back as they were.
const FULL_SCALE: f32 = 32768.0;

impl SampleFormat {
    /// All of them.
    pub const ALL: [SampleFormat; 2] = [SampleFormat::Cf32Le, SampleFormat::Ci16Le];

    /// SigMF's name of it (SigMF 1.2, "Dataset Format").
    pub fn name(self) -> &'static str {
        match self {
            SampleFormat::Cf32Le => "cf32_le",
            SampleFormat::Ci16Le => "ci16_le",
        }
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<SampleFormat> {
        SampleFormat::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Octets of a sample.
    pub fn sample_octets(self) -> usize {
        match self {
            SampleFormat::Cf32Le => 8,
            SampleFormat::Ci16Le => 4,
        }
    }

    /// Appends samples to octets and tells how many were clipped: those beyond full scale, or not a number (which become 0),
    /// where the format cannot hold them.
    pub fn encode(self, samples: &[Complex32], octets: &mut Vec<u8>) -> u64 {
        octets.reserve(samples.len() * self.sample_octets());
        let mut clipped = 0;
        for sample in samples {
            match self {
                SampleFormat::Cf32Le => {
                    octets.extend(sample.re.to_le_bytes());
                    octets.extend(sample.im.to_le_bytes());
                }
                SampleFormat::Ci16Le => {
                    let (re, re_clipped) = integer(sample.re);
                    let (im, im_clipped) = integer(sample.im);
                    octets.extend(re.to_le_bytes());
                    octets.extend(im.to_le_bytes());
                    clipped += u64::from(re_clipped || im_clipped);
                }
            }
        }
        clipped
    }

    /// Reads samples from octets, as many as both hold whole, and tells how many.
    pub fn decode(self, octets: &[u8], samples: &mut [Complex32]) -> usize {
        match self {
            SampleFormat::Cf32Le => {
                let octets = octets.as_chunks::<8>().0;
                for (sample, [a, b, c, d, e, f, g, h]) in samples.iter_mut().zip(octets) {
                    *sample =
                        Complex32::new(f32::from_le_bytes([*a, *b, *c, *d]), f32::from_le_bytes([*e, *f, *g, *h]));
                }
                octets.len().min(samples.len())
            }
            SampleFormat::Ci16Le => {
                let octets = octets.as_chunks::<4>().0;
                for (sample, [a, b, c, d]) in samples.iter_mut().zip(octets) {
                    let real = |octets| f32::from(i16::from_le_bytes(octets)) / FULL_SCALE;
                    *sample = Complex32::new(real([*a, *b]), real([*c, *d]));
                }
                octets.len().min(samples.len())
            }
        }
    }
}

/// The nearest integer, and whether it is more than rounding away.
fn integer(value: f32) -> (i16, bool) {
    let scaled = (value * FULL_SCALE).round();
    // `as` saturates, and makes 0 of what is not a number.
    (scaled as i16, !(f32::from(i16::MIN)..=f32::from(i16::MAX)).contains(&scaled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back_and_what_is_beyond_is_clipped_and_counted() {
        let octets: Vec<u8> = [i16::MIN, i16::MAX, -1, 0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut samples = [Complex32::default(); 3];
        assert_eq!(SampleFormat::Ci16Le.decode(&octets, &mut samples), 2);
        let mut again = Vec::new();
        assert_eq!(SampleFormat::Ci16Le.encode(&samples[..2], &mut again), 0);
        assert_eq!(again, octets);

        let beyond = [Complex32::new(1.0, 0.0), Complex32::new(0.0, -1.5), Complex32::new(f32::NAN, 0.5)];
        again.clear();
        assert_eq!(SampleFormat::Ci16Le.encode(&beyond, &mut again), 3);
        let values: Vec<i16> = again.as_chunks::<2>().0.iter().map(|octets| i16::from_le_bytes(*octets)).collect();
        assert_eq!(values, [32767, 0, 0, -32768, 0, 16384]);
    }
}
