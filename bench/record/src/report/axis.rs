//! Axes: from values to places, and which values are written.

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm. What is not above zero has a place of its own at the low end.
    Logarithmic,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it shows, with the unit.
    pub label: String,
    /// How values are spread.
    pub scale: Scale,
    /// The least range that is shown, where more than the values is meant to be seen.
    pub at_least: Option<(f64, f64)>,
}

impl Axis {
    /// An axis that shows the range of its values.
    pub fn new(label: &str, scale: Scale) -> Self {
        Axis { label: label.to_owned(), scale, at_least: None }
    }

    /// An axis that shows this range at least.
    pub fn from_to(label: &str, scale: Scale, from: f64, to: f64) -> Self {
        Axis { label: label.to_owned(), scale, at_least: Some((from, to)) }
    }
}

/// An axis laid over a length.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    scale: Scale,
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    /// Whether values that have no logarithm are shown, left of the rest.
    zero: bool,
}

/// The part of a logarithmic axis that zero gets.
const ZERO_SHARE: f64 = 0.1;

impl Laid {
    pub(super) fn new(axis: &Axis, values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let given = axis.at_least.map(|(from, to)| [from, to]).into_iter().flatten();
        let values: Vec<f64> = values.chain(given).filter(|value| value.is_finite()).collect();
        let logarithmic = axis.scale == Scale::Logarithmic;
        let zero = logarithmic && values.iter().any(|value| *value <= 0.0);
        let shown = values.iter().copied().filter(|value| !logarithmic || *value > 0.0);
        let (mut low, mut high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            (low, high) = if logarithmic { (1.0, 10.0) } else { (0.0, 1.0) };
        }
        if logarithmic {
            (low, high) = (low.log10(), high.log10());
            if high - low < 0.3 {
                (low, high) = (low - 0.3, high + 0.3);
            }
        } else if low == high {
            (low, high) = if low == 0.0 { (0.0, 1.0) } else { (low.min(0.0), high.max(0.0)) };
        }
        Laid { scale: axis.scale, low, high, start, end, zero }
    }

    fn at(&self, share: f64) -> f64 {
        self.start + (self.end - self.start) * share
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let from = if self.zero { ZERO_SHARE } else { 0.0 };
        let value = match self.scale {
            Scale::Logarithmic if value <= 0.0 => return self.at(0.0),
            Scale::Logarithmic => value.log10(),
            Scale::Linear => value,
        };
        self.at(from + (1.0 - from) * (value - self.low) / (self.high - self.low))
    }

    /// The places that are marked, and what is written there.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let mut ticks = Vec::new();
        if self.zero {
            ticks.push((self.at(0.0), "0".to_owned()));
        }
        match self.scale {
            Scale::Linear => {
                let step = nice((self.high - self.low) / 5.0);
                let first = (self.low / step - 1e-9).ceil() as i64;
                let last = (self.high / step + 1e-9).floor() as i64;
                ticks.extend((first..=last).map(|n| n as f64 * step).map(|value| (self.place(value), short(value))));
            }
            Scale::Logarithmic => {
                let (first, last) = ((self.low - 1e-9).ceil() as i32, (self.high + 1e-9).floor() as i32);
                let every = (last - first) / 8 + 1;
                let few = last - first < 2;
                let steps: &[f64] = if few { &[1.0, 2.0, 5.0] } else { &[1.0] };
                for exponent in (first - i32::from(few)..=last).filter(|e| few || (e - first) % every == 0) {
                    for value in steps.iter().map(|step| step * 10f64.powi(exponent)) {
                        if (self.low - 1e-9..=self.high + 1e-9).contains(&value.log10()) {
                            ticks.push((self.place(value), short(value)));
                        }
                    }
                }
            }
        }
        ticks
    }
}

/// The next of 1, 2, 5 times a power of ten that is not below.
fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|nice| *nice >= step * 0.999).unwrap_or(step)
}

/// A number in few characters: `0.05`, `250`, `20k`, `1M`, `1e-6`.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    let trimmed = |value: f64| {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match size {
        0.0 => "0".to_owned(),
        _ if size < 1e-3 => {
            let text = format!("{value:.1e}");
            text.replacen(".0e", "e", 1)
        }
        _ if size < 1e4 => trimmed(value),
        _ if size < 1e6 => format!("{}k", trimmed(value / 1e3)),
        _ if size < 1e9 => format!("{}M", trimmed(value / 1e6)),
        _ => format!("{value:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_axis_has_a_place_for_zero() {
        let laid = Laid::new(&Axis::new("x", Scale::Logarithmic), [0.0, 1e-7, 1e-5].into_iter(), 0.0, 100.0);
        assert_eq!(laid.ticks().iter().map(|t| t.1.as_str()).collect::<Vec<_>>(), ["0", "1e-7", "1e-6", "1e-5"]);
        assert_eq!((laid.place(0.0), laid.place(1e-5)), (0.0, 100.0));
        assert!((laid.place(1e-7) - 10.0).abs() < 1e-9 && (laid.place(1e-6) - 55.0).abs() < 1e-9);
    }

    #[test]
    fn a_linear_axis_is_marked_at_round_values() {
        let laid = Laid::new(&Axis::new("x", Scale::Linear), [0.0, 1.0].into_iter(), 0.0, 100.0);
        assert_eq!(
            laid.ticks().iter().map(|t| t.1.as_str()).collect::<Vec<_>>(),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
        assert_eq!(Laid::new(&Axis::new("x", Scale::Linear), std::iter::empty(), 0.0, 1.0).ticks().len(), 6);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.05, 250.0, 20_000.0, 1e6, 1e-6, 2.5e-4].map(short),
            ["0.05", "250", "20k", "1M", "1e-6", "2.5e-4"]
        );
    }
}
