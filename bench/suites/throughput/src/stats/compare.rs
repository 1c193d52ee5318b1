//! Whether two samples differ.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::summary::{mean, variance};

/// Welch's t-test: two samples, whose variances need not be equal, have one mean (Welch 1947).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welch {
    /// The difference of the means over its standard error; infinite where there is a difference and no spread at all.
    pub t: f64,
    /// Degrees of freedom by Welch and Satterthwaite.
    pub degrees_of_freedom: f64,
    /// Two-sided probability of at least such a difference if there is none.
    pub p: f64,
}

/// Welch's t-test, two-sided; `None` if a sample has fewer than two values.
///
/// Without any spread, equal means give p = 1 and unequal ones p = 0: what always comes out the same and then always different
/// has changed.
pub fn welch(a: &[f64], b: &[f64]) -> Option<Welch> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let difference = mean(a) - mean(b);
    let (va, vb) = (variance(a) / a.len() as f64, variance(b) / b.len() as f64);
    let spread = va + vb;
    if spread == 0.0 {
        let (t, p) = if difference == 0.0 { (0.0, 1.0) } else { (difference.signum() * f64::INFINITY, 0.0) };
        return Some(Welch { t, degrees_of_freedom: (a.len() + b.len() - 2) as f64, p });
    }
    let t = difference / spread.sqrt();
    let degrees_of_freedom = spread * spread / (va * va / (a.len() - 1) as f64 + vb * vb / (b.len() - 1) as f64);
    let distribution = StudentsT::new(0.0, 1.0, degrees_of_freedom).ok()?;
    Some(Welch { t, degrees_of_freedom, p: (2.0 * distribution.cdf(-t.abs())).min(1.0) })
}

/// The rank test of Mann and Whitney (1947): values of one sample are as often above those of the other as below.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MannWhitney {
    /// Pairs in which the first sample is above the second; a tie counts half.
    pub u: f64,
    /// Two-sided probability of at least such a difference if there is none.
    pub p: f64,
    /// Whether `p` was counted out; otherwise it is that of the normal distribution, with continuity and ties corrected.
    pub exact: bool,
}

/// Largest samples for which all orders are counted.
const EXACT: usize = 20;

