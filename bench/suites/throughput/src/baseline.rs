//! Samples that are kept, and whether later ones are worse.
//!
//! Each figure of each point that both sides have is compared by Welch's t-test, two-sided, since variances differ from point to point and
//! version to version. All of these are one family: its probabilities are corrected by Holm, so that a comparison without any real difference
//! reports one in a hundred times at most ([`ALPHA`]). What is significant *and* worse by more than [`LEAST_EFFECT`] is a regression: with many
//! repetitions differences show that nobody minds. The test of Mann and Whitney stands beside it, for samples that are far from normal.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::outcome::Outcome;
use crate::stats::{Summary, holm, mann_whitney, welch};

/// The probability, over all comparisons together, at which a difference counts.
pub const ALPHA: f64 = 0.01;
/// The least change of a mean that counts, as a part of it.
pub const LEAST_EFFECT: f64 = 0.01;
/// The figures that are compared, and whether more of it is better.
pub const FIGURES: [(&str, bool); 6] = [
    ("goodput_bps", true),
    ("completion_s", false),
    ("delay_p99_s", false),
    ("bits_per_bit", false),
    ("retransmissions", false),
    ("tcp_goodput_bps", true),
];

/// Samples of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Always [`Baseline::FORMAT`].
    pub format: String,
    /// Version of Farlink that measured.
    pub farlink: String,
    /// The sweep.
    pub sweep: String,
    /// Its seed.
    pub seed: u64,
    /// The samples of each point, by figure.
    pub points: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
}

/// Why a baseline cannot be used.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{path} is not a baseline of `farlink throughput`: {why}")]
    Content {
        /// Which.
        path: String,
        /// Why not.
        why: String,
    },
    /// It is of another sweep.
    #[error("{path} is a baseline of the sweep `{theirs}`, not of `{ours}`")]
    OtherSweep {
        /// Which.
        path: String,
        /// The sweep it is of.
        theirs: String,
        /// The sweep that was run.
        ours: String,
    },
    /// No point is in both.
    #[error("{path} has none of the points that were measured: nothing can be compared")]
    NothingInCommon {
        /// Which.
        path: String,
    },
}

/// A baseline beside an outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The file with the baseline.
    pub baseline: String,
    /// Version of Farlink that made it.
    pub farlink: String,
    /// How many comparisons the probabilities are corrected for.
    pub tests: usize,
    /// Each figure of each point that is in both.
    pub rows: Vec<Compared>,
    /// Points that only one side has, and points with too few repetitions to tell.
    pub not_compared: Vec<String>,
}

/// One figure of one point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The point.
    pub point: String,
    /// The figure.
    pub figure: String,
    /// Its mean in the baseline.
    pub before: f64,
    /// Its mean now.
    pub now: f64,
    /// How much it has changed, as a part of what it was.
    pub change: f64,
    /// The probability by Welch's test, corrected by Holm.
    pub p: f64,
    /// The probability by the test of Mann and Whitney, not corrected.
    pub p_ranks: f64,
    /// What it comes to.
    pub finding: Finding,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Nothing that counts.
    Same,
    /// Significantly better.
    Better,
    /// Significantly worse: a regression.
    Worse,
}

impl Finding {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Finding::Same => "same",
            Finding::Better => "better",
            Finding::Worse => "worse",
        }
    }
}

impl Comparison {
    /// Whether nothing is worse, and everything that was measured could be compared.
    pub fn is_met(&self) -> bool {
        self.not_compared.is_empty() && self.regressions().next().is_none()
    }

    /// What is worse.
    pub fn regressions(&self) -> impl Iterator<Item = &Compared> {
        self.rows.iter().filter(|row| row.finding == Finding::Worse)
    }
}

impl Baseline {
    /// What [`Baseline::format`] says.
    pub const FORMAT: &str = "farlink-throughput-baseline-1";

