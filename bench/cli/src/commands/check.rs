//! `farlink check`

use std::path::PathBuf;

use clap::Args;
use farlink_scenario::{Overrides, load};
use serde_json::json;

use super::Format;
use crate::Ending;

/// Say whether a scenario is sound.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  farlink check fixtures/scenarios/mars-relay.yaml")]
pub struct CheckArguments {
    /// The scenario file.
    scenario: PathBuf,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn check(arguments: &CheckArguments) -> Ending {
    let loaded = load(&arguments.scenario, &Overrides::default());
    if arguments.format == Format::Json {
        let (sound, problems) = match &loaded {
            Ok(scenario) => (true, scenario.warnings().map(|w| w.problems().to_vec()).unwrap_or_default()),
            Err(error) => (false, error.problems().to_vec()),
        };
        let problems: Vec<_> = problems
            .iter()
            .map(|p| {
                json!({
                    "line": p.position.as_ref().map(|p| p.line),
                    "column": p.position.as_ref().map(|p| p.column),
                    "message": p.message,
                    "help": p.help,
                })
            })
            .collect();
        say!("{:#}", json!({"file": arguments.scenario, "sound": sound, "problems": problems}));
        return if sound { Ending::Met } else { Ending::BenchFailed };
    }
    match loaded {
        Ok(scenario) => {
            if let Some(warnings) = scenario.warnings() {
                complain!("{:?}", miette::Report::new(warnings));
            }
            say!(
                "{}: sound ({} nodes, {} links, {} traffic items, {} from {})",
                arguments.scenario.display(),
                scenario.nodes.len(),
                scenario.links.len(),
                scenario.traffic.len(),
                scenario.duration,
                scenario.epoch,
            );
            Ending::Met
        }
        Err(error) => {
            complain!("{:?}", miette::Report::new(error));
            Ending::BenchFailed
        }
    }
}
