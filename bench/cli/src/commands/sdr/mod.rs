//! `farlink sdr`

mod ber;
mod loopback;
mod waveform;

use clap::{Args, Subcommand};

use crate::{Ending, bench_failed};

/// Use radios, recordings and emulated links at the level of samples.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink sdr ber --from 1.8 --to 2.6 --step 0.2\n  \
    farlink sdr loopback --eb-n0 4 --offset '12 kHz'")]
pub struct SdrArguments {
    #[command(subcommand)]
    command: SdrCommand,
}

#[derive(Debug, Subcommand)]
enum SdrCommand {
    Ber(Box<ber::BerArguments>),
    Loopback(Box<loopback::LoopbackArguments>),
}

pub fn sdr(arguments: &SdrArguments) -> Ending {
    let done = match &arguments.command {
        SdrCommand::Ber(arguments) => ber::ber(arguments),
        SdrCommand::Loopback(arguments) => loopback::loopback(arguments),
    };
    done.unwrap_or_else(bench_failed)
}

/// How a subcommand ends, or why it could not do its part.
type Done = Result<Ending, String>;
