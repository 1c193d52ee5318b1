//! `farlink ltp`

mod inspect;

use clap::{Args, Subcommand};

use crate::Ending;

/// Look inside LTP segments and sessions.
#[derive(Debug, Args)]
pub struct LtpArguments {
    #[command(subcommand)]
    command: LtpCommand,
}

#[derive(Debug, Subcommand)]
enum LtpCommand {
    Inspect(inspect::InspectArguments),
}

pub fn ltp(arguments: &LtpArguments) -> Ending {
    match &arguments.command {
        LtpCommand::Inspect(arguments) => inspect::inspect(arguments),
    }
}