/// The test of Mann and Whitney, two-sided; `None` if a sample is empty.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<MannWhitney> {
    let (n, m) = (a.len(), b.len());
    if n == 0 || m == 0 {
        return None;
    }
    let compare = |x: &f64, y: &f64| {
        if x > y {
            1.0
        } else if x == y {
            0.5
        } else {
            0.0
        }
    };
    let u: f64 = a.iter().map(|x| b.iter().map(|y| compare(x, y)).sum::<f64>()).sum();
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_by(f64::total_cmp);
    let groups: Vec<f64> = all.chunk_by(|x, y| x == y).map(|group| group.len() as f64).collect();
    let tied = groups.iter().any(|size| *size > 1.0);
    if !tied && n <= EXACT && m <= EXACT {
        let ways = orders(n, m);
        let total: f64 = ways.iter().sum();
        let least = u.min((n * m) as f64 - u) as usize;
        let tail: f64 = ways[..=least].iter().sum();
        return Some(MannWhitney { u, p: (2.0 * tail / total).min(1.0), exact: true });
    }
    let (nf, mf, all) = (n as f64, m as f64, (n + m) as f64);
    let ties: f64 = groups.iter().map(|size| size * size * size - size).sum();
    let variance = nf * mf / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return Some(MannWhitney { u, p: 1.0, exact: false });
    }
    let z = ((u - nf * mf / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    let p = 2.0 * Normal::standard().cdf(-z);
    Some(MannWhitney { u, p: p.min(1.0), exact: false })
}

/// In how many orders of `n` and `m` different values U comes to 0, 1, …, `n·m`.
fn orders(n: usize, m: usize) -> Vec<f64> {
    // ways[j][u]: orders of so far i values of the first and j of the second sample. The last value is of the first, and above all
    // j of the second, or it is of the second.
    let mut ways: Vec<Vec<f64>> = vec![
        {
            let mut first = vec![0.0; n * m + 1];
            first[0] = 1.0;
            first
        };
        m + 1
    ];
    for _ in 1..=n {
        let mut next: Vec<Vec<f64>> = Vec::with_capacity(m + 1);
        for j in 0..=m {
            let mut row = vec![0.0; n * m + 1];
            for u in 0..=n * m {
                let first = if u >= j { ways[j][u - j] } else { 0.0 };
                let second = if j > 0 { next[j - 1][u] } else { 0.0 };
                row[u] = first + second;
            }
            next.push(row);
        }
        ways = next;
    }
    ways.swap_remove(m)
}

/// Corrects the probabilities of several tests for their number (Holm 1979), in the order given: those below `alpha` then hold
/// together, with a chance of `alpha` that any of them is false.
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let mut corrected = vec![1.0; probabilities.len()];
    let mut least: f64 = 0.0;
    for (rank, index) in order.iter().enumerate() {
        least = least.max((probabilities[*index] * (probabilities.len() - rank) as f64).min(1.0));
        corrected[*index] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6 * b.abs().max(1e-3), "{a} is not {b}");
    }

    /// The examples that Wikipedia's article on Welch's t-test gives, with t, degrees of freedom and p as printed there.
    #[test]
    fn welch_comes_to_the_published_values() {
        let a1 = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4];
        let a2 = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4];
        let welch1 = welch(&a1, &a2).unwrap();
        assert!((welch1.t + 2.46).abs() < 0.01 && (welch1.degrees_of_freedom - 25.0).abs() < 0.1, "{welch1:?}");
        assert!((welch1.p - 0.021).abs() < 0.0005, "{welch1:?}");
        let b1 = [17.2, 20.9, 22.6, 18.1, 21.7, 21.4, 23.5, 24.2, 14.7, 21.8];
        let b2 = [
            21.5, 22.8, 21.0, 23.0, 21.6, 23.6, 22.5, 20.7, 23.4, 21.8, 20.7, 21.7, 21.5, 22.5, 23.6, 21.5, 22.5, 23.5,
            21.5, 21.8,
        ];
        let welch2 = welch(&b1, &b2).unwrap();
        assert!((welch2.t + 1.57).abs() < 0.01 && (welch2.degrees_of_freedom - 9.9).abs() < 0.1, "{welch2:?}");
        assert!((welch2.p - 0.149).abs() < 0.001, "{welch2:?}");
    }

    /// Student's t with one degree of freedom is Cauchy's distribution, and with two it has a closed form.
    #[test]
    fn the_tail_is_that_of_students_t() {
        let p = |t: f64, df: f64| 2.0 * StudentsT::new(0.0, 1.0, df).unwrap().cdf(-t);
        near(p(1.0, 1.0), 0.5);
        near(p(3.0, 1.0), 1.0 - 2.0 * 3f64.atan() / std::f64::consts::PI);
        near(p(3.0, 2.0), 1.0 - 3.0 / 11f64.sqrt());
        // From tables: t of 0.999 two-sided with 10 degrees of freedom.
        near(p(4.586_893_858_702, 10.0), 0.001);
    }

    #[test]
    fn samples_without_spread_differ_or_do_not() {
        assert_eq!(welch(&[0.1; 5], &[0.1; 4]).unwrap().p, 1.0);
        let different = welch(&[2.0; 5], &[1.0; 5]).unwrap();
        assert_eq!((different.p, different.t), (0.0, f64::INFINITY));
        assert_eq!(welch(&[1.0], &[1.0, 2.0]), None);
    }

    /// All 20 orders of three and three: U is 0, 1, … 9 in 1, 1, 2, 3, 3, 3, 3, 2, 1, 1 of them.
    #[test]
    fn all_orders_of_small_samples_are_counted() {
        assert_eq!(orders(3, 3), [1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 2.0, 1.0, 1.0]);
        let separate = mann_whitney(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
        assert_eq!((separate.u, separate.exact), (0.0, true));
        near(separate.p, 0.1);
        // The critical value of U for 5 and 5 at 0.05 is 2 in every table: p(2) = 0.0317, p(3) = 0.0556.
        let table = orders(5, 5);
        let p = |u: usize| 2.0 * table[..=u].iter().sum::<f64>() / table.iter().sum::<f64>();
        near(p(2), 8.0 / 252.0);
        near(p(3), 14.0 / 252.0);
    }

    #[test]
    fn ties_and_large_samples_use_the_normal_distribution() {
        let tied = mann_whitney(&[1.0, 2.0, 2.0, 3.0, 4.0], &[2.0, 3.0, 3.0, 5.0, 6.0]).unwrap();
        assert_eq!((tied.u, tied.exact), (6.0, false));
        // By hand: ties of 3 and 3, variance 25/12 * (11 - 48/90), z = 6/sqrt(21.8056).
        near(tied.p, 2.0 * Normal::standard().cdf(-6.0 / (25.0f64 / 12.0 * (11.0 - 48.0 / 90.0)).sqrt()));
        assert_eq!(mann_whitney(&[1.0; 4], &[1.0; 4]).unwrap().p, 1.0);
        let low: Vec<f64> = (0..30).map(f64::from).collect();
        let high: Vec<f64> = (0..30).map(|i| f64::from(i) + 40.5).collect();
        assert!(mann_whitney(&low, &high).unwrap().p < 1e-9);
    }

    /// The example of Holm's article as textbooks give it: four tests, of which the first and the last hold at 0.05.
    #[test]
    fn many_tests_are_corrected() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, want) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            near(*got, want);
        }
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    }
}
