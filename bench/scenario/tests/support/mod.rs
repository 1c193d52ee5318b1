//! A sound scenario and what an edit of it leads to.

#![allow(dead_code)] // each test file uses its part

use std::path::Path;

use farlink_scenario::{Problem, Scenario, ScenarioError, parse};

/// Every check passes on this one.
pub const SOUND: &str = r#"scenario: demo
seed: 7
epoch: 2026-12-15T00:00:00Z
duration: 24 h
places:
  ground: { site: { body: earth, latitude: 35 deg, longitude: -117 deg, altitude: 1 km } }
  sky: { orbit: { body: mars, semi_major_axis: 3796 km, eccentricity: 0.005, inclination: 75 deg } }
nodes:
  lander: { eid: "ipn:10.0" }
  orbiter: { eid: "ipn:20.0", at: sky }
  station: { eid: "ipn:30.0", at: ground }
links:
  near:
    forward: { from: lander, to: orbiter, rate: 2 Mbit/s, ber: 1e-6 }
    return: { from: orbiter, to: lander, rate: 128 kbit/s, ber: 1e-7 }
    light_time: 5 ms
    contacts: [{ start: 600 s, end: 1200 s }, { start: 2 h, end: 3 h }]
    ltp: { segment_size: 1360 B, response_margin: 2 s, retransmission_limit: 20 }
  far:
    forward: { from: orbiter, to: station, rate: 256 kbit/s }
    return: { from: station, to: orbiter, rate: 2 kbit/s }
    visibility: { elevation_mask: 10 deg, occulted_by: [mars] }
traffic:
  image: { from: lander, to: station, text: "a picture", at: 1 h, bundle_size: 64 KiB, lifetime: 24 h }
expect:
  image: { arrives_by: 20 h }
"#;

/// An edit of [`SOUND`], and what must be said about it. `^` in the new text marks where.
pub struct Refusal<'a>(pub &'a str, pub &'a str, pub &'a [&'a str]);

/// Reads `text` as a file in this package's folder.
pub fn read(text: &str) -> Result<Scenario, ScenarioError> {
    parse(&Path::new(env!("CARGO_MANIFEST_DIR")).join("demo.yaml"), text)
}

/// [`SOUND`] with the only `old` in it replaced by `new`.
pub fn edited(old: &str, new: &str) -> String {
    assert_eq!(SOUND.matches(old).count(), 1, "the edit must be clear: {old}");
    SOUND.replacen(old, new, 1)
}

/// Takes the `^` out of `text` and gives the line and column where it stood.
pub fn marked(text: &str) -> (String, usize, usize) {
    let (before, after) = text.split_once('^').expect("a mark");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    (format!("{before}{after}"), line, column)
}

/// Asserts that each edit is refused at the marked place with these words, and for nothing else.
pub fn refuse(table: &[Refusal<'_>]) {
    for Refusal(old, new, words) in table {
        let (text, line, column) = marked(&edited(old, new));
        let error = match read(&text) {
            Ok(_) => panic!("accepted: {new}"),
            Err(error) => error,
        };
        assert_eq!(error.problems().len(), 1, "{new}:\n{error}");
        says(&error.problems()[0], line, column, words, new);
        let start = format!("{}:{line}:{column}: ", read_path());
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

/// Asserts that each edit is accepted with one warning, at the marked place and with these words.
pub fn warn(table: &[Refusal<'_>]) {
    for Refusal(old, new, words) in table {
        let (text, line, column) = marked(&edited(old, new));
        let scenario = read(&text).unwrap_or_else(|error| panic!("{new}:\n{error}"));
        let warnings = scenario.warnings().unwrap_or_else(|| panic!("no warning: {new}"));
        assert_eq!(warnings.problems().len(), 1, "{new}:\n{warnings}");
        says(&warnings.problems()[0], line, column, words, new);
    }
}

fn read_path() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo.yaml").display().to_string()
}

/// Asserts what a problem says, and where.
pub fn says(problem: &Problem, line: usize, column: usize, words: &[&str], edit: &str) {
    let said = format!("{}; {}", problem.message, problem.help.as_deref().unwrap_or_default());
    let position = problem.position.unwrap_or_else(|| panic!("{edit}: no position: {said}"));
    assert_eq!((position.line, position.column), (line, column), "{edit}: {said}");
    for word in words.iter() {
        assert!(said.contains(word), "{edit}: `{word}` is not in: {said}");
    }
}
