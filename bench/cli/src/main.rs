//! The `farlink` command.
//!
//! Exit codes are the same everywhere: 0 everything expected was met, 1 something expected was not, 2 the bench itself could
//! not do its part (wrong input, a port in use, a full disk, an interruption).

#[macro_use]
mod output;

mod commands;
mod interrupt;
mod progress;
mod summary;

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A test bench and link emulator for delay-tolerant space links.
#[derive(Debug, Parser)]
#[command(name = "farlink", version, max_term_width = 100)]
#[command(after_help = "Try it:\n  farlink run fixtures/scenarios/mars-relay.yaml\n\n\
    Exit codes: 0 all that was expected was met, 1 something was not, 2 the bench could not do its part.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(commands::run::RunArguments),
    Check(commands::check::CheckArguments),
    Schema(commands::schema::SchemaArguments),
    Node(Box<commands::node::NodeArguments>),
    Emulate(Box<commands::emulate::EmulateArguments>),
    Doctor(commands::doctor::DoctorArguments),
    Ctl(commands::ctl::CtlArguments),
    Bundle(commands::bundle::BundleArguments),
    Ltp(commands::ltp::LtpArguments),
    Conform(Box<commands::conform::ConformArguments>),
    Geometry(commands::geometry::GeometryArguments),
    Plan(Box<commands::plan::PlanArguments>),
    Sdr(commands::sdr::SdrArguments),
    Throughput(commands::throughput::ThroughputArguments),
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// All that was expected was met.
    Met,
    /// Something was not.
    NotMet,
    /// The bench could not do its part; why has been said.
    BenchFailed,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        ExitCode::from(match ending {
            Ending::Met => 0,
            Ending::NotMet => 1,
            Ending::BenchFailed => 2,
        })
    }
}

/// Says on standard error what went wrong; the bench could not do its part.
fn bench_failed(message: impl std::fmt::Display) -> Ending {
    complain!("error: {message}");
    Ending::BenchFailed
}

/// Messages are wrapped for people at a terminal. In a log, or for `grep`, `file:line:column: message` stays one line.
fn wrap_for_terminals_only() {
    let wrap = stderr().is_terminal();
    let options = miette::MietteHandlerOpts::new().wrap_lines(wrap).break_words(false);
    // Only a second hook would be refused.
    let _ = miette::set_hook(Box::new(move |_| Box::new(options.clone().build())));
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    wrap_for_terminals_only();
    let ending = match arguments.command {
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Check(arguments) => commands::check::check(&arguments),
        Command::Schema(arguments) => commands::schema::schema(&arguments),
        Command::Node(arguments) => commands::node::node(&arguments),
        Command::Emulate(arguments) => commands::emulate::emulate(&arguments),
        Command::Doctor(arguments) => commands::doctor::doctor(&arguments),
        Command::Ctl(arguments) => commands::ctl::ctl(&arguments),
        Command::Bundle(arguments) => commands::bundle::bundle(&arguments),
        Command::Ltp(arguments) => commands::ltp::ltp(&arguments),
        Command::Conform(arguments) => commands::conform::conform(&arguments),
        Command::Geometry(arguments) => commands::geometry::geometry(&arguments),
        Command::Plan(arguments) => commands::plan::plan(&arguments),
        Command::Sdr(arguments) => commands::sdr::sdr(&arguments),
        Command::Throughput(arguments) => commands::throughput::throughput(&arguments),
    };
    if output::is_lost() { Ending::BenchFailed.into() } else { ending.into() }
}
