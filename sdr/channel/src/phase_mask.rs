//! Phase noise whose density is given against the distance from the carrier.

use std::f64::consts::TAU;

use crate::error::{ConfigError, within};
use crate::random::{Key, Purpose};

/// Density of phase noise, one side of the carrier: pairs of the distance from it in Hz and L(f) in dBc/Hz.
///
/// Between points the mask is straight over the logarithm of the distance. Nearer than the first point the noise levels off; beyond the last
/// it stays at what the last point says or falls. The slope is from level to −40 dB a decade.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseMask(pub Vec<(f64, f64)>);

/// How far from the mask the noise may lie, in dB.
pub const MASK_TOLERANCE_DB: f64 = 1.0;

/// Corners and points of the fit in a decade.
const CORNERS_PER_DECADE: f64 = 4.0;
const POINTS_PER_DECADE: f64 = 10.0;

/// White noise through two equal low-pass filters of first order, several of them: their densities add up to the mask.
#[derive(Clone, Debug)]
pub(crate) struct Sections {
    sections: Vec<Section>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Section {
    /// How much of the new value a filter takes: 1 for white noise.
    share: f64,
    /// Standard deviation of what goes in, in turns.
    deviation: f64,
    first: f64,
    second: f64,
    key: Key,
    normals: [f32; 4],
}

impl Sections {
    pub fn new(mask: &PhaseMask, rate_hz: f64, seed: u64) -> Result<Self, ConfigError> {
        let points = check(mask, rate_hz)?;
        let (lowest, highest) = (points[0].0, points[points.len() - 1].0);
        let decades = (highest / lowest).log10();
        let count = (decades * POINTS_PER_DECADE).ceil().max(1.0) as usize;
        let grid: Vec<f64> = (0..=count).map(|n| lowest * 10f64.powf(decades * n as f64 / count as f64)).collect();
        let wanted: Vec<f64> = grid.iter().map(|f| 10f64.powf(at(points, *f) / 10.0)).collect();
        // Corners from below the mask to above it, and white noise.
        let corners = ((decades + 1.0) * CORNERS_PER_DECADE).ceil() as i32;
        let mut shares: Vec<f64> = (0..=corners)
            .map(|n| lowest * 10f64.powf(f64::from(n) / CORNERS_PER_DECADE - 0.5))
            .filter(|corner| *corner < 0.2 * rate_hz)
            .map(|corner| 1.0 - (-TAU * corner / rate_hz).exp())
            .collect();
        shares.push(1.0);
        let relative: Vec<Vec<f64>> = (grid.iter().zip(&wanted))
            .map(|(f, wanted)| shares.iter().map(|share| response(*share, f / rate_hz) / wanted).collect())
            .collect();
        let weights = fit(&relative);
        for (row, f) in relative.iter().zip(&grid) {
            let off_db = 10.0 * row.iter().zip(&weights).map(|(a, w)| a * w).sum::<f64>().log10();
            if off_db.is_nan() || off_db.abs() > MASK_TOLERANCE_DB {
                let wrong = format!(
                    "the noise would be {off_db:.1} dB off at {f:.3e} Hz: let it fall by 0 to 40 dB a decade, with bends less sharp"
                );
                return Err(ConfigError::List { field: "oscillator.mask".into(), wrong });
            }
        }
        let sections = shares.iter().zip(weights).enumerate().map(|(which, (share, weight))| {
            // The density on both sides of 0 is the variance over the rate.
            let deviation = (weight * rate_hz).sqrt() / TAU;
            Section::new(*share, deviation, Key::new(seed, Purpose::PhaseMask, which as u32))
        });
        Ok(Sections { sections: sections.collect(), next: 0 })
    }

    /// The phase of the next sample in turns.
    pub fn next_turns(&mut self) -> f64 {
        let number = self.next;
        self.next += 1;
        self.sections.iter_mut().map(|section| section.next(number)).sum()
    }
}

impl Section {
    /// A section that has run for ever: its state is drawn from what it then is.
    fn new(share: f64, deviation: f64, key: Key) -> Self {
        let kept = 1.0 - share;
        let gone = 1.0 - kept * kept;
        let first = share * share * deviation * deviation / gone;
        let both = share * first / gone;
        let second = (share * share * first + 2.0 * share * kept * kept * both) / gone;
        // Places of the samples come nowhere near this one.
        let [x, y, ..] = key.normals(u64::MAX).map(f64::from);
        let first_now = first.sqrt() * x;
        let of_first = if first > 0.0 { both / first } else { 0.0 };
        let second_now = of_first * first_now + (second - of_first * both).max(0.0).sqrt() * y;
        Section { share, deviation, first: first_now, second: second_now, key, normals: [0.0; 4] }
    }

