//! `farlink doctor`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use farlink_host::Tree;
use farlink_host::checks::{Check, Options, Remedy, State, examine};
use serde_json::json;

use super::Format;
use crate::Ending;

/// How wide the text may get.
const WIDTH: usize = 80;
/// Where the columns of names and of what was found begin.
const NAMES: usize = 9;
const FOUND: usize = 32;

/// Say whether this host is fit for runs in real time, and what to do where it is not.
///
/// It looks at the timer, the cores, the clock and who keeps it right, permissions, socket buffers, memory and disk, radios,
/// serial ports, other stacks and tools. It needs no privilege and changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  farlink doctor --spill /var/tmp\n\n\
    good: as it should be. fair: it will do. poor: what is measured here suffers from it.\n\
    absent: not there; what needs it is out of reach. unknown: could not be found out.\n\n\
    Exit codes: 0 nothing is poor, 1 something is, 2 nothing is, but something could not be found out.")]
pub struct DoctorArguments {
    /// The folder to which delay stores are to spill.
    #[arg(long, value_name = "DIR")]
    spill: Option<PathBuf>,
    /// Measure the timer for half a second in all instead of three seconds.
    #[arg(long)]
    quick: bool,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn doctor(arguments: &DoctorArguments) -> Ending {
    let usual = Options::default();
    let options = Options {
        spill: arguments.spill.clone().unwrap_or(usual.spill),
        measure: if arguments.quick { Duration::from_millis(170) } else { usual.measure },
        sdr_modules: usual.sdr_modules,
        sdr_built: cfg!(feature = "soapy"),
    };
    let checks = examine(&Tree::of_this_system(), &options);
    let ending = ending(&checks);
    match arguments.format {
        Format::Json => {
            say!("{:#}", json!({"fit": ending == Ending::Met, "counts": counts(&checks), "checks": checks}))
        }
        Format::Text => lines(&checks).iter().for_each(|line| say!("{line}")),
    }
    ending
}

/// What is known to be poor stays so, whatever else there is to find out.
fn ending(checks: &[Check]) -> Ending {
    let any = |state| checks.iter().any(|check| check.state == state);
    match () {
        () if any(State::Poor) => Ending::NotMet,
        () if any(State::Unknown) => Ending::BenchFailed,
        () => Ending::Met,
    }
}

const STATES: [State; 5] = [State::Good, State::Fair, State::Poor, State::Absent, State::Unknown];

fn counts(checks: &[Check]) -> serde_json::Map<String, serde_json::Value> {
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    STATES.iter().map(|state| (state.as_str().to_owned(), count(*state).into())).collect()
}

/// A table with a heading for each topic, and below what can be mended what mends it.
fn lines(checks: &[Check]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut topic = "";
    for check in checks {
        if check.topic != topic {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            topic = check.topic;
            lines.push(topic.to_uppercase());
        }
        let mut found = wrapped(&check.found, WIDTH - FOUND, "").into_iter();
        let first = found.next().unwrap_or_default();
        lines.push(format!("{:<NAMES$}{:<2$}{first}", check.state.as_str(), check.name, FOUND - NAMES));
        lines.extend(found.map(|line| format!("{:FOUND$}{line}", "")));
        let (mark, text, broken) = match &check.remedy {
            None => continue,
            // A command that is broken so can be pasted.
            Some(Remedy::Command(command)) => ("$ ", command, " \\"),
            Some(Remedy::Advice(advice)) => ("> ", advice, ""),
        };
        for (at, line) in wrapped(text, WIDTH - NAMES - 2, broken).into_iter().enumerate() {
            lines.push(format!("{:NAMES$}{}{line}", "", if at == 0 { mark } else { "  " }));
        }
    }
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let counted = STATES.iter().map(|state| (count(*state), state.as_str())).filter(|(count, _)| *count > 0);
    lines.push(String::new());
    lines.push(counted.map(|(count, state)| format!("{count} {state}")).collect::<Vec<_>>().join(", "));
    lines
}

/// Breaks a text between words, and within those that are longer than a line; every line but the last ends in `broken`.
fn wrapped(text: &str, width: usize, broken: &str) -> Vec<String> {
    let room = width - broken.len();
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        let length = line.chars().count();
        if length > 0 && length + 1 + word.len() > room {
            lines.push(std::mem::take(&mut line) + broken);
        }
        while word.len() > room {
            let rest = word.split_off(room);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, state: State, found: &str, remedy: Option<Remedy>) -> Check {
        Check { topic: "time", name, state, found: found.to_owned(), remedy }
    }

    #[test]
    fn poor_is_poor_and_unknown_counts_only_beside_nothing_poor() {
        let of =
            |states: &[State]| ending(&states.iter().map(|state| check("x", *state, "", None)).collect::<Vec<_>>());
        assert_eq!(of(&[State::Good, State::Fair, State::Absent]), Ending::Met);
        assert_eq!(of(&[State::Good, State::Unknown]), Ending::BenchFailed);
        assert_eq!(of(&[State::Unknown, State::Poor]), Ending::NotMet);
    }

    #[test]
    fn a_table_has_headings_remedies_and_a_sum() {
        let checks = [
            check("clock-source", State::Good, "tsc", None),
            check("load", State::Poor, &"much ".repeat(15), Some(Remedy::Command(format!("top {}", "-x ".repeat(30))))),
            check("a", State::Absent, &"x".repeat(60), Some(Remedy::Advice("buy one".to_owned()))),
        ];
        assert_eq!(
            lines(&checks).join("\n"),
            "TIME
good     clock-source           tsc
poor     load                   much much much much much much much much much
                                much much much much much much
         $ top -x -x -x -x -x -x -x -x -x -x -x -x -x -x -x -x -x -x -x -x -x \\
           -x -x -x -x -x -x -x -x -x
absent   a                      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
                                xxxxxxxxxxxx
         > buy one

1 good, 1 poor, 1 absent"
        );
    }
}
