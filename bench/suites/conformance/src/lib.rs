//! Conformance: does a node speak LTP, the Bundle Protocol and the convergence layers as the documents say?
//!
//! The [`catalogue`] holds the requirements; a [`Case`] judges one of them. A case is a plain function over a [`Tester`]: send
//! these octets, expect that, within a time computed from light time and timers. It knows nothing of where the node is: the
//! [`Medium`] under the tester is the built-in node on a virtual clock ([`medium::Simulated`]), or sockets to a real one.
//! [`run`](run::run) runs cases against a [`Target`](run::Target) and asks after each whether the node is still alive.
//!
//! The suites are themselves judged: [`mutants`] are nodes that misbehave in one named way, and every case has at least one
//! that it must catch.

pub mod builtin;
pub mod bundle;
pub mod carrier;
pub mod case;
pub mod cases;
pub mod catalogue;
pub mod certificates;
pub mod described;
pub mod exchange;
pub mod medium;
pub mod mutants;
pub mod outcome;
pub mod page;
pub mod peer;
pub mod profile;
pub mod results;
pub mod run;
pub(crate) mod secure;
pub(crate) mod segment;
pub mod select;
pub mod tester;

pub use case::{Case, Suite};
pub use catalogue::{Grade, Level, Requirement};
pub use medium::{Arrival, Door, Medium, Order, Stream};
pub use outcome::{Finding, Outcome};
pub use profile::Profile;
pub use tester::Tester;
