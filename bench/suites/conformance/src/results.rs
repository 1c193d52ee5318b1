//! Results of a conformance run: for programs (JSON), and what people's views of it are made of.

use std::collections::BTreeMap;

use farlink_record::results as junit;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Grade, Level};
use crate::outcome::Outcome;
use crate::profile::Profile;
use crate::run::CaseRun;

/// Results of a conformance run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Version of Farlink.
    pub farlink: String,
    /// When it began, in ISO 8601 UTC.
    pub started: String,
    /// The host: system, processor, cores.
    pub host: String,
    /// Seed of the tester's random draws.
    pub seed: u64,
    /// Whether what is only recommended counts.
    pub strict: bool,
    /// SHA-256 over the catalogue that was judged by.
    pub catalogue_sha256: String,
    /// What was selected; empty for everything.
    pub selected: Vec<String>,
    /// Every node.
    pub nodes: Vec<NodeResults>,
}

/// What one node came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeResults {
    /// Its name.
    pub name: String,
    /// What it says of its version; for the built-in node, Farlink's.
    pub version: Option<String>,
    /// The file that describes it, and its SHA-256; `None` for the built-in node.
    pub description: Option<(String, String)>,
    /// `virtual` or `wall`.
    pub clock: String,
    /// Why none of its cases could be run, as when it is not installed.
    pub skipped: Option<String>,
    /// How long the cases took altogether at the tester, in nanoseconds of its clock.
    pub duration_ns: i64,
    /// By how much the bench's own timing was off at most, in nanoseconds.
    pub timing_error_ns: i64,
    /// Every case, in order.
    pub cases: Vec<CaseResult>,
}

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The id of case and requirement.
    pub id: String,
    /// The suite.
    pub suite: String,
    /// Where the requirement stands.
    pub section: String,
    /// Its force.
    pub level: Level,
    /// The worst grade that a deviation could get.
    pub worst: Grade,
    /// What is required.
    pub requirement: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What was expected; empty for what passed.
    pub expected: String,
    /// What was seen; for what was not tried, why.
    pub actual: String,
    /// Remarks.
    pub notes: Vec<String>,
    /// Which configuration of the node, by its place.
    pub configuration: Option<usize>,
    /// Which repetition, from 0.
    pub repetition: u32,
    /// From the first step to the last, in nanoseconds.
    pub duration_ns: i64,
    /// By how much the bench's own timing was off at most, in nanoseconds.
    pub timing_error_ns: i64,
    /// The exchange, a line a step; only of what did not pass.
    pub ladder: Vec<String>,
    /// The capture of the exchange, as a path relative to the results.
    pub capture: Option<String>,
    /// A command that runs this case alone; only for what did not pass.
    pub rerun: Option<String>,
}

impl CaseResult {
    /// The result of a run of a case.
    pub fn new(run: &CaseRun, capture: Option<String>, rerun: Option<String>) -> Self {
        let requirement = run.case.requirement();
        let passed = run.outcome == Outcome::Pass;
        CaseResult {
            id: run.case.id.to_owned(),
            suite: run.case.suite.to_string(),
            section: requirement.section.clone(),
            level: requirement.level,
            worst: requirement.verdict,
            requirement: requirement.requirement.clone(),
            outcome: run.outcome,
            expected: run.expected.clone(),
            actual: run.actual.clone(),
            notes: run.notes.clone(),
            configuration: run.configuration,
            repetition: run.repetition,
            duration_ns: run.exchange.duration().as_nanos(),
            timing_error_ns: run.timing_error.as_nanos(),
            ladder: if passed { Vec::new() } else { run.exchange.ladder() },
            capture,
            rerun: rerun.filter(|_| !passed),
        }
    }
}

impl NodeResults {
    /// A node none of whose cases could be run.
    pub fn skipped(name: String, description: Option<(String, String)>, why: String) -> Self {
        NodeResults {
            name,
            version: None,
            description,
            clock: "wall".to_owned(),
            skipped: Some(why),
            duration_ns: 0,
            timing_error_ns: 0,
            cases: Vec::new(),
        }
    }

