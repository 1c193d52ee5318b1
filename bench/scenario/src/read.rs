//! Reading files, and a scenario file in particular.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use farlink_units::Duration;

use crate::check::check;
use crate::model::{Scenario, SourceText};
use crate::problem::{FileError, Position, Problem, ScenarioError};
use crate::syntax::{self, Kind};

/// The largest file that is read, scenario or node, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// What the command line says instead of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The file to send instead of the one in the only traffic item that has one; `NAME=PATH` picks the item by its name.
    /// The path is relative to the current directory.
    pub payload: Option<PathBuf>,
    /// Another seed.
    pub seed: Option<u64>,
    /// Another duration.
    pub duration: Option<Duration>,
}

/// Reads and checks the file at `path`.
///
/// # Errors
/// Everything that is wrong with the file, or with the overrides for it.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Scenario, ScenarioError> {
    read(source_at(path, &SCENARIO)?, overrides)
}

/// Checks a scenario that is already in memory. `path` stands in messages, and paths in the text are relative to its folder.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(path: &Path, text: &str) -> Result<Scenario, ScenarioError> {
    read(source_in_memory(path, text, &SCENARIO)?, &Overrides::default())
}

fn read(source: SourceText, overrides: &Overrides) -> Result<Scenario, ScenarioError> {
    let file = syntax::read(&source.text, &SCENARIO).map_err(|problems| FileError::new(&source, problems))?;
    let path = source.path.clone();
    check(&file, source, folder_of(&path), overrides)
}

const SCENARIO: Kind = Kind { noun: "scenario", begin: "scenario: NAME" };

/// Where the paths in the file at `path` start.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// The text of the file at `path`.
pub(crate) fn source_at(path: &Path, kind: &Kind) -> Result<SourceText, FileError> {
    let refuse = |message: String| {
        let source = SourceText { path: path.to_owned(), text: "".into() };
        FileError::new(&source, vec![Problem::of_file(message)])
    };
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => refuse("the file does not exist".to_owned()),
        _ => refuse(format!("the file cannot be read: {error}")),
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(refuse(format!("this is a directory, not a {} file", kind.noun)));
    }
    let mut bytes = Vec::new();
    // A pipe or device does not tell its size beforehand.
    File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(refuse(too_large(kind)));
    }
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))?;
    Ok(SourceText { path: path.to_owned(), text: text.into() })
}

/// A text that is already in memory, if it is not too long.
pub(crate) fn source_in_memory(path: &Path, text: &str, kind: &Kind) -> Result<SourceText, FileError> {
    let source = SourceText { path: path.to_owned(), text: text.into() };
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(FileError::new(&source, vec![Problem::of_file(too_large(kind))]));
    }
    Ok(source)
}

fn too_large(kind: &Kind) -> String {
    format!("the file is larger than 1 MiB, which no {} is", kind.noun)
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> FileError {
    let offset = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes());
    let before = &text[..offset];
    let position = Position {
        line: before.matches('\n').count() + 1,
        column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        offset,
        length: 0,
    };
    let source = SourceText { path: path.to_owned(), text: text.into() };
    FileError::new(&source, vec![Problem::at(position, "this is not UTF-8").help("save the file as UTF-8")])
}
