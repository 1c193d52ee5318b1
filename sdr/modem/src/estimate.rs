//! How strong a signal is in its noise, from samples of its matched filter at the symbols' instants.
//!
//! Source: Pauluzzi and Beaulieu, "A comparison of SNR estimation techniques for the AWGN channel", IEEE Trans. Comm. 48 (2000).

use num_complex::Complex;

/// Es/N0 (a ratio) of a constellation of constant modulus, from second and fourth moments (M2M4), without knowing phase or bits.
///
/// `None` without samples, or where the moments are those of noise alone. Samples that are not finite are not counted.
/// The error falls as 1/√n; below 0 dB some thousand symbols are needed.
pub fn m2m4(symbols: &[Complex<f32>]) -> Option<f64> {
    let (mut m2, mut m4, mut n) = (0.0, 0.0, 0.0);
    for s in symbols {
        let power = f64::from(s.re) * f64::from(s.re) + f64::from(s.im) * f64::from(s.im);
        if power.is_finite() {
            m2 += power;
            m4 += power * power;
            n += 1.0;
        }
    }
    if n == 0.0 || m2 <= 0.0 || !m4.is_finite() {
        return None;
    }
    let (m2, m4) = (m2 / n, m4 / n);
    let signal = (2.0 * m2 * m2 - m4).max(0.0).sqrt();
    let noise = m2 - signal;
    (signal > 0.0 && noise > 0.0).then(|| signal / noise)
}

/// Es/N0 (a ratio) from symbols that are known (the maximum likelihood estimator, with its bias taken out), in carrier phase or not.
///
/// `None` if there are fewer than three pairs, or no power in what was sent.
pub fn data_aided(received: &[Complex<f32>], sent: &[Complex<f32>]) -> Option<f64> {
    let (mut cross, mut power, mut energy, mut n) = (Complex::new(0.0, 0.0), 0.0, 0.0, 0.0f64);
    for (r, s) in received.iter().zip(sent) {
        let r = Complex::new(f64::from(r.re), f64::from(r.im));
        let s = Complex::new(f64::from(s.re), f64::from(s.im));
        if r.is_finite() && s.is_finite() {
            cross += r * s.conj();
            power += r.norm_sqr();
            energy += s.norm_sqr();
            n += 1.0;
        }
    }
    if n < 3.0 || energy <= 0.0 {
        return None;
    }
    let signal = cross.norm_sqr() / energy;
    let noise = power - signal;
    // The fit takes one of n degrees of freedom from the noise and gives its share to the signal; 1/noise has a mean of its own.
    (noise > 0.0).then(|| (signal / noise * (n - 2.0) / n - 1.0 / n).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_estimate_is_said() {
        assert_eq!(m2m4(&[]), None);
        assert_eq!(m2m4(&[Complex::new(0.0, 0.0); 8]), None);
        assert_eq!(m2m4(&[Complex::new(f32::NAN, 1.0); 8]), None);
        assert_eq!(data_aided(&[Complex::new(1.0, 0.0); 2], &[Complex::new(1.0, 0.0); 2]), None);
        assert_eq!(data_aided(&[Complex::new(f32::INFINITY, 0.0); 9], &[Complex::new(1.0, 0.0); 9]), None);
        assert_eq!(data_aided(&[Complex::new(1.0, 0.0); 9], &[Complex::new(0.0, 0.0); 9]), None);
    }
}