    fn next(&mut self, number: u64) -> f64 {
        let of_four = (number % 4) as usize;
        if of_four == 0 {
            self.normals = self.key.normals(number / 4);
        }
        self.first += self.share * (self.deviation * f64::from(self.normals[of_four]) - self.first);
        self.second += self.share * (self.first - self.second);
        self.second
    }
}

fn check(mask: &PhaseMask, rate_hz: f64) -> Result<&[(f64, f64)], ConfigError> {
    let PhaseMask(points) = mask;
    if points.is_empty() || points.len() > 100 {
        let wrong = format!("{} points: give from 1 to 100", points.len());
        return Err(ConfigError::List { field: "oscillator.mask".into(), wrong });
    }
    let (least, most) = (rate_hz * 1e-9, rate_hz / 2.0);
    let words = format!("from {least} to {most}, half the sample rate, in Hz");
    for (index, (offset, density)) in points.iter().enumerate() {
        within(&format!("oscillator.mask[{index}].0"), *offset, least..=most, &words)?;
        within(&format!("oscillator.mask[{index}].1"), *density, -300.0..=0.0, "from -300 to 0, in dBc/Hz")?;
    }
    if let Some(index) = (1..points.len()).find(|&i| points[i].0 <= points[i - 1].0) {
        let wrong =
            format!("point {index} is no further out than the one before: sort them and drop what stands twice");
        return Err(ConfigError::List { field: "oscillator.mask".into(), wrong });
    }
    Ok(points)
}

/// The mask at a distance.
fn at(points: &[(f64, f64)], offset: f64) -> f64 {
    let next = points.partition_point(|point| point.0 <= offset);
    if next == 0 || next == points.len() {
        return points[next.min(points.len() - 1)].1;
    }
    let ((f0, l0), (f1, l1)) = (points[next - 1], points[next]);
    l0 + (l1 - l0) * (offset / f0).ln() / (f1 / f0).ln()
}

/// The power that two filters pass, at a frequency over the sample rate.
fn response(share: f64, frequency: f64) -> f64 {
    let kept = 1.0 - share;
    let one = share * share / (1.0 - 2.0 * kept * (TAU * frequency).cos() + kept * kept);
    one * one
}

/// Weights, none below 0, that bring each row's sum near 1: least squares by updates that multiply.
fn fit(rows: &[Vec<f64>]) -> Vec<f64> {
    let columns = rows[0].len();
    let peak = |k: usize| rows.iter().map(|row| row[k]).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let mut weights: Vec<f64> = (0..columns).map(|k| 1.0 / (peak(k) * columns as f64)).collect();
    for _ in 0..4000 {
        let sums: Vec<f64> = rows.iter().map(|row| row.iter().zip(&weights).map(|(a, w)| a * w).sum()).collect();
        for (k, weight) in weights.iter_mut().enumerate() {
            let (wanted, got) =
                rows.iter().zip(&sums).fold((0.0, 0.0), |(w, g), (row, sum)| (w + row[k], g + row[k] * sum));
            if got > 0.0 {
                *weight *= wanted / got;
            }
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_that_no_noise_follows_are_refused() {
        for (points, says) in [
            (vec![], "0 points"),
            (vec![(100.0, -80.0), (100.0, -90.0)], "point 1"),
            (vec![(f64::NAN, -80.0)], "mask[0].0"),
            (vec![(100.0, f64::INFINITY)], "mask[0].1"),
            (vec![(1e6, -80.0)], "half the sample rate"),
            (vec![(100.0, -100.0), (1000.0, -60.0)], "dB off"),
            (vec![(100.0, -50.0), (1000.0, -150.0)], "dB off"),
        ] {
            let error = Sections::new(&PhaseMask(points), 1e6, 1).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_section_starts_as_it_goes_on() {
        let deviation_at = |after: u64| {
            let sum: f64 = (0..4000)
                .map(|seed| {
                    let mut section = Section::new(0.01, 1.0, Key::new(seed, Purpose::PhaseMask, 0));
                    (0..after).map(|n| section.next(n)).last().unwrap().powi(2)
                })
                .sum();
            (sum / 4000.0).sqrt()
        };
        let (early, late) = (deviation_at(1), deviation_at(2000));
        assert!((early / late - 1.0).abs() < 0.06, "{early} {late}");
    }
}