    /// The samples of an outcome. Points that did not pass are left out.
    pub fn of(outcome: &Outcome) -> Self {
        let sound = outcome.points.iter().filter(|point| point.verdict.is_met());
        Baseline {
            format: Self::FORMAT.to_owned(),
            farlink: outcome.farlink.clone(),
            sweep: outcome.sweep.clone(),
            seed: outcome.seed,
            points: sound.map(|point| (point.id.clone(), compared(&point.samples))).collect(),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), BaselineError> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from);
        text.and_then(|text| fs::write(path, text + "\n"))
            .map_err(|source| BaselineError::File { path: path.display().to_string(), source })
    }

    /// Reads one.
    ///
    /// # Errors
    /// The file cannot be read, or holds no baseline.
    pub fn load(path: &Path) -> Result<Self, BaselineError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| BaselineError::File { path: name.clone(), source })?;
        let baseline: Baseline = serde_json::from_str(&text)
            .map_err(|error| BaselineError::Content { path: name.clone(), why: error.to_string() })?;
        if baseline.format != Self::FORMAT {
            let why = format!("its format is `{}`, not `{}`", baseline.format, Self::FORMAT);
            return Err(BaselineError::Content { path: name, why });
        }
        Ok(baseline)
    }

    /// Compares an outcome with it. `path` stands in messages.
    ///
    /// # Errors
    /// It is of another sweep, or has nothing in common with the outcome.
    pub fn compare(&self, path: &Path, outcome: &Outcome) -> Result<Comparison, BaselineError> {
        let path = path.display().to_string();
        if self.sweep != outcome.sweep {
            let (theirs, ours) = (self.sweep.clone(), outcome.sweep.clone());
            return Err(BaselineError::OtherSweep { path, theirs, ours });
        }
        let mut rows = Vec::new();
        let mut not_compared = Vec::new();
        for point in &outcome.points {
            let Some(before) = self.points.get(&point.id) else {
                not_compared.push(format!("{}: not in the baseline", point.id));
                continue;
            };
            if !point.verdict.is_met() {
                not_compared.push(format!("{}: {}", point.id, point.verdict.as_str()));
                continue;
            }
            let now = compared(&point.samples);
            for (figure, better) in FIGURES {
                match (before.get(figure), now.get(figure)) {
                    (None, None) => {}
                    (Some(before), Some(now)) => match row(&point.id, figure, before, now) {
                        Some(row) => rows.push((row, better)),
                        None => not_compared.push(format!("{}: {figure} has fewer than two repetitions", point.id)),
                    },
                    _ => not_compared.push(format!("{}: {figure} is only on one side", point.id)),
                }
            }
        }
        if rows.is_empty() {
            return Err(BaselineError::NothingInCommon { path });
        }
        let corrected = holm(&rows.iter().map(|(row, _)| row.p).collect::<Vec<f64>>());
        for ((row, more_is_better), p) in rows.iter_mut().zip(corrected) {
            row.p = p;
            if p < ALPHA && row.change.abs() > LEAST_EFFECT {
                let better = (row.change > 0.0) == *more_is_better;
                row.finding = if better { Finding::Better } else { Finding::Worse };
            }
        }
        Ok(Comparison {
            baseline: path,
            farlink: self.farlink.clone(),
            tests: rows.len(),
            rows: rows.into_iter().map(|(row, _)| row).collect(),
            not_compared,
        })
    }
}

fn compared(samples: &BTreeMap<String, Vec<f64>>) -> BTreeMap<String, Vec<f64>> {
    let figures = FIGURES.iter().filter_map(|(name, _)| samples.get_key_value(*name));
    figures.map(|(name, values)| (name.clone(), values.clone())).collect()
}

fn row(point: &str, figure: &str, before: &[f64], now: &[f64]) -> Option<Compared> {
    let test = welch(now, before)?;
    let ranks = mann_whitney(now, before)?;
    let (was, is) = (Summary::of(before)?.mean, Summary::of(now)?.mean);
    let change = if is == was { 0.0 } else { (is - was) / was };
    Some(Compared {
        point: point.to_owned(),
        figure: figure.to_owned(),
        before: was,
        now: is,
        change,
        p: test.p,
        p_ranks: ranks.p,
        finding: Finding::Same,
    })
}
