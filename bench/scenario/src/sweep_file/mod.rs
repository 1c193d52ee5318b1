//! The sweep file: one YAML document that says over which light times, error ratios, sizes and limits a pair of nodes is
//! measured.
//!
//! [`load_sweep`] reads a file and [`parse_sweep`] a text; both give a [`Sweep`] in which every value is checked, or all that is
//! wrong with it, each with its line, its column and what would be right. The stages are those of the scenario: `entries` is
//! the shape that serde reads, `check` makes a [`Sweep`] of it.

mod check;
mod entries;
mod model;

use std::path::Path;

pub use model::{HopsSweep, Link, LtpSweep, ProcessSweep, Sweep, SweepKind, TcpSweep, Workload};

use crate::model::SourceText;
use crate::problem::FileError;
use crate::read::{source_at, source_in_memory};
use crate::syntax::{self, Kind};

const SWEEP: Kind = Kind { noun: "sweep", begin: "sweep: NAME" };

/// Reads and checks the sweep file at `path`.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_sweep(path: &Path) -> Result<Sweep, FileError> {
    read(source_at(path, &SWEEP)?)
}

/// Checks a sweep file that is already in memory. `path` stands in messages.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_sweep(path: &Path, text: &str) -> Result<Sweep, FileError> {
    read(source_in_memory(path, text, &SWEEP)?)
}

fn read(source: SourceText) -> Result<Sweep, FileError> {
    let file = syntax::read(&source.text, &SWEEP).map_err(|problems| FileError::new(&source, problems))?;
    check::check(&file, &source)
}

/// The shape of the file, for its schema.
pub(crate) use entries::SweepFile;
