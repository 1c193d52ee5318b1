//! `farlink schema`

use clap::{Args, ValueEnum};

use crate::{Ending, bench_failed};

/// Print the JSON Schema of a kind of file, for completion in editors.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  farlink schema > scenario.schema.json\n  farlink schema node > node.schema.json\n\n\
    Editors with the YAML language server use it by a first line in the file:\n  \
    # yaml-language-server: $schema=scenario.schema.json"
)]
pub struct SchemaArguments {
    /// The kind of file.
    #[arg(value_enum, default_value_t)]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// What `farlink run` takes.
    #[default]
    Scenario,
    /// What `farlink node --config` takes.
    Node,
    /// What `farlink throughput` takes.
    Sweep,
    /// What `farlink sdr emulate --links` takes.
    Links,
}

pub fn schema(arguments: &SchemaArguments) -> Ending {
    let schema = match arguments.kind {
        Kind::Scenario => farlink_scenario::schema(),
        Kind::Node => farlink_scenario::node_schema(),
        Kind::Sweep => farlink_scenario::sweep_schema(),
        Kind::Links => super::sdr::links_schema(),
    };
    match serde_json::to_string_pretty(&schema) {
        Ok(text) => {
            say!("{text}");
            Ending::Met
        }
        Err(error) => bench_failed(error),
    }
}
