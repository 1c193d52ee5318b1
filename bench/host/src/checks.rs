//! What `farlink doctor` tells of the host: one [`Check`] for each thing that bears on what the bench can do here, or on how
//! exact its time is, with a remedy where there is one.
//!
//! No check needs a privilege. Nothing is guessed: what cannot be read is [`State::Unknown`] and says why. Programs that are
//! asked for their version get five seconds, no input of anybody's, and a folder of their own to litter.

mod clock;
mod devices;
mod network;
mod permissions;
mod processor;
mod program;
mod software;
mod storage;
mod timer;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::Tree;
use crate::permits::Permits;

pub use network::{RECEIVE_BUFFER, SEND_BUFFER};

/// How it is with a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Good,
    /// It will do; there is better.
    Fair,
    /// What is measured here suffers from it.
    Poor,
    /// It is not there, and what needs it is out of reach; nothing else suffers.
    Absent,
    /// It could not be found out.
    Unknown,
}

impl State {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Fair => "fair",
            State::Poor => "poor",
            State::Absent => "absent",
            State::Unknown => "unknown",
        }
    }

    /// The worse of two, where both are of good, fair and poor.
    fn or_worse(self, other: State) -> State {
        let rank = |state| match state {
            State::Good => 0,
            State::Fair => 1,
            _ => 2,
        };
        if rank(other) > rank(self) { other } else { self }
    }

    /// By two limits: good up to the first, fair up to the second.
    fn up_to(figure: u64, good: u64, fair: u64) -> State {
        match figure {
            _ if figure <= good => State::Good,
            _ if figure <= fair => State::Fair,
            _ => State::Poor,
        }
    }

    /// By two limits: good from the first on, fair from the second on.
    fn from(figure: u64, good: u64, fair: u64) -> State {
        match figure {
            _ if figure >= good => State::Good,
            _ if figure >= fair => State::Fair,
            _ => State::Poor,
        }
    }
}

/// What can be done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// A command to type.
    Command(String),
    /// What no command does.
    Advice(String),
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it belongs to: `time`, `permissions`, `network`, `storage`, `devices`, `stacks`, `tools`.
    pub topic: &'static str,
    /// What was looked at, such as `clock-source`.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found, with figures.
    pub found: String,
    /// What to do, where it is not good and something can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

impl Check {
    fn new(topic: &'static str, name: &'static str, state: State, found: impl Into<String>) -> Self {
        Check { topic, name, state, found: found.into(), remedy: None }
    }

    fn unknown(topic: &'static str, name: &'static str, why: impl std::fmt::Display) -> Self {
        Check::new(topic, name, State::Unknown, format!("cannot be read: {why}"))
    }

    /// Adds the command that mends it, unless it is good.
    fn command(self, command: impl Into<String>) -> Self {
        self.remedied(Remedy::Command(command.into()))
    }

    /// Adds advice, unless it is good.
    fn advice(self, advice: impl Into<String>) -> Self {
        self.remedied(Remedy::Advice(advice.into()))
    }

    fn remedied(mut self, remedy: Remedy) -> Self {
        if self.state != State::Good {
            self.remedy = Some(remedy);
        }
        self
    }
}

/// What to look at.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where delay stores would spill to.
    pub spill: PathBuf,
    /// How long the timer is measured, for each of three ways to sleep; for ten sleeps at least. Below some 100 ms the figures
    /// tell little.
    pub measure: Duration,
    /// Where SDR modules may be beside the usual places.
    pub sdr_modules: Vec<PathBuf>,
    /// Whether the program that asks was built with SoapySDR.
    pub sdr_built: bool,
}

impl Default for Options {
    /// The folder for temporary files, a second for each way, what `SOAPY_SDR_ROOT` and `SOAPY_SDR_PLUGIN_PATH` name, and a build
    /// without SoapySDR.
    fn default() -> Self {
        Options {
            spill: std::env::temp_dir(),
            measure: Duration::from_secs(1),
            sdr_modules: devices::modules_by_environment(),
            sdr_built: false,
        }
    }
}

/// Looks at the host.
pub fn examine(tree: &Tree, options: &Options) -> Vec<Check> {
    let permits = Permits::read(tree);
    let before = processor::times(tree);
    let mut checks = timer::checks(options.measure);
    checks.push(processor::steal(tree, before));
    checks.extend(processor::checks(tree));
    checks.extend(clock::checks(tree, clock::KernelClock::read()));
    checks.extend(permissions::checks(tree, &permits));
    checks.extend(network::checks(tree, &permits));
    checks.extend(storage::checks(tree, &options.spill));
    checks.extend(devices::checks(tree, &options.sdr_modules, options.sdr_built));
    checks.extend(software::checks(tree));
    checks
}

#[cfg(test)]
mod tests;
