//! Smooth functions of time, evaluated through Chebyshev pieces.
//!
//! The full series of the ephemerides and of the bodies' orientations cost up to a tenth of a millisecond. Each is therefore
//! sampled once per piece of some days, when somebody first asks for that piece, and read from the polynomial afterwards. A
//! piece depends on nothing but its number, so neither the order of the calls nor the number of threads can show in a result.

use std::f64::consts::PI;
use std::sync::OnceLock;

/// Nanoseconds in a day.
pub(crate) const DAY_NS: i64 = 86_400_000_000_000;

/// Pieces come in pages, so that a long empty time costs no memory.
const PAGE: i64 = 64;

type Piece<const D: usize, const N: usize> = [[f64; D]; N];
type Page<const D: usize, const N: usize> = Box<[OnceLock<Box<Piece<D, N>>>]>;

/// A function from time to `D` numbers, kept in pieces of `DAYS` days and `N` coefficients each.
pub(crate) struct Pieces<const DAYS: i64, const D: usize, const N: usize> {
    pages: Box<[OnceLock<Page<D, N>>]>,
    transform: Transform<N>,
}

/// The nodes of a piece, −1 … 1, and the matrix of the cosine transform from values there to coefficients.
struct Transform<const N: usize> {
    nodes: [f64; N],
    matrix: [[f64; N]; N],
}

/// Series take the time as a Julian date in one `f64`, which near today resolves 40 µs, or a metre of Earth's way. Nodes on a
/// grid of 2⁻²⁴ days are exact there; [`Transform::fit`] takes up how far that moves them from Chebyshev's own.
const NODE_GRID: f64 = (1u32 << 24) as f64;

impl<const N: usize> Transform<N> {
    /// For pieces that are twice `half` days long.
    fn new(half: f64) -> Self {
        let angle = |k: usize| PI * (k as f64 + 0.5) / N as f64;
        Transform {
            nodes: std::array::from_fn(|k| (angle(k).cos() * half * NODE_GRID).round() / NODE_GRID / half),
            matrix: std::array::from_fn(|j| {
                let scale = if j == 0 { 1.0 } else { 2.0 } / N as f64;
                std::array::from_fn(|k| (angle(k) * j as f64).cos() * scale)
            }),
        }
    }

    /// The Chebyshev coefficients of the polynomial through `values` at the nodes.
    fn fit<const D: usize>(&self, values: &Piece<D, N>) -> Piece<D, N> {
        let mut coefficients = [[0.0; D]; N];
        let mut rest = *values;
        // The second round takes up the rounding of the nodes (relative size 1e-8), the third the rounding of the first.
        for _ in 0..3 {
            for (c, row) in coefficients.iter_mut().zip(&self.matrix) {
                for (weight, value) in row.iter().zip(&rest) {
                    for d in 0..D {
                        c[d] += weight * value[d];
                    }
                }
            }
            for ((r, value), &x) in rest.iter_mut().zip(values).zip(&self.nodes) {
                let p = evaluate(&coefficients, x);
                for d in 0..D {
                    r[d] = value[d] - p[d];
                }
            }
        }
        coefficients
    }
}

/// The polynomial at `x`, −1 … 1.
fn evaluate<const D: usize, const N: usize>(coefficients: &Piece<D, N>, x: f64) -> [f64; D] {
    // T(m+n) = 2 T(m) T(n) − T(m−n) by halves: the chain of dependent operations is short, unlike in Clenshaw's recurrence,
    // and that is what the time goes into.
    let mut t = [1.0; N];
    t[1] = x;
    for n in 2..N {
        let (low, high) = (n / 2, n - n / 2);
        t[n] = 2.0 * t[low] * t[high] - t[high - low];
    }
    let mut sum = [0.0; D];
    // The small terms first, for the last bits.
    for (c, t) in coefficients.iter().zip(&t).rev() {
        for d in 0..D {
            sum[d] += c[d] * t;
        }
    }
    sum
}

impl<const DAYS: i64, const D: usize, const N: usize> Pieces<DAYS, D, N> {
    /// How long a piece is, in nanoseconds.
    const LENGTH: i64 = DAYS * DAY_NS;
    const HALF_DAYS: f64 = DAYS as f64 / 2.0;
    /// Covers every time that fits into 64 bits of nanoseconds.
    const PAGES: i64 = (i64::MAX / Self::LENGTH / PAGE + 1) * 2;

    pub(crate) fn new() -> Self {
        let pages = (0..Self::PAGES).map(|_| OnceLock::new()).collect();
        Pieces { pages, transform: Transform::new(Self::HALF_DAYS) }
    }

    /// From where to where the piece reaches that holds `ns`, in nanoseconds after J2000.
    #[cfg(feature = "spice")]
    pub(crate) fn span(ns: i64) -> [i64; 2] {
        let start = ns.div_euclid(Self::LENGTH).saturating_mul(Self::LENGTH);
        [start, start.saturating_add(Self::LENGTH)]
    }

    /// The value at `ns` nanoseconds after J2000, where `function` takes days since J2000.
    pub(crate) fn at(&self, ns: i64, function: impl Fn(f64) -> [f64; D]) -> [f64; D] {
        let number = ns.div_euclid(Self::LENGTH);
        let page = self.pages[(number.div_euclid(PAGE) + Self::PAGES / 2) as usize]
            .get_or_init(|| (0..PAGE).map(|_| OnceLock::new()).collect());
        let piece = page[number.rem_euclid(PAGE) as usize].get_or_init(|| {
            let middle = (number * DAYS) as f64 + Self::HALF_DAYS;
            Box::new(self.transform.fit(&self.transform.nodes.map(|x| function(middle + Self::HALF_DAYS * x))))
        });
        let x = (ns.rem_euclid(Self::LENGTH) - Self::LENGTH / 2) as f64 / (Self::LENGTH / 2) as f64;
        evaluate(piece, x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polynomial_comes_back() {
        let pieces = Pieces::<8, 2, 12>::new();
        let f = |d: f64| [1.0 - 0.3 * d + 0.01 * d * d, (d / 9.0).sin()];
        for i in -40..40_i64 {
            let ns = i * DAY_NS * 3 / 10 + 12_345;
            let (got, want) = (pieces.at(ns, f), f(ns as f64 / DAY_NS as f64));
            assert!((got[0] - want[0]).abs() < 1e-13 && (got[1] - want[1]).abs() < 1e-13, "{i}: {got:?} {want:?}");
        }
    }

    #[test]
    fn the_ends_of_time_are_inside() {
        let pieces = Pieces::<8, 1, 5>::new();
        for ns in [i64::MIN, -1, 0, i64::MAX] {
            assert!((pieces.at(ns, |d| [d])[0] - ns as f64 / DAY_NS as f64).abs() < 1e-9);
        }
    }
}
