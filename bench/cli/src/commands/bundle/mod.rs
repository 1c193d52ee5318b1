//! `farlink bundle`

mod inspect;
mod make;
pub mod source;
mod validate;

use clap::{Args, Subcommand};

use crate::Ending;

/// Look inside bundles, judge them, make them.
#[derive(Debug, Args)]
pub struct BundleArguments {
    #[command(subcommand)]
    command: BundleCommand,
}

#[derive(Debug, Subcommand)]
enum BundleCommand {
    Inspect(inspect::InspectArguments),
    Make(Box<make::MakeArguments>),
    Validate(validate::ValidateArguments),
}

pub fn bundle(arguments: &BundleArguments) -> Ending {
    match &arguments.command {
        BundleCommand::Inspect(arguments) => inspect::inspect(arguments),
        BundleCommand::Make(arguments) => make::make(arguments),
        BundleCommand::Validate(arguments) => validate::validate(arguments),
    }
}
