//! What the tests of the command share.
#![allow(dead_code, missing_docs)]

pub mod browser;
pub mod disk;
pub mod nodes;
pub mod place;
pub mod process;
pub mod tap;
pub mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use farlink_record::recording::RecordingReader;
use farlink_record::results::{Results, Verdict};
use farlink_record::{Header, Stamped};

/// The command under test.
pub const FARLINK: &str = env!("CARGO_BIN_EXE_farlink");

pub fn fixture(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(path);
    path.canonicalize().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn farlink() -> Command {
    Command::new(FARLINK)
}

/// Runs a command to its end; returns its exit code and what it printed.
pub fn finish(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Runs a scenario headless into `out`.
pub fn run_scenario(scenario: &Path, out: &Path, more: &[&str]) -> (i32, String, String) {
    finish(farlink().arg("run").arg(scenario).arg("--headless").arg("--out").arg(out).args(more))
}

pub fn results(out: &Path) -> Results {
    let text = std::fs::read_to_string(out.join("results.json")).expect("results.json is there");
    serde_json::from_str(&text).expect("results.json is valid")
}

pub fn verdict(results: &Results, id: &str) -> Verdict {
    let case = results.cases.iter().find(|c| c.id == id);
    case.unwrap_or_else(|| panic!("no case {id} among {:?}", results.cases)).verdict
}

pub fn recording(out: &Path) -> (Header, Vec<Stamped>) {
    let file = std::fs::File::open(out.join("recording.jsonl")).expect("the recording is there");
    let (header, events) = RecordingReader::open(std::io::BufReader::new(file)).expect("the recording has a header");
    (header, events.collect::<Result<_, _>>().expect("every line of the recording is sound"))
}

/// Writes a scenario made of a sound one by a change to its text.
pub fn changed(from: &str, into: &Path, change: impl Fn(String) -> String) -> PathBuf {
    let text = std::fs::read_to_string(fixture(from)).expect("the fixture is there");
    let payload = fixture("payload/husband-hill.png");
    let text = text.replace("../payload/husband-hill.png", &payload.display().to_string());
    let path = into.join("scenario.yaml");
    std::fs::write(&path, change(text)).expect("the folder can be written");
    path
}
