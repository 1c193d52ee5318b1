//! Other people's programs that the bench works with.

use std::time::Duration;

use super::program::{ask, version};
use super::{Check, State};
use crate::Tree;

/// A version is told at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// A program, or several that belong together.
struct Software {
    topic: &'static str,
    name: &'static str,
    /// All of them must be there.
    programs: &'static [&'static str],
    /// What makes the first tell its version, and what it is to read for that.
    asked: (&'static [&'static str], &'static str),
    /// Lines that tell the version have one of these.
    words: &'static [&'static str],
    /// What brings it, as far as that is one command.
    command: Option<&'static str>,
    /// What brings it otherwise.
    advice: &'static str,
}

const ALL: [Software; 8] = [
    Software {
        topic: "stacks",
        name: "ion",
        programs: &["ionadmin", "ltpadmin", "bpadmin"],
        // It reads commands; this one tells the version, the next leaves.
        asked: (&[], "v\nq\n"),
        words: &["ion", "version"],
        command: None,
        advice: "build ION from https://github.com/nasa-jpl/ION-DTN",
    },
    Software {
        topic: "stacks",
        name: "hdtn",
        programs: &["hdtn-one-process"],
        asked: (&["--version"], ""),
        words: &["hdtn", "version"],
        command: None,
        advice: "build HDTN from https://github.com/nasa/HDTN",
    },
    Software {
        topic: "stacks",
        name: "dtn7",
        programs: &["dtnd"],
        asked: (&["--version"], ""),
        words: &["dtn", "version"],
        command: Some("cargo install --locked dtn7"),
        advice: "",
    },
    Software {
        topic: "stacks",
        name: "hardy",
        programs: &["hardy-bpa-server"],
        asked: (&["--version"], ""),
        words: &["hardy", "version"],
        command: None,
        advice: "build hardy from https://github.com/ricktaylor/hardy",
    },
    Software {
        topic: "stacks",
        name: "ud3tn",
        programs: &["ud3tn"],
        asked: (&["--version"], ""),
        words: &["ud3tn", "version"],
        command: None,
        advice: "build ud3tn from https://gitlab.com/d3tn/ud3tn",
    },
    Software {
        topic: "tools",
        name: "tshark",
        programs: &["tshark"],
        asked: (&["--version"], ""),
        words: &["tshark"],
        command: Some("sudo apt-get install tshark"),
        advice: "",
    },
    Software {
        topic: "tools",
        name: "iperf3",
        programs: &["iperf3"],
        asked: (&["--version"], ""),
        words: &["iperf"],
        command: Some("sudo apt-get install iperf3"),
        advice: "",
    },
    Software {
        topic: "tools",
        name: "socat",
        programs: &["socat"],
        asked: (&["-V"], ""),
        words: &["version"],
        command: Some("sudo apt-get install socat"),
        advice: "",
    },
];

pub fn checks(tree: &Tree) -> Vec<Check> {
    ALL.iter().map(|software| software.check(tree)).collect()
}

impl Software {
    fn check(&self, tree: &Tree) -> Check {
        let places: Vec<_> = self.programs.iter().map(|program| (program, tree.program(program))).collect();
        let missing: Vec<&str> = places.iter().filter(|(_, place)| place.is_none()).map(|(name, _)| **name).collect();
        let Some((_, Some(first))) = places.first().filter(|_| missing.is_empty()) else {
            let found = format!("not on the PATH: {}", missing.join(", "));
            let check = Check::new(self.topic, self.name, State::Absent, found);
            return match self.command {
                Some(command) => check.command(command),
                None => check.advice(self.advice),
            };
        };
        let (arguments, input) = self.asked;
        let (state, told) = match ask(first, arguments, input, PATIENCE) {
            Ok(text) => match version(&text, self.words) {
                Some(version) => (State::Good, version.to_owned()),
                None => (State::Good, "its version is not told".to_owned()),
            },
            Err(error) => (State::Fair, error.to_string()),
        };
        Check::new(self.topic, self.name, state, format!("{told}, {}", first.display()))
    }
}
