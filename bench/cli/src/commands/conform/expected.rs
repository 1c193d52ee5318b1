//! Outcomes that are known, so that a change shows.

use std::fs;
use std::path::Path;

use farlink_conformance::Outcome;
use farlink_conformance::results::Results;
use serde::{Deserialize, Serialize};

/// What is known of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// The case.
    id: String,
    /// How it comes out.
    outcome: Outcome,
    /// What the node does, and which section says otherwise. Stands where the outcome is no pass and no skip.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    why: String,
}

/// The known outcomes of one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    node: String,
    /// What the node said of its version.
    #[serde(default)]
    version: Option<String>,
    cases: Vec<Known>,
}

impl Expected {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        serde_yaml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Writes the outcomes of the only node.
    pub fn save(path: &Path, results: &Results) -> Result<(), String> {
        let [node] = &results.nodes[..] else {
            return Err("--save-expected takes the outcomes of one node: give one --node".to_owned());
        };
        let before = if path.exists() { Some(Expected::load(path)?) } else { None };
        let why = |id: &str, outcome: Outcome| {
            let known = before.as_ref()?.cases.iter().find(|known| known.id == id && known.outcome == outcome)?;
            Some(known.why.clone())
        };
        let cases = node.cases.iter().filter(|case| case.repetition == 0).map(|case| Known {
            id: case.id.clone(),
            outcome: case.outcome,
            why: match case.outcome {
                Outcome::Pass => String::new(),
                outcome => why(&case.id, outcome).unwrap_or_else(|| case.actual.clone()),
            },
        });
        let this = Expected { node: node.name.clone(), version: node.version.clone(), cases: cases.collect() };
        let text = serde_yaml::to_string(&this).map_err(|error| error.to_string())?;
        fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// How many outcomes are known.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// What came out otherwise, and what is not known.
    pub fn changes(&self, results: &Results) -> Vec<String> {
        let mut changes = Vec::new();
        let Some(node) = results.nodes.iter().find(|node| node.name == self.node) else {
            return vec![format!("the outcomes are those of {:?}, which was not judged", self.node)];
        };
        if let Some(why) = &node.skipped {
            return vec![format!("{} was not judged: {why}", self.node)];
        }
        for case in &node.cases {
            match self.cases.iter().find(|known| known.id == case.id) {
                None => changes.push(format!("{}: {}, and no outcome is known", case.id, case.outcome.as_str())),
                Some(known) if known.outcome != case.outcome => changes.push(format!(
                    "{}: {} instead of {}: {}",
                    case.id,
                    case.outcome.as_str(),
                    known.outcome.as_str(),
                    case.actual
                )),
                Some(_) => {}
            }
        }
        if results.selected.is_empty() {
            let gone = self.cases.iter().filter(|known| !node.cases.iter().any(|case| case.id == known.id));
            changes.extend(gone.map(|known| format!("{}: no such case any more", known.id)));
        }
        changes
    }
}
