//! What a sweep comes to.

use std::collections::BTreeMap;

use farlink_record::results::Verdict;
use serde::{Deserialize, Serialize};

use crate::baseline::Comparison;
use crate::bound::Floors;
use crate::stats::Summary;
use crate::trace::Trace;

/// What a sweep comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Always [`Outcome::FORMAT`].
    pub format: String,
    /// Version of Farlink that measured.
    pub farlink: String,
    /// The sweep's name.
    pub sweep: String,
    /// What it shows.
    pub title: String,
    /// `ltp`, `hops`, `tcp` or `processes`.
    pub kind: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// Repetitions of each point.
    pub repeat: u32,
    /// Where it was measured: the command, the system, the processors.
    pub provenance: BTreeMap<String, String>,
    /// The parameters that points differ in, in the order of the sweep.
    pub varied: Vec<String>,
    /// The points, in the order of the sweep.
    pub points: Vec<PointResult>,
    /// How it compares with a baseline, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// As a number, in the unit of the parameter; `None` for "no limit" and for words.
    pub number: Option<f64>,
    /// As people read it.
    pub text: String,
}

/// What one point comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointResult {
    /// Its name: every parameter that is varied, with its value.
    pub id: String,
    /// Every parameter.
    pub parameters: BTreeMap<String, Value>,
    /// `pass` if every repetition gave a figure that can be.
    pub verdict: Verdict,
    /// Why it is not `pass`; empty otherwise.
    pub message: String,
    /// The figures of each repetition that counts, by name; units are in the names.
    pub samples: BTreeMap<String, Vec<f64>>,
    /// What they come to.
    pub figures: BTreeMap<String, Summary>,
    /// The headline: what was measured, beside what theory allows.
    pub headline: Option<Headline>,
    /// The floors that the bound is the highest of, where it is a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floors: Option<Floors>,
    /// A hundred and one quantiles of the delays of bundles over all repetitions, in seconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delay_quantiles_s: Vec<f64>,
    /// What the first repetition looked like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// The capture of the first repetition, relative to the folder of the results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<String>,
}

/// A measured mean beside its bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// Which figure it is.
    pub figure: String,
    /// The mean that was measured, in the unit of the figure.
    pub measured: f64,
    /// What theory allows, in the same unit.
    pub bound: f64,
    /// Measured over bound, so that 1 is the best there can be: for a time, bound over measured.
    pub share: f64,
    /// Standard error of the share: from the spread of the repetitions, or from theory where that has them stray by more.
    pub share_error: f64,
    /// What the bound is made of, in words.
    pub because: String,
}

impl Headline {
    /// A mean that cannot be below its bound, such as a time. `deviation` is by how much theory has a single value stray, in its unit: a few
    /// repetitions may lie close together by luck.
    pub fn of_cost(figure: &str, summary: &Summary, bound: f64, deviation: f64, because: &str) -> Self {
        let share = if summary.mean > 0.0 { bound / summary.mean } else { 1.0 };
        Self::new(figure, summary, bound, share, deviation, because)
    }

    /// A mean that cannot be above its bound, such as a rate; `deviation` as for a cost.
    pub fn of_yield(figure: &str, summary: &Summary, bound: f64, deviation: f64, because: &str) -> Self {
        let share = if bound > 0.0 { summary.mean / bound } else { 0.0 };
        Self::new(figure, summary, bound, share, deviation, because)
    }

    fn new(figure: &str, summary: &Summary, bound: f64, share: f64, deviation: f64, because: &str) -> Self {
        let by_theory = deviation / (summary.count as f64).sqrt();
        let error = summary.standard_error().max(by_theory);
        let relative = if summary.mean > 0.0 { error / summary.mean } else { 0.0 };
        Headline {
            figure: figure.to_owned(),
            measured: summary.mean,
            bound,
            share,
            share_error: share * relative,
            because: because.to_owned(),
        }
    }

    /// Whether the mean is better than theory allows by more than chance explains: more than five standard errors, so that among ten
    /// thousand points less than one is so by chance, and more than rounding.
    pub fn is_impossible(&self) -> bool {
        self.share - 5.0 * self.share_error > 1.0 + 1e-6
    }
}

impl Outcome {
    /// What [`Outcome::format`] says.
    pub const FORMAT: &str = "farlink-throughput-1";

    /// What the program shall exit with: 2 if the bench could not do its part at a point, 1 if a point gave no figure, a point was skipped, or the
    /// comparison found a regression or could not be made, 0 otherwise.
    pub fn exit_code(&self) -> u8 {
        let any = |verdict| self.points.iter().any(|point| point.verdict == verdict);
        if any(Verdict::BenchError) || self.points.is_empty() {
            2
        } else if self.points.iter().all(|point| point.verdict.is_met())
            && self.comparison.as_ref().is_none_or(Comparison::is_met)
        {
            0
        } else {
            1
        }
    }
}
