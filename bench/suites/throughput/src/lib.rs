//! Throughput suites: what two nodes get across a link, beside what theory allows.
//!
//! 1. A [`Sweep`](farlink_scenario::Sweep) names the values of every parameter; [`plan`] makes its points and [`run`] measures each of them as often
//!    as it says, in parallel. Runs under the virtual clock ([`pair`], [`hops`]) are the same for the same seed, on however many cores.
//! 2. Each point stands beside its bound, derived in [`bound`]; each single run is held against [`floor`], which nobody can be faster than.
//!    A run that is, a run that did not end, and a run whose timing the emulator spoiled give no figure: they say why.
//! 3. [`baseline`] keeps samples and compares later ones with them, by a test that [`stats`] makes.
//! 4. [`report`] makes one page of it all.

pub mod baseline;
pub mod bound;
pub mod builtin;
mod capture;
pub mod floor;
pub mod hops;
pub mod outcome;
pub mod pair;
mod plan;
mod real;
pub mod report;
mod run;
mod seed;
pub mod stats;
pub mod trace;

pub use outcome::{Outcome, PointResult};
pub use plan::{Plan, Point, ProcessPoint, Task, TcpPoint, plan, quick};
pub use run::{RunError, RunOptions, run};
