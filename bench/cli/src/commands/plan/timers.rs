//! `farlink plan timers`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use farlink_contact_plan::NodeId;
use farlink_contact_plan::timers::{self, Assumptions, Needs};
use farlink_units::{Duration, Ratio, Size};
use serde_json::json;

use super::input::{self, Failure, Reading};
use crate::Ending;
use crate::commands::Format;

/// Derive the LTP settings of a stack from a plan: each with what it was computed from.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    farlink plan timers fixtures/scenarios/mars-relay.yaml --local ipn:20.0 --peer ipn:30.0 --stack ion")]
pub struct TimersArguments {
    /// A scenario, or a contact plan in any format that `convert` reads.
    #[arg(value_name = "SCENARIO")]
    source: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// The node that is to be set up, as in `ipn:20.0`.
    #[arg(long, value_name = "NODE")]
    local: String,
    /// Its neighbour.
    #[arg(long, value_name = "NODE")]
    peer: String,
    /// The stack that it runs.
    #[arg(long, value_enum)]
    stack: Stack,
    /// The red part of a block.
    #[arg(long, value_name = "SIZE")]
    block: Option<Size>,
    /// The data in a segment.
    #[arg(long, value_name = "SIZE")]
    segment: Option<Size>,
    /// What the layers below add to a segment.
    #[arg(long, value_name = "SIZE")]
    overhead: Option<Size>,
    /// How long each end may take to answer, queues included.
    #[arg(long, value_name = "DURATION")]
    margin: Option<Duration>,
    /// The bit error ratio, if the plan tells none.
    #[arg(long, value_name = "RATIO")]
    ber: Option<Ratio>,
    /// How to print the settings.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stack {
    /// ION: `ltprc`.
    Ion,
    /// HDTN: LTP induct and outduct.
    Hdtn,
    /// Farlink's own node: the node file.
    Builtin,
}

pub fn timers(arguments: &TimersArguments) -> Result<Ending, Failure> {
    let plan = input::read(&arguments.source, &arguments.reading)?;
    let default = Assumptions::default();
    let assumed = Assumptions {
        block: arguments.block.unwrap_or(default.block),
        segment: arguments.segment.unwrap_or(default.segment),
        overhead: arguments.overhead.unwrap_or(default.overhead),
        margin: arguments.margin.unwrap_or(default.margin),
        bit_error_rate: arguments.ber.map_or(default.bit_error_rate, Ratio::get),
    };
    let [local, peer] = [&arguments.local, &arguments.peer].map(NodeId::new);
    let needs = Needs::of(&plan, &local, &peer, &assumed).map_err(|error| error.to_string())?;
    let settings = match arguments.stack {
        Stack::Ion => timers::ion(&needs),
        Stack::Hdtn => timers::hdtn(&needs),
        Stack::Builtin => timers::builtin(&needs),
    };
    let settings = settings.map_err(|error| error.to_string())?;
    match arguments.format {
        Format::Text => {
            say!("{}", settings.text.trim_end());
            say!();
            say!("{}", settings.table().trim_end());
        }
        Format::Json => {
            let each = settings.settings.iter().map(|setting| {
                json!({"name": setting.name, "value": setting.value, "unit": setting.unit, "from": setting.from})
            });
            say!("{:#}", json!({"settings": each.collect::<Vec<_>>(), "text": settings.text}));
        }
    }
    Ok(Ending::Met)
}
