//! Where the Earth's pole points: IAU 2006 precession with the largest terms of IAU 2000A nutation.
//!
//! The result is the pole's coordinates X, Y and the locator s of the celestial intermediate origin (IERS Conventions 2010,
//! chapter 5), which with the Earth rotation angle say the same as the classical path through the equinox and apparent
//! sidereal time, in three smooth numbers. Left out: the smaller nutation terms (within 2 mas), polar motion (0.6 arc
//! seconds at most, 20 m on the ground).

const ARCSEC: f64 = std::f64::consts::PI / 648_000.0;

/// Nutation terms: multiples of l, l′, F, D, Ω; then in 0.1 µas the longitude's sin, t sin, cos and the obliquity's cos,
/// t cos, sin (IERS Conventions 2010, tables 5.3a and 5.3b).
const NUTATION: [([f64; 5], [f64; 6]); 32] = [
    ([0.0, 0.0, 0.0, 0.0, 1.0], [-172_064_161.0, -174_666.0, 33_386.0, 92_052_331.0, 9086.0, 15_377.0]),
    ([0.0, 0.0, 2.0, -2.0, 2.0], [-13_170_906.0, -1675.0, -13_696.0, 5_730_336.0, -3015.0, -4587.0]),
    ([0.0, 0.0, 2.0, 0.0, 2.0], [-2_276_413.0, -234.0, 2796.0, 978_459.0, -485.0, 1374.0]),
    ([0.0, 0.0, 0.0, 0.0, 2.0], [2_074_554.0, 207.0, -698.0, -897_492.0, 470.0, -291.0]),
    ([0.0, 1.0, 0.0, 0.0, 0.0], [1_475_877.0, -3633.0, 11_817.0, 73_871.0, -184.0, -1924.0]),
    ([0.0, 1.0, 2.0, -2.0, 2.0], [-516_821.0, 1226.0, -524.0, 224_386.0, -677.0, -174.0]),
    ([1.0, 0.0, 0.0, 0.0, 0.0], [711_159.0, 73.0, -872.0, -6750.0, 0.0, 358.0]),
    ([0.0, 0.0, 2.0, 0.0, 1.0], [-387_298.0, -367.0, 380.0, 200_728.0, 18.0, 318.0]),
    ([1.0, 0.0, 2.0, 0.0, 2.0], [-301_461.0, -36.0, 816.0, 129_025.0, -63.0, 367.0]),
    ([0.0, -1.0, 2.0, -2.0, 2.0], [215_829.0, -494.0, 111.0, -95_929.0, 299.0, 132.0]),
    ([0.0, 0.0, 2.0, -2.0, 1.0], [128_227.0, 137.0, 181.0, -68_982.0, -9.0, 39.0]),
    ([-1.0, 0.0, 2.0, 0.0, 2.0], [123_457.0, 11.0, 19.0, -53_311.0, 32.0, -4.0]),
    ([-1.0, 0.0, 0.0, 2.0, 0.0], [156_994.0, 10.0, -168.0, -1235.0, 0.0, 82.0]),
    ([1.0, 0.0, 0.0, 0.0, 1.0], [63_110.0, 63.0, 27.0, -33_228.0, 0.0, -9.0]),
    ([-1.0, 0.0, 0.0, 0.0, 1.0], [-57_976.0, -63.0, -189.0, 31_429.0, 0.0, -75.0]),
    ([-1.0, 0.0, 2.0, 2.0, 2.0], [-59_641.0, -11.0, 149.0, 25_543.0, -11.0, 66.0]),
    ([1.0, 0.0, 2.0, 0.0, 1.0], [-51_613.0, -42.0, 129.0, 26_366.0, 0.0, 78.0]),
    ([-2.0, 0.0, 2.0, 0.0, 1.0], [45_893.0, 50.0, 31.0, -24_236.0, -10.0, 20.0]),
    ([0.0, 0.0, 0.0, 2.0, 0.0], [63_384.0, 11.0, -150.0, -1220.0, 0.0, 29.0]),
    ([0.0, 0.0, 2.0, 2.0, 2.0], [-38_571.0, -1.0, 158.0, 16_452.0, -11.0, 68.0]),
    ([0.0, -2.0, 2.0, -2.0, 2.0], [32_481.0, 0.0, 0.0, -13_870.0, 0.0, 0.0]),
    ([-2.0, 0.0, 0.0, 2.0, 0.0], [-47_722.0, 0.0, -18.0, 477.0, 0.0, -25.0]),
    ([2.0, 0.0, 2.0, 0.0, 2.0], [-31_046.0, -1.0, 131.0, 13_238.0, -11.0, 59.0]),
    ([1.0, 0.0, 2.0, -2.0, 2.0], [28_593.0, 0.0, -1.0, -12_338.0, 10.0, -3.0]),
    ([-1.0, 0.0, 2.0, 0.0, 1.0], [20_441.0, 21.0, 10.0, -10_758.0, 0.0, -3.0]),
    ([2.0, 0.0, 0.0, 0.0, 0.0], [29_243.0, 0.0, -74.0, -609.0, 0.0, 13.0]),
    ([0.0, 0.0, 2.0, 0.0, 0.0], [25_887.0, 0.0, -66.0, -550.0, 0.0, 11.0]),
    ([0.0, 1.0, 0.0, 0.0, 1.0], [-14_053.0, -25.0, 79.0, 8551.0, -2.0, -45.0]),
    ([-1.0, 0.0, 0.0, 2.0, 1.0], [15_164.0, 10.0, 11.0, -8001.0, 0.0, -1.0]),
    ([0.0, 2.0, 2.0, -2.0, 2.0], [-15_794.0, 72.0, -16.0, 6850.0, -42.0, -5.0]),
    ([0.0, 0.0, -2.0, 2.0, 0.0], [21_783.0, 0.0, 13.0, -167.0, 0.0, 13.0]),
    ([1.0, 0.0, 0.0, -2.0, 1.0], [-12_873.0, -10.0, -37.0, 6953.0, 0.0, -14.0]),
];

