//! Runs a scenario: sets up its nodes and channels as a bench, drives them under a clock, judges what came of it and keeps
//! it all in a run folder.
//!
//! 1. [`prepare`] turns a checked [`Scenario`](farlink_scenario::Scenario) into a [`Prepared`] run: contacts and light times
//!    from the geometry, nodes with their schedules and routes, the traffic with its hashes. It writes nothing.
//! 2. [`RunFolder::create`] makes the folder, with results that say "inconclusive" until there are better ones.
//! 3. [`Prepared::run`] drives the bench and writes the recording, the capture and what is delivered as they come about. What
//!    people and scripts say meanwhile is its [`Steering`].

mod budget;
mod contact_plan;
pub mod emulation;
mod folder;
mod geometry;
mod plan;
mod prepare;
mod radio;
mod run;
mod signal;
mod steering;
mod verdicts;

pub use budget::{BudgetAt, LinkBudgetError, link_budget};
pub use contact_plan::contact_plan;
pub use folder::{FolderError, RunFolder};
pub use geometry::{GeometryError, geometry};
pub use prepare::{PrepareError, Prepared, prepare};
pub use run::{ClockKind, Finished, RunError};
pub use signal::SignalError;
pub use steering::Steering;
