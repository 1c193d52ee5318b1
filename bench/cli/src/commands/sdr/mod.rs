//! `farlink sdr`

mod ber;
mod devices;
mod emulate;
mod keep;
mod loopback;
mod permission;
mod place;
mod play;
mod record;
mod spectrum;
mod waveform;
mod words;

use clap::{Args, Subcommand};

use crate::{Ending, bench_failed};

/// Use radios, recordings and emulated links at the level of samples.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink sdr emulate moon --delay 1.28s\n  \
    farlink sdr ber --from 1.8 --to 2.6 --step 0.2\n  \
    farlink sdr loopback --eb-n0 4 --offset 12kHz\n  \
    farlink sdr devices\n  \
    farlink sdr record driver=farlink,link=moon,end=b heard --for 10s\n  \
    farlink sdr play heard driver=farlink,link=moon,end=a\n  \
    farlink sdr spectrum heard --rows 20")]
pub struct SdrArguments {
    #[command(subcommand)]
    command: SdrCommand,
}

#[derive(Debug, Subcommand)]
enum SdrCommand {
    Ber(Box<ber::BerArguments>),
    Loopback(Box<loopback::LoopbackArguments>),
    Devices(devices::DevicesArguments),
    Record(Box<record::RecordArguments>),
    Play(Box<play::PlayArguments>),
    Spectrum(Box<spectrum::SpectrumArguments>),
    Emulate(Box<emulate::EmulateArguments>),
    Keep(keep::KeepArguments),
}

pub fn sdr(arguments: &SdrArguments) -> Ending {
    let done = match &arguments.command {
        SdrCommand::Ber(arguments) => ber::ber(arguments),
        SdrCommand::Loopback(arguments) => loopback::loopback(arguments),
        SdrCommand::Devices(arguments) => devices::devices(arguments),
        SdrCommand::Record(arguments) => record::record(arguments),
        SdrCommand::Play(arguments) => play::play(arguments),
        SdrCommand::Spectrum(arguments) => spectrum::spectrum(arguments),
        SdrCommand::Emulate(arguments) => emulate::emulate(arguments),
        SdrCommand::Keep(arguments) => keep::keep(arguments),
    };
    done.unwrap_or_else(bench_failed)
}

/// What `farlink schema links` prints.
pub use emulate::schema as links_schema;

/// How a subcommand ends, or why it could not do its part.
type Done = Result<Ending, String>;
