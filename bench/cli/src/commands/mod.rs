//! One module a command.

pub mod bundle;
pub mod check;
pub mod conform;
pub mod ctl;
pub mod doctor;
pub mod emulate;
pub mod geometry;
pub mod ltp;
pub mod node;
pub mod plan;
pub mod run;
pub mod schema;
pub mod sdr;
mod table;
pub mod throughput;

use clap::ValueEnum;

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}
