//! Where the start of a run ends.

/// The part of a series that is steady.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steady {
    /// How many values at the start are left out.
    pub from: usize,
}

/// Finds where a series becomes steady, by MSER-5 (White, Cobb and Spratt 2000): means of five values each, of which as many
/// are left out at the start, up to a half, as make the standard error of the mean of the rest the least.
///
/// `None` if the series has fewer than ten such means, or if the least lies at the end of what is searched (the last twentieth of
/// all means before the half): then it would go on falling, and the series is still on its way.
pub fn mser5(series: &[f64]) -> Option<Steady> {
    let means: Vec<f64> = series.chunks_exact(5).map(super::summary::mean).collect();
    let count = means.len();
    if count < 10 {
        return None;
    }
    // From the end, so that each sum is one addition.
    let (mut sum, mut squares) = (0.0, 0.0);
    let offset = super::summary::mean(&means);
    let mut best: Option<(f64, usize)> = None;
    for (kept, at) in (0..count).rev().enumerate() {
        let (value, kept) = (means[at] - offset, (kept + 1) as f64);
        sum += value;
        squares += value * value;
        // What is left of a few values has little spread by chance.
        if at * 2 > count {
            continue;
        }
        let statistic = (squares - sum * sum / kept).max(0.0) / (kept * kept);
        if best.is_none_or(|(least, _)| statistic <= least) {
            best = Some((statistic, at));
        }
    }
    let (_, at) = best?;
    let searched = count / 2 - count.div_ceil(20);
    (at <= searched).then_some(Steady { from: at * 5 })
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn noise(rng: &mut ChaCha8Rng) -> f64 {
        f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5
    }

    #[test]
    fn a_start_that_decays_is_left_out() {
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let series: Vec<f64> =
                (0..500).map(|i| 10.0 - 50.0 * (-f64::from(i) / 20.0).exp() + noise(&mut rng)).collect();
            let steady = mser5(&series).unwrap();
            assert!((40..200).contains(&steady.from), "seed {seed}: {steady:?}");
        }
    }

    #[test]
    fn a_series_that_is_steady_from_the_start_loses_little() {
        let mut kept = 0;
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let series: Vec<f64> = (0..500).map(|_| noise(&mut rng)).collect();
            kept += mser5(&series).map_or(0, |steady| 500 - steady.from);
        }
        assert!(kept > 20 * 350, "{kept} of 10000 kept");
        assert_eq!(mser5(&[3.0; 100]), Some(Steady { from: 0 }));
    }

    #[test]
    fn a_series_that_still_rises_is_not_steady() {
        let series: Vec<f64> = (0..500).map(f64::from).collect();
        assert_eq!(mser5(&series), None);
        assert_eq!(mser5(&[1.0; 49]), None, "too short to tell");
    }
}
