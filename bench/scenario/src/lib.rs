//! The scenario file: one YAML document that says which nodes there are, how they are linked, what they send and what must
//! come of it.
//!
//! [`load`] reads a file and [`parse`] a text; both give a [`Scenario`] in which every name is resolved and every value is
//! checked, or a [`ScenarioError`] with *all* that is wrong, each with its line, its column and what would be right.
//! [`schema`] describes the file to editors. Nothing here runs anything.
//!
//! The node file, which describes one built-in node as a process, is read in the same way: [`load_node`], [`parse_node`],
//! [`NodeSettings`], [`node_schema`]. So is the sweep file, which says what a throughput suite measures: [`load_sweep`],
//! [`parse_sweep`], [`Sweep`], [`sweep_schema`].
//!
//! Inside, a file passes three stages: `file` is the shape that serde reads, in which every value remembers where it stands;
//! `values` and `words` are the texts inside it (a node ID, a point of time, a body); `check` makes a [`Scenario`] of both and notes each
//! [`Problem`] on the way.

mod check;
mod empty;
mod file;
mod files;
mod located;
mod mixed;
mod model;
mod names;
mod node_file;
mod notes;
mod problem;
mod read;
mod schema;
mod sweep_file;
mod syntax;
mod values;
mod words;

pub use model::{
    Channel, Coding, Content, DamagedFrames, Depth, Distance, Link, LtpSettings, NamedPlace, Node, Path, RateSource,
    Scenario, Scintillation, SourceText, Tolerance, Traffic, Waveform,
};
pub use node_file::{
    Aggregation, Deliver, Endpoint, Layer, Listener, LtpAuthentication, LtpCiphersuite, LtpNeighbour, Moment,
    Neighbour, NodeSettings, PlannedContact, SessionNumberWidth, Storage, TcpclNeighbour, TlsFiles, load_node,
    parse_node,
};
pub use problem::{FileError, FileWarnings, Position, Problem, ScenarioError, ScenarioWarnings};
pub use read::{MAX_FILE_BYTES, Overrides, load, parse};
pub use schema::{node_schema, schema, sweep_schema};
pub use sweep_file::{
    HopsSweep, Link as SweepLink, LtpSweep, ProcessSweep, Sweep, SweepKind, TcpSweep, Workload, load_sweep, parse_sweep,
};
pub use values::parse_utc;
