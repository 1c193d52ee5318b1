//! `farlink schema`

use clap::Args;

use crate::{Ending, bench_failed};

/// Print the JSON Schema of scenario files, for completion in editors.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  farlink schema > scenario.schema.json\n\n\
    Editors with the YAML language server use it by a first line in the scenario:\n  \
    # yaml-language-server: $schema=scenario.schema.json")]
pub struct SchemaArguments {}

pub fn schema(_: &SchemaArguments) -> Ending {
    match serde_json::to_string_pretty(&farlink_scenario::schema()) {
        Ok(text) => {
            say!("{text}");
            Ending::Met
        }
        Err(error) => bench_failed(error),
    }
}
