//! `farlink sdr keep`, which other commands start.

use clap::Args;
use farlink_sdr_devices::keeper::hold;
use farlink_sdr_devices::safety::State;

use super::Done;
use super::place::{Driver, open_driver};
use crate::Ending;

/// Hold a radio for another command of farlink, and silence it when that is gone.
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct KeepArguments {
    /// The arguments that pin the radio.
    device: Driver,
}

pub fn keep(arguments: &KeepArguments) -> Done {
    let ending = hold(|| open_driver(&arguments.device)).map_err(|error| error.to_string())?;
    Ok(match ending.state {
        State::Silent { .. } if ending.ordered => Ending::Met,
        State::Silent { .. } => Ending::NotMet,
        _ => Ending::BenchFailed,
    })
}
