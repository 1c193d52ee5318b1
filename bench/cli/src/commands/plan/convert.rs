//! `farlink plan convert`

use std::path::PathBuf;

use clap::Args;
use farlink_contact_plan::NodeId;
use farlink_contact_plan::formats::{self, Format, Rounding, WriteOptions};
use farlink_units::Duration;

use super::input::{self, Failure, Reading, Source};
use super::trajectory::{self, Sites};
use crate::Ending;

/// Convert a contact plan from one format to another; every loss of information is listed.
#[derive(Debug, Args)]
#[command(
    after_help = "Formats: ion (ionadmin commands), hdtn (JSON), hardy (TVR), tvg-util (dtn-tvg-util JSON), farlink (JSON, loses \
    nothing). Scenarios, OEM, TLE, OMM and SPK files can be read, too; all but scenarios need `--site`s.\n\nExamples:\n  \
    farlink plan convert fixtures/scenarios/mars-relay.yaml --to ion > mars.ionrc\n  \
    farlink plan convert plan.ionrc --from ion --to hdtn --output plan.json\n  \
    farlink plan convert iss.tle --name 'ISS (ZARYA)=ipn:20.0' --site ipn:30.0=67.9,21.1,0.4km \\\n      \
    --epoch 2026-11-22T00:00:00Z --for 1d --rate 2Mbit/s --return-rate 64kbit/s --elevation-mask 10deg --to ion"
)]
pub struct ConvertArguments {
    /// The file to read.
    input: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// The format to write: ion, hdtn, hardy, tvg-util, farlink.
    #[arg(long, value_name = "FORMAT")]
    to: Format,
    /// Where to write it; by default on standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The node whose contacts are written, where a format tells those of one node (hardy).
    #[arg(long, value_name = "NODE")]
    local: Option<String>,
    /// Round light times up where a format knows whole seconds only; by default to the nearest.
    #[arg(long)]
    round_up: bool,
    /// How far a light time that is written as one value may be from the true one, where the unit is finer (hardy, tvg-util).
    #[arg(long, value_name = "DURATION", default_value = "1ms")]
    tolerance: Duration,
    /// Write calendar times where the format has both kinds (ion).
    #[arg(long)]
    calendar: bool,
    #[command(flatten)]
    sites: Sites,
}

pub fn convert(arguments: &ConvertArguments) -> Result<Ending, Failure> {
    let bytes = input::bytes(&arguments.input)?;
    let plan = match input::source(&arguments.input, &bytes, &arguments.reading)? {
        Source::Trajectory(kind) => {
            trajectory::plan(&arguments.input, kind, &bytes, &arguments.reading, &arguments.sites)?
        }
        _ => input::read(&arguments.input, &arguments.reading)?,
    };
    if !input::complain_of(&plan) {
        return Err(format!("{}: the plan is not sound and is not written", arguments.input.display()).into());
    }
    let options = WriteOptions {
        local: arguments.local.as_deref().map(NodeId::new),
        rounding: if arguments.round_up { Rounding::Up } else { Rounding::Nearest },
        tolerance: arguments.tolerance,
        calendar: arguments.calendar,
    };
    let export = formats::write(arguments.to, &plan, &options).map_err(|error| error.to_string())?;
    match &arguments.output {
        Some(path) => {
            std::fs::write(path, &export.text).map_err(|error| format!("cannot write {}: {error}", path.display()))?
        }
        None => say!("{}", export.text.trim_end()),
    }
    for loss in &export.losses {
        complain!("lost: {loss}");
    }
    Ok(Ending::Met)
}
