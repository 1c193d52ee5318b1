//! The node file: one YAML document that describes a built-in node as a process of its own.
//!
//! [`load_node`] reads a file and [`parse_node`] a text; both give [`NodeSettings`] in which every value is checked, or all that
//! is wrong with it, each with its line, its column and what would be right. The stages are those of the scenario: `entries`
//! is the shape that serde reads, `values` are the texts inside it, `check` makes the settings of both.

mod check;
mod entries;
mod model;
mod values;

use std::path::Path;

pub use model::{
    Aggregation, Deliver, Endpoint, Layer, Listener, LtpAuthentication, LtpCiphersuite, LtpNeighbour, Moment,
    Neighbour, NodeSettings, PlannedContact, SessionNumberWidth, Storage, TcpclNeighbour, TlsFiles,
};

use crate::model::SourceText;
use crate::problem::FileError;
use crate::read::{folder_of, source_at, source_in_memory};
use crate::syntax::{self, Kind};

const NODE: Kind = Kind { noun: "node", begin: "node: ipn:10.0" };

/// Reads and checks the node file at `path`. Paths in it are relative to its folder.
///
/// # Errors
/// Everything that is wrong with the file: also a certificate or key that it names and that cannot be read.
pub fn load_node(path: &Path) -> Result<NodeSettings, FileError> {
    read(source_at(path, &NODE)?)
}

/// Checks a node file that is already in memory. `path` stands in messages, and paths in the text are relative to its folder.
///
/// # Errors
/// Everything that is wrong with it, as [`load_node`] says.
pub fn parse_node(path: &Path, text: &str) -> Result<NodeSettings, FileError> {
    read(source_in_memory(path, text, &NODE)?)
}

fn read(source: SourceText) -> Result<NodeSettings, FileError> {
    let file = syntax::read(&source.text, &NODE).map_err(|problems| FileError::new(&source, problems))?;
    let path = source.path.clone();
    check::check(&file, source, folder_of(&path))
}

/// The shape of the file, for its schema.
pub(crate) use entries::NodeFile;