/// c₀ + c₁ t + c₂ t² + …
pub(crate) fn polynomial(t: f64, coefficients: &[f64]) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * t + c)
}

/// The fundamental arguments l, l′, F, D, Ω in radians, `t` centuries after J2000 (IERS Conventions 2010, equation 5.43).
fn arguments(t: f64) -> [f64; 5] {
    [
        [485_868.249_036, 1_717_915_923.217_8, 31.8792, 0.051_635],
        [1_287_104.793_048, 129_596_581.048_1, -0.5532, 0.000_136],
        [335_779.526_232, 1_739_527_262.847_8, -12.7512, -0.001_037],
        [1_072_260.703_692, 1_602_961_601.209_0, -6.3706, 0.006_593],
        [450_160.398_036, -6_962_890.543_1, 7.4722, 0.007_702],
    ]
    .map(|row| polynomial(t, &row) % 1_296_000.0 * ARCSEC)
}

/// The nutation in longitude and in obliquity, in radians.
fn nutation(t: f64, arguments: &[f64; 5]) -> (f64, f64) {
    let (mut longitude, mut obliquity) = (0.0, 0.0);
    for (multiples, [ps, pst, pc, ec, ect, es]) in NUTATION {
        let angle: f64 = multiples.iter().zip(arguments).map(|(m, a)| m * a).sum();
        let (sin, cos) = angle.sin_cos();
        longitude += (ps + pst * t) * sin + pc * cos;
        obliquity += (ec + ect * t) * cos + es * sin;
    }
    (longitude * 1e-7 * ARCSEC, obliquity * 1e-7 * ARCSEC)
}

/// X, Y and s in radians, `tt_days` after J2000.
pub(crate) fn pole(tt_days: f64) -> [f64; 3] {
    let t = tt_days / 36_525.0;
    let arguments = arguments(t);
    let (in_longitude, in_obliquity) = nutation(t, &arguments);

    // The Fukushima–Williams angles of IAU 2006 with the frame bias (Hilton et al. 2006; Capitaine & Wallace 2006).
    let angle = |coefficients: &[f64; 6]| polynomial(t, coefficients) * ARCSEC;
    let gamma = angle(&[-0.052_928, 10.556_378, 0.493_204_4, -0.000_312_38, -2.788e-6, 2.60e-8]);
    let phi = angle(&[84_381.412_819, -46.811_016, 0.051_126_8, 0.000_532_89, -4.40e-7, -1.76e-8]);
    let psi = angle(&[-0.041_775, 5_038.481_484, 1.558_417_5, -0.000_185_22, -2.645_2e-5, -1.48e-8]) + in_longitude;
    let epsilon = angle(&[84_381.406, -46.836_769, -0.000_183_1, 0.002_003_40, -5.76e-7, -4.34e-8]) + in_obliquity;

    // The third row of R1(−ε) R3(−ψ) R1(φ) R3(γ).
    let (sin_e, cos_e) = epsilon.sin_cos();
    let (sin_p, cos_p) = psi.sin_cos();
    let (sin_f, cos_f) = phi.sin_cos();
    let (sin_g, cos_g) = gamma.sin_cos();
    let across = sin_e * sin_p;
    let along = sin_e * cos_p * cos_f - cos_e * sin_f;
    let x = across * cos_g - along * sin_g;
    let y = across * sin_g + along * cos_g;

    // s + XY/2 (IERS Conventions 2010, table 5.2d), its polynomial and the two terms above 50 µas.
    let node = arguments[4];
    let s = polynomial(t, &[94.00, 3808.65, -122.68, -72_574.11, 27.98, 15.62])
        - 2640.73 * node.sin()
        - 63.53 * (2.0 * node).sin();
    [x, y, s * 1e-6 * ARCSEC - x * y / 2.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `pyerfa` 2.0.1.5: `erfa.xys06a(2451545.0, days)`, the full IAU 2006/2000A model.
    const ERFA: [[f64; 4]; 5] = [
        [0.0, -2.694638014905e-05, -2.800472116476e-05, -1.013396517756e-08],
        [3652.25, 1.003146280934e-03, 1.245073955314e-05, 7.784259670546e-09],
        [9500.5, 2.539357012067e-03, 3.201212311538e-05, -3.750013293723e-08],
        [13879.75, 3.660933511582e-03, -3.296882274056e-05, 3.707009778695e-08],
        [18262.0, 4.886435663198e-03, -5.334575496513e-05, 1.056617331907e-07],
    ];

    #[test]
    fn the_pole_agrees_with_erfa() {
        let mut worst = 0.0_f64;
        for [days, x, y, s] in ERFA {
            for (got, want) in pole(days).into_iter().zip([x, y, s]) {
                worst = worst.max((got - want).abs() / ARCSEC);
            }
        }
        println!("worst difference: {worst} arc seconds");
        assert!(worst < 0.003, "{worst}");
    }
}