    /// How many cases came out so, by suite, in the order of the suites.
    pub fn counts(&self) -> Vec<(String, BTreeMap<Outcome, usize>)> {
        let mut all: Vec<(String, BTreeMap<Outcome, usize>)> = Vec::new();
        for case in &self.cases {
            let place = all.iter().position(|(suite, _)| *suite == case.suite).unwrap_or_else(|| {
                all.push((case.suite.clone(), BTreeMap::new()));
                all.len() - 1
            });
            *all[place].1.entry(case.outcome).or_default() += 1;
        }
        all
    }
}

impl Results {
    /// What the program shall exit with: 0 if cases were run and none failed, 1 if one failed, 2 if the bench could not do its part:
    /// a bench error, something inconclusive, or nothing judged at all.
    pub fn exit_code(&self) -> u8 {
        let all = || self.nodes.iter().flat_map(|node| &node.cases);
        let failed = all().any(|case| case.outcome.is_failure(self.strict));
        let bench = all().any(|case| matches!(case.outcome, Outcome::BenchError | Outcome::Inconclusive));
        let judged = all().any(|case| case.outcome.is_met(true) || case.outcome == Outcome::Warn);
        match (failed, bench) {
            (_, true) => 2,
            (true, false) => 1,
            (false, false) if judged => 0,
            (false, false) => 2,
        }
    }

    /// The results as JUnit XML sees them: each node and suite a test suite. What is inconclusive or could not be run is no success.
    pub fn junit(&self) -> junit::Results {
        let case = |node: &NodeResults, case: &CaseResult| junit::Case {
            id: case.id.clone(),
            suite: format!("{}.{}", node.name, case.suite),
            verdict: self.verdict(case.outcome),
            message: match (case.expected.is_empty(), case.actual.is_empty()) {
                (true, true) => String::new(),
                (true, false) => case.actual.clone(),
                (false, _) => format!(
                    "{} ({}): {}\nexpected: {}\nseen: {}\n{}\n{}",
                    case.id,
                    case.section,
                    case.requirement,
                    case.expected,
                    case.actual,
                    case.ladder.join("\n"),
                    case.rerun.as_deref().unwrap_or_default()
                ),
            },
            at_ns: Some(case.duration_ns),
        };
        let node_skipped = |node: &NodeResults| {
            let message = node.skipped.clone()?;
            let suite = format!("{}.node", node.name);
            Some(junit::Case {
                id: "started".to_owned(),
                suite,
                verdict: junit::Verdict::Skipped,
                message,
                at_ns: None,
            })
        };
        let cases = self
            .nodes
            .iter()
            .flat_map(|node| node_skipped(node).into_iter().chain(node.cases.iter().map(move |told| case(node, told))));
        junit::Results {
            farlink: self.farlink.clone(),
            scenario: "conformance".to_owned(),
            seed: self.seed,
            epoch: self.started.clone(),
            clock: self.nodes.first().map_or_else(String::new, |node| node.clock.clone()),
            interrupted: false,
            ended_at_ns: self.nodes.iter().map(|node| node.duration_ns).sum(),
            recording_sha256: String::new(),
            recording_events: 0,
            cases: cases.collect(),
            channels: Vec::new(),
            traffic: Vec::new(),
            timing: None,
            emulator: None,
        }
    }

    fn verdict(&self, outcome: Outcome) -> junit::Verdict {
        match outcome {
            Outcome::Pass | Outcome::Inform => junit::Verdict::Pass,
            Outcome::Warn if self.strict => junit::Verdict::Fail,
            Outcome::Warn => junit::Verdict::Pass,
            Outcome::Fail | Outcome::Crash | Outcome::Hang => junit::Verdict::Fail,
            Outcome::Timeout => junit::Verdict::Timeout,
            Outcome::Inconclusive => junit::Verdict::Inconclusive,
            Outcome::Unsupported => junit::Verdict::Unsupported,
            Outcome::Skipped => junit::Verdict::Skipped,
            Outcome::BenchError => junit::Verdict::BenchError,
        }
    }
}

/// What is known of a configuration, for results: `usual`, or what it offers beyond the first.
pub fn configuration_name(profiles: &[Profile], place: usize) -> String {
    match (profiles.first(), profiles.get(place)) {
        (Some(first), Some(this)) if place > 0 => {
            let more: Vec<&str> = this.offers.difference(&first.offers).map(String::as_str).collect();
            more.join(", ")
        }
        _ => "usual".to_owned(),
    }
}
